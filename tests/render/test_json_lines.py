"""`ndjson` keeps its contract, whatever a peer sends."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncfind.errors import Kind
from asyncfind.records import ExitCode, FindDone, Match, Summary, Verdict
from asyncfind.render.json_lines import JsonLines
from asyncfind.render.json_text import encode


def _lines(text: str) -> list[dict[str, Any]]:
    assert text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def test_the_lines_of_a_run(
    render: Callable[..., str],
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
) -> None:
    assert render(JsonLines(), [match(study), done()]).splitlines() == [
        (
            '{"kind":"match","node":"NORTH@north:104","query":"study.dcm","repeat":1,"number":1,'
            '"status":"FF00","identifier":{"00080020":{"vr":"DA","Value":["20240102"]},'
            '"00080052":{"vr":"CS","Value":["STUDY"]},'
            '"00100010":{"vr":"PN","Value":[{"Alphabetic":"DOE^JOHN"}]},"00100020":{"vr":"LO"},'
            '"0020000D":{"vr":"UI","Value":["1.2.3"]}}}'
        ),
        (
            '{"kind":"done","node":"NORTH@north:104","query":"study.dcm","repeat":1,"status":"0000",'
            '"verdict":"complete","matches":1,"seconds":0.031123}'
        ),
        (
            '{"kind":"summary","nodes":1,"reached":1,"queries":1,"matches":1,'
            '"verdicts":{"complete":1},"seconds":0.5,"exit":0}'
        ),
    ]


def test_an_end_without_final_response_says_why(
    render: Callable[..., str], done: Callable[..., FindDone]
) -> None:
    ended = done(Verdict.UNREACHED, status=None, matches=0, error="connection refused")
    line = _lines(render(JsonLines(), [ended]))[0]
    assert line["status"] is None
    assert line["error"] == "connection refused"


def test_what_cannot_be_decoded_is_kept_as_bytes(
    render: Callable[..., str], match: Callable[..., Match]
) -> None:
    line = _lines(render(JsonLines(), [match(bytes.fromhex("1000"), status=0xFF01)]))[0]
    assert line["identifier"] is None
    assert line["status"] == "FF01"
    assert line["bytes"] == "EAA="
    assert line["transfer_syntax"] == "1.2.840.10008.1.2.1"
    assert line["error"].startswith("identifier cannot be decoded")


def test_every_kind_of_line_fits_the_schema(
    schema: Callable[[str], Any],
    render: Callable[..., str],
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
) -> None:
    validator = schema("ndjson")
    nested = bytes.fromhex(
        "40000001 5351 0000 1a000000"  # (0040,0100) SQ
        "feff00e0 0a000000 08006000 4353 0200 4354"  # an item with (0008,0060) CS CT
        "feff00e0 00000000"  # an empty item
        "40005503 5351 0000 00000000"  # an empty sequence, (0040,0355)
        "09000110 4f42 0000 02000000 00ff"  # (0009,1001) OB
        "28001000 5553 0200 0002"  # (0028,0010) US 512
        "18005000 4453 0400 312e3520"  # (0018,0050) DS 1.5
        "18001093 4644 0800 000000000000f87f"  # (0018,9310) FD NaN
    )
    finished = [
        done(verdict, status=None if number % 2 else 0xA700, error="why" if number else "")
        for number, verdict in enumerate(Verdict)
    ]
    records = [match(study), match(nested, 2), match(b"\1", 3), match(b"", 4), *finished]
    for code in (
        ExitCode.COMPLETE,
        ExitCode.NO_ASSOCIATION,
        ExitCode.INCOMPLETE,
        ExitCode.INTERRUPTED,
    ):
        summary = Summary(
            exit=code,
            peers=3,
            reached=0,
            queries=len(finished),
            matches=4,
            seconds=1.25,
            verdicts=dict.fromkeys(Verdict, 1),
        )
        for line in _lines(render(JsonLines(), records, ends=summary)):
            validator.validate(line)


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "other"},
        {"kind": "match", "node": "n", "query": "q", "repeat": 1, "number": 1, "status": "FF00"},
        {
            "kind": "done",
            "node": "n",
            "query": "q",
            "repeat": 1,
            "matches": 0,
            "status": "a700",
            "verdict": "refused",
            "seconds": 0,
        },
        {
            "kind": "done",
            "node": "n",
            "query": "q",
            "repeat": 1,
            "matches": 0,
            "status": None,
            "verdict": "fine",
            "seconds": 0,
        },
    ],
)
def test_the_schema_refuses_what_is_not_in_the_contract(
    schema: Callable[[str], Any], line: dict[str, object]
) -> None:
    assert not schema("ndjson").is_valid(line)


def test_a_number_that_json_has_not_is_null(
    render: Callable[..., str], match: Callable[..., Match]
) -> None:
    nan = bytes.fromhex("18001093 4644 0800 000000000000f87f")  # (0018,9310) FD NaN
    text = render(JsonLines(), [match(nan)])
    assert "NaN" not in text
    assert _lines(text)[0]["identifier"]["00189310"]["Value"] == [None]


def test_what_could_act_is_escaped_and_comes_back() -> None:
    value = "\x1b[31m \x7f \x9b \u202e \u2028\u2029 \ufeff \ud800 \U000e0041 [red] Ü 山 👩"
    text = encode({"a": value})
    assert json.loads(text) == {"a": value}
    assert "Ü 山 👩" in text
    assert "[red]" in text
    for escape in ("\\u001b", "\\u007f", "\\u009b", "\\u202e", "\\u2028", "\\ud800", "\\udb40"):
        assert escape in text
    assert text.isprintable()


@given(st.text(st.characters(), max_size=40))
def test_any_text_is_one_line_of_utf_8(value: str) -> None:
    text = encode(value)
    assert json.loads(text) == value
    assert len(text.splitlines()) == 1
    text.encode("utf-8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_bytes_are_valid_lines(
    render: Callable[..., str],
    schema: Callable[[str], Any],
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    identifiers: list[bytes],
) -> None:
    validator = schema("ndjson")
    records = [match(identifier, at) for at, identifier in enumerate(identifiers, 1)]
    lines = _lines(render(JsonLines(), [*records, done(matches=len(records), kind=Kind.STATUS)]))
    assert [line["kind"] for line in lines] == [*["match"] * len(records), "done", "summary"]
    for line in lines:
        validator.validate(line)
