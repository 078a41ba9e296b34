"""What DCMTK tells at debug level when it writes a data set: group lengths, and other VRs."""

from itertools import groupby
from typing import Final

from asyncfind.findscu.voice import Voice
from asyncfind.findscu.vrs import show_tag
from asyncfind.findscu.walk import leaves
from asyncfind.query.element import LONG_VRS, Element, Item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from asyncfind.query.writer import write_item

__all__ = ["tell_long_values", "with_group_lengths"]

_UL_SIZE: Final = 4
_MAX_SHORT: Final = 0xFFFF


def with_group_lengths(
    item: Item, syntax: TransferSyntax, data: Voice, *, undefined_lengths: bool
) -> Item:
    """The data set with all group lengths of VR UL, after their lengths have been told.

    Args:
        item: VRs of PS3.5 alone.
        syntax: what it will be written in.
        undefined_lengths: as `write_item` has it.
    """
    plain = EXPLICIT_VR_LITTLE_ENDIAN if syntax.deflated else syntax
    return _Groups(plain, data, undefined_lengths).of(item)


def tell_long_values(item: Item, syntax: TransferSyntax, data: Voice, *, new_vr: bool) -> None:
    """Tell of values that are too long for their VR in Explicit VR encoding.

    Args:
        item: VRs of PS3.5 alone.
    """
    if not syntax.explicit:
        return
    for element in leaves(item):
        if len(element.value) > _MAX_SHORT and element.vr not in LONG_VRS:
            data.debug(
                f"DcmObject::writeTagAndLength() Length of element {show_tag(element.tag)} "
                "exceeds maximum of 16-bit length field, changing VR to "
                f"{'UN' if new_vr else 'OB'}"
            )


class _Groups:
    def __init__(self, syntax: TransferSyntax, data: Voice, undefined_lengths: bool) -> None:
        self._syntax = syntax
        self._data = data
        self._undefined = undefined_lengths

    def of(self, item: Item) -> Item:
        """Visit an item: what is in a sequence is told when it is met."""
        copy = Item(length=item.length)
        waiting: tuple[int, list[Element]] | None = None
        for group, members in groupby(sorted(item.elements), key=lambda tag: tag >> 16):
            has_length = False
            done: list[Element] = []
            for place, tag in enumerate(members):
                element = item.elements[tag]
                if isinstance(element.value, list):
                    items = [self.of(inner) for inner in element.value]
                    element = element._replace(value=items)
                elif place == 0 and not tag & 0xFFFF:
                    has_length = True
                    element = self._length(element)
                if place == 0 and waiting is not None:
                    self._tell(*waiting)
                done.append(element)
            waiting = (group, done[1:]) if has_length else None
            copy.elements.update((element.tag, element) for element in done)
        return copy

    def _length(self, element: Element) -> Element:
        if element.vr == "UL":
            return element
        self._data.warn("DcmItem: Group Length with VR other than UL found, corrected")
        return Element(element.tag, "UL", bytes(_UL_SIZE), _UL_SIZE)

    def _tell(self, group: int, elements: list[Element]) -> None:
        rest = Item({element.tag: element for element in elements})
        size = len(write_item(rest, self._syntax, undefined_lengths=self._undefined))
        self._data.debug(
            f"DcmItem::computeGroupLengthAndPadding() Length of Group 0x{group:04x} len={size}"
        )
