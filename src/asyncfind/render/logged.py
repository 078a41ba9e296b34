"""Messages to a log4cplus configuration (-lc) instead of standard error."""

import io

from asyncfind.logs.levels import Level
from asyncfind.logs.logger import Logs

__all__ = ["LOGGER", "LogStream"]

LOGGER = "dcmtk.dcmnet"
"""The logger of our messages: findscu's own name, so that a file for it works for us too."""


class LogStream(io.TextIOBase):
    """A text stream whose lines become events of one logger.

    Args:
        level: of the lines.
    """

    def __init__(self, logs: Logs, level: Level) -> None:
        super().__init__()
        self._logs = logs
        self._level = level

    def write(self, text: str) -> int:
        """Log each whole line; messages are always written in whole lines."""
        for line in text.splitlines():
            message = line.removeprefix("asyncfind: ")
            self._logs.log(LOGGER, self._level, message.encode("utf-8", "backslashreplace"))
        return len(text)

    def isatty(self) -> bool:
        """A log is no terminal."""
        return False
