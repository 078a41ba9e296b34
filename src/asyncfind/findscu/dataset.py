"""Data sets in memory as DCMTK has them: VRs of its own, lengths that writing fills in."""

from collections.abc import Callable, Mapping
from typing import Final

from asyncfind.findscu.groups import tell_long_values, with_group_lengths
from asyncfind.findscu.voice import Voice
from asyncfind.findscu.vrs import ALIASES, STRINGS
from asyncfind.findscu.walk import leaves
from asyncfind.query.compat import without_new_vrs
from asyncfind.query.dcmtk_dictionary import DataDictionary, uid_name_of, uid_of_name
from asyncfind.query.element import LONG_VRS, TEXT_VRS, Element, Item
from asyncfind.query.syntax import TransferSyntax
from asyncfind.query.writer import pad_value, write_item

__all__ = [
    "Words",
    "corrected",
    "decide_vr",
    "encode",
    "filled_in",
    "has_fragments",
    "leaves",
    "without_blanks",
    "without_fragments",
]

_UNDEFINED: Final = 0xFFFFFFFF
_PIXEL_REPRESENTATION: Final = 0x00280103
_PIXEL_DATA: Final = 0x7FE00010
_OVERLAY_DATA: Final = 0x60003000
_CURVE_DATA: Final = 0x50003000
_WAVEFORM: Final = frozenset((0x54000110, 0x54000112, 0x5400100A, 0x54001010))
_WAVEFORM_BITS: Final = 0x54001004
_PADDING: Final = 0xFFFCFFFC
_DELIMITERS: Final[Mapping[int, str]] = {
    0xFFFEE000: "Item",
    0xFFFEE00D: "ItemDelimitationItem",
    0xFFFEE0DD: "SequenceDelimitationItem",
}
_FOLLOW_PIXELS: Final = frozenset(
    (
        *(0x00280120, 0x00280121, 0x00603004, 0x00603006, 0x00189810, 0x00280106, 0x00280107),
        *(0x00280108, 0x00280109, 0x00283002, 0x00409211, 0x00409216),
    )
)
"""US or SS by Pixel Representation (PS3.3 C.7.6.3); DCMTK decides for no others."""


class Words:
    """The data dictionary in the words of the log and of keys.

    Args:
        dictionary: of the run.
    """

    def __init__(self, dictionary: DataDictionary) -> None:
        self._dictionary = dictionary

    def name_of(self, tag: int, creator: str = "") -> str:
        """The name in the last column of a dump."""
        return _DELIMITERS.get(tag) or self._dictionary.name_of(tag, creator)

    def vr_of(self, tag: int, creator: str = "") -> str:
        """The VR, in DCMTK's terms; `??` where it is unknown."""
        entry = self._dictionary.entry(tag, creator) or self._dictionary.entry(tag)
        return "??" if entry is None else entry.vr

    def tag_of(self, name: str) -> int | None:
        """The tag of a name."""
        return self._dictionary.tag_of(name.encode("latin_1").decode("utf-8", "surrogateescape"))

    def uid_name_of(self, uid: str) -> str | None:
        """The name that stands for a UID."""
        return uid_name_of(uid)

    def uid_of_name(self, name: str) -> str | None:
        """The UID that has a name."""
        return uid_of_name(name)


def encode(
    item: Item, syntax: TransferSyntax, data: Voice, *, new_vr: bool, deflate_level: int
) -> bytes:
    """Encode a data set as findscu sends it.

    Args:
        data: the logger of DCMTK's data module.
        new_vr: keep the VRs that came after 1993 (`+u`).

    Raises:
        InvalidRequest: it `has_fragments`.
    """
    valid = with_group_lengths(with_valid_vrs(item), syntax, data, undefined_lengths=False)
    tell_long_values(valid, syntax, data, new_vr=new_vr)
    if not new_vr:
        valid = without_new_vrs(_with_long_as_bytes(valid))
    return write_item(valid, syntax, deflate_level=deflate_level)


def _with_long_as_bytes(item: Item) -> Item:
    """The data set with text padded as text, and values too long for their VR as OB."""
    copy = Item(length=item.length)
    for tag, element in item.elements.items():
        vr, value = element.vr, element.value
        if isinstance(value, list):
            value = [_with_long_as_bytes(inner) for inner in value]
        else:
            value = pad_value(vr, value)
            vr = "OB" if len(value) > 0xFFFF and vr not in LONG_VRS else vr
        copy.elements[tag] = element._replace(vr=vr, value=value)
    return copy


def has_fragments(item: Item) -> bool:
    """Whether there are encapsulated pixel data anywhere, which no query can carry."""
    return any(element.length == _UNDEFINED for element in leaves(item))


def without_fragments(item: Item) -> tuple[Item, int]:
    """What comes before the first encapsulated pixel data.

    Returns:
        The data set, and within how many sequences the pixel data stand.
    """
    before = Item(length=item.length)
    for tag in sorted(item.elements):
        element = item.elements[tag]
        if not has_fragments(Item({tag: element})):
            before.elements[tag] = element
            continue
        if not isinstance(element.value, list):
            return before, 0
        place = next(place for place, inner in enumerate(element.value) if has_fragments(inner))
        last, depth = without_fragments(element.value[place])
        before.elements[tag] = element._replace(value=[*element.value[:place], last])
        return before, depth + 1
    return before, 0


def without_blanks(item: Item) -> Item:
    """The data set with text of odd length padded with NUL, not with a blank."""

    def pad(vr: str, value: bytes) -> bytes:
        return value + b"\0" if vr in STRINGS and len(value) % 2 else value

    return _mapped(item, pad)


def without_padding(item: Item) -> Item:
    """The data set as +dc has it converted to UTF-8: what stays as it is keeps its padding."""

    def strip(vr: str, value: bytes) -> bytes:
        if vr in TEXT_VRS and value.isascii() and b"\x1b" not in value:
            return value
        return _stripped(vr, value)

    return _mapped(item, strip)


def corrected(item: Item) -> Item:
    """The data set as +dc has it sent: text without padding."""
    return _mapped(item, _stripped)


def _stripped(vr: str, value: bytes) -> bytes:
    return value.rstrip(b"\0" if vr == "UI" else b" ") if vr in STRINGS else value


def loaded(item: Item) -> Item:
    """The data set after DCMTK has looked at it: text is no longer left in its file."""

    def load(vr: str, value: bytes) -> bytes:
        return bytes(value) if vr in STRINGS else value

    return _mapped(item, load)


def _mapped(item: Item, change: Callable[[str, bytes], bytes]) -> Item:
    """A copy of `item` with every value changed; lengths stay."""
    copy = Item(length=item.length)
    for tag, element in item.elements.items():
        value = element.value
        if isinstance(value, list):
            element = element._replace(value=[_mapped(inner, change) for inner in value])
        else:
            element = element._replace(value=change(element.vr, value))
        copy.elements[tag] = element
    return copy


def with_valid_vrs(item: Item) -> Item:
    """The data set with the VRs that DCMTK writes for its own."""
    copy = Item(length=item.length)
    for tag, element in item.elements.items():
        value = element.value
        if isinstance(value, list):
            element = element._replace(value=[with_valid_vrs(inner) for inner in value])
        elif element.vr in ALIASES:
            element = element._replace(vr=ALIASES[element.vr])
        copy.elements[tag] = element
    return copy


def filled_in(item: Item, syntax: TransferSyntax) -> Item:
    """The data set as it is in memory once it has been written in `syntax`: values padded, lengths
    of sequences and items known, Data Set Trailing Padding gone.
    """
    copy = Item()
    size = 0
    for tag in sorted(item.elements):
        if tag == _PADDING:
            continue
        vr, value, length = item.elements[tag][1:]
        if isinstance(value, list):
            value = [filled_in(inner, syntax) for inner in value]
            length = sum(8 + inner.length for inner in value)
        elif length != _UNDEFINED:
            value = pad_value(vr, value) if len(value) % 2 else value
            length = len(value)
        copy.elements[tag] = Element(tag, vr, value, length)
        is_long = not syntax.explicit or ALIASES.get(vr, vr) not in LONG_VRS
        size += length + (8 if is_long else 12)
    copy.length = size
    return copy


def decide_vr(item: Item, tag: int, vr: str) -> tuple[str, str]:
    """The VR of `tag` in `item` where the dictionary leaves a choice, and why, as the log has it.

    Args:
        vr: the dictionary's; it stays where nothing decides.
    """
    if vr == "xs" and tag in _FOLLOW_PIXELS:
        representation = _first_word(item, _PIXEL_REPRESENTATION)
        if representation is not None:
            reason = " because PixelRepresentation (0028,0103) has a value "
            if representation == 1:
                return "SS", f"{reason}of 1"
            return "US", f"{reason}that is different from 1"
    elif vr == "ox" and tag in _WAVEFORM:
        bits = _first_word(item, _WAVEFORM_BITS)
        if bits is not None:
            reason = " because WaveformBitsAllocated (5400,1004) has a value "
            if bits == 8:
                return "OB", f"{reason}of 8"
            return "OW", f"{reason}that is different from 8"
    elif vr == "ox" and (tag == _PIXEL_DATA or tag & 0xFF00FFFF == _OVERLAY_DATA):
        return "OW", ""
    elif vr == "ox" and tag & 0xFF00FFFF == _CURVE_DATA:
        return "OB", ""
    return vr, ""


def _first_word(item: Item, tag: int) -> int | None:
    element = item.elements.get(tag)
    if element is None or element.vr not in ("US", "xs") or len(element.value) < 2:
        return None
    assert isinstance(element.value, bytes)
    return int.from_bytes(element.value[:2], "little")
