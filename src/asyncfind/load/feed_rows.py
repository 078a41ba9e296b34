"""The rows that queries of a load are made of: those of a file, or numbers in a pattern.

Rows of a file are kept as their text and become queries when they are asked for: 100,000 of them
take a few megabytes.
"""

import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Query
from asyncfind.query.columns import columns_of
from asyncfind.query.element import Item
from asyncfind.query.models import Model
from asyncfind.query.row_intake import RowIntake, RowStore, digest_of
from asyncfind.query.row_shape import NODE, Shape, check_base, parse_base
from asyncfind.query.rows import Row
from asyncfind.safe import safe

__all__ = ["FileRows", "GeneratedRows", "Rows", "open_rows", "read_file_rows"]

_MAX_NUMBER: Final = 10**12
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
        self._rows = RowStore()

    def add_shape(self, shape: Shape) -> int:
        """Take what rows are made of; returns its number.

        Raises:
            InvalidRequest: they say whom to ask.
        """
        if shape.node is not None:
            raise _no_node()
        return self._rows.add_shape(shape)

    def add(self, row: Row, number: int, shape: Shape) -> None:
        """Take a row of the shape with this number.

        Raises:
            InvalidRequest: it cannot be asked.
        """
        shape.identifier(row.cells)
        self._rows.add(row, number)

    def __len__(self) -> int:
        return len(self._rows)

    def query(self, place: int) -> Query:
        """The query of the row at `place`."""
        shape = self._rows.shape(place)
        return Query(
            label=f"{self._name}:{self._rows.line(place)}",
            model=self._model,
            identifier=self._rows.identifier(place),
            columns=columns_of(shape.template, shape.order),
        )

    def distinct(self) -> Sequence[int]:
        """The places of rows that ask what no earlier one asks."""
        seen: set[bytes] = set()
        places = array("L")
        for place in range(len(self)):
            digest = digest_of(self._rows.identifier(place))
            if digest not in seen:
                seen.add(digest)
                places.append(place)
        return places


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
        rows = FileRows(name, model)
        RowIntake(base, base_keys, add_shape=rows.add_shape, add=rows.add).read(file)
    except InvalidRequest as exc:
        raise InvalidRequest(f"feed {name}: {exc.text}", exc.hint) from exc
    return rows


def _no_node() -> InvalidRequest:
    return InvalidRequest(
        f"a column '{NODE}' cannot be used here", "A load asks all of its nodes the same."
    )
