"""What answers a query: the protocol that a server asks, and a source of any number of matches."""

import zlib
from collections.abc import Collection, Iterator
from typing import Final, Protocol

from asyncfind.query.element import Element, Item
from asyncfind.query.models import MODELS
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from asyncfind.query.writer import write_item

__all__ = ["PENDING", "Answers", "Response", "Source"]

PENDING: Final = 0xFF00
"""Matches are continuing (PS3.4 Section C.4.1.1.4)."""

Response = tuple[int, bytes] | None
"""Status and encoded identifier of a match; None where none was found yet."""


class Source(Protocol):
    """Where the matches come from.

    Attributes:
        models: UIDs of the SOP classes that are answered.
    """

    @property
    def models(self) -> Collection[str]: ...

    def respond(
        self, model_uid: str, identifier: bytes, syntax: TransferSyntax, *, relational: bool = False
    ) -> Iterator[Response]:
        """Yield matches as they are found.

        Raises:
            QueryRefused: before the first; the identifier cannot be answered.
        """
        ...


_NUMBER: Final = b"@@@@@@@@@@"
_ELEMENTS: Final = (
    (0x00080050, "SH", "A" + _NUMBER.decode()),
    (0x00080052, "CS", "STUDY"),
    (0x00080020, "DA", "20260615"),
    (0x00080030, "TM", "101500"),
    (0x00080054, "AE", "ANSWERS"),
    (0x00080061, "CS", "CT\\SR"),
    (0x00080090, "PN", "Quill^Harriet^^Dr."),
    (0x00081030, "LO", "CT Chest with contrast"),
    (0x00100010, "PN", "Merriweather^Florence"),
    (0x00100020, "LO", "P0012345"),
    (0x00100030, "DA", "19610203"),
    (0x00100040, "CS", "F"),
    (0x0020000D, "UI", "2.25.165995419866490113949479773385532809813"),
    (0x00200010, "SH", "10001"),
    (0x00201206, "IS", "4"),
    (0x00201208, "IS", "396"),
)


class Answers:
    """Answers any query of any model with `count` matches, alike but for their accession number.

    They are encoded once, so that the other side is what a measurement measures.

    Args:
        count: matches to every query.
        elements: of each match, at least 1; those beyond 16 are private, 40 characters each.
    """

    models: Collection[str] = tuple(model.uid for model in MODELS)

    def __init__(self, count: int, elements: int = len(_ELEMENTS)) -> None:
        self._count = count
        self._item = Item()
        for tag, vr, text in (*_ELEMENTS[:elements], *_fillers(elements - len(_ELEMENTS))):
            self._item.elements[tag] = Element(tag, vr, text.encode("ascii"), len(text))

    def respond(
        self, model_uid: str, identifier: bytes, syntax: TransferSyntax, *, relational: bool = False
    ) -> Iterator[Response]:
        """Yield the matches; accession numbers count from A0000000001."""
        plain = EXPLICIT_VR_LITTLE_ENDIAN if syntax.deflated else syntax
        before, _, after = write_item(self._item, plain).partition(_NUMBER)
        matches = (b"%b%010d%b" % (before, number, after) for number in range(1, self._count + 1))
        if syntax.deflated:
            return ((PENDING, _deflate(data)) for data in matches)
        return ((PENDING, data) for data in matches)


def _fillers(count: int) -> Iterator[tuple[int, str, str]]:
    """Private elements, each block of them behind its creator (PS3.5 Section 7.8.1)."""
    for number in range(count):
        block, place = divmod(number, 0xF0)
        group = (0x0009 + 2 * block) << 16
        if place == 0:
            yield group | 0x0010, "LO", "ASYNCFIND"
        else:
            yield group | 0x1000 + place, "LO", f"{number:040d}"


def _deflate(data: bytes) -> bytes:
    """As PS3.5 Section A.5 has it: a raw deflate stream of even length."""
    stream = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = stream.compress(data) + stream.flush()
    return data + b"\0" * (len(data) % 2)
