"""A probe finds out what an archive was told to be like, and asks gently."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from functools import partial

import anyio
import pytest
from quirky import Picky, last_on_final

from asyncfind.book.pacing import parse_rate, parse_spans
from asyncfind.book.profile import Fact, FactValue
from asyncfind.net import transport
from asyncfind.plan import Peer, Quirk, Timeouts
from asyncfind.query.element import Element, Item
from asyncfind.run.probe import probe
from asyncfind.run.probe_grounds import GROUNDS
from asyncfind.run.probe_words import Announced, Event, Gentleness, Stopped
from asyncfind.scp.answers import Answers
from asyncfind.scp.find import Archive
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.script import (
    GOOD,
    Close,
    Moment,
    Script,
    Scripts,
    Step,
    always,
    ignores_cancel,
    never_answers,
    refuses,
    rejects,
)
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace
from asyncfind.scp.store import TODAY, Store
from asyncfind.ul.find_options import FindOptions

pytestmark = pytest.mark.anyio

_QUICK = Timeouts(connect=5, associate=2, response=2, message=2, cancel=0.3, release=0.3)


@pytest.fixture(scope="module")
def store() -> "list[Store]":
    return [Store.generate(900, 1)]


@asynccontextmanager
async def _served(server: Server) -> AsyncIterator[Peer]:
    async with anyio.create_task_group() as tasks:
        yield Peer(host="127.0.0.1", port=await tasks.start(server.serve))
        tasks.cancel_scope.cancel()


async def _events(peer: Peer, gentleness: Gentleness, today: date = TODAY) -> list[Event]:
    send, receive = anyio.create_memory_object_stream[Event](4)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(probe, peer, gentleness, send, today=today))
            async with receive:
                events = [event async for event in receive]
    return events


def _found(events: Sequence[Event]) -> dict[str, FactValue]:
    return {event.name: event.value for event in events if isinstance(event, Fact)}


async def _facts(
    server: Server, *, rows: int = 2500, associations: int = 0
) -> dict[str, FactValue]:
    async with _served(server) as peer:
        events = await _events(
            peer, Gentleness(pause=0, timeouts=_QUICK, rows=rows, associations=associations)
        )
    assert not [event for event in events if isinstance(event, Stopped)]
    return _found(events)


async def test_a_good_archive_has_no_quirks(store: list[Store]) -> None:
    policy = Policy(window=4, options=FindOptions(fuzzy=True, timezone=True))
    server = Server(Archive(store[0]), policy=policy)
    facts = await _facts(server)
    assert facts["models"] == ("patient", "study", "patient-study", "worklist")
    assert len(str(facts["transfer_syntaxes.study"]).split(",")) == 4
    assert facts["negotiation.study"] == (
        "relational queries",
        "fuzzy matching of person names",
        "time zone adjustment",
    )
    assert facts["async_window"] == 4
    assert facts["row_limit"] == 0
    assert facts["name_case"] == "ignored"
    answered = facts["keys.study.answered"]
    assert isinstance(answered, tuple)
    assert {"PatientName", "StudyDate", "ModalitiesInStudy"} <= set(answered)
    assert facts["keys.study.absent"] == ("InstitutionName",)
    for level in ("patient", "study", "series", "image", "worklist"):
        assert facts[f"keys.{level}.ignored"] == ()
        assert facts[f"keys.{level}.matched"]
    charsets = facts["charsets"]
    assert isinstance(charsets, tuple)
    assert "ISO_IR 192" in charsets
    assert 0 < float(str(facts["first_response"])) < 2
    for quirk in ("one-find-per-association", "row-on-final", "no-universal-wildcard"):
        assert facts[f"quirk.{quirk}"] is False
    # It has one association at a time, and gives each back.
    assert server.counters.peak == 1
    assert server.counters.releases == server.counters.accepted
    assert server.counters.queries < 90


@pytest.mark.parametrize("limit", [7, 100, 437])
async def test_a_row_limit_is_found_whatever_its_number(store: list[Store], limit: int) -> None:
    facts = await _facts(Server(Archive(store[0], row_limit=limit)))
    assert facts["row_limit"] == limit


async def test_a_limit_beyond_what_is_taken_is_not_looked_for(store: list[Store]) -> None:
    server = Server(Archive(store[0]), pace=Pace(0, 0.001))
    facts = await _facts(server, rows=100)
    assert facts["row_limit"] == 0
    assert facts["quirk.no-cancel"] is False
    assert server.counters.cancels >= 1


async def test_a_limit_within_one_part_is_found_by_its_halves(store: list[Store]) -> None:
    # From ten years ahead all studies lie in one part, and nothing is older than they are.
    server = Server(Archive(store[0], row_limit=100))
    async with _served(server) as peer:
        day = TODAY + timedelta(days=4000)
        facts = _found(await _events(peer, Gentleness(pause=0, timeouts=_QUICK), today=day))
    assert facts["row_limit"] == 100


def _with(quirk: Quirk, store: Store) -> Server:
    archive = Archive(store)
    closes: Scripts = always(Script((Step(Moment.ANSWERED, Close()),)))
    match quirk:
        case Quirk.NO_UNIVERSAL_WILDCARD:
            return Server(Picky(archive, lone=True))
        case Quirk.NO_WILDCARD_IN_DATES:
            return Server(Picky(archive, dates=True))
        case Quirk.ONE_FIND_PER_ASSOCIATION:
            return Server(archive, scripts=closes)
        case Quirk.NO_CANCEL:
            return Server(archive, scripts=always(ignores_cancel()), pace=Pace(0, 0.02))
        case _:
            raise AssertionError(quirk)


@pytest.mark.parametrize("quirk", [one for one in Quirk if one is not Quirk.ROW_ON_FINAL])
async def test_a_quirk_is_found(store: list[Store], quirk: Quirk) -> None:
    facts = await _facts(_with(quirk, store[0]), rows=30)
    assert facts[f"quirk.{quirk}"] is True
    # The archive's own matching refuses wildcards in dates, too.
    others = set(Quirk) - {quirk, Quirk.NO_WILDCARD_IN_DATES, Quirk.NO_CANCEL}
    assert not any(facts.get(f"quirk.{one}") for one in others)


async def test_a_match_on_the_final_response_is_found(store: list[Store]) -> None:
    async with anyio.create_task_group() as tasks:
        handle = partial(last_on_final, source=Archive(store[0]))
        port = await tasks.start(transport.serve, handle, "127.0.0.1", 0)
        peer = Peer(host="127.0.0.1", port=port)
        found = await _events(peer, Gentleness(pause=0, timeouts=_QUICK, rows=300))
        tasks.cancel_scope.cancel()
    facts = _found(found)
    assert facts["quirk.row-on-final"] is True
    assert facts["row_limit"] == 0
    assert facts["keys.study.answered"]
    assert facts["quirk.no-universal-wildcard"] is False


async def test_associations_are_counted_on_request_alone(store: list[Store]) -> None:
    server = Server(Archive(store[0]), max_associations=3)
    assert "associations" not in await _facts(server)
    assert server.counters.peak == 1
    assert (await _facts(server, associations=8))["associations"] == 3
    server = Server(Archive(store[0]))
    assert (await _facts(server, associations=4))["associations"] == 4
    assert server.counters.peak == 4


async def _stopped(server: Server, gentleness: Gentleness) -> tuple[list[Event], Stopped]:
    async with _served(server) as peer:
        events = await _events(peer, gentleness)
    last = events[-1]
    assert isinstance(last, Stopped)
    return events, last


def _from(number: int, script: Script) -> Scripts:
    return lambda connection: script if connection >= number else GOOD


@pytest.mark.parametrize(
    ("scripts", "words", "queries"),
    [
        (_from(3, rejects()), "Local Limit Exceeded", 0),
        (_from(6, refuses(0xA700)), "A700", 1),
        (_from(6, never_answers()), "no sign of a response", 1),
    ],
)
async def test_the_first_sign_of_enough_ends_it(
    store: list[Store], scripts: Scripts, words: str, queries: int
) -> None:
    timeouts = Timeouts(response=0.3, cancel=0.2, release=0.2)
    server = Server(Archive(store[0]), scripts=scripts)
    gentleness = Gentleness(pause=0, timeouts=timeouts, associations=8)
    events, stopped = await _stopped(server, gentleness)
    if words == "Local Limit Exceeded":
        # A rejection tells of one transfer syntax alone until queries need an association.
        assert server.counters.accepted == 2
    assert words in stopped.text
    assert stopped.is_reached
    assert server.counters.queries <= max(queries, 1)
    assert any(isinstance(event, Announced) for event in events)


async def test_who_cannot_be_reached_is_said(store: list[Store]) -> None:
    server = Server(Archive(store[0]), scripts=always(rejects(1, 1, 7)))
    _, stopped = await _stopped(server, Gentleness(pause=0, timeouts=_QUICK))
    assert not stopped.is_reached
    assert "Called AE Title" in stopped.text


async def test_outside_its_hours_nothing_is_sent(store: list[Store]) -> None:
    now = datetime.now().astimezone()
    later, end = ((now + timedelta(hours=hours)).strftime("%H:00") for hours in (3, 5))
    server = Server(Archive(store[0]))
    hours = parse_spans([f"{later}-{end}"])
    _, stopped = await _stopped(server, Gentleness(pause=0, timeouts=_QUICK, hours=hours))
    assert "hour" in stopped.text
    assert server.counters.connections == 0


async def test_its_rate_is_kept() -> None:
    server = Server(Answers(0))
    began = anyio.current_time()
    facts = await _paced(server)
    seconds = anyio.current_time() - began
    assert facts
    assert server.counters.queries > 3
    # Twenty a second, the first twenty at once.
    assert server.counters.queries <= 20 * seconds + 20


async def _paced(server: Server) -> list[Event]:
    async with _served(server) as peer:
        return await _events(peer, Gentleness(pause=0, timeouts=_QUICK, rate=parse_rate("20/s")))


async def test_an_ignored_date_ends_the_search_and_is_told() -> None:
    # All answers are of one day, whatever is asked for.
    async with _served(Server(Answers(5))) as peer:
        day = TODAY + timedelta(days=16)
        told = _found(await _events(peer, Gentleness(pause=0, timeouts=_QUICK), today=day))
    assert told["keys.study.date_ignored"] is True
    assert "row_limit" not in told
    assert told["keys.study.matched"] == ()
    ignored = told["keys.study.ignored"]
    assert isinstance(ignored, tuple)
    assert "PatientName" in ignored


async def test_no_value_of_an_answer_is_in_a_fact(store: list[Store]) -> None:
    async with _served(Server(Archive(store[0]))) as peer:
        events = await _events(peer, Gentleness(pause=0, timeouts=_QUICK))
    told = " ".join(map(str, events))
    names: list[str] = []
    for row in store[0].select("patients", [], []):
        if row is not None:
            names += [
                str(value) for value in row if len(str(value)) > 5 and "ISO" not in str(value)
            ]
    assert len(names) > 100
    assert not [name for name in names if name in told]


def test_a_value_that_cannot_be_a_key_names_nobody() -> None:
    ground = GROUNDS["patient"]

    def make(value: bytes) -> Item:
        return Item({0x00100020: Element(0x00100020, "LO", value, len(value))})

    assert ground.naming(make(b"4711")) == {"PatientID": "4711"}
    for value in (b"47*", b"47?1", b"4\\7", b"", "Ä1".encode(), b"\x01\x02"):
        assert ground.naming(make(value)) is None
