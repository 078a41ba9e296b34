"""Invented people: reproducible, unique, and encodable in the character set they are kept in."""

from itertools import islice
from random import Random

import pytest

from asyncfind.query.charset import decode_text, encode_text
from asyncfind.scp.catalogue import PROCEDURES
from asyncfind.scp.people import CULTURES, Culture, people, physician


def test_the_same_seed_gives_the_same_people() -> None:
    assert list(people(50, 7)) == list(people(50, 7))
    assert list(people(50, 7)) != list(people(50, 8))


def test_patient_ids_are_unique() -> None:
    ids = [person.patient_id for person in people(5000, 3)]
    assert len(set(ids)) == len(ids)


def test_every_character_set_occurs() -> None:
    charsets = {person.culture.charsets for person in people(500, 1)}
    assert charsets == {
        (),
        ("ISO_IR 100",),
        ("ISO_IR 101",),
        ("ISO_IR 144",),
        ("ISO_IR 192",),
        ("", "ISO 2022 IR 87"),
    }


def test_people_are_plausible() -> None:
    found = list(people(2000, 1))
    assert {person.sex for person in found} == {"F", "M", "O"}
    dates = [person.birth_date for person in found if person.birth_date]
    assert 0 < len(found) - len(dates) < 100
    assert all(len(date) == 8 and "1930" < date[:4] <= "2025" for date in dates)


def test_japanese_names_have_three_component_groups() -> None:
    japanese = [person for person in people(500, 1) if person.culture.language == "ja"]
    assert japanese
    for person in japanese:
        groups = person.name.split("=")
        assert len(groups) == 3
        assert groups[0].isascii()
        assert all(group.count("^") == 1 for group in groups)


@pytest.mark.parametrize("culture", CULTURES, ids=lambda culture: culture.language)
def test_all_text_of_a_culture_survives_its_character_set(culture: Culture) -> None:
    rng = Random(1)
    names = {physician(culture, rng) for _ in range(300)}
    names |= {person.name for person in islice(people(2000, 5), 2000) if person.culture is culture}
    for name in names:
        assert len(name) <= 3 * 64
        encoded = encode_text(name, culture.charsets, "PN")
        assert decode_text(encoded, culture.charsets, "PN") == (name, True)
    for procedure in PROCEDURES:
        text = procedure.local.get(culture.language, procedure.meaning)
        assert len(text) <= 64
        encoded = encode_text(text, culture.charsets, "LO")
        assert decode_text(encoded, culture.charsets, "LO") == (text, True)
