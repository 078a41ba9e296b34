"""The two laws of throughput, and the interval of the knee."""

import math
from random import Random

import pytest

from asyncfind.load.knee import Law, Level, find_knee, fit_ceiling, fit_scaling

NUMBERS = (1, 2, 4, 8, 16, 24, 32, 64)


def _scaling(n: int, contention: float, coherence: float) -> float:
    return 100 * n / (1 + contention * (n - 1) + coherence * n * (n - 1))


def _level(n: int, rate: float, error: float = 0.03) -> Level:
    return Level(concurrency=n, rate=rate, error=error * rate, windows=10)


@pytest.mark.parametrize(
    ("contention", "coherence"), [(0.05, 0.0012), (0.0, 0.01), (0.3, 0.0), (0.0, 0.0)]
)
def test_the_scaling_law_is_found_again(contention: float, coherence: float) -> None:
    fit = fit_scaling([_level(n, _scaling(n, contention, coherence)) for n in NUMBERS])
    assert fit.rate == pytest.approx(100)
    assert fit.contention == pytest.approx(contention, abs=1e-9)
    assert fit.coherence == pytest.approx(coherence, abs=1e-9)
    assert fit.misfit == pytest.approx(0, abs=1e-12)
    if coherence:
        assert fit.peak == pytest.approx(math.sqrt((1 - contention) / coherence))
        assert fit.at(fit.peak) > max(fit.at(fit.peak * 0.9), fit.at(fit.peak * 1.1))
    else:
        assert fit.peak == math.inf


def test_rates_that_rise_faster_than_concurrency_do_not_scale_below_nothing() -> None:
    fit = fit_scaling([_level(1, 10), _level(2, 30), _level(4, 90), _level(8, 250)])
    assert fit.contention >= 0
    assert fit.coherence >= 0
    assert fit.rate > 0


@pytest.mark.parametrize("places", [1.0, 3.0, 5.5, 8.0, 40.0])
def test_the_ceiling_is_found_again(places: float) -> None:
    fit = fit_ceiling([_level(n, 10 * min(n, places)) for n in reversed(NUMBERS)])
    assert fit.rate == pytest.approx(10)
    assert fit.places == pytest.approx(places)
    assert fit.at(1000) == pytest.approx(10 * places)


def test_without_a_ceiling_there_is_none() -> None:
    levels = [_level(n, 10.0 * n) for n in NUMBERS]
    assert fit_ceiling(levels).places >= 64
    assert find_knee(levels) is None


@pytest.mark.parametrize(("contention", "coherence"), [(0.05, 0.0012), (0.02, 0.004)])
def test_the_peak_is_within_the_interval(contention: float, coherence: float) -> None:
    true = math.sqrt((1 - contention) / coherence)
    hits = 0
    for seed in range(20):
        random = Random(seed)
        levels = [
            _level(n, _scaling(n, contention, coherence) * (1 + random.gauss(0, 0.03)))
            for n in NUMBERS
        ]
        knee = find_knee(levels, seed=seed)
        assert knee is not None
        assert knee.law is Law.SCALING
        assert knee.concurrency == pytest.approx(true, rel=0.3)
        assert knee.low <= knee.concurrency <= knee.high
        hits += knee.low <= true <= knee.high
    assert hits >= 18


@pytest.mark.parametrize("places", [3, 8, 20])
def test_the_places_are_within_the_interval(places: int) -> None:
    hits = 0
    for seed in range(20):
        random = Random(seed)
        levels = [
            _level(n, 10 * min(n, places) * (1 + random.gauss(0, 0.03))) for n in (*NUMBERS, 6, 12)
        ]
        knee = find_knee(levels, seed=seed)
        assert knee is not None
        assert knee.law is Law.CEILING
        assert knee.high - knee.low <= 2 + places / 4
        hits += knee.low <= places <= knee.high
    assert hits >= 18


def test_the_interval_is_wider_where_less_is_known() -> None:
    def width(error: float) -> int:
        knee = find_knee([_level(n, 10.0 * min(n, 20), error) for n in NUMBERS])
        assert knee is not None
        return knee.high - knee.low

    assert width(0.01) < width(0.05) < width(0.2)


def test_two_levels_say_nothing() -> None:
    assert find_knee([_level(1, 10), _level(2, 10)]) is None
    assert find_knee([_level(1, 10), _level(1, 10), _level(2, 10)]) is None
    assert find_knee([]) is None


def test_the_same_seed_draws_the_same() -> None:
    levels = [_level(n, _scaling(n, 0.05, 0.002)) for n in NUMBERS]
    assert find_knee(levels, seed=1) == find_knee(list(reversed(levels)), seed=1)
