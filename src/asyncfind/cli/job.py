"""`asyncfind job`: how a kept job stands, and its answers in any format."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from asyncfind.cli.show import shape_of, with_verdicts
from asyncfind.errors import InvalidRequest
from asyncfind.plan import Plan
from asyncfind.records import ExitCode
from asyncfind.render.choose import FORMATS, choose_plain
from asyncfind.render.renderer import Renderer
from asyncfind.render.tally import Tally
from asyncfind.run.job import job_plan, job_summary
from asyncfind.run.journal_reader import Snapshot, open_snapshot
from asyncfind.safe import safe

__all__ = ["export", "job"]

_AT_ONCE: Final = 500
_STATES: Final = ("done", "running", "pending", "failed", "skipped")


def export(snapshot: Snapshot, plan: Plan, renderer: Renderer) -> ExitCode:
    """Show the answers of a job by `renderer`; returns how complete they are.

    Raises:
        InvalidRequest: the journal is damaged.
        BrokenPipeError, OutputFailed: the answers cannot be written.
    """
    plan = job_plan(plan, snapshot, snapshot.counts())
    tally = Tally(plan)
    renderer.begin(plan)
    found = snapshot.history()
    while records := list(islice(found, _AT_ONCE)):
        tally.add(renderer.show(records))
    run = tally.summary(seconds=0.0, interrupted=False)
    summary = job_summary(snapshot.progress(), run)
    renderer.end(summary)
    # An answer that cannot be decoded is found only now.
    return summary.exit or (ExitCode.INCOMPLETE if run.failed else ExitCode.COMPLETE)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def job() -> None:
    """Look into the file of a job (--job FILE), also while it runs."""


@job.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of lines")
def status(file: str, as_json: bool) -> int:
    """Show how far a job is: queries by node and state, verdicts, answers.

    Exit codes: 0 all is complete, 1 the file is no job, 4 something is left or failed.
    """
    with open_snapshot(Path(file)) as snapshot:
        progress = snapshot.progress()
        counts = snapshot.counts()
    run = Tally(Plan(peers=tuple(counts))).summary(seconds=0.0, interrupted=False)
    summary = job_summary(progress, run)
    states: dict[str, Counter[str]] = {peer.node: Counter() for peer in counts}
    for (node, state), count in progress.states.items():
        states[node][state] += count
    if as_json:
        text = {
            "kind": "job",
            "nodes": states,
            "verdicts": progress.verdicts,
            "matches": progress.rows,
            "complete": not summary.failed,
        }
        click.echo(json.dumps(text))
    else:
        for line in _lines(states, progress.verdicts, progress.rows):
            click.echo(line)
    return ExitCode.INCOMPLETE if summary.failed else ExitCode.COMPLETE


def _lines(
    states: Mapping[str, Counter[str]], verdicts: Mapping[str, int], rows: int
) -> Iterator[str]:
    total = sum((counts for counts in states.values()), Counter[str]())
    yield f"{total['done']:,} of {total.total():,} queries done, {rows:,} matches"
    if verdicts:
        yield "verdicts: " + ", ".join(f"{count:,} {one}" for one, count in verdicts.items())
    width = max(len(safe(node)) for node in states)
    for node, counts in states.items():
        words = ", ".join(f"{counts[state]:,} {state}" for state in _STATES if counts[state])
        yield f"  {safe(node):{width}}  {words}"


@job.command("export")
@click.argument("file")
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="ndjson",
              show_default=True, help="of the answers")  # fmt: skip
@click.option("--output", metavar="FILE", help="write to this file instead of standard output")
@click.option("--columns", metavar="COLUMNS", help="these alone, in this order (csv, parquet)")
@click.option("--merge", "--dedupe", is_flag=True,
              help="one row for what several archives have (csv, ndjson, parquet)")  # fmt: skip
@click.option("--verdicts", metavar="FILE",
              help="write how each query ended (.csv, .ndjson, .jsonl)")  # fmt: skip
def export_job(file: str, format_name: str, output: str | None, **given: Any) -> int:
    """Write the answers of a job, in the order of its queries, whatever order they came in.

    Exit codes: 0 all queries are complete, 1 the file is no job or the output cannot be written,
    4 some query is not complete.
    """
    if output == "":
        raise InvalidRequest("--output names no file", "Write --output FILE.")
    shape = shape_of(given, has_verdict=True)
    with open_snapshot(Path(file)) as snapshot:
        shape.check(snapshot.columns())
        renderer = choose_plain(format_name, sys.stdout.buffer, output=output, shape=shape)
        renderer = with_verdicts({**given, "output": output}, renderer)
        return export(snapshot, Plan(peers=()), renderer)
