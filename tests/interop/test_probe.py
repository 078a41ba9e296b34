"""A probe of archives that are not ours finds what they were configured to be."""

import subprocess
import sys
from datetime import date
from functools import partial
from pathlib import Path

import anyio
import pytest
from pydicom.dataset import Dataset
from servers import Archive, Server, dcmqrscp, orthanc, wlmscpfs

from asyncfind.book.profile import Fact, FactValue
from asyncfind.plan import Peer
from asyncfind.run.probe import probe
from asyncfind.run.probe_words import Event, Gentleness, Stopped

_TODAY = date(2026, 6, 15)


async def _probed(server: Server, *, associations: int = 0) -> dict[str, FactValue]:
    peer = Peer(host=server.host, port=server.port, called=server.aet)
    send, receive = anyio.create_memory_object_stream[Event](4)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                partial(probe, peer, Gentleness(associations=associations), send, today=_TODAY)
            )
            async with receive:
                events = [event async for event in receive]
    assert not [event for event in events if isinstance(event, Stopped)]
    return {event.name: event.value for event in events if isinstance(event, Fact)}


def _names(value: FactValue) -> set[str]:
    assert isinstance(value, tuple)
    return set(value)


@pytest.mark.anyio
async def test_dcmqrscp(dcmqrscp_server: Server) -> None:
    facts = await _probed(dcmqrscp_server)
    assert facts["models"] == ("patient", "study", "patient-study")
    assert facts["async_window"] == 1
    assert facts["negotiation.study"] == ()
    assert facts["row_limit"] == 0
    assert facts["name_case"] == "significant"
    assert "StudyDate" in _names(facts["keys.study.matched"])
    # Its database has no such columns: it leaves them out and matches everything by them.
    assert "ModalitiesInStudy" in _names(facts["keys.study.ignored"])
    assert "NumberOfStudyRelatedInstances" in _names(facts["keys.study.absent"])
    assert "SeriesDescription" in _names(facts["keys.series.ignored"])
    assert "InstanceNumber" in _names(facts["keys.image.matched"])
    assert facts["quirk.no-universal-wildcard"] is False
    assert facts["quirk.no-wildcard-in-dates"] is True
    assert facts["quirk.one-find-per-association"] is False
    assert facts["quirk.row-on-final"] is False


@pytest.mark.parametrize(
    ("arguments", "models", "syntaxes"),
    [
        (("-QP",), ("study", "patient-study"), None),
        (("+xi",), ("patient", "study", "patient-study"), ("Little Endian Implicit",)),
    ],
)
@pytest.mark.anyio
async def test_dcmqrscp_as_it_was_told(
    archive: Archive,
    tmp_path: Path,
    arguments: tuple[str, ...],
    models: tuple[str, ...],
    syntaxes: tuple[str, ...] | None,
) -> None:
    with dcmqrscp(archive, tmp_path / "one", arguments=arguments) as server:
        facts = await _probed(server)
    assert facts["models"] == models
    if syntaxes is not None:
        assert facts["transfer_syntaxes.study"] == syntaxes
    else:
        assert len(_names(facts["transfer_syntaxes.study"])) > 1
    assert facts["keys.study.answered"]


@pytest.mark.anyio
async def test_the_association_limit_of_dcmqrscp(archive: Archive, tmp_path: Path) -> None:
    # It serves one process each, and counts one that has just ended until the next caller comes.
    with dcmqrscp(archive, tmp_path / "three", max_associations=3) as server:
        facts = await _probed(server, associations=8)
    assert facts["associations"] == 3


@pytest.mark.anyio
async def test_orthanc(orthanc_server: Server) -> None:
    facts = await _probed(orthanc_server)
    assert facts["models"] == ("patient", "study")
    assert facts["row_limit"] == 0
    assert facts["name_case"] == "ignored"
    assert facts["charsets"] == ("ISO_IR 192",)
    assert {"ModalitiesInStudy", "StudyDescription"} <= _names(facts["keys.study.matched"])
    assert facts["keys.study.ignored"] == ()
    assert "NumberOfStudyRelatedInstances" in _names(facts["keys.study.answered"])
    assert facts["quirk.no-universal-wildcard"] is False
    assert facts["quirk.one-find-per-association"] is False


@pytest.mark.anyio
async def test_the_row_limit_of_orthanc(archive: Archive, tmp_path: Path) -> None:
    with orthanc(archive, tmp_path / "orthanc", limit_results=7) as server:
        facts = await _probed(server)
    assert facts["row_limit"] == 7


@pytest.mark.anyio
async def test_wlmscpfs(wlmscpfs_server: Server, worklists: dict[str, tuple[Dataset, ...]]) -> None:
    facts = await _probed(wlmscpfs_server)
    assert facts["models"] == ("worklist",)
    assert facts["row_limit"] == 0
    matched = _names(facts["keys.worklist.matched"])
    assert {"PatientID", "ScheduledProcedureStepSequence.Modality"} <= matched
    assert "PatientName" in _names(facts["keys.worklist.answered"])
    declared = {one.get("SpecificCharacterSet") for one in worklists[wlmscpfs_server.aet]}
    assert _names(facts["charsets"]) <= {
        one if isinstance(one, str) else "\\".join(one or ()) for one in declared
    }


@pytest.mark.anyio
async def test_pynetdicom(pynetdicom_server: Server) -> None:
    facts = await _probed(pynetdicom_server)
    assert facts["models"] == ("patient", "study", "patient-study", "worklist")
    assert facts["keys.study.ignored"] == ()
    assert "SOPClassesInStudy" in _names(facts["keys.study.empty"])
    assert facts["keys.worklist.answered"]
    assert facts["quirk.no-wildcard-in-dates"] is True
    assert facts["quirk.one-find-per-association"] is False


@pytest.mark.parametrize("form", ["text", "csv", "ndjson", "json", "table"])
def test_the_charset_of_the_book_reads_what_names_none(
    worklists: dict[str, tuple[Dataset, ...]], tmp_path: Path, form: str
) -> None:
    title, patients = next(
        (title, cyrillic)
        for title, entries in worklists.items()
        if (cyrillic := [one for one in entries if one.get("SpecificCharacterSet") == "ISO_IR 144"])
    )
    patient = patients[0]
    with wlmscpfs(worklists, tmp_path / "worklist", arguments=()) as server:
        found = []
        for charset in ('"ISO_IR 144"', '"ISO_IR 100"'):
            book = tmp_path / "nodes.toml"
            entry = f'host = "{server.host}"\nport = {server.port}\ncalled = "{title}"'
            book.write_text(f"[node.steps]\n{entry}\ncharset = [{charset}]\n", encoding="utf-8")
            keys = ("-k", "PatientName", "-k", f"PatientID={patient.PatientID}")
            line = ("-W", "--nodes", book, "--node", "steps", "--format", form, *keys)
            done = subprocess.run(
                [sys.executable, "-m", "asyncfind", *line],
                capture_output=True,
                timeout=60,
                check=True,
            )
            found.append(done.stdout.decode("utf-8"))
    name = patient.PatientName.family_name
    assert not name.isascii()
    assert [name in text for text in found] == [True, False]
