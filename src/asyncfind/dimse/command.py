"""Command sets of C-FIND, C-CANCEL and C-ECHO (PS3.7 Sections 6.3.1 and 9.3, Annex E)."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from asyncfind.errors import MalformedMessage

__all__ = [
    "VERIFICATION",
    "CancelRQ",
    "Command",
    "EchoRQ",
    "EchoRSP",
    "FindRQ",
    "FindRSP",
    "decode_command",
    "encode_command",
]

VERIFICATION: Final = "1.2.840.10008.1.1"
"""Verification SOP Class (PS3.4 Annex A)."""

_NO_IDENTIFIER: Final = 0x0101
_FIND_RQ: Final = 0x0020
_FIND_RSP: Final = 0x8020
_ECHO_RQ: Final = 0x0030
_ECHO_RSP: Final = 0x8030
_CANCEL_RQ: Final = 0x0FFF
_HEADER: Final = struct.Struct("<HHI")
_US: Final = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class FindRQ:
    """C-FIND-RQ (PS3.7 Section 9.3.2.1); priority 0 is medium."""

    message_id: int
    sop_class: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class FindRSP:
    """C-FIND-RSP (PS3.7 Section 9.3.2.2).

    Args:
        message_id: of the request that is answered.
        has_identifier: the command set announces one.
        offending, comment, error_id: status detail (PS3.7 Annex C).
        unusual: what is odd about it but harmless, in words.
    """

    message_id: int
    status: int
    sop_class: str = ""
    has_identifier: bool = False
    offending: tuple[int, ...] = ()
    comment: bytes = b""
    error_id: int | None = None
    unusual: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelRQ:
    """C-CANCEL-FIND-RQ (PS3.7 Section 9.3.2.3) for the request `message_id`."""

    message_id: int


@dataclass(frozen=True, slots=True)
class EchoRQ:
    """C-ECHO-RQ (PS3.7 Section 9.3.5.1)."""

    message_id: int
    sop_class: str = VERIFICATION


@dataclass(frozen=True, slots=True)
class EchoRSP:
    """C-ECHO-RSP (PS3.7 Section 9.3.5.2); `message_id` is that of the request."""

    message_id: int
    status: int
    sop_class: str = VERIFICATION


Command = FindRQ | FindRSP | CancelRQ | EchoRQ | EchoRSP


def encode_command(command: Command, has_identifier: bool) -> bytes:
    """Encode a command set, Implicit VR Little Endian in tag order (PS3.7 Section 6.3.1).

    Args:
        has_identifier: an identifier follows; says Command Data Set Type.
    """
    elements: list[tuple[int, bytes]]
    match command:
        case FindRQ():
            elements = [
                (0x0002, _uid(command.sop_class)),
                (0x0100, _US.pack(_FIND_RQ)),
                (0x0110, _US.pack(command.message_id)),
                (0x0700, _US.pack(command.priority)),
            ]
        case FindRSP():
            elements = [
                (0x0002, _uid(command.sop_class)),
                (0x0100, _US.pack(_FIND_RSP)),
                (0x0120, _US.pack(command.message_id)),
                (0x0900, _US.pack(command.status)),
                *_detail(command),
            ]
        case CancelRQ():
            elements = [(0x0100, _US.pack(_CANCEL_RQ)), (0x0120, _US.pack(command.message_id))]
        case EchoRQ():
            elements = [
                (0x0002, _uid(command.sop_class)),
                (0x0100, _US.pack(_ECHO_RQ)),
                (0x0110, _US.pack(command.message_id)),
            ]
        case EchoRSP():
            elements = [
                (0x0002, _uid(command.sop_class)),
                (0x0100, _US.pack(_ECHO_RSP)),
                (0x0120, _US.pack(command.message_id)),
                (0x0900, _US.pack(command.status)),
            ]
    elements.append((0x0800, _US.pack(1 if has_identifier else _NO_IDENTIFIER)))
    body = b"".join(
        _HEADER.pack(0, tag, len(value)) + value for tag, value in sorted(elements) if value
    )
    return _HEADER.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def _uid(uid: str) -> bytes:
    value = uid.encode("ascii")
    return value + b"\0" * (len(value) % 2)


def _detail(command: FindRSP) -> list[tuple[int, bytes]]:
    offending = b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in command.offending)
    comment = command.comment + b" " * (len(command.comment) % 2)
    error_id = b"" if command.error_id is None else _US.pack(command.error_id)
    return [(0x0901, offending), (0x0902, comment), (0x0903, error_id)]


@lru_cache(maxsize=64)
def decode_command(data: bytes) -> Command:
    """Decode a command set; equal bytes, as all pending responses of a query have, only once.

    Raises:
        MalformedMessage: it breaks PS3.7 Section 6.3.1 or is no command that we know.
    """
    elements, unusual = _read(data)
    field = _number(elements, 0x0100, "Command Field")
    decoder = _DECODERS.get(field)
    if decoder is None:
        raise MalformedMessage(f"command field {field:04X} is none of C-FIND, C-CANCEL, C-ECHO")
    has_identifier = _number(elements, 0x0800, "Command Data Set Type") != _NO_IDENTIFIER
    return decoder(elements, has_identifier, unusual)


_Elements = dict[int, bytes]


def _read(data: bytes) -> tuple[_Elements, tuple[str, ...]]:
    elements: _Elements = {}
    at, last = 0, -1
    while at < len(data):
        if len(data) - at < 8:
            raise MalformedMessage(f"command set ends inside an element at offset {at}")
        group, tag, length = _HEADER.unpack_from(data, at)
        if group != 0:
            raise MalformedMessage(f"({group:04x},{tag:04x}) in a command set")
        if tag <= last:
            raise MalformedMessage(f"(0000,{tag:04x}) out of order in a command set")
        if length > len(data) - at - 8:
            raise MalformedMessage(f"(0000,{tag:04x}) is longer than its command set")
        elements[tag] = data[at + 8 : at + 8 + length]
        at += 8 + length
        last = tag
    announced = elements.get(0)
    if announced is not None and announced != struct.pack("<I", len(data) - 12):
        return elements, ("the command group length is wrong",)
    return elements, ()


def _number(elements: _Elements, tag: int, name: str) -> int:
    value = elements.get(tag)
    if value is None:
        raise MalformedMessage(f"{name} (0000,{tag:04x}) is missing")
    if len(value) != 2:
        raise MalformedMessage(f"{name} (0000,{tag:04x}) has {len(value)} bytes instead of 2")
    number: int = _US.unpack(value)[0]
    return number


def _sop_class(elements: _Elements) -> str:
    value = elements.get(0x0002, b"").rstrip(b"\0 ")
    if len(value) > 64 or value.strip(b"0123456789."):
        raise MalformedMessage("Affected SOP Class UID (0000,0002) is no UID")
    return value.decode("ascii")


def _find_rq(elements: _Elements, has_identifier: bool, unusual: tuple[str, ...]) -> Command:
    if not has_identifier:
        raise MalformedMessage("C-FIND-RQ without identifier")
    return FindRQ(
        _number(elements, 0x0110, "Message ID"),
        _sop_class(elements),
        _number(elements, 0x0700, "Priority"),
    )


def _find_rsp(elements: _Elements, has_identifier: bool, unusual: tuple[str, ...]) -> Command:
    offending = elements.get(0x0901, b"")
    error_id = elements.get(0x0903, b"")
    return FindRSP(
        _number(elements, 0x0120, "Message ID Being Responded To"),
        _number(elements, 0x0900, "Status"),
        _sop_class(elements),
        has_identifier,
        tuple(
            group << 16 | element
            for group, element in struct.iter_unpack("<HH", offending[: len(offending) & ~3])
        ),
        elements.get(0x0902, b"").strip(b" \0"),
        _US.unpack(error_id)[0] if len(error_id) == 2 else None,
        unusual,
    )


def _cancel_rq(elements: _Elements, has_identifier: bool, unusual: tuple[str, ...]) -> Command:
    if has_identifier:
        raise MalformedMessage("C-CANCEL-RQ with identifier")
    return CancelRQ(_number(elements, 0x0120, "Message ID Being Responded To"))


def _echo_rq(elements: _Elements, has_identifier: bool, unusual: tuple[str, ...]) -> Command:
    if has_identifier:
        raise MalformedMessage("C-ECHO-RQ with data set")
    return EchoRQ(_number(elements, 0x0110, "Message ID"), _sop_class(elements))


def _echo_rsp(elements: _Elements, has_identifier: bool, unusual: tuple[str, ...]) -> Command:
    if has_identifier:
        raise MalformedMessage("C-ECHO-RSP with data set")
    return EchoRSP(
        _number(elements, 0x0120, "Message ID Being Responded To"),
        _number(elements, 0x0900, "Status"),
        _sop_class(elements),
    )


_DECODERS: Final[dict[int, Callable[[_Elements, bool, tuple[str, ...]], Command]]] = {
    _FIND_RQ: _find_rq,
    _FIND_RSP: _find_rsp,
    _CANCEL_RQ: _cancel_rq,
    _ECHO_RQ: _echo_rq,
    _ECHO_RSP: _echo_rsp,
}
