import struct
import tracemalloc
import zlib

import pytest

from asyncfind.errors import Kind, MalformedIdentifier
from asyncfind.query.element import Element, Item
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    SYNTAXES,
    TransferSyntax,
)

UNDEFINED = 0xFFFFFFFF

PATIENT = """
    1000 1000 504E 0800 444F455E4A4F484E      # (0010,0010) PN DOE^JOHN
    1000 2000 4C4F 0200 5031                  # (0010,0020) LO P1
"""


def wire(text: str) -> bytes:
    """Commented hex to bytes."""
    return bytes.fromhex("".join(line.split("#")[0] for line in text.splitlines()))


def explicit(text: str) -> Item:
    return read_item(wire(text), EXPLICIT_VR_LITTLE_ENDIAN)


def implicit(text: str) -> Item:
    return read_item(wire(text), IMPLICIT_VR_LITTLE_ENDIAN)


def sequence(item: Item, tag: int) -> list[Item]:
    value = item.elements[tag].value
    assert isinstance(value, list)
    return value


def refusal(data: bytes, syntax: TransferSyntax = EXPLICIT_VR_LITTLE_ENDIAN) -> str:
    with pytest.raises(MalformedIdentifier) as caught:
        read_item(data, syntax)
    assert caught.value.hint
    assert caught.value.kind is Kind.DECODE
    return caught.value.text


def test_explicit_little_endian() -> None:
    assert explicit(PATIENT).elements == {
        0x00100010: Element(0x00100010, "PN", b"DOE^JOHN", 8),
        0x00100020: Element(0x00100020, "LO", b"P1", 2),
    }


def test_headers_met_before_decode_the_same() -> None:
    assert [explicit(PATIENT) for _ in range(3)] == [explicit(PATIENT)] * 3


def test_implicit_takes_the_vr_from_the_dictionary() -> None:
    item = implicit("""
        1000 1000 04000000 444F4520     # (0010,0010) DOE
        2800 1000 02000000 0002         # (0028,0010) 512
        0B00 3412 02000000 4142         # (000b,1234) unknown
    """)
    assert [element[1:] for element in item.elements.values()] == [
        ("PN", b"DOE ", 4),
        ("US", b"\x00\x02", 2),
        ("UN", b"AB", 2),
    ]


def test_big_endian_numbers_come_out_little_endian() -> None:
    item = read_item(
        wire("""
        0010 1020 4453 0002 3120                # (0010,1020) DS
        0028 0010 5553 0002 0200                # (0028,0010) US 512
        0028 1201 4F57 0000 00000004 0102 0304  # (0028,1201) OW
        0040 0100 5351 0000 00000014            # (0040,0100) SQ, 20 bytes
          FFFE E000 0000000C                    # item, 12 bytes
            0028 0009 4154 0004 0018 1063       # (0028,0009) AT (0018,1063)
        """),
        EXPLICIT_VR_BIG_ENDIAN,
    )
    assert item.elements[0x00101020].value == b"1 "
    assert item.elements[0x00280010].value == b"\x00\x02"
    assert item.elements[0x00281201].value == b"\x02\x01\x04\x03"
    (inner,) = sequence(item, 0x00400100)
    assert inner.elements[0x00280009].value == b"\x18\x00\x63\x10"


def test_an_empty_data_set() -> None:
    for syntax in SYNTAXES.values():
        assert read_item(b"", syntax) == Item()


def test_sequence_of_defined_length() -> None:
    item = explicit("""
        4000 0001 5351 0000 1A000000        # (0040,0100) SQ, 26 bytes
          FEFF 00E0 0A000000                # item, 10 bytes
            0800 6000 4353 0200 4354        # (0008,0060) CS CT
          FEFF 00E0 00000000                # item, empty
        4000 0110 5348 0200 5031            # (0040,1001) SH P1
    """)
    assert item.elements[0x00400100].length == 26
    assert sequence(item, 0x00400100) == [
        Item({0x00080060: Element(0x00080060, "CS", b"CT", 2)}, 10),
        Item({}, 0),
    ]
    assert item.elements[0x00401001].value == b"P1"


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
def test_sequences_of_undefined_length_within_each_other(syntax: TransferSyntax) -> None:
    vr = "5351 0000" if syntax.explicit else ""
    code = "4353 0200" if syntax.explicit else "02000000"
    item = read_item(
        wire(f"""
        4000 0001 {vr} FFFFFFFF             # (0040,0100) SQ, undefined
          FEFF 00E0 FFFFFFFF                # item, undefined
            4000 0800 {vr} FFFFFFFF         # (0040,0008) SQ, undefined
              FEFF 00E0 FFFFFFFF            # item, undefined
                0800 6000 {code} 4354       # (0008,0060) CT
              FEFF 0DE0 00000000            # item delimitation
            FEFF DDE0 00000000              # sequence delimitation
            4000 0700 {code} 4142           # (0040,0007)
          FEFF 0DE0 00000000                # item delimitation
          FEFF 00E0 00000000                # item, empty
        FEFF DDE0 00000000                  # sequence delimitation
        """),
        syntax,
    )
    assert item.elements[0x00400100].length == UNDEFINED
    outer, empty = sequence(item, 0x00400100)
    assert outer.length == UNDEFINED
    assert empty == Item({}, 0)
    assert outer.elements[0x00400007].value == b"AB"
    (inner,) = sequence(outer, 0x00400008)
    assert inner.elements[0x00080060].value == b"CT"


def test_empty_sequences() -> None:
    item = explicit("""
        4000 0001 5351 0000 00000000                        # (0040,0100) SQ, no item
        4000 6003 5351 0000 FFFFFFFF FEFF DDE0 00000000     # (0040,0360) SQ, undefined, no item
    """)
    assert sequence(item, 0x00400100) == []
    assert sequence(item, 0x00400360) == []


def test_superfluous_delimiters_are_harmless() -> None:
    item = explicit("""
        4000 0001 5351 0000 22000000        # (0040,0100) SQ, 34 bytes
          FEFF 00E0 12000000                # item, 18 bytes
            0800 6000 4353 0200 4354        # (0008,0060) CS CT
            FEFF 0DE0 00000000              # item delimitation, inside the item's length
          FEFF DDE0 00000000                # sequence delimitation, inside the sequence's
        1000 2000 4C4F 0200 5031            # (0010,0020) LO P1
    """)
    (inner,) = sequence(item, 0x00400100)
    assert inner.elements[0x00080060].value == b"CT"
    assert item.elements[0x00100020].value == b"P1"


def test_unknown_of_undefined_length_is_an_implicit_sequence() -> None:
    item = explicit("""
        0900 0210 554E 0000 FFFFFFFF        # (0009,1002) UN, undefined
          FEFF 00E0 FFFFFFFF                # item, undefined
            0800 6000 02000000 4354         # (0008,0060) in implicit VR
            4000 0001 08000000              # (0040,0100), a sequence by the dictionary
              FEFF 00E0 00000000            # item, empty
          FEFF 0DE0 00000000
        FEFF DDE0 00000000
        1000 2000 4C4F 0200 5031            # (0010,0020) explicit again
    """)
    assert item.elements[0x00091002].vr == "SQ"
    (inner,) = sequence(item, 0x00091002)
    assert inner.elements[0x00080060] == Element(0x00080060, "CS", b"CT", 2)
    assert sequence(inner, 0x00400100) == [Item({}, 0)]
    assert item.elements[0x00100020].value == b"P1"


def test_unknown_in_big_endian_is_still_implicit_little_endian() -> None:
    item = read_item(
        wire("""
        0009 1002 554E 0000 FFFFFFFF        # (0009,1002) UN, undefined, big endian
          FEFF 00E0 0A000000                # item, little endian
            2800 1000 02000000 0002         # (0028,0010) 512
          FEFF DDE0 00000000
        0010 0020 4C4F 0002 5031            # (0010,0020) big endian again
        """),
        EXPLICIT_VR_BIG_ENDIAN,
    )
    (inner,) = sequence(item, 0x00091002)
    assert inner.elements[0x00280010].value == b"\x00\x02"
    assert item.elements[0x00100020].value == b"P1"


def test_unknown_of_defined_length_stays_bytes() -> None:
    item = explicit("0900 0210 554E 0000 08000000 FEFF 00E0 00000000")
    assert item.elements[0x00091002] == Element(
        0x00091002, "UN", bytes.fromhex("FEFF00E000000000"), 8
    )


def test_any_undefined_length_is_a_sequence_in_implicit() -> None:
    item = implicit("0900 0210 FFFFFFFF FEFF 00E0 00000000 FEFF DDE0 00000000")
    assert item.elements[0x00091002].vr == "SQ"


def test_encapsulated_pixel_data_is_kept_as_bytes() -> None:
    item = explicit("""
        E07F 1000 4F42 0000 FFFFFFFF        # (7fe0,0010) OB, undefined
          FEFF 00E0 00000000                # offset table
          FEFF 00E0 02000000 CAFE           # fragment
        FEFF DDE0 00000000                  # sequence delimitation
    """)
    assert item.elements[0x7FE00010] == Element(
        0x7FE00010, "OB", bytes.fromhex("FEFF00E000000000 FEFF00E002000000CAFE"), UNDEFINED
    )


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("5A5A 0200", b"AB"),  # ZZ with a 16-bit length
        ("3F3F 0200", b"AB"),  # ??
        ("0000 0200", b"AB"),
        ("2020 0200", b"AB"),
        ("5A5A 0000 02000000", b"AB"),  # ZZ with a 32-bit length, as new VRs have
    ],
)
def test_a_vr_that_is_none_is_read_as_unknown(header: str, value: bytes) -> None:
    data = wire(f"0900 0110 {header} 4142 {PATIENT}")
    for _ in range(2):  # what was met once must not be guessed differently
        item = read_item(data, EXPLICIT_VR_LITTLE_ENDIAN)
        assert item.elements[0x00091001] == Element(0x00091001, "UN", value, 2)
        assert item.elements[0x00100020].value == b"P1"


def test_an_unknown_vr_without_value_swallows_no_neighbour() -> None:
    item = explicit(f"0900 0110 5A5A 0000 {PATIENT}")
    assert item.elements[0x00091001] == Element(0x00091001, "UN", b"", 0)
    assert item.elements[0x00100020].value == b"P1"
    # with more bytes behind, the same header is one of a 32-bit length
    assert explicit("0900 0110 5A5A 0000 02000000 4142").elements[0x00091001].value == b"AB"


def test_the_first_of_two_elements_wins() -> None:
    item = explicit("""
        1000 2000 4C4F 0200 5031            # (0010,0020) LO P1
        1000 2000 4C4F 0200 5032            # (0010,0020) LO P2
        4000 0001 5351 0000 08000000 FEFF 00E0 00000000
        4000 0001 5351 0000 00000000        # (0040,0100) again, empty
        1000 1000 504E 0200 4142            # descending
        1000 2000 4C4F 0200 5033            # (0010,0020) LO P3
    """)
    assert item.elements[0x00100020].value == b"P1"
    assert sequence(item, 0x00400100) == [Item({}, 0)]
    assert list(item.elements) == [0x00100020, 0x00400100, 0x00100010]


def test_groups_of_command_and_meta_information_are_ordinary() -> None:
    item = explicit("""
        0000 0009 5553 0200 00FF            # (0000,0900) US
        0200 1000 5549 0200 3100            # (0002,0010) UI 1
    """)
    assert list(item.elements) == [0x00000900, 0x00020010]


def test_odd_lengths_pass() -> None:
    assert explicit("1000 2000 4C4F 0300 414243").elements[0x00100020].value == b"ABC"


def test_deflated() -> None:
    # deflate of PATIENT, made with zlib's own tool chain and not with ours
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = stream.compress(wire(PATIENT)) + stream.flush()
    for padded in (data, data + b"\0"):
        assert read_item(padded, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN) == explicit(PATIENT)


def test_deflated_stored_block() -> None:
    body = "1000 2000 4C4F 0200 5031"
    data = wire(f"01 0A00 F5FF {body}")  # final stored block of 10 bytes (RFC 1951 3.2.4)
    assert read_item(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN) == explicit(body)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("01 0A00 F5FF 1000 2000 4C4F 0200", "end too early"),
        ("00 0A00 F5FF 1000 2000 4C4F 0200 5031", "end too early"),
        ("07", "not deflated"),
        ("01 0A00 0000 1000", "not deflated"),
        ("01 0A00 F5FF 1000 2000 4C4F 0200 5031 0000", "2 bytes after the end"),
        ("01 0A00 F5FF 1000 2000 4C4F 0200 5031 01", "1 bytes after the end"),
    ],
)
def test_damaged_deflated_data(data: str, found: str) -> None:
    assert found in refusal(wire(data), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_bomb_is_stopped_at_the_limit() -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join([stream.compress(bytes(1 << 20)) for _ in range(64)]) + stream.flush()
    tracemalloc.start()
    with pytest.raises(MalformedIdentifier) as caught:
        read_item(bomb, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, max_inflated=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.kind is Kind.LIMIT
    assert "1048576 bytes" in caught.value.text
    assert peak < 4 << 20


def test_the_inflated_limit_itself_is_legal() -> None:
    data = wire("01 0A00 F5FF 1000 2000 4C4F 0200 5031")
    item = read_item(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, max_inflated=10)
    assert len(item.elements) == 1
    with pytest.raises(MalformedIdentifier):
        read_item(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, max_inflated=9)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("1000 2000 4C4F 02", "a header cut off after 7 bytes (offset 0)"),
        (
            "1000 2000 4C4F 0400 5031",
            "a value of 4 bytes where 2 are left (offset 0 in (0010,0020))",
        ),
        (
            "1000 2000 4C4F FFFF 5031",
            "a value of 65535 bytes where 2 are left (offset 0 in (0010,0020))",
        ),
        (
            "1000 2000 5554 0000 FEFFFFFF 5031",
            "a value of 4294967294 bytes where 2 are left (offset 0 in (0010,0020))",
        ),
        ("1000 2000 5554 0000 0000", "header cut off after 10 bytes (offset 0 in (0010,0020))"),
        ("1000 2000 5554 0000 FFFFFFFF", "an undefined length with VR UT"),
        ("FEFF 00E0 00000000", "an item or delimiter where an element must begin"),
        ("FEFF 0DE0 00000000", "an item or delimiter where an element must begin"),
        ("4000 0001 5351 0000 10000000 FEFF 00E0", "a value of 16 bytes where 4 are left"),
        ("4000 0001 5351 0000 04000000 FEFF 00E0", "a header cut off after 4 bytes"),
        ("4000 0001 5351 0000 FFFFFFFF", "the end where a delimiter is missing"),
        (
            "4000 0001 5351 0000 FFFFFFFF FEFF 00E0 FFFFFFFF",
            "the end where a delimiter is missing (offset 20 in (0040,0100)[0])",
        ),
        (
            "4000 0001 5351 0000 08000000 FEFF 00E0 01000000 00",
            "an item of 1 bytes where 0 are left (offset 12 in (0040,0100)[0])",
        ),
        (
            "4000 0001 5351 0000 0A000000 0800 6000 4353 0200 4354",
            "(0008,0060) where an item must begin (offset 12 in (0040,0100)[0])",
        ),
        (  # an item delimiter that is not at the end of an item of defined length
            """4000 0001 5351 0000 1A000000 FEFF 00E0 12000000
            FEFF 0DE0 00000000 0800 6000 4353 0200 4354""",
            "an item or delimiter where an element must begin",
        ),
        (  # a sequence delimiter that is not at the end of a sequence of defined length
            "4000 0001 5351 0000 10000000 FEFF DDE0 00000000 FEFF 00E0 00000000",
            "(fffe,e0dd) where an item must begin",
        ),
        (  # an element larger than its item, though not than the data set
            """4000 0001 5351 0000 12000000 FEFF 00E0 0A000000 0800 6000 4353 0400 4354
            1000 2000 4C4F 0200 5031""",
            "a value of 4 bytes where 2 are left (offset 20 in (0040,0100)[0].(0008,0060))",
        ),
        ("E07F 1000 4F42 0000 FFFFFFFF FEFF 00E0 04000000 CAFE", "a broken fragment"),
        ("E07F 1000 4F42 0000 FFFFFFFF FEFF 0DE0 00000000", "a broken fragment"),
        ("E07F 1000 4F42 0000 FFFFFFFF FEFF", "a header cut off after 2 bytes"),
    ],
)
def test_refusals(data: str, found: str) -> None:
    for _ in range(2):
        assert found in refusal(wire(data))


def test_no_encapsulated_pixel_data_in_big_endian() -> None:
    data = wire("7FE0 0010 4F42 0000 FFFFFFFF FFFE E0DD 00000000")
    assert "an undefined length with VR OB" in refusal(data, EXPLICIT_VR_BIG_ENDIAN)


OPEN_UNDEFINED = wire("4000 0001 5351 0000 FFFFFFFF FEFF 00E0 FFFFFFFF")
CLOSE_UNDEFINED = wire("FEFF 0DE0 00000000 FEFF DDE0 00000000")


@pytest.mark.parametrize("undefined", [True, False])
def test_64_sequences_within_each_other_and_no_more(undefined: bool) -> None:
    def nested(depth: int) -> bytes:
        if undefined:
            return OPEN_UNDEFINED * depth + CLOSE_UNDEFINED * depth
        data = b""
        for _ in range(depth):
            item = wire("FEFF 00E0") + struct.pack("<I", len(data)) + data
            data = wire("4000 0001 5351 0000") + struct.pack("<I", len(item)) + item
        return data

    item = read_item(nested(64), EXPLICIT_VR_LITTLE_ENDIAN)
    for _ in range(64):
        (item,) = sequence(item, 0x00400100)
    assert not item.elements
    text = refusal(nested(65))
    assert "more than 64 sequences within each other" in text


def test_the_message_does_not_grow_with_depth_or_length() -> None:
    shallow = refusal(OPEN_UNDEFINED * 65)
    deep = refusal(OPEN_UNDEFINED * 20_000)
    assert shallow == deep
    assert len(deep) < 300
    assert deep.count("(0040,0100)") == 8
    assert "...(0040,0100)[0].(0040,0100)[0]" in deep


def test_elements_and_items_are_counted_together() -> None:
    three = wire(PATIENT + "4000 0001 5351 0000 08000000 FEFF 00E0 00000000")
    item = read_item(three, EXPLICIT_VR_LITTLE_ENDIAN, max_elements=4)
    assert len(item.elements) == 3
    for limit in (3, 2, 1, 0):
        with pytest.raises(MalformedIdentifier, match=f"more than {limit} elements"):
            read_item(three, EXPLICIT_VR_LITTLE_ENDIAN, max_elements=limit)


def test_a_flood_of_empty_items_ends_at_the_limit() -> None:
    flood = wire("4000 0001 5351 0000 FFFFFFFF") + wire("FEFF 00E0 00000000") * 200_001
    assert "more than 200000 elements" in refusal(flood)


def test_more_different_headers_than_are_remembered() -> None:
    data = b"".join([struct.pack("<HH2sHH", 0x0011, n, b"US", 2, n) for n in range(1, 5000)])
    for _ in range(2):
        item = read_item(data, EXPLICIT_VR_LITTLE_ENDIAN)
        assert len(item.elements) == 4999
        assert item.elements[0x00110005].value == b"\x05\x00"
