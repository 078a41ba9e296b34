"""Any chopping of the byte stream in, whole PDUs out, within limits (PS3.8 Section 9.3.1).

The type is judged before the length is believed, the length before anything is kept. Nothing is
allocated for bytes that are only announced, and each byte is copied a constant number of times.
"""

import struct
from typing import Final, NamedTuple

from asyncfind.errors import LimitExceeded, MalformedPDU
from asyncfind.ul.codec import malformed
from asyncfind.ul.pdu import (
    FIXED_LENGTH,
    HEADER,
    MIN_ASSOCIATE_LENGTH,
    NAMES,
    PDV,
    AbortReason,
    AssociateAC,
    AssociateRQ,
    PDataTF,
)

__all__ = ["Frame", "Framer", "Violation"]

_MAX_ASSOCIATE_LENGTH: Final = 1024 * 1024
_SHOWN: Final = 16
"""Bytes of a stream that is no DICOM which an error shows."""

_ONE_PDV: Final = struct.Struct(">BxIIBB")
"""A P-DATA-TF header and the header of its first item (PS3.8 Tables 9-22 and 9-23)."""

_PDV: Final = struct.Struct(">IBB")

_CONTROL: Final = tuple((bool(bits & 1), bool(bits & 2)) for bits in range(256))
"""Message control header to (is a command, is the last fragment) (PS3.8 Annex E.2)."""

_WRONG_PORT: Final = "Check that the port is that of a DICOM service without TLS."
_TLS: Final = (
    "TLS",
    "One side speaks TLS and the other does not; check the port (2762 is the usual one for TLS).",
)
_HTTP: Final = ("HTTP", "This is a web service; ask for the port of the DICOM service instead.")
_PROTOCOLS: Final = {
    b"\x15\x03": _TLS,
    b"\x16\x03": _TLS,
    b"HTTP/": _HTTP,
    b"GET ": _HTTP,
    b"POST ": _HTTP,
    b"SSH-": ("SSH", _WRONG_PORT),
    b"220": ("FTP or mail", _WRONG_PORT),
    b"\x0bMSH": ("HL7", _WRONG_PORT),
}
"""How other protocols begin: their names, and what the user can do."""


class Frame(NamedTuple):
    """One whole PDU, its body undecoded."""

    kind: int
    body: bytes


class Violation(NamedTuple):
    """A rule that the peer broke, and the reason that A-ABORT gives (PS3.8 Table 9-26)."""

    error: MalformedPDU | LimitExceeded
    reason: AbortReason


class Framer:
    """Cuts a byte stream into PDUs.

    After `feed` the owner calls `next_frame` until it returns None, and only then feeds again.

    Args:
        max_pdu_length: the longest P-DATA-TF body taken, in bytes.
    """

    def __init__(self, max_pdu_length: int) -> None:
        self._max_pdu_length = max_pdu_length
        self._buffer = b""
        self._offset = 0
        self._partial = bytearray()
        self._needed = 0
        self._position = 0
        self._allowance: int | None = None
        self._is_lost = False

    @property
    def is_exhausted(self) -> bool:
        """As many bytes as `allow` granted have come."""
        return self._allowance == 0

    def feed(self, data: bytes) -> None:
        """Take what was read from the peer."""
        if self._allowance is not None:
            data = data[: self._allowance]
            self._allowance -= len(data)
        self._position += self._offset
        self._offset = 0
        if self._is_lost:
            return
        if not self._partial:
            self._buffer = data
        elif len(self._partial) + len(data) < self._needed:
            self._partial += data
            return
        else:
            self._buffer = b"".join((self._partial, data))
            self._partial = bytearray()

    def allow(self, count: int) -> None:
        """Look at `count` more bytes at most, what was fed and not yet looked at included."""
        rest = self._buffer[self._offset : self._offset + count]
        self._allowance = count - len(rest)
        self._position += self._offset
        self._buffer, self._offset = (b"" if self._is_lost else rest), 0

    def next_data(self) -> list[PDV]:
        """Take P-DATA-TFs whose items all have a fragment in them, as long as nothing else comes.

        The hot path: an archive sends nearly nothing else. Whatever is different in any way,
        faults included, is left for `next_frame`.
        """
        buffer, offset, limit = self._buffer, self._offset, self._max_pdu_length
        size = len(buffer)
        last = size - _ONE_PDV.size
        unpack, control, new = _ONE_PDV.unpack_from, _CONTROL, tuple.__new__
        pdvs: list[PDV] = []
        while offset < last:
            kind, length, item, context_id, bits = unpack(buffer, offset)
            end = offset + 6 + length
            if kind != 4 or length > limit or end > size:
                break
            if length == item + 4 and item > 2:
                is_command, is_last = control[bits]
                # Not PDV(...), whose __new__ in Python costs as much as all the rest.
                pdvs.append(new(PDV, (context_id, is_command, is_last, buffer[offset + 12 : end])))
            elif more := _split(buffer, offset + 6, end):
                pdvs += more
            else:
                break
            offset = end
        self._offset = offset
        return pdvs

    def next_frame(self) -> Frame | Violation | None:
        """Take the next PDU; None when it has not come to its end.

        A violation ends the stream: no border can be trusted any more, so all that follows is
        thrown away.
        """
        buffer, offset = self._buffer, self._offset
        available = len(buffer) - offset
        if not available or self._is_lost:
            return None
        if not 0 < buffer[offset] < len(NAMES):
            return self._lose(self._unknown_type())
        needed = HEADER.size
        if available >= needed:
            kind, length = HEADER.unpack_from(buffer, offset)
            if fault := self._length_fault(kind, length):
                text = f"{NAMES[kind]} of {length} bytes, {fault}"
                return self._lose(Violation(malformed(text), AbortReason.INVALID_PARAMETER))
            needed += length
            if available >= needed:
                self._offset = end = offset + needed
                return Frame(kind, buffer[offset + HEADER.size : end])
        self._partial = bytearray(buffer[offset:])
        self._needed = needed
        self._position += offset
        self._buffer, self._offset = b"", 0
        return None

    def _length_fault(self, kind: int, length: int) -> str:
        """What is wrong with a header; empty when nothing is."""
        if kind == PDataTF.TYPE:
            if length > self._max_pdu_length:
                return f"{self._max_pdu_length} allowed"
        elif kind in (AssociateRQ.TYPE, AssociateAC.TYPE):
            if not MIN_ASSOCIATE_LENGTH <= length <= _MAX_ASSOCIATE_LENGTH:
                return f"{MIN_ASSOCIATE_LENGTH} to {_MAX_ASSOCIATE_LENGTH} allowed"
        elif length != FIXED_LENGTH:
            return f"{FIXED_LENGTH} required"
        return ""

    def _unknown_type(self) -> Violation:
        shown = self._buffer[self._offset : self._offset + _SHOWN]
        position = self._position + self._offset
        text = f"unknown PDU type {shown[0]:02X}H at byte {position}; bytes {shown.hex(' ')}"
        error = malformed(text)
        if position == 0:
            guesses = (about for start, about in _PROTOCOLS.items() if shown.startswith(start))
            name, hint = next(guesses, ("", _WRONG_PORT))
            looks = f", looks like {name}" if name else ""
            error = MalformedPDU(f"not DICOM: {text}{looks}", hint)
        return Violation(error, AbortReason.UNRECOGNIZED_PDU)

    def _lose(self, violation: Violation) -> Violation:
        self._is_lost = True
        return violation


def _split(buffer: bytes, offset: int, end: int) -> list[PDV]:
    """The items of one P-DATA-TF; none where one is empty or does not fit."""
    pdvs: list[PDV] = []
    while offset + _PDV.size < end:
        item, context_id, bits = _PDV.unpack_from(buffer, offset)
        start, offset = offset + _PDV.size, offset + 4 + item
        if item <= 2 or offset > end:
            return []
        is_command, is_last = _CONTROL[bits]
        pdvs.append(tuple.__new__(PDV, (context_id, is_command, is_last, buffer[start:offset])))
    return pdvs if offset == end else []
