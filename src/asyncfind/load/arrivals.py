"""Where queries to be sent come from: a pool that a schedule fills, or turns of one's own."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from asyncfind.load.scenario_mix import Turn
from asyncfind.load.spec import Feed, Load
from asyncfind.plan import Query

__all__ = ["Arrival", "Gate", "Pool", "Rotation", "Turns", "query_of"]

_PAUSES: Final = (0.1, 5.0)
"""Seconds before more associations are tried after one was refused: at first, at the most."""


@dataclass(slots=True, eq=False)
class Arrival:
    """One query to be sent.

    Args:
        query: None is a C-ECHO.
        scheduled: monotonic instant at which it is meant to begin.
        passed_on: at which it really came to the pool.
        measured: it comes after the warm-up.
    """

    query: Query | None
    scheduled: float
    passed_on: float
    measured: bool


class Rotation:
    """Queries in turn, each of them so many times on end, over and over."""

    def __init__(self, queries: Sequence[Query], times: int = 1) -> None:
        self._queries = queries
        self._times = times
        self._next = 0

    def next(self) -> Query:
        """The next one."""
        query = self._queries[self._next // self._times % len(self._queries)]
        self._next += 1
        return query


def query_of(given: Query | Turn) -> Query | None:
    """The query of what a feed gave; None is a C-ECHO."""
    return given.query if isinstance(given, Turn) else given


class Gate:
    """Lets so many pass in any second; None lets all."""

    def __init__(self, most: int | None) -> None:
        self._last: deque[float] | None = None if most is None else deque(maxlen=most)

    async def enter(self) -> None:
        """Wait for one's turn."""
        if self._last is None:
            return
        now = time.monotonic()
        at = now
        if len(self._last) == self._last.maxlen:
            at = max(now, self._last[0] + 1.0)
        self._last.append(at)
        if at > now:
            await anyio.sleep(at - now)


class Pool:
    """Arrivals that wait for an association of one peer, the oldest first.

    Args:
        on_need: called when arrivals wait and another association may be opened.

    Attributes:
        open: associations.
    """

    def __init__(self, load: Load, on_need: Callable[[], None]) -> None:
        self.open = 0
        self._most = load.cap
        self._bound = load.backlog
        self._drops = load.on_saturation == "drop"
        self._on_need = on_need
        self._waiting: deque[Arrival] = deque()
        self._idle: list[asyncio.Future[Arrival | None]] = []
        self._lanes = 0
        self._starting = 0
        self._refusals = 0
        self._not_before = 0.0
        self._closed = False
        self._ended = anyio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    # The schedule's side.

    def offer(self, arrival: Arrival) -> bool:
        """Pass an arrival on; False drops it, as too many wait."""
        if self._hand_over(arrival):
            return True
        bound = self._bound
        if self._drops:  # one for each association that is about to be free for the first time
            bound = self._starting
            if arrival.passed_on >= self._not_before:
                bound += self._most - self._lanes
        if len(self._waiting) >= bound:
            return False
        self._waiting.append(arrival)
        if self._lanes < self._most:
            self._on_need()
        return True

    def close(self) -> None:
        """There are no more arrivals; those that wait are still to be taken."""
        self._closed = True
        if not self._waiting:
            self._dismiss()
        self._look()

    async def wait_ended(self) -> None:
        """Wait until it is closed, nothing waits and no lane is at work."""
        await self._ended.wait()

    def clear(self) -> list[Arrival]:
        """Give up those that wait."""
        rest = list(self._waiting)
        self._waiting.clear()
        self.close()
        return rest

    # The lanes' side.

    def wants(self, now: float) -> bool:
        """More arrivals wait than lanes are starting, and one more may."""
        allowed = now >= self._not_before or not self.open
        return self._lanes < self._most and len(self._waiting) > self._starting and allowed

    @property
    def retry_at(self) -> float:
        """When to ask `wants` again, should it have said no for a refusal's sake."""
        return self._not_before

    def begin(self) -> None:
        """A lane starts."""
        self._lanes += 1
        self._starting += 1

    def ready(self) -> None:
        """A lane that started is about to take arrivals."""
        self._starting -= 1

    def end(self) -> None:
        """A lane has ended."""
        self._lanes -= 1
        self._look()

    def opened(self) -> None:
        """An association was accepted."""
        self.open += 1
        self._refusals = 0

    def closed(self) -> None:
        """An association is about to end, or has."""
        self.open -= 1

    def refused(self, now: float) -> Arrival | None:
        """One was not; returns the arrival that fails with it: none while others are open."""
        if self.open:
            pause = min(_PAUSES[0] * 2**self._refusals, _PAUSES[1])
            self._refusals = min(self._refusals + 1, 10)
            self._not_before = now + pause
            return None
        return self._waiting.popleft() if self._waiting else None

    async def take(self) -> Arrival | None:
        """The next arrival; None once there are no more."""
        if self._waiting:
            return self._waiting.popleft()
        if self._closed:
            return None
        seat: asyncio.Future[Arrival | None] = asyncio.get_running_loop().create_future()
        self._idle.append(seat)
        try:
            return await seat
        except BaseException:
            # Cancelled; an arrival that was ours already is not to be lost.
            if seat.done() and not seat.cancelled() and (arrival := seat.result()) is not None:
                self._waiting.appendleft(arrival)
            elif seat in self._idle:
                self._idle.remove(seat)
            raise

    def give_back(self, arrival: Arrival) -> None:
        """It could not be sent: the association had ended meanwhile."""
        if not self._hand_over(arrival):
            self._waiting.appendleft(arrival)

    def _hand_over(self, arrival: Arrival) -> bool:
        while self._idle:
            # Who became idle last: an association in use stays in use.
            seat = self._idle.pop()
            if not seat.done():
                seat.set_result(arrival)
                return True
        return False

    def _look(self) -> None:
        if self._waiting:
            self._on_need()
        elif self._closed and not self._lanes:
            self._ended.set()

    def _dismiss(self) -> None:
        while self._idle:
            seat = self._idle.pop()
            if not seat.done():
                seat.set_result(None)


class Turns:
    """Queries of a closed load: whoever is free takes the next, after thinking.

    Args:
        begun: monotonic instant at which the load began.
    """

    def __init__(self, load: Load, feed: Feed, begun: float) -> None:
        self._load = load
        self._feed = feed
        self._measured_from = begun + load.warm_up
        self._stopped = anyio.Event()
        self._left = load.count

    async def take(self, *, again: bool) -> Arrival | None:
        """The next query, sent as soon as it is taken; None once there are no more.

        Args:
            again: it is not the first of this lane, which thinks before the next.
        """
        if again and self._load.think:
            await self.pause(self._load.think)
        now = time.monotonic()
        duration = self._load.duration
        over = duration is not None and now >= self._measured_from + duration
        if over or self._stopped.is_set() or self._left == 0:
            self._stopped.set()
            return None
        given = self._feed.next()
        if given is None:
            self._stopped.set()
            return None
        measured = now >= self._measured_from
        if measured and self._left is not None:
            self._left -= 1
        return Arrival(query_of(given), now, now, measured)

    async def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        with anyio.move_on_after(seconds):
            await self._stopped.wait()

    def close(self) -> None:
        """There are no more."""
        self._stopped.set()

    @property
    def is_closed(self) -> bool:
        """There are no more."""
        return self._stopped.is_set()

    async def wait_closed(self) -> None:
        """Wait until there are no more."""
        left = None
        if self._load.duration is not None:
            left = self._measured_from + self._load.duration - time.monotonic()
        with anyio.move_on_after(left):
            await self._stopped.wait()
        self._stopped.set()
