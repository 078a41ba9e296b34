"""The command `asyncfind`: its subcommands, of which `find` is the default."""

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from asyncfind.cli.streams import forget_stdout, open_missing
from asyncfind.errors import AsyncfindError, OutputFailed
from asyncfind.records import ExitCode

__all__ = ["COMMANDS", "main", "print_version"]

COMMANDS: Final = {
    "find": ("asyncfind.cli.find", "find", "Query archives and worklists (the default command)."),
    "job": ("asyncfind.cli.job", "job", "Look into the file of a kept job; export its answers."),
    "nodes": ("asyncfind.cli.book", "nodes", "Keep archives by name in a node book."),
    "echo": ("asyncfind.cli.echo", "echo", "Ask archives whether they answer (C-ECHO)."),
    "load": ("asyncfind.cli.load", "load", "Put a load on archives and measure it."),
    "archive": ("asyncfind.cli.archive", "archive", "Run an archive with invented patients."),
    "demo": ("asyncfind.cli.demo", "demo", "Show it all on three archives of its own."),
    "findscu": ("asyncfind.cli.findscu", "findscu", "Stand in for findscu 3.6.7, byte for byte."),
    "completion": (
        "asyncfind.cli.completion",
        "completion",
        "Print a script for shell completion.",
    ),
    "man": ("asyncfind.cli.manual", "man", "Print the manual page."),
}
"""Commands by name: the module, what it is called there, and what it does."""


class _Commands(click.Group):
    """Subcommands, imported only when they run: `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command = getattr(__import__(module, fromlist=[name]), name)
        return command if isinstance(command, click.Command) else None  # findscu: see _run

    def get_help(self, ctx: click.Context) -> str:
        from asyncfind.cli.help import program_page, render, screen_width

        commands = {name: text for name, (_, _, text) in COMMANDS.items()}
        return render(program_page(self.help or "", commands, screen_width()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = ("--help", "-h", "--version")
        if args and args[0] not in COMMANDS and not (len(args) == 1 and args[0] in own):
            args = ["find", *args]
        return super().parse_args(ctx, args)


def print_version() -> None:
    """Print our name and version."""
    from importlib.metadata import version  # costs a tenth of all start-up

    click.echo(f"asyncfind, version {version('asyncfind')}")


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        print_version()
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def app() -> None:
    """Ask DICOM archives and worklists (C-FIND): one or many, at once.

    Without a command name, `find` runs: `asyncfind find --help` shows its options.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process."""
    open_missing()
    code = _run(list(sys.argv[1:] if argv is None else argv))
    try:
        sys.stdout.flush()
    except OSError as exc:
        code = _explain(exc)
    if code == ExitCode.CLOSED_PIPE:
        forget_stdout()
    sys.exit(code)


def _run(argv: list[str]) -> int:
    try:
        called = Path(sys.argv[0]).name
        if called == "findscu" or argv[:1] == ["findscu"]:
            from asyncfind.cli.findscu import findscu

            return findscu(argv, sys.argv[0]) if called == "findscu" else findscu(argv[1:])
        if argv[:1] == ["__complete"]:
            from asyncfind.cli.complete import answer

            return answer(argv[1:])
        result: Any = app.main(args=argv, prog_name="asyncfind", standalone_mode=False)
    except BaseException as exc:  # noqa: BLE001 - the one place; a traceback could hold patient data
        return _explain(exc)
    return int(result or 0)


def _explain(exc: BaseException) -> int:
    """Say in one line why we end; returns the exit code."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    match exc:
        case click.exceptions.NoArgsIsHelpError():
            click.echo(exc.format_message())
            return ExitCode.COMPLETE
        case click.ClickException():
            return complain(exc.format_message().rstrip("."), _help_of(exc))
        case OutputFailed():
            complain(exc.text, exc.hint)
            return ExitCode.INCOMPLETE
        case AsyncfindError():
            return complain(exc.text, exc.hint)
        case click.Abort() | KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case BrokenPipeError() | SystemExit():
            # SystemExit is how click and rich end at a closed pipe; nothing else here raises it.
            return ExitCode.CLOSED_PIPE
        case OSError(errno=errno.ENOSPC | errno.EIO | errno.EMFILE | errno.ENFILE | errno.EFBIG):
            forget_stdout()
            complain(exc.strerror or "input or output failed", "Free some space or descriptors.")
            return ExitCode.INCOMPLETE
        case _:
            return complain(
                f"this is a bug in asyncfind: {type(exc).__name__} at {_where(exc)}",
                "Please report it with the command line, patient data removed.",
            )


def _help_of(exc: click.ClickException) -> str:
    context = exc.ctx if isinstance(exc, click.UsageError) else None
    names = [] if context is None else context.command_path.split()[1:]
    name = " ".join(names) if names and names[0] in COMMANDS else "find"
    return f"See `asyncfind {name} --help`."


def complain(text: str, hint: str) -> int:
    """Print one error line; returns the exit code of a command line that cannot be used."""
    line = f"asyncfind: {text}" + (f". {hint}" if hint else "")
    click.echo(line, err=True)
    return ExitCode.USAGE


def _where(exc: BaseException) -> str:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    traceback = exc.__traceback__
    place = "unknown"
    while traceback is not None:
        code = traceback.tb_frame.f_code
        place = f"{code.co_filename.rsplit('asyncfind', 1)[-1].lstrip('/')}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
