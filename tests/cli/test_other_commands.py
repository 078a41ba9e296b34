"""`echo`, `archive`, `demo` and the help, as processes."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "asyncfind", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def archive() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "asyncfind", "archive", "--port", "0", "--studies", "50"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def _port(archive: "subprocess.Popen[str]") -> str:
    assert archive.stderr is not None
    found = re.search(r"port (\d+);", archive.stderr.readline())
    assert found is not None
    return found[1]


def test_an_archive_answers_until_it_is_interrupted(archive: "subprocess.Popen[str]") -> None:
    port = _port(archive)
    done = _run(
        *("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-aec", "ARCHIVE"),
        *("localhost", port, "--format", "ndjson"),
    )
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["matches"] == 50
    archive.send_signal(signal.SIGINT)
    assert archive.wait(10) == 0


def test_a_port_that_is_taken_is_said_so(archive: "subprocess.Popen[str]") -> None:
    port = _port(archive)
    done = _run("archive", "--port", port, "--studies", "1")
    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1 port {port}" in done.stderr
    assert "Choose another --port" in done.stderr


def test_echo_tells_who_answered(archive: "subprocess.Popen[str]") -> None:
    port = _port(archive)
    good, bad = f"ARCHIVE@127.0.0.1:{port}", "NOBODY@127.0.0.1:1"
    assert _run("echo", good).returncode == 0
    assert _run("echo", bad).returncode == 2
    done = _run("echo", good, bad)
    assert done.returncode == 4
    assert "ok" in done.stdout
    assert "failed" in done.stdout
    assert "connection refused" in done.stderr
    done = _run("echo", good, bad, "--format", "ndjson")
    lines = {line["node"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert lines[good]["status"] == "0000"
    assert lines[good]["echo"] > 0
    assert lines[bad]["status"] is None
    assert "refused" in lines[bad]["error"]


def test_the_demo_asks_three_archives_and_says_what_to_try() -> None:
    done = _run("demo")
    assert done.returncode == 0
    for name in ("NORTH", "SOUTH", "EAST"):
        assert f"{name}: complete" in done.stdout
    assert "asyncfind archive --port 11112" in done.stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([], "Without a command name, `find` runs"),
        (["--help"], "Without a command name, `find` runs"),
        (["find", "--help"], "--propose-uncompr"),
        (["find"], "--propose-uncompr"),
        (["-k", "PatientID", "-h"], "--propose-uncompr"),
        (["echo", "--help"], "--acse-timeout"),
        (["archive", "-h"], "--max-associations"),
        (["--version"], "asyncfind, version"),
    ],
)
def test_help_goes_to_standard_output(line: list[str], words: str) -> None:
    done = _run(*line)
    assert (done.returncode, done.stderr) == (0, "")
    assert words in done.stdout


def test_help_does_without_the_rooms_that_find_needs() -> None:
    code = (
        "import sys\nfrom asyncfind.cli.app import _run\n_run(['find', '--help'])\n"
        "print([name for name in ('pydicom', 'rich', 'anyio') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
