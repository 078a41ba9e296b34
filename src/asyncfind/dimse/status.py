"""Status codes in words: category, meaning, advice (PS3.7 Annex C, PS3.4 Service Classes).

General codes are those of PS3.7 Annex C, the others those of C-FIND responses in PS3.4: C.4.1.1.4
(Query/Retrieve), C.6.4 (Repository Query), K.4.1.1.4 (Worklist), Q.2.1.1.4 (Relevant Patient
Information).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

__all__ = ["Category", "Status", "describe"]


class Category(StrEnum):
    """What a status says of the operation (PS3.7 Annex C)."""

    SUCCESS = "success"
    PENDING = "pending"
    """There are more matches: they follow (FF00, FF01), or another query gets them (B001)."""
    CANCEL = "cancel"
    FAILURE = "failure"
    WARNING = "warning"


class Status(NamedTuple):
    """A status code in words.

    Args:
        meaning: no sentence, for "status A700: ...".
        advice: one sentence, what the user can do; empty where there is nothing to do.
    """

    code: int
    category: Category
    meaning: str
    advice: str


class _Words(NamedTuple):
    category: Category
    meaning: str
    advice: str


_LOG: Final = "The archive's log says more."
_OTHER_MODEL: Final = "Ask with another information model (-W, -P, -S, -O or --model)."
_NARROW: Final = "Narrow the query, or try again later."
_KEYS: Final = "Check the keys and their values; the archive's log says more."
_VENDOR: Final = "No C-FIND should get this answer; the archive's vendor should know."


def _failure(meaning: str, advice: str = _LOG) -> _Words:
    return _Words(Category.FAILURE, meaning, advice)


def _warning(meaning: str, advice: str = _LOG) -> _Words:
    return _Words(Category.WARNING, meaning, advice)


def _pending(meaning: str, advice: str = "") -> _Words:
    return _Words(Category.PENDING, meaning, advice)


_UNABLE: Final = _failure("failed: unable to process", _KEYS)

_GENERAL: Final[Mapping[int, _Words]] = {
    0x0000: _Words(Category.SUCCESS, "success", ""),
    0x0001: _warning("requested optional attributes are not supported"),
    0x0105: _failure("no such attribute", _KEYS),
    0x0106: _failure("invalid attribute value", _KEYS),
    0x0107: _warning("attribute list error", _KEYS),
    0x0110: _failure("processing failure"),
    0x0111: _failure("duplicate SOP instance", _VENDOR),
    0x0112: _failure("no such SOP instance", _VENDOR),
    0x0113: _failure("no such event type", _VENDOR),
    0x0114: _failure("no such argument", _KEYS),
    0x0115: _failure("invalid argument value", _KEYS),
    0x0116: _warning("attribute value out of range", _KEYS),
    0x0117: _failure("invalid SOP instance", _VENDOR),
    0x0118: _failure("no such SOP class", _OTHER_MODEL),
    0x0119: _failure("class-instance conflict", _VENDOR),
    0x0120: _failure(
        "missing attribute", "Add the missing key, often Query/Retrieve Level or a unique key."
    ),
    0x0121: _failure(
        "missing attribute value",
        "Give each key that the archive requires a value, not just a name.",
    ),
    0x0122: _failure("refused: SOP class not supported", _OTHER_MODEL),
    0x0123: _failure("no such action", _VENDOR),
    0x0124: _failure(
        "refused: not authorized", "Have the archive allow this calling AE title to query."
    ),
    0x0210: _failure("duplicate invocation", _VENDOR),
    0x0211: _failure(
        "unrecognized operation", "Check that the archive supports this query at all."
    ),
    0x0212: _failure("mistyped argument", _KEYS),
    0x0213: _failure("resource limitation", _NARROW),
    0xA700: _failure("refused: out of resources", _NARROW),
    0xA900: _failure(
        "identifier does not match SOP class",
        "Check the level, the unique keys above it and the keys that this model allows.",
    ),
    0xFE00: _Words(Category.CANCEL, "matching terminated by a cancel request", ""),
    0xFF00: _pending("matches are continuing"),
    0xFF01: _pending(
        "matches are continuing; optional keys are not supported for existence or matching",
        "The archive ignores some of the keys, so answers may match fewer keys than asked.",
    ),
}
"""Codes that mean the same in every SOP class that does not say otherwise."""

_WORKLIST: Final[Mapping[int, _Words]] = {
    0xFF01: _pending(
        "matches are continuing; optional keys are not supported for existence",
        "The archive leaves out keys that it does not know.",
    ),
}
_RELEVANT_PATIENT: Final[Mapping[int, _Words]] = {
    0xC100: _failure(
        "more than one match found", "Give keys that only one patient matches, e.g. PatientID."
    ),
    0xC200: _failure(
        "unable to support requested template",
        "Ask for another template in ContentTemplateSequence.",
    ),
}
_REPOSITORY: Final[Mapping[int, _Words]] = {
    0xA710: _failure(
        "invalid prior record key",
        "Set PriorRecordKey to the RecordKey of an answer that the archive has given.",
    ),
    0xB001: _pending(
        "matching reached the response limit; there may be more matches",
        "Ask again with PriorRecordKey set to the RecordKey of the last answer.",
    ),
}


def _for_each(uids: Iterable[str], table: Mapping[int, _Words]) -> dict[str, Mapping[int, _Words]]:
    return {f"1.2.840.10008.5.1.4.{uid}": table for uid in uids}


_BY_SOP_CLASS: Final[Mapping[str, Mapping[int, _Words]]] = {
    # Modality and General Purpose Worklist; UPS Watch, Pull and Query.
    **_for_each(("31", "32.1", "34.6.2", "34.6.3", "34.6.5"), _WORKLIST),
    **_for_each(("37.1", "37.2", "37.3"), _RELEVANT_PATIENT),
    **_for_each(("1.1.201.6",), _REPOSITORY),
}
"""Codes that one SOP class alone defines, or defines differently."""


def describe(status: int, sop_class: str = "") -> Status:
    """Put a status code into words; total, every number has some.

    Args:
        status: as received, 0 to 65535.
        sop_class: UID; some SOP classes give codes a meaning of their own.
    """
    words = _BY_SOP_CLASS.get(sop_class, {}).get(status) or _GENERAL.get(status)
    return Status(status, *(words or _by_range(status)))


def _by_range(status: int) -> _Words:
    """The class of a code that no table lists (PS3.7 Annex C)."""
    if status & 0xF000 == 0xC000:
        return _UNABLE
    if status & 0xFF00 == 0xA700:
        return _GENERAL[0xA700]
    if status & 0xFF00 == 0xA900:
        return _GENERAL[0xA900]
    if status & 0xF000 == 0xA000:
        return _failure("refused or failed, by a code that the standard does not list")
    if status & 0xF000 == 0xB000:
        return _warning("warning, by a code that the standard does not list")
    if status & 0xFF00 in (0x0100, 0x0200):
        return _failure("failed, by a code that the standard does not list")
    return _failure("unknown status", "The archive's conformance statement may explain it.")
