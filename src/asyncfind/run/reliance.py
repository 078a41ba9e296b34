"""Which negotiated options a query relies on, so that their refusal is said (PS3.4 C.5.1.1)."""

from typing import Final

from asyncfind.plan import Query
from asyncfind.query.element import Element, Item
from asyncfind.query.models import unique_key
from asyncfind.records import Agreement
from asyncfind.ul.find_options import FindOptions

__all__ = ["reliance_note", "relied_on"]

_LEVEL: Final = 0x00080052
_VIEW: Final = 0x00080053
_TIMEZONE: Final = 0x00080201
_DATES_AND_TIMES: Final = (
    (0x00080020, 0x00080030),  # Study
    (0x00080021, 0x00080031),  # Series
    (0x00080022, 0x00080032),  # Acquisition
    (0x00080023, 0x00080033),  # Content
    (0x00400244, 0x00400245),  # Performed Procedure Step Start
)
"""The pairs that combined matching is about (PS3.4 Section C.2.2.2.5)."""


def reliance_note(query: Query, agreement: Agreement) -> str:
    """What the user should know when a query relies on what the peer refused; else empty."""
    refused = agreement.refused(query.model.uid)
    if not refused or not (missing := relied_on(query) & refused):
        return ""
    words = " and ".join(missing.words())
    return (
        f"{query.label}: relies on {words}, which the archive did not accept; "
        "its answers may be too many, too few or a refusal"
    )


def relied_on(query: Query) -> FindOptions:
    """The options without which the query means something else."""
    identifier = query.identifier
    return FindOptions(
        relational=_skips_a_level(query),
        date_time=any(_is_range(identifier, date, time) for date, time in _DATES_AND_TIMES),
        fuzzy=_matches_names(identifier),
        timezone=bool(_value(identifier, _TIMEZONE)),
        multiframe=bool(_value(identifier, _VIEW)),
    )


def _value(item: Item, tag: int) -> bytes:
    element = item.elements.get(tag)
    return b"" if element is None else _text_of(element)


def _text_of(element: Element) -> bytes:
    return element.value.strip(b" \0") if isinstance(element.value, bytes) else b""


def _skips_a_level(query: Query) -> bool:
    """A hierarchical query names one entity of each level above (PS3.4 Section C.4.1.2.1)."""
    level = _value(query.identifier, _LEVEL).decode("ascii", "replace")
    if level not in query.model.levels:
        return False
    above = query.model.levels[: query.model.levels.index(level)]
    keys = (_value(query.identifier, unique_key(query.model, one)) for one in above)
    return any(not key or any(char in key for char in b"*?\\") for key in keys)


def _is_range(item: Item, date: int, time: int) -> bool:
    """Both have a value, and one of them is a range: apart they would match other instants."""
    values = _value(item, date), _value(item, time)
    return all(values) and any(b"-" in value for value in values)


def _matches_names(item: Item) -> bool:
    stack = [item]
    while stack:
        for element in stack.pop().elements.values():
            if element.vr == "PN" and _text_of(element).strip(b"*"):
                return True
            if element.vr == "SQ":
                stack += _items_of(element)
    return False


def _items_of(element: Element) -> list[Item]:
    return [] if isinstance(element.value, bytes) else list(element.value)
