"""The seven PDUs (PS3.8 Section 9.3)."""

from dataclasses import replace

import pytest

from asyncfind.errors import LocalProtocolError, MalformedPDU
from asyncfind.ul.items import (
    PresentationContextAC,
    PresentationContextRQ,
    RoleSelection,
    UserIdentityRQ,
    UserInformation,
)
from asyncfind.ul.pdu import (
    DECODERS,
    NAMES,
    PDV,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    ReleaseRP,
    ReleaseRQ,
    encode_data,
)

FIXED = (
    "00 01 00 00"  # protocol version 1
    "41 52 43 48 49 56 45 20 20 20 20 20 20 20 20 20"  # called ARCHIVE
    "41 53 59 4E 43 46 49 4E 44 20 20 20 20 20 20 20"  # calling ASYNCFIND
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
)
CONTEXT_NAME = (  # application context 1.2.840.10008.3.1.1.1
    "10 00 00 15 31 2E 32 2E 38 34 30 2E 31 30 30 30 38 2E 33 2E 31 2E 31 2E 31"
)
INFORMATION = "50 00 00 0F 51 00 00 04 00 00 40 00 52 00 00 03 31 2E 39"
RQ_BYTES = bytes.fromhex(
    "01 00 00 00 00 82"  # 68 + 25 + 18 + 19 bytes
    + FIXED
    + CONTEXT_NAME
    + "20 00 00 0E 01 00 00 00 30 00 00 01 31 40 00 00 01 32"  # context 1: 1 in 2
    + INFORMATION
)
AC_BYTES = bytes.fromhex(
    "02 00 00 00 00 7D"  # 68 + 25 + 13 + 19 bytes
    + FIXED
    + CONTEXT_NAME
    + "21 00 00 09 01 00 00 00 40 00 00 01 32"  # context 1 accepted in 2
    + INFORMATION
)
US = UserInformation(implementation_class_uid="1.9")
RQ = AssociateRQ(
    called="ARCHIVE",
    calling="ASYNCFIND",
    contexts=(PresentationContextRQ(context_id=1, abstract_syntax="1", transfer_syntaxes=("2",)),),
    user_information=US,
)
AC = AssociateAC(
    called="ARCHIVE",
    calling="ASYNCFIND",
    contexts=(PresentationContextAC(context_id=1, result=0, transfer_syntax="2"),),
    user_information=US,
)


def test_names_and_decoders_go_by_type() -> None:
    classes = (AssociateRQ, AssociateAC, AssociateRJ, PDataTF, ReleaseRQ, ReleaseRP, Abort)
    assert [cls.TYPE for cls in classes] == [1, 2, 3, 4, 5, 6, 7]
    assert len(DECODERS) == 7
    assert NAMES[AssociateRJ.TYPE] == "A-ASSOCIATE-RJ"
    assert DECODERS[Abort.TYPE - 1](bytes(4)) == Abort()


def test_associate_rq() -> None:
    assert RQ.encode() == RQ_BYTES
    assert AssociateRQ.decode(RQ_BYTES[6:]) == RQ


def test_associate_ac() -> None:
    assert AC.encode() == AC_BYTES
    assert AssociateAC.decode(AC_BYTES[6:]) == AC


def test_unknown_items_are_skipped_and_absent_ones_empty() -> None:
    body = bytes.fromhex(FIXED + "99 00 00 02 AA BB 21 00 00 00")
    assert AssociateRQ.decode(body) == AssociateRQ(
        called="ARCHIVE",
        calling="ASYNCFIND",
        contexts=(),
        user_information=UserInformation(max_length=0, implementation_class_uid=""),
        application_context="",
    )


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ("10 00 00 00 10 00 00 00", "item 10H twice"),
        ("50 00 00 00 50 00 00 00", "item 50H twice"),
        ("21 00 00 04 01 00 03 00 21 00 00 04 01 00 03 00", "presentation context 1 twice"),
        ("21 00 00 05 01 00 03 00", "item 21H claims 5 bytes, 4 are there"),
    ],
)
def test_malformed_associate(items: str, words: str) -> None:
    with pytest.raises(MalformedPDU, match=f"A-ASSOCIATE-AC: {words}"):
        AssociateAC.decode(bytes.fromhex(FIXED + items))


def test_associate_shorter_than_its_fields() -> None:
    with pytest.raises(MalformedPDU, match="A-ASSOCIATE-RQ: 67 bytes are too few"):
        AssociateRQ.decode(bytes(67))


def test_128_contexts_and_no_more() -> None:
    contexts = [bytes((0x21, 0, 0, 4, number, 0, 3, 0)) for number in range(129)]
    fixed = bytes.fromhex(FIXED)
    assert len(AssociateAC.decode(fixed + b"".join(contexts[:128])).contexts) == 128
    with pytest.raises(MalformedPDU, match="more than 128 presentation contexts"):
        AssociateAC.decode(fixed + b"".join(contexts))


def test_application_context_is_iso_646() -> None:
    with pytest.raises(LocalProtocolError, match="ISO 646"):
        replace(RQ, application_context="ü").encode()


ROLE = RoleSelection(sop_class="1", scu=True, scp=False)
IDENTITY = UserIdentityRQ(type=1, primary=b"user")


@pytest.mark.parametrize(
    ("rq", "ac"),
    [
        (RQ, AC),
        (RQ, replace(AC, contexts=())),  # left out counts as rejected
        (
            RQ,  # of a rejected context nothing else is tested
            replace(
                AC,
                contexts=(PresentationContextAC(context_id=1, result=9, transfer_syntax="8"),),
            ),
        ),
        (RQ, replace(AC, called="", calling="X", application_context="", protocol_version=3)),
        (
            replace(RQ, user_information=replace(US, roles=(ROLE,))),
            replace(AC, user_information=replace(US, roles=(ROLE,))),
        ),
        (
            replace(
                RQ,
                user_information=replace(
                    US, user_identity=replace(IDENTITY, response_requested=True)
                ),
            ),
            replace(AC, user_information=replace(US, user_identity_response=b"")),
        ),
    ],
)
def test_answers(rq: AssociateRQ, ac: AssociateAC) -> None:
    assert ac.disagreement(rq) == ""


@pytest.mark.parametrize(
    ("rq", "ac", "words"),
    [
        (RQ, replace(AC, protocol_version=2), "protocol version 0002H, 0001H proposed"),
        (
            RQ,
            replace(
                AC,
                contexts=(PresentationContextAC(context_id=3, result=3, transfer_syntax=""),),
            ),
            "presentation context 3, not proposed",
        ),
        (
            RQ,
            replace(
                AC,
                contexts=(PresentationContextAC(context_id=1, result=0, transfer_syntax="8"),),
            ),
            "transfer syntax '8' for context 1, not proposed",
        ),
        (
            RQ,
            replace(AC, user_information=replace(US, roles=(ROLE,))),
            "a role for '1', not proposed",
        ),
        (
            replace(RQ, user_information=replace(US, roles=(ROLE,))),
            replace(AC, user_information=replace(US, roles=(replace(ROLE, scp=True),))),
            "a role for '1', not proposed",
        ),
        (
            replace(RQ, user_information=replace(US, roles=(replace(ROLE, scu=False),))),
            replace(AC, user_information=replace(US, roles=(ROLE,))),
            "a role for '1', not proposed",
        ),
        (
            RQ,
            replace(AC, user_information=replace(US, user_identity_response=b"")),
            "a user identity response, not requested",
        ),
        (
            replace(RQ, user_information=replace(US, user_identity=IDENTITY)),
            replace(AC, user_information=replace(US, user_identity_response=b"")),
            "a user identity response, not requested",
        ),
    ],
)
def test_disagreements(rq: AssociateRQ, ac: AssociateAC, words: str) -> None:
    assert ac.disagreement(rq) == words


def test_associate_rj() -> None:
    data = bytes.fromhex("03 00 00 00 00 04 00 01 02 02")
    rj = AssociateRJ(result=1, source=2, reason=2)
    assert rj.encode() == data
    assert AssociateRJ.decode(data[6:]) == rj


@pytest.mark.parametrize(
    ("codes", "text", "is_busy"),
    [
        (
            (1, 1, 7),
            "Rejected Permanent, Service User: Called AE Title Not Recognized",
            False,
        ),
        ((2, 1, 1), "Rejected Transient, Service User: No Reason", True),
        (
            (1, 3, 1),
            "Rejected Permanent, Service Provider (Presentation Related): Temporary Congestion",
            True,
        ),
        (
            (1, 3, 2),
            "Rejected Permanent, Service Provider (Presentation Related): Local Limit Exceeded",
            True,
        ),
        (
            (1, 2, 2),
            "Rejected Permanent, Service Provider (ACSE Related): Protocol Version Not Supported",
            False,
        ),
        ((9, 8, 7), "Unknown Result 9, Unknown Source 8: Unknown Reason 7", False),
    ],
)
def test_rejections_in_words(codes: tuple[int, int, int], text: str, is_busy: bool) -> None:
    rj = AssociateRJ(result=codes[0], source=codes[1], reason=codes[2])
    assert rj.text == text
    assert rj.is_busy is is_busy


PDVS = (PDV(1, True, True, b"\xaa\xbb"), PDV(3, False, False, b""), PDV(255, False, True, b"c"))
PDVS_BODY = (
    "00 00 00 04 01 03 AA BB"  # context 1: command, last
    "00 00 00 02 03 00"  # context 3: data set, not last, empty
    "00 00 00 03 FF 02 63"  # context 255: data set, last
)


def test_p_data_tf() -> None:
    data = bytes.fromhex("04 00 00 00 00 15" + PDVS_BODY)
    assert PDataTF(pdvs=PDVS).encode() == data
    assert PDataTF.decode(data[6:]) == PDataTF(pdvs=PDVS)


def test_one_p_data_tf_for_each_pdv() -> None:
    assert b"".join(encode_data(PDVS)) == bytes.fromhex(
        "04 00 00 00 00 08 00 00 00 04 01 03 AA BB"
        "04 00 00 00 00 06 00 00 00 02 03 00"
        "04 00 00 00 00 07 00 00 00 03 FF 02 63"
    )


def test_p_data_tf_without_items() -> None:
    assert PDataTF.decode(b"") == PDataTF(pdvs=())


def test_other_bits_of_the_control_header_are_not_tested() -> None:
    assert PDataTF.decode(bytes.fromhex("00 00 00 02 01 FD")).pdvs == (PDV(1, True, False, b""),)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("00 00 00 02 01", "5 bytes left over"),
        ("00 00 00 01 01 03", "an item claims 1 bytes, 2 are there"),
        ("00 00 00 03 01 03", "an item claims 3 bytes, 2 are there"),
        ("FF FF FF FF 01 03", "an item claims 4294967295 bytes, 2 are there"),
    ],
)
def test_malformed_p_data_tf(body: str, words: str) -> None:
    with pytest.raises(MalformedPDU, match=f"P-DATA-TF: {words}"):
        PDataTF.decode(bytes.fromhex(body))


def test_release() -> None:
    assert ReleaseRQ().encode() == bytes.fromhex("05 00 00 00 00 04 00 00 00 00")
    assert ReleaseRP().encode() == bytes.fromhex("06 00 00 00 00 04 00 00 00 00")
    assert ReleaseRQ.decode(bytes.fromhex("DE AD BE EF")) == ReleaseRQ()
    assert ReleaseRP.decode(bytes.fromhex("DE AD BE EF")) == ReleaseRP()


def test_abort() -> None:
    data = bytes.fromhex("07 00 00 00 00 04 00 00 02 06")
    assert Abort(source=2, reason=6).encode() == data
    assert Abort.decode(data[6:]) == Abort(source=2, reason=6)


@pytest.mark.parametrize(
    ("source", "reason", "text"),
    [
        (0, 6, "service user"),
        (2, 2, "service provider: unexpected PDU"),
        (2, 3, "service provider: unknown reason 3"),
        (1, 0, "unknown source 1: reason not specified"),
    ],
)
def test_aborts_in_words(source: int, reason: int, text: str) -> None:
    assert Abort(source=source, reason=reason).text == text


@pytest.mark.parametrize("kind", [3, 5, 6, 7])
@pytest.mark.parametrize("size", [0, 3, 5])
def test_fixed_lengths(kind: int, size: int) -> None:
    with pytest.raises(MalformedPDU, match=f"{NAMES[kind]}: {size} bytes instead of 4"):
        DECODERS[kind - 1](bytes(size))
