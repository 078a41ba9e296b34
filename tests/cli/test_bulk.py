"""Lists, jobs and pace from the command line: nothing lost, nothing asked twice."""

import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import STUDIES, Hall, Recorder, Run, command, environment, run

from asyncfind.scp.script import GOOD, aborts_after, always


def _book(folder: Path, **nodes: Sequence[str]) -> str:
    """A node book; each node is its port, then further lines."""
    file = folder / "nodes.toml"
    file.write_text(
        "".join(
            f'[node.{name}]\nhost = "127.0.0.1"\nport = {port}\ngroups = ["ring"]\n'
            + "".join(f"{line}\n" for line in lines)
            for name, (port, *lines) in nodes.items()
        )
    )
    return str(file)


def _list(folder: Path, count: int, *, nodes: Sequence[str] = ()) -> str:
    """A list of `count` queries."""
    file = folder / "ids.csv"
    rows = [
        f"{index}*" + (f",{nodes[index % len(nodes)]}" if nodes else "") for index in range(count)
    ]
    file.write_text("\n".join(["PatientID" + (",node" if nodes else ""), *rows]) + "\n")
    return str(file)


def _rows(done: Run) -> list[tuple[str, ...]]:
    """Header and rows, but for what two runs do not share: times, and verdicts that a job has."""
    header, *rows = csv.reader(io.StringIO(done.stdout))
    places = [at for at, name in enumerate(header) if name not in ("time", "verdict")]
    return sorted(tuple(row[at] for at in places) for row in (header, *rows))


def test_a_list_is_asked_of_the_nodes_of_a_group(hall: Hall, tmp_path: Path) -> None:
    north, south = Recorder(3), Recorder(2)
    book = _book(tmp_path, north=[hall.serve(north)], south=[hall.serve(south)])
    ids = _list(tmp_path, 40)
    done = run(*STUDIES, "--nodes", book, "--node", "@ring", "--batch", ids, "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = csv.reader(io.StringIO(done.stdout))
    assert header == [
        "node",
        "query",
        "repeat",
        "number",
        "status",
        "time",
        "flags",
        "StudyInstanceUID",
        "PatientID",
    ]
    assert len(rows) == 40 * 5
    assert {(row[0], row[1]) for row in rows} == {
        (node, f"ids.csv:{line}") for node in ("north", "south") for line in range(2, 42)
    }


def test_a_column_says_whom_to_ask(hall: Hall, tmp_path: Path) -> None:
    north, south = Recorder(1), Recorder(1)
    book = _book(tmp_path, north=[hall.serve(north)], south=[hall.serve(south)])
    ids = _list(tmp_path, 9, nodes=("north", "@ring", "south"))
    done = run(*STUDIES, "--nodes", book, "--batch", ids, "--format", "ndjson")
    assert (done.returncode, done.stderr) == (0, "")
    assert (len(north.asked), len(south.asked)) == (6, 6)


def test_bad_rows_are_named_before_anything_is_sent(hall: Hall, tmp_path: Path) -> None:
    server = Recorder()
    ids = tmp_path / "ids.csv"
    ids.write_text("PatientID,node\n1,here\n2,nowhere\n")
    book = _book(tmp_path, here=[hall.serve(server)])
    done = run(*STUDIES, "--nodes", book, "--batch", ids)
    assert done.returncode == 1
    assert "line 3: there is no node 'nowhere'" in done.stderr
    assert not server.requests


def test_standard_input_is_a_list(hall: Hall) -> None:
    server = Recorder(1)
    lines = "".join(json.dumps({"PatientID": str(number)}) + "\n" for number in range(5))
    port = hall.serve(server)
    done = run(*STUDIES, "localhost", port, "--batch", "-", "--format", "ndjson", input=lines)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.asked) == 5


@pytest.mark.parametrize("capped", [True, False])
def test_the_book_caps_associations(hall: Hall, tmp_path: Path, capped: bool) -> None:
    server = Recorder(1)
    cap = ["max_associations = 1"] if capped else []
    book = _book(tmp_path, one=[hall.serve(server), *cap])
    ids = _list(tmp_path, 300)
    line = (*STUDIES, "--nodes", book, "--node", "one", "--batch", ids, "--associations", "8")
    assert run(*line).returncode == 0
    assert (server.counters.peak == 1) == capped
    assert len(server.asked) == 300


def test_a_rate_holds(hall: Hall, tmp_path: Path) -> None:
    server = Recorder(1)
    ids = _list(tmp_path, 25)
    started = time.monotonic()
    done = run(*STUDIES, "localhost", hall.serve(server), "--batch", ids, "--rate", "10/s")
    assert (done.returncode, len(server.asked)) == (0, 25)
    assert time.monotonic() - started > 1.4  # ten at once, then one in each tenth of a second


def test_outside_its_hours_nothing_is_sent(hall: Hall, tmp_path: Path) -> None:
    server = Recorder(1)
    hour = (time.localtime().tm_hour + 12) % 24
    line = (*STUDIES, "localhost", hall.serve(server), "--batch", _list(tmp_path, 3))
    with subprocess.Popen(
        command(*line, "--between", f"{hour:02}:00-{hour:02}:30"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stderr is not None
        assert "until its hours begin" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130
    assert not server.requests


@pytest.mark.parametrize("retries", [True, False])
def test_what_may_pass_is_asked_again(hall: Hall, tmp_path: Path, retries: bool) -> None:
    server = Recorder(1, scripts=always(aborts_after(0)))
    line = [*STUDIES, "localhost", hall.serve(server), "--batch", _list(tmp_path, 1)]
    done = run(*line, *([] if retries else ["--no-retry"]))
    assert done.returncode == 4
    assert server.counters.queries == (2 if retries else 1)


def test_a_peer_in_trouble_is_given_up(tmp_path: Path) -> None:
    ids = _list(tmp_path, 3)
    done = run(*STUDIES, "localhost", "1", "--batch", ids, "--peer-give-up", "1")
    assert done.returncode == 2
    assert "3 of 3 queries not complete: 3 unreached" in done.stderr


def test_a_pace_alone_makes_nobody_wait_for_a_dead_archive() -> None:
    done = run(*STUDIES, "localhost", "1", "--rate", "5/s")
    assert done.returncode == 2
    assert "connection refused" in done.stderr


def test_a_dry_run_tells_when_the_hours_begin() -> None:
    hour = (time.localtime().tm_hour + 12) % 24
    done = run(*STUDIES, "localhost", "104", "--between", f"{hour:02}:00-{hour:02}:30", "--dry-run")
    assert re.search(rf"not before \w+ {hour:02}:00", done.stdout)


def test_a_dry_run_sends_nothing(hall: Hall, tmp_path: Path) -> None:
    server = Recorder(1)
    book = _book(tmp_path, one=[hall.serve(server), 'rate = "5/s"', "max_associations = 2"])
    ids = _list(tmp_path, 600)
    done = run(*STUDIES, "--nodes", book, "--node", "one", "--batch", ids, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "one: 600 queries, at most 2 associations, 5/s, about 2 min" in done.stdout
    assert not server.requests


def test_a_job_keeps_what_the_same_run_would_show(hall: Hall, tmp_path: Path) -> None:
    port = hall.archive(studies=200)
    line = [*STUDIES, "localhost", port, "--batch", _list(tmp_path, 10), "--format", "csv"]
    shown = run(*line)
    file = tmp_path / "night.db"
    kept = run(*line, "--job", file)
    assert (kept.returncode, kept.stderr) == (0, "")
    assert _rows(kept) == _rows(shown)
    status = run("job", "status", file)
    assert status.returncode == 0
    assert "10 of 10 queries done" in status.stdout
    exported = run("job", "export", file, "--format", "csv")
    assert (exported.returncode, exported.stdout) == (0, kept.stdout)
    again = run(*line, "--job", file)
    assert (again.returncode, again.stdout) == (1, "")
    assert "Use --resume" in again.stderr


def test_failed_queries_are_asked_again_on_request(hall: Hall, tmp_path: Path) -> None:
    server = Recorder(2, scripts=lambda number: aborts_after(1) if number <= 2 else GOOD)
    file = tmp_path / "j.db"
    port = hall.serve(server)
    ids = _list(tmp_path, 4)
    first = run(*STUDIES, "localhost", port, "--batch", ids, "--job", file, "--no-retry")
    assert first.returncode == 4
    assert f"--resume {file} --retry-failed" in first.stderr
    asked = len(server.asked)
    same = run("--resume", file, "--format", "ndjson")
    assert same.returncode == 4
    assert len(server.asked) == asked
    whole = run("--resume", file, "--retry-failed", "--format", "csv")
    assert (whole.returncode, len(_rows(whole))) == (0, 1 + 4 * 2)


def test_a_killed_job_goes_on_and_loses_nothing(hall: Hall, tmp_path: Path) -> None:
    port = hall.archive(studies=300, delay=0.002)
    ids = _list(tmp_path, 200)
    line = [*STUDIES, "localhost", port, "--batch", ids, "--format", "csv"]
    truth = _rows(run(*line))
    file = tmp_path / "j.db"
    run_line = [*line, "--job", str(file)]
    for number in range(6):
        with subprocess.Popen(
            command(*run_line),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        ) as process:
            while not file.exists() and process.poll() is None:
                time.sleep(0.01)
            time.sleep(0.15 + 0.07 * number)
            process.kill()
        run_line = ["--resume", str(file), "--format", "csv"]
    done = run(*run_line)
    assert (done.returncode, done.stderr) == (0, "")
    assert _rows(done) == truth


def test_an_interrupted_job_says_how_to_go_on(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "j.db"
    port = hall.archive(studies=30, delay=0.05)
    line = [*STUDIES, "localhost", port, "--batch", _list(tmp_path, 400), "--job", str(file)]
    with subprocess.Popen(
        command(*line), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        while not file.exists():
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert f"to go on: asyncfind --resume {file}" in err
    status = run("job", "status", file, "--json")
    assert status.returncode == 4
    assert json.loads(status.stdout)["complete"] is False


def test_a_full_disk_ends_a_job_with_a_sentence(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "j.db"
    port = hall.archive(studies=2000)
    line = [*STUDIES, "localhost", port, "--batch", _list(tmp_path, 300), "--job", str(file)]
    limited = subprocess.run(
        ["prlimit", "--fsize=400000", *command(*line)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert limited.returncode == 4
    assert "Traceback" not in limited.stderr
    assert str(file) in limited.stderr
    kept = sqlite3.connect(file).execute("SELECT count(*) FROM query WHERE state = 'done'")
    (before,) = kept.fetchone()
    done = run("--resume", file, "--format", "csv")
    assert done.returncode == 0
    assert before < 300
    assert "300 of 300 queries done" in run("job", "status", file).stdout


def test_a_job_has_a_file_of_any_name(hall: Hall, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/odd \xff %20?x#.db")
    line = [*STUDIES, "localhost", hall.archive(), "--batch", _list(tmp_path, 3), "--job", name]
    assert run(*line).returncode == 0
    assert "3 of 3 queries done" in run("job", "status", name).stdout
    assert run("--resume", name).returncode == 0


def test_a_full_disk_damages_no_journal(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "j.db"
    line = [*STUDIES, "localhost", hall.archive(), "--batch", _list(tmp_path, 3), "--job", file]
    assert run(*line).returncode == 0
    limited = subprocess.run(
        ["prlimit", "--fsize=3000", *command("job", "status", str(file))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert limited.returncode == 1
    assert "cannot be read now" in limited.stderr
    assert run("job", "status", file).returncode == 0


def test_a_job_asks_nobody_else(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "j.db"
    line = [*STUDIES, "localhost", hall.archive(), "--batch", _list(tmp_path, 3), "--job", file]
    assert run(*line).returncode == 0
    done = run("--resume", file, "--node", "X@localhost:1")
    assert done.returncode == 1
    assert "the job does not ask X@localhost:1" in done.stderr


def test_what_failed_is_the_job_s_to_know() -> None:
    done = run("--retry-failed")
    assert done.returncode == 1
    assert "--retry-failed without --resume" in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--resume", "b"], "there is no job b"),
        (["--resume", "b", "--job", "a"], "--resume with a query, a peer or another job"),
        (["--retry-failed", "--dry-run"], "--retry-failed without --resume"),
        (["--rate", "fast"], "--rate 'fast' is none"),
        (["--between", "night"], "--between names no time of the day"),
        (["--rate", "1/s", "--async", "4"], "--async not allowed"),
        (["--batch", "nofile.csv"], "cannot be read"),
        (["--node", "@nobody"], "there is no group '@nobody'"),
        (["--nodes", "nobook.toml", "--node", "x"], "there is no node book nobook.toml"),
        (["--job", "j", "--repeat", "2"], "--job and --repeat"),
        (["--job", "j", "-X"], "not allowed with a job"),
        (["--batch", "a", "--batch", "b"], "--batch more than once"),
        (["--resume", "b", "-W"], "--resume with a query"),
    ],
)
def test_what_makes_no_sense_is_refused(line: list[str], words: str, tmp_path: Path) -> None:
    where = [] if "--resume" in line else [*STUDIES, "localhost", "104"]
    done = run(*where, *line, cwd=tmp_path, env=environment(XDG_CONFIG_HOME=str(tmp_path)))
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
