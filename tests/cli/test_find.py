"""`asyncfind find` as a process: pipes, signals, memory, exit codes, messages."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SERVER = """
import sys, anyio
from asyncfind.scp.answers import Answers
from asyncfind.scp.server import Server

async def main():
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(Server(Answers(int(sys.argv[1]))).serve)
        print(port, flush=True)

anyio.run(main)
"""
# The kernel's peak of a process as its parent sees it, `ru_maxrss`, is inherited from the parent;
# that of its memory, VmHWM, is its own, but gone with it.
_MEASURED = """
import atexit, runpy, sys
from pathlib import Path

told = Path(sys.argv.pop(1))
atexit.register(lambda: told.write_text(Path("/proc/self/status").read_text()))
runpy.run_module("asyncfind", run_name="__main__", alter_sys=True)
"""
_QUERY = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName")
_ENDLESS = 10**9


@pytest.fixture(params=[_ENDLESS])
def port(request: pytest.FixtureRequest) -> Iterator[str]:
    """A peer in a process of its own that answers every query so many times."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(request.param)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def _start(*arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "asyncfind", *arguments], **options)


def _run(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "asyncfind", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.parametrize("format_name", ["text", "ndjson"])
@pytest.mark.parametrize("port", [60_000], indirect=True)
def test_a_long_answer_streams_with_flat_memory(
    port: str, format_name: str, tmp_path: Path
) -> None:
    told = tmp_path / "status"
    with subprocess.Popen(
        [
            *(sys.executable, "-c", _MEASURED, str(told)),
            *(*_QUERY, "localhost", port, "--format", format_name),
        ],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        seen = 0
        mark = b"Find Response" if format_name == "text" else b'"kind":"match"'
        for line in process.stdout:
            seen += mark in line
    assert (process.returncode, seen) == (0, 60_000)
    peak = re.search(r"VmHWM:\s+(\d+) kB", told.read_text())
    assert peak is not None
    assert int(peak[1]) < 100 * 1024


@pytest.mark.parametrize("format_name", ["text", "ndjson", "csv", "table", "json"])
def test_a_reader_that_leaves_ends_the_run_quietly(port: str, format_name: str) -> None:
    with _start(
        *(*_QUERY, "localhost", port, "--format", format_name),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(10) == 141


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_shows_what_came_and_ends_with_130(
    port: str, number: signal.Signals, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with (
        results.open("wb") as stdout,
        _start(
            *(*_QUERY, "localhost", port, "--format", "ndjson", "--repeat", "3"),
            *("--associations", "1"),
            stdout=stdout,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        while results.stat().st_size < 100_000:
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    dones = [line for line in lines if line["kind"] == "done"]
    assert [line["verdict"] for line in dones] == ["cancelled", "skipped", "skipped"]
    assert dones[0]["matches"] == sum(line["kind"] == "match" for line in lines) > 0
    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["exit"] == 130


def test_a_blocked_pipe_does_not_hold_the_prompt_back(port: str) -> None:
    with _start(*_QUERY, "localhost", port, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)  # and no more: the pipe fills
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


@pytest.mark.parametrize("port", [3], indirect=True)
def test_an_output_file_appears_whole(port: str, tmp_path: Path) -> None:
    file = tmp_path / "studies.json"
    done = _run(*_QUERY, "localhost", port, "--format", "json", "--output", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["studies.json"]
    assert len(json.loads(file.read_text())["queries"][0]["matches"]) == 3


@pytest.mark.parametrize("port", [100_000], indirect=True)
def test_a_full_disk_is_said_so_and_is_exit_4(port: str) -> None:
    done = _run(*_QUERY, "localhost", port, "--output", "/dev/full")
    assert done.returncode == 4
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--bogus"], "unknown option --bogus"),
        (["-k", "PatientNam=X", "localhost", "104"], "Did you mean PatientName"),
        (["-k"], "option -k needs a value"),
        (["localhost"], "missing parameter port"),
        (["localhost", "104"], "neither query file nor key"),
        (["-k", "PatientID", "localhost", "port"], "'port' is no TCP port"),
        (["localhost", "104", "nofile.dcm"], "nofile.dcm"),
        (["localhost", "104", "."], "query file ."),
        (["-k", "PatientID", "-pdu", "1", "localhost", "104"], "--max-pdu"),
        (["-k", "PatientID", "-to", "soon", "localhost", "104"], "no number of seconds"),
        (["-k", "PatientID", "--model", "studdy", "localhost", "104"], "Did you mean study"),
        (["-k", "PatientID", "+cl", "5", "localhost", "104"], "only allowed with"),
        (["-k", "PatientID", "--format", "yaml", "localhost", "104"], "--format"),
        (["-k", "PatientID", "-aec", "SEVENTEEN-LETTERS", "localhost", "104"], "AE title"),
        (["-k", "PatientID", "--node", "nowhere"], "AET@HOST:PORT"),
        (["-k", "PatientID", "localhost", "104", "--output", "/no/such/x"], "/no/such"),
        (["@no-such-file"], "cannot open command file"),
        (["echo"], "no node to ask"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(
    line: list[str], words: str, tmp_path: Path
) -> None:
    done = _run(*line, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.startswith("asyncfind: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["no-such-host.invalid", "104"], "cannot be resolved"),
        (["127.0.0.1", "1"], "connection refused"),
    ],
)
def test_an_archive_that_is_not_there_is_exit_2(line: list[str], words: str) -> None:
    done = _run(*_QUERY, *line)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (bytes(range(256)), "not DICOM"),
    ],
)
def test_a_port_of_something_else_is_said_so(reply: bytes, words: str) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        done = _run(*_QUERY, "127.0.0.1", str(listener.getsockname()[1]))
        thread.join()
    assert (done.returncode, done.stdout) == (2, "")
    assert words.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
