r"""Values behind the `=` of a key as findscu converts them: C's scanf, whatever follows a number.

`query/typed.py` is what the native command does; here "1.5x" is 1, and bytes stay bytes.
"""

import re
import struct
from collections.abc import Mapping
from typing import Final

from asyncfind.findscu.conditions import CORRUPTED_DATA, Bad
from asyncfind.findscu.vrs import STRINGS

__all__ = ["scan_value"]

_BLANK: Final = r"[ \t\n\v\f\r]*"
_DECIMAL: Final = re.compile(_BLANK + r"([+-]?[0-9]+)")
_HEX: Final = re.compile(_BLANK + r"([+-]?)(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)")
_FLOAT: Final = re.compile(_BLANK + r"([+-]?)(?:([nN][aA][nN])|([iI][nN][fF])|([0-9]*\.?[0-9]*))")
_EXPONENT: Final = re.compile(r"[eE]([+-]?)([0-9]*)")
_SIGNED_MAX: Final = 2**63 - 1
_UNSIGNED_MAX: Final = 2**64 - 1
_MAX_EXPONENT: Final = 511
_MAX_DIGITS: Final = 18

_INTEGERS: Final[Mapping[str, tuple[str, bool]]] = {
    "US": ("H", False), "xs": ("H", False), "SS": ("H", True), "UL": ("I", False),
    "up": ("I", False), "OL": ("I", False), "SL": ("I", True), "SV": ("Q", True),
    "UV": ("Q", False), "OV": ("Q", False),
}  # fmt: skip
_SIZES: Final = {"H": 2, "I": 4, "Q": 8}
_FLOATS: Final[Mapping[str, str]] = {"FL": "f", "OF": "f", "FD": "d", "OD": "d"}


def scan_value(vr: str, text: str) -> bytes:
    """Convert `text` to a value of `vr`, little endian, a string without padding.

    Args:
        vr: DCMTK's, its internal ones included.
        text: bytes, one character each.

    Raises:
        Bad: what is no value of this VR.
    """
    if vr in STRINGS:
        return text.encode("latin_1")
    if not text:
        return b""
    parts = text.split("\\")
    if vr in _INTEGERS:
        code, signed = _INTEGERS[vr]
        return b"".join(_scan_integer(part, _SIZES[code], signed) for part in parts)
    if vr in _FLOATS:
        return b"".join(_pack_float(_FLOATS[vr], _scan_float(part)) for part in parts)
    if vr == "AT":
        return b"".join(map(_scan_tag, parts))
    if vr in ("OW", "lt"):
        return b"".join(struct.pack("<H", _scan_hex(part)[0]) for part in parts)
    data = bytes(_scan_hex(part)[0] & 0xFF for part in parts)
    return data + b"\0" if len(data) % 2 else data


def _scan_integer(part: str, size: int, signed: bool) -> bytes:
    match = _DECIMAL.match(part)
    if match is None:
        raise Bad(CORRUPTED_DATA)
    number = int(match[1][:64])
    if signed:
        number = max(-_SIGNED_MAX - 1, min(_SIGNED_MAX, number))
    elif abs(number) > _UNSIGNED_MAX:
        number = _UNSIGNED_MAX
    wrapped: int = number % (1 << 8 * size)
    return wrapped.to_bytes(size, "little")


def _scan_hex(part: str, start: int = 0) -> tuple[int, int]:
    """The number that stands at `start`, in 16 bits, and where it ends."""
    match = _HEX.match(part, start)
    if match is None:
        raise Bad(CORRUPTED_DATA)
    number = min(int(match[2], 16), _UNSIGNED_MAX)
    return (-number if match[1] == "-" else number) & 0xFFFF, match.end()


def _scan_tag(part: str) -> bytes:
    if not part.startswith("("):
        raise Bad(CORRUPTED_DATA)
    group, pos = _scan_hex(part, 1)
    if not part.startswith(",", pos):
        raise Bad(CORRUPTED_DATA)
    number, _ = _scan_hex(part, pos + 1)
    return struct.pack("<HH", group, number)


def _scan_float(part: str) -> float:
    """DCMTK's conversion: 18 digits at most, scaled by powers of ten in double precision.

    The last bit may differ from the nearest double, and is sent as it is.
    """
    match = _FLOAT.match(part)
    if match is None:
        raise Bad(CORRUPTED_DATA)
    sign = -1.0 if match[1] == "-" else 1.0
    if match[2]:
        return float("nan")
    if match[3]:
        return sign * float("inf")
    mantissa = match[4]
    whole, _, decimals = mantissa.partition(".")
    digits = (whole + decimals)[:_MAX_DIGITS]
    if not digits:
        raise Bad(CORRUPTED_DATA)
    exponent = len(whole) - len(digits)
    behind = _EXPONENT.match(part, match.end())
    if behind is not None:
        power = int(behind[2][:9] or "0")
        exponent += -power if behind[1] == "-" else power
    return sign * _scale(float(int(digits)), exponent)


def _scale(fraction: float, exponent: int) -> float:
    scale, square = 1.0, 10.0
    left = min(abs(exponent), _MAX_EXPONENT)
    while left:
        if left & 1:
            scale *= square
        square *= square
        left >>= 1
    if exponent < 0:
        return fraction / scale
    return fraction * scale


def _pack_float(code: str, number: float) -> bytes:
    try:
        return struct.pack("<" + code, number)
    except OverflowError:  # C makes it infinite
        return struct.pack("<" + code, float("inf") if number > 0 else float("-inf"))
