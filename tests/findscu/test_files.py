"""Query files as findscu loads them."""

import struct
from pathlib import Path
from typing import Any, Protocol

import pytest

from asyncfind.findscu.conditions import Bad
from asyncfind.findscu.dataset import Words
from asyncfind.findscu.files import load
from asyncfind.findscu.walk import Deferred
from asyncfind.query.element import Item

_ID = bytes.fromhex("1000 2000 4c4f 0200") + b"1 "
_NAME = bytes.fromhex("1000 1000 504e 0200") + b"A "
_PREAMBLE = bytes(128) + b"DICM"
_DETECTED = [
    "D: DcmFileFormat::lookForXfer() no MetaInfo found",
    "D: DcmDataset::read() trying to detect transfer syntax of data set (because it is unknown)",
]


class Log(Protocol):
    voice: Any
    lines: list[str]


class _Loads:
    def __init__(self, folder: Path, log: Log, words: Words) -> None:
        self._folder = folder
        self.log = log
        self._words = words

    def __call__(self, content: bytes, *, correction: bool = False) -> tuple[Item, str]:
        path = self._folder / "query.dcm"
        path.write_bytes(content)
        item, syntax = load(str(path), self._words, self.log.voice, correction=correction)
        return item, syntax.name


@pytest.fixture
def load_file(tmp_path: Path, log: Log, words: Words) -> _Loads:
    return _Loads(tmp_path, log, words)


def _meta(uid: str, *, length: int | None = None) -> bytes:
    value = uid.encode() + b"\0" * (len(uid) % 2)
    body = struct.pack("<HH2sH", 2, 0x10, b"UI", len(value)) + value
    size = len(body) if length is None else length
    return struct.pack("<HH2sHI", 2, 0, b"UL", 4, size) + body


def test_a_file_with_its_head(load_file: _Loads) -> None:
    item, name = load_file(_PREAMBLE + _meta("1.2.840.10008.1.2.1") + _ID)
    assert (list(item.elements), name) == ([0x00100020], "Little Endian Explicit")
    assert load_file.log.lines == [
        'D: DcmMetaInfo::checkAndReadPreamble() TransferSyntax="Little Endian Explicit"',
        'D: DcmDataset::read() TransferSyntax="Little Endian Explicit"',
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes.fromhex("1000 2000 4c4f 0400") + b"1234", "Little Endian Explicit"),
        (bytes.fromhex("1000 2000 04000000") + b"1234", "Little Endian Implicit"),
        (bytes.fromhex("0010 0020 4c4f 0004") + b"1234", "Big Endian Explicit"),
        (bytes.fromhex("0010 0020 00000004") + b"1234", "Virtual Big Endian Implicit"),
    ],
)
def test_without_a_head_the_first_element_tells(
    load_file: _Loads, data: bytes, expected: str
) -> None:
    item, name = load_file(data)
    assert (item.elements[0x00100020].value, name) == (b"1234", expected)
    assert load_file.log.lines[:2] == _DETECTED


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.1.2.4.50", "JPEG Baseline"),
        ("1.2.840.10008.1.2.5", "RLE Lossless"),
        ("1.2.3", "Little Endian Explicit"),
    ],
)
def test_other_transfer_syntaxes(load_file: _Loads, uid: str, name: str) -> None:
    assert load_file(_PREAMBLE + _meta(uid) + _ID)[1] == name


def test_a_wrong_group_length_is_told(load_file: _Loads) -> None:
    load_file(_PREAMBLE + _meta("1.2.840.10008.1.2.1", length=20) + _ID)
    assert (
        "W: DcmMetaInfo: Group Length of Meta Information Header has incorrect value"
        in load_file.log.lines
    )


def test_a_head_without_group_length(load_file: _Loads) -> None:
    load_file(_PREAMBLE + _meta("1.2.840.10008.1.2.1")[12:] + _ID)
    assert (
        "W: DcmMetaInfo: No Group Length available in Meta Information Header"
        in load_file.log.lines
    )


def test_a_preamble_alone(load_file: _Loads) -> None:
    load_file(_PREAMBLE + _NAME + _ID)
    assert "W: DcmMetaInfo: Found Preamble but no Meta Information Header" in load_file.log.lines


def test_foreign_elements_in_the_head_are_told(load_file: _Loads) -> None:
    meta = _meta("1.2.840.10008.1.2.1", length=28 + len(_ID))
    load_file(_PREAMBLE + meta + _ID + _ID)
    assert (
        "W: DcmMetaInfo: Invalid Element (0010,0020) found in Meta Information Header"
        in load_file.log.lines
    )


def test_a_head_and_nothing_else_is_an_empty_query(load_file: _Loads) -> None:
    item, _ = load_file(_PREAMBLE + _meta("1.2.840.10008.1.2.1"))
    assert item.elements == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "0001:0005 End of stream"),
        (b"short", "0001:000a I/O suspension or premature end of stream"),
        (_ID + _ID[:-1], "0001:0004 Invalid stream"),
        (_ID + _ID[:6], "0001:000a I/O suspension or premature end of stream"),
        (_ID + _ID[:-2], "0001:000a I/O suspension or premature end of stream"),
    ],
)
def test_what_cannot_be_loaded(load_file: _Loads, content: bytes, expected: str) -> None:
    with pytest.raises(Bad) as caught:
        load_file(content)
    assert caught.value.condition.dump() == expected


def test_native_pixel_data_in_a_compressed_file(load_file: _Loads) -> None:
    pixels = bytes.fromhex("e07f 1000 4f57 0000 02000000 0102")
    with pytest.raises(Bad, match="compressed Transfer Syntax uses explicit length"):
        load_file(_PREAMBLE + _meta("1.2.840.10008.1.2.4.50") + pixels)
    assert load_file.log.lines[-1] == (
        "E: Found explicit length Pixel Data in top level dataset with transfer syntax "
        "JPEG Baseline: Only undefined length permitted"
    )


def test_long_values_stay_in_the_file(load_file: _Loads) -> None:
    item, _ = load_file(struct.pack("<HH2sH", 0x10, 0x20, b"LO", 5000) + b"x" * 5000)
    assert isinstance(item.elements[0x00100020].value, Deferred)


def test_a_long_value_that_is_cut(load_file: _Loads) -> None:
    with pytest.raises(Bad, match="premature end of stream"):
        load_file(struct.pack("<HH2sH", 0x10, 0x20, b"LO", 5000) + b"x" * 4999)
    assert load_file.log.lines[-1] == (
        "E: DcmElement: PatientID (0010,0020) larger (5000) than remaining bytes in file"
    )


def test_correction_takes_blanks_out_of_the_transfer_syntax(load_file: _Loads) -> None:
    content = _PREAMBLE + _meta("1.2.840.10008.1.2 ") + _ID
    assert load_file(content)[1] == "Little Endian Explicit"
    with pytest.raises(Bad):
        load_file(content, correction=True)
    assert load_file.log.lines[-3].startswith(
        "W: DcmUniqueIdentifier: Element TransferSyntaxUID (0002,0010) contains one or more"
    )


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_file(name: str, log: Log, words: Words) -> None:
    with pytest.raises(Bad):
        load(name, words, log.voice)
