"""The data dictionary in the terms of findscu 3.6.7: its names and its VRs (PS3.6, edition 2022b).

It is our own table (`query/dictionary.py`) seen through two small ones, kept by hand: what 3.6.7
has otherwise (`dcmtk_differences.tsv`), and which keywords it has not (`dcmtk_absent.tsv`). All are
read when first asked, and an attribute is found by bisection.

Private attributes are those that pydicom knows of the 126 creators in `dcmtk_creators.tsv`, all of
which 3.6.7 knows too; of the others that pydicom knows 3.6.7 knows nothing. Names are pydicom's in
camel case. Of the 2833 private attributes of 3.6.7 these are 93 %, and of them 84 % agree in VR and
80 % in name; in return some 1500 are known here alone. To have private attributes exactly as
another installation has them, set DCMDICTPATH to its files (`query/dcmtk_files.py`).
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from asyncfind.query.dictionary import standard_entry, standard_tag, vendor_entry

__all__ = [
    "MAX_CACHED",
    "UNKNOWN_NAME",
    "DataDictionary",
    "DictEntry",
    "built_in_dictionary",
    "is_private",
    "uid_name_of",
    "uid_of_name",
]

UNKNOWN_NAME: Final = "Unknown Tag & Data"
MAX_CACHED: Final = 4096
"""Peers may send any number of different tags; what is remembered of them has a limit."""

_FOLDER: Final = Path(__file__).parent
_RETIRED: Final = "RETIRED_"
_VRS: Final[Mapping[str, str]] = {
    "NONE": "na",
    "OB or OW": "ox",
    "OB_OW": "ox",  # so in pydicom's private dictionary
    "US or OW": "lt",
    "US or SS": "xs",
    "US or SS or OW": "lt",
}
_CURVE_TO_OTHER: Final = 0x002031
_WORD: Final = re.compile(r"[A-Za-z0-9]+")


class DictEntry(NamedTuple):
    """One attribute as DCMTK describes it.

    Args:
        tag: as asked for; of a repeating group too.
        vr: of PS3.5, or one of DCMTK's own: `xs` (US or SS), `ox` and `px` (OB or OW), `lt` (LUT
            data: US, SS or OW), `up` (UL, an offset), `na` (items and their ends), `pi`, `??`.
        vm: value multiplicity, `1-n`.
        name: the keyword, behind `RETIRED_` where the attribute was retired by then.
    """

    tag: int
    vr: str
    vm: str
    name: str


class DataDictionary(ABC):
    """What a run of findscu knows of attributes."""

    @abstractmethod
    def entry(self, tag: int, creator: str = "") -> DictEntry | None:
        """The attribute `tag`; None where it is unknown.

        Args:
            creator: who reserved the block of a private tag (PS3.5 Section 7.8.1), bytes read as
                Latin-1; empty where nobody did. What has a creator is not looked for among
                entries without.
        """

    @abstractmethod
    def tag_of(self, name: str) -> int | None:
        """The tag that -k means by a name, exact in every letter; None where there is none.

        A repeating group's name is its first group, a private name the tag without its block, and
        standard attributes go before private ones.
        """

    def name_of(self, tag: int, creator: str = "") -> str:
        """The last column of a dump (`Unknown Tag & Data` where `tag` is unknown)."""
        entry = self.entry(tag, creator)
        return UNKNOWN_NAME if entry is None else entry.name


def is_private(tag: int) -> bool:
    """Whether `tag` is in an odd group (PS3.5 Section 7.8)."""
    return bool(tag >> 16 & 1)


class _BuiltIn(DataDictionary):
    """The dictionary that 3.6.7 has where DCMDICTPATH names no other."""

    def entry(self, tag: int, creator: str = "") -> DictEntry | None:
        if not is_private(tag):
            return _standard(tag)
        return _private(tag, creator) if creator else _reserved(tag)

    def tag_of(self, name: str) -> int | None:
        """The tag of a standard name; private names would need all of pydicom, and are unknown."""
        if name in _GENERIC_TAGS:
            return _GENERIC_TAGS[name]
        tag = _renamed().get(name)
        if tag is None:
            tag = standard_tag(name.removeprefix(_RETIRED))
        if tag is None or self.name_of(tag) != name:
            return None
        return tag


_GENERIC_TAGS: Final[Mapping[str, int]] = {
    "GenericGroupLength": 0x00000000,
    "IllegalGroupLength": 0x00010000,
    "IllegalPrivateCreator": 0x00010010,
    "PrivateCreator": 0x00090010,
    "PrivateGroupLength": 0x00090000,
}
"""Names of whole ranges, and the first tags of these."""


@cache
def built_in_dictionary() -> DataDictionary:
    """The dictionary of 3.6.7 itself."""
    return _BuiltIn()


@lru_cache(maxsize=MAX_CACHED)
def _standard(tag: int) -> DictEntry | None:
    """An attribute of an even group."""
    differs = _differences().get(f"{tag:08X}")
    if differs is not None:
        return DictEntry(tag, *differs)
    entry = standard_entry(tag)
    if entry is None or _is_absent(tag, entry.keyword):
        return DictEntry(tag, "UL", "1", "GenericGroupLength") if not tag & 0xFFFF else None
    name = _RETIRED + entry.keyword if entry.retired else entry.keyword
    return DictEntry(tag, _VRS.get(entry.vr, entry.vr), entry.vm, name)


def _is_absent(tag: int, keyword: str) -> bool:
    # Ranges are of even numbers there, which is wrong for the elements of SourceImageIDs.
    if tag >> 8 == _CURVE_TO_OTHER and tag & 1:
        return True
    return not keyword or keyword in _absent()


def _reserved(tag: int) -> DictEntry | None:
    """Group length or creator of a private group."""
    group, number = tag >> 16, tag & 0xFFFF
    # Groups 0001, 0003, 0005 and 0007 shall not be used (PS3.5 Section 7.1).
    illegal = group <= 0x0007
    if number == 0:
        return DictEntry(tag, "UL", "1", "IllegalGroupLength" if illegal else "PrivateGroupLength")
    if 0x10 <= number <= 0xFF:
        name = "IllegalPrivateCreator" if illegal else "PrivateCreator"
        return DictEntry(tag, "LO", "1", name)
    return None


@lru_cache(maxsize=MAX_CACHED)
def _private(tag: int, creator: str) -> DictEntry | None:
    if creator not in _creators():
        return None
    entry = vendor_entry(tag, creator)
    if entry is None:
        return None
    words = _WORD.findall(entry.name.replace("'", ""))
    name = "".join([word[0].upper() + word[1:] for word in words])
    return DictEntry(tag, _VRS.get(entry.vr, entry.vr), entry.vm, name)


@cache
def _differences() -> dict[str, tuple[str, str, str]]:
    """VR, VM and name by tag, of attributes that our table has otherwise or not at all."""
    found = {}
    for line in _lines("dcmtk_differences.tsv"):
        digits, vr, vm, name = line.split("\t")
        found[digits] = (vr, vm, name)
    return found


@cache
def _renamed() -> dict[str, int]:
    return {name: int(digits, 16) for digits, (_, _, name) in _differences().items()}


@cache
def _absent() -> frozenset[str]:
    """Keywords that came to the standard after 2022b, and those that 3.6.7 has by other tags."""
    return frozenset(_lines("dcmtk_absent.tsv"))


@cache
def _creators() -> frozenset[str]:
    return frozenset(_lines("dcmtk_creators.tsv"))


@cache
def _uid_names() -> dict[str, str]:
    return dict(line.split("\t") for line in _lines("uid_names.tsv"))


def uid_name_of(uid: str) -> str | None:
    """The name that 3.6.7 shows for a UID behind `=`; None where it shows the UID itself."""
    return _uid_names().get(uid)


def uid_of_name(name: str) -> str | None:
    """The UID that `=name` stands for as the value of a key; None where it stands for none."""
    return next((uid for uid, own in _uid_names().items() if own == name), None)


def _lines(file: str) -> list[str]:
    return (_FOLDER / file).read_text(encoding="ascii").splitlines()
