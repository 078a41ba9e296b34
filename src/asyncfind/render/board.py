"""What a person at a terminal sees of a bulk run: the whole of it, and each node in a line."""

import atexit
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from asyncfind.plan import Peer, Plan
from asyncfind.records import Associated, ExitCode, Note, Record, Summary
from asyncfind.render.board_counts import Counts
from asyncfind.render.board_draw import Size, draw, missing_rows
from asyncfind.render.board_screen import FullScreen
from asyncfind.render.renderer import Renderer
from asyncfind.render.troubles import Troubles, sentence, summary_line
from asyncfind.render.words import node_labels, opening_lines
from asyncfind.safe import safe

__all__ = ["Board"]

_PER_SECOND: Final = 4
_REMARKS: Final = 20
_LEAST: Final = 6
"""Lines below results on the same screen, however low it is."""


class Board:
    """Shows results by `renderer`, how the run goes on `console`, and a closing summary.

    The results may go to the same terminal: then they come above the board, which takes half of
    the screen. Else it takes all of it.

    Args:
        messages: where the closing summary goes: standard error.
        is_shared: `renderer` writes to a `Screen` on `console`.
        clock: monotonic, in seconds.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        renderer: Renderer,
        console: Console,
        messages: Console,
        verbosity: int = 0,
        *,
        is_shared: bool = False,
        title: str = "",
        limits: Mapping[Peer, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._renderer = renderer
        self._console = console
        self._messages = messages
        self._verbosity = verbosity
        self._is_shared = is_shared
        self._title = title
        self._limits = limits
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._counts: Counts | None = None
        self._labels: dict[Peer, str] = {}
        self._troubles = Troubles()
        self._lines: list[str] = []
        self._remarks: dict[str, None] = {}
        self._unsaid = 0
        self._drawn: tuple[float, Group] | None = None
        self._view: Live | FullScreen | None = None

    def begin(self, plan: Plan) -> None:
        """Begin the results, and to draw."""
        self._counts = Counts(plan, self._clock(), limits=self._limits)
        self._labels = node_labels(plan.peers)
        self._troubles.begin(plan)
        self._renderer.begin(plan)
        self._view = self._made_view()
        # Whatever ends the process, the terminal is to be as it was.
        atexit.register(self._view.stop)
        self._view.start()

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show the results and count; what there is to say waits for the end."""
        counted = self._renderer.show(records)
        assert self._counts is not None
        with self._lock:
            self._counts.add(counted, self._clock(), self._wall())
        self._lines += self._troubles.lines(counted)
        for record in counted:
            if isinstance(record, Note):
                if record.warning or self._verbosity > 0:
                    self._keep([f"{safe(record.peer.node)}: {sentence(record.text)}"])
            elif isinstance(record, Associated) and self._verbosity > 0:
                self._keep(map(sentence, opening_lines(record)))
        return counted

    def end(self, summary: Summary) -> None:
        """End the results, take the board away and sum up: what is missing, why, and how much."""
        assert self._counts is not None
        try:
            self._renderer.end(summary)
        finally:
            self.close()
        # What matters most comes last: it is still to be seen when the rest has scrolled away.
        remarks = "1 remark" if self._unsaid == 1 else f"{self._unsaid:,} remarks"
        more = [f"... and {remarks} more."] if self._unsaid else []
        for text in (*self._remarks, *more, *self._lines, *self._troubles.rest()):
            self._say(Text(f"asyncfind: {text}", "yellow"))
        if summary.exit is not ExitCode.INTERRUPTED:
            width = self._messages.width
            for row in missing_rows(self._counts, self._labels, width, self._is_ascii):
                self._say(row)
        self._say(Text(summary_line(summary), "bold red" if summary.exit else "bold green"))

    def close(self) -> None:
        """Take the board away; it does nothing where that was done."""
        if self._view is not None:
            self._view.stop()
            atexit.unregister(self._view.stop)

    def _made_view(self) -> Live | FullScreen:
        if not self._is_shared:
            return FullScreen(self._console, self.lines)
        return Live(
            console=self._console,
            get_renderable=self._live,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def lines(self, size: Size) -> list[Text]:
        """The board as it is now."""
        assert self._counts is not None
        with self._lock:
            return draw(
                self._counts,
                self._labels,
                size,
                self._clock(),
                title=self._title,
                fills=not self._is_shared,
                is_ascii=self._is_ascii,
            )

    @property
    def _is_ascii(self) -> bool:
        # The other console may be in front of bytes, which any text goes into.
        return self._messages.options.ascii_only

    def _live(self) -> Group:
        """The board below results; the same for a quarter of a second, however much is printed."""
        now = self._clock()
        if self._drawn is None or not 0 <= now - self._drawn[0] < 1 / _PER_SECOND:
            width, height = self._console.size
            room = min(height - 1, max(_LEAST, height // 2))
            self._drawn = now, Group(*self.lines(Size(width, room)))
        return self._drawn[1]

    def _keep(self, lines: Iterable[str]) -> None:
        """Keep what is to be said at the end, each thing once: a long run has many remarks."""
        for line in lines:
            if line in self._remarks:
                continue
            if len(self._remarks) < _REMARKS:
                self._remarks[line] = None
            else:
                self._unsaid += 1

    def _say(self, text: Text) -> None:
        self._messages.print(text, soft_wrap=True)
