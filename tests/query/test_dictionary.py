"""The data dictionary: the same as pydicom's, without pydicom."""

import random
import subprocess
import sys

import pytest
from pydicom import datadict
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from asyncfind.query.dictionary import (
    Entry,
    entry_of,
    keyword_of,
    private_entry,
    suggestions,
    tag_of,
    uid_name,
    vr_of,
)


def test_every_attribute_of_pydicom_is_known_as_pydicom_knows_it() -> None:
    for tag, (vr, vm, name, retired, keyword) in DicomDictionary.items():
        assert entry_of(tag) == Entry(tag, vr, vm, keyword, name, retired == "Retired")
        assert keyword_of(tag) == keyword
        if keyword:
            assert tag_of(keyword) == tag


@pytest.mark.parametrize("digit", ["0", "2", "E"])
def test_every_repeating_group_of_pydicom_is_known(digit: str) -> None:
    for digits, (vr, vm, name, retired, keyword) in RepeatersDictionary.items():
        tag = int(digits.replace("x", digit), 16)
        if tag not in DicomDictionary:
            assert entry_of(tag) == Entry(tag, vr, vm, keyword, name, retired == "Retired")


def test_nothing_else_is_known() -> None:
    chance = random.Random(36)
    tags = [chance.randrange(1 << 32) for _ in range(2000)]
    tags += [group << 16 | number for group in (0x0020, 0x5000, 0x6002) for number in range(4000)]
    for tag in tags:
        if tag >> 16 & 1:
            assert entry_of(tag) is None
        else:
            assert (entry_of(tag) is not None) == _pydicom_knows(tag)


def _pydicom_knows(tag: int) -> bool:
    try:
        datadict.get_entry(tag)
    except KeyError:
        return False
    return True


def test_odd_groups_between_the_repeating_ones_are_private() -> None:
    assert entry_of(0x60020010) is not None
    assert entry_of(0x60010010) is None


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00100010, "PN"),
        (0x00280106, "US"),  # US or SS
        (0x00283006, "OW"),  # US or OW
        (0x00281200, "OW"),  # US or SS or OW
        (0x7FE00010, "OW"),  # OB or OW
        (0x60003000, "OW"),  # OB or OW
        (0x00080000, "UL"),
        (0x00090000, "UL"),
        (0x00090010, "LO"),
        (0x000900FF, "LO"),
        (0x00090001, "UN"),
        (0x00091001, "UN"),
        (0x00089999, "UN"),
        (0xFFFEE000, "UN"),  # NONE
    ],
)
def test_every_tag_has_one_vr(tag: int, vr: str) -> None:
    assert vr_of(tag) == vr


def test_a_private_attribute_is_known_by_its_creator() -> None:
    assert vr_of(0x00291008, "SIEMENS MEDCOM HEADER") == "CS"
    assert vr_of(0x00291108, "SIEMENS MEDCOM HEADER") == "CS"
    assert vr_of(0x00291008, "NOBODY") == "UN"
    entry = private_entry(0x00291008, "SIEMENS MEDCOM HEADER")
    assert entry is not None
    assert (entry.tag, entry.vr, entry.keyword) == (0x00291008, "CS", "")
    assert private_entry(0x00291008, "NOBODY") is None


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("PatientsName", 0x00100010),
        ("PatientsMothersBirthName", 0x00101060),
        ("ReferringPhysiciansTelephoneNumbers", 0x00080094),
        ("ContrastAllergies", 0x00102110),
        ("AcquisitionDatetime", 0x0008002A),
        ("PatientsInstitutionResidence", 0x00380400),
        ("ScheduledProcedureStepStartDateAndTime", 0x00404005),
        ("RETIRED_OtherPatientIDs", 0x00101000),
        ("OverlayRows", 0x60000010),
        ("patientname", None),
        ("PatientName ", None),
        ("RETIRED_", None),
        ("", None),
    ],
)
def test_a_name_is_exact_but_may_be_old(name: str, tag: int | None) -> None:
    assert tag_of(name) == tag


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("PatientNam", "PatientName"),
        ("patientname", "PatientName"),
        ("RETIRED_PatientNmae", "PatientName"),
        ("StudyInstanceUid", "StudyInstanceUID"),
    ],
)
def test_what_was_meant_is_suggested(typed: str, first: str) -> None:
    assert suggestions(typed)[0] == first
    assert len(suggestions(typed)) <= 3


@pytest.mark.parametrize("typed", ["", "Bogus", "x" * 100_000])
def test_nothing_is_suggested_for_what_is_like_nothing(typed: str) -> None:
    assert suggestions(typed) == []


def test_uids_of_c_find_have_names() -> None:
    assert uid_name("1.2.840.10008.1.2") == "Little Endian Implicit"
    assert uid_name("1.2.840.10008.5.1.4.31") == "Modality Worklist"
    assert uid_name("1.2.3") is None


def test_pydicom_is_not_imported() -> None:
    program = (
        "import sys; from asyncfind.query.dictionary import *;"
        "assert vr_of(tag_of('PatientName')) == 'PN' and suggestions('PatientNam');"
        "assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_is_remembered_of_a_peer_s_tags_has_a_limit() -> None:
    for tag in range(0x00090000, 0x00090000 + 10_000):
        vr_of(tag)
        keyword_of(tag)
    for look_up in (entry_of, vr_of, keyword_of):
        assert look_up.cache_info().currsize <= 4096
