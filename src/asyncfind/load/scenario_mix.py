"""The operations of a scenario in the order in which they are to begin."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from random import Random
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.load.feed import Feed
from asyncfind.load.feed_rows import GeneratedRows, Rows, open_rows
from asyncfind.load.scenario import FeedSpec, Flow, Operation, Scenario
from asyncfind.plan import Query, make_query
from asyncfind.query.models import Model

__all__ = ["Mix", "Turn", "make_mix"]

_DEFAULT_MODEL: Final = "study"


@dataclass(frozen=True, slots=True)
class Turn:
    """One operation to be started.

    Args:
        query: None is an echo.
        flow: its place in the scenario's mix.
    """

    query: Query | None
    flow: int


class Mix:
    """The flows of a scenario, each as often as its weight says.

    Turns come in blocks that hold every flow exactly as often as its weight (in lowest terms), in
    an order drawn from the seed: shares are exact after each block. As with a feed, process j of P
    takes the turns j, j + P ... of one sequence.

    Args:
        flows: with the feed, or the one query, of each; None for both is an echo.
    """

    def __init__(
        self,
        flows: Sequence[tuple[Flow, Feed | Query | None]],
        *,
        seed: int = 0,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        if not 0 <= part < parts:
            raise ValueError("part is one of parts")
        self.flows = tuple(flow for flow, _ in flows)
        self._sources = [source for _, source in flows]
        self._order = _order([flow.weight for flow in self.flows], seed)
        self._skipped = part
        self._between = parts - 1
        self._over = False

    def next(self) -> Turn | None:
        """The next operation; None once a feed that ends the run is used up."""
        for _ in range(self._skipped):
            self._skip()
        self._skipped = self._between
        if self._over:
            return None
        flow = next(self._order)
        source = self._sources[flow]
        if isinstance(source, Feed):
            source_query = source.next()
            if source_query is None:
                self._over = True
                return None
            return Turn(source_query, flow)
        return Turn(source, flow)

    def _skip(self) -> None:
        source = self._sources[next(self._order)]
        if isinstance(source, Feed) and not source.skip():
            self._over = True

    @property
    def models(self) -> tuple[Model, ...]:
        """The information models of all flows, each once."""
        return tuple(dict.fromkeys(flow.model for flow in self.flows if flow.model is not None))

    @property
    def has_echo(self) -> bool:
        """Verification is to be proposed."""
        return any(flow.operation is Operation.ECHO for flow in self.flows)


def make_mix(scenario: Scenario, *, part: int = 0, parts: int = 1) -> Mix:
    """Read the feeds of a scenario and check all of its queries.

    Raises:
        InvalidRequest: a key or a feed cannot be used; the text names the flow.
    """
    flows: list[tuple[Flow, Feed | Query | None]] = []
    for place, flow in enumerate(scenario.mix):
        try:
            flows.append((flow, _source(flow, scenario.seed + place)))
        except InvalidRequest as exc:
            raise InvalidRequest(f"mix {flow.name}: {exc.text}", exc.hint) from exc
    return Mix(flows, seed=scenario.seed, part=part, parts=parts)


def _source(flow: Flow, seed: int) -> Feed | Query | None:
    if flow.operation is Operation.ECHO:
        return None
    if flow.feed is None:
        return make_query(flow.model or _DEFAULT_MODEL, flow.keys, label=flow.name)
    spec = flow.feed
    return Feed(
        _rows(flow, spec),
        spec.order,
        seed=seed if spec.seed is None else spec.seed,
        exponent=spec.exponent,
    )


def _rows(flow: Flow, spec: FeedSpec) -> Rows:
    if flow.model is None:
        raise InvalidRequest("a feed without a model", "Name the model.")
    if spec.file is not None:
        return open_rows(spec.file, model=flow.model, keys=flow.keys)
    return GeneratedRows(
        dict(spec.generate),
        first=spec.first,
        count=spec.count,
        model=flow.model,
        keys=flow.keys,
    )


def _order(weights: Sequence[int], seed: int) -> Iterator[int]:
    """The places of flows, for ever."""
    divisor = gcd(*weights)
    block = [place for place, weight in enumerate(weights) for _ in range(weight // divisor)]
    random = Random(seed)
    while True:
        random.shuffle(block)
        yield from block
