"""PDUs and messages in words, in the layout of findscu's debug log."""

from collections.abc import Iterator

from asyncfind.dimse.command import CancelRQ, Command, EchoRQ, EchoRSP, FindRQ, FindRSP
from asyncfind.dimse.status import describe
from asyncfind.errors import MalformedIdentifier
from asyncfind.findscu.describe import describe_request, describe_response
from asyncfind.plan import Limits, Plan
from asyncfind.query.dcmtk_dictionary import uid_name_of
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import SYNTAXES
from asyncfind.records import Traffic
from asyncfind.render.dump import dump_item
from asyncfind.safe import safe
from asyncfind.ul.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ

__all__ = ["Transcript"]

_RESULTS = ("Accepted", "User Rejection", "No Reason", "Abstract Syntax Not Supported",
            "Transfer Syntaxes Not Supported")  # fmt: skip


class Transcript:
    """Writes down the traffic of a run.

    The secrets of a user identity are never shown; values of data sets are.
    """

    def __init__(self, plan: Plan | None = None) -> None:
        self._several = plan is not None and len(plan.peers) > 1
        limits = Limits() if plan is None else plan.limits
        self._max_inflated = limits.max_identifier
        self._proposed: dict[int, str] = {}

    def lines(self, traffic: Traffic) -> Iterator[str]:
        """What was sent or received, safe for a terminal."""
        if self._several:
            yield f"Node: {safe(traffic.peer.node)}"
        match traffic.what:
            case AssociateRQ():
                text = "Request Parameters:\n" + self._requested(traffic.what)
            case AssociateAC():
                text = "Association Parameters Negotiated:\n" + self._accepted(traffic.what)
            case AssociateRJ():
                text = _rejected(traffic.what)
            case Abort():
                text = "\n".join([_head("ABORT"), traffic.what.text, _foot("ABORT")])
            case command:
                text = self._message(traffic, command)
        for line in text.split("\n"):
            yield safe(line)

    def _requested(self, rq: AssociateRQ) -> str:
        self._proposed = {one.context_id: one.abstract_syntax for one in rq.contexts}
        lines = _opening("RQ", rq)
        for context in rq.contexts:
            lines += [
                f"  Context ID:        {context.context_id} (Proposed)",
                f"    Abstract Syntax: {_name(context.abstract_syntax)}",
                "    Proposed Transfer Syntax(es):",
                *(f"      {_name(uid)}" for uid in context.transfer_syntaxes),
            ]
        return "\n".join([*lines, *_negotiated(rq), _foot("ASSOCIATE-RQ")])

    def _accepted(self, ac: AssociateAC) -> str:
        lines = _opening("AC", ac)
        for context in ac.contexts:
            result = context.result
            words = _RESULTS[result] if result < len(_RESULTS) else f"Result {result}"
            abstract = self._proposed.get(context.context_id, "")
            lines += [
                f"  Context ID:        {context.context_id} ({words})",
                f"    Abstract Syntax: {_name(abstract)}",
            ]
            if result == 0:
                lines.append(f"    Accepted Transfer Syntax: {_name(context.transfer_syntax)}")
        return "\n".join([*lines, *_negotiated(ac), _foot("ASSOCIATE-AC")])

    def _message(self, traffic: Traffic, command: Command) -> str:
        match command:
            case FindRQ():
                text = describe_request(command.message_id, command.sop_class)
            case FindRSP():
                text = describe_response(
                    command.message_id,
                    command.sop_class or None,
                    traffic.identifier is not None,
                    command.status,
                )
            case CancelRQ():
                text = f"C-CANCEL RQ, Message ID Being Responded To: {command.message_id}"
            case EchoRQ() | EchoRSP():
                text = _echo(command)
        if traffic.identifier is None:
            return text
        title = "Request Identifiers:" if traffic.sent else "Response Identifiers:"
        return f"{text}\n{title}\n{self._dump(traffic)}"

    def _dump(self, traffic: Traffic) -> str:
        identifier = traffic.identifier or b""
        syntax = SYNTAXES.get(traffic.transfer_syntax)
        if syntax is None:
            return f"# {safe(traffic.transfer_syntax, 64)}; {len(identifier)} bytes"
        head = f"\n# Dicom-Data-Set\n# Used TransferSyntax: {syntax.name}\n"
        try:
            item = read_item(identifier, syntax, max_inflated=self._max_inflated)
        except MalformedIdentifier as error:
            return f"{head}# {error.text}; {len(identifier)} bytes"
        return head + dump_item(item)


def _opening(kind: str, pdu: AssociateRQ | AssociateAC) -> list[str]:
    information = pdu.user_information
    whose = "Our" if kind == "RQ" else "Their"
    return [
        _head(f"ASSOCIATE-{kind}"),
        f"{whose} Implementation Class UID:    {information.implementation_class_uid}",
        f"{whose} Implementation Version Name: {information.implementation_version_name}",
        f"Calling Application Name:    {pdu.calling}",
        f"Called Application Name:     {pdu.called}",
        f"{whose} Max PDU Receive Size:    {information.max_length}",
        "Presentation Contexts:",
    ]


def _negotiated(pdu: AssociateRQ | AssociateAC) -> Iterator[str]:
    """What is negotiated besides (PS3.7 Annex D.3.3); of an identity its kind alone."""
    information = pdu.user_information
    for item in information.extended_negotiation:
        data = item.application_information.hex(" ")
        yield f"Extended Negotiation:        {_name(item.sop_class)}: {data}"
    if (window := information.asynchronous_operations) is not None:
        yield f"Asynchronous Operations:     {window.invoked} invoked, {window.performed} performed"
    if (identity := information.user_identity) is not None:
        yield f"User Identity:               {identity.words}"
    if (response := information.user_identity_response) is not None:
        yield f"User Identity Response:      {len(response)} bytes"


def _rejected(rj: AssociateRJ) -> str:
    lines = [
        "Association Rejected:",
        _head("ASSOCIATE-RJ"),
        f"Result: {rj.result_text} ({rj.result})",
        f"Source: {rj.source_text} ({rj.source})",
        f"Reason: {rj.reason_text} ({rj.reason})",
        _foot("ASSOCIATE-RJ"),
    ]
    return "\n".join(lines)


def _echo(command: EchoRQ | EchoRSP) -> str:
    is_request = isinstance(command, EchoRQ)
    about = "Message ID" if is_request else "Message ID Being Responded To"
    direction = "OUTGOING" if is_request else "INCOMING"
    lines = [
        f"===================== {direction} DIMSE MESSAGE ====================",
        f"Message Type                  : C-ECHO {'RQ' if is_request else 'RSP'}",
        f"{about:<30}: {command.message_id}",
        f"Affected SOP Class UID        : {uid_name_of(command.sop_class) or command.sop_class}",
        "Data Set                      : none",
    ]
    if isinstance(command, EchoRSP):
        words = describe(command.status).meaning
        lines.append(f"DIMSE Status                  : 0x{command.status:04x}: {words}")
    lines.append("======================= END DIMSE MESSAGE =======================")
    return "\n".join(lines)


def _head(pdu: str) -> str:
    return f"====================== BEGIN A-{pdu} ====================="


def _foot(pdu: str) -> str:
    return f"======================= END A-{pdu} ======================"


def _name(uid: str) -> str:
    name = uid_name_of(uid)
    return uid if name is None else f"={name}"
