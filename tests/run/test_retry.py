"""What is sent again, and when an archive is left alone."""

import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    ConnectFailed,
    FindFailed,
    LimitExceeded,
    MalformedIdentifier,
    NoPresentationContext,
    PeerError,
    PeerTimeout,
    ProtocolViolation,
    TlsFailed,
    UnknownHost,
)
from asyncfind.run.retry import (
    ATTEMPTS,
    Breaker,
    BreakerState,
    PeerBudget,
    ProcessBudget,
    Retry,
    counts_against,
    is_congestion,
    is_retryable,
)

quick = settings(deadline=None, max_examples=150)


def _timeout(phase: str) -> PeerTimeout:
    return PeerTimeout("late", phase=phase, seconds=1.0)


def _rejected(*, busy: bool) -> AssociationRejected:
    return AssociationRejected("no", result=1, source=3 if busy else 1, reason=2, busy=busy)


BUSY = _rejected(busy=True)
LOST = AssociationLost("lost")


@pytest.mark.parametrize(
    ("error", "times", "counts"),
    [
        (ConnectFailed("refused"), 3, True),
        (LOST, 3, True),
        (TlsFailed("stalled", passing=True), 3, True),
        (TlsFailed("certificate"), 0, True),
        (_timeout("associate"), 3, True),
        (_timeout("first-response"), 3, True),
        (_timeout("response"), 1, False),
        (_timeout("message"), 1, False),
        (_timeout("send"), 1, False),
        (_timeout("query"), 0, False),
        (_timeout("cancel"), 0, False),
        (_timeout("release"), 0, False),
        (BUSY, 3, True),
        (_rejected(busy=False), 0, True),
        (AssociationAborted("aborted"), 1, True),
        (UnknownHost("who"), 0, True),
        (NoPresentationContext("none"), 0, False),
        (ProtocolViolation("bad"), 0, False),
        (MalformedIdentifier("bad"), 0, False),
        (LimitExceeded("much"), 0, False),
        (FindFailed("resources", status=0xA700), 1, False),
        (FindFailed("no such class", status=0xA900), 0, False),
        (FindFailed("cannot", status=0xC000), 0, False),
        (FindFailed("ended", status=0xFE00), 0, False),
    ],
    ids=lambda value: getattr(value, "text", None),
)
def test_every_fault_is_tried_again_so_often(error: PeerError, times: int, counts: bool) -> None:
    again = [is_retryable(error, attempt) for attempt in range(1, ATTEMPTS + 1)]
    assert again == [True] * times + [False] * (ATTEMPTS - times)
    assert counts_against(error) is counts
    assert is_congestion(error) is (
        error is BUSY or (isinstance(error, FindFailed) and error.status == 0xA700)
    )


def test_a_resolver_that_says_try_later_is_asked_later() -> None:
    error = UnknownHost("busy")
    error.retryable = True
    assert is_retryable(error, 1)


def test_the_user_names_statuses_to_try_again() -> None:
    some = frozenset((0xC001,))
    assert [is_retryable(None, n, 0xC001, statuses=some) for n in (1, 2, 3, 4)] == [1, 1, 1, 0]
    assert not is_retryable(None, 1, 0xC002, statuses=some)
    assert is_retryable(None, 1, 0xA700)
    assert not is_retryable(None, 1)


def test_rows_that_are_out_are_never_followed_by_the_same_again() -> None:
    assert is_retryable(LOST, 1, responses=7)
    assert is_retryable(LOST, 1, streamed=True)
    assert not is_retryable(LOST, 1, responses=7, streamed=True)


# --- budgets ---


def test_five_failures_in_a_row_use_up_what_a_peer_has() -> None:
    budget = PeerBudget()
    for _ in range(4):
        budget.failed()
        assert budget.allows
    budget.failed()
    assert not budget.allows
    for _ in range(11):
        budget.succeeded()
    assert budget.allows


@quick
@given(st.lists(st.booleans(), max_size=300))
def test_an_archive_that_fails_half_the_time_is_not_tried_twice_as_often(
    outcomes: list[bool],
) -> None:
    budget = PeerBudget()
    retries = 0
    for good in outcomes:
        if good:
            budget.succeeded()
        else:
            budget.failed()
            retries += budget.allows
    assert retries <= 5 + 0.1 * outcomes.count(True)


@quick
@given(
    st.lists(st.tuples(st.floats(0, 9), st.booleans()), max_size=200),
    st.floats(0, 1e6),
)
def test_a_process_sends_a_tenth_again_and_ten(steps: list[tuple[float, bool]], now: float) -> None:
    budget = ProcessBudget()
    asked: list[float] = []
    taken: list[float] = []
    for gap, retry in steps:
        now += gap
        if not retry:
            budget.asked(now)
            asked.append(now)
        elif budget.take(now):
            recent = sum(now - when < 60 for when in taken)
            # What was asked in one second is forgotten together.
            assert recent < 10 + 0.1 * sum(now - when < 61 for when in asked)
            taken.append(now)
        else:
            recent = sum(now - when < 60 for when in taken)
            assert recent >= 10 + 0.1 * sum(now - when < 59 for when in asked)


def test_a_minute_later_it_is_forgotten() -> None:
    budget = ProcessBudget()
    for _ in range(100):
        budget.asked(0.0)
    assert sum(budget.take(1.0) for _ in range(30)) == 20
    assert not budget.take(59.9)
    assert not budget.take(60.0)  # ten of twenty, as nothing was asked any more
    assert sum(budget.take(61.0) for _ in range(30)) == 10


def test_much_asked_in_a_minute_takes_little_memory() -> None:
    budget = ProcessBudget()
    for number in range(50_000):
        budget.asked(number / 1000)
    assert all(budget.take(50.0) for _ in range(5010))
    assert not budget.take(50.0)
    assert len(budget._queries) <= 51  # noqa: SLF001 - nothing public tells of memory


# --- pauses ---


def _pauses(seed: int, error: PeerError, count: int) -> list[float | None]:
    retry = Retry(ProcessBudget(), Random(seed))
    return [retry.pause(error, attempt, 0.0) for attempt in range(1, count + 1)]


@quick
@given(st.integers(0, 10_000))
def test_pauses_grow_are_random_and_the_same_for_the_same_seed(seed: int) -> None:
    plain = _pauses(seed, LOST, 4)
    assert plain == _pauses(seed, LOST, 4)
    assert plain[3] is None
    for pause, most in zip(plain, (0.5, 1.0, 2.0), strict=False):
        assert pause is not None
        assert 0.05 <= pause <= most
    for pause in _pauses(seed, BUSY, 3):
        assert pause is not None
        assert 2.0 <= pause <= 4.0


def test_pauses_are_spread_over_all_of_their_range() -> None:
    pauses = [pause for seed in range(200) if (pause := _pauses(seed, LOST, 1)[0]) is not None]
    assert min(pauses) < 0.1
    assert max(pauses) > 0.45
    wakes = [Retry(ProcessBudget(), Random(seed)).spread() for seed in range(200)]
    assert 0 <= min(wakes) < 0.5
    assert 4.5 < max(wakes) <= 5.0


def test_nothing_is_sent_again_past_the_end_without_budget_or_when_off() -> None:
    retry = Retry(ProcessBudget(), Random(1))
    assert retry.pause(LOST, 1, 100.0, by=100.04) is None
    assert retry.pause(LOST, 1, 100.0, by=101.0) is not None
    assert retry.pause(None, 1, 100.0, status=0xA700) is not None
    assert retry.pause(NoPresentationContext("none"), 1, 100.0) is None
    assert [retry.pause(LOST, 1, 100.0) is not None for _ in range(3)] == [True, False, False]
    for _ in range(40):
        retry.succeeded()
    assert retry.pause(LOST, 1, 100.0) is not None
    assert Retry(ProcessBudget(), Random(1), on=False).pause(LOST, 1, 100.0) is None


def test_archives_share_the_budget_of_the_process() -> None:
    process = ProcessBudget()
    archives = [Retry(process, Random(seed)) for seed in range(20)]
    assert sum(one.pause(LOST, 1, 0.0) is not None for one in archives) == 10


@quick
@given(st.integers(0, 1000), st.lists(st.floats(0, 1), min_size=50, max_size=50))
def test_a_storm_dies_down(seed: int, chances: list[float]) -> None:
    """An archive that fails every query is not asked four times as much."""
    retry = Retry(ProcessBudget(), Random(seed))
    sent = 0
    for chance in chances:
        for attempt in itertools.count(1):
            sent += 1
            if chance > 0.9:
                retry.succeeded()
                break
            if retry.pause(LOST, attempt, 0.0) is None:
                break
    assert sent <= len(chances) + 10


# --- the breaker ---


def _open(seed: int = 1, give_up: float | None = 600.0) -> Breaker:
    breaker = Breaker(Random(seed), give_up=give_up)
    for _ in range(5):
        assert breaker.admits(0.0)
        breaker.failed(0.0)
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    breaker = Breaker(Random(1))
    for _ in range(3):
        for _ in range(4):
            breaker.failed(0.0)
        breaker.succeeded(0.0)
        assert breaker.state(0.0) is BreakerState.CLOSED
    breaker = _open()
    assert breaker.state(0.0) is BreakerState.OPEN
    assert not breaker.admits(0.0)
    assert 24.0 <= breaker.wait(0.0) <= 36.0


def test_half_of_the_last_twenty_open_it() -> None:
    breaker = Breaker(Random(1))
    for number in range(19):
        breaker.failed(0.0) if number % 2 else breaker.succeeded(0.0)
        assert breaker.state(0.0) is BreakerState.CLOSED
    breaker.failed(0.0)
    assert breaker.state(0.0) is BreakerState.OPEN


def test_half_open_admits_one_query_and_its_end_decides() -> None:
    breaker = _open()
    now = breaker.wait(0.0)
    assert breaker.state(now) is BreakerState.HALF_OPEN
    assert breaker.admits(now)
    assert not breaker.admits(now)
    breaker.succeeded(now)
    assert breaker.state(now) is BreakerState.CLOSED
    assert breaker.admits(now)
    assert breaker.wait(now) == 0.0
    for _ in range(4):
        breaker.failed(now)
    assert breaker.state(now) is BreakerState.CLOSED  # it forgot what was before
    breaker.failed(now)
    assert 24.0 <= breaker.wait(now) <= 36.0  # and how long it had waited


def test_a_trial_that_we_ended_ourselves_is_made_again() -> None:
    breaker = _open()
    now = breaker.wait(0.0)
    assert breaker.admits(now)
    breaker.forget()
    assert breaker.state(now) is BreakerState.HALF_OPEN
    assert breaker.admits(now)


@quick
@given(st.integers(0, 10_000))
def test_pauses_double_up_to_five_minutes(seed: int) -> None:
    breaker, now = _open(seed, give_up=None), 0.0
    for pause in (30, 60, 120, 240, 300, 300, 300):
        wait = breaker.wait(now)
        assert 0.8 * pause <= wait <= 1.2 * pause
        now += wait
        assert breaker.admits(now)
        breaker.failed(now)
        assert not breaker.admits(now)


def test_what_began_before_it_opened_changes_nothing() -> None:
    breaker = _open()
    wait = breaker.wait(0.0)
    breaker.failed(1.0)
    breaker.succeeded(2.0)
    assert breaker.state(2.0) is BreakerState.OPEN
    assert breaker.wait(0.0) == wait
    breaker.failed(wait)  # half open, nobody admitted yet
    assert breaker.state(wait) is BreakerState.HALF_OPEN


def test_after_ten_minutes_it_gives_up() -> None:
    breaker = _open()
    assert breaker.state(599.9) is BreakerState.HALF_OPEN
    assert breaker.state(600.0) is BreakerState.GIVEN_UP
    assert not breaker.admits(600.0)
    breaker.succeeded(600.0)
    assert breaker.state(700.0) is BreakerState.GIVEN_UP
    assert breaker.wait(700.0) == 0.0


@quick
@given(st.integers(0, 1000), st.floats(1, 2000), st.floats(0.01, 10))
def test_a_dead_archive_is_left_alone_and_one_that_comes_back_is_used(
    seed: int, dead_for: float, step: float
) -> None:
    breaker = Breaker(Random(seed), give_up=600.0)
    now, asked_while_dead, good = 0.0, 0, 0
    while now < 3000 and good < 10 and breaker.state(now) is not BreakerState.GIVEN_UP:
        if not breaker.admits(now):
            now += max(breaker.wait(now), 0.001)
        elif now < dead_for:
            asked_while_dead += 1
            breaker.failed(now)
            now += step
        else:
            good += 1
            breaker.succeeded(now)
            now += step
    assert asked_while_dead <= 5 + 6
    if dead_for < 250:
        assert good == 10
    if dead_for > 700:
        assert good == 0
