"""One connection as bytes in both directions, by TCP or TLS, with back-pressure.

A thin `asyncio.Protocol` under anyio's structured concurrency. Reading stops when nobody takes
what was read, so that a slow reader fills the TCP window and the peer waits.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Final, cast

import anyio

from asyncfind.errors import TlsFailed
from asyncfind.net.tls_session import TlsSession

__all__ = ["Stream"]

_READ_AHEAD: Final = 256 * 1024
"""Bytes read and not yet taken at which we stop reading the socket."""
_LEFT_READS: Final = 16
"""How often we read on from a connection that broke; the kernel holds no more than that."""
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class Stream(asyncio.Protocol):
    """One TCP connection, as bytes in both directions; `start_tls` puts TLS on it.

    `receive` and `send` may each be awaited by one task at a time.

    Attributes:
        error: why the connection was lost, `TlsFailed` where TLS says so; None after an orderly
            end.
        tls: the TLS on it; None for plain TCP, and until the handshake is done.
        tls_seconds: how long the handshake took.
    """

    def __init__(self, on_connected: "Callable[[Stream], None] | None" = None) -> None:
        self._on_connected = on_connected
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._eof = False
        self._lost = False
        self._paused_reading = False
        self._paused_writing = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing = False
        self._tcp_eof = False
        self.error: OSError | TlsFailed | None = None
        self.tls: TlsSession | None = None
        self.tls_seconds = 0.0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are no subclass of asyncio's.
        self._transport = transport = cast(asyncio.Transport, transport)
        # Zero: `send` returns only once the kernel has taken everything, which is what a send
        # deadline measures and what keeps our own memory flat.
        transport.set_write_buffer_limits(high=0)
        _tune(transport.get_extra_info("socket"))
        if self._on_connected is not None:
            self._on_connected(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self.tls is not None:
            if self.tls.ended:
                return  # nothing that follows means anything, and it must not pile up
            self.tls.receive_data(data)
            data = self._decrypt()
            if not data:
                return
        self._chunks.append(data)
        self._size += len(data)
        if self._size >= _READ_AHEAD and not self._paused_reading and self._transport is not None:
            self._transport.pause_reading()
            self._paused_reading = True
        _wake(self._reader)

    def eof_received(self) -> bool:
        self._tcp_eof = True
        if self.tls is not None and not self._closing:
            self.tls.receive_eof()
            if data := self._decrypt():
                self._chunks.append(data)
        self._eof = True
        _wake(self._reader)
        # Our half stays open: an A-ABORT or A-RELEASE-RP may still have to go out.
        return not self._closing

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, OSError):
            self._read_what_is_left()
        self._eof = self._lost = True
        if isinstance(exc, OSError) and self.error is None:
            self.error = exc
        _wake(self._reader)
        _wake(self._writer)
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        self._paused_writing = True

    def resume_writing(self) -> None:
        self._paused_writing = False
        _wake(self._writer)

    def _read_what_is_left(self) -> None:
        """Take what the kernel still holds when a write has failed: the loop no longer reads it.

        A peer that refuses us says why (an alert, A-ASSOCIATE-RJ, A-ABORT) before it closes with
        bytes of ours unread, and the RST that this causes fails our next write.
        """
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # closed, empty, or reset at last
            for _ in range(_LEFT_READS):
                if not (data := os.read(sock.fileno(), _READ_AHEAD)):
                    break
                self.data_received(data)

    def _decrypt(self) -> bytes:
        """What has come by TLS; its end and its failure become those of the stream."""
        assert self.tls is not None
        data = self.tls.decrypt()
        answer = self.tls.data_to_send()
        if answer and self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)
        if self.tls.error is not None and self.error is None:
            # Here, because only connections that break pay for its import.
            from asyncfind.net.tls_errors import describe

            self.error = describe(self.tls.error, self.tls)
        if self.tls.ended:
            self._eof = True
            _wake(self._reader)
        return data

    # What we call.

    async def start_tls(self, session: TlsSession) -> None:
        """Do the TLS handshake; from then on all bytes go through `session`.

        Raises:
            ssl.SSLError: it failed; the peer has been told why.
            OSError: the connection broke.
        """
        try:
            while not session.handshake():
                await self.send(session.data_to_send())
                if data := await self.receive():
                    session.receive_data(data)
                elif isinstance(self.error, OSError):
                    raise self.error
                else:
                    session.receive_eof()
        except ssl.SSLError:
            await self.send(session.data_to_send())
            raise
        await self.send(session.data_to_send())
        # No await from here on: what came with the end of the handshake is the session's.
        early = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        self.tls = session
        self.data_received(early)
        if self._tcp_eof:
            self.eof_received()

    @property
    def has_data(self) -> bool:
        """Bytes, or the end of the stream, are there without waiting."""
        return bool(self._chunks) or self._eof

    async def receive(self) -> bytes:
        """Return what the peer sent, at least one byte; b"" once the connection has ended."""
        if not self._chunks and not self._eof:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if self._paused_reading and not self._lost and self._transport is not None:
            self._paused_reading = False
            self._transport.resume_reading()
        return data

    async def send(self, data: bytes) -> None:
        """Send `data` and wait until the kernel has taken it.

        A connection that is gone swallows the data: what the peer said before it went is still
        to be read, and says more than our failed write.
        """
        if self._lost or self._transport is None or self._transport.is_closing():
            return
        if self.tls is not None:
            self.tls.encrypt(data)
            data = self.tls.data_to_send()
        if not data:
            return
        self._transport.write(data)
        if not self._paused_writing:
            return
        self._writer = asyncio.get_running_loop().create_future()
        try:
            await self._writer
        except BaseException:
            self.abort()  # part of a PDU may be out: not one more byte may follow it
            raise
        finally:
            self._writer = None

    async def close(self) -> None:
        """Close the connection in order (close_notify, FIN) and wait until it is gone."""
        if self._transport is not None:
            self._say_goodbye()
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await asyncio.shield(self._gone)
            if not self._lost:
                self.abort()

    def _say_goodbye(self) -> None:
        assert self._transport is not None
        if self.tls is None or self._tcp_eof or self._transport.is_closing():
            self._transport.close()
            return
        # The peer's close_notify may be on its way: closing before it comes would answer it by
        # RST. Its FIN then closes the connection.
        self._closing = True
        self.tls.close()
        with contextlib.suppress(OSError):
            self._transport.write(self.tls.data_to_send())
            self._transport.write_eof()
        if self._paused_reading:
            self._paused_reading = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the connection at once (RST); nothing buffered is sent."""
        if self._transport is None or self._lost:
            return
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _tune(sock: socket.socket) -> None:
    """No Nagle delay; keepalive as the net below our own deadlines."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6)):
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
