"""Connecting from an address of our own choice."""

import socket
from dataclasses import replace

import anyio
import pytest

from asyncfind.errors import ConnectFailed
from asyncfind.net.transport import Stream, connect, serve
from asyncfind.plan import Peer

pytestmark = pytest.mark.anyio


async def _sources(*binds: tuple[str, ...], host: str = "127.0.0.1") -> list[str]:
    """The addresses that a peer sees, a connection for each of `binds`."""
    with socket.create_server((host, 0), family=_family(host)) as listener:
        peer = Peer(host=host, port=listener.getsockname()[1])
        seen = []
        for bind in binds:
            stream = await connect(replace(peer, bind=bind), 5)
            connection, address = listener.accept()
            seen.append(address[0])
            connection.close()
            await stream.close()
        return seen


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def test_the_peer_sees_the_address_that_we_chose() -> None:
    assert await _sources((), ("127.0.0.2",)) == ["127.0.0.1", "127.0.0.2"]


async def test_several_are_taken_in_turn() -> None:
    bind = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    seen = await _sources(*([bind] * 6))
    assert set(seen[:3]) == set(bind)
    assert seen[:3] == seen[3:]


async def test_an_address_of_another_family_is_left_out() -> None:
    assert await _sources(("::1", "127.0.0.2"), ("127.0.0.2", "::1")) == ["127.0.0.2"] * 2
    assert await _sources(("127.0.0.2", "::1"), host="::1") == ["::1"]


@pytest.mark.parametrize(
    ("bind", "words"),
    [
        (("203.0.113.77",), "cannot connect from 203.0.113.77"),
        (("203.0.113.77", "203.0.113.78"), "cannot connect from 203.0.113.77, 203.0.113.78"),
        (("::1",), "no address that ::1 can connect to"),
        (("nowhere",), "'nowhere' is no address"),
    ],
)
async def test_addresses_that_cannot_be_used(bind: tuple[str, ...], words: str) -> None:
    async def handle(stream: Stream) -> None:
        await stream.close()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, handle, "127.0.0.1", 0)
        with pytest.raises(ConnectFailed, match=words) as caught:
            await connect(Peer(host="127.0.0.1", port=port, bind=bind), 5)
        tasks.cancel_scope.cancel()
    assert "--bind" in caught.value.hint
