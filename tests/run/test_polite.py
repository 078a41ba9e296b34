"""Bulk runs: an archive gets what it takes, at its pace, and again what may pass."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import anyio
import pytest
from anyio.abc import TaskGroup

from asyncfind.book.pacing import parse_rate
from asyncfind.plan import Peer, Plan, Timeouts, make_query
from asyncfind.records import (
    Associated,
    AttemptFailed,
    FindDone,
    FindStarted,
    Match,
    Note,
    PeerFailed,
    Record,
    Verdict,
)
from asyncfind.run import retry
from asyncfind.run.course import Course, Manners
from asyncfind.run.scheduler import Batch, run
from asyncfind.scp.answers import Answers
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.script import GOOD, aborts_after, always
from asyncfind.scp.server import Server

_QUERY = make_query("study", ["PatientName=A*"])
_QUICK = Timeouts(connect=5, associate=1, response=1, message=1, cancel=0.3, release=0.3)


async def _start(tasks: TaskGroup, server: Server, **fields: str) -> Peer:
    return Peer(host="127.0.0.1", port=await tasks.start(server.serve), **fields)


async def _run(plan: Plan, manners: Manners) -> list[Record]:
    found: list[Record] = []
    send, receive = anyio.create_memory_object_stream[Batch](8)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            course = Course(manners=dict.fromkeys(plan.peers, manners))
            tasks.start_soon(run, plan, send, course)
            async with receive:
                async for batch in receive:
                    found += batch
    return found


def _verdicts(records: Sequence[Record]) -> Counter[Verdict]:
    return Counter(record.verdict for record in records if isinstance(record, FindDone))


@pytest.mark.anyio
async def test_the_cap_holds_and_every_query_is_asked_once() -> None:
    server = Server(Answers(2))
    async with anyio.create_task_group() as tasks:
        peer = await _start(tasks, server)
        plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=300, timeouts=_QUICK)
        records = await _run(plan, Manners(cap=3))
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.COMPLETE: 300}
    assert server.counters.queries == 300
    assert 1 <= server.counters.peak <= 3
    assert sum(isinstance(record, Match) for record in records) == 600


@pytest.mark.anyio
async def test_a_peer_with_room_for_one_association_is_asked_over_one() -> None:
    server = Server(Answers(1), max_associations=1)
    async with anyio.create_task_group() as tasks:
        peer = await _start(tasks, server)
        plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=100, timeouts=_QUICK)
        records = await _run(plan, Manners(cap=4))
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.COMPLETE: 100}
    assert server.counters.peak == 1


@pytest.mark.anyio
async def test_an_abort_before_the_first_answer_is_asked_again_once() -> None:
    server = Server(Answers(3), scripts=lambda number: aborts_after(0) if number == 1 else GOOD)
    async with anyio.create_task_group() as tasks:
        peer = await _start(tasks, server)
        plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=4, timeouts=_QUICK)
        records = await _run(plan, Manners())
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.COMPLETE: 4}
    failed = [record for record in records if isinstance(record, AttemptFailed)]
    assert [(one.attempt, one.matches) for one in failed] == [(1, 0)]
    assert server.counters.queries == 5


@pytest.mark.anyio
async def test_rows_that_are_out_are_not_asked_for_again() -> None:
    server = Server(Answers(9), scripts=always(aborts_after(2)))
    async with anyio.create_task_group() as tasks:
        peer = await _start(tasks, server)
        plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=2, timeouts=_QUICK)
        records = await _run(plan, Manners())
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.ABORTED: 2}
    assert sum(isinstance(record, Match) for record in records) == 4


@pytest.mark.anyio
async def test_a_rejection_that_will_not_pass_ends_it_at_once() -> None:
    server = Server(Answers(1), policy=Policy(check_called=True))
    async with anyio.create_task_group() as tasks:
        peer = await _start(tasks, server, called="WRONG")
        plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=1000, timeouts=_QUICK)
        records = await _run(plan, Manners())
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.UNREACHED: 1000}
    assert sum(isinstance(record, PeerFailed) for record in records) == 1
    assert not any(isinstance(record, Associated) for record in records)


@pytest.mark.anyio
async def test_a_peer_that_comes_back_is_asked_for_all_that_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry.Breaker, "_FIRST_PAUSE", 0.3)
    monkeypatch.setattr("asyncfind.run.polite.PoliteVisit._pause", lambda _: 0.01)
    async with anyio.create_task_group() as tasks:
        late = Server(Answers(1))
        port = await tasks.start(Server(Answers(1)).serve)  # a port that is free, once it is left
        peer = Peer(host="127.0.0.1", port=port)
        tasks.cancel_scope.cancel()
    async with anyio.create_task_group() as tasks:

        async def come_back() -> None:
            await anyio.sleep(0.5)
            await late.serve(port=port)

        tasks.start_soon(come_back)
        plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=20, timeouts=_QUICK)
        records = await _run(plan, Manners())
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.COMPLETE: 20}
    parked = [one for one in records if isinstance(one, Note) and "parked" in one.text]
    assert parked


@pytest.mark.anyio
async def test_a_peer_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry.Breaker, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr("asyncfind.run.polite.PoliteVisit._pause", lambda _: 0.01)
    peer = Peer(host="127.0.0.1", port=1)
    plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=50, timeouts=_QUICK)
    records = await _run(plan, Manners(give_up=0.5))
    assert _verdicts(records) == {Verdict.UNREACHED: 50}
    assert sum(isinstance(record, PeerFailed) for record in records) == 1


@pytest.mark.anyio
async def test_no_more_queries_begin_than_the_rate_allows() -> None:
    server = Server(Answers(1))
    async with anyio.create_task_group() as tasks:
        peer = await _start(tasks, server)
        plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=12, timeouts=_QUICK)
        started = anyio.current_time()
        records = await _run(plan, Manners(rate=parse_rate("10/s")))
        seconds = anyio.current_time() - started
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.COMPLETE: 12}
    assert seconds >= 0.15  # a burst of ten, then one every tenth of a second
    order = [record.find.ordinal for record in records if isinstance(record, FindStarted)]
    assert len(order) == 12
    assert all(a != b for a, b in pairwise(order))
