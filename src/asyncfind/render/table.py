"""`table`: answers as lines under a header, as wide as the terminal, streaming.

Widths follow from the plan and the terminal, never from answers, so that the first line can be
shown before the second has come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Feed, Peer, Plan
from asyncfind.query.columns import Column
from asyncfind.query.element import Item
from asyncfind.records import Find, FindDone, Match, Summary
from asyncfind.render.cells import column_values
from asyncfind.render.words import Look, look_of, node_labels, readable
from asyncfind.safe import safe

__all__ = ["HEADER", "NOTE", "ROW", "TROUBLE", "Table", "fit"]

HEADER: Final = "h"
ROW: Final = "r"
NOTE: Final = "n"
TROUBLE: Final = "t"
"""What kind of line it is; the first character of each line where the output wants to know."""

_GAP: Final = "  "
_MIN_WIDTH: Final = 40
_LONG_TITLE: Final = 16
_MAX_WIDTH: Final = 4096


@dataclass(frozen=True, slots=True)
class _Layout:
    """What all rows with the same columns have in common.

    Args:
        shown, looks, widths: the columns that have room.
        left_out: titles of the others.
        node, query, repeat: widths of the columns before them; 0 where there is none.
    """

    shown: tuple[Column, ...]
    looks: tuple[Look, ...]
    widths: tuple[int, ...]
    left_out: tuple[str, ...]
    node: int
    query: int
    repeat: int


class Table:
    """The form of a table; the header is repeated only where the columns change.

    Args:
        width: of a line, in columns of the terminal.
        has_kinds: each line begins with its kind, for an output with styles.
    """

    def __init__(self, width: int, *, has_kinds: bool = False) -> None:
        self._width = max(_MIN_WIDTH, min(width, _MAX_WIDTH))
        self._kind = (lambda kind: kind) if has_kinds else (lambda kind: "")
        self._layouts: dict[tuple[Column, ...], _Layout] = {}
        """By the identity of the query."""
        self._under: _Layout | None = None
        self._find: Find | None = None
        self._about: list[str] = []
        self._labels: dict[Peer, str] = {}

    def begin(self, plan: Plan) -> str:
        self._labels = node_labels(plan.peers)
        self._layouts = _layouts(plan, self._width, list(self._labels.values()))
        return ""

    def opening(self, find: Find) -> str:
        layout = self._layouts[find.query.columns]
        if layout == self._under:
            return ""
        blank = "" if self._under is None else f"{self._kind(NOTE)}\n"
        self._under = layout
        names = [("Node", layout.node), ("Query", layout.query), ("Rep", layout.repeat)]
        cells = [fit(name, width) for name, width in names if width]
        cells += [
            _cell(look.title, width, look._replace(keeps_end=False))
            for look, width in zip(layout.looks, layout.widths, strict=True)
        ]
        if not layout.shown:
            cells.append("Answer")
        lines = [blank]
        if layout.left_out:
            text = f"no room here, but in --format csv: {', '.join(layout.left_out)}"
            lines.append(f"{self._kind(NOTE)}{fit(text, self._width).rstrip()}\n")
        lines.append(f"{self._kind(HEADER)}{_GAP.join(cells).rstrip()}\n")
        return "".join(lines)

    def match(self, match: Match, item: Item) -> str:
        layout = self._layouts[match.find.query.columns]
        cells = self._begin(match, layout)
        for column, look, width, values in zip(
            layout.shown,
            layout.looks,
            layout.widths,
            column_values(item, layout.shown),
            strict=True,
        ):
            text = safe(readable(column.vr, values)) if values else ""
            cells.append(_cell(text, width, look))
        if not layout.shown:
            cells.append(str(match.number))
        return f"{self._kind(ROW)}{_GAP.join(cells).rstrip()}\n"

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        cells = self._begin(match, self._layouts[match.find.query.columns])
        text = _GAP.join([*cells, f"answer {match.number}: {error.text}"])
        return f"{self._kind(TROUBLE)}{fit(text, self._width).rstrip()}\n"

    def done(self, done: FindDone) -> str:
        return ""

    def end(self, summary: Summary) -> str:
        return ""

    def _begin(self, match: Match, layout: _Layout) -> list[str]:
        """The cells before the answer's own."""
        find = match.find
        if find is not self._find:
            self._find = find
            texts = (
                (self._labels[find.peer], layout.node),
                (safe(find.query.label), layout.query),
                (str(find.repeat), layout.repeat),
            )
            self._about = [fit(text, width, keeps_end=True) for text, width in texts if width]
        return list(self._about)


def fit(text: str, width: int, *, keeps_end: bool = False) -> str:
    """Cut or fill `text`, safe already, to `width` columns of a terminal."""
    if text.isascii():
        length = len(text)
        if length <= width:
            return text.ljust(width)
        return "…" + text[length - width + 1 :] if keeps_end else text[: width - 1] + "…"
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    if keeps_end:
        return "…" + set_cell_size(text[::-1], width - 1)[::-1]
    return set_cell_size(text, width - 1) + "…"


def _cell(text: str, width: int, look: Look) -> str:
    if look.is_right and cell_len(text) < width:
        return " " * (width - cell_len(text)) + text
    return fit(text, width, keeps_end=look.keeps_end)


def _layouts(plan: Plan, width: int, nodes: list[str]) -> dict[tuple[Column, ...], _Layout]:
    """A layout for each set of columns that queries ask for."""
    node = min(max(4, *map(cell_len, nodes)), max(8, width // 5)) if len(nodes) > 1 else 0
    repeat = max(3, len(str(plan.repeat))) if plan.repeat > 1 else 0
    labels: dict[tuple[Column, ...], list[int]] = {}
    if isinstance(plan.queries, Feed):  # of many queries alike two tell how long labels get
        labels[plan.columns] = [len(plan.queries[place].label) for place in (0, -1)]
    else:
        for query in plan.queries:
            labels.setdefault(query.columns, []).append(len(query.label))
    layouts: dict[tuple[Column, ...], _Layout] = {}
    for columns, same in labels.items():
        label = min(max(5, *same), max(8, width // 8)) if len(same) > 1 else 0
        before = sum(size + len(_GAP) for size in (node, label, repeat) if size)
        layouts[columns] = _lay_out(columns, width - before, node, label, repeat)
    return layouts


def _lay_out(columns: Sequence[Column], width: int, node: int, query: int, repeat: int) -> _Layout:
    """Choose the columns that have room and share the room among them."""
    looks = [_titled(columns, column) for column in columns]
    chosen = list(range(len(columns)))
    left_out: list[int] = []
    while len(chosen) > 1 and _total([looks[index].least for index in chosen]) > width:
        worst = max(chosen, key=lambda index: (_expendable(columns[index]), index))
        chosen.remove(worst)
        left_out.append(worst)
    kept = [looks[index] for index in chosen]
    widths = [min(look.least, width) for look in kept]
    for goal in ([look.usual for look in kept], [look.most for look in kept]):
        widths = _grow(widths, goal, width - _total(widths))
    return _Layout(
        shown=tuple(columns[index] for index in chosen),
        looks=tuple(kept),
        widths=tuple(widths),
        left_out=tuple(looks[index].title for index in sorted(left_out)),
        node=node,
        query=query,
        repeat=repeat,
    )


def _titled(columns: Sequence[Column], column: Column) -> Look:
    """A column's look, its title made longer where another one has the same."""
    look = look_of(column)
    if sum(look_of(other).title == look.title for other in columns) > 1:
        look = _lengthen_title(look, column)
    return look


def _lengthen_title(look: Look, column: Column) -> Look:
    """Title a column by all its keywords, the sequences' in short."""
    *above, last = column.name.split(".")
    short = "".join("".join(char for char in name if char.isupper())[:4] + "." for name in above)
    title = short + last
    room = min(len(title), _LONG_TITLE)
    return look._replace(title=title, usual=max(look.usual, room), most=max(look.most, room))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _expendable(column: Column) -> int:
    """What goes first where there is no room: long texts and UIDs, then what was asked last."""
    if column.vr in ("LT", "ST", "UT", "UR"):
        return 2
    return 1 if column.vr == "UI" else 0


def _grow(widths: list[int], goals: list[int], room: int) -> list[int]:
    """Widen columns towards their goals, those that want least first: short values stay whole."""
    grown = list(widths)
    order = sorted(range(len(widths)), key=lambda index: goals[index] - widths[index])
    for place, index in enumerate(order):
        more = min(max(0, goals[index] - widths[index]), max(0, room) // (len(order) - place))
        grown[index] += more
        room -= more
    return grown
