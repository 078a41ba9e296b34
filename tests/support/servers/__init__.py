"""Real SCPs for tests: started on loopback, filled with invented studies, stopped again.

Every server is a context manager that yields a `Server`; the fixtures of `tests/interop` hold one
of each for a whole session. A program that is not installed fails the test and names its Debian
package, so that nothing is skipped unseen. DCMTK's servers and Orthanc cannot be told to listen on
loopback only; whoever else can reach this machine finds invented patients there.
"""

from servers.dcmtk import ARCHIVE_AET, dcmqrscp, wlmscpfs
from servers.findscu import Element, Findings, Identifier, findscu
from servers.orthanc import ORTHANC_AET, orthanc
from servers.process import MissingProgram, Server, ServerFailed
from servers.pynetdicom_scp import PYNETDICOM_AET, pynetdicom_scp
from servers.studies import Archive, write_archive
from servers.worklist import EMPTY_WORKLIST, invent_worklists

__all__ = [
    "ARCHIVE_AET",
    "EMPTY_WORKLIST",
    "ORTHANC_AET",
    "PYNETDICOM_AET",
    "Archive",
    "Element",
    "Findings",
    "Identifier",
    "MissingProgram",
    "Server",
    "ServerFailed",
    "dcmqrscp",
    "findscu",
    "invent_worklists",
    "orthanc",
    "pynetdicom_scp",
    "wlmscpfs",
    "write_archive",
]
