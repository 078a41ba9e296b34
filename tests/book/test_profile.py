"""What was found out about a node: kept beside the book, dated, and behind the book."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from asyncfind.book.node import Quirk
from asyncfind.book.nodebook import NodeBook
from asyncfind.book.profile import Fact, Profile, profile_path, read_profiles, write_profile
from asyncfind.errors import InvalidRequest

_DATE = datetime(2026, 6, 15, 8, 30, tzinfo=UTC)
_BOOK = """\
[defaults]
{defaults}

[node.north]
host = "192.0.2.1"
port = 104
called = "NORTH"
{node}

[node."south.2"]
host = "192.0.2.2"
port = 104
"""


def _book(folder: Path, *, node: str = "", defaults: str = "") -> Path:
    path = folder / "nodes.toml"
    path.write_text(_BOOK.format(node=node, defaults=defaults), encoding="utf-8")
    return path


def _fact(name: str, value: bool | int | float | str | tuple[str, ...]) -> Fact:
    return Fact(name=name, value=value, evidence=f'seen "{name}"', date=_DATE)


_FACTS = [
    _fact("models", ("patient", "study")),
    _fact("row_limit", 500),
    _fact("quirk.no-cancel", True),
    _fact("quirk.row-on-final", False),
    _fact("first_response", 0.25),
    _fact("name_case", "ignored"),
    _fact("keys.study.ignored", ()),
]


def _learn(path: Path, name: str = "north", facts: list[Fact] = _FACTS) -> Path:
    return write_profile(path, NodeBook.load(path).nodes[name], facts)


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    path = _book(tmp_path)
    file = _learn(path)
    assert file == profile_path(path) == tmp_path / "nodes.profile.toml"
    assert read_profiles(path) == {
        "north": Profile(address="NORTH@192.0.2.1:104", facts={fact.name: fact for fact in _FACTS})
    }
    assert file.stat().st_mode & 0o777 == 0o600
    assert path.read_text(encoding="utf-8") == _BOOK.format(node="", defaults="")


def test_a_new_probe_replaces_what_it_found_again_and_leaves_the_rest(tmp_path: Path) -> None:
    path = _book(tmp_path)
    _learn(path)
    _learn(path, "south.2", [_fact("row_limit", 7)])
    _learn(path, facts=[_fact("row_limit", 0)])
    profiles = read_profiles(path)
    assert profiles["north"].facts["row_limit"].value == 0
    assert profiles["north"].facts["name_case"].value == "ignored"
    assert profiles["south.2"].facts["row_limit"].value == 7


def test_queries_go_by_what_was_found_out(tmp_path: Path) -> None:
    path = _book(tmp_path)
    _learn(path)
    book = NodeBook.load(path)
    node = book.filled(book.nodes["north"])
    assert node.row_limit == 500
    assert node.quirks == frozenset([Quirk.NO_CANCEL])
    assert book.peer(book.nodes["north"]).quirks == {Quirk.NO_CANCEL}
    assert book.filled(book.nodes["south.2"]).quirks is None


@pytest.mark.parametrize("place", ["node", "defaults"])
def test_the_book_goes_before_what_was_found_out(tmp_path: Path, place: str) -> None:
    said = 'row_limit = 50\nquirks = ["row-on-final"]'
    path = _book(tmp_path, **{place: said})
    _learn(path)
    book = NodeBook.load(path)
    node = book.filled(book.nodes["north"])
    assert (node.row_limit, node.quirks) == (50, frozenset([Quirk.ROW_ON_FINAL]))


def test_a_book_that_denies_all_quirks_is_believed(tmp_path: Path) -> None:
    path = _book(tmp_path, node="quirks = []")
    _learn(path)
    book = NodeBook.load(path)
    assert book.peer(book.nodes["north"]).quirks == frozenset()


def test_a_node_that_has_moved_is_another_archive(tmp_path: Path) -> None:
    path = _book(tmp_path)
    _learn(path)
    text = path.read_text(encoding="utf-8").replace("192.0.2.1", "192.0.2.9")
    path.write_text(text, encoding="utf-8")
    book = NodeBook.load(path)
    assert book.profile(book.nodes["north"]) is None
    assert book.filled(book.nodes["north"]).row_limit is None
    _learn(path, facts=[_fact("name_case", "ignored")])
    assert list(read_profiles(path)["north"].facts) == ["name_case"]


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    for value in (0, True, "500", -1, 10**12):
        profile = Profile(address="A@h:1", facts={"row_limit": _fact("row_limit", value)})
        assert profile.settings.row_limit is None


def test_quirks_of_a_later_version_are_left_alone(tmp_path: Path) -> None:
    facts = {"quirk.unheard-of": _fact("quirk.unheard-of", True)}
    assert Profile(address="A@h:1", facts=facts).settings.quirks is None


@pytest.mark.parametrize(
    "text",
    [
        "node = 1",
        "[node]\nnorth = 1",
        "[node.north]\naddress = 1",
        '[node.north]\naddress = "a"\nfact = 1',
        '[node.north]\naddress = "a"\nfact = [1]',
        '[node.north]\naddress = "a"\nfact = [{name = "a"}]',
        '[node.north]\naddress = "a"\nfact = [{name="a", value=nan, evidence="", date=2026-01-01}]',
        '[node.north]\naddress = "a"\nfact = [{name="a", value=1, evidence="", date=2026-01-01}]',
        "no toml",
    ],
)
def test_a_profile_that_no_probe_wrote_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = _book(tmp_path)
    profile_path(path).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"nodes\.profile\.toml") as caught:
        NodeBook.load(path)
    assert "--probe" in caught.value.hint


def test_the_date_of_a_fact_is_now() -> None:
    fact = Fact(name="a", value=1, evidence="")
    assert abs((datetime.now(UTC) - fact.date).total_seconds()) < 5
    assert replace(fact, date=_DATE).date == _DATE
