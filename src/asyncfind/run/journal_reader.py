"""What a journal says: one moment of it, all committed, read by a connection that never writes."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from asyncfind.errors import Kind, MalformedIdentifier
from asyncfind.plan import Peer, Query
from asyncfind.query.columns import Column
from asyncfind.query.models import Model, model_of
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.records import Find, FindDone, FindStarted, Match, Verdict
from asyncfind.run.journal_blobs import Blobs
from asyncfind.run.journal_file import check_header, check_whole, connect_reader, damaged
from asyncfind.run.journal_keys import columns_from_text
from asyncfind.run.journal_load import peers_of
from asyncfind.run.journal_trees import Kept, joined
from asyncfind.run.journal_words import CoverageRow, Progress
from asyncfind.safe import safe

__all__ = [
    "Decoder",
    "Snapshot",
    "moment",
    "names_of_nodes",
    "open_snapshot",
    "read_progress",
]

_UNASKED: Final = (Verdict.SKIPPED, Verdict.UNREACHED)


class Decoder:
    """Makes queries of what a journal holds; queries of the same columns share them.

    Args:
        path: of the journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: dict[str, tuple[Column, ...]] = {}

    def query(self, model: str, label: str, columns: str, identifier: bytes) -> Query:
        """One query.

        Raises:
            InvalidRequest: it cannot be one that asyncfind wrote.
        """
        try:
            if columns not in self._columns:
                self._columns[columns] = columns_from_text(columns)
            return Query(
                label=safe(label),
                model=model_of(model),
                identifier=read_item(identifier, EXPLICIT_VR_LITTLE_ENDIAN),
                columns=self._columns[columns],
            )
        except (ValueError, MalformedIdentifier) as exc:
            raise damaged(self._path) from exc


class Snapshot:
    """A journal as it was at one moment, however long the reading takes.

    Order is that of the job, children behind their parent: it depends on what was asked and
    answered, never on when. All methods raise InvalidRequest where the journal is damaged.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, peers: Mapping[int, Peer]
    ) -> None:
        self._path = path
        self._connection = connection
        self._peers = peers
        self._blobs = Blobs(path)
        self._decoder = Decoder(path)

    def results(self) -> Iterator[Match]:
        """The matches of all queries that are done."""
        return (one for one in self.records() if isinstance(one, Match))

    def records(self, *, partial: bool = False) -> Iterator[Match | FindDone]:
        """Of every query that ended its matches, then how it ended.

        A query that was split comes as one, each row once. Queries that failed have no matches
        here unless `partial` asks for what came before.
        """
        told = joined(self._answers("", (), partial=partial), self.coverage)
        return (one for one in told if not isinstance(one, FindStarted))

    def history(self) -> Iterator[FindStarted | Match | FindDone]:
        """What `records` has, and before each query's matches when it was asked and how it ended.

        That is of the attempt whose matches count.
        """
        return joined(self._answers("", (), partial=False), self.coverage)

    def tree(self, ordinal: int) -> Iterator[tuple[str | None, Sequence[Match], FindDone]]:
        """A query and all that came of it, as far as they ended: range, matches, end.

        Each ends as it did by itself, a query that was split too.
        """
        for kept in self._answers("AND ordinal = ?", (ordinal,), partial=True):
            yield kept.part, list(kept.matches), replace(kept.done, verdict=kept.own)

    def waiting(self, ordinal: int) -> frozenset[str]:
        """The parts of a query that are still to be asked, or are asked now."""
        with self._reading():
            parts = self._connection.execute(
                "SELECT range FROM query WHERE ordinal = ? AND range NOT NULL"
                " AND state IN ('pending', 'running', 'skipped')",
                (ordinal,),
            )
            return frozenset(part for (part,) in parts)

    def coverage(self, ordinal: int) -> list[CoverageRow]:
        """What was noted of the parts of a query, in the order in which it was."""
        with self._reading():
            return [
                CoverageRow(*row)
                for row in self._connection.execute(
                    "SELECT dimension, low, high, coverage.state, rows, coverage.range, reason"
                    " FROM coverage JOIN query"
                    " ON query.id = coverage.query WHERE ordinal = ? ORDER BY coverage.id",
                    (ordinal,),
                )
            ]

    def exports(self) -> dict[str, tuple[int, str]]:
        """Exports that are whole: rows and SHA-256 by name."""
        with self._reading():
            listing = self._connection.execute("SELECT name, rows, sha256 FROM export")
            return {name: (rows, sha256) for name, rows, sha256 in listing}

    def columns(self) -> tuple[Column, ...]:
        """The return keys of all queries, each once, in the order asked."""
        with self._reading():
            layouts = self._connection.execute("SELECT columns FROM layout ORDER BY id").fetchall()
            columns = [one for (text,) in layouts for one in columns_from_text(text)]
        return tuple({column.path: column for column in columns}.values())

    def models(self) -> tuple[Model, ...]:
        """The information models of all queries."""
        with self._reading():
            uids = self._connection.execute("SELECT DISTINCT model FROM query ORDER BY model")
            return tuple(model_of(uid) for (uid,) in uids)

    def ends(self) -> dict[int, Query]:
        """The first query of the job by 0, the last by -1."""
        ends = {}
        with self._reading():
            for index, order in ((0, "ASC"), (-1, "DESC")):
                for row in self._connection.execute(
                    "SELECT model, label, columns, identifier FROM query"
                    " JOIN layout ON layout.id = layout WHERE parent IS NULL"
                    f" ORDER BY place {order} LIMIT 1"
                ):
                    ends[index] = self._decoder.query(*row)
        return ends

    def counts(self) -> dict[Peer, int]:
        """How many queries each node has in the job."""
        with self._reading():
            counts = self._connection.execute(
                "SELECT node, count(*) FROM query WHERE parent IS NULL GROUP BY node"
            )
            return {self._peers[node]: count for node, count in counts}

    def progress(self) -> Progress:
        """How far the job is."""
        with self._reading():
            return read_progress(self._connection, self._peers)

    def _answers(
        self, where: str, arguments: tuple[object, ...], *, partial: bool
    ) -> Iterator[Kept]:
        with self._reading():
            for row in self._connection.execute(
                "SELECT query.id, query.node, ordinal, model, label, columns, identifier, range,"
                " state, done_attempt, verdict, status, query.n, mono_ms, kind, error, hint,"
                " started, outcome, parent IS NULL AND (verdict IS NULL OR"
                " EXISTS (SELECT 1 FROM coverage WHERE coverage.query = query.id))"
                " FROM query JOIN layout ON layout.id = layout"
                " LEFT JOIN attempt ON attempt.id = done_attempt"
                " WHERE (state IN ('done', 'failed') AND done_attempt NOT NULL"
                f" OR state = 'skipped' AND parent IS NULL) {where} ORDER BY place",
                arguments,
            ):
                query, node, ordinal, *asked, part, state, attempt = row[:10]
                find = Find(self._peers[node], self._decoder.query(*asked), 1, ordinal)
                shown = partial or state == "done"
                matches = self._matches(find, query, attempt) if shown else iter(())
                # SQLite lets any type into any column, and this one is not checked on opening.
                started = row[17] if isinstance(row[17], float) else 0.0
                # One that was skipped may never have been tried: then its own verdict is all.
                own, is_split = Verdict(row[10] if row[18] is None else row[18]), bool(row[19])
                verdict = own if row[10] is None else Verdict(row[10])
                done = _done(find, verdict, row[11:17], shown=shown)
                yield Kept(part, started, matches, done, own, is_split, row[10] is not None)

    def _matches(self, find: Find, query: int, attempt: int) -> Iterator[Match]:
        with self._reading():
            for n, status, syntax, identifier, blob, digest in self._connection.execute(
                "SELECT n, status, syntax, identifier, blob, sha256 FROM response"
                " WHERE query = ? AND attempt = ? ORDER BY n",
                (query, attempt),
            ):
                data = self._blobs.read(blob) if identifier is None else identifier
                if hashlib.sha256(data).digest() != digest:
                    raise damaged(self._path)
                yield Match(find, n, status, data, syntax)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Say of everything that a journal of ours cannot have that it is damaged."""
        try:
            yield
        except (sqlite3.Error, OSError, KeyError, ValueError) as exc:
            raise damaged(self._path, exc) from exc


def _done(find: Find, verdict: Verdict, row: Sequence[Any], *, shown: bool) -> FindDone:
    status, count, mono_ms, kind, error, hint = row
    return FindDone(
        find=find,
        verdict=verdict,
        status=status,
        matches=count if shown else 0,
        seconds=(mono_ms or 0.0) / 1000,
        error=safe(error or ("not asked" if verdict in _UNASKED else "")),
        hint=safe(hint or ""),
        kind=None if kind is None else Kind(kind),
    )


def read_progress(connection: sqlite3.Connection, peers: Mapping[int, Peer]) -> Progress:
    """How far a job is; raises `sqlite3.Error`, and KeyError for a node that is not there."""
    states: dict[tuple[str, str], int] = {}
    for node, state, count in connection.execute(
        "SELECT node, state, count(*) FROM query GROUP BY node, state ORDER BY node, state"
    ):
        states[peers[node].node, state] = states.get((peers[node].node, state), 0) + count
    verdicts: dict[str, int] = dict(
        connection.execute(
            "SELECT verdict, count(*) FROM query WHERE state IN ('done', 'failed', 'skipped')"
            " AND parent IS NULL AND verdict NOT NULL GROUP BY verdict ORDER BY verdict"
        )
    )
    (rows,) = connection.execute(
        "SELECT coalesce(sum(n), 0) FROM query WHERE state = 'done' AND parent IS NULL"
    ).fetchone()
    left: dict[str, int] = {}
    for node, count in connection.execute(
        "SELECT node, count(*) FROM query WHERE parent IS NULL AND"
        " (state IN ('pending', 'running') OR state = 'done' AND verdict IS NULL) GROUP BY node"
    ):
        left[peers[node].node] = left.get(peers[node].node, 0) + count
    return Progress(states, verdicts, rows, left)


def names_of_nodes(path: Path) -> list[str]:
    """The names of the nodes of a journal that have one.

    Raises:
        InvalidRequest: there is no such journal, or it is damaged.
    """
    check_header(path)
    try:
        with contextlib.closing(connect_reader(path)) as connection:
            names = connection.execute("SELECT name FROM node WHERE name <> '' ORDER BY id")
            return [str(name) for (name,) in names]
    except sqlite3.Error as exc:
        raise damaged(path, exc) from exc


@contextlib.contextmanager
def open_snapshot(path: Path, peers: Sequence[Peer] = ()) -> Iterator[Snapshot]:
    """One moment of a journal, also of one that another process writes.

    Args:
        peers: nodes that need more than a journal knows, as for `Journal.open`.

    Raises:
        InvalidRequest: there is no such journal, or it is damaged.
    """
    check_header(path)
    try:
        connection = connect_reader(path)
    except sqlite3.Error as exc:
        raise damaged(path, exc) from exc
    with contextlib.closing(connection):
        check_whole(connection, path)
        with moment(path, connection, peers_of(connection, peers, path)) as snapshot:
            yield snapshot


@contextlib.contextmanager
def moment(
    path: Path, connection: sqlite3.Connection, peers: Mapping[int, Peer]
) -> Iterator[Snapshot]:
    """The present of a connection that reads, kept for as long as the block lasts.

    Raises:
        InvalidRequest: it cannot be read.
    """
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM job").fetchone()  # the moment: its first reading
    except sqlite3.Error as exc:
        raise damaged(path, exc) from exc
    try:
        yield Snapshot(path, connection, peers)
    finally:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
