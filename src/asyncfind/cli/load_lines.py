"""What `asyncfind load` says while it runs, where there is no screen."""

import math
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Final

from asyncfind.load.report_text import progress_line
from asyncfind.load.result import Interval
from asyncfind.load.spec import Load
from asyncfind.load.tally import Tally

__all__ = ["Lines"]

_EACH: Final = 10
"""Seconds between two lines."""


class Lines:
    """A line of progress now and then, on standard error.

    It is made in the event loop, whose time is dear, and written by a thread: a terminal that
    does not take it must not stop the load.
    """

    def __init__(self, planned: Load, *, ascii: bool = False) -> None:  # noqa: A002 - its name
        self._ascii = ascii
        self._planned: float | None = planned.duration
        if planned.schedule is not None:
            self._planned = planned.schedule.seconds - planned.unmeasured
        if self._planned is not None and math.isinf(self._planned):
            self._planned = None
        self._failed = self._dropped = 0
        self._window = Tally()
        self._since: Interval | None = None
        self._lines: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._write, name="progress", daemon=True).start()

    def second(self, interval: Interval) -> None:
        """Take a second."""
        tally = interval.tally
        self._failed += tally.failed
        self._dropped += tally.dropped
        self._window.merge(tally)
        self._since = self._since or interval
        seconds = interval.at + interval.seconds - self._since.at
        if seconds < _EACH - 0.5 or interval.is_drain:
            return
        whole = replace(interval, at=self._since.at, seconds=seconds, tally=self._window)
        total = Tally(failed=self._failed, dropped=self._dropped)
        self._lines.put(progress_line(whole, total, planned=self._planned, ascii=self._ascii))
        self._window, self._since = Tally(), None

    def _write(self) -> None:
        with suppress(OSError, ValueError):  # nobody reads it: the load goes on
            while True:
                sys.stderr.write(f"{self._lines.get()}\n")
                sys.stderr.flush()
