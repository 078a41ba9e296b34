"""C-FIND on the store: which identifiers are allowed, which rows match, what goes back.

Query/Retrieve after PS3.4 Section C.4.1 (Patient Root, Study Root, Patient/Study Only), Modality
Worklist after Section K.4.1.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Final

from asyncfind.errors import PeerError
from asyncfind.query.charset import charsets_of
from asyncfind.query.element import Element, Item
from asyncfind.query.models import model_of
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import TransferSyntax
from asyncfind.query.writer import write_item
from asyncfind.scp.answers import PENDING, Response
from asyncfind.scp.attributes import (
    LEVEL,
    LEVELS,
    QUERY_RETRIEVE,
    RETRIEVE_AE_TITLE,
    SPECIFIC_CHARACTER_SET,
    UNIQUE_KEYS,
    WORKLIST,
)
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
from asyncfind.scp.search import (
    CHARSET,
    Answer,
    Check,
    QueryRefused,
    Search,
    charset_element,
    key_condition,
    key_text,
)
from asyncfind.scp.store import Store

__all__ = ["MODELS", "PENDING_UNSUPPORTED", "Archive", "QueryRefused"]

PENDING_UNSUPPORTED: Final = 0xFF01
"""Pending, and an optional key is not supported (PS3.4 Section C.4.1.1.4)."""
_UNREADABLE: Final = 0xC000
"""Unable to process."""
_NO_SUCH_CLASS: Final = 0x0122
"""SOP class not supported (PS3.7 Annex C)."""

_WORKLIST_UID: Final = model_of("worklist").uid
_QUERY_RETRIEVE_MODELS: Final = {
    model.uid: model.levels for model in map(model_of, ("patient", "study", "patient-study"))
}
MODELS: Final = (*_QUERY_RETRIEVE_MODELS, _WORKLIST_UID)
"""UIDs of the SOP classes that the archive answers."""
_SLICE: Final = 1000
"""Rows that are examined in vain before the caller may do something else."""
_BEYOND: Final = len(SERIES_COLUMNS) + len(IMAGE_COLUMNS)
_Rows = Iterator[Row | None]


class Archive:
    """Answers C-FIND from a store.

    Args:
        aet: what Retrieve AE Title (0008,0054) says.
        row_limit: matches at which answers are cut, as if there were no more; None gives all.
    """

    models: Collection[str] = MODELS

    def __init__(self, store: Store, aet: str = "ARCHIVE", row_limit: int | None = None) -> None:
        self.store = store
        self._aet = aet
        self._row_limit = row_limit

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
        matches = self._search(model_uid, identifier, relational)
        return (match for match in matches if match is not None)

    def respond(
        self, model_uid: str, identifier: bytes, syntax: TransferSyntax, *, relational: bool = False
    ) -> Iterator[Response]:
        """As `find`, in bytes; None now and then, while rows are examined in vain.

        Raises:
            QueryRefused: before the first match; also for bytes that are no identifier.
        """
        try:
            item = read_item(identifier, syntax)
        except PeerError as exc:
            raise QueryRefused("identifier cannot be read", status=_UNREADABLE) from exc
        matches = self._search(model_uid, item, relational)
        return (match and (match[0], write_item(match[1], syntax)) for match in matches)

    def _search(
        self, model_uid: str, identifier: Item, relational: bool
    ) -> Iterator[tuple[int, Item] | None]:
        if model_uid == _WORKLIST_UID:
            matches = self._find_steps(identifier)
        elif model_uid not in _QUERY_RETRIEVE_MODELS:
            raise QueryRefused("SOP class not supported", status=_NO_SUCH_CLASS)
        else:
            levels = _QUERY_RETRIEVE_MODELS[model_uid]
            matches = self._find_entities(levels, identifier, relational)
        return matches if self._row_limit is None else _cut(matches, self._row_limit)

    def _find_steps(self, identifier: Item) -> Iterator[tuple[int, Item] | None]:
        columns = PATIENT_COLUMNS + WORKLIST_COLUMNS
        search = Search(columns, len(columns), identifier)
        answers = search.add(identifier, WORKLIST, 0)
        if not answers:
            raise QueryRefused("no key that is supported")
        rows = self._rows("worklist", search)
        return _answer(_passing(rows, search.tests), answers, identifier, search)

    def _find_entities(
        self, levels: tuple[str, ...], identifier: Item, relational: bool
    ) -> Iterator[tuple[int, Item] | None]:
        level = _level_of(identifier, levels)
        columns = (PATIENT_COLUMNS, STUDY_COLUMNS, SERIES_COLUMNS, IMAGE_COLUMNS)
        in_database = len(PATIENT_COLUMNS) + (len(STUDY_COLUMNS) if level else 0)
        charsets = charsets_of(identifier)
        search = Search(tuple(chain(*columns[: level + 1])), in_database, identifier)
        for above in LEVELS[LEVELS.index(levels[0]) : level]:
            if not relational:
                _need_unique_key(identifier, above, charsets)
        answers = search.add(identifier, QUERY_RETRIEVE, level)
        search.narrow(identifier, level)
        answers.append(Answer(LEVEL, "CS", -1, LEVELS[level], None))
        answers.append(Answer(RETRIEVE_AE_TITLE, "AE", -1, self._aet, None))
        rows = self._rows("studies" if level else "patients", search)
        return _answer(
            _descend(rows, search.tests, level, in_database), answers, identifier, search
        )

    def _rows(self, table: str, search: Search) -> _Rows:
        if search.impossible:
            return iter(())
        return iter(self.store.select(table, search.terms, search.parameters))


def _cut(
    matches: Iterator[tuple[int, Item] | None], limit: int
) -> Iterator[tuple[int, Item] | None]:
    """The first matches, and what came between them."""
    for match in matches:
        yield match
        limit -= match is not None
        if not limit:
            return


def _level_of(identifier: Item, levels: tuple[str, ...]) -> int:
    """Query/Retrieve Level as an index into LEVELS (PS3.4 Section C.4.1.1.3.1)."""
    element = identifier.elements.get(LEVEL)
    level = key_text(element, "CS", ()).strip("\0 ") if element else ""
    if not level:
        raise QueryRefused("Query/Retrieve Level is missing", LEVEL)
    if level not in levels:
        raise QueryRefused(f"level {level} is not one of {' '.join(levels)}", LEVEL)
    return LEVELS.index(level)


def _need_unique_key(identifier: Item, level: str, charsets: tuple[str, ...]) -> None:
    """A hierarchical query names one entity of each level above (PS3.4 Section C.4.1.2.1)."""
    tag = UNIQUE_KEYS[LEVELS.index(level)]
    vr = "LO" if level == "PATIENT" else "UI"
    element = identifier.elements.get(tag)
    condition = key_condition(element, vr, charsets) if element else None
    if condition is None or len(condition.exact) != 1:
        raise QueryRefused(f"needs one value of the unique key of level {level}", tag)


def _passing(rows: _Rows, tests: Sequence[Check]) -> _Rows:
    """The rows that pass all tests; None now and then where few do."""
    examined = 0
    for row in rows:
        if row is None:
            yield None
        elif all(test(row) for test in tests):
            yield row
        else:
            examined += 1
            if examined % _SLICE == 0:
                yield None


def _below(rows: _Rows, children: Callable[[Row], Iterator[Row]], start: int) -> _Rows:
    """Each row with each of its children behind it; `start` is where the child's parent begins."""
    for row in rows:
        if row is None:
            yield None
        else:
            for child in children(row[start:]):
                yield row + child


def _descend(rows: _Rows, tests: Sequence[Check], level: int, in_database: int) -> _Rows:
    """From rows of the database to matches of `level`; each level's tests as early as they can."""
    borders = (0, in_database, in_database + len(SERIES_COLUMNS), in_database + _BEYOND)
    sources = (None, series_of, instances_of)
    for depth in range(max(level, 1)):
        children = sources[depth]
        if children is not None:
            rows = _below(rows, children, borders[depth - 1])
        own = [test for test in tests if borders[depth] <= test.place < borders[depth + 1]]
        if own:
            rows = _passing(rows, own)
    return rows


def _answer(
    rows: _Rows, answers: Sequence[Answer], identifier: Item, search: Search
) -> Iterator[tuple[int, Item] | None]:
    status = PENDING_UNSUPPORTED if search.unsupported else PENDING
    asked = SPECIFIC_CHARACTER_SET in identifier.elements
    answers = sorted(answers, key=lambda answer: answer.tag)
    for row in rows:
        if row is None:
            yield None
            continue
        elements: dict[int, Element] = {}
        if row[CHARSET] or asked:
            elements[SPECIFIC_CHARACTER_SET] = charset_element(str(row[CHARSET]))
        for answer in answers:
            elements[answer.tag] = answer.element(row)
        yield status, Item(elements)
