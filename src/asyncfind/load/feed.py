"""Which row is asked next: the orders in which a load goes through its rows.

A feed is one sequence of rows that its seed determines. Where several processes share a load,
process j of P takes the places j, j + P, j + 2P ... of that sequence: together they ask what one
process would ask, and no place twice.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate
from random import Random
from typing import Final, Protocol

from asyncfind.errors import InvalidRequest
from asyncfind.load.feed_rows import Rows
from asyncfind.plan import Query
from asyncfind.query.row_intake import MAX_ROWS

__all__ = ["ZIPF_EXPONENT", "Feed", "RowOrder"]

ZIPF_EXPONENT: Final = 1.0


class RowOrder(StrEnum):
    """The order of the rows of a feed."""

    SEQUENTIAL = "sequential"
    """As they are written, once; ends the run."""
    CIRCULAR = "circular"
    """As they are written, over and over."""
    SHUFFLE = "shuffle"
    """All of them in random order, then all in another, and so on."""
    RANDOM = "random"
    """Any of them, each as likely as the others, whatever came before."""
    ZIPF = "zipf"
    """Any of them, the first the most often: row k with weight 1/k, as in most archives."""
    UNIQUE = "unique"
    """As `SEQUENTIAL`, but what an earlier row asks already is left out: no cache helps."""

    @property
    def ends(self) -> bool:
        """A run with such a feed ends when the rows are used up."""
        return self in (RowOrder.SEQUENTIAL, RowOrder.UNIQUE)


class _Places(Protocol):
    """A sequence of rows by their places."""

    def next(self) -> int | None: ...

    def skip(self) -> bool: ...


class Feed:
    """Queries made of rows, in an order.

    Args:
        seed: of the orders that are random.
        part, parts: take every place of the sequence that is `part` modulo `parts`.
        exponent: of `RowOrder.ZIPF`: row k has weight 1/k**exponent.

    Raises:
        InvalidRequest: too many rows for this order.
    """

    def __init__(
        self,
        rows: Rows,
        order: RowOrder = RowOrder.CIRCULAR,
        *,
        seed: int = 0,
        part: int = 0,
        parts: int = 1,
        exponent: float = ZIPF_EXPONENT,
    ) -> None:
        if not 0 <= part < parts:
            raise ValueError("part is one of parts")
        self._rows = rows
        self._places = _places(rows, order, seed, exponent)
        self._skipped = part
        self._between = parts - 1

    def next(self) -> Query | None:
        """The next query; None once the rows are used up."""
        for _ in range(self._skipped):
            if not self._places.skip():
                return None
        self._skipped = self._between
        place = self._places.next()
        return None if place is None else self._rows.query(place)

    def skip(self) -> bool:
        """Leave one query out, for another process; False once the rows are used up."""
        return self._places.skip()


def _places(rows: Rows, order: RowOrder, seed: int, exponent: float) -> _Places:
    count = len(rows)
    if order in (RowOrder.SHUFFLE, RowOrder.ZIPF) and count > MAX_ROWS:
        raise InvalidRequest(
            f"{count} rows are too many for order '{order}'",
            f"Take at most {MAX_ROWS}, or the order random.",
        )
    match order:
        case RowOrder.SEQUENTIAL:
            return _Turns(range(count), endless=False)
        case RowOrder.UNIQUE:
            return _Turns(rows.distinct(), endless=False)
        case RowOrder.CIRCULAR:
            return _Turns(range(count), endless=True)
        case RowOrder.SHUFFLE:
            return _Shuffled(count, seed)
        case RowOrder.RANDOM:
            return _Drawn(count, seed)
        case RowOrder.ZIPF:
            return _Weighted(count, seed, exponent)


class _Turns:
    """Places in turn, once or over and over."""

    def __init__(self, places: Sequence[int], *, endless: bool) -> None:
        self._order = places
        self._endless = endless
        self._next = 0

    def next(self) -> int | None:
        number = self._next
        return self._order[number] if self.skip() else None

    def skip(self) -> bool:
        if self._next == len(self._order):
            return False
        self._next += 1
        if self._endless and self._next == len(self._order):
            self._next = 0
        return True


class _Shuffled:
    """All places in random order, again and again in another."""

    def __init__(self, count: int, seed: int) -> None:
        self._random = Random(seed)
        self._order = array("L", range(count))
        self._next = count

    def next(self) -> int:
        self.skip()
        return self._order[self._next - 1]

    def skip(self) -> bool:
        if self._next == len(self._order):
            self._random.shuffle(self._order)
            self._next = 0
        self._next += 1
        return True


class _Drawn:
    """Any place, each as likely as the others."""

    def __init__(self, count: int, seed: int) -> None:
        self._random = Random(seed)
        self._count = count

    def next(self) -> int:
        return int(self._random.random() * self._count)

    def skip(self) -> bool:
        self._random.random()
        return True


class _Weighted(_Drawn):
    """Any place, the first the most often (Zipf's law)."""

    def __init__(self, count: int, seed: int, exponent: float) -> None:
        super().__init__(count, seed)
        weights = (1 / rank**exponent for rank in range(1, count + 1))
        self._sums = array("d", accumulate(weights))

    def next(self) -> int:
        drawn = self._random.random() * self._sums[-1]
        return min(bisect_right(self._sums, drawn), self._count - 1)
