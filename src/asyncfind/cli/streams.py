"""The standard streams, whatever state they were handed to us in."""

import contextlib
import os
import sys

__all__ = ["forget_stdout", "is_stdout_closed", "open_missing"]

_was_closed: set[int] = set()


def open_missing() -> None:
    """Put the null device where a standard descriptor is closed.

    A socket or a file of ours would take its number otherwise, and what is written to standard
    output or standard error would end up there.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            _was_closed.add(descriptor)
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    # Python leaves None where it found a descriptor closed. They stay open until the end.
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def is_stdout_closed() -> bool:
    """Standard output was closed when we were started."""
    return 1 in _was_closed


def forget_stdout() -> None:
    """Keep the interpreter from complaining about a closed pipe when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
