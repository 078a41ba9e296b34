"""Data sets made from a seed, in any transfer syntax, most of them with something wrong."""

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

__all__ = [
    "SYNTAXES",
    "change_byte",
    "cut_off",
    "cut_up",
    "data_set",
    "invent",
    "is_sorted",
    "spoil",
]

SYNTAXES = {
    "explicit": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "big": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}
_LONG = {
    *("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"),
    *("ox", "px", "lt"),
}
_UNDEFINED = 0xFFFFFFFF
_ODD_VRS = ("??", "ZZ", "  ", "\0\0", "ox", "OX", "xs", "na", "pi", "lt", "up", "Pn", "1a", "px")


@dataclass(frozen=True)
class Element:
    """One data element.

    Args:
        value: in little endian; a list of items for a sequence.
        length: instead of the right one.
        undefined: undefined lengths for the sequence and its items.
        ends: write the delimiters that undefined lengths need.
        inner: how the items are encoded, if not like the rest.
    """

    group: int
    number: int
    vr: str
    value: "bytes | list[list[Element]]"
    length: int | None = None
    undefined: bool = False
    ends: bool = True
    inner: str = ""


def _text(group: int, number: int, vr: str, text: str) -> Element:
    value = text.encode("latin_1")
    return Element(group, number, vr, value + (b"\0" if vr == "UI" else b" ") * (len(value) % 2))


def _code(value: str) -> list[Element]:
    return [_text(8, 0x100, "SH", value), _text(8, 0x102, "SH", "L")]


_POOL: tuple[Callable[[], Element], ...] = (
    lambda: _text(8, 5, "CS", "ISO_IR 100"),
    lambda: _text(8, 5, "CS", "\\ISO 2022 IR 100\\ISO 2022 IR 126"),
    lambda: _text(8, 5, "CS", "ISO_IR 6"),
    lambda: _text(8, 5, "CS", "ISO_IR 999"),
    lambda: _text(8, 5, "CS", "ISO 2022 IR 100\\ISO 2022 IR 100"),
    lambda: _text(8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2"),
    lambda: _text(8, 0x18, "UI", "1.2.3.4"),
    lambda: _text(8, 0x20, "DA", "20200131"),
    lambda: _text(8, 0x60, "CS", "CT"),
    lambda: _text(8, 0x1030, "LO", "M\xfcller \x1b-F\xe1\xe2 x"),
    lambda: _text(0x10, 0x10, "PN", "M\xfcller^A=B"),
    lambda: _text(0x10, 0x20, "LO", "ID 1"),
    lambda: _text(0x10, 0x4000, "LT", "one\r\ntwo & <three> 'four'"),
    lambda: _text(0x20, 0xD, "UI", "1.2.34"),
    lambda: _text(0x20, 0x13, "IS", " 7 "),
    lambda: Element(0x28, 0x10, "US", b"\x00\x02"),
    lambda: Element(0x28, 0x103, "US", b"\x01\x00"),
    lambda: Element(0x28, 0x106, "SS", b"\xff\xff"),
    lambda: Element(0x28, 0x106, "US", b"\x05\x00"),
    lambda: Element(0x28, 9, "AT", b"\x18\x00\x63\x10"),
    lambda: Element(0x28, 0x1201, "OW", b"\x01\x02\x03\x04"),
    lambda: Element(0x28, 0x3006, "US", b"\x01\x02\x03\x04"),
    lambda: Element(0x28, 0x1101, "US", b"\x01\x02\x03\x04\x05\x06"),
    lambda: Element(0x18, 0x9087, "FD", struct.pack("<dd", 1.5, -0.1)),
    lambda: Element(0x18, 0x1149, "IS", b"12"),
    lambda: Element(0x66, 0x16, "OF", struct.pack("<f", 0.1)),
    lambda: Element(0x42, 0x11, "OB", b"\x01\x02\x03\x04"),
    lambda: Element(0x40, 0xA30A, "DS", b"1.50 "),
    lambda: Element(0x72, 0x7C, "SL", struct.pack("<i", -5)),
    lambda: Element(0x72, 0x82, "SV", struct.pack("<q", -5)),
    lambda: Element(0x8, 0x119, "UC", b"a\\b "),
    lambda: Element(0x9, 0x10, "LO", b"ACME"),
    lambda: Element(0x9, 0x1001, "LO", b"private "),
    lambda: Element(0x19, 0x10, "LO", b"SIEMENS MR HEADER "),
    lambda: Element(0x19, 0x100C, "IS", b"1000"),
    lambda: Element(0x8, 0x9999, "UN", b"\x01\x02"),
    lambda: Element(0x5400, 0x1004, "US", b"\x08\x00"),
    lambda: Element(0x5400, 0x100A, "OB", b"\x08\x00"),
    lambda: Element(0x6000, 0x3000, "OW", b"\x08\x00"),
    lambda: Element(0x7FE0, 0x10, "OW", b"\x01\x02\x03\x04"),
    lambda: Element(0xFFFC, 0xFFFC, "OB", b"\0\0"),
    lambda: Element(0x8, 0, "UL", b"\x10\0\0\0"),
    lambda: Element(0x40, 0x100, "SQ", [[_text(8, 0x60, "CS", "CT"), _text(0x40, 1, "AE", "A")]]),
    lambda: Element(0x40, 0x100, "SQ", [], undefined=True),
    lambda: Element(0x40, 0x100, "SQ", [[], [_text(8, 0x60, "CS", "MR")]], undefined=True),
    lambda: Element(0x40, 0x260, "SQ", [_code("A"), _code("B")], undefined=True),
    lambda: Element(
        *(0x40, 0x555, "SQ"),
        [[Element(0x40, 0xA043, "SQ", [_code("X")]), _text(0x40, 0xA160, "UT", "t")]],
    ),
    lambda: Element(0x8, 0x9990, "UN", [_code("U")], undefined=True, inner="implicit"),
    lambda: Element(0x9, 0x1010, "UN", [_code("P")], undefined=True, inner="implicit"),
    lambda: Element(0x10, 0x21C0, "US", b"\x04\x00"),
    lambda: Element(0x40, 0xA124, "UI", b"1.2.840.10008.1.1\0"),
    lambda: Element(0x10, 0x10, "PN", b"x" * 5000),
)


def invent(chance: random.Random) -> list[Element]:
    """Some elements in ascending order, each tag once."""
    found: dict[tuple[int, int], Element] = {}
    for make in chance.sample(_POOL, chance.randint(1, 7)):
        element = make()
        found.setdefault((element.group, element.number), element)
    return [found[tag] for tag in sorted(found)]


def spoil(chance: random.Random, elements: list[Element]) -> list[Element]:
    """Change one thing about a data set, on its outside or deep in it."""
    elements = list(elements)
    place = chance.randrange(len(elements)) if elements else 0
    if not elements:
        return [Element(0xFFFE, chance.choice((0xE000, 0xE00D, 0xE0DD)), "", b"")]
    one = elements[place]
    if isinstance(one.value, list) and one.value and chance.random() < 0.6:
        inner = list(one.value)
        at = chance.randrange(len(inner))
        inner[at] = spoil(chance, inner[at])
        elements[place] = replace(one, value=inner)
        return elements
    kind = chance.randrange(9)
    size = len(one.value) if isinstance(one.value, bytes) else 8
    if kind == 0:
        lengths = (size + 30_000, 70_000, _UNDEFINED)
        elements[place] = replace(one, length=chance.choice(lengths))
    elif (one.group, one.number) == (8, 5) and kind in (1, 8):
        pass  # text conversion by numbers is nobody's concern
    elif kind == 1:
        elements[place] = replace(one, vr=chance.choice(_ODD_VRS))
    elif kind == 2:
        elements.insert(chance.randrange(len(elements) + 1), one)
    elif kind == 3:
        chance.shuffle(elements)
    elif kind == 4:
        number = chance.choice((0xE000, 0xE00D, 0xE0DD, 0xE0AA))
        elements.insert(chance.randrange(len(elements) + 1), Element(0xFFFE, number, "", b""))
    elif kind == 5:
        group = chance.choice((1, 2, 3, 5, 7, 0, 0xFFFF))
        elements.insert(chance.randrange(len(elements) + 1), Element(group, 0x10, "LO", b"AB"))
    elif kind == 6:
        elements[place] = replace(one, undefined=True, ends=False)
    elif kind == 7:
        elements[place] = _fragments(chance)
    else:
        vr = chance.choice(("OB", "OW", "UN", "SQ", "LO", "US", "FD"))
        elements[place] = replace(one, vr=vr)
    return elements


def misalign(chance: random.Random, elements: list[Element]) -> list[Element]:
    """Give one element a length by which those behind it are no longer found.

    Not where there are items or large numbers: what then looks like a length may be more than
    memory can hold.
    """
    if b"\xff" in data_set(elements, "explicit"):
        return elements
    place = chance.randrange(len(elements))
    one = elements[place]
    size = len(one.value)
    length = chance.choice((size + 1, size + 2, max(size - 1, 0), 0))
    return [*elements[:place], replace(one, length=length), *elements[place + 1 :]]


def _fragments(chance: random.Random) -> Element:
    items = b"".join(
        struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item
        for item in ((b"", b"\xff\xd8\xff\xd9"), (b"",), (b"abc",))[chance.randrange(3)]
    )
    end = chance.choice((struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), b""))
    vr = chance.choice(("OB", "OW", "OB"))
    return Element(0x7FE0, 0x10, vr, items + end, length=_UNDEFINED)


def data_set(elements: list[Element], syntax: str) -> bytes:
    """Encode a data set, the wrong things about it included."""
    if syntax == "deflated":
        stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = stream.compress(data_set(elements, "explicit")) + stream.flush()
        return data + b"\0" * (len(data) % 2)
    return b"".join(_encode(element, syntax) for element in elements)


def _encode(element: Element, syntax: str) -> bytes:
    order = ">" if syntax == "big" else "<"
    if isinstance(element.value, bytes):
        value, length = element.value, len(element.value)
    else:
        value = b""
        for item in element.value:
            content = data_set(item, element.inner or syntax)
            size = _UNDEFINED if element.undefined else len(content)
            inner_order = "<" if element.inner else order
            value += struct.pack(inner_order + "HHI", 0xFFFE, 0xE000, size) + content
            if element.undefined and element.ends:
                value += struct.pack(inner_order + "HHI", 0xFFFE, 0xE00D, 0)
        if element.undefined and element.ends:
            end_order = "<" if element.inner else order
            value += struct.pack(end_order + "HHI", 0xFFFE, 0xE0DD, 0)
        length = _UNDEFINED if element.undefined else len(value)
    if element.length is not None:
        length = element.length
    head = struct.pack(order + "HH", element.group, element.number)
    if element.group == 0xFFFE or syntax == "implicit":
        return head + struct.pack(order + "I", length) + value
    code = element.vr.encode("latin_1")
    is_long = element.vr in _LONG or (code.isalpha() and code.isupper() and _is_future(element.vr))
    if is_long:
        return head + code + struct.pack(order + "xxI", length) + value
    return head + code + struct.pack(order + "H", length & 0xFFFF) + value


def _is_future(vr: str) -> bool:
    return vr in ("ZZ", "OX")


def cut_off(chance: random.Random, elements: list[Element], syntax: str) -> bytes:
    """The beginning of a data set: it ends in a header, in a value or behind a sequence's header.

    Not right behind the header of a value: DCMTK keeps a promise to load that, and breaks it in the
    middle of the line in which it shows the element.
    """
    place = chance.randrange(len(elements))
    last = elements[place]
    whole = data_set([last], syntax)
    size = len(whole)
    if isinstance(last.value, bytes):
        head = size - len(last.value)
    else:
        head = len(data_set([replace(last, value=[], undefined=False)], syntax))
    # Nor one byte before: a fragment is filled up to an even length.
    ends = list(range(1, head - 1))
    if isinstance(last.value, bytes):
        ends += range(head + 1, size)
    else:
        ends.append(head)
    return data_set(elements[:place], syntax) + whole[: chance.choice(ends)]


def change_byte(chance: random.Random, data: bytes) -> bytes:
    """A data set with another byte somewhere.

    A small one, and in small numbers: a length that comes of it must not be more than memory can
    hold. No NUL: what stands behind one in a value does not reach DCMTK's log lines.
    """
    if not data or b"\xff" in data:
        return data
    changed = bytearray(data)
    changed[chance.randrange(len(data))] = chance.randrange(1, 16)
    return bytes(changed)


def is_sorted(elements: list[Element]) -> bool:
    """Whether tags ascend and lengths are right, on the outside and in items."""
    tags = [(element.group, element.number) for element in elements]
    items = [item for one in elements if not isinstance(one.value, bytes) for item in one.value]
    are_right = all(element.length in (None, _UNDEFINED) for element in elements)
    are_ascending = all(a < b for a, b in pairwise(tags))
    return are_right and are_ascending and all(map(is_sorted, items))


def cut_up(chance: random.Random, data: bytes) -> list[bytes]:
    """Fragments of a data set, of even length but perhaps the last one; at least one.

    Not for one out of order: DCMTK loses track of elements that are not the last ones; nor with
    wrong lengths: it shows memory that nobody has written to where a value is not whole yet.

    None is empty: DCMTK stops there, and shows memory that nobody has written to where a value is
    not whole yet.
    """
    if chance.random() < 0.4:
        return [data + b"\0" * (len(data) % 2)]
    pieces = []
    pos = 0
    while pos < len(data):
        size = chance.choice((2, 4, 6, 8, 10, 12, 14, 30, 64, 200, 4096))
        pieces.append(data[pos : pos + size])
        pos += size
    if pieces and len(pieces[-1]) % 2 and chance.random() < 0.9:
        pieces[-1] += b"\0"
    return pieces or [b""]
