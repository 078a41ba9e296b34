"""CSV, Prometheus text, JUnit XML and the formats of HdrHistogram, read back by other programs."""

import csv
import io
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given, settings
from hypothesis import strategies as st
from load_results import SOUTH, judged, make_load, make_result, saturated, stalled_load

from asyncfind.load.health import Sample
from asyncfind.load.histogram import Histogram
from asyncfind.load.report_csv import COLUMNS, csv_report
from asyncfind.load.report_hgrm import hgrm_report, hgrm_text, histogram_log, v2_encoded
from asyncfind.load.report_junit import junit_report
from asyncfind.load.report_prometheus import prometheus_report
from asyncfind.load.result import Interval, LoadResult
from asyncfind.load.tally import LATENCIES, Ended, Tally
from asyncfind.plan import Peer
from asyncfind.records import ExitCode


@pytest.fixture(scope="module")
def stalled() -> LoadResult:
    return stalled_load()


# CSV


def test_csv_has_a_row_for_each_interval(stalled: LoadResult) -> None:
    text = csv_report(stalled)
    assert text.count("\r\n") == 61
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(row["at"]) for row in rows] == [float(second) for second in range(60)]
    assert sum(int(row["offered"]) for row in rows) == 4876
    assert sum(int(row["response_count"]) for row in rows) == 4850
    worst = max(rows, key=lambda row: float(row["response_p99_ms"]))
    assert worst["at"] in ("30", "31")
    second = stalled.intervals[12]
    p99 = second.tally.latencies["response"].percentile(99)
    assert p99 is not None
    assert float(rows[12]["response_p99_ms"]) == pytest.approx(p99 * 1000, abs=0.0006)
    assert second.sample.cpu is not None
    assert float(rows[12]["cpu"]) == pytest.approx(second.sample.cpu, abs=1e-6)


def test_csv_columns_never_change_and_empty_cells_mean_no_data() -> None:
    empty = Interval(at=0.0, seconds=0.25, tally=Tally(), sample=Sample())
    text = csv_report(make_result(Tally(), intervals=(empty,)))
    (row,) = csv.DictReader(io.StringIO(text))
    assert tuple(row) == COLUMNS
    assert row["seconds"] == "0.25"
    assert row["response_count"] == "0"
    assert row["response_p99_ms"] == row["cpu"] == ""
    assert csv_report(make_result(Tally(), intervals=())) == ",".join(COLUMNS) + "\r\n"


# Prometheus

_SAMPLE = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"(?:\{(?P<labels>[a-z_]+=\"(?:[^\"\\\n]|\\[\\\"n])*\"(?:,[a-z_]+=\"(?:[^\"\\\n]|\\[\\\"n])*\")*)\})?"
    r" (?P<value>[-+0-9.e]+)"
)
_LABEL = re.compile(r"([a-z_]+)=\"((?:[^\"\\]|\\.)*)\"")


def _samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Series and values, by the grammar of the exposition format; each may be there once."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    family = ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == family
            assert line.split(" ")[3] in ("counter", "gauge", "summary")
        else:
            match = _SAMPLE.fullmatch(line)
            assert match is not None, line
            assert match["name"] in (family, f"{family}_sum", f"{family}_count")
            series = (match["name"], frozenset(_LABEL.findall(match["labels"] or "")))
            assert series not in found, line
            found[series] = float(match["value"])
    return found


def _of(
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str
) -> float:
    return samples[f"asyncfind_load_{name}", frozenset(labels.items())]


def test_prometheus_text_keeps_its_grammar_and_the_numbers(stalled: LoadResult) -> None:
    samples = _samples(prometheus_report(stalled))
    north = stalled.peers[0]
    assert _of(samples, "arrivals_total", node="north", outcome="completed") == north.completed
    arrivals = [v for (name, _), v in samples.items() if name == "asyncfind_load_arrivals_total"]
    assert sum(arrivals) == stalled.total.offered
    labels = {"node": "north", "kind": "status", "detail": "A700"}
    assert _of(samples, "errors_total", **labels) == north.errors["status", "A700"]
    response = stalled.total.latencies["response"]
    assert _of(samples, "latency_all_seconds", phase="response", quantile="0.99") == (
        response.percentile(99)
    )
    assert _of(samples, "latency_all_seconds", phase="response", quantile="1") == response.max
    assert _of(samples, "latency_all_seconds_count", phase="response") == response.count
    assert _of(samples, "latency_all_seconds_sum", phase="response") == pytest.approx(
        response.total / 1e6
    )
    assert _of(samples, "threshold_passed", threshold="share(error) < 0.1%") == 0
    assert _of(samples, "threshold_passed", threshold="count(dropped) == 0") == 1
    assert _of(samples, "client_verdict", verdict="OK") == 1
    assert _of(samples, "client_verdict", verdict="SATURATED") == 0
    assert _of(samples, "exit_code") == 5
    assert _of(samples, "start_time_seconds") == stalled.started.timestamp()


def test_prometheus_labels_are_escaped_and_series_unique() -> None:
    evil = 'a"b\\c\nd'
    peers = (Peer(name=evil, host="h", port=104), SOUTH)
    tally = Tally(offered=1)
    tally.ended(Ended(0, 0, 0, 0, 1.0, "status", 'A"7\n00'))
    twice = judged(tally, 10.0, "share(error) < 1%", "share(error) < 1%")
    result = make_result(tally, load=make_load(peers), thresholds=twice)
    samples = _samples(prometheus_report(result))
    assert _of(samples, "arrivals_total", node=r"a\"b\\c\nd", outcome="failed") == 1


# JUnit


def _suite(result: LoadResult) -> tuple[ET.Element, dict[str, str]]:
    """The suite, and the state of each case by its name; its counts are right."""
    suite = ET.fromstring(junit_report(result))
    states = {}
    for case in suite.findall("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error"}
        states[case.get("name", "")] = kinds.pop() if kinds else "passed"
    assert suite.get("tests") == str(len(states))
    values = list(states.values())
    assert suite.get("failures") == str(values.count("failure"))
    assert suite.get("errors") == str(values.count("error"))
    return suite, states


def _complete() -> Tally:
    tally = Tally(offered=1)
    tally.ended(Ended(0, 0, 0, 0.1, 0.2))
    return tally


def test_junit_has_a_case_for_each_threshold_and_one_for_the_client(stalled: LoadResult) -> None:
    suite, states = _suite(stalled)
    assert states == {
        "p99(response) < 500ms": "passed",
        "share(error) < 0.1%": "failure",
        "count(dropped) == 0": "passed",
        "every query complete": "passed",  # the user has said how many errors are too many
        "client health": "passed",
    }
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "0.5332 %"


def _failed() -> Tally:
    tally = Tally(offered=1)
    tally.ended(Ended(0, 0, 0, 0.1, 0.2, "status", "A700"))
    return tally


_OUTCOME = {"every query complete": "failure"}


@pytest.mark.parametrize(
    ("tally", "members", "failing"),
    [
        (_complete(), {}, {}),
        (Tally(offered=1, dropped=1), {"exit": ExitCode.INCOMPLETE}, _OUTCOME),
        (_failed(), {"exit": ExitCode.INCOMPLETE}, _OUTCOME),
        (_complete(), {"stopped": "a storm", "exit": ExitCode.INCOMPLETE}, _OUTCOME),
        (_complete(), {"interrupted": True, "exit": ExitCode.INTERRUPTED}, _OUTCOME),
        (Tally(), {"reached": False, "exit": ExitCode.NO_ASSOCIATION}, _OUTCOME),
        (
            _complete(),
            {"health": saturated(), "exit": ExitCode.SATURATED},
            {"client health": "error"},
        ),
        (_complete(), {"health": saturated()}, {}),
    ],
)
def test_junit_is_green_exactly_where_the_exit_code_is(
    tally: Tally, members: dict[str, Any], failing: dict[str, str]
) -> None:
    result = make_result(tally, **members)
    _, states = _suite(result)
    bad = {name: state for name, state in states.items() if state != "passed"}
    assert bad == failing
    assert bool(bad) == (result.exit is not ExitCode.COMPLETE)


def test_junit_says_why_and_holds_odd_text() -> None:
    tally = Tally(offered=2)
    tally.ended(Ended(0, 0, 0, 0, 1.0, "status", "<A700>&\x01"))
    (window,) = judged(tally, 1.0, "p99(error) < 50ms for 5s abort")
    late = replace(window, at=12.0, aborted=True)
    result = make_result(tally, thresholds=(late,), stopped="a \x1b storm", exit=ExitCode.THRESHOLD)
    suite, states = _suite(result)
    assert states["every query complete"] == "failure"
    text = "\n".join(failure.text or "" for failure in suite.iter("failure"))
    assert "at 12 s; it ended the run" in text
    assert "status <A700>&\\x01: 1" in text
    assert "STOPPED a \\x1b storm" in text


# HdrHistogram

_VALUES = st.lists(st.integers(0, 10_000_000_000), max_size=200)


def _histogram(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record_micros(value)
    return histogram


def _theirs(values: list[int]) -> HdrHistogram:
    theirs = HdrHistogram(1, 20_000_000_000, 3)
    for value in values:
        theirs.record_value(value)
    return theirs


@settings(deadline=None, max_examples=25)
@given(values=_VALUES)
def test_v2_bytes_are_read_as_the_same_counters(values: list[int]) -> None:
    decoded = HdrHistogram.decode(v2_encoded(_histogram(values)))
    theirs = _theirs(values)
    assert decoded.get_total_count() == len(values)
    counts = {
        item.value_iterated_to: item.count_at_value_iterated_to
        for item in decoded.get_recorded_iterator()
    }
    assert counts == {
        item.value_iterated_to: item.count_at_value_iterated_to
        for item in theirs.get_recorded_iterator()
    }


def test_v2_holds_large_counts() -> None:
    histogram = Histogram()
    histogram.record_micros(36_000)
    for _ in range(40):
        histogram.merge(histogram)  # twice as many each time
    assert histogram.count == 2**40
    assert HdrHistogram.decode(v2_encoded(histogram)).get_total_count() == 2**40


def test_percentile_text_is_what_their_histogram_says() -> None:
    draw = Random(5)
    values = [round(draw.lognormvariate(10, 1)) for _ in range(5000)]
    text = hgrm_text(_histogram(values))
    lines = text.splitlines()
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    rows = [line.split() for line in lines[2:] if not line.startswith("#")]
    theirs, ordered = _theirs(values), sorted(values)
    percentiles = [float(row[1]) for row in rows]
    assert percentiles == sorted(set(percentiles))
    assert percentiles[0] == 0
    assert len(rows) > 40
    for row in rows[:-1]:
        value, percentile, seen = round(float(row[0]) * 1000), float(row[1]), int(row[2])
        rank = max(1, math.ceil(round(percentile * len(values), 6)))
        assert value == min(theirs.get_highest_equivalent_value(ordered[rank - 1]), max(values))
        assert seen >= rank
        assert float(row[3]) == pytest.approx(1 / (1 - percentile), rel=0.01)
    assert rows[-1] == [f"{max(values) / 1000:.3f}", "1.000000000000", "5000"]
    (mean,) = re.findall(r"#\[Mean    = +([0-9.]+), StdDeviation", text)
    assert float(mean) == pytest.approx(sum(values) / len(values) / 1000, abs=0.001)
    (deviation,) = re.findall(r"StdDeviation   = +([0-9.]+)\]", text)
    assert float(deviation) == pytest.approx(theirs.get_stddev() / 1000, rel=0.002)


def test_percentile_text_of_nothing_and_of_one_value() -> None:
    assert "Total count    =            0]" in hgrm_text(Histogram())
    rows = [line.split() for line in hgrm_text(_histogram([1500])).splitlines() if "1.500" in line]
    assert rows[0] == ["1.500", "1.000000000000", "1"]


def test_the_report_has_the_response_times(stalled: LoadResult) -> None:
    assert hgrm_report(stalled) == hgrm_text(stalled.total.latencies["response"])


def test_the_log_of_seconds_adds_up_to_the_whole(stalled: LoadResult, tmp_path: Path) -> None:
    path = tmp_path / "load.hlog"
    path.write_text(histogram_log(stalled))
    reader = HistogramLogReader(str(path), HdrHistogram(1, 20_000_000_000, 3))
    sums: dict[str, HdrHistogram] = {}
    starts: set[float] = set()
    while (one := reader.get_next_interval_histogram()) is not None:
        starts.add(one.get_start_time_stamp() / 1000 - stalled.started.timestamp())
        tag = one.get_tag()
        sums.setdefault(tag, HdrHistogram(1, 20_000_000_000, 3)).add(one)
    reader.close()
    assert set(sums) == {name for name in LATENCIES if stalled.total.latencies[name]}
    assert len(starts) == 60
    for name, whole in sums.items():
        ours = stalled.total.latencies[name]
        assert whole.get_total_count() == ours.count
        counts = [
            (item.value_iterated_to, item.count_at_value_iterated_to)
            for item in whole.get_recorded_iterator()
        ]
        assert counts == list(ours.buckets())
