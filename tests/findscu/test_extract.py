"""Responses in files, and what is said of them."""

from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import pytest

from asyncfind.findscu.dataset import Words
from asyncfind.findscu.extract import Extractor
from asyncfind.findscu.settings import Settings
from asyncfind.logs.levels import Level
from asyncfind.logs.logger import default_logs
from asyncfind.query.element import Element, Item
from asyncfind.query.models import model_of
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN

_SET = "D: DcmSpecificCharacterSet:"
_CHECK = "D: DcmFileFormat::checkMetaHeaderValue()"


class Log(Protocol):
    voice: Any
    lines: list[str]


class _Extracts:
    def __init__(self, folder: Path, log: Log, words: Words) -> None:
        self._folder = folder
        self.log = log
        self._words = words

    def __call__(self, **settings: Any) -> Extractor:
        given: dict[str, Any] = {"extract": "dicom", "directory": str(self._folder)} | settings
        all_settings = Settings(
            logs=default_logs(Level.OFF, BytesIO()),
            host="",
            port=1,
            model=model_of("worklist"),
            calling="US",
            called="THEM",
            syntaxes=(),
            **given,
        )
        return Extractor(all_settings, self._words, self.log.voice, self.log.voice)


@pytest.fixture
def extractor(tmp_path: Path, log: Log, words: Words) -> _Extracts:
    return _Extracts(tmp_path, log, words)


def _item(**values: tuple[str, bytes]) -> Item:
    elements = {int(name[1:], 16): value for name, value in values.items()}
    return Item({tag: Element(tag, vr, data, len(data)) for tag, (vr, data) in elements.items()})


_NAME = _item(_00100010=("PN", b"A^B "))


def test_a_dicom_file(extractor: _Extracts, tmp_path: Path) -> None:
    item = _item(_00080016=("UI", b"1.2.3\0"), _00080018=("UI", b"1.2.4\0"))
    extractor().extract(item, EXPLICIT_VR_LITTLE_ENDIAN, 3, was_shown=True)
    content = (tmp_path / "rsp0003.dcm").read_bytes()
    assert content[128:132] == b"DICM"
    assert content.endswith(bytes.fromhex("0800 1800 5549 0600") + b"1.2.4\0")
    assert extractor.log.lines == [
        f"I: Writing response dataset to file: {tmp_path}/rsp0003.dcm",
        f"{_CHECK} Version of MetaHeader is ok: 0x0001",
        f"{_CHECK} use SOPClassUID [1.2.3] from Dataset",
        f"{_CHECK} use SOPInstanceUID [1.2.4] from Dataset",
        f"{_CHECK} use new TransferSyntaxUID [Little Endian Explicit] on writing following Dataset",
        "D: DcmFileFormat::validateMetaInfo() found 7 Elements in DcmMetaInfo 'metinf'",
    ]


def test_a_file_has_the_permissions_that_others_have(extractor: _Extracts, tmp_path: Path) -> None:
    extractor().extract(_NAME, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    other = tmp_path / "other"
    other.touch()
    assert (tmp_path / "rsp0001.dcm").stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize(("was_shown", "padding"), [(True, b" "), (False, b"\0")])
def test_what_odd_text_is_padded_with(
    extractor: _Extracts, tmp_path: Path, was_shown: bool, padding: bytes
) -> None:
    item = _item(_00100010=("PN", b"A^B"))
    extractor().extract(item, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=was_shown)
    assert (tmp_path / "rsp0001.dcm").read_bytes().endswith(b"A^B" + padding)


def test_correction_takes_padding_away(extractor: _Extracts, tmp_path: Path) -> None:
    item = _item(_00100010=("PN", b"A^    "))
    extractor(correction=True).extract(item, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    assert (tmp_path / "rsp0001.dcm").read_bytes().endswith(b"PN\2\0A^")


def test_nothing_received_makes_an_empty_file(extractor: _Extracts, tmp_path: Path) -> None:
    extractor().extract(Item(), None, 1, was_shown=True)
    assert (tmp_path / "rsp0001.dcm").read_bytes() == b""
    assert extractor.log.lines[-1] == (
        f"E: Writing file: {tmp_path}/rsp0001.dcm: Illegal call, perhaps wrong parameters"
    )


def test_fragments_end_a_file(extractor: _Extracts, tmp_path: Path) -> None:
    item = _item(_00100010=("PN", b"A^"))
    item.elements[0x7FE00010] = Element(0x7FE00010, "OB", b"", 0xFFFFFFFF)
    extractor().extract(item, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    assert (tmp_path / "rsp0001.dcm").read_bytes().endswith(b"PN\2\0A^")
    assert extractor.log.lines[-2:] == [
        (
            "E: DcmElement: PixelData (7fe0,0010) larger (4294967295) than remaining bytes (0) in "
            "file, premature end of stream"
        ),
        f"E: Writing file: {tmp_path}/rsp0001.dcm: Pixel representation not found",
    ]


def test_fragments_in_an_item_end_a_file_there(extractor: _Extracts, tmp_path: Path) -> None:
    inner = _item(_00080100=("SH", b"A "))
    inner.elements[0x7FE00010] = Element(0x7FE00010, "OB", b"", 0xFFFFFFFF)
    item = Item({0x00400260: Element(0x00400260, "SQ", [Item(), inner], 0)})
    extractor().extract(item, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    assert (
        (tmp_path / "rsp0001.dcm")
        .read_bytes()
        .endswith(
            bytes.fromhex("4000 6002 5351 0000 ffffffff")
            + bytes.fromhex("feff00e0 ffffffff feff0de0 00000000 feff00e0 ffffffff")
            + bytes.fromhex("0800 0001 5348 0200 4120")
        )
    )


def test_group_lengths_and_long_values_are_told(extractor: _Extracts) -> None:
    item = _item(
        _00080000=("UL", bytes(4)), _00080060=("CS", b"CT"), _00100020=("LO", b"x" * 70_000)
    )
    extractor().extract(item, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    assert extractor.log.lines[-2:] == [
        "D: DcmItem::computeGroupLengthAndPadding() Length of Group 0x0008 len=10",
        (
            "D: DcmObject::writeTagAndLength() Length of element (0010,0020) exceeds maximum of "
            "16-bit length field, changing VR to UN"
        ),
    ]


def test_responses_beyond_the_limit(extractor: _Extracts, tmp_path: Path) -> None:
    limited = extractor(extract_limit=1)
    for number in (1, 2, 4):
        limited.extract(_NAME, EXPLICIT_VR_LITTLE_ENDIAN, number, was_shown=True)
    assert [path.name for path in tmp_path.iterdir()] == ["rsp0001.dcm"]
    enough = "Maximum number of responses already written to file ... not writing"
    assert extractor.log.lines[-2:] == [
        f"I: {enough} this and all following responses to file",
        f"D: {enough} this response to file",
    ]


def test_an_xml_file(extractor: _Extracts, tmp_path: Path) -> None:
    extractor(extract="xml").extract(_NAME, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    assert (tmp_path / "rsp0001.xml").read_text().splitlines() == [
        '<?xml version="1.0"?>',
        '<data-set xfer="1.2.840.10008.1.2.1" name="Little Endian Explicit">',
        '<element tag="0010,0010" vr="PN" vm="1" len="4" name="PatientName">A^B</element>',
        "</data-set>",
    ]


def test_one_file_of_all(extractor: _Extracts, tmp_path: Path) -> None:
    single = extractor(extract="single", extract_file="all.xml")
    single.open()
    assert not (tmp_path / "all.xml").exists()
    item = _item(_00080005=("CS", b"ISO_IR 100"), _00100010=("PN", b"M\xfcller "))
    single.extract(item, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    single.close()
    content = (tmp_path / "all.xml").read_bytes()
    assert 'len="8" name="PatientName">M\u00fcller</element>'.encode() in content
    assert content.endswith(b"</data-set>\n</responses>\n")
    select = "DcmSpecificCharacterSet: Selected character set 'ISO_IR 100' (ISO-8859-1)"
    assert extractor.log.lines == [
        f"I: Writing all response datasets to file: {tmp_path}/all.xml",
        "D: Writing response dataset to XML file",
        (
            "D: Converting all element values that are affected by SpecificCharacterSet "
            "(0008,0005) to UTF-8"
        ),
        (
            "D: DcmItem::convertCharacterSet() creating a new character set converter for "
            "'ISO_IR 100' to 'ISO_IR 192'"
        ),
        f"D: {select} for the conversion to UTF-8",
        "D: DcmSpecificCharacterSet: Converting 'M\\374ller '",
        (
            "D: DcmItem::convertCharacterSet() updating value of element SpecificCharacterSet "
            "(0008,0005) to 'ISO_IR 192'"
        ),
    ]


@pytest.mark.parametrize(
    ("charset", "name", "expected"),
    [
        (
            b"ISO_IR 9",
            b"A ",
            [
                (
                    "D: DcmItem::convertCharacterSet() creating a new character set converter for "
                    "'ISO_IR 9' to 'ISO_IR 192'"
                ),
                (
                    "E: Writing XML file: Cannot select source character set: SpecificCharacterSet "
                    "(0008,0005) value 'ISO_IR 9' not supported"
                ),
            ],
        ),
        (
            b"\\ISO 2022 IR 126",
            b"A^B=\x1b-F\xe1 ",
            [
                (
                    "D: DcmItem::convertCharacterSet() creating a new character set converter for "
                    "'\\ISO 2022 IR 126' to 'ISO_IR 192'"
                ),
                (f"{_SET} Added character set 'ISO 2022 IR 6' (ASCII) for the conversion to UTF-8"),
                (
                    f"{_SET} Added character set 'ISO 2022 IR 126' (ISO-8859-7) "
                    "for the conversion to UTF-8"
                ),
                (
                    f"{_SET} Converting 'A^B=\\033-F\\341 ' (with code extensions "
                    "and delimiters '\\^=')"
                ),
                (
                    "D: DcmItem::convertCharacterSet() updating value of element "
                    "SpecificCharacterSet (0008,0005) to 'ISO_IR 192'"
                ),
            ],
        ),
    ],
)
def test_character_sets(
    extractor: _Extracts, charset: bytes, name: bytes, expected: list[str]
) -> None:
    single = extractor(extract="single", extract_file="all.xml")
    single.open()
    item = _item(_00080005=("CS", charset), _00100010=("PN", name))
    single.extract(item, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    single.close()
    assert extractor.log.lines[3:] == expected


def test_what_cannot_be_written_is_told_and_nothing_ends(
    extractor: _Extracts, tmp_path: Path
) -> None:
    missing = extractor(directory=str(tmp_path / "missing"))
    missing.extract(_NAME, EXPLICIT_VR_LITTLE_ENDIAN, 1, was_shown=True)
    assert extractor.log.lines[-1] == (
        f"E: Writing file: {tmp_path}/missing/rsp0001.dcm: No such file or directory"
    )
