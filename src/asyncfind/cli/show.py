"""From the output options to what shows a run: results, files, messages, logs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO, cast

from asyncfind.cli.secure import notes_on
from asyncfind.cli.verbosity import VERBOSITY, verbosity_of
from asyncfind.errors import InvalidRequest
from asyncfind.logs.config import read_log_config
from asyncfind.logs.levels import Level
from asyncfind.plan import Plan
from asyncfind.render.choose import choose
from asyncfind.render.renderer import Renderer

__all__ = ["make_renderer", "say_notes"]

@contextmanager
def make_renderer(given: Mapping[str, Any]) -> Iterator[Renderer]:
    """What shows the run that `given` asks for; logs are closed at the end of the block.

    Raises:
        InvalidRequest: output files, folders or log configurations that cannot be used.
    """
    verbosity = verbosity_of(given)
    if given["log_config"] is None:
        yield _renderer(given, sys.stderr, verbosity)
        return
    if given["log_level"] is not None or given["verbosity"]:
        raise InvalidRequest(
            "--log-config not allowed with --log-level, --verbose, --debug or --quiet",
            "The file says what is logged.",
        )
    from asyncfind.render.logged import LOGGER, LogStream

    logs = read_log_config(given["log_config"], strict=True, program="asyncfind")
    try:
        enabled = [level for level in Level if logs.is_enabled(LOGGER, level)]
        stream = cast(TextIO, LogStream(logs, Level.WARN))  # as far as it is used
        yield _renderer(given, stream, VERBOSITY[min(enabled)] if enabled else -1)
    finally:
        logs.close()


def _renderer(given: Mapping[str, Any], stream: TextIO, verbosity: int) -> Renderer:
    renderer = choose(
        given["format"],
        sys.stdout.buffer,
        stream,
        min(verbosity, 1),
        output=given["output"],
        strip=given["correction"],
    )
    if verbosity > 1:
        from asyncfind.render.traced import Traced

        renderer = Traced(renderer, stream)
    hidden = given["responses"] == "hide"
    if given["extract"] is not None or given["extract_file"] is not None:
        return _extracting(given, renderer, show=not hidden)
    if hidden:
        from asyncfind.render.hidden import Hidden

        return Hidden(renderer)
    return renderer


def _extracting(given: Mapping[str, Any], renderer: Renderer, *, show: bool) -> Renderer:
    from asyncfind.render.extract import Extracting, Extraction, ExtractionKind

    kind = ExtractionKind.XML_SINGLE
    if given["extract"] is not None:
        kind = ExtractionKind(given["extract"])
    return Extracting(
        Extraction(
            kind=kind,
            directory=given["directory"] or ".",
            file=given["extract_file"] or "",
            limit=given["extract_limit"],
            overwrite=given["overwrite"],
            show=show,
        ),
        renderer,
    )


def say_notes(given: Mapping[str, Any], plan: Plan) -> None:
    """Tell what is dangerous or has no effect, unless the user wants no messages."""
    if verbosity_of(given) < 0:
        return
    for note in notes_on(given, plan.peers[0].tls):
        sys.stderr.write(f"asyncfind: {note}\n")
