"""The deadlines of one C-FIND on an association that it may share with others."""

from typing import Final

from asyncfind.errors import PeerTimeout
from asyncfind.net.wire import Wire, after
from asyncfind.plan import Timeouts

__all__ = ["FindClocks"]

_LOOK_AGAIN: Final = 0.1
"""Seconds until a clock that stands still, because a message is coming in, is looked at again."""


_AT_LEAST: Final = 0.005
"""Seconds for which a clock that has nearly run out is let run: it may be standing still."""


class FindClocks:
    """When to give a query up, and in which words.

    The clocks of responses and messages run only while somebody waits for the peer, so that our
    own slowness is never the peer's; those of the query and of C-CANCEL always run.

    Args:
        wire: counts the waiting.
        by: monotonic instant at which the query is to be over; None sets it when it starts.
    """

    def __init__(self, timeouts: Timeouts, wire: Wire, by: float | None) -> None:
        self.query_by = by
        self.cancel_by: float | None = None
        self._left = False
        self._timeouts = timeouts
        self._wire = wire
        self._responses = 0
        self._silent_before = 0.0

    def started(self, now: float) -> None:
        """The query is about to be sent."""
        if self.query_by is None:
            self.query_by = after(now, self._timeouts.query)

    def sent(self, now: float) -> None:
        """C-FIND-RQ is with the kernel."""
        self._silent_before = self._wire.silence(now)

    def answered(self, responses: int, now: float) -> None:
        """Responses have come, whole."""
        self._responses += responses
        self._silent_before = self._wire.silence(now)

    def ends_by(self, deadline: float) -> None:
        """C-CANCEL-RQ is sent, or was; a later deadline than the present one changes nothing."""
        self.cancel_by = min(deadline, self.cancel_by or deadline)

    def has_left(self) -> None:
        """Nobody waits for answers any more: the query's own deadline must not cut the grace."""
        self._left = True

    @property
    def _hard(self) -> float | None:
        """The deadline that nothing that comes in puts off."""
        return _earlier(self.cancel_by, None if self._left else self.query_by)

    def deadline(self, now: float) -> float | None:
        """When to ask `overdue` at the latest; None where nothing limits the wait."""
        if self.cancel_by is not None:
            return self._hard
        left = self._response_left(now)
        response = None if left is None else now + max(left, _AT_LEAST)
        if self._wire.in_message:
            if response is not None:
                response = max(response, now + _LOOK_AGAIN)
            response = _earlier(response, after(now, self._message_left(now)))
        return _earlier(response, self._hard)

    def is_over(self, now: float) -> bool:
        """What comes now, comes too late."""
        hard = self._hard
        return hard is not None and now >= hard

    def overdue(self, now: float, matches: int) -> PeerTimeout | None:
        """The clock that has run out, as an error; None when none has."""
        timeouts = self._timeouts
        if self.is_over(now):
            if self.cancel_by is not None and now >= self.cancel_by:
                return _silent("an answer to C-CANCEL", "cancel", timeouts.cancel, matches, "")
            return self.query_over(matches)
        if self.cancel_by is not None:
            return None
        if self._wire.in_message:
            left, what, option = self._message_left(now), "the rest of a response", ""
            phase, seconds = "message", timeouts.message
        elif self._responses:
            left, what, option = self._response_left(now), "a further response", ""
            phase, seconds = "response", timeouts.response
        else:
            left, what = self._response_left(now), "a response"
            phase, seconds, option = "first-response", timeouts.first, " or --first-response"
        if left is None or left > 0:
            return None
        return _silent(what, phase, seconds or 0.0, matches, option)

    def query_over(self, matches: int) -> PeerTimeout:
        """The whole query has taken too long."""
        seconds = self._timeouts.query
        within = "in time" if seconds is None else f"within {seconds:g} s"
        return PeerTimeout(
            f"the query did not end {within} ({matches} matches so far)",
            "Narrow the query; --deadline allows more time.",
            phase="query",
            seconds=seconds or 0.0,
        )

    def _response_left(self, now: float) -> float | None:
        limit = self._timeouts.response if self._responses else self._timeouts.first
        if limit is None:
            return None
        return limit - (self._wire.silence(now) - self._silent_before)

    def _message_left(self, now: float) -> float | None:
        limit = self._timeouts.message
        return None if limit is None else limit - self._wire.message_waited(now)


def _earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two deadlines; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _silent(what: str, phase: str, seconds: float, matches: int, option: str) -> PeerTimeout:
    return PeerTimeout(
        f"no sign of {what} within {seconds:g} s ({matches} matches so far)",
        f"The archive may be slow or stuck; -td{option} allows more time.",
        phase=phase,
        seconds=seconds,
    )
