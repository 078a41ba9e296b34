"""The columns of a query: its return keys, in the order asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import Item
from asyncfind.query.keys import parse_key
from asyncfind.safe import safe

__all__ = ["Column", "columns_of", "label_of"]

_LEFT_OUT: Final = frozenset((0x00080005, 0x00080052))
"""Specific Character Set and Query/Retrieve Level: the same in every answer."""


@dataclass(frozen=True, slots=True)
class Column:
    """One leaf key of a query.

    Args:
        path: tags from the outside in; all but the last are sequences (first item).
        name: keywords joined by dots, `ScheduledProcedureStepSequence.Modality`.
        vr: of the leaf.
    """

    path: tuple[int, ...]
    name: str
    vr: str


def columns_of(item: Item, keys: Sequence[str]) -> tuple[Column, ...]:
    """The leaves of `item`: those that `keys` name in their order, then the rest in tag order."""
    columns = {column.path: column for column in _leaves(item, ())}
    first = [parse_key(key).tags for key in keys if key]
    order = [*dict.fromkeys(path for path in first if path in columns)]
    order += [path for path in sorted(columns) if path not in order]
    return tuple(columns[path] for path in order)


def _leaves(item: Item, above: tuple[int, ...]) -> Iterator[Column]:
    for tag, element in item.elements.items():
        path = (*above, tag)
        if isinstance(element.value, list) and element.value:
            yield from _leaves(element.value[0], path)
        elif path[-1] not in _LEFT_OUT and tag & 0xFFFF:
            yield Column(path, ".".join(map(_name, path)), element.vr)


def _name(tag: int) -> str:
    return keyword_of(tag) or f"{tag:08X}"


def label_of(item: Item) -> str:
    """The keys of `item` in short, `QueryRetrieveLevel=STUDY PatientName=A* StudyDate`."""
    charsets = charsets_of(item)

    def words(item: Item, above: str) -> Iterator[str]:
        for tag, (_, vr, value, _) in sorted(item.elements.items()):
            name = above + _name(tag)
            if isinstance(value, list):
                if not value:
                    yield name
                for inner in value:
                    yield from words(inner, name + ".")
            elif tag != 0x00080005:
                text = decode_text(value.strip(b"\0 "), charsets, vr)[0]
                yield f"{name}={safe(text)}" if text else name

    return " ".join(words(item, ""))
