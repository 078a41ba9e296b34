"""What a load may not do to an archive that others depend on."""

from typing import Any

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.load.safety import check_caps, is_loopback, matches_all
from asyncfind.load.schedule import constant, make_schedule, parse_stages
from asyncfind.load.spec import Load
from asyncfind.plan import Peer, Plan, make_query

_FAR = Peer(host="pacs.example", port=104, called="PACS")
_NEAR = Peer(host="127.0.0.1", port=104)


def _load(*peers: Peer, **changes: Any) -> Load:
    return Load(plan=Plan(peers=peers or (_FAR,)), **changes)


_RATE = make_schedule(constant(20, 60))


@pytest.mark.parametrize(
    ("load", "why"),
    [
        (_load(associations=9, schedule=_RATE), "9 associations"),
        (_load(associations=2, on_saturation="grow", most=9, schedule=_RATE), "9 associations"),
        (_load(schedule=make_schedule(constant(21, 60))), "21 queries per second"),
        (_load(schedule=make_schedule(parse_stages("0:1,1m:30"))), "30 queries per second"),
        (_load(schedule=make_schedule(constant(1, 601))), "601 s"),
        (_load(schedule=make_schedule(constant(1), count=601)), "601 s"),
        (_load(schedule=make_schedule(constant(1, 600), warm_up=1)), "601 s"),
        (_load(associations=4, duration=60), "4 at a time may be more than 20"),
        (_load(associations=4, think=0.2, duration=601), "601 s"),
        # One AE that is named twice is asked by both.
        (_load(_FAR, Peer(host="pacs.example", port=104, called="PACS", name="again"),
               associations=5, schedule=_RATE), "10 associations"),
    ],
)  # fmt: skip
def test_too_much_is_refused_in_words(load: Load, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as refused:
        check_caps(load)
    assert "--i-own-this-scp" in refused.value.hint


@pytest.mark.parametrize(
    "load",
    [
        _load(associations=8, schedule=_RATE),
        _load(_FAR, Peer(host="other.example", port=104),
              schedule=make_schedule(constant(40, 60))),
        _load(associations=4, think=0.2, duration=600),
        _load(_NEAR, associations=2000, duration=3600),
        _load(_NEAR, schedule=make_schedule(constant(5000, 3600))),
    ],
)  # fmt: skip
def test_what_is_polite_or_at_home_is_not(load: Load) -> None:
    check_caps(load)


def test_this_machine_is_known_by_its_names() -> None:
    hosts = ["127.0.0.1", "127.8.8.8", "::1", "localhost", "10.0.0.1", "localhost.example", "::2"]
    found = [is_loopback(Peer(host=host, port=104)) for host in hosts]
    assert found == [True, True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["QueryRetrieveLevel=STUDY", "PatientID"], True),
        (["QueryRetrieveLevel=STUDY", "PatientName=*"], True),
        (["QueryRetrieveLevel=STUDY", "SpecificCharacterSet=ISO_IR 100", "StudyDate="], True),
        (["QueryRetrieveLevel=STUDY", "PatientName=A*"], False),
        (["QueryRetrieveLevel=STUDY", "StudyDate=20260101-"], False),
        (["PatientName", "ScheduledProcedureStepSequence[0].Modality=CT"], False),
        (["PatientName", "ScheduledProcedureStepSequence[0].Modality"], True),
    ],
)
def test_queries_that_match_everything(keys: list[str], expected: bool) -> None:
    assert matches_all(make_query("study", keys)) is expected
