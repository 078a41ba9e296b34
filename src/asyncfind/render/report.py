"""Plain lines for people: what went wrong and what to do about it."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Protocol, TextIO, runtime_checkable

from asyncfind.logs.levels import Level
from asyncfind.plan import Peer, Plan
from asyncfind.records import Agreement, Associated, AttemptFailed, FindDone, Note, Record, Summary
from asyncfind.render.renderer import Renderer
from asyncfind.render.tally import is_satisfied
from asyncfind.render.troubles import Troubles, sentence, summary_line
from asyncfind.render.words import opening_lines
from asyncfind.safe import safe

__all__ = ["Messages", "Reported", "Written"]

_LABEL = 60


@runtime_checkable
class Messages(Protocol):
    """Takes what is to be said besides the results."""

    def say(self, level: Level, lines: Iterable[str]) -> None:
        """Say these lines together, all safe for a terminal; never raises."""


class Written:
    """Messages as lines of text: `asyncfind: ...`, and `D: ...` for what is there to debug.

    Args:
        stream: standard error.
        least: what is less severe is not written.
    """

    def __init__(self, stream: TextIO, least: Level = Level.TRACE) -> None:
        self._stream = stream
        self._least = least

    def say(self, level: Level, lines: Iterable[str]) -> None:
        """Write the lines at once."""
        if level < self._least:
            return
        prefix = "asyncfind: " if level > Level.DEBUG else "D: "
        text = "".join(f"{prefix}{line}".rstrip() + "\n" for line in lines)
        # Results do not depend on somebody reading the messages.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


class Reported:
    """Shows results by `renderer` and tells of the run in lines `NODE: ...`.

    Failures are errors, what the user should know else are warnings.

    Args:
        to: takes the messages; a stream gets them as `Written` does.
        verbosity: -1 nothing, 0 troubles, 1 also what goes well.
    """

    def __init__(self, renderer: Renderer, to: TextIO | Messages, verbosity: int) -> None:
        self._renderer = renderer
        self._messages: Messages = to if isinstance(to, Messages) else Written(to)
        self._verbosity = verbosity
        self._troubles = Troubles()
        self._agreements: dict[Peer, Agreement] = {}

    def begin(self, plan: Plan) -> None:
        """Begin the results."""
        self._troubles.begin(plan)
        self._renderer.begin(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show the results first, then what is to be said about them."""
        counted = self._renderer.show(records)
        if self._verbosity < 0:
            return counted
        self._say(Level.ERROR, self._troubles.lines(counted))
        for record in counted:
            if isinstance(record, Note) and record.warning:
                self._say(Level.WARN, [_noted(record)])
            elif self._verbosity > 0:
                self._say(Level.INFO, self._told(record))
        return counted

    def end(self, summary: Summary) -> None:
        """End the results; sum up where something failed, or where everything is told."""
        self._renderer.end(summary)
        if self._verbosity < 0 or (not summary.exit and self._verbosity == 0):
            return
        self._say(Level.ERROR, self._troubles.rest())
        self._say(Level.ERROR if summary.exit else Level.INFO, [summary_line(summary)])

    def _told(self, record: Record) -> list[str]:
        """What there is to say of a record that is no trouble."""
        match record:
            case Note():
                return [_noted(record)]
            case Associated():
                return self._opened(record)
            case FindDone() if is_satisfied(record):
                find = record.find
                repeat = f" (repeat {find.repeat})" if find.repeat > 1 else ""
                what = f"{safe(find.peer.node)}: {safe(find.query.label, _LABEL)}{repeat}"
                how = f"{record.matches} matches in {record.seconds:.3f} s"
                return [f"{what}: {record.verdict}, {how}."]
            case AttemptFailed():
                what = f"{safe(record.find.peer.node)}: {safe(record.find.query.label, _LABEL)}"
                again = f"attempt {record.attempt} failed, again in {record.pause:.1f} s"
                return [f"{what}: {again}: {sentence(record.error)}"]
            case _:
                return []

    def _opened(self, record: Associated) -> list[str]:
        count = record.open_now
        opened = "1 association open" if count == 1 else f"{count} associations open"
        lines = [f"{safe(record.peer.node)}: {opened}."]
        if self._agreements.get(record.peer) != record.agreement:
            self._agreements[record.peer] = record.agreement
            lines += map(sentence, opening_lines(record))
        return lines

    def _say(self, level: Level, lines: Iterable[str]) -> None:
        if lines := list(lines):
            self._messages.say(level, lines)


def _noted(note: Note) -> str:
    return f"{safe(note.peer.node)}: {sentence(note.text)}"
