"""`text`: answers as findscu prints them, decoded to UTF-8 and safe for a terminal."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Plan
from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import TEXT_VRS, Element, Item
from asyncfind.query.syntax import SYNTAXES
from asyncfind.query.values import element_texts
from asyncfind.records import Find, FindDone, Match, Summary
from asyncfind.render.tally import is_satisfied
from asyncfind.safe import safe

__all__ = ["Dump", "dump_item"]

_STRINGS: Final = TEXT_VRS | frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"))
_SINGLE: Final = frozenset(("LT", "OB", "OD", "OF", "OL", "OV", "OW", "ST", "UN", "UR", "UT"))
"""VRs whose value is one, whatever is in it."""
_EMPTY_IS_ONE: Final = frozenset(("OB", "OW", "UN"))
_RULE: Final = "-" * 27
_NO_VALUE: Final = "(no value available)".ljust(40)
_UNDEFINED: Final = 0xFFFFFFFF
_CHARACTER_SET: Final = 0x00080005
_WORDS: Final = {0xFF00: "Pending", 0xFF01: "Pending: WarningUnsupportedOptionalKeys"}

_BACKSLASH: Final = "\\"

_SHORT: Final = 256
_PADS: Final = tuple("]" + " " * (38 - size) for size in range(_SHORT))
"""What follows a value of so many characters in brackets, to make 40."""
_LENGTHS: Final = tuple(f" # {length:>3}," for length in range(_SHORT))


class _Shape:
    """Which elements a data set has, and the parts of their lines that do not depend on values.

    The answers to a query have few shapes, mostly one.

    Args:
        is_plain: all values are strings, so that they can be decoded at once.
    """

    __slots__ = ("befores", "is_plain", "names")

    def __init__(self, tags: Sequence[int], vrs: Sequence[str]) -> None:
        around = [_around(tag, vr) for tag, vr in zip(tags, vrs, strict=True)]
        self.befores = [before for before, _ in around]
        self.names = [name + "\n" for _, name in around]
        self.is_plain = all(vr in _STRINGS and vr not in _SINGLE for vr in vrs)


class Dump:
    """The form of findscu's responses, without its log prefix.

    Where a plan has more than one node, query or repetition, each answer says what it belongs to.

    Args:
        strip: show values without their trailing padding (`+dc`).
    """

    def __init__(self, *, strip: bool = False) -> None:
        self._strip = strip
        self._several_nodes = self._several_queries = self._repeats = False
        self._find: Find | None = None
        self._about = ""

    def begin(self, plan: Plan) -> str:
        self._several_nodes = len(plan.peers) > 1
        self._several_queries = len(plan.queries) > 1
        self._repeats = plan.repeat > 1
        return ""

    def opening(self, find: Find) -> str:
        return ""

    def match(self, match: Match, item: Item) -> str:
        syntax = SYNTAXES[match.transfer_syntax].name
        dump = dump_item(_without_padding(item) if self._strip else item)
        return f"{self._head(match)}# Dicom-Data-Set\n# Used TransferSyntax: {syntax}\n{dump}\n"

    def undecodable(self, match: Match, error: MalformedIdentifier) -> str:
        return f"{self._head(match)}# {error.text}; {len(match.identifier)} bytes\n\n"

    def done(self, done: FindDone) -> str:
        if is_satisfied(done) or not done.matches:
            return ""  # where there is nothing to mark, standard error says it
        about = self._name(done.find)
        return f"{_RULE}\n# Not complete ({done.verdict}): {safe(done.error)}\n{about}\n"

    def end(self, summary: Summary) -> str:
        return ""

    def _head(self, match: Match) -> str:
        if match.find is not self._find:
            self._find = match.find
            self._about = self._name(match.find)
        words = _WORDS.get(match.status, f"Pending: {match.status:04X}")
        return f"{_RULE}\nFind Response: {match.number} ({words})\n{self._about}\n"

    def _name(self, find: Find) -> str:
        lines = []
        if self._several_nodes:
            lines.append(f"# Node: {safe(find.peer.node)}\n")
        if self._several_queries:
            lines.append(f"# Query: {safe(find.query.label)}\n")
        if self._repeats:
            lines.append(f"# Repeat: {find.repeat}\n")
        return "".join(lines)


def _without_padding(item: Item) -> Item:
    """A copy of `item` whose strings have no trailing blanks; lengths stay as they were."""
    copy = Item(length=item.length, assumed=item.assumed)
    for tag, element in item.elements.items():
        value = element.value
        if isinstance(value, list):
            element = element._replace(value=[_without_padding(inner) for inner in value])
        elif element.vr in _STRINGS:
            element = element._replace(value=value.rstrip(b" \0"))
        copy.elements[tag] = element
    return copy


_shapes: Final[dict[tuple[tuple[int, ...], tuple[str, ...]], _Shape]] = {}
_MAX_SHAPES: Final = 256


def dump_item(item: Item) -> str:
    """The lines of a data set, each element's in the order received, each with its line feed."""
    if not item.elements:
        return ""
    columns = zip(*item.elements.values(), strict=True)
    tags: tuple[int, ...] = next(columns)
    vrs: tuple[str, ...] = next(columns)
    shape = _shapes.get((tags, vrs))
    if shape is None:
        if len(_shapes) >= _MAX_SHAPES:
            _shapes.clear()
        shape = _shapes[tags, vrs] = _Shape(tags, vrs)
    charsets = charsets_of(item)
    if shape.is_plain:
        values: Sequence[bytes] = next(columns)
        odd: list[int] = []
        if not b"".join(values).isascii():
            odd = [index for index, value in enumerate(values) if not value.isascii()]
            values = [value if value.isascii() else b"" for value in values]
        lines = _plain_lines(shape, values, next(columns))
        if lines is not None:
            for index in odd:
                lines[index] = _leaf_line(item.elements[tags[index]], charsets)
            return "".join(lines)
    lines = []
    _dump(item, charsets, "", lines)
    return "".join(lines)


def _plain_lines(
    shape: _Shape, values: Sequence[bytes], lengths: tuple[int, ...]
) -> list[str] | None:
    """The lines of a data set of short printable ASCII strings; None where it is anything else.

    Nearly every answer is: what is done for each element here is what `text` costs.
    """
    joined = b"\n".join(values)
    if 0 in joined:  # UIDs are padded with NUL (PS3.5 Section 9.1)
        joined = (joined + b"\n").replace(b"\0\n", b"\n")[:-1]
    text = joined.decode("ascii")
    texts = text.split("\n")
    if len(texts) != len(values) or not "".join(texts).isprintable():
        return None
    parts = zip(shape.befores, texts, lengths, shape.names, strict=True)
    has_several = _BACKSLASH in text
    try:
        return [
            f"{before}[{value}{_PADS[len(value)]}{_LENGTHS[length]}{_vm(value)}{name}"
            if has_several and _BACKSLASH in value
            else f"{before}[{value}{_PADS[len(value)]}{_LENGTHS[length]} 1 {name}"
            if value
            else f"{before}{_NO_VALUE}{_LENGTHS[length]} 0 {name}"
            for before, value, length, name in parts
        ]
    except IndexError:  # a long value
        return None


def _vm(value: str) -> str:
    return f"{value.count(_BACKSLASH) + 1:>2} "


def _dump(item: Item, charsets: tuple[str, ...], indent: str, lines: list[str]) -> None:
    """Append the lines of `item`; the reader bounds the depth to 64."""
    for element in item.elements.values():
        if isinstance(element.value, list):
            _dump_sequence(element, element.value, charsets, indent, lines)
        else:
            lines.append(_leaf_line(element, charsets, indent))


def _leaf_line(element: Element, charsets: tuple[str, ...], indent: str = "") -> str:
    tag, vr, _, length = element
    before, name = _around(tag, vr)
    shown, vm = _value(element, charsets)
    size = "u/l" if length == _UNDEFINED else f"{length:>3}"
    return f"{indent}{before}{_pad(shown)} # {size},{vm:>2} {name}\n"


def _dump_sequence(
    element: Element,
    items: list[Item],
    charsets: tuple[str, ...],
    indent: str,
    lines: list[str],
) -> None:
    before, name = _around(element.tag, "SQ")
    kind, length, end = _extent(element.length, "Sequence", "re-encod.")
    lines.append(f"{indent}{before}{f'({kind} #={len(items)})':<40} # {length}, 1 {name}\n")
    for item in items:
        kind, length, close = _extent(item.length, "Item", "re-encoding")
        shown = f"({kind} #={len(item.elements)})"
        lines.append(f"{indent}  (fffe,e000) na {shown:<40} # {length}, 1 Item\n")
        # "... the Specific Character Set of the item", else that of what encloses it (PS3.5 7.5.3)
        own = charsets_of(item) if _CHARACTER_SET in item.elements else charsets
        _dump(item, own, indent + "    ", lines)
        lines.append(f"{indent}  (fffe,e00d) na {close:<40} #   0, 0 ItemDelimitationItem\n")
    lines.append(f"{indent}(fffe,e0dd) na {end:<40} #   0, 0 SequenceDelimitationItem\n")


def _extent(length: int, what: str, explicit: str) -> tuple[str, str, str]:
    """Words for how something with delimiters was encoded: itself, its length, its end."""
    name = f"{what}DelimitationItem"
    if length == _UNDEFINED:
        return f"{what} with undefined length", "u/l", f"({name})"
    return f"{what} with explicit length", f"{length:>3}", f"({name} for {explicit})"


@lru_cache(maxsize=4096)
def _around(tag: int, vr: str) -> tuple[str, str]:
    """What stands before an element's value, and its name."""
    group, number = tag >> 16, tag & 0xFFFF
    name = keyword_of(tag)
    if number == 0:
        name = "GenericGroupLength"
    elif not name:
        is_creator = group & 1 and 0x10 <= number <= 0xFF
        name = "PrivateCreator" if is_creator else "Unknown Tag & Data"
    return f"({group:04x},{number:04x}) {vr} ", name


def _value(element: Element, charsets: tuple[str, ...]) -> tuple[str, int]:
    """A leaf's value as shown, and its multiplicity."""
    _, vr, value, _ = element
    if vr not in _STRINGS or isinstance(value, list):
        texts = element_texts(element, charsets)
        if not texts:
            return "(no value available)", 1 if vr in _EMPTY_IS_ONE else 0
        return "\\".join(texts), 1 if vr in _SINGLE else len(texts)
    value = value.rstrip(b"\0")
    if not value:
        return "(no value available)", 0
    text = value.decode("ascii") if value.isascii() else decode_text(value, charsets, vr)[0]
    if not (text.isascii() and text.isprintable()):
        # ISO 2022 escapes are ASCII too.
        text = safe(decode_text(value, charsets, vr)[0] if "\x1b" in text else text)
    return f"[{text}]", 1 if vr in _SINGLE else text.count("\\") + 1


def _pad(shown: str) -> str:
    """Fill up to 40 columns of a terminal; wide characters take two of them."""
    if shown.isascii():
        return shown.ljust(40)
    width = sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "FW" else 1
        for char in shown
    )
    return shown + " " * (40 - width)
