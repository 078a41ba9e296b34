"""How a query ended: from what came, and what went wrong, to one verdict."""

import time
from dataclasses import replace
from typing import Final, NamedTuple

from asyncfind.dimse.status import Category, describe
from asyncfind.errors import Kind, PeerError, PeerTimeout
from asyncfind.net.responses import Responses
from asyncfind.plan import Query
from asyncfind.records import Find, FindDone, Note, Verdict
from asyncfind.run.split_floor import looks_like_limit

__all__ = ["Doubts", "Why", "conclude", "unsent"]

_VERDICTS: Final = {
    Kind.ABORTED: Verdict.ABORTED,
    Kind.LOST: Verdict.ABORTED,
    Kind.TIMEOUT: Verdict.TIMEOUT,
    Kind.PROTOCOL: Verdict.PROTOCOL,
    Kind.LIMIT: Verdict.LIMIT,
    Kind.DECODE: Verdict.UNDECODABLE,
    Kind.NO_CONTEXT: Verdict.UNREACHED,
}
_CANCEL: Final = 0xFE00
_REPEATED: Final = 50
"""Fewer matches than this come twice by chance."""
_HINT: Final = "Ask for less at a time, or let --split find out."
_NOTED: Final = 20
"""Doubts of one peer that are told; the verdicts have them all."""


class Doubts:
    """Whether a complete answer may have been cut silently, by what the counts of one peer tell.

    Args:
        row_limit: matches at which the peer is known to cut; other counts are beyond doubt then.
        repeats: doubt the largest count where two different queries have it.
        strict: a doubt is a failure.
    """

    def __init__(
        self, row_limit: int | None = None, *, repeats: bool = False, strict: bool = False
    ) -> None:
        self._row_limit = row_limit
        self._repeats = repeats
        self._strict = strict
        self._most = 0
        self._first: Query | None = None
        self._told: set[str] = set()

    def note(self, done: FindDone) -> tuple[Note, ...]:
        """What is to be said of a suspect query, unless it is told as a failure or was before."""
        if done.verdict is not Verdict.SUSPECT or done.kind is not None:
            return ()
        if done.error in self._told or len(self._told) >= _NOTED:
            return ()
        self._told.add(done.error)
        find = done.find
        return (Note(find.peer, f"{find.query.label}: {done.error}. {done.hint}".rstrip()),)

    def judge(self, done: FindDone) -> FindDone:
        """The same end, with the verdict that it has in view of its count."""
        count, limit = done.matches, self._row_limit
        if done.verdict is not Verdict.COMPLETE:
            return done
        if limit is not None:
            if count < limit:
                return done
            text = f"{count:,} matches, where the archive is known to cut at {limit:,}"
            return replace(done, verdict=Verdict.CUT, error=text, hint=_HINT, kind=Kind.LIMIT)
        if looks_like_limit(count):
            text = f"{count:,} matches look like a limit of the archive's"
        elif self._is_repeated(done):
            text = f"{count:,} matches, as many as another query had, may be a limit"
        else:
            return done
        kind = Kind.LIMIT if self._strict else None
        return replace(done, verdict=Verdict.SUSPECT, error=text, hint=_HINT, kind=kind)

    def _is_repeated(self, done: FindDone) -> bool:
        """Two queries with the most matches that any had: less than a limit comes twice, too."""
        count, query = done.matches, done.find.query
        if not self._repeats or count < max(_REPEATED, self._most):
            return False
        if count > self._most:
            self._most, self._first = count, query
        return self._first is not query


def conclude(
    responses: Responses,
    error: PeerError | None,
    scheduled: float,
    *,
    interrupted: bool = False,
    doubts: Doubts | None = None,
) -> FindDone:
    """The one `FindDone` of a query that was sent, or tried to be.

    Args:
        error: what ended it before its final status.
        scheduled: monotonic instant at which the run began to owe the query.
        interrupted: the user ended the run.
        doubts: what the peer's other answers tell; None believes it.
    """
    ended = time.monotonic()
    verdict, text, hint, kind = _judge(responses, error, interrupted)
    # What came after we gave up is no answer to show: it may follow matches that nobody got.
    status = None if error is not None and responses.left_early else responses.status
    done = FindDone(
        find=responses.find,
        verdict=verdict,
        status=status,
        matches=responses.number,
        seconds=0.0 if responses.sent is None else ended - responses.sent,
        error=text,
        hint=hint,
        kind=kind,
        scheduled=scheduled,
        started=responses.sent,
        ended=ended,
    )
    # Where we asked for an end, the count is ours.
    return done if doubts is None or responses.cancelled else doubts.judge(done)


class Why(NamedTuple):
    """Why queries are never sent.

    Args:
        scheduled: monotonic instant at which the run began to owe them.
    """

    verdict: Verdict
    error: str
    hint: str
    kind: Kind
    scheduled: float


def unsent(
    find: Find, verdict: Verdict, error: str, hint: str, kind: Kind, scheduled: float
) -> FindDone:
    """The one `FindDone` of a query that was never sent."""
    return FindDone(
        find=find,
        verdict=verdict,
        status=None,
        matches=0,
        seconds=0.0,
        error=error,
        hint=hint,
        kind=kind,
        scheduled=scheduled,
        ended=time.monotonic(),
    )


def _judge(
    responses: Responses, error: PeerError | None, interrupted: bool
) -> tuple[Verdict, str, str, Kind | None]:
    if interrupted and (responses.dropped or not responses.is_success):
        return Verdict.CANCELLED, "interrupted", "", Kind.CANCELLED
    if responses.limited:
        return (
            Verdict.CUT,
            f"stopped after {responses.number} matches",
            "Narrow the query, or raise --max-responses.",
            Kind.LIMIT,
        )
    if responses.status is None or (error is not None and responses.left_early):
        return _broken(responses, error)
    if responses.is_success:
        return Verdict.COMPLETE, "", "", None
    if responses.status == _CANCEL:
        if responses.cancelled:
            return Verdict.CANCELLED, "", "", None
        return (
            Verdict.CUT,
            f"the archive ended the query by itself after {responses.number} matches (FE00)",
            "It limits how much one query returns; narrow the query.",
            Kind.STATUS,
        )
    failure = responses.failure()
    status = describe(responses.status, responses.find.query.model.uid)
    # A pending-like final status says that there is more: Repository Query's B001.
    verdict = Verdict.CUT if status.category is Category.PENDING else Verdict.REFUSED
    return verdict, failure.text, failure.hint, Kind.STATUS


def _broken(responses: Responses, error: PeerError | None) -> tuple[Verdict, str, str, Kind | None]:
    if error is None:  # its reader left
        return Verdict.CANCELLED, "nobody reads the answers", "", Kind.CANCELLED
    if isinstance(error, PeerTimeout) and error.phase == "cancel":
        return Verdict.CANCELLED, error.text, "The archive does not honour C-CANCEL.", None
    verdict = _VERDICTS.get(error.kind, Verdict.PROTOCOL)
    return verdict, error.text, error.hint, error.kind
