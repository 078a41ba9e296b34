"""A load as text: a report for its end, and a line now and then while it runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich.cells import cell_len

from asyncfind.load.health import Health, Sample, Strength
from asyncfind.load.report_words import (
    LAG,
    Latency,
    attainment,
    errors_by_kind,
    floored,
    headline,
    latencies,
    milliseconds,
    model_words,
    pace_words,
    rate_words,
    state_words,
    title_of,
)
from asyncfind.load.result import Interval, LoadResult
from asyncfind.load.spec import Load
from asyncfind.load.tally import Tally
from asyncfind.load.threshold import Result
from asyncfind.plan import Peer
from asyncfind.records import ExitCode
from asyncfind.safe import safe

__all__ = ["client_words", "progress_line", "text_report"]

_PLAIN: Final = str.maketrans("✓✗×·≥–…µ", "+xx->-.u")
"""For terminals that have no more than ASCII."""
_COLUMNS: Final = (
    ("mean", "mean"),
    ("p50", "p50"),
    ("p90", "p90"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("p999", "p99.9"),
    ("max", "max ms"),
)
_CELL: Final = (8, 9)
"""Least and usual cells of a column: the least has room for `≥9999.9`."""
_EXPENDABLE: Final = ("p95", "p999", "mean", "p90")
"""Columns that go first where there is no room."""
_TITLE: Final = 22
_NODE: Final = (8, 32)
_DETAILS: Final = 8
"""Kinds and details of errors that are named; the rest is counted."""


def text_report(result: LoadResult, *, width: int, ascii: bool = False) -> str:  # noqa: A002
    """The report for people, its lines ended; nothing in it can act on a terminal.

    Args:
        width: cells of a line. Narrow ones have fewer columns, and longer lists go on below.
        ascii: use no other characters.
    """
    lines = [
        *_verdict(result, width),
        *_thresholds(result.thresholds, width),
        *_peers(result, width),
        *_course(result, width),
        *_latencies(result.total, result.load.model, width),
        *_errors(result.total, width),
        *_by_peer(result, width),
    ]
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    return _in_ascii(text) if ascii else text


def progress_line(
    interval: Interval,
    total: Tally,
    *,
    planned: float | None = None,
    ascii: bool = False,  # noqa: A002
) -> str:
    """What the last seconds brought, for where there is no screen; without a line's end.

    Args:
        interval: of those seconds; those of several are to be merged into one.
        total: of the load so far.
        planned: seconds that the load is to take, where they are known.
        ascii: use no other characters.
    """
    tally, seconds = interval.tally, max(interval.seconds, 1e-6)
    clock = _clock(interval.at + interval.seconds)
    if planned is not None:
        clock += f"/{_clock(planned)}"
    parts = [
        clock,
        f"offered {rate_words(tally.offered / seconds)}/s",
        f"completed {rate_words(tally.completed / seconds)}/s",
    ]
    response = tally.latencies["response"]
    if response:
        p50, p99 = response.percentile(50), response.percentile(99)
        parts.append(f"response p50 {_seconds(p50)} p99 {_seconds(p99)} ms")
    for name, count in (("failed", total.failed), ("dropped", total.dropped)):
        parts.append(f"{name} {count:,}")
    sample = interval.sample
    if sample.lag_p99 is not None:
        parts.append(f"lag p99 {_seconds(sample.lag_p99)} ms")
    if sample.cpu is not None:
        parts.append(f"cpu {sample.cpu * 100:.0f} %")
    text = "  ".join(parts)
    return _in_ascii(text) if ascii else text


def client_words(health: Health, lag: Tally, samples: Sequence[Sample]) -> str:
    """How our own process did: what speaks against it, else its worst figures."""
    words = f"client {health.verdict}"
    if health.reasons:
        return f"{words} ({'; '.join(health.reasons)})"
    figures = []
    if (p99 := lag.latencies[LAG].percentile(99)) is not None:
        figures.append(f"lag p99 {_seconds(p99)} ms")
    if cpus := [one.cpu for one in samples if one.cpu is not None]:
        figures.append(f"cpu up to {max(cpus) * 100:.0f} %")
    return f"{words} ({', '.join(figures)})" if figures else words


def _verdict(result: LoadResult, width: int) -> list[str]:
    word = "PASS" if result.exit is ExitCode.COMPLETE else "FAIL"
    left = f" RESULT {word}  {headline(result)}"
    end = f"exit {int(result.exit)}"
    client = client_words(result.health, result.total, [one.sample for one in result.intervals])
    parts = [left, client, end]
    # On one line where it fits, the exit code at the right.
    if cell_len("  ".join(parts)) <= width - 1:
        gap = width - 1 - cell_len("".join(parts))
        lines = [left + " " * (gap // 2) + client + " " * (gap - gap // 2) + end]
    else:
        lines = [left + " " * max(2, width - 1 - cell_len(left + end)) + end]
        lines += _flow([client], "   ", width)
    if result.health.verdict is Strength.SATURATED:
        told = "Results are a lower bound: the peers may be better than this."
        lines += _flow([told], "   ", width)
    for state in state_words(result):
        lines += _flow([state], "   ", width)
    return lines


def _thresholds(results: Sequence[Result], width: int) -> list[str]:
    if not results:
        return []
    longest = max(cell_len(one.threshold.text) for one in results)
    lines = []
    for one in results:
        mark = "✓" if one.passed else "✗"
        text = one.threshold.text
        value = one.threshold.shown(one.value)
        if one.at is not None:
            value += f" at {one.at:g} s"
        if one.aborted:
            value += ", ended the run"
        gap = " " * (longest - cell_len(text) + 2)
        lines += _flow([f"{mark} {text}{gap}{value}"], "   ", width)
    return lines


def _peers(result: LoadResult, width: int) -> list[str]:
    peers = result.load.plan.peers
    shown = [_peer_words(peer) for peer in peers]
    return _flow(shown, " peer " if len(peers) == 1 else " peers ", width, " · ")


def _peer_words(peer: Peer) -> str:
    host = f"[{peer.host}]" if ":" in peer.host else peer.host
    where = f"{peer.called}@{host}:{peer.port}"
    words = f"{safe(peer.name)} {safe(where)}" if peer.name else safe(where)
    return words + (" TLS" if peer.tls is not None else "")


def _course(result: LoadResult, width: int) -> Iterator[str]:
    load, total, seconds = result.load, result.total, result.seconds
    parts = [pace_words(load), f"{seconds:.1f} s"]
    if load.per_association:
        parts.append(f"{load.per_association} per association")
    else:
        parts.append(_associations(load))
    yield from _flow([model_words(load)], " load ", width)
    yield from _flow(parts, "   ", width)
    if result.warm_up.offered:
        parts = [f"warm-up {load.unmeasured:g} s, {result.warm_up.offered:,} queries, not counted"]
        yield from _flow(parts, "   ", width)
    if seconds > 0:
        rates = f"offered {rate_words(total.offered / seconds)}/s"
        rates += f", completed {rate_words(total.completed / seconds)}/s"
        each = f"{total.responses / total.completed:.1f}" if total.completed else "–"
        volume = f"responses {total.responses:,} ({each} per complete query)"
        yield from _flow([rates, volume, f"{total.octets / 1e6:.1f} MB in"], "   ", width)
    sums = (
        f" offered {total.offered:,} = completed {total.completed:,} + failed {total.failed:,}"
        f" + dropped {total.dropped:,} + skipped {total.skipped:,} + censored {total.censored:,}"
    )
    yield from _flow([sums.strip()], " ", width)
    if (within := attainment(load, total)) is not None:
        limit = f"{(load.latency_limit or 0.0) * 1000:g} ms"
        yield f" attainment (complete within {limit}) {floored(within)} %"
    if total.refused:
        reasons = _named(total.refusals)
        head = f"{total.associations:,} opened, {total.refused:,} could not be"
        yield from _flow([": ".join([head, *reasons[:1]]), *reasons[1:]], " associations ", width)


def _associations(load: Load) -> str:
    if load.schedule is None:
        return f"{load.associations} associations each"
    words = f"up to {load.cap} associations each"
    return words if load.on_saturation == "queue" else f"{words}, {load.on_saturation} when full"


def _latencies(total: Tally, model: str, width: int) -> list[str]:
    rows = list(latencies(total))
    if not rows:
        return []
    columns = list(_COLUMNS)
    for name in _EXPENDABLE:
        if _TITLE + _CELL[0] * (1 + len(columns)) > width - 1:
            columns = [column for column in columns if column[0] != name]
    cell = max(_CELL[0], min(_CELL[1], (width - 1 - _TITLE) // (1 + len(columns))))
    heads = "".join(title.rjust(cell) for title in ("n", *(title for _, title in columns)))
    lines = [" " * _TITLE + heads]
    for one in rows:
        title = f"   {title_of(one.name, model)}".ljust(_TITLE)
        values = "".join(_cell(one, name).rjust(cell) for name, _ in columns)
        lines.append(title + f"{one.count:,}".rjust(cell) + values)
    if any(one.at_least for one in rows):
        told = "≥ at least: queries not ended when the run did count with their age by then"
        lines += _flow([told], "   ", width)
    return lines


def _cell(one: Latency, name: str) -> str:
    mark = "≥" if name in one.at_least else ""
    return mark + milliseconds(one.values[name])


def _errors(total: Tally, width: int) -> list[str]:
    if not total.errors:
        return []
    return _flow(_named(total.errors), " errors ", width, " · ")


def _named(errors: Mapping[tuple[str, str], int]) -> list[str]:
    """Kinds, details and counts of failures, the most frequent first, not too many."""
    named = [
        f"{safe(kind)}{f' {safe(detail)}' if detail else ''} ×{count:,}"
        for kind, details in errors_by_kind(errors).items()
        for detail, count in details.items()
    ]
    shown = named if len(named) <= _DETAILS else named[: _DETAILS - 1]
    if rest := len(named) - len(shown):
        shown.append(f"{rest} more kinds")
    return shown


def _by_peer(result: LoadResult, width: int) -> list[str]:
    peers = result.load.plan.peers
    if len(peers) < 2:
        return []
    heads = ["completed", "failed", "dropped", "p50", "p99", "max ms"]
    cell = len(heads[0]) + 1
    for head in ("dropped", "p50"):
        if _NODE[0] + cell * len(heads) > width - 1:
            heads.remove(head)
    longest = max(cell_len(safe(peer.node)) for peer in peers)
    node = max(_NODE[0], min(longest + 3, width - 1 - cell * len(heads), _NODE[1]))
    lines = [" by peer".ljust(node) + "".join(head.rjust(cell) for head in heads)]
    for peer, tally in zip(peers, result.peers, strict=True):
        response = tally.latencies["response"]
        values = {
            "completed": f"{tally.completed:,}",
            "failed": f"{tally.failed:,}",
            "dropped": f"{tally.dropped:,}",
            "p50": _seconds(response.percentile(50)),
            "p99": _seconds(response.percentile(99)),
            "max ms": _seconds(response.max),
        }
        name = f"   {safe(peer.node, node - 3)}"
        gap = " " * max(0, node - cell_len(name))
        lines.append(name + gap + "".join(values[head].rjust(cell) for head in heads))
    return lines


def _flow(items: Iterable[str], first: str, width: int, between: str = "  ") -> list[str]:
    """Items one behind the other, on as many lines as they take; words break only if they must."""
    lines: list[str] = []
    line, is_empty = first, True
    indent = " " * max(3, min(len(first), 8))
    for item in items:
        gap = "" if is_empty else between
        if cell_len(line + gap + item) <= width - 1:
            line += gap + item
        else:
            if not is_empty:
                lines.append(line)
                line = indent
            *full, line = _broken(line + item, indent, width - 1)
            lines += full
        is_empty = False
    return [*lines, line]


def _broken(line: str, indent: str, room: int) -> list[str]:
    """A line in pieces that fit, broken between words where there are any."""
    pieces = []
    while cell_len(line) > room:
        at = line.rfind(" ", len(indent) + 1, room + 1)
        at = at if at > len(indent) else room
        pieces.append(line[:at])
        line = indent + line[at:].lstrip()
    return [*pieces, line]


def _seconds(value: float | None) -> str:
    return milliseconds(None if value is None else value * 1000)


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}"


def _in_ascii(text: str) -> str:
    return text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
