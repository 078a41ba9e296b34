"""One association without I/O (PS3.8 Section 9)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from asyncfind.errors import LimitExceeded, LocalProtocolError
from asyncfind.ul.items import PresentationContextAC, PresentationContextRQ, UserInformation
from asyncfind.ul.machine import State
from asyncfind.ul.pdu import PDV, AssociateAC, AssociateRJ, AssociateRQ, PDataTF
from asyncfind.ul.upper_layer import (
    Aborted,
    AssociateConfirmed,
    AssociateRejected,
    AssociateRequested,
    DataReceived,
    ReleaseConfirmed,
    ReleaseRequested,
    TransportLost,
    UpperLayer,
    Violated,
)

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
RJ = AssociateRJ(result=2, source=3, reason=1)
RELEASE_RQ = bytes.fromhex("05 00 00 00 00 04 00 00 00 00")
RELEASE_RP = bytes.fromhex("06 00 00 00 00 04 00 00 00 00")
ABORT = bytes.fromhex("07 00 00 00 00 04 00 00 00 00")
ABORT_BY_PROVIDER = bytes.fromhex("07 00 00 00 00 04 00 00 02 05")
DATA = bytes.fromhex("04 00 00 00 00 08 00 00 00 04 01 03 AA BB")
EMPTY = bytes.fromhex("04 00 00 00 00 00")
PDVS = [PDV(1, True, True, b"\xaa\xbb")]


def refusal(reason: int) -> bytes:
    """A-ABORT by the service provider, for `reason`."""
    return bytes.fromhex("07 00 00 00 00 04 00 00 02") + bytes((reason,))


def requesting() -> UpperLayer:
    """A requestor in Sta5."""
    upper_layer = UpperLayer()
    upper_layer.connected(0.0)
    upper_layer.request(RQ)
    assert upper_layer.data_to_send() == RQ.encode()
    assert upper_layer.state is State.STA5
    return upper_layer


def requestor() -> UpperLayer:
    """A requestor in Sta6."""
    upper_layer = requesting()
    assert upper_layer.receive_data(AC.encode(), 0.0) == [AssociateConfirmed(AC)]
    return upper_layer


def requested() -> UpperLayer:
    """An acceptor in Sta3."""
    upper_layer = UpperLayer(acceptor=True)
    upper_layer.connected(0.0)
    assert upper_layer.receive_data(RQ.encode(), 1.0) == [AssociateRequested(RQ)]
    return upper_layer


def acceptor() -> UpperLayer:
    """An acceptor in Sta6."""
    upper_layer = requested()
    upper_layer.accept(AC)
    assert upper_layer.data_to_send() == AC.encode()
    return upper_layer


# The good ways.


@pytest.mark.parametrize("made", [requestor, acceptor])
def test_open(made: Callable[[], UpperLayer]) -> None:
    upper_layer = made()
    assert upper_layer.is_open
    assert not upper_layer.is_closed
    assert not upper_layer.should_close
    assert upper_layer.deadline() is None
    assert upper_layer.data_to_send() == b""


@pytest.mark.parametrize("made", [requestor, acceptor])
def test_data_in_both_directions(made: Callable[[], UpperLayer]) -> None:
    upper_layer = made()
    upper_layer.send_data(PDVS)
    upper_layer.send_data(iter(PDVS))
    assert upper_layer.data_to_send() == DATA + DATA
    assert upper_layer.data_to_send() == b""
    assert upper_layer.receive_data(DATA + DATA, 0.0) == [DataReceived(PDVS + PDVS)]


def test_runs_of_data_are_joined_whatever_their_shape() -> None:
    odd = bytes.fromhex("04 00 00 00 00 06 00 00 00 02 01 02")  # an empty last fragment
    found = requestor().receive_data(DATA + odd + DATA + EMPTY + odd, 0.0)
    assert found == [
        DataReceived([*PDVS, PDV(1, False, True, b""), *PDVS, PDV(1, False, True, b"")])
    ]


def test_data_right_behind_the_acceptance() -> None:
    found = requesting().receive_data(AC.encode() + DATA, 0.0)
    assert found == [AssociateConfirmed(AC), DataReceived(PDVS)]


def test_release_by_us() -> None:
    upper_layer = requestor()
    upper_layer.release()
    assert upper_layer.data_to_send() == RELEASE_RQ
    assert not upper_layer.is_open
    assert upper_layer.receive_data(DATA, 0.0) == [DataReceived(PDVS)]  # AR-6: still Sta7
    assert upper_layer.state is State.STA7
    assert upper_layer.receive_data(RELEASE_RP, 0.0) == [ReleaseConfirmed()]
    assert upper_layer.should_close
    assert upper_layer.is_closed


def test_release_by_the_peer() -> None:
    upper_layer = acceptor()
    assert upper_layer.receive_data(RELEASE_RQ, 1.0) == [ReleaseRequested()]
    upper_layer.send_data(PDVS)  # AR-7
    upper_layer.respond_release(2.0)
    assert upper_layer.data_to_send() == DATA + RELEASE_RP
    assert upper_layer.state is State.STA13
    assert upper_layer.deadline() == 7.0
    assert upper_layer.receive_eof(3.0) == []
    assert upper_layer.is_closed
    assert upper_layer.deadline() is None


def test_release_collision_at_the_requestor() -> None:
    upper_layer = requestor()
    upper_layer.release()
    assert upper_layer.receive_data(RELEASE_RQ, 0.0) == [ReleaseRequested()]
    assert upper_layer.state.value == "Sta9"
    upper_layer.respond_release(0.0)
    assert upper_layer.data_to_send() == RELEASE_RQ + RELEASE_RP
    assert upper_layer.state.value == "Sta11"
    assert upper_layer.deadline() is None
    assert upper_layer.receive_data(RELEASE_RP, 0.0) == [ReleaseConfirmed()]
    assert upper_layer.is_closed


def test_release_collision_at_the_acceptor() -> None:
    upper_layer = acceptor()
    upper_layer.release()
    assert upper_layer.receive_data(RELEASE_RQ, 0.0) == [ReleaseRequested()]
    assert upper_layer.state.value == "Sta10"
    assert upper_layer.receive_data(RELEASE_RP, 0.0) == [ReleaseConfirmed()]
    assert upper_layer.state.value == "Sta12"
    upper_layer.respond_release(1.0)
    assert upper_layer.data_to_send() == RELEASE_RQ + RELEASE_RP
    assert upper_layer.state is State.STA13
    assert upper_layer.deadline() == 6.0


def test_rejected_and_rejecting() -> None:
    upper_layer = requested()
    upper_layer.reject(RJ, 3.0)
    data = upper_layer.data_to_send()
    assert data == bytes.fromhex("03 00 00 00 00 04 00 02 03 01")
    assert upper_layer.state is State.STA13
    assert upper_layer.deadline() == 8.0
    peer = requesting()
    assert peer.receive_data(data, 0.0) == [AssociateRejected(RJ)]
    assert peer.should_close
    assert peer.data_to_send() == b""


def test_rejected_with_codes_nobody_knows() -> None:
    upper_layer = requesting()
    found = upper_layer.receive_data(bytes.fromhex("03 00 00 00 00 04 00 09 08 07"), 0.0)
    assert found == [AssociateRejected(AssociateRJ(result=9, source=8, reason=7))]
    assert upper_layer.data_to_send() == b""


# The end by abort, loss or time.


@pytest.mark.parametrize("made", [requesting, requestor, requested, acceptor])
def test_abort_by_us(made: Callable[[], UpperLayer]) -> None:
    upper_layer = made()
    upper_layer.abort(10.0)
    assert upper_layer.data_to_send() == ABORT
    assert upper_layer.state is State.STA13
    assert upper_layer.deadline() == 15.0
    upper_layer.abort(11.0)
    assert upper_layer.data_to_send() == b""
    assert upper_layer.deadline() == 15.0
    assert upper_layer.handle_timeout(14.9) == []
    assert upper_layer.state is State.STA13
    assert upper_layer.handle_timeout(15.0) == []
    assert upper_layer.should_close
    upper_layer.abort(16.0)
    assert upper_layer.data_to_send() == b""


def test_abort_for_a_reason() -> None:
    upper_layer = requestor()
    upper_layer.abort(0.0, 2, 5)
    assert upper_layer.data_to_send() == ABORT_BY_PROVIDER


@pytest.mark.parametrize("is_acceptor", [False, True])
def test_abort_before_there_is_an_association(is_acceptor: bool) -> None:
    upper_layer = UpperLayer(acceptor=is_acceptor)
    upper_layer.connected(0.0)
    upper_layer.abort(0.0)
    assert upper_layer.should_close
    assert upper_layer.deadline() is None
    assert upper_layer.data_to_send() == b""


@pytest.mark.parametrize("made", [requesting, requestor, requested, acceptor])
def test_abort_by_the_peer(made: Callable[[], UpperLayer]) -> None:
    upper_layer = made()
    assert upper_layer.receive_data(ABORT_BY_PROVIDER + DATA, 0.0) == [Aborted(2, 5)]
    assert upper_layer.is_closed
    assert upper_layer.receive_data(DATA, 0.0) == []
    assert upper_layer.receive_eof(0.0) == []
    assert upper_layer.data_to_send() == b""


def test_abort_keeps_what_came_before() -> None:
    found = requestor().receive_data(DATA + ABORT, 0.0)
    assert found == [DataReceived(PDVS), Aborted(0, 0)]


@pytest.mark.parametrize("made", [requesting, requestor, requested, acceptor])
@pytest.mark.parametrize("begun", [b"", DATA[:1], DATA[:9]])
def test_loss_between_pdus_and_inside(made: Callable[[], UpperLayer], begun: bytes) -> None:
    upper_layer = made()
    assert upper_layer.receive_data(begun, 0.0) == []
    assert upper_layer.receive_eof(0.0) == [TransportLost()]
    assert upper_layer.is_closed
    assert upper_layer.data_to_send() == b""


def test_loss_before_the_request() -> None:
    upper_layer = UpperLayer()
    assert upper_layer.receive_eof(0.0) == [TransportLost()]
    assert upper_layer.is_closed


def test_an_acceptor_does_not_wait_for_ever() -> None:
    upper_layer = UpperLayer(acceptor=True)
    assert upper_layer.handle_timeout(1e9) == []
    assert upper_layer.state is State.STA2
    upper_layer.connected(5.0)
    assert upper_layer.deadline() == 15.0
    assert upper_layer.receive_data(RQ.encode()[:-1], 14.0) == []  # a crawl buys no time
    assert upper_layer.handle_timeout(15.0) == []
    assert upper_layer.should_close


def test_artim_ends_with_the_request() -> None:
    upper_layer = requested()
    assert upper_layer.deadline() is None
    upper_layer.connected(5.0)
    assert upper_layer.deadline() is None


def test_nobody_asks_and_leaves() -> None:
    upper_layer = UpperLayer(acceptor=True)
    upper_layer.connected(0.0)
    assert upper_layer.receive_eof(1.0) == []
    assert upper_layer.is_closed


def test_artim_is_ours_to_choose() -> None:
    upper_layer = UpperLayer(acceptor=True, artim=1.0, artim_requested=2.0)
    upper_layer.connected(0.0)
    assert upper_layer.deadline() == 2.0
    assert len(upper_layer.receive_data(DATA, 0.5)) == 1
    assert upper_layer.deadline() == 1.5  # AA-1 restarts it


# The peer breaks rules.


@pytest.mark.parametrize(
    ("made", "data", "reason", "words"),
    [
        (requesting, RQ.encode(), 2, "unexpected A-ASSOCIATE-RQ \\(Sta5, awaiting"),
        (requesting, DATA, 2, "unexpected P-DATA-TF"),
        (requesting, RELEASE_RQ, 2, "unexpected A-RELEASE-RQ"),
        (requesting, RELEASE_RP, 2, "unexpected A-RELEASE-RP"),
        (requesting, b"HTTP/1.1 400", 1, "looks like HTTP"),
        (requesting, b"\x02\0\0\0\0\x44" + bytes(67) + b"\x50", 6, "protocol version 0000H"),
        (requesting, b"\x02\0\0\0\0\x45" + bytes(69), 6, "1 bytes left over"),
        (requesting, b"\x02\0\xff\xff\xff\xff", 6, "4294967295 bytes"),
        (requesting, replace(AC, contexts=AC.contexts * 2).encode(), 6, "context 1 twice"),
        (requestor, AC.encode(), 2, "unexpected A-ASSOCIATE-AC \\(Sta6"),
        (requestor, RJ.encode(), 2, "unexpected A-ASSOCIATE-RJ"),
        (requestor, RELEASE_RP, 2, "unexpected A-RELEASE-RP"),
        (requestor, b"\x04\0\0\0\x40\x01", 6, "16385 bytes, 16384 allowed"),
        (requestor, b"\x04\0\0\0\0\x06\0\0\0\x03\x01\x03", 6, "an item claims 3 bytes"),
        (requestor, b"\x07\0\0\0\0\x05\0\0\0\0\0", 6, "A-ABORT of 5 bytes"),
        (requestor, b"\xff", 1, "unknown PDU type FFH"),
        (requested, DATA, 2, "unexpected P-DATA-TF \\(Sta3"),
        (acceptor, RQ.encode(), 2, "unexpected A-ASSOCIATE-RQ"),
    ],
)
def test_violations(made: Callable[[], UpperLayer], data: bytes, reason: int, words: str) -> None:
    upper_layer = made()
    (violated,) = upper_layer.receive_data(data, 1.0)
    assert isinstance(violated, Violated)
    with pytest.raises(type(violated.error), match=words):
        raise violated.error
    assert violated.error.hint
    assert upper_layer.data_to_send() == refusal(reason)
    assert upper_layer.state is State.STA13
    assert upper_layer.deadline() == 6.0


@pytest.mark.parametrize(
    "data", [DATA, b"GET / HTTP/1.1", b"\x01\0\0\0\0\x43", b"\x01\0\0\0\0\x45" + bytes(69)]
)
def test_violations_before_a_request_are_answered_as_service_user(data: bytes) -> None:
    upper_layer = UpperLayer(acceptor=True)
    upper_layer.connected(0.0)
    (violated,) = upper_layer.receive_data(data, 1.0)
    assert isinstance(violated, Violated)
    assert upper_layer.data_to_send() == ABORT  # AA-1
    assert upper_layer.deadline() == 6.0


def test_a_request_for_another_protocol_version_is_rejected() -> None:
    upper_layer = UpperLayer(acceptor=True)
    upper_layer.connected(0.0)
    assert upper_layer.receive_data(replace(RQ, protocol_version=2).encode(), 1.0) == []
    assert upper_layer.data_to_send() == bytes.fromhex("03 00 00 00 00 04 00 01 02 02")
    assert upper_layer.state is State.STA13
    assert upper_layer.deadline() == 6.0
    upper_layer.accept(AC)  # nobody was asked, and too late it would be as well
    assert upper_layer.data_to_send() == b""


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", RELEASE_RQ])
def test_a_peer_that_speaks_before_we_do(data: bytes) -> None:
    upper_layer = UpperLayer()
    (violated,) = upper_layer.receive_data(data, 0.0)
    assert isinstance(violated, Violated)
    assert upper_layer.should_close
    assert upper_layer.data_to_send() == b""


def test_no_byte_behind_a_violation_is_believed() -> None:
    upper_layer = requestor()
    found = upper_layer.receive_data(DATA + b"\xff" + DATA + ABORT, 0.0)
    assert [type(indication) for indication in found] == [DataReceived, Violated]
    assert upper_layer.state is State.STA13


@pytest.mark.parametrize(
    "filler",
    [
        EMPTY,
        bytes.fromhex("04 00 00 00 00 06 00 00 00 02 01 01"),  # not the last fragment
    ],
)
def test_1000_pdus_without_progress_and_no_more(filler: bytes) -> None:
    upper_layer = requestor()
    for _ in range(3):
        upper_layer.receive_data(filler * 1000 + DATA, 0.0)
    assert upper_layer.is_open
    *_, violated = upper_layer.receive_data(filler * 1001, 1.0)
    assert isinstance(violated, Violated)
    assert isinstance(violated.error, LimitExceeded)
    assert upper_layer.data_to_send() == refusal(0)


def test_1000_fragments_without_progress_in_one_pdu() -> None:
    empty, last = PDV(1, True, False, b""), PDV(1, True, True, b"")
    upper_layer = requestor()
    upper_layer.receive_data(PDataTF(pdvs=(empty,) * 1000 + (last,) * 1001).encode(), 0.0)
    assert upper_layer.is_open
    upper_layer.receive_data(PDataTF(pdvs=(empty,) * 1001 + (last,)).encode(), 0.0)
    assert upper_layer.state is State.STA13


# Sta13.


def test_what_comes_after_an_abort_is_ignored() -> None:
    upper_layer = requestor()
    upper_layer.abort(0.0)
    assert upper_layer.data_to_send() == ABORT
    for data in (DATA, AC.encode(), RJ.encode(), RELEASE_RQ, RELEASE_RP, EMPTY):
        assert upper_layer.receive_data(data, 1.0) == []
    assert upper_layer.receive_data(RQ.encode() + b"\xff", 1.0) == []
    assert upper_layer.data_to_send() == b""  # one A-ABORT is enough
    assert upper_layer.state is State.STA13
    assert upper_layer.deadline() == 5.0


def test_an_abort_after_an_abort_closes() -> None:
    upper_layer = requestor()
    upper_layer.abort(0.0)
    assert upper_layer.receive_data(DATA + ABORT, 1.0) == []
    assert upper_layer.should_close


@pytest.mark.parametrize(
    ("data", "reason"),
    [(RQ.encode(), 2), (b"\xff", 1), (b"\x04\0\0\0\0\x01\0", 6), (b"\x05\0\0\0\0\x05", 6)],
)
def test_bad_pdus_after_a_release_are_answered_once(data: bytes, reason: int) -> None:
    upper_layer = acceptor()
    upper_layer.receive_data(RELEASE_RQ, 0.0)
    upper_layer.respond_release(0.0)
    assert upper_layer.data_to_send() == RELEASE_RP
    assert upper_layer.receive_data(data, 1.0) == []
    assert upper_layer.data_to_send() == refusal(reason)
    assert upper_layer.receive_data(data, 1.0) == []
    assert upper_layer.data_to_send() == b""
    assert upper_layer.state is State.STA13
    assert upper_layer.deadline() == 5.0


@pytest.mark.parametrize("junk", [DATA, b"\xff"])
@pytest.mark.parametrize("size", [1000, 65536])
def test_64_kib_are_read_and_no_more(junk: bytes, size: int) -> None:
    upper_layer = requestor()
    upper_layer.abort(0.0)
    flood = (junk * 65536)[:65536]
    for start in range(0, 65535, size):
        assert upper_layer.state is State.STA13
        assert upper_layer.receive_data(flood[start : start + size][: 65535 - start], 1.0) == []
    assert upper_layer.state is State.STA13
    assert upper_layer.receive_data(b"\xff", 1.0) == []
    assert upper_layer.should_close


def test_a_flood_behind_a_violation_in_one_piece() -> None:
    upper_layer = requestor()
    found = upper_layer.receive_data(AC.encode() + DATA * 5000, 0.0)
    assert [type(indication) for indication in found] == [Violated]
    assert upper_layer.should_close
    assert upper_layer.data_to_send() == refusal(2)


# Our own mistakes.


@pytest.mark.parametrize("made", [UpperLayer, requesting, requested])
def test_what_needs_an_association(made: Callable[[], UpperLayer]) -> None:
    upper_layer = made()
    calls: tuple[Callable[[], None], ...] = (
        lambda: upper_layer.send_data(PDVS),
        upper_layer.release,
        lambda: upper_layer.respond_release(0.0),
    )
    for call in calls:
        with pytest.raises(LocalProtocolError, match="a blank cell"):
            call()
    assert upper_layer.data_to_send() == b""


def test_what_needs_a_request() -> None:
    for upper_layer in (UpperLayer(acceptor=True), UpperLayer(), requesting(), requestor()):
        upper_layer.data_to_send()
        with pytest.raises(LocalProtocolError, match="Evt7"):
            upper_layer.accept(AC)
        with pytest.raises(LocalProtocolError, match="Evt8"):
            upper_layer.reject(RJ, 0.0)
        assert upper_layer.data_to_send() == b""


def test_one_request() -> None:
    for upper_layer in (UpperLayer(acceptor=True), requesting(), requestor(), acceptor()):
        with pytest.raises(LocalProtocolError, match="Evt2"):
            upper_layer.request(RQ)


def test_data_after_the_end() -> None:
    upper_layer = requestor()
    upper_layer.receive_data(ABORT, 0.0)
    with pytest.raises(LocalProtocolError, match="Evt9 in Sta1"):
        upper_layer.send_data(PDVS)


def test_decisions_that_come_too_late_are_dropped() -> None:
    for end in (ABORT, DATA):
        upper_layer = requested()
        upper_layer.receive_data(end, 0.0)
        upper_layer.data_to_send()
        upper_layer.accept(AC)
        upper_layer.reject(RJ, 0.0)
        assert upper_layer.data_to_send() == b""
        upper_layer = requestor()
        upper_layer.receive_data(RELEASE_RQ + end, 0.0)
        upper_layer.data_to_send()
        upper_layer.respond_release(0.0)
        assert upper_layer.data_to_send() == b""


@pytest.mark.parametrize("ids", [(2,), (0,), (1, 3, 1)])
def test_context_ids_are_odd_and_unique(ids: tuple[int, ...]) -> None:
    contexts = tuple(replace(RQ.contexts[0], context_id=number) for number in ids)
    with pytest.raises(LocalProtocolError, match="context ids"):
        UpperLayer().request(replace(RQ, contexts=contexts))


def test_only_what_was_proposed_can_be_accepted() -> None:
    upper_layer = requested()
    wrong = (replace(AC.contexts[0], transfer_syntax="8"),)
    with pytest.raises(LocalProtocolError, match="our A-ASSOCIATE-AC has transfer syntax '8'"):
        upper_layer.accept(replace(AC, contexts=wrong))
    upper_layer.accept(AC)
    assert upper_layer.is_open


@pytest.mark.parametrize("length", [0, 16385])
def test_what_is_announced_is_what_is_enforced(length: int) -> None:
    information = replace(US, max_length=length)
    with pytest.raises(LocalProtocolError, match=f"a maximum length of {length} announced"):
        UpperLayer().request(replace(RQ, user_information=information))
    with pytest.raises(LocalProtocolError, match=f"a maximum length of {length} announced"):
        requested().accept(replace(AC, user_information=information))


@pytest.mark.parametrize("length", [0, -1, 1024 * 1024 + 1])
def test_maximum_length_has_a_range(length: int) -> None:
    UpperLayer(max_pdu_length=1024 * 1024)
    with pytest.raises(LocalProtocolError, match="maximum PDU length"):
        UpperLayer(max_pdu_length=length)
