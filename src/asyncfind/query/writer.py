"""An `Item` to bytes in any transfer syntax (PS3.5 Section 7).

Explicit lengths come before what they measure, so everything is written from the last byte to the
first: when a header is due, its length is known. One pass, no recursion, every byte copied once.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import LONG_VRS, TEXT_VRS, Element, Item
from asyncfind.query.syntax import SHORT_VRS, WORD_SIZES, TransferSyntax, swap_words

__all__ = ["pad_value", "write_item"]

_UNDEFINED: Final = 0xFFFFFFFF
_PADDING: Final = 0xFFFCFFFC
_MAX_SHORT: Final = 0xFFFE
_BLANK_PADDED: Final = TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UR"}

_CODES: Final[Mapping[str, tuple[bytes, bool]]] = {
    vr: (vr.encode(), vr in LONG_VRS) for vr in sorted(LONG_VRS | SHORT_VRS)
}
"""VR to VR as encoded and whether its length has 32 bits."""


def write_item(
    item: Item,
    syntax: TransferSyntax,
    *,
    deflate_level: int = 6,
    undefined_lengths: bool = False,
) -> bytes:
    """Encode a data set (PS3.5 Section 7), elements in ascending order.

    Lengths come from the values, `Element.length` counts for encapsulated pixel data alone. Values
    of odd length are padded; group lengths are calculated where present, never added; Data Set
    Trailing Padding is left out. A value too long for the 16-bit length of its VR becomes UN
    (PS3.5 Section 6.2.2), as does a VR that is none.

    Args:
        deflate_level: 0 to 9, where the syntax is deflated.
        undefined_lengths: write sequences and items with delimiters instead of lengths.

    Raises:
        InvalidRequest: encapsulated pixel data outside Explicit VR Little Endian.
    """
    data = _Writer(syntax, undefined_lengths).write(item)
    if syntax.deflated:
        stream = zlib.compressobj(deflate_level, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = stream.compress(data) + stream.flush()
        if len(data) % 2:
            data += b"\0"
    return data


def pad_value(vr: str, value: bytes) -> bytes:
    """Return `value` with an even length (PS3.5 Sections 6.2 and 7.1.1)."""
    if len(value) % 2:
        return value + (b" " if vr in _BLANK_PADDED else b"\0")
    return value


@dataclass(slots=True)
class _OpenItem:
    """A data set or item of which the elements in `parts` are still to be written.

    Args:
        end: bytes written when its last element was due.
        group, group_end: the group being written, and bytes written when its last element was due.
    """

    parts: Iterator[Element]
    end: int
    group: int = -1
    group_end: int = 0


@dataclass(slots=True)
class _OpenSequence:
    """A sequence of which the items in `parts` are still to be written."""

    parts: Iterator[Item]
    end: int
    tag: int


class _Writer:
    """The pieces of one data set, the last one first."""

    __slots__ = ("_open", "_pieces", "_short", "_size", "_syntax", "_undefined", "_with_length")

    def __init__(self, syntax: TransferSyntax, undefined_lengths: bool) -> None:
        order = "<" if syntax.little_endian else ">"
        self._syntax = syntax
        self._short = struct.Struct(order + "HH2sH")
        self._with_length = struct.Struct(order + "HHI")
        self._undefined = undefined_lengths
        self._pieces: list[bytes] = []
        self._size = 0
        self._open: list[_OpenItem | _OpenSequence] = []

    def write(self, item: Item) -> bytes:
        open_parts = self._open
        self._begin_item(item)
        while open_parts:
            part = open_parts[-1]
            if isinstance(part, _OpenItem):
                self._write_elements(part)
            else:
                self._write_items(part)
        return b"".join(reversed(self._pieces))

    def _begin_item(self, item: Item) -> None:
        elements = item.elements
        parts = iter([elements[tag] for tag in sorted(elements, reverse=True)])
        if self._undefined and self._open:
            self._add(self._with_length.pack(0xFFFE, 0xE00D, 0))
        self._open.append(_OpenItem(parts, self._size))

    def _write_elements(self, part: _OpenItem) -> None:
        """Write elements down to the next sequence, or to the item's own header."""
        for element in part.parts:
            tag = element.tag
            if tag == _PADDING:
                continue
            group = tag >> 16
            if group != part.group:
                part.group, part.group_end = group, self._size
            value = element.value
            if isinstance(value, list):
                if self._undefined:
                    self._add(self._with_length.pack(0xFFFE, 0xE0DD, 0))
                self._open.append(_OpenSequence(reversed(value), self._size, tag))
                return
            if not tag & 0xFFFF and element.vr == "UL":
                value = struct.pack("<I", self._size - part.group_end)
            self._write_leaf(element, value)
        self._open.pop()
        if self._open:
            length = _UNDEFINED if self._undefined else self._size - part.end
            self._add(self._with_length.pack(0xFFFE, 0xE000, length))

    def _write_items(self, part: _OpenSequence) -> None:
        """Begin the next item, or write the sequence's own header."""
        for item in part.parts:
            self._begin_item(item)
            return
        self._open.pop()
        length = _UNDEFINED if self._undefined else self._size - part.end
        self._write_header(part.tag, "SQ", length)

    def _write_leaf(self, element: Element, value: bytes) -> None:
        tag, vr = element.tag, element.vr
        if element.length == _UNDEFINED:
            if not (self._syntax.explicit and self._syntax.little_endian):
                raise InvalidRequest(
                    f"encapsulated pixel data cannot be encoded in {self._syntax.name}",
                    "Leave (7fe0,0010) out of the query.",
                )
            self._add(self._with_length.pack(0xFFFE, 0xE0DD, 0))
            self._add(value)
            self._write_header(tag, vr, _UNDEFINED)
            return
        if len(value) % 2:
            value = pad_value(vr, value)
        if not self._syntax.little_endian and vr in WORD_SIZES:
            value = swap_words(vr, value)
        self._add(value)
        self._write_header(tag, vr, len(value))

    def _write_header(self, tag: int, vr: str, length: int) -> None:
        group, number = tag >> 16, tag & 0xFFFF
        if not self._syntax.explicit:
            self._add(self._with_length.pack(group, number, length))
            return
        code, is_long = _CODES.get(vr, (b"UN", True))
        if not is_long and length <= _MAX_SHORT:
            self._add(self._short.pack(group, number, code, length))
            return
        if not is_long:
            code = b"UN"
        self._add(length.to_bytes(4, "little" if self._syntax.little_endian else "big"))
        self._add(self._short.pack(group, number, code, 0))

    def _add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
