"""What a load is to do, frozen."""

from dataclasses import dataclass
from typing import Literal, Protocol

from asyncfind.load.scenario_mix import Turn
from asyncfind.load.schedule import Schedule
from asyncfind.load.threshold import Threshold
from asyncfind.plan import Plan, Query

__all__ = ["Feed", "Load", "Saturation"]

Saturation = Literal["queue", "drop", "grow"]
"""What becomes of an arrival of an open load when no association is free."""


class Feed(Protocol):
    """Where the queries of a load come from."""

    def next(self) -> Query | Turn | None:
        """The next query; a turn without query is a C-ECHO; None ends the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One load: queries of `plan` in turn, at its peers in turn, at a pace.

    Args:
        plan: whom to ask what, and how; its own numbers of associations and repeats do not count.
        schedule: intended instants of an open load; None is closed: the load waits for the peer.
        associations: to each peer at a time; of a closed load its concurrency. An open load opens
            them one by one, as arrivals wait.
        per_association: queries until an association is released; None keeps it.
        new_associations: to each peer in any second, at the most; None has no limit.
        on_saturation: `queue` lets arrivals wait, `drop` counts them as dropped where no
            association is free or about to open, `grow` opens more, up to `most`.
        most: associations to each peer at a time, with `grow`.
        backlog: arrivals that may wait for an association of one peer; more are dropped.
        latency_limit: arrivals that are older than so many seconds before they are sent are
            skipped; also the limit of attainment. None skips none.
        think: seconds of a closed load between an answer and the next query.
        warm_up: seconds at the start of a closed load that are not measured; a schedule has its
            own.
        duration: measured seconds of a closed load; None goes by `count`.
        count: measured queries of a closed load; None goes by `duration`.
        grace: seconds for what is waiting or under way at the end.
        storm_stop: end when the peers show that they have enough.
        allow_saturated: a client that did not keep up is no failure.
        feed: gives the queries instead of the plan, whose models are proposed all the same.
        verification: propose Verification too, for a feed with C-ECHO.
    """

    plan: Plan
    schedule: Schedule | None = None
    associations: int = 4
    per_association: int | None = None
    new_associations: int | None = None
    on_saturation: Saturation = "queue"
    most: int = 8
    backlog: int = 100_000
    latency_limit: float | None = None
    think: float = 0.0
    warm_up: float = 0.0
    duration: float | None = None
    count: int | None = None
    grace: float = 10.0
    thresholds: tuple[Threshold, ...] = ()
    storm_stop: bool = True
    allow_saturated: bool = False
    feed: Feed | None = None
    verification: bool = False

    @property
    def model(self) -> Literal["open", "closed"]:
        """Who sets the pace: the schedule, or the peers."""
        return "closed" if self.schedule is None else "open"

    @property
    def unmeasured(self) -> float:
        """Seconds at the start that are not measured."""
        return self.warm_up if self.schedule is None else self.schedule.warm_up

    @property
    def cap(self) -> int:
        """The most associations to each peer at a time."""
        if self.schedule is not None and self.on_saturation == "grow":
            return max(self.associations, self.most)
        return self.associations
