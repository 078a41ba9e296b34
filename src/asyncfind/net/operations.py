"""The operations open on one association, told apart by message id (PS3.7 Section 9.1.2.1.1).

Several are open at a time where an asynchronous operations window was agreed (PS3.7 Annex
D.3.3.3), each in a task of its own. There is no task that reads: whoever waits for an answer
reads for all, one at a time, and wakes those whose answers came.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import anyio

from asyncfind.dimse.message import Message
from asyncfind.errors import PeerError
from asyncfind.net.wire import Wire, loop_time

__all__ = ["Operations"]

_HELD_AT_MOST: Final = 256 * 1024
"""Bytes of identifiers that wait for their operations; then nobody reads until some are taken."""
_OVERHEAD: Final = 256
"""Bytes that a message counts beside its identifier."""


@dataclass(slots=True, eq=False)
class _Inbox:
    """What has come for one operation and was not taken yet.

    Args:
        size: bytes that it holds while others read.
        awaited: set to wake its operation, which waits while another reads.
    """

    messages: list[Message] = field(default_factory=list)
    size: int = 0
    awaited: anyio.Event | None = None


class Operations:
    """Sorts what comes to whom it is for.

    Args:
        wire: the association's; nobody else reads it while operations are open.

    Attributes:
        window: how many operations may be open at once.
    """

    def __init__(self, wire: Wire) -> None:
        self.window = 1
        self._wire = wire
        self._inboxes: dict[int, _Inbox] = {}
        self._freed: anyio.Event | None = None
        self._reading = False
        self._held = 0
        self._last_id = 0

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._inboxes)

    async def open(self) -> int:
        """Open an operation, once there is room for it; returns its message id."""
        while len(self._inboxes) >= self.window:
            self._freed = self._freed or anyio.Event()
            await self._freed.wait()
        # 1, 2, 3 ... within 16 bits, never 0; a free id is used again as late as possible.
        message_id = self._last_id % 0xFFFF + 1
        while message_id in self._inboxes:
            message_id = message_id % 0xFFFF + 1
        self._last_id = message_id
        self._inboxes[message_id] = _Inbox()
        return message_id

    def close(self, message_id: int) -> list[Message]:
        """The operation has its last answer, or none will come; returns what it did not take."""
        inbox = self._inboxes.pop(message_id, None)
        if self._freed is not None:
            self._freed.set()
            self._freed = None
        return [] if inbox is None else self._empty(inbox)

    def take(self, message_id: int) -> list[Message]:
        """Take the operation's messages, in their order; maybe none.

        Raises:
            PeerError: all were taken, and the association has ended.
        """
        inbox = self._inboxes.get(message_id)
        if inbox is not None and inbox.messages:
            return self._empty(inbox)
        if self._wire.trouble is not None:
            raise self._wire.trouble
        return []

    def has(self, message_id: int) -> bool:
        """`take` would not come back with nothing."""
        return self._is_served(self._inboxes[message_id])

    async def wait(self, message_id: int, deadline: float | None) -> None:
        """Wait until there is something to take, or until `deadline`; it may end for nothing."""
        inbox = self._inboxes[message_id]
        if self._reading or self._held >= _HELD_AT_MOST:
            await self._await_reader(inbox, deadline)
        else:
            await self._read(inbox, deadline)

    def pass_on(self) -> None:
        """Whoever was reading for the others will not go on; somebody else is to."""
        self._wake(another=True)

    async def violated(self, text: str) -> PeerError:
        """Abort because of what the peer sent; returns the error to raise."""
        error = await self._wire.violated(text)
        self._wake()
        return error

    async def abort(self, why: str = "") -> None:
        """Abort the association (PS3.8 Section 7.3), which ends all operations.

        Args:
            why: what the others are told.
        """
        await self._wire.abort(why)
        self._wake()

    # One reads for all.

    async def _read(self, inbox: _Inbox, deadline: float | None) -> None:
        self._reading = True
        goes_on = is_stray = False
        try:
            came = await self._wire.pump(deadline)
            is_stray = self._sort()
            goes_on = came and not self._is_served(inbox)
        finally:
            self._reading = False
            self._wake(another=not goes_on)
        if is_stray:
            await self.violated("a message that is no answer to an open request of ours")

    async def _await_reader(self, inbox: _Inbox, deadline: float | None) -> None:
        woken = inbox.awaited = anyio.Event()
        goes_on = False
        try:
            with anyio.CancelScope(deadline=loop_time(deadline)) as scope:
                await woken.wait()
            goes_on = not scope.cancelled_caught and not self._is_served(inbox)
        finally:
            inbox.awaited = None
            if woken.is_set() and not goes_on:
                self._wake(another=True)  # it may have been woken to read, and will not

    def _sort(self) -> bool:
        """Give what came to whom it is for; whether something is for nobody."""
        messages = self._wire.take_messages()
        if len(self._inboxes) == 1:  # its owner looks at the ids itself
            for inbox in self._inboxes.values():
                inbox.messages += messages
            return False
        for message in messages:
            addressee = self._inboxes.get(message.command.message_id)
            if addressee is None:
                return True  # which is the end of the association: the rest does not matter
            size = len(message.identifier or b"") + _OVERHEAD
            addressee.messages.append(message)
            addressee.size += size
            self._held += size
        return False

    def _wake(self, *, another: bool = False) -> None:
        """Wake those who are served; with `another` also one who is not, to read from now on."""
        another = another and not self._reading and self._held < _HELD_AT_MOST
        for inbox, woken in self._sleepers():
            if self._is_served(inbox):
                woken.set()
            elif another:
                woken.set()
                another = False

    def _sleepers(self) -> Iterator[tuple[_Inbox, anyio.Event]]:
        for inbox in self._inboxes.values():
            if inbox.awaited is not None and not inbox.awaited.is_set():
                yield inbox, inbox.awaited

    def _is_served(self, inbox: _Inbox) -> bool:
        return bool(inbox.messages) or self._wire.trouble is not None

    def _empty(self, inbox: _Inbox) -> list[Message]:
        messages, inbox.messages = inbox.messages, []
        if inbox.size:
            was_full = self._held >= _HELD_AT_MOST
            self._held -= inbox.size
            inbox.size = 0
            if was_full:
                self._wake(another=True)
        return messages
