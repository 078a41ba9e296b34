"""How much is said: -q, -v, -d and -ll as one number."""

from collections.abc import Mapping
from typing import Any, Final

from asyncfind.errors import InvalidRequest
from asyncfind.logs.levels import Level
from asyncfind.safe import safe

__all__ = ["VERBOSITY", "least_of", "verbosity_of"]

VERBOSITY: Final = {
    Level.OFF: -1, Level.FATAL: -1, Level.ERROR: 0, Level.WARN: 0, Level.INFO: 1,
    Level.DEBUG: 2, Level.TRACE: 2,
}  # fmt: skip


def verbosity_of(given: Mapping[str, Any]) -> int:
    """How much is said: -1 nothing, 0 troubles, 1 what happens, 2 PDUs and messages too.

    Raises:
        InvalidRequest: no level, or two options that say different things.
    """
    level = _level(given)
    return int(given["verbosity"]) if level is None else VERBOSITY[level]


def least_of(given: Mapping[str, Any]) -> Level:
    """The least severe messages that are written; raises as `verbosity_of`."""
    return _level(given) or Level.TRACE


def _level(given: Mapping[str, Any]) -> Level | None:
    """What -ll says; None without it."""
    if given["log_level"] is None:
        return None
    if given["verbosity"]:
        raise InvalidRequest(
            "--log-level not allowed with --verbose, --debug or --quiet", "Keep one of them."
        )
    level = Level.parse(given["log_level"])
    if level is None:
        raise InvalidRequest(
            f"'{safe(given['log_level'], 64)}' is no log level",
            "It is one of fatal, error, warn, info, debug and trace.",
        )
    return level
