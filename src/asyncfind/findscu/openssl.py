"""What OpenSSL 3 puts into its queue of errors for a file that it cannot use, and its words for it.

findscu takes one error out of the queue for each file it complains of: of several bad files the
later ones are explained by what the first ones left there.
"""

import base64
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from asyncfind.security import FileFormat

__all__ = ["ErrorQueue", "certificate_errors", "key_errors", "listed_errors"]

_SYSTEM: Final = 0x80000000
_NO_SUCH_FILE: Final = 0x10000080
_BIO_SYSTEM: Final = 0x10080002
_NO_START_LINE: Final = 0x0480006C
_BAD_BASE64: Final = 0x04800064
_BAD_END_LINE: Final = 0x04800066
_PEM_ASN1: Final = 0x0488000D
_NOTHING_FOUND: Final = 0x05800088
_X509_SYSTEM: Final = 0x05880002
_X509_PEM: Final = 0x05880009
_X509_ASN1: Final = 0x0588000D
_BAD_HEADER: Final = 0x06800066
_FIELD_MISSING: Final = 0x06800079
_NOT_ENOUGH: Final = 0x0680008E
_TOO_LONG: Final = 0x0680009B
_WRONG_TAG: Final = 0x068000A8
_NESTED: Final = 0x0688010A
_SSL_ASN1: Final = 0x0A08000D
_BAD_DECRYPT: Final = 0x1C800064
_UNSUPPORTED: Final = 0x1E08010C
_REASONS: Final[Mapping[int, str]] = {
    _NO_SUCH_FILE: "no such file",
    _BIO_SYSTEM: "system lib",
    _NO_START_LINE: "no start line",
    _BAD_BASE64: "bad base64 decode",
    _BAD_END_LINE: "bad end line",
    _PEM_ASN1: "ASN1 lib",
    _NOTHING_FOUND: "no certificate or crl found",
    _X509_SYSTEM: "system lib",
    _X509_PEM: "PEM lib",
    _X509_ASN1: "ASN1 lib",
    _BAD_HEADER: "bad object header",
    _FIELD_MISSING: "field missing",
    _NOT_ENOUGH: "not enough data",
    _TOO_LONG: "too long",
    _WRONG_TAG: "wrong tag",
    _NESTED: "nested asn1 error",
    _SSL_ASN1: "ASN1 lib",
    _BAD_DECRYPT: "bad decrypt",
    _UNSUPPORTED: "unsupported",
}
_QUEUE_SIZE: Final = 15
_SSL_LIBRARY: Final = 0x14
_BEGIN: Final = re.compile(rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE|X509 CRL)-----[ \t]*\r?\n")


class ErrorQueue:
    """OpenSSL's errors that nobody has asked for yet."""

    def __init__(self) -> None:
        self._codes: deque[int] = deque(maxlen=_QUEUE_SIZE)

    def add(self, codes: Sequence[int]) -> None:
        """OpenSSL has met these, the deepest first."""
        self._codes.extend(codes)

    def take(self) -> str | None:
        """The oldest one in DCMTK's words; None where there is none."""
        if not self._codes:
            return None
        code = self._codes.popleft()
        reason = _REASONS.get(code, "OpenSSL error")
        if code >> 23 == _SSL_LIBRARY:
            return f"TLS error: {reason}"
        return f"OpenSSL error {code:08x}: {reason}"


def _content(name: str) -> bytes:
    """A file; a folder is empty until one tries to read it."""
    with open(name, "rb") as file:  # noqa: PTH123 - a Path makes a folder of an empty name
        return file.read()


def listed_errors(name: str, file_format: FileFormat) -> Sequence[int]:
    """What is wrong with a file of CAs or CRLs that cannot be loaded."""
    is_pem = file_format is FileFormat.PEM
    try:
        data = _content(name)
    except IsADirectoryError as exc:
        if not is_pem:
            return (_SYSTEM | (exc.errno or 0), _BIO_SYSTEM, _NOT_ENOUGH, _X509_ASN1)
        data = b""
    except OSError as exc:
        number = exc.errno or 0
        is_missing = is_pem and isinstance(exc, FileNotFoundError)
        return (
            _SYSTEM | number,
            _NO_SUCH_FILE if is_missing else _BIO_SYSTEM,
            _X509_SYSTEM,
        )
    if is_pem:
        codes = _pem_errors(data)
        return (*codes, _X509_PEM) if codes else (_NOTHING_FOUND,)
    return (*_der_errors(data), _X509_ASN1)


def certificate_errors(name: str, file_format: FileFormat) -> Sequence[int]:
    """What is wrong with a file that should hold our certificate."""
    is_pem = file_format is FileFormat.PEM
    try:
        data = _content(name)
    except IsADirectoryError as exc:
        return (_NO_START_LINE,) if is_pem else (_SYSTEM | (exc.errno or 0),)
    except OSError as exc:
        return (_SYSTEM | (exc.errno or 0),)
    return (_pem_errors(data) or (_NO_START_LINE,)) if is_pem else _der_errors(data)


def key_errors(name: str, file_format: FileFormat, *, is_locked: bool) -> Sequence[int]:
    """What is wrong with a file that should hold our private key.

    Args:
        is_locked: the key is there, and the pass phrase is another.
    """
    is_pem = file_format is FileFormat.PEM
    try:
        data = _content(name)
    except IsADirectoryError as exc:
        return (_UNSUPPORTED,) if is_pem else (_SYSTEM | (exc.errno or 0),)
    except OSError as exc:
        return (_SYSTEM | (exc.errno or 0),)
    if is_locked:
        return (_BAD_DECRYPT,)
    if is_pem:
        return (_UNSUPPORTED,)
    if not data:
        return (_SSL_ASN1,)
    return (_UNSUPPORTED,) if _fits(data) else (_NOT_ENOUGH,)


def _pem_errors(data: bytes) -> Sequence[int]:
    """What is wrong with the first block; nothing where there is no block."""
    match = _BEGIN.search(data)
    if match is None:
        return ()
    body, end, _ = data[match.end() :].partition(b"-----END %b-----" % match[1])
    if not end:
        return (_BAD_END_LINE,)
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except ValueError:
        return (_BAD_BASE64,)
    if not _fits(der):
        return (_TOO_LONG, _BAD_HEADER, _NESTED, _PEM_ASN1)
    if der[0] != 0x30:
        return (_WRONG_TAG, _NESTED, _PEM_ASN1)
    return (_FIELD_MISSING, _PEM_ASN1)


def _der_errors(data: bytes) -> Sequence[int]:
    if not data:
        return ()
    if not _fits(data):
        return (_NOT_ENOUGH,)
    return (_FIELD_MISSING,) if data[0] == 0x30 else (_WRONG_TAG, _NESTED)


def _fits(der: bytes) -> bool:
    """Whether the first element in DER is there as a whole (X.690 Section 8.1)."""
    if len(der) < 2:
        return False
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start])
    return start + length <= len(der)
