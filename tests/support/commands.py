"""`asyncfind` as users run it, a process of its own, and acceptors in this one for it to call."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from anyio.from_thread import BlockingPortal, start_blocking_portal

from asyncfind.net.transport import Stream
from asyncfind.net.transport import serve as serve_stream
from asyncfind.query.element import Item
from asyncfind.query.models import MODELS
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import TransferSyntax
from asyncfind.scp.answers import Answers, Response
from asyncfind.scp.server import ArchiveConfig, Server, serve
from asyncfind.ul.pdu import AssociateRJ, AssociateRQ

__all__ = [
    "STUDIES",
    "Hall",
    "Recorder",
    "Run",
    "at_terminal",
    "command",
    "environment",
    "open_hall",
    "run",
]

STUDIES: Final = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
"""A query that every archive answers."""

_LOGIN: Final = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"
"""Begins a session whose terminal is standard input, then becomes another program."""

Run = subprocess.CompletedProcess[str]


def command(*arguments: str | Path) -> list[str]:
    """What starts `asyncfind` with these arguments."""
    return [sys.executable, "-m", "asyncfind", *map(str, arguments)]


def environment(**changed: str) -> dict[str, str]:
    """Ours, without what would change an output or a dictionary, and with what is said here."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "NO_COLOR", "DCMDICTPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
    }
    return kept | changed


def run(*arguments: str | Path, **options: Any) -> Run:
    """Run it to its end.

    Args:
        options: of `subprocess.run`.
    """
    options.setdefault("env", environment())
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=60, check=False, **options
    )


def at_terminal(line: Sequence[str | Path], prompt: str, answer: str) -> tuple[int, str]:
    """Run it in a session with a terminal of its own and answer its question.

    Args:
        prompt: the question; empty where there is none.

    Returns:
        Exit code, and everything that was on the terminal.
    """
    fd, terminal = os.openpty()
    screen = b""
    answered = False
    deadline = time.monotonic() + 30
    with subprocess.Popen(
        [sys.executable, "-c", _LOGIN, *command(*line)],
        stdin=terminal,
        env=environment(TERM="xterm"),
    ) as process:
        os.close(terminal)
        while time.monotonic() < deadline and select.select([fd], [], [], 30)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:  # Linux's end of a terminal
                break
            screen += data
            if not answered and prompt.encode() in screen:
                answered = True
                os.write(fd, answer.encode() + b"\n")
        os.close(fd)
        code = process.wait(30)
    assert answered or not prompt, screen
    return code, screen.decode("utf-8", "replace")


class _Kept:
    """A source that keeps what it was asked, and answers each query with some matches."""

    models: Collection[str] = tuple(model.uid for model in MODELS)

    def __init__(self, count: int) -> None:
        self.asked: list[tuple[str, bytes, TransferSyntax]] = []
        self._answers = Answers(count)

    def respond(
        self, model_uid: str, identifier: bytes, syntax: TransferSyntax, *, relational: bool = False
    ) -> Iterator[Response]:
        self.asked.append((model_uid, identifier, syntax))
        return self._answers.respond(model_uid, identifier, syntax, relational=relational)


class Recorder(Server):
    """A server that remembers what came; `options` are those of `Server`.

    Args:
        count: matches to each query.

    Attributes:
        requests: every A-ASSOCIATE-RQ.
    """

    def __init__(self, count: int = 2, **options: Any) -> None:
        self.requests: list[AssociateRQ] = []
        self._kept = _Kept(count)
        super().__init__(self._kept, **options)

    @property
    def asked(self) -> list[tuple[str, bytes, TransferSyntax]]:
        """SOP class, identifier and transfer syntax of every query."""
        return self._kept.asked

    @property
    def request(self) -> AssociateRQ:
        """The only association request."""
        (request,) = self.requests
        return request

    @property
    def identifier(self) -> Item:
        """The only query."""
        ((_, data, syntax),) = self.asked
        return read_item(data, syntax)

    def _gate(self, rq: AssociateRQ) -> AssociateRJ | None:
        self.requests.append(rq)
        return super()._gate(rq)


class Hall:
    """Acceptors in a thread of their own; each method starts one and returns its port."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal

    def serve(self, server: Server, host: str = "127.0.0.1") -> str:
        """One of ours."""
        _, port = self._portal.start_task(partial(server.serve, host))
        return str(port)

    def archive(self, **config: Any) -> str:
        """An archive with invented patients; `config` as `ArchiveConfig`."""
        config.setdefault("studies", 30)
        _, port = self._portal.start_task(partial(serve, ArchiveConfig(**config)))
        return str(port)

    def handle(
        self, handler: Callable[[Stream], Coroutine[object, object, None]], **options: Any
    ) -> str:
        """One by hand: `handler` gets each connection."""
        _, port = self._portal.start_task(partial(serve_stream, handler, "127.0.0.1", 0, **options))
        return str(port)


@contextmanager
def open_hall() -> Iterator[Hall]:
    """A hall that is closed at the end, with whoever is still in it."""
    with start_blocking_portal() as portal:
        try:
            yield Hall(portal)
        finally:
            portal.call(partial(portal.stop, cancel_remaining=True))
