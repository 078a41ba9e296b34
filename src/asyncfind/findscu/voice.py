"""The loggers of findscu, by the part of DCMTK that speaks.

Text is bytes, one character each: what a peer sent is passed on as it came.
"""

from typing import Final

from asyncfind.logs.levels import Level
from asyncfind.logs.logger import Logs

__all__ = ["APP", "DATA", "NET", "RESPONSES", "ROOT", "TLS", "Voice"]

ROOT: Final = ""
APP: Final = "dcmtk.apps.findscu"
DATA: Final = "dcmtk.dcmdata"
NET: Final = "dcmtk.dcmnet"
RESPONSES: Final = "dcmtk.dcmnet.responses"
TLS: Final = "dcmtk.dcmtls"


class Voice:
    """One logger.

    Args:
        name: of the logger.
    """

    def __init__(self, logs: Logs, name: str) -> None:
        self._logs = logs
        self._name = name

    def has(self, level: Level) -> bool:
        """Whether messages of `level` are shown."""
        return self._logs.is_enabled(self._name, level)

    def say(self, level: Level, text: str) -> None:
        """Log `text`, one event of one or more lines."""
        if self.has(level):
            self._logs.log(self._name, level, text.encode("latin_1"))

    def debug(self, text: str) -> None:
        """At level DEBUG."""
        self.say(Level.DEBUG, text)

    def info(self, text: str) -> None:
        """At level INFO."""
        self.say(Level.INFO, text)

    def warn(self, text: str) -> None:
        """At level WARN."""
        self.say(Level.WARN, text)

    def error(self, text: str) -> None:
        """At level ERROR."""
        self.say(Level.ERROR, text)

    def fatal(self, text: str) -> None:
        """At level FATAL."""
        self.say(Level.FATAL, text)
