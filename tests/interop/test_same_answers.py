"""asyncfind gets from every real archive what findscu gets, model by model, level by level."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from servers import Server, findscu

_PATIENT = ("-k", "PatientName", "-k", "PatientID", "-k", "PatientBirthDate", "-k", "PatientSex")
_STUDY = ("-k", "StudyInstanceUID", "-k", "StudyDate", "-k", "StudyDescription", "-k", "StudyID")
_SERIES = ("-k", "SeriesInstanceUID", "-k", "Modality", "-k", "SeriesNumber")
_IMAGE = ("-k", "SOPInstanceUID", "-k", "InstanceNumber")
_STEP = "ScheduledProcedureStepSequence[0]."

_QUESTIONS = {
    "patients": ("-P", "-k", "QueryRetrieveLevel=PATIENT", *_PATIENT),
    "patients by name": ("-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientName=*a*"),
    "studies of a patient": (
        *("-P", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID={patient}", *_STUDY),
    ),
    "patients, patient/study": ("-O", "-k", "QueryRetrieveLevel=PATIENT", *_PATIENT),
    "studies": ("-S", "-k", "QueryRetrieveLevel=STUDY", *_STUDY, *_PATIENT),
    "studies by date": (
        "-S",
        "-k",
        "QueryRetrieveLevel=STUDY",
        *_STUDY,
        "-k",
        "StudyDate=20200101-",
    ),
    "studies in UTF-8": (
        *("-S", "-k", "SpecificCharacterSet=ISO_IR 192", "-k", "QueryRetrieveLevel=STUDY"),
        *("-k", "PatientName", "-k", "StudyInstanceUID"),
    ),
    "no studies": ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=NOBODY^AT^ALL"),
    "series": ("-S", "-k", "QueryRetrieveLevel=SERIES", "-k", "StudyInstanceUID={study}", *_SERIES),
    "images": (
        *("-S", "-k", "QueryRetrieveLevel=IMAGE", "-k", "StudyInstanceUID={study}"),
        *("-k", "SeriesInstanceUID={series}", *_IMAGE),
    ),
    "worklist": (
        *("-W", "-k", "PatientName", "-k", "PatientID", "-k", _STEP + "Modality"),
        *("-k", _STEP + "ScheduledProcedureStepStartDate", "-k", "StudyInstanceUID"),
    ),
}
_FIXTURES = ("dcmqrscp_server", "orthanc_server", "pynetdicom_server", "wlmscpfs_server")


def _asyncfind(server: Server, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "asyncfind", *arguments, *server.address, "--format", "ndjson"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def _canonical(identifier: dict[str, Any]) -> str:
    """An identifier in the DICOM JSON Model, without what says how its text was encoded."""
    return json.dumps({tag: value for tag, value in identifier.items() if tag != "00080005"})


def _theirs(server: Server, *arguments: str) -> tuple[int, Counter[str]]:
    from asyncfind.query.element import Element, Item
    from asyncfind.query.json_model import item_to_json

    def item_of(identifier: Any) -> Item:
        item = Item()
        for tag, vr, value in identifier:
            nested = isinstance(value, tuple)
            held = [item_of(one) for one in value] if nested else value
            item.elements[tag] = Element(tag, vr, held, 0)
        return item

    found = findscu(server, *arguments)
    return found.code, Counter(
        _canonical(item_to_json(item_of(identifier))) for identifier in found.identifiers
    )


@pytest.mark.parametrize("question", _QUESTIONS)
@pytest.mark.parametrize("fixture", _FIXTURES)
def test_every_archive_gives_both_the_same(
    fixture: str, question: str, archive: Any, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(fixture)
    study = archive.studies[0].StudyInstanceUID
    series = archive.series_of(study)[0].SeriesInstanceUID
    patient = archive.studies[0].PatientID
    line = [
        word.format(study=study, series=series, patient=patient) for word in _QUESTIONS[question]
    ]
    code, expected = _theirs(server, *line)
    ours, records = _asyncfind(server, *line)
    matches = Counter(_canonical(one["identifier"]) for one in records if one["kind"] == "match")
    assert matches == expected
    if line[0] in server.models:
        assert ours == 0
        assert bool(expected) == (question != "no studies")
        assert [one["verdict"] for one in records if one["kind"] == "done"] == ["complete"]
    else:
        assert (ours, code != 0) == (2, True)
        assert [one["verdict"] for one in records if one["kind"] == "done"] == ["unreached"]
