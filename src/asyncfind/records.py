"""What happened, frozen: the words that travel up from the scheduler to the renderers."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple, Self

from asyncfind.dimse.command import Command
from asyncfind.errors import Kind
from asyncfind.plan import Peer, Query
from asyncfind.query.charset import assume, charsets_of
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import Item
from asyncfind.query.json_model import item_to_json
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import SYNTAXES
from asyncfind.query.values import element_texts
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ

__all__ = [
    "Agreement",
    "Associated",
    "AttemptFailed",
    "Covered",
    "CoveredPart",
    "Echoed",
    "ExitCode",
    "Extended",
    "Find",
    "FindDone",
    "FindStarted",
    "Match",
    "Note",
    "PeerFailed",
    "Record",
    "Secured",
    "Summary",
    "Traffic",
    "Verdict",
]


class ExitCode(IntEnum):
    """Exit codes of the native commands; a contract."""

    COMPLETE = 0
    USAGE = 1
    NO_ASSOCIATION = 2
    INCOMPLETE = 4
    THRESHOLD = 5
    SATURATED = 6
    INTERRUPTED = 130
    CLOSED_PIPE = 141


class Verdict(StrEnum):
    """How a query ended. Complete is earned, never assumed."""

    COMPLETE = "complete"
    """Final status 0000, every response read; or stopped at the user's own --cancel."""
    SUSPECT = "suspect"
    """Final status 0000, but the count looks like a silent limit, or not all could be proven."""
    CUT = "cut"
    """The peer ended it (FE00) without being asked to, our response limit did, or as many matches
    came as this peer is known to give at most."""
    CANCELLED = "cancelled"
    """The user's --cancel, or an interruption."""
    REFUSED = "refused"
    """A final status that is a failure."""
    ABORTED = "aborted"
    """A-ABORT, a release in the middle, or a lost connection."""
    TIMEOUT = "timeout"
    """A deadline passed with the query open."""
    PROTOCOL = "protocol"
    """The peer broke the protocol."""
    LIMIT = "limit"
    """The peer exceeded a limit of ours."""
    UNDECODABLE = "undecodable"
    """Final status 0000, but some identifier could not be decoded; it is kept as bytes."""
    UNREACHED = "unreached"
    """No association: the query was never sent."""
    SKIPPED = "skipped"
    """Never sent, though the peer could be reached: interrupted before its turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Find:
    """One query at one peer, one time: what matches belong to. Compared by identity.

    Args:
        repeat: 1 to --repeat.
        ordinal: place in the plan, from 0.
    """

    peer: Peer
    query: Query
    repeat: int
    ordinal: int


class FindStarted(NamedTuple):
    """C-FIND-RQ was handed to the transport, now or, in what was kept, at that time.

    Args:
        at: seconds since 1970; 0.0 where it is not known.
        verdict: how the query ended, where it is over already.
    """

    find: Find
    at: float = 0.0
    verdict: Verdict | None = None


class Match(NamedTuple):
    """One pending response (PS3.4 Section C.4.1.1.4), identifier undecoded.

    Args:
        number: from 1, within its query.
        status: 0xFF00 or 0xFF01.
        identifier: bytes as received (deflated ones are still deflated).
        transfer_syntax: UID.
    """

    find: Find
    number: int
    status: int
    identifier: bytes
    transfer_syntax: str

    def item(self) -> Item:
        """The identifier's data elements.

        Raises:
            MalformedIdentifier: it cannot be decoded.
        """
        item = read_item(self.identifier, SYNTAXES[self.transfer_syntax])
        return assume(item, self.find.peer.charset)

    def json(self) -> dict[str, object]:
        """The identifier in the DICOM JSON Model (PS3.18 Annex F); raises as `item` does."""
        return item_to_json(self.item())

    def texts(self) -> dict[str, str]:
        """The values as text by keyword, several joined by a backslash; sequences left out.

        Elements without keyword go by their tag, `00091001`. Raises as `item` does.
        """
        item = self.item()
        charsets = charsets_of(item)
        return {
            keyword_of(tag) or f"{tag:08X}": "\\".join(element_texts(element, charsets))
            for tag, element in item.elements.items()
            if element.vr != "SQ"
        }


class CoveredPart(NamedTuple):
    """What is known of one part of a query that was split.

    Args:
        state: `proven`, `assumed` or `open`.
        rows: matches in it.
        keys: what was asked of the keys that it was split by, by keyword.
        reason: why it is not proven; may be empty.
    """

    state: str
    rows: int
    keys: tuple[tuple[str, str], ...]
    reason: str = ""


class Covered(NamedTuple):
    """What is known of a query that was split: which parts are proven whole.

    Args:
        state: of all of it, that of its worst part.
        rows: matches, each counted once.
        queries: how many were sent.
        row_limit: at how many matches the peer cuts; None where it was not seen to, or is not
            known any more.
        parts: the largest ones that are proven, and each one that is not.
    """

    state: str
    rows: int
    queries: int
    row_limit: int | None
    parts: tuple[CoveredPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindDone:
    """A query ended; exactly one for each `Find`.

    Args:
        status: the final status; None where no final response came.
        matches: responses received and passed on.
        seconds: from C-FIND-RQ to the end; 0.0 where nothing was sent.
        error: why it is not complete, in words that are safe for a terminal; empty when complete.
        hint: what the user can do; may be empty.
        kind: what failed; None when complete.
        scheduled, started, ended: instants in seconds on the monotonic clock; `started` is None
            where nothing was sent.
        coverage: what is proven of a query that was split; None for one that was not.
    """

    find: Find
    verdict: Verdict
    status: int | None
    matches: int
    seconds: float
    error: str = ""
    hint: str = ""
    kind: Kind | None = None
    scheduled: float = 0.0
    started: float | None = None
    ended: float = 0.0
    coverage: Covered | None = None

    @classmethod
    def interrupted(cls, find: Find, matches: int) -> Self:
        """The end of a query that was under way when the run was ended, as far as one can say."""
        return cls(
            find=find,
            verdict=Verdict.CANCELLED,
            status=None,
            matches=matches,
            seconds=0.0,
            error="interrupted",
            kind=Kind.CANCELLED,
        )


class Extended(NamedTuple):
    """What came of the extended negotiation of one SOP class (PS3.7 Annex D.3.3.5).

    Args:
        sop_class: UID.
        asked: the options that we asked for and that the SOP class has.
        granted: those of them that the peer accepted.
    """

    sop_class: str
    asked: FindOptions
    granted: FindOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a peer made of the rest of our association request (PS3.7 Annex D.3.3).

    Args:
        extended: a line for each accepted SOP class with options that we asked for.
        window_asked, window: operations that may be open at once, as proposed and as agreed.
        identity_response: the answer to our user identity, empty for a mere yes; None where none
            came. It may be a token, so it is not part of the representation.
    """

    extended: tuple[Extended, ...] = ()
    window_asked: int = 1
    window: int = 1
    identity_response: bytes | None = field(default=None, repr=False)

    def granted(self, sop_class: str) -> FindOptions:
        """The options that hold for `sop_class`."""
        return next((one.granted for one in self.extended if one.sop_class == sop_class), _NONE)

    def refused(self, sop_class: str) -> FindOptions:
        """The options that we asked for in vain."""
        lines = (one for one in self.extended if one.sop_class == sop_class)
        return next((one.asked - one.granted for one in lines), _NONE)


_NONE: Final = FindOptions()


class Associated(NamedTuple):
    """An association was accepted.

    Args:
        open_now: the peer's associations, this one included.
        agreement: what the peer made of the rest of our request.
        secured: how the connection is secured, in words; empty for plain TCP.
    """

    peer: Peer
    open_now: int
    agreement: Agreement = Agreement()
    secured: str = ""


class Secured(NamedTuple):
    """How a connection is secured.

    Args:
        text: one line, safe for a terminal; empty for plain TCP.
        warnings: sentences about a certificate that needs care soon.
    """

    text: str = ""
    warnings: tuple[str, ...] = ()


_PLAIN: Final = Secured()


class AttemptFailed(NamedTuple):
    """An attempt at a query failed in a way that may pass; the query is asked again.

    Args:
        attempt: which one it was, from 1.
        matches: that it brought, which are void.
        pause: seconds until it is asked again, at the least.
    """

    find: Find
    attempt: int
    matches: int
    error: str
    pause: float


class Traffic(NamedTuple):
    """A PDU or message that was sent or received, in runs that trace them.

    Args:
        sent: by us.
        what: an association PDU (of A-ABORT only those that came), or the command of a message.
        identifier: of the message as encoded; None where it has none.
        transfer_syntax: UID, of the identifier.
    """

    peer: Peer
    sent: bool
    what: AssociateRQ | AssociateAC | AssociateRJ | Abort | Command
    identifier: bytes | None = None
    transfer_syntax: str = ""


class PeerFailed(NamedTuple):
    """No association with this peer; each of its queries gets a `FindDone` besides."""

    peer: Peer
    kind: Kind
    error: str
    hint: str


class Note(NamedTuple):
    """What the user should know that is neither a row nor a failure; safe for a terminal.

    Args:
        warning: False for what only --verbose shows.
    """

    peer: Peer
    text: str
    warning: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Echoed:
    """Result of one C-ECHO (PS3.7 Section 9.1.5).

    Args:
        status: None where no answer came.
        connect, associate, echo: seconds; None for what was not reached.
        implementation: what the peer calls itself; safe for a terminal.
        secured: how the connection was secured; says nothing for plain TCP.
        agreement: what the peer made of the rest of the association request.
        traffic: what was sent and received, in runs that trace it.
    """

    peer: Peer
    status: int | None
    connect: float | None = None
    associate: float | None = None
    echo: float | None = None
    error: str = ""
    hint: str = ""
    kind: Kind | None = None
    implementation: str = ""
    secured: Secured = _PLAIN
    agreement: Agreement = Agreement()
    traffic: tuple[Traffic, ...] = ()


Record = FindStarted | Match | FindDone | Associated | PeerFailed | Note | Traffic | AttemptFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The end of a run.

    Args:
        verdicts: how many queries ended in each verdict; only those that occurred.
        failed: how many queries did not go as planned, by verdict.
        unverified: peers that could be anybody, see `Tls.unverified`.
    """

    exit: ExitCode
    peers: int
    reached: int
    queries: int
    matches: int
    seconds: float
    verdicts: dict[Verdict, int] = field(default_factory=dict)
    failed: dict[Verdict, int] = field(default_factory=dict)
    unverified: int = 0
