"""What a node makes of keys: which it returns, which it matches by, and its wildcards."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from asyncfind.book.profile import QUIRK, Fact
from asyncfind.errors import InvalidRequest
from asyncfind.plan import Query, Quirk
from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.element import TEXT_VRS, Item
from asyncfind.run.probe_ask import Asker, Reply
from asyncfind.run.probe_grounds import Ground, element_at, text_at

__all__ = ["audit", "charset_facts", "name_fact", "wildcard_facts"]

_ENTITIES: Final = 3
"""Entities that are looked at on one level."""
_FEW: Final = 20
"""Matches of a query for one entity after which something is wrong with it."""
_DEFINED: Final = re.compile(r"(?:(?:ISO_IR|ISO 2022 IR) [0-9]{1,3}|GB18030|GBK|\\)+")
_TEXTS: Final = ("PatientName", "PatientID")
"""Text keys that every model has on some level."""


async def audit(
    asker: Asker, ground: Ground, named: Sequence[Mapping[str, str]]
) -> tuple[list[Fact], list[Item]]:
    """Ask for all keys of some entities, then for one of them with values that it has not.

    Args:
        named: the keys that name each entity.

    Returns:
        what was found, and the answers.

    Raises:
        Enough, PeerError: as `Asker.ask` does.
    """
    items: list[Item] = []
    for keys in named[:_ENTITIES]:
        reply = await asker.ask(ground.query(keys, ground.returns), cancel_after=_FEW)
        items += reply.items or ([reply.final] if reply.final is not None else [])
        if not reply.is_whole:
            break
    if not items:
        return [], []
    facts = _returned(ground, items)
    if reply.is_whole and all(named[0].values()):
        facts += await _matched(asker, ground, named[0], items[0])
    return facts, items


def _returned(ground: Ground, items: Sequence[Item]) -> list[Fact]:
    """Sort the return keys by what the answers have for them."""
    answered, empty, absent = [], [], []
    for path in ground.returns:
        elements = [element_at(item, path) for item in items]
        if not any(elements):
            absent.append(path)
        elif any(element is not None and element.value for element in elements):
            answered.append(path)
        else:
            empty.append(path)
    seen = f"in {len(items)} answers to keys of this level"
    return [
        _keys(ground, "answered", answered, seen),
        _keys(ground, "empty", empty, f"always empty {seen}"),
        _keys(ground, "absent", absent, f"left out {seen}"),
    ]


async def _matched(
    asker: Asker, ground: Ground, named: Mapping[str, str], item: Item
) -> list[Fact]:
    """Sort the matching keys: one that is obeyed hides the entity whose value it is not."""
    matched, ignored, refused = [], [], []
    for path, nobodys in ground.matches:
        if path in named or text_at(item, path) == nobodys:
            continue
        reply = await asker.ask(ground.query({**named, path: nobodys}), cancel_after=_FEW)
        if reply.count or reply.final is not None:
            ignored.append(path)
        elif reply.is_whole:
            matched.append(path)
        else:
            refused.append(path)
    seen = "asked for one entity with a value that it has not"
    return [
        _keys(ground, "matched", matched, f"no match when {seen}"),
        _keys(ground, "ignored", ignored, f"it came all the same when {seen}"),
        _keys(ground, "refused", refused, f"no success when {seen}"),
    ]


def _keys(ground: Ground, what: str, paths: Sequence[str], evidence: str) -> Fact:
    names = tuple(path.replace("[0]", "") for path in paths)
    return Fact(name=f"keys.{ground.name}.{what}", value=names, evidence=evidence)


async def wildcard_facts(
    asker: Asker, ground: Ground, named: Mapping[str, str], item: Item
) -> list[Fact]:
    """Whether `*` alone asks for everything, and what becomes of wildcards in dates.

    Raises:
        Enough, PeerError: as `Asker.ask` does.
    """
    facts = []
    texts = [path for path in _TEXTS if path not in named and element_at(item, path) is not None]
    empty = await asker.ask(ground.query(dict(named), texts), cancel_after=_FEW)
    if texts and _came(empty):
        stars = await asker.ask(
            ground.query({**named, **dict.fromkeys(texts, "*")}), cancel_after=_FEW
        )
        facts.append(
            Fact(
                name=QUIRK + Quirk.NO_UNIVERSAL_WILDCARD,
                value=not _came(stars),
                evidence=f"one entity with empty keys: {empty.words}; with a lone *: {stars.words}",
            )
        )
    day = text_at(item, ground.dated) if ground.dated else ""
    if len(day) == 8 and day.isdecimal() and _came(empty):
        pattern = await asker.ask(
            ground.query({**named, ground.dated: f"{day[:6]}*"}), cancel_after=_FEW
        )
        facts.append(
            Fact(
                name=QUIRK + Quirk.NO_WILDCARD_IN_DATES,
                value=not _came(pattern),
                evidence=f"one entity, and the month of its date before a *: {pattern.words}",
            )
        )
    return facts


def _came(reply: Reply) -> bool:
    return bool(reply.count or (reply.final is not None and reply.final.elements))


async def name_fact(asker: Asker, ground: Ground, items: Sequence[Item]) -> Fact | None:
    """Whether upper and lower case are the same in names of patients (PS3.4 Section C.2.2.2.1).

    Args:
        items: answers; the first whose name has letters of ASCII alone is asked for.

    Raises:
        Enough, PeerError: as `Asker.ask` does.
    """
    queries = next((pair for item in items if (pair := _name_queries(ground, item))), None)
    if queries is None or not _came(await asker.ask(queries[0], cancel_after=_FEW)):
        return None
    reply = await asker.ask(queries[1], cancel_after=_FEW)
    return Fact(
        name="name_case",
        value="ignored" if _came(reply) else "significant",
        evidence=f"one entity by its name in the other case: {reply.words}",
    )


def _name_queries(ground: Ground, item: Item) -> tuple[Query, Query] | None:
    """Ask for an entity by its patient's name as it is, and in the other case."""
    named, name = ground.naming(item), text_at(item, "PatientName")
    other = name.swapcase()
    if named is None or not name.isascii() or other == name or set(name) & set("*?\\"):
        return None
    try:
        return (
            ground.query({**named, "PatientName": name}),
            ground.query({**named, "PatientName": other}),
        )
    except InvalidRequest:  # the name is none
        return None


def charset_facts(items: Sequence[Item]) -> Iterator[Fact]:
    """What the answers say of their character sets, and whether they keep to it."""
    if not items:
        return
    declared: dict[str, int] = {}
    foreign = undeclared = misfit = 0
    for item in items:
        charsets = charsets_of(item)
        name = "\\".join(charsets)
        declared[name] = declared.get(name, 0) + 1
        texts = [
            (element.value, element.vr)
            for element in item.elements.values()
            if element.vr in TEXT_VRS
            and isinstance(element.value, bytes)
            and not element.value.isascii()
        ]
        foreign += bool(texts)
        undeclared += bool(texts) and not charsets
        misfit += not all(decode_text(value, charsets, vr)[1] for value, vr in texts)
    # Defined terms are the standard's; what else an archive calls a set is not ours to repeat.
    names = tuple(name for name in declared if name and _DEFINED.fullmatch(name))
    yield Fact(
        name="charsets",
        value=names,
        evidence=f"{len(items)} answers, {declared.get('', 0)} without a set; {foreign} with other "
        f"characters than ASCII, {undeclared} of them without a set, {misfit} not decodable",
    )
