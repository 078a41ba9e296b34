"""PDUs and messages as they come and go (-d), in the layout of findscu's debug log."""

from collections.abc import Iterator, Sequence

from asyncfind.dimse.command import CancelRQ, Command, FindRQ, FindRSP
from asyncfind.errors import MalformedIdentifier
from asyncfind.findscu.describe import describe_request, describe_response
from asyncfind.logs.levels import Level
from asyncfind.plan import Limits, Plan
from asyncfind.query.dcmtk_dictionary import uid_name_of
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import SYNTAXES
from asyncfind.records import Record, Summary, Traffic
from asyncfind.render.dump import dump_item
from asyncfind.render.renderer import Renderer
from asyncfind.render.report import Messages
from asyncfind.safe import safe
from asyncfind.ul.pdu import AssociateAC, AssociateRQ

__all__ = ["Traced"]

_RESULTS = ("Accepted", "User Rejection", "No Reason", "Abstract Syntax Not Supported",
            "Transfer Syntaxes Not Supported")  # fmt: skip


class Traced:
    """Tells of traffic by `messages`, and shows what else there is by `renderer`.

    The secrets of a user identity are never shown; values of data sets are, which is what the
    option is for.
    """

    def __init__(self, renderer: Renderer, messages: Messages) -> None:
        self._renderer = renderer
        self._messages = messages
        self._max_inflated = Limits().max_identifier
        self._proposed: dict[int, str] = {}
        self._several = False

    def begin(self, plan: Plan) -> None:
        """Begin the results; what is shown is patient data, so that is said."""
        self._several = len(plan.peers) > 1
        self._max_inflated = plan.limits.max_identifier
        self._messages.say(Level.WARN, ["messages are shown with all their values: patient data."])
        self._renderer.begin(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show traffic, then the rest."""
        rest = []
        for record in records:
            if isinstance(record, Traffic):
                self._messages.say(Level.DEBUG, list(self._lines(record)))
            else:
                rest.append(record)
        return self._renderer.show(rest)

    def end(self, summary: Summary) -> None:
        """End the results."""
        self._renderer.end(summary)

    def _lines(self, traffic: Traffic) -> Iterator[str]:
        if self._several:
            yield f"Node: {safe(traffic.peer.node)}"
        match traffic.what:
            case AssociateRQ():
                text = "Request Parameters:\n" + self._requested(traffic.what)
            case AssociateAC():
                text = "Association Parameters Negotiated:\n" + self._accepted(traffic.what)
            case command:
                text = self._message(traffic, command)
        for line in text.split("\n"):
            yield safe(line)

    def _requested(self, rq: AssociateRQ) -> str:
        self._proposed = {one.context_id: one.abstract_syntax for one in rq.contexts}
        lines = [*_head("RQ", rq)]
        for context in rq.contexts:
            lines += [
                f"  Context ID:        {context.context_id} (Proposed)",
                f"    Abstract Syntax: {_name(context.abstract_syntax)}",
                "    Proposed Transfer Syntax(es):",
                *(f"      {_name(uid)}" for uid in context.transfer_syntaxes),
            ]
        return "\n".join([*lines, *_negotiated(rq), _foot("RQ")])

    def _accepted(self, ac: AssociateAC) -> str:
        lines = [*_head("AC", ac)]
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
        return "\n".join([*lines, *_negotiated(ac), _foot("AC")])

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
            case _:
                text = type(command).__name__
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


def _head(kind: str, pdu: AssociateRQ | AssociateAC) -> list[str]:
    information = pdu.user_information
    whose = "Our" if kind == "RQ" else "Their"
    return [
        f"====================== BEGIN A-ASSOCIATE-{kind} =====================",
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


def _foot(kind: str) -> str:
    return f"======================= END A-ASSOCIATE-{kind} ======================"


def _name(uid: str) -> str:
    name = uid_name_of(uid)
    return uid if name is None else f"={name}"
