"""A peer that ignores C-CANCEL and goes on answering holds nobody up."""

import anyio
import pytest

from asyncfind.net.association import associate
from asyncfind.plan import Peer, Plan, Timeouts, make_query
from asyncfind.records import FindDone, Verdict
from asyncfind.run.scheduler import stream
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import always, ignores_cancel
from asyncfind.scp.server import Server

_QUICK = Timeouts(cancel=0.2, release=0.5)


def _endless() -> Server:
    return Server(Answers(10**9), scripts=always(ignores_cancel()))


@pytest.mark.anyio
async def test_leaving_early_ends_by_the_cancel_deadline() -> None:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(_endless().serve)
        peer = Peer(host="127.0.0.1", port=port)
        with anyio.fail_after(10):
            async with associate(peer, ["study"], timeouts=_QUICK) as association:
                async for match in association.find(make_query("study", ["PatientName"])):
                    assert match.number == 1
                    break
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_cancel_after_one_answer_ends_by_the_cancel_deadline() -> None:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(_endless().serve)
        plan = Plan(
            peers=(Peer(host="127.0.0.1", port=port),),
            queries=(make_query("study", ["PatientName"]),),
            timeouts=_QUICK,
            cancel_after=1,
        )
        with anyio.fail_after(10):
            async with stream(plan) as records:
                dones = [record async for record in records if isinstance(record, FindDone)]
        tasks.cancel_scope.cancel()
    assert [done.verdict for done in dones] == [Verdict.CANCELLED]
    assert "C-CANCEL" in dones[0].error


@pytest.mark.anyio
async def test_an_abort_with_a_query_open_is_no_error() -> None:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(_endless().serve)
        peer = Peer(host="127.0.0.1", port=port)
        with anyio.fail_after(10):
            async with associate(peer, ["study"], timeouts=_QUICK) as association:
                async for _ in association.find(make_query("study", ["PatientName"])):
                    await association.abort()
                    break
        tasks.cancel_scope.cancel()
