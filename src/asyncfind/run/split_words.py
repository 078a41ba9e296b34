"""The words of splitting: parts of a query, answers to them, and what is known of a peer.

All of them are frozen values. A `Range` has a text form, so that a journal can keep it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Self

__all__ = [
    "Answer",
    "Calendar",
    "Constraint",
    "Dimension",
    "Form",
    "Matching",
    "Outcome",
    "Proof",
    "Range",
    "Row",
    "Rules",
]


class Proof(StrEnum):
    """What is known of a range: whether all of its rows were found."""

    PROVEN = "proven"
    """Nothing is missing, as far as the peer has one limit for one kind of query."""
    ASSUMED = "assumed"
    """No sign of anything missing, but there may be rows that no query of ours can ask for."""
    OPEN = "open"
    """Rows are missing, or may well be."""

    @classmethod
    def worst(cls, states: Iterable[Self]) -> Self:
        """What holds for ranges together; proven where there are none."""
        return max(states, key=tuple(cls).index, default=cls.PROVEN)


class Form(StrEnum):
    """How a dimension is cut."""

    DATE = "date"
    TIME = "time"
    CODES = "codes"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A key that queries may be split by.

    Args:
        name: what reports call it.
        path: tags from the outside in; all but the last are sequences.
        form: how it is cut.
        day: of a time, the name of the date it belongs to: times are only cut within one day,
            as archives match date and time independently (PS3.4 Section C.2.2.2.5).
        codes: what its values can be.
        closed: there are no others.
        single: a row has one value at most.
        folded: archives may match it whatever its case (PS3.4 Section C.2.2.2.1).
        current: of a date or time: rows that are new to the peer have values close to the present.
    """

    name: str
    path: tuple[int, ...]
    form: Form
    day: str = ""
    codes: tuple[str, ...] = ()
    closed: bool = False
    single: bool = True
    folded: bool = False
    current: bool = False


class Calendar(StrEnum):
    """Pieces of the calendar to begin with."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"


class Matching(StrEnum):
    """How a constraint matches (PS3.4 Section C.2.2.2)."""

    RANGE = "range"
    VALUE = "value"
    PREFIX = "prefix"
    EMPTY = "empty"


class Constraint(NamedTuple):
    """What a range asks of one key.

    Args:
        low, high: the ends of a range as the key's VR writes them, None where it is open;
            otherwise `low` is the value or prefix.
    """

    matching: Matching
    low: str | None = None
    high: str | None = None

    @property
    def text(self) -> str:
        """The value of the key (PS3.4 Sections C.2.2.2.1, C.2.2.2.4, C.2.2.2.5, C.2.2.2.7)."""
        if self.matching is Matching.EMPTY:
            return '""'
        low = self.low or ""
        if self.matching is Matching.VALUE:
            return low
        if self.matching is Matching.PREFIX:
            return f"{low}*"
        return low if low and low == self.high else f"{low}-{self.high or ''}"

    @property
    def shape(self) -> str:
        """What an archive may treat differently: one value, a range, a wildcard, emptiness."""
        if self.matching is Matching.RANGE and self.low and self.low == self.high:
            return "value"
        return str(self.matching)


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a query: constraints by dimension, in the order in which they were added.

    Dimensions without one ask for all values (PS3.4 Section C.2.2.2.3).
    """

    parts: tuple[tuple[str, Constraint], ...] = ()

    def get(self, name: str) -> Constraint | None:
        """What is asked of a dimension; None where all is."""
        return next((one for dimension, one in self.parts if dimension == name), None)

    def narrowed(self, name: str, constraint: Constraint) -> "Range":
        """The same with another constraint on `name`."""
        parts = dict(self.parts)
        parts[name] = constraint
        return Range(tuple(parts.items()))

    @property
    def kind(self) -> tuple[tuple[str, str], ...]:
        """What an archive may have a limit of its own for: which keys are asked, and how."""
        return tuple(sorted((name, one.shape) for name, one in self.parts))

    def dump(self) -> str:
        """The range as text, for `load`."""
        return json.dumps([[name, *one] for name, one in self.parts])

    @classmethod
    def load(cls, text: str) -> "Range":
        """Read what `dump` wrote; raises ValueError on anything else."""
        try:
            parts = []
            for name, matching, low, high in json.loads(text):
                for end in (low, high):
                    if not isinstance(end, str | None):
                        raise ValueError("no range")
                parts.append((str(name), Constraint(Matching(matching), low, high)))
            return cls(tuple(parts))
        except (TypeError, RecursionError) as exc:
            raise ValueError("no range") from exc


class Row(NamedTuple):
    """What splitting needs of a match.

    Args:
        key: value of the unique key.
        values: by dimension, in the order of `Rules.dimensions`; empty where there is no value.
    """

    key: str
    values: tuple[tuple[str, ...], ...]


class Outcome(StrEnum):
    """How a range's query ended."""

    COMPLETE = "complete"
    """Final status 0000; all that came is here, whether or not that was all."""
    CUT = "cut"
    """The peer says that there was more (FE00, B001), or our own limit says so."""
    TOO_MANY = "too many"
    """Refused, as too much matches."""
    FAILED = "failed"
    """No answer, and no use in asking for less."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking for a range.

    Args:
        count: matches as received, repeated ones too; as many as `rows` when None.
    """

    outcome: Outcome
    rows: tuple[Row, ...] = ()
    count: int | None = None

    @property
    def received(self) -> int:
        """Matches as received: what a peer counts for its limit."""
        return len(self.rows) if self.count is None else self.count


SPLIT_MAX: Final = 1000
"""Queries that one may be split into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is known before anything is asked.

    Args:
        dimensions: keys to split by, in order.
        row_limit: rows at which the peer cuts, from its profile.
        split_max: the most queries, the first one included.
        empty_matching: Empty Value Matching was negotiated (PS3.4 Section C.2.2.2.7).
        try_empty: ask for emptiness though it was not. Where rows without a value come, and no
            others, it is matched; where none come, nobody can say.
        now: the peer's present, as far as we know; None asks nothing again.
        earliest, latest: dates that most rows lie between, to cut open ranges at.
    """

    dimensions: tuple[Dimension, ...]
    row_limit: int | None = None
    split_max: int = SPLIT_MAX
    empty_matching: bool = False
    try_empty: bool = False
    now: datetime | None = None
    earliest: str = "19900101"
    latest: str = "20401231"
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(one.name for one in self.dimensions))

    def dimension(self, name: str) -> Dimension:
        """The dimension of this name."""
        return self.dimensions[self.names.index(name)]

    def values(self, row: Row, name: str) -> tuple[str, ...]:
        """A row's values in a dimension."""
        return row.values[self.names.index(name)]
