"""The help: all of it, readable at any width, painted only where that is wanted."""

import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from itertools import pairwise

import pytest

from asyncfind.cli.echo import echo
from asyncfind.cli.find import find
from asyncfind.cli.help import EXAMPLES, Example, cut_command, exit_codes, prose
from asyncfind.cli.options import ECHO, FIND, Option

_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
_COMMANDS = [
    "find",
    "job",
    "nodes",
    "echo",
    "load",
    "archive",
    "demo",
    "findscu",
    "completion",
    "man",
]
_COLOURS = {str(code) for code in (*range(30, 38), *range(40, 48), *range(90, 98), 38, 48)}
_LINES = [example for examples in EXAMPLES.values() for example in examples]


def _environment(**changes: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR", "TERM", "COLORTERM")
    }
    return kept | {"TERM": "xterm-256color"} | changes


def _help(*arguments: str, **changes: str) -> str:
    """The help in a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "asyncfind", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_environment(**changes),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _at_terminal(*arguments: str, columns: int, **changes: str) -> str:
    """The help on a terminal of so many columns."""
    terminal, end = pty.openpty()
    ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    line = [sys.executable, "-m", "asyncfind", *arguments]
    with subprocess.Popen(
        line, stdin=end, stdout=end, stderr=end, env=_environment(**changes)
    ) as process:
        os.close(end)
        screen = b""
        while select.select([terminal], [], [], 30)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # Linux's end of a terminal
                break
            screen += data
        assert process.wait(30) == 0, screen
    os.close(terminal)
    return screen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(("name", "table"), [("find", FIND), ("echo", ECHO)])
def test_the_help_has_every_option(name: str, table: tuple[Option, ...]) -> None:
    shown = _help(name, "--help")
    words = shown.replace(",", " ").split()
    for row in table:
        assert row.long in words
        assert not row.short or row.short in words
        assert f"{row.long} {row.metavar}".rstrip() in shown
    text = " ".join(shown.split())
    for row in table:
        assert row.help in text
    assert shown == _help(name, "-h")


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_no_line_is_wider_than_the_screen(columns: int) -> None:
    for name in ("find", "echo"):
        lines = _help(name, "--help", COLUMNS=str(columns)).splitlines()
        assert [line for line in lines if len(line) > columns or line != line.rstrip()] == []


def test_a_narrow_screen_loses_nothing() -> None:
    narrow, wide = (_help("find", "--help", COLUMNS=columns) for columns in ("10", "120"))
    assert narrow.replace("\\", "").split() == wide.replace("\\", "").split()


@pytest.mark.parametrize("columns", [80, 120])
def test_texts_stand_in_one_column(columns: int) -> None:
    lines = _help("find", "--help", COLUMNS=str(columns)).splitlines()
    starts = set()
    for row in FIND:
        (line,) = (line for line in lines if line[8:].split(" ")[0] == row.long)
        rest = line.partition(f"{row.long} {row.metavar}".rstrip())[2]
        if rest:
            starts.add(len(line) - len(rest.lstrip()))
            assert rest.startswith("  ")
    assert len(starts) == 1


def test_groups_keep_their_capitals() -> None:
    shown = _help("find", "--help")
    assert "\nTLS:\n" in shown
    assert "\nTLS security profile:\n" in shown
    assert "\nQuery information model:\n" in shown


def test_the_examples_and_the_exit_codes_stand_last() -> None:
    *_, examples, codes, more = re.split(r"\n\n(?=[ETe])", _help("find", "--help"))
    assert examples.startswith("Examples:")
    assert codes.startswith("Exit codes:\n  0    everything complete\n")
    assert "asyncfind man" in more


@pytest.mark.parametrize("example", _LINES, ids=lambda example: example.what)
@pytest.mark.parametrize("width", [50, 80, 90])
def test_an_example_can_be_copied_at_any_width(example: Example, width: int) -> None:
    pieces = list(cut_command(example.line, width))
    assert all(piece.endswith(" \\") for piece in pieces[:-1])
    joined = "\n".join(pieces).replace("\\\n", "")
    assert shlex.split(joined) == shlex.split(example.line)
    assert all(shlex.split(piece.removesuffix("\\")) for piece in pieces)  # no quote is torn


@pytest.mark.parametrize(
    "example",
    [example for name in ("find", "echo") for example in EXAMPLES[name]],
    ids=lambda example: example.what,
)
def test_every_example_is_a_line_that_we_take(example: Example) -> None:
    program, *words = shlex.split(example.line.partition(" | ")[0])
    assert program == "asyncfind"
    command = echo if words[0] == "echo" else find
    words = words[1:] if words[0] == "echo" else words
    context = command.make_context(command.name, words)
    assert context.params["parameters"] or context.params["nodes"]


def test_in_a_pipe_it_is_plain_text() -> None:
    for line in (["--help"], ["find", "--help"], ["echo", "--help"]):
        assert "\x1b" not in _help(*line)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_the_same_text_painted(columns: int) -> None:
    for line in (["--help"], ["find", "--help"], ["echo", "--help"]):
        screen = _at_terminal(*line, columns=columns)
        codes = {code for found in _ESCAPE.findall(screen) for code in found.split(";")}
        assert {"1", "2", "36"} <= codes  # bold, dim, cyan
        plain = "\n".join(text.rstrip() for text in _ESCAPE.sub("", screen).splitlines())
        assert plain + "\n" == _help(*line, COLUMNS=str(columns))


def test_no_color_takes_the_colours_and_leaves_the_weight() -> None:
    screen = _at_terminal("find", "--help", columns=80, NO_COLOR="1")
    codes = {code for found in _ESCAPE.findall(screen) for code in found.split(";")}
    assert "1" in codes
    assert not codes & _COLOURS


def test_a_dumb_terminal_gets_plain_text() -> None:
    for line in (["--help"], ["find", "--help"]):
        assert "\x1b" not in _at_terminal(*line, columns=80, TERM="dumb")


def test_the_program_lists_its_commands() -> None:
    shown = _help("--help")
    _, _, commands = shown.partition("Commands:\n")
    assert [line.split()[0] for line in commands.partition("\n\n")[0].splitlines()] == _COMMANDS
    assert shown == _help() == _help("-h")
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_no_command_that_is_listed_is_missing() -> None:
    for name in _COMMANDS:
        words = _help(name, "--help")
        assert "sage: " in words


@pytest.mark.parametrize("line", [["--help"], ["find", "--help"], ["echo", "--help"]])
def test_a_pipe_waits_for_nothing_that_only_a_terminal_needs(line: list[str]) -> None:
    code = (
        f"import sys\nfrom asyncfind.cli.app import _run\n_run({line})\n"
        "print([name for name in ('pydicom', 'rich', 'asyncfind.net') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_prose_leaves_out_what_is_not_to_be_filled() -> None:
    assert prose("One\n    two.\n\n    \b\n    a\n    b\n\n    Three.\n") == ["One two.", "Three."]


def test_exit_codes_are_read_from_the_epilog() -> None:
    assert exit_codes("Exit codes: 0 all, of it, 2 none.") == [("0", "all, of it"), ("2", "none")]
    assert exit_codes("") == []
    codes = [int(code) for code, _ in exit_codes(find.epilog or "")]
    assert all(one < other for one, other in pairwise(codes))
