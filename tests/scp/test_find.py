"""C-FIND on the store: level rules, matching, and exactly what goes back."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.element import Element, Item
from asyncfind.query.keys import build_identifier
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN, SYNTAXES, TransferSyntax
from asyncfind.query.writer import write_item
from asyncfind.scp.find import MODELS, Archive, QueryRefused
from asyncfind.scp.matching import condition_of
from asyncfind.scp.rows import PATIENT_COLUMNS, STUDY_COLUMNS
from asyncfind.scp.store import Store

_PATIENT_ROOT, _STUDY_ROOT, _PATIENT_STUDY_ONLY, _WORKLIST = MODELS
_STUDY = {name: place for place, name in enumerate(PATIENT_COLUMNS + STUDY_COLUMNS)}
Answer = dict[int, str]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.generate(300, 11, worklist=60) as store:
        yield store


@pytest.fixture(scope="module")
def archive(store: Store) -> Archive:
    return Archive(store, "NORTH")


def _texts(item: Item) -> Answer:
    charsets = charsets_of(item)
    return {
        tag: decode_text(element.value, charsets, element.vr)[0].rstrip("\0 ")
        if isinstance(element.value, bytes)
        else f"{len(element.value)} items"
        for tag, element in item.elements.items()
    }


def _ask(
    archive: Archive, model: str, *keys: str, relational: bool = False
) -> list[tuple[int, Answer]]:
    identifier = build_identifier(None, keys)
    found = archive.find(model, identifier, relational=relational)
    return [(status, _texts(item)) for status, item in found]


def _answers(archive: Archive, model: str, *keys: str, relational: bool = False) -> list[Answer]:
    return [answer for _, answer in _ask(archive, model, *keys, relational=relational)]


def _a_study(store: Store, **columns: str) -> dict[str, str]:
    """The first study with these values."""
    for row in store.select("studies"):
        study = {name: str(row[place]) for name, place in _STUDY.items()}
        if all(study[name] == value for name, value in columns.items()):
            return study
    raise AssertionError(f"no study with {columns}")


# What goes back.


def test_an_answer_has_what_was_asked_for(archive: Archive, store: Store) -> None:
    study = _a_study(store, charset="ISO_IR 100")
    identifier = build_identifier(
        None,
        [
            "QueryRetrieveLevel=STUDY",
            f"StudyInstanceUID={study['study_uid']}",
            "PatientName",
            "NumberOfStudyRelatedInstances",
        ],
    )
    ((status, item),) = archive.find(_STUDY_ROOT, identifier)
    assert status == 0xFF00
    assert list(item.elements) == [
        0x00080005,
        0x00080052,
        0x00080054,
        0x00100010,
        0x0020000D,
        0x00201208,
    ]
    values = {tag: (element.vr, element.value) for tag, element in item.elements.items()}
    assert values[0x00080005] == ("CS", b"ISO_IR 100")
    assert values[0x00080052] == ("CS", b"STUDY ")
    assert values[0x00080054] == ("AE", b"NORTH ")
    name = study["patient_name"].encode("latin-1")
    assert values[0x00100010] == ("PN", name + b" " * (len(name) % 2))
    uid = study["study_uid"].encode("ascii")
    assert values[0x0020000D] == ("UI", uid + b"\0" * (len(uid) % 2))
    assert all(len(value) % 2 == 0 for _, value in values.values())


def test_ascii_patients_have_no_character_set_unless_asked(archive: Archive, store: Store) -> None:
    study = _a_study(store, charset="")
    keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study['study_uid']}"]
    (answer,) = _answers(archive, _STUDY_ROOT, *keys)
    assert 0x00080005 not in answer
    (answer,) = _answers(archive, _STUDY_ROOT, *keys, "SpecificCharacterSet")
    assert answer[0x00080005] == ""


def test_every_patient_comes_in_their_own_character_set(archive: Archive, store: Store) -> None:
    answers = _answers(
        archive, _PATIENT_ROOT, "QueryRetrieveLevel=PATIENT", "PatientID", "PatientName"
    )
    names = {answer[0x00100020]: answer[0x00100010] for answer in answers}
    assert names == {str(row[0]): str(row[2]) for row in store.select("patients")}
    sets = {answer.get(0x00080005, "") for answer in answers}
    assert len(sets) == 6
    assert "\\ISO 2022 IR 87" in sets


def test_japanese_names_are_encoded_as_annex_h_does(archive: Archive) -> None:
    identifier = build_identifier(
        None, ["QueryRetrieveLevel=PATIENT", "PatientName=Aoki^*=青木*", "0008,0005=ISO_IR 192"]
    )
    found = [
        item.elements[0x00100010].value
        for _, item in archive.find(_PATIENT_ROOT, identifier)
        if item.elements[0x00080005].value == b"\\ISO 2022 IR 87 "
    ]
    assert found
    # Aoki ^ ... = ESC $ B (JIS X 0208) 青木 ESC ( B (ASCII) ^ ...
    kanji = bytes.fromhex("1b2442 4044 4c5a 1b2842 5e")
    assert all(isinstance(value, bytes) and kanji in value for value in found)


def test_unsupported_keys_are_told_by_the_status(archive: Archive) -> None:
    keys = ["QueryRetrieveLevel=PATIENT", "PatientID"]
    assert {status for status, _ in _ask(archive, _PATIENT_ROOT, *keys)} == {0xFF00}
    found = _ask(archive, _PATIENT_ROOT, *keys, "EthnicGroup=X", "StudyDate", "0009,0010=A")
    assert {status for status, _ in found} == {0xFF01}
    assert {tuple(answer) for _, answer in found if 0x00080005 not in answer} == {
        (0x00080052, 0x00080054, 0x00100020)
    }


def test_group_lengths_and_what_is_no_key_change_nothing(archive: Archive) -> None:
    identifier = build_identifier(
        None,
        ["QueryRetrieveLevel=PATIENT", "PatientID", "0010,0000=8", "0008,0201=+0100"],
    )
    assert {status for status, _ in archive.find(_PATIENT_ROOT, identifier)} == {0xFF00}


# Levels.


def test_patient_root_walks_down(archive: Archive, store: Store) -> None:
    study = _a_study(store)
    patient = f"PatientID={study['patient_id']}"
    (answer,) = _answers(
        archive,
        _PATIENT_ROOT,
        "QueryRetrieveLevel=PATIENT",
        patient,
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedInstances",
    )
    studies = _answers(
        archive,
        _PATIENT_ROOT,
        "QueryRetrieveLevel=STUDY",
        patient,
        "StudyInstanceUID",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    )
    assert int(answer[0x00201200]) == len(studies)
    assert int(answer[0x00201202]) == sum(int(one[0x00201206]) for one in studies)
    series = _answers(
        archive,
        _PATIENT_ROOT,
        "QueryRetrieveLevel=SERIES",
        patient,
        f"StudyInstanceUID={studies[0][0x0020000D]}",
        "SeriesInstanceUID",
        "Modality",
        "NumberOfSeriesRelatedInstances",
    )
    assert int(studies[0][0x00201206]) == len(series)
    images = _answers(
        archive,
        _PATIENT_ROOT,
        "QueryRetrieveLevel=IMAGE",
        patient,
        f"StudyInstanceUID={studies[0][0x0020000D]}",
        f"SeriesInstanceUID={series[-1][0x0020000E]}",
        "SOPInstanceUID",
        "SOPClassUID",
        "InstanceNumber",
    )
    assert int(series[-1][0x00201209]) == len(images)
    assert len({image[0x00080018] for image in images}) == len(images)
    assert [int(image[0x00200013]) for image in images] == list(range(1, len(images) + 1))


def test_keys_below_the_study_match(archive: Archive, store: Store) -> None:
    study = _a_study(store, code="CTCH", study_series="4")
    above = [f"StudyInstanceUID={study['study_uid']}"]
    series = ["QueryRetrieveLevel=SERIES", *above, "SeriesInstanceUID", "SeriesNumber"]
    assert len(_answers(archive, _STUDY_ROOT, *series)) == 4
    assert len(_answers(archive, _STUDY_ROOT, *series, "Modality=SR")) == 1
    assert len(_answers(archive, _STUDY_ROOT, *series, "SeriesDescription=*B30f")) == 1
    assert len(_answers(archive, _STUDY_ROOT, *series, "Modality=MR")) == 0
    (found,) = _answers(archive, _STUDY_ROOT, *series[:3], "SeriesNumber=2")
    images = ["QueryRetrieveLevel=IMAGE", *above, f"SeriesInstanceUID={found[0x0020000E]}"]
    for key, expected in [
        ("InstanceNumber=7", 1),
        ("InstanceNumber=7\\9", 2),
        ("Rows=512", None),
        ("Rows=256", 0),
        ("ImageType=PRIMARY", None),
        ("ImageType=DERIVED", 0),
    ]:
        number = len(_answers(archive, _STUDY_ROOT, *images, "SOPInstanceUID", key))
        assert number == expected or (expected is None and number >= 180)


@pytest.mark.parametrize(
    ("model", "keys", "offending", "comment"),
    [
        (_STUDY_ROOT, ["PatientName"], 0x00080052, "Query/Retrieve Level is missing"),
        (_STUDY_ROOT, ["QueryRetrieveLevel"], 0x00080052, "Query/Retrieve Level is missing"),
        (
            _STUDY_ROOT,
            ["QueryRetrieveLevel=PATIENT"],
            0x00080052,
            "level PATIENT is not one of STUDY SERIES IMAGE",
        ),
        (
            _PATIENT_STUDY_ONLY,
            ["QueryRetrieveLevel=SERIES"],
            0x00080052,
            "level SERIES is not one of PATIENT STUDY",
        ),
        (
            _PATIENT_ROOT,
            ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"],
            0x00100020,
            "needs one value of the unique key of level PATIENT",
        ),
        (
            _PATIENT_ROOT,
            ["QueryRetrieveLevel=STUDY", "PatientID=P*"],
            0x00100020,
            "needs one value of the unique key of level PATIENT",
        ),
        (
            _STUDY_ROOT,
            ["QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2\\1.3"],
            0x0020000D,
            "needs one value of the unique key of level STUDY",
        ),
        (
            _STUDY_ROOT,
            ["QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2", "SeriesInstanceUID"],
            0x0020000E,
            "needs one value of the unique key of level SERIES",
        ),
        (
            _STUDY_ROOT,
            ["QueryRetrieveLevel=STUDY", "StudyDate=yesterday"],
            0x00080020,
            "not a value of DA: yesterday",
        ),
        (
            _WORKLIST,
            ["(0040,0100)[0].Modality=CT", "(0040,0100)[1].Modality=MR"],
            0x00400100,
            "a sequence key has one item",
        ),
        (_WORKLIST, ["(0040,0100)[0].0040,0002=1"], 0x00400002, "not a value of DA: 1"),
    ],
)
def test_what_is_refused(
    archive: Archive, model: str, keys: Sequence[str], offending: int, comment: str
) -> None:
    with pytest.raises(QueryRefused) as caught:
        archive.find(model, build_identifier(None, keys))
    assert caught.value.status == 0xA900
    assert caught.value.offending == (offending,)
    assert caught.value.text == comment
    assert len(comment) <= 64


def test_other_refusals(archive: Archive) -> None:
    with pytest.raises(QueryRefused) as caught:
        archive.find("1.2.840.10008.5.1.4.38.2", Item())
    assert caught.value.status == 0x0122
    with pytest.raises(QueryRefused) as caught:
        archive.find(_WORKLIST, build_identifier(None, ["EthnicGroup"]))
    assert caught.value.status == 0xA900
    with pytest.raises(QueryRefused) as caught:
        archive.respond(_WORKLIST, b"\x10\x00\x10\x00XX", EXPLICIT_VR_LITTLE_ENDIAN)
    assert caught.value.status == 0xC000


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00080052, "SQ", [Item()]),
        (0x00100010, "SQ", [Item()]),
        (0x00081032, "LO", b"CT"),
        (0x0020000D, "UI", b"1.2\x001.3"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(
    archive: Archive, tag: int, vr: str, value: "bytes | list[Item]"
) -> None:
    identifier = build_identifier(None, ["QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2"])
    identifier.elements[tag] = Element(tag, vr, value, 0)
    with pytest.raises(QueryRefused) as caught:
        archive.find(_STUDY_ROOT, identifier)
    assert caught.value.offending == (tag,)


def test_an_odd_length_of_us_is_refused(archive: Archive, store: Store) -> None:
    study = _a_study(store)
    identifier = build_identifier(
        None,
        [
            "QueryRetrieveLevel=IMAGE",
            f"StudyInstanceUID={study['study_uid']}",
            f"SeriesInstanceUID={study['study_uid']}.1",
        ],
    )
    identifier.elements[0x00280010] = Element(0x00280010, "US", b"\x00", 1)
    with pytest.raises(QueryRefused):
        archive.find(_STUDY_ROOT, identifier)


def test_relational_queries_need_no_keys_above(archive: Archive, store: Store) -> None:
    study = _a_study(store, code="MRHE", study_series="5")
    series = "SeriesInstanceUID=" + study["study_uid"] + ".2"
    (answer,) = _answers(
        archive,
        _STUDY_ROOT,
        "QueryRetrieveLevel=SERIES",
        series,
        "StudyInstanceUID",
        relational=True,
    )
    assert answer[0x0020000D] == study["study_uid"]
    image = "SOPInstanceUID=" + study["study_uid"] + ".2.3"
    (answer,) = _answers(
        archive,
        _PATIENT_ROOT,
        "QueryRetrieveLevel=IMAGE",
        image,
        "SeriesInstanceUID",
        relational=True,
    )
    assert answer[0x0020000E] == study["study_uid"] + ".2"
    found = _answers(
        archive, _STUDY_ROOT, "QueryRetrieveLevel=SERIES", "Modality=PT", relational=True
    )
    expected = {
        str(row[_STUDY["study_uid"]]): 2
        for row in store.select("studies")
        if row[_STUDY["code"]] == "PTWB"
    }
    assert len(found) >= len(expected) > 0


# Matching.


def test_modalities_in_study_matches_any_of_them(archive: Archive, store: Store) -> None:
    def ask(value: str) -> int:
        return len(
            _answers(archive, _STUDY_ROOT, "QueryRetrieveLevel=STUDY", f"ModalitiesInStudy={value}")
        )

    stored = [str(row[_STUDY["modalities"]]).split("\\") for row in store.select("studies")]
    assert ask("SR") == sum("SR" in modalities for modalities in stored) > 0
    assert ask("PT\\MG") == sum(bool({"PT", "MG"} & set(modalities)) for modalities in stored)
    assert ask("M?") == sum(bool({"MR", "MG"} & set(modalities)) for modalities in stored)
    assert ask("C") == 0
    assert ask("\\".join(f"X{number}" for number in range(30))) == 0


def test_code_sequences_match_in_studies(archive: Archive, store: Store) -> None:
    keys = ["QueryRetrieveLevel=STUDY", "(0008,1032)[0].CodeValue=CTHE"]
    answers = _answers(archive, _STUDY_ROOT, *keys, "StudyInstanceUID")
    expected = {
        row[_STUDY["study_uid"]] for row in store.select("studies") if row[_STUDY["code"]] == "CTHE"
    }
    assert {answer[0x0020000D] for answer in answers} == expected
    assert {answer[0x00081032] for answer in answers} == {"1 items"}
    keys.append("(0008,1032)[0].CodingSchemeDesignator=")
    assert len(_answers(archive, _STUDY_ROOT, *keys, "StudyInstanceUID")) == len(expected)
    keys[-1] += "DCM"
    assert _answers(archive, _STUDY_ROOT, *keys, "StudyInstanceUID") == []


def test_physicians_match_by_name(archive: Archive, store: Store) -> None:
    name = _a_study(store)["referring"]
    answers = _answers(
        archive,
        _STUDY_ROOT,
        "QueryRetrieveLevel=STUDY",
        "SpecificCharacterSet=ISO_IR 192",
        f"ReferringPhysicianName={name.split('=')[0].upper()}",
    )
    expected = sum(row[_STUDY["referring"]] == name for row in store.select("studies"))
    assert len(answers) == expected > 0


@pytest.mark.parametrize("charset", ["ISO_IR 144", "ISO_IR 192"])
def test_keys_match_whatever_character_set_they_come_in(archive: Archive, charset: str) -> None:
    def ask(charset: str) -> list[str]:
        answers = _answers(
            archive,
            _PATIENT_ROOT,
            "QueryRetrieveLevel=PATIENT",
            f"SpecificCharacterSet={charset}",
            "PatientName=*ОВА^*",
            "PatientID",
        )
        return [answer[0x00100020] for answer in answers]

    assert ask(charset) == ask("ISO_IR 192") != []


_COLUMNS = {
    "PatientID": ("LO", "patient_id"),
    "PatientName": ("PN", "patient_name"),
    "PatientSex": ("CS", "sex"),
    "PatientBirthDate": ("DA", "birth_date"),
    "StudyDate": ("DA", "study_date"),
    "StudyTime": ("TM", "study_time"),
    "AccessionNumber": ("SH", "accession"),
    "StudyDescription": ("LO", "study_description"),
    "ReferringPhysicianName": ("PN", "referring"),
    "PatientWeight": ("DS", "weight"),
    "NumberOfStudyRelatedSeries": ("IS", "study_series"),
    "StudyInstanceUID": ("UI", "study_uid"),
}


@st.composite
def _key(draw: st.DrawFn, values: dict[str, list[str]]) -> tuple[str, str]:
    """A keyword and a value made from one that is stored: whole, as a pattern, range or list."""
    keyword = draw(st.sampled_from(sorted(_COLUMNS)))
    vr, column = _COLUMNS[keyword]
    stored = st.sampled_from([value for value in values[column] if value])
    value = draw(stored)
    if vr in ("DA", "TM"):
        other = draw(stored)
        low, high = sorted((value, other))
        return keyword, draw(st.sampled_from([value, f"{low}-{high}", f"{low}-", f"-{high}"]))
    if vr in ("UI", "IS", "DS"):
        return keyword, draw(st.sampled_from([value, f"{value}\\{draw(stored)}"]))
    place = draw(st.integers(0, len(value)))
    return keyword, draw(
        st.sampled_from(
            [
                value,
                value.lower(),
                f"{value[:place]}*",
                f"*{value[place:]}",
                f"{value[:place]}?{value[place + 1 :]}",
                f"{value[:place]}*\\{draw(stored)}",
            ]
        )
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_sql_and_python_find_the_same(archive: Archive, store: Store, data: st.DataObject) -> None:
    rows = list(store.select("studies"))
    values = {
        column: [str(row[_STUDY[column]]) for row in rows[:50]] for _, column in _COLUMNS.values()
    }
    keys = dict(data.draw(st.lists(_key(values), min_size=1, max_size=3)))
    expected = []
    for row in rows:
        conditions = {
            keyword: condition_of(_COLUMNS[keyword][0], value) for keyword, value in keys.items()
        }
        if all(
            condition is None or condition.test(str(row[_STUDY[_COLUMNS[keyword][1]]]))
            for keyword, condition in conditions.items()
        ):
            expected.append(row[_STUDY["study_uid"]])
    answers = _answers(
        archive,
        _STUDY_ROOT,
        "SpecificCharacterSet=ISO_IR 192",
        "QueryRetrieveLevel=STUDY",
        "StudyInstanceUID",
        *(f"{keyword}={value}" for keyword, value in keys.items()),
    )
    assert sorted(answer[0x0020000D] for answer in answers) == sorted(map(str, expected))


# Worklist.


def test_the_worklist_matches_inside_the_sequence(archive: Archive) -> None:
    step = "(0040,0100)[0]."
    identifier = build_identifier(
        None, ["PatientID", f"{step}Modality=CT", f"{step}0040,0002=20260615-20260617"]
    )
    found = list(archive.find(_WORKLIST, identifier))
    assert 0 < len(found) < 60
    for status, item in found:
        assert status == 0xFF00
        assert list(item.elements)[-2:] == [0x00100020, 0x00400100]
        (inner,) = item.elements[0x00400100].value
        assert isinstance(inner, Item)
        assert list(inner.elements) == [0x00080060, 0x00400002]
        assert inner.elements[0x00080060].value == b"CT"
        day = inner.elements[0x00400002].value
        assert isinstance(day, bytes)
        assert b"20260615" <= day <= b"20260617"


@pytest.mark.parametrize("key", ["0040,0100", "(0040,0100)[0]"])
def test_an_empty_sequence_asks_for_all_of_it(archive: Archive, key: str) -> None:
    found = list(archive.find(_WORKLIST, build_identifier(None, ["PatientID", key])))
    assert len(found) == 60
    (inner,) = found[0][1].elements[0x00400100].value
    assert isinstance(inner, Item)
    assert {0x00080060, 0x00400001, 0x00400002, 0x00400003, 0x00400006, 0x00400009} < set(
        inner.elements
    )
    (code,) = inner.elements[0x00400008].value
    assert isinstance(code, Item)
    assert list(code.elements) == [0x00080100, 0x00080102, 0x00080104]


def test_worklist_attributes_without_a_value(archive: Archive) -> None:
    keys = ["PatientID", "MedicalAlerts", "ReferencedStudySequence", "PregnancyStatus"]
    found = _ask(archive, _WORKLIST, *keys)
    assert len(found) == 60
    status, answer = found[0]
    assert status == 0xFF00
    assert answer[0x00102000] == ""
    assert answer[0x00081110] == "0 items"
    assert _ask(archive, _WORKLIST, *keys, "MedicalAlerts=Latex") == []
    inner = [*keys, "ReferencedStudySequence[0].ReferencedSOPInstanceUID"]
    assert {status for status, _ in _ask(archive, _WORKLIST, *inner)} == {0xFF01}


def test_worklist_constants_match(archive: Archive) -> None:
    assert len(_answers(archive, _WORKLIST, "InstitutionName=Asyncfind*")) == 60
    assert _answers(archive, _WORKLIST, "InstitutionName=Elsewhere") == []


# Bytes.


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=lambda syntax: syntax.name)
def test_answers_are_the_same_in_every_transfer_syntax(
    archive: Archive, syntax: TransferSyntax
) -> None:
    identifier = build_identifier(None, ["PatientName", "PregnancyStatus", "(0040,0100)[0]"])
    expected = [_texts(item) for _, item in archive.find(_WORKLIST, identifier)]
    given = archive.respond(_WORKLIST, write_item(identifier, syntax), syntax)
    assert [_texts(read_item(match[1], syntax)) for match in given if match] == expected


def test_long_searches_let_others_go_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncfind.scp.find._SLICE", 10)
    archive = Archive(store)
    keys = ["QueryRetrieveLevel=STUDY", "ModalitiesInStudy=Y?", "StudyInstanceUID"]
    identifier = write_item(build_identifier(None, keys), EXPLICIT_VR_LITTLE_ENDIAN)
    found = list(archive.respond(_STUDY_ROOT, identifier, EXPLICIT_VR_LITTLE_ENDIAN))
    assert found == [None] * 30
    keys[0] = "QueryRetrieveLevel=IMAGE"
    identifier = write_item(build_identifier(None, keys), EXPLICIT_VR_LITTLE_ENDIAN)
    found = list(
        archive.respond(_STUDY_ROOT, identifier, EXPLICIT_VR_LITTLE_ENDIAN, relational=True)
    )
    assert found == [None] * 30
    assert _answers(archive, _STUDY_ROOT, *keys, relational=True) == []
    keys.append("Modality=CT")
    identifier = write_item(build_identifier(None, keys), EXPLICIT_VR_LITTLE_ENDIAN)
    found = list(
        archive.respond(_STUDY_ROOT, identifier, EXPLICIT_VR_LITTLE_ENDIAN, relational=True)
    )
    assert found == [None] * 30


def test_matches_are_found_as_they_are_taken(archive: Archive) -> None:
    found = archive.find(
        _STUDY_ROOT,
        build_identifier(None, ["QueryRetrieveLevel=IMAGE", "SOPInstanceUID"]),
        relational=True,
    )
    assert next(found)[0] == 0xFF00
