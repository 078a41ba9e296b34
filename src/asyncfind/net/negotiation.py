"""What we ask for beside presentation contexts, and what came of it (PS3.7 Annex D.3.3)."""

from collections.abc import Iterable
from typing import Final

from asyncfind.query.models import model_of
from asyncfind.records import Agreement, Extended
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.items import (
    ACCEPTANCE,
    AsynchronousOperations,
    SOPClassExtendedNegotiation,
)
from asyncfind.ul.pdu import AssociateAC, AssociateRQ

__all__ = ["agreement", "extended_negotiation", "operations_window"]

_QUERY_RETRIEVE: Final = frozenset(
    model_of(name).uid for name in ("patient", "study", "patient-study")
)
_WORKLIST: Final = model_of("worklist").uid
_OF_QUERY_RETRIEVE: Final = FindOptions(
    relational=True, date_time=True, fuzzy=True, timezone=True, multiframe=True
)
_OF_WORKLIST: Final = FindOptions(fuzzy=True, timezone=True)
"""The rest does not apply, or always holds (PS3.4 Section K.5.1)."""
_NONE: Final = FindOptions()


def extended_negotiation(
    sop_classes: Iterable[str], options: FindOptions
) -> tuple[SOPClassExtendedNegotiation, ...]:
    """A sub-item for each SOP class that has some of `options` (PS3.7 Annex D.3.3.5)."""
    return tuple(
        SOPClassExtendedNegotiation(
            sop_class=uid,
            application_information=asked.encode_worklist() if uid == _WORKLIST else asked.encode(),
        )
        for uid in sop_classes
        if (asked := _options_of(uid, options))
    )


def operations_window(window: int) -> AsynchronousOperations | None:
    """The sub-item that asks for `window` open operations (PS3.7 Annex D.3.3.3).

    None where one is enough: it is what a missing sub-item means, and some peers stumble over it.
    """
    return None if window == 1 else AsynchronousOperations(invoked=window, performed=1)


def agreement(rq: AssociateRQ, ac: AssociateAC, options: FindOptions) -> Agreement:
    """What `ac` makes of `rq`, which asked for `options` wherever they apply."""
    accepted = {context.context_id for context in ac.contexts if context.result == ACCEPTANCE}
    answers = {
        item.sop_class: item.application_information
        for item in ac.user_information.extended_negotiation
    }
    extended = []
    for context in rq.contexts:
        uid = context.abstract_syntax
        asked = _options_of(uid, options)
        if asked and context.context_id in accepted:
            # No sub-item is no option: the default conditions hold (PS3.4 Section C.5.1.1).
            granted = _decode(uid, answers.get(uid, b"")) & asked
            extended.append(Extended(uid, asked, granted))
    proposed = rq.user_information.asynchronous_operations
    window_asked = 1 if proposed is None else proposed.invoked
    return Agreement(
        extended=tuple(extended),
        window_asked=window_asked,
        window=_window(window_asked, ac.user_information.asynchronous_operations),
        identity_response=ac.user_information.user_identity_response,
    )


def _options_of(uid: str, options: FindOptions) -> FindOptions:
    if uid in _QUERY_RETRIEVE:
        return options & _OF_QUERY_RETRIEVE
    return options & _OF_WORKLIST if uid == _WORKLIST else _NONE


def _decode(uid: str, information: bytes) -> FindOptions:
    if uid == _WORKLIST:
        return FindOptions.decode_worklist(information)
    return FindOptions.decode(information)


def _window(asked: int, answer: AsynchronousOperations | None) -> int:
    """Never more than we asked for, whatever the peer says; its 0 is unlimited."""
    if answer is None:
        return 1
    return min(asked, answer.invoked or asked)
