"""Keeps what happens, by peer and by second."""

import math
import time
from collections.abc import Sequence

from asyncfind.errors import Kind
from asyncfind.load.tally import Tally

__all__ = ["Meter", "storm"]


class Meter:
    """The tallies of one run; only the present second is written to.

    Attributes:
        peers: of all seconds before it, by peer, in the plan's order; not kept where there is one
            peer only.
        warm_up: of what is not measured, the present second not counted.
        measured_from: monotonic instant at which the warm-up is over.
        cut_at: at which what is not over is censored, however long its clean-up takes.
        reached: an association was opened.
        in_flight: arrivals that associations are at work on.
        open: associations.
    """

    def __init__(self, peers: int) -> None:
        self.peers = [Tally() for _ in range(peers)]
        self.warm_up = Tally()
        self.measured_from = math.inf
        self.cut_at = math.inf
        self.reached = False
        self.in_flight = 0
        self.open = 0
        self._now = [Tally() for _ in range(peers)]
        self._warm = Tally()

    def tally(self, peer: int, *, measured: bool) -> Tally:
        """Where to count what becomes of an arrival."""
        return self._now[peer] if measured else self._warm

    def current(self, peer: int) -> Tally:
        """Where to count what happens now to an association."""
        is_measured = time.monotonic() >= self.measured_from
        return self._now[peer] if is_measured else self._warm

    def turn(self) -> Tally:
        """Begin a new second; returns what the one before brought, all peers together."""
        tallies = self._now
        self._now = [Tally() for _ in self.peers]
        if len(tallies) == 1:  # the sum is known elsewhere
            return tallies[0]
        second = Tally()
        for peer, tally in zip(self.peers, tallies, strict=True):
            peer.merge(tally)
            second.merge(tally)
        return second

    def turn_warm(self) -> Tally:
        """The same of what is not measured."""
        warm, self._warm = self._warm, Tally()
        self.warm_up.merge(warm)
        return warm


def storm(seconds: Sequence[Tally]) -> str:
    """Whether the peers have shown in these seconds that they have enough; empty for no."""
    opened = sum(one.associations for one in seconds)
    refused = sum(one.refused for one in seconds)
    if refused >= 5 and refused >= opened:
        return f"{refused} of {refused + opened} association requests failed"
    finals = sum(one.completed + one.failed for one in seconds)
    full = sum(one.errors[Kind.STATUS, "A700"] for one in seconds)
    if full >= 5 and full * 5 >= finals:
        return f"{full} of {finals} queries ended in A700, out of resources"
    return ""
