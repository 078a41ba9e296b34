"""Where results go: a stream that is open already, or a file that appears whole or not at all.

A file is written under a temporary name in its own folder and renamed at the end of the run, so
that a reader never sees half of it and an existing file stays until there is a better one. It is
published also when queries failed or the user interrupted the run: all formats are closed
properly then, and FILE is what standard output would have been; the exit code tells the rest. It
is not published when it could not be written, or when the run did not come to its end.
"""

import atexit
import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from asyncfind.errors import InvalidRequest, OutputFailed
from asyncfind.safe import safe

__all__ = ["FileOutput", "Output", "StreamOutput", "discard_unpublished", "open_output"]

_HINTS: Final = {
    errno.ENOSPC: "Free some space, or write somewhere else with --output.",
    errno.EDQUOT: "Free some space, or write somewhere else with --output.",
    errno.EFBIG: "Write to a file system that takes larger files with --output.",
}
_BUFFER: Final = 256 * 1024


class Output(Protocol):
    """Takes the bytes of the results.

    All methods raise OutputFailed where the system refuses, and BrokenPipeError where the reader
    of a pipe has gone.
    """

    def write(self, data: bytes) -> None:
        """Take `data`; it may wait in memory until `flush`."""

    def flush(self) -> None:
        """Hand everything to the system, where the results are to be seen as they come."""

    def publish(self) -> None:
        """The results are whole."""


class StreamOutput:
    """An open stream: standard output, a device or a FIFO.

    Args:
        name: what errors call it.
        close: the stream is ours to close.
    """

    def __init__(
        self, stream: BinaryIO, name: str = "standard output", *, close: bool = False
    ) -> None:
        self._stream = stream
        self._name = name
        self._close = close

    def write(self, data: bytes) -> None:
        try:
            self._stream.write(data)
        except OSError as exc:
            raise self._failed(exc) from exc

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as exc:
            raise self._failed(exc) from exc

    def publish(self) -> None:
        self.flush()
        if self._close:
            try:
                self._stream.close()
            except OSError as exc:
                raise self._failed(exc) from exc

    def _failed(self, exc: OSError) -> OutputFailed | BrokenPipeError:
        if self._close:
            with contextlib.suppress(OSError):  # it tries once more to write what is left
                self._stream.close()
        return _failed(exc, self._name)


class FileOutput:
    """A regular file, published by renaming; nobody but its owner may read it (mode 0600).

    The folder is held by a descriptor, so that it cannot be exchanged behind our back, and
    renaming replaces a symbolic link instead of following it.

    Raises:
        InvalidRequest: no file can be made there.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._shown = safe(str(path))
        self._temporary = f".asyncfind-{os.urandom(8).hex()}.part"
        try:
            self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise _unusable(exc, self._shown) from exc
        try:
            descriptor = os.open(
                self._temporary,
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
                dir_fd=self._folder,
            )
        except OSError as exc:
            os.close(self._folder)
            raise _unusable(exc, self._shown) from exc
        self._file = os.fdopen(descriptor, "wb", buffering=_BUFFER)
        self._is_open = True
        _UNPUBLISHED.add(self)

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as exc:
            self.discard()
            raise _failed(exc, self._shown) from exc

    def flush(self) -> None:
        """Nothing: nobody reads the file before it is published."""

    def publish(self) -> None:
        if not self._is_open:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)
        except OSError as exc:
            self.discard()
            raise _failed(exc, self._shown) from exc
        self._close()

    def discard(self) -> None:
        """Remove what was written; does nothing after `publish`."""
        if not self._is_open:
            return
        with contextlib.suppress(OSError):  # closing writes what is left, or tries to
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)
        self._close()

    def _close(self) -> None:
        self._is_open = False
        _UNPUBLISHED.discard(self)
        os.close(self._folder)


_UNPUBLISHED: Final[set[FileOutput]] = set()


def discard_unpublished() -> None:
    """Remove the temporary files of this process; for an end in the middle of everything."""
    for output in list(_UNPUBLISHED):
        output.discard()


atexit.register(discard_unpublished)


def open_output(name: str) -> Output:
    """The output that --output NAME asks for.

    Devices, FIFOs and what is below /dev and /proc (`/dev/stdout`, `/proc/self/fd/3`) are opened
    as they are and never renamed over.

    Raises:
        InvalidRequest: it is a folder, or cannot be opened.
    """
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return FileOutput(path)
    except (OSError, ValueError) as exc:
        raise _unusable(exc, safe(name)) from exc
    if stat.S_ISDIR(mode):
        raise InvalidRequest(f"{safe(name)} is a folder", "Give --output the name of a file.")
    if stat.S_ISREG(mode) and path.absolute().parts[1:2] not in (("dev",), ("proc",)):
        return FileOutput(path)
    try:
        # Closed by `publish`; appending, as /dev/stdout may be a file somebody writes to as well.
        stream = path.open("ab", buffering=_BUFFER)
    except OSError as exc:
        raise _unusable(exc, safe(name)) from exc
    return StreamOutput(stream, safe(name), close=True)


def _unusable(exc: OSError | ValueError, name: str) -> InvalidRequest:
    why = exc.strerror if isinstance(exc, OSError) else str(exc)
    return InvalidRequest(f"cannot write {name}: {why}", "Choose another --output.")


def _failed(exc: OSError, name: str) -> OutputFailed | BrokenPipeError:
    if isinstance(exc, BrokenPipeError):
        return exc
    hint = _HINTS.get(exc.errno or 0, "What had come until then is lost; run it again.")
    return OutputFailed(f"cannot write {name}: {exc.strerror or exc}", hint)
