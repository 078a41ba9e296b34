"""What a terminal is owed when the process ends without its clean-up.

Apart from the screen itself, so that whoever ends the process needs not import that.
"""

import contextlib
import os
from typing import Final

__all__ = ["give_back", "owe", "settle"]

_OWED: Final[dict[int, bytes]] = {}


def owe(descriptor: int, data: bytes) -> None:
    """A terminal is changed until it gets `data`."""
    _OWED[descriptor] = data


def settle(descriptor: int) -> None:
    """A terminal is as it was."""
    _OWED.pop(descriptor, None)


def give_back() -> None:
    """Make all terminals what they were; never blocks, never raises."""
    for descriptor, data in _OWED.items():
        with contextlib.suppress(OSError):
            os.set_blocking(descriptor, False)
            os.write(descriptor, data)
    _OWED.clear()
