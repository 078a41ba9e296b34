"""TCP as the upper layer needs it: connect, serve, back-pressure, errors in our own words.

A thin `asyncio.Protocol` under anyio's structured concurrency. Reading stops when nobody takes
what was read, so that a slow reader fills the TCP window and the peer waits.
"""

import asyncio
import contextlib
import errno
import os
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskStatus

from asyncfind.errors import ConnectFailed, PeerError, UnknownHost
from asyncfind.plan import Peer
from asyncfind.safe import safe

__all__ = ["Stream", "connect", "serve"]

_READ_AHEAD: Final = 256 * 1024
"""Bytes read and not yet taken at which we stop reading the socket."""
_STAGGER: Final = 0.25
"""Seconds before the next address is tried beside the first (RFC 8305 Section 5)."""
_AddressInfos = list[Any]
"""What `socket.getaddrinfo` returns: five fields whose types differ between address families."""
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class Stream(asyncio.Protocol):
    """One TCP connection, as bytes in both directions.

    `receive` and `send` may each be awaited by one task at a time.
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
        self.error: OSError | None = None
        """Why the connection was lost; None after an orderly end."""

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
        self._chunks.append(data)
        self._size += len(data)
        if self._size >= _READ_AHEAD and not self._paused_reading and self._transport is not None:
            self._transport.pause_reading()
            self._paused_reading = True
        _wake(self._reader)

    def eof_received(self) -> bool:
        self._eof = True
        _wake(self._reader)
        return True  # our half stays open: an A-ABORT or A-RELEASE-RP may still have to go out

    def connection_lost(self, exc: Exception | None) -> None:
        self._eof = self._lost = True
        if isinstance(exc, OSError):
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

    # What we call.

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
        """Close the connection in order (FIN) and wait until it is gone."""
        if self._transport is not None:
            self._transport.close()
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await asyncio.shield(self._gone)
            if not self._lost:
                self.abort()

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


async def connect(peer: Peer, timeout: float | None) -> Stream:  # noqa: ASYNC109 - one clock for all steps
    """Connect to `peer`, its IPv6 and IPv4 addresses raced 250 ms apart (RFC 8305).

    Args:
        timeout: seconds for the look-up and all attempts together; None leaves it to the system.

    Raises:
        UnknownHost: the name does not resolve.
        ConnectFailed: no address took the connection in time.
    """
    # Here, because only runs that connect pay for its import.
    from aiohappyeyeballs import start_connection

    loop = asyncio.get_running_loop()
    try:
        with anyio.fail_after(timeout):
            infos = await _resolve(peer)
            sock = await start_connection(infos, happy_eyeballs_delay=_STAGGER, interleave=1)
            try:
                _, stream = await loop.create_connection(Stream, sock=sock)
            except BaseException:
                sock.close()
                raise
            return stream
    except TimeoutError as exc:
        raise ConnectFailed(
            f"no connection to {_address(peer)} within {timeout:g} s",
            "Check host and port, and that no firewall drops the traffic; -to allows more time.",
        ) from exc
    except socket.gaierror as exc:
        again = exc.errno == socket.EAI_AGAIN
        raise UnknownHost(
            f"host name '{safe(peer.host, 64)}' cannot be resolved ({safe(exc.strerror or '')})",
            "The resolver is busy; try again." if again else "Check the spelling of the host.",
        ) from exc
    except UnicodeError as exc:
        raise UnknownHost(
            f"'{safe(peer.host, 64)}' is no host name", "Check the spelling of the host."
        ) from exc
    except OSError as exc:
        raise _connect_failed(peer, exc) from exc


async def _resolve(peer: Peer) -> _AddressInfos:
    """Look the host up in a daemon thread: a resolver that hangs must not outlive our clock, as
    it would in the event loop's own pool, which waits for its threads at the end.
    """
    with contextlib.suppress(socket.gaierror):  # an address needs no resolver
        return socket.getaddrinfo(
            peer.host, peer.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    loop = asyncio.get_running_loop()
    found: asyncio.Future[_AddressInfos] = loop.create_future()

    def tell(result: _AddressInfos | BaseException) -> None:
        if found.done():
            return
        if isinstance(result, BaseException):
            found.set_exception(result)
        else:
            found.set_result(result)

    def look_up() -> None:
        result: _AddressInfos | BaseException
        try:
            result = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            result = exc
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=look_up, name="resolver", daemon=True).start()
    return await found


_CONNECT_ERRORS: Final = {
    errno.ECONNREFUSED: (
        "connection refused",
        "Check host and port, and that the archive is running.",
    ),
    errno.EHOSTUNREACH: ("no route to the host", "Check the network and the address."),
    errno.ENETUNREACH: ("network unreachable", "Check the network and the address."),
    errno.ETIMEDOUT: ("connection timed out", "Check host, port and firewall."),
    errno.ECONNRESET: ("connection reset", "Check that host and port are those of the archive."),
}


def _connect_failed(peer: Peer, exc: OSError) -> PeerError:
    if exc.errno in (errno.EMFILE, errno.ENFILE):
        return ConnectFailed(
            "no file descriptors left on this machine", "Raise `ulimit -n` or lower --associations."
        )
    system = os.strerror(exc.errno) if exc.errno else safe(str(exc), 200)
    text, hint = _CONNECT_ERRORS.get(exc.errno or 0, (system, "Check host and port."))
    return ConnectFailed(f"{text} at {_address(peer)}", hint)


def _address(peer: Peer) -> str:
    return f"{safe(peer.host, 64)} port {peer.port}"


async def serve(
    handler: Callable[[Stream], Coroutine[object, object, None]],
    host: str,
    port: int,
    *,
    task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Accept connections until cancelled; each runs `handler` in a task of its own.

    The port that was bound is given to `task_status`, which matters where `port` is 0. Handlers
    own their stream and close it.

    Raises:
        OSError: the port cannot be bound.
    """
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as tasks:

        def start(stream: Stream) -> None:
            tasks.start_soon(handler, stream)

        server = await loop.create_server(
            lambda: Stream(start), host, port, backlog=1024, reuse_address=True
        )
        try:
            task_status.started(server.sockets[0].getsockname()[1])
            await anyio.sleep_forever()
        finally:
            server.close()
            tasks.cancel_scope.cancel()
