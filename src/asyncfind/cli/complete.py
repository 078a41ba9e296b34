"""What may stand at the cursor of an unfinished command line.

click can complete too, but not these lines: its parser must read what stands before the cursor,
and findscu's grammar (`-aec AET`, `+tls KEY CERTIFICATE`, `-x=`, options after parameters, `find`
without its name) reaches it only rewritten, once the line is whole. It also takes the words as the
shell cuts them, and bash cuts at every `=` and `:`, so that neither `-k PatientName=` nor `-x=`
arrives in one piece. Here the tables of options are read as `grammar.canonical` reads them, and a
line of bash is cut by our own rules.

A shell asks by `asyncfind __complete SHELL ...` (see `completion`) and gets, first, what follows:

    values              candidates, each a line; the shell sets a blank behind the one it takes
    parts               the same without the blank: more may follow
    files PREFIX        names of files behind PREFIX, which the shell knows best itself
    directories PREFIX  the same of directories

A candidate is `WORD<tab>DESCRIPTION`; bash, which shows no descriptions, gets the word alone, and
of it only what replaces the piece that bash itself took for the word.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import Final, Literal, NamedTuple

import click

from asyncfind.cli.command import TableCommand
from asyncfind.cli.grammar import is_option
from asyncfind.cli.options import FIND, Option
from asyncfind.query.models import MODELS, Model, model_of

__all__ = ["Candidate", "Completion", "answer", "complete", "split_line"]


class Candidate(NamedTuple):
    """A word that may stand at the cursor.

    Args:
        about: shown beside it by shells that can.
    """

    word: str
    about: str = ""


class Completion(NamedTuple):
    """What may stand at the cursor.

    Args:
        prefix: of the word at the cursor, where names of files or directories follow it.
    """

    kind: Literal["values", "parts", "files", "directories"]
    candidates: tuple[Candidate, ...] = ()
    prefix: str = ""


_NOTHING: Final = Completion("values")
_SHELLS: Final = ("bash", "zsh", "fish")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")

_USUAL_KEYS: Final = (
    *("QueryRetrieveLevel", "PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyDate", "StudyTime", "StudyDescription", "StudyInstanceUID"),
    *("ModalitiesInStudy", "Modality", "SeriesInstanceUID", "SeriesDescription"),
    *("SeriesNumber", "SOPInstanceUID", "NumberOfStudyRelatedInstances"),
    *("ScheduledProcedureStepSequence", "RequestedProcedureID", "RequestedProcedureDescription"),
)
"""Keywords to begin with, where nothing was typed yet: all of them are thousands."""


def answer(arguments: Sequence[str]) -> int:
    """Answer a shell's question on standard output; returns an exit code.

    Args:
        arguments: `bash WORD LINE`, WORD being what bash replaces at the end of LINE; or
            `zsh WORDS...` or `fish WORDS...`, the words between the command's name and the cursor.
    """
    shell, *rest = arguments or [""]
    if shell not in _SHELLS or (shell == "bash" and len(rest) != 2):
        return 1
    words = split_line(rest[1])[1:] if shell == "bash" else rest
    found = complete(words or [""])
    prefix = found.prefix
    candidates: Iterable[str]
    if shell == "bash":
        word = words[-1] if words else ""
        behind = len(word) - len(rest[0]) if word.endswith(rest[0]) else 0
        prefix = prefix[behind:]
        candidates = (candidate.word[behind:] for candidate in found.candidates)
    else:
        candidates = (f"{word}\t{about}" for word, about in found.candidates)
    sys.stdout.write("\n".join([f"{found.kind} {prefix}".rstrip(" "), *candidates]) + "\n")
    return 0


def split_line(line: str) -> list[str]:
    r"""The words of a shell's line up to the cursor, from the command's name on.

    Quotes and backslashes are undone; a quote that is still open ends with the line. The last word
    is the one at the cursor, empty behind a blank.
    """
    words, word, quote, begun = [], "", "", False
    characters = iter(line)
    for character in characters:
        if character == "\\" and quote != "'":
            word += next(characters, "")
            begun = True
        elif quote:
            quote, word = ("", word) if character == quote else (quote, word + character)
        elif character in "'\"":
            quote, begun = character, True
        elif character in " \t\n":
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word += character
            begun = True
    words.append(word)
    while len(words) > 1 and _ASSIGNMENT.match(words[0]):
        del words[0]
    return words


def complete(words: Sequence[str]) -> Completion:
    """What may stand in place of the last of `words`, those behind the name `asyncfind`."""
    from asyncfind.cli.app import COMMANDS, app

    first = words[0]
    if len(words) == 1 and not is_option(first) and first not in ("-", "+"):
        if first.startswith("@"):
            return Completion("files", prefix="@")
        names = [Candidate(name, text) for name, (_, _, text) in COMMANDS.items()]
        return _starting(first, names)
    if first not in COMMANDS:
        return _by_table(FIND, words)
    if first == "findscu":
        from asyncfind.cli.emulated import EMULATED

        return _by_table(EMULATED, words[1:], is_native=False)
    if first == "completion" and len(words) == 2 and not words[1].startswith("-"):
        return _starting(words[1], map(Candidate, _SHELLS))
    command = app.get_command(click.Context(app), first)
    return _NOTHING if command is None else _by_command(command, words[1:])


def _starting(word: str, candidates: Iterable[Candidate], prefix: str = "") -> Completion:
    """Those that begin, behind `prefix`, as `word` does."""
    whole = (Candidate(prefix + candidate.word, candidate.about) for candidate in candidates)
    return Completion("values", tuple(one for one in whole if one.word.startswith(word)))


# --- Commands. ---


def _by_command(command: click.Command, words: Sequence[str]) -> Completion:
    """Completion for a command, by what it tells click."""
    if isinstance(command, TableCommand):
        return _by_table(command.table, words, has_files=command.name == "find")
    if isinstance(command, click.Group) and (len(words) > 1 or not words[0].startswith("-")):
        if len(words) > 1:
            below = command.commands.get(words[0])
            return _NOTHING if below is None else _by_command(below, words[1:])
        names = [
            Candidate(name, one.get_short_help_str(80)) for name, one in command.commands.items()
        ]
        return _starting(words[0], names)
    word = words[-1]
    options = {
        name: param
        for param in command.params
        if isinstance(param, click.Option)
        for name in param.opts
    }
    before = options.get(words[-2]) if len(words) > 1 else None
    if before is not None and not before.is_flag:
        return _click_value(before, word)
    name, equals, _ = word.partition("=")
    if equals and name in options:
        return _click_value(options[name], word, f"{name}=")
    if not word.startswith("-"):
        return _NOTHING
    names = [Candidate(name, " ".join((one.help or "").split())) for name, one in options.items()]
    helps = [Candidate(name, "show the help and exit") for name in ("-h", "--help")]
    return _starting(word, [*names, *helps])


def _click_value(option: click.Option, word: str, prefix: str = "") -> Completion:
    if option.metavar == "FILE":
        return Completion("files", prefix=prefix)
    if option.metavar == "DIRECTORY":
        return Completion("directories", prefix=prefix)
    return _starting(word, map(Candidate, getattr(option.type, "choices", ())), prefix)


# --- Tables of options. ---


class _Line(NamedTuple):
    """What stands before the cursor.

    Args:
        row: the option whose value stands at the cursor; None where there is none.
        parameters: how many there are.
        model: of the query.
        has_nodes: --node was given.
        is_ended: `--` was given: what follows is no option.
    """

    row: Option | None
    parameters: int
    model: Model
    has_nodes: bool
    is_ended: bool


def _by_table(
    table: tuple[Option, ...],
    words: Sequence[str],
    *,
    has_files: bool = True,
    is_native: bool = True,
) -> Completion:
    """Completion for a command in findscu's grammar.

    Args:
        has_files: query files follow PEER and PORT.
        is_native: `--option=value` and `--` are understood.
    """
    word = words[-1]
    line = _read(table, words[:-1], is_native=is_native)
    if line.row is not None:
        return _value(line.row, word, line.model)
    if not line.is_ended and word[:1] in ("-", "+"):
        name, equals, _ = word.partition("=")
        row = next((row for row in table if row.long == name), None)
        if is_native and equals and row is not None and row.values == 1:
            return _value(row, word, line.model, f"{name}=")
        return _starting(word, _option_names(table))
    if word.startswith("@"):
        return Completion("files", prefix="@")
    if has_files and (line.has_nodes or line.parameters >= 2):
        return Completion("files")
    return _NOTHING  # a host or a port


def _read(table: tuple[Option, ...], words: Sequence[str], *, is_native: bool) -> _Line:
    rows = {name: row for row in table for name in (row.short, row.long) if name}
    parameters, model, has_nodes, is_ended = 0, model_of("worklist"), False, False
    rest = iter(words)
    for word in rest:
        if is_native and word == "--":
            is_ended = True
        if is_ended or not is_option(word):
            parameters += word != "--"
            continue
        name, equals, value = word.partition("=")
        row = rows.get(word)
        values = [value]
        if row is None:
            row = rows.get(name) if equals else None
        else:
            values = [given for _, given in zip(range(row.values), rest, strict=False)]
            if len(values) < row.values:
                return _Line(row, parameters, model, has_nodes, is_ended)
        if row is not None:
            has_nodes = has_nodes or row.target == "nodes"
            model = _model(row, values, model)
    return _Line(None, parameters, model, has_nodes, is_ended)


def _model(row: Option, values: Sequence[str], before: Model) -> Model:
    if row.target != "model":
        return before
    name = str(row.flag) if row.flag else values[0].lower()
    return next((model for model in MODELS if name in (model.name, model.uid)), before)


def _option_names(table: tuple[Option, ...]) -> Iterator[Candidate]:
    for row in table:
        for name in (row.short, row.long):
            if name:
                yield Candidate(name, row.help)


def _value(row: Option, word: str, model: Model, prefix: str = "") -> Completion:
    """Values of an option, behind `prefix`: `--model=` where the value is written that way."""
    typed = word.removeprefix(prefix)
    choices = row.choices or tuple(getattr(row.type, "choices", ()))
    if choices == ("files",):
        return Completion("files", prefix=prefix)
    if choices == ("directories",):
        return Completion("directories", prefix=prefix)
    if choices == ("keys",):
        return _key(typed, model, prefix)
    if choices == ("nodes",):
        return _node(word, prefix)
    if row.metavar == "SOURCE":
        return _source(typed, row, prefix)
    if row.target == "model":
        names = [Candidate(each.name, each.title) for each in MODELS]
        uids = [Candidate(each.uid, each.title) for each in MODELS]
        return _starting(word, uids if typed[:1].isdecimal() else names, prefix)
    if row.target == "ciphers":
        from asyncfind.net.tls_ciphers import ciphers

        return _starting(word, [Candidate(name) for name in ciphers()], prefix)
    return _starting(word, [Candidate(name) for name in choices], prefix)


def _node(word: str, prefix: str) -> Completion:
    """Nodes and groups of the usual node book."""
    from asyncfind.book.nodebook import NodeBook
    from asyncfind.errors import InvalidRequest

    try:
        book = NodeBook.load()
    except InvalidRequest:  # whoever runs the line will hear of it
        return _NOTHING
    names = [Candidate(name, node.address) for name, node in book.nodes.items()]
    groups = [Candidate(f"@{name}", f"{len(nodes)} nodes") for name, nodes in book.groups.items()]
    return _starting(word, names + groups, prefix)


def _source(typed: str, row: Option, prefix: str) -> Completion:
    """Where a secret is: `file:PATH`, `env:VARIABLE` or `prompt`."""
    if typed.startswith("file:"):
        return Completion("files", prefix=f"{prefix}file:")
    kinds = ["file:", "env:"] + ["prompt"] * ("prompt" in row.help)
    found = _starting(prefix + typed, [Candidate(kind) for kind in kinds], prefix)
    return found._replace(kind="values" if "prompt".startswith(typed) and typed else "parts")


# --- Keys. ---


def _key(typed: str, model: Model, prefix: str) -> Completion:
    """A key: keywords, those in a sequence behind `[0].`, and the levels of the model."""
    path, equals, _ = typed.partition("=")
    if equals:
        if path != "QueryRetrieveLevel":
            return _NOTHING
        levels = model.levels or model_of("patient").levels  # the model may come further right
        return _starting(prefix + typed, map(Candidate, levels), f"{prefix}{path}=")
    before, dot, last = path.rpartition(".")
    found = [Candidate(f"{prefix}{before}{dot}{word}", about) for word, about in _keywords(last)]
    return Completion("parts", tuple(found))


def _keywords(start: str) -> list[Candidate]:
    """Keywords that begin with `start`, in any case where none does in this one."""
    if not start:
        names = {keyword: name for keyword, (_, name) in _dictionary("").items()}
        return [Candidate(keyword, names[keyword]) for keyword in _USUAL_KEYS]
    entries = _dictionary(start)
    found = [Candidate(keyword, name) for keyword, (_, name) in entries.items()]
    if entries.get(start, ("", ""))[0] == "SQ":
        found.append(Candidate(f"{start}[0].", "a key in its item"))
    return found


def _dictionary(start: str) -> dict[str, tuple[str, str]]:
    """VR and name by keyword, of the keywords that begin with `start` (PS3.6 Sections 6 to 8)."""
    table = resources.files("asyncfind.query").joinpath("dictionary.tsv")
    lines = table.read_text(encoding="ascii").splitlines()
    entries = {}
    folded = {}
    lowered = start.lower()
    for line in lines:
        _, vr, _, keyword, name, _ = line.split("\t")
        if keyword and keyword.lower().startswith(lowered):
            folded[keyword] = (vr, name)
            if keyword.startswith(start):
                entries[keyword] = (vr, name)
    return entries or folded
