"""Data sets in DCMTK's own XML, byte for byte as findscu 3.6.7 writes it (-Xx, -Xs).

The bytes of values are copied unless a data set is converted to UTF-8 before. DCMTK takes no heed
of what XML forbids: without a character set that XML knows by name, and with control characters in
values, its documents are not well-formed. `readable_document` and `strict` are for those who want
XML that can be read in any case.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Final, Protocol, TypeAlias

from asyncfind.query.dcmtk_numbers import (
    format_float32,
    format_float64,
    format_other_float32,
    format_other_float64,
)
from asyncfind.query.dcmtk_utf8 import STRING_VRS, readable_utf8, to_utf8
from asyncfind.query.element import TEXT_VRS, Element, Item
from asyncfind.query.part10 import valid_vr
from asyncfind.query.syntax import WORD_SIZES, TransferSyntax
from asyncfind.query.writer import pad_value

__all__ = [
    "CLOSING",
    "OPENING",
    "Names",
    "data_set_utf8",
    "data_set_xml",
    "readable_data_set",
    "readable_document",
    "xml_document",
]

OPENING: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n<responses type="C-FIND">\n'
"""The beginning of the document with all responses."""

CLOSING: Final = b"</responses>\n"
"""Its end."""

_UNDEFINED: Final = 0xFFFFFFFF
_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_ENCODINGS: Final[Mapping[str, str]] = {
    "ISO_IR 6": "UTF-8", "ISO_IR 192": "UTF-8", "ISO_IR 100": "ISO-8859-1",
    "ISO_IR 101": "ISO-8859-2", "ISO_IR 109": "ISO-8859-3", "ISO_IR 110": "ISO-8859-4",
    "ISO_IR 144": "ISO-8859-5", "ISO_IR 127": "ISO-8859-6", "ISO_IR 126": "ISO-8859-7",
    "ISO_IR 138": "ISO-8859-8", "ISO_IR 148": "ISO-8859-9",
}  # fmt: skip
"""Specific Character Set to what XML calls it."""

_HIDDEN_VRS: Final = frozenset(("OB", "OW", "UN"))
_SINGLE_VRS: Final = frozenset(("LT", "OB", "OD", "OF", "OL", "OV", "OW", "ST", "UN", "UR", "UT"))
"""VRs with one value whatever is in it."""
_STRIPPED: Final = frozenset(("AE", "CS", "IS", "LO", "SH"))
_STRIPPED_RIGHT: Final = frozenset(("DA", "DT", "LT", "PN", "ST", "TM", "UC", "UR", "UT"))
_INTEGERS: Final[Mapping[str, str]] = {
    "OL": "I", "OV": "Q", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q",
}  # fmt: skip
_FLOATS: Final = {
    "FD": format_float64,
    "FL": format_float32,
    "OD": format_other_float64,
    "OF": format_other_float32,
}

_MARKUP: Final[Mapping[int, bytes]] = {
    0x00: b"", 0x0A: b"&#10;", 0x0D: b"&#13;", 0x22: b"&quot;", 0x26: b"&amp;", 0x27: b"&apos;",
    0x3C: b"&lt;", 0x3E: b"&gt;",
}  # fmt: skip
_SPECIAL: Final = re.compile(rb"[\x00\n\r\"&'<>]")
_SPECIAL_OR_NOT_ASCII: Final = re.compile(rb"[\x00-\x1f\"&'<>\x7f-\xff]")
_NO_XML: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
_REPLACEMENT: Final = "\ufffd".encode()


class Names(Protocol):
    """What the data dictionary has to tell."""

    def name_of(self, tag: int, creator: str = "") -> str:
        """The name of an attribute, or what DCMTK calls unknown ones.

        Args:
            creator: who reserved the block of a private tag, bytes read as Latin-1.
        """


def xml_document(item: Item, syntax: TransferSyntax, names: Names) -> tuple[bytes, list[str]]:
    """A response as a document of its own (-Xx).

    Args:
        item: VRs may be DCMTK's own.
        syntax: what it was received in.

    Returns:
        The document, and what DCMTK's log warns of (text is bytes, as Latin-1).
    """
    encoding, quoting, warnings = _encoding_of(item)
    attribute = f' encoding="{encoding}"' if encoding else ""
    head = f'<?xml version="1.0"{attribute}?>\n'.encode("ascii")
    return head + data_set_xml(item, syntax, names, quote=quoting), warnings


def data_set_utf8(
    item: Item, syntax: TransferSyntax, names: Names
) -> tuple[bytes, tuple[str, ...]]:
    """A response as an element of the one document (-Xs), between `OPENING` and `CLOSING`.

    Returns:
        The element, and what DCMTK's log warns of.

    Raises:
        CannotConvert: its text cannot be converted to UTF-8; DCMTK leaves it out.
    """
    converted = to_utf8(item)
    return data_set_xml(converted.item, syntax, names), converted.warnings


def readable_document(item: Item, syntax: TransferSyntax, names: Names) -> bytes:
    """A response as a well-formed document in UTF-8, whatever is in it."""
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + readable_data_set(item, syntax, names)


def readable_data_set(item: Item, syntax: TransferSyntax, names: Names) -> bytes:
    """A response as an element in UTF-8, whatever is in it.

    As `data_set_utf8`, but text that does not fit its character set is guessed, and characters
    that XML 1.0 does not have become U+FFFD.
    """
    return data_set_xml(readable_utf8(item), syntax, names, strict=True)


def data_set_xml(
    item: Item, syntax: TransferSyntax, names: Names, *, quote: bool = False, strict: bool = False
) -> bytes:
    """A data set as an XML element, its values as they are.

    Args:
        item: VRs may be DCMTK's own.
        syntax: what it was received in.
        quote: write all but printable ASCII as references to characters, byte by byte.
        strict: values are UTF-8; write U+FFFD for what XML 1.0 does not have.
    """
    out = [f'<data-set xfer="{syntax.uid}" name="{syntax.name}">\n'.encode("ascii")]
    writer = _Writer(names, quote, strict)
    stack: list[_Steps] = [writer.elements(item)]
    while stack:
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
        elif isinstance(step, bytes):
            out.append(step)
        else:
            stack.append(step)
    out.append(b"</data-set>\n")
    return b"".join(out)


_Steps: TypeAlias = "Iterator[bytes | _Steps]"


class _Writer:
    """The pieces of one data set; for what is nested, an iterator of its pieces."""

    def __init__(self, names: Names, quote: bool, strict: bool) -> None:
        self._names = names
        self._special = _SPECIAL_OR_NOT_ASCII if quote else _SPECIAL
        self._reference = _quoted if quote else _reference
        self._strict = strict
        self._encoding = "utf-8" if strict else "latin_1"

    def elements(self, item: Item) -> "_Steps":
        """Write the elements of an item."""
        for tag in sorted(item.elements):
            element = item.elements[tag]
            name = self._names.name_of(tag, _creator_of(item, tag))
            if isinstance(element.value, list):
                yield self._sequence(element, element.value, name)
            elif element.length == _UNDEFINED:
                yield self._pixel_sequence(element, element.value, name)
            else:
                yield self._leaf(element, element.value, name)

    def _sequence(self, element: Element, items: list[Item], name: str) -> "_Steps":
        yield self._open_sequence(element, "SQ", len(items), name)
        for item in items:
            length = b"" if item.length == _UNDEFINED else b' len="%d"' % item.length
            yield b'<item card="%d"%b>\n' % (len(item.elements), length)
            yield self.elements(item)
            yield b"</item>\n"
        yield b"</sequence>\n"

    def _pixel_sequence(self, element: Element, value: bytes, name: str) -> "_Steps":
        """Encapsulated pixel data (PS3.5 Section A.4): a length for each fragment."""
        lengths = []
        at = 0
        while at + 8 <= len(value):
            (length,) = struct.unpack_from("<I", value, at + 4)
            lengths.append(length)
            at += 8 + length
        yield self._open_sequence(element, valid_vr(element.vr), len(lengths), name)
        for length in lengths:
            yield b'<pixel-item len="%d" binary="hidden"></pixel-item>\n' % length
        yield b"</sequence>\n"

    def _open_sequence(self, element: Element, vr: str, count: int, name: str) -> bytes:
        length = "" if element.length == _UNDEFINED else f' len="{element.length}"'
        head = f'<sequence {_tag(element.tag)} vr="{vr}" card="{count}"{length} name="'
        return head.encode("ascii") + self._escape(name.encode(self._encoding)) + b'">\n'

    def _leaf(self, element: Element, value: bytes, name: str) -> bytes:
        vr = valid_vr(element.vr)
        count, shown = self._shown(vr, value)
        hidden = b' binary="hidden"' if vr in _HIDDEN_VRS else b""
        head = f'<element {_tag(element.tag)} vr="{vr}" vm="{count}" len="{element.length}" name="'
        return b'%b%b"%b>%b</element>\n' % (
            head.encode("ascii"),
            self._escape(name.encode(self._encoding)),
            hidden,
            shown,
        )

    def _shown(self, vr: str, value: bytes) -> tuple[int, bytes]:
        """The multiplicity of a value, and its text."""
        if vr in STRING_VRS:
            count = 1 if vr in _SINGLE_VRS else value.count(b"\\") + 1
            return count if value else 0, self._escape(_stripped(vr, value))
        if vr in _HIDDEN_VRS:
            return 1, b""
        if vr == "AT":
            count = len(value) // 4
            words = struct.unpack_from(f"<{2 * count}H", value)
            pairs = zip(words[::2], words[1::2], strict=True)
            text = "\\".join([f"({group:04x},{number:04x})" for group, number in pairs])
        else:
            count = len(value) // WORD_SIZES[vr]
            if vr in _FLOATS:
                text = _FLOATS[vr](value)
            else:
                numbers = struct.unpack_from(f"<{count}{_INTEGERS[vr]}", value)
                text = "\\".join(map(str, numbers))
        return 1 if vr in _SINGLE_VRS else count, text.encode("ascii")

    def _escape(self, text: bytes) -> bytes:
        if self._strict:
            text = _NO_XML.sub(_REPLACEMENT, text.replace(b"\0", b""))
        return self._special.sub(self._reference, text)


def _tag(tag: int) -> str:
    return f'tag="{tag >> 16:04x},{tag & 0xFFFF:04x}"'


def _reference(found: "re.Match[bytes]") -> bytes:
    byte = found[0][0]
    return _MARKUP[byte] if byte in _MARKUP else b"&#%d;" % byte


def _quoted(found: "re.Match[bytes]") -> bytes:
    return b"&#0;" if found[0] == b"\0" else _reference(found)


def _stripped(vr: str, value: bytes) -> bytes:
    """A value without the blanks that DCMTK takes for padding."""
    if vr in _STRIPPED:
        return b"\\".join([part.strip(b" ") for part in value.split(b"\\")])
    if vr in _STRIPPED_RIGHT and vr in _SINGLE_VRS:
        return value if value == b" " else value.rstrip(b" ")
    if len(value) % 2 and vr != "DS":  # DCMTK pads first what came in an odd length
        value = pad_value(vr, value)
    if vr in _STRIPPED_RIGHT:
        parts = value.split(b"\\")
        return b"\\".join([part if part == b" " else part.rstrip(b" ") for part in parts])
    if vr == "UI" and b"\0" in value:
        return b"\\".join([_uid_stripped(part) for part in value.split(b"\\")])
    return value


def _uid_stripped(uid: bytes) -> bytes:
    """A UID without its NULs, of which DCMTK leaves one where nothing else is, and a blank."""
    if not uid.endswith(b"\0"):
        return uid
    return uid.rstrip(b"\0").removesuffix(b" ") if uid.strip(b"\0") else b"\0"


def _creator_of(item: Item, tag: int) -> str:
    """Who reserved the block of a private tag in `item` (PS3.5 Section 7.8.1).

    As in DCMTK the value ends at its first NUL and blanks count: a creator of odd length that is
    padded with a blank, as it should be, is a creator that nobody knows.
    """
    if not tag >> 16 & 1 or tag & 0xFFFF < 0x1000:
        return ""
    creator = item.elements.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
    if creator is None or creator.vr not in STRING_VRS or not isinstance(creator.value, bytes):
        return ""
    return creator.value.split(b"\0", 1)[0].decode("latin_1")


def _encoding_of(item: Item) -> tuple[str, bool, list[str]]:
    """What XML calls the character set, whether other bytes than ASCII are quoted, and warnings."""
    element = item.elements.get(_SPECIFIC_CHARACTER_SET)
    if element is None or not isinstance(element.value, bytes):
        return "", False, []
    value = _stripped("CS", element.value.split(b"\0", 1)[0]).decode("latin_1")
    encoding = _ENCODINGS.get(value, "")
    if encoding:
        return encoding, False, []
    if not value:
        return "", True, []
    warning = f"SpecificCharacterSet (0008,0005) value '{value}' not supported"
    if _has_extended(item):
        warning += " ... quoting non-ASCII characters"
    return "", True, [warning]


def _has_extended(item: Item) -> bool:
    """Whether there is any byte beyond ASCII where the character set counts."""
    work = [item]
    while work:
        for element in work.pop().elements.values():
            if isinstance(element.value, list):
                work += element.value
            elif element.vr in TEXT_VRS and not element.value.isascii():
                return True
    return False
