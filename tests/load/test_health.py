"""The verdict on the client."""

import pytest

from asyncfind.load.health import Sample, Strength, judge

_GOOD = Sample(lag_p99=0.001, response_p50=0.02, loop_p99=0.002, cpu=0.4, descriptors=0.1)


def _with(*values: float, name: str) -> list[Sample]:
    return [Sample(**{"response_p50": 0.02, name: value}) for value in values]  # type: ignore[arg-type]  # every field by name


def test_a_client_that_kept_up_is_ok() -> None:
    assert judge([_GOOD] * 60) == judge([]) == judge([Sample()])
    assert judge([_GOOD]).verdict is Strength.OK
    assert judge([_GOOD]).reasons == ()


@pytest.mark.parametrize(
    ("name", "values", "verdict"),
    [
        ("lag_p99", [0.004, 0.0049], "OK"),
        ("lag_p99", [0.001, 0.006], "STRAINED"),
        ("lag_p99", [0.001, 0.4, 0.001], "STRAINED"),
        ("lag_p99", [0.051, 0.052], "SATURATED"),
        ("lag_p99", [0.006, 0.007, 0.008, 0.009, 0.010, 0.011], "SATURATED"),
        ("lag_p99", [0.006, 0.007, 0.008, 0.007, 0.010, 0.011], "STRAINED"),
        ("lag_p99", [0.001, 0.002, 0.003, 0.0035, 0.0041, 0.0042], "OK"),
        ("loop_p99", [0.009], "OK"),
        ("loop_p99", [0.011], "STRAINED"),
        ("loop_p99", [0.2, 0.001, 0.2], "STRAINED"),
        ("loop_p99", [0.11, 0.11], "SATURATED"),
        ("cpu", [0.79] * 9, "OK"),
        ("cpu", [0.96] * 4, "STRAINED"),
        ("cpu", [0.96] * 5, "SATURATED"),
        ("descriptors", [0.79], "OK"),
        ("descriptors", [0.81], "STRAINED"),
        ("exhausted", [1], "SATURATED"),
    ],
)
def test_each_signal(name: str, values: list[float], verdict: str) -> None:
    health = judge(_with(*values, name=name))
    assert health.verdict == verdict
    assert bool(health.reasons) == (verdict != "OK")


def test_lag_is_measured_by_the_latencies_beside_it() -> None:
    slow = Sample(lag_p99=0.015, response_p50=1.0)
    assert judge([slow]).verdict is Strength.OK  # 2 % of a second are 20 ms
    assert judge([Sample(lag_p99=0.015, response_p50=0.1)]).verdict is Strength.STRAINED


def test_all_reasons_are_told_the_worst_first() -> None:
    bad = Sample(lag_p99=0.2, loop_p99=0.05, cpu=0.9, descriptors=0.9, exhausted=2)
    health = judge([bad, bad])
    assert health.verdict is Strength.SATURATED
    assert health.reasons == (
        "schedule lag p99 200.0 ms, over 50.0 ms for 2 s and more",
        "no descriptor or port of our own left, 4 times",
        "loop lag p99 up to 50.0 ms",
        "CPU share of a core up to 90 %",
        "90 % of our descriptors in use",
    )


def test_one_second_in_thirty_may_be_bad_but_not_very() -> None:
    late, very_late = Sample(loop_p99=0.02), Sample(loop_p99=0.2)
    assert judge([*[_GOOD] * 29, late]).verdict is Strength.OK
    assert judge([*[_GOOD] * 28, late]).verdict is Strength.STRAINED
    assert judge([*[_GOOD] * 28, late, late]).verdict is Strength.STRAINED
    assert judge([*[_GOOD] * 29, very_late]).verdict is Strength.STRAINED


def test_what_runs_short_is_told_and_what_only_explains_is_not() -> None:
    assert judge([Sample(ports=0.81)]).reasons == ("81 % of our ports in use",)
    assert judge([Sample(pause=0.006)]).reasons == ("collecting garbage took up to 6.0 ms",)
    busy = Sample(machine=3.0, steal=0.2)
    assert judge([busy]).verdict is Strength.OK
    assert judge([busy, Sample(loop_p99=0.02)]).reasons == (
        "loop lag p99 up to 20.0 ms",
        "the machine had 3.0 runnable processes for each core",
        "its host took 20 % of its time",
    )
