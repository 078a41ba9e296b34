"""Many queries over one association with an asynchronous operations window."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest
from interleaver import CANCELLED, Acceptor, final, numbered, pending

from asyncfind.net.transport import Stream, serve
from asyncfind.plan import Limits, Peer, Plan, Timeouts, make_query
from asyncfind.records import Associated, FindDone, FindStarted, Match, Record, Verdict
from asyncfind.run.scheduler import run, stream
from asyncfind.scp.answers import Answers
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.script import always, ignores_cancel
from asyncfind.scp.server import Server

_QUERIES = tuple(make_query("study", [f"PatientName={name}*"]) for name in "ABC")
_ABORT = bytes.fromhex("07 00 00000004 00 00 00 00")


async def _records(plan: Plan) -> list[Record]:
    with anyio.fail_after(60):
        async with stream(plan) as records:
            return [record async for record in records]


def _dones(records: list[Record]) -> list[FindDone]:
    return [record for record in records if isinstance(record, FindDone)]


def _verdicts(records: list[Record]) -> Counter[Verdict]:
    return Counter(done.verdict for done in _dones(records))


async def _run_against(
    handler: Callable[[Acceptor, int], Awaitable[None]], plan: Plan, window: int = 4
) -> tuple[list[Record], int]:
    """The records of `plan` at an acceptor by hand, and how many associations it took."""
    associations = 0

    async def handle(stream: Stream) -> None:
        nonlocal associations
        associations += 1
        acceptor = Acceptor(stream, window)
        await handler(acceptor, associations)
        await acceptor.rest()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, handle, "127.0.0.1", 0)
        peer = Peer(host="127.0.0.1", port=port)
        records = await _records(_at(plan, peer))
        tasks.cancel_scope.cancel()
    return records, associations


def _at(plan: Plan, *peers: Peer) -> Plan:
    return replace(plan, peers=peers)


async def _answer_all(acceptor: Acceptor) -> None:
    """Every query has no match."""
    answered = 0
    while not acceptor.is_over:
        await acceptor.until(requests=answered + 1)
        for message_id, _ in acceptor.requests[answered:]:
            await acceptor.send(final(message_id))
            answered += 1


def _check_order(records: list[Record]) -> None:
    """Of each query: started, its matches in their order, done; nothing after that."""
    begun: set[object] = set()
    numbers: Counter[object] = Counter()
    done: set[object] = set()
    for record in records:
        match record:
            case FindStarted(find):
                begun.add(find)
            case Match():
                assert record.find in begun
                assert record.find not in done
                numbers[record.find] += 1
                assert record.number == numbers[record.find]
            case FindDone():
                assert record.find not in done
                assert record.matches == numbers[record.find]
                done.add(record.find)
            case _:
                pass


@pytest.mark.anyio
async def test_one_association_carries_several_queries_at_a_time() -> None:
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(37), policy=Policy(window=4))
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        plan = Plan(peers=(peer,), queries=_QUERIES, repeat=10, associations=1, async_window=6)
        records = await _records(plan)
        tasks.cancel_scope.cancel()
    _check_order(records)
    assert _verdicts(records) == {Verdict.COMPLETE: 30}
    assert [done.matches for done in _dones(records)] == [37] * 30
    (associated,) = [record for record in records if isinstance(record, Associated)]
    assert (associated.agreement.window_asked, associated.agreement.window) == (6, 4)
    open_now = most = 0
    for record in records:
        open_now += isinstance(record, FindStarted) - isinstance(record, FindDone)
        most = max(most, open_now)
    assert most == 4


@pytest.mark.anyio
async def test_the_pool_is_no_larger_than_the_windows_need() -> None:
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(1), policy=Policy(window=4))
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        plan = Plan(peers=(peer,), queries=_QUERIES, repeat=2, associations=8, async_window=4)
        records = await _records(plan)
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.COMPLETE: 6}
    assert server.counters.accepted <= 2


@pytest.mark.anyio
async def test_a_peer_that_knows_no_window_gets_one_query_at_a_time() -> None:
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(3))
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        plan = Plan(peers=(peer,), queries=_QUERIES, repeat=2, associations=1, async_window=4)
        records = await _records(plan)
        tasks.cancel_scope.cancel()
    assert _verdicts(records) == {Verdict.COMPLETE: 6}
    kinds = [type(record) for record in records if isinstance(record, FindStarted | FindDone)]
    assert kinds == [FindStarted, FindDone] * 6


@pytest.mark.anyio
async def test_cancel_and_limit_hold_for_each_query() -> None:
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(10**6), policy=Policy(window=3))
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        plan = Plan(
            peers=(peer,), queries=_QUERIES, repeat=2, associations=1, async_window=3,
            cancel_after=4,
        )  # fmt: skip
        cancelled = await _records(plan)
        limits = Limits(max_responses=7)
        plan = Plan(
            peers=(peer,), queries=_QUERIES, repeat=2, associations=1, async_window=3,
            limits=limits,
        )  # fmt: skip
        limited = await _records(plan)
        tasks.cancel_scope.cancel()
    _check_order(cancelled)
    assert _verdicts(cancelled) == {Verdict.CANCELLED: 6}
    assert all(done.matches >= 4 and done.status == CANCELLED for done in _dones(cancelled))
    assert _verdicts(limited) == {Verdict.CUT: 6}
    assert [done.matches for done in _dones(limited)] == [7] * 6
    assert server.counters.cancels == 12


@pytest.mark.anyio
async def test_every_open_query_of_a_lost_association_gets_its_verdict() -> None:
    async def handler(acceptor: Acceptor, number: int) -> None:
        await acceptor.until(requests=3 if number == 1 else 1)
        if number == 1:
            answers = pending(1, numbered("1", 1)) + pending(3, numbered("3", 1)) + final(3)
            await acceptor.send(answers)
        await acceptor.stream.close()

    plan = Plan(peers=(), queries=_QUERIES, associations=1, async_window=4)
    records, associations = await _run_against(handler, plan)
    _check_order(records)
    first, second, third = sorted(_dones(records), key=lambda done: done.find.ordinal)
    assert (first.verdict, first.matches) == (Verdict.ABORTED, 1)
    assert (second.verdict, second.matches) == (Verdict.ABORTED, 0)
    assert (third.verdict, third.matches) == (Verdict.COMPLETE, 1)
    assert associations <= 2  # the second, which had no answer at all, may be asked once more


@pytest.mark.anyio
async def test_what_a_peer_that_has_had_enough_did_not_answer_is_asked_again() -> None:
    async def handler(acceptor: Acceptor, number: int) -> None:
        if number > 1:
            await _answer_all(acceptor)
            return
        await acceptor.until(requests=2)
        await acceptor.send(final(2))
        await acceptor.until(requests=3)  # so that the second has been told that it is complete
        await acceptor.stream.send(_ABORT)

    plan = Plan(peers=(), queries=_QUERIES, associations=1, async_window=2)
    records, associations = await _run_against(handler, plan, window=2)
    _check_order(records)
    assert _verdicts(records) == {Verdict.COMPLETE: 3}
    assert associations == 2
    assert sum(isinstance(record, FindStarted) for record in records) == 5


@pytest.mark.anyio
async def test_queries_are_asked_again_when_another_took_the_association_with_it() -> None:
    """One has had answers and then is not ended: we abort. The other had none, and no blame."""

    async def handler(acceptor: Acceptor, number: int) -> None:
        if number > 1:
            await _answer_all(acceptor)
            return
        await acceptor.until(requests=2)
        await acceptor.send(pending(1, numbered("1", 1)))

    timeouts = Timeouts(response=0.2, first_response=20, cancel=0.1, release=1)
    plan = Plan(peers=(), queries=_QUERIES[:2], associations=1, async_window=2, timeouts=timeouts)
    records, associations = await _run_against(handler, plan, window=2)
    first, second = sorted(_dones(records), key=lambda done: done.find.ordinal)
    assert (first.verdict, first.matches) == (Verdict.TIMEOUT, 1)
    assert (second.verdict, second.matches) == (Verdict.COMPLETE, 0)
    assert associations == 2


@pytest.mark.anyio
async def test_a_peer_that_aborts_whenever_it_has_two_queries_is_given_up() -> None:
    async def handler(acceptor: Acceptor, number: int) -> None:
        await acceptor.until(requests=2)
        await acceptor.stream.send(_ABORT)

    plan = Plan(peers=(), queries=_QUERIES, repeat=10, associations=1, async_window=2)
    records, associations = await _run_against(handler, plan, window=2)
    # Two queries for each of five associations, counted once each; the rest is not tried.
    assert _verdicts(records) == {Verdict.ABORTED: 10, Verdict.SKIPPED: 20}
    assert associations == 5


@pytest.mark.anyio
@pytest.mark.parametrize("obedient", [True, False])
async def test_an_interrupted_run_ends_every_open_query_once(obedient: bool) -> None:
    records: list[Record] = []
    async with anyio.create_task_group() as tasks:
        scripts = None if obedient else always(ignores_cancel())
        server = Server(Answers(10**9), policy=Policy(window=3), scripts=scripts)
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        plan = Plan(peers=(peer,), queries=_QUERIES, repeat=4, associations=1, async_window=3)
        send, receive = anyio.create_memory_object_stream[list[Record]](8)
        running = anyio.CancelScope()

        async def interrupted() -> None:
            with running:
                await run(plan, send)

        tasks.start_soon(interrupted)
        with anyio.fail_after(10):
            async with receive:
                async for batch in receive:
                    records += batch
                    if len({one.find for one in records if isinstance(one, Match)}) == 3:
                        running.cancel()
        await server.counters.until(lambda counters: counters.running == 0)
        assert server.counters.cancels == 3
        tasks.cancel_scope.cancel()
    _check_order(records)
    assert _verdicts(records) == {Verdict.CANCELLED: 3, Verdict.SKIPPED: 9}
