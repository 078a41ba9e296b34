"""What a query asks for, as columns of a table and as a name for itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from asyncfind.query.charset import charsets_of
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import Item
from asyncfind.query.keys import parse_key
from asyncfind.query.values import element_texts
from asyncfind.safe import safe

__all__ = ["Column", "columns_of", "label_of"]

_CHARSET: Final = 0x00080005
_LEVEL: Final = 0x00080052


@dataclass(frozen=True, slots=True)
class Column:
    """One leaf key of a query.

    Args:
        path: tags from the outside in; all but the last are sequences (first item).
        name: keywords joined by dots, `ScheduledProcedureStepSequence.Modality`.
        vr: of the leaf; SQ for a sequence of which all is asked.
    """

    path: tuple[int, ...]
    name: str
    vr: str


def columns_of(item: Item, order: Sequence[str] = ()) -> tuple[Column, ...]:
    """The leaves of `item`: first those that keys name, in their order, the rest in tag order.

    Specific Character Set, Query/Retrieve Level and group lengths are left out: they are the same
    in every answer.

    Args:
        order: keys as typed, each of which can be parsed.
    """
    columns = {column.path: column for column in _leaves(item, ())}
    paths = dict.fromkeys(parse_key(text).tags for text in order if text)
    first = [columns.pop(path) for path in paths if path in columns]
    return (*first, *(columns[path] for path in sorted(columns)))


def _leaves(item: Item, above: tuple[int, ...]) -> Iterator[Column]:
    for tag, element in item.elements.items():
        path = (*above, tag)
        if isinstance(element.value, list) and element.value and element.value[0].elements:
            yield from _leaves(element.value[0], path)
        elif tag not in (_CHARSET, _LEVEL) and tag & 0xFFFF:
            yield Column(path, ".".join(map(_name, path)), element.vr)


def label_of(item: Item) -> str:
    """The keys of `item` in short: `QueryRetrieveLevel=STUDY PatientName=A* StudyInstanceUID`.

    They are in the order in which they came into `item`, whole, and safe for a terminal.
    """
    return " ".join(_words(item, "", ()))


def _words(item: Item, above: str, charsets: tuple[str, ...]) -> Iterator[str]:
    if _CHARSET in item.elements:
        charsets = charsets_of(item)
    for tag, element in item.elements.items():
        name = above + _name(tag)
        if isinstance(element.value, list):
            if not any(inner.elements for inner in element.value):
                yield name
            for inner in element.value:
                yield from _words(inner, f"{name}.", charsets)
        elif tag != _CHARSET and tag & 0xFFFF:
            text = "\\".join(element_texts(element, charsets))
            yield f"{name}={safe(text)}" if text else name


def _name(tag: int) -> str:
    return keyword_of(tag) or f"{tag:08X}"
