"""The options of `asyncfind find` as one table, from which the parser and the help are made."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import click

from asyncfind.cli.grammar import Names

__all__ = ["ECHO", "FIND", "SECONDS", "Option", "add_options", "format_table", "names_of"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Args:
        long: canonical name; unique.
        short: as findscu names it; may be empty.
        target: the parameter it sets; options with one target exclude each other, the rightmost
            on the line wins.
        group: heading in the help.
        help: what it does, one sentence without full stop.
        flag: the value that an option without value sets.
        metavar: what its value is called; empty where it takes none.
        type: of the value; text when None.
        default: of the target; given in one row of each target only.
        multiple: every use counts, not only the rightmost.
        since: the findscu that first had it; `asyncfind` for our own.
    """

    long: str
    target: str
    group: str
    help: str
    short: str = ""
    flag: object = None
    metavar: str = ""
    type: "click.ParamType[Any] | None" = None
    default: object = None
    multiple: bool = False
    since: str = "asyncfind"

    @property
    def values(self) -> int:
        """How many values it takes."""
        return 1 if self.metavar else 0


_MODEL: Final = "query information model"
_QUERY: Final = "matching and return keys"
_NODES: Final = "archives"
_TITLES: Final = "application entity titles"
_SYNTAX: Final = "transfer syntaxes proposed"
_NETWORK: Final = "network"
_OUTPUT: Final = "output"
_GENERAL: Final = "general"


def _at_least(low: int, high: int | None = None) -> click.IntRange:
    return click.IntRange(low, high)


class _Seconds(click.ParamType["float"]):
    name = "seconds"

    def __init__(self, low: float, *, exclusive: bool) -> None:
        self._low = low
        self._exclusive = exclusive

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        if not self._low <= seconds <= 1e9 or (self._exclusive and seconds == self._low):
            self.fail(f"{value} is out of range", param, ctx)
        return seconds


SECONDS: Final = _Seconds(0, exclusive=False)
_POSITIVE_SECONDS: Final = _Seconds(0, exclusive=True)

FIND: Final[tuple[Option, ...]] = (
    # Queries.
    Option(
        long="--key", short="-k", target="keys", group=_QUERY, metavar="KEY", multiple=True,
        help='set a key: gggg,eeee="value", Keyword="value" or a path like '
        "ScheduledProcedureStepSequence[0].Modality=CT; without = it is returned, not matched",
        since="3.5.4",
    ),
    Option(long="--worklist", short="-W", target="model", group=_MODEL, flag="worklist",
           default="worklist", help="Modality Worklist (default)", since="3.5.4"),
    Option(long="--patient", short="-P", target="model", group=_MODEL, flag="patient",
           help="Patient Root", since="3.5.4"),
    Option(long="--study", short="-S", target="model", group=_MODEL, flag="study",
           help="Study Root", since="3.5.4"),
    Option(long="--psonly", short="-O", target="model", group=_MODEL, flag="patient-study",
           help="Patient/Study Only (retired)", since="3.5.4"),
    Option(long="--model", target="model", group=_MODEL, metavar="NAME",
           help="any of the 22 C-FIND models by name or UID, e.g. ups-pull, hanging-protocol"),
    # Peers.
    Option(long="--node", target="nodes", group=_NODES, metavar="[AET@]HOST:PORT", multiple=True,
           help="ask this archive (too); repeat it for more"),
    Option(long="--associations", target="associations", group=_NODES, metavar="N",
           type=_at_least(1, 1024), default=4,
           help="most associations to one archive at a time (default 4)"),
    Option(long="--aetitle", short="-aet", target="calling", group=_TITLES, metavar="AET",
           default="FINDSCU", help="our calling AE title (default FINDSCU)", since="3.5.4"),
    Option(long="--call", short="-aec", target="called", group=_TITLES, metavar="AET",
           default="ANY-SCP", help="called AE title of the archive (default ANY-SCP)",
           since="3.5.4"),
    # What goes over the wire.
    Option(long="--propose-uncompr", short="-x=", target="propose", group=_SYNTAX,
           flag="uncompressed", default="uncompressed",
           help="all uncompressed, Explicit VR Little Endian first (default)", since="3.5.4"),
    Option(long="--propose-little", short="-xe", target="propose", group=_SYNTAX, flag="little",
           help="all uncompressed, Explicit VR Little Endian first", since="3.5.4"),
    Option(long="--propose-big", short="-xb", target="propose", group=_SYNTAX, flag="big",
           help="all uncompressed, Explicit VR Big Endian first", since="3.5.4"),
    Option(long="--propose-deflated", short="-xd", target="propose", group=_SYNTAX,
           flag="deflated", help="Deflated Explicit VR Little Endian first", since="3.6.2"),
    Option(long="--propose-implicit", short="-xi", target="propose", group=_SYNTAX,
           flag="implicit", help="Implicit VR Little Endian only", since="3.5.4"),
    Option(long="--compression-level", short="+cl", target="deflate_level", group=_SYNTAX,
           metavar="N", type=_at_least(0, 9),
           help="0 to 9 (default 6), with --propose-deflated", since="3.6.2"),
    Option(long="--enable-new-vr", short="+u", target="new_vr", group=_SYNTAX, flag="kept",
           default="kept", help="send post-1993 value representations as they are (default)",
           since="3.5.4"),
    Option(long="--disable-new-vr", short="-u", target="new_vr", group=_SYNTAX, flag="ob",
           help="send post-1993 value representations (UN, UT and the like) as OB", since="3.5.4"),
    Option(long="--timeout", short="-to", target="connect_timeout", group=_NETWORK,
           metavar="SECONDS", type=_POSITIVE_SECONDS,
           help="for a TCP connection (default 10)", since="3.5.4"),
    Option(long="--socket-timeout", short="-ts", target="socket_timeout", group=_NETWORK,
           metavar="SECONDS", type=_Seconds(-1, exclusive=False),
           help="for sending (default 30), and for answers unless -td is given (default 60); "
           "0 or -1: none",
           since="3.6.6"),
    Option(long="--acse-timeout", short="-ta", target="acse_timeout", group=_NETWORK,
           metavar="SECONDS", type=_POSITIVE_SECONDS,
           help="for the answer to the association request (default 30) and to a release",
           since="3.5.4"),
    Option(long="--dimse-timeout", short="-td", target="dimse_timeout", group=_NETWORK,
           metavar="SECONDS", type=_POSITIVE_SECONDS,
           help="for the first and for each further response (default 60)", since="3.5.4"),
    Option(long="--max-pdu", short="-pdu", target="max_pdu", group=_NETWORK, metavar="BYTES",
           type=_at_least(4096, 131072), default=16384,
           help="largest PDU to receive, 4096 to 131072 (default 16384)", since="3.5.4"),
    Option(long="--repeat", target="repeat", group=_NETWORK, metavar="N", type=_at_least(1),
           default=1, help="send every query N times (default 1)", since="3.5.4"),
    Option(long="--abort", target="abort", group=_NETWORK, flag=True, default=False,
           help="end associations with A-ABORT instead of A-RELEASE", since="3.5.4"),
    Option(long="--cancel", target="cancel_after", group=_NETWORK, metavar="N",
           type=_at_least(0),
           help="send C-CANCEL after N responses of a query (default: never)", since="3.5.4"),
    Option(long="--max-responses", target="max_responses", group=_NETWORK, metavar="N",
           type=_at_least(1), default=1_000_000,
           help="take at most N responses of one query (default 1000000)"),
    Option(long="--max-dataset", target="max_identifier", group=_NETWORK, metavar="BYTES",
           type=_at_least(1024, 2**31), default=16 * 1024 * 1024,
           help="largest identifier to take, received or inflated (default 16 MiB)"),
    # Output.
    Option(long="--format", target="format", group=_OUTPUT, metavar="FORMAT",
           type=click.Choice(["text", "table", "json", "ndjson", "csv"]),
           help="text, table, json, ndjson or csv (default: table on a terminal, else text)"),
    Option(long="--output", target="output", group=_OUTPUT, metavar="FILE",
           help="write the results to FILE, which appears only once it is whole"),
    Option(long="--quiet", short="-q", target="verbosity", group=_GENERAL, flag=-1, default=0,
           help="no messages on stderr, only results and exit code", since="3.6.0"),
    Option(long="--verbose", short="-v", target="verbosity", group=_GENERAL, flag=1,
           help="tell what happens, on stderr", since="3.5.4"),
    Option(long="--help", short="-h", target="help", group=_GENERAL, flag=True, default=False,
           help="show this text and exit", since="3.5.4"),
)  # fmt: skip


_ECHOED: Final = (
    *("nodes", "calling", "called", "max_pdu", "help"),
    *("connect_timeout", "socket_timeout", "acse_timeout", "dimse_timeout"),
)

ECHO: Final[tuple[Option, ...]] = (
    *(row for row in FIND if row.target in _ECHOED),
    Option(long="--format", target="format", group=_OUTPUT, metavar="FORMAT",
           type=click.Choice(["table", "ndjson"]),
           help="table or ndjson (default: table)"),
)  # fmt: skip


def names_of(options: tuple[Option, ...]) -> Names:
    """The names in a table, for the grammar."""
    return Names(
        long_of={name: row.long for row in options for name in (row.short, row.long) if name},
        values={row.long: row.values for row in options},
    )


def add_options(options: tuple[Option, ...]) -> Callable[[_Command], _Command]:
    """A decorator that declares the rows of a table to click."""
    defaults = {row.target: row.default for row in options if row.default is not None}

    def decorate(command: _Command) -> _Command:
        for row in reversed(options):
            if row.target != "help":
                command = _declare(row, defaults.get(row.target))(command)
        return command

    return decorate


def _declare(row: Option, default: object) -> Callable[[_Command], _Command]:
    option = partial(
        click.option, row.long, row.target, help=row.help, default=default, expose_value=True
    )
    if not row.metavar:
        return option(flag_value=row.flag, type=click.UNPROCESSED)
    if row.multiple:
        return option(multiple=True, default=(), metavar=row.metavar, type=row.type)
    return option(metavar=row.metavar, type=row.type)


def format_table(options: tuple[Option, ...], formatter: click.HelpFormatter) -> None:
    """Write the table as help, group by group in the table's order."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for row in options:
        names = ", ".join(name for name in (row.short, row.long) if name)
        groups.setdefault(row.group, []).append((f"{names} {row.metavar}".rstrip(), row.help))
    for group, rows in groups.items():
        with formatter.section(group.capitalize()):
            formatter.write_dl(rows, col_max=36)
