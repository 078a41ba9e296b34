"""Splitting with proof: from what a peer answered to what to ask it next.

Archives cut long answers silently. A query is split by its keys until every part is too short to
have been cut, or two ways of asking agree. Nothing is believed of the keys either: rows that are
not where they belong, or not where they were, ban the key that led there. Answers in, ranges out;
this module asks nobody and knows no clock.
"""

from collections.abc import Iterator
from typing import Final

from asyncfind.run.split_coverage import Coverage, Finding
from asyncfind.run.split_cuts import Cut, cut_by, lies_in
from asyncfind.run.split_floor import Floor
from asyncfind.run.split_words import (
    Answer,
    Constraint,
    Dimension,
    Form,
    Matching,
    Outcome,
    Proof,
    Range,
    Row,
    Rules,
)

__all__ = ["Splitter"]

_STOPPED: Final = "stopped at --split-max"
_UNASKED: Final = "rows without a value cannot be asked"


class _Node:
    """A range, what came of asking for it, and the parts that it was split into.

    Attributes:
        number: tells it from others of the same range, before or after.
        state: None until it is known; of a split one what its own cut is worth at best.
        rows: of its last answer, by unique key; None once nobody needs them any more.
        outcome: of its last answer; None while it is asked.
        missing: keys of its rows that no part has brought so far.
        settled: it and all below have their state.
        judged: its parts were looked at together.
        dropped: it is no part of the tree any more.
        retried: it was asked again, as its parts did not have all of its rows.
        before: keys that it had when it was asked again at the end.
    """

    __slots__ = (
        *("before", "children", "count", "cut", "dropped", "judged", "missing", "number"),
        *("outcome", "parent", "range", "reason", "retried", "rows", "settled", "state"),
    )

    def __init__(self, whole: Range, parent: "_Node | None", number: int) -> None:
        self.range = whole
        self.parent = parent
        self.number = number
        self.children: list[_Node] = []
        self.cut: Cut | None = None
        self.state: Proof | None = None
        self.reason = ""
        self.rows: dict[str, Row] | None = None
        self.count = 0
        self.outcome: Outcome | None = None
        self.missing: set[str] | None = None
        self.settled = False
        self.judged = False
        self.dropped = False
        self.retried = False
        self.before: frozenset[str] | None = None

    @property
    def is_residual(self) -> bool:
        """It asks for the rows that have no value of what its parent was split by."""
        parent = self.parent
        if parent is None or parent.cut is None:
            return False
        own = self.range.get(parent.cut.dimension)
        return own is not None and own.matching is Matching.EMPTY

    @property
    def above(self) -> "Iterator[_Node]":
        """What it is a part of, the nearest first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def walk(self) -> "Iterator[_Node]":
        """This and all below, parents first."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


class Splitter:
    """The tree of one query at one node. Give it each answer once, in any order.

    A killed run is resumed by giving the answers again that it had, in their old order.

    Args:
        whole: what the query itself asks of the dimensions.
    """

    def __init__(self, rules: Rules, whole: Range | None = None) -> None:
        self._rules = rules
        self._floor = Floor(rules.row_limit)
        self._banned: set[str] = set()
        self._no_empty = not rules.empty_matching
        self._pending: dict[Range, _Node] = {}
        self._new: list[Range] = []
        self._made = 0
        self._queries = 0
        self._finished = False
        self._late: set[str] = set()
        self._root = self._node(whole or Range(), None)

    # What to ask.

    def start(self) -> tuple[Range, ...]:
        """The first range to ask for."""
        self._ask(self._root)
        return self._taken()

    @property
    def pending(self) -> tuple[Range, ...]:
        """What was handed out, is not answered, and still of interest."""
        return tuple(self._pending)

    @property
    def is_split(self) -> bool:
        """Whether one query was not enough."""
        return bool(self._root.children)

    @property
    def late(self) -> frozenset[str]:
        """Unique keys of rows that came to the peer while the job ran."""
        return frozenset(self._late)

    def answer(self, whole: Range, answer: Answer) -> tuple[Range, ...]:
        """Take what came of asking for `whole`; returns what to ask next.

        Answers for ranges that are of no interest any more change nothing.
        """
        node = self._pending.pop(whole, None)
        if node is None:
            return ()
        node.outcome = answer.outcome
        node.count = answer.received
        node.rows = {row.key: row for row in answer.rows}
        if node.before is not None:
            self._late.update(node.rows.keys() - node.before)
            node.before = None
        misplaced = self._misplaced(node)
        if misplaced:
            self._punish(node, misplaced)
        else:
            for above in node.above:
                if above.missing is not None:
                    above.missing.difference_update(node.rows)
            if answer.outcome is Outcome.CUT:
                self._learn(node.range.kind, node.count)
            self._judge(node)
        return self._taken()

    def finish(self) -> tuple[Range, ...]:
        """When nothing is pending: the ranges that "now" is in, to be asked again, once.

        Rows may have come to them since they were asked; `late` has those that did.
        """
        if self._finished or self._pending or self._rules.now is None or not self.is_split:
            return ()
        self._finished = True
        for node in list(self._leaves()):
            if node.outcome is Outcome.COMPLETE and self._has_now(node.range):
                node.before = frozenset(node.rows or ())
                self._ask_again(node)
        return self._taken()

    def coverage(self) -> Coverage:
        """What is known by now of the whole and its parts."""
        return Coverage(
            state=self._worth(self._root),
            findings=tuple(self._findings()),
            whole=self._root.range,
            rows=sum(node.count for node in self._leaves()),
            queries=self._queries,
            row_limit=self._floor.rows,
            learned=self._floor.is_learned,
            late=len(self._late),
            dimensions=self._rules.dimensions,
        )

    def _taken(self) -> tuple[Range, ...]:
        new, self._new = self._new, []
        return tuple(one for one in dict.fromkeys(new) if one in self._pending)

    def _node(self, whole: Range, parent: _Node | None) -> _Node:
        self._made += 1
        return _Node(whole, parent, self._made)

    def _leaves(self) -> Iterator[_Node]:
        return (node for node in self._root.walk() if not node.children)

    def _ask(self, node: _Node) -> None:
        if node.dropped:
            return
        node.settled, node.state, node.reason, node.outcome = False, None, "", None
        if self._queries >= self._rules.split_max:
            self._settle(node, Proof.OPEN, _STOPPED)
            return
        self._queries += 1
        self._pending[node.range] = node
        self._new.append(node.range)

    def _ask_again(self, node: _Node) -> None:
        for above in node.above:
            above.settled = False
        self._ask(node)

    def _has_now(self, whole: Range) -> bool:
        """Whether rows that come to the peer these days would be in `whole`."""
        now = self._rules.now
        dimensions = [one for one in self._rules.dimensions if one.current]
        if now is None or not dimensions:
            return False
        for dimension in dimensions:
            constraint = whole.get(dimension.name)
            if constraint is None:
                continue
            is_date = dimension.form is Form.DATE
            text = f"{now:%Y%m%d}".zfill(8) if is_date else f"{now:%H%M%S}"
            if lies_in(dimension, constraint, (text,)) is False:
                return False
        return True

    # Is an answer what was asked for?

    def _misplaced(self, node: _Node) -> str:
        """The dimension of which a row has another value than was asked for; empty for none."""
        assert node.rows is not None
        for name, constraint in node.range.parts:
            if self._root.range.get(name) == constraint:
                continue  # the user's own key, which leads nowhere
            dimension = self._rules.dimension(name)
            for row in node.rows.values():
                if lies_in(dimension, constraint, self._rules.values(row, name)) is False:
                    return name
        return ""

    def _punish(self, node: _Node, name: str) -> None:
        """Rows came that were not asked for: their key, or emptiness, is not matched here."""
        constraint = node.range.get(name)
        if constraint is not None and constraint.matching is Matching.EMPTY:
            self._forbid_empty()
        else:
            self._ban(name)

    def _ban(self, name: str) -> None:
        """Do without a dimension: what was split by it is split by another one."""
        self._banned.add(name)
        while (node := self._split_by(name)) is not None:
            self._drop_parts(node)
            node.retried = False
            if node.rows is None:
                self._ask_again(node)
            else:
                self._split(node)

    def _split_by(self, name: str) -> _Node | None:
        for node in self._root.walk():
            if node.cut is not None and node.cut.dimension == name:
                return node
        return None

    def _drop_parts(self, node: _Node) -> None:
        for below in node.walk():
            below.dropped = below is not node
            if below.dropped and self._pending.get(below.range) is below:
                del self._pending[below.range]
        node.children, node.cut, node.missing, node.judged = [], None, None, False
        node.settled = False
        for above in node.above:
            above.settled = False

    def _forbid_empty(self) -> None:
        """The peer does not match emptiness: rows without a value cannot be asked for."""
        self._no_empty = True
        while (node := self._residual()) is not None:
            parent = node.parent
            assert parent is not None
            assert parent.cut is not None
            self._drop_parts(node)
            if self._pending.get(node.range) is node:
                del self._pending[node.range]
            name = parent.cut.dimension
            if parent.missing is not None and parent.rows is not None:
                empty = (row.key for row in parent.rows.values() if not self._has(row, name))
                parent.missing.difference_update(empty)
            node.count = 0
            node.rows = {}
            self._settle(node, Proof.ASSUMED, _UNASKED)
            self._look_together(parent)

    def _residual(self) -> _Node | None:
        for node in self._root.walk():
            if node.is_residual and node.reason != _UNASKED:
                return node
        return None

    def _has(self, row: Row, name: str) -> bool:
        return bool(self._rules.values(row, name))

    # What an answer proves.

    def _judge(self, node: _Node) -> None:
        """Settle a range by its own answer, else split it or wait for its siblings."""
        parent = node.parent
        if node.outcome is Outcome.FAILED:
            self._settle(node, Proof.OPEN, "no answer")
        elif node.outcome is not Outcome.COMPLETE:
            self._split(node)
        elif not self._is_suspicious(node):
            self._settle(node, *self._own_state(node))
        elif parent is None or parent.judged:
            self._split(node)
        if parent is not None:
            self._look_together(parent)

    def _own_state(self, node: _Node) -> tuple[Proof, str]:
        """Proven, unless nobody can say whether a row was asked for."""
        for name, constraint in node.range.parts:
            dimension = self._rules.dimension(name)
            for row in (node.rows or {}).values():
                if lies_in(dimension, constraint, self._rules.values(row, name)) is None:
                    return Proof.ASSUMED, f"rows whose {name} cannot be read"
        return Proof.PROVEN, ""

    def _is_suspicious(self, node: _Node) -> bool:
        kind = node.range.kind
        if self._floor.suspects(kind, node.count):
            return True
        number = self._floor.note(kind, node.count, node.number)
        twins = (one for one in self._leaves() if one.number == number)
        if not any(one.range != node.range for one in twins):
            return False
        self._floor.guess(kind, node.count)
        self._doubt(keep=node)
        return True

    def _learn(self, kind: tuple[tuple[str, str], ...], count: int) -> None:
        self._floor.learn(kind, count)
        self._doubt()

    def _doubt(self, keep: _Node | None = None) -> None:
        """More is known of limits: ask again what was proven by a count that is no proof now."""
        for node in list(self._leaves()):
            if (
                node is not keep
                and node.state is Proof.PROVEN
                and self._floor.suspects(node.range.kind, node.count)
            ):
                self._ask_again(node)

    def _look_together(self, parent: _Node) -> None:
        """Once all parts have answers: was the whole cut, or do both ways of asking agree?"""
        children = parent.children
        if parent.dropped or parent.judged or not children:
            return
        if not all(one.settled or one.outcome is not None for one in children):
            return
        parent.judged = True
        if self._is_torn(parent):
            assert parent.cut is not None
            self._ban(parent.cut.dimension)
            return
        agreed = parent.outcome is Outcome.COMPLETE and self._agree(parent)
        for child in children:
            # Those that were doubted meanwhile are asked again.
            if child.settled or child.children or child.outcome is None:
                continue
            if agreed:
                self._floor.clear(child.range.kind, child.count)
                self._settle(child, *self._own_state(child))
            else:
                self._split(child)
        if agreed:
            self._floor.clear(parent.range.kind, parent.count)
        for child in children:
            self._forget(child)
        self._rise(children[0])

    def _agree(self, parent: _Node) -> bool:
        """Whether the parts have the same rows as the whole, and could not have been cut alike.

        A part with fewer rows than the whole was not cut, if the peer has one limit for both.
        """
        union = {key for child in parent.children for key in child.rows or ()}
        whole = (parent.rows or {}).keys()
        if union - whole:
            self._learn(parent.range.kind, parent.count)
            return False
        return union == whole and all(
            child.outcome is Outcome.COMPLETE
            and child.count < parent.count
            and (child.settled or child.range.kind == parent.range.kind)
            for child in parent.children
        )

    def _is_torn(self, parent: _Node) -> bool:
        """Whether a row is in two parts without having a value of both."""
        cut = parent.cut
        assert cut is not None
        dimension = self._rules.dimension(cut.dimension)
        where: dict[str, _Node] = {}
        for child in parent.children:
            own = child.range.get(cut.dimension)
            assert own is not None
            for key, row in (child.rows or {}).items():
                other = where.setdefault(key, child)
                there = other.range.get(cut.dimension)
                if other is child or there is None or other.rows is None:
                    continue
                here = self._rules.values(row, cut.dimension)
                back = self._rules.values(other.rows[key], cut.dimension)
                if False in (lies_in(dimension, there, here), lies_in(dimension, own, back)):
                    return True
        return False

    # Splitting and settling.

    def _split(self, node: _Node) -> None:
        """Make parts of a range, by the first dimension that can, and ask for them."""
        if node.dropped:
            return
        rows = (node.rows or {}).values()
        for dimension in self._rules.dimensions:
            if dimension.name in self._banned:
                continue
            cut = cut_by(dimension, node.range, rows, self._rules)
            if cut is not None:
                break
        else:
            refused = node.outcome is Outcome.TOO_MANY
            self._settle(node, Proof.OPEN, "refused" if refused else f"{node.count:,} rows")
            return
        node.cut, node.judged = cut, False
        self._limit(node, cut, dimension)
        parts = cut.parts
        if cut.residual and not self._no_empty:
            parts = (*parts, Constraint(Matching.EMPTY))
        node.children = [
            self._node(node.range.narrowed(cut.dimension, part), node) for part in parts
        ]
        for child in node.children:
            self._ask(child)
        self._look_together(node)

    def _limit(self, node: _Node, cut: Cut, dimension: Dimension) -> None:
        """What a cut can prove at best, and which rows its parts must bring."""
        rows = (node.rows or {}).values()
        name = cut.dimension
        node.state, node.reason = Proof.PROVEN, ""
        node.missing = set()
        empty = unread = 0
        for row in rows:
            values = self._rules.values(row, name)
            if not values and cut.residual:
                empty += 1
                if not self._no_empty:
                    node.missing.add(row.key)
            elif any(lies_in(dimension, part, values) for part in cut.parts):
                node.missing.add(row.key)
            else:
                unread += 1
        if not cut.sure:
            node.state, node.reason = Proof.ASSUMED, f"only usual values of {name} were asked"
        if unread:
            node.state = Proof.ASSUMED
            node.reason = f"{unread:,} rows whose {name} cannot be asked"
        if cut.residual and self._no_empty:
            node.state = Proof.ASSUMED
            node.reason = f"{empty:,} rows without {name} cannot be asked"

    def _settle(self, node: _Node, state: Proof, reason: str = "") -> None:
        """A range has its state, and so perhaps has what it is a part of."""
        if node.dropped:
            return
        node.state, node.reason, node.settled = state, reason, True
        if node.parent is None or node.parent.judged:
            self._forget(node)
        self._rise(node)

    def _rise(self, node: _Node) -> None:
        """Settle what a range is a part of, as far as all of the parts are."""
        for above in node.above:
            if not above.judged or not all(child.settled for child in above.children):
                return
            if above.missing and self._worth(above) is not Proof.OPEN:
                self._search(above)
                return
            above.settled = True
            above.rows = above.missing = None

    def _search(self, node: _Node) -> None:
        """All parts were proven, but rows of the whole are in none of them."""
        cut, rows, missing = node.cut, node.rows or {}, node.missing or set()
        assert cut is not None
        valued = any(self._has(rows[key], cut.dimension) for key in missing)
        if not valued and not self._no_empty:
            self._forbid_empty()
        elif not node.retried:  # perhaps they were deleted meanwhile
            self._drop_parts(node)
            node.retried = True
            self._ask_again(node)
        else:
            self._ban(cut.dimension)

    def _forget(self, node: _Node) -> None:
        """Drop rows that nobody needs: only ranges with "now" in them are compared again."""
        if node.settled and not node.children and not self._has_now(node.range):
            node.rows = None

    def _worth(self, node: _Node) -> Proof:
        """What is known of a range: no more than of the worst of its parts."""
        stack, worst = [node], Proof.PROVEN
        while stack:
            one = stack.pop()
            worst = Proof.worst((worst, one.state or Proof.OPEN))
            stack.extend(one.children)
        return worst

    def _findings(self) -> Iterator[Finding]:
        """The largest ranges that are proven, and every reason why others are not."""
        stack = [self._root]
        while stack:
            node = stack.pop()
            worth = self._worth(node)
            if worth is Proof.PROVEN:
                count = sum(one.count for one in node.walk() if not one.children)
                yield Finding(node.range, worth, count, "")
                continue
            if not node.children or node.state is not Proof.PROVEN:
                yield Finding(node.range, node.state or Proof.OPEN, node.count, node.reason)
            stack.extend(reversed(node.children))
