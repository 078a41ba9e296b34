"""Plots as HTML with SVG inside: made here, so that they can be read without any script.

The SVG holds lines and areas only and is stretched to whatever room there is; labels are HTML
beside it, so that they keep their size. Zooming is a change of the view box. The page's script
adds that, and a cursor that reads out values.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final, Literal

__all__ = [
    "HEIGHT",
    "WIDTH",
    "Axis",
    "Figure",
    "Series",
    "axis_of",
    "clock_axis",
    "figure",
    "log_axis",
    "number",
]

WIDTH: Final = 1000
HEIGHT: Final = 300
"""Of all view boxes."""
_STEPS: Final = (1, 2, 2.5, 5, 10)
_LOG_STEPS: Final = (1, 2, 5)
_TICKS: Final = 5
_LOG_TICKS: Final = 8
"""More labels than these are too many; those of the powers of ten are left then."""
_CLOCK_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale, upwards or to the right.

    Args:
        low, high: of its values.
        ticks: values that have a line and a label, and the labels.
        is_log: logarithmic; what is not above `low` is shown there.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value is: 0 at the low end, 1 at the high one."""
        if self.is_log:
            value = math.log(max(value, self.low) / self.low)
            return value / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, or area above another line.

    Args:
        values: by the x values of its figure; None leaves a gap.
        colour: the number of a colour of the page.
        form: a line, a dashed line, or an area down to `base`.
        base: lower edge of an area; None is the axis.
    """

    name: str
    values: Sequence[float | None]
    colour: int
    form: Literal["line", "dashed", "area"] = "line"
    base: Sequence[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One plot.

    Args:
        name: in the page, unique.
        note: what one should know to read it.
        x: values of the points, ascending.
        labels: what the cursor calls them; None for a time axis, which the page's script labels.
        unit: of the values: `ms`, `/s`, `%`; what `number` knows.
        under: SVG below the lines.
    """

    name: str
    title: str
    note: str
    x: Sequence[float]
    x_axis: Axis
    y_axis: Axis
    series: Sequence[Series]
    unit: str
    labels: Sequence[str] | None = None
    under: str = field(default="", repr=False)

    @property
    def data(self) -> dict[str, object]:
        """What the page's script reads values from."""
        return {
            "time": self.labels is None,
            "seconds": self.x_axis.high,
            "unit": self.unit,
            "x": [round(self.x_axis.share(value) * WIDTH, 1) for value in self.x],
            "labels": None if self.labels is None else list(self.labels),
            "series": [
                {"name": one.name, "values": [_short(value) for value in one.values]}
                for one in self.series
            ],
        }


def axis_of(highest: float, unit: str, lowest: float = 0.0) -> Axis:
    """A linear axis from `lowest` to a round number."""
    span = highest - lowest if highest > lowest else 1.0
    rough = span / _TICKS
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(step * scale for step in _STEPS if step * scale >= rough * 0.999)
    if not unit:
        step = float(max(1, math.ceil(step)))  # of a count there are no parts
    count = max(1, math.ceil(span / step - 1e-9))
    values = [lowest + step * index for index in range(count + 1)]
    return Axis(lowest, values[-1], tuple((value, number(value, unit)) for value in values))


def log_axis(values: Iterable[float], unit: str) -> Axis:
    """A logarithmic axis that holds all values above 0."""
    above = [value for value in values if value > 0]
    low, high = (min(above), max(above)) if above else (1.0, 10.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1
    steps = [step * 10.0**power for power in range(first, last + 1) for step in _LOG_STEPS]
    start = max(index for index, step in enumerate(steps) if step <= low * 1.000001)
    end = min(index for index, step in enumerate(steps) if step >= high * 0.999999)
    end = max(end, start + 3)
    shown = steps[start : end + 1]
    labelled = shown
    if len(shown) > _LOG_TICKS:
        labelled = [
            step for step in shown if abs(math.log10(step) - round(math.log10(step))) < 1e-6
        ]
    ticks = tuple((step, number(step, unit)) for step in labelled)
    return Axis(shown[0], shown[-1], ticks, is_log=True)


def clock_axis(seconds: float) -> Axis:
    """A time axis from 0 to `seconds`."""
    step = next((one for one in _CLOCK_STEPS if seconds / one <= _TICKS + 1), _CLOCK_STEPS[-1])
    ticks = [step * index for index in range(int(seconds / step) + 1)]
    return Axis(0.0, max(seconds, 1e-6), tuple((float(tick), _clock(tick)) for tick in ticks))


def number(value: float, unit: str) -> str:
    """A value and its unit, as an axis has it."""
    if unit != "ms":
        return f"{value:,.10g}{' %' if unit == '%' else unit}"
    if value == 0:
        return "0"
    if value < 1:
        return f"{value * 1000:.4g} µs"
    return f"{value:.4g} ms" if value < 1000 else f"{value / 1000:.4g} s"


def figure(one: Figure) -> str:
    """The markup of a figure. All text is escaped here."""
    drawn = "".join(_drawn(index, series, one) for index, series in enumerate(one.series))
    grid = "".join(
        f'<path class="grid" d="M0 {_y(one.y_axis, value)}h{WIDTH}"/>'
        for value, _ in one.y_axis.ticks
    )
    kind = ' data-time=""' if one.labels is None else ""
    named = escape(one.name, quote=True)
    return (
        f'<figure class="figure" id="{named}" data-figure="{named}"{kind}>'
        f"<figcaption><h3>{escape(one.title)}</h3><p>{escape(one.note)}</p></figcaption>"
        f'<div class="legend">{_legend(one.series)}</div>'
        '<div class="plot"><div class="y-labels" aria-hidden="true">'
        f"{_labels(one.y_axis, 'bottom')}</div>"
        f'<div class="pane" tabindex="0" role="img" aria-label="{escape(one.title, quote=True)}">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{grid}{one.under}{drawn}</svg></div>"
        f'<div class="x-labels" aria-hidden="true">{_labels(one.x_axis, "left")}</div>'
        "</div></figure>"
    )


def _legend(series: Sequence[Series]) -> str:
    return "".join(
        f'<button type="button" aria-pressed="true" data-toggle="{index}">'
        f'<i class="swatch c{one.colour} {one.form}"></i>{escape(one.name)}</button>'
        for index, one in enumerate(series)
    )


def _labels(axis: Axis, side: str) -> str:
    return "".join(
        f'<span style="{side}:{axis.share(value) * 100:.2f}%">{escape(label)}</span>'
        for value, label in axis.ticks
    )


def _drawn(index: int, one: Series, of: Figure) -> str:
    pieces = list(_pieces(one, of))
    if one.form == "area":
        path = "".join(map(_closed, pieces))
    else:
        path = "".join(
            f"M{' '.join(upper)}{'h0' if len(upper) == 1 else ''}" for upper, _ in pieces
        )
    return f'<path class="{one.form} c{one.colour}" data-series="{index}" d="{path}"/>'


def _pieces(one: Series, of: Figure) -> Iterable[tuple[list[str], list[str]]]:
    """Points of the line and of its base, from gap to gap."""
    upper: list[str] = []
    lower: list[str] = []
    for place, (x, value) in enumerate(zip(of.x, one.values, strict=True)):
        if value is None:
            if upper:
                yield upper, lower
            upper, lower = [], []
            continue
        across = f"{of.x_axis.share(x) * WIDTH:.1f}"
        base = of.y_axis.low if one.base is None else one.base[place]
        upper.append(f"{across} {_y(of.y_axis, value)}")
        lower.append(f"{across} {_y(of.y_axis, base)}")
    if upper:
        yield upper, lower


def _closed(piece: tuple[list[str], list[str]]) -> str:
    upper, lower = piece
    return f"M{' '.join(upper)} {' '.join(reversed(lower))}z"


def _y(axis: Axis, value: float) -> str:
    return f"{(1 - axis.share(value)) * HEIGHT:.1f}"


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{second:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"
