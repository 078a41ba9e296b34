"""What a node does its own way, as far as the course of its answers tells."""

from statistics import median
from typing import Final

from asyncfind.book.profile import QUIRK, Fact
from asyncfind.errors import PeerTimeout
from asyncfind.plan import Quirk
from asyncfind.run.probe_ask import Asker, Reply
from asyncfind.run.probe_grounds import Ground
from asyncfind.run.probe_rows import Widened

__all__ = ["cancel_fact", "final_fact", "reuse_fact", "speed_fact"]

_CANCELLED: Final = 0xFE00
_PROMPT: Final = 1.0
"""Seconds in which an answer may be over that was on its way already."""
_UNREAD: Final = 1000
"""As many matches may be on their way when C-CANCEL is sent."""
_ENOUGH_TIMES: Final = 2


async def cancel_fact(asker: Asker, ground: Ground, widened: Widened) -> Fact | None:
    """What becomes of C-CANCEL, tried on the longest answer; None where it ends too early to tell.

    Raises:
        Enough, PeerError: as `Asker.ask` does.
    """
    reply, span = widened.cancelled, widened.largest
    fact = None if reply is None else _what_came_of(reply)
    if fact is None and span is not None and span.count > 1:
        # As early as it can be, there is the most left to be kept back.
        query = ground.query(ground.days(span.first, span.last))
        fact = _what_came_of(await asker.ask(query, cancel_after=1))
    return fact


def _what_came_of(reply: Reply) -> Fact | None:
    if not reply.cancelled:
        return None
    if reply.status == _CANCELLED:
        return _cancel(False, f"the query ended with FE00 after {reply.count} matches")
    if reply.error is not None:
        silent = isinstance(reply.error, PeerTimeout)
        what = "it was not answered in time" if silent else "the association ended"
        return _cancel(True, f"{what}, {reply.count} matches came")
    if reply.late >= _PROMPT or _went_on(reply):
        after = f"for {reply.late:.1f} s" if reply.late >= _PROMPT else "as if nothing were said"
        return _cancel(True, f"the query went on {after}, {reply.count} matches came")
    return None


def _went_on(reply: Reply) -> bool:
    return reply.status == 0 and reply.count > _UNREAD


def _cancel(ignored: bool, evidence: str) -> Fact:
    return Fact(name=QUIRK + Quirk.NO_CANCEL, value=ignored, evidence=f"C-CANCEL: {evidence}")


def reuse_fact(asker: Asker) -> Fact | None:
    """Whether an association takes more than one query; None where too few were asked to tell."""
    if asker.reused:
        return Fact(
            name=QUIRK + Quirk.ONE_FIND_PER_ASSOCIATION,
            value=False,
            evidence=f"{asker.reused} queries over an association that had served one before",
        )
    if asker.used_up >= _ENOUGH_TIMES:
        return Fact(
            name=QUIRK + Quirk.ONE_FIND_PER_ASSOCIATION,
            value=True,
            evidence=f"{asker.used_up} associations ended after one query, none took two",
        )
    return None


def final_fact(widened: Widened) -> Fact | None:
    """Whether a final response brings a match; None where no answer came."""
    if not widened.samples:
        return None
    seen = "a match came with" if widened.is_row_on_final else "no match came with"
    return Fact(
        name=QUIRK + Quirk.ROW_ON_FINAL,
        value=widened.is_row_on_final,
        evidence=f"{seen} a final response of Success",
    )


def speed_fact(asker: Asker) -> Fact | None:
    """How long the node takes to its first response."""
    times = asker.first_seconds
    if not times:
        return None
    return Fact(
        name="first_response",
        value=round(median(times), 4),
        evidence=f"seconds, median of {len(times)} queries; the longest {max(times):.3f}",
    )
