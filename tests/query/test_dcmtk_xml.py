"""XML of responses: byte for byte as findscu 3.6.7 writes it, and what can always be read."""

import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.query.dcmtk_dictionary import built_in_dictionary
from asyncfind.query.dcmtk_utf8 import CannotConvert, readable_utf8, to_utf8
from asyncfind.query.dcmtk_xml import (
    CLOSING,
    OPENING,
    data_set_utf8,
    data_set_xml,
    readable_data_set,
    readable_document,
    xml_document,
)
from asyncfind.query.element import Element, Item
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item

_GOLDEN = Path(__file__).parent / "data" / "extract"
_NAMES = built_in_dictionary()
_LITTLE = EXPLICIT_VR_LITTLE_ENDIAN


def _golden(name: str) -> Item:
    return read_item((_GOLDEN / f"{name}.identifier").read_bytes(), _LITTLE)


def _item(*elements: tuple[int, str, bytes | list[Item]]) -> Item:
    return Item(
        {
            tag: Element(tag, vr, value, 0 if isinstance(value, list) else len(value))
            for tag, vr, value in elements
        }
    )


def _lines(item: Item, **options: bool) -> list[str]:
    text = data_set_xml(item, _LITTLE, _NAMES, **options).decode("latin_1")
    return text.splitlines()[1:-1]


def _content(vr: str, value: bytes, **options: bool) -> tuple[str, str]:
    """What stands in an element, and its vm."""
    (line,) = _lines(_item((0x00081234, vr, value)), **options)
    start, _, rest = line.partition('vm="')
    assert start == f'<element tag="0008,1234" vr="{vr}" '
    return rest.partition(">")[2].removesuffix("</element>"), rest.partition('"')[0]


def _with_charset(charset: bytes, text: bytes, vr: str = "LO") -> Item:
    return _item((0x00080005, "CS", charset), (0x00100010, vr, text))


# --- as findscu wrote it ---


def test_a_response_with_every_vr_is_the_document_that_findscu_wrote() -> None:
    document, warnings = xml_document(_golden("every-vr"), _LITTLE, _NAMES)
    assert document == (_GOLDEN / "every-vr.xml").read_bytes()
    assert warnings == []


def test_a_worklist_entry_is_the_document_that_findscu_wrote() -> None:
    document, warnings = xml_document(_golden("worklist"), _LITTLE, _NAMES)
    assert document == (_GOLDEN / "worklist.xml").read_bytes()
    assert warnings == []


def test_all_responses_in_one_document() -> None:
    element, warnings = data_set_utf8(_golden("worklist"), _LITTLE, _NAMES)
    assert OPENING + element + CLOSING == (_GOLDEN / "worklist-all.xml").read_bytes()
    assert warnings == ()


# --- elements ---


@pytest.mark.parametrize("vr", ["AE", "CS", "IS", "LO", "SH"])
def test_blanks_on_both_sides_are_padding(vr: str) -> None:
    assert _content(vr, b"  a b \\ \\ c ") == ("a b\\\\c", "3")


@pytest.mark.parametrize("vr", ["DA", "DT", "PN", "TM", "UC"])
def test_blanks_behind_are_padding_but_for_a_lone_one(vr: str) -> None:
    assert _content(vr, b"  a b  \\ \\  \\ c ") == ("  a b\\ \\\\ c", "4")
    assert _content(vr, b" ") == ("", "1")


@pytest.mark.parametrize("vr", ["LT", "ST", "UR", "UT"])
def test_text_is_one_value(vr: str) -> None:
    assert _content(vr, b"  a \\ b ") == ("  a \\ b", "1")
    assert _content(vr, b" ") == (" ", "1")
    assert _content(vr, b"") == ("", "0")


@pytest.mark.parametrize("vr", ["AS", "DS", "UI"])
def test_other_strings_keep_their_blanks(vr: str) -> None:
    assert _content(vr, b"  1 \\ 2 ") == ("  1 \\ 2 ", "2")


@pytest.mark.parametrize(
    ("vr", "value", "shown"),
    [
        ("AS", b"abc", "abc "),
        ("AS", b" ", "  "),
        ("DS", b"abc", "abc"),
        ("DS", b"ab ", "ab "),
        ("UI", b"abc", "abc"),
        ("UI", b"ab ", "ab"),
        ("UI", b"\\\\ ", "\\\\"),
        ("DA", b" ", ""),
        ("PN", b"a\\ ", "a\\"),
        ("LT", b"ab ", "ab"),
        ("UR", b" ", " "),
    ],
)
def test_values_of_odd_length_are_padded_before(vr: str, value: bytes, shown: str) -> None:
    item = _item((0x00081234, vr, value))
    assert _content(vr, value)[0] == shown
    assert f'len="{len(value)}"' in _lines(item)[0]


@pytest.mark.parametrize(
    ("uid", "shown"),
    [
        (b"1.2\0", "1.2"),
        (b"1.2 \0\0", "1.2"),
        (b"1.2  \0", "1.2 "),
        (b"1 \0\\2\0", "1\\2"),
        (b"1 \0\\2 ", "1\\2 "),
        (b" \0", ""),
    ],
)
def test_a_uid_loses_its_padding_and_a_blank_before_it(uid: bytes, shown: str) -> None:
    assert _content("UI", uid)[0] == shown


def test_of_a_uid_of_nuls_one_is_left() -> None:
    assert _content("UI", b"\0\0", quote=True)[0] == "&#0;"
    assert _content("UI", b"\0\0")[0] == ""


def test_markup_is_escaped_and_nul_dropped() -> None:
    value = b"<a>&\"'\r\n\t\x01\x7f\0."
    assert _content("LT", value)[0] == "&lt;a&gt;&amp;&quot;&apos;&#13;&#10;\t\x01\x7f."


def test_quoting_leaves_ascii_alone() -> None:
    value = b"<a>\r\n\t\x01\x7f\0\xfc."
    assert _content("LT", value, quote=True)[0] == ("&lt;a&gt;&#13;&#10;&#9;&#1;&#127;&#0;&#252;.")


@pytest.mark.parametrize(
    ("vr", "value", "content", "vm"),
    [
        ("US", "01000200", "1\\2", "2"),
        ("SS", "ffff", "-1", "1"),
        ("UL", "ffffffff", "4294967295", "1"),
        ("SL", "ffffffff", "-1", "1"),
        ("UV", "ffffffffffffffff", "18446744073709551615", "1"),
        ("SV", "ffffffffffffffff", "-1", "1"),
        ("OL", "0100000002000000", "1\\2", "1"),
        ("OV", "0100000000000000", "1", "1"),
        ("AT", "08000500100010f0", "(0008,0005)\\(0010,f010)", "2"),
        ("FL", "cdcccc3d0000803f", "0.100000001\\1", "2"),
        ("FD", "9a9999999999b93f", "0.1", "1"),
        ("OF", "cdcccc3d0000803f", "0.1\\1", "1"),
        ("OD", "9a9999999999b93f", "0.10000000000000001", "1"),
        # too short for a number, or for another one
        ("UL", "0100", "", "0"),
        ("US", "010002", "1", "1"),
        ("OL", "0100", "", "1"),
        ("FD", "", "", "0"),
        ("OD", "", "", "1"),
    ],
)
def test_numbers(vr: str, value: str, content: str, vm: str) -> None:
    assert _content(vr, bytes.fromhex(value)) == (content, vm)


@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "??", "lt", "ox", "px"])
def test_bytes_are_hidden(vr: str) -> None:
    valid = {"??": "UN", "lt": "OW", "ox": "OB", "px": "OB"}.get(vr, vr)
    (line,) = _lines(_item((0x7FE00010, vr, b"ab")))
    assert line == (
        f'<element tag="7fe0,0010" vr="{valid}" vm="1" len="2" name="PixelData" '
        'binary="hidden"></element>'
    )


def test_vrs_of_dcmtk_s_own_are_shown_as_what_they_stand_for() -> None:
    (line,) = _lines(_item((0x00280106, "xs", b"\1\0")))
    assert line.startswith('<element tag="0028,0106" vr="US" vm="1" len="2"')
    assert line.endswith(">1</element>")


def test_lengths_that_are_undefined_are_left_out() -> None:
    item = read_item(
        bytes.fromhex(
            "08001011 5351 0000 ffffffff feff00e0 ffffffff feff0de0 00000000 feffdde0 00000000"
            "08001111 5351 0000 08000000 feff00e0 00000000"
            "e07f1000 4f42 0000 ffffffff feff00e0 00000000 feff00e0 02000000 6162"
            "feffdde0 00000000"
        ),
        _LITTLE,
    )
    assert _lines(item) == [
        '<sequence tag="0008,1110" vr="SQ" card="1" name="ReferencedStudySequence">',
        '<item card="0">',
        "</item>",
        "</sequence>",
        (
            '<sequence tag="0008,1111" vr="SQ" card="1" len="8" '
            'name="ReferencedPerformedProcedureStepSequence">'
        ),
        '<item card="0" len="0">',
        "</item>",
        "</sequence>",
        '<sequence tag="7fe0,0010" vr="OB" card="2" name="PixelData">',
        '<pixel-item len="0" binary="hidden"></pixel-item>',
        '<pixel-item len="2" binary="hidden"></pixel-item>',
        "</sequence>",
    ]


def test_elements_are_in_ascending_order_and_the_syntax_is_named() -> None:
    item = _item((0x00100020, "LO", b"B"), (0x00080060, "CS", b"CT"))
    assert data_set_xml(item, IMPLICIT_VR_LITTLE_ENDIAN, _NAMES) == (
        b'<data-set xfer="1.2.840.10008.1.2" name="Little Endian Implicit">\n'
        b'<element tag="0008,0060" vr="CS" vm="1" len="2" name="Modality">CT</element>\n'
        b'<element tag="0010,0020" vr="LO" vm="1" len="1" name="PatientID">B</element>\n'
        b"</data-set>\n"
    )


class _Asked:
    """Names that tell what they were asked for."""

    def name_of(self, tag: int, creator: str = "") -> str:
        return f"{tag:08x}<{creator}>"


@pytest.mark.parametrize(
    ("vr", "creator", "known_as"),
    [
        ("LO", b"ACME", "ACME"),
        ("CS", b"ACME\0\0", "ACME"),
        # DCMTK takes blanks for a part of it
        ("LO", b"SPI ", "SPI "),
        ("UN", b"ACME", ""),
    ],
)
def test_a_private_tag_goes_by_its_creator(vr: str, creator: bytes, known_as: str) -> None:
    inner = _item((0x00091001, "CS", b"X"))
    item = _item((0x00090010, vr, creator), (0x00091001, "CS", b"X"), (0x00091101, "SQ", [inner]))
    text = data_set_xml(item, _LITTLE, _Asked()).decode()
    names = [part.partition('"')[0] for part in text.split('name="')[2:]]
    assert names == [
        "00090010&lt;&gt;",
        f"00091001&lt;{known_as}&gt;",
        "00091101&lt;&gt;",
        "00091001&lt;&gt;",  # of an item that has no creator itself
    ]


def test_sequences_may_be_nested_as_deep_as_they_can_be_read() -> None:
    item = _item((0x00100010, "PN", b"A"))
    for _ in range(3000):
        item = _item((0x00081110, "SQ", [item]))
    document = data_set_xml(item, _LITTLE, _NAMES)
    assert document.count(b"<sequence ") == document.count(b"</sequence>") == 3000


# --- the declaration of -Xx ---


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        (b"ISO_IR 6", ' encoding="UTF-8"'),
        (b"ISO_IR 192", ' encoding="UTF-8"'),
        (b"ISO_IR 100", ' encoding="ISO-8859-1"'),
        (b"ISO_IR 101", ' encoding="ISO-8859-2"'),
        (b"ISO_IR 109", ' encoding="ISO-8859-3"'),
        (b"ISO_IR 110", ' encoding="ISO-8859-4"'),
        (b"ISO_IR 144", ' encoding="ISO-8859-5"'),
        (b"ISO_IR 127", ' encoding="ISO-8859-6"'),
        (b"ISO_IR 126", ' encoding="ISO-8859-7"'),
        (b"ISO_IR 138", ' encoding="ISO-8859-8"'),
        (b" ISO_IR 148 ", ' encoding="ISO-8859-9"'),
        (b"  ", ""),
        (b"", ""),
    ],
)
def test_character_sets_that_xml_knows(charset: bytes, encoding: str) -> None:
    document, warnings = xml_document(_with_charset(charset, b"a"), _LITTLE, _NAMES)
    assert document.startswith(f'<?xml version="1.0"{encoding}?>\n'.encode())
    assert warnings == []


def test_without_character_set_bytes_are_copied() -> None:
    document, warnings = xml_document(_item((0x00100010, "PN", b"M\xfc\x01")), _LITTLE, _NAMES)
    assert document.startswith(b'<?xml version="1.0"?>\n')
    assert b">M\xfc\x01</element>" in document
    assert warnings == []


@pytest.mark.parametrize("charset", [b"ISO_IR 203", b"GB18030", b"\\ISO 2022 IR 87", b"FOO"])
def test_other_character_sets_are_quoted(charset: bytes) -> None:
    warning = f"SpecificCharacterSet (0008,0005) value '{charset.decode()}' not supported"
    document, warnings = xml_document(_with_charset(charset, b"M\xfc\x01"), _LITTLE, _NAMES)
    assert b">M&#252;&#1;</element>" in document
    assert warnings == [f"{warning} ... quoting non-ASCII characters"]
    document, warnings = xml_document(_with_charset(charset, b"M\x01"), _LITTLE, _NAMES)
    assert b">M&#1;</element>" in document
    assert warnings == [warning]


@pytest.mark.parametrize(("vr", "told"), [("PN", True), ("UT", True), ("CS", False), ("OB", False)])
def test_a_byte_is_worth_the_warning_where_the_character_set_counts(vr: str, told: bool) -> None:
    item = _with_charset(b"FOO", b"a")
    item.elements[0x00081110] = Element(0x00081110, "SQ", [_item((0x00091001, vr, b"\xe9"))], 0)
    (warning,) = xml_document(item, _LITTLE, _NAMES)[1]
    assert warning.endswith("quoting non-ASCII characters") == told


# --- to UTF-8, for -Xs ---


@pytest.mark.parametrize(
    ("charset", "vr", "value", "text"),
    [
        (b"ISO_IR 100", "PN", b"M\xfcller", "Müller"),
        (b" ISO_IR 144", "LO", b"\xb8\xd2\xd0\xdd", "Иван"),
        (b"ISO_IR 166", "LO", b"\xa1\xa2", "กข"),
        (b"GB18030", "LO", b"\x95\x5c\\a", "昞\\a"),
        (b"GBK", "PN", b"\xcd\xf5^\xd0\xa1", "王^小"),
        (b"ISO_IR 13", "PN", b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
        # Romaji, backslash and tilde included
        (b"ISO_IR 13", "LO", b"a~\\b", "a‾¥b"),
        (b"\\ISO 2022 IR 149", "PN", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce", "Hong=洪^吉"),
        (b"\\ISO 2022 IR 58", "PN", b"Zhang=\x1b$)A\xd5\xc5^x", "Zhang=张^x"),
        (b"\\ISO 2022 IR 87", "PN", b"Y=\x1b$B;3ED\x1b(B^x", "Y=山田^x"),
        # half a character may look like a delimiter
        (b"\\ISO 2022 IR 87", "LO", b"\x1b$B%=\x1b(B", "ソ"),
        (b"\\ISO 2022 IR 159", "LO", b"\x1b$(D0!\x1b(B", "丂"),
        (b"ISO 2022 IR 100\\ISO 2022 IR 144", "LO", b"\xfc\x1b-L\xd0\\\xfc", "üа\\ü"),
        (b"ISO 2022 IR 13\\ISO 2022 IR 100", "LO", b"a~\x1b(Bb\\~", "a‾b\\‾"),
        (b"\\ISO 2022 IR 149", "LT", b"\x1b$)C\xfb\xf3\\\xfb\xf3\r\nx", "洪\\洪\r\nx"),
        # an escape sequence that the value has no room for is dropped
        (b"\\ISO 2022 IR 100", "LO", b"ab\x1b(", "ab("),
        (b"\\ISO 2022 IR 100", "LO", b"a\x1b", "a"),
    ],
)
def test_text_becomes_utf_8(charset: bytes, vr: str, value: bytes, text: str) -> None:
    expected = text.encode()
    even = len(expected) + len(expected) % 2
    converted = to_utf8(_with_charset(charset, value, vr))
    assert converted.item.elements[0x00100010] == (0x00100010, vr, expected, even)
    assert converted.item.elements[0x00080005] == (0x00080005, "CS", b"ISO_IR 192", 10)


def test_a_converted_value_is_shown_before_it_is_padded() -> None:
    item = _with_charset(b"\\ISO 2022 IR 100", b"\x1b(B ", "ST")
    line = data_set_utf8(item, _LITTLE, _NAMES)[0].splitlines()[2]
    assert line == (
        b'<element tag="0010,0010" vr="ST" vm="1" len="2" name="PatientName"> </element>'
    )


@pytest.mark.parametrize("charset", [b"", b"  ", b"ISO_IR 192"])
def test_nothing_is_converted_where_nothing_has_to_be(charset: bytes) -> None:
    item = _with_charset(charset, b"M\xfcller ")
    assert to_utf8(item).item is item
    bare = _item((0x00100010, "PN", b"M\xfc"))
    assert to_utf8(bare).item is bare


def test_items_go_by_the_character_set_of_the_data_set_and_keep_their_own_and_all_lengths() -> None:
    inner = _with_charset(b"ISO_IR 144", b"\xd0 ", "PN")
    inner.length = 30
    item = _with_charset(b"ISO_IR 100", b"", "PN")
    item.elements[0x00081110] = Element(0x00081110, "SQ", [inner, Item({}, 0xFFFFFFFF)], 46)
    item.elements[0x00080060] = Element(0x00080060, "CS", b"\xd0", 1)
    converted = to_utf8(item).item
    sequence = converted.elements[0x00081110]
    assert sequence.length == 46
    assert isinstance(sequence.value, list)
    assert [one.length for one in sequence.value] == [30, 0xFFFFFFFF]
    assert sequence.value[0].elements[0x00080005].value == b"ISO_IR 144"
    assert sequence.value[0].elements[0x00100010] == (0x00100010, "PN", b"\xc3\x90 ", 4)
    assert converted.elements[0x00080060].value == b"\xd0"
    assert converted.elements[0x00100010].value == b""


_CANNOT_SELECT = "Cannot select source character set: SpecificCharacterSet (0008,0005) value"
_ILLEGAL = "Cannot convert character encoding: Invalid or incomplete multibyte or wide character"
_INCOMPLETE = "Cannot convert character encoding: Invalid argument"


@pytest.mark.parametrize(
    ("charset", "value", "text"),
    [
        (b"FOO", b"a", f"{_CANNOT_SELECT} 'FOO' not supported"),
        (b"iso_ir 100", b"a", f"{_CANNOT_SELECT} 'iso_ir 100' not supported"),
        (b"ISO_IR 203", b"a", f"{_CANNOT_SELECT} 'ISO_IR 203' not supported"),
        (b"ISO 2022 IR 100", b"a", f"{_CANNOT_SELECT} 'ISO 2022 IR 100' not supported"),
        (
            b"ISO_IR 6\\ISO 2022 IR 100",
            b"a",
            f"{_CANNOT_SELECT} 1 of 2 'ISO_IR 6' not supported",
        ),
        (b"\\ISO_IR 192", b"a", f"{_CANNOT_SELECT} 2 of 2 'ISO_IR 192' not supported"),
        (b"\\", b"a", f"{_CANNOT_SELECT} 2 of 2 '' not supported"),
        (b"ISO_IR 6", b"\xfc", _ILLEGAL),
        (b"ISO_IR 166", b"\x80", _ILLEGAL),
        (b"ISO_IR 166", b"\xff", _ILLEGAL),
        (b"ISO_IR 13", b"\x81", _INCOMPLETE),
        (b"ISO_IR 13", b"\xfd", _ILLEGAL),
        (b"GB18030", b"\x81", _INCOMPLETE),
        (b"GB18030", b"\xff", _ILLEGAL),
        (b"GBK", b"a\x81\xff", _ILLEGAL),
        (b"\\ISO 2022 IR 149", b"\x1b$)C\xfb", _ILLEGAL),
        (b"\\ISO 2022 IR 149", b"\xfb\xf3", _ILLEGAL),
        (b"\\ISO 2022 IR 100", b"\x1b-A\xfc\\\xfc", _ILLEGAL),
        (
            b"\\ISO 2022 IR 100",
            b"\x1b-L\xd0",
            (
                "Cannot convert character set: Escape sequence refers to character set "
                "'ISO 2022 IR 144' that was not declared in SpecificCharacterSet (0008,0005)"
            ),
        ),
        (
            b"\\ISO 2022 IR 100",
            b"\x1bQabc",
            "Cannot convert character set: Illegal escape sequence 'ESC 05/01 06/01' found",
        ),
        (
            b"\\ISO 2022 IR 100",
            b"a\x1b$)",
            "Cannot convert character set: Illegal escape sequence 'ESC 02/04 02/09 00/00' found",
        ),
        (
            b"\\ISO 2022 IR 100",
            b"\x1b\xfb\xf3",
            "Cannot convert character set: Illegal escape sequence 'ESC -1/11 -1/03' found",
        ),
    ],
)
def test_what_cannot_be_converted_is_left_out(charset: bytes, value: bytes, text: str) -> None:
    with pytest.raises(CannotConvert) as caught:
        data_set_utf8(_with_charset(charset, value), _LITTLE, _NAMES)
    assert caught.value.log_text == text
    told = bool(caught.value.warnings) and caught.value.warnings[-1].startswith("DcmItem: An error")
    assert told is not text.startswith("Cannot select")


def test_a_peer_s_text_in_an_error_is_safe() -> None:
    with pytest.raises(CannotConvert) as caught:
        to_utf8(_with_charset(b"\x1b[31m" + b"x" * 300, b"a"))
    assert "\x1b" in caught.value.log_text
    assert "\\x1b[31m" in caught.value.text
    assert len(caught.value.text) == 200


_FIRST_GROUP = "DcmSpecificCharacterSet: Escape sequences shall not be used in the first"


@pytest.mark.parametrize(
    ("charset", "value", "starts"),
    [
        (b"ISO_IR 6", b"a", ["DcmSpecificCharacterSet: 'ISO_IR 6' is not a defined term in DICOM"]),
        (b"\\ISO 2022 IR 100\\ISO 2022 IR 100", b"a", [
            "DcmSpecificCharacterSet: 'ISO 2022 IR 100' is defined more than once",
        ]),
        (b"\\ISO 2022 IR 100", b"\x1b-A\xfc^\x1b-A\xfc=\x1b-A\xfc", [_FIRST_GROUP] * 2),
        (b"\\ISO 2022 IR 100", b"a=\x1b-A\xfc\\\x1b-A\xfc", []),
        (b"\\ISO 2022 IR 100", b"a\x1b", [_FIRST_GROUP]),
    ],
)  # fmt: skip
def test_warnings(charset: bytes, value: bytes, starts: list[str]) -> None:
    warnings = to_utf8(_with_charset(charset, value, "PN")).warnings
    assert [one[: len(start)] for one, start in zip(warnings, starts, strict=True)] == starts


def test_an_error_comes_after_the_warnings_that_led_to_it() -> None:
    item = _with_charset(b"\\ISO 2022 IR 100", b"\xfc\x1b-A\xfc", "PN")
    with pytest.raises(CannotConvert) as caught:
        to_utf8(item)
    assert caught.value.log_text == _ILLEGAL
    assert [one[:8] for one in caught.value.warnings] == ["DcmSpeci", "DcmItem:"]


# --- what can always be read ---

_VRS = ("AE", "AS", "CS", "DA", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UT")


@given(
    st.sampled_from([b"", b"ISO_IR 192", b"ISO_IR 100", b"\\ISO 2022 IR 87", b"GB18030", b"FOO"]),
    st.lists(st.tuples(st.sampled_from(_VRS), st.binary(max_size=40)), max_size=5),
)
def test_readable_documents_are_well_formed(
    charset: bytes, values: list[tuple[str, bytes]]
) -> None:
    leaves = [(0x00091001 + place, vr, value) for place, (vr, value) in enumerate(values)]
    item = _item((0x00080005, "CS", charset), (0x00081110, "SQ", [_item(*leaves)]), *leaves)
    root = ET.fromstring(readable_document(item, _LITTLE, _NAMES))
    assert root.tag == "data-set"
    assert len(root.findall("element")) == len(values) + 1
    assert len(root.findall("sequence/item/element")) == len(values)
    whole = OPENING + readable_data_set(item, _LITTLE, _NAMES) + CLOSING
    assert ET.fromstring(whole)[0].tag == "data-set"


def test_readable_text_is_what_the_character_sets_say() -> None:
    item = _with_charset(b"ISO_IR 144", b"\xb8\xd2\xd0\xdd", "PN")
    item.elements[0x00081110] = Element(
        0x00081110, "SQ", [_with_charset(b"ISO_IR 100", b"M\xfcller\x01\0", "PN")], 0
    )
    root = ET.fromstring(readable_document(item, _LITTLE, _NAMES))
    names = [one.text for one in root.iter("element") if one.get("name") == "PatientName"]
    assert names == ["Müller\ufffd", "Иван"]
    charsets = [one.text for one in root.iter("element") if one.get("tag") == "0008,0005"]
    assert charsets == ["ISO_IR 192", "ISO_IR 192"]


def test_readable_text_replaces_noncharacters() -> None:
    item = _with_charset(b"ISO_IR 192", "a\ufffeb\uffff".encode(), "UT")
    root = ET.fromstring(readable_document(item, _LITTLE, _NAMES))
    assert root[1].text == "a\ufffdb\ufffd"


def test_a_readable_copy_leaves_the_rest_as_it_is() -> None:
    item = _item((0x00080060, "CS", b"CT"), (0x00280010, "US", struct.pack("<H", 512)))
    assert readable_utf8(item) == item
    assert write_item(readable_utf8(_golden("worklist")), _LITTLE) == write_item(
        _golden("worklist"), _LITTLE
    )
