"""The keys of a node book: what each of them may hold, and where it goes."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from asyncfind.book.address import check_title, parse_host
from asyncfind.book.node import LoadTests, Quirk
from asyncfind.book.pacing import parse_rate, parse_spans
from asyncfind.book.secret import looks_secret, parse_secret
from asyncfind.security import CrlCheck, FileFormat, Profile

__all__ = ["IDENTITY", "KEYS", "TLS", "Key", "check_name", "profile"]

_E = TypeVar("_E", bound=StrEnum)

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_DEVICES: Final = re.compile(r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
_PIN: Final = re.compile(r"sha256:(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}")
_CHARSET: Final = re.compile(
    r"(?:ISO_IR|ISO 2022 IR) (?:6|13|58|87|1(?:0[019]|10|2[67]|38|4[489]|59|66)|203)"
    r"|ISO_IR 192|GB18030|GBK"
)
"""Defined terms (PS3.3 Tables C.12-2 to C.12-5)."""

_MAX_LIST: Final = 256
_MAX_ASSOCIATIONS: Final = 256


class Key(NamedTuple):
    """One key of an entry.

    Args:
        field: of `Node`, or of `TlsSettings` or `Identity` for the keys in those tables.
        parse: TOML's value and the book's folder to ours; its ValueError says what is expected,
            never what was found.
        in_defaults: it may stand in `[defaults]`.
        only_on: a value that may stand there alone: what weakens TLS holds for one node.
    """

    field: str
    parse: Callable[[object, Path], object]
    in_defaults: bool = True
    only_on: object = None


def check_name(name: str) -> str:
    """Return the name of a node or group: it may become the name of a folder.

    Raises:
        ValueError: it is none.
    """
    if _NAME.fullmatch(name) is None or name.endswith(".") or _DEVICES.fullmatch(name):
        raise ValueError(
            "names have 1 to 64 letters, digits, dots, dashes and underscores, no dot or dash "
            "first, no dot last, and are no device of Windows"
        )
    return name


def _text(value: object, folder: Path) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("a text in quotes is expected")
    if looks_secret(value):
        raise ValueError("this looks like a key or token; a node book names files only")
    return value


def _flag(value: object, folder: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def _texts(value: object, folder: Path) -> tuple[str, ...]:
    """One text or a list of them."""
    values = value if isinstance(value, list) else [value]
    if len(values) > _MAX_LIST:
        raise ValueError(f"at most {_MAX_LIST} texts are possible")
    return tuple(_text(one, folder) for one in values)


def _whole(low: int, high: int) -> Callable[[object, Path], int]:
    def parse(value: object, folder: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"a number from {low} to {high} is expected")
        return value

    return parse


def _word(words: type[_E]) -> Callable[[object, Path], _E]:
    def parse(value: object, folder: Path) -> _E:
        try:
            return words(_text(value, folder))
        except ValueError:
            raise ValueError(f"one of {', '.join(words)} is expected") from None

    return parse


def _path(value: object, folder: Path) -> str:
    return str(folder / _text(value, folder))


def _paths(value: object, folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / name) for name in _texts(value, folder))


def _secret(value: object, folder: Path) -> object:
    # Not by `_text`: whatever stands here may be the secret, and the error says what to do.
    return parse_secret(value if isinstance(value, str) else "", folder)


def _pin(value: object, folder: Path) -> str:
    pin = _text(value, folder).lower()
    if _PIN.fullmatch(pin) is None:
        raise ValueError('"sha256:" and 64 hexadecimal digits are expected')
    return pin


def _quirks(value: object, folder: Path) -> frozenset[Quirk]:
    return frozenset(_word(Quirk)(name, folder) for name in _texts(value, folder))


def _charset(value: object, folder: Path) -> tuple[str, ...]:
    names = _texts(value, folder)
    if not all(map(_CHARSET.fullmatch, names)):
        raise ValueError("a defined term of (0008,0005) is expected, such as ISO_IR 100")
    return names


def _groups(value: object, folder: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys(check_name(name) for name in _texts(value, folder)))


KEYS: Final[Mapping[str, Key]] = {
    "host": Key("host", lambda value, folder: parse_host(_text(value, folder)), False),
    "port": Key("port", _whole(1, 0xFFFF), False),
    "called": Key(
        "called", lambda value, folder: check_title(_text(value, folder), "called"), False
    ),
    "calling": Key("calling", lambda value, folder: check_title(_text(value, folder), "calling")),
    "groups": Key("groups", _groups, False),
    "max_associations": Key("max_associations", _whole(1, _MAX_ASSOCIATIONS)),
    "rate": Key("rate", lambda value, folder: parse_rate(_text(value, folder))),
    "between": Key("between", lambda value, folder: parse_spans(_texts(value, folder))),
    "charset": Key("charset", _charset),
    "row_limit": Key("row_limit", _whole(1, 1_000_000_000)),
    "quirks": Key("quirks", _quirks),
    "load": Key("load", _word(LoadTests)),
}
"""Of a node, and of `[defaults]` where it says so."""

TLS: Final[Mapping[str, Key]] = {
    "tls_ca": Key("ca_files", _paths),
    "tls_ca_dir": Key("ca_directories", _paths),
    "tls_system_trust": Key("system_trust", _flag),
    "tls_key": Key("key_file", _path),
    "tls_certificate": Key("certificate_file", _path),
    "tls_pkcs12": Key("pkcs12_file", _path),
    "tls_password": Key("password", _secret),
    "tls_format": Key("file_format", _word(FileFormat)),
    "tls_crl": Key("crl_files", _paths),
    "tls_crl_check": Key("crl_check", _word(CrlCheck)),
    "tls_ciphers": Key("ciphers", _texts),
    "tls_verify": Key("verify_peer", _flag, only_on=True),
    "tls_verify_hostname": Key("check_hostname", _flag, only_on=True),
    "tls_server_name": Key("server_name", _text, False),
    "tls_pin": Key("pin", _pin, False),
}
"""Beside `tls`, which names the profile or is false."""

IDENTITY: Final[Mapping[str, Key]] = {
    "user": Key("user", _text, False),
    "passcode": Key("passcode", _secret, False),
    "kerberos": Key("kerberos", _secret, False),
    "saml": Key("saml", _secret, False),
    "jwt": Key("jwt", _secret, False),
    "user_response": Key("response", _flag, False),
}
"""Of a node alone: an identity is nothing that other nodes should learn."""


def profile(value: object, folder: Path) -> Profile | None:
    """The value of `tls`; None for false."""
    return None if value is False else _word(Profile)(value, folder)
