"""The words of a journal: what it hands out and takes in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asyncfind.plan import Query
from asyncfind.records import Find, FindDone

__all__ = ["Child", "Claim", "CoverageRow", "Progress", "Resumed", "Step"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A query that is to be asked now.

    Args:
        query, attempt: what the journal calls them.
        number: of the attempt, from 1 over all runs of the job.
        find: what its matches and its end belong to.
        place: where it stands in the job.
        range: what part of a split query it is, as it came with `Child`; None for a whole query.
    """

    query: int
    attempt: int
    number: int
    find: Find
    place: bytes
    range: str | None = None


class Child(NamedTuple):
    """A query that came of another one, by splitting it or by walking down.

    Args:
        query: what to ask, at the same node.
        range: what part of the other one it is, in words of its maker.
    """

    query: Query
    range: str


class CoverageRow(NamedTuple):
    """What is known of one part of a split query, for people and for the next run.

    Args:
        dimension: by which key it was cut out; empty for the whole.
        low, high: its ends; None where it has none.
        state: `proven`, `assumed` or `open`.
        rows: matches in it.
        range: all of its keys, as `Range.dump` writes them.
        reason: why it is not proven.
    """

    dimension: str
    low: str | None
    high: str | None
    state: str
    rows: int
    range: str = "[]"
    reason: str = ""


class Step(NamedTuple):
    """What the end of a query, or of a part of one, changes in the tree that it belongs to.

    Args:
        parts: to be asked next.
        keeps: the rows of this one are results, whatever its verdict.
        whole: how the query as a whole ended; None while it has not.
        coverage: what is known of its parts then.
    """

    parts: Sequence[Child] = ()
    keeps: bool = False
    whole: FindDone | None = None
    coverage: Sequence[CoverageRow] = ()


class Progress(NamedTuple):
    """How far a job is; all of it committed.

    Args:
        states: queries by node and state.
        verdicts: queries that ended, by verdict; one that was split counts once.
        rows: of queries that are done.
        left: queries without a verdict, by node; one that was split has none before its parts do.
    """

    states: dict[tuple[str, str], int]
    verdicts: dict[str, int]
    rows: int
    left: dict[str, int]

    def count(self, state: str) -> int:
        """Queries in this state, over all nodes."""
        return sum(count for (_, one), count in self.states.items() if one == state)


class Resumed(NamedTuple):
    """What a journal held when it was opened.

    Args:
        clean: the last run came to its own end.
        kept: queries that are done and not asked again.
        redone: queries that were under way, and are asked again from the start.
        left: queries that are to be asked now, `redone` ones included.
        failed: queries that stay failed.
    """

    clean: bool
    kept: int
    redone: int
    left: int
    failed: int
