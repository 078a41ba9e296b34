"""What each quirk changes, against an archive that has it and against one that has not."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType

import anyio
import pytest
from quirky import Picky, last_on_final

from asyncfind.errors import LimitExceeded
from asyncfind.net import transport
from asyncfind.net.association import associate
from asyncfind.plan import Limits, Peer, Plan, Quirk, Timeouts, make_query
from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.records import Associated, Find, FindDone, Match, Record, Verdict
from asyncfind.run.course import Course, Manners
from asyncfind.run.scheduler import Batch, run, stream
from asyncfind.scp.answers import Answers
from asyncfind.scp.find import Archive
from asyncfind.scp.script import Close, Moment, Script, Step, always, ignores_cancel
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace
from asyncfind.scp.store import Store

pytestmark = pytest.mark.anyio

_LEVEL = "QueryRetrieveLevel=STUDY"
_ALL = make_query("study", [_LEVEL, "StudyInstanceUID"])
_QUICK = Timeouts(cancel=0.4, release=0.4)
_ONE_FIND = always(Script((Step(Moment.ANSWERED, Close()),)))


@asynccontextmanager
async def _peer(server: Server, *quirks: Quirk) -> AsyncIterator[Peer]:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(server.serve)
        yield Peer(host="127.0.0.1", port=port, quirks=frozenset(quirks))
        tasks.cancel_scope.cancel()


async def _records(plan: Plan) -> list[Record]:
    with anyio.fail_after(30):
        async with stream(plan) as records:
            return [record async for record in records]


async def _politely(plan: Plan) -> list[Record]:
    found: list[Record] = []
    send, receive = anyio.create_memory_object_stream[Batch](8)
    course = Course(manners=MappingProxyType(dict.fromkeys(plan.peers, Manners())))
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, plan, send, course)
            async with receive:
                async for batch in receive:
                    found += batch
    return found


def _dones(records: list[Record]) -> list[FindDone]:
    return [record for record in records if isinstance(record, FindDone)]


@pytest.mark.parametrize("knows", [True, False])
async def test_a_lone_wildcard_is_sent_as_an_empty_key(knows: bool) -> None:
    with Store.generate(5, 1) as store:
        source = Picky(Archive(store), lone=True)
        quirks = (Quirk.NO_UNIVERSAL_WILDCARD,) if knows else ()
        async with _peer(Server(source), *quirks) as peer:
            query = make_query("study", [_LEVEL, "StudyInstanceUID", "PatientName=*"])
            (done,) = _dones(await _records(Plan(peers=(peer,), queries=(query,))))
        assert done.matches == (5 if knows else 0)
        assert source.asked[0].elements[0x00100010].value == (b"" if knows else b"* ")


@pytest.mark.parametrize("knows", [True, False])
async def test_a_wildcard_in_a_date_is_sent_as_a_range(knows: bool) -> None:
    with Store.generate(5, 1) as store:
        source = Picky(Archive(store), dates=True)
        quirks = (Quirk.NO_WILDCARD_IN_DATES,) if knows else ()
        async with _peer(Server(source), *quirks) as peer:
            query = make_query("study", [_LEVEL, "StudyInstanceUID", "StudyDate"])
            element = query.identifier.elements[0x00080020]
            query.identifier.elements[0x00080020] = element._replace(value=b"20* ")
            (done,) = _dones(await _records(Plan(peers=(peer,), queries=(query,))))
        assert done.verdict is (Verdict.COMPLETE if knows else Verdict.REFUSED)
        assert done.matches == (5 if knows else 0)
        if knows:
            assert source.asked[0].elements[0x00080020].value == b"20000101-20991231 "


@pytest.mark.parametrize("ask", [_records, _politely])
@pytest.mark.parametrize("knows", [True, False])
async def test_an_association_is_released_after_its_one_query(ask: object, knows: bool) -> None:
    server = Server(Answers(2), scripts=None if knows else _ONE_FIND)
    quirks = (Quirk.ONE_FIND_PER_ASSOCIATION,) if knows else ()
    async with _peer(server, *quirks) as peer:
        plan = Plan(peers=(peer,), queries=(_ALL,) * 4, associations=1, async_window=4)
        records = await (_records(plan) if ask is _records else _politely(plan))
        assert [done.verdict for done in _dones(records)] == [Verdict.COMPLETE] * 4
        assert sum(isinstance(record, Associated) for record in records) == 4
        await server.counters.until(lambda counters: counters.associations == 0)
    # An archive that closes by itself gets no release; who knows of it is the one who ends it.
    assert server.counters.releases == (4 if knows else 0)


async def test_without_the_quirk_one_association_serves_all() -> None:
    server = Server(Answers(2))
    async with _peer(server) as peer:
        plan = Plan(peers=(peer,), queries=(_ALL,) * 4, associations=1)
        records = await _records(plan)
    assert sum(isinstance(record, Associated) for record in records) == 1


@pytest.mark.parametrize("knows", [True, False])
async def test_the_final_response_brings_a_match(knows: bool) -> None:
    async with anyio.create_task_group() as tasks:
        handle = partial(last_on_final, source=Answers(3))
        port = await tasks.start(transport.serve, handle, "127.0.0.1", 0)
        quirks = frozenset([Quirk.ROW_ON_FINAL] if knows else [])
        peer = Peer(host="127.0.0.1", port=port, quirks=quirks)
        async with associate(peer) as association:
            responses = association.find(_ALL)
            matches = [match async for match in responses]
        tasks.cancel_scope.cancel()
    assert [match.number for match in matches] == ([1, 2, 3] if knows else [1, 2])
    assert [match.status for match in matches] == [0xFF00] * len(matches)
    assert responses.number == len(matches)
    assert any("final response" in note for note in responses.notes) is not knows
    assert (responses.final_identifier is None) is knows
    if knows:
        assert matches[2].texts()["AccessionNumber"] == "A0000000003"


async def test_a_match_on_the_final_response_counts_for_the_limit() -> None:
    async with anyio.create_task_group() as tasks:
        handle = partial(last_on_final, source=Answers(3))
        port = await tasks.start(transport.serve, handle, "127.0.0.1", 0)
        peer = Peer(host="127.0.0.1", port=port, quirks=frozenset([Quirk.ROW_ON_FINAL]))
        async with associate(peer, limits=Limits(max_responses=2)) as association:
            responses = association.find(_ALL)
            assert [(await anext(responses)).number for _ in range(2)] == [1, 2]
            with pytest.raises(LimitExceeded):
                await anext(responses)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("ask", [_records, _politely])
@pytest.mark.parametrize("knows", [True, False])
async def test_an_abort_takes_the_place_of_a_cancel(ask: object, knows: bool) -> None:
    server = Server(Answers(10**6), scripts=always(ignores_cancel()), pace=Pace(0, 0.01))
    quirks = (Quirk.NO_CANCEL,) if knows else ()
    async with _peer(server, *quirks) as peer:
        # More queries than failures in a row that an archive is given up for.
        count = 7 if knows else 1
        plan = Plan(
            peers=(peer,),
            queries=(_ALL,) * count,
            associations=1,
            cancel_after=2,
            timeouts=_QUICK,
        )
        started = time.monotonic()
        records = await (_records(plan) if ask is _records else _politely(plan))
        seconds = time.monotonic() - started
        await server.counters.until(lambda counters: counters.associations == 0)
    dones = _dones(records)
    assert [done.verdict for done in dones] == [Verdict.CANCELLED] * count
    assert server.counters.cancels == (0 if knows else 1)
    if knows:
        assert [done.matches for done in dones] == [2] * count
        assert {done.status for done in dones} == {0xFE00}
        assert {done.kind for done in dones} == {None}
    else:
        assert seconds >= _QUICK.cancel
        assert dones[0].status is None


async def test_leaving_early_aborts_at_once() -> None:
    server = Server(Answers(10**6), scripts=always(ignores_cancel()), pace=Pace(0, 0.01))
    async with _peer(server, Quirk.NO_CANCEL) as peer:
        with anyio.fail_after(5):
            async with associate(peer, timeouts=Timeouts(cancel=60)) as association:
                async with association.find(_ALL) as responses:
                    assert (await anext(responses)).number == 1
                assert not association.is_usable
                assert association.is_aborted_by_us


def test_the_charset_of_the_peer_reads_an_answer_and_its_bytes_stay() -> None:
    name = "Люкс^Анна".encode("iso8859_5")
    item = Item({0x00100010: Element(0x00100010, "PN", name + b" ", len(name) + 1)})
    data = write_item(item, EXPLICIT_VR_LITTLE_ENDIAN)
    for charset, text in ((("ISO_IR 144",), "Люкс^Анна"), ((), name.decode("latin_1"))):
        peer = Peer(host="127.0.0.1", port=104, charset=charset)
        find = Find(peer, _ALL, 1, 0)
        match = Match(find, 1, 0xFF00, data, EXPLICIT_VR_LITTLE_ENDIAN.uid)
        assert match.texts()["PatientName"] == text
        assert match.item().elements[0x00100010].value == item.elements[0x00100010].value
        assert str(match.json()).count("Люкс") == bool(charset)
