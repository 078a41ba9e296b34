"""A bulk run where there is no board: a line now and then, and for each change of a node."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from asyncfind.logs.levels import Level
from asyncfind.plan import Peer, Plan
from asyncfind.records import ExitCode, Record, Summary
from asyncfind.render.board_counts import Counts
from asyncfind.render.board_words import progress_words, unasked_lines
from asyncfind.render.renderer import Renderer
from asyncfind.render.report import Messages
from asyncfind.safe import safe

__all__ = ["Lines"]

_INTERVAL: Final = 10.0


class Lines:
    """Shows a run by `renderer`, which tells of its troubles, and says how far it is.

    Args:
        interval: seconds from one such line to the next.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        renderer: Renderer,
        messages: Messages,
        *,
        interval: float = _INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._renderer = renderer
        self._messages = messages
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._counts: Counts | None = None
        self._labels: dict[Peer, str] = {}

    def begin(self, plan: Plan) -> None:
        """Begin the results, and to tell of them."""
        self._counts = Counts(plan, self._clock())
        self._labels = {peer: safe(peer.node) for peer in plan.peers}
        self._renderer.begin(plan)
        # A thread: it has something to say above all when no records come.
        threading.Thread(target=self._run, name="progress", daemon=True).start()

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show the results first; tell of nodes that are back."""
        counted = self._renderer.show(records)
        assert self._counts is not None
        with self._lock:
            self._counts.add(counted, self._clock())
            back, self._counts.back = self._counts.back, set()
        self._say(f"{self._labels[peer]}: back, going on." for peer in back)
        return counted

    def end(self, summary: Summary) -> None:
        """Say what was not asked; then end as `renderer` does."""
        self._over.set()
        assert self._counts is not None
        if summary.exit is not ExitCode.INTERRUPTED:
            self._say(unasked_lines(self._counts, self._labels), Level.ERROR)
        self._renderer.end(summary)

    def tell(self) -> None:
        """Say how far the run is."""
        assert self._counts is not None
        with self._lock:
            line = progress_words(self._counts, self._clock())
        self._say([line])

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            self.tell()

    def _say(self, lines: Iterable[str], level: Level = Level.INFO) -> None:
        if lines := list(lines):
            self._messages.say(level, lines)
