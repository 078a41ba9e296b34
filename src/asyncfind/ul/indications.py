"""What the upper layer tells the service user (PS3.8 Section 7)."""

from dataclasses import dataclass

from asyncfind.errors import LimitExceeded, MalformedPDU
from asyncfind.ul.pdu import PDV, AssociateAC, AssociateRJ, AssociateRQ

__all__ = [
    "Aborted",
    "AssociateConfirmed",
    "AssociateRejected",
    "AssociateRequested",
    "DataReceived",
    "Indication",
    "ReleaseConfirmed",
    "ReleaseRequested",
    "TransportLost",
    "Violated",
]


@dataclass(frozen=True, slots=True)
class AssociateRequested:
    """A-ASSOCIATE indication (PS3.8 Section 7.1): `accept` or `reject` it."""

    rq: AssociateRQ


@dataclass(frozen=True, slots=True)
class AssociateConfirmed:
    """A-ASSOCIATE confirmation, accepted; `ac` accepts nothing that was not proposed."""

    ac: AssociateAC


@dataclass(frozen=True, slots=True)
class AssociateRejected:
    """A-ASSOCIATE confirmation, rejected."""

    rj: AssociateRJ


@dataclass(frozen=True, slots=True)
class DataReceived:
    """P-DATA indications in a row (PS3.8 Section 7.6); at least one PDV."""

    pdvs: list[PDV]


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """A-RELEASE indication (PS3.8 Section 7.2): `respond_release`."""


@dataclass(frozen=True, slots=True)
class ReleaseConfirmed:
    """A-RELEASE confirmation."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """A-ABORT received: A-ABORT or A-P-ABORT indication (PS3.8 Sections 7.3, 7.4)."""

    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class TransportLost:
    """A-P-ABORT indication: the connection ended without release or abort, in a PDU or between."""


@dataclass(frozen=True, slots=True)
class Violated:
    """The peer broke a rule or a limit; A-ABORT is queued already.

    Only before our own request there is nothing to abort, and the connection is to be closed.
    """

    error: MalformedPDU | LimitExceeded


Indication = (
    AssociateRequested
    | AssociateConfirmed
    | AssociateRejected
    | DataReceived
    | ReleaseRequested
    | ReleaseConfirmed
    | Aborted
    | TransportLost
    | Violated
)
