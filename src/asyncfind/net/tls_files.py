"""Keys, certificates and revocation lists: files of either format, as OpenSSL takes them.

Python's `ssl` reads PEM files only, and says "PEM lib" whatever is wrong with them. So we read
each file once, tell what it is, and hand OpenSSL a PEM file that lives in memory.
"""

import base64
import contextlib
import getpass
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from asyncfind.errors import TlsSetupFailed, TlsStep
from asyncfind.safe import safe
from asyncfind.security import FileFormat

__all__ = [
    "KEY_UNREADABLE",
    "Password",
    "certificates",
    "damage_code",
    "describe_os_error",
    "is_encrypted",
    "is_pkcs12",
    "key_pem",
    "listed_pem",
    "memory_file",
    "password_of",
    "read_file",
    "wrapped",
]

Password = Callable[[], bytes]

_MAX_FILE: Final = 16 * 1024 * 1024
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n.*?-----END \1-----", re.DOTALL)
_CERTIFICATES: Final = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")
_WHAT: Final = {
    TlsStep.KEY: "private key",
    TlsStep.CERTIFICATE: "certificate",
    TlsStep.CA_FILE: "CA certificate",
    TlsStep.CA_DIRECTORY: "CA certificate",
    TlsStep.CRL: "revocation list",
}
# OpenSSL 3 packs a library's number (9 bits) above a reason (23 bits); these are what its own
# loaders report. A failed system call is marked by the highest bit.
_SYSTEM: Final = 0x80000000
KEY_UNREADABLE: Final = 0x1E08010C  # OSSL_DECODER: unsupported
_CODES: Final = {
    (TlsStep.KEY, FileFormat.PEM): KEY_UNREADABLE,
    (TlsStep.KEY, FileFormat.DER): KEY_UNREADABLE,
    (TlsStep.CERTIFICATE, FileFormat.PEM): 0x0480006C,  # PEM: no start line
    (TlsStep.CA_FILE, FileFormat.PEM): 0x05800088,  # X509: no certificate or CRL found
    (TlsStep.CA_DIRECTORY, FileFormat.PEM): 0x05800088,
    (TlsStep.CRL, FileFormat.PEM): 0x05800088,
}
_WRONG_TAG: Final = 0x068000A8  # ASN1: wrong tag
_NOT_ENOUGH_DATA: Final = 0x0680008E  # ASN1: not enough data
_BAD_BASE64: Final = 0x04800064  # PEM: bad base64 decode


def read_file(name: str, step: TlsStep) -> bytes:
    """Read a file whole.

    Raises:
        TlsSetupFailed: it cannot be read, or is larger than any such file.
    """
    try:
        with Path(name).open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as exc:
        raise describe_os_error(exc, name, step) from exc
    if len(data) > _MAX_FILE:
        raise TlsSetupFailed(
            f"{_WHAT[step]} file '{safe(name)}' is larger than {_MAX_FILE >> 20} MiB",
            "Check the name of the file.",
            step=step,
            name=name,
        )
    return data


def describe_os_error(exc: OSError | ValueError, name: str, step: TlsStep) -> TlsSetupFailed:
    """The error to raise for a file or directory that cannot be read."""
    number = exc.errno if isinstance(exc, OSError) else None
    words = os.strerror(number) if number else "no file name"
    return TlsSetupFailed(
        f"{_WHAT[step]} '{safe(name)}' cannot be read: {words}",
        "Check the name and the permissions.",
        step=step,
        name=name,
        openssl_code=None if number is None else _SYSTEM | number,
    )


def wrapped(label: str, der: bytes) -> bytes:
    """`der` as one PEM block (RFC 7468)."""
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label.encode(), lines, label.encode())


def listed_pem(data: bytes, name: str, file_format: FileFormat, step: TlsStep) -> bytes:
    """Certificates, or revocation lists, as PEM.

    Raises:
        TlsSetupFailed: the file is in the other format, or holds none.
    """
    if file_format is FileFormat.DER:
        if not _is_sequence(data):
            raise _wrong_format(data, name, file_format, step)
        return wrapped("X509 CRL" if step is TlsStep.CRL else "CERTIFICATE", data)
    labels = {match[1] for match in _BLOCK.finditer(data)}
    # A PEM file of CAs may hold revocation lists and the other way round: OpenSSL takes both.
    wanted = (*_CERTIFICATES, b"X509 CRL") if step is not TlsStep.CERTIFICATE else _CERTIFICATES
    if labels.isdisjoint(wanted):
        raise _wrong_format(data, name, file_format, step)
    return data


def certificates(pem: bytes) -> str:
    """The certificate blocks alone, without what stands between them; "" where there is none."""
    found = [match[0] for match in _BLOCK.finditer(pem) if match[1] in _CERTIFICATES[:2]]
    return b"\n".join(found).decode("ascii", "replace")


def damage_code(pem: bytes) -> int:
    """OpenSSL's number for what is wrong with a damaged file, which Python hides."""
    try:
        for match in _BLOCK.finditer(pem):
            base64.b64decode(b"".join(match[0].split(b"-----")[2].split()), validate=True)
    except ValueError:
        return _BAD_BASE64
    return _WRONG_TAG


def key_pem(data: bytes, name: str, file_format: FileFormat) -> bytes:
    """A private key as PEM, DER told apart by its ASN.1.

    Raises:
        TlsSetupFailed: the file is in the other format, or holds no private key.
    """
    if file_format is FileFormat.DER:
        label = _key_label(data)
        if not label:
            raise _wrong_format(data, name, file_format, TlsStep.KEY)
        return wrapped(label, data)
    if not any(match[1].endswith(b"PRIVATE KEY") for match in _BLOCK.finditer(data)):
        raise _wrong_format(data, name, file_format, TlsStep.KEY)
    return data


def is_encrypted(pem: bytes) -> bool:
    """A pass phrase is needed to read the key (RFC 5958 Section 3, RFC 1421 Section 4.6)."""
    return b"BEGIN ENCRYPTED PRIVATE KEY" in pem or b"ENCRYPTED\n" in pem.replace(b"\r", b"")


def is_pkcs12(data: bytes) -> bool:
    """It begins as a PFX does: a sequence whose first element is version 3 (RFC 7292 Section 4)."""
    tag, start, _ = (0x30, 2, 0) if data[:2] == b"\x30\x80" else _header(data, 0)
    return tag == 0x30 and data[start : start + 3] == b"\x02\x01\x03"


def _wrong_format(data: bytes, name: str, file_format: FileFormat, step: TlsStep) -> TlsSetupFailed:
    what, shown = _WHAT[step], safe(name)
    blocks = [match[1].decode() for match in _BLOCK.finditer(data)]
    if not data.strip():
        text, hint = f"{what} file '{shown}' is empty", "Check the name of the file."
    elif file_format is FileFormat.PEM and _is_sequence(data):
        text = f"{what} file '{shown}' is in DER, not in PEM"
        hint = "Choose DER (-der), which then holds for all files, or convert it with openssl."
    elif file_format is FileFormat.DER and blocks:
        text = f"{what} file '{shown}' is in PEM, not in DER"
        hint = "Choose PEM (-pem), which then holds for all files, or convert it with openssl."
    elif blocks:
        text = f"file '{shown}' holds no {what}, but: {safe(', '.join(blocks[:4]))}"
        hint = "Check the order of the files: the key comes first, then the certificate."
    else:
        text = f"file '{shown}' is no {what} in {file_format.value.upper()}"
        hint = "Check the name of the file."
    cut = file_format is FileFormat.DER and data[:1] == b"\x30"
    code = _CODES.get((step, file_format), _NOT_ENOUGH_DATA if cut else _WRONG_TAG)
    return TlsSetupFailed(text, hint, step=step, name=name, openssl_code=code)


# ASN.1, as far as it tells one file from another (X.690).


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the value of the element at `at`; a tag of -1 where there is none."""
    if at + 2 > len(data):
        return -1, at, at
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or start + count > len(data):
            return -1, at, at
        length = int.from_bytes(data[start : start + count])
        start += count
    if start + length > len(data):
        return -1, at, at
    return data[at], start, start + length


def _is_sequence(data: bytes) -> bool:
    tag, _, end = _header(data, 0)
    return tag == 0x30 and end == len(data)


def _key_label(data: bytes) -> str:
    """The PEM label of a private key in DER; "" for anything else."""
    if not _is_sequence(data):
        return ""
    tags: list[int] = []
    _, at, stop = _header(data, 0)
    while at < stop and len(tags) < 16:
        tag, _, at = _header(data, at)
        if tag < 0:
            return ""
        tags.append(tag)
    match tags:
        case [0x02, 0x30, 0x04, *_]:
            return "PRIVATE KEY"  # PKCS #8 (RFC 5958 Section 2)
        case [0x30, 0x04]:
            return "ENCRYPTED PRIVATE KEY"  # RFC 5958 Section 3
        case [0x02, 0x04, *_]:
            return "EC PRIVATE KEY"  # SEC 1 (RFC 5915 Section 3)
        case [0x02, 0x02, 0x02, 0x02, 0x02, 0x02]:
            return "DSA PRIVATE KEY"
        case [0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, *_]:
            return "RSA PRIVATE KEY"  # PKCS #1 (RFC 8017 Appendix A.1.2)
        case _:
            return ""


@contextlib.contextmanager
def memory_file(data: bytes) -> Iterator[str]:
    """A file name that OpenSSL can open, gone at the end of the block.

    In memory where the system can, else a file that only we can read: a key never lies on disk
    longer than OpenSSL takes to read it.
    """
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        number = os.memfd_create("tls", os.MFD_CLOEXEC)
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{number}"
        return
    # Closed before OpenSSL opens it: some systems allow no second handle.
    number, name = tempfile.mkstemp()  # mode 0600
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
        yield name
    finally:
        Path(name).unlink()


def password_of(given: str | None, name: str) -> Password:
    """A callable in every case: without one OpenSSL would prompt by itself, wherever it likes.

    Args:
        given: the pass phrase; None asks on the terminal.
        name: the key file, for the question.
    """

    def ask() -> bytes:
        if given is not None:
            # Python turns bytes of the command line that are no UTF-8 into surrogates.
            return given.encode("utf-8", "surrogateescape")
        try:
            if os.name == "posix":
                # getpass falls back to standard input, which may be a query file.
                os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
            return getpass.getpass("Enter PEM pass phrase:").encode("utf-8", "surrogateescape")
        except (OSError, EOFError) as exc:
            raise TlsSetupFailed(
                f"private key '{safe(name)}' needs a pass phrase, and there is no terminal to ask",
                "Use a key without one, start it at a terminal, or give the pass phrase with +pw "
                "or --passwd-file where there are such options.",
                step=TlsStep.KEY,
                name=name,
            ) from exc

    return ask
