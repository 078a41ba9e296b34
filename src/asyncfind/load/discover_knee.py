"""Where more concurrency stops paying: closed loads of 1, 2, 4, 8 ... queries at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asyncfind.load.discover_steps import (
    AtOnce,
    Budget,
    Goals,
    Measured,
    Steps,
    count_for,
    measure,
    rest,
)
from asyncfind.load.knee import Knee, Level, find_knee

__all__ = ["KneeFound", "find_knee_by_steps", "measure_level"]

_GAIN: Final = 0.05
_FLAT: Final = 2
_PRECISE: Final = 0.05
_TRIES: Final = 3
_LITTLE: Final = 0.10
_LEVELS: Final = 12
"""Among which the budget of queries is divided."""
_WARM: Final = 0.2
_BISECTIONS: Final = 4
_NEAR: Final = 0.95
_TWO_SIDED: Final = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class KneeFound:
    """What was found about concurrency.

    Args:
        knee: None where throughput still rose at the last level, or too little was measured.
        levels: by concurrency, those that hold.
        void: levels at which our own side queued, by Little's law.
        stopped: why no higher level was tried.
        sign: the peer showed that it had enough; empty where it did not.
    """

    knee: Knee | None
    levels: tuple[tuple[int, Measured], ...]
    void: tuple[int, ...] = ()
    stopped: str = ""
    sign: str = ""

    @property
    def alone(self) -> Measured | None:
        """A query alone."""
        return next((one for number, one in self.levels if number == 1), None)

    def __str__(self) -> str:
        if self.knee is None:
            top = max((number for number, _ in self.levels), default=0)
            return f"none up to {top} at once ({self.stopped})"
        knee = self.knee
        return (
            f"about {knee.concurrency:.0f} at once, {knee.rate:.4g}/s "
            f"(range {knee.low}–{knee.high}; {knee.law})"
        )


class _Search:
    """Levels that were measured."""

    def __init__(self, goals: Goals, budget: Budget) -> None:
        self._goals = goals
        self._budget = budget
        self.good: dict[int, Measured] = {}
        self.void: list[int] = []
        self.sign = ""
        self.stopped = ""

    def visit(self, concurrency: int) -> Steps[bool]:
        """Measure one level; False ends the search."""
        measured = yield from measure_level(concurrency, self._goals, self._budget)
        if measured is None:
            self.stopped = self._budget.lack(self._goals.seconds) or "out of budget"
            return False
        if measured.rate <= 0:
            self.stopped = f"no complete query with {concurrency} at once"
            self.sign = measured.sign
            return False
        if measured.saturated:
            self.void.append(concurrency)
            self.stopped = "this client did not keep up"
            return False
        if _queues_here(concurrency, measured):
            self.void.append(concurrency)
        else:
            self.good[concurrency] = measured
        if measured.sign:
            self.sign = measured.sign
            self.stopped = measured.sign
        elif measured.failed > self._goals.error_share:
            self.stopped = f"{measured.failed * 100:.2g} % of queries failed"
        if not self.stopped and not (yield from rest(self._budget)):
            self.stopped = "the peer did not come to rest"
        return not self.stopped

    def levels(self) -> list[Level]:
        """What the fit is made of."""
        return [_level(number, one) for number, one in sorted(self.good.items())]


def find_knee_by_steps(goals: Goals, budget: Budget, top: int) -> Steps[KneeFound]:
    """Double the concurrency while that pays, then halve the interval in which it ceased to.

    Args:
        top: the highest concurrency to try.
    """
    search = _Search(goals, budget)
    if not (yield from rest(budget)):
        return KneeFound(
            knee=None, levels=(), stopped=f"the peer did not answer a query: {budget.trouble}"
        )
    yield from _double(search, top)
    if not search.sign:
        yield from _bisect(search)
    return KneeFound(
        knee=find_knee(search.levels(), seed=goals.seed),
        levels=tuple(sorted(search.good.items())),
        void=tuple(search.void),
        stopped=search.stopped,
        sign=search.sign,
    )


def _double(search: _Search, top: int) -> Steps[None]:
    number, best, flat = 1, 0.0, 0
    while True:
        if not (yield from search.visit(number)):
            return
        if number in search.good:
            rate = search.good[number].rate
            flat = flat + 1 if rate < best * (1 + _GAIN) else 0
            best = max(best, rate)
        if flat >= _FLAT:
            search.stopped = f"less than {_GAIN * 100:g} % more in {_FLAT} steps"
            return
        if number == top:
            search.stopped = f"{top} at once is the most that was allowed"
            return
        number = min(number * 2, top)


def _bisect(search: _Search) -> Steps[None]:
    """Measure between the last level that paid and the first that did not."""
    why, search.stopped = search.stopped, ""
    for _ in range(_BISECTIONS):
        rates = {number: one.rate for number, one in search.good.items()}
        if len(rates) < 2:
            break
        enough = _NEAR * max(rates.values())
        high = min(number for number, rate in rates.items() if rate >= enough)
        low = max((number for number in rates if number < high), default=high)
        middle = (low + high) // 2
        tried = (*search.good, *search.void)
        if middle in tried or not (yield from search.visit(middle)):
            break
    search.stopped = why


def measure_level(
    concurrency: int, goals: Goals, budget: Budget, tries: int = _TRIES
) -> Steps[Measured | None]:
    """Measure until the interval of throughput is within a twentieth of it, or often enough.

    None where the budget is not enough for the first.
    """
    parts: list[Measured] = []
    for _ in range(tries):
        if budget.lack(goals.seconds + goals.warm_up, concurrency):
            break
        count = max(concurrency, count_for(budget, _LEVELS))
        # What warms up a fast peer is not to cost more than what is measured.
        longest = _WARM * count * (budget.idle or 0.0) / concurrency
        step = AtOnce(
            concurrency=concurrency,
            seconds=goals.seconds,
            warm_up=min(goals.warm_up, longest),
            count=count,
        )
        parts.append((yield from measure(step)))
        whole = _merged(parts)
        if whole.sign or whole.saturated or _TWO_SIDED * whole.error <= _PRECISE * whole.rate:
            break
    return _merged(parts) if parts else None


def _merged(parts: Sequence[Measured]) -> Measured:
    """Several measurements of the same as one, each with the weight of its seconds."""
    if len(parts) == 1:
        return parts[0]
    windows = sum(max(one.windows, 1) for one in parts)
    shares = [max(one.windows, 1) / windows for one in parts]
    services = [(share, one.service) for share, one in zip(shares, parts, strict=True)]
    known = [(share, service) for share, service in services if service is not None]
    error = math.sqrt(
        sum((share * one.error) ** 2 for share, one in zip(shares, parts, strict=True))
    )
    return Measured(
        rate=sum(share * one.rate for share, one in zip(shares, parts, strict=True)),
        error=error,
        windows=windows,
        service=sum(share * service for share, service in known) / sum(share for share, _ in known)
        if known
        else None,
        p95=max((one.p95 for one in parts if one.p95 is not None), default=None),
        failed=sum(share * one.failed for share, one in zip(shares, parts, strict=True)),
        kept=all(one.kept for one in parts),
        broken=next((one.broken for one in parts if one.broken), ""),
        sign=next((one.sign for one in parts if one.sign), ""),
        saturated=any(one.saturated for one in parts),
        seconds=sum(one.seconds for one in parts),
        queries=sum(one.queries for one in parts),
    )


def _queues_here(concurrency: int, measured: Measured) -> bool:
    """By Little's law N = X·R; what is missing were queries that waited on our side."""
    if measured.service is None:
        return True
    return abs(measured.rate * measured.service - concurrency) > _LITTLE * concurrency


def _level(concurrency: int, measured: Measured) -> Level:
    in_flight = measured.rate * (measured.service or 0.0)
    return Level(
        concurrency=in_flight or concurrency,
        rate=measured.rate,
        error=measured.error,
        windows=measured.windows,
    )
