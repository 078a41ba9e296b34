"""The columns of a query: its return keys, in the order asked."""

from dataclasses import dataclass

__all__ = ["Column"]


@dataclass(frozen=True, slots=True)
class Column:
    """One leaf key of a query.

    Args:
        path: tags from the outside in; all but the last are sequences (first item).
        name: keywords joined by dots, `ScheduledProcedureStepSequence.Modality`.
        vr: of the leaf.
    """

    path: tuple[int, ...]
    name: str
    vr: str
