"""The acceptor's upper layer on its TCP connection: bytes and time in, bytes out."""

from collections.abc import Iterable

import anyio

from asyncfind.net.transport import Stream
from asyncfind.ul.pdu import PDV
from asyncfind.ul.upper_layer import Indication, UpperLayer

__all__ = ["Line"]


class Line:
    """One connection.

    Args:
        stream: a new connection.
        max_pdu_length: the longest P-DATA-TF we take, in bytes.

    Attributes:
        stream, upper_layer: its two halves; `flush` after whatever is asked of the upper layer.
        slices: the most bytes of one write, and seconds after each; None writes all at once.
    """

    def __init__(self, stream: Stream, max_pdu_length: int) -> None:
        self.stream = stream
        self.upper_layer = UpperLayer(acceptor=True, max_pdu_length=max_pdu_length)
        self.slices: tuple[int, float] | None = None
        self.upper_layer.connected(anyio.current_time())

    async def receive(self, deadline: float | None) -> list[Indication]:
        """Wait for bytes, the end of the connection, ARTIM or `deadline`, whatever comes first."""
        limits = [limit for limit in (deadline, self.upper_layer.deadline()) if limit is not None]
        data: bytes | None = None
        if self.stream.has_data or not limits:
            data = await self.stream.receive()
        else:
            with anyio.CancelScope(deadline=min(limits)):
                data = await self.stream.receive()
        now = anyio.current_time()
        if data is None:
            return self.upper_layer.handle_timeout(now)
        if data:
            return self.upper_layer.receive_data(data, now)
        return self.upper_layer.receive_eof(now)

    async def send(self, pdvs: Iterable[PDV]) -> None:
        """Send fragments in one write; nothing once the association has ended."""
        if self.upper_layer.is_open:
            self.upper_layer.send_data(pdvs)
            await self.flush()

    async def flush(self) -> None:
        """Send what the upper layer has to send."""
        if data := self.upper_layer.data_to_send():
            await self.write(data)

    async def write(self, data: bytes) -> None:
        """Send any bytes."""
        if self.slices is None:
            await self.stream.send(data)
            return
        size, pause = self.slices
        for start in range(0, len(data), size):
            await self.stream.send(data[start : start + size])
            await anyio.sleep(pause)
