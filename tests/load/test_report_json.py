"""The JSON report: what its schema promises, and numbers that are those of the histograms."""

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from load_results import NORTH, judged, make_load, make_result, saturated, stalled_load

from asyncfind.load.histogram import Histogram
from asyncfind.load.report_json import json_report
from asyncfind.load.result import LoadResult, merged
from asyncfind.load.schedule import constant, make_schedule
from asyncfind.load.tally import LATENCIES, Ended, Tally
from asyncfind.records import ExitCode

_COUNTS = ("offered", "completed", "failed", "dropped", "skipped", "censored", "responses")


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    folder = files("asyncfind.load").joinpath("schema")
    schema = json.loads(folder.joinpath("load.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _report(result: LoadResult) -> dict[str, Any]:
    """As a reader gets it."""
    loaded: dict[str, Any] = json.loads(json.dumps(json_report(result), allow_nan=False))
    return loaded


def _some() -> Tally:
    tally = Tally(offered=3)
    for seconds in (0.1, 0.2):
        tally.ended(Ended(10.0, 10.0, 10.0, 10.05, 10.0 + seconds))
    tally.ended(Ended(10.0, 10.0, None, None, 10.001, "rejected", "2/3/2"))
    return tally


_RESULTS: dict[str, Callable[[], LoadResult]] = {
    "stalled": stalled_load,
    "nothing": lambda: make_result(
        Tally(), seconds=0.0, intervals=(), reached=False, exit=ExitCode.NO_ASSOCIATION
    ),
    "closed": lambda: make_result(
        _some(), load=make_load(schedule=None, count=3, latency_limit=0.15), interrupted=True
    ),
    "endless": lambda: make_result(
        _some(), load=make_load(schedule=make_schedule(constant(5), count=3, warm_up=2, seed=4))
    ),
    "saturated": lambda: make_result(
        _some(), health=saturated(), exit=ExitCode.SATURATED, edited=("at 3 s",), stopped="a storm"
    ),
}


@pytest.mark.parametrize("name", _RESULTS)
def test_the_schema_holds(name: str, validator: Draft202012Validator) -> None:
    errors = [error.message for error in validator.iter_errors(_report(_RESULTS[name]()))]
    assert errors == []


def test_the_schema_refuses_what_it_does_not_know(validator: Draft202012Validator) -> None:
    report = _report(stalled_load(seconds=5))
    for path in ((), ("client",), ("peers", 0), ("intervals", 0), ("latency", "response")):
        spoiled = json.loads(json.dumps(report))
        place: Any = spoiled
        for step in path:
            place = place[step]
        place["surprise"] = 1
        assert not validator.is_valid(spoiled), path


def test_every_histogram_is_in_it() -> None:
    report = _report(stalled_load(seconds=5))
    assert set(report["latency"]) | {"lag"} == set(LATENCIES)


def test_figures_are_those_of_the_histogram_in_milliseconds() -> None:
    result = stalled_load()
    report = _report(result)
    for name, shown in (
        ("response", report["latency"]["response"]),
        ("lag", report["schedule_lag"]),
    ):
        histogram = result.total.latencies[name]
        assert shown["count"] == histogram.count
        percents = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p999": 99.9, "max": 100}
        for label, percent in percents.items():
            value = histogram.percentile(percent)
            assert value is not None
            assert shown[label] == pytest.approx(value * 1000, abs=0.0006)
        assert shown["mean"] == pytest.approx(histogram.total / histogram.count / 1000, abs=0.0006)


def test_parts_add_up_to_the_whole() -> None:
    report = _report(stalled_load())
    for parts in (report["peers"], report["intervals"]):
        for name in _COUNTS:
            assert sum(part[name] for part in parts) == report[name]
    ended = sum(report[name] for name in ("completed", "failed", "dropped", "skipped", "censored"))
    assert ended == report["offered"] == 4876
    assert report["per_second"]["offered"] == round(4876 / 60, 3)


def test_errors_are_kept_apart_by_kind_and_detail() -> None:
    errors = _report(stalled_load())["errors"]
    assert errors == {
        "status": {"count": 17, "details": {"A700": 17}},
        "rejected": {"count": 7, "details": {"2/3/2": 7}},
        "timeout": {"count": 2, "details": {"first response": 2}},
    }
    assert _report(make_result(_some()))["latency"]["error"]["max"] == 1.0


def test_lower_bounds_are_marked() -> None:
    tally = Tally(offered=10)
    for _ in range(9):
        tally.ended(Ended(0, 0, 0, 0.1, 0.2))
    tally.cut_off(10.0000014, 9.0, 9.5)  # rounds down: the least age is no value of a counter
    latency = _report(make_result(tally))["latency"]
    assert latency["response"]["at_least"] == ["mean", "p95", "p99", "p999", "max"]
    assert latency["service"]["at_least"] == ["mean", "p95", "p99", "p999", "max"]
    assert latency["first"]["at_least"] == []
    assert latency["response"]["p90"] == pytest.approx(200, rel=0.001)


def test_lower_bounds_of_parts_are_those_of_the_whole() -> None:
    early, late = Tally(offered=1), Tally(offered=1)
    early.cut_off(1.0, 0.5, None)
    late.ended(Ended(0, 0, 0, 1, 2.0))
    report = _report(make_result(merged([early, late])))
    # 2.0 s was measured, but the other one may have taken longer.
    assert report["latency"]["response"]["at_least"] == [
        *("mean", "p50", "p90", "p95", "p99", "p999", "max")
    ]


def test_thresholds_have_values_with_units() -> None:
    tally = _some()
    texts = ("p50(response) < 150ms", "share(error) < 1%", "rate(completed) > 1/s")
    results = judged(tally, 10.0, *texts)
    late = replace(results[0], at=7.0, aborted=True)
    shown = _report(make_result(tally, thresholds=(late, *results[1:])))["thresholds"]
    assert [one["unit"] for one in shown] == ["ms", "share", "per_second"]
    assert [one["limit"] for one in shown] == [150.0, 0.01, 1.0]
    assert shown[0]["value"] == pytest.approx(100, rel=0.001)
    assert shown[1]["value"] == pytest.approx(1 / 3)
    assert shown[2] == {
        "text": "rate(completed) > 1/s",
        "unit": "per_second",
        "limit": 1.0,
        "value": 0.2,
        "passed": False,
        "at": None,
        "aborted": False,
    }
    assert (shown[0]["at"], shown[0]["aborted"]) == (7.0, True)


def test_the_schedule_can_be_made_again() -> None:
    load = make_load(schedule=make_schedule(constant(80, 60), warm_up=5, seed=7))
    settings = _report(make_result(Tally(), load=load))["settings"]
    assert settings["seed"] == 7
    assert settings["warm_up"] == 5
    assert settings["stages"] == [
        {"seconds": 5, "from": 80, "to": 80},
        {"seconds": 60, "from": 80, "to": 80},
    ]
    closed = make_result(Tally(), load=make_load(schedule=None))
    assert _report(closed)["model"] == "closed"
    assert _report(closed)["settings"]["stages"] is None


def test_keys_of_queries_are_not_in_it() -> None:
    text = json.dumps(json_report(stalled_load(seconds=5)))
    assert "4711" in make_load().plan.queries[0].label
    assert "4711" not in text


def test_attainment_is_of_all_that_was_offered() -> None:
    tally = Tally(offered=10, completed=8, late=2, failed=2)
    assert _report(make_result(tally, load=make_load(latency_limit=0.3)))["attainment"] == 0.6
    assert _report(make_result(tally))["attainment"] is None


def test_packed_histograms_read_the_same() -> None:
    tally = _some()
    before = _report(make_result(tally))
    tally.pack()
    assert isinstance(tally.latencies["response"], Histogram)
    assert _report(make_result(tally)) == before
    assert before["peers"][0]["node"] == NORTH.node
