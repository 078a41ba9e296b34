"""Data elements as DCMTK reads them, with what its log says of every oddity.

`query/reader.py` refuses what is no data set and keeps silent about the rest. Here the order of
the warnings, the condition that ends the reading and what is left of the data set are interface.
Nothing that is read is logged but tags, lengths and names of the dictionary.

Reading is a generator that yields where bytes are missing; what is nested is another one.
"""

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from asyncfind.findscu.conditions import (
    CORRUPTED_DATA,
    ILLEGAL_CALL,
    INVALID_STREAM,
    INVALID_TAG,
    NO_ITEM_END,
    NO_SEQUENCE_END,
    UNDEFINED_OB,
    VOI_LUT_OB,
    Bad,
)
from asyncfind.findscu.dataset import Words, decide_vr
from asyncfind.findscu.headers import (
    IMPLICIT,
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    Header,
    HeaderReader,
    Level,
)
from asyncfind.findscu.stream import ByteStream
from asyncfind.findscu.voice import Voice
from asyncfind.findscu.vrs import ALIASES, STRINGS, UNKNOWN, show_tag
from asyncfind.findscu.walk import Deferred
from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import swap_words

__all__ = ["ElementReader", "Steps"]

_VOI_LUT_SEQUENCE: Final = 0x00283010
_OVERLAY_DATA: Final = 0x60003000
_MAX_LOADED: Final = 4096
_MAX_DEPTH: Final = 64
_MAX_ELEMENTS: Final = 200_000
_ILLEGAL_GROUPS: Final = (0x0001, 0x0002, 0x0003, 0x0005, 0x0007, 0xFFFF)
_WORDS: Final = frozenset(("OW", "lt", "px"))

Steps: TypeAlias = Generator[None, None, bool]
"""Yields where bytes are missing; the result is whether this ends what surrounds it."""


@dataclass(slots=True)
class _Reading:
    """An element on its way in.

    Args:
        is_made: there is an element; False for a delimiter, or what cannot be one.
        is_kept: it has its place in its item; False for the second of a tag.
        is_last: and that is behind all others.
    """

    tag: int
    vr: str
    length: int
    value: "bytes | list[Item]" = b""
    is_made: bool = False
    is_kept: bool = False
    is_last: bool = False

    def element(self) -> Element:
        return Element(self.tag, self.vr, self.value, self.length)


class ElementReader:
    """Takes elements from a stream.

    Args:
        correction: `+dc`: an odd length counts as the even one above.
        checks_groups: warn of groups that a data set must not have.
    """

    def __init__(
        self,
        stream: ByteStream,
        words: Words,
        voice: Voice,
        *,
        correction: bool = False,
        checks_groups: bool = True,
    ) -> None:
        self.headers = HeaderReader(stream, words, voice)
        self._stream = stream
        self._words = words
        self._voice = voice
        self._correction = correction
        self._checks_groups = checks_groups
        self._left = _MAX_ELEMENTS

    def elements(self, level: Level) -> Generator[None, None, None]:
        """Read a data set or an item up to its end.

        Raises:
            Bad: the condition that DCMTK ends with.
        """
        stream = self._stream
        end = UNDEFINED if level.length is None else level.length
        while stream.position - level.start < end:
            header = yield from self.headers.element(level)
            if header is None:
                return
            if not level.encoding.explicit:
                header = self._decide(level.item, header)
            if (yield from self.element(level, header)):
                return

    def _decide(self, item: Item, header: Header) -> Header:
        """Choose the VR where implicit VR encoding leaves a choice."""
        vr, reason = decide_vr(item, header.tag, header.vr)
        if vr != header.vr:
            name = self._words.name_of(header.tag, header.creator)
            self._voice.debug(
                f"DcmItem::checkAndUpdateVR() setting undefined VR of {name} "
                f"{show_tag(header.tag)} to '{vr}'{reason}"
            )
        return header._replace(vr=vr)

    def element(self, level: Level, header: Header) -> Steps:
        """Read a value and put it in its place, which it has from the moment it is begun."""
        self._count()
        reading = _Reading(header.tag, header.vr, header.length)
        steps = _Kept(self._value(level, header, reading))
        is_placed = False
        try:
            for _ in steps:
                if not is_placed:
                    self._place(level, reading)
                    is_placed = True
                elif reading.is_kept:
                    level.item.elements[reading.tag] = reading.element()
                yield
                if reading.is_made and not reading.is_last:
                    # DCMTK looks for what it was reading at the end of the item, and finds
                    # another element there, which it takes for the one it has just completed.
                    return False
        finally:
            if not is_placed:
                self._place(level, reading)
        if reading.is_kept:
            level.item.elements[reading.tag] = reading.element()
        if reading.is_last:
            _reserve(level, reading)
        return steps.result

    def _place(self, level: Level, reading: _Reading) -> None:
        tag = reading.tag
        elements = level.item.elements
        if reading.is_made and tag in elements:
            self._voice.warn(
                f"DcmItem: Element {show_tag(tag)} found twice in one data set or item, "
                "ignoring second entry"
            )
        elif reading.is_made:
            reading.is_last = tag > level.last_tag
            if not reading.is_last:
                self._voice.warn(
                    f"DcmItem: Dataset not in ascending tag order, at element {show_tag(tag)}"
                )
            level.last_tag = max(level.last_tag, tag)
            elements[tag] = reading.element()
            reading.is_kept = True
        if self._checks_groups and tag >> 16 in _ILLEGAL_GROUPS:
            self._voice.warn(f"DcmItem: Invalid Element {show_tag(tag)} found in data set")

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Bad(INVALID_STREAM)

    # Values.

    def _value(self, level: Level, header: Header, reading: _Reading) -> Steps:
        """Read a value in the way that its VR asks for."""
        tag, vr, length, _ = header
        if vr in ("na", "pi"):
            self._refuse(tag, vr)
            return True
        reading.is_made = True
        if vr == "SQ":
            return (yield from self._sequence(level, header, reading, level.encoding))
        if vr in (UNKNOWN, "UN") and length == UNDEFINED:
            self._voice.warn(
                f"Found element {show_tag(tag)} with VR UN and undefined length, reading a "
                "sequence with transfer syntax LittleEndianImplicit (CP-246)"
            )
            return (yield from self._sequence(level, header, reading, IMPLICIT))
        if self._is_encapsulated(header):
            reading.vr = "OB"
            return (yield from self._fragments(level, header, reading))
        if vr in ("OB", "OW"):
            reading.is_made = False
            self._check_bytes(header)
            reading.is_made = True
        if vr == "px" or (vr == "ox" and tag == PIXEL_DATA):
            reading.vr = "OW"
        if vr == "UL" and self._words.vr_of(tag) == "up":
            reading.vr = "up"
        return (yield from self._leaf(level, header, reading))

    def _refuse(self, tag: int, vr: str) -> None:
        """Take an item or a delimiter where an element should be: only the end of an item may."""
        if vr == "na" and tag == ITEM_END:
            return
        if vr == "na" and tag != SEQUENCE_END:
            self._voice.warn(f"DcmItem: Parse error while parsing element {show_tag(tag)}")
            raise Bad(INVALID_TAG)
        self._voice.error(
            f"DcmItem: Parse error in sequence item, found {show_tag(tag)} instead of item "
            f"delimiter {show_tag(ITEM_END)}"
        )
        self._voice.debug(f"DcmItem::readSubElement() cannot create Sub Element {show_tag(tag)}")
        raise Bad(NO_ITEM_END)

    def _is_encapsulated(self, header: Header) -> bool:
        """Whether fragments follow (PS3.5 Section A.4)."""
        tag, vr, length, creator = header
        if length != UNDEFINED:
            return False
        if vr == "px" or (tag == PIXEL_DATA and vr in ("OB", "OW", "ox")):
            return True
        if vr in ("OB", "OW") and tag >> 16 & 1 and self._words.vr_of(tag, creator) == "px":
            self._voice.warn(
                f"Found private element {show_tag(tag)} with VR {vr} and undefined length, "
                "reading a pixel sequence according to data dictionary"
            )
            return True
        return False

    def _check_bytes(self, header: Header) -> None:
        """Refuse what must not be OB or OW."""
        if header.tag == _VOI_LUT_SEQUENCE and header.length != UNDEFINED:
            text = "DcmItem: VOI LUT Sequence with VR=OW and explicit length encountered."
            self._voice.error(text)
            raise Bad(VOI_LUT_OB)
        if header.length == UNDEFINED and header.tag & 0xFF00FFFF != _OVERLAY_DATA:
            text = f"DcmItem: Parse error in {show_tag(header.tag)}: {UNDEFINED_OB.text}"
            self._voice.error(text)
            raise Bad(UNDEFINED_OB)

    def _leaf(self, level: Level, header: Header, reading: _Reading) -> Steps:
        name = self._words.name_of(header.tag, header.creator)
        value = bytearray()
        for _ in (steps := _Kept(self._load(value, header, name))):
            reading.value = bytes(value)  # what there is counts if no more comes
            yield
        held = bytes(value)
        if level.encoding.order == ">":
            held = swap_words(ALIASES.get(reading.vr, reading.vr), held)
        if self._correction and header.length % 2 and header.vr not in _WORDS:
            held += b"\0"
            reading.length += 1
        is_left = self._stream.seekable and header.length > _MAX_LOADED
        reading.value = Deferred(held) if is_left else held
        return steps.result

    def _load(self, value: bytearray, header: Header, name: str) -> Steps:
        """Take the bytes of a value; True where the stream ends before an empty one."""
        stream = self._stream
        tag, vr, length, _ = header
        what = f"{name} {show_tag(tag)}"
        larger = f"DcmElement: {what} larger ({length}) than remaining bytes"
        while True:
            if stream.at_end and not length:
                return True
            if stream.at_end or (
                stream.seekable and length > _MAX_LOADED and stream.available < length
            ):
                self._voice.error(f"{larger} in file")
                yield  # for ever
            if length == UNDEFINED:
                text = f"has odd maximum length ({length}) and therefore is not loaded"
                if vr in STRINGS:
                    self._voice.warn(f"DcmByteString: Element {what} {text}")
                else:
                    self._voice.error(f"DcmElement: {what} {text}")
                raise Bad(CORRUPTED_DATA)
            value += stream.take(length - len(value))
            if len(value) == length:
                return False
            if stream.at_end:
                self._voice.error(f"{larger} ({len(value)}) in file, premature end of stream")
                raise Bad(INVALID_STREAM)
            yield

    # Sequences (PS3.5 Section 7.5).

    def _sequence(
        self, level: Level, header: Header, reading: _Reading, encoding: Encoding
    ) -> Steps:
        """Read the items of a sequence; at the end of the stream it ends what is around it too."""
        items: list[Item] = []
        reading.vr, reading.value = "SQ", items
        if self._stream.at_end:
            return True
        if level.depth >= _MAX_DEPTH:
            raise Bad(INVALID_STREAM)
        start = self._stream.position
        while self._stream.position - start < header.length:
            length = yield from self._item_length(header, encoding.order)
            if length is None:
                break
            self._count()
            item = Item(length=length)
            items.append(item)
            inner = Level(item, encoding, length, self._stream.position, level.depth + 1)
            yield from self.elements(inner)
        return False

    def _fragments(self, level: Level, header: Header, reading: _Reading) -> Steps:
        """Read encapsulated pixel data; they are kept as they are encoded, in little endian."""
        steps = self._all_fragments(level, header, reading)
        try:
            next(steps)
        except StopIteration as stop:
            return bool(stop.value)
        yield
        # DCMTK cannot go on reading compressed pixel data outside a compressed transfer syntax.
        raise Bad(ILLEGAL_CALL)

    def _all_fragments(self, level: Level, header: Header, reading: _Reading) -> Steps:
        if self._stream.at_end:
            return True
        kept = b""
        while True:
            length = yield from self._item_length(header, level.encoding.order)
            if length is None:
                break
            self._count()
            head = struct.pack("<HHI", 0xFFFE, 0xE000, length)
            value = bytearray()
            steps = _Kept(self._load(value, Header(ITEM, "pi", length, ""), "Item"))
            for _ in steps:
                reading.value = kept + head + value
                yield
            if self._correction and length % 2:
                head = struct.pack("<HHI", 0xFFFE, 0xE000, length + 1)
                value += b"\0"
            reading.value = kept = kept + head + value
            if steps.result:
                break
        return False

    def _item_length(self, header: Header, order: str) -> Generator[None, None, int | None]:
        """Read the header of an item and return its length; None at the end of the sequence."""
        stream = self._stream
        sequence = show_tag(header.tag)
        name = self._words.name_of(header.tag, header.creator)
        while stream.available < 8:
            if stream.at_end:
                self._voice.warn(
                    "DcmSequenceOfItems: Reached end of stream before the end of sequence "
                    f"{name} {sequence}"
                )
                raise Bad(NO_SEQUENCE_END)
            yield
        tag, length = self.headers.item(order)
        if length & 1 and length != UNDEFINED:
            text = f"DcmSequenceOfItems: Length of item in sequence {name} {sequence} is odd"
            self._voice.warn(text)
        if tag == ITEM:
            return length
        if tag == SEQUENCE_END:
            return None
        self._voice.error(
            f"DcmSequenceOfItems: Parse error in sequence {sequence}, found {show_tag(tag)} "
            f"instead of sequence delimiter {show_tag(SEQUENCE_END)}"
        )
        text = f"DcmSequenceOfItems::readSubItem() cannot create Sub Item {show_tag(tag)}"
        self._voice.debug(text)
        raise Bad(NO_SEQUENCE_END)


class _Kept:
    """The steps of a generator, and what it returns at their end."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.result = False

    def __iter__(self) -> Iterator[None]:
        self.result = yield from self._steps


def _reserve(level: Level, reading: _Reading) -> None:
    """Remember a Private Creator (PS3.5 Section 7.8.1)."""
    group, block = reading.tag >> 16, reading.tag & 0xFFFF
    if not group & 1 or not 0x10 <= block <= 0xFF or reading.vr not in STRINGS:
        return
    if isinstance(reading.value, bytes) and reading.value:
        creator = reading.value.split(b"\0", 1)[0].decode("latin_1").rstrip(" ")
        level.creators.setdefault(group << 16 | block, creator)
