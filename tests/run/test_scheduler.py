"""Many peers at once: one peer's trouble changes nothing for the others."""

from collections import Counter

import anyio
import pytest
from anyio.abc import TaskGroup

from asyncfind.net.transport import Stream, serve
from asyncfind.plan import Peer, Plan, Timeouts, make_query
from asyncfind.records import Associated, FindDone, Match, Note, PeerFailed, Record, Verdict
from asyncfind.run.scheduler import run, stream
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import aborts_after, always, never_answers
from asyncfind.scp.server import Server

_QUERIES = tuple(make_query("study", [f"PatientName={name}*"]) for name in "ABC")
_QUICK = Timeouts(connect=5, associate=1, response=1, message=1, cancel=0.3, release=0.3)


async def _start(tasks: TaskGroup, server: Server) -> Peer:
    return Peer(host="127.0.0.1", port=await tasks.start(server.serve))


async def _run(plan: Plan) -> list[Record]:
    with anyio.fail_after(60):
        async with stream(plan) as records:
            return [record async for record in records]


def _verdicts(records: list[Record], peer: Peer) -> Counter[Verdict]:
    dones = (record for record in records if isinstance(record, FindDone))
    return Counter(done.verdict for done in dones if done.find.peer == peer)


@pytest.mark.anyio
async def test_three_bad_peers_change_nothing_for_eight_good_ones() -> None:
    async def silent(connection: Stream) -> None:
        while await connection.receive():
            pass
        await connection.close()

    async with anyio.create_task_group() as tasks:
        servers = [Server(Answers(3)) for _ in range(8)]
        good = [await _start(tasks, server) for server in servers]
        aborting = await _start(tasks, Server(Answers(9), scripts=always(aborts_after(2))))
        mute = Peer(host="127.0.0.1", port=await tasks.start(serve, silent, "127.0.0.1", 0))
        refusing = Peer(host="127.0.0.1", port=1)
        peers = (*good, refusing, mute, aborting)
        plan = Plan(peers=peers, queries=_QUERIES, repeat=5, associations=4, timeouts=_QUICK)
        records = await _run(plan)
        tasks.cancel_scope.cancel()
    for peer, server in zip(good, servers, strict=True):
        assert _verdicts(records, peer) == {Verdict.COMPLETE: 15}
        assert server.counters.queries == 15
        assert 1 <= server.counters.peak <= 4
    assert _verdicts(records, refusing) == {Verdict.UNREACHED: 15}
    assert _verdicts(records, mute) == {Verdict.UNREACHED: 15}
    bad = _verdicts(records, aborting)
    assert bad.total() == 15
    assert set(bad) <= {Verdict.ABORTED, Verdict.SKIPPED}
    assert bad[Verdict.ABORTED] >= 5
    kept = [one for one in records if isinstance(one, Match) and one.find.peer == aborting]
    assert len(kept) == 2 * bad[Verdict.ABORTED]
    assert {one.peer for one in records if isinstance(one, PeerFailed)} == {refusing, mute}


@pytest.mark.anyio
async def test_the_pool_shrinks_to_what_the_peer_grants() -> None:
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(1), max_associations=2)
        peer = await _start(tasks, server)
        records = await _run(Plan(peers=(peer,), queries=_QUERIES, repeat=20, associations=8))
        tasks.cancel_scope.cancel()
    assert _verdicts(records, peer) == {Verdict.COMPLETE: 60}
    assert server.counters.peak == 2
    assert max(one.open_now for one in records if isinstance(one, Associated)) <= 2
    assert all(not one.warning for one in records if isinstance(one, Note))


@pytest.mark.anyio
async def test_an_interrupted_run_ends_every_query_once() -> None:
    records: list[Record] = []
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(10**9))
        peer = await _start(tasks, server)
        plan = Plan(peers=(peer,), queries=_QUERIES, repeat=4, associations=2)
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
                    if isinstance(batch[0], Match):
                        running.cancel()
        await server.counters.until(lambda counters: counters.running == 0)
        assert server.counters.cancels >= 1
        tasks.cancel_scope.cancel()
    verdicts = _verdicts(records, peer)
    assert verdicts.total() == 12
    assert set(verdicts) == {Verdict.CANCELLED, Verdict.SKIPPED}
    dones = {one.find: one.matches for one in records if isinstance(one, FindDone)}
    shown = Counter(one.find for one in records if isinstance(one, Match))
    assert all(shown[find] == count for find, count in dones.items())


@pytest.mark.anyio
async def test_a_peer_that_never_answers_a_query_times_out_and_is_given_up() -> None:
    timeouts = Timeouts(response=0.1, cancel=0.1, release=0.1)
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(1), scripts=always(never_answers()))
        peer = await _start(tasks, server)
        plan = Plan(peers=(peer,), queries=_QUERIES, repeat=4, associations=1, timeouts=timeouts)
        records = await _run(plan)
        tasks.cancel_scope.cancel()
    verdicts = _verdicts(records, peer)
    assert verdicts == {Verdict.TIMEOUT: 5, Verdict.SKIPPED: 7}
