"""Digits as DCMTK 3.6.7 prints them; the expected ones were printed by findscu -Xx."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.query.dcmtk_numbers import (
    format_float32,
    format_float64,
    format_other_float32,
    format_other_float64,
)

_DOUBLES = {
    0.0: "0",
    0.1: "0.1",
    -2.5: "-2.5",
    1 / 3: "0.3333333333333333",
    2 / 3: "0.66666666666666661",
    math.pi: "3.1415926535897931",
    # zeros after the point do not count as digits
    12.001: "12.000999999999999446",
    100.00001: "100.000010000000003174",
    0.9999999999999999: "0.99999999999999982",
    0.0001: "0.0001",
    9.9999e-05: "9.9999000000000002e-05",
    0.00012345: "0.00012344999999999997",
    1e16: "10000000000000000",
    1e17: "1e+17",
    123456789012345678.0: "1.2345678901234567e+17",
    9.999999999999998e16: "99999999999999970",
    1e300: "1.0000000000000007e+300",
    5e-324: "4.9406564584124659e-324",
    1.7976931348623157e308: "1.7976931348623167e+308",
    math.inf: "inf",
    -math.inf: "-inf",
}
_SINGLES = {
    0.1: "0.100000001",
    1 / 3: "0.333333343",
    1e17: "9.99999984e+16",
    12.001: "12.001000404",
    100.00001: "100.00000762939",
    999999999.9: "1e+09",
    0.99999999: "1",
    1e-40: "9.9999461e-41",
    3.4e38: "3.39999995e+38",
    # rounded up to one digit more
    9.999999998199587e-24: "1e-23",
}


@pytest.mark.parametrize(("number", "text"), _DOUBLES.items())
def test_doubles_have_17_digits_and_their_noise(number: float, text: str) -> None:
    assert format_float64(struct.pack("<d", number)) == text


@pytest.mark.parametrize(("number", "text"), _SINGLES.items())
def test_singles_have_9_digits(number: float, text: str) -> None:
    assert format_float32(struct.pack("<f", number)) == text


def test_no_number_has_a_sign() -> None:
    """Nor has zero, of which there is a negative one."""
    numbers = (-math.nan, math.nan, -0.0)
    assert format_float64(struct.pack("<3d", *numbers)) == "nan\\nan\\0"
    assert format_float32(struct.pack("<3f", *numbers)) == "nan\\nan\\0"


def test_what_is_left_over_is_not_shown() -> None:
    assert format_float64(struct.pack("<2d", 1.5, 2) + b"\0\0") == "1.5\\2"
    assert format_float32(b"\0\0") == ""


def test_other_floats_are_rounded_as_they_should_be() -> None:
    """They keep the sign of zero and of what is no number."""
    numbers = (0.1, 1 / 3, -0.0, -math.nan, math.nan, 1e17, 12.001)
    assert format_other_float64(struct.pack("<7d", *numbers)) == (
        "0.10000000000000001\\0.33333333333333331\\-0\\-nan\\nan\\1e+17\\12.000999999999999"
    )
    assert format_other_float32(struct.pack("<7f", *numbers)) == (
        "0.1\\0.33333334\\-0\\-nan\\nan\\9.9999998e+16\\12.001"
    )


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100))
def test_the_noise_is_noise_only(number: float) -> None:
    shown = float(format_float64(struct.pack("<d", number)))
    assert math.isclose(shown, number, rel_tol=1e-14, abs_tol=1e-307)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_singles_come_back_from_their_digits(number: float) -> None:
    shown = format_float32(struct.pack("<f", number))
    assert struct.pack("<f", float(shown) + 0.0) == struct.pack("<f", number + 0.0)


@pytest.mark.parametrize("negative", [1.0, 0.1, 1e300, 12.001, 1e-40])
def test_a_sign_changes_no_digit(negative: float) -> None:
    positive = format_float64(struct.pack("<d", negative))
    assert format_float64(struct.pack("<d", -negative)) == f"-{positive}"
