"""Values of a data set as DCMTK meets them: in its order, and some not before they are needed."""

from collections.abc import Iterator

from asyncfind.query.element import Element, Item

__all__ = ["Deferred", "leaves"]


class Deferred(bytes):
    """A long value of a file, which DCMTK leaves there as long as it can."""

    __slots__ = ()


def leaves(item: Item) -> Iterator[Element]:
    """All elements but sequences, in order; of a sequence those in its items."""
    pending = [_in_order(item)]
    while pending:
        element = next(pending[-1], None)
        if element is None:
            pending.pop()
        elif isinstance(element.value, list):
            pending += map(_in_order, reversed(element.value))
        else:
            yield element


def _in_order(item: Item) -> Iterator[Element]:
    return iter([item.elements[tag] for tag in sorted(item.elements)])
