"""Peers that do as a script says: what real archives do rarely, or should never do."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Sequence

from differential.recorder import read_pdu

__all__ = ["SCRIPTS", "ScriptedPeer"]

Event = bytes | float | None
"""Bytes to send, seconds to wait, or None to close; between events a request is read where the
script says `READ`."""

READ = 0.0
_A_ABORT = 7
_EXPLICIT = "1.2.840.10008.1.2.1"
_IMPLICIT = "1.2.840.10008.1.2"


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def ac(
    *,
    result: int = 0,
    syntax: str | None = _EXPLICIT,
    max_length: int | None = 16384,
    context_id: int = 1,
    version: int = 1,
    extra: bytes = b"",
    user_extra: bytes = b"",
) -> bytes:
    """An A-ASSOCIATE-AC, or something like it."""
    context = bytes((context_id, 0, result, 0))
    if syntax is not None:
        context += _item(0x40, syntax.encode())
    user = b"" if max_length is None else _item(0x51, struct.pack(">I", max_length))
    user += _item(0x52, b"1.2.3.4") + _item(0x55, b"SCRIPTED") + user_extra
    body = struct.pack(">HH", version, 0) + b"ANY-SCP".ljust(16) + b"FINDSCU".ljust(16)
    body += bytes(32) + _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x21, context)
    return _pdu(2, body + extra + _item(0x50, user))


def pdv(data: bytes, *, command: bool, last: bool = True, context_id: int = 1) -> bytes:
    """One presentation data value item."""
    control = command | last << 1
    return struct.pack(">IBB", len(data) + 2, context_id, control) + data


def p_data(*items: bytes) -> bytes:
    """A P-DATA-TF."""
    return _pdu(4, b"".join(items))


def command(
    *,
    status: int | None = 0xFF00,
    message_id: int | None = 1,
    data_set: int | None = None,
    field: int | None = 0x8020,
    sop_class: str | None = "1.2.840.10008.5.1.4.31",
    more: bytes = b"",
) -> bytes:
    """The command set of a C-FIND-RSP, or of something like it."""
    if data_set is None:
        data_set = 1 if status in (0xFF00, 0xFF01) else 0x0101
    parts = []
    if sop_class is not None:
        uid = sop_class.encode()
        parts.append(_element(0, 2, uid + b"\0" * (len(uid) % 2)))
    for number, value in ((0x100, field), (0x120, message_id), (0x800, data_set), (0x900, status)):
        if value is not None:
            parts.append(_element(0, number, struct.pack("<H", value)))
    body = b"".join(parts) + more
    return _element(0, 0, struct.pack("<I", len(body))) + body


def _element(group: int, number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def explicit(group: int, number: int, vr: str, value: bytes) -> bytes:
    """A data element in Explicit VR Little Endian."""
    if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"):
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr.encode(), len(value)) + value


DATA = explicit(0x10, 0x10, "PN", b"DOE^JOHN") + explicit(0x10, 0x20, "LO", b"ID1 ")


def match(data: bytes = DATA, *, context_id: int = 1, **fields: int | str | bytes | None) -> bytes:
    """A pending response and its identifier."""
    response = command(**fields)  # type: ignore[arg-type]
    return p_data(pdv(response, command=True, context_id=context_id)) + p_data(
        pdv(data, command=False, context_id=context_id)
    )


def final(status: int = 0, **fields: int | str | bytes | None) -> bytes:
    """A final response."""
    return p_data(pdv(command(status=status, **fields), command=True))  # type: ignore[arg-type]


RELEASE = _pdu(6, bytes(4))
RELEASE_RQ = _pdu(5, bytes(4))
ABORT = _pdu(7, bytes(4))
_DETAIL = _element(0, 0x901, struct.pack("<HH", 0x10, 0x10)) + _element(0, 0x902, b"NOT THIS")
_REQUEST = b"".join(
    (
        *(_element(0, 0x110, b"\1\0"), _element(0, 0x600, b"THERE "), _element(0, 0x700, b"\0\0")),
        *(_element(0, 3, b"1.2\0"), _element(0, 0x1000, b"1.2\0"), _element(0, 0x1001, b"1.2\0")),
    )
)
_NAMES = (
    (b"ISO_IR 100", b"M\xfcller^J "),
    (b"ISO_IR 144", b"\xb8\xd2\xd0\xdd^X "),
    (b"ISO_IR 192", b"M\xc3\xbcller^J"),
    (b"ISO_IR 166", b"\xa1\xa2^X"),
    (b"GB18030 ", b"\xcd\xf5^\xd0\xa1"),
    (b"ISO_IR 6", b"DOE^JOHN"),
    (b"", b"M\xfcller "),
    (b"ISO_IR 9", b"M\xfcller "),
    (b"ISO_IR 100", b"long " * 20 + b"\xe4 " * 10),
    (b"\\ISO 2022 IR 126 ", b"A^B=\x1b-F\xe1\xe2^x "),
    (b"\\ISO 2022 IR 149 ", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce "),
    (b"ISO 2022 IR 100\\ISO 2022 IR 100 ", b"M\xfcller\x1b-A^"),
)

_GOOD = [final(), READ, RELEASE]


def _typical(*events: Event) -> list[Event]:
    """Association, then the request; its command and its identifier are two PDUs."""
    return [READ, ac(), READ, READ, *events]


SCRIPTS: dict[str, list[Event]] = {
    "no match": _typical(*_GOOD),
    "one match": _typical(match(), *_GOOD),
    "three matches": _typical(match(), match(status=0xFF01), match(), *_GOOD),
    "empty identifier": _typical(match(b""), *_GOOD),
    "implicit": [READ, ac(syntax=_IMPLICIT), READ, READ, *_GOOD],
    "unlimited": [READ, ac(max_length=0), READ, READ, *_GOOD],
    "no maximum": [READ, ac(max_length=None), READ, READ, *_GOOD],
    "odd maximum": [READ, ac(max_length=4097), READ, READ, *_GOOD],
    "huge maximum": [READ, ac(max_length=2**31), READ, READ, *_GOOD],
    "version 3": [READ, ac(version=3), READ, READ, *_GOOD],
    "version 2": [READ, ac(version=2)],
    "unknown items": [
        *(READ, ac(extra=_item(0x99, b"?"), user_extra=_item(0x77, b"??")), READ, READ),
        *_GOOD,
    ],
    "no syntax": [READ, ac(syntax=None)],
    "foreign syntax": [READ, ac(syntax="1.2.3.4.5"), READ, READ, final(), 0.1],
    "foreign context": [READ, ac(context_id=3), READ],
    "user rejection": [READ, ac(result=1)],
    "no reason": [READ, ac(result=2)],
    "no abstract syntax": [READ, ac(result=3)],
    "no transfer syntax": [READ, ac(result=4)],
    "odd result": [READ, ac(result=9)],
    "short answer": [READ, _pdu(2, bytes(20))],
    "rejected 1 1 1": [READ, _pdu(3, bytes((0, 1, 1, 1)))],
    "rejected 2 2 2": [READ, _pdu(3, bytes((0, 2, 2, 2)))],
    "rejected 2 3 1": [READ, _pdu(3, bytes((0, 2, 3, 1)))],
    "rejected 3 4 9": [READ, _pdu(3, bytes((0, 3, 4, 9)))],
    "abort at once": [READ, ABORT],
    "close at once": [READ, None],
    "release at once": [READ, RELEASE_RQ, READ],
    "noise": [READ, b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    "data instead of an answer": [READ, match(), READ],
    "abort": _typical(match(), ABORT),
    "close": _typical(match(), None),
    "close in a PDU": _typical(match()[:-5], None),
    "release requested": _typical(match(), RELEASE_RQ, READ),
    "associated twice": _typical(ac(), READ, 0.1),
    "unknown PDU": _typical(_pdu(0x55, b""), READ),
    "too large a PDU": _typical(_pdu(4, bytes(200_000)), READ),
    "no fragment": _typical(_pdu(4, b""), READ),
    "fragment of 1 byte": _typical(_pdu(4, b"\0\0\0\1\1"), READ),
    "fragments beyond the end": _typical(_pdu(4, b"\0\0\0\x20\1\3" + bytes(5)), READ),
    "wrong message id": _typical(match(message_id=6), READ),
    "other command": _typical(p_data(pdv(command(field=0x8030), command=True)), READ),
    "unknown command": _typical(p_data(pdv(command(field=0x9999), command=True)), READ),
    "no command field": _typical(p_data(pdv(command(field=None), command=True)), READ),
    "no status": _typical(p_data(pdv(command(status=None), command=True)), READ),
    "no message id": _typical(final(message_id=None), READ),
    "no SOP class": _typical(match(sop_class=None), final(sop_class=None), READ, RELEASE),
    "other SOP class": _typical(match(sop_class="1.2.3"), *_GOOD),
    "wrong context": _typical(match(context_id=5), READ),
    "data before command": _typical(p_data(pdv(DATA, command=False)), READ),
    "command instead of data": _typical(final(0xFF00), final(), READ),
    "odd fragments": _typical(
        p_data(pdv(command(), command=True)),
        p_data(pdv(DATA[:11], command=False, last=False)),
        READ,
    ),
    "many fragments": _typical(
        p_data(pdv(command(), command=True)),
        *(
            p_data(pdv(DATA[i : i + 4], command=False, last=i + 4 >= len(DATA)))
            for i in range(0, len(DATA), 4)
        ),
        *_GOOD,
    ),
    # Not three, unless two are of one length: there DCMTK loses its place.
    "two in one PDU": _typical(
        p_data(pdv(command(), command=True), pdv(DATA, command=False)), *_GOOD
    ),
    "four in two PDUs": _typical(
        p_data(pdv(command(), command=True), pdv(DATA, command=False)),
        p_data(pdv(command(), command=True), pdv(b"", command=False)),
        *_GOOD,
    ),
    "empty last fragment": _typical(
        p_data(pdv(command(), command=True)),
        p_data(pdv(DATA, command=False, last=False)),
        p_data(pdv(b"", command=False)),
        *_GOOD,
    ),
    "pending with detail": _typical(match(more=_DETAIL), *_GOOD),
    "failure with detail": _typical(final(0xC001, more=_DETAIL), READ, RELEASE),
    "data behind a final response": _typical(
        final(data_set=1) + p_data(pdv(DATA, command=False)), READ, 0.1
    ),
    **{
        f"status {status:04X}": _typical(final(status), READ, RELEASE)
        for status in (
            *(0x0001, 0x0107, 0x0110, 0x0122, 0x0210, 0x1234, 0xA700, 0xA701, 0xA900, 0xA9FF),
            *(0xB000, 0xC000, 0xC123, 0xD000, 0xFE00, 0xFE01, 0xFF02),
        )
    },
    "cancelled in time": _typical(
        *(match(), match(), match(), READ, final(0xFE00), READ, RELEASE),
    ),
    "cancelled too late": _typical(match(), match(), READ, match(), *_GOOD),
    "cancelled and closed": _typical(match(), match(), READ, None),
    **{
        f"foreign {field:04X} {data_set:04X}": _typical(
            p_data(pdv(command(field=field, data_set=data_set), command=True)), READ
        )
        for field in (0x8001, 0x8030, 0x8021, 0x8110, 0x0FFF)
        for data_set in (0x0001, 0x0101)
    },
    **{
        f"request {field:04X}{' in full' if more else ''}": _typical(
            p_data(pdv(command(field=field, message_id=None, more=more), command=True)), READ
        )
        for field in (0x0001, 0x0020, 0x0021, 0x0030, 0x0110, 0x0130)
        for more in (b"", _REQUEST)
    },
    "unsorted command": _typical(match(more=_element(0, 0x110, b"\1\0")), *_GOOD),
    "double status": _typical(
        match(more=_element(0, 0x900, b"\1\0")), final(more=_element(0, 0x900, b"\0\0")), READ
    ),
    "odd command": _typical(match(more=_element(0, 0x902, b"odd")), *_GOOD),
    "foreign groups": _typical(
        final(0xC001, more=_element(2, 0x10, b"1.2\0") + _element(8, 5, b"ISO_IR 6")), READ, RELEASE
    ),
    "cut command": _typical(p_data(pdv(command()[:-2], command=True)), READ),
    "command in pieces": _typical(
        *(
            p_data(pdv(piece, command=True, last=place == 3))
            for place, piece in enumerate(
                (command()[:6], command()[6:30], command()[30:32], command()[32:])
            )
        ),
        p_data(pdv(DATA, command=False)),
        *_GOOD,
    ),
    "long SOP class": _typical(
        match(sop_class="1." * 40), final(sop_class="1." * 40), READ, RELEASE
    ),
    "many character sets": _typical(
        *(
            match(explicit(8, 5, "CS", charset) + explicit(0x10, 0x10, "PN", name))
            for charset, name in _NAMES
        ),
        *_GOOD,
    ),
    "release aborted": _typical(final(), READ, ABORT),
    "release closed": _typical(final(), READ, None),
    "release crossed": _typical(final(), READ, RELEASE_RQ, 0.1),
    "data instead of a release": _typical(final(), READ, match(), 0.1),
}


class ScriptedPeer:
    """Plays a script for one connection after the other.

    Args:
        context: to do so behind TLS.

    Attributes:
        port: where it listens.
    """

    def __init__(self, events: Sequence[Event], context: ssl.SSLContext | None = None) -> None:
        self._events = events
        self._context = context
        self._got: list[bytes] = []
        self._begun = threading.Event()
        self._done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def take(self) -> list[bytes]:
        """What the client that has just ended sent; nothing where it never connected."""
        if not self._begun.wait(0.2):
            return []
        self._done.wait(10)
        self._begun.clear()
        self._done.clear()
        got, self._got = self._got, []
        return got

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._begun.set()
            client.settimeout(10)
            with contextlib.suppress(OSError):
                if self._context is not None:
                    client = self._context.wrap_socket(client, server_side=True)
                self._play(client)
            client.close()
            self._done.set()

    def _play(self, client: socket.socket) -> None:
        for event in self._events:
            if isinstance(event, bytes):
                client.sendall(event)
            elif event is None:
                client.shutdown(socket.SHUT_WR)
                break
            elif event == READ:
                pdu = read_pdu(client)
                if pdu is None:
                    return
                self._got.append(pdu)
                if pdu[0] == _A_ABORT:
                    return
            else:
                threading.Event().wait(event)
        while (pdu := read_pdu(client)) is not None:
            self._got.append(pdu)
            if pdu[0] == _A_ABORT:
                return
