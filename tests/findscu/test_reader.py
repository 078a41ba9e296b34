"""Data sets as DCMTK reads them: the texts, their order, and what is left of a broken one."""

import struct
import zlib
from typing import Any, Protocol

import pytest

from asyncfind.findscu.conditions import Bad
from asyncfind.findscu.dataset import Words
from asyncfind.findscu.reader import DataSetReader
from asyncfind.findscu.stream import ByteStream
from asyncfind.query.element import Item
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)

_BEGUN = 'D: DcmDataset::read() TransferSyntax="Little Endian Explicit"'
_NAME = bytes.fromhex("1000 1000 504e 0400") + b"A^B "
_ID = bytes.fromhex("1000 2000 4c4f 0200") + b"1 "
_EMPTY_ID = bytes.fromhex("1000 2000 4c4f 0000")
_ITEM = bytes.fromhex("feff 00e0")
_OPEN = "ffffffff"
_ITEM_END = bytes.fromhex("feff 0de0 00000000")
_SEQUENCE_END = bytes.fromhex("feff dde0 00000000")


class Log(Protocol):
    voice: Any
    lines: list[str]


class _Reads:
    def __init__(self, log: Log, words: Words) -> None:
        self._log = log
        self._words = words

    def __call__(
        self,
        *pieces: bytes,
        syntax: TransferSyntax = EXPLICIT_VR_LITTLE_ENDIAN,
        correction: bool = False,
    ) -> tuple[Item, list[str]]:
        """Read a data set; what it is, and what is said but that it has begun."""
        reader = DataSetReader(syntax, self._words, self._log.voice, correction=correction)
        try:
            for place, piece in enumerate(pieces):
                reader.feed(piece, last=place == len(pieces) - 1)
        finally:
            self.said = [line for line in self._log.lines if "::read()" not in line]
        return reader.item, self.said


@pytest.fixture
def read(log: Log, words: Words) -> _Reads:
    return _Reads(log, words)


def test_a_good_data_set_is_read_without_a_word(read: _Reads) -> None:
    item, said = read(_NAME + _ID)
    assert [(one.vr, one.value, one.length) for one in item.elements.values()] == [
        ("PN", b"A^B ", 4),
        ("LO", b"1 ", 2),
    ]
    assert said == []


@pytest.mark.parametrize("cut", range(1, 22))
def test_chopping_never_matters(read: _Reads, cut: int) -> None:
    data = _NAME + _ID
    item, said = read(data[:cut], data[cut:])
    assert [one.value for one in item.elements.values()] == [b"A^B ", b"1 "]
    assert said == []


def test_an_empty_last_piece_ends_a_data_set_of_which_something_is_missing(read: _Reads) -> None:
    item, said = read(_NAME + _ID[:-1], b"")
    assert [one.value for one in item.elements.values()] == [b"A^B ", b"1"]
    assert said == []


def test_a_cut_header_is_left_out_without_a_word(read: _Reads) -> None:
    item, said = read(_NAME + _ID[:6])
    assert list(item.elements) == [0x00100010]
    assert said == []


def test_a_cut_value_is_an_error(read: _Reads) -> None:
    with pytest.raises(Bad) as caught:
        read(_NAME + _ID[:-1])
    assert caught.value.condition.dump() == "0001:0004 Invalid stream"
    assert read.said == [
        (
            "E: DcmElement: PatientID (0010,0020) larger (2) than remaining bytes (1) in file, "
            "premature end of stream"
        )
    ]


def test_a_value_that_does_not_come_at_all_is_told_and_taken(read: _Reads) -> None:
    item, said = read(_NAME + _ID[:-2])
    assert item.elements[0x00100020].value == b""
    assert item.elements[0x00100020].length == 2
    assert said == ["E: DcmElement: PatientID (0010,0020) larger (2) than remaining bytes in file"]


def test_order_and_doubles_are_told_behind_the_value(read: _Reads) -> None:
    item, said = read(_ID + _NAME + _EMPTY_ID)
    assert item.elements[0x00100020].value == b"1 "
    assert said == [
        "W: DcmItem: Dataset not in ascending tag order, at element (0010,0010)",
        (
            "W: DcmItem: Element (0010,0020) found twice in one data set or item, "
            "ignoring second entry"
        ),
    ]


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("0800 0500 4353 0300 414243", "W: DcmItem: Length of element (0008,0005) is odd"),
        (
            "2800 1000 5553 0300 414243",
            "W: DcmItem: Length of element (0028,0010) is not a multiple of 2 (VR=US)",
        ),
        (
            "0800 5000 5a5a 0000 02000000 4142",
            (
                "W: DcmItem: Non-standard VR 'ZZ' (5a\\5a) encountered while parsing element "
                "(0008,0050), assuming 4 byte length field"
            ),
        ),
        (
            "0800 5000 0020 0200 4142",
            (
                "W: DcmItem: Non-standard VR '  ' (00\\20) encountered while parsing element "
                "(0008,0050), assuming 2 byte length field"
            ),
        ),
        (
            "e07f 1000 4f58 0000 02000000 4142",
            (
                "W: DcmItem: Non-standard VR 'OX' (4f\\58) encountered while parsing element "
                "(7fe0,0010), assuming 4 byte length field"
            ),
        ),
        ("0300 1000 4c4f 0000", "W: DcmItem: Invalid Element (0003,0010) found in data set"),
        ("0200 1000 5549 0000", "W: DcmItem: Invalid Element (0002,0010) found in data set"),
    ],
)
def test_oddities_of_one_element(read: _Reads, element: str, expected: str) -> None:
    assert expected in read(bytes.fromhex(element))[1]


@pytest.mark.parametrize(
    ("data", "condition", "expected"),
    [
        (
            _ITEM + bytes(4),
            "0001:0001 Invalid tag",
            "W: DcmItem: Parse error while parsing element (fffe,e000)",
        ),
        (
            _SEQUENCE_END,
            "0001:0026 Item Delimitation Item missing",
            (
                "E: DcmItem: Parse error in sequence item, found (fffe,e0dd) instead of item "
                "delimiter (fffe,e00d)"
            ),
        ),
        (
            bytes.fromhex(f"4200 1100 4f42 0000 {_OPEN}"),
            (
                "0001:0033 Illegal element with OB or OW Value Representation and undefined length "
                "encountered"
            ),
            (
                "E: DcmItem: Parse error in (0042,0011): Illegal element with OB or OW Value "
                "Representation and undefined length encountered"
            ),
        ),
        (
            bytes.fromhex("2800 1030 4f57 0000 02000000 4142"),
            (
                "0001:0034 Illegal VOI LUT Sequence element with OB or OW Value Representation and "
                "explicit length encountered"
            ),
            "E: DcmItem: VOI LUT Sequence with VR=OW and explicit length encountered.",
        ),
        (
            bytes.fromhex(f"4000 0001 5351 0000 {_OPEN}") + _NAME,
            "0001:0022 Sequence Delimitation Item missing",
            (
                "E: DcmSequenceOfItems: Parse error in sequence (0040,0100), found (0010,0010) "
                "instead of sequence delimiter (fffe,e0dd)"
            ),
        ),
        (
            bytes.fromhex(f"4000 0001 5351 0000 {_OPEN}") + _ITEM + bytes(4),
            "0001:0022 Sequence Delimitation Item missing",
            (
                "W: DcmSequenceOfItems: Reached end of stream before the end of sequence "
                "ScheduledProcedureStepSequence (0040,0100)"
            ),
        ),
    ],
)
def test_what_cannot_be_read(read: _Reads, data: bytes, condition: str, expected: str) -> None:
    with pytest.raises(Bad) as caught:
        read(data)
    assert caught.value.condition.dump() == condition
    assert expected in read.said


def test_a_header_that_is_longer_than_its_item(read: _Reads) -> None:
    item = _ITEM + bytes.fromhex("04000000") + _ID
    found, said = read(bytes.fromhex("4000 0001 5351 0000 12000000") + item)
    assert list(found.elements) == [0x00400100]
    assert said == [
        (
            "W: DcmItem: Explicit item length (4 bytes) too large for the elements contained in "
            "the item"
        )
    ]


def test_an_element_that_is_longer_than_its_item(read: _Reads) -> None:
    item = _ITEM + bytes.fromhex("09000000") + _ID
    with pytest.raises(Bad, match="Length of element larger than explicit length"):
        read(bytes.fromhex("4000 0001 5351 0000 12000000") + item)
    assert read.said == [
        (
            "W: DcmSequenceOfItems: Length of item in sequence ScheduledProcedureStepSequence "
            "(0040,0100) is odd"
        ),
        (
            "W: DcmItem: Element PatientID (0010,0020) larger (2) than remaining bytes (1) of "
            "surrounding item"
        ),
    ]


def test_the_end_of_an_item_ends_a_data_set(read: _Reads) -> None:
    item, said = read(_NAME + _ITEM_END + _ID)
    assert list(item.elements) == [0x00100010]
    assert said == []


def test_un_of_undefined_length_is_a_sequence_in_implicit_vr(read: _Reads) -> None:
    inner = bytes.fromhex("0800 6000 02000000") + b"CT"
    data = bytes.fromhex(f"0800 9099 554e 0000 {_OPEN}") + _ITEM + bytes.fromhex(_OPEN) + inner
    item, said = read(data + _ITEM_END + _SEQUENCE_END)
    element = item.elements[0x00089990]
    assert element.vr == "SQ"
    assert isinstance(element.value, list)
    assert element.value[0].elements[0x00080060].value == b"CT"
    assert said == [
        (
            "W: Found element (0008,9990) with VR UN and undefined length, reading a sequence with "
            "transfer syntax LittleEndianImplicit (CP-246)"
        )
    ]


def test_fragments_of_pixel_data_are_kept(read: _Reads) -> None:
    head = bytes.fromhex(f"e07f 1000 4f42 0000 {_OPEN}")
    fragments = _ITEM + bytes(4) + _ITEM + bytes.fromhex("02000000 ffd8")
    item, _ = read(head + fragments + _SEQUENCE_END)
    element = item.elements[0x7FE00010]
    assert (element.value, element.length) == (fragments, 0xFFFFFFFF)


def test_fragments_cannot_be_gone_on_with(read: _Reads) -> None:
    head = bytes.fromhex(f"e07f 1000 4f42 0000 {_OPEN}")
    with pytest.raises(Bad, match="Illegal call"):
        read(head + _ITEM, bytes(4) + _SEQUENCE_END)


def test_an_element_out_of_order_is_lost_where_a_piece_ends(read: _Reads) -> None:
    data = _ID + _NAME
    item, said = read(data[:-2], data[-2:] + bytes(6))
    assert item.elements[0x00100010].value == b"A^"
    assert said[0] == "W: DcmItem: Dataset not in ascending tag order, at element (0010,0010)"


def test_implicit_vr_follows_pixel_representation(read: _Reads) -> None:
    signed = bytes.fromhex("2800 0301 02000000 0100 2800 0601 02000000 ffff")
    item, said = read(signed, syntax=IMPLICIT_VR_LITTLE_ENDIAN)
    assert item.elements[0x00280106].vr == "SS"
    assert said == [
        (
            "D: DcmItem::checkAndUpdateVR() setting undefined VR of SmallestImagePixelValue "
            "(0028,0106) to 'SS' because PixelRepresentation (0028,0103) has a value of 1"
        )
    ]
    item, _ = read(signed[10:], syntax=IMPLICIT_VR_LITTLE_ENDIAN)
    assert item.elements[0x00280106].vr == "xs"


def test_values_are_in_little_endian_whatever_comes(read: _Reads) -> None:
    data = bytes.fromhex("0028 0010 5553 0002 0102 0072 0082 5356 0000 00000008 0102030405060708")
    item, _ = read(data, syntax=EXPLICIT_VR_BIG_ENDIAN)
    assert item.elements[0x00280010].value == bytes.fromhex("0201")
    assert item.elements[0x00720082].value == bytes.fromhex("0807060504030201")


def test_correction_makes_odd_lengths_even(read: _Reads) -> None:
    odd = bytes.fromhex("1000 2000 4c4f 0300") + b"ABC"
    item, _ = read(odd, correction=True)
    assert item.elements[0x00100020][2:] == (b"ABC\0", 4)


def test_deflated_data_arrive_in_pieces_too(read: _Reads) -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = stream.compress(_NAME + _ID) + stream.flush()
    item, said = read(*(bytes([byte]) for byte in data), syntax=DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    assert [one.value for one in item.elements.values()] == [b"A^B ", b"1 "]
    assert said == []


def test_what_is_not_deflated_says_so(read: _Reads) -> None:
    with pytest.raises(Bad, match="ZLib Error: invalid block type"):
        read(b"\xff" * 20, syntax=DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_bomb_is_refused() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = bomb.compress(bytes(64 * 1024 * 1024)) + bomb.flush()
    stream = ByteStream()
    stream.deflated()
    with pytest.raises(Bad):
        stream.add(data, last=True)


def test_nesting_has_a_limit(read: _Reads) -> None:
    level = bytes.fromhex(f"4000 0001 5351 0000 {_OPEN}") + _ITEM + bytes.fromhex(_OPEN)
    with pytest.raises(Bad, match="Invalid stream"):
        read(level * 100)


def test_the_number_of_elements_has_a_limit(read: _Reads) -> None:
    elements = b"".join(
        struct.pack("<HH2sH", group, number, b"LO", 0)
        for group in range(0x10, 0x20, 2)
        for number in range(0x8000, 0xF000)
    )
    with pytest.raises(Bad, match="Invalid stream"):
        read(elements)


def test_an_unfinished_data_set_leaves_no_word_behind(log: Log, words: Words) -> None:
    reader = DataSetReader(EXPLICIT_VR_LITTLE_ENDIAN, words, log.voice)
    reader.feed(_ID[:-1], last=False)
    del reader
    assert log.lines == [_BEGUN]
