"""Run a plan in front of a person or a pipe: rendering, signals, exit code."""

import contextlib
import gc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from asyncfind.errors import OutputFailed
from asyncfind.plan import Plan
from asyncfind.records import ExitCode, Record, Summary
from asyncfind.render.board_restore import give_back
from asyncfind.render.output import discard_unpublished
from asyncfind.render.renderer import Renderer
from asyncfind.render.tally import Tally
from asyncfind.run.scheduler import Batch, run

if TYPE_CHECKING:
    from asyncfind.run.course import Course

__all__ = ["execute", "run_async", "watch_signals"]

_T = TypeVar("_T")

_INTERRUPT_LIMIT: Final = 1.6
"""Seconds from a signal until we go, whatever the peers and the terminal do."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAME: Final = 0.5
"""Seconds in which signals count as one: wrappers pass on what the terminal sent us as well."""
_TOGETHER: Final = 64
"""Batches that are rendered at once when they wait already."""


def run_async(function: Callable[..., Coroutine[Any, Any, _T]], *args: Any) -> _T:
    """Run `function` in an event loop, uvloop's where that is installed."""
    # Answers are many small objects that live for one batch: looking through them for cycles costs
    # a twentieth of a long run and finds nothing. Cycles are still collected, only more rarely.
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    return anyio.run(function, *args, backend_options={"use_uvloop": has_uvloop})


def execute(plan: Plan, renderer: Renderer, course: "Course | None" = None) -> ExitCode:
    """Run `plan` and show its records by `renderer`; returns the exit code.

    Args:
        course: how a bulk run goes about it.

    Raises:
        BrokenPipeError: the reader of the results has gone.
        OutputFailed: the results, or the journal of a job, cannot be written.
    """
    return run_async(_Session(plan, renderer, course).main)


class _Session:
    """One run in the foreground."""

    def __init__(self, plan: Plan, renderer: Renderer, course: "Course | None") -> None:
        self._plan = plan
        self._course = course
        self._renderer = renderer
        self._tally = Tally(plan)
        self._interrupted: float | None = None
        self._failure: BrokenPipeError | OutputFailed | None = None

    async def main(self) -> ExitCode:
        started = time.monotonic()
        self._renderer.begin(self._plan)
        send, receive = anyio.create_memory_object_stream[Batch](8)
        async with anyio.create_task_group() as tasks:
            running = anyio.CancelScope()

            async def scheduler() -> None:
                with running:
                    try:
                        await run(self._plan, send, self._course)
                    except* OutputFailed as group:  # the journal's
                        self._failure = _first(group)

            tasks.start_soon(scheduler)
            tasks.start_soon(watch_signals, partial(self._interrupt, tasks, running))
            await self._show(receive)
            tasks.cancel_scope.cancel()
        if self._failure is not None:  # raised here, where no task group wraps it
            raise self._failure
        summary = self._summary(time.monotonic() - started)
        self._renderer.end(summary)
        return summary.exit

    def _summary(self, seconds: float) -> Summary:
        summary = self._tally.summary(seconds=seconds, interrupted=self._interrupted is not None)
        if self._course is None or self._course.journal is None:
            return summary
        from asyncfind.run.job import job_summary

        progress = self._course.journal.progress()
        return job_summary(progress, summary, strict=self._plan.strict)

    async def _show(self, receive: MemoryObjectReceiveStream[Batch]) -> None:
        """Take batches as they come and render them, in a thread: a terminal or a pipe that
        does not take our bytes must stop the reading of sockets, not the clocks and signals.
        """
        async with receive:
            async for batch in receive:
                records: list[Record] = list(batch)
                with contextlib.suppress(anyio.WouldBlock, anyio.EndOfStream):
                    for _ in range(_TOGETHER):
                        records += receive.receive_nowait()
                try:
                    await anyio.to_thread.run_sync(self._render, records, abandon_on_cancel=True)
                except (BrokenPipeError, OutputFailed) as exc:
                    self._failure = exc
                    return

    def _render(self, records: Sequence[Record]) -> None:
        self._tally.add(self._renderer.show(records))

    def _interrupt(self, tasks: anyio.abc.TaskGroup, running: anyio.CancelScope) -> None:
        now = time.monotonic()
        if self._interrupted is not None:
            if now - self._interrupted > _SAME:
                leave_at_once()
            return
        self._interrupted = now
        running.cancel()
        tasks.start_soon(_leave_after, _INTERRUPT_LIMIT)


def _first(group: BaseExceptionGroup[OutputFailed]) -> OutputFailed:
    """The first error in a group of groups."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, OutputFailed)
    return first


async def _leave_after(seconds: float) -> None:
    await anyio.sleep(seconds)
    leave_at_once()


def leave_at_once() -> None:
    """End the process: somebody does not take our bytes and the user wants the prompt back."""
    discard_unpublished()
    give_back()
    if sys.stdout.isatty():
        with contextlib.suppress(OSError):
            os.set_blocking(1, False)
            os.write(1, b"\x1b[?25h\n")  # the live display hides the cursor
    os._exit(ExitCode.INTERRUPTED)


async def watch_signals(interrupt: Callable[[], None]) -> None:
    """Call `interrupt` for every SIGINT, SIGTERM and SIGHUP.

    What we were told to ignore (by nohup, or by a shell for its background jobs) stays ignored.
    """
    heeded = [one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    if not heeded:
        return
    with anyio.open_signal_receiver(*heeded) as signals:
        async for _ in signals:
            interrupt()
