"""Query files: what they may be, and what is said of those that are none."""

import json
import zlib
from pathlib import Path

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import Item
from asyncfind.query.files import read_query_file

EXPLICIT = bytes.fromhex(
    "08005200 4353 0600 535455445920"  # (0008,0052) CS "STUDY "
    "28001000 5553 0200 0002"  # (0028,0010) US 512
    "40000001 5351 0000 12000000"  # (0040,0100) SQ, 18 bytes
    "feff00e0 0a000000"  # an item of 10 bytes
    "08006000 4353 0200 4354"  # (0008,0060) CS "CT"
)
IMPLICIT = bytes.fromhex(
    "08005200 06000000 535455445920"
    "28001000 02000000 0002"
    "40000001 12000000"
    "feff00e0 0a000000"
    "08006000 02000000 4354"
)
BIG_ENDIAN = bytes.fromhex(
    "00080052 4353 0006 535455445920"
    "00280010 5553 0002 0200"
    "00400100 5351 0000 00000012"
    "fffee000 0000000a"
    "00080060 4353 0002 4354"
)
STREAM = zlib.compressobj(wbits=-15)
DEFLATED = STREAM.compress(EXPLICIT) + STREAM.flush()

IMPLICIT_UID = b"1.2.840.10008.1.2\0"
EXPLICIT_UID = b"1.2.840.10008.1.2.1\0"
DEFLATED_UID = b"1.2.840.10008.1.2.1.99"
BIG_ENDIAN_UID = b"1.2.840.10008.1.2.2\0"
JPEG_UID = b"1.2.840.10008.1.2.4.50"

PREAMBLE = bytes(128) + b"DICM"
HINT = "A query file is a DICOM file, a bare data set or DICOM JSON (PS3.18 Annex F)."
DAMAGED = "The file is cut off or damaged: copy or make it again."


def meta(uid: bytes, length: int | None = None) -> bytes:
    """File Meta Information of version and transfer syntax (left out where empty)."""
    rest = bytes.fromhex("02000100 4f42 0000 02000000 0001")  # (0002,0001) OB 00\01
    if uid:
        rest += b"\x02\x00\x10\x00UI" + len(uid).to_bytes(2, "little") + uid
    size = len(rest) if length is None else length
    return bytes.fromhex("02000000 554c 0400") + size.to_bytes(4, "little") + rest


def read(tmp_path: Path, data: bytes) -> Item:
    """What a file of these bytes is read as."""
    path = tmp_path / "q"
    path.write_bytes(data)
    return read_query_file(path)


def refusal(tmp_path: Path, data: bytes) -> tuple[str, str]:
    """Text without the file's name, and hint, of the error for a file of these bytes."""
    with pytest.raises(InvalidRequest) as caught:
        read(tmp_path, data)
    prefix = f"query file {tmp_path / 'q'}: "
    assert caught.value.text.startswith(prefix)
    return caught.value.text.removeprefix(prefix), caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PREAMBLE + meta(IMPLICIT_UID) + IMPLICIT, id="implicit"),
        pytest.param(PREAMBLE + meta(EXPLICIT_UID) + EXPLICIT, id="explicit"),
        pytest.param(PREAMBLE + meta(BIG_ENDIAN_UID) + BIG_ENDIAN, id="big endian"),
        pytest.param(PREAMBLE + meta(DEFLATED_UID) + DEFLATED, id="deflated"),
        pytest.param(meta(EXPLICIT_UID) + EXPLICIT, id="no preamble"),
        pytest.param(PREAMBLE + EXPLICIT, id="no meta"),
        pytest.param(PREAMBLE + meta(b"") + IMPLICIT, id="meta names no syntax"),
        pytest.param(PREAMBLE + meta(EXPLICIT_UID, 0xFFFF) + EXPLICIT, id="group length too long"),
        pytest.param(PREAMBLE + meta(EXPLICIT_UID)[12:] + EXPLICIT, id="no group length"),
        pytest.param(
            PREAMBLE + bytes.fromhex("02001000 14000000") + EXPLICIT_UID + EXPLICIT,
            id="meta in implicit VR",
        ),
        pytest.param(EXPLICIT, id="bare explicit"),
        pytest.param(IMPLICIT, id="bare implicit"),
        pytest.param(BIG_ENDIAN, id="bare big endian"),
        pytest.param(PREAMBLE + meta(JPEG_UID) + EXPLICIT, id="JPEG without pixel data"),
        pytest.param(
            b"""{"QueryRetrieveLevel": {"Value": ["STUDY"]}, "00280010": {"Value": [512]},
            "00400100": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}]}}""",
            id="JSON",
        ),
    ],
)
def test_one_query_in_many_kinds_of_file(tmp_path: Path, data: bytes) -> None:
    item = read(tmp_path, data)
    found = {tag: element.value for tag, element in item.elements.items()}
    (inner,) = found.pop(0x00400100)
    assert isinstance(inner, Item)
    assert found == {0x00080052: b"STUDY ", 0x00280010: b"\x00\x02"}
    assert inner.elements[0x00080060].value == b"CT"
    vrs = {tag: element.vr for tag, element in item.elements.items()}
    assert vrs == {0x00080052: "CS", 0x00280010: "US", 0x00400100: "SQ"}


@pytest.mark.parametrize(
    ("head", "tag"),
    [
        ("0900 1000 4c4f 0200 4142", 0x00090010),  # a private creator, explicit
        ("0900 1000 02000000 4142", 0x00090010),
        ("0009 0010 4c4f 0002 4142", 0x00090010),  # big endian
        ("0800 0000 04000000 00000000", 0x00080000),  # a group length
        ("0a00 0000 554c 0400 00000000", 0x000A0000),  # of a group that is unknown
        ("0800 9999 4c4f 0200 4142", 0x00089999),  # unknown, but the VR is one
        ("2000 0d00 04000000 312e3200", 0x0020000D),  # begins with a blank
    ],
)
def test_the_first_element_tells_how_a_bare_data_set_is_encoded(
    tmp_path: Path, head: str, tag: int
) -> None:
    assert list(read(tmp_path, bytes.fromhex(head)).elements) == [tag]


def test_meta_information_ends_where_its_length_says(tmp_path: Path) -> None:
    # A deflated stream may begin with the bytes of group 0002. This one is damaged, and it is the
    # stream that is, not the meta information.
    stream = b"\x02\x00" + bytes(14)
    text, _ = refusal(tmp_path, PREAMBLE + meta(DEFLATED_UID) + stream)
    assert "Deflated Explicit VR Little Endian" in text


def test_json_may_have_a_byte_order_mark_and_be_a_list_of_one(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf\r\n [" + json.dumps({"PatientName": {}}).encode() + b"]"
    assert list(read(tmp_path, data).elements) == [0x00100010]


PIXELS = bytes.fromhex(
    "e07f1000 4f42 0000 ffffffff feff00e0 00000000 feff00e0 02000000 0102 feffdde0 00000000"
)


@pytest.mark.parametrize(
    ("data", "text", "hint"),
    [
        (b"", "empty", HINT),
        (b"hello, world", "no DICOM file", HINT),
        (b"DICM", "no DICOM file", HINT),
        (bytes.fromhex("89504e470d0a1a0a0000000d49484452"), "no DICOM file", HINT),  # PNG
        (
            b"(0008,0052) CS [STUDY]\n",
            "no DICOM file",
            "It looks like a dump: make a DICOM file of it with dump2dcm.",
        ),
        (
            b"# Dicom-Data-Set\n",
            "no DICOM file",
            "It looks like a dump: make a DICOM file of it with dump2dcm.",
        ),
        (
            b"<?xml version='1.0'?>",
            "no DICOM file",
            "It looks like XML: make a DICOM file of it with xml2dcm.",
        ),
        (
            '{"PatientName": {}}'.encode("utf-16"),
            "no DICOM file",
            "It looks like UTF-16 text: save it as UTF-8.",
        ),
        (
            bytes.fromhex("00080052 00000006 535455445920"),
            "looks like Implicit VR Big Endian, which is no transfer syntax",
            "Convert it to Explicit VR Little Endian.",
        ),
        (PREAMBLE, "holds no elements", "Make a file with at least one key."),
        (PREAMBLE + meta(EXPLICIT_UID), "holds no elements", "Make a file with at least one key."),
        (b"{}", "holds no elements", "Make a file with at least one key."),
        (PREAMBLE + meta(EXPLICIT_UID)[:-1], "cut off in its File Meta Information", DAMAGED),
        (PREAMBLE + meta(EXPLICIT_UID)[:17], "cut off in its File Meta Information", DAMAGED),
        (
            PREAMBLE + meta(b"1.2.840.113619.5.2") + IMPLICIT,
            "in transfer syntax 1.2.840.113619.5.2, which is not supported",
            "Convert it to Explicit VR Little Endian.",
        ),
        (
            PREAMBLE + meta(b"\x1b[31m\xff") + IMPLICIT,
            "in transfer syntax \\x1b[31mÿ, which is not supported",
            "Convert it to Explicit VR Little Endian.",
        ),
        (
            PREAMBLE + meta(JPEG_UID) + EXPLICIT + PIXELS,
            "holds compressed pixel data",
            "A query needs keys alone: leave PixelData out.",
        ),
        (
            bytes.fromhex("00000001 02000000 2000"),
            "holds (0000,0100), which is no part of a data set",
            "Leave the elements of groups 0000, 0002 and FFFE out.",
        ),
        (
            b'{"00020010": {"vr": "UI"}}',
            "holds (0002,0010), which is no part of a data set",
            "Leave the elements of groups 0000, 0002 and FFFE out.",
        ),
        (b'{"00100010":', "no JSON: Expecting value (line 1, column 13)", HINT),
        (b'{"Rows": {"Value": [NaN]}}', "no JSON: NaN is no number of JSON", HINT),
        (
            b'{"PatientID": {"Value": ["\xff"]}}',
            "no JSON: byte 26 is not UTF-8",
            "JSON has to be UTF-8 (RFC 8259).",
        ),
        (b"[" * 100_000, "nested too deeply", "Sequences nest at most 64 levels."),
        (
            b'{"00100010": {}, "00100010": {}}',
            "DICOM JSON query: 00100010: given twice",
            "Keep one of them.",
        ),
        (b'{"PatientID": []}', None, None),
        (b"[1" + b"0" * 5000 + b"]", None, HINT),
    ],
)
def test_what_is_no_query_file_is_refused_with_advice(
    tmp_path: Path, data: bytes, text: str | None, hint: str | None
) -> None:
    found = refusal(tmp_path, data)
    assert text is None or found[0] == text
    assert hint is None or found[1] == hint


@pytest.mark.parametrize("data", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_a_file_cut_off_anywhere_is_refused_or_has_whole_elements(
    tmp_path: Path, data: bytes
) -> None:
    whole = (0, 14, 24)  # between elements
    for size in range(len(data)):
        if size in whole[1:]:
            read(tmp_path, data[:size])
        else:
            text, hint = refusal(tmp_path, data[:size])
            assert size < 8 or ("cannot be decoded" in text and hint == DAMAGED)


def test_pixel_data_in_an_item_is_found(tmp_path: Path) -> None:
    inner = b"\xfe\xff\x00\xe0" + len(PIXELS).to_bytes(4, "little") + PIXELS
    sequence = b"\x40\x00\x00\x01SQ\0\0" + len(inner).to_bytes(4, "little") + inner
    assert refusal(tmp_path, sequence)[0] == "holds compressed pixel data"


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "q"
    with path.open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(InvalidRequest, match="larger than 16 MiB"):
        read_query_file(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read: No such file") as caught:
        read_query_file(tmp_path / "no\x1bne")
    assert "no\\x1bne" in caught.value.text
    assert caught.value.hint == "Check its name and permissions."


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read: Is a directory") as caught:
        read_query_file(tmp_path)
    assert caught.value.hint == "Name the files in it."
