"""A terminal's whole screen, drawn from a thread of its own; what was there comes back at the end.

It is the alternate screen: one that is redrawn in place needs to know where it begins, and a
terminal that is resized breaks its lines anew.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from asyncfind.render.board_draw import Size
from asyncfind.render.board_restore import owe, settle

__all__ = ["FullScreen"]

_INTERVAL: Final = 0.25
_PATIENCE: Final = 0.5
"""Seconds before it shows: what is over by then is not worth a flash."""
_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""Alternate screen, no cursor, and lines that are cut where they would be broken."""
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_CLEAR: Final = "\x1b[2J"
_HOME: Final = "\x1b[H"
"""Where the cursor waits: what is typed is echoed there, and a new line does not scroll."""
_REFRESHED: Final = 20
"""Of so many times all rows are drawn in one: somebody may have typed on them."""


class FullScreen:
    """Draws lines four times a second, those that changed.

    Args:
        lines: makes them; called from another thread.
        patience: seconds before the first are drawn.
    """

    def __init__(
        self,
        console: Console,
        lines: Callable[[Size], Sequence[Text]],
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._console = console
        self._lines = lines
        self._patience = patience
        self._lock = threading.RLock()  # a signal may come while its thread draws
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        self._is_entered = False
        self._count = 0
        self._drawn: list[str] = []
        self._size = Size(0, 0)
        self._descriptor = _descriptor(console)
        self._earlier: Any = None

    def start(self) -> None:
        """Begin to draw."""
        with contextlib.suppress(ValueError, AttributeError):  # not the main thread; no such signal
            self._earlier = signal.signal(signal.SIGTSTP, self._suspend)
        self._thread.start()

    def stop(self) -> None:
        """Give the terminal back."""
        if self._over.is_set():
            return
        self._over.set()
        with self._lock:
            self._leave()
        if self._earlier is not None:
            with contextlib.suppress(ValueError):
                signal.signal(signal.SIGTSTP, self._earlier)

    def draw(self) -> None:
        """Draw what has changed, unless it is over or somebody else has the terminal."""
        with self._lock:
            if self._over.is_set():
                return
            if not self._is_ours():
                self._abandon()
                return
            size = Size(*self._console.size)
            text = ""
            if not self._is_entered:
                self._enter()
                text, self._drawn = _CLEAR, []
            elif size != self._size:
                text, self._drawn = _CLEAR, []
            self._size = size
            rows = [self._row(line) for line in self._lines(size)]
            # Rows that are no more are drawn empty.
            rows += [""] * (len(self._drawn) - len(rows))
            self._count += 1
            if self._count % _REFRESHED == 0:
                self._drawn = []
            for at, row in enumerate(rows):
                if at >= len(self._drawn) or row != self._drawn[at]:
                    text += f"\x1b[{at + 1};1H{row}\x1b[K"
            self._drawn = rows
            if text:
                self._write(text + _HOME)

    def _run(self) -> None:
        wait = self._patience
        while not self._over.wait(wait):
            wait = _INTERVAL
            try:
                self.draw()
            except OSError:  # the terminal has gone; that is for others to notice
                return

    def _row(self, line: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(line, end="", soft_wrap=True)
        return captured.get()

    def _is_ours(self) -> bool:
        """We are in the foreground: a job that was sent to the background draws nothing."""
        if self._descriptor is None:
            return True
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # not the terminal that controls us: nobody else is there
            return True

    def _enter(self) -> None:
        if self._descriptor is not None:
            owe(self._descriptor, _LEAVE.encode("ascii"))
        self._write(_ENTER)
        self._is_entered = True

    def _leave(self) -> None:
        if not self._is_entered:
            return
        with contextlib.suppress(OSError):
            self._write(_LEAVE)
        self._abandon()

    def _abandon(self) -> None:
        """The screen is no more ours: whoever has it is not to be disturbed."""
        self._is_entered = False
        if self._descriptor is not None:
            settle(self._descriptor)

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()

    def _suspend(self, number: int, frame: object) -> None:
        """Ctrl-Z: the shell gets its own screen, and we draw all anew when we come back."""
        with self._lock:
            self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # Here we are again.
        signal.signal(signal.SIGTSTP, self._suspend)


def _descriptor(console: Console) -> int | None:
    try:
        return console.file.fileno()
    except (OSError, ValueError, AttributeError):
        return None
