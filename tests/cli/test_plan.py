"""From the parsed command line to the plan of a run."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from asyncfind.cli import plan as planning
from asyncfind.cli.command import TableCommand
from asyncfind.cli.options import FIND, add_options
from asyncfind.errors import InvalidRequest
from asyncfind.plan import DEFAULT_SYNTAXES, Plan, Timeouts


def _plan(*line: str) -> Plan:
    """The plan of a command line, through click and the option table."""
    plans: list[Plan] = []

    @click.command(cls=TableCommand, table=FIND, usages=("find",))
    @click.argument("parameters", nargs=-1)
    @add_options(FIND)
    def command(parameters: tuple[str, ...], **given: object) -> None:
        plans.append(planning.make_order(given, parameters).plan)

    CliRunner().invoke(command, line, catch_exceptions=False)
    return plans[0]


def test_defaults_are_findscu_s() -> None:
    plan = _plan("-k", "PatientID", "pacs", "104")
    (peer,) = plan.peers
    (query,) = plan.queries
    assert (peer.host, peer.port, peer.called, peer.calling) == ("pacs", 104, "ANY-SCP", "FINDSCU")
    assert query.model.name == "worklist"
    assert query.label == "PatientID"
    assert (plan.repeat, plan.cancel_after, plan.abort) == (1, None, False)
    assert (plan.max_pdu_length, plan.syntaxes) == (16384, DEFAULT_SYNTAXES)
    assert plan.timeouts == Timeouts()


@pytest.mark.parametrize(
    ("options", "model"),
    [
        (["-W"], "worklist"),
        (["-P"], "patient"),
        (["-S"], "study"),
        (["-O"], "patient-study"),
        (["-S", "-P"], "patient"),
        (["--patient", "--study"], "study"),
        (["-S", "--model", "ups-pull"], "ups-pull"),
        (["--model", "ups-pull", "-S"], "study"),
        (["--model", "1.2.840.10008.5.1.4.38.2"], "hanging-protocol"),
    ],
)
def test_the_rightmost_model_counts(options: list[str], model: str) -> None:
    assert _plan(*options, "-k", "PatientID", "pacs", "104").queries[0].model.name == model


@pytest.mark.parametrize(
    ("options", "uids"),
    [
        (["-x="], [".2.1", ".2.2", ".2"]),
        (["-xe"], [".2.1", ".2.2", ".2"]),
        (["-xb"], [".2.2", ".2.1", ".2"]),
        (["-xi"], [".2"]),
        (["-xd"], [".2.1.99", ".2.1", ".2.2", ".2"]),
        (["-xi", "-xb"], [".2.2", ".2.1", ".2"]),
    ],
)
def test_transfer_syntaxes_are_proposed_in_findscu_s_order(
    options: list[str], uids: list[str]
) -> None:
    plan = _plan(*options, "-k", "PatientID", "pacs", "104")
    assert [syntax.uid for syntax in plan.syntaxes] == ["1.2.840.10008.1" + uid for uid in uids]


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (["-to", "3"], {"connect": 3.0}),
        (["-ts", "4"], {"send": 4.0, "response": 4.0, "message": 4.0}),
        (["-ts", "0"], {"send": None, "response": None, "message": None}),
        (["-ts", "-1"], {"send": None, "response": None, "message": None}),
        (["-ta", "5"], {"associate": 5.0, "release": 5.0}),
        (["-td", "6"], {"response": 6.0, "message": 6.0}),
        (["-td", "6", "-ts", "0"], {"send": None, "response": 6.0, "message": 6.0}),
    ],
)
def test_each_timeout_sets_its_clocks(options: list[str], changed: dict[str, float | None]) -> None:
    timeouts = _plan(*options, "-k", "PatientID", "pacs", "104").timeouts
    for name in ("connect", "associate", "send", "response", "message", "release"):
        assert getattr(timeouts, name) == changed.get(name, getattr(Timeouts(), name))


def test_numbers_that_findscu_changes_are_changed() -> None:
    plan = _plan("-pdu", "8193", "--cancel", "0", "-k", "PatientID", "pacs", "104")
    assert (plan.max_pdu_length, plan.cancel_after) == (8192, None)
    assert _plan("--cancel", "2", "-k", "PatientID", "pacs", "104").cancel_after == 2


def test_new_vrs_become_ob_on_request() -> None:
    line = ("-k", "(0008,9999)=1", "pacs", "104")
    assert _plan(*line).queries[0].identifier.elements[0x00089999].vr == "UN"
    assert _plan("-u", *line).queries[0].identifier.elements[0x00089999].vr == "OB"


def test_nodes_stand_beside_peer_and_port_and_each_counts_once(tmp_path: Path) -> None:
    plan = _plan(
        *("-k", "PatientID", "--node", "A@a:1", "--node", "A@a:1", "pacs", "104"),
        *("--node", "b:2", "-aec", "PACS", "-aet", "ME"),
    )
    assert [peer.node for peer in plan.peers] == ["PACS@pacs:104", "A@a:1", "PACS@b:2"]
    assert {peer.calling for peer in plan.peers} == {"ME"}


def test_with_nodes_the_parameters_are_query_files(tmp_path: Path) -> None:
    file = tmp_path / "query.json"
    file.write_text('{"00100020": {"vr": "LO", "Value": ["42"]}}')
    plan = _plan("--node", "a:1", str(file), str(file))
    assert [query.label for query in plan.queries] == [str(file), str(file)]
    assert [peer.node for peer in plan.peers] == ["ANY-SCP@a:1"]


def test_keys_change_every_file(tmp_path: Path) -> None:
    file = tmp_path / "query.json"
    file.write_text('{"00100020": {"vr": "LO", "Value": ["42"]}}')
    plan = _plan("-k", "PatientID=7", "-k", "StudyDate", "pacs", "104", str(file))
    elements = plan.queries[0].identifier.elements
    assert elements[0x00100020].value == b"7 "
    assert 0x00080020 in elements


def test_a_file_that_is_no_query_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear archive")
    with pytest.raises(InvalidRequest, match=r"letter\.txt"):
        _plan("pacs", "104", str(file))
