"""What the logging has to say about itself, in log4cplus's words."""

import contextlib
from typing import BinaryIO

__all__ = ["Complaints"]


class Complaints:
    """Lines on standard error, beside the log.

    Args:
        quiet: say nothing.
    """

    def __init__(self, stream: BinaryIO, *, quiet: bool = False) -> None:
        self._stream = stream
        self.quiet = quiet

    def error(self, text: bytes) -> None:
        """Something of the set-up does not work."""
        self._say(b"ERROR " + text)

    def warn(self, text: bytes) -> None:
        """Something of the set-up is odd."""
        self._say(b"WARN " + text)

    def _say(self, text: bytes) -> None:
        if self.quiet:
            return
        with contextlib.suppress(OSError, ValueError):  # a log never ends a query
            self._stream.write(b"log4cplus:" + text + b"\n")
            self._stream.flush()
