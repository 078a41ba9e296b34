"""`asyncfind load`: how much does an archive bear, and how fast is it then?"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import anyio
import click

from asyncfind.cli.command import TableCommand
from asyncfind.cli.load_options import LOAD, REPORTS
from asyncfind.cli.options import add_options
from asyncfind.errors import InvalidRequest

if TYPE_CHECKING:
    from asyncfind.cli.load_lines import Lines
    from asyncfind.load.result import LoadResult
    from asyncfind.load.spec import Load
    from asyncfind.render.output import Output

__all__ = ["load"]

_SAME: Final = 0.5
"""Seconds in which signals count as one: wrappers pass on what the terminal sent us as well."""
_WIDTH: Final = (60, 120)


@click.command(
    cls=TableCommand,
    table=LOAD,
    help_when_empty=True,
    usages=(
        "load [options] NODE ... [QUERY-FILE...] --rate RATE",
        "load [options] NODE ... [QUERY-FILE...] --stages STAGES",
        "load [options] NODE ... [QUERY-FILE...] --concurrency N",
    ),
    epilog="Exit codes: 0 every query complete, and all thresholds held, 1 command line or set-up, "
    "2 no association with any node, 4 some query not complete, or ended before its time, "
    "5 a threshold did not hold, 6 this machine could not keep up, 130 interrupted.",
)
@click.argument("parameters", nargs=-1)
@add_options(LOAD)
def load(parameters: tuple[str, ...], **given: Any) -> int:
    """Put queries on archives at a pace, and measure what comes of it.

    An open load (--rate, --stages) begins queries at their instants, whatever the archive does:
    what then waits is part of the response time, as it is for users. A closed load (--concurrency)
    waits for the archive, which sets the pace.

    Archives that are not on this machine are spared: see the options of safety.
    """
    from asyncfind.cli.execute import run_async
    from asyncfind.cli.load_lines import Lines
    from asyncfind.cli.load_plan import make_load, outlook
    from asyncfind.records import ExitCode

    for target in REPORTS:
        if given[target] == "":
            raise InvalidRequest(f"--{target.replace('_', '-')} names no file", "Name one.")
    planned = make_load(given, parameters)
    if given["dry_run"]:
        for line in outlook(planned):
            click.echo(line)
        return ExitCode.COMPLETE
    outputs = _open_outputs(given)
    lines = None if given["verbosity"] < 0 else Lines(planned, ascii=given["ascii"])
    result = run_async(_main, planned, lines)
    _show(result, given)
    for target, output in outputs.items():
        output.write(_report(target, result).encode())
        output.publish()
    return result.exit


async def _main(planned: "Load", lines: "Lines | None") -> "LoadResult":
    """Run it; the first signal ends it in order, the second at once."""
    from asyncfind.cli.execute import watch_signals
    from asyncfind.load.engine import Control, run_load

    control = Control()
    signalled: float | None = None

    def interrupt() -> None:
        nonlocal signalled
        now = time.monotonic()
        if signalled is None:
            control.stop()
        elif now - signalled > _SAME:
            control.abort()
        else:
            return
        signalled = now

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch_signals, interrupt)
        on_second = None if lines is None else lines.second
        result = await run_load(planned, on_second=on_second, control=control)
        tasks.cancel_scope.cancel()
    return result


def _open_outputs(given: Mapping[str, Any]) -> "dict[str, Output]":
    """The files of reports, before anything is sent: none of them is to fail at the end."""
    from asyncfind.render.output import open_output

    wanted = {target: given[target] for target in REPORTS if given[target] is not None}
    if len(set(wanted.values())) < len(wanted):
        raise InvalidRequest("two reports in one file", "Give each a file of its own.")
    return {
        target: open_output(name, f"--{target.replace('_', '-')}")
        for target, name in wanted.items()
    }


def _writer(target: str) -> "Callable[[LoadResult], object]":
    module, name = REPORTS[target]
    writer: Callable[[LoadResult], object] = getattr(import_module(module), name)
    return writer


def _report(target: str, result: "LoadResult") -> str:
    report = _writer(target)(result)
    return report if isinstance(report, str) else json.dumps(report, indent=2) + "\n"


def _show(result: "LoadResult", given: Mapping[str, Any]) -> None:
    from asyncfind.load.report_text import text_report

    narrow, wide = _WIDTH
    width = min(max(shutil.get_terminal_size((100, 24)).columns, narrow), wide)
    encoding = (sys.stdout.encoding or "ascii").lower()
    report = partial(text_report, result, width=width)
    is_ascii = given["ascii"] or not encoding.startswith("utf")
    click.echo(report(ascii=is_ascii), nl=False)
    if missing := result.total.missing + result.warm_up.missing:
        click.echo(f"asyncfind: {missing} queries went uncounted: a bug in asyncfind.", err=True)
