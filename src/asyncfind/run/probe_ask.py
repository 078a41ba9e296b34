"""Queries of a probe: one after the other, over one association at a time, at the node's pace."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio

from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    MalformedIdentifier,
    PeerError,
    PeerTimeout,
)
from asyncfind.net.association import Association, associate
from asyncfind.plan import Limits, Peer, Query
from asyncfind.query.element import Item
from asyncfind.query.models import Model
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import SYNTAXES
from asyncfind.run.pace import RateLimit, Window
from asyncfind.run.probe_words import Enough, Gentleness
from asyncfind.run.retry import is_congestion

__all__ = ["Asker", "Reply"]

_KEPT: Final = 50
"""Answers of one query that are looked into."""
_SURE: Final = 2
"""Associations that ended after one query, until the next ones get one query each."""
_ENDED: Final = (AssociationAborted, AssociationLost)


@dataclass(slots=True)
class Reply:
    """What came of one query.

    Args:
        items: the first answers that can be decoded.
        count: matches in all.
        status: the final one; None where none came.
        error: what ended it before that.
        first: seconds to the first response; None where none came.
        final: the identifier of the final response; None where it had none.
        cancelled: we sent C-CANCEL.
        late: seconds from then to the end.
    """

    items: list[Item] = field(default_factory=list)
    count: int = 0
    status: int | None = None
    error: PeerError | None = None
    first: float | None = None
    final: Item | None = None
    cancelled: bool = False
    late: float = 0.0

    @property
    def is_whole(self) -> bool:
        """It ended with success, and nobody asked for an early end."""
        return self.status == 0 and not self.cancelled

    @property
    def words(self) -> str:
        """What came, in words."""
        if self.error is not None and self.status is None:
            return f"{self.count} matches, then: {self.error.text}"
        if self.status:
            return f"{self.count} matches and status {self.status:04X}"
        return "1 match" if self.count == 1 else f"{self.count} matches"


class Asker:
    """Asks one node; made by `asking`.

    Attributes:
        queries: asked so far.
        first_seconds: to the first response of each.
        used_up: associations that the node ended after one query.
        reused: queries that were answered over an association that had served one before.
    """

    def __init__(
        self, peer: Peer, models: Sequence[Model], gentleness: Gentleness, stack: AsyncExitStack
    ) -> None:
        self.queries = 0
        self.first_seconds: list[float] = []
        self.used_up = 0
        self.reused = 0
        self._peer = peer
        self._models = models
        self._timeouts = gentleness.timeouts
        self._window = Window(gentleness.hours)
        self._rate = None if gentleness.rate is None else RateLimit(gentleness.rate)
        self._limits = Limits(max_responses=gentleness.rows * 4)
        self._breath = gentleness.pause
        self._stack = stack
        self._association: Association | None = None
        self._served = 0
        self._was_answered = False

    @classmethod
    @asynccontextmanager
    async def asking(
        cls, peer: Peer, models: Sequence[Model], gentleness: Gentleness
    ) -> AsyncIterator["Asker"]:
        """An asker, whose last association is released at the end of the block."""
        async with AsyncExitStack() as stack:
            yield cls(peer, models, gentleness, stack)

    async def ask(self, query: Query, *, cancel_after: int) -> Reply:
        """Ask one query, once more where it was the association that ended.

        Args:
            cancel_after: matches after which it is cancelled.

        Raises:
            Enough: the node has enough, or its hours are over.
            PeerError: there is no association.
        """
        await self._turn()
        association = await self._open()
        served = self._served
        reply = await self._ask(association, query, cancel_after)
        if served and not reply.count and isinstance(reply.error, _ENDED):
            reply = await self._ask(await self._open(), query, cancel_after)
            self.used_up += reply.status is not None  # else it is the query that ends it
        elif served:
            self.reused += 1
        if is_congestion(reply.error, reply.status):
            raise Enough(f"the archive has no room for more ({reply.words})")
        if isinstance(reply.error, PeerTimeout) and reply.error.phase != "cancel":
            raise Enough(reply.error.text)
        return reply

    async def close(self) -> None:
        """Release the association, if there is one."""
        self._association = None
        await self._stack.aclose()

    async def _turn(self) -> None:
        """Wait for the node's rate; its hours are not waited for."""
        if not self._window.is_open(time.time()):
            raise Enough("its hours are over")
        if self._rate is not None:
            await anyio.sleep(self._rate.wait(time.monotonic()))
            self._rate.take(time.monotonic())

    async def _open(self) -> Association:
        association = self._association
        is_single = self.used_up >= _SURE and not self.reused
        if association is not None and association.is_usable and not is_single:
            return association
        if association is not None and self._served == 1 and self._is_ended_by_peer(association):
            self.used_up += 1
        await self.close()
        await anyio.sleep(self._breath)
        try:
            association = await self._stack.enter_async_context(
                associate(self._peer, self._models, timeouts=self._timeouts, limits=self._limits)
            )
        except AssociationRejected as exc:
            if exc.retryable:
                raise Enough(exc.text) from exc
            raise
        self._association = association
        self._served = 0
        return association

    def _is_ended_by_peer(self, association: Association) -> bool:
        """It ended behind a query that had its answer."""
        ended = not association.is_usable and not association.is_aborted_by_us
        return ended and self._was_answered

    async def _ask(self, association: Association, query: Query, cancel_after: int) -> Reply:
        reply = Reply()
        self.queries += 1
        self._served += 1
        responses = association.find(query, cancel_after=cancel_after)
        cancelled_at = None
        try:
            async with responses:
                while batch := await responses.batch():
                    if reply.first is None and responses.sent is not None:
                        reply.first = time.monotonic() - responses.sent
                    if responses.cancelled and cancelled_at is None:
                        cancelled_at = time.monotonic()
                    for match in batch[: _KEPT - len(reply.items)]:
                        reply.items += _items(match.identifier, match.transfer_syntax)
        except PeerError as exc:
            reply.error = exc
        if reply.first is None and responses.sent is not None and responses.status is not None:
            reply.first = time.monotonic() - responses.sent
        if reply.first is not None:
            self.first_seconds.append(reply.first)
        reply.count = responses.number
        reply.status = None if responses.left_early else responses.status
        reply.cancelled = responses.cancelled
        self._was_answered = reply.status is not None
        if cancelled_at is not None:
            reply.late = time.monotonic() - cancelled_at
        if responses.final_identifier and responses.status == 0:
            _, syntax = association.context_of(query.model.uid)
            reply.final = next(iter(_items(responses.final_identifier, syntax.uid)), None)
        return reply


def _items(identifier: bytes, syntax: str) -> list[Item]:
    try:
        return [read_item(identifier, SYNTAXES[syntax])]
    except MalformedIdentifier:
        return []
