"""From what the user asked for to the renderer that does it."""

import os
import shutil
from typing import BinaryIO, TextIO

from asyncfind.render.hidden import Unshown
from asyncfind.render.output import Output, StreamOutput, open_output
from asyncfind.render.renderer import Renderer
from asyncfind.render.report import Messages, Reported
from asyncfind.render.stream import Form, Streamed

__all__ = ["FORMATS", "choose", "choose_plain", "choose_progress"]

FORMATS = ("text", "table", "json", "ndjson", "csv")
_WIDTH = 120
"""Of a table that is not shown on a terminal."""


def choose(
    format_name: str | None,
    stdout: BinaryIO,
    stderr: TextIO,
    verbosity: int = 0,
    *,
    output: str | None = None,
    strip: bool = False,
    messages: Messages | None = None,
) -> Renderer:
    """Return the renderer for a format, with messages on `stderr`.

    Args:
        format_name: one of FORMATS; None is `table` where results go to a terminal, else `text`.
        verbosity: -1 shows results only, 1 tells more.
        strip: `text` shows values without their trailing padding.
        output: a file that takes the results instead of `stdout`.
        messages: takes the messages instead of `stderr`.

    Raises:
        InvalidRequest: the output file cannot be made.
    """
    is_terminal = output is None and stdout.isatty()
    if format_name is None:
        format_name = "table" if is_terminal else "text"
    if is_terminal and format_name == "table":
        return _on_screen(stdout, stderr, verbosity, messages)
    to: Output = StreamOutput(stdout) if output is None else open_output(output)
    renderer = Streamed(_form(format_name, strip), to)
    if output is not None and messages is None and verbosity >= 0 and stderr.isatty():
        # The results are out of sight, so that there is room to show how it goes.
        from asyncfind.render.live import OnScreen, console_for

        console = console_for(stderr)
        return OnScreen(renderer, console, console, verbosity)
    return Reported(renderer, messages or stderr, verbosity)


def choose_plain(
    format_name: str, stdout: BinaryIO, *, output: str | None = None, strip: bool = False
) -> Renderer:
    """Return the renderer of results that are all there, with nothing besides.

    Raises:
        InvalidRequest: the output file cannot be made.
    """
    to: Output = StreamOutput(stdout) if output is None else open_output(output)
    return Streamed(_form(format_name, strip), to)


def choose_progress(stderr: TextIO, verbosity: int, messages: Messages | None) -> Renderer:
    """Return the renderer of a run whose results are kept elsewhere.

    Args:
        messages: as for `choose`.
    """
    if messages is None and verbosity >= 0 and stderr.isatty():
        from asyncfind.render.live import OnScreen, console_for

        console = console_for(stderr)
        return OnScreen(Unshown(), console, console, verbosity)
    return Reported(Unshown(), messages or stderr, verbosity)


def _on_screen(
    stdout: BinaryIO, stderr: TextIO, verbosity: int, messages: Messages | None
) -> Renderer:
    # rich is imported only where it is needed: it costs as much as the rest of start-up.
    from asyncfind.render.live import OnScreen, Screen, console_for, text_of
    from asyncfind.render.table import Table

    console = console_for(text_of(stdout))
    table = Streamed(Table(console.width, has_kinds=True), Screen(console))
    if verbosity < 0:
        return table
    if messages is not None:  # no live lines between which they would come
        return Reported(table, messages, verbosity)
    return OnScreen(table, console, console_for(stderr), verbosity)


def _form(format_name: str, strip: bool) -> Form:
    """The form called `format_name`; modules are imported where they are needed."""
    if format_name == "text":
        from asyncfind.render.dump import Dump

        return Dump(strip=strip)
    if format_name == "ndjson":
        from asyncfind.render.json_lines import JsonLines

        return JsonLines()
    if format_name == "json":
        from asyncfind.render.json_document import JsonDocument

        return JsonDocument()
    if format_name == "csv":
        from asyncfind.render.csv_rows import CsvRows

        return CsvRows()
    from asyncfind.render.table import Table

    columns = os.environ.get("COLUMNS", "")
    width = shutil.get_terminal_size().columns if columns.isdecimal() else _WIDTH
    return Table(width)
