"""Where more concurrency stops paying: two laws of throughput, fitted to measured levels.

The Universal Scalability Law, X(N) = λN / (1 + σ(N−1) + κN(N−1)), is that of peers whose parts
wait for each other: throughput has a peak at sqrt((1−σ)/κ). The ceiling, X(N) = μ min(N, c), is
that of c places in which queries are served, and a queue before them: its knee is c. Which of the
two describes a peer better is for the levels to say.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Final

__all__ = ["Ceiling", "Knee", "Law", "Level", "Scaling", "find_knee", "fit_ceiling", "fit_scaling"]

_DRAWS: Final = 400
_TAIL: Final = 0.025
_FLOOR: Final = 0.01
"""No level is better known than to a hundredth, however even its seconds were."""
_BEYOND: Final = 1.5
"""A peak further off than so many times the highest level was never seen."""
_AS_GOOD: Final = 2.0
"""Difference of Akaike's criterion up to which neither law is the better one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Throughput at one concurrency.

    Args:
        concurrency: queries under way on average; by Little's law rate × service time.
        rate: complete queries per second.
        error: standard error of `rate`.
        windows: seconds that `error` comes from.
    """

    concurrency: float
    rate: float
    error: float
    windows: int


class Law(StrEnum):
    """What throughput followed."""

    SCALING = "universal scalability law"
    CEILING = "ceiling"


@dataclass(frozen=True, slots=True)
class Scaling:
    """The Universal Scalability Law, fitted.

    Args:
        rate: λ, throughput of a query alone, per second.
        contention: σ, the share of work that cannot be done beside other work.
        coherence: κ, what each pair costs.
        misfit: mean square of relative deviations, each weighted by how well its level is known.
    """

    rate: float
    contention: float
    coherence: float
    misfit: float

    @property
    def peak(self) -> float:
        """The concurrency of highest throughput; infinite where it never falls."""
        if self.coherence <= 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherence)

    def at(self, concurrency: float) -> float:
        """Throughput at a concurrency."""
        n = concurrency
        return self.rate * n / (1 + self.contention * (n - 1) + self.coherence * n * (n - 1))


@dataclass(frozen=True, slots=True)
class Ceiling:
    """So many places that serve, and a queue, fitted.

    Args:
        rate: μ, throughput of one place, per second.
        places: c; infinite where no ceiling was reached.
        misfit: as of `Scaling`.
    """

    rate: float
    places: float
    misfit: float

    def at(self, concurrency: float) -> float:
        """Throughput at a concurrency."""
        return self.rate * min(concurrency, self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """Where more concurrency stops paying.

    Args:
        concurrency: about so much.
        low, high: between these in 95 of 100 cases, whole numbers.
        rate: throughput there, per second.
        law: the better of the two for these levels.
    """

    concurrency: float
    low: int
    high: int
    rate: float
    law: Law


def find_knee(levels: Sequence[Level], *, seed: int = 0) -> Knee | None:
    """Find the knee and how far it can be trusted; None where throughput still rises.

    The interval is by parametric bootstrap: levels are drawn anew within their errors, and within
    what the law leaves unexplained, and fitted again. Where both laws do equally well it spans
    what either says.

    Args:
        levels: in any order; each with a throughput above 0.
        seed: of the draws.
    """
    levels = sorted(levels, key=lambda one: one.concurrency)
    if len({round(one.concurrency, 3) for one in levels}) < 3:
        return None
    laws = _ranked(levels)
    if not laws:
        return None
    best, estimate, _ = laws[0]
    random = Random(seed)
    lows, highs = [], []
    for law, _, misfit in laws:
        draws = sorted(_knee(law, _redrawn(levels, misfit, random)) for _ in range(_DRAWS))
        lows.append(draws[int(_TAIL * _DRAWS)])
        highs.append(draws[-1 - int(_TAIL * _DRAWS)])
    low, high = min(*lows, estimate), max(*highs, estimate)
    if best is Law.SCALING:
        # A smooth law misses where a peak has a kink: what was as fast as the fastest may be it.
        low = min(low, _as_fast(levels))
    # A knee beyond all that was measured is only known to be beyond.
    high = min(high, _BEYOND * levels[-1].concurrency)
    return Knee(
        concurrency=estimate,
        low=max(1, math.floor(low + 1e-9)),
        high=math.ceil(high - 1e-9),
        rate=_fit(best, levels).at(estimate),
        law=best,
    )


def _as_fast(levels: Sequence[Level]) -> float:
    """The lowest concurrency at which throughput was as high as anywhere, within errors."""
    fastest = max(levels, key=lambda one: one.rate)
    return next(
        one.concurrency
        for one in levels
        if fastest.rate - one.rate <= 2 * math.hypot(fastest.error, one.error)
    )


def _ranked(levels: Sequence[Level]) -> list[tuple[Law, float, float]]:
    """The laws that have a knee, the better first, those much worse left out; knee, misfit."""
    scored: list[tuple[float, Law, float, float]] = []
    top = levels[-1].concurrency
    for law, parameters in ((Law.CEILING, 2), (Law.SCALING, 3)):
        if len(levels) <= parameters:
            continue
        fit = _fit(law, levels)
        knee = _knee(law, levels)
        if knee <= _BEYOND * top and not (law is Law.CEILING and knee >= top):
            # Akaike's criterion for small samples.
            count = len(levels)
            spare = max(1, count - parameters - 1)
            penalty = 2 * parameters + 2 * parameters * (parameters + 1) / spare
            score = count * math.log(max(fit.misfit, _FLOOR**2 / 4)) + penalty
            scored.append((score, law, knee, fit.misfit))
    scored.sort(key=lambda one: one[0])
    return [
        (law, knee, misfit)
        for score, law, knee, misfit in scored
        if score <= scored[0][0] + _AS_GOOD
    ]


def _fit(law: Law, levels: Sequence[Level]) -> Scaling | Ceiling:
    return fit_scaling(levels) if law is Law.SCALING else fit_ceiling(levels)


def _knee(law: Law, levels: Sequence[Level]) -> float:
    return fit_scaling(levels).peak if law is Law.SCALING else fit_ceiling(levels).places


def _redrawn(levels: Sequence[Level], misfit: float, random: Random) -> list[Level]:
    """The same levels, had chance fallen otherwise."""
    known = sum((one.error / one.rate) ** 2 for one in levels) / len(levels)
    unexplained = max(0.0, misfit - known)
    return [
        replace(
            one,
            rate=max(
                one.rate
                + one.error * _student(one.windows - 1, random)
                + one.rate * math.sqrt(unexplained) * random.gauss(0, 1),
                one.rate / 100,
            ),
        )
        for one in levels
    ]


def _student(freedom: int, random: Random) -> float:
    """A draw from Student's distribution: errors estimated from few seconds are estimates."""
    freedom = max(freedom, 3)
    return random.gauss(0, 1) / math.sqrt(2 * random.gammavariate(freedom / 2, 1) / freedom)


def _weight(one: Level) -> float:
    """How much a level counts: by its relative error."""
    return 1 / ((one.error / one.rate) ** 2 + _FLOOR**2)


# --- The Universal Scalability Law ---


def fit_scaling(levels: Sequence[Level]) -> Scaling:
    """Fit the Universal Scalability Law by least squares of relative deviations.

    Multiplied out it is linear: N/X = a + b(N−1) + cN(N−1) with a = 1/λ, b = σ/λ, c = κ/λ. None of
    them is negative; what comes out so is left out.
    """
    terms = [0, 1, 2]
    while True:
        found = _solve_terms(levels, terms)
        negative = [term for term in terms[1:] if found[term] < 0]
        if not negative:
            break
        terms.remove(min(negative, key=lambda term: found[term]))
    a, b, c = found
    if a <= 0:  # rates that rise faster than concurrency
        a = min(one.concurrency / one.rate for one in levels)
        b = c = 0.0
    fit = Scaling(1 / a, b / a, c / a, 0.0)
    return replace(fit, misfit=_misfit(levels, fit))


def _solve_terms(levels: Sequence[Level], terms: Sequence[int]) -> list[float]:
    """Coefficients of the terms 1, N−1 and N(N−1); 0 of those not among `terms`."""
    size = len(terms)
    matrix = [[0.0] * (size + 1) for _ in terms]
    for one in levels:
        n, y = one.concurrency, one.concurrency / one.rate
        weight = _weight(one) / y**2
        basis = (1.0, n - 1, n * (n - 1))
        for row, left in enumerate(terms):
            for column, right in enumerate(terms):
                matrix[row][column] += weight * basis[left] * basis[right]
            matrix[row][size] += weight * basis[left] * y
    solution = _solve(matrix)
    found = [0.0, 0.0, 0.0]
    for term, value in zip(terms, solution, strict=True):
        found[term] = value
    return found


def _solve(matrix: list[list[float]]) -> list[float]:
    """Solve linear equations by elimination; an unknown that they leave open is 0."""
    size = len(matrix)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        if abs(matrix[column][column]) < 1e-300:
            continue
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                for place in range(column, size + 1):
                    matrix[row][place] -= factor * matrix[column][place]
    return [row[size] / row[place] if row[place] else 0.0 for place, row in enumerate(matrix)]


# --- The ceiling ---


def fit_ceiling(levels: Sequence[Level]) -> Ceiling:
    """Fit rising and level part by least squares of relative deviations.

    For each way to divide the levels into the two, both parts have their own best rate; the knee
    is where they cross, moved between the two levels that the division is between.
    """
    levels = sorted(levels, key=lambda one: one.concurrency)
    best = _joint(levels, math.inf)
    for split in range(1, len(levels)):
        slope = _rate(levels[:split], math.inf)
        top = _rate(levels[split:], 1.0)
        below, above = levels[split - 1].concurrency, levels[split].concurrency
        fit = _joint(levels, min(max(top / slope, below), above))
        if fit.misfit < best.misfit - 1e-15:
            best = fit
    return best


def _joint(levels: Sequence[Level], places: float) -> Ceiling:
    """The best fit with so many places."""
    fit = Ceiling(_rate(levels, places), places, 0.0)
    return replace(fit, misfit=_misfit(levels, fit))


def _rate(levels: Sequence[Level], places: float) -> float:
    """The rate per place that fits best."""
    above = below = 0.0
    for one in levels:
        share = min(one.concurrency, places) / one.rate
        above += _weight(one) * share
        below += _weight(one) * share**2
    return above / below


def _misfit(levels: Sequence[Level], fit: Scaling | Ceiling) -> float:
    weights = [_weight(one) for one in levels]
    squares = ((fit.at(one.concurrency) / one.rate - 1) ** 2 for one in levels)
    weighted = sum(weight * square for weight, square in zip(weights, squares, strict=True))
    return weighted / sum(weights)
