"""Every recorded run of findscu 3.6.7, byte for byte; those of 3.5.4 by the native command."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from commands import command, environment
from transcripts import answers, differences, play, read_transcripts

_CASES = {case.id: case for case in read_transcripts("3.6.7")}
_SEED = {case.id: case for case in read_transcripts("3.5.4")}

Outcomes = dict[str, list[str]]


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """What differs in each recorded run."""
    program = command("findscu")
    with ThreadPoolExecutor(2) as pool:
        played = pool.map(lambda case: play(case, program, environment()), _CASES.values())
        return {
            case.id: differences(case, one)
            for case, one in zip(_CASES.values(), played, strict=True)
        }


def test_no_recorded_run_is_missing() -> None:
    assert (len(_CASES), len(_SEED)) == (122, 13)


@pytest.mark.parametrize("name", _CASES)
def test_a_recorded_run_is_repeated_byte_for_byte(outcomes: Outcomes, name: str) -> None:
    assert outcomes[name] == []


def test_how_many_are_the_same(
    outcomes: Outcomes, record_property: Callable[[str, object], None]
) -> None:
    """The count is printed at the end of the run (`tests/conftest.py`)."""
    same = sum(not one for one in outcomes.values())
    record_property(
        "told", f"{same} of {len(outcomes)} recorded runs of findscu 3.6.7 byte for byte"
    )
    assert same == len(_CASES)


_EXITS = {
    **dict.fromkeys(("final-c000-comment-default", "peer-closes"), 4),  # 0, said findscu
    **dict.fromkeys(("reject-1-1-3", "no-acceptable-context", "refused"), 2),  # 1, said findscu
}


@pytest.mark.parametrize("name", _SEED)
def test_the_native_command_has_the_answers_of_the_seed_s_version(name: str) -> None:
    case = _SEED[name]
    # With -X alone findscu of now shows nothing; then, it always did.
    played = play(case, command("find", "+sr", "-ta", "5"), environment())
    assert played.exit == _EXITS.get(name, 0)
    expected, found = answers(case.stdout), answers(played.stdout)
    assert len(found) == len(expected)
    # 3.5.4 knew no UR, UC, OD, OL, SV, UV and OV: from there on it took values for headers.
    assert name == "dump-allvr" or found == expected
    assert set(case.files) <= set(played.files)
