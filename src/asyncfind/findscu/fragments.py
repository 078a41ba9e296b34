"""Where findscu cuts what it sends: anywhere in a value, but never in a header."""

import struct
from collections.abc import Iterator
from typing import Final

from asyncfind.query.element import LONG_VRS
from asyncfind.query.syntax import TransferSyntax

__all__ = ["fragment"]

_LONG: Final = frozenset(vr.encode() for vr in LONG_VRS)


def fragment(identifier: bytes, syntax: TransferSyntax, size: int) -> list[bytes]:
    """Cut an identifier or a command set into fragments of at most `size` bytes, as findscu does.

    Args:
        identifier: encoded by ourselves: explicit lengths throughout.
        size: at least 12.
    """
    if len(identifier) <= size or syntax.deflated:
        return [identifier[start : start + size] for start in range(0, len(identifier), size)]
    cuts = []
    start = 0
    for header, header_size in _headers(identifier, syntax):
        while start + size <= header:
            start += size
            cuts.append(start)
        if start + size < header + header_size:
            start = header
            cuts.append(start)
    while start + size < len(identifier):
        start += size
        cuts.append(start)
    ends = [*cuts, len(identifier)]
    return [identifier[a:b] for a, b in zip([0, *cuts], ends, strict=True) if b > a]


def _headers(data: bytes, syntax: TransferSyntax) -> Iterator[tuple[int, int]]:
    """The offset and size of each header, those of items and within sequences included."""
    order = "<" if syntax.little_endian else ">"
    pos = 0
    while pos + 8 <= len(data):
        group, _, long_length = struct.unpack_from(order + "HHI", data, pos)
        if group == 0xFFFE:
            yield pos, 8
            pos += 8
            continue
        if not syntax.explicit:
            yield pos, 8
            # Only sequences have something that looks like an item in them.
            pos += 8 if _is_sequence(data, pos + 8, long_length, order) else 8 + long_length
            continue
        vr = data[pos + 4 : pos + 6]
        yield pos, 12 if vr in _LONG else 8
        if vr == b"SQ":
            pos += 12
        elif vr in _LONG:
            (length,) = struct.unpack_from(order + "I", data, pos + 8)
            pos += 12 + length
        else:
            (length,) = struct.unpack_from(order + "H", data, pos + 6)
            pos += 8 + length


def _is_sequence(data: bytes, pos: int, length: int, order: str) -> bool:
    if length < 8 or data[pos : pos + 4] != struct.pack(order + "HH", 0xFFFE, 0xE000):
        return False
    inner: int = struct.unpack_from(order + "I", data, pos + 4)[0]
    return inner + 8 <= length
