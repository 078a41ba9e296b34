"""`text`: answers as findscu prints them, decoded to UTF-8 and safe for a terminal."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import BinaryIO, Final

from asyncfind.errors import MalformedIdentifier
from asyncfind.plan import Plan
from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import TEXT_VRS, Element, Item
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import SYNTAXES
from asyncfind.query.values import element_texts
from asyncfind.records import Find, FindDone, Match, Record, Summary
from asyncfind.render.blocks import Blocks
from asyncfind.render.json_lines import undecodable
from asyncfind.safe import safe

__all__ = ["Dump"]

_STRINGS: Final = TEXT_VRS | frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"))
_SINGLE: Final = frozenset(("LT", "ST", "UT", "UR", "OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_RULE: Final = "-" * 27
_UNDEFINED: Final = 0xFFFFFFFF


class Dump:
    """Renders matches as text; what is no match is not shown."""

    def __init__(self, stream: BinaryIO) -> None:
        self._blocks = Blocks(stream)
        self._bad: Counter[Find] = Counter()
        self._several = False

    def begin(self, plan: Plan) -> None:
        """The node is named in each answer where there is more than one."""
        self._several = len(plan.peers) > 1

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Write each match."""
        counted: list[Record] = []
        pieces: list[str] = []
        current: Find | None = None
        for record in records:
            shown = record
            if isinstance(record, Match):
                if record.find is not current:
                    self._write(current, pieces)
                    current = record.find
                pieces.append(self._match(record))
            elif isinstance(record, FindDone):
                self._write(current, pieces)
                if bad := self._bad.pop(record.find, 0):
                    shown = undecodable(record, bad)
                self._blocks.end(record.find)
            counted.append(shown)
        self._write(current, pieces)
        self._blocks.flush()
        return counted

    def end(self, summary: Summary) -> None:
        """Write what queries without end left."""
        self._blocks.close()
        self._blocks.flush()

    def _write(self, find: Find | None, pieces: list[str]) -> None:
        if find is not None and pieces:
            self._blocks.write(find, "".join(pieces).encode())
            pieces.clear()

    def _match(self, match: Match) -> str:
        syntax = SYNTAXES[match.transfer_syntax]
        words = "Pending" if match.status == 0xFF00 else "Pending: WarningUnsupportedOptionalKeys"
        node = f"{safe(match.find.peer.node)} " if self._several else ""
        head = f"{_RULE}\n{node}Find Response: {match.number} ({words})\n\n"
        try:
            item = read_item(match.identifier, syntax)
        except MalformedIdentifier as exc:
            self._bad[match.find] += 1
            return f"{head}# {exc.text}; {len(match.identifier)} bytes\n\n"
        lines = [head, "# Dicom-Data-Set\n# Used TransferSyntax: ", syntax.name, "\n"]
        _dump(item, charsets_of(item), "", lines)
        lines.append("\n")
        return "".join(lines)


def _dump(item: Item, charsets: tuple[str, ...], indent: str, lines: list[str]) -> None:
    """Append the lines of `item`; the reader bounds the depth to 64."""
    for element in item.elements.values():
        tag, vr, value, length = element
        before, after = _around(tag, vr)
        if isinstance(value, list):
            _dump_sequence(element, value, charsets, indent, lines)
            continue
        shown, vm = _value(element, value, charsets)
        lines.append(f"{indent}{before}{shown:<40} # {length:>3},{vm:>2} {after}\n")


def _dump_sequence(
    element: Element,
    items: list[Item],
    charsets: tuple[str, ...],
    indent: str,
    lines: list[str],
) -> None:
    before, after = _around(element.tag, element.vr)
    kind, length, end = _extent(element.length, "Sequence", "re-encod.")
    lines.append(f"{indent}{before}{f'({kind} #={len(items)})':<40} # {length},{1:>2} {after}\n")
    for item in items:
        kind, length, close = _extent(item.length, "Item", "re-encoding")
        count = len(item.elements)
        lines.append(
            f"{indent}  (fffe,e000) na {f'({kind} #={count})':<40} # {length},{1:>2} Item\n"
        )
        _dump(item, charsets_of(item) or charsets, indent + "    ", lines)
        lines.append(f"{indent}  (fffe,e00d) na {close:<40} #   0, 0 ItemDelimitationItem\n")
    lines.append(f"{indent}(fffe,e0dd) na {end:<40} #   0, 0 SequenceDelimitationItem\n")


def _extent(length: int, what: str, explicit: str) -> tuple[str, str, str]:
    name = f"{what}DelimitationItem"
    if length == _UNDEFINED:
        return f"{what} with undefined length", "u/l", f"({name})"
    return f"{what} with explicit length", f"{length:>3}", f"({name} for {explicit})"


@lru_cache(maxsize=4096)
def _around(tag: int, vr: str) -> tuple[str, str]:
    group, number = tag >> 16, tag & 0xFFFF
    name = keyword_of(tag)
    if not name:
        private_creator = group & 1 and 0x10 <= number <= 0xFF
        name = "PrivateCreator" if private_creator else "Unknown Tag & Data"
        if number == 0:
            name = "GenericGroupLength"
    return f"({group:04x},{number:04x}) {vr} ", name


def _value(element: Element, value: bytes, charsets: tuple[str, ...]) -> tuple[str, int]:
    """A leaf's value as shown, and its multiplicity."""
    vr = element.vr
    if not value:
        return "(no value available)", 1 if vr in ("OB", "OW", "UN") else 0
    if vr not in _STRINGS:
        texts = element_texts(element, charsets)
        return "\\".join(texts), 1 if vr in _SINGLE else len(texts)
    if vr == "UI":
        value = value.rstrip(b"\0")
    plain = value.isascii() and b"\x1b" not in value  # ISO 2022 escapes are ASCII too
    text = value.decode("ascii") if plain else decode_text(value, charsets, vr)[0]
    return f"[{safe(text)}]", 1 if vr in _SINGLE else text.count("\\") + 1
