"""What we accept of an association request (PS3.8 Section 9.3.3, PS3.7 Annex D.3.3)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from asyncfind.dimse.command import VERIFICATION
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.query.models import model_of
from asyncfind.query.syntax import SYNTAXES, TransferSyntax
from asyncfind.ul.items import (
    ACCEPTANCE,
    APPLICATION_CONTEXT,
    PresentationContextAC,
    PresentationContextRQ,
    SOPClassExtendedNegotiation,
    UserInformation,
)
from asyncfind.ul.pdu import AssociateAC, AssociateRJ, AssociateRQ

__all__ = ["CALLED_TITLE", "CONGESTION", "LIMIT", "Agreement", "Policy", "agree", "objection"]

CALLED_TITLE: Final = AssociateRJ(result=1, source=1, reason=7)
LIMIT: Final = AssociateRJ(result=2, source=3, reason=2)
CONGESTION: Final = AssociateRJ(result=2, source=3, reason=1)
_APPLICATION_CONTEXT: Final = AssociateRJ(result=1, source=1, reason=2)

_ABSTRACT_SYNTAX_NOT_SUPPORTED: Final = 3
_TRANSFER_SYNTAXES_NOT_SUPPORTED: Final = 4
_WORKLIST: Final = model_of("worklist").uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an archive says to those who call.

    Args:
        aet: our AE title.
        check_called: reject those who call another AE title.
        relational: allow relational queries to those who ask for them (PS3.4 Section C.5.1.1.1).
        syntaxes: UIDs of the transfer syntaxes taken; the requestor's order decides.
        max_pdu_length: the longest P-DATA-TF we take.
    """

    aet: str = "ARCHIVE"
    check_called: bool = False
    relational: bool = True
    syntaxes: tuple[str, ...] = tuple(SYNTAXES)
    max_pdu_length: int = 16384


@dataclass(frozen=True, slots=True)
class Agreement:
    """An accepted request.

    Args:
        ac: our answer.
        contexts: SOP class and transfer syntax of each accepted presentation context.
        relational: SOP classes with relational queries.
        peer_max_length: of the P-DATA-TFs that the requestor takes; 0 is no limit.
    """

    ac: AssociateAC
    contexts: dict[int, tuple[str, TransferSyntax]]
    relational: frozenset[str]
    peer_max_length: int


def objection(rq: AssociateRQ, policy: Policy) -> AssociateRJ | None:
    """Why `rq` is rejected for good; None when it is not."""
    if rq.application_context != APPLICATION_CONTEXT:
        return _APPLICATION_CONTEXT
    if policy.check_called and rq.called.strip() != policy.aet:
        return CALLED_TITLE
    return None


def agree(rq: AssociateRQ, models: Collection[str], policy: Policy) -> Agreement:
    """Answer each presentation context and what else was asked for."""
    answers = [_answer(context, models, policy) for context in rq.contexts]
    offered = {context.context_id: context.abstract_syntax for context in rq.contexts}
    contexts = {
        answer.context_id: (offered[answer.context_id], SYNTAXES[answer.transfer_syntax])
        for answer in answers
        if answer.result == ACCEPTANCE
    }
    asked = rq.user_information
    classes = {sop_class for sop_class, _ in contexts.values()}
    extended = tuple(
        _extended(item, policy) for item in asked.extended_negotiation if item.sop_class in classes
    )
    identity = asked.user_identity
    ac = AssociateAC(
        called=rq.called,
        calling=rq.calling,
        contexts=tuple(answers),
        user_information=UserInformation(
            max_length=policy.max_pdu_length,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            extended_negotiation=extended,
            # Everybody is welcome: a positive response without a token (PS3.7 Annex D.3.3.7.2).
            user_identity_response=b"" if identity and identity.response_requested else None,
        ),
    )
    relational = frozenset(
        item.sop_class
        for item in extended
        if item.sop_class != _WORKLIST and item.application_information[:1] == b"\x01"
    )
    return Agreement(ac, contexts, relational, asked.max_length)


def _answer(
    context: PresentationContextRQ, models: Collection[str], policy: Policy
) -> PresentationContextAC:
    taken = next((uid for uid in context.transfer_syntaxes if uid in policy.syntaxes), None)
    if context.abstract_syntax != VERIFICATION and context.abstract_syntax not in models:
        result = _ABSTRACT_SYNTAX_NOT_SUPPORTED
    elif taken is None:
        result = _TRANSFER_SYNTAXES_NOT_SUPPORTED
    else:
        result = ACCEPTANCE
    # Of a rejected context the transfer syntax "shall not be significant" (PS3.8 Table 9-18).
    syntax = taken or (context.transfer_syntaxes or ("1.2.840.10008.1.2",))[0]
    return PresentationContextAC(
        context_id=context.context_id, result=result, transfer_syntax=syntax
    )


def _extended(item: SOPClassExtendedNegotiation, policy: Policy) -> SOPClassExtendedNegotiation:
    """Relational queries if we allow them; no other option of PS3.4 Section C.5.1.1."""
    asked = item.application_information
    if item.sop_class == _WORKLIST:  # the first two bytes are always 1 (PS3.4 Section K.5.1)
        given = b"\x01\x01" + bytes(max(len(asked) - 2, 0))
    else:
        relational = policy.relational and asked[:1] == b"\x01"
        given = bytes([relational]) + bytes(max(len(asked) - 1, 0))
    return SOPClassExtendedNegotiation(sop_class=item.sop_class, application_information=given)
