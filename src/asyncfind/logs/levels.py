"""How severe a log event is."""

from enum import IntEnum
from typing import Final, Self

__all__ = ["Level"]


class Level(IntEnum):
    """The levels of findscu's -ll, from the most talkative on; OFF is above every event."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    FATAL = 5
    OFF = 6

    @property
    def prefix(self) -> str:
        """The letter in front of a line."""
        return self.name[0]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The level that -ll or a config file names, in any case; `all` is TRACE.

        Returns:
            None for anything else, also for a name with blanks around it.
        """
        if not text.isascii():  # upper() makes ASCII letters of a few others
            return None
        name = text.upper()
        return cls.__members__.get(_ALIASES.get(name, name))


_ALIASES: Final = {"ALL": "TRACE"}
