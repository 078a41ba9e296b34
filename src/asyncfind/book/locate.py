"""The line of a TOML document where something is written, which `tomllib` does not tell."""

import tomllib
from collections.abc import Sequence
from typing import Final

__all__ = ["line_of"]

_MAX_SIZE: Final = 256 * 1024
"""Of documents that are searched: each step parses the document up to some line."""


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line on which the key at `path` begins, from 1; None where that would take long.

    Args:
        text: a document that can be parsed.
        path: of tables and at last a key that are in it.
    """
    if len(text) > _MAX_SIZE:
        return None
    lines = text.split("\n")
    low, high = 0, len(lines)  # so many lines hold it not, and do
    while high - low > 1:
        # What ends inside a value of several lines cannot be parsed: go to where it ends, or
        # back to where it begins.
        middle = (low + high) // 2
        ends = (*range(middle, high), *range(middle - 1, low, -1))
        for end in ends:
            document = _parse(lines[:end])
            if document is not None:
                break
        else:
            break
        if _has(document, path):
            high = end
        else:
            low = end
    return low + 1


def _parse(lines: list[str]) -> dict[str, object] | None:
    try:
        return tomllib.loads("\n".join(lines) + "\n")
    except tomllib.TOMLDecodeError:
        return None


def _has(document: object, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
    return True
