"""The answers to one C-FIND-RQ (PS3.4 Section C.4.1, PS3.7 Section 9.1.2), as they come."""

import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import anyio
import anyio.lowlevel

from asyncfind.dimse.command import CancelRQ, FindRQ, FindRSP
from asyncfind.dimse.message import Message
from asyncfind.dimse.status import Category, describe
from asyncfind.errors import FindFailed, LimitExceeded, PeerError, PeerTimeout
from asyncfind.net.clocks import FindClocks
from asyncfind.plan import Quirk
from asyncfind.query.dialect import without_lone_wildcards, without_wildcards_in_dates
from asyncfind.query.element import Item
from asyncfind.query.writer import write_item
from asyncfind.records import Find, Match

if TYPE_CHECKING:
    from asyncfind.net.association import Association

__all__ = ["Responses"]

_CANCELLED: Final = 0xFE00
_PENDING: Final = 0xFF00
_LATE_GRACE: Final = 1.0
"""Seconds for a peer that has been late already to answer C-CANCEL."""
_INTERRUPT_GRACE: Final = 0.5
"""Seconds for the peer to answer C-CANCEL when the user wants the prompt back."""


class Responses(AsyncIterator[Match]):
    """Streams the matches of one query; leaving early sends C-CANCEL-RQ.

    Iterate over single matches, or call `batch` for all that have come at once.

    Attributes:
        find: what the matches refer to.
        status: the final status; None until it has come. FE00 also where an abort takes the place
            of a C-CANCEL that the peer is known to ignore.
        comment: the final response's Error Comment, as bytes.
        offending: the final response's Offending Elements, as tags.
        number: matches so far.
        cancelled: C-CANCEL-RQ was sent.
        limited: it was sent because of `Limits.max_responses`.
        left_early: the query was ended by `aclose`; `status`, if any, came after that.
        dropped: matches that came after that and were given to nobody.
        final_identifier: what the final response carries besides; None where it carries nothing.
        notes: oddities that changed nothing, in words.
        sent: monotonic instant at which C-FIND-RQ was handed to the kernel; None before.
        cancel_sent: the same of C-CANCEL-RQ.
        octets: bytes of the identifiers that `count` took.
    """

    def __init__(
        self,
        association: "Association",
        find: Find,
        *,
        cancel_after: int | None,
        deflate_level: int,
        by: float | None,
    ) -> None:
        self.find = find
        self.status: int | None = None
        self.comment = b""
        self.offending: tuple[int, ...] = ()
        self.number = 0
        self.cancelled = False
        self.limited = False
        self.left_early = False
        self.dropped = 0
        self.final_identifier: bytes | None = None
        self.notes: list[str] = []
        self.sent: float | None = None
        self.cancel_sent: float | None = None
        self.octets = 0
        self._association = association
        self._cancel_after = cancel_after
        self._deflate_level = deflate_level
        self._context_id = 0
        self._transfer_syntax = ""
        self._message_id = 0
        self._clocks = FindClocks(association.timeouts, association.wire, by)
        self._without_identifier = 0
        self._ready: deque[Match] = deque()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, anyio.get_cancelled_exc_class()):
            await self.aclose(_INTERRUPT_GRACE)
        elif isinstance(error, PeerTimeout) and error.phase != "query":
            await self.aclose(_LATE_GRACE)
        else:
            await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Match:
        """The next match.

        Raises:
            FindFailed: the final status is a failure; matches that came were given before.
            LimitExceeded: the peer had more than `Limits.max_responses`; as many were given.
            PeerError: the association ended or a deadline passed.
        """
        if not self._ready:
            self._ready.extend(await self.batch())
        if self._ready:
            return self._ready.popleft()
        assert self.status is not None
        if self.limited:
            raise LimitExceeded(
                f"stopped after {self.number} matches", "Narrow the query, or raise max_responses."
            )
        if not (self.cancelled and self.status == _CANCELLED) and not self.is_success:
            raise self.failure()
        raise StopAsyncIteration

    @property
    def due(self) -> float | None:
        """Instant on the monotonic clock at which it is to be over; None for no such deadline."""
        return self._clocks.query_by

    @property
    def is_success(self) -> bool:
        """The final status is a success of this SOP class."""
        return self.status is not None and (
            describe(self.status, self.find.query.model.uid).category is Category.SUCCESS
        )

    def failure(self) -> FindFailed:
        """The final status, which is no success, as an error in words."""
        assert self.status is not None
        status = describe(self.status, self.find.query.model.uid)
        text = f"status {self.status:04X}: {status.meaning}"
        if self.comment:
            text += f"; comment: {_words(self.comment)}"
        if self.offending:
            text += f"; offending elements: {', '.join(map(_tag_words, self.offending[:8]))}"
        return FindFailed(text, status.advice, status=self.status)

    async def start(self) -> None:
        """Send C-FIND-RQ, unless that was done.

        Raises:
            NoPresentationContext: the peer did not accept the model; nothing was sent.
            PeerError: the association is gone.
        """
        if self.sent is not None:
            return
        association, clocks = self._association, self._clocks
        query = self.find.query
        self._context_id, syntax = association.context_of(query.model.uid)
        self._transfer_syntax = syntax.uid
        item = _in_dialect(query.identifier, association.peer.quirks)
        identifier = write_item(item, syntax, deflate_level=self._deflate_level)
        clocks.started(time.monotonic())
        self._message_id = await association.begin(self)
        rq = FindRQ(message_id=self._message_id, sop_class=query.model.uid)
        try:
            await association.wire.send(self._context_id, rq, identifier, clocks.query_by)
        except BaseException as error:
            association.end(self._message_id)
            if isinstance(error, PeerTimeout) and clocks.is_over(time.monotonic()):
                raise clocks.query_over(0) from error
            raise
        self.sent = time.monotonic()
        clocks.sent(self.sent)

    async def batch(self) -> list[Match]:
        """Return the matches that have come, waiting for at least one; empty after the last.

        Raises:
            PeerError: the association ended or a deadline passed; it is then of no further use.
        """
        while messages := await self._come():
            if matches := await self._accept(messages):
                return matches
        return []

    async def count(self) -> int:
        """Take the matches that have come and return only how many; 0 after the last.

        For those who measure: identifiers are added up in `octets` and dropped. Raises as `batch`.
        """
        while messages := await self._come():
            before = self.number
            if rest := self._pass_over(messages):
                self.octets += sum(len(match.identifier) for match in await self._accept(rest))
            if self.number > before:
                return self.number - before
        return 0

    async def _come(self) -> list[Message]:
        """The messages that have come for us, waiting for at least one; none after the last."""
        await self.start()
        operations, clocks = self._association.operations, self._clocks
        while self.status is None:
            if operations.count > 1:
                # As long as others read for it, it may never wait, and so never be cancelled.
                await anyio.lowlevel.checkpoint_if_cancelled()
            messages = operations.take(self._message_id)
            if not messages:
                await operations.wait(self._message_id, clocks.deadline(time.monotonic()))
                if not operations.has(self._message_id) and (
                    late := clocks.overdue(time.monotonic(), self.number)
                ):
                    operations.pass_on()
                    raise late
                continue
            now = time.monotonic()
            if clocks.is_over(now) and (late := clocks.overdue(now, self.number)):
                raise late  # it goes on answering as if nothing were the matter
            clocks.answered(len(messages), now)
            return messages
        return []

    async def cancel(self) -> None:
        """Send C-CANCEL-RQ (PS3.7 Section 9.3.2.3), once; matches may still follow."""
        if self.cancelled or self.status is not None or self.sent is None:
            return
        self.cancelled = True
        self.cancel_sent = time.monotonic()
        if self._has_quirk(Quirk.NO_CANCEL):
            # It would be answered to the end: the way out that is left takes the association.
            await self._association.operations.abort(": a query on it was cancelled")
            self.status = _CANCELLED
            self._association.end(self._message_id)
            return
        self._clocks.ends_by(time.monotonic() + self._association.timeouts.cancel)
        await self._association.wire.send(self._context_id, CancelRQ(self._message_id), None)

    async def aclose(self, grace: float | None = None) -> None:
        """End the query: cancel it and drain what still comes; such matches do not count.

        An association whose peer does not end the query in time is aborted.

        Args:
            grace: seconds for the peer to end it; `Timeouts.cancel` when None.
        """
        association = self._association
        if self.sent is None or self.status is not None:
            return
        given, self.left_early = self.number, True
        end_by = time.monotonic() + (association.timeouts.cancel if grace is None else grace)
        with anyio.CancelScope(shield=True):
            self._clocks.has_left()
            # A PeerError says that it is gone: there is nothing left to end.
            with contextlib.suppress(PeerError):
                await self.cancel()
                # A deadline, which a peer that goes on answering does not extend.
                self._clocks.ends_by(end_by)
                while await self.batch():
                    pass
            self.dropped = self.number - given
            self.number = given
            if self.status is None:
                await association.operations.abort(": a query on it did not end in time")
                association.end(self._message_id)

    def _pass_over(self, messages: list[Message]) -> list[Message]:
        """Count the leading matches that are as they should be; returns the rest."""
        context_id, command, _ = messages[0]
        is_ordinary = (
            context_id == self._context_id
            and isinstance(command, FindRSP)
            and command.message_id == self._message_id
            and command.status in (0xFF00, 0xFF01)
            and command.sop_class in ("", self.find.query.model.uid)
            and not command.unusual
        )
        if not is_ordinary:
            return messages
        room = self._association.limits.max_responses - self.number - self._without_identifier
        if self._cancel_after is not None:  # the one that cancels is for `_accept`
            room = min(room, self._cancel_after - self.number - 1)
        passed = octets = 0
        for context, other, identifier in messages[: max(room, 0)]:
            # Repeated command sets are decoded once: the same object is the same bytes.
            if other is not command or context != context_id or identifier is None:
                break
            passed += 1
            octets += len(identifier)
        self.number += passed
        self.octets += octets
        return messages[passed:]

    async def _accept(self, messages: list[Message]) -> list[Match]:
        """Turn messages into matches; the last one may end the query."""
        matches: list[Match] = []
        context_id, message_id = self._context_id, self._message_id
        find, syntax = self.find, self._transfer_syntax
        sop_class = find.query.model.uid
        number = self.number
        limit = self._association.limits.max_responses
        for index, (context, command, identifier) in enumerate(messages):
            if (
                context != context_id
                or not isinstance(command, FindRSP)
                or command.message_id != message_id
            ):
                self.number = number
                await self._association.operations.violated(
                    "a message that is no answer to our C-FIND"
                )
                break
            if command.unusual:
                self._note(*command.unusual)
            if command.sop_class and command.sop_class != sop_class:
                self._note(f"a response names the SOP class {command.sop_class}")
            status = command.status
            if status != 0xFF00 and status != 0xFF01:
                if match := self._match_on_final(command, identifier):
                    if number + self._without_identifier >= limit:
                        self.limited = True
                    else:
                        number += 1
                        matches.append(match._replace(number=number))
                        identifier = None
                self.number = number
                await self._end(command, identifier, messages[index + 1 :])
                break
            if number + self._without_identifier >= limit:
                self.number = number
                await self._cut()
                continue
            if identifier is None:
                self._without_identifier += 1
                self._note(f"a pending response ({status:04X}) without identifier")
                continue
            number += 1
            matches.append(Match(find, number, status, identifier, syntax))
            if number == self._cancel_after:
                self.number = number
                await self.cancel()
        self.number = number
        return matches

    async def _cut(self) -> None:
        if not self.limited:
            self.limited = True
            await self.cancel()

    async def _end(self, command: FindRSP, identifier: bytes | None, rest: list[Message]) -> None:
        self.status = command.status
        self.comment = command.comment
        self.offending = command.offending
        rest += self._association.end(self._message_id)
        if identifier is not None:
            self.final_identifier = identifier
            self._note("the final response carries an identifier; it was dropped")
        if rest:
            await self._association.operations.violated("a response after the final one")

    def _match_on_final(self, command: FindRSP, identifier: bytes | None) -> Match | None:
        """What the final response of a peer with this quirk carries, as if it came before it."""
        if not identifier or command.status or not self._has_quirk(Quirk.ROW_ON_FINAL):
            return None
        return Match(self.find, 0, _PENDING, identifier, self._transfer_syntax)

    def _has_quirk(self, quirk: Quirk) -> bool:
        return quirk in self._association.peer.quirks

    def _note(self, *notes: str) -> None:
        self.notes += [note for note in notes if note not in self.notes]


def _in_dialect(item: Item, quirks: frozenset[Quirk]) -> Item:
    if Quirk.NO_UNIVERSAL_WILDCARD in quirks:
        item = without_lone_wildcards(item)
    if Quirk.NO_WILDCARD_IN_DATES in quirks:
        item = without_wildcards_in_dates(item)
    return item


def _words(comment: bytes) -> str:
    from asyncfind.query.charset import decode_text
    from asyncfind.safe import safe

    return safe(decode_text(comment.strip(b" \0"), ())[0], 64)


def _tag_words(tag: int) -> str:
    from asyncfind.query.dictionary import keyword_of

    number = f"({tag >> 16:04x},{tag & 0xFFFF:04x})"
    keyword = keyword_of(tag)
    return f"{keyword} {number}" if keyword else number
