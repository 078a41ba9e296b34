"""Peers that misbehave as recorded: each fault ends in its verdict, with the answers kept."""

import json
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream, TaskStatus

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan, Timeouts, make_query
from asyncfind.records import FindDone, Match, Record, Verdict
from asyncfind.run.scheduler import stream

_WIRE = Path(__file__).parent / "wire"
_QUICK = Timeouts(connect=5, associate=0.3, response=0.3, message=0.3, cancel=0.3, release=0.3)


async def _read_pdu(connection: SocketStream) -> bytes:
    data = b""
    while len(data) < 6 or len(data) < 6 + int.from_bytes(data[2:6], "big"):
        size = 6 if len(data) < 6 else 6 + int.from_bytes(data[2:6], "big")
        data += await connection.receive(size - len(data))
    return data


async def _play(connection: SocketStream, events: list[dict[str, str]], *, silent: bool) -> None:
    """Send each recorded PDU once what came before it has arrived, then wait for the end."""
    async with connection:
        try:
            for event in events:
                if event["dir"] == "c2s" and "close" not in event:
                    await _read_pdu(connection)
                elif event["dir"] == "s2c" and "close" in event and not silent:
                    return
                elif event["dir"] == "s2c" and "pdu" in event:
                    await connection.send(bytes.fromhex(event["pdu"]))
            while True:
                await connection.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return


async def _serve(name: str, *, task_status: TaskStatus[int]) -> None:
    events = [json.loads(line) for line in (_WIRE / f"{name}.jsonl").read_text().splitlines()]
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    task_status.started(listener.extra(SocketAttribute.local_port))
    async with listener:
        await listener.serve(lambda connection: _play(connection, events, silent="timeout" in name))


async def _ask(name: str, cancel_after: int | None = None) -> list[Record]:
    query = make_query("worklist", ["PatientID"])
    records: list[Record] = []
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(_serve, name)
        peer = Peer(host="127.0.0.1", port=port)
        plan = Plan(peers=(peer,), queries=(query,), timeouts=_QUICK, cancel_after=cancel_after)
        with anyio.fail_after(10):
            async with stream(plan) as found:
                records += [record async for record in found]
        tasks.cancel_scope.cancel()
    return records


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "verdict", "kind", "status", "matches", "words"),
    [
        ("pending-ff00-ff01", Verdict.COMPLETE, None, 0, 2, ""),
        ("pending-without-dataset", Verdict.COMPLETE, None, 0, 0, ""),
        ("final-with-dataset", Verdict.COMPLETE, None, 0, 0, ""),
        ("final-a700-verbose", Verdict.REFUSED, Kind.STATUS, 0xA700, 0, "out of resources"),
        ("final-c000-comment-default", Verdict.REFUSED, Kind.STATUS, 0xC000, 0, "comment"),
        ("final-fe00-verbose", Verdict.CUT, Kind.STATUS, 0xFE00, 0, "by itself"),
        ("peer-aborts-midway-verbose", Verdict.ABORTED, Kind.ABORTED, None, 1, "aborted"),
        ("peer-closes", Verdict.ABORTED, Kind.LOST, None, 0, "closed"),
        ("peer-requests-release", Verdict.ABORTED, Kind.ABORTED, None, 0, "asked for release"),
        ("dimse-timeout", Verdict.TIMEOUT, Kind.TIMEOUT, None, 0, "within 0.3 s"),
        ("acse-timeout", Verdict.UNREACHED, Kind.TIMEOUT, None, 0, "within 0.3 s"),
        ("reject-1-1-7", Verdict.UNREACHED, Kind.REJECTED, None, 0, "Called AE Title"),
        ("reject-2-3-2", Verdict.UNREACHED, Kind.REJECTED, None, 0, "Local Limit"),
        ("no-acceptable-context", Verdict.UNREACHED, Kind.NO_CONTEXT, None, 0, "not accept"),
    ],
)
async def test_every_fault_ends_in_its_verdict(
    name: str, verdict: Verdict, kind: Kind | None, status: int | None, matches: int, words: str
) -> None:
    records = await _ask(name)
    (done,) = (record for record in records if isinstance(record, FindDone))
    assert (done.verdict, done.kind, done.status) == (verdict, kind, status)
    assert done.matches == matches == sum(isinstance(record, Match) for record in records)
    assert words in done.error
    assert bool(done.error) == bool(kind)


@pytest.mark.anyio
async def test_cancel_after_one_answer_is_the_user_s_plan() -> None:
    records = await _ask("cancel-1", cancel_after=1)
    (done,) = (record for record in records if isinstance(record, FindDone))
    assert (done.verdict, done.kind, done.status) == (Verdict.CANCELLED, None, 0xFE00)
    assert done.matches == sum(isinstance(record, Match) for record in records) >= 1
