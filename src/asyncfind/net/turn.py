"""One task at a time, for next to nothing where there is only one."""

from types import TracebackType

import anyio

__all__ = ["Turn"]


class Turn:
    """A lock without a queue, held by `async with`.

    Nearly every association has one task: anyio's lock would cost it more than what it guards.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._over: anyio.Event | None = None

    async def __aenter__(self) -> None:
        while self._is_taken:
            self._over = self._over or anyio.Event()
            await self._over.wait()
        self._is_taken = True

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_taken = False
        if self._over is not None:
            self._over.set()
            self._over = None
