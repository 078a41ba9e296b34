"""Lists of queries: what each row asks, whom, and what is refused before anything is sent."""

import io
import json
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.cli.batch import Batch, read_batch
from asyncfind.errors import InvalidRequest
from asyncfind.plan import make_query
from asyncfind.query.charset import charsets_of
from asyncfind.query.columns import label_of
from asyncfind.query.element import Item
from asyncfind.query.keys import build_identifier
from asyncfind.query.models import model_of
from asyncfind.query.row_shape import parse_base
from asyncfind.query.values import element_texts

STUDY = model_of("study")
BASE = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID")
NODES = {"north": ("north",), "south": ("south",), "@ring": ("north", "south")}


def _resolve(text: str) -> Sequence[str]:
    if text not in NODES:
        raise InvalidRequest(f"there is no node '{text}'", "Did you mean north?")
    return NODES[text]


def _read(path: Path, content: str | bytes, keys: Sequence[str] = BASE, **options: Any) -> Batch:
    path = path / "ids.csv" if path.is_dir() else path
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_batch(str(path), model=STUDY, base_keys=keys, resolve=_resolve, **options)


def _labels(batch: Batch) -> list[str]:
    return [label_of(query.identifier) for query in batch]


def _refusal(path: Path, content: str | bytes, keys: Sequence[str] = BASE, **options: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        _read(path, content, keys, **options)
    return f"{caught.value.text} | {caught.value.hint}"


# --- what a row asks ---


def test_a_row_sets_keys_of_the_base_query(tmp_path: Path) -> None:
    batch = _read(
        tmp_path, "PatientID,0008,0020\n".replace("0008,0020", '"0008,0020"') + "42,20240101\n7,\n"
    )
    assert _labels(batch) == [
        "QueryRetrieveLevel=STUDY StudyInstanceUID PatientID=42 StudyDate=20240101",
        "QueryRetrieveLevel=STUDY StudyInstanceUID PatientID=7 StudyDate",
    ]
    assert [query.label for query in batch] == ["ids.csv:2", "ids.csv:3"]
    assert [batch.line(place) for place in (0, -1)] == [2, 3]
    assert batch[0].model is STUDY
    names = ["StudyInstanceUID", "PatientID", "StudyDate"]
    assert [column.name for column in batch.columns] == names
    assert batch[1].columns is batch.columns


def test_a_row_replaces_what_the_base_says(tmp_path: Path) -> None:
    keys = (*BASE, "PatientID=*", "StudyDate=20240101-")
    batch = _read(tmp_path, "StudyDate\n20240202\n\n", keys)
    assert _labels(batch) == [
        "QueryRetrieveLevel=STUDY StudyInstanceUID PatientID=* StudyDate=20240202"
    ]


def test_columns_may_be_paths(tmp_path: Path) -> None:
    batch = _read(
        tmp_path,
        "ScheduledProcedureStepSequence[0].Modality;(0010,0020)\nCT;1\nMR;2\n",
        ("PatientName",),
    )
    assert _labels(batch) == [
        "PatientName ScheduledProcedureStepSequence.Modality=CT PatientID=1",
        "PatientName ScheduledProcedureStepSequence.Modality=MR PatientID=2",
    ]


def test_cells_go_into_values(tmp_path: Path) -> None:
    keys = (BASE[0], "PatientName={surname}^{given}*", "StudyDescription={{{PatientID}}}")
    batch = _read(tmp_path, "given,PatientID,surname,Modality\nJan,42,Kowalski,CT\n", keys)
    assert _labels(batch) == [
        "QueryRetrieveLevel=STUDY PatientName=Kowalski^Jan* StudyDescription={42} Modality=CT"
    ]


@pytest.mark.parametrize(
    "key", ["PatientID={", "PatientID=}", "PatientID={}", "PatientID={a", "PatientID={{}"]
)
def test_a_brace_alone_is_refused(tmp_path: Path, key: str) -> None:
    assert "a brace alone" in _refusal(tmp_path, "PatientName\nA\n", (key,))


def test_a_data_set_may_be_the_base(tmp_path: Path) -> None:
    base = build_identifier(None, ["QueryRetrieveLevel=STUDY", "PatientName=A*"])
    batch = _read(tmp_path, "PatientID\n1\n2\n", ("StudyDate",), base=base)
    assert _labels(batch)[1] == "QueryRetrieveLevel=STUDY PatientName=A* StudyDate PatientID=2"
    assert label_of(base) == "QueryRetrieveLevel=STUDY PatientName=A*"


def test_the_base_may_be_empty(tmp_path: Path) -> None:
    assert _labels(_read(tmp_path, "PatientID\n1\n", ())) == ["PatientID=1"]


def test_new_value_representations_are_sent_as_asked(tmp_path: Path) -> None:
    for new_vr, vr in ((True, "UC"), (False, "OB")):
        batch = _read(tmp_path, "LongCodeValue\nA\n", new_vr=new_vr)
        assert batch[0].identifier.elements[0x00080119].vr == vr


def test_characters_choose_the_set_row_by_row(tmp_path: Path) -> None:
    batch = _read(tmp_path, "PatientName,PatientID\nMÜLLER,1\nMILLER,2\n")
    assert [charsets_of(query.identifier) for query in batch] == [("ISO_IR 192",), ()]
    batch = _read(tmp_path, "PatientName\nMÜLLER\n", (*BASE, "0008,0005=ISO_IR 100"))
    assert batch[0].identifier.elements[0x00100010].value == b"M\xdcLLER"
    batch = _read(tmp_path, "SpecificCharacterSet,PatientName\nISO_IR 192,Ü\nISO_IR 100,Ü\n")
    values = [query.identifier.elements[0x00100010].value for query in batch]
    assert values == ["Ü".encode(), b"\xdc "]


KEYS = ["PatientID", "PatientName", "0008,0060", "StudyDate", "Rows"]
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
cells = st.one_of(texts, st.sampled_from(["1", "20240101", "ISO_IR 100", "Ü", "A\\B"]))
columns = st.sampled_from(
    [
        *KEYS,
        "SpecificCharacterSet",
        "0009,0010",
        "0009,1001",
        "ReferencedStudySequence[0].PatientID",
        "ReferencedStudySequence",
    ]
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(columns, min_size=1, max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries(dict.fromkeys(names, cells))
    ),
    st.lists(
        st.sampled_from(
            [*BASE, "PatientID=7", "Rows=5", "PatientName=Ö", "0008,0005=ISO_IR 192", "0009,0010=X"]
        ),
        max_size=4,
    ),
)
def test_a_row_is_the_query_that_its_keys_would_make(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, str], keys: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "row.json"
    own = [f"{name}={text}" for name, text in row.items()]
    try:
        expected = make_query(STUDY, [*keys, *own])
    except InvalidRequest:
        assert "cannot be asked" in _refusal(path, json.dumps(row), keys)
        return
    if not any(row.values()):
        assert "every cell is empty" in _refusal(path, json.dumps(row), keys)
        return
    batch = _read(path, json.dumps(row), keys)
    assert batch[0].identifier == expected.identifier
    assert list(batch[0].identifier.elements) == list(expected.identifier.elements)
    assert batch.columns == expected.columns


# --- files ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_divided_by_what_its_header_shows(
    tmp_path: Path, delimiter: str, mark: bytes, end: str
) -> None:
    lines = ["PatientID{0}PatientName{0}0008,0060", '"1"{0}"A, ""B"";\t^C"{0}CT', "2{0}D{0}MR"]
    if delimiter == ",":
        lines[0] = lines[0].replace("0008,0060", '"0008,0060"')
    content = mark + (end.join(lines).format(delimiter) + end).encode()
    batch = _read(tmp_path, content)
    names = [element_texts(query.identifier.elements[0x00100010], ())[0] for query in batch]
    assert names == ['A, "B";\t^C', "D"]


def test_a_single_column_of_tags_needs_no_quotes(tmp_path: Path) -> None:
    assert _labels(_read(tmp_path, "0010,0020\n42\n", ())) == ["PatientID=42"]


def test_lines_are_counted_over_cells_of_several_lines_and_none(tmp_path: Path) -> None:
    batch = _read(tmp_path, '\n\nPatientID,StudyDescription\n\n1,"a\nb\n\nc"\n\n2,d\n')
    assert [batch.line(place) for place in range(2)] == [5, 10]


def test_json_lines_hold_texts_numbers_and_lists(tmp_path: Path) -> None:
    rows = (
        '{"PatientID": 42, "ModalitiesInStudy": ["CT", "MR"], "StudyDate": null}\n\n'
        '  {"PatientName": "M\\u00dcLLER", "node": "north"}\r\n{"PatientID": 1.50}\n'
    )
    batch = _read(tmp_path, "\ufeff" + rows, ("StudyDate=2024", "StudyInstanceUID"))
    assert _labels(batch) == [
        "StudyDate=2024 StudyInstanceUID PatientID=42 ModalitiesInStudy=CT\\MR",
        "StudyDate=2024 StudyInstanceUID PatientName=MÜLLER",
        "StudyDate=2024 StudyInstanceUID PatientID=1.50",
    ]
    names = ["StudyDate", "StudyInstanceUID", "PatientID", "ModalitiesInStudy", "PatientName"]
    assert [column.name for column in batch.columns] == names
    assert all(query.columns is batch.columns for query in batch)
    assert [batch.nodes(place) for place in range(3)] == [(), ("north",), ()]


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(b"PatientID\n42\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    batch = read_batch("-", model=STUDY)
    assert batch[0].label == "stdin:2"


# --- whom it asks ---


def test_a_column_says_whom_to_ask(tmp_path: Path) -> None:
    batch = _read(tmp_path, "node,PatientID\nnorth,1\n@ring,2\n south ,3\n")
    assert [batch.nodes(n) for n in range(3)] == [("north",), ("north", "south"), ("south",)]
    assert "node" not in _labels(batch)[0]


def test_a_row_without_a_node_asks_those_of_the_command_line(tmp_path: Path) -> None:
    content = "node,PatientID\n,1\nnorth,2\n"
    batch = _read(tmp_path, content, default_nodes=("east", "west"))
    assert [batch.nodes(n) for n in range(2)] == [("east", "west"), ("north",)]
    assert "line 2: it names no node" in _refusal(tmp_path, content)


def test_rows_with_nothing_but_a_node_ask_the_base_query(tmp_path: Path) -> None:
    batch = _read(tmp_path, "node\nnorth\nsouth\n")
    assert _labels(batch) == ["QueryRetrieveLevel=STUDY StudyInstanceUID"] * 2


def test_the_same_question_to_the_same_node_is_asked_once(tmp_path: Path) -> None:
    content = (
        "node,PatientID,0010,0010\n".replace("0010,0010", '"0010,0010"')
        + "north,1,A\nnorth,1,A\nnorth,1,A \nnorth,2,A\nsouth,1,A\n@ring,2,A\n@ring,1,A\n"
    )
    batch = _read(tmp_path, content)
    asked = [(batch.line(n), batch.nodes(n)) for n in range(len(batch))]
    north, south = ("north",), ("south",)
    assert asked == [(2, north), (5, north), (6, south), (7, south)]
    assert batch.duplicates == 5  # the blank behind an A of odd length is padding


def test_the_order_of_keys_makes_no_other_question(tmp_path: Path) -> None:
    rows = [{"PatientID": "1", "PatientName": "A"}, {"PatientName": "A", "0010,0020": 1}]
    batch = _read(tmp_path, "\n".join(map(json.dumps, rows)))
    assert (len(batch), batch.duplicates) == (1, 1)


# --- what is refused ---


def test_every_row_is_checked_and_twenty_are_named(tmp_path: Path) -> None:
    rows = [f"{'x' if number % 2 else number},CT" for number in range(100)]
    text = _refusal(tmp_path, "\n".join(["Rows,Modality", *rows]))
    lines = text.split("\n")
    assert lines[0] == "batch ids.csv: 50 rows of 100 cannot be asked"
    assert lines[1].startswith("  line 3: key 'Rows': no value of VR US. Write whole decimal")
    assert len(lines) == 22
    assert lines[21] == "  and 30 more | Nothing was sent."


def test_several_kinds_of_trouble_are_each_named(tmp_path: Path) -> None:
    content = (
        b"node,PatientID,PatientName\n"
        b"north,1\n"
        b"nroth,1,A\n"
        b"north,1,\xff\n"
        b'north,1,"A"B\n'
        b"north,,\n"
        b"north,1,\x00\n"
        b"north,2,A\n"
        b"nroth,2,A\n"
        b'north,3,"open\n'
    )
    lines = _refusal(tmp_path, content).split("\n")
    assert lines[0] == "batch ids.csv: 8 rows of 9 cannot be asked"
    assert [line.strip()[:40] for line in lines[1:8]] == [
        "line 2: 2 cells where the header has 3",
        "line 3: there is no node 'nroth'. Did yo",
        "line 4: it is not UTF-8",
        "line 5: ',' expected after '\"'",
        "line 6: every cell is empty. It would as",
        "line 7: it has a NUL character",
        "line 9: there is no node 'nroth'. Did yo",
    ]
    assert "line 10: unexpected end of data" in lines[8]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", "an object is expected"),
        ('"x"', "an object is expected"),
        ('{"PatientID": 1', "no JSON: Expecting ',' delimiter at column 16"),
        ('{"PatientID": {"a": 1}}', "'PatientID': a text, a number or a list"),
        ('{"PatientID": true}', "'PatientID': a text, a number or a list"),
        ('{"PatientID": [1, null]}', "'PatientID': a text, a number or a list"),
        ('{"PatientID": NaN}', "NaN is no number"),
        ('{"PatientID": "1", "PatientID": "2"}', "'PatientID' is there twice"),
        ('{"PatientID": "1", "0010,0020": "2"}', "are the same key"),
        ('{"PatientId": "1"}', "Did you mean PatientID?"),
        ('{"PatientID=": "1"}', "is no key"),
        ('{"": "1"}', "is no key"),
        ('{"PatientID": "\\u0000"}', "NUL"),
        ('{"PatientID": "\\ud800"}', "not UTF-8"),
        ('{"x": ' + "[" * 100_000, "nested too deeply"),
        ('{"ReferencedStudySequence": "1"}', "cannot have a value"),
        ("{" + ",".join(f'"k{n}": ""' for n in range(300)) + "}", "more than 256 names"),
    ],
)
def test_json_lines_are_objects_of_keys(tmp_path: Path, line: str, words: str) -> None:
    good = '{"PatientID": "9"}\n'
    text = _refusal(tmp_path, f"{good}{line}\n{good}")
    assert text.startswith("batch ids.csv: 1 row of 3 cannot be asked\n  line 2: ")
    assert words in text


def test_text_that_is_no_value_is_not_repeated(tmp_path: Path) -> None:
    keys = (*BASE, "0008,0005=ISO_IR 100")
    for content in (
        "Rows\ngeheim\n",
        "ReferencedStudySequence[0].Rows\ngeheim\n",
        "PatientID,StudyDate\ngeheim,geheimÜ\n",
        "Modality\ngeheimŻ\n",
        "PatientName\ngeheimŻ\n",
        '{"Rows": "geheim"}',
        '{"PatientID": "geheim", "Rows": x}',
    ):
        text = _refusal(tmp_path, content, keys)
        assert "line" in text
        assert "geheim" not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"PatientID\n", "it has no rows"),
        (b"PatientID,PatientID\n1,2\n", "two columns are called 'PatientID'"),
        (b"PatientID,PatientId\n1,2\n", "Did you mean PatientID?"),
        (b"PatientID,\n1,2\n", "column '' is no key"),
        ("PatientID\n1\n".encode("utf-16"), "it is in UTF-16"),
        (b'"PatientID\n1\n', "line 1: unexpected end of data"),
        (b",".join([b"PatientID"] * 257) + b"\n", "more than 256 columns"),
        (b"PatientID\n" + b"1" * (1024 * 1024 + 1), "line 2 is longer than 1 MiB"),
        (b"PatientID\n" + b"1" * 200_000, "field larger than field limit"),
    ],
)
def test_files_as_a_whole_may_be_no_use(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in _refusal(tmp_path, content)


def test_a_value_that_names_no_column_is_refused(tmp_path: Path) -> None:
    text = _refusal(tmp_path, "PatientID\n1\n", ("PatientName={nmae}",))
    assert "there is no column 'nmae' for {nmae}" in text
    text = _refusal(tmp_path, "name,PatientID\n,1\n", ("PatientName={name}*",))
    assert "line 2: a cell that belongs into a value is empty" in text


def test_a_bad_base_is_said_once(tmp_path: Path) -> None:
    text = _refusal(tmp_path, "PatientID\n1\n2\n", ("PatientNmae=A",))
    assert text.startswith("batch ids.csv: key 'PatientNmae'")
    assert "no value of" in _refusal(tmp_path, "PatientID\n1\n2\n", ("Rows=x",))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for name in ("none.csv", ".", "a\0b"):
        with pytest.raises(InvalidRequest, match=r"cannot be read|no name of a file"):
            read_batch(str(tmp_path / name), model=STUDY)


def test_without_a_book_there_is_no_column_for_nodes(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    path.write_text("node,PatientID\nnorth,1\n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="a column node cannot be used"):
        read_batch(str(path), model=STUDY)


def test_rows_may_be_of_many_kinds_but_not_of_any_number(tmp_path: Path) -> None:
    rows = [json.dumps({f"0009,{0x1000 + n:04x}": "01"}) for n in range(10_001)]
    assert len(_read(tmp_path, "\n".join(rows[:-1]))) == 10_000
    assert "more than 10000 different" in _refusal(tmp_path, "\n".join(rows))


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"PatientID,PatientName\n", b'{"PatientID":'])
)
def test_any_bytes_are_a_batch_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(start + data)
    try:
        batch = read_batch(str(path), model=STUDY)
    except InvalidRequest:
        return
    assert all(isinstance(query.identifier, Item) for query in batch)


# --- as a sequence, and its size ---


def test_a_batch_is_a_sequence_of_queries(tmp_path: Path) -> None:
    batch = _read(tmp_path, "PatientID\n" + "".join(f"{n}\n" for n in range(5)))
    assert len(batch) == 5
    assert [query.label for query in batch[1:3]] == ["ids.csv:3", "ids.csv:4"]
    assert batch[-1].label == "ids.csv:6"
    assert batch[0] is not batch[0]
    for index in (5, -6):
        with pytest.raises(IndexError):
            batch[index]


def test_many_rows_take_little_memory_and_time(tmp_path: Path) -> None:
    count = 20_000
    rows = "".join(f"ID{n:08d},20240101,Müller^{n}\n" for n in range(count))
    path = tmp_path / "ids.csv"
    path.write_text(f"PatientID,StudyDate,PatientName\n{rows}", encoding="utf-8")
    started = time.process_time()
    batch = read_batch(str(path), model=STUDY, base_keys=BASE)
    assert time.process_time() - started < 4  # what five times as many may take
    assert len(batch) == count
    del batch
    tracemalloc.start()
    try:
        batch = read_batch(str(path), model=STUDY, base_keys=BASE)
        assert len(batch) == count
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < count * 120
    assert most < count * 400


def test_wrong_names_in_every_row_are_looked_up_once(tmp_path: Path) -> None:
    started = time.process_time()
    rows = "".join('{"PatientNmae": "A"}\n' for _ in range(5000))
    assert "5000 rows of 5000" in _refusal(tmp_path, rows)
    assert time.process_time() - started < 4


def test_base_keys_know_their_columns() -> None:
    (key,) = parse_base(("PatientName={a}^{b}{{c}}",))
    assert (key.path, key.columns) == ("PatientName", ("a", "b"))
