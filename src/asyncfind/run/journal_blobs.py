"""Identifiers too large for a row: files named by their SHA-256, in a folder beside the journal."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from asyncfind.run.journal_file import beside, sync

__all__ = ["MAX_IN_ROW", "Blobs"]

MAX_IN_ROW: Final = 1024 * 1024
"""Bytes of an identifier that a row still takes."""

_NAME: Final = re.compile(r"[0-9a-f]{64}")
_DRAFT: Final = re.compile(r"[0-9a-f]{64}\.part")


class Blobs:
    """The folder of one journal, made when it is needed; its methods raise `OSError`.

    The folder is opened anew for each file and must not be a symbolic link: whoever may write
    beside the journal cannot make us write elsewhere.

    Args:
        journal: path of the journal.
    """

    def __init__(self, journal: Path) -> None:
        self._path = beside(journal, ".blobs")

    def write(self, name: str, data: bytes) -> None:
        """Store `data`, durably; does nothing where it is already.

        Args:
            name: its SHA-256 in lower-case hexadecimal.
        """
        try:
            self._path.mkdir(mode=0o700)
        except FileExistsError:
            pass
        else:
            sync(self._path.absolute().parent)
        with self._folder() as folder:
            with contextlib.suppress(FileNotFoundError):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
                return
            draft = f"{name}.part"
            # One writer at a time: a draft of this name is what a killed one left.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(draft, flags, 0o600, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # Whatever takes the name meanwhile cannot be ours, so it may be replaced.
            os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def read(self, name: str) -> bytes:
        """What was stored under `name`, unchecked."""
        if _NAME.fullmatch(name) is None:
            raise FileNotFoundError(name)
        with self._folder() as folder:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                return file.read()

    def sweep(self, used: set[str]) -> int:
        """Remove what no row names, and unfinished drafts; returns how many files went."""
        swept = 0
        try:
            with self._folder() as folder:
                for name in os.listdir(folder):  # noqa: PTH208 - pathlib takes no descriptor
                    stray = _NAME.fullmatch(name) is not None and name not in used
                    if stray or _DRAFT.fullmatch(name):
                        os.unlink(name, dir_fd=folder)
                        swept += 1
        except FileNotFoundError:
            pass
        return swept

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
