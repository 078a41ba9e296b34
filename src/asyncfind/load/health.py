"""Whether the measuring machine kept up: a client that cannot proves nothing about a peer."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

__all__ = ["Health", "Sample", "Strength", "judge"]

_LAG: Final = (0.005, 0.050)
_LAG_SHARE: Final = 0.02
_LOOP: Final = (0.010, 0.100)
_CPU: Final = (0.80, 0.95)
_DESCRIPTORS: Final = 0.80
_IN_A_ROW: Final = 2
"""One window can be bad by chance (another process, a collection); two on end are no chance."""
_CPU_IN_A_ROW: Final = 5
_SPARED: Final = 30
"""One second in so many may be bad, though not very: that is below what a p99 of all shows."""
_RISING: Final = 5
_PAUSE: Final = 0.005
_PORTS: Final = 0.80
_STEAL: Final = 0.05


class Strength(StrEnum):
    """How the client bore the load."""

    OK = "OK"
    STRAINED = "STRAINED"
    """Latencies hold some of our own slowness."""
    SATURATED = "SATURATED"
    """It offered less, or later, than the schedule says: results are a lower bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One second of our own process. None is for what could not be measured, or had no values.

    Args:
        lag_p99: how late arrivals were passed on; seconds.
        response_p50: of the peer in that second.
        loop_p99: how late a heartbeat of 10 ms was.
        cpu: share of one core.
        descriptors: share of those that we may have.
        exhausted: attempts that failed for want of our own descriptors or ports.
        pause: the longest collection of garbage of the oldest generation; seconds.
        machine: runnable processes of the machine (load average) for each core.
        steal: share of the machine's time that its host gave to others.
        ports: share of our ports that connections which we closed still hold (TIME_WAIT).
    """

    lag_p99: float | None = None
    response_p50: float | None = None
    loop_p99: float | None = None
    cpu: float | None = None
    descriptors: float | None = None
    exhausted: int = 0
    pause: float | None = None
    machine: float | None = None
    steal: float | None = None
    ports: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict on the client, and what speaks for it.

    Args:
        reasons: in words; empty when all is well.
    """

    verdict: Strength
    reasons: tuple[str, ...] = ()


def judge(samples: Sequence[Sample]) -> Health:
    """Judge the client by its seconds, in their order."""
    strained: list[str] = []
    saturated: list[str] = []
    lags = [one.lag_p99 for one in samples]
    for name, values, limits, row in (
        ("schedule lag p99", lags, _LAG, _IN_A_ROW),
        ("loop lag p99", [one.loop_p99 for one in samples], _LOOP, _IN_A_ROW),
        ("CPU share of a core", [one.cpu for one in samples], _CPU, _CPU_IN_A_ROW),
    ):
        low, high = limits
        shown = _percent if name.startswith("CPU") else _milliseconds
        worst = _worst(values)
        if _longest(values, high) >= row:
            saturated.append(f"{name} {shown(worst)}, over {shown(high)} for {row} s and more")
        else:
            # Some lag is nothing beside the latencies of its second.
            bounds = [_limit(one) for one in samples] if values is lags else [low] * len(samples)
            over = [one for one, bound in zip(values, bounds, strict=True) if (one or 0.0) > bound]
            if len(over) > len(samples) // _SPARED or (over and worst > high):
                strained.append(f"{name} up to {shown(worst)}")
    if _rises(samples):
        saturated.append(f"schedule lag rose for {_RISING} s on end")
    if exhausted := sum(one.exhausted for one in samples):
        saturated.append(f"no descriptor or port of our own left, {exhausted} times")
    strained += _scarce(samples)
    around = _around(samples) if saturated or strained else []
    if saturated:
        return Health(Strength.SATURATED, (*saturated, *strained, *around))
    return Health(Strength.STRAINED if strained else Strength.OK, (*strained, *around))


def _scarce(samples: Sequence[Sample]) -> list[str]:
    """What of ours runs short."""
    found = []
    used = _worst([one.descriptors for one in samples])
    if used > _DESCRIPTORS:
        found.append(f"{_percent(used)} of our descriptors in use")
    ports = _worst([one.ports for one in samples])
    if ports > _PORTS:
        found.append(f"{_percent(ports)} of our ports in use")
    pause = _worst([one.pause for one in samples])
    if pause > _PAUSE:
        found.append(f"collecting garbage took up to {_milliseconds(pause)}")
    return found


def _around(samples: Sequence[Sample]) -> list[str]:
    """What else the machine did: it explains strain, and is none as long as nothing was late."""
    found = []
    machine = _worst([one.machine for one in samples])
    if machine > 1:
        found.append(f"the machine had {machine:.1f} runnable processes for each core")
    steal = _worst([one.steal for one in samples])
    if steal > _STEAL:
        found.append(f"its host took {_percent(steal)} of its time")
    return found


def _worst(values: Sequence[float | None]) -> float:
    return max((value for value in values if value is not None), default=0.0)


def _limit(one: Sample) -> float:
    """The lag that is too much beside this second's latencies."""
    return max(_LAG[0], _LAG_SHARE * (one.response_p50 or 0.0))


def _rises(samples: Sequence[Sample]) -> bool:
    """Lag grew from second to second, all of them too late: we shall never catch up."""
    run = 0
    for before, after in pairwise(samples):
        if before.lag_p99 is None or after.lag_p99 is None:
            run = 0
        else:
            rising = after.lag_p99 > before.lag_p99 > _limit(before)
            run = run + 1 if rising else 0
        if run >= _RISING:
            return True
    return False


def _longest(values: Sequence[float | None], limit: float) -> int:
    """The longest run of values above `limit`."""
    longest = run = 0
    for value in values:
        run = run + 1 if value is not None and value > limit else 0
        longest = max(longest, run)
    return longest


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
