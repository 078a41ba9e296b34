"""`csv`: stable columns, RFC 4180, nothing that a spreadsheet would run."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncfind.plan import Plan, make_query
from asyncfind.records import FindDone, FindStarted, Match, Verdict
from asyncfind.render.columns import Shape
from asyncfind.render.csv_rows import CsvRows
from asyncfind.safe import safe


def _element(value: bytes) -> bytes:
    """(0010,0010) PN with a value."""
    return bytes.fromhex("10001000 504e") + len(value).to_bytes(2, "little") + value


def test_the_header_is_the_plan_s_and_the_rows_have_its_columns(
    render: Callable[..., str],
    plan: Plan,
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
) -> None:
    other = make_query(
        "worklist", ["ScheduledProcedureStepSequence[0].Modality", "PatientName"], label="wl"
    )
    both = replace(plan, queries=(*plan.queries, other))
    assert render(CsvRows(), [match(study), done()], of=both) == (
        "node,query,repeat,number,status,time,flags,PatientName,PatientID,StudyDate,"
        "StudyInstanceUID,ScheduledProcedureStepSequence.Modality\r\n"
        # PatientID is there and empty, the sequence is not there
        'NORTH@north:104,study.dcm,1,1,FF00,,,DOE^JOHN,"",20240102,1.2.3,\r\n'
    )


def test_sequences_give_the_value_of_their_first_item(
    render: Callable[..., str], plan: Plan, match: Callable[..., Match]
) -> None:
    query = make_query(
        "worklist",
        ["ScheduledProcedureStepSequence[0].Modality", "RequestedProcedureCodeSequence"],
        label="wl",
    )
    identifier = bytes.fromhex(
        "32006410 5351 0000 10000000 feff00e0 00000000 feff00e0 00000000"  # two empty items
        "40000001 5351 0000 24000000"  # (0040,0100) SQ
        "feff00e0 0a000000 08006000 4353 0200 4354"  # an item with (0008,0060) CS CT
        "feff00e0 0a000000 08006000 4353 0200 4d52"  # an item with (0008,0060) CS MR
    )
    text = render(CsvRows(), [match(identifier)], of=replace(plan, queries=(query,)))
    header, row = list(csv.reader(io.StringIO(text, newline="")))
    assert dict(zip(header, row, strict=True)) == {
        "node": "NORTH@north:104",
        "query": "study.dcm",
        "repeat": "1",
        "number": "1",
        "status": "FF00",
        "time": "",
        "flags": "",
        "ScheduledProcedureStepSequence.Modality": "CT",
        "RequestedProcedureCodeSequence": "2 items",
    }


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (b"=1+1", "'=1+1"),
        (b"+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        (b"-2+3", "'-2+3"),
        (b"@SUM(A1)", "'@SUM(A1)"),
        (b"\t=1", "'\\x09=1"),
        (b"\r=1", "'\\x0d=1"),
        ("＝1+1".encode(), "'＝1+1"),
        (b"-12.5", "-12.5"),  # a plain number is no formula
        (b"+3e5", "+3e5"),
        (b"--", "'--"),
        (b"A\\-B", "A\\-B"),
        (b'say "hi"', 'say "hi"'),
        (b"a,b", "a,b"),
        (b"a;=1", "a;=1"),
        (b"two\nlines", "two\\x0alines"),
        (b"\x1b[31m", "\\x1b[31m"),
    ],
)
def test_what_a_spreadsheet_would_run_is_made_text(
    render: Callable[..., str], plan: Plan, match: Callable[..., Match], value: bytes, cell: str
) -> None:
    query = make_query("study", ["PatientName", "SpecificCharacterSet"], label="q")
    identifier = bytes.fromhex("08000500 4353 0a00") + b"ISO_IR 192" + _element(value)
    text = render(CsvRows(), [match(identifier)], of=replace(plan, queries=(query,)))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows[1][7] == cell
    assert text.count("\r\n") == 2


def test_what_cannot_be_decoded_is_a_flagged_row(
    render: Callable[..., str], match: Callable[..., Match]
) -> None:
    text = render(CsvRows(), [match(b"\x10", 7)])
    assert text.splitlines()[1] == "NORTH@north:104,study.dcm,1,7,FF00,,undecodable,,,,"


def test_a_row_tells_when_its_query_was_asked_and_how_it_ended(
    render: Callable[..., str], study: bytes, match: Callable[..., Match]
) -> None:
    started = FindStarted(match(study).find, 1_772_352_000.1254, Verdict.CUT)
    shape = Shape(columns=("verdict", "time", (0x00100020,), "number"), has_verdict=True)
    assert render(CsvRows(shape), [started, match(study, 3)]) == (
        'verdict,time,PatientID,number\r\ncut,2026-03-01T08:00:00.125Z,"",3\r\n'
    )


@pytest.mark.parametrize(
    ("charset", "value", "cell", "flag"),
    [
        (b"ISO_IR 100", "Müller".encode("latin-1"), "Müller", ""),
        (b"ISO_IR 100", "Müller".encode(), "MÃ¼ller", ""),  # it fits, wrong as it may be
        (b"ISO_IR 192", "Müller".encode("latin-1"), "Müller", "charset"),
        (b"ISO_IR 192", "Müller".encode()[:2], "M\\xc3", "charset"),
        (b"ISO_IR 144", "Ж".encode("iso8859_5"), "Ж", ""),
        (b"\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B", "山田", ""),
        (b"\\ISO 2022 IR 87", b"\x1b$Zxx", "\\x1b$Zxx", "charset"),
        (b"", "Müller".encode("latin-1"), "Müller", "charset"),
    ],
)
def test_text_that_does_not_fit_is_readable_and_flagged(
    render: Callable[..., str],
    match: Callable[..., Match],
    charset: bytes,
    value: bytes,
    cell: str,
    flag: str,
) -> None:
    declared = bytes.fromhex("08000500 4353") + len(charset).to_bytes(2, "little") + charset
    shape = Shape(columns=((0x00100010,), "flags"))
    text = render(CsvRows(shape), [match(declared + _element(value))])
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [cell, flag]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.binary(max_size=30), max_size=4))
def test_any_values_are_rows_of_the_same_width(
    render: Callable[..., str], match: Callable[..., Match], values: list[bytes]
) -> None:
    records = [match(_element(value), at) for at, value in enumerate(values, 1)]
    text = render(CsvRows(), records)
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [len(row) for row in rows] == [11] * (len(values) + 1)
    assert all(safe(cell) == cell for row in rows for cell in row)
