"""`asyncfind echo` as users run it: what it says besides the table, and its help."""

import json
from pathlib import Path
from typing import Final

import pytest
from certificates import Authority, server
from commands import Hall, run

from asyncfind.scp import script
from asyncfind.scp.answers import Answers
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.server import Server

_ROOT: Final = Authority()


def _secured(hall: Hall, folder: Path, *, ends: float = 60) -> tuple[str, str]:
    """Node and CA file of an acceptor that speaks TLS."""
    context = server(_ROOT.issue(ends=ends), folder)
    port = hall.serve(Server(Answers(1), tls=context))
    return f"localhost:{port}", _ROOT.write(folder / "ca.pem")


def test_verbose_tells_of_the_certificate(hall: Hall, tmp_path: Path) -> None:
    node, ca = _secured(hall, tmp_path)
    line = ("echo", "+tla", "+cf", ca, node)
    assert run(*line).stderr == ""
    for option in ("-v", "-d"):
        told = [one for one in run(*line, option).stderr.splitlines() if not one.startswith("D:")]
        assert len(told) == 1
        assert told[0].startswith(f"asyncfind: ANY-SCP@{node}: TLSv1.3, TLS_AES_256_GCM_SHA384; ")
        assert "certificate of O=Invented Hospital, CN=localhost, issued by " in told[0]
        assert told[0].endswith(".")


def test_a_certificate_that_expires_soon_is_told_in_any_case(hall: Hall, tmp_path: Path) -> None:
    node, ca = _secured(hall, tmp_path, ends=9.5)
    (told,) = run("echo", "+tla", "+cf", ca, node).stderr.splitlines()
    assert "its certificate expires in 9 days" in told
    assert run("echo", "+tla", "+cf", ca, node, "-q").stderr == ""


def test_verbose_tells_what_came_of_the_identity(hall: Hall) -> None:
    node = f"127.0.0.1:{hall.serve(Server(Answers(1)))}"
    line = ("echo", "--user", "clerk", "--user-rsp", node)
    assert "user name" not in run(*line).stderr
    assert "user name" in run(*line, "-v").stderr


def test_debug_shows_the_traffic_of_each_node(hall: Hall) -> None:
    nodes = [f"127.0.0.1:{hall.serve(Server(Answers(1)))}" for _ in range(2)]
    done = run("echo", *nodes, "-d")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert all(line.startswith("D: ") and line == line.rstrip() for line in lines)
    for node in nodes:
        # A-ASSOCIATE-RQ and -AC, C-ECHO-RQ and -RSP.
        assert lines.count(f"D: Node: ANY-SCP@{node}") == 4
    order = [
        "D: Request Parameters:",
        "D:     Abstract Syntax: =VerificationSOPClass",
        "D: Association Parameters Negotiated:",
        "D: ===================== OUTGOING DIMSE MESSAGE ====================",
        "D: Message Type                  : C-ECHO RQ",
        "D: Message ID                    : 1",
        "D: Affected SOP Class UID        : VerificationSOPClass",
        "D: ===================== INCOMING DIMSE MESSAGE ====================",
        "D: Message Type                  : C-ECHO RSP",
        "D: Message ID Being Responded To : 1",
        "D: DIMSE Status                  : 0x0000: success",
    ]
    at = [lines.index(line) for line in order]
    assert at == sorted(at)


def test_debug_shows_a_rejection(hall: Hall) -> None:
    port = hall.serve(Server(Answers(1), policy=Policy(aet="NORTH", check_called=True)))
    done = run("echo", "-d", f"SOUTH@127.0.0.1:{port}")
    assert done.returncode == 2
    assert "D: Called Application Name:     SOUTH" in done.stderr
    assert "D: Reason: Called AE Title Not Recognized (7)" in done.stderr
    assert "D: " not in run("echo", "-v", f"SOUTH@127.0.0.1:{port}").stderr


def test_debug_shows_what_was_asked_in_vain(hall: Hall) -> None:
    silent = script.always(script.never_answers(script.Moment.ECHO))
    port = hall.serve(Server(Answers(1), scripts=silent))
    done = run("echo", "-d", "-td", "0.2", f"127.0.0.1:{port}")
    assert done.returncode == 4
    assert "D: Message Type                  : C-ECHO RQ" in done.stderr
    assert "C-ECHO RSP" not in done.stderr


def test_results_say_that_a_node_was_not_verified(hall: Hall, tmp_path: Path) -> None:
    node, ca = _secured(hall, tmp_path)
    line = ("echo", node, "--format", "ndjson", "+tla")
    told = json.loads(run(*line, "-ic").stdout)
    assert (told["status"], told["unverified"]) == ("0000", "certificate")
    assert "unverified" not in json.loads(run(*line, "+cf", ca).stdout)


@pytest.mark.parametrize("value", ["--help", "-h"])
def test_help_as_a_value_is_a_value(value: str) -> None:
    done = run("echo", "--format", "ndjson", "-aet", value, "127.0.0.1:1")
    assert done.returncode == 2
    assert "connection refused" in json.loads(done.stdout)["error"]
    assert run("echo", "127.0.0.1:1", "-aet", "X", value).stdout.startswith("Usage: ")
