import math
import struct

import pytest

from asyncfind.query.element import Element, Item
from asyncfind.query.values import (
    element_texts,
    format_double,
    format_single,
    split_values,
    unpack_numbers,
    unpack_tags,
)


def texts(vr: str, value: bytes, charsets: tuple[str, ...] = ()) -> list[str]:
    return element_texts(Element(0x00110010, vr, value, len(value)), charsets)


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("LO", b" A B ", ["A B"]),
        ("LO", b" A \\ B \\\\C", ["A", "B", "", "C"]),
        ("SH", b" A ", ["A"]),
        ("CS", b"CT \\ MR ", ["CT", "MR"]),
        ("AE", b" NODE ", ["NODE"]),
        ("IS", b" 4 ", ["4"]),
        ("DS", b" 4.5 \\ 5", ["4.5", "5"]),
        ("PN", b" A^B \\C ", [" A^B", "C"]),
        ("PN", b"A^B=C^D=E", ["A^B=C^D=E"]),
        ("DA", b"20240101", ["20240101"]),
        ("TM", b"1200  ", ["1200"]),
        ("DT", b"20240101 ", ["20240101"]),
        ("UI", b"1.2\\1.3\0", ["1.2", "1.3"]),
        ("UC", b" A \\B ", [" A", "B"]),
        ("LT", b" A\\B ", [" A\\B"]),
        ("ST", b"A\\B", ["A\\B"]),
        ("UT", b"A\\B\r\nC ", ["A\\B\r\nC"]),
        ("UR", b"http://h/a\\b ", ["http://h/a\\b"]),
        ("LO", b"A\0", ["A"]),
        ("LO", b"  ", []),
        ("LO", b"\\", ["", ""]),
        ("UI", b"\0", []),
        ("LO", b"", []),
        ("US", b"", []),
        ("OB", b"", []),
    ],
)
def test_text(vr: str, value: bytes, expected: list[str]) -> None:
    assert texts(vr, value) == expected


def test_text_is_decoded_before_it_is_cut() -> None:
    assert texts("LO", b"\xb6\x5c\\A", ("GB18030",)) == ["禱", "A"]
    assert texts("PN", b"\xc4", ("ISO_IR 100",)) == ["Ä"]


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("US", "0100 FFFF", ["1", "65535"]),
        ("SS", "0100 FFFF", ["1", "-1"]),
        ("UL", "FFFFFFFF", ["4294967295"]),
        ("SL", "FFFFFFFF", ["-1"]),
        ("UV", "FFFFFFFFFFFFFFFF", ["18446744073709551615"]),
        ("SV", "FFFFFFFFFFFFFFFF", ["-1"]),
        ("FL", "CDCCCC3D", ["0.1"]),
        ("FL", "0000803F 0000807F 0000C0FF", ["1", "inf", "nan"]),
        ("FD", "9A9999999999B93F", ["0.1"]),
        ("FD", "000000000000F03F", ["1"]),
        ("AT", "1000 2000 E07F 1000", ["(0010,0020)", "(7fe0,0010)"]),
        # of a size that the VR cannot have
        ("US", "010203", ["01\\02\\03"]),
        ("FD", "0102", ["01\\02"]),
        ("AT", "0102", ["01\\02"]),
        # binary
        ("OB", "00FF", ["00\\ff"]),
        ("UN", "00FF", ["00\\ff"]),
        ("OW", "0102 0304", ["0201\\0403"]),
        ("OW", "010203", ["01\\02\\03"]),
        ("OL", "01000000 02000000", ["1\\2"]),
        ("OV", "0100000000000000", ["1"]),
        ("OF", "CDCCCC3D 0000803F", ["0.1\\1"]),
        ("OD", "9A9999999999B93F", ["0.1"]),
        ("??", "4142", ["AB"]),
        ("SQ", "4142", ["41\\42"]),
    ],
)
def test_numbers_and_bytes(vr: str, value: str, expected: list[str]) -> None:
    assert texts(vr, bytes.fromhex(value)) == expected


def test_a_sequence_is_no_leaf() -> None:
    assert element_texts(Element(0x00400100, "SQ", [Item()], 0), ()) == []


def test_much_is_cut_and_says_so() -> None:
    assert texts("OB", bytes(1000)) == ["\\".join(["00"] * 256) + "... (1000 bytes)"]
    assert texts("OW", bytes(1000)) == ["\\".join(["0000"] * 128) + "... (1000 bytes)"]
    assert texts("US", bytes(1001))[0].endswith("... (1001 bytes)")
    many = texts("US", bytes(1000))
    assert len(many) == 257
    assert many[-1] == "... (500 values)"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (1e15, "1000000000000000"),
        (1e16, "1e+16"),
        (0.1, "0.1"),
        (math.pi, "3.141592653589793"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_format_double(number: float, text: str) -> None:
    assert format_double(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (16777216.0, "16777216"),
        (3.4028234663852886e38, "3.4028235e+38"),
        (1.401298464324817e-45, "1.4013e-45"),
        (-1.0996704451659234e-35, "-1.09967045e-35"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (-0.0, "-0"),
    ],
)
def test_format_single(number: float, text: str) -> None:
    (single,) = struct.unpack("<f", struct.pack("<f", number))
    assert format_single(single) == text


def test_split_values() -> None:
    assert split_values("", "LO") == []
    assert split_values("\\A", "LO") == ["", "A"]


def test_a_flood_of_values_ends_in_one() -> None:
    for vr in ("LO", "UC"):
        values = split_values("\\" * 1_000_000 + "A", vr)
        assert len(values) == 65_536
        assert "\\".join(values) == "\\" * 1_000_000 + "A"


def test_unpack() -> None:
    assert unpack_numbers("US", b"\1\0\2\0") == (1, 2)
    assert unpack_numbers("US", b"\1") is None
    assert unpack_numbers("US", b"") == ()
    assert unpack_tags(b"\x10\0\x20\0") == (0x00100020,)
    assert unpack_tags(b"\x10\0") is None
