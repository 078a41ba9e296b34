"""Discovery of real peers: what was found is what they were told."""

import heapq
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from servers import Archive, Server, dcmqrscp, orthanc, wlmscpfs, write_archive
from servers.worklist import invent_worklists

from asyncfind.errors import InvalidRequest
from asyncfind.load.discover import Evidence, Findings
from asyncfind.load.discover_steps import Goal, Goals, Open
from asyncfind.load.discovery_run import discover
from asyncfind.load.engine import Control
from asyncfind.load.spec import Load
from asyncfind.load.threshold import parse_threshold
from asyncfind.plan import Peer, Plan, make_query
from asyncfind.scp.answers import Answers
from asyncfind.scp.script import GOOD, Abort, Action, Delay, Moment, Script, Stall, Step
from asyncfind.scp.server import Server as EmbeddedServer

pytestmark = pytest.mark.anyio

KEYS = ["QueryRetrieveLevel=STUDY", "PatientID=42", "StudyInstanceUID"]
LIMIT = Goals(goals=frozenset((Goal.LIMIT,)), cap=40)


@dataclass
class Places:
    """So many places in which a query takes a fixed time, and one queue before them.

    Args:
        free: instants at which the places are free, a heap.
    """

    count: int
    service: float
    free: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free = [0.0] * self.count

    def take(self) -> float:
        """A query has come; returns how long it is to take."""
        now = time.monotonic()
        ended = max(now, self.free[0]) + self.service
        heapq.heapreplace(self.free, ended)
        return ended - now


@dataclass(frozen=True, slots=True, kw_only=True)
class Queueing(Script):
    """Lets each query take what `places` say."""

    places: Places

    def actions(self, moment: Moment, query: int = 0, after: int = 0) -> tuple[Action, ...]:
        return (Delay(self.places.take()),) if moment is Moment.QUERY else ()


@asynccontextmanager
async def _serving(server: EmbeddedServer) -> AsyncIterator[Load]:
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(server.serve)
        yield _load(port)
        tasks.cancel_scope.cancel()


def _load(port: int, called: str = "ARCHIVE", model: str = "study") -> Load:
    keys = KEYS if model == "study" else ["PatientID=42", "PatientName"]
    peer = Peer(host="127.0.0.1", port=port, called=called, calling="LOADGEN")
    return Load(plan=Plan(peers=(peer,), queries=(make_query(model, keys),)))


def _limit(findings: Findings) -> tuple[int, ...]:
    assert findings.limit is not None
    assert findings.limit.stopped == ""
    return findings.limit.rounds


# --- Our archive ---


@pytest.mark.parametrize("limit", [1, 7, 18])
async def test_the_limit_of_our_archive(limit: int) -> None:
    server = EmbeddedServer(Answers(2), max_associations=limit)
    seen: list[Evidence] = []
    async with _serving(server) as load:
        findings = await discover(load, LIMIT, on_step=seen.append)
        await server.counters.until(lambda counters: counters.associations == 0)
    assert _limit(findings) == (limit,) * 3
    assert findings.limit is not None
    assert findings.limit.signs == ("RJ 2/3/2",) * 3
    assert (findings.limit.scope, findings.limit.returns) == ("total", True)
    assert tuple(seen) == findings.evidence


async def test_other_signs_than_a_rejection() -> None:
    # From the fourth connection of each round on: 3 probes alone come first.
    aborting = Script((Step(Moment.REQUESTED, Abort(source=2)),))
    numbers: list[int] = []

    def scripts(number: int) -> Script:
        numbers.append(number)
        return GOOD if server.counters.associations < 4 else aborting

    server = EmbeddedServer(Answers(1), scripts=scripts)
    async with _serving(server) as load:
        findings = await discover(load, LIMIT)
    assert _limit(findings) == (4, 4, 4)
    assert findings.limit is not None
    assert set(findings.limit.signs) == {"A-ABORT by the provider"}


async def test_silence_is_a_sign_where_others_are_open() -> None:
    silent = Script((Step(Moment.REQUESTED, Stall()),))
    server = EmbeddedServer(
        Answers(1), scripts=lambda _: GOOD if server.counters.associations < 2 else silent
    )
    goals = Goals(goals=frozenset((Goal.LIMIT,)), repeats=1, second_title=False)
    async with _serving(server) as load:
        findings = await discover(load, goals, patience=0.2)
    assert _limit(findings) == (2,)
    assert findings.limit is not None
    assert findings.limit.signs[0].startswith("no answer within ")
    assert findings.limit.signs[0].endswith("(associate)")


async def test_knee_and_capacity_of_an_archive_with_known_concurrency() -> None:
    places = Places(4, 0.02)
    server = EmbeddedServer(Answers(1), scripts=lambda _: Queueing(places=places))
    goals = Goals(
        goals=frozenset((Goal.KNEE, Goal.CAPACITY)),
        cap=8,
        seconds=0.5,
        warm_up=0.1,
        thresholds=(parse_threshold("p95(response) < 300ms"),),
    )
    async with _serving(server) as load:
        findings = await discover(load, goals)
    assert findings.knee is not None
    assert findings.knee.knee is not None, findings.knee.stopped
    assert findings.knee.knee.low <= 4 <= findings.knee.knee.high
    assert findings.capacity is not None
    assert findings.capacity.rate is not None
    # In the 2 s of a confirmation, two thirds more would make the last wait for more than a second.
    if findings.capacity.confirmed:
        assert findings.capacity.rate < 1.67 * 4 / 0.02


async def test_a_search_can_be_stopped() -> None:
    control = Control()

    def stop(evidence: Evidence) -> None:
        if isinstance(evidence.step, Open) and evidence.step.number == 3:
            control.stop()

    server = EmbeddedServer(Answers(1), max_associations=9)
    async with _serving(server) as load:
        findings = await discover(load, LIMIT, on_step=stop, control=control)
        await server.counters.until(lambda counters: counters.associations == 0)
    assert findings.limit is None
    assert len(findings.evidence) == 6


async def test_nobody_there_is_said() -> None:
    async with _serving(EmbeddedServer(Answers(1))) as load:
        pass
    findings = await discover(load, LIMIT)
    assert str(findings).startswith("limit not found (the peer did not answer a query: connect ")


async def test_discovery_is_about_one_node_and_has_a_query() -> None:
    load = _load(104)
    twice = Load(plan=Plan(peers=load.plan.peers * 2, queries=load.plan.queries))
    with pytest.raises(InvalidRequest, match="one node"):
        await discover(twice, LIMIT)
    with pytest.raises(InvalidRequest, match="needs a query"):
        await discover(Load(plan=Plan(peers=load.plan.peers)), LIMIT)


# --- Others ---


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def dcmqrscp_of_five(
    archive: Archive, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with dcmqrscp(archive, tmp_path_factory.mktemp("dcmqrscp"), max_associations=5) as server:
        yield server


@pytest.fixture(scope="module")
def wlmscpfs_of_six(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("wlmscpfs")
    with wlmscpfs(invent_worklists(), folder, max_associations=6) as server:
        yield server


@pytest.fixture(scope="module")
def orthanc_of_three(
    archive: Archive, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    options = {"DicomThreadsCount": 3}
    with orthanc(archive, tmp_path_factory.mktemp("orthanc"), options=options) as server:
        yield server


async def test_the_limit_of_dcmqrscp(dcmqrscp_of_five: Server) -> None:
    findings = await discover(_load(dcmqrscp_of_five.port, dcmqrscp_of_five.aet), LIMIT)
    assert _limit(findings) == (5, 5, 5)
    assert findings.limit is not None
    assert (findings.limit.scope, findings.limit.returns) == ("total", True)


async def test_the_limit_of_wlmscpfs(wlmscpfs_of_six: Server) -> None:
    load = _load(wlmscpfs_of_six.port, wlmscpfs_of_six.aet, "worklist")
    assert _limit(await discover(load, LIMIT)) == (6, 6, 6)


async def test_orthanc_takes_more_associations_than_it_has_threads_for(
    orthanc_of_three: Server,
) -> None:
    # Each idle association keeps one of its threads (DicomThreadsCount) for a second at a time.
    findings = await discover(_load(orthanc_of_three.port, orthanc_of_three.aet), LIMIT)
    assert _limit(findings) == (3, 3, 3)
    assert findings.limit is not None
    assert set(findings.limit.signs) == {"queries wait for idle associations"}
