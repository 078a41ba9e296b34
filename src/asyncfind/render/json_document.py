"""`json`: the whole run as one JSON document, written as it comes.

`schema/json.schema.json` defines it. Each query is an object on lines of its own, each answer a
line, so that the document can be read while it grows and is valid at its end. As an answer is
there as it is in DICOMweb, `flags` counts at the end of a query what is to be said of its answers.
"""

from collections import Counter

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Plan
from asyncfind.query.element import Item
from asyncfind.query.json_model import item_to_json
from asyncfind.records import Find, FindDone, Match, Summary
from asyncfind.render.cells import flags_of, is_doubtful
from asyncfind.render.json_text import (
    done_members,
    encode,
    find_members,
    summary_members,
    undecodable_members,
)
from asyncfind.render.stream import UNKNOWN, Told

__all__ = ["JsonDocument"]


class JsonDocument:
    """The form of one document: `queries`, each with its `matches`, and `summary`."""

    def __init__(self) -> None:
        self._open: set[Find] = set()
        self._flags: dict[Find, Counter[str]] = {}
        self._is_first = True
        self._told = UNKNOWN

    def tell(self, told: Told) -> None:
        """What is known of the query whose answers or end come next."""
        self._told = told

    def begin(self, plan: Plan) -> str:
        return '{"queries":['

    def opening(self, find: Find) -> str:
        comma = "" if self._is_first else ","
        self._is_first = False
        return f'{comma}\n{encode(find_members(find))[:-1]},"matches":['

    def match(self, match: Match, item: Item) -> str:
        if is_doubtful(item, match.identifier):
            self._flag(match.find, flags_of(is_sure=False))
        return self._comma(match.find) + encode(item_to_json(item))

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        self._flag(match.find, flags_of(is_decoded=False))
        return self._comma(match.find) + encode(undecodable_members(match, error))

    def done(self, done: FindDone) -> str:
        self._open.discard(done.find)
        members = done_members(done)
        count = {"count": members.pop("matches")}
        time = {"time": self._told.time} if self._told.time else {}
        flags = self._flags.pop(done.find, None)
        said = {} if flags is None else {"flags": flags}
        return f"],{encode({**count, **time, **members, **said})[1:]}"

    def end(self, summary: Summary) -> str:
        return f'\n],"summary":{encode(summary_members(summary))}}}\n'

    def _flag(self, find: Find, flags: tuple[str, ...]) -> None:
        self._flags.setdefault(find, Counter()).update(flags)

    def _comma(self, find: Find) -> str:
        if find in self._open:
            return ",\n"
        self._open.add(find)
        return "\n"
