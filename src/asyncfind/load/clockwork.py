"""The seconds of a load: what each brought, what thresholds and storms make of it, our health."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import anyio

from asyncfind.load.meter import Meter, storm
from asyncfind.load.monitor import Monitor
from asyncfind.load.result import Interval
from asyncfind.load.spec import Load
from asyncfind.load.tally import Tally
from asyncfind.load.vitals import Vitals

__all__ = ["Clockwork", "until"]

_STORM: Final = 5
"""Seconds in which the peers show that they have enough."""
_FRESH: Final = 60
"""Seconds that are kept as they are, for those who look at the last of them."""
_SHORT: Final = 0.2
"""Seconds below which a share of a core means nothing."""
_NEARLY: Final = 0.95
"""Of a second that is as good as whole: timers are late, and so are we."""


class Clockwork:
    """Turns the meter once a second.

    Args:
        waiting: arrivals that wait for an association now.
        stop: ends the load before its time, for a reason.
        on_second: gets each second.

    Attributes:
        monitor: the thresholds, and the sum of all seconds.
        started: when the measurement began.
        is_over: the measurement has ended; what comes now is drained.
    """

    def __init__(
        self,
        load: Load,
        meter: Meter,
        waiting: Callable[[], int],
        stop: Callable[[str], None],
        on_second: Callable[[Interval], None] | None,
    ) -> None:
        self.monitor = Monitor(load.thresholds)
        self.started = datetime.now(UTC)
        self.is_over = False
        self._load = load
        self._meter = meter
        self._waiting = waiting
        self._stop = stop
        self._on_second = on_second
        self._vitals: Vitals | None = None
        self._intervals: list[Interval] = []
        self._recent: deque[Tally] = deque(maxlen=_STORM)
        self._fresh = max(_FRESH, *(int(one.window or 0) for one in load.thresholds), 0)
        self._begin = self._turned = time.monotonic()

    def measured(self, now: float) -> float:
        """Seconds of the measurement so far; negative in the warm-up."""
        return now - self._begin

    async def run(self, begun: float) -> None:
        """Turn until cancelled.

        Args:
            begun: monotonic instant at which the load begins; the warm-up comes first.
        """
        self._vitals = Vitals()
        self._begin = self._turned = self._meter.measured_from = begun + self._load.unmeasured
        try:
            async with anyio.create_task_group() as beating:
                beating.start_soon(self._vitals.beat)
                await self._warm_up(begun)
                number = 1
                while True:
                    await until(self._begin + number)
                    now = time.monotonic()
                    self._turn(now)
                    # Of seconds that went by without us (a machine that slept) there is one turn.
                    number = int(now - self._begin) + 1
        finally:
            self._vitals.close()

    async def _warm_up(self, begun: float) -> None:
        number = 1
        while begun + number < self._begin:
            await until(begun + number)
            self._look_for_storm(self._meter.turn_warm())
            number += 1
        await until(self._begin)
        self._meter.turn_warm()
        self.started = datetime.now(UTC)
        if self._vitals is not None:
            self._vitals.sample(Tally())

    def end(self) -> None:
        """The measurement is over, once; what comes from now on is drained."""
        if self.is_over:
            return
        if (now := time.monotonic()) >= self._meter.measured_from:
            self._turn(now)
        self.is_over = True

    def finish(self) -> list[Interval]:
        """All is over; returns the intervals, the drain being the last."""
        now = time.monotonic()
        self._meter.turn_warm()
        rest = Tally()
        drained = [one for one in self._intervals if one.is_drain]
        intervals = [one for one in self._intervals if not one.is_drain]
        for one in drained:
            rest.merge(one.tally)
        last = self._meter.turn()
        self.monitor.rest(last, 0.0)
        rest.merge(last)
        if drained or not _is_empty(rest):
            at = drained[0].at if drained else self.measured(self._turned)
            seconds = max(self.measured(now) - at, 1e-6)
            interval = replace(self._interval(at, seconds, rest), is_drain=True)
            intervals.append(interval)
        return intervals

    def _turn(self, now: float) -> None:
        """A second is over, or the measurement is in the middle of one."""
        seconds = now - self._turned
        if not self.is_over and self._intervals and seconds < 1 - _NEARLY:
            return  # the rest of a second that was turned a moment ago
        at, self._turned = self.measured(self._turned), now
        tally = self._meter.turn()
        self._look_for_storm(self._meter.turn_warm(), tally)
        interval = replace(self._interval(at, max(seconds, 1e-6), tally), is_drain=self.is_over)
        self._keep(interval)
        if self.is_over:
            self.monitor.rest(tally, 0.0)
        elif seconds < _NEARLY:
            self.monitor.rest(tally, seconds)
        elif (threshold := self.monitor.second(tally, seconds)) is not None:
            self._stop(f"threshold {threshold.text}")

    def _keep(self, interval: Interval) -> None:
        self._intervals.append(interval)
        if len(self._intervals) > self._fresh:
            self._intervals[-self._fresh - 1].tally.pack()
        if self._on_second is not None:
            self._on_second(interval)

    def _look_for_storm(self, *tallies: Tally) -> None:
        if not self._load.storm_stop or self.is_over:
            return
        for tally in tallies:
            self._recent.append(tally)
        if why := storm(self._recent):
            self._stop(why)

    def _interval(self, at: float, seconds: float, tally: Tally) -> Interval:
        assert self._vitals is not None
        sample = self._vitals.sample(tally)
        if seconds < _SHORT:
            sample = replace(sample, cpu=None)
        return Interval(
            at=max(at, 0.0),
            seconds=seconds,
            tally=tally,
            sample=sample,
            in_flight=self._meter.in_flight,
            waiting=self._waiting(),
            open=self._meter.open,
        )


async def until(instant: float) -> None:
    """Wait until `instant` of `time.monotonic`, never less: timers of uvloop fire early."""
    while (left := instant - time.monotonic()) > 0:  # noqa: ASYNC110 - it is time we wait for
        await anyio.sleep(max(left, 0.001))


def _is_empty(tally: Tally) -> bool:
    ended = tally.completed + tally.failed + tally.dropped + tally.skipped + tally.censored
    return not (ended or tally.offered or tally.latencies["life"])
