"""`asyncfind nodes check --probe`: what it shows and writes, and what later queries make of it."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from asyncfind.book.nodebook import NodeBook
from asyncfind.book.profile import Fact, profile_path, write_profile

_RUN = (sys.executable, "-m", "asyncfind")
_ENTRY = 'host = "127.0.0.1"\nport = {port}\ncalled = "NORTH"\nrate = "500/s"\n'
_STUDIES = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """An archive that cuts at 90 matches."""
    options = ("--port", "0", "--studies", "400", "--aet", "NORTH", "--row-limit", "90")
    with subprocess.Popen([*_RUN, "archive", *options], stderr=subprocess.PIPE, text=True) as one:
        try:
            assert one.stderr is not None
            found = re.search(r"port (\d+);", one.stderr.readline())
            assert found is not None
            yield int(found[1])
        finally:
            one.send_signal(signal.SIGTERM)


@pytest.fixture
def book(tmp_path: Path, port: int) -> Path:
    path = tmp_path / "nodes.toml"
    path.write_text(f"[node.north]\n{_ENTRY.format(port=port)}", encoding="utf-8")
    return path


def _call(*line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*_RUN, *line], capture_output=True, text=True, timeout=60, check=False)


def _check(book: Path, *line: str) -> "subprocess.CompletedProcess[str]":
    return _call("nodes", "check", *line, "--nodes", str(book))


def test_a_probe_says_what_it_asks_shows_what_it_found_and_writes_it(book: Path) -> None:
    done = _check(book, "north", "--probe")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0].startswith("asyncfind: north: about 60 queries, at most 500/s")
    assert lines[-1].endswith(f"written to {profile_path(book)}")
    assert re.search(r"row_limit +90 *\n", done.stdout)
    assert re.search(r"one-find-per-association +no *\n", done.stdout)
    assert "a range that has" in done.stdout
    assert "keys.study.refused" not in done.stdout
    text = profile_path(book).read_text(encoding="utf-8")
    assert 'name = "row_limit"\nvalue = 90\n' in text
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_later_queries_know_the_row_limit(book: Path) -> None:
    find = (*_STUDIES, "--nodes", str(book), "--node", "north", "--format", "ndjson")
    assert _verdicts(_call("-S", *find)) == ["complete"]  # 90 looks like nobody's limit
    assert _check(book, "north", "--probe").returncode == 0
    done = _call("-S", *find)
    assert (_verdicts(done), done.returncode) == (["cut"], 4)
    # The book goes before what was found out.
    book.write_text(book.read_text(encoding="utf-8") + "row_limit = 1000\n", encoding="utf-8")
    done = _call("-S", *find)
    assert (_verdicts(done), done.returncode) == (["complete"], 0)


def _verdicts(done: "subprocess.CompletedProcess[str]") -> list[str]:
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line["verdict"] for line in lines if line["kind"] == "done"]


def test_later_queries_go_along_with_quirks(book: Path) -> None:
    fact = Fact(name="quirk.no-wildcard-in-dates", value=True, evidence="seen")
    write_profile(book, NodeBook.load(book).nodes["north"], [fact])
    find = (*_STUDIES, "--nodes", str(book), "--node", "north")
    done = _call("-S", *find, "-k", "StudyInstanceUID=1.2.*")
    assert (done.returncode, done.stdout) == (1, "")
    assert "StudyInstanceUID: a wildcard, which north does not take there" in done.stderr
    assert _call("-S", *find, "-k", "StudyInstanceUID=*").returncode == 0


@pytest.mark.parametrize("form", ["--json", "--format=ndjson"])
def test_programs_get_the_facts_as_json(book: Path, form: str) -> None:
    done = _check(book, "north", "--probe-associations", form)
    assert done.returncode == 0
    shown = json.loads(done.stdout)
    (probed,) = shown if form == "--json" else [shown]
    assert (probed["kind"], probed["node"], probed["stopped"]) == ("probe", "north", None)
    facts = {fact["name"]: fact for fact in probed["facts"]}
    assert facts["row_limit"]["value"] == 90
    assert facts["associations"]["value"] == 8
    assert facts["keys.study.ignored"]["value"] == []
    assert all(fact["evidence"] and fact["date"] for fact in facts.values())
    shown = json.loads(_call("nodes", "show", "north", "--nodes", str(book)).stdout)
    assert shown["profile"]["row_limit"]["value"] == 90


def test_the_book_s_cap_on_associations_holds(book: Path) -> None:
    book.write_text(book.read_text(encoding="utf-8") + "max_associations = 2\n", encoding="utf-8")
    done = _check(book, "north", "--probe-associations", "--json")
    facts = {fact["name"]: fact["value"] for fact in json.loads(done.stdout)[0]["facts"]}
    assert facts["associations"] == 2


def test_an_archive_that_is_in_no_book_is_shown_and_not_written(book: Path, port: int) -> None:
    done = _check(book, f"NORTH@127.0.0.1:{port}", "--probe", "--format", "ndjson")
    assert done.returncode == 0
    assert json.loads(done.stdout)["node"] == f"NORTH@127.0.0.1:{port}"
    assert not profile_path(book).exists()


def test_a_probe_that_cannot_begin_or_go_on_says_so(book: Path, port: int) -> None:
    text = book.read_text(encoding="utf-8")
    book.write_text(
        text + f"[node.gone]\n{_ENTRY.format(port=1)}"
        f'[node.closed]\n{_ENTRY.format(port=port)}between = "{_other_hours()}"\n',
        encoding="utf-8",
    )
    done = _check(book, "gone", "--probe")
    assert done.returncode == 2
    assert "gone: stopped: connection refused" in done.stderr
    done = _check(book, "closed", "north", "--probe")
    assert done.returncode == 4
    assert "closed: stopped: it is not to be asked at this hour" in done.stderr
    assert list(NodeBook.load(book).profiles) == ["north"]


def _other_hours() -> str:
    now = datetime.now().astimezone()
    start, end = (now + timedelta(hours=hours) for hours in (6, 8))
    return f"{start:%H}:00-{end:%H}:00"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("--probe",), "--probe names no node"),
        (("--probe-associations",), "--probe names no node"),
        (("north", "--json"), "--json without --probe"),
        (("nort", "--probe"), "no node 'nort'"),
    ],
)
def test_what_makes_no_sense_sends_nothing(book: Path, line: tuple[str, ...], words: str) -> None:
    done = _check(book, *line)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert not profile_path(book).exists()
