"""One association that we accepted, in one coroutine: C-FIND, C-CANCEL, C-ECHO, release.

The same upper layer and DIMSE as the requestor's, the other way round. Responses go out in
batches, one write for many, and wait while the peer does not read.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.lowlevel

from asyncfind.dimse.command import (
    VERIFICATION,
    CancelRQ,
    EchoRQ,
    EchoRSP,
    FindRQ,
    FindRSP,
    encode_command,
)
from asyncfind.dimse.message import Assembler, Message, fragment
from asyncfind.errors import PeerError
from asyncfind.net.transport import Stream
from asyncfind.scp import script as steps
from asyncfind.scp.answers import Source
from asyncfind.scp.batch import Batch
from asyncfind.scp.counters import Counters
from asyncfind.scp.interleaved import Interleaved, refusal
from asyncfind.scp.line import Line
from asyncfind.scp.negotiation import Agreement, Policy, agree
from asyncfind.scp.script import Moment, Script
from asyncfind.scp.search import QueryRefused
from asyncfind.ul.pdu import PDV, AssociateRJ, AssociateRQ
from asyncfind.ul.upper_layer import (
    AssociateRequested,
    DataReceived,
    Indication,
    ReleaseRequested,
)

__all__ = ["Gate", "Pace", "Session"]

_SUCCESS: Final = 0x0000
_CANCELLED: Final = 0xFE00
_NO_SUCH_CLASS: Final = 0x0122
_BATCH: Final = 32 * 1024
"""Bytes of identifiers that one write carries."""
_MAX_WAITING: Final = 64
"""Requests sent before their predecessor is answered, although no such window was negotiated."""
_GOODBYE: Final = 0.5
"""Seconds that the peer has to close after our A-ABORT, when the server ends."""

Gate = Callable[[AssociateRQ], AssociateRJ | None]
"""Decides whether an association is rejected."""


class _Over(Exception):
    """A script has ended the connection, or the peer has while we were silent."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow an archive is.

    Args:
        query: seconds before the first response.
        response: seconds between two responses.
    """

    query: float = 0.0
    response: float = 0.0


class Session:
    """The acceptor's side of one association.

    Args:
        stream: a new connection; `run` closes it.
        source: answers the queries.
        gate: says no to an association request, or nothing.
        script: how to misbehave; QUERY, RESPONSE, FINAL and ANSWERED come only where no window of
            more than one operation was agreed.
    """

    def __init__(
        self,
        stream: Stream,
        source: Source,
        gate: Gate,
        *,
        policy: Policy,
        pace: Pace,
        counters: Counters,
        script: Script,
    ) -> None:
        self._line = Line(stream, policy.max_pdu_length)
        self._upper_layer = self._line.upper_layer
        self._source = source
        self._gate = gate
        self._policy = policy
        self._pace = pace
        self._counters = counters
        self._script = script
        self._assembler = Assembler()
        self._agreement: Agreement | None = None
        self._interleaved: Interleaved | None = None
        self._waiting: deque[Message] = deque()
        self._query = 0
        self._message_id: int | None = None
        self._cancelled = False
        self._cancelled_early: set[int] = set()

    async def run(self) -> None:
        """Serve until the connection has ended; cancellation aborts the association."""
        over = False
        try:
            await self._act(Moment.CONNECTED)
            while not self._upper_layer.should_close:
                await self._pump()
                while self._waiting and self._upper_layer.is_open:
                    if self._interleaved is not None:
                        await self._serve_together(self._interleaved)
                    else:
                        await self._serve(self._waiting.popleft())
        except _Over:
            over = True
        finally:
            if self._interleaved is not None:
                self._interleaved.end()
            if self._agreement is not None:
                self._counters.associations -= 1
                self._counters.changed()
            with anyio.CancelScope(shield=True):
                if not over and not self._upper_layer.should_close:
                    await self._abort()
                await self._line.stream.close()

    async def _abort(self) -> None:
        """A-ABORT, and a moment for the peer to close: with bytes unread the kernel would reset."""
        self._upper_layer.abort(anyio.current_time())
        with anyio.move_on_after(_GOODBYE):
            await self._line.flush()
            while not self._upper_layer.should_close:
                await self._pump()
        if not self._upper_layer.should_close:
            self._line.stream.abort()

    async def _pump(self, deadline: float | None = None) -> None:
        """One turn: bytes or time in, indications taken, bytes out; ends by `deadline`."""
        for indication in await self._line.receive(deadline):
            await self._take(indication)
        await self._line.flush()

    async def _listen(self) -> None:
        """Take what has come meanwhile, without waiting for more."""
        await anyio.lowlevel.checkpoint()
        while self._line.stream.has_data and self._upper_layer.is_open:
            await self._pump()

    async def _pause(self, seconds: float) -> None:
        """Wait, but notice a C-CANCEL and the end of the association."""
        deadline = anyio.current_time() + seconds
        while self._goes_on and anyio.current_time() < deadline:
            await self._pump(deadline)

    @property
    def _goes_on(self) -> bool:
        """The query in progress is neither cancelled nor cut off."""
        return self._upper_layer.is_open and not self._cancelled

    # Indications.

    async def _take(self, indication: Indication) -> None:
        match indication:
            case AssociateRequested():
                await self._decide(indication.rq)
            case DataReceived():
                await self._take_data(indication.pdvs)
            case ReleaseRequested():
                self._counters.releases += 1
                self._counters.changed()
                if not isinstance(await self._act(Moment.RELEASE), steps.Ignore):
                    self._upper_layer.respond_release(anyio.current_time())
            case _:
                pass  # the end of the association; the upper layer's state says the rest

    async def _decide(self, rq: AssociateRQ) -> None:
        if await self._act(Moment.REQUESTED) is not None:
            return
        rejection = self._gate(rq)
        if rejection is not None:
            self._upper_layer.reject(rejection, anyio.current_time())
            self._counters.rejected += 1
        else:
            agreement = agree(rq, self._source.models, self._policy)
            self._upper_layer.accept(agreement.ac)
            self._agreement = agreement
            if agreement.window > 1:
                self._interleaved = Interleaved(self._source, agreement, self._counters)
            self._counters.accepted += 1
            self._counters.associations += 1
            self._counters.peak = max(self._counters.peak, self._counters.associations)
        self._counters.changed()

    async def _take_data(self, pdvs: list[PDV]) -> None:
        messages: list[Message] = []
        with contextlib.suppress(PeerError):  # raised where no message is before the breach
            messages = self._assembler.feed(pdvs)
        for message in messages:
            await self._take_message(message)
        if self._assembler.error is not None:
            self._upper_layer.abort(anyio.current_time())

    async def _take_message(self, message: Message) -> None:
        known = self._agreement is not None and message.context_id in self._agreement.contexts
        command = message.command
        if known and isinstance(command, CancelRQ):
            self._counters.cancels += 1
            self._counters.changed()
            await self._cancel(command.message_id)
        elif known and isinstance(command, FindRQ | EchoRQ) and len(self._waiting) < _MAX_WAITING:
            self._waiting.append(message)
        else:
            self._upper_layer.abort(anyio.current_time())

    async def _cancel(self, message_id: int) -> None:
        """Stop a query; one that has ended crossed its final response, which says it all."""
        if message_id == self._message_id:
            if not isinstance(await self._act(Moment.CANCEL), steps.Ignore):
                self._cancelled = True
        elif self._interleaved is not None and message_id in self._interleaved:
            if not isinstance(await self._act(Moment.CANCEL), steps.Ignore):
                self._interleaved.cancel(message_id)
        elif message_id in {message.command.message_id for message in self._waiting}:
            self._cancelled_early.add(message_id)

    # Requests.

    async def _serve(self, message: Message) -> None:
        command = message.command
        try:
            if isinstance(command, FindRQ):
                await self._find(message.context_id, command, message.identifier or b"")
            elif isinstance(command, EchoRQ):
                self._counters.echoes += 1
                self._counters.changed()
                if await self._act(Moment.ECHO) is None:
                    rsp = EchoRSP(command.message_id, _SUCCESS, VERIFICATION)
                    await self._line.send(self._fragments(message.context_id, rsp))
        except PeerError:  # a maximum length that no fragment fits
            self._upper_layer.abort(anyio.current_time())
            await self._line.flush()

    async def _serve_together(self, interleaved: Interleaved) -> None:
        """Answer what waits, as many queries at a time as were agreed, until nothing is left."""
        assert self._agreement is not None
        while (self._waiting or interleaved.count) and self._upper_layer.is_open:
            while self._waiting and interleaved.count < self._agreement.window:
                message = self._waiting.popleft()
                if not isinstance(message.command, FindRQ):
                    await self._serve(message)
                    continue
                identifier = message.identifier or b""
                pdvs = interleaved.begin(message.context_id, message.command, identifier)
                if message.command.message_id in self._cancelled_early:
                    self._cancelled_early.discard(message.command.message_id)
                    interleaved.cancel(message.command.message_id)
                await self._line.send(pdvs)
            await self._line.send(interleaved.step())
            await self._pause(self._pace.response)
            await self._listen()

    async def _find(self, context_id: int, rq: FindRQ, identifier: bytes) -> None:
        self._query += 1
        self._message_id = rq.message_id
        self._cancelled = rq.message_id in self._cancelled_early
        self._cancelled_early.discard(rq.message_id)
        self._counters.queries += 1
        self._counters.running += 1
        self._counters.changed()
        try:
            final = await self._answer(context_id, rq, identifier)
            await self._line.send(self._fragments(context_id, final))
        finally:
            self._message_id = None
            self._counters.running -= 1
            self._counters.changed()
        await self._act(Moment.ANSWERED)

    async def _answer(self, context_id: int, rq: FindRQ, identifier: bytes) -> FindRSP:
        """Send the matches; returns the final response."""
        assert self._agreement is not None
        sop_class, syntax = self._agreement.contexts[context_id]
        action = await self._act(Moment.QUERY)
        await self._pause(self._pace.query)
        if action is None and self._goes_on:
            if sop_class not in self._source.models:
                return FindRSP(rq.message_id, _NO_SUCH_CLASS, rq.sop_class)
            try:
                matches = self._source.respond(
                    sop_class,
                    identifier,
                    syntax,
                    relational=sop_class in self._agreement.relational,
                )
            except QueryRefused as exc:
                return refusal(rq, exc)
            action = await self._send_matches(context_id, rq, matches)
        if action is None and self._goes_on:
            action = await self._act(Moment.FINAL)
        if isinstance(action, steps.Finish):
            return FindRSP(
                rq.message_id,
                action.status,
                rq.sop_class,
                offending=action.offending,
                comment=action.comment,
            )
        status = _CANCELLED if self._cancelled else _SUCCESS
        return FindRSP(rq.message_id, status, rq.sop_class)

    async def _send_matches(
        self, context_id: int, rq: FindRQ, matches: Iterable[tuple[int, bytes] | None]
    ) -> steps.Action | None:
        """Send pending responses until there are no more, or none are wanted."""
        batch = Batch(
            lambda status, identifier: self._fragments(
                context_id, FindRSP(rq.message_id, status, rq.sop_class), identifier
            )
        )
        stops = deque(self._script.stops(self._query))
        pause = self._pace.response
        for match in matches:
            if match is not None:
                batch.add(*match)
                if batch.size < _BATCH and not pause and not (stops and batch.total == stops[0]):
                    continue
            await self._send_batch(batch)
            if stops and batch.total == stops[0]:
                action = await self._act(Moment.RESPONSE, stops.popleft())
                if action is not None:
                    return action
            if pause and match is not None:
                await self._pause(pause)
            await self._listen()
            if not self._goes_on:
                break
        await self._send_batch(batch)
        return None

    async def _send_batch(self, batch: Batch) -> None:
        pdvs, responses = batch.take()
        if responses:
            await self._line.send(pdvs)
            self._counters.responses += responses
            self._counters.changed()

    def _fragments(
        self, context_id: int, command: FindRSP | EchoRSP, identifier: bytes | None = None
    ) -> list[PDV]:
        assert self._agreement is not None
        encoded = encode_command(command, identifier is not None)
        return fragment(context_id, encoded, identifier, self._agreement.peer_max_length)

    # Misbehaviour.

    async def _act(self, moment: Moment, after: int = 0) -> steps.Action | None:
        """Do what the script says; returns what replaces the normal course, None to go on with it.

        Raises:
            _Over: there is no connection any more.
        """
        for action in self._script.actions(moment, self._query, after):
            await self._line.flush()
            now = anyio.current_time()
            match action:
                case steps.Delay():
                    await (self._pause if self._upper_layer.is_open else anyio.sleep)(
                        action.seconds
                    )
                    continue
                case steps.Send():
                    await self._line.write(action.data)
                    continue
                case steps.Split():
                    self._line.slices = action.size, action.pause
                    continue
                case steps.Close():
                    raise _Over
                case steps.Reset():
                    self._line.stream.abort()
                    raise _Over
                case steps.Stall():
                    await self._stall(action)
                case steps.Abort():
                    self._upper_layer.abort(now, action.source, action.reason)
                case steps.Reject():
                    rj = AssociateRJ(
                        result=action.result, source=action.source, reason=action.reason
                    )
                    self._upper_layer.reject(rj, now)
                    self._counters.rejected += 1
                    self._counters.changed()
                case steps.Release():
                    self._upper_layer.release()
                case steps.Finish() | steps.Ignore():
                    pass
            await self._line.flush()
            return action
        return None

    async def _stall(self, stall: steps.Stall) -> None:
        """Silent until the peer has gone, or for ever."""
        if stall.deaf:
            await anyio.sleep_forever()
        while await self._line.stream.receive():
            pass
        raise _Over
