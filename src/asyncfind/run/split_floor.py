"""At how many rows a peer is known or suspected to cut its answers silently."""

from collections.abc import Hashable
from typing import Final

__all__ = ["Floor", "looks_like_limit"]

_REPEATED: Final = 50
"""Fewer rows than this come twice by chance."""
_POWERS: Final = frozenset(1 << power for power in range(6, 25))


def looks_like_limit(count: int) -> bool:
    """Whether somebody may have chosen this number: a multiple of 100, or a power of two."""
    return count > 0 and (count % 100 == 0 or count in _POWERS)


class Floor:
    """What the answers of one peer tell of its limits, by kind of query.

    A peer may have one limit for ranges and another one for single values, so a cut seen in one
    kind is only a suspicion in the others.

    Args:
        profile: the limit as known before; None where none is.
    """

    def __init__(self, profile: int | None = None) -> None:
        self._profile = profile
        self._learned: dict[Hashable, int] = {}
        self._whole: dict[Hashable, int] = {}
        self._seen: dict[Hashable, dict[int, int]] = {}
        self._guessed: set[tuple[Hashable, int]] = set()

    @property
    def rows(self) -> int | None:
        """The smallest count at which it cuts; None where nothing is known."""
        return min(self._known(), default=None)

    @property
    def is_learned(self) -> bool:
        """It is not the profile that says so."""
        return self.rows is not None and self.rows != self._profile

    def _known(self) -> list[int]:
        known = list(self._learned.values())
        return known if self._profile is None else [*known, self._profile]

    def learn(self, kind: Hashable, count: int) -> None:
        """An answer of so many rows was cut."""
        if count:
            self._learned[kind] = min(count, self._learned.get(kind, count))
            if count <= self._whole.get(kind, 0):
                del self._whole[kind]  # what seemed whole is to be looked at again

    def clear(self, kind: Hashable, count: int) -> None:
        """An answer of so many rows was whole: this kind is not cut below."""
        learned = self._learned.get(kind)
        if learned is None or count < learned:
            self._whole[kind] = max(count, self._whole.get(kind, 0))

    def note(self, kind: Hashable, count: int, answer: int) -> int | None:
        """Remember a count; returns which other answer had the same before, where that may matter.

        Args:
            answer: what the caller knows it by.
        """
        if count < _REPEATED or self._known():
            return None
        first = self._seen.setdefault(kind, {}).setdefault(count, answer)
        return None if first == answer else first

    def guess(self, kind: Hashable, count: int) -> None:
        """Two different queries had so many rows: it may be a limit, until one proves whole."""
        self._guessed.add((kind, count))

    def suspects(self, kind: Hashable, count: int) -> bool:
        """Whether an answer of so many rows may have been cut."""
        if not count or count < self._whole.get(kind, 0):
            return False
        learned = self._learned.get(kind)
        if learned is not None and self._profile is not None:
            learned = min(learned, self._profile)
        if learned is not None:
            return count >= learned
        known = self._known()
        if known and count >= min(known):
            return True
        # What the profile says holds until something else is seen.
        trusted = self._profile is not None and not self._learned
        return not trusted and (looks_like_limit(count) or (kind, count) in self._guessed)
