"""Three digits of every value, held against sorting and against HdrHistogram."""

import math
from random import Random

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.load.histogram import Histogram

_PERCENTS = (0, 1, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100)
_VALUES = st.lists(st.integers(0, 3_600_000_000), min_size=1, max_size=300)


def _of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record_micros(value)
    return histogram


def _exact(values: list[int], percent: float) -> int:
    rank = max(1, math.ceil(round(percent / 100 * len(values), 6)))
    return sorted(values)[rank - 1]


@settings(deadline=None)
@given(values=_VALUES, percent=st.sampled_from(_PERCENTS))
def test_a_percentile_is_the_sorted_one_to_a_thousandth(values: list[int], percent: float) -> None:
    found = _of(values).percentile(percent)
    assert found is not None
    exact = _exact(values, percent)
    micros = round(found * 1e6)
    assert exact <= micros <= exact + exact // 1000
    if exact < 2048:
        assert micros == exact


@settings(deadline=None)
@given(values=_VALUES)
def test_count_min_max_and_mean_are_exact(values: list[int]) -> None:
    histogram = _of(values)
    assert histogram.count == len(values)
    assert histogram.min == min(values) / 1e6
    assert histogram.max == max(values) / 1e6
    assert histogram.mean == pytest.approx(sum(values) / len(values) / 1e6, rel=1e-12)


@settings(deadline=None)
@given(first=_VALUES, second=_VALUES)
def test_merged_parts_are_the_whole(first: list[int], second: list[int]) -> None:
    merged, whole = _of(first), _of(first + second)
    merged.merge(_of(second))
    merged.merge(Histogram())
    into_empty = Histogram()
    into_empty.merge(whole)
    for one in (merged, into_empty):
        assert (one.count, one.total, one.min, one.max) == (
            *(whole.count, whole.total, whole.min, whole.max),
        )
        assert list(one.buckets()) == list(whole.buckets())


@pytest.mark.parametrize("seed", range(5))
def test_counters_and_percentiles_are_those_of_hdrhistogram(seed: int) -> None:
    random = Random(seed)
    values = [min(3_500_000_000, int(random.lognormvariate(9, 2.5))) + 1 for _ in range(5000)]
    ours, theirs = _of(values), HdrHistogram(1, 3_600_000_000, 3)
    for value in values:
        theirs.record_value(value)
    counted = [
        (item.value_iterated_to, item.count_added_in_this_iter_step)
        for item in theirs.get_recorded_iterator()
    ]
    assert list(ours.buckets()) == counted
    for percent in _PERCENTS[1:]:
        found = ours.percentile(percent)
        assert found is not None
        expected = theirs.get_value_at_percentile(percent)
        # Ours never exceeds the largest value seen.
        assert round(found * 1e6) == min(expected, max(values))


def test_an_empty_one_has_no_values() -> None:
    empty = Histogram()
    assert not empty
    assert (empty.min, empty.max, empty.mean, empty.percentile(50)) == (None,) * 4


def test_seconds_are_rounded_to_microseconds_and_never_negative() -> None:
    histogram = Histogram()
    for seconds in (-0.1, 0.0000014, 0.0000016):
        histogram.record(seconds)
    assert list(histogram.buckets()) == [(0, 1), (1, 1), (2, 1)]
