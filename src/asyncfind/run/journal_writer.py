"""The one thread that writes a journal: many writes, one COMMIT.

A COMMIT waits for the disk, so writes share it: all that came while the last one was under way,
up to 50 complete queries or 4 MiB. Rows of queries that are still running wait up to 200 ms for
company. What is acknowledged is durable; after a failed write nothing is acknowledged any more.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

import anyio

from asyncfind.errors import AsyncfindError, LocalProtocolError, OutputFailed

__all__ = ["Apply", "Writer"]

_T = TypeVar("_T")
Apply = Callable[[sqlite3.Connection], _T]
"""One write. Runs on the writer's thread, within a transaction. An `AsyncfindError` that it raises
goes to whoever asked; it must not have changed anything by then."""

_QUERIES: Final = 50
_BYTES: Final = 4 * 1024 * 1024
_SECONDS: Final = 0.2
_WAITING: Final = 1000
_WAITING_BYTES: Final = 8 * 1024 * 1024
"""Writes, and bytes in them, that wait for the writer; more have to wait before the queue."""
_OVERHEAD: Final = 64
"""Bytes that a row takes beside its identifier."""


class _Write(Generic[_T]):
    """A write on its way.

    Args:
        size: bytes that it brings.
        completes: it ends a query.
        durable: it is acknowledged once committed, else once applied; None is never waited for.
        loop: where whoever waits for it runs; None for a thread.
    """

    __slots__ = ("apply", "completes", "done", "durable", "error", "loop", "result", "size")

    def __init__(
        self,
        apply: Apply[_T],
        size: int,
        completes: bool,
        durable: bool | None,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.apply: Apply[_T] | None = apply
        self.size = size
        self.completes = completes
        self.durable = durable
        self.loop = loop
        self.done: anyio.Event | threading.Event = (
            threading.Event() if loop is None else (anyio.Event())
        )
        self.result: _T | None = None
        self.error: AsyncfindError | None = None


class Writer:
    """Applies writes in the order in which they came, on a thread of its own.

    Args:
        connection: nobody else's any more.
        name: of the file, safe for a terminal.
        finish: the last write of all, where the end is clean.
    """

    def __init__(self, connection: sqlite3.Connection, name: str, finish: Apply[object]) -> None:
        self._connection = connection
        self._name = name
        self._finish = finish
        self._lock = threading.Condition()
        self._queue: deque[_Write[Any]] = deque()
        self._bytes = 0
        self._blocked: list[tuple[asyncio.AbstractEventLoop, anyio.Event]] = []
        self._closing: bool | None = None
        """Whether the end is clean; None while there is none in sight."""
        self._error: AsyncfindError | None = None
        self._group: list[_Write[Any]] = []
        self._group_queries = 0
        self._group_bytes = 0
        self._group_awaited = False
        self._begun = 0.0
        self._thread = threading.Thread(target=self._run, name="asyncfind-journal", daemon=True)
        self._thread.start()

    # For those who write.

    async def do(
        self, apply: Apply[_T], *, size: int = 0, completes: bool = False, durable: bool = True
    ) -> _T:
        """Have `apply` done, and wait for it; waits for a place first where many are waiting.

        A write that found its place is done also when the wait for it is cancelled.

        Args:
            durable: wait for the COMMIT too.

        Raises:
            OutputFailed: the journal could not be written; nothing more can be.
            AsyncfindError: what `apply` raised.
        """
        write = _Write(apply, size, completes, durable, asyncio.get_running_loop())
        await self._put(write)
        assert isinstance(write.done, anyio.Event)
        await write.done.wait()
        return _result(write)

    async def post(self, apply: Apply[object], *, size: int) -> None:
        """Have `apply` done some time; waits for a place only.

        Raises:
            OutputFailed: as `do`.
        """
        await self._put(_Write(apply, size, False, None, asyncio.get_running_loop()))

    def do_from_thread(self, apply: Apply[_T]) -> _T:
        """As `do`, for where there is no event loop or one that may wait."""
        write = _Write(apply, 0, False, True, None)
        self._offer(write, None)
        assert isinstance(write.done, threading.Event)
        write.done.wait()
        return _result(write)

    def close(self, *, clean: bool) -> None:
        """Do what is waiting, COMMIT, and close the connection; returns when that is over.

        Raises:
            OutputFailed: something could not be written, now or before.
        """
        with self._lock:
            if self._closing is None:
                self._closing = clean
            self._lock.notify()
        self._thread.join()
        if self._error is not None:
            raise _copy(self._error)

    async def _put(self, write: _Write[Any]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            room = anyio.Event()
            if self._offer(write, (loop, room)):
                return
            await room.wait()

    def _offer(
        self, write: _Write[Any], room: tuple[asyncio.AbstractEventLoop, anyio.Event] | None
    ) -> bool:
        with self._lock:
            if self._error is not None:
                raise _copy(self._error)
            if self._closing is not None:
                raise LocalProtocolError("the journal is closed")
            full = len(self._queue) >= _WAITING or self._bytes >= _WAITING_BYTES
            if full and room is not None:
                self._blocked.append(room)
                return False
            self._queue.append(write)
            self._bytes += write.size
            self._lock.notify()
            return True

    # The thread.

    def _run(self) -> None:
        error: AsyncfindError | None = LocalProtocolError("the journal's writer ended by a bug")
        try:
            self._serve()
            error = None
        except (sqlite3.Error, OSError) as exc:
            error = _failed(exc, self._name)
        finally:
            self._end(error)

    def _serve(self) -> None:
        while (write := self._take()) is not None or self._closing is None:
            if write is not None:
                self._do(write)
            if self._is_due(idle=write is None):
                self._commit()
        self._commit()
        if self._closing:
            self._connection.execute("BEGIN IMMEDIATE")
            self._finish(self._connection)
            self._connection.execute("COMMIT")
        self._connection.close()

    def _take(self) -> _Write[Any] | None:
        """The next write; None where none is to be had, at the end or before the group is due."""
        with self._lock:
            while not self._queue:
                if self._closing is not None or self._group_awaited:
                    return None
                left = None
                if self._group:
                    left = self._begun + _SECONDS - time.monotonic()
                    if left <= 0:
                        return None
                self._lock.wait(left)
            return self._queue.popleft()

    def _do(self, write: _Write[Any]) -> None:
        if not self._group:
            self._connection.execute("BEGIN IMMEDIATE")
            self._begun = time.monotonic()
        self._group.append(write)
        apply, write.apply = write.apply, None
        assert apply is not None
        try:
            write.result = apply(self._connection)
        except AsyncfindError as exc:
            write.error = exc
        del apply  # with the rows in it
        self._group_bytes += write.size + _OVERHEAD
        self._group_queries += write.completes
        self._group_awaited |= write.durable is True
        with self._lock:
            self._bytes -= write.size
            blocked = self._unblock()
        _wake(blocked)
        if write.durable is False:
            _acknowledge([write])

    def _unblock(self) -> list[tuple[asyncio.AbstractEventLoop, anyio.Event]]:
        """Those who may try again for a place; half of the queue is free then."""
        if len(self._queue) > _WAITING // 2 or self._bytes > _WAITING_BYTES // 2:
            return []
        blocked, self._blocked = self._blocked, []
        return blocked

    def _is_due(self, *, idle: bool) -> bool:
        return (
            idle
            or self._group_queries >= _QUERIES
            or self._group_bytes >= _BYTES
            or (bool(self._group) and time.monotonic() >= self._begun + _SECONDS)
        )

    def _commit(self) -> None:
        if not self._group:
            return
        self._connection.execute("COMMIT")
        group, self._group = self._group, []
        self._group_queries = self._group_bytes = 0
        self._group_awaited = False
        _acknowledge([write for write in group if write.durable])

    def _end(self, error: AsyncfindError | None) -> None:
        """Nothing is written any more; where that was not the plan, say so to all who wait."""
        with self._lock:
            self._error = error
            lost = [*self._group, *self._queue]
            blocked, self._blocked = self._blocked, []
            self._group = []
            self._queue.clear()
        for write in lost:
            write.error = error
        _wake(blocked)
        _acknowledge([write for write in lost if write.durable is not None])
        with contextlib.suppress(sqlite3.Error):  # it was closed, or takes nothing any more
            self._connection.close()


def _result(write: _Write[_T]) -> _T:
    if write.error is not None:
        raise _copy(write.error)
    return write.result  # type: ignore[return-value]  # None only where apply returned it


def _copy(error: AsyncfindError) -> AsyncfindError:
    """One error object must not collect the tracebacks of all who meet it."""
    return type(error)(error.text, error.hint)


def _failed(exc: sqlite3.Error | OSError, name: str) -> AsyncfindError:
    if isinstance(exc, sqlite3.IntegrityError):
        return LocalProtocolError(f"the journal {name} does not take this: {exc}")
    why = exc.strerror if isinstance(exc, OSError) else str(exc)
    return OutputFailed(
        f"cannot write the journal {name}: {why}",
        "What was acknowledged is safe. Make room or repair the disk, then use --resume.",
    )


def _acknowledge(writes: Iterable[_Write[Any]]) -> None:
    events: list[tuple[asyncio.AbstractEventLoop, anyio.Event]] = []
    for write in writes:
        if isinstance(write.done, threading.Event):
            write.done.set()
        elif write.loop is not None:
            events.append((write.loop, write.done))
    _wake(events)


def _wake(waiting: list[tuple[asyncio.AbstractEventLoop, anyio.Event]]) -> None:
    """Set events on the loops that they belong to: one call for all of a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[anyio.Event]] = {}
    for loop, event in waiting:
        by_loop.setdefault(loop, []).append(event)
    for loop, events in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and so has the wait
            loop.call_soon_threadsafe(_set, events)


def _set(events: list[anyio.Event]) -> None:
    for event in events:
        event.set()
