"""Latencies by the million in a few hundred counters: a histogram with three digits everywhere."""

import math
from array import array
from collections.abc import Iterator
from typing import Final

__all__ = ["Histogram"]

_BITS: Final = 11
"""Values below 2**11 have a counter each; above, a counter's width is at most a 1024th of them."""
_HALF: Final = _BITS - 1
_MICRO: Final = 1_000_000


class Histogram:
    """Counts of whole microseconds, log-linear: each power of two has 1024 counters.

    The layout of HdrHistogram with three significant digits: of any value at least that many are
    kept. Count, least, largest and mean are exact. Merging adds counts, so the whole of many parts
    is as exact as one.

    Attributes:
        count: values recorded.
        total: their sum in microseconds.
        least, largest: of them, in microseconds; -1 of an empty one.
    """

    __slots__ = ("_counts", "_packed", "count", "largest", "least", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self.least = -1
        self.largest = -1
        self._counts: dict[int, int] = {}
        self._packed: tuple[array[int], array[int]] | None = None

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def counts(self) -> dict[int, int]:
        """Counts by index of the counter."""
        if self._packed is None:
            return self._counts
        return dict(zip(*self._packed, strict=True))

    def pack(self) -> None:
        """Take a tenth of the memory; what is recorded or merged from now on unpacks it."""
        if self._packed is None:
            self._packed = (array("L", self._counts), array("L", self._counts.values()))
            self._counts = {}

    def _unpack(self) -> dict[int, int]:
        if self._packed is not None:
            self._counts, self._packed = self.counts, None
        return self._counts

    def record(self, seconds: float) -> None:
        """Count one value; what the rounding of clocks makes negative counts as 0."""
        self.record_micros(max(0, round(seconds * _MICRO)))

    def record_micros(self, value: int) -> None:
        """Count one value of whole microseconds, not negative."""
        self.count += 1
        self.total += value
        if value > self.largest:
            self.largest = value
        if value < self.least or self.least < 0:
            self.least = value
        shift = max(0, value.bit_length() - _BITS)
        index = (shift << _HALF) + (value >> shift)
        counts = self._counts if self._packed is None else self._unpack()
        counts[index] = counts.get(index, 0) + 1

    def merge(self, other: "Histogram") -> None:
        """Add all values of `other`."""
        if not other.count:
            return
        counts = self._unpack()
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + count
        self.least = other.least if not self.count else min(self.least, other.least)
        self.largest = max(self.largest, other.largest)
        self.count += other.count
        self.total += other.total

    @property
    def min(self) -> float | None:
        """The least value in seconds; None of an empty histogram, as with all that follow."""
        return self.least / _MICRO if self.count else None

    @property
    def max(self) -> float | None:
        """The largest value in seconds."""
        return self.largest / _MICRO if self.count else None

    @property
    def mean(self) -> float | None:
        """The mean in seconds."""
        return self.total / self.count / _MICRO if self.count else None

    def percentile(self, percent: float) -> float | None:
        """The value in seconds that `percent` of all values do not exceed (nearest rank).

        Never too small, and too large by a thousandth at the most.
        """
        if not self.count:
            return None
        # Rounded first: 99.9 % of 1000 is 999.0000000000001 in floats.
        rank = max(1, math.ceil(round(percent / 100 * self.count, 6)))
        seen = 0
        for highest, count in self.buckets():
            seen += count
            if seen >= rank:
                return min(highest, self.largest) / _MICRO
        return self.max

    def buckets(self) -> Iterator[tuple[int, int]]:
        """Largest value in microseconds and count of each counter in use, ascending."""
        for index, count in sorted(self.counts.items()):
            yield _highest(index), count


def _highest(index: int) -> int:
    """The largest value that counter `index` counts."""
    shift = max(0, (index >> _HALF) - 1)
    return ((index - (shift << _HALF) + 1) << shift) - 1
