"""What a person at a terminal sees."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from rich.cells import cell_len
from rich.console import Console

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan, Query
from asyncfind.records import (
    Associated,
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
from asyncfind.render.live import OnScreen, Screen, console_for, text_of
from asyncfind.render.stream import Streamed
from asyncfind.render.table import Table

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class _Terminal:
    """A screen of OnScreen: its console, its clock and all it was sent."""

    def __init__(self, width: int = 80, height: int = 24, verbosity: int = 0) -> None:
        self.now = 0.0
        self._shown = io.StringIO()
        self._said = io.StringIO()
        console = Console(
            file=self._shown, force_terminal=True, width=width, height=height, _environ={}
        )
        messages = Console(file=self._said, width=width, _environ={})
        table = Streamed(Table(width, has_kinds=True), Screen(console))
        self.renderer = OnScreen(table, console, messages, verbosity, clock=lambda: self.now)

    def frame(self) -> list[str]:
        """The progress lines as they are now, without styles."""
        self.now += 1.0
        return [str(line) for line in self.renderer._progress().renderables]  # noqa: SLF001

    @property
    def shown(self) -> str:
        return self._shown.getvalue()

    @property
    def said(self) -> list[str]:
        return self._said.getvalue().splitlines()


@pytest.fixture
def terminal() -> Iterator[_Terminal]:
    one = _Terminal()
    yield one
    one.renderer._live.stop()  # noqa: SLF001 - what `end` does, where a test does not come to it


def _many(count: int, query: Query) -> Plan:
    peers = tuple(Peer(host=f"h{at}", port=104, called=f"PACS{at}") for at in range(count))
    return Plan(peers=peers, queries=(query,), repeat=2)


def test_a_run_from_begin_to_end(
    terminal: _Terminal,
    plan: Plan,
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    summary: Summary,
) -> None:
    find = match(study).find
    terminal.renderer.begin(plan)
    assert terminal.frame() == ["· NORTH  0/1 queries        0 matches     1.0 s  connecting"]
    terminal.renderer.show([Associated(plan.peers[0], 1)])
    assert terminal.frame()[0].endswith("connected")
    terminal.renderer.show([FindStarted(find)])
    assert terminal.frame()[0].endswith("asked")
    terminal.renderer.show([match(study)])
    frame = terminal.frame()
    assert frame == ["▸ NORTH  0/1 queries          1 match     4.0 s  answers are coming"]
    terminal.renderer.show([done()])
    terminal.now = 60.0
    assert terminal.frame() == ["✓ NORTH  1/1 queries          1 match     4.0 s  done"]
    terminal.renderer.end(summary)
    rows = [line for line in CONTROL.sub("", terminal.shown).splitlines() if "DOE" in line]
    assert [row.split() for row in rows] == [["DOE,", "JOHN", "2024-01-02", "1.2.3"]]
    assert terminal.said == ["1 match from 1 node in 0.5 s."]
    assert terminal.shown.count("\x1b[?25l") == terminal.shown.count("\x1b[?25h") == 1


def test_rows_come_above_the_progress_which_goes_away(
    terminal: _Terminal,
    plan: Plan,
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    summary: Summary,
) -> None:
    terminal.renderer.begin(plan)
    terminal.renderer.show([match(study)])
    terminal.renderer.show([match(study, 2), done(matches=2)])
    terminal.renderer.end(summary)
    assert _screen(terminal.shown) == [
        "Patient                   Patient ID      Study date  Study UID",
        "DOE, JOHN                                 2024-01-02  1.2.3",
        "DOE, JOHN                                 2024-01-02  1.2.3",
    ]


def _screen(text: str) -> list[str]:
    """What is left on a screen: a terminal that knows only what rich's Live uses."""
    rows = [""]
    row = column = 0
    for found in re.finditer(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+", text):
        part = found[0]
        if part == "\n":
            row, column = row + 1, 0
        elif part == "\r":
            column = 0
        elif found[2] == "A":
            row -= int(found[1] or 1)
        elif found[2] == "K":
            rows[row] = ""
        elif found[2] is None:
            rows[row] = rows[row][:column].ljust(column) + part
            column += len(part)
        rows += [""] * (row + 1 - len(rows))
    return [line.rstrip() for line in rows if line.strip()]


def test_verbose_tells_how_an_association_is_secured(plan: Plan, summary: Summary) -> None:
    terminal = _Terminal(verbosity=1)
    terminal.renderer.begin(plan)
    terminal.renderer.show([Associated(plan.peers[0], 1, secured="TLSv1.3, valid until 2030")])
    terminal.renderer.end(summary)
    said = terminal.said[0]
    assert said == "asyncfind: NORTH@north:104: TLSv1.3, valid until 2030."


def test_trouble_is_on_top_and_what_does_not_fit_is_counted(
    query: Query, done: Callable[..., FindDone], summary: Summary
) -> None:
    terminal = _Terminal(width=80, height=16)
    plan = _many(20, query)
    records: list[Record] = [Associated(peer, 1) for peer in plan.peers[5:]]
    for peer in plan.peers[10:]:
        records += [done(of=Find(peer, query, repeat, 0)) for repeat in (1, 2)]
    records.append(PeerFailed(plan.peers[3], Kind.CONNECT, "connection refused", "Check it."))
    terminal.renderer.begin(plan)
    terminal.renderer.show(records)
    frame = terminal.frame()
    assert len(frame) == 6  # half of the height, less two
    assert [line.split()[1] for line in frame[:5]] == ["PACS3", "PACS5", "PACS6", "PACS7", "PACS8"]
    assert frame[0].endswith("connection refused")
    assert frame[5] == "  … 15 more, 10 of them done"
    terminal.renderer.end(replace(summary, peers=20, reached=15))
    assert len(terminal.said) == 1 + 20 + 1 + 1  # blank, a line a peer, the trouble, the summary


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(
    query: Query, done: Callable[..., FindDone], summary: Summary, width: int
) -> None:
    terminal = _Terminal(width=width)
    peers = tuple(
        Peer(host=f"{at}.hospital.example", port=104, called="長い" * 4) for at in range(3)
    )
    plan = Plan(peers=peers, queries=(query,), repeat=1000)
    terminal.renderer.begin(plan)
    error = "a long story about what happened, told in many words and more besides"
    terminal.renderer.show([PeerFailed(peer, Kind.CONNECT, error, "") for peer in peers[:2]])
    assert all(cell_len(line) < width for line in terminal.frame())
    terminal.renderer.end(summary)


def test_the_closing_summary_tells_each_trouble_and_what_to_do(
    terminal: _Terminal,
    peers: tuple[Peer, ...],
    query: Query,
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    summary: Summary,
) -> None:
    plan = Plan(peers=peers, queries=(query,))
    north, south = (Find(peer, query, 1, at) for at, peer in enumerate(peers))
    failed = done(
        Verdict.REFUSED,
        of=south,
        matches=0,
        error="status A700: out of resources",
        hint="Ask for less.",
        kind=Kind.STATUS,
    )
    terminal.renderer.begin(plan)
    terminal.renderer.show([match(study, of=north), done(of=north), Note(peers[0], "is slow")])
    terminal.renderer.show([failed])
    terminal.renderer.end(
        replace(
            summary,
            exit=ExitCode.INCOMPLETE,
            peers=2,
            reached=2,
            queries=2,
            failed={failed.verdict: 1},
        )
    )
    assert terminal.said == [
        "",
        "✗ SOUTH  1/1 queries        0 matches     0.0 s  status A700: out of resources",
        "✓ NORTH  1/1 queries          1 match     0.0 s  done",
        "asyncfind: NORTH@north:104: is slow.",
        "asyncfind: SOUTH@south:104: status A700: out of resources. Ask for less.",
        "1 match from 2 nodes in 0.5 s; 1 of 2 queries not complete: 1 refused.",
    ]


def test_verbose_shows_the_notes_that_are_no_warnings(plan: Plan, summary: Summary) -> None:
    note = Note(plan.peers[0], "no further association", warning=False)
    for verbosity in (0, 1):
        terminal = _Terminal(verbosity=verbosity)
        terminal.renderer.begin(plan)
        terminal.renderer.show([note])
        terminal.renderer.end(summary)
        assert len(terminal.said) == 1 + verbosity


def test_the_progress_is_made_at_most_eight_times_a_second(terminal: _Terminal, plan: Plan) -> None:
    terminal.renderer.begin(plan)
    frames = []
    for step in range(17):
        terminal.now = 10.0 + step / 16
        frames.append(terminal.renderer._progress())  # noqa: SLF001 - counts redraws
    assert sum(one is not other for one, other in pairwise(frames)) == 8


def test_hostile_text_acts_on_no_terminal(
    terminal: _Terminal, plan: Plan, match: Callable[..., Match], summary: Summary
) -> None:
    value = b"\x1b]0;title\x07[blink]\x1b[2J "
    identifier = bytes.fromhex("10001000 504e") + len(value).to_bytes(2, "little") + value
    terminal.renderer.begin(plan)
    terminal.renderer.show([PeerFailed(plan.peers[0], Kind.DNS, "\x1b[2J[red]no[/red]", "")])
    terminal.renderer.show([match(identifier), match(b"\1", 2)])
    terminal.renderer.end(summary)
    everything = terminal.shown + "\n".join(terminal.said)
    assert "\x1b[2J" not in everything
    assert "\x1b]" not in everything
    assert "\x07" not in everything
    assert "\\x1b]0;title\\x07[bl" in everything
    assert "[red]no[/red]" in everything


def test_a_dumb_terminal_gets_plain_lines(
    plan: Plan,
    study: bytes,
    match: Callable[..., Match],
    summary: Summary,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dumb(io.BytesIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    stream, said = Dumb(), io.StringIO()
    console = console_for(text_of(stream))
    renderer = OnScreen(
        Streamed(Table(console.width, has_kinds=True), Screen(console)), console, console_for(said)
    )
    renderer.begin(plan)
    renderer.show([match(study)])
    renderer.end(summary)
    lines = stream.getvalue().decode().splitlines()
    assert [line.split()[0] for line in lines] == ["Patient", "DOE,"]
    assert all(line.isprintable() for line in lines)


def test_a_screen_takes_bytes_cut_anywhere() -> None:
    shown = io.StringIO()
    screen = Screen(Console(file=shown, width=80))
    data = "rMüller 山田\nhNode\n".encode()
    for at in range(len(data)):
        screen.write(data[at : at + 1])
        screen.flush()
    screen.publish()
    assert shown.getvalue() == "Müller 山田\nNode\n"
