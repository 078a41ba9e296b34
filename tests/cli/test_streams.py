"""Closed descriptors, full disks, closed pipes and ignored signals, at every command."""

import subprocess
import sys

import pytest

_ME = f"{sys.executable} -m asyncfind"
_FIND = f"{_ME} -S -k PatientName 127.0.0.1 1"


def _shell(line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_a_closed_descriptor_changes_nothing(closed: str) -> None:
    assert _shell(f"{_FIND} {closed}").returncode == 2
    assert _shell(f"{_ME} echo X@127.0.0.1:1 {closed}").returncode == 2


def test_results_need_somewhere_to_go() -> None:
    done = _shell(f"{_FIND} >&-")
    assert done.returncode == 1
    assert "standard output is closed" in done.stderr
    assert _shell(f"{_FIND} --output /dev/null >&-").returncode == 2


@pytest.mark.parametrize("command", ["--help", "--version", "find --help", "demo", "echo a:1"])
def test_a_pipe_that_closes_ends_every_command_quietly(command: str) -> None:
    done = _shell(f"set -o pipefail; {_ME} {command} 2>/dev/null | head -c 0; exit $PIPESTATUS")
    assert done.returncode == 141
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["--help", "--version", "demo", "echo 127.0.0.1:1"])
def test_a_full_disk_is_said_so_by_every_command(command: str) -> None:
    done = _shell(f"{_ME} {command} >/dev/full")
    assert done.returncode == 4
    assert "No space left on device" in done.stderr
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr


def test_what_nohup_ignores_stays_ignored() -> None:
    done = _shell(
        "trap '' HUP INT;"
        f" {_ME} -S -k PatientName -ta 2 --node X@127.0.0.1:1 2>/dev/null & "
        "kill -HUP $!; kill -INT $!; wait $!"
    )
    assert done.returncode == 2


def test_a_name_that_no_file_can_have_is_one_clear_line() -> None:
    long = "a" * 300
    done = _shell(f"{_FIND} {long}")
    assert done.returncode == 1
    assert "File name too long" in done.stderr
    done = _shell(f"{_ME} -k PatientID --node X@127.0.0.1:1 {long} 104")
    assert done.returncode == 2  # it can still be the name of a host
    assert "bug" not in done.stderr
