"""Scenarios: what may be written, where a fault is, and the mix that comes of it."""

import math
import re
from collections import Counter
from pathlib import Path

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.load.feed import RowOrder
from asyncfind.load.scenario import FeedSpec, Flow, Operation, Pace, Pool, Scenario
from asyncfind.load.scenario_mix import Mix, make_mix
from asyncfind.load.scenario_read import parse_scenario, read_scenario
from asyncfind.load.schedule import Piece
from asyncfind.load.threshold import parse_threshold
from asyncfind.plan import make_query
from asyncfind.query.models import model_of

STUDY = model_of("study")
DOCUMENT = Path(__file__).parents[2] / "docs" / "load-scenarios.md"
WHOLE = """\
node = "north"
seed = 5
pace = { model = "open", arrivals = "poisson", seed = 7, stages = ["20/s 30s", "20/s..200/s 2m"] }
pool = { associations = 16, reuse = "per-10", on_saturation = "drop" }
thresholds = ["p99(response) < 500ms", "share(error) < 0.1%"]

[[mix]]
name = "by id"
weight = 70
think = "1.5s"
level = "STUDY"
keys = { PatientID = "{id}", StudyInstanceUID = "", ModalitiesInStudy = ["CT", "MR"] }
feed = { file = "ids.csv", order = "unique", seed = 3 }

[[mix]]
operation = "echo"

[[mix]]
model = "worklist"
[mix.keys]
PatientName = ""
AccessionNumber = "{accession}"
[mix.feed]
generate = { accession = "ACC{n:08d}" }
first = 5
count = 20
order = "zipf"
exponent = 1.2
"""


def _parsed(text: str) -> Scenario:
    return parse_scenario(text, Path("tests") / "load.toml")


def _closed(rest: str = "", pace: str = "count = 10") -> str:
    return f"pace = {{ {pace} }}\n[[mix]]\nkeys = {{ PatientID = '1' }}\n{rest}"


# --- What may be written ---


def test_every_key_is_read() -> None:
    assert _parsed(WHOLE) == Scenario(
        nodes=("north",),
        seed=5,
        pace=Pace(pieces=(Piece(30, 20, 20), Piece(120, 20, 200)), poisson=True, seed=7),
        pool=Pool(associations=16, per_association=10, on_saturation="drop"),
        thresholds=(
            parse_threshold("p99(response) < 500ms"),
            parse_threshold("share(error) < 0.1%"),
        ),
        mix=(
            Flow(
                name="by id",
                weight=70,
                think=1.5,
                model=STUDY,
                keys=(
                    "QueryRetrieveLevel=STUDY",
                    "PatientID={id}",
                    "StudyInstanceUID=",
                    "ModalitiesInStudy=CT\\MR",
                ),
                feed=FeedSpec(
                    file=Path("tests").absolute() / "ids.csv", order=RowOrder.UNIQUE, seed=3
                ),
            ),
            Flow(name="echo 2", operation=Operation.ECHO),
            Flow(
                name="find 3",
                model=model_of("worklist"),
                keys=("PatientName=", "AccessionNumber={accession}"),
                feed=FeedSpec(
                    generate=(("accession", "ACC{n:08d}"),),
                    first=5,
                    count=20,
                    order=RowOrder.ZIPF,
                    exponent=1.2,
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        ("rate = '300/min', duration = '1m'", Pace(pieces=(Piece(60, 5, 5),), duration=60)),
        ("rate = '5/s', count = 9", Pace(pieces=(Piece(math.inf, 5, 5),), count=9)),
        (
            "duration = 90, warm_up = '500ms', grace = '1h'",
            Pace(duration=90, warm_up=0.5, grace=3600),
        ),
        ("model = 'closed', count = 3", Pace(count=3)),
    ],
)
def test_paces(pace: str, expected: Pace) -> None:
    assert _parsed(_closed(pace=pace)).pace == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reuse = 'sticky'", None),
        ("reuse = 'per-query'", 1),
        ("reuse = 'per-25'", 25),
    ],
)
def test_reuse(text: str, expected: int | None) -> None:
    scenario = _parsed(f"pool = {{ {text} }}\n{_closed()}")
    assert scenario.pool.per_association == expected


def test_an_arrival_can_be_a_whole_association() -> None:
    assert _parsed(_closed(pace="unit = 'association', count = 1")).pool.per_association == 1
    kept = _parsed("pool.reuse = 'per-3'\n" + _closed(pace="unit = 'association', count = 1"))
    assert kept.pool.per_association == 3


# --- Faults, and where they are ---


@pytest.mark.parametrize(
    ("old", "new", "line", "found"),
    [
        ("seed = 5", "seed = -5", 2, "seed: a whole number"),
        ("seed = 5", "sede = 5", 2, "sede: unknown key"),
        ("seed = 5", "seed = true", 2, "seed: a whole number"),
        ('"open"', '"shut"', 3, "pace.model: one of open, closed"),
        ('"open"', '"closed"', 3, "pace: a closed load has no rate"),
        ('"20/s 30s"', '"20 30s"', 3, "pace.stages: stage '20 30s' is none"),
        ('"20/s 30s"', '"20/s 0s"', 3, "pace.stages: stage"),
        ("seed = 7, ", "rate = '1/s', ", 3, "pace.rate: both rate and stages"),
        ("seed = 7, ", "duration = '1m', ", 3, "pace.duration: the stages say"),
        ("16", "0", 4, "pool.associations: a whole number"),
        ("per-10", "per-0", 4, "pool.reuse: sticky"),
        ('"drop"', '"burst"', 4, "pool.on_saturation: one of queue"),
        ("< 500ms", "500ms", 5, "thresholds: threshold"),
        ('"by id"', '"echo 2"', 15, "mix.2.name: two are called 'echo 2'"),
        ("weight = 70", "weight = 0", 9, "mix.1.weight: a whole number"),
        ("weight = 70", "wait = 70", 9, "mix.1.wait: unknown key"),
        ('"1.5s"', '"soon"', 10, "mix.1.think: 'soon' is no time"),
        ('"STUDY"', '"PATIENT"', 11, "mix.1.level: the model has no such level"),
        ("PatientID =", "QueryRetrieveLevel = 'STUDY', PatientID =", 11, "the level is in keys"),
        ('"{id}"', "12", 12, "mix.1.keys.PatientID: a text in quotes"),
        ('["CT", "MR"]', "[1]", 12, "mix.1.keys.ModalitiesInStudy: a text in quotes"),
        ('"unique"', '"any"', 13, "mix.1.feed.order: one of sequential"),
        ('file = "ids.csv"', "first = 1", 13, "mix.1.feed: one of file and generate"),
        ("seed = 3", "count = 3", 13, "mix.1.feed.count: a file has none"),
        ("seed = 3", "exponent = 1.0", 13, "mix.1.feed.exponent: this order has none"),
        ('"echo"', '"echo"\nlevel = "STUDY"', 17, "mix.2.level: an echo has none"),
        ('"echo"', '"store"', 16, "mix.2.operation: one of find, echo"),
        ('"worklist"', '"worklists"', 19, "mix.3.model: unknown information model"),
        ('PatientName = ""', "PatientName = 1", 21, "mix.3.keys.PatientName: a text"),
        ('"ACC{n:08d}"', "8", 24, "mix.3.feed.generate.accession: a text"),
        ("exponent = 1.2", "exponent = 0", 28, "mix.3.feed.exponent: a number above 0"),
    ],
)
def test_a_fault_is_named_by_line_and_key(old: str, new: str, line: int, found: str) -> None:
    assert old in WHOLE
    with pytest.raises(InvalidRequest) as caught:
        _parsed(WHOLE.replace(old, new, 1))
    assert caught.value.text.startswith(f"scenario load.toml, line {line}: "), caught.value.text
    assert found in caught.value.text
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("node = ", "scenario load.toml: Invalid value"),
        ("node = 'x'", r"1 to 100 of \[\[mix\]\] are expected"),
        ("mix = 1", "mix: tables are expected"),
        ("pace = 1\n[[mix]]", "line 1: pace: a table is expected"),
        (_closed(pace=""), "line 1: pace: the run has no end"),
        (_closed(pace="rate = '1/s'"), "line 1: pace: the run has no end"),
        (_closed(pace="model = 'open', count = 1"), "an open load has a rate"),
        (_closed(pace="arrivals = 'poisson', model = 'closed', count = 1"), "has no arrivals"),
        ("a = " + "[" * 9000, "scenario load.toml: "),
    ],
)
def test_scenarios_that_cannot_be(text: str, found: str) -> None:
    with pytest.raises(InvalidRequest, match=found):
        _parsed(text)


def test_a_header_within_a_text_costs_no_more_than_the_line() -> None:
    text = _closed("name = '''\n[[mix]]\n'''")
    with pytest.raises(InvalidRequest, match=r"line 2: mix\.1\.name: a text in quotes"):
        _parsed(text)


def test_a_feed_that_ends_is_an_end() -> None:
    feed = "feed = { generate = { AccessionNumber = '{n}' }, count = 3, order = 'sequential' }"
    assert _parsed(_closed(feed, pace="rate = '1/s'")).pace.is_endless


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read: No such file"):
        read_scenario(tmp_path / "none.toml")
    path = tmp_path / "load.toml"
    path.write_bytes(b"node = '\xff'")
    with pytest.raises(InvalidRequest, match="it is not UTF-8"):
        read_scenario(path)
    path.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(InvalidRequest, match="larger than 1 MiB"):
        read_scenario(path)


# --- The mix ---


def _mix(tmp_path: Path, *, part: int = 0, parts: int = 1, seed: int = 5) -> Mix:
    (tmp_path / "ids.csv").write_text("".join(f"{row}\n" for row in ("id", *range(700))))
    text = WHOLE.replace("seed = 5", f"seed = {seed}").replace("weight = 70", "weight = 7")
    text = text.replace('operation = "echo"', 'operation = "echo"\nweight = 2')
    return make_mix(parse_scenario(text, tmp_path / "load.toml"), part=part, parts=parts)


def _turns(mix: Mix) -> list[tuple[int, str]]:
    turns = []
    while (turn := mix.next()) is not None:
        turns.append((turn.flow, "" if turn.query is None else turn.query.label))
    return turns


def test_shares_are_exact_and_the_end_is_that_of_the_feed(tmp_path: Path) -> None:
    turns = _turns(_mix(tmp_path))
    for block in range(100):
        flows = Counter(flow for flow, _ in turns[10 * block : 10 * block + 10])
        assert flows == {0: 7, 1: 2, 2: 1}
    asked = [label for flow, label in turns if flow == 0]
    assert asked == [f"ids.csv:{line}" for line in range(2, 702)]
    assert {label for flow, label in turns if flow == 1} == {""}


def test_the_seed_decides_the_mix(tmp_path: Path) -> None:
    assert _turns(_mix(tmp_path, seed=1)) == _turns(_mix(tmp_path, seed=1))
    assert _turns(_mix(tmp_path, seed=1)) != _turns(_mix(tmp_path, seed=2))


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_parts_of_a_mix_are_the_whole(tmp_path: Path, parts: int) -> None:
    whole = _turns(_mix(tmp_path))
    for part in range(parts):
        assert _turns(_mix(tmp_path, part=part, parts=parts)) == whole[part::parts]


def test_what_a_mix_proposes(tmp_path: Path) -> None:
    mix = _mix(tmp_path)
    assert mix.models == (STUDY, model_of("worklist"))
    assert mix.has_echo
    assert [flow.think for flow in mix.flows] == [1.5, 0, 0]


def test_a_flow_without_feed_asks_the_same() -> None:
    mix = make_mix(_parsed(_closed()))
    turns = [mix.next() for _ in range(3)]
    for turn in turns:
        assert turn is not None
        assert turn.query is not None
        assert turn.query.identifier == make_query("study", ["PatientID=1"]).identifier
    assert not mix.has_echo


def test_a_flow_that_cannot_be_asked_is_named() -> None:
    text = _closed().replace("PatientID", "PatientIdentity")
    with pytest.raises(InvalidRequest, match="mix find 1: key 'PatientIdentity'"):
        make_mix(_parsed(text))
    with pytest.raises(InvalidRequest, match=r"mix by id: feed ids\.csv: cannot be read"):
        make_mix(_parsed(WHOLE))


# --- The documentation ---


def test_the_documented_scenarios_are_scenarios(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert len(examples) >= 2
    (tmp_path / "ids.csv").write_text("id\nA1\nB2\n", "utf-8")
    for text in examples:
        mix = make_mix(parse_scenario(text, tmp_path / "example.toml"))
        assert mix.next() is not None


def test_every_key_is_documented() -> None:
    text = DOCUMENT.read_text("utf-8")
    for name in (
        *("node", "seed", "pace", "pool", "thresholds", "model", "unit", "arrivals", "rate"),
        *("stages", "warm_up", "duration", "count", "grace", "associations", "reuse"),
        *("on_saturation", "name", "weight", "think", "operation", "level", "keys", "feed"),
        *("file", "generate", "first", "order", "exponent"),
        *RowOrder,
    ):
        assert f"`{name}`" in text, name
