"""A discovery as a machine without I/O or clock: what a step showed in, the next step out."""

from dataclasses import dataclass

from asyncfind.errors import LocalProtocolError
from asyncfind.load.discover_capacity import Capacity, find_capacity
from asyncfind.load.discover_knee import KneeFound, find_knee_by_steps, measure_level
from asyncfind.load.discover_limit import Limit, find_limit
from asyncfind.load.discover_steps import Budget, Goal, Goals, Outcome, Step, Steps, rest

__all__ = ["Discovery", "Evidence", "Findings"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One step and what it showed.

    Args:
        at: seconds that the discovery had taken when the step began.
        goal: what it was made for.
    """

    at: float
    goal: Goal
    step: Step
    outcome: Outcome

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.goal}: {self.step}: {self.outcome}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a discovery found; None for what was not looked for, or not yet.

    Args:
        evidence: every step, in order.
    """

    limit: Limit | None = None
    knee: KneeFound | None = None
    capacity: Capacity | None = None
    evidence: tuple[Evidence, ...] = ()

    def __str__(self) -> str:
        named = (("limit", self.limit), ("knee", self.knee), ("capacity", self.capacity))
        return " · ".join(f"{name} {found}" for name, found in named if found is not None)


class Discovery:
    """Looks for limit, knee and capacity of one peer.

    Make `step`, tell what it showed, until there is none.

    Attributes:
        step: what to do next; None when it is over.
    """

    def __init__(self, goals: Goals) -> None:
        self._goals = goals
        self._budget = Budget(goals.budget_seconds, goals.budget_queries)
        self._goal = Goal.LIMIT
        self._limit: Limit | None = None
        self._knee: KneeFound | None = None
        self._capacity: Capacity | None = None
        self._evidence: list[Evidence] = []
        self._steps = self._search()
        self.step: Step | None = next(self._steps, None)

    def tell(self, outcome: Outcome) -> None:
        """Say what `step` showed; `step` is the next one then.

        Raises:
            LocalProtocolError: the discovery is over, or the step shows something else.
        """
        if self.step is None:
            raise LocalProtocolError("the discovery is over")
        at = self._goals.budget_seconds - self._budget.seconds
        self._evidence.append(Evidence(at, self._goal, self.step, outcome))
        self._budget.spend(outcome)
        try:
            self.step = self._steps.send(outcome)
        except StopIteration:
            self.step = None

    @property
    def findings(self) -> Findings:
        """What has been found so far."""
        return Findings(
            limit=self._limit,
            knee=self._knee,
            capacity=self._capacity,
            evidence=tuple(self._evidence),
        )

    def _search(self) -> Steps[None]:
        goals, budget = self._goals, self._budget
        top = goals.cap
        if Goal.LIMIT in goals.goals:
            self._limit = yield from find_limit(goals, budget)
            top = max(1, min(top, self._limit.low or top))
        if Goal.KNEE in goals.goals:
            self._goal = Goal.KNEE
            self._knee = yield from find_knee_by_steps(goals, budget, top)
        if Goal.CAPACITY in goals.goals:
            self._goal = Goal.CAPACITY
            alone = None if self._knee is None else self._knee.alone
            if alone is None and (yield from rest(budget)):
                alone = yield from measure_level(1, goals, budget)
            if alone is None or alone.rate <= 0:
                self._capacity = Capacity(
                    rate=None,
                    confirmed=False,
                    above=None,
                    objective=tuple(one.text for one in goals.thresholds),
                    stopped=budget.lack() or budget.trouble or "a query alone was not complete",
                )
                return
            self._capacity = yield from find_capacity(goals, budget, alone, self._associations(top))

    def _associations(self, top: int) -> int:
        """Of the open loads: twice the knee, so that they are not what holds queries up."""
        knee = None if self._knee is None else self._knee.knee
        return top if knee is None else min(top, 2 * knee.high)
