"""Answers as they come, in one of several forms, to one output; what all the formats share."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol, runtime_checkable

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Limits, Plan
from asyncfind.query.charset import assume
from asyncfind.query.element import Item
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import SYNTAXES
from asyncfind.records import Find, FindDone, FindStarted, Match, Record, Summary, Verdict
from asyncfind.render.blocks import Blocks
from asyncfind.render.output import Output
from asyncfind.render.tally import is_satisfied
from asyncfind.safe import safe

__all__ = ["UNKNOWN", "Form", "Streamed", "Telling", "Told", "time_text"]


class Form(Protocol):
    """One format: what happened as text. Knows nothing of streams, nor of other queries."""

    def begin(self, plan: Plan) -> str:
        """What comes before everything."""

    def opening(self, find: Find) -> str:
        """What comes before a query's block; called in the order in which blocks are written."""

    def match(self, match: Match, item: Item) -> str:
        """One answer; `item` is its identifier, decoded."""

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        """One answer whose identifier cannot be decoded."""

    def done(self, done: FindDone) -> str:
        """The end of a query's block."""

    def end(self, summary: Summary) -> str:
        """What comes after everything."""


class Told(NamedTuple):
    """What is known of answers besides what they say.

    Args:
        time: when their query was asked, 2026-03-01T08:00:00.000Z; empty where nobody knows.
        verdict: how their query ended; None while it has not.
        nodes: of a merged row: all that had it.
        differs: of a merged row: columns in which they do not agree.
        is_keyless: it has no unique key to be merged by.
    """

    time: str = ""
    verdict: Verdict | None = None
    nodes: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    is_keyless: bool = False


UNKNOWN: Final = Told()


_YEAR_3000: Final = 32_503_680_000


def time_text(at: float) -> str:
    """An instant in seconds since 1970 in UTC, to the millisecond; empty where it is none."""
    if not 0 < at < _YEAR_3000:
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


@runtime_checkable
class Telling(Form, Protocol):
    """A form that shows what is known of answers besides what they say."""

    def tell(self, told: Told) -> None:
        """Called before `match`, `undecodable` and `done` with what holds for them."""


class Streamed:
    """A renderer: writes `form` to `output`, each query's block in one piece."""

    def __init__(self, form: Form, output: Output) -> None:
        self._form = form
        self._telling = form if isinstance(form, Telling) else None
        self._told: dict[Find, Told] = {}
        """Of queries that were begun and have not ended; none where the form does not tell."""
        self._output = output
        self._blocks = Blocks(output, lambda find: _encode(form.opening(find)))
        self._max_inflated = Limits().max_identifier
        self._begun: dict[Find, int] = {}
        """Queries with answers and without end, and the number of their last answer."""
        self._bad: dict[Find, _Bad] = {}

    def begin(self, plan: Plan) -> None:
        """Write what comes first."""
        self._max_inflated = plan.limits.max_identifier
        if head := self._form.begin(plan):
            self._output.write(_encode(head))
            self._output.flush()

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Write the matches, each query's answers of `records` at once."""
        counted: list[Record] = []
        current: Match | None = None
        texts: list[str] = []
        for record in records:
            shown = record
            if isinstance(record, Match):
                if current is not None and record.find is not current.find:
                    self._write(current, texts)
                current = record
                texts.append(self._match(record))
            elif isinstance(record, FindDone):
                self._write(current, texts)
                shown = self._done(record)
            elif isinstance(record, FindStarted) and self._telling is not None:
                self._told[record.find] = Told(time_text(record.at), record.verdict)
            counted.append(shown)
        self._write(current, texts)
        self._output.flush()
        return counted

    def end(self, summary: Summary) -> None:
        """Close the blocks of queries without end, and the format; publish the output."""
        for find, number in list(self._begun.items()):
            self._done(FindDone.interrupted(find, number))
        self._blocks.close()
        for text in self._rest():
            self._output.write(_encode(text))
        self._output.write(_encode(self._form.end(summary)))
        self._output.flush()
        self._output.publish()

    def _rest(self) -> Iterator[str]:
        """What comes behind all blocks."""
        return iter(())

    def _match(self, match: Match) -> str:
        if self._telling is not None:
            self._telling.tell(self._told.get(match.find, UNKNOWN))
        try:
            return self._form.match(match, self._read(match))
        except MalformedIdentifier as exc:
            self._note_bad(match.find, exc)
            return self._form.undecodable(match, exc)

    def _read(self, match: Match) -> Item:
        """The identifier, decoded; raises MalformedIdentifier where it cannot be."""
        syntax = SYNTAXES.get(match.transfer_syntax)
        if syntax is None:
            uid = safe(match.transfer_syntax, 64)
            raise MalformedIdentifier(f"identifier in a transfer syntax we do not know ({uid})")
        item = read_item(match.identifier, syntax, max_inflated=self._max_inflated)
        return assume(item, match.find.peer.charset)

    def _note_bad(self, find: Find, error: MalformedIdentifier) -> None:
        self._bad.setdefault(find, _Bad(error)).count += 1

    def _write(self, last: Match | None, texts: list[str]) -> None:
        if last is not None and texts:
            self._begun[last.find] = last.number
            self._blocks.write(last.find, _encode("".join(texts)))
            texts.clear()

    def _done(self, done: FindDone) -> FindDone:
        bad = self._bad.pop(done.find, None)
        if bad is not None and is_satisfied(done):
            done = bad.judge(done)
        self._begun.pop(done.find, None)
        if self._telling is not None:
            self._telling.tell(self._told.pop(done.find, UNKNOWN))
        self._blocks.write(done.find, _encode(self._form.done(done)))
        self._blocks.end(done.find)
        return done


class _Bad:
    """The answers of a query that cannot be decoded: their number and what was wrong first."""

    def __init__(self, first: MalformedIdentifier) -> None:
        self.first = first
        self.count = 0

    def judge(self, done: FindDone) -> FindDone:
        """What a query that went well otherwise has become."""
        return replace(
            done,
            verdict=Verdict.UNDECODABLE,
            kind=self.first.kind,
            error=f"{self.count} of {done.matches} answers: {self.first.text}",
            hint="--format ndjson keeps their bytes.",
        )


def _encode(text: str) -> bytes:
    # Names from the command line may hold lone surrogates; nothing else that comes here does.
    return text.encode("utf-8", "backslashreplace")
