"""The data dictionary (PS3.6 Sections 6 to 8): tags, value representations, keywords.

It is a table beside this module, made by `scripts/make_dictionary`: one line for each attribute,
sorted by tag. Importing pydicom for it would take 110 ms; reading the table takes 1 ms, and a
line of it is found by bisection. `use_dictionary` replaces it by the files of DCMDICTPATH, for the
functions that read encodings and names; `standard_entry` and `standard_tag` keep to the table.
"""

from bisect import bisect_left
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from asyncfind.query.dcmtk_dictionary import DictEntry
    from asyncfind.query.dcmtk_files import FileDictionary

__all__ = [
    "Entry",
    "entry_of",
    "is_replaced",
    "keyword_of",
    "private_entry",
    "standard_entry",
    "standard_tag",
    "suggestions",
    "tag_of",
    "uid_name",
    "use_dictionary",
    "vendor_entry",
    "vr_of",
]

_TABLE: Final = Path(__file__).with_name("dictionary.tsv")
_RETIRED: Final = "RETIRED_"
_MAX_KEYWORD: Final = 64
_MAX_CACHED: Final = 4096
"""Peers may send any number of different tags; what is remembered of them has a limit."""

_ALIASES: Final[Mapping[str, str]] = {
    "AcquisitionDatetime": "AcquisitionDateTime",
    "ContrastAllergies": "Allergies",
    "HumanPerformersName": "HumanPerformerName",
    "ManufacturersModelName": "ManufacturerModelName",
    "OrderEnterersLocation": "OrderEntererLocation",
    "PatientsAddress": "PatientAddress",
    "PatientsAge": "PatientAge",
    "PatientsBirthDate": "PatientBirthDate",
    "PatientsBirthName": "PatientBirthName",
    "PatientsBirthTime": "PatientBirthTime",
    "PatientsInstitutionResidence": "PatientInstitutionResidence",
    "PatientsMothersBirthName": "PatientMotherBirthName",
    "PatientsName": "PatientName",
    "PatientsPrimaryLanguageCodeSequence": "PatientPrimaryLanguageCodeSequence",
    "PatientsReligiousPreference": "PatientReligiousPreference",
    "PatientsSex": "PatientSex",
    "PatientsSize": "PatientSize",
    "PatientsTelephoneNumbers": "PatientTelephoneNumbers",
    "PatientsWeight": "PatientWeight",
    "PerformingPhysiciansName": "PerformingPhysicianName",
    "ReferringPhysiciansAddress": "ReferringPhysicianAddress",
    "ReferringPhysiciansName": "ReferringPhysicianName",
    "ReferringPhysiciansTelephoneNumbers": "ReferringPhysicianTelephoneNumbers",
    "ScheduledPerformingPhysiciansName": "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepStartDateAndTime": "ScheduledProcedureStepStartDateTime",
}
"""Names in the dictionary of 2005, which findscu 3.5.4 knew, to today's keywords."""

_VRS_OF_DCMTK: Final[Mapping[str, str]] = {
    "lt": "US or SS or OW",
    "na": "NONE",
    "ox": "OB or OW",
    "px": "OB or OW",
    "up": "UL",
    "xs": "US or SS",
}
_GENERIC: Final = "GenericGroupLength"

_replacement: "FileDictionary | None" = None


class Entry(NamedTuple):
    """One attribute.

    Args:
        tag: as asked for; of a repeating group too.
        vr: as PS3.6 has it: `US or SS` leaves a choice that `vr_of` makes.
        vm: value multiplicity, `1-n`.
        keyword: empty for the few that have none, and for private ones.
        name: may be empty.
    """

    tag: int
    vr: str
    vm: str
    keyword: str
    name: str
    retired: bool


def use_dictionary(path_variable: str | None) -> None:
    """Replace the dictionary by the files that DCMDICTPATH names, as DCMTK's programs do.

    Of the file format see `query/dcmtk_files.py`. Where findscu complains and goes on without the
    line or the file, this refuses: a key that lost its VR would ask for something else.

    Args:
        path_variable: the value of DCMDICTPATH; None or empty brings our own dictionary back.

    Raises:
        InvalidRequest: a file cannot be read, or a line in it; the dictionary stays as it was.
    """
    global _replacement
    if path_variable:
        from asyncfind.query.dcmtk_files import read_dictionary

        _replacement = read_dictionary(path_variable)
    else:
        _replacement = None
    for look_up in (entry_of, vr_of, keyword_of, _tags):
        look_up.cache_clear()


@lru_cache(maxsize=_MAX_CACHED)
def entry_of(tag: int) -> Entry | None:
    """The attribute `tag`, repeating groups included; None where it is unknown or private."""
    if _replacement is None:
        return standard_entry(tag)
    if tag >> 16 & 1:
        return None
    entry = _replacement.entry(tag)
    return None if entry is None or entry.name == _GENERIC else _in_our_words(entry)


def _in_our_words(entry: "DictEntry") -> Entry:
    keyword = entry.name.removeprefix(_RETIRED)
    vr = _VRS_OF_DCMTK.get(entry.vr, entry.vr)
    return Entry(entry.tag, vr, entry.vm, keyword, keyword, keyword != entry.name)


def standard_entry(tag: int) -> Entry | None:
    """The attribute `tag` as PS3.6 has it, whatever DCMDICTPATH says; None as for `entry_of`."""
    if tag >> 16 & 1:
        return None
    digits = f"{tag:08X}"
    line = _find(digits)
    if line is None:
        for mask in _masks():
            masked = "".join([x if x == "x" else d for x, d in zip(mask, digits, strict=True)])
            line = _find(masked)
            if line is not None:
                break
        else:
            return None
    _, vr, vm, keyword, name, retired = line.split("\t")
    return Entry(tag, vr, vm, keyword, name, bool(retired))


@lru_cache(maxsize=_MAX_CACHED)
def vr_of(tag: int, creator: str = "") -> str:
    """The value representation that `tag` has where its encoding does not tell.

    Where the dictionary leaves a choice it is US for US or SS, and OW for all that OW is among
    (PS3.5 Section A.1 requires it of pixel, overlay and LUT data). Group lengths are UL, private
    creators LO (PS3.5 Sections 7.2 and 7.8.1); UN is what is unknown.

    Args:
        creator: who reserved the block of a private tag, where that is known.
    """
    number = tag & 0xFFFF
    if number == 0:
        return "UL"
    if not tag >> 16 & 1:
        entry = entry_of(tag)
    elif 0x10 <= number <= 0xFF:
        return "LO"
    else:
        # Dictionaries of DCMDICTPATH may have private attributes without a creator.
        entry = private_entry(tag, creator) if creator or _replacement is not None else None
    if entry is None or entry.vr == "NONE":
        return "UN"
    return "OW" if "OW" in entry.vr else entry.vr[:2]


@lru_cache(maxsize=_MAX_CACHED)
def keyword_of(tag: int) -> str:
    """The keyword of `tag`; empty where it has none."""
    entry = entry_of(tag)
    return "" if entry is None else entry.keyword


def tag_of(keyword: str) -> int | None:
    """The tag of a keyword, exact in every letter; of a repeating group the first one.

    Names of 2005 (`PatientsName`) and `RETIRED_` before a keyword, as findscu writes it, are
    understood.
    """
    tags = _tags()
    tag = tags.get(keyword)
    if tag is None:
        tag = tags.get(_ALIASES.get(keyword, keyword.removeprefix(_RETIRED)))
    if tag is None and _replacement is not None:
        private = _replacement.tag_of(keyword)  # which have names there, too
        if private is not None and private >> 16 & 1 and private & 0xFFFF > 0xFF:
            tag = private
    return tag


def standard_tag(keyword: str) -> int | None:
    """The tag of a keyword of PS3.6, whatever DCMDICTPATH says."""
    return _standard_tags().get(keyword)


def private_entry(tag: int, creator: str) -> Entry | None:
    """The attribute `tag` in a block that `creator` reserved (PS3.5 Section 7.8.1)."""
    if _replacement is None:
        return vendor_entry(tag, creator)
    entry = _replacement.entry(tag, creator)
    return None if entry is None else _in_our_words(entry)._replace(keyword="")


def vendor_entry(tag: int, creator: str) -> Entry | None:
    """The private attribute `tag` as pydicom has it, whatever DCMDICTPATH says.

    This is the one look-up that imports pydicom, whose dictionary of private attributes it asks.
    """
    from pydicom import datadict

    try:
        vr, vm, name, retired = datadict.get_private_entry(tag, creator)
    except KeyError:
        return None
    return Entry(tag, vr, vm, "", name, bool(retired))


def is_replaced() -> bool:
    """Whether the dictionary is that of DCMDICTPATH."""
    return _replacement is not None


def suggestions(keyword: str) -> list[str]:
    """Return at most three keywords that `keyword` may have been meant for, the likeliest first."""
    from difflib import get_close_matches

    wanted = keyword.removeprefix(_RETIRED).lower()
    if not wanted or len(wanted) > _MAX_KEYWORD:
        return []
    known = {name.lower(): name for name in _tags()}
    if wanted in known:
        return [known[wanted]]
    return [known[name] for name in get_close_matches(wanted, known, n=3, cutoff=0.8)]


def uid_name(uid: str) -> str | None:
    """The name of a SOP class or transfer syntax that C-FIND knows; None for any other UID."""
    from asyncfind.query.models import MODELS
    from asyncfind.query.syntax import SYNTAXES

    if uid in SYNTAXES:
        return SYNTAXES[uid].name
    return next((model.title for model in MODELS if model.uid == uid), None)


@cache
def _lines() -> list[str]:
    """The table: tag (an x for each digit that may be any), VR, VM, keyword, name, retired."""
    return _TABLE.read_text(encoding="ascii").splitlines()


def _find(digits: str) -> str | None:
    lines = _lines()
    place = bisect_left(lines, digits)
    if place < len(lines) and lines[place].startswith(digits):
        return lines[place]
    return None


@cache
def _masks() -> tuple[str, ...]:
    """Where repeating groups and elements have their x, such as `__xx____`."""
    repeating = [line[:8] for line in _lines() if "x" in line[:8]]
    return tuple({"".join([x if x == "x" else "_" for x in digits]) for digits in repeating})


@cache
def _tags() -> dict[str, int]:
    """Tag by keyword, of the dictionary in use."""
    if _replacement is None:
        return _standard_tags()
    # What is current goes before what was retired under the same keyword.
    tags = _replacement.standard_tags()
    tags.pop(_GENERIC, None)
    current = {name: tag for name, tag in tags.items() if not name.startswith(_RETIRED)}
    return {name.removeprefix(_RETIRED): tag for name, tag in tags.items()} | current


@cache
def _standard_tags() -> dict[str, int]:
    """Tag by keyword of PS3.6."""
    tags = {}
    for line in _lines():
        digits, _, _, keyword, _ = line.split("\t", 4)
        if keyword:
            tags[keyword] = int(digits.replace("x", "0"), 16)
    return tags
