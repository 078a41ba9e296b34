"""A click command that reads findscu's grammar and shows its option table as help."""

from collections.abc import Sequence
from typing import Any

import click

from asyncfind.cli.grammar import Names, canonical, expand
from asyncfind.cli.options import GROUPED, Option, names_of

__all__ = ["TableCommand", "options_of"]


class TableCommand(click.Command):
    """A command whose options are rows of a table.

    Args:
        table: the rows; `--help` is one of them.
        usages: what follows `asyncfind` in the usage lines.
        help_when_empty: a line without anything shows the help, as findscu does.
    """

    def __init__(
        self,
        *args: Any,
        table: tuple[Option, ...],
        usages: tuple[str, ...],
        help_when_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.add_help_option = False
        self._table = table
        self._usages = usages
        self._help_when_empty = help_when_empty

    @property
    def table(self) -> tuple[Option, ...]:
        """The rows of its options."""
        return self._table

    @property
    def usages(self) -> tuple[str, ...]:
        """What follows `asyncfind` in its usage lines."""
        return self._usages

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        names = names_of(self._table)
        args = canonical(expand(args, grouped=GROUPED), names, ctx.info_name or "find")
        if "--help" in options_of(args, names) or (self._help_when_empty and args == ["--"]):
            click.echo(self.get_help(ctx))
            ctx.exit()
        return super().parse_args(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        # Queries start without it.
        from asyncfind.cli.help import command_page, render, screen_width

        return render(
            command_page(
                self.name or "",
                usages=self._usages,
                text=self.help or "",
                table=self._table,
                epilog=self.epilog or "",
                width=screen_width(),
            )
        )


def options_of(line: Sequence[str], names: Names) -> list[str]:
    """The options of a canonical line without their values, which may look like options."""
    options, rest = [], iter(line)
    for argument in rest:
        if argument == "--":
            break
        options.append(argument)
        for _ in range(names.values.get(argument, 0)):
            next(rest, None)
    return options
