import pytest

from asyncfind.query.element import LONG_VRS
from asyncfind.query.syntax import SHORT_VRS, SYNTAXES, WORD_SIZES, swap_words


def test_names_are_dcmtks() -> None:
    assert {uid: syntax.name for uid, syntax in SYNTAXES.items()} == {
        "1.2.840.10008.1.2": "Little Endian Implicit",
        "1.2.840.10008.1.2.1": "Little Endian Explicit",
        "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
        "1.2.840.10008.1.2.2": "Big Endian Explicit",
    }


def test_only_implicit_vr_carries_no_vr_and_only_one_is_deflated() -> None:
    assert [uid for uid, syntax in SYNTAXES.items() if not syntax.explicit] == ["1.2.840.10008.1.2"]
    assert [uid for uid, syntax in SYNTAXES.items() if not syntax.little_endian] == [
        "1.2.840.10008.1.2.2"
    ]
    assert [uid for uid, syntax in SYNTAXES.items() if syntax.deflated] == [
        "1.2.840.10008.1.2.1.99"
    ]


def test_every_vr_has_one_length_form() -> None:
    assert not SHORT_VRS & LONG_VRS
    assert len(SHORT_VRS | LONG_VRS) == 34  # PS3.5 Table 6.2-1
    assert set(WORD_SIZES) < SHORT_VRS | LONG_VRS


@pytest.mark.parametrize(
    ("vr", "value", "swapped"),
    [
        ("US", "0102 0304", "0201 0403"),
        ("AT", "0010 0020", "1000 2000"),
        ("UL", "01020304", "04030201"),
        ("FD", "0102030405060708", "0807060504030201"),
        ("US", "0102 03", "0201 03"),  # a byte too many stays
        ("UL", "0102", "0102"),
        ("OB", "01020304", "01020304"),
        ("UN", "01020304", "01020304"),
        ("LO", "4142", "4142"),
        ("US", "", ""),
    ],
)
def test_swap_words(vr: str, value: str, swapped: str) -> None:
    assert swap_words(vr, bytes.fromhex(value)) == bytes.fromhex(swapped)
