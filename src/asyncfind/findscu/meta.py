"""The head of a DICOM file as DCMTK reads it (PS3.10 Section 7.1)."""

import struct
from collections.abc import Generator
from typing import Final, TypeVar

from asyncfind.findscu.conditions import (
    CORRUPTED_DATA,
    INVALID_STREAM,
    PREMATURE_END,
    Bad,
)
from asyncfind.findscu.dataset import Words
from asyncfind.findscu.elements import ElementReader
from asyncfind.findscu.headers import Encoding, Header, Level
from asyncfind.findscu.stream import ByteStream
from asyncfind.findscu.syntaxes import VIRTUAL_BIG_ENDIAN_IMPLICIT
from asyncfind.findscu.voice import Voice
from asyncfind.findscu.vrs import STANDARD, show_tag
from asyncfind.query.element import Item
from asyncfind.query.syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)

__all__ = ["guess_syntax", "read_meta"]

_PREAMBLE: Final = 132
_SHORTEST: Final = 12
_GROUP_LENGTH: Final = 0x00020000
_META_GROUP: Final = 0x0002
_T = TypeVar("_T")
_VRS: Final = frozenset(vr.encode() for vr in STANDARD)


def guess_syntax(head: bytes, words: Words) -> TransferSyntax:
    """The transfer syntax by the first six bytes of a data set, where nothing names it."""
    if len(head) < 6:
        return EXPLICIT_VR_LITTLE_ENDIAN
    explicit = head[4:6] in _VRS
    little, big = _is_known("<", head, words), _is_known(">", head, words)
    is_big = big and not little
    if little and big:
        # Group 0008 is more likely to come first than 0800.
        first, second = struct.unpack("<H", head[:2])[0], struct.unpack(">H", head[:2])[0]
        is_big = first > 0xFF >= second
    if is_big:
        return EXPLICIT_VR_BIG_ENDIAN if explicit else VIRTUAL_BIG_ENDIAN_IMPLICIT
    return EXPLICIT_VR_LITTLE_ENDIAN if explicit else IMPLICIT_VR_LITTLE_ENDIAN


def _is_known(order: str, head: bytes, words: Words) -> bool:
    group, number = struct.unpack_from(order + "HH", head)
    return words.vr_of(group << 16 | number) != "??"


def read_meta(stream: ByteStream, words: Words, voice: Voice) -> Item:
    """Take preamble and meta information from a file that is not empty.

    Returns:
        The elements; none where the file has no meta information.

    Raises:
        Bad: they cannot be read.
    """
    has_preamble = stream.peek(_PREAMBLE)[-4:] == b"DICM" and stream.available >= _PREAMBLE
    if has_preamble:
        stream.take(_PREAMBLE)
    syntax = guess_syntax(stream.peek(6), words)
    if has_preamble:
        voice.debug(f'DcmMetaInfo::checkAndReadPreamble() TransferSyntax="{syntax.name}"')
    if stream.available < _SHORTEST:
        raise Bad(PREMATURE_END)
    reader = _MetaReader(stream, words, voice, Encoding.of(syntax))
    if not reader.read() and has_preamble:
        voice.warn("DcmMetaInfo: Found Preamble but no Meta Information Header")
    return reader.level.item


class _MetaReader:
    def __init__(self, stream: ByteStream, words: Words, voice: Voice, encoding: Encoding) -> None:
        self.level = Level(Item(), encoding, None, stream.position)
        self._stream = stream
        self._voice = voice
        self._reader = ElementReader(stream, words, voice, checks_groups=False)

    def read(self) -> bool:
        """Read all elements; False where there are none, or the file ends with them."""
        if not self._is_next():
            return False
        end = self._read_group_length()
        stream = self._stream
        while not stream.at_end and self._goes_on(end):
            header = self._header()
            if header is None:
                return False
            is_end = False
            try:
                is_end = self._element(header)
            finally:
                if header.tag >> 16 != _META_GROUP:
                    self._voice.warn(
                        f"DcmMetaInfo: Invalid Element {show_tag(header.tag)} found in Meta "
                        "Information Header"
                    )
            if is_end:
                # The end of the stream, behind the header of an empty value.
                return not stream.at_end
        if end is not None and stream.position != end:
            text = "DcmMetaInfo: Group Length of Meta Information Header has incorrect value"
            self._voice.warn(text)
        return True

    def _is_next(self) -> bool:
        return self._stream.peek(2) in (b"\x02\0", b"\0\x02")

    def _goes_on(self, end: int | None) -> bool:
        return self._is_next() if end is None else self._stream.position < end

    def _read_group_length(self) -> int | None:
        """Read the first element: where the group ends, if it says so."""
        header = self._header()
        assert header is not None
        condition = CORRUPTED_DATA
        try:
            self._element(header)
            value = self.level.item.elements[header.tag].value
            if header.tag == _GROUP_LENGTH and header.length >= 4 and isinstance(value, bytes):
                return self._stream.position + int.from_bytes(value[:4], "little")
        except Bad as bad:
            if bad.condition in (PREMATURE_END, INVALID_STREAM):
                condition = INVALID_STREAM
        self._voice.warn("DcmMetaInfo: No Group Length available in Meta Information Header")
        if condition is INVALID_STREAM:
            raise Bad(condition)
        return None

    def _header(self) -> Header | None:
        return _whole(self._reader.headers.element(self.level))

    def _element(self, header: Header) -> bool:
        return _whole(self._reader.element(self.level, header))


def _whole(steps: Generator[None, None, _T]) -> _T:
    """Run steps that must not wait for more: a file has none."""
    try:
        next(steps)
    except StopIteration as stop:
        result: _T = stop.value
        return result
    raise Bad(PREMATURE_END)
