"""Attribute matching (PS3.4 Section C.2.2.2): one key's value against stored values, and as SQL.

All text is Unicode here: the caller decodes the request by its Specific Character Set first.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from asyncfind.errors import AsyncfindError

__all__ = ["Condition", "IllegalKey", "condition_of", "fold_name", "wildcard_match"]

_WILDCARD_VRS: Final = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
"""VRs that take * and ? (PS3.4 Section C.2.2.2.4)."""
_UNSPLIT_VRS: Final = frozenset(("LT", "ST", "UT", "UR"))
"""VRs whose backslash is text (PS3.5 Section 6.2)."""
_EMPTY: Final = '""'
"""Asks for what has no value (PS3.4 Section C.2.2.2.7)."""
_SQL_STARS: Final = 6
"""SQLite's GLOB takes exponential time in the number of stars; ours does not."""
_MAX_ALTERNATIVES: Final = 100
"""Patterns, ranges and names in one key; lists of plain values have no limit."""
_MAX_PATTERN: Final = 1024
"""Characters of a pattern; SQLite refuses longer ones than 50 000."""


class IllegalKey(AsyncfindError):
    """A matching key whose value its VR or PS3.4 Section C.2.2.2 does not allow."""


class Condition(NamedTuple):
    """What a matching key asks of an attribute.

    Args:
        test: does one stored value match? Many-valued attributes match if any value does.
        sql: a necessary condition with `{}` for the column; empty where SQL cannot help.
        parameters: of `sql`.
        decided: `sql` says all that `test` says, for attributes with one value.
        exact: the single values asked for, where there are no others; empty otherwise.
    """

    test: Callable[[str], bool]
    sql: str = ""
    parameters: tuple[str, ...] = ()
    decided: bool = False
    exact: tuple[str, ...] = ()


def condition_of(vr: str, text: str) -> Condition | None:
    """Return what the value `text` of a key asks for; None for universal matching.

    Values divided by backslash are alternatives: the list of UIDs of Section C.2.2.2.2, and for
    other VRs what Multiple Value Matching would negotiate.

    Raises:
        IllegalKey: the value is none of this VR, nor a range or pattern of it.
    """
    if text.strip("\0 ") == _EMPTY:
        # The names of a person are found in a table of their own, which has no empty ones.
        sql = "" if vr == "PN" else "{} = ''"
        return Condition(lambda stored: not stored, sql, decided=bool(sql))
    if vr in _UNSPLIT_VRS:
        values = [text.rstrip("\0 ")]
    else:
        values = [value.strip("\0 ") for value in text.split("\\")]
    # A lone * asks for everything, in VRs without wildcards too: many requestors send it.
    if any(not value.strip("*") for value in values):
        return None
    if any("\0" in value for value in values):
        raise IllegalKey("a NUL inside a value")
    if not text.isascii():  # a lone surrogate would be no text to SQLite
        values = [value.encode("utf-8", "replace").decode() for value in values]
    if vr == "PN":
        return _names(values)
    if vr in _WILDCARD_VRS:
        return _texts(values)
    if vr in ("DA", "TM", "DT"):
        return _ranges(vr, values)
    if vr in ("IS", "DS", "US"):
        return _numbers(values)
    exact = tuple(dict.fromkeys(values))
    return Condition(frozenset(exact).__contains__, *_any_of(exact), decided=True, exact=exact)


# Text.


def wildcard_match(pattern: str, text: str) -> bool:
    """Does `text` match `pattern`, where * is any run and ? any one character?

    At most `len(pattern) * len(text)` steps, whatever the peer sends.
    """
    at = position = 0
    star, resume = -1, 0
    while position < len(text):
        char = pattern[at] if at < len(pattern) else ""
        if char == "*":
            star, resume = at, position
            at += 1
        elif char and (char == "?" or char == text[position]):
            at += 1
            position += 1
        elif star >= 0:
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


def _is_pattern(value: str) -> bool:
    return "*" in value or "?" in value


def _texts(values: Sequence[str]) -> Condition:
    exact = tuple(value for value in values if not _is_pattern(value))
    patterns = tuple(value for value in values if _is_pattern(value))
    if not patterns:
        return Condition(frozenset(exact).__contains__, *_any_of(exact), decided=True, exact=exact)
    sql, parameters, decided = _patterns_sql(values)
    return Condition(lambda stored: _matches_any(stored, exact, patterns), sql, parameters, decided)


def _matches_any(stored: str, exact: Sequence[str], patterns: Sequence[str]) -> bool:
    return stored in exact or any(wildcard_match(pattern, stored) for pattern in patterns)


def _any_of(values: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    if len(values) == 1:
        return "{} = ?", (values[0],)
    # One parameter for any number of values: SQLite limits how many there may be.
    return "{} IN (SELECT value FROM json_each(?))", (json.dumps(values),)


def _patterns_sql(values: Sequence[str]) -> tuple[str, tuple[str, ...], bool]:
    """`values` as GLOB, each with the range of its literal beginning, which an index can serve."""
    _limit(values)
    terms: list[str] = []
    parameters: list[str] = []
    decided = True
    for value in values:
        if not _is_pattern(value):
            terms.append("{} = ?")
            parameters.append(value)
            continue
        parts: list[str] = []
        prefix = re.split(r"[*?]", value, maxsplit=1)[0]
        if prefix:
            parts.append("{} >= ? AND {} < ?")
            parameters += [prefix, _after(prefix)]
        if value.count("*") <= _SQL_STARS:
            parts.append("{} GLOB ?")
            parameters.append(value.replace("[", "[[]"))
        else:
            decided = False
        if not parts:
            return "", (), False
        terms.append(" AND ".join(parts))
    return f"({' OR '.join(f'({term})' for term in terms)})", tuple(parameters), decided


def _after(prefix: str) -> str:
    """The least text behind all that begin with `prefix`, by code point."""
    code = min(ord(prefix[-1]) + 1, 0x10FFFF)
    return prefix[:-1] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)


def _limit(values: Sequence[str]) -> None:
    if any(len(value) > _MAX_PATTERN for value in values):
        raise IllegalKey(f"a pattern of more than {_MAX_PATTERN} characters")
    if len(values) > _MAX_ALTERNATIVES:
        raise IllegalKey(f"more than {_MAX_ALTERNATIVES} patterns or ranges")


# Person names.


def fold_name(name: str) -> tuple[str, ...]:
    """The component groups of a PN as they are compared: case folded, padding and empty ends off.

    At most three groups (PS3.5 Section 6.2.1.2); an absent one is empty.
    """
    groups = unicodedata.normalize("NFC", name).split("=")[:3]
    return tuple(
        "^".join(component.strip() for component in group.split("^")).rstrip("^").casefold()
        for group in groups
    )


def _names(values: Sequence[str]) -> Condition | None:
    """PN: case does not matter; one group matches any stored group, more match their own."""
    wanted = [fold_name(value) for value in values]
    if not all(map(any, wanted)):
        return None
    single = all(len(groups) == 1 for groups in wanted)
    # The longest group is as good a filter as any; the test looks at all of them.
    sql, parameters, decided = _patterns_sql([max(groups, key=len) for groups in wanted])
    return Condition(
        lambda stored: _name_matches(fold_name(stored), wanted),
        sql,
        parameters,
        decided and single,
    )


def _name_matches(stored: Sequence[str], wanted: Sequence[Sequence[str]]) -> bool:
    for groups in wanted:
        if len(groups) == 1:
            if any(wildcard_match(groups[0], group) for group in stored):
                return True
        elif all(
            not group or (index < len(stored) and wildcard_match(group, stored[index]))
            for index, group in enumerate(groups)
        ):
            return True
    return False


# Dates and times.

_DATE: Final = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)", re.ASCII)
_TIME: Final = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DATETIME: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?"
    r"([+-]\d{4})?",
    re.ASCII,
)
_TIME_LOW, _TIME_HIGH = "000000000000", "235959999999"
_DATETIME_LOW, _DATETIME_HIGH = "00010101" + _TIME_LOW, "99991231" + _TIME_HIGH


def _ranges(vr: str, values: Sequence[str]) -> Condition:
    """DA, TM, DT: a single value is the range of its own precision (PS3.5 Section 6.2)."""
    _limit(values)
    bounds = [_bounds(vr, value) for value in values]
    terms: list[str] = []
    parameters: list[str] = []
    decided = True
    for low, high in bounds:
        if vr == "TM":
            # Stored times have whole seconds; "~" sorts behind every digit.
            decided = decided and low[6:] == "000000"
            low, high = low[:6], high[:6] + "~"
        terms.append("({} BETWEEN ? AND ?)")
        parameters += [low, high]
    sql = f"({' OR '.join(terms)})" if vr != "DT" else ""
    return Condition(
        lambda stored: _within(vr, stored, bounds),
        sql,
        tuple(parameters) if sql else (),
        decided and bool(sql),
    )


def _within(vr: str, stored: str, bounds: Sequence[tuple[str, str]]) -> bool:
    if not stored:
        return False
    try:
        moment, _ = _span(vr, stored)
    except IllegalKey:
        return False
    return any(low <= moment <= high for low, high in bounds)


def _bounds(vr: str, value: str) -> tuple[str, str]:
    """The first and last moment that a single value or a range covers (Section C.2.2.2.5)."""
    lowest, highest = {
        "DA": ("00000000", "99999999"),
        "TM": (_TIME_LOW, _TIME_HIGH),
        "DT": (_DATETIME_LOW, _DATETIME_HIGH),
    }[vr]
    # "2004-0500" is a moment with offset before it is a range (PS3.5 Section 6.2, DT).
    if "-" not in value or (vr == "DT" and _DATETIME.fullmatch(value)):
        return _span(vr, value)
    for index, char in enumerate(value):
        if char != "-":
            continue
        first, last = value[:index].strip(), value[index + 1 :].strip()
        if not first and not last:
            break
        try:
            low = _span(vr, first)[0] if first else lowest
            high = _span(vr, last)[1] if last else highest
        except IllegalKey:
            continue  # the hyphen of an offset
        return low, high
    raise IllegalKey(f"not a range of {vr}: {value}")


def _span(vr: str, value: str) -> tuple[str, str]:
    """The first and last moment of `value`, as digits that sort."""
    pattern = {"DA": _DATE, "TM": _TIME, "DT": _DATETIME}[vr]
    match = pattern.fullmatch(value)
    if match is None:
        raise IllegalKey(f"not a value of {vr}: {value}")
    if vr == "DA":
        digits = "".join(match.groups())
        return digits, digits
    if vr == "TM":
        fields = "".join(part or "" for part in match.groups())
        return fields + _TIME_LOW[len(fields) :], fields + _TIME_HIGH[len(fields) :]
    *parts, offset = match.groups()
    fields = "".join(part or "" for part in parts)
    low = fields + _DATETIME_LOW[len(fields) :]
    high = fields + _DATETIME_HIGH[len(fields) :]
    return (_shift(low, offset), _shift(high, offset)) if offset else (low, high)


def _shift(digits: str, offset: str) -> str:
    """`digits` with `offset` as UTC, which is what the archive's own clock shows."""
    delta = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S%f")  # noqa: DTZ007 - UTC all along
        moment += delta if offset[0] == "-" else -delta
    except (ValueError, OverflowError) as exc:
        raise IllegalKey(f"not a moment: {digits}") from exc
    return f"{moment:%Y%m%d%H%M%S%f}"


# Numbers.


def _numbers(values: Sequence[str]) -> Condition:
    wanted = frozenset(map(_number, values))
    return Condition(lambda stored: _stored_number(stored) in wanted)


def _number(value: str) -> Decimal:
    try:
        number = Decimal(value[:32])
    except InvalidOperation as exc:
        raise IllegalKey(f"not a number: {value}") from exc
    if not number.is_finite():
        raise IllegalKey(f"not a number: {value}")
    return number


def _stored_number(value: str) -> Decimal | None:
    return Decimal(value) if value else None
