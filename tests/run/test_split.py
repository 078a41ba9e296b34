"""Splitting with proof, against an archive that cuts, ignores, repeats and refuses."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.plan import Peer, make_query
from asyncfind.query.keys import build_identifier
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.records import Find, FindDone, Match, Verdict
from asyncfind.run.split import Splitter
from asyncfind.run.split_coverage import Coverage
from asyncfind.run.split_cuts import parse_date, parse_time
from asyncfind.run.split_query import asked_by, dimensions_of, narrowed, outcome_of, with_keys
from asyncfind.run.split_rows import RowReader
from asyncfind.run.split_words import (
    Answer,
    Calendar,
    Constraint,
    Dimension,
    Form,
    Matching,
    Outcome,
    Proof,
    Range,
    Row,
    Rules,
)

_DATE = Dimension(name="StudyDate", path=(0x00080020,), form=Form.DATE, current=True)
_TIME = Dimension(
    name="StudyTime", path=(0x00080030,), form=Form.TIME, day="StudyDate", current=True
)
_SEX = Dimension(
    name="PatientSex", path=(0x00100040,), form=Form.CODES, codes=("F", "M", "O"), closed=True
)
_ID = Dimension(name="PatientID", path=(0x00100020,), form=Form.PREFIX)
_ALL: Final = (_DATE, _TIME, _SEX, _ID)
_NAMES: Final = tuple(one.name for one in _ALL)
_A_DAY: Final = timedelta(days=1)
_LIMITS: Final = (64, 100, 128, 200, 256, 300)


@dataclass
class _Archive:
    """What a peer has, and how it behaves. Matching is written anew here, on plain text.

    Args:
        limit: rows at which an answer is cut, by the keys that are asked.
        says_so: with FE00 instead of Success.
        refuses: more rows than this are refused; None refuses nothing.
        ignored: keys that are not matched.
        wildcard_empty: emptiness is taken for "all values".
        repeat: every so many rows one comes twice.
    """

    rows: list[Row]
    limit: Callable[[frozenset[str]], int] = lambda keys: 10**9
    says_so: bool = False
    refuses: int | None = None
    ignored: frozenset[str] = frozenset()
    wildcard_empty: bool = False
    repeat: int = 0
    queries: list[Range] = field(default_factory=list)

    def find(self, asked: Range) -> Answer:
        self.queries.append(asked)
        found = [row for row in self.rows if self._matches(row, asked)]
        if self.refuses is not None and len(found) > self.refuses:
            return Answer(Outcome.TOO_MANY)
        if self.repeat:
            found = [row for place, row in enumerate(found) for _ in range(1 + self._twice(place))]
        limit = self.limit(frozenset(name for name, _ in asked.parts))
        cut = len(found) > limit
        outcome = Outcome.CUT if cut and self.says_so else Outcome.COMPLETE
        return Answer(outcome, tuple(found[:limit]))

    def _twice(self, place: int) -> bool:
        return place % self.repeat == 0

    def truth(self, asked: Range) -> set[str]:
        return {row.key for row in self.rows if all(_fits(row, *part) for part in asked.parts)}

    def _matches(self, row: Row, asked: Range) -> bool:
        return all(
            name in self.ignored
            or (self.wildcard_empty and constraint.matching is Matching.EMPTY)
            or _fits(row, name, constraint)
            for name, constraint in asked.parts
        )


def _fits(row: Row, name: str, constraint: Constraint) -> bool:
    values = row.values[_NAMES.index(name)]
    asked = constraint.text
    if asked == '""':
        return not values
    if asked.endswith("*"):
        return any(value.startswith(asked[:-1]) for value in values)
    if "-" in asked:
        low, _, high = asked.partition("-")
        return any(value >= low and (not high or value <= high) for value in values)
    return asked in values


@dataclass
class _Run:
    splitter: Splitter
    found: set[str]
    answers: int

    @property
    def coverage(self) -> Coverage:
        return self.splitter.coverage()


def _run(archive: _Archive, rules: Rules, whole: Range | None = None, seed: int = 0) -> _Run:
    """Ask until nothing is left to ask, in an order of the seed's choice."""
    chance = random.Random(seed)
    splitter = Splitter(rules, whole)
    waiting = list(splitter.start())
    found: set[str] = set()
    answers = 0
    while True:
        while waiting:
            asked = waiting.pop(chance.randrange(len(waiting)))
            answer = archive.find(asked)
            answers += 1
            found.update(row.key for row in answer.rows)
            waiting += splitter.answer(asked, answer)
        again = splitter.finish()
        if not again:
            break
        waiting += again
    assert splitter.pending == ()
    return _Run(splitter, found, answers)


def _row(
    number: int, day: str = "", time: str = "", sex: str = "", patient: str | None = None
) -> Row:
    patient = f"{number:05d}" if patient is None else patient
    return Row(
        f"1.2.{number}", tuple((value,) if value else () for value in (day, time, sex, patient))
    )


@st.composite
def _rows(draw: st.DrawFn, *, undated: bool) -> list[Row]:
    """Studies over some days, many on few of them; hypothesis chooses how, a seed the rest."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, 1200))
    days = draw(st.integers(1, 60))
    crowded = draw(st.floats(0, 1))
    dateless, timeless = (draw(st.sampled_from((0, 0.01, 0.3))) if undated else 0 for _ in "dt")
    begin = date(2021, 1, 1) + timedelta(draw(st.integers(0, 700)))
    rows = []
    for number in range(count):
        offset = 0 if chance.random() < crowded else chance.randrange(days)
        day = f"{begin + timedelta(offset):%Y%m%d}"
        clock = chance.randrange(86_400) if chance.random() < 0.8 else 43_200
        time = f"{clock // 3600:02}{clock // 60 % 60:02}{clock % 60:02}"
        if chance.random() < 0.2:
            time += ".25"
        sex = chance.choice(("F", "M", "O", ""))
        day = "" if chance.random() < dateless else day
        time = "" if chance.random() < timeless else time
        rows.append(_row(number, day, time, sex, f"{chance.randrange(10**6):06d}"))
    if draw(st.booleans()):
        chance.shuffle(rows)
    return rows


@st.composite
def _archives(draw: st.DrawFn) -> _Archive:
    limits = draw(st.lists(st.sampled_from((*_LIMITS, 10**9)), min_size=16, max_size=16))
    same = draw(st.booleans())

    def limit(keys: frozenset[str]) -> int:
        return limits[0 if same else sum(1 << _NAMES.index(key) for key in keys)]

    return _Archive(
        rows=draw(_rows(undated=draw(st.booleans()))),
        limit=limit,
        says_so=draw(st.booleans()),
        refuses=draw(st.none() | st.integers(20, 400)),
        ignored=draw(st.frozensets(st.sampled_from(_NAMES), max_size=2)),
        repeat=draw(st.sampled_from((0, 0, 1, 7))),
    )


def _check(archive: _Archive, run: _Run, rules: Rules, whole: Range | None = None) -> None:
    """What is said to be proven is true, for the whole and for each part."""
    coverage = run.coverage
    assert run.answers == coverage.queries <= rules.split_max
    if coverage.state is Proof.PROVEN:
        assert archive.truth(whole or Range()) <= run.found
    for finding in coverage.findings:
        if finding.state is Proof.PROVEN:
            assert archive.truth(finding.range) <= run.found
        else:
            assert finding.reason


@settings(max_examples=150, deadline=None)
@given(archive=_archives(), seed=st.integers(0, 9), empty=st.booleans())
def test_what_is_proven_is_true(archive: _Archive, seed: int, empty: bool) -> None:
    rules = Rules(dimensions=_ALL, split_max=5000, empty_matching=empty)
    _check(archive, _run(archive, rules, seed=seed), rules)


@settings(max_examples=60, deadline=None)
@given(archive=_archives(), seed=st.integers(0, 9))
def test_an_honest_archive_is_proven(archive: _Archive, seed: int) -> None:
    """Where nothing but silent cuts is in the way, everything is found and known to be."""
    archive.ignored = frozenset()
    archive.rows = [
        row for row in archive.rows if row.values[0] and row.values[1]
    ]  # whatever the day, there are not as many as the smallest limit in one second
    seconds: dict[tuple[str, str], list[Row]] = {}
    for row in archive.rows:
        seconds.setdefault((row.values[0][0], row.values[1][0][:6]), []).append(row)
    archive.rows = [row for rows in seconds.values() for row in rows[:9]]
    archive.refuses = None
    rules = Rules(dimensions=_ALL, split_max=5000, empty_matching=True)
    run = _run(archive, rules, seed=seed)
    _check(archive, run, rules)
    assert run.coverage.state is Proof.PROVEN
    assert run.found == archive.truth(Range())


def _decade(undated: int = 0, *, crowded: bool = False, ordered: bool = False) -> list[Row]:
    """20,000 studies over ten years."""
    chance = random.Random(2026)
    rows = []
    for number in range(20_000):
        offset = chance.randrange(3652)
        if crowded and number % 2:
            offset = chance.choice((100, 2000))
        day = f"{date(2014, 1, 1) + timedelta(offset):%Y%m%d}"
        clock = chance.randrange(86_400)
        time = f"{clock // 3600:02}{clock // 60 % 60:02}{clock % 60:02}"
        rows.append(_row(number, "" if number < undated else day, time, chance.choice("FMO")))
    if ordered:
        rows.sort(key=lambda row: row.values[0])
    else:
        chance.shuffle(rows)
    return rows


@pytest.mark.parametrize(
    ("rows", "says_so", "queries"),
    [
        (_decade(), False, 130),
        (_decade(200, ordered=True), False, 130),
        (_decade(200), True, 130),
        (_decade(400, crowded=True, ordered=True), False, 170),
    ],
    ids=["even", "ordered and some undated", "says that it cut", "all at once"],
)
def test_ten_years_with_a_limit_of_500(rows: list[Row], says_so: bool, queries: int) -> None:
    archive = _Archive(rows, limit=lambda keys: 500, says_so=says_so)
    run = _run(archive, Rules(dimensions=_ALL, empty_matching=True))
    assert len(run.found) == 20_000
    assert run.coverage.state is Proof.PROVEN
    # 40 answers are needed at least, each of 500 rows.
    assert 40 < run.answers <= queries
    assert run.coverage.row_limit == 500
    assert run.coverage.learned


def test_a_known_limit_saves_queries_and_a_wrong_one_is_found_out() -> None:
    rows = _decade()
    known = _run(_Archive(rows, limit=lambda keys: 500), Rules(dimensions=_ALL, row_limit=500))
    assert not known.coverage.learned
    wrong = _run(_Archive(rows, limit=lambda keys: 200), Rules(dimensions=_ALL, row_limit=500))
    assert len(known.found) == 20_000
    assert len(wrong.found) == 200  # it was said to deliver up to 499 rows
    assert not wrong.splitter.is_split


def test_a_short_answer_is_not_split() -> None:
    archive = _Archive([_row(number, "20210101", "120000") for number in range(63)])
    run = _run(archive, Rules(dimensions=_ALL, now=datetime(2021, 1, 1, tzinfo=UTC)))
    assert archive.queries == [Range()]
    assert run.coverage.state is Proof.PROVEN
    assert not run.splitter.is_split


def _days(count: int, rows: int) -> list[Row]:
    return [
        _row(number, f"{date(2021, 1, 1) + timedelta(number % count):%Y%m%d}", "120000", "F")
        for number in range(rows)
    ]


_YEAR = Range((("StudyDate", Constraint(Matching.RANGE, "20210101", "20211231")),))


def test_two_ways_of_asking_that_agree_prove_a_suspicious_count() -> None:
    archive = _Archive(_days(300, 300))
    run = _run(archive, Rules(dimensions=_ALL), _YEAR)
    assert run.answers == 3
    assert run.coverage.state is Proof.PROVEN
    assert run.coverage.row_limit is None
    # A guess that was wrong is not made again for fewer rows of the same kind.
    archive.rows = _days(200, 200)
    assert _run(archive, Rules(dimensions=_ALL), _YEAR).answers == 3


def test_the_same_count_twice_is_a_guess() -> None:
    """77 is no round number, but three months of 77 rows are no chance."""
    archive = _Archive(_days(90, 2000), limit=lambda keys: 77)
    run = _run(archive, Rules(dimensions=(_DATE,)), _YEAR)
    assert not run.splitter.is_split  # one answer alone says nothing
    splitter = Splitter(Rules(dimensions=(_DATE,)), _YEAR)
    waiting = list(splitter.start(Calendar.MONTH))
    assert len(waiting) == 12
    found: set[str] = set()
    while waiting:
        asked = waiting.pop()
        answer = archive.find(asked)
        found.update(row.key for row in answer.rows)
        waiting += splitter.answer(asked, answer)
    assert splitter.coverage().state is Proof.PROVEN
    assert splitter.coverage().row_limit == 77
    assert found == archive.truth(Range())


@pytest.mark.parametrize(
    ("by", "ranges"), [(Calendar.YEAR, 2), (Calendar.MONTH, 13), (Calendar.DAY, 396)]
)
def test_pieces_of_the_calendar_leave_no_gap(by: Calendar, ranges: int) -> None:
    whole = Range((("StudyDate", Constraint(Matching.RANGE, "20191210", "20210108")),))
    first = Splitter(Rules(dimensions=_ALL), whole).start(by)
    assert len(first) == ranges + (by is Calendar.YEAR) + (by is Calendar.MONTH)
    ends = [part.parts[0][1] for part in first]
    assert (ends[0].low, ends[-1].high) == ("20191210", "20210108")
    for before, after in pairwise(ends):
        assert parse_date(after.low or "") == (parse_date(before.high or "") or date.min) + _A_DAY
    likely = Rules(dimensions=_ALL, empty_matching=True, earliest="20200101", latest="20210301")
    open_ended = Splitter(likely).start(by)
    texts = [part.parts[0][1].text for part in open_ended]
    assert (texts[0], texts[-2], texts[-1]) == ("-20191231", "20210302-", '""')


def test_an_archive_that_ignores_a_key_is_split_by_another() -> None:
    archive = _Archive(
        [
            _row(number, "20210101", f"{number % 24:02}0000", "FFMMMO"[number % 6])
            for number in range(750)
        ],
        limit=lambda keys: 400,
        ignored=frozenset({"StudyTime"}),
    )
    day = Range((("StudyDate", Constraint(Matching.RANGE, "20210101", "20210101")),))
    run = _run(archive, Rules(dimensions=_ALL, empty_matching=True), day)
    assert run.coverage.state is Proof.PROVEN
    assert len(run.found) == 750
    times = [asked for asked in archive.queries if asked.get("StudyTime")]
    assert len(times) <= 3  # found out by the first that came


def test_emptiness_that_is_taken_for_everything_is_found_out() -> None:
    rows = [
        _row(number, "" if number % 9 == 0 else f"2021010{number % 9}") for number in range(700)
    ]
    archive = _Archive(rows, limit=lambda keys: 300, wildcard_empty=True)
    run = _run(archive, Rules(dimensions=(_DATE,), empty_matching=True))
    assert run.coverage.state is Proof.ASSUMED
    assert archive.truth(Range()) - run.found  # and rightly so
    assert "cannot be asked" in _report(run.coverage)


def test_a_row_that_no_part_brings_bans_the_key() -> None:
    """The archive has rows that it finds by the whole year, and by no part of it."""
    rows = _days(20, 450)

    class Forgetful(_Archive):
        def find(self, asked: Range) -> Answer:
            self.rows = rows if asked == _YEAR else rows[50:]
            return super().find(asked)

    archive = Forgetful(rows, limit=lambda keys: 400)
    run = _run(archive, Rules(dimensions=(_DATE,)), _YEAR)
    assert archive.queries.count(_YEAR) == 2
    assert run.coverage.state is Proof.OPEN
    # Another key gets its chance.
    run = _run(Forgetful(rows, limit=lambda keys: 400), Rules(dimensions=(_DATE, _ID)), _YEAR)
    assert run.coverage.state is not Proof.PROVEN


def test_a_row_in_two_parts_bans_the_key() -> None:
    """What is not there twice by its own account must not be there twice."""

    class Torn(_Archive):
        def find(self, asked: Range) -> Answer:
            answer = super().find(asked)
            constraint = asked.get("StudyDate")
            if constraint is None or constraint == _YEAR.get("StudyDate"):
                return answer
            day = constraint.low or ""
            twin = Row("1.2.0", ((day,), *answer.rows[0].values[1:])) if answer.rows else None
            return replace(answer, rows=(*answer.rows, *([twin] if twin else [])))

    archive = Torn(_days(300, 600), limit=lambda keys: 500)
    run = _run(archive, Rules(dimensions=(_DATE,)), _YEAR)
    assert run.coverage.state is Proof.OPEN


def test_a_deleted_row_is_not_the_keys_fault() -> None:
    rows = _days(300, 520)

    class Changing(_Archive):
        def find(self, asked: Range) -> Answer:
            answer = super().find(asked)
            if len(self.queries) == 1:
                self.rows = [row for row in self.rows if row.key != "1.2.3"]
            return answer

    archive = Changing(rows, limit=lambda keys: 500)
    run = _run(archive, Rules(dimensions=(_DATE,)), _YEAR)
    assert run.coverage.state is Proof.PROVEN
    assert archive.queries.count(_YEAR) == 2  # asked again, and believed


def test_rows_in_one_second_stay_open() -> None:
    archive = _Archive(
        [_row(number, "20210101", "080000", "F", "SAME") for number in range(700)],
        limit=lambda keys: 500,
    )
    day = Range((("StudyDate", Constraint(Matching.RANGE, "20210101", "20210101")),))
    run = _run(archive, Rules(dimensions=_ALL, empty_matching=True), day)
    assert run.coverage.state is Proof.OPEN
    text = _report(run.coverage)
    assert text.startswith("coverage 2021-01-01: ")
    # Both seconds that it may be meant to be in were asked for, and all else was tried.
    assert "  open 2021-01-01 07:59:59..08:00 F SAME (500 rows)\n" in text
    assert "  open 2021-01-01 08:00..08:00:01 F" in text


def test_the_most_queries() -> None:
    archive = _Archive(_decade(), limit=lambda keys: 100)
    run = _run(archive, Rules(dimensions=_ALL, split_max=50))
    assert run.answers == 50
    assert run.coverage.state is Proof.OPEN
    assert "stopped at --split-max" in _report(run.coverage)


def test_a_query_that_fails_leaves_its_part_open() -> None:
    splitter = Splitter(Rules(dimensions=_ALL), _YEAR)
    archive = _Archive(_days(300, 600), limit=lambda keys: 500)
    (whole,) = splitter.start()
    early, late = splitter.answer(whole, archive.find(whole))
    assert splitter.answer(early, archive.find(early)) == ()
    assert splitter.answer(late, Answer(Outcome.FAILED)) == ()
    assert splitter.pending == ()
    states = [(one.range, one.state) for one in splitter.coverage().findings]
    assert states == [(early, Proof.PROVEN), (late, Proof.OPEN)]


def test_the_window_that_now_is_in_is_asked_again() -> None:
    rows = _days(300, 600)
    archive = _Archive(rows, limit=lambda keys: 500)
    now = datetime(2021, 10, 1, 12, tzinfo=UTC)
    splitter = Splitter(Rules(dimensions=_ALL, now=now), _YEAR)
    waiting = list(splitter.start())
    while waiting:
        waiting += splitter.answer(waiting[0], archive.find(waiting.pop(0)))
    archive.rows.append(_row(9999, "20211001", "115900"))
    archive.rows.append(_row(9998, "20210101", "115900"))  # nobody will see this one
    again = splitter.finish()
    assert [part.parts[0][1].text for part in again] == ["20210703-20211231"]
    for part in again:
        assert splitter.answer(part, archive.find(part)) == ()
    assert splitter.late == {"1.2.9999"}
    assert splitter.finish() == ()
    assert splitter.coverage().late == 1
    assert "1 rows new meanwhile" in _report(splitter.coverage())


def test_late_answers_to_dropped_questions_change_nothing() -> None:
    splitter = Splitter(Rules(dimensions=_ALL), _YEAR)
    assert splitter.answer(Range(), Answer(Outcome.COMPLETE)) == ()
    (whole,) = splitter.start()
    splitter.answer(whole, Answer(Outcome.COMPLETE))
    before = splitter.coverage()
    assert splitter.answer(whole, Answer(Outcome.TOO_MANY)) == ()
    assert splitter.coverage() == before


def test_replaying_the_answers_of_a_killed_run_gives_its_tree() -> None:
    archive = _Archive(_decade(300), limit=lambda keys: 500)
    rules = Rules(dimensions=_ALL, empty_matching=True)
    first = Splitter(rules)
    waiting = list(first.start())
    answered: list[tuple[Range, Answer]] = []
    while waiting and len(answered) < 60:
        asked = waiting.pop(0)
        answered.append((Range.load(asked.dump()), archive.find(asked)))
        waiting += first.answer(*answered[-1])
    second = Splitter(rules)
    second.start()
    for asked, answer in answered:
        second.answer(asked, answer)
    assert set(second.pending) == set(waiting)
    assert second.coverage() == first.coverage()


_CONSTRAINTS = st.builds(
    Constraint, st.sampled_from(Matching), st.none() | st.text(max_size=8), st.none() | st.text()
)


@given(parts=st.lists(st.tuples(st.text(min_size=1), _CONSTRAINTS)))
def test_ranges_survive_a_journal(parts: list[tuple[str, Constraint]]) -> None:
    assert Range.load(Range(tuple(parts)).dump()) == Range(tuple(parts))


@pytest.mark.parametrize(
    "text", ["", "{}x", "[1]", '[["a", "range", 1, null]]', '[["a", "odd", null, null]]', "[[]]"]
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"no range|Expecting|not a valid|unpack|Extra data"):
        Range.load(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("08", (28_800, 32_399)),
        ("0830", (30_600, 30_659)),
        ("08:30:15", (30_615, 30_615)),
        ("083015.5", (30_615.5, 30_615.5)),
        ("235960", (86_399, 86_399)),
        ("24", (-1, -1)),
        ("0860", (-1, -1)),
        ("noon", (-1, -1)),
    ],
)
def test_what_a_time_may_mean(text: str, seconds: tuple[float, float]) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20210131", date(2021, 1, 31)),
        (" 2021.01.31", date(2021, 1, 31)),
        ("2021.0131", None),
        ("20210229", None),
        ("2021-01-31", None),
    ],
)
def test_what_a_date_says(text: str, day: date | None) -> None:
    assert parse_date(text) == day


def _report(coverage: Coverage) -> str:
    return "\n".join(coverage.lines(coverage.rows))


def test_the_block_of_a_report() -> None:
    rows = _decade()
    archive = _Archive(rows, limit=lambda keys: 500)
    whole = Range((("StudyDate", Constraint(Matching.RANGE, "20190101", "20231231")),))
    run = _run(archive, Rules(dimensions=_ALL), whole)
    count = len(archive.truth(whole))
    head, *body = run.coverage.lines(count)
    assert head == (
        f"coverage 2019-01-01..2023-12-31: {count // 1000} {count % 1000:03} rows, "
        f"{run.answers} queries, row limit 500 (learned)"
    )
    assert body == ["  proven 2019-01-01..2023-12-31"]
    assert run.coverage.journal_rows() == (
        ("StudyDate", "20190101", "20231231", "proven", count, whole.dump(), ""),
    )


# Queries and matches.


def test_a_query_becomes_a_range_and_its_parts_queries() -> None:
    query = make_query("study", ["QueryRetrieveLevel=STUDY", "StudyDate=20210101-", "PatientID=A*"])
    dimensions = dimensions_of(query)
    assert [one.name for one in dimensions] == [
        "StudyDate",
        "StudyTime",
        "PatientSex",
        "ModalitiesInStudy",
        "AccessionNumber",
        "PatientName",
    ]
    whole = asked_by(query)
    assert whole == Range((("StudyDate", Constraint(Matching.RANGE, "20210101", None)),))
    full = with_keys(query, dimensions)
    part = whole.narrowed("StudyDate", Constraint(Matching.RANGE, "20210101", "20210101"))
    part = part.narrowed("StudyTime", Constraint(Matching.RANGE, "120000", None))
    part = part.narrowed("PatientSex", Constraint(Matching.EMPTY))
    asked = narrowed(full, part, dimensions)
    texts = {tag: element.value for tag, element in asked.identifier.elements.items()}
    assert texts == {
        0x00080020: b"20210101",
        0x00080030: b"120000- ",
        0x00080050: b"",
        0x00080052: b"STUDY ",
        0x00080061: b"",
        0x00100010: b"",
        0x00100020: b"A*",
        0x00100040: b'""',
        0x0020000D: b"",
    }
    assert 0x00100040 not in query.identifier.elements  # the user's own stays as it is


def test_a_worklist_is_split_inside_its_sequence() -> None:
    query = make_query("worklist", ["PatientName"])
    dimensions = dimensions_of(query)
    part = Range((("ScheduledProcedureStepStartDate", Constraint(Matching.RANGE, "20210101")),))
    asked = narrowed(with_keys(query, dimensions), part, dimensions)
    steps = asked.identifier.elements[0x00400100].value
    assert isinstance(steps, list)
    assert steps[0].elements[0x00400002].value == b"20210101- "
    assert {0x00400001, 0x00400003, 0x00080060, 0x00400009} <= steps[0].elements.keys()


@pytest.mark.parametrize("level", ["SERIES", "IMAGE"])
def test_series_and_images_are_not_split(level: str) -> None:
    assert dimensions_of(make_query("study", [f"QueryRetrieveLevel={level}"])) == ()


@pytest.mark.parametrize(
    ("verdict", "status", "too_many", "outcome"),
    [
        (Verdict.COMPLETE, 0, False, Outcome.COMPLETE),
        (Verdict.UNDECODABLE, 0, False, Outcome.COMPLETE),
        (Verdict.CUT, 0xFE00, False, Outcome.CUT),
        (Verdict.LIMIT, None, False, Outcome.CUT),
        (Verdict.REFUSED, 0xA700, False, Outcome.TOO_MANY),
        (Verdict.REFUSED, 0xC001, True, Outcome.TOO_MANY),
        (Verdict.REFUSED, 0xA900, False, Outcome.FAILED),
        (Verdict.TIMEOUT, None, True, Outcome.FAILED),
    ],
)
def test_what_an_end_means(
    verdict: Verdict, status: int | None, too_many: bool, outcome: Outcome
) -> None:
    query = make_query("study", ["QueryRetrieveLevel=STUDY", "StudyDate"])
    dimensions = dimensions_of(query)
    find = Find(Peer(host="127.0.0.1", port=104), query, 1, 0)
    rows = [
        ["StudyInstanceUID=1.2.3", "StudyDate=20210101", r"ModalitiesInStudy=CT\SR"],
        ["StudyDate=20210102", "PatientSex=F"],
    ]
    syntax = EXPLICIT_VR_LITTLE_ENDIAN
    matches = [
        Match(find, number, 0xFF00, write_item(build_identifier(None, keys), syntax), syntax.uid)
        for number, keys in enumerate(rows, 1)
    ]
    matches.append(Match(find, 3, 0xFF00, b"\xff", syntax.uid))
    done = FindDone(find=find, verdict=verdict, status=status, matches=3, seconds=0.1)
    assert outcome_of(done, too_many) is outcome
    reader = RowReader(query, dimensions)
    first, second, third = map(reader.read, matches)
    assert first == Row("1.2.3", (("20210101",), (), (), ("CT", "SR"), (), (), ()))
    assert second.values == (("20210102",), (), ("F",), (), (), (), ())
    assert third.values == ((),) * len(dimensions)
    # What has no unique key is known by its bytes, and by how many like it came before.
    again = reader.read(matches[1])
    other = RowReader(query, dimensions)
    assert len({second.key, third.key, again.key}) == 3
    assert [other.read(matches[1]), other.read(matches[1])] == [second, again]
