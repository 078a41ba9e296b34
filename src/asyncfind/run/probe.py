"""Find out what a node supports, by gentle queries, and say how that was seen.

The node's own pace and hours are kept, there is one association at a time, and the first sign of
"enough" ends it. Queries are for one day or for one entity; only the search for a row limit asks
for more, as long as there are few.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from asyncfind.book.profile import ROW_LIMIT, Fact
from asyncfind.errors import AssociationRejected, NoPresentationContext, PeerError
from asyncfind.net.association import associate
from asyncfind.plan import DEFAULT_SYNTAXES, Peer
from asyncfind.query.element import Item
from asyncfind.query.models import Model, model_of
from asyncfind.query.syntax import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from asyncfind.run.pace import Window
from asyncfind.run.probe_ask import Asker
from asyncfind.run.probe_grounds import GROUNDS, Ground
from asyncfind.run.probe_keys import audit, charset_facts, name_fact, wildcard_facts
from asyncfind.run.probe_quirks import cancel_fact, final_fact, reuse_fact, speed_fact
from asyncfind.run.probe_rows import Widened, widen
from asyncfind.run.probe_words import Announced, Enough, Event, Gentleness, Stopped
from asyncfind.ul.find_options import FindOptions

__all__ = ["MODELS", "MOST_ASSOCIATIONS", "probe"]

MODELS: Final[tuple[Model, ...]] = tuple(
    map(model_of, ("patient", "study", "patient-study", "worklist"))
)
"""The information models that are looked for."""
MOST_ASSOCIATIONS: Final = 8
"""Associations that are opened at a time, at the most, to find how many a node takes."""
_SYNTAXES: Final = (*DEFAULT_SYNTAXES, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
_OPTIONS: Final = FindOptions(relational=True, date_time=True, fuzzy=True, timezone=True)
_WINDOW: Final = 8
_SECOND_LOOK: Final = 1.0
"""Seconds until an archive that has no room is asked whether it has some after all."""


async def probe(
    peer: Peer, gentleness: Gentleness, events: MemoryObjectSendStream[Event], *, today: date
) -> None:
    """Probe one node; `events` gets what is about to be asked and what was found, and is closed.

    Args:
        today: the day from which on less recent studies are asked for.
    """
    async with events:
        visit = _Visit(peer, gentleness, events, today)
        try:
            await visit.run()
        except Enough as exc:
            hint = "Nothing more was asked; probe again when it has more time."
            await events.send(Stopped(exc.text, hint, visit.is_reached))
        except PeerError as exc:
            await events.send(Stopped(exc.text, exc.hint, visit.is_reached))


class _Visit:
    """One probe, step by step.

    Attributes:
        is_reached: there was an association.
    """

    def __init__(
        self,
        peer: Peer,
        gentleness: Gentleness,
        events: MemoryObjectSendStream[Event],
        today: date,
    ) -> None:
        self.is_reached = False
        # What the book says of it is to be found out, not to be gone along with.
        self._peer = replace(peer, quirks=frozenset())
        self._gentleness = gentleness
        self._events = events
        self._today = today
        self._models: tuple[Model, ...] = ()

    async def run(self) -> None:
        """All steps; raises Enough and PeerError where it cannot go on."""
        if not Window(self._gentleness.hours).is_open(time.time()):
            raise Enough("it is not to be asked at this hour")
        await self._negotiate()
        if self._models:
            async with Asker.asking(self._peer, self._models, self._gentleness) as asker:
                await self._ask(asker)
        if self._gentleness.associations:
            await self._count_associations()

    async def _tell(self, *facts: Fact | None) -> None:
        for fact in facts:
            if fact is not None:
                await self._events.send(fact)

    async def _announce(self, text: str) -> None:
        await self._events.send(Announced(text))

    # Associations without queries.

    async def _negotiate(self) -> None:
        """Which models in which transfer syntaxes, what of extended negotiation, which window."""
        await self._announce(
            f"{len(_SYNTAXES) + 1} associations without a query, for what it accepts"
        )
        taken: dict[str, list[str]] = {}
        rejected: PeerError | None = None
        for syntax in _SYNTAXES:
            if self.is_reached:
                await anyio.sleep(self._gentleness.pause)
            try:
                for model in await self._accepted(syntax):
                    taken.setdefault(model.name, []).append(syntax.name)
            except AssociationRejected as exc:
                # Some reject what others accept without any presentation context.
                rejected = exc
        if rejected is not None and not self.is_reached:
            raise rejected
        self._models = tuple(model for model in MODELS if model.name in taken)
        await self._tell(
            Fact(
                name="models",
                value=tuple(model.name for model in self._models),
                evidence=f"accepted of {', '.join(model.name for model in MODELS)}",
            )
        )
        for name, names in taken.items():
            await self._tell(
                Fact(
                    name=f"transfer_syntaxes.{name}",
                    value=tuple(names),
                    evidence=f"accepted of {len(_SYNTAXES)}, each proposed alone",
                )
            )
        if self._models:
            await self._extend()

    async def _accepted(self, syntax: TransferSyntax) -> Sequence[Model]:
        try:
            async with associate(
                self._peer,
                MODELS,
                timeouts=self._gentleness.timeouts,
                syntaxes=(syntax,),
            ) as association:
                self.is_reached = True
                ac = association.accepted
                results = {} if ac is None else {one.context_id: one.result for one in ac.contexts}
        except NoPresentationContext:
            self.is_reached = True
            return ()
        except AssociationRejected as exc:
            raise _enough(exc) from exc
        return [model for place, model in enumerate(MODELS) if results.get(2 * place + 1) == 0]

    async def _extend(self) -> None:
        asked = ", ".join(_OPTIONS.words())
        await anyio.sleep(self._gentleness.pause)
        try:
            async with associate(
                self._peer,
                self._models,
                timeouts=self._gentleness.timeouts,
                options=_OPTIONS,
                async_window=_WINDOW,
            ) as association:
                agreement = association.agreement
        except AssociationRejected as exc:
            raise _enough(exc) from exc
        except PeerError as exc:
            # It did without: it is the asking that it does not take.
            await self._tell(
                Fact(name="negotiation", value=(), evidence=f"asked for {asked}: {exc.text}"),
                Fact(name="async_window", value=1, evidence=f"asked for {_WINDOW}: {exc.text}"),
            )
            return
        for one in agreement.extended:
            await self._tell(
                Fact(
                    name=f"negotiation.{model_of(one.sop_class).name}",
                    value=one.granted.words(),
                    evidence=f"granted of {', '.join(one.asked.words())}",
                )
            )
        await self._tell(
            Fact(
                name="async_window",
                value=agreement.window,
                evidence=f"operations at a time, asked for {agreement.window_asked}",
            )
        )

    async def _count_associations(self) -> None:
        most = min(self._gentleness.associations, MOST_ASSOCIATIONS)
        await self._announce(f"up to {most} associations at a time, without a query")
        await anyio.sleep(self._gentleness.pause)
        count, evidence = 0, ""
        async with AsyncExitStack() as stack:
            while count < most and not evidence:
                error = await self._open_one(stack)
                if isinstance(error, AssociationRejected) and error.retryable:
                    # What has ended may be counted still.
                    await anyio.sleep(_SECOND_LOOK)
                    error = await self._open_one(stack)
                if error is None:
                    count += 1
                else:
                    evidence = f"{count} were open, then: {error.text}"
        at_least = f"at least: {most} were open at a time, more were not tried"
        await self._tell(
            Fact(
                name="associations",
                value=count,
                evidence=evidence or at_least,
            )
        )

    async def _open_one(self, stack: AsyncExitStack) -> PeerError | None:
        """Open one more association, to be released with the others; returns why there is none."""
        try:
            await stack.enter_async_context(
                associate(self._peer, self._models or MODELS, timeouts=self._gentleness.timeouts)
            )
        except PeerError as exc:
            return exc
        return None

    # Queries.

    async def _ask(self, asker: Asker) -> None:
        base = self._base()
        await self._announce(
            f"queries for one day, then for more days while fewer than "
            f"{self._gentleness.rows} matches come"
        )
        widened = await widen(asker, base, self._today, self._gentleness.rows)
        await self._tell(_row_limit_fact(widened), final_fact(widened), _date_fact(base, widened))
        items = list(widened.samples)
        try:
            for ground, named in self._levels(base, widened.samples):
                items += await self._look_at(
                    asker, ground, named, widened.samples if ground is base else ()
                )
            await self._go_down(asker, widened.samples)
            await self._tell(await cancel_fact(asker, base, widened))
        finally:
            await self._tell(*charset_facts(items), reuse_fact(asker), speed_fact(asker))

    def _base(self) -> Ground:
        """Where entities are looked for that the other queries can name."""
        names = {model.name for model in self._models}
        if "study" in names:
            return GROUNDS["study"]
        if "patient" in names or "patient-study" in names:
            model = "patient" if "patient" in names else "patient-study"
            return GROUNDS["patient"].under(model)
        return GROUNDS["worklist"]

    def _levels(
        self, base: Ground, samples: Sequence[Item]
    ) -> list[tuple[Ground, list[Mapping[str, str]]]]:
        """The levels that the samples name entities of."""
        grounds = [base]
        if base.name == "study" and any(model.name == "patient" for model in self._models):
            grounds.append(GROUNDS["patient"])
        found = [(ground, _named(ground, samples)) for ground in grounds]
        return [(ground, named) for ground, named in found if named]

    async def _look_at(
        self,
        asker: Asker,
        ground: Ground,
        named: Sequence[Mapping[str, str]],
        samples: Sequence[Item] = (),
    ) -> list[Item]:
        """Audit a level; with `samples` of it also what becomes of wildcards and of names."""
        await self._announce(f"the keys of level {ground.name}, each for one {ground.entity}")
        facts, items = await audit(asker, ground, named)
        await self._tell(*facts)
        if samples and items:
            await self._announce("wildcards, and upper and lower case of one name")
            keys = ground.naming(items[0])
            if keys is not None:
                await self._tell(*await wildcard_facts(asker, ground, keys, items[0]))
            await self._tell(await name_fact(asker, ground, (*items, *samples)))
        return items

    async def _go_down(self, asker: Asker, samples: Sequence[Item]) -> None:
        """The levels below, of the first study."""
        if not samples or "study" not in {model.name for model in self._models}:
            await self._worklist(asker)
            return
        parents = GROUNDS["study"].naming(samples[0])
        for name in ("series", "image"):
            if parents is None:
                break
            ground = GROUNDS[name]
            found = await asker.ask(ground.query(parents), cancel_after=1)
            keys = next((one for item in found.items if (one := ground.naming(item))), None)
            if keys is None and found.items:
                # Keys of the levels above are not always returned: we know them.
                item = found.items[0]
                for tag, element in ground.query(parents).identifier.elements.items():
                    if element.value and tag not in item.elements:
                        item.elements[tag] = element
                keys = ground.naming(item)
            if keys is not None:
                await self._look_at(asker, ground, [keys])
            parents = keys
        await self._worklist(asker)

    async def _worklist(self, asker: Asker) -> None:
        ground = GROUNDS["worklist"]
        if self._base() is ground or ground.model not in {model.name for model in self._models}:
            return
        await self._announce("the worklist of some days")
        widened = await widen(asker, ground, self._today, min(100, self._gentleness.rows))
        if named := _named(ground, widened.samples):
            await self._look_at(asker, ground, named)


def _enough(error: AssociationRejected) -> Exception:
    return Enough(error.text) if error.retryable else error


def _named(ground: Ground, samples: Sequence[Item]) -> list[Mapping[str, str]]:
    found = [keys for item in samples if (keys := ground.naming(item)) is not None]
    return [dict(pairs) for pairs in dict.fromkeys(tuple(keys.items()) for keys in found)]


def _row_limit_fact(widened: Widened) -> Fact | None:
    if widened.limit is None and (widened.refused or widened.is_date_ignored):
        return Fact(name=f"{ROW_LIMIT}.unknown", value=True, evidence=widened.evidence)
    return Fact(name=ROW_LIMIT, value=widened.limit or 0, evidence=widened.evidence)


def _date_fact(ground: Ground, widened: Widened) -> Fact | None:
    if not widened.is_date_ignored:
        return None
    return Fact(
        name=f"keys.{ground.name}.date_ignored",
        value=True,
        evidence="matches came that are dated outside the days that were asked for",
    )
