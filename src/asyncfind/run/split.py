"""Splitting with proof: from what a peer answered to what to ask it next.

Archives cut long answers silently. A query is split by its keys until every part is too short to
have been cut, or two ways of asking agree. Nothing is believed of the keys either: rows that are
not where they belong, or not where they were, ban the key that led there. Answers in, ranges out;
this module asks nobody and knows no clock.
"""

from collections.abc import Iterator
from typing import Final

from asyncfind.run.split_coverage import Coverage
from asyncfind.run.split_cuts import Cut, calendar_cut, cut_by, lies_in
from asyncfind.run.split_floor import Floor
from asyncfind.run.split_tree import (
    Node,
    findings,
    is_torn,
    limit,
    misplaced,
    own_state,
    worth,
)
from asyncfind.run.split_words import (
    Answer,
    Calendar,
    Constraint,
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
        self._no_empty = not (rules.empty_matching or rules.try_empty)
        self._pending: dict[Range, Node] = {}
        self._new: list[Range] = []
        self._made = 0
        self._queries = 0
        self._finished = False
        self._late: set[str] = set()
        self._root = self._node(whole or Range(), None)

    # What to ask.

    def start(self, by: Calendar | None = None) -> tuple[Range, ...]:
        """The first ranges to ask for.

        Args:
            by: begin with a range for each year, month or day of the first date there is, instead
                of with the whole.
        """
        dates = [one for one in self._rules.dimensions if one.form is Form.DATE]
        cut = None
        if by is not None and dates:
            cut = calendar_cut(dates[0], self._root.range, by, self._rules)
        if cut is None:
            self._ask(self._root)
        else:
            self._root.rows = {}
            self._divide(self._root, cut)
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
        astray = misplaced(node, self._root.range, self._rules)
        if astray:
            self._punish(node, astray)
        else:
            for above in node.above:
                if above.missing is not None:
                    above.missing.difference_update(node.rows)
            if answer.outcome is Outcome.CUT:
                self._learn(node.range.kind, node.count)
            self._judge(node)
        return self._taken()

    def doubt(self, whole: Range, count: int) -> None:
        """Another query had so many rows, too: an answer of so many may have been cut."""
        self._floor.guess(whole.kind, count)

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
            state=worth(self._root),
            findings=tuple(findings(self._root)),
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

    def _node(self, whole: Range, parent: Node | None) -> Node:
        self._made += 1
        return Node(whole, parent, self._made)

    def _leaves(self) -> Iterator[Node]:
        return (node for node in self._root.walk() if not node.children)

    def _ask(self, node: Node) -> None:
        if node.dropped:
            return
        node.settled, node.state, node.reason, node.outcome = False, None, "", None
        if self._queries >= self._rules.split_max:
            self._settle(node, Proof.OPEN, _STOPPED)
            return
        self._queries += 1
        self._pending[node.range] = node
        self._new.append(node.range)

    def _ask_again(self, node: Node) -> None:
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

    def _punish(self, node: Node, name: str) -> None:
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

    def _split_by(self, name: str) -> Node | None:
        for node in self._root.walk():
            if node.cut is not None and node.cut.dimension == name:
                return node
        return None

    def _drop_parts(self, node: Node) -> None:
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

    def _residual(self) -> Node | None:
        for node in self._root.walk():
            if node.is_residual and node.reason != _UNASKED:
                return node
        return None

    def _has(self, row: Row, name: str) -> bool:
        return bool(self._rules.values(row, name))

    # What an answer proves.

    def _judge(self, node: Node) -> None:
        """Settle a range by its own answer, else split it or wait for its siblings."""
        parent = node.parent
        if node.outcome is Outcome.FAILED:
            self._settle(node, Proof.OPEN, "no answer")
        elif node.outcome is not Outcome.COMPLETE:
            self._split(node)
        elif not self._is_suspicious(node):
            self._settle(node, *own_state(node, self._rules))
        elif parent is None or parent.judged:
            self._split(node)
        if parent is not None:
            self._look_together(parent)

    def _is_suspicious(self, node: Node) -> bool:
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

    def _doubt(self, keep: Node | None = None) -> None:
        """More is known of limits: ask again what was proven by a count that is no proof now."""
        for node in list(self._leaves()):
            if (
                node is not keep
                and node.state is Proof.PROVEN
                and self._floor.suspects(node.range.kind, node.count)
            ):
                self._ask_again(node)

    def _look_together(self, parent: Node) -> None:
        """Once all parts have answers: was the whole cut, or do both ways of asking agree?"""
        children = parent.children
        if parent.dropped or parent.judged or not children:
            return
        if not all(one.settled or one.outcome is not None for one in children):
            return
        parent.judged = True
        if is_torn(parent, self._rules):
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
                self._settle(child, *own_state(child, self._rules))
            else:
                self._split(child)
        if agreed:
            self._floor.clear(parent.range.kind, parent.count)
        for child in children:
            self._forget(child)
        self._rise(children[0])

    def _agree(self, parent: Node) -> bool:
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

    # Splitting and settling.

    def _split(self, node: Node) -> None:
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
        self._divide(node, cut)

    def _divide(self, node: Node, cut: Cut) -> None:
        """Ask for the parts that a cut makes of a range, instead of for the range."""
        node.cut, node.judged = cut, False
        limit(node, cut, self._rules, no_empty=self._no_empty)
        parts = cut.parts
        if cut.residual and not self._no_empty:
            parts = (*parts, Constraint(Matching.EMPTY))
        node.children = [
            self._node(node.range.narrowed(cut.dimension, part), node) for part in parts
        ]
        for child in node.children:
            self._ask(child)
        self._look_together(node)

    def _settle(self, node: Node, state: Proof, reason: str = "") -> None:
        """A range has its state, and so perhaps has what it is a part of."""
        if node.dropped:
            return
        node.state, node.reason, node.settled = state, reason, True
        if node.parent is None or node.parent.judged:
            self._forget(node)
        self._rise(node)

    def _rise(self, node: Node) -> None:
        """Settle what a range is a part of, as far as all of the parts are."""
        for above in node.above:
            if not above.judged or not all(child.settled for child in above.children):
                return
            if above.missing and worth(above) is not Proof.OPEN:
                self._search(above)
                return
            above.settled = True
            above.rows = above.missing = None

    def _search(self, node: Node) -> None:
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

    def _forget(self, node: Node) -> None:
        """Drop rows that nobody needs: only ranges with "now" in them are compared again."""
        if node.settled and not node.children and not self._has_now(node.range):
            node.rows = None
