"""The values of an answer in the columns of its query: what tables, CSV and Parquet share."""

from typing import Final

from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.columns import Column
from asyncfind.query.element import Element, Item
from asyncfind.query.values import BINARY_VRS, NUMBER_VRS, element_texts, split_values

__all__ = ["FLAGS", "column_values", "flagged_values", "flags_of", "is_doubtful"]

FLAGS: Final = ("undecodable", "charset", "unmerged")
"""What may be said of an answer: it cannot be decoded; it has text that does not fit its character
set; it has no unique key by which it could be merged."""

_CHARACTER_SET: Final = 0x00080005
_NO_TEXT: Final = BINARY_VRS | NUMBER_VRS.keys() | {"AT", "SQ"}
_ESC: Final = 0x1B
_REPLACED: Final = "\ufffd"


def column_values(item: Item, columns: tuple[Column, ...]) -> list[list[str] | None]:
    """The values of each column: a list of texts, empty where the element is; None where none is.

    Of a sequence within a column's path the first item counts. A column that is a sequence itself
    has as its one value how many items there are. The texts are the peer's: not yet safe.
    """
    return flagged_values(item, columns)[0]


def flagged_values(item: Item, columns: tuple[Column, ...]) -> tuple[list[list[str] | None], bool]:
    r"""The values as `column_values` has them, and whether all their text could be decoded.

    Text that does not fit its character set is guessed where that loses nothing; bytes that are no
    character in any case are kept as escapes, `M\xc3`.
    """
    charsets = charsets_of(item)
    elements = item.elements
    values: list[list[str] | None] = []
    is_sure = True
    for column in columns:
        path = column.path
        if len(path) == 1:
            element, governing = elements.get(path[0]), charsets
        else:
            element, governing = _nested(item, path, charsets)
        if element is None:
            values.append(None)
            continue
        texts = _texts(element, governing)
        if _may_be_doubtful(element):
            doubtful = _doubtful(element, governing)
            if doubtful is not None:
                texts, is_sure = doubtful, False
        values.append(texts)
    return values, is_sure


def flags_of(
    *, is_decoded: bool = True, is_sure: bool = True, is_keyless: bool = False
) -> tuple[str, ...]:
    """What of FLAGS is to be said of an answer."""
    said = (not is_decoded, not is_sure, is_keyless)
    return tuple(flag for flag, is_so in zip(FLAGS, said, strict=True) if is_so)


def _nested(
    item: Item, path: tuple[int, ...], charsets: tuple[str, ...]
) -> tuple[Element | None, tuple[str, ...]]:
    for tag in path[:-1]:
        sequence = item.elements.get(tag)
        if sequence is None or not isinstance(sequence.value, list) or not sequence.value:
            return None, charsets
        item = sequence.value[0]
        if _CHARACTER_SET in item.elements:  # it governs the item (PS3.5 Section 7.5.3)
            charsets = charsets_of(item)
    return item.elements.get(path[-1]), charsets


def _texts(element: Element, charsets: tuple[str, ...]) -> list[str]:
    if isinstance(element.value, list):
        count = len(element.value)
        return [f"{count} item" if count == 1 else f"{count} items"] if count else []
    return element_texts(element, charsets)


def _may_be_doubtful(element: Element) -> bool:
    value = element.value
    return isinstance(value, bytes) and (not value.isascii() or _ESC in value)


def _doubtful(element: Element, charsets: tuple[str, ...]) -> list[str] | None:
    """The values of text that does not fit its character set; None where it does, or is no text."""
    if element.vr in _NO_TEXT or not isinstance(element.value, bytes):
        return None
    text, is_sure = decode_text(element.value, charsets, element.vr)
    if is_sure:
        return None
    if _REPLACED in text and _REPLACED.encode() not in element.value:
        text = element.value.decode("utf-8", "backslashreplace")
    return split_values(text, element.vr)


def is_doubtful(item: Item, encoded: bytes) -> bool:
    """Whether some text of a data set, at any depth, does not fit its character set.

    Args:
        encoded: the same as bytes. What is ASCII throughout fits: the most common case is cheap.
    """
    if encoded.isascii() and _ESC not in encoded:
        return False
    work = [(item, charsets_of(item))]
    while work:
        current, charsets = work.pop()
        for element in current.elements.values():
            if isinstance(element.value, list):
                for inner in element.value:
                    own = _CHARACTER_SET in inner.elements  # it governs the item
                    work.append((inner, charsets_of(inner) if own else charsets))
            elif _may_be_doubtful(element) and _doubtful(element, charsets) is not None:
                return True
    return False
