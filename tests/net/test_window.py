"""Several queries open on one association, told apart by message id (PS3.7 Annex D.3.3.3)."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interleaver import CANCELLED, Acceptor, final, numbered, pending

from asyncfind.errors import (
    AssociationAborted,
    AssociationLost,
    LimitExceeded,
    MalformedMessage,
    PeerError,
    PeerTimeout,
)
from asyncfind.net.association import Association, associate
from asyncfind.net.transport import Stream, serve
from asyncfind.plan import Limits, Peer, Timeouts, make_query
from asyncfind.scp.answers import Answers
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.server import Server

_QUERY = make_query("study", ["PatientID"])
_LONG = Timeouts(response=20, message=20, cancel=20, release=20)

Handler = Callable[[Acceptor], Awaitable[None]]


@asynccontextmanager
async def _open(
    handler: Handler,
    *,
    window: int,
    asked: int | None = None,
    timeouts: Timeouts = _LONG,
    limits: Limits | None = None,
) -> AsyncIterator[Association]:
    """An association with an acceptor that does as `handler` says."""

    async def handle(stream: Stream) -> None:
        acceptor = Acceptor(stream, window)
        await handler(acceptor)
        await acceptor.rest()

    async with anyio.create_task_group() as tasks:
        peer = Peer(host="127.0.0.1", port=await tasks.start(serve, handle, "127.0.0.1", 0))
        with anyio.fail_after(30):
            async with associate(
                peer, timeouts=timeouts, limits=limits, async_window=asked or window
            ) as association:
                yield association
        tasks.cancel_scope.cancel()


class _Asked:
    """One query and what came of it."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self.error: PeerError | None = None
        self.is_done = False

    async def ask(self, association: Association, cancel_after: int | None = None) -> None:
        try:
            async with association.find(_QUERY, cancel_after=cancel_after) as responses:
                async for match in responses:
                    assert match.number == len(self.values) + 1
                    self.values.append(match.texts()["PatientID"])
        except PeerError as exc:
            self.error = exc
        self.is_done = True


async def _ask(association: Association, count: int) -> list[_Asked]:
    asked = [_Asked() for _ in range(count)]
    async with anyio.create_task_group() as tasks:
        for one in asked:
            tasks.start_soon(one.ask, association)
    return asked


def _values(query: str, count: int) -> list[str]:
    return [f"{query}-{number}" for number in range(1, count + 1)]


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(0, 6), min_size=2, max_size=5),
    order=st.randoms(use_true_random=False),
    cuts=st.lists(st.integers(1, 400), max_size=12),
)
def test_each_query_gets_its_own_answers_in_order_however_they_interleave(
    counts: list[int], order: random.Random, cuts: list[int]
) -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=len(counts))
        turns = [at for at, count in enumerate(counts) for _ in range(count + 1)]
        order.shuffle(turns)
        sent = [0] * len(counts)
        data = b""
        for at in turns:
            message_id = acceptor.requests[at][0]
            if sent[at] == counts[at]:
                data += acceptor.encode(final(message_id))
            else:
                sent[at] += 1
                data += acceptor.encode(pending(message_id, numbered(str(message_id), sent[at])))
        for cut in cuts:
            piece, data = data[:cut], data[cut:]
            await acceptor.stream.send(piece)
            await anyio.lowlevel.checkpoint()
        await acceptor.stream.send(data)

    async def main() -> None:
        async with _open(handler, window=len(counts)) as association:
            asked = await _ask(association, len(counts))
            assert association.is_usable
        assert all(one.error is None for one in asked)
        got = [one.values for one in asked]
        # Tasks begin in their order, and ids count from 1.
        assert got == [_values(str(at), count) for at, count in enumerate(counts, 1)]

    anyio.run(main)


@pytest.mark.anyio
async def test_no_more_are_open_than_the_peer_agreed_to() -> None:
    async def handler(acceptor: Acceptor) -> None:
        answered = 0
        while answered < 7:
            await acceptor.until(requests=min(answered + 3, 7))
            await anyio.wait_all_tasks_blocked()
            assert len(acceptor.requests) == min(answered + 3, 7)
            await acceptor.send(final(acceptor.requests[answered][0]))
            answered += 1

    async with _open(handler, window=3, asked=8) as association:
        assert association.agreement.window_asked == 8
        assert association.agreement.window == 3
        asked = await _ask(association, 7)
    assert [one.error for one in asked] == [None] * 7


@pytest.mark.anyio
@pytest.mark.parametrize(("answer", "window"), [(0, 5), (9, 5), (1, 1)])
async def test_the_window_is_never_more_than_we_asked_for(answer: int, window: int) -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=1)
        await acceptor.send(final(1))

    async with _open(handler, window=answer, asked=5) as association:
        assert association.agreement.window == window
        assert [match async for match in association.find(_QUERY)] == []


@pytest.mark.anyio
async def test_one_query_that_is_cancelled_leaves_the_others_alone() -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2)
        for number in range(1, 4):
            for message_id in (1, 2):
                await acceptor.send(pending(message_id, numbered(str(message_id), number)))
        await acceptor.until(cancels=1)
        await acceptor.send(pending(2, numbered("2", 4)))
        await acceptor.send(final(acceptor.cancelled[0], CANCELLED))
        await acceptor.send(pending(2, numbered("2", 5)) + final(2))

    first, second = _Asked(), _Asked()
    async with (
        _open(handler, window=2) as association,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(first.ask, association, 2)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(second.ask, association)
    assert (first.values[:2], first.error) == (_values("1", 2), None)
    assert (second.values, second.error) == (_values("2", 5), None)


@pytest.mark.anyio
async def test_leaving_one_early_drains_it_while_the_other_goes_on() -> None:
    left = anyio.Event()

    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2)
        await acceptor.send(pending(1, numbered("1", 1)) + pending(2, numbered("2", 1)))
        await acceptor.until(cancels=1)
        assert acceptor.cancelled == [1]
        await acceptor.send(pending(2, numbered("2", 2)) + pending(1, numbered("1", 2)))
        await acceptor.send(final(1, CANCELLED))
        await left.wait()
        await acceptor.send(final(2))

    async def leave(association: Association) -> None:
        async with association.find(_QUERY) as responses:
            async for match in responses:
                assert match.texts() == {"PatientID": "1-1"}
                break
        left.set()

    second = _Asked()
    async with (
        _open(handler, window=2) as association,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(leave, association)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(second.ask, association)
    assert (second.values, second.error) == (_values("2", 2), None)


@pytest.mark.anyio
async def test_the_end_of_the_association_ends_every_query() -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=3)
        await acceptor.send(pending(2, numbered("2", 1)) + pending(3, numbered("3", 1)) + final(3))
        await acceptor.stream.send(bytes.fromhex("07 00 00000004 00 00 00 00"))  # A-ABORT

    async with _open(handler, window=3) as association:
        asked = await _ask(association, 3)
    assert [one.values for one in asked] == [[], ["2-1"], ["3-1"]]
    assert isinstance(asked[0].error, AssociationAborted)
    assert isinstance(asked[1].error, AssociationAborted)
    assert asked[2].error is None


@pytest.mark.anyio
async def test_a_lost_connection_ends_every_query() -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2)
        await acceptor.stream.close()

    async with _open(handler, window=2) as association:
        asked = await _ask(association, 2)
    assert all(isinstance(one.error, AssociationLost) for one in asked)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "stray", [final(9), pending(9, b""), final(2) + final(2), final(1, context_id=3)]
)
async def test_an_answer_to_nothing_that_is_open_is_a_breach(
    stray: list[tuple[int, bool, bool, bytes]],
) -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=3)
        await acceptor.send(stray)  # type: ignore[arg-type]  # a PDV is such a tuple

    async with _open(handler, window=3) as association:
        asked = await _ask(association, 3)
    broken = [one for one in asked if isinstance(one.error, MalformedMessage)]
    # A query that had its final response is complete, whatever came behind.
    assert len(broken) == len([one for one in asked if one.error is not None])
    assert len(broken) >= 2


@pytest.mark.anyio
async def test_a_peer_that_is_silent_to_one_query_does_not_end_the_others() -> None:
    """The first query's clock runs out; the peer obeys its C-CANCEL, and the second goes on."""

    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2)
        number = 0
        while not acceptor.cancelled:
            number += 1
            await acceptor.send(pending(2, numbered("2", number)))
            with anyio.move_on_after(0.05):
                await acceptor.turn()
        assert acceptor.cancelled == [1]
        await acceptor.send(final(1, CANCELLED) + final(2))

    timeouts = Timeouts(response=0.4, message=5, cancel=5, release=5)
    async with _open(handler, window=2, timeouts=timeouts) as association:
        first, second = await _ask(association, 2)
        assert association.trouble is None
    assert isinstance(first.error, PeerTimeout)
    assert (first.error.phase, first.values) == ("first-response", [])
    assert second.error is None
    assert second.values == _values("2", len(second.values))
    assert len(second.values) > 3


@pytest.mark.anyio
async def test_a_query_that_never_ends_takes_the_association_with_it() -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2)
        while not acceptor.is_over:
            await acceptor.send(pending(2, numbered("2", 1)))
            with anyio.move_on_after(0.05):
                await acceptor.turn()

    timeouts = Timeouts(response=0.3, message=5, cancel=0.2, release=0.2)
    async with _open(handler, window=2, timeouts=timeouts) as association:
        first, second = await _ask(association, 2)
        assert association.is_aborted_by_us
    assert isinstance(first.error, PeerTimeout)
    assert isinstance(second.error, AssociationAborted)
    assert "a query on it did not end in time" in second.error.text
    assert len(second.values) > 1


@pytest.mark.anyio
async def test_half_a_message_stops_everybody_and_the_message_clock_ends_it() -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2)
        await acceptor.stream.send(acceptor.encode(pending(1, numbered("1", 1)))[:-1])

    timeouts = Timeouts(response=0.1, message=0.5, cancel=0.1, release=0.1)
    async with _open(handler, window=2, timeouts=timeouts) as association:
        first, second = await _ask(association, 2)
    assert isinstance(first.error, PeerTimeout)
    assert first.error.phase == "message"
    assert isinstance(second.error, PeerTimeout | AssociationAborted)


@pytest.mark.anyio
async def test_a_limit_ends_one_query_only() -> None:
    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2)
        for number in range(1, 6):
            await acceptor.send(pending(1, numbered("1", number)))
        await acceptor.send(pending(2, numbered("2", 1)))
        await acceptor.until(cancels=1)
        await acceptor.send(final(1, CANCELLED) + final(2))

    async with _open(handler, window=2, limits=Limits(max_responses=3)) as association:
        first, second = await _ask(association, 2)
    assert isinstance(first.error, LimitExceeded)
    assert first.values == _values("1", 3)
    assert (second.values, second.error) == (["2-1"], None)


@pytest.mark.anyio
async def test_a_reader_that_is_cancelled_hands_the_reading_on() -> None:
    gone = anyio.Event()

    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2, cancels=1)
        await acceptor.send(final(acceptor.cancelled[0], CANCELLED))
        await gone.wait()
        await acceptor.send(pending(2, numbered("2", 1)) + final(2))

    first, second = _Asked(), _Asked()

    async with _open(handler, window=2) as association:
        scope = anyio.CancelScope()

        async def ask_first() -> None:
            with scope:
                await first.ask(association)
            gone.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_first)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(second.ask, association)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
    assert not first.is_done
    assert (second.values, second.error) == (["2-1"], None)


@pytest.mark.anyio
async def test_answers_that_nobody_takes_stop_the_reading() -> None:
    """While one task does not take its matches, memory stays flat; then both get all of theirs."""
    count = 3000  # more than the kernel holds
    all_sent = anyio.Event()

    async def handler(acceptor: Acceptor) -> None:
        await acceptor.until(requests=2)
        filler = bytes.fromhex("10000040 4c54 0020") + b"x" * 8192  # Patient Comments
        for number in range(1, count + 1):
            await acceptor.send(pending(1, numbered("1", number) + filler))
        all_sent.set()
        await acceptor.send(final(1) + pending(2, numbered("2", 1)) + final(2))

    taken: list[str] = []
    resume = anyio.Event()

    async def ask_slowly(association: Association) -> None:
        async with association.find(_QUERY) as responses:
            async for match in responses:
                taken.append(match.texts()["PatientID"])
                await resume.wait()

    second = _Asked()
    async with (
        _open(handler, window=2) as association,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(ask_slowly, association)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(second.ask, association)
        with anyio.move_on_after(1) as scope:
            await all_sent.wait()
        assert scope.cancelled_caught
        assert not second.is_done
        resume.set()
    assert taken == _values("1", count)
    assert (second.values, second.error) == (["2-1"], None)


@pytest.mark.anyio
async def test_echo_goes_in_between() -> None:
    async with anyio.create_task_group() as tasks:
        server = Server(Answers(2000), policy=Policy(window=3))
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        asked = [_Asked(), _Asked()]
        statuses = []
        with anyio.fail_after(30):
            async with associate(peer, verification=True, async_window=3) as association:

                async def echo() -> None:
                    statuses.append(await association.echo())

                async with anyio.create_task_group() as window:
                    for one in asked:
                        window.start_soon(_count, association, one)
                    window.start_soon(echo)
        tasks.cancel_scope.cancel()
    assert statuses == [0]
    assert [len(one.values) for one in asked] == [2000, 2000]


async def _count(association: Association, asked: _Asked) -> None:
    async for match in association.find(_QUERY):
        asked.values.append(str(match.number))
