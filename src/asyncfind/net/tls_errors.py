"""Why there is no TLS, in words: OpenSSL's codes to what was seen and what the user can do."""

import importlib
import ssl
from datetime import UTC, datetime
from typing import Final

from asyncfind.errors import TlsFailed
from asyncfind.net.certificate import Certificate, parse_certificate
from asyncfind.net.tls_session import TlsSession
from asyncfind.safe import safe

__all__ = ["cut_off", "describe", "reason_number", "wrong_pin"]

_TRUST: Final = "Give the CA that signed it with +cf or +cd"
_CLOCK: Final = "Have the archive renew it, and check the clock of this machine."

# Verification results (X509_V_ERR_...), as numbers because Python names none.
_VERIFY: Final = {
    2: ("its issuer's certificate is missing", f"{_TRUST}."),
    3: ("there is no revocation list of its issuer", "Give the issuer's CRL with +crl."),
    9: ("it is not yet valid", _CLOCK),
    10: ("it has expired", _CLOCK),
    11: ("the revocation list is not yet valid", "Check the clock of this machine."),
    12: ("the revocation list has expired", "Get a fresh CRL of the issuer."),
    18: ("it is self-signed and not among those trusted", f"{_TRUST}, or pin it."),
    19: ("a self-signed CA of its chain is not among those trusted", f"{_TRUST}."),
    20: ("its CA is unknown", f"{_TRUST}."),
    21: ("its CA is unknown", f"{_TRUST}."),
    22: ("its chain is too long", "Have the archive's certificate checked."),
    23: ("it has been revoked", "Have the archive get a new certificate."),
    26: ("it is not meant for a TLS server", "Have the archive's certificate checked."),
    62: ("it is for another host", ""),
    64: ("it is for another host", ""),
    66: ("its key is too short", "Have the archive get a longer key, or choose an older profile."),
    67: ("its CA's key is too short", "Have a longer key used, or choose an older profile."),
    68: ("its signature is too weak", "Have it signed with SHA-256, or choose an older profile."),
}
_UNKNOWN_CA: Final = (2, 18, 19, 20, 21)
_HOST: Final = (62, 64)

_VERSION: Final = (
    "the peer and we share no TLS version",
    "Choose another profile, or have the archive allow TLS 1.2 or 1.3.",
)
_SUITE: Final = (
    "the peer and we share no cipher suite",
    "Choose another profile, or add one of the archive's suites with +cs.",
)
_NOT_TLS: Final = (
    "the peer does not speak TLS",
    "Check that the port is the archive's TLS port (often 2762), or ask without TLS.",
)
_WANTED: Final = (
    "the peer wants a certificate of ours",
    "Give our key and certificate with +tls.",
)
_REFUSED: Final = (
    "the peer refuses our certificate",
    "Have the archive trust our certificate, or use one that it trusts.",
)
_BROKEN: Final = ("the TLS exchange broke", "Something on the way may change what is sent.")
_INSECURE: Final = (
    "the peer renegotiates in an insecure way (RFC 5746)",
    "Have the archive's TLS brought up to date.",
)
_NAME: Final = (
    "the peer does not know the server name we asked for",
    "Give the name it goes by with --tls-server-name.",
)

_CLIENT_ALERTS: Final = (
    "BAD_CERTIFICATE UNSUPPORTED_CERTIFICATE CERTIFICATE_EXPIRED CERTIFICATE_REVOKED "
    "CERTIFICATE_UNKNOWN UNKNOWN_CA ACCESS_DENIED NO_CERTIFICATE DECRYPT_ERROR"
)
_REASONS: Final = {
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "HTTP_REQUEST": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "RECORD_TOO_SMALL": _NOT_TLS,
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "VERSION_TOO_LOW": _VERSION,
    "WRONG_SSL_VERSION": _VERSION,
    "ALERT_PROTOCOL_VERSION": _VERSION,
    "ALERT_HANDSHAKE_FAILURE": _SUITE,
    "ALERT_INSUFFICIENT_SECURITY": _SUITE,
    "NO_SHARED_CIPHER": _SUITE,
    "NO_CIPHERS_AVAILABLE": _SUITE,
    "WRONG_CIPHER_RETURNED": _SUITE,
    "UNKNOWN_CIPHER_RETURNED": _SUITE,
    "ALERT_CERTIFICATE_REQUIRED": _WANTED,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (
        "the peer shows no certificate",
        "It has to give one of its own.",
    ),
    "UNRECOGNIZED_NAME": _NAME,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": _INSECURE,
    "DH_KEY_TOO_SMALL": (
        "the peer's Diffie-Hellman group is too small",
        "Have it use a group of 2048 bits, or choose a profile with ECDHE alone.",
    ),
    "EE_KEY_TOO_SMALL": _VERIFY[66],
    "CA_KEY_TOO_SMALL": _VERIFY[67],
    "CA_MD_TOO_WEAK": _VERIFY[68],
} | {f"ALERT_{name}": _REFUSED for name in _CLIENT_ALERTS.split()}


def describe(exc: ssl.SSLError, session: TlsSession) -> TlsFailed:
    """Say what a failure of TLS means, before or after the end of the handshake."""
    reason = exc.reason or ""
    number = reason_number(exc.library or "SSL", reason)
    if isinstance(exc, ssl.SSLCertVerificationError):
        text, hint = _verification(exc, session)
        return TlsFailed(
            text,
            hint,
            verify_code=exc.verify_code,
            openssl_reason=reason,
            openssl_code=number,
        )
    if isinstance(exc, ssl.SSLEOFError):
        return cut_off("closed", reason or "UNEXPECTED_EOF_WHILE_READING")
    # Alerts carry the version in which they were first defined: SSLV3_, TLSV1_, TLSV13_.
    name = reason
    for prefix in ("SSLV3_", "TLSV1_", "TLSV13_"):
        name = name.removeprefix(prefix)
    # Up to TLS 1.2 a missing certificate of ours is a handshake failure like any other.
    if name == "ALERT_HANDSHAKE_FAILURE" and session.wants_certificate:
        text, hint = _REFUSED if session.has_certificate else _WANTED
    elif name == "ALERT_BAD_CERTIFICATE" and not session.has_certificate:
        text, hint = _WANTED
    else:
        text, hint = _REASONS.get(name, _BROKEN)
    words = safe(reason.lower().replace("_", " "), 80)
    return TlsFailed(
        f"{text} ({words})" if words else text,
        hint,
        openssl_reason=reason,
        openssl_code=number,
        established=bool(session.protocol),
    )


def cut_off(how: str, reason: str = "") -> TlsFailed:
    """The connection ended in the handshake; `how` is `closed` or `reset`."""
    return TlsFailed(
        f"the peer {how} the connection in the TLS handshake",
        "Check that the port is a TLS port; if it is, the archive's log says why.",
        openssl_reason=reason,
        openssl_code=reason_number("SSL", reason) if reason else None,
        passing=True,
    )


def wrong_pin(digest: str) -> TlsFailed:
    """The peer's certificate is not the one that was pinned."""
    return TlsFailed(
        f"the peer's certificate is not the pinned one, but sha256:{digest}",
        "Ask the archive's administrator whether the certificate was renewed; "
        "then pin the new one with --tls-pin.",
    )


def reason_number(library: str, reason: str) -> int | None:
    """OpenSSL's number of a reason within a library; None where Python does not tell it."""
    # Python has the table, but shows it nowhere.
    module = importlib.import_module("_ssl")
    libraries = getattr(module, "lib_codes_to_names", {})
    for (library_code, code), name in getattr(module, "err_codes_to_names", {}).items():
        if name == reason and libraries.get(library_code) == library:
            return int(code)
    return None


def _verification(exc: ssl.SSLCertVerificationError, session: TlsSession) -> tuple[str, str]:
    code = exc.verify_code
    words, hint = _VERIFY.get(
        code, (safe(exc.verify_message, 120), "Have the archive's certificate checked.")
    )
    certificate = _parsed(session.peer_certificate)
    subject = ""
    if certificate is not None:
        subject = f" '{certificate.subject}'"
        if code == 10 and certificate.not_after < datetime.now(UTC):
            words = f"it expired on {certificate.not_after:%Y-%m-%d}"
        elif code == 9 and certificate.not_before > datetime.now(UTC):
            words = f"it is not valid before {certificate.not_before:%Y-%m-%d}"
        elif code in (9, 10):
            words += " (a CA of its chain)"
        elif code in _UNKNOWN_CA and code != 18:
            words += f" (issuer '{certificate.issuer}')"
    if code in _HOST:
        words, hint = _other_host(certificate, session.server_hostname)
    return f"the peer's certificate{subject} is not accepted: {words}", hint


def _other_host(certificate: Certificate | None, wanted: str) -> tuple[str, str]:
    shown = safe(wanted, 64)
    if certificate is None:
        words = f"it is not for '{shown}'"
    elif certificate.names:
        names, more = certificate.names[:8], len(certificate.names) - 8
        listed = ", ".join(names) + (f" and {more} more" if more > 0 else "")
        words = f"it is not for '{shown}' but for {listed}"
    else:
        words = f"it is not for '{shown}': it names no host (a common name alone does not count)"
    return words, (
        "Ask by a name that it has, or give that name with --tls-server-name; "
        "--no-verify-hostname does without the check."
    )


def _parsed(der: bytes) -> Certificate | None:
    try:
        return parse_certificate(der)
    except ValueError:
        return None
