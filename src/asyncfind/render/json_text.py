"""JSON that is safe to show: what both JSON formats share (RFC 8259)."""

import base64
import json
import re
from typing import Final

from asyncfind.errors import MalformedIdentifier
from asyncfind.records import Covered, Find, FindDone, Match, Summary
from asyncfind.render.stream import Told

__all__ = [
    "UNSAFE",
    "done_members",
    "encode",
    "find_members",
    "summary_members",
    "told_members",
    "undecodable_members",
]

_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

UNSAFE: Final = (
    # DEL and C1 controls, invisible formatting, bidirectional controls, line and paragraph
    # separators, noncharacters, language tags; lone surrogates, which UTF-8 has no bytes for.
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff\ud800-\udfff]"
)
"""What could act on a terminal, as a regular expression."""
_UNSAFE: Final = re.compile(UNSAFE)


def encode(value: object) -> str:
    r"""Return `value` as JSON without blanks, what could act on a terminal as `\u` escapes."""
    text = _encode(value)
    if text.isascii() and "\x7f" not in text:
        return text
    return _UNSAFE.sub(_escape, text)


def _escape(found: "re.Match[str]") -> str:
    code = ord(found[0])
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"


def find_members(find: Find) -> dict[str, object]:
    """What tells the queries of a plan apart."""
    return {"node": find.peer.node, "query": find.query.label, "repeat": find.repeat}


def told_members(told: Told) -> dict[str, object]:
    """What is known of an answer besides; only what is known."""
    members: dict[str, object] = {}
    if told.time:
        members["time"] = told.time
    if told.verdict is not None:
        members["verdict"] = str(told.verdict)
    if told.nodes:
        members["nodes"] = told.nodes
    if told.differs:
        members["differs"] = told.differs
    return members


def done_members(done: FindDone) -> dict[str, object]:
    """How a query ended; `error`, `coverage` and `unverified` only where they say something."""
    members: dict[str, object] = {
        "status": None if done.status is None else f"{done.status:04X}",
        "verdict": str(done.verdict),
        "matches": done.matches,
        "seconds": round(done.seconds, 6),
    }
    if done.error:
        members["error"] = done.error
    if done.coverage is not None:
        members["coverage"] = _coverage_members(done.coverage)
    tls = done.find.peer.tls
    if tls is not None and tls.unverified:
        members["unverified"] = tls.unverified
    return members


def _coverage_members(covered: Covered) -> dict[str, object]:
    """What is proven of a query that was split; `row_limit` only where it is known."""
    members: dict[str, object] = {
        "state": covered.state,
        "rows": covered.rows,
        "queries": covered.queries,
    }
    if covered.row_limit is not None:
        members["row_limit"] = covered.row_limit
    members["parts"] = [
        {"state": one.state, "rows": one.rows, "keys": dict(one.keys)}
        | ({"reason": one.reason} if one.reason else {})
        for one in covered.parts
    ]
    return members


def undecodable_members(match: Match, error: MalformedIdentifier) -> dict[str, object]:
    """What stands for an identifier that cannot be decoded: why, and its bytes in base64."""
    return {
        "error": error.text,
        "transfer_syntax": match.transfer_syntax,
        "bytes": base64.b64encode(match.identifier).decode("ascii"),
    }


def summary_members(summary: Summary) -> dict[str, object]:
    """The end of a run; `unverified` only where there are such nodes."""
    members: dict[str, object] = {
        "nodes": summary.peers,
        "reached": summary.reached,
        "queries": summary.queries,
        "matches": summary.matches,
        "verdicts": {str(verdict): count for verdict, count in sorted(summary.verdicts.items())},
        "seconds": round(summary.seconds, 6),
        "exit": int(summary.exit),
    }
    if summary.unverified:
        members["unverified"] = summary.unverified
    return members
