"""The file of a node book: where it is, how it is read, how an entry is added."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["VARIABLE", "append", "find_book", "read_text"]

VARIABLE: Final = "ASYNCFIND_NODES"
"""The environment variable that names the node book."""

_MAX_SIZE: Final = 16 * 1024 * 1024


def find_book(path: str | Path | None, environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Say which file is the node book, and whether somebody named it.

    It is `path`, else what $ASYNCFIND_NODES names, else `asyncfind/nodes.toml` in
    $XDG_CONFIG_HOME or ~/.config. The current folder is not searched: a book decides where
    queries and passcodes go, and a folder may be somebody else's.

    Raises:
        InvalidRequest: nobody named it and there is no home folder.
    """
    named = path or environ.get(VARIABLE)
    if named:
        return Path(named), True
    config = Path(environ.get("XDG_CONFIG_HOME", ""))
    if config.is_absolute():  # what is relative is to be ignored (XDG Base Directory)
        return config / "asyncfind" / "nodes.toml", False
    home = environ.get("HOME", "")
    if not home:
        raise InvalidRequest(
            "there is no home folder to look for a node book in", "Name one with --nodes FILE."
        )
    return Path(home) / ".config" / "asyncfind" / "nodes.toml", False


def read_text(path: Path) -> str | None:
    """Read a node book; None where there is no such file.

    Raises:
        InvalidRequest: it cannot be read, is no regular file of at most 16 MiB in UTF-8, or
            everybody may write to it.
    """
    try:
        # A pipe would block, and a device may do anything, when it is opened.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _unreadable(path, exc.strerror or "unreadable") from exc
    except ValueError:
        raise _unreadable(path, "no name of a file") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(path, "no regular file")
        if status.st_mode & stat.S_IWOTH:
            raise InvalidRequest(
                f"node book {_shown(path)}: everybody may write to it",
                "It decides where queries go: chmod o-w it.",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(_MAX_SIZE + 1)
    except OSError as exc:
        raise _unreadable(path, exc.strerror or "unreadable") from exc
    finally:
        os.close(descriptor)
    if len(data) > _MAX_SIZE:
        raise _unreadable(path, f"larger than {_MAX_SIZE >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise _unreadable(path, f"line {line} is not UTF-8") from None


@contextlib.contextmanager
def append(path: Path) -> Iterator["Addition"]:
    """Change a node book, or begin one; nobody else does at the same time.

    The new text takes the old one's place in one step and keeps its permissions; a new book is
    its owner's alone (0600), as are new folders (0700).

    Raises:
        InvalidRequest: it cannot be read or written, or is a symbolic link.
    """
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise _unwritable(path, exc) from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.is_symlink():
            raise InvalidRequest(
                f"node book {_shown(path)}: it is a symbolic link", "Name the file it leads to."
            )
        yield Addition(path, descriptor)
    except OSError as exc:
        raise _unwritable(path, exc) from exc
    finally:
        os.close(descriptor)


class Addition:
    """A node book that is being changed."""

    def __init__(self, path: Path, folder: int) -> None:
        self._path = path
        self._folder = folder
        self.text = read_text(path) or ""

    def write(self, text: str) -> None:
        """Replace the book's text by `text`; raises OSError."""
        mode = 0o600
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(self._path.stat().st_mode)
        temporary = f".asyncfind-{os.urandom(8).hex()}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                os.fchmod(descriptor, mode)
                file.flush()
                os.fsync(descriptor)
            os.rename(temporary, self._path.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._folder)
            raise
        os.fsync(self._folder)


def _shown(path: Path) -> str:
    return safe(str(path), 200)


def _unreadable(path: Path, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"node book {_shown(path)} cannot be read: {reason}", "Check its name and permissions."
    )


def _unwritable(path: Path, exc: OSError) -> InvalidRequest:
    return InvalidRequest(
        f"node book {_shown(path)} cannot be written: {exc.strerror}",
        "Check its name and permissions, or name another with --nodes FILE.",
    )
