"""Which events an appender takes."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from asyncfind.logs.event import Event
from asyncfind.logs.levels import Level

__all__ = ["DenyAll", "Filter", "Gate", "LevelMatch", "LevelRange", "StringMatch", "Verdict"]


class Verdict(Enum):
    """What a filter says of an event; the next one is asked if it is neutral."""

    ACCEPT = auto()
    DENY = auto()
    NEUTRAL = auto()


class Filter(Protocol):
    """One link of an appender's chain."""

    def decide(self, event: Event) -> Verdict: ...


class DenyAll:
    """The end of a chain that takes only what it names."""

    def decide(self, _event: Event) -> Verdict:
        return Verdict.DENY


@dataclass(frozen=True, slots=True)
class LevelMatch:
    """Takes (or leaves) the events of one level; without a level it has no opinion."""

    level: Level | None
    accept: bool

    def decide(self, event: Event) -> Verdict:
        if self.level is None or event.level != self.level:
            return Verdict.NEUTRAL
        return Verdict.ACCEPT if self.accept else Verdict.DENY


@dataclass(frozen=True, slots=True)
class LevelRange:
    """Leaves the events outside a range, and takes those inside at once if `accept`."""

    lowest: Level | None
    highest: Level | None
    accept: bool

    def decide(self, event: Event) -> Verdict:
        if self.lowest is not None and event.level < self.lowest:
            return Verdict.DENY
        if self.highest is not None and event.level > self.highest:
            return Verdict.DENY
        return Verdict.ACCEPT if self.accept else Verdict.NEUTRAL


@dataclass(frozen=True, slots=True)
class StringMatch:
    """Takes (or leaves) the messages in which a text stands; without one it has no opinion."""

    text: bytes
    accept: bool

    def decide(self, event: Event) -> Verdict:
        if not self.text or self.text not in event.message:
            return Verdict.NEUTRAL
        return Verdict.ACCEPT if self.accept else Verdict.DENY


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands before an appender.

    Args:
        threshold: leave events below this level.
        filters: asked in turn; an event that all are neutral about passes.
    """

    threshold: Level = Level.TRACE
    filters: tuple[Filter, ...] = ()

    def admits(self, event: Event) -> bool:
        if event.level < self.threshold:
            return False
        for link in self.filters:
            match link.decide(event):
                case Verdict.ACCEPT:
                    return True
                case Verdict.DENY:
                    return False
                case Verdict.NEUTRAL:
                    continue
        return True
