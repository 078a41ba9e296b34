"""The transfer syntaxes that an identifier can have, and what byte order means for values.

PS3.5 Section 10 and Annex A. Encapsulated syntaxes have no place in a C-FIND.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN",
    "EXPLICIT_VR_BIG_ENDIAN",
    "EXPLICIT_VR_LITTLE_ENDIAN",
    "IMPLICIT_VR_LITTLE_ENDIAN",
    "SHORT_VRS",
    "SYNTAXES",
    "WORD_SIZES",
    "TransferSyntax",
    "swap_words",
]


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One way to encode a data set.

    Args:
        uid: as negotiated.
        name: as DCMTK prints it.
        explicit: headers carry the VR (PS3.5 Section 7.1.2).
        little_endian: byte order of headers and numbers.
        deflated: the whole is a raw deflate stream (PS3.5 Section A.5).
    """

    uid: str
    name: str
    explicit: bool
    little_endian: bool
    deflated: bool


IMPLICIT_VR_LITTLE_ENDIAN: Final = TransferSyntax(
    "1.2.840.10008.1.2", "Little Endian Implicit", False, True, False
)
EXPLICIT_VR_LITTLE_ENDIAN: Final = TransferSyntax(
    "1.2.840.10008.1.2.1", "Little Endian Explicit", True, True, False
)
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = TransferSyntax(
    "1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", True, True, True
)
EXPLICIT_VR_BIG_ENDIAN: Final = TransferSyntax(
    "1.2.840.10008.1.2.2", "Big Endian Explicit", True, False, False
)

SYNTAXES: Final[Mapping[str, TransferSyntax]] = {
    syntax.uid: syntax
    for syntax in (
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
    )
}
"""By UID."""

SHORT_VRS: Final = frozenset(
    (
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT"),
        *("PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
    )
)
"""VRs with a 16-bit length in explicit VR (PS3.5 Table 7.1-2)."""

WORD_SIZES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
"""Bytes of the words that byte order applies to, by VR (PS3.5 Section 7.3)."""

_ARRAYS: Final = {2: "H", 4: "I", 8: "Q"}


def swap_words(vr: str, value: bytes) -> bytes:
    """Return a value with the bytes of each word reversed; bytes after the last word stay.

    Args:
        vr: any VR; those without byte order are returned as they are.
    """
    size = WORD_SIZES.get(vr)
    if size is None:
        return value
    whole = len(value) // size * size
    words = array(_ARRAYS[size], value[:whole])
    words.byteswap()
    return words.tobytes() + value[whole:]
