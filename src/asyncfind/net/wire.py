"""The bytes of one association: upper layer and messages on a stream, pumped by its owner."""

import contextlib
import time
from collections import deque
from collections.abc import Iterable
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
)
from asyncfind.net.transport import Stream
from asyncfind.plan import Peer, Timeouts
from asyncfind.safe import safe
from asyncfind.ul.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ
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

__all__ = ["Wire", "after"]

_GOODBYE: Final = 0.5
"""Seconds that clean-up may take once something has gone wrong or was cancelled."""


class Wire:
    """A requestor's upper layer and message assembly on a stream.

    Nothing happens by itself: whoever waits for something pumps until it has come.

    Attributes:
        accepted: the peer's A-ASSOCIATE-AC; None before it has come.
        trouble: why the association ended under us; None while it is usable.
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
        self._stream = stream
        self._peer = peer
        self._timeouts = timeouts
        self._upper_layer = UpperLayer(max_pdu_length=max_pdu_length)
        self._assembler = Assembler(max_identifier=max_identifier)
        self._messages: deque[Message] = deque()
        self._releasing = False
        self._released = False

    @property
    def is_usable(self) -> bool:
        """A request can be sent, and nothing unasked has come."""
        return self.trouble is None and self._upper_layer.is_open and not self._stream.has_data

    @property
    def in_message(self) -> bool:
        """A message has begun and is not complete."""
        return self._assembler.in_progress

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

    async def send(self, context_id: int, command: Command, identifier: bytes | None) -> None:
        """Send one message in one write.

        Raises:
            PeerError: the association is gone, or the peer does not take our bytes in time.
        """
        if self.trouble is not None:
            raise self.trouble
        assert self.accepted is not None
        self._upper_layer.send_data(
            fragment(
                context_id,
                encode_command(command, identifier is not None),
                identifier,
                self.accepted.user_information.max_length,
            )
        )
        await self._flush()

    def take_messages(self) -> list[Message]:
        """Take the messages that have come; after the last, raises what ended the association."""
        messages = list(self._messages)
        self._messages.clear()
        if not messages and self.trouble is not None:
            raise self.trouble
        return messages

    async def pump(self, deadline: float | None) -> bool:
        """Read until something has come; False when the deadline passed first."""
        if self.trouble is not None:
            return True
        return await self._turn(deadline)

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

    async def abort(self) -> None:
        """Abort the association (PS3.8 Section 7.3), then close; does nothing once it is gone.

        Waits a moment for the peer to close first: closing with its bytes unread would make the
        kernel send RST, which can destroy the A-ABORT on its way.
        """
        with anyio.CancelScope(shield=True):
            if not self._upper_layer.is_closed:
                self._fail(AssociationAborted("we aborted the association"))
                self._upper_layer.abort(time.monotonic())
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

    async def _turn(self, deadline: float | None) -> bool:
        """One turn: bytes in, indications taken, bytes out. False when `deadline` passed."""
        # A peer that always has more for us must not keep others, or a cancellation, waiting.
        await anyio.lowlevel.checkpoint()
        data: bytes | None = None
        if deadline is None or self._stream.has_data:
            data = await self._stream.receive()
        else:
            with anyio.CancelScope(deadline=_loop_time(deadline)):
                data = await self._stream.receive()
            if data is None and self._stream.has_data:  # it came while we were stopped
                data = await self._stream.receive()
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

    async def _flush(self) -> None:
        data = self._upper_layer.data_to_send()
        if not data:
            return
        timeout = self._timeouts.send
        with anyio.CancelScope(deadline=_loop_time(after(time.monotonic(), timeout))) as scope:
            await self._stream.send(data)
        if scope.cancelled_caught:
            error = PeerTimeout(
                f"the peer did not take our message within {timeout:g} s",
                "The archive or the network is stuck; -ts allows more time.",
                phase="send",
                seconds=timeout or 0.0,
            )
            self._fail(error)
            raise error

    def _take(self, indications: Iterable[Indication], now: float) -> None:
        for indication in indications:
            match indication:
                case DataReceived():
                    self._take_data(indication, now)
                case AssociateConfirmed():
                    self.accepted = indication.ac
                case AssociateRejected():
                    self._fail(_rejected(indication.rj, self._peer))
                case ReleaseConfirmed():
                    self._released = True
                case ReleaseRequested():
                    if not self._releasing:  # else both asked at once, which ends it as well
                        self._fail(
                            AssociationAborted(
                                "the peer asked for release in the middle of the association",
                                "The archive ended the association; ask again.",
                            )
                        )
                    self._upper_layer.respond_release(now)
                case Aborted():
                    words = Abort(source=indication.source, reason=indication.reason).text
                    self._fail(
                        AssociationAborted(
                            f"the peer aborted the association ({words})",
                            "The archive's log says why.",
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
            self._messages.extend(self._assembler.feed(indication.pdvs))
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
        before = " before it answered the association request" if self.accepted is None else ""
        how = "reset" if self._stream.error is not None else "closed"
        return AssociationLost(
            f"the peer {how} the connection{before}",
            "Check that the port is a DICOM port without TLS and that the archive allows this "
            "calling AE title."
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


def _loop_time(deadline: float | None) -> float:
    """A deadline on `time.monotonic` as anyio's clock, whose origin is the event loop's."""
    if deadline is None:
        return float("inf")
    return anyio.current_time() + (deadline - time.monotonic())
