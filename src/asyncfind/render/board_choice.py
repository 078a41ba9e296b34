"""Whether a run is shown as few queries or as a bulk run is: only its plan says what it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TextIO, cast, runtime_checkable

from asyncfind.plan import Feed, Peer, Plan
from asyncfind.records import Record, Summary
from asyncfind.render.renderer import Renderer
from asyncfind.render.report import Messages, Reported, Written

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ByPlan", "by_plan_in_lines", "by_plan_on_screen", "prepare"]

_FEW_NODES: Final = 3
Make = Callable[[str, Mapping[Peer, int]], Renderer]
"""Makes the renderer of a bulk run, of its title and the most associations of each node."""


class ByPlan:
    """A renderer that is chosen when the run begins.

    Args:
        few: makes that of a few queries.
        many: makes that of a list, a job, or many nodes.
    """

    def __init__(self, few: Callable[[], Renderer], many: Make) -> None:
        self._few = few
        self._many = many
        self._title = ""
        self._limits: Mapping[Peer, int] = {}
        self._chosen: Renderer | None = None

    def prepare(self, title: str, limits: Mapping[Peer, int]) -> None:
        """Tell what the plan does not; see `prepare`."""
        self._title = title
        self._limits = limits

    def begin(self, plan: Plan) -> None:
        """Choose, and begin."""
        is_bulk = len(plan.peers) > _FEW_NODES or isinstance(plan.queries, Feed)
        self._chosen = self._many(self._title, self._limits) if is_bulk else self._few()
        self._chosen.begin(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show what happened."""
        assert self._chosen is not None
        return self._chosen.show(records)

    def end(self, summary: Summary) -> None:
        """End."""
        assert self._chosen is not None
        self._chosen.end(summary)


@runtime_checkable
class _Prepared(Protocol):
    """A renderer that has use for it, or has such a one inside."""

    def prepare(self, title: str, limits: Mapping[Peer, int]) -> None: ...


def prepare(renderer: Renderer, title: str, limits: Mapping[Peer, int]) -> None:
    """Tell a renderer that has use for it what a bulk run is called.

    Args:
        title: safe for a terminal.
        limits: the most associations of each node.
    """
    if isinstance(renderer, _Prepared):
        renderer.prepare(title, limits)


def by_plan_on_screen(
    renderer: Renderer,
    console: "Console",
    messages: "Console",
    verbosity: int,
    *,
    is_shared: bool = False,
) -> Renderer:
    """The renderer of a run that is watched at a terminal; arguments as for `Board`."""

    def few() -> Renderer:
        from asyncfind.render.live import OnScreen

        return OnScreen(renderer, console, messages, verbosity)

    def many(title: str, limits: Mapping[Peer, int]) -> Renderer:
        from asyncfind.render.board import Board

        return Board(
            renderer,
            console,
            messages,
            verbosity,
            is_shared=is_shared,
            title=title,
            limits=limits,
        )

    if console.is_dumb_terminal:  # nothing can be drawn there
        return by_plan_in_lines(renderer, cast("TextIO", messages.file), verbosity)
    return ByPlan(few, many)


def by_plan_in_lines(renderer: Renderer, to: TextIO | Messages, verbosity: int) -> Renderer:
    """The renderer of a run that is told of in lines; arguments as for `Reported`."""
    messages = to if isinstance(to, Messages) else Written(to)
    reported = Reported(renderer, messages, verbosity)
    if verbosity < 0:
        return reported

    def many(title: str, limits: Mapping[Peer, int]) -> Renderer:
        from asyncfind.render.board_lines import Lines

        return Lines(reported, messages)

    return ByPlan(lambda: reported, many)
