"""Counts what happened and says how the run ended."""

from collections import Counter
from collections.abc import Sequence

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan
from asyncfind.records import Associated, ExitCode, FindDone, Record, Summary, Verdict

__all__ = ["Tally", "is_satisfied"]


def is_satisfied(done: FindDone) -> bool:
    """The query went as planned: complete, or stopped at the user's own --cancel.

    A suspect one did, too, unless the run is strict: then it has a kind of failure.
    """
    if done.verdict is Verdict.SUSPECT:
        return done.kind is None
    return done.verdict is Verdict.COMPLETE or (
        done.verdict is Verdict.CANCELLED and done.kind is not Kind.CANCELLED
    )


class Tally:
    """Takes every record of a run, as the renderer returned it, and sums up."""

    def __init__(self, plan: Plan) -> None:
        self._peers = len(plan.peers)
        self._unverified = sum(
            peer.tls is not None and peer.tls.unverified != "" for peer in plan.peers
        )
        self._reached: set[Peer] = set()
        self._verdicts: Counter[Verdict] = Counter()
        self._matches = 0
        self._failed: Counter[Verdict] = Counter()

    def add(self, records: Sequence[Record]) -> None:
        """Count `records`."""
        for record in records:
            if isinstance(record, FindDone):
                self._verdicts[record.verdict] += 1
                self._matches += record.matches
                if not is_satisfied(record):
                    self._failed[record.verdict] += 1
            elif isinstance(record, Associated):
                self._reached.add(record.peer)

    def summary(self, *, seconds: float, interrupted: bool) -> Summary:
        """The end of the run and its exit code: 130, 2, 4 or 0, the first that applies.

        Args:
            seconds: how long the run took.
            interrupted: the user ended it.
        """
        if interrupted:
            code = ExitCode.INTERRUPTED
        elif not self._reached:
            code = ExitCode.NO_ASSOCIATION
        elif self._failed:
            code = ExitCode.INCOMPLETE
        else:
            code = ExitCode.COMPLETE
        return Summary(
            exit=code,
            peers=self._peers,
            reached=len(self._reached),
            queries=self._verdicts.total(),
            matches=self._matches,
            seconds=seconds,
            verdicts=dict(self._verdicts),
            failed=dict(self._failed),
            unverified=self._unverified,
        )
