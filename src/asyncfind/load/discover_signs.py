"""The signs by which a peer shows that it has enough, and what a load says about a peer."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    ConnectFailed,
    FindFailed,
    Kind,
    PeerError,
    PeerTimeout,
)
from asyncfind.load.discover_steps import Measured
from asyncfind.load.failure import failure_of
from asyncfind.load.health import Strength
from asyncfind.load.result import LoadResult

__all__ = ["measured", "sign_in", "sign_of"]

_OUT_OF_RESOURCES: Final = 0xA700
_SOME: Final = 3
"""Failures of a load that are no chance, of a kind that does not say by itself what it is."""
_SILENT: Final = (Kind.ABORTED, Kind.LOST, Kind.CONNECT, Kind.TIMEOUT)
_LEAST: Final = 3
"""Whole seconds from which an error of throughput can be estimated."""
_WHOLE: Final = 0.9


def sign_of(error: PeerError, *, others: bool) -> str:
    """The sign in what became of one association, in words; empty where there is none.

    A rejection for lack of room says so by itself (PS3.8 Section 9.3.4: transient, or source 3
    with reason 1 or 2, whatever the result says). All else does where associations are open that
    were opened in the same way.

    Args:
        others: such associations are open.
    """
    kind, detail = failure_of(error)
    match error:
        case AssociationRejected() if error.retryable or others:
            return f"RJ {detail}"
        case FindFailed() if error.status == _OUT_OF_RESOURCES or (
            others and error.status >> 12 == 0xC
        ):
            return f"status {detail}"
        case AssociationAborted() if others and error.by != "us":
            return f"A-ABORT by the {error.by}" if error.by != "release" else "release"
        case AssociationLost() if others:
            return "connection lost"
        case ConnectFailed() if others and kind != Kind.LOCAL:
            return f"connection {detail or 'failed'}"
        case PeerTimeout() if others:
            return f"no answer within {error.seconds:.3g} s ({error.phase})"
        case _:
            return ""


def sign_in(errors: Mapping[tuple[str, str], int], *, others: bool) -> str:
    """The sign in the failures of a load, the commonest; empty where there is none.

    Args:
        errors: by kind and detail, as `Tally.errors`.
        others: more than one query at a time was asked.
    """
    for (kind, detail), count in sorted(errors.items(), key=lambda one: -one[1]):
        words = f"{kind}{f', {detail}' if detail else ''} ×{count}"
        if kind == Kind.REJECTED and (others or _is_busy(detail)):
            return f"RJ {detail} ×{count}"
        if kind == Kind.STATUS and detail == f"{_OUT_OF_RESOURCES:04X}":
            return words
        if not others or count < _SOME:
            continue
        if (kind == Kind.STATUS and detail.startswith("C")) or (kind in _SILENT and detail != "us"):
            return words
    return ""


def _is_busy(numbers: str) -> bool:
    """Result, source and reason of a rejection for lack of room."""
    result, source, reason = numbers.split("/")
    return result == "2" or (source == "3" and reason in ("1", "2"))


def measured(result: LoadResult, seconds: float) -> Measured:
    """What a load says about its peer.

    Args:
        seconds: that it took, all in all.
    """
    total = result.total
    rate, error, windows = _throughput(
        [
            (one.tally.completed, one.seconds)
            for one in result.intervals
            if not one.is_drain and one.seconds >= _WHOLE
        ],
        (total.completed, result.seconds),
    )
    broken = _broken(result)
    asked = total.offered + result.warm_up.offered
    return Measured(
        rate=rate,
        error=error,
        windows=windows,
        service=total.latencies["service"].mean,
        p95=total.latencies["response"].percentile(95),
        failed=total.failed / total.offered if total.offered else 0.0,
        kept=not broken,
        broken=broken,
        sign=sign_in(total.errors + result.warm_up.errors, others=result.load.associations > 1),
        saturated=result.health.verdict is Strength.SATURATED,
        seconds=seconds,
        queries=asked,
    )


def _broken(result: LoadResult) -> str:
    """What was not kept, in words; empty where all was."""
    total = result.total
    for one in result.thresholds:
        if not one.passed:
            return f"{one.threshold.text} ({one.threshold.shown(one.value)})"
    for name, count in (("dropped", total.dropped), ("censored", total.censored)):
        if count:
            return f"{count} {name}"
    if result.stopped:
        return result.stopped
    return "" if total.completed else "nothing complete"


def _throughput(
    windows: Sequence[tuple[int, float]], whole: tuple[int, float]
) -> tuple[float, float, int]:
    """Rate, its standard error and the windows that it comes from.

    Args:
        windows: complete queries and seconds of each whole second.
        whole: the same of all of it.
    """
    if len(windows) < _LEAST:
        count, seconds = whole
        if not count or seconds <= 0:
            return 0.0, 0.0, 0
        # Less even than arrivals at random is hardly any server.
        return count / seconds, math.sqrt(count) / seconds, _LEAST
    rates = [count / seconds for count, seconds in windows]
    number = len(rates)
    mean = math.fsum(rates) / number
    spread = math.fsum((rate - mean) ** 2 for rate in rates) / (number - 1)
    return mean, math.sqrt(spread / number), number
