"""Who we are to an archive: the user's identity, read where nobody looks on, and our addresses."""

import getpass
import ipaddress
import os
import sys
import warnings
from pathlib import Path
from typing import BinaryIO, Final

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe
from asyncfind.ul.identity import MAX_SECRET, IdentityType, UserIdentityRQ

__all__ = ["make_identity", "parse_addresses", "read_secret"]

_SOURCES: Final = (
    "Say where it is: file:PATH (file:- is standard input), env:VARIABLE or prompt. "
    "It is never written on the command line, where others can read it."
)


def make_identity(
    *,
    user: str | None = None,
    passcode: str | None = None,
    kerberos: str | None = None,
    saml: str | None = None,
    jwt: str | None = None,
    response: bool = False,
) -> UserIdentityRQ | None:
    """The user identity that the options describe (PS3.7 Annex D.3.3.7); None when they do not.

    Args:
        user: the user name itself.
        passcode, kerberos, saml, jwt: where the secret is; see `read_secret`.
        response: the archive is to answer.

    Raises:
        InvalidRequest: they contradict each other, or a secret cannot be had.
    """
    tokens = {
        IdentityType.KERBEROS: kerberos,
        IdentityType.SAML: saml,
        IdentityType.JWT: jwt,
    }
    named = [kind for kind, source in tokens.items() if source is not None]
    if len(named) + (user is not None) > 1:
        raise InvalidRequest(
            "more than one user identity", "Give one of --user, --kerberos, --saml and --jwt."
        )
    if passcode is not None and user is None:
        raise InvalidRequest("--passcode without --user", "Add --user NAME.")
    if named:
        (kind,) = named
        source = tokens[kind] or ""
        token = read_secret(source, kind.words, binary=kind is IdentityType.KERBEROS)
        return _identity(kind, token, b"", response)
    if user is None:
        if response:
            raise InvalidRequest(
                "--user-rsp without a user identity",
                "Add --user, --kerberos, --saml or --jwt.",
            )
        return None
    if not user:
        raise InvalidRequest("--user names nobody", "Write --user NAME.")
    if passcode is None:
        return _identity(
            IdentityType.USER_NAME, user.encode(errors="surrogateescape"), b"", response
        )
    secret = read_secret(passcode, f"passcode of {safe(user, 64)}")
    return _identity(
        IdentityType.USER_NAME_AND_PASSCODE, user.encode(errors="surrogateescape"), secret, response
    )


def _identity(
    kind: IdentityType, primary: bytes, secondary: bytes, response: bool
) -> UserIdentityRQ:
    size = len(primary) + len(secondary)
    if size > MAX_SECRET:
        raise InvalidRequest(
            f"the {kind.words} has {size} bytes, {MAX_SECRET} are possible",
            "Check that the right file was given.",
        )
    return UserIdentityRQ(
        type=kind, response_requested=response, primary=primary, secondary=secondary
    )


def read_secret(source: str, what: str = "secret", *, binary: bool = False) -> bytes:
    """Read a secret from where `source` says it is.

    Args:
        source: `file:PATH`, `file:-` for standard input, `env:VARIABLE`, or `prompt` to ask on the
            terminal, without echo.
        what: what it is called in the prompt and in errors.
        binary: every byte counts; else one line end at the end of it is dropped.

    Raises:
        InvalidRequest: it cannot be had, or is empty. No error ever shows the secret, nor `source`
            where that may be the secret itself.
    """
    kind, _, rest = source.partition(":")
    if kind == "file" and rest:
        secret = _from_file(rest, what)
    elif kind == "env" and rest:
        secret = _from_environment(rest, what)
    elif source == "prompt":
        secret = _from_terminal(what)
    else:
        raise InvalidRequest(f"the {what} is to be named, not written", _SOURCES)
    if not binary:
        secret = secret.removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise InvalidRequest(f"the {what} is empty", _SOURCES)
    return secret


def _from_file(name: str, what: str) -> bytes:
    try:
        if name == "-":
            return _read(sys.stdin.buffer, what)
        with Path(name).open("rb") as file:
            return _read(file, what)
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else "unreadable"
    except ValueError:  # a NUL in it: no name of a file
        reason = "no name of a file"
    raise InvalidRequest(f"the file of the {what} cannot be read ({reason})", _SOURCES)


def _read(file: BinaryIO, what: str) -> bytes:
    secret = file.read(MAX_SECRET + 3)  # a line end, and one more than there is room for
    if len(secret) > MAX_SECRET + 2:
        raise InvalidRequest(
            f"the file of the {what} has more than {MAX_SECRET} bytes",
            "Check that the right file was given.",
        )
    return secret


def _from_environment(name: str, what: str) -> bytes:
    secret = os.environb.get(os.fsencode(name))
    if secret is None:
        raise InvalidRequest(
            f"the environment variable of the {what} is not set", "Set it, or name another one."
        )
    return secret


def _from_terminal(what: str) -> bytes:
    try:
        with warnings.catch_warnings():
            # Without a terminal it would read standard input, visibly, and only warn.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(f"{what[:1].upper()}{what[1:]}: ").encode(
                errors="surrogateescape"
            )
    except (getpass.GetPassWarning, EOFError, OSError):
        pass
    raise InvalidRequest(f"there is no terminal to ask for the {what}", _SOURCES)


def parse_addresses(text: str) -> tuple[str, ...]:
    """Parse the addresses to connect from, `A,B,C`.

    Raises:
        InvalidRequest: one of them is no IP address.
    """
    addresses = tuple(part.strip().removeprefix("[").removesuffix("]") for part in text.split(","))
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise InvalidRequest(
                f"--bind: '{safe(address, 64)}' is no IP address",
                "Give addresses of this machine, with commas between them: 192.0.2.10,192.0.2.11",
            ) from None
    return tuple(dict.fromkeys(addresses))
