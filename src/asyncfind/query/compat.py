"""Identifiers for peers that know the value representations of 1993 only."""

from typing import Final

from asyncfind.query.element import Element, Item

__all__ = ["without_new_vrs"]

_NEW_VRS: Final = frozenset(("OD", "OF", "OL", "OV", "SV", "UC", "UN", "UR", "UT", "UV"))


def without_new_vrs(item: Item) -> Item:
    """A copy of `item` in which every VR that came after 1993 is OB, as findscu's -u sends it."""
    copy = Item(length=item.length)
    for tag, (_, vr, value, length) in item.elements.items():
        if isinstance(value, list):
            value = [without_new_vrs(inner) for inner in value]
        elif vr in _NEW_VRS:
            vr = "OB"
        copy.elements[tag] = Element(tag, vr, value, length)
    return copy
