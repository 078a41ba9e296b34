"""DICOM files of responses: byte for byte as findscu 3.6.7 writes them, or the bytes received."""

import zlib
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import Element, Item
from asyncfind.query.part10 import encode_part10, encode_received, valid_vr
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    SYNTAXES,
    TransferSyntax,
)

_GOLDEN = Path(__file__).parent / "data" / "extract"
_CLASS = "1.2.276.0.7230010.3.0.3.6.7"
_VERSION = "OFFIS_DCMTK_367"
_META_START = 144


def _encode(
    item: Item, syntax: TransferSyntax = EXPLICIT_VR_LITTLE_ENDIAN, *, instance: str | None = "1.9"
) -> bytes:
    return encode_part10(
        item,
        syntax,
        implementation_class_uid=_CLASS,
        implementation_version_name=_VERSION,
        instance_uid=instance,
    )


def _item(*elements: tuple[int, str, bytes | list[Item]]) -> Item:
    return Item({tag: Element(tag, vr, value, 0) for tag, vr, value in elements})


def _uids(file: bytes) -> tuple[str, str]:
    meta = dcmread(BytesIO(file)).file_meta
    return str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID)


def test_a_response_with_every_vr_is_the_file_that_findscu_wrote() -> None:
    identifier = (_GOLDEN / "every-vr.identifier").read_bytes()
    item = read_item(identifier, EXPLICIT_VR_LITTLE_ENDIAN)
    assert _encode(item) == (_GOLDEN / "every-vr.dcm").read_bytes()


def test_a_worklist_entry_has_no_uids_and_gets_a_generic_class() -> None:
    expected = (_GOLDEN / "worklist.dcm").read_bytes()
    instance = str(dcmread(BytesIO(expected)).file_meta.MediaStorageSOPInstanceUID)
    identifier = (_GOLDEN / "worklist.identifier").read_bytes()
    item = read_item(identifier, EXPLICIT_VR_LITTLE_ENDIAN)
    assert _encode(item, instance=instance) == expected
    assert _uids(expected)[0] == "1.2.276.0.7230010.3.1.0.1"


def test_without_an_instance_uid_each_file_gets_a_new_one() -> None:
    item = _item((0x00100020, "LO", b"A"))
    first, second = (_uids(_encode(item, instance=None))[1] for _ in range(2))
    assert first != second
    assert first.startswith("2.25.")
    assert len(first) <= 64


@pytest.mark.parametrize(
    ("elements", "uids"),
    [
        ([(0x00080016, "UI", b"1.2\0"), (0x00080018, "UI", b"1.3\0")], (b"1.2\0", b"1.3\0")),
        # what is there is copied, be it no UID at all
        ([(0x00080016, "UI", b"ab c"), (0x00080018, "UI", b"1\\2 ")], (b"ab c", b"1\\2 ")),
        ([(0x00080016, "UI", b""), (0x00080018, "UI", b"1.3 \0\0")], (b"", b"1.3 ")),
        # another VR is no UID
        ([(0x00080018, "LO", b"1.3 ")], (b"1.2.276.0.7230010.3.1.0.1\0", b"1.9\0")),
        ([(0x00080018, "UN", b"1.3\0")], (b"1.2.276.0.7230010.3.1.0.1\0", b"1.9\0")),
        # DCMTK looks into sequences that come before, and takes what it finds there
        (
            [
                (0x00080006, "SQ", [_item((0x00080018, "UI", b"1.4\0"))]),
                (0x00080018, "UI", b"1.3\0"),
            ],
            (b"1.2.276.0.7230010.3.1.0.1\0", b"1.4\0"),
        ),
        (
            [
                (0x00080018, "UI", b"1.3\0"),
                (0x00081110, "SQ", [Item(), _item((0x00080016, "UI", b"1.5\0"))]),
            ],
            (b"1.5\0", b"1.3\0"),
        ),
    ],
)
def test_uids_of_the_head(
    elements: list[tuple[int, str, bytes | list[Item]]], uids: tuple[bytes, bytes]
) -> None:
    meta = _encode(_item(*elements))[_META_START:]
    head = bytes.fromhex("02000100 4f42 0000 02000000 0001")
    for number, uid in zip((2, 3), uids, strict=True):
        head += b"\x02\0" + bytes([number, 0]) + b"UI" + len(uid).to_bytes(2, "little") + uid
    assert meta.startswith(head + bytes.fromhex("02001000 5549 1400") + b"1.2.840.10008.1.2.1\0")


def _everything() -> Item:
    """Sequences of known length, group lengths that are wrong, and trailing padding."""
    inner = _item((0x00080000, "UL", b"\x09\0\0\0"), (0x00080060, "CS", b"CT"))
    return _item(
        (0x00080000, "UL", b"\x09\0\0\0"),
        (0x00080018, "UI", b"1.3\0"),
        (0x00081110, "SQ", [inner, Item()]),
        (0xFFFCFFFC, "OB", b"\0\0\0"),
    )


def test_sequences_have_undefined_lengths_and_group_lengths_are_right() -> None:
    data = _encode(_everything())
    body = data[data.index(b"OFFIS_DCMTK_367 ") + 16 :]
    assert body == bytes.fromhex(
        "08000000 554c 0400 56000000"  # (0008,0000): what follows of the group, 86 bytes
        "08001800 5549 0400 312e3300"
        "08001011 5351 0000 ffffffff"
        "feff00e0 ffffffff"
        "08000000 554c 0400 0a000000"
        "08006000 4353 0200 4354"
        "feff0de0 00000000"
        "feff00e0 ffffffff"
        "feff0de0 00000000"
        "feffdde0 00000000"
        "fcfffcff 4f42 0000 04000000 00000000"
    )


def test_implicit_vr_and_big_endian_keep_their_padding_too() -> None:
    little = _encode(_everything(), IMPLICIT_VR_LITTLE_ENDIAN)
    assert little.endswith(bytes.fromhex("feffdde0 00000000 fcfffcff 04000000 00000000"))
    big = _encode(_everything(), EXPLICIT_VR_BIG_ENDIAN)
    assert big.endswith(bytes.fromhex("fffee0dd 00000000 fffcfffc 4f42 0000 00000004 00000000"))


def test_a_deflated_response_stays_deflated_padding_included() -> None:
    plain = _encode(_everything())
    body = plain[plain.index(b"OFFIS_DCMTK_367 ") + 16 :]
    deflated = _encode(_everything(), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    packed = deflated[deflated.index(b"OFFIS_DCMTK_367 ") + 16 :]
    assert packed != body
    assert zlib.decompress(packed, -zlib.MAX_WBITS) == body


def test_vrs_of_dcmtk_s_own_become_valid_ones() -> None:
    assert [valid_vr(vr) for vr in ("xs", "ox", "px", "lt", "up", "??", "US", "SQ")] == [
        *("US", "OB", "OB", "OW", "UL", "UN", "US", "SQ")
    ]
    inner = _item((0x00091001, "??", b"ab"))
    data = _encode(_item((0x00081110, "SQ", [inner]), (0x00280106, "xs", b"\1\0")))
    assert bytes.fromhex("09000110 554e 0000 02000000 6162") in data
    assert data.endswith(bytes.fromhex("28000601 5553 0200 0100"))


def test_encapsulated_pixel_data_has_no_place_in_other_syntaxes() -> None:
    pixels = Item({0x7FE00010: Element(0x7FE00010, "OB", b"", 0xFFFFFFFF)})
    with pytest.raises(InvalidRequest, match="encapsulated"):
        _encode(pixels, IMPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=lambda one: one.uid)
def test_a_file_as_received_keeps_every_byte(syntax: TransferSyntax) -> None:
    identifier = b"\x08\0\x18\0" + bytes(range(200))  # nothing that could be decoded
    file = encode_received(
        identifier,
        syntax,
        implementation_class_uid="2.25.1",
        implementation_version_name="OURS",
        instance_uid="1.9",
    )
    assert file.endswith(identifier)
    head = dcmread(BytesIO(file[: -len(identifier)]))
    assert head.preamble == bytes(128)
    assert head.file_meta.TransferSyntaxUID == syntax.uid
    assert head.file_meta.ImplementationClassUID == "2.25.1"
    assert head.file_meta.ImplementationVersionName == "OURS"
    assert head.file_meta.MediaStorageSOPInstanceUID == "1.9"
    assert (
        head.file_meta.FileMetaInformationGroupLength == len(file) - len(identifier) - _META_START
    )


def test_a_file_as_received_takes_its_uids_from_its_own_level_only() -> None:
    item = _item(
        (0x00080006, "SQ", [_item((0x00080016, "UI", b"1.4\0"))]), (0x00080018, "UI", b"1.3\0")
    )
    file = encode_received(
        b"",
        EXPLICIT_VR_LITTLE_ENDIAN,
        item,
        implementation_class_uid="2.25.1",
        implementation_version_name="OURS",
    )
    assert _uids(file) == ("1.2.276.0.7230010.3.1.0.1", "1.3")
