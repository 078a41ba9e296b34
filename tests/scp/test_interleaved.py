"""Several queries answered in turn over one association."""

import anyio
import pytest

from asyncfind.dimse.command import FindRQ, FindRSP
from asyncfind.dimse.message import Assembler, Message
from asyncfind.errors import FindFailed
from asyncfind.net.association import Association, associate
from asyncfind.plan import Peer, make_query
from asyncfind.query.element import Item
from asyncfind.query.syntax import IMPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.scp.answers import Answers
from asyncfind.scp.counters import Counters
from asyncfind.scp.find import Archive
from asyncfind.scp.interleaved import Interleaved
from asyncfind.scp.negotiation import Agreement, Policy
from asyncfind.scp.server import Server
from asyncfind.scp.store import Store
from asyncfind.ul.items import UserInformation
from asyncfind.ul.pdu import PDV, AssociateAC

_STUDY = "1.2.840.10008.5.1.4.1.2.2.1"
_EMPTY = write_item(Item(), IMPLICIT_VR_LITTLE_ENDIAN)


def _interleaved(answers: int) -> tuple[Interleaved, Counters]:
    ac = AssociateAC(
        called="A",
        calling="B",
        contexts=(),
        user_information=UserInformation(implementation_class_uid="1.2.3"),
    )
    contexts = {1: (_STUDY, IMPLICIT_VR_LITTLE_ENDIAN)}
    counters = Counters()
    agreement = Agreement(ac, contexts, frozenset(), 0, 2)
    return Interleaved(Answers(answers), agreement, counters), counters


def _read(pdvs: list[PDV]) -> list[tuple[int, int]]:
    """Message id and status of each response."""
    messages: list[Message] = Assembler().feed(pdvs)
    found = []
    for message in messages:
        assert isinstance(message.command, FindRSP)
        found.append((message.command.message_id, message.command.status))
    return found


def test_some_of_each_in_turn_until_all_have_ended() -> None:
    interleaved, counters = _interleaved(7)
    assert interleaved.begin(1, FindRQ(1, _STUDY), _EMPTY) == []
    assert interleaved.begin(1, FindRQ(2, _STUDY), _EMPTY) == []
    assert (interleaved.count, counters.running, counters.queries) == (2, 2, 2)
    assert _read(interleaved.step()) == [(1, 0xFF00)] * 5 + [(2, 0xFF00)] * 5
    ends = [(number, status) for number in (1, 2) for status in (0xFF00, 0xFF00, 0)]
    assert _read(interleaved.step()) == ends
    assert (interleaved.count, counters.running, counters.responses) == (0, 0, 14)
    assert interleaved.step() == []


def test_a_cancelled_one_ends_at_once_and_the_other_goes_on() -> None:
    interleaved, counters = _interleaved(9)
    interleaved.begin(1, FindRQ(1, _STUDY), _EMPTY)
    interleaved.begin(1, FindRQ(2, _STUDY), _EMPTY)
    interleaved.cancel(1)
    interleaved.cancel(77)  # has ended, or never was
    assert _read(interleaved.step()) == [(1, 0xFE00)] + [(2, 0xFF00)] * 5
    assert 1 not in interleaved
    assert 2 in interleaved
    interleaved.end()
    assert counters.running == 0


@pytest.mark.anyio
async def test_a_refused_query_does_not_disturb_the_others() -> None:
    outcomes: list[int | str] = []

    async def ask(association: Association, *keys: str) -> None:
        try:
            async with association.find(make_query("study", keys)) as responses:
                outcomes.append(len([match async for match in responses]))
        except FindFailed as exc:
            outcomes.append(f"{exc.status:04X}")

    async with anyio.create_task_group() as tasks:
        server = Server(Archive(Store.generate(40, 1)), policy=Policy(window=3))
        peer = Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        with anyio.fail_after(20):
            async with (
                associate(peer, async_window=3) as association,
                anyio.create_task_group() as window,
            ):
                for _ in range(3):
                    window.start_soon(ask, association, "QueryRetrieveLevel=STUDY", "PatientID")
                window.start_soon(ask, association, "QueryRetrieveLevel=SERIES", "Modality")
        tasks.cancel_scope.cancel()
    assert sorted(map(str, outcomes)) == ["40", "40", "40", "A900"]
    assert server.counters.running == 0
