"""Where events go: standard error, standard output, a file, another appender, nowhere."""

import contextlib
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import BinaryIO, Final

from asyncfind.logs.complaints import Complaints
from asyncfind.logs.event import Event
from asyncfind.logs.filters import Gate
from asyncfind.logs.layouts import Layout
from asyncfind.safe import safe

__all__ = ["Appender", "AsyncAppender", "ConsoleAppender", "FileAppender", "NullAppender"]

_SECOND: Final = 1_000_000_000


class Appender(ABC):
    """Takes events and never fails: trouble with a log does not end a query."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def append(self, event: Event) -> None:
        """Take `event`, or leave it to the gate."""
        if self._gate.admits(event):
            self._write(event)

    @abstractmethod
    def _write(self, event: Event) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """No more events come."""


class NullAppender(Appender):
    """Forgets everything."""

    def _write(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


class AsyncAppender(Appender):
    """Hands everything on to another appender.

    log4cplus does it from a second thread, which changes nothing in what is written.
    """

    def __init__(self, gate: Gate, target: Appender) -> None:
        super().__init__(gate)
        self._target = target

    def _write(self, event: Event) -> None:
        self._target.append(event)

    def close(self) -> None:
        self._target.close()


class ConsoleAppender(Appender):
    """Writes to an open stream.

    On a terminal, control characters of a message become visible escapes (a peer's value may
    hold them); a pipe or a file gets its bytes as they are, because scripts rely on them.

    Args:
        flush: after every event; a terminal always sees what there is.
    """

    def __init__(self, gate: Gate, layout: Layout, stream: BinaryIO, *, flush: bool) -> None:
        super().__init__(gate)
        self._layout = layout
        self._stream = stream
        self._is_terminal = _is_terminal(stream)
        self._flush = flush or self._is_terminal

    def _write(self, event: Event) -> None:
        if self._is_terminal:
            event = replace(event, message=_visible(event.message))
        with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
            self._stream.write(self._layout.format(event))
            if self._flush:
                self._stream.flush()

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _is_terminal(stream: BinaryIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False


def _visible(message: bytes) -> bytes:
    lines = message.decode("utf-8", "backslashreplace").split("\n")
    return "\n".join(map(safe, lines)).encode("utf-8", "backslashreplace")


class FileAppender(Appender):
    """Writes to a file.

    A file that cannot be opened or written is tried again after a while, from its beginning, as
    log4cplus does. The first event that meets the trouble complains; the others go silently.

    Args:
        append: keep what is in the file.
        flush: after every event.
        reopen_delay: seconds until the next try.
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
    ) -> None:
        super().__init__(gate)
        self._layout = layout
        self._path = path
        self._complaints = complaints
        self._append = append
        self._flush = flush
        self._reopen_delay = reopen_delay * _SECOND
        self._reopen_at: int | None = None
        self._complained = False
        self._file: BinaryIO | None = None

    def open(self) -> bool:
        """Open the file for the first time. If that fails it is for the caller to complain."""
        self._complained = not self._open("ab" if self._append else "wb")
        return not self._complained

    def _write(self, event: Event) -> None:
        file = self._file or self._reopen(event.at)
        if file is None:
            if not self._complained:
                self._complaints.error(b"file is not open: " + self._path)
                self._complained = True
            return
        try:
            file.write(self._layout.format(event))
            if self._flush:
                file.flush()
        except OSError:
            self._shut()

    def _open(self, mode: str) -> bool:
        try:
            self._file = open(self._path, mode)  # type: ignore[assignment]  # noqa: SIM115, PTH123
        except (OSError, ValueError):
            self._file = None
        return self._file is not None

    def _shut(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # it tries once more to write what is left
                self._file.close()
            self._file = None

    def _reopen(self, now: int) -> BinaryIO | None:
        """Try again, if it is time to."""
        if self._reopen_at is None and self._reopen_delay:
            self._reopen_at = now + self._reopen_delay
            return None
        if self._reopen_at is not None and self._reopen_at > now and self._reopen_delay:
            return None
        self._reopen_at = None
        if self._open("wb"):
            self._complained = False
        return self._file

    def close(self) -> None:
        self._shut()
