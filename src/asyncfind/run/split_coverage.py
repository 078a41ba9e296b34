"""What a split query covers: proven, assumed and open parts, for the journal and for people."""

from collections.abc import Iterator
from dataclasses import dataclass

from asyncfind.records import Covered, CoveredPart
from asyncfind.run.journal_words import CoverageRow
from asyncfind.run.split_cuts import days_of
from asyncfind.run.split_words import Constraint, Dimension, Form, Matching, Proof, Range
from asyncfind.safe import safe

__all__ = ["Coverage", "Finding"]

_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one range.

    Args:
        rows: matches in it.
        reason: why it is not proven.
    """

    range: Range
    state: Proof
    rows: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is known of a query and its parts.

    Args:
        state: of the whole: the worst of all.
        findings: the largest ranges that are proven, and each one that is not.
        rows: matches of the parts that count; rows on a border more than once.
        queries: how many were sent.
        row_limit: at which count the peer cuts; None where it was not seen to.
        learned: it was found out just now.
        late: rows that came while the job ran.
    """

    state: Proof
    findings: tuple[Finding, ...]
    whole: Range
    rows: int
    queries: int
    row_limit: int | None
    learned: bool
    late: int
    dimensions: tuple[Dimension, ...]

    def journal_rows(self) -> tuple[CoverageRow, ...]:
        """A line for each finding, as a journal keeps it."""
        lines = []
        for finding in self.findings:
            name, constraint = finding.range.parts[-1] if finding.range.parts else ("", None)
            low = constraint.low if constraint is not None else None
            high = constraint.high if constraint is not None else None
            rest = finding.rows, finding.range.dump(), finding.reason
            lines.append(CoverageRow(name, low, high, str(finding.state), *rest))
        return tuple(lines)

    def covered(self, rows: int) -> Covered:
        """The same in the words of records.

        Args:
            rows: each counted once.
        """
        parts = tuple(
            CoveredPart(
                str(one.state),
                one.rows,
                tuple((name, part.text) for name, part in one.range.parts),
                one.reason,
            )
            for one in self.findings
        )
        return Covered(str(self.state), rows, self.queries, self.row_limit, parts)

    def lines(self, rows: int) -> tuple[str, ...]:
        """What is proven and what is not, for people, safe for a terminal.

        Args:
            rows: each counted once.
        """
        limit = "no row limit seen"
        if self.row_limit is not None:
            limit = f"row limit {_number(self.row_limit)}"
            limit += " (learned)" if self.learned else " (known)"
        head = [f"{_number(rows)} rows", f"{_number(self.queries)} queries", limit]
        if self.late:
            head.append(f"{_number(self.late)} rows new meanwhile")
        return (f"coverage {self._label(self.whole)}: {', '.join(head)}", *self._body())

    def _body(self) -> Iterator[str]:
        proven = [one for one in self.findings if one.state is Proof.PROVEN]
        if proven:
            yield f"  proven {self._extent(proven)}"
        for state in (Proof.ASSUMED, Proof.OPEN):
            found = [one for one in self.findings if one.state is state]
            for one in found[:_MAX_SHOWN]:
                yield f"  {state} {self._label(one.range)} ({one.reason or 'not asked'})"
            if len(found) > _MAX_SHOWN:
                yield f"  {state} {_number(len(found) - _MAX_SHOWN)} parts more"

    def _extent(self, findings: list[Finding]) -> str:
        """Days, and what is not to be counted in days."""
        if findings[0].range == self.whole:
            return self._label(self.whole)
        days = 0
        others = []
        for finding in findings:
            count = days_of(self._date(finding.range))
            if count is None or len(finding.range.parts) != 1:
                others.append(self._label(finding.range))
            else:
                days += count
        words = [f"{_number(days)} day{'s' * (days != 1)}"] if days else []
        words += others[:_MAX_SHOWN]
        if len(others) > _MAX_SHOWN:
            words.append(f"{_number(len(others) - _MAX_SHOWN)} parts more")
        return ", ".join(words)

    def _date(self, whole: Range) -> Constraint | None:
        for dimension in self.dimensions:
            if dimension.form is Form.DATE:
                return whole.get(dimension.name)
        return None

    def _label(self, whole: Range) -> str:
        forms = {dimension.name: dimension.form for dimension in self.dimensions}
        words = [_word(name, forms.get(name), one) for name, one in whole.parts]
        return " ".join(words) or "everything"


def _word(name: str, form: Form | None, constraint: Constraint) -> str:
    if constraint.matching is Matching.EMPTY:
        return f"no {name}"
    low, high = constraint.low, constraint.high
    if constraint.matching is not Matching.RANGE:
        return safe(constraint.text, 64)
    ends = [_pretty(form, end) for end in (low, high)]
    return ends[0] if low == high else "..".join(ends)


def _pretty(form: Form | None, text: str | None) -> str:
    if text is None:
        return ""
    if form is Form.DATE and len(text) == 8:
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if form is Form.TIME and len(text) == 6:
        return f"{text[:2]}:{text[2:4]}" + (f":{text[4:]}" if text[4:] != "00" else "")
    return safe(text, 64)


def _number(count: int) -> str:
    """With blanks between thousands."""
    return f"{count:,}".replace(",", " ")
