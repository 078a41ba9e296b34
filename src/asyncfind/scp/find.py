"""C-FIND on the store: which identifiers are allowed, which rows match, what goes back.

Query/Retrieve after PS3.4 Section C.4.1 (Patient Root, Study Root, Patient/Study Only), Modality
Worklist after Section K.4.1.
"""

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from asyncfind.errors import AsyncfindError
from asyncfind.query.charset import charsets_of, decode_text, encode_text
from asyncfind.query.element import Element, Item
from asyncfind.query.models import model_of
from asyncfind.scp.attributes import (
    LEVELS,
    MANY_VALUED,
    QUERY_RETRIEVE,
    WORKLIST,
    Attribute,
    Nested,
)
from asyncfind.scp.matching import Condition, IllegalKey, condition_of
from asyncfind.scp.rows import (
    IMAGE_COLUMNS,
    PATIENT_COLUMNS,
    SERIES_COLUMNS,
    STUDY_COLUMNS,
    WORKLIST_COLUMNS,
    Row,
    instances_of,
    series_of,
)
from asyncfind.scp.store import Store

__all__ = ["MODELS", "PENDING", "PENDING_UNSUPPORTED", "Archive", "QueryRefused"]

PENDING: Final = 0xFF00
PENDING_UNSUPPORTED: Final = 0xFF01
"""Pending; an optional key is not supported (PS3.4 Section C.4.1.1.4)."""
_MISMATCH: Final = 0xA900
"""Identifier does not match SOP Class."""

_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_LEVEL: Final = 0x00080052
_RETRIEVE_AE_TITLE: Final = 0x00080054
_NO_KEYS: Final = frozenset(
    (_SPECIFIC_CHARACTER_SET, _LEVEL, 0x00080053, _RETRIEVE_AE_TITLE, 0x00080201)
)
"""What is no key or answered anyway: character set, level, view, Retrieve AE Title, timezone."""
_UNIQUE_KEYS: Final = (0x00100020, 0x0020000D, 0x0020000E, 0x00080018)
"""The unique key of each of LEVELS."""
_WORKLIST_UID: Final = model_of("worklist").uid
_QUERY_RETRIEVE_MODELS: Final = {
    model.uid: model.levels for model in map(model_of, ("patient", "study", "patient-study"))
}
MODELS: Final = (*_QUERY_RETRIEVE_MODELS, _WORKLIST_UID)
"""UIDs of the SOP classes that the archive answers."""
_MANY_IN_SQL: Final = 20
_CHARSET: Final = PATIENT_COLUMNS.index("charset")


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


class _Test(NamedTuple):
    """A condition that SQL did not decide, on one place of a row."""

    place: int
    many: bool
    test: Callable[[str], bool]

    def __call__(self, row: Row) -> bool:
        value = str(row[self.place])
        if self.many:
            return any(map(self.test, value.split("\\")))
        return self.test(value)


class _Plan:
    """What an identifier asks for, compiled: SQL terms, tests by level, elements to answer."""

    def __init__(self, columns: tuple[str, ...], in_database: int, charsets: tuple[str, ...]):
        self._columns = {name: index for index, name in enumerate(columns)}
        self._in_database = in_database
        self._charsets = charsets
        self.terms: list[str] = []
        self.parameters: list[str] = []
        self.tests: list[_Test] = []
        self.unsupported = False
        self.impossible = False

    def narrow(self, identifier: Item, level: int) -> None:
        """Series and instance UIDs name their study: the one way into 100 000 of them.

        Matters to relational queries alone; others give the study.
        """
        for tag, depth in ((_UNIQUE_KEYS[2], 1), (_UNIQUE_KEYS[3], 2)):
            if tag not in identifier.elements or level <= depth:
                continue
            condition = condition_of("UI", _key_text(identifier.elements[tag], "UI", ()))
            if condition is not None:
                studies = {uid.rsplit(".", depth)[0] for uid in condition.exact}
                self.terms.append("study_uid IN (SELECT value FROM json_each(?))")
                self.parameters.append(json.dumps(sorted(studies)))

    def add(
        self, item: Item, known: "Mapping[int, Attribute | Nested]", level: int
    ) -> "list[_Answer]":
        """Take the keys of `item` in; returns the elements that answer them, in tag order."""
        answers: list[_Answer] = []
        for tag in sorted(item.elements):
            if tag in _NO_KEYS or not tag & 0xFFFF or tag < 0x00080000:
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

    def _answer(self, entry: Attribute) -> "_Answer":
        index = self._columns[entry.column] if entry.column else -1
        return _Answer(entry.tag, entry.vr, index, entry.constant, None)

    def _add_sequence(self, element: Element, entry: Nested) -> "_Answer":
        """Sequence matching (PS3.4 Section C.2.2.2.6): one item at most, its keys as a level."""
        items = element.value if isinstance(element.value, list) else []
        if len(items) > 1 or (element.value and not items):
            raise QueryRefused("a sequence key has one item", element.tag)
        if items and items[0].elements:
            answers = self.add(items[0], entry.attributes, 0)
        else:
            answers = self._everything(entry)
        return _Answer(entry.tag, "SQ", -1, "", answers if entry.attributes else ())

    def _everything(self, entry: Nested) -> "list[_Answer]":
        """An empty sequence or item asks for all that there is."""
        return [
            _Answer(inner.tag, "SQ", -1, "", self._everything(inner))
            if isinstance(inner, Nested)
            else self._answer(inner)
            for inner in sorted(entry.attributes.values(), key=lambda inner: inner.tag)
        ]

    def _add_key(self, element: Element, entry: Attribute) -> None:
        try:
            condition = condition_of(entry.vr, _key_text(element, entry.vr, self._charsets))
        except IllegalKey as exc:
            raise QueryRefused(exc.text, entry.tag) from exc
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
        self.tests.append(_Test(index, many, condition.test))

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


class _Answer(NamedTuple):
    """An element of the answer: a column's value, a constant, or an item with answers."""

    tag: int
    vr: str
    place: int
    constant: str
    nested: "list[_Answer] | tuple[()] | None"

    def element(self, row: Row) -> Element:
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
                data = _encoded(text, str(row[_CHARSET]), self.vr)
        return Element(self.tag, self.vr, data, len(data))


class Archive:
    """Answers C-FIND from a store.

    Args:
        aet: what Retrieve AE Title (0008,0054) says.
    """

    models = MODELS

    def __init__(self, store: Store, aet: str = "ARCHIVE") -> None:
        self.store = store
        self._aet = aet

    def find(
        self, model_uid: str, identifier: Item, *, relational: bool = False
    ) -> Iterator[tuple[int, Item]]:
        """Yield (status, identifier) of each match, found as they are taken.

        An answer has the keys that were asked for and are supported, and Specific Character Set
        where its text needs one; Query/Retrieve adds level and Retrieve AE Title. The status is
        FF01 where some key is not supported.

        Args:
            relational: relational queries were negotiated (PS3.4 Section C.4.1.2.2.2): unique
                keys of the levels above may be left out.

        Raises:
            QueryRefused: before the first match; level, unique key or value are not allowed.
        """
        if model_uid == _WORKLIST_UID:
            return self._find_steps(identifier)
        if model_uid not in _QUERY_RETRIEVE_MODELS:
            raise QueryRefused("SOP class not supported", status=0x0122)
        return self._find_entities(_QUERY_RETRIEVE_MODELS[model_uid], identifier, relational)

    def _find_steps(self, identifier: Item) -> Iterator[tuple[int, Item]]:
        columns = PATIENT_COLUMNS + WORKLIST_COLUMNS
        plan = _Plan(columns, len(columns), charsets_of(identifier))
        answers = plan.add(identifier, WORKLIST, 0)
        if not answers:
            raise QueryRefused("no key that is supported")
        rows = () if plan.impossible else self.store.select("worklist", plan.terms, plan.parameters)
        return _answer(_passing(rows, plan.tests), answers, identifier, plan)

    def _find_entities(
        self, levels: tuple[str, ...], identifier: Item, relational: bool
    ) -> Iterator[tuple[int, Item]]:
        level = _level_of(identifier, levels)
        columns = (PATIENT_COLUMNS, STUDY_COLUMNS, SERIES_COLUMNS, IMAGE_COLUMNS)
        in_database = len(PATIENT_COLUMNS) + (len(STUDY_COLUMNS) if level else 0)
        charsets = charsets_of(identifier)
        plan = _Plan(tuple(chain(*columns[: level + 1])), in_database, charsets)
        for above in LEVELS[LEVELS.index(levels[0]) : level]:
            if not relational:
                _need_unique_key(identifier, above, charsets)
        answers = plan.add(identifier, QUERY_RETRIEVE, level)
        plan.narrow(identifier, level)
        answers.append(_Answer(_LEVEL, "CS", -1, LEVELS[level], None))
        answers.append(_Answer(_RETRIEVE_AE_TITLE, "AE", -1, self._aet, None))
        if plan.impossible:
            rows: Iterator[Row] = iter(())
        else:
            table = "studies" if level else "patients"
            rows = self.store.select(table, plan.terms, plan.parameters)
            rows = _descend(rows, plan.tests, level, in_database)
        return _answer(rows, answers, identifier, plan)


def _level_of(identifier: Item, levels: tuple[str, ...]) -> int:
    """Query/Retrieve Level as an index into LEVELS (PS3.4 Section C.4.1.1.3.1)."""
    element = identifier.elements.get(_LEVEL)
    level = _key_text(element, "CS", ()).strip("\0 ") if element else ""
    if not level:
        raise QueryRefused("Query/Retrieve Level is missing", _LEVEL)
    if level not in levels:
        raise QueryRefused(f"level {level} is not one of {' '.join(levels)}", _LEVEL)
    return LEVELS.index(level)


def _need_unique_key(identifier: Item, level: str, charsets: tuple[str, ...]) -> None:
    """A hierarchical query names one entity of each level above (PS3.4 Section C.4.1.2.1)."""
    tag = _UNIQUE_KEYS[LEVELS.index(level)]
    vr = "LO" if level == "PATIENT" else "UI"
    element = identifier.elements.get(tag)
    condition = condition_of(vr, _key_text(element, vr, charsets)) if element else None
    if condition is None or len(condition.exact) != 1:
        raise QueryRefused(f"needs one value of the unique key of level {level}", tag)


def _key_text(element: Element, vr: str, charsets: tuple[str, ...]) -> str:
    value = element.value
    if isinstance(value, list):
        raise QueryRefused(f"a sequence where {vr} is expected", element.tag)
    if vr == "US":
        if len(value) % 2:
            raise QueryRefused("not a value of US", element.tag)
        return "\\".join(map(str, struct.unpack(f"<{len(value) // 2}H", value)))
    return decode_text(value, charsets, vr)[0]


def _passing(rows: Iterable[Row], tests: Sequence[_Test]) -> Iterator[Row]:
    """The rows that pass all tests."""
    if not tests:
        return iter(rows)
    return (row for row in rows if all(test(row) for test in tests))


def _descend(
    rows: Iterator[Row], tests: Sequence[_Test], level: int, in_database: int
) -> Iterator[Row]:
    """From rows of the database to matches of `level`; each level's tests as early as they can."""
    rows = _passing(rows, [test for test in tests if test.place < in_database])
    border = in_database + len(SERIES_COLUMNS)
    if level >= 2:
        below = (study + series for study in rows for series in series_of(study))
        rows = _passing(below, [test for test in tests if in_database <= test.place < border])
    if level >= 3:
        below = (
            series + image for series in rows for image in instances_of(series[in_database:border])
        )
        rows = _passing(below, [test for test in tests if border <= test.place])
    return rows


def _answer(
    rows: Iterable[Row], answers: Sequence[_Answer], identifier: Item, plan: _Plan
) -> Iterator[tuple[int, Item]]:
    status = PENDING_UNSUPPORTED if plan.unsupported else PENDING
    asked = _SPECIFIC_CHARACTER_SET in identifier.elements
    answers = sorted(answers, key=lambda answer: answer.tag)
    for row in rows:
        elements: dict[int, Element] = {}
        if row[_CHARSET] or asked:
            elements[_SPECIFIC_CHARACTER_SET] = _charset_element(str(row[_CHARSET]))
        for answer in answers:
            elements[answer.tag] = answer.element(row)
        yield status, Item(elements)


def _item(answers: Iterable[_Answer], row: Row) -> Item:
    return Item({answer.tag: answer.element(row) for answer in answers}, 0xFFFFFFFF)


@lru_cache(64)
def _charset_element(charset: str) -> Element:
    data = charset.encode("ascii")
    data += b" " * (len(data) & 1)
    return Element(_SPECIFIC_CHARACTER_SET, "CS", data, len(data))


@lru_cache(16_384)
def _encoded(text: str, charset: str, vr: str) -> bytes:
    """`text` in the patient's own character set, padded to even length."""
    data = encode_text(text, tuple(charset.split("\\")), vr)
    return data + b" " * (len(data) & 1)
