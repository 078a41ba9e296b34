"""How a query ended: from what came, and what went wrong, to one verdict."""

import time
from typing import Final

from asyncfind.dimse.status import Category, describe
from asyncfind.errors import Kind, PeerError, PeerTimeout
from asyncfind.net.responses import Responses
from asyncfind.records import Find, FindDone, Verdict

__all__ = ["conclude", "unsent"]

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


def conclude(
    responses: Responses, error: PeerError | None, scheduled: float, *, interrupted: bool = False
) -> FindDone:
    """The one `FindDone` of a query that was sent, or tried to be.

    Args:
        error: what ended it before its final status.
        scheduled: monotonic instant at which the run began to owe the query.
        interrupted: the user ended the run.
    """
    ended = time.monotonic()
    verdict, text, hint, kind = _judge(responses, error, interrupted)
    # What came after we gave up is no answer to show: it may follow matches that nobody got.
    status = None if error is not None and responses.left_early else responses.status
    return FindDone(
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
