"""`xml`: one well-formed document of the Native DICOM Model, whatever a peer sends."""

import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.records import Covered, CoveredPart, FindDone, FindStarted, Match, Verdict
from asyncfind.render.native_xml import NAMESPACE, native_model
from asyncfind.render.xml_document import XmlDocument

_OWN = "{urn:asyncfind:xml}"


def _item(*elements: tuple[int, str, bytes | list[Item]]) -> Item:
    return Item({tag: Element(tag, vr, value, len(value)) for tag, vr, value in elements})


def test_the_document_of_a_run(
    render: Callable[..., str],
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
) -> None:
    started = FindStarted(match(study).find, 1_772_352_000.0)
    text = render(XmlDocument(), [started, match(study, 4), match(b"\1", 5), done(matches=2)])
    assert len(text.splitlines()) == 2 + 4 + 1
    root = ET.fromstring(text)
    assert [child.tag.removeprefix(_OWN) for child in root] == ["match", "match", "done", "summary"]
    good, bad, end, summary = root
    about = {
        "node": "NORTH@north:104",
        "query": "study.dcm",
        "repeat": "1",
        "time": "2026-03-01T08:00:00.000Z",
    }
    assert good.attrib == {**about, "number": "4", "status": "FF00"}
    values = {one.get("keyword"): "".join(one.itertext()) for one in good[0]}
    assert values == {
        "StudyDate": "20240102",
        "QueryRetrieveLevel": "STUDY",
        "PatientName": "DOEJOHN",
        "PatientID": "",
        "StudyInstanceUID": "1.2.3",
    }
    assert (bad.get("flags"), bad[0].text) == ("undecodable", "AQ==")
    assert end.attrib.items() >= {**about, "verdict": "undecodable", "matches": "2"}.items()
    assert summary[0].attrib == {"name": "complete", "queries": "1"}


def test_a_query_that_was_split_has_its_coverage(
    render: Callable[..., str], done: Callable[..., FindDone]
) -> None:
    part = CoveredPart("open", 7, (("StudyDate", "20240101-20240131"),), 'no more "keys"')
    covered = Covered("open", 8, 9, None, (part,))
    ended = replace(done(Verdict.CUT, matches=8), coverage=covered)
    coverage = ET.fromstring(render(XmlDocument(), [ended]))[0][0]
    assert coverage.attrib == {"state": "open", "rows": "8", "queries": "9"}
    assert coverage[0].attrib == {"state": "open", "rows": "7", "reason": 'no more "keys"'}
    assert coverage[0][0].attrib == {"name": "StudyDate", "value": "20240101-20240131"}


_DIFFICULT = _item(
    (0x00080005, "CS", b"ISO_IR 192"),
    (0x00080061, "CS", b"CT\\MR "),
    (0x00081030, "LO", 'Größe <&> "x" '.encode()),
    (0x00090010, "LO", b"ACME"),
    (0x00091001, "LO", b"own "),
    (0x00100010, "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう\\B^C^^Dr. ".encode()),
    (0x00100020, "LO", b""),
    (0x00104000, "LT", b"  two\r\nlines\twide "),
    (0x00180050, "DS", b"1.50\\2"),
    (0x00189310, "FD", bytes.fromhex("000000000000f83f")),
    (0x0020000D, "UI", b"1.2.3\0"),
    (0x00280009, "AT", bytes.fromhex("10002000")),
    (0x00280010, "US", bytes.fromhex("0002")),
    (
        0x00400100,
        "SQ",
        [
            _item((0x00080060, "CS", b"CT")),
            _item((0x00080005, "CS", b"ISO_IR 100"), (0x00400007, "LO", b"\xdcbung ")),
        ],
    ),
    (0x00400555, "SQ", []),
)


def _shape(root: ET.Element) -> list[tuple[str, tuple[tuple[str, str], ...], str]]:
    """All elements with what they say, without name space and layout."""
    return [
        (
            one.tag.rpartition("}")[2],
            tuple(sorted(one.attrib.items())),
            "" if len(one) else (one.text or "").strip("\n"),
        )
        for one in root.iter()
    ]


def test_dcmtk_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "answer"
    # All text in UTF-8, as dcm2xml converts the whole, while an item of ours has its own set.
    plain = _item(
        *(
            (tag, vr, value[:1] if isinstance(value, list) else value)
            for tag, vr, value, _ in _DIFFICULT.elements.values()
        )
    )
    file.write_bytes(write_item(plain, EXPLICIT_VR_LITTLE_ENDIAN))
    theirs = subprocess.run(
        ["dcm2xml", "--native-format", "--use-xml-namespace", "-f", "-te", str(file)],
        capture_output=True,
        timeout=30,
        check=True,
    ).stdout
    assert _shape(ET.fromstring(native_model(plain))) == _shape(ET.fromstring(theirs))


def test_an_item_has_its_own_character_set() -> None:
    root = ET.fromstring(native_model(_DIFFICULT))
    (text,) = (
        "".join(one.itertext())
        for one in root.iter(f"{{{NAMESPACE}}}DicomAttribute")
        if one.get("tag") == "00400007"
    )
    assert text == "Übung"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"a\0b", "a\ufffdb"),
        (b"a\x1bb", "a\ufffdb"),
        (b"\x0b", "\ufffd"),
        ("a\u202eb".encode(), "a\u202eb"),
        ("\ufffe".encode(), "\ufffd"),
        (b"]]>", "]]>"),
        (b"<!DOCTYPE x>", "<!DOCTYPE x>"),
    ],
)
def test_what_xml_has_not_is_replaced(value: bytes, text: str) -> None:
    item = _item((0x00080005, "CS", b"ISO_IR 192"), (0x00081030, "LO", value))
    model = native_model(item)
    assert "".join(ET.fromstring(model)[1].itertext()) == text
    assert model.isprintable()


def test_numbers_of_a_wrong_size_are_bytes() -> None:
    root = ET.fromstring(native_model(_item((0x00280010, "US", b"\1\2\3"))))
    assert (root[0].get("vr"), root[0][0].tag) == ("UN", f"{{{NAMESPACE}}}InlineBinary")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), max_size=4), st.lists(st.binary(max_size=30), max_size=3))
def test_any_bytes_are_a_document(
    render: Callable[..., str],
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    identifiers: list[bytes],
    names: list[bytes],
) -> None:
    whole = [
        write_item(_item((0x00100010, "PN", name)), EXPLICIT_VR_LITTLE_ENDIAN) for name in names
    ]
    records = [match(identifier, at) for at, identifier in enumerate([*identifiers, *whole], 1)]
    root = ET.fromstring(render(XmlDocument(), [*records, done(matches=len(records))]))
    assert len(root.findall(f"{_OWN}match")) == len(records)
