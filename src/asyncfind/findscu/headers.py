"""Headers of data elements as DCMTK reads them (PS3.5 Section 7.1), and its word on odd ones."""

import struct
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from asyncfind.findscu.conditions import EARLY_SEQUENCE_END, LONGER_THAN_ITEM, Bad
from asyncfind.findscu.dataset import Words
from asyncfind.findscu.stream import ByteStream
from asyncfind.findscu.voice import Voice
from asyncfind.findscu.vrs import STANDARD, WIDTHS, read_vr, show_tag
from asyncfind.query.element import Item
from asyncfind.query.syntax import TransferSyntax

__all__ = [
    "IMPLICIT",
    "ITEM",
    "ITEM_END",
    "PIXEL_DATA",
    "SEQUENCE_END",
    "UNDEFINED",
    "Encoding",
    "Header",
    "HeaderReader",
    "Level",
]

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010


class Encoding(NamedTuple):
    """How headers are encoded; `order` as `struct` has it."""

    explicit: bool
    order: str

    @classmethod
    def of(cls, syntax: TransferSyntax) -> "Encoding":
        """That of a transfer syntax."""
        return cls(syntax.explicit, "<" if syntax.little_endian else ">")


IMPLICIT: Final = Encoding(False, "<")


class Header(NamedTuple):
    """A header; `creator` reserved the block of a private tag, and is empty where nobody did."""

    tag: int
    vr: str
    length: int
    creator: str


@dataclass(slots=True)
class Level:
    """A data set or item that is being read.

    Args:
        length: of an item as encoded; None for what is none.
        start: position of its first element.
        last_tag: the largest one so far.
        creators: who reserved which block of private elements, by group and block.
    """

    item: Item
    encoding: Encoding
    length: int | None
    start: int
    depth: int = 0
    last_tag: int = -1
    creators: dict[int, str] = field(default_factory=dict)


class HeaderReader:
    """Takes headers from a stream."""

    def __init__(self, stream: ByteStream, words: Words, voice: Voice) -> None:
        self._stream = stream
        self._words = words
        self._voice = voice

    def element(self, level: Level) -> Generator[None, None, Header | None]:
        """Read tag, VR and length; None at the end of the stream. Yields where bytes are missing.

        Raises:
            Bad: it does not fit into its item.
        """
        stream = self._stream
        explicit = level.encoding.explicit
        while not stream.at_end:
            if stream.available < (6 if explicit else 4):
                yield
                continue
            group, number = struct.unpack(level.encoding.order + "HH", stream.peek(4))
            tag = group << 16 | number
            vr, is_long = self._words.vr_of(tag), False
            has_vr = explicit and vr != "na"
            if has_vr:
                vr, is_long = self._explicit_vr(tag)
            creator = ""
            if group & 1 and number >= 0x1000:
                creator = level.creators.get(group << 16 | number >> 8, "")
                if creator and not explicit:
                    vr = self._words.vr_of(tag, creator)
            if stream.available < (12 if is_long else 8):
                yield
                continue
            length = self._take(level.encoding.order, vr, is_long, has_vr)
            header = Header(tag, vr, length, creator)
            self._check(level, header, has_vr)
            return header
        return None

    def item(self, order: str) -> tuple[int, int]:
        """Take tag and length of an item or a delimiter; the eight bytes are there."""
        group, number, length = struct.unpack(order + "HHI", self._stream.take(8))
        return group << 16 | number, length

    def _explicit_vr(self, tag: int) -> tuple[str, bool]:
        code = self._stream.peek(6)[4:]
        vr, is_long = read_vr(code)
        if vr in STANDARD:
            return vr, is_long
        shown = "".join(chr(byte) if byte >= 32 else " " for byte in code)
        self._voice.warn(
            f"DcmItem: Non-standard VR '{shown}' ({code[0]:02x}\\{code[1]:02x}) encountered while "
            f"parsing element {show_tag(tag)}, assuming {4 if is_long else 2} byte length field"
        )
        if tag == PIXEL_DATA and code == b"OX":
            self._voice.warn(
                "DcmItem: Non-standard VR 'OX' is known to be wrongly used for PixelData "
                f"{show_tag(tag)}, setting VR to 'OW'"
            )
            return "OW", True
        return vr, is_long

    def _take(self, order: str, vr: str, is_long: bool, has_vr: bool) -> int:
        """Take a header that is there as a whole, and return the length."""
        stream = self._stream
        length: int
        if not has_vr:
            (length,) = struct.unpack_from(order + "I", stream.take(8), 4)
        elif vr == "na":  # as a VR it has no meaning, and the length behind it 32 bits all the same
            (length,) = struct.unpack_from(order + "I", stream.take(10).ljust(10, b"\0"), 6)
        elif is_long:
            (length,) = struct.unpack_from(order + "I", stream.take(12), 8)
        else:
            (length,) = struct.unpack_from(order + "H", stream.take(8), 6)
        return length

    def _check(self, level: Level, header: Header, has_vr: bool) -> None:
        """Look at a length: by the VR, by itself, and by what is left of its item."""
        tag, vr, length, _ = header
        width = WIDTHS.get(vr, 1)
        if has_vr and length % width:
            self._voice.warn(
                f"DcmItem: Length of element {show_tag(tag)} is not a multiple of {width} (VR={vr})"
            )
        if length & 1 and length != UNDEFINED:
            self._voice.warn(f"DcmItem: Length of element {show_tag(tag)} is odd")
        if level.length is None or UNDEFINED in (level.length, length):
            return
        left = level.length - (self._stream.position - level.start)
        if left < 0:
            self._voice.warn(
                f"DcmItem: Explicit item length ({level.length} bytes) too large for the elements "
                "contained in the item"
            )
            if tag == SEQUENCE_END:
                self._voice.warn(
                    "DcmItem: Sequence delimitation occurred before all bytes announced by "
                    "explicit item length could be read"
                )
                raise Bad(EARLY_SEQUENCE_END)
        elif length > left:
            name = self._words.name_of(tag, header.creator)
            self._voice.warn(
                f"DcmItem: Element {name} {show_tag(tag)} larger ({length}) than remaining bytes "
                f"({left}) of surrounding item"
            )
            raise Bad(LONGER_THAN_ITEM)
