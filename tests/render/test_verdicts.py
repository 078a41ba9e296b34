"""A line for the end of each query, beside rows that cannot say it."""

import csv
import io
import json
from collections.abc import Callable
from typing import Literal

import pytest

from asyncfind.errors import InvalidRequest, Kind
from asyncfind.plan import Plan
from asyncfind.records import Find, FindDone, FindStarted, Match, Summary, Verdict
from asyncfind.render.json_lines import JsonLines
from asyncfind.render.output import StreamOutput
from asyncfind.render.stream import Streamed
from asyncfind.render.verdicts import Verdicts, kind_of_verdicts

_HEAD = ["node", "query", "repeat", "time", "verdict", "status", "count", "seconds", "error"]


def _run(
    kind: Literal["csv", "ndjson"], plan: Plan, records: list[object], summary: Summary
) -> tuple[str, str]:
    shown, told = io.BytesIO(), io.BytesIO()
    renderer = Verdicts(Streamed(JsonLines(), StreamOutput(shown)), StreamOutput(told), kind)
    renderer.begin(plan)
    renderer.show(records)  # type: ignore[arg-type]  # records they are
    renderer.end(summary)
    return shown.getvalue().decode(), told.getvalue().decode()


def test_every_query_has_one_line(
    plan: Plan,
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    summary: Summary,
) -> None:
    first, second, third = (Find(plan.peers[0], plan.queries[0], at, 0) for at in (1, 2, 3))
    records: list[object] = [
        FindStarted(first, 1_772_352_000.0),
        match(b"\1", of=first),
        done(of=first),
        done(
            Verdict.UNREACHED, of=second, status=None, matches=0, error='"no", =1', kind=Kind.LOST
        ),
        FindStarted(third, 1_772_352_001.0),
        match(study, 1, of=third),
        match(study, 2, of=third),
    ]
    shown, told = _run("csv", plan, records, summary)
    assert len(shown.splitlines()) == 3 + 3 + 1  # what the renderer shows stays as it is
    head, *rows = csv.reader(io.StringIO(told, newline=""))
    assert head == _HEAD
    about = ["NORTH@north:104", "study.dcm"]
    error = "1 of 1 answers: identifier cannot be decoded"
    assert rows[0][:8] == [
        *(*about, "1", "2026-03-01T08:00:00.000Z", "undecodable", "0000", "1", "0.031123"),
    ]
    assert rows[0][8].startswith(error)
    assert rows[1] == [*about, "2", "", "unreached", "", "0", "0.031123", '"no", =1']
    assert rows[2] == [
        *(*about, "3", "2026-03-01T08:00:01.000Z", "cancelled", "", "2", "0.0", "interrupted"),
    ]
    _, lines = _run("ndjson", plan, records, summary)
    assert [list(json.loads(line)) for line in lines.splitlines()] == [_HEAD] * 3
    assert json.loads(lines.splitlines()[1]) == {
        "node": "NORTH@north:104",
        "query": "study.dcm",
        "repeat": 2,
        "time": None,
        "verdict": "unreached",
        "status": None,
        "count": 0,
        "seconds": 0.031123,
        "error": '"no", =1',
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", "csv"), ("A.CSV", "csv"), ("b/c.ndjson", "ndjson"), ("x.csv.jsonl", "ndjson")],
)
def test_the_ending_tells_the_kind(name: str, kind: str) -> None:
    assert kind_of_verdicts(name) == kind


@pytest.mark.parametrize("name", ["", "a", "csv", "a.csv/b", "a.txt", ".csv"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="does not tell"):
        kind_of_verdicts(name)
