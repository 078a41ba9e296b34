"""Split queries as a journal shows them: as if they had been asked in one piece, each row once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from asyncfind.errors import Kind
from asyncfind.records import Covered, CoveredPart, FindDone, FindStarted, Match, Verdict
from asyncfind.run.journal_words import CoverageRow
from asyncfind.run.split_query import dimensions_of
from asyncfind.run.split_rows import RowReader, Seen, Shown
from asyncfind.run.split_words import Proof, Range

__all__ = ["Kept", "joined"]

Told = FindStarted | Match | FindDone


class Kept(NamedTuple):
    """What a journal has of one query or part.

    Args:
        part: which part; None for a whole query.
        started: seconds since 1970.
        done: of a split query how all of it ended.
        own: the verdict of this query alone.
        is_split: it may have parts, which follow.
        is_over: all of them have ended.
    """

    part: str | None
    started: float
    matches: Iterable[Match]
    done: FindDone
    own: Verdict
    is_split: bool
    is_over: bool


def joined(
    answers: Iterable[Kept], coverage: Callable[[int], Sequence[CoverageRow]]
) -> Iterator[Told]:
    """Of each query when it was asked, its matches, and how it ended; of split ones each row once.

    Args:
        answers: parts behind their query.
        coverage: what is known of the parts of a query, by its ordinal.
    """
    tree: _Tree | None = None
    for kept in answers:
        if tree is not None and kept.done.find.ordinal != tree.done.find.ordinal:
            yield tree.end(coverage)
            tree = None
        if kept.is_split:
            tree = _Tree(kept)
            yield FindStarted(tree.done.find, kept.started, tree.done.verdict)
        if tree is not None:
            yield from tree.add(kept)
            continue
        yield FindStarted(kept.done.find, kept.started, kept.done.verdict)
        yield from kept.matches
        yield kept.done
    if tree is not None:
        yield tree.end(coverage)


class _Tree:
    def __init__(self, kept: Kept) -> None:
        self.done = kept.done
        if not kept.is_over:
            error = "not all of its parts were asked"
            self.done = replace(self.done, verdict=Verdict.CUT, error=error, kind=Kind.LIMIT)
        self._query = kept.done.find.query
        self._dimensions = dimensions_of(self._query)
        self._shown = Shown(self._query, self._dimensions)
        self._seen = Seen()
        self._count = 0
        self._queries = 0

    def add(self, kept: Kept) -> Iterator[Match]:
        """The rows of one part that no other one had."""
        self._queries += kept.own is not Verdict.SKIPPED
        reader = RowReader(self._query, self._dimensions)
        for match in kept.matches:
            if self._seen.add(reader.read(match).key):
                self._count += 1
                shown = self._shown.identifier(match)
                yield Match(self.done.find, self._count, match.status, *shown)

    def end(self, coverage: Callable[[int], Sequence[CoverageRow]]) -> FindDone:
        """How all of it ended."""
        self._seen.close()
        status = 0 if self.done.verdict is Verdict.COMPLETE else self.done.status
        done = replace(self.done, matches=self._count, status=status)
        if self._queries < 2:
            return done
        rows = coverage(done.find.ordinal)
        parts = tuple(
            CoveredPart(Proof(row.state), row.rows, _keys(row.range), row.reason) for row in rows
        )
        state = Proof.worst(Proof(row.state) for row in rows) if rows else Proof.OPEN
        covered = Covered(str(state), self._count, self._queries, None, parts)
        return replace(done, coverage=covered)


def _keys(text: str) -> tuple[tuple[str, str], ...]:
    """The keys of a part, as they were asked; raises ValueError for what is none."""
    return tuple((name, one.text) for name, one in Range.load(text).parts)
