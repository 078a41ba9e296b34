"""`parquet`: the columns of `csv` in a file for programs (extra `parquet`).

Rows go through the blocks of queries as lines of JSON, as text does in other formats; what takes
them makes row groups of them, so that memory stays flat however many there are.
"""

import importlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from asyncfind.errors import InvalidRequest, MalformedIdentifier, OutputFailed
from asyncfind.plan import Plan
from asyncfind.query.element import Item
from asyncfind.records import Find, FindDone, Match, Summary
from asyncfind.render.columns import Rows, Shape
from asyncfind.render.output import Output
from asyncfind.render.stream import Told
from asyncfind.safe import safe

__all__ = ["ParquetRows"]

_ROWS: Final = 20_000
_BYTES: Final = 8 * 1024 * 1024
"""Of a row group; whichever comes first ends it."""
_TYPES: Final = {"repeat": "int32", "number": "int32", "time": "time"}
"""Of columns about rows that are no text."""


class ParquetRows:
    """The form of Parquet: a list of cells for each answer, after one of names and types.

    A cell is null where the element is not there, and empty where it is but has no value. All
    values are text as in `csv`, control characters visible; formulas stay what they are, as
    nothing that reads Parquet runs them. `repeat` and `number` are numbers, `time` is one in UTC.

    Args:
        shape: which columns the user wants.

    Raises:
        InvalidRequest: pyarrow is not installed.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        self._rows = Rows(shape or Shape(), safe)
        try:
            self._arrow = importlib.import_module("pyarrow")
            self._parquet = importlib.import_module("pyarrow.parquet")
        except ImportError as exc:
            raise InvalidRequest(
                "--format parquet needs pyarrow, which is not installed",
                "Install it: pip install 'asyncfind[parquet]', or write --format csv.",
            ) from exc

    def tell(self, told: Told) -> None:
        """What is known of the rows to come."""
        self._rows.told = told

    def into(self, output: Output) -> Output:
        """What makes a Parquet file in `output` of the form's lines."""
        return _ParquetOutput(output, self._arrow, self._parquet)

    def begin(self, plan: Plan) -> str:
        names = self._rows.begin(plan)
        kinds = [
            _TYPES.get(column, "string") if isinstance(column, str) else "string"
            for column in self._rows.columns
        ]
        return _line(list(zip(names, kinds, strict=True)))

    def opening(self, find: Find) -> str:
        return ""

    def match(self, match: Match, item: Item) -> str:
        return _line(self._rows.cells(match, item))

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        return _line(self._rows.cells(match, None))

    def done(self, done: FindDone) -> str:
        return ""

    def end(self, summary: Summary) -> str:
        return ""


def _line(cells: object) -> str:
    return json.dumps(cells, separators=(",", ":")) + "\n"


class _Sink(io.RawIOBase):
    """An output as the file that pyarrow writes to: forwards only, closed by somebody else."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._at = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """How many bytes were written."""
        return self._at

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        view = memoryview(data)
        self._output.write(bytes(view))
        self._at += view.nbytes
        return view.nbytes


class _ParquetOutput:
    """Takes the lines of `ParquetRows` and writes row groups to `output`."""

    def __init__(self, output: Output, arrow: Any, parquet: Any) -> None:
        self._output = output
        self._arrow = arrow
        self._parquet = parquet
        self._sink = _Sink(output)
        self._rest = b""
        self._rows: list[list[Any]] = []
        self._size = 0
        self._types: list[str] = []
        self._schema: Any = None
        self._writer: Any = None

    def write(self, data: bytes) -> None:
        """Take lines, the last of which may go on."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            row = json.loads(line)
            if self._writer is None:
                self._open(row)
                continue
            self._rows.append(row)
            self._size += len(line)
            if len(self._rows) >= _ROWS or self._size >= _BYTES:
                self._write_group()

    def flush(self) -> None:
        """Nothing: a Parquet file cannot be read before it is whole."""

    def publish(self) -> None:
        """Write what is left and the footer; the file appears."""
        if self._rows:
            self._write_group()
        if self._writer is not None:
            with self._translated():
                self._writer.close()
        self._output.publish()

    def _open(self, columns: list[list[str]]) -> None:
        arrow = self._arrow
        types = {
            "string": arrow.string(),
            "int32": arrow.int32(),
            "time": arrow.timestamp("ms", tz="UTC"),
        }
        self._types = [kind for _, kind in columns]
        self._schema = arrow.schema([(name, types[kind]) for name, kind in columns])
        with self._translated():
            self._writer = self._parquet.ParquetWriter(self._sink, self._schema)

    def _write_group(self) -> None:
        arrays = [
            self._arrow.array(_typed(kind, cells), field.type)
            for kind, field, cells in zip(
                self._types, self._schema, zip(*self._rows, strict=True), strict=True
            )
        ]
        table = self._arrow.Table.from_arrays(arrays, schema=self._schema)
        with self._translated():
            self._writer.write_table(table)
        self._rows.clear()
        self._size = 0

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say what went wrong in our words; the output's own errors come through as they are."""
        try:
            yield
        except BrokenPipeError:
            raise
        except (OSError, self._arrow.ArrowException) as exc:
            raise OutputFailed(
                f"cannot write the Parquet file: {safe(str(exc), 200)}", "Try --format csv."
            ) from exc


def _typed(kind: str, cells: tuple[Any, ...]) -> "list[Any] | tuple[Any, ...]":
    """The cells of one column as what they are."""
    if kind == "string":
        return cells
    make = int if kind == "int32" else datetime.fromisoformat
    return [None if cell is None else make(cell) for cell in cells]
