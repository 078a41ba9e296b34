"""What holds for every message, every fragmentation and every stream of bytes."""

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.dimse.command import (
    CancelRQ,
    Command,
    CommandSet,
    EchoRQ,
    EchoRSP,
    FindRQ,
    FindRSP,
    decode_command,
    decode_command_set,
    encode_command,
)
from asyncfind.dimse.message import Assembler, Message, fragment
from asyncfind.dimse.status import describe
from asyncfind.errors import LimitExceeded, MalformedMessage, PeerError
from asyncfind.ul.pdu import PDV

_PATIENT: Final = settings(deadline=None)

_numbers = st.integers(0, 0xFFFF)
_uids = st.text("0123456789.", min_size=1, max_size=64)
_contexts = st.integers(0, 127).map(lambda number: 2 * number + 1)
_comments = st.binary(max_size=70).map(lambda comment: comment.rstrip(b" \0"))

_with_identifier = st.builds(FindRQ, _numbers, _uids, _numbers)
_without_identifier = st.one_of(
    st.builds(CancelRQ, _numbers),
    st.builds(EchoRQ, _numbers, _uids),
    st.builds(EchoRSP, _numbers, _numbers, st.one_of(st.just(""), _uids)),
)
_responses = st.builds(
    FindRSP,
    message_id=_numbers,
    status=_numbers,
    sop_class=st.one_of(st.just(""), _uids),
    has_identifier=st.booleans(),
    offending=st.lists(st.integers(0, 0xFFFFFFFF), max_size=4).map(tuple),
    comment=_comments,
    error_id=st.one_of(st.none(), _numbers),
)
# Most of what an archive sends is one command set again and again.
_few = st.sampled_from(
    [
        FindRSP(1, 0xFF00, "1.2", has_identifier=True),
        FindRSP(1, 0xFF01, "1.2", has_identifier=True),
        FindRSP(1, 0x0000, "1.2"),
    ]
)
_commands: st.SearchStrategy[Command] = st.one_of(
    _few, _responses, _with_identifier, _without_identifier
)


def announces(command: Command) -> bool:
    return isinstance(command, FindRQ) or (isinstance(command, FindRSP) and command.has_identifier)


@st.composite
def _messages(draw: st.DrawFn) -> Message:
    command = draw(_commands)
    identifier = draw(st.binary(max_size=60)) if announces(command) else None
    return Message(draw(_contexts), command, identifier)


def encoded(message: Message) -> bytes:
    return encode_command(message.command, message.identifier is not None)


def cut(message: Message, max_length: int) -> list[PDV]:
    return fragment(message.context_id, encoded(message), message.identifier, max_length)


def chopped(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` in pieces, some of them empty."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def outcome(groups: list[list[PDV]], **limits: int) -> tuple[list[Message], str]:
    """All messages of `groups`, fed one after the other, and what ended them."""
    assembler = Assembler(**limits)
    messages: list[Message] = []
    # What is raised is in `error` too.
    with suppress(PeerError):
        for group in groups:
            messages += assembler.feed(group)
    error = assembler.error
    if error is None:
        return messages, ""
    assert type(error) in (MalformedMessage, LimitExceeded)
    assert error.text.isprintable()
    assert len(error.text) < 300
    return messages, error.text


def decoded(data: bytes) -> CommandSet | None:
    """What `data` decodes to; None where it is malformed, in words for a terminal."""
    try:
        return decode_command_set(data)
    except MalformedMessage as error:
        text = error.text
    assert text.isprintable()
    return None


@_PATIENT
@given(_commands)
def test_encode_and_decode_are_inverse(command: Command) -> None:
    data = encode_command(command, announces(command))
    assert decode_command_set(data) == (command, announces(command))
    # Encoded once more it is the same, byte for byte.
    assert encode_command(decode_command(data), announces(command)) == data


@_PATIENT
@given(st.lists(_messages(), max_size=6), st.integers(8, 200), st.data())
def test_no_cut_and_no_grouping_changes_messages(
    messages: list[Message], max_length: int, data: st.DataObject
) -> None:
    pdvs = [pdv for message in messages for pdv in cut(message, max_length)]
    assert all(len(pdv.data) + 6 <= max_length for pdv in pdvs)
    edges = sorted(data.draw(st.lists(st.integers(0, len(pdvs)), max_size=8)))
    bounds = [0, *edges, len(pdvs)]
    groups = [pdvs[start:end] for start, end in pairwise(bounds)]
    assert outcome(groups) == (messages, "")


@_PATIENT
@given(
    st.lists(st.tuples(_messages(), st.lists(st.integers(0, 400), max_size=5)), max_size=5),
    st.lists(st.integers(0, 400), max_size=5),
)
def test_fragments_of_any_length_are_joined(
    plan: list[tuple[Message, list[int]]], more: list[int]
) -> None:
    pdvs: list[PDV] = []
    for message, cuts in plan:
        pieces = [(True, chopped(encoded(message), cuts))]
        if message.identifier is not None:
            pieces.append((False, chopped(message.identifier, more)))
        for is_command, parts in pieces:
            last = len(parts) - 1
            pdvs += [
                PDV(message.context_id, is_command, index == last, part)
                for index, part in enumerate(parts)
            ]
    expected = [message for message, _ in plan]
    assert outcome([pdvs]) == outcome([[pdv] for pdv in pdvs]) == (expected, "")


@_PATIENT
@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_malformed(data: bytes) -> None:
    decoded(data)


@_PATIENT
@given(_commands, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4))
def test_a_damaged_command_is_a_command_or_malformed(
    command: Command, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(encode_command(command, announces(command)))
    for offset, value in damage:
        data[offset % len(data)] = value
    result = decoded(bytes(data))
    if result is None:
        return
    received, has_identifier = result
    assert announces(received) == has_identifier
    if isinstance(received, FindRSP):
        assert all(note.isprintable() for note in received.unusual)
        received = replace(received, unusual=())
    # What was taken, however odd, is a command that we could have sent ourselves.
    assert decode_command(encode_command(received, has_identifier)) == received


_elements = st.tuples(
    st.sampled_from([0, 0, 0, 0, 2, 8]),
    st.sampled_from([0, 2, 0x100, 0x110, 0x120, 0x700, 0x800, 0x900, 0x901, 0x902, 0x903, 0x9999]),
    st.one_of(
        st.sampled_from([b"\x20\x00", b"\x20\x80", b"\x30\x80", b"\xff\x0f", b"\x01\x01", b"1.2"]),
        st.binary(max_size=5),
    ),
    st.integers(-1, 1),
)


@_PATIENT
@given(st.lists(_elements, max_size=8), st.booleans())
def test_any_elements_are_a_command_or_malformed(
    elements: list[tuple[int, int, bytes, int]], ordered: bool
) -> None:
    if ordered:
        unique = {element: value for _, element, value, _ in elements}
        elements = [(0, element, unique[element], 0) for element in sorted(unique)]
    data = b"".join(
        group.to_bytes(2, "little")
        + element.to_bytes(2, "little")
        + max(len(value) + error, 0).to_bytes(4, "little")
        + value
        for group, element, value, error in elements
    )
    decoded(data)


_pieces = st.one_of(
    st.binary(max_size=12),
    _few.map(lambda command: encode_command(command, command.has_identifier)),
    _without_identifier.map(lambda command: encode_command(command, False)),
)
_pdvs = st.builds(PDV, st.sampled_from([1, 1, 1, 3]), st.booleans(), st.booleans(), _pieces)
_limits = st.sampled_from([(64 * 1024, 16 * 1024 * 1024), (100, 12), (8, 0)])


@_PATIENT
@given(st.lists(_pdvs, max_size=12), _limits, st.lists(st.integers(0, 12), max_size=6))
def test_any_fragments_end_alike_however_they_are_grouped(
    pdvs: list[PDV], limits: tuple[int, int], edges: list[int]
) -> None:
    max_command, max_identifier = limits
    bounds = [0, *sorted(min(edge, len(pdvs)) for edge in edges), len(pdvs)]
    groups = [pdvs[start:end] for start, end in pairwise(bounds)]
    one = outcome([pdvs], max_command=max_command, max_identifier=max_identifier)
    assert one == outcome(groups, max_command=max_command, max_identifier=max_identifier)
    single = [[pdv] for pdv in pdvs]
    assert one == outcome(single, max_command=max_command, max_identifier=max_identifier)
    for message in one[0]:
        assert (message.identifier is not None) == announces(message.command)
        assert len(message.identifier or b"") <= max_identifier


@_PATIENT
@given(_numbers, st.one_of(_uids, st.text(max_size=20)))
def test_every_status_has_words(code: int, sop_class: str) -> None:
    status = describe(code, sop_class)
    assert status.code == code
    assert status.meaning
