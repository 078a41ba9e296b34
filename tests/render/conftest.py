"""Invented peers, queries and records for the renderers."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan, Query, make_query
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.records import ExitCode, Find, FindDone, Match, Record, Summary, Verdict
from asyncfind.render.output import StreamOutput
from asyncfind.render.stream import Form, Streamed

# One answer of a study query, Explicit VR Little Endian.
STUDY = bytes.fromhex(
    "08002000 4441 0800 3230323430313032"  # (0008,0020) DA 20240102
    "08005200 4353 0600 535455445920"  # (0008,0052) CS "STUDY "
    "10001000 504e 0800 444f455e4a4f484e"  # (0010,0010) PN DOE^JOHN
    "10002000 4c4f 0000"  # (0010,0020) LO, empty
    "20000d00 5549 0600 312e322e3300"  # (0020,000d) UI 1.2.3 and NUL
)


@pytest.fixture
def study() -> bytes:
    """An identifier: StudyDate, level, PatientName, an empty PatientID, StudyInstanceUID."""
    return STUDY


@pytest.fixture
def peers() -> tuple[Peer, ...]:
    """Two peers."""
    return (
        Peer(host="north", port=104, called="NORTH"),
        Peer(host="south", port=104, called="SOUTH"),
    )


@pytest.fixture
def query() -> Query:
    """The study query that `study` answers."""
    keys = ["QueryRetrieveLevel=STUDY", "PatientName", "PatientID", "StudyDate", "StudyInstanceUID"]
    return make_query("study", keys, label="study.dcm")


@pytest.fixture
def plan(peers: tuple[Peer, ...], query: Query) -> Plan:
    """One peer, one query."""
    return Plan(peers=peers[:1], queries=(query,))


@pytest.fixture
def find(plan: Plan) -> Find:
    """The only query of `plan`."""
    return Find(plan.peers[0], plan.queries[0], 1, 0)


@pytest.fixture
def match(find: Find) -> Callable[..., Match]:
    """Make a match: match(identifier, number=1, find=..., status=0xFF00, syntax=...)."""

    def make(
        identifier: bytes,
        number: int = 1,
        *,
        of: Find = find,
        status: int = 0xFF00,
        syntax: str = EXPLICIT_VR_LITTLE_ENDIAN.uid,
    ) -> Match:
        return Match(of, number, status, identifier, syntax)

    return make


@pytest.fixture
def done(find: Find) -> Callable[..., FindDone]:
    """Make the end of a query: done(verdict, matches=1, of=..., error=..., ...)."""

    def make(
        verdict: Verdict = Verdict.COMPLETE,
        *,
        of: Find = find,
        status: int | None = 0,
        matches: int = 1,
        error: str = "",
        hint: str = "",
        kind: Kind | None = None,
        started: float | None = 1.0,
    ) -> FindDone:
        return FindDone(
            find=of,
            verdict=verdict,
            status=status,
            matches=matches,
            seconds=0.0311234567,
            error=error,
            hint=hint,
            kind=kind,
            started=started,
        )

    return make


@pytest.fixture
def summary() -> Summary:
    """The end of a run in which everything went well."""
    return Summary(
        exit=ExitCode.COMPLETE,
        peers=1,
        reached=1,
        queries=1,
        matches=1,
        seconds=0.5000001,
        verdicts={Verdict.COMPLETE: 1},
    )


@pytest.fixture
def render(plan: Plan, summary: Summary) -> Callable[..., str]:
    """Render records from begin to end: render(form, records, plan=..., summary=...)."""

    def run(
        form: Form, records: Sequence[Record], *, of: Plan = plan, ends: Summary = summary
    ) -> str:
        stream = io.BytesIO()
        renderer = Streamed(form, StreamOutput(stream))
        renderer.begin(of)
        renderer.show(records)
        renderer.end(ends)
        return stream.getvalue().decode("utf-8")

    return run


@pytest.fixture
def schema() -> Callable[[str], Any]:
    """Load a schema of the repository and make its validator."""

    def load(name: str) -> Any:
        import json

        from jsonschema import Draft202012Validator

        import asyncfind.render

        folder = Path(str(asyncfind.render.__file__)).parent / "schema"
        loaded = json.loads((folder / f"{name}.schema.json").read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(loaded)
        return Draft202012Validator(loaded)

    return load
