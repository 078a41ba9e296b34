"""Where an archive is and what it is called: `[AET@]HOST:PORT` and its parts."""

from typing import Final, NamedTuple

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["ANY_TITLE", "Address", "check_title", "parse_address", "parse_host", "parse_port"]

ANY_TITLE: Final = "ANY-SCP"
"""What an archive is called that has no AE title of its own, as findscu calls it."""

_MAX_HOST: Final = 253


class Address(NamedTuple):
    """One archive; `called` is empty where the text named no AE title."""

    called: str
    host: str
    port: int


def parse_address(text: str) -> Address:
    """Parse `[AET@]HOST:PORT`; an IPv6 address stands in brackets, `[::1]:104`.

    Raises:
        InvalidRequest: it is none of that.
    """
    title, at, address = text.rpartition("@")
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host and not bracketed:
        raise InvalidRequest(
            f"node '{safe(text, 100)}': an IPv6 address must stand in brackets",
            "Write it as AET@[ADDRESS]:PORT.",
        )
    if not colon or not host.strip("[]"):
        raise InvalidRequest(
            f"node '{safe(text, 100)}' is not of the form [AET@]HOST:PORT",
            "For example: PACS@192.0.2.10:11112",
        )
    return Address(check_title(title, "called") if at else "", parse_host(host), parse_port(port))


def parse_host(text: str) -> str:
    """Return a host name or address, an IPv6 address without its brackets.

    Raises:
        InvalidRequest: it cannot be one.
    """
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    good = 1 <= len(host) <= _MAX_HOST and host.isprintable()
    if not good or any(char in " /\\@[]" for char in host):
        raise InvalidRequest(
            f"'{safe(text, 64)}' is no host name or address",
            "For example: pacs.example, 192.0.2.10 or 2001:db8::10",
        )
    return host


def parse_port(text: str) -> int:
    """Parse a TCP port, 1 to 65535.

    Raises:
        InvalidRequest: it is none.
    """
    digits = text.lstrip("0")
    good = text.isascii() and text.isdecimal() and 1 <= len(digits) <= 5
    if not good or int(digits) > 0xFFFF:
        raise InvalidRequest(
            f"'{safe(text, 64)}' is no TCP port", "A port is a number from 1 to 65535."
        )
    return int(digits)


def check_title(title: str, which: str = "") -> str:
    """Return `title` without its padding (PS3.5 Table 6.2-1, AE).

    Args:
        which: `called` or `calling`, for the error.

    Raises:
        InvalidRequest: it has not 1 to 16 printable ASCII characters, or a backslash.
    """
    stripped = title.strip(" ")
    good = stripped.isascii() and stripped.isprintable() and "\\" not in stripped
    if not good or not 1 <= len(stripped) <= 16:
        raise InvalidRequest(
            f"'{safe(title, 64)}' is no {which} AE title".replace("  ", " "),
            "An AE title has 1 to 16 printable ASCII characters and no backslash.",
        )
    return stripped
