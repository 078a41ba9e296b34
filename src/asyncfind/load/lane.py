"""One association after another to one peer, and what each query on them took."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

from asyncfind.errors import Kind, PeerError
from asyncfind.load.arrivals import Arrival, Gate, Pool, Turns
from asyncfind.load.failure import failure_of
from asyncfind.load.meter import Meter
from asyncfind.load.spec import Load
from asyncfind.load.tally import Ended, Tally
from asyncfind.net.association import Association, associate_for
from asyncfind.net.responses import Responses
from asyncfind.plan import Query

__all__ = ["Lane"]

_CANCELLED: Final = 0xFE00
_SUCCESS: Final = 0x0000
_PAUSES: Final = (0.1, 5.0)
"""Seconds before a closed load tries again to associate: at first, and at the most."""


class Lane:
    """Sends what a source has, one query at a time; each comes to exactly one count.

    A lane is one task, for as long as the load or its association lasts.

    Args:
        peer: its place in the plan.
        gate: lets new associations pass.
    """

    def __init__(self, load: Load, peer: int, meter: Meter, gate: Gate) -> None:
        self._load = load
        self._place = peer
        self._peer = load.plan.peers[peer]
        self._meter = meter
        self._gate = gate
        self._failures = 0
        # Taken and not asked yet: whatever happens, it is to be counted.
        self._held: Arrival | None = None

    # Where the schedule sets the pace.

    async def serve(self, pool: Pool) -> None:
        """Take arrivals of `pool` until there are no more, or the association has ended."""
        try:
            if self._load.per_association is None:
                await self._serve_kept(pool)
            else:
                pool.ready()
                await self._work(lambda: self._next(pool))
        finally:
            pool.end()

    async def _serve_kept(self, pool: Pool) -> None:
        """Open an association with nothing in hand: what waits takes whichever is free first."""
        is_open = False
        try:
            async with self._associated() as association:
                is_open = True
                pool.opened()
                pool.ready()
                while (arrival := await self._next(pool)) is not None:
                    if not association.is_usable:  # it ended while nobody used it
                        pool.give_back(arrival)
                        break
                    await self._ask(association, arrival)
                    if not association.is_usable:
                        break
                pool.closed()
                is_open = False
        except PeerError as error:
            pool.ready()
            failed = pool.refused(time.monotonic())
            if failed is not None:
                self._fail(failed, error)
        finally:
            if is_open:
                pool.closed()

    async def _next(self, pool: Pool) -> Arrival | None:
        limit = self._load.latency_limit
        while (arrival := await pool.take()) is not None:
            if limit is None or time.monotonic() - arrival.scheduled <= limit:
                return arrival
            self._tally(arrival).skipped += 1
        return None

    # Where the peer does.

    async def take_turns(self, turns: Turns) -> None:
        """Ask one query after the other until there are no more."""
        again = False

        async def take() -> Arrival | None:
            nonlocal again
            arrival = await turns.take(again=again)
            again = True
            if arrival is not None:
                self._tally(arrival).offered += 1
            return arrival

        await self._work(take, turns)

    # Both.

    async def _work(
        self, take: Callable[[], Awaitable[Arrival | None]], turns: Turns | None = None
    ) -> None:
        """Each association begins with an arrival, whose response time it is part of.

        Args:
            turns: to wait before a new attempt where the last one failed; a schedule does not.
        """
        try:
            while True:
                self._held = self._held or await take()
                if self._held is None:
                    return
                try:
                    await self._visit(take)
                except PeerError as error:
                    failed, self._held = self._held, None
                    self._fail(failed, error)
                    if turns is not None:
                        await turns.pause(min(_PAUSES[0] * 2**self._failures, _PAUSES[1]))
                        self._failures = min(self._failures + 1, 10)
        finally:
            if self._held is not None:  # cancelled
                now = min(time.monotonic(), self._meter.cut_at)
                self._tally(self._held).cut_off(now, self._held.scheduled, None)
                self._held = None

    async def _visit(self, take: Callable[[], Awaitable[Arrival | None]]) -> None:
        """Ask what is held, and what follows it, on one association.

        Raises:
            PeerError: there is none; nothing was asked.
        """
        async with self._associated() as association:
            self._failures = 0
            left = self._load.per_association
            while self._held is not None:
                await self._ask(association, self._held)
                left = None if left is None else left - 1
                if left == 0 or not association.is_usable:
                    return
                self._held = await take()
                if not association.is_usable:  # the next one may have it
                    return

    @asynccontextmanager
    async def _associated(self) -> AsyncIterator[Association]:
        """An association, and what opening and releasing it took.

        Raises:
            PeerError: there is none.
        """
        await self._gate.enter()
        plan, meter = self._load.plan, self._meter
        opened = leaving = 0.0
        association: Association | None = None
        try:
            async with associate_for(
                plan, self._peer, verification=self._load.verification
            ) as association:
                opened = time.monotonic()
                self._opened(association)
                yield association
                leaving = time.monotonic()
        except PeerError as error:
            tally = meter.current(self._place)
            tally.refused += 1
            tally.refusals[failure_of(error)] += 1
            raise
        finally:
            if opened:
                meter.open -= 1
                tally, now = meter.current(self._place), time.monotonic()
                tally.record("life", now - opened)
                # In trouble, it was not released.
                is_good = association is not None and association.trouble is None
                if leaving and is_good and not plan.abort:
                    tally.record("release", now - leaving)

    def _opened(self, association: Association) -> None:
        meter = self._meter
        meter.reached = True
        meter.open += 1
        tally = meter.current(self._place)
        tally.associations += 1
        tls = association.wire.stream.tls_seconds
        tally.record("connect", association.connect_seconds - tls)
        if self._peer.tls is not None:
            tally.record("tls", tls)
        tally.record("associate", association.associate_seconds)

    async def _ask(self, association: Association, arrival: Arrival) -> None:
        self._held = None
        one = Ended(arrival.scheduled, time.monotonic())
        self._tally(arrival).record("wait", one.taken - arrival.passed_on)
        self._meter.in_flight += 1
        try:
            if arrival.query is None:
                await self._echo(association, one)
            else:
                await self._find(association, arrival, arrival.query, one)
        except PeerError as error:
            one.kind, one.detail = failure_of(error)
        except anyio.get_cancelled_exc_class():
            tally = self._tally(arrival)
            now = min(one.ended or time.monotonic(), self._meter.cut_at)
            tally.cut_off(max(now, one.sent or 0.0), one.scheduled, one.sent)
            raise
        finally:
            self._meter.in_flight -= 1
        one.ended = one.ended or time.monotonic()
        if one.first is None:
            one.first = one.ended
        self._end(arrival, one)

    async def _find(
        self, association: Association, arrival: Arrival, query: Query, one: Ended
    ) -> None:
        """Ask a C-FIND; its responses are counted and not kept."""
        plan = self._load.plan
        responses = association.find(
            query, cancel_after=plan.cancel_after, deflate_level=plan.deflate_level
        )
        try:
            async with responses:
                try:
                    while await responses.count():
                        if one.first is None:
                            one.first = time.monotonic()
                finally:
                    one.ended = time.monotonic()  # what follows is clean-up
        finally:
            one.sent = responses.sent
            tally = self._tally(arrival)
            tally.responses += responses.number
            tally.octets += responses.octets
        if responses.cancel_sent is not None:
            tally.record("cancel", one.ended - responses.cancel_sent)
        one.kind, one.detail = _outcome(responses)

    async def _echo(self, association: Association, one: Ended) -> None:
        one.sent = time.monotonic()
        try:
            status = await association.echo()
        except PeerError:
            one.ended = time.monotonic()
            await (
                association.abort()
            )  # its answer may still come, and would be no answer to another
            raise
        if status != _SUCCESS:
            one.kind, one.detail = Kind.STATUS, f"{status:04X}"

    def _tally(self, arrival: Arrival) -> Tally:
        return self._meter.tally(self._place, measured=arrival.measured)

    def _fail(self, arrival: Arrival, error: PeerError) -> None:
        """There was no association to ask it on."""
        now = time.monotonic()
        kind, detail = failure_of(error)
        self._end(arrival, Ended(arrival.scheduled, now, None, None, now, kind, detail))

    def _end(self, arrival: Arrival, one: Ended) -> None:
        tally = self._tally(arrival)
        tally.ended(one)
        limit = self._load.latency_limit
        if limit is not None and not one.kind and one.ended - one.scheduled > limit:
            tally.late += 1


def _outcome(responses: Responses) -> tuple[str, str]:
    """What the final response says; two empty texts for all that was asked for."""
    if responses.limited:
        return Kind.LIMIT, "responses"
    if responses.is_success or (responses.cancelled and responses.status == _CANCELLED):
        return "", ""
    return Kind.STATUS, f"{responses.status or 0:04X}"
