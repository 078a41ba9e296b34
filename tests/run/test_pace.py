"""How hard an archive is worked, against archives that are simulated."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.book.pacing import Rate, Span, parse_rate, parse_spans
from asyncfind.run.pace import Concurrency, RateLimit, Window

quick = settings(deadline=None, max_examples=150)

# --- rates ---

rates = st.builds(
    Rate, st.floats(0.1, 200, allow_nan=False).map(lambda n: round(n, 2)), st.sampled_from([1, 60])
)


@quick
@given(rates, st.lists(st.floats(0, 3), min_size=1, max_size=80), st.floats(0, 1e6))
def test_no_stretch_of_time_has_more_queries_than_the_rate_allows(
    rate: Rate, gaps: list[float], start: float
) -> None:
    limit = RateLimit(rate)
    now, begun = start, []
    for gap in gaps:
        now += gap
        now += limit.wait(now)
        limit.take(now)
        begun.append(now)
    per_second = rate.per_second
    for first, since in enumerate(begun):
        for last in range(first, len(begun)):
            count = last - first + 1
            allowed = per_second * (begun[last] - since) + max(1, per_second)
            assert count <= allowed + 1e-3


@quick
@given(rates, st.integers(1, 200))
def test_who_always_asks_gets_the_whole_rate(rate: Rate, count: int) -> None:
    limit, now = RateLimit(rate), 0.0
    for _ in range(count):
        now += limit.wait(now)
        limit.take(now)
    assert now <= (count - 1) / rate.per_second + 1e-3


def test_a_pause_earns_no_more_than_a_second_of_queries() -> None:
    limit = RateLimit(parse_rate("5/s"))
    limit.take(0.0)
    waits = []
    for _ in range(7):
        waits.append(limit.wait(1000.0))
        limit.take(1000.0)
    assert waits[:5] == [0.0] * 5
    assert waits[5:] == pytest.approx([0.2, 0.4])


def test_a_slow_rate_has_no_burst_and_begins_at_once() -> None:
    limit = RateLimit(parse_rate("6/min"))
    assert limit.wait(50.0) == 0.0
    limit.take(50.0)
    assert limit.wait(50.0) == pytest.approx(10.0)
    assert limit.wait(60.0) == 0.0


# --- hours ---

ZONES = [ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("UTC")]
minutes = st.integers(0, 1439)
spans = st.builds(Span, minutes, st.integers(1, 1440)).filter(lambda one: one.start != one.end)
moments = st.floats(1.7e9, 1.8e9)


def _at(zone: ZoneInfo, *when: int) -> float:
    return datetime(*when, tzinfo=zone).timestamp()  # type: ignore[arg-type, misc] # year to minute


@quick
@given(st.lists(spans, min_size=1, max_size=3), st.sampled_from(ZONES), moments)
def test_a_window_opens_when_it_says_and_not_before(
    some: Sequence[Span], zone: ZoneInfo, now: float
) -> None:
    window = Window(some, zone)
    wait = window.wait(now)
    assert window.is_open(now + wait)
    assert (wait == 0.0) == window.is_open(now)
    assert wait <= 26 * 3600 * 2
    for part in range(20):
        if wait:
            assert not window.is_open(now + wait * part / 20.001)


@quick
@given(spans, st.sampled_from(ZONES), moments)
def test_a_window_is_open_in_its_spans_alone(span: Span, zone: ZoneInfo, now: float) -> None:
    clock = datetime.fromtimestamp(now, zone)
    minute = clock.hour * 60 + clock.minute
    length = (span.end - span.start) % 1440 or 1440
    assert Window([span], zone).is_open(now) == ((minute - span.start) % 1440 < length)


def test_a_night_goes_over_midnight() -> None:
    zone = ZoneInfo("Europe/Berlin")
    window = Window(parse_spans(["20:00-06:00"]), zone)
    for hour, minute, is_open in ((19, 59, 0), (20, 0, 1), (0, 0, 1), (5, 59, 1), (6, 0, 0)):
        assert window.is_open(_at(zone, 2026, 1, 7, hour, minute)) == bool(is_open)
    assert window.wait(_at(zone, 2026, 1, 7, 6, 0)) == 14 * 3600


def test_of_several_spans_the_next_one_counts() -> None:
    zone = ZoneInfo("UTC")
    window = Window(parse_spans(["22:00-24:00, 12:00-13:30", "00:00-01:00"]), zone)
    assert window.wait(_at(zone, 2026, 1, 7, 1, 0)) == 11 * 3600
    assert window.wait(_at(zone, 2026, 1, 7, 13, 30) + 0.5) == 8.5 * 3600 - 0.5
    assert window.wait(_at(zone, 2026, 1, 7, 23, 59) + 60) == 0.0


def test_when_clocks_are_set_the_clock_on_the_wall_counts() -> None:
    zone = ZoneInfo("Europe/Berlin")
    window = Window(parse_spans(["06:00-07:00"]), zone)
    for day, hours in (((2026, 3, 28), 11), ((2026, 10, 24), 13), ((2026, 5, 1), 12)):
        assert window.wait(_at(zone, *day, 18, 0)) == hours * 3600
    # On 29 March 2026 there is no 02:30: the window begins with the hour that comes instead,
    # and where all of it is missing, a day later.
    evening = _at(zone, 2026, 3, 28, 22, 0)
    assert Window(parse_spans(["02:30-05:00"]), zone).wait(evening) == 4 * 3600
    assert Window(parse_spans(["02:30-02:45"]), zone).wait(evening) == 27.5 * 3600


def test_no_span_is_always_and_no_zone_is_this_machines() -> None:
    assert Window(()).wait(1.75e9) == 0.0
    now = 1.75e9
    hour = datetime.fromtimestamp(now).astimezone()
    later = hour + timedelta(minutes=5)
    span = Span(
        later.hour * 60 + later.minute, (later.hour * 60 + later.minute + 60) % 1440 or 1440
    )
    assert 0 < Window([span]).wait(now) <= 300


# --- associations ---


@dataclass
class _Archive:
    """An archive with a limit, worked by as many associations as the controller allows.

    Args:
        room: associations that it takes; one more is rejected.
        service: seconds that a query takes when so many are open.
    """

    room: int
    service: Callable[[int], float]
    refused: list[tuple[float, int]] = field(default_factory=list)
    limits: list[tuple[float, int]] = field(default_factory=list)
    done: int = 0

    def work(self, control: Concurrency, until: float) -> None:
        now, running, order = 0.0, list[tuple[float, int, float]](), 0
        retry_at = 0.0
        while now < until:
            while len(running) < control.limit and now >= retry_at:
                if len(running) >= self.room:
                    self.refused.append((now, len(running) + 1))
                    control.enough(now, len(running) + 1)
                    retry_at = now + 2.0
                else:
                    order += 1
                    ends = now + self.service(len(running) + 1)
                    heapq.heappush(running, (ends, order, now))
            self.limits.append((now, control.limit))
            if not running:
                now = retry_at
                continue
            ended, _, began = heapq.heappop(running)
            now = ended
            control.completed(now, now - began, busy=len(running) + 1 >= control.limit)
            self.done += 1


@quick
@given(st.integers(1, 8), st.integers(1, 8), st.floats(0.01, 3))
def test_a_limit_is_passed_by_one_and_not_again_for_five_minutes(
    room: int, cap: int, seconds: float
) -> None:
    archive = _Archive(room, lambda _: seconds)
    control = Concurrency(cap)
    archive.work(control, 1000.0)
    assert all(count == room + 1 for _, count in archive.refused)
    times = [when for when, _ in archive.refused]
    assert all(later - earlier >= 300 for earlier, later in pairwise(times))
    assert all(1 <= limit <= min(cap, room + 1) for _, limit in archive.limits)
    assert bool(archive.refused) == (cap > room and archive.done >= 10 * room * (room + 1) // 2)


@quick
@given(st.integers(2, 8))
def test_what_the_archive_takes_is_used_in_the_end(room: int) -> None:
    archive = _Archive(room, lambda _: 0.1)
    archive.work(Concurrency(8), 200.0)
    assert {limit for when, limit in archive.limits if when > 100} == {room}


@quick
@given(st.integers(1, 4), st.floats(0.05, 0.5))
def test_associations_that_gain_nothing_are_given_back(servers: int, seconds: float) -> None:
    """An archive that works on so many queries at a time lets the others wait."""
    archive = _Archive(99, lambda count: seconds * max(1, count / servers))
    archive.work(Concurrency(12), 290.0)
    late = [limit for when, limit in archive.limits if when > 150]
    assert servers <= max(late) <= servers + 2


def test_it_begins_with_one_and_ten_busy_queries_make_one_more() -> None:
    control = Concurrency(4)
    for number in range(1, 31):
        control.completed(number * 1.0, 1.0 / control.limit, busy=True)
        assert control.limit == 1 + number // 10
    for number in range(100):
        control.completed(31.0 + number, 0.3, busy=True)
    assert control.limit == 4


def test_idle_associations_prove_nothing() -> None:
    control = Concurrency(4)
    for number in range(100):
        control.completed(number, 1.0, busy=number % 10 != 9)
    assert control.limit == 1


def _at_four() -> Concurrency:
    control = Concurrency(4)
    for number in range(30):
        control.completed(number * 1.0, 1.0 / control.limit, busy=True)
    assert control.limit == 4
    return control


def test_it_halves_once_a_second_at_most() -> None:
    control = _at_four()
    control.enough(100.0)
    assert control.limit == 2
    control.enough(100.9, 4)
    assert control.limit == 2
    control.enough(101.0, 4)
    assert control.limit == 1
    control.enough(103.0, 1)
    assert control.limit == 1


def test_a_count_that_failed_is_not_allowed_even_within_the_second() -> None:
    control = _at_four()
    control.enough(100.0, 4)
    control.enough(100.1, 2)
    assert control.limit == 1


def test_a_failed_count_comes_back_after_five_minutes() -> None:
    control = _at_four()
    control.enough(100.0, 4)
    for number in range(290):
        control.completed(101.0 + number, 0.5, busy=True)
        assert control.limit < 4
    for number in range(30):
        control.completed(400.0 + number, 0.3, busy=True)
    assert control.limit == 4


def test_our_own_shortage_is_not_held_against_the_archive() -> None:
    control = _at_four()
    control.enough(100.0, ours=True)
    assert control.limit == 2
    for number in range(20):
        control.completed(101.0 + number, 1.0 / control.limit, busy=True)
    assert control.limit == 4


def test_a_cap_of_one_stays_there() -> None:
    control = Concurrency(1)
    for number in range(50):
        control.completed(float(number), 1.0, busy=True)
    control.enough(60.0)
    assert control.limit == 1
