"""Ask DICOM archives and worklists (C-FIND) with asyncio: one or many, at once."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncfind.errors import AsyncfindError, FindFailed, InvalidRequest, PeerError
    from asyncfind.net.association import Association, associate
    from asyncfind.net.responses import Responses
    from asyncfind.plan import Limits, Peer, Plan, Query, Timeouts, make_query
    from asyncfind.records import FindDone, Match, Record, Verdict
    from asyncfind.run.scheduler import stream

__all__ = [
    "Association",
    "AsyncfindError",
    "FindDone",
    "FindFailed",
    "InvalidRequest",
    "Limits",
    "Match",
    "Peer",
    "PeerError",
    "Plan",
    "Query",
    "Record",
    "Responses",
    "Timeouts",
    "Verdict",
    "associate",
    "make_query",
    "stream",
]

_HOMES = {
    "asyncfind.errors": ("AsyncfindError", "FindFailed", "InvalidRequest", "PeerError"),
    "asyncfind.net.association": ("Association", "associate"),
    "asyncfind.net.responses": ("Responses",),
    "asyncfind.plan": ("Limits", "Peer", "Plan", "Query", "Timeouts", "make_query"),
    "asyncfind.records": ("FindDone", "Match", "Record", "Verdict"),
    "asyncfind.run.scheduler": ("stream",),
}


def __getattr__(name: str) -> object:
    # Late, because `asyncfind --help` imports this package too and needs none of the rooms.
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'asyncfind' has no attribute {name!r}")
