"""A walk through Table 9-10: every open state answers every event that a peer can cause."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from asyncfind.ul.items import PresentationContextAC, PresentationContextRQ, UserInformation
from asyncfind.ul.machine import ACTIONS, Action, Event, State
from asyncfind.ul.pdu import PDV, Abort, AssociateAC, AssociateRJ, AssociateRQ
from asyncfind.ul.upper_layer import (
    Aborted,
    AssociateConfirmed,
    AssociateRejected,
    AssociateRequested,
    DataReceived,
    Indication,
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
RJ = AssociateRJ(result=1, source=1, reason=1)
RELEASE_RQ = bytes.fromhex("05 00 00 00 00 04 00 00 00 00")
RELEASE_RP = bytes.fromhex("06 00 00 00 00 04 00 00 00 00")
DATA = bytes.fromhex("04 00 00 00 00 08 00 00 00 04 01 03 AA BB")
PDVS = [PDV(1, True, True, b"\xaa\xbb")]
NOW = 100.0


WAYS = {
    State.STA6: "",
    State.STA7: "release",
    State.STA8: "asked",
    State.STA9: "release asked",
    State.STA10: "release asked",
    State.STA11: "release asked respond",
    State.STA12: "release asked confirmed",
    State.STA13: "asked respond",
}
"""What leads from Sta6 to a state."""


def reach(state: State, *, acceptor: bool) -> UpperLayer:
    """An association in `state`, brought there as peers and users do; nothing left to send."""
    upper_layer = UpperLayer(acceptor=acceptor)
    upper_layer.connected(0.0)
    if not acceptor:
        upper_layer.request(RQ)
        if state in WAYS:
            upper_layer.receive_data(AC.encode(), 0.0)
    elif state is not State.STA2:
        upper_layer.receive_data(RQ.encode(), 0.0)
        if state in WAYS:
            upper_layer.accept(AC)
    for step in WAYS.get(state, "").split():
        if step == "release":
            upper_layer.release()
        elif step == "respond":
            upper_layer.respond_release(0.0)
        else:
            upper_layer.receive_data(RELEASE_RQ if step == "asked" else RELEASE_RP, 0.0)
    upper_layer.data_to_send()
    assert upper_layer.state is state
    return upper_layer


REQUESTOR = ["Sta5", "Sta6", "Sta7", "Sta8", "Sta9", "Sta11", "Sta13"]
ACCEPTOR = ["Sta2", "Sta3", "Sta6", "Sta7", "Sta8", "Sta10", "Sta12", "Sta13"]
STATES = [
    *((state, False) for state in State if state.value in REQUESTOR),
    *((state, True) for state in State if state.value in ACCEPTOR),
]

Cause = Callable[[UpperLayer], list[Indication]]


def sends(data: bytes) -> Cause:
    """The peer sends `data`."""
    return lambda upper_layer: upper_layer.receive_data(data, NOW)


CAUSES: list[tuple[str, Event, Cause, Indication | None, int]] = [
    ("AC", Event.EVT3, sends(AC.encode()), AssociateConfirmed(AC), 2),
    ("RJ", Event.EVT4, sends(RJ.encode()), AssociateRejected(RJ), 2),
    ("RQ", Event.EVT6, sends(RQ.encode()), AssociateRequested(RQ), 2),
    ("P-DATA", Event.EVT10, sends(DATA), DataReceived(PDVS), 2),
    ("RELEASE-RQ", Event.EVT12, sends(RELEASE_RQ), ReleaseRequested(), 2),
    ("RELEASE-RP", Event.EVT13, sends(RELEASE_RP), ReleaseConfirmed(), 2),
    ("ABORT", Event.EVT16, sends(Abort(source=2, reason=1).encode()), Aborted(2, 1), 2),
    ("EOF", Event.EVT17, lambda upper_layer: upper_layer.receive_eof(NOW), TransportLost(), 2),
    ("unknown PDU", Event.EVT19, sends(b"\x08"), None, 1),
    ("bad length", Event.EVT19, sends(b"\x07\0\0\0\0\x05"), None, 6),
]
"""Name, event, how the peer causes it, what it tells where it is expected, reason of AA-8."""

SILENT = (Action.AR_5, Action.AA_2, Action.AA_5, Action.AA_6, Action.AA_7)


@pytest.mark.parametrize("cause", CAUSES, ids=[cause[0] for cause in CAUSES])
@pytest.mark.parametrize(("state", "acceptor"), STATES)
def test_every_open_state_answers_every_event_of_a_peer(
    state: State, acceptor: bool, cause: tuple[str, Event, Cause, Indication | None, int]
) -> None:
    _, event, act, expected, reason = cause
    action = ACTIONS[state, event]
    upper_layer = reach(state, acceptor=acceptor)
    artim = upper_layer.deadline()
    assert (artim is not None) == (state in (State.STA2, State.STA13))

    found = act(upper_layer)
    sent = upper_layer.data_to_send()

    if action in (Action.AA_1, Action.AA_8):
        assert [type(indication) for indication in found] == [Violated]
    else:
        assert found == ([] if action in SILENT else [expected])
    if action is Action.AA_1:
        assert sent == Abort(source=0, reason=0).encode()
    elif action in (Action.AA_7, Action.AA_8):
        assert sent == Abort(source=2, reason=reason).encode()
    else:
        assert sent == b""
    assert upper_layer.state.value == next_state(action, acceptor=acceptor)
    if action in (Action.AA_1, Action.AA_8):
        assert upper_layer.deadline() == NOW + 5.0
    else:
        assert upper_layer.deadline() == (artim if action in (Action.AA_6, Action.AA_7) else None)


def next_state(action: Action, *, acceptor: bool) -> str:
    """The last column of PS3.8 Tables 9-6 to 9-9, for actions that a peer causes."""
    if action is Action.AR_8:
        return "Sta10" if acceptor else "Sta9"
    return {
        "AE-3": "Sta6",
        "AE-4": "Sta1",
        "AE-6": "Sta3",
        "DT-2": "Sta6",
        "AR-2": "Sta8",
        "AR-3": "Sta1",
        "AR-5": "Sta1",
        "AR-6": "Sta7",
        "AR-10": "Sta12",
        "AA-1": "Sta13",
        "AA-2": "Sta1",
        "AA-3": "Sta1",
        "AA-4": "Sta1",
        "AA-5": "Sta1",
        "AA-6": "Sta13",
        "AA-7": "Sta13",
        "AA-8": "Sta13",
    }[action.value]


@pytest.mark.parametrize(("state", "acceptor"), STATES)
def test_bad_bodies_are_invalid_pdus_where_the_pdu_is_expected(
    state: State, acceptor: bool
) -> None:
    upper_layer = reach(state, acceptor=acceptor)
    kind = {State.STA2: RQ.TYPE, State.STA5: AC.TYPE}.get(state, 4)
    body = replace(RQ, called="").encode()[6:] + b"\0" if kind != 4 else b"\0"
    found = upper_layer.receive_data(bytes((kind, 0, 0, 0, 0, len(body))) + body, NOW)
    sent = upper_layer.data_to_send()
    if state is State.STA13:
        assert (found, sent) == ([], Abort(source=2, reason=6).encode())
        return
    assert [type(indication) for indication in found] == [Violated]
    if state is State.STA2:
        assert sent == Abort().encode()
    else:
        expected = 6 if state in (State.STA5, State.STA6, State.STA7) else 2
        assert sent == Abort(source=2, reason=expected).encode()


@pytest.mark.parametrize(("state", "acceptor"), STATES)
def test_time_ends_only_what_artim_watches(state: State, acceptor: bool) -> None:
    upper_layer = reach(state, acceptor=acceptor)
    assert upper_layer.handle_timeout(1e9) == []
    ends = (state, Event.EVT18) in ACTIONS
    assert upper_layer.state is (State.STA1 if ends else state)
    assert upper_layer.data_to_send() == b""


@pytest.mark.parametrize(("state", "acceptor"), STATES)
def test_the_service_user_can_abort_in_every_open_state(state: State, acceptor: bool) -> None:
    upper_layer = reach(state, acceptor=acceptor)
    action = ACTIONS.get((state, Event.EVT15))
    upper_layer.abort(NOW)
    if action is Action.AA_1:
        assert upper_layer.data_to_send() == Abort().encode()
        assert upper_layer.state is State.STA13
        assert upper_layer.deadline() == NOW + 5.0
    else:
        assert upper_layer.data_to_send() == b""
        assert upper_layer.state is (State.STA1 if state is State.STA2 else State.STA13)
