"""`csv`: a row for each answer (RFC 4180), with the same columns in every run of the same plan."""

import re
from typing import Final

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Plan
from asyncfind.query.element import Item
from asyncfind.records import Find, FindDone, Match, Summary
from asyncfind.render.columns import Rows, Shape
from asyncfind.render.stream import Told
from asyncfind.safe import safe

__all__ = ["CsvRows", "csv_cell", "csv_line"]

# Spreadsheets take these at the start of a cell for a formula, full-width twins included.
_FORMULA: Final = re.compile("[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
# A plain number computes nothing, and with an apostrophe it would be text that nobody can add up.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_QUOTED: Final = re.compile('[",;\r\n]|^ | $')


class CsvRows:
    r"""The form of CSV: one line for each answer, lines end in CR LF.

    A cell is empty where the element is not there, `""` where it is but has no value. Control
    characters become visible escapes, and text that a spreadsheet would run as a formula gets an
    apostrophe before it. An answer that cannot be decoded has empty cells and the flag
    `undecodable`; one with text that does not fit its character set has it as well as it can be
    read, and the flag `charset`.

    Args:
        shape: which columns the user wants.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        self._rows = Rows(shape or Shape(), csv_cell)

    def tell(self, told: Told) -> None:
        """What is known of the rows to come."""
        self._rows.told = told

    def begin(self, plan: Plan) -> str:
        return csv_line(self._rows.begin(plan))

    def opening(self, find: Find) -> str:
        return ""

    def match(self, match: Match, item: Item) -> str:
        return csv_line(self._rows.cells(match, item))

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        return csv_line(self._rows.cells(match, None))

    def done(self, done: FindDone) -> str:
        return ""

    def end(self, summary: Summary) -> str:
        return ""


def csv_line(cells: "list[str | None] | list[str]") -> str:
    """A line of cells that `csv_cell` made, or that are harmless; None is an empty one."""
    if cells == [None]:  # a line of nothing would be no row for most readers
        return '""\r\n'
    return ",".join([cell or "" for cell in cells]) + "\r\n"


def csv_cell(text: str) -> str:
    """One cell: harmless in a terminal and in a spreadsheet, quoted where it must be.

    Where the system's language separates by semicolon, some spreadsheets do so at any file: a cell
    with one is quoted.
    """
    if not text:
        return '""'
    is_formula = _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None
    text = safe(text)
    if is_formula:
        text = "'" + text
    if _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
