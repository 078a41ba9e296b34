"""The grammar of thresholds, and how they are looked at."""

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.load.monitor import Monitor
from asyncfind.load.tally import Ended, Tally
from asyncfind.load.threshold import Threshold, parse_threshold


def _tally(*seconds: float, failed: int = 0, dropped: int = 0) -> Tally:
    """Complete queries of these lengths, and others."""
    tally = Tally(offered=len(seconds) + failed + dropped, dropped=dropped)
    for one in seconds:
        tally.ended(Ended(10.0, 10.0, 10.0, 10.0 + one / 2, 10.0 + one))
    for number in range(failed):
        kind = "timeout" if number % 2 else "status"
        tally.ended(Ended(10.0, 10.0, 10.0, None, 11.0, kind, "x"))
    return tally


def test_every_part_is_read() -> None:
    assert parse_threshold(" p99.9( response )<=1.5s  for 30s abort after 1m ") == Threshold(
        text="p99.9( response )<=1.5s for 30s abort after 1m",
        function="p99.9",
        metric="response",
        operator="<=",
        limit=1.5,
        window=30,
        abort=True,
        after=60,
    )
    assert parse_threshold("share(error{kind=no-context}) < 0.1%").kind == "no-context"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("p50(response) < 9s", 0.2),
        ("max(response) < 900ms", 0.4),
        ("min(service) < 200000us", 0.1),
        ("mean(first) < 200ms", 0.125),
        ("count(error) == 6", 6),
        ("count(error{kind=timeout}) <= 3", 3),
        ("share(error) < 61%", 0.6),
        ("share(error) < 0.61", 0.6),
        ("rate(completed) >= 2/s", 2),
        ("rate(offered) != 2", 5),
        ("count(dropped) == 0", 0),
    ],
)
def test_values_and_units(text: str, value: float) -> None:
    threshold = parse_threshold(text)
    found = threshold.value(_tally(0.1, 0.2, 0.3, 0.4, failed=6), 2.0)
    assert found == pytest.approx(value, rel=1e-3)
    assert threshold.holds(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("p99(response) 500ms", "is none"),
        ("p99(response) < 500", "no unit"),
        ("p99(response) < 5%", "unit '%'"),
        ("p101(response) < 5ms", "unknown function"),
        ("median(response) < 5ms", "unknown function"),
        ("p99(dropped) < 5ms", "times 'dropped'"),
        ("count(response) < 5", "counts 'response'"),
        ("count(dropped) < 5ms", "unit 'ms'"),
        ("share(dropped{kind=x}) < 1%", "only error"),
        ("p99(error{kind=status}) < 1s", "for count, share and rate"),
        ("p99(response) < 5ms for 1500ms", "whole number"),
        ("p99(response) < 5ms for ever", "no time"),
        ("p99(response) < 5ms after 5s", "is none"),
        ("", "is none"),
    ],
)
def test_what_is_none_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        parse_threshold(text)


def test_nothing_measured_proves_nothing() -> None:
    monitor = Monitor([parse_threshold("p99(response) < 5s"), parse_threshold("count(error) == 0")])
    latency, count = monitor.results()
    assert (latency.value, latency.passed) == (None, False)
    assert count.passed


def test_the_whole_run_counts_unless_there_is_a_window() -> None:
    whole = parse_threshold("p50(response) < 150ms")
    window = parse_threshold("p50(response) < 150ms for 2s")
    monitor = Monitor([whole, window])
    for tally in (_tally(0.1, 0.1, 0.1), _tally(0.3), _tally(0.3), _tally(0.1, 0.1, 0.1)):
        assert monitor.second(tally) is None
    monitor.rest(Tally(), 0.5)
    first, second = monitor.results()
    assert first.passed
    # The worst two seconds are those with 300 ms alone, known by the end of the third.
    assert (second.passed, second.at, second.value) == (False, 3.0, pytest.approx(0.3, rel=1e-3))


def test_a_window_looks_at_whole_windows_only() -> None:
    monitor = Monitor([parse_threshold("max(response) < 150ms for 3s")])
    monitor.second(_tally(0.3))
    monitor.second(_tally(0.1))
    assert not monitor.results()[0].passed  # too short for a window: the whole is what there is
    windows = Monitor([parse_threshold("p50(response) < 150ms for 3s")])
    for tally in (_tally(0.3), _tally(0.1), _tally(0.1)):
        windows.second(tally)
    assert windows.results()[0].passed


def test_abort_ends_the_run_but_not_before_its_time() -> None:
    threshold = parse_threshold("share(error) < 10% abort after 3s")
    monitor = Monitor([threshold])
    ends = [monitor.second(_tally(0.1, failed=1)) for _ in range(4)]
    assert ends == [None, None, threshold, None]
    (result,) = monitor.results()
    assert (result.passed, result.aborted, result.at) == (False, True, 3.0)


def test_abort_of_a_window() -> None:
    threshold = parse_threshold("p95(first) < 200ms for 2s abort")
    monitor = Monitor([threshold])
    seconds = (_tally(0.1), _tally(0.1), _tally(0.9), _tally(0.9))
    assert [monitor.second(one) for one in seconds] == [None, None, threshold, None]


def test_seconds_without_answers_do_not_end_a_run() -> None:
    monitor = Monitor([parse_threshold("p95(first) < 200ms abort")])
    assert monitor.second(Tally()) is None


def test_values_in_words() -> None:
    texts = ("p9(first) < 1s", "share(error) < 1%", "rate(error) < 1", "count(error) < 1")
    shown = [parse_threshold(text).shown(0.0123) for text in texts]
    assert shown == ["12.3 ms", "1.23 %", "0.0123/s", "0"]
    assert parse_threshold("count(error) < 1").shown(None) == "no data"
