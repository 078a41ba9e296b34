"""A timer that is exact to some ten microseconds, where the system has one."""

import asyncio
import contextlib
import ctypes
import errno
import math
import os
import sys
import time
from typing import Final

__all__ = ["Alarm"]

_CLOCK_MONOTONIC: Final = 1
_ABSOLUTE: Final = 1
_FLAGS: Final = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_NANO: Final = 1_000_000_000
_FAR: Final = 1e9
"""Seconds that are as good as for ever, and fit the system's numbers."""


class _Spec(ctypes.Structure):
    """struct itimerspec."""

    _fields_ = (
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class Alarm:
    """Waits for instants of `time.monotonic`; for one task.

    Linux: timerfd, whose file the event loop waits for as for a socket. asyncio's own timers are
    as coarse as its wait, a millisecond; uvloop's fire up to one early. Elsewhere those it is,
    rounded up.

    Args:
        exact: use the system's timer where there is one.
    """

    def __init__(self, *, exact: bool = True) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._file = _open() if exact and sys.platform == "linux" else None
        if self._file is not None:
            self._loop.add_reader(self._file, self._expired)

    @property
    def is_exact(self) -> bool:
        """It is the system's timer, not the loop's."""
        return self._file is not None

    async def wait(self, at: float) -> None:
        """Wait until `at`, or until `wake`; others have their turn even where it has passed."""
        handle: asyncio.TimerHandle | None = None
        self._waiter = self._loop.create_future()
        if self._file is None:
            # Up to the next millisecond: a timer that fires early would have us spin.
            left = min(max(0.0, at - time.monotonic()), _FAR)
            handle = self._loop.call_later(math.ceil(left * 1000) / 1000, self.wake)
        else:
            # 0 would disarm it.
            seconds, nanoseconds = divmod(max(1, math.ceil(min(at, _FAR) * _NANO)), _NANO)
            _arm(self._file, _Spec(0, 0, seconds, nanoseconds))
        try:
            await self._waiter
        finally:
            self._waiter = None
            if handle is not None:
                handle.cancel()

    def wake(self) -> None:
        """End the wait now."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        """It is not used any more."""
        if self._file is not None:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = None

    def _expired(self) -> None:
        assert self._file is not None
        with contextlib.suppress(BlockingIOError):  # it was armed anew meanwhile
            os.read(self._file, 8)
            self.wake()


def _open() -> int | None:
    """A timerfd; None where there is none to be had."""
    try:
        number = _library().timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
    except (OSError, AttributeError):
        return None
    return number if number >= 0 else None


def _arm(file: int, spec: _Spec) -> None:
    if _library().timerfd_settime(file, _ABSOLUTE, ctypes.byref(spec), None) < 0:
        number = ctypes.get_errno() or errno.EINVAL
        raise OSError(number, os.strerror(number))


_LIBRARIES: Final[list[ctypes.CDLL]] = []


def _library() -> ctypes.CDLL:
    if not _LIBRARIES:
        _LIBRARIES.append(ctypes.CDLL(None, use_errno=True))
    return _LIBRARIES[0]
