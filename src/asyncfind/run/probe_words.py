"""What a probe says: what it is about to do, what it found out, and why it stopped."""

from dataclasses import dataclass, field
from typing import NamedTuple

from asyncfind.book.pacing import Rate, Span
from asyncfind.book.profile import Fact
from asyncfind.plan import Timeouts

__all__ = ["Announced", "Enough", "Event", "Gentleness", "Stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gentleness:
    """How hard a node may be probed.

    Args:
        rate: the most queries; None for one after the other.
        hours: when it may be asked; none at all is always.
        timeouts: how long we wait for it.
        rows: matches beyond which no answer is taken, and up to which a row limit is looked for.
        associations: open as many at a time, at the most, to find how many it takes; 0 does not
            look.
        pause: seconds between one association and the next: some archives count an association
            for a moment after its release.
    """

    rate: Rate | None = None
    hours: tuple[Span, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    rows: int = 2500
    associations: int = 0
    pause: float = 0.2


class Announced(NamedTuple):
    """What is about to be asked."""

    text: str


class Stopped(NamedTuple):
    """The probe ended early; facts found until then hold.

    Args:
        is_reached: there was an association.
    """

    text: str
    hint: str
    is_reached: bool


Event = Announced | Fact | Stopped


class Enough(Exception):
    """The node showed that it has enough, or its hours are over: nothing more is asked.

    Args:
        text: what it showed, safe for a terminal.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
