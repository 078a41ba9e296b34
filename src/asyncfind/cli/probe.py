"""`asyncfind nodes check --probe`: what a node supports, shown and written beside the node book."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

import anyio
import click

from asyncfind.book.pacing import Rate
from asyncfind.book.profile import QUIRK, Fact, write_profile
from asyncfind.cli.execute import run_async, watch_signals
from asyncfind.plan import Peer
from asyncfind.records import ExitCode
from asyncfind.render.troubles import sentence
from asyncfind.run.probe import MOST_ASSOCIATIONS, probe
from asyncfind.run.probe_words import Announced, Event, Gentleness, Stopped
from asyncfind.safe import safe

if TYPE_CHECKING:
    from asyncfind.book.node import Node
    from asyncfind.book.nodebook import NodeBook

__all__ = ["probe_nodes"]

_RATE: Final = Rate(5, 1)
"""Of queries, where neither the node nor the defaults have one."""


@dataclass(slots=True)
class _Probed:
    """What became of one node."""

    facts: list[Fact] = field(default_factory=list)
    stopped: Stopped | None = None
    is_interrupted: bool = False


def probe_nodes(
    book: "NodeBook",
    nodes: Sequence["Node"],
    peers: Sequence[Peer],
    format_name: str,
    *,
    associations: bool,
) -> ExitCode:
    """Probe nodes, one after the other, show what was found and write it beside the book.

    Args:
        format_name: `table`, `ndjson` for a line for each node, or `json` for one document.
        associations: find out how many associations each takes at a time.

    Raises:
        InvalidRequest: the profile cannot be written.
    """
    results = []
    for node, peer in zip(nodes, peers, strict=True):
        gentleness = _gentleness(book.filled(node), associations=associations)
        _say_plan(peer, gentleness)
        probed = run_async(_probe, peer, gentleness)
        results.append(probed)
        if format_name == "table":
            _print_table(peer, probed.facts)
        elif format_name == "ndjson":
            click.echo(json.dumps(_as_json(peer, probed), ensure_ascii=False))
        if probed.stopped is not None:
            stopped = probed.stopped
            _say(f"{safe(peer.node)}: stopped: {sentence(stopped.text, stopped.hint)}")
        if probed.facts and node.name and book.path is not None:
            _say(f"{safe(peer.node)}: written to {write_profile(book.path, node, probed.facts)}")
        if probed.is_interrupted:
            break
    if format_name == "json":
        shown = [_as_json(peer, one) for peer, one in zip(peers, results, strict=False)]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    return _exit_code(results)


def _exit_code(results: Sequence[_Probed]) -> ExitCode:
    stops = [one.stopped for one in results if one.stopped is not None]
    if any(one.is_interrupted for one in results):
        return ExitCode.INTERRUPTED
    if not stops:
        return ExitCode.COMPLETE
    if len(stops) == len(results) and not any(stop.is_reached for stop in stops):
        return ExitCode.NO_ASSOCIATION
    return ExitCode.INCOMPLETE


def _gentleness(node: "Node", *, associations: bool) -> Gentleness:
    most = min(MOST_ASSOCIATIONS, node.max_associations or MOST_ASSOCIATIONS)
    return Gentleness(
        rate=node.rate or _RATE, hours=node.between or (), associations=most if associations else 0
    )


async def _probe(peer: Peer, gentleness: Gentleness) -> _Probed:
    probed = _Probed()
    send, receive = anyio.create_memory_object_stream[Event](8)
    today = date.today()  # noqa: DTZ011 - as the archive's clock on the wall
    async with anyio.create_task_group() as tasks:

        def interrupt() -> None:
            probed.is_interrupted = True
            tasks.cancel_scope.cancel()

        async def ask() -> None:
            await probe(peer, gentleness, send, today=today)

        tasks.start_soon(watch_signals, interrupt)
        tasks.start_soon(ask)
        async with receive:
            async for event in receive:
                if isinstance(event, Announced):
                    _say(f"{safe(peer.node)}: {event.text}")
                elif isinstance(event, Stopped):
                    probed.stopped = event
                else:
                    probed.facts.append(event)
        tasks.cancel_scope.cancel()
    return probed


def _say_plan(peer: Peer, gentleness: Gentleness) -> None:
    hours = f", only {', '.join(map(str, gentleness.hours))}" if gentleness.hours else ""
    _say(
        f"{safe(peer.node)}: about 60 queries, at most {gentleness.rate}{hours}, one association "
        f"at a time; no answer beyond {gentleness.rows:,} matches is taken"
    )


def _say(line: str) -> None:
    click.echo(f"asyncfind: {line}", err=True)


def _as_json(peer: Peer, probed: _Probed) -> dict[str, object]:
    return {
        "kind": "probe",
        "node": peer.node,
        "facts": [
            {
                "name": fact.name,
                "value": fact.value,
                "evidence": fact.evidence,
                "date": f"{fact.date:%Y-%m-%dT%H:%M:%SZ}",
            }
            for fact in probed.facts
        ],
        "stopped": None if probed.stopped is None else probed.stopped.text,
    }


def _print_table(peer: Peer, facts: Iterable[Fact]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(safe(peer.node)))
    table.add_column("fact", no_wrap=True)
    table.add_column("what was found, and by what it was seen", overflow="fold")
    for name, value, evidence in _rows(facts):
        found = Text(safe(value))
        found.append(f"\n{safe(evidence)}", "dim")
        table.add_row(Text(name), found)
    Console().print(table)


def _rows(facts: Iterable[Fact]) -> Iterator[tuple[str, str, str]]:
    """Facts in words; that no key is of some kind goes without saying."""
    for fact in facts:
        value = fact.value
        if isinstance(value, tuple):
            if not value and fact.name.startswith("keys."):
                continue
            text = ", ".join(value) or "none"
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        else:
            text = "none seen" if fact.name == "row_limit" and not value else str(value)
        yield fact.name.removeprefix(QUIRK), text, fact.evidence
