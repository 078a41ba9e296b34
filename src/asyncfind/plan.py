"""What a run is to do, frozen: peers, queries, limits, pace, deadlines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

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

__all__ = ["DEFAULT_SYNTAXES", "Limits", "Peer", "Plan", "Query", "Timeouts", "make_query"]

DEFAULT_SYNTAXES: Final[tuple[TransferSyntax, ...]] = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
"""What findscu proposes by default, in its order (`-x=`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A remote application entity and its address.

    Args:
        host: name or address.
        port: TCP port, 1 to 65535.
        called: its AE title, at most 16 characters (PS3.5 Table 6.2-1).
        calling: our AE title.
        name: what the user calls it; empty where it has no name.
    """

    host: str
    port: int
    called: str = "ANY-SCP"
    calling: str = "FINDSCU"
    name: str = ""

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
        associate: from A-ASSOCIATE-RQ to its answer.
        send: until the kernel has taken a message of ours.
        response: from C-FIND-RQ, or from one response, to the first byte of the next.
        message: from the first byte of a response to its last.
        cancel: from C-CANCEL-RQ to the final response.
        release: from A-RELEASE-RQ to its answer.
    """

    connect: float | None = 10.0
    associate: float | None = 30.0
    send: float | None = 30.0
    response: float | None = 60.0
    message: float | None = 60.0
    cancel: float = 5.0
    release: float = 5.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every query of `queries`, `repeat` times, at every peer of `peers`.

    Args:
        associations: the most associations to one peer at a time.
        cancel_after: send C-CANCEL-RQ after this many responses of a query; None never does.
        abort: end associations with A-ABORT instead of A-RELEASE.
        syntaxes: transfer syntaxes to propose, the preferred one first.
        max_pdu_length: the largest P-DATA-TF we take, in bytes (PS3.8 Annex D.1).
        deflate_level: zlib's level where a deflated transfer syntax was accepted.
    """

    peers: tuple[Peer, ...]
    queries: tuple[Query, ...] = ()
    repeat: int = 1
    associations: int = 4
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    cancel_after: int | None = None
    abort: bool = False
    syntaxes: tuple[TransferSyntax, ...] = DEFAULT_SYNTAXES
    max_pdu_length: int = 16384
    deflate_level: int = 6
