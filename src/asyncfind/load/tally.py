"""What became of arrivals, in counters and histograms that can be added up."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from asyncfind.load.histogram import Histogram

__all__ = ["LATENCIES", "Ended", "Tally"]

LATENCIES: Final = (
    "response",
    "service",
    "first",
    "streaming",
    "connect",
    "tls",
    "associate",
    "cancel",
    "release",
    "life",
    "wait",
    "error",
    "lag",
)
"""The histograms by name.

response: from the intended instant to the final response (closed: from when its turn came).
service: from C-FIND-RQ to the final response.
first: from C-FIND-RQ to the first response.
streaming: from the first response to the final one.
connect: TCP, with the look-up of the name.
tls: the handshake.
associate: from A-ASSOCIATE-RQ to its answer.
cancel: from C-CANCEL-RQ to the final response.
release: from A-RELEASE-RQ until the connection is closed.
life: of an association, from its acceptance to its end.
wait: from when an arrival was passed on until an association took it.
error: from the intended instant to a failure. Apart: who refuses fast must not look fast.
lag: how late we passed an arrival on; ours, not the peer's. A closed load has no schedule.
"""


@dataclass(slots=True)
class Ended:
    """How one arrival ended; instants on the monotonic clock.

    Args:
        scheduled: when it was meant to begin.
        taken: an association took it up.
        sent: C-FIND-RQ was handed to the kernel; None where nothing was sent.
        first, ended: the first and the final response, or the failure.
        kind: of the failure; empty for a complete one.
        detail: of the failure: a status, a clock, the numbers of a rejection; never peer text.
    """

    scheduled: float
    taken: float
    sent: float | None = None
    first: float | None = None
    ended: float = 0.0
    kind: str = ""
    detail: str = ""


@dataclass(slots=True)
class Tally:
    """Counters and histograms of a time, of a peer, or of the whole.

    Attributes:
        offered: arrivals of the schedule; what became of each is counted below, once.
        completed: final status Success, or our own --cancel; every response read.
        failed: any other end, see `errors`.
        dropped: never sent, as too many waited already.
        skipped: never sent, as it had waited too long (`Load.latency_limit`).
        late: completed, but after more than `Load.latency_limit`.
        censored: still waiting or under way when the run ended. Response and service hold their
            ages by then, which the true values exceed.
        censored_from: the least of these ages in seconds, by histogram.
        responses: pending responses; counted, never decoded.
        octets: of their identifiers.
        associations: accepted.
        refused: attempts to open one that failed.
        errors: failures of arrivals by kind and detail.
        refusals: the same of attempts to open an association; some fail an arrival, too.
    """

    offered: int = 0
    completed: int = 0
    failed: int = 0
    dropped: int = 0
    skipped: int = 0
    censored: int = 0
    late: int = 0
    responses: int = 0
    octets: int = 0
    associations: int = 0
    refused: int = 0
    censored_from: dict[str, float] = field(default_factory=dict)
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    latencies: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram() for name in LATENCIES}
    )

    def record(self, name: str, seconds: float) -> None:
        """Count one latency."""
        self.latencies[name].record(seconds)

    def ended(self, one: Ended) -> None:
        """Count an arrival that came to an end, good or bad."""
        if one.kind:
            self.failed += 1
            self.errors[one.kind, one.detail] += 1
            self.record("error", one.ended - one.scheduled)
            return
        self.completed += 1
        self.record("response", one.ended - one.scheduled)
        if one.sent is not None:
            self.record("service", one.ended - one.sent)
            if one.first is not None:
                self.record("first", one.first - one.sent)
                self.record("streaming", one.ended - one.first)

    def cut_off(self, now: float, scheduled: float, sent: float | None) -> None:
        """Count an arrival that had not ended when the run did."""
        self.censored += 1
        self._aged("response", now - scheduled)
        if sent is not None:
            self._aged("service", now - sent)

    def _aged(self, name: str, seconds: float) -> None:
        self.record(name, seconds)
        self.censored_from[name] = min(seconds, self.censored_from.get(name, seconds))

    def merge(self, other: "Tally") -> None:
        """Add all of `other`."""
        self.offered += other.offered
        self.completed += other.completed
        self.failed += other.failed
        self.dropped += other.dropped
        self.skipped += other.skipped
        self.late += other.late
        self.censored += other.censored
        self.responses += other.responses
        self.octets += other.octets
        self.associations += other.associations
        self.refused += other.refused
        self.errors.update(other.errors)
        self.refusals.update(other.refusals)
        for name, seconds in other.censored_from.items():
            self.censored_from[name] = min(seconds, self.censored_from.get(name, seconds))
        for name, histogram in other.latencies.items():
            self.latencies[name].merge(histogram)

    @property
    def missing(self) -> int:
        """Arrivals that went uncounted: 0 once the run is over, or we have a bug."""
        ended = self.completed + self.failed + self.dropped + self.skipped + self.censored
        return self.offered - ended

    def pack(self) -> None:
        """It is kept, and nothing is counted in it any more: take less memory."""
        for histogram in self.latencies.values():
            histogram.pack()
