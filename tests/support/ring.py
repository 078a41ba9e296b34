"""A ring of archives in a process of its own: who they are, how they go wrong, what they count.

As a program, this file is the ring: its members come as JSON on standard input, and each further
line is answered with what the archives have counted, until there are no more lines.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

import anyio
import anyio.abc

from asyncfind.query.syntax import TransferSyntax
from asyncfind.scp.answers import Response, Source
from asyncfind.scp.find import Archive
from asyncfind.scp.script import (
    GOOD,
    Abort,
    Moment,
    Script,
    Scripts,
    Stall,
    Step,
    aborts_after,
    always,
    never_answers,
    refuses,
    rejects,
)
from asyncfind.scp.search import QueryRefused
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace
from asyncfind.scp.store import Store

__all__ = ["HOPELESS", "Counts", "Member", "Ring", "open_ring"]

HOPELESS: Final = ("closed", "rejects", "silent")
"""Faults of members from whom nothing can be had."""

_HOST: Final = "127.0.0.1"
_RELEASE_RP: Final = bytes.fromhex("06 00 00 00 00 04 00 00 00 00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An archive of the ring.

    Args:
        name, cap: in the node book; `cap` is the most associations.
        fault: how it goes wrong: a key of `_SCRIPTS`; or `closed` (nobody listens), `late` (only
            `after` seconds behind the first connection to a good one), `single` (rejects a second
            association), `slow`, `busy` (A700 to one query in twenty, the first time it hears
            it), `dies` (with its `until`-th query; it is back `after` seconds later); empty for a
            good one.
        seed, studies: what an embedded archive holds.
        upstream: port of a real server that this member only passes on to, and counts for.
        called: AE title.
    """

    name: str
    cap: int
    fault: str = ""
    seed: int = 0
    studies: int = 0
    upstream: int = 0
    called: str = "ANY-SCP"
    after: float = 0.0
    until: int = 0


class Counts(NamedTuple):
    """What an archive counted: associations open now, the most at an instant, all; queries.

    Queries are counted by embedded archives only.
    """

    now: int
    peak: int
    accepted: int
    queries: int


class Ring:
    """A ring that runs.

    Args:
        process: the program.
        ports: of the members.
    """

    def __init__(self, process: "subprocess.Popen[str]", ports: Mapping[str, int]) -> None:
        self._process = process
        self.ports = ports

    def counts(self) -> dict[str, Counts]:
        """What the archives have counted so far."""
        found: dict[str, list[int]] = json.loads(_asked(self._process, "counts"))
        return {name: Counts(*numbers) for name, numbers in found.items()}


@contextmanager
def open_ring(members: Sequence[Member]) -> Iterator[Ring]:
    """Run the archives until the block ends, in another process than the caller's."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            told = _asked(process, json.dumps([asdict(member) for member in members]))
            yield Ring(process, json.loads(told))
        finally:
            process.kill()


def _asked(process: "subprocess.Popen[str]", line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


# Misbehaviour.


def _in_the_middle(action: Abort | Stall) -> Script:
    """Goes wrong once: behind the first response of its fifth query, or the next that has one."""
    numbers = range(5, 200)
    return Script(tuple(Step(Moment.RESPONSE, action, after=1, query=one) for one in numbers))


def _at_first(script: Script, associations: int = 1) -> Scripts:
    # One by default: a query that is aborted twice is not asked again, whoever's turn it was.
    return lambda number: script if number <= associations else GOOD


_SCRIPTS: Final[Mapping[str, Scripts]] = {
    # For good, and called AE title not recognized (PS3.8 Table 9-21).
    "rejects": always(rejects(1, 1, 7)),
    "fails": always(refuses(0xC001, b"out of order")),
    "silent": always(never_answers(Moment.REQUESTED)),
    "stalls": _at_first(_in_the_middle(Stall())),
    "aborts": _at_first(_in_the_middle(Abort())),
    # Long enough to be parked more than once, and for queries that are aborted twice.
    "broken": _at_first(aborts_after(1), 40),
}


class _Busy:
    """Answers one query in twenty with A700, the first time it is asked."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: set[bytes] = set()

    @property
    def models(self) -> Collection[str]:
        return self._source.models

    def respond(
        self, model_uid: str, identifier: bytes, syntax: TransferSyntax, *, relational: bool = False
    ) -> Iterator[Response]:
        if identifier not in self._seen:
            self._seen.add(identifier)
            if len(self._seen) % 20 == 7:
                raise QueryRefused("out of resources", status=0xA700)
        return self._source.respond(model_uid, identifier, syntax, relational=relational)


class _Relay:
    """Passes connections on to another server, and counts associations for it.

    An association is over with its A-RELEASE-RP: the requestor may open the next one before the
    end of this connection is seen here.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.now = self.peak = self.accepted = 0

    async def serve(
        self, port: int = 0, *, task_status: anyio.abc.TaskStatus[int] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Take connections until cancelled; then all that are open are closed at once."""
        listener = await anyio.create_tcp_listener(local_host=_HOST, local_port=port)
        async with listener:
            task_status.started(listener.extra(anyio.abc.SocketAttribute.local_port))
            await listener.serve(self._handle)

    async def _handle(self, near: anyio.abc.SocketStream) -> None:
        self.now += 1
        self.accepted += 1
        self.peak = max(self.peak, self.now)
        counted = True

        def look(data: bytes) -> None:
            nonlocal counted
            if counted and data.endswith(_RELEASE_RP):
                self.now -= 1
                counted = False

        try:
            async with (
                near,
                await anyio.connect_tcp(_HOST, self._port) as far,
                anyio.create_task_group() as tasks,
            ):
                # Neither side of an association speaks on when the other has closed.
                tasks.start_soon(_pass_on, near, far, tasks.cancel_scope)
                await _pass_on(far, near, tasks.cancel_scope, look)
        finally:
            self.now -= counted


async def _pass_on(
    source: anyio.abc.SocketStream,
    target: anyio.abc.SocketStream,
    both: anyio.CancelScope,
    look: Callable[[bytes], None] = lambda data: None,
) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async for data in source:
            look(data)
            await target.send(data)
    both.cancel()


# The ring itself.


class _Archives:
    """All members, and the tasks they run in."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self._tasks = tasks
        self._servers: dict[str, Server] = {}
        self._relays: dict[str, _Relay] = {}
        self._held: list[socket.socket] = []
        self._first = anyio.Event()

    async def start(self, member: Member) -> int:
        """Start an archive; returns the port to call."""
        if member.upstream:
            return await self._relay(member, member.upstream)
        server = self._servers[member.name] = _made(member)
        match member.fault:
            case "closed":
                return self._hold()
            case "late":
                port = self._hold()
                self._tasks.start_soon(self._come_late, server, member, port)
                return port
            case "dies":
                port = self._hold()
                back = anyio.Event()
                self._tasks.start_soon(self._die, server, member, port, back)
                await back.wait()
                return port
            case _:
                return await self._listen(server, good=not member.fault)

    def counts(self) -> dict[str, Counts]:
        """What all have counted so far; where there is a relay, associations are its count."""
        found = {}
        for name in [*self._servers, *(self._relays.keys() - self._servers.keys())]:
            server, relay = self._servers.get(name), self._relays.get(name)
            if relay is not None:
                queries = 0 if server is None else server.counters.queries
                found[name] = Counts(relay.now, relay.peak, relay.accepted, queries)
            elif server is not None:
                own = server.counters
                found[name] = Counts(own.associations, own.peak, own.accepted, own.queries)
        return found

    def _hold(self) -> int:
        """A port that nobody else gets, and where nobody listens: connections are refused."""
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((_HOST, 0))
        self._held.append(held)
        return int(held.getsockname()[1])

    async def _listen(self, server: Server, *, good: bool) -> int:
        port: int = await self._tasks.start(server.serve)
        if good:
            self._tasks.start_soon(self._wait_for_first, server)
        return port

    async def _relay(self, member: Member, upstream: int) -> int:
        relay = self._relays[member.name] = _Relay(upstream)
        port: int = await self._tasks.start(relay.serve)
        return port

    async def _wait_for_first(self, server: Server) -> None:
        await server.counters.until(lambda counters: counters.connections > 0)
        self._first.set()

    async def _come_late(self, server: Server, member: Member, port: int) -> None:
        await self._first.wait()
        await anyio.sleep(member.after)
        await server.serve(_HOST, port)

    async def _die(self, server: Server, member: Member, port: int, up: anyio.Event) -> None:
        relay = self._relays[member.name] = _Relay(await self._tasks.start(server.serve))
        async with anyio.create_task_group() as life:
            await life.start(relay.serve, port)
            up.set()
            await server.counters.until(lambda counters: counters.queries >= member.until)
            life.cancel_scope.cancel()
        await anyio.sleep(member.after)
        await relay.serve(port)


def _made(member: Member) -> Server:
    source: Source = Archive(Store.generate(member.studies, member.seed))
    return Server(
        _Busy(source) if member.fault == "busy" else source,
        pace=Pace(0.05, 0.005) if member.fault == "slow" else None,
        scripts=_SCRIPTS.get(member.fault),
        max_associations=1 if member.fault == "single" else None,
    )


async def _main() -> None:
    lines = anyio.wrap_file(sys.stdin)
    members = [Member(**one) for one in json.loads(await lines.readline())]
    async with anyio.create_task_group() as tasks:
        archives = _Archives(tasks)
        ports = {member.name: await archives.start(member) for member in members}
        print(json.dumps(ports), flush=True)  # noqa: T201 - the answer to our parent
        async for _ in lines:
            print(json.dumps(archives.counts()), flush=True)  # noqa: T201
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(_main, backend_options={"use_uvloop": True})
