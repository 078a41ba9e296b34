"""Splitting between work and visit: whatever is called proven is all that the archive has."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Query, make_query
from asyncfind.query.element import Item
from asyncfind.query.keys import build_identifier
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.records import AttemptFailed, Find, FindDone, FindStarted, Match, Record, Verdict
from asyncfind.run.journal import Journal
from asyncfind.run.journal_reader import open_snapshot
from asyncfind.run.outcome import Doubts, Why
from asyncfind.run.split_query import dimensions_of
from asyncfind.run.split_rows import RowReader, Seen, Shown
from asyncfind.run.splitting import Splitting
from asyncfind.run.work import JournalWork, MemoryWork, PartWork

_PEER: Final = Peer(host="127.0.0.1", port=104, name="north")
_SYNTAX: Final = EXPLICIT_VR_LITTLE_ENDIAN
_KEYS: Final = {
    "StudyInstanceUID": 0x0020000D,
    "StudyDate": 0x00080020,
    "StudyTime": 0x00080030,
    "PatientSex": 0x00100040,
    "PatientID": 0x00100020,
}
_LIMITS: Final = (64, 100, 128, 200)
Study = dict[str, str]


@dataclass
class _Archive:
    """What a peer has, and how it behaves; matching is written anew here, on plain text.

    Args:
        limit: matches at which an answer is cut silently.
        ignored: keys that are not matched.
        empty: what it makes of emptiness: `matched`, `everything` or `nothing`.
        says: the verdict of what it cuts.
        refuses: what is cut is refused, with this status.
        fails: every so many queries one fails halfway, unless it did before.
    """

    studies: list[Study]
    limit: int = 10**9
    ignored: frozenset[str] = frozenset()
    empty: str = "matched"
    says: Verdict = Verdict.COMPLETE
    refuses: int | None = None
    fails: int = 0
    asked: list[Item] = field(default_factory=list)
    failed: set[bytes] = field(default_factory=set)

    def find(self, find: Find) -> tuple[list[Match], FindDone]:
        item = find.query.identifier
        self.asked.append(item)
        found = [one for one in self.studies if self._matches(one, item)]
        is_cut = len(found) > self.limit
        matches = [
            Match(find, number, 0xFF00, _answer(item, one), _SYNTAX.uid)
            for number, one in enumerate(found[: self.limit], 1)
        ]
        keys = write_item(item, _SYNTAX)
        if self.fails and len(self.asked) % self.fails == 0 and keys not in self.failed:
            self.failed.add(keys)
            return self._broken(find, matches[: len(matches) // 2])
        verdict = self.says if is_cut else Verdict.COMPLETE
        if is_cut and self.refuses is not None:
            return [], _done(find, Verdict.REFUSED, 0, self.refuses)
        return matches, _done(find, verdict, len(matches), 0)

    @staticmethod
    def _broken(find: Find, matches: list[Match]) -> tuple[list[Match], FindDone]:
        return matches, _done(find, Verdict.ABORTED, len(matches), None, Kind.LOST)

    def truth(self, query: Query) -> set[str]:
        """What it would say without its limit."""
        item = query.identifier
        return {one["StudyInstanceUID"] for one in self.studies if self._matches(one, item)}

    def _matches(self, study: Study, item: Item) -> bool:
        return all(
            self._fits(name, study.get(name, ""), _text(item, tag)) for name, tag in _KEYS.items()
        )

    def _fits(self, name: str, value: str, asked: str) -> bool:
        if not asked or name in self.ignored:
            return True
        if asked == '""':
            return self.empty == "everything" or (self.empty == "matched" and not value)
        if asked.endswith("*"):
            return value.startswith(asked[:-1])
        if "-" in asked:
            low, _, high = asked.partition("-")
            return bool(value) and value >= low and (not high or value <= high)
        return value == asked


def _text(item: Item, tag: int) -> str:
    element = item.elements.get(tag)
    if element is None:
        return ""
    assert isinstance(element.value, bytes)
    return element.value.decode().strip()


def _answer(item: Item, study: Study) -> bytes:
    keys = [f"{name}={study.get(name, '')}" for name, tag in _KEYS.items() if tag in item.elements]
    return write_item(build_identifier(None, ["QueryRetrieveLevel=STUDY", *keys]), _SYNTAX)


def _done(
    find: Find, verdict: Verdict, matches: int, status: int | None, kind: Kind | None = None
) -> FindDone:
    error = "it did not go well" if verdict is not Verdict.COMPLETE else ""
    return FindDone(
        find=find,
        verdict=verdict,
        status=status,
        matches=matches,
        seconds=0.1,
        error=error,
        kind=kind,
    )


def _studies(count: int, chance: random.Random, *, days: int = 3000, bare: int = 0) -> list[Study]:
    """Invented studies; of `bare` in a hundred the date, and of as many the time, is missing."""
    studies = []
    for number in range(count):
        day = 20100101 + 10000 * (chance.randrange(days) // 365) + chance.randrange(28)
        time = f"{chance.randrange(24):02}{chance.randrange(60):02}{chance.randrange(60):02}"
        studies.append(
            {
                "StudyInstanceUID": f"1.2.{number}",
                "StudyDate": "" if chance.randrange(100) < bare else str(day),
                "StudyTime": "" if chance.randrange(100) < bare else time,
                "PatientSex": chance.choice(("F", "M", "O")),
                "PatientID": f"P{number % 997:04}",
            }
        )
    return studies


async def _ask(
    work: Splitting, archive: _Archive, seed: int = 0, *, stop: Callable[[], bool] = lambda: False
) -> list[Record]:
    """Ask until nothing is left to ask, several at a time, in an order of the seed's choice."""
    chance = random.Random(seed)
    records: list[Record] = []
    open_finds: list[Find] = []
    while not stop():
        if len(open_finds) < 4 and (find := await work.take()) is not None:
            records += work.begun(FindStarted(find))
            open_finds.append(find)
            continue
        if not open_finds:
            break
        find = open_finds.pop(chance.randrange(len(open_finds)))
        matches, done = archive.find(find)
        middle = chance.randrange(len(matches) + 1)
        for some in (matches[:middle], matches[middle:]):
            records += await work.matched(find, some)
        if done.verdict is Verdict.ABORTED:
            records += work.again(AttemptFailed(find, 1, len(matches), done.error, 0.1))
            await work.failed(find, done)
        else:
            records += await work.ended(find, done)
    if not stop():  # what is told only now was not to be told before
        why = Why(Verdict.SKIPPED, "nothing is left", "", Kind.CANCELLED, 0.0)
        records += await work.rest(why)
    return records


def _split(
    archive: _Archive, query: Query, seed: int = 0, *, split_max: int = 5000
) -> tuple[list[Match], FindDone]:
    inner: PartWork = MemoryWork(iter([Find(_PEER, query, 1, 0)]), 1)
    work = Splitting(inner, Doubts(), split_max=split_max)
    records = anyio.run(_ask, work, archive, seed)
    matches = [one for one in records if isinstance(one, Match)]
    (done,) = [one for one in records if isinstance(one, FindDone)]
    assert {one.find for one in matches} <= {done.find}
    assert [one.number for one in matches] == list(range(1, len(matches) + 1))
    assert done.matches == len(matches)
    assert done.find.query == query
    return matches, done


def _uids(matches: Sequence[Match]) -> list[str]:
    return [one.texts()["StudyInstanceUID"] for one in matches]


_ALL: Final = make_query("study", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"])


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    limit=st.sampled_from(_LIMITS),
    ignored=st.sets(st.sampled_from(("StudyDate", "StudyTime", "PatientSex"))),
    empty=st.sampled_from(("matched", "everything", "nothing")),
    bare=st.sampled_from((0, 2, 30)),
    days=st.sampled_from((1, 400, 3000)),
    dated=st.booleans(),
    says=st.sampled_from((Verdict.COMPLETE, Verdict.CUT)),
)
def test_what_is_called_proven_is_all_there_is(
    seed: int,
    limit: int,
    ignored: set[str],
    empty: str,
    bare: int,
    days: int,
    dated: bool,
    says: Verdict,
) -> None:
    chance = random.Random(seed)
    studies = _studies(chance.randrange(500), chance, days=days, bare=bare)
    archive = _Archive(studies, limit, frozenset(ignored), empty, says)
    date = "=20100101-20161231" if dated else ""
    query = make_query(
        "study", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "StudyDate" + date]
    )
    matches, done = _split(archive, query, seed, split_max=150)
    found = _uids(matches)
    assert len(found) == len(set(found))
    assert set(found) <= {one["StudyInstanceUID"] for one in studies}
    if done.verdict is Verdict.COMPLETE:
        assert set(found) == archive.truth(query)
    for part in () if done.coverage is None else done.coverage.parts:
        if part.state == "proven":
            keys = [f"{name}={text}" for name, text in part.keys if text != '""']
            truth = archive.truth(make_query("study", ["QueryRetrieveLevel=STUDY", *keys]))
            valued = {
                one["StudyInstanceUID"]
                for one in studies
                if any(one.get(name) for name, text in part.keys if text == '""')
            }
            assert truth - valued <= set(found)


def test_all_studies_and_a_proof_from_an_archive_that_cuts_silently() -> None:
    archive = _Archive(_studies(3000, random.Random(1), bare=2), 500)
    matches, done = _split(archive, _ALL)
    assert len(matches) == 3000
    assert (done.verdict, done.status, done.kind, done.error) == (Verdict.COMPLETE, 0, None, "")
    assert done.coverage is not None
    assert (done.coverage.state, done.coverage.rows) == ("proven", 3000)
    assert (done.coverage.queries, done.coverage.row_limit) == (len(archive.asked), 500)


def test_an_answer_beyond_doubt_is_not_split() -> None:
    archive = _Archive(_studies(73, random.Random(2)), 500)
    matches, done = _split(archive, _ALL)
    assert (len(matches), len(archive.asked)) == (73, 1)
    assert (done.verdict, done.coverage) == (Verdict.COMPLETE, None)


def test_emptiness_that_nobody_matches_is_said() -> None:
    archive = _Archive(_studies(900, random.Random(3), bare=1), 200, empty="nothing")
    matches, done = _split(archive, _ALL)
    assert done.verdict is Verdict.SUSPECT
    assert done.kind is None
    assert done.coverage is not None
    reasons = {one.reason for one in done.coverage.parts if one.state != "proven"}
    assert reasons == {"rows without a value cannot be asked"}
    assert [one.keys for one in done.coverage.parts if one.state == "assumed"] == [
        (("StudyDate", '""'),)
    ]
    assert len(matches) < 900


@pytest.mark.parametrize("refuses", [0xA700, None])
def test_what_is_refused_as_too_much_is_split(refuses: int | None) -> None:
    says = Verdict.CUT if refuses is None else Verdict.COMPLETE
    archive = _Archive(_studies(900, random.Random(4), bare=3), 130, says=says, refuses=refuses)
    matches, done = _split(archive, _ALL)
    assert (len(matches), done.verdict) == (900, Verdict.COMPLETE)


def test_another_refusal_is_the_end() -> None:
    archive = _Archive(_studies(900, random.Random(4)), 130, refuses=0xA900)
    matches, done = _split(archive, _ALL)
    assert (matches, done.verdict, done.coverage) == ([], Verdict.REFUSED, None)
    assert len(archive.asked) == 1


def test_rows_of_failed_attempts_are_shown_once() -> None:
    archive = _Archive(_studies(1000, random.Random(5), bare=2), 200, fails=3)
    matches, done = _split(archive, _ALL)
    assert len(_uids(matches)) == len(set(_uids(matches))) == 1000
    assert done.verdict is Verdict.COMPLETE


def test_the_most_queries_leave_the_rest_open() -> None:
    archive = _Archive(_studies(3000, random.Random(6)), 100)
    _, done = _split(archive, _ALL, split_max=20)
    assert len(archive.asked) == 20
    assert (done.verdict, done.kind) == (Verdict.CUT, Kind.LIMIT)
    assert done.coverage is not None
    assert "stopped at --split-max" in {one.reason for one in done.coverage.parts}


def test_what_cannot_be_split_is_told_as_it_is() -> None:
    query = make_query("study", ["QueryRetrieveLevel=SERIES", "StudyInstanceUID"])
    archive = _Archive(_studies(300, random.Random(7)), 100)
    matches, done = _split(archive, query)
    assert (len(matches), done.verdict, done.coverage) == (100, Verdict.SUSPECT, None)
    assert "cannot be split" in done.hint


def test_an_interrupted_split_ends_once_with_what_it_had() -> None:
    archive = _Archive(_studies(2000, random.Random(8)), 100)
    inner = MemoryWork(iter([Find(_PEER, _ALL, 1, 0), Find(_PEER, _ALL, 2, 1)]), 2)
    work = Splitting(inner, Doubts(), split_max=1000)
    why = Why(Verdict.SKIPPED, "interrupted before its turn", "", Kind.CANCELLED, 0.0)

    async def main() -> tuple[list[Record], list[FindDone]]:
        records = await _ask(work, archive, stop=lambda: len(archive.asked) >= 12)
        return records, [one for one in await work.rest(why) if isinstance(one, FindDone)]

    records, rest = anyio.run(main)
    assert not [one for one in records if isinstance(one, FindDone)]
    counts = {1: 0, 2: 0}
    for one in records:
        if isinstance(one, Match):
            counts[one.find.repeat] += 1
    assert sorted((one.find.repeat, one.matches) for one in rest) == sorted(counts.items())
    assert {one.verdict for one in rest} == {Verdict.CANCELLED}


# In a job.


def _entries(queries: Sequence[Query]) -> Iterator[tuple[Peer, Query]]:
    return ((_PEER, query) for query in queries)


@pytest.mark.parametrize("seed", range(8))
def test_a_job_goes_on_with_the_same_tree_after_every_end(tmp_path: Path, seed: int) -> None:
    """Each run ends after some answers, at an instant of chance; nothing is tidied up."""
    chance = random.Random(seed)
    path = tmp_path / "job.db"
    ignored = frozenset(("StudyDate",)) if seed == 3 else frozenset[str]()
    archive = _Archive(_studies(700, chance, bare=2), 100, ignored, fails=9)
    other = make_query("study", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientSex=F"])
    Journal.create(path, "test", _entries([_ALL, other]), split=3000).close()
    runs, least = 0, 1
    while least:
        most = len(archive.asked) + chance.randrange(1, 12)
        with Journal.open(path, retry_failed=True) as journal:
            assert journal.split == 3000
            left = journal.progress().states.get(("north", "pending"), 0)
            work = Splitting(JournalWork(journal, _PEER, left), Doubts(), split_max=3000)

            def is_over(most: int = most) -> bool:
                return len(archive.asked) >= most

            anyio.run(_run, work, archive, seed + runs, is_over)
            least = sum(journal.progress().left.values())
        runs += 1
        assert runs < 400
    assert runs > 2
    with open_snapshot(path) as snapshot:
        progress = snapshot.progress()
        found: dict[int, list[str]] = {0: [], 1: []}
        ends: dict[int, FindDone] = {}
        for record in snapshot.records():
            if isinstance(record, Match):
                found[record.find.ordinal].append(record.texts()["StudyInstanceUID"])
                assert "StudyDate" not in record.texts()
            else:
                ends[record.find.ordinal] = record
        parts = len([1 for part, _, _ in snapshot.tree(0) if part is not None])
    assert sum(progress.verdicts.values()) == 2
    for ordinal, query in enumerate((_ALL, other)):
        assert len(found[ordinal]) == len(set(found[ordinal])) == ends[ordinal].matches
        if ends[ordinal].verdict is Verdict.COMPLETE:
            assert set(found[ordinal]) == archive.truth(query)
    covered = ends[0].coverage
    assert covered is not None
    assert covered.queries <= parts + 1
    if not ignored:
        assert [one.verdict for one in ends.values()] == [Verdict.COMPLETE, Verdict.COMPLETE]
        assert progress.rows == sum(map(len, found.values()))


async def _run(work: Splitting, archive: _Archive, seed: int, is_over: Callable[[], bool]) -> None:
    await _ask(work, archive, seed, stop=is_over)


def test_parts_that_failed_are_asked_again_when_wanted(tmp_path: Path) -> None:
    path = tmp_path / "job.db"
    archive = _Archive(_studies(900, random.Random(9)), 200, fails=4)
    Journal.create(path, "test", _entries([_ALL]), split=1000).close()

    async def once(journal: Journal) -> None:
        left = journal.progress().states.get(("north", "pending"), 0)
        work = Splitting(JournalWork(journal, _PEER, left), Doubts(), split_max=1000)
        while (find := await work.take()) is not None:
            matches, done = archive.find(find)
            await work.matched(find, matches)
            await work.ended(find, done)

    with Journal.open(path) as journal:
        anyio.run(once, journal)
        assert journal.progress().verdicts == {"cut": 1}
        with journal.snapshot() as snapshot:
            assert {one.state for one in snapshot.coverage(0)} == {"proven", "open"}
    archive.fails = 0
    with Journal.open(path, retry_failed=True) as journal:
        assert journal.progress().verdicts == {}
        assert journal.progress().left == {"north": 1}
        anyio.run(once, journal)
        assert journal.progress().rows == 900
    with open_snapshot(path) as snapshot:
        *matches, done = snapshot.records()
    assert isinstance(done, FindDone)
    assert (len(matches), done.matches) == (900, 900)


# Doubts.


def _judged(doubts: Doubts, *counts: int) -> list[Verdict]:
    finds = (Find(_PEER, make_query("study", ["PatientID"]), 1, place) for place in range(99))
    ends = (
        _done(find, Verdict.COMPLETE, count, 0) for find, count in zip(finds, counts, strict=False)
    )
    return [doubts.judge(end).verdict for end in ends]


def test_round_counts_and_the_most_that_came_twice_are_suspect() -> None:
    good, doubtful = Verdict.COMPLETE, Verdict.SUSPECT
    assert _judged(Doubts(), 0, 99, 100, 64, 32, 217, 217) == [
        *(good, good, doubtful, doubtful, good, good, good),
    ]
    # 137 is no limit where 217 came before.
    assert _judged(Doubts(repeats=True), 7, 7, 217, 137, 137, 217, 218) == [
        *(good, good, good, good, good, doubtful, good),
    ]


def test_where_the_limit_is_known_no_other_count_is_in_doubt() -> None:
    assert _judged(Doubts(250, repeats=True), 100, 249, 249, 250, 251) == [
        *(Verdict.COMPLETE, Verdict.COMPLETE, Verdict.COMPLETE, Verdict.CUT, Verdict.CUT),
    ]


def test_a_doubt_is_told_once_and_is_a_failure_where_that_is_wanted() -> None:
    doubts, strict = Doubts(), Doubts(strict=True)
    end = _done(Find(_PEER, _ALL, 1, 0), Verdict.COMPLETE, 500, 0)
    (note,) = doubts.note(doubts.judge(end))
    assert "500 matches look like a limit" in note.text
    assert doubts.note(doubts.judge(end)) == ()
    judged = strict.judge(end)
    assert (judged.kind, strict.note(judged)) == (Kind.LIMIT, ())


# Rows.


def test_seen_rows_are_known_from_memory_and_from_the_file() -> None:
    seen = Seen(in_memory=10)
    assert [seen.add(f"1.2.{number}") for number in range(50)] == [True] * 50
    assert [seen.add(f"1.2.{number}") for number in range(50)] == [False] * 50
    assert seen.add("1.2.50")
    seen.close()


def _match(*keys: str) -> Match:
    data = write_item(build_identifier(None, list(keys)), IMPLICIT_VR_LITTLE_ENDIAN)
    find = Find(_PEER, _ALL, 1, 0)
    return Match(find, 1, 0xFF00, data, IMPLICIT_VR_LITTLE_ENDIAN.uid)


def test_keys_that_only_splitting_needs_are_not_shown() -> None:
    query = make_query("worklist", ["PatientName", "ScheduledProcedureStepSequence[0].Modality"])
    shown = Shown(query, dimensions_of(query))
    step = "ScheduledProcedureStepSequence[0]."
    match = _match(
        *("PatientName=LARCH", "PatientID=P1", "AccessionNumber=A1", "StudyInstanceUID=1.2.3"),
        *(f"{step}Modality=CT", f"{step}ScheduledProcedureStepID=S1", "PatientWeight=70"),
    )
    identifier, syntax = shown.identifier(match)
    item = match._replace(identifier=identifier, transfer_syntax=syntax).item()
    assert set(item.elements) == {0x00100010, 0x00101030, 0x00400100}
    steps = item.elements[0x00400100].value
    assert isinstance(steps, list)
    assert set(steps[0].elements) == {0x00080060}


def test_steps_of_two_studies_may_have_the_same_number() -> None:
    query = make_query("worklist", ["PatientName"])
    reader = RowReader(query, ())
    step = "ScheduledProcedureStepSequence[0].ScheduledProcedureStepID=1"
    rows = [reader.read(_match(step, f"StudyInstanceUID=1.2.{one}")) for one in (1, 2, 1)]
    assert rows[0].key == rows[2].key != rows[1].key
