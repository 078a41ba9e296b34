"""What the user writes for an archive: `[AET@]HOST:PORT`."""

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer
from asyncfind.safe import safe

__all__ = ["check_title", "parse_node", "parse_port"]


def parse_node(text: str, *, called: str, calling: str) -> Peer:
    """Parse `[AET@]HOST:PORT`; an IPv6 address stands in brackets, `[::1]:104`.

    Args:
        called: the AE title where `text` names none.

    Raises:
        InvalidRequest: it is none of that.
    """
    title, at, address = text.rpartition("@")
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidRequest(
            f"node '{safe(text, 100)}': an IPv6 address must stand in brackets",
            "Write it as AET@[ADDRESS]:PORT.",
        )
    if not colon or not host:
        raise InvalidRequest(
            f"node '{safe(text, 100)}' is not of the form [AET@]HOST:PORT",
            "For example: --node PACS@192.0.2.10:11112",
        )
    return Peer(
        host=host,
        port=parse_port(port),
        called=check_title(title if at else called, "called"),
        calling=check_title(calling, "calling"),
    )


def parse_port(text: str) -> int:
    """Parse a TCP port, 1 to 65535.

    Raises:
        InvalidRequest: it is none.
    """
    digits = text.lstrip("0")
    good = text.isascii() and text.isdecimal() and 1 <= len(digits) <= 5
    if not good or int(digits) > 65535:
        raise InvalidRequest(
            f"'{safe(text, 64)}' is no TCP port", "A port is a number from 1 to 65535."
        )
    return int(digits)


def check_title(title: str, which: str) -> str:
    """Return `title` if it can be an AE title: 1 to 16 printable ASCII characters, no backslash.

    Raises:
        InvalidRequest: it cannot (PS3.5 Table 6.2-1, AE).
    """
    stripped = title.strip(" ")
    good = stripped.isascii() and stripped.isprintable() and "\\" not in stripped
    if not good or not 1 <= len(stripped) <= 16:
        raise InvalidRequest(
            f"'{safe(title, 64)}' is no {which} AE title",
            "An AE title has 1 to 16 printable ASCII characters and no backslash.",
        )
    return stripped
