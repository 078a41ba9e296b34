"""A job as a plan: its queries stay in the journal, and only what they have in common is known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import overload

from asyncfind.plan import Peer, Plan, Query
from asyncfind.query.columns import Column
from asyncfind.query.models import Model
from asyncfind.records import ExitCode, Summary, Verdict
from asyncfind.run.journal_reader import Snapshot
from asyncfind.run.journal_words import Progress

__all__ = ["job_plan", "job_summary"]

_SATISFIED = (Verdict.COMPLETE, Verdict.CANCELLED)
"""Cancelled by us alone are queries that `--cancel` stopped: interrupted ones are pending again."""


class _Kept(Sequence[Query]):
    """Queries that are counted here and kept elsewhere.

    Args:
        ends: the first and the last: those whose work it is to lay out a page ask for them.
    """

    def __init__(
        self,
        count: int,
        columns: tuple[Column, ...],
        models: tuple[Model, ...],
        ends: Mapping[int, Query],
    ) -> None:
        self._count = count
        self._columns = columns
        self._models = models
        self._ends = ends

    @property
    def columns(self) -> tuple[Column, ...]:
        """The return keys, in the order asked."""
        return self._columns

    @property
    def models(self) -> tuple[Model, ...]:
        """The information models."""
        return self._models

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Query: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Query]: ...

    def __getitem__(self, index: int | slice) -> Query | Sequence[Query]:
        if isinstance(index, int) and index in self._ends:
            return self._ends[index]
        raise TypeError("the queries of a job are in its journal")


def job_plan(plan: Plan, snapshot: Snapshot, counts: Mapping[Peer, int]) -> Plan:
    """The plan of a run of a job, or of its export.

    Args:
        plan: how to ask; whom and what, the journal says.
        counts: how many queries are to be asked of each peer, or shown.
    """
    count = sum(counts.values())
    queries = _Kept(count, snapshot.columns(), snapshot.models(), snapshot.ends())
    return replace(
        plan,
        peers=tuple(counts),
        queries=queries,
        shares={peer: range(count) for peer, count in counts.items()},
        repeat=1,
    )


def job_summary(progress: Progress, run: Summary, *, strict: bool = False) -> Summary:
    """How a job stands at the end of a run: what earlier runs did counts as well.

    Args:
        run: the end of the run alone.
        strict: suspect is not good enough.
    """
    verdicts = {Verdict(verdict): count for verdict, count in progress.verdicts.items()}
    if left := sum(progress.left.values()):
        verdicts[Verdict.SKIPPED] = verdicts.get(Verdict.SKIPPED, 0) + left
    satisfied = _SATISFIED if strict else (*_SATISFIED, Verdict.SUSPECT)
    failed = {one: count for one, count in verdicts.items() if one not in satisfied}
    if run.exit is ExitCode.INTERRUPTED:
        code = ExitCode.INTERRUPTED
    elif failed:
        is_unheard = verdicts.keys() <= {Verdict.UNREACHED, Verdict.SKIPPED} and not run.reached
        is_unheard = is_unheard and not progress.count("done")  # parts of a query
        code = ExitCode.NO_ASSOCIATION if is_unheard else ExitCode.INCOMPLETE
    else:
        code = ExitCode.COMPLETE
    # Whoever answered earlier was reached, too.
    answered = sum(state == "done" and count > 0 for (_, state), count in progress.states.items())
    return replace(
        run,
        exit=code,
        reached=max(run.reached, answered),
        queries=sum(verdicts.values()),
        matches=progress.rows,
        verdicts=verdicts,
        failed=failed,
    )
