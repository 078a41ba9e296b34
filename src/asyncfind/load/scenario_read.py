"""The text of a scenario to a `Scenario`: every key is known, every value checked."""

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypeVar

from asyncfind.errors import InvalidRequest
from asyncfind.load import scenario_values as values
from asyncfind.load.feed import ZIPF_EXPONENT, RowOrder
from asyncfind.load.scenario import (
    FeedSpec,
    Flow,
    Operation,
    Pace,
    Pool,
    Scenario,
)
from asyncfind.load.scenario_lines import Path as KeyPath
from asyncfind.load.scenario_lines import place_of
from asyncfind.load.schedule import Piece
from asyncfind.load.threshold import parse_threshold
from asyncfind.query.models import Model, model_of
from asyncfind.safe import safe

__all__ = ["parse_scenario", "read_scenario"]

_HINT: Final = "See docs/load-scenarios.md for what a scenario may hold."
_MAX_SIZE: Final = 1024 * 1024
_MAX_FLOWS: Final = 100
_MAX_WEIGHT: Final = 10_000
_MAX_ASSOCIATIONS: Final = 10_000
_TOP: Final = ("node", "seed", "pace", "pool", "thresholds", "mix")
_PACE: Final = ("model", "unit", "arrivals", "seed", "rate", "stages")
_PACE_TIMES: Final = ("warm_up", "duration", "count", "grace")
_POOL: Final = ("associations", "reuse", "on_saturation")
_FLOW: Final = ("name", "weight", "think", "operation", "model", "level", "keys", "feed")
_FEED: Final = ("file", "generate", "first", "count", "order", "seed", "exponent")
_LEVEL_KEY: Final = "QueryRetrieveLevel"

_Table = Mapping[str, object]
_T = TypeVar("_T")


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from a file.

    Raises:
        InvalidRequest: it cannot be read, or used.
    """
    shown = safe(path.name, 64)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
    except OSError as exc:
        raise InvalidRequest(
            f"scenario {shown}: cannot be read: {exc.strerror}", "Check its name and permissions."
        ) from exc
    if len(data) > _MAX_SIZE:
        raise InvalidRequest(f"scenario {shown}: larger than {_MAX_SIZE >> 20} MiB", _HINT)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"scenario {shown}: it is not UTF-8", "Save it as UTF-8.") from None
    return parse_scenario(text, path)


def parse_scenario(text: str, path: Path) -> Scenario:
    """Parse the text of a scenario.

    Args:
        path: where it comes from: files of feeds are looked for from its folder on.

    Raises:
        InvalidRequest: it is no TOML, has a key that is none or a value that cannot be; the text
            names the line and the key.
    """
    return _Reader(text, path).read()


class _Reader:
    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._shown = safe(path.name, 64)
        self._folder = path.absolute().parent

    def read(self) -> Scenario:
        try:
            document = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as exc:
            raise self._error(safe(str(exc), 200), "A scenario is written in TOML.") from None
        except RecursionError:
            raise self._error("values are nested too deeply", _HINT) from None
        self._check_names(document, (), _TOP)
        mix = self._mix(document)
        pace, associations = self._pace(document)
        if pace.is_endless:
            self._check_end(mix)
        return Scenario(
            nodes=self._value(document, "node", (), values.texts, ()),
            seed=self._value(document, "seed", (), values.whole(0), 0),
            pace=pace,
            pool=self._pool(document, whole_associations=associations),
            thresholds=tuple(
                self._value(document, "thresholds", (), values.list_of(parse_threshold), ())
            ),
            mix=mix,
        )

    def _check_end(self, mix: Sequence[Flow]) -> None:
        if not any(flow.feed is not None and flow.feed.order.ends for flow in mix):
            raise self._error("the run has no end", "Add duration or count to pace.", ("pace",))

    # Pace and pool.

    def _pace(self, document: _Table) -> tuple[Pace, bool]:
        """The pace, and whether an arrival is a whole association."""
        where: KeyPath = ("pace",)
        table = self._table(document, "pace", ())
        self._check_names(table, where, (*_PACE, *_PACE_TIMES))
        model = self._value(table, "model", where, values.one_of("open", "closed"), "")
        unit = self._value(table, "unit", where, values.one_of("query", "association"), "query")
        arrivals = self._value(table, "arrivals", where, values.one_of("constant", "poisson"), "")
        none: Sequence[Piece] = ()
        stages = tuple(self._value(table, "stages", where, values.list_of(values.stage), none))
        rate = self._value(table, "rate", where, values.rate, None)
        if model and bool(stages or rate is not None) == (model == "closed"):
            found = "a closed load has no rate" if model == "closed" else "an open load has a rate"
            raise self._error(found, 'rate and stages make it "open".', where)
        if model == "closed" and arrivals:
            raise self._error("a closed load has no arrivals", _HINT, (*where, "arrivals"))
        if stages and rate is not None:
            raise self._error("both rate and stages", "Give one of them.", (*where, "rate"))
        duration = self._value(table, "duration", where, values.time, None)
        if stages and duration is not None:
            found = "the stages say how long it takes"
            raise self._error(found, "Leave duration out.", (*where, "duration"))
        if rate is not None:
            stages = (Piece(math.inf if duration is None else duration, rate, rate),)
        pace = Pace(
            pieces=stages,
            poisson=arrivals == "poisson",
            seed=self._value(table, "seed", where, values.whole(0), None),
            warm_up=self._value(table, "warm_up", where, values.time, 0.0),
            duration=duration,
            count=self._value(table, "count", where, values.whole(1), None),
            grace=self._value(table, "grace", where, values.time, 10.0),
        )
        return pace, unit == "association"

    def _pool(self, document: _Table, *, whole_associations: bool) -> Pool:
        where: KeyPath = ("pool",)
        table = self._table(document, "pool", ())
        self._check_names(table, where, _POOL)
        reuse = self._value(table, "reuse", where, values.reuse, None)
        return Pool(
            associations=self._value(
                table, "associations", where, values.whole(1, _MAX_ASSOCIATIONS), 4
            ),
            per_association=1 if whole_associations and reuse is None else reuse,
            on_saturation=self._value(table, "on_saturation", where, values.saturation, "queue"),
        )

    # The mix.

    def _mix(self, document: _Table) -> tuple[Flow, ...]:
        tables = document.get("mix", [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            raise self._error("tables are expected", "Write [[mix]] before each.", ("mix",))
        if not 1 <= len(tables) <= _MAX_FLOWS:
            raise self._error(f"1 to {_MAX_FLOWS} of [[mix]] are expected", _HINT)
        flows = tuple(self._flow(table, place) for place, table in enumerate(tables))
        names = [flow.name for flow in flows]
        for place, name in enumerate(names):
            if name in names[:place]:
                where = ("mix", place, "name")
                raise self._error(f"two are called '{safe(name, 40)}'", "Rename one.", where)
        return flows

    def _flow(self, table: _Table, place: int) -> Flow:
        where: KeyPath = ("mix", place)
        self._check_names(table, where, _FLOW)
        operation = self._value(table, "operation", where, values.member(Operation), Operation.FIND)
        model: Model | None = None
        keys: tuple[str, ...] = ()
        feed: FeedSpec | None = None
        if operation is Operation.ECHO:
            for name in ("model", "level", "keys", "feed"):
                if name in table:
                    raise self._error("an echo has none", "Leave it out.", (*where, name))
        else:
            model = self._value(table, "model", where, values.model, model_of("study"))
            keys = self._keys(table, where, model)
            feed = self._feed(table, where)
        return Flow(
            name=self._value(table, "name", where, values.text, f"{operation} {place + 1}"),
            weight=self._value(table, "weight", where, values.whole(1, _MAX_WEIGHT), 1),
            think=self._value(table, "think", where, values.time, 0.0),
            operation=operation,
            model=model,
            keys=keys,
            feed=feed,
        )

    def _keys(self, table: _Table, where: KeyPath, model: Model) -> tuple[str, ...]:
        found = self._table(table, "keys", where)
        below = (*where, "keys")
        keys = [f"{name}={self._value(found, name, below, values.key_value, '')}" for name in found]
        level = self._value(table, "level", where, values.text, None)
        if level is not None:
            if level not in model.levels:
                hint = f"Its levels: {', '.join(model.levels) or 'none'}."
                raise self._error("the model has no such level", hint, (*where, "level"))
            if _LEVEL_KEY in found:
                hint = "Say it once."
                raise self._error("the level is in keys, too", hint, (*where, "level"))
            keys.insert(0, f"{_LEVEL_KEY}={level}")
        return tuple(keys)

    def _feed(self, table: _Table, above: KeyPath) -> FeedSpec | None:
        if "feed" not in table:
            return None
        where = (*above, "feed")
        found = self._table(table, "feed", above)
        self._check_names(found, where, _FEED)
        if ("file" in found) == ("generate" in found):
            raise self._error("one of file and generate is expected", _HINT, where)
        if "file" in found:
            for name in ("first", "count"):
                if name in found:
                    hint = "It belongs to generate."
                    raise self._error("a file has none", hint, (*where, name))
        order = self._value(found, "order", where, values.member(RowOrder), RowOrder.CIRCULAR)
        if "exponent" in found and order is not RowOrder.ZIPF:
            hint = 'It belongs to order = "zipf".'
            raise self._error("this order has none", hint, (*where, "exponent"))
        file = self._value(found, "file", where, values.text, None)
        generate = self._table(found, "generate", where)
        below = (*where, "generate")
        return FeedSpec(
            file=None if file is None else self._folder / file,
            generate=tuple(
                (name, self._value(generate, name, below, values.text, "")) for name in generate
            ),
            first=self._value(found, "first", where, values.whole(0), 1),
            count=self._value(found, "count", where, values.whole(1), 1_000_000),
            order=order,
            seed=self._value(found, "seed", where, values.whole(0), None),
            exponent=self._value(found, "exponent", where, values.positive, ZIPF_EXPONENT),
        )

    # What all of them use.

    def _table(self, above: _Table, name: str, where: KeyPath) -> dict[str, object]:
        table = above.get(name, {})
        if not isinstance(table, dict):
            raise self._error("a table is expected", f"Write {name} = {{ ... }}.", (*where, name))
        return table

    def _value(
        self, table: _Table, name: str, where: KeyPath, parse: Callable[[object], _T], default: _T
    ) -> _T:
        if name not in table:
            return default
        try:
            return parse(table[name])
        except InvalidRequest as exc:
            raise self._error(exc.text, exc.hint, (*where, name)) from None
        except ValueError as exc:
            raise self._error(str(exc), _HINT, (*where, name)) from None

    def _check_names(self, table: _Table, where: KeyPath, known: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                near = get_close_matches(name[:64], known, n=2)
                hint = f"Known here: {', '.join(known)}."
                if near:
                    hint = f"Did you mean {' or '.join(near)}?"
                raise self._error("unknown key", hint, (*where, name))

    def _error(self, found: str, hint: str, path: KeyPath = ()) -> InvalidRequest:
        place = f"scenario {self._shown}"
        if path:
            line, shown = place_of(self._text, path)
            place += "" if line is None else f", line {line}"
            place += f": {safe(shown, 100)}"
        return InvalidRequest(f"{place}: {found}", hint)
