"""The seconds of a load as CSV (RFC 4180): a row each, always with the same columns."""

from typing import Final

from asyncfind.load.report_words import LAG, PERCENTILES, latency
from asyncfind.load.result import Interval, LoadResult

__all__ = ["COLUMNS", "csv_report"]

_COUNTS: Final = (
    *("offered", "completed", "failed", "dropped", "skipped", "censored"),
    *("responses", "octets"),
)
_POOL: Final = ("open", "in_flight", "waiting")
_LATENCIES: Final = (
    *("response", "service", "first", "streaming"),
    *("connect", "tls", "associate", "wait", "error", LAG),
)
_VALUES: Final = ("mean", *(name for name, _ in PERCENTILES), "max")
_CLIENT: Final = ("loop_lag_p99_ms", "collection_ms", "cpu", "descriptors", "ports", "exhausted")

COLUMNS: Final = (
    *("at", "seconds", "drain", *_COUNTS, "associations_opened", "associations_failed", *_POOL),
    *(
        column
        for name in _LATENCIES
        for column in (f"{name}_count", *(f"{name}_{value}_ms" for value in _VALUES))
    ),
    *_CLIENT,
)
"""The columns in their order. Empty cells are for what there was nothing to measure of."""


def csv_report(result: LoadResult) -> str:
    """A header and a row for each interval; lines end in CR LF, as RFC 4180 has it."""
    rows = [COLUMNS, *map(_row, result.intervals)]
    return "".join(",".join(row) + "\r\n" for row in rows)


def _row(one: Interval) -> list[str]:
    tally, sample = one.tally, one.sample
    row = [_number(round(one.at, 6)), _number(round(one.seconds, 6)), str(int(one.is_drain))]
    row += [str(getattr(tally, name)) for name in _COUNTS]
    row += [str(tally.associations), str(tally.refused)]
    row += [str(getattr(one, name)) for name in _POOL]
    for name in _LATENCIES:
        values = latency(tally, name)
        row += [str(values.count), *(_number(values.values[label]) for label in _VALUES)]
    row += [_number(_milliseconds(value)) for value in (sample.loop_p99, sample.pause)]
    row += [_number(_share(value)) for value in (sample.cpu, sample.descriptors, sample.ports)]
    row.append(str(sample.exhausted))
    return row


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else round(value * 1000, 3)


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"
