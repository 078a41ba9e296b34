"""How hard one archive may be worked: its rate, its hours, its associations.

Pure machines: whoever drives them says what the time is. `now` is a monotonic instant in seconds
but for `Window`, which goes by the clock on the wall.
"""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from statistics import median
from typing import Final

from asyncfind.book.pacing import Rate, Span

__all__ = ["Concurrency", "RateLimit", "Window"]

_TINY: Final = 1e-9
"""Seconds that a timer may ring too early by the rounding of floats."""


class RateLimit:
    """At most so many queries in a time, and never more at once than one second allows.

    A token bucket, kept as the instant at which the bucket will be full: within any T seconds
    at most `rate * T + max(1, rate)` queries begin.
    """

    def __init__(self, rate: Rate) -> None:
        self._interval = 1 / rate.per_second
        self._burst = max(0.0, 1 - self._interval)
        self._full_at = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until a query may begin; 0.0 when it may now.

        Several may wait for the same place: ask again after sleeping, and `take` at once.
        """
        left = self._full_at - self._burst - now
        return left if left > _TINY else 0.0

    def take(self, now: float) -> None:
        """A query begins now; `wait` was 0.0."""
        self._full_at = max(self._full_at, now) + self._interval


class Window:
    """The hours in which an archive may be asked, on the local clock.

    Args:
        spans: none at all is always.
        zone: whose clock; this machine's when None.
    """

    _MINUTE: Final = 60
    _AHEAD: Final = 4 * 24 * 60
    """Minutes to look ahead: what a change of the clock skips today, it does not skip tomorrow."""

    def __init__(self, spans: Sequence[Span], zone: tzinfo | None = None) -> None:
        self._spans = tuple(spans)
        self._zone = zone

    def is_open(self, now: float) -> bool:
        """Whether queries may begin; what runs when it closes may end.

        Args:
            now: seconds since 1970, as `time.time` tells them.
        """
        if not self._spans:
            return True
        clock = datetime.fromtimestamp(now, self._zone)
        minute = clock.hour * 60 + clock.minute
        return any(minute in span for span in self._spans)

    def wait(self, now: float) -> float:
        """Seconds until it is open; 0.0 when it is now.

        Clocks are set, and machines sleep: ask again after waiting.
        """
        if self.is_open(now):
            return 0.0
        # Minute by minute: what daylight saving time leaves out or repeats needs no thought.
        first = (now // self._MINUTE + 1) * self._MINUTE
        minutes = (first + self._MINUTE * ahead for ahead in range(self._AHEAD))
        opening = next((minute for minute in minutes if self.is_open(minute)), first)
        return opening - now


class Concurrency:
    """How many associations an archive gets: one more when that works, half when it had enough.

    Nodes with the same host, port and called AE title share one of these.

    Args:
        cap: the most, whatever the archive takes.
    """

    _ENOUGH_QUERIES: Final = 10
    _HALVE_ONCE_IN: Final = 1.0
    _FORGET_AFTER: Final = 300.0
    _GAIN: Final = 1.05
    """One more association should add more throughput than this to be worth it."""

    def __init__(self, cap: int = 4) -> None:
        self._cap = cap
        self._limit = 1
        self._halved_at = float("-inf")
        self._avoid = cap + 1
        self._avoid_until = float("-inf")
        self._below: tuple[float, float] | None = None
        self._durations: list[float] = []
        self._begin = float("inf")

    @property
    def limit(self) -> int:
        """How many associations there may be now, 1 at the least."""
        return self._limit

    def completed(self, now: float, seconds: float, *, busy: bool) -> None:
        """A query ended as it should.

        Args:
            seconds: that it took.
            busy: there was work for every one of `limit` associations while it ran.
        """
        if not busy:
            self._restart()  # only an unbroken run says what the archive takes
            return
        self._durations.append(seconds)
        self._begin = min(self._begin, now - seconds)
        if len(self._durations) >= self._ENOUGH_QUERIES:
            self._judge(now)

    def enough(self, now: float, at: int | None = None, *, ours: bool = False) -> None:
        """The archive showed that it has enough: a rejection for lack of room, A700 or the like.

        Args:
            at: how many associations there were, the one that failed included; `limit` when None.
            ours: it was this machine that had no descriptor or port left.
        """
        limit = self._limit
        if not ours:
            at = max(2, limit if at is None else at)
            self._shun(now, at)
            limit = min(limit, at - 1)
        if now - self._halved_at >= self._HALVE_ONCE_IN:
            self._halved_at = now
            limit = min(limit, max(1, self._limit // 2))
        if limit < self._limit:
            self._change(limit, None)

    def _judge(self, now: float) -> None:
        throughput = len(self._durations) / max(now - self._begin, _TINY)
        typical = median(self._durations)
        if self._below is not None and self._is_past_the_knee(throughput, typical):
            self._shun(now, self._limit)
            self._change(self._limit - 1, None)
            return
        more = self._limit + 1
        if more <= self._cap and (more < self._avoid or now >= self._avoid_until):
            self._change(more, (throughput, typical))
        else:
            self._change(self._limit, None)

    def _is_past_the_knee(self, throughput: float, typical: float) -> bool:
        """Nothing was gained, and the wait grew with the number of those who wait."""
        assert self._below is not None
        before, typical_before = self._below
        grown = 1 + 0.5 / (self._limit - 1)
        return throughput < before * self._GAIN and typical >= typical_before * grown

    def _shun(self, now: float, count: int) -> None:
        """Do not go up to `count` for some time."""
        if now < self._avoid_until:
            count = min(count, self._avoid)
        self._avoid = count
        self._avoid_until = now + self._FORGET_AFTER

    def _change(self, limit: int, below: tuple[float, float] | None) -> None:
        self._limit = limit
        self._below = below
        self._restart()

    def _restart(self) -> None:
        self._durations.clear()
        self._begin = float("inf")
