"""Wildcards put into other words: empty keys and ranges."""

import pytest

from asyncfind.plan import make_query
from asyncfind.query.dialect import (
    wildcards_left,
    without_lone_wildcards,
    without_wildcards_in_dates,
)
from asyncfind.query.element import Item


def _item(*keys: str) -> Item:
    return make_query("study", keys).identifier


def _value(item: Item, tag: int) -> bytes:
    value = item.elements[tag].value
    assert isinstance(value, bytes)
    return value


@pytest.mark.parametrize(("text", "expected"), [("*", b""), ("**", b""), ("A*", b"A*"), ("", b"")])
def test_a_lone_wildcard_becomes_an_empty_key(text: str, expected: bytes) -> None:
    item = _item(f"PatientName={text}")
    changed = without_lone_wildcards(item)
    assert _value(changed, 0x00100010).strip() == expected
    assert _value(item, 0x00100010).strip() == text.encode()  # the query itself stays


def test_wildcards_in_sequences_are_found() -> None:
    item = _item(
        "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate=202401*",
        "ScheduledProcedureStepSequence[0].Modality=*",
    )
    for changed, date, modality in (
        (without_lone_wildcards(item), b"202401*", b""),
        (without_wildcards_in_dates(item), b"20240101-20240131", b"*"),
    ):
        steps = changed.elements[0x00400100].value
        assert isinstance(steps, list)
        assert _value(steps[0], 0x00400002).strip() == date
        assert _value(steps[0], 0x00080060).strip() == modality


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", ""),
        ("2024*", "20240101-20241231"),
        ("202*", "20200101-20291231"),
        ("202402*", "20240201-20240229"),
        ("202302*", "20230201-20230228"),
        ("20240*", "20240101-20240930"),
        ("20241*", "20241001-20241231"),
        ("2024021*", "20240210-20240219"),
        ("20240215*", "20240215-20240215"),
        ("2024????", "20240101-20241231"),
        ("20240101-20240131", "20240101-20240131"),
        ("20240101", "20240101"),
        ("202413*", None),
        ("2024*15", None),
        ("0000*", None),
    ],
)
def test_dates(text: str, expected: str | None) -> None:
    item = _item("StudyInstanceUID")
    item.elements[0x00080020] = (
        _item("StudyDate").elements[0x00080020]._replace(value=text.encode())
    )
    changed = without_wildcards_in_dates(item)
    assert _value(changed, 0x00080020).decode().strip() == (text if expected is None else expected)
    assert len(_value(changed, 0x00080020)) == changed.elements[0x00080020].length
    assert [element.tag for element in wildcards_left(item)] == (
        [0x00080020] if expected is None else []
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10*", "100000-105959.999999"),
        ("1*", "100000-195959.999999"),
        ("2*", "200000-235959.999999"),
        ("1030*", "103000-103059.999999"),
        ("103015*", "103015-103015.999999"),
        ("3*", "3*"),
        ("1070*", "1070*"),
    ],
)
def test_times(text: str, expected: str) -> None:
    item = _item("StudyTime")
    element = item.elements[0x00080030]
    item.elements[0x00080030] = element._replace(value=text.encode())
    value = _value(without_wildcards_in_dates(item), 0x00080030)
    assert value.decode().strip() == expected
    assert not len(value) % 2 or value == text.encode()


def test_uids_can_only_be_left_empty() -> None:
    item = _item("StudyInstanceUID")
    element = item.elements[0x0020000D]
    for text, left in (("*", b""), ("1.2.*", b"1.2.*")):
        item.elements[0x0020000D] = element._replace(value=text.encode())
        assert _value(without_wildcards_in_dates(item), 0x0020000D) == left
        assert len(list(wildcards_left(item))) == bool(left)
