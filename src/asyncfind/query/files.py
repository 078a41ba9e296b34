"""Query files: DICOM files, bare data sets, DICOM JSON."""

import json
import struct
from pathlib import Path
from typing import Final

from asyncfind.errors import InvalidRequest, MalformedIdentifier
from asyncfind.query.element import Item
from asyncfind.query.json_model import item_from_json
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    SYNTAXES,
    TransferSyntax,
)
from asyncfind.safe import safe

__all__ = ["read_query_file"]

_MAX_SIZE: Final = 16 * 1024 * 1024
_HINT: Final = "A query file is a DICOM file, a bare data set or DICOM JSON (PS3.18 Annex F)."


def read_query_file(path: Path) -> Item:
    """Read the data set of a query file; a File Meta Information (PS3.10) is left out.

    Raises:
        InvalidRequest: it cannot be read or is no such file.
    """
    name = safe(str(path), 200)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
    except OSError as exc:
        raise InvalidRequest(
            f"cannot read query file {name}: {exc.strerror}", "Check its name and permissions."
        ) from exc
    if len(data) > _MAX_SIZE:
        raise InvalidRequest(f"query file {name} is larger than 16 MiB", _HINT)
    if not data:
        raise InvalidRequest(f"query file {name} is empty", _HINT)
    try:
        if data.lstrip()[:1] in (b"{", b"["):
            return item_from_json(json.loads(data))
        syntax, body = _split(data)
        item = read_item(body, syntax)
    except (MalformedIdentifier, ValueError, RecursionError) as exc:
        raise InvalidRequest(
            f"query file {name} cannot be decoded: {safe(str(exc), 200)}", _HINT
        ) from exc
    if not item.elements:
        raise InvalidRequest(f"query file {name} holds no elements", _HINT)
    return item


def _split(data: bytes) -> tuple[TransferSyntax, bytes]:
    if data[128:132] == b"DICM":
        return _meta(data, 132)
    if data[:4] == b"\x02\x00\x00\x00":
        return _meta(data, 0)
    return _guess(data), data


def _meta(data: bytes, at: int) -> tuple[TransferSyntax, bytes]:
    uid = IMPLICIT_VR_LITTLE_ENDIAN.uid
    while data[at : at + 2] == b"\x02\x00" and at + 12 <= len(data):
        element, vr = struct.unpack_from("<H", data, at + 2)[0], data[at + 4 : at + 6]
        long = vr in (b"OB", b"OW", b"UN", b"SQ", b"UT")
        start = at + (12 if long else 8)
        length = struct.unpack_from("<I" if long else "<H", data, at + (8 if long else 6))[0]
        if element == 0x0010:
            uid = data[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
        at = start + length
    syntax = SYNTAXES.get(uid)
    if syntax is None:
        raise ValueError(f"transfer syntax {uid} is none that a query can have")
    return syntax, data[at:]


def _guess(data: bytes) -> TransferSyntax:
    """Byte order and explicitness from the first element, as findscu guesses them."""
    explicit = data[4:6].isalpha() and data[4:6].isupper()
    little = struct.unpack_from("<H", data)[0] if len(data) >= 2 else 0
    if not explicit:
        return IMPLICIT_VR_LITTLE_ENDIAN
    return EXPLICIT_VR_BIG_ENDIAN if little & 0xFF == 0 and little else EXPLICIT_VR_LITTLE_ENDIAN
