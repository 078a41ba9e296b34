"""From a format's name to its renderer."""

from collections.abc import Callable
from typing import BinaryIO, Final, TextIO

from asyncfind.render.dump import Dump
from asyncfind.render.json_lines import JsonLines
from asyncfind.render.renderer import Renderer
from asyncfind.render.report import Reported

__all__ = ["choose"]

_RENDERERS: Final[dict[str, Callable[[BinaryIO], Renderer]]] = {
    "text": Dump,
    "ndjson": JsonLines,
}


def choose(format_name: str, stdout: BinaryIO, stderr: TextIO, verbosity: int) -> Renderer:
    """The renderer called `format_name`, with messages on `stderr`."""
    return Reported(_RENDERERS[format_name](stdout), stderr, verbosity)
