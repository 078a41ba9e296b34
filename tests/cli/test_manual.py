"""The manual page: all that there is to say, in roff that every formatter takes."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from asyncfind.cli.app import COMMANDS, app
from asyncfind.cli.help import EXAMPLES
from asyncfind.cli.manual import manual
from asyncfind.cli.options import ECHO, FIND

_SECTIONS = [
    *("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS OF FIND", "OPTIONS OF ECHO"),
    *("OTHER COMMANDS", "KEYS AND QUERY FILES", "EXIT STATUS", "ENVIRONMENT"),
    *("FILES", "COMPATIBILITY WITH FINDSCU", "EXAMPLES", "SEE ALSO"),
]
_REQUESTS = {".TH", ".SH", ".SS", ".PP", ".TP", ".RS", ".RE", ".nf", ".fi", ".nh"}
_UNESCAPED = {
    r"\e": "\\",
    r"\-": "-",
    r"\(aq": "'",
    r"\(ga": "`",
    r"\(dq": '"',
    r"\(ha": "^",
    r"\(ti": "~",
    r"\fB": "",
    r"\fI": "",
    r"\fR": "",
    r"\&": "",
}


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "asyncfind", "man", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _plain(roff: str) -> str:
    """What a line of roff shows; an escape that we do not use fails."""
    return re.sub(r"\\(\(..|f.|.)", lambda found: _UNESCAPED[found[0]], roff)


def test_its_sections_are_those_of_a_manual_page() -> None:
    lines = manual().splitlines()
    assert [line[4:] for line in lines if line.startswith(".SH ")] == _SECTIONS
    assert re.fullmatch(r'\.TH ASYNCFIND 1 "" "asyncfind [0-9.]+" "User Commands"', lines[0])
    assert _plain(lines[lines.index(".SH NAME") + 1]).startswith("asyncfind - ")


def test_its_roff_is_well_formed() -> None:
    text = manual()
    assert text.isascii()
    lines = text.splitlines()
    assert {line.split()[0] for line in lines if line.startswith(".")} == _REQUESTS
    assert not [line for line in lines if line.startswith("'") or not line.strip()]
    assert all(len(line) < 2000 for line in lines)
    for line in lines:
        if not line.startswith("."):
            _plain(line)
            fonts = re.findall(r"\\f(.)", line)
            assert fonts[1::2] == ["R"] * (len(fonts) // 2)  # each is closed
            assert len(fonts) % 2 == 0
    filled = [line for line in lines if line in (".nf", ".fi")]
    assert filled == [".nf", ".fi"] * (len(filled) // 2)
    indented = [line.split()[0] for line in lines if line.startswith((".RS", ".RE"))]
    assert indented == [".RS", ".RE"] * (len(indented) // 2)
    heads = [index for index, line in enumerate(lines) if line == ".TP"]
    assert not [index for index in heads if lines[index + 1].startswith(".")]
    assert not [index for index in heads if lines[index + 2].startswith(".")]


def test_formatters_take_it_without_a_warning(tmp_path: Path) -> None:
    page = tmp_path / "asyncfind.1"
    assert _run("--output", str(page)).returncode == 0
    formatters = {
        "groff": ["-man", "-ww", "-Tascii", "-z"],
        "mandoc": ["-T", "lint", "-W", "error"],
    }
    for name, options in formatters.items():
        if program := shutil.which(name):
            done = subprocess.run(
                [program, *options, str(page)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), name
    # Where there is none of them, the structure is what there is to check.
    assert page.read_text(encoding="ascii") == manual()


def test_every_command_and_option_is_in_it() -> None:
    heads = [
        _plain(line)
        for before, line in zip(manual().splitlines(), manual().splitlines()[1:], strict=False)
        if before == ".TP"
    ]
    for name in COMMANDS:
        assert name in heads
    for row in (*FIND, *ECHO):
        names = ", ".join(name for name in (row.short, row.long) if name)
        assert f"{names} {row.metavar}".rstrip() in heads
    assert any(head.startswith("--studies") for head in heads)


def test_what_an_option_does_is_in_it() -> None:
    text = _plain(manual().replace("\n", " "))
    for row in FIND:
        assert row.help[1:] in text
    own = sum(
        row.since == "asyncfind" for row in (*FIND, *(row for row in ECHO if row not in FIND))
    )
    assert text.count("Not an option of findscu.") == own


def test_each_command_of_a_group_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    size = click.Option(["--size"], metavar="N", help="how large it is")
    add = click.Command("add", params=[size, click.Argument(["title"])], help="Add a book.")
    group = click.Group("shelf", commands={"add": add}, help="Keep books.")
    known = app.get_command
    monkeypatch.setitem(COMMANDS, "shelf", ("", "", "Keep books."))
    monkeypatch.setattr(
        app, "get_command", lambda ctx, name: group if name == "shelf" else known(ctx, name)
    )
    lines = manual().splitlines()
    assert r"\fBasyncfind\fR shelf add [options] TITLE" in lines
    section = lines[lines.index(".SS shelf add") :]
    assert section[:3] == [".SS shelf add", ".PP", "Add a book."]
    assert section[3:6] == [".TP", r"\fB\-\-size N\fR", "how large it is"]


def test_exit_codes_environment_and_findscu_are_in_it() -> None:
    text = _plain(manual())
    for words in ("everything complete", "some query not complete", "every node answered"):
        assert words in text
    for name in ("DCMDICTPATH", "NO_COLOR", "TERM", "COLUMNS"):
        assert f"\n{name}\n" in text
    assert "findscu 3.6.7" in text


def test_examples_can_be_copied() -> None:
    text = _plain(manual().partition(".SH EXAMPLES\n")[2])
    blocks = re.findall(r"\.nf\n(.*?)\.fi\n", text, re.DOTALL)
    lines = [example.line for name in ("find", "echo") for example in EXAMPLES[name]]
    assert [shlex.split(block.replace("\\\n", "")) for block in blocks] == list(
        map(shlex.split, lines)
    )


def test_it_goes_to_standard_output_or_a_file(tmp_path: Path) -> None:
    done = _run()
    assert (done.returncode, done.stdout, done.stderr) == (0, manual(), "")
    file = tmp_path / "page"
    done = _run("--output", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.read_text() == manual()


@pytest.mark.parametrize("name", ["", "no/such/folder/page", "."])
def test_a_file_that_cannot_be_written_is_said_so(tmp_path: Path, name: str) -> None:
    done = _run("--output", name and f"{tmp_path}/{name}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--output" in done.stderr
    assert len(done.stderr.splitlines()) == 1
