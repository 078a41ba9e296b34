"""`asyncfind echo NODE...`: are these archives there, and how fast do they answer?"""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
import click

from asyncfind.cli.command import TableCommand
from asyncfind.cli.options import ECHO, add_options
from asyncfind.errors import InvalidRequest, Kind
from asyncfind.plan import Plan
from asyncfind.records import Associated, Echoed, ExitCode
from asyncfind.render.troubles import sentence
from asyncfind.render.words import opening_lines
from asyncfind.safe import safe

if TYPE_CHECKING:
    from asyncfind.render.transcript import Transcript

__all__ = ["echo", "show_echoes"]


@click.command(
    cls=TableCommand,
    table=ECHO,
    usages=("echo [options] [AET@]HOST:PORT ...",),
    epilog="Exit codes: 0 every node answered with success, 1 command line, 2 no association with "
    "any node, 4 some node did not answer with success, 130 interrupted.",
)
@click.argument("parameters", nargs=-1)
@add_options(ECHO)
def echo(parameters: tuple[str, ...], **given: Any) -> int:
    """Send C-ECHO to many nodes at once and show who answered, and how fast."""
    from asyncfind.cli.execute import run_async
    from asyncfind.cli.nodes import check_title
    from asyncfind.cli.plan import make_peers, make_timeouts, reach
    from asyncfind.cli.secure import notes_on, write_seed

    titles = (check_title(given["called"], "called"), check_title(given["calling"], "calling"))
    peers = make_peers((*_addresses(parameters), *given["nodes"]), *titles)
    if not peers:
        raise InvalidRequest(
            "no node to ask", "Name some: asyncfind echo AET@HOST:PORT AET@HOST:PORT"
        )
    verbosity = given["verbosity"]
    plan = Plan(
        peers=reach(given, peers),
        timeouts=make_timeouts(given),
        max_pdu_length=given["max_pdu"] & ~1,
        trace=verbosity > 1,
    )
    warnings, remarks = notes_on(given, plan.peers[0].tls)
    if verbosity >= 0:
        _complain(*warnings, *(remarks if verbosity else ()))
    code = run_async(show_echoes, plan, given["format"] or "table", verbosity)
    if trouble := write_seed(given):
        _complain(trouble)
        code = code or ExitCode.INCOMPLETE
    return code


def _addresses(parameters: Sequence[str]) -> Sequence[str]:
    """`echo HOST PORT`, as echoscu wants it, is one node too."""
    if len(parameters) == 2 and ":" not in parameters[0] and parameters[1].isdecimal():
        return (":".join(parameters),)
    return parameters


async def show_echoes(plan: Plan, format_name: str, verbosity: int = 0) -> ExitCode:
    """Send C-ECHO to every peer of `plan` and show what came of it.

    Args:
        format_name: `table`, or `ndjson` for a line as soon as a result is there.
        verbosity: -1 results only, 0 troubles too, 1 what was agreed too, 2 the plan's traffic too.
    """
    from asyncfind.cli.execute import watch_signals
    from asyncfind.run.echo import echo_all

    results: list[Echoed] = []
    aside = _Aside(plan, verbosity)
    interrupted = False
    send, receive = anyio.create_memory_object_stream[Echoed](len(plan.peers))
    async with anyio.create_task_group() as tasks:

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch_signals, interrupt)
        tasks.start_soon(echo_all, plan, send)
        async with receive:
            async for result in receive:
                results.append(result)
                aside.tell(result)
                if format_name == "ndjson":
                    print_line(_as_json(result))
        tasks.cancel_scope.cancel()
    answered = {result.peer for result in results}
    for peer in plan.peers:
        if peer not in answered:
            result = Echoed(peer=peer, status=None, error="interrupted", kind=Kind.CANCELLED)
            results.append(result)
            if format_name == "ndjson":
                print_line(_as_json(result))
    if format_name == "table":
        _print_table(plan, results)
        if verbosity >= 0:
            _complain(*_troubles(plan, results))
    if interrupted:
        return ExitCode.INTERRUPTED
    if all(result.status == 0 for result in results):
        return ExitCode.COMPLETE
    if all(result.associate is None for result in results):
        return ExitCode.NO_ASSOCIATION
    return ExitCode.INCOMPLETE


class _Aside:
    """Says on standard error what there is to say besides the results."""

    def __init__(self, plan: Plan, verbosity: int) -> None:
        self._verbosity = verbosity
        self._transcript = _transcript(plan) if plan.trace else None

    def tell(self, result: Echoed) -> None:
        """How it went on the wire (-d), how it is secured and what was agreed (-v), warnings."""
        if self._verbosity < 0:
            return
        if self._transcript is not None:
            for traffic in result.traffic:
                for line in self._transcript.lines(traffic):
                    click.echo(f"D: {line}".rstrip(), err=True)
        if self._verbosity > 0:
            opened = Associated(result.peer, 1, result.agreement, result.secured.text)
            _complain(*map(sentence, opening_lines(opened)))
        node = safe(result.peer.node)
        _complain(*(f"{node}: {sentence(text)}" for text in result.secured.warnings))


def _transcript(plan: Plan) -> "Transcript":
    from asyncfind.render.transcript import Transcript  # only -d pays for its import

    return Transcript(plan)


def print_line(line: str) -> None:
    """One line to standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _as_json(result: Echoed) -> str:
    members: dict[str, object] = {
        "kind": "echo",
        "node": result.peer.node,
        "status": None if result.status is None else f"{result.status:04X}",
        "connect": _rounded(result.connect),
        "associate": _rounded(result.associate),
        "echo": _rounded(result.echo),
        "implementation": result.implementation,
        "error": result.error or None,
    }
    if result.peer.tls is not None and result.peer.tls.unverified:
        members["unverified"] = result.peer.tls.unverified
    return json.dumps(members)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _print_table(plan: Plan, results: Sequence[Echoed]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    by_peer = {result.peer: result for result in results}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("node", overflow="fold")
    table.add_column("answer")
    for name in ("connect", "associate", "echo"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("implementation", overflow="fold")
    for peer in plan.peers:
        result = by_peer[peer]
        answer = Text("ok", "green") if result.status == 0 else Text("failed", "bold red")
        times = (result.connect, result.associate, result.echo)
        table.add_row(
            Text(safe(peer.node)), answer, *map(_milliseconds, times), Text(result.implementation)
        )
    Console().print(table)


def _troubles(plan: Plan, results: Sequence[Echoed]) -> list[str]:
    by_peer = {result.peer: result for result in results}
    failed = [by_peer[peer] for peer in plan.peers if by_peer[peer].status != 0]
    return [f"{safe(one.peer.node)}: {sentence(one.error, one.hint)}" for one in failed]


def _complain(*lines: str) -> None:
    for line in lines:
        click.echo(f"asyncfind: {line}", err=True)


def _milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.1f} ms"
