"""`csv`: a row for each answer (RFC 4180), with the same columns in every run of the same plan."""

import re
from typing import Final

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Plan
from asyncfind.query.columns import Column
from asyncfind.query.element import Item
from asyncfind.records import Find, FindDone, Match, Summary
from asyncfind.render.cells import column_values
from asyncfind.safe import safe

__all__ = ["CsvRows"]

_FIRST: Final = ("node", "query", "repeat", "number", "status")
_FLAG: Final = "undecodable"
"""What the column `status` says of an answer that cannot be decoded."""

# Spreadsheets take these at the start of a cell for a formula, full-width twins included.
_FORMULA: Final = re.compile("[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_QUOTED: Final = re.compile('[",\r\n]|^ | $')


class CsvRows:
    r"""The form of CSV: one line for each answer, lines end in CR LF.

    Columns: node, query, repeat, number, status, then the return keys of all queries in the
    order asked. Several values are joined by backslash. A cell is empty where the element is not
    there, `""` where it is but has no value. Control characters become visible escapes, and text
    that a spreadsheet would run as a formula gets an apostrophe before it. An answer that cannot
    be decoded has empty cells and `undecodable` as its status.
    """

    def __init__(self) -> None:
        self._columns: tuple[Column, ...] = ()
        self._find: Find | None = None
        self._about = ""

    def begin(self, plan: Plan) -> str:
        self._columns = plan.columns
        return ",".join([*_FIRST, *(_cell(column.name) for column in self._columns)]) + "\r\n"

    def opening(self, find: Find) -> str:
        return ""

    def match(self, match: Match, item: Item) -> str:
        cells = [
            "" if values is None else _cell("\\".join(values))
            for values in column_values(item, self._columns)
        ]
        return ",".join([f"{self._begin(match)}{match.status:04X}", *cells]) + "\r\n"

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        return f"{self._begin(match)}{_FLAG}{',' * len(self._columns)}\r\n"

    def done(self, done: FindDone) -> str:
        return ""

    def end(self, summary: Summary) -> str:
        return ""

    def _begin(self, match: Match) -> str:
        find = match.find
        if find is not self._find:
            self._find = find
            self._about = f"{_cell(find.peer.node)},{_cell(find.query.label)},{find.repeat}"
        return f"{self._about},{match.number},"


def _cell(text: str) -> str:
    """One cell: harmless in a terminal and in a spreadsheet, quoted where it must be."""
    if not text:
        return '""'
    is_formula = _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None
    text = safe(text)
    if is_formula:
        text = "'" + text
    if _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
