"""One query that may be split: its tree of ranges, its rows, and its answers of earlier runs."""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from asyncfind.records import Find, FindDone, Match, Verdict
from asyncfind.run.journal_words import Child
from asyncfind.run.split import Splitter
from asyncfind.run.split_query import asked_by, dimensions_of, narrowed, outcome_of, with_keys
from asyncfind.run.split_rows import RowReader, Seen, Shown
from asyncfind.run.split_words import Answer, Outcome, Range, Row, Rules

__all__ = ["Tree", "is_too_many", "range_of"]

_TOO_MANY: Final = re.compile(r"too (many|large|much|big)|exceed|limit|maximum", re.IGNORECASE)
_COMMENT: Final = "; comment: "

_History = Iterable[tuple[str | None, Iterable[Match], FindDone]]


class Tree:
    """One query as the user asked it, and what became of it and its parts.

    Attributes:
        root: what records speak of.
        first: how the query itself ended; None while it has not, or where that was long ago.
        count: rows that were told.
        open: parts that are under way, those that nobody needs any more included.
        missing: ranges to be asked that the work does not know of yet.
    """

    def __init__(self, root: Find, *, split_max: int, row_limit: int | None) -> None:
        query = root.query
        self.root = root
        self.dimensions = dimensions_of(query)
        self.whole = asked_by(query)
        self.query = with_keys(query, self.dimensions) if self.dimensions else query
        self.shown = Shown(query, self.dimensions)
        self.seen = Seen()
        self.count = 0
        self.open = 0
        self.started: float | None = None
        self.first: FindDone | None = None
        self.trouble = ""
        self.missing: list[Range] = []
        self.splitter = Splitter(
            Rules(
                dimensions=self.dimensions,
                row_limit=row_limit,
                split_max=split_max,
                try_empty=True,
                now=datetime.now().astimezone(),
            ),
            self.whole,
        )
        self.splitter.start()

    def reader(self) -> RowReader:
        """What reads the matches of one answer."""
        return RowReader(self.root.query, self.dimensions)

    def is_new(self, row: Row) -> bool:
        """Whether a row was not there before; it is counted then."""
        new = self.seen.add(row.key)
        self.count += new
        return new

    def child(self, part: Range) -> Child:
        """What asks for one part."""
        return Child(narrowed(self.query, part, self.dimensions), part.dump())

    def replay(self, history: _History, waiting: frozenset[str]) -> None:
        """Take the answers of earlier runs.

        Any order will do: each of them is what the peer said at some time.

        Args:
            waiting: ranges that the work has still to ask.
        """
        answers: dict[Range, deque[Answer]] = {}
        for text, matches, done in history:
            part = self.whole if text is None else range_of(text)
            if part is None or done.verdict is Verdict.SKIPPED:
                continue
            reader = self.reader()
            rows = tuple(map(reader.read, matches))
            for row in rows:
                self.is_new(row)
            outcome = outcome_of(done, is_too_many(done))
            if text is None:  # it has parts, so there was a reason to split it
                outcome = Outcome.TOO_MANY if outcome is Outcome.FAILED else outcome
                self.splitter.doubt(part, len(rows))
            answers.setdefault(part, deque()).append(Answer(outcome, rows, len(rows)))
        while self._answer_known(answers) or (not self.splitter.pending and self.splitter.finish()):
            pass
        self.missing = [one for one in self.splitter.pending if one.dump() not in waiting]

    def _answer_known(self, answers: dict[Range, "deque[Answer]"]) -> bool:
        known = [part for part in self.splitter.pending if answers.get(part)]
        for part in known:
            if part in self.splitter.pending:
                self.splitter.answer(part, answers[part].popleft())
        return bool(known)

    def next_parts(self, new: Sequence[Range]) -> list[Child]:
        """What the work is to ask next, what it missed included."""
        parts = [self.child(part) for part in (*self.missing, *new)]
        self.missing = []
        return parts


def is_too_many(done: FindDone) -> bool:
    """Whether a peer says in its Error Comment that the query had too many matches.

    No status says so in the standard, and what the vendors write is all there is to go by.
    """
    _, _, comment = done.error.partition(_COMMENT)
    return _TOO_MANY.search(comment) is not None


def range_of(text: str) -> Range | None:
    """What a journal says that a part is; None where it says nothing that we know."""
    try:
        return Range.load(text)
    except ValueError:
        return None
