"""The machine of a discovery, against simulated peers whose limits are known."""

import heapq
import math
from collections.abc import Callable
from itertools import count, takewhile
from random import Random

import pytest

from asyncfind.errors import LocalProtocolError
from asyncfind.load.discover import Discovery, Findings
from asyncfind.load.discover_steps import (
    AtOnce,
    AtRate,
    CloseAll,
    CloseOne,
    Goal,
    Goals,
    Measured,
    Open,
    Outcome,
    Rest,
    Step,
    Tried,
)
from asyncfind.load.knee import Law
from asyncfind.load.tally import Ended, Tally
from asyncfind.load.threshold import parse_threshold


class SimulatedPeer:
    """Takes so many associations, and serves so many queries at a time, the others in a queue.

    Args:
        limit: associations; None takes all.
        places: queries served at a time.
        service: mean seconds of one, exponentially distributed.
        contention, coherence: by which queries under way slow each other down, as in the
            Universal Scalability Law.
        forgetful: it notices a release only at the next caller.
        per_title: the limit is per calling AE title.
        fails_above: queries under way from which on they fail.
    """

    def __init__(
        self,
        *,
        limit: int | None = None,
        places: int = 8,
        service: float = 0.05,
        seed: int = 0,
        contention: float = 0.0,
        coherence: float = 0.0,
        forgetful: bool = False,
        per_title: bool = False,
        fails_above: int | None = None,
    ) -> None:
        self._limit = math.inf if limit is None else limit
        self._places = places
        self._service = service
        self._random = Random(seed)
        self._contention = contention
        self._coherence = coherence
        self._forgetful = forgetful
        self._per_title = per_title
        self._fails_above = math.inf if fails_above is None else fails_above
        self._open = {False: 0, True: 0}
        self._ghosts = 0
        self.most = 0

    def answer(self, step: Step) -> Outcome:
        """What a step shows."""
        match step:
            case Open():
                return self._associate(second=step.second, keep=True)
            case Rest():
                return self._associate(second=False, keep=False)
            case CloseOne():
                self._open[False] -= 1
                self._ghosts += self._forgetful
                return Tried(ok=True)
            case CloseAll():
                self._ghosts += sum(self._open.values()) if self._forgetful else 0
                self._open = {False: 0, True: 0}
                return Tried(ok=True, seconds=0.1)
            case AtOnce():
                return self._at_once(step)
            case AtRate():
                return self._at_rate(step)

    def _associate(self, *, second: bool, keep: bool) -> Tried:
        ghosts, self._ghosts = self._ghosts, 0
        held = self._open[second] if self._per_title else sum(self._open.values())
        if held + ghosts >= self._limit:
            return Tried(ok=False, sign="RJ 2/3/2", held=self._open[False], seconds=0.01)
        self._open[second] += keep
        self.most = max(self.most, sum(self._open.values()))
        return Tried(ok=True, probe=0.01, held=self._open[False], seconds=0.02, queries=1)

    def _draw(self, under_way: int) -> float:
        others = under_way - 1
        slower = 1 + self._contention * others + self._coherence * under_way * others
        return self._random.expovariate(1 / (self._service * slower))

    def _at_once(self, step: AtOnce) -> Measured:
        """Exactly: a closed network of one station."""
        number = step.concurrency
        if number > self._fails_above:
            return Measured(rate=10.0, failed=0.5, sign="status A700 ×9", seconds=1, queries=20)
        busy = [self._draw(number) for _ in range(min(number, self._places))]
        heapq.heapify(busy)
        windows = [0] * int(step.seconds)
        done = warm = 0
        while (now := heapq.heappop(busy)) < step.warm_up + step.seconds and done < step.count:
            if now < step.warm_up:
                warm += 1
            else:
                done += 1
                windows[int(now - step.warm_up)] += 1
            heapq.heappush(busy, now + self._draw(number))
        seconds = min(now - step.warm_up, step.seconds)
        used = windows[: int(seconds)]
        rate, error = done / seconds, math.sqrt(done) / seconds
        if len(used) >= 3:
            rate = sum(used) / len(used)
            spread = sum((one - rate) ** 2 for one in used) / (len(used) - 1)
            error = math.sqrt(spread / len(used))
        return Measured(
            rate=rate,
            error=error,
            windows=max(len(used), 3),
            service=number / rate,
            p95=3 * number / rate,
            seconds=step.warm_up + seconds,
            queries=done + warm,
        )

    def _at_rate(self, step: AtRate) -> Measured:
        """Queries in order, each to the place that is free first."""
        free = [0.0] * min(self._places, step.associations)
        instants = takewhile(lambda at: at < step.seconds, (n / step.rate for n in count()))
        tally = Tally()
        for at in instants:
            begun = max(at, heapq.heappop(free))
            ended = begun + self._draw(1)
            heapq.heappush(free, ended)
            tally.offered += 1
            tally.ended(Ended(at, begun, begun, ended, ended))
        broken = [
            one.text for one in step.thresholds if not one.holds(one.value(tally, step.seconds))
        ]
        return Measured(
            rate=tally.completed / step.seconds,
            kept=not broken,
            broken=", ".join(broken),
            seconds=step.seconds,
            queries=tally.offered,
        )


def _discovered(
    peer: SimulatedPeer, goals: Goals, change: Callable[[Outcome], Outcome] = lambda one: one
) -> Findings:
    discovery = Discovery(goals)
    while discovery.step is not None:
        discovery.tell(change(peer.answer(discovery.step)))
    return discovery.findings


def _goals(*goals: Goal, seed: int = 0, cap: int = 64, queries: int = 10**6) -> Goals:
    return Goals(
        goals=frozenset(goals),
        cap=cap,
        seed=seed,
        budget_seconds=10_000,
        budget_queries=queries,
    )


# --- The limit ---


@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 5, 18, 63])
def test_the_limit_is_exact(limit: int, forgetful: bool) -> None:
    peer = SimulatedPeer(limit=limit, forgetful=forgetful)
    found = _discovered(peer, _goals(Goal.LIMIT)).limit
    assert found is not None
    assert (found.rounds, found.low, found.high) == ((limit,) * 3, limit, limit)
    assert found.signs == ("RJ 2/3/2",) * 3
    assert found.scope == "total"
    assert found.returns
    assert found.stopped == ""
    assert str(found) == (
        f"{limit} associations (RJ 2/3/2 at the next, 3 of 3; total; one more after a release)"
    )


def test_a_limit_per_calling_title_is_told_apart() -> None:
    found = _discovered(SimulatedPeer(limit=4, per_title=True), _goals(Goal.LIMIT)).limit
    assert found is not None
    assert (found.low, found.scope) == (4, "per calling AE title")


def test_no_more_is_opened_than_allowed() -> None:
    peer = SimulatedPeer(limit=50)
    found = _discovered(peer, _goals(Goal.LIMIT, cap=20)).limit
    assert found is not None
    assert (found.rounds, found.cap, peer.most) == ((), 20, 20)
    assert str(found) == "none up to 20 associations"


def test_what_differs_from_time_to_time_is_a_range() -> None:
    limits = iter([7, 5, 6])
    peer = SimulatedPeer(limit=next(limits))
    discovery = Discovery(_goals(Goal.LIMIT))
    while discovery.step is not None:
        if isinstance(discovery.step, CloseAll):
            peer.answer(discovery.step)
            peer = SimulatedPeer(limit=next(limits, 9))
            discovery.tell(Tried(ok=True))
        else:
            discovery.tell(peer.answer(discovery.step))
    found = discovery.findings.limit
    assert found is not None
    assert (found.low, found.high) == (5, 7)
    assert str(found).startswith("5–7 associations (RJ 2/3/2 at the next, 3 of 3")


def test_a_failure_that_is_no_sign_is_no_limit() -> None:
    discovery = Discovery(_goals(Goal.LIMIT))
    while discovery.step is not None:
        if isinstance(discovery.step, Open) and discovery.step.number == 3:
            discovery.tell(Tried(ok=False, what="tls certificate, code 10", held=2))
        else:
            discovery.tell(Tried(ok=True, probe=0.01, held=1, queries=1))
    found = discovery.findings.limit
    assert found is not None
    assert (found.low, found.cap) == (None, None)
    assert str(found) == "not found (tls certificate, code 10)"


def test_a_query_that_waits_is_a_sign_but_says_nothing_of_titles() -> None:
    steps: list[Step] = []
    discovery = Discovery(_goals(Goal.LIMIT))
    while discovery.step is not None:
        steps.append(discovery.step)
        if isinstance(discovery.step, Open) and discovery.step.number == 5:
            discovery.tell(Tried(ok=False, sign="queries wait", delayed=True, held=4))
        else:
            discovery.tell(Tried(ok=True, probe=0.01, held=0, queries=1))
    found = discovery.findings.limit
    assert found is not None
    assert (found.rounds, found.scope, found.returns) == ((4, 4, 4), "", None)
    assert not any(isinstance(step, Open) and step.second for step in steps)


def test_an_unfriendly_peer_is_left_alone() -> None:
    discovery = Discovery(_goals(Goal.LIMIT, Goal.KNEE, Goal.CAPACITY))
    steps = 0
    while discovery.step is not None:
        steps += 1
        discovery.tell(Tried(ok=False, what="connect refused"))
    findings = discovery.findings
    assert steps == 3
    assert findings.limit is not None
    assert findings.limit.stopped == "the peer did not answer a query: connect refused"
    assert findings.knee is not None
    assert findings.knee.knee is None
    assert findings.capacity is not None
    assert findings.capacity.rate is None


# --- The knee ---


@pytest.mark.parametrize("places", [1, 4, 10, 20])
def test_the_knee_is_within_its_interval(places: int) -> None:
    hits, width = 0, 0.0
    for seed in range(10):
        peer = SimulatedPeer(places=places, service=0.05, seed=seed)
        found = _discovered(peer, _goals(Goal.KNEE, seed=seed)).knee
        assert found is not None
        assert found.knee is not None
        assert places == 1 or found.knee.law is Law.CEILING
        assert found.knee.rate == pytest.approx(places / 0.05, rel=0.1)
        hits += found.knee.low <= places <= found.knee.high
        width += (found.knee.high - found.knee.low) / 10
    assert hits >= 9
    assert width <= max(3.0, places * 0.4)


def test_queries_that_slow_each_other_down_have_their_knee_at_the_peak() -> None:
    hits = 0
    for seed in range(10):
        peer = SimulatedPeer(places=1000, contention=0.04, coherence=0.004, seed=seed)
        found = _discovered(peer, _goals(Goal.KNEE, seed=seed)).knee
        assert found is not None
        assert found.knee is not None
        assert found.knee.law is Law.SCALING
        assert found.knee.high - found.knee.low <= 16
        hits += found.knee.low <= math.sqrt(0.96 / 0.004) <= found.knee.high
    assert hits >= 9


def test_a_peak_with_a_kink_is_within_the_interval() -> None:
    peer = SimulatedPeer(places=10, contention=0.05)
    found = _discovered(peer, _goals(Goal.KNEE)).knee
    assert found is not None
    assert found.knee is not None
    assert found.knee.low <= 10 <= found.knee.high


def test_the_search_stops_when_more_does_not_pay() -> None:
    found = _discovered(SimulatedPeer(places=4), _goals(Goal.KNEE)).knee
    assert found is not None
    assert found.stopped == "less than 5 % more in 2 steps"
    assert max(number for number, _ in found.levels) == 16
    assert {1, 2, 3, 4, 8, 16} >= {number for number, _ in found.levels} >= {1, 2, 4, 8, 16}
    assert found.alone is not None


def test_a_knee_beyond_the_cap_is_not_made_up() -> None:
    found = _discovered(SimulatedPeer(places=100), _goals(Goal.KNEE, cap=16)).knee
    assert found is not None
    assert found.knee is None
    assert str(found) == "none up to 16 at once (16 at once is the most that was allowed)"


def test_the_limit_bounds_the_knee() -> None:
    peer = SimulatedPeer(limit=6, places=100)
    findings = _discovered(peer, _goals(Goal.LIMIT, Goal.KNEE))
    assert findings.knee is not None
    assert max(number for number, _ in findings.knee.levels) == 6


def test_a_sign_ends_the_search() -> None:
    peer = SimulatedPeer(places=100, fails_above=8)
    found = _discovered(peer, _goals(Goal.KNEE)).knee
    assert found is not None
    assert found.sign == found.stopped == "status A700 ×9"
    assert max(number for number, _ in found.levels) == 8


def test_levels_at_which_we_queue_are_void() -> None:
    def queue(outcome: Outcome) -> Outcome:
        if isinstance(outcome, Measured) and outcome.service is not None:
            return Measured(
                rate=outcome.rate,
                error=outcome.error,
                windows=outcome.windows,
                service=outcome.service * 0.8,
                seconds=outcome.seconds,
                queries=outcome.queries,
            )
        return outcome

    found = _discovered(SimulatedPeer(places=4), _goals(Goal.KNEE, cap=8), queue).knee
    assert found is not None
    assert (found.levels, found.void, found.knee) == ((), (1, 2, 4, 8), None)


def test_a_saturated_client_ends_the_search() -> None:
    discovery = Discovery(_goals(Goal.KNEE))
    peer = SimulatedPeer()
    while discovery.step is not None:
        outcome = peer.answer(discovery.step)
        if isinstance(discovery.step, AtOnce) and discovery.step.concurrency == 4:
            outcome = Measured(rate=500, service=0.008, saturated=True, seconds=11, queries=5000)
        discovery.tell(outcome)
    found = discovery.findings.knee
    assert found is not None
    assert found.stopped == "this client did not keep up"
    assert found.void == (4,)


# --- Capacity ---


@pytest.mark.parametrize("places", [1, 4, 12])
def test_capacity_is_below_what_the_places_can_do_and_not_far(places: int) -> None:
    peer = SimulatedPeer(places=places, service=0.05)
    goals = Goals(
        goals=frozenset((Goal.CAPACITY,)),
        thresholds=(parse_threshold("p95(response) < 400ms"),),
        budget_seconds=10_000,
        budget_queries=10**6,
    )
    findings = _discovered(peer, goals)
    found = findings.capacity
    assert found is not None
    assert found.rate is not None
    most = places / 0.05
    assert 0.5 * most < found.rate < 1.02 * most
    assert found.confirmed
    assert found.above is not None
    assert found.rate < found.above[0]
    confirmations = [
        one.step
        for one in findings.evidence
        if isinstance(one.step, AtRate) and one.step.seconds == 4 * goals.seconds
    ]
    assert confirmations[-1].rate == found.rate


def test_without_an_objective_one_is_made_of_a_query_alone() -> None:
    found = _discovered(SimulatedPeer(places=4), _goals(Goal.CAPACITY)).capacity
    assert found is not None
    assert found.rate is not None
    assert len(found.objective) == 2
    assert found.objective[0].startswith("p95(response) < ")
    assert "not confirmed" not in str(found)


# --- All of it ---


def test_all_goals_in_a_row() -> None:
    peer = SimulatedPeer(limit=18, places=9)
    findings = _discovered(peer, _goals(*Goal))
    text = str(findings)
    assert text.startswith("limit 18 associations (RJ 2/3/2 at the next, 3 of 3; total")
    assert " · knee about 9 at once, " in text
    assert " · capacity " in text
    goals = [one.goal for one in findings.evidence]
    assert goals == sorted(goals, key=list(Goal).index)
    assert set(goals) == set(Goal)


@pytest.mark.parametrize("queries", [0, 3, 10, 500, 3000])
def test_the_budget_of_queries_is_kept(queries: int) -> None:
    discovery = Discovery(_goals(*Goal, queries=queries))
    peer = SimulatedPeer(limit=18, places=9)
    while discovery.step is not None:
        discovery.tell(peer.answer(discovery.step))
    spent = sum(one.outcome.queries for one in discovery.findings.evidence)
    # The probes by which it finds out how an idle peer answers are asked in any case.
    assert spent <= queries + 12
    assert "out of queries" in str(discovery.findings) or "did not" in str(discovery.findings)


def test_the_budget_of_time_is_kept() -> None:
    goals = Goals(budget_seconds=60, seconds=10, cap=16)
    findings = _discovered(SimulatedPeer(places=4), goals)
    last = findings.evidence[-1]
    assert last.at + last.outcome.seconds <= 62
    assert "out of time" in str(findings)


def test_the_same_seed_finds_the_same() -> None:
    one, other = (
        _discovered(SimulatedPeer(places=7, seed=3), _goals(*Goal, seed=5)) for _ in range(2)
    )
    assert one == other


def test_an_answer_of_the_wrong_kind_is_our_bug() -> None:
    discovery = Discovery(_goals(Goal.LIMIT))
    with pytest.raises(LocalProtocolError):
        discovery.tell(Measured(rate=1))


def test_evidence_reads_as_a_line() -> None:
    findings = _discovered(SimulatedPeer(limit=2), _goals(Goal.LIMIT))
    lines = [str(one) for one in findings.evidence]
    assert lines[0] == "   0.0 s  limit: rest 0 s, probe: ok, probe 10.0 ms"
    assert "limit: open 3: failed, enough: RJ 2/3/2" in lines[5]
