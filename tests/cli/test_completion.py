"""Completion: what may stand at the cursor, and that bash puts it there."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.cli.app import COMMANDS, app
from asyncfind.cli.complete import Candidate, Completion, complete, split_line
from asyncfind.cli.completion import SCRIPTS
from asyncfind.cli.emulated import EMULATED
from asyncfind.cli.options import ECHO, FIND, Option
from asyncfind.query.dictionary import standard_tag
from asyncfind.query.models import MODELS


def _answer(*words: str) -> tuple[str, list[str]]:
    """Kind and words of what may stand in place of the last word."""
    found = complete(words)
    return found.kind, [candidate.word for candidate in found.candidates]


def _values(*words: str) -> list[str]:
    kind, values = _answer(*words)
    assert kind == "values"
    return values


def _names(table: tuple[Option, ...], start: str) -> set[str]:
    names = {name for row in table for name in (row.short, row.long) if name}
    return {name for name in names if name.startswith(start)}


# What may stand where.


def test_the_first_word_is_a_command_or_an_option() -> None:
    assert _values("") == list(COMMANDS)
    assert _values("f") == ["find", "findscu"]
    assert "__complete" not in _values("")
    assert _values("pacs") == []


@pytest.mark.parametrize("start", ["-", "--", "+", "-x", "--prof", "-i"])
@pytest.mark.parametrize(
    ("command", "table"),
    [((), FIND), (("find",), FIND), (("echo",), ECHO), (("findscu",), EMULATED)],
)
def test_options_by_their_beginning(
    command: tuple[str, ...], table: tuple[Option, ...], start: str
) -> None:
    assert set(_values(*command, start)) == _names(table, start)
    assert set(_values(*command, "host", "104", "-v", start)) == _names(table, start)


def test_nodes_and_groups_of_the_node_book_are_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = tmp_path / "nodes.toml"
    book.write_text('[node.north]\nhost = "n"\nport = 104\ngroups = ["ring"]\n')
    monkeypatch.setenv("ASYNCFIND_NODES", str(book))
    assert _values("--node", "") == ["north", "@ring"]
    assert _values("--node", "n") == ["north"]
    assert _values("--node", "@") == ["@ring"]
    book.write_text("nonsense")
    assert _values("--node", "") == []


def test_descriptions_are_the_help() -> None:
    helps = {candidate.word: candidate.about for candidate in complete(["-"]).candidates}
    for row in FIND:
        assert helps.get(row.long, row.help) == row.help
    assert helps["-aec"] == helps["--call"]


@pytest.mark.parametrize("row", FIND, ids=lambda row: row.long)
def test_each_choice_of_each_row_is_offered(
    row: Option, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ASYNCFIND_NODES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if not row.metavar:
        assert _values(row.long, "") == []  # a host is next
        return
    kind, values = _answer(row.long, "")
    match row.choices:
        case ("files",) | ("directories",):
            assert (kind, values) == (row.choices[0], [])
        case ("nodes",):
            assert (kind, values) == ("values", [])  # no node book, see below
        case ("keys",):
            assert kind == "parts"
            assert all(standard_tag(value) is not None for value in values)
            assert len(values) < 30
        case ():
            expected = {
                "--model": [model.name for model in MODELS],
                "--passcode": ["file:", "env:", "prompt"],
                "--kerberos": ["file:", "env:"],
                "--saml": ["file:", "env:"],
                "--jwt": ["file:", "env:", "prompt"],
            }
            if row.long == "--cipher":
                assert "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" in values
            else:
                assert values == expected.get(row.long, [])
        case choices:
            assert values == list(choices)
    if row.values == 1:
        attached = complete([f"{row.long}="])
        assert attached.kind == kind
        assert [one.word for one in attached.candidates] == [f"{row.long}={one}" for one in values]
        assert attached.prefix in ("", f"{row.long}=")


def test_both_files_behind_tls() -> None:
    for words in (["+tls", ""], ["+tls", "key.pem", ""], ["--enable-tls", "key.pem", "cer"]):
        assert complete(words) == Completion("files")
    assert _values("+tls", "key.pem", "certificate.pem", "") == []


def test_values_may_look_like_options() -> None:
    assert _values("-aec", "-") == []
    assert "-k" in _values("-aec", "-k", "-")


def test_query_files_come_behind_host_and_port_or_nodes() -> None:
    assert complete(["host", ""]) == Completion("values")
    assert complete(["host", "104", ""]) == Completion("files")
    assert complete(["find", "-k", "PatientID", "host", "-v", "104", "a"]) == Completion("files")
    assert complete(["--node", "a:1", ""]) == Completion("files")
    assert complete(["--node=a:1", ""]) == Completion("files")
    assert complete(["echo", "a:1", "b:2", ""]) == Completion("values")
    assert complete(["findscu", "host", "104", ""]) == Completion("files")
    assert complete(["--", "host", "104", "-"]) == Completion("files")


def test_nodes_have_no_names_yet() -> None:
    assert _values("--node", "") == []


def test_command_files() -> None:
    assert complete(["@ar"]) == Completion("files", prefix="@")
    assert complete(["find", "-v", "@ar"]) == Completion("files", prefix="@")


def test_secrets_come_from_files() -> None:
    assert complete(["--passcode", "file:se"]) == Completion("files", prefix="file:")
    assert complete(["--jwt=file:se"]) == Completion("files", prefix="--jwt=file:")
    assert _values("--passcode", "pr") == ["prompt"]
    assert _answer("--saml", "e") == ("parts", ["env:"])


def test_models_by_name_and_by_uid() -> None:
    assert _values("--model", "ups") == ["ups-pull", "ups-watch", "ups-query"]
    assert set(_values("--model", "1.")) == {model.uid for model in MODELS}


def test_what_only_findscu_or_only_we_understand() -> None:
    assert "--profile-basic" not in _values("findscu", "--")
    assert _values("findscu", "--log-level=") == []
    assert _values("find", "--log-level=")[0] == "--log-level=fatal"


def test_the_other_commands() -> None:
    assert {"--port", "--studies", "--help"} <= set(_values("archive", "-"))
    assert _values("archive", "--port", "-") == []
    assert _values("demo", "-") == ["-h", "--help"]
    assert _values("completion", "") == list(SCRIPTS)
    assert _values("completion", "bash", "") == []
    assert complete(["man", "--output", ""]) == Completion("files")
    assert complete(["man", "--output=x"]) == Completion("files", prefix="--output=")
    assert _values("man", "--o") == ["--output"]
    assert complete(["archive", "--tls-key", ""]) == Completion("files")


def test_commands_below_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = click.Option(["--kind"], type=click.Choice(["small", "large"]))
    place = click.Option(["--place"], metavar="DIRECTORY")
    group = click.Group(
        "shelf",
        commands={
            "add": click.Command("add", params=[kind, place], help="Add a book."),
            "list": click.Command("list"),
        },
    )
    monkeypatch.setitem(COMMANDS, "shelf", ("", "", "Books."))
    monkeypatch.setattr(app, "get_command", lambda context, name: group)
    assert _values("sh") == ["shelf"]
    assert complete(["shelf", ""]).candidates[0] == Candidate("add", "Add a book.")
    assert _values("shelf", "l") == ["list"]
    assert _values("shelf", "none", "") == []
    assert _values("shelf", "-") == ["-h", "--help"]
    assert _values("shelf", "add", "--") == ["--kind", "--place", "--help"]
    assert _values("shelf", "add", "--kind", "") == ["small", "large"]
    assert _values("shelf", "add", "--kind=l") == ["--kind=large"]
    assert complete(["shelf", "add", "--place=a"]) == Completion("directories", prefix="--place=")


# Keys.


def test_keywords_by_their_beginning() -> None:
    kind, values = _answer("-k", "ScheduledProcedureStepSta")
    assert kind == "parts"
    assert values == [
        "ScheduledProcedureStepStartDate",
        "ScheduledProcedureStepStartTime",
        "ScheduledProcedureStepStatus",
        "ScheduledProcedureStepStartDateTime",
    ]


def test_every_keyword_can_be_had() -> None:
    words = {one for start in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for one in _answer("-k", start)[1]}
    assert len(words) > 4800
    assert all(standard_tag(word) is not None for word in words)


def test_letters_may_be_small() -> None:
    assert _answer("-k", "patientbirthd")[1] == [
        "PatientBirthDate",
        "PatientBirthDateInAlternativeCalendar",
    ]


def test_a_path_goes_on_behind_its_item() -> None:
    path = "ScheduledProcedureStepSequence"
    assert _answer("-k", path)[1] == [path, f"{path}[0]."]
    assert _answer("-k", f"{path}[0].ScheduledStationA") == (
        "parts",
        [f"{path}[0].ScheduledStationAETitle"],
    )


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        (["-P"], ["PATIENT", "STUDY", "SERIES", "IMAGE"]),
        (["-S"], ["STUDY", "SERIES", "IMAGE"]),
        (["-O"], ["PATIENT", "STUDY"]),
        (["-P", "--study"], ["STUDY", "SERIES", "IMAGE"]),
        (["--model", "patient-study"], ["PATIENT", "STUDY"]),
        (["--model=patient-study"], ["PATIENT", "STUDY"]),
        ([], ["PATIENT", "STUDY", "SERIES", "IMAGE"]),
    ],
)
def test_levels_are_those_of_the_model(model: list[str], levels: list[str]) -> None:
    words = [f"QueryRetrieveLevel={level}" for level in levels]
    assert _values(*model, "-k", "QueryRetrieveLevel=") == words
    assert _values(*model, "-k", "QueryRetrieveLevel=STU") == ["QueryRetrieveLevel=STUDY"]


def test_a_value_is_the_user_s_own() -> None:
    assert _values("-k", "PatientName=A") == []


_WORDS = st.sampled_from(
    [*COMMANDS, *(name for row in FIND for name in (row.short, row.long)), "--", "-", "+", "@", "a"]
)


@settings(deadline=None)
@given(words=st.lists(st.one_of(_WORDS, st.text("-+=@k:[].0é ", max_size=6)), min_size=1))
def test_any_line_has_an_answer(words: list[str]) -> None:
    found = complete(words)
    assert found.kind in ("values", "parts", "files", "directories")
    assert words[-1].startswith(found.prefix)
    start = words[-1].lower()
    assert all(candidate.word.lower().startswith(start) for candidate in found.candidates)


# Lines.


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("asyncfind ", ["asyncfind", ""]),
        ("asyncfind -k 'A B", ["asyncfind", "-k", "A B"]),
        ('asyncfind -k "A=\\"x', ["asyncfind", "-k", 'A="x']),
        ("asyncfind A\\ B ", ["asyncfind", "A B", ""]),
        ("asyncfind '' x", ["asyncfind", "", "x"]),
        ("LANG=C A=1 asyncfind -x=", ["asyncfind", "-x="]),
        ("asyncfind a\\", ["asyncfind", "a"]),
        ("asyncfind 'it'\"'\"'s'  b", ["asyncfind", "it's", "b"]),
    ],
)
def test_a_line_is_cut_as_a_shell_would(line: str, words: list[str]) -> None:
    assert split_line(line) == words


def _ask(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "asyncfind", "__complete", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_each_shell_gets_what_it_can_show() -> None:
    assert _ask("zsh", "--model", "gp").stdout == (
        "values\ngp-worklist\tGeneral Purpose Worklist\n"
    )
    assert _ask("fish", "--model", "gp").stdout == _ask("zsh", "--model", "gp").stdout
    assert _ask("bash", "gp", "asyncfind --model gp").stdout == "values\ngp-worklist\n"
    # Bash took what stands behind its = for the word.
    assert _ask("bash", "nd", "asyncfind --format=nd").stdout == "values\nndjson\n"
    assert _ask("bash", "se", "asyncfind --jwt=file:se").stdout == "files\n"
    assert _ask("zsh", "--jwt=file:se").stdout == "files --jwt=file:\n"


def test_a_shell_that_we_do_not_know_gets_nothing() -> None:
    for line in ([], ["tcsh", ""], ["bash", "x"]):
        done = _ask(*line)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_keys_are_completed_fast_and_without_pydicom() -> None:
    code = (
        "import sys\nfrom asyncfind.cli.app import _run\n"
        "_run(['__complete', 'zsh', '-k', 'Pat'])\n"
        "print([name for name in ('pydicom', 'rich', 'anyio', 'ssl') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    started = time.process_time()
    complete(["-k", "P"])
    assert time.process_time() - started < 0.2


# Scripts.


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_asks_us_and_knows_every_answer(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "asyncfind", "completion", shell],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, SCRIPTS[shell], "")
    assert f"__complete {shell}" in done.stdout
    for kind in ("values", "parts", "files", "directories"):
        assert re.search(rf"\b{kind}\b", done.stdout)
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=done.stdout, text=True, timeout=60, check=True)


def test_a_script_for_another_shell_is_refused() -> None:
    for line in (["tcsh"], []):
        done = subprocess.run(
            [sys.executable, "-m", "asyncfind", "completion", *line],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith("Name one of bash, zsh, fish.\n")
        assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home with a program, the script and some files in it."""
    program = tmp_path / "bin" / "asyncfind"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m asyncfind "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(SCRIPTS["bash"])
    (tmp_path / "my answers").mkdir()
    for name in ("query one.dcm", "key.pem", "args.txt"):
        (tmp_path / name).touch()
    return tmp_path


def _type(folder: Path, line: str) -> list[str]:
    """Type a line and a tab to a real bash, and see which words come of it."""
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }
    terminal, end = pty.openpty()
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=end, stdout=end, stderr=end, env=environment, cwd=folder, start_new_session=True,
    ) as bash:  # fmt: skip
        os.close(end)
        os.write(terminal, b"source ./script\n")
        # Home, a command that writes its arguments to a file, and Enter.
        os.write(terminal, line.encode() + b"\t\x01printf '%s\\0' >words \x05; echo 'DO''NE'\n")
        screen = b""
        while not re.search(rb"^DONE", screen, re.M) and select.select([terminal], [], [], 30)[0]:
            screen += os.read(terminal, 65536)
        bash.kill()
    os.close(terminal)
    return (folder / "words").read_text().split("\0")[:-1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("asyncfind --propose-unc", "asyncfind --propose-uncompr"),
        ("asyncfind -x=", "asyncfind -x="),
        ("asyncfind comp", "asyncfind completion"),
        ("asyncfind -k PatientSexN", "asyncfind -k PatientSexNeutered"),
        ("asyncfind -k patientsexn", "asyncfind -k PatientSexNeutered"),
        ('asyncfind -k "PatientSexN', "asyncfind -k PatientSexNeutered"),
        ("asyncfind -S -k QueryRetrieveLevel=ST", "asyncfind -S -k QueryRetrieveLevel=STUDY"),
        ("asyncfind -k 'QueryRetrieveLevel=PAT", "asyncfind -k QueryRetrieveLevel=PATIENT"),
        (
            "asyncfind -k ScheduledProcedureStepSequence[0].ScheduledStationA",
            "asyncfind -k ScheduledProcedureStepSequence[0].ScheduledStationAETitle",
        ),
        ("asyncfind --format=nd", "asyncfind --format=ndjson"),
        ("asyncfind --format nd", "asyncfind --format ndjson"),
        ("asyncfind --model hang", "asyncfind --model hanging-protocol"),
        ("asyncfind -ll tr", "asyncfind -ll trace"),
        ("asyncfind @ar", "asyncfind @args.txt"),
        ("asyncfind -od my", "asyncfind -od 'my answers/'"),
        ("asyncfind host 104 que", "asyncfind host 104 'query one.dcm'"),
        ('asyncfind host 104 "que', "asyncfind host 104 'query one.dcm'"),
        ("asyncfind --output=que", "asyncfind '--output=query one.dcm'"),
        ("asyncfind --passcode file:ke", "asyncfind --passcode file:key.pem"),
        ("asyncfind +tls key.pem ke", "asyncfind +tls key.pem key.pem"),
        ("LANG=C asyncfind echo --form", "LANG=C asyncfind echo --format"),
        ("asyncfind findscu --disable-n", "asyncfind findscu --disable-new-vr"),
        ("~/bin/asyncfind archive --stu", "{home}/bin/asyncfind archive --studies"),
    ],
)
def test_bash_completes(folder: Path, line: str, words: str) -> None:
    assert _type(folder, line) == shlex.split(words.format(home=folder))


def test_bash_leaves_room_for_a_value_behind_a_keyword(folder: Path) -> None:
    # No blank was set: what is typed next belongs to the word.
    home = "asyncfind -k PatientSexN\t=ALTERED"
    assert _type(folder, home)[-1] == "PatientSexNeutered=ALTERED"
    assert _type(folder, "asyncfind --propose-unc\t-v")[-2:] == ["--propose-uncompr", "-v"]
