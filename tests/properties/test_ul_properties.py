"""Properties of the upper layer: round trips, chopping, garbage, the walk of Table 9-10."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asyncfind.errors import LimitExceeded, MalformedPDU
from asyncfind.ul.items import (
    AsynchronousOperations,
    PresentationContextAC,
    PresentationContextRQ,
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityRQ,
    UserInformation,
)
from asyncfind.ul.machine import State
from asyncfind.ul.pdu import (
    DECODERS,
    PDU,
    PDV,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    ReleaseRP,
    ReleaseRQ,
)
from asyncfind.ul.upper_layer import (
    AssociateRequested,
    DataReceived,
    Indication,
    UpperLayer,
    Violated,
)

SETTINGS = settings(deadline=None, max_examples=100, database=None)
GOLDEN = Path(__file__).parent.parent / "golden"

# Values.

BYTE = st.integers(0, 255)
UINT16 = st.integers(0, 0xFFFF)
UIDS = st.text("0123456789.", max_size=64)
TITLES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=16).map(
    lambda title: title.strip(" ")
)
SHORT = st.binary(max_size=40)

INFORMATION = st.builds(
    UserInformation,
    max_length=st.integers(0, 0xFFFFFFFF),
    implementation_class_uid=UIDS,
    implementation_version_name=TITLES,
    asynchronous_operations=st.none()
    | st.builds(AsynchronousOperations, invoked=UINT16, performed=UINT16),
    roles=st.lists(
        st.builds(RoleSelection, sop_class=UIDS, scu=st.booleans(), scp=st.booleans()), max_size=3
    ).map(tuple),
    extended_negotiation=st.lists(
        st.builds(SOPClassExtendedNegotiation, sop_class=UIDS, application_information=SHORT),
        max_size=3,
    ).map(tuple),
    common_extended_negotiation=st.lists(
        st.builds(
            SOPClassCommonExtendedNegotiation,
            sop_class=UIDS,
            service_class=UIDS,
            related=st.lists(UIDS, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    user_identity=st.none()
    | st.builds(
        UserIdentityRQ,
        type=BYTE,
        response_requested=st.booleans(),
        primary=SHORT,
        secondary=SHORT,
    ),
    user_identity_response=st.none() | SHORT,
)
CONTEXTS_RQ = st.lists(
    st.builds(
        PresentationContextRQ,
        context_id=BYTE,
        abstract_syntax=UIDS,
        transfer_syntaxes=st.lists(UIDS, max_size=3).map(tuple),
    ),
    max_size=4,
    unique_by=lambda context: context.context_id,
).map(tuple)
CONTEXTS_AC = st.lists(
    st.builds(PresentationContextAC, context_id=BYTE, result=BYTE, transfer_syntax=UIDS),
    max_size=4,
    unique_by=lambda context: context.context_id,
).map(tuple)
PDVS = st.lists(st.builds(PDV, BYTE, st.booleans(), st.booleans(), SHORT), max_size=6).map(tuple)

PDUS: st.SearchStrategy[PDU] = st.one_of(
    st.builds(
        AssociateRQ,
        called=TITLES,
        calling=TITLES,
        contexts=CONTEXTS_RQ,
        user_information=INFORMATION,
        application_context=UIDS,
        protocol_version=UINT16,
    ),
    st.builds(
        AssociateAC,
        called=TITLES,
        calling=TITLES,
        contexts=CONTEXTS_AC,
        user_information=INFORMATION,
        application_context=UIDS,
        protocol_version=UINT16,
    ),
    st.builds(AssociateRJ, result=BYTE, source=BYTE, reason=BYTE),
    st.builds(PDataTF, pdvs=PDVS),
    st.just(ReleaseRQ()),
    st.just(ReleaseRP()),
    st.builds(Abort, source=BYTE, reason=BYTE),
)


@SETTINGS
@given(pdu=PDUS)
def test_what_is_encoded_decodes_to_the_same(pdu: PDU) -> None:
    data = pdu.encode()
    assert int.from_bytes(data[2:6], "big") == len(data) - 6
    assert DECODERS[data[0] - 1](data[6:]) == pdu


@SETTINGS
@given(information=INFORMATION)
def test_user_information_decodes_to_the_same(information: UserInformation) -> None:
    assert UserInformation.decode(information.encode()[4:]) == information


@SETTINGS
@given(kind=st.integers(1, 7), body=st.binary(max_size=300))
def test_any_body_decodes_or_is_malformed(kind: int, body: bytes) -> None:
    text = ""
    for data in (body, bytes.fromhex("0001") + bytes(66) + body):
        try:
            DECODERS[kind - 1](data)
        except MalformedPDU as error:
            text = error.text
        assert len(text) < 300


# Streams.

US = UserInformation(implementation_class_uid="1.9")
RQ = AssociateRQ(
    called="ARCHIVE",
    calling="ASYNCFIND",
    contexts=(PresentationContextRQ(context_id=1, abstract_syntax="1", transfer_syntaxes=("2",)),),
    user_information=US,
)
AC = AssociateAC(
    called="ARCHIVE",
    calling="ASYNCFIND",
    contexts=(PresentationContextAC(context_id=1, result=0, transfer_syntax="2"),),
    user_information=US,
)


def opened(*, acceptor: bool) -> UpperLayer:
    """A requestor that has asked, or an acceptor to be asked."""
    upper_layer = UpperLayer(acceptor=acceptor)
    upper_layer.connected(0.0)
    if not acceptor:
        upper_layer.request(RQ)
    upper_layer.data_to_send()
    return upper_layer


def replay(upper_layer: UpperLayer, chunks: Iterable[bytes]) -> tuple[object, ...]:
    """What came of a stream: indications, bytes to send, state, deadline.

    Runs of data are joined, since how many come at once is the network's choice; of an error
    stays what does not depend on how much of the stream was there to be quoted.
    """
    told: list[object] = []
    for chunk in chunks:
        for indication in upper_layer.receive_data(chunk, 0.0):
            if isinstance(indication, DataReceived):
                told += indication.pdvs
            elif isinstance(indication, Violated):
                error = indication.error
                told.append((type(error), error.text.partition(";")[0]))
            else:
                told.append(indication)
    return tuple(told), upper_layer.data_to_send(), upper_layer.state, upper_layer.deadline()


def peer_bytes(name: str, direction: str) -> bytes:
    """All that one side sends in a transcript."""
    lines = (line.partition("#")[0].strip() for line in (GOLDEN / name).read_text().splitlines())
    return b"".join(bytes.fromhex(line[1:]) for line in lines if line.startswith(direction))


PIECES = st.one_of(
    st.sampled_from([RQ.encode(), AC.encode()]),
    st.builds(PDataTF, pdvs=PDVS).map(lambda pdu: pdu.encode()),
    PDUS.map(lambda pdu: pdu.encode()),
    st.binary(max_size=20),
    st.builds(lambda kind, rest: bytes((kind, 0)) + rest, st.integers(0, 8), SHORT),
    st.sampled_from([bytes(40_000), PDataTF(pdvs=()).encode() * 1001]),
)
STREAMS = st.builds(
    lambda first, rest: b"".join([*first, *rest]),
    st.sampled_from([[RQ.encode()], [AC.encode()], []]),
    st.lists(PIECES, max_size=8),
)


def cut(stream: bytes, cuts: Sequence[int]) -> Iterable[bytes]:
    """The stream in pieces, some of them empty."""
    edges = [0, *sorted(min(edge, len(stream)) for edge in cuts), len(stream)]
    return (stream[start:end] for start, end in pairwise(edges))


@SETTINGS
@given(stream=STREAMS, cuts=st.lists(st.integers(0, 100_000)), acceptor=st.booleans())
def test_chopping_never_matters(stream: bytes, cuts: list[int], acceptor: bool) -> None:
    whole = replay(opened(acceptor=acceptor), [stream])
    assert replay(opened(acceptor=acceptor), cut(stream, cuts)) == whole


@SETTINGS
@given(stream=STREAMS)
def test_byte_by_byte_never_matters(stream: bytes) -> None:
    stream = stream[:2000]
    whole = replay(opened(acceptor=False), [stream])
    assert replay(opened(acceptor=False), (bytes((byte,)) for byte in stream)) == whole


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.glob("*.wire")))
def test_golden_streams_cut_in_two_at_each_byte(name: str) -> None:
    """What the acceptor sends, at a requestor that asked as the transcript does."""
    request = peer_bytes(name, ">")
    rq = AssociateRQ.decode(request[6 : 6 + int.from_bytes(request[2:6], "big")])
    stream = peer_bytes(name, "<")

    def asked() -> UpperLayer:
        upper_layer = UpperLayer(max_pdu_length=rq.user_information.max_length)
        upper_layer.request(rq)
        return upper_layer

    whole = replay(asked(), [stream])
    for edge in range(len(stream)):
        assert replay(asked(), [stream[:edge], stream[edge:]]) == whole


@SETTINGS
@given(
    stream=st.one_of(STREAMS, st.binary(max_size=300)),
    cuts=st.lists(st.integers(0, 1000), max_size=5),
    acceptor=st.booleans(),
)
def test_any_bytes_give_indications_and_never_an_exception(
    stream: bytes, cuts: list[int], acceptor: bool
) -> None:
    upper_layer = opened(acceptor=acceptor)
    aborts = 0
    for chunk in cut(stream, cuts):
        for indication in upper_layer.receive_data(chunk, 0.0):
            assert isinstance(indication, Indication)
            if isinstance(indication, AssociateRequested):
                upper_layer.reject(AssociateRJ(result=1, source=1, reason=1), 0.0)
        aborts += upper_layer.data_to_send().count(b"\x07\0\0\0\0\x04")
    upper_layer.receive_eof(1.0)
    assert upper_layer.is_closed
    assert aborts <= 1


@SETTINGS
@given(stream=st.binary(max_size=300))
def test_any_bytes_before_our_request(stream: bytes) -> None:
    upper_layer = UpperLayer()
    assert len(upper_layer.receive_data(stream, 0.0)) <= 1


# The walk.


class Walk(RuleBasedStateMachine):
    """An association whose peer does anything and whose owner does what the contract allows."""

    def __init__(self) -> None:
        super().__init__()
        self.upper_layer = UpperLayer()
        self.now = 0.0
        self.ended = False
        self.aborts = 0

    @initialize(acceptor=st.booleans())
    def open(self, acceptor: bool) -> None:
        self.upper_layer = opened(acceptor=acceptor)

    def take(self, indications: list[Indication]) -> None:
        """Nothing is told once the association has ended, and the end is told once."""
        for indication in indications:
            assert not self.ended
            if isinstance(indication, Violated):
                assert isinstance(indication.error, MalformedPDU | LimitExceeded)
                assert self.upper_layer.state in (State.STA13, State.STA1)
                self.ended = True

    @rule(data=PIECES | st.just(ReleaseRQ().encode()) | st.just(ReleaseRP().encode()))
    def peer_sends(self, data: bytes) -> None:
        self.take(self.upper_layer.receive_data(data, self.now))

    @rule()
    def peer_goes(self) -> None:
        self.take(self.upper_layer.receive_eof(self.now))
        assert self.upper_layer.is_closed

    @rule(seconds=st.sampled_from([0.5, 6.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        assert self.upper_layer.handle_timeout(self.now) == []

    @precondition(lambda self: self.upper_layer.state in (State.STA3, State.STA1, State.STA13))
    @rule()
    def user_accepts(self) -> None:
        ac = AssociateAC(called="", calling="", contexts=(), user_information=US)
        self.upper_layer.accept(ac)

    @precondition(lambda self: self.upper_layer.state in (State.STA6, State.STA8))
    @rule(pdvs=PDVS)
    def user_sends(self, pdvs: tuple[PDV, ...]) -> None:
        self.upper_layer.send_data(pdvs)

    @precondition(lambda self: self.upper_layer.is_open)
    @rule()
    def user_releases(self) -> None:
        self.upper_layer.release()

    @precondition(
        lambda self: self.upper_layer.state.value in ("Sta8", "Sta9", "Sta12", "Sta13", "Sta1")
    )
    @rule()
    def user_responds(self) -> None:
        self.upper_layer.respond_release(self.now)

    @rule()
    def user_aborts(self) -> None:
        self.upper_layer.abort(self.now)
        self.ended = True

    @invariant()
    def artim_runs_in_sta2_and_sta13_only(self) -> None:
        watched = self.upper_layer.state in (State.STA2, State.STA13)
        assert (self.upper_layer.deadline() is not None) == watched

    @invariant()
    def one_abort_at_most(self) -> None:
        data = self.upper_layer.data_to_send()
        while data:
            self.aborts += data[0] == Abort.TYPE
            data = data[6 + int.from_bytes(data[2:6], "big") :]
        assert self.aborts <= 1


TestWalk = Walk.TestCase
TestWalk.settings = settings(deadline=None, max_examples=40, stateful_step_count=15, database=None)
