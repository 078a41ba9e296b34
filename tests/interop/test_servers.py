"""The real servers answer findscu as they should: the ground on which asyncfind is compared."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from servers import (
    EMPTY_WORKLIST,
    Archive,
    MissingProgram,
    Server,
    ServerFailed,
    dcmqrscp,
    findscu,
    orthanc,
    pynetdicom_scp,
    wlmscpfs,
)
from servers.findscu import read_identifier
from servers.process import program, run_program
from servers.studies import PEOPLE, invent_instances, write_file

Worklists = Mapping[str, Sequence[Dataset]]

_UTF8: Final = ("-k", "SpecificCharacterSet=ISO_IR 192")
_PATIENTS: Final = ("-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID")
_STUDIES: Final = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")

_ARCHIVES: Final = {
    "dcmqrscp_server": {"-P", "-S", "-O"},
    "orthanc_server": {"-P", "-S"},
    "pynetdicom_server": {"-P", "-S", "-O"},
}
_PATIENCE: Final = 10.0
"""Seconds for a server to notice that an association has ended."""


def _archives(*models: str) -> pytest.MarkDecorator:
    """Parameters `server` and `model`: each server that holds the studies with each of `models`."""
    pairs = [
        pytest.param(fixture, model, id=f"{fixture.removesuffix('_server')} {model}")
        for fixture, supported in _ARCHIVES.items()
        for model in models
        if model in supported
    ]
    return pytest.mark.parametrize(("server", "model"), pairs, indirect=["server"])


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """The server whose fixture the test names as its parameter."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def _keys(*keys: str) -> tuple[str, ...]:
    return tuple(argument for key in keys for argument in ("-k", key))


def test_the_archive_is_small_and_always_the_same(archive: Archive) -> None:
    counts = [
        len(entities)
        for entities in (archive.patients, archive.studies, archive.series, archive.instances)
    ]
    assert counts == [20, 40, 80, 160]
    assert tuple(invent_instances()) == archive.instances
    assert len({person.charsets for person in PEOPLE}) == 9


@_archives("-P", "-O")
def test_patients(server: Server, model: str, archive: Archive) -> None:
    found = findscu(server, model, *_PATIENTS)

    assert found.code == 0
    assert Counter(found.texts("PatientID")) == Counter(one.PatientID for one in archive.patients)


@_archives("-P", "-S", "-O")
def test_studies(server: Server, model: str, archive: Archive) -> None:
    patient = archive.patients[0].PatientID
    if model == "-S":
        expected = archive.studies
        found = findscu(server, model, *_STUDIES)
    else:
        expected = archive.studies_of(patient)
        found = findscu(server, model, *_STUDIES, *_keys(f"PatientID={patient}"))

    assert found.code == 0
    assert Counter(found.texts("StudyInstanceUID")) == Counter(
        one.StudyInstanceUID for one in expected
    )


@_archives("-P", "-S")
def test_series_and_instances(server: Server, model: str, archive: Archive) -> None:
    study = archive.studies[2]
    above = [f"StudyInstanceUID={study.StudyInstanceUID}"]
    if model == "-P":
        above.append(f"PatientID={study.PatientID}")
    series = archive.series_of(study.StudyInstanceUID)
    found = findscu(server, model, *_keys("QueryRetrieveLevel=SERIES", "SeriesInstanceUID", *above))

    assert len(series) == 3
    assert Counter(found.texts("SeriesInstanceUID")) == Counter(
        one.SeriesInstanceUID for one in series
    )

    for one in series:
        instances = archive.instances_of(one.SeriesInstanceUID)
        last = f"SeriesInstanceUID={one.SeriesInstanceUID}"
        found = findscu(
            server, model, *_keys("QueryRetrieveLevel=IMAGE", "SOPInstanceUID", *above, last)
        )
        assert Counter(found.texts("SOPInstanceUID")) == Counter(
            instance.SOPInstanceUID for instance in instances
        )


@pytest.mark.parametrize("server", _ARCHIVES, indirect=True)
def test_names_of_every_script_arrive(server: Server) -> None:
    found = findscu(server, "-P", *_PATIENTS, *_keys("PatientName"), *_UTF8)

    assert sorted(found.texts("PatientName")) == sorted(person.name for person in PEOPLE)


@pytest.mark.parametrize("server", _ARCHIVES, indirect=True)
def test_wildcards_and_ranges(server: Server, archive: Archive) -> None:
    by_name = findscu(server, "-S", *_STUDIES, *_keys("PatientName=Ashworth^*"))
    by_date = findscu(server, "-S", *_STUDIES, *_keys("StudyDate=20200101-20201231"))
    nobody = findscu(server, "-S", *_STUDIES, *_keys("PatientName=Nobody"))

    named = [one for one in archive.studies if str(one.PatientName).startswith("Ashworth^")]
    dated = [one for one in archive.studies if one.StudyDate.startswith("2020")]
    assert len(by_name.datasets) == len(named) > 2
    assert len(by_date.datasets) == len(dated) > 2
    assert (nobody.code, nobody.datasets) == (0, ())


@pytest.mark.parametrize("server", [*_ARCHIVES, "wlmscpfs_server"], indirect=True)
def test_models_a_server_lacks_are_refused(server: Server) -> None:
    for model in {"-P", "-S", "-O", "-W"} - server.models:
        found = findscu(server, model, *_STUDIES)
        # wlmscpfs rejects the whole association, and gives no reason.
        told = "No Reason" if server.name == "wlmscpfs" else "No Acceptable Presentation Contexts"
        assert found.code != 0
        assert told in found.log


def test_worklists_by_called_title(wlmscpfs_server: Server, worklists: Worklists) -> None:
    for title, entries in worklists.items():
        found = findscu(wlmscpfs_server.called(title), "-W", *_keys("PatientName", "PatientID"))
        assert found.code == 0
        assert sorted(found.texts("PatientName")) == sorted(str(one.PatientName) for one in entries)
    assert [len(entries) for entries in worklists.values()] == [12, 7, 1, 0]

    stranger = findscu(wlmscpfs_server.called("NO_SUCH_LIST"), "-W", *_keys("PatientName"))
    assert stranger.code != 0
    assert "Called AE Title Not Recognized" in stranger.log


@pytest.mark.parametrize("server", ["wlmscpfs_server", "pynetdicom_server"], indirect=True)
def test_worklists_by_scheduled_station(server: Server, worklists: Worklists) -> None:
    step = "ScheduledProcedureStepSequence[0]"
    stations = {}
    for station in worklists:
        called = server.called(station) if server.name == "wlmscpfs" else server
        found = findscu(
            called,
            "-W",
            *_keys(
                "ScheduledProcedureStepSequence[0].ScheduledPerformingPhysicianName",
                f"{step}.ScheduledStationAETitle={station}",
            ),
        )
        stations[station] = sorted(
            str(one.ScheduledProcedureStepSequence[0].ScheduledPerformingPhysicianName)
            for one in found.datasets
        )

    assert EMPTY_WORKLIST in stations
    assert stations == {
        station: sorted(str(one.ReferringPhysicianName) for one in entries)
        for station, entries in worklists.items()
    }


def test_pynetdicom_searches_strictly(pynetdicom_server: Server) -> None:
    found = findscu(pynetdicom_server, "-v", "-S", *_keys("QueryRetrieveLevel=SERIES"))

    assert found.identifiers == ()
    assert "Error: DataSetDoesNotMatchSOPClass" in found.log


def test_orthanc_holds_back_what_exceeds_its_limit(archive: Archive, tmp_path: Path) -> None:
    with orthanc(archive, tmp_path, limit_results=7) as server:
        found = findscu(server, "-v", "-S", *_STUDIES)

    assert len(found.identifiers) == 7
    assert "Cancel: MatchingTerminatedDueToCancelRequest" in found.log


@pytest.mark.parametrize("name", ["dcmqrscp", "wlmscpfs", "pynetdicom"])
def test_a_full_server_rejects(
    name: str, archive: Archive, worklists: Worklists, tmp_path: Path
) -> None:
    running = {
        "dcmqrscp": lambda: dcmqrscp(archive, tmp_path, max_associations=1),
        "wlmscpfs": lambda: wlmscpfs(worklists, tmp_path, max_associations=1),
        "pynetdicom": lambda: pynetdicom_scp(archive, worklists, tmp_path, max_associations=1),
    }
    with running[name]() as server, _associated(server):
        found = findscu(server, sorted(server.models)[0], *_STUDIES)

    assert found.code != 0
    assert "Rejected Transient" in found.log
    assert "Local Limit Exceeded" in found.log


def test_a_server_is_gone_after_its_block(archive: Archive, tmp_path: Path) -> None:
    with dcmqrscp(archive, tmp_path) as server:
        os.kill(server.pid, 0)

    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
    assert server.log_tail()


def test_a_server_that_does_not_start_says_why(archive: Archive, tmp_path: Path) -> None:
    with (
        pytest.raises(ServerFailed, match=r"(?s)dcmqrscp ended with code 1.*Unknown option"),
        dcmqrscp(archive, tmp_path, arguments=["--no-such-option"]),
    ):
        pass


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(MissingProgram, match=r"findscu is missing.*Debian package dcmtk"):
        program("findscu")


@pytest.mark.parametrize(
    "options",
    [("+te",), ("+te", "-e"), ("+ti",), ("+tb",), ("+td",)],
    ids=["explicit", "undefined lengths", "implicit", "big endian", "deflated"],
)
def test_identifiers_are_kept_to_the_byte(options: tuple[str, ...], tmp_path: Path) -> None:
    step = Dataset()
    step.Modality = "CT"
    step.add_new(0x00420010, "ST", "")
    whole = Dataset()
    whole.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    whole.SOPClassUID = "1.2.3"
    whole.SOPInstanceUID = "1.2.4"
    whole.PatientName = "Kitagawa^Yuuko=北川^優子"
    whole.Rows = 512
    whole.ScheduledProcedureStepSequence = [step]
    write_file(tmp_path / "written.dcm", whole)
    run_program("dcmconv", *options, tmp_path / "written.dcm", tmp_path / "converted.dcm")

    expected = (
        (0x00080005, "CS", b"\\ISO 2022 IR 87 "),
        (0x00080016, "UI", b"1.2.3\0"),
        (0x00080018, "UI", b"1.2.4\0"),
        (0x00100010, "PN", b"Kitagawa^Yuuko=\x1b$BKL@n\x1b(B^\x1b$BM%;R\x1b(B"),
        (0x00280010, "US", b"\x00\x02"),
        (0x00400100, "SQ", (((0x00080060, "CS", b"CT"), (0x00420010, "ST", b"")),)),
    )
    assert read_identifier(tmp_path / "converted.dcm") == expected


@contextmanager
def _associated(server: Server) -> Iterator[None]:
    """Hold one association open."""
    ae = AE()
    ae.add_requested_context(Verification)
    # A server learns of the end of the last association late: when the next one is asked for, or
    # when its thread looks again.
    until = time.monotonic() + _PATIENCE
    association = ae.associate(server.host, server.port, ae_title=server.aet)
    while not association.is_established and time.monotonic() < until:
        time.sleep(0.05)
        association = ae.associate(server.host, server.port, ae_title=server.aet)
    assert association.is_established
    try:
        yield
    finally:
        association.release()
