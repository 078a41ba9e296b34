"""What a person at a terminal sees: answers as they come, and below them how each peer is doing."""

import atexit
import errno
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, TextIO, cast

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from asyncfind.plan import Peer, Plan
from asyncfind.records import (
    Associated,
    AttemptFailed,
    FindDone,
    FindStarted,
    Match,
    Note,
    PeerFailed,
    Record,
    Summary,
)
from asyncfind.render.renderer import Renderer
from asyncfind.render.table import HEADER, NOTE, ROW, TROUBLE, fit
from asyncfind.render.tally import is_satisfied
from asyncfind.render.troubles import Troubles, sentence, summary_line
from asyncfind.render.words import node_labels, opening_lines
from asyncfind.safe import safe

__all__ = ["OnScreen", "Screen", "console_for", "text_of"]

_PER_SECOND: Final = 8
_MOST_PEERS: Final = 12
_MOST_SUMMED_UP: Final = 20
_LINE_STYLES: Final = {HEADER: "bold", NOTE: "dim", ROW: "", TROUBLE: "yellow"}


def console_for(stream: TextIO) -> Console:
    """A console on a stream. NO_COLOR, TERM and COLUMNS are rich's to honour."""
    return Console(file=stream, highlight=False, markup=False, emoji=False)


def text_of(stream: BinaryIO) -> TextIO:
    """Text in front of a binary stream, UTF-8 and neither buffered nor ever closed."""
    return cast(TextIO, _Text(stream))


class _Text(io.TextIOBase):
    """See `text_of`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.is_gone = False

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        return "utf-8"

    def write(self, text: str) -> int:
        # Errors are kept for `Screen`: rich writes from threads and at exit, where nobody listens.
        try:
            self._stream.write(text.encode("utf-8", "backslashreplace"))
        except OSError:
            self.is_gone = True
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self.is_gone = True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class Screen:
    """An output: lines of a table, each with its kind first, above what is live on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._parts.append(data)

    def flush(self) -> None:
        lines, newline, rest = b"".join(self._parts).rpartition(b"\n")
        self._parts = [rest] if rest else []
        if not newline:
            return
        text = Text()
        for line in lines.decode("utf-8", "replace").split("\n"):
            text.append(line[1:] + "\n", _LINE_STYLES.get(line[:1]))
        self._console.print(text, soft_wrap=True, end="")
        if getattr(self._console.file, "is_gone", False):
            raise BrokenPipeError(errno.EPIPE, "the terminal has gone")

    def publish(self) -> None:
        self.flush()


@dataclass(slots=True)
class _Progress:
    """How one peer is doing.

    Args:
        again: attempts that failed and are made once more.
        trouble: the last one in words; empty while there is none.
        ended: instant of the last end of a query; None before.
    """

    total: int
    done: int = 0
    failed: int = 0
    matches: int = 0
    open_now: int = 0
    running: int = 0
    again: int = 0
    trouble: str = ""
    ended: float | None = None

    @property
    def rank(self) -> int:
        """Order on the screen: trouble, busy, not yet connected, done."""
        if self.trouble:
            return 0
        if self.done >= self.total:
            return 3
        return 1 if self.open_now else 2

    @property
    def state(self) -> tuple[str, str, str]:
        """A mark, a style and words."""
        if self.trouble:
            return "✗" if self.done >= self.total else "!", "bold red", self.trouble
        if self.done >= self.total:
            return "✓", "green", "done"
        if self.running:
            words = "answers are coming" if self.matches else "asked"
            return "▸", "cyan", f"{words}, {self.again} again" if self.again else words
        return ("▸", "cyan", "connected") if self.open_now else ("·", "dim", "connecting")


@dataclass(slots=True)
class _Widths:
    """Widths of the columns of the progress lines."""

    node: int
    count: int


class OnScreen:
    """Shows results by `renderer`, live progress on `console`, and a closing summary.

    Args:
        renderer: writes to a `Screen` on the same console, or somewhere else altogether.
        messages: where the closing summary goes: standard error.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        renderer: Renderer,
        console: Console,
        messages: Console,
        verbosity: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._renderer = renderer
        self._console = console
        self._messages = messages
        self._verbosity = verbosity
        self._clock = clock
        self._began = 0.0
        self._peers: dict[Peer, _Progress] = {}
        self._widths = _Widths(0, 0)
        self._labels: dict[Peer, str] = {}
        self._troubles = Troubles()
        self._lines: list[str] = []
        self._drawn: tuple[float, Group] | None = None
        self._live = Live(
            console=console,
            get_renderable=self._progress,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def begin(self, plan: Plan) -> None:
        """Show every peer as connecting."""
        self._began = self._clock()
        self._peers = {peer: _Progress(plan.count(peer)) for peer in plan.peers}
        total = max(map(plan.count, plan.peers))
        self._labels = node_labels(plan.peers)
        longest = max(map(cell_len, self._labels.values()))
        self._widths = _Widths(min(longest, max(12, self._console.width // 3)), len(str(total)))
        self._troubles.begin(plan)
        self._renderer.begin(plan)
        # Whatever ends the process, the cursor is to be seen again.
        atexit.register(self._live.stop)
        self._live.start()

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Print the results above the progress, which is drawn at most 8 times a second."""
        counted = self._renderer.show(records)
        for record in counted:
            self._count(record)
        self._lines += self._troubles.lines(counted)
        return counted

    def end(self, summary: Summary) -> None:
        """Print the rest, take the progress away and sum up."""
        try:
            self._renderer.end(summary)
        finally:
            self._live.stop()
            atexit.unregister(self._live.stop)
        if len(self._peers) > 1:
            for line in (Text(), *self._peer_lines(self._messages, _MOST_SUMMED_UP)):
                self._say(line)
        for text in (*self._lines, *self._troubles.rest()):
            self._say(Text(f"asyncfind: {text}", "yellow"))
        self._say(Text(summary_line(summary), "bold red" if summary.exit else "bold green"))

    def _say(self, text: Text) -> None:
        self._messages.print(text, soft_wrap=True)

    def _count(self, record: Record) -> None:
        if isinstance(record, Match):
            self._peers[record.find.peer].matches += 1
        elif isinstance(record, FindDone):
            progress = self._peers[record.find.peer]
            progress.done += 1
            progress.ended = self._clock()
            if record.started is not None:
                progress.running = max(0, progress.running - 1)
            if not is_satisfied(record):
                progress.failed += 1
                progress.trouble = record.error or str(record.verdict)
        elif isinstance(record, FindStarted):
            self._peers[record.find.peer].running += 1
        elif isinstance(record, AttemptFailed):
            progress = self._peers[record.find.peer]
            progress.running = max(0, progress.running - 1)
            progress.matches -= record.matches
            progress.again += 1
        elif isinstance(record, Associated):
            self._peers[record.peer].open_now = record.open_now
            if self._verbosity > 0:
                self._lines += map(sentence, opening_lines(record))
        elif isinstance(record, PeerFailed):
            self._peers[record.peer].trouble = record.error
        elif isinstance(record, Note) and (record.warning or self._verbosity > 0):
            self._lines.append(f"{safe(record.peer.node)}: {sentence(record.text)}")

    def _progress(self) -> Group:
        """What is live now; the same for an eighth of a second, however much is printed."""
        now = self._clock()
        if self._drawn is None or not 0 <= now - self._drawn[0] < 1 / _PER_SECOND:
            room = max(1, min(_MOST_PEERS, self._console.height // 2 - 2))
            self._drawn = now, Group(*self._peer_lines(self._console, room))
        return self._drawn[1]

    def _peer_lines(self, console: Console, most: int) -> list[Text]:
        """A line for each of at most `most` peers, trouble first, and one for the others."""
        ranked = sorted(self._peers.items(), key=lambda pair: pair[1].rank)
        shown = ranked if len(ranked) <= most else ranked[: most - 1]
        lines = [self._peer_line(console, peer, progress) for peer, progress in shown]
        rest = ranked[len(shown) :]
        if rest:
            done = sum(progress.done >= progress.total for _, progress in rest)
            text = f"  … {len(rest)} more" + (f", {done} of them done" if done else "")
            lines.append(Text(fit(text, console.width - 1).rstrip(), "dim", no_wrap=True))
        return lines

    def _peer_line(self, console: Console, peer: Peer, progress: _Progress) -> Text:
        mark, style, words = progress.state
        ended = progress.ended if progress.done >= progress.total else None
        elapsed = (self._clock() if ended is None else ended) - self._began
        count = f"{progress.done:>{self._widths.count}}/{progress.total}"
        matches = "1 match" if progress.matches == 1 else f"{progress.matches:,} matches"
        line = (
            f"{mark} {fit(self._labels[peer], self._widths.node, keeps_end=True)}"
            f"  {count} queries  {matches:>15}  {elapsed:>6.1f} s  "
        )
        width = console.width - 1
        room = width - cell_len(line)
        if room < 1:
            return Text(fit(line, width).rstrip(), style, no_wrap=True)
        text = Text(line, style, no_wrap=True)
        text.append(fit(safe(words), room).rstrip(), "bold" if progress.trouble else "")
        return text
