"""DCMTK's two C-FIND SCPs: the image archive dcmqrscp and the worklist server wlmscpfs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from servers.process import Server, program, run_program, serve
from servers.studies import Archive
from servers.worklist import write_worklists

__all__ = ["ARCHIVE_AET", "dcmqrscp", "wlmscpfs"]

ARCHIVE_AET: Final = "DCMQRSCP"
# The program adds no studies here: the quota only has to be larger than what is registered.
_CONFIGURATION: Final = """\
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = {max_associations}
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{aet} {database} R (500, 1024mb) ANY
AETable END
"""


@contextmanager
def dcmqrscp(
    archive: Archive,
    folder: Path,
    *,
    max_associations: int = 16,
    arguments: Sequence[str] = (),
) -> Iterator[Server]:
    """Run DCMTK's archive over the studies of `archive`.

    Args:
        folder: an empty one, for index, configuration and log.
        max_associations: how many it serves at a time; it rejects more as "Local Limit Exceeded".
            It forks for each, and misses the end of one until the next caller comes: that one is
            rejected too when the last place has just become free.
        arguments: further options, such as `+xi` (implicit VR only), `+U8 -Cr` (answers in UTF-8),
            `-XF` (check identifiers) or `-QP` (no Patient Root).

    Raises:
        MissingProgram: DCMTK is not installed.
        ServerFailed: it does not start.
    """
    database = folder / "database"
    database.mkdir(parents=True)
    run_program("dcmqridx", database, *archive.files)
    configuration = folder / "dcmqrscp.cfg"
    path = program("dcmqrscp")

    def command(port: int) -> list[str | Path]:
        configuration.write_text(
            _CONFIGURATION.format(
                port=port, max_associations=max_associations, aet=ARCHIVE_AET, database=database
            ),
            "ascii",
        )
        # It would look up the host name of every caller.
        return [path, "-v", "--disable-host-lookup", "-c", configuration, *arguments]

    refused = {"-QP": "-P", "-QS": "-S", "-QO": "-O"}
    models = {"-P", "-S", "-O"} - {refused[one] for one in arguments if one in refused}
    with serve(
        "dcmqrscp", command, aet=ARCHIVE_AET, log=folder / "dcmqrscp.log", models=models
    ) as server:
        yield server


@contextmanager
def wlmscpfs(
    worklists: Mapping[str, Sequence[Dataset]],
    folder: Path,
    *,
    max_associations: int = 50,
    arguments: Sequence[str] = ("--keep-char-set",),
) -> Iterator[Server]:
    """Run DCMTK's worklist server.

    Args:
        worklists: scheduled procedure steps by the AE title whose worklist they are; call the
            server by one of these titles, of which `Server.aet` is the first.
        folder: an empty one, for worklist files and log.
        max_associations: how many it serves at a time, counted as dcmqrscp does.
        arguments: further options; without `--keep-char-set` it says no character set at all.

    Raises:
        MissingProgram: DCMTK is not installed.
        ServerFailed: it does not start.
    """
    write_worklists(folder / "worklists", worklists)
    path = program("wlmscpfs")

    def command(port: int) -> list[str | Path]:
        limit = ("--max-associations", str(max_associations))
        options = ("-v", "--disable-host-lookup", *limit, "-dfp", folder / "worklists")
        return [path, *options, *arguments, str(port)]

    with serve(
        "wlmscpfs", command, aet=next(iter(worklists)), log=folder / "wlmscpfs.log", models={"-W"}
    ) as server:
        yield server
