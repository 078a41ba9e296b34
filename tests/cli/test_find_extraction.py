"""Responses as files through the command line: all of them, or a clear word about what is not."""

import errno
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import STUDIES, Hall, Run, command, environment, run
from pydicom import dcmread

from asyncfind.errors import OutputFailed
from asyncfind.render.answer_files import open_files
from asyncfind.scp import script
from asyncfind.scp.answers import Answers
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace

_SLOW = 10


def _extract(hall: Hall, folder: Path, *arguments: str | Path, count: int = 3) -> Run:
    port = hall.serve(Server(Answers(count)))
    return run(*STUDIES, *arguments, "localhost", port, cwd=folder)


def _names(folder: Path) -> list[str]:
    """What is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def _numbered(suffix: str, *numbers: int) -> list[str]:
    return [f"rsp{number:04d}.{suffix}" for number in numbers]


@pytest.mark.parametrize("option", ["-X", "--extract"])
@pytest.mark.parametrize("syntax", ["-x=", "-xb", "-xi", "-xd"])
def test_dicom_files(hall: Hall, tmp_path: Path, option: str, syntax: str) -> None:
    done = _extract(hall, tmp_path, option, syntax)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Find Response: ") == 3  # shown besides
    assert _names(tmp_path) == _numbered("dcm", 1, 2, 3)
    for number, name in enumerate(_names(tmp_path), 1):
        file = dcmread(tmp_path / name)
        assert file.AccessionNumber == f"A{number:010d}"
        assert file.PatientName == "Merriweather^Florence"
        assert (tmp_path / name).read_bytes()[:132] == bytes(128) + b"DICM"


@pytest.mark.parametrize("option", ["-Xx", "--extract-xml"])
def test_xml_files(hall: Hall, tmp_path: Path, option: str) -> None:
    assert _extract(hall, tmp_path, option).returncode == 0
    assert _names(tmp_path) == _numbered("xml", 1, 2, 3)
    root = ElementTree.parse(tmp_path / "rsp0002.xml").getroot()
    assert root.findtext("element[@tag='0008,0050']") == "A0000000002"


@pytest.mark.parametrize("option", ["-Xs", "--extract-xml-single"])
def test_one_xml_file_of_all_queries(hall: Hall, tmp_path: Path, option: str) -> None:
    assert _extract(hall, tmp_path, option, "all.xml", "--repeat", "2").returncode == 0
    assert _names(tmp_path) == ["all.xml"]
    root = ElementTree.parse(tmp_path / "all.xml").getroot()
    assert (root.tag, root.get("type"), len(root.findall("data-set"))) == ("responses", "C-FIND", 6)


def test_numbers_run_on_over_queries_and_archives(hall: Hall, tmp_path: Path) -> None:
    nodes = [f"--node=A{n}@localhost:{hall.serve(Server(Answers(2)))}" for n in range(3)]
    done = run(*STUDIES, "-X", *nodes, "--repeat", "2", cwd=tmp_path)
    assert done.returncode == 0
    assert _names(tmp_path) == _numbered("dcm", *range(1, 13))


@pytest.mark.parametrize("option", ["-od", "--output-directory"])
def test_another_folder(hall: Hall, tmp_path: Path, option: str) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    for kind in (("-X",), ("-Xx",), ("-Xs", "all.xml")):
        assert _extract(hall, tmp_path, *kind, option, folder).returncode == 0
    numbered = (*_numbered("dcm", 1, 2, 3), *_numbered("xml", 1, 2, 3))
    assert _names(folder) == ["all.xml", *sorted(numbered)]
    elsewhere = tmp_path / "absolute.xml"
    assert _extract(hall, tmp_path, "-Xs", elsewhere, option, folder).returncode == 0
    assert elsewhere.exists()


@pytest.mark.parametrize("option", ["-Xlo", "--limit-output"])
def test_no_more_files_than_wanted(hall: Hall, tmp_path: Path, option: str) -> None:
    done = _extract(hall, tmp_path, "-X", option, "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Find Response: ") == 3
    assert _names(tmp_path) == _numbered("dcm", 1, 2)
    assert _extract(hall, tmp_path, "-Xs", "all.xml", option, "1").returncode == 0
    assert (tmp_path / "all.xml").read_text().count("<data-set ") == 1


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("-X", "-Xx"), _numbered("xml", 1, 2, 3)),
        (("-Xx", "-Xs", "a.xml"), ["a.xml"]),
        (("-Xs", "a.xml", "-X"), _numbered("dcm", 1, 2, 3)),
    ],
)
def test_the_rightmost_kind_counts(
    hall: Hall, tmp_path: Path, options: tuple[str, ...], names: list[str]
) -> None:
    assert _extract(hall, tmp_path, *options).returncode == 0
    assert _names(tmp_path) == names


def test_a_full_disk_is_said_so_and_what_helps(hall: Hall, tmp_path: Path) -> None:
    done = _extract(hall, tmp_path, "-Xs", "/dev/full")
    assert done.returncode == 4
    assert "cannot write /dev/full: No space left on device" in done.stderr
    assert "Free some space, or write somewhere else with -Xs." in done.stderr
    assert "--output" not in done.stderr


def test_a_full_folder_is_said_so_and_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = open_files(str(tmp_path), "dcm", limit=None, overwrite=False)

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputFailed, match=r"rsp0001\.dcm: No space left") as caught:
        sink.write(b"answer")
    assert "with --output-directory." in caught.value.hint
    sink.abandon()
    assert _names(tmp_path) == []


@pytest.mark.parametrize("option", ["-sr", "--hide-responses"])
def test_files_only(hall: Hall, tmp_path: Path, option: str) -> None:
    done = _extract(hall, tmp_path, "-X", option, "-v")
    assert (done.returncode, done.stdout) == (0, "")
    assert "3 matches from 1 node" in done.stderr
    assert len(_names(tmp_path)) == 3


def test_files_are_shown_and_counted_beside_a_results_file(hall: Hall, tmp_path: Path) -> None:
    done = _extract(hall, tmp_path, "-X", "--output", "r.csv", "--format", "csv", "+sr", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 4
    assert _names(tmp_path) == ["r.csv", *_numbered("dcm", 1, 2, 3)]


# Never overwrites.


@pytest.mark.parametrize(
    ("options", "name"),
    [(("-X",), "rsp0002.dcm"), (("-X", "-Xlo", "2"), "rsp0002.dcm"), (("-Xx",), "rsp0017.xml"),
     (("-Xs", "all.xml"), "all.xml")],
)  # fmt: skip
def test_what_is_there_stays_unless_said_otherwise(
    hall: Hall, tmp_path: Path, options: tuple[str, ...], name: str
) -> None:
    server = Server(Answers(3))
    port = hall.serve(server)
    (tmp_path / name).write_text("precious")
    line = (*STUDIES, *options, "localhost", port)
    done = run(*line, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{name} exists" in done.stderr
    assert "--extract-overwrite" in done.stderr
    assert (tmp_path / name).read_text() == "precious"
    assert _names(tmp_path) == [name]
    assert server.counters.connections == 0  # nothing was sent
    done = run(*line, "--extract-overwrite", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ((tmp_path / name).read_text("latin-1") == "precious") == (name == "rsp0017.xml")


def test_files_of_the_other_kind_or_beyond_the_limit_are_no_obstacle(
    hall: Hall, tmp_path: Path
) -> None:
    for name in ("rsp0001.xml", "rsp0003.dcm"):
        (tmp_path / name).write_text("precious")
    assert _extract(hall, tmp_path, "-X", "-Xlo", "2").returncode == 0
    assert _names(tmp_path) == sorted(["rsp0001.xml", *_numbered("dcm", 1, 2, 3)])
    assert (tmp_path / "rsp0003.dcm").read_text() == "precious"


def test_a_file_that_comes_up_meanwhile_is_not_replaced(hall: Hall, tmp_path: Path) -> None:
    port = hall.serve(Server(Answers(4), pace=Pace(response=0.4)))
    line = command(*STUDIES, "-X", "--format", "ndjson", "localhost", port)
    with subprocess.Popen(
        line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + _SLOW
        while not (tmp_path / "rsp0001.dcm").exists():
            assert time.monotonic() < deadline
        (tmp_path / "rsp0003.dcm").write_text("precious")
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 4
    assert (tmp_path / "rsp0003.dcm").read_text() == "precious"
    assert _names(tmp_path) == _numbered("dcm", 1, 2, 3)
    kinds = [json.loads(text)["kind"] for text in stdout.splitlines()]
    assert kinds.count("match") == 4  # the results are shown all the same
    assert stderr.count("rsp0003.dcm exists") == 1
    assert "2 of 4 answers are in no file" in stderr


# Never loses a file in silence.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-X", "-od", "none"), "cannot write to none: No such file or directory"),
        (("-Xx", "-od", "file"), "cannot write to file: Not a directory"),
        (("-X", "-od", "link"), "link is a symbolic link"),
        (("-X", "-od", "/proc"), "cannot write to /proc"),
        (("-Xs", "none/all.xml"), "cannot write to none"),
        (("-Xs", "/proc/all.xml", "-od", "."), "/proc"),
        (("-Xs", "folder"), "folder is a folder"),
        (("-Xs", "folder/"), "folder/ is a folder"),
        (("-Xs", ""), "-Xs names no file"),
        (("-X", "-od", ""), "-od names no folder"),
        (("-Xlo", "2"), "--limit-output without -X, -Xx or -Xs"),
        (("-od", "folder"), "--output-directory without -X, -Xx or -Xs"),
        (("--extract-overwrite",), "--extract-overwrite without -X, -Xx or -Xs"),
        (("-X", "-Xlo", "0"), "--limit-output"),
    ],
)
def test_what_cannot_be_written_is_known_before_anything_is_sent(
    hall: Hall, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    before = _names(tmp_path)
    server = Server(Answers(3))
    done = run(*STUDIES, *options, "localhost", hall.serve(server), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert server.counters.connections == 0
    assert _names(tmp_path) == before
    assert _names(tmp_path / "folder") == []


@pytest.mark.parametrize(
    ("options", "limit", "path"),
    [
        (("-Xs", "/dev/full"), None, "/dev/full"),
        (("-Xs", "all.xml"), 4096, "all.xml"),
        (("-X",), 300, "rsp0001.dcm"),
        (("-Xx",), 300, "rsp0001.xml"),
    ],
)
def test_a_full_disk_ends_the_files_and_not_the_results(
    hall: Hall, tmp_path: Path, options: tuple[str, ...], limit: int | None, path: str
) -> None:
    """A process may write files up to a limit only: what it writes beyond is refused as when a
    disk is full. /dev/full always is."""
    port = hall.serve(Server(Answers(20)))
    line = command(*STUDIES, *options, "--format", "ndjson", "localhost", port)
    if limit is not None:
        line = ["prlimit", f"--fsize={limit}", *line]
    done = subprocess.run(
        line, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    lines = [json.loads(text) for text in done.stdout.splitlines()]
    assert done.returncode == 4, done.stderr
    assert [line["kind"] for line in lines].count("match") == 20
    assert lines[-2]["verdict"] == "cut"
    reason = "No space left on device" if limit is None else "File too large"
    assert done.stderr.count(f"cannot write {path}: {reason}") == 1
    assert done.stderr.count(path) == 1
    assert "of 20 answers are in no file" in done.stderr
    assert _names(tmp_path) == []  # nothing half-written


def test_one_archive_after_another_is_told_of_the_full_disk_once(
    hall: Hall, tmp_path: Path
) -> None:
    nodes = [f"--node=A{n}@localhost:{hall.serve(Server(Answers(2)))}" for n in range(2)]
    done = run(*STUDIES, "-Xs", "/dev/full", *nodes, "--repeat", "3", cwd=tmp_path)
    assert done.returncode == 4
    assert done.stdout.count("Find Response: ") == 12
    for n in range(2):
        first, later = (line for line in done.stderr.splitlines() if f": A{n}@" in line)
        assert "No space left" in first
        assert "2 more queries: cannot write /dev/full" in later


def test_an_interruption_leaves_whole_files(hall: Hall, tmp_path: Path) -> None:
    port = hall.serve(Server(Answers(10**6), pace=Pace(response=0.05)))
    line = command(*STUDIES, "-Xs", "all.xml", "--format", "ndjson", "localhost", port)
    with subprocess.Popen(
        line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert _names(tmp_path) == ["all.xml"]
    text = (tmp_path / "all.xml").read_text()
    assert "<!-- incomplete: the run was interrupted -->" in text
    ElementTree.fromstring(text)


def test_a_query_that_fails_keeps_the_files_it_had(hall: Hall, tmp_path: Path) -> None:
    server = Server(Answers(5), scripts=script.always(script.aborts_after(2)))
    done = run(*STUDIES, "-X", "localhost", hall.serve(server), cwd=tmp_path)
    assert done.returncode == 4
    assert _names(tmp_path) == _numbered("dcm", 1, 2)
    assert "abort" in done.stderr


def test_a_pipe_or_a_device_is_written_as_it_is(hall: Hall, tmp_path: Path) -> None:
    done = _extract(hall, tmp_path, "-Xs", "/dev/stdout", "-sr")
    assert done.returncode == 0
    assert len(ElementTree.fromstring(done.stdout).findall("data-set")) == 3
    assert _names(tmp_path) == []
