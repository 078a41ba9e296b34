"""Bytes of a peer to an `Item` (PS3.5 Section 7), whatever the bytes are.

The reader is iterative, takes time linear in the bytes and believes no length before it has
compared it with what is there. What it refuses ends in one `MalformedIdentifier` of constant size.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import Kind, MalformedIdentifier
from asyncfind.query.dictionary import vr_of
from asyncfind.query.element import LONG_VRS, Element, Item
from asyncfind.query.syntax import SHORT_VRS, WORD_SIZES, TransferSyntax, swap_words

__all__ = ["read_item"]

_UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_INFLATE_STEP: Final = 64 * 1024
_PATH_TAGS: Final = 8
_MAX_HEADS: Final = 4096

_VRS: Final[Mapping[bytes, tuple[str, bool]]] = {
    vr.encode(): (vr, vr in LONG_VRS) for vr in sorted(LONG_VRS | SHORT_VRS)
}
"""VR as encoded to VR and whether its length has 32 bits."""

_FUTURE_VR: Final = re.compile(rb"[A-Z]{2}\0\0")

_Heads = dict[bytes, tuple[int, str, int]]
_new_element: Final = tuple.__new__


class _Encoding:
    """How headers are encoded.

    Args:
        heads: the 8-byte headers met so far, each with its tag, VR and length. Answers repeat
            their headers, so looking one up is the fastest way to decode it. Only headers whose
            value follows at once and is taken as it is are kept, and never more than 4096.
    """

    __slots__ = ("explicit", "heads", "item", "long", "short", "swap")

    def __init__(self, *, explicit: bool, little_endian: bool) -> None:
        order = "<" if little_endian else ">"
        self.explicit = explicit
        self.swap = not little_endian
        self.heads: _Heads = {}
        self.item = struct.Struct(order + "HHI")
        self.short = struct.Struct(order + "H")
        self.long = struct.Struct(order + "I")


_IMPLICIT: Final = _Encoding(explicit=False, little_endian=True)
_EXPLICIT: Final = _Encoding(explicit=True, little_endian=True)
_BIG_ENDIAN: Final = _Encoding(explicit=True, little_endian=False)


@dataclass(slots=True)
class _Level:
    """An open sequence and the item of it that is being read; or, outermost, the data set.

    Args:
        tag: of the sequence.
        encoding: of the items.
        items: those met so far.
        end: offset of the sequence's end, or of what it must end in when its length is undefined.
        undefined: only a delimiter ends the sequence.
        elements: of the item being read.
        item_end, item_undefined: the same of the item.
    """

    tag: int
    encoding: _Encoding
    items: list[Item]
    end: int
    undefined: bool
    elements: dict[int, Element]
    item_end: int
    item_undefined: bool


def read_item(
    data: bytes,
    syntax: TransferSyntax,
    *,
    max_inflated: int = 16 * 1024 * 1024,
    max_depth: int = 64,
    max_elements: int = 200_000,
) -> Item:
    """Decode a data set (PS3.5 Section 7).

    Values are little endian whatever the syntax. Of an element that comes twice the first is
    kept. A VR that is none is read as UN, as long as its length fits. UN of undefined length is a
    sequence in Implicit VR Little Endian (PS3.5 Section 6.2.2, CP-246). Encapsulated pixel data is
    kept as bytes: its items without the sequence delimiter. Groups 0000 and 0002 mean nothing here.

    Args:
        data: as received; a deflated data set still deflated.
        max_inflated: the most bytes to inflate to.
        max_depth: the most sequences within each other.
        max_elements: the most elements and items in all.

    Raises:
        MalformedIdentifier: `data` is no data set in this syntax, or exceeds a limit; its kind is
            then `Kind.LIMIT` for `max_inflated`, else `Kind.DECODE`.
    """
    if syntax.deflated:
        data = _inflate(data, max_inflated)
    if not syntax.explicit:
        encoding = _IMPLICIT
    else:
        encoding = _EXPLICIT if syntax.little_endian else _BIG_ENDIAN
    item = Item()
    pos = _read_known(data, 0, len(data), encoding.heads, item.elements)
    if pos == len(data) and len(item.elements) <= max_elements:
        return item
    return _Reader(data, encoding, max_depth, max_elements).read(item, pos)


def _read_known(
    data: bytes, pos: int, end: int, heads: _Heads, elements: dict[int, Element]
) -> int:
    """Read elements into `elements` until the first that needs thought; return its offset.

    Every answer of 16 elements passes here 16 times: this loop is what reading costs.
    """
    try:
        while True:
            start = pos + 8
            tag, vr, length = heads[data[pos:start]]
            stop = start + length
            if stop > end or tag in elements:
                return pos
            elements[tag] = _new_element(Element, (tag, vr, data[start:stop], length))
            pos = stop
    except KeyError:
        return pos


class _Reader:
    """One data set on its way to an `Item`."""

    __slots__ = ("_data", "_left", "_levels", "_limit", "_max_depth", "_pos")

    def __init__(self, data: bytes, encoding: _Encoding, max_depth: int, max_elements: int) -> None:
        end = len(data)
        self._data = data
        self._pos = 0
        self._levels = [_Level(0, encoding, [], end, False, {}, end, False)]
        self._max_depth = max_depth
        self._limit = self._left = max_elements

    def read(self, top: Item, pos: int) -> Item:
        """Complete `top`, the elements of the data set up to `pos`."""
        levels = self._levels
        levels[0].elements = top.elements
        self._pos = pos
        self._count(len(top.elements))
        while True:
            level = levels[-1]
            elements = level.elements
            before = len(elements)
            self._pos = _read_known(
                self._data, self._pos, level.item_end, level.encoding.heads, elements
            )
            self._count(len(elements) - before)
            if self._pos < level.item_end or level.item_undefined:
                self._read_element(level)
            elif len(levels) > 1:
                self._next_item()
            else:
                return top

    def _read_element(self, level: _Level) -> None:
        """Read one element with all that may be unusual about it."""
        pos, encoding = self._pos, level.encoding
        if level.item_end - pos < 8:
            raise self._error(self._cut(level.item_end - pos, level.item_undefined))
        group, number, length = encoding.item.unpack_from(self._data, pos)
        tag = group << 16 | number
        if group == 0xFFFE:
            self._end_item(level, tag)
            return
        self._count(1)
        start = pos + 8
        if encoding.explicit:
            vr, length, start = self._explicit_header(tag, level)
        else:
            vr = "SQ" if length == _UNDEFINED else vr_of(tag)
        if length == _UNDEFINED:
            if vr == "SQ":
                self._open(tag, length, start, encoding)
            elif vr == "UN":
                self._open(tag, length, start, _IMPLICIT)
            else:
                self._read_fragments(level, tag, vr, start)
            return
        stop = start + length
        if stop > level.item_end:
            left = level.item_end - start
            raise self._error(f"a value of {length} bytes where {left} are left", tag)
        if vr == "SQ":
            self._open(tag, length, start, encoding)
            return
        value = self._data[start:stop]
        if encoding.swap and vr in WORD_SIZES:
            value = swap_words(vr, value)
        elif start == pos + 8 and (vr != "UN" or not encoding.explicit):
            if len(encoding.heads) >= _MAX_HEADS:
                encoding.heads.clear()
            encoding.heads[self._data[pos:start]] = (tag, vr, length)
        level.elements.setdefault(tag, Element(tag, vr, value, length))
        self._pos = stop

    def _explicit_header(self, tag: int, level: _Level) -> tuple[str, int, int]:
        """Return VR, length and offset of the value (PS3.5 Section 7.1.2)."""
        data, pos, encoding = self._data, self._pos, level.encoding
        (short,) = encoding.short.unpack_from(data, pos + 6)
        known = _VRS.get(data[pos + 4 : pos + 6])
        room = level.item_end - pos - 12
        if known is None:
            # "All new VRs ... shall be of the same structure as OB": the 32-bit length is right
            # if it fits. Software that writes "??" or blanks means the 16-bit one.
            if room >= 0 and _FUTURE_VR.match(data, pos + 4):
                (length,) = encoding.long.unpack_from(data, pos + 8)
                if length <= room or length == _UNDEFINED:
                    return "UN", length, pos + 12
            return "UN", short, pos + 8
        vr, is_long = known
        if not is_long:
            return vr, short, pos + 8
        if room < 0:
            raise self._error(f"an element header cut off after {room + 12} bytes", tag)
        (length,) = encoding.long.unpack_from(data, pos + 8)
        return vr, length, pos + 12

    def _open(self, tag: int, length: int, start: int, encoding: _Encoding) -> None:
        """Begin a sequence whose first item header is at `start`."""
        parent = self._levels[-1]
        if len(self._levels) > self._max_depth:
            raise self._error(f"more than {self._max_depth} sequences within each other", tag)
        items: list[Item] = []
        parent.elements.setdefault(tag, Element(tag, "SQ", items, length))
        undefined = length == _UNDEFINED
        end = parent.item_end if undefined else start + length
        self._levels.append(_Level(tag, encoding, items, end, undefined, {}, start, False))
        self._pos = start
        self._next_item()

    def _next_item(self) -> None:
        """Go on from the end of an item: to the next one, or out of the sequence."""
        level, pos = self._levels[-1], self._pos
        left = level.end - pos
        if left == 0 and not level.undefined:
            self._levels.pop()
            return
        if left < 8:
            raise self._error(self._cut(left, level.undefined))
        group, number, length = level.encoding.item.unpack_from(self._data, pos)
        tag = group << 16 | number
        if tag == _SEQUENCE_END and (level.undefined or left == 8):
            self._levels.pop()
        elif tag != _ITEM:
            raise self._error(f"({group:04x},{number:04x}) where an item must begin")
        elif length != _UNDEFINED and length > left - 8:
            raise self._error(f"an item of {length} bytes where {left - 8} are left")
        else:
            self._count(1)
            item = Item({}, length)
            level.items.append(item)
            level.elements = item.elements
            level.item_undefined = length == _UNDEFINED
            level.item_end = level.end if level.item_undefined else pos + 8 + length
        self._pos = pos + 8

    def _end_item(self, level: _Level, tag: int) -> None:
        """Take a delimiter met where an element could begin."""
        if tag == _ITEM_END and len(self._levels) > 1:
            self._pos += 8
            if level.item_undefined:
                self._next_item()
                return
            if self._pos == level.item_end:  # superfluous, and harmless
                return
            self._pos -= 8
        raise self._error("an item or delimiter where an element must begin", tag)

    def _read_fragments(self, level: _Level, tag: int, vr: str, start: int) -> None:
        """Take encapsulated pixel data as one value (PS3.5 Section A.4)."""
        if level.encoding.swap or vr not in ("OB", "OW"):
            raise self._error(f"an undefined length with VR {vr}", tag)
        pos, end = start, level.item_end
        while True:
            if end - pos < 8:
                raise self._error(self._cut(end - pos, True), tag)
            group, number, length = level.encoding.item.unpack_from(self._data, pos)
            pos += 8
            found = group << 16 | number
            if found == _SEQUENCE_END:
                break
            if found != _ITEM or length > end - pos:
                raise self._error("a broken fragment", tag)
            self._count(1)
            pos += length
        value = self._data[start : pos - 8]
        level.elements.setdefault(tag, Element(tag, vr, value, _UNDEFINED))
        self._pos = pos

    def _count(self, number: int) -> None:
        self._left -= number
        if self._left < 0:
            raise self._error(f"more than {self._limit} elements")

    @staticmethod
    def _cut(left: int, undefined: bool) -> str:
        if left == 0 and undefined:
            return "the end where a delimiter is missing"
        return f"a header cut off after {left} bytes"

    def _error(self, found: str, tag: int | None = None) -> MalformedIdentifier:
        """The one exception of this module.

        Args:
            found: what is there, in words of ours.
            tag: of the element at the current offset, where that is known.
        """
        path = [
            f"({level.tag >> 16:04x},{level.tag & 0xFFFF:04x})[{max(len(level.items) - 1, 0)}]"
            for level in self._levels[1:]
        ]
        if tag is not None:
            path.append(f"({tag >> 16:04x},{tag & 0xFFFF:04x})")
        where = ".".join(path[-_PATH_TAGS:])
        if len(path) > _PATH_TAGS:
            where = "..." + where
        place = f"offset {self._pos}" + (f" in {where}" if where else "")
        return MalformedIdentifier(
            f"identifier cannot be decoded: {found} ({place})",
            "The archive's answer is damaged; another transfer syntax (-xe, -xi) may help.",
        )


def _inflate(data: bytes, limit: int) -> bytes:
    """Inflate a data set (PS3.5 Section A.5), 64 KiB of input and output at a time.

    Both are bounded: of a large input zlib would copy the unread rest at each step.
    """
    if not data:
        return b""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    out = bytearray()
    taken = 0
    pending = b""
    try:
        while not stream.eof:
            if not pending:
                pending = data[taken : taken + _INFLATE_STEP]
                taken += len(pending)
            chunk = stream.decompress(pending, _INFLATE_STEP)
            if not chunk and not pending and not stream.eof:
                raise _damaged("the deflated data end too early")
            out += chunk
            if len(out) > limit:
                raise _too_much(limit)
            pending = stream.unconsumed_tail
    except zlib.error as exc:
        raise _damaged("the data are not deflated, or damaged") from exc
    rest = len(stream.unused_data) + len(data) - taken
    # "... shall be padded with a single NULL byte" to even length
    if rest > 1 or (rest and data[-1]):
        raise _damaged(f"{rest} bytes after the end of the deflated data")
    return bytes(out)


def _damaged(found: str) -> MalformedIdentifier:
    return MalformedIdentifier(
        f"identifier cannot be decoded: {found}",
        "The archive's answer is damaged; a transfer syntax without deflation (-xe) may help.",
    )


def _too_much(limit: int) -> MalformedIdentifier:
    error = MalformedIdentifier(
        f"identifier inflates to more than {limit} bytes",
        "Ask for fewer keys, or for a transfer syntax without deflation (-xe).",
    )
    error.kind = Kind.LIMIT
    return error
