"""findscu's upper layer: one association, its waits, and the conditions they end in.

The same state table as everybody's (PS3.8 Table 9-10); what differs from `ul/upper_layer.py` is
what findscu does not check, in which words it fails, and how long it waits for what.
"""

import asyncio
import os
import re
import socket
import struct
import time
from dataclasses import dataclass
from typing import Final

import anyio

from asyncfind.errors import ConnectFailed, TlsFailed, UnknownHost
from asyncfind.findscu.conditions import (
    ABORTED_BY_PEER,
    ASSOCIATION_REJECTED,
    NETWORK_CLOSED,
    NO_DATA_AVAILABLE,
    P_DATA_ARRIVED,
    READ_TIMEOUT,
    RELEASE_REQUESTED,
    Bad,
    Condition,
    dcmnet,
)
from asyncfind.findscu.pdus import Accepted, parse_ac
from asyncfind.findscu.voice import Voice
from asyncfind.net.transport import Stream, connect
from asyncfind.plan import Peer
from asyncfind.ul.machine import ACTIONS, NEXT_STATE, Action, Event, State
from asyncfind.ul.pdu import PDV

__all__ = ["Association", "Rejected", "open_stream"]

_EVENTS: Final = (
    Event.EVT6,
    Event.EVT3,
    Event.EVT4,
    Event.EVT10,
    Event.EVT12,
    Event.EVT13,
    Event.EVT16,
)
"""The event of each PDU received, by type less one."""
_ABORT_REQUESTED: Final = 14
"""findscu's number of the event that a user wants to abort, which its texts show."""
_P_DATA: Final = 4
_HANDSHAKE: Final = 30.0
"""Seconds for a TLS handshake, for which findscu would wait for ever."""
_MAX_BODY: Final = 1024 * 1024
_SMALL: Final = 128
_ADDRESS: Final = re.compile(r"([^:]+):[ \t\n\v\f\r]*([+-]?[0-9]+)")


class Rejected(Exception):
    """The peer's A-ASSOCIATE-RJ: result, source and reason as received."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        super().__init__(ASSOCIATION_REJECTED.text)
        self.result = result
        self.source = source
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Head:
    kind: int
    length: int


async def open_stream(peer: Peer, timeout: int) -> Stream:  # noqa: ASYNC109 - findscu has its own clocks
    """Connect by IPv4, the only family that findscu 3.6.7 knows.

    Args:
        timeout: seconds; 0 leaves it to the system.

    Raises:
        Bad: no connection.
    """
    address = f"{peer.host}:{peer.port}"
    match = _ADDRESS.match(address)
    if match is None:
        raise Bad(dcmnet(0x30C, f"Illegal service parameter: {address}"))
    host, port = match[1], int(match[2])
    # Resolver errors that pass are no different from those that stay: it never tries again.
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(
            host, None, family=socket.AF_INET, type=socket.SOCK_STREAM
        )
        found = Peer(host=str(infos[0][4][0]), port=port & 0xFFFF, tls=peer.tls)
        return await connect(found, float(timeout) or None, tls_timeout=_HANDSHAKE)
    except (UnknownHost, OSError, UnicodeError):
        raise Bad(dcmnet(0x320, f"Attempt to connect to unknown host: {host}")) from None
    except TlsFailed as exc:
        from asyncfind.findscu.secure import handshake_failure

        raise Bad(handshake_failure(exc)) from None
    except ConnectFailed as exc:
        cause = exc.__cause__
        if isinstance(cause, TimeoutError):
            reason = os.strerror(115) + " (Timeout)"  # EINPROGRESS, which its select left behind
        else:
            reason = os.strerror(getattr(cause, "errno", None) or 0)
        raise Bad(dcmnet(0x31C, f"TCP Initialization Error: {reason}")) from None


class Association:
    """An association that findscu requested.

    Args:
        acse_timeout: seconds for the answers to A-ASSOCIATE-RQ, A-RELEASE-RQ and A-ABORT.
        socket_timeout: seconds for each read and write of the socket; None waits for ever.
        max_pdu: the longest P-DATA-TF body taken.

    Attributes:
        accepted: what the peer answered; empty before it has.
    """

    def __init__(
        self,
        stream: Stream,
        net: Voice,
        *,
        acse_timeout: float,
        socket_timeout: float | None,
        max_pdu: int,
    ) -> None:
        self.accepted = Accepted()
        self._stream = stream
        self._net = net
        self._acse_timeout = acse_timeout
        self._socket_timeout = socket_timeout
        self._max_pdu = max_pdu
        self._state = State.STA4
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._pdvs: list[PDV] = []

    # Requests.

    async def request(self, rq: bytes) -> None:
        """Send A-ASSOCIATE-RQ and take the answer.

        An answer that is no answer, such as P-DATA, leaves the association without contexts.

        Raises:
            Bad: no association.
            Rejected: the peer refused it.
        """
        self._net.debug("Constructing Associate RQ PDU")
        await self._send(rq, "sendAssociationRQTCP")
        self._state = State.STA5
        await self._wait_for_pdu(self._acse_timeout)

    async def release(self) -> None:
        """Release the association; raises Bad when that does not go as it should."""
        await self._send(bytes.fromhex("05000000000400000000"), "sendReleaseRQTCP")
        self._state = State.STA7
        await self._wait_for_pdu(self._acse_timeout)

    async def abort(self) -> None:
        """Abort the association, then wait for the peer to close; raises Bad where it cannot."""
        action = ACTIONS.get((self._state, Event.EVT15))
        if action is None:
            number = self._state.value.removeprefix("Sta")
            text = (
                "DUL Finite State Machine Error: No action defined, "
                f"state {number} event {_ABORT_REQUESTED}"
            )
            raise Bad(dcmnet(0x303, text))
        await self._send_abort(0, 0)
        self._state = State.STA13
        with anyio.move_on_after(self._acse_timeout):
            while await self._stream.receive():
                pass

    async def close(self) -> None:
        """Close the TCP connection."""
        self._state = State.STA1
        await self._stream.close()

    # Data.

    async def send_pdvs(self, pdvs: list[bytes]) -> None:
        """Send P-DATA-TFs, all in one write: nothing waits for Nagle's algorithm."""
        await self._send(b"".join(pdvs), "writeDataPDU")

    async def next_pdv(self, timeout: int) -> PDV:  # noqa: ASYNC109 - findscu has its own clocks
        """Return the next fragment that the peer sends.

        Args:
            timeout: seconds for it to come (`-td`); 0 for none.

        Raises:
            Bad: none came.
        """
        if not self._pdvs:
            if timeout and self._head is None and not await self._has_data(timeout):
                raise Bad(NO_DATA_AVAILABLE)
            try:
                await self._wait_for_pdu(timeout or None, is_release=False)
            except Bad as bad:
                if bad.condition in (RELEASE_REQUESTED, ABORTED_BY_PEER):
                    raise
                raise Bad(dcmnet(0x20C, "DIMSE Read PDV failed", bad.condition)) from None
            if not self._pdvs:  # an unexpected PDU was answered by A-ABORT
                cause = Condition(0, 0, "Normal")
                raise Bad(dcmnet(0x20C, "DIMSE Read PDV failed", cause))
        return self._pdvs.pop(0)

    # The state machine.

    async def _wait_for_pdu(self, timeout: float | None, *, is_release: bool = True) -> None:  # noqa: ASYNC109 - findscu has its own clocks
        """Read one PDU header and do what the state table says."""
        try:
            head = await self._read_head(timeout)
        except Bad as bad:
            if bad.condition == NETWORK_CLOSED:
                await self.close()
                raise Bad(ABORTED_BY_PEER) from None
            if bad.condition == READ_TIMEOUT and is_release:
                await self.close()
            raise
        action = ACTIONS.get((self._state, _EVENTS[head.kind - 1]), Action.AA_8)
        match action:
            case Action.AE_3:
                await self._associate(head)
            case Action.AE_4:
                body = await self._read_small(head)
                await self.close()
                raise Rejected(body[1], body[2], body[3])
            case Action.DT_2:
                await self._take_data(head)
            case Action.AR_2 | Action.AR_8:
                await self._read_small(head)
                is_crossing = action is Action.AR_8
                self._state = State.STA9 if is_crossing else NEXT_STATE[action]
                raise Bad(RELEASE_REQUESTED)
            case Action.AR_3:
                await self._read_small(head)
                await self.close()
            case Action.AR_6:
                raise Bad(P_DATA_ARRIVED)
            case Action.AA_3:
                await self._read_small(head)
                await self.close()
                raise Bad(ABORTED_BY_PEER)
            case _:
                await self._send_abort(2, 2)
                self._state = State.STA13

    async def _associate(self, head: _Head) -> None:
        body = await self._read_body(head, _MAX_BODY)
        pdu = struct.pack(">BxI", head.kind, head.length) + body
        self._net.debug(_hex_dump("Associate Accept", pdu))
        if len(body) >= 68 and body[1] & 1:
            self._net.debug("Parsing an A-ASSOCIATE PDU")
        self.accepted = accepted = parse_ac(body)
        for warning in accepted.warnings:
            self._net.warn(warning)
        self._state = State.STA6

    async def _take_data(self, head: _Head) -> None:
        body = await self._read_body(head, self._max_pdu)
        pos, end = 0, len(body)
        pdvs = []
        while end - pos >= 4:
            (length,) = struct.unpack_from(">I", body, pos)
            if length < 2:
                text = (
                    f"PDV with invalid length {length} encountered. "
                    "This probably indicates a malformed P DATA PDU."
                )
                raise Bad(dcmnet(0x308, text))
            if pos + 4 + length <= end:
                control = body[pos + 5]
                pdvs.append(
                    PDV(
                        body[pos + 4],
                        bool(control & 1),
                        bool(control & 2),
                        body[pos + 6 : pos + 4 + length],
                    )
                )
            else:
                pdvs.append(PDV(0, False, False, b""))
            pos += 4 + length
        if pos != end:
            text = (
                f"PDV lengths don't add up correctly: {len(pdvs)} PDVs. "
                "This probably indicates a malformed P-DATA PDU. PDU type is 04."
            )
            raise Bad(dcmnet(0x307, text))
        if not pdvs:
            text = (
                "PDU without any PDVs encountered. In DT_2_IndicatePData.  "
                "This probably indicates a  malformed P DATA PDU."
            )
            raise Bad(dcmnet(0x307, text))
        self._pdvs = pdvs

    # Bytes.

    async def _read_head(self, timeout: float | None) -> _Head:  # noqa: ASYNC109 - findscu has its own clocks
        """The header of the next PDU; it stays the next one until its body was read."""
        if self._head is None:
            data = await self._read(6, timeout)
            kind, length = struct.unpack(">BxI", data)
            if not 1 <= kind <= len(_EVENTS):
                raise Bad(dcmnet(0x321, f"Unrecognized PDU type: {kind:2x}"))
            self._head = _Head(kind, length)
        head = self._head
        if head.kind == _P_DATA and head.length > self._max_pdu:
            text = f"DUL Illegal PDU Length {head.length}.  Max expected {self._max_pdu}"
            raise Bad(dcmnet(0x308, text))
        return head

    async def _read_small(self, head: _Head) -> bytes:
        return (await self._read_body(head, _SMALL)).ljust(4, b"\0")

    async def _read_body(self, head: _Head, limit: int) -> bytes:
        if head.length > limit:
            raise Bad(dcmnet(0x308, "DUL Illegal PDU Length"))
        body = await self._read(head.length, None)
        self._head = None
        return body

    async def _read(self, count: int, timeout: float | None) -> bytes:  # noqa: ASYNC109 - findscu has its own clocks
        """Read `count` bytes: `timeout` for all, the socket's for each piece."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while len(self._buffer) < count:
            left = None if deadline is None else deadline - time.monotonic()
            piece = await self._receive(left)
            if piece is None:
                raise Bad(READ_TIMEOUT)
            if not piece:
                raise Bad(NETWORK_CLOSED)
            self._buffer += piece
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _receive(self, left: float | None) -> bytes | None:
        """A piece; None when `left` seconds have passed, b"" when the socket's have."""
        socket_timeout = self._socket_timeout
        wait = left
        if left is None:
            wait = socket_timeout
        if wait is None:
            return await self._stream.receive()
        with anyio.move_on_after(max(wait, 0)):
            return await self._stream.receive()
        if self._stream.has_data:
            return await self._stream.receive()
        return None if left is not None else b""

    async def _has_data(self, timeout: float) -> bool:  # noqa: ASYNC109 - findscu has its own clocks
        if self._buffer:
            return True
        with anyio.move_on_after(timeout):
            self._buffer += await self._stream.receive()
            return True
        return self._stream.has_data

    async def _send(self, data: bytes, routine: str) -> None:
        timeout = self._socket_timeout
        with anyio.move_on_after(float("inf") if timeout is None else timeout) as scope:
            await self._stream.send(data)
        if scope.cancelled_caught:
            reason = os.strerror(11)  # EAGAIN, as a socket with a time limit has it
            text = f"TCP I/O Error ({reason}) occurred in routine: {routine}"
            raise Bad(dcmnet(0x31D, text))

    async def _send_abort(self, source: int, reason: int) -> None:
        await self._send(struct.pack(">BxIxxBB", 7, 4, source, reason), "sendAbortTCP")


def _hex_dump(name: str, pdu: bytes) -> str:
    lines = [f"PDU Type: {name}, PDU Length: {len(pdu) - 6} + 6 bytes PDU header\n"]
    for start in range(0, len(pdu), 16):
        row = pdu[start : start + 16]
        lines.append("".join(f"  {byte:02x}" for byte in row))
        if len(row) == 16:
            lines.append("\n")
    return "".join(lines)
