"""The tables and tiles of the page."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from asyncfind.load.report_words import (
    PERCENTILES,
    attainment,
    errors_by_kind,
    floored,
    latencies,
    latency,
    milliseconds,
    pace_words,
    rate_words,
    title_of,
)
from asyncfind.load.result import LoadResult
from asyncfind.load.threshold import Result
from asyncfind.safe import safe

__all__ = ["by_peer", "errors", "latency_table", "settings", "thresholds", "tiles"]

_HEADS: Final = {"p999": "p99.9"}
_ROWS: Final = 40
"""Rows of a table of errors; the rest is summed up."""


def tiles(result: LoadResult) -> str:
    """The figures one looks for first."""
    total, seconds = result.total, max(result.seconds, 1e-6)
    response = latency(total, "response")
    missing = total.failed + total.dropped + total.skipped + total.censored
    shown = [
        (f"{total.offered:,}", "queries offered", ""),
        (f"{rate_words(total.completed / seconds)}/s", "completed", ""),
        (f"{missing:,}", "not complete", "bad" if missing else "good"),
        (_value(response.values["p50"], "p50" in response.at_least), "response p50", ""),
        (_value(response.values["p99"], "p99" in response.at_least), "response p99", ""),
        (_value(response.values["max"], "max" in response.at_least), "slowest response", ""),
        (str(result.health.verdict), "client", "good" if not result.health.reasons else "warn"),
    ]
    if (within := attainment(result.load, total)) is not None:
        limit = (result.load.latency_limit or 0.0) * 1000
        shown.insert(3, (f"{floored(within)} %", f"complete within {limit:g} ms", ""))
    cells = "".join(
        f'<div class="tile"><b class="{colour}">{escape(value)}</b>'
        f"<span>{escape(name)}</span></div>"
        for value, name, colour in shown
    )
    return f'<section class="tiles">{cells}</section>'


def thresholds(results: Sequence[Result]) -> str:
    """What had to hold, and whether it did."""
    if not results:
        return ""
    rows = []
    for one in results:
        value = one.threshold.shown(one.value)
        if one.at is not None:
            value += f" at {one.at:g} s"
        if one.aborted:
            value += ", ended the run"
        word, colour = ("✓ holds", "good") if one.passed else ("✗ failed", "bad")
        rows.append(
            f'<tr><td class="text mono">{escape(one.threshold.text)}</td><td>{escape(value)}</td>'
            f'<td class="{colour}"><strong>{word}</strong></td></tr>'
        )
    return _card("Thresholds", ("threshold", "value", "result"), rows)


def latency_table(result: LoadResult) -> str:
    """All latencies of the whole run."""
    names = ("mean", *(name for name, _ in PERCENTILES), "max")
    rows, is_bound = [], False
    for one in latencies(result.total):
        cells = [f"<td>{one.count:,}</td>"]
        cells += [f"<td>{_marked(one.values[name], name in one.at_least)}</td>" for name in names]
        is_bound = is_bound or bool(one.at_least)
        title = escape(title_of(one.name, result.load.model))
        rows.append(f"<tr><th>{title}</th>{''.join(cells)}</tr>")
    note = "Milliseconds."
    if is_bound:
        note += " ≥ at least: queries not ended when the run did count with their age by then."
    heads = ("latency", "n", *(_HEADS.get(name, name) for name in names))
    return _card("Latencies of the whole run", heads, rows, note) if rows else ""


def errors(result: LoadResult) -> str:
    """What failed, and why."""
    total = result.total
    counted = [
        (kind, detail, count)
        for kind, details in errors_by_kind(total.errors).items()
        for detail, count in details.items()
    ]
    counted += [
        (name, why, count)
        for name, why, count in (
            ("dropped", "never sent: too many waited already", total.dropped),
            ("skipped", "never sent: it had waited too long", total.skipped),
            ("censored", "not ended when the run did", total.censored),
        )
        if count
    ]
    most = max((count for _, _, count in counted), default=1)
    rows = [
        f'<tr><th>{escape(safe(kind))}</th><td class="text">{escape(safe(detail))}</td>'
        f"<td>{count:,}</td><td>{count / max(1, total.offered) * 100:.3g} %</td>"
        f'<td class="share"><i style="width:{max(1.0, count / most * 100):.1f}%"></i></td></tr>'
        for kind, detail, count in counted[:_ROWS]
    ]
    heads = ("kind", "detail", "queries", "share", "")
    cards = ""
    if rows:
        note = f"{len(counted) - _ROWS} more kinds are in the JSON." if len(counted) > _ROWS else ""
        cards += _card("Not complete", heads, rows, note)
    refused = [
        f'<tr><th>{escape(safe(kind))}</th><td class="text">{escape(safe(detail))}</td>'
        f"<td>{count:,}</td></tr>"
        for kind, details in errors_by_kind(total.refusals).items()
        for detail, count in details.items()
    ]
    if refused:
        note = f"{total.associations:,} were opened, {total.refused:,} could not be."
        cards += _card(
            "Associations that could not be opened",
            ("kind", "detail", "attempts"),
            refused[:_ROWS],
            note,
        )
    return cards


def by_peer(result: LoadResult) -> str:
    """Each node on a row, where there are several."""
    peers = result.load.plan.peers
    if len(peers) < 2:
        return ""
    rows = []
    for peer, tally in zip(peers, result.peers, strict=True):
        counts = (tally.offered, tally.completed, tally.failed, tally.dropped, tally.censored)
        cells = "".join(f"<td>{count:,}</td>" for count in counts)
        response = latency(tally, "response")
        for name in ("p50", "p99", "max"):
            cells += f"<td>{_marked(response.values[name], name in response.at_least)}</td>"
        rows.append(f"<tr><th>{escape(safe(peer.node))}</th>{cells}</tr>")
    heads = ("node", "offered", "completed", "failed", "dropped", "censored", "p50", "p99", "max")
    return _card("By node", heads, rows, "Response times in milliseconds.")


def settings(result: LoadResult) -> str:
    """What was to be done, for whoever wants to do it again."""
    load, total = result.load, result.total
    pairs: list[tuple[str, str]] = [("pace", pace_words(load))]
    for peer in load.plan.peers:
        host = f"[{peer.host}]" if ":" in peer.host else peer.host
        tls = ", TLS" if peer.tls is not None else ""
        where = f"{peer.called}@{host}:{peer.port}, called by {peer.calling}{tls}"
        pairs.append((f"node {safe(peer.name)}" if peer.name else "node", safe(where)))
    pairs += [
        ("associations", f"{load.cap} to each node at the most; {total.associations:,} opened"),
        ("queries", f"{load.per_association or 'any number'} on an association"),
        ("warm-up", f"{load.unmeasured:g} s, {result.warm_up.offered:,} queries, not counted"),
        ("grace", f"{load.grace:g} s"),
        ("received", f"{total.responses:,} responses, {total.octets / 1e6:.1f} MB of identifiers"),
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs)
    return f'<section class="card"><h2>Settings</h2><dl>{rows}</dl></section>'


def _card(title: str, heads: Iterable[str], rows: Sequence[str], note: str = "") -> str:
    head = "".join(
        f'<th scope="col"{" class=text" if name == "detail" else ""}>{escape(name)}</th>'
        for name in heads
    )
    foot = f'<p class="foot">{escape(note)}</p>' if note else ""
    return (
        f'<section class="card"><h2>{escape(title)}</h2><div class="scroll"><table><thead>'
        f"<tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{foot}</section>"
    )


def _marked(value: float | None, is_bound: bool) -> str:
    return ("≥ " if is_bound else "") + milliseconds(value)


def _value(value: float | None, is_bound: bool) -> str:
    return "–" if value is None else f"{_marked(value, is_bound)} ms"
