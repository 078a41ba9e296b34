"""How a bulk run goes about its plan: with which manners, and what keeps the outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asyncfind.book.pacing import Rate, Span
from asyncfind.plan import Peer

if TYPE_CHECKING:
    from asyncfind.run.journal import Journal

__all__ = ["Course", "Manners"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How an archive is to be treated.

    Args:
        cap: the most associations.
        rate: the most queries in a time; None for as many as it takes.
        hours: when it may be asked; none at all is always.
        retries: send again what failed in a way that may pass.
        give_up: seconds of trouble after which what is left is skipped; None never.
        statuses: final statuses that are worth another attempt, besides A700.
        row_limit: matches at which it is known to cut an answer.
    """

    cap: int = 4
    rate: Rate | None = None
    hours: tuple[Span, ...] = ()
    retries: bool = True
    give_up: float | None = 600.0
    statuses: frozenset[int] = field(default_factory=frozenset)
    row_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a bulk run is to go about its plan.

    Args:
        manners: by peer; each peer of the plan has some.
        journal: knows what is to be asked and keeps what came of it; None for a run whose records
            are all that is left of it.
        split: into how many queries one may be split whose answer may not be whole; None splits
            none.
    """

    manners: Mapping[Peer, Manners]
    journal: "Journal | None" = None
    split: int | None = None
