"""Bad files in OpenSSL's words, and certificates in DCMTK's."""

from pathlib import Path

import pytest
from certificates import Authority, ec_key
from cryptography.hazmat.primitives.serialization import Encoding

from asyncfind.findscu.openssl import (
    ErrorQueue,
    certificate_errors,
    key_errors,
    listed_errors,
)
from asyncfind.findscu.x509 import describe_connection, parse_certificate
from asyncfind.security import FileFormat

_PEM, _DER = FileFormat.PEM, FileFormat.DER


def _first(codes: "list[int] | tuple[int, ...]") -> str | None:
    queue = ErrorQueue()
    queue.add(codes)
    return queue.take()


def test_errors_are_taken_oldest_first_and_the_oldest_are_lost() -> None:
    queue = ErrorQueue()
    assert queue.take() is None
    queue.add([0x80000002, 0x10000080])
    assert queue.take() == "OpenSSL error 80000002: OpenSSL error"
    assert queue.take() == "OpenSSL error 10000080: no such file"
    queue.add([0x0A08000D])
    assert queue.take() == "TLS error: ASN1 lib"
    queue.add(range(1, 20))
    assert queue.take() == "OpenSSL error 00000005: OpenSSL error"


@pytest.mark.parametrize(
    ("content", "file_format", "expected"),
    [
        (None, _PEM, "80000002: OpenSSL error"),
        (b"text", _PEM, "05800088: no certificate or crl found"),
        (b"-----BEGIN CERTIFICATE-----\nMAA=\n", _PEM, "04800066: bad end line"),
        (
            b"-----BEGIN CERTIFICATE-----\nM*\n-----END CERTIFICATE-----\n",
            _PEM,
            "04800064: bad base64 decode",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nMAU=\n-----END CERTIFICATE-----\n",
            _PEM,
            "0680009b: too long",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nBAA=\n-----END CERTIFICATE-----\n",
            _PEM,
            "068000a8: wrong tag",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            _PEM,
            "06800079: field missing",
        ),
        (b"no certificate", _DER, "0680008e: not enough data"),
        (b"\x04\0", _DER, "068000a8: wrong tag"),
        (b"", _DER, "0588000d: ASN1 lib"),
    ],
)
def test_files_of_cas(
    tmp_path: Path, content: bytes | None, file_format: FileFormat, expected: str
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    assert _first([*listed_errors(str(path), file_format)]) == f"OpenSSL error {expected}"


def test_our_own_files(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"no certificate")
    folder, missing = str(tmp_path), str(tmp_path / "missing")
    assert [certificate_errors(name, _PEM) for name in (missing, folder, str(text))] == [
        (0x80000002,),
        (0x0480006C,),
        (0x0480006C,),
    ]
    assert certificate_errors(str(text), _DER) == (0x0680008E,)
    assert certificate_errors(folder, _DER) == (0x80000015,)
    for name, file_format, code in (
        (missing, _PEM, 0x80000002),
        (folder, _PEM, 0x1E08010C),
        (folder, _DER, 0x80000015),
        (str(text), _PEM, 0x1E08010C),
        (str(text), _DER, 0x0680008E),
    ):
        assert key_errors(name, file_format, is_locked=False) == (code,)
    assert key_errors(str(text), _PEM, is_locked=True) == (0x1C800064,)
    text.write_bytes(b"")
    assert key_errors(str(text), _DER, is_locked=False) == (0x0A08000D,)


def test_a_connection_is_described() -> None:
    identity = Authority().issue("h\u00e9re")
    der = identity.certificate.public_bytes(Encoding.DER)
    lines = describe_connection("TLSv1.3", "TLS_AES_256_GCM_SHA384", der).splitlines()
    start = identity.certificate.not_valid_before_utc
    end = identity.certificate.not_valid_after_utc
    assert lines == [
        "================== BEGIN TLS CONNECTION DETAILS =================",
        "Transport connection: TLS over TCP/IP",
        "  Protocol    : TLSv1.3",
        "  Ciphersuite : TLS_AES_256_GCM_SHA384, encryption: 256 bits",
        "Peer X.509v3 Certificate",
        "  Subject     : /O=Invented Hospital/CN=h\\xC3\\xA9re",
        "  Issued by   : /O=Invented Hospital/CN=Invented Root CA",
        "  Serial no.  : -1",
        (
            f"  Validity    : not before {start:%b} {start.day:2} {start:%H:%M:%S %Y} GMT, "
            f"not after {end:%b} {end.day:2} {end:%H:%M:%S %Y} GMT"
        ),
        "  Public key  : RSA, 2048 bits",
        "=================== END TLS CONNECTION DETAILS ==================",
    ]


def test_other_keys_have_no_name() -> None:
    der = Authority().issue(key=ec_key("curve")).certificate.public_bytes(Encoding.DER)
    certificate = parse_certificate(der)
    assert certificate is not None
    assert (certificate.key_type, certificate.key_bits) == ("unknown", 256)
    assert certificate.weak_hash == ""


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_what_is_cut_is_no_certificate(cut: int) -> None:
    der = Authority().issue().certificate.public_bytes(Encoding.DER)
    assert parse_certificate(der[:cut]) is None
    assert "Peer did not provide a certificate" in describe_connection("", "NULL-SHA", der[:cut])
