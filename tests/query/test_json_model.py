import json

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import Element, Item
from asyncfind.query.json_model import item_from_json, item_to_json


def item_of(*elements: tuple[int, str, bytes | list[Item]]) -> Item:
    return Item({tag: Element(tag, vr, value, 0) for tag, vr, value in elements})


def to_json(vr: str, value: bytes, charset: bytes = b"") -> object:
    """The object of one element (0011,0010)."""
    elements: list[tuple[int, str, bytes | list[Item]]] = [(0x00110010, vr, value)]
    if charset:
        elements.append((0x00080005, "CS", charset))
    return item_to_json(item_of(*elements))["00110010"]


def from_json(text: str) -> dict[int, tuple[str, bytes | list[Item]]]:
    item = item_from_json(json.loads(text))
    return {tag: element[1:3] for tag, element in item.elements.items()}


def refusal(text: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        item_from_json(json.loads(text))
    return caught.value


@pytest.mark.parametrize(
    ("vr", "value", "values"),
    [
        ("LO", b"A ", ["A"]),
        ("LO", b"A\\\\B ", ["A", None, "B"]),
        ("LO", b"\\", [None, None]),
        ("CS", b"CT\\MR ", ["CT", "MR"]),
        ("UI", b"1.2.3\0", ["1.2.3"]),
        ("DA", b"20240101", ["20240101"]),
        ("ST", b"A\\B ", ["A\\B"]),
        ("UR", b"http://h/ ", ["http://h/"]),
        ("AE", b" A ", ["A"]),
        ("PN", b"DOE^JOHN", [{"Alphabetic": "DOE^JOHN"}]),
        ("PN", b"A=B=C", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}]),
        ("PN", b"=B", [{"Ideographic": "B"}]),
        ("PN", b"==C ", [{"Phonetic": "C"}]),
        ("PN", b"A=B=C=D ", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C=D"}]),
        ("PN", b"A\\\\B^ ", [{"Alphabetic": "A"}, None, {"Alphabetic": "B^"}]),
        ("PN", b"==", [None]),
        ("IS", b"4 ", [4]),
        ("IS", b"+4\\-5\\007 ", [4, -5, 7]),
        ("IS", b"1.0\\x\\\\1e3", ["1.0", "x", None, "1e3"]),
        ("IS", b"9" * 65, ["9" * 65]),
        ("DS", b"1.50", [1.5]),
        ("DS", b"1\\-2\\.5\\5.\\1e3", [1, -2, 0.5, 5.0, 1000.0]),
        ("DS", b"1234567890123456", [1234567890123456]),
        ("DS", b"9" * 5000, ["9" * 5000]),
        ("DS", b"NaN\\inf\\1e999", ["NaN", "inf", "1e999"]),
        ("DS", b"0x10\\1_0\\1,5\\", ["0x10", "1_0", "1,5", None]),
        ("DS", "１".encode(), ["１"]),
        ("US", b"\1\0\xff\xff", [1, 65535]),
        ("SS", b"\xff\xff", [-1]),
        ("UL", b"\xff\xff\xff\xff", [4294967295]),
        ("SL", b"\xff\xff\xff\xff", [-1]),
        ("UV", b"\xff" * 8, [18446744073709551615]),
        ("SV", b"\xff" * 8, [-1]),
        ("FL", bytes.fromhex("0000C03F 0000807F 000080FF 0000C07F"), [1.5, None, None, None]),
        ("FD", bytes.fromhex("9A9999999999B93F 000000000000F07F"), [0.1, None]),
        ("AT", bytes.fromhex("1000 2000 E07F 1000"), ["00100020", "7FE00010"]),
    ],
)  # fmt: skip
def test_values(vr: str, value: bytes, values: list[object]) -> None:
    found = to_json(vr, value)
    assert found == {"vr": vr, "Value": values}
    json.dumps(found, allow_nan=False).encode()


@pytest.mark.parametrize("vr", ["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
def test_binary(vr: str) -> None:
    assert to_json(vr, b"\x00\x01\x02\x03") == {"vr": vr, "InlineBinary": "AAECAw=="}


@pytest.mark.parametrize(
    ("vr", "value"),
    [("US", b"abc"), ("FD", b"abcd"), ("AT", b"ab"), ("SQ", b"abc"), ("xx", b"abc")],
)
def test_what_fits_no_vr_is_unknown(vr: str, value: bytes) -> None:
    found = to_json(vr, value)
    assert isinstance(found, dict)
    assert found["vr"] == "UN"
    assert set(found) == {"vr", "InlineBinary"}


@pytest.mark.parametrize("vr", ["LO", "PN", "US", "OB", "UN", "SQ", "DS", "AT"])
def test_empty(vr: str) -> None:
    assert to_json(vr, b"") == {"vr": vr}
    assert item_to_json(item_of((0x00400100, "SQ", [])))["00400100"] == {"vr": "SQ"}
    assert to_json("xx", b"") == {"vr": "UN"}
    if vr in ("LO", "PN", "DS"):
        assert to_json(vr, b"  ") == {"vr": vr}


def test_a_data_set_in_tag_order_with_sequences() -> None:
    item = item_of(
        (0x00400100, "SQ", [item_of((0x00080060, "CS", b"CT")), Item()]),
        (0x00100010, "PN", b"A^B "),
        (0x0020000D, "UI", b"1.2\0"),
    )
    found = item_to_json(item)
    assert found == {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "00400100": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}, {}]},
    }
    assert list(found) == ["00100010", "0020000D", "00400100"]


def test_group_lengths_are_left_out() -> None:
    # "Group Length (gggg,0000) attributes shall not be included" (PS3.18 Section F.2.2)
    assert item_to_json(item_of((0x00080000, "UL", b"\1\0\0\0"))) == {}


def test_text_is_utf_8_and_says_so() -> None:
    found = item_to_json(
        item_of((0x00080005, "CS", b"ISO_IR 100"), (0x00100010, "PN", b"M\xfcller"))
    )
    assert found == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]},
    }


def test_items_inherit_the_character_set_or_have_their_own() -> None:
    inner = [
        item_of((0x00081030, "LO", b"\xbb")),
        item_of((0x00080005, "CS", b"ISO_IR 144"), (0x00081030, "LO", b"\xbb")),
    ]
    found = item_to_json(item_of((0x00080005, "CS", b"ISO_IR 100"), (0x00400100, "SQ", inner)))
    sequence = found["00400100"]
    assert sequence == {
        "vr": "SQ",
        "Value": [
            {"00081030": {"vr": "LO", "Value": ["»"]}},
            {
                "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
                "00081030": {"vr": "LO", "Value": ["Л"]},
            },
        ],
    }


@pytest.mark.parametrize("charset", [b"", b"ISO_IR 192", b"GB18030", b"BOGUS", b"\\ISO 2022 IR 87"])
@pytest.mark.parametrize(
    "value", [b"\xed\xa0\x80", b"\xff\xfe", b"\x83\x36\xc7\x39", b"\x1b$B\xff"]
)
def test_output_is_always_utf_8(charset: bytes, value: bytes) -> None:
    for vr in ("LO", "PN", "CS", "DS"):
        json.dumps(to_json(vr, value, charset), ensure_ascii=False, allow_nan=False).encode()


def test_depth_costs_no_stack() -> None:
    item = Item()
    for _ in range(5000):
        item = item_of((0x00400100, "SQ", [item]))
    found: object = item_to_json(item)
    for _ in range(5000):  # let go one by one: freeing is recursive
        assert isinstance(found, dict)
        (found,) = found.popitem()[1]["Value"]
        (inner,) = item.elements.popitem()[1].value
        assert isinstance(inner, Item)
        item = inner
    assert found == {}


def test_a_query_from_json() -> None:
    # PS3.18 Section F.4 in small
    assert from_json("""[{
        "00080052": {"vr": "CS", "Value": ["STUDY"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3", "1.2.4"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE^*"}, {"Phonetic": "X"}, "B", null]},
        "00100020": {"vr": "LO"},
        "00201208": {"vr": "IS", "Value": [4, "-5", 6.0]},
        "00101020": {"vr": "DS", "Value": [1.5, 2, "3e1", 0.1]},
        "00280010": {"vr": "US", "Value": [512, 65535]},
        "00280106": {"vr": "SS", "Value": [-1]},
        "00720082": {"vr": "SV", "Value": ["-2"]},
        "00186020": {"vr": "SL", "Value": []},
        "00089459": {"vr": "FL", "Value": [1.5]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00091002": {"vr": "UN", "InlineBinary": "AAE="},
        "00420011": {"vr": "OB", "InlineBinary": ["AAEC"]},
        "00400100": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}, {}, null]}
    }]""") == {
        0x00080052: ("CS", b"STUDY "),
        0x0020000D: ("UI", b"1.2.3\\1.2.4\0"),
        0x00100010: ("PN", b"DOE^*\\==X\\B\\"),
        0x00100020: ("LO", b""),
        0x00201208: ("IS", b"4\\-5\\6"),
        0x00101020: ("DS", b"1.5\\2\\3e1\\0.1 "),
        0x00280010: ("US", b"\x00\x02\xff\xff"),
        0x00280106: ("SS", b"\xff\xff"),
        0x00720082: ("SV", b"\xfe" + b"\xff" * 7),
        0x00186020: ("SL", b""),
        0x00089459: ("FL", b"\x00\x00\xc0\x3f"),
        0x00280009: ("AT", b"\x18\x00\x63\x10"),
        0x00091002: ("UN", b"\x00\x01"),
        0x00420011: ("OB", b"\x00\x01\x02\x00"),
        0x00400100: (
            "SQ",
            [Item({0x00080060: Element(0x00080060, "CS", b"CT", 2)}), Item(), Item()],
        ),
    }


def test_keywords_name_attributes_and_the_dictionary_knows_their_vr() -> None:
    assert from_json("""{
        "PatientName": {"Value": ["DOE"]},
        "00100020": {},
        "ScheduledProcedureStepSequence": {"Value": [{"Modality": {"Value": ["CT"]}}]}
    }""") == {
        0x00100010: ("PN", b"DOE "),
        0x00100020: ("LO", b""),
        0x00400100: ("SQ", [Item({0x00080060: Element(0x00080060, "CS", b"CT", 2)})]),
    }


def test_text_beyond_ascii_makes_the_query_utf_8() -> None:
    found = from_json("""{"00400100": {"vr": "SQ", "Value": [
        {"00400007": {"vr": "LO", "Value": ["Schädel"]}}]}}""")
    assert found[0x00080005] == ("CS", b"ISO_IR 192")
    (inner,) = found[0x00400100][1]
    assert isinstance(inner, Item)
    assert inner.elements[0x00400007].value == "Schädel".encode()
    assert 0x00080005 not in from_json('{"00100010": {"vr": "PN", "Value": ["Schaedel"]}}')


def test_a_character_set_given_is_used() -> None:
    found = from_json("""{
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]},
        "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
        "00400100": {"vr": "SQ", "Value": [
            {"00400007": {"vr": "LO", "Value": ["ü"]}},
            {"00400007": {"vr": "LO", "Value": ["Л"]},
             "00080005": {"vr": "CS", "Value": ["ISO_IR 144"]}}]}
    }""")
    assert found[0x00080005] == ("CS", b"ISO_IR 100")
    assert found[0x00100010] == ("PN", b"M\xfcller")
    first, second = found[0x00400100][1]
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert first.elements[0x00400007].value == b"\xfc "
    assert second.elements[0x00400007].value == b"\xbb "


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0.1", b"0.1"),
        ("1e300", b"1e+300"),
        ("3.141592653589793", b"3.14159265358979"),
        ("-1.23456789012345e-100", b"-1.23456789e-100"),
        ("1234567890123456", b"1234567890123456"),
        ("-0.0", b"-0.0"),
    ],
)
def test_decimal_strings_fit_16_characters(number: str, text: bytes) -> None:
    found = from_json(f'{{"00101020": {{"vr": "DS", "Value": [{number}]}}}}')
    assert found[0x00101020] == ("DS", text + b" " * (len(text) % 2))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "one object is expected"),
        ("[{}, {}]", "one object is expected"),
        ('"A"', "one object is expected"),
        ("null", "one object is expected"),
        ('{"PatientNam": {}}', "PatientNam: neither a tag nor a keyword"),
        ('{"0010001": {}}', "0010001: neither a tag nor a keyword"),
        ('{"\\u001b[2J": {}}', "\\x1b[2J: neither a tag nor a keyword"),
        ('{"00100010": "DOE"}', "PatientName: an object is expected"),
        ('{"00100010": {}, "PatientName": {}}', "PatientName: given twice"),
        ('{"00100010": {"vr": "XX"}}', "PatientName: 'XX' is no VR"),
        ('{"00100010": {"vr": 5}}', "PatientName: 5 is no VR"),
        ('{"00100010": {"vr": ["PN"]}}', "PatientName: a list is no VR"),
        ('{"00100010": {"vr": null}}', "PatientName: null is no VR"),
        ('{"00100010": {"vr": "PN", "Value": "DOE"}}', "PatientName: Value must be a list"),
        ('{"00100010": {"vr": "PN", "Value": [{"Alpha": "A"}]}}', "Phonetic alone"),
        ('{"00100010": {"vr": "PN", "Value": [{"Alphabetic": 1}]}}', "1 where text is expected"),
        ('{"00100020": {"vr": "LO", "Value": [1]}}', "PatientID: 1 where text is expected"),
        ('{"00100020": {"vr": "LO", "Value": [["A"]]}}', "a list where text is expected"),
        ('{"00100020": {"vr": "LO", "Value": [{}]}}', "an object where text is expected"),
        ('{"00100020": {"vr": "LO", "InlineBinary": "AAE="}}', "InlineBinary where VR LO"),
        ('{"00100020": {"vr": "LO", "BulkDataURI": "http://"}}', "BulkDataURI where VR LO"),
        ('{"00420011": {"vr": "OB", "BulkDataURI": "http://"}}', "BulkDataURI is not fetched"),
        ('{"00420011": {"vr": "OB", "InlineBinary": "A"}}', "InlineBinary must be base64"),
        ('{"00420011": {"vr": "OB", "InlineBinary": "é"}}', "InlineBinary must be base64"),
        ('{"00420011": {"vr": "OB", "InlineBinary": 5}}', "InlineBinary must be base64"),
        ('{"00420011": {"vr": "OB", "Value": [5]}}', "Value where VR OB needs InlineBinary"),
        ('{"00280010": {"vr": "US", "Value": [65536]}}', "Rows: 65536 is no number of VR US"),
        ('{"00280010": {"vr": "US", "Value": [-1]}}', "-1 is no number of VR US"),
        ('{"00280010": {"vr": "US", "Value": [1.5]}}', "1.5 is no number of VR US"),
        ('{"00280010": {"vr": "US", "Value": [true]}}', "true is no number of VR US"),
        ('{"00280010": {"vr": "US", "Value": [null]}}', "null is no number of VR US"),
        ('{"00280010": {"vr": "US", "Value": ["x"]}}', "'x' is no number of VR US"),
        ('{"00089459": {"vr": "FL", "Value": [1e300]}}', "is no number of VR FL"),
        ('{"00089459": {"vr": "FL", "Value": ["1"]}}', "'1' is no number of VR FL"),
        ('{"00280009": {"vr": "AT", "Value": ["18"]}}', "'18' is no tag"),
        ('{"00280009": {"vr": "AT", "Value": [18]}}', "18 is no tag"),
        ('{"00201208": {"vr": "IS", "Value": [1.5]}}', "1.5 where text is expected"),
        ('{"00201208": {"vr": "IS", "Value": [true]}}', "true is no number of VR IS"),
        ('{"00101020": {"vr": "DS", "Value": [10000000000000000]}}', "too large for VR DS"),
        ('{"00080052": {"vr": "CS", "Value": ["É"]}}', "VR CS, which takes ASCII only"),
        ('{"00400100": {"vr": "SQ", "Value": [5]}}', "the values of a sequence are objects"),
        (
            '{"00400100": {"vr": "SQ", "Value": [{}, {"00080060": {"vr": "CS", "Value": [1]}}]}}',
            "ScheduledProcedureStepSequence[1].Modality: 1 where text is expected",
        ),
        ('{"00091002": {"vr": "LO", "Value": [1]}}', "(0009,1002): 1 where text is expected"),
    ],
)
def test_refusals(text: str, found: str) -> None:
    error = refusal(text)
    assert error.text.startswith("DICOM JSON query: ")
    assert found in error.text
    assert error.text.isprintable()


def test_a_character_outside_the_query_s_set_says_what_to_do() -> None:
    error = refusal("""{"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
        "00100010": {"vr": "PN", "Value": ["山"]}}""")
    assert "PatientName: '山' (U+5C71) is not in the query's character set" in error.text
    assert "ISO_IR 192" in error.hint


def test_huge_numbers_are_refused_not_printed() -> None:
    with pytest.raises(InvalidRequest, match="a huge number is no number of VR US"):
        item_from_json({"00280010": {"vr": "US", "Value": [10**5000]}})
    with pytest.raises(InvalidRequest, match="too large for VR IS"):
        item_from_json({"00201208": {"vr": "IS", "Value": [10**5000]}})
    with pytest.raises(InvalidRequest, match="is no number of VR FD"):
        item_from_json({"00186028": {"vr": "FD", "Value": [10**5000]}})


@pytest.mark.parametrize(("depth", "good"), [(64, True), (65, False)])
def test_64_sequences_within_each_other(depth: int, good: bool) -> None:
    obj: object = {}
    for _ in range(depth):
        obj = {"00400100": {"vr": "SQ", "Value": [obj]}}
    if good:
        assert item_from_json(obj).elements
    else:
        with pytest.raises(InvalidRequest, match="more than 64 sequences within each other"):
            item_from_json(obj)
