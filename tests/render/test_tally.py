"""Verdicts make the exit code."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from asyncfind.errors import Kind
from asyncfind.plan import Plan
from asyncfind.records import Associated, ExitCode, FindDone, FindStarted, Verdict
from asyncfind.render.tally import Tally, is_satisfied
from asyncfind.security import Tls


@pytest.mark.parametrize(
    ("verdict", "kind", "code"),
    [
        (Verdict.COMPLETE, None, ExitCode.COMPLETE),
        (Verdict.CANCELLED, None, ExitCode.COMPLETE),  # the user's own --cancel
        (Verdict.CANCELLED, Kind.CANCELLED, ExitCode.INCOMPLETE),
        (Verdict.CUT, Kind.STATUS, ExitCode.INCOMPLETE),
        (Verdict.REFUSED, Kind.STATUS, ExitCode.INCOMPLETE),
        (Verdict.ABORTED, Kind.LOST, ExitCode.INCOMPLETE),
        (Verdict.TIMEOUT, Kind.TIMEOUT, ExitCode.INCOMPLETE),
        (Verdict.PROTOCOL, Kind.PROTOCOL, ExitCode.INCOMPLETE),
        (Verdict.LIMIT, Kind.LIMIT, ExitCode.INCOMPLETE),
        (Verdict.UNDECODABLE, Kind.DECODE, ExitCode.INCOMPLETE),
        (Verdict.UNREACHED, Kind.CONNECT, ExitCode.INCOMPLETE),
        (Verdict.SKIPPED, Kind.CANCELLED, ExitCode.INCOMPLETE),
    ],
)
def test_a_verdict_decides_the_exit_code(
    plan: Plan,
    done: Callable[..., FindDone],
    verdict: Verdict,
    kind: Kind | None,
    code: ExitCode,
) -> None:
    tally = Tally(plan)
    record = done(verdict, kind=kind)
    tally.add([Associated(plan.peers[0], 1), FindStarted(record.find), record])
    summary = tally.summary(seconds=2.0, interrupted=False)
    assert summary.exit is code
    assert is_satisfied(record) is (code is ExitCode.COMPLETE)
    assert summary.failed == ({} if is_satisfied(record) else {record.verdict: 1})
    assert tally.summary(seconds=2.0, interrupted=True).exit is ExitCode.INTERRUPTED


def test_no_association_at_all_is_exit_2(plan: Plan, done: Callable[..., FindDone]) -> None:
    tally = Tally(plan)
    tally.add([done(Verdict.UNREACHED, kind=Kind.CONNECT, matches=0)])
    assert tally.summary(seconds=0.0, interrupted=False).exit is ExitCode.NO_ASSOCIATION


def test_the_summary_counts_peers_queries_and_matches(
    plan: Plan, done: Callable[..., FindDone]
) -> None:
    tally = Tally(plan)
    peer = plan.peers[0]
    tally.add([Associated(peer, 1), Associated(peer, 2), done(matches=3), done(matches=4)])
    tally.add([done(Verdict.CUT, matches=5, kind=Kind.STATUS)])
    summary = tally.summary(seconds=2.0, interrupted=False)
    assert (summary.peers, summary.reached, summary.queries, summary.matches) == (1, 1, 3, 12)
    assert summary.verdicts == {Verdict.COMPLETE: 2, Verdict.CUT: 1}
    assert summary.seconds == 2.0


@pytest.mark.parametrize(
    ("tls", "unverified"),
    [
        (None, 0),
        (Tls(ca_files=("ca.pem",)), 0),
        (Tls(verify_peer=False), 1),
        (Tls(ca_files=("ca.pem",), check_hostname=False), 1),
        (Tls(verify_peer=False, check_hostname=False, pin="sha256:" + "00" * 32), 0),
    ],
)
def test_the_summary_counts_peers_that_could_be_anybody(
    plan: Plan, tls: Tls | None, unverified: int
) -> None:
    tally = Tally(replace(plan, peers=(replace(plan.peers[0], tls=tls),)))
    assert tally.summary(seconds=0.0, interrupted=False).unverified == unverified
