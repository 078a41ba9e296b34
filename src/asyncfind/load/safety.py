"""What a load may do to an archive that is not said to be the user's own."""

import ipaddress
import math
from collections.abc import Iterable, Mapping
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.load.spec import Load
from asyncfind.plan import Peer, Query
from asyncfind.query.element import Element, Item

__all__ = [
    "ASSOCIATIONS",
    "NEW_ASSOCIATIONS",
    "RATE",
    "SECONDS",
    "by_archive",
    "check_caps",
    "is_loopback",
    "matches_all",
]

ASSOCIATIONS: Final = 8
RATE: Final = 20.0
"""Queries per second."""
NEW_ASSOCIATIONS: Final = 5
"""In any second."""
SECONDS: Final = 600.0

_HINT: Final = "--i-own-this-scp allows more; it says that nobody else depends on the archive."
_NO_KEYS: Final = frozenset((0x00080005, 0x00080052, 0x00080053, 0x00080201))
"""Attributes that say how to match, not what (PS3.4 Section C.4.1.1.3): Specific Character Set,
Query/Retrieve Level, Query/Retrieve View, Timezone Offset From UTC."""


def is_loopback(peer: Peer) -> bool:
    """Nobody else's: the peer is on this machine."""
    if peer.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(peer.host).is_loopback
    except ValueError:
        return False


def by_archive(peers: Iterable[Peer]) -> Mapping[tuple[str, int, str], int]:
    """How often each application entity, at its address, is among the peers."""
    counts: dict[tuple[str, int, str], int] = {}
    for peer in peers:
        key = (peer.host, peer.port, peer.called)
        counts[key] = counts.get(key, 0) + 1
    return counts


def check_caps(load: Load) -> None:
    """Refuse what is too much for an archive that others depend on; this machine's own are not.

    Raises:
        InvalidRequest: it is; the text says what.
    """
    strangers = [peer for peer in load.plan.peers if not is_loopback(peer)]
    if not strangers:
        return
    times = max(by_archive(strangers).values())
    associations = load.cap * times
    if associations > ASSOCIATIONS:
        raise InvalidRequest(
            f"{associations} associations to one archive, more than {ASSOCIATIONS}", _HINT
        )
    if load.schedule is not None:
        rate = load.schedule.peak / len(load.plan.peers) * times
        if rate > RATE:
            raise InvalidRequest(
                f"{rate:g} queries per second to one archive, more than {RATE:g}", _HINT
            )
        seconds = load.schedule.seconds
        if math.isinf(seconds) and load.schedule.count is not None:
            seconds = load.schedule.count / load.schedule.peak
    else:
        _check_think(load, associations)
        seconds = load.warm_up + (0.0 if load.duration is None else load.duration)
    if seconds > SECONDS:
        raise InvalidRequest(f"{seconds:g} s of load, more than {SECONDS:g}", _HINT)


def _check_think(load: Load, associations: int) -> None:
    """A closed load is as fast as the archive answers, unless it thinks in between."""
    needed = associations / RATE
    if load.think < needed:
        raise InvalidRequest(
            f"{associations} at a time may be more than {RATE:g} queries per second",
            f"Add --think {needed:g}, or --i-own-this-scp.",
        )


def matches_all(query: Query) -> bool:
    """No key of the query narrows it (universal matching, PS3.4 Section C.2.2.2.3)."""
    return not _narrows(query.identifier)


def _narrows(item: Item) -> bool:
    return any(
        _narrows_one(element) for tag, element in item.elements.items() if tag not in _NO_KEYS
    )


def _narrows_one(element: Element) -> bool:
    if isinstance(element.value, bytes):
        return bool(element.value.strip(b" \0*"))
    return any(_narrows(item) for item in element.value)
