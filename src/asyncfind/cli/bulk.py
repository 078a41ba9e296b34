"""Thousands of queries: how archives are treated, what is said before, and jobs that are kept."""

import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from asyncfind.book.pacing import DAY, Rate, Span, parse_rate, parse_spans
from asyncfind.cli.execute import execute
from asyncfind.cli.given import is_given
from asyncfind.cli.job import export
from asyncfind.cli.nodes import Chosen
from asyncfind.cli.plan import Order
from asyncfind.cli.show import Display, shape_of, with_verdicts
from asyncfind.errors import InvalidRequest
from asyncfind.logs.levels import Level
from asyncfind.plan import Peer, Plan, Query
from asyncfind.records import ExitCode
from asyncfind.render.board_choice import prepare
from asyncfind.render.choose import check_format, choose_plain
from asyncfind.render.verdicts import kind_of_verdicts
from asyncfind.run.course import Course, Manners
from asyncfind.run.job import job_plan
from asyncfind.run.journal import Journal
from asyncfind.run.journal_keys import plan_spec
from asyncfind.run.pace import Window
from asyncfind.run.split_words import SPLIT_MAX
from asyncfind.safe import safe

__all__ = ["run_bulk"]

_MANY: Final = 1000
"""Queries from which on a run says what it is about to do."""
_SHOWN: Final = 12
_GUESS: Final = 0.1
"""Seconds that a query may take, for a first idea of how long a run will."""

_UNKEPT: Final = (
    "nothing keeps which queries are missing; of a run with --job FILE, "
    "asyncfind --resume FILE --retry-failed asks them again"
)

Given = Mapping[str, Any]


def run_bulk(given: Given, order: Order, display: Display) -> ExitCode:
    """Run politely what a command line asks for, as a job where it says so.

    Raises:
        InvalidRequest: the pace is none, or the job cannot be made or opened.
        BrokenPipeError: the reader of the results has gone.
        OutputFailed: the results or the journal cannot be written.
    """
    _check(given)
    _check_outputs(given, order.plan)
    plan = replace(order.plan, trace=display.verbosity > 1)
    if given["dry_run"]:
        for line in _outlook(plan, _manners(given, order.chosen)):
            click.echo(line)
        return ExitCode.COMPLETE
    with _job(given, plan) as journal:
        if journal is None:
            manners = _manners(given, order.chosen)
            _say_outlook(plan, manners, display)
            course = Course(manners=manners, split=_split(given))
            _prepare(display, given["batch"], manners)
            code = execute(plan, display.renderer, course)
            if given["batch"] and code in (ExitCode.INCOMPLETE, ExitCode.NO_ASSOCIATION):
                _say(display, [_UNKEPT])
            return code
        return _run_job(given, order, plan, journal, display)


def _run_job(
    given: Given, order: Order, plan: Plan, journal: Journal, display: Display
) -> ExitCode:
    if strangers := [one.peer for one in order.chosen if one.peer not in journal.peers]:
        raise InvalidRequest(
            f"the job does not ask {safe(strangers[0].node)}",
            "It goes on with its own nodes; --node is for what it cannot keep: TLS, identity.",
        )
    left = journal.progress().left
    counts = {peer: left.get(peer.node, 0) for peer in journal.peers}
    shape = shape_of(given, has_verdict=True)
    with journal.snapshot() as snapshot:
        plan = job_plan(plan, snapshot, counts)
        shape.check(snapshot.columns())
    nodes = {one.peer: one.node for one in order.chosen}
    manners = _manners(given, [Chosen(peer, nodes.get(peer)) for peer in plan.peers])
    _say_outlook(plan, manners, display)
    course = Course(manners=manners, journal=journal, split=journal.split)
    _prepare(display, [str(journal.path)], manners)
    code = execute(plan, display.renderer, course)
    name = safe(shlex.quote(str(journal.path)))
    if code is ExitCode.INTERRUPTED:
        _say(display, [f"to go on: asyncfind --resume {name}"])
        return code
    if code:
        _say(display, [f"to ask again what failed: asyncfind --resume {name} --retry-failed"])
    outputs = (given[one] is not None for one in ("format", "output", "verdicts"))
    if not any(outputs) and sys.stdout.isatty():
        _say(display, [f"the answers: asyncfind job export {name} --format csv --output FILE"])
        return code
    renderer = choose_plain(
        given["format"] or "text",
        sys.stdout.buffer,
        output=given["output"],
        strip=given["correction"],
        shape=shape,
    )
    with journal.snapshot() as snapshot:
        exported = export(snapshot, plan, with_verdicts(given, renderer))
    return code or exported


def _prepare(display: Display, files: Sequence[str], manners: Mapping[Peer, Manners]) -> None:
    """Have the run shown with the names of its files and the caps of its nodes."""
    title = safe(", ".join(Path(file).name for file in files), 40)
    prepare(display.renderer, title, {peer: one.cap for peer, one in manners.items()})


def _split(given: Given) -> int | None:
    return (given["split_max"] or SPLIT_MAX) if given["split"] else None


def _say(display: Display, lines: Sequence[str], level: Level = Level.WARN) -> None:
    if display.verbosity >= 0:
        display.messages.say(level, lines)


def _say_outlook(plan: Plan, manners: Mapping[Peer, Manners], display: Display) -> None:
    if display.verbosity > 0 or sum(map(plan.count, plan.peers)) >= _MANY:
        _say(display, _outlook(plan, manners), Level.INFO)


def _check(given: Given) -> None:
    """Refuse what contradicts itself, or would be there for nothing."""
    if given["async_window"] > 1:
        raise InvalidRequest(
            "--async not allowed in a run with a pace or a list", "Raise --associations."
        )
    if given["resume"] is not None and given["dry_run"]:
        raise InvalidRequest("--dry-run and --resume", "See: asyncfind job status FILE")


def _check_outputs(given: Given, plan: Plan) -> None:
    """Refuse what the answers of a job could not be written as, before anything is asked."""
    if given["job"] is None and given["resume"] is None:
        return
    shape = shape_of(given, has_verdict=True)
    check_format(given["format"] or "text", shape)
    if given["verdicts"] is not None:
        kind_of_verdicts(given["verdicts"])
    if plan.queries:
        shape.check(plan.columns)


def _manners(given: Given, chosen: Sequence[Chosen]) -> dict[Peer, Manners]:
    """How each archive is to be treated: the command line, else the book, else our habits.

    The book's cap on associations holds whatever the command line says: it protects the archive.

    Raises:
        InvalidRequest: a rate or a time that is none.
    """
    rate = _rate(given["rate"])
    # A pace alone makes no job of a few queries: somebody waits for them.
    patience = (given[one] is not None for one in ("job", "resume", "give_up"))
    is_patient = bool(given["batch"]) or any(patience)
    hours = _spans(given["between"])
    manners = {}
    for peer, node in chosen:
        cap = given["associations"]
        if node is not None and node.max_associations is not None:
            own = node.max_associations
            cap = min(cap, own) if is_given("associations") else own
        manners[peer] = Manners(
            cap=cap,
            rate=rate or (None if node is None else node.rate),
            hours=hours or (() if node is None or node.between is None else node.between),
            retries=given["retries"] == "on" and is_patient,
            give_up=600.0 if given["give_up"] is None else given["give_up"] or None,
            row_limit=None if node is None else node.row_limit,
        )
    return manners


def _rate(text: str | None) -> Rate | None:
    try:
        return None if text is None else parse_rate(text)
    except ValueError as exc:
        raise InvalidRequest(f"--rate '{safe(text or '', 64)}' is none", f"{exc}.") from exc


def _spans(texts: Sequence[str]) -> tuple[Span, ...]:
    try:
        return parse_spans(texts) if texts else ()
    except ValueError as exc:
        raise InvalidRequest("--between names no time of the day", f"{exc}.") from exc


def _outlook(plan: Plan, manners: Mapping[Peer, Manners]) -> list[str]:
    """What a run is about to do: whom it asks how much at which pace, and how long that may take.

    The time is a first idea of it, from the rates and a guess of what a query takes.
    """
    counts = {peer: plan.count(peer) for peer in plan.peers}
    total = sum(counts.values())
    seconds = {peer: _least_seconds(count, manners[peer]) for peer, count in counts.items()}
    nodes = "1 node" if len(counts) == 1 else f"{len(counts)} nodes"
    whole = _span(max(seconds.values(), default=0.0))
    lines = [f"{total:,} queries to {nodes}, about {whole} if a query takes {_GUESS:g} s"]
    slowest = sorted(counts, key=lambda peer: -seconds[peer])
    for peer in slowest[:_SHOWN]:
        own = manners[peer]
        pace = [f"at most {own.cap} association{'s' if own.cap > 1 else ''}"]
        if own.rate is not None:
            pace.append(f"{own.rate}")
        if own.hours:
            pace.append("between " + ", ".join(map(str, own.hours)))
            if wait := Window(own.hours).wait(time.time()):
                begin = datetime.fromtimestamp(time.time() + wait)  # noqa: DTZ006 - as the hours
                pace.append(f"not before {begin:%A %H:%M}")
        lines.append(
            f"  {safe(peer.node)}: {counts[peer]:,} queries, {', '.join(pace)}, "
            f"about {_span(seconds[peer])}"
        )
    if len(slowest) > _SHOWN:
        lines.append(f"  ... and {len(slowest) - _SHOWN} nodes more")
    return lines


def _least_seconds(count: int, manners: Manners) -> float:
    pace = manners.cap / _GUESS
    if manners.rate is not None:
        pace = min(pace, manners.rate.per_second)
    seconds = count / pace
    if manners.hours:  # of each day, only these
        minutes = sum((span.end - span.start) % DAY or DAY for span in manners.hours)
        seconds *= DAY / min(minutes, DAY)
    return seconds


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} days"


@contextmanager
def _job(given: Given, plan: Plan) -> Iterator[Journal | None]:
    """The journal that a run is kept in, open; None for a run that is not.

    Raises:
        InvalidRequest: it cannot be made or opened.
    """
    if given["job"] is not None:
        if plan.repeat > 1:
            raise InvalidRequest("--job and --repeat", "A job asks every query once.")
        with Journal.create(
            Path(given["job"]), plan_spec(plan), _entries(plan), split=_split(given)
        ) as journal:
            yield journal
    elif given["resume"] is not None:
        with Journal.open(
            Path(given["resume"]),
            peers=plan.peers,
            retry_failed=given["retry_failed"],
            split=_split(given),
        ) as journal:
            yield journal
    else:
        yield None


def _entries(plan: Plan) -> Iterator[tuple[Peer, Query]]:
    """In turn from each peer, so that a job's order is that of its list."""
    for peer in plan.peers:
        for place in plan.places(peer):
            yield peer, plan.queries[place]
