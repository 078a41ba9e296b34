"""Identifiers: any bytes in, round trips, and the same answers as pydicom where data are sound."""

import json
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID
from pydicom.valuerep import PersonName

from asyncfind.errors import InvalidRequest, MalformedIdentifier
from asyncfind.query.charset import decode_text, encode_text
from asyncfind.query.element import LONG_VRS, TEXT_VRS, Element, Item
from asyncfind.query.json_model import item_from_json, item_to_json
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    SHORT_VRS,
    SYNTAXES,
    TransferSyntax,
)
from asyncfind.query.values import element_texts
from asyncfind.query.writer import write_item

VRS = sorted((SHORT_VRS | LONG_VRS) - {"SQ"})
CHARSETS = [
    (),
    ("ISO_IR 100",),
    ("ISO_IR 144",),
    ("ISO_IR 166",),
    ("ISO_IR 13",),
    ("ISO_IR 192",),
    ("GB18030",),
    ("GBK",),
    ("", "ISO 2022 IR 87", "ISO 2022 IR 159"),
    ("ISO 2022 IR 13", "ISO 2022 IR 87"),
    ("", "ISO 2022 IR 149"),
    ("ISO 2022 IR 6", "ISO 2022 IR 58"),
    ("ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 127"),
    ("BOGUS", "ISO 2022 IR 87"),
]

quick = settings(deadline=None, max_examples=150)
syntaxes = st.sampled_from(sorted(SYNTAXES.values(), key=lambda syntax: syntax.uid))
charsets = st.sampled_from(CHARSETS)

ALPHABET = "Aa1 ^=*äßЛюกｱﾔ山田太郎김홍길동东小ñ\\"
texts = st.text(st.sampled_from(ALPHABET) | st.characters(codec="utf-8"), max_size=20)


# Any bytes ---------------------------------------------------------------------------------------


def total(data: bytes, syntax: TransferSyntax) -> None:
    try:
        item = read_item(data, syntax, max_inflated=1 << 16)
    except MalformedIdentifier as exc:
        error = exc
    else:
        shown_and_written(item, syntax)
        return
    assert len(error.text) < 400
    assert error.text.isprintable()


def shown_and_written(item: Item, syntax: TransferSyntax) -> None:
    # whatever was read can be shown
    json.dumps(item_to_json(item), ensure_ascii=False, allow_nan=False).encode()
    for element in item.elements.values():
        element_texts(element, ())
    # and written, and is the same then, lengths aside
    if syntax is EXPLICIT_VR_LITTLE_ENDIAN:
        again = read_item(write_item(item, syntax), syntax)
        assert set(again.elements) == set(item.elements) - {0xFFFCFFFC}


@quick
@given(st.binary(max_size=200), syntaxes)
@example(b"\x00", DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
def test_any_bytes(data: bytes, syntax: TransferSyntax) -> None:
    total(data, syntax)


PIECES = [
    *("08006000", "10001000", "40000001", "09000210", "E07F1000", "08000500"),  # tags
    *("00080060", "00100010", "00400100", "00091002"),
    *("4353", "504E", "5351", "554E", "4F42", "5553", "5A5A", "3F3F"),  # VRs
    *("0000", "0200", "0002", "0800", "08000000", "12000000", "00000000", "FFFFFFFF"),  # lengths
    *("FEFF00E0", "FEFF0DE0", "FEFFDDE0", "FFFEE000", "FFFEE00D", "FFFEE0DD"),  # delimiters
    *("4354", "1B2442", "E9"),  # values
]
pieces = st.lists(st.sampled_from(PIECES).map(bytes.fromhex), max_size=40).map(b"".join)


@settings(deadline=None, max_examples=250)
@given(pieces, syntaxes)
def test_any_bytes_that_look_like_a_data_set(data: bytes, syntax: TransferSyntax) -> None:
    if syntax.deflated:
        stream = zlib.compressobj(1, zlib.DEFLATED, -15)
        data = stream.compress(data) + stream.flush()
    total(data, syntax)


# Round trips -------------------------------------------------------------------------------------


def _even(value: bytes) -> bytes:
    return value if len(value) % 2 == 0 else value[:-1]


tags = st.integers(0x0008, 0x7FFF).flatmap(
    lambda group: st.integers(1, 0xFFFF).map(lambda number: group << 16 | number)
)


def _leaves(tag: int) -> st.SearchStrategy[Element]:
    return st.builds(
        lambda vr, value: Element(tag, vr, value, len(value)),
        st.sampled_from(VRS),
        st.binary(max_size=24).map(_even),
    )


def _item(elements: list[Element]) -> Item:
    return Item({element.tag: element for element in sorted(elements)})


leaves = tags.flatmap(_leaves)


def _sequences(inner: st.SearchStrategy[Item]) -> st.SearchStrategy[Element]:
    return st.builds(
        lambda tag, value: Element(tag, "SQ", value, 0), tags, st.lists(inner, max_size=3)
    )


items = st.recursive(
    st.lists(leaves, max_size=5).map(_item),
    lambda inner: st.lists(
        leaves | _sequences(inner), max_size=5, unique_by=lambda element: element.tag
    ).map(_item),
    max_leaves=12,
)


def _plain(item: Item) -> dict[int, Any]:
    """An item without the lengths of sequences and items, and without VRs an encoding changes."""
    return {
        tag: [_plain(inner) for inner in value] if isinstance(value, list) else (vr, value)
        for tag, (_, vr, value, _) in item.elements.items()
    }


@quick
@given(items, syntaxes.filter(lambda syntax: syntax.explicit), st.booleans())
def test_written_and_read_again(item: Item, syntax: TransferSyntax, undefined: bool) -> None:
    data = write_item(item, syntax, undefined_lengths=undefined)
    assert len(data) % 2 == 0
    again = read_item(data, syntax)
    assert _plain(again) == _plain(item)
    assert write_item(again, syntax, undefined_lengths=undefined) == data


@quick
@given(items)
def test_implicit_survives_a_second_pass(item: Item) -> None:
    # VRs come from the dictionary there, and what it calls a sequence may be none
    data = write_item(item, IMPLICIT_VR_LITTLE_ENDIAN)
    try:
        again = read_item(data, IMPLICIT_VR_LITTLE_ENDIAN)
    except MalformedIdentifier:
        return
    assert write_item(again, IMPLICIT_VR_LITTLE_ENDIAN) == data


@quick
@given(st.text(st.sampled_from(ALPHABET), max_size=20), charsets, st.sampled_from(sorted(TEXT_VRS)))
def test_encoded_and_decoded_again(text: str, names: tuple[str, ...], vr: str) -> None:
    try:
        value = encode_text(text, names, vr)
    except InvalidRequest as exc:
        error = exc
    else:
        assert decode_text(value, names, vr) == (text, True)
        return
    assert error.text.isprintable()
    assert error.hint


@quick
@given(st.binary(max_size=40) | pieces, charsets, st.sampled_from(VRS))
def test_decoding_is_total(value: bytes, names: tuple[str, ...], vr: str) -> None:
    text, _ = decode_text(value, names, vr)
    text.encode()  # no surrogates


@quick
@given(texts)
def test_utf_8_takes_everything(text: str) -> None:
    value = encode_text(text, ("ISO_IR 192",), "UT")
    assert value == text.encode()
    assert decode_text(value, ("ISO_IR 192",), "UT") == (text, True)


# Beside pydicom ----------------------------------------------------------------------------------

WORDS = st.text(st.sampled_from("ABCxyz012 -_"), min_size=1, max_size=12).map(
    lambda text: text.strip(" ") or "A"
)
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "SelectorUSValue": st.integers(0, 0xFFFF),
    "SelectorSSValue": st.integers(-0x8000, 0x7FFF),
    "SelectorULValue": st.integers(0, 0xFFFFFFFF),
    "SelectorSLValue": st.integers(-0x80000000, 0x7FFFFFFF),
    "SelectorFDValue": st.floats(allow_nan=False, allow_infinity=False),
    "SelectorFLValue": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "SelectorSVValue": st.integers(-(1 << 63), (1 << 63) - 1),
    "SelectorUVValue": st.integers(0, (1 << 64) - 1),
    "SelectorATValue": st.integers(0, 0xFFFFFFFF),
    "SelectorISValue": st.integers(-(1 << 31), (1 << 31) - 1),
    "SelectorDSValue": st.decimals(-1000, 1000, places=3).map(str),
}
STRINGS: dict[str, st.SearchStrategy[Any]] = {
    "StudyDate": st.dates().map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}"),
    "StudyTime": st.sampled_from(["120000", "235959.5", "08"]),
    "AcquisitionDateTime": st.sampled_from(["20240101", "20240101120000.123456+0100"]),
    "AccessionNumber": st.text(st.sampled_from("AZ09 äЛ"), max_size=8).map(str.strip),
    "ModalitiesInStudy": st.lists(st.sampled_from(["CT", "MR", "US", "SEG"]), max_size=4),
    "RetrieveAETitle": WORDS.filter(lambda text: "\\" not in text),
    "PatientAge": st.sampled_from(["042Y", "001D"]),
    "PatientName": st.sampled_from(["DOE^JOHN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田"]),
    "OtherPatientNames": st.lists(st.sampled_from(["A^B", "C=D", "Ä^Ü"]), max_size=3),
    "StudyInstanceUID": st.lists(st.integers(0, 99), min_size=2, max_size=12).map(
        lambda parts: "1." + ".".join(map(str, parts))
    ),
    "StudyDescription": st.text(st.sampled_from(ALPHABET.replace("\\", "")), max_size=20).map(
        lambda text: text.strip(" ")
    ),
    "AdditionalPatientHistory": st.text(st.sampled_from("Aa \r\nä\\"), max_size=40).map(
        lambda text: text.rstrip(" ")
    ),
    "InstitutionAddress": WORDS,
    "RetrieveURL": st.just("http://example.org/a?b=c"),
    "SelectorUCValue": WORDS,
    "SelectorUTValue": st.text(st.sampled_from("Aa ä\\"), max_size=40).map(
        lambda text: text.rstrip(" ")
    ),
}
BINARY: dict[str, st.SearchStrategy[Any]] = {
    "SelectorOBValue": st.binary(max_size=16).map(_even),
    "SelectorUNValue": st.binary(max_size=16).map(_even),
    "SelectorOWValue": st.binary(max_size=4).map(lambda data: data * 2),
    "SelectorOLValue": st.binary(max_size=4).map(lambda data: data * 4),
    "SelectorOFValue": st.binary(max_size=4).map(lambda data: data * 4),
    "SelectorODValue": st.binary(max_size=4).map(lambda data: data * 8),
    "SelectorOVValue": st.binary(max_size=4).map(lambda data: data * 8),
}
VALUES = {
    **STRINGS,
    **BINARY,
    **{keyword: st.lists(numbers, max_size=3) for keyword, numbers in NUMBERS.items()},
}
SEQUENCES = ["ScheduledProcedureStepSequence", "RequestAttributesSequence"]


@st.composite
def datasets(draw: st.DrawFn, depth: int = 2) -> Dataset:
    """A sound data set of pydicom's."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    for keyword in draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=6)):
        setattr(ds, keyword, draw(VALUES[keyword]))
    if depth:
        for keyword in draw(st.lists(st.sampled_from(SEQUENCES), unique=True)):
            setattr(ds, keyword, draw(st.lists(datasets(depth=depth - 1), max_size=2)))
    return ds


def without_words(ds: Dataset) -> None:
    """Drop what pydicom does not bring into big endian: it takes OW and its like for bytes."""
    for element in ds.iterall():
        if element.VR in ("OD", "OF", "OL", "OV", "OW"):
            element.value = b""


def encoded(ds: Dataset, syntax: TransferSyntax) -> bytes:
    """What pydicom writes: a DICOM file."""
    if not syntax.little_endian:
        without_words(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax.uid)
    ds.file_meta.MediaStorageSOPClassUID = UID("1.2.3")
    ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.4")
    file = BytesIO()
    dcmwrite(file, ds, enforce_file_format=True)
    return file.getvalue()


def body(file: bytes) -> bytes:
    """The data set of a DICOM file: behind preamble, prefix and File Meta Information."""
    (length,) = struct.unpack_from("<I", file, 140)
    return file[144 + length :]


def assert_same(item: Item, ds: Dataset) -> None:
    assert sorted(item.elements) == sorted(ds.keys())
    for tag, element in item.elements.items():
        theirs = ds[tag]
        assert element.vr == theirs.VR
        if isinstance(element.value, list):
            assert len(element.value) == len(theirs.value)
            for inner, inner_ds in zip(element.value, theirs.value, strict=True):
                assert_same(inner, inner_ds)


@settings(deadline=None, max_examples=40)
@given(datasets(), syntaxes)
def test_reading_agrees_with_pydicom(ds: Dataset, syntax: TransferSyntax) -> None:
    file = encoded(ds, syntax)
    item = read_item(body(file), syntax)
    read = dcmread(BytesIO(file))
    assert_same(item, read)
    # every value, by way of the JSON that both make of it
    assert item_to_json(item) == normal(read.to_json_dict())


@settings(deadline=None, max_examples=40)
@given(datasets(), syntaxes, st.booleans())
def test_pydicom_reads_ours(ds: Dataset, syntax: TransferSyntax, undefined: bool) -> None:
    theirs = encoded(ds, syntax)
    item = read_item(body(encoded(ds, EXPLICIT_VR_LITTLE_ENDIAN)), EXPLICIT_VR_LITTLE_ENDIAN)
    head = theirs[: len(theirs) - len(body(theirs))]
    ours = head + write_item(item, syntax, undefined_lengths=undefined)
    assert dcmread(BytesIO(ours)) == dcmread(BytesIO(theirs))
    if not undefined and not syntax.deflated:
        assert ours == theirs


def normal(obj: Any) -> Any:
    """pydicom's JSON, where it and ours may differ without one being wrong."""
    if isinstance(obj, list):
        return [normal(value) for value in obj]
    if not isinstance(obj, dict):
        return obj
    if set(obj) <= {"vr", "Value", "InlineBinary"} and "vr" in obj:
        if not obj.get("Value", "absent") or obj.get("InlineBinary") == "":
            return {"vr": obj["vr"]}
        if obj["vr"] == "PN" and "Value" in obj:
            return {
                "vr": "PN",
                "Value": [{k: v for k, v in name.items() if v} for name in obj["Value"]],
            }
    return {key: normal(value) for key, value in obj.items()}


@settings(deadline=None, max_examples=40)
@given(datasets())
def test_json_goes_back_to_the_same_item(ds: Dataset) -> None:
    found = item_to_json(
        read_item(body(encoded(ds, EXPLICIT_VR_LITTLE_ENDIAN)), EXPLICIT_VR_LITTLE_ENDIAN)
    )
    again = item_to_json(item_from_json(json.loads(json.dumps(found))))
    assert again == {**again, **found}
    assert set(again) - set(found) <= {"00080005"}


# pydicom takes ISO_IR 6 for Latin-1 and sends GB 2312 without its escape sequence, hence no such.
EXTENDED = [
    (("", "ISO 2022 IR 87"), "山田"),
    (("", "ISO 2022 IR 87"), "Yamada やまだ"),
    (("", "ISO 2022 IR 159"), "丂"),
    (("ISO 2022 IR 13", "ISO 2022 IR 87"), "ﾔﾏﾀﾞ"),
    (("ISO 2022 IR 13", "ISO 2022 IR 87"), "山田"),
    (("", "ISO 2022 IR 149"), "김홍"),
    (("ISO 2022 IR 100", "ISO 2022 IR 144"), "Äneas"),
    (("ISO 2022 IR 100", "ISO 2022 IR 144"), "Люк"),
    (("ISO 2022 IR 100", "ISO 2022 IR 126"), "Διον"),
    (("ISO_IR 166",), "การ"),
    (("ISO_IR 192",), "山田김Люк"),
    (("GB18030",), "山田김Люк"),
    (("GBK",), "山田"),
]


@pytest.mark.parametrize(("names", "text"), EXTENDED)
def test_pydicom_and_we_read_each_other_s_text(names: tuple[str, ...], text: str) -> None:
    encodings = convert_encodings(list(names))
    name = f"A^B={text}"
    theirs = PersonName(name).encode(encodings)
    assert isinstance(theirs, bytes)
    assert decode_text(theirs, names, "PN") == (name, True)
    ours = encode_text(text, names, "LO")
    assert decode_bytes(ours, encodings, {0x0D, 0x0A, 0x09, 0x0C}) == text
