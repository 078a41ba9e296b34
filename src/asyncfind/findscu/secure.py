"""TLS in findscu's words: what it says of files that it cannot use, and of handshakes that fail."""

from typing import Final

from asyncfind.errors import TlsFailed, TlsSetupFailed, TlsStep
from asyncfind.findscu.conditions import ABORTED_BY_PEER, DCMDATA, DCMTLS, Condition
from asyncfind.findscu.voice import Voice
from asyncfind.net.tls import context_of, problems_of
from asyncfind.security import Tls

__all__ = ["handshake_failure", "set_up"]

_LIBRARY: Final = 0x800
_IO_ERROR: Final = Condition(DCMTLS, 0x17, "OpenSSL I/O error (SSL_ERROR_SYSCALL)")
_IGNORED: Final = {
    TlsStep.CA_FILE: "unable to load certificate file",
    TlsStep.CA_DIRECTORY: "unable to load certificates from directory",
    TlsStep.CRL: "unable to load CRL file",
}


def set_up(tls: Tls, voice: Voice) -> Condition | None:
    """Make the context for `tls` and say what was left out; what findscu ends with, if it does."""
    try:
        context_of(tls)
    except TlsSetupFailed as error:
        return _failure(tls, error, voice)
    for problem in problems_of(tls):
        _tell_code(problem, voice)
        voice.warn(f"{_IGNORED[problem.step]} '{_bytes(problem.name)}', ignoring")
    return None


def _failure(tls: Tls, error: TlsSetupFailed, voice: Voice) -> Condition:
    key, certificate = _bytes(tls.key_file), _bytes(tls.certificate_file)
    if error.step is TlsStep.KEY:
        _tell_code(error, voice)
        return Condition(DCMTLS, 4, f"Unable to load private TLS key from '{key}'")
    if error.step is TlsStep.CERTIFICATE:
        _tell_code(error, voice)
    if error.step in (TlsStep.CERTIFICATE, TlsStep.MATCH):
        text = f"Private key '{key}' and certificate '{certificate}' do not match"
        return Condition(DCMTLS, 6, text)
    return Condition(DCMDATA, 7, "Illegal call, perhaps wrong parameters")


def _tell_code(error: TlsSetupFailed, voice: Voice) -> None:
    if error.openssl_code is not None:
        voice.error(f"OpenSSL error {error.openssl_code:08X}: OpenSSL error")


def _bytes(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("latin_1")


def handshake_failure(error: TlsFailed) -> Condition:
    """The condition that findscu ends with."""
    if error.established:
        return ABORTED_BY_PEER
    if error.openssl_code is None:
        return _IO_ERROR
    reason = error.openssl_reason.lower().replace("_", " ")
    return Condition(DCMTLS, _LIBRARY + error.openssl_code, f"TLS error: {reason}")
