"""Query files as findscu loads them: once the association is open, and with its own excuses."""

import struct
from typing import Final, NamedTuple

from asyncfind.errors import MalformedIdentifier
from asyncfind.findscu.conditions import DCMDATA, Bad, Condition
from asyncfind.findscu.dataset import Words, in_dcmtk_terms
from asyncfind.findscu.voice import Voice
from asyncfind.query.element import LONG_VRS, Item
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    SHORT_VRS,
    SYNTAXES,
    TransferSyntax,
)

__all__ = ["QueryFile", "load"]

_MAX_SIZE: Final = 16 * 1024 * 1024
_PREAMBLE: Final = 128
_VRS: Final = frozenset(vr.encode() for vr in LONG_VRS | SHORT_VRS)
_LONG: Final = frozenset(vr.encode() for vr in LONG_VRS)
_END_OF_STREAM: Final = Condition(DCMDATA, 5, "End of stream")
_PREMATURE: Final = Condition(DCMDATA, 10, "I/O suspension or premature end of stream")
_ENCAPSULATED: Final = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5")

_COMPRESSED: Final = {
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended, Process 2+4",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless, Non-hierarchical, Process 14",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, Non-hierarchical, 1st Order Prediction",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Lossy (Near-lossless)",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 (Lossless only)",
    "1.2.840.10008.1.2.4.91": "JPEG 2000 (Lossless or Lossy)",
    "1.2.840.10008.1.2.5": "RLE Lossless",
}


class QueryFile(NamedTuple):
    """A data set and how it was encoded.

    Args:
        syntax_name: DCMTK's name of the transfer syntax; other than that of `syntax` where pixel
            data are compressed.
    """

    item: Item
    syntax: TransferSyntax
    syntax_name: str


def load(name: str, words: Words, data: Voice) -> QueryFile:
    """Load a query file.

    Args:
        name: of the file, bytes, one character each.
        data: the logger of DCMTK's data module.

    Raises:
        Bad: it cannot be read.
    """
    content = _read(name)
    start = _PREAMBLE + 4 if content[_PREAMBLE : _PREAMBLE + 4] == b"DICM" else 0
    uid: str | None = None
    if content.startswith(b"\x02\x00", start):
        if start:
            meta_syntax = "Little Endian Explicit"
            data.debug(f'DcmMetaInfo::checkAndReadPreamble() TransferSyntax="{meta_syntax}"')
        uid, start = _skip_meta(content, start)
    elif start:
        data.warn("DcmMetaInfo: Found Preamble but no Meta Information Header")
    if start >= len(content):
        raise Bad(_END_OF_STREAM)
    if uid is None:
        data.debug("DcmFileFormat::lookForXfer() no MetaInfo found")
    if not uid:
        text = "trying to detect transfer syntax of data set (because it is unknown)"
        data.debug(f"DcmDataset::read() {text}")
    syntax, shown = _syntax(uid, content[start : start + 6], words)
    data.debug(f'DcmDataset::read() TransferSyntax="{shown}"')
    try:
        item = read_item(content[start:], syntax)
    except MalformedIdentifier:
        raise Bad(_PREMATURE) from None
    return QueryFile(in_dcmtk_terms(item, syntax, words), syntax, shown)


def _read(name: str) -> bytes:
    path = name.encode("latin_1")
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path cannot be made of bytes
            content = file.read(_MAX_SIZE + 1)
    except IsADirectoryError:
        raise Bad(_END_OF_STREAM) from None
    except OSError as exc:
        raise Bad(Condition(0, 18, exc.strerror or "")) from None
    if len(content) > _MAX_SIZE:
        raise Bad(_PREMATURE)
    if not content:
        raise Bad(_END_OF_STREAM)
    return content


def _skip_meta(content: bytes, pos: int) -> tuple[str, int]:
    """Walk over File Meta Information (PS3.10 Section 7.1): its transfer syntax, and its end."""
    uid = ""
    end: int | None = None
    explicit = content[pos + 4 : pos + 6] in _VRS
    while content.startswith(b"\x02\x00", pos) and pos != end:
        is_long = explicit and content[pos + 4 : pos + 6] in _LONG
        start = pos + (12 if is_long else 8)
        if start > len(content):
            raise Bad(_PREMATURE)
        (number,) = struct.unpack_from("<H", content, pos + 2)
        if explicit and not is_long:
            (length,) = struct.unpack_from("<H", content, start - 2)
        else:
            (length,) = struct.unpack_from("<I", content, start - 4)
        pos = start + length
        if pos > len(content):
            raise Bad(_PREMATURE)
        value = content[start:pos]
        if number == 0 and length == 4:
            end = pos + int.from_bytes(value, "little")
        elif number == 0x0010:
            uid = value.rstrip(b" \0").decode("latin_1")
    return uid, pos


def _syntax(uid: str | None, head: bytes, words: Words) -> tuple[TransferSyntax, str]:
    if uid:
        syntax = SYNTAXES.get(uid)
        if syntax is not None:
            return syntax, syntax.name
        if uid.startswith(_ENCAPSULATED):
            return EXPLICIT_VR_LITTLE_ENDIAN, _COMPRESSED.get(uid, "JPEG Baseline")
    syntax = _guess(head, words)
    return syntax, syntax.name


def _guess(head: bytes, words: Words) -> TransferSyntax:
    """The transfer syntax by the first element, where nothing names it."""
    if len(head) < 6:
        return EXPLICIT_VR_LITTLE_ENDIAN
    explicit = head[4:6] in _VRS
    little, big = _is_known("<", head, words), _is_known(">", head, words)
    is_big = big and not little
    if little and big:
        first, second = struct.unpack("<H", head[:2])[0], struct.unpack(">H", head[:2])[0]
        is_big = first > 0xFF >= second
    if is_big and explicit:
        return EXPLICIT_VR_BIG_ENDIAN
    if is_big:
        raise Bad(_PREMATURE)  # Implicit VR Big Endian: nothing can be read of it
    return EXPLICIT_VR_LITTLE_ENDIAN if explicit else IMPLICIT_VR_LITTLE_ENDIAN


def _is_known(order: str, head: bytes, words: Words) -> bool:
    group, number = struct.unpack_from(order + "HH", head)
    return words.vr_of(group << 16 | number) != "??"
