"""A load in the text format of Prometheus (exposition format 0.0.4): for the textfile collector."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from asyncfind.load.health import Strength
from asyncfind.load.histogram import Histogram
from asyncfind.load.report_words import LAG, PERCENTILES, errors_by_kind, phases
from asyncfind.load.result import LoadResult
from asyncfind.load.tally import Tally
from asyncfind.plan import Peer

__all__ = ["prometheus_report"]

_PREFIX: Final = "asyncfind_load"
_ESCAPES: Final = {"\\": r"\\", '"': r"\"", "\n": r"\n"}
_SPECIAL: Final = re.compile(r'[\\"\n]')
_OUTCOMES: Final = ("completed", "failed", "dropped", "skipped", "censored")


def prometheus_report(result: LoadResult) -> str:
    """Families with HELP and TYPE; counts and latencies by node, quantiles also of all nodes.

    Quantiles of several nodes cannot be computed from those of each: `all` has them merged.
    """
    peers = list(zip(result.load.plan.peers, result.peers, strict=True))
    families = [
        ("arrivals_total", "counter", "Queries by what became of them.", _arrivals(peers)),
        ("errors_total", "counter", "Failures by kind and detail.", _errors(peers)),
        ("responses_total", "counter", "Pending responses.", _each(peers, "responses")),
        ("received_bytes_total", "counter", "Identifiers received.", _each(peers, "octets")),
        ("associations_total", "counter", "Associations opened.", _each(peers, "associations")),
        (
            "associations_failed_total",
            "counter",
            "Associations that could not be opened.",
            _each(peers, "refused"),
        ),
        ("latency_seconds", "summary", "Latencies by phase.", _latencies(peers)),
        (
            "latency_all_seconds",
            "summary",
            "Latencies by phase, all nodes together.",
            _summaries(result.total, {}),
        ),
        (
            "schedule_lag_seconds",
            "summary",
            "How late the client was itself.",
            _summary(result.total.latencies[LAG], {}),
        ),
        ("threshold_passed", "gauge", "1 where a threshold holds.", _thresholds(result)),
        ("client_verdict", "gauge", "1 for the verdict on the client.", _client(result)),
        ("duration_seconds", "gauge", "Measured time.", [("", {}, result.seconds)]),
        (
            "start_time_seconds",
            "gauge",
            "When the measurement began.",
            [("", {}, result.started.timestamp())],
        ),
        ("exit_code", "gauge", "Exit code of the run.", [("", {}, float(result.exit))]),
    ]
    lines: list[str] = []
    for name, kind, help_text, samples in families:
        lines += [f"# HELP {_PREFIX}_{name} {help_text}", f"# TYPE {_PREFIX}_{name} {kind}"]
        for suffix, labels, value in samples:
            lines.append(f"{_PREFIX}_{name}{suffix}{_braced(labels)} {value:.15g}")
    return "".join(f"{line}\n" for line in lines)


_Samples = Iterator[tuple[str, Mapping[str, str], float]]
_Peers = list[tuple[Peer, Tally]]


def _arrivals(peers: _Peers) -> _Samples:
    for peer, tally in peers:
        for outcome in _OUTCOMES:
            labels = {"node": peer.node, "outcome": outcome}
            yield "", labels, float(getattr(tally, outcome))


def _errors(peers: _Peers) -> _Samples:
    for peer, tally in peers:
        for kind, details in errors_by_kind(tally.errors).items():
            for detail, count in details.items():
                yield "", {"node": peer.node, "kind": kind, "detail": detail}, float(count)


def _each(peers: _Peers, attribute: str) -> _Samples:
    for peer, tally in peers:
        yield "", {"node": peer.node}, float(getattr(tally, attribute))


def _latencies(peers: _Peers) -> _Samples:
    for peer, tally in peers:
        yield from _summaries(tally, {"node": peer.node})


def _summaries(tally: Tally, labels: Mapping[str, str]) -> _Samples:
    for phase in phases(tally):
        if histogram := tally.latencies[phase]:
            yield from _summary(histogram, {**labels, "phase": phase})


def _summary(histogram: Histogram, labels: Mapping[str, str]) -> _Samples:
    for _, percent in PERCENTILES:
        if (value := histogram.percentile(percent)) is not None:
            yield "", {**labels, "quantile": f"{percent / 100:g}"}, value
    if (largest := histogram.max) is not None:
        yield "", {**labels, "quantile": "1"}, largest
    yield "_sum", labels, histogram.total / 1e6
    yield "_count", labels, float(histogram.count)


def _thresholds(result: LoadResult) -> _Samples:
    # The same text twice would be the same series twice, which readers refuse.
    for text in dict.fromkeys(one.threshold.text for one in result.thresholds):
        passed = all(one.passed for one in result.thresholds if one.threshold.text == text)
        yield "", {"threshold": text}, float(passed)


def _client(result: LoadResult) -> _Samples:
    for verdict in Strength:
        yield "", {"verdict": str(verdict)}, float(verdict is result.health.verdict)


def _braced(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (
        f'{name}="{_SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)}"'
        for name, value in labels.items()
    )
    return f"{{{','.join(pairs)}}}"
