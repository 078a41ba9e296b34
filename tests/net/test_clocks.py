"""The clocks of a query: first response, between responses, message, whole query, C-CANCEL."""

import math
from dataclasses import replace

import anyio
import pytest
from interleaver import SUCCESS, Acceptor, final, numbered, pending

from asyncfind.errors import PeerTimeout
from asyncfind.net.association import associate
from asyncfind.net.transport import Stream, serve
from asyncfind.plan import Peer, Plan, Timeouts, make_query
from asyncfind.records import FindDone, Match, Record, Verdict
from asyncfind.run.scheduler import stream
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import Delay, Moment, Script, Step, always, ignores_cancel
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace

pytestmark = pytest.mark.anyio

_QUERY = make_query("study", ["PatientName"])
_LONG = Timeouts(response=20, message=20, cancel=20, release=20)


async def _ask(server: Server, timeouts: Timeouts) -> tuple[int, PeerTimeout | None]:
    """Matches of one query, and the clock that ended it."""
    late: PeerTimeout | None = None
    number = 0
    async with anyio.create_task_group() as tasks:
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        with anyio.fail_after(20):
            async with associate(peer, timeouts=timeouts) as association:
                try:
                    async with association.find(_QUERY) as responses:
                        async for _ in responses:
                            number += 1
                except PeerTimeout as exc:
                    late = exc
        tasks.cancel_scope.cancel()
    return number, late


def _slow(moment: Moment, seconds: float, after: int = 0) -> Server:
    script = Script((Step(moment, Delay(seconds), after=after),))
    return Server(Answers(5), scripts=always(script))


async def test_the_first_response_has_a_clock_of_its_own() -> None:
    patient = replace(_LONG, response=0.15, first_response=20)
    assert await _ask(_slow(Moment.QUERY, 0.4), patient) == (5, None)
    number, late = await _ask(_slow(Moment.RESPONSE, 20, after=2), patient)
    assert late is not None
    assert (number, late.phase, late.seconds) == (2, "response", 0.15)
    assert late.text == "no sign of a further response within 0.15 s (2 matches so far)"
    assert "-td" in late.hint


async def test_it_may_be_the_shorter_one() -> None:
    strict = replace(_LONG, first_response=0.15)
    assert await _ask(_slow(Moment.RESPONSE, 0.4, after=2), strict) == (5, None)
    number, late = await _ask(_slow(Moment.QUERY, 20), strict)
    assert late is not None
    assert (number, late.phase, late.seconds) == (0, "first-response", 0.15)
    assert late.text == "no sign of a response within 0.15 s (0 matches so far)"
    assert "--first-response" in late.hint


def test_unset_it_is_as_the_others() -> None:
    assert Timeouts(response=7).first == 7
    assert Timeouts(response=None).first is None
    assert Timeouts(response=7, first_response=8).first == 8
    assert Timeouts(response=7, first_response=math.inf).first is None


async def test_for_ever_is_possible() -> None:
    patient = replace(_LONG, response=0.1, first_response=math.inf)
    assert await _ask(_slow(Moment.QUERY, 0.3), patient) == (5, None)


async def test_a_query_that_never_stops_answering_ends_by_its_deadline() -> None:
    server = Server(Answers(10**9), pace=Pace(response=0.02))
    number, late = await _ask(server, replace(_LONG, query=0.5))
    assert late is not None
    assert (late.phase, late.seconds) == ("query", 0.5)
    assert number > 2
    assert late.text == f"the query did not end within 0.5 s ({number} matches so far)"
    assert "--deadline" in late.hint
    assert server.counters.cancels == 1  # and it was asked to stop, and did
    assert server.counters.releases == 1


async def test_a_query_that_does_not_begin_to_answer_ends_by_its_deadline() -> None:
    number, late = await _ask(_slow(Moment.QUERY, 5), replace(_LONG, query=0.2, cancel=0.2))
    assert late is not None
    assert (number, late.phase) == (0, "query")


async def test_a_query_that_takes_no_heed_of_cancel_is_aborted_after_its_grace() -> None:
    server = Server(Answers(10**9), scripts=always(ignores_cancel()))
    started = anyio.current_time()
    _, late = await _ask(server, replace(_LONG, query=0.3, cancel=0.3))
    assert late is not None
    assert late.phase == "query"
    assert server.counters.releases == 0
    assert anyio.current_time() - started < 5


async def test_our_own_slowness_stops_the_clocks_of_the_peer_and_not_that_of_the_query() -> None:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(Server(Answers(5), pace=Pace(response=0.02)).serve)
        peer = Peer(host="127.0.0.1", port=port)
        timeouts = replace(_LONG, response=0.2)
        numbers = []
        with anyio.fail_after(20):
            async with associate(peer, timeouts=timeouts) as association:
                async for match in association.find(_QUERY):
                    numbers.append(match.number)
                    await anyio.sleep(0.3)  # longer than the peer may take
                assert numbers == [1, 2, 3, 4, 5]
                late = anyio.current_time() + 60
                responses = association.find(_QUERY, by=-late)  # it was over long ago
                with pytest.raises(PeerTimeout) as caught:
                    await responses.batch()
        tasks.cancel_scope.cancel()
    assert caught.value.phase == "query"


async def test_the_deadline_is_the_whole_query_s_verdict_and_only_its_own() -> None:
    async with anyio.create_task_group() as tasks:
        # The first query of the association goes on for ever, the others end.
        script = Script((Step(Moment.RESPONSE, Delay(30), after=2, query=1),))
        server = Server(Answers(3), scripts=always(script))
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        plan = Plan(
            peers=(peer,),
            queries=(_QUERY,),
            repeat=3,
            associations=1,
            timeouts=replace(_LONG, query=0.4),
        )
        records: list[Record] = []
        with anyio.fail_after(20):
            async with stream(plan) as found:
                records = [record async for record in found]
        tasks.cancel_scope.cancel()
    dones = [record for record in records if isinstance(record, FindDone)]
    assert [done.verdict for done in dones] == [Verdict.TIMEOUT] + [Verdict.COMPLETE] * 2
    assert dones[0].matches == 2
    assert "within 0.4 s" in dones[0].error
    assert sum(isinstance(record, Match) for record in records) == 8
    assert dones[0].status is None


async def test_a_message_that_trickles_in_is_ended_by_its_own_clock() -> None:
    async def handle(connection: Stream) -> None:
        acceptor = Acceptor(connection)
        await acceptor.until(requests=1)
        for byte in acceptor.encode(pending(1, numbered("1", 1)))[:-1]:
            await connection.send(bytes((byte,)))
            with anyio.move_on_after(0.02):
                await acceptor.turn()
            if acceptor.is_over:
                break
        await connection.close()

    async with anyio.create_task_group() as tasks:
        peer = Peer(host="127.0.0.1", port=await tasks.start(serve, handle, "127.0.0.1", 0))
        timeouts = replace(_LONG, response=0.3, message=0.5, cancel=0.1, release=0.1)
        with anyio.fail_after(20):
            async with associate(peer, timeouts=timeouts) as association:
                with pytest.raises(PeerTimeout) as caught:
                    await association.find(_QUERY).batch()
        tasks.cancel_scope.cancel()
    # The first PDU is not even a fragment yet, or is one: either clock is a deadline.
    assert caught.value.phase in ("first-response", "message")


async def test_cancel_after_the_deadline_does_not_make_it_complete() -> None:
    """What the peer says after the deadline, success even, comes too late."""

    async def handle(connection: Stream) -> None:
        acceptor = Acceptor(connection)
        await acceptor.until(requests=1, cancels=1)
        await acceptor.send(pending(1, numbered("1", 1)) + final(1, SUCCESS))
        await acceptor.rest()

    async with anyio.create_task_group() as tasks:
        peer = Peer(host="127.0.0.1", port=await tasks.start(serve, handle, "127.0.0.1", 0))
        plan = Plan(peers=(peer,), queries=(_QUERY,), timeouts=replace(_LONG, query=0.2))
        with anyio.fail_after(20):
            async with stream(plan) as found:
                (done,) = [one async for one in found if isinstance(one, FindDone)]
        tasks.cancel_scope.cancel()
    assert (done.verdict, done.matches, done.status) == (Verdict.TIMEOUT, 0, None)
