"""The rows of a batch as they stand in its file: CSV with a header, or JSON lines."""

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["Fault", "Row", "read_rows"]

_MAX_LINE: Final = 1024 * 1024
_MAX_SIZE: Final = 256 * 1024 * 1024
_MAX_COLUMNS: Final = 256
_BOM: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = "\t;,"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_SAVE: Final = "Save it as UTF-8."


class Row(NamedTuple):
    """One row.

    Args:
        line: on which it begins, from 1.
        columns: names; of rows with the same names it is the same object.
        cells: a text for each column, without NUL.
    """

    line: int
    columns: tuple[str, ...]
    cells: Sequence[str]


class Fault(NamedTuple):
    """A row that cannot be used, and why; values of the row are not part of the text."""

    line: int
    text: str


class _Lines:
    """The lines of a file, within limits; bytes that are no UTF-8 become surrogates."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_MAX_LINE + 1):
            if self.number == 0:
                if line.startswith(_UTF16):
                    raise InvalidRequest("it is in UTF-16", _SAVE)
                line = line.removeprefix(_BOM)
            self.number += 1
            self._size += len(line)
            if len(line) > _MAX_LINE:
                raise InvalidRequest(f"line {self.number} is longer than 1 MiB", "Divide it.")
            if self._size > _MAX_SIZE:
                raise InvalidRequest(f"larger than {_MAX_SIZE >> 20} MiB", "Divide it.")
            yield line.decode("utf-8", "surrogateescape")


def read_rows(file: BinaryIO, is_column: Callable[[str], bool]) -> Iterator[Row | Fault]:
    """Read what begins with a brace as JSON lines, all else as CSV.

    CSV has a header and is divided by commas, semicolons or tabs, whichever makes its header one
    of columns. A line without anything is no row in either.

    Args:
        is_column: whether a text can be the name of a column.

    Raises:
        InvalidRequest: the file as a whole cannot be used.
    """
    source = _Lines(file)
    lines = iter(source)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise InvalidRequest("it is empty", "Write a row for each query.")
    if first.lstrip().startswith("{"):
        yield from _json_rows(source, itertools.chain((first,), lines))
    else:
        yield from _csv_rows(source, first, lines, is_column)


# --- CSV ---


def _csv_rows(
    source: _Lines, first: str, lines: Iterator[str], is_column: Callable[[str], bool]
) -> Iterator[Row | Fault]:
    begins_at = source.number
    reader = csv.reader(
        itertools.chain((first,), lines), delimiter=_delimiter(first, is_column), strict=True
    )
    try:
        columns = tuple(name.strip() for name in next(reader))
    except csv.Error as exc:
        raise InvalidRequest(f"line {begins_at}: {exc}", "The header cannot be read.") from None
    if len(columns) > _MAX_COLUMNS:
        raise InvalidRequest(f"it has more than {_MAX_COLUMNS} columns", "Leave some out.")
    _refuse_twins(columns)
    count = len(columns)
    while True:
        line = source.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield Fault(line, str(exc))
            continue
        if not cells:
            continue
        if len(cells) != count:
            yield Fault(line, f"{len(cells)} cells where the header has {count}")
        elif (fault := _fault_in(cells)) is not None:
            yield Fault(line, fault)
        else:
            yield Row(line, columns, cells)


def _delimiter(header: str, is_column: Callable[[str], bool]) -> str:
    """What divides the header into columns: tags have commas in them, so counting is no good."""
    divided: dict[str, list[str]] = {}
    for delimiter in _DELIMITERS:
        try:
            (cells,) = csv.reader([header], delimiter=delimiter)
        except (csv.Error, ValueError):
            continue
        divided[delimiter] = [cell.strip() for cell in cells]
    good = [one for one, cells in divided.items() if all(map(is_column, cells))]
    # What makes one column of it all divides nothing: any of these will do, unless one does more.
    several = [one for one in good if len(divided[one]) > 1]
    if several or good:
        return (several or [good[-1]])[0]
    return max(divided, key=lambda one: len(divided[one]), default=",")


def _refuse_twins(columns: Sequence[str]) -> None:
    for name in columns:
        if columns.count(name) > 1:
            raise InvalidRequest(
                f"two columns are called '{safe(name, 64)}'", "Leave one of them out."
            )


# --- JSON lines ---


class _Pairs(list[tuple[str, object]]):
    """An object of JSON as it is written."""


def _json_rows(source: _Lines, lines: Iterator[str]) -> Iterator[Row | Fault]:
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    decoder = json.JSONDecoder(
        object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=_refuse_constant
    )
    for line in lines:
        if not line.strip():
            continue
        try:
            # strip: the decoder takes blanks around the value, but no line end of its own
            cells = _cells(decoder.decode(line.strip()))
        except json.JSONDecodeError as exc:
            yield Fault(source.number, f"no JSON: {exc.msg} at column {exc.colno}")
        except RecursionError:
            yield Fault(source.number, "no JSON: nested too deeply")
        except ValueError as exc:
            yield Fault(source.number, str(exc))
        else:
            names = tuple(cells)
            fault = _fault_in(cells.values())
            if fault is None and len(names) > _MAX_COLUMNS:
                fault = f"more than {_MAX_COLUMNS} names"
            if fault is not None:
                yield Fault(source.number, fault)
            else:
                columns = known.setdefault(names, names)
                yield Row(source.number, columns, tuple(cells.values()))


def _cells(value: object) -> dict[str, str]:
    """The members of an object but for those that are null.

    Raises:
        ValueError: it is no object of texts, numbers and lists of them.
    """
    if not isinstance(value, _Pairs):
        raise ValueError("an object is expected: {...}")
    cells: dict[str, str] = {}
    seen = set()
    for name, one in value:
        if name in seen:
            raise ValueError(f"'{safe(name, 64)}' is there twice")
        seen.add(name)
        if isinstance(one, str):
            cells[name] = one
        elif isinstance(one, list) and all(isinstance(part, str) for part in one):
            cells[name] = "\\".join(one)
        elif one is not None:
            raise ValueError(f"'{safe(name, 64)}': a text, a number or a list of them is expected")
    return cells


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _fault_in(cells: Iterable[str]) -> str | None:
    for cell in cells:
        if not cell.isascii():
            try:
                cell.encode()
            except UnicodeEncodeError:
                return "it is not UTF-8"
        if "\0" in cell:
            return "it has a NUL character"
    return None
