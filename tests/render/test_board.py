"""What a person sees of a bulk run: counters, the board, plain lines."""

import io
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from asyncfind.errors import Kind
from asyncfind.logs.levels import Level
from asyncfind.plan import Peer, Plan, Query, make_query
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.records import (
    Associated,
    AttemptFailed,
    ExitCode,
    Find,
    FindDone,
    FindStarted,
    Match,
    Note,
    PeerFailed,
    Record,
    Summary,
    Verdict,
)
from asyncfind.render.board import Board
from asyncfind.render.board_choice import by_plan_in_lines, by_plan_on_screen, prepare
from asyncfind.render.board_counts import Counts, State
from asyncfind.render.board_draw import Size, bar, draw, spark
from asyncfind.render.board_lines import Lines
from asyncfind.render.board_rates import Latencies, Rate
from asyncfind.render.board_restore import give_back, owe, settle
from asyncfind.render.board_screen import FullScreen
from asyncfind.render.board_words import loss_words, progress_words, state_words, unasked_lines
from asyncfind.render.hidden import Unshown
from asyncfind.render.live import Screen
from asyncfind.render.renderer import Renderer
from asyncfind.render.stream import Streamed
from asyncfind.render.table import Table
from asyncfind.render.words import node_labels

QUERY = make_query("study", ["PatientID=1", "StudyInstanceUID"], label="ids.csv:2")
REFUSED = "connection refused at 127.0.0.1 port 104"


def _peers(number: int) -> tuple[Peer, ...]:
    return tuple(Peer(host="h", port=at + 1, name=f"node-{at:02}") for at in range(number))


def _plan(nodes: int = 40, queries: int = 100) -> Plan:
    return Plan(peers=_peers(nodes), queries=(QUERY,) * queries)


class _Run:
    """Counts of a run whose records are made here; `now` is its clock."""

    def __init__(self, plan: Plan, **limits: int) -> None:
        self.plan = plan
        self.now = 0.0
        by_name = {peer.node: peer for peer in plan.peers}
        self.counts = Counts(plan, 0.0, {by_name[name]: cap for name, cap in limits.items()})
        self.labels = node_labels(plan.peers)
        self._ordinals = count()

    def add(self, *records: Record) -> None:
        self.counts.add(records, self.now, 0.0)

    def find(self, node: int) -> Find:
        return Find(self.plan.peers[node], QUERY, 1, next(self._ordinals))

    def ask(self, node: int) -> Find:
        find = self.find(node)
        self.add(FindStarted(find))
        return find

    def answer(self, node: int, queries: int = 1, *, matches: int = 2) -> None:
        for _ in range(queries):
            find = self.ask(node)
            self.add(*(_match(find, at) for at in range(matches)), _done(find, matches=matches))

    def state(self, node: int) -> State:
        return self.counts.nodes[self.plan.peers[node]].state(self.now)

    def words(self, node: int) -> str:
        return state_words(self.counts.nodes[self.plan.peers[node]], self.now)

    def lines(self, width: int = 100, height: int = 30, *, is_ascii: bool = False) -> list[str]:
        size = Size(width, height)
        drawn = draw(self.counts, self.labels, size, self.now, title="night.db", is_ascii=is_ascii)
        return [line.plain for line in drawn]


def _match(find: Find, number: int = 1) -> Match:
    return Match(find, number, 0xFF00, b"", EXPLICIT_VR_LITTLE_ENDIAN.uid)


def _done(
    find: Find,
    verdict: Verdict = Verdict.COMPLETE,
    *,
    matches: int = 0,
    error: str = "",
    kind: Kind | None = None,
    started: float | None = 1.0,
) -> FindDone:
    return FindDone(
        find=find,
        verdict=verdict,
        status=None,
        matches=matches,
        seconds=0.25,
        error=error,
        kind=kind,
        started=started,
    )


def _unsent(find: Find, verdict: Verdict, error: str, kind: Kind) -> FindDone:
    return _done(find, verdict, error=error, kind=kind, started=None)


# Rates and latencies.


def test_a_rate_is_that_of_the_last_half_minute() -> None:
    rate = Rate(100.0)
    for second in range(60):
        rate.add(5 if second < 30 else 2, 100.0 + second)
    assert rate.within(159.9) == 60
    assert rate.per_second(159.99) == pytest.approx(2.0, rel=0.05)
    assert rate.within(300.0) == 0


def test_a_rate_of_the_first_moments_is_not_exaggerated() -> None:
    rate = Rate(0.0)
    rate.add(3, 0.01)
    assert rate.per_second(0.01) == 3.0


def test_a_course_has_the_latest_at_its_end() -> None:
    rate = Rate(0.0)
    for second in range(30):
        rate.add(second, float(second))
    course = rate.course(30.0)
    assert len(course) == 10
    assert course == [sum(range(at, at + 3)) for at in range(0, 30, 3)]


@given(st.lists(st.floats(0.0002, 900), min_size=1, max_size=200), st.sampled_from([0.5, 0.99]))
def test_quantiles_are_right_to_a_class(seconds: list[float], share: float) -> None:
    latencies = Latencies()
    for one in seconds:
        latencies.add(one)
    exact = sorted(seconds)[max(0, -int(-share * len(seconds) // 1) - 1)]
    found = latencies.quantile(share)
    assert found is not None
    assert exact / 1.1 < found < exact * 1.1


def test_no_latency_is_none() -> None:
    assert Latencies().quantile(0.5) is None


# Counts.


def test_a_node_from_begin_to_end() -> None:
    run = _Run(_plan(1, 2), **{"node-00": 4})
    assert (run.state(0), run.words(0)) == (State.WAITING, "not yet connected")
    run.add(Associated(run.plan.peers[0], 1))
    assert (run.state(0), run.words(0)) == (State.BUSY, "asking")
    find = run.ask(0)
    run.now = 9.0
    assert run.state(0) is State.BUSY
    run.now = 12.0
    assert (run.state(0), run.words(0)) == (State.SLOW, "slow, silent for 12 s")
    run.add(_match(find), _done(find, matches=1))
    assert run.state(0) is State.BUSY
    run.answer(0)
    assert (run.state(0), run.words(0)) == (State.DONE, "done")
    assert (run.counts.done, run.counts.total) == (2, 2)


def test_a_node_is_parked_and_comes_back() -> None:
    run = _Run(_plan(2, 9))
    peer = run.plan.peers[0]
    run.add(Note(peer, f"parked for 34 s after failures ({REFUSED})"))
    run.now = 20.0
    assert (run.state(0), run.words(0)) == (State.PARKED, f"parked for 20 s: {REFUSED}")
    run.add(Associated(peer, 1))
    assert run.state(0) is State.BUSY
    assert run.counts.back == {peer}
    assert [event.text for event in run.counts.events][-1] == "back, going on"
    run.add(Note(peer, "parked for 300 min, until its hours begin"))
    assert run.words(0) == "parked for 1 s: until its hours begin"


def test_a_node_that_nobody_could_reach_has_lost_all() -> None:
    run = _Run(_plan(2, 3))
    peer = run.plan.peers[0]
    run.add(PeerFailed(peer, Kind.CONNECT, REFUSED, "Check host and port."))
    # A job tells nothing of each: its journal has them.
    assert (run.state(0), run.words(0), run.counts.nodes[peer].lost) == (State.FAILED, REFUSED, 3)
    assert loss_words(run.counts)[2:] == ["lost 3", "(3 not asked)"]
    told = list(unasked_lines(run.counts, run.labels))
    assert told == [f"node-00: 3 queries not asked: {REFUSED}."]
    for _ in range(3):
        run.add(_unsent(run.find(0), Verdict.UNREACHED, REFUSED, Kind.CONNECT))
    assert run.counts.nodes[peer].lost == 3
    assert loss_words(run.counts)[2:] == ["lost 3", "(3 unreached)"]
    assert list(unasked_lines(run.counts, run.labels)) == told


def test_a_node_that_is_given_up_later_has_lost_the_rest() -> None:
    run = _Run(_plan(1, 10))
    run.answer(0, 4)
    run.add(Note(run.plan.peers[0], f"given up ({REFUSED})"))
    assert run.state(0) is State.FAILED
    assert run.counts.nodes[run.plan.peers[0]].lost == 6
    assert list(unasked_lines(run.counts, run.labels)) == [
        f"node-00: 6 of 10 queries not asked: given up ({REFUSED})."
    ]


def test_what_is_not_complete_is_told_apart() -> None:
    run = _Run(_plan(1, 9))
    for verdict, kind in (
        (Verdict.SUSPECT, None),
        (Verdict.CUT, Kind.LIMIT),
        (Verdict.REFUSED, Kind.STATUS),
        (Verdict.REFUSED, Kind.STATUS),
        (Verdict.TIMEOUT, Kind.TIMEOUT),
        (Verdict.CANCELLED, None),
    ):
        run.add(_done(run.ask(0), verdict, error="trouble", kind=kind))
    assert loss_words(run.counts) == ["suspect 1", "cut 1", "lost 3", "(2 refused, 1 timeout)"]
    node = run.counts.nodes[run.plan.peers[0]]
    assert (node.lost, node.running) == (4, 0)
    # What happens again and again is one event.
    assert [(event.text, event.times) for event in run.counts.events] == [("trouble", 4)]


def test_an_attempt_that_is_made_again_takes_its_matches_back() -> None:
    run = _Run(_plan(1, 2))
    run.add(Associated(run.plan.peers[0], 1))
    find = run.ask(0)
    run.add(_match(find), _match(find, 2), AttemptFailed(find, 1, 2, "reset", 0.5))
    node = run.counts.nodes[find.peer]
    assert (node.matches, node.running, node.ended, run.counts.retries) == (0, 0, 0, 1)
    run.add(FindStarted(find), _match(find), _done(find, matches=1))
    assert (node.matches, node.rows, node.ended, node.lost) == (1, 1, 1, 0)
    assert run.words(0) == "asking, 1 again"


def test_what_the_user_interrupts_is_no_loss() -> None:
    run = _Run(_plan(1, 2))
    run.add(_done(run.ask(0), Verdict.CANCELLED, error="interrupted", kind=Kind.CANCELLED))
    run.add(_unsent(run.find(0), Verdict.SKIPPED, "interrupted", Kind.CANCELLED))
    assert loss_words(run.counts) == ["suspect 0", "cut 0", "lost 0"]
    assert (run.words(0), run.counts.events) == ("interrupted", [])


def test_a_query_that_is_split_becomes_several() -> None:
    run = _Run(_plan(1, 1))
    first = run.ask(0)
    run.ask(0)
    assert run.counts.total == 2
    run.add(_done(first))
    assert run.state(0) is State.BUSY


def test_associations_are_those_that_are_used() -> None:
    run = _Run(_plan(1, 99))
    peer = run.plan.peers[0]
    node = run.counts.nodes[peer]
    run.add(*(Associated(peer, at) for at in (1, 2, 3)))
    assert node.in_use == 3
    finds = [run.ask(0) for _ in range(3)]
    run.add(*map(_done, finds))
    run.now = 6.0
    run.answer(0)
    assert node.in_use == 3
    run.now = 12.0
    run.answer(0)
    assert node.in_use == 1  # for so long there was never more than one at a time


def test_the_time_left_is_that_of_the_slowest_node_at_work() -> None:
    run = _Run(_plan(3, 100))
    assert run.counts.seconds_left(0.0) is None
    for second in range(10):
        run.now = float(second)
        run.answer(0, 5)
        run.answer(1, 1)
    run.now = 10.0
    left = run.counts.seconds_left(10.0)
    assert left == pytest.approx(90.0, rel=0.15)
    run.add(Note(run.plan.peers[1], f"parked for 30 s after failures ({REFUSED})"))
    left = run.counts.seconds_left(10.0)
    assert left is not None
    assert left < 50  # nobody knows when that one comes back
    run.add(PeerFailed(run.plan.peers[1], Kind.CONNECT, REFUSED, ""))
    run.answer(0, 50)
    run.answer(2, 100)
    assert run.counts.seconds_left(10.0) == 0.0


def test_memory_does_not_grow_with_queries() -> None:
    run = _Run(_plan(2, 100_000))
    for at in range(500):
        find = run.ask(at % 2)
        run.add(_done(find, Verdict.ABORTED, error=f"trouble {at}", kind=Kind.ABORTED))
    assert len(run.counts.events) == 32
    assert run.counts.events[-1].text == "trouble 499"


# Lines.


def _course(run: _Run) -> None:
    """Something of everything."""
    peers = run.plan.peers
    run.add(PeerFailed(peers[7], Kind.REJECTED, "called AE title not recognized", ""))
    run.add(Note(peers[5], f"parked for 30 s after failures ({REFUSED})"))
    for node in range(10, len(peers)):
        run.answer(node, 3 + node % 4)
    run.answer(20, 100 - 3)
    run.ask(30)
    run.now = 15.0
    for node in (*range(10, 20), *range(21, 30)):
        run.ask(node)
    run.add(_done(run.ask(12), Verdict.REFUSED, error="\x1b[31mA700\nno room", kind=Kind.STATUS))


def test_trouble_is_on_top() -> None:
    run = _Run(_plan())
    _course(run)
    lines = run.lines(100, 60)
    table = [line for line in lines if re.match(r"[✗!▸·✓] node-", line)]
    assert len(table) == 40
    assert [line.split()[0] for line in table] == ["✗", "!", "!", *"▸" * 28, *"·" * 8, "✓"]
    assert [line.split()[1] for line in table[:4]] == ["node-07", "node-05", "node-30", "node-12"]
    assert lines[0].startswith(" asyncfind  night.db  40 nodes")
    assert re.search(r"00:00:15  ETA \d\d:\d\d:\d\d  running$", lines[0])
    assert re.match(r" queries 2\d\d/4,000 ▕.*▏ \d\.\d %   .* q/s ", lines[1])
    assert "29 busy (1 slow)  8 waiting  1 done  1 parked  1 failed" in lines[2]
    assert lines[3] == " losses  suspect 0  cut 0  lost 101  (1 refused, 100 not asked)"
    assert "\\x1b[31mA700\\x0ano room" in lines[-3] + lines[-2] + lines[-1]


@pytest.mark.parametrize(("width", "height", "shown"), [(80, 24, 13), (120, 40, 29)])
def test_what_does_not_fit_is_counted(width: int, height: int, shown: int) -> None:
    run = _Run(_plan())
    _course(run)
    for at in range(5):
        run.add(Note(run.plan.peers[at + 12], f"remark {at}"))
    lines = run.lines(width, height)
    assert len(lines) == height
    table = [line for line in lines if re.match(r"[✗!▸·✓] node-", line)]
    assert len(table) == shown
    more = next(line for line in lines if "more" in line)
    assert more == f"  … {40 - shown} more, 1 of them done"
    assert sum("remark" in line for line in lines) == 5


@given(st.integers(1, 200), st.integers(1, 60), st.integers(1, 50), st.booleans())
def test_no_line_is_wider_nor_are_there_more_than_fit(
    width: int, height: int, nodes: int, is_ascii: bool
) -> None:
    run = _Run(_plan(nodes))
    if nodes > 30:
        _course(run)
    lines = run.lines(width, height, is_ascii=is_ascii)
    assert len(lines) <= height
    assert all(cell_len(line) <= max(1, width - 1) for line in lines)


@pytest.mark.parametrize("name", ["中央病院放射線科画像保管装置", "ノード" * 9, "a" * 70])
def test_wide_names_do_not_wrap(name: str) -> None:
    plan = _plan(4)
    plan = replace(plan, peers=(replace(plan.peers[0], name=name), *plan.peers[1:]))
    run = _Run(plan)
    run.answer(0)
    for width in (20, 40, 80, 120):
        lines = run.lines(width, 20)
        assert all(cell_len(line) < width for line in lines)
        places = {cell_len(line.split("/100")[0]) for line in lines[5:9] if "/100" in line}
        assert len(places) <= 1  # columns stay in line


def test_a_terminal_of_ascii_gets_no_more() -> None:
    run = _Run(_plan())
    _course(run)
    lines = run.lines(120, 40, is_ascii=True)
    assert all(line.isascii() for line in lines)
    assert lines[5].startswith("x node-07")
    assert not any("?" in line for line in lines)


def test_associations_and_their_limit() -> None:
    run = _Run(_plan(2), **{"node-00": 2, "node-01": 4})
    run.add(Associated(run.plan.peers[0], 1))
    run.ask(0)
    lines = run.lines(120)
    assert "assoc 1/6" in lines[2]
    assert [line.split()[4] for line in lines[5:7]] == ["1/2", "0/4"]


def test_bars_and_sparks() -> None:
    assert bar(0, 4) == "░░░░"
    assert bar(0.999, 4) == "███▉"
    assert bar(1, 4) == "████"
    assert spark([0, 4, 8]) == "▁▅█"
    assert spark([0, 0]) == "▁▁"


# The screen.


class _Screen:
    """A terminal and what was drawn on it."""

    def __init__(self, width: int = 40, height: int = 6, **environment: str) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file,
            force_terminal=True,
            color_system="standard",
            width=width,
            height=height,
            _environ=environment,
        )
        self.lines: list[Text] = []
        self.screen = FullScreen(self.console, lambda _: self.lines, patience=3600)

    def draw(self, *lines: str, style: str = "") -> str:
        """What drawing these lines writes."""
        self.lines = [Text(line, style) for line in lines]
        before = len(self.file.getvalue())
        self.screen.draw()
        return self.file.getvalue()[before:]


def test_only_rows_that_changed_are_drawn() -> None:
    one = _Screen()
    first = one.draw("a", "b", "c")
    assert first.startswith("\x1b[?1049h\x1b[?25l")
    assert first.endswith("\x1b[2J\x1b[1;1Ha\x1b[K\x1b[2;1Hb\x1b[K\x1b[3;1Hc\x1b[K\x1b[H")
    assert one.draw("a", "b", "c") == ""
    assert one.draw("a", "B", "c") == "\x1b[2;1HB\x1b[K\x1b[H"
    assert one.draw("a") == "\x1b[2;1H\x1b[K\x1b[3;1H\x1b[K\x1b[H"
    one.screen.stop()
    assert one.file.getvalue().endswith("\x1b[?25h\x1b[?1049l")
    assert one.draw("late") == ""


def test_what_was_typed_on_the_board_does_not_stay() -> None:
    one = _Screen()
    one.draw("a")
    assert [one.draw("a") for _ in range(20)].count("\x1b[1;1Ha\x1b[K\x1b[H") == 1
    one.screen.stop()


def test_a_terminal_that_is_resized_is_drawn_anew() -> None:
    one = _Screen()
    one.draw("a")
    one.console.size = one.console.size._replace(width=50)  # type: ignore[assignment]  # its fields
    assert one.draw("a") == "\x1b[2J\x1b[1;1Ha\x1b[K\x1b[H"
    one.screen.stop()


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_can_be_forbidden(environment: dict[str, str], coloured: bool) -> None:
    one = _Screen(**environment)
    assert ("\x1b[31m" in one.draw("a", style="red")) == coloured
    one.screen.stop()


def test_what_was_never_drawn_needs_no_end() -> None:
    one = _Screen()
    one.screen.start()
    one.screen.stop()
    one.screen.stop()
    assert one.file.getvalue() == ""


def test_the_thread_draws_until_the_end() -> None:
    drawn = threading.Event()

    def lines(_: Size) -> Sequence[Text]:
        drawn.set()
        return [Text("board")]

    one = _Screen()
    screen = FullScreen(one.console, lines, patience=0)
    before = signal.getsignal(signal.SIGTSTP)
    screen.start()
    assert drawn.wait(10)
    screen.stop()
    assert signal.getsignal(signal.SIGTSTP) is before
    assert one.file.getvalue().count("\x1b[?1049h") == one.file.getvalue().count("\x1b[?1049l")


def test_whoever_leaves_at_once_gives_the_terminal_back() -> None:
    source, sink = os.pipe()
    owe(sink, b"restored")
    give_back()
    give_back()
    assert os.read(source, 99) == b"restored"
    owe(sink, b"again")
    settle(sink)
    give_back()
    os.close(sink)
    assert os.read(source, 99) == b""
    os.close(source)


# Renderers.


@pytest.fixture
def board() -> Iterator[Callable[..., tuple[Board, io.StringIO]]]:
    """Make a board on a terminal of its own; it is taken away at the end."""
    boards: list[Board] = []

    def make(width: int = 80, height: int = 24, **options: object) -> tuple[Board, io.StringIO]:
        file = io.StringIO()
        console = Console(
            file=file, force_terminal=True, width=width, height=height, _environ={"NO_COLOR": "1"}
        )
        boards.append(Board(Unshown(), console, console, **options))  # type: ignore[arg-type]  # as given
        return boards[-1], file

    yield make
    for one in boards:
        one.close()


def _said(file: io.StringIO) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).splitlines()


def _summary(code: ExitCode = ExitCode.INCOMPLETE) -> Summary:
    return Summary(exit=code, peers=4, reached=3, queries=1, matches=9, seconds=12.0)


def test_the_end_names_what_is_missing(board: Callable[..., tuple[Board, io.StringIO]]) -> None:
    one, file = board(clock=lambda: 0.0)
    plan = _plan(4)
    run = _Run(plan)
    one.begin(plan)
    one.show([PeerFailed(plan.peers[2], Kind.CONNECT, REFUSED, "Check host and port.")])
    for _ in range(3):
        find = run.find(1)
        done = _done(find, Verdict.REFUSED, error="status A700", kind=Kind.STATUS)
        one.show([FindStarted(find), done])
    one.end(_summary())
    assert _said(file) == [
        f"asyncfind: node-02: {REFUSED}. Check host and port.",
        "asyncfind: node-01: ids.csv:2: status A700.",
        "asyncfind: node-01: 2 more queries: status A700.",
        f"✗ node-02: 100 queries missing: {REFUSED}",
        "! node-01: 3 of 100 queries missing: status A700",
        "9 matches from 3 of 4 nodes in 12.0 s.",
    ]


def test_many_remarks_are_a_few_and_a_count(
    board: Callable[..., tuple[Board, io.StringIO]],
) -> None:
    one, file = board()
    plan = _plan(4)
    one.begin(plan)
    for at in range(1000):
        one.show([Note(plan.peers[0], f"remark {at % 500}")])
    one.show([Note(plan.peers[0], "quiet", warning=False)])
    one.end(_summary(ExitCode.COMPLETE))
    said = _said(file)
    assert len(said) == 22
    assert said[0] == "asyncfind: node-00: remark 0."
    assert said[20] == "asyncfind: ... and 960 remarks more."


def test_an_interrupted_run_has_nothing_missing(
    board: Callable[..., tuple[Board, io.StringIO]],
) -> None:
    one, file = board()
    plan = _plan(4, 1)
    run = _Run(plan)
    one.begin(plan)
    one.show([_unsent(run.find(0), Verdict.SKIPPED, "interrupted", Kind.CANCELLED)])
    one.end(_summary(ExitCode.INTERRUPTED))
    assert _said(file) == ["9 matches from 3 of 4 nodes in 12.0 s; interrupted."]


def test_results_come_above_the_board(study: bytes, summary: Summary, query: Query) -> None:
    """On one terminal the board takes half of it at most and is gone at the end."""
    plan = Plan(peers=_peers(40), queries=(query,))
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24, _environ={})
    table = Streamed(Table(80, has_kinds=True), Screen(console))
    said = io.StringIO()
    messages = Console(file=said, width=80, _environ={})
    one = Board(table, console, messages, is_shared=True)
    one.begin(plan)
    find = Find(plan.peers[0], query, 1, 0)
    match = Match(find, 1, 0xFF00, study, EXPLICIT_VR_LITTLE_ENDIAN.uid)
    one.show([FindStarted(find), match, _done(find, matches=1)])
    assert len(one.lines(Size(80, 12))) == 12
    one.end(summary)
    shown = file.getvalue()
    assert "DOE, JOHN" in shown
    assert "\x1b[?1049h" not in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1
    rows = [row for row in re.split(r"\n", shown) if " nodes  " in row]
    assert rows
    assert said.getvalue() == "1 match from 1 node in 0.5 s.\n"


class _Messages:
    """Takes what is said."""

    def __init__(self) -> None:
        self.lines: list[tuple[Level, str]] = []
        self.came = threading.Event()

    def say(self, level: Level, lines: Iterable[str]) -> None:
        self.lines += [(level, line) for line in lines]
        self.came.set()


def test_where_there_is_no_board_lines_tell_how_it_goes() -> None:
    messages = _Messages()
    plan = _plan(2)
    run = _Run(plan)
    lines = Lines(Unshown(), messages, interval=3600, clock=lambda: run.now)
    lines.begin(plan)
    peer = plan.peers[0]
    lines.show([Note(peer, f"parked for 30 s after failures ({REFUSED})")])
    for _ in range(10):
        find = run.find(1)
        lines.show([FindStarted(find), _match(find), _done(find, matches=1)])
    run.now = 10.0
    lines.tell()
    lines.show([Associated(peer, 1)])
    lines.show([PeerFailed(peer, Kind.CONNECT, REFUSED, "")])
    lines.end(_summary())
    assert messages.lines == [
        (
            Level.INFO,
            (
                "10 of 200 queries (5.0 %), 1.0 queries/s, 1.0 answers/s, 2 min left; "
                "nodes: 1 busy, 1 parked."
            ),
        ),
        (Level.INFO, "node-00: back, going on."),
        (Level.ERROR, f"node-00: 100 queries not asked: {REFUSED}."),
    ]


def test_a_line_comes_also_when_nothing_happens() -> None:
    messages = _Messages()
    lines = Lines(Unshown(), messages, interval=0.001)
    lines.begin(_plan(5))
    assert messages.came.wait(10)
    lines.end(_summary(ExitCode.COMPLETE))
    assert messages.lines[0][1].startswith("0 of 500 queries (0.0 %)")
    assert "time left unknown; nodes: 5 waiting" in messages.lines[0][1]


def test_progress_names_losses() -> None:
    run = _Run(_plan(1, 4))
    run.add(_done(run.ask(0), Verdict.CUT, error="cut", kind=Kind.LIMIT))
    assert progress_words(run.counts, 1.0).endswith("nodes: 1 busy, cut 1.")


# Which of them.


class _Feed(tuple[Query, ...]):
    """A list."""

    __slots__ = ()

    @property
    def columns(self) -> tuple[object, ...]:
        return ()

    @property
    def models(self) -> tuple[object, ...]:
        return ()


@pytest.mark.parametrize(
    ("plan", "is_bulk"),
    [
        (_plan(3, 9), False),
        (_plan(4, 1), True),
        (replace(_plan(1), queries=_Feed((QUERY,))), True),
    ],
)
def test_a_list_or_many_nodes_get_the_board(plan: Plan, is_bulk: bool) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24, _environ={})
    renderer = by_plan_on_screen(Unshown(), console, console, 0, is_shared=True)
    prepare(renderer, "night.db", dict.fromkeys(plan.peers, 2))
    renderer.begin(plan)
    renderer.end(_summary(ExitCode.COMPLETE))
    assert (" night.db " in file.getvalue()) == is_bulk
    assert ("assoc" in file.getvalue()) == is_bulk


def _ends(renderer: Renderer, plan: Plan) -> None:
    renderer.begin(plan)
    renderer.show([PeerFailed(plan.peers[0], Kind.CONNECT, REFUSED, "")])
    renderer.end(_summary())


def test_a_dumb_terminal_gets_lines() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, _environ={"TERM": "dumb"})
    _ends(by_plan_on_screen(Unshown(), console, console, 0), _plan(4))
    assert file.getvalue().splitlines() == [
        f"asyncfind: node-00: {REFUSED}.",
        f"asyncfind: node-00: 100 queries not asked: {REFUSED}.",
        "asyncfind: 9 matches from 3 of 4 nodes in 12.0 s.",
    ]


def test_quiet_is_quiet() -> None:
    messages = _Messages()
    _ends(by_plan_in_lines(Unshown(), messages, -1), _plan(4))
    assert messages.lines == []
