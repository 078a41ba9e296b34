"""Looks at the thresholds while the load runs, second by second, and at its end."""

from collections import deque
from collections.abc import Sequence

from asyncfind.load.tally import Tally
from asyncfind.load.threshold import Result, Threshold

__all__ = ["Monitor"]


class Monitor:
    """The thresholds of one run. Percentiles are never averaged: counts of seconds are merged.

    Attributes:
        total: everything measured so far.
        seconds: that it took.
    """

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        self.total = Tally()
        self.seconds = 0.0
        self._thresholds = tuple(thresholds)
        longest = max((int(one.window or 0) for one in thresholds), default=0)
        self._last: deque[Tally] = deque(maxlen=longest)
        self._failed: dict[Threshold, Result] = {}
        self._ended = False
        self._count = 0

    def second(self, tally: Tally, seconds: float = 1.0) -> Threshold | None:
        """Take what one more second brought; returns the threshold that ends the run, once.

        Args:
            seconds: how long it was; we may have been late.
        """
        self._add(tally, seconds)
        ends: Threshold | None = None
        for one in self._thresholds:
            aborts = one.abort and self.seconds >= one.after and not self._ended
            # What has failed already is of interest only where it may still end the run.
            if not aborts and (one.window is None or one in self._failed):
                continue
            value = self._value(one)
            # A second without answers is no breach while the run goes on.
            if value is None or one.holds(value):
                continue
            if one not in self._failed or aborts:
                self._failed[one] = Result(one, value, False, self.seconds, aborts)
            if aborts:
                ends = ends or one
        self._ended = self._ended or ends is not None
        return ends

    def rest(self, tally: Tally, seconds: float) -> None:
        """Take what the last, unfinished second and the time after it brought."""
        self._add(tally, seconds)

    def results(self) -> tuple[Result, ...]:
        """How each threshold came out, in the order given."""
        return tuple(self._failed.get(one) or self._result(one) for one in self._thresholds)

    def _add(self, tally: Tally, seconds: float) -> None:
        self.total.merge(tally)
        self.seconds += seconds
        self._count += 1
        self._last.append(tally)

    def _value(self, one: Threshold) -> float | None:
        """What it is about as of now; None where there is too little to say."""
        if one.window is None:
            return one.value(self.total, self.seconds)
        width = int(one.window)
        if self._count < width:
            return None
        window = Tally()
        for tally in list(self._last)[-width:]:
            window.merge(tally)
        return one.value(window, one.window)

    def _result(self, one: Threshold) -> Result:
        value = one.value(self.total, self.seconds)
        # Every window kept a windowed one, unless the run was shorter than a single window.
        kept = one.window is not None and value is not None and self.seconds >= one.window
        return Result(one, value, kept or one.holds(value))
