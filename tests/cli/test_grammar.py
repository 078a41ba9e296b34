"""findscu's command line grammar, as asyncfind reads it."""

from pathlib import Path

import pytest

from asyncfind.cli.grammar import Names, canonical, expand, is_option
from asyncfind.errors import InvalidRequest

NAMES = Names(
    long_of={
        "-k": "--key",
        "--key": "--key",
        "-v": "--verbose",
        "--verbose": "--verbose",
        "-x=": "--propose-uncompr",
        "--propose-uncompr": "--propose-uncompr",
        "+tls": "--enable-tls",
        "--enable-tls": "--enable-tls",
        "-aet": "--aetitle",
        "--aetitle": "--aetitle",
    },
    values={
        "--key": 1,
        "--verbose": 0,
        "--propose-uncompr": 0,
        "--enable-tls": 2,
        "--aetitle": 1,
    },
)


@pytest.mark.parametrize("argument", ["-k", "--key", "+u", "-x=", "--", "-a5"])
def test_a_sign_and_no_digit_is_an_option(argument: str) -> None:
    assert is_option(argument)


@pytest.mark.parametrize("argument", ["", "-", "+", "-5", "+5", "host", "104", "@file"])
def test_everything_else_is_a_parameter(argument: str) -> None:
    assert not is_option(argument)


def test_options_may_stand_anywhere_and_values_look_like_anything() -> None:
    line = ["host", "-k", "-v", "104", "-aet", "-5", "-v", "+tls", "key.pem", "cert.pem", "q.dcm"]
    assert canonical(line, NAMES) == [
        *("--key", "-v", "--aetitle", "-5", "--verbose", "--enable-tls", "key.pem", "cert.pem"),
        *("--", "host", "104", "q.dcm"),
    ]


def test_an_option_name_may_end_in_an_equals_sign() -> None:
    assert canonical(["-x=", "host"], NAMES) == ["--propose-uncompr", "--", "host"]


def test_gnu_habits_are_welcome() -> None:
    assert canonical(["--key=A=B", "--", "-v"], NAMES) == ["--key", "A=B", "--", "-v"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--bogus"], "unknown option --bogus"),
        (["--verb"], "unknown option --verb"),
        (["-vd"], "unknown option -vd"),
        (["-aetFOO"], "unknown option -aetFOO"),
        (["host", "-k"], "option -k needs a value"),
        (["+tls", "key.pem"], r"option \+tls needs 2 values"),
        (["--verbose=1"], "option --verbose takes no value"),
        (["-k=1"], "option -k takes no value"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(line: list[str], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        canonical(line, NAMES)


def test_a_near_miss_gets_a_suggestion() -> None:
    with pytest.raises(InvalidRequest) as caught:
        canonical(["--aetitel", "X"], NAMES)
    assert "--aetitle" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" -k\tPatientName\r\n-v ", ["-k", "PatientName", "-v"]),
        ('-k "PatientName=A B" x', ["-k", "PatientName=A B", "x"]),
        ("""'it"s' "it's" """, ['it"s', "it's"]),
        ('a"b c"d', ["ab c", "d"]),
        ('""', [""]),
        ('"no end', ["no end"]),
        ("back\\slash #no comment", ["back\\slash", "#no", "comment"]),
        ("@nested", ["@nested"]),
    ],
)
def test_a_command_file_is_split_as_findscu_does(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    file = tmp_path / "command.txt"
    file.write_text(text, newline="")
    assert expand(["before", f"@{file}", "after"]) == ["before", *words, "after"]


def test_a_lone_at_sign_is_itself() -> None:
    assert expand(["@"]) == ["@"]


def test_a_command_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot open command file"):
        expand([f"@{tmp_path / 'nofile'}"])
