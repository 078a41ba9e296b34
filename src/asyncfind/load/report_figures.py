"""The figures of the page: what became of queries, how long they took, how the client did."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from asyncfind.load.health import Sample
from asyncfind.load.histogram import Histogram
from asyncfind.load.report_plot import (
    HEIGHT,
    WIDTH,
    Axis,
    Figure,
    Series,
    axis_of,
    clock_axis,
    log_axis,
)
from asyncfind.load.report_words import LAG, errors_by_kind, title_of
from asyncfind.load.result import Interval, LoadResult, merged

__all__ = ["figures", "folded"]

POINTS: Final = 600
"""The most points of a line: more than a screen can tell apart."""
_CELLS: Final = 150
"""The most columns of the heat map."""
_SHADES: Final = 7
_ROWS: Final = 24
"""Rows of the heat map for a factor of ten."""
_KINDS: Final = 5
"""Kinds of errors that have a colour of their own."""
_CURVES: Final = {"response": 1, "service": 4, "first": 3, "error": 5}
"""Latencies whose percentiles are drawn, and their colours."""


def figures(result: LoadResult) -> list[Figure]:
    """All figures that there is something for."""
    if not result.intervals:
        return []
    seconds = folded(result.intervals, POINTS)
    made = [
        _rates(seconds),
        _latency(seconds, result),
        _heat(result),
        _curve(result),
        _not_complete(seconds),
        _pool(seconds),
        _lags(seconds),
        _cpu(seconds),
    ]
    return [one for one in made if one is not None]


def folded(intervals: Sequence[Interval], most: int) -> list[Interval]:
    """No more intervals than `most`: neighbours are merged, of the client the worst is kept.

    Those that are less than half as long as the first are merged too: a rate of a few milliseconds
    is noise.
    """
    size = math.ceil(len(intervals) / most)
    groups: list[list[Interval]] = []
    for one in intervals:
        is_short = one.seconds < intervals[0].seconds / 2
        if groups and (is_short or len(groups[-1]) < size):
            groups[-1].append(one)
        else:
            groups.append([one])
    return [group[0] if len(group) == 1 else _merged(group) for group in groups]


def _merged(group: Sequence[Interval]) -> Interval:
    samples = [one.sample for one in group]
    return Interval(
        at=group[0].at,
        seconds=sum(one.seconds for one in group),
        tally=merged([one.tally for one in group]),
        sample=Sample(
            lag_p99=_worst(one.lag_p99 for one in samples),
            response_p50=_worst(one.response_p50 for one in samples),
            loop_p99=_worst(one.loop_p99 for one in samples),
            cpu=_worst(one.cpu for one in samples),
            descriptors=_worst(one.descriptors for one in samples),
            exhausted=sum(one.exhausted for one in samples),
        ),
        in_flight=max(one.in_flight for one in group),
        waiting=max(one.waiting for one in group),
        open=max(one.open for one in group),
    )


def _worst(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _over_time(intervals: Sequence[Interval]) -> tuple[list[float], Axis]:
    """Each interval is shown at its middle."""
    end = intervals[-1].at + intervals[-1].seconds
    return [one.at + one.seconds / 2 for one in intervals], clock_axis(end)


def _rates(seconds: Sequence[Interval]) -> Figure:
    x, x_axis = _over_time(seconds)
    offered = [_rate(one, one.tally.offered) for one in seconds]
    completed = [_rate(one, one.tally.completed) for one in seconds]
    failed = [_rate(one, one.tally.failed) for one in seconds]
    return Figure(
        name="rates",
        title="Queries per second",
        note="What was to begin, what ended complete, what failed.",
        x=x,
        x_axis=x_axis,
        y_axis=axis_of(max((*offered, *completed, *failed)), "/s"),
        series=(
            Series(name="completed", values=completed, colour=1, form="area"),
            Series(name="offered", values=offered, colour=6, form="dashed"),
            Series(name="failed", values=failed, colour=4),
        ),
        unit="/s",
    )


def _rate(one: Interval, count: int) -> float:
    return count / one.seconds if one.seconds > 0 else 0.0


def _latency(seconds: Sequence[Interval], result: LoadResult) -> Figure | None:
    x, x_axis = _over_time(seconds)
    lines: list[tuple[str, str, float, int]] = [
        ("response", "max", 100, 5),
        ("response", "p99", 99, 1),
        ("response", "p90", 90, 2),
        ("response", "p50", 50, 3),
        ("service", "p99", 99, 4),
    ]
    series = [
        Series(
            name=f"{name} {label}",
            values=[_percentile(one.tally.latencies[name], percent) for one in seconds],
            colour=colour,
            form="line" if name == "response" else "dashed",
        )
        for name, label, percent, colour in lines
    ]
    if not (values := _present(series)):
        return None
    model = result.load.model
    note = (
        "Response counts from the schedule, service from the send: what is between waited."
        if model == "open"
        else "Closed: the load waits for the peer, so a slow peer is asked less."
    )
    return Figure(
        name="latency",
        title="Latency over time",
        note=note,
        x=x,
        x_axis=x_axis,
        y_axis=log_axis(values, "ms"),
        series=series,
        unit="ms",
    )


def _percentile(histogram: Histogram, percent: float) -> float | None:
    seconds = histogram.percentile(percent)
    return None if seconds is None else seconds * 1000


def _present(series: Sequence[Series]) -> list[float]:
    return [value for one in series for value in one.values if value is not None]


def _heat(result: LoadResult) -> Figure | None:
    columns = folded(result.intervals, _CELLS)
    x, x_axis = _over_time(columns)
    whole = result.total.latencies["response"]
    if not whole:
        return None
    values = [highest / 1000 for highest, _ in whole.buckets()]
    y_axis = log_axis(values, "ms")
    rows = max(6, round(_ROWS * math.log10(y_axis.high / y_axis.low)))
    grid = []
    for one in columns:
        cells: dict[int, int] = {}
        for highest, count in one.tally.latencies["response"].buckets():
            row = min(rows - 1, int(y_axis.share(highest / 1000) * rows))
            cells[row] = cells.get(row, 0) + count
        grid.append(cells)
    most = max((count for cells in grid for count in cells.values()), default=1)
    return Figure(
        name="heat",
        title="Responses by time and latency",
        note="The stronger the colour, the more queries: a second band is what a mean hides.",
        x=x,
        x_axis=x_axis,
        y_axis=y_axis,
        series=(),
        unit="ms",
        under=_cells(columns, x_axis, grid, rows, most),
    )


def _cells(
    columns: Sequence[Interval],
    x_axis: Axis,
    grid: Sequence[dict[int, int]],
    rows: int,
    most: int,
) -> str:
    """Rectangles, those of one shade as one path."""
    shades: dict[int, list[str]] = {}
    height = HEIGHT / rows
    for one, cells in zip(columns, grid, strict=True):
        left = x_axis.share(one.at) * WIDTH
        width = one.seconds / x_axis.high * WIDTH
        for row, count in cells.items():
            # By the logarithm: one slow query among a thousand is what one looks for.
            part = math.log1p(count) / math.log1p(most)
            shade = max(1, math.ceil(part * _SHADES))
            top = HEIGHT - (row + 1) * height
            path = f"M{left:.1f} {top:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}z"
            shades.setdefault(shade, []).append(path)
    return "".join(
        f'<path class="heat h{shade}" d="{"".join(paths)}"/>'
        for shade, paths in sorted(shades.items())
    )


def _curve(result: LoadResult) -> Figure | None:
    """Percentiles on a scale on which each nine has the same room."""
    histograms = {
        name: histogram
        for name in _CURVES
        if (histogram := result.total.latencies[name]) and (name != "error" or histogram.count > 1)
    }
    if not histograms:
        return None
    most = max(histogram.count for histogram in histograms.values())
    nines = min(6.0, max(2.0, math.log10(most)))
    steps = [index * nines / 120 for index in range(121)]
    percents = [100 * (1 - 10**-step) for step in steps]
    series = []
    for name, histogram in histograms.items():
        # Beyond its own last value a curve has nothing to say.
        last = math.log10(histogram.count) if histogram.count > 1 else 0.0
        values = [
            _percentile(histogram, percent) if step <= last + nines / 120 else None
            for step, percent in zip(steps, percents, strict=True)
        ]
        series.append(
            Series(
                name=title_of(name, result.load.model),
                values=values,
                colour=_CURVES[name],
                form="dashed" if name == "service" else "line",
            )
        )
    ticks = [(math.log10(2), "50 %")]
    ticks += [(float(nine), _nines(nine)) for nine in range(1, int(nines) + 1)]
    return Figure(
        name="curve",
        title="Percentiles of the whole run",
        note="Each nine has the same room: the tail is where users wait.",
        x=steps,
        x_axis=Axis(0.0, nines, tuple(ticks)),
        y_axis=log_axis(_present(series), "ms"),
        series=series,
        unit="ms",
        labels=[f"{percent:.6g} %" for percent in percents],
    )


def _nines(count: int) -> str:
    return f"{100 - 10.0 ** (2 - count):.10g} %"


def _not_complete(seconds: Sequence[Interval]) -> Figure | None:
    """What failed by kind, what was dropped and what was cut off, one upon the other."""
    total = merged([one.tally for one in seconds])
    kinds = list(errors_by_kind(total.errors))
    named = kinds if len(kinds) <= _KINDS else kinds[: _KINDS - 1]
    counts: dict[str, list[float]] = {kind: [] for kind in named}
    other: list[float] = []
    for one in seconds:
        errors = errors_by_kind(one.tally.errors)
        for kind in named:
            counts[kind].append(_rate(one, sum(errors.get(kind, {}).values())))
        rest = sum(sum(errors[kind].values()) for kind in errors if kind not in named)
        other.append(_rate(one, rest))
    counts["other errors"] = other
    counts["dropped"] = [_rate(one, one.tally.dropped) for one in seconds]
    counts["skipped"] = [_rate(one, one.tally.skipped) for one in seconds]
    counts["censored"] = [_rate(one, one.tally.censored) for one in seconds]
    counts = {name: values for name, values in counts.items() if any(values)}
    if not counts:
        return None
    x, x_axis = _over_time(seconds)
    base = [0.0] * len(seconds)
    series = []
    for colour, (name, values) in zip((4, 5, 7, 8, 1, 2, 3, 6, 9), counts.items(), strict=False):
        top = [low + value for low, value in zip(base, values, strict=True)]
        series.append(Series(name=name, values=top, colour=colour, form="area", base=base))
        base = top
    return Figure(
        name="trouble",
        title="Not complete, per second",
        note="One upon the other; the line on top is their sum.",
        x=x,
        x_axis=x_axis,
        y_axis=axis_of(max(base), "/s"),
        series=series,
        unit="/s",
    )


def _pool(seconds: Sequence[Interval]) -> Figure | None:
    x, x_axis = _over_time(seconds)
    waiting = [float(one.waiting) for one in seconds]
    busy = [float(one.in_flight) for one in seconds]
    opened = [float(one.open) for one in seconds]
    if not any((*waiting, *busy, *opened)):
        return None
    return Figure(
        name="pool",
        title="Associations",
        note="At each second's end: open, at work, and queries that wait for a free one.",
        x=x,
        x_axis=x_axis,
        y_axis=axis_of(max((*waiting, *busy, *opened)), ""),
        series=(
            Series(name="open", values=opened, colour=6, form="dashed"),
            Series(name="in flight", values=busy, colour=1),
            Series(name="waiting", values=waiting, colour=5, form="area"),
        ),
        unit="",
    )


def _lags(seconds: Sequence[Interval]) -> Figure | None:
    x, x_axis = _over_time(seconds)
    lag = [_percentile(one.tally.latencies[LAG], 99) for one in seconds]
    loop = [None if one.sample.loop_p99 is None else one.sample.loop_p99 * 1000 for one in seconds]
    series = (
        Series(name="schedule lag p99", values=lag, colour=1),
        Series(name="loop lag p99", values=loop, colour=4, form="dashed"),
    )
    if not (values := _present(series)):
        return None
    return Figure(
        name="lag",
        title="Client: how late we were ourselves",
        note="Above 5 ms the client begins to colour the results, above 50 ms it spoils them.",
        x=x,
        x_axis=x_axis,
        y_axis=log_axis(values, "ms"),
        series=series,
        unit="ms",
    )


def _cpu(seconds: Sequence[Interval]) -> Figure | None:
    x, x_axis = _over_time(seconds)
    cpu = [None if one.sample.cpu is None else one.sample.cpu * 100 for one in seconds]
    if not (values := [value for value in cpu if value is not None]):
        return None
    return Figure(
        name="cpu",
        title="Client: share of a processor core",
        note="Near 100 % the client is the bottleneck, not the peer.",
        x=x,
        x_axis=x_axis,
        y_axis=axis_of(max(100.0, *values), "%"),
        series=(Series(name="CPU", values=cpu, colour=3, form="area"),),
        unit="%",
    )
