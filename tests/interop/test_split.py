"""Splitting at a real archive with a limit: Orthanc holds back matches and ends with FE00."""

import json
import subprocess
import sys
from typing import Any

import pytest
from servers import Archive, Server, orthanc

_STUDIES = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
_JSON = ("--format", "ndjson")


def _run(server: Server, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, "-m", "asyncfind", *_STUDIES, *server.address, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def _uids(lines: list[dict[str, Any]]) -> list[str]:
    return [line["identifier"]["0020000D"]["Value"][0] for line in lines if line["kind"] == "match"]


def test_all_studies_of_an_orthanc_that_gives_ten_at_a_time(
    archive: Archive, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("orthanc-limit")
    with orthanc(archive, folder, limit_results=10) as server:
        code, lines, _ = _run(server, *_JSON)
        assert (code, lines[-2]["verdict"], len(_uids(lines))) == (4, "cut", 10)
        code, lines, said = _run(server, "--split", *_JSON)
    uids = _uids(lines)
    assert len(uids) == len(set(uids)) == 40
    coverage = lines[-2]["coverage"]
    assert coverage["row_limit"] == 10
    assert "coverage everything: 40 rows" in said
    # It does not match emptiness, so nobody can say whether there are rows without a date.
    assert (code, lines[-2]["verdict"], coverage["state"]) == (0, "suspect", "assumed")
