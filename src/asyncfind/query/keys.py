"""Keys as -k takes them: a path of tags or keywords and items, and a value.

The grammar is findscu's. Natively a bad key is refused before anything is sent, and text, typed
in UTF-8, is encoded into the character set of the query (PS3.5 Section 6.1).
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.query.charset import charsets_of, encode_text
from asyncfind.query.dictionary import suggestions, tag_of, vr_of
from asyncfind.query.element import TEXT_VRS, Element, Item
from asyncfind.safe import safe

__all__ = ["Key", "apply_key", "build_identifier", "parse_key"]

_TAG: Final = re.compile(r"\s*(?:0[xX])?([0-9a-fA-F]+)\s*,\s*(?:0[xX])?([0-9a-fA-F]+)")
_INDEX: Final = re.compile(r"\[\s*([+-]?\d+)[^\]]*\]")
_CHARSET: Final = 0x00080005
_MAX_ITEMS: Final = 10_000
_NUMBERS: Final = {
    "US": ("H", 16),
    "SS": ("H", 16),
    "UL": ("I", 32),
    "SL": ("I", 32),
    "UV": ("Q", 64),
    "SV": ("Q", 64),
}
_FLOATS: Final = {"FL": "f", "OF": "f", "FD": "d", "OD": "d"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Args:
        text: as typed.
        path: (tag, item index) from the outside in; index None for the last tag, unless the path
            ends in an item.
        value: what stands behind the first `=`; empty where there is none.
    """

    text: str
    path: tuple[tuple[int, int | None], ...]
    value: str

    @property
    def tags(self) -> tuple[int, ...]:
        """The path without the item indices."""
        return tuple(tag for tag, _ in self.path)


def parse_key(text: str) -> Key:
    """Parse a key, `gggg,eeee=value`, `Keyword=value` or `Sequence[0].Keyword=value`.

    Raises:
        InvalidRequest: the path cannot be read, or names group 0000 or 0002.
    """
    left, _, value = text.partition("=")
    path: list[tuple[int, int | None]] = []
    rest = left
    if not rest.strip():
        raise _bad(text, "no tag or keyword before the =", "Write for example PatientID=42.")
    if "*" in rest:
        raise _bad(text, "the wildcard * stands in the path", "Wildcards belong behind the =.")
    while rest:
        tag, rest = _parse_tag(text, rest)
        index: int | None = None
        if rest.startswith("["):
            match = _INDEX.match(rest)
            if match is None or not 0 <= int(match[1]) < _MAX_ITEMS:
                raise _bad(text, "bad item number", "Items are numbered from 0: Sequence[0].Key")
            index, rest = int(match[1]), rest[match.end() + 1 :]
        elif rest:
            raise _bad(text, "the path goes on without [item]", "Write Sequence[0].Keyword.")
        path.append((tag, index))
    if any(vr_of(tag) not in ("SQ", "UN") for tag, index in path if index is not None):
        raise _bad(text, "an item of what is no sequence", "Only sequences have items.")
    if path[-1][1] is not None and value:
        raise _bad(text, "an item cannot have a value", "Name the key inside it: Sequence[0].Key=V")
    if path[0][0] >> 16 in (0x0000, 0x0002):
        raise _bad(text, "groups 0000 and 0002 are no part of a query", "Leave this key out.")
    return Key(text, tuple(path), value)


def _bad(text: str, why: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"bad key {safe(text, 100)!r}: {why}", hint)


def _parse_tag(text: str, rest: str) -> tuple[int, str]:
    if rest.startswith("("):
        inside, closed, after = rest[1:].partition(")")
        if not closed:
            raise _bad(text, "( without )", "Write (gggg,eeee).")
    else:
        bracket = rest.find("[")
        inside, after = (rest, "") if bracket < 0 else (rest[:bracket], rest[bracket:])
        if bracket < 0 and "." in rest and not _TAG.match(rest):
            raise _bad(text, "an item number is missing before the dot", "Write Sequence[0].Key.")
    match = _TAG.match(inside)
    if match is not None:
        return (int(match[1], 16) & 0xFFFF) << 16 | int(match[2], 16) & 0xFFFF, after
    tag = tag_of(inside)
    if tag is None:
        near = suggestions(inside)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Use a DICOM keyword or gggg,eeee."
        raise _bad(text, f"{safe(inside, 64)!r} is no tag and no DICOM keyword", hint)
    return tag, after


def build_identifier(base: Item | None, keys: Sequence[str]) -> Item:
    """Apply keys, in their order, to a copy of `base`; the last of equal ones wins.

    Where text needs more than ASCII and no Specific Character Set is given, ISO_IR 192 is set.

    Raises:
        InvalidRequest: a bad key, or text that its character set cannot hold.
    """
    item = _copy(base) if base is not None else Item()
    parsed = [parse_key(key) for key in keys if key]
    for key in parsed:
        if key.tags == (_CHARSET,):
            apply_key(item, key, ())
    charsets = charsets_of(item)
    if not charsets and any(not key.value.isascii() for key in parsed):
        item.elements[_CHARSET] = Element(_CHARSET, "CS", b"ISO_IR 192", 10)
        charsets = ("ISO_IR 192",)
    for key in parsed:
        apply_key(item, key, charsets)
    return item


def _copy(item: Item) -> Item:
    copy = Item(length=item.length)
    for tag, (_, vr, value, length) in item.elements.items():
        inner = [_copy(one) for one in value] if isinstance(value, list) else value
        copy.elements[tag] = Element(tag, vr, inner, length)
    return copy


def apply_key(item: Item, key: Key, charsets: tuple[str, ...]) -> None:
    """Insert or replace one key in `item`; sequences and items on its path are made.

    Raises:
        InvalidRequest: the value does not fit the value representation.
    """
    for tag, index in key.path:
        if index is None:
            _put(item, tag, key, charsets)
            return
        old = item.elements.get(tag)
        items = old.value if old is not None and isinstance(old.value, list) else []
        items += [Item() for _ in range(len(items), index + 1)]
        item.elements[tag] = Element(tag, "SQ", items, 0)
        item = items[index]


def _put(item: Item, tag: int, key: Key, charsets: tuple[str, ...]) -> None:
    old = item.elements.get(tag)
    vr = old.vr if old is not None else _vr(item, tag)
    if vr == "SQ":
        if key.value:
            raise _bad(key.text, "a sequence cannot have a value", "Write Sequence[0].Key=VALUE.")
        if old is None:
            item.elements[tag] = Element(tag, "SQ", [], 0)
        return
    try:
        value = _encode(vr, key.value, charsets)
    except (ValueError, OverflowError) as exc:
        raise _bad(
            key.text, f"the value is none for VR {vr}", "See PS3.5 Section 6.2 for its form."
        ) from exc
    item.elements[tag] = Element(tag, vr, value, len(value))


def _vr(item: Item, tag: int) -> str:
    if tag >> 16 & 1 and tag & 0xFFFF > 0xFF:
        from pydicom.datadict import private_dictionary_VR

        creator = item.elements.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
        if creator is not None and isinstance(creator.value, bytes):
            name = creator.value.decode("latin-1").strip("\0 ")
            try:
                return private_dictionary_VR(tag, name)[:2]
            except KeyError:
                return "UN"
    return vr_of(tag)


def _encode(vr: str, text: str, charsets: tuple[str, ...]) -> bytes:
    if not text:
        return b""
    parts = text.split("\\")
    if vr in _NUMBERS:
        code, bits = _NUMBERS[vr]
        return b"".join(struct.pack("<" + code, int(part) % (1 << bits)) for part in parts)
    if vr in _FLOATS:
        return b"".join(struct.pack("<" + _FLOATS[vr], float(part)) for part in parts)
    if vr == "AT":
        return b"".join(_tag_value(part) for part in parts)
    if vr in ("OB", "UN"):
        data = bytes(int(part, 16) for part in parts)
        return data + b"\0" * (len(data) % 2)
    if vr in ("OW", "OL", "OV"):
        code = {"OW": "H", "OL": "I", "OV": "Q"}[vr]
        return b"".join(struct.pack("<" + code, int(part, 16)) for part in parts)
    data = encode_text(text, charsets, vr) if vr in TEXT_VRS else text.encode("ascii")
    return data + (b"\0" if vr == "UI" else b" ") * (len(data) % 2)


def _tag_value(text: str) -> bytes:
    match = _TAG.match(text.strip("() "))
    if match is None:
        raise ValueError(text)
    return struct.pack("<HH", int(match[1], 16), int(match[2], 16))
