"""Plain lines for people, on standard error: what went wrong and what to do about it."""

import contextlib
from collections.abc import Sequence
from typing import TextIO

from asyncfind.plan import Peer, Plan
from asyncfind.records import Agreement, Associated, FindDone, Note, Record, Summary
from asyncfind.render.renderer import Renderer
from asyncfind.render.tally import is_satisfied
from asyncfind.render.troubles import Troubles, sentence, summary_line
from asyncfind.render.words import opening_lines
from asyncfind.safe import safe

__all__ = ["Reported"]

_LABEL = 60


class Reported:
    """Shows results by `renderer` and messages as lines `asyncfind: NODE: ...` on `stream`.

    Args:
        verbosity: -1 nothing, 0 troubles, 1 also what goes well.
    """

    def __init__(self, renderer: Renderer, stream: TextIO, verbosity: int) -> None:
        self._renderer = renderer
        self._stream = stream
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
        if self._verbosity >= 0:
            self._say(*self._troubles.lines(counted), *self._notes(counted))
        return counted

    def end(self, summary: Summary) -> None:
        """End the results; sum up where something failed, or where everything is told."""
        self._renderer.end(summary)
        if self._verbosity < 0 or (not summary.exit and self._verbosity == 0):
            return
        self._say(*self._troubles.rest(), summary_line(summary))

    def _notes(self, records: Sequence[Record]) -> list[str]:
        is_verbose = self._verbosity > 0
        lines = []
        for record in records:
            if isinstance(record, Note):
                if record.warning or is_verbose:
                    lines.append(f"{safe(record.peer.node)}: {sentence(record.text)}")
            elif not is_verbose:
                continue
            elif isinstance(record, Associated):
                count = record.open_now
                opened = "1 association open" if count == 1 else f"{count} associations open"
                lines.append(f"{safe(record.peer.node)}: {opened}.")
                if self._agreements.get(record.peer) != record.agreement:
                    self._agreements[record.peer] = record.agreement
                    lines += opening_lines(record)
            elif isinstance(record, FindDone) and is_satisfied(record):
                find = record.find
                repeat = f" (repeat {find.repeat})" if find.repeat > 1 else ""
                lines.append(
                    f"{safe(find.peer.node)}: {safe(find.query.label, _LABEL)}{repeat}: "
                    f"{record.verdict}, {record.matches} matches in {record.seconds:.3f} s."
                )
        return lines

    def _say(self, *lines: str) -> None:
        if not lines:
            return
        # Results do not depend on somebody reading the messages.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write("".join(f"asyncfind: {line}\n" for line in lines))
            self._stream.flush()
