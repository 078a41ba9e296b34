"""How a run is doing, as counters: cheap for each record, and no more memory for more records."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan
from asyncfind.records import (
    Associated,
    AttemptFailed,
    Find,
    FindDone,
    FindStarted,
    Match,
    Note,
    PeerFailed,
    Record,
    Verdict,
)
from asyncfind.render.board_rates import Latencies, Rate
from asyncfind.render.tally import is_satisfied

__all__ = ["Counts", "Event", "Node", "State"]

_SILENT: Final = 10.0
"""Seconds without a word after which an archive with open queries is called slow."""
_EVENTS: Final = 32
_UNASKED: Final = frozenset((Verdict.UNREACHED, Verdict.SKIPPED))
_PARKED: Final = "parked"
_GIVEN_UP: Final = "given up"
_IN_USE: Final = 5.0
"""Seconds in which an association that is open is used, if there is work for it."""


class Event(NamedTuple):
    """Something that happened to a node and that a person wants to know of.

    Args:
        wall: when, the last time, in seconds since 1970.
        times: how often; what happens again and again is one event.
    """

    wall: float
    peer: Peer
    text: str
    times: int


class State(IntEnum):
    """How a node is doing; the order is that of a person's concern."""

    FAILED = 0
    PARKED = 1
    SLOW = 2
    BUSY = 3
    WAITING = 4
    DONE = 5


class Node:
    """How one peer is doing.

    Attributes:
        total: queries to ask; more where they are split.
        limit: the most associations; None where it is not known.
        ended: of them, all that have a verdict.
        unasked: of these, those that were never sent and never will be.
        missing: of these, those that did not go as planned, never sent or not; what the user
            interrupted is none of them.
        matches: that came and are not void.
        rows: of queries that have ended.
        running: queries that are open.
        again: attempts that failed and are made once more.
        trouble: the last one in words; empty while there is none.
        parked: why it is left alone for now; empty where it is not.
        parked_at: instant since when.
        is_stopped: the user interrupted it.
        is_failed: it is given up: no association came about, nor will one.
        heard: instant of the last record about it.
        ended_at: instant of the last end of a query; None before.
    """

    __slots__ = (
        *("_earlier", "_opened", "_peak", "_turned", "again", "ended", "ended_at", "heard"),
        *(
            "is_failed",
            "is_stopped",
            "latencies",
            "limit",
            "matches",
            "missing",
            "parked",
            "parked_at",
            "place",
        ),
        *("queries", "rows", "running", "since", "total", "trouble", "unasked"),
    )

    def __init__(self, place: int, total: int, limit: int | None, now: float) -> None:
        self.place = place
        self.total = total
        self.limit = limit
        self.ended = 0
        self.unasked = 0
        self.missing = 0
        self.matches = 0
        self.rows = 0
        self.running = 0
        self.again = 0
        self.trouble = ""
        self.parked = ""
        self.parked_at = now
        self.is_failed = False
        self.is_stopped = False
        self.heard = now
        self.since: float | None = None
        self.ended_at: float | None = None
        self.queries = Rate(now)
        self.latencies = Latencies()
        self._opened = 0
        self._peak = 0
        self._earlier = 0
        self._turned = now

    def begin(self, now: float) -> None:
        """A query was sent."""
        self.running += 1
        self.since = now if self.since is None else self.since
        if now - self._turned >= _IN_USE:
            recent = now - self._turned < 2 * _IN_USE
            self._earlier, self._peak, self._turned = self._peak if recent else 0, 0, now
        self._peak = max(self._peak, self.running)

    def stop(self) -> None:
        """A query that was sent has ended."""
        self.running = max(0, self.running - 1)

    def park(self, text: str, now: float) -> None:
        """It is left alone for now."""
        self.parked = text
        self.parked_at = now

    def open(self, count: int) -> None:
        """An association was opened; `count` are open."""
        self._opened = count

    @property
    def in_use(self) -> int:
        """Associations that are open, as far as is known: nothing tells of one that ends.

        So it is as many as were open when the last was opened, or as had queries lately.
        """
        if self.is_failed or self.is_done or self.parked:
            return self.running
        lately = max(self._peak, self._earlier)
        return max(self.running, min(self._opened, lately) if lately else self._opened)

    @property
    def done(self) -> int:
        """Queries that were asked and have ended."""
        return self.ended - self.unasked

    @property
    def is_done(self) -> bool:
        """Every query has its verdict."""
        return self.ended >= self.total

    @property
    def lost(self) -> int:
        """Queries without a complete answer, as far as is known now."""
        # A job keeps those that were not begun in its journal and tells nothing of each.
        return self.missing + (self.total - self.ended if self.is_failed else 0)

    @property
    def to_come(self) -> int:
        """Queries that may still be asked."""
        return 0 if self.is_failed else max(0, self.total - self.ended)

    def state(self, now: float) -> State:
        """How it is doing."""
        if self.is_failed or (self.is_done and self.unasked and not self.is_stopped):
            return State.FAILED
        if self.is_stopped:
            return State.WAITING
        if self.is_done:
            return State.DONE
        if self.parked and not self.running:
            return State.PARKED
        if self.running and now - self.heard >= _SILENT:
            return State.SLOW
        return State.BUSY if self.running or self.in_use or self.done else State.WAITING

    def seconds_left(self, now: float) -> float | None:
        """How long what is to come will take at its pace; None where there is no telling."""
        if not self.to_come:
            return 0.0
        if self.since is None or not self.done:
            return None
        # Half a minute tells nothing of an archive that answers once a minute.
        if self.queries.within(now) >= 5:
            pace = self.queries.per_second(now)
        else:
            pace = self.done / max(now - self.since, 1.0)
        return self.to_come / pace


class Counts:
    """Takes every record of a run, as the renderer returned it.

    Args:
        limits: the most associations of each node.

    Attributes:
        verdicts: how many queries ended in each but the complete ones.
        back: nodes that were parked and go on; whoever tells of them clears it.
    """

    def __init__(self, plan: Plan, now: float, limits: Mapping[Peer, int] | None = None) -> None:
        limits = limits or {}
        self.began = now
        self.nodes = {
            peer: Node(place, plan.count(peer), limits.get(peer), now)
            for place, peer in enumerate(plan.peers)
        }
        self.retries = 0
        self.queries = Rate(now)
        self.rows = Rate(now)
        self.verdicts: Counter[Verdict] = Counter()
        self._events: dict[tuple[Peer, str], Event] = {}
        self.back: set[Peer] = set()
        self._find: Find | None = None
        self._node = next(iter(self.nodes.values()))

    def add(self, records: Sequence[Record], now: float, wall: float = 0.0) -> None:
        """Count `records`.

        Args:
            wall: seconds of the wall clock, for a person.
        """
        rows = ended = 0
        for record in records:
            if isinstance(record, Match):
                # Matches come in rows: what looks up a peer costs as much as all the rest.
                node = self._node if record.find is self._find else self._turn(record.find, now)
                node.matches += 1
                node.heard = now
                rows += 1
            elif isinstance(record, FindDone):
                ended += self._end(record, now, wall)
            else:
                self._turn_of(record, now, wall)
        if rows:
            self.rows.add(rows, now)
        if ended:
            self.queries.add(ended, now)

    @property
    def events(self) -> list[Event]:
        """What happened, the latest at the end."""
        return list(self._events.values())

    @property
    def total(self) -> int:
        """Queries to ask."""
        return sum(node.total for node in self.nodes.values())

    @property
    def done(self) -> int:
        """Queries that were asked and have ended."""
        return sum(node.done for node in self.nodes.values())

    def states(self, now: float) -> Counter[State]:
        """How many nodes are in each state."""
        return Counter(node.state(now) for node in self.nodes.values())

    def seconds_left(self, now: float) -> float | None:
        """How long the run will take: as long as its slowest node; None where nobody can tell.

        Of nodes that are parked nobody can.
        """
        at_work = [node for node in self.nodes.values() if node.state(now) is not State.PARKED]
        left = [node.seconds_left(now) for node in at_work]
        known = [one for one in left if one is not None]
        if None in left:  # nodes that have answered nothing yet: at the pace of all together
            pace = self.queries.per_second(now)
            if not pace:
                return None
            known.append(sum(node.to_come for node in at_work) / pace)
        is_told = any(known) or len(at_work) == len(self.nodes)
        return max(known, default=0.0) if is_told else None

    def _turn_of(self, record: Record, now: float, wall: float) -> None:
        """Count what is neither a match nor the end of a query."""
        if isinstance(record, FindStarted):
            node = self._turn(record.find, now)
            self._go_on(node, record.find.peer, wall)
            node.begin(now)
            # A query that is split becomes several.
            node.total = max(node.total, node.ended + node.running)
        elif isinstance(record, AttemptFailed):
            node = self._turn(record.find, now)
            node.stop()
            node.matches -= record.matches
            node.again += 1
            self.retries += 1
            attempt = f"attempt {record.attempt} failed, again: {record.error}"
            self._happened(record.find.peer, attempt, wall)
        elif isinstance(record, Associated):
            node = self.nodes[record.peer]
            self._go_on(node, record.peer, wall)
            node.open(record.open_now)
            node.heard = now
        elif isinstance(record, PeerFailed):
            self._give_up(self.nodes[record.peer], record.error)
            self._happened(record.peer, record.error, wall)
        elif isinstance(record, Note) and record.warning:
            # The two notes that are a state; they say so with their first words.
            if record.text.startswith(_PARKED):
                self.nodes[record.peer].park(record.text, now)
            elif record.text.startswith(_GIVEN_UP):
                self._give_up(self.nodes[record.peer], record.text)
            self._happened(record.peer, record.text, wall)

    def _turn(self, find: Find, now: float) -> Node:
        """The node of `find`, which the next records are likely to be about as well."""
        self._find = find
        self._node = self.nodes[find.peer]
        self._node.heard = now
        return self._node

    def _happened(self, peer: Peer, text: str, wall: float) -> None:
        before = self._events.pop((peer, text), None)
        times = 1 if before is None else before.times + 1
        self._events[peer, text] = Event(wall, peer, text, times)
        if len(self._events) > _EVENTS:
            del self._events[next(iter(self._events))]

    def _go_on(self, node: Node, peer: Peer, wall: float) -> None:
        if node.parked:
            node.parked = ""
            self.back.add(peer)
            self._happened(peer, "back, going on", wall)

    @staticmethod
    def _give_up(node: Node, text: str) -> None:
        node.trouble = text
        node.parked = ""
        node.is_failed = True

    def _end(self, done: FindDone, now: float, wall: float) -> int:
        """Count a verdict; returns 1 for a query that was asked."""
        node = self._turn(done.find, now)
        is_asked = done.verdict not in _UNASKED
        node.ended += 1
        node.ended_at = now
        node.total = max(node.total, node.ended)
        node.unasked += not is_asked
        node.rows += done.matches
        if done.started is not None:
            node.stop()
            node.latencies.add(done.seconds)
        if is_asked:
            node.queries.add(1, now)
        if done.kind is Kind.CANCELLED:
            node.is_stopped = True
        elif done.verdict is not Verdict.COMPLETE:
            self._incomplete(node, done, wall)
        return int(is_asked)

    def _incomplete(self, node: Node, done: FindDone, wall: float) -> None:
        is_missing = not is_satisfied(done)
        if is_missing or done.verdict is Verdict.SUSPECT:
            self.verdicts[done.verdict] += 1
        if is_missing:
            node.missing += 1
            node.trouble = done.error or str(done.verdict)
            if done.verdict not in _UNASKED:
                self._happened(done.find.peer, node.trouble, wall)
