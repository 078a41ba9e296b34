import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.charset import charsets_of, decode_text, encode_text
from asyncfind.query.element import TEXT_VRS, Element, Item

Charsets = tuple[str, ...]


def item_with(value: bytes) -> Item:
    return Item({0x00080005: Element(0x00080005, "CS", value, len(value))})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"ISO_IR 100", ("ISO_IR 100",)),
        (b"ISO_IR 192 ", ("ISO_IR 192",)),
        (b"\\ISO 2022 IR 87", ("", "ISO 2022 IR 87")),
        (b"ISO 2022 IR 6 \\ ISO 2022 IR 58\0", ("ISO 2022 IR 6", "ISO 2022 IR 58")),
        (b"", ()),
        (b"  ", ()),
        (b"\\\\ ", ()),
        (b"\xff\x1b", ("\xff\x1b",)),
    ],
)
def test_charsets_of(value: bytes, expected: Charsets) -> None:
    assert charsets_of(item_with(value)) == expected


def test_charsets_of_what_has_none() -> None:
    assert charsets_of(Item()) == ()
    assert charsets_of(Item({0x00080005: Element(0x00080005, "SQ", [], 0)})) == ()


def test_a_flood_of_charsets_is_cut() -> None:
    assert len(charsets_of(item_with(b"A\\" * 1_000_000))) <= 256


SINGLE_BYTE = [
    ("ISO_IR 100", "C46E6561735E52FC6469676572", "Äneas^Rüdiger"),
    ("ISO_IR 101", "57B36F64E0", "Włodŕ"),
    ("ISO_IR 109", "A1F8", "Ħĝ"),
    ("ISO_IR 110", "A1E0", "Ąā"),
    ("ISO_IR 126", "C4E9EFEDF5F3E9EFF2", "Διονυσιος"),
    ("ISO_IR 127", "E2C8C7E6EA5EE4E6D2C7D1", "قباني^لنزار"),
    ("ISO_IR 138", "F9F8E5EF5EE3E1E5F8E4", "שרון^דבורה"),
    ("ISO_IR 144", "BBEEDA6365DCD17970D3", "Люкceмбypг"),
    ("ISO_IR 148", "D0FEFD", "Ğşı"),
    ("ISO_IR 166", "A1D2C3", "การ"),
    ("ISO_IR 203", "A4BC", "€Œ"),
    ("ISO_IR 13", "D4CFC0DE5EC0DBB3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
]
MULTI_BYTE = [
    ("ISO_IR 192", "57616E673DE78E8B5EE5B08FE69DB1", "Wang=王^小東"),
    ("GB18030", "57616E673DCDF55ED0A1B6AB", "Wang=王^小东"),
    ("GBK", "8F885ED0A1", "張^小"),
]


@pytest.mark.parametrize(("name", "value", "text"), SINGLE_BYTE + MULTI_BYTE)
def test_sets_without_code_extensions(name: str, value: str, text: str) -> None:
    data = bytes.fromhex(value)
    assert decode_text(data, (name,), "PN") == (text, True)
    assert encode_text(text, (name,), "PN") == data


# PS3.5 Annexes H, I and K
CODE_EXTENSIONS = [
    (
        ("", "ISO 2022 IR 87"),
        """59616D6164615E5461726F753D 1B2442 3B33 4544 1B2842 5E 1B2442 4240 4F3A 1B2842 3D
        1B2442 2464 245E 2440 1B2842 5E 1B2442 243F 246D 2426 1B2842""",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        ("ISO 2022 IR 13", "ISO 2022 IR 87"),
        """D4CFC0DE5EC0DBB33D 1B2442 3B33 4544 1B284A 5E 1B2442 4240 4F3A 1B284A 3D
        1B2442 2464 245E 2440 1B284A 5E 1B2442 243F 246D 2426 1B284A""",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        ("", "ISO 2022 IR 149"),
        """486F6E675E47696C646F6E673D 1B242943 FBF3 5E 1B242943 D1CE D4D7 3D
        1B242943 C8AB 5E 1B242943 B1E6 B5BF""",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    (
        ("", "ISO 2022 IR 58"),
        "5A68616E675E5869616F446F6E673D 1B242941 D5C5 5E 1B242941 D0A1 B6AB 3D",
        "Zhang^XiaoDong=张^小东=",
    ),
    (
        ("ISO 2022 IR 6", "ISO 2022 IR 159"),
        "1B242844 3021 1B2842 41",  # JIS X 0212 row 16, then ASCII
        "丂A",
    ),
    (
        ("ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 126"),
        # value 1 is active again before the delimiter and at the end
        "C4 5E C4 1B2D4C BBEE 1B2D46 C4E9 1B2D41 5E 1B2D4C BB 1B2D41",
        "Ä^ÄЛюΔι^Л",
    ),
]


@pytest.mark.parametrize(("charsets", "value", "text"), CODE_EXTENSIONS)
def test_code_extensions(charsets: Charsets, value: str, text: str) -> None:
    assert decode_text(bytes.fromhex(value), charsets, "PN") == (text, True)
    assert encode_text(text, charsets, "PN") == bytes.fromhex(value)


def test_halves_of_characters_are_no_delimiters() -> None:
    # JIS X 0208: 5C, 5E and 3D, the delimiters of person names, in 本, 党 and 十
    value = bytes.fromhex("1B2442 4B5C 455E 3D3D 1B2842")
    assert decode_text(value, ("", "ISO 2022 IR 87"), "PN") == ("本党十", True)
    assert encode_text("本党十", ("", "ISO 2022 IR 87"), "PN") == value
    # GB18030 and GBK: the second byte may be a backslash
    for name in ("GB18030", "GBK"):
        assert decode_text(b"\xb6\x5c", (name,), "LO") == ("禱", True)
        assert encode_text("禱", (name,), "LO") == b"\xb6\x5c"


@pytest.mark.parametrize(
    ("vr", "delimiter", "resets"),
    [
        ("PN", "^", True),
        ("PN", "=", True),
        ("PN", "\\", True),
        ("LO", "^", False),
        ("LO", "=", False),
        ("LO", "\\", True),
        ("UC", "\\", True),
        ("LT", "\\", False),
        ("ST", "\\", False),
        ("UT", "\\", False),
        ("UT", "\r", True),
        ("UT", "\n", True),
        ("UT", "\f", True),
        ("UT", "\t", True),
        ("PN", " ", False),
    ],
)
def test_delimiters_undo_escapes(vr: str, delimiter: str, resets: bool) -> None:
    charsets = ("ISO 2022 IR 100", "ISO 2022 IR 144")
    value = b"\x1b-L\xbb" + delimiter.encode() + b"\xbb"
    after = "»" if resets else "Л"
    assert decode_text(value, charsets, vr) == (f"Л{delimiter}{after}", True)
    again = encode_text(f"Л{delimiter}Л", charsets, vr)
    assert again.count(b"\x1b-L") == (2 if resets else 1)
    assert decode_text(again, charsets, vr) == (f"Л{delimiter}Л", True)


@pytest.mark.parametrize(
    "name",
    [
        *("ISO_IR 100", "ISO 2022 IR 100", "ISO-IR 100", "ISO IR 100", "ISO_IR_100", "ISO_IR100"),
        *("iso_ir 100", "ISO2022 IR 100", "ISO_2022_IR_100"),
    ],
)
def test_names_as_peers_spell_them(name: str) -> None:
    assert decode_text(b"\xe9", (name,)) == ("é", True)
    assert encode_text("é", (name,), "LO") == b"\xe9"


@pytest.mark.parametrize(
    ("value", "charsets", "expected"),
    [
        # UTF-8 that nobody declared, or that the declared set has no room for
        ("C3A9", (), ("é", True)),
        ("C389", ("ISO_IR 100",), ("É", True)),
        ("C389", ("ISO_IR 6",), ("É", True)),
        ("C3A9", ("NO SUCH SET",), ("é", True)),
        ("E5B1B1", ("GB18030",), ("山", True)),
        # nothing fits: Latin-1, flagged
        ("E9", (), ("é", False)),
        ("E9", ("NO SUCH SET",), ("é", False)),
        ("4DFC6C6C6572", ("ISO_IR 192",), ("Müller", False)),
        ("92", ("ISO_IR 100",), ("\x92", False)),
        ("FF", ("ISO_IR 127",), ("ÿ", False)),
        ("8E52", ("ISO_IR 13",), ("\x8eR", False)),  # Shift JIS is not JIS X 0201
        # UTF-8 cut in a character by a peer that counts bytes
        ("E5B1B1E5B1", ("ISO_IR 192",), ("山\ufffd", False)),
        # a declared set without its escape sequence
        ("B1E6", ("", "ISO 2022 IR 149"), ("길", False)),
        ("B1E6", ("ISO 2022 IR 149",), ("길", True)),
        # escapes that are none, or come without a set to follow
        ("1B5B33316D", (), ("\x1b[31m", False)),
        ("1B", ("", "ISO 2022 IR 87"), ("\x1b", False)),
        ("411B2442", ("", "ISO 2022 IR 87"), ("A", True)),
        ("1B2442 3B33 45", ("", "ISO 2022 IR 87"), (";3E", False)),
        ("1B2442 3B33 FF", ("", "ISO 2022 IR 87"), ("山ÿ", False)),
        ("1B2442 3B33 20 4544", ("", "ISO 2022 IR 87"), ("山 田", True)),
        ("1B2943 41", ("", "ISO 2022 IR 149"), ("\x1b)CA", False)),
        # escape sequences that are known though not declared
        ("1B2442 3B33 1B2842", (), ("山", True)),
        # a multi-byte set as value 1 leaves ASCII in its place
        ("41 1B2442 3B33 1B2842 41", ("ISO 2022 IR 87",), ("A山A", True)),
        # UTF-8 has no code extensions: the byte is a control character
        ("1B2442 C3A9", ("ISO_IR 192",), ("\x1b$Bé", True)),
        # a stand-alone set is none of the others (PS3.3 Section C.12.1.1.2)
        ("E9", ("ISO_IR 100", "ISO_IR 192"), ("é", True)),
    ],
)
def test_repairs(value: str, charsets: Charsets, expected: tuple[str, bool]) -> None:
    assert decode_text(bytes.fromhex(value), charsets, "LO") == expected


def test_after_many_misfits_the_rest_is_read_as_latin_1() -> None:
    charsets = ("", "ISO 2022 IR 87")
    kanji = b"\x1b$B;3\x1b(B"
    assert decode_text(b"\x1b[" * 64 + kanji, charsets) == ("\x1b[" * 64 + "山", False)
    assert decode_text(b"\x1b[" * 65 + kanji, charsets) == ("\x1b[" * 65 + "\x1b$B;3\x1b(B", False)


def test_floods_of_delimiters_and_escapes() -> None:
    charsets = ("", "ISO 2022 IR 144")
    assert decode_text(b"^" * 1_000_000 + b"\x1b-L", charsets, "PN") == ("^" * 1_000_000, True)
    assert decode_text(b"\x1b-L" + b"^" * 1_000_000, charsets, "PN") == ("^" * 1_000_000, True)
    assert decode_text(b"\x1b-L" * 100_000, charsets, "PN") == ("", True)
    assert decode_text(b"\x1b" * 1_000_000, charsets, "PN") == ("\x1b" * 1_000_000, False)


def test_only_text_vrs_have_a_character_set() -> None:
    for vr in TEXT_VRS:
        assert decode_text(b"\xe9", ("ISO_IR 100",), vr) == ("é", True)
    for vr in ("CS", "AE", "DA", "UI", "DS", "UR"):
        assert decode_text(b"A1", ("ISO_IR 100",), vr) == ("A1", True)
        assert decode_text(b"\xe9", ("ISO_IR 100",), vr) == ("é", False)


def test_a_letter_outside_the_set_says_what_to_do() -> None:
    for charsets in ((), ("ISO_IR 100",), ("", "ISO 2022 IR 87"), ("GBK",)):
        with pytest.raises(InvalidRequest) as caught:
            encode_text("A\u0e01", charsets, "PN")
        assert "(U+0E01)" in caught.value.text
        assert "-k SpecificCharacterSet=ISO_IR 192" in caught.value.hint


def test_refusals_to_encode() -> None:
    with pytest.raises(InvalidRequest, match="VR CS, which takes ASCII only"):
        encode_text("é", ("ISO_IR 192",), "CS")
    with pytest.raises(InvalidRequest, match=r"unknown character set BOGUS\\x1b"):
        encode_text("é", ("BOGUS\x1b",), "LO")
    with pytest.raises(
        InvalidRequest, match="the byte 80 is no UTF-8"
    ):  # an argument that is no UTF-8
        encode_text("\udc80", ("ISO_IR 192",), "LO")
    with pytest.raises(InvalidRequest, match=r"\(U\+0080\)"):
        encode_text("\x80", ("ISO_IR 100",), "LO")


def test_ascii_is_ascii_whatever_the_set() -> None:
    for charsets in ((), ("BOGUS",), ("ISO_IR 192",), ("", "ISO 2022 IR 87")):
        for vr in ("LO", "CS", "UI"):
            assert encode_text("A*?^\\B", charsets, vr) == b"A*?^\\B"


@pytest.mark.parametrize(
    ("name", "char"),
    [
        ("ISO 2022 IR 149", "뢔"),  # the codec would spell it in eight bytes, which no peer reads
        ("ISO 2022 IR 13", "山"),
        ("ISO 2022 IR 87", "ｱ"),
        ("ISO 2022 IR 87", "丂"),
        ("ISO 2022 IR 159", "山"),
        ("ISO 2022 IR 58", "ä"),
    ],
)
def test_neighbours_of_a_set_are_not_in_it(name: str, char: str) -> None:
    with pytest.raises(InvalidRequest):
        encode_text(char, ("", name), "PN")
