"""Certificates in the words of DCMTK's log (RFC 5280 Section 4.1).

`net/certificate.py` shows them safely; here names are written as OpenSSL writes them in one line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

__all__ = ["Certificate", "describe_connection", "parse_certificate"]

_ATTRIBUTES: Final[Mapping[bytes, str]] = {
    b"\x55\x04\x03": "CN", b"\x55\x04\x04": "SN", b"\x55\x04\x05": "serialNumber",
    b"\x55\x04\x06": "C", b"\x55\x04\x07": "L", b"\x55\x04\x08": "ST", b"\x55\x04\x09": "street",
    b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU", b"\x55\x04\x0c": "title", b"\x55\x04\x2a": "GN",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}  # fmt: skip
_RSA: Final = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
_DSA: Final = b"\x2a\x86\x48\xce\x38\x04\x01"
_CURVES: Final[Mapping[bytes, int]] = {
    b"\x2a\x86\x48\xce\x3d\x03\x01\x07": 256,
    b"\x2b\x81\x04\x00\x0a": 256,
    b"\x2b\x81\x04\x00\x22": 384,
    b"\x2b\x81\x04\x00\x23": 521,
}
_SIGNATURES: Final[Mapping[bytes, str]] = {
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04": "RSA-MD5",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05": "RSA-SHA1",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a": "RSASSA-PSS",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e": "RSA-SHA224",
}
"""Signatures that are not SHA-256 or better."""
_LONG_MAX: Final = 2**63 - 1
_STRENGTHS: Final = (("NULL", 0), ("256", 256), ("CHACHA20", 256), ("128", 128))


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the log shows of a certificate.

    Args:
        key_type: of OpenSSL's three names, or `unknown`.
        weak_hash: OpenSSL's name of a signature that is not SHA-256 or better; else empty.
    """

    version: int
    serial: int
    subject: str
    issuer: str
    not_before: str
    not_after: str
    key_type: str
    key_bits: int
    weak_hash: str


def describe_connection(protocol: str, cipher: str, der: bytes) -> str:
    """The block that says how TLS is spoken with a peer.

    Args:
        cipher: by OpenSSL's name.
        der: the peer's certificate.
    """
    bits = next((bits for part, bits in _STRENGTHS if part in cipher), 128)
    head = (
        "================== BEGIN TLS CONNECTION DETAILS =================\n"
        "Transport connection: TLS over TCP/IP\n"
        f"  Protocol    : {protocol}\n"
        f"  Ciphersuite : {cipher}, encryption: {bits} bits\n"
    )
    tail = "\n=================== END TLS CONNECTION DETAILS =================="
    certificate = parse_certificate(der)
    if certificate is None:
        text = "Peer did not provide a certificate or certificate verification is disabled."
        return head + text + tail
    serial = certificate.serial if abs(certificate.serial) <= _LONG_MAX else -1
    return (
        f"{head}Peer X.509v{certificate.version} Certificate\n"
        f"  Subject     : {certificate.subject}\n"
        f"  Issued by   : {certificate.issuer}\n"
        f"  Serial no.  : {serial}\n"
        f"  Validity    : not before {certificate.not_before}, "
        f"not after {certificate.not_after}\n"
        f"  Public key  : {certificate.key_type}, {certificate.key_bits} bits{tail}"
    )


def parse_certificate(der: bytes) -> Certificate | None:
    """Read a certificate; None where it is none."""
    try:
        return _parse(der)
    except (IndexError, ValueError, StopIteration):
        return None


def _parse(der: bytes) -> Certificate:
    ((_, whole),) = _elements(der)
    parts = _elements(whole)
    _, body = next(parts)
    fields = list(_elements(body))
    version = 1
    if fields[0][0] == 0xA0:
        ((_, number),) = _elements(fields.pop(0)[1])
        version = number[0] + 1
    serial, signature, issuer, validity, subject, key = (value for _, value in fields[:6])
    not_before, not_after = (_time(tag, value) for tag, value in _elements(validity))
    key_type, key_bits = _key(key)
    (_, algorithm), *_ = _elements(signature)
    return Certificate(
        version=version,
        serial=int.from_bytes(serial, signed=True),
        subject=_name(subject),
        issuer=_name(issuer),
        not_before=not_before,
        not_after=not_after,
        key_type=key_type,
        key_bits=key_bits,
        weak_hash=_SIGNATURES.get(algorithm, "") if key_type == "RSA" else "",
    )


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of the elements that stand one after another (X.690 Section 8.1)."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        start = at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[at + 2 : start])
        at = start + length
        if at > len(data):
            raise ValueError("length past the end")
        yield tag, data[start:at]


def _name(data: bytes) -> str:
    """A name as `/O=.../CN=...`, what is not printable in hexadecimal digits."""
    found = []
    for _, pairs in _elements(data):
        for _, pair in _elements(pairs):
            (_, kind), (_, value) = _elements(pair)
            shown = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02X}" for byte in value)
            found.append(f"/{_ATTRIBUTES.get(kind) or _dotted(kind)}={shown}")
    return "".join(found)


def _dotted(identifier: bytes) -> str:
    numbers = [identifier[0] // 40, identifier[0] % 40]
    number = 0
    for byte in identifier[1:]:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    return ".".join(map(str, numbers))


def _time(tag: int, value: bytes) -> str:
    if tag != 0x17:
        return "Bad time value"  # DCMTK knows UTCTime alone
    text = value.decode("ascii")
    when = datetime.strptime(text, "%y%m%d%H%M%SZ").replace(tzinfo=UTC)
    return f"{when:%b} {when.day:2} {when:%H:%M:%S %Y} GMT"


def _key(data: bytes) -> tuple[str, int]:
    (_, algorithm), (_, bits) = _elements(data)
    (_, kind), *parameters = _elements(algorithm)
    if kind == _RSA:
        ((_, numbers),) = _elements(bits[1:])
        _, modulus = next(_elements(numbers))
        return "RSA", int.from_bytes(modulus).bit_length()
    if kind == _DSA and parameters:
        _, prime = next(_elements(parameters[0][1]))
        return "DSA", int.from_bytes(prime).bit_length()
    curve = parameters[0][1] if parameters else b""
    return "unknown", _CURVES.get(curve, 8 * (len(bits) - 1))
