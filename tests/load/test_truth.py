"""What a load says is what happened: against an archive that keeps its own record of it."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heapreplace
from math import ceil

import anyio
import pytest

from asyncfind.load.engine import run_load
from asyncfind.load.histogram import Histogram
from asyncfind.load.report_text import text_report
from asyncfind.load.result import LoadResult
from asyncfind.load.schedule import constant, make_schedule
from asyncfind.load.spec import Load
from asyncfind.plan import Peer, Plan, make_query
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import Action, Delay, Moment, Script
from asyncfind.scp.server import Server

pytestmark = pytest.mark.anyio

SERVICE = 0.005
STALL = 0.8
QUERY = make_query("study", ["QueryRetrieveLevel=STUDY", "PatientID=42", "StudyInstanceUID"])


@dataclass
class Record:
    """What the archive did, by its own clock.

    Attributes:
        stall: instants between which it did nothing; begins with the query of that number.
        begun, ended: of each query, in the order in which they came.
    """

    stall_at: int | None
    stall: tuple[float, float] | None = None
    begun: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    open: dict[int, int] = field(default_factory=dict)

    def begin(self, association: int) -> float:
        """A query has come; returns how long it is to take."""
        now = time.monotonic()
        self.open[association] = len(self.begun)
        self.begun.append(now)
        self.ended.append(0.0)
        if len(self.begun) == self.stall_at:
            self.stall = (now, now + STALL)
        left = 0.0 if self.stall is None else max(0.0, self.stall[1] - now)
        return left + SERVICE

    def end(self, association: int) -> None:
        """Its final response is with the kernel."""
        self.ended[self.open.pop(association)] = time.monotonic()

    @property
    def services(self) -> list[float]:
        """How long each took, in the order in which they came."""
        return [end - begin for begin, end in zip(self.begun, self.ended, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording(Script):
    """Keeps the record, and takes as long as that says."""

    association: int
    record: Record

    def actions(self, moment: Moment, query: int = 0, after: int = 0) -> tuple[Action, ...]:
        if moment is Moment.QUERY:
            return (Delay(self.record.begin(self.association)),)
        if moment is Moment.ANSWERED:
            self.record.end(self.association)
        return ()


@asynccontextmanager
async def archive(stall_at: int | None) -> AsyncIterator[tuple[Plan, Record]]:
    """An archive that keeps a record, and a plan to ask it."""
    record = Record(stall_at)
    server = Server(Answers(3), scripts=lambda number: Recording(association=number, record=record))
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(server.serve)
        yield Plan(peers=(Peer(host="127.0.0.1", port=port),), queries=(QUERY,)), record
        tasks.cancel_scope.cancel()


def percentile(values: list[float], percent: float) -> float:
    """By sorting (nearest rank)."""
    return sorted(values)[ceil(percent / 100 * len(values)) - 1]


def simulated(arrivals: list[float], services: list[float], servers: int) -> list[float]:
    """Response times of a queue with so many servers, first come, first served."""
    free = [0.0] * servers
    responses = []
    for arrival, service in zip(arrivals, services, strict=True):
        end = max(arrival, free[0]) + service
        heapreplace(free, end)
        responses.append(end - arrival)
    return responses


def shown(result: LoadResult, name: str, percent: float) -> float:
    value = result.total.latencies[name].percentile(percent)
    assert value is not None
    return value


def check(result: LoadResult) -> None:
    """Nothing has disappeared."""
    total = result.total
    assert total.missing == result.warm_up.missing == 0
    assert total.offered == sum(
        (total.completed, total.failed, total.dropped, total.skipped, total.censored)
    )


@pytest.mark.parametrize("associations", [1, 4])
async def test_a_stall_is_in_the_response_times_of_an_open_load(associations: int) -> None:
    rate, count = 100.0, 300
    # Another process may have kept both ends waiting, which no schedule foretells: measured again
    # then. What is wrong by itself is wrong each time.
    for _ in range(5):
        async with archive(stall_at=100) as (plan, record):
            schedule = make_schedule(constant(rate), count=count)
            load = Load(plan=plan, schedule=schedule, associations=associations)
            result = await run_load(load)
        check(result)
        assert (result.total.offered, result.total.completed) == (count, count)
        arrivals = [number / rate for number in range(count)]
        expected = simulated(arrivals, record.services, associations)
        foretold = [percentile(expected, percent) for percent in (90, 99)]
        if [shown(result, "response", percent) for percent in (90, 99)] == pytest.approx(
            foretold, rel=0.05
        ) and shown(result, "service", 100) == pytest.approx(max(record.services), rel=0.05):
            break
    # Four in five arrivals of a second wait for its end: it is in the 99th percentile,
    assert percentile(expected, 99) > STALL / 2
    assert shown(result, "response", 99) == pytest.approx(percentile(expected, 99), rel=0.05)
    assert shown(result, "response", 90) == pytest.approx(percentile(expected, 90), rel=0.05)
    # and hardly in the service times, which are what the archive itself says they were.
    assert shown(result, "service", 100) == pytest.approx(max(record.services), rel=0.05)
    few = 100 * (1 - (associations + 1) / count)
    assert shown(result, "service", few) < STALL / 2 < shown(result, "response", 90)
    assert shown(result, "service", 50) >= percentile(record.services, 50) * 0.95
    assert "open: the schedule sets the pace" in text_report(result, width=100)


async def test_a_closed_load_hides_the_stall_and_says_what_it_is() -> None:
    async with archive(stall_at=100) as (plan, record):
        result = await run_load(Load(plan=plan, associations=1, count=300))
    check(result)
    assert len(record.services) == result.total.completed == 300
    # One query saw it; the others were not even begun.
    assert shown(result, "response", 99) < STALL / 2 < max(record.services)
    assert shown(result, "response", 100) >= max(record.services) * 0.95
    assert result.load.model == "closed"
    assert "closed: the load waits for the peer" in text_report(result, width=100)


async def test_percentiles_are_those_of_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value that goes into a histogram is kept, and sorted."""
    kept: dict[Histogram, list[int]] = defaultdict(list)
    record_micros = Histogram.record_micros

    def keep(histogram: Histogram, value: int) -> None:
        kept[histogram].append(value)
        record_micros(histogram, value)

    monkeypatch.setattr(Histogram, "record_micros", keep)
    names: dict[str, list[Histogram]] = defaultdict(list)
    async with archive(stall_at=50) as (plan, _):
        schedule = make_schedule(constant(200), count=300, seed=7)
        result = await run_load(Load(plan=plan, schedule=schedule, associations=3))
    check(result)
    for interval in result.intervals:
        for name, histogram in interval.tally.latencies.items():
            names[name].append(histogram)
    for name in ("response", "service", "first", "wait", "lag"):
        values = sorted(value for part in names[name] for value in kept[part])
        merged = result.total.latencies[name]
        assert merged.count == len(values) == 300
        assert (merged.least, merged.largest) == (values[0], values[-1])
        for percent in (1, 50, 90, 95, 99, 99.9, 100):
            exact = values[ceil(round(percent / 100 * len(values), 6)) - 1]
            found = round(shown(result, name, percent) * 1e6)
            assert exact <= found <= exact * 1.001


async def test_lag_and_response_are_of_the_schedule_whatever_the_archive_does() -> None:
    """Arrivals of a stalled archive are passed on at their instants all the same."""
    async with archive(stall_at=1) as (plan, record):
        load = Load(plan=plan, schedule=make_schedule(constant(100), count=60), associations=1)
        result = await run_load(load)
    check(result)
    assert record.stall is not None
    assert shown(result, "lag", 100) < STALL / 2 < shown(result, "wait", 50)
    tally = result.total.latencies
    assert tally["response"].total == pytest.approx(
        tally["lag"].total + tally["wait"].total + tally["service"].total, rel=0.02
    )
