"""Many queries to many archives in one command: all of it true, polite, and safe from kill -9.

dcmqrscp and Orthanc are among the archives. `scripts/bench/bulk` does the same a hundred times as
large.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from ring import HOPELESS, Member, Ring, open_ring
from ring_client import client, kill_and_resume
from ring_truth import (
    KEYS,
    Study,
    Truth,
    read_rows,
    read_verdicts,
    studies_of,
    timeless,
    truth,
    write_book,
    write_list,
)
from servers import Archive, Server

ROWS: Final = 40
STUDIES: Final = 200
KILLS: Final = 5
FAULTS: Final = (*HOPELESS, "fails", "late", "dies", "single", "slow", "busy", "stalls", "aborts")
WAITS: Final = ("-ta", "2", "-td", "3", "--peer-give-up", "1")


class Place(NamedTuple):
    """A ring that runs, what it holds, and how to ask all of it."""

    members: Sequence[Member]
    ring: Ring
    held: Mapping[str, Sequence[Study]]
    keys: Mapping[str, Study]
    book: Sequence[str]
    ask: Sequence[str]
    folder: Path

    @property
    def queries(self) -> int:
        return len(self.members) * len(self.keys)

    def assert_caps_kept(self) -> None:
        """By the archives' own counts, from their first association on."""
        counts = self.ring.counts()
        peaks = {one.name: counts[one.name].peak for one in self.members}
        assert {one.name for one in self.members if peaks[one.name] > one.cap} == set()
        assert max(peaks.values()) > 1


@contextmanager
def opened(
    folder: Path, embedded: Sequence[Member], real: Sequence[Server], archive: Archive
) -> Iterator[Place]:
    stored = [Study(one.StudyInstanceUID, one.PatientID, one.StudyDate) for one in archive.studies]
    relays = [
        Member(name=server.name.lower(), cap=3, upstream=server.port, called=server.aet)
        for server in real
    ]
    held = {member.name: studies_of(member) for member in embedded}
    held |= {member.name: stored for member in relays}
    members = [*embedded, *relays]
    file, keys = write_list(folder, ROWS, list(chain(*held.values())))
    with open_ring(members) as ring:
        write_book(folder / "nodes.toml", members, ring)
        book = ("--nodes", str(folder / "nodes.toml"))
        ask = [*KEYS, *book, "--node", "@ring", "--batch", str(file), "--format", "csv"]
        yield Place(members, ring, held, keys, book, ask, folder)


@pytest.fixture
def good(
    tmp_path: Path, archive: Archive, dcmqrscp_server: Server, orthanc_server: Server
) -> Iterator[Place]:
    """Twelve archives that do as they should."""
    embedded = [
        Member(name=f"node{number:02d}", cap=1 + number % 4, seed=number, studies=STUDIES)
        for number in range(10)
    ]
    with opened(tmp_path, embedded, (dcmqrscp_server, orthanc_server), archive) as place:
        yield place


@pytest.fixture
def faulty(
    tmp_path: Path, archive: Archive, dcmqrscp_server: Server, orthanc_server: Server
) -> Iterator[Place]:
    """Three archives that do as they should, and one of each other kind."""
    embedded = [
        Member(
            name=fault or "good",
            cap=1 if fault == "dies" else 4,
            fault=fault,
            seed=number,
            studies=STUDIES,
            after=0.5,
            until=ROWS // 2,
        )
        for number, fault in enumerate(("", *FAULTS))
    ]
    with opened(tmp_path, embedded, (dcmqrscp_server, orthanc_server), archive) as place:
        yield place


def export(job: Path, form: str) -> Path:
    out = job.parent / f"{job.stem}.export.{form}"
    client(["job", "export", str(job), "--format", form], out)
    return out


def test_a_stream_has_the_rows_of_all_archives(good: Place) -> None:
    out = good.folder / "found.csv"
    ran = client(good.ask, out)

    assert ran.code == 0
    assert read_rows(out) == truth(good.held, good.keys)
    good.assert_caps_kept()


def test_a_job_that_is_killed_and_resumed_exports_what_a_whole_one_does(good: Place) -> None:
    whole, job = good.folder / "whole.db", good.folder / "killed.db"
    ran = client([*good.ask, "--job", str(whole)], good.folder / "whole.csv")
    assert ran.code == 0

    # So slow that none comes to its end before it is killed, however busy the machine is.
    slowly = ["--rate", "10/s"]
    resume = ["--resume", str(job), *good.book, "--format", "csv"]
    lives = list(
        kill_and_resume(
            [*good.ask, "--job", str(job), *slowly],
            [*resume, *slowly],
            job,
            good.ring,
            kills=KILLS,
            queries=good.queries,
            rng=random.Random(),
        )
    )
    last = client(
        resume if job.exists() else [*good.ask, "--job", str(job)], good.folder / "last.csv"
    )

    assert Counter(life.code for life in lives)[-9] > 0
    assert last.code == 0
    assert read_rows(export(job, "csv")) == truth(good.held, good.keys)
    for form in ("csv", "text", "ndjson"):
        assert timeless(export(job, form)) == timeless(export(whole, form))
    assert len(read_verdicts(export(job, "ndjson"))) == good.queries


def test_with_faults_all_is_had_that_could_be_had_and_the_rest_is_named(faulty: Place) -> None:
    job, out = faulty.folder / "faults.db", faulty.folder / "faults.csv"
    ran = client([*faulty.ask, *WAITS, "--job", str(job)], out)
    said = out.with_suffix(".err").read_text()
    verdicts = read_verdicts(export(job, "ndjson"))

    assert ran.code == 4
    complete = Counter(
        node for (node, _), (verdict, _) in verdicts.items() if verdict == "complete"
    )
    lost = {*HOPELESS, "fails"}
    assert dict(complete) == {
        one.name: len(faulty.keys) for one in faulty.members if one.name not in lost
    }
    had = {node: studies for node, studies in faulty.held.items() if node not in lost}
    assert read_rows(export(job, "csv")) == Truth(truth(had, faulty.keys))
    assert {verdict for (node, _), verdict in verdicts.items() if node == "fails"} == {
        ("refused", "status C001: failed: unable to process; comment: out of order")
    }
    assert f"{len(HOPELESS) * len(faulty.keys)} unreached" in said
    for node in lost:
        assert f"asyncfind: {node}: " in said
    assert "--retry-failed" in said
    faulty.assert_caps_kept()
    assert faulty.ring.counts()["single"].peak == 1
