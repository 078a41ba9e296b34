"""What a server has done so far, and a way to wait for it without sleeping."""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

__all__ = ["Counters"]


@dataclass(slots=True)
class Counters:
    """Counts of one server.

    Args:
        connections: TCP connections taken, ever.
        associations, peak: accepted associations that are open now; the most at a time.
        accepted, rejected: association requests.
        queries, running: C-FIND requests ever; those without a final response yet.
        responses: pending responses handed to the kernel.
        cancels: C-CANCEL requests.
        echoes: C-ECHO requests.
        releases: associations that the requestor released.
    """

    connections: int = 0
    associations: int = 0
    peak: int = 0
    accepted: int = 0
    rejected: int = 0
    queries: int = 0
    running: int = 0
    responses: int = 0
    cancels: int = 0
    echoes: int = 0
    releases: int = 0
    _changed: anyio.Event | None = field(default=None, repr=False, compare=False)

    def changed(self) -> None:
        """Wake those who wait; to be called after every change."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def until(self, condition: Callable[["Counters"], bool]) -> None:
        """Return once `condition` holds of the counters."""
        while not condition(self):
            if self._changed is None:
                self._changed = anyio.Event()
            await self._changed.wait()
