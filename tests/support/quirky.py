"""Archives with the ways of some real ones, for what finds them out and goes along with them."""

from collections.abc import Collection, Iterator

import anyio

from asyncfind.dimse.command import FindRQ, FindRSP, encode_command
from asyncfind.dimse.message import Assembler, fragment
from asyncfind.net.transport import Stream
from asyncfind.query.element import Item
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import TransferSyntax
from asyncfind.scp.answers import Response, Source
from asyncfind.scp.line import Line
from asyncfind.scp.negotiation import Agreement, Policy, agree
from asyncfind.scp.search import QueryRefused
from asyncfind.ul.pdu import PDV
from asyncfind.ul.upper_layer import AssociateRequested, DataReceived, ReleaseRequested

__all__ = ["Picky", "last_on_final"]


class Picky:
    """Answers from another source, but not what has wildcards that it does not know.

    Args:
        lone: a lone `*` is a text like any other, which nothing has.
        dates: refuse wildcards in dates, times and UIDs.

    Attributes:
        asked: the identifiers that came.
    """

    def __init__(self, source: Source, *, lone: bool = False, dates: bool = False) -> None:
        self.asked: list[Item] = []
        self._source = source
        self._lone = lone
        self._dates = dates

    @property
    def models(self) -> Collection[str]:
        """UIDs of the SOP classes that are answered."""
        return self._source.models

    def respond(
        self, model_uid: str, identifier: bytes, syntax: TransferSyntax, *, relational: bool = False
    ) -> Iterator[Response]:
        """Yield what the source has; raises QueryRefused for a wildcard in a date."""
        item = read_item(identifier, syntax)
        self.asked.append(item)
        for element in item.elements.values():
            if self._dates and element.vr in ("DA", "TM", "UI") and b"*" in element.value:
                raise QueryRefused("a wildcard", element.tag)
            if self._lone and isinstance(element.value, bytes) and element.value.strip() == b"*":
                return iter(())
        return self._source.respond(model_uid, identifier, syntax, relational=relational)


async def last_on_final(stream: Stream, source: Source) -> None:
    """Serve one association; the last match of each query comes with its final response."""
    line = Line(stream, 16384)
    assembler = Assembler()
    agreement: Agreement | None = None
    while not line.upper_layer.should_close:
        for indication in await line.receive(None):
            if isinstance(indication, AssociateRequested):
                agreement = agree(indication.rq, source.models, Policy())
                line.upper_layer.accept(agreement.ac)
            elif isinstance(indication, ReleaseRequested):
                line.upper_layer.respond_release(anyio.current_time())
            elif isinstance(indication, DataReceived):
                for context, command, identifier in assembler.feed(indication.pdvs):
                    assert agreement is not None
                    if isinstance(command, FindRQ):
                        pdvs = _answer(agreement, context, command, identifier or b"", source)
                        await line.send(pdvs)
        await line.flush()
    await stream.close()


def _answer(
    agreement: Agreement, context: int, rq: FindRQ, identifier: bytes, source: Source
) -> list[PDV]:
    sop_class, syntax = agreement.contexts[context]
    try:
        matches = [one for one in source.respond(sop_class, identifier, syntax) if one is not None]
    except QueryRefused:
        return _response(context, FindRSP(rq.message_id, 0xA900, rq.sop_class), None)
    pdvs = []
    for place, (status, match) in enumerate(matches, 1):
        code = 0 if place == len(matches) else status
        pdvs += _response(context, FindRSP(rq.message_id, code, rq.sop_class), match)
    if not matches:
        pdvs = _response(context, FindRSP(rq.message_id, 0, rq.sop_class), None)
    return pdvs


def _response(context: int, rsp: FindRSP, identifier: bytes | None) -> list[PDV]:
    return fragment(context, encode_command(rsp, identifier is not None), identifier, 16384)
