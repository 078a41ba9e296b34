"""Messages: each trouble once, in a line that says what to do."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan
from asyncfind.query.models import model_of
from asyncfind.records import (
    Agreement,
    Associated,
    AttemptFailed,
    ExitCode,
    Extended,
    Find,
    FindDone,
    Note,
    PeerFailed,
    Record,
    Summary,
    Verdict,
)
from asyncfind.render.report import Reported
from asyncfind.render.troubles import sentence, summary_line
from asyncfind.render.words import agreed
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.identity import UserIdentityRQ


class _Nothing:
    """A renderer that shows nothing."""

    def begin(self, plan: Plan) -> None:
        pass

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        return records

    def end(self, summary: Summary) -> None:
        pass


def _report(
    plan: Plan, records: Sequence[Record], summary: Summary, verbosity: int = 0
) -> list[str]:
    stream = io.StringIO()
    renderer = Reported(_Nothing(), stream, verbosity)
    renderer.begin(plan)
    for record in records:
        assert renderer.show([record]) == [record]
    renderer.end(summary)
    return stream.getvalue().splitlines()


def test_a_failed_peer_is_one_line_whatever_it_costs(
    plan: Plan, done: Callable[..., FindDone], summary: Summary
) -> None:
    peer = plan.peers[0]
    hint = "Check host and port."
    unreached = done(
        Verdict.UNREACHED, matches=0, error="connection refused", hint=hint, kind=Kind.CONNECT
    )
    records: list[Record] = [PeerFailed(peer, Kind.CONNECT, "connection refused", hint)]
    records += [unreached] * 3
    failed = replace(
        summary,
        exit=ExitCode.NO_ASSOCIATION,
        reached=0,
        matches=0,
        queries=3,
        failed={Verdict.UNREACHED: 3},
    )
    assert _report(plan, records, failed) == [
        "asyncfind: NORTH@north:104: connection refused. Check host and port.",
        "asyncfind: 0 matches from no node in 0.5 s; 3 of 3 queries not complete: 3 unreached.",
    ]


def test_a_failed_query_is_named_where_there_are_several_and_counted_after(
    plan: Plan, peers: tuple[Peer, ...], done: Callable[..., FindDone], summary: Summary
) -> None:
    query = plan.queries[0]
    several = Plan(peers=peers, queries=(query, query), repeat=2)
    refused = {"error": "status A700: out of resources", "hint": "Ask for less."}
    records = [
        done(Verdict.REFUSED, of=Find(peers[at // 3], query, 1, at), kind=Kind.STATUS, **refused)
        for at in range(4)
    ]
    failed = replace(
        summary,
        exit=ExitCode.INCOMPLETE,
        peers=2,
        reached=2,
        queries=8,
        failed=Counter(record.verdict for record in records),
    )
    assert _report(several, records, failed) == [
        "asyncfind: NORTH@north:104: study.dcm: status A700: out of resources. Ask for less.",
        "asyncfind: SOUTH@south:104: study.dcm: status A700: out of resources. Ask for less.",
        "asyncfind: NORTH@north:104: 2 more queries: status A700: out of resources.",
        "asyncfind: 1 match from 2 nodes in 0.5 s; 4 of 8 queries not complete: 4 refused.",
    ]


def test_nothing_is_said_when_all_is_well(
    plan: Plan, done: Callable[..., FindDone], summary: Summary
) -> None:
    own_cancel = done(Verdict.CANCELLED, status=0xFE00)
    hidden = Note(plan.peers[0], "no further association", warning=False)
    records: list[Record] = [Associated(plan.peers[0], 1), done(), own_cancel, hidden]
    assert _report(plan, records, summary) == []


def test_verbose_tells_what_happens(
    plan: Plan, done: Callable[..., FindDone], summary: Summary
) -> None:
    peer = plan.peers[0]
    again = replace(done(), find=Find(peer, plan.queries[0], 2, 1))
    records: list[Record] = [
        Associated(peer, 1),
        Associated(peer, 2),
        Note(peer, "a note", warning=False),
        AttemptFailed(again.find, 1, 0, "A-ABORT", 1.25),
        done(),
        again,
    ]
    assert _report(plan, records, summary, verbosity=1) == [
        "asyncfind: NORTH@north:104: 1 association open.",
        "asyncfind: NORTH@north:104: 2 associations open.",
        "asyncfind: NORTH@north:104: a note.",
        "asyncfind: NORTH@north:104: study.dcm: attempt 1 failed, again in 1.2 s: A-ABORT.",
        "asyncfind: NORTH@north:104: study.dcm: complete, 1 matches in 0.031 s.",
        "asyncfind: NORTH@north:104: study.dcm (repeat 2): complete, 1 matches in 0.031 s.",
        "asyncfind: 1 match from 1 node in 0.5 s.",
    ]


def test_quiet_says_nothing(plan: Plan, done: Callable[..., FindDone], summary: Summary) -> None:
    records: list[Record] = [
        PeerFailed(plan.peers[0], Kind.DNS, "unknown host", ""),
        Note(plan.peers[0], "odd"),
        done(Verdict.REFUSED, kind=Kind.STATUS, error="no"),
    ]
    assert _report(plan, records, replace(summary, exit=ExitCode.INCOMPLETE), -1) == []


def test_an_interruption_is_no_news_but_in_the_summary(
    plan: Plan, done: Callable[..., FindDone], summary: Summary
) -> None:
    cancelled = done(Verdict.CANCELLED, error="interrupted", kind=Kind.CANCELLED)
    skipped = done(Verdict.SKIPPED, error="interrupted before its turn", kind=Kind.CANCELLED)
    ended = replace(
        summary,
        exit=ExitCode.INTERRUPTED,
        queries=2,
        failed={Verdict.CANCELLED: 1, Verdict.SKIPPED: 1},
        matches=2000,
    )
    (line,) = _report(plan, [cancelled, skipped], ended)
    assert line == (
        "asyncfind: 2,000 matches from 1 node in 0.5 s; "
        "2 of 2 queries not complete: 1 cancelled, 1 skipped; interrupted."
    )


def test_a_flood_of_different_troubles_is_cut(
    plan: Plan, done: Callable[..., FindDone], summary: Summary
) -> None:
    records = [
        done(Verdict.CUT, error=f"stopped after {at} matches", kind=Kind.LIMIT) for at in range(60)
    ]
    lines = _report(plan, records, replace(summary, exit=ExitCode.INCOMPLETE, queries=60))
    assert len(lines) == 52
    assert lines[-2] == "asyncfind: ... and 10 troubles more."


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\nasyncfind: forged", "\u202egnp"])
def test_a_message_is_one_line_without_anything_that_acts(
    plan: Plan, done: Callable[..., FindDone], summary: Summary, text: str
) -> None:
    trouble = done(Verdict.REFUSED, kind=Kind.STATUS, error=text, hint=text)
    lines = _report(plan, [trouble, Note(plan.peers[0], text)], summary)
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_messages_that_nobody_takes_stop_nothing(
    plan: Plan, done: Callable[..., FindDone], summary: Summary
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    renderer = Reported(_Nothing(), Gone(), 1)
    renderer.begin(plan)
    renderer.show([done(Verdict.REFUSED, error="no", kind=Kind.STATUS)])
    renderer.end(summary)


@pytest.mark.parametrize(
    ("text", "hint", "line"),
    [
        ("refused", "Try later.", "refused. Try later."),
        ("refused.", "", "refused."),
        ("what?", "", "what?"),
        ("", "", ""),
    ],
)
def test_a_line_is_made_of_sentences(text: str, hint: str, line: str) -> None:
    assert sentence(text, hint) == line


def test_the_summary_in_one_line(summary: Summary) -> None:
    several = replace(summary, peers=11, reached=8, queries=165, matches=1234567, seconds=61.25)
    assert summary_line(several) == (
        "1,234,567 matches from 8 of 11 nodes in 61.2 s; all 165 queries complete."
    )


def test_verbose_tells_once_what_a_peer_agreed_to(plan: Plan, summary: Summary) -> None:
    identity = UserIdentityRQ(type=2, response_requested=True, primary=b"me", secondary=b"secret")
    peer = replace(plan.peers[0], identity=identity)
    asked = FindOptions(relational=True, fuzzy=True, timezone=True)
    lines = (
        Extended(model_of("study").uid, asked, FindOptions(relational=True, timezone=True)),
        Extended(model_of("worklist").uid, FindOptions(fuzzy=True), FindOptions()),
    )
    agreement = Agreement(extended=lines, window_asked=8, window=3, identity_response=b"")
    less = replace(agreement, extended=(), window=1)
    records: list[Record] = [
        Associated(peer, 1, agreement),
        Associated(peer, 2, agreement),
        Associated(peer, 1, less),
    ]
    said = _report(plan, records, summary, verbosity=1)[:-1]
    assert [line.removeprefix("asyncfind: NORTH@north:104: ") for line in said] == [
        "1 association open.",
        "Study Root Query/Retrieve: accepts relational queries, time zone adjustment.",
        "Study Root Query/Retrieve: does not accept fuzzy matching of person names.",
        "Modality Worklist: does not accept fuzzy matching of person names.",
        "3 queries at a time over one association (8 asked for).",
        "user name and passcode accepted.",
        "2 associations open.",
        "1 association open.",
        "1 query at a time over one association (8 asked for).",
        "user name and passcode accepted.",
    ]
    assert _report(plan, records, summary) == []


@pytest.mark.parametrize(
    ("kind", "response", "words"),
    [
        (1, None, "no answer to the user name; it may have been ignored."),
        (1, b"hello\x1b[2J", "user name accepted, with the answer 'hello\\x1b[2J'."),
        (3, b"\x60\x82ticket", "Kerberos service ticket accepted, with an answer of 8 bytes."),
        (5, b"eyJ.token", "JSON Web Token accepted, with an answer of 9 bytes."),
    ],
)
def test_the_answer_to_an_identity(kind: int, response: bytes | None, words: str) -> None:
    identity = UserIdentityRQ(type=kind, response_requested=True)
    assert agreed(Agreement(identity_response=response), identity) == [words]
    silent = replace(identity, response_requested=False)
    assert agreed(Agreement(identity_response=response), silent) == []
