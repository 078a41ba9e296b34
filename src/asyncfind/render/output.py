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

__all__ = [
    "Draft",
    "FileOutput",
    "Folder",
    "Output",
    "StreamOutput",
    "discard_unpublished",
    "open_output",
    "write_failed",
]

_HINTS: Final = {
    errno.ENOSPC: "Free some space, or write somewhere else with {}.",
    errno.EDQUOT: "Free some space, or write somewhere else with {}.",
    errno.EFBIG: "Write to a file system that takes larger files with {}.",
}
_OUTPUT: Final = "--output"
_BUFFER: Final = 256 * 1024
_NO_LINKS: Final = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)
"""What file systems without hard links answer."""


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
        option: what writes somewhere else.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str = "standard output",
        *,
        close: bool = False,
        option: str = _OUTPUT,
    ) -> None:
        self._stream = stream
        self._name = name
        self._option = option
        self._close = close

    def write(self, data: bytes) -> None:
        # A raw stream (PYTHONUNBUFFERED makes one of standard output) may take a part only.
        rest = memoryview(data)
        try:
            while rest:
                taken = self._stream.write(rest)
                if taken is None:  # it would have to wait, which it was told never to do
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                rest = rest[taken:]
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
        return write_failed(exc, self._name, self._option)


class Folder:
    """A folder that files are made in, held by a descriptor: it cannot be exchanged behind our
    back.

    Args:
        path: as the system takes it.
        follow: it may be a symbolic link.

    Raises:
        OSError: it is no folder that can be opened.
    """

    def __init__(self, path: str | Path, *, follow: bool = True) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)

    def draft(self) -> "Draft":
        """A new file, without name so far; raises OSError."""
        return Draft(self._descriptor)

    def has(self, name: str) -> bool:
        """Whether there is anything of that name, a dangling link too; raises OSError."""
        try:
            os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def names(self) -> list[str]:
        """What is in it; raises OSError."""
        return os.listdir(self._descriptor)  # noqa: PTH208 - pathlib takes no descriptor

    def sync(self) -> None:
        """Make names durable; raises OSError."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of it; once is enough."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Draft:
    """A file under a temporary name, on its way to be published or discarded.

    Nobody but its owner may read it (mode 0600). Its methods raise OSError.

    Args:
        folder: a descriptor that stays open as long as this.
    """

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._temporary = f".asyncfind-{os.urandom(8).hex()}.part"
        descriptor = os.open(
            self._temporary,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
            dir_fd=folder,
        )
        self._file = os.fdopen(descriptor, "wb", buffering=_BUFFER)
        self.is_open = True
        _UNPUBLISHED.add(self)

    def write(self, data: bytes) -> None:
        """Take `data`; it may wait in memory."""
        self._file.write(data)

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()

    def publish(self, name: str, *, replace: bool) -> None:
        """Give what was written its name; the folder is yet to be synced.

        Args:
            replace: take the place of what has that name, of a symbolic link itself.

        Raises:
            FileExistsError: something has that name, and was not to be replaced.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if replace:
            self._rename(name)
        else:
            self._link(name)
        self._forget()

    def discard(self) -> None:
        """Remove what was written; does nothing after `publish`. Raises nothing."""
        if not self.is_open:
            return
        with contextlib.suppress(OSError):  # closing writes what is left, or tries to
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)
        self._forget()

    def _rename(self, name: str) -> None:
        os.rename(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _link(self, name: str) -> None:
        """Take a name that is free: unlike renaming, linking fails where it is not."""
        folder = self._folder
        try:
            os.link(
                self._temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False
            )
        except OSError as exc:
            if exc.errno not in _NO_LINKS:
                raise
            # No hard links here: the name is reserved, then replaced.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o600, dir_fd=folder))
            try:
                self._rename(name)
            except OSError:
                os.unlink(name, dir_fd=folder)
                raise
        else:
            with contextlib.suppress(OSError):  # what counts has its name
                os.unlink(self._temporary, dir_fd=folder)

    def _forget(self) -> None:
        self.is_open = False
        _UNPUBLISHED.discard(self)


class FileOutput:
    """A regular file, published by renaming; nobody but its owner may read it (mode 0600).

    Renaming replaces a symbolic link instead of following it.

    Args:
        option: what writes somewhere else.

    Raises:
        InvalidRequest: no file can be made there.
    """

    def __init__(self, path: Path, option: str = _OUTPUT) -> None:
        self._name = path.name
        self._option = option
        self._shown = safe(str(path))
        try:
            self._folder = Folder(path.parent)
        except OSError as exc:
            raise _unusable(exc, self._shown, option) from exc
        try:
            self._draft = self._folder.draft()
        except OSError as exc:
            self._folder.close()
            raise _unusable(exc, self._shown, option) from exc

    def write(self, data: bytes) -> None:
        try:
            self._draft.write(data)
        except OSError as exc:
            self.discard()
            raise write_failed(exc, self._shown, self._option) from exc

    def flush(self) -> None:
        """Nothing: nobody reads the file before it is published."""

    def publish(self) -> None:
        if not self._draft.is_open:
            return
        try:
            self._draft.publish(self._name, replace=True)
            self._folder.sync()
        except OSError as exc:
            self.discard()
            raise write_failed(exc, self._shown, self._option) from exc
        self._folder.close()

    def discard(self) -> None:
        """Remove what was written; does nothing after `publish`."""
        self._draft.discard()
        self._folder.close()


_UNPUBLISHED: Final[set[Draft]] = set()


def discard_unpublished() -> None:
    """Remove the temporary files of this process; for an end in the middle of everything."""
    for draft in list(_UNPUBLISHED):
        draft.discard()


atexit.register(discard_unpublished)


def open_output(name: str, option: str = _OUTPUT) -> Output:
    """The output that --output NAME asks for, or another option for files.

    Devices, FIFOs and what is below /dev and /proc (`/dev/stdout`, `/proc/self/fd/3`) are opened
    as they are and never renamed over.

    Raises:
        InvalidRequest: it is a folder, or cannot be opened.
    """
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return FileOutput(path, option)
    except (OSError, ValueError) as exc:
        raise _unusable(exc, safe(name), option) from exc
    if stat.S_ISDIR(mode):
        raise InvalidRequest(f"{safe(name)} is a folder", f"Give {option} the name of a file.")
    if stat.S_ISREG(mode) and path.absolute().parts[1:2] not in (("dev",), ("proc",)):
        return FileOutput(path, option)
    try:
        # Closed by `publish`; appending, as /dev/stdout may be a file somebody writes to as well.
        stream = path.open("ab", buffering=_BUFFER)
    except OSError as exc:
        raise _unusable(exc, safe(name), option) from exc
    return StreamOutput(stream, safe(name), close=True, option=option)


def _unusable(exc: OSError | ValueError, name: str, option: str) -> InvalidRequest:
    why = exc.strerror if isinstance(exc, OSError) else str(exc)
    return InvalidRequest(f"cannot write {name}: {why}", f"Choose another {option}.")


def write_failed(exc: OSError, name: str, option: str = _OUTPUT) -> OutputFailed | BrokenPipeError:
    """The error that says what the system refused.

    Args:
        name: of the output, safe for a terminal.
        option: what writes somewhere else.
    """
    if isinstance(exc, BrokenPipeError):
        return exc
    hint = _HINTS.get(exc.errno or 0, "What had come until then is lost; run it again.")
    return OutputFailed(f"cannot write {name}: {exc.strerror or exc}", hint.format(option))
