"""Is it all? Silent limits from the command line: suspected, known, and split with proof."""

import csv
import io
import json
import signal
import subprocess
import threading
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest
from commands import STUDIES, Hall, Run, command, environment, run
from jsonschema import Draft202012Validator

import asyncfind.render
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import TransferSyntax
from asyncfind.query.writer import write_item
from asyncfind.scp.answers import Response
from asyncfind.scp.find import Archive, QueryRefused
from asyncfind.scp.server import Server
from asyncfind.scp.store import Store

_SCHEMAS: Final = Path(asyncfind.render.__file__).parent / "schema"
_COUNT: Final = 2600
_UNDATED: Final = 31
_SHOWN: Final = {"00080005", "00080052", "00080054", "0020000D"}
"""What was asked for, and what the archive adds by itself."""


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """2,600 studies over eight years, 31 without date and time."""
    with Store.generate(_COUNT, 3) as store:
        store.forget_dates(_UNDATED)
        yield store


class _Source:
    """An archive that cuts at 100 answers.

    Args:
        refuses: it refuses what is more than that, with this status, instead.
        empty: it matches emptiness (PS3.4 Section C.2.2.2.7); else it takes it for everything.
        after: how many queries come before `reached` is set.
    """

    models: Collection[str] = Archive.models

    def __init__(
        self, store: Store, *, refuses: int = 0, empty: bool = True, after: int = 10**9
    ) -> None:
        self._archive = Archive(store, row_limit=None if refuses else 100)
        self._refuses = refuses
        self._empty = empty
        self._after = after
        self.asked = 0
        self.reached = threading.Event()

    def respond(
        self, model_uid: str, identifier: bytes, syntax: TransferSyntax, *, relational: bool = False
    ) -> Iterator[Response]:
        self.asked += 1
        if self.asked == self._after:
            self.reached.set()
        if not self._empty:
            identifier = _without_emptiness(identifier, syntax)
        found = self._archive.respond(model_uid, identifier, syntax, relational=relational)
        if self._refuses:
            first = list(islice((one for one in found if one is not None), 101))
            if len(first) > 100:
                raise QueryRefused("too many matches", status=self._refuses)
            return iter(first)
        return found


def _without_emptiness(identifier: bytes, syntax: TransferSyntax) -> bytes:
    item = read_item(identifier, syntax)
    for tag, element in item.elements.items():
        if isinstance(element.value, bytes) and element.value.strip() == b'""':
            item.elements[tag] = element._replace(value=b"", length=0)
    return write_item(item, syntax)


def _lines(done: Run) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    validator = Draft202012Validator(json.loads((_SCHEMAS / "ndjson.schema.json").read_text()))
    for line in (*lines[:3], *lines[-3:]):
        validator.validate(line)
    return lines


def _uids(lines: Sequence[dict[str, Any]]) -> list[str]:
    return [line["identifier"]["0020000D"]["Value"][0] for line in lines if line["kind"] == "match"]


def _book(folder: Path, port: str, *lines: str) -> str:
    file = folder / "nodes.toml"
    file.write_text("\n".join(["[node.north]", 'host = "127.0.0.1"', f"port = {port}", *lines]))
    return str(file)


def test_a_count_like_a_limit_is_suspect_by_default(hall: Hall, store: Store) -> None:
    port = hall.serve(Server(_Source(store)))
    done = run(*STUDIES, "localhost", port, "--format", "ndjson")
    assert done.returncode == 0
    assert "100 matches look like a limit" in done.stderr
    *matches, end, summary = _lines(done)
    assert len(matches) == 100
    assert (end["verdict"], summary["verdicts"]) == ("suspect", {"suspect": 1})
    assert "coverage" not in end
    told = run(*STUDIES, "localhost", port, "--repeat", "2", "-v", "--format", "csv")
    assert "2 of 2 queries suspect" in told.stderr


@pytest.mark.parametrize("pace", [(), ("--rate", "100/s")])
def test_a_strict_run_fails_over_a_suspect_count(
    hall: Hall, store: Store, pace: Sequence[str]
) -> None:
    port = hall.serve(Server(_Source(store)))
    done = run(*STUDIES, "localhost", port, "--strict", *pace, "--format", "csv")
    assert done.returncode == 4
    assert "100 matches look like a limit" in done.stderr
    assert "1 suspect" in done.stderr


def test_a_known_limit_cuts(hall: Hall, store: Store, tmp_path: Path) -> None:
    port = hall.serve(Server(_Source(store)))
    line = (*STUDIES, "--nodes", _book(tmp_path, port, "row_limit = 100"), "--node", "north")
    done = run(*line, "--format", "ndjson")
    assert done.returncode == 4
    assert "known to cut at 100" in done.stderr
    assert _lines(done)[-2]["verdict"] == "cut"
    # Below the limit nothing is in doubt, however round the number is.
    less = run(*line[:-2], "--node", "north", "-k", "PatientID=P00000*", "--format", "ndjson")
    assert _lines(less)[-2]["verdict"] == "complete"


def test_a_split_query_is_all_there_is_with_a_proof(hall: Hall, store: Store) -> None:
    source = _Source(store)
    port = hall.serve(Server(source))
    done = run(*STUDIES, "localhost", port, "--split", "--strict", "--format", "ndjson")
    assert done.returncode == 0
    lines = _lines(done)
    uids = _uids(lines)
    assert len(uids) == len(set(uids)) == _COUNT
    assert [line["number"] for line in lines[:-2]] == list(range(1, _COUNT + 1))
    assert {tag for line in lines[:-2] for tag in line["identifier"]} == _SHOWN
    end = lines[-2]
    assert (end["verdict"], end["status"], end["matches"]) == ("complete", "0000", _COUNT)
    assert end["coverage"] == {
        "state": "proven",
        "rows": _COUNT,
        "queries": source.asked,
        "row_limit": 100,
        "parts": [{"state": "proven", "rows": _COUNT, "keys": {}}],
    }
    assert f"coverage everything: 2 600 rows, {source.asked} queries, row limit 100" in done.stderr
    assert "proven everything" in done.stderr


def test_keys_that_were_asked_for_are_shown(hall: Hall, store: Store) -> None:
    port = hall.serve(Server(_Source(store)))
    line = (*STUDIES, "-k", "StudyDate=20240101-20251231", "-k", "PatientName", "localhost", port)
    done = run(*line, "--split", "--format", "csv")
    assert done.returncode == 0
    assert "coverage 2024-01-01..2025-12-31: " in done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) > 400
    assert all("20240101" <= row["StudyDate"] <= "20251231" for row in rows)
    assert list(rows[0])[-3:] == ["StudyInstanceUID", "StudyDate", "PatientName"]


def test_a_document_has_the_proof_and_each_query_its_block(hall: Hall, store: Store) -> None:
    port = hall.serve(Server(_Source(store)))
    done = run(*STUDIES, "localhost", port, "--repeat", "2", "--split", "--format", "json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    schema = json.loads((_SCHEMAS / "json.schema.json").read_text())
    Draft202012Validator(schema).validate(document)
    assert [one["count"] for one in document["queries"]] == [_COUNT, _COUNT]
    assert {one["coverage"]["state"] for one in document["queries"]} == {"proven"}


def test_undated_rows_that_cannot_be_asked_are_said(hall: Hall, store: Store) -> None:
    port = hall.serve(Server(_Source(store, empty=False)))
    line = (*STUDIES, "localhost", port, "--split", "--format", "ndjson")
    done = run(*line)
    assert done.returncode == 0
    assert "assumed no StudyDate (rows without a value cannot be asked)" in done.stderr
    end = _lines(done)[-2]
    assert (end["verdict"], end["coverage"]["state"]) == ("suspect", "assumed")
    assert _COUNT - _UNDATED <= end["matches"] <= _COUNT
    assert run(*line, "--strict").returncode == 4


@pytest.mark.parametrize("status", [0xA700, 0xC001])
def test_a_query_refused_as_too_much_is_split(hall: Hall, store: Store, status: int) -> None:
    port = hall.serve(Server(_Source(store, refuses=status)))
    alone = run(*STUDIES, "localhost", port, "--format", "ndjson")
    assert (alone.returncode, _lines(alone)[-2]["verdict"]) == (4, "refused")
    done = run(*STUDIES, "localhost", port, "--split", "--format", "ndjson")
    assert (done.returncode, len(set(_uids(_lines(done))))) == (0, _COUNT)


def test_the_most_queries_of_a_split(hall: Hall, store: Store) -> None:
    source = _Source(store)
    port = hall.serve(Server(source))
    done = run(*STUDIES, "localhost", port, "--split", "--split-max", "20", "--format", "ndjson")
    assert (done.returncode, source.asked) == (4, 20)
    assert "stopped at --split-max" in done.stderr
    assert _lines(done)[-2]["verdict"] == "cut"


def test_parts_keep_to_the_cap_of_the_archive(hall: Hall, store: Store, tmp_path: Path) -> None:
    server = Server(_Source(store))
    book = _book(tmp_path, hall.serve(server), "max_associations = 2")
    done = run(*STUDIES, "--nodes", book, "--node", "north", "--split", "--format", "ndjson")
    assert (done.returncode, len(_uids(_lines(done)))) == (0, _COUNT)
    assert server.counters.peak <= 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("--split-max", "5"), "--split-max without --split"),
        (("--split", "--cancel", "5"), "--split and --cancel"),
    ],
)
def test_what_contradicts_itself(line: Sequence[str], words: str) -> None:
    done = run(*STUDIES, "localhost", "104", *line)
    assert done.returncode == 1
    assert words in done.stderr


def test_a_killed_split_goes_on_with_the_same_parts(
    hall: Hall, store: Store, tmp_path: Path
) -> None:
    source = _Source(store, after=40)
    port = hall.serve(Server(source))
    file = tmp_path / "split.db"
    line = [*STUDIES, "localhost", port, "--split", "--job", str(file), "--format", "ndjson"]
    with subprocess.Popen(
        command(*line), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        assert source.reached.wait(60)
        process.kill()
    status = run("job", "status", file, "--json")
    assert status.returncode == 4
    assert json.loads(status.stdout)["verdicts"] == {}
    partial = run("job", "export", file, "--format", "ndjson")
    assert (partial.returncode, _lines(partial)[-2]["verdict"]) == (4, "cut")
    # The job knows that its queries are split.
    done = run("--resume", file, "--format", "ndjson")
    assert done.returncode == 0
    lines = _lines(done)
    assert len(_uids(lines)) == len(set(_uids(lines))) == _COUNT
    assert {tag for line in lines[:-2] for tag in line["identifier"]} == _SHOWN
    assert lines[-2]["coverage"]["state"] == "proven"
    assert lines[-1]["verdicts"] == {"complete": 1}
    assert "proven everything" in done.stderr
    again = run("job", "export", file, "--format", "csv")
    assert len(list(csv.reader(io.StringIO(again.stdout)))) == 1 + _COUNT
    status = run("job", "status", file, "--json")
    assert json.loads(status.stdout)["matches"] == _COUNT
    assert status.returncode == 0


def test_a_job_is_split_when_it_turns_out_to_be_suspect(
    hall: Hall, store: Store, tmp_path: Path
) -> None:
    port = hall.serve(Server(_Source(store)))
    file = tmp_path / "late.db"
    first = run(*STUDIES, "localhost", port, "--job", file, "--format", "ndjson")
    assert (first.returncode, _lines(first)[-1]["verdicts"]) == (0, {"suspect": 1})
    same = run("--resume", file, "--retry-failed", "--format", "ndjson")
    assert len(_uids(_lines(same))) == 100
    whole = run("--resume", file, "--retry-failed", "--split", "--format", "ndjson")
    assert (whole.returncode, _lines(whole)[-1]["verdicts"]) == (0, {"complete": 1})
    assert len(set(_uids(_lines(whole)))) == _COUNT


def test_an_interrupted_split_shows_what_it_had(hall: Hall, store: Store) -> None:
    source = _Source(store, after=20)
    port = hall.serve(Server(source))
    with subprocess.Popen(
        command(*STUDIES, "localhost", port, "--split", "--rate", "40/s", "--format", "ndjson"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert source.reached.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    lines = _lines(subprocess.CompletedProcess([], 130, out, err))
    (end,) = (line for line in lines if line["kind"] == "done")
    assert end["verdict"] == "cancelled"
    assert end["matches"] == len(_uids(lines)) > 0
    assert "Traceback" not in err


def test_a_list_is_split_where_it_has_to_be(hall: Hall, store: Store, tmp_path: Path) -> None:
    port = hall.serve(Server(_Source(store)))
    rows = tmp_path / "rows.csv"
    years = [f"{year}0101-{year}1231" for year in range(2018, 2027)]
    rows.write_text("\n".join(["StudyDate", *years, '""""""', "20240101-20240107"]) + "\n")
    file = tmp_path / "list.db"
    line = (*STUDIES, "localhost", port, "--batch", str(rows), "--split", "--job", str(file))
    done = run(*line, "--format", "ndjson")
    assert done.returncode == 0
    lines = _lines(done)
    assert len(set(_uids(lines))) == _COUNT
    ends = [line for line in lines if line["kind"] == "done"]
    assert len(ends) == 11
    assert {end["verdict"] for end in ends} == {"complete"}
    assert sum("coverage" in end for end in ends) == 9
    assert lines[-1]["queries"] == 11
