"""Loggers in a hierarchy: who may speak, and to whom."""

import time
from collections.abc import Iterator
from typing import BinaryIO, Final

from asyncfind.logs.appenders import Appender, ConsoleAppender
from asyncfind.logs.complaints import Complaints
from asyncfind.logs.event import Event
from asyncfind.logs.filters import Gate
from asyncfind.logs.levels import Level
from asyncfind.logs.pattern import DEFAULT_PATTERN, PatternLayout

__all__ = ["ROOT", "Logs", "default_logs"]

ROOT: Final = ""
"""The name of the logger above all others."""
_ROOT_NAME: Final = "root"
"""What layouts call it."""


class Logs:
    """All loggers of a run.

    A logger is a name with dots (`dcmtk.dcmnet.responses`) and need not be set up. It has the
    level of the nearest one above it that has a level, and its events go to its own appenders and
    to those of all loggers above it, up to one that is not additive.

    Args:
        level: of the root.
        complaints: where it is said, once, that nobody listens.
    """

    def __init__(self, level: Level, complaints: Complaints) -> None:
        self._complaints = complaints
        self._levels: dict[str, Level] = {ROOT: level}
        self._appenders: dict[str, tuple[Appender, ...]] = {}
        self._not_additive: set[str] = set()
        self._owned: list[Appender] = []
        self._warned = False
        # What the settings above mean for each logger that was asked about.
        self._effective: dict[str, Level] = {}
        self._audience: dict[str, tuple[Appender, ...]] = {}

    def is_enabled(self, logger: str, level: Level) -> bool:
        """Events of this level would be logged; ask before composing a costly message."""
        try:
            return level >= self._effective[logger]
        except KeyError:
            found = next(self._levels[name] for name in _lineage(logger) if name in self._levels)
            self._effective[logger] = found
            return level >= found

    def log(self, logger: str, level: Level, message: bytes) -> None:
        """Log one event, if its level is enabled.

        Args:
            message: passes unchanged, whatever is in it. It may have several lines; a line feed at
                its end stands for an empty last line.
        """
        if self.is_enabled(logger, level):
            self.force(logger, level, message)

    def force(self, logger: str, level: Level, message: bytes) -> None:
        """Log one event at any level that is set, as findscu does for --arguments."""
        audience = self._audience.get(logger)
        if audience is None:
            audience = self._audience[logger] = tuple(self._listeners(logger))
        event = Event(logger or _ROOT_NAME, level, message, time.time_ns())
        for appender in audience:
            appender.append(event)
        if not audience and not self._warned:
            self._warned = True
            name = event.logger.encode()
            self._complaints.error(b"No appenders could be found for logger (%b)." % name)
            self._complaints.error(b"Please initialize the log4cplus system properly.")

    def _listeners(self, logger: str) -> Iterator[Appender]:
        """An appender that is named at two levels gets an event twice, as in log4cplus."""
        for name in _lineage(logger):
            yield from self._appenders.get(name, ())
            if name in self._not_additive:
                return

    def set_level(self, logger: str, level: Level | None) -> None:
        """Give a logger a level of its own, or none.

        Raises:
            ValueError: the root has to have one.
        """
        if level is not None:
            self._levels[logger] = level
        elif logger == ROOT:
            raise ValueError("the root logger needs a level")
        else:
            self._levels.pop(logger, None)
        self._effective.clear()

    def set_appenders(self, logger: str, appenders: tuple[Appender, ...]) -> None:
        """Let a logger's events go to these (each once) instead of the ones it had."""
        self._appenders[logger] = tuple(dict.fromkeys(appenders))
        self._owned.extend(new for new in dict.fromkeys(appenders) if new not in self._owned)
        self._audience.clear()

    def has_appender(self, appender: Appender) -> bool:
        """One of the loggers has it, so that it is closed with them."""
        return appender in self._owned

    def set_additive(self, logger: str, additive: bool) -> None:
        """Say whether a logger's events go to the loggers above it as well."""
        if additive:
            self._not_additive.discard(logger)
        else:
            self._not_additive.add(logger)
        self._audience.clear()

    @property
    def is_quiet(self) -> bool:
        """Not even errors of the root are logged; findscu hides its other error texts then."""
        return not self.is_enabled(ROOT, Level.ERROR)

    def close(self) -> None:
        """Write what is left and close the files; the standard streams stay open."""
        for appender in self._owned:
            appender.close()
        self._owned.clear()
        self._appenders.clear()
        self._audience.clear()
        self._warned = True  # whoever speaks now is late, not unheard


def _lineage(logger: str) -> Iterator[str]:
    """A logger's name, those of the loggers above it, and the root."""
    name = logger
    while name:
        yield name
        name = name.rpartition(".")[0]
    yield ROOT


def default_logs(level: Level, stream: BinaryIO, complaints: Complaints | None = None) -> Logs:
    """What findscu does without a config file: every line to `stream`, behind its level's letter.

    Args:
        stream: standard error.
        complaints: where the logging speaks of itself; `stream` by default.
    """
    if complaints is None:
        complaints = Complaints(stream, quiet=level > Level.ERROR)
    logs = Logs(level, complaints)
    layout = PatternLayout(DEFAULT_PATTERN, complaints.error)
    logs.set_appenders(ROOT, (ConsoleAppender(Gate(), layout, stream, flush=True),))
    return logs
