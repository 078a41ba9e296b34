"""`ndjson`: one JSON object a line, told apart by `kind`, as `schema/ndjson.schema.json` says."""

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Plan
from asyncfind.query.element import Item
from asyncfind.query.json_model import item_to_json
from asyncfind.records import Find, FindDone, Match, Summary
from asyncfind.render.json_text import (
    done_members,
    encode,
    find_members,
    summary_members,
    undecodable_members,
)

__all__ = ["JsonLines"]


class JsonLines:
    """The form of matches, ends of queries and the summary as JSON lines."""

    def __init__(self) -> None:
        self._find: Find | None = None
        self._head = ""

    def begin(self, plan: Plan) -> str:
        return ""

    def opening(self, find: Find) -> str:
        return ""

    def match(self, match: Match, item: Item) -> str:
        return f'{self._begin(match)},"identifier":{encode(item_to_json(item))}}}\n'

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        rest = encode({"identifier": None, **undecodable_members(match, error)})
        return f"{self._begin(match)},{rest[1:]}\n"

    def done(self, done: FindDone) -> str:
        line = encode({"kind": "done", **find_members(done.find), **done_members(done)})
        return line + "\n"

    def end(self, summary: Summary) -> str:
        return encode({"kind": "summary", **summary_members(summary)}) + "\n"

    def _begin(self, match: Match) -> str:
        """The members before the identifier; those that tell the query are encoded once."""
        if match.find is not self._find:
            self._find = match.find
            self._head = encode({"kind": "match", **find_members(match.find)})[:-1]
        return f'{self._head},"number":{match.number},"status":"{match.status:04X}"'
