"""How an event looks: the layouts with a form of their own."""

import threading
from typing import Protocol

from asyncfind.logs.event import Event, format_relative, format_time

__all__ = ["Layout", "SimpleLayout", "TTCCLayout"]


class Layout(Protocol):
    """Gives an event the form in which an appender writes it."""

    def format(self, event: Event) -> bytes:
        """Everything to write, its line feed included."""


class SimpleLayout:
    """The level, a dash and the message; what an appender without a layout has."""

    def format(self, event: Event) -> bytes:
        return b"%b - %b\n" % (event.level.name.encode(), event.message)


class TTCCLayout:
    """Time, thread, category and (always empty here) context.

    Args:
        date_format: as `format_time` takes it; milliseconds since the start when empty.
    """

    def __init__(self, date_format: bytes = b"", *, utc: bool = False) -> None:
        self._date_format = date_format
        self._utc = utc

    def format(self, event: Event) -> bytes:
        if self._date_format:
            when = format_time(event.at, self._date_format, utc=self._utc)
        else:
            when = format_relative(event.at)
        return b"%b [%d] %b %b <> - %b\n" % (
            when,
            threading.get_ident(),
            event.level.name.encode(),
            event.logger.encode(),
            event.message,
        )
