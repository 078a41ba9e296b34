"""`ndjson`: one JSON object a line, told apart by `kind`."""

import base64
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO, Final

from asyncfind.errors import Kind, MalformedIdentifier
from asyncfind.plan import Plan
from asyncfind.records import Find, FindDone, Match, Record, Summary, Verdict
from asyncfind.render.blocks import Blocks

__all__ = ["JsonLines", "undecodable"]

_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# DEL, C1 controls, bidirectional controls, line and paragraph separators, lone surrogates.
_ESCAPED: Final = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def undecodable(done: FindDone, count: int) -> FindDone:
    """A complete query of which `count` answers cannot be decoded."""
    if done.verdict is not Verdict.COMPLETE:
        return done
    return replace(
        done,
        verdict=Verdict.UNDECODABLE,
        kind=Kind.DECODE,
        error=f"{count} of {done.matches} answers cannot be decoded",
        hint="The archive sends broken identifiers; --format ndjson keeps their bytes.",
    )


class JsonLines:
    """Renders matches, ends of queries and the summary as JSON lines in UTF-8."""

    def __init__(self, stream: BinaryIO) -> None:
        self._blocks = Blocks(stream)
        self._bad: Counter[Find] = Counter()

    def begin(self, plan: Plan) -> None:
        """Nothing comes before the first line."""

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Write a line for each match and each end of a query."""
        counted: list[Record] = []
        for record in records:
            shown = record
            if isinstance(record, Match):
                self._blocks.write(record.find, self._match(record))
            elif isinstance(record, FindDone):
                shown = record
                if bad := self._bad.pop(record.find, 0):
                    shown = undecodable(record, bad)
                self._blocks.write(record.find, _line(_done(shown)))
                self._blocks.end(record.find)
            counted.append(shown)
        self._blocks.flush()
        return counted

    def end(self, summary: Summary) -> None:
        """Write the summary, the last line."""
        self._blocks.close()
        self._blocks.raw(
            _line(
                {
                    "kind": "summary",
                    "peers": summary.peers,
                    "reached": summary.reached,
                    "queries": summary.queries,
                    "matches": summary.matches,
                    "verdicts": {str(key): value for key, value in summary.verdicts.items()},
                    "seconds": round(summary.seconds, 6),
                    "exit": int(summary.exit),
                }
            )
        )
        self._blocks.flush()

    def _match(self, match: Match) -> bytes:
        line = _head("match", match.find)
        line["number"] = match.number
        line["status"] = f"{match.status:04X}"
        try:
            line["identifier"] = match.json()
        except MalformedIdentifier as exc:
            self._bad[match.find] += 1
            line["identifier"] = None
            line["error"] = exc.text
            line["transfer_syntax"] = match.transfer_syntax
            line["bytes"] = base64.b64encode(match.identifier).decode("ascii")
        return _line(line)


def _head(kind: str, find: Find) -> dict[str, object]:
    return {
        "kind": kind,
        "node": find.peer.node,
        "query": find.query.label,
        "repeat": find.repeat,
    }


def _done(done: FindDone) -> dict[str, object]:
    line = _head("done", done.find)
    line["status"] = None if done.status is None else f"{done.status:04X}"
    line["verdict"] = str(done.verdict)
    line["matches"] = done.matches
    line["seconds"] = round(done.seconds, 6)
    if done.error:
        line["error"] = done.error
    return line


def _line(value: dict[str, object]) -> bytes:
    text = _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", _ENCODE(value))
    return text.encode() + b"\n"
