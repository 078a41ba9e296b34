"""Where the queries of a bulk run come from, and where it is kept what became of them."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan
from asyncfind.records import Find, FindDone, Match, Verdict
from asyncfind.run.outcome import unsent

if TYPE_CHECKING:
    from asyncfind.run.journal import Journal
    from asyncfind.run.journal_words import Claim

__all__ = ["JournalWork", "MemoryWork", "Work", "works_of"]

_CLAIMED_AT_ONCE = 8
"""Queries that a node takes out of the journal at a time: each claim is a turn of its writer."""


class Work(Protocol):
    """The queries of one peer.

    Attributes:
        left: how many are not begun, or are to be asked again.
        is_staged: rows of an attempt are nobody's until it has ended well, so that it can be
            repeated after its first row.
    """

    left: int
    is_staged: bool

    async def take(self) -> Find | None:
        """The next query; None where none is left now."""

    async def put_back(self, find: Find) -> None:
        """It was not asked after all."""

    async def matched(self, find: Find, matches: Sequence[Match]) -> None:
        """Matches came."""

    async def failed(self, find: Find, done: FindDone) -> None:
        """The attempt is void, and the query to be asked again."""

    async def ended(self, find: Find, done: FindDone) -> None:
        """The query has its verdict; nobody may be told before this returns."""

    async def rest(self, verdict: Verdict, *, interrupted: bool) -> Sequence[Find]:
        """Take what is left, never to be asked in this run; returns what is to be reported."""

    def attempt(self, find: Find) -> int:
        """Which attempt this is, from 1."""


class MemoryWork:
    """Queries of a plan, in memory: what was shown cannot be taken back.

    Args:
        finds: what is to be asked, in order.
        count: how many that are.
    """

    is_staged = False

    def __init__(self, finds: Iterator[Find], count: int) -> None:
        self.left = count
        self._finds = finds
        self._again: deque[Find] = deque()
        self._attempts: dict[Find, int] = {}

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

    async def matched(self, find: Find, matches: Sequence[Match]) -> None:
        """Matches came; whoever reads the records has them."""

    async def failed(self, find: Find, done: FindDone) -> None:
        """The attempt is void, and the query to be asked again."""
        self._attempts[find] = self._attempts.get(find, 0) + 1
        self.left += 1
        self._again.append(find)

    async def ended(self, find: Find, done: FindDone) -> None:
        """The query has its verdict."""
        self._attempts.pop(find, None)

    async def rest(self, verdict: Verdict, *, interrupted: bool) -> Sequence[Find]:
        """Take what is left, never to be asked in this run; returns what is to be reported."""
        rest = [*self._again, *self._finds]
        self._again.clear()
        self.left = 0
        return rest

    def attempt(self, find: Find) -> int:
        """Which attempt this is, from 1."""
        return self._attempts.get(find, 0) + 1


class JournalWork:
    """Queries of a job: what became of them is durable before anybody hears of it.

    Args:
        count: how many the journal has for this peer.
    """

    is_staged = True

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

    async def matched(self, find: Find, matches: Sequence[Match]) -> None:
        """Matches came: staged until the query ends well."""
        await self._journal.record(self._claims[find], matches)

    async def failed(self, find: Find, done: FindDone) -> None:
        """The attempt is void, and the query to be asked again."""
        await self._journal.retry(self._claims.pop(find), done)
        self.left += 1

    async def ended(self, find: Find, done: FindDone) -> None:
        """The query has its verdict, which is durable when this returns."""
        await self._journal.finish(self._claims.pop(find), done)

    async def rest(self, verdict: Verdict, *, interrupted: bool) -> Sequence[Find]:
        """Give back what was claimed. It is the journal that tells of what is left."""
        while self._taken:
            find = self._taken.popleft()
            done = unsent(find, Verdict.SKIPPED, "not begun", "", Kind.CANCELLED, 0.0)
            await self._journal.retry(self._claims.pop(find), done)
        if self.left and not interrupted:
            await self._journal.skip(self._peer, verdict)
        self.left = 0
        return ()

    def attempt(self, find: Find) -> int:
        """Which attempt this is, from 1 over all runs of the job."""
        return self._claims[find].number


def works_of(
    plan: Plan, finds: Mapping[Peer, Iterator[Find]], journal: "Journal | None"
) -> dict[Peer, Work]:
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
