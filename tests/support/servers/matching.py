"""C-FIND matching over instances in memory, as plainly as PS3.4 C.2.2.2 and C.4.1 say.

It serves the pynetdicom SCP of the tests and shares no code with asyncfind.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import translate
from re import compile as compile_pattern
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

__all__ = ["InvalidIdentifier", "find", "find_worklist"]

# Level, unique key, and the attributes whose values the instances of one entity have in common.
_LEVELS: Final = {
    "PATIENT": ("PatientID", {"PatientName", "PatientID", "PatientBirthDate", "PatientSex"}),
    "STUDY": (
        "StudyInstanceUID",
        {
            "StudyDate",
            "StudyTime",
            "StudyID",
            "AccessionNumber",
            "ReferringPhysicianName",
            "StudyDescription",
            "InstitutionName",
            "StudyInstanceUID",
        },
    ),
    "SERIES": (
        "SeriesInstanceUID",
        {
            "Modality",
            "SeriesNumber",
            "SeriesDescription",
            "SeriesDate",
            "SeriesTime",
            "BodyPartExamined",
            "SeriesInstanceUID",
        },
    ),
    "IMAGE": (
        "SOPInstanceUID",
        {"SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ContentDate", "ContentTime"},
    ),
}
_WITHOUT_WILDCARDS: Final = {"DA", "TM", "DT", "UI", "IS", "DS", "US", "UL", "SS", "SL"}
_NO_KEYS: Final = {"SpecificCharacterSet", "QueryRetrieveLevel"}
_RELATED_NUMBERS: Final = {
    "NumberOfPatientRelatedStudies": ("PATIENT", "STUDY"),
    "NumberOfPatientRelatedSeries": ("PATIENT", "SERIES"),
    "NumberOfPatientRelatedInstances": ("PATIENT", "IMAGE"),
    "NumberOfStudyRelatedSeries": ("STUDY", "SERIES"),
    "NumberOfStudyRelatedInstances": ("STUDY", "IMAGE"),
    "NumberOfSeriesRelatedInstances": ("SERIES", "IMAGE"),
}


class InvalidIdentifier(Exception):
    """The identifier does not fit the information model (PS3.4 Section C.4.1.3)."""


def find(
    instances: Sequence[Dataset], identifier: Dataset, levels: Sequence[str]
) -> Iterator[Dataset]:
    """Yield the identifier of each match, by hierarchical search (PS3.4 Section C.4.1.3.1).

    Args:
        levels: those of the information model, top down.

    Raises:
        InvalidIdentifier: no such level, or no single value for the unique key of a level above.
    """
    level = str(identifier.get("QueryRetrieveLevel", "")).strip()
    if level not in levels:
        raise InvalidIdentifier(f"no level {level or '(none)'} in this model")
    for above in levels[: levels.index(level)]:
        key = _LEVELS[above][0]
        value = str(identifier.get(key) or "")
        if not value or any(special in value for special in "*?\\"):
            raise InvalidIdentifier(f"{key} needs a single value")
    # Study Root has the patient's attributes at its study level (PS3.4 Section C.6.2.1).
    known = [*_LEVELS][: [*_LEVELS].index(level) + 1]
    for group in _grouped(instances, _LEVELS[level][0]):
        record = _record(group, known)
        if _matches(identifier, record):
            yield _answer(identifier, record, level)


def find_worklist(entries: Iterable[Dataset], identifier: Dataset) -> Iterator[Dataset]:
    """Yield the identifier of each worklist entry that matches (PS3.4 Section K.4.1.1.3)."""
    for entry in entries:
        if _matches(identifier, entry):
            yield _answer(identifier, entry, "")


def _grouped(instances: Iterable[Dataset], unique_key: str) -> Iterable[list[Dataset]]:
    groups: dict[str, list[Dataset]] = {}
    for instance in instances:
        groups.setdefault(str(instance[unique_key].value), []).append(instance)
    return groups.values()


def _record(group: Sequence[Dataset], levels: Sequence[str]) -> Dataset:
    """Everything known of the entity to which the instances of `group` belong."""
    first = group[0]
    record = Dataset()
    for keyword in {"SpecificCharacterSet"}.union(*(_LEVELS[level][1] for level in levels)):
        if keyword in first:
            record[keyword] = first[keyword]
    for keyword, (whole, part) in _RELATED_NUMBERS.items():
        if whole == levels[-1]:
            setattr(record, keyword, len(set(_values(group, _LEVELS[part][0]))))
    if levels[-1] == "STUDY":
        record.ModalitiesInStudy = sorted(set(_values(group, "Modality")))
    return record


def _values(group: Iterable[Dataset], keyword: str) -> Iterator[str]:
    return (str(instance[keyword].value) for instance in group)


def _answer(identifier: Dataset, record: Dataset, level: str) -> Dataset:
    """The attributes that were asked for; those the record does not know are empty."""
    answer = Dataset()
    if record.get("SpecificCharacterSet"):
        answer.SpecificCharacterSet = record.SpecificCharacterSet
    if level:
        answer.QueryRetrieveLevel = level
    for asked in identifier:
        if asked.keyword in _NO_KEYS or asked.tag.element == 0:
            continue
        if asked.tag not in record:
            answer.add_new(asked.tag, asked.VR, None)
        elif asked.VR == "SQ" and asked.value and len(asked.value[0]):
            items = [_answer(asked.value[0], item, "") for item in record[asked.tag].value]
            answer.add_new(asked.tag, "SQ", items)
        else:
            answer[asked.tag] = record[asked.tag]
    return answer


def _matches(identifier: Dataset, record: Dataset) -> bool:
    return all(
        _matches_key(key, record)
        for key in identifier
        if key.keyword not in _NO_KEYS and key.tag.element != 0
    )


def _matches_key(key: DataElement, record: Dataset) -> bool:
    """One key against one record; what the record does not know matches (PS3.4 Section C.2.2.1)."""
    if key.tag not in record or not key.value:
        return True
    held = record[key.tag]
    if key.VR == "SQ":
        return any(_matches(key.value[0], item) for item in held.value)
    match = _matcher(key)
    texts = _texts(held) or [""]
    if key.VR == "PN":
        # A name is found by the whole of it, or by any one of its component groups.
        texts += [group for text in texts for group in text.split("=") if "=" in text]
    return any(match(text) for text in texts)


def _matcher(key: DataElement) -> Callable[[str], bool]:
    """The test a single value has to pass (PS3.4 Sections C.2.2.2.1 to C.2.2.2.5)."""
    wanted = _texts(key)
    if key.VR in {"DA", "TM", "DT"} and "-" in wanted[0]:
        low, _, high = wanted[0].partition("-")
        # A bound covers the whole of the second, minute or day that it names.
        return lambda text: bool(text) and low <= text and (not high or text[: len(high)] <= high)
    if key.VR in _WITHOUT_WILDCARDS:
        return lambda text: text in wanted
    # fnmatch knows brackets too, DICOM does not.
    pattern = compile_pattern(translate(wanted[0].replace("[", "[[]")))
    return lambda text: pattern.match(text) is not None


def _texts(element: DataElement) -> list[str]:
    """The values as text; person names without case (PS3.4 Section C.2.2.2.1)."""
    if element.is_empty:
        return []
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    texts = [str(value).strip() for value in values]
    return [text.casefold() for text in texts] if element.VR == "PN" else texts
