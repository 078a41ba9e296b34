"""From what the user asked for to the renderer that does it."""

import os
import shutil
from typing import BinaryIO, TextIO

from asyncfind.errors import InvalidRequest
from asyncfind.render.board_choice import by_plan_in_lines, by_plan_on_screen
from asyncfind.render.columns import Shape
from asyncfind.render.hidden import Unshown
from asyncfind.render.output import Output, StreamOutput, open_output
from asyncfind.render.renderer import Renderer
from asyncfind.render.report import Messages
from asyncfind.render.stream import Form, Streamed, Telling

__all__ = ["FORMATS", "check_format", "choose", "choose_plain", "choose_progress"]

FORMATS = ("text", "table", "json", "ndjson", "csv", "xml", "parquet")
_COLUMNED = ("csv", "parquet")
_MERGED = ("csv", "ndjson", "parquet")
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
    shape: Shape | None = None,
) -> Renderer:
    """Return the renderer for a format, with messages on `stderr`.

    Args:
        format_name: one of FORMATS; None is `table` where results go to a terminal, else `text`.
        verbosity: -1 shows results only, 1 tells more.
        strip: `text` shows values without their trailing padding.
        output: a file that takes the results instead of `stdout`.
        messages: takes the messages instead of `stderr`.
        shape: what the user wants of rows.

    Raises:
        InvalidRequest: the output file cannot be made, or the format has no such rows.
    """
    is_terminal = output is None and stdout.isatty()
    if format_name is None:
        format_name = "table" if is_terminal else "text"
    shape = shape or Shape()
    check_format(format_name, shape, is_terminal=is_terminal)
    if is_terminal and format_name == "table":
        return _on_screen(stdout, stderr, verbosity, messages)
    renderer = _streamed(format_name, stdout, output, strip, shape)
    if output is not None and messages is None and verbosity >= 0 and stderr.isatty():
        # The results are out of sight, so that there is room to show how it goes.
        from asyncfind.render.live import console_for

        console = console_for(stderr)
        return by_plan_on_screen(renderer, console, console, verbosity)
    return by_plan_in_lines(renderer, messages or stderr, verbosity)


def choose_plain(
    format_name: str,
    stdout: BinaryIO,
    *,
    output: str | None = None,
    strip: bool = False,
    shape: Shape | None = None,
) -> Renderer:
    """Return the renderer of results that are all there, with nothing besides.

    Raises:
        InvalidRequest: the output file cannot be made, or the format has no such rows.
    """
    shape = shape or Shape()
    check_format(format_name, shape, is_terminal=output is None and stdout.isatty())
    return _streamed(format_name, stdout, output, strip, shape)


def check_format(format_name: str, shape: Shape, *, is_terminal: bool = False) -> None:
    """Refuse what a format cannot do.

    Args:
        is_terminal: it would go to a terminal.

    Raises:
        InvalidRequest: it cannot.
    """
    if shape.columns is not None and format_name not in _COLUMNED:
        raise InvalidRequest(
            f"--columns not allowed with --format {format_name}",
            "Columns are those of csv and parquet; the others show whole answers.",
        )
    if shape.merge and format_name not in _MERGED:
        raise InvalidRequest(
            f"--merge not allowed with --format {format_name}",
            "It needs rows that can say who had them: csv, ndjson or parquet.",
        )
    if format_name == "parquet" and is_terminal:
        raise InvalidRequest(
            "--format parquet is nothing for a terminal", "Add --output FILE, or redirect it."
        )


def _streamed(
    format_name: str, stdout: BinaryIO, output: str | None, strip: bool, shape: Shape
) -> Renderer:
    # The form first: where it cannot be made there is to be no output either.
    form = _form(format_name, strip, shape)
    to: Output = StreamOutput(stdout) if output is None else open_output(output)
    if format_name == "parquet":
        from asyncfind.render.parquet_rows import ParquetRows

        assert isinstance(form, ParquetRows)
        to = form.into(to)
    if shape.merge:
        from asyncfind.render.merged import Merged

        assert isinstance(form, Telling)
        return Merged(form, to)
    return Streamed(form, to)


def choose_progress(stderr: TextIO, verbosity: int, messages: Messages | None) -> Renderer:
    """Return the renderer of a run whose results are kept elsewhere.

    Args:
        messages: as for `choose`.
    """
    if messages is None and verbosity >= 0 and stderr.isatty():
        from asyncfind.render.live import console_for

        console = console_for(stderr)
        return by_plan_on_screen(Unshown(), console, console, verbosity)
    return by_plan_in_lines(Unshown(), messages or stderr, verbosity)


def _on_screen(
    stdout: BinaryIO, stderr: TextIO, verbosity: int, messages: Messages | None
) -> Renderer:
    # rich is imported only where it is needed: it costs as much as the rest of start-up.
    from asyncfind.render.live import Screen, console_for, text_of
    from asyncfind.render.table import Table

    console = console_for(text_of(stdout))
    table = Streamed(Table(console.width, has_kinds=True), Screen(console))
    if verbosity < 0:
        return table
    if messages is not None:  # no live lines between which they would come
        return by_plan_in_lines(table, messages, verbosity)
    return by_plan_on_screen(table, console, console_for(stderr), verbosity, is_shared=True)


def _form(format_name: str, strip: bool, shape: Shape) -> Form:
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

        return CsvRows(shape)
    if format_name == "xml":
        from asyncfind.render.xml_document import XmlDocument

        return XmlDocument()
    if format_name == "parquet":
        from asyncfind.render.parquet_rows import ParquetRows

        return ParquetRows(shape)
    from asyncfind.render.table import Table

    columns = os.environ.get("COLUMNS", "")
    width = shutil.get_terminal_size().columns if columns.isdecimal() else _WIDTH
    return Table(width)
