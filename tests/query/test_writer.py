import zlib

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    SYNTAXES,
    TransferSyntax,
)
from asyncfind.query.writer import pad_value, write_item

UNDEFINED = 0xFFFFFFFF


def wire(text: str) -> bytes:
    """Commented hex to bytes."""
    return bytes.fromhex("".join(line.split("#")[0] for line in text.splitlines()))


def item_of(*elements: Element) -> Item:
    return Item({element.tag: element for element in elements})


NAME = Element(0x00100010, "PN", b"DOE^JOHN", 8)
ROWS = Element(0x00280010, "US", b"\x00\x02", 2)
TEXT = Element(0x00400280, "UT", b"ABCD", 4)
STEP = Element(0x00400100, "SQ", [item_of(Element(0x00080060, "CS", b"CT", 2)), Item()], 0)


@pytest.mark.parametrize(
    ("syntax", "expected"),
    [
        (
            EXPLICIT_VR_LITTLE_ENDIAN,
            """
            1000 1000 504E 0800 444F455E4A4F484E    # (0010,0010) PN
            2800 1000 5553 0200 0002                # (0028,0010) US
            4000 0001 5351 0000 1A000000            # (0040,0100) SQ, 26 bytes
              FEFF 00E0 0A000000                    # item, 10 bytes
                0800 6000 4353 0200 4354            # (0008,0060) CS
              FEFF 00E0 00000000                    # item, empty
            4000 8002 5554 0000 04000000 41424344   # (0040,0280) UT
            """,
        ),
        (
            IMPLICIT_VR_LITTLE_ENDIAN,
            """
            1000 1000 08000000 444F455E4A4F484E
            2800 1000 02000000 0002
            4000 0001 1A000000
              FEFF 00E0 0A000000
                0800 6000 02000000 4354
              FEFF 00E0 00000000
            4000 8002 04000000 41424344
            """,
        ),
        (
            EXPLICIT_VR_BIG_ENDIAN,
            """
            0010 0010 504E 0008 444F455E4A4F484E
            0028 0010 5553 0002 0200
            0040 0100 5351 0000 0000001A
              FFFE E000 0000000A
                0008 0060 4353 0002 4354
              FFFE E000 00000000
            0040 0280 5554 0000 00000004 41424344
            """,
        ),
    ],
)
def test_encodings(syntax: TransferSyntax, expected: str) -> None:
    # given in descending order: the writer sorts
    assert write_item(item_of(TEXT, STEP, ROWS, NAME), syntax) == wire(expected)


def test_undefined_lengths() -> None:
    item = item_of(STEP, Element(0x00400360, "SQ", [], 0))
    assert write_item(item, EXPLICIT_VR_LITTLE_ENDIAN, undefined_lengths=True) == wire("""
        4000 0001 5351 0000 FFFFFFFF            # (0040,0100) SQ
          FEFF 00E0 FFFFFFFF                    # item
            0800 6000 4353 0200 4354            # (0008,0060) CS
          FEFF 0DE0 00000000                    # item delimitation
          FEFF 00E0 FFFFFFFF                    # item
          FEFF 0DE0 00000000                    # item delimitation
        FEFF DDE0 00000000                      # sequence delimitation
        4000 6003 5351 0000 FFFFFFFF            # (0040,0360) SQ
        FEFF DDE0 00000000                      # sequence delimitation
    """)


def test_lengths_received_are_not_repeated() -> None:
    step = Element(0x00400100, "SQ", [Item({}, UNDEFINED)], UNDEFINED)
    assert write_item(item_of(step), EXPLICIT_VR_LITTLE_ENDIAN) == wire("""
        4000 0001 5351 0000 08000000 FEFF 00E0 00000000
    """)


def test_an_empty_data_set() -> None:
    for syntax in SYNTAXES.values():
        if not syntax.deflated:
            assert write_item(Item(), syntax) == b""


def test_deflated_is_raw_and_even() -> None:
    plain = write_item(item_of(NAME, STEP), EXPLICIT_VR_LITTLE_ENDIAN)
    lengths = set()
    for level in range(10):
        for length in range(8):
            item = item_of(NAME, STEP, TEXT._replace(value=b"x" * length))
            data = write_item(item, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, deflate_level=level)
            assert len(data) % 2 == 0
            stream = zlib.decompressobj(-15)
            assert stream.decompress(data).startswith(plain)
            assert stream.unused_data in (b"", b"\0")
            lengths.add(len(stream.unused_data))
    assert lengths == {0, 1}


@pytest.mark.parametrize(
    ("vr", "value", "padded"),
    [
        ("LO", b"A", b"A "),
        ("PN", b"A", b"A "),
        ("DA", b"A", b"A "),
        ("UR", b"A", b"A "),
        ("UI", b"1", b"1\0"),
        ("OB", b"\1", b"\1\0"),
        ("UN", b"\1", b"\1\0"),
        ("LO", b"AB", b"AB"),
        ("LO", b"", b""),
    ],
)
def test_padding(vr: str, value: bytes, padded: bytes) -> None:
    assert pad_value(vr, value) == padded
    element = Element(0x00111001, vr, value, len(value))
    assert write_item(item_of(element), IMPLICIT_VR_LITTLE_ENDIAN)[8:] == padded


@pytest.mark.parametrize(("vr", "code"), [("??", "554E"), ("ox", "554E"), ("", "554E")])
def test_a_vr_that_is_none_becomes_unknown(vr: str, code: str) -> None:
    element = Element(0x00111001, vr, b"AB", 2)
    assert write_item(item_of(element), EXPLICIT_VR_LITTLE_ENDIAN) == wire(
        f"1100 0110 {code} 0000 02000000 4142"
    )


def test_a_value_too_long_for_its_vr_becomes_unknown() -> None:
    # "... the largest even length" of 16 bits is 65534 (PS3.5 Section 6.2.2)
    fits = Element(0x00104000, "LT", b"x" * 65534, 0)
    too_long = Element(0x00104000, "LT", b"x" * 65535, 0)
    assert write_item(item_of(fits), EXPLICIT_VR_LITTLE_ENDIAN)[:8] == wire("1000 0040 4C54 FEFF")
    assert write_item(item_of(too_long), EXPLICIT_VR_LITTLE_ENDIAN)[:12] == wire(
        "1000 0040 554E 0000 00000100"
    )
    assert write_item(item_of(too_long), EXPLICIT_VR_BIG_ENDIAN)[:12] == wire(
        "0010 4000 554E 0000 00010000"
    )
    assert write_item(item_of(too_long), IMPLICIT_VR_LITTLE_ENDIAN)[:8] == wire(
        "1000 0040 00000100"
    )


def test_group_lengths_are_calculated_where_present() -> None:
    item = item_of(
        Element(0x00100000, "UL", b"\xff\xff\xff\xff", 4),
        NAME,
        Element(0x00400000, "UL", b"", 0),
        STEP._replace(value=[item_of(Element(0x00080000, "UL", b"", 0), ROWS)]),
        TEXT,
        Element(0x00500000, "UL", b"\1\0\0\0", 4),
    )
    assert write_item(item, EXPLICIT_VR_LITTLE_ENDIAN) == wire("""
        1000 0000 554C 0400 10000000            # (0010,0000) 16 bytes
        1000 1000 504E 0800 444F455E4A4F484E    # (0010,0010) PN
        4000 0000 554C 0400 3A000000            # (0040,0000) 58 bytes
        4000 0001 5351 0000 1E000000            # (0040,0100) SQ, 30 bytes
          FEFF 00E0 16000000                    # item, 22 bytes
            0800 0000 554C 0400 00000000        # (0008,0000) 0 bytes
            2800 1000 5553 0200 0002            # (0028,0010) US
        4000 8002 5554 0000 04000000 41424344   # (0040,0280) UT
        5000 0000 554C 0400 00000000            # (0050,0000) 0 bytes
    """)
    big_endian = write_item(item, EXPLICIT_VR_BIG_ENDIAN)
    assert big_endian[:12] == wire("0010 0000 554C 0004 00000010")


def test_trailing_padding_is_left_out() -> None:
    padding = Element(0xFFFCFFFC, "OB", bytes(16), 16)
    assert write_item(item_of(ROWS, padding), EXPLICIT_VR_LITTLE_ENDIAN) == wire(
        "2800 1000 5553 0200 0002"
    )


def test_encapsulated_pixel_data_stay_in_explicit_little_endian() -> None:
    fragments = bytes.fromhex("FEFF00E000000000 FEFF00E002000000CAFE")
    item = item_of(Element(0x7FE00010, "OB", fragments, UNDEFINED))
    assert write_item(item, EXPLICIT_VR_LITTLE_ENDIAN) == wire("""
        E07F 1000 4F42 0000 FFFFFFFF
          FEFF 00E0 00000000
          FEFF 00E0 02000000 CAFE
        FEFF DDE0 00000000
    """)
    for syntax in (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN):
        with pytest.raises(InvalidRequest, match="encapsulated pixel data") as caught:
            write_item(item, syntax)
        assert caught.value.hint


def test_depth_costs_no_stack() -> None:
    item = Item()
    for _ in range(5000):
        item = item_of(Element(0x00400100, "SQ", [item], 0))
    data = write_item(item, IMPLICIT_VR_LITTLE_ENDIAN)
    assert len(data) == 5000 * 16
    assert data[:8] == wire("4000 0001") + (5000 * 16 - 8).to_bytes(4, "little")
    while item.elements:  # let go of it one by one: freeing is recursive
        (inner,) = item.elements.popitem()[1].value
        assert isinstance(inner, Item)
        item = inner
