"""Where the queries of a bulk run come from, and where it is kept what became of them."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan
from asyncfind.records import AttemptFailed, Find, FindDone, FindStarted, Match, Record, Verdict
from asyncfind.run.journal_words import Child, Claim, Step
from asyncfind.run.outcome import Why, unsent

if TYPE_CHECKING:
    from asyncfind.run.journal import Journal

__all__ = ["JournalWork", "MemoryWork", "PartWork", "Work", "works_of"]

_CLAIMED_AT_ONCE = 8
"""Queries that a node takes out of the journal at a time: each claim is a turn of its writer."""


class Work(Protocol):
    """The queries of one peer."""

    @property
    def left(self) -> int:
        """How many are not begun, or are to be asked again."""

    @property
    def is_staged(self) -> bool:
        """Whether an attempt can be repeated after its first row.

        Its rows are nobody's until it has ended well, or they are known when they come again.
        """

    @property
    def splits(self) -> bool:
        """Whether a query with too many matches is asked in parts."""

    @property
    def expects(self) -> bool:
        """Whether what is under way may bring more to ask."""

    async def take(self) -> Find | None:
        """The next query; None where none is left now."""

    async def put_back(self, find: Find) -> None:
        """It was not asked after all."""

    def begun(self, started: FindStarted) -> Sequence[Record]:
        """The query was sent; returns what is to be told."""

    async def matched(self, find: Find, matches: Sequence[Match]) -> Sequence[Record]:
        """Matches came; returns those that are to be told."""

    def again(self, failed: AttemptFailed) -> Sequence[Record]:
        """The query is to be asked again after a pause; returns what is to be told."""

    async def failed(self, find: Find, done: FindDone) -> None:
        """The attempt is void, and the query to be asked again."""

    async def ended(self, find: Find, done: FindDone) -> Sequence[Record]:
        """The query has its verdict; nobody may be told before this returns what is to be."""

    async def rest(self, why: Why) -> Iterable[Record]:
        """Take what is left, never to be asked in this run; returns what is to be reported."""

    def attempt(self, find: Find) -> int:
        """Which attempt this is, from 1."""


class PartWork(Work, Protocol):
    """Work whose queries can be replaced by parts of them."""

    def part(self, find: Find) -> str | None:
        """Which part of a query this is; None for a whole one."""

    def history(self, find: Find) -> Iterable[tuple[str | None, Iterable[Match], FindDone]]:
        """What came of a query and its parts in earlier runs: range, matches, end."""

    async def stepped(self, find: Find, done: FindDone, step: Step) -> None:
        """A query or part ended, and with it what `step` says; durable where anything is."""

    def waiting(self, find: Find) -> frozenset[str]:
        """The parts of the same query that are still to be asked."""

    async def dropped(self, find: Find, step: Step) -> None:
        """A part that was taken is of no interest any more."""


class MemoryWork:
    """Queries of a plan, in memory: what was shown cannot be taken back.

    Args:
        finds: what is to be asked, in order.
        count: how many that are.
    """

    is_staged = False
    splits = False
    expects = False

    def __init__(self, finds: Iterator[Find], count: int) -> None:
        self.left = count
        self._finds = finds
        self._again: deque[Find] = deque()
        self._attempts: dict[Find, int] = {}
        self._parts: dict[Find, str] = {}

    async def take(self) -> Find | None:
        """The next query; None where none is left now."""
        find = self._again.popleft() if self._again else next(self._finds, None)
        if find is not None:
            self.left -= 1
        return find

    async def put_back(self, find: Find) -> None:
        """It was not asked after all."""
        self.left += 1
        self._again.appendleft(find)

    def begun(self, started: FindStarted) -> Sequence[Record]:
        """The query was sent."""
        return (started,)

    async def matched(self, find: Find, matches: Sequence[Match]) -> Sequence[Record]:
        """Matches came; whoever reads the records has them."""
        return matches

    def again(self, failed: AttemptFailed) -> Sequence[Record]:
        """The query is to be asked again after a pause."""
        return (failed,)

    async def failed(self, find: Find, done: FindDone) -> None:
        """The attempt is void, and the query to be asked again."""
        self._attempts[find] = self._attempts.get(find, 0) + 1
        self.left += 1
        self._again.append(find)

    async def ended(self, find: Find, done: FindDone) -> Sequence[Record]:
        """The query has its verdict."""
        self._attempts.pop(find, None)
        self._parts.pop(find, None)
        return (done,)

    async def rest(self, why: Why) -> Iterable[Record]:
        """Take what is left, never to be asked in this run; returns what is to be reported."""
        rest = [*(find for find in self._again if find not in self._parts), *self._finds]
        self._again.clear()
        self._parts.clear()
        self.left = 0
        return (unsent(find, *why) for find in rest)

    def attempt(self, find: Find) -> int:
        """Which attempt this is, from 1."""
        return self._attempts.get(find, 0) + 1

    def part(self, find: Find) -> str | None:
        """Which part of a query this is; None for a whole one."""
        return self._parts.get(find)

    def history(self, find: Find) -> Iterable[tuple[str | None, Iterable[Match], FindDone]]:
        """What came of a query in earlier runs: nothing is left of them."""
        return ()

    async def stepped(self, find: Find, done: FindDone, step: Step) -> None:
        """A query or part ended, and with it what `step` says."""
        await self.ended(find, done)
        self._add(find, step.parts)

    def waiting(self, find: Find) -> frozenset[str]:
        """The parts of the same query that are still to be asked."""
        return frozenset(part for one, part in self._parts.items() if one.ordinal == find.ordinal)

    async def dropped(self, find: Find, step: Step) -> None:
        """A part that was taken is of no interest any more."""
        self._attempts.pop(find, None)
        self._parts.pop(find, None)
        self._add(find, step.parts)

    def _add(self, find: Find, parts: Sequence[Child]) -> None:
        """Ask parts before anything else: few queries are in pieces at a time."""
        finds = [Find(find.peer, part.query, find.repeat, find.ordinal) for part in parts]
        self._parts.update(zip(finds, (part.range for part in parts), strict=True))
        self._again.extendleft(reversed(finds))
        self.left += len(finds)


class JournalWork:
    """Queries of a job: what became of them is durable before anybody hears of it.

    Args:
        count: how many the journal has for this peer.
    """

    is_staged = True
    splits = False
    expects = False

    def __init__(self, journal: "Journal", peer: Peer, count: int) -> None:
        self.left = count
        self._journal = journal
        self._peer = peer
        self._claims: dict[Find, Claim] = {}
        self._taken: deque[Find] = deque()

    async def take(self) -> Find | None:
        """The next query; None where none is left now."""
        if not self._taken:
            for claim in await self._journal.claim(self._peer, _CLAIMED_AT_ONCE):
                self._claims[claim.find] = claim
                self._taken.append(claim.find)
        if not self._taken:
            self.left = 0
            return None
        self.left -= 1
        return self._taken.popleft()

    async def put_back(self, find: Find) -> None:
        """It was not asked after all."""
        self.left += 1
        self._taken.appendleft(find)

    def begun(self, started: FindStarted) -> Sequence[Record]:
        """The query was sent."""
        return (started,)

    async def matched(self, find: Find, matches: Sequence[Match]) -> Sequence[Record]:
        """Matches came: staged until the query ends well."""
        await self._journal.record(self._claims[find], matches)
        return matches

    def again(self, failed: AttemptFailed) -> Sequence[Record]:
        """The query is to be asked again after a pause."""
        return (failed,)

    async def failed(self, find: Find, done: FindDone) -> None:
        """The attempt is void, and the query to be asked again."""
        await self._journal.retry(self._claims.pop(find), done)
        self.left += 1

    async def ended(self, find: Find, done: FindDone) -> Sequence[Record]:
        """The query has its verdict, which is durable when this returns."""
        await self._journal.finish(self._claims.pop(find), done)
        return (done,)

    async def rest(self, why: Why) -> Iterable[Record]:
        """Give back what was claimed. It is the journal that tells of what is left."""
        while self._taken:
            find = self._taken.popleft()
            done = unsent(find, Verdict.SKIPPED, "not begun", "", Kind.CANCELLED, 0.0)
            await self._journal.retry(self._claims.pop(find), done)
        if self.left and why.kind is not Kind.CANCELLED:
            await self._journal.skip(self._peer, why.verdict)
        self.left = 0
        return ()

    def attempt(self, find: Find) -> int:
        """Which attempt this is, from 1 over all runs of the job."""
        return self._claims[find].number

    def part(self, find: Find) -> str | None:
        """Which part of a query this is; None for a whole one."""
        return self._claims[find].range

    def history(self, find: Find) -> Iterable[tuple[str | None, Iterable[Match], FindDone]]:
        """What came of a query and its parts so far: range, matches, end."""
        with self._journal.snapshot() as snapshot:
            yield from snapshot.tree(find.ordinal)

    async def stepped(self, find: Find, done: FindDone, step: Step) -> None:
        """A query or part ended, and with it what `step` says, by one COMMIT."""
        await self._journal.finish_part(self._claims.pop(find), done, step)
        self.left += len(step.parts)

    def waiting(self, find: Find) -> frozenset[str]:
        """The parts of the same query that are still to be asked."""
        with self._journal.snapshot() as snapshot:
            return snapshot.waiting(find.ordinal)

    async def dropped(self, find: Find, step: Step) -> None:
        """A part that was taken is of no interest any more."""
        done = unsent(find, Verdict.SKIPPED, "of no interest", "", Kind.CANCELLED, 0.0)
        await self._journal.finish_part(self._claims.pop(find), done, step._replace(keeps=True))
        self.left += len(step.parts)


def works_of(
    plan: Plan, finds: Mapping[Peer, Iterator[Find]], journal: "Journal | None"
) -> "dict[Peer, MemoryWork | JournalWork]":
    """The work of each peer of a plan.

    Args:
        finds: what is to be asked of each peer, where no journal says so.
    """
    if journal is None:
        return {peer: MemoryWork(finds[peer], plan.count(peer)) for peer in plan.peers}
    states = journal.progress().states
    return {
        peer: JournalWork(journal, peer, states.get((peer.node, "pending"), 0))
        for peer in plan.peers
    }
