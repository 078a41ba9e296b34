"""What a split query covers: proven, assumed and open parts, for the journal and for people."""

from dataclasses import dataclass

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
            lines.append(CoverageRow(name, low, high, str(finding.state), finding.rows))
        return tuple(lines)

    def text(self, node: str, level: str) -> str:
        """A block for people, safe for a terminal.

        Args:
            node: the peer's name.
            level: what was asked for, such as STUDY.
        """
        limit = "none seen"
        if self.row_limit is not None:
            limit = f"{_number(self.row_limit)} ({'learned' if self.learned else 'profile'})"
        head = [
            f"coverage {safe(node)} {safe(level)} {self._label(self.whole)}".rstrip(),
            f"{_number(self.rows)} rows",
            f"{_number(self.queries)} queries",
            f"row limit {limit}",
        ]
        if self.late:
            head.append(f"{_number(self.late)} rows new meanwhile")
        return f" {'   '.join([head[0], *head[1:]])}\n   {self._body()}\n"

    def _body(self) -> str:
        words = []
        proven = [one for one in self.findings if one.state is Proof.PROVEN]
        if proven:
            words.append(f"proven {self._extent(proven)}")
        for state in (Proof.ASSUMED, Proof.OPEN):
            found = [one for one in self.findings if one.state is state]
            if not found:
                continue
            shown = [f"{self._label(one.range)} ({one.reason})" for one in found[:_MAX_SHOWN]]
            if len(found) > _MAX_SHOWN:
                shown.append(f"{_number(len(found) - _MAX_SHOWN)} more")
            words.append(f"{state} {', '.join(shown)}")
        return "    ".join(words) or "nothing"

    def _extent(self, findings: list[Finding]) -> str:
        """Days, and what is not to be counted in days."""
        days = others = 0
        for finding in findings:
            count = days_of(self._date(finding.range))
            if count is None or len(finding.range.parts) != 1:
                others += 1
            else:
                days += count
        parts = [f"{_number(days)} day{'s' * (days != 1)}"] if days else []
        if others:
            parts.append(f"{_number(others)} {'other ' * bool(days)}part{'s' * (others != 1)}")
        return " and ".join(parts)

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
