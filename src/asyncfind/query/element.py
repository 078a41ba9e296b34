"""Data elements as values: what keys, query files and answers have in common (PS3.5 Section 7)."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["LONG_VRS", "TEXT_VRS", "Element", "Item"]

LONG_VRS: Final = frozenset(
    ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
)
"""VRs with a 32-bit length in explicit VR (PS3.5 Table 7.1-1)."""

TEXT_VRS: Final = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
"""VRs whose text Specific Character Set governs (PS3.5 Section 6.1.2.3)."""


class Element(NamedTuple):
    """One data element. Values are the bytes as encoded, in little endian, padding kept.

    Args:
        tag: group and element as one number, 0x00100010.
        vr: two letters; `UN` where neither the encoding nor the dictionary tells.
        value: the value field; a list of items for a sequence.
        length: the value length as encoded; 0xFFFFFFFF when undefined.
    """

    tag: int
    vr: str
    value: "bytes | list[Item]"
    length: int


@dataclass(slots=True)
class Item:
    """A data set, or one item of a sequence: elements by tag.

    Args:
        elements: by tag. Writers sort by tag (PS3.5 Section 7.1); readers keep the order received.
        length: the item length as encoded, 0xFFFFFFFF when undefined; 0 for a data set of our own.
        assumed: values of Specific Character Set for text that does not fit what the item itself
            says; see `charset.assume`.
    """

    elements: dict[int, Element] = field(default_factory=dict)
    length: int = 0
    assumed: tuple[str, ...] = ()
