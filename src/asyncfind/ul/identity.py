"""Who a user is: the user identity sub-item of A-ASSOCIATE-RQ (PS3.7 Annex D.3.3.7)."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final, Self

from asyncfind.ul.codec import encode_counted, encode_item, exactly, malformed, take_counted

__all__ = ["MAX_SECRET", "IdentityType", "UserIdentityRQ"]

MAX_SECRET: Final = 0xFFFF - 6
"""Bytes that both fields may have together, so that the sub-item has room for them."""


class IdentityType(IntEnum):
    """What the primary field of a user identity holds (PS3.7 Table D.3-14)."""

    USER_NAME = 1
    USER_NAME_AND_PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5

    @property
    def words(self) -> str:
        """The type in words."""
        return _WORDS[self]


_WORDS: Final = {
    IdentityType.USER_NAME: "user name",
    IdentityType.USER_NAME_AND_PASSCODE: "user name and passcode",
    IdentityType.KERBEROS: "Kerberos service ticket",
    IdentityType.SAML: "SAML assertion",
    IdentityType.JWT: "JSON Web Token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIdentityRQ:
    """User identity sub-item of A-ASSOCIATE-RQ (PS3.7 Annex D.3.3.7.1).

    Args:
        type: an `IdentityType`; other numbers are kept.
        response_requested: the acceptor is to answer with its own sub-item.
        primary: user name or token; a secret, so not part of the representation.
        secondary: passcode, only of type 2; a secret as well.
    """

    TYPE: ClassVar[int] = 0x58

    type: int
    response_requested: bool = False
    primary: bytes = field(default=b"", repr=False)
    secondary: bytes = field(default=b"", repr=False)

    @property
    def words(self) -> str:
        """What kind of identity it is, in words; never the identity itself."""
        try:
            return IdentityType(self.type).words
        except ValueError:
            return f"identity of type {self.type}"

    def encode(self) -> bytes:
        """The sub-item as bytes."""
        fields = encode_counted(self.primary) + encode_counted(self.secondary)
        return encode_item(self.TYPE, bytes((self.type, self.response_requested)) + fields)

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the sub-item's value; raises MalformedPDU where lengths do not fit."""
        what = "user identity"
        if len(value) < 2:
            raise malformed(f"{what}: {len(value)} bytes are too few")
        primary, end = take_counted(value, 2, what)
        secondary, end = take_counted(value, end, what)
        exactly(value[end:], 0, f"{what}, after its fields")
        return cls(
            type=value[0], response_requested=value[1] == 1, primary=primary, secondary=secondary
        )
