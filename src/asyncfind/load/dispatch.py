"""Passes the arrivals of an open load on at their instants, whatever the peers do."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from asyncfind.load.alarm import Alarm
from asyncfind.load.arrivals import Arrival, Pool, query_of
from asyncfind.load.meter import Meter
from asyncfind.load.schedule import Schedule
from asyncfind.load.spec import Feed

__all__ = ["Dispatcher"]


_BURST: Final = 200
"""Arrivals that are passed on before others have the loop: a schedule that we cannot keep must not
keep us from sending."""


class Dispatcher:
    """One for all peers: on each wake it passes on all arrivals that are due.

    Args:
        begun: monotonic instant of the schedule's beginning.
        patience: seconds beyond its end after which arrivals that we could not pass on yet are
            given up, and never were offered.
    """

    def __init__(
        self,
        schedule: Schedule,
        feed: Feed,
        pools: Sequence[Pool],
        meter: Meter,
        begun: float,
        patience: float = 1.0,
    ) -> None:
        self._schedule = schedule
        self._feed = feed
        self._pools = pools
        self._meter = meter
        self._begun = begun
        self._patience = patience
        self._measured_from = begun + schedule.warm_up
        self._left = schedule.count
        self._number = 0
        # What remains, and the instant from which its offsets count.
        self._origin = begun
        self._instants: Iterator[float] = schedule.instants()
        self._next = math.inf
        self._is_paused = False
        self._is_over = False
        self._alarm = Alarm()

    async def run(self) -> None:
        """Pass arrivals on until the schedule ends, the feed does, or `stop`."""
        try:
            self._advance()
            while not self._is_over:
                now = time.monotonic()
                left = _BURST
                while self._next <= now and left and not self._is_over:
                    self._pass_on(self._next)
                    self._advance()
                    left -= 1
                if math.isinf(self._next) and self._is_at_end(now):
                    return
                if now >= self._end + self._patience:
                    return  # the client's health says what that means
                await self._alarm.wait(min(self._next, self._end))
        finally:
            self._is_over = True
            self._alarm.close()

    def stop(self) -> None:
        """There are no more arrivals."""
        self._is_over = True
        self._alarm.wake()

    def set_rate(self, factor: float, now: float) -> None:
        """Go on at the schedule's rate times `factor`, its end staying where it is; 0 pauses."""
        rest = self._schedule.rest(now - self._begun, factor)
        self._origin = now
        self._is_paused = factor == 0
        self._instants = replace(rest, count=self._left).instants()
        self._advance()
        self._alarm.wake()

    @property
    def _end(self) -> float:
        return self._begun + self._schedule.seconds

    def _is_at_end(self, now: float) -> bool:
        """With no arrival to come: a last second without any is as long as the others."""
        return (
            now >= self._end or self._left == 0 or (math.isinf(self._end) and not self._is_paused)
        )

    def _advance(self) -> None:
        offset = next(self._instants, None)
        self._next = math.inf if offset is None else self._origin + offset

    def _pass_on(self, scheduled: float) -> None:
        given = self._feed.next()
        if given is None:
            self._is_over = True
            return
        place = self._number % len(self._pools)
        self._number += 1
        measured = scheduled >= self._measured_from
        if measured and self._left is not None:
            self._left -= 1
        tally = self._meter.tally(place, measured=measured)
        tally.offered += 1
        now = time.monotonic()
        tally.record("lag", now - scheduled)
        if not self._pools[place].offer(Arrival(query_of(given), scheduled, now, measured)):
            tally.dropped += 1
