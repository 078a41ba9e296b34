"""`--batch FILE`: a query for each row of a list, all of them checked before the first is sent.

Rows are kept as their text, and queries are made of them when they are asked for: 100,000 rows
take a few megabytes.
"""

import contextlib
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, overload

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Query
from asyncfind.query.columns import Column, columns_of
from asyncfind.query.compat import without_new_vrs
from asyncfind.query.element import Item
from asyncfind.query.models import Model
from asyncfind.query.row_intake import RowIntake, RowStore, digest_of
from asyncfind.query.row_shape import NODE, Shape, check_base, parse_base
from asyncfind.query.rows import Row
from asyncfind.safe import safe

__all__ = ["Batch", "read_batch"]

Resolve = Callable[[str], Sequence[str]]
"""The names of the nodes that a selector means; raises InvalidRequest."""


def read_batch(
    source: str,
    *,
    model: Model,
    base_keys: Sequence[str] = (),
    base: Item | None = None,
    default_nodes: Sequence[str] = (),
    resolve: Resolve | None = None,
    new_vr: bool = True,
) -> "Batch":
    """Read and check a list of queries: CSV with a header, or JSON lines.

    A column named by keyword, tag or path sets that key of the base query; an empty cell makes it
    one of zero length, and in JSON null leaves it as it is. The column `node` says whom to ask.
    `{column}` in the value of a base key stands for the cell of that column, which then is no key
    of its own and may not be empty. A row whose keys are all empty is refused. Rows that ask a
    node the same are asked once.

    Args:
        source: the file's name, `-` for standard input.
        base_keys: as behind -k.
        base: a data set that the keys change.
        default_nodes: whom rows without a node ask. Without these, and without a column `node`,
            every row is for all nodes of the run.
        resolve: what may stand in the column `node`; there is no such column when None.
        new_vr: send the VRs that came after 1993 as they are.

    Raises:
        InvalidRequest: the file, its header or a row cannot be used. The text names the lines of
            the first 20 such rows, never a value.
    """
    name = "stdin" if source == "-" else safe(Path(source).name, 64)
    try:
        keys = parse_base(base_keys)
        check_base(base, keys)
        batch = Batch(name, model, new_vr=new_vr)
        builder = _Builder(batch, _Whom(default_nodes, resolve))
        intake = RowIntake(base, keys, known=[NODE], add_shape=batch.add_shape, add=builder.add)
        with _opened(source) as file:
            intake.read(file)
    except InvalidRequest as exc:
        raise InvalidRequest(f"batch {name}: {exc.text}", exc.hint) from exc
    return batch


@contextlib.contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 - closed below; reading may fail otherwise
    except OSError as exc:
        raise _unreadable(exc) from exc
    except ValueError as exc:  # a NUL in it
        raise InvalidRequest("is no name of a file", "Check its name.") from exc
    with file:
        try:
            yield file
        except OSError as exc:
            raise _unreadable(exc) from exc


def _unreadable(exc: OSError) -> InvalidRequest:
    return InvalidRequest(f"cannot be read: {exc.strerror}", "Check its name and permissions.")


class Batch(Sequence[Query]):
    """Queries, each made when it is asked for.

    Attributes:
        duplicates: how often a row asked a node what an earlier one asks it.
    """

    def __init__(self, name: str, model: Model, *, new_vr: bool) -> None:
        self.duplicates = 0
        self._name = name
        self._model = model
        self._new_vr = new_vr
        self._rows = RowStore()
        self._columns: dict[tuple[int, ...], Column] = {}
        self._target_of = array("L")
        self._targets: dict[tuple[str, ...], int] = {}

    def add_shape(self, shape: Shape) -> int:
        """Take what rows are made of; returns its number."""
        for column in columns_of(shape.template, shape.order):
            self._columns.setdefault(column.path, column)
        return self._rows.add_shape(shape)

    def add(self, row: Row, shape: int, nodes: tuple[str, ...]) -> None:
        """Take a row of the shape with this number."""
        self._rows.add(row, shape)
        self._target_of.append(self._targets.setdefault(nodes, len(self._targets)))

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Query: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Query, ...]: ...

    def __getitem__(self, index: int | slice) -> Query | tuple[Query, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        place = self._place(index)
        item = self._rows.identifier(place)
        return Query(
            label=f"{self._name}:{self._rows.line(place)}",
            model=self._model,
            identifier=item if self._new_vr else without_new_vrs(item),
            columns=self.columns,
        )

    def __iter__(self) -> Iterator[Query]:
        return (self[place] for place in range(len(self)))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What the queries ask for, in the order asked: the columns of a table."""
        return tuple(self._columns.values())

    def line(self, index: int) -> int:
        """The line of the file that a query is from."""
        return self._rows.line(self._place(index))

    def nodes(self, index: int) -> tuple[str, ...]:
        """The names of the nodes to ask; none at all means every node of the run."""
        return self._names[self._target_of[self._place(index)]]

    @cached_property
    def _names(self) -> tuple[tuple[str, ...], ...]:
        return tuple(self._targets)

    def _place(self, index: int) -> int:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError("no such query")
        return place


class _Whom:
    """Whom rows ask, each distinct text of the column `node` looked up once.

    Nodes are bits of a mask: a row that asks a group asks again what another row asked one of it.
    """

    def __init__(self, default: Sequence[str], resolve: Resolve | None) -> None:
        self._default = tuple(dict.fromkeys(default))
        self._resolve = resolve
        # Failures too: suggestions take long, and a name may be wrong in every row.
        self._known: dict[str | None, tuple[tuple[str, ...], int] | InvalidRequest] = {}
        self._bits: dict[str, int] = {}

    def of(self, text: str | None) -> tuple[tuple[str, ...], int]:
        """The names of the nodes, and their mask; None for rows that have no such column.

        Raises:
            InvalidRequest: there is no such node, or none at all.
        """
        known = self._known.get(text)
        if known is None:
            try:
                names = self._look_up(text)
            except InvalidRequest as exc:
                known = exc
            else:
                known = names, sum(self._bit(name) for name in names or ("",))
            self._known[text] = known
        if isinstance(known, InvalidRequest):
            raise InvalidRequest(known.text, known.hint)
        return known

    def among(self, names: tuple[str, ...], mask: int) -> tuple[str, ...]:
        """Those of `names` that are in `mask`."""
        return tuple(name for name in names if self._bit(name) & mask)

    def _look_up(self, text: str | None) -> tuple[str, ...]:
        if text is None:
            return self._default
        if text:
            if self._resolve is None:
                raise InvalidRequest(f"a column {NODE} cannot be used here", "Leave it out.")
            return tuple(dict.fromkeys(self._resolve(text)))
        if not self._default:
            raise InvalidRequest("it names no node", "Fill it in, or add --node.")
        return self._default

    def _bit(self, name: str) -> int:
        return self._bits.setdefault(name, 1 << len(self._bits))


class _Builder:
    """Rows on their way into a batch: each asks a node once."""

    def __init__(self, batch: Batch, whom: _Whom) -> None:
        self._batch = batch
        self._whom = whom
        self._asked: dict[bytes, int] = {}

    def add(self, row: Row, number: int, shape: Shape) -> None:
        """Take a row for those nodes that no earlier one asks the same.

        Raises:
            InvalidRequest: it cannot be asked.
        """
        names, mask = self._whom.of(None if shape.node is None else row.cells[shape.node].strip())
        digest = digest_of(shape.identifier(row.cells))
        asked = self._asked.get(digest, 0)
        self._batch.duplicates += (mask & asked).bit_count()
        if not mask & ~asked:
            return
        self._asked[digest] = asked | mask
        if mask & asked:
            names = self._whom.among(names, mask & ~asked)
        self._batch.add(row, number, names)
