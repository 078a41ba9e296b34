"""What the benchmarks share: a fast peer in a process of its own, and whole-process figures."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

_SERVER = """
import sys, anyio
from asyncfind.scp.answers import Answers
from asyncfind.scp.server import Server

async def main():
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(Server(Answers(int(sys.argv[1]), int(sys.argv[2]))).serve)
        print(port, flush=True)

anyio.run(main, backend_options={"use_uvloop": True})
"""


class Figures(NamedTuple):
    """One process: wall clock and CPU seconds, peak memory in MiB, exit code, bytes printed."""

    wall: float
    cpu: float
    peak: float
    code: int
    printed: int


@contextmanager
def peer(answers: int, elements: int = 16) -> Iterator[str]:
    """A peer that answers every query so many times; yields its port."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(answers), str(elements)],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def measure(command: Sequence[str]) -> Figures:
    """Run `command` with its output read and thrown away."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        printed = 0
        while chunk := process.stdout.read1(1 << 16):
            printed += len(chunk)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Figures(
        time.perf_counter() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        process.returncode,
        printed,
    )
