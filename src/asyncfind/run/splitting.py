"""Queries in as many parts as it takes: between a peer's work and the visit that asks it.

The visit asks parts as it asks everything else, over the same associations and at the same pace.
What is told of them is told of the query as the user asked it: each row once, and one end.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from asyncfind.errors import Kind
from asyncfind.records import (
    AttemptFailed,
    Covered,
    Find,
    FindDone,
    FindStarted,
    Match,
    Note,
    Record,
    Verdict,
)
from asyncfind.run.journal_words import Step
from asyncfind.run.outcome import Doubts, Why, unsent
from asyncfind.run.split_coverage import Coverage
from asyncfind.run.split_query import narrowed, outcome_of
from asyncfind.run.split_rows import RowReader
from asyncfind.run.split_words import Answer, Outcome, Proof, Range, Row
from asyncfind.run.splitting_tree import Tree, is_too_many, range_of
from asyncfind.run.work import PartWork

__all__ = ["Splitting"]

_VERDICTS: Final = {
    Proof.PROVEN: Verdict.COMPLETE,
    Proof.ASSUMED: Verdict.SUSPECT,
    Proof.OPEN: Verdict.CUT,
}
_TOLD: Final = 20
"""Proofs that are told without being asked for; what is not proven always is."""
_NO_FURTHER: Final = "The query cannot be split; ask for less at a time."


@dataclass(slots=True)
class _Asked:
    """A part that is under way.

    Args:
        own: what the work calls it.
        rows: that came.
    """

    own: Find
    tree: Tree
    part: Range
    is_root: bool
    reader: RowReader
    rows: list[Row] = field(default_factory=list)


class Splitting:
    """Work whose queries are split where their answers may not be whole.

    Args:
        doubts: tells which answers may have been cut.
        split_max: the most queries for one.
        row_limit: matches at which the peer is known to cut.
        strict: what is not proven is a failure.
    """

    is_staged = True
    splits = True

    def __init__(
        self,
        work: PartWork,
        doubts: Doubts,
        *,
        split_max: int,
        row_limit: int | None = None,
        strict: bool = False,
    ) -> None:
        self._work = work
        self._doubts = doubts
        self._split_max = split_max
        self._row_limit = row_limit
        self._strict = strict
        self._trees: dict[int, Tree] = {}
        self._asked: dict[Find, _Asked] = {}
        self._proofs = 0
        self._late: list[Record] = []
        """What is to be told at the next opportunity."""

    @property
    def left(self) -> int:
        """How many are not begun, or are to be asked again."""
        return self._work.left

    @property
    def expects(self) -> bool:
        """Whether what is under way may bring more to ask."""
        return bool(self._asked)

    async def take(self) -> Find | None:
        """The next query or part; None where none is left now."""
        while (own := await self._work.take()) is not None:
            text = self._work.part(own)
            tree = self._tree(own, text)
            if tree is None:
                await self._work.dropped(own, Step())
                continue
            part = tree.whole if text is None else range_of(text)
            if part is not None and part in tree.splitter.pending:
                query = narrowed(tree.query, part, tree.dimensions) if text else tree.query
                find = Find(own.peer, query, own.repeat, own.ordinal)
                self._asked[find] = _Asked(own, tree, part, text is None, tree.reader())
                tree.open += 1
                return find
            # Nobody needs it any more: a key by which the query was split is not matched here.
            step, notes = self._step(tree, [])
            await self._work.dropped(own, step)
            if step.whole is not None:
                self._late += [*notes, step.whole]
        return None

    def _closed(self, find: Find) -> _Asked:
        """A query or part that is not under way any more."""
        asked = self._asked.pop(find)
        asked.tree.open -= 1
        return asked

    def _tree(self, own: Find, text: str | None) -> Tree | None:
        """The tree that a query or part belongs to; None where it belongs to none any more."""
        tree = self._trees.get(own.ordinal)
        if tree is not None:
            return tree
        root, history = own, list(self._work.history(own)) if text is not None else []
        if text is not None:
            roots = [done.find for part, _, done in history if part is None]
            if not roots:
                return None
            root = roots[0]
        tree = Tree(root, split_max=self._split_max, row_limit=self._row_limit)
        if text is not None:
            tree.replay(history, self._work.waiting(own))
        self._trees[own.ordinal] = tree
        return tree

    async def put_back(self, find: Find) -> None:
        """It was not asked after all."""
        await self._work.put_back(self._closed(find).own)

    def begun(self, started: FindStarted) -> Sequence[Record]:
        """The query was sent; its parts are not told of."""
        asked = self._asked[started.find]
        tree = asked.tree
        is_first = tree.started is None
        if is_first:
            tree.started = time.monotonic()
        return (started._replace(find=tree.root),) if is_first or asked.is_root else ()

    async def matched(self, find: Find, matches: Sequence[Match]) -> Sequence[Record]:
        """Matches came; those that did not before are to be told."""
        asked = self._asked[find]
        tree = asked.tree
        await self._work.matched(asked.own, matches)
        told = []
        for match in matches:
            row = asked.reader.read(match)
            asked.rows.append(row)
            if tree.is_new(row):
                shown = tree.shown.identifier(match)
                told.append(Match(tree.root, tree.count, match.status, *shown))
        return told

    def again(self, failed: AttemptFailed) -> Sequence[Record]:
        """The query is to be asked again; its rows stay, they will be known again."""
        asked = self._asked[failed.find]
        if asked.is_root:
            return (failed._replace(find=asked.tree.root, matches=0),)
        text = f"{failed.find.query.label}: a part failed, again in {failed.pause:.1f} s"
        return (Note(failed.find.peer, f"{text}: {failed.error}", warning=False),)

    async def failed(self, find: Find, done: FindDone) -> None:
        """The attempt is void, and the query to be asked again."""
        await self._work.failed(self._closed(find).own, done)

    async def ended(self, find: Find, done: FindDone) -> Sequence[Record]:
        """A query or part ended; returns how the query as a whole did, once that is known."""
        asked = self._closed(find)
        tree, splitter = asked.tree, asked.tree.splitter
        done = replace(done, find=asked.own)
        if done.verdict is Verdict.SKIPPED or (
            done.verdict is Verdict.CANCELLED and done.kind is Kind.CANCELLED
        ):
            await self._work.ended(asked.own, done)
            return ()
        outcome = outcome_of(done, is_too_many(done))
        if asked.is_root:
            tree.first = self._doubts.judge(done)
            if tree.first.verdict is Verdict.SUSPECT:
                splitter.doubt(asked.part, len(asked.rows))
        if outcome is Outcome.FAILED:
            tree.trouble = done.error
        new = splitter.answer(asked.part, Answer(outcome, tuple(asked.rows), len(asked.rows)))
        if not splitter.pending and not tree.open:
            new = splitter.finish()
        step, notes = self._step(tree, new, keeps=outcome is not Outcome.FAILED)
        own = done if splitter.is_split or tree.first is None else tree.first
        await self._work.stepped(asked.own, own, step)
        told = [*self._late, *notes]
        self._late.clear()
        return told if step.whole is None else [*told, step.whole]

    def _step(
        self, tree: Tree, new: Sequence[Range], *, keeps: bool = True
    ) -> tuple[Step, Sequence[Note]]:
        """What follows of an answer, and what is to be said of it."""
        parts = tree.next_parts(new)
        if tree.splitter.pending or tree.open:
            return Step(parts, keeps), ()
        coverage = tree.splitter.coverage()
        whole = self._whole(tree, coverage)
        self._trees.pop(tree.root.ordinal, None)
        tree.seen.close()
        is_split = tree.splitter.is_split
        failed = not is_split and outcome_of(whole, is_too_many(whole)) is Outcome.FAILED
        rows = () if failed else coverage.journal_rows()
        lines = coverage.lines(tree.count) if is_split else ()
        self._proofs += is_split
        is_told = coverage.state is not Proof.PROVEN or self._proofs <= _TOLD
        notes = [Note(tree.root.peer, line, warning=is_told) for line in lines]
        return Step(parts, keeps and is_split, whole, rows), notes or self._doubts.note(whole)

    def _whole(self, tree: Tree, coverage: Coverage) -> FindDone:
        """How a query ended, all of its parts taken together."""
        first = tree.first
        if first is not None and not tree.splitter.is_split:
            hint = _NO_FURTHER if first.kind is Kind.LIMIT or first.error else first.hint
            if first.verdict in (Verdict.SUSPECT, Verdict.CUT):
                first = replace(first, hint=hint)
            return replace(first, find=tree.root, matches=tree.count)
        verdict = _VERDICTS[coverage.state]
        now = time.monotonic()
        error, kind = "", None
        if verdict is not Verdict.COMPLETE:
            parts = sum(one.state is coverage.state for one in coverage.findings)
            error = f"{parts} part{'s' * (parts != 1)} of it "
            error += "may miss rows" if verdict is Verdict.CUT else "cannot be proven to be whole"
            error += f" ({tree.trouble})" if tree.trouble else ""
            is_failure = verdict is Verdict.CUT or self._strict
            kind = Kind.LIMIT if is_failure else None
        return FindDone(
            find=tree.root,
            verdict=verdict,
            status=0 if verdict is not Verdict.CUT or first is None else first.status,
            matches=tree.count,
            seconds=0.0 if tree.started is None else now - tree.started,
            error=error,
            hint="",
            kind=kind,
            scheduled=0.0 if first is None else first.scheduled,
            started=tree.started,
            ended=now,
            coverage=coverage.covered(tree.count),
        )

    async def rest(self, why: Why) -> Iterable[Record]:
        """Take what is left, never to be asked in this run; returns what is to be reported."""
        return self._reported(list(await self._work.rest(why)), why)

    def _reported(self, unasked: Sequence[Record], why: Why) -> Iterator[Record]:
        yield from self._late
        self._late.clear()
        for record in unasked:
            tree = None
            if isinstance(record, FindDone):
                tree = self._trees.pop(record.find.ordinal, None)
            yield record if tree is None else _broken_off(tree, why)
        trees = list(self._trees.values())
        self._trees.clear()
        for tree in trees:
            yield _broken_off(tree, why)

    def attempt(self, find: Find) -> int:
        """Which attempt this is, from 1."""
        return self._work.attempt(self._asked[find].own)


def _broken_off(tree: Tree, why: Why) -> FindDone:
    """The end of a query whose parts will not all be asked."""
    covered: Covered | None = None
    if tree.splitter.is_split:
        covered = tree.splitter.coverage().covered(tree.count)
    tree.seen.close()
    done = unsent(tree.root, *why)
    if tree.started is None:
        return done
    is_ours = why.kind is Kind.CANCELLED
    return replace(
        done,
        verdict=Verdict.CANCELLED if is_ours else Verdict.CUT,
        error="interrupted" if is_ours else f"not all of its parts were asked: {why.error}",
        matches=tree.count,
        seconds=done.ended - tree.started,
        started=tree.started,
        coverage=covered,
    )
