"""From the output options to what shows a run: results, files, messages, logs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncfind.cli.secure import notes_on
from asyncfind.cli.verbosity import VERBOSITY, least_of, verbosity_of
from asyncfind.errors import InvalidRequest
from asyncfind.logs.levels import Level
from asyncfind.plan import Plan
from asyncfind.render.choose import choose, choose_progress
from asyncfind.render.columns import Shape, parse_columns
from asyncfind.render.output import open_output
from asyncfind.render.renderer import Renderer
from asyncfind.render.report import Messages, Written
from asyncfind.safe import safe

if TYPE_CHECKING:
    from asyncfind.logs.logger import Logs

__all__ = ["Display", "open_display", "say_notes", "shape_of", "with_verdicts"]


@dataclass(frozen=True, slots=True)
class Display:
    """What shows a run.

    Args:
        messages: takes what is to be said besides.
        verbosity: as `verbosity_of`.
    """

    renderer: Renderer
    messages: Messages
    verbosity: int


@contextmanager
def open_display(given: Mapping[str, Any]) -> Iterator[Display]:
    """What shows the run that `given` asks for; logs are closed at the end of the block.

    Raises:
        InvalidRequest: output files, folders or log configurations that cannot be used.
    """
    verbosity = verbosity_of(given)
    if given["log_config"] is None:
        least = least_of(given)
        yield _display(given, Written(sys.stderr, least), verbosity, own=least is Level.ERROR)
        return
    if given["log_level"] is not None or given["verbosity"]:
        raise InvalidRequest(
            "--log-config not allowed with --log-level, --verbose, --debug or --quiet",
            "The file says what is logged.",
        )
    from asyncfind.render.logged import LOGGER, Logged

    logs = _logs(given["log_config"])
    try:
        enabled = [level for level in Level if logs.is_enabled(LOGGER, level)]
        verbosity = VERBOSITY[min(enabled)]
        yield _display(given, Logged(logs), verbosity, own=True)
    finally:
        logs.close()


def _logs(name: str) -> "Logs":
    from asyncfind.logs.config import LogConfigError, read_log_config

    try:
        # Results have standard output to themselves, whatever a console appender says.
        return read_log_config(name, strict=True, program="asyncfind", stdout=sys.stderr.buffer)
    except LogConfigError as exc:
        raise InvalidRequest(
            f"log configuration '{safe(name, 200)}': {exc.text}",
            "It is a log4cplus property file.",
        ) from exc


def _display(given: Mapping[str, Any], messages: Messages, verbosity: int, *, own: bool) -> Display:
    """Make what shows a run.

    Args:
        own: a live display would not do with `messages` as it does with standard error.
    """
    # Progress leaves no room for traffic between its lines.
    beside = messages if own or verbosity > 1 else None
    if given["job"] is not None or given["resume"] is not None:
        _check_kept(given)
        return Display(
            choose_progress(sys.stderr, min(verbosity, 1), beside), messages, min(verbosity, 1)
        )
    renderer = choose(
        given["format"],
        sys.stdout.buffer,
        sys.stderr,
        min(verbosity, 1),
        output=given["output"],
        strip=given["correction"],
        messages=beside,
        shape=shape_of(given),
    )
    if verbosity > 1:
        from asyncfind.render.traced import Traced

        renderer = Traced(renderer, messages)
    hidden = given["responses"] == "hide"
    if _extracts(given):
        renderer = _extracting(given, renderer, show=not hidden)
    elif hidden:
        from asyncfind.render.hidden import Hidden

        renderer = Hidden(renderer)
    return Display(with_verdicts(given, renderer), messages, verbosity)


def shape_of(given: Mapping[str, Any], *, has_verdict: bool = False) -> Shape:
    """What the user wants of rows.

    Args:
        has_verdict: how queries ended is known by the time.

    Raises:
        InvalidRequest: --columns is no list of columns.
    """
    text: str | None = given["columns"]
    return Shape(
        columns=None if text is None else parse_columns(text),
        merge=given["merge"],
        has_verdict=has_verdict,
    )


def with_verdicts(given: Mapping[str, Any], renderer: Renderer) -> Renderer:
    """The renderer that writes --verdicts besides, where that is given.

    Raises:
        InvalidRequest: the file has no fitting name, or cannot be made.
    """
    name: str | None = given["verdicts"]
    if name is None:
        return renderer
    from asyncfind.render.verdicts import Verdicts, kind_of_verdicts

    kind = kind_of_verdicts(name)
    output: str | None = given["output"]
    if output is not None and Path(name).absolute() == Path(output).absolute():
        raise InvalidRequest("--verdicts and --output name one file", "Choose another --verdicts.")
    return Verdicts(renderer, open_output(name, "--verdicts"), kind)


def _check_kept(given: Mapping[str, Any]) -> None:
    """Refuse what works on answers as they come: those of a job go to its journal."""
    for option, is_used in {
        "-X, -Xx and -Xs": _extracts(given),
        "--hide-responses": given["responses"] == "hide",
    }.items():
        if is_used:
            raise InvalidRequest(
                f"{option} not allowed with a job", "Its answers are in FILE: asyncfind job export."
            )


def _extracts(given: Mapping[str, Any]) -> bool:
    """Whether responses become files; refuses what would mean nothing."""
    if given["extract"] is not None or given["extract_file"] is not None:
        if given["directory"] == "":
            raise InvalidRequest("-od names no folder", "Write -od DIRECTORY.")
        return True
    used = {
        "--limit-output": given["extract_limit"] is not None,
        "--output-directory": given["directory"] is not None,
        "--extract-overwrite": given["overwrite"],
    }
    for option, is_used in used.items():
        if is_used:
            raise InvalidRequest(f"{option} without -X, -Xx or -Xs", "Add one of them.")
    return False


def _extracting(given: Mapping[str, Any], renderer: Renderer, *, show: bool) -> Renderer:
    from asyncfind.render.extract import Extracting, Extraction, ExtractionKind

    kind, here = ExtractionKind.XML_SINGLE, ""  # a file is called as the user calls it
    if given["extract"] is not None:
        kind, here = ExtractionKind(given["extract"]), "."
    return Extracting(
        Extraction(
            kind=kind,
            directory=given["directory"] or here,
            file=given["extract_file"] or "",
            limit=given["extract_limit"],
            overwrite=given["overwrite"],
            show=show,
        ),
        renderer,
    )


def say_notes(given: Mapping[str, Any], plan: Plan, display: Display) -> None:
    """Tell what is dangerous or has no effect, unless the user wants no messages."""
    warnings, remarks = notes_on(given, plan.peers[0].tls if plan.peers else None)
    if warnings and display.verbosity >= 0:
        display.messages.say(Level.WARN, warnings)
    if remarks and display.verbosity > 0:
        display.messages.say(Level.INFO, remarks)
