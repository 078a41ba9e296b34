"""Splitting with proof, against an archive that cuts, ignores, repeats and refuses."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.run.split import Splitter
from asyncfind.run.split_coverage import Coverage
from asyncfind.run.split_words import (
    Answer,
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


@settings(max_examples=300, deadline=None)
@given(archive=_archives(), seed=st.integers(0, 9), empty=st.booleans())
def test_what_is_proven_is_true(archive: _Archive, seed: int, empty: bool) -> None:
    rules = Rules(dimensions=_ALL, split_max=5000, empty_matching=empty)
    _check(archive, _run(archive, rules, seed=seed), rules)
