"""`parquet`: the rows of CSV in row groups; a file that is whole or not there."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from asyncfind.errors import InvalidRequest, OutputFailed
from asyncfind.plan import Plan, make_query
from asyncfind.records import FindStarted, Match, Record, Summary, Verdict
from asyncfind.render import parquet_rows
from asyncfind.render.choose import choose
from asyncfind.render.columns import Shape
from asyncfind.render.output import FileOutput, StreamOutput
from asyncfind.render.parquet_rows import ParquetRows
from asyncfind.render.stream import Streamed


def _write(file: Path, plan: Plan, records: list[Record], ends: Summary, **shape: Any) -> None:
    form = ParquetRows(Shape(**shape))
    renderer = Streamed(form, form.into(FileOutput(file)))
    renderer.begin(plan)
    for record in records:
        renderer.show([record])
    renderer.end(ends)


def _read(file: Path) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(file)


def test_rows_have_the_types_that_are_known(
    tmp_path: Path, plan: Plan, study: bytes, match: Callable[..., Match], summary: Summary
) -> None:
    started = FindStarted(match(study).find, 1_772_352_000.1254, Verdict.COMPLETE)
    file = tmp_path / "a.parquet"
    records: list[Record] = [started, match(study, 1), match(b"\x10", 2)]
    _write(file, plan, records, summary, has_verdict=True)
    table = _read(file).read()
    assert [f"{field.name} {field.type}" for field in table.schema] == [
        "node string",
        "query string",
        "repeat int32",
        "number int32",
        "status string",
        "time timestamp[ms, tz=UTC]",
        "verdict string",
        "flags string",
        "PatientName string",
        "PatientID string",
        "StudyDate string",
        "StudyInstanceUID string",
    ]
    asked = datetime(2026, 3, 1, 8, 0, 0, 125_000, UTC)
    about = ("NORTH@north:104", "study.dcm", 1)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (*about, 1, "FF00", asked, "complete", None, "DOE^JOHN", "", "20240102", "1.2.3"),
        (*about, 2, "FF00", asked, "complete", "undecodable", None, None, None, None),
    ]


def test_a_run_without_answers_is_a_file_with_columns(
    tmp_path: Path, plan: Plan, summary: Summary
) -> None:
    file = tmp_path / "a.parquet"
    _write(file, plan, [], summary, columns=("node", (0x00100020,)))
    assert _read(file).schema_arrow.names == ["node", "PatientID"]
    assert _read(file).metadata.num_rows == 0


@pytest.mark.parametrize(("limit", "value"), [("_ROWS", 10), ("_BYTES", 1200)])
def test_memory_holds_one_row_group(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    plan: Plan,
    study: bytes,
    match: Callable[..., Match],
    summary: Summary,
    limit: str,
    value: int,
) -> None:
    monkeypatch.setattr(parquet_rows, limit, value)
    file = tmp_path / "a.parquet"
    _write(file, plan, [match(study, number) for number in range(1, 36)], summary)
    whole = _read(file)
    groups = [whole.metadata.row_group(at).num_rows for at in range(whole.metadata.num_row_groups)]
    assert sum(groups) == 35
    assert max(groups) < 20
    assert whole.read(["number"]).column(0).to_pylist() == list(range(1, 36))


def test_an_attribute_may_be_called_as_a_column_about_rows(
    tmp_path: Path, plan: Plan, study: bytes, match: Callable[..., Match], summary: Summary
) -> None:
    query = make_query("study", ["PatientName"], label="q")
    (column,) = query.columns
    named = replace(query, columns=(replace(column, name="number"),))
    file = tmp_path / "a.parquet"
    _write(file, replace(plan, queries=(named,)), [match(study)], summary, columns=((0x00100010,),))
    assert _read(file).read().to_pylist() == [{"number": "DOE^JOHN"}]


def test_a_pipe_takes_it_as_well(
    plan: Plan, study: bytes, match: Callable[..., Match], summary: Summary
) -> None:
    import pyarrow.parquet

    stream = io.BytesIO()
    form = ParquetRows()
    renderer = Streamed(form, form.into(StreamOutput(stream)))
    renderer.begin(plan)
    renderer.show([match(study)])
    renderer.end(summary)
    assert pyarrow.parquet.read_table(io.BytesIO(stream.getvalue())).num_rows == 1


class _Full(io.BytesIO):
    """A disk that is full from the start."""

    def write(self, data: Any) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_in_words(plan: Plan) -> None:
    form = ParquetRows()
    renderer = Streamed(form, form.into(StreamOutput(_Full())))
    with pytest.raises(OutputFailed, match="No space left on device"):
        renderer.begin(plan)


class _Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_no_place_for_it() -> None:
    with pytest.raises(InvalidRequest, match="nothing for a terminal"):
        choose("parquet", _Terminal(), io.StringIO())


def test_who_has_no_pyarrow_is_told_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError('not here')\n")
    line = "-S -k QueryRetrieveLevel=STUDY localhost 1 --format parquet --output a.parquet"
    done = subprocess.run(
        [sys.executable, "-m", "asyncfind", *line.split()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'asyncfind[parquet]'" in done.stderr
    assert sorted(file.name for file in tmp_path.glob("*.p*")) == ["pyarrow.py"]
