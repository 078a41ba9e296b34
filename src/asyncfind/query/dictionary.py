"""The data dictionary (PS3.6): tags, value representations, keywords. Backed by pydicom's.

pydicom is imported at the first look-up, not before: it costs more than all the rest of start-up.
"""

from difflib import get_close_matches
from functools import cache
from typing import Final, NamedTuple

__all__ = ["Entry", "entry_of", "keyword_of", "suggestions", "tag_of", "vr_of"]

_ALIASES: Final = {
    "PatientsName": "PatientName",
    "PatientsBirthDate": "PatientBirthDate",
    "PatientsBirthTime": "PatientBirthTime",
    "PatientsSex": "PatientSex",
    "PatientsAge": "PatientAge",
    "PatientsSize": "PatientSize",
    "PatientsWeight": "PatientWeight",
    "PatientsAddress": "PatientAddress",
    "PatientsBirthName": "PatientBirthName",
    "PatientsMothersBirthName": "PatientMotherBirthName",
    "PatientsTelephoneNumbers": "PatientTelephoneNumbers",
    "PatientsReligiousPreference": "PatientReligiousPreference",
    "PatientsPrimaryLanguageCodeSequence": "PatientPrimaryLanguageCodeSequence",
    "ReferringPhysiciansName": "ReferringPhysicianName",
    "ReferringPhysiciansAddress": "ReferringPhysicianAddress",
    "ReferringPhysiciansTelephoneNumbers": "ReferringPhysicianTelephoneNumbers",
    "PerformingPhysiciansName": "PerformingPhysicianName",
    "ScheduledPerformingPhysiciansName": "ScheduledPerformingPhysicianName",
    "ManufacturersModelName": "ManufacturerModelName",
    "ContrastAllergies": "Allergies",
    "AcquisitionDatetime": "AcquisitionDateTime",
    "PatientsInstitutionResidence": "PatientInstitutionResidence",
    "HumanPerformersName": "HumanPerformerName",
    "OrderEnterersLocation": "OrderEntererLocation",
    "ScheduledProcedureStepStartDateAndTime": "ScheduledProcedureStepStartDateTime",
}
"""Names of the dictionary of 2005, which findscu 3.5.4 knew."""


class Entry(NamedTuple):
    """One attribute; `vr` is the first where the dictionary leaves a choice."""

    tag: int
    vr: str
    vm: str
    keyword: str
    name: str
    retired: bool


@cache
def entry_of(tag: int) -> Entry | None:
    """The attribute `tag`; None where it is unknown or private."""
    from pydicom import datadict

    try:
        vr, vm, name, retired, keyword = datadict.get_entry(tag)
    except KeyError:
        return None
    return Entry(tag, vr[:2].strip() or "UN", vm, keyword, name, retired == "Retired")


@cache
def vr_of(tag: int) -> str:
    """The value representation of `tag`: UL for a group length, LO for a private creator."""
    if tag & 0xFFFF == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    entry = entry_of(tag)
    return "UN" if entry is None else entry.vr


@cache
def keyword_of(tag: int) -> str:
    """The keyword of `tag`; empty where it has none."""
    entry = entry_of(tag)
    return "" if entry is None else entry.keyword


def tag_of(keyword: str) -> int | None:
    """The tag of a keyword; names of 2005 and `RETIRED_` before a keyword are understood."""
    from pydicom import datadict

    keyword = _ALIASES.get(keyword, keyword)
    tag = datadict.tag_for_keyword(keyword)
    if tag is None and keyword.startswith("RETIRED_"):
        tag = datadict.tag_for_keyword(keyword.removeprefix("RETIRED_"))
    return tag


def suggestions(keyword: str) -> list[str]:
    """Keywords that look like `keyword`, the likeliest first."""
    from pydicom import datadict

    return get_close_matches(keyword, datadict.keyword_dict, n=3, cutoff=0.75)
