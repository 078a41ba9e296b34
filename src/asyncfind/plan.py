"""What a run is to do, frozen: peers, queries, limits, pace, deadlines."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, Protocol, runtime_checkable

from asyncfind.errors import InvalidRequest
from asyncfind.query.columns import Column, columns_of, label_of
from asyncfind.query.element import Item
from asyncfind.query.keys import build_identifier
from asyncfind.query.models import Model, model_of
from asyncfind.query.syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from asyncfind.security import Tls
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.identity import UserIdentityRQ

__all__ = [
    "DEFAULT_SYNTAXES",
    "Feed",
    "Limits",
    "Peer",
    "Plan",
    "Query",
    "Quirk",
    "Timeouts",
    "make_query",
]

DEFAULT_SYNTAXES: Final[tuple[TransferSyntax, ...]] = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
"""What findscu proposes by default, in its order (`-x=`)."""


class Quirk(StrEnum):
    """What an archive does its own way."""

    NO_UNIVERSAL_WILDCARD = "no-universal-wildcard"
    """It wants an empty key where others take a lone `*` (PS3.4 Section C.2.2.2.3)."""
    NO_WILDCARD_IN_DATES = "no-wildcard-in-dates"
    """It fails on `*` in dates, times and UIDs, which the standard does not have there either."""
    ONE_FIND_PER_ASSOCIATION = "one-find-per-association"
    """It closes the association after one C-FIND."""
    ROW_ON_FINAL = "row-on-final"
    """The identifier of its final response is a match, too."""
    NO_CANCEL = "no-cancel"
    """It ignores C-CANCEL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A remote application entity and its address.

    Args:
        host: name or address.
        port: TCP port, 1 to 65535.
        called: its AE title, at most 16 characters (PS3.5 Table 6.2-1).
        calling: our AE title.
        name: what the user calls it; empty where it has no name.
        tls: how to secure the connection; None speaks plain TCP.
        family: which addresses of the host to try: `any`, `ipv4` or `ipv6`.
        bind: our own addresses to connect from, taken in turn; empty leaves it to the system.
        identity: who the user is (PS3.7 Annex D.3.3.7); None does not say.
        charset: values of Specific Character Set, assumed where an answer names none or one that
            its bytes do not fit.
        quirks: what it does its own way, and we go along with.
    """

    host: str
    port: int
    called: str = "ANY-SCP"
    calling: str = "FINDSCU"
    name: str = ""
    tls: Tls | None = None
    family: Literal["any", "ipv4", "ipv6"] = "any"
    bind: tuple[str, ...] = ()
    identity: UserIdentityRQ | None = None
    charset: tuple[str, ...] = ()
    quirks: frozenset[Quirk] = frozenset()

    @property
    def node(self) -> str:
        """The peer's name in every output: its name, or AET@host:port."""
        if self.name:
            return self.name
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.called}@{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long we wait for a peer, in seconds; None waits for ever.

    All are deadlines: bytes that trickle in do not extend them.

    Args:
        connect: from the name look-up to a TCP connection, all addresses together.
        tls: from the first to the last byte of the TLS handshake.
        associate: from A-ASSOCIATE-RQ to its answer.
        send: until the kernel has taken a message of ours.
        response: from one response to the first byte of the next; also from C-FIND-RQ to the first
            response, unless `first_response` says otherwise.
        first_response: from C-FIND-RQ to the first byte of a response; None is as `response`,
            and `math.inf` waits for ever.
        message: from the first byte of a response to its last.
        cancel: from C-CANCEL-RQ to the final response.
        release: from A-RELEASE-RQ to its answer.
        query: from the start of a query to its end, our own pauses included.
    """

    connect: float | None = 10.0
    tls: float | None = 10.0
    associate: float | None = 30.0
    send: float | None = 30.0
    response: float | None = 60.0
    first_response: float | None = None
    message: float | None = 60.0
    cancel: float = 5.0
    release: float = 5.0
    query: float | None = 3600.0

    @property
    def first(self) -> float | None:
        """From C-FIND-RQ to the first byte of a response; None waits for ever."""
        if self.first_response is None:
            return self.response
        return None if math.isinf(self.first_response) else self.first_response


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What we take from a peer before we call it too much (bytes, counts)."""

    max_responses: int = 1_000_000
    max_identifier: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One C-FIND request, ready to be encoded.

    Args:
        label: the query file's name, or the keys in short; what outputs call the query.
        model: the SOP class.
        identifier: keys; text is already encoded in the character set the identifier names.
        columns: the return keys in the order asked, for tables.
    """

    label: str
    model: Model
    identifier: Item
    columns: tuple[Column, ...] = ()


def make_query(
    model: str | Model, keys: Sequence[str] = (), *, base: Item | None = None, label: str = ""
) -> Query:
    """Make a query of keys in findscu's grammar, `PatientName=A*`, or of a data set and keys.

    Args:
        model: information model by name (`study`, `patient`, `worklist`, ...) or UID.
        keys: as behind -k; a key without `=` is returned, not matched.
        base: the data set that the keys change; it stays as it is.
        label: what outputs call the query; the keys in short when empty.

    Raises:
        InvalidRequest: an unknown model or a bad key, or nothing to ask.
    """
    identifier = build_identifier(base, keys)
    if not identifier.elements:
        raise InvalidRequest("the query is empty", "Add at least one key, e.g. PatientName.")
    return Query(
        label=label or label_of(identifier),
        model=model if isinstance(model, Model) else model_of(model),
        identifier=identifier,
        columns=columns_of(identifier, keys),
    )


@runtime_checkable
class Feed(Protocol):
    """A sequence of queries that tells what they have in common without making them."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The return keys, in the order asked."""

    @property
    def models(self) -> tuple[Model, ...]:
        """The information models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every query of `queries`, `repeat` times, at every peer of `peers`.

    Args:
        queries: a tuple, or a sequence that makes each query when it is asked for and knows its
            `columns` and `models` (a batch of 100,000).
        shares: which queries each peer is asked, by their places; None asks all peers all of them.
        associations: the most associations to one peer at a time.
        cancel_after: send C-CANCEL-RQ after this many responses of a query; None never does.
        abort: end associations with A-ABORT instead of A-RELEASE.
        syntaxes: transfer syntaxes to propose, the preferred one first.
        max_pdu_length: the largest P-DATA-TF we take, in bytes (PS3.8 Annex D.1).
        deflate_level: zlib's level where a deflated transfer syntax was accepted.
        options: of extended negotiation, to ask for (PS3.4 Section C.5.1.1).
        async_window: the most queries open on one association at a time, as far as the peer goes
            along (PS3.7 Annex D.3.3.3); 1 does not ask.
        trace: tell of every PDU and message, in `Traffic` records.
        doubt: a complete answer whose count looks like a limit of the peer's is suspect.
        strict: that is a failure.
    """

    peers: tuple[Peer, ...]
    queries: Sequence[Query] = ()
    shares: Mapping[Peer, Sequence[int]] | None = None
    repeat: int = 1
    associations: int = 4
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    cancel_after: int | None = None
    abort: bool = False
    syntaxes: tuple[TransferSyntax, ...] = DEFAULT_SYNTAXES
    max_pdu_length: int = 16384
    deflate_level: int = 6
    options: FindOptions = field(default_factory=FindOptions)
    async_window: int = 1
    trace: bool = False
    doubt: bool = False
    strict: bool = False

    def places(self, peer: Peer) -> Sequence[int]:
        """Which of `queries` this peer is asked."""
        return range(len(self.queries)) if self.shares is None else self.shares.get(peer, ())

    def count(self, peer: Peer) -> int:
        """How many queries this peer is asked, repeats included."""
        return len(self.places(peer)) * self.repeat

    @property
    def columns(self) -> tuple[Column, ...]:
        """The return keys of all queries, each once, in the order asked."""
        if isinstance(self.queries, Feed):
            return self.queries.columns
        by_path = {column.path: column for query in self.queries for column in query.columns}
        return tuple(by_path.values())

    @property
    def models(self) -> tuple[Model, ...]:
        """The information models of all queries, each once."""
        if isinstance(self.queries, Feed):
            return self.queries.models
        return tuple(dict.fromkeys(query.model for query in self.queries))
