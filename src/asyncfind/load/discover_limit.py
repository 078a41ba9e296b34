"""How many associations a peer accepts at a time: opened one by one, and kept idle."""

from dataclasses import dataclass
from typing import Final

from asyncfind.load.discover_steps import (
    Budget,
    CloseAll,
    CloseOne,
    Goals,
    Open,
    Rest,
    Steps,
    Tried,
    rest,
    try_,
)

__all__ = ["Limit", "find_limit"]

_AGAIN: Final = 3
_PAUSE: Final = 0.25
"""Tries to open one after another was released, and seconds before each: some peers notice only
at the next caller that one has gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What was found about the number of associations.

    Args:
        rounds: associations that were open when the peer showed that it had enough, each time.
        signs: how it showed that, each time.
        cap: as many were opened and the peer did not show it; None where it did.
        returns: after one was released another was accepted; None where that was not tried.
        scope: `total`, or `per calling AE title`; empty where that is not known.
        stopped: why the search ended before its time; empty for a whole one.
    """

    rounds: tuple[int, ...] = ()
    signs: tuple[str, ...] = ()
    cap: int | None = None
    returns: bool | None = None
    scope: str = ""
    stopped: str = ""

    @property
    def low(self) -> int | None:
        """The least of all times; None where no limit showed."""
        return min(self.rounds, default=None)

    @property
    def high(self) -> int | None:
        """The most of all times."""
        return max(self.rounds, default=None)

    def __str__(self) -> str:
        if not self.rounds:
            found = f"none up to {self.cap} associations" if self.cap else "not found"
            return found + (f" ({self.stopped})" if self.stopped else "")
        number = f"{self.low}" if self.low == self.high else f"{self.low}–{self.high}"
        last = self.signs[-1]
        seen = sum(sign == last for sign in self.signs)
        notes = [f"{last} at the next, {seen} of {len(self.rounds)}"]
        if self.scope:
            notes.append(self.scope)
        if self.returns:
            notes.append("one more after a release")
        if self.stopped:
            notes.append(self.stopped)
        return f"{number} associations ({'; '.join(notes)})"


@dataclass(slots=True)
class _Found:
    """What one round has found."""

    held: int = 0
    sign: str = ""
    delayed: bool = False
    stopped: str = ""


def find_limit(goals: Goals, budget: Budget) -> Steps[Limit]:
    """Look for the limit, as often as the goals say; the rounds' least and most are its range."""
    rounds: list[int] = []
    signs: list[str] = []
    scope, returns, stopped = "", None, ""
    cap: int | None = None
    if not (yield from rest(budget)):
        return Limit(stopped=f"the peer did not answer a query: {budget.trouble}")
    for number in range(goals.repeats):
        found = yield from _fill(goals, budget)
        if found.sign:
            rounds.append(found.held)
            signs.append(found.sign)
            # How long another one waits is chance; whether it is refused is not.
            if number == 0 and not found.delayed:
                if goals.second_title:
                    scope = _scope((yield from try_(Open(found.held + 1, second=True))))
                returns = yield from _returns()
        elif not found.stopped:
            cap = found.held
        yield from try_(CloseAll())
        rested = yield from rest(budget)
        stopped = found.stopped or ("" if rested else "the peer did not come to rest")
        # What was not refused once needs no second proof.
        if stopped or cap is not None:
            break
    return Limit(
        rounds=tuple(rounds),
        signs=tuple(signs),
        cap=None if rounds else cap,
        returns=returns,
        scope=scope,
        stopped=stopped,
    )


def _fill(goals: Goals, budget: Budget) -> Steps[_Found]:
    """Open associations until the peer shows that it has enough."""
    found = _Found()
    for number in range(1, goals.cap + 1):
        if lack := budget.lack():
            found.stopped = lack
            break
        tried = yield from try_(Open(number))
        found.held = tried.held
        if not tried.ok:
            found.sign, found.delayed = tried.sign, tried.delayed
            if not tried.sign:
                found.stopped = tried.what or "an association failed"
            break
    return found


def _scope(tried: Tried) -> str:
    if tried.ok:
        return "per calling AE title"
    # A rejection of another kind says that the title is not welcome, and nothing about room.
    return "total" if tried.sign else ""


def _returns() -> Steps[bool]:
    yield from try_(CloseOne())
    for _ in range(_AGAIN):
        tried = yield from try_(Rest(_PAUSE))
        if tried.ok:
            return True
    return False
