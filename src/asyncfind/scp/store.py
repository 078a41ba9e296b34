"""The archive's memory: patients, studies and worklist items in SQLite.

Text is kept in Unicode; the character set it goes out in is a column of its own.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from random import Random
from types import TracebackType
from typing import Final, Self

from asyncfind.scp.invent import physicians_of, steps_of, studies_of
from asyncfind.scp.matching import fold_name
from asyncfind.scp.people import people
from asyncfind.scp.rows import PATIENT_COLUMNS, STUDY_COLUMNS, WORKLIST_COLUMNS, Row

__all__ = ["TODAY", "Store"]

_INTEGERS: Final = frozenset(
    (
        "patient",
        "patient_studies",
        "patient_series",
        "patient_instances",
        "study_series",
        "study_instances",
        "salt",
        "pregnancy",
    )
)
TODAY: Final = date(2026, 6, 15)
_ISSUER: Final = "ASYNCFIND"
_FROM: Final = {
    "patients": "patients",
    # The order of the join is the planner's choice: it knows which key has an index.
    "studies": "studies JOIN patients ON patients.rowid = studies.patient",
    "worklist": "worklist JOIN patients ON patients.rowid = worklist.patient",
}
_COLUMNS: Final = {
    "patients": PATIENT_COLUMNS,
    "studies": PATIENT_COLUMNS + STUDY_COLUMNS,
    "worklist": PATIENT_COLUMNS + WORKLIST_COLUMNS,
}


class Store:
    """An in-memory database; close it, or use it in a `with` block."""

    def __init__(self) -> None:
        # Statements run one at a time, but not always in the thread that generated the data.
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        for table, columns in (
            ("patients", PATIENT_COLUMNS),
            ("studies", ("patient", *STUDY_COLUMNS)),
            ("worklist", ("patient", *WORKLIST_COLUMNS)),
        ):
            self._db.execute(f"CREATE TABLE {table} ({', '.join(map(_typed, columns))})")
        self._db.execute(
            "CREATE TABLE names (fold TEXT, patient INTEGER, PRIMARY KEY (fold, patient)) "
            "WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE physicians (fold TEXT, name TEXT)")

    @classmethod
    def generate(
        cls, studies: int, seed: int, *, worklist: int | None = None, today: date = TODAY
    ) -> Self:
        """Fill a store with invented patients; the same arguments give the same contents.

        Args:
            studies: how many; there are about two for each patient.
            worklist: scheduled procedure steps; a twentieth of the studies when None.
            today: the studies are of the eight years before, the worklist of the days around it.
        """
        store = cls()
        rng = Random(f"store {seed}")
        persons = list(people(max(1, studies * 2 // 5), seed))
        if worklist is None:
            worklist = min(max(12, studies // 20), 2000)
        physicians = physicians_of(rng)
        counts = [[0, 0, 0] for _ in persons]
        database = store._db
        database.execute("BEGIN")
        _insert(database, "studies", studies_of(studies, persons, counts, physicians, today, rng))
        _insert(
            database,
            "patients",
            (
                (
                    person.patient_id,
                    _ISSUER,
                    person.name,
                    person.sex,
                    person.birth_date,
                    "\\".join(person.culture.charsets),
                    *count,
                )
                for person, count in zip(persons, counts, strict=True)
            ),
        )
        _insert(
            database,
            "names",
            (
                (fold, number)
                for number, person in enumerate(persons, 1)
                for fold in set(fold_name(person.name))
            ),
        )
        _insert(database, "worklist", steps_of(worklist, persons, physicians, today, rng))
        _insert(
            database,
            "physicians",
            (
                (fold, name)
                for name in sorted({name for names in physicians.values() for name in names})
                for fold in set(fold_name(name))
            ),
        )
        for table, column in (
            ("patients", "patient_id"),
            ("studies", "patient"),
            ("studies", "study_uid"),
            ("studies", "study_date"),
            ("studies", "accession"),
            ("worklist", "step_date"),
        ):
            database.execute(f"CREATE INDEX {table}_{column} ON {table} ({column})")
        database.execute("COMMIT")
        database.execute("PRAGMA analysis_limit=400")
        database.execute("ANALYZE")
        return store

    def forget_dates(self, count: int) -> None:
        """Take date and time from so many studies, spread evenly over all of them."""
        every = max(1, self.count("studies") // max(1, count))
        self._db.execute(
            "UPDATE studies SET study_date = '', study_time = '' WHERE rowid IN"
            " (SELECT rowid FROM studies WHERE rowid % ? = 0 ORDER BY rowid LIMIT ?)",
            (every, count),
        )

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def select(
        self, table: str, terms: Sequence[str] = (), parameters: Sequence[str] = ()
    ) -> Iterator[Row]:
        """Yield the rows that fulfil every term, one by one as SQLite finds them.

        Args:
            table: `patients`; `studies` or `worklist`, whose rows begin with those of the patient.
            terms: SQL conditions on column names, with `?` for each of `parameters`.
        """
        return self._db.execute(_select(table, terms), parameters)

    def explain(self, table: str, terms: Sequence[str], parameters: Sequence[str]) -> str:
        """How SQLite goes about `select`: a line for each table, SEARCH with an index or SCAN."""
        statement = f"EXPLAIN QUERY PLAN {_select(table, terms)}"
        return "\n".join(row[3] for row in self._db.execute(statement, parameters))

    @staticmethod
    def name_term(column: str, term: str) -> str:
        """A term that is true where a group of the person name in `column` fulfils `term`.

        Args:
            term: a condition on the column `fold`.
        """
        if column == "patient_name":
            return f"patients.rowid IN (SELECT patient FROM names WHERE {term})"
        return f"{column} IN (SELECT name FROM physicians WHERE {term})"

    def count(self, table: str) -> int:
        """How many rows `table` has."""
        (number,) = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(number)


def _select(table: str, terms: Sequence[str]) -> str:
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    return f"SELECT {', '.join(_COLUMNS[table])} FROM {_FROM[table]}{where}"


def _typed(column: str) -> str:
    return f"{column} {'INTEGER' if column in _INTEGERS else 'TEXT'}"


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    statement = f"INSERT INTO {table} VALUES ({', '.join('?' * len(first))})"
    database.execute(statement, first)
    database.executemany(statement, rows)
