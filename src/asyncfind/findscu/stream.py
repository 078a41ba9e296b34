"""The bytes of a data set on their way in: in pieces, perhaps deflated."""

import zlib
from typing import Final

from asyncfind.findscu.conditions import DCMDATA, Bad, Condition

__all__ = ["ByteStream"]

_STEP: Final = 64 * 1024
_MAX_INFLATED: Final = 16 * 1024 * 1024


class ByteStream:
    """Bytes as they arrive.

    Attributes:
        position: bytes taken so far.
        seekable: a file, of which DCMTK leaves long values where they are at first.
    """

    def __init__(self, *, seekable: bool = False) -> None:
        self.position = 0
        self.seekable = seekable
        self._data = bytearray()
        self._start = 0
        self._is_whole = False
        self._inflater: zlib._Decompress | None = None
        self._padded = False

    def add(self, data: bytes, *, last: bool) -> None:
        """Take the next piece.

        Raises:
            Bad: it is not what deflating makes, or is too much once inflated.
        """
        self._is_whole = last
        if self._inflater is None:
            if self._start:
                del self._data[: self._start]
                self._start = 0
            self._data += data
        else:
            self._inflate(data)

    def deflated(self) -> None:
        """All that was not taken yet, and all that comes, is deflated (PS3.5 Section A.5)."""
        rest = bytes(self._data[self._start :])
        self._data.clear()
        self._start = 0
        self.seekable = False
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._inflate(rest)

    def _inflate(self, data: bytes) -> None:
        inflater = self._inflater
        assert inflater is not None
        try:
            while not inflater.eof:
                chunk = inflater.decompress(data, _STEP)
                self._data += chunk
                data = inflater.unconsumed_tail
                if len(self._data) > _MAX_INFLATED:
                    raise Bad(Condition(DCMDATA, 4, "Invalid stream"))
                if not data and len(chunk) < _STEP:
                    break
            if self._is_whole and not inflater.eof and not self._padded:
                self._padded = True  # without it the end of raw deflated data is not always seen
                self._data += inflater.decompress(b"\0", _STEP)
        except zlib.error as exc:
            reason = str(exc).partition(": ")[2]
            raise Bad(Condition(DCMDATA, 16, f"ZLib Error: {reason}")) from None

    @property
    def available(self) -> int:
        """How many bytes could be taken."""
        return len(self._data) - self._start

    @property
    def at_end(self) -> bool:
        """All were taken, and no more will come."""
        if self._start < len(self._data):
            return False
        return self._is_whole if self._inflater is None else self._inflater.eof

    def peek(self, count: int) -> bytes:
        """Up to `count` of the next bytes, which stay."""
        return bytes(self._data[self._start : self._start + count])

    def take(self, count: int) -> bytes:
        """Up to `count` of the next bytes."""
        taken = self.peek(count)
        self._start += len(taken)
        self.position += len(taken)
        return taken
