"""`asyncfind find`, the default command."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from asyncfind.cli.command import TableCommand, options_of
from asyncfind.cli.grammar import canonical, expand
from asyncfind.cli.options import FIND, GROUPED, add_options, names_of
from asyncfind.cli.streams import is_stdout_closed
from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["find"]

_SECRETS = frozenset(("--use-passwd", "--passcode", "--kerberos", "--saml", "--jwt"))
"""Options whose values are not shown again: some are secrets, others may be by mistake."""


class _FindCommand(TableCommand):
    """`find` has options that end the program before its line is checked, as findscu does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Once: a command file may be a pipe.
        line = canonical(expand(args, grouped=GROUPED), names_of(FIND))
        options = options_of(line, names_of(FIND))
        if "--help" in options or line == ["--"]:
            click.echo(self.get_help(ctx))
            ctx.exit()
        _list(ctx, options)
        if "--arguments" in options:
            _show_arguments(line)
        return click.Command.parse_args(self, ctx, line)


def _list(ctx: click.Context, options: list[str]) -> None:
    """Print what --version and the lists ask for, and end."""
    if "--version" in options:
        from asyncfind.cli.app import print_version

        print_version()
    elif "--list-ciphers" in options:
        from asyncfind.cli.secure import cipher_list

        click.echo(cipher_list(), nl=False)
    elif "--list-profiles" in options:
        from asyncfind.cli.secure import profile_list

        click.echo(profile_list(), nl=False)
    else:
        return
    ctx.exit()


def _show_arguments(line: Sequence[str]) -> None:
    """Print the line as it was understood, long names first (--arguments)."""
    separator = line.index("--")
    shown = [*line[:separator], *line[separator + 1 :]]
    for index, argument in enumerate(shown[:-1]):
        if argument in _SECRETS:
            shown[index + 1] = "***"
    words = " ".join(f"'{safe(argument)}'" for argument in shown)
    click.echo(f"asyncfind: called with {len(shown)} arguments: {words}", err=True)


@click.command(
    cls=_FindCommand,
    table=FIND,
    help_when_empty=True,
    usages=(
        "[find] [options] PEER PORT [QUERY-FILE...]",
        "[find] [options] --node NODE ... [QUERY-FILE...]",
        "[find] [options] --node NODE ... --batch LIST [--job FILE]",
        "[find] [options] --resume FILE",
    ),
    epilog="Exit codes: 0 everything complete, 1 command line or set-up, 2 no association with "
    "any node, 4 some query not complete, 130 interrupted, 141 the reader of the output went away.",
)
@click.argument("parameters", nargs=-1)
@add_options(FIND)
def find(parameters: tuple[str, ...], **given: Any) -> int:
    """Query archives and worklists (C-FIND); answers stream to standard output.

    Every query file, as changed by the keys, is asked of every archive; without a file the keys
    alone are the query. @FILE is replaced by the arguments in FILE.
    """
    # The rooms below are imported only now: the help does without them.
    from asyncfind.cli.execute import execute
    from asyncfind.cli.plan import make_order
    from asyncfind.cli.secure import write_seed
    from asyncfind.cli.show import open_display, say_notes
    from asyncfind.logs.levels import Level
    from asyncfind.records import ExitCode

    if dictionaries := os.environ.get("DCMDICTPATH"):
        from asyncfind.query.dictionary import use_dictionary

        use_dictionary(dictionaries)
    _check_output(given)
    order = make_order(given, parameters)
    if given["merge"]:
        from asyncfind.render.merged import check_mergeable

        check_mergeable(order.plan)
    with open_display(given) as display:
        say_notes(given, order.plan, display)
        if order.is_bulk:
            # Only bulk runs pay for its import.
            from asyncfind.cli.bulk import run_bulk

            code = run_bulk(given, order, display)
        else:
            plan = replace(order.plan, trace=display.verbosity > 1)
            code = execute(plan, display.renderer)
        if trouble := write_seed(given):
            display.messages.say(Level.ERROR, [trouble])
            code = code or ExitCode.INCOMPLETE
    return code


def _check_output(given: Mapping[str, Any]) -> None:
    if given["output"] == "":
        raise InvalidRequest("--output names no file", "Write --output FILE.")
    if not given["output"] and is_stdout_closed():
        raise InvalidRequest("standard output is closed", "Redirect it, or write --output FILE.")
