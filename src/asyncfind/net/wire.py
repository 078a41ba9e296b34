"""The bytes of one association: upper layer and messages on a stream, pumped by its owner."""

import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Final

import anyio
import anyio.lowlevel

from asyncfind.dimse.command import Command, encode_command
from asyncfind.dimse.message import Assembler, Message, fragment
from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    LocalProtocolError,
    MalformedMessage,
    PeerError,
    PeerTimeout,
    TlsFailed,
)
from asyncfind.net.transport import Stream
from asyncfind.net.turn import Turn
from asyncfind.plan import Peer, Timeouts
from asyncfind.records import Traffic
from asyncfind.safe import safe
from asyncfind.ul.pdu import PDV, Abort, AbortSource, AssociateAC, AssociateRJ, AssociateRQ
from asyncfind.ul.upper_layer import (
    Aborted,
    AssociateConfirmed,
    AssociateRejected,
    DataReceived,
    Indication,
    ReleaseConfirmed,
    ReleaseRequested,
    TransportLost,
    UpperLayer,
    Violated,
)

__all__ = ["Wire", "after", "loop_time"]

_GOODBYE: Final = 0.5
"""Seconds that clean-up may take once something has gone wrong or was cancelled."""


class Wire:
    """A requestor's upper layer and message assembly on a stream.

    Nothing happens by itself: whoever waits for something pumps until it has come. One task at a
    time may pump; any may send, or abort.

    Attributes:
        accepted: the peer's A-ASSOCIATE-AC; None before it has come.
        trouble: why the association ended under us; None while it is usable.
        is_aborted_by_us: it did because `abort` was called.
        traffic: what was sent and received and not taken yet; None traces nothing.
    """

    def __init__(
        self,
        stream: Stream,
        peer: Peer,
        timeouts: Timeouts,
        *,
        max_pdu_length: int,
        max_identifier: int,
    ) -> None:
        self.accepted: AssociateAC | None = None
        self.trouble: PeerError | None = None
        self.is_aborted_by_us = False
        self.traffic: list[Traffic] | None = None
        self._stream = stream
        self._peer = peer
        self._timeouts = timeouts
        self._upper_layer = UpperLayer(max_pdu_length=max_pdu_length)
        self._assembler = Assembler(max_identifier=max_identifier)
        self._messages: list[Message] = []
        self._releasing = False
        self._released = False
        self._receiving: anyio.CancelScope | None = None
        self._turning = Turn()
        self._sending = Turn()
        self._leaving = Turn()
        self._pumped_since: float | None = None
        self._silence = 0.0
        self._message_waited = 0.0

    @property
    def is_open(self) -> bool:
        """A request can be sent."""
        return self.trouble is None and self._upper_layer.is_open

    @property
    def has_data(self) -> bool:
        """Bytes have come that nobody has read."""
        return self._stream.has_data

    @property
    def in_message(self) -> bool:
        """A message has begun and is not complete."""
        return self._assembler.in_progress

    @property
    def stream(self) -> Stream:
        """The connection below, for what is to be known of it."""
        return self._stream

    def _trace(
        self,
        sent: bool,
        what: AssociateRQ | AssociateAC | AssociateRJ | Abort | Command,
        context_id: int = 0,
        identifier: bytes | None = None,
    ) -> None:
        if self.traffic is None:
            return
        syntax = ""
        if identifier is not None and self.accepted is not None:
            syntax = next(
                context.transfer_syntax
                for context in self.accepted.contexts
                if context.context_id == context_id
            )
        self.traffic.append(Traffic(self._peer, sent, what, identifier, syntax))

    def silence(self, now: float) -> float:
        """Seconds that were spent waiting for the peer between its messages, in all."""
        return self._silence + (0.0 if self.in_message else self._pumped_for(now))

    def message_waited(self, now: float) -> float:
        """Seconds that were spent waiting for the rest of the message in progress."""
        return self._message_waited + (self._pumped_for(now) if self.in_message else 0.0)

    def _pumped_for(self, now: float) -> float:
        return 0.0 if self._pumped_since is None else now - self._pumped_since

    async def request(self, rq: AssociateRQ) -> AssociateAC:
        """Send A-ASSOCIATE-RQ and return the peer's A-ASSOCIATE-AC (PS3.8 Section 7.1).

        Raises:
            PeerError: rejected, aborted, lost, timed out, or not DICOM.
        """
        started = time.monotonic()
        timeout = self._timeouts.associate
        deadline = after(started, timeout)
        self._upper_layer.connected(started)
        self._upper_layer.request(rq)
        self._trace(True, rq)
        await self._flush()
        while self.accepted is None:
            if not await self._turn(deadline):
                raise PeerTimeout(
                    f"no answer to the association request within {timeout:g} s",
                    "Check that the port is a DICOM port; -ta allows more time.",
                    phase="associate",
                    seconds=timeout or 0.0,
                )
            if self.trouble is not None and self.accepted is None:
                raise self.trouble
        return self.accepted

    async def send(
        self,
        context_id: int,
        command: Command,
        identifier: bytes | None,
        by: float | None = None,
    ) -> None:
        """Send one message in one write.

        Args:
            by: when to give up, should `Timeouts.send` be longer.

        Raises:
            PeerError: the association is gone, or the peer does not take our bytes in time.
        """
        if self.trouble is not None:
            raise self.trouble
        assert self.accepted is not None
        pdvs = fragment(
            context_id,
            encode_command(command, identifier is not None),
            identifier,
            self.accepted.user_information.max_length,
        )
        self._trace(True, command, context_id, identifier)
        await self._write(pdvs, by)

    def take_messages(self) -> list[Message]:
        """Take the messages that have come."""
        messages, self._messages = self._messages, []
        return messages

    async def pump(self, deadline: float | None) -> bool:
        """Read until something has come; False when the deadline passed, or we aborted, first."""
        if self.trouble is not None:
            return True
        started = self._pumped_since = time.monotonic()
        in_message, messages = self.in_message, len(self._messages)
        try:
            return await self._turn(deadline, while_open=True)
        finally:
            self._pumped_since = None
            waited = time.monotonic() - started
            if in_message:
                self._message_waited += waited
            else:
                self._silence += waited
            if not self.in_message or len(self._messages) > messages:
                self._message_waited = 0.0

    async def violated(self, text: str) -> PeerError:
        """Abort because of what the peer sent; returns the error to raise."""
        error = MalformedMessage(text, "The archive breaks the DICOM protocol; tell its vendor.")
        self.trouble = error
        await self.abort()
        return error

    async def release(self) -> str:
        """Release the association and close; returns what went wrong, in words."""
        late = ""
        if self.trouble is None and self._upper_layer.is_open:
            # A PeerError is kept as `trouble`, whoever raises it.
            with contextlib.suppress(PeerError):
                late = await self._await_release()
        if self._released:
            await self._stream.close()
            return ""
        trouble = late or (self.trouble.text if self.trouble is not None else "")
        await self.abort()
        return trouble

    async def _await_release(self) -> str:
        self._releasing = True
        self._upper_layer.release()
        await self._flush()
        deadline = time.monotonic() + self._timeouts.release
        while not self._released and self.trouble is None:
            if not await self._turn(deadline):
                return f"no answer to A-RELEASE within {self._timeouts.release:g} s"
        return ""

    async def abort(self, why: str = "") -> None:
        """Abort the association (PS3.8 Section 7.3), then close; does nothing once it is gone.

        Waits a moment for the peer to close first: closing with its bytes unread would make the
        kernel send RST, which can destroy the A-ABORT on its way.

        Args:
            why: what `trouble` says, should others wait for something.
        """
        with anyio.CancelScope(shield=True):
            async with self._leaving:
                if not self._upper_layer.is_closed:
                    self.is_aborted_by_us = self.trouble is None
                    self._fail(AssociationAborted(f"we aborted the association{why}"))
                    self._upper_layer.abort(time.monotonic())
                    if self._receiving is not None:
                        self._receiving.cancel()  # whoever pumps is to see that it is over
                    deadline = time.monotonic() + _GOODBYE
                    with contextlib.suppress(PeerError), anyio.move_on_after(_GOODBYE):
                        await self._flush()
                        while await self._turn(deadline):
                            if self._upper_layer.is_closed:
                                break
                if self._upper_layer.is_closed:
                    await self._stream.close()
                else:
                    self._stream.abort()

    async def _turn(self, deadline: float | None, *, while_open: bool = False) -> bool:
        """One turn: bytes in, indications taken, bytes out. False when `deadline` passed, or, with
        `while_open`, when the association has ended meanwhile.
        """
        # A peer that always has more for us must not keep others, or a cancellation, waiting.
        await anyio.lowlevel.checkpoint()
        async with self._turning:
            if while_open and self.trouble is not None:
                return False
            data = await self._receive(deadline)
            if data is None:
                return False
            now = time.monotonic()
            if data:
                indications = self._upper_layer.receive_data(data, now)
            else:
                indications = self._upper_layer.receive_eof(now)
            self._take(indications, now)
        await self._flush()
        return True

    async def _receive(self, deadline: float | None) -> bytes | None:
        """What the peer sent; None when `deadline` passed, or somebody aborted, before that."""
        if self._stream.has_data:
            return await self._stream.receive()
        data: bytes | None = None
        with anyio.CancelScope(deadline=loop_time(deadline)) as scope:
            self._receiving = scope
            data = await self._stream.receive()
        self._receiving = None
        if data is None and self._stream.has_data:  # it came while we were stopped
            data = await self._stream.receive()
        return data

    async def _flush(self) -> None:
        """Send what the upper layer has to say by itself."""
        await self._write((), None)

    async def _write(self, pdvs: Sequence[PDV], by: float | None) -> None:
        """Send what the upper layer has to send, `pdvs` last, in one write."""
        data = self._upper_layer.data_to_send()
        if not data and not pdvs:
            return
        began, seconds = False, self._timeouts.send
        if by is not None:
            left = max(by - time.monotonic(), 0.0)
            if seconds is None or left < seconds:
                seconds = round(left, 3)
        deadline = after(time.monotonic(), seconds)
        with anyio.CancelScope(deadline=loop_time(deadline)) as scope:
            try:
                async with self._sending:
                    if pdvs:
                        if self.trouble is not None:
                            raise self.trouble
                        self._upper_layer.send_data(pdvs)
                        data += self._upper_layer.data_to_send()
                    began = True
                    await self._stream.send(data)
            except anyio.get_cancelled_exc_class():
                if began and not scope.cancel_called:
                    self._fail(AssociationAborted("we stopped in the middle of a message"))
                raise
        if scope.cancelled_caught:
            error = PeerTimeout(
                f"the peer did not take our message within {seconds:g} s",
                "The archive or the network is stuck; -ts allows more time.",
                phase="send",
                seconds=seconds or 0.0,
            )
            if began:  # part of it may be out, and no byte may follow it
                self._fail(error)
            raise error

    def _take(self, indications: Iterable[Indication], now: float) -> None:
        for indication in indications:
            match indication:
                case DataReceived():
                    self._take_data(indication, now)
                case AssociateConfirmed():
                    self.accepted = indication.ac
                    self._trace(False, indication.ac)
                case AssociateRejected():
                    self._trace(False, indication.rj)
                    self._fail(_rejected(indication.rj, self._peer))
                case ReleaseConfirmed():
                    self._released = True
                case ReleaseRequested():
                    if not self._releasing:  # else both asked at once, which ends it as well
                        self._fail(
                            AssociationAborted(
                                "the peer asked for release in the middle of the association",
                                "The archive ended the association; ask again.",
                                by="release",
                            )
                        )
                    self._upper_layer.respond_release(now)
                case Aborted():
                    abort = Abort(source=indication.source, reason=indication.reason)
                    self._trace(False, abort)
                    self._fail(
                        AssociationAborted(
                            f"the peer aborted the association ({abort.text})",
                            "The archive's log says why.",
                            by="user" if abort.source == AbortSource.SERVICE_USER else "provider",
                        )
                    )
                case TransportLost():
                    self._fail(self._lost())
                case Violated():
                    self._fail(indication.error)
                case _:
                    raise LocalProtocolError(f"{type(indication).__name__} at a requestor")

    def _take_data(self, indication: DataReceived, now: float) -> None:
        if self.trouble is not None:
            return
        try:
            messages = self._assembler.feed(indication.pdvs)
            self._messages += messages
            if self.traffic is not None:
                for context_id, command, identifier in messages:
                    self._trace(False, command, context_id, identifier)
            error = self._assembler.error
        except PeerError as exc:
            error = exc
        if error is not None:
            self._fail(error)
            self._upper_layer.abort(now)

    def _fail(self, error: PeerError) -> None:
        if self.trouble is None:  # the first is the cause, what follows is its echo
            self.trouble = error

    def _lost(self) -> PeerError:
        if isinstance(self._stream.error, TlsFailed):
            return self._stream.error
        before = " before it answered the association request" if self.accepted is None else ""
        how = "reset" if self._stream.error is not None else "closed"
        where = "a DICOM port without TLS" if self._peer.tls is None else "that of a DICOM service"
        return AssociationLost(
            f"the peer {how} the connection{before}",
            f"Check that the port is {where} and that the archive allows this calling AE title."
            if self.accepted is None
            else "The archive's log says why.",
        )


def _rejected(rj: AssociateRJ, peer: Peer) -> AssociationRejected:
    if rj.is_busy:
        hint = "The archive has no room now; try again later or with fewer --associations."
    elif (rj.source, rj.reason) == (1, 7):
        hint = f"Check the called AE title '{safe(peer.called)}' (-aec or AET@host:port)."
    elif (rj.source, rj.reason) == (1, 3):
        hint = f"Have the archive allow the calling AE title '{safe(peer.calling)}', or set -aet."
    else:
        hint = "Check both AE titles and the archive's log."
    if peer.identity is not None and (rj.source, rj.reason) not in ((3, 1), (3, 2)):
        # There is no reason of its own for it: peers reject with any, some with a transient one.
        hint += f" It may also be that the archive does not accept the {peer.identity.words}."
    return AssociationRejected(
        f"association rejected: {rj.text} ({rj.result}/{rj.source}/{rj.reason})",
        hint,
        result=int(rj.result),
        source=int(rj.source),
        reason=rj.reason,
        busy=rj.is_busy,
    )


def after(now: float, timeout: float | None) -> float | None:
    """The deadline `timeout` seconds after `now`; None waits for ever."""
    return None if timeout is None else now + timeout


def loop_time(deadline: float | None) -> float:
    """A deadline on `time.monotonic` as anyio's clock, whose origin is the event loop's."""
    if deadline is None:
        return float("inf")
    return anyio.current_time() + (deadline - time.monotonic())
