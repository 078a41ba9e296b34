"""Associations, messages and statuses in the words of findscu's log."""

from collections.abc import Sequence
from typing import Final

from asyncfind.findscu.pdus import Accepted
from asyncfind.query.dcmtk_dictionary import uid_name_of

__all__ = [
    "Parameters",
    "describe_request",
    "describe_response",
    "rejection",
    "status_words",
]

_WORDS: Final = {
    0x0000: "Success",
    0xFF00: "Pending",
    0xA700: "Refused: OutOfResources",
    0x0122: "Refused: SOPClassNotSupported",
    0xA900: "Error: DataSetDoesNotMatchSOPClass",
    0xFE00: "Cancel: MatchingTerminatedDueToCancelRequest",
    0xFF01: "Pending: WarningUnsupportedOptionalKeys",
}
_SENTENCES: Final = {
    0x0122: "Refused: SOP Class not supported",
    0x0000: "Success: Matching is complete",
    0xA700: "Refused: Out of resources",
    0xFE00: "Cancel: Matching terminated due to Cancel Request",
    0xFF00: "Pending: Matches are continuing",
    0xFF01: "Pending: Matches are continuing - Warning: Unsupported optional keys",
}
_DICOM: Final = "1.2.840.10008.3.1.1.1"
"""The DICOM Application Context Name (PS3.7 Section A.2.1)."""
_WARNINGS: Final = (0x0001, 0x0107, 0x0116)
_RESULTS: Final = (
    "(Accepted)",
    "(User Rejection)",
    "(No Reason)",
    "(Abstract Syntax Not Supported)",
    "(Transfer Syntaxes Not Supported)",
)
_REJECTED: Final = {1: "Rejected Permanent", 2: "Rejected Transient"}
_SOURCES: Final = {
    1: "Service User",
    2: "Service Provider (ACSE Related)",
    3: "Service Provider (Presentation Related)",
}
_REASONS: Final = {
    0x0101: "No Reason",
    0x0102: "App Context Name Not Supported",
    0x0103: "Calling AE Title Not Recognized",
    0x0107: "Called AE Title Not Recognized",
    0x0201: "No Reason",
    0x0202: "Protocol Version Not Supported",
    0x0301: "Temporary Congestion",
    0x0302: "Local Limit Exceeded",
}


def status_words(status: int) -> str:
    """The status of a C-FIND-RSP as the response block shows it."""
    if status in _WORDS:
        return _WORDS[status]
    if status & 0xF000 == 0xC000:
        return "Failed: UnableToProcess"
    return f"Unknown Status: 0x{status:x}"


def _status_sentence(status: int) -> str:
    if status in _SENTENCES:
        return _SENTENCES[status]
    if status & 0xFF00 == 0xA900:
        return "Error: Data Set does not match SOP Class"
    if status & 0xF000 == 0xC000:
        return "Failed: Unable to process"
    if status & 0xF000 == 0xB000 or status in _WARNINGS:
        return "Warning"
    if status & 0xF000 == 0xA000 or status & 0xFF00 in (0x0100, 0x0200):
        return "Failure"
    return "Unknown Status Code (non-standard)"


def rejection(result: int, source: int, reason: int) -> tuple[list[str], str]:
    """An A-ASSOCIATE-RJ: what is wrong with its codes, and what it says."""
    complaints = []
    if result not in _REJECTED:
        complaints.append(_invalid("result", result))
        result = 1
    named_source = source
    if source not in _SOURCES:
        complaints.append(_invalid("source", source))
        named_source = 1
    code = reason | source << 8
    if code not in _REASONS:
        complaints.append(_invalid("reason", code))
        code = 0x0101
    text = f"Result: {_REJECTED[result]}, Source: {_SOURCES[named_source]}\n"
    return complaints, text + f"Reason: {_REASONS[code]}"


def _invalid(what: str, code: int) -> str:
    return f"Received invalid A-ASSOCIATE-RJ reject {what} 0x{code:04x}, using default."


class Parameters:
    """The association parameters as the log shows them, before and after the peer's answer."""

    def __init__(
        self,
        *,
        calling: str,
        called: str,
        max_pdu: int,
        abstract_syntax: str,
        transfer_syntaxes: Sequence[str],
        class_uid: str,
        version_name: str,
    ) -> None:
        self._calling = calling
        self._called = called
        self._max_pdu = max_pdu
        self._abstract_syntax = abstract_syntax
        self._transfer_syntaxes = transfer_syntaxes
        self._class_uid = class_uid
        self._version_name = version_name

    def requested(self) -> str:
        """The block of A-ASSOCIATE-RQ."""
        contexts = [
            "  Context ID:        1 (Proposed)",
            f"    Abstract Syntax: {_name(self._abstract_syntax)}",
            "    Proposed SCP/SCU Role: Default",
            "    Proposed Transfer Syntax(es):",
            *(f"      {_name(uid)}" for uid in self._transfer_syntaxes),
        ]
        return self._block("RQ", Accepted(called=self._called), contexts)

    def accepted(self, accepted: Accepted) -> str:
        """The block of A-ASSOCIATE-AC; of what was asked for where no such answer came."""
        if accepted == Accepted():
            accepted = Accepted(
                called=self._called, calling=self._calling, application_context=_DICOM
            )
        by_id = {context.context_id: context for context in reversed(accepted.contexts)}
        context = by_id.get(1)
        if context is None:
            contexts = self._unanswered()
        else:
            result = context.result
            words = _RESULTS[result] if result < len(_RESULTS) else "(--Invalid Result/Reason--)"
            contexts = [
                f"  Context ID:        1 {words}",
                f"    Abstract Syntax: {_name(self._abstract_syntax)}",
                "    Proposed SCP/SCU Role: Default",
                "    Accepted SCP/SCU Role: Default",
            ]
            if result == 0:
                uid = context.transfer_syntaxes[0]
                contexts.append(f"    Accepted Transfer Syntax: {_name(uid)}")
        return self._block("AC", accepted, contexts)

    def _unanswered(self) -> list[str]:
        return [
            "  Context ID:        1 (Proposed)",
            f"    Abstract Syntax: {_name(self._abstract_syntax)}",
            "    Proposed SCP/SCU Role: Default",
            "    Proposed Transfer Syntax(es):",
            *(f"      {_name(uid)}" for uid in self._transfer_syntaxes),
        ]

    def _block(self, kind: str, accepted: Accepted, contexts: list[str]) -> str:
        calling = accepted.calling if kind == "AC" else self._calling
        application = accepted.application_context if kind == "AC" else _DICOM
        return "\n".join(
            [
                f"====================== BEGIN A-ASSOCIATE-{kind} =====================",
                f"Our Implementation Class UID:      {self._class_uid}",
                f"Our Implementation Version Name:   {self._version_name}",
                f"Their Implementation Class UID:    {accepted.class_uid}",
                f"Their Implementation Version Name: {accepted.version_name}",
                f"Application Context Name:    {application}",
                f"Calling Application Name:    {calling}",
                f"Called Application Name:     {self._called}",
                f"Responding Application Name: {self._called if accepted.called else ''}",
                f"Our Max PDU Receive Size:    {self._max_pdu}",
                f"Their Max PDU Receive Size:  {accepted.max_length}",
                "Presentation Contexts:",
                *contexts,
                "Requested Extended Negotiation: none",
                "Accepted Extended Negotiation:  none",
                "Requested User Identity Negotiation: none",
                "User Identity Negotiation Response:  none",
                f"======================= END A-ASSOCIATE-{kind} ======================",
            ]
        )


def describe_request(message_id: int, abstract_syntax: str) -> str:
    """The box of our C-FIND-RQ."""
    return _box(
        "OUTGOING",
        "Message Type                  : C-FIND RQ",
        "Presentation Context ID       : 1",
        f"Message ID                    : {message_id}",
        f"Affected SOP Class UID        : {_bare_name(abstract_syntax)}",
        "Data Set                      : present",
        "Priority                      : medium",
    )


def describe_response(
    message_id: int, sop_class: str | None, has_data_set: bool, status: int
) -> str:
    """The box of a C-FIND-RSP."""
    return _box(
        "INCOMING",
        "Message Type                  : C-FIND RSP",
        f"Message ID Being Responded To : {message_id}",
        f"Affected SOP Class UID        : {'none' if sop_class is None else _bare_name(sop_class)}",
        f"Data Set                      : {'present' if has_data_set else 'none'}",
        f"DIMSE Status                  : 0x{status:04x}: {_status_sentence(status)}",
    )


def _box(direction: str, *lines: str) -> str:
    return "\n".join(
        [
            f"===================== {direction} DIMSE MESSAGE ====================",
            *lines,
            "======================= END DIMSE MESSAGE =======================",
        ]
    )


def _name(uid: str) -> str:
    name = uid_name_of(uid)
    return uid if name is None else f"={name}"


def _bare_name(uid: str) -> str:
    return uid_name_of(uid) or uid
