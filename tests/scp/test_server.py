"""The server: bytes on the wire, queries, cancel, back-pressure, limits, its end."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio
import pytest
from anyio.abc import SocketStream
from anyio.lowlevel import checkpoint
from anyio.streams.buffered import BufferedByteReceiveStream

from asyncfind.errors import AssociationRejected, FindFailed, NoPresentationContext
from asyncfind.net.association import associate
from asyncfind.plan import Peer, make_query
from asyncfind.query.syntax import SYNTAXES, TransferSyntax
from asyncfind.scp.answers import Answers
from asyncfind.scp.find import Archive
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.server import ArchiveConfig, Server, serve
from asyncfind.scp.session import Pace
from asyncfind.scp.store import Store
from asyncfind.ul.items import (
    PresentationContextRQ,
    SOPClassExtendedNegotiation,
    UserInformation,
)
from asyncfind.ul.pdu import AssociateRQ

pytestmark = pytest.mark.anyio

_ALL = make_query("study", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"])
_FOREVER = 100_000.0


@asynccontextmanager
async def _running(server: Server) -> AsyncIterator[Peer]:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(server.serve)
        yield Peer(host="127.0.0.1", port=port, called="ARCHIVE")
        tasks.cancel_scope.cancel()


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    with Store.generate(40, 5, worklist=20) as store:
        yield Archive(store)


# On the wire.

_TITLES = b"ARCHIVE         TESTER          " + bytes(32)
_RQ = (
    bytes.fromhex("0100 000000a2")  # A-ASSOCIATE-RQ, 162 bytes
    + bytes.fromhex("0001 0000")  # protocol version 1
    + _TITLES
    + bytes.fromhex("1000 0015")
    + b"1.2.840.10008.3.1.1.1"
    # Presentation context 1: Verification, Implicit VR Little Endian
    + bytes.fromhex("2000 002e 01000000")
    + bytes.fromhex("3000 0011")
    + b"1.2.840.10008.1.1"
    + bytes.fromhex("4000 0011")
    + b"1.2.840.10008.1.2"
    # User information: maximum length 16384, implementation class 1.2
    + bytes.fromhex("5000 000f 5100 0004 00004000 5200 0003")
    + b"1.2"
)
_ECHO_RQ = bytes.fromhex(
    "0400 0000004a 00000046 0103"  # P-DATA-TF; context 1, last fragment of a command
    "0000 0000 04000000 38000000"  # group length 56
    "0000 0200 12000000 312e322e3834302e31303030382e312e3100"  # Verification
    "0000 0001 02000000 3000"  # C-ECHO-RQ
    "0000 1001 02000000 0700"  # message 7
    "0000 0008 02000000 0101"  # no data set
)
# A Worklist association and its first query, which asks for nothing but Patient ID.
_FIND_RQ = (
    bytes.fromhex("0100 000000a7 0001 0000")
    + _TITLES
    + bytes.fromhex("1000 0015")
    + b"1.2.840.10008.3.1.1.1"
    + bytes.fromhex("2000 0033 01000000 3000 0016")
    + b"1.2.840.10008.5.1.4.31"
    + bytes.fromhex("4000 0011")
    + b"1.2.840.10008.1.2"
    + bytes.fromhex("5000 000f 5100 0004 00004000 5200 0003")
    + b"1.2",
    bytes.fromhex(
        "0400 00000058 00000054 0103 0000 0000 04000000 46000000"
        "0000 0200 16000000 312e322e3834302e31303030382e352e312e342e3331"
        "0000 0001 02000000 2000 0000 1001 02000000 0100"
        "0000 0007 02000000 0000 0000 0008 02000000 0100"
        "0400 0000000e 0000000a 0102 1000 2000 00000000"
    ),
)
_CANCEL_RQ = bytes.fromhex(
    "0400 00000030 0000002c 0103 0000 0000 04000000 1e000000"
    "0000 0001 02000000 ff0f"  # C-CANCEL-RQ
    "0000 2001 02000000 0700"  # of message 7
    "0000 0008 02000000 0101"
)
_RELEASE_RQ = bytes.fromhex("0500 00000004 00000000")
_ABORT = bytes.fromhex("0700 00000004 00000000")  # by the service user


async def _pdu(stream: BufferedByteReceiveStream) -> bytes:
    head = await stream.receive_exactly(6)
    return head + await stream.receive_exactly(int.from_bytes(head[2:], "big"))


class _Raw:
    """A peer that sends what it is told."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream = stream
        self._buffered = BufferedByteReceiveStream(stream)

    async def ask(self, data: bytes) -> bytes:
        """Send, and return the next PDU."""
        await self.stream.send(data)
        return await self.pdu()

    async def pdu(self) -> bytes:
        return await _pdu(self._buffered)


@asynccontextmanager
async def _raw(peer: Peer) -> AsyncIterator[_Raw]:
    async with await anyio.connect_tcp(peer.host, peer.port) as stream:
        with anyio.fail_after(10):
            yield _Raw(stream)


async def test_echo_and_release_byte_by_byte() -> None:
    server = Server(Answers(0))
    async with _running(server) as peer, _raw(peer) as raw:
        assert await raw.ask(_RQ) == (
            bytes.fromhex("0200 000000c7")  # A-ASSOCIATE-AC, 199 bytes
            + bytes.fromhex("0001 0000")
            + _TITLES
            + bytes.fromhex("1000 0015")
            + b"1.2.840.10008.3.1.1.1"
            + bytes.fromhex("2100 0019 01000000")  # context 1 accepted
            + bytes.fromhex("4000 0011")
            + b"1.2.840.10008.1.2"
            + bytes.fromhex("5000 0049 5100 0004 00004000")  # maximum length 16384
            + bytes.fromhex("5200 002c")
            + b"2.25.128942382383327134945110265922761888400"
            + bytes.fromhex("5500 000d")
            + b"ASYNCFIND_010"
        )
        assert await raw.ask(_ECHO_RQ) == bytes.fromhex(
            "0400 00000054 00000050 0103"
            "0000 0000 04000000 42000000"  # group length 66
            "0000 0200 12000000 312e322e3834302e31303030382e312e3100"
            "0000 0001 02000000 3080"  # C-ECHO-RSP
            "0000 2001 02000000 0700"  # to message 7
            "0000 0008 02000000 0101"
            "0000 0009 02000000 0000"  # success
        )
        assert await raw.ask(_RELEASE_RQ) == bytes.fromhex("0600 00000004 00000000")
        await server.counters.until(lambda counters: counters.releases == 1)
        await raw.stream.aclose()
        await server.counters.until(lambda counters: counters.associations == 0)
    assert (server.counters.accepted, server.counters.echoes) == (1, 1)


async def test_bytes_may_come_one_at_a_time() -> None:
    async with _running(Server(Answers(0))) as peer, _raw(peer) as raw:
        for data in (_RQ, _ECHO_RQ):
            for byte in data[:-1]:
                await raw.stream.send(bytes([byte]))
                await checkpoint()
            assert (await raw.ask(data[-1:]))[0] in (2, 4)


async def test_requests_may_come_in_one_segment() -> None:
    async with _running(Server(Answers(0))) as peer, _raw(peer) as raw:
        await raw.ask(_RQ)
        answers = [await raw.ask(_ECHO_RQ * 3), await raw.pdu(), await raw.pdu()]
        assert [answer[0] for answer in answers] == [4, 4, 4]
        # A release right behind a request ends the association before that is answered.
        assert (await raw.ask(_ECHO_RQ + _RELEASE_RQ))[0] == 6


async def test_data_before_the_association_is_accepted_is_aborted() -> None:
    async with _running(Server(Answers(0))) as peer, _raw(peer) as raw:
        # P-DATA-TF in Sta3 is AA-8: by the service provider, unexpected PDU.
        assert await raw.ask(_RQ + _ECHO_RQ) == bytes.fromhex("0700 00000004 00000202")


@pytest.mark.parametrize(
    "data",
    [
        # A C-ECHO-RQ on context 3, which nobody proposed
        _ECHO_RQ.replace(bytes.fromhex("00000046 0103"), bytes.fromhex("00000046 0303")),
        # C-ECHO-RSP (8030H) to a server
        bytes.fromhex(
            "0400 00000054 00000050 0103 0000 0000 04000000 42000000"
            "0000 0200 12000000 312e322e3834302e31303030382e312e3100"
            "0000 0001 02000000 3080 0000 2001 02000000 0700"
            "0000 0008 02000000 0101 0000 0009 02000000 0000"
        ),
        # A command set that is none
        bytes.fromhex("0400 00000008 00000004 0103 ffff"),
        # More requests than anybody can have open
        _ECHO_RQ * 65,
    ],
    ids=["context", "response", "garbage", "flood"],
)
async def test_what_breaks_dimse_is_aborted(data: bytes) -> None:
    async with _running(Server(Answers(0))) as peer, _raw(peer) as raw:
        await raw.ask(_RQ)
        assert await raw.ask(data) == _ABORT


async def test_other_protocols_are_aborted() -> None:
    async with _running(Server(Answers(0))) as peer, _raw(peer) as raw:
        assert (await raw.ask(b"GET / HTTP/1.1\r\n\r\n"))[0] == 7


@pytest.mark.parametrize("cut", [0, 3, 100, len(_RQ), len(_RQ) + 20])
async def test_a_peer_that_goes_leaves_nothing_behind(cut: int) -> None:
    server = Server(Answers(0))
    async with _running(server) as peer:
        async with _raw(peer) as raw:
            await raw.stream.send((_RQ + _ECHO_RQ)[:cut])
            await server.counters.until(lambda counters: counters.connections == 1)
        await server.counters.until(lambda counters: counters.associations == 0)
        async with associate(peer):  # and others are served
            pass


# Queries.


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=lambda syntax: syntax.name)
async def test_answers_come_in_every_transfer_syntax(
    archive: Archive, syntax: TransferSyntax
) -> None:
    server = Server(archive)
    async with _running(server) as peer, associate(peer, syntaxes=[syntax]) as association:
        responses = association.find(_ALL)
        numbers = [match.number async for match in responses]
        assert numbers == list(range(1, 41))
        assert responses.status == 0
    assert server.counters.queries == 1
    assert server.counters.responses == 40


async def test_any_model_and_many_queries_on_one_association(archive: Archive) -> None:
    async with (
        _running(Server(archive)) as peer,
        associate(peer, ["study", "worklist", "patient"]) as association,
    ):
        for _ in range(3):
            assert len([match async for match in association.find(_ALL)]) == 40
            worklist = make_query("worklist", ["PatientName", "0040,0100"])
            assert len([match async for match in association.find(worklist)]) == 20


async def test_a_refused_query_says_why(archive: Archive) -> None:
    async with _running(Server(archive)) as peer, associate(peer) as association:
        with pytest.raises(FindFailed) as caught:
            _ = [match async for match in association.find(make_query("study", ["PatientName"]))]
        assert caught.value.status == 0xA900
        assert "Query/Retrieve Level is missing" in caught.value.text
        assert "QueryRetrieveLevel" in caught.value.text
        # The association lives on.
        assert len([match async for match in association.find(_ALL)]) == 40


async def test_other_models_are_not_accepted(archive: Archive) -> None:
    async with _running(Server(archive)) as peer:
        with pytest.raises(NoPresentationContext):
            async with associate(peer, ["hanging-protocol"]):
                pass


async def test_a_query_on_the_context_of_verification_is_refused() -> None:
    async with _running(Server(Answers(1))) as peer, _raw(peer) as raw:
        await raw.ask(_RQ)
        # 0122, SOP class not supported
        assert bytes.fromhex("0000 0009 02000000 2201") in await raw.ask(_FIND_RQ[1])


async def test_small_pdus_are_obeyed() -> None:
    server = Server(Answers(20))
    async with _running(server) as peer, associate(peer, max_pdu_length=64) as association:
        assert len([match async for match in association.find(_ALL)]) == 20


async def test_a_maximum_length_that_fits_nothing_is_aborted() -> None:
    tiny = _RQ.replace(bytes.fromhex("5100 0004 00004000"), bytes.fromhex("5100 0004 00000007"))
    async with _running(Server(Answers(0))) as peer, _raw(peer) as raw:
        await raw.ask(tiny)
        assert await raw.ask(_ECHO_RQ) == _ABORT


async def test_relational_queries_are_negotiated(archive: Archive) -> None:
    study_root = "1.2.840.10008.5.1.4.1.2.2.1"
    asked = SOPClassExtendedNegotiation(sop_class=study_root, application_information=b"\1")
    rq = AssociateRQ(
        called="ARCHIVE",
        calling="TESTER",
        contexts=(
            PresentationContextRQ(
                context_id=1,
                abstract_syntax=study_root,
                transfer_syntaxes=("1.2.840.10008.1.2",),
            ),
        ),
        user_information=UserInformation(
            implementation_class_uid="1.2", extended_negotiation=(asked,)
        ),
    ).encode()
    find_rq = bytes.fromhex(
        "0400 0000005e 0000005a 0103 0000 0000 04000000 4c000000"
        "0000 0200 1c000000"
        "312e322e3834302e31303030382e352e312e342e312e322e322e3100"
        "0000 0001 02000000 2000 0000 1001 02000000 0100"  # C-FIND-RQ, message 1
        "0000 0007 02000000 0000 0000 0008 02000000 0100"
        "0400 0000001c 00000018 0102"  # the identifier
        "0800 5200 06000000 534552494553"  # level SERIES
        "2000 0e00 00000000"  # Series Instance UID, no Study Instance UID
    )
    async with _running(Server(archive)) as peer, _raw(peer) as raw:
        answer = await raw.ask(rq)
        assert bytes.fromhex("5600 001e 001b") + study_root.encode() + b"\1" in answer
        command = await raw.ask(find_rq)
        assert bytes.fromhex("0000 0009 02000000 00ff") in command  # FF00, pending


# Cancel and pace.


async def test_cancel_stops_an_endless_answer() -> None:
    server = Server(Answers(10**9))
    async with _running(server) as peer, associate(peer) as association:
        responses = association.find(_ALL, cancel_after=10)
        numbers = [match.number async for match in responses]
        assert responses.status == 0xFE00
        assert len(numbers) >= 10
        # The association lives on.
        async with association.find(_ALL) as responses:
            await anext(responses)
        assert responses.status == 0xFE00
    assert server.counters.cancels == 2
    assert server.counters.running == 0


async def test_cancel_is_heard_while_the_archive_thinks() -> None:
    server = Server(Answers(1), pace=Pace(query=_FOREVER))
    async with _running(server) as peer, associate(peer) as association:
        async with association.find(_ALL) as responses:
            await server.counters.until(lambda counters: counters.running == 1)
        assert responses.status == 0xFE00
        assert responses.number == 0


async def test_cancel_is_heard_between_slow_responses() -> None:
    server = Server(Answers(5), pace=Pace(response=_FOREVER))
    async with _running(server) as peer, associate(peer) as association:
        async with association.find(_ALL) as responses:
            assert (await anext(responses)).number == 1
        assert responses.status == 0xFE00
        assert responses.number == 1


async def test_cancel_right_behind_the_query() -> None:
    server = Server(Answers(10**9))
    async with _running(server) as peer, _raw(peer) as raw:
        await raw.ask(_FIND_RQ[0])
        cancel = _CANCEL_RQ.replace(bytes.fromhex("02000000 0700"), bytes.fromhex("02000000 0100"))
        answer = await raw.ask(_FIND_RQ[1] + cancel)
        assert bytes.fromhex("0000 0009 02000000 00fe") in answer  # FE00, no match before it


async def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    server = Server(Answers(0))
    async with _running(server) as peer, _raw(peer) as raw:
        await raw.ask(_RQ)
        await raw.ask(_ECHO_RQ)
        assert (await raw.ask(_CANCEL_RQ + _ECHO_RQ))[0] == 4
    assert server.counters.cancels == 1


async def test_release_in_the_middle_of_an_answer() -> None:
    server = Server(Answers(10**9))
    async with _running(server) as peer, _raw(peer) as raw:
        await raw.ask(_FIND_RQ[0])
        kind = (await raw.ask(_FIND_RQ[1] + _RELEASE_RQ))[0]
        while kind == 4:
            kind = (await raw.pdu())[0]
        assert kind == 6
        await server.counters.until(lambda counters: counters.running == 0)


async def test_a_peer_that_does_not_read_stops_the_answer() -> None:
    server = Server(Answers(10**9))
    async with _running(server) as peer:
        async with _raw(peer) as raw:
            await raw.ask(_FIND_RQ[0])
            await raw.stream.send(_FIND_RQ[1])
            await server.counters.until(lambda counters: counters.responses > 0)
            # The kernel's buffers fill, then the server waits.
            await anyio.wait_all_tasks_blocked()
            assert server.counters.responses < 200_000
        await server.counters.until(lambda counters: counters.running == 0)
        await server.counters.until(lambda counters: counters.associations == 0)


# Limits.


async def test_the_association_limit() -> None:
    server = Server(Answers(1), max_associations=2)
    async with _running(server) as peer:
        async with associate(peer), associate(peer):
            with pytest.raises(AssociationRejected) as caught:
                async with associate(peer):
                    pass
            error = caught.value
            assert (error.result, error.source, error.reason) == (2, 3, 2)
            assert error.retryable
        await server.counters.until(lambda counters: counters.associations == 0)
        async with associate(peer) as association:
            assert len([match async for match in association.find(_ALL)]) == 1
    assert (server.counters.peak, server.counters.rejected) == (2, 1)


async def test_the_called_title_may_be_checked() -> None:
    server = Server(Answers(1), policy=Policy(aet="NORTH", check_called=True))
    async with _running(server) as peer:
        with pytest.raises(AssociationRejected) as caught:
            async with associate(peer):
                pass
        error = caught.value
        assert (error.result, error.source, error.reason) == (1, 1, 7)
        async with associate(Peer(host=peer.host, port=peer.port, called="NORTH")):
            pass


async def test_many_associations_at_once() -> None:
    server = Server(Answers(100))
    done = 0

    async def ask(peer: Peer) -> None:
        nonlocal done
        async with associate(peer) as association:
            assert len([match async for match in association.find(_ALL)]) == 100
            done += 1
            await server.counters.until(lambda counters: counters.queries == 30)

    async with _running(server) as peer, anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(ask, peer)
    assert done == 30
    assert server.counters.peak == 30
    assert server.counters.responses == 3000


# The end.


async def test_stop_lets_a_running_query_end() -> None:
    server = Server(Answers(3), pace=Pace(response=_FOREVER))
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(anyio.create_task_group())
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        association = await stack.enter_async_context(associate(peer))
        responses = association.find(_ALL)
        assert (await anext(responses)).number == 1
        server.stop()
        with pytest.raises(AssociationRejected) as caught:
            async with associate(peer):
                pass
        assert (caught.value.source, caught.value.reason) == (3, 1)
        assert caught.value.retryable
        assert server.counters.running == 1
        await responses.aclose()
        assert responses.status == 0xFE00
    assert (server.counters.running, server.counters.associations) == (0, 0)


async def test_stop_does_not_wait_for_ever() -> None:
    server = Server(Answers(1), pace=Pace(query=_FOREVER))
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(partial(server.serve, grace=0))
        async with _raw(Peer(host="127.0.0.1", port=port)) as raw:
            await raw.ask(_FIND_RQ[0])
            await raw.stream.send(_FIND_RQ[1])
            await server.counters.until(lambda counters: counters.running == 1)
            server.stop()
            assert await raw.pdu() == _ABORT
    assert server.counters.associations == 0


async def test_cancellation_aborts_associations() -> None:
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(anyio.create_task_group())
        server = Server(Answers(0))
        port = await tasks.start(server.serve)
        stream = await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
        raw = _Raw(stream)
        await raw.ask(_RQ)
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            assert await raw.pdu() == _ABORT
            await stream.aclose()
    assert server.counters.associations == 0


async def test_a_peer_that_does_not_close_cannot_hold_the_server() -> None:
    server = Server(Answers(0))
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(server.serve)
        stream = await anyio.connect_tcp("127.0.0.1", port)
        await _Raw(stream).ask(_RQ)
        tasks.cancel_scope.cancel()
    assert server.counters.associations == 0
    await stream.aclose()


async def test_a_port_in_use_is_one_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await Server(Answers(0)).serve(port=taken.getsockname()[1])


async def test_an_archive_from_a_configuration() -> None:
    config = ArchiveConfig(
        aet="SOUTH", studies=30, seed=9, worklist=5, max_associations=1, check_called=True
    )
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, config)
        async with associate(Peer(host="127.0.0.1", port=port, called="SOUTH")) as association:
            assert len([match async for match in association.find(_ALL)]) == 30
        tasks.cancel_scope.cancel()
