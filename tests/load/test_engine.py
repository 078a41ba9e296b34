"""The engine against archives of all manners: every arrival comes to one count."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from asyncfind.errors import Kind
from asyncfind.load.engine import Control, run_load
from asyncfind.load.result import Interval, LoadResult
from asyncfind.load.scenario_mix import Turn
from asyncfind.load.schedule import constant, make_schedule
from asyncfind.load.spec import Load
from asyncfind.load.threshold import parse_threshold
from asyncfind.plan import Limits, Peer, Plan, Query, Timeouts, make_query
from asyncfind.records import ExitCode
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import (
    GOOD,
    Close,
    Moment,
    Reject,
    Script,
    Stall,
    Step,
    aborts_after,
    always,
    never_answers,
    refuses,
    rejects,
    stalls_after,
)
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace

pytestmark = pytest.mark.anyio

QUERY = make_query("study", ["QueryRetrieveLevel=STUDY", "PatientID=42", "StudyInstanceUID"])
_QUICK = Timeouts(associate=5.0, response=5.0, release=1.0, cancel=1.0)


@asynccontextmanager
async def serving(*servers: Server) -> AsyncIterator[tuple[Peer, ...]]:
    """Servers that run, as peers."""
    async with anyio.create_task_group() as tasks:
        ports = [await tasks.start(server.serve) for server in servers]
        yield tuple(Peer(host="127.0.0.1", port=port) for port in ports)
        tasks.cancel_scope.cancel()


def planned(peers: Sequence[Peer], **changes: Any) -> Plan:
    return Plan(**{"peers": tuple(peers), "queries": (QUERY,), "timeouts": _QUICK, **changes})


async def run(load: Load, **options: Any) -> LoadResult:
    """Run it; nothing may have disappeared, and no second be missing."""
    result = await run_load(load, **options)
    for tally in (result.total, result.warm_up, *result.peers):
        ends = (tally.completed, tally.failed, tally.dropped, tally.skipped, tally.censored)
        assert tally.offered == sum(ends)
        assert tally.missing == 0
        assert tally.errors.total() == tally.failed
        assert tally.refusals.total() == tally.refused
    for name in ("offered", "completed", "failed", "censored", "associations", "responses"):
        of_seconds = sum(getattr(one.tally, name) for one in result.intervals)
        assert (
            of_seconds
            == getattr(result.total, name)
            == sum(getattr(one, name) for one in result.peers)
        )
    assert not any(one.is_drain for one in result.intervals[:-1])
    return result


def schedule(rate: float, count: int, **options: Any) -> Any:
    return make_schedule(constant(rate), count=count, **options)


async def test_an_open_load_uses_few_associations_and_releases_them() -> None:
    server = Server(Answers(3))
    async with serving(server) as peers:
        load = Load(plan=planned(peers), schedule=schedule(200, 100), associations=4)
        result = await run(load)
    assert result.exit is ExitCode.COMPLETE
    assert (result.total.completed, result.total.responses) == (100, 300)
    assert server.counters.queries == 100
    assert server.counters.peak <= 4
    assert result.total.associations == server.counters.releases == server.counters.accepted
    assert result.total.octets > 0
    assert result.reached
    assert result.total.latencies["release"].count == result.total.associations


async def test_each_arrival_may_have_an_association_of_its_own() -> None:
    server = Server(Answers(1))
    async with serving(server) as peers:
        load = Load(plan=planned(peers), schedule=schedule(100, 30), per_association=1)
        result = await run(load)
    assert result.total.completed == server.counters.accepted == server.counters.releases == 30
    # It is part of the response, not of the service.
    latencies = result.total.latencies
    assert latencies["response"].total > latencies["service"].total + latencies["associate"].total


@pytest.mark.parametrize("is_open", [True, False])
async def test_an_association_is_released_after_so_many_queries(is_open: bool) -> None:
    server = Server(Answers(1))
    async with serving(server) as peers:
        load = Load(
            plan=planned(peers),
            schedule=schedule(500, 20) if is_open else None,
            count=None if is_open else 20,
            associations=1,
            per_association=5,
        )
        result = await run(load)
    assert result.total.completed == 20
    assert server.counters.accepted == 4


async def test_a_warm_up_is_not_measured() -> None:
    server = Server(Answers(1))
    async with serving(server) as peers:
        load = Load(plan=planned(peers), schedule=schedule(50, 20, warm_up=0.5))
        result = await run(load)
    assert (result.warm_up.offered, result.total.offered) == (25, 20)
    assert server.counters.queries == 45
    assert result.total.latencies["response"].count == 20
    assert result.total.associations + result.warm_up.associations == server.counters.accepted


async def test_peers_have_their_turns() -> None:
    servers = Server(Answers(1)), Server(Answers(2))
    queries = tuple(make_query("study", ["QueryRetrieveLevel=STUDY", f"PatientID={i}"])
                    for i in range(3))  # fmt: skip
    async with serving(*servers) as peers:
        load = Load(plan=planned(peers, queries=queries), schedule=schedule(200, 30))
        result = await run(load)
        closed = await run(Load(plan=planned(peers), count=30, associations=2))
    assert [one.completed for one in result.peers] == [15, 15]
    assert [one.responses for one in result.peers] == [15, 30]
    assert closed.total.completed == 30
    assert all(one.completed for one in closed.peers)


async def test_what_finds_no_association_is_dropped() -> None:
    async with serving(Server(Answers(1), pace=Pace(query=0.5))) as peers:
        load = Load(
            plan=planned(peers), schedule=schedule(40, 40), associations=2, on_saturation="drop"
        )
        result = await run(load)
    assert result.total.dropped > 20
    assert result.total.completed == 40 - result.total.dropped
    assert result.exit is ExitCode.INCOMPLETE
    assert result.total.latencies["wait"].max < 0.5  # type: ignore[operator]  # some came through


async def test_the_backlog_has_a_bound() -> None:
    async with serving(Server(Answers(1), pace=Pace(query=0.3))) as peers:
        load = Load(plan=planned(peers), schedule=schedule(100, 20), associations=1, backlog=2)
        result = await run(load)
    assert result.total.dropped >= 15
    assert result.total.completed >= 3


async def test_the_pool_may_grow() -> None:
    server = Server(Answers(1), pace=Pace(query=0.4))
    async with serving(server) as peers:
        load = Load(
            plan=planned(peers),
            schedule=schedule(50, 25),
            associations=1,
            on_saturation="grow",
            most=6,
        )
        result = await run(load)
    assert result.total.completed == 25
    assert server.counters.peak == 6


async def test_what_has_waited_too_long_is_skipped_and_what_ends_late_is_told() -> None:
    async with serving(Server(Answers(1), pace=Pace(query=0.2))) as peers:
        load = Load(
            plan=planned(peers), schedule=schedule(50, 30), associations=1, latency_limit=0.15
        )
        result = await run(load)
    assert result.total.skipped > 20
    assert result.total.completed == result.total.late == 30 - result.total.skipped
    assert result.exit is ExitCode.INCOMPLETE


async def test_what_is_not_over_within_the_grace_is_censored_at_its_age() -> None:
    async with serving(Server(Answers(1), scripts=always(never_answers()))) as peers:
        load = Load(plan=planned(peers), schedule=schedule(20, 10), associations=2, grace=0.3)
        result = await run(load)
    total = result.total
    assert (total.censored, total.completed) == (10, 0)
    assert total.latencies["response"].count == 10  # ages, which the truth exceeds
    assert total.latencies["service"].count == 2
    # The last of them came when the others had waited for a while.
    assert 0.3 <= total.censored_from["response"] < 0.3 + 0.45
    assert total.censored_from["service"] >= total.censored_from["response"]
    assert result.exit is ExitCode.INCOMPLETE


async def test_a_closed_load_that_never_ends_is_censored_too() -> None:
    async with serving(Server(Answers(1), scripts=always(stalls_after(1)))) as peers:
        result = await run(Load(plan=planned(peers), associations=3, duration=0.2, grace=0.1))
    assert result.total.censored == result.total.offered == 3
    assert result.total.responses == 3


@pytest.mark.parametrize(
    ("script", "kind", "detail"),
    [
        (refuses(0xA700), Kind.STATUS, "A700"),
        (refuses(0xC001), Kind.STATUS, "C001"),
        (aborts_after(1), Kind.ABORTED, "user"),
        (aborts_after(1, source=2), Kind.ABORTED, "provider"),
        (Script((Step(Moment.QUERY, Close()),)), Kind.LOST, ""),
    ],
)
@pytest.mark.parametrize("per_association", [None, 2])
async def test_failures_by_kind(
    script: Script, kind: Kind, detail: str, per_association: int | None
) -> None:
    async with serving(Server(Answers(3), scripts=always(script))) as peers:
        load = Load(
            plan=planned(peers),
            schedule=schedule(100, 10),
            per_association=per_association,
            storm_stop=False,
        )
        result = await run(load)
        closed = await run(Load(plan=planned(peers), count=10, storm_stop=False,
                                per_association=per_association))  # fmt: skip
    for one in (result, closed):
        assert one.total.errors == {(kind, detail): 10}
        assert one.total.latencies["error"].count == 10
        assert one.total.latencies["response"].count == 0
        assert one.exit is ExitCode.INCOMPLETE


async def test_rejections_fail_the_arrivals_that_wait_for_an_association() -> None:
    async with serving(Server(Answers(1), scripts=always(rejects(1, 3, 1)))) as peers:
        load = Load(plan=planned(peers), schedule=schedule(50, 10), storm_stop=False)
        result = await run(load)
        closed = await run(Load(plan=planned(peers), count=3, associations=1, storm_stop=False))
    assert result.total.errors == {(Kind.REJECTED, "1/3/1"): 10}
    assert result.total.refusals[Kind.REJECTED, "1/3/1"] >= 10
    assert result.exit is closed.exit is ExitCode.NO_ASSOCIATION
    assert not result.reached
    assert closed.total.errors == closed.total.refusals == {(Kind.REJECTED, "1/3/1"): 3}


async def test_a_limit_of_the_peer_holds_the_pool_and_fails_nothing() -> None:
    server = Server(Answers(1), pace=Pace(query=0.1), max_associations=2)
    async with serving(server) as peers:
        load = Load(plan=planned(peers), schedule=schedule(30, 15), storm_stop=False)
        result = await run(load)
    assert result.total.completed == 15
    assert result.total.associations == 2
    assert result.total.refused == server.counters.rejected > 0


async def test_a_storm_of_rejections_ends_the_load() -> None:
    async with serving(Server(Answers(1), scripts=always(rejects()))) as peers:
        result = await run(Load(plan=planned(peers), schedule=make_schedule(constant(20, 60))))
        assert "association requests failed" in result.stopped
        assert result.seconds < 30
        warm = make_schedule(constant(20, 60), warm_up=60)
        result = await run(Load(plan=planned(peers), schedule=warm))
        assert "association requests failed" in result.stopped
        assert result.total.offered == 0


async def test_a_peer_without_resources_ends_the_load() -> None:
    async with serving(Server(Answers(1), scripts=always(refuses(0xA700)))) as peers:
        result = await run(Load(plan=planned(peers), duration=60, associations=2, think=0.05))
    assert "A700" in result.stopped
    assert result.exit is ExitCode.INCOMPLETE


async def test_a_threshold_can_end_the_load() -> None:
    threshold = parse_threshold("share(error) < 10% abort")
    async with serving(Server(Answers(1), scripts=always(refuses(0xC000)))) as peers:
        load = Load(
            plan=planned(peers), schedule=make_schedule(constant(20, 60)), thresholds=(threshold,)
        )
        result = await run(load)
    (outcome,) = result.thresholds
    assert (outcome.passed, outcome.aborted) == (False, True)
    assert result.stopped == "threshold share(error) < 10% abort"
    assert result.exit is ExitCode.THRESHOLD


async def test_a_window_as_long_as_the_load_is_looked_at() -> None:
    threshold = parse_threshold("p99(response) < 10s for 2s")
    async with serving(Server(Answers(1))) as peers:
        load = Load(
            plan=planned(peers), schedule=make_schedule(constant(20, 2)), thresholds=(threshold,)
        )
        result = await run(load)
    assert result.thresholds[0].passed
    assert [round(one.seconds) for one in result.intervals if not one.is_drain] == [1, 1]


async def test_too_many_responses_are_cancelled_and_failed() -> None:
    server = Server(Answers(5000))
    async with serving(server) as peers:
        plan = planned(peers, limits=Limits(max_responses=10))
        result = await run(Load(plan=plan, count=4, associations=2))
    assert result.total.errors == {(Kind.LIMIT, "responses"): 4}
    assert result.total.responses == 40
    assert server.counters.cancels == 4
    assert result.total.latencies["cancel"].count == 4


async def test_a_cancel_of_one_s_own_is_complete() -> None:
    async with serving(Server(Answers(5000))) as peers:
        result = await run(Load(plan=planned(peers, cancel_after=10), count=3, associations=1))
    assert result.total.completed == 3
    assert result.exit is ExitCode.COMPLETE


async def test_an_association_that_ends_while_nobody_uses_it_is_replaced() -> None:
    script = Script((Step(Moment.ANSWERED, Close(), query=1),))
    server = Server(Answers(1), scripts=always(script))
    async with serving(server) as peers:
        load = Load(plan=planned(peers), schedule=schedule(20, 10), associations=1)
        result = await run(load)
    assert result.total.completed == 10
    assert server.counters.accepted == 10


class _Feed:
    """Two queries and a C-ECHO, then no more."""

    def __init__(self, query: Query) -> None:
        self._turns: Iterator[Query | Turn] = iter((query, Turn(None, 1), Turn(query, 0)))

    def next(self) -> Query | Turn | None:
        return next(self._turns, None)


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_feed_gives_queries_and_echoes_until_it_ends(is_open: bool) -> None:
    server = Server(Answers(1))
    async with serving(server) as peers:
        load = Load(
            plan=planned(peers),
            schedule=make_schedule(constant(50)) if is_open else None,
            feed=_Feed(QUERY),
            verification=True,
        )
        result = await run(load)
    assert result.total.completed == 3
    assert (server.counters.queries, server.counters.echoes) == (2, 1)
    assert result.exit is ExitCode.COMPLETE


async def test_an_echo_that_is_not_answered_fails() -> None:
    class Echoes:
        def next(self) -> Turn:
            return Turn(None, 0)

    silent = Server(Answers(1), scripts=always(Script((Step(Moment.ECHO, Stall()),))))
    async with serving(silent) as peers:
        plan = planned(peers, timeouts=Timeouts(response=0.1))
        result = await run(
            Load(plan=plan, count=3, associations=1, feed=Echoes(), verification=True)
        )
    assert result.total.errors == {(Kind.TIMEOUT, "response"): 3}


async def test_the_user_stops_it_and_what_is_under_way_ends() -> None:
    control = Control()
    seen: list[Interval] = []

    def stop(interval: Interval) -> None:
        seen.append(interval)
        control.stop()

    async with serving(Server(Answers(1), pace=Pace(query=0.2))) as peers:
        load = Load(plan=planned(peers), schedule=make_schedule(constant(20, 600)))
        result = await run(load, on_second=stop, control=control)
    assert result.interrupted
    assert result.exit is ExitCode.INTERRUPTED
    assert result.stopped == ""
    assert result.total.completed == result.total.offered > 0
    assert seen[0].in_flight > 0


async def test_the_user_ends_it_at_once() -> None:
    control = Control()
    async with serving(Server(Answers(1), scripts=always(never_answers()))) as peers:
        load = Load(plan=planned(peers), duration=600, associations=2, grace=600)
        began = time.monotonic()
        result = await run(load, on_second=lambda _: control.abort(), control=control)
    assert time.monotonic() - began < 60  # not the ten minutes, nor the grace
    assert (result.total.censored, result.exit) == (2, ExitCode.INTERRUPTED)


async def test_a_load_that_is_stopped_before_it_begins_does_nothing() -> None:
    control = Control()
    control.stop()
    server = Server(Answers(1))
    async with serving(server) as peers:
        for load in (
            Load(plan=planned(peers), schedule=schedule(100, 50)),
            Load(plan=planned(peers), count=50),
        ):
            result = await run(load, control=control)
            assert result.interrupted
    assert server.counters.connections == 0


async def test_the_user_changes_the_rate_and_the_report_says_so() -> None:
    control = Control()
    offered: list[int] = []

    def steer(interval: Interval) -> None:
        offered.append(interval.tally.offered)
        if len(offered) in (1, 2):
            control.set_rate({1: 0.0, 2: 3.0}[len(offered)])

    async with serving(Server(Answers(1))) as peers:
        load = Load(plan=planned(peers), schedule=make_schedule(constant(40, 3)))
        result = await run(load, on_second=steer, control=control)
    first, paused, fast = (one.tally.offered for one in result.intervals[:3])
    assert first == pytest.approx(40, abs=4)
    assert paused <= 4
    assert fast > 90
    assert [text.split(" at")[0] for text in result.edited] == ["rate x0", "rate x3"]


async def test_new_associations_have_a_limit_in_any_second() -> None:
    server = Server(Answers(1))
    times: list[float] = []

    def note(number: int) -> Script:
        times.append(time.monotonic())
        return GOOD

    server = Server(Answers(1), scripts=note)
    async with serving(server) as peers:
        load = Load(
            plan=planned(peers), schedule=schedule(20, 16), per_association=1, new_associations=5
        )
        result = await run(load)
    assert result.total.completed == len(times) == 16
    # A little less, as connections take different times.
    assert all(times[place + 5] - times[place] > 0.9 for place in range(len(times) - 5))


async def test_a_reject_in_between_costs_one_arrival() -> None:
    """With associations of their own, each arrival has the fate of its association."""
    scripts = [GOOD, Script((Step(Moment.REQUESTED, Reject()),))]
    server = Server(Answers(1), scripts=lambda number: scripts[number % 2])
    async with serving(server) as peers:
        load = Load(
            plan=planned(peers), schedule=schedule(50, 10), per_association=1, storm_stop=False
        )
        result = await run(load)
    assert (result.total.completed, result.total.failed) == (5, 5)


async def test_more_associations_than_are_opened_at_a_time() -> None:
    server = Server(Answers(1))
    async with serving(server) as peers:
        result = await run(Load(plan=planned(peers), count=450, associations=150))
    assert result.total.completed == 450
    assert server.counters.peak <= 150
