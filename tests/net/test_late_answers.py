"""What comes after a query was given up, and what has no end, is never taken for success."""

import socket
import threading

import anyio
import anyio.lowlevel
import pytest
from acceptor import accept

from asyncfind.dimse.command import FindRSP, encode_command
from asyncfind.dimse.message import fragment
from asyncfind.errors import ConnectFailed, LimitExceeded
from asyncfind.net.association import associate
from asyncfind.net.transport import Stream, connect, serve
from asyncfind.plan import Limits, Peer, Plan, Timeouts, make_query
from asyncfind.records import FindDone, Match, Record, Verdict
from asyncfind.run.scheduler import stream
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import Delay, Ignore, Moment, Script, Step, always
from asyncfind.scp.server import Server

_QUERY = make_query("study", ["PatientName"])


async def _records(plan: Plan) -> list[Record]:
    with anyio.fail_after(30):
        async with stream(plan) as records:
            return [record async for record in records]


def _dones(records: list[Record]) -> list[FindDone]:
    return [record for record in records if isinstance(record, FindDone)]


@pytest.mark.anyio
@pytest.mark.parametrize("cancel", [(), (Step(Moment.CANCEL, Ignore()),)])
async def test_answers_after_the_deadline_do_not_make_a_query_complete(
    cancel: tuple[Step, ...],
) -> None:
    """The peer is late, then goes on (or obeys C-CANCEL) while we still drain."""
    late = Script((Step(Moment.RESPONSE, Delay(0.5), after=3), *cancel))
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(Server(Answers(10), scripts=always(late)).serve)
        peer = Peer(host="127.0.0.1", port=port)
        records = await _records(
            Plan(peers=(peer,), queries=(_QUERY,), timeouts=Timeouts(response=0.2))
        )
        tasks.cancel_scope.cancel()
    (done,) = _dones(records)
    assert (done.verdict, done.status, done.matches) == (Verdict.TIMEOUT, None, 3)
    assert sum(isinstance(record, Match) for record in records) == 3


@pytest.mark.anyio
async def test_pending_responses_without_identifier_have_an_end() -> None:
    async def flood(connection: Stream) -> None:
        upper_layer = await accept(connection)
        await connection.receive()
        pending = encode_command(FindRSP(1, 0xFF00), has_identifier=False)
        while not connection.has_data:  # until C-CANCEL
            upper_layer.send_data(fragment(1, pending, None, 0) * 200)
            await connection.send(upper_layer.data_to_send())
            await anyio.lowlevel.checkpoint()
        await connection.close()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, flood, "127.0.0.1", 0)
        peer = Peer(host="127.0.0.1", port=port)
        limits = Limits(max_responses=1000)
        (done,) = _dones(await _records(Plan(peers=(peer,), queries=(_QUERY,), limits=limits)))
        tasks.cancel_scope.cancel()
    assert (done.verdict, done.matches) == (Verdict.CUT, 0)


@pytest.mark.anyio
@pytest.mark.parametrize("behind", [b"", bytes.fromhex("05 00 00 00 00 04 00 00 00 00")])
async def test_a_peer_that_accepts_and_goes_is_not_asked_for_ever(behind: bytes) -> None:
    """With the answer comes the end, or A-RELEASE-RQ, before anything was asked."""
    connections = 0

    async def leave(connection: Stream) -> None:
        nonlocal connections
        connections += 1
        await accept(connection, behind)
        await connection.close()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, leave, "127.0.0.1", 0)
        peer = Peer(host="127.0.0.1", port=port)
        plan = Plan(peers=(peer,), queries=(_QUERY,), repeat=8, associations=1)
        dones = _dones(await _records(plan))
        tasks.cancel_scope.cancel()
    assert [done.verdict for done in dones] == [Verdict.ABORTED] * 5 + [Verdict.SKIPPED] * 3
    assert connections == 5


@pytest.mark.anyio
async def test_a_query_that_we_cut_is_an_error_in_the_library() -> None:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(Server(Answers(100)).serve)
        peer = Peer(host="127.0.0.1", port=port)
        numbers = []

        async def ask() -> None:
            async with associate(peer, ["study"], limits=Limits(max_responses=5)) as association:
                async for match in association.find(_QUERY):
                    numbers.append(match.number)  # noqa: PERF401 - what came before counts

        with pytest.raises(LimitExceeded, match="stopped after 5 matches"):
            await ask()
        tasks.cancel_scope.cancel()
    assert numbers == [1, 2, 3, 4, 5]


@pytest.mark.anyio
async def test_an_error_of_the_caller_leaves_stream_as_it_was_raised() -> None:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(Server(Answers(100)).serve)
        plan = Plan(peers=(Peer(host="127.0.0.1", port=port),), queries=(_QUERY,))

        async def fail() -> None:
            async with stream(plan) as records:
                async for _ in records:
                    raise ValueError("the caller's")

        with pytest.raises(ValueError, match="the caller's"):
            await fail()
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_resolver_that_hangs_does_not_outlive_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    real = socket.getaddrinfo

    def slow(*arguments: object, **options: object) -> object:
        if options.get("flags") is None:
            release.wait(20)
        return real(*arguments, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        with anyio.fail_after(10), pytest.raises(ConnectFailed, match=r"within 0\.2 s"):
            await connect(Peer(host="localhost", port=1), 0.2)
        assert not release.is_set()
    finally:
        release.set()
