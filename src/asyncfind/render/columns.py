"""The columns of CSV and Parquet: what is told of a row, and the values of the return keys.

They come from the plan, or from the user's own list (--columns), never from an answer: the same
plan has the same columns whatever an archive returns.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Plan
from asyncfind.query.columns import Column
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import Item
from asyncfind.query.keys import parse_key
from asyncfind.records import Find, Match
from asyncfind.render.cells import flagged_values, flags_of
from asyncfind.render.stream import UNKNOWN, Told
from asyncfind.safe import safe

__all__ = ["ABOUT", "Choice", "Rows", "Shape", "parse_columns"]

ABOUT: Final = (
    *("node", "query", "repeat", "number", "status", "time", "verdict", "flags"),
    *("nodes", "differs"),
)
"""The columns about a row, in the order in which they come before the return keys."""
_SHOWN: Final = 8
_STEP: Final = re.compile(r"([^\[\]]*)(\[0\])?")
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
"""A tag as columns without a keyword are called."""

Choice = str | tuple[int, ...]
"""A column by the user's word: one of ABOUT, or the path of a return key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the user wants of rows.

    Args:
        columns: these alone, in this order; None for all.
        merge: one row for all answers with the same unique key.
        has_verdict: how a query ended is known when its rows are written.
    """

    columns: tuple[Choice, ...] | None = None
    merge: bool = False
    has_verdict: bool = False

    def check(self, keys: Sequence[Column]) -> None:
        """Refuse columns that rows of a plan with these return keys have not.

        Raises:
            InvalidRequest: there is such a column.
        """
        _resolve(self, keys)


def parse_columns(text: str) -> tuple[Choice, ...]:
    """The columns that a list names: `node,PatientID,0020000D`.

    A comma within a tag, `0010,0020`, is part of it.

    Raises:
        InvalidRequest: one cannot be read, or is there twice.
    """
    columns: list[Choice] = []
    for name in _names(text):
        if not name or "=" in name:
            raise InvalidRequest(
                f"--columns '{safe(text, 64)}' is no list of columns",
                "Write names with commas between them: --columns node,PatientID,StudyDate.",
            )
        column: Choice = name if name in ABOUT else _path(name)
        if column in columns:
            raise InvalidRequest(f"--columns names {safe(name, 64)} twice", "Name it once.")
        columns.append(column)
    return tuple(columns)


def _names(text: str) -> list[str]:
    """The parts of a list; two of four hexadecimal digits each are one tag."""
    names: list[str] = []
    for part in text.split(","):
        name = part.strip()
        last = names[-1].rpartition(".")[2].lstrip("(") if names else ""
        if _is_half(last) and _is_half(name.partition(".")[0].partition("[")[0].rstrip(")")):
            names[-1] += f",{name}"
        else:
            names.append(name)
    return names


def _path(name: str) -> tuple[int, ...]:
    """The path of a return key as columns are called, `Sequence.Keyword`, or as -k takes it."""
    steps = []
    for step in name.split("."):
        found = _STEP.fullmatch(step)
        if found is None:
            raise InvalidRequest(
                f"--columns: '{safe(name, 64)}' is no column",
                "Columns are of the first item: ScheduledProcedureStepSequence.Modality.",
            )
        tag = found[1]
        steps.append(f"{tag[:4]},{tag[4:]}" if _TAG.fullmatch(tag) else tag)
    return parse_key("[0].".join(steps)).tags


def _is_half(text: str) -> bool:
    return len(text) == 4 and all(char in "0123456789abcdefABCDEF" for char in text)


class Rows:
    """Makes the cells of rows.

    Args:
        shape: what the user wants.
        cell: makes a peer's text harmless.

    Attributes:
        told: what is known of the rows to come besides their answers.
        columns: in their order, once begun.
    """

    def __init__(self, shape: Shape, cell: Callable[[str], str]) -> None:
        self.told: Told = UNKNOWN
        self.columns: tuple[str | Column, ...] = ()
        self._shape = shape
        self._cell = cell
        self._about: tuple[str, ...] = ()
        self._keys: tuple[Column, ...] = ()
        self._places: list[int] | None = None
        self._for: tuple[Find, Told] | None = None
        self._known: dict[str, str | None] = {}

    def begin(self, plan: Plan) -> list[str]:
        """The names of the columns.

        Raises:
            InvalidRequest: one that the user wants is none of the plan's.
        """
        columns = self.columns = _resolve(self._shape, plan.columns)
        about = tuple(one for one in columns if isinstance(one, str))
        keys = tuple(one for one in columns if isinstance(one, Column))
        if columns != (*about, *keys):
            order = [*about, *keys]
            self._places = [order.index(one) for one in columns]
        self._about, self._keys = about, keys
        return [one if isinstance(one, str) else self._cell(one.name) for one in columns]

    def cells(self, match: Match, item: Item | None) -> list[str | None]:
        """The cells of a row: None where there is nothing, empty where an element is empty.

        Several values are joined by backslash.

        Args:
            item: the identifier, decoded; None where it cannot be.
        """
        values: list[str | None] = [None] * len(self._keys)
        is_sure = True
        if item is not None:
            texts, is_sure = flagged_values(item, self._keys)
            cell = self._cell
            values = [None if one is None else cell("\\".join(one)) for one in texts]
        row = [*self._told(match, item is not None, is_sure), *values]
        return row if self._places is None else [row[place] for place in self._places]

    def _told(self, match: Match, is_decoded: bool, is_sure: bool) -> list[str | None]:
        """The cells about a row; those that all rows of a query share are made once."""
        told = self.told
        if self._for is None or self._for[0] is not match.find or self._for[1] is not told:
            self._for = match.find, told
            self._known = self._shared(match.find, told)
        known = self._known
        known["number"] = str(match.number)
        known["status"] = f"{match.status:04X}"
        if is_decoded and is_sure and not told.is_keyless:
            known["flags"] = None
        else:
            flags = flags_of(is_decoded=is_decoded, is_sure=is_sure, is_keyless=told.is_keyless)
            known["flags"] = "\\".join(flags)
        return [known[name] for name in self._about]

    def _shared(self, find: Find, told: Told) -> dict[str, str | None]:
        cell = self._cell
        return {
            "node": cell(find.peer.node),
            "query": cell(find.query.label),
            "repeat": str(find.repeat),
            "time": told.time or None,
            "verdict": None if told.verdict is None else str(told.verdict),
            "nodes": cell("\\".join(told.nodes)),
            "differs": cell("\\".join(told.differs)) if told.differs else None,
        }


def _resolve(shape: Shape, keys: Sequence[Column]) -> tuple[str | Column, ...]:
    """The columns of a run, in their order; of a sequence all that was asked in it."""
    left_out = () if shape.has_verdict else ("verdict",)
    left_out = left_out if shape.merge else (*left_out, "nodes", "differs")
    about = [name for name in ABOUT if name not in left_out]
    if shape.columns is None:
        return (*about, *keys)
    chosen: dict[Choice, str | Column] = {}
    for choice in shape.columns:
        if isinstance(choice, str):
            if choice not in about:
                raise _unknown_now(choice)
            chosen[choice] = choice
            continue
        found = [one for one in keys if one.path[: len(choice)] == choice]
        if not found:
            raise _not_asked(choice, keys)
        chosen.update((one.path, one) for one in found)
    return tuple(chosen.values())


def _unknown_now(name: str) -> InvalidRequest:
    if name == "verdict":
        return InvalidRequest(
            "--columns: how a query ends is not known yet when its rows are written",
            "Write --verdicts FILE beside them, or keep a job (--job): its rows have it.",
        )
    return InvalidRequest(f"--columns: {name} is there with --merge only", "Add --merge.")


def _not_asked(path: tuple[int, ...], keys: Sequence[Column]) -> InvalidRequest:
    name = ".".join(keyword_of(tag) or f"{tag:08X}" for tag in path)
    names = [safe(one.name, 64) for one in keys[:_SHOWN]] + ["..."] * (len(keys) > _SHOWN)
    return InvalidRequest(
        f"--columns: {safe(name, 128)} is no return key of the query",
        f"Ask for it with -k, or choose of {', '.join(names)}." if names else "Ask for it with -k.",
    )
