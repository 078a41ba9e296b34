"""Data sets as the log shows them."""

import struct

import pytest

from asyncfind.findscu.dataset import Words
from asyncfind.findscu.dump import dump_data_set
from asyncfind.findscu.walk import Deferred
from asyncfind.query.element import Element, Item

_UNDEFINED = 0xFFFFFFFF
_FFD8 = "ff\\d8"


def _item(*elements: Element, length: int = 0) -> Item:
    return Item({element.tag: element for element in elements}, length)


def _leaf(tag: int, vr: str, value: bytes) -> Element:
    return Element(tag, vr, value, len(value))


def _lines(item: Item, words: Words, *, strip: bool = False) -> list[str]:
    return dump_data_set(item, "Little Endian Explicit", words, strip=strip).splitlines()[3:]


@pytest.mark.parametrize(
    ("element", "shown", "length", "vm", "name"),
    [
        (_leaf(0x00100010, "PN", b"DOE^JOHN"), "[DOE^JOHN]", 8, 1, "PatientName"),
        (_leaf(0x0020000D, "UI", b"1.2.3\0"), "[1.2.3\0]", 6, 1, "StudyInstanceUID"),
        (_leaf(0x00080016, "UI", b"1.2.840.10008.1.1\0"), "=VerificationSOPClass", 18, 1,
         "SOPClassUID"),
        (_leaf(0x00080008, "CS", b"A\\B "), "[A\\B ]", 4, 2, "ImageType"),
        (_leaf(0x00104000, "LT", b"a\\b "), "[a\\b ]", 4, 1, "PatientComments"),
        (_leaf(0x00100020, "LO", b""), "(no value available)", 0, 0, "PatientID"),
        (_leaf(0x00420011, "OB", b""), "(no value available)", 0, 1, "EncapsulatedDocument"),
        (_leaf(0x00280010, "US", b"\1\0\2\0"), "1\\2", 4, 2, "Rows"),
        (_leaf(0x00280106, "SS", b"\xff\xff"), "-1", 2, 1, "SmallestImagePixelValue"),
        (_leaf(0x00280010, "US", b"\1"), "(invalid value)", 1, 0, "Rows"),
        (_leaf(0x00280009, "AT", b"\x18\0\x63\x10"), "(0018,1063)", 4, 1,
         "FrameIncrementPointer"),
        (_leaf(0x00189087, "FD", struct.pack("<d", 1.5)), "1.5", 8, 1, "DiffusionBValue"),
        (_leaf(0x00420011, "OB", b"\1\xff"), "01\\ff", 2, 1, "EncapsulatedDocument"),
        (_leaf(0x7FE00010, "OW", b"\1\2\3\4"), "0201\\0403", 4, 1, "PixelData"),
        (_leaf(0x00089999, "??", b"\1\2"), "01\\02", 2, 1, "Unknown Tag & Data"),
        (Element(0x00080060, "CS", b"", 2), "(not loaded)", 2, 0, "Modality"),
        (Element(0x00280010, "US", b"", 4), "(not loaded)", 4, 2, "Rows"),
        (_leaf(0x00100020, "LO", Deferred(b"A\\B ")), "(not loaded)", 4, 2, "PatientID"),
        (_leaf(0x00280009, "AT", Deferred(bytes(8))), "(not loaded)", 8, 2,
         "FrameIncrementPointer"),
    ],
)  # fmt: skip
def test_one_line_an_element(
    words: Words, element: Element, shown: str, length: int, vm: int, name: str
) -> None:
    tag = f"({element.tag >> 16:04x},{element.tag & 0xFFFF:04x})"
    expected = f"{tag} {element.vr} {shown:<40} # {length:>3},{vm:>2} {name}"
    assert _lines(_item(element), words) == [expected]


def test_long_values_are_shown_whole(words: Words) -> None:
    (line,) = _lines(_item(_leaf(0x00100010, "PN", b"x" * 100)), words)
    assert line == f"(0010,0010) PN [{'x' * 100}] # 100, 1 PatientName"


def test_correction_shows_no_padding(words: Words) -> None:
    item = _item(_leaf(0x00100020, "LO", b"A "), _leaf(0x0020000D, "UI", b"1.2.3\0"))
    assert _lines(item, words, strip=True) == [
        f"(0010,0020) LO {'[A]':<40} #   2, 1 PatientID",
        f"(0020,000d) UI {'[1.2.3]':<40} #   6, 1 StudyInstanceUID",
    ]


@pytest.mark.parametrize("is_open", [False, True])
def test_sequences_are_indented_and_closed(words: Words, is_open: bool) -> None:
    length = _UNDEFINED if is_open else 10
    inner = _item(_leaf(0x00080060, "CS", b"CT"), length=length)
    sequence = Element(0x00400100, "SQ", [inner], _UNDEFINED if is_open else 18)
    kind = "undefined" if is_open else "explicit"
    item_end = "(ItemDelimitationItem)" if is_open else "(ItemDelimitationItem for re-encoding)"
    end = "(SequenceDelimitationItem)" if is_open else "(SequenceDelimitationItem for re-encod.)"
    sizes = ("u/l", "u/l") if is_open else (" 18", " 10")
    opening = f"(Sequence with {kind} length #=1)"
    assert _lines(_item(sequence), words) == [
        f"(0040,0100) SQ {opening:<40} # {sizes[0]}, 1 ScheduledProcedureStepSequence",
        f"  (fffe,e000) na {f'(Item with {kind} length #=1)':<40} # {sizes[1]}, 1 Item",
        f"    (0008,0060) CS {'[CT]':<40} #   2, 1 Modality",
        f"  (fffe,e00d) na {item_end:<40} #   0, 0 ItemDelimitationItem",
        f"(fffe,e0dd) na {end:<40} #   0, 0 SequenceDelimitationItem",
    ]


def test_fragments_of_pixel_data(words: Words) -> None:
    fragments = bytes.fromhex("feff00e0 00000000 feff00e0 02000000 ffd8 feff00e0 04000000")
    element = Element(0x7FE00010, "OB", fragments, _UNDEFINED)
    assert _lines(_item(element), words) == [
        f"(7fe0,0010) OB {'(PixelSequence #=3)':<40} # u/l, 1 PixelData",
        f"  (fffe,e000) pi {'(no value available)':<40} #   0, 1 Item",
        f"  (fffe,e000) pi {_FFD8:<40} #   2, 1 Item",
        f"  (fffe,e000) pi {'(not loaded)':<40} #   4, 1 Item",
        f"(fffe,e0dd) na {'(SequenceDelimitationItem)':<40} #   0, 0 SequenceDelimitationItem",
    ]


def test_the_creator_of_a_private_element_names_it(words: Words) -> None:
    item = _item(_leaf(0x00090010, "LO", b"GEMS_IDEN_01"), _leaf(0x00091002, "SH", b"1 "))
    names = [line.rsplit(" ", 1)[1] for line in _lines(item, words)]
    assert names == ["PrivateCreator", "SuiteId"]
