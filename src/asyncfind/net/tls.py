"""TLS as a peer's settings say it: one context for all associations with the same settings.

Every flag is written out, so that neither Python's version nor the system's configuration of
OpenSSL changes what is offered (PS3.15 Annex B).
"""

import contextlib
import functools
import importlib
import re
import ssl
import warnings
from pathlib import Path
from typing import Final

from asyncfind.errors import TlsSetupFailed, TlsStep
from asyncfind.net import tls_files
from asyncfind.net.tls_ciphers import PROFILES, cipher_string, ciphers
from asyncfind.net.tls_session import observe
from asyncfind.safe import safe
from asyncfind.security import CrlCheck, FileFormat, Tls

__all__ = [
    "ciphers",
    "context_of",
    "make_context",
    "pinned_digest",
    "problems_of",
    "server_hostname",
]

_OPTIONS: Final = (
    ssl.OP_NO_SSLv3
    | ssl.OP_NO_COMPRESSION
    | ssl.OP_NO_RENEGOTIATION
    | ssl.OP_NO_TICKET
    | ssl.OP_ENABLE_MIDDLEBOX_COMPAT
)
_CRL_FLAGS: Final = {
    CrlCheck.NONE: ssl.VERIFY_DEFAULT,
    CrlCheck.LEAF: ssl.VERIFY_CRL_CHECK_LEAF,
    CrlCheck.CHAIN: ssl.VERIFY_CRL_CHECK_CHAIN,
}
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.r?[0-9]+")
_PIN: Final = re.compile(r"sha256:((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})")
_MISMATCH: Final = (
    "KEY_VALUES_MISMATCH",
    "KEY_TYPE_MISMATCH",
    "NO_CERTIFICATE_ASSIGNED",
    "NO_PRIVATE_KEY_ASSIGNED",
)
_WEAK: Final = {
    "EE_KEY_TOO_SMALL": "its key is too short",
    "CA_KEY_TOO_SMALL": "its CA's key is too short",
    "CA_MD_TOO_WEAK": "its signature is too weak",
}
_BAD_DECRYPT: Final = 0x1C800064  # what OpenSSL 3 reports for a wrong pass phrase


@functools.lru_cache(maxsize=64)
def _kept(tls: Tls) -> tuple[ssl.SSLContext, tuple[TlsSetupFailed, ...]]:
    problems: list[TlsSetupFailed] = []
    context = make_context(tls, problems if tls.tolerant else None)
    return context, tuple(problems)


def context_of(tls: Tls) -> ssl.SSLContext:
    """The context for `tls`, made once: files are read and a pass phrase is asked for only once.

    Make it before the first association, where a question may wait for its answer.

    Raises:
        TlsSetupFailed: as `make_context`.
    """
    return _kept(tls)[0]


def problems_of(tls: Tls) -> tuple[TlsSetupFailed, ...]:
    """What was left out of `context_of(tls)`; empty unless `tls` is tolerant.

    Raises:
        TlsSetupFailed: as `make_context`.
    """
    return _kept(tls)[1]


def make_context(tls: Tls, problems: list[TlsSetupFailed] | None = None) -> ssl.SSLContext:
    """Make a context of `tls`: read files, ask for the pass phrase, choose suites.

    Args:
        problems: takes what cannot be loaded, as if `tls` were tolerant.

    Raises:
        TlsSetupFailed: a file, a suite or a setting cannot be used.
    """
    if tls.tolerant and problems is None:
        problems = []
    pinned_digest(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options = _OPTIONS
    offer = PROFILES[tls.profile]
    with warnings.catch_warnings():
        # TLS 1.0 and 1.1 only in the profiles whose point they are.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            context.maximum_version = offer.maximum
            context.minimum_version = offer.minimum
        except ValueError as exc:
            raise TlsSetupFailed(
                f"this OpenSSL does not speak the TLS versions of profile {tls.profile}",
                "Choose another profile.",
                step=TlsStep.PROFILE,
                name=tls.profile.value,
            ) from exc
    context.set_ciphers(cipher_string(tls))
    context.post_handshake_auth = False
    context.hostname_checks_common_name = False
    _require(context, tls)
    if tls.has_certificate:
        _load_own(context, tls)
    _load_trusted(context, tls, problems)
    observe(context)
    return context


def _require(context: ssl.SSLContext, tls: Tls) -> None:
    """Say what the peer has to show."""
    demanding = tls.verify_peer and not tls.pin_alone
    context.check_hostname = False  # goes first: it cannot stay on with CERT_NONE
    context.verify_mode = ssl.CERT_REQUIRED if demanding else ssl.CERT_NONE
    if demanding and tls.check_hostname:
        if tls.server_name == "":
            raise TlsSetupFailed(
                "the host name cannot be checked without telling the peer a server name",
                "Give the name with --tls-server-name, or leave the check out with "
                "--no-verify-hostname.",
                step=TlsStep.SETTINGS,
            )
        context.check_hostname = True
    check = tls.crl_check
    if tls.crl_files and check is CrlCheck.NONE:
        check = CrlCheck.LEAF
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | _CRL_FLAGS[check]


def pinned_digest(tls: Tls) -> bytes:
    """The digest of `tls.pin`; b"" where nothing is pinned.

    Raises:
        TlsSetupFailed: it is not `sha256:` and 64 hexadecimal digits.
    """
    if not tls.pin:
        return b""
    match = _PIN.fullmatch(tls.pin.lower())
    if match is None:
        raise TlsSetupFailed(
            f"'{safe(tls.pin, 80)}' is no pin",
            "A pin is sha256: and the 64 hexadecimal digits of the certificate's digest.",
            step=TlsStep.SETTINGS,
        )
    return bytes.fromhex(match[1].replace(":", ""))


def server_hostname(tls: Tls, host: str) -> str | None:
    """The name to ask for and to check; None where the peer is told none."""
    if tls.server_name is not None:
        return tls.server_name or None
    return host.partition("%")[0].rstrip(".")  # a zone belongs to this machine's interface


# Our own certificate.


def _load_own(context: ssl.SSLContext, tls: Tls) -> None:
    if tls.pkcs12_file:
        name = tls.pkcs12_file
        certificate_name, (key, chain) = name, _read_pkcs12(tls)
    else:
        name, certificate_name = tls.key_file, tls.certificate_file
        if not name or not certificate_name:
            raise TlsSetupFailed(
                "a certificate needs its private key, and a key its certificate",
                "Give both files.",
                step=TlsStep.SETTINGS,
            )
        key = tls_files.key_pem(tls_files.read_file(name, TlsStep.KEY), name, tls.file_format)
        chain = tls_files.listed_pem(
            tls_files.read_file(certificate_name, TlsStep.CERTIFICATE),
            certificate_name,
            tls.file_format,
            TlsStep.CERTIFICATE,
        )
    _check_chain(chain, certificate_name)
    with tls_files.memory_file(chain) as chain_path, tls_files.memory_file(key) as key_path:
        try:
            context.load_cert_chain(chain_path, key_path, tls_files.password_of(tls.password, name))
        except (ssl.SSLError, ValueError) as exc:
            raise _own_failed(exc, key, name, certificate_name, tls) from exc


def _check_chain(chain: bytes, name: str) -> None:
    """Have OpenSSL read the certificates alone, to tell their faults from those of the key."""
    text = tls_files.certificates(chain)
    try:
        if text:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except ssl.SSLError as exc:
        raise TlsSetupFailed(
            f"certificate file '{safe(name)}' is damaged",
            "Get the certificate again.",
            step=TlsStep.CERTIFICATE,
            name=name,
            openssl_code=tls_files.damage_code(chain),
        ) from exc


def _own_failed(
    exc: ssl.SSLError | ValueError, key: bytes, name: str, certificate_name: str, tls: Tls
) -> TlsSetupFailed:
    """Take apart what Python calls "PEM lib"."""
    reason = getattr(exc, "reason", None) or ""
    if reason in _MISMATCH:
        return TlsSetupFailed(
            f"private key '{safe(name)}' and certificate '{safe(certificate_name)}' do not match",
            "Use the certificate that was issued for this key.",
            step=TlsStep.MATCH,
            name=certificate_name,
        )
    if reason in _WEAK:
        return TlsSetupFailed(
            f"profile {tls.profile} does not allow certificate '{safe(certificate_name)}': "
            f"{_WEAK[reason]}",
            "Use a newer certificate, or choose an older profile.",
            step=TlsStep.CERTIFICATE,
            name=certificate_name,
        )
    if not tls_files.is_encrypted(key):
        return TlsSetupFailed(
            f"private key file '{safe(name)}' is damaged",
            "Get the key again.",
            step=TlsStep.KEY,
            name=name,
            openssl_code=tls_files.KEY_UNREADABLE,
        )
    return TlsSetupFailed(
        f"wrong pass phrase for private key '{safe(name)}'",
        "The key is encrypted: give its pass phrase, as with +pw or --passwd-file."
        if tls.password == ""
        else "Check the pass phrase.",
        step=TlsStep.KEY,
        name=name,
        openssl_code=_BAD_DECRYPT,
    )


def _read_pkcs12(tls: Tls) -> tuple[bytes, bytes]:
    """Key and chain of a PKCS #12 file as PEM (RFC 7292)."""
    name = tls.pkcs12_file
    if tls.key_file or tls.certificate_file:
        raise TlsSetupFailed(
            "a PKCS#12 file holds key and certificate: no others can be given beside it",
            "Leave one of them out.",
            step=TlsStep.SETTINGS,
        )
    try:
        # Found by name, because it is no dependency: only these files need it.
        pkcs12 = importlib.import_module("cryptography.hazmat.primitives.serialization.pkcs12")
        serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    except ImportError as exc:
        raise TlsSetupFailed(
            "PKCS#12 files need the package cryptography",
            "Install asyncfind[pkcs12], or convert the file with `openssl pkcs12`.",
            step=TlsStep.KEY,
            name=name,
        ) from exc
    data = tls_files.read_file(name, TlsStep.KEY)
    if not tls_files.is_pkcs12(data):
        raise TlsSetupFailed(
            f"'{safe(name)}' is no PKCS#12 file",
            "Check the name of the file; keys and certificates in PEM or DER go with +tls.",
            step=TlsStep.KEY,
            name=name,
        )
    try:
        try:
            key, certificate, others = pkcs12.load_key_and_certificates(data, None)
        except ValueError:  # it has a pass phrase, or is damaged
            password = tls_files.password_of(tls.password, name)()
            key, certificate, others = pkcs12.load_key_and_certificates(data, password)
    except ValueError as exc:
        raise TlsSetupFailed(
            f"PKCS#12 file '{safe(name)}' is damaged, or its pass phrase is another",
            "Check file and pass phrase.",
            step=TlsStep.KEY,
            name=name,
            openssl_code=_BAD_DECRYPT,
        ) from exc
    if key is None or certificate is None:
        raise TlsSetupFailed(
            f"'{safe(name)}' holds no {'private key' if key is None else 'certificate'}",
            "Export it again, with key and certificate.",
            step=TlsStep.KEY if key is None else TlsStep.CERTIFICATE,
            name=name,
        )
    encoding = serialization.Encoding
    plain = key.private_bytes(
        encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return plain, b"".join(one.public_bytes(encoding.PEM) for one in (certificate, *others))


# Whom we trust.


def _load_trusted(context: ssl.SSLContext, tls: Tls, problems: list[TlsSetupFailed] | None) -> None:
    known = tls.ca_files or tls.ca_directories or tls.system_trust
    if context.verify_mode is ssl.CERT_REQUIRED and not known and problems is None:
        raise TlsSetupFailed(
            "no CA is given: no certificate of the peer could be trusted",
            "Give the CA's certificate with +cf, or a directory of CAs with +cd.",
            step=TlsStep.TRUST,
        )
    if tls.system_trust:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    loads = [
        *((_load_file, name, TlsStep.CA_FILE) for name in tls.ca_files),
        *((_load_directory, name, TlsStep.CA_DIRECTORY) for name in tls.ca_directories),
        *((_load_file, name, TlsStep.CRL) for name in tls.crl_files),
    ]
    for load, name, step in loads:
        try:
            load(context, name, tls.file_format, step, strict=problems is None)
        except TlsSetupFailed as problem:
            if problems is None:
                raise
            problems.append(problem)


def _load_file(
    context: ssl.SSLContext, name: str, file_format: FileFormat, step: TlsStep, *, strict: bool
) -> None:
    data = tls_files.read_file(name, step)
    pem = tls_files.listed_pem(data, name, file_format, step)
    before = context.cert_store_stats()["crl"]
    try:
        with tls_files.memory_file(pem) as path:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError as exc:
        raise TlsSetupFailed(
            f"file '{safe(name)}' is damaged, or is no "
            f"{'revocation list' if step is TlsStep.CRL else 'CA certificate'}",
            "Check the name of the file, or get it again.",
            step=step,
            name=name,
            openssl_code=tls_files.damage_code(pem),
        ) from exc
    if strict and step is TlsStep.CRL and context.cert_store_stats()["crl"] == before:
        raise TlsSetupFailed(
            f"file '{safe(name)}' holds no revocation list",
            "Check the name of the file.",
            step=step,
            name=name,
        )


def _load_directory(
    context: ssl.SSLContext, name: str, file_format: FileFormat, step: TlsStep, *, strict: bool
) -> None:
    try:
        files = sorted(Path(name).iterdir())
    except (OSError, ValueError) as exc:
        if strict:
            raise tls_files.describe_os_error(exc, name, step) from exc
        return  # OpenSSL looks into it only when it needs a CA, and says nothing then either
    if file_format is FileFormat.PEM:
        context.load_verify_locations(capath=name)
        found = any(_HASHED.fullmatch(file.name) for file in files)
        hint = "It needs hashed names: run `openssl rehash` on it, or name its files with +cf."
    else:
        found = False
        hint = "It needs one certificate in DER per file."
        for file in files:
            if file.is_file():
                with contextlib.suppress(TlsSetupFailed):  # others may lie beside certificates
                    _load_file(context, str(file), file_format, step, strict=False)
                    found = True
    if strict and not found:
        raise TlsSetupFailed(
            f"directory '{safe(name)}' holds no CA certificates", hint, step=step, name=name
        )
