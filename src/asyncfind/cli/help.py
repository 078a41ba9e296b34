"""Help as people read it: one layout, coloured on a terminal, plain text everywhere else.

Everything is laid out here as lines of styled spans. rich paints them, and is imported only where
there is a terminal to paint on: in a pipe the help starts as fast as ever.
"""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from asyncfind.cli.options import Option, groups_of

__all__ = [
    "EXAMPLES",
    "Example",
    "Line",
    "Span",
    "command_page",
    "cut_command",
    "exit_codes",
    "program_page",
    "prose",
    "render",
    "screen_width",
]

_MORE: Final = "The manual: asyncfind man | man -l -"
_MAX_WIDTH: Final = 120
_MIN_WIDTH: Final = 50
_MAX_PROSE: Final = 90
"""Columns of prose and examples; longer lines are hard to follow back to the next."""
_HANGING: Final = 6
"""By how much the further lines of an example are set in."""
_STYLES: Final = {"head": "bold", "option": "cyan", "metavar": "dim", "note": "dim"}
_WORD: Final = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")


class Span(NamedTuple):
    """A piece of a line.

    Args:
        style: `head`, `option`, `metavar` or `note`; empty for plain text.
    """

    text: str
    style: str = ""


Line = tuple[Span, ...]


class Example(NamedTuple):
    """A command line worth copying, and what it is good for."""

    what: str
    line: str


EXAMPLES: Final[Mapping[str, tuple[Example, ...]]] = {
    "asyncfind": (
        Example(
            "Studies from one archive",
            "asyncfind -S -k QueryRetrieveLevel=STUDY -k PatientName='A*' -k StudyDate "
            "pacs.example 11112",
        ),
        Example(
            "No archive at hand? Three with invented patients, asked at once", "asyncfind demo"
        ),
    ),
    "find": (
        Example(
            "Studies from one archive",
            "asyncfind -S -aec PACS -k QueryRetrieveLevel=STUDY -k PatientName='A*' "
            "-k StudyDate -k StudyDescription pacs.example 11112",
        ),
        Example(
            "Procedures on a worklist",
            "asyncfind -W -aec RIS -k PatientName "
            "-k 'ScheduledProcedureStepSequence[0].Modality=CT' ris.example 104",
        ),
        Example(
            "Many archives at once",
            "asyncfind -S --node NORTH@north.example:11112 --node SOUTH@south.example:11112 "
            "-k QueryRetrieveLevel=STUDY -k PatientID -k StudyDate=20260101-",
        ),
        Example(
            "A list of patients, of all archives of a group, kept so that it can go on",
            "asyncfind -S --node @ring --batch ids.csv -k QueryRetrieveLevel=STUDY "
            "-k StudyInstanceUID --job night.db --format csv",
        ),
        Example(
            "TLS with a key and a certificate of our own",
            "asyncfind -S +tls key.pem certificate.pem +cf ca.pem "
            "-k QueryRetrieveLevel=STUDY -k PatientID=42 pacs.example 2762",
        ),
        Example(
            "Answers as DICOM files in a directory",
            "asyncfind -S -X -od answers -k QueryRetrieveLevel=STUDY -k PatientID=42 "
            "pacs.example 11112",
        ),
        Example(
            "One value of every answer, with jq",
            "asyncfind -S --format ndjson -k QueryRetrieveLevel=STUDY -k StudyInstanceUID "
            "-k StudyDate=20260101 pacs.example 11112 | "
            """jq -r 'select(.kind=="match").identifier["0020000D"].Value[0]'""",
        ),
    ),
    "echo": (
        Example("Two archives", "asyncfind echo PACS@pacs.example:11112 RIS@ris.example:104"),
        Example(
            "With a title of our own, and less patience",
            "asyncfind echo -aet WORKSTATION -to 3 north.example:11112 south.example:11112",
        ),
    ),
}
"""Examples by command; `asyncfind` are those of the program."""


def screen_width() -> int:
    """The width to lay out for: that of the terminal or of COLUMNS, within what reads well."""
    return max(_MIN_WIDTH, min(_MAX_WIDTH, shutil.get_terminal_size().columns))


def render(lines: Iterable[Line]) -> str:
    """The text of `lines`, painted where standard output is a terminal that can show it."""
    if not sys.stdout.isatty():
        return "\n".join("".join(span.text for span in line).rstrip() for line in lines)
    from rich.console import Console
    from rich.text import Text

    # It knows NO_COLOR and what TERM=dumb cannot do.
    console = Console(highlight=False, markup=False, emoji=False, legacy_windows=False)
    with console.capture() as painted:
        for line in lines:
            parts = [(span.text, _STYLES.get(span.style, "")) for span in line]
            console.print(Text.assemble(*parts), soft_wrap=True)
    return painted.get().removesuffix("\n")


def command_page(
    name: str,
    *,
    usages: Sequence[str],
    text: str,
    table: Sequence[Option],
    epilog: str,
    width: int,
) -> Iterator[Line]:
    """The help of a command whose options are a table.

    What a reader wants most stands last: of a page that is longer than the screen a terminal shows
    the end.

    Args:
        usages: what follows `asyncfind` in the usage lines.
        text: paragraphs that say what it does.
        epilog: its exit codes, see `exit_codes`.
    """
    yield from _usage(usages)
    yield from _paragraphs(text, width)
    yield ()
    yield from _table(table, width)
    yield from _examples(name, width)
    if codes := exit_codes(epilog):
        yield _heading("exit codes")
        yield from _definitions(codes, width)
        yield ()
    yield (Span(_MORE, "note"),)


def program_page(text: str, commands: Mapping[str, str], width: int) -> Iterator[Line]:
    """The help of the program: its commands by name, and what each does."""
    yield from _usage(("[COMMAND] [OPTIONS] ...",))
    yield from _paragraphs(text, width)
    yield ()
    yield _heading("commands")
    yield from _definitions(commands.items(), width)
    yield ()
    yield _heading("options")
    own = (("-h, --help", "show this text and exit"), ("--version", "show the version and exit"))
    yield from _definitions(own, width)
    yield ()
    yield from _examples("asyncfind", width)
    yield (Span(_MORE, "note"),)


def prose(text: str) -> list[str]:
    """The paragraphs of a docstring, each in one line.

    Blocks that click is not to fill (they begin with `\b`) are no prose and are left out.
    """
    blocks = [block.strip(" \n") for block in re.split(r"\n\s*\n", text)]
    return [" ".join(block.split()) for block in blocks if block and block[0] != "\b"]


def _usage(usages: Sequence[str]) -> Iterator[Line]:
    for index, usage in enumerate(usages):
        yield (Span("       " if index else "Usage: ", "head"), Span(f"asyncfind {usage}"))
    yield ()


def _heading(text: str) -> Line:
    return (Span(text[:1].upper() + text[1:] + ":", "head"),)  # capitalize() would make Tls of TLS


def _paragraphs(text: str, width: int) -> Iterator[Line]:
    for index, paragraph in enumerate(prose(text)):
        if index:
            yield ()
        for line in _wrap(paragraph, min(width, _MAX_PROSE) - 2):
            yield (Span(f"  {line}"),)


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _table(table: Sequence[Option], width: int) -> Iterator[Line]:
    """Rows under the headings of their groups; the second column is the same for all."""
    heads = {row.long: _head(row) for row in table}
    column = _column((_length(head) for head in heads.values()), width)
    for group, rows in groups_of(table).items():
        yield _heading(group)
        for row in rows:
            yield from _entry(heads[row.long], row.help, column, width)
        yield ()


def _definitions(pairs: Iterable[tuple[str, str]], width: int) -> Iterator[Line]:
    rows = [((Span("  "), Span(name, "option")), text) for name, text in pairs]
    column = _column((_length(head) for head, _ in rows), width)
    for head, text in rows:
        yield from _entry(head, text, column, width)


def _head(row: Option) -> Line:
    """`  -aec, --call AET`; long names stand below each other."""
    short = f"{row.short}," if row.short else ""
    head = (Span("  "), Span(f"{short:<6}{row.long}", "option"))
    return (*head, Span(f" {row.metavar}", "metavar")) if row.metavar else head


def _length(line: Line) -> int:
    return sum(len(span.text) for span in line)


def _column(lengths: Iterable[int], width: int) -> int:
    """Where the second column begins: names that would push it out too far do not count."""
    limit = 32 if width < 100 else 40
    return max((length for length in lengths if length <= limit), default=0) + 2


def _entry(head: Line, text: str, column: int, width: int) -> Iterator[Line]:
    first, *rest = _wrap(text, width - column) or [""]
    used = _length(head)
    if used + 2 > column:
        yield head
        head, used = (), 0
    yield (*head, Span(" " * (column - used)), *_noted(first))
    for line in rest:
        yield (Span(" " * column), *_noted(line))


def _noted(text: str) -> Line:
    """The text with its defaults set back."""
    parts = re.split(r"(\(default[^)]*\))", text)
    return tuple(Span(part, "note" if part.startswith("(default") else "") for part in parts)


def _examples(name: str, width: int) -> Iterator[Line]:
    """What each is for, and a line that can be copied as it stands."""
    examples = EXAMPLES.get(name, ())
    if not examples:
        return
    yield _heading("examples")
    for example in examples:
        yield (Span(f"  # {example.what}", "note"),)
        for line in cut_command(example.line, min(width, _MAX_PROSE)):
            yield (Span(line),)
        yield ()


def cut_command(line: str, width: int) -> Iterator[str]:
    r"""Cut a command line where a shell may; each line but the last ends in `\`."""
    current, indent = "", 2
    units = _units(line)
    for index, unit in enumerate(units):
        room = width - (2 if index < len(units) - 1 else 0)
        if current and len(current) + 1 + len(unit) > room:
            yield current + " \\"
            current, indent = "", _HANGING
        current = f"{current} {unit}" if current else " " * indent + unit
    yield current


def _units(line: str) -> list[str]:
    """What stays in one line: an option and its value, a host and its port, all behind a pipe."""
    units: list[str] = []
    for word in _WORD.findall(line):
        last = units[-1] if units else ""
        if last in ("-k", "--node") or last.startswith("|") or word.isdecimal():
            units[-1] += " " + word
        else:
            units.append(word)
    return units


def exit_codes(epilog: str) -> list[tuple[str, str]]:
    """Codes and meanings of an epilog such as `Exit codes: 0 complete, 1 command line`."""
    title, _, rest = epilog.partition(": ")
    if title != "Exit codes":
        return []
    pairs = (item.partition(" ") for item in re.split(r", (?=\d)", rest.rstrip(".")))
    return [(code, meaning) for code, _, meaning in pairs]
