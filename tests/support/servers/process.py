"""Programs of the machine: found by name, started on loopback, stopped by process id."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

__all__ = [
    "LOOPBACK",
    "PACKAGES",
    "MissingProgram",
    "Server",
    "ServerFailed",
    "echo",
    "environment",
    "free_port",
    "program",
    "run_program",
    "running",
    "serve",
    "tail",
]

LOOPBACK: Final = "127.0.0.1"

PACKAGES: Final = {
    "dcmconv": "dcmtk",
    "dcmdump": "dcmtk",
    "dcmqridx": "dcmtk",
    "dcmqrscp": "dcmtk",
    "echoscu": "dcmtk",
    "findscu": "dcmtk",
    "Orthanc": "orthanc",
    "setpriv": "util-linux",
    "storescu": "dcmtk",
    "wlmscpfs": "dcmtk",
}
"""The Debian package of every program this harness runs."""

_START_SECONDS: Final = 20.0
# Nothing that a server here could still save is worth more: Orthanc takes two seconds to leave.
_STOP_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.05
_STARTS: Final = 3
# Without it Nagle's algorithm and delayed acknowledgements cost 40 ms for every message DCMTK
# sends in two pieces: 160 instances take Orthanc 14 s instead of 0.3 s.
_HASTE: Final = {"TCP_NODELAY": "1"}
# Debian keeps daemons such as Orthanc here, outside the search path of ordinary users.
_DAEMONS: Final = ("/usr/sbin", "/usr/local/sbin")


class MissingProgram(Exception):
    """A program is not installed; says which Debian package has it."""


class ServerFailed(Exception):
    """A program ended with an error or never answered; says what it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running SCP.

    Args:
        name: what to call it in a message, such as `dcmqrscp`.
        port: TCP port on `host`.
        aet: the AE title to call it by.
        pid: of the server itself.
        log: all that it writes; stays when the server is gone.
        models: the information models it answers, by findscu's option: `-P`, `-S`, `-O`, `-W`.
        host: as an address, so that no name service is asked.
    """

    name: str
    port: int
    aet: str
    pid: int
    log: Path
    models: frozenset[str]
    host: str = LOOPBACK

    @property
    def address(self) -> tuple[str, str, str, str]:
        """The arguments by which a DCMTK tool calls it: `-aec AET HOST PORT`."""
        return "-aec", self.aet, self.host, str(self.port)

    def called(self, aet: str) -> Self:
        """The same server, to be called by another AE title; wlmscpfs has one per worklist."""
        return replace(self, aet=aet)

    def log_tail(self, lines: int = 30) -> str:
        """The last lines it wrote."""
        return tail(self.log.read_bytes(), lines)


def program(name: str) -> str:
    """Return the path of an installed program.

    Raises:
        MissingProgram: it is not there; the test has to fail, not to be skipped.
    """
    path = shutil.which(name) or shutil.which(name, path=os.pathsep.join(_DAEMONS))
    if path is None:
        raise MissingProgram(
            f"The program {name} is missing: install the Debian package {PACKAGES[name]} "
            f"(apt-get install {PACKAGES[name]})."
        )
    return path


def environment() -> dict[str, str]:
    """Return the environment for DCMTK's programs and for Orthanc, which is built upon them.

    It lacks what would change DCMTK's behaviour on one machine only, its dictionary path too.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DCM")}
    return ours | _HASTE


def free_port() -> int:
    """Return a TCP port nobody listens at just now; another program may still take it first."""
    with socket.socket() as probe:
        # Servers bind to all addresses: so does the probe.
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def run_program(name: str, *arguments: str | Path, seconds: float = 60.0) -> str:
    """Run an installed program to its end and return what it wrote, both streams together.

    Raises:
        MissingProgram: it is not installed.
        ServerFailed: it ended with another code than 0, or took longer than `seconds`.
    """
    command = [program(name), *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise ServerFailed(f"{name} took longer than {seconds:g} s.\n{tail(exc.output)}") from exc
    if done.returncode != 0:
        raise ServerFailed(f"{name} ended with code {done.returncode}.\n{tail(done.stdout)}")
    return done.stdout.decode("utf-8", "replace")


def echo(port: int, aet: str) -> bool:
    """Say whether an SCP on loopback answers C-ECHO with success, by DCMTK's echoscu.

    Raises:
        MissingProgram: echoscu is not installed.
    """
    command = [program("echoscu"), "-q", "-to", "2", "-ta", "2", "-td", "2", "-aec", aet]
    done = subprocess.run(
        [*command, LOOPBACK, str(port)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        check=False,
    )
    return done.returncode == 0


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, *, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` as a process group of its own, with everything it writes appended to `log`.

    It gets SIGTERM at the end, and SIGKILL if that does not help; its forked children too, which
    would keep an association open otherwise. The kernel ends it should this process be killed.

    Args:
        folder: its working directory, the current one unless given.

    Raises:
        MissingProgram: util-linux is not installed.
    """
    guard = [program("setpriv"), "--pdeathsig", "TERM", "--"]
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [*guard, *command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment(),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


@contextmanager
def serve(
    name: str,
    command: Callable[[int], Sequence[str | Path]],
    *,
    aet: str,
    log: Path,
    models: Iterable[str],
    folder: Path | None = None,
) -> Iterator[Server]:
    """Run a server until the block ends; from the start of the block it answers C-ECHO.

    Args:
        name: for messages.
        command: gives the command line for a port; asked again, with another port, when somebody
            else took the first one meanwhile.
        aet: the AE title it answers to.
        log: gets all that it writes.
        models: what it answers, for `Server.models`.
        folder: its working directory, the current one unless given.

    Raises:
        MissingProgram: a program is not installed.
        ServerFailed: it ended at once, or did not answer in time.
    """
    with ExitStack() as stack:
        for start in range(1, _STARTS + 1):
            port = free_port()
            process = stack.enter_context(running(command(port), log, folder=folder))
            if _answers(process, port, aet):
                break
            code = process.poll()
            if code is None or start == _STARTS:
                told = "never answered C-ECHO" if code is None else f"ended with code {code}"
                raise ServerFailed(f"{name} {told}.\n{tail(log.read_bytes())}")
        yield Server(
            name=name, port=port, aet=aet, pid=process.pid, log=log, models=frozenset(models)
        )


def _answers(process: subprocess.Popen[bytes], port: int, aet: str) -> bool:
    """Wait until the server answers, ends, or has had its time."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        # Who answers while our process is gone is somebody else on the same port.
        if echo(port, aet) and process.poll() is None:
            return True
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return False
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its group, whose id is its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_STOP_SECONDS)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def tail(output: bytes | None, lines: int = 30) -> str:
    """The last lines of what a program wrote; bytes that are no UTF-8 are marked."""
    return "\n".join((output or b"").decode("utf-8", "replace").splitlines()[-lines:])
