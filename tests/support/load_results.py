"""Loads that never were: results for tests of reports, computed from a seed."""

import heapq
import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

from asyncfind.load.health import Health, Sample, judge
from asyncfind.load.result import Interval, LoadResult, merged
from asyncfind.load.schedule import Piece, constant, make_schedule
from asyncfind.load.spec import Load
from asyncfind.load.tally import Ended, Tally
from asyncfind.load.threshold import Result, parse_threshold
from asyncfind.plan import Peer, Plan, make_query
from asyncfind.records import ExitCode

STARTED = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
NORTH = Peer(name="north", host="pacs-north.example", port=104, called="NORTH_QR", calling="LOADER")
SOUTH = Peer(name="south", host="2001:db8::7", port=11112, called="SOUTH", calling="LOADER")
THRESHOLDS = ("p99(response) < 500ms", "share(error) < 0.1%", "count(dropped) == 0")


def make_load(peers: Sequence[Peer] = (NORTH,), **settings: object) -> Load:
    """A load of 80 queries a second, unless `settings` say otherwise."""
    plan = Plan(peers=tuple(peers), queries=(make_query("study", ["PatientID=4711"]),))
    given: dict[str, object] = {
        "schedule": make_schedule(constant(80, 60), warm_up=0.0, seed=7),
        "associations": 8,
    }
    return Load(plan=plan, **(given | settings))  # type: ignore[arg-type]


def make_result(tally: Tally, *, load: Load | None = None, **members: object) -> LoadResult:
    """A result of one peer with this tally, in one interval of ten seconds."""
    load = load or make_load()
    sample = Sample(lag_p99=0.0003, response_p50=0.036, loop_p99=0.0014, cpu=0.44)
    given: dict[str, object] = {
        "started": STARTED,
        "seconds": 10.0,
        "total": tally,
        "peers": (tally, *(Tally() for _ in load.plan.peers[1:])),
        "warm_up": Tally(),
        "intervals": (Interval(at=0.0, seconds=10.0, tally=tally, sample=sample),),
        "health": judge([sample]),
        "thresholds": (),
        "reached": True,
    }
    return LoadResult(load=load, **(given | members))  # type: ignore[arg-type]


def judged(tally: Tally, seconds: float, *texts: str) -> tuple[Result, ...]:
    """How thresholds on a whole run come out."""
    results = []
    for text in texts:
        threshold = parse_threshold(text)
        value = threshold.value(tally, seconds)
        results.append(Result(threshold, value, threshold.holds(value)))
    return tuple(results)


@lru_cache
def stalled_load(
    *,
    seconds: int = 60,
    peers: Sequence[Peer] = (NORTH, SOUTH),
    stall: tuple[float, float] = (30.0, 0.8),
    pieces: Sequence[Piece] = (),
    thresholds: Sequence[str] = THRESHOLDS,
) -> LoadResult:
    """Arrivals in a queue before eight associations to peers that once stall together.

    Each second's percentiles follow from the schedule: response shows the stall, service does not.
    """
    draw = Random(20260314)
    schedule = make_schedule(pieces or constant(80, seconds), seed=7)
    load = make_load(peers, schedule=schedule)
    tallies = [[Tally() for _ in peers] for _ in range(seconds)]
    free = [[0.0] * 8 for _ in peers]
    ends: list[tuple[float, float, float]] = []
    for number, at in enumerate(schedule.instants()):
        place = number % len(peers)
        tally = tallies[min(int(at), seconds - 1)][place]
        tally.offered += 1
        lag = draw.expovariate(1 / 0.00012)
        tally.record("lag", lag)
        taken = max(at + lag, heapq.heappop(free[place]))
        if stall[0] <= taken < sum(stall):
            taken = sum(stall) + draw.random() * 0.002
        tally.record("wait", taken - at - lag)
        service = draw.lognormvariate(-3.35, 0.35)
        heapq.heappush(free[place], taken + service)
        kind, detail = _trouble(draw, at, stall)
        ended = taken + (0.0011 if kind == "rejected" else service)
        tally.ended(Ended(at, taken, taken, taken + service * 0.4, ended, kind, detail))
        ends.append((at, taken, ended))
        if not kind:
            tally.responses += 18
            tally.octets += 18 * 390
    for tally in tallies[0]:
        tally.associations = 8
        for _ in range(8):
            tally.record("connect", draw.uniform(0.0003, 0.0006))
            tally.record("associate", draw.uniform(0.008, 0.014))
            tally.record("release", draw.uniform(0.0006, 0.0015))
    return _whole(load, seconds, tallies, thresholds, draw, ends)


def _trouble(draw: Random, at: float, stall: tuple[float, float]) -> tuple[str, str]:
    if stall[0] <= at < sum(stall) + 2 and draw.random() < 0.1:
        return ("rejected", "2/3/2") if draw.random() < 0.3 else ("status", "A700")
    return ("timeout", "first response") if draw.random() < 0.0006 else ("", "")


def _pool(ends: Sequence[tuple[float, float, float]]) -> tuple[Counter[int], Counter[int]]:
    """How many wait and how many are at work, at each full second."""
    waiting: Counter[int] = Counter()
    busy: Counter[int] = Counter()
    for meant, taken, ended in ends:
        waiting.update(range(math.ceil(meant), math.ceil(taken)))
        busy.update(range(math.ceil(taken), math.ceil(ended)))
    return waiting, busy


def _whole(
    load: Load,
    seconds: int,
    tallies: Sequence[Sequence[Tally]],
    thresholds: Sequence[str],
    draw: Random,
    ends: Sequence[tuple[float, float, float]],
) -> LoadResult:
    total = merged([merged(second) for second in tallies])
    waiting, busy = _pool(ends)
    intervals = []
    for at, second in enumerate(tallies):
        tally = merged(second)
        sample = Sample(
            lag_p99=tally.latencies["lag"].percentile(99),
            response_p50=tally.latencies["response"].percentile(50),
            loop_p99=0.0012 + draw.random() * 0.0006,
            cpu=0.35 + draw.random() * 0.09,
            descriptors=0.0016,
        )
        end = at + 1
        intervals.append(
            Interval(
                at=float(at),
                seconds=1.0,
                tally=tally,
                sample=sample,
                in_flight=busy[end],
                waiting=waiting[end],
                open=8 * len(load.plan.peers),
            )
        )
    results = judged(total, seconds, *thresholds)
    return LoadResult(
        load=load,
        started=STARTED,
        seconds=float(seconds),
        total=total,
        peers=tuple(
            merged([second[place] for second in tallies]) for place in range(len(tallies[0]))
        ),
        warm_up=Tally(),
        intervals=tuple(intervals),
        health=judge([one.sample for one in intervals]),
        thresholds=results,
        reached=True,
        exit=ExitCode.COMPLETE if all(one.passed for one in results) else ExitCode.THRESHOLD,
    )


def saturated(
    reasons: Sequence[str] = ("schedule lag p99 61.0 ms, over 50.0 ms for 2 s",),
) -> Health:
    """The verdict on a client that could not keep up."""
    from asyncfind.load.health import Strength

    return Health(Strength.SATURATED, tuple(reasons))
