"""A C-FIND SCP by pynetdicom, in a process of its own."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from servers.process import Server, serve
from servers.studies import Archive
from servers.worklist import write_worklists

__all__ = ["PYNETDICOM_AET", "pynetdicom_scp"]

PYNETDICOM_AET: Final = "PYNETDICOM"


@contextmanager
def pynetdicom_scp(
    archive: Archive,
    worklists: Mapping[str, Sequence[Dataset]],
    folder: Path,
    *,
    max_associations: int = 16,
) -> Iterator[Server]:
    """Run a pynetdicom SCP over the studies of `archive` and all worklists together.

    It searches hierarchically and strictly: an identifier without the unique keys of the levels
    above ends with A900 and an Error Comment. Unlike the other servers it listens on loopback
    only, answers all four models, and holds the matches of C-FIND back once they are cancelled.

    Args:
        folder: an empty one, for worklist files and log.
        max_associations: how many it serves at a time; it rejects more as "Local Limit Exceeded".

    Raises:
        ServerFailed: it does not start.
    """
    write_worklists(folder / "worklists", worklists)

    def command(port: int) -> list[str | Path]:
        places = ("--archive", archive.folder, "--worklists", folder / "worklists")
        limit = ("--max-associations", str(max_associations))
        program = (sys.executable, "-m", "servers.pynetdicom_child")
        return [*program, "--port", str(port), "--aet", PYNETDICOM_AET, *places, *limit]

    with serve(
        "pynetdicom",
        command,
        aet=PYNETDICOM_AET,
        log=folder / "pynetdicom.log",
        models={"-P", "-S", "-O", "-W"},
        folder=Path(__file__).parents[1],
    ) as server:
        yield server
