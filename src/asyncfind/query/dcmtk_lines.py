"""One line of a dictionary file of DCMTK: tag, VR, name, VM and version, a tab between each two.

    (0010,0010)                PN  PatientName  1    DICOM
    (6000-60FF,0010)           US  OverlayRows  1    DICOM
    (0029,"ACME 1.0",02-u-0f)  LO  AcmeComment  1-n  PrivateTag

A range is of even numbers, unless `-o-` (odd), `-u-` (all) or `-e-` (even) stands between its ends;
of a private tag the element is the last byte. The last two fields may be missing: VM is 1 then, and
the version is not used. Blanks inside fields do not count, but in a creator.

What DCMTK accepts goes far beyond that, and is accepted here: its numbers end where they no longer
are numbers, as in C's `scanf`.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from asyncfind.safe import safe

__all__ = ["Definition", "Fault", "Problem", "Span", "parse_line"]

_BLANKS: Final = b" \t\n\v\f\r"
_MAX_PART: Final = 63
"""DCMTK's buffers end here, without a check."""

_PUBLIC_VRS: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR "
    b"US UT UV".split()
)
_OWN_VRS: Final = frozenset(b"lt na ox pi px up xs".split())
_UNKNOWN_VR: Final = "??"
_USELESS_VRS: Final = frozenset((_UNKNOWN_VR, "pi"))
"""No attribute can have them: whoever wrote them meant another one."""

# As C's %x and %d: no way back once a digit is taken, and 0x alone is 0.
_HEX: Final = rb"([+-]?+(?:0[xX][0-9a-fA-F]*+|[0-9a-fA-F]++))"
_DEC: Final = rb"[+-]?+[0-9]++"
_RESTRICTED: Final = re.compile(_HEX + rb"-(.)-" + _HEX, re.DOTALL)
_RANGE: Final = re.compile(_HEX + rb"-" + _HEX)
_NUMBER: Final = re.compile(_HEX)
_VMS: Final = [
    (re.compile(pattern, re.DOTALL), open_end)
    for pattern, open_end in (
        (_DEC + rb"-" + _DEC + rb"(.)", True),
        (_DEC + rb"-" + _DEC, False),
        (_DEC + rb"-(.)", True),
        (_DEC + rb"(.)", True),
        (_DEC, False),
        (rb"(.)", True),
    )
]
"""The forms of a VM in the order they are tried; where the end is open it has to be an n."""


class Fault(StrEnum):
    """What is wrong with a line, in the words of DCMTK; it has none for a name."""

    TOO_FEW = "too few fields"
    TOO_MANY = "too many fields"
    TAG = "bad Tag field"
    VR = "bad VR field"
    VM = "bad VM field"
    NAME = "bad Name field"
    RESTRICTOR = "Unknown range restrictor"


class Problem(NamedTuple):
    """One thing that is wrong with a line.

    Args:
        field: what DCMTK shows of it: raw text of the file, not safe for a terminal.
    """

    fault: Fault
    field: str = ""


class Span(NamedTuple):
    """Which groups or elements a line is for.

    Args:
        low, high: the first and last number.
        parity: 0 for even and 1 for odd numbers alone, None for all.
    """

    low: int
    high: int
    parity: int | None

    def holds(self, number: int) -> bool:
        """Whether the line is for this group or element."""
        return self.low <= number <= self.high and self.parity in (None, number & 1)


class Definition(NamedTuple):
    """What a line says.

    Args:
        creator: who reserves the block of a private tag, its bytes as Latin-1; empty for all
            others.
        vr: of PS3.5 or DCMTK's own; `??` for what DCMTK takes without knowing it.
    """

    groups: Span
    elements: Span
    creator: str
    vr: str
    vm: str
    name: str

    @property
    def is_range(self) -> bool:
        """Whether it is for more than one tag."""
        return self.groups.low != self.groups.high or self.elements.low != self.elements.high

    @property
    def first_tag(self) -> int:
        """The tag that its name stands for."""
        return self.groups.low << 16 | self.elements.low


def parse_line(
    line: bytes, *, strict: bool = False
) -> tuple[Definition | None, tuple[Problem, ...]]:
    """What a line defines, if anything, and what is wrong with it, in DCMTK's order.

    Neither is there where the line is blank or a comment.

    Args:
        line: with or without its end; what follows a NUL is not part of it.
        strict: a VR that DCMTK takes without knowing it is wrong too, and a name with characters
            that cannot be shown or are no UTF-8.
    """
    line = line.partition(b"\0")[0].rstrip(_BLANKS)
    if line.lstrip(_BLANKS)[:1] in (b"", b"#"):
        return None, ()
    fields = line.split(b"\t")
    if len(fields) < 3:
        return None, (Problem(Fault.TOO_FEW),)
    if len(fields) > 5:
        return None, (Problem(Fault.TOO_MANY),)
    vm = _squeeze(fields[3]) if len(fields) > 3 else b"1"
    problems = [] if _is_vm(vm) else [Problem(Fault.VM, _text(vm))]
    tag, more = _parse_tag(fields[0].strip(_BLANKS))
    problems += more
    if tag is None or problems:
        return None, tuple(problems)
    vr = _vr(_squeeze(fields[1]))
    if vr is None or (strict and vr in _USELESS_VRS):
        return None, (Problem(Fault.VR, _text(_squeeze(fields[1]))),)
    name = _text(_squeeze(fields[2]))
    if strict and safe(name) != name:
        return None, (Problem(Fault.NAME, name),)
    return Definition(*tag, vr, _text(vm), name), ()


def _squeeze(field: bytes) -> bytes:
    return field.translate(None, _BLANKS)


def _text(field: bytes) -> str:
    """Text as the system hands over arguments, so that names in both compare equal."""
    return field.decode("utf-8", "surrogateescape")


def _is_vm(vm: bytes) -> bool:
    for pattern, open_end in _VMS:
        match = pattern.match(vm)
        if match is not None:
            return not open_end or match[1] in b"nN"
    return False


def _vr(field: bytes) -> str | None:
    """The VR that a field names; None where it looks like one of PS3.5 and is none."""
    vr = field[:2]
    if vr in _PUBLIC_VRS or vr in _OWN_VRS:
        return vr.decode("ascii")
    return None if len(vr) == 2 and vr.isalpha() and vr.isupper() else _UNKNOWN_VR


def _parse_tag(field: bytes) -> tuple[tuple[Span, Span, str] | None, list[Problem]]:
    """Groups, elements and creator; what is shown of a bad tag lacks blanks it had."""
    group, comma, rest = field[1:].partition(b",")
    if not (field.startswith(b"(") and field.endswith(b")") and comma):
        return None, [Problem(Fault.TAG, _text(field))]
    shown = field[: 1 + len(group)] + b","
    rest = rest.lstrip(_BLANKS)
    creator = b""
    if rest.startswith(b'"'):
        creator, quote, after = rest[1:].partition(b'"')
        after = after.lstrip(_BLANKS)
        if not quote or not after.startswith(b","):
            quoted = b'"' + creator + quote + after
            return None, [Problem(Fault.TAG, _text(shown + quoted))]
        shown += b'"' + creator + b'",'
        rest = after[1:]
    shown += rest
    spans = []
    for part in (group, rest.partition(b")")[0]):
        span, problems = _parse_span(_squeeze(part))
        if span is None or max(len(part), len(creator)) > _MAX_PART:
            return None, [*problems, Problem(Fault.TAG, _text(shown))]
        spans.append(span)
    return (spans[0], spans[1], creator.decode("latin_1")), []


def _parse_span(part: bytes) -> tuple[Span | None, list[Problem]]:
    match = _RESTRICTED.match(part)
    if match is not None:
        low, restrictor, high = match.groups()
        kind = restrictor.lower()
        if kind not in b"eou":
            return None, [Problem(Fault.RESTRICTOR, _text(restrictor))]
        parity = {b"e": 0, b"o": 1, b"u": None}[kind]
        return Span(_number(low), _number(high), parity), []
    match = _RANGE.match(part)
    if match is not None:
        return Span(_number(match[1]), _number(match[2]), 0), []
    match = _NUMBER.match(part)
    if match is not None:
        number = _number(match[1])
        return Span(number, number, None), []
    return None, []


def _number(digits: bytes) -> int:
    """As C reads it into an unsigned long, of which 16 bits are kept."""
    sign = -1 if digits.startswith(b"-") else 1
    value = int(digits.lstrip(b"+-").lower().removeprefix(b"0x") or b"0", 16)
    return 0xFFFF if value >> 64 else sign * value & 0xFFFF
