"""What all formats share: whole blocks, honest verdicts, closed documents."""

import errno
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from asyncfind.errors import Kind, OutputFailed
from asyncfind.plan import Limits, Peer, Plan, Query
from asyncfind.query.syntax import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.records import Find, FindDone, FindStarted, Match, Record, Summary, Verdict
from asyncfind.render.json_document import JsonDocument
from asyncfind.render.json_lines import JsonLines
from asyncfind.render.output import StreamOutput
from asyncfind.render.stream import Streamed

CUT_OFF = bytes.fromhex("1000")  # two bytes of a header


def _streamed(plan: Plan) -> tuple[Streamed, io.BytesIO]:
    stream = io.BytesIO()
    renderer = Streamed(JsonLines(), StreamOutput(stream))
    renderer.begin(plan)
    return renderer, stream


def test_records_pass_unchanged_when_all_is_well(
    plan: Plan, study: bytes, match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    renderer, _ = _streamed(plan)
    records: list[Record] = [FindStarted(match(study).find), match(study), done()]
    assert list(renderer.show(records)) == records


def test_an_undecodable_answer_changes_the_verdict_of_a_query_that_went_well(
    plan: Plan, study: bytes, match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    renderer, stream = _streamed(plan)
    renderer.show([match(study, 1), match(CUT_OFF, 2)])
    (judged,) = renderer.show([done(matches=2)])
    assert isinstance(judged, FindDone)
    assert judged.verdict is Verdict.UNDECODABLE
    assert judged.kind is Kind.DECODE
    assert judged.error.startswith("1 of 2 answers: identifier cannot be decoded")
    assert json.loads(stream.getvalue().splitlines()[-1])["verdict"] == "undecodable"


def test_the_verdict_of_a_query_that_failed_stays(
    plan: Plan, match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    renderer, _ = _streamed(plan)
    timeout = done(Verdict.TIMEOUT, kind=Kind.TIMEOUT, error="nothing came")
    assert list(renderer.show([match(CUT_OFF), timeout]))[-1] is timeout


def test_an_unknown_transfer_syntax_is_no_crash(
    plan: Plan, study: bytes, match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    renderer, stream = _streamed(plan)
    renderer.show([match(study, syntax="1.2\x1b[31m"), done()])
    line = json.loads(stream.getvalue().splitlines()[0])
    assert line["identifier"] is None
    assert "\\x1b" in line["error"]


def test_what_inflates_beyond_the_limit_of_the_plan_is_undecodable(
    plan: Plan, match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    renderer, _ = _streamed(replace(plan, limits=Limits(max_identifier=4)))
    # raw deflate, stored: final block, 8 bytes and their complement, then zeros
    deflated = bytes.fromhex("01 0800 f7ff 0000000000000000 00")
    syntax = DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid
    judged = renderer.show([match(deflated, syntax=syntax), done()])[-1]
    assert isinstance(judged, FindDone)
    assert judged.kind is Kind.LIMIT


def test_answers_that_come_mixed_are_written_query_by_query(
    peers: tuple[Peer, ...],
    query: Query,
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
) -> None:
    renderer, stream = _streamed(Plan(peers=peers, queries=(query,)))
    north, south = (Find(peer, query, 1, at) for at, peer in enumerate(peers))
    renderer.show([match(study, 1, of=north), match(study, 1, of=south), match(study, 2, of=north)])
    renderer.show([match(study, 2, of=south), done(of=south), match(study, 3, of=north)])
    renderer.show([done(of=north)])
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [(line["node"].partition("@")[0], line.get("number", "done")) for line in lines]
    assert told == [
        *(("NORTH", 1), ("NORTH", 2), ("NORTH", 3), ("NORTH", "done")),
        *(("SOUTH", 1), ("SOUTH", 2), ("SOUTH", "done")),
    ]


def test_a_query_without_end_is_closed_as_cancelled(
    plan: Plan, study: bytes, match: Callable[..., Match], summary: Summary
) -> None:
    stream = io.BytesIO()
    renderer = Streamed(JsonDocument(), StreamOutput(stream))
    renderer.begin(plan)
    renderer.show([match(study, 1), match(study, 2)])
    renderer.end(summary)
    document = json.loads(stream.getvalue())
    assert [(one["count"], one["verdict"]) for one in document["queries"]] == [(2, "cancelled")]


class _Broken(io.RawIOBase):
    """A stream that the system takes nothing from."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise self._error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_stream_that_cannot_be_written_is_an_output_error(
    plan: Plan, study: bytes, match: Callable[..., Match], number: int
) -> None:
    raw = _Broken(OSError(number, "no"))
    renderer = Streamed(JsonLines(), StreamOutput(raw))  # type: ignore[arg-type]  # write is enough
    renderer.begin(plan)
    with pytest.raises(OutputFailed, match="standard output"):
        renderer.show([match(study)])


def test_a_broken_pipe_stays_a_broken_pipe(
    plan: Plan, study: bytes, match: Callable[..., Match]
) -> None:
    raw = _Broken(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    renderer = Streamed(JsonLines(), StreamOutput(raw))  # type: ignore[arg-type]  # write is enough
    renderer.begin(plan)
    with pytest.raises(BrokenPipeError):
        renderer.show([match(study)])
