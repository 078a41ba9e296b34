"""Keys as -k takes them."""

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import Element, Item
from asyncfind.query.keys import build_identifier, parse_key


def _value(*keys: str) -> tuple[str, bytes]:
    item = build_identifier(None, keys)
    (element,) = (one for tag, one in item.elements.items() if tag != 0x00080005)
    assert isinstance(element.value, bytes)
    return element.vr, element.value


@pytest.mark.parametrize(
    ("key", "tag"),
    [
        ("0010,0010", 0x00100010),
        ("(0010,0010)", 0x00100010),
        ("10,10", 0x00100010),
        ("0x10,0x10", 0x00100010),
        ("0010,0010)", 0x00100010),
        ("(0010,0010,9)", 0x00100010),
        ("PatientName", 0x00100010),
        ("(PatientName)", 0x00100010),
        ("PatientsName", 0x00100010),
        ("00100,10010", 0x01000010),
    ],
)
def test_a_tag_has_many_spellings(key: str, tag: int) -> None:
    assert parse_key(key).path == ((tag, None),)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("(0040,0100)[0].Modality=CT", ((0x00400100, 0), (0x00080060, None))),
        ("0040,0100[1].0008,0060", ((0x00400100, 1), (0x00080060, None))),
        ("ScheduledProcedureStepSequence[2]", ((0x00400100, 2),)),
        ("ScheduledProcedureStepSequence[0].", ((0x00400100, 0),)),
        ("ScheduledProcedureStepSequence", ((0x00400100, None),)),
    ],
)
def test_a_path_goes_through_items(key: str, path: tuple[tuple[int, int | None], ...]) -> None:
    assert parse_key(key).path == path


@pytest.mark.parametrize(
    ("key", "vr", "value"),
    [
        ("PatientID=A=B", "LO", b"A=B "),
        ("PatientID", "LO", b""),
        ("PatientID=", "LO", b""),
        ("StudyInstanceUID=1.2.3", "UI", b"1.2.3\0"),
        ("ModalitiesInStudy=CT\\MR", "CS", b"CT\\MR "),
        ("(0028,0010)=512", "US", b"\x00\x02"),
        ("(0028,0010)=70000", "US", b"\x70\x11"),
        ("(0028,0010)=-1", "US", b"\xff\xff"),
        ("(0018,9087)=1.5", "FD", b"\x00\x00\x00\x00\x00\x00\xf8\x3f"),
        ("(0028,0009)=(0018,1063)", "AT", b"\x18\x00\x63\x10"),
        ("(0042,0011)=1\\2\\ff", "OB", b"\x01\x02\xff\x00"),
        ("(0008,9999)=1", "UN", b"\x01\x00"),
    ],
)
def test_a_value_is_encoded_by_its_vr(key: str, vr: str, value: bytes) -> None:
    assert _value(key) == (vr, value)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("Bogus=1", "no tag and no DICOM keyword"),
        ("00100010", "no tag and no DICOM keyword"),
        ("=X", "no tag or keyword"),
        ("(0010,0010", r"\( without \)"),
        ("(0040,0100)[*].Modality=CT", r"wildcard \*"),
        ("(0040,0100)[-1].Modality=CT", "bad item number"),
        ("(0040,0100)[x].Modality=CT", "bad item number"),
        ("(0040,0100)[99999999].Modality=CT", "bad item number"),
        ("(0040,0100).Modality=CT", "goes on without"),
        ("ScheduledProcedureStepSequence.Modality=CT", "item number is missing"),
        ("PatientName[0].Modality=CT", "no sequence"),
        ("(0040,0100)=X", "sequence cannot have a value"),
        ("(0040,0100)[0]=X", "item cannot have a value"),
        ("(0028,0010)=abc", "none for VR US"),
        ("(0028,0009)=0018", "none for VR AT"),
        ("(0042,0011)=foo", "none for VR OB"),
        ("QueryRetrieveLevel=Ä", "none for VR CS"),
        ("(0000,0100)=1", "no part of a query"),
        ("(0002,0010)=1.2", "no part of a query"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(key: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        build_identifier(None, [key])
    assert caught.value.hint


def test_a_near_keyword_is_suggested() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_key("PatientNam=X")
    assert "PatientName" in caught.value.hint


def test_keys_apply_in_order_to_a_copy_of_the_file() -> None:
    base = Item({0x00100020: Element(0x00100020, "SH", b"OLD ", 4)})
    item = build_identifier(base, ["PatientID=A", "PatientID=B", ""])
    assert item.elements[0x00100020] == Element(0x00100020, "SH", b"B ", 2)
    assert base.elements[0x00100020].value == b"OLD "


def test_missing_items_are_made_and_a_sequence_alone_stays_as_it_is() -> None:
    item = build_identifier(None, ["(0040,0100)[1].Modality=CT", "(0040,0100)"])
    items = item.elements[0x00400100].value
    assert isinstance(items, list)
    assert [list(one.elements) for one in items] == [[], [0x00080060]]


def test_text_is_encoded_in_the_query_s_character_set() -> None:
    assert _value("PatientName=Müller", "SpecificCharacterSet=ISO_IR 100")[1] == b"M\xfcller"


def test_text_without_character_set_becomes_utf_8_and_says_so() -> None:
    item = build_identifier(None, ["PatientName=Müller"])
    assert item.elements[0x00080005].value == b"ISO_IR 192"
    assert item.elements[0x00100010].value == b"M\xc3\xbcller "


def test_text_that_the_character_set_lacks_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        build_identifier(None, ["PatientName=山田", "SpecificCharacterSet=ISO_IR 100"])
