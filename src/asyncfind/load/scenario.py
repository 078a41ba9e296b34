"""What a scenario says, frozen: whom to load, at what pace, with which mix of operations."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from asyncfind.load.feed import ZIPF_EXPONENT, RowOrder
from asyncfind.load.schedule import Piece
from asyncfind.load.threshold import Threshold
from asyncfind.query.models import Model

__all__ = ["FeedSpec", "Flow", "Operation", "Pace", "Pool", "Saturation", "Scenario"]


Saturation = Literal["queue", "drop", "grow"]
"""What becomes of an arrival of an open load when no association is free."""


class Operation(StrEnum):
    """What is asked of the peer."""

    FIND = "find"
    ECHO = "echo"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSpec:
    """Where the rows of a flow come from: a file, or numbers in patterns.

    Args:
        file: CSV or JSON lines; None for generated rows.
        generate: pattern by column, see `feed_rows.GeneratedRows`.
        first, count: of the numbers in patterns.
        seed: of random orders; None takes the scenario's.
        exponent: of the order zipf.
    """

    file: Path | None = None
    generate: tuple[tuple[str, str], ...] = ()
    first: int = 1
    count: int = 1_000_000
    order: RowOrder = RowOrder.CIRCULAR
    seed: int | None = None
    exponent: float = ZIPF_EXPONENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One kind of operation in the mix.

    Args:
        name: what reports call it.
        weight: its share is this over the sum of all weights.
        think: seconds of a closed load between its answer and the next operation.
        model: information model of a find; None for an echo.
        keys: as behind -k.
        feed: rows that go into the keys; None asks the same each time.
    """

    name: str
    weight: int = 1
    think: float = 0.0
    operation: Operation = Operation.FIND
    model: Model | None = None
    keys: tuple[str, ...] = ()
    feed: FeedSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When operations begin.

    Args:
        pieces: rates of an open load; empty is closed: the load waits for the peer.
        poisson: arrivals of an open load are random.
        seed: of random arrivals; None takes the scenario's.
        warm_up: seconds that are not measured.
        duration: measured seconds; None as long as the pieces, the count or the feeds.
        count: measured operations; None does not end the run.
        grace: seconds for what is under way at the end.
    """

    pieces: tuple[Piece, ...] = ()
    poisson: bool = False
    seed: int | None = None
    warm_up: float = 0.0
    duration: float | None = None
    count: int | None = None
    grace: float = 10.0

    @property
    def is_open(self) -> bool:
        """The schedule sets the pace, not the peer."""
        return bool(self.pieces)

    @property
    def is_endless(self) -> bool:
        """Nothing in the pace ends the run; only a feed can."""
        length = sum(piece.seconds for piece in self.pieces) if self.pieces else self.duration
        return self.count is None and (length is None or math.isinf(length))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The associations to each peer.

    Args:
        associations: at a time; of a closed load its concurrency.
        per_association: operations until one is released; None keeps it.
        on_saturation: what becomes of an arrival when none is free.
    """

    associations: int = 4
    per_association: int | None = None
    on_saturation: Saturation = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario.

    Args:
        nodes: names or addresses; empty leaves them to the command line.
        seed: of the mix, of random arrivals and of random feeds.
        mix: at least one flow.
    """

    mix: tuple[Flow, ...]
    nodes: tuple[str, ...] = ()
    seed: int = 0
    pace: Pace = field(default_factory=Pace)
    pool: Pool = field(default_factory=Pool)
    thresholds: tuple[Threshold, ...] = ()
