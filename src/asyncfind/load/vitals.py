"""How our own process and machine do, second by second."""

import contextlib
import gc
import os
import sys
import time
from pathlib import Path
from typing import Final

import anyio

from asyncfind.errors import Kind
from asyncfind.load.health import Sample
from asyncfind.load.histogram import Histogram
from asyncfind.load.tally import Tally

__all__ = ["Vitals"]

_BEAT: Final = 0.01
_OLDEST: Final = 2
"""The generation whose collection looks at everything."""
_PORT_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_SOCKETS: Final = Path("/proc/net/sockstat")
_STAT: Final = Path("/proc/stat")


class Vitals:
    """Our own process, second by second.

    Args:
        ports: connections are many: look at those that are over and still hold a port.
    """

    def __init__(self, *, ports: bool = True) -> None:
        self._late = Histogram()
        self._wall = time.monotonic()
        self._cpu = time.process_time()
        self._pause = 0.0
        self._collecting = 0.0
        self._times = _machine_times()
        self._ports = _port_count() if ports else 0
        gc.callbacks.append(self._collects)

    def close(self) -> None:
        """It is not used any more."""
        gc.callbacks.remove(self._collects)

    async def beat(self) -> None:
        """Measure how late the loop is, for ever: whatever keeps it busy delays our reading too."""
        while True:
            due = time.monotonic() + _BEAT
            await anyio.sleep(_BEAT)
            self._late.record(time.monotonic() - due)

    def sample(self, second: Tally) -> Sample:
        """How it did since the last sample.

        Args:
            second: what was measured meanwhile.
        """
        wall, cpu, times = time.monotonic(), time.process_time(), _machine_times()
        sample = Sample(
            lag_p99=second.latencies["lag"].percentile(99),
            response_p50=second.latencies["response"].percentile(50),
            loop_p99=self._late.percentile(99),
            cpu=(cpu - self._cpu) / max(wall - self._wall, 1e-6),
            descriptors=_descriptors(),
            exhausted=sum(n for (kind, _), n in second.refusals.items() if kind == Kind.LOCAL),
            pause=self._pause,
            machine=_machine_load(),
            steal=_steal(self._times, times),
            ports=_waiting_ports() / self._ports if self._ports else None,
        )
        self._late = Histogram()
        self._wall, self._cpu, self._times, self._pause = wall, cpu, times, 0.0
        return sample

    def _collects(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._collecting = time.monotonic()
        else:
            self._pause = max(self._pause, time.monotonic() - self._collecting)


def _descriptors() -> float | None:
    """Share of our descriptors in use; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource  # not there on Windows

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit in (0, resource.RLIM_INFINITY):
        return None
    # The lowest free number: listing all of them takes milliseconds where there are thousands.
    with contextlib.suppress(OSError):
        lowest = os.open(os.devnull, os.O_RDONLY)
        os.close(lowest)
        return lowest / limit
    return 1.0


def _machine_load() -> float | None:
    with contextlib.suppress(OSError, AttributeError):  # not there on Windows
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    return None


def _machine_times() -> tuple[int, int]:
    """All ticks of the machine and those that its host took; zeros where it does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with _STAT.open() as file:
            ticks = [int(word) for word in file.readline().split()[1:]]
        return sum(ticks[:8]), ticks[7]
    return 0, 0


def _steal(before: tuple[int, int], now: tuple[int, int]) -> float | None:
    ticks = now[0] - before[0]
    return (now[1] - before[1]) / ticks if ticks > 0 else None


def _port_count() -> int:
    """Ports that outgoing connections may have, to each address; 0 where nobody tells."""
    with contextlib.suppress(OSError, ValueError):
        low, high = map(int, _PORT_RANGE.read_text().split())
        return high - low + 1
    return 0


def _waiting_ports() -> int:
    """Connections in TIME_WAIT, of the whole machine."""
    with contextlib.suppress(OSError, ValueError):
        for line in _SOCKETS.read_text().splitlines():
            if line.startswith("TCP:"):
                words = line.split()
                return int(words[words.index("tw") + 1])
    return 0
