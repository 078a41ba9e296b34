"""What failed, in words that can be counted: a kind and a short detail, never a peer's text."""

import errno
from typing import Final

from asyncfind.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectFailed,
    FindFailed,
    Kind,
    PeerError,
    PeerTimeout,
    TlsFailed,
)

__all__ = ["failure_of"]

_OURS: Final = {
    errno.EMFILE: "no descriptors",
    errno.ENFILE: "no descriptors",
    errno.EADDRNOTAVAIL: "no ports",
    errno.EADDRINUSE: "no ports",
    errno.ENOBUFS: "no memory",
    errno.ENOMEM: "no memory",
}
"""Want of our own, which no peer is to be charged with."""
_CONNECT: Final = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ETIMEDOUT: "timed out",
}


def failure_of(error: PeerError) -> tuple[str, str]:
    """The kind of an error (`errors.Kind`) and what tells its cases apart; may be empty."""
    match error:
        case AssociationRejected():
            return error.kind, f"{error.result}/{error.source}/{error.reason}"
        case AssociationAborted():
            return error.kind, error.by
        case PeerTimeout():
            return error.kind, error.phase
        case FindFailed():
            return error.kind, f"{error.status:04X}"
        case ConnectFailed():
            return _not_connected(error)
        case TlsFailed() if error.verify_code is not None:
            return error.kind, f"certificate, code {error.verify_code}"
        case TlsFailed():
            return error.kind, error.openssl_reason.lower().replace("_", " ")
        case _:
            return error.kind, ""


def _not_connected(error: ConnectFailed) -> tuple[str, str]:
    cause = error.__cause__
    if isinstance(cause, TimeoutError) and not cause.errno:
        return error.kind, "timed out"
    number = cause.errno if isinstance(cause, OSError) else None
    if number in _OURS:
        return Kind.LOCAL, _OURS[number]
    return error.kind, _CONNECT.get(number or 0, errno.errorcode.get(number or 0, ""))
