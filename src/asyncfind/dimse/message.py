"""Messages to presentation data values and back (PS3.7 Section 6.3, PS3.8 Annex E)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from asyncfind.dimse.command import Command, CommandSet, breach, decode_command_set
from asyncfind.errors import LimitExceeded, PeerError, ProtocolViolation
from asyncfind.ul.pdu import PDV

__all__ = ["Assembler", "Message", "fragment"]

_LARGEST: Final = 131072
"""What "no limit" means when we send, in bytes, as findscu has it."""
_PDU_OVERHEAD: Final = 12
"""Headers of PDU, item and control: findscu counts them all against the peer's limit."""
_ITEM_OVERHEAD: Final = 6
"""Headers of item and control alone, which is what the limit is of (PS3.8 Annex D.1)."""
_SMALLEST: Final = 8
"""The smallest limit that lets anything through: a fragment of 2 bytes."""


class Message(NamedTuple):
    """A whole DIMSE message.

    Args:
        identifier: as received, undecoded; None where the command announced none.
    """

    context_id: int
    command: Command
    identifier: bytes | None


class Assembler:
    """Joins fragments to messages, whatever their sizes.

    A message is all of its command, then all of its identifier if it announces one, on one
    presentation context; every other order is a breach. Fragments may be empty or of odd length.

    Args:
        max_command: the longest command set taken, in bytes.
        max_identifier: the longest identifier taken, in bytes, as received.

    Attributes:
        error: why nothing more can be assembled; None as long as all is well.
    """

    def __init__(
        self, max_command: int = 64 * 1024, max_identifier: int = 16 * 1024 * 1024
    ) -> None:
        self.error: PeerError | None = None
        self._max_command = max_command
        self._max_identifier = max_identifier
        # The message in progress: its context, None between messages; the fragments so far of
        # what is being received; its command once that is whole.
        self._context_id: int | None = None
        self._buffer = bytearray()
        self._command: Command | None = None
        # The last command set. Pending responses repeat theirs byte for byte.
        self._last_bytes: bytes | None = None
        self._last: CommandSet | None = None

    @property
    def in_progress(self) -> bool:
        """A message has begun and is not complete."""
        return self._context_id is not None

    def feed(self, pdvs: Sequence[PDV]) -> list[Message]:
        """Take fragments and return the messages that they complete.

        Messages that were complete before an error are returned, with the error in `error`; it
        is raised when there are none, and by every later call.

        Raises:
            MalformedMessage: the peer broke PS3.7.
            LimitExceeded: a command set or identifier that is too long.
        """
        if self.error is not None:
            raise self.error
        messages: list[Message] = []
        index, count = 0, len(pdvs)
        try:
            while index < count:
                if self._context_id is None:
                    index = self._take_pairs(pdvs, index, messages)
                    if index == count:
                        break
                message = self._take(pdvs[index])
                if message is not None:
                    messages.append(message)
                index += 1
        except PeerError as error:
            self.error = error
            self._end()
            if not messages:
                raise
        return messages

    def _take_pairs(self, pdvs: Sequence[PDV], index: int, messages: list[Message]) -> int:
        """Take pairs of a whole command like the last one and a whole identifier.

        The hot path: archives send little else. Whatever is different in any way, faults
        included, is left to `_take`.

        Returns:
            the index of the first fragment not taken.
        """
        if self._last is None or not self._last.has_identifier:
            return index
        command, expected, limit = self._last.command, self._last_bytes, self._max_identifier
        last = len(pdvs) - 1
        new, append = tuple.__new__, messages.append
        while index < last:
            context_id, is_command, is_last, data = pdvs[index]
            if data != expected or not is_command or not is_last:
                break
            other_id, is_command, is_last, data = pdvs[index + 1]
            if is_command or not is_last or other_id != context_id or len(data) > limit:
                break
            # Not Message(...), whose __new__ in Python costs more than the rest.
            append(new(Message, (context_id, command, data)))
            index += 2
        return index

    def _take(self, pdv: PDV) -> Message | None:
        """Take one fragment; return the message that it completes."""
        context_id, is_command, is_last, data = pdv
        self._check_order(context_id, is_command)
        self._context_id = context_id
        self._check_size(len(self._buffer) + len(data), is_command)
        if not is_last:
            self._buffer += data
            return None
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer)
            self._buffer.clear()
        if is_command:
            command, has_identifier = self._decode(data)
            if has_identifier:
                self._command = command
                return None
            message = Message(context_id, command, None)
        else:
            assert self._command is not None
            message = Message(context_id, self._command, data)
        self._end()
        return message

    def _check_order(self, context_id: int, is_command: bool) -> None:
        if self._context_id is not None and context_id != self._context_id:
            raise breach(
                f"a fragment on presentation context {context_id} inside a message on context "
                f"{self._context_id}; fragments of messages shall not be interleaved"
            )
        if is_command:
            if self._command is not None:
                raise breach("a command fragment where the announced identifier shall follow")
        elif self._command is None:
            if self._context_id is not None:
                raise breach("a data set fragment before the last fragment of its command")
            if self._last is None:
                raise breach("a data set fragment without a command before it")
            if self._last.has_identifier:
                raise breach("a data set fragment after the last one of its identifier")
            raise breach(
                "a data set fragment after a command whose Command Data Set Type (0000,0800) "
                "announces none"
            )

    def _check_size(self, size: int, is_command: bool) -> None:
        if is_command:
            if size > self._max_command:
                raise LimitExceeded(
                    f"a command set of more than {self._max_command} bytes, which is our limit",
                    "No option raises it: commands are short; the peer's vendor should know.",
                )
        elif size > self._max_identifier:
            raise LimitExceeded(
                f"an identifier of more than {self._max_identifier} bytes, "
                "the limit of --max-dataset",
                "Raise --max-dataset if answers may be that long.",
            )

    def _decode(self, data: bytes) -> CommandSet:
        if self._last is None or data != self._last_bytes:
            self._last = decode_command_set(data)
            self._last_bytes = data
        return self._last

    def _end(self) -> None:
        self._context_id = None
        self._command = None
        self._buffer.clear()


def fragment(
    context_id: int, command_bytes: bytes, identifier: bytes | None, max_length: int
) -> list[PDV]:
    """Cut a message into fragments, each for a P-DATA-TF of its own.

    All but the last of command or identifier have an even length, on which DCMTK insists; like
    findscu's they leave room for the PDU header where the limit allows it.

    Args:
        command_bytes: an encoded command set.
        identifier: None where the command announces none.
        max_length: the longest P-DATA-TF that the peer takes, in bytes; 0 is no limit
            (PS3.8 Annex D.1).

    Raises:
        ProtocolViolation: the peer's limit lets no fragment through.
    """
    size = _fragment_size(max_length)
    pdvs = _cut(context_id, True, command_bytes, size)
    if identifier is not None:
        pdvs += _cut(context_id, False, identifier, size)
    return pdvs


def _fragment_size(max_length: int) -> int:
    if 0 < max_length < _SMALLEST:
        raise ProtocolViolation(
            f"the peer takes P-DATA-TFs of at most {max_length} bytes, no fragment fits in them",
            "Set a larger maximum PDU length at the peer; 16384 is usual.",
        )
    if max_length == 0 or max_length > _LARGEST:
        max_length = _LARGEST
    overhead = _PDU_OVERHEAD if max_length > _PDU_OVERHEAD + 1 else _ITEM_OVERHEAD
    return (max_length - overhead) & ~1


def _cut(context_id: int, is_command: bool, data: bytes, size: int) -> list[PDV]:
    """At least one fragment, be it empty; the last one says that it is."""
    last = max(len(data) - 1, 0) // size * size
    return [
        PDV(context_id, is_command, start == last, data[start : start + size])
        for start in range(0, last + 1, size)
    ]
