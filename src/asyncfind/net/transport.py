"""TCP and TLS as the upper layer needs them: connect and serve, errors in our own words."""

import asyncio
import contextlib
import errno
import itertools
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus

from asyncfind.errors import ConnectFailed, PeerError, UnknownHost
from asyncfind.net.stream import Stream
from asyncfind.net.tls_session import TlsSession
from asyncfind.plan import Peer
from asyncfind.safe import safe

__all__ = ["Stream", "connect", "serve"]

_STAGGER: Final = 0.25
"""Seconds before the next address is tried beside the first (RFC 8305 Section 5)."""
_TLS_SECONDS: Final = 10.0
"""How long a TLS handshake may take unless said otherwise."""
_TURNS: Final = itertools.count()
"""Connections so far: our own addresses are taken in turn (`Peer.bind`)."""
_AddressInfos = list[Any]
"""What `socket.getaddrinfo` returns: five fields whose types differ between address families."""


async def connect(
    peer: Peer,
    timeout: float | None,  # noqa: ASYNC109 - one clock for all steps
    *,
    tls_timeout: float | None = _TLS_SECONDS,
) -> Stream:
    """Connect to `peer`, by TLS where it says so; there is no way back to plain TCP.

    Args:
        timeout: seconds for the look-up and all attempts together; None leaves it to the system.
        tls_timeout: seconds for the TLS handshake; None waits for ever.

    Raises:
        UnknownHost: the name does not resolve.
        ConnectFailed: no address took the connection in time.
        TlsFailed: the handshake failed, or the peer's certificate is not accepted.
        TlsSetupFailed: the settings cannot be used; nothing was sent.
    """
    if peer.tls is None:
        return await _connect_tcp(peer, timeout)
    # Here, because only runs with TLS pay for its import.
    from asyncfind.net.tls_handshake import prepare, secure

    session = prepare(peer, peer.tls)  # before the first packet: a pass phrase may be asked for
    stream = await _connect_tcp(peer, timeout)
    started = time.monotonic()
    try:
        await secure(stream, session, peer.tls, tls_timeout)
    except BaseException:
        stream.abort()  # does nothing once it was closed
        raise
    stream.tls_seconds = time.monotonic() - started
    return stream


async def _connect_tcp(peer: Peer, timeout: float | None) -> Stream:  # noqa: ASYNC109 - as above
    """Connect to `peer`, its IPv6 and IPv4 addresses raced 250 ms apart (RFC 8305)."""
    # Here, because only runs that connect pay for its import.
    from aiohappyeyeballs import start_connection

    loop = asyncio.get_running_loop()
    try:
        with anyio.fail_after(timeout):
            sources = _sources(peer)
            infos = _of_families(await _resolve(peer), sources, peer)
            sock = await start_connection(
                infos, local_addr_infos=sources, happy_eyeballs_delay=_STAGGER, interleave=1
            )
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


def _sources(peer: Peer) -> _AddressInfos | None:
    """Our own addresses, those first whose turn it is; the next is tried where one fails."""
    if not peer.bind:
        return None
    found: _AddressInfos = []
    turn = next(_TURNS) % len(peer.bind)
    for address in peer.bind[turn:] + peer.bind[:turn]:
        try:
            found += socket.getaddrinfo(
                address, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except (socket.gaierror, UnicodeError) as exc:
            raise ConnectFailed(
                f"'{safe(address, 64)}' is no address to connect from",
                "Give IP addresses of this machine to --bind.",
            ) from exc
    return found


_FAMILIES: Final = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


def _of_families(infos: _AddressInfos, sources: _AddressInfos | None, peer: Peer) -> _AddressInfos:
    """The addresses of the family asked for, and that one of our own can connect to."""
    family = _FAMILIES.get(peer.family)
    if family is not None:
        infos = [info for info in infos if info[0] == family]
        if not infos:
            name = peer.family.replace("ipv", "IPv")
            raise ConnectFailed(
                f"{_address(peer)} has no {name} address", "Use -i0 to take any address."
            )
    if sources is None:
        return infos
    families = {info[0] for info in sources}
    possible = [info for info in infos if info[0] in families]
    if not possible:
        raise ConnectFailed(
            f"{_address(peer)} has no address that {_bound(peer)} can connect to",
            "Give an address of the same family, IPv4 or IPv6, to --bind.",
        )
    return possible


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
    if peer.bind and exc.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EACCES):
        return ConnectFailed(
            f"cannot connect from {_bound(peer)} ({os.strerror(exc.errno)})",
            "Give free addresses of this machine to --bind.",
        )
    system = os.strerror(exc.errno) if exc.errno else safe(str(exc), 200)
    text, hint = _CONNECT_ERRORS.get(exc.errno or 0, (system, "Check host and port."))
    return ConnectFailed(f"{text} at {_address(peer)}", hint)


def _bound(peer: Peer) -> str:
    return ", ".join(safe(address, 64) for address in peer.bind)


def _address(peer: Peer) -> str:
    return f"{safe(peer.host, 64)} port {peer.port}"


async def serve(
    handler: Callable[[Stream], Coroutine[object, object, None]],
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Accept connections until cancelled; each runs `handler` in a task of its own.

    The port that was bound is given to `task_status`, which matters where `port` is 0. Handlers
    own their stream and close it.

    Args:
        tls: speak TLS; who fails in the handshake never reaches `handler`.

    Raises:
        OSError: the port cannot be bound.
    """
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as tasks:

        def start(stream: Stream) -> None:
            if tls is None:
                tasks.start_soon(handler, stream)
            else:
                tasks.start_soon(_handle_secured, handler, stream, tls)

        server = await loop.create_server(
            lambda: Stream(start), host, port, backlog=1024, reuse_address=True
        )
        try:
            task_status.started(server.sockets[0].getsockname()[1])
            await anyio.sleep_forever()
        finally:
            server.close()
            tasks.cancel_scope.cancel()


async def _handle_secured(
    handler: Callable[[Stream], Coroutine[object, object, None]],
    stream: Stream,
    context: ssl.SSLContext,
) -> None:
    try:
        with anyio.fail_after(_TLS_SECONDS):
            await stream.start_tls(TlsSession(context, server_side=True, has_certificate=True))
    except OSError:  # as all of them are: TLS, the connection, the time
        await stream.close()
        return
    except BaseException:
        stream.abort()
        raise
    await handler(stream)
