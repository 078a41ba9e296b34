"""`asyncfind nodes`: what it prints, what it writes, and how it ends."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncfind.book.nodebook import NodeBook
from asyncfind.cli.book import nodes
from asyncfind.errors import InvalidRequest

BOOK = """\
# Ours.
[defaults]
calling = "WORKSTATION"
max_associations = 2

[node.north]
host = "north.example"
port = 104
called = "NORTH"
groups = ["ring"]
rate = "300/min"
between = ["20:00-06:00", "12:00-13:00"]
quirks = ["no-cancel"]
load = "never"
tls = "bcp195"
tls_ca = "ca.pem"
user = "jan"
passcode = "env:ASYNCFIND_NORTH"

[node.south]
host = "192.0.2.1"
port = 11112
max_associations = 1
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "nodes.toml"
    path.write_text(BOOK, encoding="utf-8")
    return path


def _call(*line: str) -> object:
    return nodes.main([str(one) for one in line], standalone_mode=False)


def test_the_list_has_a_line_for_each_node(
    book: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert _call("list", "--nodes", str(book)) == 0
    out = capsys.readouterr().out
    north, south = (" ".join(line.split()) for line in out.splitlines() if "th " in line)
    assert north == (
        "north NORTH@north.example:104 WORKSTATION ring bcp195 "
        "≤2 300/min 20:00-06:00 12:00-13:00 load:never no-cancel"
    )
    assert south == "south ANY-SCP@192.0.2.1:11112 WORKSTATION ≤1"


def test_programs_get_the_list_as_json_lines(
    book: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASYNCFIND_NODES", str(book))
    assert _call("list", "south", "@ring", "--format", "ndjson") == 0
    south, north = map(json.loads, capsys.readouterr().out.splitlines())
    assert south == {
        "kind": "node",
        "name": "south",
        "host": "192.0.2.1",
        "port": 11112,
        "called": "ANY-SCP",
        "calling": "WORKSTATION",
        "groups": [],
        "max_associations": 1,
        "rate": None,
        "between": None,
        "charset": None,
        "quirks": None,
        "load": None,
        "tls": None,
        "identity": None,
    }
    assert north["between"] == ["20:00-06:00", "12:00-13:00"]
    assert north["tls"]["ca_files"] == [str(book.parent / "ca.pem")]


def test_show_says_where_secrets_are_and_does_not_read_them(
    book: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASYNCFIND_NORTH", "correct-horse-battery")
    assert _call("show", "north", "--nodes", str(book)) == 0
    out = capsys.readouterr().out
    shown = json.loads(out)
    assert shown["identity"] == {
        "user": "jan",
        "passcode": "env:ASYNCFIND_NORTH",
        "response": False,
    }
    assert shown["rate"] == "300/min"
    assert "correct-horse-battery" not in out


@pytest.mark.parametrize("line", [("show", "nort"), ("list", "nort"), ("check", "nort")])
def test_a_node_that_is_not_there_has_neighbours(book: Path, line: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="no node 'nort'") as caught:
        _call(*line, "--nodes", str(book))
    assert "Did you mean north" in caught.value.hint


def test_an_empty_book_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASYNCFIND_NODES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for command in ("list", "check"):
        with pytest.raises(InvalidRequest, match="is empty") as caught:
            _call(command)
        assert "asyncfind nodes add" in caught.value.hint


def test_add_writes_what_was_said_and_list_reads_it(
    book: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(book.parent)
    pin = "sha256:" + "0f" * 32
    line = "add east EAST@[2001:db8::1]:104 --group ring --group night --calling US --rate 5/s"
    options = "--max-associations 3 --between 20:00-24:00 --charset GBK --quirk row-on-final"
    secured = f"--tls 8996 --tls-ca ours.pem --tls-pin {pin}"
    assert _call(*f"{line} {options} {secured} --nodes nodes.toml".split()) == 0
    assert capsys.readouterr().err == "east (EAST@[2001:db8::1]:104) is in nodes.toml now.\n"
    text = book.read_text(encoding="utf-8")
    assert text.startswith(BOOK)
    assert text.removeprefix(BOOK) == (
        '\n[node.east]\nhost = "2001:db8::1"\nport = 104\ncalled = "EAST"\ncalling = "US"\n'
        'groups = ["ring", "night"]\nmax_associations = 3\nrate = "5/s"\n'
        'between = ["20:00-24:00"]\ncharset = ["GBK"]\nquirks = ["row-on-final"]\n'
        f'tls = "8996"\ntls_ca = ["{book.parent / "ours.pem"}"]\ntls_pin = "{pin}"\n'
    )
    assert NodeBook.load(book).nodes["east"].calling == "US"


def test_add_begins_a_book_where_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ASYNCFIND_NODES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert _call("add", "a", "h:104") == 0
    assert _call("show", "a") == 0
    assert json.loads(capsys.readouterr().out)["port"] == 104


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("north h:1", "'north' already"),
        ("x h", "not of the form"),
        ("x h:0", "no TCP port"),
        ("../x h:1", "names have"),
        ("x h:1 --rate fast", "write a rate"),
        ("x h:1 --quirk slow", "one of no-universal-wildcard"),
        ("x h:1 --tls 8996", "whose certificate"),
        ("x h:1 --max-associations 257", "from 1 to 256"),
    ],
)
def test_what_cannot_be_a_node_is_not_added(book: Path, line: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        _call("add", *line.split(), "--nodes", str(book))
    assert book.read_text(encoding="utf-8") == BOOK


# --- check, as a process: it runs an event loop of its own ---

_MAIN = (
    "import sys\nfrom asyncfind.cli.book import nodes\nfrom asyncfind.cli.app import _explain\n"
    "try:\n    code = nodes.main(sys.argv[1:], standalone_mode=False)\n"
    "except Exception as exc:\n    code = _explain(exc)\nsys.exit(code)"
)


def _check(book: Path, *line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", _MAIN, "check", *line, "--nodes", str(book)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def port() -> Iterator[str]:
    command = [sys.executable, "-m", "asyncfind", "archive", "--port", "0", "--studies", "1"]
    with subprocess.Popen(
        [*command, "--aet", "NORTH", "--check-called"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"port (\d+);", process.stderr.readline())
            assert found is not None
            yield found[1]
        finally:
            process.terminate()


def test_check_tells_who_answers(tmp_path: Path, port: str) -> None:
    book = tmp_path / "nodes.toml"
    entry = 'host = "127.0.0.1"\nport = {}\ncalled = "{}"\ngroups = ["{}"]\n'
    book.write_text(
        f"[node.good]\n{entry.format(port, 'NORTH', 'up')}\n"
        f"[node.stranger]\n{entry.format(port, 'SOUTH', 'down')}\n"
        f"[node.gone]\n{entry.format(1, 'NORTH', 'down')}\n",
        encoding="utf-8",
    )
    done = _check(book, "good")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"good +ok +[\d.]+ ms", done.stdout)
    done = _check(book, "@down")
    assert done.returncode == 2
    assert "gone: connection refused" in done.stderr
    done = _check(book, "--format", "ndjson")
    assert done.returncode == 4
    lines = {line["node"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {name: line["status"] for name, line in lines.items()} == {
        "good": "0000",
        "stranger": None,
        "gone": None,
    }
    assert "Called AE Title" in lines["stranger"]["error"]


def test_what_cannot_be_set_up_sends_nothing(book: Path) -> None:
    done = _check(book, "north")
    assert done.returncode == 1
    assert "node north, passcode: the variable ASYNCFIND_NORTH is not set" in done.stderr
    text = BOOK.replace('user = "jan"\npasscode = "env:ASYNCFIND_NORTH"\n', "")
    book.write_text(text, encoding="utf-8")
    done = _check(book, "north")
    assert done.returncode == 1
    assert "node north:" in done.stderr
    assert "ca.pem" in done.stderr
