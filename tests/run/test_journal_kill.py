"""Whatever ends a run, what was acknowledged is there, once, and the rest is asked again."""

import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import jobs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.errors import InvalidRequest, OutputFailed
from asyncfind.run import journal as journal_module
from asyncfind.run.journal import Journal
from asyncfind.run.journal_file import connect

_SUPPORT = Path(jobs.__file__)


def _begin(path: Path, count: int) -> None:
    Journal.create(path, jobs.SPEC, jobs.entries(count)).close(clean=False)


def _finish(path: Path, seed: int = 0) -> list[tuple[str, bytes]]:
    """Resume a job and work it off; returns what was told."""
    told: list[tuple[str, bytes]] = []

    async def work(journal: Journal) -> None:
        await jobs.work(journal, lambda *one: told.append(one), chance=random.Random(seed))

    with Journal.open(path, peers=jobs.PEERS) as journal:
        anyio.run(work, journal)
    return told


def _undisturbed(folder: Path, count: int) -> bytes:
    path = folder / "undisturbed.db"
    _begin(path, count)
    _finish(path)
    return jobs.export(path)


def test_thirty_kills_lose_and_repeat_nothing(tmp_path: Path) -> None:
    count = 900
    chance = random.Random(2026)
    path = tmp_path / "job.db"
    _begin(path, count)
    acknowledged: set[bytes] = set()
    killed = 0
    for seed in range(30):
        with subprocess.Popen(
            [sys.executable, str(_SUPPORT), str(path), str(seed)],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            killer = threading.Timer(chance.uniform(0, 0.05), child.kill)
            killer.start()
            lines = child.stdout.read().splitlines()
            killer.join()
        killed += child.returncode == -signal.SIGKILL
        for line in lines:
            what, _, place = line.partition(" ")
            if what == "claim" and len(place) % 8 == 0:
                assert bytes.fromhex(place) not in acknowledged  # never sent again
        # The last line may be torn: what was not told in full was not told.
        acknowledged |= {
            bytes.fromhex(line[5:])
            for line in lines
            if line.startswith("done ") and len(line[5:]) in (8, 16)
        }
        assert acknowledged <= jobs.done_places(path).keys()
    assert killed == 30
    assert 0 < len(acknowledged) < count
    told = _finish(path)
    assert not acknowledged & {place for what, place in told if what == "claim"}
    assert jobs.done_places(path).keys() == jobs.places(count)
    assert jobs.export(path) == _undisturbed(tmp_path, count)


class _Tapped:
    """The writer's connection, with something to happen before its n-th statement."""

    def __init__(
        self, connection: sqlite3.Connection, number: int, happen: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._left = number
        self._happen = happen

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.execute(*args)

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.executemany(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._happen()


@contextmanager
def _tapped(number: int, happen: Callable[[], None]) -> Iterator[None]:
    def tapped(path: Path, *, network: bool = False) -> Any:
        return _Tapped(connect(path, network=network), number, happen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "connect", tapped)
        yield


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 40), number=st.integers(1, 700), seed=st.integers(0, 99))
def test_a_crash_between_any_two_statements(count: int, number: int, seed: int) -> None:
    """The files are copied before a statement: what a killed process would have left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, left = folder / "job.db", folder / "left"
        _begin(path, count)
        told: list[tuple[str, bytes]] = []
        before: set[bytes] = set()

        def crash() -> None:
            before.update(place for what, place in told if what == "done")
            left.mkdir()
            for file in folder.glob("job.db*"):
                if file.is_dir():
                    shutil.copytree(file, left / file.name)
                elif not file.name.endswith(("-shm", ".lock")):
                    shutil.copy(file, left / file.name)

        async def work(journal: Journal) -> None:
            await jobs.work(journal, lambda *one: told.append(one), chance=random.Random(seed))

        with _tapped(number, crash), Journal.open(path) as journal:
            anyio.run(work, journal)
        whole = jobs.done_places(path)
        assert whole.keys() == jobs.places(count)
        if not left.exists():
            return  # the job was over before
        crashed = left / "job.db"
        done = jobs.done_places(crashed)
        assert before <= done.keys()
        assert done.items() <= whole.items()  # no query with half of its rows
        again = _finish(crashed, seed + 1)
        assert not done.keys() & {place for what, place in again if what == "claim"}
        assert jobs.export(crashed) == jobs.export(path)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 40),
    number=st.integers(1, 600),
    error=st.sampled_from(("disk I/O error", "database or disk is full")),
)
def test_a_failed_statement_ends_the_job(count: int, number: int, error: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "job.db"
        _begin(path, count)
        told: list[tuple[str, bytes]] = []

        def fail() -> None:
            raise sqlite3.OperationalError(error)

        async def work(journal: Journal) -> None:
            try:
                await jobs.work(journal, lambda *one: told.append(one), chance=random.Random(7))
            except* OutputFailed as failures:
                for one in failures.exceptions:
                    assert isinstance(one, OutputFailed)
                    assert error in one.text
                # It is not tried again.
                with pytest.raises(OutputFailed):
                    await journal.claim(jobs.PEERS[0])

        with _tapped(number, fail):
            failed = False
            try:
                journal = Journal.open(path)
            except InvalidRequest:  # nothing was sent
                failed = True
            else:
                anyio.run(work, journal)
                try:
                    journal.close()
                except OutputFailed:
                    failed = True
        acknowledged = {place for what, place in told if what == "done"}
        assert acknowledged <= jobs.done_places(path).keys()
        again = Journal.open(path)
        assert again.resumed.clean is not failed
        again.close(clean=False)
        _finish(path)
        assert jobs.done_places(path).keys() == jobs.places(count)


def test_a_full_disk_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """No file may grow any more, which SQLite and the kernel report as on a full disk."""
    count = 400
    path = tmp_path / "job.db"
    _begin(path, count)
    limit = path.stat().st_size + 200_000
    child = subprocess.run(
        [sys.executable, str(_SUPPORT), str(path), "5"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert child.returncode != 0
    assert "OutputFailed: cannot write the journal" in child.stderr
    assert "end" not in child.stdout.split()
    acknowledged = {
        bytes.fromhex(line[5:]) for line in child.stdout.splitlines() if line.startswith("done ")
    }
    assert acknowledged
    assert acknowledged <= jobs.done_places(path).keys()
    again = Journal.open(path)
    assert not again.resumed.clean
    again.close(clean=False)
    _finish(path)
    assert jobs.export(path) == _undisturbed(tmp_path, count)


def test_a_job_that_is_killed_while_it_is_made_is_not_there(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def some() -> Iterator[Any]:
        yield from jobs.entries(50)
        assert not (tmp_path / "job.db").exists()
        raise Killed

    with pytest.raises(Killed):
        Journal.create(tmp_path / "job.db", jobs.SPEC, some())
    assert [file.name for file in tmp_path.iterdir()] == ["job.db.lock"]
    _begin(tmp_path / "job.db", 3)
