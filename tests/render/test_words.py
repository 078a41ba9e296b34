"""Values as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.plan import Peer
from asyncfind.query.columns import Column
from asyncfind.render.words import look_of, node_labels, readable


@pytest.mark.parametrize(
    ("vr", "values", "text"),
    [
        ("PN", ["DOE^JOHN"], "DOE, JOHN"),
        ("PN", ["Doe^John^Quincy^Dr.^Jr."], "Doe, John Quincy, Dr., Jr."),
        ("PN", ["Doe"], "Doe"),
        ("PN", ["^John"], "John"),
        ("PN", ["Yamada^Tarou=山田^太郎=やまだ^たろう"], "Yamada, Tarou"),
        ("PN", ["=山田^太郎"], "山田, 太郎"),
        ("PN", ["^^"], ""),
        ("PN", ["A^B", "C^D"], "A, B, C, D"),
        ("DA", ["20240102"], "2024-01-02"),
        ("DA", ["2024.01.02"], "2024-01-02"),
        ("DA", ["20240101-"], "20240101-"),
        ("DA", ["yesterday"], "yesterday"),
        ("TM", ["101530.123456"], "10:15:30"),
        ("TM", ["1015"], "10:15"),
        ("TM", ["10:15:30"], "10:15:30"),
        ("TM", ["10"], "10"),
        ("DT", ["20240102101530.5+0100"], "2024-01-02 10:15:30+0100"),
        ("DT", ["202401021015"], "2024-01-02 10:15"),
        ("DT", ["20240102"], "2024-01-02"),
        ("CS", ["CT", "SR"], "CT, SR"),
        ("LO", ["20240102"], "20240102"),
    ],
)
def test_values_are_written_as_people_write_them(vr: str, values: list[str], text: str) -> None:
    assert readable(vr, values) == text


@given(st.sampled_from(["PN", "DA", "TM", "DT", "UI"]), st.lists(st.text(), min_size=1))
def test_odd_values_are_never_an_error(vr: str, values: list[str]) -> None:
    readable(vr, values)


@pytest.mark.parametrize(
    ("column", "title"),
    [
        (Column((0x00100010,), "PatientName", "PN"), "Patient"),
        (Column((0x00400100, 0x00080060), "ScheduledProcedureStepSequence.Modality", "CS"), "Mod"),
        (Column((0x00401003,), "RequestedProcedurePriority", "SH"), "Requested Procedure Pri…"),
        (Column((0x00380010,), "AdmissionID", "LO"), "Admission ID"),
        (Column((0x00091001,), "00091001", "UN"), "00091001"),
    ],
)
def test_titles_are_short(column: Column, title: str) -> None:
    look = look_of(column)
    assert look.title == title
    assert 0 < look.least <= look.usual <= look.most


@pytest.mark.parametrize(
    ("peers", "labels"),
    [
        ([("a", 1, "NORTH"), ("b", 1, "SOUTH")], ["NORTH", "SOUTH"]),
        ([("a", 1, "ANY-SCP"), ("b", 2, "ANY-SCP")], ["a:1", "b:2"]),
        ([("a", 1, "X"), ("a", 1, "Y"), ("b", 1, "X")], ["X@a:1", "Y@a:1", "X@b:1"]),
    ],
)
def test_nodes_are_called_as_short_as_tells_them_apart(
    peers: list[tuple[str, int, str]], labels: list[str]
) -> None:
    made = [Peer(host=host, port=port, called=called) for host, port, called in peers]
    assert list(node_labels(made).values()) == labels


def test_a_name_that_the_user_gave_is_used() -> None:
    peers = [Peer(host="a", port=1, name="attic"), Peer(host="b", port=1)]
    assert list(node_labels(peers).values()) == ["attic", "ANY-SCP"]
