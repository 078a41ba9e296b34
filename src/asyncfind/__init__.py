"""Ask DICOM archives and worklists (C-FIND) with asyncio: one or many, at once."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncfind.errors import (
        AsyncfindError,
        FindFailed,
        InvalidRequest,
        PeerError,
        TlsFailed,
        TlsSetupFailed,
    )
    from asyncfind.net.association import Association, associate
    from asyncfind.net.responses import Responses
    from asyncfind.plan import Limits, Peer, Plan, Query, Timeouts, make_query
    from asyncfind.records import Agreement, FindDone, Match, Record, Secured, Traffic, Verdict
    from asyncfind.run.scheduler import stream
    from asyncfind.security import CrlCheck, FileFormat, Profile, Tls
    from asyncfind.ul.find_options import FindOptions
    from asyncfind.ul.identity import IdentityType, UserIdentityRQ

__all__ = [
    "Agreement",
    "Association",
    "AsyncfindError",
    "CrlCheck",
    "FileFormat",
    "FindDone",
    "FindFailed",
    "FindOptions",
    "IdentityType",
    "InvalidRequest",
    "Limits",
    "Match",
    "Peer",
    "PeerError",
    "Plan",
    "Profile",
    "Query",
    "Record",
    "Responses",
    "Secured",
    "Timeouts",
    "Tls",
    "TlsFailed",
    "TlsSetupFailed",
    "Traffic",
    "UserIdentityRQ",
    "Verdict",
    "associate",
    "make_query",
    "stream",
]

_HOMES = {
    "asyncfind.errors": (
        *("AsyncfindError", "FindFailed", "InvalidRequest", "PeerError"),
        *("TlsFailed", "TlsSetupFailed"),
    ),
    "asyncfind.net.association": ("Association", "associate"),
    "asyncfind.net.responses": ("Responses",),
    "asyncfind.plan": ("Limits", "Peer", "Plan", "Query", "Timeouts", "make_query"),
    "asyncfind.records": (
        *("Agreement", "FindDone", "Match", "Record", "Secured", "Traffic", "Verdict"),
    ),
    "asyncfind.run.scheduler": ("stream",),
    "asyncfind.security": ("CrlCheck", "FileFormat", "Profile", "Tls"),
    "asyncfind.ul.find_options": ("FindOptions",),
    "asyncfind.ul.identity": ("IdentityType", "UserIdentityRQ"),
}


def __getattr__(name: str) -> object:
    # Late, because `asyncfind --help` imports this package too and needs none of the rooms.
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'asyncfind' has no attribute {name!r}")
