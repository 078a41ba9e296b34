"""DIMSE messages as findscu writes and reads them (PS3.7 Section 9.1.2).

`dimse` is strict where this is not: any C-FIND-RSP will do whose message ID is the expected one.
"""

import struct
from collections.abc import Iterator
from typing import Final

from asyncfind.dimse.command import CancelRQ, FindRQ, encode_command
from asyncfind.findscu.association import Association
from asyncfind.findscu.commands import Response, parse_response
from asyncfind.findscu.conditions import (
    BAD_CONTEXT_ID,
    RECEIVE_FAILED,
    SEND_FAILED,
    UNEXPECTED_PDV,
    Bad,
    Condition,
    dcmnet,
)
from asyncfind.findscu.dataset import Words
from asyncfind.findscu.fragments import fragment
from asyncfind.findscu.reader import DataSetReader
from asyncfind.findscu.voice import Voice
from asyncfind.query.element import Item
from asyncfind.query.syntax import IMPLICIT_VR_LITTLE_ENDIAN, SYNTAXES, TransferSyntax
from asyncfind.ul.pdu import PDV

__all__ = ["Channel"]

_MAX_COMMAND: Final = 64 * 1024
_MAX_IDENTIFIER: Final = 16 * 1024 * 1024
_MAX_PDU: Final = 131072
_MIN_PDU: Final = 4096
_HEADERS: Final = 12
_READ_FAILED: Final = 0x20C


class Channel:
    """Messages of one association.

    Args:
        association: established.
        words: the dictionary, for what is received.
        warning: what each warning about a message begins with.
        dimse_timeout: seconds for each part of a message to come; 0 for none.
        correction: `+dc`.
    """

    def __init__(
        self,
        association: Association,
        net: Voice,
        data: Voice,
        words: Words,
        *,
        warning: str,
        dimse_timeout: int,
        correction: bool,
    ) -> None:
        self._association = association
        self._net = net
        self._data = data
        self._words = words
        self._warning = warning
        self._timeout = dimse_timeout
        self._correction = correction
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
        for index, whole in enumerate(fragments):
            pieces = list(_cut(whole, size))
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
        response = parse_response(command, self._net, self._data, self._warning)
        if response.message_id != message_id:
            text = (
                f"DIMSE: Unexpected Response MsgId: {response.message_id} (expected: {message_id})"
            )
            raise Bad(dcmnet(0x211, text))
        return response

    async def _receive_command(self) -> Item:
        """Receive a command set.

        Fragments of data are read as one as well before findscu notices: its log shows it.
        """
        reader = self._reader(IMPLICIT_VR_LITTLE_ENDIAN)
        context_id: int | None = None
        size = 0
        is_command, is_last = True, False
        while is_command and not is_last:
            try:
                pdv = await self._association.next_pdv(self._timeout)
            except Bad as bad:
                raise _received(bad) from None
            if context_id is None:
                context_id = pdv.context_id
            elif pdv.context_id != context_id:
                raise _different_contexts("Command Set", context_id, pdv)
            if len(pdv.data) % 2:
                # findscu goes on with what it has, and reports the trouble that comes of it.
                break
            size += len(pdv.data)
            if size > _MAX_COMMAND:
                raise Bad(RECEIVE_FAILED)
            try:
                reader.feed(pdv.data, last=pdv.is_last)
            except Bad as bad:
                text = "DIMSE: receiveCommand: cmdSet->read() Failed"
                raise Bad(dcmnet(RECEIVE_FAILED.code, text, bad.condition)) from None
            is_command, is_last = pdv.is_command, pdv.is_last
        assert context_id is not None
        self._check_context(context_id)
        if not is_command:
            raise _receive_failed(dcmnet(UNEXPECTED_PDV.code, "DIMSE: Command PDV Expected"))
        return reader.item

    async def receive_identifier(self) -> tuple[Item, TransferSyntax | None]:
        """Receive the data set that belongs to a response.

        Returns:
            The data set and what it was encoded in; None where nothing is.

        Raises:
            Bad: the condition that findscu ends with instead.
        """
        reader: DataSetReader | None = None
        size = 0
        pdv = await self._next_data()
        context_id = pdv.context_id
        syntax = self._check_context(context_id)
        reader = self._reader(syntax)
        while True:
            if len(pdv.data) % 2:
                text = f"DIMSE: Odd Fragment Length: {len(pdv.data)}"
                raise Bad(dcmnet(RECEIVE_FAILED.code, text))
            size += len(pdv.data)
            if size > _MAX_IDENTIFIER:
                raise Bad(RECEIVE_FAILED)
            try:
                reader.feed(pdv.data, last=pdv.is_last)
            except Bad as bad:
                text = "DIMSE receiveDataSetInMemory: dset->read() Failed "
                self._net.warn(f"{self._warning}{text}({bad.condition.text})")
                raise Bad(RECEIVE_FAILED) from None
            if pdv.is_last:
                return reader.item, syntax if reader.has_begun else None
            pdv = await self._next_data()
            if pdv.context_id != context_id:
                raise _different_contexts("data set", context_id, pdv)

    async def _next_data(self) -> PDV:
        pdv = await self._association.next_pdv(self._timeout)
        if pdv.is_command:
            raise Bad(UNEXPECTED_PDV)
        return pdv

    def _reader(self, syntax: TransferSyntax) -> DataSetReader:
        return DataSetReader(syntax, self._words, self._data, correction=self._correction)

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


def _received(bad: Bad) -> Bad:
    if bad.condition.code == _READ_FAILED:
        return _receive_failed(bad.condition)
    return bad


def _receive_failed(cause: Condition) -> Bad:
    return Bad(dcmnet(RECEIVE_FAILED.code, RECEIVE_FAILED.text, cause))


def _different_contexts(where: str, context_id: int, pdv: PDV) -> Bad:
    text = f"DIMSE: Different PresIDs inside {where}: {context_id} != {pdv.context_id}"
    return _receive_failed(dcmnet(0x206, text))
