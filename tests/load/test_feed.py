"""Rows to queries, and the orders of feeds."""

from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.errors import InvalidRequest
from asyncfind.load.feed import Feed, RowOrder
from asyncfind.load.feed_rows import FileRows, GeneratedRows, open_rows, read_file_rows
from asyncfind.plan import Query, make_query
from asyncfind.query.models import model_of
from asyncfind.query.row_intake import MAX_ROWS

STUDY = model_of("study")
KEYS = ("QueryRetrieveLevel=STUDY", "PatientID={id}", "StudyInstanceUID")
ORDERS = tuple(RowOrder)


def _rows(text: str, keys: tuple[str, ...] = KEYS) -> FileRows:
    return read_file_rows(BytesIO(text.encode()), "ids.csv", model=STUDY, keys=keys)


def _numbers(count: int) -> GeneratedRows:
    return GeneratedRows({"id": "{n}"}, first=1, count=count, model=STUDY, keys=KEYS)


def _taken(feed: Feed, most: int = 10_000) -> list[str]:
    """The labels of the next queries."""
    labels: list[str] = []
    while len(labels) < most and (query := feed.next()) is not None:
        labels.append(query.label)
    return labels


def _asks(query: Query, patient: str) -> bool:
    return (
        query.identifier
        == make_query(
            "study", ["QueryRetrieveLevel=STUDY", f"PatientID={patient}", "StudyInstanceUID"]
        ).identifier
    )


# --- Rows ---


@pytest.mark.parametrize("text", ["id\nA1\nB2\n", '{"id": "A1"}\n{"id": "B2"}\n'])
def test_cells_go_into_values(text: str) -> None:
    rows = _rows(text)
    assert len(rows) == 2
    assert _asks(rows.query(0), "A1")
    assert _asks(rows.query(1), "B2")
    assert rows.query(1).model is STUDY
    assert rows.query(1).label == f"ids.csv:{2 if text.startswith('{') else 3}"
    keys = ["QueryRetrieveLevel=STUDY", "PatientID", "StudyInstanceUID"]
    assert rows.query(0).columns == make_query("study", keys).columns


def test_columns_without_a_place_are_keys() -> None:
    rows = _rows("PatientID,StudyDate\nA1,20260101\n", ("QueryRetrieveLevel=STUDY",))
    keys = ["QueryRetrieveLevel=STUDY", "PatientID=A1", "StudyDate=20260101"]
    assert rows.query(0).identifier == make_query("study", keys).identifier


def test_other_scripts_keep_their_text() -> None:
    rows = _rows("id\nА1\n")
    assert _asks(rows.query(0), "А1")


def test_rows_that_cannot_be_asked_are_named_by_line_and_without_values() -> None:
    text = "id,Rows\nA1,512\nB2,seventeen\n,512\nC3,256\n"
    with pytest.raises(InvalidRequest) as caught:
        _rows(text)
    lines = caught.value.text.splitlines()
    assert lines[0] == "feed ids.csv: 2 rows of 4 cannot be asked"
    assert lines[1].startswith("  line 3: key 'Rows'")
    assert lines[2].startswith("  line 4: ")
    assert "seventeen" not in caught.value.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "it is empty"),
        ("id\n", "it has no rows"),
        ("other\nx\n", "there is no column 'id'"),
        ("id,other\nA1,x\n", "column key 'other'"),
        ("id,node\nA1,north\n", "a column 'node' cannot be used here"),
    ],
)
def test_files_that_cannot_be_used(text: str, found: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _rows(text)
    assert "feed ids.csv: " in caught.value.text
    assert found in caught.value.text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"feed no\.csv: cannot be read: No such file"):
        open_rows(tmp_path / "no.csv", model=STUDY)


def test_generated_rows() -> None:
    rows = GeneratedRows(
        {"AccessionNumber": "ACC{n:08d}", "id": "{{{n}}}"},
        first=7,
        count=3,
        model=STUDY,
        keys=KEYS,
    )
    keys = ["QueryRetrieveLevel=STUDY", "PatientID={9}", "StudyInstanceUID"]
    expected = make_query("study", [*keys, "AccessionNumber=ACC00000009"])
    assert rows.query(2).identifier == expected.identifier
    assert len(rows) == len(rows.distinct()) == 3


@pytest.mark.parametrize("pattern", ["{", "}", "{m}", "{n.real}", "{n!r}", "{n:9d}", "{n:099d}"])
def test_patterns_have_nothing_but_the_number(pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="is none"):
        GeneratedRows({"id": pattern}, first=1, count=1, model=STUDY, keys=KEYS)


def test_a_pattern_that_is_no_value_is_found_beforehand() -> None:
    with pytest.raises(InvalidRequest, match="key 'Rows'"):
        GeneratedRows({"Rows": "no{n}"}, first=1, count=3, model=STUDY)
    assert len(GeneratedRows({"Rows": "{n}"}, first=1, count=3, model=STUDY)) == 3


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 0), (1, 10**13)])
def test_numbers_out_of_range(first: int, count: int) -> None:
    with pytest.raises(InvalidRequest, match="numbers begin at 0"):
        GeneratedRows({"id": "{n}"}, first=first, count=count, model=STUDY, keys=KEYS)


# --- Orders ---


def test_sequential_and_unique_end() -> None:
    rows = _rows("id\nA\nB\nA\nC\n")
    assert _taken(Feed(rows, RowOrder.SEQUENTIAL)) == [f"ids.csv:{n}" for n in (2, 3, 4, 5)]
    assert _taken(Feed(rows, RowOrder.UNIQUE)) == [f"ids.csv:{n}" for n in (2, 3, 5)]
    assert [order for order in ORDERS if order.ends] == [RowOrder.SEQUENTIAL, RowOrder.UNIQUE]


def test_an_ended_feed_stays_so() -> None:
    feed = Feed(_numbers(1), RowOrder.SEQUENTIAL)
    assert feed.next() is not None
    assert feed.next() is None
    assert feed.next() is None
    assert not feed.skip()


def test_circular_begins_again() -> None:
    assert _taken(Feed(_numbers(3), RowOrder.CIRCULAR), 7) == [
        f"n={n}" for n in (1, 2, 3, 1, 2, 3, 1)
    ]


def test_shuffle_takes_all_before_any_again() -> None:
    taken = _taken(Feed(_numbers(50), RowOrder.SHUFFLE, seed=4), 150)
    passes = [taken[:50], taken[50:100], taken[100:]]
    assert all(set(one) == {f"n={n}" for n in range(1, 51)} for one in passes)
    assert len({tuple(one) for one in passes}) == 3


def test_random_takes_all_alike() -> None:
    counts = Counter(_taken(Feed(_numbers(10), RowOrder.RANDOM, seed=4), 10_000))
    assert len(counts) == 10
    # Six standard deviations of a binomial distribution.
    assert all(abs(count - 1000) < 6 * 30 for count in counts.values())


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_zipf_takes_the_first_the_most_often(exponent: float) -> None:
    feed = Feed(_numbers(100), RowOrder.ZIPF, seed=4, exponent=exponent)
    counts = Counter(_taken(feed, 20_000))
    total = sum(1 / rank**exponent for rank in range(1, 101))
    for rank in (1, 2, 3):
        share = 1 / rank**exponent / total
        deviation = (20_000 * share * (1 - share)) ** 0.5
        assert abs(counts[f"n={rank}"] - 20_000 * share) < 6 * deviation


@pytest.mark.parametrize("order", ORDERS)
def test_the_seed_decides(order: RowOrder) -> None:
    def taken(seed: int) -> list[str]:
        return _taken(Feed(_numbers(40), order, seed=seed), 100)

    assert taken(1) == taken(1)
    drawn = order in (RowOrder.SHUFFLE, RowOrder.RANDOM, RowOrder.ZIPF)
    assert (taken(1) != taken(2)) == drawn


@given(order=st.sampled_from(ORDERS), count=st.integers(1, 30), parts=st.integers(1, 5))
def test_parts_are_the_whole(order: RowOrder, count: int, parts: int) -> None:
    rows = _numbers(count)
    whole = _taken(Feed(rows, order, seed=9), 60)
    for part in range(parts):
        feed = Feed(rows, order, seed=9, part=part, parts=parts)
        assert _taken(feed, len(whole[part::parts])) == whole[part::parts]
        if order.ends:
            assert feed.next() is None


def test_too_many_rows_to_shuffle() -> None:
    rows = _numbers(MAX_ROWS + 1)
    for order in (RowOrder.SHUFFLE, RowOrder.ZIPF):
        with pytest.raises(InvalidRequest, match=f"too many for order '{order}'"):
            Feed(rows, order)
    assert Feed(rows, RowOrder.RANDOM).next() is not None


def test_a_part_is_one_of_parts() -> None:
    with pytest.raises(ValueError, match="part"):
        Feed(_numbers(1), part=1, parts=1)
