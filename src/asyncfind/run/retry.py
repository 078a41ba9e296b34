"""Whether a query is sent again, when, and when an archive is left alone.

C-FIND is safe to repeat but not free: the first scan may still run. Only query attempts are
repeated, nothing below them. Pure machines: `now` is a monotonic instant in seconds.
"""

import math
from collections import deque
from enum import StrEnum
from random import Random
from typing import Final

from asyncfind.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectFailed,
    FindFailed,
    Kind,
    PeerError,
    PeerTimeout,
)

__all__ = [
    "ATTEMPTS",
    "Breaker",
    "BreakerState",
    "PeerBudget",
    "ProcessBudget",
    "Retry",
    "counts_against",
    "is_congestion",
    "is_retryable",
]

ATTEMPTS: Final = 4
"""At one query, the first included."""

_OUT_OF_RESOURCES: Final = 0xA700
_FIRST_WAITS: Final = ("associate", "first-response")
_LATER_WAITS: Final = ("response", "message", "send")
"""Clocks of `PeerTimeout`. Not among them: the whole query's, within which all attempts are, and
those of C-CANCEL and release."""


def is_retryable(
    error: PeerError | None,
    attempt: int,
    status: int | None = None,
    *,
    responses: int = 0,
    streamed: bool = False,
    statuses: frozenset[int] = frozenset(),
) -> bool:
    """Whether a failed attempt at a query may be followed by another.

    Args:
        error: what ended it; None where its final status did.
        attempt: which one it was, from 1.
        status: its final status, where it has one.
        responses: matches that it brought.
        streamed: they are with the user already, and cannot be taken back.
        statuses: the user wants these to be tried again, too.
    """
    if attempt >= ATTEMPTS or (streamed and responses):
        return False
    if isinstance(error, FindFailed):
        status = error.status
    elif error is not None:
        return _passes(error, attempt, responses)
    if status is None:
        return False
    return status in statuses or (status == _OUT_OF_RESOURCES and attempt == 1)


def _passes(error: PeerError, attempt: int, responses: int) -> bool:
    if isinstance(error, AssociationAborted):
        return attempt == 1
    if isinstance(error, PeerTimeout):
        if error.phase in _FIRST_WAITS and not responses:
            return True
        return error.phase in (*_FIRST_WAITS, *_LATER_WAITS) and attempt == 1
    return error.retryable


def is_congestion(error: PeerError | None, status: int | None = None) -> bool:
    """Whether the archive said that it has too much to do: its associations should become fewer."""
    if isinstance(error, FindFailed):
        status = error.status
    busy = isinstance(error, AssociationRejected) and error.retryable
    return busy or status == _OUT_OF_RESOURCES


def counts_against(error: PeerError) -> bool:
    """Whether an error is a failed connection or association, which the breaker counts.

    Statuses and what cannot be decoded are not: the archive is there and answers.
    """
    if isinstance(error, PeerTimeout):
        return error.phase in _FIRST_WAITS
    kinds = (Kind.DNS, Kind.TLS, Kind.REJECTED, Kind.ABORTED, Kind.LOST)
    return isinstance(error, ConnectFailed) or error.kind in kinds


class PeerBudget:
    """Ten tokens for an archive: a failure takes one, a success brings a tenth of one back."""

    _FULL: Final = 10.0
    _NEEDED: Final = 5.0
    _BACK: Final = 0.1

    def __init__(self) -> None:
        self._tokens = self._FULL

    @property
    def allows(self) -> bool:
        """Whether something may be tried again."""
        return self._tokens > self._NEEDED

    def succeeded(self) -> None:
        """A query ended as it should."""
        self._tokens = min(self._FULL, self._tokens + self._BACK)

    def failed(self) -> None:
        """An attempt failed in a way that may pass."""
        self._tokens = max(0.0, self._tokens - 1)


class ProcessBudget:
    """What all archives together may cause: a tenth of the last minute's queries, and ten."""

    _SPAN: Final = 60.0
    _SHARE: Final = 0.1
    _EXTRA: Final = 10

    def __init__(self) -> None:
        self._queries: deque[tuple[float, int]] = deque()
        self._asked = 0
        self._retries: deque[float] = deque()

    def asked(self, now: float) -> None:
        """A query was sent for the first time."""
        self._forget(now)
        if self._queries and now - self._queries[-1][0] < 1:
            since, count = self._queries.pop()
            self._queries.append((since, count + 1))  # one entry a second, however many queries
        else:
            self._queries.append((now, 1))
        self._asked += 1

    def take(self, now: float) -> bool:
        """Take leave to send a query again; False where there is none."""
        self._forget(now)
        if len(self._retries) >= self._EXTRA + self._SHARE * self._asked:
            return False
        self._retries.append(now)
        return True

    def _forget(self, now: float) -> None:
        while self._queries and now - self._queries[0][0] >= self._SPAN:
            self._asked -= self._queries.popleft()[1]
        while self._retries and now - self._retries[0] >= self._SPAN:
            self._retries.popleft()


class Retry:
    """When the queries of one archive are sent again.

    Args:
        process: the budget that all archives share.
        random: spreads the pauses, so that those who failed together do not come back together.
        on: off, nothing is ever sent again.
    """

    _LEAST: Final = 0.05
    _BASE: Final = 0.5
    _MOST: Final = 30.0
    _CONGESTED: Final = 2.0
    _RESUME: Final = 5.0

    def __init__(self, process: ProcessBudget, random: Random, *, on: bool = True) -> None:
        self._process = process
        self._peer = PeerBudget()
        self._random = random
        self._on = on

    def succeeded(self) -> None:
        """A query ended as it should."""
        self._peer.succeeded()

    def pause(
        self,
        error: PeerError | None,
        attempt: int,
        now: float,
        *,
        by: float | None = None,
        status: int | None = None,
        responses: int = 0,
        streamed: bool = False,
        statuses: frozenset[int] = frozenset(),
    ) -> float | None:
        """An attempt failed: the seconds until the next, None when there is none.

        Args:
            by: when the whole query must have ended.
            others: as in `is_retryable`.
        """
        if not is_retryable(
            error, attempt, status, responses=responses, streamed=streamed, statuses=statuses
        ):
            return None
        self._peer.failed()
        if not self._on or not self._peer.allows:
            return None
        least = self._CONGESTED if is_congestion(error, status) else self._LEAST
        most = min(self._MOST, self._BASE * 2.0 ** (attempt - 1))
        seconds = self._random.uniform(least, max(2 * least, most))
        if by is not None and now + seconds >= by:
            return None
        return seconds if self._process.take(now) else None

    def spread(self) -> float:
        """Seconds to wait when this machine wakes up and everything was lost at once."""
        return self._random.uniform(0, self._RESUME)


class BreakerState(StrEnum):
    """What the breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing: the archive's work is parked."""
    HALF_OPEN = "half-open"
    """One query, to see."""
    GIVEN_UP = "given up"
    """Nothing any more: what is left is skipped."""


class Breaker:
    """Leaves an archive alone that cannot be reached; one for each (host, port, called AE title).

    Args:
        random: spreads the pauses.
        give_up: seconds of trouble after which the rest is skipped; None never gives up.
    """

    _IN_A_ROW: Final = 5
    _WINDOW: Final = 20
    _FIRST_PAUSE: Final = 30.0
    _LAST_PAUSE: Final = 300.0
    _SPREAD: Final = 0.2

    def __init__(self, random: Random, *, give_up: float | None = 600.0) -> None:
        self._random = random
        self._give_up = give_up
        self._pause = self._FIRST_PAUSE
        self._retry_at = 0.0
        self._parked_at = 0.0
        self._trial = False
        self._recent: deque[bool] = deque(maxlen=self._WINDOW)
        self._row = 0
        self._state = BreakerState.CLOSED

    def state(self, now: float) -> BreakerState:
        """What it lets through now."""
        if self._state in (BreakerState.OPEN, BreakerState.HALF_OPEN):
            if self._give_up is not None and now - self._parked_at >= self._give_up:
                self._state = BreakerState.GIVEN_UP
            elif now >= self._retry_at:
                self._state = BreakerState.HALF_OPEN
        return self._state

    def admits(self, now: float) -> bool:
        """Whether a query may begin. Half open, this is the one: tell how it went, or `forget`."""
        match self.state(now):
            case BreakerState.CLOSED:
                return True
            case BreakerState.HALF_OPEN if not self._trial:
                self._trial = True
                return True
            case _:
                return False

    def wait(self, now: float) -> float:
        """Seconds until it may let something through again; 0.0 where time alone does not tell."""
        if self.state(now) is not BreakerState.OPEN:
            return 0.0
        over = math.inf if self._give_up is None else self._parked_at + self._give_up
        return max(0.0, min(self._retry_at, over) - now)

    def forget(self) -> None:
        """The query that was let through half open ended for a reason of ours."""
        self._trial = False

    def succeeded(self, now: float) -> None:
        """An association worked."""
        match self.state(now):
            case BreakerState.CLOSED:
                self._row = 0
                self._recent.append(True)
            case BreakerState.HALF_OPEN:
                self._state = BreakerState.CLOSED
                self._pause = self._FIRST_PAUSE
                self._trial = False
                self._row = 0
                self._recent.clear()
            case BreakerState.OPEN | BreakerState.GIVEN_UP:
                pass  # of an association that is older than the trouble

    def failed(self, now: float) -> None:
        """A connection or association failed (`counts_against`)."""
        match self.state(now):
            case BreakerState.CLOSED:
                self._row += 1
                self._recent.append(False)
                if self._row >= self._IN_A_ROW or self._half_of_the_last_failed:
                    self._parked_at = now
                    self._open(now)
            case BreakerState.HALF_OPEN if self._trial:
                self._pause = min(self._LAST_PAUSE, 2 * self._pause)
                self._open(now)
            case _:
                pass  # began before the breaker opened

    @property
    def _half_of_the_last_failed(self) -> bool:
        recent = self._recent
        return len(recent) == self._WINDOW and 2 * recent.count(False) >= self._WINDOW

    def _open(self, now: float) -> None:
        self._state = BreakerState.OPEN
        self._trial = False
        self._retry_at = now + self._pause * self._random.uniform(
            1 - self._SPREAD, 1 + self._SPREAD
        )
