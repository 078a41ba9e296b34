"""A data set as findscu's log shows it, byte for byte (text is bytes, one character each).

`render/dump.py` shows the same form decoded and safe for a terminal; here nothing is touched,
because scripts cut these lines at fixed places and rely on padding.
"""

import struct
from collections.abc import Mapping
from typing import Final, Protocol

from asyncfind.findscu.vrs import STRINGS, WIDTHS
from asyncfind.findscu.walk import Deferred
from asyncfind.query.dcmtk_numbers import format_float32, format_float64
from asyncfind.query.element import Element, Item

__all__ = ["Names", "creator_in", "dump_data_set"]

_SINGLE: Final = frozenset(
    ["LT", "ST", "UT", "UR", "OB", "OW", "OF", "OD", "OL", "OV", "UN", "ox", "px", "lt", "??"]
)
_BYTES: Final = frozenset(["OB", "UN", "ox", "px", "??"])
_WORDS: Final = frozenset(("OW", "lt"))
_INTEGERS: Final[Mapping[str, str]] = {
    "US": "H", "xs": "H", "SS": "h", "UL": "I", "up": "I", "SL": "i", "SV": "q", "UV": "Q",
    "OL": "I", "OV": "Q",
}  # fmt: skip
_WIDTHS: Final = {"H": 2, "h": 2, "I": 4, "i": 4, "q": 8, "Q": 8}
_UNDEFINED: Final = 0xFFFFFFFF
_NO_VALUE: Final = "(no value available)"
_NOT_LOADED: Final = "(not loaded)"
"""What is shown of a value that is still in its file, or did not follow its length."""
_INVALID: Final = "(invalid value)"


class Names(Protocol):
    """What the dictionary has to tell."""

    def name_of(self, tag: int, creator: str = "") -> str:
        """The name in the last column."""

    def uid_name_of(self, uid: str) -> str | None:
        """What `=Name` stands for a UID; None where it has none."""


def dump_data_set(
    item: Item, syntax: str, names: Names, *, title: str = "Dicom-Data-Set", strip: bool = False
) -> str:
    """The dump of a data set; begins with an empty line and ends with a line feed.

    Args:
        item: values as encoded, in little endian; lengths as they are to be shown.
        syntax: DCMTK's name of the transfer syntax.
        strip: leave trailing padding out of values (`+dc`).
    """
    lines = [f"\n# {title}\n# Used TransferSyntax: {syntax}\n"]
    _Dumper(names, strip, lines).dump(item, "")
    return "".join(lines)


def creator_in(item: Item, tag: int) -> str:
    """Who reserved the block of a private tag in `item`; empty where nobody did."""
    if not tag >> 16 & 1 or tag & 0xFFFF < 0x1000:
        return ""
    creator = item.elements.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
    if creator is None or not isinstance(creator.value, bytes):
        return ""
    return creator.value.decode("latin_1").rstrip(" \0")


class _Dumper:
    def __init__(self, names: Names, strip: bool, lines: list[str]) -> None:
        self._names = names
        self._strip = strip
        self._lines = lines

    def dump(self, item: Item, indent: str) -> None:
        for tag in sorted(item.elements):
            element = item.elements[tag]
            name = self._names.name_of(tag, creator_in(item, tag))
            if isinstance(element.value, list):
                self._sequence(element, element.value, indent, name)
            elif element.length == _UNDEFINED:
                self._pixel_sequence(element, element.value, indent, name)
            else:
                shown, vm = self._leaf(element.vr, element.value, element.length)
                self._line(indent, tag, element.vr, shown, element.length, vm, name)

    def _line(
        self, indent: str, tag: int, vr: str, shown: str, length: int, vm: int, name: str
    ) -> None:
        size = "u/l" if length == _UNDEFINED else f"{length:>3}"
        self._lines.append(
            f"{indent}({tag >> 16:04x},{tag & 0xFFFF:04x}) {vr} {shown:<40} "
            f"# {size},{vm:>2} {name}\n"
        )

    def _sequence(self, element: Element, items: list[Item], indent: str, name: str) -> None:
        undefined = element.length == _UNDEFINED
        kind = "undefined" if undefined else "explicit"
        shown = f"(Sequence with {kind} length #={len(items)})"
        self._line(indent, element.tag, "SQ", shown, element.length, 1, name)
        inner = indent + "  "
        for item in items:
            open_item = item.length == _UNDEFINED
            kind = "undefined" if open_item else "explicit"
            shown = f"(Item with {kind} length #={len(item.elements)})"
            self._line(inner, 0xFFFEE000, "na", shown, item.length, 1, "Item")
            self.dump(item, inner + "  ")
            shown = "(ItemDelimitationItem)"
            if not open_item:
                shown = "(ItemDelimitationItem for re-encoding)"
            self._line(inner, 0xFFFEE00D, "na", shown, 0, 0, "ItemDelimitationItem")
        self._end_of_sequence(indent, undefined)

    def _end_of_sequence(self, indent: str, undefined: bool) -> None:
        shown = "(SequenceDelimitationItem)"
        if not undefined:
            shown = "(SequenceDelimitationItem for re-encod.)"
        self._line(indent, 0xFFFEE0DD, "na", shown, 0, 0, "SequenceDelimitationItem")

    def _pixel_sequence(self, element: Element, value: bytes, indent: str, name: str) -> None:
        fragments = []
        pos = 0
        while pos + 8 <= len(value):
            (length,) = struct.unpack_from("<I", value, pos + 4)
            fragments.append((length, value[pos + 8 : pos + 8 + length]))
            pos += 8 + length
        shown = f"(PixelSequence #={len(fragments)})"
        self._line(indent, element.tag, element.vr, shown, _UNDEFINED, 1, name)
        for length, fragment in fragments:
            shown, _ = self._leaf("OB", fragment, length)
            self._line(indent + "  ", 0xFFFEE000, "pi", shown, length, 1, "Item")
        self._end_of_sequence(indent, undefined=True)

    def _leaf(self, vr: str, value: bytes, length: int) -> tuple[str, int]:
        """The value as shown, and its multiplicity."""
        if isinstance(value, Deferred):
            is_text = vr in STRINGS
            return _NOT_LOADED, self._string(vr, value)[1] if is_text else _count(vr, length)
        if length and not value:
            return _NOT_LOADED, _count(vr, length)
        if vr in STRINGS:
            return self._string(vr, value)
        if not value:
            return _NO_VALUE, 1 if vr in _BYTES or vr in _WORDS else 0
        if vr in _INTEGERS:
            code = _INTEGERS[vr]
            count = len(value) // _WIDTHS[code]
            numbers = struct.unpack_from(f"<{count}{code}", value)
            shown = "\\".join(map(str, numbers))
        elif vr in ("FL", "OF"):
            count = len(value) // 4
            shown = format_float32(value)
        elif vr in ("FD", "OD"):
            count = len(value) // 8
            shown = format_float64(value)
        elif vr == "AT":
            count = len(value) // 4
            if not count:
                return _NO_VALUE, 0
            words = struct.unpack_from(f"<{2 * count}H", value)
            pairs = zip(words[::2], words[1::2], strict=True)
            shown = "\\".join(f"({group:04x},{number:04x})" for group, number in pairs)
        elif vr in _WORDS:
            count = len(value) // 2
            words = struct.unpack_from(f"<{count}H", value)
            shown = "\\".join(f"{word:04x}" for word in words)
        else:
            count = len(value)
            shown = value.hex("\\")
        if not count:
            return _INVALID, 1 if vr in _SINGLE else 0
        return shown, 1 if vr in _SINGLE else count

    def _string(self, vr: str, value: bytes) -> tuple[str, int]:
        if self._strip:
            value = value.rstrip(b"\0" if vr == "UI" else b" ")
        if not value:
            return _NO_VALUE, 0
        text = value.decode("latin_1")
        vm = 1 if vr in _SINGLE else text.count("\\") + 1
        if vr == "UI":
            name = self._names.uid_name_of(text.split("\0", 1)[0])
            if name:
                return f"={name}", vm
        return f"[{text}]", vm


def _count(vr: str, length: int) -> int:
    """The multiplicity of a value of which only the length is known."""
    if vr in STRINGS:
        return 0
    return 1 if vr in _SINGLE else length // WIDTHS.get(vr, 1) // (2 if vr == "AT" else 1)
