"""Scripts played: what a requestor sees of each way to go wrong."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    FindFailed,
    PeerError,
    PeerTimeout,
    ProtocolViolation,
)
from asyncfind.net.association import Association, associate
from asyncfind.plan import Peer, Timeouts, make_query
from asyncfind.scp import script as steps
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import Moment, Script, Step, always
from asyncfind.scp.server import Server

pytestmark = pytest.mark.anyio

_QUERY = make_query("study", ["QueryRetrieveLevel=STUDY", "AccessionNumber"])
_SHORT = Timeouts(associate=0.2, response=0.2, message=0.2, cancel=0.2, release=0.2)
_LONG = Timeouts(associate=20, response=20, message=20, cancel=20, release=20)


@asynccontextmanager
async def _running(server: Server) -> AsyncIterator[Peer]:
    async with anyio.create_task_group() as tasks:
        yield Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        tasks.cancel_scope.cancel()


async def _take(association: Association) -> tuple[int, int | None, PeerError | None]:
    """Matches, final status and error of one query."""
    responses = association.find(_QUERY)
    number = 0
    try:
        async for _ in responses:
            number += 1
    except PeerError as exc:
        return number, responses.status, exc
    return number, responses.status, None


async def _outcome(
    script: Script, timeouts: Timeouts = _LONG
) -> tuple[int, int | None, PeerError | None]:
    """The same, of the first query of an association that follows `script`."""
    server = Server(Answers(5), scripts=always(script))
    async with _running(server) as peer:
        try:
            async with associate(peer, timeouts=timeouts) as association:
                outcome = await _take(association)
        except PeerError as exc:
            outcome = 0, None, exc
        await server.counters.until(lambda counters: counters.associations == 0)
    return outcome


@pytest.mark.parametrize("number", [0, 1, 3, 5])
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (steps.aborts_after, AssociationAborted),
        (steps.closes_after, AssociationLost),
        (steps.resets_after, AssociationLost),
    ],
)
async def test_the_end_in_the_middle_of_an_answer(
    make: Callable[[int], Script], error: type[PeerError], number: int
) -> None:
    found, status, exc = await _outcome(make(number))
    assert (found, status) == (number, None)
    assert isinstance(exc, error)


async def test_an_abort_has_its_source_and_reason() -> None:
    _, _, exc = await _outcome(steps.aborts_after(1, source=2, reason=5))
    assert isinstance(exc, AssociationAborted)
    assert "invalid" in exc.text.lower() or "parameter" in exc.text.lower()


async def test_a_silent_row_limit() -> None:
    assert await _outcome(steps.cuts_at(2)) == (2, 0x0000, None)
    assert await _outcome(steps.cuts_at(0)) == (0, 0x0000, None)


async def test_a_cut_that_is_told() -> None:
    found, status, exc = await _outcome(steps.cuts_at(4, 0xFE00))
    assert (found, status) == (4, 0xFE00)
    assert isinstance(exc, FindFailed)


async def test_a_refusal_with_its_detail() -> None:
    found, status, exc = await _outcome(steps.refuses(0xA700, b"too many", (0x00100010,)))
    assert (found, status) == (0, 0xA700)
    assert isinstance(exc, FindFailed)
    assert "too many" in exc.text
    assert "PatientName" in exc.text


async def test_a_failure_behind_all_matches() -> None:
    script = Script((Step(Moment.FINAL, steps.Finish(0xC001)),))
    found, status, exc = await _outcome(script)
    assert (found, status) == (5, 0xC001)
    assert isinstance(exc, FindFailed)


async def test_a_rejection() -> None:
    _, _, exc = await _outcome(steps.rejects())
    assert isinstance(exc, AssociationRejected)
    assert (exc.result, exc.source, exc.reason) == (2, 3, 2)
    _, _, exc = await _outcome(steps.rejects(1, 1, 3))
    assert isinstance(exc, AssociationRejected)
    assert (exc.result, exc.source, exc.reason) == (1, 1, 3)


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        (Moment.CONNECTED, "associate"),
        (Moment.REQUESTED, "associate"),
        (Moment.QUERY, "first-response"),
        (Moment.FINAL, "response"),
    ],
)
async def test_silence(moment: Moment, phase: str) -> None:
    found, status, exc = await _outcome(steps.never_answers(moment), _SHORT)
    assert (found, status) == (5 if moment is Moment.FINAL else 0, None)
    assert isinstance(exc, PeerTimeout)
    assert exc.phase == phase


async def test_silence_in_the_middle_of_an_answer() -> None:
    found, status, exc = await _outcome(steps.stalls_after(3), _SHORT)
    assert (found, status) == (3, None)
    assert isinstance(exc, PeerTimeout)


async def test_a_deaf_peer_lasts_as_long_as_the_server() -> None:
    script = Script((Step(Moment.QUERY, steps.Stall(deaf=True)),))
    server = Server(Answers(5), scripts=always(script))
    async with _running(server) as peer:
        async with associate(peer, timeouts=_SHORT) as association:
            _, _, exc = await _take(association)
        assert isinstance(exc, PeerTimeout)
        assert server.counters.associations == 1
    assert server.counters.associations == 0


@pytest.mark.parametrize("number", [0, 2])
async def test_bytes_of_the_tests_choice(number: int) -> None:
    # 08 is the type of no PDU.
    found, _, exc = await _outcome(steps.garbles_after(number, bytes.fromhex("0800 00000000")))
    assert found == number
    assert isinstance(exc, ProtocolViolation)


async def test_a_peer_that_asks_for_release_in_the_middle() -> None:
    script = Script((Step(Moment.RESPONSE, steps.Release(), after=2),))
    found, status, exc = await _outcome(script)
    assert (found, status) == (2, None)
    assert isinstance(exc, AssociationAborted)


async def test_c_cancel_ignored() -> None:
    server = Server(Answers(20_000), scripts=always(steps.ignores_cancel()))
    async with _running(server) as peer, associate(peer) as association:
        responses = association.find(_QUERY, cancel_after=1)
        assert len([match async for match in responses]) == 20_000
        assert responses.status == 0x0000
        await server.counters.until(lambda counters: counters.cancels == 1)


async def test_a_release_that_is_not_answered() -> None:
    script = Script((Step(Moment.RELEASE, steps.Ignore()),))
    server = Server(Answers(5), scripts=always(script))
    async with _running(server) as peer:
        async with associate(peer, timeouts=_SHORT) as association:
            assert await _take(association) == (5, 0, None)
            assert "no answer to A-RELEASE" in await association.release()
        await server.counters.until(lambda counters: counters.associations == 0)


@pytest.mark.parametrize(
    "action", [steps.Abort(), steps.Close(), steps.Reset(), steps.Stall(), steps.Ignore()]
)
async def test_an_echo_that_is_not_answered(action: steps.Action) -> None:
    server = Server(Answers(0), scripts=always(Script((Step(Moment.ECHO, action),))))
    async with _running(server) as peer:
        async with associate(peer, verification=True, timeouts=_SHORT) as association:
            with pytest.raises(PeerError):
                await association.echo()
        await server.counters.until(lambda counters: counters.associations == 0)


async def test_one_find_per_association() -> None:
    script = Script((Step(Moment.ANSWERED, steps.Close()),))
    server = Server(Answers(5), scripts=always(script))
    async with _running(server) as peer, associate(peer) as association:
        assert await _take(association) == (5, 0, None)
        _, status, exc = await _take(association)
        assert status is None
        assert isinstance(exc, AssociationLost)


async def test_each_association_may_have_its_script() -> None:
    server = Server(
        Answers(5), scripts=lambda number: steps.rejects() if number % 2 else steps.GOOD
    )
    async with _running(server) as peer:
        for number in range(1, 5):
            if number % 2:
                with pytest.raises(AssociationRejected):
                    async with associate(peer):
                        pass
            else:
                async with associate(peer) as association:
                    assert await _take(association) == (5, 0, None)
    assert server.counters.connections == 4
    assert (server.counters.accepted, server.counters.rejected) == (2, 2)


async def test_only_the_second_query_goes_wrong() -> None:
    script = Script((Step(Moment.RESPONSE, steps.Finish(0xA700), after=1, query=2),))
    server = Server(Answers(5), scripts=always(script))
    async with _running(server) as peer, associate(peer) as association:
        assert await _take(association) == (5, 0, None)
        assert (await _take(association))[:2] == (1, 0xA700)
        assert await _take(association) == (5, 0, None)


@pytest.mark.parametrize("moment", [Moment.CONNECTED, Moment.REQUESTED, Moment.QUERY])
async def test_delays_change_nothing_else(moment: Moment) -> None:
    script = Script((Step(moment, steps.Delay(0.001)),))
    assert await _outcome(script) == (5, 0, None)


async def test_a_few_bytes_at_a_time() -> None:
    assert await _outcome(steps.trickles(7)) == (5, 0, None)


async def test_bytes_before_the_answer_to_an_echo() -> None:
    # An empty P-DATA-TF is no reason to stop.
    script = Script((Step(Moment.ECHO, steps.Send(bytes.fromhex("0400 00000000"))),))
    server = Server(Answers(0), scripts=always(script))
    async with _running(server) as peer, associate(peer, verification=True) as association:
        assert await association.echo() == 0
