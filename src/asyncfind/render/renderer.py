"""What every way to show records has in common."""

from collections.abc import Sequence
from typing import Protocol

from asyncfind.plan import Plan
from asyncfind.records import Record, Summary

__all__ = ["Renderer"]


class Renderer(Protocol):
    """Shows records. Knows nothing of the network and never raises on odd data."""

    def begin(self, plan: Plan) -> None:
        """Called once, before anything is sent."""

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show what happened; returns the records as they are to be counted.

        A renderer that decodes turns the verdict of a complete query with an undecodable answer.

        Raises:
            BrokenPipeError: the reader of the stream has gone.
            OutputFailed: the stream cannot be written.
        """

    def end(self, summary: Summary) -> None:
        """Called once, after the last record; raises as `show` does."""
