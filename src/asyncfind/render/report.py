"""Plain lines for people, on standard error: what went wrong and what to do about it."""

from collections.abc import Sequence
from typing import Final, TextIO

from asyncfind.plan import Plan
from asyncfind.records import Associated, FindDone, Note, PeerFailed, Record, Summary, Verdict
from asyncfind.render.renderer import Renderer
from asyncfind.render.tally import is_satisfied
from asyncfind.safe import safe

__all__ = ["Reported"]

_SHOWN_AT_MOST: Final = 50


class Reported:
    """Shows results by `renderer` and messages as lines on `stream`.

    Args:
        verbosity: -1 nothing, 0 troubles, 1 also what goes well.
    """

    def __init__(self, renderer: Renderer, stream: TextIO, verbosity: int) -> None:
        self._renderer = renderer
        self._stream = stream
        self._verbosity = verbosity
        self._troubles = 0

    def begin(self, plan: Plan) -> None:
        """Begin the results."""
        self._renderer.begin(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show the results first, then what is to be said about them."""
        counted = self._renderer.show(records)
        for record in counted:
            if isinstance(record, FindDone):
                self._done(record)
            elif isinstance(record, PeerFailed):
                self._trouble(record.peer.node, record.error, record.hint)
            elif isinstance(record, Note):
                if record.warning or self._verbosity > 0:
                    self._say(f"{safe(record.peer.node)}: {record.text}.")
            elif isinstance(record, Associated) and self._verbosity > 0:
                self._say(f"{safe(record.peer.node)}: association {record.open_now} accepted.")
        return counted

    def end(self, summary: Summary) -> None:
        """End the results; sum up where something failed."""
        self._renderer.end(summary)
        if not summary.exit and self._verbosity <= 0:
            return
        if self._troubles > _SHOWN_AT_MOST:
            self._say(f"... and {self._troubles - _SHOWN_AT_MOST} more.")
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in summary.verdicts.items())
        self._say(
            f"{summary.queries} queries to {summary.peers} archives: {verdicts}; "
            f"{summary.matches} matches in {summary.seconds:.2f} s."
        )

    def _done(self, done: FindDone) -> None:
        what = f"{done.find.query.label} ({done.matches} matches)"
        if is_satisfied(done):
            if self._verbosity > 0:
                self._say(f"{safe(done.find.peer.node)}: {what} {done.verdict}.")
        elif done.verdict not in (Verdict.UNREACHED, Verdict.SKIPPED):
            # The others are said once, of their archive.
            self._trouble(done.find.peer.node, f"{what}: {done.error}", done.hint)

    def _trouble(self, node: str, error: str, hint: str) -> None:
        self._troubles += 1
        if self._troubles <= _SHOWN_AT_MOST:
            self._say(f"{safe(node)}: {error}. {hint}".rstrip())

    def _say(self, line: str) -> None:
        if self._verbosity >= 0:
            self._stream.write(f"asyncfind: {line}\n")
            self._stream.flush()
