"""Keeps the output of different queries apart although their answers come at the same time.

The query that owns the output streams straight out. What others render waits in memory, beyond
1 MiB in a file without name, so that nobody's reading is held up by somebody else's answers.
"""

import shutil
import tempfile
from typing import BinaryIO, Final

from asyncfind.errors import OutputFailed
from asyncfind.records import Find

__all__ = ["Blocks"]

_IN_MEMORY: Final = 1024 * 1024


class Blocks:
    """Writes whole blocks, one query's bytes in a row, to `stream`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._owner: Find | None = None
        self._waiting: dict[Find, tempfile.SpooledTemporaryFile[bytes]] = {}
        self._ended: list[Find] = []

    def write(self, find: Find, data: bytes) -> None:
        """Write `data` of query `find`, now or in its turn."""
        if self._owner is None:
            self._owner = find
        if self._owner is find:
            self._put(data)
            return
        if find not in self._waiting:
            # Held open until its block is written; `_flush` and `close` close it.
            self._waiting[find] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        try:
            self._waiting[find].write(data)
        except OSError as exc:
            raise OutputFailed(
                f"cannot keep waiting answers in a temporary file: {exc.strerror}",
                "Free some space, or set TMPDIR.",
            ) from exc

    def end(self, find: Find) -> None:
        """Query `find` has no more bytes; waiting blocks that ended follow, then the oldest."""
        if find is not self._owner:
            if find in self._waiting:
                self._ended.append(find)
            return
        self._owner = None
        for ended in self._ended:
            self._flush(ended)
        self._ended.clear()
        if self._waiting:
            self._owner = next(iter(self._waiting))
            self._flush(self._owner)

    def close(self) -> None:
        """Write what still waits: queries that never ended."""
        for find in list(self._waiting):
            self._flush(find)

    def flush(self) -> None:
        """Hand everything written to the system."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise _failed(exc) from exc

    def raw(self, data: bytes) -> None:
        """Write bytes that belong to no query."""
        self._put(data)

    def _flush(self, find: Find) -> None:
        with self._waiting.pop(find) as spool:
            spool.seek(0)
            try:
                shutil.copyfileobj(spool, self._stream)
            except BrokenPipeError:
                raise
            except OSError as exc:
                raise _failed(exc) from exc

    def _put(self, data: bytes) -> None:
        try:
            self._stream.write(data)
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise _failed(exc) from exc


def _failed(exc: OSError) -> OutputFailed:
    return OutputFailed(f"cannot write the results: {exc.strerror}", "Free some space.")
