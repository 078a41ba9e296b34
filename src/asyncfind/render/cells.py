"""The values of an answer in the columns of its query: what tables and CSV share."""

from asyncfind.query.charset import charsets_of
from asyncfind.query.columns import Column
from asyncfind.query.element import Element, Item
from asyncfind.query.values import element_texts

__all__ = ["column_values"]

_CHARACTER_SET = 0x00080005


def column_values(item: Item, columns: tuple[Column, ...]) -> list[list[str] | None]:
    """The values of each column: a list of texts, empty where the element is; None where none is.

    Of a sequence within a column's path the first item counts. A column that is a sequence itself
    has as its one value how many items there are. The texts are the peer's: not yet safe.
    """
    charsets = charsets_of(item)
    elements = item.elements
    values: list[list[str] | None] = []
    for column in columns:
        path = column.path
        if len(path) == 1:
            element = elements.get(path[0])
            values.append(None if element is None else _texts(element, charsets))
        else:
            values.append(_nested(item, path, charsets))
    return values


def _nested(item: Item, path: tuple[int, ...], charsets: tuple[str, ...]) -> list[str] | None:
    for tag in path[:-1]:
        sequence = item.elements.get(tag)
        if sequence is None or not isinstance(sequence.value, list) or not sequence.value:
            return None
        item = sequence.value[0]
        if _CHARACTER_SET in item.elements:  # it governs the item (PS3.5 Section 7.5.3)
            charsets = charsets_of(item)
    element = item.elements.get(path[-1])
    return None if element is None else _texts(element, charsets)


def _texts(element: Element, charsets: tuple[str, ...]) -> list[str]:
    if isinstance(element.value, list):
        count = len(element.value)
        return [f"{count} item" if count == 1 else f"{count} items"] if count else []
    return element_texts(element, charsets)
