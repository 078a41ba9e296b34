"""Blocks of different queries stay whole and nobody waits for memory."""

import errno
import io
import tempfile
from collections.abc import Callable
from itertools import pairwise
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.errors import OutputFailed
from asyncfind.plan import Peer, make_query
from asyncfind.records import Find
from asyncfind.render.blocks import Blocks
from asyncfind.render.output import StreamOutput

PEER = Peer(host="pacs", port=104)
QUERY = make_query("study", ["PatientName"])
MEBIBYTE = 1024 * 1024


def _finds(count: int) -> list[Find]:
    return [Find(PEER, QUERY, 1, ordinal) for ordinal in range(count)]


@given(
    steps=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3) | st.none()), max_size=80),
    in_memory=st.integers(0, 12),
)
def test_blocks_of_different_queries_never_interleave(
    steps: list[tuple[int, int | None]], in_memory: int
) -> None:
    """Queries write and end in any order; each one's bytes come out whole and in order."""
    stream = io.BytesIO()
    blocks = Blocks(StreamOutput(stream), in_memory=in_memory)
    finds = _finds(5)
    written: list[list[bytes]] = [[] for _ in finds]
    ended: set[int] = set()
    for which, size in steps:
        if which in ended:
            continue
        if size is None:
            blocks.end(finds[which])
            ended.add(which)
            continue
        data = b"".join(b"%d.%d " % (which, len(written[which])) for _ in range(size))
        blocks.write(finds[which], data)
        written[which].append(data)
    blocks.close()
    out = stream.getvalue()
    wholes = [b"".join(parts) for parts in written if any(parts)]
    assert len(out) == sum(map(len, wholes))
    order = sorted(wholes, key=out.index)
    assert out == b"".join(order)


@given(st.data())
def test_a_query_that_ends_is_out_once_nobody_else_owns_the_output(data: st.DataObject) -> None:
    stream = io.BytesIO()
    blocks = Blocks(StreamOutput(stream))
    finds = _finds(4)
    for number, find in enumerate(finds):
        blocks.write(find, b"%d" % number)
    for find in data.draw(st.permutations(finds)):
        blocks.end(find)
    assert sorted(stream.getvalue()) == sorted(b"0123")


def test_the_owner_streams_and_others_follow_in_the_order_in_which_they_ended() -> None:
    stream = io.BytesIO()
    blocks = Blocks(StreamOutput(stream))
    first, second, third, fourth = _finds(4)
    for find, data in ((first, b"a"), (second, b"b"), (third, b"c"), (fourth, b"d")):
        blocks.write(find, data)
    assert stream.getvalue() == b"a"
    blocks.end(fourth)
    blocks.end(third)
    blocks.write(first, b"A")
    assert stream.getvalue() == b"aA"
    blocks.end(first)
    assert stream.getvalue() == b"aAdcb"
    blocks.write(second, b"B")
    assert stream.getvalue() == b"aAdcbB"


def test_a_query_without_a_byte_owns_nothing() -> None:
    stream = io.BytesIO()
    blocks = Blocks(StreamOutput(stream))
    silent, other = _finds(2)
    blocks.write(silent, b"")
    blocks.write(other, b"x")
    blocks.end(silent)
    assert stream.getvalue() == b"x"


def test_what_opens_a_block_comes_when_its_turn_has_come() -> None:
    stream = io.BytesIO()
    opened: list[int] = []

    def opening(find: Find) -> bytes:
        opened.append(find.ordinal)
        return b"<%d>" % len(opened)

    blocks = Blocks(StreamOutput(stream), opening)
    first, second, third = _finds(3)
    blocks.write(first, b"a")
    blocks.write(second, b"b")
    blocks.write(third, b"c")
    blocks.end(third)
    blocks.end(first)
    assert stream.getvalue() == b"<1>a<2>c<3>b"
    assert opened == [0, 2, 1]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[IO[bytes]]:
    """The temporary files that were made."""
    made: list[IO[bytes]] = []
    make: Callable[[], IO[bytes]] = tempfile.TemporaryFile

    def spy() -> IO[bytes]:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", spy)
    return made


def test_waiting_blocks_beyond_a_mebibyte_go_to_a_file_and_come_out_whole(
    files: list[IO[bytes]],
) -> None:
    stream = io.BytesIO()
    blocks = Blocks(StreamOutput(stream), in_memory=MEBIBYTE)
    first, second, third = _finds(3)
    blocks.write(first, b"1")
    blocks.write(second, b"2" * (MEBIBYTE // 2))
    assert not files
    blocks.write(third, b"3" * MEBIBYTE)
    (file,) = files
    assert file.seek(0, io.SEEK_END) == MEBIBYTE * 3 // 2
    blocks.end(second)
    blocks.end(first)
    assert stream.getvalue() == b"1" + b"2" * (MEBIBYTE // 2) + b"3" * MEBIBYTE
    blocks.end(third)
    assert file.seek(0, io.SEEK_END) == 0
    blocks.close()
    assert file.closed


def test_the_file_does_not_grow_with_the_run(files: list[IO[bytes]]) -> None:
    stream = io.BytesIO()
    blocks = Blocks(StreamOutput(stream), in_memory=0)
    chain = _finds(40)
    expected = b"x"
    blocks.write(chain[0], b"x")
    for number, (find, follower) in enumerate(pairwise(chain)):
        data = bytes([number]) * 200_000
        blocks.write(follower, data)  # somebody is waiting all the time
        blocks.end(find)
        expected += data
    assert stream.getvalue() == expected
    (file,) = files
    assert file.seek(0, io.SEEK_END) <= 256 * 1024
    blocks.close()


def test_a_query_without_end_is_written_at_the_close(files: list[IO[bytes]]) -> None:
    stream = io.BytesIO()
    blocks = Blocks(StreamOutput(stream))
    first, second, third = _finds(3)
    for find, data in ((first, b"a"), (second, b"b"), (third, b"c")):
        blocks.write(find, data)
    blocks.close()
    assert stream.getvalue() == b"abc"
    assert not files


def test_a_full_disk_for_what_waits_is_an_output_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> io.BufferedRandom:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    blocks = Blocks(StreamOutput(io.BytesIO()), in_memory=1)
    first, second = _finds(2)
    blocks.write(first, b"1")
    with pytest.raises(OutputFailed, match="No space left on device") as caught:
        blocks.write(second, b"22")
    assert "TMPDIR" in caught.value.hint
