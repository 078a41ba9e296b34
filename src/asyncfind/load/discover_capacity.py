"""The highest rate at which an objective holds: open loads, doubled, halved, and confirmed."""

from dataclasses import dataclass
from typing import Final

from asyncfind.load.discover_steps import AtRate, Budget, Goals, Measured, Steps, measure, rest
from asyncfind.load.threshold import Threshold, parse_threshold

__all__ = ["Capacity", "find_capacity", "objective"]

_LEVELS: Final = 6
"""At the most, after doubling; each halves what is not known."""
_FINE: Final = 0.1
_CONFIRM: Final = 4
_BACK_OFF: Final = 0.9
_CONFIRMATIONS: Final = 4
_DOUBLINGS: Final = 12
_SLOWER: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What was found about rates.

    Args:
        rate: the highest that held, queries per second; None where none did.
        confirmed: it held for four times as long, too.
        above: the lowest rate that did not hold, and what broke there.
        objective: the thresholds that it is about, as written.
        stopped: why the search ended before its time; empty for a whole one.
    """

    rate: float | None
    confirmed: bool
    above: tuple[float, str] | None
    objective: tuple[str, ...]
    stopped: str = ""

    def __str__(self) -> str:
        notes = [" and ".join(self.objective)]
        if self.rate is not None:
            notes.append("confirmed" if self.confirmed else "not confirmed")
        if self.above is not None:
            notes.append(f"{self.above[0]:.4g}/s does not hold: {self.above[1]}")
        if self.stopped:
            notes.append(self.stopped)
        found = "none" if self.rate is None else f"{self.rate:.4g}/s"
        return f"{found} ({'; '.join(notes)})"


def objective(alone: Measured) -> tuple[Threshold, ...]:
    """What a rate has to come up to where the user has not said it.

    Args:
        alone: a query alone.
    """
    longest = alone.p95 or alone.service or 1.0
    return (
        parse_threshold(f"p95(response) < {longest * _SLOWER * 1000:.4f}ms"),
        parse_threshold("count(error) == 0"),
    )


class _Search:
    """Rates that were tried."""

    def __init__(
        self, goals: Goals, budget: Budget, thresholds: tuple[Threshold, ...], associations: int
    ) -> None:
        self._goals = goals
        self._budget = budget
        self._thresholds = thresholds
        self._associations = associations
        self.above: tuple[float, str] | None = None
        self.stopped = ""

    def holds(self, rate: float, times: int = 1) -> Steps[bool]:
        """Try one rate; `stopped` says that no other can be tried."""
        seconds = self._goals.seconds * times
        lack = self._budget.lack(
            seconds + self._goals.warm_up, rate * (seconds + self._goals.warm_up)
        )
        if lack:
            self.stopped = lack
            return False
        measured = yield from measure(
            AtRate(
                rate=rate,
                associations=self._associations,
                seconds=seconds,
                warm_up=self._goals.warm_up,
                thresholds=self._thresholds,
            )
        )
        if not (yield from rest(self._budget)):
            self.stopped = "the peer did not come to rest"
        if measured.saturated:
            self.stopped = f"this client did not keep up at {rate:.4g}/s"
            return False
        if measured.kept and not measured.sign:
            return True
        if self.above is None or rate < self.above[0]:
            self.above = (rate, measured.sign or measured.broken)
        return False


def find_capacity(
    goals: Goals, budget: Budget, alone: Measured, associations: int
) -> Steps[Capacity]:
    """Look for the highest rate that keeps the objective.

    Args:
        alone: a query alone: the search begins at half its rate.
        associations: that the load may use.
    """
    thresholds = goals.thresholds or objective(alone)
    search = _Search(goals, budget, thresholds, associations)
    low, rate = 0.0, alone.rate / 2
    for _ in range(_DOUBLINGS):
        if not (yield from search.holds(rate)):
            break
        low, rate = rate, rate * 2
    high = rate
    for _ in range(_LEVELS):
        if search.stopped or high - low <= _FINE * high:
            break
        middle = (low + high) / 2
        if (yield from search.holds(middle)):
            low = middle
        elif not search.stopped:
            high = middle
    confirmed = False
    for _ in range(_CONFIRMATIONS):
        if not low or confirmed or search.stopped:
            break
        confirmed = yield from search.holds(low, _CONFIRM)
        if not confirmed and not search.stopped:
            low *= _BACK_OFF
    return Capacity(
        rate=low or None,
        confirmed=confirmed,
        above=search.above,
        objective=tuple(one.text for one in thresholds),
        stopped=search.stopped,
    )
