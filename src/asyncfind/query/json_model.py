"""The DICOM JSON Model (PS3.18 Annex F): items to JSON objects and, for query files, back."""

import base64
import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.query.charset import charsets_of, decode_text, encode_text
from asyncfind.query.dictionary import keyword_of, tag_of, vr_of
from asyncfind.query.element import LONG_VRS, TEXT_VRS, Element, Item
from asyncfind.query.syntax import SHORT_VRS
from asyncfind.query.values import (
    BINARY_VRS,
    NUMBER_VRS,
    split_values,
    unpack_numbers,
    unpack_tags,
)
from asyncfind.query.writer import pad_value
from asyncfind.safe import safe

__all__ = ["item_from_json", "item_to_json"]

_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_UTF8: Final = ("ISO_IR 192",)
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_VRS: Final = LONG_VRS | SHORT_VRS
_MAX_NUMBER: Final = 64
_MAX_DEPTH: Final = 64
_MAX_DS: Final = 16
_MAX_SHOWN: Final = 64
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_HEX_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")


def item_to_json(item: Item) -> dict[str, object]:
    """Return the DICOM JSON Model object of a data set (PS3.18 Section F.2).

    Elements are in tag order, group lengths left out. Text is decoded and its padding stripped;
    (0008,0005), where present, says ISO_IR 192, as JSON is UTF-8; there are no lone surrogates.
    DS and IS are numbers where they are finite numbers, else the text they have. NaN and
    infinities of FL and FD are null. A binary number of a wrong size becomes UN, bytes and all.
    """
    top: dict[str, object] = {}
    work = [(item, top, charsets_of(item))]
    while work:
        current, target, charsets = work.pop()
        elements = current.elements
        for tag in sorted(elements):
            _, vr, value, _ = elements[tag]
            if isinstance(value, list):
                objects: list[dict[str, object]] = []
                for inner in value:
                    inner_object: dict[str, object] = {}
                    objects.append(inner_object)
                    # "... the Specific Character Set of the item", else its parent's (PS3.5 7.5.3)
                    own = _SPECIFIC_CHARACTER_SET in inner.elements
                    work.append((inner, inner_object, charsets_of(inner) if own else charsets))
                target[f"{tag:08X}"] = {"vr": "SQ", "Value": objects} if objects else {"vr": "SQ"}
            elif tag == _SPECIFIC_CHARACTER_SET:
                target["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
            elif tag & 0xFFFF:
                target[f"{tag:08X}"] = _leaf_to_json(vr, value, charsets)
    return top


def _leaf_to_json(vr: str, value: bytes, charsets: tuple[str, ...]) -> dict[str, object]:
    if not value:
        return {"vr": vr if vr in _VRS else "UN"}
    convert = _TO_JSON.get(vr)
    if convert is None:
        if vr in BINARY_VRS or vr not in _VRS or vr == "SQ":
            return _binary(vr if vr in BINARY_VRS else "UN", value)
        texts = split_values(decode_text(value, charsets, vr)[0], vr)
        if len(texts) == 1:
            return {"vr": vr, "Value": texts}
        values: list[object] = [text or None for text in texts]
    else:
        converted = convert(vr, value, charsets)
        if converted is None:
            return _binary("UN", value)
        values = converted
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _binary(vr: str, value: bytes) -> dict[str, object]:
    return {"vr": vr, "InlineBinary": base64.b64encode(value).decode("ascii")}


def _names_to_json(vr: str, value: bytes, charsets: tuple[str, ...]) -> list[object]:
    """Person names as objects of up to three component groups (PS3.18 Section F.2.2)."""
    values: list[object] = []
    for text in split_values(decode_text(value, charsets, vr)[0], vr):
        if "=" in text:
            groups = [group.rstrip(" ") for group in text.split("=", 2)]
            name = {key: group for key, group in zip(_GROUPS, groups, strict=False) if group}
            values.append(name or None)
        else:
            values.append({"Alphabetic": text} if text else None)
    return values


def _number_strings_to_json(vr: str, value: bytes, charsets: tuple[str, ...]) -> list[object]:
    number = _integer if vr == "IS" else _decimal
    return [number(text) for text in split_values(decode_text(value, charsets, vr)[0], vr)]


def _integer(text: str) -> object:
    if len(text) <= _MAX_NUMBER and _INTEGER.fullmatch(text):
        return int(text)
    return text or None


def _decimal(text: str) -> object:
    # Whole numbers stay whole: a float would not hold all of 16 digits.
    if len(text) <= _MAX_NUMBER and _DECIMAL.fullmatch(text):
        if _INTEGER.fullmatch(text):
            return int(text)
        number = float(text)
        if math.isfinite(number):
            return number
    return text or None


def _numbers_to_json(vr: str, value: bytes, charsets: tuple[str, ...]) -> list[object] | None:
    numbers = unpack_numbers(vr, value)
    if numbers is None:
        return None
    if vr in ("FD", "FL"):
        return [number if math.isfinite(number) else None for number in numbers]
    return list(numbers)


def _tags_to_json(vr: str, value: bytes, charsets: tuple[str, ...]) -> list[object] | None:
    tags = unpack_tags(value)
    return None if tags is None else [f"{tag:08X}" for tag in tags]


_ToJson = Callable[[str, bytes, tuple[str, ...]], list[object] | None]
_TO_JSON: Final[Mapping[str, _ToJson]] = {
    "PN": _names_to_json,
    "DS": _number_strings_to_json,
    "IS": _number_strings_to_json,
    "AT": _tags_to_json,
    **dict.fromkeys(NUMBER_VRS, _numbers_to_json),
}
"""How values become JSON where they are neither plain text nor binary; None: not of this VR."""


@dataclass(slots=True)
class _Open:
    """A JSON object still to be read into `item`.

    Args:
        path: of the sequence item, for errors; empty for the query itself.
        charsets: what governs its text.
    """

    members: Mapping[object, object]
    item: Item
    path: str
    depth: int
    charsets: tuple[str, ...]


@dataclass(slots=True)
class _Attribute:
    """One attribute of a JSON object, its name and VR understood."""

    tag: int
    vr: str
    members: Mapping[object, object]
    path: str

    def error(self, found: str, hint: str = "") -> InvalidRequest:
        return InvalidRequest(f"DICOM JSON query: {self.path}: {found}", hint)


def item_from_json(obj: object) -> Item:
    """Return the data set that a DICOM JSON Model object describes (PS3.18 Section F.2).

    Attributes may be named by tag or by keyword, and need no `vr` where the dictionary knows it.
    Text goes into the character set that (0008,0005) names; where that is missing and there is
    other text than ASCII, (0008,0005) is added as ISO_IR 192.

    Args:
        obj: what `json.loads` gave: one object, or a list of one.

    Raises:
        InvalidRequest: what is wrong and where, as a path of keywords.
    """
    if isinstance(obj, list) and len(obj) == 1:
        obj = obj[0]
    if not isinstance(obj, dict):
        raise InvalidRequest(
            "DICOM JSON query: one object is expected, or a list of one",
            'For example {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE*"}]}}.',
        )
    top = Item()
    beyond_ascii = False
    work = [_Open(obj, top, "", 0, _UTF8)]
    while work:
        current = work.pop()
        elements = current.item.elements
        attributes = _attributes(current)
        # first what governs the text of the others
        attributes.sort(key=lambda attribute: attribute.tag != _SPECIFIC_CHARACTER_SET)
        for attribute in attributes:
            if attribute.vr == "SQ":
                elements[attribute.tag] = _sequence_from_json(attribute, current, work)
                continue
            value = pad_value(attribute.vr, _leaf_from_json(attribute, current.charsets))
            elements[attribute.tag] = Element(attribute.tag, attribute.vr, value, len(value))
            if attribute.tag == _SPECIFIC_CHARACTER_SET:
                current.charsets = charsets_of(current.item)
            elif attribute.vr in TEXT_VRS and not value.isascii():
                beyond_ascii = True
    if beyond_ascii and _SPECIFIC_CHARACTER_SET not in top.elements:
        utf8 = Element(_SPECIFIC_CHARACTER_SET, "CS", b"ISO_IR 192", 10)
        top.elements[_SPECIFIC_CHARACTER_SET] = utf8
    return top


def _attributes(current: _Open) -> list[_Attribute]:
    """Understand the names and VRs of an object's members."""
    attributes: dict[int, _Attribute] = {}
    for name, members in current.members.items():
        label = safe(str(name), _MAX_SHOWN)
        tag = _tag(str(name))
        if tag is None:
            raise InvalidRequest(
                f"DICOM JSON query: {current.path}{label}: neither a tag nor a keyword",
                "Tags have 8 hexadecimal digits: 00100010.",
            )
        path = current.path + (keyword_of(tag) or f"({tag >> 16:04x},{tag & 0xFFFF:04x})")
        attribute = _Attribute(tag, "", {}, path)
        if not isinstance(members, dict):
            raise attribute.error('an object is expected, such as {"vr": "PN"}')
        if tag in attributes:
            raise attribute.error("given twice")
        vr = members.get("vr", vr_of(tag))
        if not isinstance(vr, str) or vr not in _VRS:
            raise attribute.error(f"{_shown(vr)} is no VR")
        attribute.vr, attribute.members = vr, members
        attributes[tag] = attribute
    return list(attributes.values())


def _tag(name: str) -> int | None:
    return int(name, 16) if _HEX_TAG.fullmatch(name) else tag_of(name)


def _values(attribute: _Attribute) -> list[object]:
    """Return the list of `Value`; empty where there is none."""
    for other in ("BulkDataURI", "InlineBinary"):
        if other in attribute.members:
            raise attribute.error(f"{other} where VR {attribute.vr} needs Value")
    values = attribute.members.get("Value", [])
    if not isinstance(values, list):
        raise attribute.error("Value must be a list")
    return values


def _sequence_from_json(attribute: _Attribute, parent: _Open, work: list[_Open]) -> Element:
    """Return a sequence of items that `work` still has to fill."""
    if parent.depth == _MAX_DEPTH:
        raise attribute.error(f"more than {_MAX_DEPTH} sequences within each other")
    items: list[Item] = []
    for index, members in enumerate(_values(attribute)):
        if members is None:  # an empty item (PS3.18 Section F.2.5)
            members = {}
        if not isinstance(members, dict):
            raise attribute.error("the values of a sequence are objects")
        item = Item()
        items.append(item)
        path = f"{attribute.path}[{index}]."
        work.append(_Open(members, item, path, parent.depth + 1, parent.charsets))
    return Element(attribute.tag, "SQ", items, 0)


def _leaf_from_json(attribute: _Attribute, charsets: tuple[str, ...]) -> bytes:
    vr = attribute.vr
    if vr in BINARY_VRS:
        return _binary_from_json(attribute)
    values = _values(attribute)
    try:
        if vr in NUMBER_VRS:
            return b"".join([_pack_number(vr, value) for value in values])
        if vr == "AT":
            return b"".join([_pack_tag(value) for value in values])
        if vr == "PN":
            texts = [_name_text(value) for value in values]
        elif vr in ("DS", "IS"):
            texts = [_number_text(vr, value) for value in values]
        else:
            texts = [_plain_text(value) for value in values]
    except ValueError as exc:
        raise attribute.error(str(exc)) from None
    try:
        return encode_text("\\".join(texts), charsets, vr)
    except InvalidRequest as exc:
        raise attribute.error(exc.text, exc.hint) from None


def _binary_from_json(attribute: _Attribute) -> bytes:
    members = attribute.members
    if "BulkDataURI" in members:
        raise attribute.error("BulkDataURI is not fetched", "Use InlineBinary.")
    if members.get("Value"):
        raise attribute.error(f"Value where VR {attribute.vr} needs InlineBinary")
    text = members.get("InlineBinary", "")
    if isinstance(text, list) and len(text) == 1:  # as the example of PS3.18 Section F.4 has it
        text = text[0]
    try:
        if not isinstance(text, str):
            raise ValueError
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise attribute.error("InlineBinary must be base64 text") from None


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f"'{safe(value[:_MAX_SHOWN])}'"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and value.bit_length() > _MAX_NUMBER:
        return "a huge number"
    return "null" if value is None else str(value).lower()


def _pack_number(vr: str, value: object) -> bytes:
    code = NUMBER_VRS[vr]
    try:
        if vr in ("FD", "FL"):
            if isinstance(value, int | float) and not isinstance(value, bool):
                return struct.pack(f"<{code}", value)
        else:
            # 64-bit numbers may be strings (PS3.18 Table F.2.3-1)
            if isinstance(value, str) and len(value) <= _MAX_NUMBER and _INTEGER.fullmatch(value):
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool):
                return struct.pack(f"<{code}", value)
    except (struct.error, OverflowError):
        pass
    raise ValueError(f"{_shown(value)} is no number of VR {vr}")


def _pack_tag(value: object) -> bytes:
    if isinstance(value, str) and _HEX_TAG.fullmatch(value):
        tag = int(value, 16)
        return struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    raise ValueError(f"{_shown(value)} is no tag of 8 hexadecimal digits")


def _name_text(value: object) -> str:
    """Return the component groups of a person name joined by `=`."""
    if isinstance(value, dict):
        if not set(value) <= set(_GROUPS):
            raise ValueError("a person name has Alphabetic, Ideographic and Phonetic alone")
        return "=".join([_plain_text(value.get(group)) for group in _GROUPS]).rstrip("=")
    return _plain_text(value)


def _number_text(vr: str, value: object) -> str:
    """Return a number of DS or IS as its text (PS3.5 Section 6.2)."""
    if isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is no number of VR {vr}")
    if vr == "IS" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        # beyond the 16 characters of DS, and so beyond the 4300 digits that `str` refuses
        if abs(value) >= 10**_MAX_DS:
            raise ValueError(f"a number too large for VR {vr}")
        return str(value)
    if vr == "DS" and isinstance(value, float) and math.isfinite(value):
        text = repr(value)
        digits = _MAX_DS
        while len(text) > _MAX_DS:
            text = format(value, f".{digits}g")
            digits -= 1
        return text
    return _plain_text(value)


def _plain_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise ValueError(f"{_shown(value)} where text is expected")
