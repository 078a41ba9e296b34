"""Each option of `asyncfind find` that is about the query, the network and the results."""

import json
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from commands import STUDIES, Hall, Recorder, at_terminal, command, environment, run
from interleaver import Acceptor, final, numbered, pending
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from asyncfind.net.transport import Stream
from asyncfind.scp import script
from asyncfind.scp.answers import Answers
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.server import Server
from asyncfind.scp.session import Pace
from asyncfind.ul.find_options import FindOptions

_MODELS = {
    ("-W", "--worklist"): "1.2.840.10008.5.1.4.31",
    ("-P", "--patient"): "1.2.840.10008.5.1.4.1.2.1.1",
    ("-S", "--study"): "1.2.840.10008.5.1.4.1.2.2.1",
    ("-O", "--psonly"): "1.2.840.10008.5.1.4.1.2.3.1",
}
_SYNTAXES = {
    ("-x=", "--propose-uncompr"): [".2.1", ".2.2", ".2"],
    ("-xe", "--propose-little"): [".2.1", ".2.2", ".2"],
    ("-xb", "--propose-big"): [".2.2", ".2.1", ".2"],
    ("-xi", "--propose-implicit"): [".2"],
    ("-xd", "--propose-deflated"): [".2.1.99", ".2.1", ".2.2", ".2"],
}
_PATIENT_ID = 0x00100020


def _named(table: dict[tuple[str, str], Any]) -> list[tuple[str, Any]]:
    return [(name, value) for names, value in table.items() for name in names]


def _ask(hall: Hall, server: Server, *arguments: str | Path, **options: Any) -> str:
    """The standard output of a query that has to go well and to say nothing else."""
    done = run(*STUDIES, *arguments, "127.0.0.1", hall.serve(server), **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _refuse(*arguments: str | Path) -> str:
    """What is said to a line that cannot be used."""
    done = run(*STUDIES, *arguments, "127.0.0.1", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("asyncfind: ")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


# Queries.


@pytest.mark.parametrize(("option", "uid"), _named(_MODELS))
def test_the_model_is_the_one_named(hall: Hall, option: str, uid: str) -> None:
    server = Recorder()
    done = run(option, "-k", "PatientID=7", "127.0.0.1", hall.serve(server))
    assert done.returncode == 0
    assert server.request.contexts[0].abstract_syntax == uid
    assert server.asked[0][0] == uid


def test_a_model_goes_by_name_or_uid(hall: Hall) -> None:
    server = Recorder()
    port = hall.serve(server)
    for name in ("ups-pull", "1.2.840.10008.5.1.4.38.2"):
        assert run("--model", name, "-k", "PatientID", "127.0.0.1", port).returncode == 0
    assert [uid for uid, _, _ in server.asked] == [
        "1.2.840.10008.5.1.4.34.6.3",
        "1.2.840.10008.5.1.4.38.2",
    ]


def test_keys_by_tag_keyword_path_and_old_name(hall: Hall) -> None:
    server = Recorder()
    done = run(
        *("-k", "0010,0020=42", "--key", "PatientsName=Quill*", "-k", "(0008,0050)"),
        *("-k", "ScheduledProcedureStepSequence[0].Modality=CT", "127.0.0.1", hall.serve(server)),
    )
    assert done.returncode == 0
    elements = server.identifier.elements
    assert elements[_PATIENT_ID].value == b"42"
    assert elements[0x00100010].value == b"Quill*"
    assert elements[0x00080050].value == b""
    steps = elements[0x00400100].value
    assert isinstance(steps, list)
    (step,) = steps
    assert step.elements[0x00080060].value == b"CT"


def test_query_files_are_changed_by_keys(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "query.json"
    file.write_text('{"00100020": {"vr": "LO", "Value": ["42"]}}')
    server = Recorder()
    done = run("-S", "-k", "PatientName", "127.0.0.1", hall.serve(server), file)
    assert done.returncode == 0
    assert list(server.identifier.elements) == [0x00100010, _PATIENT_ID]


@pytest.mark.parametrize(
    ("options", "vr"),
    [((), "UN"), (("+u",), "UN"), (("--enable-new-vr",), "UN"), (("-u",), "OB"),
     (("--disable-new-vr",), "OB"), (("-u", "+u"), "UN")],
)  # fmt: skip
def test_post_1993_representations_are_kept_or_not(
    hall: Hall, options: tuple[str, ...], vr: str
) -> None:
    server = Recorder()
    _ask(hall, server, *options, "-k", "(0008,9999)=1")
    assert server.identifier.elements[0x00089999].vr == vr


# Archives and titles.


def test_nodes_are_asked_beside_each_other(hall: Hall) -> None:
    one, other = Recorder(1), Recorder(2)
    ports = hall.serve(one), hall.serve(other)
    nodes = [f"--node=A{number}@127.0.0.1:{port}" for number, port in enumerate(ports)]
    done = run(*STUDIES, *nodes, "--format", "csv", "--aetitle", "WORKSTATION")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 4
    assert [server.request.called for server in (one, other)] == ["A0", "A1"]
    assert one.request.calling == "WORKSTATION"


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_associations_than_allowed(hall: Hall, most: int) -> None:
    server = Recorder(pace=Pace(query=0.05))
    _ask(hall, server, "--associations", str(most), "--repeat", "9")
    assert server.counters.queries == 9
    assert server.counters.peak == most


@pytest.mark.parametrize(
    "options", [("-aet", "ME", "-aec", "YOU"), ("--aetitle", "ME", "--call", "YOU")]
)
def test_titles(hall: Hall, options: tuple[str, ...]) -> None:
    server = Recorder()
    _ask(hall, server, *options)
    assert (server.request.calling, server.request.called) == ("ME", "YOU")
    _ask(hall, default := Recorder())
    assert (default.request.calling, default.request.called) == ("FINDSCU", "ANY-SCP")


# Transfer syntaxes.


@pytest.mark.parametrize(("option", "uids"), _named(_SYNTAXES))
def test_transfer_syntaxes_are_proposed_and_used(hall: Hall, option: str, uids: list[str]) -> None:
    server = Recorder()
    shown = _ask(hall, server, option, "-k", "PatientID=7")
    assert [
        uid.removeprefix("1.2.840.10008.1") for uid in server.request.contexts[0].transfer_syntaxes
    ] == uids
    assert server.asked[0][2].uid.endswith(uids[0])
    assert server.identifier.elements[_PATIENT_ID].value == b"7 "
    assert shown.count("Find Response: ") == 2
    assert "PN [Merriweather^Florence ]" in shown


@pytest.mark.parametrize("option", ["+cl", "--compression-level"])
def test_the_compression_level_is_heeded(hall: Hall, option: str) -> None:
    server = Recorder()
    port = hall.serve(server)
    long = "PatientName=" + "A" * 60
    for level in ("0", "9"):
        done = run(*STUDIES, "-xd", option, level, "-k", long, "127.0.0.1", port)
        assert done.returncode == 0
    stored, deflated = (data for _, data, _ in server.asked)
    assert (b"A" * 60 in stored, b"A" * 60 in deflated) == (True, False)  # RFC 1951 Section 3.2.4
    assert "only allowed with" in _refuse(option, "5")


# Negotiation and identity.


@pytest.mark.parametrize(
    ("option", "place"),
    [("--relational", 0), ("--datetime", 1), ("--fuzzy", 2), ("--timezone", 3),
     ("--multiframe", 4)],
)  # fmt: skip
def test_extended_negotiation_asks_and_tells(hall: Hall, option: str, place: int) -> None:
    all_of_them = FindOptions(date_time=True, fuzzy=True, timezone=True, multiframe=True)
    for grants in (True, False):
        policy = Policy(relational=grants, options=all_of_them if grants else FindOptions())
        server = Recorder(policy=policy)
        done = run(*STUDIES, option, "-v", "127.0.0.1", hall.serve(server))
        assert done.returncode == 0
        (item,) = server.request.user_information.extended_negotiation
        assert item.application_information == bytes(place) + b"\x01"
        told = [line for line in done.stderr.splitlines() if "accept" in line]
        assert len(told) == 1
        assert ("does not accept" in told[0]) == (not grants)


def test_queries_share_an_association_as_far_as_it_goes(hall: Hall) -> None:
    order: list[int] = []

    async def answer_backwards(stream: Stream) -> None:
        acceptor = Acceptor(stream, window=3)
        await acceptor.until(requests=3)
        for message_id, _ in reversed(acceptor.requests):
            order.append(message_id)
            await acceptor.send(pending(message_id, numbered("Q", message_id)))
            await acceptor.send(final(message_id))
        await acceptor.rest()

    done = run(
        *(*STUDIES, "--async", "5", "--repeat", "3", "--associations", "1", "-v"),
        *("--format", "ndjson", "127.0.0.1", hall.handle(answer_backwards)),
    )
    assert done.returncode == 0, done.stderr
    assert order == sorted(order, reverse=True)
    assert len(order) == 3
    assert "3 queries at a time over one association (5 asked for)." in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    values = {
        line["repeat"]: line["identifier"]["00100020"]["Value"]
        for line in lines
        if line["kind"] == "match"
    }
    assert values == {
        repeat: [f"Q-{message_id}"]
        for repeat, message_id in zip((1, 2, 3), sorted(order), strict=True)
    }


_KINDS = {
    "--user": (1, b"florence", None),
    "--passcode": (2, b"florence", None),
    "--kerberos": (3, b"a ticket", b"a ticket of theirs"),
    "--saml": (4, b"<saml/>", b"<saml:Response/>"),
    "--jwt": (5, b"e30.e30.", b"e30.e30."),
}


@pytest.mark.parametrize("option", _KINDS)
def test_pynetdicom_learns_who_we_are(option: str, tmp_path: Path) -> None:
    kind, primary, answer = _KINDS[option]
    seen: list[tuple[int, bytes, bytes]] = []

    def identify(event: evt.Event) -> tuple[bool, bytes | None]:
        seen.append((event.user_id_type, event.primary_field, event.secondary_field or b""))
        return True, answer

    secret = tmp_path / "secret"
    secret.write_bytes(b"open sesame" if option == "--passcode" else primary)
    if kind <= 2:
        line = ["--user", "florence"]
        line += ["--passcode", f"file:{secret}"] if option == "--passcode" else []
    else:
        line = [option, f"file:{secret}"]
    ae = AE(ae_title="PYNETDICOM")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False,
        evt_handlers=[(evt.EVT_USER_ID, identify), (evt.EVT_C_FIND, lambda event: iter(()))],
    )  # fmt: skip
    assert server is not None
    try:
        port = server.server_address[1]
        done = run(*STUDIES, *line, "--user-rsp", "-d", "127.0.0.1", str(port))
    finally:
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert seen == [(kind, primary, b"open sesame" if option == "--passcode" else b"")]
    said = "accepted, with an answer of" if answer else "may have been ignored"
    assert said in done.stderr
    for value in (primary, b"open sesame", answer or b"sesame"):
        assert value.decode() not in done.stderr + done.stdout


def test_a_user_who_is_not_known_is_told_so_without_the_secret(hall: Hall) -> None:
    server = Server(Answers(1), policy=Policy(users={b"florence": b"open sesame"}))
    port = hall.serve(server)
    line = (*STUDIES, "--user", "florence", "--passcode", "env:CODE", "127.0.0.1", port)
    done = run(*line, "-d", env=environment(CODE="open sesame"))
    assert done.returncode == 0
    assert "User Identity:               user name and passcode" in done.stderr
    assert "open sesame" not in done.stderr
    done = run(*line, "-d", "--arguments", env=environment(CODE="a guess"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "user name and passcode" in done.stderr
    assert "a guess" not in done.stderr


@pytest.mark.parametrize("option", ["--passcode", "--kerberos", "--saml", "--jwt"])
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(option: str) -> None:
    user = ["--user", "florence"] if option == "--passcode" else []
    assert "open sesame" not in _refuse(*user, option, "open sesame")
    done = run(*STUDIES, "--arguments", *user, option, "open sesame", "127.0.0.1", "1")
    assert "open sesame" not in done.stderr


def test_a_passcode_is_asked_for_on_the_terminal(hall: Hall) -> None:
    server = Server(Answers(1), policy=Policy(users={b"florence": b"open sesame"}))
    line = (*STUDIES, "--user", "florence", "--passcode", "prompt", "127.0.0.1", hall.serve(server))
    code, screen = at_terminal(line, "Passcode of florence: ", "open sesame")
    assert code == 0, screen
    assert "open sesame" not in screen
    done = run(*line, start_new_session=True)
    assert done.returncode == 1
    assert "no terminal" in done.stderr


# The network.


@pytest.mark.parametrize(
    ("options", "host", "words"),
    [
        (["-i4"], "127.0.0.1", ""),
        (["--ipv4"], "::1", "has no IPv4 address"),
        (["-i6"], "::1", ""),
        (["--ipv6"], "127.0.0.1", "has no IPv6 address"),
        (["-i0"], "127.0.0.1", ""),
        (["-i6", "--ip-auto"], "127.0.0.1", ""),
        ([], "::1", ""),
        ([], "[::1]", ""),
    ],
)
def test_families_of_addresses(hall: Hall, options: list[str], host: str, words: str) -> None:
    port = hall.serve(Server(Answers(1)), host.strip("[]"))
    done = run(*STUDIES, *options, host, port)
    assert done.returncode == (2 if words else 0)
    assert words in done.stderr
    assert ("-i0 to take any" in done.stderr) == bool(words)


def test_own_addresses_are_taken_in_turn() -> None:
    seen = []
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        line = command(
            *(*STUDIES, "--bind", "127.0.0.2,127.0.0.3", "--node"),
            f"A@127.0.0.1:{listener.getsockname()[1]}",
            *("--node", f"B@127.0.0.1:{listener.getsockname()[1]}"),
        )
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            for _ in range(2):
                connection, address = listener.accept()
                seen.append(address[0])
                connection.close()
            process.communicate(timeout=30)
    assert sorted(seen) == ["127.0.0.2", "127.0.0.3"]


def test_addresses_that_are_not_ours_or_none(hall: Hall) -> None:
    assert "'nowhere' is no IP address" in _refuse("--bind", "nowhere")
    done = run(*STUDIES, "--bind", "192.0.2.1", "127.0.0.1", hall.serve(Server(Answers(1))))
    assert done.returncode == 2
    assert "cannot connect from 192.0.2.1" in done.stderr
    done = run(*STUDIES, "--bind", "::1", "127.0.0.1", hall.serve(Server(Answers(1))))
    assert done.returncode == 2
    assert "no address that ::1 can connect to" in done.stderr


@pytest.mark.parametrize("option", ["-to", "--timeout"])
def test_a_connection_that_is_never_taken_ends_in_time(option: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        # The queue is full: the kernel drops further requests.
        with socket.create_connection(address):
            done = run(*STUDIES, option, "0.3", "127.0.0.1", str(address[1]))
    assert done.returncode == 2
    assert "within 0.3 s" in done.stderr
    assert "-to allows more time" in done.stderr


_REQUESTED = script.never_answers(script.Moment.REQUESTED)
_LATE = script.Script((script.Step(script.Moment.QUERY, script.Delay(0.6)),))


@pytest.mark.parametrize(
    ("options", "misbehaviour", "code", "words"),
    [
        (["-ta", "0.3"], _REQUESTED, 2, "within 0.3 s"),
        (["--acse-timeout", "0.3"], _REQUESTED, 2, "within 0.3 s"),
        (["-td", "0.3"], script.never_answers(), 4, "no sign of a response within 0.3 s"),
        (["--dimse-timeout", "0.3"], script.stalls_after(1), 4, "a further response within 0.3 s"),
        (["-ts", "0.3"], script.never_answers(), 4, "no sign of a response within 0.3 s"),
        (["--socket-timeout", "0.3"], script.stalls_after(2), 4, "within 0.3 s (2 matches so far)"),
        (["-ts", "0", "-td", "0.3"], script.never_answers(), 4, "within 0.3 s"),
        (["--first-response", "0.3"], script.never_answers(), 4, "no sign of a response within"),
        (["--first-response", "0", "-td", "0.3"], _LATE, 0, ""),
        (["-td", "0.3"], _LATE, 4, "no sign of a response within 0.3 s"),
        (["--first-response", "9", "-td", "0.3"], script.stalls_after(1), 4, "a further response"),
        (["--deadline", "0.3"], script.stalls_after(1), 4, "the query did not end within 0.3 s"),
        (["--deadline", "0", "--first-response", "0"], _LATE, 0, ""),
    ],
)
def test_every_clock_ends_what_it_is_for(
    hall: Hall, options: list[str], misbehaviour: script.Script, code: int, words: str
) -> None:
    port = hall.serve(Server(Answers(3), scripts=script.always(misbehaviour)))
    started = time.monotonic()
    done = run(*STUDIES, *options, "127.0.0.1", port, "--format", "ndjson")
    assert time.monotonic() - started < 8
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert (done.stderr == "") == (code == 0)
    *_, last, _ = (json.loads(line) for line in done.stdout.splitlines())
    assert last["verdict"] == {0: "complete", 2: "unreached", 4: "timeout"}[code]


@pytest.mark.parametrize(
    ("options", "length"),
    [((), 16384), (("-pdu", "4096"), 4096), (("--max-pdu", "131072"), 131072),
     (("-pdu", "8193"), 8192)],
)  # fmt: skip
def test_our_pdu_size_is_told(hall: Hall, options: tuple[str, ...], length: int) -> None:
    server = Recorder()
    _ask(hall, server, *options)
    assert server.request.user_information.max_length == length


def test_repeated_queries_are_asked_so_often(hall: Hall) -> None:
    server = Recorder(1)
    assert _ask(hall, server, "--repeat", "3").count("Find Response: 1") == 3
    assert server.counters.queries == 3


def test_associations_end_in_release_or_abort(hall: Hall) -> None:
    _ask(hall, released := Recorder())
    _ask(hall, aborted := Recorder(), "--abort")
    assert (released.counters.releases, aborted.counters.releases) == (1, 0)


def test_a_query_is_cancelled_when_it_was_to_be(hall: Hall) -> None:
    server = Recorder(1000, pace=Pace(response=0.02))
    done = run(*STUDIES, "--cancel", "2", "--format", "ndjson", "127.0.0.1", hall.serve(server))
    assert done.returncode == 0, done.stderr
    assert server.counters.cancels == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-2]["verdict"] == "cancelled"
    assert 2 <= lines[-2]["matches"] < 1000
    assert _ask(hall, Recorder(2), "--cancel", "0").count("Find Response: ") == 2


def test_too_much_is_cut_with_the_option_that_allows_it(hall: Hall) -> None:
    port = hall.serve(Server(Answers(9)))
    done = run(*STUDIES, "--max-responses", "3", "--format", "csv", "127.0.0.1", port)
    assert done.returncode == 4
    assert len(done.stdout.splitlines()) == 4
    assert "--max-responses" in done.stderr
    port = hall.serve(Server(Answers(1, elements=60)))
    done = run(*STUDIES, "--max-dataset", "1024", "127.0.0.1", port)
    assert done.returncode == 4
    assert "--max-dataset" in done.stderr


# `asyncfind echo` shares what is of use to it.


def test_echo_takes_the_options_of_the_network(hall: Hall) -> None:
    server = Recorder(policy=Policy(users={b"florence": b"open sesame"}))
    port = hall.serve(server)
    line = ("--user", "florence", "--passcode", "env:CODE", "--bind", "127.0.0.2", "-i4")
    titles = ("-aet", "ME", "-aec", "YOU", "-pdu", "8192")
    env = environment(CODE="open sesame")
    done = run("echo", *line, *titles, f"127.0.0.1:{port}", "--format", "ndjson", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "0000"
    assert (server.request.calling, server.request.called) == ("ME", "YOU")
    assert server.request.user_information.max_length == 8192
    done = run("echo", *line, "-q", f"127.0.0.1:{port}", env=environment(CODE="a guess"))
    assert (done.returncode, done.stderr) == (2, "")
    done = run("echo", *line, f"127.0.0.1:{port}", env=environment(CODE="a guess"))
    assert "user name and passcode" in done.stderr
    assert "a guess" not in done.stderr
    done = run("echo", "-i6", f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert "no IPv6 address" in done.stderr


@pytest.mark.parametrize("options", [("-ta", "0.3"), ("-td", "0.3"), ("-ts", "0.3")])
def test_echo_ends_in_time(hall: Hall, options: tuple[str, ...]) -> None:
    moment = script.Moment.REQUESTED if options[0] == "-ta" else script.Moment.ECHO
    silent = Server(Answers(0), scripts=script.always(script.never_answers(moment)))
    done = run("echo", *options, f"127.0.0.1:{hall.serve(silent)}")
    assert done.returncode == (2 if options[0] == "-ta" else 4)
    assert "within 0.3 s" in done.stderr


# Results.


@pytest.mark.parametrize("name", ["text", "table", "json", "ndjson", "csv"])
def test_each_format(hall: Hall, name: str, tmp_path: Path) -> None:
    shown = _ask(hall, Server(Answers(2)), "--format", name)
    if name in ("json", "ndjson"):
        for document in [shown] if name == "json" else shown.splitlines():
            json.loads(document)
    else:
        ways = ("Merriweather^Florence", "Merriweather, Florence", "2.25.1659954198664901139494")
        assert sum(shown.count(way) for way in ways) >= 2
    file = tmp_path / "results"
    assert _ask(hall, Server(Answers(2)), "--format", name, "--output", file) == ""
    kept = file.read_text()
    assert len(kept.splitlines()) == len(shown.splitlines())


@pytest.mark.parametrize(
    ("options", "value"),
    [((), "[STUDY ]"), (("+dc",), "[STUDY]"), (("--enable-correction",), "[STUDY]"),
     (("-dc",), "[STUDY ]"), (("+dc", "--disable-correction"), "[STUDY ]")],
)  # fmt: skip
def test_padding_is_shown_or_not(hall: Hall, options: tuple[str, ...], value: str) -> None:
    shown = _ask(hall, Server(Answers(1)), *options)
    (line,) = (line for line in shown.splitlines() if "QueryRetrieveLevel" in line)
    assert line == f"(0008,0052) CS {value:<40} #   6, 1 QueryRetrieveLevel"


@pytest.mark.parametrize(
    ("options", "is_shown"),
    [(("-sr",), False), (("--hide-responses",), False), (("+sr",), True),
     (("--show-responses", "-q"), True), (("+sr", "-sr"), False), (("-sr", "+sr"), True)],
)  # fmt: skip
def test_responses_are_shown_or_not(hall: Hall, options: tuple[str, ...], is_shown: bool) -> None:
    port = hall.serve(Server(Answers(2)))
    done = run(*STUDIES, *options, "127.0.0.1", port)
    assert done.returncode == 0
    assert ("Find Response: 2" in done.stdout) == is_shown
    # They are counted all the same.
    if "-q" not in options:
        done = run(*STUDIES, *options, "-v", "127.0.0.1", port)
        assert "2 matches from 1 node" in done.stderr


# General.


def test_arguments_are_shown_as_they_were_understood(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "more"
    file.write_text("-k PatientName='Quill*' --call PACS\n")
    port = hall.serve(Server(Answers(1)))
    done = run(*STUDIES, "--arguments", "-q", f"@{file}", "127.0.0.1", port)
    assert done.returncode == 0
    assert done.stderr == (
        "asyncfind: called with 13 arguments: '--study' '--key' 'QueryRetrieveLevel=STUDY' "
        "'--key' 'StudyInstanceUID' '--arguments' '--quiet' '--key' 'PatientName=Quill*' "
        f"'--call' 'PACS' '127.0.0.1' '{port}'\n"
    )


def test_a_command_file_may_be_a_pipe(hall: Hall) -> None:
    port = hall.serve(Server(Answers(1)))
    done = run("@/dev/stdin", input=f"{' '.join(STUDIES)} 127.0.0.1 {port}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Find Response: 1" in done.stdout


@pytest.mark.parametrize("option", ["--version", "+cc", "+ph", "--help"])
def test_what_ends_at_once_does_so_whatever_else_there_is(option: str) -> None:
    done = run(option, "-aec", "far too long for a title", "-k", "NoSuchKeyword")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    done = run(option, "--bogus")
    assert done.returncode == 1


def test_values_that_look_like_options_are_values(hall: Hall) -> None:
    server = Recorder()
    _ask(hall, server, "-aec", "--version", "-aet", "-h")
    assert (server.request.called, server.request.calling) == ("--version", "-h")


def test_the_version_is_one_line() -> None:
    done = run("find", "--version")
    assert re.fullmatch(r"asyncfind, version [0-9.]+\n", done.stdout)


# The dictionary.


def test_a_dictionary_of_ones_own(hall: Hall, tmp_path: Path) -> None:
    dictionary = tmp_path / "private.dic"
    dictionary.write_text(
        '(0011,"OURS",10)\tLO\tWardName\t1\tOurs\n(0010,0020)\tLO\tPersonNumber\t1\tX\n'
    )
    server = Recorder()
    port = hall.serve(server)
    env = environment(DCMDICTPATH=str(dictionary))
    done = run("-S", "-k", "PersonNumber=7", "127.0.0.1", port, env=env)
    assert done.returncode == 0, done.stderr
    assert server.identifier.elements[_PATIENT_ID].value == b"7 "
    assert "LO [P0012345]                               #   8, 1 PersonNumber\n" in done.stdout
    done = run("-S", "-k", "PatientID=7", "127.0.0.1", port, env=env)
    assert done.returncode == 1
    assert "PatientID" in done.stderr


@pytest.mark.parametrize("line", ["(0010,zzzz)\tLO\tX\t1\tY", "(0010,0020)\tQQ\tX\t1\tY"])
def test_a_bad_dictionary_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    dictionary = tmp_path / "bad.dic"
    dictionary.write_text(f"# ours\n(0010,0010)\tPN\tName\t1\tX\n{line}\n")
    done = run(*STUDIES, "127.0.0.1", "1", env=environment(DCMDICTPATH=str(dictionary)))
    assert (done.returncode, done.stdout) == (1, "")
    assert str(dictionary) in done.stderr
    assert re.search(r"line 3|:3", done.stderr), done.stderr
    missing = tmp_path / "none.dic"
    done = run(*STUDIES, "127.0.0.1", "1", env=environment(DCMDICTPATH=str(missing)))
    assert done.returncode == 1
    assert str(missing) in done.stderr


@pytest.mark.parametrize(
    ("old", "tag"),
    [("PatientsName", 0x00100010), ("PatientsBirthDate", 0x00100030),
     ("ReferringPhysiciansName", 0x00080090)],
)  # fmt: skip
def test_names_of_2005_are_understood(hall: Hall, old: str, tag: int) -> None:
    server = Recorder()
    done = run("-S", "-k", old, "127.0.0.1", hall.serve(server))
    assert done.returncode == 0
    assert list(server.identifier.elements) == [tag]
