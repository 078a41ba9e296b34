"""Keys as -k takes them."""

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import Element, Item
from asyncfind.query.keys import (
    BadKey,
    KeyFault,
    apply_key,
    build_identifier,
    parse_key,
    parse_path,
    split_key,
)

CHARSET = 0x00080005
STEPS = 0x00400100
"""Scheduled Procedure Step Sequence."""


def leaf(item: Item, tag: int) -> tuple[str, bytes]:
    """VR and value of an element that is no sequence."""
    element = item.elements[tag]
    assert isinstance(element.value, bytes)
    assert element.length == len(element.value)
    return element.vr, element.value


def items_of(item: Item, tag: int = STEPS) -> list[Item]:
    """The items of a sequence."""
    element = item.elements[tag]
    assert element.vr == "SQ"
    assert isinstance(element.value, list)
    return element.value


def text_file(value: bytes, charset: bytes = b"", vr: str = "PN") -> Item:
    """A query file with a Patient's Name, and the same in an item."""
    inner = Item({0x00100010: Element(0x00100010, vr, value, len(value))})
    item = Item({**inner.elements, STEPS: Element(STEPS, "SQ", [inner], 0)})
    if charset:
        item.elements[CHARSET] = Element(CHARSET, "CS", charset, len(charset))
    return item


# Grammar -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("0010,0010", 0x00100010),
        ("(0010,0010)", 0x00100010),
        ("10,10", 0x00100010),
        ("0x10,0X10", 0x00100010),
        (" 10,\t10", 0x00100010),
        ("0010,0010)", 0x00100010),
        ("(0010,0010,9)", 0x00100010),
        ("0010,0010.Modality", 0x00100010),
        ("00100,10010", 0x01000010),  # each number is cut to 16 bits
        ("f" * 5000 + ",10", 0xFFFF0010),
        ("0008,103e", 0x0008103E),
        ("PatientName", 0x00100010),
        ("(PatientName)", 0x00100010),
        ("PatientsName", 0x00100010),
        ("RETIRED_OtherPatientIDs", 0x00101000),
        ("OverlayRows", 0x60000010),
        ("0009,1001", 0x00091001),
    ],
)
def test_a_tag_has_many_spellings(text: str, tag: int) -> None:
    assert parse_path(text) == ((tag, None),)
    assert parse_key(f"{text}=X").tags == (tag,)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("(0040,0100)[0].Modality", ((STEPS, 0), (0x00080060, None))),
        ("(0040,0100)[0].(0008,0060)", ((STEPS, 0), (0x00080060, None))),
        ("0040,0100[1].0008,0060", ((STEPS, 1), (0x00080060, None))),
        ("ScheduledProcedureStepSequence[2]", ((STEPS, 2),)),
        ("ScheduledProcedureStepSequence[0].", ((STEPS, 0),)),
        ("ScheduledProcedureStepSequence[0]/Modality", ((STEPS, 0), (0x00080060, None))),
        ("ScheduledProcedureStepSequence[ +1].Modality", ((STEPS, 1), (0x00080060, None))),
        ("ScheduledProcedureStepSequence[-0].Modality", ((STEPS, 0), (0x00080060, None))),
        ("ScheduledProcedureStepSequence", ((STEPS, None),)),
        (
            "0040,0100[0].0040,0008[3].CodeValue",
            ((STEPS, 0), (0x00400008, 3), (0x00080100, None)),
        ),
        ("(0009,1001)[0].PatientID", ((0x00091001, 0), (0x00100020, None))),
    ],
)
def test_a_path_goes_through_items(text: str, path: tuple[tuple[int, int | None], ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("A=B=C", "A", "B=C"),
        ("A", "A", ""),
        ("A=", "A", ""),
        ("=B", "", "B"),
        ('A="B"', "A", '"B"'),
        ("A=*", "A", "*"),
    ],
)
def test_a_key_is_cut_at_its_first_equals_sign(text: str, path: str, value: str) -> None:
    assert split_key(text) == (path, value)


@pytest.mark.parametrize(
    ("path", "reason", "rest"),
    [
        ("", KeyFault.EMPTY_PATH, ""),
        ("Bogus", KeyFault.UNKNOWN_TAG, "Bogus"),
        ("patientname", KeyFault.UNKNOWN_TAG, "patientname"),
        ("00100010", KeyFault.UNKNOWN_TAG, "00100010"),
        ("0010-0010", KeyFault.UNKNOWN_TAG, "0010-0010"),
        ("10 ,10", KeyFault.UNKNOWN_TAG, "10 ,10"),
        ("0x,10", KeyFault.UNKNOWN_TAG, "0x,10"),
        ("( PatientName)", KeyFault.UNKNOWN_TAG, "( PatientName)"),
        ("()", KeyFault.UNKNOWN_TAG, "()"),
        ("[0].PatientName", KeyFault.UNKNOWN_TAG, "[0].PatientName"),
        ("(0040,0100)[0].Bogus", KeyFault.UNKNOWN_TAG, "Bogus"),
        ("(0040,0100)[0].[0]", KeyFault.UNKNOWN_TAG, "[0]"),
        ("ScheduledProcedureStepSequence.Modality", KeyFault.UNKNOWN_TAG, None),
        ("(0010,0010", KeyFault.UNCLOSED_TAG, "(0010,0010"),
        ("(0040,0100)[0].(0008", KeyFault.UNCLOSED_TAG, "(0008"),
        ("(0040,0100).Modality", KeyFault.BAD_ITEM_NUMBER, ".Modality"),
        ("(0040,0100)[].Modality", KeyFault.BAD_ITEM_NUMBER, "[].Modality"),
        ("(0040,0100)[x].Modality", KeyFault.BAD_ITEM_NUMBER, "[x].Modality"),
        ("(0040,0100)[1x].Modality", KeyFault.BAD_ITEM_NUMBER, "[1x].Modality"),
        ("(0040,0100)[١].Modality", KeyFault.BAD_ITEM_NUMBER, "[١].Modality"),
        ("(0040,0100)[1", KeyFault.BAD_ITEM_NUMBER, "[1"),
        ("(0040,0100)[-1].Modality", KeyFault.NEGATIVE_ITEM_NUMBER, "[-1].Modality"),
        ("(0040,0100)[*].Modality", KeyFault.WILDCARD, ""),
        ("Patient*", KeyFault.WILDCARD, ""),
        ("(0010,0010).x", KeyFault.NOT_A_SEQUENCE, ".x"),
        ("PatientName[0].Bogus", KeyFault.NOT_A_SEQUENCE, "[0].Bogus"),
        ("(0009,0010)[0].x", KeyFault.NOT_A_SEQUENCE, "[0].x"),
    ],
)
def test_a_path_that_findscu_refuses_is_refused(
    path: str, reason: KeyFault, rest: str | None
) -> None:
    with pytest.raises(BadKey) as caught:
        parse_path(path)
    assert caught.value.reason is reason
    assert caught.value.rest == (path if rest is None else rest)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("(0000,0100)=1", KeyFault.FOREIGN_GROUP),
        ("(0002,0010)=1.2", KeyFault.FOREIGN_GROUP),
        ("(fffe,e000)", KeyFault.FOREIGN_GROUP),
        ("(0040,0100)[0].(0002,0010)", KeyFault.FOREIGN_GROUP),
        ("(0040,0100)[10000]", KeyFault.TOO_LARGE),
        (f"(0040,0100)[{'9' * 5000}]", KeyFault.TOO_LARGE),
        ("(0040,0100)[0]." * 65, KeyFault.TOO_LARGE),
    ],
)
def test_what_no_query_can_hold_is_refused(key: str, reason: KeyFault) -> None:
    with pytest.raises(BadKey) as caught:
        parse_key(key)
    assert caught.value.reason is reason
    assert len(caught.value.text) < 200


@pytest.mark.parametrize(
    ("key", "text", "hint"),
    [
        (
            "PatientNam=DOE",
            "key 'PatientNam': neither a DICOM keyword nor a tag",
            "Did you mean PatientName or PatientAge?",
        ),
        (
            "0040,0100[0].modality",
            "key '0040,0100[0].modality': 'modality' is neither a DICOM keyword nor a tag",
            "Did you mean Modality?",
        ),
        (
            "0010-0010",
            "key '0010-0010': neither a DICOM keyword nor a tag",
            "Did you mean 0010,0010?",
        ),
        (
            "ScheduledProcedureStepSequence.Modality=CT",
            "key 'ScheduledProcedureStepSequence.Modality': neither a DICOM keyword nor a tag",
            "Did you mean ScheduledProcedureStepSequence[0].Modality?",
        ),
        (
            "Rows=1\\x\x1b",
            "key 'Rows': '1\\x\\x1b' is no value of Rows, VR US",
            r"Write whole decimal numbers, \ between them: 512\512.",
        ),
        (
            "0029,1008=CT",
            "key '0029,1008': 'CT' is no value of (0029,1008), VR UN",
            (
                "Name the private creator in a key before this one, else: "
                r"Write at most 2 hexadecimal digits a number, \ between them: 1\ff."
            ),
        ),
        (
            "\x1b[31m",
            r"key '\x1b[31m': '\x1b' is neither a DICOM keyword nor a tag",
            "Write a keyword of PS3.6, such as PatientName, or a tag as gggg,eeee.",
        ),
    ],
)
def test_an_error_says_what_to_do(key: str, text: str, hint: str) -> None:
    with pytest.raises(BadKey) as caught:
        build_identifier(None, [key])
    assert (caught.value.text, caught.value.hint) == (text, hint)


# Application -------------------------------------------------------------------------------------


def test_keys_apply_in_order_to_a_copy_of_the_file() -> None:
    base = Item({0x00100020: Element(0x00100020, "SH", b"OLD ", 4)})
    item = build_identifier(base, ["PatientID=A", "PatientID=B", "", "StudyDate"])
    # The VR of the file is kept.
    assert leaf(item, 0x00100020) == ("SH", b"B ")
    assert leaf(item, 0x00080020) == ("DA", b"")
    assert base == Item({0x00100020: Element(0x00100020, "SH", b"OLD ", 4)})


def test_items_of_the_file_are_copied() -> None:
    base = build_identifier(None, ["(0040,0100)[0].Modality=CT"])
    item = build_identifier(base, ["(0040,0100)[0].Modality=MR", "(0040,0100)[1].Modality"])
    assert leaf(items_of(base)[0], 0x00080060) == ("CS", b"CT")
    assert [leaf(one, 0x00080060)[1] for one in items_of(item)] == [b"MR", b""]


def test_missing_items_are_made() -> None:
    item = build_identifier(None, ["(0040,0100)[2].Modality=CT", "(0040,0008)[1]"])
    assert [list(one.elements) for one in items_of(item)] == [[], [], [0x00080060]]
    assert [list(one.elements) for one in items_of(item, 0x00400008)] == [[], []]


@pytest.mark.parametrize("key", ["(0040,0100)", "(0040,0100)="])
def test_a_sequence_alone_is_made_empty_or_left_as_it_is(key: str) -> None:
    assert items_of(build_identifier(None, [key])) == []
    item = build_identifier(None, ["(0040,0100)[0].Modality=CT", key])
    assert leaf(items_of(item)[0], 0x00080060) == ("CS", b"CT")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("(0040,0100)=X", KeyFault.VALUE_FOR_SEQUENCE),
        ("(0040,0100)[0]=X", KeyFault.VALUE_FOR_SEQUENCE),
        ("(0009,1001)[0].PatientID=X", KeyFault.NOT_A_SEQUENCE),
        ("Rows=abc", KeyFault.BAD_VALUE),
        ("FrameIncrementPointer=0018,1063", KeyFault.BAD_VALUE),
        ("(0042,0011)=foo", KeyFault.BAD_VALUE),
        ("QueryRetrieveLevel=Ä", KeyFault.NO_CHARACTER),
    ],
)
def test_a_key_that_does_not_fit_is_refused(key: str, reason: KeyFault) -> None:
    with pytest.raises(BadKey) as caught:
        build_identifier(None, [key])
    assert caught.value.reason is reason
    assert caught.value.hint


def test_the_file_knows_what_is_a_sequence() -> None:
    unknown = 0x00189999
    base = Item({unknown: Element(unknown, "SQ", [], 0)})
    item = build_identifier(base, ["0018,9999[0].PatientID=X"])
    assert leaf(items_of(item, unknown)[0], 0x00100020) == ("LO", b"X ")
    base = Item({unknown: Element(unknown, "UN", b"", 0)})
    with pytest.raises(BadKey) as caught:
        build_identifier(base, ["0018,9999[0].PatientID=X"])
    assert caught.value.reason is KeyFault.NOT_A_SEQUENCE


def test_the_creator_that_is_there_gives_private_keys_their_vr() -> None:
    creator, key = "(0029,0010)=SIEMENS MEDCOM HEADER", "(0029,1008)=41"
    assert leaf(build_identifier(None, [creator, key]), 0x00291008) == ("CS", b"41")
    assert leaf(build_identifier(None, [key, creator]), 0x00291008) == ("UN", b"\x41\x00")
    other = build_identifier(None, ["(0029,0010)=NOBODY", key])
    assert leaf(other, 0x00291008) == ("UN", b"\x41\x00")
    # A creator counts in its own item alone.
    item = build_identifier(None, [creator, "(0040,0100)[0].(0029,1008)=41"])
    assert leaf(items_of(item)[0], 0x00291008) == ("UN", b"\x41\x00")


def test_a_private_sequence_is_known_by_its_creator() -> None:
    keys = ["(0029,0010)=SIEMENS MEDCOM HEADER", "(0029,1040)[0].PatientID=X"]
    item = build_identifier(None, keys)
    assert leaf(items_of(item, 0x00291040)[0], 0x00100020) == ("LO", b"X ")


def test_no_keys_and_no_file_give_an_empty_identifier() -> None:
    assert build_identifier(None, ["", ""]) == Item()


def test_one_key_alone_can_be_applied() -> None:
    item = Item()
    apply_key(item, parse_key("PatientName=Müller"), ("ISO_IR 100",))
    assert leaf(item, 0x00100010) == ("PN", b"M\xfcller")
    assert CHARSET not in item.elements


# Character sets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        ["PatientName=Müller", "SpecificCharacterSet=ISO_IR 100"],
        ["SpecificCharacterSet=ISO_IR 100", "PatientName=Müller"],
        ["SpecificCharacterSet=ISO_IR 192", "PatientName=Müller", "0008,0005=ISO_IR 100"],
    ],
)
def test_text_is_encoded_in_the_query_s_character_set(keys: list[str]) -> None:
    item = build_identifier(None, keys)
    assert leaf(item, CHARSET) == ("CS", b"ISO_IR 100")
    assert leaf(item, 0x00100010) == ("PN", b"M\xfcller")


def test_text_is_encoded_in_the_file_s_character_set() -> None:
    base = build_identifier(None, ["SpecificCharacterSet=ISO_IR 144"])
    item = build_identifier(base, ["PatientName=Люк", "(0040,0100)[0].PatientName=Люк"])
    assert leaf(item, 0x00100010) == ("PN", b"\xbb\xee\xda ")
    assert leaf(items_of(item)[0], 0x00100010) == ("PN", b"\xbb\xee\xda ")


@pytest.mark.parametrize("keys", [[], ["SpecificCharacterSet"]])
def test_text_without_character_set_becomes_utf_8_and_says_so(keys: list[str]) -> None:
    item = build_identifier(None, [*keys, "PatientName=Müller"])
    assert leaf(item, CHARSET) == ("CS", b"ISO_IR 192")
    assert leaf(item, 0x00100010) == ("PN", b"M\xc3\xbcller ")


def test_another_set_than_utf_8_can_be_the_one_that_is_taken() -> None:
    item = build_identifier(None, ["PatientName=Müller"], "ISO_IR 100")
    assert leaf(item, CHARSET) == ("CS", b"ISO_IR 100")
    assert leaf(item, 0x00100010) == ("PN", b"M\xfcller")


def test_ascii_needs_no_character_set() -> None:
    item = build_identifier(None, ["PatientName=A*"], "ISO_IR 100")
    assert list(item.elements) == [0x00100010]


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        (["PatientName=山田", "SpecificCharacterSet=ISO_IR 100"], "山"),
        (["PatientName=ä", "SpecificCharacterSet=BOGUS"], "BOGUS"),
        (["PatientName=\udcff"], "the byte FF is no UTF-8"),  # what is no UTF-8 on the command line
    ],
)
def test_text_that_the_character_set_lacks_is_refused(keys: list[str], word: str) -> None:
    with pytest.raises(BadKey, match=word) as caught:
        build_identifier(None, keys)
    assert caught.value.reason is KeyFault.NO_CHARACTER
    assert caught.value.hint


def test_an_item_may_have_a_character_set_of_its_own() -> None:
    inner = "ScheduledProcedureStepSequence[0]."
    item = build_identifier(
        None,
        [
            "SpecificCharacterSet=ISO_IR 192",
            "PatientName=Müller",
            f"{inner}PatientName=Müller",
            f"{inner}SpecificCharacterSet=ISO_IR 100",
        ],
    )
    assert leaf(item, 0x00100010) == ("PN", b"M\xc3\xbcller ")
    assert leaf(items_of(item)[0], 0x00100010) == ("PN", b"M\xfcller")


def test_a_new_character_set_changes_the_text_of_the_file_too() -> None:
    base = text_file(b"M\xfcller", b"ISO_IR 100")
    item = build_identifier(base, ["SpecificCharacterSet=ISO_IR 192", "PatientID=1"])
    assert leaf(item, 0x00100010) == ("PN", b"M\xc3\xbcller ")
    assert leaf(items_of(item)[0], 0x00100010) == ("PN", b"M\xc3\xbcller ")
    assert base == text_file(b"M\xfcller", b"ISO_IR 100")


def test_text_of_the_file_is_left_alone_where_its_set_stays() -> None:
    base = text_file(b"M\xfcller", b"ISO_IR 100")
    item = build_identifier(base, ["PatientID=ä", "SpecificCharacterSet=ISO_IR 100"])
    assert leaf(item, 0x00100010) == ("PN", b"M\xfcller")
    # ... be it broken
    base = text_file(b"M\xfcller", b"ISO_IR 192")
    assert leaf(build_identifier(base, ["PatientID=ä"]), 0x00100010) == ("PN", b"M\xfcller")


def test_a_key_names_the_set_of_a_file_that_names_none() -> None:
    item = build_identifier(text_file(b"M\xfcller"), ["SpecificCharacterSet=ISO_IR 100"])
    assert leaf(item, 0x00100010) == ("PN", b"M\xfcller")


def test_utf_8_in_a_file_that_names_no_set_is_understood() -> None:
    base = text_file(b"M\xc3\xbcller ")
    assert leaf(build_identifier(base, ["PatientID=ä"]), 0x00100010) == ("PN", b"M\xc3\xbcller ")
    item = build_identifier(base, ["SpecificCharacterSet=ISO_IR 100"])
    assert leaf(item, 0x00100010) == ("PN", b"M\xfcller")


@pytest.mark.parametrize("charset", [b"", b"ISO_IR 192"])
def test_text_of_the_file_that_cannot_be_understood_is_not_relabelled(charset: bytes) -> None:
    key = "SpecificCharacterSet=ISO_IR 144" if charset else "PatientID=ä"
    with pytest.raises(InvalidRequest, match="PatientName has characters of an unknown set"):
        build_identifier(text_file(b"M\xfcller", charset), [key])


def test_other_vrs_of_the_file_are_left_alone() -> None:
    base = text_file(b"\xff\xfe", b"ISO_IR 100", vr="OB")
    item = build_identifier(base, ["SpecificCharacterSet=ISO_IR 192"])
    assert leaf(item, 0x00100010) == ("OB", b"\xff\xfe")
