"""A load as JSON, as `schema/load.schema.json` says; times of latencies are milliseconds."""

import math
from collections.abc import Mapping
from typing import Final

from asyncfind.load.health import Sample
from asyncfind.load.report_words import (
    LAG,
    Latency,
    attainment,
    errors_by_kind,
    headline,
    latency,
    phases,
)
from asyncfind.load.result import Interval, LoadResult
from asyncfind.load.spec import Load
from asyncfind.load.tally import Tally
from asyncfind.load.threshold import Result
from asyncfind.plan import Peer

__all__ = ["SCHEMA_VERSION", "json_report"]

SCHEMA_VERSION: Final = 1
"""Changes when what was there before means something else or is gone."""
_OF_SECONDS: Final = ("response", "service")
"""Latencies that are given for each second too."""


def json_report(result: LoadResult) -> dict[str, object]:
    """The whole load as JSON values. Keys of queries are not in it: they may name patients."""
    load = result.load
    return {
        "schema": SCHEMA_VERSION,
        "model": load.model,
        "exit": int(result.exit),
        "result": headline(result),
        "started": result.started.isoformat(),
        "seconds": round(result.seconds, 6),
        **_measured(load, result.total, result.seconds),
        "client": {
            "verdict": str(result.health.verdict),
            "reasons": list(result.health.reasons),
        },
        "thresholds": [_threshold(one) for one in result.thresholds],
        "reached": result.reached,
        "stopped": result.stopped,
        "edited": list(result.edited),
        "interrupted": result.interrupted,
        "settings": _settings(load),
        "peers": [
            {**_peer(peer), **_measured(load, tally, result.seconds)}
            for peer, tally in zip(load.plan.peers, result.peers, strict=True)
        ],
        "warm_up": _counts(result.warm_up),
        "intervals": [_interval(one) for one in result.intervals],
    }


def _measured(load: Load, tally: Tally, seconds: float) -> dict[str, object]:
    within = attainment(load, tally)
    return {
        **_counts(tally),
        "per_second": {
            "offered": _rate(tally.offered, seconds),
            "completed": _rate(tally.completed, seconds),
            "responses": _rate(tally.responses, seconds),
        },
        "attainment": None if within is None else round(within, 9),
        "errors": _errors(tally.errors),
        "latency": {name: _latency(latency(tally, name)) for name in phases(tally)},
        "schedule_lag": _latency(latency(tally, LAG)),
    }


def _counts(tally: Tally) -> dict[str, object]:
    return {
        "offered": tally.offered,
        "completed": tally.completed,
        "failed": tally.failed,
        "dropped": tally.dropped,
        "skipped": tally.skipped,
        "censored": tally.censored,
        "responses": tally.responses,
        "octets": tally.octets,
        "associations": {
            "opened": tally.associations,
            "failed": tally.refused,
            "errors": _errors(tally.refusals),
        },
    }


def _rate(count: int, seconds: float) -> float | None:
    return round(count / seconds, 3) if seconds > 0 else None


def _errors(errors: Mapping[tuple[str, str], int]) -> dict[str, object]:
    return {
        kind: {"count": sum(details.values()), "details": details}
        for kind, details in errors_by_kind(errors).items()
    }


def _latency(one: Latency) -> dict[str, object]:
    return {"count": one.count, **one.values, "at_least": list(one.at_least)}


def _threshold(one: Result) -> dict[str, object]:
    threshold = one.threshold
    factor, unit = 1.0, "count"
    if threshold.is_time:
        factor, unit = 1000.0, "ms"
    elif threshold.function != "count":
        unit = "share" if threshold.function == "share" else "per_second"
    return {
        "text": threshold.text,
        "unit": unit,
        "limit": round(threshold.limit * factor, 9),
        "value": None if one.value is None else round(one.value * factor, 9),
        "passed": one.passed,
        "at": one.at,
        "aborted": one.aborted,
    }


def _settings(load: Load) -> dict[str, object]:
    schedule = load.schedule
    return {
        "stages": None
        if schedule is None
        else [
            {
                "seconds": None if math.isinf(piece.seconds) else piece.seconds,
                "from": piece.start,
                "to": piece.end,
            }
            for piece in schedule.pieces
        ],
        "seed": None if schedule is None else schedule.seed,
        "count": load.count if schedule is None else schedule.count,
        "duration": load.duration,
        "associations": load.associations,
        "new_associations": load.new_associations,
        "on_saturation": load.on_saturation,
        "most": load.most,
        "latency_limit": load.latency_limit,
        "per_association": load.per_association,
        "backlog": load.backlog,
        "think": load.think,
        "warm_up": load.unmeasured,
        "grace": load.grace,
        "storm_stop": load.storm_stop,
        "queries": len(load.plan.queries),
    }


def _peer(peer: Peer) -> dict[str, object]:
    return {
        "node": peer.node,
        "called": peer.called,
        "calling": peer.calling,
        "host": peer.host,
        "port": peer.port,
        "tls": peer.tls is not None,
    }


def _interval(one: Interval) -> dict[str, object]:
    tally = one.tally
    kinds = errors_by_kind(tally.errors)
    return {
        "at": round(one.at, 6),
        "seconds": round(one.seconds, 6),
        "drain": one.is_drain,
        **_counts(tally),
        "errors": {kind: sum(details.values()) for kind, details in kinds.items()},
        "latency": {name: _latency(latency(tally, name)) for name in _OF_SECONDS},
        "schedule_lag": _latency(latency(tally, LAG)),
        "pool": {"open": one.open, "in_flight": one.in_flight, "waiting": one.waiting},
        "client": _sample(one.sample),
    }


def _sample(sample: Sample) -> dict[str, object]:
    return {
        "schedule_lag_p99": _milliseconds(sample.lag_p99),
        "loop_lag_p99": _milliseconds(sample.loop_p99),
        "cpu": None if sample.cpu is None else round(sample.cpu, 4),
        "descriptors": None if sample.descriptors is None else round(sample.descriptors, 6),
        "exhausted": sample.exhausted,
        "collection": _milliseconds(sample.pause),
        "machine": None if sample.machine is None else round(sample.machine, 4),
        "steal": None if sample.steal is None else round(sample.steal, 4),
        "ports": None if sample.ports is None else round(sample.ports, 6),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
