"""How items are put together: types, lengths, text (PS3.8 Section 9.3.1, Annex F).

An item is a type, a reserved byte, a 16-bit length and a value; numbers are big endian. Text is
ISO 646. Every length read from the wire is checked before it is used.
"""

import struct
from collections.abc import Iterator
from typing import Final

from asyncfind.errors import LocalProtocolError, MalformedPDU
from asyncfind.safe import safe

__all__ = [
    "decode_text",
    "encode_counted",
    "encode_item",
    "encode_text",
    "encode_title",
    "exactly",
    "malformed",
    "split_items",
    "take_counted",
]

_ITEM: Final = struct.Struct(">BxH")
_LENGTH: Final = struct.Struct(">H")


def malformed(text: str) -> MalformedPDU:
    """The error of a peer that breaks PS3.8, with what the user can do about it."""
    return MalformedPDU(text, "The peer breaks the DICOM protocol; its vendor should know.")


def split_items(data: bytes, what: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each item that `data` consists of, in linear time.

    Args:
        what: name of what holds the items, for errors.

    Raises:
        MalformedPDU: an item is longer than what is there, or bytes are left over.
    """
    offset, size = 0, len(data)
    while offset < size:
        start = offset + _ITEM.size
        if start > size:
            raise malformed(f"{what}: {size - offset} bytes left over where an item should be")
        kind, length = _ITEM.unpack_from(data, offset)
        offset = start + length
        if offset > size:
            raise malformed(
                f"{what}: item {kind:02X}H claims {length} bytes, {size - start} are there"
            )
        yield kind, data[start:offset]


def encode_item(kind: int, value: bytes) -> bytes:
    """One item.

    Raises:
        LocalProtocolError: the value is longer than an item can be (65535 bytes).
    """
    return _ITEM.pack(kind, _checked_size(value)) + value


def decode_text(value: bytes) -> str:
    """ISO 646 text without padding, safe for a terminal; other bytes become escapes.

    The standard pads AE titles with blanks and leaves UIDs unpadded (PS3.8 Annex F); peers pad
    with either blanks or NULs.
    """
    return safe(value.strip(b" \0").decode("ascii", "backslashreplace"))


def encode_text(text: str) -> bytes:
    """ISO 646 text as bytes, unpadded; raises LocalProtocolError for any other."""
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"'{safe(text, 64)}' is not ISO 646 text") from None


def encode_title(title: str) -> bytes:
    """An AE title in 16 bytes, padded with blanks (PS3.8 Table 9-11).

    One byte for each character up to U+00FF: the standard wants ISO 646, but who must send
    something else can.

    Raises:
        LocalProtocolError: longer than 16 characters, or a character beyond U+00FF.
    """
    if len(title) > 16 or max(title, default="") > "\xff":
        raise LocalProtocolError(f"'{safe(title, 64)}' does not fit an AE title (16 bytes)")
    return title.encode("latin-1").ljust(16)


def _checked_size(value: bytes) -> int:
    if len(value) > 0xFFFF:
        raise LocalProtocolError(f"{len(value)} bytes do not fit an item (65535 at most)")
    return len(value)


def encode_counted(value: bytes) -> bytes:
    """A field with its 16-bit length before it; raises LocalProtocolError beyond 65535 bytes."""
    return _LENGTH.pack(_checked_size(value)) + value


def take_counted(data: bytes, offset: int, what: str) -> tuple[bytes, int]:
    """Read a field that has its 16-bit length before it.

    Returns:
        the field, and the offset after it.

    Raises:
        MalformedPDU: it is longer than what is there.
    """
    start = offset + _LENGTH.size
    if start > len(data):
        raise malformed(f"{what}: a length field is cut off")
    (length,) = _LENGTH.unpack_from(data, offset)
    end = start + length
    if end > len(data):
        raise malformed(f"{what}: a field claims {length} bytes, {len(data) - start} are there")
    return data[start:end], end


def exactly(value: bytes, size: int, what: str) -> bytes:
    """`value`, which has `size` bytes; raises MalformedPDU when it does not."""
    if len(value) != size:
        raise malformed(f"{what}: {len(value)} bytes instead of {size}")
    return value
