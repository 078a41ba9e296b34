"""The archive's memory: patients, studies and worklist items in SQLite, the rest on demand.

Text is kept in Unicode; the character set it goes out in is a column of its own. Series and
instances follow from their study by arithmetic, so that 100 000 studies with their millions of
instances take a few seconds and little memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from random import Random
from types import TracebackType
from typing import Final, Self

from asyncfind.scp.catalogue import MODALITIES, PROCEDURES, Procedure
from asyncfind.scp.matching import fold_name
from asyncfind.scp.people import CULTURES, Person, people, physician

__all__ = [
    "IMAGE_COLUMNS",
    "PATIENT_COLUMNS",
    "SERIES_COLUMNS",
    "STUDY_COLUMNS",
    "WORKLIST_COLUMNS",
    "Row",
    "Store",
    "instances_of",
    "series_of",
]

Row = tuple[str | int, ...]
"""One patient, study, series, instance or worklist item; the *_COLUMNS say what is where."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PATIENT_COLUMNS: Final = _names(
    "patient_id issuer patient_name sex birth_date charset "
    "patient_studies patient_series patient_instances"
)
STUDY_COLUMNS: Final = _names(
    "study_uid study_date study_time accession study_id study_description modalities sop_classes "
    "referring age weight code code_meaning study_series study_instances salt"
)
SERIES_COLUMNS: Final = _names(
    "series_uid modality series_number series_description series_date series_time body_part "
    "protocol station manufacturer series_instances"
)
IMAGE_COLUMNS: Final = _names(
    "sop_uid sop_class image_type instance_number content_date content_time acquired rows columns"
)
WORKLIST_COLUMNS: Final = _names(
    "accession study_uid procedure_id procedure_description code code_meaning priority requesting "
    "referring admission location weight pregnancy step_id step_date step_time step_description "
    "step_status modality station_aet station performing"
)
_INTEGERS: Final = _names(
    "patient patient_studies patient_series patient_instances study_series study_instances salt "
    "pregnancy"
)
_TODAY: Final = date(2026, 6, 15)
_DAYS_KEPT: Final = 8 * 365
_PROCEDURE_OF: Final = {procedure.code: procedure for procedure in PROCEDURES}
_MANUFACTURERS: Final = ("Acme Imaging", "Borealis Medical", "Cormorant Systems")
_ISSUER: Final = "ASYNCFIND"
_PRIORITIES: Final = ("ROUTINE", "ROUTINE", "ROUTINE", "HIGH", "STAT")
_WARDS: Final = ("OUTPATIENT", "WARD 2", "WARD 3", "WARD 5", "ICU", "EMERGENCY")
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
        cls, studies: int, seed: int, *, worklist: int | None = None, today: date = _TODAY
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
        physicians = _physicians(rng)
        counts = [[0, 0, 0] for _ in persons]
        database = store._db
        database.execute("BEGIN")
        _insert(database, "studies", _studies(studies, persons, counts, physicians, today, rng))
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
        _insert(database, "worklist", _worklist(worklist, persons, physicians, today, rng))
        _insert(
            database,
            "physicians",
            (
                (fold, name)
                for name in {name for names in physicians.values() for name in names}
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
        where = f" WHERE {' AND '.join(terms)}" if terms else ""
        columns = ", ".join(_COLUMNS[table])
        return self._db.execute(f"SELECT {columns} FROM {_FROM[table]}{where}", parameters)

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


# Generation.


_PHYSICIANS: Final = 30


def _studies(
    count: int,
    persons: Sequence[Person],
    counts: list[list[int]],
    physicians: dict[str, list[str]],
    today: date,
    rng: Random,
) -> Iterator[Row]:
    """Yield rows of `studies`; adds each study to its patient's `counts`."""
    chance = rng.random
    days = _days(today)
    for number in range(count):
        patient = number if number < len(persons) else int(chance() ** 1.5 * len(persons))
        person = persons[patient]
        procedure, planned = _SHAPES[int(chance() * len(_SHAPES))]
        if procedure.modality == "MG" and person.sex != "F":
            procedure, planned = _SHAPES[0]
        salt = int(chance() * 1_000_000)
        day = max(days[int(chance() * len(days))], person.birth_date)
        second = 25_000 + int(chance() * 45_000) if chance() >= 0.01 else -1
        instances = sum(_instances(procedure, salt, index) for index in range(planned))
        modalities, sop_classes = _contents(procedure.code, planned)
        total = counts[patient]
        total[0] += 1
        total[1] += planned
        total[2] += instances
        names = physicians[person.culture.language]
        yield (
            patient + 1,
            _uid(rng),
            day,
            _time(second),
            f"A{number * 104_729 % 99_999_989:08d}" if chance() >= 0.01 else "",
            str(10_000 + number),
            procedure.local.get(person.culture.language, procedure.meaning),
            modalities,
            sop_classes,
            names[int(chance() * len(names))],
            _age(person.birth_date, day),
            f"{45 + salt % 500 / 10:.1f}",
            procedure.code,
            procedure.meaning,
            planned,
            instances,
            salt,
        )


def _worklist(
    count: int,
    persons: Sequence[Person],
    physicians: dict[str, list[str]],
    today: date,
    rng: Random,
) -> Iterator[Row]:
    """Yield rows of `worklist`: steps from yesterday to five days ahead, on the quarter hour."""
    chance = rng.random
    for number in range(count):
        patient = int(chance() * len(persons))
        person = persons[patient]
        procedure = PROCEDURES[int(chance() * len(PROCEDURES))]
        description = procedure.local.get(person.culture.language, procedure.meaning)
        names = physicians[person.culture.language]
        station = MODALITIES[procedure.modality].station
        day = today + timedelta(days=int(chance() * 7) - 1)
        yield (
            patient + 1,
            f"W{number * 7919 % 9_999_991:07d}",
            _uid(rng),
            f"RP{number:06d}",
            description,
            procedure.code,
            procedure.meaning,
            _PRIORITIES[int(chance() * len(_PRIORITIES))],
            names[int(chance() * len(names))],
            names[int(chance() * len(names))],
            f"ADM{int(chance() * 100_000):05d}",
            _WARDS[int(chance() * len(_WARDS))],
            f"{45 + int(chance() * 500) / 10:.1f}",
            4 if person.sex == "F" else 1,
            f"SPS{number:06d}",
            f"{day:%Y%m%d}",
            _time(25_200 + 900 * int(chance() * 44)),
            description,
            "SCHEDULED",
            procedure.modality,
            station,
            station,
            names[int(chance() * len(names))],
        )


def _shapes() -> Iterator[tuple[Procedure, int]]:
    """Procedures with their numbers of series, all of them four times as often as less."""
    for procedure in PROCEDURES:
        full = len(procedure.series)
        for planned in range(max(1, full - 1), full + 1):
            yield from [(procedure, planned)] * (4 if planned == full else 1)


_SHAPES: Final = tuple(_shapes())


def _physicians(rng: Random) -> dict[str, list[str]]:
    return {
        culture.language: sorted({physician(culture, rng) for _ in range(_PHYSICIANS)})
        for culture in CULTURES
    }


def _days(today: date) -> list[str]:
    """The days before `today` as DA, working days five times as often as the others."""
    days: list[str] = []
    for back in range(1, _DAYS_KEPT):
        day = today - timedelta(days=back)
        days += [f"{day:%Y%m%d}"] * (5 if day.weekday() < 5 else 1)
    return days


def _uid(rng: Random) -> str:
    """A UID made of a random UUID (PS3.5 Section B.2)."""
    bits = rng.getrandbits(128)
    return f"2.25.{bits & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)}"


def _time(second: int) -> str:
    """Seconds of the day as TM; empty where negative."""
    if second < 0:
        return ""
    minute, second = divmod(second % 86_400, 60)
    hour, minute = divmod(minute, 60)
    return f"{hour:02d}{minute:02d}{second:02d}"


def _age(birth_date: str, day: str) -> str:
    """Age on `day` as AS: in months below two years."""
    if not birth_date:
        return ""
    months = (int(day[:4]) - int(birth_date[:4])) * 12 + int(day[4:6]) - int(birth_date[4:6])
    months -= day[6:] < birth_date[6:]
    return f"{months // 12:03d}Y" if months >= 24 else f"{max(months, 0):03d}M"


@cache
def _contents(procedure: str, planned: int) -> tuple[str, str]:
    """Modalities and SOP classes of a procedure's first `planned` series, divided by backslash."""
    plans = _PROCEDURE_OF[procedure].series[:planned]
    modalities = dict.fromkeys(plan.modality for plan in plans)
    return "\\".join(modalities), "\\".join(MODALITIES[name].sop_class for name in modalities)


def _instances(procedure: Procedure, salt: int, index: int) -> int:
    plan = procedure.series[index]
    return plan.least + salt // (7 * index + 1) % (plan.most - plan.least + 1)


# Below the study.

_STUDY: Final = {name: index for index, name in enumerate(_COLUMNS["studies"])}


def series_of(study: Row) -> Iterator[Row]:
    """Yield the series of a row of `studies`, in SERIES_COLUMNS."""
    procedure = _PROCEDURE_OF[str(study[_STUDY["code"]])]
    uid, day = study[_STUDY["study_uid"]], study[_STUDY["study_date"]]
    begun = _seconds(str(study[_STUDY["study_time"]]))
    salt = int(study[_STUDY["salt"]])
    for index in range(int(study[_STUDY["study_series"]])):
        plan = procedure.series[index]
        yield (
            f"{uid}.{index + 1}",
            plan.modality,
            index + 1,
            plan.description,
            day,
            _time(begun + 120 * index if begun >= 0 else -1),
            procedure.body_part,
            plan.description,
            MODALITIES[plan.modality].station,
            _MANUFACTURERS[salt % len(_MANUFACTURERS)],
            _instances(procedure, salt, index),
        )


def instances_of(series: Row) -> Iterator[Row]:
    """Yield the instances of a row of `series_of`, in IMAGE_COLUMNS."""
    uid, modality, _, _, day, time, *_, count = series
    sop_class, rows, columns, _ = MODALITIES[str(modality)]
    begun = _seconds(str(time))
    for index in range(int(count)):
        moment = _time(begun + index // 4 if begun >= 0 else -1)
        yield (
            f"{uid}.{index + 1}",
            sop_class,
            "ORIGINAL\\PRIMARY",
            index + 1,
            day,
            moment,
            f"{day}{moment}",
            rows or "",
            columns or "",
        )


def _seconds(time: str) -> int:
    return int(time[:2]) * 3600 + int(time[2:4]) * 60 + int(time[4:]) if time else -1
