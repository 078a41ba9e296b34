"""Debian's findscu and `asyncfind findscu` side by side on lines from a seed: no difference."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from differential import Case, Recorder, ScriptedPeer, differences, generate, run_both
from differential.inputs import write_inputs
from servers import Server

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
    request: pytest.FixtureRequest,
) -> dict[Case, list[str]]:
    """What differs on each line; how many there are is printed."""
    base = tmp_path_factory.mktemp("differential")
    inputs = base / "inputs"
    inputs.mkdir()
    write_inputs(inputs)
    servers = {"dcmqrscp": dcmqrscp_server, "wlmscpfs": wlmscpfs_server}
    cases = list(generate(_SEED, _COUNT))
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda case: _run(case, servers, inputs, base / str(case.number)), cases)
        outcomes = dict(zip(cases, found, strict=True))
    same = sum(not one for one in outcomes.values())
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    reporter.ensure_newline()
    reporter.write_line(f"{same} of {len(cases)} command lines without difference to findscu")
    return outcomes


def test_no_command_line_makes_a_difference(outcomes: dict[Case, list[str]]) -> None:
    assert {str(case): one for case, one in outcomes.items() if one} == {}


def test_the_lines_are_many_and_of_every_kind(outcomes: dict[Case, list[str]]) -> None:
    peers = Counter(case.peer for case in outcomes)
    assert len(outcomes) >= 300
    assert min(peers["dcmqrscp"], peers["wlmscpfs"]) >= 30
    assert len(peers) > 20
