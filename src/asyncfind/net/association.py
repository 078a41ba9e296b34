"""One association in one coroutine: request, find, echo, cancel, release, abort."""

import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
import anyio.lowlevel

from asyncfind.dimse.command import (
    VERIFICATION,
    Command,
    EchoRQ,
    EchoRSP,
    encode_command,
)
from asyncfind.dimse.message import Assembler, Message, fragment
from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    LocalProtocolError,
    MalformedMessage,
    NoPresentationContext,
    PeerError,
    PeerTimeout,
)
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.net.responses import Responses
from asyncfind.net.transport import Stream, connect
from asyncfind.plan import DEFAULT_SYNTAXES, Limits, Peer, Query, Timeouts
from asyncfind.query.models import Model, model_of
from asyncfind.query.syntax import IMPLICIT_VR_LITTLE_ENDIAN, SYNTAXES, TransferSyntax
from asyncfind.records import Find
from asyncfind.safe import safe
from asyncfind.ul.items import PresentationContextRQ, UserInformation
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

__all__ = ["Association", "associate"]

_GOODBYE: Final = 0.5
"""Seconds that clean-up may take once something has gone wrong or was cancelled."""


class Association:
    """An association that we requested (PS3.8 Section 7), open until released or aborted.

    Made by `associate`. One operation at a time: a find that was left early is cancelled before
    the next operation begins.

    Attributes:
        peer: whom we talk to.
        accepted: the peer's A-ASSOCIATE-AC.
    """

    def __init__(
        self, stream: Stream, peer: Peer, timeouts: Timeouts, limits: Limits, max_pdu_length: int
    ) -> None:
        self.peer = peer
        self.timeouts = timeouts
        self.limits = limits
        self.accepted: AssociateAC | None = None
        self.connect_seconds = 0.0
        self.associate_seconds = 0.0
        self._stream = stream
        self._upper_layer = UpperLayer(max_pdu_length=max_pdu_length)
        self._max_pdu_length = max_pdu_length
        self._assembler = Assembler(max_identifier=limits.max_identifier)
        self._contexts: dict[str, tuple[int, TransferSyntax]] = {}
        self._messages: deque[Message] = deque()
        self._trouble: PeerError | None = None
        self._releasing = False
        self._released = False
        self._message_id = 0
        self._open_find: Responses | None = None

    # Opening.

    async def request(self, models: Sequence[str], syntaxes: Sequence[TransferSyntax]) -> None:
        """Request the association (PS3.8 Section 7.1) with one presentation context per SOP class.

        Args:
            models: abstract syntax UIDs.
            syntaxes: transfer syntaxes of each, the preferred one first.

        Raises:
            PeerError: rejected, aborted, lost, timed out, or not DICOM.
        """
        rq = AssociateRQ(
            called=self.peer.called,
            calling=self.peer.calling,
            contexts=tuple(
                PresentationContextRQ(
                    context_id=2 * index + 1,
                    abstract_syntax=uid,
                    transfer_syntaxes=_proposed(uid, syntaxes),
                )
                for index, uid in enumerate(models)
            ),
            user_information=UserInformation(
                max_length=self._max_pdu_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            ),
        )
        started = time.monotonic()
        deadline = _after(started, self.timeouts.associate)
        self._upper_layer.connected(started)
        self._upper_layer.request(rq)
        await self._flush()
        while self.accepted is None:
            if not await self._pump(deadline):
                raise PeerTimeout(
                    f"no answer to the association request within {self.timeouts.associate:g} s",
                    "Check that the port is a DICOM port; -ta allows more time.",
                    phase="associate",
                    seconds=self.timeouts.associate or 0.0,
                )
            if self._trouble is not None and self.accepted is None:
                raise self._trouble
        self.associate_seconds = time.monotonic() - started
        by_id = {context.context_id: context.abstract_syntax for context in rq.contexts}
        for context in self.accepted.contexts:
            if context.result == 0:
                syntax = SYNTAXES[context.transfer_syntax]
                self._contexts[by_id[context.context_id]] = (context.context_id, syntax)
        if not self._contexts:
            await self.release()
            self.context_of(models[0])

    # Operations.

    def find(
        self,
        query: Query,
        *,
        find: Find | None = None,
        cancel_after: int | None = None,
        deflate_level: int = 6,
    ) -> Responses:
        """Ask one C-FIND (PS3.7 Section 9.1.2); nothing is sent before the result is awaited.

        Args:
            find: what the matches are to refer to; made from `query` when None.
            cancel_after: send C-CANCEL-RQ once this many responses have come (PS3.7 9.3.2.3).
            deflate_level: zlib's level where the accepted transfer syntax is deflated.

        Returns:
            an async iterator of `Match`, to be used in `async with` or to its end.
        """
        if find is None:
            find = Find(self.peer, query, 1, 0)
        return Responses(self, find, cancel_after=cancel_after, deflate_level=deflate_level)

    async def echo(self) -> int:
        """Send C-ECHO (PS3.7 Section 9.1.5) and return the peer's status.

        Raises:
            PeerError: no context for Verification, or the peer failed.
        """
        await self.settle()
        context_id, _ = self.context_of(VERIFICATION)
        rq = EchoRQ(message_id=self.next_message_id())
        await self.send(context_id, rq, None)
        timeout = self.timeouts.response
        deadline = _after(time.monotonic(), timeout)
        while not (messages := self.take_messages()):
            if not await self.pump(deadline):
                raise PeerTimeout(
                    f"no answer to C-ECHO within {timeout:g} s",
                    "The archive may be busy; -td allows more time.",
                    phase="response",
                    seconds=timeout or 0.0,
                )
        command = messages[0].command
        if not isinstance(command, EchoRSP) or command.message_id != rq.message_id:
            raise await self.violated("a message that is no answer to our C-ECHO")
        return command.status

    async def release(self) -> str:
        """Release the association (PS3.8 Section 7.2) and close the connection.

        Trouble while releasing changes nothing about what was received: it is returned in words
        (empty when all went well), not raised.
        """
        await self.settle()
        trouble = ""
        if self._trouble is None and self._upper_layer.is_open:
            self._releasing = True
            self._upper_layer.release()
            await self._flush()
            deadline = time.monotonic() + self.timeouts.release
            while not self._released and self._trouble is None:
                if not await self._pump(deadline):
                    trouble = f"no answer to A-RELEASE within {self.timeouts.release:g} s"
                    break
            if self._trouble is not None and not self._released:
                trouble = self._trouble.text
        if self._released:
            await self._stream.close()
        else:
            await self.abort()
        return trouble

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
                with anyio.move_on_after(_GOODBYE):
                    await self._flush()
                    while await self._pump(deadline):
                        if self._upper_layer.is_closed:
                            break
            if self._upper_layer.is_closed:
                await self._stream.close()
            else:
                self._stream.abort()

    # What an operation in progress needs; `Responses` is the other half of this class.

    @property
    def trouble(self) -> PeerError | None:
        """Why the association ended under us; None while it is usable."""
        return self._trouble

    @property
    def is_usable(self) -> bool:
        """Another operation can begin."""
        return self._trouble is None and self._upper_layer.is_open and not self._stream.has_data

    def context_of(self, uid: str) -> tuple[int, TransferSyntax]:
        """The accepted presentation context id and transfer syntax of SOP class `uid`.

        Raises:
            NoPresentationContext: the peer did not accept it.
        """
        try:
            return self._contexts[uid]
        except KeyError:
            title = "Verification" if uid == VERIFICATION else model_of(uid).title
            raise NoPresentationContext(
                f"the peer does not accept {title} ({uid})",
                "Ask with another information model (-W, -P, -S, -O or --model), "
                "or check what the archive allows this calling AE title.",
            ) from None

    def next_message_id(self) -> int:
        """1, 2, 3 ... within 16 bits, never 0 (PS3.7 Section 9.1.2.1.1)."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    async def begin(self, responses: Responses) -> None:
        """Make `responses` the operation in progress; an earlier one is cancelled first."""
        await self.settle()
        self._open_find = responses

    def end(self) -> None:
        """The operation in progress has its final response, or the association is gone."""
        self._open_find = None

    async def settle(self) -> None:
        """End a find that was left early."""
        if self._open_find is not None:
            await self._open_find.aclose()

    async def send(self, context_id: int, command: Command, identifier: bytes | None) -> None:
        """Send one message in one write.

        Raises:
            PeerError: the association is gone, or the peer does not take our bytes in time.
        """
        if self._trouble is not None:
            raise self._trouble
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
        if not messages and self._trouble is not None:
            raise self._trouble
        return messages

    async def pump(self, deadline: float | None) -> bool:
        """Read until something has come; False when the deadline passed first."""
        if self._trouble is not None:
            return True
        return await self._pump(deadline)

    @property
    def in_message(self) -> bool:
        """A message has begun and is not complete."""
        return self._assembler.in_progress

    async def violated(self, text: str) -> PeerError:
        """Abort because of what the peer sent; returns the error to raise."""
        error = MalformedMessage(text, "The archive breaks the DICOM protocol; tell its vendor.")
        self._trouble = error
        await self.abort()
        return error

    # Bytes.

    async def _pump(self, deadline: float | None) -> bool:
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
        timeout = self.timeouts.send
        with anyio.CancelScope(deadline=_loop_time(_after(time.monotonic(), timeout))) as scope:
            await self._stream.send(data)
        if scope.cancelled_caught:
            self._trouble = PeerTimeout(
                f"the peer did not take our message within {timeout:g} s",
                "The archive or the network is stuck; -ts allows more time.",
                phase="send",
                seconds=timeout or 0.0,
            )
            raise self._trouble

    def _take(self, indications: Iterable[Indication], now: float) -> None:
        for indication in indications:
            match indication:
                case DataReceived():
                    self._take_data(indication, now)
                case AssociateConfirmed():
                    self.accepted = indication.ac
                case AssociateRejected():
                    self._fail(_rejected(indication.rj, self.peer))
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
        if self._trouble is not None:
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
        if self._trouble is None:  # the first is the cause, what follows is its echo
            self._trouble = error

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


@asynccontextmanager
async def associate(
    peer: Peer,
    models: Iterable[str | Model] = ("study",),
    *,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    syntaxes: Sequence[TransferSyntax] = DEFAULT_SYNTAXES,
    max_pdu_length: int = 16384,
    verification: bool = False,
    abort: bool = False,
) -> AsyncIterator[Association]:
    """Open an association with `peer`; released at the end of the block, aborted on error.

    Args:
        models: information models to propose, by name (`study`, `worklist`, ...) or UID.
        syntaxes: transfer syntaxes to propose, the preferred one first.
        max_pdu_length: the largest P-DATA-TF we take, in bytes (PS3.8 Annex D.1).
        verification: propose Verification (C-ECHO) too.
        abort: end with A-ABORT instead of A-RELEASE.

    Raises:
        InvalidRequest: an unknown model.
        PeerError: no connection, rejected, aborted, timed out, or not DICOM.
    """
    uids = [VERIFICATION] if verification else []
    uids += [model.uid if isinstance(model, Model) else model_of(model).uid for model in models]
    timeouts = timeouts or Timeouts()
    started = time.monotonic()
    stream = await connect(peer, timeouts.connect)
    association = Association(stream, peer, timeouts, limits or Limits(), max_pdu_length)
    association.connect_seconds = time.monotonic() - started
    try:
        await association.request(list(dict.fromkeys(uids)), syntaxes)
        yield association
        if abort:
            await association.settle()
        else:
            await association.release()
    finally:
        # Once released there is nothing left to abort.
        await association.abort()


def _proposed(uid: str, syntaxes: Sequence[TransferSyntax]) -> tuple[str, ...]:
    if uid == VERIFICATION:
        return (IMPLICIT_VR_LITTLE_ENDIAN.uid,)
    return tuple(syntax.uid for syntax in syntaxes)


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


def _after(now: float, timeout: float | None) -> float | None:
    return None if timeout is None else now + timeout


def _loop_time(deadline: float | None) -> float:
    """A deadline on `time.monotonic` as anyio's clock, whose origin is the event loop's."""
    if deadline is None:
        return float("inf")
    return anyio.current_time() + (deadline - time.monotonic())
