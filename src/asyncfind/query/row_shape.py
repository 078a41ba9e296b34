"""What the columns of a batch make of its base query: keys of their own, or parts of values.

`-k 'PatientName={surname}^{given}'` takes the columns `surname` and `given` into its value, `{{`
and `}}` are braces. A column that no value names is a key itself, by keyword, tag or path, and
replaces the base's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from asyncfind.errors import InvalidRequest
from asyncfind.query.charset import charsets_of
from asyncfind.query.element import Element, Item
from asyncfind.query.keys import BadKey, Key, KeyFault, build_identifier, parse_key, split_key
from asyncfind.query.typed import encode_value
from asyncfind.safe import safe

__all__ = ["NODE", "BaseKey", "Shape", "check_base", "parse_base"]

NODE: Final = "node"
"""The column that says whom to ask."""

_CHARSET: Final = 0x00080005
_UTF8: Final = "ISO_IR 192"
_PARTS: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class BaseKey:
    """A key of the base query.

    Args:
        path: what stands before its `=`.
        parts: its value in pieces: a text as it is, or the name of a column.
    """

    path: str
    parts: tuple[tuple[str, bool], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that its value names."""
        return tuple(part for part, is_column in self.parts if is_column)


def parse_base(keys: Sequence[str]) -> tuple[BaseKey, ...]:
    """Parse the keys of the base query, as behind -k, with columns in braces in their values.

    Raises:
        InvalidRequest: a brace that is neither doubled nor around a name.
    """
    return tuple(_parse_base(text) for text in keys if text)


def check_base(base: Item | None, keys: Sequence[BaseKey]) -> None:
    """Check the base query by itself, so that its faults are not those of every row.

    Raises:
        InvalidRequest: a bad key, or a value that is the same in every row and cannot be.
    """
    whole = (key for key in keys if not key.columns)
    build_identifier(
        base, [f"{key.path}={''.join(text for text, _ in key.parts)}" for key in whole]
    )
    for key in keys:
        parse_key(key.path)


def _parse_base(text: str) -> BaseKey:
    path, value = split_key(text)
    parts: list[tuple[str, bool]] = []
    end = 0
    for match in _PARTS.finditer(value):
        parts.append((value[end : match.start()], False))
        end = match.end()
        if match[0] in ("{{", "}}"):
            parts.append((match[0][0], False))
        elif not match[1]:
            raise InvalidRequest(
                f"key '{safe(path, 64)}': a brace alone",
                "Write {column} for the value of a column, and {{ or }} for a brace.",
            )
        else:
            parts.append((match[1], True))
    parts.append((value[end:], False))
    return BaseKey(path, tuple(part for part in parts if part[0]))


class _Slot(NamedTuple):
    """An element whose value depends on the row.

    Args:
        name: of the key, as typed.
        parts: of its value: a text, or the place of a column.
        column: the one column that is all of it; -1 for any other.
    """

    tag: int
    vr: str
    name: str
    parts: tuple[str | int, ...]
    column: int


class Shape:
    """Rows with the same columns, and the query each of them is.

    Args:
        columns: names, `node` among them or not.
        base: a data set that keys change.
        keys: of the base query.

    Raises:
        InvalidRequest: a column that is no key and that no value names, or the other way round.
    """

    def __init__(
        self, columns: tuple[str, ...], base: Item | None, keys: Sequence[BaseKey]
    ) -> None:
        self._base = base
        places = {name: place for place, name in enumerate(columns)}
        self.node = places.get(NODE)
        inserted = {name for key in keys for name in key.columns}
        for name in inserted - places.keys():
            raise InvalidRequest(
                f"there is no column '{safe(name, 64)}' for {{{safe(name, 64)}}}",
                "Name it in the batch, or double the braces.",
            )
        own = [name for name in columns if name != NODE and name not in inserted]
        self._inserted = tuple(places[name] for name in columns if name in inserted)
        self._own = tuple(places[name] for name in own)
        self._used = (*self._inserted, *self._own)
        _check_columns(own)
        self._keys: tuple[tuple[str, tuple[str | int, ...]], ...] = (
            *(
                (
                    key.path,
                    tuple(places[part] if is_column else part for part, is_column in key.parts),
                )
                for key in keys
            ),
            *((name, (places[name],)) for name in own),
        )
        self.order = tuple(path for path, _ in self._keys)
        self._literal = [f"{path}={_literal(parts)}" for path, parts in self._keys]
        self.template = build_identifier(base, self._literal)
        if not self.template.elements:
            raise InvalidRequest("the query is empty", "Add at least one key, e.g. PatientName.")
        self._charsets = charsets_of(self.template)
        self._slots = self._find_slots([parse_key(text) for text in self._literal])

    def _find_slots(self, keys: Sequence[Key]) -> tuple[_Slot, ...] | None:
        """The elements that rows set; None where that is more than putting values in places."""
        slots: dict[int, _Slot] = {}
        for (path, parts), key in zip(self._keys, keys, strict=True):
            tag = key.path[-1].tag
            varies = any(isinstance(part, int) for part in parts)
            if varies and (key.path[0].item is not None or tag == _CHARSET or tag >> 16 & 1):
                return None  # items, other encodings, the VRs behind a private creator
            slots.pop(tag, None)  # the last of equal keys wins
            if varies:
                vr = self.template.elements[tag].vr
                if vr == "SQ":
                    return None
                column = parts[0] if len(parts) == 1 and isinstance(parts[0], int) else -1
                slots[tag] = _Slot(tag, vr, path, parts, column)
        return tuple(slots.values())

    def identifier(self, cells: Sequence[str]) -> Item:
        """The data set that a row asks with.

        Raises:
            InvalidRequest: the row cannot be asked; its values are no part of the text.
        """
        self._refuse_empty(cells)
        if self._slots is None:
            return self._build(cells)
        template, charsets = self.template, self._charsets
        if not charsets and not all(cells[place].isascii() for place in self._used):
            template, charsets = self._wide, (_UTF8,)
        elements = dict(template.elements)
        for tag, vr, name, parts, column in self._slots:
            text = cells[column] if column >= 0 else _filled(parts, cells)
            try:
                value = encode_value(vr, text, charsets)
            except ValueError as exc:
                raise _bad_value(name, f"no value of VR {vr}", str(exc)) from None
            except InvalidRequest as exc:
                raise _bad_value(name, exc.text, exc.hint) from None
            elements[tag] = Element(tag, vr, value, len(value))
        return Item(elements)

    @cached_property
    def _wide(self) -> Item:
        """The template of rows that need a character set, as `build_identifier` chooses it."""
        return build_identifier(self._base, [f"0008,0005={_UTF8}", *self._literal])

    def _build(self, cells: Sequence[str]) -> Item:
        keys = [f"{path}={_filled(parts, cells)}" for path, parts in self._keys]
        try:
            return build_identifier(self._base, keys)
        except BadKey as exc:
            if exc.reason is not KeyFault.BAD_VALUE:
                raise
            path = exc.text.partition(": ")[0]  # what follows shows the value
            raise InvalidRequest(f"{path}: no value of its VR", exc.hint) from None

    def _refuse_empty(self, cells: Sequence[str]) -> None:
        if self._own and not any(cells[place] for place in self._own) and not self._inserted:
            raise InvalidRequest("every cell is empty", "It would ask for all that is there.")
        for place in self._inserted:
            if not cells[place]:
                raise InvalidRequest("a cell that belongs into a value is empty", "Fill it in.")


def _check_columns(names: Sequence[str]) -> None:
    """Refuse what is no key, and two names for one key."""
    paths: dict[tuple[object, ...], str] = {}
    for name in names:
        if not name or "=" in name:
            raise InvalidRequest(
                f"column '{safe(name, 64)}' is no key", "Name it by keyword, tag or path."
            )
        try:
            key = parse_key(name)
        except BadKey as exc:
            raise InvalidRequest(f"column {exc.text}", exc.hint) from None
        twin = paths.setdefault(key.path, name)
        if twin != name:
            raise InvalidRequest(
                f"columns '{safe(twin, 64)}' and '{safe(name, 64)}' are the same key",
                "Leave one of them out.",
            )


def _literal(parts: Sequence[str | int]) -> str:
    """The value where it is the same in every row; empty where it is not."""
    return "" if any(isinstance(one, int) for one in parts) else "".join(map(str, parts))


def _filled(parts: Sequence[str | int], cells: Sequence[str]) -> str:
    return "".join(cells[part] if isinstance(part, int) else part for part in parts)


def _bad_value(name: str, found: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"key '{safe(name, 64)}': {found}", hint)
