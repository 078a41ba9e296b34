"""What DCMTK calls a condition: module, code and text, and the conditions that led to it.

The texts are interface: scripts look for them.
"""

from dataclasses import dataclass
from typing import Final

from asyncfind.query.element import Item

__all__ = [
    "ABORTED_BY_PEER",
    "ASSOCIATION_REJECTED",
    "BAD_CONTEXT_ID",
    "CORRUPTED_DATA",
    "DCMDATA",
    "DCMNET",
    "DCMTLS",
    "EARLY_SEQUENCE_END",
    "END_OF_STREAM",
    "ILLEGAL_CALL",
    "ILLEGAL_PARAMETER",
    "INVALID_STREAM",
    "INVALID_TAG",
    "LONGER_THAN_ITEM",
    "LONG_PIXEL_DATA",
    "NETWORK_CLOSED",
    "NO_DATA_AVAILABLE",
    "NO_DICTIONARY",
    "NO_ITEM_END",
    "NO_SEQUENCE_END",
    "NO_VALID_CONTEXT_ID",
    "PREMATURE_END",
    "P_DATA_ARRIVED",
    "READ_TIMEOUT",
    "RECEIVE_FAILED",
    "RELEASE_REQUESTED",
    "SEND_FAILED",
    "UNDEFINED_OB",
    "UNEXPECTED_PDV",
    "VOI_LUT_OB",
    "Bad",
    "Condition",
    "dcmnet",
]

DCMDATA: Final = 0x0001
DCMNET: Final = 0x0006
DCMTLS: Final = 0x000B


@dataclass(frozen=True, slots=True)
class Condition:
    """Why something did not work.

    Args:
        cause: the condition that led to it, where findscu tells of it.
    """

    module: int
    code: int
    text: str
    cause: "Condition | None" = None

    def dump(self) -> str:
        """As the log shows it: a line each, the outermost condition first."""
        line = f"{self.module:04x}:{self.code:04x} {self.text}"
        return line if self.cause is None else f"{line}\n{self.cause.dump()}"


class Bad(Exception):
    """Carries a condition up to where it is told.

    Args:
        detail: elements of a response that had no place in it, told after the condition.
    """

    def __init__(self, condition: Condition, detail: Item | None = None) -> None:
        super().__init__(condition.text)
        self.condition = condition
        self.detail = detail


def dcmnet(code: int, text: str, cause: Condition | None = None) -> Condition:
    """A condition of the network module."""
    return Condition(DCMNET, code, text, cause)


BAD_CONTEXT_ID: Final = dcmnet(0x101, "ASC Bad presentation context ID")
NO_DATA_AVAILABLE: Final = dcmnet(0x207, "DIMSE No data available (timeout in non-blocking mode)")
NO_VALID_CONTEXT_ID: Final = dcmnet(0x208, "DIMSE No valid Presentation Context ID")
RECEIVE_FAILED: Final = dcmnet(0x20D, "DIMSE Failed to receive message")
SEND_FAILED: Final = dcmnet(0x20E, "DIMSE Failed to send message")
UNEXPECTED_PDV: Final = dcmnet(0x20F, "DIMSE Unexpected PDV type")
NO_DICTIONARY: Final = dcmnet(0x213, "Data dictionary missing")
ASSOCIATION_REJECTED: Final = dcmnet(0x301, "DUL Association Rejected")
NETWORK_CLOSED: Final = dcmnet(0x310, "DUL network closed")
P_DATA_ARRIVED: Final = dcmnet(0x316, "DUL P-Data PDU arrived")
ABORTED_BY_PEER: Final = dcmnet(0x317, "Peer aborted Association (or never connected)")
RELEASE_REQUESTED: Final = dcmnet(0x319, "DUL Peer Requested Release")
READ_TIMEOUT: Final = dcmnet(0x31A, "DUL network read timeout")
INVALID_TAG: Final = Condition(DCMDATA, 1, "Invalid tag")
INVALID_STREAM: Final = Condition(DCMDATA, 4, "Invalid stream")
END_OF_STREAM: Final = Condition(DCMDATA, 5, "End of stream")
CORRUPTED_DATA: Final = Condition(DCMDATA, 6, "Corrupted data")
ILLEGAL_CALL: Final = Condition(DCMDATA, 7, "Illegal call, perhaps wrong parameters")
PREMATURE_END: Final = Condition(DCMDATA, 10, "I/O suspension or premature end of stream")
LONGER_THAN_ITEM: Final = Condition(
    DCMDATA, 27, "Length of element larger than explicit length of surrounding item"
)
NO_SEQUENCE_END: Final = Condition(DCMDATA, 34, "Sequence Delimitation Item missing")
NO_ITEM_END: Final = Condition(DCMDATA, 38, "Item Delimitation Item missing")
EARLY_SEQUENCE_END: Final = Condition(
    DCMDATA, 39, "Sequence Delimitation Item occurred before Item was completely read"
)
UNDEFINED_OB: Final = Condition(
    DCMDATA,
    51,
    "Illegal element with OB or OW Value Representation and undefined length encountered",
)
VOI_LUT_OB: Final = Condition(
    DCMDATA,
    52,
    "Illegal VOI LUT Sequence element with OB or OW Value Representation and explicit length "
    "encountered",
)
LONG_PIXEL_DATA: Final = Condition(
    DCMDATA,
    53,
    "Pixel data in top level dataset in compressed Transfer Syntax uses explicit length",
)
ILLEGAL_PARAMETER: Final = Condition(0, 1, "Illegal parameter")
