"""What all reports of a load say in the same words: latencies, pace, verdict, settings."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from asyncfind.load.result import LoadResult
from asyncfind.load.schedule import Piece
from asyncfind.load.spec import Load
from asyncfind.load.tally import Tally
from asyncfind.records import ExitCode
from asyncfind.safe import safe

__all__ = [
    "LAG",
    "PERCENTILES",
    "Latency",
    "attainment",
    "errors_by_kind",
    "floored",
    "headline",
    "latencies",
    "latency",
    "milliseconds",
    "model_words",
    "pace_words",
    "phases",
    "rate_words",
    "state_words",
    "title_of",
]

LAG: Final = "lag"
"""The one histogram that is about ourselves."""
PERCENTILES: Final = (("p50", 50.0), ("p90", 90.0), ("p95", 95.0), ("p99", 99.0), ("p999", 99.9))
"""What every report gives of a latency: its name and the percentile."""
_TITLES: Final = {
    "response": "response (schedule)",
    "service": "service (send)",
    "first": "first response",
    "wait": "pool wait",
    "error": "errors",
    LAG: "schedule lag",
}
_MICRO: Final = 1_000_000
_TENTHS: Final = 100
"""Rates from here on are shown without digits behind the point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The figures of one histogram, in milliseconds; None where nothing was recorded.

    Args:
        values: by name: mean, those of `PERCENTILES`, max.
        at_least: names of the values that the true ones may exceed: queries that had not ended
            when the run did are counted with their age by then.
    """

    name: str
    count: int
    values: dict[str, float | None]
    at_least: tuple[str, ...] = ()


def latency(tally: Tally, name: str) -> Latency:
    """The figures of the histogram `name`."""
    histogram = tally.latencies[name]
    seconds = {"mean": histogram.mean}
    seconds |= {label: histogram.percentile(percent) for label, percent in PERCENTILES}
    seconds["max"] = histogram.max
    at_least: list[str] = []
    if (censored := tally.censored_from.get(name)) is not None:
        # In whole microseconds, as the histogram rounded them.
        least = round(censored * _MICRO)
        at_least = [
            label
            for label, value in seconds.items()
            if value is not None and (label == "mean" or round(value * _MICRO) >= least)
        ]
    values = {
        label: None if value is None else round(value * 1000, 3) for label, value in seconds.items()
    }
    return Latency(name=name, count=histogram.count, values=values, at_least=tuple(at_least))


def phases(tally: Tally) -> list[str]:
    """The names of the peers' latencies; the schedule lag is ours."""
    return [name for name in tally.latencies if name != LAG]


def latencies(tally: Tally) -> Iterator[Latency]:
    """The figures of all latencies that something was recorded of, the schedule lag at the end."""
    for name in (*phases(tally), LAG):
        if tally.latencies[name]:
            yield latency(tally, name)


def title_of(name: str, model: str) -> str:
    """What a latency is called; in a closed load there is no schedule."""
    if name == "response" and model == "closed":
        return "response (turn)"
    return _TITLES.get(name, name)


def errors_by_kind(errors: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Failures by kind and detail, the most frequent first."""
    kinds: dict[str, dict[str, int]] = {}
    for (kind, detail), count in sorted(errors.items(), key=lambda one: (-one[1], one[0])):
        details = kinds.setdefault(str(kind), {})
        details[detail] = details.get(detail, 0) + count
    return dict(sorted(kinds.items(), key=lambda one: -sum(one[1].values())))


def attainment(load: Load, tally: Tally) -> float | None:
    """The share of arrivals complete within the limit; None where there is no limit.

    Percentiles of successes are silent about failures, this is not.
    """
    if load.latency_limit is None or not tally.offered:
        return None
    return (tally.completed - tally.late) / tally.offered


def model_words(load: Load) -> str:
    """The model, in words that nobody takes for the other one."""
    if load.model == "closed":
        return "closed: the load waits for the peer"
    return "open: the schedule sets the pace"


def pace_words(load: Load) -> str:
    """How fast queries are meant to begin."""
    if load.schedule is None:
        words = f"{load.associations} at a time to each peer"
        return words + (f", {load.think:g} s of thinking between" if load.think else "")
    pieces = load.schedule.pieces
    if load.unmeasured and len(pieces) > 1:
        pieces = pieces[1:]
    if len(pieces) == 1 and pieces[0].start == pieces[0].end:
        words = f"{pieces[0].start:g}/s constant"
    else:
        words = ", ".join(map(_piece_words, pieces))
    if load.schedule.seed is None:
        return words
    return f"{words}, Poisson arrivals, seed {load.schedule.seed}"


def _piece_words(piece: Piece) -> str:
    rates = f"{piece.start:g}/s"
    if piece.start != piece.end:
        rates = f"{piece.start:g}..{piece.end:g}/s"
    return rates if math.isinf(piece.seconds) else f"{rates} for {piece.seconds:g} s"


def headline(result: LoadResult) -> str:
    """What decided the exit code, in a few words."""
    match result.exit:
        case ExitCode.COMPLETE:
            return _passed(result)
        case ExitCode.NO_ASSOCIATION:
            return "no association could be opened"
        case ExitCode.THRESHOLD:
            failed = sum(not one.passed for one in result.thresholds)
            return f"{failed} of {_counted(len(result.thresholds), 'threshold')} failed"
        case ExitCode.SATURATED:
            return "the client was saturated: results are a lower bound"
        case ExitCode.INTERRUPTED:
            return "interrupted"
        case ExitCode.INCOMPLETE:
            total = result.total
            missing = total.offered - total.completed
            if not total.offered:
                return "nothing was measured"
            if missing > 0:
                return f"{missing:,} of {_counted(total.offered, 'query')} not complete"
            return result.stopped or "the plan was not met"
        case _:
            return f"exit {int(result.exit)}"


def _passed(result: LoadResult) -> str:
    if not (count := len(result.thresholds)):
        return "every query complete"
    if count == 1:
        return "the threshold holds"
    return "both thresholds hold" if count == 2 else f"all {count} thresholds hold"


def _counted(count: int, noun: str) -> str:
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"


def state_words(result: LoadResult) -> list[str]:
    """What sets this run apart from a plain one; empty as a rule."""
    lines = []
    if result.interrupted:
        lines.append("INTERRUPTED by the user")
    if result.stopped:
        lines.append(f"STOPPED {safe(result.stopped)}")
    lines += [f"EDITED {safe(one)}" for one in result.edited]
    if result.total.missing:
        lines.append(f"{result.total.missing:,} queries went uncounted: this is a bug of ours")
    return lines


def rate_words(per_second: float) -> str:
    """A rate with as many digits as mean something."""
    return f"{per_second:,.0f}" if per_second >= _TENTHS else f"{per_second:.1f}"


def milliseconds(value: float | None) -> str:
    """Milliseconds with as many digits as mean something."""
    if value is None:
        return "–"
    if value < 1:
        return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
    return f"{value:.1f}" if value < 10_000 else f"{value:,.0f}"


def floored(share: float) -> str:
    """A share in percent, not 100 before it is whole."""
    return f"{math.floor(share * 10_000) / 100:.2f}"
