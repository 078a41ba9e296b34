"""A query that relies on an option of extended negotiation says so where the peer refused it."""

import anyio
import pytest

from asyncfind.plan import Peer, Plan, make_query
from asyncfind.records import Agreement, Extended, Note
from asyncfind.run.reliance import reliance_note, relied_on
from asyncfind.run.scheduler import stream
from asyncfind.scp.answers import Answers
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.server import Server
from asyncfind.ul.find_options import FindOptions


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        ("study", ["QueryRetrieveLevel=STUDY", "PatientName", "StudyDate"], FindOptions()),
        ("study", ["QueryRetrieveLevel=SERIES", "Modality=CT"], FindOptions(relational=True)),
        ("study", ["QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2"], FindOptions()),
        (
            "study",
            ["QueryRetrieveLevel=SERIES", r"StudyInstanceUID=1.2\1.3"],
            FindOptions(relational=True),
        ),
        (
            "study",
            ["QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2"],
            FindOptions(relational=True),
        ),
        (
            "patient",
            ["QueryRetrieveLevel=STUDY", "PatientID=4*"],
            FindOptions(relational=True),
        ),
        ("study", ["QueryRetrieveLevel=STUDY", "PatientName=A*"], FindOptions(fuzzy=True)),
        ("study", ["QueryRetrieveLevel=STUDY", "PatientName=*"], FindOptions()),
        ("worklist", ["PatientName=Quill"], FindOptions(fuzzy=True)),
        (
            "worklist",
            ["ScheduledProcedureStepSequence[0].ScheduledPerformingPhysicianName=Quill"],
            FindOptions(fuzzy=True),
        ),
        (
            "study",
            ["QueryRetrieveLevel=STUDY", "StudyDate=20260101-20260103", "StudyTime=1000-"],
            FindOptions(date_time=True),
        ),
        ("study", ["QueryRetrieveLevel=STUDY", "StudyDate=20260101-"], FindOptions()),
        (
            "study",
            ["QueryRetrieveLevel=STUDY", "StudyDate=20260101", "StudyTime=1000"],
            FindOptions(),
        ),
        (
            "study",
            ["QueryRetrieveLevel=STUDY", "TimezoneOffsetFromUTC=+0100"],
            FindOptions(timezone=True),
        ),
        (
            "study",
            ["QueryRetrieveLevel=STUDY", "QueryRetrieveView=ENHANCED"],
            FindOptions(multiframe=True),
        ),
    ],
)
def test_what_a_query_relies_on(model: str, keys: list[str], expected: FindOptions) -> None:
    assert relied_on(make_query(model, keys)) == expected


def test_only_what_was_asked_for_and_refused_is_a_note() -> None:
    query = make_query("study", ["QueryRetrieveLevel=SERIES", "PatientName=A*"], label="q.dcm")
    asked = FindOptions(relational=True, fuzzy=True)

    def note(granted: FindOptions) -> str:
        line = Extended(query.model.uid, asked, granted)
        return reliance_note(query, Agreement(extended=(line,)))

    assert note(asked) == ""
    assert reliance_note(query, Agreement()) == ""
    assert note(FindOptions(fuzzy=True)).startswith("q.dcm: relies on relational queries, which")
    assert "relational queries and fuzzy matching of person names" in note(FindOptions())


@pytest.mark.anyio
@pytest.mark.parametrize("granted", [True, False])
async def test_it_is_said_once_for_each_query_and_peer(granted: bool) -> None:
    queries = (
        make_query("study", ["QueryRetrieveLevel=STUDY", "PatientName=A*"]),
        make_query("study", ["QueryRetrieveLevel=STUDY", "PatientID=4711"]),
    )
    options = FindOptions(fuzzy=True)
    async with anyio.create_task_group() as tasks:
        policy = Policy(options=options if granted else FindOptions())
        port = await tasks.start(Server(Answers(1), policy=policy).serve)
        plan = Plan(
            peers=(Peer(host="127.0.0.1", port=port),),
            queries=queries,
            repeat=5,
            options=options,
        )
        with anyio.fail_after(20):
            async with stream(plan) as records:
                notes = [one async for one in records if isinstance(one, Note)]
        tasks.cancel_scope.cancel()
    assert len(notes) == (0 if granted else 1)
    assert all(note.warning and "fuzzy" in note.text for note in notes)
