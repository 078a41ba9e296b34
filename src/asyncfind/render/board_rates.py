"""How often, and how long: counters that take the same memory for any number."""

import math
from array import array
from itertools import accumulate, takewhile
from typing import Final

__all__ = ["Latencies", "Rate"]

_WINDOW: Final = 30
"""Seconds that a rate is about."""
_BIN: Final = 3
"""Seconds in one step of a course of rates."""
_SLOTS: Final = _WINDOW + 2 * _BIN
"""Seconds that are kept: steps begin at whole multiples, so that a course does not flicker."""
_STEPS: Final = 8
"""Classes of latency in each doubling: quantiles are right to 9 percent."""
_LEAST: Final = 0.0001
_CLASSES: Final = _STEPS * 26


class Rate:
    """How often something happened in each of the last seconds.

    Args:
        began: instant from which on it may have happened.
    """

    __slots__ = ("_began", "_last", "_slots")

    def __init__(self, began: float) -> None:
        self._began = began
        self._slots = array("Q", bytes(8 * _SLOTS))
        self._last = 0

    def add(self, count: int, now: float) -> None:
        """It happened `count` times."""
        self._advance(now)
        self._slots[self._last % _SLOTS] += count

    def within(self, now: float) -> int:
        """How often in the last half minute."""
        self._advance(now)
        last = self._last
        return sum(self._slots[at % _SLOTS] for at in range(last - _WINDOW + 1, last + 1))

    def per_second(self, now: float) -> float:
        """How often in a second, over the last half minute or since it began."""
        count = self.within(now)
        elapsed = now - self._began
        if elapsed >= _WINDOW:
            elapsed = _WINDOW - 1 + elapsed % 1
        # Of the first moments no rate can be told.
        return count / max(elapsed, 1.0)

    def course(self, now: float) -> list[int]:
        """Counts of ten equal steps in the last half minute, the latest at the end."""
        self._advance(now)
        end = self._last // _BIN * _BIN
        starts = range(end - _WINDOW, end, _BIN)
        return [
            sum(self._slots[at % _SLOTS] for at in range(start, start + _BIN)) for start in starts
        ]

    def _advance(self, now: float) -> None:
        second = int(max(0.0, now - self._began))
        for at in range(max(self._last + 1, second - _SLOTS + 1), second + 1):
            self._slots[at % _SLOTS] = 0
        self._last = max(self._last, second)


class Latencies:
    """Quantiles of seconds, in classes of fixed ratio: the same memory for any number."""

    __slots__ = ("_classes", "count")

    def __init__(self) -> None:
        self._classes = array("L", bytes(array("L").itemsize * _CLASSES))
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one."""
        at = math.ceil(math.log2(seconds / _LEAST) * _STEPS) if seconds > _LEAST else 0
        self._classes[min(at, _CLASSES - 1)] += 1
        self.count += 1

    def quantile(self, share: float) -> float | None:
        """The least class that `share` of all are not above, by its middle; None without any."""
        if not self.count:
            return None
        wanted = math.ceil(self.count * share)
        below = takewhile(lambda seen: seen < wanted, accumulate(self._classes))
        return _LEAST * math.exp2((sum(1 for _ in below) - 0.5) / _STEPS)
