"""What can go wrong, and what the user can do about it.

Three branches: `InvalidRequest` (nothing was sent), `PeerError` (one peer; the others go on) and
`LocalProtocolError` (our own bug). Code decides on types and attributes, never on message text.
"""

from enum import StrEnum

__all__ = [
    "AssociationAborted",
    "AssociationLost",
    "AssociationRejected",
    "AsyncfindError",
    "ConnectFailed",
    "FindFailed",
    "InvalidRequest",
    "Kind",
    "LimitExceeded",
    "LocalProtocolError",
    "MalformedIdentifier",
    "MalformedMessage",
    "MalformedPDU",
    "NoPresentationContext",
    "OutputFailed",
    "PeerError",
    "PeerTimeout",
    "ProtocolViolation",
    "TlsFailed",
    "TlsSetupFailed",
    "TlsStep",
    "UnknownHost",
]


class Kind(StrEnum):
    """What failed, in one word; the detail behind a verdict."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    REJECTED = "rejected"
    NO_CONTEXT = "no-context"
    ABORTED = "aborted"
    LOST = "lost"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    DECODE = "decode"
    LIMIT = "limit"
    STATUS = "status"
    OUTPUT = "output"
    LOCAL = "local"
    CANCELLED = "cancelled"


class AsyncfindError(Exception):
    """The root of every error that asyncfind raises on purpose.

    Args:
        text: one line, what was seen; already safe for a terminal.
        hint: one sentence, what the user can do; empty where there is nothing to say.
    """

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


class InvalidRequest(AsyncfindError):
    """The command line, a file or a key cannot be used; nothing was sent."""


class TlsStep(StrEnum):
    """Where the set-up of TLS failed."""

    KEY = "key"
    CERTIFICATE = "certificate"
    MATCH = "match"
    CA_FILE = "ca_file"
    CA_DIRECTORY = "ca_directory"
    TRUST = "trust"
    CRL = "crl"
    CIPHER = "cipher"
    PROFILE = "profile"
    SETTINGS = "settings"


class TlsSetupFailed(InvalidRequest):
    """TLS cannot be set up as asked; nothing was sent.

    Args:
        step: where it failed.
        name: the file, directory or cipher suite as the user named it; empty where there is none.
        openssl_code: the packed code that OpenSSL reports for it; None where OpenSSL has none.
    """

    def __init__(
        self,
        text: str,
        hint: str = "",
        *,
        step: TlsStep,
        name: str = "",
        openssl_code: int | None = None,
    ) -> None:
        super().__init__(text, hint)
        self.step = step
        self.name = name
        self.openssl_code = openssl_code


class OutputFailed(AsyncfindError):
    """Our own output could not be written (full disk, closed file)."""


class LocalProtocolError(AsyncfindError):
    """We used our own protocol code wrongly: a bug of asyncfind."""


class PeerError(AsyncfindError):
    """One peer's trouble; work on other peers goes on."""

    kind: Kind = Kind.PROTOCOL
    retryable: bool = False


class UnknownHost(PeerError):
    """The host name could not be resolved."""

    kind = Kind.DNS


class ConnectFailed(PeerError):
    """No TCP connection: refused, unreachable or not in time."""

    kind = Kind.CONNECT
    retryable = True


class TlsFailed(PeerError):
    """No TLS with the peer: its certificate, its versions and suites, or the exchange itself.

    Args:
        verify_code: OpenSSL's verification result (X509_V_ERR_...); None for other failures.
        openssl_reason: OpenSSL's name of the reason; empty where OpenSSL was not asked.
        openssl_code: its number within OpenSSL's library; None where it is not known.
        established: the handshake was done for us: by TLS 1.3 a peer refuses our certificate
            only then (RFC 8446 Section 4.4.2.4).
        passing: the same may go well another time: a handshake that stalled or was cut off.
    """

    kind = Kind.TLS

    def __init__(
        self,
        text: str,
        hint: str = "",
        *,
        verify_code: int | None = None,
        openssl_reason: str = "",
        openssl_code: int | None = None,
        established: bool = False,
        passing: bool = False,
    ) -> None:
        super().__init__(text, hint)
        self.verify_code = verify_code
        self.established = established
        self.openssl_reason = openssl_reason
        self.openssl_code = openssl_code
        self.retryable = passing


class AssociationRejected(PeerError):
    """The peer answered A-ASSOCIATE-RJ (PS3.8 Section 9.3.4).

    Args:
        result, source, reason: the codes of Table 9-21.
        busy: the peer has no room now; the same request may succeed later.
    """

    kind = Kind.REJECTED

    def __init__(
        self, text: str, hint: str = "", *, result: int, source: int, reason: int, busy: bool
    ) -> None:
        super().__init__(text, hint)
        self.result = result
        self.source = source
        self.reason = reason
        self.retryable = busy


class NoPresentationContext(PeerError):
    """The peer accepted the association but not the SOP class that the query needs."""

    kind = Kind.NO_CONTEXT


class AssociationAborted(PeerError):
    """A-ABORT from the peer (PS3.8 Section 9.3.8), or a release in the middle of a query.

    Args:
        by: who ended it, and how: `user` and `provider` are sources of the peer's A-ABORT,
            `release` is its A-RELEASE-RQ, `us` is our own A-ABORT.
    """

    kind = Kind.ABORTED
    retryable = True

    def __init__(self, text: str, hint: str = "", *, by: str = "us") -> None:
        super().__init__(text, hint)
        self.by = by


class AssociationLost(PeerError):
    """The TCP connection ended without release or abort."""

    kind = Kind.LOST
    retryable = True


class PeerTimeout(PeerError):
    """The peer did not answer before a deadline.

    Args:
        phase: the clock that ran out: `associate`, `send`, `first-response`, `response`,
            `message`, `cancel` or `query`.
        seconds: its length.
    """

    kind = Kind.TIMEOUT
    retryable = True

    def __init__(self, text: str, hint: str = "", *, phase: str, seconds: float) -> None:
        super().__init__(text, hint)
        self.phase = phase
        self.seconds = seconds


class ProtocolViolation(PeerError):
    """The peer broke PS3.7 or PS3.8; we aborted the association."""

    kind = Kind.PROTOCOL


class MalformedPDU(ProtocolViolation):
    """Bytes that are no PDU of PS3.8 Section 9.3."""


class MalformedMessage(ProtocolViolation):
    """Presentation data values that are no DIMSE message of PS3.7."""


class MalformedIdentifier(PeerError):
    """An identifier that cannot be decoded in its transfer syntax (PS3.5 Section 7)."""

    kind = Kind.DECODE


class LimitExceeded(PeerError):
    """The peer exceeded one of our limits; the text names the option that raises it."""

    kind = Kind.LIMIT


class FindFailed(PeerError):
    """The final response's status is no success (PS3.4 Section C.4.1.1.4).

    Args:
        status: as received.
    """

    kind = Kind.STATUS

    def __init__(self, text: str, hint: str = "", *, status: int) -> None:
        super().__init__(text, hint)
        self.status = status
