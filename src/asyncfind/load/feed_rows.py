"""The rows that queries of a load are made of: those of a file, or numbers in a pattern.

Rows of a file are kept as their text and become queries when they are asked for: 100,000 of them
take a few megabytes.
"""

import re
from array import array
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Query
from asyncfind.query.columns import columns_of
from asyncfind.query.element import Item
from asyncfind.query.keys import BadKey, parse_path
from asyncfind.query.models import Model
from asyncfind.query.row_shape import NODE, BaseKey, Shape, check_base, parse_base
from asyncfind.query.rows import Fault, Row, read_rows
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.safe import safe

__all__ = ["MAX_ROWS", "FileRows", "GeneratedRows", "Rows", "open_rows", "read_file_rows"]

MAX_ROWS: Final = 1_000_000
"""Of a file, and of what is to be shuffled or weighed."""
_MAX_NUMBER: Final = 10**12
_MAX_SHAPES: Final = 10_000
_MAX_SHOWN: Final = 20
_MAX_WIDTH: Final = 64
_FIELD: Final = re.compile(r"\{\{|\}\}|\{n(?::0(\d{1,2})d)?\}|[{}]")


class Rows(Protocol):
    """A number of queries, made one by one."""

    def __len__(self) -> int: ...

    def query(self, place: int) -> Query:
        """The query at `place`, from 0."""

    def distinct(self) -> Sequence[int]:
        """The places of queries that no earlier place asks already."""


class FileRows:
    """Queries from the rows of a file, in its order.

    Args:
        name: what labels call the file.
    """

    def __init__(self, name: str, model: Model) -> None:
        self._name = name
        self._model = model
        self._shapes: list[Shape] = []
        self._cells = bytearray()
        self._ends = array("Q", [0])
        self._lines = array("L")
        self._shape_of = array("L")

    def add_shape(self, shape: Shape) -> int:
        """Take what rows are made of; returns its number."""
        self._shapes.append(shape)
        return len(self._shapes) - 1

    def add(self, row: Row, shape: int) -> None:
        """Take a row of the shape with this number."""
        self._cells += "\0".join(row.cells).encode()
        self._ends.append(len(self._cells))
        self._lines.append(row.line)
        self._shape_of.append(shape)

    def __len__(self) -> int:
        return len(self._lines)

    def query(self, place: int) -> Query:
        """The query of the row at `place`."""
        shape = self._shapes[self._shape_of[place]]
        return Query(
            label=f"{self._name}:{self._lines[place]}",
            model=self._model,
            identifier=self._identifier(place),
            columns=columns_of(shape.template, shape.order),
        )

    def distinct(self) -> Sequence[int]:
        """The places of rows that ask what no earlier one asks."""
        seen: set[bytes] = set()
        places = array("L")
        for place in range(len(self)):
            encoded = write_item(self._identifier(place), EXPLICIT_VR_LITTLE_ENDIAN)
            digest = blake2b(encoded, digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                places.append(place)
        return places

    def _identifier(self, place: int) -> Item:
        text = self._cells[self._ends[place] : self._ends[place + 1]].decode()
        return self._shapes[self._shape_of[place]].identifier(text.split("\0"))


class GeneratedRows:
    """Queries with a running number in them.

    Args:
        patterns: by column: `ACC{n:08d}` is ACC00000001 for number 1, `{n}` the bare number, `{{`
            and `}}` are braces. A column that no key names in braces is a key itself.
        first, count: numbers to take.
        keys: of the base query, as behind -k.
        base: a data set that the keys change.

    Raises:
        InvalidRequest: a pattern or a key cannot be used.
    """

    def __init__(
        self,
        patterns: Mapping[str, str],
        *,
        first: int,
        count: int,
        model: Model,
        keys: Sequence[str] = (),
        base: Item | None = None,
    ) -> None:
        if not (0 <= first <= _MAX_NUMBER and 1 <= count <= _MAX_NUMBER):
            raise InvalidRequest(
                "numbers begin at 0 or later, and there is at least one of them",
                f"Give a first and a count of at most {_MAX_NUMBER}.",
            )
        self._templates = [_template(text) for text in patterns.values()]
        base_keys = parse_base(keys)
        check_base(base, base_keys)
        if NODE in patterns:
            raise _no_node()
        self._shape = Shape(tuple(patterns), base, base_keys)
        self._columns = columns_of(self._shape.template, self._shape.order)
        self._model = model
        self._first, self._count = first, count
        self._varies = any("{n" in text.replace("{{", "") for text in patterns.values())
        # Both ends: the last number is the longest, so what both can be, all can.
        for place in (0, count - 1):
            self.query(place)

    def __len__(self) -> int:
        return self._count

    def query(self, place: int) -> Query:
        """The query with number `first + place`."""
        number = self._first + place
        cells = [one.format(n=number) for one in self._templates]
        return Query(
            label=f"n={number}",
            model=self._model,
            identifier=self._shape.identifier(cells),
            columns=self._columns,
        )

    def distinct(self) -> Sequence[int]:
        """All, unless no pattern has the number in it."""
        return range(self._count if self._varies else 1)


def _template(pattern: str) -> str:
    """Check `pattern`, so that `str.format` can do nothing with it but put the number in.

    Raises:
        InvalidRequest: a brace that is neither doubled nor around `n`.
    """
    for found in _FIELD.finditer(pattern):
        if found[0] in ("{", "}") or int(found[1] or 0) > _MAX_WIDTH:
            raise InvalidRequest(
                f"pattern '{safe(pattern, 64)}' is none",
                "Write {n} or, with leading zeros, {n:08d}; {{ and }} are braces.",
            )
    return pattern


def open_rows(
    path: Path, *, model: Model, keys: Sequence[str] = (), base: Item | None = None
) -> FileRows:
    """Read the rows of a file, see `read_file_rows`.

    Raises:
        InvalidRequest: it cannot be read, or a row cannot be used.
    """
    name = safe(path.name, 64)
    try:
        with path.open("rb") as file:
            return read_file_rows(file, name, model=model, keys=keys, base=base)
    except OSError as exc:
        raise InvalidRequest(
            f"feed {name}: cannot be read: {exc.strerror}", "Check its name and permissions."
        ) from exc


def read_file_rows(
    file: BinaryIO,
    name: str,
    *,
    model: Model,
    keys: Sequence[str] = (),
    base: Item | None = None,
) -> FileRows:
    """Read and check rows, CSV with a header or JSON lines, as the batch of a find.

    Args:
        name: what errors and labels call the file.
        keys: of the base query, as behind -k; `{column}` in a value stands for a cell.
        base: a data set that the keys change.

    Raises:
        InvalidRequest: the file or a row cannot be used. The text names the lines of the first 20
            such rows, never a value.
    """
    try:
        base_keys = parse_base(keys)
        check_base(base, base_keys)
        builder = _Builder(FileRows(name, model), base, base_keys)
        for row in read_rows(file, builder.is_column):
            builder.take(row)
        return builder.finish()
    except InvalidRequest as exc:
        raise InvalidRequest(f"feed {name}: {exc.text}", exc.hint) from exc


class _TooMuch(InvalidRequest):
    """The file as a whole exceeds a limit; further rows do not matter."""


class _Builder:
    """Rows on their way from a file."""

    def __init__(self, rows: FileRows, base: Item | None, keys: tuple[BaseKey, ...]) -> None:
        self._rows = rows
        self._base = base
        self._keys = keys
        self._inserted = {column for key in keys for column in key.columns}
        self._shapes: dict[tuple[str, ...], tuple[int, Shape] | InvalidRequest] = {}
        self._faults: list[Fault] = []
        self._refused = 0
        self._count = 0

    def is_column(self, name: str) -> bool:
        """Whether a text can be the name of a column."""
        if name in self._inserted:
            return True
        try:
            return bool(parse_path(name))
        except BadKey:
            return False

    def take(self, row: Row | Fault) -> None:
        """Take one row, or note why it cannot be used."""
        self._count += 1
        if self._count > MAX_ROWS:
            raise _TooMuch(f"it has more than {MAX_ROWS} rows", "Divide it.")
        if isinstance(row, Row):
            try:
                number, shape = self._shape(row)
                shape.identifier(row.cells)
            except _TooMuch:
                raise
            except InvalidRequest as exc:
                text = f"{exc.text}. {exc.hint.rstrip('.')}" if exc.hint else exc.text
                row = Fault(row.line, text)
            else:
                self._rows.add(row, number)
                return
        self._refused += 1
        if len(self._faults) < _MAX_SHOWN:
            self._faults.append(row)

    def finish(self) -> FileRows:
        """The rows; raises InvalidRequest where some were refused, or there are none."""
        if self._refused:
            rows = "1 row" if self._refused == 1 else f"{self._refused} rows"
            lines = [f"{rows} of {self._count} cannot be asked"]
            lines += [f"  line {fault.line}: {fault.text}" for fault in self._faults]
            if self._refused > len(self._faults):
                lines.append(f"  and {self._refused - len(self._faults)} more")
            raise InvalidRequest("\n".join(lines), "Nothing was sent.")
        if not len(self._rows):
            raise InvalidRequest("it has no rows", "Write a row for each query.")
        return self._rows

    def _shape(self, row: Row) -> tuple[int, Shape]:
        found = self._shapes.get(row.columns)
        if found is None:
            if len(self._shapes) >= _MAX_SHAPES:
                raise _TooMuch(
                    f"its rows name more than {_MAX_SHAPES} different sets of keys", "Divide it."
                )
            try:
                if NODE in row.columns:
                    raise _no_node()
                shape = Shape(row.columns, self._base, self._keys)
            except InvalidRequest as exc:
                found = exc
            else:
                found = self._rows.add_shape(shape), shape
            self._shapes[row.columns] = found
        if isinstance(found, InvalidRequest):
            raise InvalidRequest(found.text, found.hint)
        return found


def _no_node() -> InvalidRequest:
    return InvalidRequest(
        f"a column '{NODE}' cannot be used here", "A load asks all of its nodes the same."
    )
