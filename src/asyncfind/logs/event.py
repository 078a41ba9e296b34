"""One thing to log, and its moment in time."""

import time
from dataclasses import dataclass
from typing import Final

from asyncfind.logs.levels import Level

__all__ = ["Event", "format_relative", "format_time"]

_SECOND: Final = 1_000_000_000
_STARTED: Final = time.time_ns()
"""Relative times count from here, which is near enough the start of the process."""


@dataclass(frozen=True, slots=True)
class Event:
    """A message for the appenders.

    Args:
        logger: the full name, with dots; `root` for the root.
        message: may hold line feeds, and whatever a peer sent.
        at: nanoseconds since 1970.
    """

    logger: str
    level: Level
    message: bytes
    at: int


def format_time(at: int, pattern: bytes, *, utc: bool) -> bytes:
    """Format as strftime does, with three conversions of log4cplus more.

    These are %q (milliseconds), %Q (milliseconds, a point and three digits of microseconds) and
    %s (seconds since 1970).

    Args:
        at: nanoseconds since 1970.
        utc: UTC instead of local time.
    """
    seconds, rest = divmod(at, _SECOND)
    micros = rest // 1000
    ours = {
        ord("q"): b"%03d" % (micros // 1000),
        ord("Q"): b"%03d.%03d" % divmod(micros, 1000),
        ord("s"): b"%d" % seconds,
    }
    plain = bytearray()
    letters = iter(pattern.partition(b"\0")[0])  # C sees no further
    for letter in letters:
        if letter != ord("%"):
            plain.append(letter)
            continue
        conversion = next(letters, None)
        if conversion is not None:  # a percent sign at the end disappears
            plain += ours.get(conversion, b"%%%c" % conversion)
    parts = time.gmtime(seconds) if utc else time.localtime(seconds)
    text = time.strftime(plain.decode("utf-8", "surrogateescape"), parts)
    return text.encode("utf-8", "surrogateescape")


def format_relative(at: int) -> bytes:
    """Milliseconds since the start of the process."""
    return b"%d" % ((at - _STARTED) // 1_000_000)
