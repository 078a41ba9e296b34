"""The journal of a job: what it takes, what it gives back, and whom it lets in."""

import os
import random
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import jobs
import pytest

from asyncfind.errors import InvalidRequest, Kind, LocalProtocolError, OutputFailed
from asyncfind.plan import Peer, Plan, Query, make_query
from asyncfind.records import FindDone, Match, Verdict
from asyncfind.run import journal_changes
from asyncfind.run.journal import Journal
from asyncfind.run.journal_blobs import MAX_IN_ROW
from asyncfind.run.journal_file import check_file_system
from asyncfind.run.journal_keys import key_hash, plan_spec
from asyncfind.run.journal_reader import open_snapshot
from asyncfind.run.journal_words import Child, Claim
from asyncfind.security import Tls

_NORTH, _SOUTH = jobs.PEERS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.db"


def _create(path: Path, count: int = 6) -> Journal:
    return Journal.create(path, jobs.SPEC, jobs.entries(count))


async def _claim(journal: Journal, peer: Peer = _NORTH) -> Claim:
    (claim,) = await journal.claim(peer)
    return claim


async def _answer(journal: Journal, count: int = 2) -> Claim:
    claim = await _claim(journal)
    await journal.record(claim, jobs.answer(claim, count))
    return claim


def _states(journal: Journal) -> Counter[str]:
    states: Counter[str] = Counter()
    for (_, state), count in journal.progress().states.items():
        states[state] += count
    return states


@pytest.mark.anyio
async def test_rows_are_results_once_their_query_is_done(path: Path) -> None:
    with _create(path) as journal:
        claim = await _answer(journal)
        await journal.note(_NORTH, "test", "staged")
        with journal.snapshot() as before:
            assert list(before.results()) == []
            await journal.finish(claim, jobs.ended(claim, 2))
            with journal.snapshot() as after:
                matches = list(after.results())
            assert list(before.results()) == []  # a moment stays what it was
        assert [match.number for match in matches] == [1, 2]
        assert [match.identifier for match in matches] == [
            match.identifier for match in jobs.answer(claim, 2)
        ]
        assert matches[0].find.peer == _NORTH
        assert matches[0].find.query == claim.find.query
        assert journal.progress().rows == 2
        assert journal.progress().verdicts == {"complete": 1}
        assert _states(journal) == {"done": 1, "pending": 5}


@pytest.mark.anyio
async def test_a_query_comes_back_as_it_was_asked(path: Path) -> None:
    keys = ["PatientName=Ähre*", "ScheduledProcedureStepSequence[0].Modality=CT", "PatientID"]
    query = make_query("worklist", keys, label="tomorrow.dcm")
    with Journal.create(path, jobs.SPEC, [(_SOUTH, query)]) as journal:
        claim = await _claim(journal, _SOUTH)
    assert claim.find.query.label == "tomorrow.dcm"
    assert claim.find.query.model == query.model
    assert [one.name for one in claim.find.query.columns] == [one.name for one in query.columns]
    assert key_hash(_SOUTH, claim.find.query) == key_hash(_SOUTH, query)
    assert (claim.number, claim.range, claim.find.ordinal) == (1, None, 0)


@pytest.mark.anyio
async def test_a_failed_attempt_leaves_no_rows(path: Path) -> None:
    with _create(path) as journal:
        claim = await _answer(journal, 3)
        await journal.retry(claim, jobs.ended(claim, 3, Verdict.ABORTED, Kind.LOST))
        again = await _answer(journal, 1)
        assert (again.query, again.number) == (claim.query, 2)
        await journal.finish(again, jobs.ended(again, 1))
        with journal.snapshot() as snapshot:
            assert len(list(snapshot.results())) == 1
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM response").fetchone() == (1,)
        outcomes = connection.execute("SELECT outcome, kind, bytes > 0, mono_ms FROM attempt")
        assert outcomes.fetchall() == [("aborted", "lost", 1, 250.0), ("complete", None, 1, 250.0)]
    connection.close()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("verdict", "kind", "state"),
    [
        (Verdict.COMPLETE, None, "done"),
        (Verdict.UNDECODABLE, Kind.DECODE, "done"),
        (Verdict.CANCELLED, None, "done"),
        (Verdict.CANCELLED, Kind.CANCELLED, "pending"),
        (Verdict.SKIPPED, Kind.CANCELLED, "pending"),
        (Verdict.CUT, Kind.STATUS, "failed"),
        (Verdict.REFUSED, Kind.STATUS, "failed"),
        (Verdict.TIMEOUT, Kind.TIMEOUT, "failed"),
        (Verdict.UNREACHED, Kind.CONNECT, "failed"),
    ],
)
async def test_what_becomes_of_a_query(
    path: Path, verdict: Verdict, kind: Kind | None, state: str
) -> None:
    with _create(path, 1) as journal:
        claim = await _answer(journal)
        await journal.finish(claim, jobs.ended(claim, 2, verdict, kind))
        assert _states(journal) == {state: 1}
        with journal.snapshot() as snapshot:
            results = list(snapshot.results())
            partial = [one for one in snapshot.records(partial=True) if isinstance(one, Match)]
            ends = [one for one in snapshot.records() if isinstance(one, FindDone)]
    assert len(results) == (2 if state == "done" else 0)
    assert len(partial) == (0 if state == "pending" else 2)
    assert [(one.verdict, one.kind, one.matches) for one in ends] == (
        [] if state == "pending" else [(verdict, kind, len(results))]
    )


@pytest.mark.anyio
async def test_failed_queries_are_asked_again_on_request_alone(path: Path) -> None:
    with _create(path, 1) as journal:
        claim = await _answer(journal, 3)
        await journal.finish(claim, jobs.ended(claim, 3, Verdict.CUT, Kind.STATUS))
    with Journal.open(path) as journal:
        assert journal.resumed == (True, 0, 0, 0, 1)
        assert await journal.claim(_NORTH) == []
    with Journal.open(path, retry_failed=True) as journal:
        claim = await _answer(journal, 1)
        with journal.snapshot() as snapshot:  # what there was stays until there is better
            assert len(list(snapshot.records(partial=True))) == 0
        await journal.finish(claim, jobs.ended(claim, 1))
        with journal.snapshot() as snapshot:
            assert len(list(snapshot.results())) == 1
            assert len(list(snapshot.records(partial=True))) == 2


@pytest.mark.anyio
async def test_what_was_under_way_is_asked_again_and_nothing_else(path: Path) -> None:
    journal = _create(path)
    done = await _answer(journal)
    await journal.finish(done, jobs.ended(done, 2))
    await _answer(journal)
    await journal.skip(_SOUTH, Verdict.SKIPPED)
    assert _states(journal) == {"done": 1, "pending": 1, "running": 1, "skipped": 3}
    journal.close(clean=False)
    with Journal.open(path) as journal:
        assert journal.resumed == (False, 1, 1, 5, 0)
        claims = await journal.claim(_NORTH, 9)
        assert done.query not in {claim.query for claim in claims}
        assert [claim.number for claim in claims] == [2, 1]
        assert len(await journal.claim(_SOUTH, 9)) == 3
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT count(*) FROM response").fetchone() == (2,)
        connection.close()


@pytest.mark.anyio
async def test_the_number_of_rows_is_checked(path: Path) -> None:
    with _create(path) as journal:
        claim = await _answer(journal)
        with pytest.raises(LocalProtocolError, match="3 matches were received, 2 were recorded"):
            await journal.finish(claim, jobs.ended(claim, 3))
        await journal.finish(claim, jobs.ended(claim, 2))
        with pytest.raises(LocalProtocolError, match="ended before"):
            await journal.finish(claim, jobs.ended(claim, 2))
        assert _states(journal) == {"done": 1, "pending": 5}


@pytest.mark.anyio
async def test_parts_take_the_place_of_a_cut_query_with_the_same_commit(path: Path) -> None:
    with _create(path, 2) as journal:
        claim = await _answer(journal)
        children = [Child(jobs.query(0), f"part {part}") for part in range(3)]
        await journal.finish(
            claim, jobs.ended(claim, 2, Verdict.CUT, Kind.STATUS), children=children
        )
        assert _states(journal) == {"done": 1, "pending": 4}
    with Journal.open(path) as journal:
        parts = await journal.claim(_NORTH, 9)
        assert [part.range for part in parts] == ["part 0", "part 1", "part 2"]
        assert [part.place for part in parts] == [
            claim.place + bytes([0, 0, 0, number]) for number in range(3)
        ]
        for part in reversed(parts):  # whatever comes first, the order is that of the job
            await journal.record(part, jobs.answer(part, 1))
            await journal.finish(part, jobs.ended(part, 1))
        other = await _claim(journal, _SOUTH)
        await journal.record(other, jobs.answer(other, 1))
        await journal.finish(other, jobs.ended(other, 1))
        with journal.snapshot() as snapshot:
            tree = list(snapshot.tree(0))
            order = [one.find.ordinal for one in snapshot.results()]
            assert snapshot.coverage(0) == []
    assert [(part, len(matches)) for part, matches, _ in tree] == [
        (None, 2),
        ("part 0", 1),
        ("part 1", 1),
        ("part 2", 1),
    ]
    assert order == [0, 0, 0, 0, 0, 1]


@pytest.mark.anyio
async def test_large_identifiers_are_files_of_their_own(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job.db.blobs"
    with _create(path) as journal:
        claim = await _claim(journal)
        (small,) = jobs.answer(claim, 1)
        large = small._replace(number=2, identifier=b"\xff" * (MAX_IN_ROW + 2))
        same = large._replace(number=3)
        await journal.record(claim, [small, large, same])
        await journal.finish(claim, jobs.ended(claim, 3))
        with journal.snapshot() as snapshot:
            sizes = [len(one.identifier) for one in snapshot.results()]
        assert sizes == [len(small.identifier), MAX_IN_ROW + 2, MAX_IN_ROW + 2]
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    stray, draft = folder / ("0" * 64), folder / f"{'1' * 64}.part"
    stray.touch()
    draft.touch()
    Journal.open(path).close()
    assert list(folder.iterdir()) == [file]
    file.write_bytes(b"\xfe" * (MAX_IN_ROW + 2))
    with pytest.raises(InvalidRequest, match="damaged"), open_snapshot(path) as snapshot:
        list(snapshot.results())
    file.unlink()
    with pytest.raises(InvalidRequest, match="damaged"), open_snapshot(path) as snapshot:
        list(snapshot.results())


@pytest.mark.anyio
async def test_a_planted_folder_is_not_followed(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "job.db.blobs").symlink_to(elsewhere)
    journal = Journal.create  # the folder is met at the start already
    with pytest.raises(InvalidRequest, match="beside"):
        journal(path, jobs.SPEC, jobs.entries(2))
    assert list(elsewhere.iterdir()) == []


def test_everything_is_for_its_owner_alone(path: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with _create(path):
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("job.db", "job.db-shm", "job.db-wal", "job.db.lock"), 0o600)


def test_settings(path: Path) -> None:
    _create(path).close()
    header = path.read_bytes()[:100]
    assert header[68:72] == b"acFd"
    assert header[60:64] == bytes((0, 0, 0, 1))
    assert header[18:20] == bytes((2, 2))  # WAL
    with Journal.open(path) as journal:
        connection = journal._writer._connection  # noqa: SLF001 - no other way to its settings
        asked = ("synchronous", "busy_timeout", "trusted_schema", "cell_size_check", "journal_mode")
        values = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
    assert values == [2, 5000, 0, 1, "wal"]


def test_one_process_at_a_time(path: Path) -> None:
    with _create(path):
        code = (
            "import sys; from pathlib import Path; from asyncfind.run.journal import Journal\n"
            "Journal.open(Path(sys.argv[1]))"
        )
        child = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
        )
        assert child.returncode == 1
        assert "another process runs the job" in child.stderr
        with open_snapshot(path) as snapshot:  # reading is for everyone
            assert snapshot.progress().count("pending") == 6
    Journal.open(path).close()


def test_a_job_takes_no_others_place(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(InvalidRequest, match="exists"):
        _create(path)
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(InvalidRequest, match="exists"):
        _create(path)
    assert path.is_symlink()


def test_what_cannot_be_a_job(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="there is no job"):
        Journal.open(path)
    with pytest.raises(InvalidRequest, match="the job is empty"):
        Journal.create(path, jobs.SPEC, [])
    with pytest.raises(InvalidRequest, match="cannot use"):
        Journal.create(tmp_path / "nowhere" / "job.db", jobs.SPEC, jobs.entries(1))
    with pytest.raises(InvalidRequest, match="no journal"):
        Journal.open(tmp_path)
    assert not path.exists()


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (value)")
    connection.close()


def _later(path: Path) -> None:
    _create(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def _triggered(path: Path) -> None:
    _create(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TRIGGER more AFTER INSERT ON attempt BEGIN DELETE FROM response; END"
        )
    connection.close()


def _mistyped(path: Path) -> None:
    _create(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE query SET identifier = 42")
    connection.close()


def _torn(path: Path) -> None:
    _create(path, 2000).close()
    with path.open("r+b") as file:
        file.seek(4096 * 12)
        file.write(b"\x5a" * 4096 * 3)


def _short(path: Path) -> None:
    _create(path, 2000).close()
    os.truncate(path, 4096 * 20)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), "no journal"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"\0" * 40), "no journal"),
        (lambda path: path.write_text("not SQLite at all, but long enough to be one\n" * 9), "no"),
        (_foreign, "no journal"),
        (_later, "version 99"),
        (_triggered, "its tables"),
        (_mistyped, "damaged"),
        (_torn, "damaged"),
        (_short, "damaged"),
    ],
    ids=["empty", "stub", "text", "foreign", "later", "trigger", "types", "torn", "short"],
)
def test_foreign_and_damaged_files_are_refused(
    path: Path, make: Callable[[Path], object], words: str
) -> None:
    make(path)
    before = path.read_bytes()
    with pytest.raises(InvalidRequest, match=words):
        Journal.open(path)
    with pytest.raises(InvalidRequest, match=words), open_snapshot(path):
        pass
    if words == "no journal":
        assert path.read_bytes() == before  # SQLite was not let near it


def test_a_job_about_something_else_is_not_resumed_by_accident(path: Path) -> None:
    _create(path).close()
    with pytest.raises(InvalidRequest, match="about something else"):
        Journal.open(path, spec="another")
    Journal.open(path, spec=jobs.SPEC).close()
    Journal.open(path, spec="another", force=True).close()


def test_the_order_of_the_input_does_not_matter() -> None:
    queries = tuple(jobs.query(number) for number in range(5))
    plan = Plan(peers=jobs.PEERS, queries=queries)
    other = Plan(peers=jobs.PEERS[::-1], queries=queries[::-1])
    assert plan_spec(plan) == plan_spec(other)
    assert plan_spec(plan) != plan_spec(replace(plan, queries=queries[1:]))
    assert plan_spec(plan) != plan_spec(replace(plan, cancel_after=3))
    one = make_query("study", ["PatientName=A", "PatientID=1"])
    two = make_query("study", ["PatientID=1", "PatientName=A"], label="the same")
    assert key_hash(_NORTH, one) == key_hash(_NORTH, two)
    hashes = {
        key_hash(peer, query)
        for peer in jobs.PEERS
        for query in (one, queries[0], make_query("patient", ["PatientID=1", "PatientName=A"]))
    }
    assert len(hashes) == 6


@pytest.mark.anyio
async def test_a_repeated_query_is_asked_once(path: Path) -> None:
    twice = [*jobs.entries(4), *jobs.entries(4)]
    with Journal.create(path, jobs.SPEC, twice) as journal:
        assert journal.progress().count("pending") == 4


@pytest.mark.anyio
async def test_nodes_with_tls_have_to_be_named_again(path: Path) -> None:
    secured = replace(_NORTH, tls=Tls(ca_files=("ca.pem",)))
    Journal.create(path, jobs.SPEC, [(secured, jobs.query(1))]).close()
    for given in ((), (_NORTH,)):
        with pytest.raises(InvalidRequest, match="by TLS"):
            Journal.open(path, peers=given)
    with Journal.open(path, peers=[secured]) as journal:
        assert journal.peers == (secured,)
        assert (await _claim(journal, secured)).find.peer is secured


_MOUNTS = """\
21 1 254:1 / / rw,relatime - ext4 /dev/vda rw
35 21 0:40 / /srv rw - nfs4 archive:/export rw
36 35 0:41 / /srv/quick\\040disk rw - xfs /dev/vdb rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/home/job.db", ""),
        ("/srv/job.db", "nfs4"),
        ("/srv/deep/job.db", "nfs4"),
        ("/srv/quick disk/job.db", ""),
        ("/srvice/job.db", ""),
    ],
)
def test_network_file_systems_are_refused(tmp_path: Path, path: str, refused: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(_MOUNTS)
    if refused:
        with pytest.raises(InvalidRequest, match=refused):
            check_file_system(Path(path), mounts)
    else:
        check_file_system(Path(path), mounts)
    check_file_system(Path(path), tmp_path / "not there")


@pytest.mark.anyio
async def test_on_a_network_file_system_there_is_no_wal(path: Path) -> None:
    journal = Journal.create(path, jobs.SPEC, jobs.entries(30), allow_network_fs=True)
    with journal:
        connection = journal._writer._connection  # noqa: SLF001 - no other way to its settings
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (3,)
        await jobs.work(journal, lambda *one: None, chance=random.Random(3))
    assert jobs.done_places(path).keys() == jobs.places(30)


@pytest.mark.anyio
async def test_commits_are_shared(path: Path) -> None:
    """Queries that end while the disk is busy are stored together."""
    commits = 0

    def count(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"
        if statement == "COMMIT":
            time.sleep(0.02)  # a disk of ordinary speed

    with _create(path, 200) as journal:
        connection = journal._writer._connection  # noqa: SLF001 - the disk is played here
        connection.set_trace_callback(count)
        await jobs.work(journal, lambda *one: None, lanes=20, chance=random.Random(1))
        connection.set_trace_callback(None)
    done = len(jobs.places(200))
    assert done / 50 <= commits <= done / 3


@pytest.mark.anyio
async def test_a_slow_disk_makes_its_users_wait(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = journal_changes.stage

    def slow(*args: Any) -> None:
        time.sleep(0.002)
        stage(*args)

    monkeypatch.setattr(journal_changes, "stage", slow)
    with _create(path) as journal:
        claim = await _claim(journal)
        (pattern,) = jobs.answer(claim, 1)
        waited = 0
        for number in range(1, 401):
            match = pattern._replace(number=number, identifier=bytes(100_000))
            with anyio.move_on_after(0) as scope:
                await journal.record(claim, [match])
            if scope.cancelled_caught:
                waited += 1
                await journal.record(claim, [match])
            # 8 MiB may wait, and one write more.
            assert journal._writer._bytes < 8_600_000  # noqa: SLF001 - nobody else's business
        assert waited
        await journal.finish(claim, jobs.ended(claim, 400))
        assert journal.progress().rows == 400


@pytest.mark.anyio
async def test_exports_and_events_are_noted(path: Path) -> None:
    with _create(path) as journal:
        await journal.note(None, "pause", "the disk is slow")
        await journal.set_node(_SOUTH, "parked")
        journal.book_export("all.csv", 12, "ab" * 32)
        with journal.snapshot() as snapshot:
            assert snapshot.exports() == {"all.csv": (12, "ab" * 32)}
    with sqlite3.connect(path) as connection:
        events = connection.execute("SELECT node, kind, text FROM event").fetchall()
        states = connection.execute("SELECT name, state FROM node ORDER BY id").fetchall()
    connection.close()
    assert events == [(None, "pause", "the disk is slow")]
    assert states == [("north", "ready"), ("", "parked")]


@pytest.mark.anyio
async def test_a_closed_journal_takes_nothing(path: Path) -> None:
    journal = _create(path)
    journal.close()
    journal.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        await journal.claim(_NORTH)


def test_a_run_that_ends_by_an_error_is_not_clean(path: Path) -> None:
    with pytest.raises(OutputFailed), _create(path):
        raise OutputFailed("somewhere else")
    with Journal.open(path) as journal:
        assert not journal.resumed.clean
    with Journal.open(path) as journal:
        assert journal.resumed.clean


def test_a_copy_of_a_killed_journal_can_be_read(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    with _create(path) as journal:

        async def answer() -> None:
            claim = await _answer(journal)
            await journal.finish(claim, jobs.ended(claim, 2))

        anyio.run(answer)
        for name in ("job.db", "job.db-wal"):
            shutil.copy(tmp_path / name, left / name)
    with open_snapshot(left / "job.db") as snapshot:
        assert len(list(snapshot.results())) == 2


def test_a_hundred_thousand_queries_are_no_burden(path: Path) -> None:
    query = jobs.query(0)

    def many() -> Iterator[tuple[Peer, Query]]:
        item = query.identifier
        for number in range(100_000):
            old = item.elements[0x00100020]
            value = f"P{number:05d}".encode()
            elements = {**item.elements, old.tag: old._replace(value=value)}
            yield _NORTH, replace(query, identifier=replace(item, elements=elements))

    started = time.process_time()
    Journal.create(path, jobs.SPEC, many()).close()
    assert time.process_time() - started < 20  # about 3 on a slow machine
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        with Journal.open(path) as journal:
            assert journal.progress().count("pending") == 100_000
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 * 1024
