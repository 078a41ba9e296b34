"""Messages to a log4cplus configuration (-lc) instead of standard error."""

from collections.abc import Iterable
from typing import Final

from asyncfind.logs.levels import Level
from asyncfind.logs.logger import Logs

__all__ = ["LOGGER", "Logged"]

LOGGER: Final = "dcmtk.dcmnet"
"""The logger of our messages: findscu's own name, so that a file for it works for us too."""


class Logged:
    """Messages as events of one logger, each line an event of its own."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    def say(self, level: Level, lines: Iterable[str]) -> None:
        """Log the lines; appenders keep their troubles to themselves."""
        for line in lines:
            self._logs.log(LOGGER, level, line.encode("utf-8", "backslashreplace"))
