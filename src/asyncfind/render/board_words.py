"""Counts as words, for a screen and for plain lines."""

from collections.abc import Iterator, Mapping
from typing import Final

from asyncfind.plan import Peer
from asyncfind.records import Verdict
from asyncfind.render.board_counts import Counts, Event, Node, State
from asyncfind.render.troubles import sentence
from asyncfind.safe import safe

__all__ = [
    "amount",
    "event_words",
    "loss_words",
    "missing_words",
    "pace",
    "progress_words",
    "span",
    "state_words",
    "states_words",
    "unasked_lines",
]

_STATES: Final = (State.BUSY, State.WAITING, State.DONE, State.PARKED, State.FAILED)


def amount(count: int) -> str:
    """A count in at most six characters: `9,999`, `123k`, `1.2M`."""
    if count < 100_000:
        return f"{count:,}"
    if count < 1_000_000:
        return f"{count // 1000}k"
    return f"{count / 1e6:.1f}M" if count < 100_000_000 else f"{count / 1e9:.1f}G"


def pace(per_second: float) -> str:
    """A rate: with one digit behind the point where it is not large."""
    return f"{per_second:.1f}" if per_second < 1000 else f"{per_second:,.0f}"


def span(seconds: float | None) -> str:
    """A time to come, as exact as a guess is."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} days"


def states_words(counts: Counts, now: float) -> list[str]:
    """How many nodes are in each state, those states that occur; slow ones are busy as well."""
    states = counts.states(now)
    slow = states.pop(State.SLOW, 0)
    states[State.BUSY] += slow
    words = [f"{states[one]} {one.name.lower()}" for one in _STATES if states[one]]
    if slow:
        words[0] += f" ({slow} slow)"
    return words


def missing_words(node: Node, missing: int) -> str:
    """How many queries have no complete answer, and why the last of them."""
    of = f" of {node.total:,}" if missing < node.total else ""
    queries = "1 query" if node.total == 1 else f"{missing:,}{of} queries"
    return f"{queries} missing" + (f": {safe(node.trouble)}" if node.trouble else "")


def state_words(node: Node, now: float) -> str:
    """The state of a node as a person would say it."""
    state = node.state(now)
    if state is State.FAILED:
        return safe(node.trouble) or "failed"
    if state is State.DONE:
        return f"{node.lost:,} lost: {safe(node.trouble)}" if node.lost else "done"
    if state is State.PARKED:
        return f"parked for {span(now - node.parked_at)}: {_reason(node.parked)}"
    if state is State.SLOW:
        return f"slow, silent for {now - node.heard:.0f} s"
    if state is State.WAITING:
        return "interrupted" if node.is_stopped else "not yet connected"
    words = ["asking" if node.in_use else "connected"]
    if node.again:
        words.append(f"{node.again:,} again")
    if node.trouble:
        words.append(safe(node.trouble))
    return ", ".join(words)


def _reason(text: str) -> str:
    """Why a node is parked, without for how long it was to be when that was said."""
    before, _, reason = text.partition(" (")
    return safe(reason.removesuffix(")") or before.partition(", ")[2] or before)


def event_words(event: Event, label: str) -> str:
    """What happened in one line, without its time."""
    often = f" ({event.times:,} times)" if event.times > 1 else ""
    return f"{label}{often} {safe(event.text)}"


def loss_words(counts: Counts) -> list[str]:
    """What is not complete: what is suspect, cut and lost, the last by its verdicts."""
    verdicts = dict(counts.verdicts)
    suspect, cut = verdicts.pop(Verdict.SUSPECT, 0), verdicts.pop(Verdict.CUT, 0)
    # Queries of a job that nobody will ask have no verdict of their own yet.
    unasked = sum(node.lost - node.missing for node in counts.nodes.values())
    words = [f"suspect {suspect:,}", f"cut {cut:,}", f"lost {sum(verdicts.values()) + unasked:,}"]
    by_count = sorted(verdicts.items(), key=lambda pair: (-pair[1], pair[0]))
    parts = [f"{count:,} {verdict}" for verdict, count in by_count]
    if unasked:
        parts.append(f"{unasked:,} not asked")
    return [*words, f"({', '.join(parts)})"] if parts else words


def progress_words(counts: Counts, now: float) -> str:
    """The run in one line, for where there is no board."""
    done, total = counts.done, counts.total
    share = int(done * 1000 / total) / 10 if total else 100.0
    left = counts.seconds_left(now)
    parts = [
        f"{done:,} of {total:,} queries ({share:.1f} %)",
        f"{pace(counts.queries.per_second(now))} queries/s",
        f"{pace(counts.rows.per_second(now))} answers/s",
        f"{span(left)} left" if left is not None else "time left unknown",
    ]
    losses = [one for one in loss_words(counts)[:3] if not one.endswith(" 0")]
    return f"{', '.join(parts)}; nodes: {', '.join([*states_words(counts, now), *losses])}."


def unasked_lines(counts: Counts, labels: Mapping[Peer, str]) -> Iterator[str]:
    """For each node that was given up: how many of its queries nobody asked, and why."""
    for peer, node in counts.nodes.items():
        unasked = node.unasked + (node.total - node.ended if node.is_failed else 0)
        if node.is_failed and unasked:
            of = f" of {node.total:,}" if unasked < node.total else ""
            queries = "1 query" if node.total == 1 else f"{unasked:,}{of} queries"
            yield f"{labels[peer]}: {queries} not asked: {sentence(node.trouble)}"
