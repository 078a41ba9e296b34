"""`xml`: the whole run as one XML document, answers in the Native DICOM Model (PS3.19).

`results` holds a `match` for each answer, a `done` for the end of each query, and a `summary` at
its end; their attributes are called as the members of `ndjson`. Each of them is a line, so that
the document can be read while it grows and is well-formed at its end.
"""

from collections.abc import Mapping

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Plan
from asyncfind.query.element import Item
from asyncfind.records import Covered, Find, FindDone, Match, Summary
from asyncfind.render.cells import flags_of, is_doubtful
from asyncfind.render.json_text import (
    done_members,
    find_members,
    summary_members,
    told_members,
    undecodable_members,
)
from asyncfind.render.native_xml import escape, native_model
from asyncfind.render.stream import UNKNOWN, Told

__all__ = ["XmlDocument"]


class XmlDocument:
    """The form of one XML document."""

    def __init__(self) -> None:
        self._told = UNKNOWN

    def tell(self, told: Told) -> None:
        """What is known of the answers to come."""
        self._told = told

    def begin(self, plan: Plan) -> str:
        return '<?xml version="1.0" encoding="UTF-8"?>\n<results xmlns="urn:asyncfind:xml">\n'

    def opening(self, find: Find) -> str:
        return ""

    def match(self, match: Match, item: Item) -> str:
        flags = flags_of(is_sure=not is_doubtful(item, match.identifier))
        return f"<match{self._about(match, flags)}>{native_model(item)}</match>\n"

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        members = undecodable_members(match, error)
        data = members.pop("bytes")
        about = self._about(match, flags_of(is_decoded=False))
        return f"<match{about}{_attributes(members)}><bytes>{data}</bytes></match>\n"

    def done(self, done: FindDone) -> str:
        members = done_members(done)
        members.pop("coverage", None)
        about = {**find_members(done.find), "time": self._told.time or None}
        start = f"<done{_attributes({**about, **members})}"
        return f"{start}/>\n" if done.coverage is None else f"{start}>{_coverage(done.coverage)}\n"

    def end(self, summary: Summary) -> str:
        members = summary_members(summary)
        verdicts = members.pop("verdicts")
        assert isinstance(verdicts, Mapping)
        inner = "".join(
            f'<verdict name="{escape(str(name))}" queries="{count}"/>'
            for name, count in verdicts.items()
        )
        return f"<summary{_attributes(members)}>{inner}</summary>\n</results>\n"

    def _about(self, match: Match, flags: tuple[str, ...]) -> str:
        """The attributes that say whose answer it is."""
        return _attributes(
            {
                **find_members(match.find),
                "number": match.number,
                "status": f"{match.status:04X}",
                **told_members(self._told),
                "flags": " ".join(flags) or None,
            }
        )


def _coverage(covered: Covered) -> str:
    """What is proven of a query that was split, and the end of its `done`."""
    parts = []
    for part in covered.parts:
        keys = "".join(
            f"<key{_attributes({'name': name, 'value': value})}/>" for name, value in part.keys
        )
        about = {"state": part.state, "rows": part.rows, "reason": part.reason or None}
        parts.append(f"<part{_attributes(about)}>{keys}</part>")
    about = {
        "state": covered.state,
        "rows": covered.rows,
        "queries": covered.queries,
        "row_limit": covered.row_limit,
    }
    return f"<coverage{_attributes(about)}>{''.join(parts)}</coverage></done>"


def _attributes(members: Mapping[str, object]) -> str:
    """Members as attributes; one without value is left out."""
    return "".join(
        f' {name}="{escape(str(value))}"' for name, value in members.items() if value is not None
    )
