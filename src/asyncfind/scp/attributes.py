"""Which attributes the archive knows, at which level, and where in a row their values are.

Patient, study, series and image keys of PS3.4 Section C.6, worklist keys of Table K.6-1.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from asyncfind.scp.catalogue import CODING_SCHEME, INSTITUTION

__all__ = [
    "LEVEL",
    "LEVELS",
    "MANY_VALUED",
    "NO_KEYS",
    "QUERY_RETRIEVE",
    "RETRIEVE_AE_TITLE",
    "SPECIFIC_CHARACTER_SET",
    "UNIQUE_KEYS",
    "WORKLIST",
    "Attribute",
    "Nested",
]

LEVELS: Final = ("PATIENT", "STUDY", "SERIES", "IMAGE")
SPECIFIC_CHARACTER_SET: Final = 0x00080005
LEVEL: Final = 0x00080052
RETRIEVE_AE_TITLE: Final = 0x00080054
NO_KEYS: Final = frozenset(
    (SPECIFIC_CHARACTER_SET, LEVEL, 0x00080053, RETRIEVE_AE_TITLE, 0x00080201)
)
"""What is no key or answered anyway: character set, level, view, Retrieve AE Title, timezone."""
UNIQUE_KEYS: Final = (0x00100020, 0x0020000D, 0x0020000E, 0x00080018)
"""The unique key of each of LEVELS."""
MANY_VALUED: Final = frozenset(("modalities", "sop_classes", "image_type"))
"""Columns whose values are divided by backslash."""


class Attribute(NamedTuple):
    """An attribute with a value.

    Args:
        column: where the value is; empty when `constant` is it.
        level: query level it belongs to, as an index into LEVELS; 0 in a worklist.
    """

    tag: int
    vr: str
    column: str
    level: int = 0
    constant: str = ""


class Nested(NamedTuple):
    """A sequence: one item with `attributes` of the same row, or none where there are none."""

    tag: int
    attributes: "Mapping[int, Attribute | Nested]"
    level: int = 0


def _table(entries: Iterable[Attribute | Nested]) -> dict[int, Attribute | Nested]:
    return {entry.tag: entry for entry in entries}


def _code_sequence(tag: int, level: int = 0) -> Nested:
    """A sequence whose one item is a code of our own (PS3.3 Table 8.8-1)."""
    return Nested(
        tag,
        _table(
            (
                Attribute(0x00080100, "SH", "code"),
                Attribute(0x00080102, "SH", "", constant=CODING_SCHEME),
                Attribute(0x00080104, "LO", "code_meaning"),
            )
        ),
        level,
    )


_PATIENT: Final = (
    Attribute(0x00100010, "PN", "patient_name"),
    Attribute(0x00100020, "LO", "patient_id"),
    Attribute(0x00100021, "LO", "issuer"),
    Attribute(0x00100030, "DA", "birth_date"),
    Attribute(0x00100040, "CS", "sex"),
)

QUERY_RETRIEVE: Final[Mapping[int, Attribute | Nested]] = _table(
    (
        *_PATIENT,
        Attribute(0x00080056, "CS", "", constant="ONLINE"),
        Attribute(0x00201200, "IS", "patient_studies"),
        Attribute(0x00201202, "IS", "patient_series"),
        Attribute(0x00201204, "IS", "patient_instances"),
        # Study
        Attribute(0x00080020, "DA", "study_date", 1),
        Attribute(0x00080030, "TM", "study_time", 1),
        Attribute(0x00080050, "SH", "accession", 1),
        Attribute(0x00080061, "CS", "modalities", 1),
        Attribute(0x00080062, "UI", "sop_classes", 1),
        Attribute(0x00080090, "PN", "referring", 1),
        Attribute(0x00081030, "LO", "study_description", 1),
        _code_sequence(0x00081032, 1),
        Attribute(0x00101010, "AS", "age", 1),
        Attribute(0x00101030, "DS", "weight", 1),
        Attribute(0x0020000D, "UI", "study_uid", 1),
        Attribute(0x00200010, "SH", "study_id", 1),
        Attribute(0x00201206, "IS", "study_series", 1),
        Attribute(0x00201208, "IS", "study_instances", 1),
        # Series
        Attribute(0x00080021, "DA", "series_date", 2),
        Attribute(0x00080031, "TM", "series_time", 2),
        Attribute(0x00080060, "CS", "modality", 2),
        Attribute(0x00080070, "LO", "manufacturer", 2),
        Attribute(0x00080080, "LO", "", 2, constant=INSTITUTION),
        Attribute(0x00081010, "SH", "station", 2),
        Attribute(0x0008103E, "LO", "series_description", 2),
        Attribute(0x00180015, "CS", "body_part", 2),
        Attribute(0x00181030, "LO", "protocol", 2),
        Attribute(0x0020000E, "UI", "series_uid", 2),
        Attribute(0x00200011, "IS", "series_number", 2),
        Attribute(0x00201209, "IS", "series_instances", 2),
        # Image
        Attribute(0x00080008, "CS", "image_type", 3),
        Attribute(0x00080016, "UI", "sop_class", 3),
        Attribute(0x00080018, "UI", "sop_uid", 3),
        Attribute(0x00080023, "DA", "content_date", 3),
        Attribute(0x0008002A, "DT", "acquired", 3),
        Attribute(0x00080033, "TM", "content_time", 3),
        Attribute(0x00200013, "IS", "instance_number", 3),
        Attribute(0x00280010, "US", "rows", 3),
        Attribute(0x00280011, "US", "columns", 3),
    )
)

_SCHEDULED_STEP: Final = (
    Attribute(0x00080060, "CS", "modality"),
    Attribute(0x00321070, "LO", ""),
    Attribute(0x00400001, "AE", "station_aet"),
    Attribute(0x00400002, "DA", "step_date"),
    Attribute(0x00400003, "TM", "step_time"),
    Attribute(0x00400006, "PN", "performing"),
    Attribute(0x00400007, "LO", "step_description"),
    _code_sequence(0x00400008),
    Attribute(0x00400009, "SH", "step_id"),
    Attribute(0x00400010, "SH", "station"),
    Attribute(0x00400011, "SH", "", constant="RADIOLOGY"),
    Attribute(0x00400012, "LO", ""),
    Attribute(0x00400020, "CS", "step_status"),
)

WORKLIST: Final[Mapping[int, Attribute | Nested]] = _table(
    (
        *_PATIENT,
        Attribute(0x00080050, "SH", "accession"),
        Attribute(0x00080080, "LO", "", constant=INSTITUTION),
        Attribute(0x00080090, "PN", "referring"),
        Nested(0x00081110, {}),
        Nested(0x00081120, {}),
        Attribute(0x00101030, "DS", "weight"),
        Attribute(0x00102000, "LO", ""),
        Attribute(0x00102110, "LO", ""),
        Attribute(0x001021C0, "US", "pregnancy"),
        Attribute(0x0020000D, "UI", "study_uid"),
        Attribute(0x00321032, "PN", "requesting"),
        Attribute(0x00321060, "LO", "procedure_description"),
        _code_sequence(0x00321064),
        Attribute(0x00380010, "LO", "admission"),
        Attribute(0x00380050, "LO", ""),
        Attribute(0x00380300, "LO", "location"),
        Attribute(0x00380500, "LO", ""),
        Nested(0x00400100, _table(_SCHEDULED_STEP)),
        Attribute(0x00401001, "SH", "procedure_id"),
        Attribute(0x00401003, "SH", "priority"),
        Attribute(0x00401004, "LO", "", constant="WALKING"),
        Attribute(0x00403001, "LO", ""),
    )
)
