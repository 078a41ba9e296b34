"""Where a key of a scenario is written: its line, and what to call it."""

import re
import tomllib
from typing import Final

from asyncfind.book.locate import line_of

__all__ = ["Path", "place_of"]

Path = tuple[str | int, ...]
"""Names of tables and of a key; a number is the place in an array of tables, from 0."""

_HEADER: Final = re.compile(r"\s*\[\[\s*mix\s*\]\]")


def place_of(text: str, path: Path) -> tuple[int | None, str]:
    """The line on which the key at `path` begins, and its path in words.

    The line is that of the table around it where its own is not known, and None where not even
    that is.

    Args:
        text: a scenario that can be parsed.
    """
    shown = ".".join(f"{one + 1}" if isinstance(one, int) else one for one in path)
    if len(path) >= 2 and isinstance(path[1], int):
        return _in_mix(text, path[1], path[2:]), shown
    return line_of(text, [str(one) for one in path]), shown


def _in_mix(text: str, place: int, below: Path) -> int | None:
    """The line in the `place`-th table of the mix."""
    lines = text.split("\n")
    headers = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    if place >= len(headers):
        return None  # an array in brackets
    header = headers[place]
    end = headers[place + 1] if place + 1 < len(headers) else len(lines)
    if not below:
        return header + 1
    part = "\n".join(lines[header + 1 : end])
    # A table of its own, [mix.keys], stands in the part under its full name.
    for names in ([str(one) for one in below], ["mix", *map(str, below)]):
        if _has(part, names) and (found := line_of(part, names)) is not None:
            return header + 1 + found
    return header + 1


def _has(text: str, names: list[str]) -> bool:
    try:
        table: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # what looks like a header stands within a text
        return False
    for name in names:
        if not isinstance(table, dict) or name not in table:
            return False
        table = table[name]
    return True
