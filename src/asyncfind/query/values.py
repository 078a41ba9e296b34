"""What the bytes of one leaf element say: texts for people, numbers for programs.

PS3.5 Sections 6.2 (value representations) and 6.4 (multiplicity). Odd values are never an error
here: a number of the wrong size is shown as the bytes it has.
"""

import math
import struct
from collections.abc import Mapping
from typing import Final

from asyncfind.query.charset import decode_text
from asyncfind.query.element import Element
from asyncfind.query.syntax import WORD_SIZES

__all__ = [
    "BINARY_VRS",
    "NUMBER_VRS",
    "element_texts",
    "format_double",
    "format_single",
    "split_values",
    "unpack_numbers",
    "unpack_tags",
]

BINARY_VRS: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
"""VRs whose value is one piece of bytes."""

NUMBER_VRS: Final[Mapping[str, str]] = {
    "FD": "d",
    "FL": "f",
    "SL": "i",
    "SS": "h",
    "SV": "q",
    "UL": "I",
    "US": "H",
    "UV": "Q",
}
"""Binary number VRs, and the letters of `struct` for them."""

_SINGLE_VRS: Final = frozenset(("LT", "ST", "UR", "UT"))
"""Text VRs in which a backslash is a character like any other."""

_TRIM_LEFT: Final = frozenset(("AE", "CS", "DS", "IS", "LO", "SH"))
"""VRs whose leading blanks mean nothing either (PS3.5 Table 6.2-1)."""

_WORDS: Final[Mapping[str, str]] = {"OD": "d", "OF": "f", "OL": "I", "OV": "Q", "OW": "H"}
_MAX_SHOWN: Final = 256
_MAX_VALUES: Final = 65_536


def element_texts(element: Element, charsets: tuple[str, ...]) -> list[str]:
    """Return the values of a leaf as text for tables and CSV, padding stripped.

    Numbers are decimal, tags `(gggg,eeee)`, bytes two and OW words four hexadecimal digits, joined
    by backslashes. Of bytes and of numbers only the first 256 are shown. The text is the peer's: it
    has to pass `safe` before a terminal.

    Args:
        charsets: values of Specific Character Set that govern the element.

    Returns:
        One text for each value; none for an empty element or a sequence.
    """
    value, vr = element.value, element.vr
    if not value or isinstance(value, list):
        return []
    if vr in NUMBER_VRS:
        numbers = unpack_numbers(vr, value)
        if numbers is None:
            return [_bytes_text(value)]
        texts = [_number_text(vr, number) for number in numbers[:_MAX_SHOWN]]
        if len(numbers) > _MAX_SHOWN:
            texts.append(f"... ({len(numbers)} values)")
        return texts
    if vr == "AT":
        tags = unpack_tags(value)
        if tags is None:
            return [_bytes_text(value)]
        return [f"({tag >> 16:04x},{tag & 0xFFFF:04x})" for tag in tags]
    if vr in BINARY_VRS or vr == "SQ":
        return [_binary_text(vr, value)]
    return split_values(decode_text(value, charsets, vr)[0], vr)


def split_values(text: str, vr: str) -> list[str]:
    """Cut the decoded value of a text VR into its values and strip their padding.

    Returns:
        No value where nothing but padding is there; never more than 65,536, the last of which
        then holds the rest: a value of backslashes alone must not take 20 times its space.
    """
    text = text.rstrip(" \0")
    if vr in _TRIM_LEFT:
        text = text.lstrip(" ")
    if not text:
        return []
    if "\\" not in text or vr in _SINGLE_VRS:
        return [text]
    if vr in _TRIM_LEFT:
        return [part.strip(" \0") for part in text.split("\\", _MAX_VALUES - 1)]
    return [part.rstrip(" \0") for part in text.split("\\", _MAX_VALUES - 1)]


def unpack_numbers(vr: str, value: bytes) -> tuple[int, ...] | tuple[float, ...] | None:
    """Return the numbers of a value with one of `NUMBER_VRS`; None where its size is wrong."""
    count, rest = divmod(len(value), WORD_SIZES[vr])
    if rest:
        return None
    numbers: tuple[int, ...] | tuple[float, ...] = struct.unpack(f"<{count}{NUMBER_VRS[vr]}", value)
    return numbers


def unpack_tags(value: bytes) -> tuple[int, ...] | None:
    """Return the tags of an AT value; None where its size is wrong."""
    count, rest = divmod(len(value), 4)
    if rest:
        return None
    words: tuple[int, ...] = struct.unpack(f"<{2 * count}H", value)
    return tuple(
        group << 16 | number for group, number in zip(words[::2], words[1::2], strict=True)
    )


def format_double(number: float) -> str:
    """The shortest decimal that gives the same number back, whole numbers without a point."""
    if math.isfinite(number) and number == int(number) and abs(number) < 1e16:
        return str(int(number)) if number or math.copysign(1, number) > 0 else "-0"
    return repr(number)


def format_single(number: float) -> str:
    """The same for a number that has single precision: 0.1, not 0.10000000149011612."""
    if not math.isfinite(number):
        return repr(number)
    encoded = struct.pack("<f", number)
    for digits in range(6, 9):
        text = format(number, f".{digits}g")
        if struct.pack("<f", float(text)) == encoded:
            return text
    return format(number, ".9g")


def _number_text(vr: str, number: float) -> str:
    if vr == "FD":
        return format_double(number)
    return format_single(number) if vr == "FL" else str(number)


def _binary_text(vr: str, value: bytes) -> str:
    shown = value[:_MAX_SHOWN]
    code = _WORDS.get(vr)
    if code is None or len(shown) % WORD_SIZES[vr]:
        text = _bytes_text(shown)
    else:
        words = struct.unpack(f"<{len(shown) // WORD_SIZES[vr]}{code}", shown)
        if vr == "OW":
            text = "\\".join([f"{word:04x}" for word in words])
        elif vr == "OL" or vr == "OV":
            text = "\\".join([str(word) for word in words])
        else:
            text = "\\".join([_number_text("FL" if vr == "OF" else "FD", word) for word in words])
    return text if len(shown) == len(value) else f"{text}... ({len(value)} bytes)"


def _bytes_text(value: bytes) -> str:
    shown = value[:_MAX_SHOWN].hex("\\")
    return shown if len(value) <= _MAX_SHOWN else f"{shown}... ({len(value)} bytes)"
