"""Values and columns as people read them: names, dates, times, short titles."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from asyncfind.plan import Peer
from asyncfind.query.columns import Column
from asyncfind.query.models import model_of
from asyncfind.records import Agreement, Associated
from asyncfind.safe import safe
from asyncfind.ul.identity import IdentityType, UserIdentityRQ

__all__ = ["Look", "agreed", "look_of", "node_labels", "opening_lines", "readable"]


class Look(NamedTuple):
    """How a column of a table looks.

    Args:
        title: above it.
        least, usual, most: widths: below the first it is no use, the second suits nearly all
            values, more than the third helps nobody.
        is_right: numbers stand at the right.
        keeps_end: of a value too long the end is shown, not the beginning.
    """

    title: str
    least: int
    usual: int
    most: int
    is_right: bool = False
    keeps_end: bool = False


_BY_VR: Final[Mapping[str, tuple[int, int, int]]] = {
    "AE": (6, 12, 16),
    "AS": (4, 4, 4),
    "AT": (11, 11, 35),
    "CS": (4, 8, 16),
    "DA": (10, 10, 10),
    "DS": (5, 8, 16),
    "DT": (10, 19, 26),
    "FD": (5, 8, 24),
    "FL": (5, 8, 16),
    "IS": (4, 5, 12),
    "LO": (8, 18, 48),
    "LT": (10, 20, 80),
    "PN": (10, 22, 40),
    "SH": (5, 12, 16),
    "SQ": (7, 8, 10),
    "ST": (10, 20, 80),
    "TM": (8, 8, 15),
    "UI": (10, 24, 64),
    "UR": (10, 24, 80),
    "UT": (10, 20, 80),
}
_OTHER: Final = (5, 8, 20)
_NUMBERS: Final = frozenset(("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"))

_SHORT: Final[Mapping[int, tuple[str, int]]] = {
    0x00080016: ("SOP class", 24),
    0x00080018: ("SOP instance", 24),
    0x00080020: ("Study date", 10),
    0x00080030: ("Time", 8),
    0x00080050: ("Acc no", 12),
    0x00080054: ("Retrieve", 12),
    0x00080056: ("Availability", 8),
    0x00080060: ("Mod", 4),
    0x00080061: ("Mods", 6),
    0x00080080: ("Institution", 18),
    0x00080090: ("Referring", 16),
    0x00081030: ("Study", 20),
    0x0008103E: ("Series", 18),
    0x00100010: ("Patient", 22),
    0x00100020: ("Patient ID", 12),
    0x00100030: ("Born", 10),
    0x00100040: ("Sex", 3),
    0x00101010: ("Age", 4),
    0x00180015: ("Body part", 10),
    0x0020000D: ("Study UID", 24),
    0x0020000E: ("Series UID", 24),
    0x00200010: ("Study ID", 8),
    0x00200011: ("Ser", 3),
    0x00200013: ("Inst", 4),
    0x00201200: ("Studies", 3),
    0x00201202: ("Series", 3),
    0x00201204: ("Images", 3),
    0x00201206: ("Series", 3),
    0x00201208: ("Images", 4),
    0x00201209: ("Images", 4),
    0x00321060: ("Procedure", 18),
    0x00400001: ("Station AE", 12),
    0x00400002: ("Date", 10),
    0x00400003: ("Time", 8),
    0x00400006: ("Physician", 16),
    0x00400007: ("Step", 18),
    0x00400009: ("Step ID", 8),
    0x00400010: ("Station", 10),
    0x00400011: ("Location", 10),
    0x00401001: ("Proc ID", 8),
}
"""Short titles of what is asked most, and their usual widths."""

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[0-9]+|[a-z]+")
_CODE: Final = 4
"""Values that are usually as short as this are codes: they are never much longer."""
_TITLE_MOST: Final = 24
_TITLE_LEAST: Final = 10
"""Characters of a title that a column has room for in any case."""


def look_of(column: Column) -> Look:
    """How a column looks: by what it is, else by its VR."""
    vr = column.vr
    least, usual, most = _BY_VR.get(vr, _OTHER)
    short = _SHORT.get(column.path[-1])
    if short is not None:
        title, usual = short
        least = min(least, usual)
        most = usual if usual <= _CODE else max(most, usual)
    else:
        title = " ".join(_WORDS.findall(column.name.rpartition(".")[2])) or column.name
        if len(title) > _TITLE_MOST:
            title = title[: _TITLE_MOST - 1] + "…"
    least = max(least, min(len(title), _TITLE_LEAST))
    usual = max(least, usual)
    return Look(title, least, usual, max(usual, most), vr in _NUMBERS, vr == "UI")


def node_labels(peers: Sequence[Peer]) -> dict[Peer, str]:
    """What a narrow column calls each peer: as short as tells them apart, and safe.

    The names that the user gave, else the AE titles if no two are the same, else host and port.
    """
    for label in (_title_of, _address_of):
        labels = {peer: safe(peer.name or label(peer)) for peer in peers}
        if len(set(labels.values())) == len(labels):
            return labels
    return {peer: safe(peer.node) for peer in peers}


_RESPONSE: Final = 64
"""Characters shown of a text that a server answers a user name with."""


def agreed(agreement: Agreement, identity: UserIdentityRQ | None) -> list[str]:
    """What a peer made of an association request, a sentence for each thing that was asked for."""
    sentences = []
    for sop_class, asked, granted in agreement.extended:
        title = model_of(sop_class).title
        if granted:
            sentences.append(f"{title}: accepts {', '.join(granted.words())}.")
        if refused := asked - granted:
            sentences.append(f"{title}: does not accept {', '.join(refused.words())}.")
    if agreement.window_asked > 1:
        queries = "1 query" if agreement.window == 1 else f"{agreement.window} queries"
        sentences.append(
            f"{queries} at a time over one association ({agreement.window_asked} asked for)."
        )
    if identity is not None and identity.response_requested:
        sentences.append(_identified(agreement.identity_response, identity))
    return sentences


def opening_lines(record: Associated) -> list[str]:
    """What is to be known of a new association: how it is secured, and what the peer agreed to."""
    lines = [record.secured] if record.secured else []
    lines += agreed(record.agreement, record.peer.identity)
    return [f"{safe(record.peer.node)}: {line}" for line in lines]


def _identified(response: bytes | None, identity: UserIdentityRQ) -> str:
    """What the server said to who we are; a token is as good as a secret: only its length."""
    if response is None:
        return f"no answer to the {identity.words}; it may have been ignored."
    if not response:
        return f"{identity.words} accepted."
    if identity.type in (IdentityType.USER_NAME, IdentityType.USER_NAME_AND_PASSCODE):
        text = safe(response.decode("utf-8", "replace"), _RESPONSE)
        return f"{identity.words} accepted, with the answer '{text}'."
    return f"{identity.words} accepted, with an answer of {len(response)} bytes."


def _title_of(peer: Peer) -> str:
    return peer.called


def _address_of(peer: Peer) -> str:
    return f"{peer.host}:{peer.port}"


def readable(vr: str, values: list[str]) -> str:
    """The values of an element as a person would write them; odd ones stay as they are."""
    convert = _READABLE.get(vr)
    if convert is not None:
        values = [convert(value) for value in values]
    return values[0] if len(values) == 1 else ", ".join(values)


def _name(value: str) -> str:
    """`DOE^JOHN^Q^DR^JR=...` as `DOE, JOHN Q, DR, JR` (PS3.5 Section 6.2.1)."""
    groups = value.split("=")
    group = next((one for one in groups if one.strip("^ ")), "")
    family, *others = [part.strip() for part in group.split("^")]
    given = " ".join([part for part in others[:2] if part])
    return ", ".join([part for part in (family, given, *others[2:]) if part])


_DATE: Final = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)", re.ASCII)
_TIME: Final = re.compile(r"(\d\d):?(\d\d)(?::?(\d\d)(?:\.\d{1,6})?)?", re.ASCII)
_DATE_TIME: Final = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:\.\d{1,6})?)?([+-]\d{4})?", re.ASCII
)


def _date(value: str) -> str:
    found = _DATE.fullmatch(value)
    return value if found is None else "-".join(found.groups())


def _time(value: str) -> str:
    found = _TIME.fullmatch(value)
    return value if found is None else ":".join(part for part in found.groups() if part)


def _date_time(value: str) -> str:
    found = _DATE_TIME.fullmatch(value)
    if found is None:
        return _date(value)
    year, month, day, hour, minute, second, zone = found.groups()
    time = ":".join(part for part in (hour, minute, second) if part)
    return f"{year}-{month}-{day} {time}{zone or ''}"


_READABLE: Final[Mapping[str, Callable[[str], str]]] = {
    "DA": _date,
    "DT": _date_time,
    "PN": _name,
    "TM": _time,
}
