"""An acceptor by hand with an asynchronous operations window: responses in the order of a test."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from acceptor import agreement

from asyncfind.dimse.command import CancelRQ, FindRQ, FindRSP, encode_command
from asyncfind.dimse.message import Assembler, fragment
from asyncfind.net.transport import Stream
from asyncfind.ul.items import AsynchronousOperations
from asyncfind.ul.pdu import PDV
from asyncfind.ul.upper_layer import (
    AssociateRequested,
    DataReceived,
    ReleaseRequested,
    UpperLayer,
)

__all__ = ["CANCELLED", "SUCCESS", "Acceptor", "final", "numbered", "pending"]

SUCCESS: Final = 0x0000
CANCELLED: Final = 0xFE00


def numbered(query: str, number: int) -> bytes:
    """An identifier in Explicit VR Little Endian: Patient ID is `QUERY-NUMBER`."""
    text = f"{query}-{number}".encode()
    text += b" " * (len(text) % 2)
    return bytes.fromhex("10002000 4c4f") + len(text).to_bytes(2, "little") + text


def pending(message_id: int, identifier: bytes, context_id: int = 1) -> list[PDV]:
    """A pending response as fragments."""
    command = encode_command(FindRSP(message_id, 0xFF00), has_identifier=True)
    return fragment(context_id, command, identifier, 0)


def final(message_id: int, status: int = SUCCESS, context_id: int = 1) -> list[PDV]:
    """A final response as fragments."""
    command = encode_command(FindRSP(message_id, status), has_identifier=False)
    return fragment(context_id, command, None, 0)


@dataclass
class Acceptor:
    """The acceptor's side of one association; a test says what is sent.

    Args:
        stream: a new connection.
        window: of operations, as answered to those who ask.

    Attributes:
        requests: every C-FIND-RQ, in the order of its arrival, with its identifier.
        cancelled: message ids of the C-CANCEL-RQs.
        is_over: release or the end of the connection has come.
    """

    stream: Stream
    window: int = 1
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    is_over: bool = False

    def __post_init__(self) -> None:
        self._upper_layer = UpperLayer(acceptor=True)
        self._upper_layer.connected(0.0)
        self._assembler = Assembler()

    async def turn(self) -> None:
        """Take what has come; waits for it."""
        data = await self.stream.receive()
        if not data:
            self.is_over = True
            return
        for indication in self._upper_layer.receive_data(data, 0.0):
            match indication:
                case AssociateRequested(rq):
                    asked = rq.user_information.asynchronous_operations
                    ac = agreement(rq)
                    if asked is not None:
                        operations = AsynchronousOperations(invoked=self.window, performed=1)
                        ac = replace(
                            ac,
                            user_information=replace(
                                ac.user_information, asynchronous_operations=operations
                            ),
                        )
                    self._upper_layer.accept(ac)
                case DataReceived(pdvs):
                    self._take(pdvs)
                case ReleaseRequested():
                    self._upper_layer.respond_release(0.0)
                    self.is_over = True
                case _:
                    self.is_over = True
        await self.stream.send(self._upper_layer.data_to_send())

    def _take(self, pdvs: Sequence[PDV]) -> None:
        for message in self._assembler.feed(pdvs):
            if isinstance(message.command, CancelRQ):
                self.cancelled.append(message.command.message_id)
            else:
                assert isinstance(message.command, FindRQ)
                self.requests.append((message.command.message_id, message.identifier or b""))

    async def until(self, requests: int = 0, cancels: int = 0) -> None:
        """Take what comes until as many requests and cancels have come, or the end."""
        while not self.is_over and not (
            len(self.requests) >= requests and len(self.cancelled) >= cancels
        ):
            await self.turn()

    async def send(self, pdvs: Iterable[PDV]) -> None:
        """Send fragments in one write."""
        await self.stream.send(self.encode(pdvs))

    def encode(self, pdvs: Iterable[PDV]) -> bytes:
        """Fragments as the bytes of PDUs."""
        self._upper_layer.send_data(pdvs)
        return self._upper_layer.data_to_send()

    async def rest(self) -> None:
        """Take what comes until the end, then close."""
        while not self.is_over:
            await self.turn()
        await self.stream.close()
