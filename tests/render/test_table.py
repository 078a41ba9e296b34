"""`table` streams, fits the width and stays a table whatever a peer sends."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from asyncfind.plan import Peer, Plan, make_query
from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.records import Find, FindDone, Match
from asyncfind.render.live import Screen
from asyncfind.render.stream import Streamed
from asyncfind.render.table import Table, fit
from asyncfind.safe import safe

STUDY_KEYS = [
    *("QueryRetrieveLevel=STUDY", "PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "ModalitiesInStudy"),
    *("ReferringPhysicianName", "StudyInstanceUID", "StudyID", "NumberOfStudyRelatedSeries"),
    *("NumberOfStudyRelatedInstances", "InstitutionName"),
]
SERIES_KEYS = [
    *("QueryRetrieveLevel=SERIES", "Modality", "SeriesNumber", "SeriesDescription"),
    *("BodyPartExamined", "NumberOfSeriesRelatedInstances", "SeriesInstanceUID"),
]
WORKLIST_KEYS = [
    *("PatientName", "PatientID", "AccessionNumber", "RequestedProcedureID"),
    "ScheduledProcedureStepSequence[0].Modality",
    "ScheduledProcedureStepSequence[0].ScheduledStationAETitle",
    "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime",
    "ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription",
    "RequestedProcedureCodeSequence",
]
ANSWER = {
    0x00080005: ("CS", "ISO_IR 192"),
    0x00080020: ("DA", "20240102"),
    0x00080030: ("TM", "101530.000"),
    0x00080061: ("CS", "CT\\SR"),
    0x00081030: ("LO", "CT Thorax mit Kontrastmittel, Lunge und Mediastinum"),
    0x00100010: ("PN", "Yamada^Tarou=山田^太郎"),
    0x00100020: ("LO", "12345678"),
    0x0020000D: ("UI", "1.2.826.0.1.3680043.10.999.1.2.3.4.5.6.7.8.9.10.11.12.99"),
    0x00201206: ("IS", "3"),
    0x00201208: ("IS", "1200"),
}


def _identifier(values: dict[int, tuple[str, str]]) -> bytes:
    item = Item()
    for tag, (vr, text) in sorted(values.items()):
        value = text.encode()
        value += b" " * (len(value) % 2)
        item.elements[tag] = Element(tag, vr, value, len(value))
    return write_item(item, EXPLICIT_VR_LITTLE_ENDIAN)


def _plan(peers: int, *keys: list[str], repeat: int = 1) -> Plan:
    return Plan(
        peers=tuple(
            Peer(host=f"pacs{number}.hospital.example", port=11112, called=f"ARCHIVE{number}")
            for number in range(peers)
        ),
        queries=tuple(make_query("study", one, label=f"{at}.dcm") for at, one in enumerate(keys)),
        repeat=repeat,
    )


def test_a_table_at_80_columns(render: Callable[..., str], match: Callable[..., Match]) -> None:
    plan = _plan(1, STUDY_KEYS)
    find = Find(plan.peers[0], plan.queries[0], 1, 0)
    text = render(Table(80), [match(_identifier(ANSWER), of=find)], of=plan)
    assert text == (
        "no room here, but in --format csv: Mods, Referring, Study UID, Study ID, Series…\n"
        "Patient     Patient ID  Born        Sex  Study date  Time      Acc no  Study\n"
        "Yamada, T…  12345678                     2024-01-02  10:15:30          CT Thora…\n"
    )


def test_a_table_at_120_columns(render: Callable[..., str], match: Callable[..., Match]) -> None:
    plan = _plan(2, STUDY_KEYS[:10])
    find = Find(plan.peers[1], plan.queries[0], 1, 0)
    text = render(Table(120), [match(_identifier(ANSWER), of=find)], of=plan)
    assert text == (
        "Node      Patient            Patient ID    Born        Sex  Study date  Time      "
        "Acc no        Study             Mods\n"
        "ARCHIVE1  Yamada, Tarou      12345678                       2024-01-02  10:15:30  "
        "              CT Thorax mit K…  CT, SR\n"
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("keys", [STUDY_KEYS, SERIES_KEYS, WORKLIST_KEYS, STUDY_KEYS[:1]])
def test_every_level_fits_the_console(
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    keys: list[str],
    nodes: int,
    width: int,
) -> None:
    """Through rich as on a terminal; wide characters count twice."""
    plan = _plan(nodes, keys, repeat=2)
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=24)
    renderer = Streamed(Table(console.width, has_kinds=True), Screen(console))
    renderer.begin(plan)
    for peer in plan.peers:
        find = Find(peer, plan.queries[0], 2, 0)
        wide = _identifier({**ANSWER, 0x00100010: ("PN", "山田太郎" * 20)})
        answers = [_identifier(ANSWER), wide, study, b"", b"\1"]
        renderer.show([match(one, at, of=find) for at, one in enumerate(answers, 1)])
        renderer.show([done(of=find)])
    lines = stream.getvalue().splitlines()
    assert all(cell_len(line) <= width for line in lines)
    headers = [line for line in lines if line.startswith(("Node", "Rep"))]
    assert len(headers) == 1
    assert ("Node" in headers[0]) is (nodes > 1)
    assert len(lines) == 5 * nodes + 1 + sum(line.startswith("no room") for line in lines)


def test_the_header_is_repeated_only_where_the_columns_change(
    render: Callable[..., str], match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    plan = _plan(1, ["PatientName"], ["PatientName"], ["PatientID"])
    records = []
    for at in (0, 1, 2, 0):
        find = Find(plan.peers[0], plan.queries[at], 1, at)
        records += [match(_identifier(ANSWER), of=find), done(of=find)]
    assert render(Table(80), records, of=plan).splitlines() == [
        "Query  Patient",
        "0.dcm  Yamada, Tarou",
        "1.dcm  Yamada, Tarou",
        "",
        "Patient ID",
        "12345678",
        "",
        "Query  Patient",
        "0.dcm  Yamada, Tarou",
    ]


def test_titles_that_are_the_same_are_told_apart(
    render: Callable[..., str], match: Callable[..., Match]
) -> None:
    plan = _plan(1, ["Modality", "ScheduledProcedureStepSequence[0].Modality"])
    find = Find(plan.peers[0], plan.queries[0], 1, 0)
    header = render(Table(80), [match(b"", of=find)], of=plan).splitlines()[0]
    assert header.split() == ["Modality", "SPSS.Modality"]


def test_a_query_without_columns_counts_its_answers(
    render: Callable[..., str], match: Callable[..., Match]
) -> None:
    plan = _plan(1, ["QueryRetrieveLevel=STUDY"])
    find = Find(plan.peers[0], plan.queries[0], 1, 0)
    text = render(Table(80), [match(b"", 1, of=find), match(b"", 2, of=find)], of=plan)
    assert text.splitlines() == ["Answer", "1", "2"]


@pytest.mark.parametrize(
    ("text", "width", "keeps_end", "fitted"),
    [
        ("abc", 5, False, "abc  "),
        ("abcdef", 4, False, "abc…"),
        ("1.2.3.99", 5, True, "…3.99"),
        ("山田太郎", 8, False, "山田太郎"),
        ("山田太郎", 6, False, "山田 …"),
        ("山田太郎", 7, False, "山田太…"),
        ("山田太郎", 5, True, "…太郎"),
    ],
)
def test_text_is_cut_and_filled_by_columns(
    text: str, width: int, keeps_end: bool, fitted: str
) -> None:
    assert fit(text, width, keeps_end=keeps_end) == fitted


@given(st.text(), st.integers(1, 40), st.booleans())
def test_whatever_is_fitted_has_the_width(text: str, width: int, keeps_end: bool) -> None:
    assert cell_len(fit(safe(text), width, keeps_end=keeps_end)) == width


HOSTILE = ["\x1b[31mred", "\x1b]0;title\x07", "[red]markup[/red]", "\u202egnp", "a\u2028b\nc"]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_text_of_a_peer_acts_on_a_terminal(match: Callable[..., Match], value: str) -> None:
    plan = _plan(1, ["PatientName", "StudyDescription"])
    find = Find(plan.peers[0], plan.queries[0], 1, 0)
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=True, color_system="standard")
    renderer = Streamed(Table(120, has_kinds=True), Screen(console))
    renderer.begin(plan)
    answer = _identifier({**ANSWER, 0x00081030: ("LO", value)})
    renderer.show([match(answer, of=find)])
    header, row, rest = stream.getvalue().split("\n")
    assert header.startswith("\x1b[1m")  # our own
    assert rest == ""
    assert safe(row) == row
    assert safe(value) in row


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=3))
def test_any_text_stays_in_its_row(
    render: Callable[..., str], match: Callable[..., Match], values: list[str]
) -> None:
    plan = _plan(2, WORKLIST_KEYS)
    find = Find(plan.peers[0], plan.queries[0], 1, 0)
    records = [
        match(
            _identifier({**ANSWER, 0x00100010: ("PN", value), 0x00080050: ("SH", value)}), of=find
        )
        for value in values
    ]
    lines = render(Table(80), records, of=replace(plan)).splitlines()
    rows = [line for line in lines if line.startswith("ARCHIVE0")]
    assert len(rows) == len(values)
    assert all(cell_len(line) <= 80 for line in lines)
