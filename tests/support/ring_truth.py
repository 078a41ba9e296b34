"""What is asked of a ring of archives, what it should answer, and what a run got.

What a run should get is worked out here, from the data of the archives and from the words of the
standard alone: no code that asks or matches is shared with asyncfind.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from ring import Member, Ring

from asyncfind.scp.rows import PATIENT_COLUMNS, STUDY_COLUMNS
from asyncfind.scp.store import Store

__all__ = [
    "KEYS",
    "Study",
    "Truth",
    "answers",
    "read_rows",
    "read_verdicts",
    "studies_of",
    "timeless",
    "truth",
    "write_book",
    "write_list",
]

KEYS: Final = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
"""What is asked; the list has PatientID and StudyDate."""

_LIST: Final = "ids.csv"
_TIME: Final = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z|"seconds":[\d.e-]+')
_PATIENT_ID, _DATE, _UID = (
    (PATIENT_COLUMNS + STUDY_COLUMNS).index(name)
    for name in ("patient_id", "study_date", "study_uid")
)


class Study(NamedTuple):
    """A study as far as the list asks for it."""

    uid: str
    patient_id: str
    date: str


Truth = Counter[tuple[str, str, Study]]
"""Node, label of the query, and what that node answers; how often."""


def write_book(file: Path, members: Sequence[Member], ring: Ring) -> None:
    """Write the node book in which all are in the group `ring`."""
    file.write_text(
        "".join(
            f'[node.{member.name}]\nhost = "127.0.0.1"\nport = {ring.ports[member.name]}\n'
            f'called = "{member.called}"\ngroups = ["ring"]\nmax_associations = {member.cap}\n'
            for member in members
        ),
        "ascii",
    )


def write_list(folder: Path, count: int, studies: Sequence[Study]) -> tuple[Path, dict[str, Study]]:
    """Write a list of `count` queries; returns it, and its keys by the labels of its rows.

    Two rows in five name a patient, one has the beginning of an ID, the others a range of days.
    """
    rng = Random(f"list {count}")
    owners = sorted({study.patient_id for study in studies})
    days = sorted({study.date for study in studies})
    rows: dict[tuple[str, str], None] = {}
    while len(rows) < count:
        chance = rng.random()
        if chance < 0.4:
            rows[rng.choice(owners), ""] = None
        elif chance < 0.6:
            rows[f"{rng.choice(owners)[: rng.choice((3, 4, 5))]}*", ""] = None
        else:
            first = rng.randrange(len(days))
            last = min(first + rng.randrange(1, 60), len(days) - 1)
            rows["", f"{days[first]}-{days[last]}"] = None
    file = folder / _LIST
    with file.open("w", newline="") as sink:
        csv.writer(sink).writerows([("PatientID", "StudyDate"), *rows])
    return file, {
        f"{_LIST}:{line}": Study("", owner, day) for line, (owner, day) in enumerate(rows, 2)
    }


def studies_of(member: Member) -> list[Study]:
    """What an embedded archive holds."""
    with Store.generate(member.studies, member.seed) as store:
        return [
            Study(str(row[_UID]), str(row[_PATIENT_ID]), str(row[_DATE]))
            for row in store.select("studies")
        ]


def truth(held: Mapping[str, Sequence[Study]], keys: Mapping[str, Study]) -> Truth:
    """All that a run should show.

    Args:
        held: the studies of each node.
        keys: what each query asks for.
    """
    return Truth(
        (node, label, study)
        for node, studies in held.items()
        for label, key in keys.items()
        for study in answers(studies, key)
    )


def answers(studies: Iterable[Study], key: Study) -> Iterator[Study]:
    """The studies that a query is for (PS3.4 Sections C.2.2.2.1 to C.2.2.2.5)."""
    first, _, last = key.date.partition("-")
    for study in studies:
        if key.patient_id and not fnmatchcase(study.patient_id, key.patient_id):
            continue
        if not key.date or first <= study.date <= last:
            yield study


def read_rows(file: Path) -> Truth:
    """What an output in CSV has.

    Raises:
        ValueError: a row that is no answer, or is cut.
    """
    rows = Truth()
    with file.open(newline="", encoding="utf-8") as source:
        for row in csv.DictReader(source, strict=True):
            if row["status"] != "FF00" or None in row or None in row.values():
                raise ValueError(f"not an answer: line {rows.total() + 2}")
            study = Study(row["StudyInstanceUID"], row["PatientID"], row["StudyDate"])
            rows[row["node"], row["query"], study] += 1
    return rows


def read_verdicts(file: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Verdict and reason by node and label, as an output in NDJSON has them.

    Raises:
        ValueError: a query that ends twice.
    """
    verdicts = {}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if '"kind":"done"' not in line:
                continue
            end = json.loads(line)
            place = end["node"], end["query"]
            if place in verdicts:
                raise ValueError("a query ended twice")
            verdicts[place] = end["verdict"], end.get("error", "")
    return verdicts


def timeless(file: Path) -> bytes:
    """An output but for when its queries were asked and how long they took: all that two runs of
    the same list may differ in.
    """
    return _TIME.sub(b"-", file.read_bytes())
