"""A peer's X.509 certificate, as far as we show it (RFC 5280 Section 4.1).

OpenSSL decides whether a certificate is to be trusted. Python shows one only after it was: this
reader is for those that were refused, and for those that nobody asked OpenSSL about.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from asyncfind.safe import safe

__all__ = ["Certificate", "parse_certificate"]

_MAX_SHOWN: Final = 256
_ATTRIBUTES: Final = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x05": "serialNumber",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x09": "street",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}
_SUBJECT_ALT_NAME: Final = b"\x55\x1d\x11"
# The string types of X.680 that names are written in; T61 as everybody does, not as it says.
_ENCODINGS: Final = {0x0C: "utf-8", 0x14: "latin-1", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says; all text is safe for a terminal.

    Args:
        subject, issuer: distinguished names, as `O=..., CN=...`.
        names: hosts of the subject alternative name, DNS names and addresses.
        not_before, not_after: its validity.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime


class _Reader:
    """The elements of one constructed value in DER, one after another (X.690 Section 8.1)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._data)

    @property
    def tag(self) -> int:
        """The next element's tag; -1 at the end."""
        return -1 if self.at_end else self._data[self._at]

    def take(self, *tags: int) -> bytes:
        """The next element's value; its tag has to be one of `tags`, or anything if none is given.

        Raises:
            ValueError: another tag, or a length that does not fit.
        """
        if self._at + 2 > len(self._data) or (tags and self.tag not in tags):
            raise ValueError("unexpected element")
        length, start = self._data[self._at + 1], self._at + 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise ValueError("unexpected length")
            length = int.from_bytes(self._data[start : start + count])
            start += count
        if start + length > len(self._data):
            raise ValueError("length past the end")
        self._at = start + length
        return self._data[start : self._at]


def parse_certificate(der: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        ValueError: it is none.
    """
    body = _Reader(_Reader(_Reader(der).take(0x30)).take(0x30))
    if body.tag == 0xA0:
        body.take()  # version
    body.take(0x02)  # serial number
    body.take(0x30)  # signature algorithm
    issuer = _name(body.take(0x30))
    validity = _Reader(body.take(0x30))
    not_before, not_after = _time(validity), _time(validity)
    subject = _name(body.take(0x30))
    names: tuple[str, ...] = ()
    while not body.at_end:
        tag, value = body.tag, body.take()
        if tag == 0xA3:
            names = _alternative_names(_Reader(_Reader(value).take(0x30)))
    return Certificate(
        subject=subject, issuer=issuer, names=names, not_before=not_before, not_after=not_after
    )


def _name(data: bytes) -> str:
    parts = []
    sets = _Reader(data)
    while not sets.at_end:
        pairs = _Reader(sets.take(0x31))
        while not pairs.at_end:
            pair = _Reader(pairs.take(0x30))
            kind = pair.take(0x06)
            encoding = _ENCODINGS.get(pair.tag, "ascii")
            value = pair.take().decode(encoding, "replace")
            parts.append(f"{_ATTRIBUTES.get(kind, kind.hex())}={safe(value)}")
    return safe(", ".join(parts), _MAX_SHOWN)


def _time(validity: _Reader) -> datetime:
    tag = validity.tag
    text = validity.take(0x17, 0x18).decode("ascii")
    if tag == 0x17:  # "Where YY is greater than or equal to 50, ... 19YY" (Section 4.1.2.5.1)
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _alternative_names(extensions: _Reader) -> tuple[str, ...]:
    found = []
    while not extensions.at_end:
        extension = _Reader(extensions.take(0x30))
        kind = extension.take(0x06)
        if extension.tag == 0x01:
            extension.take()  # critical
        value = extension.take(0x04)
        if kind != _SUBJECT_ALT_NAME:
            continue
        general = _Reader(_Reader(value).take(0x30))
        while not general.at_end:
            tag, name = general.tag, general.take()
            if tag == 0x82:  # dNSName
                found.append(safe(name.decode("ascii", "replace"), _MAX_SHOWN))
            elif tag == 0x87 and len(name) in (4, 16):  # iPAddress
                found.append(str(ipaddress.ip_address(name)))
    return tuple(found)
