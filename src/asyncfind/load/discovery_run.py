"""Makes the steps of a discovery against a real peer."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

import anyio

from asyncfind.errors import FindFailed, InvalidRequest, PeerError
from asyncfind.load.discover import Discovery, Evidence, Findings
from asyncfind.load.discover_signs import measured, sign_of
from asyncfind.load.discover_steps import (
    AtOnce,
    AtRate,
    CloseAll,
    CloseOne,
    Goals,
    Measured,
    Open,
    Outcome,
    Rest,
    Step,
    Tried,
)
from asyncfind.load.engine import Control, run_load
from asyncfind.load.failure import failure_of
from asyncfind.load.schedule import constant, make_schedule
from asyncfind.load.spec import Load
from asyncfind.net.association import Association, associate_for
from asyncfind.plan import Query, Timeouts

__all__ = ["discover"]

_PATIENCE: Final = 5.0
_LONGER: Final = 10.0
"""A peer that takes so many times as long as an idle one has not just been slow."""
_SLOW: Final = 0.25
_SLOWER: Final = 20.0
"""Seconds, and times the duration on an idle peer, beyond which a query was not slow but waited:
peers that serve each association by one of a few threads accept more of them than they serve."""
_GOODBYE: Final = 5.0
_MOST_TITLE: Final = 16


async def discover(
    load: Load,
    goals: Goals,
    *,
    patience: float = _PATIENCE,
    on_step: Callable[[Evidence], None] | None = None,
    control: Control | None = None,
) -> Findings:
    """Look for the limits of one peer.

    Args:
        load: whom to ask what, and how; its pace, its associations and its thresholds are those
            of each step instead. Its first query is the probe.
        goals: what to look for.
        patience: seconds in which a peer that has room answers; longer for one that is slow
            when idle.
        on_step: gets each step as it ends, in the event loop.
        control: stops the search, with what was found by then.

    Raises:
        InvalidRequest: it is about several peers, or has no query; or TLS cannot be set up.
    """
    if len(load.plan.peers) != 1:
        raise InvalidRequest("discovery is about one node", "Name one.")
    if not load.plan.queries:
        raise InvalidRequest("discovery needs a query", "Add a key, such as -k PatientID=1.")
    discovery = Discovery(goals)
    control = control or Control()
    bench = _Bench(load, patience, control)
    try:
        while discovery.step is not None and not control.is_stopped:
            begun = len(discovery.findings.evidence)
            outcome = await bench.make(discovery.step)
            if control.is_stopped and isinstance(outcome, Measured):
                break  # a load that was cut short measured nothing
            discovery.tell(outcome)
            if on_step is not None:
                on_step(discovery.findings.evidence[begun])
    finally:
        with anyio.move_on_after(_GOODBYE, shield=True):
            await bench.close(bench.count)
    return discovery.findings


@dataclass(frozen=True, slots=True)
class _Held:
    """An association that is kept open."""

    association: Association
    stack: AsyncExitStack


class _Bench:
    """The associations of a discovery, and how to make its steps."""

    def __init__(self, load: Load, patience: float, control: Control) -> None:
        self._load = load
        self._peer = load.plan.peers[0]
        self._query: Query = load.plan.queries[0]
        self._patience = patience
        self._control = control
        self._held: list[_Held] = []
        self._idle: float | None = None
        self._last_sign = ""

    @property
    def count(self) -> int:
        """Associations that were opened and not closed."""
        return len(self._held)

    async def make(self, step: Step) -> Outcome:
        """Make one step."""
        begun = time.monotonic()
        if isinstance(step, AtOnce | AtRate):
            result = await run_load(self._load_for(step), control=self._control)
            return measured(result, time.monotonic() - begun)
        match step:
            case Open():
                tried = await self._open(step)
            case CloseOne():
                tried = await self.close(1)
            case CloseAll():
                tried = await self.close(self.count)
            case Rest():
                await anyio.sleep(step.pause)
                tried = await self._probe_alone()
        return replace(tried, seconds=time.monotonic() - begun)

    def _load_for(self, step: AtOnce | AtRate) -> Load:
        common = replace(self._load, storm_stop=False, on_saturation="queue", latency_limit=None)
        if isinstance(step, AtOnce):
            return replace(
                common,
                schedule=None,
                associations=step.concurrency,
                think=0.0,
                warm_up=step.warm_up,
                duration=step.seconds,
                count=step.count,
                thresholds=(),
            )
        return replace(
            common,
            schedule=make_schedule(constant(step.rate, step.seconds), warm_up=step.warm_up),
            associations=step.associations,
            warm_up=step.warm_up,
            duration=step.seconds,
            count=None,
            thresholds=step.thresholds,
        )

    # Idle associations.

    async def _open(self, step: Open) -> Tried:
        if (limit := self._load.new_associations) is not None:
            await anyio.sleep(1 / limit)
        peer = self._peer
        if step.second:
            peer = replace(peer, calling=_second(peer.calling))
        before = self._live()
        stack = AsyncExitStack()
        try:
            association = await stack.enter_async_context(
                associate_for(self._load.plan, peer, timeouts=self._timeouts())
            )
            probe = await self._ask(association)
        except PeerError as error:
            await stack.aclose()
            return self._failed(error, step, before)
        except BaseException:
            with anyio.move_on_after(_GOODBYE, shield=True):
                await stack.aclose()
            raise
        if before and self._is_slow(probe):
            await stack.aclose()
            return self._delayed(probe)
        self._held.append(_Held(association, stack))
        lost = before + 1 - self._live()
        what = f"accepted; {lost} of those before have ended" if lost else "accepted"
        return Tried(ok=True, what=what, probe=probe, held=self._live(), queries=1)

    def _is_slow(self, probe: float) -> bool:
        """A query waits for other associations, though they are idle."""
        return self._idle is not None and probe > max(_SLOW, _SLOWER * self._idle)

    def _delayed(self, probe: float) -> Tried:
        sign = "queries wait for idle associations"
        return Tried(
            ok=False,
            delayed=True,
            sign=sign,
            what="accepted",
            probe=probe,
            held=self._live(),
            queries=1,
        )

    def _failed(self, error: PeerError, step: Open, before: int) -> Tried:
        kind, detail = failure_of(error)
        # What another AE title is told may be about the title.
        sign = sign_of(error, others=before > 0 and not step.second)
        if step.second and not sign and sign_of(error, others=True) == self._last_sign:
            sign = self._last_sign
        if not step.second:
            self._last_sign = sign
        return Tried(
            ok=False,
            sign=sign,
            what=f"{kind} {detail}".strip(),
            held=self._live(),
            queries=1 if isinstance(error, FindFailed) else 0,
        )

    def _live(self) -> int:
        """How many associations are open still."""
        return sum(one.association.is_usable for one in self._held)

    async def close(self, count: int) -> Tried:
        """Release the associations that were opened first."""
        going, self._held = self._held[:count], self._held[count:]
        for one in going:
            await one.stack.aclose()
        return Tried(ok=True, held=self._live())

    async def _probe_alone(self) -> Tried:
        timeouts = self._load.plan.timeouts if self._idle is None else self._timeouts()
        probe = None
        try:
            async with associate_for(self._load.plan, self._peer, timeouts=timeouts) as association:
                probe = await self._ask(association)
        except PeerError as error:
            kind, detail = failure_of(error)
            return Tried(ok=False, what=f"{kind} {detail}".strip(), queries=1)
        self._idle = probe if self._idle is None else min(self._idle, probe)
        return Tried(ok=True, probe=probe, queries=1)

    async def _ask(self, association: Association) -> float:
        """Ask the probe's query; returns seconds until its final response.

        Raises:
            PeerError: it was not complete.
        """
        begun = time.monotonic()
        async with association.find(self._query) as responses:
            while await responses.batch():
                pass
        ended = time.monotonic()
        if not responses.is_success:
            raise responses.failure()
        return ended - begun

    def _timeouts(self) -> Timeouts:
        """Those of the plan, but no longer than a peer with room needs."""
        given = self._load.plan.timeouts
        most = max(self._patience, _LONGER * (self._idle or 0.0))
        return replace(
            given,
            connect=_least(given.connect, most),
            tls=_least(given.tls, most),
            associate=_least(given.associate, most),
            first_response=_least(given.first, most),
        )


def _least(*seconds: float | None) -> float:
    return min(one for one in seconds if one is not None)


def _second(title: str) -> str:
    """Another AE title (PS3.5 Table 6.2-1: at most 16 characters)."""
    return f"{title[: _MOST_TITLE - 2]}-2"
