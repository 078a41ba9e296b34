"""Options of C-FIND that are negotiated for a SOP class (PS3.4 Sections C.5.1.1 and K.5.1).

They are the service-class-application-information of the SOP class extended negotiation sub-item
(PS3.7 Annex D.3.3.5): a byte each, 1 for what is asked or granted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final, Self

__all__ = ["FindOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindOptions:
    """What a requestor asks for, or an acceptor grants; the fields in the order of the bytes.

    Args:
        relational: keys of any level without the unique keys above (PS3.4 Section C.4.1.2.2.2).
        date_time: a date and its time are matched as one (PS3.4 Section C.2.2.2.5).
        fuzzy: person names are matched by likeness (PS3.4 Section C.2.2.2.1).
        timezone: times are adjusted by Timezone Offset From UTC (0008,0201).
        multiframe: classic images are shown as enhanced multi-frame ones, and the other way round.
    """

    relational: bool = False
    date_time: bool = False
    fuzzy: bool = False
    timezone: bool = False
    multiframe: bool = False

    def __bool__(self) -> bool:
        return any(self._values())

    def __and__(self, other: Self) -> Self:
        """What is in both."""
        return self._of(a and b for a, b in zip(self._values(), other._values(), strict=True))

    def __sub__(self, other: Self) -> Self:
        """What is in this one alone."""
        return self._of(a and not b for a, b in zip(self._values(), other._values(), strict=True))

    def words(self) -> tuple[str, ...]:
        """Those that are set, in words."""
        return tuple(word for word, value in zip(_WORDS, self._values(), strict=True) if value)

    def encode(self) -> bytes:
        """Of a Query/Retrieve SOP class (PS3.4 Section C.5.1.1): as few bytes as hold them."""
        return bytes(self._values()).rstrip(b"\0") or b"\0"

    @classmethod
    def decode(cls, information: bytes) -> Self:
        """Read what `encode` makes; bytes that are missing, or are not 1, count as 0."""
        return cls._of(information[place : place + 1] == b"\x01" for place in range(_COUNT))

    def encode_worklist(self) -> bytes:
        """Of Modality Worklist, where the first two bytes are always 1 (PS3.4 Section K.5.1).

        There are "three or more sub-fields"; only person names and time zones are negotiated.
        """
        return bytes((1, 1, self.fuzzy, *((1,) if self.timezone else ())))

    @classmethod
    def decode_worklist(cls, information: bytes) -> Self:
        """Read what `encode_worklist` makes; the first two bytes say nothing."""
        read = cls.decode(information)
        return cls(fuzzy=read.fuzzy, timezone=read.timezone)

    def _values(self) -> tuple[bool, ...]:
        return (self.relational, self.date_time, self.fuzzy, self.timezone, self.multiframe)

    @classmethod
    def _of(cls, values: Iterable[bool]) -> Self:
        return cls(**dict(zip(_NAMES, values, strict=True)))


_WORDS: Final = (
    "relational queries",
    "combined date and time matching",
    "fuzzy matching of person names",
    "time zone adjustment",
    "multi-frame conversion",
)
_NAMES: Final = tuple(field.name for field in fields(FindOptions))
_COUNT: Final = len(_NAMES)
