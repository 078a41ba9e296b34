"""Items and sub-items of A-ASSOCIATE (PS3.8 Sections 9.3.2, 9.3.3; PS3.7 Annex D)."""

import pytest

from asyncfind.errors import LocalProtocolError, MalformedPDU
from asyncfind.ul.items import (
    AsynchronousOperations,
    PresentationContextAC,
    PresentationContextRQ,
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityRQ,
    UserInformation,
)

CONTEXT_RQ = bytes.fromhex(
    "20 00 00 16"
    "03 00 00 00"  # presentation context 3
    "30 00 00 03 31 2E 32"  # abstract syntax 1.2
    "40 00 00 03 31 2E 33"  # transfer syntaxes 1.3
    "40 00 00 00"  # and an empty one
)
CONTEXT_AC = bytes.fromhex(
    "21 00 00 0B"
    "03 00 00 00"  # presentation context 3, accepted
    "40 00 00 03 31 2E 33"  # transfer syntax 1.3
)
USER_INFORMATION = bytes.fromhex(
    "50 00 00 6D"
    "51 00 00 04 00 00 40 00"  # maximum length 16384
    "52 00 00 03 31 2E 39"  # implementation class 1.9
    "53 00 00 04 00 05 00 00"  # operations: 5 invoked, any number performed
    "54 00 00 07 00 03 31 2E 32 01 00"  # role for 1.2: SCU
    "54 00 00 07 00 03 31 2E 33 00 01"  # role for 1.3: SCP
    "55 00 00 02 56 31"  # version name V1
    "56 00 00 07 00 03 31 2E 32 01 01"  # extended negotiation for 1.2
    "57 00 00 14"  # common extended negotiation
    "00 03 31 2E 32"  # for 1.2
    "00 03 31 2E 34"  # of service class 1.4
    "00 08 00 03 31 2E 35 00 01 37"  # related: 1.5 and 7
    "58 00 00 0B 02 01 00 04 75 73 65 72 00 01 70"  # user identity: user, p, answer wanted
    "59 00 00 04 00 02 6F 6B"  # and an answer, ok
)
INFORMATION = UserInformation(
    max_length=16384,
    implementation_class_uid="1.9",
    implementation_version_name="V1",
    asynchronous_operations=AsynchronousOperations(invoked=5, performed=0),
    roles=(
        RoleSelection(sop_class="1.2", scu=True, scp=False),
        RoleSelection(sop_class="1.3", scu=False, scp=True),
    ),
    extended_negotiation=(
        SOPClassExtendedNegotiation(sop_class="1.2", application_information=b"\x01\x01"),
    ),
    common_extended_negotiation=(
        SOPClassCommonExtendedNegotiation(
            sop_class="1.2", service_class="1.4", related=("1.5", "7")
        ),
    ),
    user_identity=UserIdentityRQ(type=2, response_requested=True, primary=b"user", secondary=b"p"),
    user_identity_response=b"ok",
)


def test_presentation_context_rq() -> None:
    context = PresentationContextRQ(
        context_id=3, abstract_syntax="1.2", transfer_syntaxes=("1.3", "")
    )
    assert context.encode() == CONTEXT_RQ
    assert PresentationContextRQ.decode(CONTEXT_RQ[4:]) == context


def test_presentation_context_rq_skips_unknown_sub_items() -> None:
    value = bytes.fromhex("03 FF FF FF  99 00 00 01 00  30 00 00 01 31")
    assert PresentationContextRQ.decode(value) == PresentationContextRQ(
        context_id=3, abstract_syntax="1", transfer_syntaxes=()
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("03 00 00", "3 bytes are too few"),
        ("03 00 00 00", "item 3: 0 abstract syntaxes"),
        ("03 00 00 00 30 00 00 00 30 00 00 00", "2 abstract syntaxes"),
        ("03 00 00 00 30 00 00 01", "claims 1 bytes"),
    ],
)
def test_malformed_presentation_context_rq(value: str, words: str) -> None:
    with pytest.raises(MalformedPDU, match=words):
        PresentationContextRQ.decode(bytes.fromhex(value))


def test_presentation_context_ac() -> None:
    context = PresentationContextAC(context_id=3, result=0, transfer_syntax="1.3")
    assert context.encode() == CONTEXT_AC
    assert PresentationContextAC.decode(CONTEXT_AC[4:]) == context


@pytest.mark.parametrize(
    ("value", "syntax"),
    [
        ("03 00 03 00", ""),  # no transfer syntax
        ("03 00 03 00 40 00 00 01 31 40 00 00 01 32", "1"),  # two of them
        ("03 00 03 00 40 00 00 09 31", ""),  # one that outgrows the item
        ("03 FF 03 FF 99 00 00 00", ""),  # something else
    ],
)
def test_transfer_syntax_of_a_rejected_context_is_not_tested(value: str, syntax: str) -> None:
    assert PresentationContextAC.decode(bytes.fromhex(value)) == PresentationContextAC(
        context_id=3, result=3, transfer_syntax=syntax
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("03 00 00", "3 bytes are too few"),
        ("03 00 00 00", "item 3: 0 transfer syntaxes"),
        ("03 00 00 00 40 00 00 00 40 00 00 00", "2 transfer syntaxes"),
        ("03 00 00 00 40 00 00 09 31", "claims 9 bytes"),
    ],
)
def test_malformed_presentation_context_ac(value: str, words: str) -> None:
    with pytest.raises(MalformedPDU, match=words):
        PresentationContextAC.decode(bytes.fromhex(value))


def test_user_information_with_every_sub_item() -> None:
    assert INFORMATION.encode() == USER_INFORMATION
    assert UserInformation.decode(USER_INFORMATION[4:]) == INFORMATION


def test_user_information_at_its_smallest() -> None:
    smallest = UserInformation(implementation_class_uid="")
    assert smallest.encode() == bytes.fromhex("50 00 00 08 51 00 00 04 00 00 40 00")
    assert UserInformation.decode(b"") == UserInformation(max_length=0, implementation_class_uid="")


def test_unknown_sub_items_are_skipped() -> None:
    value = bytes.fromhex("99 00 00 02 AA BB  51 00 00 04 00 00 00 08  00 00 00 00")
    assert UserInformation.decode(value).max_length == 8


@pytest.mark.parametrize("kind", ["51", "52", "53", "55", "58", "59"])
def test_sub_items_that_may_not_repeat(kind: str) -> None:
    with pytest.raises(MalformedPDU, match=f"sub-item {kind}H twice"):
        UserInformation.decode(bytes.fromhex(f"{kind} 00 00 00") * 2)


def test_1024_sub_items_and_no_more() -> None:
    UserInformation.decode(bytes.fromhex("99 00 00 00") * 1024)
    with pytest.raises(MalformedPDU, match="more than 1024 sub-items"):
        UserInformation.decode(bytes.fromhex("99 00 00 00") * 1025)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("51 00 00 03 00 00 00", "maximum length: 3 bytes instead of 4"),
        ("53 00 00 05 00 00 00 00 00", "operations window: 5 bytes"),
        ("54 00 00 02 00 03", "role selection: a field claims 3 bytes"),
        ("54 00 00 04 00 01 31 01", "the roles: 1 bytes instead of 2"),
        ("56 00 00 01 00", "extended negotiation: a length field is cut off"),
        ("57 00 00 04 00 00 00 00", "common extended negotiation: a length field"),
        ("57 00 00 07 00 00 00 00 00 01 00", "common extended negotiation: a length field"),
        ("58 00 00 01 00", "user identity: 1 bytes are too few"),
        ("58 00 00 04 01 00 00 00", "user identity: a length field is cut off"),
        ("58 00 00 07 01 00 00 00 00 00 AA", "after its fields: 1 bytes instead of 0"),
        ("59 00 00 02 00 01", "user identity response: a field claims 1 bytes"),
        ("51 00 00 04 00", "claims 4 bytes, 1 are there"),
    ],
)
def test_malformed_user_information(value: str, words: str) -> None:
    with pytest.raises(MalformedPDU, match=words):
        UserInformation.decode(bytes.fromhex(value))


def test_reserved_bytes_after_related_sop_classes_are_not_tested() -> None:
    value = bytes.fromhex("00 01 31 00 01 32 00 00 AA BB")
    assert SOPClassCommonExtendedNegotiation.decode(value) == SOPClassCommonExtendedNegotiation(
        sop_class="1", service_class="2"
    )


def test_secrets_stay_out_of_representations() -> None:
    shown = repr(INFORMATION)
    assert "b'user'" not in shown
    assert "b'p'" not in shown
    assert "b'ok'" not in shown


def test_what_does_not_fit_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="70000 bytes"):
        UserIdentityRQ(type=4, primary=bytes(70000)).encode()
