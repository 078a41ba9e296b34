"""The steps of a discovery, what they show, and what all of them together may cost."""

import math
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from asyncfind.errors import LocalProtocolError
from asyncfind.load.threshold import Threshold

__all__ = [
    "AtOnce",
    "AtRate",
    "Budget",
    "CloseAll",
    "CloseOne",
    "Goal",
    "Goals",
    "Measured",
    "Open",
    "Outcome",
    "Rest",
    "Step",
    "Steps",
    "Tried",
    "measure",
    "rest",
    "try_",
]

_T = TypeVar("_T")

_RESTS: Final = 8
_FIRST_PAUSE: Final = 0.25
_IDLE: Final = 1.5
_NOISE: Final = 0.005
"""Seconds by which a probe may be slower than that and say nothing."""


class Goal(StrEnum):
    """What is looked for."""

    LIMIT = "limit"
    KNEE = "knee"
    CAPACITY = "capacity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """What to look for, and within which bounds.

    Args:
        goals: the searches; they are made in the order of `Goal`.
        cap: associations that are opened at the most, and the highest concurrency.
        repeats: times that the limit is looked for.
        second_title: look whether the limit is per calling AE title.
        seconds: measured at each level; a capacity is confirmed by four times as many.
        warm_up: not measured, before them.
        thresholds: what a rate has to come up to; empty asks that p95 of response is not above
            five times that of a query alone.
        error_share: of failed queries that ends the search for the knee.
        budget_seconds, budget_queries: for all of it.
        seed: of what is drawn.
    """

    goals: frozenset[Goal] = frozenset(Goal)
    cap: int = 64
    repeats: int = 3
    second_title: bool = True
    seconds: float = 10.0
    warm_up: float = 1.0
    thresholds: tuple[Threshold, ...] = ()
    error_share: float = 0.01
    budget_seconds: float = 900.0
    budget_queries: int = 20_000
    seed: int = 0


# --- Steps ---


@dataclass(frozen=True, slots=True)
class Open:
    """Open one more association, ask one query on it, and keep it.

    Args:
        number: which one it is, from 1.
        second: by the second calling AE title.
    """

    number: int
    second: bool = False

    def __str__(self) -> str:
        return f"open {self.number}{' by the second AE title' if self.second else ''}"


@dataclass(frozen=True, slots=True)
class CloseOne:
    """Release the association that was opened first."""

    def __str__(self) -> str:
        return "release one"


@dataclass(frozen=True, slots=True)
class CloseAll:
    """Release all associations."""

    def __str__(self) -> str:
        return "release all"


@dataclass(frozen=True, slots=True)
class Rest:
    """Wait, then ask one query on an association of its own.

    Args:
        pause: seconds.
    """

    pause: float

    def __str__(self) -> str:
        return f"rest {self.pause:g} s, probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """A closed load: so many queries at once.

    Args:
        seconds: measured, after `warm_up` seconds.
        count: queries that end it before.
    """

    concurrency: int
    seconds: float
    warm_up: float
    count: int

    def __str__(self) -> str:
        return f"{self.concurrency} at once for {self.seconds:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRate:
    """An open load: so many queries per second.

    Args:
        associations: that they may use.
        seconds: measured, after `warm_up` seconds.
        thresholds: what it has to come up to.
    """

    rate: float
    associations: int
    seconds: float
    warm_up: float
    thresholds: tuple[Threshold, ...]

    def __str__(self) -> str:
        return f"{self.rate:.4g}/s for {self.seconds:g} s"


Step = Open | CloseOne | CloseAll | Rest | AtOnce | AtRate


# --- What they show ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of `Open`, `CloseOne`, `CloseAll` or `Rest`.

    Args:
        ok: it went well.
        sign: of a peer that has enough, in words; empty for none.
        delayed: the sign is that its query had to wait, no refusal.
        what: what happened, in words; never a peer's text.
        probe: seconds that its query took; None where none was answered.
        held: associations that are open still, this one not counted where it failed.
        seconds, queries: what it cost.
    """

    ok: bool
    sign: str = ""
    delayed: bool = False
    what: str = ""
    probe: float | None = None
    held: int = 0
    seconds: float = 0.0
    queries: int = 0

    def __str__(self) -> str:
        parts = [self.what or ("ok" if self.ok else "failed")]
        if self.probe is not None:
            parts.append(f"probe {self.probe * 1000:.1f} ms")
        if self.sign:
            parts.append(f"enough: {self.sign}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a load showed.

    Args:
        rate: complete queries per second.
        error: standard error of `rate`.
        windows: seconds that `error` comes from.
        service: mean seconds from C-FIND-RQ to the final response; None where none came.
        p95: of response, seconds.
        failed: share of queries that failed.
        kept: every threshold held, nothing was dropped, and all came to an end.
        broken: what was not kept, in words.
        sign: as of `Tried`.
        saturated: our own process did not keep up: it says nothing about the peer.
        seconds, queries: what it cost.
    """

    rate: float
    error: float = 0.0
    windows: int = 0
    service: float | None = None
    p95: float | None = None
    failed: float = 0.0
    kept: bool = True
    broken: str = ""
    sign: str = ""
    saturated: bool = False
    seconds: float = 0.0
    queries: int = 0

    def __str__(self) -> str:
        parts = [f"{self.rate:.4g}/s"]
        if self.service is not None:
            parts.append(f"service {self.service * 1000:.1f} ms")
        if self.p95 is not None:
            parts.append(f"p95 {self.p95 * 1000:.1f} ms")
        if self.failed:
            parts.append(f"{self.failed * 100:.2g} % failed")
        if self.broken:
            parts.append(self.broken)
        if self.saturated:
            parts.append("client saturated")
        if self.sign:
            parts.append(f"enough: {self.sign}")
        return ", ".join(parts)


Outcome = Tried | Measured
Steps = Generator[Step, Outcome, _T]
"""A search: yields steps, is sent what each showed, returns what it found."""


@dataclass(slots=True)
class Budget:
    """What is left to spend, and what is known of the peer when nothing else is asked.

    Attributes:
        idle: seconds that a probe takes then; None while not known.
        trouble: what became of the last probe that failed.
    """

    seconds: float
    queries: int
    idle: float | None = None
    trouble: str = ""

    def spend(self, outcome: Outcome) -> None:
        """Take off what a step has cost."""
        self.seconds -= outcome.seconds
        self.queries -= outcome.queries

    def lack(self, seconds: float = 0.0, queries: float = 1) -> str:
        """Why a step of this length cannot be made any more; empty where it can."""
        if self.seconds < seconds or self.seconds <= 0:
            return "out of time"
        return "out of queries" if self.queries < queries else ""


def try_(step: Open | CloseOne | CloseAll | Rest) -> Steps[Tried]:
    """Make a step that tries something."""
    outcome = yield step
    if not isinstance(outcome, Tried):
        raise LocalProtocolError(f"'{step}' was answered by a measurement")
    return outcome


def measure(step: AtOnce | AtRate) -> Steps[Measured]:
    """Make a step that measures a load."""
    outcome = yield step
    if not isinstance(outcome, Measured):
        raise LocalProtocolError(f"'{step}' was answered by no measurement")
    return outcome


def rest(budget: Budget) -> Steps[bool]:
    """Leave the peer alone until a query takes no longer than on an idle one; False gives up.

    The first time, when nothing has been asked yet, finds out how long that is.
    """
    if budget.idle is None:
        probes: list[float] = []
        for _ in range(3):
            tried = yield from try_(Rest(0.0))
            if tried.probe is None:
                budget.trouble = tried.what
                return False
            probes.append(tried.probe)
        budget.idle = min(probes)
        return True
    pause = _FIRST_PAUSE
    for _ in range(_RESTS):
        if budget.lack(pause):
            return False
        tried = yield from try_(Rest(pause))
        if tried.probe is not None and tried.probe <= max(
            budget.idle * _IDLE, budget.idle + _NOISE
        ):
            return True
        pause = min(pause * 2, 10.0)
    return False


def count_for(budget: Budget, levels: int) -> int:
    """Queries that one of so many levels still to come may use."""
    return max(1, math.floor(budget.queries / levels))
