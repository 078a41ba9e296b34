"""Command sets of C-FIND, C-CANCEL and C-ECHO (PS3.7 Sections 6.3.1 and 9.3, Annex E).

A command set is a data set of group 0000 in Implicit VR Little Endian. What decides which request
an answer belongs to and how it ends is checked strictly; what only describes is taken as it comes.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from asyncfind.errors import LocalProtocolError, MalformedMessage
from asyncfind.safe import safe

__all__ = [
    "VERIFICATION",
    "CancelRQ",
    "Command",
    "CommandSet",
    "EchoRQ",
    "EchoRSP",
    "FindRQ",
    "FindRSP",
    "breach",
    "decode_command",
    "decode_command_set",
    "encode_command",
]

VERIFICATION: Final = "1.2.840.10008.1.1"
"""Verification SOP Class (PS3.4 Annex A)."""

_GROUP_LENGTH: Final = 0x0000
_SOP_CLASS: Final = 0x0002
_COMMAND_FIELD: Final = 0x0100
_MESSAGE_ID: Final = 0x0110
_RESPONDED_TO: Final = 0x0120
_PRIORITY: Final = 0x0700
_DATA_SET_TYPE: Final = 0x0800
_STATUS: Final = 0x0900
_OFFENDING: Final = 0x0901
_COMMENT: Final = 0x0902
_ERROR_ID: Final = 0x0903

_NAMES: Final = {
    _GROUP_LENGTH: "Command Group Length",
    _SOP_CLASS: "Affected SOP Class UID",
    _COMMAND_FIELD: "Command Field",
    _MESSAGE_ID: "Message ID",
    _RESPONDED_TO: "Message ID Being Responded To",
    _PRIORITY: "Priority",
    _DATA_SET_TYPE: "Command Data Set Type",
    _STATUS: "Status",
    _OFFENDING: "Offending Element",
    _ERROR_ID: "Error ID",
}
"""Elements of group 0000 by number (PS3.7 Annex E)."""

_FIND_RQ: Final = 0x0020
_FIND_RSP: Final = 0x8020
_ECHO_RQ: Final = 0x0030
_ECHO_RSP: Final = 0x8030
_CANCEL_RQ: Final = 0x0FFF

_IDENTIFIER: Final = 0x0001
_NO_IDENTIFIER: Final = 0x0101
"""Command Data Set Type; "any other value indicates a Data Set is included" (Table 9.3-4)."""

_ELEMENT: Final = struct.Struct("<HHI")
_US: Final = struct.Struct("<H")
_UL: Final = struct.Struct("<I")
_AT: Final = struct.Struct("<HH")
_UID_CHARACTERS: Final = b"0123456789."
_UID_LENGTH: Final = 64
_SHOWN: Final = 16
"""Bytes of a bad value that an error shows."""


@dataclass(frozen=True, slots=True)
class FindRQ:
    """C-FIND-RQ (PS3.7 Section 9.3.2.1).

    Args:
        priority: 0 medium, 1 high, 2 low; peers need not honour it.
    """

    message_id: int
    sop_class: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class FindRSP:
    """C-FIND-RSP (PS3.7 Section 9.3.2.2).

    Args:
        message_id: Message ID Being Responded To.
        sop_class: Affected SOP Class UID; empty where the peer left it out.
        has_identifier: what was received announced an identifier; not looked at by
            `encode_command`.
        offending: Offending Element (0000,0901), as tags.
        comment: Error Comment (0000,0902), undecoded, without padding.
        error_id: Error ID (0000,0903).
        unusual: what is wrong with it and harmless, in words.
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
    """C-CANCEL-FIND-RQ (PS3.7 Section 9.3.2.3) for the request that had `message_id`."""

    message_id: int


@dataclass(frozen=True, slots=True)
class EchoRQ:
    """C-ECHO-RQ (PS3.7 Section 9.3.5.1)."""

    message_id: int
    sop_class: str = VERIFICATION


@dataclass(frozen=True, slots=True)
class EchoRSP:
    """C-ECHO-RSP (PS3.7 Section 9.3.5.2).

    Args:
        message_id: Message ID Being Responded To.
        sop_class: Affected SOP Class UID; empty where the peer left it out.
    """

    message_id: int
    status: int
    sop_class: str = VERIFICATION


Command = FindRQ | FindRSP | CancelRQ | EchoRQ | EchoRSP


class CommandSet(NamedTuple):
    """A command, and whether it announces that an identifier follows it."""

    command: Command
    has_identifier: bool


def breach(text: str) -> MalformedMessage:
    """The error of a peer that breaks PS3.7, with what the user can do about it."""
    return MalformedMessage(text, "The peer breaks the DICOM protocol; its vendor should know.")


def encode_command(command: Command, has_identifier: bool) -> bytes:
    """Encode a command set, its group length included, elements in tag order.

    Args:
        has_identifier: an identifier follows the command.

    Raises:
        LocalProtocolError: a value does not fit its element, or an identifier does not belong to
            this command, or is missing.
    """
    try:
        field, elements = _elements_of(command)
    except struct.error as exc:
        raise LocalProtocolError(f"{type(command).__name__}: {exc}") from exc
    if fault := _KINDS[field].fault(has_identifier):
        raise LocalProtocolError(fault)
    elements[_COMMAND_FIELD] = _US.pack(field)
    elements[_DATA_SET_TYPE] = _US.pack(_IDENTIFIER if has_identifier else _NO_IDENTIFIER)
    body = b"".join(_encode(element, elements[element]) for element in sorted(elements))
    return _encode(_GROUP_LENGTH, _UL.pack(len(body))) + body


def decode_command(data: bytes) -> Command:
    """Decode a command set.

    Raises:
        MalformedMessage: `data` breaks PS3.7 Section 6.3.1 or is none of our commands.
    """
    return decode_command_set(data).command


def decode_command_set(data: bytes) -> CommandSet:
    """Decode a command set, and tell whether an identifier follows.

    Raises:
        MalformedMessage: `data` breaks PS3.7 Section 6.3.1 or is none of our commands.
    """
    fields = _Fields(_split(data))
    field = fields.number(_COMMAND_FIELD)
    kind = _KINDS.get(field)
    if kind is None:
        raise breach(f"{_title(_COMMAND_FIELD)} is {field:04X}H, no C-FIND, C-CANCEL or C-ECHO")
    fields.name = kind.name
    fields.check_group_length(len(data))
    fields.has_identifier = fields.number(_DATA_SET_TYPE) != _NO_IDENTIFIER
    if fault := kind.fault(fields.has_identifier):
        raise breach(fault)
    return CommandSet(kind.decode(fields), fields.has_identifier)


def _title(element: int) -> str:
    return f"{_NAMES[element]} (0000,{element:04x})"


def _split(data: bytes) -> dict[int, bytes]:
    """Values by element number; every length is checked against what is there."""
    values: dict[int, bytes] = {}
    offset, last, size = 0, -1, len(data)
    while offset < size:
        start = offset + _ELEMENT.size
        if start > size:
            raise breach(f"command set: {size - offset} bytes left over, no room for an element")
        group, element, length = _ELEMENT.unpack_from(data, offset)
        if group:
            raise breach(f"command set: ({group:04x},{element:04x}) is not of group 0000")
        if element <= last:
            raise breach(f"command set: (0000,{element:04x}) after (0000,{last:04x}), out of order")
        offset, last = start + length, element
        if offset > size:
            raise breach(
                f"command set: (0000,{element:04x}) claims {length} bytes, {size - start} are there"
            )
        values[element] = data[start:offset]
    return values


class _Fields:
    """Typed access to the elements of one command set.

    Attributes:
        name: of the command, for errors.
        unusual: what is wrong and harmless.
    """

    __slots__ = ("has_identifier", "name", "unusual", "values")

    def __init__(self, values: dict[int, bytes]) -> None:
        self.values = values
        self.name = "command set"
        self.has_identifier = False
        self.unusual: list[str] = []

    def number(self, element: int, default: int | None = None) -> int:
        """A US; `default` where it is absent, which is a breach without one."""
        value = self.values.get(element)
        if value is None:
            if default is None:
                raise breach(f"{self.name}: {_title(element)} is missing")
            return default
        if len(value) != _US.size:
            raise breach(f"{self.name}: {_title(element)} has {len(value)} bytes instead of 2")
        return int.from_bytes(value, "little")

    def sop_class(self) -> str:
        """Affected SOP Class UID; empty where it is absent or empty."""
        uid = self.values.get(_SOP_CLASS, b"").rstrip(b" \0")
        if not _is_uid(uid):
            raise breach(
                f"{self.name}: {_title(_SOP_CLASS)} is no UID: {uid[:_SHOWN].hex(' ')}"
                + (" ..." if len(uid) > _SHOWN else "")
            )
        return uid.decode("ascii")

    def required_sop_class(self) -> str:
        """Affected SOP Class UID of a request."""
        uid = self.sop_class()
        if not uid:
            raise breach(f"{self.name}: {_title(_SOP_CLASS)} is missing")
        return uid

    def offending(self) -> tuple[int, ...]:
        """Offending Element, AT: group and element, each a little endian number."""
        value = self.values.get(_OFFENDING, b"")
        if odd := len(value) % _AT.size:
            self.unusual.append(f"{_title(_OFFENDING)} has {len(value)} bytes, no whole tags")
            value = value[:-odd]
        return tuple(group << 16 | element for group, element in _AT.iter_unpack(value))

    def error_id(self) -> int | None:
        """Error ID; None where it is absent or empty."""
        return self.number(_ERROR_ID) if self.values.get(_ERROR_ID) else None

    def check_group_length(self, size: int) -> None:
        """Compare the group length with what came; a wrong one is only noted."""
        value = self.values.get(_GROUP_LENGTH)
        follow = size - _ELEMENT.size - _UL.size
        if value is None:
            self.unusual.append(f"{_title(_GROUP_LENGTH)} is missing")
        elif len(value) != _UL.size:
            self.unusual.append(f"{_title(_GROUP_LENGTH)} has {len(value)} bytes instead of 4")
        elif (said := int.from_bytes(value, "little")) != follow:
            self.unusual.append(f"{_title(_GROUP_LENGTH)} is {said}, {follow} bytes follow")


def _is_uid(value: bytes) -> bool:
    return len(value) <= _UID_LENGTH and not value.translate(None, _UID_CHARACTERS)


def _find_rq(fields: _Fields) -> Command:
    # Nothing depends on the priority, so a request without one is as good as any.
    return FindRQ(
        message_id=fields.number(_MESSAGE_ID),
        sop_class=fields.required_sop_class(),
        priority=fields.number(_PRIORITY, 0),
    )


def _find_rsp(fields: _Fields) -> Command:
    return FindRSP(
        message_id=fields.number(_RESPONDED_TO),
        status=fields.number(_STATUS),
        sop_class=fields.sop_class(),
        has_identifier=fields.has_identifier,
        offending=fields.offending(),
        comment=fields.values.get(_COMMENT, b"").rstrip(b" \0"),
        error_id=fields.error_id(),
        unusual=tuple(fields.unusual),
    )


def _cancel_rq(fields: _Fields) -> Command:
    return CancelRQ(message_id=fields.number(_RESPONDED_TO))


def _echo_rq(fields: _Fields) -> Command:
    return EchoRQ(message_id=fields.number(_MESSAGE_ID), sop_class=fields.required_sop_class())


def _echo_rsp(fields: _Fields) -> Command:
    return EchoRSP(
        message_id=fields.number(_RESPONDED_TO),
        status=fields.number(_STATUS),
        sop_class=fields.sop_class(),
    )


class _Kind(NamedTuple):
    """What a Command Field stands for.

    Args:
        identifier: it shall come with an identifier (True), without (False), or either (None).
    """

    name: str
    identifier: bool | None
    decode: Callable[[_Fields], Command]

    def fault(self, has_identifier: bool) -> str:
        """What is wrong with an identifier, or with none; empty where that is as it shall be."""
        if self.identifier is None or self.identifier is has_identifier:
            return ""
        what = "an identifier" if has_identifier else "no identifier"
        return f"{self.name}: {_title(_DATA_SET_TYPE)} announces {what}"


_KINDS: Final = {
    _FIND_RQ: _Kind("C-FIND-RQ", True, _find_rq),
    _FIND_RSP: _Kind("C-FIND-RSP", None, _find_rsp),
    _CANCEL_RQ: _Kind("C-CANCEL-RQ", False, _cancel_rq),
    _ECHO_RQ: _Kind("C-ECHO-RQ", False, _echo_rq),
    _ECHO_RSP: _Kind("C-ECHO-RSP", False, _echo_rsp),
}


def _elements_of(command: Command) -> tuple[int, dict[int, bytes]]:
    """Command Field and the elements that not every command has."""
    match command:
        case FindRQ(message_id, sop_class, priority):
            return _FIND_RQ, {
                _SOP_CLASS: _encode_uid(sop_class),
                _MESSAGE_ID: _US.pack(message_id),
                _PRIORITY: _US.pack(priority),
            }
        case FindRSP(message_id, status):
            elements = _response(message_id, status, command.sop_class)
            if command.offending:
                elements[_OFFENDING] = _encode_tags(command.offending)
            if command.comment:
                elements[_COMMENT] = command.comment + b" " * (len(command.comment) % 2)
            if command.error_id is not None:
                elements[_ERROR_ID] = _US.pack(command.error_id)
            return _FIND_RSP, elements
        case CancelRQ(message_id):
            return _CANCEL_RQ, {_RESPONDED_TO: _US.pack(message_id)}
        case EchoRQ(message_id, sop_class):
            return _ECHO_RQ, {
                _SOP_CLASS: _encode_uid(sop_class),
                _MESSAGE_ID: _US.pack(message_id),
            }
        case _:
            response: EchoRSP = command
            return _ECHO_RSP, _response(response.message_id, response.status, response.sop_class)


def _response(message_id: int, status: int, sop_class: str) -> dict[int, bytes]:
    elements = {_RESPONDED_TO: _US.pack(message_id), _STATUS: _US.pack(status)}
    if sop_class:
        elements[_SOP_CLASS] = _encode_uid(sop_class)
    return elements


def _encode(element: int, value: bytes) -> bytes:
    return _ELEMENT.pack(0, element, len(value)) + value


def _encode_uid(uid: str) -> bytes:
    value = uid.encode("ascii", "replace")
    if not value or not _is_uid(value):
        raise LocalProtocolError(f"'{safe(uid, _UID_LENGTH)}' is no UID")
    return value + b"\0" * (len(value) % 2)


def _encode_tags(tags: Iterable[int]) -> bytes:
    return b"".join(_AT.pack(tag >> 16, tag & 0xFFFF) for tag in tags)
