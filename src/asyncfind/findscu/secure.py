"""TLS in findscu's words: what it says of files that it cannot use, and of handshakes that fail."""

import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from asyncfind.errors import TlsFailed, TlsSetupFailed, TlsStep
from asyncfind.findscu.conditions import (
    ABORTED_BY_PEER,
    DCMTLS,
    ILLEGAL_CALL,
    Condition,
)
from asyncfind.findscu.openssl import (
    ErrorQueue,
    certificate_errors,
    key_errors,
    listed_errors,
)
from asyncfind.findscu.voice import Voice
from asyncfind.findscu.x509 import describe_connection, parse_certificate
from asyncfind.net.stream import Stream
from asyncfind.net.tls import context_of, make_context
from asyncfind.net.tls_ciphers import KNOWN_CIPHERS, ciphers
from asyncfind.net.tls_files import is_encrypted
from asyncfind.security import FileFormat, Profile, Tls

__all__ = ["handshake_failure", "set_up", "tell_connection"]

_LIBRARY: Final = 0x800
_IO_ERROR: Final = Condition(DCMTLS, 0x17, "OpenSSL I/O error (SSL_ERROR_SYSCALL)")
_NOT_ALLOWED: Final = Condition(
    DCMTLS, 0x0A, "Ciphersuite not allowed in current DICOM security profile"
)
_ADVICE: Final = "RFC 7525 recommends"
_SHORTEST: Final = 2048
_PROFILES: Final[Mapping[Profile, str]] = {
    Profile.BCP195_ND: "Non-downgrading BCP 195 TLS Profile",
    Profile.BCP195: "BCP 195 TLS Profile",
    Profile.AES: "AES TLS Secure Transport Connection Profile",
}
"""Profiles that take further suites, but none without encryption."""


def set_up(tls: Tls, voice: Voice, *, shows_certificate: bool) -> Condition | None:
    """Make the context for `tls` and say what was left out; what findscu ends with, if it does.

    Args:
        shows_certificate: +tls was given, be its file names empty.
    """
    queue = ErrorQueue()
    for files, what in ((tls.ca_files, "certificate"), (tls.crl_files, "CRL")):
        for name in files:
            _try_listed(name, what, tls, queue, voice)
    suite, failed = _wrong_suite(tls)
    if shows_certificate:
        usable = tls if suite is None else replace(tls, ciphers=())
        if (wrong := _load_own(usable, queue, voice)) is not None:
            return wrong
    for name in tls.ciphers:
        if name == suite:
            break
        _advise(name, tls.profile, voice)
    if suite is not None:
        if failed is not ILLEGAL_CALL:
            voice.fatal(_refusal(suite, tls.profile))
        return failed
    context_of(tls)
    return None


def _try_listed(name: str, what: str, tls: Tls, queue: ErrorQueue, voice: Voice) -> None:
    """Load a file of CAs or CRLs by itself, to see whether OpenSSL takes it."""
    problems: list[TlsSetupFailed] = []
    if name:
        alone = Tls(ca_files=(name,), file_format=tls.file_format, tolerant=True)
        make_context(alone, problems)
        if not problems:
            return
    queue.add(listed_errors(name, tls.file_format))
    _tell(queue, voice)
    voice.warn(f"unable to load {what} file '{_bytes(name)}', ignoring")


def _tell(queue: ErrorQueue, voice: Voice) -> None:
    text = queue.take()
    if text is not None:
        voice.error(text)


# Our own certificate.


def _load_own(tls: Tls, queue: ErrorQueue, voice: Voice) -> Condition | None:
    key, certificate = tls.key_file, tls.certificate_file
    error: TlsSetupFailed | None = None
    if key and certificate:
        try:
            context_of(tls)
        except TlsSetupFailed as exc:
            error = exc
    step = TlsStep.KEY if not key else TlsStep.CERTIFICATE if not certificate else None
    if error is not None:
        step = error.step
    if step is TlsStep.KEY:
        queue.add(key_errors(key, tls.file_format, is_locked=_is_locked(key)))
        _tell(queue, voice)
        return Condition(DCMTLS, 4, f"Unable to load private TLS key from '{_bytes(key)}'")
    if step is TlsStep.CERTIFICATE:
        queue.add(certificate_errors(certificate, tls.file_format))
        _tell(queue, voice)
    else:
        _advise_certificate(certificate, tls.file_format, voice)
    if step is not None:
        names = f"'{_bytes(key)}' and certificate '{_bytes(certificate)}'"
        return Condition(DCMTLS, 6, f"Private key {names} do not match")
    return None


def _is_locked(name: str) -> bool:
    try:
        return is_encrypted(Path(name).read_bytes()) if name else False
    except OSError:
        return False


def _advise_certificate(name: str, file_format: FileFormat, voice: Voice) -> None:
    """Warn of what OpenSSL takes and nobody should use any more."""
    der = Path(name).read_bytes()
    if file_format is FileFormat.PEM:
        text = der.decode("latin_1")
        start = text.index("-----BEGIN ")
        block = text[start:].replace("BEGIN X509 ", "BEGIN ").replace("END X509 ", "END ")
        end = block.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(block[:end])
    certificate = parse_certificate(der)
    if certificate is None or certificate.key_type != "RSA":
        return
    shown = _bytes(name)
    if certificate.key_bits < _SHORTEST:
        voice.warn(
            f"Key length of RSA public key too short: {_ADVICE} at least {_SHORTEST} bits for RSA "
            f"keys, but the key in certificate file '{shown}' is only {certificate.key_bits} bits."
        )
    if certificate.weak_hash:
        voice.warn(
            f"Certificate hash key not SHA-256: {_ADVICE} the use of SHA-256 for RSA "
            f"certificates, but certificate file '{shown}' uses '{certificate.weak_hash}'."
        )


# Cipher suites.


def _wrong_suite(tls: Tls) -> tuple[str | None, Condition | None]:
    """The first suite that cannot be added, and what findscu ends with."""
    for name in tls.ciphers:
        if name not in KNOWN_CIPHERS or "_CCM" in name:  # 3.6.7 knows of no CCM
            return name, ILLEGAL_CALL
        if name not in ciphers():
            return name, Condition(DCMTLS, 3, f"Unknown or invalid ciphersuite: {_bytes(name)}")
        if "_NULL_" in name and tls.profile in _PROFILES:
            return name, _NOT_ALLOWED
    return None, None


def _refusal(name: str, profile: Profile) -> str:
    if name not in ciphers():
        return (
            f"Ciphersuite '{_bytes(name)}' not supported by the OpenSSL library used to compile "
            "this application."
        )
    return (
        f"Unencrypted ciphersuite '{_bytes(name)}' not permitted with security profile "
        f"'{_PROFILES[profile]}'"
    )


def _advise(name: str, profile: Profile, voice: Voice) -> None:
    if profile not in _PROFILES:
        return
    has_transport = "RSA" if name.startswith("TLS_RSA_") else "NO RSA"
    voice.warn(
        f"Ciphersuite '{_bytes(name)}' uses {has_transport} key transport. {_ADVICE} that such "
        "cipher suites should not be used."
    )


def _bytes(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("latin_1")


# The connection.


def tell_connection(stream: Stream, voice: Voice) -> None:
    """Show at debug level how TLS is spoken on a connection."""
    if stream.tls is not None:
        session = stream.tls
        text = describe_connection(session.protocol, session.cipher, session.peer_certificate)
        voice.debug(text)


def handshake_failure(error: TlsFailed) -> Condition:
    """The condition that findscu ends with."""
    if error.established:
        return ABORTED_BY_PEER
    if error.openssl_code is None:
        return _IO_ERROR
    reason = error.openssl_reason.lower().replace("_", " ")
    return Condition(DCMTLS, _LIBRARY + error.openssl_code, f"TLS error: {reason}")
