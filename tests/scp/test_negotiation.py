"""What is accepted of an association request."""

import pytest

from asyncfind.scp.negotiation import CALLED_TITLE, IDENTITY, Policy, agree, objection
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.items import (
    AsynchronousOperations,
    PresentationContextRQ,
    SOPClassExtendedNegotiation,
    UserIdentityRQ,
    UserInformation,
)
from asyncfind.ul.pdu import AssociateRJ, AssociateRQ

_VERIFICATION = "1.2.840.10008.1.1"
_STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
_WORKLIST = "1.2.840.10008.5.1.4.31"
_IMPLICIT = "1.2.840.10008.1.2"
_EXPLICIT = "1.2.840.10008.1.2.1"
_JPEG = "1.2.840.10008.1.2.4.50"


def _rq(
    *contexts: tuple[str, tuple[str, ...]],
    called: str = "NORTH",
    application_context: str = "1.2.840.10008.3.1.1.1",
    extended: tuple[tuple[str, bytes], ...] = (),
    identity: UserIdentityRQ | None = None,
    operations: AsynchronousOperations | None = None,
) -> AssociateRQ:
    return AssociateRQ(
        called=called,
        calling="US",
        contexts=tuple(
            PresentationContextRQ(
                context_id=2 * index + 1, abstract_syntax=abstract, transfer_syntaxes=transfer
            )
            for index, (abstract, transfer) in enumerate(contexts)
        ),
        user_information=UserInformation(
            max_length=32768,
            implementation_class_uid="1.2.3",
            extended_negotiation=tuple(
                SOPClassExtendedNegotiation(sop_class=uid, application_information=data)
                for uid, data in extended
            ),
            user_identity=identity,
            asynchronous_operations=operations,
        ),
        application_context=application_context,
    )


def test_contexts_are_answered_one_by_one() -> None:
    rq = _rq(
        (_VERIFICATION, (_IMPLICIT,)),
        (_STUDY_ROOT, (_JPEG, _EXPLICIT, _IMPLICIT)),
        (_WORKLIST, (_IMPLICIT,)),
        (_STUDY_ROOT, (_JPEG,)),
    )
    agreement = agree(rq, [_STUDY_ROOT], Policy())
    assert [(one.context_id, one.result) for one in agreement.ac.contexts] == [
        (1, 0),
        (3, 0),
        (5, 3),  # abstract syntax not supported
        (7, 4),  # transfer syntaxes not supported
    ]
    assert agreement.ac.contexts[1].transfer_syntax == _EXPLICIT
    assert {key: uid for key, (uid, _) in agreement.contexts.items()} == {
        1: _VERIFICATION,
        3: _STUDY_ROOT,
    }
    assert agreement.peer_max_length == 32768
    assert agreement.ac.disagreement(rq) == ""


def test_the_policy_may_take_fewer_transfer_syntaxes() -> None:
    rq = _rq((_STUDY_ROOT, (_EXPLICIT, _IMPLICIT)))
    agreement = agree(rq, [_STUDY_ROOT], Policy(syntaxes=(_IMPLICIT,)))
    assert agreement.ac.contexts[0].transfer_syntax == _IMPLICIT


@pytest.mark.parametrize(
    ("sop_class", "asked", "allowed", "given", "relational"),
    [
        (_STUDY_ROOT, b"\1\1\1", True, b"\1\0\0", True),
        (_STUDY_ROOT, b"\1\1\1", False, b"\0\0\0", False),
        (_STUDY_ROOT, b"\0\1\1\1\1", True, b"\0\0\0\0\0", False),
        (_STUDY_ROOT, b"", True, b"\0", False),
        (_WORKLIST, b"\1\1\1\1", True, b"\1\1\0\0", False),
    ],
)
def test_extended_negotiation(
    sop_class: str, asked: bytes, allowed: bool, given: bytes, relational: bool
) -> None:
    rq = _rq((sop_class, (_IMPLICIT,)), extended=((sop_class, asked), ("1.2.3", b"\1")))
    agreement = agree(rq, [_STUDY_ROOT, _WORKLIST], Policy(relational=allowed))
    (answer,) = agreement.ac.user_information.extended_negotiation
    assert (answer.sop_class, answer.application_information) == (sop_class, given)
    assert agreement.relational == ({sop_class} if relational else set())


def test_user_identity_is_answered_when_asked_for() -> None:
    asks = UserIdentityRQ(type=1, response_requested=True, primary=b"me")
    agreement = agree(_rq((_STUDY_ROOT, (_IMPLICIT,)), identity=asks), [_STUDY_ROOT], Policy())
    assert agreement.ac.user_information.user_identity_response == b""
    tells = UserIdentityRQ(type=1, primary=b"me")
    agreement = agree(_rq((_STUDY_ROOT, (_IMPLICIT,)), identity=tells), [_STUDY_ROOT], Policy())
    assert agreement.ac.user_information.user_identity_response is None


def test_titles_matter_only_when_they_are_checked() -> None:
    rq = _rq((_STUDY_ROOT, (_IMPLICIT,)), called="SOUTH")
    assert objection(rq, Policy(aet="NORTH")) is None
    assert objection(rq, Policy(aet="NORTH", check_called=True)) == CALLED_TITLE
    assert AssociateRJ(result=1, source=1, reason=7) == CALLED_TITLE
    assert objection(rq, Policy(aet="SOUTH", check_called=True)) is None


def test_another_application_context_is_rejected() -> None:
    rq = _rq((_STUDY_ROOT, (_IMPLICIT,)), application_context="1.2.3")
    assert objection(rq, Policy()) == AssociateRJ(result=1, source=1, reason=2)


@pytest.mark.parametrize(
    ("sop_class", "asked", "given"),
    [
        (_STUDY_ROOT, b"\1\1\1", b"\1\0\1"),
        (_STUDY_ROOT, b"\0\0\1\1\0", b"\0\0\1\0\0"),
        (_WORKLIST, b"\1\1\1\1", b"\1\1\1\0"),
        (_WORKLIST, b"\1\1\0", b"\1\1\0"),
    ],
)
def test_more_options_may_be_granted(sop_class: str, asked: bytes, given: bytes) -> None:
    rq = _rq((sop_class, (_IMPLICIT,)), extended=((sop_class, asked),))
    policy = Policy(options=FindOptions(fuzzy=True))
    agreement = agree(rq, [_STUDY_ROOT, _WORKLIST], policy)
    (answer,) = agreement.ac.user_information.extended_negotiation
    assert answer.application_information == given


@pytest.mark.parametrize(
    ("asked", "ours", "window"), [(None, 4, 1), (8, 4, 4), (2, 4, 2), (0, 4, 4), (8, 1, 1)]
)
def test_the_window_is_what_both_can_live_with(asked: int | None, ours: int, window: int) -> None:
    operations = None if asked is None else AsynchronousOperations(invoked=asked, performed=1)
    rq = _rq((_STUDY_ROOT, (_IMPLICIT,)), operations=operations)
    agreement = agree(rq, [_STUDY_ROOT], Policy(window=ours))
    assert agreement.window == window
    answer = agreement.ac.user_information.asynchronous_operations
    expected = None if asked is None else AsynchronousOperations(invoked=window, performed=1)
    assert answer == expected


def test_users_who_are_not_known_are_rejected() -> None:
    policy = Policy(users={b"me": b"secret"})
    known = UserIdentityRQ(type=2, primary=b"me", secondary=b"secret")
    wrong = UserIdentityRQ(type=2, primary=b"me", secondary=b"guess")
    for identity, rejection in ((known, None), (wrong, IDENTITY), (None, IDENTITY)):
        rq = _rq((_STUDY_ROOT, (_IMPLICIT,)), identity=identity)
        assert objection(rq, policy) == rejection
    assert "secret" not in repr(policy)
