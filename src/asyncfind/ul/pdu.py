"""The seven PDUs as frozen values (PS3.8 Section 9.3).

`encode` makes the whole PDU, `decode` takes its body: what follows the six bytes of type and
length. `decode` raises MalformedPDU and nothing else.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Generic, NamedTuple, Self, TypeVar

from asyncfind.ul.codec import (
    decode_text,
    encode_item,
    encode_text,
    encode_title,
    malformed,
    split_items,
)
from asyncfind.ul.items import (
    ACCEPTANCE,
    APPLICATION_CONTEXT,
    PresentationContextAC,
    PresentationContextRQ,
    UserInformation,
)

__all__ = [
    "DECODERS",
    "FIXED_LENGTH",
    "HEADER",
    "MIN_ASSOCIATE_LENGTH",
    "NAMES",
    "PDU",
    "PDV",
    "Abort",
    "AbortReason",
    "AbortSource",
    "AssociateAC",
    "AssociateRJ",
    "AssociateRQ",
    "PDataTF",
    "ReleaseRP",
    "ReleaseRQ",
    "encode_data",
]

HEADER: Final = struct.Struct(">BxI")
"""PDU type and length of the body, with which every PDU begins (PS3.8 Section 9.3.1)."""

FIXED_LENGTH: Final = 4
"""Body length of A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT, in bytes."""

MIN_ASSOCIATE_LENGTH: Final = 68
"""Body length of an A-ASSOCIATE-RQ or -AC without items, in bytes."""

NAMES: Final[Sequence[str]] = (
    "",
    "A-ASSOCIATE-RQ",
    "A-ASSOCIATE-AC",
    "A-ASSOCIATE-RJ",
    "P-DATA-TF",
    "A-RELEASE-RQ",
    "A-RELEASE-RP",
    "A-ABORT",
)
"""The PDUs' names by type; 0 is no type."""

_ASSOCIATE: Final = struct.Struct(">H2x16s16s32x")
_REJECT: Final = struct.Struct(">xBBB")
_ABORT: Final = struct.Struct(">xxBB")
_PDV: Final = struct.Struct(">IBB")
_DATA: Final = struct.Struct(">BxIIBB")

_APPLICATION_CONTEXT_ITEM: Final = 0x10
_MAX_CONTEXTS: Final = 128
"""Context ids are odd and have one byte (PS3.8 Section 9.3.2.2)."""
_COMMAND: Final = 0x01
_LAST: Final = 0x02


class AbortSource(IntEnum):
    """Who aborted (PS3.8 Table 9-26)."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Why the service provider aborted (PS3.8 Table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


_ABORT_SOURCES: Final = {0: "service user", 2: "service provider"}
_ABORT_REASONS: Final = {
    0: "reason not specified",
    1: "unrecognized PDU",
    2: "unexpected PDU",
    4: "unrecognized PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter value",
}
_RESULTS: Final = {1: "Rejected Permanent", 2: "Rejected Transient"}
_SOURCES: Final = {
    1: "Service User",
    2: "Service Provider (ACSE Related)",
    3: "Service Provider (Presentation Related)",
}
_REASONS: Final = {
    (1, 1): "No Reason",
    (1, 2): "App Context Name Not Supported",
    (1, 3): "Calling AE Title Not Recognized",
    (1, 7): "Called AE Title Not Recognized",
    (2, 1): "No Reason",
    (2, 2): "Protocol Version Not Supported",
    (3, 1): "Temporary Congestion",
    (3, 2): "Local Limit Exceeded",
}


_C = TypeVar("_C", PresentationContextRQ, PresentationContextAC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Associate(Generic[_C]):
    """What A-ASSOCIATE-RQ and -AC have in common (PS3.8 Tables 9-11 and 9-17)."""

    TYPE: ClassVar[int]

    called: str
    calling: str
    contexts: tuple[_C, ...]
    user_information: UserInformation
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1

    @property
    def is_version_1(self) -> bool:
        """Version 1 is among the versions supported; "shall only test bit 0" (Table 9-11)."""
        return self.protocol_version & 1 == 1

    def encode(self) -> bytes:
        """The PDU as bytes; raises LocalProtocolError for what does not fit its fields."""
        titles = encode_title(self.called), encode_title(self.calling)
        body = b"".join(
            (
                _ASSOCIATE.pack(self.protocol_version, *titles),
                encode_item(_APPLICATION_CONTEXT_ITEM, encode_text(self.application_context)),
                *(context.encode() for context in self.contexts),
                self.user_information.encode(),
            )
        )
        return HEADER.pack(self.TYPE, len(body)) + body

    @classmethod
    def _read(cls, body: bytes, context_item: type[_C]) -> Self:
        """Read the body; items of unknown type are skipped (PS3.8 Section 9.3.1).

        An absent application context or user information reads as empty: nothing depends on it.
        """
        name = NAMES[cls.TYPE]
        if len(body) < MIN_ASSOCIATE_LENGTH:
            raise malformed(f"{name}: {len(body)} bytes are too few")
        version, called, calling = _ASSOCIATE.unpack_from(body)
        contexts: dict[int, _C] = {}
        once: dict[int, bytes] = {}
        for kind, value in split_items(body[MIN_ASSOCIATE_LENGTH:], name):
            if kind == context_item.TYPE:
                context = context_item.decode(value)
                if context.context_id in contexts:
                    raise malformed(f"{name}: presentation context {context.context_id} twice")
                contexts[context.context_id] = context
                if len(contexts) > _MAX_CONTEXTS:
                    raise malformed(f"{name}: more than {_MAX_CONTEXTS} presentation contexts")
            elif kind in (_APPLICATION_CONTEXT_ITEM, UserInformation.TYPE):
                if kind in once:
                    raise malformed(f"{name}: item {kind:02X}H twice")
                once[kind] = value
        return cls(
            called=decode_text(called),
            calling=decode_text(calling),
            contexts=tuple(contexts.values()),
            user_information=UserInformation.decode(once.get(UserInformation.TYPE, b"")),
            application_context=decode_text(once.get(_APPLICATION_CONTEXT_ITEM, b"")),
            protocol_version=version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRQ(_Associate[PresentationContextRQ]):
    """A-ASSOCIATE-RQ PDU (PS3.8 Section 9.3.2, Table 9-11).

    Args:
        called, calling: AE titles of acceptor and requestor, without padding.
        protocol_version: a bit for each version supported; bit 0 is version 1.
    """

    TYPE: ClassVar[int] = 0x01

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body; raises MalformedPDU."""
        return cls._read(body, PresentationContextRQ)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateAC(_Associate[PresentationContextAC]):
    """A-ASSOCIATE-AC PDU (PS3.8 Section 9.3.3, Table 9-17).

    Args:
        called, calling: echoed from the request in reserved fields; never to be tested.
        contexts: contexts of the request that are missing here count as rejected.
    """

    TYPE: ClassVar[int] = 0x02

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body; raises MalformedPDU."""
        return cls._read(body, PresentationContextAC)

    def disagreement(self, rq: AssociateRQ) -> str:
        """Why this is no answer to `rq`; empty when it is one.

        Only what was proposed can be accepted: presentation contexts and their transfer syntaxes
        (PS3.8 Section 9.3.3.2), roles and an answer on user identity (PS3.7 Annex D.3.3.4 and
        D.3.3.7).
        """
        if not self.is_version_1:
            return f"protocol version {self.protocol_version:04X}H, 0001H proposed"
        proposed = {item.context_id: item.transfer_syntaxes for item in rq.contexts}
        for context in self.contexts:
            number, syntax = context.context_id, context.transfer_syntax
            if number not in proposed:
                return f"presentation context {number}, not proposed"
            if context.result == ACCEPTANCE and syntax not in proposed[number]:
                return f"transfer syntax {syntax[:64]!r} for context {number}, not proposed"
        ours, theirs = rq.user_information, self.user_information
        roles = {role.sop_class: role for role in ours.roles}
        for role in theirs.roles:
            asked = roles.get(role.sop_class)
            if asked is None or (role.scu and not asked.scu) or (role.scp and not asked.scp):
                return f"a role for {role.sop_class[:64]!r}, not proposed"
        asks = ours.user_identity is not None and ours.user_identity.response_requested
        if theirs.user_identity_response is not None and not asks:
            return "a user identity response, not requested"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRJ:
    """A-ASSOCIATE-RJ PDU (PS3.8 Section 9.3.4, Table 9-21).

    All three stay plain numbers: peers send codes that the table does not list.
    """

    TYPE: ClassVar[int] = 0x03

    result: int
    source: int
    reason: int

    @property
    def result_text(self) -> str:
        """The result in words."""
        return _RESULTS.get(self.result, f"Unknown Result {self.result}")

    @property
    def source_text(self) -> str:
        """The source in words."""
        return _SOURCES.get(self.source, f"Unknown Source {self.source}")

    @property
    def reason_text(self) -> str:
        """The reason in words; it depends on the source."""
        return _REASONS.get((self.source, self.reason), f"Unknown Reason {self.reason}")

    @property
    def text(self) -> str:
        """All of it in words."""
        return f"{self.result_text}, {self.source_text}: {self.reason_text}"

    @property
    def is_busy(self) -> bool:
        """The peer has no room now, and the same request may succeed later.

        Congestion counts whatever the result says: some peers call it permanent.
        """
        return self.result == 2 or (self.source, self.reason) in ((3, 1), (3, 2))

    def encode(self) -> bytes:
        """The PDU as bytes."""
        body = _REJECT.pack(self.result, self.source, self.reason)
        return HEADER.pack(self.TYPE, len(body)) + body

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body; raises MalformedPDU unless it has 4 bytes."""
        result, source, reason = _REJECT.unpack(_fixed(body, cls.TYPE))
        return cls(result=result, source=source, reason=reason)


class PDV(NamedTuple):
    """Presentation data value item (PS3.8 Section 9.3.5.1) with its message control header.

    Args:
        is_command: a fragment of a command set, else of a data set (PS3.8 Annex E.2).
        is_last: the last fragment of it.
        data: the fragment, without the control header.
    """

    context_id: int
    is_command: bool
    is_last: bool
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PDataTF:
    """P-DATA-TF PDU (PS3.8 Section 9.3.5, Table 9-22)."""

    TYPE: ClassVar[int] = 0x04

    pdvs: tuple[PDV, ...]

    def encode(self) -> bytes:
        """The PDU as bytes."""
        parts: list[bytes] = []
        for pdv in self.pdvs:
            parts += (_PDV.pack(len(pdv.data) + 2, pdv.context_id, _control(pdv)), pdv.data)
        body = b"".join(parts)
        return HEADER.pack(self.TYPE, len(body)) + body

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body; bits 2 to 7 of the control header are not tested (PS3.8 Annex E.2).

        Raises:
            MalformedPDU: an item outgrows the PDU or cannot hold its own header.
        """
        pdvs: list[PDV] = []
        offset, size = 0, len(body)
        while offset < size:
            if size - offset < _PDV.size:
                raise malformed(f"P-DATA-TF: {size - offset} bytes left over, no room for an item")
            length, context_id, control = _PDV.unpack_from(body, offset)
            end = offset + 4 + length
            if length < 2 or end > size:
                raise malformed(
                    f"P-DATA-TF: an item claims {length} bytes, {size - offset - 4} are there"
                )
            data = body[offset + _PDV.size : end]
            pdvs.append(PDV(context_id, bool(control & _COMMAND), bool(control & _LAST), data))
            offset = end
        return cls(pdvs=tuple(pdvs))


def encode_data(pdvs: Iterable[PDV]) -> list[bytes]:
    """P-DATA-TF PDUs of one item each, in pieces to be joined; fragments are not copied."""
    parts: list[bytes] = []
    for pdv in pdvs:
        size = len(pdv.data)
        header = _DATA.pack(PDataTF.TYPE, size + 6, size + 2, pdv.context_id, _control(pdv))
        parts += (header, pdv.data)
    return parts


def _control(pdv: PDV) -> int:
    return (_COMMAND if pdv.is_command else 0) | (_LAST if pdv.is_last else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRQ:
    """A-RELEASE-RQ PDU (PS3.8 Section 9.3.6, Table 9-24)."""

    TYPE: ClassVar[int] = 0x05

    def encode(self) -> bytes:
        """The PDU as bytes."""
        return HEADER.pack(self.TYPE, FIXED_LENGTH) + bytes(FIXED_LENGTH)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body, all reserved; raises MalformedPDU unless it has 4 bytes."""
        _fixed(body, cls.TYPE)
        return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRP:
    """A-RELEASE-RP PDU (PS3.8 Section 9.3.7, Table 9-25)."""

    TYPE: ClassVar[int] = 0x06

    def encode(self) -> bytes:
        """The PDU as bytes."""
        return HEADER.pack(self.TYPE, FIXED_LENGTH) + bytes(FIXED_LENGTH)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body, all reserved; raises MalformedPDU unless it has 4 bytes."""
        _fixed(body, cls.TYPE)
        return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """A-ABORT PDU (PS3.8 Section 9.3.8, Table 9-26).

    Args:
        source: an `AbortSource`; other numbers are kept.
        reason: an `AbortReason`; of no meaning when the service user aborted.
    """

    TYPE: ClassVar[int] = 0x07

    source: int = AbortSource.SERVICE_USER
    reason: int = AbortReason.NOT_SPECIFIED

    @property
    def text(self) -> str:
        """Source and reason in words."""
        source = _ABORT_SOURCES.get(self.source, f"unknown source {self.source}")
        if self.source == AbortSource.SERVICE_USER:
            return source
        return f"{source}: {_ABORT_REASONS.get(self.reason, f'unknown reason {self.reason}')}"

    def encode(self) -> bytes:
        """The PDU as bytes."""
        body = _ABORT.pack(self.source, self.reason)
        return HEADER.pack(self.TYPE, len(body)) + body

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body; raises MalformedPDU unless it has 4 bytes."""
        source, reason = _ABORT.unpack(_fixed(body, cls.TYPE))
        return cls(source=source, reason=reason)


PDU = AssociateRQ | AssociateAC | AssociateRJ | PDataTF | ReleaseRQ | ReleaseRP | Abort

DECODERS: Final[Sequence[Callable[[bytes], PDU]]] = (
    AssociateRQ.decode,
    AssociateAC.decode,
    AssociateRJ.decode,
    PDataTF.decode,
    ReleaseRQ.decode,
    ReleaseRP.decode,
    Abort.decode,
)
"""`decode` by type less one."""


def _fixed(body: bytes, kind: int) -> bytes:
    if len(body) != FIXED_LENGTH:
        raise malformed(f"{NAMES[kind]}: {len(body)} bytes instead of {FIXED_LENGTH}")
    return body
