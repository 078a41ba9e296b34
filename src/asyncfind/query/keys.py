r"""Keys as -k takes them: a path of tags or keywords and items, and a value behind the first `=`.

The grammar of findscu 3.6:

    key   = path [ "=" value ]
    path  = tag ( "[" n "]" "." tag )* [ "[" n "]" ]
    tag   = keyword | gggg,eeee | "(" tag ")"

What findscu finds out when the association is open is an error here before anything is sent, and
text typed in UTF-8 is encoded into the character set of the query, where findscu sends the bytes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from asyncfind.errors import InvalidRequest
from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.dictionary import (
    is_replaced,
    keyword_of,
    standard_tag,
    suggestions,
    tag_of,
    vr_of,
)
from asyncfind.query.element import TEXT_VRS, Element, Item
from asyncfind.query.typed import encode_value
from asyncfind.safe import safe

__all__ = [
    "BadKey",
    "Key",
    "KeyFault",
    "Step",
    "apply_key",
    "build_identifier",
    "parse_key",
    "parse_path",
    "split_key",
]

_CHARSET: Final = 0x00080005
_UTF8: Final = "ISO_IR 192"
_ESC: Final = 0x1B
_MAX_ITEMS: Final = 10_000
_MAX_DEPTH: Final = 64
_MAX_SHOWN: Final = 64
_NO_GROUPS: Final = {
    0x0000: "command elements",
    0x0002: "file meta information",
    0xFFFE: "item delimiters",
}

# C's "%x,%x": no blank before the comma, anything after the second number.
_TAG: Final = re.compile(
    r"[ \t\n\v\f\r]*(?:0[xX])?([0-9a-fA-F]+),[ \t\n\v\f\r]*(?:0[xX])?([0-9a-fA-F]+)"
)
_NUMBER: Final = re.compile(r"\[[ \t\n\v\f\r]*([+-]?)([0-9]+)\]")
_BARE_TAG: Final = re.compile(r"([0-9a-fA-F]{4})[-.: ]?([0-9a-fA-F]{4})")


class KeyFault(StrEnum):
    """What is wrong with a key; the first nine are findscu's, the others ours alone."""

    EMPTY_PATH = "empty path"
    WILDCARD = "wildcard in path"
    UNKNOWN_TAG = "unknown tag"
    UNCLOSED_TAG = "unclosed tag"
    BAD_ITEM_NUMBER = "bad item number"
    NEGATIVE_ITEM_NUMBER = "negative item number"
    NOT_A_SEQUENCE = "not a sequence"
    VALUE_FOR_SEQUENCE = "value for sequence"
    BAD_VALUE = "bad value"
    FOREIGN_GROUP = "foreign group"
    TOO_LARGE = "too large"
    NO_CHARACTER = "no character"


class BadKey(InvalidRequest):
    """A key that cannot be used.

    Args:
        reason: what is wrong, for programs.
        rest: what is left of the path where the trouble begins.
    """

    def __init__(self, text: str, hint: str, *, reason: KeyFault, rest: str) -> None:
        super().__init__(text, hint)
        self.reason = reason
        self.rest = rest


class Step(NamedTuple):
    """One tag of a path, and the number of the item of it that is meant; None where none is."""

    tag: int
    item: int | None


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Args:
        text: as typed.
        path: from the outside in. Every step but the last has an item number; the last has one
            where the path ends in an item.
        value: what stands behind the first `=`; empty where there is none.
    """

    text: str
    path: tuple[Step, ...]
    value: str

    @property
    def tags(self) -> tuple[int, ...]:
        """The path without the item numbers."""
        return tuple(step.tag for step in self.path)


def parse_key(text: str) -> Key:
    """Parse a key, `gggg,eeee=value`, `Keyword=value` or `Sequence[0].Keyword=value`.

    Raises:
        BadKey: the path cannot be read, or names what is no part of a query.
    """
    left, value = split_key(text)
    key = Key(text, parse_path(left), value)
    for tag in key.tags:
        foreign = _NO_GROUPS.get(tag >> 16)
        if foreign is not None:
            found = f"group {tag >> 16:04x} is for {foreign} and no part of a query"
            raise _bad(left, KeyFault.FOREIGN_GROUP, found, "Leave this key out.")
    if len(key.path) > _MAX_DEPTH:
        found = f"more than {_MAX_DEPTH} sequences within each other"
        raise _bad(left, KeyFault.TOO_LARGE, found, "Shorten the path.")
    if any(step.item is not None and step.item >= _MAX_ITEMS for step in key.path):
        found = f"item numbers go up to {_MAX_ITEMS - 1}"
        raise _bad(left, KeyFault.TOO_LARGE, found, "The first item has number 0.")
    return key


def split_key(text: str) -> tuple[str, str]:
    """Cut a key at its first `=` into path and value; the value may be empty."""
    path, _, value = text.partition("=")
    return path, value


def parse_path(path: str) -> tuple[Step, ...]:
    """Parse the path of a key in all that findscu accepts.

    Raises:
        BadKey: it cannot be read, or goes on behind a tag that is known to be no sequence.
    """
    if not path:
        hint = "Write a keyword or tag before the =, such as PatientID=42."
        raise _bad(path, KeyFault.EMPTY_PATH, "no tag before the =", hint)
    if "*" in path:
        raise _bad(
            path,
            KeyFault.WILDCARD,
            "the wildcard * stands in the path",
            "Wildcards belong behind the =; items are numbered, the first is [0].",
        )
    steps = []
    rest = path
    while rest:
        tag, rest = _take_tag(path, rest)
        number = None
        if rest:
            # Of what the dictionary does not know the query file may know that it is a sequence.
            if vr_of(tag) not in ("SQ", "UN"):
                raise _no_sequence(path, tag, rest)
            number, rest = _take_number(path, rest)
        steps.append(Step(tag, number))
    return tuple(steps)


def _take_tag(path: str, rest: str) -> tuple[int, str]:
    """Return the tag that `rest` begins with, and what follows."""
    if rest.startswith("("):
        text, closed, after = rest[1:].partition(")")
        if not closed:
            hint = "Write (gggg,eeee) or a keyword."
            raise _bad(path, KeyFault.UNCLOSED_TAG, "( without )", hint, rest)
    else:
        text, bracket, after = rest.partition("[")
        after = bracket + after
    numbers = _TAG.match(text)
    if numbers is not None:
        group, number = (int(digits, 16) & 0xFFFF for digits in numbers.groups())
        return group << 16 | number, after
    tag = tag_of(text)
    if tag is None:
        found = "neither a DICOM keyword nor a tag"
        if text != path:
            found = f"'{safe(text, _MAX_SHOWN)}' is {found}"
        raise _bad(path, KeyFault.UNKNOWN_TAG, found, _advice(text), rest)
    return tag, after


def _advice(text: str) -> str:
    """What may have been meant by a text that is no tag."""
    bare = _BARE_TAG.fullmatch(text)
    if bare is not None:
        return f"Did you mean {bare[1]},{bare[2]}?"
    sequence, dot, inner = text.partition(".")
    if dot and (tag := tag_of(sequence)) is not None and vr_of(tag) == "SQ":
        return f"Did you mean {sequence}[0].{safe(inner, _MAX_SHOWN)}?"
    near = suggestions(text)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    if is_replaced() and standard_tag(text) is not None:
        return "The files in DCMDICTPATH stand for the whole dictionary, and do not have it."
    return "Write a keyword of PS3.6, such as PatientName, or a tag as gggg,eeee."


def _take_number(path: str, rest: str) -> tuple[int, str]:
    """Return the item number that `rest` begins with, and what follows the dot behind it."""
    match = _NUMBER.match(rest)
    if match is None:
        found = "an item number is missing" if rest[0] != "[" else "the item number is none"
        hint = "Items are numbered from 0: Sequence[0].Keyword."
        raise _bad(path, KeyFault.BAD_ITEM_NUMBER, found, hint, rest)
    sign, digits = match.groups()
    number = int(digits) if len(digits) <= 9 else 10**9
    if sign == "-" and number:
        hint = "The first item has number 0."
        raise _bad(path, KeyFault.NEGATIVE_ITEM_NUMBER, "a negative item number", hint, rest)
    return number, rest[match.end() + 1 :]


def _no_sequence(path: str, tag: int, rest: str = "") -> BadKey:
    found = f"the path goes on behind {_name(tag)}, which is no sequence"
    return _bad(path, KeyFault.NOT_A_SEQUENCE, found, "Only sequences have items.", rest)


def _name(tag: int) -> str:
    return keyword_of(tag) or f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def _bad(path: str, reason: KeyFault, found: str, hint: str, rest: str = "") -> BadKey:
    return BadKey(f"key '{safe(path, _MAX_SHOWN)}': {found}", hint, reason=reason, rest=rest)


def apply_key(item: Item, key: Key, charsets: tuple[str, ...]) -> None:
    """Insert or replace one key in `item`; sequences and items on its path are made.

    An element keeps the VR it has. Else the VR is the dictionary's; that of a private tag depends
    on the creator, which has to be there before. A sequence that is there is left as it is.

    Args:
        charsets: what governs text in `item`, unless an item on the path has its own.

    Raises:
        BadKey: the value does not fit the VR, or the path something that is no sequence. `item`
            may have new items by then.
    """
    for tag, number in key.path:
        old = item.elements.get(tag)
        vr = _new_vr(item, tag) if old is None else old.vr
        if number is None:
            _put(item, tag, vr, key, charsets)
            return
        items: list[Item] = []
        if old is not None and isinstance(old.value, list):
            items = old.value
        elif old is None and vr == "SQ":
            item.elements[tag] = Element(tag, "SQ", items, 0)
        else:
            raise _no_sequence(split_key(key.text)[0], tag)
        items.extend([Item() for _ in range(len(items), number + 1)])
        item = items[number]
        charsets = _charsets_in(item, charsets)
    if key.value:
        raise _value_for_sequence(key)


def _new_vr(item: Item, tag: int) -> str:
    """The VR of an element that `item` does not have yet."""
    if tag >> 16 & 1 and tag & 0xFFFF > 0xFF:
        creator = item.elements.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
        if creator is not None and isinstance(creator.value, bytes):
            return vr_of(tag, creator.value.decode("latin_1").strip(" \0"))
    return vr_of(tag)


def _put(item: Item, tag: int, vr: str, key: Key, charsets: tuple[str, ...]) -> None:
    if vr == "SQ":
        if key.value:
            raise _value_for_sequence(key)
        item.elements.setdefault(tag, Element(tag, "SQ", [], 0))
        return
    try:
        value = encode_value(vr, key.value, charsets)
    except InvalidRequest as exc:
        raise _bad_value(key, KeyFault.NO_CHARACTER, exc.text, exc.hint) from None
    except ValueError as exc:
        found = f"'{safe(key.value, _MAX_SHOWN)}' is no value of {_name(tag)}, VR {vr}"
        hint = str(exc)
        if vr == "UN" and tag >> 16 & 1:
            hint = f"Name the private creator in a key before this one, else: {hint}"
        raise _bad_value(key, KeyFault.BAD_VALUE, found, hint) from None
    item.elements[tag] = Element(tag, vr, value, len(value))


def _value_for_sequence(key: Key) -> BadKey:
    found = "a sequence or item cannot have a value"
    hint = "Name what is in its item: Sequence[0].Keyword=value."
    return _bad_value(key, KeyFault.VALUE_FOR_SEQUENCE, found, hint)


def _bad_value(key: Key, reason: KeyFault, found: str, hint: str) -> BadKey:
    return _bad(split_key(key.text)[0], reason, found, hint)


def build_identifier(base: Item | None, keys: Sequence[str], charset: str | None = None) -> Item:
    """Apply keys, in their order, to a copy of `base`; the last of equal ones wins.

    (0008,0005) of the last such key, wherever it stands, else of `base`, says how text is
    encoded; text of `base` that was encoded otherwise is encoded anew. Where there is none and a
    key has other characters than ASCII, (0008,0005) becomes `charset`.

    Args:
        keys: as typed; empty ones are ignored.
        charset: value of (0008,0005) for a query that needs one; ISO_IR 192 when None.

    Raises:
        InvalidRequest: a bad key (`BadKey`), or text that its character set cannot hold.
    """
    item = Item() if base is None else _copy(base)
    parsed = [parse_key(text) for text in keys if text]
    others = [key for key in parsed if key.path[-1].tag != _CHARSET]
    for key in parsed:
        if key.path[-1].tag == _CHARSET:
            apply_key(item, key, ())
    if not charsets_of(item) and not all(key.value.isascii() for key in others):
        value = encode_value("CS", charset or _UTF8, ())
        item.elements[_CHARSET] = Element(_CHARSET, "CS", value, len(value))
    if base is not None:
        _recode(base, item)
    charsets = charsets_of(item)
    for key in others:
        apply_key(item, key, charsets)
    return item


def _copy(item: Item) -> Item:
    copy = Item(length=item.length)
    for tag, element in item.elements.items():
        value = element.value
        if isinstance(value, list):
            element = element._replace(value=[_copy(inner) for inner in value])
        copy.elements[tag] = element
    return copy


def _charsets_in(item: Item, outer: tuple[str, ...]) -> tuple[str, ...]:
    """What governs the text of an item: its own character set, else its parent's."""
    return charsets_of(item) if _CHARSET in item.elements else outer


def _recode(before: Item, item: Item) -> None:
    """Encode text of `before`, of which `item` is a copy, anew where its character set changed."""
    work: list[tuple[Item, Item, tuple[str, ...], tuple[str, ...]]] = [(before, item, (), ())]
    while work:
        before, item, old, new = work.pop()
        old, new = _charsets_in(before, old), _charsets_in(item, new)
        for tag, element in before.elements.items():
            value, copied = element.value, item.elements[tag].value
            if isinstance(value, list) and isinstance(copied, list):
                # keys may have added items to the copy
                work += [(*pair, old, new) for pair in zip(value, copied, strict=False)]
            elif isinstance(value, bytes) and old != new and element.vr in TEXT_VRS:
                item.elements[tag] = _recoded(element, value, old, new)


def _recoded(element: Element, value: bytes, old: tuple[str, ...], new: tuple[str, ...]) -> Element:
    if value.isascii() and _ESC not in value:
        return element
    text, sure = decode_text(value, old, element.vr)
    if not sure:
        # A key that names the set of a file that names none is right about the bytes.
        if not old and decode_text(value, new, element.vr)[1]:
            return element
        raise InvalidRequest(
            f"the query file's {_name(element.tag)} has characters of an unknown set",
            "Name the set that the file is in: -k SpecificCharacterSet=ISO_IR 100.",
        )
    value = encode_value(element.vr, text.rstrip(" \0"), new)
    return element._replace(value=value, length=len(value))
