"""What an emulated command line asks for, checked and in findscu's own terms.

Text in this room is bytes, one character each (ISO 8859-1): findscu looks into nothing that it
takes from its command line, and neither may what stands in for it.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from asyncfind.logs.logger import Logs
from asyncfind.query.models import Model
from asyncfind.query.syntax import TransferSyntax
from asyncfind.security import Tls

__all__ = ["VERSION", "Settings"]

VERSION: Final = "3.6.7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run of findscu.

    Args:
        logs: where messages go.
        extract: how responses are written to files; None not at all.
        extract_file: of all responses, where `extract` is `single`.
        extract_limit: the last number that is written; None for all.
        cancel_after: 0 never cancels.
        max_pdu: as given; findscu makes it even.
        connect_timeout, dimse_timeout: seconds; 0 waits for ever.
        socket_timeout: seconds; 0 for none, -1 for the system's.
        tls: None for plain TCP.
        shows_certificate: +tls was given, be its file names empty.
        new_seed_file: written with random bytes at the end; empty for none.
    """

    logs: Logs
    host: str
    port: int
    model: Model
    calling: str
    called: str
    syntaxes: tuple[TransferSyntax, ...]
    keys: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    deflate_level: int = 6
    new_vr: bool = True
    connect_timeout: int = 0
    socket_timeout: int = 60
    acse_timeout: int = 30
    dimse_timeout: int = 0
    max_pdu: int = 16384
    repeat: int = 1
    abort: bool = False
    cancel_after: int = 0
    correction: bool = False
    extract: Literal["dicom", "xml", "single"] | None = None
    extract_file: str = ""
    extract_limit: int | None = None
    directory: str = field(default=".")
    tls: Tls | None = None
    shows_certificate: bool = False
    new_seed_file: str = ""
