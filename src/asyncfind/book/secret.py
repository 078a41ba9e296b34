"""Where a secret is, never the secret itself: `file:PATH`, `env:NAME`, `keyring:SERVICE/USER`."""

import importlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from asyncfind.errors import InvalidRequest
from asyncfind.ul.identity import MAX_SECRET

__all__ = ["SecretRef", "looks_secret", "parse_secret", "read_secret"]

_HOW: Final = (
    "name where the secret is, never the secret itself: file:PATH, env:ASYNCFIND_NAME or "
    "keyring:SERVICE/USER"
)
# A book that somebody else wrote must not send other programs' secrets to a host of its choice.
_VARIABLE: Final = re.compile(r"ASYNCFIND_[A-Z0-9_]{1,64}")
_PEM: Final = "-----BEGIN "
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A reference to a secret.

    Args:
        kind: who keeps it.
        name: the file's path, the variable's name, or `SERVICE/USER` of the keyring.
    """

    kind: Literal["file", "env", "keyring"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def parse_secret(text: str, folder: Path) -> SecretRef:
    """Parse a reference; a relative path starts at `folder`.

    Raises:
        ValueError: it is none. The message does not hold `text`, which may be the secret.
    """
    kind, _, name = text.partition(":")
    if not name or not name.isprintable():
        raise ValueError(_HOW)
    if kind == "file":
        return SecretRef("file", str(folder / Path(name)))
    if kind == "env":
        if _VARIABLE.fullmatch(name) is None:
            raise ValueError("variables for secrets are called ASYNCFIND_ and capital letters")
        return SecretRef("env", name)
    service, slash, user = name.rpartition("/")
    if kind == "keyring" and service and slash and user:
        return SecretRef("keyring", name)
    raise ValueError(_HOW)


def looks_secret(text: str) -> bool:
    """Whether a text is a key or a token that somebody pasted where it does not belong."""
    return _PEM in text or _JWT.match(text) is not None


def read_secret(ref: SecretRef, what: str, *, binary: bool = False) -> bytes:
    """Read a secret.

    Args:
        what: what it is called in errors.
        binary: every byte counts; else one line end at the end of it is dropped.

    Raises:
        InvalidRequest: it cannot be had, is empty or too long. No error shows any of it.
    """
    if ref.kind == "file":
        secret = _from_file(ref.name, what)
    elif ref.kind == "env":
        value = os.environb.get(ref.name.encode())
        if value is None:
            raise InvalidRequest(f"{what}: the variable {ref.name} is not set", "Set it.")
        secret = value
    else:
        secret = _from_keyring(ref.name, what)
    if not binary:
        secret = secret.removesuffix(b"\n").removesuffix(b"\r")
    if not secret or len(secret) > MAX_SECRET:
        raise InvalidRequest(
            f"{what}: it has {len(secret)} bytes, 1 to {MAX_SECRET} are possible",
            "Check that the node book names the right place.",
        )
    return secret


def _from_file(name: str, what: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_SECRET + 3)  # a line end, and one more than there is room for
    except OSError as exc:
        raise InvalidRequest(
            f"{what}: its file cannot be read ({exc.strerror})", "Check its name and permissions."
        ) from exc


def _from_keyring(name: str, what: str) -> bytes:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError as exc:
        raise InvalidRequest(
            f"{what}: there is no access to the keyring", "Install asyncfind[keyring]."
        ) from exc
    service, _, user = name.rpartition("/")
    try:
        value: str | None = keyring.get_password(service, user)
    except keyring.errors.KeyringError as exc:
        raise InvalidRequest(
            f"{what}: the keyring did not give it ({type(exc).__name__})", "Unlock the keyring."
        ) from None
    if value is None:
        raise InvalidRequest(
            f"{what}: the keyring has no such entry", "Add it: keyring set SERVICE USER"
        )
    return value.encode()
