r"""Values as people type them behind the `=` of a key, to bytes: `\` stands between several.

PS3.5 Section 6.2. Text is taken as it is: what is no date or UID by the rules may still be what an
archive holds. Whole numbers wrap as in findscu: 70000 of VR US is 4464, -1 is 65535.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from asyncfind.query.charset import encode_text
from asyncfind.query.writer import pad_value

__all__ = ["encode_value"]

_INTEGERS: Final[Mapping[str, tuple[str, int]]] = {
    **dict.fromkeys(("SS", "US"), ("H", 0xFFFF)),
    **dict.fromkeys(("OL", "SL", "UL"), ("I", 0xFFFFFFFF)),
    **dict.fromkeys(("OV", "SV", "UV"), ("Q", 0xFFFFFFFFFFFFFFFF)),
}
_DECIMALS: Final[Mapping[str, str]] = {"FD": "d", "FL": "f", "OD": "d", "OF": "f"}
_HEX: Final[Mapping[str, tuple[str, int]]] = {"OB": ("B", 2), "OW": ("H", 4), "UN": ("B", 2)}

_INTEGER: Final = re.compile(r" *([+-]?[0-9]{1,64}) *")
_DECIMAL: Final = re.compile(
    r" *([+-]?(?:[0-9]{1,64}\.?[0-9]{0,64}|\.[0-9]{1,64})(?:[eE][+-]?[0-9]{1,9})?) *"
)
_HEX_NUMBER: Final = re.compile(r" *(?:0[xX])?([0-9a-fA-F]+) *")
_TAG: Final = re.compile(r" *\( *([0-9a-fA-F]{1,4}), *([0-9a-fA-F]{1,4}) *\) *")

_INTEGER_HINT: Final = r"Write whole decimal numbers, \ between them: 512\512."
_DECIMAL_HINT: Final = r"Write decimal numbers, \ between them: 0.5\1e-3."
_TAG_HINT: Final = r"Write tags as (gggg,eeee), \ between them."


def encode_value(vr: str, text: str, charsets: tuple[str, ...]) -> bytes:
    r"""Return `text` as a value of `vr`, little endian and of even length.

    OB and UN are typed as hexadecimal bytes, OW as hexadecimal words: `1\ff`.

    Args:
        charsets: values of Specific Character Set, for the VRs it governs.

    Raises:
        ValueError: no value of this VR; the message says how to write one.
        InvalidRequest: a character that the VR or `charsets` do not have.
    """
    if not text:
        return b""
    parts = text.split("\\")
    if vr in _INTEGERS:
        code, mask = _INTEGERS[vr]
        integers = [int(match[1]) & mask for match in _matches(_INTEGER, parts, _INTEGER_HINT)]
        return struct.pack(f"<{len(parts)}{code}", *integers)
    if vr in _DECIMALS:
        numbers = [float(match[1]) for match in _matches(_DECIMAL, parts, _DECIMAL_HINT)]
        try:
            return struct.pack(f"<{len(parts)}{_DECIMALS[vr]}", *numbers)
        except OverflowError:
            raise ValueError("Write smaller numbers.") from None
    if vr == "AT":
        words = [
            int(digits, 16)
            for match in _matches(_TAG, parts, _TAG_HINT)
            for digits in match.groups()
        ]
        return struct.pack(f"<{len(words)}H", *words)
    if vr in _HEX:
        return pad_value(vr, _encode_hex(*_HEX[vr], parts))
    return pad_value(vr, encode_text(text, charsets, vr))


def _encode_hex(code: str, digits: int, parts: list[str]) -> bytes:
    hint = rf"Write at most {digits} hexadecimal digits a number, \ between them: 1\ff."
    numbers = [int(match[1], 16) for match in _matches(_HEX_NUMBER, parts, hint)]
    if max(numbers) >= 16**digits:
        raise ValueError(hint)
    return struct.pack(f"<{len(numbers)}{code}", *numbers)


def _matches(pattern: "re.Pattern[str]", parts: list[str], hint: str) -> Iterator["re.Match[str]"]:
    for part in parts:
        match = pattern.fullmatch(part)
        if match is None:
            raise ValueError(hint)
        yield match
