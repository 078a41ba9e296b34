"""How much of an archive we may use and when: `5/s`, `20:00-06:00`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["DAY", "Rate", "Span", "parse_rate", "parse_spans"]

DAY: Final = 24 * 60
"""Minutes of a day on the clock."""

_UNITS: Final = {"s": 1, "min": 60, "h": 3600}
_RATE: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?/ ?(s|min|h)")
_MAX_RATE: Final = 10_000
_SPAN: Final = re.compile(r"([0-9]{1,2}):([0-9]{2}) ?- ?([0-9]{1,2}):([0-9]{2})")
_MAX_SPANS: Final = 48


@dataclass(frozen=True, slots=True)
class Rate:
    """The most queries in a time: `count` in each `seconds`."""

    count: float
    seconds: int

    @property
    def per_second(self) -> float:
        """Queries in a second."""
        return self.count / self.seconds

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _UNITS.items() if seconds == self.seconds)
        return f"{self.count:.12g}/{unit}"


@dataclass(frozen=True, slots=True)
class Span:
    """A time of the day, in minutes after midnight on the local clock.

    Args:
        start: 0 to 1439, the first minute that belongs to it.
        end: 1 to 1440, the first that does not; less than `start` when it goes over midnight.
    """

    start: int
    end: int

    def __contains__(self, minute: int) -> bool:
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def parse_rate(text: str) -> Rate:
    """Parse `5/s`, `300/min` or `0.5/h`.

    Raises:
        ValueError: it is none.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError('write a rate as "5/s", "300/min" or "1000/h"')
    rate = Rate(float(match[1]), _UNITS[match[2]])
    if not 0 < rate.per_second <= _MAX_RATE:
        raise ValueError(f"a rate is more than 0 and at most {_MAX_RATE}/s")
    return rate


def parse_spans(texts: Sequence[str]) -> tuple[Span, ...]:
    """Parse times of the day, `20:00-06:00`; commas may separate several.

    Raises:
        ValueError: one is none.
    """
    parts = [part.strip() for text in texts for part in text.split(",")]
    if not 1 <= len(parts) <= _MAX_SPANS:
        raise ValueError(f"write 1 to {_MAX_SPANS} times")
    return tuple(map(_parse_span, parts))


def _parse_span(text: str) -> Span:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError('write a time of the day as "20:00-06:00"')
    hour, minute, last_hour, last_minute = map(int, match.groups())
    start, end = hour * 60 + minute, last_hour * 60 + last_minute
    if minute > 59 or last_minute > 59 or start >= DAY or end > DAY:
        raise ValueError("the clock goes from 00:00 to 23:59, and to 24:00 at the end")
    if end == 0:  # until midnight
        end = DAY
    if start == end:
        raise ValueError("begin and end are the same; 00:00-24:00 is all day")
    return Span(start, end)
