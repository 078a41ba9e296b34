"""The tree of a split query: its ranges, their answers, and what can be read off them."""

from collections.abc import Iterator

from asyncfind.run.split_coverage import Finding
from asyncfind.run.split_cuts import Cut, lies_in
from asyncfind.run.split_words import Matching, Outcome, Proof, Range, Row, Rules

__all__ = ["Node", "findings", "is_torn", "limit", "misplaced", "own_state", "worth"]


class Node:
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

    def __init__(self, whole: Range, parent: "Node | None", number: int) -> None:
        self.range = whole
        self.parent = parent
        self.number = number
        self.children: list[Node] = []
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
    def above(self) -> "Iterator[Node]":
        """What it is a part of, the nearest first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def walk(self) -> "Iterator[Node]":
        """This and all below, parents first."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


def misplaced(node: Node, root: Range, rules: Rules) -> str:
    """The dimension of which a row has another value than was asked for; empty for none."""
    assert node.rows is not None
    for name, constraint in node.range.parts:
        if root.get(name) == constraint:
            continue  # the user's own key, which leads nowhere
        dimension = rules.dimension(name)
        for row in node.rows.values():
            if lies_in(dimension, constraint, rules.values(row, name)) is False:
                return name
    return ""


def own_state(node: Node, rules: Rules) -> tuple[Proof, str]:
    """Proven, unless nobody can say whether a row was asked for, or emptiness is matched."""
    for name, constraint in node.range.parts:
        is_empty = constraint.matching is Matching.EMPTY
        if is_empty and not rules.empty_matching and not node.count:
            return Proof.ASSUMED, f"none came; the archive may not match rows without {name}"
        dimension = rules.dimension(name)
        for row in (node.rows or {}).values():
            if lies_in(dimension, constraint, rules.values(row, name)) is None:
                return Proof.ASSUMED, f"rows whose {name} cannot be read"
    return Proof.PROVEN, ""


def is_torn(parent: Node, rules: Rules) -> bool:
    """Whether a row is in two parts without having a value of both."""
    cut = parent.cut
    assert cut is not None
    dimension = rules.dimension(cut.dimension)
    where: dict[str, Node] = {}
    for child in parent.children:
        own = child.range.get(cut.dimension)
        assert own is not None
        for key, row in (child.rows or {}).items():
            other = where.setdefault(key, child)
            there = other.range.get(cut.dimension)
            if other is child or there is None or other.rows is None:
                continue
            here = rules.values(row, cut.dimension)
            back = rules.values(other.rows[key], cut.dimension)
            if False in (lies_in(dimension, there, here), lies_in(dimension, own, back)):
                return True
    return False


def limit(node: Node, cut: Cut, rules: Rules, *, no_empty: bool) -> None:
    """What a cut can prove at best, and which rows its parts must bring."""
    rows = (node.rows or {}).values()
    name = cut.dimension
    dimension = rules.dimension(name)
    node.state, node.reason = Proof.PROVEN, ""
    node.missing = set()
    empty = unread = 0
    for row in rows:
        values = rules.values(row, name)
        if not values and cut.residual:
            empty += 1
            if not no_empty:
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
    if cut.residual and no_empty:
        node.state = Proof.ASSUMED
        number = f"{empty:,} " if empty else ""
        node.reason = f"{number}rows without {name} cannot be asked"


def worth(node: Node) -> Proof:
    """What is known of a range: no more than of the worst of its parts."""
    stack, worst = [node], Proof.PROVEN
    while stack:
        one = stack.pop()
        worst = Proof.worst((worst, one.state or Proof.OPEN))
        stack.extend(one.children)
    return worst


def findings(root: Node) -> Iterator[Finding]:
    """The largest ranges that are proven, and every reason why others are not."""
    stack = [root]
    while stack:
        node = stack.pop()
        known = worth(node)
        if known is Proof.PROVEN:
            count = sum(one.count for one in node.walk() if not one.children)
            yield Finding(node.range, known, count, "")
            continue
        if not node.children or node.state is not Proof.PROVEN:
            yield Finding(node.range, node.state or Proof.OPEN, node.count, node.reason)
        stack.extend(reversed(node.children))
