"""Status codes: category, meaning and advice (PS3.7 Annex C, PS3.4 Sections C.4.1.1.4, K.4.1.1.4)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["Category", "Status", "describe"]

_REPOSITORY_QUERY: Final = "1.2.840.10008.5.1.4.1.1.201.6"


class Category(StrEnum):
    """What kind of status it is (PS3.7 Section C.1)."""

    SUCCESS = "success"
    PENDING = "pending"
    CANCEL = "cancel"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Status:
    """A status in words; `advice` is one sentence on what the user can do, or empty."""

    code: int
    category: Category
    meaning: str
    advice: str = ""


_KNOWN: Final = {
    0x0000: (Category.SUCCESS, "matching is complete", ""),
    0xFF00: (Category.PENDING, "matches are continuing", ""),
    0xFF01: (
        Category.PENDING,
        "matches are continuing, some optional keys are not supported",
        "The archive ignores some of the keys.",
    ),
    0xFE00: (Category.CANCEL, "matching was cancelled", ""),
    0xA700: (
        Category.FAILURE,
        "refused, out of resources",
        "Narrow the query, or try again later.",
    ),
    0xA900: (
        Category.FAILURE,
        "the identifier does not match the SOP class",
        "Check the information model, QueryRetrieveLevel and the unique keys of the levels above.",
    ),
    0x0122: (
        Category.FAILURE,
        "SOP class not supported",
        "Ask with another information model (-W, -P, -S, -O or --model).",
    ),
    0x0110: (Category.FAILURE, "processing failure", "The archive's log says why."),
    0x0112: (Category.FAILURE, "no such SOP instance", "The archive's log says why."),
    0x0117: (Category.FAILURE, "invalid SOP instance", "The archive's log says why."),
    0x0118: (Category.FAILURE, "no such SOP class", "Ask with another information model."),
    0x0120: (Category.FAILURE, "missing attribute", "Add the attribute to the query."),
    0x0124: (
        Category.FAILURE,
        "refused, not authorized",
        "Have the archive allow the calling AE title.",
    ),
    0x0210: (Category.FAILURE, "duplicate invocation", "The archive's log says why."),
    0x0211: (Category.FAILURE, "unrecognized operation", "The archive does not know C-FIND."),
    0x0212: (Category.FAILURE, "mistyped argument", "Check the keys."),
    0x0213: (Category.FAILURE, "resource limitation", "Narrow the query, or try again later."),
}


def describe(status: int, sop_class: str = "") -> Status:
    """Put `status` into words.

    Args:
        sop_class: UID; some classes give a code a meaning of their own.
    """
    if status == 0xB001 and sop_class == _REPOSITORY_QUERY:
        return Status(status, Category.PENDING, "there are more records", "Ask for the next page.")
    if status in _KNOWN:
        return Status(status, *_KNOWN[status])
    if status >> 8 == 0xA9:
        return Status(status, *_KNOWN[0xA900])
    if status >> 12 == 0xC:
        return Status(
            status,
            Category.FAILURE,
            "unable to process",
            "Check the keys; the archive's log says why.",
        )
    if status >> 12 == 0xB or status in (0x0001, 0x0107, 0x0116):
        return Status(status, Category.WARNING, "warning", "The archive's log says why.")
    if status >> 12 == 0xA or status >> 8 in (0x01, 0x02):
        return Status(status, Category.FAILURE, "failure", "The archive's log says why.")
    return Status(status, Category.FAILURE, "unknown status", "The archive's manual may know it.")
