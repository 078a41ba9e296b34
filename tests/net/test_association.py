"""One association: what the goodbye, oddities and the library see."""

import anyio
import pytest
from acceptor import agreement

from asyncfind.dimse.command import FindRQ, FindRSP, encode_command
from asyncfind.dimse.message import Assembler, fragment
from asyncfind.errors import (
    AssociationRejected,
    ConnectFailed,
    FindFailed,
    NoPresentationContext,
    PeerError,
    UnknownHost,
)
from asyncfind.net.association import associate
from asyncfind.net.transport import Stream, connect, serve
from asyncfind.plan import Peer, Timeouts, make_query
from asyncfind.scp.answers import Answers
from asyncfind.scp.find import Archive
from asyncfind.scp.script import Script, always, refuses, rejects
from asyncfind.scp.server import Server
from asyncfind.scp.store import Store
from asyncfind.ul.upper_layer import (
    AssociateRequested,
    DataReceived,
    ReleaseConfirmed,
    ReleaseRequested,
    UpperLayer,
)

_QUERY = make_query("study", ["PatientName"])
_QUICK = Timeouts(connect=5, associate=2, response=2, cancel=0.3, release=2)


async def _count(peer: Peer) -> int:
    async with associate(peer, ["study"], timeouts=_QUICK) as association:
        return len([match async for match in association.find(_QUERY)])


async def _with(script: Script | None, answers: int = 2) -> int:
    result: int | PeerError = 0
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(answers), scripts=None if script is None else always(script))
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        with anyio.fail_after(20):
            try:
                result = await _count(peer)
            except PeerError as exc:
                result = exc  # raised outside, or the task group would wrap it
        tasks.cancel_scope.cancel()
    if isinstance(result, PeerError):
        raise result
    return result


@pytest.mark.anyio
async def test_a_query_streams_its_matches() -> None:
    assert await _with(None, 2500) == 2500


@pytest.mark.anyio
async def test_a_rejection_carries_its_codes_and_whether_to_try_again() -> None:
    with pytest.raises(AssociationRejected) as caught:
        await _with(rejects(2, 3, 2))
    assert (caught.value.result, caught.value.source, caught.value.reason) == (2, 3, 2)
    assert caught.value.retryable
    with pytest.raises(AssociationRejected) as caught:
        await _with(rejects(1, 1, 7))
    assert not caught.value.retryable
    assert "called AE title" in caught.value.hint


@pytest.mark.anyio
async def test_a_failure_status_is_raised_with_comment_and_element() -> None:
    with pytest.raises(FindFailed, match=r"A900.*comment: no\\x1b\[31m level.*QueryRetrieveLevel"):
        await _with(refuses(0xA900, b"no\x1b[31m level", (0x00080052,)))


@pytest.mark.anyio
async def test_a_model_that_was_not_accepted_is_said_so() -> None:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(Server(Archive(Store.generate(1, 1))).serve)
        peer = Peer(host="127.0.0.1", port=port)
        with pytest.raises(NoPresentationContext, match="Hanging Protocol"):
            async with associate(peer, ["hanging-protocol"], timeouts=_QUICK):
                pass
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_both_address_families_are_reached(host: str) -> None:
    async with anyio.create_task_group() as tasks:
        bound = "127.0.0.1" if host == "localhost" else host
        port = await tasks.start(Server(Answers(3)).serve, bound)
        with anyio.fail_after(20):
            assert await _count(Peer(host=host, port=port)) == 3
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_who_is_not_there_is_told_apart_from_who_has_no_name() -> None:
    with pytest.raises(ConnectFailed, match="connection refused"):
        await connect(Peer(host="127.0.0.1", port=1), 5)
    with pytest.raises(UnknownHost, match="cannot be resolved"):
        await connect(Peer(host="no-such-host.invalid", port=1), 5)
    with pytest.raises(UnknownHost):
        await connect(Peer(host="a" * 70 + ".example", port=1), 5)


async def _colliding(stream: Stream, seen: list[str]) -> None:
    """Accepts, answers one query under a foreign SOP class, and asks for release when we do."""
    upper_layer, assembler = UpperLayer(acceptor=True), Assembler()
    upper_layer.connected(0.0)
    answered = False
    while not upper_layer.is_closed:
        data = await stream.receive()
        if not data:
            break
        if answered:
            upper_layer.release()  # before it has seen the requestor's
            answered = False
        for indication in upper_layer.receive_data(data, 0.0):
            match indication:
                case AssociateRequested():
                    upper_layer.accept(agreement(indication.rq))
                case DataReceived():
                    for message in assembler.feed(indication.pdvs):
                        assert isinstance(message.command, FindRQ)
                        done = FindRSP(message.command.message_id, 0, "1.2.3.4")
                        command = encode_command(done, has_identifier=False)
                        upper_layer.send_data(fragment(message.context_id, command, None, 0))
                        answered = True
                case ReleaseRequested():
                    seen.append("asked")
                case ReleaseConfirmed():
                    seen.append("confirmed")
                    upper_layer.respond_release(0.0)  # the acceptor answers last (Sta12)
        await stream.send(upper_layer.data_to_send())
    await stream.close()


@pytest.mark.anyio
async def test_a_release_collision_and_a_foreign_sop_class_are_no_failure() -> None:
    seen: list[str] = []

    async def handler(stream: Stream) -> None:
        await _colliding(stream, seen)

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, handler, "127.0.0.1", 0)
        with anyio.fail_after(20):
            peer = Peer(host="127.0.0.1", port=port)
            async with associate(peer, ["study"], timeouts=_QUICK) as association:
                responses = association.find(_QUERY)
                assert [match async for match in responses] == []
                assert responses.notes == ["a response names the SOP class 1.2.3.4"]
                assert await association.release() == ""
        tasks.cancel_scope.cancel()
    assert sorted(seen) == ["asked", "confirmed"]
