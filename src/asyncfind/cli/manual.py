"""`asyncfind man`: the manual page, made of the same tables as the help."""

from collections.abc import Iterable, Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Final

import click

from asyncfind.cli.command import TableCommand
from asyncfind.cli.help import EXAMPLES, cut_command, exit_codes, prose
from asyncfind.cli.options import ECHO, FIND, Option, groups_of
from asyncfind.errors import InvalidRequest

__all__ = ["man", "manual"]

_ESCAPES: Final = str.maketrans(
    {
        "\\": r"\e",
        "-": r"\-",  # a hyphen could not be copied to a command line
        "'": r"\(aq",
        "`": r"\(ga",
        '"': r"\(dq",
        "^": r"\(ha",
        "~": r"\(ti",
    }
)

_FINDSCU: Final = "findscu [options of findscu] peer port [dcmfile-in...]"
_WIDTH: Final = 72
"""Columns of an example, in a page that is 80 wide."""

_KEYS: Final = """
A key is a tag or a keyword, and behind = the value to match: 0010,0020=42, PatientID=42,
"PatientName=A*". Without = the attribute is asked back and matches everything.

A path leads into a sequence, items counted from 0:
ScheduledProcedureStepSequence[0].Modality=CT.

Keys are set from left to right in the data set of every query file, or in an empty one. Text is
typed in the encoding of the terminal and sent in the character set of the query.

Query files are DICOM files, bare data sets or DICOM JSON (PS3.18 Annex F). An argument @FILE is
replaced by the arguments in FILE; blanks and line ends divide them, and quotes keep them together.
"""

_ENVIRONMENT: Final = (
    (
        "DCMDICTPATH",
        "Dictionary files in DCMTK's format, divided by colons, instead of what is built in.",
    ),
    ("NO_COLOR", "Where it is set and not empty, nothing is coloured."),
    ("TERM", "Where it is dumb, nothing is coloured or moved."),
    ("COLUMNS", "The width to lay out for, instead of the terminal's."),
)

_NATIVE: Final = """
find takes every option of findscu from 3.5.4 to 3.6.9 under the same names, in the same grammar;
--option=value and -- are understood too. What it does is not always the same.

Answers go to standard output, and nothing else does. Exit codes tell of every query: findscu ends
with 0 though a query failed.

Keys, files and options are checked before anything is sent. Every wait has an end, where findscu
waits for ever for a connection and for answers. With TLS the name of the archive is verified, and
the profile of BCP 195 and RFC 8996 is the default, as in findscu 3.6.8.
"""

_EMULATION: Final = """
asyncfind findscu stands in for findscu 3.6.7: the same options, order of checks, log, files and
exit codes (0 also where a query failed, 1 command line, 2 network). A link named findscu that
leads to asyncfind does the same. It knows its own options only, none of those of find.

It differs where it has to. To the archive, and in the files it writes, it names itself: the
implementation class UID and the version name are those of asyncfind. The profile +pb is unknown,
since it needs triple DES. A TLS handshake ends after 30 seconds at the latest. Random numbers
are the system's, whatever +rs names. --version and +cc list the libraries and cipher suites of
this machine, and -ll trace tells no more than -ll debug.

Values of an archive are passed on byte for byte, control characters included, because scripts
rely on it. On a terminal, find is the safer command: it escapes them.
"""


def manual() -> str:
    """The manual page in the language of man(7)."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    from importlib.metadata import version

    from asyncfind.cli.app import COMMANDS
    from asyncfind.cli.echo import echo
    from asyncfind.cli.find import find
    from asyncfind.cli.load import load

    others = list(_others())
    yield f'.TH ASYNCFIND 1 "" "asyncfind {version("asyncfind")}" "User Commands"'
    yield ".nh"  # a keyword that is broken in two cannot be copied
    yield ".SH NAME"
    yield r"asyncfind \- ask DICOM archives and worklists (C\-FIND)"
    yield ".SH SYNOPSIS"
    for usage in (*find.usages, *echo.usages, _FINDSCU, *(_usage(*other) for other in others)):
        yield from (".PP", rf"\fBasyncfind\fR {_escape(usage)}")
    yield ".SH DESCRIPTION"
    yield from _prose(find.help or "")
    yield ".SH COMMANDS"
    for name, (_, _, text) in COMMANDS.items():
        yield from _item(_bold(name), text)
    yield ".SH OPTIONS OF FIND"
    yield from _options(FIND)
    yield ".SH OPTIONS OF ECHO"
    yield from _prose(echo.help or "")
    yield from _prose("These options mean what they mean to find:")
    yield ".PP"
    yield ", ".join(_names(row) for row in ECHO if row in FIND) + "."
    yield from _options(tuple(row for row in ECHO if row not in FIND))
    yield ".SH OTHER COMMANDS"
    for name, command in others:
        yield from _command(name, command)
    yield ".SH KEYS AND QUERY FILES"
    yield from _prose(_KEYS)
    yield ".SH EXIT STATUS"
    for name, epilog in (("find", find.epilog), ("echo", echo.epilog), ("load", load.epilog)):
        yield f".SS {name}"
        for code, meaning in exit_codes(epilog or ""):
            yield from _item(_bold(code), meaning)
    yield ".SH ENVIRONMENT"
    for name, text in _ENVIRONMENT:
        yield from _item(_bold(name), text)
    yield ".SH FILES"
    yield from _prose(
        "asyncfind reads no configuration, and writes no file that it was not told to write."
    )
    yield ".SH COMPATIBILITY WITH FINDSCU"
    yield ".SS find"
    yield from _prose(_NATIVE)
    yield ".SS findscu"
    yield from _prose(_EMULATION)
    yield ".SH EXAMPLES"
    for name in ("find", "echo"):
        for example in EXAMPLES[name]:
            yield from (".PP", _escape(example.what) + ":")
            yield from _as_it_stands(line[2:] for line in cut_command(example.line, _WIDTH))
    yield ".SH SEE ALSO"
    yield r"\fBfindscu\fR(1), \fBechoscu\fR(1), \fBdcmdump\fR(1), \fBjq\fR(1)"


def _escape(text: str) -> str:
    """Text for any place in a line; a line of roff that begins with a dot would be a request."""
    escaped = text.translate(_ESCAPES)
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


def _bold(text: str) -> str:
    return rf"\fB{_escape(text)}\fR"


def _prose(text: str) -> Iterator[str]:
    for paragraph in prose(text):
        yield ".PP"
        yield _escape(paragraph)


def _as_it_stands(lines: Iterable[str]) -> Iterator[str]:
    yield from (".PP", ".RS 4", ".nf", *map(_escape, lines), ".fi", ".RE")


def _item(head: str, text: str) -> Sequence[str]:
    return (".TP", head, _escape(text))


def _names(row: Option) -> str:
    return ", ".join(_bold(name) for name in (row.short, row.long) if name)


def _options(table: Iterable[Option]) -> Iterator[str]:
    for group, rows in groups_of(table).items():
        yield f".SS {_escape(group[:1].upper() + group[1:])}"
        for row in rows:
            yield from _row(row)


def _row(row: Option, *, beside_findscu: bool = True) -> Sequence[str]:
    value = "".join(rf" \fI{_escape(word)}\fR" for word in row.metavar.split())
    is_own = row.since == "asyncfind" and beside_findscu
    own = ". (Not an option of findscu.)" if is_own else "."
    return _item(_names(row) + value, row.help[:1].upper() + row.help[1:] + own)


def _others() -> Iterator[tuple[str, click.Command]]:
    """The commands that have no sections of their own, those of a group behind it."""
    from asyncfind.cli.app import COMMANDS, app

    for name in COMMANDS:
        command = app.get_command(click.Context(app), name)
        if command is None or name in ("find", "echo"):
            continue
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", one) for below, one in command.commands.items())


def _context(name: str, command: click.Command) -> click.Context:
    # Commands below a group have its names for help, and click remembers the first that it is told.
    settings = {"help_option_names": ["-h", "--help"], **command.context_settings}
    return click.Context(command, info_name=name, **settings)


def _usage(name: str, command: click.Command) -> str:
    if isinstance(command, TableCommand):
        return command.usages[0]
    pieces = command.collect_usage_pieces(_context(name, command))
    return " ".join((name, *pieces)).replace("[OPTIONS]", "[options]")


def _command(name: str, command: click.Command) -> Iterator[str]:
    yield f".SS {_escape(name)}"
    text = cleandoc(command.help or "")
    yield from _prose(text)
    if "\b\n" in text:
        yield from _as_it_stands(text.partition("\b\n")[2].splitlines())
    if isinstance(command, TableCommand):
        shared = [row for row in command.table if row in FIND]
        for row in command.table:
            if row not in shared:
                yield from _row(row, beside_findscu=False)
        yield from _prose("These options mean what they mean to find:" if shared else "")
        for group, rows in groups_of(shared).items():
            head = _escape(group[:1].upper() + group[1:])
            yield from (".TP", head, ", ".join(map(_names, rows)))
        return
    context = _context(name, command)
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None and record[1]:
            names, what = record
            yield from _item(_bold(names), " ".join(what.split()))


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--output", metavar="FILE", help="write it to FILE instead of standard output")
def man(output: str | None) -> int:
    """Print the manual page of asyncfind, for man, mandoc or groff: asyncfind man | man -l -

    With --output FILE it is written to FILE, to be put where man looks for it.
    """
    if output is None:
        click.echo(manual(), nl=False)
        return 0
    if not output:
        raise InvalidRequest("--output names no file", "Write --output FILE.")
    try:
        Path(output).write_text(manual(), encoding="ascii")
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "no name of a file"
        raise InvalidRequest(
            f"cannot write the manual page: {reason}", "Name another --output FILE."
        ) from exc
    return 0
