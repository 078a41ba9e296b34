"""Extended negotiation, user identity and window with acceptors that are not ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import anyio
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.acse import ACSE
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation
from servers import Server

from asyncfind.errors import AssociationRejected
from asyncfind.net.association import associate
from asyncfind.plan import Peer, Plan, make_query
from asyncfind.query.models import model_of
from asyncfind.records import Associated, FindDone, FindStarted, Match, Record, Verdict
from asyncfind.run.scheduler import stream
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.identity import UserIdentityRQ

pytestmark = pytest.mark.anyio

_STUDY = model_of("study").uid
_WORKLIST = model_of("worklist").uid
_OPTIONS = FindOptions(relational=True, fuzzy=True, timezone=True)
_WINDOW = 3


def _find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    """Five matches; Patient ID says to which query, and which one it is."""
    for number in range(1, 6):
        if event.is_cancelled:
            yield 0xFE00, None
            return
        match = Dataset()
        match.PatientName = event.identifier.PatientName
        match.PatientID = f"{event.identifier.PatientName}-{number}"
        yield 0xFF00, match


@contextmanager
def _pynetdicom(**handlers: Any) -> Iterator[Peer]:
    """A pynetdicom SCP in this process; `handlers` by the name of their event."""
    ae = AE(ae_title="PYNETDICOM")
    for uid in (_STUDY, _WORKLIST):
        ae.add_supported_context(uid, [ExplicitVRLittleEndian])
    events = [(evt.EVT_C_FIND, _find)]
    events += [(getattr(evt, name), handler) for name, handler in handlers.items()]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=events)
    assert server is not None
    try:
        yield Peer(host="127.0.0.1", port=server.server_address[1], called="PYNETDICOM")
    finally:
        server.shutdown()


async def test_pynetdicom_grants_some_options() -> None:
    seen: dict[str, bytes] = {}

    def extended(event: evt.Event) -> dict[str, bytes]:
        seen.update(event.app_info)
        return {_STUDY: b"\x01\x00\x00\x01", _WORKLIST: b"\x01\x01\x01"}

    with _pynetdicom(EVT_SOP_EXTENDED=extended) as peer:
        async with associate(peer, ("study", "worklist"), options=_OPTIONS) as association:
            agreement = association.agreement
    assert seen == {_STUDY: b"\x01\x00\x01\x01", _WORKLIST: b"\x01\x01\x01\x01"}
    assert agreement.granted(_STUDY) == FindOptions(relational=True, timezone=True)
    assert agreement.refused(_STUDY) == FindOptions(fuzzy=True)
    assert agreement.granted(_WORKLIST) == FindOptions(fuzzy=True)
    assert agreement.refused(_WORKLIST) == FindOptions(timezone=True)


@pytest.mark.parametrize(
    ("kind", "primary", "secondary", "answer"),
    [
        (1, b"florence", b"", None),
        (2, b"florence", b"open sesame", None),
        (3, b"\x60\x82a ticket", b"", b"\x6f\x82a ticket of theirs"),
        (4, b"<saml:Assertion/>", b"", b"<saml:Response/>"),
        (5, b"eyJhbGciOiJub25lIn0.e30.", b"", b"eyJ0.e30."),
    ],
)
async def test_pynetdicom_knows_the_user(
    kind: int, primary: bytes, secondary: bytes, answer: bytes | None
) -> None:
    seen: list[tuple[int, bytes, bytes]] = []

    def identify(event: evt.Event) -> tuple[bool, bytes | None]:
        seen.append((event.user_id_type, event.primary_field, event.secondary_field or b""))
        return True, answer

    identity = UserIdentityRQ(
        type=kind, response_requested=True, primary=primary, secondary=secondary
    )
    with _pynetdicom(EVT_USER_ID=identify) as peer:
        peer = Peer(host=peer.host, port=peer.port, called=peer.called, identity=identity)
        async with associate(peer) as association:
            response = association.agreement.identity_response
    assert seen == [(kind, primary, secondary)]
    assert response == answer  # of user names it says nothing, also when asked to


async def test_pynetdicom_does_not_know_the_user() -> None:
    identity = UserIdentityRQ(type=2, primary=b"florence", secondary=b"guess")
    rejection: AssociationRejected | None = None
    with _pynetdicom(EVT_USER_ID=lambda event: (False, None)) as peer:
        peer = Peer(host=peer.host, port=peer.port, called=peer.called, identity=identity)
        try:
            async with associate(peer):
                pass
        except AssociationRejected as exc:
            rejection = exc
    assert rejection is not None
    assert "user name and passcode" in rejection.hint
    assert "guess" not in rejection.text + rejection.hint


async def _records(peer: Peer, window: int) -> list[Record]:
    plan = Plan(
        peers=(peer,),
        queries=tuple(make_query("study", [f"PatientName={name}"]) for name in "ABCDEFG"),
        associations=1,
        async_window=window,
    )
    with anyio.fail_after(60):
        async with stream(plan) as records:
            return [record async for record in records]


def _check(records: list[Record], window: int) -> None:
    (associated,) = [record for record in records if isinstance(record, Associated)]
    assert associated.agreement.window == window
    dones = [record for record in records if isinstance(record, FindDone)]
    assert [done.verdict for done in dones] == [Verdict.COMPLETE] * 7
    for done in dones:
        matches = [one for one in records if isinstance(one, Match) and one.find is done.find]
        name = matches[0].texts()["PatientName"]
        assert [one.texts()["PatientID"] for one in matches] == [
            f"{name}-{number}" for number in range(1, 6)
        ]
    assert len({one.find.query.label for one in dones}) == 7


async def test_pynetdicom_takes_one_query_at_a_time_and_says_so() -> None:
    with _pynetdicom(EVT_ASYNC_OPS=lambda event: (event.nr_invoked, event.nr_performed)) as peer:
        _check(await _records(peer, 4), window=1)
    with _pynetdicom() as peer:  # says nothing at all
        _check(await _records(peer, 4), window=1)


async def test_pynetdicom_with_queries_queueing_within_a_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It always answers a window of 1, but queues what comes: with another answer it has one."""

    def answer(acse: ACSE) -> AsynchronousOperationsWindowNegotiation:
        item = AsynchronousOperationsWindowNegotiation()
        item.maximum_number_operations_invoked = _WINDOW
        item.maximum_number_operations_performed = 1
        return item

    monkeypatch.setattr(ACSE, "_check_async_ops", answer)
    with _pynetdicom() as peer:
        records = await _records(peer, 8)
    _check(records, window=_WINDOW)
    open_now = most = 0
    for record in records:
        open_now += isinstance(record, FindStarted) - isinstance(record, FindDone)
        most = max(most, open_now)
    assert most == _WINDOW


@pytest.mark.parametrize("fixture", ["dcmqrscp_server", "orthanc_server"])
async def test_servers_that_know_nothing_of_it_are_not_disturbed(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    server = cast(Server, request.getfixturevalue(fixture))
    identity = UserIdentityRQ(
        type=2, response_requested=True, primary=b"florence", secondary=b"open sesame"
    )
    peer = Peer(host=server.host, port=server.port, called=server.aet, identity=identity)
    query = make_query("study", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"])
    async with associate(peer, options=_OPTIONS, async_window=4) as association:
        count = len([match async for match in association.find(query)])
        agreement = association.agreement
    assert count == 40
    assert agreement.window == 1
    # dcmqrscp may echo relational queries; nobody has fuzzy matching.
    assert FindOptions(fuzzy=True) & agreement.refused(_STUDY)
