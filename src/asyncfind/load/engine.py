"""Puts a load on peers and measures what comes of it."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Final

import anyio
from anyio.abc import TaskGroup

from asyncfind.load.arrivals import Gate, Pool, Rotation, Turns
from asyncfind.load.clockwork import Clockwork, until
from asyncfind.load.dispatch import Dispatcher
from asyncfind.load.health import judge
from asyncfind.load.lane import Lane
from asyncfind.load.meter import Meter
from asyncfind.load.result import Interval, LoadResult
from asyncfind.load.schedule import Schedule
from asyncfind.load.spec import Feed, Load
from asyncfind.load.verdict import exit_code

__all__ = ["Control", "run_load"]

_LEAD: Final = 0.02
"""Seconds until a load begins: by then we are ready for its first arrival."""
_PATIENCE: Final = 1.0
"""Seconds, at the least, that a schedule which we cannot keep may last beyond its end."""
_OPENING: Final = 64
"""Lanes of a closed load that open their first association at a time: more than a listening
socket holds would wait for the second SYN."""


class Control:
    """The user's hand on a load that runs; of use before and after it, too, when it does nothing.

    Attributes:
        rate: of the schedule, as a factor; 0 is a pause.
        is_stopped: it is to end, or not to begin.
    """

    def __init__(self) -> None:
        self.rate = 1.0
        self.is_stopped = False
        self._run: _Run | None = None

    def stop(self) -> None:
        """No more arrivals; what is under way may end within the grace time."""
        self.is_stopped = True
        if self._run is not None:
            self._run.interrupt()

    def abort(self) -> None:
        """End at once: what is under way is censored."""
        self.stop()
        if self._run is not None:
            self._run.abort()

    def set_rate(self, factor: float) -> None:
        """Go on at so many times the rate of the schedule; a closed load has none."""
        self.rate = factor
        if self._run is not None:
            self._run.set_rate(factor)

    def attach(self, run: "_Run | None") -> None:
        """A load begins, or has ended."""
        self._run = run
        if run is not None and self.is_stopped:
            run.interrupt()


async def run_load(
    load: Load,
    *,
    on_second: Callable[[Interval], None] | None = None,
    control: Control | None = None,
) -> LoadResult:
    """Run a load to its end.

    Args:
        on_second: gets each second as it ends, in the event loop: it must be brief.
        control: stops the load before its time, or changes its rate.

    Raises:
        InvalidRequest: TLS cannot be set up.
    """
    control = control or Control()
    import_module("aiohappyeyeballs")  # or the first connection would take the time for it
    try:
        with _without_collections():
            run = _Run(load, on_second)
            control.attach(run)
            return await run.main()
    except BaseExceptionGroup as group:
        raise _only(group) from None
    finally:
        control.attach(None)


def _only(error: BaseException) -> BaseException:
    """What a task group wrapped, where it is one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


@contextmanager
def _without_collections() -> Iterator[None]:
    """What lives already is not looked at while we measure: that takes milliseconds."""
    was = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(max(was[0], 50_000), 50, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*was)
        gc.unfreeze()


class _Need:
    """An event that is set again and again."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = anyio.Event()


class _Run:
    """One load."""

    def __init__(self, load: Load, on_second: Callable[[Interval], None] | None) -> None:
        peers = load.plan.peers
        self._load = load
        self._meter = Meter(len(peers))
        self._clock = Clockwork(load, self._meter, self._waiting, self._stop, on_second)
        gates: dict[tuple[str, int, str], Gate] = {}
        for peer in peers:  # an AE that is named twice is still one
            gates.setdefault((peer.host, peer.port, peer.called), Gate(load.new_associations))
        self._gates = [gates[peer.host, peer.port, peer.called] for peer in peers]
        self._needs = [_Need() for _ in peers]
        self._pools = [Pool(load, need.set) for need in self._needs]
        self._feed: Feed = load.feed or Rotation(
            load.plan.queries, 1 if load.schedule is None else len(peers)
        )
        self._lanes = anyio.CancelScope()
        self._dispatcher: Dispatcher | None = None
        self._turns: Turns | None = None
        self._is_stopping = False
        self._stopped = ""
        self._interrupted = False
        self._edited: list[str] = []

    # What the user may do.

    def interrupt(self) -> None:
        self._interrupted = True
        self._stop("")

    def abort(self) -> None:
        self._meter.cut_at = min(self._meter.cut_at, time.monotonic())
        self._lanes.cancel()

    def set_rate(self, factor: float) -> None:
        if self._dispatcher is None:
            return
        now = time.monotonic()
        self._edited.append(f"rate x{factor:g} at {max(0.0, self._clock.measured(now)):.1f} s")
        self._dispatcher.set_rate(factor, now)

    def _stop(self, why: str) -> None:
        """No more arrivals, before the time."""
        self._is_stopping = True
        if not self._clock.is_over and not self._interrupted:
            self._stopped = self._stopped or why
        if self._dispatcher is not None:
            self._dispatcher.stop()
        if self._turns is not None:
            self._turns.close()

    def _waiting(self) -> int:
        return sum(map(len, self._pools))

    # The run.

    async def main(self) -> LoadResult:
        begun = time.monotonic() + _LEAD
        async with anyio.create_task_group() as watch:
            watch.start_soon(self._clock.run, begun)
            with self._lanes:
                if self._load.schedule is None:
                    await self._run_closed(begun)
                else:
                    await self._run_open(self._load.schedule, begun)
            self._give_up(min(time.monotonic(), self._meter.cut_at))
            watch.cancel_scope.cancel()
        self._clock.end()
        return self._result()

    async def _run_open(self, schedule: Schedule, begun: float) -> None:
        patience = max(self._load.grace, _PATIENCE)
        dispatcher = Dispatcher(
            schedule, self._feed, self._pools, self._meter, begun, patience=patience
        )
        self._dispatcher = dispatcher
        async with anyio.create_task_group() as lanes, anyio.create_task_group() as growing:
            for place in range(len(self._pools)):
                growing.start_soon(self._grow, place, lanes)
            if self._is_stopping:
                dispatcher.stop()
            await dispatcher.run()
            self._arrivals_over(by_count=schedule.count is not None)
            for pool in self._pools:
                pool.close()
            for pool in self._pools:
                await pool.wait_ended()
            growing.cancel_scope.cancel()

    async def _grow(self, place: int, lanes: TaskGroup) -> None:
        """Start lanes as arrivals wait, up to as many as there may be."""
        pool, need = self._pools[place], self._needs[place]
        while True:
            left = pool.retry_at - time.monotonic()
            with anyio.move_on_after(left if left > 0 and len(pool) else None):
                await need.wait()
            while pool.wants(time.monotonic()):
                pool.begin()
                lane = Lane(self._load, place, self._meter, self._gates[place])
                lanes.start_soon(lane.serve, pool)

    async def _run_closed(self, begun: float) -> None:
        turns = self._turns = Turns(self._load, self._feed, begun)
        if self._is_stopping:
            turns.close()
        async with anyio.create_task_group() as lanes:
            await until(begun)
            for number in range(1, self._load.associations + 1):
                for place in range(len(self._load.plan.peers)):
                    lane = Lane(self._load, place, self._meter, self._gates[place])
                    lanes.start_soon(lane.take_turns, turns)
                if number % _OPENING == 0:
                    await self._settle(number, turns)
            await turns.wait_closed()
            self._arrivals_over(by_count=self._load.count is not None)

    async def _settle(self, lanes: int, turns: Turns) -> None:
        """Wait a while until most of the lanes that were started have an association."""
        for _ in range(100):
            if turns.is_closed or self._meter.open > lanes - _OPENING:
                return
            await turns.pause(0.01)

    def _arrivals_over(self, *, by_count: bool) -> None:
        """What is under way has the grace time; it is part of what was to be measured where the
        user asked for a number of queries.
        """
        if not by_count or self._is_stopping:
            self._clock.end()
        self._meter.cut_at = min(self._meter.cut_at, time.monotonic() + self._load.grace)
        self._lanes.deadline = anyio.current_time() + self._load.grace

    def _give_up(self, now: float) -> None:
        """What no association has taken by the end is censored."""
        for place, pool in enumerate(self._pools):
            for arrival in pool.clear():
                tally = self._meter.tally(place, measured=arrival.measured)
                tally.cut_off(now, arrival.scheduled, None)

    def _result(self) -> LoadResult:
        load, clock, meter = self._load, self._clock, self._meter
        intervals = clock.finish()
        total, thresholds = clock.monitor.total, clock.monitor.results()
        measured = [one for one in intervals if not one.is_drain]
        health = judge([one.sample for one in measured])
        return LoadResult(
            load=load,
            started=clock.started,
            seconds=clock.monitor.seconds,
            total=total,
            peers=tuple(meter.peers) if len(meter.peers) > 1 else (total,),
            warm_up=meter.warm_up,
            intervals=tuple(intervals),
            health=health,
            thresholds=thresholds,
            reached=meter.reached,
            stopped=self._stopped,
            edited=tuple(self._edited),
            interrupted=self._interrupted,
            exit=exit_code(
                load,
                total,
                health=health,
                thresholds=thresholds,
                reached=meter.reached,
                stopped=self._stopped,
                interrupted=self._interrupted,
            ),
        )
