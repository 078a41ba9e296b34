"""findscu's command line grammar: what is an option, what is a value, what `@file` means.

Options may stand anywhere, have several letters behind one dash or a plus, and `-x=` is a name.
click does not read such lines; it gets them rewritten: long names first, then `--`, then the
parameters.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["Names", "canonical", "expand", "is_option"]

_MAX_COMMAND_FILE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Names:
    """The options of one command.

    Args:
        long_of: canonical long name by every spelling, `-k` and `--key` to `--key`.
        values: how many values each canonical name takes.
        blocks: the block that a canonical name is in; of a block the rightmost wins.
    """

    long_of: Mapping[str, str]
    values: Mapping[str, int]
    blocks: Mapping[str, str] = field(default_factory=dict)


def is_option(argument: str) -> bool:
    """findscu's rule: a sign, then at least one character that is no digit."""
    return len(argument) >= 2 and argument[0] in "-+" and not "0" <= argument[1] <= "9"


def expand(
    arguments: Sequence[str], *, encoding: str = "utf-8", grouped: Collection[str] = ()
) -> list[str]:
    """Replace every `@file` by the arguments in that command file.

    Arguments are separated by white space; a quoted block (`"` or `'`) may hold white space, and
    its closing quote ends the argument. Command files do not nest, and a lone `@` is itself.

    Args:
        encoding: of arguments and files; bytes that it does not have are kept as surrogates.
        grouped: options behind which `@name` is a group of nodes.

    Raises:
        InvalidRequest: a command file cannot be read.
    """
    expanded: list[str] = []
    for before, argument in pairwise(("", *arguments)):
        if len(argument) > 1 and argument.startswith("@") and before not in grouped:
            name = argument[1:].encode(encoding, "surrogateescape")
            expanded += _words(_read(Path(os.fsdecode(name)), encoding))
        else:
            expanded.append(argument)
    return expanded


def canonical(arguments: Sequence[str], names: Names, command: str = "find") -> list[str]:
    """Rewrite a command line with long option names first, then `--` and the parameters.

    Args:
        command: whose help an error points to.

    Raises:
        InvalidRequest: an unknown option, or one without its value.
    """
    options: list[list[str]] = []
    parameters: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            parameters += rest
        elif not is_option(argument):
            parameters.append(argument)
        elif argument in names.long_of:
            long = names.long_of[argument]
            options.append([long, *_values(argument, names.values[long], rest, command)])
        else:
            options.append(_gnu(argument, names, command))
    flat = [argument for option in _effective(options, names) for argument in option]
    return [*flat, "--", *parameters]


def _effective(options: list[list[str]], names: Names) -> list[list[str]]:
    """The options without those that others of their block, further right, replace."""
    last = {names.blocks.get(option[0]): option[0] for option in options}
    return [
        option
        for option in options
        if option[0] not in names.blocks or last[names.blocks[option[0]]] == option[0]
    ]


def _see(command: str) -> str:
    return f"See `asyncfind {command} --help`."


def _values(option: str, count: int, rest: Iterator[str], command: str) -> list[str]:
    values = [value for _, value in zip(range(count), rest, strict=False)]
    if len(values) < count:
        raise InvalidRequest(
            f"option {option} needs {'a value' if count == 1 else f'{count} values'}",
            _see(command),
        )
    return values


def _gnu(argument: str, names: Names, command: str) -> list[str]:
    """`--option=value`, which findscu does not know."""
    name, equals, value = argument.partition("=")
    long = names.long_of.get(name)
    if long is None:
        from difflib import get_close_matches  # only those who mistype need it

        near = get_close_matches(name, names.long_of, n=3, cutoff=0.6)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise InvalidRequest(f"unknown option {safe(argument, 64)}", hint + _see(command))
    if not equals or names.values[long] != 1 or not argument.startswith("--"):
        raise InvalidRequest(f"option {name} takes no value behind =", _see(command))
    return [long, value]


def _read(path: Path, encoding: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_COMMAND_FILE + 1)
    except OSError as exc:
        raise InvalidRequest(
            f"cannot open command file '{safe(str(path), 200)}': {exc.strerror}",
            "A command file is named right behind the @; write ./@name for a file whose name "
            "begins with @.",
        ) from exc
    if len(data) > _MAX_COMMAND_FILE:
        raise InvalidRequest(
            f"command file '{safe(str(path), 200)}' is larger than 16 MiB",
            "A command file holds options and parameters only.",
        )
    return data.decode(encoding, "surrogateescape")


def _words(text: str) -> list[str]:
    words: list[str] = []
    at, end = 0, len(text)
    while at < end:
        if text[at] in " \t\r\n":
            at += 1
            continue
        word = ""
        while at < end and text[at] not in " \t\r\n":
            if text[at] in "\"'":
                close = text.find(text[at], at + 1)
                close = end if close < 0 else close
                word += text[at + 1 : close]
                at = close + 1
                break
            word += text[at]
            at += 1
        words.append(word)
    return words
