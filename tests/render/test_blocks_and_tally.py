"""Blocks stay whole, verdicts make the exit code."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan, make_query
from asyncfind.records import Associated, ExitCode, Find, FindDone, Match, Verdict
from asyncfind.render.blocks import Blocks
from asyncfind.render.dump import Dump
from asyncfind.render.json_lines import JsonLines
from asyncfind.render.tally import Tally

PEER = Peer(host="pacs", port=104, called="PACS")
QUERY = make_query("study", ["PatientName"])
PLAN = Plan(peers=(PEER,), queries=(QUERY,))
# (0010,0010) PN "A", ESC "[31m", padded: what a hostile archive might send.
HOSTILE = bytes.fromhex("10001000 504e 0600 41 1b 5b33316d")
EXPLICIT = "1.2.840.10008.1.2.1"


def _find(number: int = 0) -> Find:
    return Find(PEER, QUERY, 1, number)


def _done(find: Find, verdict: Verdict, kind: Kind | None = None) -> FindDone:
    return FindDone(find=find, verdict=verdict, status=0, matches=1, seconds=0.5, kind=kind)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
def test_blocks_of_different_queries_never_interleave(steps: list[tuple[int, bool]]) -> None:
    stream = io.BytesIO()
    blocks = Blocks(stream)
    finds = [_find(number) for number in range(4)]
    ended: set[int] = set()
    written = [0] * 4
    for which, ends in steps:
        if which in ended:
            continue
        if ends:
            ended.add(which)
            blocks.end(finds[which])
        else:
            blocks.write(finds[which], bytes([which]))
            written[which] += 1
    blocks.close()
    data = stream.getvalue()
    assert [data.count(bytes([which])) for which in range(4)] == written
    runs = [byte for at, byte in enumerate(data) if at == 0 or data[at - 1] != byte]
    assert len(runs) == len(set(runs))


def test_a_waiting_block_beyond_a_mebibyte_comes_out_whole() -> None:
    stream = io.BytesIO()
    blocks = Blocks(stream)
    first, second = _find(1), _find(2)
    blocks.write(first, b"1")
    for _ in range(3):
        blocks.write(second, b"2" * 1024 * 1024)
    assert stream.getvalue() == b"1"
    blocks.end(second)
    blocks.end(first)
    assert stream.getvalue() == b"1" + b"2" * 3 * 1024 * 1024


@pytest.mark.parametrize(
    ("verdict", "kind", "code"),
    [
        (Verdict.COMPLETE, None, ExitCode.COMPLETE),
        (Verdict.CANCELLED, None, ExitCode.COMPLETE),
        (Verdict.CANCELLED, Kind.CANCELLED, ExitCode.INCOMPLETE),
        (Verdict.CUT, Kind.STATUS, ExitCode.INCOMPLETE),
        (Verdict.REFUSED, Kind.STATUS, ExitCode.INCOMPLETE),
        (Verdict.UNDECODABLE, Kind.DECODE, ExitCode.INCOMPLETE),
    ],
)
def test_a_verdict_decides_the_exit_code(
    verdict: Verdict, kind: Kind | None, code: ExitCode
) -> None:
    tally = Tally(PLAN)
    tally.add([Associated(PEER, 1), _done(_find(), verdict, kind)])
    assert tally.summary(seconds=1, interrupted=False).exit is code
    assert tally.summary(seconds=1, interrupted=True).exit is ExitCode.INTERRUPTED


def test_no_association_at_all_is_exit_2() -> None:
    tally = Tally(PLAN)
    tally.add([_done(_find(), Verdict.UNREACHED, Kind.CONNECT)])
    assert tally.summary(seconds=1, interrupted=False).exit is ExitCode.NO_ASSOCIATION


def test_a_peer_s_escape_sequence_reaches_no_terminal() -> None:
    find = _find()
    for renderer in (Dump, JsonLines):
        stream = io.BytesIO()
        shown = renderer(stream)
        shown.begin(PLAN)
        shown.show([Match(find, 1, 0xFF00, HOSTILE, EXPLICIT), _done(find, Verdict.COMPLETE)])
        assert b"\x1b" not in stream.getvalue()
        assert b"31m" in stream.getvalue()


def test_an_undecodable_answer_is_kept_and_changes_the_verdict() -> None:
    find = _find()
    stream = io.BytesIO()
    shown = JsonLines(stream)
    shown.begin(PLAN)
    records = [Match(find, 1, 0xFF00, b"\x10\x00", EXPLICIT), _done(find, Verdict.COMPLETE)]
    done = shown.show(records)[-1]
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert isinstance(done, FindDone)
    assert done.verdict is Verdict.UNDECODABLE
    assert lines[0]["identifier"] is None
    assert lines[0]["bytes"] == "EAA="
    assert lines[1]["verdict"] == "undecodable"
