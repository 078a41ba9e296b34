"""What a load came to: all that reports are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncfind.load.health import Health, Sample
from asyncfind.load.spec import Load
from asyncfind.load.tally import Tally
from asyncfind.load.threshold import Result
from asyncfind.records import ExitCode

__all__ = ["Interval", "LoadResult", "merged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One measured second, or the rest of one at the end.

    What was under way then and ended within the grace time is an interval of its own, the last.

    Args:
        at: seconds from the start of the measurement to its beginning.
        seconds: how long it was.
        tally: what it brought, all peers together.
        sample: how our own process did meanwhile.
        in_flight: arrivals that associations are at work on, at its end.
        waiting: arrivals that wait for one.
        open: associations.
        is_drain: the measurement was over.
    """

    at: float
    seconds: float
    tally: Tally
    sample: Sample
    in_flight: int = 0
    waiting: int = 0
    open: int = 0
    is_drain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """One load, or the sum of those of several processes.

    Args:
        started: when its measurement began, with a time zone.
        seconds: measured; the grace time is not counted, unless a count ended the load: then
            until all was done.
        total: everything measured.
        peers: the same by peer, in the plan's order.
        warm_up: what came before.
        intervals: the seconds of the measurement in order.
        thresholds: how they came out, in the order given.
        reached: an association was opened.
        stopped: why it ended before its time; empty for a whole run, and where the user did it.
        edited: what the user changed meanwhile, with the second: such a run is no plain one.
        interrupted: by the user.
    """

    load: Load
    started: datetime
    seconds: float
    total: Tally
    peers: tuple[Tally, ...]
    warm_up: Tally
    intervals: tuple[Interval, ...]
    health: Health
    thresholds: tuple[Result, ...]
    reached: bool
    stopped: str = ""
    edited: tuple[str, ...] = ()
    interrupted: bool = False
    exit: ExitCode = ExitCode.COMPLETE


def merged(tallies: Sequence[Tally]) -> Tally:
    """The sum of tallies."""
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total
