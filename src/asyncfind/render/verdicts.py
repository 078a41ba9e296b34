"""How every query ended, in a file of its own (--verdicts): rows that stream cannot say it."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final, Literal

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer, Plan
from asyncfind.records import Find, FindDone, FindStarted, Match, Record, Summary
from asyncfind.render.board_choice import prepare
from asyncfind.render.csv_rows import csv_cell, csv_line
from asyncfind.render.json_text import encode
from asyncfind.render.output import Output
from asyncfind.render.renderer import Renderer
from asyncfind.render.stream import time_text
from asyncfind.safe import safe

__all__ = ["Verdicts", "kind_of_verdicts"]

_COLUMNS: Final = (
    *("node", "query", "repeat", "time", "verdict", "status", "count", "seconds", "error"),
)
_KINDS: Final[dict[str, Literal["csv", "ndjson"]]] = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}


def kind_of_verdicts(name: str) -> Literal["csv", "ndjson"]:
    """What a file of that name is to hold.

    Raises:
        InvalidRequest: its ending does not tell.
    """
    kind = _KINDS.get(PurePath(name).suffix.lower())
    if kind is None:
        raise InvalidRequest(
            f"--verdicts {safe(name, 200)}: its name does not tell what it is to hold",
            "Let it end in .csv, or in .ndjson or .jsonl for JSON lines.",
        )
    return kind


class Verdicts:
    """A renderer: shows what `renderer` shows, and writes a line for the end of each query.

    Args:
        kind: of the lines.
    """

    def __init__(self, renderer: Renderer, output: Output, kind: Literal["csv", "ndjson"]) -> None:
        self._renderer = renderer
        self._output = output
        self._kind = kind
        self._open: dict[Find, tuple[float, int]] = {}
        """Queries that were begun: when, and how many answers came."""

    def prepare(self, title: str, limits: Mapping[Peer, int]) -> None:
        """Tell the renderer what the plan does not."""
        prepare(self._renderer, title, limits)

    def begin(self, plan: Plan) -> None:
        """Begin both."""
        self._renderer.begin(plan)
        if self._kind == "csv":
            self._write(csv_line([*_COLUMNS]))

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show the records, and write how queries ended as they are to be counted."""
        shown = self._renderer.show(records)
        for record in shown:
            if isinstance(record, FindStarted):
                self._open[record.find] = (record.at, 0)
            elif isinstance(record, Match):
                at, _ = self._open.get(record.find, (0.0, 0))
                self._open[record.find] = (at, record.number)
            elif isinstance(record, FindDone):
                self._done(record)
        return shown

    def end(self, summary: Summary) -> None:
        """End both; queries without end were interrupted."""
        for find, (_, count) in list(self._open.items()):
            self._done(FindDone.interrupted(find, count))
        self._renderer.end(summary)
        self._output.publish()

    def _done(self, done: FindDone) -> None:
        at, _ = self._open.pop(done.find, (0.0, 0))
        status = None if done.status is None else f"{done.status:04X}"
        values: tuple[object, ...] = (
            done.find.peer.node,
            done.find.query.label,
            done.find.repeat,
            time_text(at) or None,
            str(done.verdict),
            status,
            done.matches,
            round(done.seconds, 6),
            done.error or None,
        )
        if self._kind == "ndjson":
            self._write(encode(dict(zip(_COLUMNS, values, strict=True))) + "\n")
        else:
            cells = [None if value is None else csv_cell(str(value)) for value in values]
            self._write(csv_line(cells))

    def _write(self, line: str) -> None:
        self._output.write(line.encode("utf-8", "backslashreplace"))
