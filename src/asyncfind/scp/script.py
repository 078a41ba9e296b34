"""How an association is to go wrong: a script for tests, step by step.

A script is data: at a moment, do this. Bytes to be sent are given as they are, never made by our
own encoder, so that encoder and decoder cannot share an error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "GOOD",
    "Abort",
    "Action",
    "Close",
    "Delay",
    "Finish",
    "Ignore",
    "Moment",
    "Reject",
    "Release",
    "Reset",
    "Script",
    "Scripts",
    "Send",
    "Split",
    "Stall",
    "Step",
    "aborts_after",
    "always",
    "closes_after",
    "cuts_at",
    "garbles_after",
    "ignores_cancel",
    "never_answers",
    "refuses",
    "rejects",
    "resets_after",
    "stalls_after",
    "trickles",
]


class Moment(StrEnum):
    """When a step is done."""

    CONNECTED = "connected"
    """The TCP connection is open."""
    REQUESTED = "requested"
    """A-ASSOCIATE-RQ has come; before it is answered."""
    QUERY = "query"
    """C-FIND-RQ has come; before its first response."""
    RESPONSE = "response"
    """`Step.after` responses have been sent."""
    FINAL = "final"
    """All matches have been sent; before the final response."""
    ANSWERED = "answered"
    """The final response has been sent."""
    ECHO = "echo"
    """C-ECHO-RQ has come; before it is answered."""
    CANCEL = "cancel"
    """C-CANCEL-RQ has come for the query in progress; before it is obeyed."""
    RELEASE = "release"
    """A-RELEASE-RQ has come; before it is answered."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait this many seconds, then go on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on the wire between whole PDUs, then go on."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Split:
    """From now on send at most `size` bytes at once, `pause` seconds apart."""

    size: int
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Close:
    """Close the TCP connection in order (FIN)."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Close the TCP connection at once (RST)."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more, until the peer has gone.

    Args:
        deaf: do not even read; then only the end of the server ends it.
    """

    deaf: bool = False


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 Section 9.3.8)."""

    source: int = 0
    reason: int = 0


@dataclass(frozen=True, slots=True)
class Reject:
    """A-ASSOCIATE-RJ (PS3.8 Table 9-21); at REQUESTED."""

    result: int = 2
    source: int = 3
    reason: int = 2


@dataclass(frozen=True, slots=True)
class Release:
    """A-RELEASE-RQ, and say nothing more."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the query now with this status (PS3.4 Section C.4.1.1.4); at QUERY, RESPONSE, FINAL."""

    status: int
    comment: bytes = b""
    offending: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignore:
    """Do as if what came had not come; at CANCEL, ECHO and RELEASE."""


Action = Delay | Send | Split | Close | Reset | Stall | Abort | Reject | Release | Finish | Ignore


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, and when.

    Args:
        after: with RESPONSE, how many responses of the query have been sent, at least 1.
        query: only in the association's query of this number, from 1; 0 for each.
    """

    moment: Moment
    action: Action
    after: int = 0
    query: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """The steps of one association; those of one moment are done in their order."""

    steps: tuple[Step, ...] = ()

    def actions(self, moment: Moment, query: int = 0, after: int = 0) -> tuple[Action, ...]:
        """What to do now, in query number `query` after `after` responses."""
        return tuple(
            step.action
            for step in self.steps
            if step.moment is moment and step.after == after and step.query in (0, query)
        )

    def stops(self, query: int) -> list[int]:
        """Numbers of responses at which query number `query` has a step, ascending."""
        return sorted(
            {
                step.after
                for step in self.steps
                if step.moment is Moment.RESPONSE and step.query in (0, query)
            }
        )


Scripts = Callable[[int], Script]
"""Which script an association follows, by its number at the server, from 1."""

GOOD: Final = Script()
"""Behaves well."""


def always(script: Script) -> Scripts:
    """The same script for every association."""
    return lambda number: script


def _after(responses: int, action: Action) -> Script:
    """`action` once `responses` have been sent, 0 being before the first."""
    if responses == 0:
        return Script((Step(Moment.QUERY, action),))
    return Script((Step(Moment.RESPONSE, action, after=responses),))


def rejects(result: int = 2, source: int = 3, reason: int = 2) -> Script:
    """Rejects the association; by default for lack of room."""
    return Script((Step(Moment.REQUESTED, Reject(result, source, reason)),))


def never_answers(moment: Moment = Moment.QUERY) -> Script:
    """Takes the connection and is silent from `moment` on."""
    return Script((Step(moment, Stall()),))


def stalls_after(responses: int) -> Script:
    """Falls silent in the middle of an answer."""
    return _after(responses, Stall())


def aborts_after(responses: int, source: int = 0, reason: int = 0) -> Script:
    """Sends A-ABORT in the middle of an answer."""
    return _after(responses, Abort(source, reason))


def closes_after(responses: int) -> Script:
    """Closes the connection in the middle of an answer."""
    return _after(responses, Close())


def resets_after(responses: int) -> Script:
    """Resets the connection in the middle of an answer."""
    return _after(responses, Reset())


def cuts_at(responses: int, status: int = 0) -> Script:
    """Ends an answer early, by default with Success: the silent row limit of some archives."""
    return _after(responses, Finish(status))


def refuses(status: int, comment: bytes = b"", offending: tuple[int, ...] = ()) -> Script:
    """Answers every query with a failure status and nothing else."""
    return Script((Step(Moment.QUERY, Finish(status, comment, offending)),))


def garbles_after(responses: int, data: bytes) -> Script:
    """Sends bytes of the test's choice in the middle of an answer, then nothing more."""
    first, second = _after(responses, Send(data)), _after(responses, Stall())
    return Script(first.steps + second.steps)


def ignores_cancel() -> Script:
    """Goes on answering after C-CANCEL-RQ."""
    return Script((Step(Moment.CANCEL, Ignore()),))


def trickles(size: int, pause: float = 0.0) -> Script:
    """Sends a few bytes at a time."""
    return Script((Step(Moment.CONNECTED, Split(size, pause)),))
