"""Which columns rows have: the plan's, or those that the user chose."""

from collections.abc import Sequence

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer, Plan, make_query
from asyncfind.render.columns import Choice, Rows, Shape, parse_columns
from asyncfind.safe import safe

_MODALITY = (0x00400100, 0x00080060)
_DATE = (0x00400100, 0x00400002)


def _plan() -> Plan:
    keys = [
        "PatientName",
        "ScheduledProcedureStepSequence[0].Modality",
        "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate",
        "PatientID",
    ]
    return Plan(peers=(Peer(host="north", port=104),), queries=(make_query("worklist", keys),))


def _names(shape: Shape) -> list[str]:
    return Rows(shape, safe).begin(_plan())


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("PatientName", [(0x00100010,)]),
        ("node, PatientName ,time", ["node", (0x00100010,), "time"]),
        ("0010,0010", [(0x00100010,)]),
        ("node,0010,0010,0010,0020", ["node", (0x00100010,), (0x00100020,)]),
        ("(0010,0010),number", [(0x00100010,), "number"]),
        ("00100010,repeat", [(0x00100010,), "repeat"]),
        ("ScheduledProcedureStepSequence.Modality", [_MODALITY]),
        ("ScheduledProcedureStepSequence[0].Modality,verdict", [_MODALITY, "verdict"]),
        ("0040,0100.0008,0060,flags", [_MODALITY, "flags"]),
        ("00400100.00080060", [_MODALITY]),
        ("nodes,differs", ["nodes", "differs"]),
    ],
)
def test_lists_of_columns(text: str, columns: Sequence[Choice]) -> None:
    assert list(parse_columns(text)) == list(columns)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "PatientName,",
        "PatientName=A",
        "PatientName,0010,0010",
        "node,node",
        "Patien",
        "12",
        "ScheduledProcedureStepSequence[1].Modality",
        "PatientName.Modality",
    ],
)
def test_what_is_no_list_of_columns(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_columns(text)


def test_all_columns_of_a_plan() -> None:
    about = ["node", "query", "repeat", "number", "status", "time"]
    keys = [
        "PatientName",
        "ScheduledProcedureStepSequence.Modality",
        "ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate",
        "PatientID",
    ]
    assert _names(Shape()) == [*about, "flags", *keys]
    assert _names(Shape(has_verdict=True)) == [*about, "verdict", "flags", *keys]
    assert _names(Shape(merge=True)) == [*about, "flags", "nodes", "differs", *keys]


def test_a_sequence_stands_for_all_that_was_asked_in_it() -> None:
    shape = Shape(columns=((0x00100020,), (0x00400100,), "node"))
    assert _names(shape) == [
        "PatientID",
        "ScheduledProcedureStepSequence.Modality",
        "ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate",
        "node",
    ]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Shape(columns=((0x00100030,),)), "PatientBirthDate is no return key"),
        (Shape(columns=((0x00400100, 0x00400006),)), "ScheduledProcedureStepSequence.Sched"),
        (Shape(columns=((0x00091001,),)), "00091001 is no return key"),
        (Shape(columns=("verdict",)), "not known yet"),
        (Shape(columns=("nodes",)), "with --merge only"),
        (Shape(columns=("differs",), has_verdict=True), "with --merge only"),
    ],
)
def test_what_rows_have_not(shape: Shape, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        shape.check(_plan().columns)
