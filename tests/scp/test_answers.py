"""The synthetic source: any number of matches, alike but for one number."""

import pytest

from asyncfind.query.reader import read_item
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    SYNTAXES,
    TransferSyntax,
)
from asyncfind.scp.answers import Answers


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=lambda syntax: syntax.name)
def test_matches_differ_in_their_accession_number(syntax: TransferSyntax) -> None:
    matches = [match for match in Answers(3).respond("", b"", syntax) if match]
    assert [status for status, _ in matches] == [0xFF00] * 3
    items = [read_item(data, syntax) for _, data in matches]
    assert [item.elements[0x00080050].value for item in items] == [
        b"A0000000001 ",
        b"A0000000002 ",
        b"A0000000003 ",
    ]
    assert all(len(item.elements) == 16 for item in items)
    assert all(len(data) % 2 == 0 for _, data in matches)


@pytest.mark.parametrize("elements", [1, 2, 16, 17, 18, 300])
def test_the_number_of_elements_is_exact(elements: int) -> None:
    (match,) = Answers(1, elements).respond("", b"", EXPLICIT_VR_LITTLE_ENDIAN)
    assert match is not None
    item = read_item(match[1], EXPLICIT_VR_LITTLE_ENDIAN)
    assert len(item.elements) == elements


def test_nothing_is_made_before_it_is_taken() -> None:
    for syntax in (EXPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN):
        matches = Answers(10**10).respond("", b"", syntax)
        assert next(matches) is not None


def test_a_match_as_bytes() -> None:
    (match,) = Answers(1, 2).respond("", b"", EXPLICIT_VR_LITTLE_ENDIAN)
    assert match is not None
    assert match[1] == bytes.fromhex(
        "0800 5000 5348 0c00"  # (0008,0050) SH, 12 bytes
        "4130303030303030303031 20"  # A0000000001 and a blank
        "0800 5200 4353 0600"  # (0008,0052) CS, 6 bytes
        "5354554459 20"  # STUDY and a blank
    )
