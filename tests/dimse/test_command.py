"""Command sets: bytes as the standard and findscu have them, and what is refused."""

from dataclasses import FrozenInstanceError

import pytest

from asyncfind.dimse.command import (
    VERIFICATION,
    CancelRQ,
    Command,
    EchoRQ,
    EchoRSP,
    FindRQ,
    FindRSP,
    decode_command,
    decode_command_set,
    encode_command,
)
from asyncfind.errors import Kind, LocalProtocolError, MalformedMessage

WORKLIST = "1.2.840.10008.5.1.4.31"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"

WORKLIST_UID = "312e322e3834302e31303030382e352e312e342e3331"
STUDY_ROOT_UID = "312e322e3834302e31303030382e352e312e342e312e322e322e3100"  # padded with NUL
VERIFICATION_UID = "312e322e3834302e31303030382e312e3100"  # padded with NUL

FIND_RQ = bytes.fromhex(
    "0000 0000 04000000 46000000"  # group length, 70
    f"0000 0200 16000000 {WORKLIST_UID}"  # Affected SOP Class UID
    "0000 0001 02000000 2000"  # Command Field, C-FIND-RQ
    "0000 1001 02000000 0700"  # Message ID
    "0000 0007 02000000 0000"  # Priority, medium
    "0000 0008 02000000 0100"  # Command Data Set Type, an identifier follows
)
PENDING = bytes.fromhex(
    "0000 0000 04000000 4c000000"  # group length, 76
    f"0000 0200 1c000000 {STUDY_ROOT_UID}"
    "0000 0001 02000000 2080"  # C-FIND-RSP
    "0000 2001 02000000 0700"  # Message ID Being Responded To
    "0000 0008 02000000 0100"
    "0000 0009 02000000 00ff"  # Status
)
REFUSED = bytes.fromhex(
    "0000 0000 04000000 56000000"  # group length, 86
    "0000 0001 02000000 2080"
    "0000 2001 02000000 feff"  # 65534
    "0000 0008 02000000 0101"  # no identifier
    "0000 0009 02000000 00a9"
    "0000 0109 08000000 0800 5200 1000 2000"  # Offending Element: (0008,0052), (0010,0020)
    "0000 0209 0c000000 6e6f2073756368206b6579 20"  # Error Comment: "no such key", padded
    "0000 0309 02000000 3412"  # Error ID
)
CANCEL_RQ = bytes.fromhex(
    "0000 0000 04000000 1e000000"  # group length, 30
    "0000 0001 02000000 ff0f"  # C-CANCEL-RQ
    "0000 2001 02000000 0700"
    "0000 0008 02000000 0101"
)
ECHO_RQ = bytes.fromhex(
    "0000 0000 04000000 38000000"  # group length, 56
    f"0000 0200 12000000 {VERIFICATION_UID}"
    "0000 0001 02000000 3000"  # C-ECHO-RQ
    "0000 1001 02000000 0100"
    "0000 0008 02000000 0101"
)
ECHO_RSP = bytes.fromhex(
    "0000 0000 04000000 42000000"  # group length, 66
    f"0000 0200 12000000 {VERIFICATION_UID}"
    "0000 0001 02000000 3080"  # C-ECHO-RSP
    "0000 2001 02000000 0100"
    "0000 0008 02000000 0101"
    "0000 0009 02000000 2201"  # Status 0122
)

EXAMPLES: list[tuple[Command, bool, bytes]] = [
    (FindRQ(7, WORKLIST), True, FIND_RQ),
    (FindRSP(7, 0xFF00, STUDY_ROOT, has_identifier=True), True, PENDING),
    (
        FindRSP(
            0xFFFE,
            0xA900,
            offending=(0x00080052, 0x00100020),
            comment=b"no such key",
            error_id=0x1234,
        ),
        False,
        REFUSED,
    ),
    (CancelRQ(7), False, CANCEL_RQ),
    (EchoRQ(1), False, ECHO_RQ),
    (EchoRSP(1, 0x0122), False, ECHO_RSP),
]
NAMES = ["C-FIND-RQ", "pending", "refused", "C-CANCEL-RQ", "C-ECHO-RQ", "C-ECHO-RSP"]

# Elements to put sets together from; group length is left out, which is odd but harmless.
FIELD = "0000 0001 02000000 2080"
ID = "0000 2001 02000000 0700"
NONE = "0000 0008 02000000 0101"
STATUS = "0000 0009 02000000 0000"
NO_LENGTH = "Command Group Length (0000,0000) is missing"


def respond(*elements: str) -> FindRSP:
    command = decode_command(bytes.fromhex("".join(elements)))
    assert isinstance(command, FindRSP)
    return command


@pytest.mark.parametrize(("command", "has_identifier", "data"), EXAMPLES, ids=NAMES)
def test_commands_are_encoded_as_the_standard_says(
    command: Command, has_identifier: bool, data: bytes
) -> None:
    assert encode_command(command, has_identifier) == data


@pytest.mark.parametrize(("command", "has_identifier", "data"), EXAMPLES, ids=NAMES)
def test_commands_are_decoded(command: Command, has_identifier: bool, data: bytes) -> None:
    assert decode_command_set(data) == (command, has_identifier)
    assert decode_command(data) == command


@pytest.mark.parametrize("command", [command for command, _, _ in EXAMPLES], ids=NAMES)
def test_commands_are_frozen_and_take_no_other_attributes(command: Command) -> None:
    with pytest.raises(FrozenInstanceError):
        command.message_id = 2  # type: ignore[misc]  # this is what must not work
    assert not hasattr(command, "__dict__")


def test_verification_is_the_sop_class_of_echo() -> None:
    assert EchoRQ(1).sop_class == EchoRSP(1, 0).sop_class == VERIFICATION == "1.2.840.10008.1.1"


@pytest.mark.parametrize("value", ["0000", "0100", "0001", "0201", "ffff"])
def test_every_data_set_type_but_0101_means_an_identifier(value: str) -> None:
    command = respond(FIELD, ID, f"0000 0008 02000000 {value}", STATUS)
    assert command.has_identifier


def test_a_response_may_leave_its_sop_class_out_or_empty() -> None:
    assert respond(FIELD, ID, NONE, STATUS).sop_class == ""
    assert respond("0000 0200 00000000", FIELD, ID, NONE, STATUS).sop_class == ""


def test_an_echo_response_may_leave_its_sop_class_out() -> None:
    data = bytes.fromhex("".join(("0000 0001 02000000 3080", ID, NONE, STATUS)))
    assert decode_command(data) == EchoRSP(7, 0, "")


@pytest.mark.parametrize("uid", ["312e3200", "312e3220", "312e32", "312e3200000000000000"], ids=str)
def test_any_padding_of_a_uid_is_taken(uid: str) -> None:
    size = len(uid) // 2
    command = respond(f"0000 0200 {size:02x}000000 {uid}", FIELD, ID, NONE, STATUS)
    assert command.sop_class == "1.2"


def test_a_uid_may_have_64_characters() -> None:
    assert len(respond(f"0000 0200 40000000 {'31' * 64}", FIELD, ID, NONE, STATUS).sop_class) == 64


def test_a_find_request_without_priority_has_medium_priority() -> None:
    uid = f"0000 0200 16000000 {WORKLIST_UID}"
    elements = (uid, "0000 0001 02000000 2000", "0000 1001 02000000 0100", "00000008020000000000")
    assert decode_command(bytes.fromhex("".join(elements))) == FindRQ(1, WORKLIST, 0)


def test_unknown_elements_of_group_0000_are_ignored() -> None:
    command = respond(
        "0000 0100 04000000 50000000",  # Command Length to End, retired
        FIELD,
        ID,
        "0000 0007 03000000 000000",  # Priority, which no response has
        NONE,
        STATUS,
        "0000 ff99 04000000 01020304",
    )
    assert command == FindRSP(7, 0, unusual=(NO_LENGTH,))


def test_empty_status_detail_is_none() -> None:
    detail = ("0000 0109 00000000", "0000 0209 00000000", "0000 0309 00000000")
    command = respond(FIELD, ID, NONE, STATUS, *detail)
    assert (command.offending, command.comment, command.error_id) == ((), b"", None)


def test_a_comment_keeps_what_is_no_padding() -> None:
    command = respond(FIELD, ID, NONE, STATUS, "0000 0209 06000000 201b6120 0020")
    assert command.comment == b" \x1ba"


@pytest.mark.parametrize(
    ("group_length", "said"),
    [
        ("", NO_LENGTH),
        ("0000 0000 02000000 2800", "Command Group Length (0000,0000) has 2 bytes instead of 4"),
        (
            "0000 0000 04000000 ffffffff",
            "Command Group Length (0000,0000) is 4294967295, 40 bytes follow",
        ),
    ],
)
def test_a_wrong_group_length_is_only_noted(group_length: str, said: str) -> None:
    assert respond(group_length, FIELD, ID, NONE, STATUS).unusual == (said,)


def test_half_an_offending_element_is_only_noted() -> None:
    command = respond(
        "0000 0000 04000000 36000000",  # group length, 54
        FIELD,
        ID,
        NONE,
        STATUS,
        "0000 0109 06000000 0800 5200 1000",
    )
    assert command.offending == (0x00080052,)
    assert command.unusual == ("Offending Element (0000,0901) has 6 bytes, no whole tags",)


@pytest.mark.parametrize(
    ("elements", "text"),
    [
        ([], "command set: Command Field (0000,0100) is missing"),
        (["00"], "command set: 1 bytes left over, no room for an element"),
        ([FIELD, "0000 2001 0200 00"], "command set: 7 bytes left over, no room for an element"),
        (
            [FIELD, "0000 2001 03000000 0700"],
            "command set: (0000,0120) claims 3 bytes, 2 are there",
        ),
        (
            ["0000 0200 ffffffff"],
            "command set: (0000,0002) claims 4294967295 bytes, 0 are there",
        ),
        (
            # Big endian: group length of 4 bytes.
            ["0000 0000 00000004 00000038"],
            "command set: (0000,0000) claims 67108864 bytes, 4 are there",
        ),
        ([FIELD, ID, NONE, STATUS, "0800 0500 00000000"], "(0008,0005) is not of group 0000"),
        ([FIELD, "0200 1000 00000000"], "command set: (0002,0010) is not of group 0000"),
        ([ID, FIELD], "command set: (0000,0100) after (0000,0120), out of order"),
        ([FIELD, FIELD], "command set: (0000,0100) after (0000,0100), out of order"),
        (["0000 0001 00000000"], "command set: Command Field (0000,0100) has 0 bytes instead of 2"),
        (
            ["0000 0001 04000000 20800000"],
            "command set: Command Field (0000,0100) has 4 bytes instead of 2",
        ),
        (
            ["0000 0001 02000000 0100"],
            "Command Field (0000,0100) is 0001H, no C-FIND, C-CANCEL or C-ECHO",
        ),
        ([FIELD], "C-FIND-RSP: Command Data Set Type (0000,0800) is missing"),
        ([FIELD, NONE], "C-FIND-RSP: Message ID Being Responded To (0000,0120) is missing"),
        ([FIELD, ID, NONE], "C-FIND-RSP: Status (0000,0900) is missing"),
        (
            [FIELD, ID, NONE, "0000 0009 03000000 000000"],
            "C-FIND-RSP: Status (0000,0900) has 3 bytes instead of 2",
        ),
        (
            [FIELD, ID, NONE, STATUS, "0000 0309 01000000 00"],
            "C-FIND-RSP: Error ID (0000,0903) has 1 bytes instead of 2",
        ),
        (
            ["0000 0200 04000000 312e1b63", FIELD, ID, NONE, STATUS],
            "C-FIND-RSP: Affected SOP Class UID (0000,0002) is no UID: 31 2e 1b 63",
        ),
        (
            ["0000 0200 02000000 0031", FIELD, ID, NONE, STATUS],
            "C-FIND-RSP: Affected SOP Class UID (0000,0002) is no UID: 00 31",
        ),
        (
            [f"0000 0200 41000000 {'31' * 65}", FIELD, ID, NONE, STATUS],
            "C-FIND-RSP: Affected SOP Class UID (0000,0002) is no UID: " + "31 " * 16 + "...",
        ),
        (
            [f"0000 0200 10000000 {'61' * 16}", FIELD, ID, NONE, STATUS],
            "C-FIND-RSP: Affected SOP Class UID (0000,0002) is no UID: " + "61 " * 15 + "61",
        ),
        (
            ["0000 0001 02000000 2000", NONE],
            "C-FIND-RQ: Command Data Set Type (0000,0800) announces no identifier",
        ),
        (
            ["0000 0001 02000000 2000", "0000 0008 02000000 0100"],
            "C-FIND-RQ: Message ID (0000,0110) is missing",
        ),
        (
            [
                "0000 0001 02000000 2000",
                "0000 1001 02000000 0100",
                "0000 0008 02000000 0100",
            ],
            "C-FIND-RQ: Affected SOP Class UID (0000,0002) is missing",
        ),
        (
            ["0000 0001 02000000 ff0f", ID, "0000 0008 02000000 0000"],
            "C-CANCEL-RQ: Command Data Set Type (0000,0800) announces an identifier",
        ),
        (
            ["0000 0001 02000000 ff0f", NONE],
            "C-CANCEL-RQ: Message ID Being Responded To (0000,0120) is missing",
        ),
        (
            ["0000 0001 02000000 3000", "0000 1001 02000000 0100", NONE],
            "C-ECHO-RQ: Affected SOP Class UID (0000,0002) is missing",
        ),
        (
            ["0000 0001 02000000 3080", ID, "0000 0008 02000000 0000", STATUS],
            "C-ECHO-RSP: Command Data Set Type (0000,0800) announces an identifier",
        ),
        (["0000 0001 02000000 3080", ID, NONE], "C-ECHO-RSP: Status (0000,0900) is missing"),
    ],
)
def test_a_breach_names_the_element(elements: list[str], text: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode_command(bytes.fromhex("".join(elements)))
    assert caught.value.text.endswith(text)
    assert caught.value.hint
    assert caught.value.kind is Kind.PROTOCOL


@pytest.mark.parametrize("cut", range(1, len(PENDING)))
def test_a_command_set_that_is_cut_short_is_a_breach(cut: int) -> None:
    with pytest.raises(MalformedMessage):
        decode_command(PENDING[:cut])


@pytest.mark.parametrize(
    ("command", "has_identifier", "text"),
    [
        (FindRQ(65536, WORKLIST), True, "FindRQ: "),
        (FindRSP(1, -1), False, "FindRSP: "),
        (FindRSP(1, 0xA900, offending=(0x1_0000_0000,)), False, "FindRSP: "),
        (FindRQ(1, ""), True, "'' is no UID"),
        (FindRQ(1, "1." * 33), True, "is no UID"),
        (EchoRQ(1, "1.2\x1b"), False, "'1.2\\x1b' is no UID"),
        (FindRSP(1, 0, "1.é"), False, "'1.é' is no UID"),
        (FindRQ(1, WORKLIST), False, "announces no identifier"),
        (CancelRQ(1), True, "C-CANCEL-RQ: Command Data Set Type (0000,0800) announces an"),
        (EchoRQ(1), True, "announces an identifier"),
        (EchoRSP(1, 0), True, "announces an identifier"),
    ],
)
def test_what_cannot_be_encoded_is_our_own_fault(
    command: Command, has_identifier: bool, text: str
) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        encode_command(command, has_identifier)
    assert text in caught.value.text
