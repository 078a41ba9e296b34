"""What a query asks for, as columns and as a label."""

import pytest

from asyncfind.query.columns import Column, columns_of, label_of
from asyncfind.query.element import Element, Item
from asyncfind.query.keys import build_identifier

STEPS = 0x00400100
"""Scheduled Procedure Step Sequence."""


def names(keys: list[str], base: Item | None = None) -> list[str]:
    """Names of the columns of a query of `keys`."""
    return [column.name for column in columns_of(build_identifier(base, keys), keys)]


def test_columns_are_in_the_order_of_the_keys() -> None:
    assert names(["StudyDate", "PatientName=A*", "0008,0050", "PatientName=B*"]) == [
        "StudyDate",
        "PatientName",
        "AccessionNumber",
    ]


def test_what_is_the_same_in_every_answer_is_no_column() -> None:
    keys = ["QueryRetrieveLevel=STUDY", "SpecificCharacterSet", "(0008,0000)=0", "PatientID"]
    assert names(keys) == ["PatientID"]


def test_keys_of_the_file_follow_in_tag_order() -> None:
    base = build_identifier(None, ["PatientName", "StudyDate", "Modality"])
    assert names(["PatientID", "PatientName"], base) == [
        "PatientID",
        "PatientName",
        "StudyDate",
        "Modality",
    ]
    assert [column.name for column in columns_of(base)] == ["StudyDate", "Modality", "PatientName"]


def test_leaves_of_sequences_are_columns_of_their_own() -> None:
    keys = [
        "ScheduledProcedureStepSequence[0].ScheduledProtocolCodeSequence[0].CodeValue",
        "ScheduledProcedureStepSequence[0].Modality=CT",
        "(0009,1001)",
    ]
    assert columns_of(build_identifier(None, keys), keys) == (
        Column(
            (STEPS, 0x00400008, 0x00080100),
            "ScheduledProcedureStepSequence.ScheduledProtocolCodeSequence.CodeValue",
            "SH",
        ),
        Column((STEPS, 0x00080060), "ScheduledProcedureStepSequence.Modality", "CS"),
        Column((0x00091001,), "00091001", "UN"),
    )


@pytest.mark.parametrize(
    "keys", [["ScheduledProcedureStepSequence"], ["ScheduledProcedureStepSequence[0]"]]
)
def test_a_sequence_of_which_all_is_asked_is_one_column(keys: list[str]) -> None:
    column = Column((STEPS,), "ScheduledProcedureStepSequence", "SQ")
    assert columns_of(build_identifier(None, keys), keys) == (column,)
    assert label_of(build_identifier(None, keys)) == "ScheduledProcedureStepSequence"


@pytest.mark.parametrize(
    ("keys", "label"),
    [
        (
            ["QueryRetrieveLevel=STUDY", "PatientName=A*", "StudyInstanceUID"],
            "QueryRetrieveLevel=STUDY PatientName=A* StudyInstanceUID",
        ),
        (["PatientName=Müller^山", "StudyDate"], "PatientName=Müller^山 StudyDate"),
        (["ModalitiesInStudy=CT\\MR", "Rows=512\\-1"], "ModalitiesInStudy=CT\\MR Rows=512\\65535"),
        (["StudyInstanceUID=1.2.3", "(0009,1001)"], "StudyInstanceUID=1.2.3 00091001"),
        (["PatientName=A\x1b[31m", "(0010,0000)=1"], "PatientName=A\\x1b[31m"),
        (
            [
                "ScheduledProcedureStepSequence[0].Modality=CT",
                "ScheduledProcedureStepSequence[0].0040,0001",
            ],
            (
                "ScheduledProcedureStepSequence.Modality=CT "
                "ScheduledProcedureStepSequence.ScheduledStationAETitle"
            ),
        ),
        ([f"PatientID={'9' * 300}"], f"PatientID={'9' * 300}"),
        ([], ""),
    ],
)
def test_a_label_says_what_is_asked(keys: list[str], label: str) -> None:
    assert label_of(build_identifier(None, keys)) == label


def test_an_item_s_own_character_set_counts_in_the_label() -> None:
    charset = Element(0x00080005, "CS", b"ISO_IR 100", 10)
    name = Element(0x00100010, "PN", b"M\xfcller", 6)
    inner = Item({charset.tag: charset, name.tag: name})
    item = Item({STEPS: Element(STEPS, "SQ", [inner], 0)})
    assert label_of(item) == "ScheduledProcedureStepSequence.PatientName=Müller"
