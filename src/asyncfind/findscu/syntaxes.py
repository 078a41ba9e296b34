"""The transfer syntaxes that DCMTK 3.6.7 knows of query files, compressed ones too."""

from collections.abc import Mapping
from typing import Final

from asyncfind.query.syntax import SYNTAXES, TransferSyntax

__all__ = ["VIRTUAL_BIG_ENDIAN_IMPLICIT", "is_compressed", "syntax_of"]

VIRTUAL_BIG_ENDIAN_IMPLICIT: Final = TransferSyntax(
    "", "Virtual Big Endian Implicit", False, False, False
)
"""What nobody may use, and DCMTK can read."""

_COMPRESSED: Final = "1.2.840.10008.1.2."
_JPEG: Final[Mapping[int, str]] = {
    50: "JPEG Baseline",
    51: "JPEG Extended, Process 2+4",
    52: "JPEG Extended, Process 3+5",
    53: "JPEG Spectral Selection, Non-hierarchical, Process 6+8",
    54: "JPEG Spectral Selection, Non-hierarchical, Process 7+9",
    55: "JPEG Full Progression, Non-hierarchical, Process 10+12",
    56: "JPEG Full Progression, Non-hierarchical, Process 11+13",
    57: "JPEG Lossless, Non-hierarchical, Process 14",
    58: "JPEG Lossless, Non-hierarchical, Process 15",
    59: "JPEG Extended, Hierarchical, Process 16+18",
    60: "JPEG Extended, Hierarchical, Process 17+19",
    61: "JPEG Spectral Selection, Hierarchical, Process 20+22",
    62: "JPEG Spectral Selection, Hierarchical, Process 21+23",
    63: "JPEG Full Progression, Hierarchical, Process 24+26",
    64: "JPEG Full Progression, Hierarchical, Process 25+27",
    65: "JPEG Lossless, Hierarchical, Process 28",
    66: "JPEG Lossless, Hierarchical, Process 29",
    70: "JPEG Lossless, Non-hierarchical, 1st Order Prediction",
    80: "JPEG-LS Lossless",
    81: "JPEG-LS Lossy (Near-lossless)",
    90: "JPEG 2000 (Lossless only)",
    91: "JPEG 2000 (Lossless or Lossy)",
    92: "JPEG 2000 Part 2 Multicomponent Image Compression (Lossless only)",
    93: "JPEG 2000 Part 2 Multicomponent Image Compression (Lossless or Lossy)",
    94: "JPIP Referenced",
    95: "JPIP Referenced Deflate",
    100: "MPEG2 Main Profile @ Main Level",
    101: "MPEG2 Main Profile @ High Level",
    102: "MPEG-4 AVC/H.264 High Profile / Level 4.1",
    103: "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
    104: "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
    105: "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
    106: "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    107: "HEVC/H.265 Main Profile / Level 5.1",
    108: "HEVC/H.265 Main 10 Profile / Level 5.1",
}
"""Names by the last number of the UID, 1.2.840.10008.1.2.4."""
_RLE: Final = f"{_COMPRESSED}5"
_GE: Final = "1.2.840.113619.5.2"


def _all() -> dict[str, TransferSyntax]:
    named = {f"{_COMPRESSED}4.{number}": name for number, name in _JPEG.items()}
    named[_RLE] = "RLE Lossless"
    found = dict(SYNTAXES)
    for uid, name in named.items():
        found[uid] = TransferSyntax(uid, name, True, True, uid.endswith(".95"))
    name = "Private GE Little Endian Implicit with big endian pixel data"
    found[_GE] = TransferSyntax(_GE, name, False, True, False)
    return found


_SYNTAXES: Final[Mapping[str, TransferSyntax]] = _all()


def syntax_of(uid: str) -> TransferSyntax | None:
    """The transfer syntax that has a UID; None for an unknown one."""
    return _SYNTAXES.get(uid)


def is_compressed(syntax: TransferSyntax) -> bool:
    """Whether pixel data are encapsulated (PS3.5 Section A.4)."""
    is_referenced = syntax.uid.endswith((".4.94", ".4.95"))
    return syntax.uid == _RLE or (syntax.uid.startswith(f"{_COMPRESSED}4.") and not is_referenced)
