"""One association without I/O: bytes and time in, indications and bytes out (PS3.8 Section 9).

The owner passes on what it reads, sends what `data_to_send` gives after every call, sleeps until
`deadline`, and closes the transport connection when told. Any bytes, in any pieces, at any time,
yield indications; LocalProtocolError tells of a mistake of the owner's own.
"""

from collections.abc import Iterable
from typing import Final

from asyncfind.errors import LimitExceeded, LocalProtocolError, MalformedPDU
from asyncfind.ul.codec import malformed
from asyncfind.ul.framing import Frame, Framer, Violation
from asyncfind.ul.indications import (
    Aborted,
    AssociateConfirmed,
    AssociateRejected,
    AssociateRequested,
    DataReceived,
    Indication,
    ReleaseConfirmed,
    ReleaseRequested,
    TransportLost,
    Violated,
)
from asyncfind.ul.machine import ACTIONS, NEXT_STATE, Action, Event, State
from asyncfind.ul.pdu import (
    DECODERS,
    NAMES,
    PDU,
    PDV,
    Abort,
    AbortReason,
    AbortSource,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    ReleaseRP,
    ReleaseRQ,
    encode_data,
)

__all__ = [
    "Aborted",
    "AssociateConfirmed",
    "AssociateRejected",
    "AssociateRequested",
    "DataReceived",
    "Indication",
    "ReleaseConfirmed",
    "ReleaseRequested",
    "TransportLost",
    "UpperLayer",
    "Violated",
]

_MAX_PDU_LENGTH: Final = 1024 * 1024
_MAX_IDLE: Final = 1000
"""PDUs and PDVs in a row that bring nothing, before we call it too much."""
_MAX_GOODBYE: Final = 64 * 1024
"""Bytes we read in Sta13; closing with bytes unread would send RST and destroy our last PDU."""

_UNSUPPORTED_VERSION: Final = AssociateRJ(result=1, source=2, reason=2)

_EVENTS: Final = (
    Event.EVT6,
    Event.EVT3,
    Event.EVT4,
    Event.EVT10,
    Event.EVT12,
    Event.EVT13,
    Event.EVT16,
)
"""The event of each PDU received, by type less one."""

_REFUSES: Final = frozenset((Action.AA_1, Action.AA_8))
_TAKES_DATA: Final = frozenset((Action.DT_2, Action.AR_6))
_SILENT: Final = frozenset((Action.AR_5, Action.AA_2, Action.AA_5, Action.AA_6, Action.AA_7))
_ENDED: Final = frozenset((State.STA1, State.STA13))


class UpperLayer:
    """The upper layer of one association (PS3.8 Section 9), without I/O.

    A requestor is made once the transport connection is open (AE-1 is the owner's connect) and
    waits in Sta4 for `request`; an acceptor waits in Sta2 for the peer's A-ASSOCIATE-RQ.

    Args:
        acceptor: which side of the association we are.
        max_pdu_length: the longest P-DATA-TF we take, in bytes after its header; at least what
            our user information announces, at most 1 MiB.
        artim: seconds that the peer may take to close in Sta13 (PS3.8 Section 9.1.5).
        artim_requested: seconds that it may take to send A-ASSOCIATE-RQ in Sta2.

    Raises:
        LocalProtocolError: `max_pdu_length` is out of range.
    """

    def __init__(
        self,
        *,
        acceptor: bool = False,
        max_pdu_length: int = 16384,
        artim: float = 5.0,
        artim_requested: float = 10.0,
    ) -> None:
        if not 0 < max_pdu_length <= _MAX_PDU_LENGTH:
            raise LocalProtocolError(f"a maximum PDU length of {max_pdu_length} bytes")
        self._acceptor = acceptor
        self._max_pdu_length = max_pdu_length
        self._artim = artim
        self._artim_requested = artim_requested
        self._state = NEXT_STATE[Action.AE_5 if acceptor else Action.AE_1]
        self._deadline: float | None = None
        self._framer = Framer(max_pdu_length)
        self._out: list[bytes] = []
        self._rq: AssociateRQ | None = None
        self._aborted = False
        self._idle = 0

    # What the owner may ask.

    @property
    def state(self) -> State:
        """Where we are in Table 9-10."""
        return self._state

    @property
    def is_open(self) -> bool:
        """The association is established and neither side has begun to end it (Sta6)."""
        return self._state is State.STA6

    @property
    def is_closed(self) -> bool:
        """All is over (Sta1); nothing that comes now matters."""
        return self._state is State.STA1

    @property
    def should_close(self) -> bool:
        """The owner is to close the transport connection, once `data_to_send` has gone out."""
        return self.is_closed

    def deadline(self) -> float | None:
        """When to call `handle_timeout`: the end of ARTIM; None while it does not run."""
        return self._deadline

    def data_to_send(self) -> bytes:
        """Whole PDUs to be sent now, maybe none; ask after every call, whatever it was."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # The service user speaks.

    def connected(self, now: float) -> None:
        """The transport connection is open: starts an acceptor's ARTIM (AE-5)."""
        if self._state is State.STA2:
            self._deadline = now + self._artim_requested

    def request(self, rq: AssociateRQ) -> None:
        """A-ASSOCIATE request (PS3.8 Section 7.1), once.

        Raises:
            LocalProtocolError: no requestor, requested before, context ids that are not odd and
                unique, or a maximum length beyond the one we enforce.
        """
        ids = [context.context_id for context in rq.contexts]
        if len(set(ids)) < len(ids) or not all(number % 2 for number in ids):
            raise LocalProtocolError(f"presentation context ids {ids}: odd and unique ones needed")
        self._check_length(rq)
        self._speak(Event.EVT2, [rq.encode()])
        self._rq = rq

    def accept(self, ac: AssociateAC) -> None:
        """A-ASSOCIATE response, accepted; does nothing when the peer has gone meanwhile.

        Raises:
            LocalProtocolError: nothing was requested, or `ac` accepts what was not proposed.
        """
        if self._state in _ENDED:
            return
        if self._rq is not None and (fault := ac.disagreement(self._rq)):
            raise LocalProtocolError(f"our A-ASSOCIATE-AC has {fault}")
        self._check_length(ac)
        self._speak(Event.EVT7, [ac.encode()])

    def reject(self, rj: AssociateRJ, now: float) -> None:
        """A-ASSOCIATE response, rejected; does nothing when the peer has gone meanwhile.

        Raises:
            LocalProtocolError: nothing was requested.
        """
        if self._state not in _ENDED:
            self._speak(Event.EVT8, [rj.encode()])
            self._await_close(now)

    def send_data(self, pdvs: Iterable[PDV]) -> None:
        """P-DATA request (PS3.8 Section 7.6): one P-DATA-TF for each PDV.

        Args:
            pdvs: sized for the peer, whose maximum length is in its user information.

        Raises:
            LocalProtocolError: the association is not open for sending (Sta6, Sta8).
        """
        self._speak(Event.EVT9, encode_data(pdvs))

    def release(self) -> None:
        """A-RELEASE request (PS3.8 Section 7.2); raises LocalProtocolError unless `is_open`."""
        self._speak(Event.EVT11, [ReleaseRQ().encode()])

    def respond_release(self, now: float) -> None:
        """A-RELEASE response; does nothing when the association has ended meanwhile.

        Raises:
            LocalProtocolError: the peer did not ask for release.
        """
        if self._state not in _ENDED:
            self._speak(Event.EVT14, [ReleaseRP().encode()])
            self._await_close(now)

    def abort(
        self,
        now: float,
        source: int = AbortSource.SERVICE_USER,
        reason: int = AbortReason.NOT_SPECIFIED,
    ) -> None:
        """A-ABORT request (PS3.8 Section 7.3); does nothing when the association has ended.

        Then the peer closes, or ARTIM ends. Where there is no association yet there is nothing to
        abort (Sta2, Sta4), so the transport connection is closed at once.
        """
        if self._state in _ENDED:
            return
        action = ACTIONS.get((self._state, Event.EVT15), Action.AA_2)
        self._enter(NEXT_STATE[action])
        if action is Action.AA_1:
            self._send_abort(source, reason)
            self._await_close(now)

    # The peer, or time, speaks.

    def receive_data(self, data: bytes, now: float) -> list[Indication]:
        """Take bytes that the peer sent, any number; never raises for what is in them."""
        found: list[Indication] = []
        if self.is_closed:
            return found
        self._framer.feed(data)
        while self._turn(found, now):
            pass
        if self._framer.is_exhausted and self._state is State.STA13:
            self._occur(Event.EVT18, found, now)  # as good as ARTIM: no more is read
        return found

    def receive_eof(self, now: float) -> list[Indication]:
        """The transport connection is closed or lost, inside a PDU or not (Evt17)."""
        found: list[Indication] = []
        if not self.is_closed:
            self._occur(Event.EVT17, found, now, TransportLost())
        return found

    def handle_timeout(self, now: float) -> list[Indication]:
        """Time has passed; ends the association if `deadline` has come (Evt18), else nothing."""
        found: list[Indication] = []
        if self._deadline is not None and now >= self._deadline:
            self._occur(Event.EVT18, found, now)
        return found

    # How it works.

    def _turn(self, found: list[Indication], now: float) -> bool:
        """Handle what is next in the stream; False when nothing is left that matters."""
        if ACTIONS.get((self._state, Event.EVT10)) in _TAKES_DATA and (
            pdvs := self._framer.next_data()
        ):
            self._idle = 0
            _tell(found, DataReceived(pdvs))
        frame = self._framer.next_frame()
        if frame is None:
            return False
        if isinstance(frame, Violation):
            self._occur(Event.EVT19, found, now, violation=frame)
        else:
            self._handle(frame, found, now)
        return self._state is not State.STA1

    def _handle(self, frame: Frame, found: list[Indication], now: float) -> None:
        """One whole PDU, as the event it is: decoded only where its content matters."""
        event = _EVENTS[frame.kind - 1]
        if ACTIONS.get((self._state, event), Action.AA_8) in _REFUSES:
            state = f"{self._state.value}, {self._state.meaning}"
            error = malformed(f"unexpected {NAMES[frame.kind]} ({state})")
            violation = Violation(error, AbortReason.UNEXPECTED_PDU)
            self._occur(event, found, now, violation=violation)
            return
        try:
            pdu = DECODERS[frame.kind - 1](frame.body)
            indication = self._indication(pdu)
        except MalformedPDU as error:
            violation = Violation(error, AbortReason.INVALID_PARAMETER)
            self._occur(Event.EVT19, found, now, violation=violation)
            return
        if isinstance(pdu, PDataTF) and (idle := self._too_idle(pdu)):
            self._occur(Event.EVT19, found, now, violation=idle)
            return
        if isinstance(pdu, AssociateRQ):
            self._rq = pdu
        self._occur(event, found, now, indication)

    def _indication(self, pdu: PDU) -> Indication:
        """What a PDU, arrived where it is expected, tells the service user.

        Raises:
            MalformedPDU: an A-ASSOCIATE-AC that is no answer to our request.
        """
        match pdu:
            case AssociateRQ():
                return AssociateRequested(pdu)
            case AssociateAC():
                if self._rq is not None and (fault := pdu.disagreement(self._rq)):
                    raise malformed(f"A-ASSOCIATE-AC: {fault}")
                return AssociateConfirmed(pdu)
            case AssociateRJ():
                return AssociateRejected(pdu)
            case PDataTF():
                return DataReceived(list(pdu.pdvs))
            case ReleaseRQ():
                return ReleaseRequested()
            case ReleaseRP():
                return ReleaseConfirmed()
            case _:
                return Aborted(pdu.source, pdu.reason)

    def _too_idle(self, pdu: PDataTF) -> Violation | None:
        """Count what brings neither a byte nor the end of a fragmented whole."""
        most = self._idle
        if not pdu.pdvs:
            most = self._idle = self._idle + 1
        for pdv in pdu.pdvs:
            self._idle = 0 if pdv.data or pdv.is_last else self._idle + 1
            most = max(most, self._idle)
        if most <= _MAX_IDLE:
            return None
        error = LimitExceeded(
            f"more than {_MAX_IDLE} empty P-DATA-TFs or fragments in a row",
            "The peer sends without end and says nothing; its vendor should know.",
        )
        return Violation(error, AbortReason.NOT_SPECIFIED)

    def _occur(
        self,
        event: Event,
        found: list[Indication],
        now: float,
        indication: Indication | None = None,
        violation: Violation | None = None,
    ) -> None:
        """An event that the peer or time has caused: look up the action and perform it.

        Args:
            indication: what the event tells the service user where its action does tell.
            violation: why AA-1, AA-7 or AA-8 abort.
        """
        # Blank for the peer is only Sta4: it spoke before we did. That ends as Evt15 does there.
        action = ACTIONS.get((self._state, event), Action.AA_2)
        self._enter(self._next_state(action))
        self._await_close(now)
        if action is Action.AA_1:
            self._send_abort(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)
        elif action in (Action.AA_7, Action.AA_8):
            reason = AbortReason.UNEXPECTED_PDU if violation is None else violation.reason
            self._send_abort(AbortSource.SERVICE_PROVIDER, reason)
        elif action is Action.AE_6 and self._state is State.STA13:
            self._out.append(_UNSUPPORTED_VERSION.encode())
            return
        if violation is not None and action is not Action.AA_7:
            found.append(Violated(violation.error))
        elif indication is not None and action not in _SILENT:
            _tell(found, indication)

    def _next_state(self, action: Action) -> State:
        """AE-6 and AR-8 have two exits each: the only code beside the table."""
        if action is Action.AE_6:
            supported = self._rq is not None and self._rq.is_version_1
            return State.STA3 if supported else State.STA13
        if action is Action.AR_8:
            return State.STA10 if self._acceptor else State.STA9
        return NEXT_STATE[action]

    def _speak(self, event: Event, parts: list[bytes]) -> None:
        """A primitive of the service user that sends a PDU."""
        action = ACTIONS.get((self._state, event))
        if action is None:
            raise LocalProtocolError(f"{event.value} in {self._state.value}, a blank cell")
        self._out += parts
        self._enter(NEXT_STATE[action])

    def _enter(self, state: State) -> None:
        if state is not self._state:
            self._deadline = None
            self._state = state

    def _await_close(self, now: float) -> None:
        """Whatever leads to Sta13 starts ARTIM; what comes there does not start it again."""
        if self._state is State.STA13 and self._deadline is None:
            self._deadline = now + self._artim
            self._framer.allow(_MAX_GOODBYE)

    def _send_abort(self, source: int, reason: int) -> None:
        """One A-ABORT ends an association; AA-7 would answer each bad PDU after it with another."""
        if not self._aborted:
            self._aborted = True
            self._out.append(Abort(source=source, reason=reason).encode())

    def _check_length(self, pdu: AssociateRQ | AssociateAC) -> None:
        announced = pdu.user_information.max_length
        if not 0 < announced <= self._max_pdu_length:
            raise LocalProtocolError(
                f"a maximum length of {announced} announced, {self._max_pdu_length} enforced"
            )


def _tell(found: list[Indication], indication: Indication) -> None:
    """Add an indication; P-DATA joins the P-DATA before it, and is nothing without a PDV."""
    if isinstance(indication, DataReceived):
        if not indication.pdvs:
            return
        if found and isinstance(before := found[-1], DataReceived):
            before.pdvs.extend(indication.pdvs)
            return
    found.append(indication)
