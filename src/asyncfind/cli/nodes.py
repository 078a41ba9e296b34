"""Whom the user wants asked: `[AET@]HOST:PORT`, and names and groups of the node book."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from asyncfind.book.address import check_title, parse_address, parse_port
from asyncfind.plan import Peer

if TYPE_CHECKING:
    from asyncfind.book.node import Node
    from asyncfind.book.nodebook import NodeBook

__all__ = ["Chooser", "Chosen", "check_title", "parse_node", "parse_port"]


class Chosen(NamedTuple):
    """An archive to ask.

    Args:
        node: what the book says of it, defaults filled in; None for one that is not in the book.
    """

    peer: Peer
    node: "Node | None" = None


class Chooser:
    """Turns what the user writes for archives into peers.

    Args:
        called: the AE title where neither the user nor the book names one.
        calling: our AE title; of a node in the book, only where `is_calling_given`.
        book: the node book's file; None is the usual one, read when a name is to be found.
    """

    def __init__(
        self, *, called: str, calling: str, is_calling_given: bool, book: str | None = None
    ) -> None:
        self._called = called
        self._calling = calling
        self._is_calling_given = is_calling_given
        self._file = book
        self._book: NodeBook | None = None
        self._chosen: dict[str, Chosen] = {}

    def choose(self, selectors: Sequence[str]) -> tuple[Chosen, ...]:
        """The archives that `selectors` mean, in their order, each once.

        Raises:
            InvalidRequest: there is no such node, or an address or the book cannot be read.
        """
        found: dict[Peer, Chosen] = {}
        for selector in selectors:
            for chosen in self._named(selector):
                found.setdefault(chosen.peer, chosen)
        return tuple(found.values())

    def known(self, names: Sequence[str]) -> Sequence[str]:
        """Those of `names` that are nodes of the book; raises as `choose` does."""
        return [name for name in names if name in self._read().nodes] if names else ()

    def _named(self, selector: str) -> Sequence[Chosen]:
        if ":" in selector:
            peer = parse_node(selector, called=self._called, calling=self._calling)
            return (Chosen(peer),)
        return [self._of(node) for node in self._read().resolve((selector,))]

    def _read(self) -> "NodeBook":
        if self._book is None:
            # Only who uses the book pays for its import.
            from asyncfind.book.nodebook import NodeBook

            self._book = NodeBook.load(self._file)
        return self._book

    def _of(self, node: "Node") -> Chosen:
        """A node of the book, its secrets read once."""
        chosen = self._chosen.get(node.name)
        if chosen is None:
            book = self._read()
            peer = book.peer(node, calling=self._calling)
            if self._is_calling_given:
                peer = replace(peer, calling=self._calling)
            chosen = self._chosen[node.name] = Chosen(peer, book.filled(node))
        return chosen


def parse_node(text: str, *, called: str, calling: str) -> Peer:
    """Parse `[AET@]HOST:PORT`; an IPv6 address stands in brackets, `[::1]:104`.

    Args:
        called: the AE title where `text` names none.

    Raises:
        InvalidRequest: it is none of that.
    """
    address = parse_address(text)
    return Peer(
        host=address.host,
        port=address.port,
        called=address.called or check_title(called, "called"),
        calling=check_title(calling, "calling"),
    )
