"""Responses waiting for one write."""

from collections.abc import Callable

from asyncfind.ul.pdu import PDV

__all__ = ["Batch"]


class Batch:
    """Pending responses of one query, as fragments.

    Args:
        fragments: makes the fragments of a response from its status and identifier. Responses
            that are not longer than one that took two fragments, command and identifier, are put
            together here: their commands are the same.

    Attributes:
        size: bytes of the identifiers that wait.
        total: responses added, ever.
    """

    def __init__(self, fragments: Callable[[int, bytes], list[PDV]]) -> None:
        self.size = 0
        self.total = 0
        self._fragments = fragments
        self._heads: dict[int, PDV] = {}
        self._fits = -1
        self._pdvs: list[PDV] = []
        self._responses = 0

    def add(self, status: int, identifier: bytes) -> None:
        """Add a response."""
        head = self._heads.get(status)
        if head is not None and len(identifier) <= self._fits:
            self._pdvs += (head, PDV(head.context_id, False, True, identifier))
        else:
            pdvs = self._fragments(status, identifier)
            self._pdvs += pdvs
            if len(pdvs) == 2:
                self._heads[status] = pdvs[0]
                self._fits = max(self._fits, len(identifier))
        self.size += len(identifier)
        self.total += 1
        self._responses += 1

    def take(self) -> tuple[list[PDV], int]:
        """The fragments that wait, and how many responses they are."""
        taken = self._pdvs, self._responses
        self._pdvs, self._responses, self.size = [], 0, 0
        return taken
