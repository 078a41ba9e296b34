"""`asyncfind find`, the default command."""

import sys
from typing import Any

import click

from asyncfind.cli.command import TableCommand
from asyncfind.cli.options import FIND, add_options
from asyncfind.cli.streams import is_stdout_closed
from asyncfind.errors import InvalidRequest

__all__ = ["find"]


@click.command(
    cls=TableCommand,
    table=FIND,
    help_when_empty=True,
    usages=(
        "[find] [options] PEER PORT [QUERY-FILE...]",
        "[find] [options] --node AET@HOST:PORT ... [QUERY-FILE...]",
    ),
    context_settings={"max_content_width": 100},
    epilog="Exit codes: 0 everything complete, 1 command line or set-up, 2 no association with "
    "any node, 4 some query not complete, 130 interrupted, 141 the reader of the output went away.",
)
@click.argument("parameters", nargs=-1)
@add_options(FIND)
def find(parameters: tuple[str, ...], **given: Any) -> int:
    """Query archives and worklists (C-FIND); answers stream to standard output.

    Every query file, as changed by the keys, is asked of every archive; without a file the keys
    alone are the query. @FILE is replaced by the arguments in FILE.

    \b
    asyncfind -S -k QueryRetrieveLevel=STUDY -k PatientName="A*" -k StudyDate pacs 11112
    asyncfind -W -k PatientName -k ScheduledProcedureStepSequence[0].Modality=CT ris 104
    asyncfind -P --node A@a:104 --node B@b:104 --repeat 3 --format ndjson patient.dcm
    """
    # The rooms below are imported only now: the help does without them.
    from asyncfind.cli.execute import execute
    from asyncfind.cli.plan import make_plan
    from asyncfind.render.choose import choose

    plan = make_plan(given, parameters)
    if not given["output"] and is_stdout_closed():
        raise InvalidRequest("standard output is closed", "Redirect it, or write --output FILE.")
    if given["output"] == "":
        raise InvalidRequest("--output names no file", "Write --output FILE.")
    return execute(
        plan,
        choose(
            given["format"],
            sys.stdout.buffer,
            sys.stderr,
            given["verbosity"],
            output=given["output"],
        ),
    )
