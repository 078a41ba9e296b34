"""The board of a bulk run as a person at a terminal gets it, and what a pipe gets instead."""

import re
import subprocess
from pathlib import Path

import pytest
from commands import STUDIES, Hall, at_terminal, command, environment, run

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
DEAD = 1
"""A port at which nobody listens."""


def _line(hall: Hall, folder: Path, *, rows: int = 60, good: int = 3) -> list[str | Path]:
    """A list for a few slow archives and one that is not there."""
    ports = [hall.archive(studies=20, delay=0.02) for _ in range(good)]
    book = folder / "nodes.toml"
    book.write_text(
        "".join(
            f'[node.node-{at}]\nhost = "127.0.0.1"\nport = {port}\ngroups = ["ring"]\n'
            "max_associations = 1\n"
            for at, port in enumerate([*ports, DEAD])
        )
    )
    ids = folder / "ids.csv"
    ids.write_text("PatientID\n" + "".join(f"{at}*\n" for at in range(rows)))
    return [*STUDIES, "--nodes", book, "--node", "@ring", "--batch", ids, "--peer-give-up", "1"]


def _plain(text: str) -> list[str]:
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_a_job_is_watched_and_says_what_is_missing(hall: Hall, tmp_path: Path) -> None:
    line = [*_line(hall, tmp_path), "--job", tmp_path / "night.db", "--format", "csv"]
    code, screen = at_terminal([*line, "--output", tmp_path / "found.csv"], "", "")
    assert code == 4
    assert screen.count(ENTER) == screen.count(LEAVE) == 1
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") == 1
    before, _, rest = screen.partition(ENTER)
    board, _, after = rest.partition(LEAVE)
    assert before.strip() == ""  # what was typed
    assert "night.db" in board
    assert re.search(r"queries [\d,]+/240 ", "".join(_plain(board)))
    said = _plain(after)
    assert any(one.startswith("✗ node-3: 60 queries missing: connection ref") for one in said)
    assert any("60 of 240 queries not complete: 60 unreached." in one for one in said)
    joined = "".join(said)
    assert f"asyncfind --resume {tmp_path}/night.db --retry-failed" in joined


def test_an_interruption_gives_the_terminal_back(hall: Hall, tmp_path: Path) -> None:
    line = _line(hall, tmp_path, rows=2000)
    line += ["--job", tmp_path / "night.db", "--format", "csv", "--output", tmp_path / "found.csv"]
    code, screen = at_terminal(line, " q/s", "\x03")
    assert code == 130
    assert screen.count(ENTER) == screen.count(LEAVE) == 1
    after = "".join(_plain(screen.partition(LEAVE)[2]))
    assert "interrupted." in after
    assert f"to go on: asyncfind --resume {tmp_path}/night.db" in after


def test_results_and_board_share_a_terminal(hall: Hall, tmp_path: Path) -> None:
    code, screen = at_terminal(_line(hall, tmp_path), "", "")
    assert code == 4
    assert ENTER not in screen
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") == 1
    assert re.search(r"queries [\d,]+/240 ", "".join(_plain(screen)))
    assert "nothing keeps which queries are missing" in screen.replace("\r\n", "")


def test_a_short_run_flashes_nothing(hall: Hall, tmp_path: Path) -> None:
    port = hall.archive(studies=5)
    ids = tmp_path / "ids.csv"
    ids.write_text("PatientID\n1*\n")
    line = [*STUDIES, "localhost", port, "--batch", ids, "--job", tmp_path / "j.db"]
    code, screen = at_terminal(line, "", "")
    assert code == 0
    assert ENTER not in screen


@pytest.mark.parametrize("quiet", [False, True])
def test_a_pipe_gets_lines_and_no_control_characters(
    hall: Hall, tmp_path: Path, quiet: bool
) -> None:
    line = [*_line(hall, tmp_path, rows=5), "--format", "csv", *(["-q"] if quiet else [])]
    done = run(*line)
    assert done.returncode == 4
    assert "\x1b" not in done.stderr
    if quiet:
        assert done.stderr == ""
        return
    lines = done.stderr.splitlines()
    assert any(one.startswith("asyncfind: node-3: 5 queries not asked: conn") for one in lines)
    assert lines[-1].startswith("asyncfind: nothing keeps which queries are missing")
    assert "5 of 20 queries not complete: 5 unreached." in lines[-2]


def test_a_pipe_hears_every_ten_seconds_how_it_goes(hall: Hall, tmp_path: Path) -> None:
    line = [*_line(hall, tmp_path, rows=500), "--rate", "5/s", "--format", "csv"]
    with subprocess.Popen(
        command(*line),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stderr is not None
        told = next(one for one in process.stderr if "queries/s" in one)
        process.terminate()
        process.communicate(timeout=20)
    assert re.fullmatch(
        r"asyncfind: [\d,]+ of 2,000 queries \(\d\.\d %\), \d+\.\d queries/s, \d+\.\d answers/s, "
        r"\d+ \w+ left; nodes: 3 busy, 1 failed, lost 500\.\n",
        told,
    )
