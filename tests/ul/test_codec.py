"""How items are put together (PS3.8 Section 9.3.1, Annex F)."""

import pytest

from asyncfind.errors import LocalProtocolError, MalformedPDU
from asyncfind.ul.codec import (
    decode_text,
    encode_counted,
    encode_item,
    encode_text,
    encode_title,
    exactly,
    malformed,
    split_items,
    take_counted,
)


def test_an_error_of_the_peer_says_what_to_do() -> None:
    assert malformed("text").text == "text"
    assert "vendor" in malformed("text").hint


def test_items_are_split() -> None:
    data = bytes.fromhex(
        "51 00 00 04 00 00 40 00"  # an item of 4 bytes
        "99 FF 00 00"  # an empty one; the reserved byte is not tested
    )
    assert list(split_items(data, "test")) == [(0x51, b"\0\0\x40\0"), (0x99, b"")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("51 00 00 05 00 00 40 00", "item 51H claims 5 bytes, 4 are there"),
        ("51 00 FF FF", "item 51H claims 65535 bytes, 0 are there"),
        ("51 00 00 00 51 00 00", "3 bytes left over"),
    ],
)
def test_items_that_outgrow_what_holds_them(data: str, words: str) -> None:
    with pytest.raises(MalformedPDU, match=words):
        list(split_items(bytes.fromhex(data), "test"))


def test_item_length_ends_at_16_bits() -> None:
    assert encode_item(0x50, bytes(0xFFFF))[:4] == bytes.fromhex("50 00 FF FF")
    with pytest.raises(LocalProtocolError, match="65536 bytes"):
        encode_item(0x50, bytes(0x10000))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"ARCHIVE         ", "ARCHIVE"),
        (b"  A B  ", "A B"),
        (b"1.2.3\0", "1.2.3"),
        (b"", ""),
        (b"M\xdcLLER", "M\\xdcLLER"),
        (b"\x1b[2J", "\\x1b[2J"),
    ],
)
def test_text_is_stripped_and_safe(value: bytes, text: str) -> None:
    assert decode_text(value) == text


def test_text_is_iso_646() -> None:
    assert encode_text("1.2.3") == b"1.2.3"
    with pytest.raises(LocalProtocolError, match="ISO 646"):
        encode_text("ü")


@pytest.mark.parametrize(
    ("title", "data"),
    [
        ("", b" " * 16),
        ("ARCHIVE", b"ARCHIVE         "),
        ("SIXTEEN_LETTERS_", b"SIXTEEN_LETTERS_"),
        ("M\xdcLLER", b"M\xdcLLER          "),
    ],
)
def test_titles_have_16_bytes(title: str, data: bytes) -> None:
    assert encode_title(title) == data


@pytest.mark.parametrize("title", ["SEVENTEEN_LETTERS", "\u0100"])
def test_titles_that_do_not_fit(title: str) -> None:
    with pytest.raises(LocalProtocolError, match="AE title"):
        encode_title(title)


def test_counted_fields() -> None:
    assert encode_counted(b"ab") == b"\0\x02ab"
    assert take_counted(b"x\0\x02abc", 1, "test") == (b"ab", 5)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\0", "cut off"), (b"\0\x03ab", "claims 3 bytes, 2 are there")],
)
def test_counted_fields_that_do_not_fit(data: bytes, words: str) -> None:
    with pytest.raises(MalformedPDU, match=words):
        take_counted(data, 0, "test")


def test_exact_lengths() -> None:
    assert exactly(b"abcd", 4, "test") == b"abcd"
    with pytest.raises(MalformedPDU, match="test: 3 bytes instead of 4"):
        exactly(b"abc", 4, "test")
