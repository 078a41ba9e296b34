"""What a load must come up to: `p99(response) < 500ms`, `share(error) < 0.1%`."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.load.schedule import parse_seconds
from asyncfind.load.tally import LATENCIES, Tally
from asyncfind.safe import safe

__all__ = ["COUNTS", "Result", "Threshold", "parse_threshold"]

COUNTS: Final = ("offered", "completed", "error", "dropped", "skipped", "censored", "responses")
"""What `count`, `share` and `rate` are of."""

_TEXT: Final = re.compile(
    r"\s*(?P<function>[a-z]+[0-9.]*)\s*"
    r"\(\s*(?P<metric>[a-z]+)\s*(?:\{\s*kind\s*=\s*(?P<kind>[a-z-]+)\s*\})?\s*\)\s*"
    r"(?P<operator><=|>=|==|!=|<|>)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>us|µs|ms|s|%|/s|)"
    r"(?:\s+for\s+(?P<window>\S+))?(?P<abort>\s+abort(?:\s+after\s+(?P<after>\S+))?)?\s*"
)
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_TIMES: Final = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_HELP: Final = (
    'Write such as "p99(response) < 500ms", "share(error) < 0.1%", "count(dropped) == 0".'
)
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?|100)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One threshold.

    Args:
        text: as the user wrote it.
        function: `p50` and the like, `mean`, `min`, `max`; `count`, `share`, `rate`.
        metric: one of `LATENCIES`, or of `COUNTS`.
        kind: of errors, only these; empty for all.
        limit: seconds, a share of 1, a rate per second or a count.
        window: holds in every so many seconds on end; None in the whole run.
        abort: end the run once it does not hold.
        after: but not earlier than so many measured seconds.
    """

    text: str
    function: str
    metric: str
    operator: str
    limit: float
    kind: str = ""
    window: float | None = None
    abort: bool = False
    after: float = 0.0

    def value(self, tally: Tally, seconds: float) -> float | None:
        """What is to be compared, of `tally` that took `seconds`; None where there is nothing."""
        if self.metric in LATENCIES and self.function not in ("count", "share", "rate"):
            histogram = tally.latencies[self.metric]
            match self.function:
                case "mean":
                    return histogram.mean
                case "min":
                    return histogram.min
                case "max":
                    return histogram.max
                case _:
                    return histogram.percentile(float(self.function[1:]))
        count = self._count(tally)
        if self.function == "count":
            return float(count)
        if self.function == "rate":
            return count / seconds if seconds > 0 else None
        return count / tally.offered if tally.offered else None

    def holds(self, value: float | None) -> bool:
        """Whether `value` keeps it; nothing measured proves nothing."""
        return value is not None and _OPERATORS[self.operator](value, self.limit)

    @property
    def is_time(self) -> bool:
        """Its values are seconds."""
        return self.function not in ("count", "share", "rate")

    def shown(self, value: float | None) -> str:
        """`value` in words."""
        if value is None:
            return "no data"
        if self.is_time:
            return f"{value * 1000:.4g} ms"
        if self.function == "share":
            return f"{value * 100:.4g} %"
        return f"{value:.4g}/s" if self.function == "rate" else f"{value:.0f}"

    def _count(self, tally: Tally) -> int:
        if self.metric == "error":
            if not self.kind:
                return tally.failed
            return sum(count for (kind, _), count in tally.errors.items() if kind == self.kind)
        if self.metric in LATENCIES:
            return tally.latencies[self.metric].count
        return int(getattr(tally, self.metric))


@dataclass(frozen=True, slots=True)
class Result:
    """How a threshold came out.

    Args:
        value: of the whole run, or of the worst window: the first in which it did not hold.
        at: measured seconds by then, for a window.
        aborted: the run ended because of it.
    """

    threshold: Threshold
    value: float | None
    passed: bool
    at: float | None = None
    aborted: bool = False


def parse_threshold(text: str) -> Threshold:
    """Parse `function(metric) operator number unit [for TIME] [abort [after TIME]]`.

    Raises:
        InvalidRequest: it is none, or compares what cannot be compared.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise _refused(text, "is none")
    function, metric, unit = found["function"], found["metric"], found["unit"]
    if function in ("count", "share", "rate"):
        if metric not in COUNTS:
            raise _refused(text, f"counts '{safe(metric, 20)}', but there is {_listed(COUNTS)}")
        allowed: Sequence[str] = {"count": ("",), "share": ("", "%"), "rate": ("", "/s")}[function]
        factor = 0.01 if unit == "%" else 1.0
    elif function in ("mean", "min", "max") or _PERCENTILE.fullmatch(function):
        if metric not in LATENCIES:
            raise _refused(text, f"times '{safe(metric, 20)}', but there is {_listed(LATENCIES)}")
        allowed, factor = tuple(_TIMES), _TIMES.get(unit, 1.0)
    else:
        raise _refused(text, f"has the unknown function '{safe(function, 20)}'")
    if unit not in allowed:
        raise _refused(text, f"has the unit '{unit}'" if unit else "has no unit, such as ms")
    if found["kind"] and metric != "error":
        raise _refused(text, "has a kind, which only error has")
    if found["kind"] and function not in ("count", "share", "rate"):
        raise _refused(text, "has a kind, which is for count, share and rate")
    window = None if found["window"] is None else parse_seconds(found["window"])
    if window is not None and not (window >= 1 and window == int(window)):
        raise _refused(text, "has a window that is no whole number of seconds")
    return Threshold(
        text=" ".join(text.split()),
        function=function,
        metric=metric,
        operator=found["operator"],
        limit=float(found["number"]) * factor,
        kind=found["kind"] or "",
        window=window,
        abort=found["abort"] is not None,
        after=0.0 if found["after"] is None else parse_seconds(found["after"]),
    )


def _refused(text: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"threshold '{safe(text, 80)}' {why}", _HELP)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
