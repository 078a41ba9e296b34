"""Fragments to messages and messages to fragments."""

import pytest

from asyncfind.dimse.command import CancelRQ, Command, EchoRQ, FindRQ, FindRSP
from asyncfind.dimse.message import Assembler, Message, fragment
from asyncfind.errors import (
    Kind,
    LimitExceeded,
    MalformedMessage,
    PeerError,
    ProtocolViolation,
)
from asyncfind.ul.pdu import PDV

PENDING_SET = bytes.fromhex(
    "0000 0000 04000000 28000000"  # group length, 40
    "0000 0001 02000000 2080"  # C-FIND-RSP
    "0000 2001 02000000 0100"  # answers message 1
    "0000 0008 02000000 0100"  # an identifier follows
    "0000 0009 02000000 00ff"
)
WARNED_SET = PENDING_SET[:-2] + bytes.fromhex("01ff")
FINAL_SET = bytes.fromhex(
    "0000 0000 04000000 28000000"
    "0000 0001 02000000 2080"
    "0000 2001 02000000 0100"
    "0000 0008 02000000 0101"  # no identifier
    "0000 0009 02000000 0000"
)
CANCEL_SET = bytes.fromhex(
    "0000 0000 04000000 1e000000"
    "0000 0001 02000000 ff0f"
    "0000 2001 02000000 0100"
    "0000 0008 02000000 0101"
)
PENDING = FindRSP(1, 0xFF00, has_identifier=True)
WARNED = FindRSP(1, 0xFF01, has_identifier=True)
FINAL = FindRSP(1, 0x0000)

A_COMMAND = PDV(1, True, True, PENDING_SET)
A_FINAL = PDV(1, True, True, FINAL_SET)


def whole(data: bytes) -> PDV:
    return PDV(1, False, True, data)


def part(data: bytes) -> PDV:
    return PDV(1, False, False, data)


def raised(assembler: Assembler, *pdvs: PDV) -> PeerError:
    with pytest.raises(PeerError) as caught:
        assembler.feed(pdvs)
    assert assembler.error is caught.value
    assert not assembler.in_progress
    return caught.value


def test_pairs_of_command_and_identifier_are_messages() -> None:
    pdvs = [A_COMMAND, whole(b"ab"), A_COMMAND, whole(b"cd"), A_COMMAND, whole(b"ef"), A_FINAL]
    assembler = Assembler()
    assert assembler.feed(pdvs) == [
        Message(1, PENDING, b"ab"),
        Message(1, PENDING, b"cd"),
        Message(1, PENDING, b"ef"),
        Message(1, FINAL, None),
    ]
    assert assembler.error is None
    assert not assembler.in_progress


def test_messages_are_a_type_of_their_own_on_every_path() -> None:
    messages = Assembler().feed([A_COMMAND, whole(b"ab"), A_COMMAND, whole(b"cd")])
    assert [type(message) for message in messages] == [Message, Message]
    assert messages[1].identifier == b"cd"


def test_equal_command_sets_are_decoded_once() -> None:
    again = PDV(1, True, True, bytes(bytearray(PENDING_SET)))
    last = PDV(1, True, False, PENDING_SET[:10]), PDV(1, True, True, PENDING_SET[10:])
    messages = Assembler().feed([A_COMMAND, whole(b"ab"), again, whole(b"cd"), *last, whole(b"ef")])
    assert len(messages) == 3
    assert len({id(message.command) for message in messages}) == 1


def test_commands_that_differ_are_decoded_each() -> None:
    warned = PDV(1, True, True, WARNED_SET)
    pdvs = [A_COMMAND, whole(b"ab"), warned, whole(b"cd"), A_COMMAND, whole(b"ef")]
    commands = [message.command for message in Assembler().feed(pdvs)]
    assert commands == [PENDING, WARNED, PENDING]


def test_fragments_of_any_size_are_joined() -> None:
    pdvs = [
        PDV(3, True, False, PENDING_SET[:1]),
        PDV(3, True, False, b""),
        PDV(3, True, False, PENDING_SET[1:13]),
        PDV(3, True, True, PENDING_SET[13:]),
        PDV(3, False, False, b""),
        PDV(3, False, False, b"abc"),  # an odd length
        PDV(3, False, True, b"d"),
    ]
    assembler = Assembler()
    begun = []
    messages = []
    for pdv in pdvs:
        messages += assembler.feed([pdv])
        begun.append(assembler.in_progress)
    assert messages == [Message(3, PENDING, b"abcd")]
    assert begun == [True] * 6 + [False]


def test_the_last_fragment_may_be_empty() -> None:
    pdvs = [
        PDV(1, True, False, PENDING_SET),
        PDV(1, True, True, b""),
        part(b"ab"),
        whole(b""),
    ]
    assert Assembler().feed(pdvs) == [Message(1, PENDING, b"ab")]


def test_an_identifier_may_be_empty() -> None:
    assert Assembler().feed([A_COMMAND, whole(b"")]) == [Message(1, PENDING, b"")]


def test_messages_on_several_contexts_may_follow_one_another() -> None:
    pdvs = [
        A_COMMAND,
        whole(b"ab"),
        PDV(3, True, True, PENDING_SET),
        PDV(3, False, True, b"cd"),
        PDV(5, True, True, CANCEL_SET),
    ]
    assert Assembler().feed(pdvs) == [
        Message(1, PENDING, b"ab"),
        Message(3, PENDING, b"cd"),
        Message(5, CancelRQ(1), None),
    ]


def test_a_command_waits_for_its_identifier_over_feeds() -> None:
    assembler = Assembler()
    assert assembler.feed([A_COMMAND, whole(b"ab"), A_COMMAND]) == [Message(1, PENDING, b"ab")]
    assert assembler.in_progress
    assert assembler.feed([]) == []
    assert assembler.feed([whole(b"cd"), A_COMMAND, whole(b"ef")]) == [
        Message(1, PENDING, b"cd"),
        Message(1, PENDING, b"ef"),
    ]


INTERLEAVED = "inside a message on context 1; fragments of messages shall not be interleaved"
COMMAND_FOR_DATA = "a command fragment where the announced identifier shall follow"


@pytest.mark.parametrize(
    ("pdvs", "text"),
    [
        ([whole(b"ab")], "a data set fragment without a command before it"),
        (
            [PDV(1, True, False, PENDING_SET), whole(b"ab")],
            "a data set fragment before the last fragment of its command",
        ),
        ([A_COMMAND, A_COMMAND], COMMAND_FOR_DATA),
        ([A_COMMAND, part(b"ab"), A_COMMAND], COMMAND_FOR_DATA),
        ([A_COMMAND, PDV(3, False, True, b"ab")], INTERLEAVED),
        ([A_COMMAND, part(b"ab"), PDV(3, False, True, b"ab")], INTERLEAVED),
        ([PDV(1, True, False, PENDING_SET), PDV(3, True, True, b"")], INTERLEAVED),
        ([PDV(1, True, True, b"\0")], "command set: 1 bytes left over"),
    ],
)
def test_a_breach_names_the_rule(pdvs: list[PDV], text: str) -> None:
    error = raised(Assembler(), *pdvs)
    assert type(error) is MalformedMessage
    assert text in error.text
    assert error.hint


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ([A_FINAL], "Command Data Set Type (0000,0800) announces none"),
        ([A_COMMAND, whole(b"ab")], "a data set fragment after the last one of its identifier"),
        (
            [A_COMMAND, whole(b"ab"), A_COMMAND, whole(b"cd")],
            "a data set fragment after the last one of its identifier",
        ),
    ],
)
def test_data_after_a_complete_message_is_a_breach(before: list[PDV], text: str) -> None:
    assembler = Assembler()
    assert assembler.feed(before)
    assert text in raised(assembler, whole(b"xy")).text


@pytest.mark.parametrize(
    ("pdvs", "messages"),
    [
        ([A_COMMAND, part(b"ab"), whole(b"cd")], [Message(1, PENDING, b"abcd")]),
        (
            [PDV(1, True, False, PENDING_SET), PDV(1, True, True, b""), whole(b"ab")],
            [Message(1, PENDING, b"ab")],
        ),
        ([A_FINAL, A_COMMAND, whole(b"ab")], [Message(1, FINAL, None), Message(1, PENDING, b"ab")]),
    ],
)
def test_what_comes_after_equal_commands_may_differ(
    pdvs: list[PDV], messages: list[Message]
) -> None:
    assembler = Assembler()
    assembler.feed([A_COMMAND, whole(b"ab")])
    assert assembler.feed(pdvs) == messages


@pytest.mark.parametrize(
    ("pdvs", "text"),
    [
        ([A_COMMAND, PDV(3, False, True, b"ab")], INTERLEAVED),
        ([A_COMMAND, A_COMMAND], COMMAND_FOR_DATA),
        (
            [PDV(1, False, True, PENDING_SET), whole(b"ab")],
            "a data set fragment after the last one of its identifier",
        ),
        (
            [PDV(1, True, False, PENDING_SET), whole(b"ab")],
            "a data set fragment before the last fragment of its command",
        ),
    ],
)
def test_a_breach_among_equal_commands_is_one_too(pdvs: list[PDV], text: str) -> None:
    assembler = Assembler()
    assembler.feed([A_COMMAND, whole(b"ab")])
    assert text in raised(assembler, *pdvs).text


def test_a_command_that_awaits_its_identifier_cannot_be_repeated() -> None:
    assembler = Assembler()
    assembler.feed([A_COMMAND, whole(b"ab"), A_COMMAND])
    assert COMMAND_FOR_DATA in raised(assembler, A_COMMAND, whole(b"cd")).text


def test_data_after_an_equal_command_that_announces_none_is_a_breach() -> None:
    assembler = Assembler()
    assembler.feed([A_FINAL])
    assert assembler.feed([A_FINAL, whole(b"ab")]) == [Message(1, FINAL, None)]
    assert isinstance(assembler.error, MalformedMessage)


def test_messages_complete_before_an_error_are_not_lost() -> None:
    assembler = Assembler()
    pdvs = [A_COMMAND, whole(b"ab"), A_COMMAND, whole(b"cd"), whole(b"ef"), A_FINAL]
    assert assembler.feed(pdvs) == [Message(1, PENDING, b"ab"), Message(1, PENDING, b"cd")]
    assert isinstance(assembler.error, MalformedMessage)
    assert not assembler.in_progress
    assert raised(assembler, A_FINAL) is raised(assembler)


@pytest.mark.parametrize("pieces", [1, 2, 8])
def test_a_command_set_of_the_limit_is_taken_and_one_byte_more_is_not(pieces: int) -> None:
    size = len(FINAL_SET)
    step = -(-size // pieces)
    pdvs = [
        PDV(1, True, start + step >= size, FINAL_SET[start : start + step])
        for start in range(0, size, step)
    ]
    assert Assembler(max_command=size).feed(pdvs) == [Message(1, FINAL, None)]
    error = raised(Assembler(max_command=size - 1), *pdvs)
    assert type(error) is LimitExceeded
    assert error.kind is Kind.LIMIT
    assert f"a command set of more than {size - 1} bytes" in error.text
    assert "No option raises it" in error.hint


@pytest.mark.parametrize("pdvs", [[whole(b"abcdef")], [part(b"abc"), part(b"def"), whole(b"")]])
def test_an_identifier_of_the_limit_is_taken_and_one_byte_more_is_not(pdvs: list[PDV]) -> None:
    taken = Message(1, PENDING, b"abcdef")
    assert Assembler(max_identifier=6).feed([A_COMMAND, *pdvs]) == [taken]
    error = raised(Assembler(max_identifier=5), A_COMMAND, *pdvs)
    assert type(error) is LimitExceeded
    assert error.kind is Kind.LIMIT
    assert error.text == "an identifier of more than 5 bytes, the limit of --max-dataset"
    assert "--max-dataset" in error.hint


def test_the_limit_holds_among_equal_commands_too() -> None:
    assembler = Assembler(max_identifier=2)
    pdvs = [A_COMMAND, whole(b"ab"), A_COMMAND, whole(b"cd"), A_COMMAND, whole(b"efg")]
    assert [message.identifier for message in assembler.feed(pdvs)] == [b"ab", b"cd"]
    assert isinstance(assembler.error, LimitExceeded)


def test_an_identifier_of_the_limit_is_taken_among_equal_commands() -> None:
    pdvs = [A_COMMAND, whole(b"ab"), A_COMMAND, whole(b"cd")]
    assert len(Assembler(max_identifier=2).feed(pdvs)) == 2


def test_by_default_64_kib_of_command_and_16_mib_of_identifier_are_taken() -> None:
    megabytes = bytes(16 * 1024 * 1024)
    assert Assembler().feed([A_COMMAND, whole(megabytes)]) == [Message(1, PENDING, megabytes)]
    assert isinstance(raised(Assembler(), A_COMMAND, part(megabytes), whole(b"x")), LimitExceeded)

    assembler = Assembler()
    assert assembler.feed([PDV(1, True, False, bytes(64 * 1024))]) == []
    assert isinstance(raised(assembler, PDV(1, True, True, b"x")), LimitExceeded)


def test_fragments_without_end_stop_at_the_limit() -> None:
    assembler = Assembler(max_identifier=1000)
    assembler.feed([A_COMMAND])
    for _ in range(100):
        assembler.feed([part(bytes(10))])
    assert isinstance(raised(assembler, part(b"x")), LimitExceeded)


# Cutting.


@pytest.mark.parametrize(
    ("max_length", "size"),
    [
        (0, 131060),  # no limit
        (131073, 131060),
        (131072, 131060),
        (16384, 16372),  # as findscu
        (16383, 16370),
        (4096, 4084),
        (16, 4),
        (15, 2),
        (14, 2),
        (13, 6),  # no room for the PDU header within the limit, so it does not count
        (12, 6),
        (11, 4),
        (10, 4),
        (9, 2),
        (8, 2),
    ],
)
def test_fragments_fit_the_peers_limit(max_length: int, size: int) -> None:
    data = bytes(size + 1)
    assert fragment(1, b"c", data, max_length) == [
        PDV(1, True, True, b"c"),
        PDV(1, False, False, bytes(size)),
        PDV(1, False, True, bytes(1)),
    ]
    assert len(fragment(1, b"c", bytes(size), max_length)) == 2


@pytest.mark.parametrize("max_length", range(1, 8))
def test_a_limit_that_lets_nothing_through_is_the_peers_fault(max_length: int) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        fragment(1, b"c", None, max_length)
    assert f"at most {max_length} bytes" in caught.value.text
    assert caught.value.hint


def test_command_and_identifier_never_share_a_fragment() -> None:
    assert fragment(5, b"abcde", b"fghi", 16) == [
        PDV(5, True, False, b"abcd"),
        PDV(5, True, True, b"e"),
        PDV(5, False, True, b"fghi"),
    ]


def test_no_identifier_and_an_empty_one_are_different() -> None:
    assert fragment(1, b"ab", None, 0) == [PDV(1, True, True, b"ab")]
    assert fragment(1, b"ab", b"", 0) == [PDV(1, True, True, b"ab"), PDV(1, False, True, b"")]


@pytest.mark.parametrize(
    ("command_set", "identifier", "command"),
    [
        (
            bytes.fromhex(
                "0000 0000 04000000 38000000"
                "0000 0200 06000000 312e322e3300"
                "0000 0001 02000000 2000"  # C-FIND-RQ
                "0000 1001 02000000 0900"
                "0000 0007 02000000 0200"  # low
                "0000 0008 02000000 0100"
            ),
            b"keys",
            FindRQ(9, "1.2.3", 2),
        ),
        (
            bytes.fromhex(
                "0000 0000 04000000 2a000000"
                "0000 0200 04000000 312e3200"
                "0000 0001 02000000 3000"  # C-ECHO-RQ
                "0000 1001 02000000 0900"
                "0000 0008 02000000 0101"
            ),
            None,
            EchoRQ(9, "1.2"),
        ),
    ],
)
def test_an_acceptor_assembles_requests(
    command_set: bytes, identifier: bytes | None, command: Command
) -> None:
    pdvs = fragment(1, command_set, identifier, 16)
    assert Assembler().feed(pdvs) == [Message(1, command, identifier)]
