"""The rows of a list on their way in: all are checked, and what is wrong is told together.

Rows are kept as their text and made into identifiers when they are asked for: 100,000 of them take
a few megabytes.
"""

from array import array
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import BinaryIO, Final

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import Item
from asyncfind.query.keys import BadKey, parse_path
from asyncfind.query.row_shape import BaseKey, Shape
from asyncfind.query.rows import Fault, Row, read_rows
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item

__all__ = ["MAX_ROWS", "RowIntake", "RowStore", "digest_of"]

MAX_ROWS: Final = 1_000_000
_MAX_SHAPES: Final = 10_000
_MAX_SHOWN: Final = 20


def digest_of(item: Item) -> bytes:
    """The same for two rows that ask the same, 16 bytes."""
    return blake2b(write_item(item, EXPLICIT_VR_LITTLE_ENDIAN), digest_size=16).digest()


class RowStore:
    """Rows as their text, and what they are made of."""

    def __init__(self) -> None:
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

    def line(self, place: int) -> int:
        """The line of the file that the row at `place` is from."""
        return self._lines[place]

    def shape(self, place: int) -> Shape:
        """What the row at `place` is made of."""
        return self._shapes[self._shape_of[place]]

    def identifier(self, place: int) -> Item:
        """What the row at `place` asks for."""
        text = self._cells[self._ends[place] : self._ends[place + 1]].decode()
        return self.shape(place).identifier(text.split("\0"))


class _TooMuch(InvalidRequest):
    """The list as a whole exceeds a limit; further rows do not matter."""


class RowIntake:
    """Takes rows from a file; raises InvalidRequest where that makes no sense as a whole.

    Args:
        base: a data set that the keys change.
        keys: of the base query.
        known: columns besides those that are keys, or that values of `keys` name.
        add_shape: keeps what rows of the same columns are made of; returns its number.
        add: keeps a row, with the number of its shape and the shape itself. Like `add_shape` it
            refuses by raising InvalidRequest, whose text has no value of the row in it.
    """

    def __init__(
        self,
        base: Item | None,
        keys: tuple[BaseKey, ...],
        *,
        known: Iterable[str] = (),
        add_shape: Callable[[Shape], int],
        add: Callable[[Row, int, Shape], None],
    ) -> None:
        self._base = base
        self._keys = keys
        self._known = {*known, *(column for key in keys for column in key.columns)}
        self._add_shape = add_shape
        self._add = add
        # Failures too: suggestions take long, and a name may be wrong in every row.
        self._shapes: dict[tuple[str, ...], tuple[int, Shape] | InvalidRequest] = {}
        self._faults: list[Fault] = []
        self._refused = 0
        self._count = 0

    def read(self, file: BinaryIO) -> None:
        """Take every row, and say which of them cannot be asked.

        Raises:
            InvalidRequest: there are such rows; the text names the lines of the first 20.
        """
        for row in read_rows(file, self._is_column):
            self._count += 1
            if self._count > MAX_ROWS:
                raise _TooMuch(f"it has more than {MAX_ROWS} rows", "Divide it.")
            if isinstance(row, Fault):
                self._refuse(row)
                continue
            try:
                self._add(row, *self._shape(row))
            except _TooMuch:
                raise
            except InvalidRequest as exc:
                text = f"{exc.text}. {exc.hint.rstrip('.')}" if exc.hint else exc.text
                self._refuse(Fault(row.line, text))
        if self._refused:
            raise InvalidRequest(self._report(), "Nothing was sent.")
        if not self._count:
            raise InvalidRequest("it has no rows", "Write a row for each query.")

    def _shape(self, row: Row) -> tuple[int, Shape]:
        found = self._shapes.get(row.columns)
        if found is None:
            if len(self._shapes) >= _MAX_SHAPES:
                raise _TooMuch(
                    f"its rows name more than {_MAX_SHAPES} different sets of keys", "Divide it."
                )
            try:
                shape = Shape(row.columns, self._base, self._keys)
                found = self._add_shape(shape), shape
            except InvalidRequest as exc:
                found = exc
            self._shapes[row.columns] = found
        if isinstance(found, InvalidRequest):
            raise InvalidRequest(found.text, found.hint)
        return found

    def _is_column(self, name: str) -> bool:
        if name in self._known:
            return True
        try:
            return bool(parse_path(name))
        except BadKey:
            return False

    def _refuse(self, fault: Fault) -> None:
        self._refused += 1
        if len(self._faults) < _MAX_SHOWN:
            self._faults.append(fault)

    def _report(self) -> str:
        rows = "1 row" if self._refused == 1 else f"{self._refused} rows"
        lines = [f"{rows} of {self._count} cannot be asked"]
        lines += [f"  line {fault.line}: {fault.text}" for fault in self._faults]
        if self._refused > len(self._faults):
            lines.append(f"  and {self._refused - len(self._faults)} more")
        return "\n".join(lines)
