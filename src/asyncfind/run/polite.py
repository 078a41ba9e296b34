"""One archive in a bulk run: as many associations as it takes, at its pace, again what may pass.

`scheduler._Visit` is for a few queries at once, this is for thousands: it starts with a single
association, waits for the archive's hours and rate, parks while the archive is away, and comes
back.
"""

import heapq
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream

from asyncfind.errors import ConnectFailed, Kind, PeerError
from asyncfind.net.association import Association, associate_for
from asyncfind.net.responses import Responses
from asyncfind.net.wire import after
from asyncfind.plan import Peer, Plan
from asyncfind.records import (
    Associated,
    AttemptFailed,
    Find,
    FindDone,
    FindStarted,
    Note,
    PeerFailed,
    Record,
    Traffic,
    Verdict,
)
from asyncfind.run.course import Manners
from asyncfind.run.outcome import Doubts, Why, conclude
from asyncfind.run.pace import Concurrency, RateLimit, Window
from asyncfind.run.retry import Breaker, BreakerState, ProcessBudget, Retry, counts_against
from asyncfind.run.retry import is_congestion as is_enough
from asyncfind.run.work import Work

__all__ = ["PoliteVisit"]

Batch = list[Record]

_REPORTED_AT_ONCE: Final = 500
_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)
_IDLE: Final = 10.0
"""Seconds that an association is kept while others may bring more to ask."""
_LONGEST_SLEEP: Final = 30.0
"""Seconds after which a wait looks at the clock again: clocks are set, and machines sleep."""


class PoliteVisit:
    """All queries of a plan at one peer, politely.

    Args:
        work: what is to be asked, and where it is kept what became of it.
        budget: for attempts beyond the first, of the whole run.
        doubts: tells which answers may have been cut; None where nobody wants to know, or the
            work asks it itself.
    """

    def __init__(
        self,
        plan: Plan,
        peer: Peer,
        work: Work,
        records: MemoryObjectSendStream[Batch],
        manners: Manners,
        *,
        budget: ProcessBudget,
        random: Random,
        doubts: Doubts | None = None,
    ) -> None:
        self._plan = plan
        self._peer = peer
        self._work = work
        self._records = records
        self._manners = manners
        self._budget = budget
        self._doubts = doubts
        self._more = anyio.Event()
        """Set, and replaced, when a query ended: it may have brought others."""
        self._concurrency = Concurrency(manners.cap)
        self._rate = None if manners.rate is None else RateLimit(manners.rate)
        self._window = Window(manners.hours)
        self._retry = Retry(budget, random, on=manners.retries)
        self._breaker = Breaker(random, give_up=manners.give_up)
        self._scheduled = time.monotonic()
        self._again: list[tuple[float, int, Find, FindDone]] = []
        """Attempts that failed, and when their queries are to be asked again."""
        self._due: dict[Find, float] = {}
        self._lanes = 0
        self._open = 0
        self._busy = 0
        self._reached = False
        self._reader_gone = False
        self._hopeless: PeerError | None = None
        self._last_error: PeerError = ConnectFailed("it cannot be reached")
        self._parked = False

    async def run(self) -> None:
        """Ask until nothing is left, or the peer is given up."""
        async with anyio.create_task_group() as tasks:
            self._grow(tasks)
        if self._hopeless is not None and not self._reached:
            error = self._hopeless
            await self._emit(PeerFailed(self._peer, error.kind, error.text, error.hint))
        if self._hopeless is not None:
            error = self._hopeless
            if self._reached:  # of a job no query that is left will tell
                await self._emit(Note(self._peer, f"given up ({error.text})"))
            verdict = Verdict.SKIPPED if self._reached else Verdict.UNREACHED
            await self.report_rest(verdict, error.text, error.hint, error.kind)

    async def report_rest(self, verdict: Verdict, error: str, hint: str, kind: Kind) -> None:
        """Report every query that was not begun, or is still to be asked again."""
        batch: Batch = []
        while self._again:
            _, _, find, done = heapq.heappop(self._again)
            await self._work.failed(find, done)
        for record in await self._work.rest(Why(verdict, error, hint, kind, self._scheduled)):
            batch.append(record)
            if len(batch) == _REPORTED_AT_ONCE:
                await self._emit(*batch)
                batch = []
        if batch:
            await self._emit(*batch)

    # Lanes: one coroutine each, one association at a time.

    @property
    def _goes_on(self) -> bool:
        has_more = self._left > 0 or self._work.expects
        return has_more and self._hopeless is None and not self._reader_gone

    @property
    def _left(self) -> int:
        return self._work.left + len(self._again)

    @property
    def _is_surplus(self) -> bool:
        return self._lanes > self._concurrency.limit

    def _grow(self, tasks: TaskGroup) -> None:
        """Open as many lanes as the archive takes now and the work is enough for."""
        while self._lanes < min(self._concurrency.limit, self._left) and self._goes_on:
            self._lanes += 1
            tasks.start_soon(self._lane, tasks)

    async def _lane(self, tasks: TaskGroup) -> None:
        try:
            while self._goes_on and not self._is_surplus:
                find = await self._next()
                if find is None:
                    return
                try:
                    await self._visit(tasks, find)
                except PeerError as error:
                    await self._not_associated(error, find)
        finally:
            self._lanes -= 1

    async def _visit(self, tasks: TaskGroup, find: Find | None) -> None:
        """Ask over one association, beginning with `find`, until it can be used no more.

        Raises:
            PeerError: there is no association.
        """
        async with self._associate(find) as association:
            await self._associated(association, tasks)
            try:
                while find is not None:
                    await self._ask(association, find, tasks)
                    if not association.is_usable or self._is_surplus or not self._goes_on:
                        return
                    find = await self._next()
            finally:
                self._open -= 1

    @asynccontextmanager
    async def _associate(self, find: Find | None) -> AsyncIterator[Association]:
        plan = self._plan
        traffic: list[Traffic] | None = [] if plan.trace else None
        try:
            models = [find.query.model] if find is not None else []
            async with associate_for(plan, self._peer, models, traffic=traffic) as association:
                yield association
        finally:
            if traffic:  # that nobody took: the association did not come about
                await self._emit(*traffic)

    async def _associated(self, association: Association, tasks: TaskGroup) -> None:
        self._open += 1
        self._reached = True
        self._parked = False
        self._breaker.succeeded(time.monotonic())
        secured = association.secured
        agreement = association.agreement
        await self._emit(
            *association.take_traffic(),
            Associated(self._peer, self._open, agreement, secured.text),
            *[Note(self._peer, warning) for warning in secured.warnings],
        )
        self._grow(tasks)

    async def _not_associated(self, error: PeerError, find: Find) -> None:
        """No association, so `find` was not asked."""
        now = time.monotonic()
        await self._work.put_back(find)
        if is_enough(error) and self._open:
            # There is room for the others: go on with them alone.
            self._concurrency.enough(now, self._open + 1)
            return
        if is_enough(error):
            self._concurrency.enough(now)
        passes = error.retryable or is_enough(error)
        if not self._manners.retries or not passes:
            self._hopeless = error
            return
        if counts_against(error):
            self._breaker.failed(now)
        self._last_error = error
        if self._breaker.state(now) is BreakerState.CLOSED:
            await anyio.sleep(self._pause())

    def _pause(self) -> float:
        return min(_LONGEST_SLEEP, 0.5 + self._retry.spread() / 5)

    # Queries.

    async def _next(self) -> Find | None:
        """The next query once it may be asked; None where there is none or the peer is given up."""
        while self._goes_on:
            now = time.monotonic()
            wait = await self._wait_for_peer(now)
            if wait is None:
                return None
            if not wait:
                await self._recall(now)
                find = await self._work.take()
                if find is not None:
                    self._budget.asked(now)
                    if self._rate is not None:
                        self._rate.take(now)
                    return find
                wait = self._again[0][0] - now if self._again else None
                self._breaker.forget()
                if wait is None:
                    if not self._work.expects or not await self._is_more():
                        return None
                    continue
            await anyio.sleep(min(wait, _LONGEST_SLEEP))
        return None

    async def _is_more(self) -> bool:
        """Wait until something ended that may have brought more to ask; False after a while."""
        with anyio.move_on_after(_IDLE):
            await self._more.wait()
            return True
        return False

    async def _wait_for_peer(self, now: float) -> float | None:
        """Seconds until the peer may be asked; 0.0 when it may now, None when it is given up."""
        if wait := self._window.wait(time.time()):
            await self._park(f"parked for {_minutes(wait)}, until its hours begin")
            return wait
        if self._rate is not None and (wait := self._rate.wait(now)):
            return wait
        if self._breaker.admits(now):
            return 0.0
        if self._breaker.state(now) is BreakerState.GIVEN_UP:
            self._hopeless = self._last_error
            return None
        wait = self._breaker.wait(now)
        if wait:
            await self._park(f"parked for {wait:.0f} s after failures ({self._last_error.text})")
        return wait or 0.2

    async def _park(self, text: str) -> None:
        if not self._parked:
            self._parked = True
            await self._emit(Note(self._peer, text))

    async def _recall(self, now: float) -> None:
        """Have those asked again whose pause is over."""
        while self._again and self._again[0][0] <= now:
            _, _, find, done = heapq.heappop(self._again)
            await self._work.failed(find, done)

    async def _ask(self, association: Association, find: Find, tasks: TaskGroup) -> None:
        plan = self._plan
        attempt = self._work.attempt(find)
        busy = self._open >= self._concurrency.limit
        responses = association.find(
            find.query,
            find=find,
            cancel_after=plan.cancel_after,
            deflate_level=plan.deflate_level,
            by=self._due.get(find, after(time.monotonic(), plan.timeouts.query)),
        )
        try:
            error = await self._stream(association, responses)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                done = conclude(responses, None, self._scheduled, interrupted=True)
                told = await self._work.ended(find, done)
                await self._emit(*association.take_traffic(), *told)
            raise
        done = conclude(responses, error, self._scheduled)
        now = time.monotonic()
        if done.verdict is Verdict.COMPLETE:
            self._retry.succeeded()
            # An archive that answers hundreds of queries for each that it aborts is none to park.
            self._breaker.succeeded(now)
            self._concurrency.completed(now, done.seconds, busy=busy)
            self._grow(tasks)
        else:
            if error is not None and counts_against(error):
                self._breaker.failed(now)
                self._last_error = error
            if is_enough(error, done.status):
                self._concurrency.enough(now, self._open)
            if await self._is_tried_again(find, attempt, responses, done, error):
                return
        self._due.pop(find, None)
        notes = [Note(self._peer, f"{find.query.label}: {note}") for note in responses.notes]
        if self._doubts is not None and not responses.cancelled:
            done = self._doubts.judge(done)
            notes += self._doubts.note(done)
        told = await self._work.ended(find, done)
        await self._emit(*association.take_traffic(), *notes, *told)
        self._more.set()
        self._more = anyio.Event()
        self._grow(tasks)

    async def _is_tried_again(
        self,
        find: Find,
        attempt: int,
        responses: Responses,
        done: FindDone,
        error: PeerError | None,
    ) -> bool:
        if self._work.splits and attempt > 1 and done.status in _OUT_OF_RESOURCES:
            return False  # what is too much for it is asked in parts
        now = time.monotonic()
        pause = self._retry.pause(
            error,
            attempt,
            now,
            by=responses.due,
            status=done.status,
            responses=responses.number,
            streamed=not self._work.is_staged,
            statuses=self._manners.statuses,
        )
        if pause is None:
            return False
        if responses.due is not None:
            self._due[find] = responses.due
        heapq.heappush(self._again, (now + pause, find.ordinal, find, done))
        failed = AttemptFailed(find, attempt, done.matches, done.error, pause)
        await self._emit(*self._work.again(failed))
        return True

    async def _stream(self, association: Association, responses: Responses) -> PeerError | None:
        """Pass a query's matches on as they come; returns what ended it early."""
        try:
            async with responses:
                await self._emit(*self._work.begun(FindStarted(responses.find, time.time())))
                while batch := await responses.batch():
                    told = await self._work.matched(responses.find, batch)
                    await self._emit(*association.take_traffic(), *told)
                    if self._reader_gone:
                        break
        except PeerError as exc:
            return exc
        return None

    async def _emit(self, *records: Record) -> None:
        if records and not self._reader_gone:
            # Shielded: what was received is shown, also when the run is interrupted meanwhile.
            with anyio.CancelScope(shield=True):
                try:
                    await self._records.send(list(records))
                except anyio.BrokenResourceError:
                    self._reader_gone = True


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
