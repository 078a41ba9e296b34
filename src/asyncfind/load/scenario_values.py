"""The values of a scenario, from TOML's to ours.

A ValueError says what is expected, never what was found.
"""

import math
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, TypeVar

from asyncfind.errors import InvalidRequest
from asyncfind.load.scenario import Saturation
from asyncfind.load.schedule import Piece, parse_seconds
from asyncfind.query.models import Model, model_of
from asyncfind.safe import safe

__all__ = [
    "key_value",
    "list_of",
    "member",
    "model",
    "one_of",
    "positive",
    "rate",
    "reuse",
    "saturation",
    "stage",
    "text",
    "texts",
    "time",
    "whole",
]

_RATE: Final = r"(\d+(?:\.\d+)?)\s*/\s*(s|min|h)"
_STAGE: Final = re.compile(rf"\s*{_RATE}(?:\s*\.\.\s*{_RATE})?\s+(\S+)\s*")
_PER: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_STAGE_HELP: Final = 'Write "20/s 30s" for a rate and a time, or "20/s..200/s 2m" for a ramp.'

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)


def text(value: object) -> str:
    """A text in quotes, not empty."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("a text in quotes is expected")
    return value


def texts(value: object) -> tuple[str, ...]:
    """One text or a list of them."""
    values = value if isinstance(value, list) else [value]
    return tuple(text(one) for one in values)


def key_value(value: object) -> str:
    """A text, empty for a return key, or a list of texts."""
    values: list[object] = value if isinstance(value, list) else [value]
    parts = [one for one in values if isinstance(one, str)]
    if len(parts) < len(values):
        raise ValueError("a text in quotes, or a list of them, is expected")
    return "\\".join(parts)


def time(value: object) -> float:
    """A time in seconds, or as `parse_seconds` takes it."""
    if isinstance(value, str):
        return parse_seconds(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    raise ValueError('a time is expected, such as "30s"')


def positive(value: object) -> float:
    """A number above 0, 10 at the most."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 10:
        return float(value)
    raise ValueError("a number above 0, 10 at the most, is expected")


def whole(least: int, most: int = 10**12) -> Callable[[object], int]:
    """What takes a whole number within limits."""

    def parse(value: object) -> int:
        good = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        if not good or not isinstance(value, int):
            raise ValueError(f"a whole number from {least} to {most} is expected")
        return value

    return parse


def one_of(*names: str) -> Callable[[object], str]:
    """What takes one of these names."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"one of {', '.join(names)} is expected")
        return value

    return parse


def member(kind: type[_E]) -> Callable[[object], _E]:
    """What takes the value of a member of `kind`."""
    parse_name = one_of(*kind)
    return lambda value: kind(parse_name(value))


def model(value: object) -> Model:
    """An information model by name or UID."""
    return model_of(text(value))


def list_of(parse: Callable[[str], _T]) -> Callable[[object], Sequence[_T]]:
    """What takes a list of texts, each to be parsed; not empty."""

    def parse_all(value: object) -> Sequence[_T]:
        if not isinstance(value, list) or not value:
            raise ValueError("a list of texts is expected")
        return [parse(text(one)) for one in value]

    return parse_all


def rate(value: object) -> float:
    """A rate per second."""
    found = re.fullmatch(_RATE, value.strip()) if isinstance(value, str) else None
    rate = float(found[1]) / _PER[found[2]] if found else 0.0
    if rate <= 0:
        raise ValueError('a rate is expected, such as "20/s", "300/min" or "1000/h"')
    return rate


def stage(text: str) -> Piece:
    """One stage of a pace: a rate, or two, and a time."""
    found = _STAGE.fullmatch(text)
    seconds = 0.0 if found is None else parse_seconds(found[5])
    if found is None or seconds <= 0:
        raise InvalidRequest(f"stage '{safe(text, 40)}' is none", _STAGE_HELP)
    start = float(found[1]) / _PER[found[2]]
    end = start if found[3] is None else float(found[3]) / _PER[found[4]]
    return Piece(seconds, start, end)


def reuse(value: object) -> int | None:
    """Operations per association; None keeps it."""
    if value == "sticky":
        return None
    if value == "per-query":
        return 1
    found = re.fullmatch(r"per-([1-9]\d{0,5})", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("sticky, per-query or per-N, such as per-10, is expected")
    return int(found[1])


def saturation(value: object) -> Saturation:
    """What becomes of an arrival when no association is free."""
    match value:
        case "queue" | "drop" | "grow":
            return value
        case _:
            raise ValueError("one of queue, drop, grow is expected")
