"""The same questions to DCMTK's dcmqrscp by findscu and by asyncfind: the same answers."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_DATA = Path(__file__).parent / "data"
_CONFIG = """
NetworkTCPPort  = {port}
MaxPDUSize      = 16384
MaxAssociations = {associations}
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRSCP {folder} RW (200, 1024mb) ANY
AETable END
"""


def _program(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"{name} is missing: install the Debian package dcmtk"
    return path


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("dcmqrscp")
    storage = folder / "storage"
    storage.mkdir()
    files = []
    for dump in sorted(_DATA.glob("*.dump")):
        file = storage / f"{dump.stem}.dcm"
        subprocess.run([_program("dump2dcm"), "-q", dump, file], check=True)
        files.append(file)
    subprocess.run([_program("dcmqridx"), storage, *files], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    config = folder / "dcmqrscp.cfg"
    config.write_text(_CONFIG.format(port=number, associations=4, folder=storage))
    with subprocess.Popen(
        [_program("dcmqrscp"), "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _await(number)
            yield number
        finally:
            server.terminate()


def _await(port: int) -> None:
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("dcmqrscp did not start")


def _asyncfind(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "asyncfind", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _elements(text: str) -> list[tuple[str, ...]]:
    """The answers in a dump: for each the tags with their values, padding left out."""
    answers: list[list[str]] = []
    for line in text.splitlines():
        line = line.removeprefix("I: ")
        if line.startswith("# Dicom-Data-Set"):
            answers.append([])
        elif found := re.match(r"(\([0-9a-f]{4},[0-9a-f]{4}\) ..) \[(.*)\] +#", line):
            answers[-1].append(f"{found[1]} {found[2].rstrip(chr(0) + ' ')}")
    return sorted(tuple(answer) for answer in answers)


_QUESTIONS = {
    "patient": ("-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID", "-k", "PatientName"),
    "study": ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "StudyDate"),
    "wildcard": ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=TEST*"),
    "psonly": ("-O", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=*", "-k", "StudyID"),
    "nothing": ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=NOBODY"),
}


@pytest.mark.parametrize("question", _QUESTIONS)
@pytest.mark.parametrize("syntax", ["-x=", "-xi", "-xb"])
def test_findscu_and_asyncfind_get_the_same_answers(port: int, question: str, syntax: str) -> None:
    line = [*_QUESTIONS[question], syntax, "-aec", "QRSCP", "127.0.0.1", str(port)]
    theirs = subprocess.run(
        [_program("findscu"), *line], capture_output=True, timeout=60, check=False
    )
    ours = _asyncfind(*line)
    expected = _elements(theirs.stderr.decode("latin-1"))
    assert bool(expected) == (question != "nothing")
    assert _elements(ours.stdout) == expected
    assert (ours.returncode, ours.stderr) == (0, "")


def test_json_lines_keep_the_contract(port: int) -> None:
    done = _asyncfind(
        *_QUESTIONS["study"], "-aec", "QRSCP", "127.0.0.1", str(port),
        "--format", "ndjson", "--repeat", "3", "--node", "QRSCP@127.0.0.1:1",
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    good = f"QRSCP@127.0.0.1:{port}"
    dones = [line for line in lines if line["kind"] == "done"]
    assert done.returncode == 4
    assert sorted(line["repeat"] for line in dones if line["node"] == good) == [1, 2, 3]
    assert {line["verdict"] for line in dones if line["node"] == good} == {"complete"}
    unreached = [line for line in dones if line["node"] != good]
    assert [line["verdict"] for line in unreached] == ["unreached"] * 3
    assert all(line["status"] is None and "refused" in line["error"] for line in unreached)
    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["exit"] == 4
    for one in dones:
        if one["node"] == good:
            matches = [
                line["number"]
                for line in lines
                if line["kind"] == "match" and line["repeat"] == one["repeat"]
            ]
            assert matches == list(range(1, one["matches"] + 1)) != []


def test_an_archive_that_knows_no_worklist_is_exit_2_with_advice(port: int) -> None:
    done = _asyncfind("-W", "-k", "PatientName", "-aec", "QRSCP", "127.0.0.1", str(port))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "does not accept Modality Worklist" in done.stderr
    assert "Ask with another information model" in done.stderr


def test_more_associations_than_granted_still_ask_everything(port: int) -> None:
    done = _asyncfind(
        *_QUESTIONS["study"], "-aec", "QRSCP", "127.0.0.1", str(port),
        "--repeat", "20", "--associations", "12", "--format", "ndjson",
    )  # fmt: skip
    summary = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert summary["verdicts"] == {"complete": 20}


def test_a_wrong_key_is_refused_before_anything_is_sent() -> None:
    done = _asyncfind("-k", "PatientNam=X", "127.0.0.1", "1")
    assert done.returncode == 1
    assert "Did you mean PatientName" in done.stderr
