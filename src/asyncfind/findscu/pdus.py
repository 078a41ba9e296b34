"""The association PDUs as findscu writes and reads them (PS3.8 Section 9.3).

`ul` is strict where this is not: findscu takes nearly any A-ASSOCIATE-AC, and scripts see which.
Text is bytes, one character each.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from asyncfind.findscu.conditions import Bad, dcmnet

__all__ = ["Accepted", "Context", "encode_rq", "parse_ac"]

_APPLICATION_CONTEXT: Final = b"1.2.840.10008.3.1.1.1"
_MAX_UID: Final = 64
_ILLEGAL_PDU: Final = 0x307
_ILLEGAL_LENGTH: Final = 0x308


@dataclass(slots=True)
class Context:
    """A presentation context in an A-ASSOCIATE-AC."""

    context_id: int
    result: int
    transfer_syntaxes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Accepted:
    """What is used of an A-ASSOCIATE-AC."""

    called: str = ""
    calling: str = ""
    application_context: str = ""
    contexts: list[Context] = field(default_factory=list)
    max_length: int = 0
    class_uid: str = ""
    version_name: str = ""
    warnings: list[str] = field(default_factory=list)


def encode_rq(
    *,
    called: str,
    calling: str,
    abstract_syntax: str,
    transfer_syntaxes: Sequence[str],
    max_length: int,
    class_uid: str,
    version_name: str,
) -> bytes:
    """A-ASSOCIATE-RQ with one presentation context, number 1, in findscu's order of items."""
    context = b"\x01\x00\xff\x00" + _item(0x30, abstract_syntax.encode())
    context += b"".join(_item(0x40, uid.encode()) for uid in transfer_syntaxes)
    user = _item(0x51, struct.pack(">I", max_length))
    user += _item(0x52, class_uid.encode()) + _item(0x55, version_name.encode())
    body = b"\0\x01\0\0" + _title(called) + _title(calling) + bytes(32)
    body += _item(0x10, _APPLICATION_CONTEXT) + _item(0x20, context) + _item(0x50, user)
    return struct.pack(">BxI", 1, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _title(title: str) -> bytes:
    return title.encode("latin_1")[:16].ljust(16)


def parse_ac(body: bytes) -> Accepted:
    """Parse the body of an A-ASSOCIATE-AC as far as findscu does.

    Raises:
        Bad: the conditions that findscu reports for what it cannot read.
    """
    try:
        return _parse(body)
    except Bad as bad:
        cause = bad.condition
        if cause.code == _NO_WRAPPER:
            raise
        raise Bad(dcmnet(_ILLEGAL_PDU, "DUL Illegal or ill-formed PDU", cause)) from None


_NO_WRAPPER: Final = 0x318


def _parse(body: bytes) -> Accepted:
    if len(body) < 68:
        raise _too_short("associate PDU", len(body), 68)
    (version,) = struct.unpack_from(">H", body)
    if not version & 1:
        text = f"DUL Unsupported peer protocol {version:04x}; expected 0001 in parseAssociate"
        raise Bad(dcmnet(0x322, text))
    accepted = Accepted(called=_trim(body[4:20]), calling=_trim(body[20:36]))
    pos, end = 68, len(body)
    while pos < end:
        kind = body[pos]
        if kind == 0x10:
            value, size = _sub_item(body, pos, end)
            accepted.application_context = value
        elif kind in (0x20, 0x21):
            size = _context(body, pos, end, accepted)
        elif kind == 0x50:
            size = _user_information(body, pos, end, accepted)
        else:
            size = _skip(body, pos, end)
        pos += size
    for context in accepted.contexts:
        count = len(context.transfer_syntaxes)
        if context.result == 0 and count != 1:
            text = f"DUL Peer supplied illegal number of transfer syntaxes ({count})"
            raise Bad(dcmnet(_NO_WRAPPER, text))
    return accepted


def _trim(title: bytes) -> str:
    return title.split(b"\0", 1)[0].decode("latin_1").rstrip(" ")


def _sub_item(body: bytes, pos: int, end: int) -> tuple[str, int]:
    """The text of a sub-item up to its first NUL, and how long it is with its header."""
    available = end - pos
    if available < 4:
        raise _too_short("subitem", available, 4)
    length: int = struct.unpack_from(">H", body, pos + 2)[0]
    if length > _MAX_UID:
        text = f"DUL illegal subitem length {length}. Maximum allowed size is {_MAX_UID}."
        raise Bad(dcmnet(_ILLEGAL_LENGTH, text))
    if available - 4 < length:
        raise _too_long("subitem", available, length)
    value = body[pos + 4 : pos + 4 + length]
    return value.split(b"\0", 1)[0].decode("latin_1"), length + 4


def _context(body: bytes, pos: int, end: int, accepted: Accepted) -> int:
    available = end - pos
    if available < 8:
        raise _too_short("presentation context", available, 8)
    length: int = struct.unpack_from(">H", body, pos + 2)[0]
    if available - 4 < length or length < 4:
        raise _both("presentation context", available, 4, length)
    context = Context(body[pos + 4], body[pos + 6])
    stop = pos + 4 + length
    inner = pos + 8
    while inner < stop and not (body[pos] == 0x21 and context.result):
        if body[inner] in (0x30, 0x40):
            value, size = _sub_item(body, inner, stop)
            if body[inner] == 0x40:
                context.transfer_syntaxes.append(value)
        else:
            size = _skip(body, inner, stop)
        inner += size
    accepted.contexts.append(context)
    return length + 4


def _user_information(body: bytes, pos: int, end: int, accepted: Accepted) -> int:
    available = end - pos
    if available < 4:
        raise _too_short("user info", available, 4)
    length: int = struct.unpack_from(">H", body, pos + 2)[0]
    if available < length + 4:
        raise _too_long("user info", available, length)
    stop = pos + 4 + length
    inner = pos + 4
    while inner < stop:
        kind = body[inner]
        if kind == 0x51:
            size = _max_length(body, inner, stop, accepted)
        elif kind == 0x52:
            accepted.class_uid, size = _sub_item(body, inner, stop)
        elif kind == 0x55:
            value, size = _sub_item(body, inner, stop)
            accepted.version_name = value[:16]
        else:
            size = _skip(body, inner, stop)
        inner += size
    return length + 4


def _max_length(body: bytes, pos: int, end: int, accepted: Accepted) -> int:
    available = end - pos
    if available < 8:
        raise _too_short("Max PDU", available, 8)
    length: int = struct.unpack_from(">H", body, pos + 2)[0]
    (accepted.max_length,) = struct.unpack_from(">I", body, pos + 4)
    if length != 4:
        text = f"Invalid length ({length}) for maximum length item, must be 4"
        accepted.warnings.append(text)
    if available - 4 < length:
        raise _too_long("Max PDU", available, length)
    return length + 4


def _skip(body: bytes, pos: int, end: int) -> int:
    available = end - pos
    if available < 4:
        raise _too_short("dummy item", available, 4)
    length: int = struct.unpack_from(">H", body, pos + 2)[0]
    if available - 4 < length:
        raise _too_long("dummy item", available, length)
    return length + 4


def _too_short(what: str, available: int, needed: int) -> Bad:
    return _both(what, available, needed, 0)


def _too_long(what: str, available: int, length: int) -> Bad:
    return _both(what, available, 0, length)


def _both(what: str, available: int, needed: int, length: int) -> Bad:
    text = f"DUL Illegal {what}. Got {available} bytes of data"
    if length:
        text += f" with a length field of {length} (data before length field is not included in"
        text += " length field)"
    if needed:
        text += f". The minimum allowed size is {needed}"
    return Bad(dcmnet(_ILLEGAL_LENGTH, text + "."))
