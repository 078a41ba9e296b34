"""What people read of a load: at any width, in ASCII, with names that want to do harm."""

from dataclasses import replace
from typing import Any

import pytest
from load_results import (
    NORTH,
    SOUTH,
    judged,
    make_load,
    make_result,
    saturated,
    stalled_load,
)
from rich.cells import cell_len

from asyncfind.load.health import Sample
from asyncfind.load.report_text import progress_line, text_report
from asyncfind.load.result import Interval, LoadResult
from asyncfind.load.schedule import Piece, make_schedule
from asyncfind.load.tally import Ended, Tally
from asyncfind.plan import Peer
from asyncfind.records import ExitCode


@pytest.fixture(scope="module")
def stalled() -> LoadResult:
    return stalled_load()


def _cut_off() -> Tally:
    """Four queries of 200 ms, and one that had not ended after 2.1 s."""
    tally = Tally(offered=5)
    for _ in range(4):
        tally.ended(Ended(0, 0, 0, 0.1, 0.2))
    tally.cut_off(3.1, 1.0, 1.2)
    return tally


def _row(text: str, title: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"   {title}"))
    return line.removeprefix(f"   {title}").split()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(stalled: LoadResult, width: int) -> None:
    long = replace(NORTH, name="a-node-" * 12, host="host." * 30 + "example")
    results = [
        stalled,
        replace(stalled, health=saturated(), stopped="3 of 4 failed " * 9, edited=("12 s +10",)),
        replace(stalled, load=make_load((long, SOUTH), latency_limit=0.3)),
        make_result(_cut_off()),
        make_result(Tally(), reached=False, intervals=(), exit=ExitCode.NO_ASSOCIATION),
    ]
    for result in results:
        for line in text_report(result, width=width).splitlines():
            assert cell_len(line) < width, line


def test_the_report_says_what_decided(stalled: LoadResult) -> None:
    text = text_report(stalled, width=120)
    first = text.splitlines()[0]
    assert first.startswith(" RESULT FAIL  1 of 3 thresholds failed")
    assert first.endswith("exit 5")
    assert "✓ p99(response) < 500ms  310 ms\n" in text
    assert "✗ share(error) < 0.1%    0.5332 %\n" in text
    assert "north NORTH_QR@pacs-north.example:104 · south SOUTH@[2001:db8::7]:11112\n" in text
    assert "80/s constant, Poisson arrivals, seed 7  60.0 s" in text
    assert (
        "offered 4,876 = completed 4,850 + failed 26 + dropped 0 + skipped 0 + censored 0\n" in text
    )
    assert " errors status A700 ×17 · rejected 2/3/2 ×7 · timeout first response ×2\n" in text
    response, service = _row(text, "response (schedule)"), _row(text, "service (send)")
    assert response == ["4,850", "43.7", "35.6", "57.1", "66.8", "310.0", "804.4", "844.2"]
    # The stall shows where users felt it, and not where the peers worked.
    assert float(response[6]) > 7 * float(service[6])


def test_narrow_terminals_lose_columns_not_rows(stalled: LoadResult) -> None:
    wide, narrow = text_report(stalled, width=120), text_report(stalled, width=80)
    assert _row(wide, "response (schedule)")[4] == "66.8"
    assert "66.8" not in _row(narrow, "response (schedule)")
    assert _row(narrow, "response (schedule)")[-1] == "844.2"
    assert "p95" in wide
    assert "p95" not in narrow


def test_each_node_has_a_row_where_there_are_several(stalled: LoadResult) -> None:
    assert _row(text_report(stalled, width=80), "north")[:2] == ["2,422", "16"]
    assert "by peer" not in text_report(make_result(_cut_off()), width=80)


def test_a_closed_load_is_labelled_as_such() -> None:
    tally = _cut_off()
    text = text_report(make_result(tally, load=make_load(schedule=None)), width=80)
    assert " load closed: the load waits for the peer\n" in text
    assert "response (turn)" in text
    assert "schedule)" not in text
    assert "closed" not in text_report(make_result(tally), width=80)


def test_what_had_not_ended_is_a_lower_bound() -> None:
    text = text_report(make_result(_cut_off(), exit=ExitCode.INCOMPLETE), width=120)
    assert "RESULT FAIL  1 of 5 queries not complete" in text
    assert _row(text, "response (schedule)")[1:4] == ["≥580.0", "200.1", "≥2100.0"]
    assert _row(text, "first response")[-1] == "100.0"
    assert "≥ at least" in text


def test_ascii_is_ascii(stalled: LoadResult) -> None:
    for result in (stalled, make_result(_cut_off())):
        text = text_report(result, width=100, ascii=True)
        assert text.isascii()
    assert "+ p99(response)" in text_report(stalled, width=100, ascii=True)
    assert "x share(error)" in text_report(stalled, width=100, ascii=True)


def test_saturated_edited_and_stopped_runs_say_so(stalled: LoadResult) -> None:
    edited = ("at 12 s: rate +10",)
    result = replace(
        stalled, health=saturated(), exit=ExitCode.SATURATED, edited=edited, stopped="a storm"
    )
    text = text_report(result, width=80)
    assert "the client was saturated: results are a lower bound" in text
    assert "client SATURATED (schedule lag p99 61.0 ms" in text
    assert "EDITED at 12 s: rate +10\n" in text
    assert "STOPPED a storm\n" in text


@pytest.mark.parametrize(
    ("exit_code", "members", "words"),
    [
        (ExitCode.NO_ASSOCIATION, {"reached": False}, "no association could be opened"),
        (ExitCode.INTERRUPTED, {"interrupted": True}, "interrupted"),
        (ExitCode.COMPLETE, {}, "every query complete"),
        (ExitCode.INCOMPLETE, {"stopped": "a storm"}, "a storm"),
    ],
)
def test_the_headline_follows_the_exit_code(
    exit_code: ExitCode, members: dict[str, Any], words: str
) -> None:
    tally = Tally(offered=1)
    tally.ended(Ended(0, 0, 0, 0.1, 0.2))
    text = text_report(make_result(tally, exit=exit_code, **members), width=100)
    word = "PASS" if exit_code is ExitCode.COMPLETE else "FAIL"
    assert text.startswith(f" RESULT {word}  {words}")


def test_attainment_counts_failures_and_never_rounds_up_to_all() -> None:
    tally = Tally(offered=100_000, completed=99_999, late=1, failed=1)
    text = text_report(make_result(tally, load=make_load(latency_limit=0.3)), width=80)
    assert "attainment (complete within 300 ms) 99.99 %\n" in text


def test_a_window_tells_when() -> None:
    tally = _cut_off()
    (late,) = judged(tally, 10.0, "p95(first) < 50ms for 30s abort")
    text = text_report(
        make_result(tally, thresholds=(replace(late, at=41.0, aborted=True),)), width=90
    )
    assert "100.1 ms at 41 s, ended the run\n" in text or "100 ms at 41 s, ended the run\n" in text


def test_attempts_that_failed_are_counted_by_reason() -> None:
    tally = Tally(offered=3, failed=3, associations=1, refused=4)
    tally.errors["rejected", "1/3/1"] = 3
    tally.refusals["rejected", "1/3/1"] = 4
    text = text_report(make_result(tally), width=80)
    assert " associations 1 opened, 4 could not be: rejected 1/3/1 ×4\n" in text


def test_stages_are_told_without_the_warm_up() -> None:
    pieces = [Piece(30, 20, 20), Piece(60, 20, 200)]
    schedule = make_schedule(pieces, warm_up=5)
    text = text_report(make_result(Tally(), load=make_load(schedule=schedule)), width=100)
    assert "20/s for 30 s, 20..200/s for 60 s" in text


def test_names_cannot_act_on_the_terminal() -> None:
    evil = "\x1b]0;owned\x07\u202enorth\n RESULT PASS"
    peers = (Peer(name=evil, host="h", port=104), SOUTH)
    tally = _cut_off()
    tally.errors["status", "\x1b[2J"] = 1
    result = make_result(tally, load=make_load(peers), stopped=evil, edited=(evil,))
    for text in (text_report(result, width=100), text_report(result, width=100, ascii=True)):
        assert not any(char in text for char in "\x1b\x07\u202e")
        assert "\n RESULT PASS" not in text


def test_a_line_of_progress() -> None:
    tally = Tally(offered=800)
    for _ in range(790):
        tally.ended(Ended(0, 0, 0, 0.02, 0.036))
    sample = Sample(lag_p99=0.0002, cpu=0.37)
    interval = Interval(at=60.0, seconds=10.0, tally=tally, sample=sample)
    line = progress_line(interval, Tally(failed=3, dropped=1), planned=180.0)
    assert line == (
        "00:01:10/00:03:00  offered 80.0/s  completed 79.0/s  response p50 36.0 p99 36.0 ms"
        "  failed 3  dropped 1  lag p99 0.20 ms  cpu 37 %"
    )
    empty = Interval(at=0.0, seconds=10.0, tally=Tally(), sample=Sample())
    assert progress_line(empty, Tally(), ascii=True) == (
        "00:00:10  offered 0.0/s  completed 0.0/s  failed 0  dropped 0"
    )
