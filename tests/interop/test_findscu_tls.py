"""Debian's findscu and `asyncfind findscu` side by side with TLS: no difference."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from differential import differences, run_both
from differential.secure import CASES, Peers, SecureCase, write_files

Outcomes = dict[SecureCase, list[str]]


def _run(case: SecureCase, peers: Peers, inputs: Path, scratch: Path) -> list[str]:
    scratch.mkdir()
    argv = (*case.argv, "-k", "0010,0020", "-ta", "2", "127.0.0.1", "@PORT@")
    if case.peer == "none":
        return differences(*run_both(argv, inputs, scratch, lambda: (1, list)))
    peer = peers.open(case.peer)
    try:
        return differences(*run_both(argv, inputs, scratch, lambda: (peer.port, peer.take)))
    finally:
        peer.close()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What differs on each line."""
    base = tmp_path_factory.mktemp("secure")
    inputs, servers = base / "inputs", base / "servers"
    inputs.mkdir()
    servers.mkdir()
    write_files(inputs)
    peers = Peers(servers)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(
            lambda numbered: _run(numbered[1], peers, inputs, base / str(numbered[0])),
            enumerate(CASES),
        )
        return dict(zip(CASES, found, strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_say_the_same_of_tls(outcomes: Outcomes, case: SecureCase) -> None:
    assert outcomes[case] == []
