"""Where extracted answers go: a file each, or one document of all.

A file appears whole or not at all, takes no other's place unless it may, and follows no symbolic
link; its folder is held by a descriptor.
"""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from asyncfind.errors import InvalidRequest, OutputFailed
from asyncfind.query.dcmtk_xml import CLOSING, OPENING
from asyncfind.render.output import Draft, Folder, Output, open_output, write_failed
from asyncfind.safe import safe

__all__ = ["Sink", "open_document", "open_files"]

_NAME: Final = re.compile(r"rsp([0-9]{4,18})\.(dcm|xml)")
_ELSEWHERE: Final = "Choose another --output-directory."
_DIRECTORY: Final = "--output-directory"
_SINGLE: Final = "-Xs"
_OVERWRITE: Final = "Use --extract-overwrite to replace it, or another --output-directory."


class Sink(Protocol):
    """Where encoded answers go."""

    def write(self, data: bytes) -> None:
        """Take one answer; raises OutputFailed."""

    def settle(self) -> None:
        """Make what was written durable, as far as it can be by now; raises OutputFailed."""

    def finish(self, remark: str) -> None:
        """Nothing comes any more; raises OutputFailed.

        Args:
            remark: why not everything came; empty where it did.
        """

    def abandon(self) -> None:
        """Leave nothing that is not whole."""


def open_files(directory: str, suffix: str, *, limit: int | None, overwrite: bool) -> Sink:
    """A file in `directory` for each answer: rsp0001.SUFFIX and so on.

    Args:
        limit: the highest number that may come; None for any.

    Raises:
        InvalidRequest: no files can be made there, or there are such files already.
    """
    return _Files(directory, suffix, limit, overwrite)


def open_document(path: str, *, overwrite: bool) -> Sink:
    """One document of all answers.

    Raises:
        InvalidRequest: it cannot be made, or is there already.
    """
    if _is_stream(path):
        return _Document(open_output(path, _SINGLE), safe(path))
    return _Document(_NewFile(path, overwrite), safe(path))


def _is_stream(path: str) -> bool:
    """Whether `path` is a device or FIFO, or a link to one, that is opened as it is."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    is_special = Path(path).absolute().parts[1:2] in (("dev",), ("proc",))
    return is_special or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _folder(path: str) -> Folder:
    try:
        return Folder(path or ".", follow=False)
    except (OSError, ValueError) as exc:
        if isinstance(exc, OSError) and Path(path).is_symlink():
            raise InvalidRequest(
                f"{safe(path)} is a symbolic link", "Name the folder that it leads to."
            ) from exc
        raise _unusable(path, exc) from exc


def _unusable(path: str, exc: OSError | ValueError) -> InvalidRequest:
    why = exc.strerror if isinstance(exc, OSError) else str(exc)
    return InvalidRequest(f"cannot write to {safe(path)}: {why}", _ELSEWHERE)


class _Files:
    """A file for each answer."""

    def __init__(self, directory: str, suffix: str, limit: int | None, overwrite: bool) -> None:
        self._directory = directory
        self._suffix = suffix
        self._overwrite = overwrite
        self._number = 0
        self._folder = _folder(directory)
        try:
            self._folder.draft().discard()
            names = [] if overwrite else sorted(self._folder.names())
        except OSError as exc:
            self._folder.close()
            raise _unusable(directory, exc) from exc
        for name in names:
            found = _NAME.fullmatch(name)
            if found is None or found[2] != suffix:
                continue
            if limit is None or int(found[1]) <= limit:
                self._folder.close()
                raise InvalidRequest(f"{self._shown(name)} exists", _OVERWRITE)

    def write(self, data: bytes) -> None:
        name = f"rsp{self._number + 1:04d}.{self._suffix}"
        draft: Draft | None = None
        try:
            draft = self._folder.draft()
            draft.write(data)
            draft.publish(name, replace=self._overwrite)
        except OSError as exc:
            if draft is not None:
                draft.discard()
            raise _refused(exc, self._shown(name), _DIRECTORY) from exc
        self._number += 1

    def settle(self) -> None:
        try:
            self._folder.sync()
        except OSError as exc:
            raise _refused(exc, safe(self._directory), _DIRECTORY) from exc

    def finish(self, remark: str) -> None:
        self._folder.close()

    def abandon(self) -> None:
        self._folder.close()

    def _shown(self, name: str) -> str:
        return safe(str(Path(self._directory) / name))


class _Document:
    """One document of all answers; `output` publishes it when it is whole.

    Args:
        name: safe for a terminal.
    """

    def __init__(self, output: Output, name: str) -> None:
        self._output = output
        self._name = name
        self._put(OPENING)

    def write(self, data: bytes) -> None:
        self._put(data)

    def settle(self) -> None:
        self._do(self._output.flush)

    def finish(self, remark: str) -> None:
        if remark:
            self._put(f"<!-- incomplete: {remark} -->\n".encode("ascii"))
        self._put(CLOSING)
        self._do(self._output.publish)

    def abandon(self) -> None:
        if isinstance(self._output, _NewFile):
            self._output.discard()

    def _put(self, data: bytes) -> None:
        self._do(lambda: self._output.write(data))

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as exc:
            raise _refused(exc, self._name, _SINGLE) from exc


class _NewFile:
    """An output: a file that takes no other's place unless it may. Its methods raise OSError."""

    def __init__(self, path: str, overwrite: bool) -> None:
        directory, self._name = os.path.split(path)
        self._overwrite = overwrite
        if not self._name:
            raise InvalidRequest(f"{safe(path)} is a folder", "Give -Xs the name of a file.")
        self._folder = _folder(directory)
        try:
            exists = self._folder.has(self._name)
            if not exists or (overwrite and not Path(path).is_dir()):
                self._draft = self._folder.draft()
                return
        except (OSError, ValueError) as exc:
            self._folder.close()
            raise _unusable(path, exc) from exc
        self._folder.close()
        if Path(path).is_dir():
            raise InvalidRequest(f"{safe(path)} is a folder", "Give -Xs the name of a file.")
        raise InvalidRequest(f"{safe(path)} exists", _OVERWRITE)

    def write(self, data: bytes) -> None:
        self._draft.write(data)

    def flush(self) -> None:
        self._draft.flush()

    def publish(self) -> None:
        self._draft.publish(self._name, replace=self._overwrite)
        self._folder.sync()
        self._folder.close()

    def discard(self) -> None:
        """Remove what was written."""
        self._draft.discard()
        self._folder.close()


def _refused(exc: OSError, name: str, option: str) -> OutputFailed:
    """What the system refused, as OutputFailed; a reader that has gone too.

    Args:
        option: what writes somewhere else.
    """
    if isinstance(exc, FileExistsError):
        return OutputFailed(f"{name} exists", _OVERWRITE)
    if isinstance(exc, BrokenPipeError):
        return OutputFailed(f"cannot write {name}: {exc.strerror}", "Its reader has gone.")
    failed = write_failed(exc, name, option)
    assert isinstance(failed, OutputFailed)
    return failed
