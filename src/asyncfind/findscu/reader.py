"""A data set as DCMTK reads it: piece by piece, and good enough where its end is missing."""

from collections.abc import Generator
from typing import Final

from asyncfind.findscu.conditions import ILLEGAL_CALL, Bad
from asyncfind.findscu.dataset import Words
from asyncfind.findscu.elements import ElementReader
from asyncfind.findscu.headers import Encoding, Level
from asyncfind.findscu.stream import ByteStream
from asyncfind.findscu.voice import Voice
from asyncfind.query.element import Item
from asyncfind.query.syntax import TransferSyntax

__all__ = ["DataSetReader"]

_MAX_LEFT: Final = 1024


class DataSetReader:
    """One data set.

    Args:
        syntax: what it is encoded in.
        correction: `+dc`: an odd length counts as the even one above.
        stream: what it is read from; where there is none yet, a new one that `feed` fills.

    Attributes:
        item: what was read so far, with DCMTK's own VRs; values in little endian.
    """

    def __init__(
        self,
        syntax: TransferSyntax,
        words: Words,
        voice: Voice,
        *,
        correction: bool = False,
        stream: ByteStream | None = None,
    ) -> None:
        self.item = Item()
        self._syntax = syntax
        self._voice = voice
        self._stream = ByteStream() if stream is None else stream
        self._reader = ElementReader(self._stream, words, voice, correction=correction)
        self._steps: Generator[None, None, None] | None = None
        self._is_ready = False

    @property
    def has_begun(self) -> bool:
        """Any byte was read; before that DCMTK does not know of the transfer syntax."""
        return self._steps is not None

    def feed(self, data: bytes, *, last: bool) -> None:
        """Read the next piece. A data set that is not whole with the last one is taken as it is.

        Raises:
            Bad: the condition that DCMTK ends with; nothing may be fed after it.
        """
        if self._is_ready and self._stream.available > _MAX_LEFT:
            raise Bad(ILLEGAL_CALL)  # DCMTK has little room for what it does not want any more
        self._stream.add(data, last=last)
        if not self._is_ready:
            self.read()

    def read(self) -> bool:
        """Read what the stream has; returns whether the data set is at its end.

        Raises:
            Bad: as `feed`.
        """
        if self._stream.at_end:
            self._is_ready = True
            return True
        if self._steps is None:
            self._voice.debug(f'DcmDataset::read() TransferSyntax="{self._syntax.name}"')
            if self._syntax.deflated:
                self._stream.deflated()
            level = Level(self.item, Encoding.of(self._syntax), None, self._stream.position)
            self._steps = self._reader.elements(level)
        self._is_ready = next(self._steps, self) is self
        return self._is_ready
