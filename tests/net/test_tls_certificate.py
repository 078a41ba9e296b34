"""Certificates as they are shown: read from any bytes, into text that cannot act."""

from datetime import UTC, datetime
from typing import Final

import pytest
from certificates import Authority
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.net.certificate import Certificate, parse_certificate

_DER: Final = Authority().issue("pacs", names=("pacs.invented.example", "10.0.0.7", "fd00::7"))
_BYTES: Final = _DER.certificate.public_bytes(Encoding.DER)


def _element(tag: int, *values: bytes) -> bytes:
    value = b"".join(values)
    assert len(value) < 0x10000
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    return bytes([tag, 0x82]) + len(value).to_bytes(2) + value


def _name(*pairs: tuple[bytes, int, bytes]) -> bytes:
    sets = [
        _element(0x31, _element(0x30, _element(0x06, kind), _element(tag, value)))
        for kind, tag, value in pairs
    ]
    return _element(0x30, *sets)


def _certificate(subject: bytes, start: bytes, end: bytes, version: bytes = b"") -> bytes:
    body = _element(
        0x30,
        version,
        _element(0x02, b"\x01"),
        _element(0x30),
        _name(),
        _element(0x30, start, end),
        subject,
        _element(0x30),
    )
    return _element(0x30, body, _element(0x30), _element(0x03, b"\x00"))


_START: Final = _element(0x17, b"500102030405Z")
_END: Final = _element(0x18, b"20491231235959Z")


def test_what_it_says() -> None:
    found = parse_certificate(_BYTES)
    assert found == Certificate(
        subject="O=Invented Hospital, CN=pacs",
        issuer="O=Invented Hospital, CN=Invented Root CA",
        names=("pacs.invented.example", "10.0.0.7", "fd00::7"),
        not_before=_DER.certificate.not_valid_before_utc,
        not_after=_DER.certificate.not_valid_after_utc,
    )


def test_a_first_version_has_no_extensions_and_both_kinds_of_time() -> None:
    found = parse_certificate(_certificate(_name(), _START, _END))
    assert found.not_before == datetime(1950, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert found.not_after == datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert (found.subject, found.names) == ("", ())
    early = parse_certificate(_certificate(_name(), _element(0x17, b"490102030405Z"), _END))
    assert early.not_before.year == 2049


@pytest.mark.parametrize(
    ("tag", "value", "text"),
    [
        (0x0C, "Krankenhaus Süd".encode(), "Krankenhaus Süd"),
        (0x13, b"Plain", "Plain"),
        (0x14, b"S\xfcd", "Süd"),
        (0x16, b"mail@invented.example", "mail@invented.example"),
        (0x1E, "Süd".encode("utf-16-be"), "Süd"),
        (0x1C, "Süd".encode("utf-32-be"), "Süd"),
        (0x0C, b"a\xff\x1b[2J", "a\ufffd\\x1b[2J"),
        (0x0C, "\u202eevil".encode(), "\\u202eevil"),
    ],
)
def test_names_in_every_string_type(tag: int, value: bytes, text: str) -> None:
    found = parse_certificate(_certificate(_name((b"\x55\x04\x03", tag, value)), _START, _END))
    assert found.subject == f"CN={text}"


def test_an_attribute_without_a_short_name() -> None:
    found = parse_certificate(_certificate(_name((b"\x2a\x03", 0x0C, b"x")), _START, _END))
    assert found.subject == "2a03=x"


def test_long_names_are_cut() -> None:
    found = parse_certificate(
        _certificate(_name((b"\x55\x04\x0a", 0x0C, b"x" * 9000)), _START, _END)
    )
    assert len(found.subject) == 256


@pytest.mark.parametrize("cut", range(0, len(_BYTES), 13))
def test_one_that_was_cut_is_none(cut: int) -> None:
    with pytest.raises(ValueError, match=r"unexpected|past the end"):
        parse_certificate(_BYTES[:cut])


@given(st.binary(max_size=200), st.sampled_from([b"", _BYTES[:40], _BYTES[:200]]))
def test_any_bytes_are_a_certificate_or_a_value_error(data: bytes, before: bytes) -> None:
    try:
        found = parse_certificate(before + data)
    except ValueError:
        return
    assert found.subject.isprintable()


@given(st.integers(0, len(_BYTES) - 1), st.integers(0, 255))
def test_any_byte_changed(at: int, value: int) -> None:
    changed = bytearray(_BYTES)
    changed[at] = value
    try:
        found = parse_certificate(bytes(changed))
    except ValueError:
        return
    assert found.subject.isprintable()
    assert found.issuer.isprintable()
    assert all(name.isprintable() for name in found.names)
