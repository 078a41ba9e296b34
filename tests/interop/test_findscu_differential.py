"""Debian's findscu and `asyncfind findscu` side by side on lines from a seed: no difference."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from commands import command, environment
from differential import Case, Recorder, ScriptedPeer, differences, generate, run_both
from differential.inputs import write_inputs
from servers import Server
from transcripts import answers

_SEED = 1
_COUNT = 420


def _run(case: Case, servers: Mapping[str, Server], inputs: Path, scratch: Path) -> list[str]:
    """What differs between both programs on one line."""
    scratch.mkdir()
    if case.peer == "none":
        theirs, ours = run_both(case.argv, inputs, scratch, lambda: (1, list), case.files)
        return differences(theirs, ours)
    argv, peer = case.argv, None
    if case.peer in servers:
        server = servers[case.peer]
        argv = tuple(argument.replace("@CALLED@", server.aet) for argument in argv)
        peer = Recorder((server.host, server.port))
    else:
        peer = ScriptedPeer(case.script)
    try:
        theirs, ours = run_both(argv, inputs, scratch, lambda: (peer.port, peer.take), case.files)
    finally:
        peer.close()
    return differences(theirs, ours)


@pytest.fixture(scope="module")
def outcomes(
    dcmqrscp_server: Server,
    wlmscpfs_server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[Case, list[str]]:
    """What differs on each line."""
    base = tmp_path_factory.mktemp("differential")
    inputs = base / "inputs"
    inputs.mkdir()
    write_inputs(inputs)
    servers = {"dcmqrscp": dcmqrscp_server, "wlmscpfs": wlmscpfs_server}
    cases = list(generate(_SEED, _COUNT))
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda case: _run(case, servers, inputs, base / str(case.number)), cases)
        return dict(zip(cases, found, strict=True))


def test_no_command_line_makes_a_difference(
    outcomes: dict[Case, list[str]], record_property: Callable[[str, object], None]
) -> None:
    same = sum(not one for one in outcomes.values())
    told = f"{same} of {len(outcomes)} command lines without difference to findscu"
    record_property("told", told)
    assert {str(case): one for case, one in outcomes.items() if one} == {}


def test_the_lines_are_many_and_of_every_kind(outcomes: dict[Case, list[str]]) -> None:
    peers = Counter(case.peer for case in outcomes)
    assert len(outcomes) >= 300
    assert min(peers["dcmqrscp"], peers["wlmscpfs"]) >= 30
    assert len(peers) > 20


# --- The same lines through the native command. ---

_LOUDNESS = {"-v", "-d", "-q"}
_VERDICT = re.compile(rb"Received Final Find Response \((.*)\)")


def _plain(argv: tuple[str, ...]) -> list[str]:
    """A line without what is said, and without files: only what is asked and shown."""
    kept: list[str] = []
    rest = iter(argv)
    for argument in rest:
        if argument in _LOUDNESS or argument in ("-X", "-Xx", "-sr", "+sr"):
            continue
        if argument in ("-ll", "-lc", "-Xs", "-Xlo", "-od"):
            next(rest)
            continue
        kept.append(argument)
    return kept


def _natively(case: Case, server: Server, inputs: Path) -> str:
    """What the native command does otherwise; empty where nothing."""
    line = [
        argument.replace("@CALLED@", server.aet).replace("@PORT@", str(server.port))
        for argument in _plain(case.argv)
    ]
    theirs = _quietly(["findscu", "-v", *line], inputs)
    ours = _quietly(command(*line, "--associations", "1"), inputs)
    verdicts = _VERDICT.findall(theirs.stderr)
    if ours.returncode == 1:  # refused before anything was sent
        return "" if b"AE title" in ours.stderr else ours.stderr.decode()
    if not verdicts:  # no association, as findscu says too
        good = theirs.returncode != 0 and ours.returncode == 2
        return "" if good else f"{theirs.returncode} {ours.returncode} {ours.stderr!r}"
    is_complete = theirs.returncode == 0 and set(verdicts) == {b"Success"}
    if ours.returncode != (0 if is_complete else 4):
        return f"exit {ours.returncode}, verdicts {verdicts}: {ours.stderr!r}"
    want, have = (sorted(map(_elements, answers(one))) for one in (theirs.stderr, ours.stdout))
    odd = [pair for pair in zip(want, have, strict=False) if pair[0] != pair[1]]
    return "" if want == have else f"{len(have)} answers, not {len(want)}: {odd[:1]}"


def _elements(answer: list[bytes]) -> list[bytes]:
    """The elements of an answer.

    How a sequence is delimited is findscu's, ours is as it came; findscu shows the NUL behind a
    UID. Of text that is not ASCII the element alone: findscu shows its bytes, we show what they
    say, and `test_same_answers` compares that.
    """
    lines = [line.replace(b"\0", b"") for line in answer if b"(fffe," not in line]
    return [
        line.split(b" [", 1)[0] if re.search(rb"[^ -~]", line) else line.split(b" (Sequence", 1)[0]
        for line in lines
    ]


def _quietly(line: list[str], folder: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        line, cwd=folder, capture_output=True, timeout=60, check=False, env=environment()
    )


def test_the_native_command_gives_the_same_answers_and_tells_what_is_not_complete(
    dcmqrscp_server: Server, wlmscpfs_server: Server, tmp_path: Path
) -> None:
    write_inputs(tmp_path)
    servers = {"dcmqrscp": dcmqrscp_server, "wlmscpfs": wlmscpfs_server}
    cases = [case for case in generate(_SEED, _COUNT) if case.peer in servers]
    assert len(cases) >= 60
    found = {str(case): _natively(case, servers[case.peer], tmp_path) for case in cases}
    if odd := [f"{name}: {text}" for name, text in found.items() if text]:
        pytest.fail("\n".join(odd), pytrace=False)
