"""Messages to presentation data values and back (PS3.7 Section 6.3, PS3.8 Annex E)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from asyncfind.dimse.command import CancelRQ, Command, EchoRQ, EchoRSP, FindRSP, decode_command
from asyncfind.errors import LimitExceeded, MalformedMessage, PeerError
from asyncfind.ul.pdu import PDV

__all__ = ["Assembler", "Message", "fragment"]

_LARGEST: Final = 131072
_OVERHEAD: Final = 12
"""PDU header and PDV header: findscu keeps the whole PDU, not only its body, within the limit."""


class Message(NamedTuple):
    """A whole DIMSE message; `identifier` is None where the command announces none."""

    context_id: int
    command: Command
    identifier: bytes | None


class Assembler:
    """Joins fragments to messages.

    Args:
        max_command, max_identifier: the most bytes of each that are taken.

    Attributes:
        error: what was wrong behind the messages of the last `feed`; then no further PDV counts.
    """

    def __init__(
        self, max_command: int = 64 * 1024, max_identifier: int = 16 * 1024 * 1024
    ) -> None:
        self.error: PeerError | None = None
        self._max_command = max_command
        self._max_identifier = max_identifier
        self._command: Command | None = None
        self._context_id = 0
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def in_progress(self) -> bool:
        """A message has begun and is not complete."""
        return self._command is not None or bool(self._parts)

    def feed(self, pdvs: Sequence[PDV]) -> list[Message]:
        """Return the messages that `pdvs` complete; look at `error` after them."""
        messages: list[Message] = []
        try:
            for pdv in pdvs:
                if self.error is None and (message := self._add(pdv)) is not None:
                    messages.append(message)
        except PeerError as exc:
            self.error = exc
        return messages

    def _add(self, pdv: PDV) -> Message | None:
        context_id, is_command, is_last, data = pdv
        if not self.in_progress:
            self._context_id = context_id
        elif context_id != self._context_id:
            raise MalformedMessage("fragments of one message on two presentation contexts")
        if is_command != (self._command is None):
            raise MalformedMessage(
                "a command where an identifier must follow"
                if is_command
                else "an identifier without a command that announces it"
            )
        self._size += len(data)
        self._check_size(is_command)
        if not is_last:
            self._parts.append(data)
            return None
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
            self._parts = []
        self._size = 0
        if is_command:
            return self._end_command(data)
        assert self._command is not None
        message = Message(context_id, self._command, data)
        self._command = None
        return message

    def _check_size(self, is_command: bool) -> None:
        if is_command:
            if self._size > self._max_command:
                raise LimitExceeded(f"a command set of more than {self._max_command} bytes")
        elif self._size > self._max_identifier:
            raise LimitExceeded(
                f"an identifier of more than {self._max_identifier} bytes",
                "--max-dataset takes larger ones.",
            )

    def _end_command(self, data: bytes) -> Message | None:
        command = decode_command(data)
        if isinstance(command, CancelRQ | EchoRQ | EchoRSP) or (
            isinstance(command, FindRSP) and not command.has_identifier
        ):
            return Message(self._context_id, command, None)
        self._command = command
        return None


def fragment(
    context_id: int, command: bytes, identifier: bytes | None, max_length: int
) -> list[PDV]:
    """Cut a message into fragments that fit the peer's maximum length (PS3.8 Annex D.1).

    Args:
        max_length: of the peer's P-DATA-TF, in bytes; 0 is no limit.

    Raises:
        MalformedMessage: no fragment fits.
    """
    if max_length == 0 or max_length > _LARGEST:
        max_length = _LARGEST
    if max_length < 8:
        raise MalformedMessage(
            f"the peer's maximum PDU length of {max_length} bytes leaves no room for data",
            "Correct it in the archive's configuration; 16384 is usual.",
        )
    # Fragments are even (PS3.8 Section 9.3.5.1 Note); a tiny limit gets what fits behind the
    # header of the PDV alone.
    size = max((max_length - _OVERHEAD) & ~1, (max_length - 6) & ~1 if max_length < 14 else 0)
    pdvs = _cut(context_id, True, command, size)
    return pdvs if identifier is None else pdvs + _cut(context_id, False, identifier, size)


def _cut(context_id: int, is_command: bool, data: bytes, size: int) -> list[PDV]:
    last = max(len(data) - 1, 0) // size * size
    return [
        PDV(context_id, is_command, at == last, data[at : at + size])
        for at in range(0, last + 1, size)
    ]
