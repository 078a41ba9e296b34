"""`json`: the whole run as one JSON document, written as it comes.

`schema/json.schema.json` defines it. Each query is an object on lines of its own, each answer a
line, so that the document can be read while it grows and is valid at its end.
"""

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

__all__ = ["JsonDocument"]


class JsonDocument:
    """The form of one document: `queries`, each with its `matches`, and `summary`."""

    def __init__(self) -> None:
        self._open: set[Find] = set()
        self._is_first = True

    def begin(self, plan: Plan) -> str:
        return '{"queries":['

    def opening(self, find: Find) -> str:
        comma = "" if self._is_first else ","
        self._is_first = False
        return f'{comma}\n{encode(find_members(find))[:-1]},"matches":['

    def match(self, match: Match, item: Item) -> str:
        return self._comma(match.find) + encode(item_to_json(item))

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        return self._comma(match.find) + encode(undecodable_members(match, error))

    def done(self, done: FindDone) -> str:
        self._open.discard(done.find)
        members = done_members(done)
        return f"],{encode({'count': members.pop('matches'), **members})[1:]}"

    def end(self, summary: Summary) -> str:
        return f'\n],"summary":{encode(summary_members(summary))}}}\n'

    def _comma(self, find: Find) -> str:
        if find in self._open:
            return ",\n"
        self._open.add(find)
        return "\n"
