"""The parts of the engine, each by itself."""

import errno
import time
from datetime import UTC, datetime

import anyio
import pytest

from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    ConnectFailed,
    FindFailed,
    Kind,
    NoPresentationContext,
    PeerError,
    PeerTimeout,
    TlsFailed,
)
from asyncfind.load.alarm import Alarm
from asyncfind.load.failure import failure_of
from asyncfind.load.health import Health, Strength
from asyncfind.load.histogram import Histogram
from asyncfind.load.result import LoadResult, merged
from asyncfind.load.schedule import Piece, Schedule, constant, make_schedule, parse_stages
from asyncfind.load.spec import Load
from asyncfind.load.tally import Ended, Tally
from asyncfind.load.threshold import Result, parse_threshold
from asyncfind.load.verdict import exit_code
from asyncfind.load.vitals import Vitals
from asyncfind.net.association import associate
from asyncfind.plan import Limits, Peer, Plan, make_query
from asyncfind.records import ExitCode
from asyncfind.scp.answers import Answers
from asyncfind.scp.server import Server

_PLAN = Plan(peers=(Peer(host="127.0.0.1", port=104),))
_LOAD = Load(plan=_PLAN)


# Schedules that change.


def test_the_rest_of_a_schedule_is_what_would_have_come() -> None:
    whole = make_schedule(parse_stages("0:10,2s:50,4s=20", 6.0))
    rest = whole.rest(1.0)
    assert rest.seconds == whole.seconds - 1.0
    arrivals = sum(piece.arrivals for piece in whole.pieces)
    before = whole.pieces[0].start * 1.0 + 20 * 1.0**2 / 2
    assert sum(piece.arrivals for piece in rest.pieces) == pytest.approx(arrivals - before)
    assert rest.pieces[0] == Piece(1.0, 30.0, 50.0)


def test_the_rest_may_be_faster_and_keeps_its_end() -> None:
    whole = Schedule(pieces=constant(10, 4.0), warm_up=1.5)
    double = whole.rest(1.0, 2.0)
    assert (double.seconds, double.warm_up, double.pieces) == (3.0, 0.5, (Piece(3.0, 20, 20),))
    assert len(list(double.instants())) == 60
    assert list(whole.rest(1.0, 0.0).instants()) == []
    assert whole.rest(9.0).pieces == ()


# Timers.


@pytest.mark.anyio
@pytest.mark.parametrize("exact", [True, False])
async def test_an_alarm_never_rings_early(exact: bool) -> None:
    alarm = Alarm(exact=exact)
    try:
        for step in (0.0, 0.0003, 0.004, 0.0021, -1.0):
            at = time.monotonic() + step
            await alarm.wait(at)
            # uvloop's clock has milliseconds: without the system's timer it is a hair early.
            assert time.monotonic() >= at - (0.0 if alarm.is_exact else 0.002)
    finally:
        alarm.close()


@pytest.mark.anyio
async def test_an_alarm_can_be_woken() -> None:
    alarm = Alarm()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(alarm.wait, time.monotonic() + 3600)
            await anyio.wait_all_tasks_blocked()
            alarm.wake()
        alarm.wake()  # nobody waits: it does nothing
    finally:
        alarm.close()


# Failures by name.


def _connect_failed(cause: OSError) -> PeerError:
    error = ConnectFailed("no")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AssociationRejected("", result=2, source=3, reason=2, busy=True), ("rejected", "2/3/2")),
        (AssociationAborted("", by="provider"), ("aborted", "provider")),
        (AssociationAborted(""), ("aborted", "us")),
        (AssociationLost("the peer reset"), ("lost", "")),
        (PeerTimeout("", phase="first-response", seconds=1), ("timeout", "first-response")),
        (FindFailed("", status=0xA700), ("status", "A700")),
        (NoPresentationContext(""), ("no-context", "")),
        (TlsFailed("", verify_code=10), ("tls", "certificate, code 10")),
        (TlsFailed("", openssl_reason="NO_SHARED_CIPHER"), ("tls", "no shared cipher")),
        (_connect_failed(ConnectionRefusedError(errno.ECONNREFUSED, "")), ("connect", "refused")),
        (_connect_failed(OSError(errno.ENETUNREACH, "")), ("connect", "unreachable")),
        (_connect_failed(TimeoutError()), ("connect", "timed out")),
        (_connect_failed(OSError(errno.EPERM, "")), ("connect", "EPERM")),
        (_connect_failed(OSError(errno.EMFILE, "")), ("local", "no descriptors")),
        (_connect_failed(OSError(errno.EADDRNOTAVAIL, "")), ("local", "no ports")),
    ],
)
def test_failures_have_names_and_no_texts(error: PeerError, expected: tuple[str, str]) -> None:
    assert failure_of(error) == expected


# Tallies and histograms that are kept.


def test_packed_histograms_are_as_they_were() -> None:
    histogram, other = Histogram(), Histogram()
    for value in (5, 5, 700_000, 2**40):
        histogram.record_micros(value)
        other.record_micros(value)
    histogram.pack()
    histogram.pack()
    assert (histogram.counts, histogram.percentile(50)) == (other.counts, other.percentile(50))
    both = Histogram()
    both.merge(histogram)
    assert both.counts == other.counts
    histogram.record_micros(6)
    other.record_micros(6)
    assert histogram.counts == other.counts
    histogram.pack()
    histogram.merge(other)
    assert histogram.count == sum(histogram.counts.values()) == 10


def test_tallies_add_up() -> None:
    one, other = Tally(offered=3, skipped=1, late=1), Tally(offered=2, dropped=1)
    one.ended(Ended(1.0, 1.1, 1.2, 1.5, 2.0))
    one.ended(Ended(1.0, 1.1, 1.2, None, 2.0, "status", "A700"))
    other.cut_off(5.0, 1.0, 3.0)
    other.refusals["rejected", "1/3/1"] += 1
    total = merged([one, other])
    assert (one.missing, other.missing, total.missing) == (0, 0, 0)
    assert (total.offered, total.skipped, total.late, total.dropped, total.censored) == (
        *(5, 1, 1, 1, 1),
    )
    assert total.refusals == {("rejected", "1/3/1"): 1}
    assert total.latencies["streaming"].max == 0.5
    assert total.latencies["response"].count == 2
    assert total.censored_from == {"response": 4.0, "service": 2.0}


# What it all comes to.


def _code(total: Tally, *thresholds: tuple[str, bool], **changes: object) -> ExitCode:
    given = {
        "health": Health(Strength.OK),
        "reached": True,
        "stopped": "",
        "interrupted": False,
        **changes,
    }
    results = [Result(parse_threshold(text), 0.0, passed) for text, passed in thresholds]
    load = given.pop("load", _LOAD)
    return exit_code(load, total, thresholds=results, **given)  # type: ignore[arg-type]  # by name


_BAD = {
    "interrupted": True,
    "health": Health(Strength.SATURATED),
    "reached": False,
    "stopped": "a storm",
}


def test_the_first_exit_code_that_applies() -> None:
    total, broken = Tally(offered=1, failed=1), ("p99(response) < 1s", False)
    total.errors["status", "A700"] += 1
    codes = []
    left = dict(_BAD)
    for name in (None, "interrupted", "health"):
        left.pop(name or "", None)
        codes.append(_code(total, broken, **left))
    codes += [_code(total, reached=False), _code(total), _code(Tally(offered=1, completed=1))]
    assert codes == [130, 6, 5, 2, 4, 0]


def test_a_saturated_client_may_be_allowed() -> None:
    load, health = Load(plan=_PLAN, allow_saturated=True), Health(Strength.SATURATED)
    assert _code(Tally(offered=1, completed=1), health=health, load=load) == 0
    assert _code(Tally(offered=1, completed=1), health=Health(Strength.STRAINED)) == 0


@pytest.mark.parametrize("name", ["dropped", "skipped", "censored"])
def test_a_threshold_replaces_the_rule_for_its_quantity(name: str) -> None:
    total = Tally(offered=2, completed=1)
    setattr(total, name, 1)
    assert _code(total) == 4
    assert _code(total, (f"count({name}) < 5", True)) == 0
    assert _code(total, ("count(completed) > 0", True)) == 4
    assert _code(total, (f"count({name}) < 5", True), stopped="a storm") == 4


def test_a_threshold_on_some_errors_rules_those() -> None:
    total = Tally(offered=3, completed=1, failed=2)
    total.errors.update({("status", "A700"): 1, ("timeout", "query"): 1})
    some = ("count(error{kind=status}) < 5", True)
    assert _code(total, some) == 4
    assert _code(total, some, ("count(error{kind=timeout}) < 5", True)) == 0
    assert _code(total, ("share(error) < 99%", True)) == 0
    assert _code(total, ("p99(error) < 1s", True)) == 4


def test_nothing_asked_is_nothing_proven() -> None:
    assert _code(Tally()) == 4


def test_results_have_a_label() -> None:
    total = Tally()
    result = LoadResult(
        load=_LOAD,
        started=datetime.now(UTC),
        seconds=1.0,
        total=total,
        peers=(total,),
        warm_up=Tally(),
        intervals=(),
        health=Health(Strength.OK),
        thresholds=(),
        reached=True,
    )
    assert result.load.model == "closed"
    assert Load(plan=_PLAN, schedule=make_schedule(constant(1, 1))).model == "open"


# Our own process.


def test_vitals_are_measured() -> None:
    vitals = Vitals()
    try:
        second = Tally()
        second.record("lag", 0.004)
        second.refusals[Kind.LOCAL, "no ports"] += 3
        sample = vitals.sample(second)
    finally:
        vitals.close()
    assert sample.lag_p99 == 0.004
    assert sample.exhausted == 3
    assert sample.descriptors is not None
    assert 0 < sample.descriptors < 1
    assert sample.loop_p99 is None  # no beat yet
    assert sample.ports is None or sample.ports >= 0


# Responses that are counted and not kept.


@pytest.mark.anyio
@pytest.mark.parametrize(("limit", "cancel_after"), [(1000, None), (40, None), (1000, 25)])
async def test_counted_responses_are_those_that_would_have_come(
    limit: int, cancel_after: int | None
) -> None:
    query = make_query("study", ["QueryRetrieveLevel=STUDY", "PatientID=42"])
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(Server(Answers(700)).serve)
        peer = Peer(host="127.0.0.1", port=port)
        async with associate(peer, limits=Limits(max_responses=limit)) as association:
            whole = association.find(query, cancel_after=cancel_after)
            octets = 0
            while batch := await whole.batch():
                octets += sum(len(match.identifier) for match in batch)
            counted = association.find(query, cancel_after=cancel_after)
            numbers = []
            while count := await counted.count():
                numbers.append(count)
        tasks.cancel_scope.cancel()
    if cancel_after is None:  # else it depends on what was on its way
        assert counted.number == whole.number == min(limit, 700)
        assert counted.octets == octets
    assert sum(numbers) == counted.number >= (cancel_after or 0)
    assert (counted.limited, counted.cancelled) == (whole.limited, whole.cancelled)
    assert (counted.cancel_sent is None) == (not counted.cancelled)
    assert counted.status in (0x0000, 0xFE00)
