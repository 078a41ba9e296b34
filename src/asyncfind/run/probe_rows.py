"""At how many matches a node cuts its answers: from one day on, wider while there are few.

A range is asked in parts and as a whole. A whole that is less than its parts was cut.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from asyncfind.query.element import Item
from asyncfind.run.probe_ask import Asker, Reply
from asyncfind.run.probe_grounds import Ground, text_at

__all__ = ["Span", "Widened", "widen"]

_WIDEST: Final = 32_768
"""Days, 90 years: nothing is older."""
_AT_MOST: Final = 8
"""How many times as many days the next range has."""
_MARGIN: Final = 1.2
_HALVINGS: Final = 8
_SAMPLES: Final = 40
_BY_ITSELF: Final = 0xFE00
_ONE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """The days from `first` to `last`, and how many matches they had."""

    first: date
    last: date
    count: int

    @property
    def days(self) -> int:
        """How many days that are."""
        return (self.last - self.first).days + 1


@dataclass(slots=True)
class Widened:
    """What was learned on the way.

    Args:
        samples: answers to look into.
        largest: the answer with the most matches, or the one that was cancelled; None where none
            had any.
        limit: matches at which the node cuts; None where it was not seen to.
        evidence: why, in words.
        refused: how it answered a range that it did not take.
        is_date_ignored: matches came that the date key should have kept away.
        cancelled: the reply that we cancelled, because it was too long.
        is_row_on_final: a final response brought a match that no other response did.
    """

    samples: list[Item] = field(default_factory=list)
    largest: Span | None = None
    limit: int | None = None
    evidence: str = ""
    refused: str = ""
    is_date_ignored: bool = False
    cancelled: Reply | None = None
    is_row_on_final: bool = False

    @property
    def is_over(self) -> bool:
        """There is nothing more to learn by asking for more."""
        return self.limit is not None or bool(self.refused) or self.is_date_ignored


async def widen(asker: Asker, ground: Ground, today: date, rows: int) -> Widened:
    """Ask for the matches of one day, then of more days, until about `rows` have come.

    Raises:
        Enough: the node has enough.
        PeerError: there is no association.
    """
    search = _Search(asker, ground, today, rows)
    await search.run()
    return search.found


class _Search:
    def __init__(self, asker: Asker, ground: Ground, today: date, rows: int) -> None:
        self.found = Widened()
        self._asker = asker
        self._ground = ground
        self._today = today
        self._rows = rows
        self._parts: list[Span] = []

    async def run(self) -> None:
        days, known, total = 1, 0, 0
        while not self.found.is_over and self.found.cancelled is None:
            parts = await self._ask_new_days(known, days)
            if parts is None:
                return
            before, total = total, total + parts
            if before and parts and await self._is_cut(days, total):
                return
            if total > self._rows or days >= _WIDEST:
                break
            known = days
            factor = self._rows * _MARGIN / total if total else _AT_MOST
            days = min(_WIDEST, round(days * min(_AT_MOST, max(2, factor))))
        if not self.found.is_over and self.found.cancelled is None:
            await self._halve()
        if self.found.limit is None and not self.found.evidence:
            most = self.found.largest.count if self.found.largest is not None else 0
            self.found.evidence = f"no answer was cut, the longest had {most} matches"

    async def _ask_new_days(self, known: int, days: int) -> int | None:
        """How many matches the days have that the known ones have not; None ends the search."""
        today = self._today
        spans = [(today - _ONE * (days - 1), today - _ONE * known)]
        if self._ground.is_ahead and known:
            spans.append((today + _ONE * known, today + _ONE * (days - 1)))
        total = 0
        for first, last in spans:
            span = await self._ask(first, last)
            if span is None:
                return None
            self._parts.append(span)
            total += span.count
        return total

    async def _is_cut(self, days: int, total: int) -> bool:
        """Ask for all these days at once; whether that ends the search."""
        ahead = self._today + _ONE * (days - 1) if self._ground.is_ahead else self._today
        whole = await self._ask(self._today - _ONE * (days - 1), ahead)
        if whole is None:
            return True
        if whole.count < total:
            self._cut(whole.count, f"a range that has {total} in parts gave {whole.count}")
            return True
        return False

    async def _halve(self) -> None:
        """Look whether the largest part was cut already: its halves would have more."""
        span = max(self._parts, key=lambda part: part.count, default=None)
        for _ in range(_HALVINGS):
            if span is None or span.count < 2 or span.days < 2:
                return
            middle = span.first + _ONE * (span.days // 2 - 1)
            older = await self._ask(span.first, middle)
            newer = None if older is None else await self._ask(middle + _ONE, span.last)
            if older is None or newer is None:
                return
            if older.count + newer.count > span.count:
                halves = f"{older.count} and {newer.count}"
                self._cut(span.count, f"a range gave {span.count}, its halves {halves}")
                return
            if span.count not in (older.count, newer.count):
                return
            span = older if older.count else newer

    async def _ask(self, first: date, last: date) -> Span | None:
        """Ask for some days; None where the answer is not whole, which ends the search."""
        found, ground = self.found, self._ground
        keys = {**ground.days(first, last), **dict.fromkeys(ground.parents, "")}
        query = ground.query(keys, ("PatientID", "PatientName", "SpecificCharacterSet"))
        reply = await self._asker.ask(query, cancel_after=self._rows + 1)
        self._look_at(reply, first, last)
        if reply.cancelled:
            found.cancelled = reply
            found.largest = Span(first, last, reply.count)
            found.evidence = f"not up to {self._rows} matches: more came"
            return None
        if reply.status == _BY_ITSELF:
            self._cut(reply.count, f"it ended a query by itself (FE00) after {reply.count}")
            return None
        if not reply.is_whole:
            found.refused = reply.words
            found.evidence = f"a range of {(last - first).days + 1} days: {reply.words}"
            return None
        if found.is_date_ignored:
            found.evidence = "the date key does not narrow its answers"
            return None
        span = Span(first, last, reply.count)
        if reply.count and (found.largest is None or reply.count > found.largest.count):
            found.largest = span
        return span

    def _cut(self, count: int, evidence: str) -> None:
        self.found.limit = count
        self.found.evidence = evidence

    def _look_at(self, reply: Reply, first: date, last: date) -> None:
        found, ground = self.found, self._ground
        low, high = f"{first:%Y%m%d}", f"{last:%Y%m%d}"
        for item in reply.items:
            day = text_at(item, ground.dated)
            if day and not low <= day.replace(".", "") <= high:
                found.is_date_ignored = True
        found.samples += reply.items[: _SAMPLES - len(found.samples)]
        if reply.final is not None and reply.count <= len(reply.items):
            unique = text_at(reply.final, ground.unique)
            others = {text_at(item, ground.unique) for item in reply.items}
            if unique and unique not in others:
                found.is_row_on_final = True
                found.samples.append(reply.final)
