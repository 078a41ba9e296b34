"""PDUs, fragments and the blocks of the log, byte for byte."""

import struct

import pytest

from asyncfind.findscu.conditions import Bad
from asyncfind.findscu.describe import (
    Parameters,
    describe_request,
    describe_response,
    rejection,
    status_words,
)
from asyncfind.findscu.fragments import fragment
from asyncfind.findscu.pdus import Accepted, encode_rq, parse_ac
from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from asyncfind.query.writer import write_item


def _ac(*items: bytes, version: int = 1) -> bytes:
    titles = b"THEM".ljust(16) + b"US".ljust(16)
    return struct.pack(">HH", version, 0) + titles + bytes(32) + b"".join(items)


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


_SYNTAX = _item(0x40, b"1.2.840.10008.1.2")
_CONTEXT = _item(0x21, b"\1\0\0\0" + _SYNTAX)


def test_our_request() -> None:
    rq = encode_rq(
        called="THEM",
        calling="A TITLE THAT IS TOO LONG",
        abstract_syntax="1.2",
        transfer_syntaxes=("1.3",),
        max_length=16384,
        class_uid="1.4",
        version_name="V",
    )
    assert rq == bytes.fromhex("01 00 0000008b") + bytes.fromhex("0001 0000") + b"".join(
        (
            b"THEM".ljust(16) + b"A TITLE THAT IS " + bytes(32),
            _item(0x10, b"1.2.840.10008.3.1.1.1"),
            _item(0x20, b"\1\0\xff\0" + _item(0x30, b"1.2") + _item(0x40, b"1.3")),
            _item(0x50, _item(0x51, b"\0\0\x40\0") + _item(0x52, b"1.4") + _item(0x55, b"V")),
        )
    )


def test_an_answer() -> None:
    user = _item(0x51, b"\0\0\x10\0") + _item(0x52, b"1.4\0") + _item(0x77, b"?")
    accepted = parse_ac(
        _ac(_item(0x10, b"1.2"), _CONTEXT, _item(0x50, user + _item(0x55, b"V" * 20)))
    )
    assert (accepted.called, accepted.calling) == ("THEM", "US")
    assert accepted.max_length == 4096
    assert (accepted.class_uid, accepted.version_name) == ("1.4", "V" * 16)
    assert [(one.context_id, one.result) for one in accepted.contexts] == [(1, 0)]
    assert accepted.contexts[0].transfer_syntaxes == ["1.2.840.10008.1.2"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            bytes(20),
            (
                "0006:0307 DUL Illegal or ill-formed PDU\n"
                "0006:0308 DUL Illegal associate PDU. Got 20 bytes of data. "
                "The minimum allowed size is 68."
            ),
        ),
        (
            _ac(version=2),
            (
                "0006:0307 DUL Illegal or ill-formed PDU\n"
                "0006:0322 DUL Unsupported peer protocol 0002; expected 0001 in parseAssociate"
            ),
        ),
        (
            _ac(_item(0x21, b"\1\0\0\0")),
            "0006:0318 DUL Peer supplied illegal number of transfer syntaxes (0)",
        ),
    ],
)
def test_what_is_no_answer(body: bytes, expected: str) -> None:
    with pytest.raises(Bad) as caught:
        parse_ac(body)
    assert caught.value.condition.dump() == expected


def test_a_wrong_length_of_the_maximum_is_told() -> None:
    user = _item(0x50, _item(0x51, b"\0\0\x10\0\0\0"))
    assert parse_ac(_ac(_CONTEXT, user)).warnings == [
        "Invalid length (6) for maximum length item, must be 4"
    ]


# --- Fragments. ---


def _data(syntax_name: str = "explicit") -> bytes:
    syntax = EXPLICIT_VR_LITTLE_ENDIAN if syntax_name == "explicit" else IMPLICIT_VR_LITTLE_ENDIAN
    inner = Item({0x00080060: Element(0x00080060, "CS", b"CT", 2)})
    elements = {
        0x00100010: Element(0x00100010, "PN", b"x" * 30, 30),
        0x00400100: Element(0x00400100, "SQ", [inner], 0),
        0x00420011: Element(0x00420011, "OB", b"\1\2", 2),
    }
    return write_item(Item(elements), syntax)


@pytest.mark.parametrize("size", [12, 14, 16, 20, 30, 40, 64])
@pytest.mark.parametrize("name", ["explicit", "implicit"])
def test_headers_are_never_cut(size: int, name: str) -> None:
    data = _data(name)
    explicit = name == "explicit"
    syntax = EXPLICIT_VR_LITTLE_ENDIAN if explicit else IMPLICIT_VR_LITTLE_ENDIAN
    pieces = fragment(data, syntax, size)
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= size
    borders = {sum(map(len, pieces[:place])) for place in range(1, len(pieces))}
    # PatientName, the sequence, its item, the element in it, the bytes.
    headers = [(0, 8), (38, 12), (50, 8), (58, 8), (68, 12)] if explicit else [
        (0, 8), (38, 8), (46, 8), (54, 8), (64, 8)
    ]  # fmt: skip
    for start, length in headers:
        assert borders.isdisjoint(range(start + 1, start + length))


def test_what_is_deflated_is_cut_anywhere() -> None:
    pieces = fragment(bytes(100), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, 30)
    assert [len(piece) for piece in pieces] == [30, 30, 30, 10]


# --- The log. ---


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x0000, "Success"),
        (0xFF00, "Pending"),
        (0xFF01, "Pending: WarningUnsupportedOptionalKeys"),
        (0xA700, "Refused: OutOfResources"),
        (0xA900, "Error: DataSetDoesNotMatchSOPClass"),
        (0x0122, "Refused: SOPClassNotSupported"),
        (0xC123, "Failed: UnableToProcess"),
        (0xFE00, "Cancel: MatchingTerminatedDueToCancelRequest"),
        (0x0001, "Unknown Status: 0x1"),
        (0xA701, "Unknown Status: 0xa701"),
    ],
)
def test_statuses_in_a_word(status: int, expected: str) -> None:
    assert status_words(status) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0xFF00, "0xff00: Pending: Matches are continuing"),
        (0xA9FF, "0xa9ff: Error: Data Set does not match SOP Class"),
        (0xC001, "0xc001: Failed: Unable to process"),
        (0x0107, "0x0107: Warning"),
        (0xB000, "0xb000: Warning"),
        (0x0210, "0x0210: Failure"),
        (0xFF02, "0xff02: Unknown Status Code (non-standard)"),
    ],
)
def test_statuses_in_a_sentence(status: int, expected: str) -> None:
    box = describe_response(7, None, False, status).splitlines()
    assert box[2] == "Message ID Being Responded To : 7"
    assert box[3] == "Affected SOP Class UID        : none"
    assert box[4] == "Data Set                      : none"
    assert box[5] == f"DIMSE Status                  : {expected}"


def test_our_message() -> None:
    assert describe_request(2, "1.2.840.10008.5.1.4.31").splitlines()[1:4] == [
        "Message Type                  : C-FIND RQ",
        "Presentation Context ID       : 1",
        "Message ID                    : 2",
    ]


@pytest.mark.parametrize(
    ("codes", "complaints", "expected"),
    [
        (
            (1, 1, 7),
            [],
            (
                "Result: Rejected Permanent, Source: Service User\n"
                "Reason: Called AE Title Not Recognized"
            ),
        ),
        (
            (2, 3, 1),
            [],
            (
                "Result: Rejected Transient, Source: Service Provider (Presentation Related)\n"
                "Reason: Temporary Congestion"
            ),
        ),
        (
            (3, 4, 9),
            [
                "Received invalid A-ASSOCIATE-RJ reject result 0x0003, using default.",
                "Received invalid A-ASSOCIATE-RJ reject source 0x0004, using default.",
                "Received invalid A-ASSOCIATE-RJ reject reason 0x0409, using default.",
            ],
            "Result: Rejected Permanent, Source: Service User\nReason: No Reason",
        ),
    ],
)
def test_rejections(codes: tuple[int, int, int], complaints: list[str], expected: str) -> None:
    assert rejection(*codes) == (complaints, expected)


def test_parameters_before_and_after_the_answer() -> None:
    parameters = Parameters(
        calling="US",
        called="THEM",
        max_pdu=16384,
        abstract_syntax="1.2.840.10008.5.1.4.31",
        transfer_syntaxes=("1.2.840.10008.1.2", "1.2.3"),
        class_uid="1.4",
        version_name="V",
    )
    requested = parameters.requested().splitlines()
    assert requested[12:18] == [
        "  Context ID:        1 (Proposed)",
        "    Abstract Syntax: =FINDModalityWorklistInformationModel",
        "    Proposed SCP/SCU Role: Default",
        "    Proposed Transfer Syntax(es):",
        "      =LittleEndianImplicit",
        "      1.2.3",
    ]
    accepted = parameters.accepted(parse_ac(_ac(_CONTEXT))).splitlines()
    assert accepted[12:17] == [
        "  Context ID:        1 (Accepted)",
        "    Abstract Syntax: =FINDModalityWorklistInformationModel",
        "    Proposed SCP/SCU Role: Default",
        "    Accepted SCP/SCU Role: Default",
        "    Accepted Transfer Syntax: =LittleEndianImplicit",
    ]
    unanswered = parameters.accepted(Accepted()).splitlines()
    assert unanswered[5:9] == [
        "Application Context Name:    1.2.840.10008.3.1.1.1",
        "Calling Application Name:    US",
        "Called Application Name:     THEM",
        "Responding Application Name: THEM",
    ]
    assert unanswered[12] == "  Context ID:        1 (Proposed)"
