"""The same question in words that a peer takes which has trouble with wildcards.

`*` alone asks for everything, as an empty key does (PS3.4 Sections C.2.2.2.3 and C.2.2.2.4). Dates,
times and UIDs have no wildcards: what was meant by one is a range (Section C.2.2.2.5).
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from typing import Final

from asyncfind.query.element import Element, Item

__all__ = ["wildcards_left", "without_lone_wildcards", "without_wildcards_in_dates"]

_DATES: Final = ("DA", "DT", "TM")
_PREFIX: Final = re.compile(rb"([0-9]*)(?:\*+|\?+) *")
_LAST_MOMENT: Final = ("23", "59", "59.999999")


def without_lone_wildcards(item: Item) -> Item:
    """The same query, keys that are a lone `*` being empty."""
    return _changed(item, _emptied)


def without_wildcards_in_dates(item: Item) -> Item:
    """The same query, wildcards in dates and times being ranges, and a lone `*` an empty key.

    What cannot be said as a range stays as it is; see `wildcards_left`.
    """
    return _changed(item, _as_range)


def wildcards_left(item: Item) -> Iterator[Element]:
    """Dates, times and UIDs with a wildcard that `without_wildcards_in_dates` cannot put away."""
    for element in without_wildcards_in_dates(item).elements.values():
        if isinstance(element.value, list):
            for inner in element.value:
                yield from wildcards_left(inner)
        elif element.vr in (*_DATES, "UI") and (b"*" in element.value or b"?" in element.value):
            yield element


def _changed(item: Item, change: Callable[[str, bytes], bytes]) -> Item:
    elements = {}
    for tag, element in item.elements.items():
        value = element.value
        if isinstance(value, list):
            inner = [_changed(one, change) for one in value]
            elements[tag] = element._replace(value=inner)
        else:
            new = change(element.vr, value)
            elements[tag] = element._replace(value=new, length=len(new))
    return Item(elements, item.length)


def _emptied(vr: str, value: bytes) -> bytes:
    return b"" if value.strip(b" \0") and not value.strip(b"* \0") else value


def _as_range(vr: str, value: bytes) -> bytes:
    if vr == "UI":
        return _emptied(vr, value)
    match = _PREFIX.fullmatch(value) if vr in _DATES else None
    if match is None:
        return value
    text = match[1].decode("ascii")
    if not text:
        return b""
    found = _times(text) if vr == "TM" else _dates(text)
    if found is None:
        return value
    low, high = found
    if vr == "DT":
        high += "".join(_LAST_MOMENT)
    return f"{low}-{high}".encode("ascii") + b" " * (len(low + high) % 2 == 0)


def _dates(prefix: str) -> tuple[str, str] | None:
    """The first and last date that begin with `prefix`; None where none does."""
    if len(prefix) > 8:
        return None
    year, month, day = prefix[:4], prefix[4:6], prefix[6:]
    first, last = int(year.ljust(4, "0")), int(year.ljust(4, "9"))
    months = [number for number in range(1, 13) if f"{number:02}".startswith(month)]
    found = [
        f"{number:02}{one:02}"
        for number in months
        # Of a year that is not whole all months are meant, so its length does not matter.
        for one in range(1, monthrange(max(last, 1), number)[1] + 1)
        if f"{one:02}".startswith(day)
    ]
    return (f"{max(first, 1):04}{found[0]}", f"{last:04}{found[-1]}") if found and last else None


def _times(prefix: str) -> tuple[str, str] | None:
    """The first and last time that begin with `prefix`, at most `HHMMSS`; None where none does."""
    if len(prefix) > 6:
        return None
    low, high = "", ""
    for place, size in ((0, 24), (2, 60), (4, 60)):
        part = prefix[place : place + 2]
        numbers = [number for number in range(size) if f"{number:02}".startswith(part)]
        if not numbers:
            return None
        low += f"{numbers[0]:02}"
        high += f"{numbers[-1]:02}"
    return low, high + ".999999"
