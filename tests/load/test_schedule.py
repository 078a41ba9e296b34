"""Intended instants: exact, the same each time, never moved."""

import math
from itertools import islice, pairwise
from statistics import fmean, pvariance

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.load.schedule import (
    Piece,
    Schedule,
    constant,
    make_schedule,
    parse_seconds,
    parse_stages,
)


def _instants(*pieces: Piece, **options: int) -> list[float]:
    return list(Schedule(pieces=pieces, **options).instants())


def test_a_constant_rate_is_k_over_r_without_drift() -> None:
    instants = _instants(*constant(30, 100))
    assert len(instants) == 3000
    assert all(instant == pytest.approx(k / 30, abs=1e-12) for k, instant in enumerate(instants))


def test_without_end_the_count_ends_it() -> None:
    assert list(make_schedule(constant(4), count=3).instants()) == [0, 0.25, 0.5]
    endless = make_schedule(constant(1000)).instants()
    assert list(islice(endless, 100_000))[-1] == pytest.approx(99.999)


@pytest.mark.parametrize(("start", "end"), [(0, 50), (50, 0), (10, 200), (200, 10)])
def test_a_ramp_has_k_arrivals_by_the_instant_of_arrival_k(start: float, end: float) -> None:
    seconds = 12.0
    instants = _instants(Piece(seconds, start, end))
    # As many as the area below the line, the one at 0 included.
    assert len(instants) == math.ceil((start + end) / 2 * seconds)
    for k, now in enumerate(instants):
        assert start * now + (end - start) / seconds * now**2 / 2 == pytest.approx(k, abs=1e-6)
    assert all(a < b for a, b in pairwise(instants))
    assert instants[-1] <= seconds


def test_pieces_keep_their_places_to_the_sum_of_their_lengths() -> None:
    pieces = parse_stages("0:10,10s:10,10s:100,11s:100,20s=5,40s=5")
    assert pieces == (Piece(10, 10, 10), Piece(1, 100, 100), Piece(9, 100, 100), Piece(20, 5, 5))
    instants = _instants(*pieces)
    by_second = [sum(s <= instant < s + 1 for instant in instants) for s in range(40)]
    assert by_second == [10] * 10 + [100] * 10 + [5] * 20


def test_a_jump_and_a_line() -> None:
    assert parse_stages("0:0,10s:50") == (Piece(10, 0, 50),)
    assert parse_stages("0=20,10s=50,20=50") == (Piece(10, 20, 20), Piece(10, 50, 50))
    assert parse_stages("0:50, 30s:200/s") == (Piece(30, 50, 200),)


def test_a_length_cuts_stages_or_goes_on_at_the_last_rate() -> None:
    assert parse_stages("0:0,10s:50", 4) == (Piece(4, 0, 20),)
    assert parse_stages("0:0,10s:50", 12) == (Piece(10, 0, 50), Piece(2, 50, 50))
    assert parse_stages("0:7", 3) == (Piece(3, 7, 7),)
    assert parse_stages("0:5,1s:5,3s:9", 1) == (Piece(1, 5, 5),)


@pytest.mark.parametrize(
    "text",
    ["", "50", "5s:50", "0:50,20s:5,10s:5", "0:x", "0:-3,9s:4", "0:0,9s:0", "0:5", "0:5,8x:9"],
)
def test_what_is_no_stages_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_stages(text)


def test_poisson_is_the_same_for_the_same_seed_and_random_otherwise() -> None:
    first = _instants(*constant(100, 200), seed=7)
    assert first == _instants(*constant(100, 200), seed=7)
    assert first != _instants(*constant(100, 200), seed=8)
    gaps = [b - a for a, b in pairwise(first)]
    # Of exponentials the standard deviation is the mean; 20,000 of them.
    assert fmean(gaps) == pytest.approx(0.01, rel=0.03)
    assert pvariance(gaps) ** 0.5 == pytest.approx(0.01, rel=0.05)


def test_poisson_follows_a_ramp() -> None:
    instants = _instants(Piece(100, 0, 200), seed=3)
    early = sum(instant < 50 for instant in instants)
    assert len(instants) == pytest.approx(10_000, rel=0.05)
    assert early / len(instants) == pytest.approx(0.25, abs=0.02)


def test_a_warm_up_comes_before_and_does_not_count() -> None:
    schedule = make_schedule(constant(10, 5), warm_up=2)
    instants = list(schedule.instants())
    assert len(instants) == 70
    assert sum(instant >= schedule.warm_up for instant in instants) == 50
    counted = make_schedule(constant(10), warm_up=2, count=7)
    assert len(list(counted.instants())) == 27
    assert (schedule.seconds, schedule.peak) == (7, 10)


def test_a_warm_up_at_rate_0_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="warm-up"):
        make_schedule(parse_stages("0:0,10s:50"), warm_up=1)


def test_times() -> None:
    texts = ["90", "90s", "500ms", "2m", "2min", "1h", ".5"]
    assert [parse_seconds(text) for text in texts] == [90, 90, 0.5, 120, 120, 3600, 0.5]
    for bad in ("", "s", "-1", "1d", "1 2", "nan"):
        with pytest.raises(InvalidRequest):
            parse_seconds(bad)
