"""What an identifier asks for, compiled: SQL for the store, tests for rows, elements to answer."""

import json
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from asyncfind.errors import AsyncfindError
from asyncfind.query.charset import charsets_of, decode_text, encode_text
from asyncfind.query.element import Element, Item
from asyncfind.scp.attributes import (
    MANY_VALUED,
    NO_KEYS,
    SPECIFIC_CHARACTER_SET,
    UNIQUE_KEYS,
    Attribute,
    Nested,
)
from asyncfind.scp.matching import Condition, IllegalKey, condition_of
from asyncfind.scp.rows import PATIENT_COLUMNS, Row
from asyncfind.scp.store import Store

__all__ = [
    "CHARSET",
    "Answer",
    "Check",
    "QueryRefused",
    "Search",
    "charset_element",
    "key_condition",
    "key_text",
]

_MISMATCH: Final = 0xA900
"""Identifier does not match SOP Class (PS3.4 Table C.4-1)."""
_MANY_IN_SQL: Final = 20
CHARSET: Final = PATIENT_COLUMNS.index("charset")
"""The place of the patient's character set in every row."""


class QueryRefused(AsyncfindError):
    """The identifier cannot be answered.

    Args:
        status: of the final response.
        offending: for Offending Element (PS3.7 Annex C); the text is for Error Comment.
    """

    def __init__(self, text: str, *offending: int, status: int = _MISMATCH) -> None:
        super().__init__(text)
        self.status = status
        self.offending = offending


class Check(NamedTuple):
    """A condition that SQL did not decide, on one place of a row."""

    place: int
    many: bool
    test: Callable[[str], bool]

    def __call__(self, row: Row) -> bool:
        value = str(row[self.place])
        if self.many:
            return any(map(self.test, value.split("\\")))
        return self.test(value)


class Search:
    """The keys of one identifier, taken in by `add`.

    Args:
        columns: what the rows to be tested consist of.
        in_database: how many of them SQL can see.
        identifier: names the character set of its text.

    Attributes:
        terms, parameters: SQL conditions on the rows.
        tests: what SQL did not decide.
        unsupported: some key is none of ours.
        impossible: no row can match.
    """

    def __init__(self, columns: tuple[str, ...], in_database: int, identifier: Item) -> None:
        self._columns = {name: index for index, name in enumerate(columns)}
        self._in_database = in_database
        self._charsets = charsets_of(identifier)
        self.terms: list[str] = []
        self.parameters: list[str] = []
        self.tests: list[Check] = []
        self.unsupported = False
        self.impossible = False

    def narrow(self, identifier: Item, level: int) -> None:
        """Series and instance UIDs name their study: the one way into 100 000 of them.

        Matters to relational queries alone; others give the study.
        """
        for tag, depth in ((UNIQUE_KEYS[2], 1), (UNIQUE_KEYS[3], 2)):
            if tag not in identifier.elements or level <= depth:
                continue
            condition = key_condition(identifier.elements[tag], "UI", ())
            if condition is not None:
                studies = {uid.rsplit(".", depth)[0] for uid in condition.exact}
                self.terms.append("study_uid IN (SELECT value FROM json_each(?))")
                self.parameters.append(json.dumps(sorted(studies)))

    def add(
        self, item: Item, known: "Mapping[int, Attribute | Nested]", level: int
    ) -> "list[Answer]":
        """Take the keys of `item` in; returns the elements that answer them, in tag order."""
        answers: list[Answer] = []
        for tag in sorted(item.elements):
            if tag in NO_KEYS or not tag & 0xFFFF or tag < 0x00080000:
                continue
            entry = known.get(tag)
            if entry is None or entry.level > level:
                self.unsupported = True
            elif isinstance(entry, Nested):
                answers.append(self._add_sequence(item.elements[tag], entry))
            else:
                self._add_key(item.elements[tag], entry)
                answers.append(self._answer(entry))
        return answers

    def _answer(self, entry: Attribute) -> "Answer":
        index = self._columns[entry.column] if entry.column else -1
        return Answer(entry.tag, entry.vr, index, entry.constant, None)

    def _add_sequence(self, element: Element, entry: Nested) -> "Answer":
        """Sequence matching (PS3.4 Section C.2.2.2.6): one item at most, its keys as a level."""
        items = element.value if isinstance(element.value, list) else []
        if len(items) > 1 or (element.value and not items):
            raise QueryRefused("a sequence key has one item", element.tag)
        if items and items[0].elements:
            answers = self.add(items[0], entry.attributes, 0)
        else:
            answers = self._everything(entry)
        return Answer(entry.tag, "SQ", -1, "", answers if entry.attributes else ())

    def _everything(self, entry: Nested) -> "list[Answer]":
        """An empty sequence or item asks for all that there is."""
        return [
            Answer(inner.tag, "SQ", -1, "", self._everything(inner))
            if isinstance(inner, Nested)
            else self._answer(inner)
            for inner in sorted(entry.attributes.values(), key=lambda inner: inner.tag)
        ]

    def _add_key(self, element: Element, entry: Attribute) -> None:
        condition = key_condition(element, entry.vr, self._charsets)
        if condition is None:
            return
        if not entry.column:
            self.impossible = self.impossible or not condition.test(entry.constant)
            return
        index = self._columns[entry.column]
        many = entry.column in MANY_VALUED
        if index < self._in_database:
            self._filter(entry, condition, many)
            if condition.decided and not many:
                return
        self.tests.append(Check(index, many, condition.test))

    def _filter(self, entry: Attribute, condition: Condition, many: bool) -> None:
        """Add what SQL can decide of `condition`."""
        column = entry.column
        if many:
            if 0 < len(condition.exact) <= _MANY_IN_SQL:
                term = f"instr('\\' || {column} || '\\', '\\' || ? || '\\') > 0"
                self.terms.append(f"({' OR '.join([term] * len(condition.exact))})")
                self.parameters += condition.exact
        elif condition.sql:
            term = condition.sql.replace("{}", "fold" if entry.vr == "PN" else column)
            self.terms.append(Store.name_term(column, term) if entry.vr == "PN" else term)
            self.parameters += condition.parameters


class Answer(NamedTuple):
    """An element of the answer: a column's value, a constant, or an item with answers."""

    tag: int
    vr: str
    place: int
    constant: str
    nested: "list[Answer] | tuple[()] | None"

    def element(self, row: Row) -> Element:
        """The element that answers for `row`."""
        if self.nested is not None:
            items = [_item(self.nested, row)] if self.nested else []
            return Element(self.tag, "SQ", items, 0xFFFFFFFF)
        value = row[self.place] if self.place >= 0 else self.constant
        if self.vr == "US":
            data = b"" if value == "" else struct.pack("<H", value)
        else:
            text = str(value)
            if text.isascii():
                data = text.encode("ascii")
                if len(data) & 1:
                    data += b"\0" if self.vr == "UI" else b" "
            else:
                data = _encoded(text, str(row[CHARSET]), self.vr)
        return Element(self.tag, self.vr, data, len(data))


def _item(answers: Iterable[Answer], row: Row) -> Item:
    return Item({answer.tag: answer.element(row) for answer in answers}, 0xFFFFFFFF)


def key_text(element: Element, vr: str, charsets: tuple[str, ...]) -> str:
    """The value of a key as text, whatever VR the requestor gave it; raises QueryRefused."""
    value = element.value
    if isinstance(value, list):
        raise QueryRefused(f"a sequence where {vr} is expected", element.tag)
    if vr == "US":
        if len(value) % 2:
            raise QueryRefused("not a value of US", element.tag)
        return "\\".join(map(str, struct.unpack(f"<{len(value) // 2}H", value)))
    return decode_text(value, charsets, vr)[0]


def key_condition(element: Element, vr: str, charsets: tuple[str, ...]) -> Condition | None:
    """What a key asks for; None for universal matching.

    Raises:
        QueryRefused: its value is not allowed.
    """
    try:
        return condition_of(vr, key_text(element, vr, charsets))
    except IllegalKey as exc:
        raise QueryRefused(exc.text, element.tag) from exc


@lru_cache(64)
def charset_element(charset: str) -> Element:
    """Specific Character Set (0008,0005) of a row."""
    data = charset.encode("ascii")
    data += b" " * (len(data) & 1)
    return Element(SPECIFIC_CHARACTER_SET, "CS", data, len(data))


@lru_cache(16_384)
def _encoded(text: str, charset: str, vr: str) -> bytes:
    """`text` in the patient's own character set, padded to even length."""
    data = encode_text(text, tuple(charset.split("\\")), vr)
    return data + b" " * (len(data) & 1)
