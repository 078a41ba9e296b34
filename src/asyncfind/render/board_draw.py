"""The board as lines, made of counters when it is drawn, never larger than there is room."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from asyncfind.plan import Peer
from asyncfind.render.board_counts import Counts, Event, Node, State
from asyncfind.render.board_words import (
    amount,
    event_words,
    loss_words,
    missing_words,
    pace,
    span,
    state_words,
    states_words,
)
from asyncfind.render.table import fit

__all__ = ["Size", "bar", "draw", "missing_rows", "spark"]

_MARKS: Final[Mapping[State, tuple[str, str]]] = {
    State.FAILED: ("✗", "bold red"),
    State.PARKED: ("!", "yellow"),
    State.SLOW: ("!", "yellow"),
    State.BUSY: ("▸", "cyan"),
    State.WAITING: ("·", "dim"),
    State.DONE: ("✓", "green"),
}
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_SPARKS: Final = "▁▂▃▄▅▆▇█"
_EMPTY: Final = "░"
_MOST_EVENTS: Final = 5
_MOST_MISSING: Final = 20
_STATE_LEAST: Final = 26
_NODE_LEAST: Final = 8
_BAR: Final = 8
_PLAIN: Final = str.maketrans("✗▸·✓▕▏░█▎▍▌▋▊▉▁▂▃▄▅▆▇…–", "x>.+[].#...###___===#.-")
"""For terminals that have no more than ASCII."""


class Size(NamedTuple):
    """What there is room for.

    Args:
        width: cells of a line, of which the last stays free: some terminals wrap behind it.
        height: lines.
    """

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a line, left out where there is no room.

    Args:
        worth: pieces worth least go first.
    """

    text: str
    worth: int
    style: str = ""


def draw(
    counts: Counts,
    labels: Mapping[Peer, str],
    size: Size,
    now: float,
    *,
    title: str = "",
    fills: bool = False,
    is_ascii: bool = False,
) -> list[Text]:
    """The lines of the board as it is now.

    Args:
        labels: what each node is called, safe for a terminal.
        title: what the run is, safe for a terminal.
        fills: the last events stand at the bottom of the room, however few nodes there are.
        is_ascii: the terminal has no other characters.
    """
    width, height = max(1, size.width - 1), max(1, size.height)
    lines = [
        _headline(counts, title, width, now),
        _queries(counts, width, now),
        _nodes(counts, width, now),
        _losses(counts, width),
    ]
    room = height - len(lines)
    told = counts.events[-min(_MOST_EVENTS, room // 4) :] if room >= 4 else []
    if room >= 2:
        lines += _table(counts, labels, width, room - len(told), now)
    if fills:
        lines += [Text()] * (height - len(lines) - len(told))
    lines += [_event_line(event, labels, width) for event in reversed(told)]
    lines = lines[:height]
    return [_in_ascii(line) for line in lines] if is_ascii else lines


def missing_rows(
    counts: Counts, labels: Mapping[Peer, str], width: int, is_ascii: bool
) -> list[Text]:
    """Nodes of whose queries some have no complete answer: how many, and why the last of them."""
    missing = [(peer, node) for peer, node in counts.nodes.items() if node.lost]
    missing.sort(key=lambda pair: (not pair[1].is_failed, pair[1].place))
    shown = missing if len(missing) <= _MOST_MISSING else missing[: _MOST_MISSING - 1]
    rows = []
    for peer, node in shown:
        mark, style = _MARKS[State.FAILED if node.is_failed else State.SLOW]
        told = f"{mark} {labels[peer]}: {missing_words(node, node.lost)}"
        rows.append(Text(fit(told, max(1, width - 1)).rstrip(), style, no_wrap=True))
    if rest := missing[len(shown) :]:
        lost = sum(node.lost for _, node in rest)
        rows.append(Text(f"  … {len(rest)} nodes more, {lost:,} queries", "dim", no_wrap=True))
    return [_in_ascii(row) for row in rows] if is_ascii else rows


def _event_line(event: Event, labels: Mapping[Peer, str], width: int) -> Text:
    clock = time.strftime("%H:%M:%S", time.localtime(event.wall))
    label = labels[event.peer]
    return Text(fit(f" {clock} {event_words(event, label)}", width).rstrip(), "dim", no_wrap=True)


def bar(share: float, width: int) -> str:
    """A bar in eighths of a cell; it is full only when the share is whole."""
    eighths = min(int(max(0.0, share) * width * 8), width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width, _EMPTY)


def spark(course: Sequence[int]) -> str:
    """A course of counts as blocks, the highest as high as a line."""
    most = max(course, default=0)
    if not most:
        return _SPARKS[0] * len(course)
    return "".join(_SPARKS[round(count * (len(_SPARKS) - 1) / most)] for count in course)


def _headline(counts: Counts, title: str, width: int, now: float) -> Text:
    nodes = "1 node" if len(counts.nodes) == 1 else f"{len(counts.nodes)} nodes"
    states = counts.states(now)
    if states[State.BUSY] or states[State.SLOW]:
        word = "running"
    elif states[State.PARKED]:
        word = "parked"
    else:
        word = "connecting" if states[State.WAITING] else "finishing"
    right = [f"  {_clock(now - counts.began)}", f"  {word}"]
    if any(node.to_come for node in counts.nodes.values()):
        left = counts.seconds_left(now)
        right.insert(1, f"  ETA {'–' if left is None else _clock(left)}")
    end = "".join(right)
    begin = f" asyncfind  {title}  {nodes}" if title else f" asyncfind  {nodes}"
    room = width - cell_len(end)
    if room < len(nodes) + 2:
        return Text(fit(end.strip(), width).rstrip(), "bold", no_wrap=True)
    if cell_len(begin) > room:
        short = fit(title, max(1, room - len(nodes) - 3))
        begin = f" {short}  {nodes}" if title else f" {nodes}"
    return Text(fit(begin, room) + end, "bold", no_wrap=True)


def _queries(counts: Counts, width: int, now: float) -> Text:
    done, total = counts.done, counts.total
    share = done / total if total else 1.0
    parts = [
        _Part(f" queries {done:,}/{total:,}", 9),
        _Part(f" ▕{bar(share, max(8, min(20, width // 6)))}▏", 6, "cyan"),
        # Not a hundred before it is.
        _Part(f" {int(share * 1000) / 10:.1f} %", 8),
        _Part(f"   {pace(counts.queries.per_second(now))} q/s", 7),
        _Part(f" {spark(counts.queries.course(now))}", 3, "cyan"),
        _Part(f"   {pace(counts.rows.per_second(now))} rows/s", 5),
    ]
    if counts.retries:
        parts.append(_Part(f"   retries {counts.retries:,}", 4))
    return _line(parts, width)


def _nodes(counts: Counts, width: int, now: float) -> Text:
    styles = {"failed": "red", "parked": "yellow"}
    words = states_words(counts, now)
    parts = [_Part(" nodes  ", 9)]
    parts += [_Part(f" {one} ", 8, styles.get(one.split()[1], "")) for one in words]
    opened = sum(node.in_use for node in counts.nodes.values())
    limits = [node.limit for node in counts.nodes.values() if node.to_come]
    known = [limit for limit in limits if limit is not None]
    of = f"/{sum(known):,}" if known and len(known) == len(limits) else ""
    parts.append(_Part(f"  assoc {opened:,}{of}", 5))
    return _line(parts, width)


def _losses(counts: Counts, width: int) -> Text:
    """What is not complete: always there, so that nothing jumps when the first is lost."""
    words = loss_words(counts)
    parts = [_Part(" losses ", 9)]
    for at, one in enumerate(words):
        parts.append(_Part(f" {one} ", 8 - at, "" if one.endswith(" 0") else "yellow"))
    return _line(parts, width)


def _line(parts: Sequence[_Part], width: int) -> Text:
    """The parts that have room, in their order."""
    kept = list(parts)
    while len(kept) > 1 and sum(cell_len(part.text) for part in kept) > width:
        least = min(part.worth for part in kept)
        at = max(at for at, part in enumerate(kept) if part.worth == least)
        del kept[at]
    text = Text(no_wrap=True)
    for part in kept:
        text.append(part.text, part.style or None)
    text.truncate(width, overflow="ellipsis")
    text.rstrip()
    return text


class _Column(NamedTuple):
    """A column of the table of nodes.

    Args:
        worth: columns worth least go first; 9 stays.
    """

    title: str
    width: int
    worth: int
    is_left: bool = False


def _columns(counts: Counts, labels: Mapping[Peer, str], width: int) -> list[_Column]:
    """The columns that have room; the last is what a node's state has."""
    most = max((node.total for node in counts.nodes.values()), default=0)
    longest = max((cell_len(label) for label in labels.values()), default=0)
    node = min(max(_NODE_LEAST, longest), max(_NODE_LEAST, width // 5))
    columns = [
        _Column("node", node, 9, True),
        _Column("done/total", max(10, 2 * len(f"{most:,}") + 1), 8),
        _Column("", _BAR, 4, True),
        _Column("assoc", 5, 1),
        _Column("q/s", 6, 6),
        _Column("rows/q", 6, 2),
        _Column("p50", 5, 3),
        _Column("p99", 5, 5),
        _Column("fail", 6, 7),
    ]
    while len(columns) > 1 and _used(columns) + _STATE_LEAST > width:
        columns.remove(min(columns, key=lambda column: column.worth))
    return [*columns, _Column("state", max(0, width - _used(columns)), 9, True)]


def _used(columns: Sequence[_Column]) -> int:
    """Cells up to the state: a mark, and a gap after each column."""
    return 2 + sum(column.width + 1 for column in columns) + 1


def _table(
    counts: Counts, labels: Mapping[Peer, str], width: int, height: int, now: float
) -> list[Text]:
    """A header and as many nodes as fit, trouble first; what does not fit is counted."""
    columns = _columns(counts, labels, width)
    titles = [_cell(column.title, column) for column in columns]
    lines = [Text(_joined(" ", titles, width).rstrip(), "dim", no_wrap=True)]
    ranked = sorted(
        ((node.state(now), not node.lost, node.place, peer) for peer, node in counts.nodes.items()),
        key=lambda one: one[:3],
    )
    room = height - 1
    shown = ranked if len(ranked) <= room else ranked[: max(0, room - 1)]
    for state, _, _, peer in shown:
        node = counts.nodes[peer]
        is_lossy = state is State.DONE and node.lost
        mark, style = _MARKS[State.SLOW if is_lossy else state]
        cells = _cells(node, labels[peer], now)
        row = [_cell(cells[column.title], column) for column in columns]
        text = Text(_joined(mark, row[:-1], width), style, no_wrap=True)
        text.append(row[-1].rstrip() if columns[-1].width else "")
        lines.append(text)
    if rest := ranked[len(shown) :]:
        done = sum(state is State.DONE for state, *_ in rest)
        told = f"  … {len(rest)} more" + (f", {done} of them done" if done else "")
        lines.append(Text(fit(told, width).rstrip(), "dim", no_wrap=True))
    return lines[:height]


def _joined(mark: str, cells: Sequence[str], width: int) -> str:
    text = f"{mark} " + "".join(f"{cell} " for cell in cells) + " "
    return text if cell_len(text) <= width else fit(text.rstrip(), width)


def _cell(text: str, column: _Column) -> str:
    if column.is_left:
        return fit(text, column.width, keeps_end=column.title == "node") if column.width else ""
    return text.rjust(column.width)


def _cells(node: Node, label: str, now: float) -> dict[str, str]:
    asked = node.done
    return {
        "node": label,
        "done/total": f"{asked:,}/{node.total:,}",
        "": bar(asked / node.total if node.total else 1.0, _BAR),
        "assoc": _of_limit(node),
        "q/s": pace(node.queries.per_second(now)) if asked and node.to_come else "–",
        "rows/q": _rows(node),
        "p50": _seconds(node.latencies.quantile(0.5)),
        "p99": _seconds(node.latencies.quantile(0.99)),
        "fail": amount(node.lost),
        "state": state_words(node, now),
    }


def _of_limit(node: Node) -> str:
    if not node.to_come:
        return amount(node.in_use) if node.in_use else "–"
    return amount(node.in_use) if node.limit is None else f"{node.in_use}/{node.limit}"


def _rows(node: Node) -> str:
    if not node.done:
        return "–"
    rows = node.rows / node.done
    return f"{rows:.1f}" if rows < 1000 else amount(round(rows))


def _seconds(seconds: float | None) -> str:
    """A latency in at most five characters."""
    if seconds is None:
        return "–"
    if seconds < 0.01:
        return f"{seconds * 1000:.1f}ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    return f"{seconds:.0f}s"


def _clock(seconds: float) -> str:
    """`00:12:41`; days where there are some."""
    if seconds >= 100 * 3600:
        return span(seconds)
    minutes, second = divmod(int(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}"


def _in_ascii(line: Text) -> Text:
    plain = line.plain.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
    return Text(plain, line.style, no_wrap=True)
