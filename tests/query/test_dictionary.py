"""The data dictionary: the same as pydicom's, without pydicom."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import datadict
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from asyncfind.errors import InvalidRequest
from asyncfind.query.dictionary import (
    Entry,
    entry_of,
    keyword_of,
    private_entry,
    standard_entry,
    standard_tag,
    suggestions,
    tag_of,
    uid_name,
    use_dictionary,
    vendor_entry,
    vr_of,
)
from asyncfind.query.keys import build_identifier


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


# DCMDICTPATH


@pytest.fixture
def use(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Use a dictionary of these lines for the time of the test."""

    def lines(*lines: str) -> None:
        path = tmp_path / "own.dic"
        path.write_text("".join([line + "\n" for line in lines]), encoding="utf-8")
        use_dictionary(str(path))

    yield lines
    use_dictionary(None)


def test_a_dictionary_of_files_replaces_ours(use: Callable[..., None]) -> None:
    assert (keyword_of(0x00100010), vr_of(0x00100020)) == ("PatientName", "LO")
    assert suggestions("PatientNam")[0] == "PatientName"
    use(
        "(0010,0010)\tPN\tPersonName\t1",
        "(0010,0020)\tSH\tPersonID\t1-n",
        "(0010,1000)\tLO\tRETIRED_PersonAlias\t1",
    )
    assert entry_of(0x00100010) == Entry(0x00100010, "PN", "1", "PersonName", "PersonName", False)
    assert entry_of(0x00101000) == Entry(0x00101000, "LO", "1", "PersonAlias", "PersonAlias", True)
    assert keyword_of(0x00100010) == "PersonName"
    assert vr_of(0x00100020) == "SH"
    assert tag_of("PersonID") == 0x00100020
    assert tag_of("PersonAlias") == tag_of("RETIRED_PersonAlias") == 0x00101000
    assert tag_of("PatientName") is None
    assert suggestions("PersonNam") == ["PersonName"]
    assert (entry_of(0x00100030), vr_of(0x00100030)) == (None, "UN")
    element = build_identifier(None, ["PersonID=42"]).elements[0x00100020]
    assert (element.vr, element.value) == ("SH", b"42")


def test_private_attributes_go_by_their_names_in_a_dictionary(use: Callable[..., None]) -> None:
    use(
        "(0011,1011)\tSH\tMyThing\t1",
        '(0013,"ACME",10)\tDS\tAcmeThing\t1',
    )
    assert (tag_of("MyThing"), vr_of(0x00111011)) == (0x00111011, "SH")
    assert build_identifier(None, ["MyThing=7"]).elements[0x00111011].vr == "SH"


def test_what_a_dictionary_has_not_is_said_so(use: Callable[..., None]) -> None:
    use("(0010,0010)\tPN\tPatientName\t1")
    with pytest.raises(InvalidRequest) as caught:
        build_identifier(None, ["QueryRetrieveLevel=STUDY"])
    assert "DCMDICTPATH" in caught.value.hint
    with pytest.raises(InvalidRequest) as caught:
        build_identifier(None, ["PatientNam=A"])
    assert "DCMDICTPATH" not in caught.value.hint


def test_our_own_dictionary_comes_back(use: Callable[..., None]) -> None:
    use("(0010,0010)\tPN\tAcmeName\t1")
    assert keyword_of(0x00100010) == "AcmeName"
    assert standard_tag("PatientName") == 0x00100010, "the table itself stays"
    assert standard_entry(0x00100010) is not None
    use_dictionary("")
    assert keyword_of(0x00100010) == "PatientName"
    assert tag_of("AcmeName") is None
    assert tag_of("PatientName") == 0x00100010


def test_names_of_2005_are_their_own_where_the_files_have_them(use: Callable[..., None]) -> None:
    use("(0010,0010)\tPN\tPatientsName\t1")
    assert tag_of("PatientsName") == 0x00100010
    assert tag_of("PatientName") is None
    use("(0010,0010)\tPN\tPatientName\t1")
    assert tag_of("PatientsName") == 0x00100010


def test_what_is_current_goes_before_what_was_retired(use: Callable[..., None]) -> None:
    use("(0010,0010)\tPN\tRETIRED_Name\t1", "(0020,0010)\tPN\tName\t1")
    assert tag_of("Name") == 0x00200010


@pytest.mark.parametrize(
    ("own", "vr"),
    [
        ("xs", "US"),
        ("lt", "OW"),
        ("ox", "OW"),
        ("px", "OW"),
        ("up", "UL"),
        ("na", "UN"),
        ("UN", "UN"),
    ],
)
def test_vrs_of_dcmtk_become_ours(use: Callable[..., None], own: str, vr: str) -> None:
    use(f"(0028,0106)\t{own}\tSome\t1")
    assert vr_of(0x00280106) == vr


def test_group_lengths_and_private_creators_stay_what_they_are(use: Callable[..., None]) -> None:
    use("(0010,0010)\tPN\tName\t1", "(0009-o-ffff,0010-u-00ff)\tSH\tCreator\t1")
    assert (vr_of(0x00080000), keyword_of(0x00080000)) == ("UL", "")
    assert (vr_of(0x00090010), keyword_of(0x00090010)) == ("LO", "")
    assert tag_of("GenericGroupLength") is None
    assert tag_of("Creator") is None
    assert keyword_of(0xFFFEE000) == "Item"


def test_private_attributes_are_those_of_the_files(use: Callable[..., None]) -> None:
    assert vr_of(0x00291008, "SIEMENS MEDCOM HEADER") == "CS"
    use('(0029,"ACME 1.0",08)\tDS\tAcmeFactor\t1')
    assert vr_of(0x00291008, "SIEMENS MEDCOM HEADER") == "UN"
    assert vr_of(0x00291008, "ACME 1.0") == "DS"
    assert private_entry(0x00291008, "ACME 1.0") == Entry(
        0x00291008, "DS", "1", "", "AcmeFactor", False
    )
    assert vendor_entry(0x00291008, "SIEMENS MEDCOM HEADER") is not None
    item = build_identifier(None, ["0029,0010=ACME 1.0", "0029,1008=1.5"])
    assert item.elements[0x00291008].vr == "DS"


@pytest.mark.parametrize("line", ["x", "(0010,0010)\tQQ\tName", "(0010,0010)\tPN\tName\tx"])
def test_after_a_bad_file_the_dictionary_is_what_it_was(
    use: Callable[..., None], line: str
) -> None:
    with pytest.raises(InvalidRequest, match=r"own\.dic, line 2: "):
        use("(0010,0010)\tPN\tPersonName\t1", line)
    assert keyword_of(0x00100010) == "PatientName"
    use("(0010,0010)\tPN\tPersonName\t1")
    with pytest.raises(InvalidRequest, match=r"none\.dic: cannot be read$"):
        use_dictionary("none.dic")
    assert keyword_of(0x00100010) == "PersonName"


def test_files_are_read_without_pydicom(tmp_path: Path) -> None:
    path = tmp_path / "own.dic"
    path.write_text('(0029,"ACME",08)\tCS\tKind\t1\n(0010,0010)\tPN\tName\t1\n')
    program = (
        "import sys; from asyncfind.query.dictionary import *;"
        "assert 'asyncfind.query.dcmtk_files' not in sys.modules;"
        "use_dictionary(sys.argv[1]);"
        "assert tag_of('Name') == 0x100010 and vr_of(0x291008, 'ACME') == 'CS';"
        "assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, path], check=True)
