"""`asyncfind demo`: three archives of its own, asked at once."""

import sys
from typing import Final

import anyio
import click

from asyncfind.records import ExitCode

__all__ = ["demo"]

_ARCHIVES: Final = (("NORTH", 400), ("SOUTH", 300), ("EAST", 200))
_KEYS: Final = (
    *("QueryRetrieveLevel=STUDY", "PatientName=M*", "PatientBirthDate", "StudyDate"),
    *("ModalitiesInStudy", "StudyDescription"),
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def demo() -> int:
    """Start three archives with invented patients on this machine and ask all at once."""
    from asyncfind.cli.execute import run_async

    return run_async(_main)


async def _main() -> ExitCode:
    from asyncfind.cli.execute import watch_signals
    from asyncfind.scp.server import ArchiveConfig, serve

    interrupted = False
    code = ExitCode.COMPLETE
    async with anyio.create_task_group() as tasks:

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch_signals, interrupt)
        ports = {}
        for seed, (title, studies) in enumerate(_ARCHIVES, start=1):
            config = ArchiveConfig(aet=title, studies=studies, seed=seed, delay=0.2)
            ports[title] = await tasks.start(serve, config)
        code = await _ask(ports)
        tasks.cancel_scope.cancel()
    return ExitCode.INTERRUPTED if interrupted else code


async def _ask(ports: dict[str, int]) -> ExitCode:
    import time

    from rich.console import Console
    from rich.text import Text

    from asyncfind.plan import Peer, Plan, make_query
    from asyncfind.records import FindDone
    from asyncfind.render.output import StreamOutput
    from asyncfind.render.stream import Streamed
    from asyncfind.render.table import Table
    from asyncfind.render.tally import Tally
    from asyncfind.run.scheduler import stream

    peers = tuple(
        Peer(host="127.0.0.1", port=port, called=title, name=title) for title, port in ports.items()
    )
    plan = Plan(peers=peers, queries=(make_query("study", _KEYS),))
    console = Console()
    console.print(
        f"Three archives with invented patients run on this machine: {', '.join(ports)}.\n"
        "Each takes 0.2 s to answer. All three are asked at once for the studies of\n"
        "patients whose name begins with M:\n"
    )
    console.print(Text("  asyncfind -S " + _line(ports) + "\n", "bold"))
    tally = Tally(plan)
    dones: list[FindDone] = []
    shown = Streamed(Table(console.width), StreamOutput(sys.stdout.buffer))
    started = time.monotonic()
    shown.begin(plan)
    async with stream(plan) as records:
        async for record in records:
            tally.add(shown.show([record]))
            if isinstance(record, FindDone):
                dones.append(record)
    summary = tally.summary(seconds=time.monotonic() - started, interrupted=False)
    shown.end(summary)
    console.print()
    for done in dones:
        console.print(
            f"{done.find.peer.node}: {done.verdict}, {done.matches} matches in {done.seconds:.2f} s"
        )
    console.print(
        f"All three together: {summary.matches} matches in {summary.seconds:.2f} s, not in the sum "
        "of their times.\n\nTry next, with an archive that stays:\n"
    )
    console.print(Text("  asyncfind archive --port 11112 &", "bold"))
    console.print(
        Text("  asyncfind -S -k QueryRetrieveLevel=STUDY -k PatientName=M* localhost 11112", "bold")
    )
    return summary.exit


def _line(ports: dict[str, int]) -> str:
    nodes = " ".join(f"--node {title}@127.0.0.1:{port}" for title, port in ports.items())
    return nodes + " " + " ".join(f"-k '{key}'" for key in _KEYS)
