"""A job against an imagined archive: what it asks, what comes back, and how it is worked off."""

import hashlib
import random
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan, Query, make_query
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.records import ExitCode, FindDone, Match, Summary, Verdict
from asyncfind.render.csv_rows import CsvRows
from asyncfind.render.stream import Streamed
from asyncfind.run.journal import Journal
from asyncfind.run.journal_reader import open_snapshot
from asyncfind.run.journal_words import Child, Claim

PEERS = (
    Peer(host="127.0.0.1", port=11112, called="NORTH", name="north"),
    Peer(host="127.0.0.1", port=11113, called="SOUTH"),
)
SPEC = "a job of the tests"
_BASE = make_query("study", ["QueryRetrieveLevel=STUDY", "PatientName", "StudyInstanceUID"])
_CHILDREN = 2
Told = Callable[[str, bytes], None]


def entries(count: int) -> Iterator[tuple[Peer, Query]]:
    """Queries for one patient each, in turn at both peers."""
    for number in range(count):
        yield PEERS[number % 2], query(number)


def query(number: int) -> Query:
    keys = [f"PatientID=P{number:05d}"]
    made = make_query(_BASE.model, keys, base=_BASE.identifier, label=f"patient {number}")
    return replace(made, columns=_BASE.columns)


def answer(claim: Claim, count: int | None = None) -> list[Match]:
    """What the archive says; the same whenever it is asked. One in 40 answers is large."""
    digest = hashlib.sha256(claim.place).digest()
    count = digest[0] % 6 if count is None else count
    return [_match(claim, number, large=digest[1] % 40 == 0) for number in range(1, count + 1)]


def _match(claim: Claim, number: int, *, large: bool) -> Match:
    place = claim.place.hex()
    keys = [f"PatientName=Larch^{place}", f"StudyInstanceUID=1.2.{int(place, 16)}.{number}"]
    item = make_query("study", keys).identifier
    if large:
        extra = make_query("study", ["TextValue=" + "oak " * 300_000]).identifier
        item.elements.update(extra.elements)
    data = write_item(item, EXPLICIT_VR_LITTLE_ENDIAN)
    return Match(claim.find, number, 0xFF00, data, EXPLICIT_VR_LITTLE_ENDIAN.uid)


def ended(
    claim: Claim, matches: int, verdict: Verdict = Verdict.COMPLETE, kind: Kind | None = None
) -> FindDone:
    status = 0 if verdict is Verdict.COMPLETE else None
    return FindDone(
        find=claim.find,
        verdict=verdict,
        status=status,
        matches=matches,
        seconds=0.25,
        kind=kind,
        error="" if kind is None else "it did not go well",
    )


def is_split(claim: Claim) -> bool:
    """Every ninth query is taken for cut, and asked again in two parts."""
    return len(claim.place) == 4 and claim.find.ordinal % 9 == 4


async def work(journal: Journal, told: Told, *, lanes: int = 3, chance: random.Random) -> None:
    """Ask everything that is left to ask; some attempts fail halfway, and are booked as such.

    Args:
        told: called with `claim` when a query is begun, and `done` when its end is durable.
    """

    async def lane(peer: Peer) -> None:
        while claims := await journal.claim(peer, chance.randrange(1, 4)):
            for claim in claims:
                told("claim", claim.place)
                await _ask(journal, claim, chance)
                # A query that was given back is not done.
                if not again.pop(claim.place, False):
                    told("done", claim.place)

    again: dict[bytes, bool] = {}

    async def _ask(journal: Journal, claim: Claim, chance: random.Random) -> None:
        matches = answer(claim)
        if claim.number == 1 and chance.random() < 0.15:
            part = matches[: len(matches) // 2]
            await journal.record(claim, part)
            again[claim.place] = True
            await journal.retry(claim, ended(claim, len(part), Verdict.ABORTED, Kind.LOST))
            return
        middle = chance.randrange(len(matches) + 1)
        await journal.record(claim, matches[:middle])
        await anyio.lowlevel.checkpoint()
        await journal.record(claim, matches[middle:])
        children = []
        verdict, kind = Verdict.COMPLETE, None
        if is_split(claim):
            ordinal = claim.find.ordinal
            children = [Child(query(ordinal), f"part {part}") for part in range(_CHILDREN)]
            verdict, kind = Verdict.CUT, Kind.STATUS
        await journal.finish(claim, ended(claim, len(matches), verdict, kind), children=children)

    async with anyio.create_task_group() as tasks:
        for peer in journal.peers:
            for _ in range(lanes):
                tasks.start_soon(lane, peer)


def places(count: int) -> set[bytes]:
    """Every query that a job of so many comes to, parts included."""
    roots = {number.to_bytes(4, "big"): number for number in range(count)}
    parts = {
        root + part.to_bytes(4, "big")
        for root, number in roots.items()
        if number % 9 == 4
        for part in range(_CHILDREN)
    }
    return {*roots, *parts}


class _Memory:
    """An output that is kept."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def flush(self) -> None:
        pass

    def publish(self) -> None:
        pass


def export(path: Path) -> bytes:
    """The results of a job as CSV."""
    output = _Memory()
    renderer = Streamed(CsvRows(), output)
    renderer.begin(Plan(peers=PEERS, queries=(query(0),)))
    with open_snapshot(path) as snapshot:
        renderer.show(list(snapshot.records()))
    renderer.end(
        Summary(exit=ExitCode.COMPLETE, peers=2, reached=2, queries=0, matches=0, seconds=0.0)
    )
    return bytes(output.data)


def done_places(path: Path) -> dict[bytes, int]:
    """Queries that are done, and how many results each has, past all code under test."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        found = connection.execute(
            "SELECT query.place, count(response.n) FROM query LEFT JOIN response"
            " ON response.query = query.id AND response.attempt = done_attempt"
            " WHERE state = 'done' GROUP BY query.id"
        ).fetchall()
    connection.close()
    return dict(found)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Work off a job in a process of its own, saying what is done: PATH SEED."""
    path, seed = Path(sys.argv[1]), int(sys.argv[2])

    def told(what: str, place: bytes) -> None:
        _say(f"{what} {place.hex()}")

    with Journal.open(path, peers=PEERS) as journal:
        _say("ready")
        anyio.run(_main, journal, told, seed)
    _say("end")


async def _main(journal: Journal, told: Told, seed: int) -> None:
    await work(journal, told, chance=random.Random(seed))


if __name__ == "__main__":
    main()
