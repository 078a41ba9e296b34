"""Attribute matching of PS3.4 Section C.2.2.2, one value against one value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.scp.matching import (
    Condition,
    IllegalKey,
    condition_of,
    fold_name,
    wildcard_match,
)


def _condition(vr: str, key: str) -> Condition:
    condition = condition_of(vr, key)
    assert condition is not None
    return condition


def _matches(vr: str, key: str, stored: str) -> bool:
    return _condition(vr, key).test(stored)


@pytest.mark.parametrize(
    ("vr", "key"),
    [
        ("LO", ""),
        ("LO", "  "),
        ("LO", "*"),
        ("PN", "***"),
        ("PN", "^^"),
        ("PN", "="),
        ("UI", "\0"),
        ("UI", "*"),
        ("DA", ""),
        ("DA", "*"),
        ("IS", ""),
        ("CS", "CT\\*"),
    ],
)
def test_universal_matching(vr: str, key: str) -> None:
    assert condition_of(vr, key) is None


@pytest.mark.parametrize(
    ("vr", "key", "stored", "expected"),
    [
        # Single value matching is case sensitive but for PN (C.2.2.2.1).
        ("LO", "P0012 ", "P0012", True),
        ("LO", "p0012", "P0012", False),
        ("CS", "CT", "CT", True),
        ("AS", "045Y", "045Y", True),
        # List of UID matching (C.2.2.2.2); the dot is no wildcard, nor is * in UI.
        ("UI", "1.2.3\\1.2.4\0", "1.2.4", True),
        ("UI", "1.2.3\\1.2.4", "1.2.34", False),
        ("UI", "1.2.*", "1.2.3", False),
        # Wild card matching (C.2.2.2.4).
        ("LO", "CT*", "CT Chest", True),
        ("LO", "?T Chest", "CT Chest", True),
        ("LO", "?T", "T", False),
        ("LO", "*chest", "CT Chest", False),
        ("SH", "[A]*", "[A]1", True),
        ("SH", "[A]*", "A1", False),
        ("LT", "a\\b", "a\\b", True),
        ("LT", "a\\b", "a", False),
        # Alternatives.
        ("CS", "CT\\MR", "MR", True),
        ("CS", "CT\\M?", "MG", True),
        # Numbers compare by value.
        ("IS", "3", "3", True),
        ("IS", "+03 ", "3", True),
        ("IS", "3", "", False),
        ("DS", "70", "70.0", True),
        ("US", "512\\256", "256", True),
    ],
)
def test_single_values_lists_and_wildcards(vr: str, key: str, stored: str, expected: bool) -> None:
    assert _matches(vr, key, stored) is expected


@pytest.mark.parametrize(
    ("vr", "key", "stored", "expected"),
    [
        ("DA", "20240131", "20240131", True),
        ("DA", "2024.01.31", "20240131", True),
        ("DA", "20240101-20240131", "20240101", True),
        ("DA", "20240101-20240131", "20240131", True),
        ("DA", "20240101-20240131", "20240201", False),
        ("DA", "20240101 - 20240131", "20240102", True),
        ("DA", "20240101-", "20991231", True),
        ("DA", "20240101-", "20231231", False),
        ("DA", "-20240101", "20240101", True),
        ("DA", "-20240101", "20240102", False),
        ("DA", "-20240101", "", False),
        ("DA", "20240101-20240102\\20250101", "20250101", True),
        ("TM", "101500", "101500", True),
        ("TM", "10:15:00", "101500", True),
        ("TM", "101500-", "101459", False),
        ("TM", "101500.5-", "101500", False),
        ("TM", "-101500", "101500", True),
        ("TM", "1000-1100", "110059", True),
        ("TM", "1000-1100", "110100", False),
        ("TM", "10", "105959", True),
        ("TM", "22-06", "230000", False),
        ("TM", "-", "", False),
        ("DT", "20240131101500", "20240131101500", True),
        ("DT", "202401", "20240131101500", True),
        ("DT", "20240131-20240201", "20240131101500", True),
        ("DT", "20240131101501-", "20240131101500", False),
        ("DT", "-2023", "20231231235959", True),
        # An offset is no range: 05:15 in New York is 10:15 in Greenwich.
        ("DT", "20240131051500-0500", "20240131101500", True),
        ("DT", "20240131051501-0500-", "20240131101500", False),
        ("DT", "20240131000000+0000-20240131111500+0100", "20240131101500", True),
        ("DT", "2024", "", False),
        ("DT", "2024", "never", False),
    ],
)
def test_ranges(vr: str, key: str, stored: str, expected: bool) -> None:
    if key == "-":
        with pytest.raises(IllegalKey):
            condition_of(vr, key)
    else:
        assert _matches(vr, key, stored) is expected


@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        ("müller^*", "Müller^Jürgen", True),
        ("MÜLLER^JÜRGEN", "Müller^Jürgen", True),
        ("Müller", "Müller^Jürgen", False),
        ("Müller^Jürgen^^", "Müller^Jürgen", True),
        # Decomposed and precomposed letters are the same text.
        ("Mu\u0308ller^Ju\u0308rgen", "Müller^Jürgen", True),
        # One group may be any of them, two are their own.
        ("北川*", "Kitagawa^Emi=北川^恵美=きたがわ^えみ", True),
        ("kitagawa^*=北川^*", "Kitagawa^Emi=北川^恵美=きたがわ^えみ", True),
        ("kitagawa^*=きたがわ^*", "Kitagawa^Emi=北川^恵美=きたがわ^えみ", False),
        ("==きたがわ^*", "Kitagawa^Emi=北川^恵美=きたがわ^えみ", True),
        ("=北川^*", "Kitagawa^Emi", False),
        ("Smith\\Wr?n^*", "Wren^Rose", True),
    ],
)
def test_person_names(key: str, stored: str, expected: bool) -> None:
    assert _matches("PN", key, stored) is expected


@pytest.mark.parametrize(
    ("vr", "key"),
    [
        ("DA", "2024"),
        ("DA", "today"),
        ("DA", "2024*"),
        ("DA", "20240101--20240201"),
        ("TM", "1"),
        ("DT", "20241"),
        ("DT", "00010101000000+1400"),
        ("IS", "three"),
        ("DS", "NaN"),
        ("DS", "Infinity"),
        ("LO", "a\0b"),
        ("LO", "?" * 1025),
        ("CS", "\\".join(["A*"] * 101)),
        ("DA", "\\".join(["20240101-"] * 101)),
    ],
)
def test_what_is_no_value_is_refused(vr: str, key: str) -> None:
    with pytest.raises(IllegalKey):
        condition_of(vr, key)


@pytest.mark.parametrize("vr", ["DA", "TM", "LO", "PN", "UI", "CS", "IS"])
def test_two_quotes_ask_for_what_has_no_value(vr: str) -> None:
    assert _matches(vr, '""', "")
    assert not _matches(vr, '"" ', "20260101" if vr in ("DA", "IS") else "A")


def test_a_list_of_uids_has_no_limit() -> None:
    uids = [f"1.2.{number}" for number in range(100_000)]
    condition = _condition("UI", "\\".join(uids))
    assert len(condition.parameters) == 1
    assert condition.test("1.2.99999")


def test_many_stars_take_no_exponential_time() -> None:
    assert not _matches("LO", "*a" * 400 + "b", "a" * 64)
    assert _condition("LO", "*a" * 400 + "b").sql == ""


def test_a_lone_surrogate_is_no_text() -> None:
    condition = _condition("LO", "\ud800x*")
    assert all(parameter.encode() for parameter in condition.parameters)


def test_the_range_of_a_prefix_passes_over_surrogates() -> None:
    assert _condition("LO", "\ud7ff*").parameters[1] == "\ue000"
    assert _condition("LO", "\U0010ffff*").parameters[1] == "\U0010ffff"


def test_names_are_folded() -> None:
    assert fold_name("STRAUß^Käthe^^Dr. ^") == ("strauss^käthe^^dr.",)
    assert fold_name("A^B=C^=D=E") == ("a^b", "c", "d")


_TEXT = st.text("ab", max_size=8)


@given(st.text("ab*?", max_size=8), _TEXT)
def test_wildcards_mean_what_a_naive_matcher_says(pattern: str, text: str) -> None:
    def naive(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return naive(pattern[1:], text) or (bool(text) and naive(pattern, text[1:]))
        return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])

    assert wildcard_match(pattern, text) is naive(pattern, text)
