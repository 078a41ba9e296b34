"""What we ask for beside presentation contexts, and what is made of the answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from acceptor import agreement as accepted

from asyncfind.errors import AssociationRejected, ProtocolViolation
from asyncfind.net.association import Association, associate
from asyncfind.net.transport import Stream, serve
from asyncfind.plan import Peer, make_query
from asyncfind.query.models import model_of
from asyncfind.records import Agreement
from asyncfind.scp.answers import Answers
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.script import always, rejects
from asyncfind.scp.server import Server
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.identity import UserIdentityRQ
from asyncfind.ul.pdu import AssociateRQ
from asyncfind.ul.upper_layer import AssociateRequested, UpperLayer

pytestmark = pytest.mark.anyio

_STUDY = model_of("study").uid
_WORKLIST = model_of("worklist").uid
_UPS = model_of("ups-pull").uid
_FUZZY = FindOptions(fuzzy=True)
_BOTH = FindOptions(relational=True, fuzzy=True)
_NAME = UserIdentityRQ(type=2, response_requested=True, primary=b"florence", secondary=b"secret")


@asynccontextmanager
async def _archive(policy: Policy | None = None) -> AsyncIterator[Peer]:
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(2), policy=policy)
        yield Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        tasks.cancel_scope.cancel()


async def _requested(
    models: tuple[str, ...] = ("study",),
    options: FindOptions | None = None,
    identity: UserIdentityRQ | None = None,
    window: int = 1,
) -> AssociateRQ:
    """The A-ASSOCIATE-RQ that a peer gets."""
    seen: list[AssociateRQ] = []

    async def handle(stream: Stream) -> None:
        upper_layer = UpperLayer(acceptor=True)
        upper_layer.connected(0.0)
        while not upper_layer.is_closed and (data := await stream.receive()):
            for indication in upper_layer.receive_data(data, 0.0):
                if isinstance(indication, AssociateRequested):
                    seen.append(indication.rq)
                    upper_layer.accept(accepted(indication.rq))
            await stream.send(upper_layer.data_to_send())
        await stream.close()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, handle, "127.0.0.1", 0)
        peer = Peer(host="127.0.0.1", port=port, identity=identity)
        async with associate(peer, models, options=options, async_window=window, abort=True):
            pass
        tasks.cancel_scope.cancel()
    (rq,) = seen
    return rq


async def test_nothing_is_asked_for_unless_wanted() -> None:
    information = (await _requested(("study", "worklist"))).user_information
    assert information.extended_negotiation == ()
    assert information.asynchronous_operations is None
    assert information.user_identity is None


async def test_each_sop_class_is_asked_for_what_it_has() -> None:
    rq = await _requested(("study", "worklist", "ups-pull"), _BOTH, _NAME, window=8)
    information = rq.user_information
    asked = {
        item.sop_class: item.application_information for item in information.extended_negotiation
    }
    assert asked == {_STUDY: b"\x01\x00\x01", _WORKLIST: b"\x01\x01\x01"}
    operations = information.asynchronous_operations
    assert operations is not None
    assert (operations.invoked, operations.performed) == (8, 1)
    assert information.user_identity == _NAME


async def test_a_worklist_is_not_asked_for_what_it_always_does() -> None:
    rq = await _requested(("worklist",), FindOptions(relational=True, date_time=True))
    assert rq.user_information.extended_negotiation == ()


async def _agreement(policy: Policy, **asked: object) -> Agreement:
    found: list[Association] = []
    async with (
        _archive(policy) as peer,
        associate(
            Peer(host=peer.host, port=peer.port, identity=_NAME),
            ("study", "worklist"),
            **asked,  # type: ignore[arg-type]  # options and async_window
        ) as association,
    ):
        matches = association.find(make_query("study", ["PatientName"]))
        assert len([match async for match in matches]) == 2
        found.append(association)
    return found[0].agreement


async def test_what_was_granted_and_what_was_not() -> None:
    agreement = await _agreement(Policy(relational=True), options=_BOTH)
    assert agreement.granted(_STUDY) == FindOptions(relational=True)
    assert agreement.refused(_STUDY) == _FUZZY
    assert agreement.refused(_WORKLIST) == _FUZZY
    assert agreement.granted(_UPS) == agreement.refused(_UPS) == FindOptions()
    agreement = await _agreement(Policy(relational=False, options=_FUZZY), options=_BOTH)
    assert agreement.granted(_STUDY) == agreement.granted(_WORKLIST) == _FUZZY
    assert agreement.refused(_STUDY) == FindOptions(relational=True)
    assert agreement.refused(_WORKLIST) == FindOptions()


async def test_the_window_and_the_answer_to_the_identity() -> None:
    agreement = await _agreement(Policy(window=3, identity_response=b"ticket"), async_window=5)
    assert (agreement.window_asked, agreement.window) == (5, 3)
    assert agreement.identity_response == b"ticket"
    assert "ticket" not in repr(agreement)
    agreement = await _agreement(Policy(window=3))
    assert (agreement.window_asked, agreement.window) == (1, 1)
    assert agreement.identity_response == b""


async def test_a_peer_that_answers_nothing_grants_nothing() -> None:
    async def handle(stream: Stream) -> None:
        upper_layer = UpperLayer(acceptor=True)
        upper_layer.connected(0.0)
        while not upper_layer.is_closed and (data := await stream.receive()):
            for indication in upper_layer.receive_data(data, 0.0):
                if isinstance(indication, AssociateRequested):
                    upper_layer.accept(accepted(indication.rq))
            await stream.send(upper_layer.data_to_send())
        await stream.close()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, handle, "127.0.0.1", 0)
        peer = Peer(host="127.0.0.1", port=port, identity=_NAME)
        async with associate(peer, options=_BOTH, async_window=4, abort=True) as association:
            agreement = association.agreement
        tasks.cancel_scope.cancel()
    assert agreement.refused(_STUDY) == _BOTH
    assert (agreement.window_asked, agreement.window) == (4, 1)
    assert agreement.identity_response is None


@pytest.mark.parametrize(
    ("identity", "welcome"),
    [
        (_NAME, True),
        (UserIdentityRQ(type=1, primary=b"guest"), True),
        (UserIdentityRQ(type=2, primary=b"florence", secondary=b"wrong"), False),
        (None, False),
    ],
)
async def test_who_is_welcome(identity: UserIdentityRQ | None, welcome: bool) -> None:
    policy = Policy(users={b"florence": b"secret", b"guest": b""})
    rejection: AssociationRejected | None = None
    async with _archive(policy) as peer:
        try:
            async with associate(Peer(host=peer.host, port=peer.port, identity=identity)):
                pass
        except AssociationRejected as exc:
            rejection = exc
    assert (rejection is None) == welcome
    if rejection is not None:
        assert (rejection.result, rejection.source, rejection.reason) == (1, 1, 1)
        assert ("user name and passcode" in rejection.hint) == (identity is not None)
        assert "wrong" not in rejection.text + rejection.hint
        assert "florence" not in rejection.text + rejection.hint


@pytest.mark.parametrize(
    ("codes", "hinted"),
    [
        ((1, 1, 1), True),
        ((1, 1, 3), True),
        ((2, 2, 1), True),  # pynetdicom's
        ((2, 3, 2), False),
        ((1, 3, 1), False),
    ],
)
async def test_a_rejection_may_be_about_the_identity_unless_it_is_about_room(
    codes: tuple[int, int, int], hinted: bool
) -> None:
    hint = ""
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(1), scripts=always(rejects(*codes)))
        port = await tasks.start(server.serve)
        try:
            async with associate(Peer(host="127.0.0.1", port=port, identity=_NAME)):
                pass
        except AssociationRejected as exc:
            hint = exc.hint
        tasks.cancel_scope.cancel()
    assert ("does not accept the user name and passcode" in hint) == hinted


async def test_an_answer_to_an_identity_that_asked_for_none_is_a_breach() -> None:
    """PS3.7 Annex D.3.3.7: only where a response was requested."""
    breach: ProtocolViolation | None = None

    async def handle(stream: Stream) -> None:
        await stream.receive()
        await stream.send(
            bytes.fromhex(
                "02 00 00000098 0001 0000"  # A-ASSOCIATE-AC
                + "20" * 32
                + "00" * 32
                + "10 00 0015"  # application context
                + b"1.2.840.10008.3.1.1.1".hex()
                + "21 00 0019 01 00 00 00 40 00 0011"  # presentation context 1, accepted
                + b"1.2.840.10008.1.2".hex()
                + "50 00 001A"
                + "51 00 0004 00004000"
                + "52 00 0003 31 2E 39"
                + "59 00 0007 0005 746F6B656E"  # the server's response
            )
        )
        while await stream.receive():
            pass
        await stream.close()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, handle, "127.0.0.1", 0)
        identity = UserIdentityRQ(type=1, primary=b"florence")
        try:
            async with associate(Peer(host="127.0.0.1", port=port, identity=identity)):
                pass
        except ProtocolViolation as exc:
            breach = exc
        tasks.cancel_scope.cancel()
    assert breach is not None
    assert "user identity response" in breach.text
    assert "token" not in breach.text
