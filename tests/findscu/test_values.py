"""Values of keys, scanned as C does, and keys as they are applied."""

import math
import struct
from typing import Any, Protocol

import pytest

from asyncfind.findscu.conditions import Bad
from asyncfind.findscu.dataset import Words
from asyncfind.findscu.keys import apply_key
from asyncfind.findscu.values import scan_value
from asyncfind.query.element import Item


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("PN", "M\u00fcller ", b"M\xfcller "),
        ("UI", "1.2", b"1.2"),
        ("US", "512", b"\0\2"),
        ("US", "70000", struct.pack("<H", 4464)),
        ("US", "-1", b"\xff\xff"),
        ("US", " 1x\\2", b"\1\0\2\0"),
        ("SL", "-5", struct.pack("<i", -5)),
        ("UV", "9" * 30, b"\xff" * 8),
        ("SV", "9" * 30, struct.pack("<q", 2**63 - 1)),
        ("FL", "1.5e1\\-.5", struct.pack("<ff", 15, -0.5)),
        ("FD", "1e999", struct.pack("<d", float("inf"))),
        ("FD", "-inf", struct.pack("<d", float("-inf"))),
        ("FL", "1e300", struct.pack("<f", float("inf"))),
        ("AT", "(0018,1063)\\(a,b)", bytes.fromhex("1800 6310 0a00 0b00")),
        ("OB", "1\\2\\ff", b"\1\2\xff\0"),
        ("OB", "foo", b"\x0f\0"),
        ("OW", "1\\ffff", b"\1\0\xff\xff"),
        ("xs", "7", b"\7\0"),
        ("US", "", b""),
    ],
)
def test_values_are_scanned(vr: str, text: str, expected: bytes) -> None:
    assert scan_value(vr, text) == expected


@pytest.mark.parametrize(
    ("vr", "text"),
    [("US", "x"), ("US", "1\\"), ("AT", "0018,1063"), ("AT", "(1;2)"), ("OB", "zz"), ("FD", "-")],
)
def test_what_is_no_value_is_corrupted_data(vr: str, text: str) -> None:
    with pytest.raises(Bad) as caught:
        scan_value(vr, text)
    assert caught.value.condition.dump() == "0001:0006 Corrupted data"


def test_a_not_a_number_is_one() -> None:
    assert math.isnan(struct.unpack("<d", scan_value("FD", "nan"))[0])


class Log(Protocol):
    voice: Any
    lines: list[str]


class _Applies:
    def __init__(self, log: Log, words: Words) -> None:
        self.log = log
        self._words = words

    def __call__(self, *keys: str) -> Item:
        item = Item()
        for key in keys:
            apply_key(item, key, self._words, self.log.voice)
        return item


@pytest.fixture
def apply(log: Log, words: Words) -> _Applies:
    return _Applies(log, words)


def _leaf(item: Item, tag: int) -> tuple[str, object]:
    element = item.elements[tag]
    return element.vr, element.value


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("PatientName=A=B", (0x00100010, "PN", b"A=B")),
        ("10,10=A", (0x00100010, "PN", b"A")),
        (" 0x10,0x20", (0x00100020, "LO", b"")),
        ("(0010,0010,9)=D", (0x00100010, "PN", b"D")),
        ("(PatientName)=F", (0x00100010, "PN", b"F")),
        ("110010,0010=E", (0x00100010, "PN", b"E")),
        ("SOPClassUID==CTImageStorage", (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2")),
        ("0008,9999=ff", (0x00089999, "??", b"\xff\0")),
        ("PatientID=*", (0x00100020, "LO", b"*")),
    ],
)
def test_a_key_sets_an_element(apply: _Applies, key: str, expected: tuple[int, str, bytes]) -> None:
    tag, vr, value = expected
    assert _leaf(apply(key), tag) == (vr, value)


def test_paths_make_what_is_missing(apply: _Applies) -> None:
    item = apply("(0040,0100)[1].Modality=CT", "ScheduledProcedureStepSequence[0].0040,0001")
    items = item.elements[0x00400100].value
    assert isinstance(items, list)
    assert [list(one.elements) for one in items] == [[0x00400001], [0x00080060]]


def test_private_elements_need_their_creator_first(apply: _Applies) -> None:
    creator = "0009,0010=GEMS_IDEN_01"
    assert _leaf(apply("0009,1002=1"), 0x00091002)[0] == "??"
    assert _leaf(apply(creator, "0009,1002=1"), 0x00091002) == ("SH", b"1")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("=X", "0000:0001 Illegal parameter"),
        ("Bogus=1", "0001:0019 Unable to parse tag/dictionary name at beginning of path: Bogus"),
        ("(0010,0010", "0001:0019 Unable to parse tag at beginning of path: (0010,0010"),
        (
            "(0040,0100)[x].Modality",
            "0001:0019 Unable to parse item number at beginning of path: [x].Modality",
        ),
        (
            "(0040,0100)[-1].Modality",
            "0001:0019 Negative item number (not permitted) at beginning of path: [-1].Modality",
        ),
        (
            "(0040,0100)[*].Modality",
            "0001:0019 Item wildcard '*' found in path but wildcards disabled",
        ),
        (
            "PatientName[0]",
            "0001:0019 Invalid Path: Non-sequence tag found with rest path following",
        ),
        (
            "(0040,0100)=X",
            "0001:0019 Cannot insert value into path ending with item or sequence",
        ),
        (
            "(0040,0100)[0]=X",
            "0001:0019 Cannot insert value into path ending with item or sequence",
        ),
        ("Rows=x", "0001:0006 Corrupted data"),
    ],
)
def test_what_is_no_key(apply: _Applies, key: str, expected: str) -> None:
    with pytest.raises(Bad) as caught:
        apply(key)
    assert caught.value.condition.dump() == expected


def test_an_unknown_uid_name_is_told(apply: _Applies) -> None:
    with pytest.raises(Bad, match="Unknown UID name"):
        apply("SOPClassUID==Nothing")
    assert apply.log.lines == [
        "D: DcmUniqueIdentifier::putString() cannot map UID name 'Nothing' to UID value"
    ]


def test_items_beyond_memory_are_refused(apply: _Applies) -> None:
    with pytest.raises(Bad, match="Virtual Memory exhausted"):
        apply("(0040,0100)[4000000000].Modality")
