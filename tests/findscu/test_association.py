"""Which clock runs when, and what its end is called."""

import struct
import time
from collections.abc import Sequence
from typing import Any, Protocol

import anyio
import pytest

from asyncfind.findscu.association import Association, Rejected
from asyncfind.findscu.conditions import Bad

pytestmark = pytest.mark.anyio

_SHORT = 0.05
_ABORT = bytes.fromhex("07 00 00000004 00000000")
_RELEASE_RP = bytes.fromhex("06 00 00000004 00000000")
_RELEASE_RQ = bytes.fromhex("05 00 00000004 00000000")


class Log(Protocol):
    voice: Any
    lines: list[str]


class _Stream:
    """What a peer sends, piece by piece; then nothing, or the end."""

    tls = None

    def __init__(self, pieces: Sequence[bytes], *, ends: bool = False) -> None:
        self._pieces = list(pieces)
        self._ends = ends
        self.sent = bytearray()
        self.is_closed = False

    async def receive(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._ends:
            return b""
        await anyio.sleep_forever()
        raise AssertionError

    @property
    def has_data(self) -> bool:
        return False

    async def send(self, data: bytes) -> None:
        self.sent += data

    async def close(self) -> None:
        self.is_closed = True


def _association(
    stream: _Stream, log: Log, *, acse: float = _SHORT, socket: float | None = None
) -> Association:
    return Association(
        stream,  # type: ignore[arg-type]
        log.voice,
        acse_timeout=acse,
        socket_timeout=socket,
        max_pdu=16384,
    )


def _ac() -> bytes:
    syntax = struct.pack(">BxH", 0x40, 3) + b"1.2"
    context = struct.pack(">BxH", 0x21, 4 + len(syntax)) + b"\1\0\0\0" + syntax
    body = struct.pack(">HH", 1, 0) + bytes(64) + context
    return struct.pack(">BxI", 2, len(body)) + body


def _pdv(data: bytes, control: int = 2) -> bytes:
    item = struct.pack(">IBB", len(data) + 2, 1, control) + data
    return struct.pack(">BxI", 4, len(item)) + item


async def _established(stream: _Stream, log: Log, **clocks: float | None) -> Association:
    association = _association(stream, log, **clocks)  # type: ignore[arg-type]
    await association.request(b"RQ")
    return association


async def _fails(log: Log, *pieces: bytes, ends: bool = False) -> str:
    with pytest.raises(Bad) as caught:
        await _established(_Stream(pieces, ends=ends), log)
    return caught.value.condition.dump()


async def test_an_answer_in_pieces(log: Log) -> None:
    stream = _Stream([bytes([byte]) for byte in _ac()])
    association = await _established(stream, log)
    assert [one.context_id for one in association.accepted.contexts] == [1]
    assert bytes(stream.sent) == b"RQ"
    assert log.lines[1].startswith("D: PDU Type: Associate Accept, PDU Length: 83 + 6 bytes")


async def test_no_answer_in_time(log: Log) -> None:
    assert await _fails(log) == "0006:031a DUL network read timeout"


@pytest.mark.parametrize(
    ("pieces", "ends", "expected"),
    [
        ([], True, "0006:0317 Peer aborted Association (or never connected)"),
        ([_ABORT], False, "0006:0317 Peer aborted Association (or never connected)"),
        ([b"HTTP/1.1 400"], False, "0006:0321 Unrecognized PDU type: 48"),
    ],
)
async def test_other_answers(log: Log, pieces: list[bytes], ends: bool, expected: str) -> None:
    assert await _fails(log, *pieces, ends=ends) == expected


async def test_a_rejection(log: Log) -> None:
    stream = _Stream([bytes.fromhex("03 00 00000004 00 02 03 01")])
    with pytest.raises(Rejected) as caught:
        await _established(stream, log)
    assert (caught.value.result, caught.value.source, caught.value.reason) == (2, 3, 1)
    assert stream.is_closed


async def test_the_dimse_clock_ends_a_wait_for_a_fragment(log: Log) -> None:
    association = await _established(_Stream([_ac()]), log, socket=60)
    start = time.monotonic()
    with pytest.raises(Bad) as caught:
        await association.next_pdv(1)
    assert 0.9 < time.monotonic() - start < 5
    assert caught.value.condition.dump() == (
        "0006:0207 DIMSE No data available (timeout in non-blocking mode)"
    )


async def test_the_socket_clock_ends_it_where_there_is_no_other(log: Log) -> None:
    association = await _established(_Stream([_ac()]), log, socket=_SHORT)
    with pytest.raises(Bad) as caught:
        await association.next_pdv(0)
    assert caught.value.condition.dump() == (
        "0006:0317 Peer aborted Association (or never connected)"
    )


async def test_a_pdu_that_does_not_go_on(log: Log) -> None:
    association = await _established(_Stream([_ac(), _pdv(b"1234")[:9]]), log, socket=_SHORT)
    with pytest.raises(Bad) as caught:
        await association.next_pdv(0)
    assert caught.value.condition.dump() == (
        "0006:020c DIMSE Read PDV failed\n0006:0310 DUL network closed"
    )


async def test_fragments(log: Log) -> None:
    association = await _established(_Stream([_ac() + _pdv(b"12", 3) + _pdv(b"34")]), log)
    first, second = await association.next_pdv(0), await association.next_pdv(0)
    assert (first.is_command, first.is_last, first.data) == (True, True, b"12")
    assert (second.is_command, second.is_last, second.data) == (False, True, b"34")


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (
            struct.pack(">BxI", 4, 20_000),
            "0006:0308 DUL Illegal PDU Length 20000.  Max expected 16384",
        ),
        (
            struct.pack(">BxI", 4, 0),
            (
                "0006:0307 PDU without any PDVs encountered. In DT_2_IndicatePData.  "
                "This probably indicates a  malformed P DATA PDU."
            ),
        ),
        (
            struct.pack(">BxIIB", 4, 5, 1, 1),
            (
                "0006:0308 PDV with invalid length 1 encountered. "
                "This probably indicates a malformed P DATA PDU."
            ),
        ),
    ],
)
async def test_what_is_no_fragment(log: Log, pdu: bytes, expected: str) -> None:
    association = await _established(_Stream([_ac(), pdu]), log)
    with pytest.raises(Bad) as caught:
        await association.next_pdv(0)
    assert caught.value.condition.dump() == f"0006:020c DIMSE Read PDV failed\n{expected}"


async def test_a_release(log: Log) -> None:
    stream = _Stream([_ac(), _RELEASE_RP])
    association = await _established(stream, log)
    await association.release()
    assert stream.sent.endswith(_RELEASE_RQ)
    assert stream.is_closed


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], "0006:031a DUL network read timeout"),
        ([_ABORT], "0006:0317 Peer aborted Association (or never connected)"),
        ([_RELEASE_RQ], "0006:0319 DUL Peer Requested Release"),
        ([_pdv(b"12")], "0006:0316 DUL P-Data PDU arrived"),
    ],
)
async def test_a_release_that_goes_wrong(log: Log, answer: list[bytes], expected: str) -> None:
    association = await _established(_Stream([_ac(), *answer]), log)
    with pytest.raises(Bad) as caught:
        await association.release()
    assert caught.value.condition.dump() == expected


async def test_an_abort_waits_for_the_peer_to_close_and_no_longer(log: Log) -> None:
    stream = _Stream([_ac()])
    association = await _established(stream, log)
    with anyio.fail_after(5):
        await association.abort()
    assert stream.sent.endswith(_ABORT)


async def test_an_abort_after_our_answer_to_an_unexpected_pdu(log: Log) -> None:
    stream = _Stream([_ac(), _ac()])
    association = await _established(stream, log)
    with pytest.raises(Bad, match="DIMSE Read PDV failed"):
        await association.next_pdv(0)
    assert stream.sent.endswith(bytes.fromhex("07 00 00000004 0000 02 02"))
    with pytest.raises(Bad, match="No action defined, state 13 event 14"):
        await association.abort()
