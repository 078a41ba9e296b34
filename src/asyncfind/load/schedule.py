"""When queries are meant to begin, computed ahead: lateness of ours never moves the next one."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["Piece", "Schedule", "constant", "make_schedule", "parse_seconds", "parse_stages"]

_TINY: Final = 1e-9
"""Arrivals that rounding may add or take at the seam of two pieces."""
_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SECONDS: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|min|m|h|)")
_POINT: Final = re.compile(r"\s*(?P<time>[^:=]+)(?P<how>[:=])(?P<rate>\d+(?:\.\d+)?)(?:/s)?\s*")
_STAGES_HELP: Final = (
    "Write TIME:RATE for a straight line to that rate and TIME=RATE for a jump, beginning at 0: "
    "0:50,30s:200,1m=20."
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A time in which the rate changes evenly.

    Args:
        seconds: how long; may be infinite where the rate stays the same.
        start, end: rates in queries per second.
    """

    seconds: float
    start: float
    end: float

    @property
    def arrivals(self) -> float:
        """How many queries begin in it; no whole number as a rule."""
        if self.start == self.end == 0:
            return 0.0  # also of an infinite piece
        return (self.start + self.end) / 2 * self.seconds

    def when(self, number: float) -> float:
        """Seconds from its start until `number` queries have begun.

        The area below a line solved for time, in the form that divides by no difference: it holds
        for level, rising and falling lines and for those that begin at 0.
        """
        if number <= 0:
            return 0.0
        slope = 0.0 if self.start == self.end else (self.end - self.start) / self.seconds
        root = math.sqrt(max(0.0, self.start**2 + 2 * slope * number))
        return min(2 * number / (self.start + root), self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The intended instants of an open load.

    Args:
        pieces: laid end to end; they begin with the warm-up.
        warm_up: seconds at the start that are not measured.
        count: end after so many measured arrivals; None goes to the end of the pieces.
        seed: of random (Poisson) arrivals; None spaces them evenly.
    """

    pieces: tuple[Piece, ...]
    warm_up: float = 0.0
    count: int | None = None
    seed: int | None = None

    @property
    def seconds(self) -> float:
        """The length of its pieces; infinite where only the count ends it."""
        return sum(piece.seconds for piece in self.pieces)

    @property
    def peak(self) -> float:
        """The highest rate in queries per second."""
        return max(max(piece.start, piece.end) for piece in self.pieces)

    def rest(self, offset: float, factor: float = 1.0) -> "Schedule":
        """What remains `offset` seconds after its start, at `factor` times its rates."""
        pieces, left = [], offset
        for piece in self.pieces:
            if left >= piece.seconds:
                left -= piece.seconds
                continue
            slope = 0.0 if piece.start == piece.end else (piece.end - piece.start) / piece.seconds
            start = piece.start + slope * left
            pieces.append(Piece(piece.seconds - left, start * factor, piece.end * factor))
            left = 0.0
        return replace(self, pieces=tuple(pieces), warm_up=max(0.0, self.warm_up - offset))

    def instants(self) -> Iterator[float]:
        """Offsets from the start in seconds, ascending; the same each time it is asked."""
        left = self.count
        for instant in self._instants():
            if instant >= self.warm_up:
                if left == 0:
                    return
                left = None if left is None else left - 1
            yield instant

    def _instants(self) -> Iterator[float]:
        """Arrival k is where k queries (or the sum of k exponentials) have begun."""
        numbers = self._numbers()
        number = next(numbers)
        done, begin = 0.0, 0.0
        for piece in self.pieces:
            arrivals = piece.arrivals
            while number < done + arrivals - _TINY:
                yield begin + piece.when(number - done)
                number = next(numbers)
            done += arrivals
            begin += piece.seconds

    def _numbers(self) -> Iterator[float]:
        if self.seed is None:
            number = 0
            while True:
                yield number
                number += 1
        # A Poisson process of any rate is one of rate 1 on a stretched axis.
        draw, total = Random(self.seed).expovariate, 0.0
        while True:
            total += draw(1.0)
            yield total


def constant(rate: float, seconds: float = math.inf) -> tuple[Piece, ...]:
    """One rate for a time."""
    return (Piece(seconds, rate, rate),)


def parse_stages(text: str, seconds: float | None = None) -> tuple[Piece, ...]:
    """Parse `0:50,30s:200`: at once 50 queries per second, rising evenly to 200 at 30 s.

    Args:
        text: points in ascending time; `TIME:RATE` is reached in a straight line, `TIME=RATE` by a
            jump.
        seconds: length of the whole: cuts, or goes on at the last rate; None ends with the stages.

    Raises:
        InvalidRequest: anything else.
    """
    pieces: list[Piece] = []
    now, rate = 0.0, 0.0
    for index, part in enumerate(text.split(",")):
        if (found := _POINT.fullmatch(part)) is None:
            raise InvalidRequest(f"stage '{safe(part, 40)}' is none", _STAGES_HELP)
        time, reached = parse_seconds(found["time"].strip()), float(found["rate"])
        if (index == 0) != (time == 0) and not (index and time == now):
            raise InvalidRequest("stages begin at 0, once", _STAGES_HELP)
        if time < now:
            raise InvalidRequest("the times of stages go backwards", _STAGES_HELP)
        if time > now:
            pieces.append(Piece(time - now, rate, reached if found["how"] == ":" else rate))
        now, rate = time, reached
    if seconds is not None:
        pieces = _fitted(pieces, now, rate, seconds)
    if not any(piece.arrivals for piece in pieces):
        raise InvalidRequest("the stages have no query in them", _STAGES_HELP)
    return tuple(pieces)


def _fitted(pieces: Sequence[Piece], now: float, rate: float, seconds: float) -> list[Piece]:
    """The pieces cut, or the last rate kept, to a length of `seconds`."""
    if seconds > now:
        return [*pieces, Piece(seconds - now, rate, rate)]
    fitted: list[Piece] = []
    left = seconds
    for piece in pieces:
        if left <= 0:
            break
        length = min(left, piece.seconds)
        share = length / piece.seconds
        fitted.append(Piece(length, piece.start, piece.start + (piece.end - piece.start) * share))
        left -= length
    return fitted


def make_schedule(
    pieces: Sequence[Piece],
    *,
    warm_up: float = 0.0,
    count: int | None = None,
    seed: int | None = None,
) -> Schedule:
    """Put a warm-up at the first rate before `pieces`.

    Raises:
        InvalidRequest: the first rate is 0, which warms nothing.
    """
    before: tuple[Piece, ...] = ()
    if warm_up > 0:
        if not (first := pieces[0].start):
            raise InvalidRequest(
                "a warm-up before stages that begin at rate 0", "Let them begin at a rate."
            )
        before = (Piece(warm_up, first, first),)
    return Schedule(pieces=(*before, *pieces), warm_up=warm_up, count=count, seed=seed)


def parse_seconds(text: str) -> float:
    """Parse a time such as `90`, `90s`, `500ms`, `2m`, `1h`.

    Raises:
        InvalidRequest: it is none.
    """
    found = _SECONDS.fullmatch(text)
    if found is None:
        raise InvalidRequest(f"'{safe(text, 40)}' is no time", "Write 500ms, 90s, 2m or 1h.")
    return float(found[1]) * _UNITS[found[2]]
