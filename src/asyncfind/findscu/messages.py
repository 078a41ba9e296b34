"""DIMSE messages as findscu writes and reads them (PS3.7 Section 9.1.2).

`dimse` is strict where this is not: any C-FIND-RSP will do whose message ID is the expected one.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from asyncfind.dimse.command import CancelRQ, FindRQ, encode_command
from asyncfind.findscu.association import Association
from asyncfind.findscu.conditions import (
    BAD_CONTEXT_ID,
    RECEIVE_FAILED,
    SEND_FAILED,
    UNEXPECTED_PDV,
    Bad,
    Condition,
    dcmnet,
)
from asyncfind.findscu.fragments import fragment
from asyncfind.findscu.voice import Voice
from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import IMPLICIT_VR_LITTLE_ENDIAN, SYNTAXES, TransferSyntax
from asyncfind.ul.pdu import PDV

__all__ = ["Channel", "Response"]

_MAX_COMMAND: Final = 64 * 1024
_MAX_IDENTIFIER: Final = 16 * 1024 * 1024
_MAX_PDU: Final = 131072
_MIN_PDU: Final = 4096
_HEADERS: Final = 12
_FIND_RSP: Final = 0x8020
_NO_DATA_SET: Final = 0x0101
_READ_FAILED: Final = 0x20C
_PARSE_FAILED: Final = 0x20B
_KNOWN_COMMANDS: Final = frozenset(
    (
        *(0x0001, 0x8001, 0x0010, 0x8010, 0x0020, 0x8020, 0x0021, 0x8021, 0x0030, 0x8030),
        *(0x0FFF, 0x0100, 0x8100, 0x0110, 0x8110, 0x0120, 0x8120, 0x0130, 0x8130),
        *(0x0140, 0x8140, 0x0150, 0x8150),
    )
)
_VRS: Final[Mapping[int, str]] = {0x0901: "AT", 0x0902: "LO", 0x0903: "US"}
_TAKEN: Final = frozenset((0x0000, 0x0002, 0x0100, 0x0120, 0x0800, 0x0900))


@dataclass(frozen=True, slots=True)
class Response:
    """A C-FIND-RSP.

    Args:
        sop_class: None where the peer named none.
        detail: what else is in the command set; None where nothing is.
    """

    message_id: int
    sop_class: str | None
    has_data_set: bool
    status: int
    detail: Item | None


class Channel:
    """Messages of one association.

    Args:
        association: established.
        syntaxes: transfer syntax by accepted presentation context; None for one that is unknown.
        dimse_timeout: seconds for each part of a message to come; 0 for none.
    """

    def __init__(
        self, association: Association, net: Voice, data: Voice, *, dimse_timeout: int
    ) -> None:
        self._association = association
        self._net = net
        self._data = data
        self._timeout = dimse_timeout
        accepted = association.accepted
        self._syntaxes = {
            context.context_id: context.transfer_syntaxes[0]
            for context in reversed(accepted.contexts)
            if context.result == 0
        }
        self._peer_limit = accepted.max_length
        self.pdv_length = self._choose_pdv_length()

    def _choose_pdv_length(self) -> int:
        length = self._peer_limit
        if not 0 < length <= _MAX_PDU:
            length = _MAX_PDU
        if length % 2:
            text = f"ASSOC: PDV send length {length} is odd (using {length - 1})"
            self._net.warn(text)
            length -= 1
        length -= _HEADERS
        if length < 1:
            self._net.warn(f"ASSOC: PDV send length {length} (using default)")
            length = _MIN_PDU - _HEADERS
        if length < _HEADERS:
            text = "ASSOC: PDV send length too small, using DUL to split larger PDVs."
            self._net.warn(text)
            length = _MIN_PDU - _HEADERS
        return length

    @property
    def has_context(self) -> bool:
        """Presentation context 1, the only one proposed, was accepted."""
        return 1 in self._syntaxes

    @property
    def is_accepted(self) -> bool:
        """Any presentation context was accepted."""
        return bool(self._syntaxes)

    @property
    def syntax(self) -> TransferSyntax | None:
        """The transfer syntax of presentation context 1; None where it is unknown."""
        return SYNTAXES.get(self._syntaxes[1])

    @property
    def syntax_uid(self) -> str:
        """Its UID, as the peer named it."""
        return self._syntaxes[1]

    # Sending.

    async def send_find(self, message_id: int, sop_class: str, identifier: list[bytes]) -> None:
        """Send C-FIND-RQ.

        Args:
            identifier: in the fragments that it is to be sent in.
        """
        command = encode_command(FindRQ(sop_class=sop_class, message_id=message_id), True)
        pdus = [
            *self._pdus(self._cut_command(command), is_command=True),
            *self._pdus(identifier, is_command=False),
        ]
        await self._association.send_pdvs(pdus)

    async def send_cancel(self, message_id: int) -> None:
        """Send C-CANCEL-RQ."""
        command = encode_command(CancelRQ(message_id=message_id), False)
        pdus = self._pdus(self._cut_command(command), is_command=True)
        await self._association.send_pdvs(list(pdus))

    def _cut_command(self, command: bytes) -> list[bytes]:
        return fragment(command, IMPLICIT_VR_LITTLE_ENDIAN, self.pdv_length)

    def _pdus(self, fragments: list[bytes], *, is_command: bool) -> Iterator[bytes]:
        """P-DATA-TFs of one fragment each, cut again where the peer takes even less."""
        limit = self._peer_limit
        if 0 < limit < 14:
            text = (
                f"DUL Cannot send P-DATA PDU because receiver's max PDU size of {limit} is illegal "
                "(must be > 12)"
            )
            raise Bad(dcmnet(SEND_FAILED.code, SEND_FAILED.text, dcmnet(0x308, text)))
        size = limit - _HEADERS if limit else _MAX_PDU - _HEADERS
        for index, fragment in enumerate(fragments):
            pieces = list(_cut(fragment, size))
            for number, piece in enumerate(pieces):
                is_last = index == len(fragments) - 1 and number == len(pieces) - 1
                control = is_command | is_last << 1
                yield struct.pack(">BxIIBB", 4, len(piece) + 6, len(piece) + 2, 1, control) + piece

    # Receiving.

    async def receive_response(self, message_id: int) -> Response:
        """Receive the next C-FIND-RSP to request `message_id`.

        Raises:
            Bad: the condition that findscu ends with instead.
        """
        command = await self._receive_command()
        field = _us(command, 0x0100)
        if field is None:
            raise Bad(dcmnet(_PARSE_FAILED, "DIMSE_parseCmdObject: Missing CommandField"))
        if field not in _KNOWN_COMMANDS:
            text = f"DIMSE_parseCmdObject: Invalid Command Message: 0x{field:x}"
            raise Bad(dcmnet(0x201, text))
        if field != _FIND_RSP:
            text = f"DIMSE: Unexpected Response Command Field: 0x{field:x}"
            raise Bad(dcmnet(0x211, text))
        responded = _need(command, 0x0120, "MessageIDBeingRespondedTo")
        data_set_type = _need(command, 0x0800, "CommandDataSetType")
        status = _need(command, 0x0900, "Status")
        if responded != message_id:
            text = f"DIMSE: Unexpected Response MsgId: {responded} (expected: {message_id})"
            raise Bad(dcmnet(0x211, text))
        uid = command.get(0x0002)
        sop_class = None
        if uid is not None and len(uid) <= 64:
            sop_class = uid.split(b"\0", 1)[0].decode("latin_1").strip(" ")
        has_data_set = data_set_type != _NO_DATA_SET
        return Response(responded, sop_class, has_data_set, status, _detail(command))

    async def _receive_command(self) -> dict[int, bytes]:
        data = bytearray()
        context_id: int | None = None
        pdv: PDV | None = None
        while pdv is None or (pdv.is_command and not pdv.is_last):
            try:
                pdv = await self._association.next_pdv(self._timeout)
            except Bad as bad:
                raise _received(bad) from None
            if context_id is None:
                context_id = pdv.context_id
            elif pdv.context_id != context_id:
                text = (
                    "DIMSE: Different PresIDs inside Command Set: "
                    f"{context_id} != {pdv.context_id}"
                )
                raise _receive_failed(dcmnet(0x206, text))
            if len(pdv.data) % 2:
                # findscu goes on with what it has, and reports the trouble that comes of it.
                break
            if not data:
                self._data.debug('DcmDataset::read() TransferSyntax="Little Endian Implicit"')
            data += pdv.data
            if len(data) > _MAX_COMMAND:
                raise Bad(RECEIVE_FAILED)
        assert pdv is not None
        assert context_id is not None
        self._check_context(context_id)
        if not pdv.is_command:
            raise _receive_failed(dcmnet(UNEXPECTED_PDV.code, "DIMSE: Command PDV Expected"))
        return _parse(bytes(data))

    async def receive_identifier(self) -> tuple[bytes, TransferSyntax]:
        """Receive the data set that belongs to a response.

        Raises:
            Bad: the condition that findscu ends with instead.
        """
        data = bytearray()
        context_id: int | None = None
        syntax: TransferSyntax | None = None
        pdv: PDV | None = None
        while pdv is None or not pdv.is_last:
            pdv = await self._association.next_pdv(self._timeout)
            if pdv.is_command:
                raise Bad(UNEXPECTED_PDV)
            if context_id is None:
                context_id = pdv.context_id
                syntax = self._check_context(context_id)
            elif pdv.context_id != context_id:
                text = (
                    f"DIMSE: Different PresIDs inside data set: {context_id} != {pdv.context_id}"
                )
                raise _receive_failed(dcmnet(0x206, text))
            if len(pdv.data) % 2:
                text = f"DIMSE: Odd Fragment Length: {len(pdv.data)}"
                raise Bad(dcmnet(RECEIVE_FAILED.code, text))
            if not data and syntax is not None:
                self._data.debug(f'DcmDataset::read() TransferSyntax="{syntax.name}"')
            data += pdv.data
            if len(data) > _MAX_IDENTIFIER:
                raise Bad(RECEIVE_FAILED)
        assert syntax is not None
        return bytes(data), syntax

    def _check_context(self, context_id: int) -> TransferSyntax:
        uid = self._syntaxes.get(context_id)
        if uid is None:
            raise _receive_failed(BAD_CONTEXT_ID)
        syntax = SYNTAXES.get(uid)
        if syntax is None:
            text = f"DIMSE Unsupported transfer syntax: {uid}"
            raise _receive_failed(dcmnet(0x212, text))
        return syntax


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, max(len(data), 1), size):
        yield data[start : start + size]


def _parse(data: bytes) -> dict[int, bytes]:
    """Values of a command set by element number, of group 0000 alone."""
    found: dict[int, bytes] = {}
    pos = 0
    while pos + 8 <= len(data):
        group, number, length = struct.unpack_from("<HHI", data, pos)
        pos += 8
        if pos + length > len(data):
            text = "DIMSE: receiveCommand: cmdSet->read() Failed"
            cause = Condition(1, 4, "Invalid stream")
            raise Bad(dcmnet(RECEIVE_FAILED.code, text, cause))
        if group == 0:
            found.setdefault(number, data[pos : pos + length])
        pos += length
    return found


def _us(command: Mapping[int, bytes], number: int) -> int | None:
    value = command.get(number, b"")
    return int.from_bytes(value[:2], "little") if len(value) >= 2 else None


def _need(command: Mapping[int, bytes], number: int, name: str) -> int:
    value = _us(command, number)
    if value is None:
        text = f"DIMSE: Command Parse Failed: Element: (0000,{number:04x}) {name}"
        raise Bad(dcmnet(_PARSE_FAILED, text))
    return value


def _detail(command: Mapping[int, bytes]) -> Item | None:
    rest = sorted(number for number in command if number not in _TAKEN)
    if not rest:
        return None
    elements = {
        number: Element(number, _VRS.get(number, "UN"), command[number], len(command[number]))
        for number in rest
    }
    return Item(elements)


def _received(bad: Bad) -> Bad:
    if bad.condition.code == _READ_FAILED:
        return _receive_failed(bad.condition)
    return bad


def _receive_failed(cause: Condition) -> Bad:
    return Bad(dcmnet(RECEIVE_FAILED.code, RECEIVE_FAILED.text, cause))
