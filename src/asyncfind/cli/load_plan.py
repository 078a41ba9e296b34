"""From the parsed line of `asyncfind load` to the load; refuses what is too much for an archive."""

import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from asyncfind.book.node import LoadTests
from asyncfind.book.nodebook import NodeBook
from asyncfind.cli.load_options import defaults_of_find
from asyncfind.cli.nodes import Chosen
from asyncfind.cli.plan import make_order
from asyncfind.errors import InvalidRequest
from asyncfind.load.safety import (
    NEW_ASSOCIATIONS,
    by_archive,
    check_caps,
    is_loopback,
    matches_all,
)
from asyncfind.load.schedule import Schedule, constant, make_schedule, parse_stages
from asyncfind.load.spec import Load
from asyncfind.load.threshold import parse_threshold
from asyncfind.safe import safe

__all__ = ["make_load", "outlook"]

_ASSOCIATIONS: Final = 8
_SECONDS: Final = 60.0
"""How long a load is measured where nobody says."""
_GROWN: Final = 1024
"""Associations to an archive of one's own that --on-saturation grow may open."""
_PORTS: Final = 470
"""Associations a second that the usual 28,232 ports allow: each is held for 60 s once closed."""

Given = Mapping[str, Any]


def make_load(given: Given, parameters: Sequence[str]) -> Load:
    """The load that a line asks for.

    Args:
        parameters: nodes and query files; a name of a file that is there is a query file.

    Raises:
        InvalidRequest: it cannot be, or is more than an archive should bear; nothing was sent.
    """
    nodes, rest = _sorted(parameters)
    filled = defaults_of_find() | {
        **given, "nodes": (*given["nodes"], *nodes), "associations": 1, "rate": None,
        "dry_run": False,
    }  # fmt: skip
    schedule = _schedule(given)
    order = make_order(filled, rest)
    _check_book(given, order.chosen)
    plan = order.plan
    everything = [query for query in plan.queries if matches_all(query)]
    if everything and not given["allow_match_all"]:
        raise InvalidRequest(
            "a query without a matching key asks for all that the archive has",
            "Add a key with a value, such as -k PatientID=42, or --allow-match-all.",
        )
    is_free = given["owned"] or all(map(is_loopback, plan.peers))
    load = Load(
        plan=plan,
        schedule=schedule,
        associations=given["concurrency"] or given["associations"] or _ASSOCIATIONS,
        per_association=given["per_association"],
        new_associations=given["new_associations"] or (None if is_free else NEW_ASSOCIATIONS),
        on_saturation=given["on_saturation"],
        most=_GROWN if is_free else _ASSOCIATIONS,
        latency_limit=given["latency_limit"],
        think=given["think"] or 0.0,
        warm_up=given["warm_up"],
        duration=_duration(given),
        count=given["count"],
        grace=given["grace"],
        thresholds=tuple(map(parse_threshold, given["thresholds"])),
        storm_stop=given["storm_stop"] == "on",
        allow_saturated=given["allow_saturated"],
    )
    if not given["owned"]:
        check_caps(load)
    return load


def _sorted(parameters: Sequence[str]) -> tuple[list[str], list[str]]:
    """Nodes, and what find knows what to do with: HOST PORT, and query files."""
    rest: list[str] = []
    nodes: list[str] = []
    parameters = list(parameters)
    if len(parameters) > 1 and parameters[1].isdecimal() and ":" not in parameters[0]:
        rest, parameters = parameters[:2], parameters[2:]
    for parameter in parameters:
        is_file = ":" not in parameter and Path(parameter).is_file()
        (rest if is_file else nodes).append(parameter)
    return nodes, rest


def _check_book(given: Given, chosen: Sequence[Chosen]) -> None:
    """Refuse nodes that the book forbids to be loaded, named by their address too."""
    for peer, node in chosen:
        if node is not None and node.load is LoadTests.NEVER:
            raise _forbidden(peer.node)
    if not any(node is None for _, node in chosen):
        return
    book = NodeBook.load(given["book"])
    spared = {
        (node.host, node.port)
        for node in book.nodes.values()
        if node.over(book.defaults).load is LoadTests.NEVER
    }
    for peer, _ in chosen:
        if (peer.host, peer.port) in spared:
            raise _forbidden(peer.node)


def _forbidden(name: str) -> InvalidRequest:
    return InvalidRequest(
        f'the node book has load = "never" for {safe(name)}', "Whoever wrote that had a reason."
    )


def _schedule(given: Given) -> Schedule | None:
    """The schedule of an open load; None for a closed one.

    Raises:
        InvalidRequest: not one pace, or an option that means nothing with it.
    """
    paces = [name for name in ("rate", "stages", "concurrency") if given[name] is not None]
    if not paces:
        raise InvalidRequest("no pace", "Add --rate 10, --stages 0:1,1m:50 or --concurrency 4.")
    if len(paces) > 1:
        raise InvalidRequest(f"both --{paces[0]} and --{paces[1]}", "A load has one pace.")
    if given["duration"] is not None and given["count"] is not None:
        raise InvalidRequest("both --duration and --count", "Whichever ends it, say one.")
    if given["seed"] is not None and not given["poisson"]:
        raise InvalidRequest("--seed without --poisson", "Add --poisson.")
    is_closed = paces == ["concurrency"]
    of_the_other = ("poisson", "associations") if is_closed else ("think",)
    for name in of_the_other:
        if given[name]:
            model = "a closed load (--concurrency)" if is_closed else "an open load"
            raise InvalidRequest(f"--{name} with {model}", "It means nothing there.")
    if is_closed and given["on_saturation"] != "queue":
        raise InvalidRequest("--on-saturation with a closed load", "Nothing ever waits there.")
    if is_closed:
        return None
    seed = given["seed"]
    if given["poisson"] and seed is None:
        seed = secrets.randbelow(1_000_000)
    if given["stages"] is not None:
        pieces = parse_stages(given["stages"], given["duration"])
    else:
        pieces = constant(given["rate"], _duration(given) or math.inf)
    return make_schedule(pieces, warm_up=given["warm_up"], count=given["count"], seed=seed)


def _duration(given: Given) -> float | None:
    """Measured seconds; None goes by the count, or by the stages."""
    if given["duration"] is not None or given["count"] is not None:
        duration: float | None = given["duration"]
        return duration
    return None if given["stages"] is not None else _SECONDS


def outlook(load: Load) -> Iterator[str]:
    """What a load would do, in lines (--dry-run)."""
    from asyncfind.load.report_words import model_words, pace_words

    yield f"{model_words(load)}: {pace_words(load)}"
    yield _length(load)
    queries = len(load.plan.queries)
    words = "1 query" if queries == 1 else f"{queries} queries in turn"
    yield f"{words}, at most {load.plan.limits.max_responses} responses to each"
    peers = load.plan.peers
    for peer in peers:
        rate = "" if load.schedule is None else f", {load.schedule.peak / len(peers):g}/s at most"
        yield f"  {safe(peer.node)} ({safe(peer.host)} port {peer.port}): {_pool(load)}{rate}"
    yield from _ports(load)
    yield from (f"must hold: {safe(one.text)}" for one in load.thresholds)
    yield "nothing was sent"


def _length(load: Load) -> str:
    parts = [f"{load.unmeasured:g} s of warm-up"] if load.unmeasured else []
    if load.schedule is None:
        parts += [f"{load.duration:g} s"] if load.duration is not None else []
        parts += [f"{load.count} queries"] if load.count is not None else []
    elif load.schedule.count is not None:
        parts.append(f"{load.schedule.count} queries")
    else:
        arrivals = sum(piece.arrivals for piece in load.schedule.pieces)
        parts.append(f"{load.schedule.seconds - load.unmeasured:g} s")
        about = "about " if load.schedule.seed is not None else ""
        parts.append(f"{about}{arrivals:,.0f} queries in all")
    return ", ".join([*parts, f"{load.grace:g} s of grace"])


def _pool(load: Load) -> str:
    words = f"at most {load.cap} associations"
    if load.per_association is not None:
        words += f", {load.per_association} queries each"
    if load.new_associations is not None:
        words += f", {load.new_associations} new ones in any second"
    return words


def _ports(load: Load) -> Iterator[str]:
    """Ports of ours that associations use up: who requests closes first (PS3.8 AR-3)."""
    if load.per_association is None or load.schedule is None:
        return
    new = load.schedule.peak / load.per_association
    sources = max(len(peer.bind) for peer in load.plan.peers) or 1
    remote = [peer for peer in load.plan.peers if not is_loopback(peer)]
    budget = _PORTS * sources * max(1, len(by_archive(remote)))
    yield f"ports: {new:g} new connections a second, of about {budget} that this machine can close"
    if remote and new > budget:
        yield "  too many for longer than a minute: more addresses to connect from, --bind A,B,C"
