"""From what the user asked for to what is written where."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Plan
from asyncfind.records import FindDone, Match, Summary
from asyncfind.render.choose import FORMATS, choose


class _Bytes(io.BytesIO):
    """Standard output, a terminal or not."""

    def __init__(self, is_terminal: bool = False) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


class _Text(io.StringIO):
    """Standard error, a terminal or not."""

    def __init__(self, is_terminal: bool = False) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture(autouse=True)
def _no_terminal_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def run(
    plan: Plan,
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    summary: Summary,
) -> Callable[..., None]:
    """Show a run by the renderer that `choose` gives for these arguments."""

    def show(format_name: str | None, *arguments: object, **options: object) -> None:
        renderer = choose(format_name, *arguments, **options)  # type: ignore[arg-type]  # as given
        renderer.begin(plan)
        renderer.show([match(study), done()])
        renderer.end(summary)

    return show


@pytest.mark.parametrize(
    ("format_name", "begins"),
    [
        (None, "-----"),
        ("text", "-----"),
        ("table", "Patient  "),
        ("json", '{"queries":['),
        ("ndjson", '{"kind":"match"'),
        ("csv", "node,query,"),
    ],
)
def test_every_format_into_a_pipe(
    run: Callable[..., None], format_name: str | None, begins: str
) -> None:
    stdout, stderr = _Bytes(), _Text(is_terminal=True)
    run(format_name, stdout, stderr)
    assert stdout.getvalue().decode().startswith(begins)
    assert "\x1b" not in stdout.getvalue().decode()
    assert stderr.getvalue() == ""
    assert (format_name or "text") in FORMATS


def test_a_terminal_gets_the_live_table(run: Callable[..., None]) -> None:
    stdout, stderr = _Bytes(is_terminal=True), _Text()
    run(None, stdout, stderr, 0)
    assert "DOE, JOHN" in stdout.getvalue().decode()
    assert "\x1b[?25l" in stdout.getvalue().decode()
    assert stderr.getvalue() == "1 match from 1 node in 0.5 s.\n"


def test_quiet_on_a_terminal_shows_rows_only(run: Callable[..., None]) -> None:
    stdout, stderr = _Bytes(is_terminal=True), _Text(is_terminal=True)
    run(None, stdout, stderr, -1)
    assert "DOE, JOHN" in stdout.getvalue().decode()
    assert "\x1b[?25l" not in stdout.getvalue().decode()
    assert stderr.getvalue() == ""


def test_colours_can_be_forbidden(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stdout, stderr = _Bytes(is_terminal=True), _Text(is_terminal=True)
    run("table", stdout, stderr)
    assert "\x1b[3" not in stdout.getvalue().decode() + stderr.getvalue()
    assert ";3" not in stdout.getvalue().decode() + stderr.getvalue()


def test_a_format_asked_for_on_a_terminal_is_given(run: Callable[..., None]) -> None:
    stdout = _Bytes(is_terminal=True)
    run("ndjson", stdout, _Text(is_terminal=True))
    assert [json.loads(line)["kind"] for line in stdout.getvalue().splitlines()] == [
        *("match", "done", "summary")
    ]


def test_a_file_takes_the_results_and_the_terminal_shows_how_it_goes(
    run: Callable[..., None], tmp_path: Path
) -> None:
    path = tmp_path / "out.ndjson"
    stdout, stderr = _Bytes(is_terminal=True), _Text(is_terminal=True)
    run("ndjson", stdout, stderr, output=str(path))
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3
    assert stdout.getvalue() == b""
    assert "1 match from 1 node in 0.5 s." in stderr.getvalue()


def test_a_file_without_a_terminal_is_silent(run: Callable[..., None], tmp_path: Path) -> None:
    stdout, stderr = _Bytes(), _Text()
    run(None, stdout, stderr, output=str(tmp_path / "out.txt"))
    assert (tmp_path / "out.txt").read_text(encoding="utf-8").startswith("-----")
    assert stdout.getvalue() == b""
    assert stderr.getvalue() == ""


def test_a_file_that_cannot_be_made_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        choose("csv", _Bytes(), _Text(), output=str(tmp_path / "no" / "out.csv"))


def test_the_width_of_a_table_in_a_pipe(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = {}
    for columns in ("", "60"):
        monkeypatch.setenv("COLUMNS", columns)
        stdout = _Bytes()
        run("table", stdout, _Text())
        widths[columns] = len(stdout.getvalue().decode().splitlines()[0])
    assert widths[""] > 60 >= widths["60"]


@pytest.mark.parametrize("format_name", ["text", "ndjson"])
def test_what_goes_into_a_pipe_needs_neither_rich_nor_pydicom(format_name: str) -> None:
    """Both cost more at start-up than all the rest together."""
    code = (
        "import io, sys\n"
        "from asyncfind.render.choose import choose\n"
        f"choose({format_name!r}, io.BytesIO(), io.StringIO(), 0)\n"
        "sys.exit(sum(name in sys.modules for name in ('rich', 'pydicom')))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
