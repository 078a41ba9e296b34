"""A node as the peer of a plan: defaults filled in, secrets read."""

from dataclasses import fields
from typing import Final

from asyncfind.book.node import Identity, Node, Settings, TlsSettings
from asyncfind.book.secret import SecretRef, read_secret
from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer
from asyncfind.security import Tls
from asyncfind.ul.identity import MAX_SECRET, IdentityType, UserIdentityRQ

__all__ = ["CALLING", "to_peer"]

CALLING: Final = "FINDSCU"
"""Our AE title where nobody chose one, as findscu calls itself."""


def to_peer(node: Node, defaults: Settings, *, calling: str = CALLING) -> Peer:
    """Make the peer of a node; its secrets are read now.

    Args:
        defaults: of the book the node is from.
        calling: our AE title where neither the node nor `defaults` name one.

    Raises:
        InvalidRequest: a secret cannot be had.
    """
    node = node.over(defaults)
    return Peer(
        host=node.host,
        port=node.port,
        called=node.called,
        calling=node.calling or calling,
        name=node.name,
        tls=_tls(node.tls, node.name),
        identity=None if node.identity is None else _identity(node.identity, node.name),
        charset=node.charset or (),
        quirks=node.quirks or frozenset(),
    )


def _tls(settings: TlsSettings, name: str) -> Tls | None:
    if not settings.enabled:
        return None
    said = {
        one.name: value
        for one in fields(settings)
        if one.name not in ("enabled", "password")
        and (value := getattr(settings, one.name)) is not None
    }
    if settings.password is not None:
        secret = read_secret(settings.password, f"node {name}, tls_password")
        said["password"] = secret.decode("utf-8", "surrogateescape")
    return Tls(**said)


def _identity(identity: Identity, name: str) -> UserIdentityRQ:
    tokens: dict[IdentityType, SecretRef | None] = {
        IdentityType.KERBEROS: identity.kerberos,
        IdentityType.SAML: identity.saml,
        IdentityType.JWT: identity.jwt,
    }
    kind, primary, secondary = IdentityType.USER_NAME, identity.user.encode(), b""
    for token, ref in tokens.items():
        if ref is not None:
            kind = token
            binary = token is IdentityType.KERBEROS
            primary = read_secret(ref, f"node {name}, {token.words}", binary=binary)
    if identity.passcode is not None:
        kind = IdentityType.USER_NAME_AND_PASSCODE
        secondary = read_secret(identity.passcode, f"node {name}, passcode")
    if len(primary) + len(secondary) > MAX_SECRET:
        raise InvalidRequest(
            f"node {name}: the {kind.words} has more than {MAX_SECRET} bytes",
            "Check that the node book names the right place.",
        )
    return UserIdentityRQ(
        type=kind,
        response_requested=identity.response,
        primary=primary,
        secondary=secondary,
    )
