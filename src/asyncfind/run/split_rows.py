"""Rows of a split query: which are the same, what splitting needs of them, what the user sees."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

from asyncfind.errors import MalformedIdentifier, OutputFailed
from asyncfind.plan import Query
from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.records import Match
from asyncfind.run.split_query import element_at, key_paths, texts_at
from asyncfind.run.split_words import Dimension, Row

__all__ = ["RowReader", "Seen", "Shown"]

_IN_MEMORY: Final = 50_000
_DIGEST: Final = 16


class RowReader:
    """Reads what splitting needs of the matches of one answer, taken in their order.

    A match is known by its unique keys. One that has none, or cannot be decoded, is known by its
    bytes, and by how many like it came before: so none is taken for another one.
    """

    def __init__(self, query: Query, dimensions: Sequence[Dimension]) -> None:
        self._keys = key_paths(query)
        self._paths = [one.path for one in dimensions]
        self._keyless: Counter[str] = Counter()
        self._values: dict[tuple[str, ...], tuple[str, ...]] = {}

    def read(self, match: Match) -> Row:
        """The row of the next match."""
        try:
            item = match.item()
        except MalformedIdentifier:
            return Row(self._number(match), ((),) * len(self._paths))
        key = "\n".join("\\".join(texts_at(item, path)) for path in self._keys).strip("\n")
        # Dates, sexes and modalities are few: each is kept once.
        found = (tuple(texts_at(item, path)) for path in self._paths)
        values = tuple(self._values.setdefault(one, one) for one in found)
        return Row(key or self._number(match), values)

    def _number(self, match: Match) -> str:
        digest = blake2b(match.identifier, digest_size=_DIGEST).hexdigest()
        self._keyless[digest] += 1
        return f"#{digest} {self._keyless[digest]}"


class Seen:
    """Which rows were there already: digests, in memory at first and in a file later.

    Args:
        in_memory: how many are kept in memory.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._most = in_memory
        self._digests: set[bytes] = set()
        self._file: sqlite3.Connection | None = None

    def add(self, key: str) -> bool:
        """Whether this key is new, from now on known.

        Raises:
            OutputFailed: the temporary file cannot be written.
        """
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
        if self._file is None:
            new = digest not in self._digests
            self._digests.add(digest)
            if len(self._digests) > self._most:
                self._spill()
            return new
        return self._insert(self._file, [digest]) == 1

    def close(self) -> None:
        """Forget all of them."""
        self._digests.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self) -> None:
        # A database without name is a temporary file of SQLite's, which goes with us.
        self._file = sqlite3.connect("", isolation_level=None)
        for line in (
            "PRAGMA journal_mode = OFF",
            "CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID",
            "BEGIN",
        ):
            self._file.execute(line)
        self._insert(self._file, self._digests)
        self._digests = set()

    @staticmethod
    def _insert(file: sqlite3.Connection, digests: "set[bytes] | list[bytes]") -> int:
        try:
            lines = ((one,) for one in digests)
            return file.executemany("INSERT OR IGNORE INTO seen VALUES (?)", lines).rowcount
        except sqlite3.Error as exc:
            raise OutputFailed(
                f"cannot keep in a temporary file which rows were there: {exc}",
                "Free some space, or set SQLITE_TMPDIR.",
            ) from exc


class Shown:
    """Makes of a match what the user asked for: without the keys that only splitting needs.

    Args:
        query: as the user asked.
        dimensions: by which it may be split.
    """

    def __init__(self, query: Query, dimensions: Sequence[Dimension]) -> None:
        paths = [*(one.path for one in dimensions), *key_paths(query)]
        item = query.identifier
        # Of a sequence that nobody asked for, nothing is shown.
        self._hidden = {
            path[:1] if path[0] not in item.elements else path
            for path in paths
            if not _asks(item, path)
        }

    def identifier(self, match: Match) -> tuple[bytes, str]:
        """The identifier to be shown, and its transfer syntax."""
        if not self._hidden:
            return match.identifier, match.transfer_syntax
        try:
            item = match.item()
        except MalformedIdentifier:
            return match.identifier, match.transfer_syntax
        syntax = EXPLICIT_VR_LITTLE_ENDIAN
        return write_item(_without(item, self._hidden), syntax), syntax.uid


def _asks(item: Item, path: tuple[int, ...]) -> bool:
    """Whether an identifier has a key, or asks for all of a sequence that it is in."""
    if element_at(item, path) is not None:
        return True
    sequence = item.elements.get(path[0])
    if len(path) == 1 or sequence is None or not isinstance(sequence.value, list):
        return False
    return not any(inner.elements for inner in sequence.value)


def _without(item: Item, paths: set[tuple[int, ...]]) -> Item:
    """A copy of an item without the elements at these paths."""
    return Item(dict(_left(item, paths)), item.length)


def _left(item: Item, paths: set[tuple[int, ...]]) -> Iterator[tuple[int, Element]]:
    for tag, element in item.elements.items():
        if (tag,) in paths:
            continue
        below = {path[1:] for path in paths if path[0] == tag}
        if below and isinstance(element.value, list):
            items = [_without(inner, below) for inner in element.value]
            yield tag, element._replace(value=items)
        else:
            yield tag, element
