"""Keeps the output of different queries apart although their answers come at the same time.

The query that owns the output streams straight out. What others render waits: in memory, beyond a
bound in one file without name, so that nobody's reading is held up by somebody else's answers and
memory stays flat however many queries are open.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Final

from asyncfind.errors import OutputFailed
from asyncfind.records import Find
from asyncfind.render.output import Output

__all__ = ["Blocks"]

_IN_MEMORY: Final = 8 * 1024 * 1024
_SLOT: Final = 64 * 1024
"""The file is used in slots of this many bytes, so that freed ones are used again."""


@dataclass(slots=True)
class _Waiting:
    """What a query rendered while another one owned the output.

    Args:
        spilled: slot and length of each part in the file, all of them before `parts`.
        parts: what is still in memory.
    """

    spilled: list[tuple[int, int]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)


class Blocks:
    """Writes whole blocks, one query's bytes in a row, to `output`.

    A query owns the output from its first byte on if nobody else does; queries without a byte
    own nothing, so a silent peer holds up nobody. When the owner ends, the blocks that ended
    meanwhile are written in the order in which they ended; then the oldest open one becomes owner.

    Args:
        opening: gives what comes before a query's block, when its turn has come.
        in_memory: bytes of all waiting blocks together before they go to the file.
    """

    def __init__(
        self,
        output: Output,
        opening: Callable[[Find], bytes] = lambda find: b"",
        *,
        in_memory: int = _IN_MEMORY,
    ) -> None:
        self._output = output
        self._opening = opening
        self._in_memory = in_memory
        self._owner: Find | None = None
        self._waiting: dict[Find, _Waiting] = {}
        self._ended: list[Find] = []
        self._held = 0
        self._file: IO[bytes] | None = None
        self._slots = 0
        self._free: list[int] = []

    def write(self, find: Find, data: bytes) -> None:
        """Write `data` of query `find`, now or in its turn.

        Raises:
            OutputFailed: the output, or the file for what waits, cannot be written.
        """
        if not data:
            return
        if self._owner is None:
            self._take_over(find)
        if self._owner is find:
            self._output.write(data)
            return
        self._waiting.setdefault(find, _Waiting()).parts.append(data)
        self._held += len(data)
        if self._held > self._in_memory:
            self._spill()

    def end(self, find: Find) -> None:
        """Query `find` has no more bytes."""
        if find is not self._owner:
            if find in self._waiting:
                self._ended.append(find)
            return
        self._owner = None
        for ended in self._ended:
            self._take_over(ended)
        self._ended.clear()
        self._owner = None
        if self._waiting:
            self._take_over(next(iter(self._waiting)))
        elif self._file is not None:
            self._file.truncate(0)
            self._slots = 0
            self._free.clear()

    def close(self) -> None:
        """Write what still waits, queries that never ended too, and remove the file."""
        if self._owner is not None:
            self.end(self._owner)
        for find in list(self._waiting):
            self._take_over(find)
        self._owner = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take_over(self, find: Find) -> None:
        """Make `find` the owner and write what it has waiting."""
        self._owner = find
        opening = self._opening(find)
        if opening:
            self._output.write(opening)
        waiting = self._waiting.pop(find, None)
        if waiting is None:
            return
        for slot, length in waiting.spilled:
            self._output.write(self._read(slot, length))
            self._free.append(slot)
        for part in waiting.parts:
            self._held -= len(part)
            self._output.write(part)

    def _read(self, slot: int, length: int) -> bytes:
        assert self._file is not None
        try:
            self._file.seek(slot * _SLOT)
            return self._file.read(length)
        except OSError as exc:
            raise _no_room(exc) from exc

    def _spill(self) -> None:
        """Move all that waits in memory to the file, which has no name and dies with us."""
        try:
            if self._file is None:
                import tempfile  # few runs need it, and it takes long to import

                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
            for waiting in self._waiting.values():
                data = b"".join(waiting.parts)
                waiting.parts.clear()
                for start in range(0, len(data), _SLOT):
                    part = data[start : start + _SLOT]
                    slot = self._free.pop() if self._free else self._slots
                    self._slots = max(self._slots, slot + 1)
                    self._file.seek(slot * _SLOT)
                    self._file.write(part)
                    waiting.spilled.append((slot, len(part)))
            self._file.flush()
        except OSError as exc:
            raise _no_room(exc) from exc
        self._held = 0


def _no_room(exc: OSError) -> OutputFailed:
    import tempfile

    return OutputFailed(
        f"cannot keep waiting answers in a temporary file: {exc.strerror}",
        f"Free some space in {tempfile.gettempdir()}, or set TMPDIR.",
    )
