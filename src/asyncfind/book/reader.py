"""The text of a node book to nodes: every key is known, every value checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from asyncfind.book.entries import IDENTITY, KEYS, TLS, Key, check_name, profile
from asyncfind.book.locate import line_of
from asyncfind.book.node import Identity, Node, Settings, TlsSettings
from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe
from asyncfind.security import Profile

__all__ = ["Contents", "parse_book"]

_HINT: Final = "See docs/nodes.md for what a node book may hold."
_SECRETS: Final = ("password", "passwd", "passphrase", "secret", "token")
_Table = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a node book holds."""

    nodes: tuple[Node, ...]
    defaults: Settings


def parse_book(text: str, path: Path) -> Contents:
    """Parse the text of a node book.

    Args:
        path: where it comes from: files it names are looked for from its folder on.

    Raises:
        InvalidRequest: it is no TOML, has a key that is none or a value that cannot be; the text
            names the line, and never holds a value.
    """
    return _Reader(text, path).read()


class _Reader:
    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._shown = safe(str(path), 200)
        self._folder = path.absolute().parent

    def read(self) -> Contents:
        try:
            document = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as exc:
            # The message holds a place and at most one character, but the error the document.
            raise self._error(safe(str(exc), 200), "A node book is written in TOML.") from None
        except RecursionError:
            raise self._error("values are nested too deeply", _HINT) from None
        for name in document:
            if name not in ("defaults", "node"):
                raise self._unknown((name,), ("defaults", "node"))
        defaults = self._settings(self._table(document, ("defaults",)))
        tables = self._table(document, ("node",))
        nodes = tuple(self._node(name, tables, defaults) for name in tables)
        return Contents(nodes, defaults)

    def _table(self, above: _Table, path: tuple[str, ...]) -> dict[str, object]:
        table = above.get(path[-1], {})
        if not isinstance(table, dict):
            raise self._error("a table is expected", f"Write [{'.'.join(path[:1])}...].", path)
        return table

    def _settings(self, table: _Table) -> Settings:
        known = {name: key for name, key in KEYS.items() if key.in_defaults}
        tls = {name: key for name, key in TLS.items() if key.in_defaults}
        where = ("defaults",)
        for name in table:
            if name in {**KEYS, **TLS, **IDENTITY} and name not in {**known, **tls}:
                path = (*where, name)
                raise self._error("this belongs to a node", f"Move {name} to a [node...].", path)
        self._check_names(table, where, (*known, *tls, "tls"))
        for name, key in tls.items():
            if name in table and key.only_on is not None and table[name] is not key.only_on:
                found = "what weakens TLS holds for one node"
                raise self._error(found, f"Move {name} to a [node...].", (*where, name))
        secured = self._tls(table, where)
        if secured.enabled is False or secured.profile is Profile.NULL:
            found = "what weakens TLS holds for one node"
            raise self._error(found, "Move tls to a [node...].", (*where, "tls"))
        return Settings(**self._values(table, where, known), tls=secured)

    def _node(self, name: str, tables: _Table, defaults: Settings) -> Node:
        where = ("node", name)
        try:
            check_name(name)
        except ValueError as exc:
            raise self._error(str(exc), "Choose another name.", where) from None
        table = self._table(tables, where)
        self._check_names(table, where, (*KEYS, "tls", *TLS, *IDENTITY))
        for key in ("host", "port"):
            if key not in table:
                raise self._error(f"{key} is missing", f"Add {key} = ... to it.", where)
        identity = self._values(table, where, IDENTITY)
        node = Node(
            name=name,
            identity=Identity(**identity) if identity else None,
            tls=self._tls(table, where),
            **self._values(table, where, KEYS),
        )
        self._check_identity(node, where)
        self._check_tls(node.tls, node.tls.over(defaults.tls), where)
        return node

    def _tls(self, table: _Table, where: tuple[str, ...]) -> TlsSettings:
        values = self._values(table, where, TLS)
        if "tls" in table:
            chosen = self._value(table["tls"], Key("profile", profile), (*where, "tls"))
            values["profile"] = chosen
            values["enabled"] = chosen is not None
        return TlsSettings(**values)

    def _values(
        self, table: _Table, where: tuple[str, ...], keys: Mapping[str, Key]
    ) -> dict[str, Any]:
        return {
            key.field: self._value(table[name], key, (*where, name))
            for name, key in keys.items()
            if name in table
        }

    def _value(self, value: object, key: Key, path: tuple[str, ...]) -> object:
        try:
            return key.parse(value, self._folder)
        except InvalidRequest as exc:
            raise self._error(exc.text, exc.hint, path) from None
        except ValueError as exc:
            raise self._error(str(exc), _HINT, path) from None

    def _check_names(self, table: _Table, where: tuple[str, ...], known: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                raise self._unknown((*where, name), known)

    def _check_identity(self, node: Node, where: tuple[str, ...]) -> None:
        one = node.identity
        if one is None:
            return
        kinds = [bool(one.user), one.kerberos is not None, one.saml is not None]
        kinds.append(one.jwt is not None)
        if sum(kinds) != 1 or (one.passcode is not None and not one.user):
            hint = "Give one of user, kerberos, saml and jwt; a passcode belongs to a user."
            raise self._error("no user identity that can be", hint, where)

    def _check_tls(self, own: TlsSettings, tls: TlsSettings, where: tuple[str, ...]) -> None:
        """Check that what a node and the defaults say of TLS makes sense together."""
        if not tls.enabled:
            if tls.enabled is None and own != TlsSettings():
                hint = 'Add tls = "8996", or another profile.'
                raise self._error("TLS is described but not chosen", hint, where)
            return
        if (tls.key_file is None) != (tls.certificate_file is None):
            hint = "Name both, or a file with both as tls_pkcs12."
            raise self._error("tls_key and tls_certificate belong together", hint, where)
        if tls.key_file is not None and tls.pkcs12_file is not None:
            hint = "Name either tls_key and tls_certificate or tls_pkcs12."
            raise self._error("two keys of our own", hint, where)
        trusted = tls.ca_files or tls.ca_directories or tls.system_trust or tls.pin
        if not trusted and tls.verify_peer is not False:
            hint = "Add tls_ca, tls_ca_dir, tls_system_trust or tls_pin."
            raise self._error("nothing tells whose certificate to trust", hint, where)

    def _unknown(self, path: tuple[str, ...], known: tuple[str, ...]) -> InvalidRequest:
        name = path[-1]
        near = get_close_matches(name[:64], known, n=2)
        if any(word in name.lower() for word in _SECRETS):
            hint = "A secret is never written here: see passcode and tls_password in docs/nodes.md."
        elif near:
            hint = f"Did you mean {' or '.join(near)}?"
        else:
            hint = f"Known here: {', '.join(known)}."
        return self._error("unknown key", hint, path)

    def _error(self, found: str, hint: str, path: tuple[str, ...] = ()) -> InvalidRequest:
        place = f"node book {self._shown}"
        if path:
            line = line_of(self._text, path)
            place += "" if line is None else f", line {line}"
            place += f": {safe('.'.join(path), 100)}"
        return InvalidRequest(f"{place}: {found}", hint)
