"""The node book: archives by name, kept in a TOML file."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from asyncfind.book.address import ANY_TITLE, parse_address
from asyncfind.book.node import Node, Settings
from asyncfind.book.reader import parse_book
from asyncfind.book.store import append, find_book, read_text
from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer
from asyncfind.safe import safe

__all__ = ["NodeBook", "add_node"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
"""Keys that TOML takes without quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBook:
    """Nodes by name, in the order of the file.

    Args:
        path: of the file, whether there is one or not; None for a book that is in no file.
        defaults: what holds where a node says nothing.
    """

    path: Path | None = None
    nodes: Mapping[str, Node] = field(default_factory=dict)
    defaults: Settings = field(default_factory=Settings)

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] | None = None
    ) -> "NodeBook":
        """Read the node book that `path`, the environment or custom names (`store.find_book`).

        Where nobody named one and none is in the usual place, the book is empty.

        Args:
            environ: the environment; this process's when None.

        Raises:
            InvalidRequest: it is not there, cannot be read or holds what it may not.
        """
        file, named = find_book(path, os.environ if environ is None else environ)
        text = read_text(file)
        if text is None:
            if named:
                raise InvalidRequest(
                    f"there is no node book {safe(str(file), 200)}",
                    "Begin one: asyncfind nodes add NAME AET@HOST:PORT --nodes FILE",
                )
            return cls(path=file)
        contents = parse_book(text, file)
        nodes = {node.name: node for node in contents.nodes}
        return cls(path=file, nodes=nodes, defaults=contents.defaults)

    @property
    def groups(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes of each group, groups in the order in which they appear."""
        names = dict.fromkeys(name for node in self.nodes.values() for name in node.groups)
        return {
            name: tuple(node for node in self.nodes.values() if name in node.groups)
            for name in names
        }

    def resolve(self, selectors: Sequence[str], *, called: str = ANY_TITLE) -> tuple[Node, ...]:
        """The nodes that selectors mean, in their order, each once.

        A selector is `NAME`, `@GROUP` or, for an archive that is not in the book,
        `[AET@]HOST:PORT`: names have no colon.

        Args:
            called: the AE title of an address that names none.

        Raises:
            InvalidRequest: there is no such node or group, or an address is none.
        """
        return tuple(dict.fromkeys(self._resolve(selectors, called)))

    def _resolve(self, selectors: Sequence[str], called: str) -> Iterator[Node]:
        groups = self.groups if any(one.startswith("@") for one in selectors) else {}
        for selector in selectors:
            if ":" in selector:
                address = parse_address(selector)
                yield Node(
                    name="",
                    host=address.host,
                    port=address.port,
                    called=address.called or called,
                )
            elif selector.startswith("@"):
                members = groups.get(selector[1:])
                if members is None:
                    raise self._unknown("group", selector)
                yield from members
            elif selector in self.nodes:
                yield self.nodes[selector]
            else:
                raise self._unknown("node", selector)

    def _unknown(self, what: str, selector: str) -> InvalidRequest:
        known = [*self.nodes, *(f"@{name}" for name in self.groups)]
        near = get_close_matches(selector[:64], known, n=3)
        if near:
            hint = f"Did you mean {' or '.join(near)}?"
        elif known:
            shown = ", ".join(known[:10]) + (" ..." if len(known) > 10 else "")
            hint = f"Known are {shown}; others are given as AET@HOST:PORT."
        else:
            hint = "The node book is empty: name the archive as AET@HOST:PORT."
        return InvalidRequest(f"there is no {what} '{safe(selector, 64)}'", hint)

    def peer(self, node: Node, *, calling: str | None = None) -> Peer:
        """The peer of a node of this book; see `peers.to_peer`."""
        from asyncfind.book.peers import CALLING, to_peer

        return to_peer(node, self.defaults, calling=calling or CALLING)


def add_node(path: Path, name: str, keys: Mapping[str, str | int | Sequence[str]]) -> Node:
    """Add a node at the end of a node book, all else in which stays as it is.

    Args:
        path: of the book; it is made if it is not there.
        keys: of the node, as in the file.

    Raises:
        InvalidRequest: there is a node of that name, what is to be written could not be read
            again, or the file cannot be written.
    """
    header = name if _BARE.fullmatch(name) else _quoted(name)
    lines = [f"[node.{header}]", *(f"{key} = {_toml(keys[key])}" for key in keys)]
    with append(path) as book:
        if any(node.name == name for node in parse_book(book.text, path).nodes):
            raise InvalidRequest(
                f"there is a node '{safe(name, 64)}' already", "Change it in the book by hand."
            )
        between = "" if not book.text else "\n" if book.text.endswith("\n") else "\n\n"
        text = f"{book.text}{between}{chr(10).join(lines)}\n"
        node = parse_book(text, path).nodes[-1]
        book.write(text)
    return node


def _toml(value: str | int | Sequence[str]) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    return f"[{', '.join(map(_quoted, value))}]"


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
