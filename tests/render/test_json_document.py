"""`json` is one document, valid however the run ends."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncfind.plan import Peer, Plan
from asyncfind.records import Find, FindDone, Match, Record, Summary, Verdict
from asyncfind.render.json_document import JsonDocument
from asyncfind.render.json_lines import JsonLines
from asyncfind.security import Tls


def test_the_document_of_a_run(
    render: Callable[..., str],
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
) -> None:
    records = [match(b"", 1), match(b"\x10", 2), done(matches=2)]
    text = render(JsonDocument(), records)
    document = json.loads(text)
    error = document["queries"][0]["matches"][1].pop("error")
    assert error.startswith("identifier cannot be decoded")
    assert document == {
        "queries": [
            {
                "node": "NORTH@north:104",
                "query": "study.dcm",
                "repeat": 1,
                "matches": [{}, {"transfer_syntax": "1.2.840.10008.1.2.1", "bytes": "EA=="}],
                "count": 2,
                "status": "0000",
                "verdict": "undecodable",
                "seconds": 0.031123,
                "error": f"1 of 2 answers: {error}",
                "flags": {"undecodable": 1},
            }
        ],
        "summary": {
            "nodes": 1,
            "reached": 1,
            "queries": 1,
            "matches": 1,
            "verdicts": {"complete": 1},
            "seconds": 0.5,
            "exit": 0,
        },
    }


def test_a_node_that_was_not_verified_is_told(
    render: Callable[..., str],
    schema: Callable[[str], Any],
    plan: Plan,
    summary: Summary,
    done: Callable[..., FindDone],
) -> None:
    for tls, what in (
        (Tls(verify_peer=False), "certificate"),
        (Tls(ca_files=("ca.pem",), check_hostname=False), "hostname"),
    ):
        peer = replace(plan.peers[0], tls=tls)
        records = [done(of=Find(peer, plan.queries[0], 1, 0), matches=0)]
        document = json.loads(render(JsonDocument(), records, ends=replace(summary, unverified=1)))
        schema("json").validate(document)
        assert document["queries"][0]["unverified"] == what
        assert document["summary"]["unverified"] == 1
        lines = render(JsonLines(), records, ends=replace(summary, unverified=1)).splitlines()
        told = [json.loads(line) for line in lines]
        assert [one["unverified"] for one in told] == [what, 1]
        for line in told:
            schema("ndjson").validate(line)


def test_a_run_without_queries_is_a_document(
    render: Callable[..., str], schema: Callable[[str], Any]
) -> None:
    document = json.loads(render(JsonDocument(), []))
    schema("json").validate(document)
    assert document["queries"] == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["match", "bad", "done"]))))
def test_any_course_of_a_run_is_a_valid_document(
    render: Callable[..., str],
    schema: Callable[[str], Any],
    plan: Plan,
    peers: Sequence[Peer],
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    steps: list[tuple[int, str]],
) -> None:
    """Queries come, end or do not end in any order; each is in the document once, whole."""
    finds = [Find(peers[at % 2], plan.queries[0], 1 + at // 2, at) for at in range(4)]
    numbers = [0] * 4
    ended: set[int] = set()
    records: list[Record] = []
    for which, step in steps:
        if which in ended:
            continue
        if step == "done":
            ended.add(which)
            records.append(done(Verdict.CUT, of=finds[which], matches=numbers[which], error="FE00"))
        else:
            numbers[which] += 1
            identifier = study if step == "match" else b"\1"
            records.append(match(identifier, numbers[which], of=finds[which]))
    text = render(JsonDocument(), records, of=replace(plan, peers=tuple(peers), repeat=2))
    document = json.loads(text)
    schema("json").validate(document)
    told = {(one["node"][0], one["repeat"]): one for one in document["queries"]}
    begun = {at for at in range(4) if numbers[at]} | ended
    assert len(document["queries"]) == len(told) == len(begun)
    for at in begun:
        one = told["NS"[at % 2], 1 + at // 2]
        assert len(one["matches"]) == one["count"] == numbers[at]
        assert one["verdict"] == ("cut" if at in ended else "cancelled")
