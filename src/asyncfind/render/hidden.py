"""Answers that are counted and not shown."""

from collections.abc import Sequence

from asyncfind.plan import Plan
from asyncfind.records import Match, Record, Summary
from asyncfind.render.renderer import Renderer

__all__ = ["Hidden", "Unshown"]


class Hidden:
    """Shows what `renderer` shows but for the matches (`-sr`)."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def begin(self, plan: Plan) -> None:
        """Begin the results."""
        self._renderer.begin(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show what is no match."""
        return self._renderer.show([one for one in records if not isinstance(one, Match)])

    def end(self, summary: Summary) -> None:
        """End the results."""
        self._renderer.end(summary)


class Unshown:
    """Shows nothing: the results of a job are in its journal."""

    def begin(self, plan: Plan) -> None:
        """Begin nothing."""

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Count everything as it is."""
        return records

    def end(self, summary: Summary) -> None:
        """End nothing."""
