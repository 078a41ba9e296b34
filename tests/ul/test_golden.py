"""Transcripts of whole associations, replayed byte by byte (`tests/golden/*.wire`).

Lines are `> hex` for what the requestor sent, `< hex` for what the acceptor sent, and `# why`,
alone or behind the bytes. Any transcript dropped into the folder is replayed: our requestor has
to say exactly what it says there.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from asyncfind.ul.machine import State
from asyncfind.ul.pdu import (
    DECODERS,
    HEADER,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    ReleaseRP,
    ReleaseRQ,
)
from asyncfind.ul.upper_layer import (
    Aborted,
    AssociateConfirmed,
    AssociateRejected,
    AssociateRequested,
    DataReceived,
    Indication,
    ReleaseConfirmed,
    ReleaseRequested,
    UpperLayer,
    Violated,
)

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = sorted(path.name for path in GOLDEN.glob("*.wire"))


def read_wire(name: str) -> list[tuple[str, bytes]]:
    """The transcript as (direction, bytes) in turns."""
    lines = []
    for line in (GOLDEN / name).read_text("ascii").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            lines.append((text[0], bytes.fromhex(text[1:])))
    return [
        (direction, b"".join(data for _, data in turn))
        for direction, turn in groupby(lines, key=lambda entry: entry[0])
    ]


def split(data: bytes) -> Iterator[bytes]:
    """Whole PDUs, one by one."""
    while data:
        size = HEADER.size + int(HEADER.unpack_from(data)[1])
        yield data[:size]
        data = data[size:]


def speak(upper_layer: UpperLayer, pdu: bytes) -> None:
    """Have `upper_layer` send this PDU by the primitive that sends it."""
    match DECODERS[pdu[0] - 1](pdu[HEADER.size :]):
        case AssociateRQ() as rq:
            upper_layer.request(rq)
        case AssociateAC() as ac:
            upper_layer.accept(ac)
        case AssociateRJ() as rj:
            upper_layer.reject(rj, 0.0)
        case PDataTF() as data:
            upper_layer.send_data(data.pdvs)
        case ReleaseRQ():
            upper_layer.release()
        case ReleaseRP():
            upper_layer.respond_release(0.0)
        case Abort() as abort:
            upper_layer.abort(0.0, abort.source, abort.reason)


def replay(name: str, *, acceptor: bool = False) -> tuple[UpperLayer, list[Indication]]:
    """Replay one side; what it says on its own, AA-8 for one, counts as said."""
    upper_layer = UpperLayer(acceptor=acceptor, max_pdu_length=32768 if acceptor else 16384)
    ours = "<" if acceptor else ">"
    found: list[Indication] = []
    for direction, data in read_wire(name):
        if direction == ours:
            sent = upper_layer.data_to_send()
            for pdu in split(data[len(sent) :]):
                speak(upper_layer, pdu)
                sent += upper_layer.data_to_send()
            assert sent == data
        else:
            found += upper_layer.receive_data(data, 0.0)
    assert upper_layer.data_to_send() == b""
    return upper_layer, found


@pytest.mark.parametrize("name", NAMES)
def test_the_requestor_says_what_the_transcript_says(name: str) -> None:
    replay(name)


@pytest.mark.parametrize("name", ["abort_in_query.wire", "find_and_release.wire", "reject.wire"])
def test_the_acceptor_says_what_the_transcript_says(name: str) -> None:
    upper_layer, found = replay(name, acceptor=True)
    assert isinstance(found[0], AssociateRequested)
    assert upper_layer.state is State.STA13


def test_find_and_release() -> None:
    upper_layer, found = replay("find_and_release.wire")
    confirmed, data, released = found
    assert isinstance(confirmed, AssociateConfirmed)
    assert confirmed.ac.user_information.max_length == 32768
    assert isinstance(data, DataReceived)
    assert [(pdv.is_command, pdv.is_last) for pdv in data.pdvs] == [
        (True, True),
        (False, True),
        (True, True),
        (False, True),
        (True, True),
    ]
    assert data.pdvs[3].data.endswith(b"PAT-0002")
    assert released == ReleaseConfirmed()
    assert upper_layer.is_closed


def test_items_that_share_a_pdu() -> None:
    _, found = replay("shared_pdu.wire")
    data = found[1]
    assert isinstance(data, DataReceived)
    assert [pdv.is_command for pdv in data.pdvs] == [True, False, True]
    assert data.pdvs[1].data.endswith(b"PAT-0002")


def test_reject() -> None:
    upper_layer, found = replay("reject.wire")
    assert found == [AssociateRejected(AssociateRJ(result=1, source=1, reason=7))]
    assert upper_layer.is_closed


def test_abort_in_query_keeps_what_came_before() -> None:
    upper_layer, found = replay("abort_in_query.wire")
    confirmed, data, aborted = found
    assert isinstance(confirmed, AssociateConfirmed)
    assert isinstance(data, DataReceived)
    assert data.pdvs[1].data.endswith(b"PAT-0001")
    assert aborted == Aborted(2, 0)
    assert upper_layer.is_closed


def test_unproposed_syntax() -> None:
    upper_layer, found = replay("unproposed_syntax.wire")
    (violated,) = found
    assert isinstance(violated, Violated)
    assert "1.2.840.10008.1.2.2" in violated.error.text
    assert upper_layer.state is State.STA13


def test_release_collision_is_a_clean_release() -> None:
    upper_layer, found = replay("release_collision.wire")
    assert found[1:] == [ReleaseRequested(), ReleaseConfirmed()]
    assert upper_layer.is_closed
