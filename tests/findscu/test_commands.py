"""Received command sets as findscu takes them apart."""

import struct
from typing import Any, Protocol

import pytest

from asyncfind.findscu.commands import parse_response
from asyncfind.findscu.conditions import Bad
from asyncfind.query.element import Element, Item

_WARNING = "DIMSE Warning: (US,THEM): "


class Log(Protocol):
    voice: Any
    lines: list[str]


def _command(**values: int | bytes) -> Item:
    """A C-FIND-RSP with other values; the names are `_0900` and the like."""
    numbers: dict[int, int | bytes] = {0x100: 0x8020, 0x120: 1, 0x800: 0x101, 0x900: 0}
    numbers |= {int(name[1:], 16): value for name, value in values.items()}
    elements = {}
    for tag, value in numbers.items():
        data = value if isinstance(value, bytes) else struct.pack("<H", value)
        elements[tag] = Element(tag, "UI" if tag < 0x100 else "US", data, len(data))
    return Item(elements)


def _without(tag: int, **values: int | bytes) -> Item:
    item = _command(**values)
    del item.elements[tag]
    return item


def test_a_response(log: Log) -> None:
    item = _command(_0000=b"\x38\0\0\0", _0002=b"1.2.3\0", _0800=1, _0900=0xFF00)
    response = parse_response(item, log.voice, log.voice, _WARNING)
    assert response.message_id == 1
    assert response.sop_class == "1.2.3"
    assert response.has_data_set
    assert response.status == 0xFF00
    assert response.detail is None
    assert log.lines == []


def test_the_rest_is_detail(log: Log) -> None:
    long_uid = b"1." * 40
    response = parse_response(
        _command(_0901=b"\x10\0\x20\0", _0002=long_uid), log.voice, log.voice, _WARNING
    )
    assert response.sop_class is None
    assert response.detail is not None
    assert set(response.detail.elements) == {0x0002, 0x0901}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (_without(0x100), "0006:020b DIMSE_parseCmdObject: Missing CommandField"),
        (_command(_0100=0x9999), "0006:0201 DIMSE_parseCmdObject: Invalid Command Message: 0x9999"),
        (
            _without(0x120),
            "0006:020b DIMSE: Command Parse Failed: Element: (0000,0120) MessageIDBeingRespondedTo",
        ),
        (_without(0x800), ("0006:020b DIMSE: Command Parse Failed: Element: (0000,0800) "
         "CommandDataSetType")),
        (_without(0x900), "0006:020b DIMSE: Command Parse Failed: Element: (0000,0900) Status"),
        (_command(_0900=b"\0"), ("0006:020b DIMSE: Command Parse Failed: Element: (0000,0900) "
         "Status")),
        (_command(_0100=0x8030), "0006:0211 DIMSE: Unexpected Response Command Field: 0x8030"),
        (_command(_0100=0x0020), ("0006:020b DIMSE: Command Parse Failed: Element: (0000,0110) "
         "MessageID")),
        (_command(_0100=0x0021, _0110=1, _0002=b"1.2\0", _0700=0),
         "0006:020b DIMSE: Command Parse Failed: Element: (0000,0600) MoveDestination"),
        (_command(_0100=0x0FFF), "0006:0211 DIMSE: Unexpected Response Command Field: 0xfff"),
    ],
)  # fmt: skip
def test_what_is_no_response(log: Log, item: Item, expected: str) -> None:
    with pytest.raises(Bad) as caught:
        parse_response(item, log.voice, log.voice, _WARNING)
    assert caught.value.condition.dump() == expected
    assert log.lines == []


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (_command(_0100=0x8030, _0800=1), "C-Echo RSP: DataSetType != NULL"),
        (_command(_0100=0x8001, _0800=1), "C-Store RSP: DataSetType != NULL"),
        (_command(_0100=0x8001, _1000=b""), "C-Store RSP: AffectedSOPInstanceUID: bad size"),
        (
            _command(_0100=0x0020, _0110=1, _0002=b"1.2\0", _0700=0),
            "C-Find RQ: DataSetType == NULL",
        ),
    ],
)
def test_messages_and_data_sets_that_do_not_go_together(
    log: Log, item: Item, expected: str
) -> None:
    with pytest.raises(Bad) as caught:
        parse_response(item, log.voice, log.voice, _WARNING)
    assert caught.value.condition.dump() == "0006:0203 DIMSE Badly formed message"
    assert log.lines == [f"W: {_WARNING}{expected}"]


@pytest.mark.parametrize(
    ("item", "left"),
    [
        (_command(_0100=0x8021, _0002=b"1.2\0", _1020=3), None),
        (_command(_0100=0x8001, _0002=b"1.2\0", _1000=b"1.2\0", _0901=b"\0" * 4), {0x0901}),
        (_command(_0100=0x8030, _0002=b"1." * 40), {0x0002}),
    ],
)
def test_what_a_foreign_message_has_besides(log: Log, item: Item, left: set[int] | None) -> None:
    with pytest.raises(Bad) as caught:
        parse_response(item, log.voice, log.voice, _WARNING)
    detail = caught.value.detail
    assert (None if detail is None else set(detail.elements)) == left


def test_a_number_that_did_not_come_is_looked_for(log: Log) -> None:
    item = _command()
    item.elements[0x900] = Element(0x900, "US", b"", 2)
    with pytest.raises(Bad):
        parse_response(item, log.voice, log.voice, _WARNING)
    assert log.lines == [
        (
            "E: DcmElement: Status (0000,0900) larger (2) than remaining bytes (0) in file, "
            "premature end of stream"
        )
    ]
