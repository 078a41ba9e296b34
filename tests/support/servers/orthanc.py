"""Orthanc, without plugins, loaded by C-STORE as a modality would do it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from servers.process import Server, free_port, program, run_program, serve
from servers.studies import Archive

__all__ = ["ORTHANC_AET", "orthanc"]

ORTHANC_AET: Final = "ORTHANC"


@contextmanager
def orthanc(
    archive: Archive,
    folder: Path,
    *,
    limit_results: int = 0,
    limit_instances: int = 0,
    options: Mapping[str, object] | None = None,
) -> Iterator[Server]:
    """Run Orthanc with the studies of `archive`.

    Args:
        folder: an empty one, for database, configuration and log.
        limit_results: answers to one query of patient, study or series level; 0 for all. Where it
            holds back some, Orthanc ends with status FE00 (Cancel) though nobody asked for that.
        limit_instances: the same for the instance level.
        options: further lines of the configuration, such as `{"DefaultEncoding": "Latin1"}`.

    Raises:
        MissingProgram: Orthanc or DCMTK is not installed.
        ServerFailed: it does not start, or refuses an instance.
    """
    storage = folder / "storage"
    storage.mkdir(parents=True)
    configuration = folder / "orthanc.json"
    path = program("Orthanc")

    def command(port: int) -> list[str | Path]:
        settings = {
            "Name": "asyncfind tests",
            "DicomAet": ORTHANC_AET,
            "DicomPort": port,
            "HttpPort": free_port(),
            "RemoteAccessAllowed": False,
            "StorageDirectory": str(storage),
            "IndexDirectory": str(storage),
            "TemporaryDirectory": str(folder),
            "Plugins": [],
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowFindWorklist": True,
            "DefaultEncoding": "Utf8",
            "LimitFindResults": limit_results,
            "LimitFindInstances": limit_instances,
            **(options or {}),
        }
        configuration.write_text(json.dumps(settings, indent=2), "utf-8")
        return [path, "--verbose", configuration]

    with serve(
        "Orthanc", command, aet=ORTHANC_AET, log=folder / "orthanc.log", models={"-P", "-S"}
    ) as server:
        run_program("storescu", "-q", *server.address, *archive.files)
        yield server
