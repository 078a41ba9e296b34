"""One row for all answers with the same unique key, whoever gave them (--merge).

All rows come at the end of the run, as only then it is known who has what. Until then they wait
in a database of SQLite's that has no name: it is on disk beyond a small part, so that memory stays
flat, and gone with us. The row that stays is that of the node that comes first in the plan, so
that neither the rows nor their order depend on who answered first.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from asyncfind.errors import InvalidRequest, MalformedIdentifier, OutputFailed
from asyncfind.plan import Peer, Plan, Query
from asyncfind.query.charset import charsets_of
from asyncfind.query.columns import Column
from asyncfind.query.element import Item
from asyncfind.query.models import MODELS, Model, unique_key
from asyncfind.query.values import element_texts
from asyncfind.records import Find, Match, Verdict
from asyncfind.render.cells import column_values
from asyncfind.render.output import Output
from asyncfind.render.stream import UNKNOWN, Streamed, Telling, Told

__all__ = ["Merged", "check_mergeable", "key_paths"]

_LEVEL: Final = 0x00080052
_STUDY: Final = 0x0020000D
_SOP_INSTANCE: Final = 0x00080018
_STEP: Final = (0x00400100, 0x00400009)
"""Scheduled Procedure Step ID: of its own node only, so it goes with the study."""


def key_paths(query: Query) -> tuple[tuple[int, ...], ...]:
    """What tells apart the answers to a query, whoever gives them; empty where nothing does.

    It is the unique key of the level (PS3.4 Sections C.6.1.1 and C.6.2.1), of a worklist the
    scheduled procedure step of its study, of objects that have no levels their SOP Instance UID.
    """
    model = query.model
    if model.name in ("worklist", "gp-worklist"):
        return (_STUDY,), _STEP
    if not model.levels:
        return ((_SOP_INSTANCE,),)
    level = _text(query.identifier, (_LEVEL,))
    return ((unique_key(model, level),),) if level in model.levels else ()


def check_mergeable(plan: Plan) -> None:
    """Refuse to merge the answers of a plan that does not ask for what tells them apart.

    Raises:
        InvalidRequest: it does not.
    """
    if not plan.queries:
        return
    query = plan.queries[0]  # the others of a list differ in values
    asked = {column.path for column in plan.columns}
    paths = key_paths(query)
    if not paths:
        raise InvalidRequest(
            "--merge: nothing tells apart the answers of this level",
            "Add -k QueryRetrieveLevel=STUDY, or another level of the model.",
        )
    if missing := [path for path in paths if path not in asked]:
        from asyncfind.query.dictionary import keyword_of

        name = ".".join(keyword_of(tag) or f"{tag:08X}" for tag in missing[0])
        raise InvalidRequest(f"--merge needs {name} in every answer", f"Add -k {name}.")


class Merged(Streamed):
    """A renderer: writes `form` to `output`, one row for each unique key, at the end."""

    def __init__(self, form: Telling, output: Output) -> None:
        super().__init__(form, output)
        self._to = form
        self._store = _Store()
        self._columns: tuple[Column, ...] = ()

    def begin(self, plan: Plan) -> None:
        """Write what comes first."""
        self._columns = plan.columns
        self._store.begin(plan)
        super().begin(plan)

    def _match(self, match: Match) -> str:
        key, texts = None, {}
        try:
            item = self._read(match)
        except MalformedIdentifier as exc:
            self._note_bad(match.find, exc)
        else:
            key = _key(match.find.query, item)
            texts = self._texts(item)
        self._store.add(match, self._told.get(match.find, UNKNOWN), key, texts)
        return ""

    def _texts(self, item: Item) -> dict[str, str]:
        """The values that answers with one key are to agree in, by column."""
        values = zip(self._columns, column_values(item, self._columns), strict=True)
        return {one.name: "\\".join(value) for one, value in values if value is not None}

    def _rest(self) -> Iterator[str]:
        for match, told in self._store.rows():
            self._to.tell(told)
            try:
                yield self._to.match(match, self._read(match))
            except MalformedIdentifier as exc:
                yield self._to.undecodable(match, exc)
        self._store.close()


def _key(query: Query, item: Item) -> str | None:
    """What makes answers one row; None for one that has not all of it."""
    texts = [_text(item, path) for path in key_paths(query)]
    if not texts or not all(texts):
        return None
    level = _text(query.identifier, (_LEVEL,)) if query.model.levels else query.model.name
    return "\n".join([level, *texts])


def _text(item: Item, path: tuple[int, ...]) -> str:
    """The value of an element, of the first items on the way; empty where there is none."""
    for tag in path[:-1]:
        sequence = item.elements.get(tag)
        if sequence is None or not isinstance(sequence.value, list) or not sequence.value:
            return ""
        item = sequence.value[0]
    element = item.elements.get(path[-1])
    return "" if element is None else "\\".join(element_texts(element, charsets_of(item))).strip()


_SCHEMA: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE row (
    id INTEGER PRIMARY KEY,
    key TEXT UNIQUE,
    peer INTEGER, ordinal INTEGER, repeat INTEGER, number INTEGER,
    label TEXT, status INTEGER, identifier BLOB, syntax TEXT, time TEXT, verdict TEXT,
    texts TEXT, nodes TEXT, differs TEXT
);
BEGIN;
"""
_PUT: Final = (
    "UPDATE row SET peer = ?, ordinal = ?, repeat = ?, number = ?, label = ?, status = ?,"
    " identifier = ?, syntax = ?, time = ?, verdict = ?, texts = ? WHERE id = ?"
)


class _Store:
    """Rows that wait, one for each key. Its methods raise OutputFailed where there is no room."""

    def __init__(self) -> None:
        self._peers: tuple[Peer, ...] = ()
        self._places: dict[Peer, int] = {}
        self._model: Model = MODELS[0]
        with _reported():
            # Batches are rendered by one thread at a time, but not by the same one.
            self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._file.executescript(_SCHEMA)

    def begin(self, plan: Plan) -> None:
        """Rows are to be of this plan."""
        self._peers = plan.peers
        self._places = {peer: place for place, peer in enumerate(plan.peers)}
        self._model = next(iter(plan.models), self._model)

    def add(self, match: Match, told: Told, key: str | None, texts: dict[str, str]) -> None:
        """Put an answer to those with the same key; without one it stays by itself."""
        find = match.find
        place = self._places[find.peer]
        rank = (place, find.ordinal, find.repeat, match.number)
        kept = (
            *rank,
            find.query.label.encode("utf-8", "backslashreplace").decode(),
            match.status,
            match.identifier,
            match.transfer_syntax,
            told.time,
            None if told.verdict is None else str(told.verdict),
            json.dumps(texts),
        )
        with _reported():
            found = self._file.execute(
                "SELECT id, peer, ordinal, repeat, number, texts, nodes, differs FROM row"
                " WHERE key = ?",
                (key,),
            ).fetchone()
            if found is None:
                cursor = self._file.execute(
                    "INSERT INTO row (key, nodes, differs) VALUES (?, ?, '[]')",
                    (key, json.dumps([place])),
                )
                self._file.execute(_PUT, (*kept, cursor.lastrowid))
                return
            number, *old_rank, old_texts, nodes, differs = found
            self._unite(number, place, nodes, differs, _differing(json.loads(old_texts), texts))
            if rank < tuple(old_rank):
                self._file.execute(_PUT, (*kept, number))

    def _unite(
        self, number: int, place: int, nodes: str, differs: str, differing: Sequence[str]
    ) -> None:
        both = sorted({*json.loads(nodes), place})
        names = list(dict.fromkeys([*json.loads(differs), *differing]))
        self._file.execute(
            "UPDATE row SET nodes = ?, differs = ? WHERE id = ?",
            (json.dumps(both), json.dumps(names), number),
        )

    def rows(self) -> Iterator[tuple[Match, Told]]:
        """All rows, in the order of nodes and queries in the plan."""
        with _reported():
            for row in self._file.execute(
                "SELECT peer, ordinal, repeat, number, label, status, identifier, syntax, time,"
                " verdict, key, nodes, differs FROM row"
                " ORDER BY peer, ordinal, repeat, number, id"
            ):
                place, ordinal, repeat, number, label, status, identifier, syntax = row[:8]
                time, verdict, key, nodes, differs = row[8:]
                # Forms show of a query what it is called; what it asked is not needed any more.
                query = Query(label=label, model=self._model, identifier=Item())
                find = Find(self._peers[place], query, repeat, ordinal)
                told = Told(
                    time=time,
                    verdict=None if verdict is None else Verdict(verdict),
                    nodes=tuple(self._peers[one].node for one in json.loads(nodes)),
                    differs=tuple(json.loads(differs)),
                    is_keyless=key is None,
                )
                yield Match(find, number, status, identifier, syntax), told

    def close(self) -> None:
        """Forget all rows."""
        self._file.close()


def _differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Columns in which two answers are not the same; one that only one of them has, too."""
    names = dict.fromkeys([*one, *other])
    return [name for name in names if one.get(name) != other.get(name)]


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise OutputFailed(
            f"cannot keep rows that wait to be merged: {exc}",
            "Free some space for temporary files, or set SQLITE_TMPDIR.",
        ) from exc
