"""What a TLS connection turned out to be, for people: certificate, version and cipher suite."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from asyncfind.net.certificate import Certificate, parse_certificate
from asyncfind.net.transport import Stream
from asyncfind.records import Secured
from asyncfind.safe import safe

__all__ = ["PeerCertificate", "certificate_report", "secured"]

_SOON: Final = 30
"""Days before a certificate expires in which it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate(Certificate):
    """The peer's certificate and how we speak with it; all text is safe for a terminal.

    Args:
        days_left: whole days until it expires, negative once it has.
        protocol: TLS version, as `TLSv1.3`.
        cipher: cipher suite by OpenSSL's name.
        pin: what `Tls.pin` takes for exactly this certificate.
    """

    days_left: int
    protocol: str
    cipher: str
    pin: str


def certificate_report(stream: Stream, *, now: datetime | None = None) -> PeerCertificate | None:
    """Describe the peer's certificate; None for plain TCP, and where it cannot be read.

    Args:
        now: the time from which days are counted; the present when None.
    """
    if stream.tls is None:
        return None
    der = stream.tls.peer_certificate
    try:
        certificate = parse_certificate(der)
    except ValueError:
        return None
    left = certificate.not_after - (now or datetime.now(UTC))
    return PeerCertificate(
        subject=certificate.subject,
        issuer=certificate.issuer,
        names=certificate.names,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        days_left=left.days,
        protocol=safe(stream.tls.protocol),
        cipher=safe(stream.tls.cipher),
        pin=f"sha256:{hashlib.sha256(der).hexdigest()}",
    )


def secured(stream: Stream) -> Secured:
    """How `stream` is secured."""
    report = certificate_report(stream)
    if report is None:
        return Secured()
    until = report.not_after.date().isoformat()
    text = (
        f"{report.protocol}, {report.cipher}; certificate of {report.subject}, "
        f"issued by {report.issuer}, valid until {until}"
    )
    warnings = []
    if 0 <= report.days_left < _SOON:
        warnings.append(f"its certificate expires in {report.days_left} days, on {until}")
    return Secured(text, tuple(warnings))
