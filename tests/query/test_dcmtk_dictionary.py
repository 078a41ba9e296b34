"""DCMTK's dictionary: the one that is built in, and files in DCMTK's format."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.dcmtk_dictionary import (
    UNKNOWN_NAME,
    DictEntry,
    built_in_dictionary,
    uid_name_of,
    uid_of_name,
)
from asyncfind.query.dcmtk_files import (
    FileDictionary,
    LoadMessage,
    load_dictionary,
    read_dictionary,
)
from asyncfind.query.dcmtk_lines import Definition, Fault, Problem, Span, parse_line

LATIN_NAME = "Pr\udce9nom"
"""A name in Latin-1, as the system hands it over in an argument."""


def file_with(folder: Path, *lines: str | bytes, name: str = "own.dic") -> str:
    """Write a dictionary file and return its path."""
    path = folder / name
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    path.write_bytes(b"".join([line + b"\n" for line in raw]))
    return str(path)


def loaded(folder: Path, *lines: str) -> FileDictionary:
    """A dictionary of these lines, none of which may be bad."""
    return read_dictionary(file_with(folder, *lines))


def errors_of(path_variable: str) -> list[str]:
    """The errors of loading, in order."""
    messages = load_dictionary(path_variable).messages
    return [message.text for message in messages if message.level == "error"]


# The dictionary that is built in


@pytest.mark.parametrize(
    ("tag", "vr", "vm", "name"),
    [
        (0x00080005, "CS", "1-n", "SpecificCharacterSet"),
        (0x00100010, "PN", "1", "PatientName"),
        (0x00280106, "xs", "1", "SmallestImagePixelValue"),
        (0x00283002, "xs", "3", "LUTDescriptor"),
        (0x00283006, "lt", "1-n", "LUTData"),
        (0x00281200, "lt", "1-n", "RETIRED_GrayLookupTableData"),
        (0x00041200, "up", "1", "OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity"),
        (0x7FE00010, "px", "1", "PixelData"),
        (0x60003000, "ox", "1", "OverlayData"),
        (0x601E0010, "US", "1", "OverlayRows"),
        (0x50020005, "US", "1", "RETIRED_CurveDimensions"),
        (0x00203102, "CS", "1-n", "RETIRED_SourceImageIDs"),
        (0x00101000, "LO", "1-n", "RETIRED_OtherPatientIDs"),
        (0x00380004, "SQ", "1", "ReferencedPatientAliasSequence"),  # retired after 2022
        (0x00089007, "CS", "4", "FrameType"),  # 4-5 since
        (0x00280410, "US", "1", "RETIRED_RowsForNthOrderCoefficients"),
        (0x00060001, "SQ", "1", "CurrentFrameFunctionalGroupsSequence"),
        (0x00000000, "UL", "1", "CommandGroupLength"),
        (0x00100000, "UL", "1", "GenericGroupLength"),
        (0x00090000, "UL", "1", "PrivateGroupLength"),
        (0x00090010, "LO", "1", "PrivateCreator"),
        (0xFFFF00FF, "LO", "1", "PrivateCreator"),
        (0x00070000, "UL", "1", "IllegalGroupLength"),
        (0x00010010, "LO", "1", "IllegalPrivateCreator"),
        (0xFFFEE000, "na", "1", "Item"),
        (0xFFFEE00D, "na", "1", "ItemDelimitationItem"),
        (0xFFFEE0DD, "na", "1", "SequenceDelimitationItem"),
    ],
)
def test_attributes_are_described_as_dcmtk_does(tag: int, vr: str, vm: str, name: str) -> None:
    dictionary = built_in_dictionary()
    assert dictionary.entry(tag) == DictEntry(tag, vr, vm, name)
    assert dictionary.name_of(tag) == name


@pytest.mark.parametrize(
    "tag",
    [
        0x0008FFF1,
        0x00090001,
        0x00091001,
        0x0009000F,
        0x00090100,
        0x60010111,
        0x00203103,
        0x00280420,
        0x10000020,
        0x0008001C,  # came after 2022
        0x00189445,  # has no keyword
        0x00100060,
    ],
)
def test_what_3_6_7_does_not_know_is_unknown(tag: int) -> None:
    assert built_in_dictionary().entry(tag) is None
    assert built_in_dictionary().name_of(tag) == UNKNOWN_NAME == "Unknown Tag & Data"


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("PatientName", 0x00100010),
        ("RETIRED_OtherPatientIDs", 0x00101000),
        ("OverlayRows", 0x60000010),
        ("RETIRED_CurveDimensions", 0x50000005),
        ("RETIRED_SourceImageIDs", 0x00203100),
        ("RETIRED_CodeLabel", 0x00280800),
        ("ReferencedPatientAliasSequence", 0x00380004),
        ("GenericGroupLength", 0x00000000),
        ("PrivateCreator", 0x00090010),
        ("Item", 0xFFFEE000),
        ("OtherPatientIDs", None),
        ("RETIRED_PatientName", None),
        ("RETIRED_RETIRED_OtherPatientIDs", None),
        ("RETIRED_ReferencedPatientAliasSequence", None),
        ("CodeLabel", None),
        ("SyntheticData", None),
        ("patientname", None),
        ("PatientsName", None),
        ("PatientName ", None),
        ("", None),
        ("RETIRED_", None),
    ],
)
def test_names_are_exact(name: str, tag: int | None) -> None:
    assert built_in_dictionary().tag_of(name) == tag


def test_private_attributes_are_known_by_a_creator_that_dcmtk_knows() -> None:
    dictionary = built_in_dictionary()
    entry = dictionary.entry(0x00291008, "SIEMENS CSA HEADER")
    assert entry == DictEntry(0x00291008, "CS", "1", "CSAImageHeaderType")
    assert dictionary.name_of(0x00291108, "SIEMENS CSA HEADER") == "CSAImageHeaderType"
    assert dictionary.entry(0x00291008) is None
    assert dictionary.entry(0x002910FE, "SIEMENS CSA HEADER") is None
    assert dictionary.entry(0x00291008, "ACME 1.0") is None
    assert dictionary.entry(0x00090210, "CANON_MEC_MR3") is None, "pydicom knows it, DCMTK does not"
    assert dictionary.name_of(0x00100010, "SIEMENS CSA HEADER") == "PatientName"


def test_names_of_uids() -> None:
    assert uid_name_of("1.2.840.10008.1.1") == "VerificationSOPClass"
    assert uid_name_of("1.2.840.10008.1.2") == "LittleEndianImplicit"
    assert uid_name_of("1.2.840.10008.1.2.4.51") == "JPEGExtended:Process2+4"
    assert uid_name_of("1.2.3") is None
    assert uid_name_of("") is None
    assert uid_of_name("VerificationSOPClass") == "1.2.840.10008.1.1"
    assert uid_of_name("Nothing") is None


def test_neither_pydicom_nor_a_file_parser_is_needed() -> None:
    program = (
        "import sys; from asyncfind.query.dcmtk_dictionary import *;"
        "known = built_in_dictionary();"
        "assert known.tag_of('PatientName') == 0x100010 and known.name_of(0x91001, 'ACME');"
        "assert uid_name_of('1.2.840.10008.1.1');"
        "assert 'pydicom' not in sys.modules;"
        "assert 'asyncfind.query.dcmtk_lines' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# Lines


def span(low: int, high: int | None = None, parity: int | None = None) -> Span:
    """One number, or a range."""
    return Span(low, low if high is None else high, parity)


def even(low: int, high: int) -> Span:
    """A range of even numbers."""
    return Span(low, high, 0)


@pytest.mark.parametrize(
    ("tag", "groups", "elements", "creator"),
    [
        ("(0010,0010)", span(0x10), span(0x10), ""),
        ("(00aF,FfFf)", span(0xAF), span(0xFFFF), ""),
        (" ( 00 10 , 0x10 ) ", span(0x10), span(0x10), ""),
        ("(6000-60FF,0010)", even(0x6000, 0x60FF), span(0x10), ""),
        ("(6000-e-60FF,0010)", even(0x6000, 0x60FF), span(0x10), ""),
        ("(0009-O-FFFF,0010-u-00FF)", span(9, 0xFFFF, 1), span(0x10, 0xFF), ""),
        ('(0029,"ACME 1.0",08)', span(0x29), span(8), "ACME 1.0"),
        ('(0029-o-00FF, "A,(CME)" ,02-u-0f)', span(0x29, 0xFF, 1), span(2, 15), "A,(CME)"),
        ('(0029,"",08)', span(0x29), span(8), ""),
        # What C's scanf makes of it.
        ("(60xx,0010)", span(0x60), span(0x10), ""),
        ("(6000-60-FF,0010)", even(0x6000, 0x60), span(0x10), ""),
        ("(6000-q-zz,0010)", span(0x6000), span(0x10), ""),
        ("(0x,0010)x)", span(0), span(0x10), ""),
        ("(-1,12345678901234567890)", span(0xFFFF), span(0xFFFF), ""),
        ("(0010,12345)", span(0x10), span(0x2345), ""),
        ('(0010,20,"A")', span(0x10), span(0x20), ""),
    ],
)
def test_tags(tag: str, groups: Span, elements: Span, creator: str) -> None:
    definition, problems = parse_line(f"{tag}\tLO\tName\t1\tDICOM\n".encode())
    assert problems == ()
    assert definition == Definition(groups, elements, creator, "LO", "1", "Name")


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("(0010)", "(0010)"),
        ("(0010,0010", "(0010,0010"),
        ("0010,0010)", "0010,0010)"),
        (" (0010,0010) x ", "(0010,0010) x"),
        ("(,)", "(,)"),
        ("(", "("),
        ("", ""),
        ("( 0010 ,  x y)", "( 0010 ,x y)"),
        ('(0009,"A)', '(0009,"A)'),
        ('(0009, "A" 01)', '(0009,"A"01)'),
        ('(0009, "A" , x 1)', '(0009,"A", x 1)'),
        ('(0009,"' + "A" * 64 + '",01)', '(0009,"' + "A" * 64 + '",01)'),
    ],
)
def test_bad_tags(tag: str, shown: str) -> None:
    assert parse_line(f"{tag}\tLO\tName".encode()) == (None, (Problem(Fault.TAG, shown),))


@pytest.mark.parametrize(
    "vm", ["1", "1-3", "1-n", "2-2n", "2n", "n", "N1", " 1 - N ", "-1", "1-2N"]
)
def test_vms(vm: str) -> None:
    definition, problems = parse_line(f"(0010,0010)\tLO\tName\t{vm}".encode())
    assert definition is not None
    assert definition.vm == vm.replace(" ", "")
    assert problems == ()


@pytest.mark.parametrize("vm", ["x", "1x", "1-", "1-x", "1-2x", "-n", "1.5", "1 # comment"])
def test_bad_vms(vm: str) -> None:
    line = f"(0010,0010)\tLO\tName\t{vm}\tDICOM".encode()
    assert parse_line(line) == (None, (Problem(Fault.VM, vm.replace(" ", "")),))


@pytest.mark.parametrize(
    ("field", "vr"),
    [(vr, vr) for vr in ["UI", "SQ", "UV", "UN", "lt", "na", "ox", "pi", "px", "up", "xs"]]
    + [("L O", "LO"), ("LOX", "LO"), ("L", "??"), ("zz", "??"), ("Zz", "??"), ("", "??")],
)
def test_vrs(field: str, vr: str) -> None:
    definition, problems = parse_line(f"(0010,0010)\t{field}\tName".encode())
    assert definition is not None
    assert definition.vr == vr
    assert problems == ()


@pytest.mark.parametrize("vr", ["QQ", "AA", "ZZZ"])
def test_a_vr_in_capitals_has_to_be_one(vr: str) -> None:
    line = f"(0010,0010)\t{vr}\tName".encode()
    assert parse_line(line) == (None, (Problem(Fault.VR, vr),))


@pytest.mark.parametrize("vr", ["zz", "", "??", "pi", "QQ"])
def test_a_strict_reader_takes_no_vr_that_dcmtk_only_seems_to_know(vr: str) -> None:
    line = f"(0010,0010)\t{vr}\tName".encode()
    assert parse_line(line, strict=True) == (None, (Problem(Fault.VR, vr),))


def test_fields() -> None:
    line = b"(0010,0010)\t LO \tOur Name\t\t "
    definition = Definition(span(0x10), span(0x10), "", "LO", "1", "OurName")
    assert parse_line(line) == (definition, ())
    assert parse_line(b"(0010,0010)\tLO\tOurName\0\t\t\t\t\t\t") == (definition, ())
    assert parse_line(b"(0010,0010)\tLO\t\t1")[0] == definition._replace(name="")
    assert parse_line(b"(0010,0010)\tLO\tPr\xe9nom")[0] == definition._replace(name=LATIN_NAME)
    assert parse_line(b"(0010,0010) LO Name 1 DICOM") == (None, (Problem(Fault.TOO_FEW),))
    assert parse_line(b"(0010,0010)\tLO\t\t\t") == (None, (Problem(Fault.TOO_FEW),))
    assert parse_line(b"1\t2\t3\t4\t5\t6") == (None, (Problem(Fault.TOO_MANY),))


@pytest.mark.parametrize("line", [b"", b" \t\r\n", b"#", b" \t# x\ty", b"\0x\ty\tz"])
def test_blank_lines_and_comments(line: bytes) -> None:
    assert parse_line(line) == (None, ())


def test_a_line_may_have_more_than_one_problem() -> None:
    assert parse_line(b"(6000-x-60ff,1)\tQQ\tName\tz") == (
        None,
        (
            Problem(Fault.VM, "z"),
            Problem(Fault.RESTRICTOR, "x"),
            Problem(Fault.TAG, "(6000-x-60ff,1)"),
        ),
    )


def test_garbage_makes_no_trouble() -> None:
    chance = random.Random(1993)
    parts = b'( ) , " - \t 0010 60ff 0x n N LO SQ xs # \0 \xff \xc3\xa9 e o u z + 9'.split(b" ")
    for _ in range(20_000):
        line = b"".join(chance.choices(parts, k=chance.randrange(14)))
        definition, problems = parse_line(line)
        assert definition is None or not problems


# Dictionaries of files


def test_later_definitions_replace_earlier_ones(tmp_path: Path) -> None:
    dictionary = loaded(
        tmp_path, "(0010,0010)\tPN\tOld\t1", "(0010,0020)\tLO\tId\t1", "(0010,0010)\tLO\tNew\t1-n"
    )
    assert dictionary.entry(0x00100010) == DictEntry(0x00100010, "LO", "1-n", "New")
    assert dictionary.tag_of("New") == 0x00100010
    assert dictionary.tag_of("Old") is None
    assert dictionary.tag_of("new") is None
    assert dictionary.name_of(0x00100030) == UNKNOWN_NAME


def test_files_replace_the_dictionary_but_for_what_dcmtk_needs(tmp_path: Path) -> None:
    dictionary = loaded(tmp_path, "(0040,0100)\tSQ\tSteps\t1")
    assert dictionary.name_of(0x00100010) == UNKNOWN_NAME
    assert dictionary.name_of(0x00090010) == UNKNOWN_NAME
    assert dictionary.entry(0x00090000) == DictEntry(0x00090000, "UL", "1", "GenericGroupLength")
    assert dictionary.entry(0xFFFEE000) == DictEntry(0xFFFEE000, "na", "1", "Item")
    assert dictionary.name_of(0xFFFEE00D) == "ItemDelimitationItem"
    assert dictionary.name_of(0xFFFEE0DD) == "SequenceDelimitationItem"
    assert loaded(tmp_path, "(fffe,e000)\tna\tThing\t1").name_of(0xFFFEE000) == "Thing"


def test_ranges_are_searched_from_the_smaller_to_the_larger(tmp_path: Path) -> None:
    dictionary = loaded(
        tmp_path,
        "(6000-u-60ff,0010-u-0020)\tUS\tAll\t1",
        "(6000-60ff,0010-u-0020)\tUS\tEven\t1",
        "(6000-o-60ff,0010-o-001f)\tUS\tOdd\t1",
        "(6010-u-601f,0010)\tUS\tSome\t1",
        "(6010,0010)\tUS\tOne\t1",
    )
    names = {tag: dictionary.name_of(tag) for tag in (0x60100010, 0x60110010, 0x60000010)}
    assert names == {0x60100010: "One", 0x60110010: "Some", 0x60000010: "Even"}
    # The larger range of odd numbers is within that of all, and stands before it.
    assert dictionary.name_of(0x60010011) == "Odd"
    assert dictionary.name_of(0x60010012) == "All"
    assert dictionary.tag_of("Some") == 0x60100010
    assert dictionary.tag_of("Even") == 0x60000010


def test_the_same_range_is_replaced(tmp_path: Path) -> None:
    dictionary = loaded(tmp_path, "(6000-60ff,0010)\tUS\tOld\t1", "(6000-e-60ff,0010)\tSS\tNew\t1")
    assert dictionary.entry(0x60020010) == DictEntry(0x60020010, "SS", "1", "New")
    assert dictionary.tag_of("Old") is None


def test_private_attributes_belong_to_a_creator(tmp_path: Path) -> None:
    dictionary = loaded(
        tmp_path,
        '(0029,"ACME",08)\tCS\tKind\t1',
        '(0029,"ACME",1009)\tCS\tFixed\t1',
        '(0029-o-00ff,"ACME",20-u-2f)\tCS\tRange\t1',
        "(0029,1008)\tCS\tNobodys\t1",
    )
    assert dictionary.name_of(0x00291008, "ACME") == "Kind"
    assert dictionary.name_of(0x0029FF08, "ACME") == "Kind"
    assert dictionary.name_of(0x00291009, "ACME") == "Fixed"
    assert dictionary.name_of(0x00291109, "ACME") == UNKNOWN_NAME
    assert dictionary.name_of(0x00311025, "ACME") == "Range"
    assert dictionary.name_of(0x00311030, "ACME") == UNKNOWN_NAME
    assert dictionary.name_of(0x00291008, "ACME 2") == UNKNOWN_NAME
    assert dictionary.name_of(0x00291008) == "Nobodys"
    assert dictionary.tag_of("Kind") == 0x00290008
    assert dictionary.tag_of("Range") == 0x00290020


def test_standard_tags_go_before_ranges_and_these_before_private_tags(tmp_path: Path) -> None:
    private = '(0009,"ACME",01)\tLO\tSame\t1'
    ranged = "(6000-60ff,0010)\tLO\tSame\t1"
    standard = "(0020,0010)\tLO\tSame\t1"
    assert loaded(tmp_path, private).tag_of("Same") == 0x00090001
    assert loaded(tmp_path, private, ranged).tag_of("Same") == 0x60000010
    assert loaded(tmp_path, private, ranged, standard).tag_of("Same") == 0x00200010


def test_a_name_of_many_tags_finds_the_one_that_dcmtk_finds(tmp_path: Path) -> None:
    # 00200D71H % 2011 is 1264, A0101ED3H % 2011 is 262, A01073D9H % 2011 is 1662.
    lines = [f"({tag})\tLO\tSame\t1" for tag in ("0020,0d71", "a010,1ed3", "a010,73d9")]
    assert loaded(tmp_path, *lines).tag_of("Same") == 0xA0101ED3


# Loading


@pytest.mark.parametrize("path_variable", [None, ""])
def test_without_a_path_the_dictionary_is_the_one_built_in(path_variable: str | None) -> None:
    dictionary, is_loaded, messages = load_dictionary(path_variable)
    assert dictionary is built_in_dictionary()
    assert is_loaded
    assert [message.level for message in messages] == ["debug", "debug"]
    first, second = [message.text for message in messages]
    assert first.startswith("DcmDataDictionary: Loading file: ")
    assert first.endswith(f"{os.sep}dicom.dic")
    assert second == first.replace("dicom.dic", "private.dic")


def test_messages_are_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    good = file_with(tmp_path, "(0010,0010)\tPN\tName\t1", name="good.dic")
    bad = file_with(
        tmp_path, "# x", "x", "(0010,0010)\tQQ\tName", "1\t2\t3\t4\t5\t6", name="bad.dic"
    )
    missing = str(tmp_path / "none.dic")
    path_variable = os.pathsep.join([good, "", missing, bad, str(tmp_path)])
    assert load_dictionary(path_variable).messages == (
        LoadMessage("debug", f"DcmDataDictionary: Loading file: {good}"),
        LoadMessage("error", f"DcmDataDictionary: Cannot open file: {missing}"),
        LoadMessage("debug", f"DcmDataDictionary: Loading file: {bad}"),
        LoadMessage("error", f"DcmDataDictionary: {bad}: too few fields (line 2)"),
        LoadMessage("error", f"DcmDataDictionary: {bad}: bad VR field (line 3): QQ"),
        LoadMessage("error", f"DcmDataDictionary: {bad}: too many fields (line 4): "),
        LoadMessage("error", f"DcmDataDictionary: Cannot open file: {tmp_path}"),
    )


def test_a_slash_behind_a_file_makes_it_none(tmp_path: Path) -> None:
    path = file_with(tmp_path, "(0010,0010)\tPN\tName\t1") + os.sep
    assert errors_of(path) == [f"DcmDataDictionary: Cannot open file: {path}"]


def test_a_range_restrictor_is_named_without_the_file(tmp_path: Path) -> None:
    path = file_with(tmp_path, "(0010-x-0020,0010)\tPN\tName\t1")
    assert errors_of(path) == [
        "DcmDataDictionary: Unknown range restrictor: x",
        f"DcmDataDictionary: {path}: bad Tag field (line 1): (0010-x-0020,0010)",
    ]


@pytest.mark.parametrize(
    ("files", "is_loaded"),
    [
        (["good"], True),
        (["bad"], False),
        (["none"], False),
        (["empty"], True),
        (["", ""], True),
        (["bad", "good"], True),
        (["good", "bad"], False),
        (["good", "none"], True),
        (["bad", "none"], False),
        (["none", "good"], True),
    ],
)
def test_the_last_file_that_opens_decides(
    tmp_path: Path, files: list[str], is_loaded: bool
) -> None:
    (tmp_path / "good").write_text("(0010,0010)\tPN\tName\t1\n")
    (tmp_path / "bad").write_text("(0010,0010)\tPN\tName\t1\nx\n")
    (tmp_path / "empty").write_text("")
    path_variable = os.pathsep.join([file and str(tmp_path / file) for file in files])
    assert load_dictionary(path_variable).is_loaded == is_loaded


def test_long_lines_are_cut(tmp_path: Path) -> None:
    start = "(0010,0010)\tPN\t"
    whole = start + "N" * (2046 - len(start))
    assert errors_of(file_with(tmp_path, whole, "x")) == [
        f"DcmDataDictionary: {tmp_path}/own.dic: too few fields (line 2)"
    ]
    # One character more, and the end of the line is a line of its own.
    assert errors_of(file_with(tmp_path, whole + "N", "x")) == [
        f"DcmDataDictionary: {tmp_path}/own.dic: too few fields (line 3)"
    ]
    assert errors_of(file_with(tmp_path, whole + "NN", "x")) == [
        f"DcmDataDictionary: {tmp_path}/own.dic: too few fields (line 2)",
        f"DcmDataDictionary: {tmp_path}/own.dic: too few fields (line 3)",
    ]


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    path = tmp_path / "large.dic"
    comment = b"#" + b" " * 1022 + b"\n"
    line = b"(0010,0010)\tPN\tName\t1\n"
    path.write_bytes(line + comment * (16 * 1024) + line)
    assert errors_of(str(path)) == [
        f"DcmDataDictionary: {path}: more than 16 MiB, the rest is not read (line 16385)"
    ]
    assert load_dictionary(str(path)).dictionary.tag_of("Name") == 0x00100010
    with pytest.raises(InvalidRequest, match="line 16385: more than 16 MiB"):
        read_dictionary(str(path))


def test_bad_lines_and_ranges_have_a_limit(tmp_path: Path) -> None:
    path = file_with(tmp_path, *["x"] * 20_000)
    found = errors_of(path)
    assert len(found) == 10_002
    assert found[-1] == (
        f"DcmDataDictionary: {path}: more than 10000 bad lines, the rest is not read (line 10001)"
    )
    lines = [f"(6000-60ff,{number:04x})\tUS\tN{number}\t1" for number in range(2000)]
    path = file_with(tmp_path, *lines)
    assert errors_of(path) == [
        f"DcmDataDictionary: {path}: more than 1024 ranges, the rest is not read (line 1024)"
    ]


def test_names_with_foreign_letters_are_found_by_arguments(tmp_path: Path) -> None:
    path = file_with(tmp_path, b"(0010,0010)\tPN\tPr\xe9nom\t1", "(0010,0020)\tLO\tÉtat\t1")
    dictionary = load_dictionary(path).dictionary
    assert dictionary.tag_of(os.fsdecode(b"Pr\xe9nom")) == 0x00100010
    assert dictionary.tag_of("État") == 0x00100020


def test_what_is_remembered_of_a_peer_s_tags_has_a_limit(tmp_path: Path) -> None:
    program = (
        "import sys, tracemalloc;"
        "from asyncfind.query.dcmtk_files import load_dictionary;"
        "known = load_dictionary(sys.argv[1] or None).dictionary;"
        "ask = lambda tags: [known.entry(tag, 'ACME') or known.entry(tag) for tag in tags];"
        "ask(range(0x90000, 0x98000)); ask(range(0x100000, 0x108000));"
        "tracemalloc.start(); ask(range(0x98000, 0xa0000)); ask(range(0x108000, 0x10f000));"
        "assert tracemalloc.get_traced_memory()[0] < 3_000_000"
    )
    for path in ("", file_with(tmp_path, "(0000-u-ffff,0001-u-ffff)\tUS\tAll\t1")):
        subprocess.run([sys.executable, "-c", program, path], check=True)


# Reading strictly


def test_a_bad_line_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = file_with(tmp_path, "# x", "(0010,0010)\tPN\tName\t1", "(0010,0010)\tQQ\tName\t1")
    with pytest.raises(InvalidRequest) as caught:
        read_dictionary(path)
    assert caught.value.text == f"dictionary file {path}, line 3: bad VR field: QQ"
    assert caught.value.hint


def test_a_line_of_few_fields_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"line 1: too few fields$"):
        read_dictionary(file_with(tmp_path, "(0010,0010) PN Name 1"))


def test_what_a_line_shows_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_dictionary(file_with(tmp_path, "\x1b[2J" + "x" * 500 + "\tPN\tName\t1"))
    assert "\x1b" not in caught.value.text
    assert len(caught.value.text) < len(str(tmp_path)) + 150


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    good = file_with(tmp_path, "(0010,0010)\tPN\tName\t1")
    with pytest.raises(InvalidRequest, match=r"none\.dic: cannot be read$"):
        read_dictionary(os.pathsep.join([good, str(tmp_path / "none.dic")]))
    with pytest.raises(InvalidRequest, match=r"cannot be read$"):
        read_dictionary(str(tmp_path))


@pytest.mark.parametrize("name", [b"Pr\xe9nom", b"Clear\x1b[2J", "\u202eemaN".encode()])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: bytes) -> None:
    path = file_with(tmp_path, "(0010,0020)\tLO\tÉtat\t1", b"(0010,0010)\tPN\t" + name)
    assert load_dictionary(path).is_loaded
    with pytest.raises(InvalidRequest, match="line 2: bad Name field: ") as caught:
        read_dictionary(path)
    assert caught.value.text.isprintable()


def test_a_path_without_files_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="DCMDICTPATH names no file"):
        read_dictionary(os.pathsep)
