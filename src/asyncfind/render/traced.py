"""PDUs and messages as they come and go (-d), in the layout of findscu's debug log."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TextIO

from asyncfind.dimse.command import CancelRQ, Command, FindRQ, FindRSP
from asyncfind.errors import MalformedIdentifier
from asyncfind.findscu.describe import describe_request, describe_response
from asyncfind.plan import Plan
from asyncfind.query.dcmtk_dictionary import uid_name_of
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import SYNTAXES
from asyncfind.records import Record, Summary, Traffic
from asyncfind.render.dump import dump_item
from asyncfind.render.renderer import Renderer
from asyncfind.safe import safe
from asyncfind.ul.pdu import AssociateAC, AssociateRQ

__all__ = ["Traced"]

_RESULTS = ("Accepted", "User Rejection", "No Reason", "Abstract Syntax Not Supported",
            "Transfer Syntaxes Not Supported")  # fmt: skip


class Traced:
    """Shows traffic as lines `D: ...` on `stream`, and what else there is by `renderer`.

    The secrets of a user identity are never shown; values of data sets are, which is what the
    option is for.
    """

    def __init__(self, renderer: Renderer, stream: TextIO) -> None:
        self._renderer = renderer
        self._stream = stream
        self._proposed: dict[int, str] = {}
        self._several = False

    def begin(self, plan: Plan) -> None:
        """Begin the results; what is shown is patient data, so that is said."""
        self._several = len(plan.peers) > 1
        self._say(["asyncfind: -d shows messages with all their values: patient data."])
        self._renderer.begin(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show traffic, then the rest."""
        rest = []
        for record in records:
            if isinstance(record, Traffic):
                self._say(self._lines(record))
            else:
                rest.append(record)
        return self._renderer.show(rest)

    def end(self, summary: Summary) -> None:
        """End the results."""
        self._renderer.end(summary)

    def _lines(self, traffic: Traffic) -> Iterator[str]:
        if self._several:
            yield f"D: Node: {safe(traffic.peer.node)}"
        match traffic.what:
            case AssociateRQ():
                text = "Request Parameters:\n" + self._requested(traffic.what)
            case AssociateAC():
                text = "Association Parameters Negotiated:\n" + self._accepted(traffic.what)
            case command:
                text = _message(traffic, command)
        for line in text.split("\n"):
            yield f"D: {safe(line)}".rstrip()

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
        return "\n".join([*lines, _foot("RQ")])

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
        return "\n".join([*lines, _foot("AC")])

    def _say(self, lines: Sequence[str] | Iterator[str]) -> None:
        # Results do not depend on somebody reading the messages.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()


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


def _foot(kind: str) -> str:
    return f"======================= END A-ASSOCIATE-{kind} ======================"


def _name(uid: str) -> str:
    name = uid_name_of(uid)
    return uid if name is None else f"={name}"


def _message(traffic: Traffic, command: Command) -> str:
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
    return f"{text}\n{title}\n{_dump(traffic)}"


def _dump(traffic: Traffic) -> str:
    syntax = SYNTAXES[traffic.transfer_syntax]
    assert traffic.identifier is not None
    head = f"\n# Dicom-Data-Set\n# Used TransferSyntax: {syntax.name}\n"
    try:
        return head + dump_item(read_item(traffic.identifier, syntax))
    except MalformedIdentifier as error:
        return f"{head}# {error.text}; {len(traffic.identifier)} bytes\n"
