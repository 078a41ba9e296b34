"""Files that make room for the next one, by size or by the calendar."""

import contextlib
import errno
import os
import time
from enum import Enum
from typing import Final

from asyncfind.logs.appenders import FileAppender
from asyncfind.logs.complaints import Complaints
from asyncfind.logs.event import Event, format_time
from asyncfind.logs.filters import Gate
from asyncfind.logs.layouts import Layout

__all__ = ["SMALLEST_FILE", "DailyRollingFileAppender", "RollingFileAppender", "Schedule"]

SMALLEST_FILE: Final = 200 * 1024
"""No file gives way before it has this many bytes."""

_SECOND: Final = 1_000_000_000
_DAY: Final = 24 * 60 * 60


class _Rolling(FileAppender):
    """What both kinds have in common."""

    def _roll(self, name: bytes, backups: int) -> None:
        """Move `name` to `name`.1, that one to .2 and so on; number `backups` is lost."""
        with contextlib.suppress(OSError):
            os.unlink(b"%b.%d" % (name, backups))  # noqa: PTH108  # a name in bytes
        for number in range(backups - 1, 0, -1):
            self._rename(b"%b.%d" % (name, number), b"%b.%d" % (name, number + 1))

    def _rename(self, source: bytes, target: bytes) -> None:
        try:
            os.rename(source, target)  # noqa: PTH104  # names in bytes
        except OSError as exc:
            if exc.errno != errno.ENOENT:
                self._complaints.error(
                    b"Failed to rename file from %b to %b; error %d"
                    % (source, target, exc.errno or 0)
                )

    def _begin(self) -> None:
        """Open a new file in the old one's place."""
        if not self._open("wb"):
            self._complaints.error(b"Failed to open file " + self._path)


class RollingFileAppender(_Rolling):
    """Begins a new file when the old one is large.

    Args:
        largest: bytes in a file that still take one event more.
        backups: how many old files are kept, as `path`.1, .2 and so on.
    """

    def __init__(
        self,
        gate: Gate,
        layout: Layout,
        path: bytes,
        complaints: Complaints,
        *,
        append: bool,
        flush: bool,
        reopen_delay: int,
        largest: int,
        backups: int,
    ) -> None:
        super().__init__(
            gate, layout, path, complaints, append=append, flush=flush, reopen_delay=reopen_delay
        )
        self._largest = largest
        self._backups = max(backups, 1)

    def _write(self, event: Event) -> None:
        super()._write(event)
        if self._size() > self._largest:
            self._shut()
            self._roll(self._path, self._backups)
            self._rename(self._path, self._path + b".1")
            self._begin()

    def _size(self) -> int:
        if self._file is None:
            return 0
        try:
            return self._file.tell()
        except OSError:  # a pipe
            return 0


class Schedule(Enum):
    """When a file of the calendar ends; the value is what its name gets."""

    MONTHLY = b"%Y-%m"
    WEEKLY = b"%Y-%W"
    DAILY = b"%Y-%m-%d"
    TWICE_DAILY = b"%Y-%m-%d-%p"
    HOURLY = b"%Y-%m-%d-%H"
    MINUTELY = b"%Y-%m-%d-%H-%M"


_PERIODS: Final = {
    Schedule.WEEKLY: 7 * _DAY,
    Schedule.DAILY: _DAY,
    Schedule.TWICE_DAILY: _DAY // 2,
    Schedule.HOURLY: 60 * 60,
    Schedule.MINUTELY: 60,
}


class DailyRollingFileAppender(_Rolling):
    """Gives its file the name of its period, when that is over and at the end.

    Args:
        backups: how many older files of the same period are kept.
        now: nanoseconds since 1970.
    """

    def __init__(
        self,
        gate: Gate,
        layout: Layout,
        path: bytes,
        complaints: Complaints,
        *,
        append: bool,
        flush: bool,
        reopen_delay: int,
        schedule: Schedule,
        backups: int,
        now: int,
    ) -> None:
        super().__init__(
            gate, layout, path, complaints, append=append, flush=flush, reopen_delay=reopen_delay
        )
        self._schedule = schedule
        self._backups = backups
        self._plan(_beginning(schedule, now // _SECOND))

    def _plan(self, since: int) -> None:
        """Name the file for the period of `since` (seconds), and set its end."""
        name = format_time(since * _SECOND, self._schedule.value, utc=False)
        self._final = self._path + b"." + name
        self._ends = _end(self._schedule, since) * _SECOND

    def _write(self, event: Event) -> None:
        if event.at >= self._ends:
            self._rollover(event.at)
        super()._write(event)

    def _rollover(self, now: int) -> None:
        self._shut()
        self._roll(self._final, self._backups)
        self._rename(self._final, self._final + b".1")
        self._rename(self._path, self._final)
        self._begin()
        if now >= self._ends:
            self._plan(now // _SECOND)

    def close(self) -> None:
        self._rollover(time.time_ns())
        super().close()


def _beginning(schedule: Schedule, now: int) -> int:
    """The second at which the period around `now` began, in local time."""
    year, month, day, hour, minute, _, weekday, _, summer = time.localtime(now)
    match schedule:
        case Schedule.MONTHLY:
            day, hour, minute = 1, 0, 0
        case Schedule.WEEKLY:  # weeks begin on Sunday
            day, hour, minute = day - (weekday + 1) % 7, 0, 0
        case Schedule.DAILY:
            hour, minute = 0, 0
        case Schedule.TWICE_DAILY:
            hour, minute = 12 if hour >= 12 else 0, 0
        case Schedule.HOURLY:
            minute = 0
        case Schedule.MINUTELY:
            pass
    return int(time.mktime((year, month, day, hour, minute, 0, 0, 0, summer)))


def _end(schedule: Schedule, since: int) -> int:
    if schedule is not Schedule.MONTHLY:
        return since + _PERIODS[schedule]
    year, month, day, hour, minute, second, *_ = time.localtime(since)
    return int(time.mktime((year, month + 1, day, hour, minute, second, 0, 0, 0)))
