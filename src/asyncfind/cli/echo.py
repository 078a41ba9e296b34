"""`asyncfind echo NODE...`: are these archives there, and how fast do they answer?"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import anyio
import click

from asyncfind.cli.command import TableCommand
from asyncfind.cli.options import ECHO, add_options
from asyncfind.errors import InvalidRequest, Kind
from asyncfind.plan import Plan
from asyncfind.records import Echoed, ExitCode
from asyncfind.render.troubles import sentence
from asyncfind.safe import safe

__all__ = ["echo"]


@click.command(
    cls=TableCommand,
    table=ECHO,
    usages=("echo [options] [AET@]HOST:PORT ...",),
    context_settings={"max_content_width": 100},
    epilog="Exit codes: 0 every node answered with success, 1 command line, 2 no association with "
    "any node, 4 some node did not answer with success, 130 interrupted.",
)
@click.argument("parameters", nargs=-1)
@add_options(ECHO)
def echo(parameters: tuple[str, ...], **given: Any) -> int:
    """Send C-ECHO to many nodes at once and show who answered, and how fast.

    \b
    asyncfind echo PACS@192.0.2.10:11112 RIS@192.0.2.11:104
    asyncfind echo -aet WORKSTATION -to 3 north:11112 south:11112
    """
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
    plan = Plan(
        peers=reach(given, peers),
        timeouts=make_timeouts(given),
        max_pdu_length=given["max_pdu"] & ~1,
    )
    is_quiet = given["verbosity"] < 0
    warnings, remarks = notes_on(given, plan.peers[0].tls)
    if not is_quiet:
        _complain(*warnings, *(remarks if given["verbosity"] else ()))
    code = run_async(_main, plan, given["format"] or "table", is_quiet)
    if trouble := write_seed(given):
        _complain(trouble)
        code = code or ExitCode.INCOMPLETE
    return code


def _addresses(parameters: Sequence[str]) -> Sequence[str]:
    """`echo HOST PORT`, as echoscu wants it, is one node too."""
    if len(parameters) == 2 and ":" not in parameters[0] and parameters[1].isdecimal():
        return (":".join(parameters),)
    return parameters


async def _main(plan: Plan, format_name: str, is_quiet: bool) -> ExitCode:
    from asyncfind.cli.execute import watch_signals
    from asyncfind.run.echo import echo_all

    results: list[Echoed] = []
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
        if not is_quiet:
            _complain(*_troubles(plan, results))
    if interrupted:
        return ExitCode.INTERRUPTED
    if all(result.status == 0 for result in results):
        return ExitCode.COMPLETE
    if all(result.associate is None for result in results):
        return ExitCode.NO_ASSOCIATION
    return ExitCode.INCOMPLETE


def print_line(line: str) -> None:
    """One line to standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _as_json(result: Echoed) -> str:
    return json.dumps(
        {
            "kind": "echo",
            "node": result.peer.node,
            "status": None if result.status is None else f"{result.status:04X}",
            "connect": _rounded(result.connect),
            "associate": _rounded(result.associate),
            "echo": _rounded(result.echo),
            "implementation": result.implementation,
            "error": result.error or None,
        }
    )


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
