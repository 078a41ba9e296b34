"""Tags and value representations as DCMTK knows them: some VRs are its own."""

from collections.abc import Mapping
from typing import Final

from asyncfind.query.element import LONG_VRS
from asyncfind.query.syntax import SHORT_VRS

__all__ = ["ALIASES", "LONG", "STANDARD", "STRINGS", "UNKNOWN", "WIDTHS", "read_vr", "show_tag"]

STRINGS: Final = frozenset(
    (
        *("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC"),
        *("UI", "UR", "UT"),
    )
)
"""Text and what is written as text."""

STANDARD: Final = SHORT_VRS | LONG_VRS
"""VRs that may stand in Explicit VR encoding."""

UNKNOWN: Final = "??"
"""What stands for a VR that is none, or for that of an attribute nobody knows."""

ALIASES: Final[Mapping[str, str]] = {
    "??": "UN", "lt": "OW", "na": "UN", "ox": "OB", "pi": "UN", "px": "OB", "up": "UL",
    "xs": "US",
}  # fmt: skip
"""DCMTK's own VRs, and what it writes for them."""

LONG: Final = LONG_VRS | {"lt", "ox", "px"}
"""VRs whose length has 32 bits when they are read."""

WIDTHS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("AT", "OW", "SS", "US", "lt", "xs"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL", "up"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
"""Bytes that a length has to be a multiple of."""


_NO_TAG: Final = 0xFFFFFFFF


def read_vr(code: bytes) -> tuple[str, bool]:
    """What DCMTK takes two bytes for: a VR, and whether its length has 32 bits.

    Of what is no VR, two capital letters are taken for one to come, which will have such a length
    (PS3.5 Section 7.1.2, Note 3).
    """
    name = code.decode("latin_1")
    if name in STANDARD or (name in ALIASES and name != UNKNOWN):
        return name, name in LONG
    return UNKNOWN, all(0x41 <= byte <= 0x5A for byte in code)


def show_tag(tag: int) -> str:
    """A tag as the log has it."""
    if tag == _NO_TAG:
        return "(????,????)"
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"
