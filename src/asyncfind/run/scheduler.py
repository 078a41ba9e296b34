"""Many peers at once, each over a few associations, as one bounded stream of records."""

import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    Kind,
    PeerError,
)
from asyncfind.net.association import Association, associate_for
from asyncfind.net.responses import Responses
from asyncfind.net.wire import after
from asyncfind.plan import Peer, Plan
from asyncfind.records import (
    Associated,
    Find,
    FindStarted,
    Note,
    PeerFailed,
    Record,
    Traffic,
    Verdict,
)
from asyncfind.run.outcome import Doubts, conclude, unsent
from asyncfind.run.reliance import reliance_note

if TYPE_CHECKING:
    from asyncfind.run.course import Course, Manners
    from asyncfind.run.polite import PoliteVisit
    from asyncfind.run.work import JournalWork, MemoryWork, Work

__all__ = ["Batch", "run", "stream"]

Batch = list[Record]

_GIVE_UP_AFTER: Final = 5
"""Associations of one peer that fail in a row before its remaining queries are skipped."""
_USED_UP: Final = (AssociationAborted, AssociationLost)
_PAUSE: Final = 0.1
"""Seconds before the first new association after one failed; doubles with each failure."""
_REPORTED_AT_ONCE: Final = 500
_BATCHES_AHEAD: Final = 8
"""Batches (of up to 256 KiB received) that wait for their reader; then sockets are not read."""


@asynccontextmanager
async def stream(plan: Plan) -> AsyncIterator[AsyncIterator[Record]]:
    """Run `plan` and stream its records; leaving the block early cancels what is under way.

    Example:
        async with stream(plan) as records:
            async for record in records:
                ...
    """
    send, receive = anyio.create_memory_object_stream[Batch](_BATCHES_AHEAD)
    try:
        async with anyio.create_task_group() as tasks, receive:
            tasks.start_soon(run, plan, send)
            yield _flatten(receive)
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # An error in the caller's own block leaves as it was raised.
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def _flatten(batches: MemoryObjectReceiveStream[Batch]) -> AsyncIterator[Record]:
    async for batch in batches:
        for record in batch:
            yield record


async def run(
    plan: Plan,
    records: MemoryObjectSendStream[Batch],
    course: "Course | None" = None,
) -> None:
    """Visit every peer of `plan`; one peer's trouble is a record, never the end of the run.

    Every query ends in exactly one `FindDone`, also when the run is cancelled: open queries get
    C-CANCEL-RQ and a moment to answer, unsent ones are skipped. `records` is closed at the end;
    its reader must go on reading until then, or close its side.

    Args:
        course: how a bulk run goes about it; None asks all peers at once, and each query once.

    Raises:
        OutputFailed: the journal of the course could not be written.
    """
    async with records:
        visits = _visits(plan, records, course)
        try:
            async with anyio.create_task_group() as tasks:
                for visit in visits:
                    tasks.start_soon(visit.run)
        finally:
            # Only an interrupted run has anything left here. Its reader may be gone as well.
            with anyio.CancelScope(shield=True):
                for visit in visits:
                    await visit.report_rest(
                        Verdict.SKIPPED, "interrupted before its turn", "", Kind.CANCELLED
                    )


def _visits(
    plan: Plan, records: MemoryObjectSendStream[Batch], course: "Course | None"
) -> "Sequence[_Visit | PoliteVisit]":
    if course is None:
        return [_Visit(plan, peer, index, records) for index, peer in enumerate(plan.peers)]
    # Only bulk runs pay for its import.
    from asyncfind.run.polite import PoliteVisit
    from asyncfind.run.retry import ProcessBudget
    from asyncfind.run.work import works_of

    budget, random = ProcessBudget(), Random()
    finds = {peer: _finds(plan, peer, index) for index, peer in enumerate(plan.peers)}
    works = works_of(plan, finds, course.journal)
    visits = []
    for peer in plan.peers:
        manners = course.manners[peer]
        work, doubts = _doubted(plan, works[peer], manners, course.split, plan.count(peer) > 1)
        visits.append(
            PoliteVisit(
                plan, peer, work, records, manners, budget=budget, random=random, doubts=doubts
            )
        )
    return visits


def _doubted(
    plan: Plan,
    work: "MemoryWork | JournalWork",
    manners: "Manners",
    split: int | None,
    repeats: bool,
) -> "tuple[Work, Doubts | None]":
    """The work of one peer as it is to be asked, and who judges its answers besides."""
    doubts = Doubts(manners.row_limit, repeats=repeats, strict=plan.strict)
    if split is None:
        return work, doubts if plan.doubt else None
    from asyncfind.run.splitting import Splitting

    splitting = Splitting(
        work, doubts, split_max=split, row_limit=manners.row_limit, strict=plan.strict
    )
    return splitting, None


@dataclass(slots=True)
class _Use:
    """What has become of one association.

    Args:
        begun: queries that were begun on it.
        served: queries that had their final response on it.
        failed: it ended under a query, which has that as its verdict.
    """

    association: Association
    begun: int = 0
    served: int = 0
    failed: bool = False


class _Visit:
    """All queries of the plan at one peer, over a pool of associations.

    The pool grows to `Plan.associations` once the peer has accepted the first one, and shrinks
    when it grants no more: the queries go on over what it granted. Each association has as many
    queries open as the peer agreed to.
    """

    def __init__(
        self, plan: Plan, peer: Peer, index: int, records: MemoryObjectSendStream[Batch]
    ) -> None:
        self._plan = plan
        self._peer = peer
        self._records = records
        self._scheduled = time.monotonic()
        self._finds = _finds(plan, peer, index)
        self._again: deque[Find] = deque()
        self._due: dict[Find, float] = {}
        """When those that were begun before are to be over."""
        self._noted: set[str] = set()
        self._untaken = plan.count(peer)
        self._lanes = 0
        self._open = 0
        self._reached = False
        self._failures = 0
        """Associations that failed one after another."""
        self._opening: set[anyio.CancelScope] = set()
        self._last_error: PeerError | None = None
        self._reader_gone = False
        self._doubts = Doubts(strict=plan.strict) if plan.doubt else None

    async def run(self) -> None:
        if self._untaken:
            async with anyio.create_task_group() as tasks:
                self._add_lane(tasks)
        error = self._last_error
        if error is not None and not self._reached:
            await self._emit(PeerFailed(self._peer, error.kind, error.text, error.hint))
        if self._untaken and error is not None:
            if self._failures >= _GIVE_UP_AFTER:
                await self.report_rest(
                    Verdict.SKIPPED,
                    f"given up after {self._failures} associations failed in a row ({error.text})",
                    error.hint,
                    error.kind,
                )
            else:
                await self.report_rest(Verdict.UNREACHED, error.text, error.hint, error.kind)

    # Queries.

    def _take(self) -> Find | None:
        if not self._untaken:
            return None
        self._untaken -= 1
        if not self._untaken:  # associations still being opened would find nothing to do
            for scope in self._opening:
                scope.cancel()
        return self._again.popleft() if self._again else next(self._finds)

    def _put_back(self, find: Find) -> None:
        self._again.append(find)
        self._untaken += 1

    async def report_rest(self, verdict: Verdict, error: str, hint: str, kind: Kind) -> None:
        """Report every query that was not begun."""
        batch: Batch = []
        while (find := self._take()) is not None:
            batch.append(unsent(find, verdict, error, hint, kind, self._scheduled))
            if len(batch) == _REPORTED_AT_ONCE or not self._untaken:
                await self._emit(*batch)
                batch = []

    async def _emit(self, *records: Record) -> None:
        if not self._reader_gone:
            # Shielded: what was received is shown, also when the run is interrupted meanwhile.
            # Whoever reads the stream goes on reading or closes it, and so ends the wait.
            with anyio.CancelScope(shield=True):
                try:
                    await self._records.send(list(records))
                except anyio.BrokenResourceError:
                    self._reader_gone = True

    @property
    def _goes_on(self) -> bool:
        return self._untaken > 0 and self._failures < _GIVE_UP_AFTER and not self._reader_gone

    # Lanes: one coroutine each, one association at a time.

    def _add_lane(self, tasks: TaskGroup) -> None:
        self._lanes += 1
        tasks.start_soon(self._lane, tasks)

    async def _lane(self, tasks: TaskGroup) -> None:
        while self._goes_on:
            scope = anyio.CancelScope()
            self._opening.add(scope)
            try:
                with scope:
                    async with self._associate() as association:
                        self._opening.discard(scope)
                        await self._use(association, tasks)
                if scope.cancelled_caught:
                    return
            except PeerError as exc:
                if not await self._try_again(exc):
                    return
            finally:
                self._opening.discard(scope)

    @asynccontextmanager
    async def _associate(self) -> AsyncIterator[Association]:
        plan = self._plan
        traffic: list[Traffic] | None = [] if plan.trace else None
        try:
            async with associate_for(
                plan, self._peer, async_window=plan.async_window, traffic=traffic
            ) as association:
                yield association
        finally:
            if traffic:  # that nobody took: the association did not come about
                await self._emit(*traffic)

    async def _try_again(self, error: PeerError) -> bool:
        """No association: decide whether this lane goes on."""
        self._last_error = error
        if self._open:
            text = f"no further association ({error.text}); going on over {self._open}"
            await self._emit(Note(self._peer, text, warning=False))
            return False
        if not self._reached or not isinstance(error, AssociationRejected) or not error.retryable:
            return False
        # It had room for us before: the place that we just lost is perhaps not free yet.
        self._failures += 1
        await self._pause()
        return True

    async def _pause(self) -> None:
        await anyio.sleep(_PAUSE * 2**self._failures)

    async def _use(self, association: Association, tasks: TaskGroup) -> None:
        """Ask over one association until nothing is left to ask or it can be used no more."""
        self._open += 1
        self._reached = True
        try:
            agreement = association.agreement
            secured = association.secured
            await self._emit(
                *association.take_traffic(),
                Associated(self._peer, self._open, agreement, secured.text),
                *[Note(self._peer, warning) for warning in secured.warnings],
            )
            # The first association was opened alone: a peer that cannot be reached is tried once.
            needed = -(-self._untaken // agreement.window)
            while self._lanes < min(self._plan.associations, needed):
                self._add_lane(tasks)
            use = _Use(association)
            if agreement.window == 1:
                await self._ask_in_turn(use)
            else:
                async with anyio.create_task_group() as window:
                    for _ in range(min(agreement.window, self._untaken)):
                        window.start_soon(self._ask_in_turn, use)
        finally:
            self._open -= 1
        if use.failed:
            self._failures += 1
        if association.trouble is not None and self._goes_on:
            await self._pause()

    async def _ask_in_turn(self, use: _Use) -> None:
        """Ask one query after the other; others may do the same on the same association."""
        # A first query is asked in any case: what is wrong already then becomes its verdict, and
        # the next association is not opened as if nothing had happened.
        while (use.association.is_usable or not use.begun) and self._goes_on:
            if (find := self._take()) is None:
                break
            use.begun += 1
            await self._ask(use, find)

    async def _ask(self, use: _Use, find: Find) -> None:
        plan, association = self._plan, use.association
        responses = association.find(
            find.query,
            find=find,
            cancel_after=plan.cancel_after,
            deflate_level=plan.deflate_level,
            by=self._due.pop(find, after(time.monotonic(), plan.timeouts.query)),
        )
        try:
            error = await self._stream(association, responses)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                done = conclude(responses, None, self._scheduled, interrupted=True)
                await self._emit(*association.take_traffic(), done)
            raise
        if error is not None:
            self._last_error = error
        if responses.status is not None:
            use.served += 1
        if association.trouble is None:
            self._failures = 0
        elif self._is_to_be_asked_again(use, responses, error):
            if responses.due is not None:
                self._due[find] = responses.due
            self._put_back(find)
            return
        elif error is not None:
            use.failed = True
        notes = [Note(self._peer, f"{find.query.label}: {note}") for note in responses.notes]
        if note := reliance_note(find.query, association.agreement):
            if note not in self._noted:
                notes.append(Note(self._peer, note))
            self._noted.add(note)
        done = conclude(responses, error, self._scheduled, doubts=self._doubts)
        if self._doubts is not None:
            notes += self._doubts.note(done)
        await self._emit(*association.take_traffic(), *notes, done)

    @staticmethod
    def _is_to_be_asked_again(use: _Use, responses: Responses, error: PeerError | None) -> bool:
        """It is the association that ended, not this query that failed."""
        if responses.number or not isinstance(error, _USED_UP):
            return False
        # Some peers close after one C-FIND: the association was used up. And where we aborted it,
        # another query on it was the reason.
        return use.served > 0 or use.association.is_aborted_by_us

    async def _stream(self, association: Association, responses: Responses) -> PeerError | None:
        """Pass a query's matches on as they come; returns what ended it early."""
        try:
            async with responses:
                await self._emit(FindStarted(responses.find, time.time()))
                while batch := await responses.batch():
                    await self._emit(*association.take_traffic(), *batch)
                    if self._reader_gone:
                        break
        except PeerError as exc:
            return exc
        return None


def _finds(plan: Plan, peer: Peer, index: int) -> Iterator[Find]:
    """As findscu orders them: each query file's repeats in a row, then the next file."""
    ordinal = index * len(plan.queries) * plan.repeat
    for place in plan.places(peer):
        query = plan.queries[place]
        for repeat in range(1, plan.repeat + 1):
            yield Find(peer, query, repeat, ordinal)
            ordinal += 1
