"""Several queries of one association answered in turn, some responses of each at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from asyncfind.dimse.command import FindRQ, FindRSP, encode_command
from asyncfind.dimse.message import fragment
from asyncfind.scp.answers import Response, Source
from asyncfind.scp.counters import Counters
from asyncfind.scp.negotiation import Agreement
from asyncfind.scp.search import QueryRefused
from asyncfind.ul.pdu import PDV

__all__ = ["Interleaved", "refusal"]

_AT_ONCE: Final = 5
"""Responses of one query before the next one's."""
_SUCCESS: Final = 0x0000
_CANCELLED: Final = 0xFE00
_MAX_COMMENT: Final = 64
"""Bytes of Error Comment (0000,0902), an LO."""


@dataclass(slots=True, eq=False)
class _Open:
    context_id: int
    rq: FindRQ
    matches: Iterator[Response]
    is_cancelled: bool = False


class Interleaved:
    """The queries that are open within an asynchronous operations window (PS3.7 Annex D.3.3.3).

    Args:
        source: answers them.
        agreement: what was accepted.
        counters: told what happens.
    """

    def __init__(self, source: Source, agreement: Agreement, counters: Counters) -> None:
        self._source = source
        self._agreement = agreement
        self._counters = counters
        self._open: dict[int, _Open] = {}

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def begin(self, context_id: int, rq: FindRQ, identifier: bytes) -> list[PDV]:
        """Open a query; returns the final response of one that is refused."""
        sop_class, syntax = self._agreement.contexts[context_id]
        self._counters.queries += 1
        try:
            matches = self._source.respond(
                sop_class, identifier, syntax, relational=sop_class in self._agreement.relational
            )
        except QueryRefused as exc:
            return self._fragments(context_id, refusal(rq, exc))
        self._open[rq.message_id] = _Open(context_id, rq, matches)
        self._counters.running += 1
        self._counters.changed()
        return []

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._open

    def cancel(self, message_id: int) -> None:
        """End a query before its time; one that was refused has ended already."""
        if message_id in self._open:
            self._open[message_id].is_cancelled = True

    def step(self) -> list[PDV]:
        """A few responses of each, the final one of those that have no more."""
        pdvs: list[PDV] = []
        for query in list(self._open.values()):
            matches = [] if query.is_cancelled else list(islice(query.matches, _AT_ONCE))
            for status, identifier in filter(None, matches):
                rsp = FindRSP(query.rq.message_id, status, query.rq.sop_class)
                pdvs += self._fragments(query.context_id, rsp, identifier)
                self._counters.responses += 1
            if len(matches) < _AT_ONCE:
                status = _CANCELLED if query.is_cancelled else _SUCCESS
                rsp = FindRSP(query.rq.message_id, status, query.rq.sop_class)
                pdvs += self._fragments(query.context_id, rsp)
                self._close(query)
        self._counters.changed()
        return pdvs

    def end(self) -> None:
        """The association is over, and its queries with it."""
        for query in list(self._open.values()):
            self._close(query)

    def _close(self, query: _Open) -> None:
        del self._open[query.rq.message_id]
        self._counters.running -= 1

    def _fragments(
        self, context_id: int, command: FindRSP, identifier: bytes | None = None
    ) -> list[PDV]:
        encoded = encode_command(command, identifier is not None)
        return fragment(context_id, encoded, identifier, self._agreement.peer_max_length)


def refusal(rq: FindRQ, reason: QueryRefused) -> FindRSP:
    """The final response of a query that is not answered (PS3.4 Section C.4.1.1.4)."""
    return FindRSP(
        rq.message_id,
        reason.status,
        rq.sop_class,
        offending=reason.offending,
        comment=reason.text.encode("ascii", "replace")[:_MAX_COMMENT],
    )
