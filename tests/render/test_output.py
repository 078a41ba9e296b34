"""A file of results appears whole or not at all."""

import errno
import io
import os
import stat
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from asyncfind.errors import InvalidRequest, OutputFailed
from asyncfind.render.output import (
    FileOutput,
    Folder,
    StreamOutput,
    discard_unpublished,
    open_output,
)


def test_a_file_appears_when_it_is_published(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    output = open_output(str(path))
    output.write(b"whole")
    output.flush()
    assert not path.exists()
    output.publish()
    assert path.read_bytes() == b"whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    discard_unpublished()
    assert path.exists()


def test_an_existing_file_stays_until_there_is_a_better_one(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    output = open_output(str(path))
    output.write(b"new")
    assert path.read_bytes() == b"old"
    output.publish()
    assert path.read_bytes() == b"new"


def test_what_is_not_published_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    open_output(str(path)).write(b"half")
    assert len(list(tmp_path.iterdir())) == 2
    discard_unpublished()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    link = tmp_path / "out.csv"
    link.symlink_to(target)
    output = open_output(str(link))
    output.write(b"new")
    output.publish()
    assert target.read_bytes() == b"precious"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"


def test_a_relative_name_is_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_output("out.csv").publish()
    assert (tmp_path / "out.csv").read_bytes() == b""


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "is a folder"), ("missing/out.csv", "No such file or directory"), ("a\0b", "null")],
)
def test_what_cannot_be_made_is_said_before_anything_is_sent(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        open_output(f"{tmp_path}/{name}")
    assert "--output" in caught.value.hint


def test_a_full_disk_is_an_output_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.csv"
    output = FileOutput(path)
    output.write(b"half")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputFailed, match=r"out\.csv: No space left on device") as caught:
        output.publish()
    assert "Free some space" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
    output.publish()  # it is too late
    assert not path.exists()


def test_a_file_that_cannot_take_more_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")

    def open_full(descriptor: int, mode: str, buffering: int) -> io.BytesIO:
        os.close(descriptor)
        return Full()

    monkeypatch.setattr(os, "fdopen", open_full)
    output = FileOutput(tmp_path / "out.csv")
    with pytest.raises(OutputFailed, match="Disk quota exceeded"):
        output.write(b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_opened_as_it_is(tmp_path: Path) -> None:
    output = open_output("/dev/null")
    assert isinstance(output, StreamOutput)
    output.write(b"gone")
    output.publish()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_device_is_an_output_error() -> None:
    output = open_output("/dev/full")
    output.write(b"x")
    with pytest.raises(OutputFailed, match="/dev/full: No space left on device") as caught:
        output.publish()
    assert "with --output." in caught.value.hint


def test_hints_name_the_option_that_writes_there(tmp_path: Path) -> None:
    output = open_output("/dev/full", "-Xs")
    output.write(b"x")
    with pytest.raises(OutputFailed) as failed:
        output.publish()
    assert "with -Xs." in failed.value.hint
    for name in (tmp_path, tmp_path / "missing" / "file"):
        with pytest.raises(InvalidRequest) as refused:
            open_output(str(name), "-Xs")
        assert "-Xs" in refused.value.hint


def test_a_fifo_is_written_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    output = open_output(str(path))
    output.write(b"through")
    output.publish()
    reader.join(10)
    assert read == [b"through"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_standard_output_by_name_is_never_renamed_over(tmp_path: Path) -> None:
    path = tmp_path / "redirected"
    with path.open("wb") as file:
        output = open_output(f"/proc/self/fd/{file.fileno()}")
        output.write(b"here")
        output.publish()
    assert path.read_bytes() == b"here"
    assert list(tmp_path.iterdir()) == [path]


def _without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*names: str, **options: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


@pytest.mark.parametrize("has_links", [True, False])
def test_a_draft_takes_a_name_that_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:
        _without_links(monkeypatch)
    folder = Folder(tmp_path)
    draft = folder.draft()
    draft.write(b"new")
    draft.publish("file", replace=False)
    draft.discard()  # it is too late
    folder.sync()
    assert folder.names() == ["file"]
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    folder.close()
    folder.close()


@pytest.mark.parametrize("has_links", [True, False])
def test_a_draft_takes_no_name_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:
        _without_links(monkeypatch)
    (tmp_path / "file").symlink_to("nothing")
    folder = Folder(tmp_path)
    assert folder.has("file")
    assert not folder.has("nothing")
    draft = folder.draft()
    with pytest.raises(FileExistsError):
        draft.publish("file", replace=False)
    draft.discard()
    folder.close()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").is_symlink()


def test_a_name_that_was_only_reserved_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_links(monkeypatch)

    def rename(*names: str, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "rename", rename)
    folder = Folder(tmp_path)
    draft = folder.draft()
    with pytest.raises(OSError, match="Input/output error"):
        draft.publish("file", replace=False)
    draft.discard()
    folder.close()
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_fails_for_another_reason_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*names: str, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", link)
    folder = Folder(tmp_path)
    draft = folder.draft()
    with pytest.raises(OSError, match="No space left"):
        draft.publish("file", replace=False)
    draft.discard()
    folder.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_need_not_be_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    Folder(tmp_path / "link").close()
    with pytest.raises(OSError, match="Not a directory"):
        Folder(tmp_path / "link", follow=False)


def test_outputs_leave_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    FileOutput(tmp_path / "one").publish()
    FileOutput(tmp_path / "two").discard()
    with pytest.raises(InvalidRequest):
        FileOutput(tmp_path / "missing" / "three")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class _Raw(io.RawIOBase):
    """Takes a few bytes at a time, and then no more."""

    def __init__(self, room: int) -> None:
        self.taken = bytearray()
        self._room = room

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int | None:
        part = bytes(data)[: min(3, self._room - len(self.taken))]
        if not part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.taken += part
        return len(part)


def test_a_stream_that_takes_less_gets_the_rest() -> None:
    stream = _Raw(room=100)
    StreamOutput(cast(BinaryIO, stream)).write(b"0123456789")
    assert stream.taken == b"0123456789"
    full = _Raw(room=7)
    with pytest.raises(OutputFailed, match="No space left"):
        StreamOutput(cast(BinaryIO, full)).write(b"0123456789")
    assert full.taken == b"0123456"
