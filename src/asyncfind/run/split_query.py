"""Between queries and ranges: which keys a query may be split by, and what its matches say of them.

Study and Patient Root split studies by date, time, sex and identifiers; patients have a birth
date instead, worklists what is scheduled (PS3.4 Sections C.6 and K.6.1.2.2). Series and images are
reached by walking down, not by splitting.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from asyncfind.plan import Query
from asyncfind.query.charset import charsets_of
from asyncfind.query.dictionary import vr_of
from asyncfind.query.element import Element, Item
from asyncfind.query.models import unique_key
from asyncfind.query.typed import encode_value
from asyncfind.query.values import element_texts
from asyncfind.records import FindDone, Verdict
from asyncfind.run.split_cuts import parse_date, parse_time
from asyncfind.run.split_words import (
    Constraint,
    Dimension,
    Form,
    Matching,
    Outcome,
    Range,
)

__all__ = [
    "asked_by",
    "dimensions_of",
    "element_at",
    "key_paths",
    "narrowed",
    "outcome_of",
    "texts_at",
    "with_keys",
]

_LEVEL: Final = 0x00080052
_STEPS: Final = 0x00400100  # Scheduled Procedure Step Sequence

_SEX: Final = Dimension(
    name="PatientSex", path=(0x00100040,), form=Form.CODES, codes=("F", "M", "O"), closed=True
)
_PATIENT_ID: Final = Dimension(name="PatientID", path=(0x00100020,), form=Form.PREFIX)
_NAME: Final = Dimension(name="PatientName", path=(0x00100010,), form=Form.PREFIX, folded=True)
_ACCESSION: Final = Dimension(name="AccessionNumber", path=(0x00080050,), form=Form.PREFIX)
_MODALITIES: Final = (
    *("CR", "CT", "DX", "ES", "IO", "MG", "MR", "NM", "OP", "OT", "PR", "PT", "PX", "RF"),
    *("RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "SC", "SR", "US", "XA", "XC"),
)
"""Usual values; there are others (PS3.3 Section C.7.3.1.1.1)."""

_DIMENSIONS: Final[Mapping[str, tuple[Dimension, ...]]] = {
    "STUDY": (
        Dimension(name="StudyDate", path=(0x00080020,), form=Form.DATE, current=True),
        Dimension(
            name="StudyTime", path=(0x00080030,), form=Form.TIME, day="StudyDate", current=True
        ),
        _SEX,
        Dimension(
            name="ModalitiesInStudy",
            path=(0x00080061,),
            form=Form.CODES,
            codes=_MODALITIES,
            single=False,
        ),
        _PATIENT_ID,
        _ACCESSION,
        _NAME,
    ),
    "PATIENT": (
        Dimension(name="PatientBirthDate", path=(0x00100030,), form=Form.DATE),
        _SEX,
        _PATIENT_ID,
        _NAME,
    ),
    "worklist": (
        Dimension(
            name="ScheduledProcedureStepStartDate",
            path=(_STEPS, 0x00400002),
            form=Form.DATE,
            current=True,
        ),
        Dimension(
            name="ScheduledProcedureStepStartTime",
            path=(_STEPS, 0x00400003),
            form=Form.TIME,
            day="ScheduledProcedureStepStartDate",
            current=True,
        ),
        Dimension(name="Modality", path=(_STEPS, 0x00080060), form=Form.CODES, codes=_MODALITIES),
        Dimension(
            name="ScheduledStationAETitle",
            path=(_STEPS, 0x00400001),
            form=Form.PREFIX,
            single=False,
        ),
        _PATIENT_ID,
        _ACCESSION,
        _NAME,
    ),
}


def dimensions_of(query: Query) -> tuple[Dimension, ...]:
    """The keys that a query may be split by, in order: those that it leaves room in.

    A key with a value that is neither a date nor a range, such as a wildcard, stays as the user
    wrote it.
    """
    name = query.model.name if query.model.name == "worklist" else _level(query.identifier)
    known = _DIMENSIONS.get(name, ())
    return tuple(one for one in known if _asked(query.identifier, one) is not _Fixed)


class _Fixed:
    """A key that cannot be narrowed."""


def asked_by(query: Query) -> Range:
    """What a query itself asks of its dimensions: the range that splitting begins with."""
    parts = []
    for dimension in dimensions_of(query):
        constraint = _asked(query.identifier, dimension)
        if isinstance(constraint, Constraint):
            parts.append((dimension.name, constraint))
    return Range(tuple(parts))


def _asked(item: Item, dimension: Dimension) -> Constraint | type[_Fixed] | None:
    element = element_at(item, dimension.path)
    if element is None:
        return None
    texts = element_texts(element, charsets_of(item))
    text = "\\".join(texts).strip()
    if not text or text == "*":
        return None
    if dimension.form not in (Form.DATE, Form.TIME):
        return _Fixed
    low, dash, high = text.partition("-")
    ends = [end.strip() for end in ((low, high) if dash else (low, low))]
    if not any(ends) or not all(_is_end(dimension.form, end) for end in ends if end):
        return _Fixed
    if dimension.form is Form.TIME and not dash:
        return _Fixed
    return Constraint(Matching.RANGE, ends[0] or None, ends[1] or None)


def _is_end(form: Form, text: str) -> bool:
    if form is Form.DATE:
        return len(text) == 8 and parse_date(text) is not None
    return parse_time(text)[0] >= 0


def with_keys(query: Query, dimensions: Sequence[Dimension]) -> Query:
    """The same query with its dimensions and its unique key as return keys, where they are not.

    Without them nobody could tell whether a row is what was asked for.
    """
    item = query.identifier
    for path in (*(dimension.path for dimension in dimensions), *key_paths(query)):
        if element_at(item, path) is None:
            item = _put(item, path, b"")
    return replace(query, identifier=item)


def narrowed(query: Query, part: Range, dimensions: Sequence[Dimension]) -> Query:
    """The query that asks for one part of what `query` asks for."""
    item = query.identifier
    for dimension in dimensions:
        constraint = part.get(dimension.name)
        if constraint is not None:
            vr = vr_of(dimension.path[-1])
            # Quotes are no character of a date: emptiness is written past the rules of its VR.
            text = constraint.text
            value = text.encode("ascii") if text == '""' else encode_value(vr, text, ())
            item = _put(item, dimension.path, value)
    return replace(query, identifier=item)


_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)
"""Statuses of a peer that has too much to answer (PS3.4 Section C.4.1.1.4)."""


def outcome_of(done: FindDone, too_many: bool = False) -> Outcome:
    """What the end of a query means for splitting.

    Args:
        too_many: where it was refused, the peer's comment or profile says that this is why.
    """
    if done.verdict in (Verdict.COMPLETE, Verdict.SUSPECT, Verdict.UNDECODABLE):
        return Outcome.COMPLETE
    if done.verdict in (Verdict.CUT, Verdict.LIMIT):
        return Outcome.CUT
    if done.verdict is Verdict.REFUSED and (too_many or done.status in _OUT_OF_RESOURCES):
        return Outcome.TOO_MANY
    return Outcome.FAILED


def _level(item: Item) -> str:
    element = item.elements.get(_LEVEL)
    return "".join(element_texts(element, ())).strip() if element is not None else ""


def key_paths(query: Query) -> tuple[tuple[int, ...], ...]:
    """Where the keys are that tell matches apart; none where nothing does."""
    if query.model.name == "worklist":
        # Some number the steps of each procedure anew: Study Instance UID and Scheduled Procedure
        # Step ID together (PS3.4 Table K.6-1).
        return ((0x0020000D,), (_STEPS, 0x00400009))
    level = _level(query.identifier)
    return ((unique_key(query.model, level),),) if level in query.model.levels else ()


def element_at(item: Item, path: tuple[int, ...]) -> Element | None:
    """The element at a path, in the first items of its sequences."""
    for tag in path[:-1]:
        sequence = item.elements.get(tag)
        if sequence is None or not isinstance(sequence.value, list) or not sequence.value:
            return None
        item = sequence.value[0]
    return item.elements.get(path[-1])


def texts_at(item: Item, path: tuple[int, ...]) -> Iterator[str]:
    """The values at a path; values without a character are none."""
    element = element_at(item, path)
    if element is not None:
        for text in element_texts(element, charsets_of(item)):
            if text.strip():
                yield text.strip()


def _put(item: Item, path: tuple[int, ...], value: bytes) -> Item:
    """A copy of `item` with one other value; what is not on the path is shared."""
    tag, *rest = path
    elements = dict(item.elements)
    if rest:
        old = elements.get(tag)
        items = list(old.value) if old is not None and isinstance(old.value, list) else []
        first = _put(items[0] if items else Item(), tuple(rest), value)
        elements[tag] = Element(tag, "SQ", [first, *items[1:]], 0)
    else:
        elements[tag] = Element(tag, vr_of(tag), value, len(value))
    return Item(elements=elements, length=item.length)
