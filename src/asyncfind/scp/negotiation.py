"""What we accept of an association request (PS3.8 Section 9.3.3, PS3.7 Annex D.3.3)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from asyncfind.dimse.command import VERIFICATION
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.query.models import model_of
from asyncfind.query.syntax import SYNTAXES, TransferSyntax
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.identity import UserIdentityRQ
from asyncfind.ul.items import (
    ACCEPTANCE,
    APPLICATION_CONTEXT,
    AsynchronousOperations,
    PresentationContextAC,
    PresentationContextRQ,
    SOPClassExtendedNegotiation,
    UserInformation,
)
from asyncfind.ul.pdu import AssociateAC, AssociateRJ, AssociateRQ

__all__ = [
    "CALLED_TITLE",
    "CONGESTION",
    "IDENTITY",
    "LIMIT",
    "Agreement",
    "Policy",
    "agree",
    "objection",
]

CALLED_TITLE: Final = AssociateRJ(result=1, source=1, reason=7)
LIMIT: Final = AssociateRJ(result=2, source=3, reason=2)
CONGESTION: Final = AssociateRJ(result=2, source=3, reason=1)
IDENTITY: Final = AssociateRJ(result=1, source=1, reason=1)
"""There is no reason of its own for a user who is not welcome (PS3.7 Annex D.3.3.7.3)."""
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
        options: what else of extended negotiation is granted, whether or not the archive has it.
        window: queries that it answers at a time over one association (PS3.7 Annex D.3.3.3).
        users: passcodes by user name, empty for none; who is not in it is rejected. None welcomes
            everybody.
        identity_response: what those are answered who ask for an answer to their identity.
        syntaxes: UIDs of the transfer syntaxes taken; the requestor's order decides.
        max_pdu_length: the longest P-DATA-TF we take.
    """

    aet: str = "ARCHIVE"
    check_called: bool = False
    relational: bool = True
    options: FindOptions = field(default_factory=FindOptions)
    window: int = 1
    users: Mapping[bytes, bytes] | None = field(default=None, repr=False)
    identity_response: bytes = field(default=b"", repr=False)
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
        window: operations that the requestor may have open at once.
    """

    ac: AssociateAC
    contexts: dict[int, tuple[str, TransferSyntax]]
    relational: frozenset[str]
    peer_max_length: int
    window: int = 1


def objection(rq: AssociateRQ, policy: Policy) -> AssociateRJ | None:
    """Why `rq` is rejected for good; None when it is not."""
    if rq.application_context != APPLICATION_CONTEXT:
        return _APPLICATION_CONTEXT
    if policy.check_called and rq.called.strip() != policy.aet:
        return CALLED_TITLE
    if policy.users is not None and not _knows(rq.user_information.user_identity, policy.users):
        return IDENTITY
    return None


def _knows(identity: UserIdentityRQ | None, users: Mapping[bytes, bytes]) -> bool:
    return identity is not None and users.get(identity.primary) == identity.secondary


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
    operations = _operations(asked.asynchronous_operations, policy)
    ac = AssociateAC(
        called=rq.called,
        calling=rq.calling,
        contexts=tuple(answers),
        user_information=UserInformation(
            max_length=policy.max_pdu_length,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            asynchronous_operations=operations,
            extended_negotiation=extended,
            # Of a user name a positive response has no content (PS3.7 Annex D.3.3.7.2).
            user_identity_response=policy.identity_response
            if identity and identity.response_requested
            else None,
        ),
    )
    relational = frozenset(
        item.sop_class
        for item in extended
        if item.sop_class != _WORKLIST and item.application_information[:1] == b"\x01"
    )
    window = 1 if operations is None else operations.invoked
    return Agreement(ac, contexts, relational, asked.max_length, window)


def _operations(
    asked: AsynchronousOperations | None, policy: Policy
) -> AsynchronousOperations | None:
    """The window that both can live with; those who do not ask have one of 1."""
    if asked is None:
        return None
    return AsynchronousOperations(
        invoked=min(asked.invoked or policy.window, policy.window), performed=1
    )


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
    """What of PS3.4 Section C.5.1.1 we allow, in as many bytes as were asked."""
    asked = item.application_information
    if item.sop_class == _WORKLIST:
        given = (FindOptions.decode_worklist(asked) & policy.options).encode_worklist()
    else:
        options = FindOptions.decode(asked)
        granted = options & policy.options
        if policy.relational:
            granted = replace(granted, relational=options.relational)
        given = granted.encode()
    size = max(len(asked), 1)
    return SOPClassExtendedNegotiation(
        sop_class=item.sop_class, application_information=given[:size].ljust(size, b"\0")
    )
