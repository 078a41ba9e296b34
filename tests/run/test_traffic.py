"""Traced traffic reaches the records also where no association comes about."""

import anyio
import pytest

from asyncfind.dimse.command import FindRQ
from asyncfind.net.transport import Stream, serve
from asyncfind.plan import Peer, Plan, Timeouts, make_query
from asyncfind.records import PeerFailed, Record, Traffic
from asyncfind.run.course import Course, Manners
from asyncfind.run.scheduler import Batch, run
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import aborts_after, always, rejects
from asyncfind.scp.server import Server
from asyncfind.ul.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ

_QUERY = make_query("study", ["PatientName=A*"])
_QUICK = Timeouts(connect=5, associate=0.2, response=1, message=1, cancel=0.3, release=0.3)
_ABORT = bytes.fromhex("07 00 00 00 00 04 00 00 02 00")


async def _run(peer: Peer, *, bulk: bool, trace: bool = True) -> list[Record]:
    plan = Plan(peers=(peer,), queries=(_QUERY,), timeouts=_QUICK, trace=trace)
    course = Course(manners={peer: Manners(retries=False)}) if bulk else None
    found: list[Record] = []
    send, receive = anyio.create_memory_object_stream[Batch](8)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks, receive:
            tasks.start_soon(run, plan, send, course)
            async for batch in receive:
                found += batch
    return found


def _traffic(records: list[Record]) -> list[tuple[bool, type]]:
    return [(one.sent, type(one.what)) for one in records if isinstance(one, Traffic)]


@pytest.mark.anyio
@pytest.mark.parametrize("bulk", [False, True])
async def test_a_request_that_is_rejected(bulk: bool) -> None:
    server = Server(Answers(1), scripts=always(rejects(1, 1, 7)))
    async with anyio.create_task_group() as tasks:
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        records = await _run(peer, bulk=bulk)
        untraced = await _run(peer, bulk=bulk, trace=False)
        tasks.cancel_scope.cancel()
    assert _traffic(records) == [(True, AssociateRQ), (False, AssociateRJ)]
    assert isinstance(records[1], Traffic)
    assert records[1].what == AssociateRJ(result=1, source=1, reason=7)
    assert sum(isinstance(one, PeerFailed) for one in records[2:]) == 1
    assert _traffic(untraced) == []


@pytest.mark.anyio
@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(("answer", "came"), [(_ABORT, [(False, Abort)]), (b"", []), (None, [])])
async def test_a_request_that_is_aborted_cut_off_or_ignored(
    bulk: bool, answer: bytes | None, came: list[tuple[bool, type]]
) -> None:
    async def handle(connection: Stream) -> None:
        await connection.receive()
        if answer:
            await connection.send(answer)
        while answer is None and await connection.receive():
            pass
        await connection.close()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, handle, "127.0.0.1", 0)
        records = await _run(Peer(host="127.0.0.1", port=port), bulk=bulk)
        tasks.cancel_scope.cancel()
    assert _traffic(records) == [(True, AssociateRQ), *came]
    assert any(isinstance(one, PeerFailed) for one in records)


@pytest.mark.anyio
@pytest.mark.parametrize("bulk", [False, True])
async def test_a_query_that_is_aborted(bulk: bool) -> None:
    server = Server(Answers(1), scripts=always(aborts_after(0)))
    async with anyio.create_task_group() as tasks:
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        records = await _run(peer, bulk=bulk)
        tasks.cancel_scope.cancel()
    expected = [(True, AssociateRQ), (False, AssociateAC), (True, FindRQ), (False, Abort)]
    assert _traffic(records) == expected
