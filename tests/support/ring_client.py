"""Clients of a ring of archives: run to their end, or killed at an instant of their work."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ring import Ring

__all__ = ["Killed", "Ran", "client", "kill_and_resume"]

_TENTHS = 10


class Ran(NamedTuple):
    """One client: seconds, exit code, RSS in MiB at the tenths of its time, peak in MiB, CPU."""

    wall: float
    code: int
    rss: list[float]
    peak: float
    cpu: float


class Killed(NamedTuple):
    """One client that was meant to be killed.

    Args:
        code: -9 where it was; else it ended before.
        kept: the file of the job was there at its end.
    """

    code: int
    kept: bool


def client(
    arguments: Sequence[str],
    out: Path,
    *,
    is_over: Callable[[], bool] | None = None,
    python: Sequence[str] = (),
) -> Ran:
    """Run it to its end, or kill it (SIGKILL) as soon as it `is_over`.

    Args:
        out: for its results; what it says goes beside, into a file that ends in `.err`.
        python: further options of the interpreter.
    """
    rss: list[float] = []
    peak = cpu = 0.0
    started = time.perf_counter()
    with (
        out.open("wb") as sink,
        out.with_suffix(".err").open("wb") as said,
        subprocess.Popen(
            [sys.executable, *python, "-m", "asyncfind", *arguments],
            stdout=sink,
            stderr=said,
            stdin=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            while process.poll() is None:
                if usage := _usage(process.pid):
                    size, peak, cpu = usage
                    rss.append(size)
                if is_over is not None and is_over():
                    process.kill()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.1 if is_over is None else 0.003)
        finally:
            process.kill()  # does nothing to one that has ended
    code = process.returncode
    ends = range(1, _TENTHS + 1)
    tenths = [rss[max(0, len(rss) * end // _TENTHS - 1)] for end in ends] if rss else []
    return Ran(time.perf_counter() - started, code, tenths, peak, cpu)


def _usage(pid: int) -> tuple[float, float, float] | None:
    """RSS and its peak in MiB, CPU in seconds; None of a process that has ended."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    if "VmRSS" not in sizes:
        return None
    stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    fields = stat.rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return int(sizes["VmRSS"].split()[0]) / 1024, int(sizes["VmHWM"].split()[0]) / 1024, cpu


def kill_and_resume(
    begin: Sequence[str],
    resume: Sequence[str],
    job: Path,
    ring: Ring,
    *,
    kills: int,
    queries: int,
    rng: random.Random,
) -> Iterator[Killed]:
    """Start a job and kill it `kills` times, each time to go on with it; what is left stays so.

    One life in five ends by the clock, mostly before a query is asked; the others when the
    archives have heard a random number of queries, and up to 20 ms later: that is independent of
    how fast this machine is today. Together they do about two thirds of the work.

    Args:
        queries: that the archives will have heard in the end.
    """
    for _ in range(kills):
        out = job.with_suffix(".out")
        if rng.random() < 0.2:
            is_over = _after(rng.uniform(0.02, 1.0))
        else:
            quota = rng.randrange(1 + int(1.5 * queries / kills))
            is_over = _heard(ring, quota, rng.uniform(0, 0.02))
        ran = client(resume if job.exists() else begin, out, is_over=is_over)
        yield Killed(ran.code, job.exists())


def _after(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() >= end


def _heard(ring: Ring, quota: int, more: float) -> Callable[[], bool]:
    """Whether the archives have heard more than `quota` queries since now."""
    before = sum(one.queries for one in ring.counts().values())
    end: float | None = None

    def is_over() -> bool:
        nonlocal end
        now = time.perf_counter()
        if end is None and sum(one.queries for one in ring.counts().values()) > before + quota:
            end = now + more
        return end is not None and now >= end

    return is_over
