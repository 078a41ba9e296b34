r"""Keys as findscu applies them to the data set of a query: after the association is open.

The path is parsed and followed in one go, so that what is wrong with its end has already changed
what its beginning names. Text is bytes, one character each.
"""

import re
from typing import Final, Protocol

from asyncfind.findscu.conditions import DCMDATA, ILLEGAL_PARAMETER, Bad, Condition
from asyncfind.findscu.dump import creator_in
from asyncfind.findscu.values import scan_value
from asyncfind.findscu.voice import Voice
from asyncfind.findscu.vrs import STRINGS
from asyncfind.query.element import Element, Item

__all__ = ["Dictionary", "apply_key"]

_TAG: Final = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+),"
    r"[ \t\n\v\f\r]*([+-]?)(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)"
)
_ITEM: Final = re.compile(r"\[[ \t\n\v\f\r]*([+-]?[0-9]+)")
_MAX_ITEMS: Final = 1_000_000
_OVERLAY_DATA: Final = 0x60003000


class Dictionary(Protocol):
    """What keys need of the data dictionary."""

    def tag_of(self, name: str) -> int | None:
        """The tag of a name, exact in every letter."""

    def vr_of(self, tag: int, creator: str = "") -> str:
        """The VR in DCMTK's terms; `??` where it is unknown."""

    def uid_of_name(self, name: str) -> str | None:
        """The UID that has a name; None where none has."""


def apply_key(item: Item, key: str, dictionary: Dictionary, data: Voice) -> None:
    """Set one key in `item`.

    Args:
        data: the logger of DCMTK's data module.
        key: a path and, behind the first `=`, a value.

    Raises:
        Bad: the path cannot be followed, or takes no such value.
    """
    if not key:
        return
    path, _, value = key.partition("=")
    if not path:
        raise Bad(ILLEGAL_PARAMETER)
    if "*" in path:
        raise _bad("Item wildcard '*' found in path but wildcards disabled")
    _Applier(dictionary, value, data).in_item(item, path)


class _Applier:
    def __init__(self, dictionary: Dictionary, value: str, data: Voice) -> None:
        self._dictionary = dictionary
        self._data = data
        self._value = value

    def in_item(self, item: Item, path: str) -> None:
        while True:
            tag, rest = self._take_tag(path)
            vr = self._dictionary.vr_of(tag, creator_in(item, tag))
            element = item.elements.get(tag)
            if element is None:
                empty: bytes | list[Item] = [] if vr == "SQ" else b""
                if vr == "px" or (vr == "ox" and tag & 0xFF00FFFF == _OVERLAY_DATA):
                    vr = "OW"  # an element that is made decides what the dictionary leaves open
                element = item.elements[tag] = Element(tag, vr, empty, 0)
            if vr != "SQ" or not isinstance(element.value, list):
                if rest:
                    raise _bad("Invalid Path: Non-sequence tag found with rest path following")
                self._put(item, element)
                return
            if not rest:
                self._refuse_value()
                return
            number, path = _take_number(rest)
            items = element.value
            if number >= _MAX_ITEMS:
                raise Bad(Condition(0, 2, "Virtual Memory exhausted"))
            items.extend([Item() for _ in range(len(items), number + 1)])
            item = items[number]
            if not path:
                self._refuse_value()
                return

    def _take_tag(self, path: str) -> tuple[int, str]:
        if path.startswith("("):
            text, closed, rest = path[1:].partition(")")
            if not closed:
                raise _bad(f"Unable to parse tag at beginning of path: {path}")
        else:
            text, bracket, rest = path.partition("[")
            rest = bracket + rest
        match = _TAG.match(text)
        if match is not None:
            group, number = (
                (-int(digits, 16) if sign == "-" else int(digits, 16)) & 0xFFFF
                for sign, digits in (match.group(1, 2), match.group(3, 4))
            )
            return group << 16 | number, rest
        tag = self._dictionary.tag_of(text) if text else None
        if tag is None:
            raise _bad(f"Unable to parse tag/dictionary name at beginning of path: {path}")
        return tag, rest

    def _put(self, item: Item, element: Element) -> None:
        if isinstance(element.value, list):
            self._refuse_value()
            return
        value = self._value
        if element.vr == "UI" and value.startswith("="):
            uid = self._dictionary.uid_of_name(value[1:])
            if uid is None:
                self._data.debug(
                    f"DcmUniqueIdentifier::putString() cannot map UID name '{value[1:]}' to UID "
                    "value"
                )
                text = "Unknown UID name: No mapping to UID value defined"
                raise Bad(Condition(DCMDATA, 60, text))
            value = uid
        data = scan_value(element.vr, value)
        length = len(data) + len(data) % 2 if element.vr in STRINGS else len(data)
        item.elements[element.tag] = element._replace(value=data, length=length)

    def _refuse_value(self) -> None:
        if self._value:
            raise _bad("Cannot insert value into path ending with item or sequence")


def _take_number(path: str) -> tuple[int, str]:
    """The item number that `path` begins with, and what follows it and its dot."""
    closing = path.find("]")
    match = _ITEM.match(path)
    if closing < 0 or match is None:
        raise _bad(f"Unable to parse item number at beginning of path: {path}")
    number = int(match[1][:64])
    if number < 0:
        raise _bad(f"Negative item number (not permitted) at beginning of path: {path}")
    return number & 0xFFFFFFFF, path[closing + 2 :]


def _bad(text: str) -> Bad:
    return Bad(Condition(DCMDATA, 25, text))
