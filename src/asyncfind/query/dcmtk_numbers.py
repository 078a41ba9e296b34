"""Numbers as DCMTK 3.6.7 prints them, digit for digit.

For FL and FD, DCMTK has a conversion of its own: it takes digits off by dividing the whole part by
ten and multiplying the fraction by ten, in double precision, and so collects rounding errors in
the last digits (1e300 becomes `1.0000000000000007e+300`). Zeros after the point do not count as
digits, which makes 12.001 longer than its 17 digits. OF and OD in XML go through the C library.
"""

import math
import struct
from typing import Final

__all__ = ["format_float32", "format_float64", "format_other_float32", "format_other_float64"]

_SINGLE_DIGITS: Final = 9
_DOUBLE_DIGITS: Final = 17
_SMALLEST_PLAIN: Final = 0.0001
_NUDGE: Final = 0.01
"""Added to a tenth, so that 5.9999999 tenths are the digit 6."""


def format_float32(value: bytes) -> str:
    """The numbers of an FL value (or OF, in a dump), joined by backslashes.

    Args:
        value: little endian, 4 bytes a number; what is left over is not shown.
    """
    return "\\".join([_format(number, _SINGLE_DIGITS) for number in _unpack("f", value)])


def format_float64(value: bytes) -> str:
    """The numbers of an FD value (or OD, in a dump); else as `format_float32`, 8 bytes a number."""
    return "\\".join([_format(number, _DOUBLE_DIGITS) for number in _unpack("d", value)])


def format_other_float32(value: bytes) -> str:
    """The numbers of an OF value in XML: 8 digits, rounded as they should be."""
    return "\\".join([_format_exactly(number, 8) for number in _unpack("f", value)])


def format_other_float64(value: bytes) -> str:
    """The numbers of an OD value in XML: 17 digits, rounded as they should be."""
    return "\\".join([_format_exactly(number, 17) for number in _unpack("d", value)])


def _unpack(code: str, value: bytes) -> tuple[float, ...]:
    count = len(value) // struct.calcsize(code)
    numbers: tuple[float, ...] = struct.unpack_from(f"<{count}{code}", value)
    return numbers


def _format_exactly(number: float, digits: int) -> str:
    if math.isnan(number) and math.copysign(1, number) < 0:
        return "-nan"
    return format(number, f".{digits}g")


def _format(number: float, digits: int) -> str:
    """One number with up to `digits` significant digits, without zeros at the end."""
    if not math.isfinite(number):
        return str(number)
    sign = "-" if number < 0 else ""
    fraction, whole = math.modf(abs(number))
    before: list[int] = []
    while whole:
        tenth, whole = math.modf(whole / 10)
        before.append(int((tenth + _NUDGE) * 10))
    before.reverse()
    if len(before) > digits or (not before and 0 < fraction < _SMALLEST_PLAIN):
        return sign + _scientific(before, fraction, digits)
    return sign + _plain(before, fraction, digits)


def _plain(before: list[int], fraction: float, digits: int) -> str:
    """Without exponent.

    Args:
        before: digits before the point.
    """
    after: list[int] = []
    left = digits - len(before)
    if fraction and left:
        # The zeros that come first are not significant, and here not after other digits either.
        fraction, first = _next_digit(fraction)
        after.append(first)
        while not first:
            fraction, first = _next_digit(fraction)
            after.append(first)
        fraction = _append_digits(after, fraction, left - 1)
    number = [*(before or [0]), *after]
    whole = len(number) - len(after)
    if _rounds_up(fraction):
        # No new digit in front: what is nearest below a power of ten differs in fewer digits.
        _round_up(number)
    text = "".join(map(str, number))
    return f"{text[:whole]}.{text[whole:]}".rstrip("0").rstrip(".")


def _scientific(before: list[int], fraction: float, digits: int) -> str:
    """With exponent: more digits `before` the point than fit, or none and zeros behind it."""
    if before:
        number = before[:digits]
        exponent = len(before) - 1
        if before[digits] > 4:
            _round_up(number)  # no new digit, as in `_plain`
        return _with_exponent(number, exponent)
    exponent = -1
    fraction *= 10
    while fraction < 1:  # up to 324 times, so that no function is called for it
        fraction *= 10
        exponent -= 1
    fraction, first = math.modf(fraction)
    number = [int(first)]
    fraction = _append_digits(number, fraction, digits - 1)
    if _rounds_up(fraction) and _round_up(number):
        exponent += 1
    return _with_exponent(number, exponent)


def _with_exponent(number: list[int], exponent: int) -> str:
    text = "".join(map(str, number))
    mantissa = f"{text[0]}.{text[1:]}".rstrip("0").rstrip(".")
    return f"{mantissa}e{exponent:+03d}"


def _next_digit(fraction: float) -> tuple[float, int]:
    fraction, digit = math.modf(fraction * 10)
    return fraction, int(digit)


def _append_digits(number: list[int], fraction: float, count: int) -> float:
    """Append up to `count` digits of `fraction`; returns what is left of it."""
    while count > 0 and fraction:
        fraction, digit = _next_digit(fraction)
        number.append(digit)
        count -= 1
    return fraction


def _rounds_up(fraction: float) -> bool:
    return int(fraction * 10) > 4


def _round_up(number: list[int]) -> bool:
    """Add one to the last digit; returns whether there is one digit more in front."""
    for place in range(len(number) - 1, -1, -1):
        if number[place] < 9:
            number[place] += 1
            return False
        number[place] = 0
    number.insert(0, 1)
    return True
