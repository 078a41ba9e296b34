"""`ndjson`: one JSON object a line, told apart by `kind`, as `schema/ndjson.schema.json` says."""

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
    told_members,
    undecodable_members,
)
from asyncfind.render.stream import UNKNOWN, Told

__all__ = ["JsonLines"]


class JsonLines:
    """The form of matches, ends of queries and the summary as JSON lines."""

    def __init__(self) -> None:
        self._find: Find | None = None
        self._head = ""
        self._told = UNKNOWN
        self._tail = ""

    def tell(self, told: Told) -> None:
        """What is known of the answers to come."""
        if told is not self._told:
            self._told = told
            members = encode(told_members(told))[1:-1]
            self._tail = f",{members}" if members else ""

    def begin(self, plan: Plan) -> str:
        return ""

    def opening(self, find: Find) -> str:
        return ""

    def match(self, match: Match, item: Item) -> str:
        is_sure = not is_doubtful(item, match.identifier)
        flags = flags_of(is_sure=is_sure, is_keyless=self._told.is_keyless)
        return f'{self._begin(match, flags)},"identifier":{encode(item_to_json(item))}}}\n'

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        rest = encode({"identifier": None, **undecodable_members(match, error)})
        flags = flags_of(is_decoded=False, is_keyless=self._told.is_keyless)
        return f"{self._begin(match, flags)},{rest[1:]}\n"

    def done(self, done: FindDone) -> str:
        time = {"time": self._told.time} if self._told.time else {}
        line = encode({"kind": "done", **find_members(done.find), **time, **done_members(done)})
        return line + "\n"

    def end(self, summary: Summary) -> str:
        return encode({"kind": "summary", **summary_members(summary)}) + "\n"

    def _begin(self, match: Match, flags: tuple[str, ...]) -> str:
        """The members before the identifier; those that tell the query are encoded once."""
        if match.find is not self._find:
            self._find = match.find
            self._head = encode({"kind": "match", **find_members(match.find)})[:-1]
        said = f',"flags":{encode(flags)}' if flags else ""
        return (
            f'{self._head},"number":{match.number},"status":"{match.status:04X}"{self._tail}{said}'
        )
