"""Variable items and sub-items of A-ASSOCIATE (PS3.8 Sections 9.3.2-9.3.3, Annex D; PS3.7 Annex D).

Each class is one item: `encode` makes the whole item, `decode` takes its value.
"""

import struct
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from asyncfind.errors import MalformedPDU
from asyncfind.ul.codec import (
    decode_text,
    encode_counted,
    encode_item,
    encode_text,
    exactly,
    malformed,
    split_items,
    take_counted,
)
from asyncfind.ul.identity import UserIdentityRQ

__all__ = [
    "ACCEPTANCE",
    "APPLICATION_CONTEXT",
    "AsynchronousOperations",
    "PresentationContextAC",
    "PresentationContextRQ",
    "RoleSelection",
    "SOPClassCommonExtendedNegotiation",
    "SOPClassExtendedNegotiation",
    "UserIdentityRQ",
    "UserInformation",
]

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
"""The DICOM application context name (PS3.7 Annex A.2.1)."""

ACCEPTANCE: Final = 0
"""Result of a presentation context that was accepted (PS3.8 Table 9-18); 1 to 4 are rejections."""

_ABSTRACT_SYNTAX: Final = 0x30
_TRANSFER_SYNTAX: Final = 0x40
_MAXIMUM_LENGTH: Final = 0x51
_IMPLEMENTATION_CLASS: Final = 0x52
_IMPLEMENTATION_VERSION: Final = 0x55
_USER_IDENTITY_AC: Final = 0x59

_MAX_SUB_ITEMS: Final = 1024
"""Sub-items of one user information item that we look at before we call it an attack."""

_UINT32: Final = struct.Struct(">I")
_CONTEXT_RQ: Final = struct.Struct(">Bxxx")
_CONTEXT_AC: Final = struct.Struct(">BxBx")
_OPERATIONS: Final = struct.Struct(">HH")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationContextRQ:
    """Presentation context item of A-ASSOCIATE-RQ (PS3.8 Section 9.3.2.2, Table 9-13).

    Args:
        context_id: odd, 1 to 255.
        abstract_syntax: UID of the SOP class.
        transfer_syntaxes: UIDs, in the order of preference.
    """

    TYPE: ClassVar[int] = 0x20

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]

    def encode(self) -> bytes:
        """The item as bytes."""
        parts = [
            _CONTEXT_RQ.pack(self.context_id),
            encode_item(_ABSTRACT_SYNTAX, encode_text(self.abstract_syntax)),
        ]
        parts += [encode_item(_TRANSFER_SYNTAX, encode_text(s)) for s in self.transfer_syntaxes]
        return encode_item(self.TYPE, b"".join(parts))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the item's value.

        Raises:
            MalformedPDU: too short, sub-items outgrow it, or not exactly one abstract syntax.
        """
        what = "presentation context item"
        if len(value) < _CONTEXT_RQ.size:
            raise malformed(f"{what}: {len(value)} bytes are too few")
        abstract: list[str] = []
        transfer: list[str] = []
        for kind, text in split_items(value[_CONTEXT_RQ.size :], what):
            if kind == _ABSTRACT_SYNTAX:
                abstract.append(decode_text(text))
            elif kind == _TRANSFER_SYNTAX:
                transfer.append(decode_text(text))
        if len(abstract) != 1:
            raise malformed(f"{what} {value[0]}: {len(abstract)} abstract syntaxes instead of 1")
        return cls(
            context_id=value[0], abstract_syntax=abstract[0], transfer_syntaxes=tuple(transfer)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationContextAC:
    """Presentation context item of A-ASSOCIATE-AC (PS3.8 Section 9.3.3.2, Table 9-18).

    Args:
        result: `ACCEPTANCE`, else a rejection; codes that the table does not list are kept.
        transfer_syntax: UID; of no meaning unless accepted.
    """

    TYPE: ClassVar[int] = 0x21

    context_id: int
    result: int
    transfer_syntax: str

    def encode(self) -> bytes:
        """The item as bytes."""
        syntax = encode_item(_TRANSFER_SYNTAX, encode_text(self.transfer_syntax))
        return encode_item(self.TYPE, _CONTEXT_AC.pack(self.context_id, self.result) + syntax)

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the item's value.

        Raises:
            MalformedPDU: too short, or accepted without exactly one transfer syntax.
        """
        what = "presentation context item"
        if len(value) < _CONTEXT_AC.size:
            raise malformed(f"{what}: {len(value)} bytes are too few")
        context_id, result = _CONTEXT_AC.unpack_from(value)
        transfer: list[str] = []
        try:
            for kind, text in split_items(value[_CONTEXT_AC.size :], what):
                if kind == _TRANSFER_SYNTAX:
                    transfer.append(decode_text(text))
        except MalformedPDU:
            # Of a rejected context it "shall not be significant ... and shall not be tested".
            if result == ACCEPTANCE:
                raise
        if result == ACCEPTANCE and len(transfer) != 1:
            raise malformed(f"{what} {context_id}: {len(transfer)} transfer syntaxes instead of 1")
        syntax = transfer[0] if transfer else ""
        return cls(context_id=context_id, result=result, transfer_syntax=syntax)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsynchronousOperations:
    """Asynchronous operations window sub-item (PS3.7 Annex D.3.3.3); 0 is unlimited."""

    TYPE: ClassVar[int] = 0x53

    invoked: int
    performed: int

    def encode(self) -> bytes:
        """The sub-item as bytes."""
        return encode_item(self.TYPE, _OPERATIONS.pack(self.invoked, self.performed))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the sub-item's value; raises MalformedPDU unless it has 4 bytes."""
        value = exactly(value, _OPERATIONS.size, "asynchronous operations window")
        invoked, performed = _OPERATIONS.unpack(value)
        return cls(invoked=invoked, performed=performed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSelection:
    """SCP/SCU role selection sub-item (PS3.7 Annex D.3.3.4): what the requestor may be."""

    TYPE: ClassVar[int] = 0x54

    sop_class: str
    scu: bool
    scp: bool

    def encode(self) -> bytes:
        """The sub-item as bytes."""
        uid = encode_counted(encode_text(self.sop_class))
        return encode_item(self.TYPE, uid + bytes((self.scu, self.scp)))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the sub-item's value; raises MalformedPDU where lengths do not fit."""
        what = "role selection"
        uid, end = take_counted(value, 0, what)
        scu, scp = exactly(value[end:], 2, f"{what}, the roles")
        return cls(sop_class=decode_text(uid), scu=scu == 1, scp=scp == 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SOPClassExtendedNegotiation:
    """SOP class extended negotiation sub-item (PS3.7 Annex D.3.3.5).

    Args:
        application_information: what the service class defines; for C-FIND PS3.4 C.5.1.1.
    """

    TYPE: ClassVar[int] = 0x56

    sop_class: str
    application_information: bytes

    def encode(self) -> bytes:
        """The sub-item as bytes."""
        uid = encode_counted(encode_text(self.sop_class))
        return encode_item(self.TYPE, uid + self.application_information)

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the sub-item's value; raises MalformedPDU where lengths do not fit."""
        uid, end = take_counted(value, 0, "SOP class extended negotiation")
        return cls(sop_class=decode_text(uid), application_information=value[end:])


@dataclass(frozen=True, slots=True, kw_only=True)
class SOPClassCommonExtendedNegotiation:
    """SOP class common extended negotiation sub-item (PS3.7 Annex D.3.3.6).

    Args:
        service_class: UID of the service class that the SOP class belongs to.
        related: UIDs of related general SOP classes.
    """

    TYPE: ClassVar[int] = 0x57

    sop_class: str
    service_class: str
    related: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The sub-item as bytes."""
        related = b"".join(encode_counted(encode_text(uid)) for uid in self.related)
        sop_class, service_class = encode_text(self.sop_class), encode_text(self.service_class)
        return encode_item(
            self.TYPE,
            encode_counted(sop_class) + encode_counted(service_class) + encode_counted(related),
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the sub-item's value; raises MalformedPDU where lengths do not fit.

        Bytes after the related SOP classes are reserved and not tested.
        """
        what = "SOP class common extended negotiation"
        sop_class, end = take_counted(value, 0, what)
        service_class, end = take_counted(value, end, what)
        block, _ = take_counted(value, end, what)
        related: list[str] = []
        offset = 0
        while offset < len(block):
            uid, offset = take_counted(block, offset, what)
            related.append(decode_text(uid))
        return cls(
            sop_class=decode_text(sop_class),
            service_class=decode_text(service_class),
            related=tuple(related),
        )


_ONCE: Final = frozenset(
    (
        _MAXIMUM_LENGTH,
        _IMPLEMENTATION_CLASS,
        AsynchronousOperations.TYPE,
        _IMPLEMENTATION_VERSION,
        UserIdentityRQ.TYPE,
        _USER_IDENTITY_AC,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInformation:
    """User information item (PS3.8 Section 9.3.2.3, Annex D; PS3.7 Annex D.3.3).

    Args:
        max_length: the largest P-DATA-TF the sender of the item takes, in bytes, counted after
            the PDU header; 0 is unlimited, and what a missing sub-item means.
        implementation_class_uid: empty where the peer sent none.
        implementation_version_name: at most 16 characters; empty is not sent.
        user_identity: in A-ASSOCIATE-RQ.
        user_identity_response: the server's response in A-ASSOCIATE-AC; None where none came.
    """

    TYPE: ClassVar[int] = 0x50

    max_length: int = 16384
    implementation_class_uid: str
    implementation_version_name: str = ""
    asynchronous_operations: AsynchronousOperations | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended_negotiation: tuple[SOPClassExtendedNegotiation, ...] = ()
    common_extended_negotiation: tuple[SOPClassCommonExtendedNegotiation, ...] = ()
    user_identity: UserIdentityRQ | None = None
    user_identity_response: bytes | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """The item as bytes, its sub-items in ascending order of type."""
        uid = encode_text(self.implementation_class_uid)
        version = encode_text(self.implementation_version_name)
        parts = [encode_item(_MAXIMUM_LENGTH, _UINT32.pack(self.max_length))]
        if uid:
            parts.append(encode_item(_IMPLEMENTATION_CLASS, uid))
        if self.asynchronous_operations is not None:
            parts.append(self.asynchronous_operations.encode())
        parts += [role.encode() for role in self.roles]
        if version:
            parts.append(encode_item(_IMPLEMENTATION_VERSION, version))
        parts += [item.encode() for item in self.extended_negotiation]
        parts += [item.encode() for item in self.common_extended_negotiation]
        if self.user_identity is not None:
            parts.append(self.user_identity.encode())
        if self.user_identity_response is not None:
            parts.append(
                encode_item(_USER_IDENTITY_AC, encode_counted(self.user_identity_response))
            )
        return encode_item(self.TYPE, b"".join(parts))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the item's value; sub-items of unknown type are skipped (PS3.8 Section 9.3.1).

        Raises:
            MalformedPDU: lengths do not fit, a sub-item repeats that may not, or there are more
                than 1024.
        """
        once: dict[int, bytes] = {}
        roles: list[RoleSelection] = []
        extended: list[SOPClassExtendedNegotiation] = []
        common: list[SOPClassCommonExtendedNegotiation] = []
        for number, (kind, data) in enumerate(split_items(value, "user information item"), 1):
            if number > _MAX_SUB_ITEMS:
                raise malformed(f"user information item: more than {_MAX_SUB_ITEMS} sub-items")
            if kind in _ONCE:
                if kind in once:
                    raise malformed(f"user information item: sub-item {kind:02X}H twice")
                once[kind] = data
            elif kind == RoleSelection.TYPE:
                roles.append(RoleSelection.decode(data))
            elif kind == SOPClassExtendedNegotiation.TYPE:
                extended.append(SOPClassExtendedNegotiation.decode(data))
            elif kind == SOPClassCommonExtendedNegotiation.TYPE:
                common.append(SOPClassCommonExtendedNegotiation.decode(data))
        length = exactly(once.get(_MAXIMUM_LENGTH, bytes(4)), _UINT32.size, "maximum length")
        operations = once.get(AsynchronousOperations.TYPE)
        identity = once.get(UserIdentityRQ.TYPE)
        response = once.get(_USER_IDENTITY_AC)
        return cls(
            max_length=_UINT32.unpack(length)[0],
            implementation_class_uid=decode_text(once.get(_IMPLEMENTATION_CLASS, b"")),
            implementation_version_name=decode_text(once.get(_IMPLEMENTATION_VERSION, b"")),
            asynchronous_operations=None
            if operations is None
            else AsynchronousOperations.decode(operations),
            roles=tuple(roles),
            extended_negotiation=tuple(extended),
            common_extended_negotiation=tuple(common),
            user_identity=None if identity is None else UserIdentityRQ.decode(identity),
            user_identity_response=None
            if response is None
            else take_counted(response, 0, "user identity response")[0],
        )
