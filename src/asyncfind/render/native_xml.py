"""The Native DICOM Model (PS3.19 Section A.1): data sets as XML, well-formed for any bytes."""

import base64
import re
from collections.abc import Iterator
from typing import Final

from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import LONG_VRS, Item
from asyncfind.query.syntax import SHORT_VRS
from asyncfind.query.values import (
    BINARY_VRS,
    NUMBER_VRS,
    format_double,
    format_single,
    split_values,
    unpack_numbers,
    unpack_tags,
)
from asyncfind.render.json_text import UNSAFE

__all__ = ["NAMESPACE", "escape", "native_model"]

NAMESPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"

_CHARACTER_SET: Final = 0x00080005
_VRS: Final = LONG_VRS | SHORT_VRS
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_PARTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_MARKUP: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_ESCAPED: Final = re.compile('[&<>"\x00-\x1f]|' + UNSAFE)
# XML 1.0 Section 2.2: #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Text for an element or attribute: what XML 1.0 has not is U+FFFD, what could act a reference.

    References to white space keep it as it is where parsers would normalise it.
    """
    return _ESCAPED.sub(_escape, _NO_XML.sub("\ufffd", text))


def _escape(found: "re.Match[str]") -> str:
    return _MARKUP.get(found[0]) or f"&#x{ord(found[0]):X};"


def native_model(item: Item) -> str:
    """The element `NativeDicomModel` of a data set, on one line.

    Elements are in tag order, group lengths left out. Text is decoded and its padding stripped;
    (0008,0005), where present, says ISO_IR 192. A binary number of a wrong size becomes UN.
    """
    inner = "".join(_attributes(item, charsets_of(item)))
    return f'<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">{inner}</NativeDicomModel>'


def _attributes(item: Item, charsets: tuple[str, ...]) -> Iterator[str]:
    # The reader bounds how deep items are within each other.
    for tag in sorted(item.elements):
        _, vr, value, _ = item.elements[tag]
        if not tag & 0xFFFF:
            continue
        if isinstance(value, list):
            vr, inner = "SQ", "".join(_items(value, charsets))
        elif tag == _CHARACTER_SET:
            inner = _value(1, "ISO_IR 192")
        else:
            vr, inner = _leaf(vr, value, charsets)
        keyword, creator = keyword_of(tag), _creator_of(item, tag)
        names = f' keyword="{escape(keyword)}"' if keyword and not creator else ""
        if creator:
            # "The Tag value: ... xx for private blocks" is Table A.1.5-2's `00091001` as gggg00ee.
            tag &= 0xFFFF00FF
            names = f' privateCreator="{escape(creator)}"'
        yield f'<DicomAttribute tag="{tag:08X}" vr="{vr}"{names}>{inner}</DicomAttribute>'


def _items(items: list[Item], charsets: tuple[str, ...]) -> Iterator[str]:
    for number, inner in enumerate(items, 1):
        # "... the Specific Character Set of the item", else its parent's (PS3.5 Section 7.5.3)
        own = charsets_of(inner) if _CHARACTER_SET in inner.elements else charsets
        yield f'<Item number="{number}">{"".join(_attributes(inner, own))}</Item>'


def _leaf(vr: str, value: bytes, charsets: tuple[str, ...]) -> tuple[str, str]:
    """The VR that a leaf has here, and its content."""
    known = vr if vr in _VRS and vr != "SQ" else "UN"
    if not value:
        return known, ""
    if vr == "PN":
        return vr, "".join(_names(split_values(decode_text(value, charsets, vr)[0], vr)))
    texts = _texts(known, value, charsets)
    if texts is None:
        kind = known if known in BINARY_VRS else "UN"
        return kind, f"<InlineBinary>{base64.b64encode(value).decode('ascii')}</InlineBinary>"
    return known, "".join(_value(number, text) for number, text in enumerate(texts, 1) if text)


def _texts(vr: str, value: bytes, charsets: tuple[str, ...]) -> list[str] | None:
    """Values as text; None where they are bytes."""
    if vr in BINARY_VRS:
        return None
    if vr == "AT":
        tags = unpack_tags(value)
        return None if tags is None else [f"{tag:08X}" for tag in tags]
    if vr in NUMBER_VRS:
        numbers = unpack_numbers(vr, value)
        if numbers is None:
            return None
        if vr == "FL":
            return [format_single(number) for number in numbers]
        return [format_double(number) if vr == "FD" else str(number) for number in numbers]
    return split_values(decode_text(value, charsets, vr)[0], vr)


def _value(number: int, text: str) -> str:
    return f'<Value number="{number}">{escape(text)}</Value>'


def _names(names: list[str]) -> Iterator[str]:
    """Person names by component group and component (PS3.5 Section 6.2.1)."""
    for number, name in enumerate(names, 1):
        groups = [
            f"<{title}>{parts}</{title}>"
            for title, group in zip(_GROUPS, name.split("=", 2), strict=False)
            if (parts := "".join(_components(group)))
        ]
        if groups:
            yield f'<PersonName number="{number}">{"".join(groups)}</PersonName>'


def _components(group: str) -> Iterator[str]:
    for title, part in zip(_PARTS, group.split("^", 4), strict=False):
        if text := part.strip(" "):
            yield f"<{title}>{escape(text)}</{title}>"


def _creator_of(item: Item, tag: int) -> str:
    """Who reserved the block of a private tag in `item` (PS3.5 Section 7.8.1)."""
    if not tag >> 16 & 1 or tag & 0xFFFF < 0x1000:
        return ""
    creator = item.elements.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
    if creator is None or not isinstance(creator.value, bytes):
        return ""
    return decode_text(creator.value, charsets_of(item), "LO")[0].strip(" \0")
