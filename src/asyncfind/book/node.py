"""What a node book holds, frozen: nodes, and what holds where a node says nothing."""

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Final, Self

from asyncfind.book.address import ANY_TITLE
from asyncfind.book.pacing import Rate, Span
from asyncfind.book.secret import SecretRef
from asyncfind.plan import Quirk
from asyncfind.security import CrlCheck, FileFormat, Profile

__all__ = ["Identity", "LoadTests", "Node", "Quirk", "Settings", "TlsSettings"]


class LoadTests(StrEnum):
    """Whether load may be put on a node to measure it."""

    ALLOWED = "allowed"
    NEVER = "never"


_OWN: Final = ("key_file", "certificate_file", "pkcs12_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The TLS of an entry as far as it is written there; None for what is not.

    Args:
        enabled: False speaks plain TCP whatever the defaults say.
        password: where the pass phrase of the key is.
        others: as in `security.Tls`.
    """

    enabled: bool | None = None
    profile: Profile | None = None
    ca_files: tuple[str, ...] | None = None
    ca_directories: tuple[str, ...] | None = None
    system_trust: bool | None = None
    key_file: str | None = None
    certificate_file: str | None = None
    pkcs12_file: str | None = None
    password: SecretRef | None = None
    file_format: FileFormat | None = None
    crl_files: tuple[str, ...] | None = None
    crl_check: CrlCheck | None = None
    ciphers: tuple[str, ...] | None = None
    verify_peer: bool | None = None
    check_hostname: bool | None = None
    server_name: str | None = None
    pin: str | None = None

    def over(self, base: Self) -> Self:
        """These settings, and those of `base` where these say nothing.

        A key of our own, its certificate and its pass phrase come from one of them together.
        """
        missing = {one.name for one in fields(self) if getattr(self, one.name) is None}
        if not missing.issuperset(_OWN):
            missing.difference_update((*_OWN, "password"))
        return replace(self, **{name: getattr(base, name) for name in missing})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the user is to one node (PS3.7 Annex D.3.3.7); at most one kind of it.

    Args:
        user: the user name itself.
        passcode, kerberos, saml, jwt: where the secret is.
        response: the node is to answer.
    """

    user: str = ""
    passcode: SecretRef | None = None
    kerberos: SecretRef | None = None
    saml: SecretRef | None = None
    jwt: SecretRef | None = None
    response: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a node and `[defaults]` may both say; None is not said.

    Args:
        calling: our AE title.
        max_associations: the most at a time.
        rate: of queries.
        between: when the node may be asked; empty is always.
        charset: values of Specific Character Set, assumed where an answer names none or one that
            it does not keep to.
        row_limit: matches at which it cuts an answer without saying so.
    """

    calling: str | None = None
    max_associations: int | None = None
    rate: Rate | None = None
    between: tuple[Span, ...] | None = None
    charset: tuple[str, ...] | None = None
    row_limit: int | None = None
    quirks: frozenset[Quirk] | None = None
    load: LoadTests | None = None
    tls: TlsSettings = field(default_factory=TlsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Settings):
    """One archive.

    Args:
        name: what the user calls it; empty for one that was given by its address.
        called: its AE title.
        groups: what it belongs to; the user writes `@` before such a name.
    """

    name: str
    host: str
    port: int
    called: str = ANY_TITLE
    groups: tuple[str, ...] = ()
    identity: Identity | None = None

    @property
    def address(self) -> str:
        """AET@host:port, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.called}@{host}:{self.port}"

    def over(self, defaults: Settings) -> "Node":
        """This node, with the defaults where it says nothing."""
        said = {
            one.name: getattr(defaults, one.name)
            for one in fields(Settings)
            if one.name != "tls" and getattr(self, one.name) is None
        }
        return replace(self, tls=self.tls.over(defaults.tls), **said)
