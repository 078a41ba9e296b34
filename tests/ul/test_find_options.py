"""The bytes of extended negotiation for C-FIND (PS3.4 Sections C.5.1.1 and K.5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.ul.find_options import FindOptions

_ALL = FindOptions(relational=True, date_time=True, fuzzy=True, timezone=True, multiframe=True)
_ANY = st.builds(FindOptions, **dict.fromkeys(
    ("relational", "date_time", "fuzzy", "timezone", "multiframe"), st.booleans()
))  # fmt: skip


@pytest.mark.parametrize(
    ("options", "information"),
    [
        (FindOptions(), "00"),  # at least one byte
        (FindOptions(relational=True), "01"),
        (FindOptions(date_time=True), "00 01"),
        (FindOptions(fuzzy=True), "00 00 01"),
        (FindOptions(relational=True, timezone=True), "01 00 00 01"),
        (_ALL, "01 01 01 01 01"),
    ],
)
def test_a_byte_for_each_option(options: FindOptions, information: str) -> None:
    assert options.encode() == bytes.fromhex(information)
    assert FindOptions.decode(bytes.fromhex(information)) == options


def test_bytes_of_later_editions_and_other_values_are_no_grant() -> None:
    assert FindOptions.decode(bytes.fromhex("02 FF 01 00 00 01 01")) == FindOptions(fuzzy=True)
    assert FindOptions.decode(b"") == FindOptions()


@pytest.mark.parametrize(
    ("options", "information"),
    [
        (FindOptions(relational=True), "01 01 00"),  # three bytes or more
        (FindOptions(fuzzy=True), "01 01 01"),
        (FindOptions(timezone=True), "01 01 00 01"),
        (_ALL, "01 01 01 01"),
    ],
)
def test_a_worklist_begins_with_two_ones(options: FindOptions, information: str) -> None:
    encoded = bytes.fromhex(information)
    assert options.encode_worklist() == encoded
    wanted = options & FindOptions(fuzzy=True, timezone=True)
    assert FindOptions.decode_worklist(encoded) == wanted


@given(one=_ANY, other=_ANY)
def test_options_are_a_set(one: FindOptions, other: FindOptions) -> None:
    assert FindOptions.decode(one.encode()) == one
    assert set((one & other).words()) == set(one.words()) & set(other.words())
    assert set((one - other).words()) == set(one.words()) - set(other.words())
    assert bool(one) == bool(one.words())
