"""A load as one HTML file that opens offline: verdict, figures, tables, and the JSON report.

Nothing is loaded from anywhere, which the page's own policy forbids, too. The figures are drawn
here and need neither script nor library.
"""

import json
import math
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Final

from asyncfind.load.health import Strength
from asyncfind.load.report_figures import figures
from asyncfind.load.report_json import SCHEMA_VERSION, json_report
from asyncfind.load.report_plot import figure
from asyncfind.load.report_tables import (
    by_peer,
    errors,
    latency_table,
    settings,
    thresholds,
    tiles,
)
from asyncfind.load.report_words import headline, model_words, pace_words, state_words
from asyncfind.load.result import LoadResult
from asyncfind.records import ExitCode
from asyncfind.safe import safe

__all__ = ["html_report"]

_PLACE: Final = re.compile(r"\[\[([a-z]+)\]\]")
_NODES: Final = 4
"""Nodes that the title names."""


def html_report(result: LoadResult) -> str:
    """The page. What users and peers named is escaped wherever it stands."""
    drawn = figures(result)
    parts = {
        "title": escape(_title(result)),
        "style": _file("page.css"),
        "headline": _headline(result),
        "body": "\n".join(
            (
                tiles(result),
                thresholds(result.thresholds),
                f'<div class="grid">{"".join(map(figure, drawn))}</div>'
                if drawn
                else _no_figures(),
                latency_table(result),
                errors(result),
                by_peer(result),
                settings(result),
            )
        ),
        "schema": f"schema {SCHEMA_VERSION}",
        "result": _embedded(json_report(result)),
        "figures": _embedded({one.name: one.data for one in drawn}),
        "script": _file("page.js"),
    }
    # In one pass: what a value holds is never taken for a place.
    return _PLACE.sub(lambda found: parts[found[1]], _file("page.html"))


def _file(name: str) -> str:
    return files("asyncfind.load").joinpath("page", name).read_text(encoding="utf-8")


def _embedded(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _title(result: LoadResult) -> str:
    nodes = ", ".join(_nodes(result))
    return f"{_word(result)}: load of {nodes}, {result.started:%Y-%m-%d %H:%M}"


def _nodes(result: LoadResult) -> Sequence[str]:
    named = [safe(peer.node, 60) for peer in result.load.plan.peers]
    rest = len(named) - _NODES
    return named if rest <= 0 else [*named[:_NODES], f"{rest} more"]


def _word(result: LoadResult) -> str:
    return "PASS" if result.exit is ExitCode.COMPLETE else "FAIL"


def _headline(result: LoadResult) -> str:
    load = result.load
    is_good = result.exit is ExitCode.COMPLETE
    began = f"{result.started:%Y-%m-%d %H:%M:%S} {result.started.tzname() or ''}".strip()
    about = f"{', '.join(_nodes(result))} · {began} · {_length(result.seconds)}"
    badge = f'<span class="badge {"good" if is_good else "bad"}">{_word(result)}</span>'
    model = f"<strong>{escape(model_words(load))}</strong> · {escape(pace_words(load))}"
    lines = [
        f"<h1>{badge}{escape(headline(result))}</h1>",
        f'<p class="sub">{escape(about)} · exit {int(result.exit)}</p>',
        f'<p class="model">{model}</p>',
    ]
    verdict = result.health.verdict
    if verdict is not Strength.OK:
        colour = "bad" if verdict is Strength.SATURATED else "warn"
        what = "results are a lower bound" if colour == "bad" else "results hold some of our own"
        reasons = "; ".join(result.health.reasons)
        lines.append(_banner(colour, f"Client {verdict}: {what}.", reasons))
    lines += [_banner("warn", *state.partition(" ")[::2]) for state in state_words(result)]
    return "\n".join(lines)


def _banner(colour: str, title: str, text: str) -> str:
    return (
        f'<p class="banner {colour}" role="status"><strong>{escape(title)}</strong> '
        f"<span>{escape(text)}</span></p>"
    )


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(math.floor(seconds), 60)
    return f"{minutes} min" + (f" {rest} s" if rest else "")


def _no_figures() -> str:
    return '<p class="card">Nothing was measured, so there is nothing to draw.</p>'
