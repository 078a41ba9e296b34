"""Query files: DICOM files (PS3.10), bare data sets, DICOM JSON (PS3.18 Annex F), by content."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from asyncfind.errors import InvalidRequest, MalformedIdentifier
from asyncfind.query.dictionary import entry_of
from asyncfind.query.element import LONG_VRS, Item
from asyncfind.query.json_model import item_from_json
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    SHORT_VRS,
    SYNTAXES,
    TransferSyntax,
)
from asyncfind.safe import safe

__all__ = ["read_query_file"]

_MAX_SIZE: Final = 16 * 1024 * 1024
_PREAMBLE: Final = 128
_META: Final = b"\x02\x00"
_UNDEFINED: Final = 0xFFFFFFFF
_VRS: Final = frozenset(vr.encode() for vr in LONG_VRS | SHORT_VRS)
_LONG: Final = frozenset(vr.encode() for vr in LONG_VRS)
_ENCAPSULATED: Final = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5")
"""JPEG and its like, RLE: their data sets are in Explicit VR Little Endian (PS3.5 Section A.4)."""

_MAX_UID: Final = 64
_HINT: Final = "A query file is a DICOM file, a bare data set or DICOM JSON (PS3.18 Annex F)."
_DAMAGED: Final = "The file is cut off or damaged: copy or make it again."
_KEYS_ONLY: Final = "A query needs keys alone: leave PixelData out."


def read_query_file(path: Path) -> Item:
    """Read the data set of a query file; its File Meta Information is left out.

    DICOM files are read in the transfer syntax they name, any but the compressed ones. Byte order
    and VR encoding of bare data sets are guessed from the first element, as findscu does. What
    begins with a brace or bracket is JSON, of one data set.

    Raises:
        InvalidRequest: it cannot be read, or is no such file; the text names it.
    """
    try:
        data = _load(path)
        item = _parse_json(data) if _looks_like_json(data) else _read_dicom(data)
        if not item.elements:
            raise InvalidRequest("holds no elements", "Make a file with at least one key.")
        _refuse_foreign(item)
    except InvalidRequest as exc:
        raise InvalidRequest(f"query file {safe(str(path))}: {exc.text}", exc.hint) from exc
    return item


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
    except IsADirectoryError as exc:
        raise InvalidRequest(f"cannot be read: {exc.strerror}", "Name the files in it.") from exc
    except OSError as exc:
        raise InvalidRequest(
            f"cannot be read: {exc.strerror}", "Check its name and permissions."
        ) from exc
    except ValueError as exc:
        raise InvalidRequest("is no name of a file", "Check its name.") from exc
    if len(data) > _MAX_SIZE:
        raise InvalidRequest(f"larger than {_MAX_SIZE >> 20} MiB", _KEYS_ONLY)
    if not data:
        raise InvalidRequest("empty", _HINT)
    return data


def _refuse_foreign(item: Item) -> None:
    """Refuse what may be in a file but not in an identifier."""
    for tag in item.elements:
        if tag >> 16 in (0x0000, 0x0002, 0xFFFE):
            raise InvalidRequest(
                f"holds ({tag >> 16:04x},{tag & 0xFFFF:04x}), which is no part of a data set",
                "Leave the elements of groups 0000, 0002 and FFFE out.",
            )
    work = [item]
    while work:
        for element in work.pop().elements.values():
            if isinstance(element.value, list):
                work += element.value
            elif element.length == _UNDEFINED:
                raise InvalidRequest("holds compressed pixel data", _KEYS_ONLY)


# --- DICOM JSON ---


def _looks_like_json(data: bytes) -> bool:
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:2]
    return start[:1] in (b"{", b"[") and start[1:] != b"\0"


def _parse_json(data: bytes) -> Item:
    try:
        return item_from_json(
            json.loads(
                data.decode("utf-8-sig"),
                object_pairs_hook=_unique,
                parse_constant=_refuse_constant,
            )
        )
    except UnicodeDecodeError as exc:
        raise InvalidRequest(
            f"no JSON: byte {exc.start} is not UTF-8", "JSON has to be UTF-8 (RFC 8259)."
        ) from exc
    except RecursionError as exc:
        raise InvalidRequest("nested too deeply", "Sequences nest at most 64 levels.") from exc
    except json.JSONDecodeError as exc:
        raise InvalidRequest(
            f"no JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})", _HINT
        ) from exc
    except ValueError as exc:
        raise InvalidRequest(f"no JSON: {safe(str(exc), _MAX_UID)}", _HINT) from exc


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise InvalidRequest(
                f"DICOM JSON query: {safe(name, _MAX_UID)}: given twice", "Keep one of them."
            )
        members[name] = value
    return members


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


# --- DICOM ---


def _read_dicom(data: bytes) -> Item:
    start = _PREAMBLE + 4 if data[_PREAMBLE : _PREAMBLE + 4] == b"DICM" else 0
    if data.startswith(_META, start):
        uid, start = _skip_meta(data, start)
        syntax = _syntax_of(uid) if uid else _guess(data, start)
    elif start == len(data):
        return Item()
    else:
        syntax = _guess(data, start)
    try:
        return read_item(data[start:], syntax)
    except MalformedIdentifier as exc:
        raise InvalidRequest(f"{exc.text}, in {syntax.name}", _DAMAGED) from exc


def _skip_meta(data: bytes, pos: int) -> tuple[str, int]:
    """Walk over File Meta Information (PS3.10 Section 7.1).

    Its elements are followed as long as they are of group 0002, but not beyond the end that
    (0002,0000) gives: what is wrong there must not cost a file that others read.

    Returns:
        The transfer syntax, empty where none is named, and the offset of the data set.
    """
    uid = ""
    end = None
    explicit = data[pos + 4 : pos + 6] in _VRS
    while data.startswith(_META, pos) and pos != end:
        is_long = explicit and data[pos + 4 : pos + 6] in _LONG
        start = pos + (12 if is_long else 8)
        if start > len(data):
            raise InvalidRequest("cut off in its File Meta Information", _DAMAGED)
        (number,) = struct.unpack_from("<H", data, pos + 2)
        if explicit and not is_long:
            (length,) = struct.unpack_from("<H", data, start - 2)
        else:
            (length,) = struct.unpack_from("<I", data, start - 4)
        pos = start + length
        if pos > len(data):
            raise InvalidRequest("cut off in its File Meta Information", _DAMAGED)
        value = data[start:pos]
        if number == 0x0000 and length == 4:
            end = pos + int.from_bytes(value, "little")
        elif number == 0x0010:
            uid = value.rstrip(b" \0").decode("latin_1")
    return uid, pos


def _syntax_of(uid: str) -> TransferSyntax:
    syntax = SYNTAXES.get(uid)
    if syntax is not None:
        return syntax
    if uid.startswith(_ENCAPSULATED):
        return EXPLICIT_VR_LITTLE_ENDIAN
    raise InvalidRequest(
        f"in transfer syntax {safe(uid, _MAX_UID)}, which is not supported",
        "Convert it to Explicit VR Little Endian.",
    )


def _guess(data: bytes, start: int) -> TransferSyntax:
    """Guess from the first element whether VRs are explicit, and the byte order."""
    head = data[start : start + 8]
    if len(head) < 8:
        raise InvalidRequest("no DICOM file", _HINT)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidRequest("no DICOM file", "It looks like UTF-16 text: save it as UTF-8.")
    group, number = struct.unpack_from("<HH", head)
    is_little = _may_begin(group << 16 | number)
    group, number = struct.unpack_from(">HH", head)
    is_big = _may_begin(group << 16 | number)
    if head[4:6] in _VRS:
        return EXPLICIT_VR_BIG_ENDIAN if is_big and not is_little else EXPLICIT_VR_LITTLE_ENDIAN
    if is_little:
        return IMPLICIT_VR_LITTLE_ENDIAN
    if is_big:
        found = "looks like Implicit VR Big Endian, which is no transfer syntax"
        raise InvalidRequest(found, "Convert it to Explicit VR Little Endian.")
    hint = _HINT
    if head[:1] == b"<":
        hint = "It looks like XML: make a DICOM file of it with xml2dcm."
    elif head[:1] in (b"(", b"#"):
        hint = "It looks like a dump: make a DICOM file of it with dump2dcm."
    raise InvalidRequest("no DICOM file", hint)


def _may_begin(tag: int) -> bool:
    """Whether a data set can begin with `tag`: known, a group length or a private creator."""
    group, number = tag >> 16, tag & 0xFFFF
    if group & 1:
        return number == 0 or 0x10 <= number <= 0xFF
    return entry_of(tag) is not None or (number == 0 and 0 < group <= 0xFF)
