"""The store: reproducible, consistent, indexed."""

from collections.abc import Iterator
from datetime import date

import pytest

from asyncfind.scp.catalogue import PROCEDURES
from asyncfind.scp.invent import age
from asyncfind.scp.rows import (
    IMAGE_COLUMNS,
    PATIENT_COLUMNS,
    SERIES_COLUMNS,
    STUDY_COLUMNS,
    WORKLIST_COLUMNS,
    Row,
    instances_of,
    series_of,
)
from asyncfind.scp.store import Store

_STUDY = {name: place for place, name in enumerate(PATIENT_COLUMNS + STUDY_COLUMNS)}
_SERIES = {name: place for place, name in enumerate(SERIES_COLUMNS)}
_IMAGE = {name: place for place, name in enumerate(IMAGE_COLUMNS)}
_STEP = {name: place for place, name in enumerate(PATIENT_COLUMNS + WORKLIST_COLUMNS)}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.generate(400, 11) as store:
        yield store


def test_the_same_seed_gives_the_same_archive() -> None:
    with Store.generate(60, 2) as one, Store.generate(60, 2) as two, Store.generate(60, 3) as other:
        for table in ("patients", "studies", "worklist"):
            assert list(one.select(table)) == list(two.select(table))
            assert list(one.select(table)) != list(other.select(table))


@pytest.mark.parametrize("studies", [0, 1, 2])
def test_small_archives(studies: int) -> None:
    with Store.generate(studies, 1, worklist=0) as store:
        counts = [store.count(table) for table in ("patients", "studies", "worklist")]
        assert counts == [1, studies, 0]


def test_counts_agree_with_what_is_below(store: Store) -> None:
    for study in store.select("studies"):
        series = list(series_of(study))
        assert len(series) == study[_STUDY["study_series"]]
        images = [list(instances_of(one)) for one in series]
        for one, below in zip(series, images, strict=True):
            assert len(below) == one[_SERIES["series_instances"]]
        assert sum(map(len, images)) == study[_STUDY["study_instances"]]
        modalities = dict.fromkeys(str(one[_SERIES["modality"]]) for one in series)
        assert "\\".join(modalities) == study[_STUDY["modalities"]]
        classes = dict.fromkeys(str(below[0][_IMAGE["sop_class"]]) for below in images)
        assert "\\".join(classes) == study[_STUDY["sop_classes"]]


def test_counts_of_a_patient_agree_with_the_studies(store: Store) -> None:
    counts: dict[Row, list[int]] = {}
    for study in store.select("studies"):
        count = counts.setdefault(study[: len(PATIENT_COLUMNS)], [0, 0, 0])
        count[0] += 1
        count[1] += int(study[_STUDY["study_series"]])
        count[2] += int(study[_STUDY["study_instances"]])
    assert len(counts) == store.count("patients")
    for patient, count in counts.items():
        assert list(patient[-3:]) == count


def test_uids_are_unique_and_legal(store: Store) -> None:
    uids = [str(study[_STUDY["study_uid"]]) for study in store.select("studies")]
    uids += [str(step[_STEP["study_uid"]]) for step in store.select("worklist")]
    assert len(set(uids)) == len(uids)
    for study in store.select("studies"):
        for series in series_of(study):
            uid = str(list(instances_of(series))[-1][_IMAGE["sop_uid"]])
            assert len(uid) <= 64
            assert uid.startswith(f"{study[_STUDY['study_uid']]}.")
            assert not any(part != "0" and part.startswith("0") for part in uid.split("."))


def test_accession_numbers_are_unique_where_there_are_any(store: Store) -> None:
    numbers = [str(study[_STUDY["accession"]]) for study in store.select("studies")]
    given = [number for number in numbers if number]
    assert len(set(given)) == len(given)
    assert 0 < len(numbers) - len(given) < 30


def test_nothing_happens_before_birth_or_after_today(store: Store) -> None:
    for study in store.select("studies"):
        day = str(study[_STUDY["study_date"]])
        assert str(study[_STUDY["birth_date"]]) <= day < "20260615"
        years = str(study[_STUDY["age"]])
        assert years == "" or (len(years) == 4 and years[3] in "YM")


def test_the_worklist_is_about_today() -> None:
    with Store.generate(10, 1, worklist=200, today=date(2025, 2, 1)) as store:
        days = {str(step[_STEP["step_date"]]) for step in store.select("worklist")}
    assert days == {
        "20250131",
        *(f"2025020{day}" for day in range(1, 7)),
    }


def test_age_is_as_the_standard_writes_it() -> None:
    assert age("19800615", "20260614") == "045Y"
    assert age("19800615", "20260615") == "046Y"
    assert age("20250101", "20260615") == "017M"
    assert age("20260615", "20260615") == "000M"
    assert age("", "20260615") == ""


@pytest.mark.parametrize(
    "term",
    ["patient_id = ?", "study_uid = ?", "accession = ?", "study_date BETWEEN ? AND ?"],
)
def test_such_queries_use_an_index(store: Store, term: str) -> None:
    plan = store.explain("studies", [term], ["x"] * term.count("?"))
    assert "SCAN" not in plan


def test_name_prefixes_use_an_index(store: Store) -> None:
    term = store.name_term("patient_name", "fold >= ? AND fold < ?")
    assert "SCAN" not in store.explain("studies", [term], ["a", "b"])


def test_every_procedure_occurs(store: Store) -> None:
    codes = {study[_STUDY["code"]] for study in store.select("studies")}
    assert codes == {procedure.code for procedure in PROCEDURES}
