"""Where a probe asks: the levels of the information models, their keys, and values that none has.

Query/Retrieve after PS3.4 Sections C.6.1 and C.6.2, Modality Worklist after Section K.6.1.2.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Query, make_query
from asyncfind.query.charset import charsets_of
from asyncfind.query.element import Element, Item
from asyncfind.query.keys import parse_path
from asyncfind.query.values import element_texts

__all__ = ["GROUNDS", "Ground", "element_at", "text_at"]

_NONE: Final = "ASYNCFIND-NONE"
"""Nobody's name and number; 14 characters go into every text VR."""
_NO_DAY: Final = "18000101"
_STEP: Final = "ScheduledProcedureStepSequence[0]."
_LABEL: Final = "probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One level of one model.

    Args:
        name: of the level in facts.
        entity: what is on it.
        model: by name.
        level: value of Query/Retrieve Level; empty where there is none.
        unique: path of the key that names one entity, as behind -k.
        dated: path of a date by which entities can be told apart; empty where there is none.
        returns: paths of the keys whose return is worth knowing.
        matches: paths of matching keys, and values that no entity has.
        parents: paths of the unique keys of the levels above.
        is_ahead: the dates are still to come, too.
    """

    name: str
    entity: str
    model: str
    level: str
    unique: str
    dated: str = ""
    returns: tuple[str, ...]
    matches: tuple[tuple[str, str], ...]
    parents: tuple[str, ...] = ()
    is_ahead: bool = False

    def under(self, model: str, *parents: str) -> "Ground":
        """The same level of another model, which has further levels above."""
        return replace(self, model=model, parents=(*parents, *self.parents))

    def query(self, keys: Mapping[str, str] | None = None, returns: Sequence[str] = ()) -> Query:
        """A query on this level.

        Args:
            keys: values by path.
            returns: paths of return keys, besides the unique key and those of `keys`.

        Raises:
            InvalidRequest: a value is none of its VR.
        """
        asked = dict.fromkeys((self.unique, *returns), "")
        asked |= keys or {}
        level = [f"QueryRetrieveLevel={self.level}"] if self.level else []
        return make_query(
            self.model, [*level, *(f"{path}={text}" for path, text in asked.items())], label=_LABEL
        )

    def days(self, first: date, last: date) -> dict[str, str]:
        """The key for what is dated from `first` to `last`."""
        text = f"{first:%Y%m%d}"
        return {self.dated: text if first == last else f"{text}-{last:%Y%m%d}"}

    def naming(self, item: Item) -> dict[str, str] | None:
        """The keys that name the entity of an answer; None where its values cannot be keys."""
        found = {path: text_at(item, path) for path in (*self.parents, self.unique)}
        usable = (
            text.isascii() and text.isprintable() and not set(text) & set('*?\\"')
            for text in found.values()
        )
        if not all(found.values()) or not all(usable):
            return None
        try:
            self.query(found)
        except InvalidRequest:
            return None
        return found


def element_at(item: Item, path: str) -> Element | None:
    """The element that a key's path leads to, in the first item of each sequence."""
    *above, last = parse_path(path)
    for step in above:
        sequence = item.elements.get(step.tag)
        if sequence is None or not isinstance(sequence.value, list) or not sequence.value:
            return None
        item = sequence.value[0]
    return item.elements.get(last.tag)


def text_at(item: Item, path: str) -> str:
    """The value there as text, several joined by backslashes; empty where there is none."""
    element = element_at(item, path)
    if element is None:
        return ""
    return "\\".join(element_texts(element, charsets_of(item))).strip()


_GROUNDS: Final = (
    Ground(
        name="patient",
        entity="patient",
        model="patient",
        level="PATIENT",
        unique="PatientID",
        dated="PatientBirthDate",
        returns=(
            *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "IssuerOfPatientID"),
            *("OtherPatientIDs", "PatientComments", "NumberOfPatientRelatedStudies"),
            *("NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances"),
        ),
        matches=(
            ("PatientName", _NONE),
            ("PatientBirthDate", _NO_DAY),
            ("PatientSex", "ZZ"),
        ),
    ),
    Ground(
        name="study",
        entity="study",
        model="study",
        level="STUDY",
        unique="StudyInstanceUID",
        dated="StudyDate",
        returns=(
            *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"),
            *("StudyTime", "AccessionNumber", "StudyID", "StudyInstanceUID", "StudyDescription"),
            *("ReferringPhysicianName", "ModalitiesInStudy", "SOPClassesInStudy"),
            *("InstitutionName", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
        ),
        matches=(
            ("PatientName", _NONE),
            ("PatientID", _NONE),
            ("PatientBirthDate", _NO_DAY),
            ("PatientSex", "ZZ"),
            ("StudyDate", _NO_DAY),
            ("AccessionNumber", _NONE),
            ("StudyID", _NONE),
            ("StudyDescription", _NONE),
            ("ReferringPhysicianName", _NONE),
            ("ModalitiesInStudy", "ZZ"),
        ),
    ),
    Ground(
        name="series",
        entity="series",
        model="study",
        level="SERIES",
        unique="SeriesInstanceUID",
        returns=(
            *("Modality", "SeriesNumber", "SeriesInstanceUID", "SeriesDescription", "SeriesDate"),
            *("SeriesTime", "BodyPartExamined", "ProtocolName", "NumberOfSeriesRelatedInstances"),
        ),
        matches=(
            ("Modality", "ZZ"),
            ("SeriesNumber", "999999"),
            ("SeriesDescription", _NONE),
        ),
        parents=("StudyInstanceUID",),
    ),
    Ground(
        name="image",
        entity="image",
        model="study",
        level="IMAGE",
        unique="SOPInstanceUID",
        returns=(
            *("InstanceNumber", "SOPInstanceUID", "SOPClassUID", "ContentDate", "ContentTime"),
            *("Rows", "Columns", "NumberOfFrames"),
        ),
        matches=(("InstanceNumber", "999999"), ("SOPClassUID", "1.2.3")),
        parents=("StudyInstanceUID", "SeriesInstanceUID"),
    ),
    Ground(
        name="worklist",
        entity="scheduled procedure step",
        model="worklist",
        level="",
        unique=f"{_STEP}ScheduledProcedureStepID",
        dated=f"{_STEP}ScheduledProcedureStepStartDate",
        returns=(
            *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"),
            *("RequestedProcedureID", "RequestedProcedureDescription", "StudyInstanceUID"),
            *("ReferringPhysicianName", f"{_STEP}Modality", f"{_STEP}ScheduledStationAETitle"),
            f"{_STEP}ScheduledProcedureStepStartDate",
            f"{_STEP}ScheduledProcedureStepStartTime",
            f"{_STEP}ScheduledPerformingPhysicianName",
            f"{_STEP}ScheduledProcedureStepDescription",
            f"{_STEP}ScheduledProcedureStepID",
            f"{_STEP}ScheduledStationName",
            f"{_STEP}ScheduledProcedureStepLocation",
        ),
        matches=(
            ("PatientName", _NONE),
            ("PatientID", _NONE),
            ("AccessionNumber", _NONE),
            (f"{_STEP}Modality", "ZZ"),
            (f"{_STEP}ScheduledStationAETitle", _NONE),
            (f"{_STEP}ScheduledProcedureStepStartDate", _NO_DAY),
        ),
        is_ahead=True,
    ),
)

GROUNDS: Final[Mapping[str, Ground]] = {ground.name: ground for ground in _GROUNDS}
"""By name."""
