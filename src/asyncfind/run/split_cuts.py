"""Where a range is cut, by what kind of key, and which of the parts a row's value lies in.

Dates are cut exactly (a to m, m+1 to b). Halves of a time share their border and the last one is
open: archives disagree on fractions of a second, a row that comes twice is seen to be the same,
and a gap would lose rows. Prefixes cover only the characters that we thought of.
"""

import re
import string
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from asyncfind.run.split_words import (
    Calendar,
    Constraint,
    Dimension,
    Form,
    Matching,
    Range,
    Row,
    Rules,
)

__all__ = ["Cut", "calendar_cut", "cut_by", "days_of", "lies_in", "parse_date", "parse_time"]

_DATE: Final = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
"""DA, and what it was before 1993 (PS3.5 Section 6.2 note)."""
_TIME: Final = re.compile(r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")
_DAY_SECONDS: Final = 86_400
_MAX_PREFIX: Final = 8
_ALPHABET: Final = string.digits + string.ascii_uppercase
_SPECIAL: Final = frozenset('*?\\"')
_UNIT: Final = 1.0
"""Seconds beyond the end of a time range that may still be meant: fractions of the last one."""


class Cut(NamedTuple):
    """A way to split a range.

    Args:
        parts: what the key is to be, one query each.
        sure: the parts have every value that there can be, apart from none at all.
        residual: rows without a value are in none of the parts, but in the range.
    """

    dimension: str
    parts: tuple[Constraint, ...]
    sure: bool
    residual: bool


def cut_by(dimension: Dimension, whole: Range, rows: Iterable[Row], rules: Rules) -> Cut | None:
    """A cut of `whole` by one dimension; None where it cannot be cut any further.

    Args:
        rows: what was seen of it: values that no list has are worth a part, too.
    """
    constraint = whole.get(dimension.name)
    if constraint is not None and constraint.matching is Matching.EMPTY:
        return None
    name, residual = dimension.name, constraint is None
    if dimension.form is Form.DATE:
        parts = _date_halves(constraint, rules)
        return Cut(name, parts, True, residual) if parts else None
    if dimension.form is Form.TIME:
        day = whole.get(dimension.day)
        if day is None or day.shape != "value":
            return None
        parts = _time_halves(constraint)
        return Cut(name, parts, True, residual) if parts else None
    seen = [value for row in rows for value in rules.values(row, name)]
    if dimension.form is Form.CODES:
        if constraint is not None:
            return None
        others = sorted({value for value in seen if _is_plain(value)} - set(dimension.codes))
        codes = tuple(Constraint(Matching.VALUE, code) for code in (*dimension.codes, *others))
        return Cut(name, codes, dimension.closed and not others, residual)
    parts = _prefixes(constraint, seen, dimension)
    return Cut(name, parts, False, residual) if parts else None


def calendar_cut(dimension: Dimension, whole: Range, by: Calendar, rules: Rules) -> Cut | None:
    """A cut of a date by the calendar; None where it has no room for one.

    A range without ends has one piece before `rules.earliest`, and one after `rules.latest`.
    """
    name = dimension.name
    constraint = whole.get(name)
    if constraint is not None and constraint.matching is not Matching.RANGE:
        return None
    low = constraint.low if constraint is not None else None
    high = constraint.high if constraint is not None else None
    first, last = parse_date(low or rules.earliest), parse_date(high or rules.latest)
    if first is None or last is None or first >= last:
        return None
    parts = []
    begin = first
    while begin <= last:
        following = _next_piece(begin, by)
        end = min(last, following - timedelta(days=1))
        parts.append(Constraint(Matching.RANGE, _date_text(begin), _date_text(end)))
        if end == last:
            break
        begin = following
    if low is None:
        before = _date_text(first - timedelta(days=1))
        parts.insert(0, Constraint(Matching.RANGE, None, before))
    if high is None:
        parts.append(Constraint(Matching.RANGE, _date_text(last + timedelta(days=1)), None))
    return Cut(name, tuple(parts), True, constraint is None) if len(parts) > 1 else None


def _next_piece(begin: date, by: Calendar) -> date:
    if by is Calendar.DAY:
        return begin + timedelta(days=1)
    if by is Calendar.MONTH and begin.month < 12:
        return date(begin.year, begin.month + 1, 1)
    return date(begin.year + 1, 1, 1)


def _date_text(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _date_halves(constraint: Constraint | None, rules: Rules) -> tuple[Constraint, ...]:
    low = constraint.low if constraint is not None else None
    high = constraint.high if constraint is not None else None
    if constraint is not None and constraint.matching is not Matching.RANGE:
        return ()
    first, last = parse_date(low or "") or date.min, parse_date(high or "") or date.max
    # An open range is first cut where its rows probably are.
    likely = parse_date(rules.earliest) or date.min, parse_date(rules.latest) or date.max
    a = max(first, likely[0]) if low is None and likely[0] < last else first
    b = min(last, likely[1]) if high is None and likely[1] > a else last
    if a >= b:
        a, b = first, last
    if a >= b:
        return ()
    middle = a + (b - a) // 2
    after = middle + timedelta(days=1)
    return (
        Constraint(Matching.RANGE, low, _date_text(middle)),
        Constraint(Matching.RANGE, _date_text(after), high),
    )


def _time_halves(constraint: Constraint | None) -> tuple[Constraint, ...]:
    if constraint is not None and constraint.matching is not Matching.RANGE:
        return ()
    low = constraint.low if constraint is not None else None
    high = constraint.high if constraint is not None else None
    a = int(parse_time(low or "000000")[0]) if low else 0
    b = int(parse_time(high)[0]) if high else _DAY_SECONDS
    if b - a <= 1:
        return ()
    middle = _time_text((a + b) // 2)
    return (
        Constraint(Matching.RANGE, low or _time_text(0), middle),
        Constraint(Matching.RANGE, middle, high),
    )


def _time_text(seconds: int) -> str:
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"


def _prefixes(
    constraint: Constraint | None, seen: Sequence[str], dimension: Dimension
) -> tuple[Constraint, ...]:
    if constraint is not None and constraint.matching is not Matching.PREFIX:
        return ()
    prefix = (constraint.low if constraint is not None else None) or ""
    if len(prefix) >= _MAX_PREFIX:
        return ()
    place = len(prefix)
    found = {value[place] for value in seen if len(value) > place}
    if dimension.folded:
        found = {char.upper() for char in found}
    letters = sorted({*_ALPHABET, *(char for char in found if _is_plain(char))})
    parts = [Constraint(Matching.PREFIX, prefix + letter) for letter in letters]
    if prefix:
        parts.insert(0, Constraint(Matching.VALUE, prefix))
    return tuple(parts)


def _is_plain(value: str) -> bool:
    """Whether a value stands for itself in a key, in every character set."""
    return value.isascii() and value.isprintable() and not _SPECIAL.intersection(value)


def lies_in(dimension: Dimension, constraint: Constraint, values: tuple[str, ...]) -> bool | None:
    """Whether a row with these values belongs to what a constraint asks for.

    Returns:
        None where the values cannot be read, so that nobody can say.
    """
    if constraint.matching is Matching.EMPTY or not values:
        return constraint.matching is Matching.EMPTY and not values
    known = [_value_lies_in(dimension, constraint, value) for value in values]
    if any(known):
        return True
    return None if None in known else False


def _value_lies_in(dimension: Dimension, constraint: Constraint, value: str) -> bool | None:
    low, high = constraint.low, constraint.high
    if constraint.matching is not Matching.RANGE:
        asked = low or ""
        if dimension.folded:
            value, asked = value.casefold(), asked.casefold()
        prefix = constraint.matching is Matching.PREFIX
        return value.startswith(asked) if prefix else value == asked
    if dimension.form is Form.DATE:
        day = parse_date(value)
        if day is None:
            return None
        first, last = parse_date(low or "") or date.min, parse_date(high or "") or date.max
        return first <= day <= last
    earliest, latest = parse_time(value)
    if earliest < 0:
        return None
    begin = parse_time(low)[0] if low else 0.0
    end = parse_time(high)[0] if high else float(_DAY_SECONDS)
    return latest >= begin and earliest < end + _UNIT


def parse_date(text: str) -> date | None:
    """The date that a DA says (PS3.5 Section 6.2); None where it says none."""
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def parse_time(text: str) -> tuple[float, float]:
    """The first and last second of a day that a TM may mean (PS3.5 Section 6.2); `08` is an hour.

    Returns:
        Negative numbers where it says no time.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return -1.0, -1.0
    hour, minute, second, fraction = found.groups()
    start = int(hour) * 3600 + int(minute or 0) * 60 + min(int(second or 0), 59)
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 60:
        return -1.0, -1.0
    begin = start + (float(f"0.{fraction}") if fraction else 0.0)
    length = 0.0 if fraction else 1.0 if second else 60.0 if minute else 3600.0
    return begin, begin + max(length - 1.0, 0.0)


def days_of(constraint: Constraint | None) -> int | None:
    """How many days a date constraint has; None where it has no ends."""
    if constraint is None or constraint.matching is not Matching.RANGE:
        return None
    first, last = parse_date(constraint.low or ""), parse_date(constraint.high or "")
    if first is None or last is None:
        return None
    return (last - first).days + 1
