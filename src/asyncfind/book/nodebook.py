"""The node book: archives by name, kept in a TOML file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from asyncfind.book.address import ANY_TITLE, parse_address
from asyncfind.book.node import Node, Settings
from asyncfind.book.profile import Profile, read_profiles
from asyncfind.book.reader import parse_book
from asyncfind.book.store import append, find_book, read_text
from asyncfind.book.toml import toml_key, toml_value
from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer
from asyncfind.safe import safe

__all__ = ["NodeBook", "add_node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBook:
    """Nodes by name, in the order of the file.

    Args:
        path: of the file, whether there is one or not; None for a book that is in no file.
        defaults: what holds where a node says nothing.
        profiles: what was found out about nodes, by their names.
    """

    path: Path | None = None
    nodes: Mapping[str, Node] = field(default_factory=dict)
    defaults: Settings = field(default_factory=Settings)
    profiles: Mapping[str, Profile] = field(default_factory=dict)

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
        profiles = read_profiles(file)
        return cls(path=file, nodes=nodes, defaults=contents.defaults, profiles=profiles)

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

    def profile(self, node: Node) -> Profile | None:
        """What was found out about a node of this book; None where nothing, or of another one."""
        profile = self.profiles.get(node.name)
        return profile if profile is not None and profile.address == node.address else None

    def filled(self, node: Node) -> Node:
        """A node with what holds where it says nothing: the defaults, then what was found out."""
        node, profile = node.over(self.defaults), self.profile(node)
        return node if profile is None else node.over(profile.settings)

    def peer(self, node: Node, *, calling: str | None = None) -> Peer:
        """The peer of a node of this book; see `peers.to_peer`."""
        from asyncfind.book.peers import CALLING, to_peer

        return to_peer(self.filled(node), self.defaults, calling=calling or CALLING)


def add_node(path: Path, name: str, keys: Mapping[str, str | int | Sequence[str]]) -> Node:
    """Add a node at the end of a node book, all else in which stays as it is.

    Args:
        path: of the book; it is made if it is not there.
        keys: of the node, as in the file.

    Raises:
        InvalidRequest: there is a node of that name, what is to be written could not be read
            again, or the file cannot be written.
    """
    lines = [f"[node.{toml_key(name)}]", *(f"{key} = {toml_value(keys[key])}" for key in keys)]
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
