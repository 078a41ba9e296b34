"""What was found out about the nodes of a book: a file beside it that a probe writes.

Each fact has its date and what was seen; the book goes before it. Nobody needs to edit the file:
without it a node is as if it had never been probed.
"""

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from asyncfind.book.node import Node, Settings
from asyncfind.book.store import append, read_text
from asyncfind.book.toml import toml_key, toml_value
from asyncfind.errors import InvalidRequest
from asyncfind.plan import Quirk
from asyncfind.safe import safe

__all__ = [
    "QUIRK",
    "ROW_LIMIT",
    "Fact",
    "FactValue",
    "Profile",
    "profile_path",
    "read_profiles",
    "write_profile",
]

QUIRK: Final = "quirk."
"""What the names of facts begin with that are about a quirk: true where the node has it."""
ROW_LIMIT: Final = "row_limit"
"""The name of the fact at how many matches the node cuts; 0 where it was not seen to."""

_HEADER: Final = """\
# What `asyncfind nodes check --probe` found out. It is written anew by each probe; the node book
# goes before it. To forget a node, delete its table.
"""
_MAX_FACTS: Final = 256
_MAX_ROWS: Final = 1_000_000_000

FactValue = bool | int | float | str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that a node showed.

    Args:
        name: words with dots between them.
        evidence: what was seen, in words and counts of ours; no value that the node sent.
        date: when; to the second.
    """

    name: str
    value: FactValue
    evidence: str
    date: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of one node.

    Args:
        address: where that was: what is at another address is another archive.
        facts: by name.
    """

    address: str
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The facts that queries go by, as if the book said them."""
        limit = self.facts.get(ROW_LIMIT)
        rows = None if limit is None else limit.value
        if not isinstance(rows, int) or rows is True or not 0 < rows <= _MAX_ROWS:
            rows = None
        quirks = frozenset(
            quirk
            for quirk in Quirk
            if (fact := self.facts.get(QUIRK + quirk)) is not None and fact.value is True
        )
        return Settings(row_limit=rows, quirks=quirks or None)

    def with_facts(self, facts: Iterable[Fact]) -> "Profile":
        """This profile, with newer facts in the place of those of the same name."""
        return Profile(
            address=self.address, facts={**self.facts, **{one.name: one for one in facts}}
        )


def profile_path(book: Path) -> Path:
    """Where the profiles of a book's nodes are: `nodes.profile.toml` beside `nodes.toml`."""
    return book.with_name(book.name.removesuffix(".toml") + ".profile.toml")


def read_profiles(book: Path) -> dict[str, Profile]:
    """Read what is known of the nodes of a book, by their names; empty where nothing is.

    Raises:
        InvalidRequest: the file is there and cannot be read, or a probe did not write it so.
    """
    path = profile_path(book)
    text = read_text(path)
    return {} if text is None else _parse(text, path)


def write_profile(book: Path, node: Node, facts: Iterable[Fact]) -> Path:
    """Add facts about a node of a book to its profile; returns the file.

    Facts of the same name are replaced, and all of them where the node was elsewhere before.

    Raises:
        InvalidRequest: the file cannot be read or written.
    """
    path = profile_path(book)
    with append(path) as file:
        profiles = _parse(file.text, path)
        old = profiles.get(node.name)
        if old is None or old.address != node.address:
            old = Profile(address=node.address)
        profiles[node.name] = old.with_facts(facts)
        file.write(_HEADER + "".join(_format(name, one) for name, one in profiles.items()))
    return path


def _format(name: str, profile: Profile) -> str:
    table = f"node.{toml_key(name)}"
    lines = ["", f"[{table}]", f"address = {toml_value(profile.address)}"]
    for fact in profile.facts.values():
        lines += ["", f"[[{table}.fact]]", f"name = {toml_value(fact.name)}"]
        lines.append(f"value = {toml_value(fact.value)}")
        lines.append(f"date = {fact.date:%Y-%m-%dT%H:%M:%SZ}")
        lines.append(f"evidence = {toml_value(fact.evidence)}")
    return "\n".join(lines) + "\n"


def _parse(text: str, path: Path) -> dict[str, Profile]:
    try:
        nodes = tomllib.loads(text).get("node", {})
        return {name: _profile(table) for name, table in nodes.items()}
    except (tomllib.TOMLDecodeError, AttributeError, KeyError, TypeError, ValueError) as exc:
        raise InvalidRequest(
            f"{safe(str(path), 200)} is not as a probe writes it ({type(exc).__name__})",
            "Delete it; asyncfind nodes check NAME --probe writes it anew.",
        ) from None


def _profile(table: Mapping[str, object]) -> Profile:
    address, entries = table["address"], table.get("fact", [])
    if not isinstance(address, str) or not isinstance(entries, list):
        raise TypeError
    facts = {fact.name: fact for fact in _facts(entries[:_MAX_FACTS])}
    return Profile(address=address, facts=facts)


def _facts(entries: Iterable[Mapping[str, object]]) -> Iterator[Fact]:
    for entry in entries:
        name, value, evidence, date = (entry[key] for key in ("name", "value", "evidence", "date"))
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = tuple(value)
        known = isinstance(value, bool | int | str | tuple) or (
            isinstance(value, float) and math.isfinite(value)
        )
        if not (known and isinstance(name, str) and isinstance(evidence, str)):
            raise TypeError
        if not isinstance(date, datetime):
            raise TypeError
        assert isinstance(value, bool | int | float | str | tuple)
        yield Fact(name=name, value=value, evidence=evidence, date=date.astimezone(UTC))
