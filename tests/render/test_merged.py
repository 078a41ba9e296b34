"""One row for what several archives have, whoever answers first."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from asyncfind.errors import InvalidRequest, OutputFailed
from asyncfind.plan import Peer, Plan, Query, make_query
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.records import Find, FindDone, FindStarted, Match, Record, Summary, Verdict
from asyncfind.render import merged
from asyncfind.render.columns import Shape
from asyncfind.render.csv_rows import CsvRows
from asyncfind.render.json_lines import JsonLines
from asyncfind.render.merged import Merged, check_mergeable
from asyncfind.render.output import StreamOutput
from asyncfind.render.stream import Telling

NORTH, SOUTH, WEST = (Peer(host=name, port=104, name=name) for name in ("north", "south", "west"))
_KEYS = ("QueryRetrieveLevel=STUDY", "PatientName", "StudyDate", "StudyInstanceUID")
_SHAPE = Shape(columns=("node", "nodes", "differs", "flags", (0x00100010,)), merge=True)


def _plan(*keys: str, model: str = "study") -> Plan:
    return Plan(peers=(NORTH, SOUTH, WEST), queries=(make_query(model, keys or _KEYS, label="q"),))


def _answer(find: Find, number: int = 1, **values: str) -> Match:
    item = make_query("study", [f"{name}={value}" for name, value in values.items()]).identifier
    data = write_item(item, EXPLICIT_VR_LITTLE_ENDIAN)
    return Match(find, number, 0xFF00, data, EXPLICIT_VR_LITTLE_ENDIAN.uid)


def _render(form: Telling, plan: Plan, records: Sequence[Record], ends: Summary) -> str:
    stream = io.BytesIO()
    renderer = Merged(form, StreamOutput(stream))
    renderer.begin(plan)
    for record in records:
        renderer.show([record])
    renderer.end(ends)
    return stream.getvalue().decode()


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


def _find(peer: Peer, plan: Plan, ordinal: int = 0) -> Find:
    return Find(peer, plan.queries[0], 1, ordinal)


def test_neither_rows_nor_order_depend_on_who_answers_first(summary: Summary) -> None:
    plan = _plan()
    north, south, west = (_find(peer, plan) for peer in plan.peers)
    answers = [
        _answer(west, 1, StudyInstanceUID="1.1", PatientName="Birch^A", StudyDate="20240101"),
        _answer(south, 1, StudyInstanceUID="1.1", PatientName="Birch^Ann", StudyDate="20240101"),
        _answer(north, 1, StudyInstanceUID="1.2", PatientName="Cedar"),
        _answer(south, 2, StudyInstanceUID="1.2", PatientName="Cedar", StudyDate="20240102"),
        _answer(west, 2, StudyInstanceUID="1.3", PatientName="Elm"),
    ]
    for order in permutations(answers):
        text = _render(CsvRows(_SHAPE), plan, order, summary)
        assert _rows(text) == [
            ["north", "north\\south", "StudyDate", "", "Cedar"],
            ["south", "south\\west", "PatientName", "", "Birch^Ann"],
            ["west", "west", "", "", "Elm"],
        ]


def test_what_has_no_key_stays_by_itself(summary: Summary) -> None:
    plan = _plan()
    north, south = _find(NORTH, plan), _find(SOUTH, plan)
    records = [
        _answer(north, 1, PatientName="Fir"),
        _answer(south, 1, PatientName="Fir", StudyInstanceUID=""),
        Match(south, 2, 0xFF00, b"\1", EXPLICIT_VR_LITTLE_ENDIAN.uid),
    ]
    assert _rows(_render(CsvRows(_SHAPE), plan, records, summary)) == [
        ["north", "north", "", "unmerged", "Fir"],
        ["south", "south", "", "unmerged", "Fir"],
        ["south", "south", "", "undecodable\\unmerged", ""],
    ]


def test_the_same_of_one_node_is_one_row(summary: Summary) -> None:
    plan = _plan()
    find = _find(NORTH, plan)
    records = [_answer(find, number, StudyInstanceUID="1.1") for number in (2, 1, 3)]
    text = _render(CsvRows(Shape(columns=("number", "nodes"), merge=True)), plan, records, summary)
    assert _rows(text) == [["1", "north"]]


def test_json_lines_say_who_has_it(
    summary: Summary, done: Callable[..., FindDone], schema: Callable[[str], object]
) -> None:
    plan = _plan()
    north, south = _find(NORTH, plan), _find(SOUTH, plan)
    records: list[Record] = [
        FindStarted(south, 1_772_352_000.0, Verdict.CUT),
        FindStarted(north, 1_772_352_001.0, Verdict.COMPLETE),
        _answer(south, 1, StudyInstanceUID="1.1", PatientName="Oak"),
        _answer(north, 1, StudyInstanceUID="1.1", PatientName="Yew"),
        done(Verdict.CUT, of=south),
        done(of=north),
    ]
    lines = [json.loads(line) for line in _render(JsonLines(), plan, records, summary).splitlines()]
    assert [line["kind"] for line in lines] == ["done", "done", "match", "summary"]
    for line in lines:
        schema("ndjson").validate(line)  # type: ignore[attr-defined]  # a validator
    assert lines[2]["node"] == "north"
    assert lines[2]["nodes"] == ["north", "south"]
    assert lines[2]["differs"] == ["PatientName"]
    assert (lines[2]["verdict"], lines[2]["time"]) == ("complete", "2026-03-01T08:00:01.000Z")


@pytest.mark.parametrize(
    ("model", "keys", "same", "other"),
    [
        ("patient", ("QueryRetrieveLevel=PATIENT", "PatientID"), {"PatientID": "1"},
         {"PatientID": "2"}),
        ("study", ("QueryRetrieveLevel=SERIES", "SeriesInstanceUID"), {"SeriesInstanceUID": "1.1"},
         {"SeriesInstanceUID": "1.2"}),
        ("study", ("QueryRetrieveLevel=IMAGE", "SOPInstanceUID"), {"SOPInstanceUID": "1.1"},
         {"SOPInstanceUID": "1.2"}),
        ("ups-pull", ("SOPInstanceUID", "PatientName"), {"SOPInstanceUID": "1.1"},
         {"SOPInstanceUID": "1.2"}),
        ("worklist",
         ("StudyInstanceUID", "ScheduledProcedureStepSequence[0].ScheduledProcedureStepID"),
         {"StudyInstanceUID": "1.1",
          "ScheduledProcedureStepSequence[0].ScheduledProcedureStepID": "A"},
         {"StudyInstanceUID": "1.1",
          "ScheduledProcedureStepSequence[0].ScheduledProcedureStepID": "B"}),
    ],
)  # fmt: skip
def test_each_level_has_its_key(
    summary: Summary, model: str, keys: Sequence[str], same: dict[str, str], other: dict[str, str]
) -> None:
    plan = _plan(*keys, model=model)
    check_mergeable(plan)
    north, south = _find(NORTH, plan), _find(SOUTH, plan)
    records = [_answer(north, 1, **same), _answer(south, 1, **same), _answer(south, 2, **other)]
    text = _render(CsvRows(Shape(columns=("nodes",), merge=True)), plan, records, summary)
    assert _rows(text) == [["north\\south"], ["south"]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (make_query("study", ["PatientName", "StudyInstanceUID"]), "nothing tells apart"),
        (make_query("study", ["QueryRetrieveLevel=STUDY", "PatientName"]), "StudyInstanceUID"),
        (make_query("study", ["QueryRetrieveLevel=SERIES", "StudyInstanceUID"]), "SeriesInstance"),
        (make_query("worklist", ["StudyInstanceUID"]), "ScheduledProcedureStepID"),
        (make_query("ups-pull", ["PatientName"]), "SOPInstanceUID"),
    ],
)
def test_what_cannot_be_merged_is_refused(query: Query, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        check_mergeable(Plan(peers=(NORTH,), queries=(query,)))


def test_no_room_is_said_in_words(summary: Summary, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _plan()
    monkeypatch.setattr(merged, "_SCHEMA", merged._SCHEMA + "PRAGMA max_page_count = 4;")  # noqa: SLF001 - a small disk
    find = _find(NORTH, plan)
    records = [
        _answer(find, number, StudyInstanceUID=f"1.{number}", PatientName="Ash" * 20)
        for number in range(1, 200)
    ]
    with pytest.raises(OutputFailed, match="wait to be merged"):
        _render(CsvRows(_SHAPE), plan, records, summary)


def test_rows_wait_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    connect = sqlite3.connect

    def seen(name: str, **options: object) -> sqlite3.Connection:
        made.append(name)
        return connect(name, **options)  # type: ignore[call-overload,no-any-return]  # as given

    monkeypatch.setattr(merged.sqlite3, "connect", seen)
    Merged(CsvRows(replace(_SHAPE)), StreamOutput(io.BytesIO()))
    assert made == [""]  # a file without name, not :memory:
