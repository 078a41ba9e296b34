"""`asyncfind load` as users run it."""

import json
import re
import select
import signal
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, server
from commands import Hall, command, environment, run

from asyncfind.scp.answers import Answers
from asyncfind.scp.script import always, never_answers, refuses, rejects
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace

KEYS = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=42", "-k", "StudyInstanceUID")


def _report(path: Path) -> Any:
    """The JSON report; nothing in it has disappeared."""
    report = json.loads(path.read_text())
    ends = ("completed", "failed", "dropped", "skipped", "censored")
    assert report["offered"] == sum(report[name] for name in ends)
    return report


def test_an_open_load_and_its_reports(hall: Hall, tmp_path: Path) -> None:
    archive = Server(Answers(3))
    port = hall.serve(archive)
    done = run(
        *("load", f"127.0.0.1:{port}", *KEYS, "--rate", "100", "--count", "80"),
        *("--poisson", "--seed", "7", "--warm-up", "500ms", "--associations", "3"),
        *("--latency-limit", "5s", "--grace", "20s"),
        *("--threshold", "count(error) == 0", "--threshold", "p50(response) < 60s"),
        *("--report-json", tmp_path / "load.json", "--report-csv", tmp_path / "load.csv"),
        *("--report-junit", tmp_path / "load.xml"),
        *("--report-prometheus", tmp_path / "load.prom"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    report = _report(tmp_path / "load.json")
    assert report["model"] == "open"
    assert report["offered"] == report["completed"] == 80
    assert report["latency"]["response"]["count"] == 80
    assert [one["passed"] for one in report["thresholds"]] == [True, True]
    assert archive.counters.queries == 80 + report["warm_up"]["offered"]
    assert archive.counters.peak <= 3
    assert "offered 80 = completed 80 + failed 0" in done.stdout
    assert "seed 7" in done.stdout
    assert len((tmp_path / "load.csv").read_text().splitlines()) >= 2
    assert ET.parse(tmp_path / "load.xml").getroot().tag.startswith("testsuite")
    assert "asyncfind" in (tmp_path / "load.prom").read_text()


def test_a_closed_load_says_what_it_is(hall: Hall) -> None:
    archive = Server(Answers(1))
    done = run(
        *("load", "127.0.0.1", hall.serve(archive), *KEYS, "--concurrency", "3"),
        *("--think", "1ms", "--count", "60", "--per-association", "5"),
    )
    assert done.returncode == 0
    assert "closed: the load waits for the peer" in done.stdout
    assert archive.counters.queries == 60
    assert archive.counters.peak <= 3
    assert archive.counters.accepted >= 12


def test_stages_query_files_and_nodes_of_the_book(hall: Hall, tmp_path: Path) -> None:
    one, other = Server(Answers(1)), Server(Answers(1))
    query = tmp_path / "query.json"
    query.write_text(
        '{"00080052": {"vr": "CS", "Value": ["STUDY"]}, "00100020": {"vr": "LO", "Value": ["7"]}}'
    )
    book = tmp_path / "nodes.toml"
    book.write_text(f'[node.near]\nhost = "127.0.0.1"\nport = {hall.serve(one)}\ncalled = "NEAR"\n')
    done = run(
        *("load", "near", f"127.0.0.1:{hall.serve(other)}", query, "-S", "--nodes", book),
        *("--stages", "0:20,500ms:60,1s=40", "--duration", "1500ms", "--ascii"),
    )
    assert done.returncode == 0, done.stderr
    asked = one.counters.queries + other.counters.queries
    assert asked == 20 + 30 + 20  # half a second each: rising to 60/s, 60/s, and 40/s
    assert abs(one.counters.queries - other.counters.queries) <= 1
    assert done.stdout.isascii()


def test_a_threshold_that_does_not_hold_is_5(hall: Hall) -> None:
    port = hall.serve(Server(Answers(1), pace=Pace(query=0.05)))
    done = run(
        *("load", f"127.0.0.1:{port}", *KEYS, "--rate", "20", "--count", "10"),
        *("--threshold", "p50(service) < 10ms"),
    )
    assert done.returncode == 5
    assert "p50(service) < 10ms" in done.stdout


def test_failures_are_4_and_no_association_is_2(hall: Hall) -> None:
    refusing = hall.serve(Server(Answers(1), scripts=always(refuses(0xC001))))
    rejecting = hall.serve(Server(Answers(1), scripts=always(rejects())))
    pace = ("--rate", "50", "--count", "10", "--no-storm-stop")
    done = run("load", f"127.0.0.1:{refusing}", *KEYS, *pace)
    assert done.returncode == 4
    assert "C001" in done.stdout
    assert run("load", f"127.0.0.1:{rejecting}", *KEYS, *pace).returncode == 2
    done = run("load", f"127.0.0.1:{rejecting}", *KEYS, "--rate", "50", "--duration", "60s")
    assert done.returncode == 2
    assert "association requests failed" in done.stdout


@pytest.mark.parametrize("allowed", [False, True])
def test_a_rate_beyond_the_machine_is_6(hall: Hall, tmp_path: Path, allowed: bool) -> None:
    port = hall.serve(Server(Answers(1)))
    done = run(
        *("load", f"127.0.0.1:{port}", *KEYS, "--rate", "1000000", "--duration", "7s", "-q"),
        *("--grace", "0", "--report-json", tmp_path / "load.json"),
        *(("--allow-saturated",) if allowed else ()),
    )
    assert done.returncode == (4 if allowed else 6)
    report = _report(tmp_path / "load.json")
    assert report["client"]["verdict"] == "SATURATED"
    assert report["dropped"] + report["censored"] > 0


def test_responses_have_a_limit(hall: Hall) -> None:
    archive = Server(Answers(5000))
    done = run(
        *("load", f"127.0.0.1:{hall.serve(archive)}", *KEYS),
        *("--concurrency", "1", "--count", "2", "--max-responses", "10"),
    )
    assert done.returncode == 4
    assert archive.counters.cancels == 2


def test_saturation_may_drop_or_grow(hall: Hall) -> None:
    archive = Server(Answers(1), pace=Pace(query=0.3))
    line = ("load", f"127.0.0.1:{hall.serve(archive)}", *KEYS, "--rate", "40", "--count", "20")
    done = run(*line, "--associations", "2", "--on-saturation", "drop")
    assert done.returncode == 4
    assert re.search(r"dropped [1-9]", done.stdout)
    assert archive.counters.peak == 2
    done = run(*line, "--associations", "1", "--on-saturation", "grow")
    assert done.returncode == 0
    assert archive.counters.peak > 5


def test_new_associations_have_a_limit(hall: Hall) -> None:
    archive = Server(Answers(1))
    done = run(
        *("load", f"127.0.0.1:{hall.serve(archive)}", *KEYS, "--rate", "100", "--count", "20"),
        *("--per-association", "1", "--new-associations", "12", "--grace", "60s"),
    )
    assert done.returncode == 0
    assert archive.counters.accepted == 20
    assert re.search(r"pool wait .* [3-9]\d\d\.\d", done.stdout)  # the last had to wait


def test_tls_has_a_time_of_its_own(hall: Hall, tmp_path: Path) -> None:
    authority = Authority("Invented Root")
    context = server(authority.issue("localhost"), tmp_path)
    port = hall.serve(Server(Answers(1), tls=context))
    done = run(
        *("load", f"localhost:{port}", *KEYS, "--concurrency", "2", "--count", "20", "+tla"),
        *("+cf", authority.write(tmp_path / "ca.pem"), "--report-json", tmp_path / "load.json"),
    )
    assert done.returncode == 0, done.stderr
    latency = _report(tmp_path / "load.json")["latency"]
    assert latency["tls"]["count"] == latency["connect"]["count"] == 2


def test_a_dry_run_sends_nothing(hall: Hall) -> None:
    archive = Server(Answers(1))
    node = f"127.0.0.1:{hall.serve(archive)}"
    done = run(
        *("load", node, *KEYS, "--rate", "600/min", "--duration", "2m", "--poisson", "--seed", "3"),
        *("--per-association", "1", "--threshold", "count(dropped) == 0", "--dry-run"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("10/s", "seed 3", "120 s", "about 1,200 queries", "count(dropped) == 0", "ports:"):
        assert text in done.stdout
    assert archive.counters.connections == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ((), "no pace"),
        (("--rate", "1", "--concurrency", "1"), "both --rate and --concurrency"),
        (("--rate", "1", "--duration", "1s", "--count", "1"), "both --duration and --count"),
        (("--rate", "0"), "no rate"),
        (("--rate", "fast"), "no rate"),
        (("--stages", "0:0"), "no query"),
        (("--rate", "1", "--duration", "soon"), "no time"),
        (("--rate", "1", "--seed", "1"), "--seed without --poisson"),
        (("--rate", "1", "--think", "1s"), "--think with an open load"),
        (("--concurrency", "1", "--poisson"), "--poisson with a closed load"),
        (("--concurrency", "1", "--on-saturation", "drop"), "closed load"),
        (("--rate", "1", "--threshold", "p99(reponse) < 1s"), "times 'reponse'"),
        (("--rate", "1", "--report-json", ""), "names no file"),
        (("--rate", "1", "--report-json", "a", "--report-csv", "a"), "two reports in one file"),
        (("--rate", "1", "--report-json", "/nowhere/at/all"), "--report-json"),
        (("--rate", "1", "no-such-node"), "no-such-node"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    line: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    done = run("load", "127.0.0.1:1", *KEYS, *line, cwd=tmp_path)
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stdout == ""


def test_archives_of_others_are_spared() -> None:
    line = ("load", "PACS@pacs.example:104", *KEYS)
    for pace in (("--rate", "21"), ("--concurrency", "2"), ("--rate", "1", "--duration", "11m")):
        done = run(*line, *pace)
        assert done.returncode == 1
        assert "--i-own-this-scp" in done.stderr
        done = run(*line, *pace, "--i-own-this-scp", "--dry-run")
        assert (done.returncode, done.stderr) == (0, "")
    done = run(*line, "--rate", "20", "--dry-run")
    assert "8 associations, 5 new ones in any second" in done.stdout


def test_a_query_for_everything_is_refused() -> None:
    line = ("load", "127.0.0.1:1", "-S", "-k", "QueryRetrieveLevel=STUDY", "--rate", "1")
    done = run(*line, "--dry-run")
    assert done.returncode == 1
    assert "--allow-match-all" in done.stderr
    assert run(*line, "--dry-run", "--allow-match-all").returncode == 0


def test_a_node_that_the_book_forbids_is_refused_by_any_name(tmp_path: Path) -> None:
    book = tmp_path / "nodes.toml"
    book.write_text('[node.ward]\nhost = "127.0.0.1"\nport = 11\nload = "never"\n')
    for node in ("ward", "127.0.0.1:11", "OTHER@127.0.0.1:11"):
        done = run("load", node, *KEYS, "--nodes", book, "--rate", "1", "--dry-run")
        assert done.returncode == 1
        assert 'load = "never"' in done.stderr
    done = run("load", "127.0.0.1:12", *KEYS, "--nodes", book, "--rate", "1", "--dry-run")
    assert done.returncode == 0


def _until_asked(archive: Server, process: "subprocess.Popen[str]", port: str) -> None:
    """Wait for the first query, by asking the archive how many it has had."""
    while archive.counters.queries == 0:
        assert process.poll() is None, port
        select.select([], [], [], 0.01)


def test_one_signal_ends_it_in_order(hall: Hall, tmp_path: Path) -> None:
    archive = Server(Answers(1), pace=Pace(query=0.2))
    port = hall.serve(archive)
    line = command("load", f"127.0.0.1:{port}", *KEYS, "--rate", "20", "--duration", "10m",
                   "--report-json", tmp_path / "load.json")  # fmt: skip
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        _until_asked(archive, process, port)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "INTERRUPTED" in out
    report = _report(tmp_path / "load.json")
    assert report["interrupted"]
    assert report["completed"] == report["offered"] > 0


def test_a_second_signal_ends_it_at_once(hall: Hall) -> None:
    archive = Server(Answers(1), scripts=always(never_answers()))
    port = hall.serve(archive)
    line = command("load", f"127.0.0.1:{port}", *KEYS, "--rate", "20", "--grace", "10m")
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        _until_asked(archive, process, port)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)  # it has ten minutes of grace
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.search(r"censored [1-9]", out)


def test_progress_is_told_on_the_way(hall: Hall) -> None:
    port = hall.serve(Server(Answers(1)))
    line = ("load", f"127.0.0.1:{port}", *KEYS, "--rate", "20", "--duration", "11s")
    done = run(*line)
    assert done.returncode == 0
    (progress,) = done.stderr.splitlines()
    assert "offered 20" in progress
    assert run(*line[:-1], "1s", "-q").stderr == ""
