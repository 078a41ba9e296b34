"""What bulk runs are written as: the same rows in every format, none lost, each with its source."""

import csv
import io
import json
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from commands import Hall, at_terminal, command, environment, run

from asyncfind.query.element import Element, Item
from asyncfind.query.models import MODELS
from asyncfind.query.syntax import TransferSyntax
from asyncfind.query.writer import write_item
from asyncfind.scp.answers import PENDING, Response
from asyncfind.scp.script import aborts_after, always
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace

_KEYS = ("PatientName", "PatientID", "PatientComments", "StudyInstanceUID")
_QUERY = (
    "-S",
    "-k",
    "QueryRetrieveLevel=STUDY",
    *(word for key in _KEYS for word in ("-k", key)),
    "-k",
    "RequestAttributesSequence[0].RequestedProcedureID",
)
_VRS = {0x00100010: "PN", 0x00100020: "LO", 0x00104000: "LT", 0x0020000D: "UI"}


def _study(uid: str, name: bytes, ident: bytes, comments: bytes, charset: bytes = b"") -> Item:
    item = Item()
    values = zip(_VRS, (name, ident, comments, uid.encode()), strict=True)
    for tag, value in ((0x00080005, charset), *values):
        if value:
            item.elements[tag] = Element(tag, _VRS.get(tag, "CS"), value, len(value))
    return item


class _Rows:
    """Answers every query with these data sets, or bytes that are none."""

    models: Collection[str] = tuple(model.uid for model in MODELS)

    def __init__(self, rows: Sequence[Item | bytes]) -> None:
        self._rows = rows

    def respond(
        self, model_uid: str, identifier: bytes, syntax: TransferSyntax, *, relational: bool = False
    ) -> Iterator[Response]:
        for row in self._rows:
            yield PENDING, row if isinstance(row, bytes) else write_item(row, syntax)


def _with(item: Item, tag: int, vr: str, value: "bytes | list[Item]") -> Item:
    item.elements[tag] = Element(tag, vr, value, len(value))
    return item


_PROCEDURE = Item({0x00401001: Element(0x00401001, "SH", b"-7", 2)})
_DIFFICULT: list[Item | bytes] = [
    _study("1.1", b"=HYPERLINK(1)", b"@007", b"two\r\nlines, \"said\"; 'so'"),
    _study("1.2", "Ångström^Å".encode("latin-1"), b"007", b"-12.5", b"ISO_IR 100"),
    _study("1.3", "Люкceмбypг".encode("iso8859_5"), b"+1+1", b"\ttab", b"ISO_IR 144"),
    _study("1.4", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", b"1\\2", b"a\\b",
           b"\\ISO 2022 IR 87"),
    _study("1.5", "王^小東".encode("gb18030"), b"", "＝1".encode("gb18030"), b"GB18030"),
    _study("1.6", b"M\xc3", b"\x80", b"half", b"ISO_IR 192"),
    b"\x10\x00\x20",
    _with(_study("1.7", b"Null\x00in", b" pad ", b"\x1b[31m"), 0x00100020, "LO", b""),
    _with(_study("1.8", b"Deep", b"8", b""), 0x00400275, "SQ", [_PROCEDURE]),
]  # fmt: skip
_TRUTH: list[tuple[str | None, ...]] = [
    # number, flags, the keys; None is not there, "" is there and empty
    ("1", None, "=HYPERLINK(1)", "@007", "two\\x0d\\x0alines, \"said\"; 'so'", "1.1", None),
    ("2", None, "Ångström^Å", "007", "-12.5", "1.2", None),
    ("3", None, "Люкceмбypг", "+1+1", "\\x09tab", "1.3", None),
    ("4", None, "Yamada^Tarou=山田^太郎", "1\\2", "a\\b", "1.4", None),
    ("5", None, "王^小東", None, "＝1", "1.5", None),
    ("6", "charset", "M\\xc3", "\\x80", "half", "1.6", None),
    ("7", "undecodable", None, None, None, None, None),
    ("8", "charset", "Null\\x00in", "", "\\x1b[31m", "1.7", None),
    ("9", None, "Deep", "8", None, "1.8", "-7"),
]


_COLUMNS = [
    *("number", "flags", *_KEYS),
    "RequestAttributesSequence.RequestedProcedureID",
]


def _duck(table: str, columns: Sequence[str]) -> list[tuple[str | None, ...]]:
    """Columns of a table by DuckDB, all of them as text."""
    chosen = ", ".join(f'"{name}"::VARCHAR' for name in columns)
    with duckdb.connect() as database:
        return database.execute(f"SELECT {chosen} FROM {table}").fetchall()


def _duck_csv(file: Path) -> str:
    return f"read_csv('{file}', all_varchar = true, allow_quoted_nulls = false)"


def _plain(cell: str | None) -> str | None:
    """A cell of CSV as it came: an apostrophe before what looks like a formula is ours."""
    return cell[1:] if cell is not None and cell.startswith("'") else cell


def _sheet(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.reader(opened, strict=True))


def test_csv_and_parquet_have_the_same_rows(hall: Hall, tmp_path: Path) -> None:
    line = (*_QUERY, "127.0.0.1", hall.serve(Server(_Rows(_DIFFICULT))))
    table, parquet = tmp_path / "a.csv", tmp_path / "a.parquet"
    for file in (table, parquet):
        done = run(*line, "--format", file.suffix[1:], "--output", file)
        assert done.returncode == 4
        assert "1 of 9 answers: identifier cannot be decoded" in done.stderr
    # DuckDB has of both what the archive said.
    assert _duck(f"'{parquet}'", _COLUMNS) == _TRUTH
    found = _duck(_duck_csv(table), _COLUMNS)
    assert [tuple(map(_plain, row)) for row in found] == _TRUTH
    # So has a spreadsheet, which knows no absent values; nothing there is a formula.
    header, *rows = _sheet(table)
    places = [header.index(name) for name in _COLUMNS]
    assert [tuple(_plain(row[place]) for place in places) for row in rows] == [
        tuple(cell or "" for cell in row) for row in _TRUTH
    ]
    cells = [cell for row in rows for cell in row]
    assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "＝")] == ["-12.5", "-7"]
    # The rest of the columns is the same, but for the times of two runs.
    rest = [name for name in header if name not in (*_COLUMNS, "time")]
    assert _duck(f"'{parquet}'", rest) == _duck(_duck_csv(table), rest)
    assert header == [name for (name,) in _duck(f"(DESCRIBE '{parquet}')", ["column_name"])]


def test_no_row_is_lost_in_other_formats(hall: Hall) -> None:
    line = (*_QUERY, "127.0.0.1", hall.serve(Server(_Rows(_DIFFICULT))))
    lines = [json.loads(one) for one in run(*line, "--format", "ndjson").stdout.splitlines()]
    flags = [one.get("flags") for one in lines if one["kind"] == "match"]
    assert flags == [*[None] * 5, ["charset"], ["undecodable"], ["charset"], None]
    (document,) = json.loads(run(*line, "--format", "json").stdout)["queries"]
    assert (document["flags"], len(document["matches"])) == ({"charset": 2, "undecodable": 1}, 9)
    root = ET.fromstring(run(*line, "--format", "xml").stdout)
    said = [one.get("flags") for one in root][:9]
    assert said == [*[None] * 5, "charset", "undecodable", "charset", None]
    assert all(one.get("time") for one in root[:10])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_same_plan_has_the_same_columns_from_any_archive(
    hall: Hall, tmp_path: Path, kind: str
) -> None:
    headers = []
    for rows in ([], _DIFFICULT[:1], _DIFFICULT[6:7], _DIFFICULT):
        file = tmp_path / f"a.{kind}"
        run(
            *_QUERY,
            "127.0.0.1",
            hall.serve(Server(_Rows(rows))),
            "--format",
            kind,
            "--output",
            file,
        )
        if kind == "csv":
            headers.append(_sheet(file)[0])
        else:
            headers.append([name for (name,) in _duck(f"(DESCRIBE '{file}')", ["column_name"])])
    assert (
        headers
        == [["node", "query", "repeat", "number", "status", "time", "flags", *_COLUMNS[2:]]] * 4
    )


def test_columns_are_those_that_are_named(hall: Hall, tmp_path: Path) -> None:
    line = (*_QUERY, "127.0.0.1", hall.serve(Server(_Rows(_DIFFICULT[8:]))))
    names = "0020000D,number,RequestAttributesSequence.RequestedProcedureID,0010,0010"
    shown = run(*line, "--format", "csv", "--columns", names)
    assert shown.stdout.splitlines() == [
        "StudyInstanceUID,number,RequestAttributesSequence.RequestedProcedureID,PatientName",
        "1.8,1,-7,Deep",
    ]
    file = tmp_path / "a.parquet"
    run(*line, "--format", "parquet", "--output", file, "--columns", names)
    header = shown.stdout.splitlines()[0].split(",")
    assert _duck(f"'{file}'", header) == [("1.8", "1", "-7", "Deep")]
    assert [name for (name,) in _duck(f"(DESCRIBE '{file}')", ["column_name"])] == header


def _ring(hall: Hall, tmp_path: Path, **rows: Sequence[Item | bytes]) -> list[str]:
    """A node book of archives with these rows, and the options that ask them all."""
    book = tmp_path / "nodes.toml"
    book.write_text(
        "".join(
            f'[node.{name}]\nhost = "127.0.0.1"\nport = {hall.serve(Server(_Rows(own)))}\n'
            for name, own in rows.items()
        )
    )
    return ["--nodes", str(book), *(word for name in rows for word in ("--node", name))]


@pytest.mark.parametrize("option", ["--merge", "--dedupe"])
def test_what_several_archives_have_is_one_row(hall: Hall, tmp_path: Path, option: str) -> None:
    ring = _ring(
        hall,
        tmp_path,
        north=[_study("1.1", b"Birch", b"1", b""), _study("1.2", b"Cedar", b"2", b"")],
        south=[_study("1.2", b"Cedar^C", b"2", b"seen"), _study("1.3", b"Elm", b"3", b"")],
        west=[b"\x10", _study("1.2", b"Cedar", b"2", b""), _study("1.1", b"Birch", b"1", b"")],
    )
    columns = "node,nodes,differs,flags,PatientName"
    shown = run(*_QUERY, *ring, option, "--format", "csv", "--columns", columns)
    assert shown.returncode == 4  # one answer cannot be decoded
    assert shown.stdout.splitlines() == [
        columns,
        "north,north\\west,,,Birch",
        "north,north\\south\\west,PatientName\\PatientComments,,Cedar",
        "south,south,,,Elm",
        "west,west,,undecodable\\unmerged,",
    ]
    # A job has the same rows, at its end and from its journal.
    job = tmp_path / "j.db"
    line = (option, "--format", "csv", "--columns", columns)
    assert run(*_QUERY, *ring, "--job", job, *line).stdout == shown.stdout
    assert run("job", "export", job, *line).stdout == shown.stdout
    file = tmp_path / "a.parquet"
    run("job", "export", job, option, "--format", "parquet", "--output", file)
    found = _duck(f"'{file}'", columns.split(","))
    assert [tuple(cell or "" for cell in row) for row in found] == [
        tuple(row) for row in csv.reader(shown.stdout.splitlines()[1:])
    ]


@pytest.mark.parametrize("ending", ["csv", "ndjson", "jsonl"])
def test_verdicts_have_a_file_of_their_own(hall: Hall, tmp_path: Path, ending: str) -> None:
    good = hall.serve(Server(_Rows(_DIFFICULT[:3])))
    bad = hall.serve(Server(_Rows(_DIFFICULT[:3]), scripts=always(aborts_after(2))))
    nodes = [f"{name}@127.0.0.1:{port}" for name, port in (("G", good), ("B", bad), ("N", "1"))]
    file = tmp_path / f"v.{ending}"
    line = [*_QUERY, *(word for node in nodes for word in ("--node", node))]
    shown = run(*line, "--format", "csv", "--verdicts", file)
    assert shown.returncode == 4
    assert len(shown.stdout.splitlines()) == 1 + 3 + 2
    told = _told(file)
    assert {node: (row["verdict"], row["status"] or None, int(row["count"])) for node, row in
            told.items()} == {
        nodes[0]: ("complete", "0000", 3),
        nodes[1]: ("aborted", None, 2),
        nodes[2]: ("unreached", None, 0),
    }  # fmt: skip
    assert not told[nodes[0]]["error"]
    assert "refused" in told[nodes[2]]["error"]
    assert [bool(told[node]["time"]) for node in nodes] == [True, True, False]


def _told(file: Path) -> dict[str, dict[str, Any]]:
    """Lines of --verdicts by node; there is one query for each."""
    text = file.read_text()
    rows: Sequence[dict[str, Any]]
    if file.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    else:
        rows = [json.loads(line) for line in text.splitlines()]
    told = {row["node"]: row for row in rows}
    assert len(told) == len(rows)
    return told


def test_rows_of_a_job_have_their_verdict(hall: Hall, tmp_path: Path) -> None:
    good = hall.serve(Server(_Rows(_DIFFICULT[:2])))
    bad = hall.serve(Server(_Rows(_DIFFICULT[:2]), scripts=always(aborts_after(1))))
    nodes = [f"{name}@127.0.0.1:{port}" for name, port in (("G", good), ("B", bad))]
    job, file, verdicts = tmp_path / "j.db", tmp_path / "a.csv", tmp_path / "v.csv"
    line = [*_QUERY, *(word for node in nodes for word in ("--node", node)), "--no-retry"]
    kept = run(*line, "--job", job, "--format", "csv", "--output", file, "--verdicts", verdicts)
    # What could be had is there although a query failed.
    assert kept.returncode == 4
    header, *rows = _sheet(file)
    about = header[: header.index("PatientName")]
    assert about == ["node", "query", "repeat", "number", "status", "time", "verdict", "flags"]
    assert {(row[0], row[6]) for row in rows} == {(nodes[0], "complete")}
    assert {node: row["verdict"] for node, row in _told(verdicts).items()} == {
        nodes[0]: "complete",
        nodes[1]: "aborted",
    }
    exported = run("job", "export", job, "--format", "csv")
    assert exported.stdout == file.read_bytes().decode().replace("\r\n", "\n")
    lines = [json.loads(one) for one in run("job", "export", job).stdout.splitlines()]
    asked = {one["time"] for one in lines if one["kind"] == "match"}
    assert asked == {row[5] for row in rows}
    assert {one["verdict"] for one in lines if one["kind"] == "match"} == {"complete"}
    chosen = run("job", "export", job, "--format", "csv", "--columns", "verdict,PatientID")
    assert chosen.stdout.splitlines() == ["verdict,PatientID", "complete,'@007", "complete,007"]


def test_an_interrupted_run_tells_of_every_query_and_closes_its_files(
    hall: Hall, tmp_path: Path
) -> None:
    port = hall.serve(Server(_Rows(_DIFFICULT), pace=Pace(response=0.2)))
    file, verdicts = tmp_path / "a.parquet", tmp_path / "v.ndjson"
    line = [*_QUERY, "127.0.0.1", port, "--repeat", "9", "--associations", "2", "-v"]
    with subprocess.Popen(
        command(*line, "--format", "parquet", "--output", file, "--verdicts", verdicts),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline()  # an association is there
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    told = [json.loads(one) for one in verdicts.read_text().splitlines()]
    assert sorted(one["repeat"] for one in told) == list(range(1, 10))
    assert {one["verdict"] for one in told} <= {"complete", "undecodable", "cancelled", "skipped"}
    assert len(_duck(f"'{file}'", ["number"])) == sum(one["count"] for one in told)


_HERE = [*_QUERY, "127.0.0.1", "1"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--format", "csv", "--columns", "verdict"], "Write --verdicts FILE"),
        (["--format", "csv", "--columns", "PatientSex"], "PatientSex is no return key"),
        (["--format", "csv", "--columns", "nodes"], "with --merge only"),
        (["--format", "csv", "--columns", ""], "is no list of columns"),
        (["--format", "ndjson", "--columns", "PatientID"], "--columns not allowed with"),
        (["--columns", "PatientID"], "--columns not allowed with --format text"),
        (["--format", "json", "--merge"], "--merge not allowed with --format json"),
        (["--merge"], "--merge not allowed with --format text"),
        (["--verdicts", "v.txt"], "its name does not tell"),
        (["--verdicts", "no/v.csv"], "cannot write no/v.csv"),
        (["--verdicts", "a.csv", "--output", "./a.csv"], "name one file"),
        (["--job", "j.db", "--format", "csv", "--columns", "PatientSex"], "no return key"),
        (["--job", "j.db", "--format", "xml", "--merge"], "--merge not allowed"),
        (["--job", "j.db", "--verdicts", "v"], "its name does not tell"),
    ],
)
def test_what_rows_cannot_be_is_refused_before_anything_is_sent(
    line: list[str], words: str, tmp_path: Path
) -> None:
    done = run(*_HERE, *line, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_merge_by_is_refused(tmp_path: Path) -> None:
    keys = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID")
    done = run(*keys, "127.0.0.1", "1", "--format", "csv", "--merge")
    assert done.returncode == 1
    assert "Add -k StudyInstanceUID" in done.stderr


def test_a_terminal_is_no_place_for_parquet() -> None:
    code, screen = at_terminal([*_HERE, "--format", "parquet"], "", "")
    assert code == 1
    assert "nothing for a terminal" in screen
