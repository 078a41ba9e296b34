"""From the parsed command line to the plan of a run. Pure but for reading query files."""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from asyncfind.cli.given import is_given
from asyncfind.cli.identity import make_identity, parse_addresses
from asyncfind.cli.nodes import Chooser, Chosen, check_title, parse_port
from asyncfind.cli.secure import make_tls
from asyncfind.errors import InvalidRequest
from asyncfind.plan import DEFAULT_SYNTAXES, Limits, Peer, Plan, Query, Quirk, Timeouts, make_query
from asyncfind.query.compat import without_new_vrs
from asyncfind.query.dialect import wildcards_left
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import Item
from asyncfind.query.files import read_query_file
from asyncfind.query.models import Model, model_of
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from asyncfind.safe import safe
from asyncfind.ul.find_options import FindOptions

__all__ = ["Order", "make_order", "make_peers", "make_timeouts", "reach"]

_PROPOSALS: Final = {
    "uncompressed": DEFAULT_SYNTAXES,
    "little": DEFAULT_SYNTAXES,
    "big": (EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN),
    "deflated": (DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, *DEFAULT_SYNTAXES),
    "implicit": (IMPLICIT_VR_LITTLE_ENDIAN,),
}

Given = Mapping[str, Any]
"""Values by target name of the option table."""


class Order(NamedTuple):
    """What a command line asks for.

    Args:
        chosen: whom the plan asks, and what the node book says of them.
        is_bulk: it is to be asked politely: a list, a job, a pace, splitting, or a node that has
            a pace or a limit in the book.
    """

    plan: Plan
    chosen: tuple[Chosen, ...]
    is_bulk: bool


def make_order(given: Given, parameters: Sequence[str]) -> Order:
    """The plan of `asyncfind find`, and whom it asks.

    Args:
        parameters: PEER PORT and query files; with --node or --batch, PEER PORT may be left out.

    Raises:
        InvalidRequest: anything that cannot be asked; nothing was sent.
    """
    chooser = Chooser(
        called=check_title(given["called"], "called"),
        calling=check_title(given["calling"], "calling"),
        is_calling_given=is_given("calling"),
        book=given["book"],
    )
    _check_together(given)
    if given["resume"] is None:
        chosen, files = _chosen_and_files(given, parameters, chooser)
    else:
        chosen, files = _resumed(given, parameters, chooser), ()
    model = model_of(given["model"])
    new_vr = given["new_vr"] == "kept"
    queries: Sequence[Query]
    places = None
    if given["resume"] is not None:
        queries = ()
    elif not given["batch"]:
        queries = _queries(files, given["keys"], model, new_vr=new_vr)
    else:
        queries, chosen, places = _batch(given, files, model, chosen, chooser)
    cancel_after: int | None = given["cancel_after"]
    peers = reach(given, [one.peer for one in chosen])
    plan = Plan(
        peers=peers,
        queries=queries,
        shares=None if places is None else dict(zip(peers, places, strict=True)),
        repeat=given["repeat"],
        associations=given["associations"],
        timeouts=make_timeouts(given),
        limits=Limits(max_responses=given["max_responses"], max_identifier=given["max_identifier"]),
        cancel_after=cancel_after or None,  # findscu: 0 never cancels
        abort=given["abort"],
        syntaxes=_PROPOSALS[given["propose"]],
        max_pdu_length=given["max_pdu"] & ~1,  # findscu: an odd value is rounded down
        deflate_level=6 if given["deflate_level"] is None else given["deflate_level"],
        options=FindOptions(
            relational=given["relational"],
            date_time=given["date_time"],
            fuzzy=given["fuzzy"],
            timezone=given["timezone"],
            multiframe=given["multiframe"],
        ),
        async_window=given["async_window"],
        doubt=True,
        strict=given["strict"],
    )
    _check_wildcards(plan)
    reached = zip(peers, chosen, strict=True)
    chosen = tuple(Chosen(peer, one.node) for peer, one in reached)
    return Order(plan, chosen, _is_bulk(given, chosen))


def _check_together(given: Given) -> None:
    """Refuse options that go only with others, or not with them."""
    if given["retry_failed"] and given["resume"] is None:
        raise InvalidRequest("--retry-failed without --resume", "Add --resume FILE.")
    if given["split_max"] is not None and not given["split"]:
        raise InvalidRequest("--split-max without --split", "Add --split.")
    if given["split"] and given["cancel_after"]:
        raise InvalidRequest("--split and --cancel", "One wants all matches, one does not.")
    if given["deflate_level"] is not None and given["propose"] != "deflated":
        raise InvalidRequest(
            "--compression-level only allowed with --propose-deflated", "Add -xd, or drop +cl."
        )


def _check_wildcards(plan: Plan) -> None:
    """Refuse what an archive that takes no wildcards in dates could only misunderstand."""
    for peer in plan.peers:
        if Quirk.NO_WILDCARD_IN_DATES not in peer.quirks:
            continue
        for place in plan.places(peer) if plan.queries else ():
            query = plan.queries[place]
            element = next(wildcards_left(query.identifier), None)
            if element is not None:
                name = keyword_of(element.tag) or f"{element.tag:08X}"
                raise InvalidRequest(
                    f"{name}: a wildcard, which {safe(peer.node)} does not take there "
                    f"(query {place + 1})",
                    "Write a range, 20240101-20240131, or whole UIDs.",
                )


def _is_bulk(given: Given, chosen: Sequence[Chosen]) -> bool:
    asked = ("job", "resume", "rate", "give_up")
    here = ("batch", "between", "dry_run", "split")
    if any(given[one] is not None for one in asked) or any(given[one] for one in here):
        return True
    return any(
        node.max_associations or node.rate or node.between or node.row_limit
        for _, node in chosen
        if node is not None
    )


def reach(given: Given, peers: Sequence[Peer]) -> tuple[Peer, ...]:
    """The same peers, with how to reach them and who we are to them, unless the book says so.

    The last step of a command line: it may ask for a pass phrase, and what is wrong elsewhere
    should be known by then.

    Raises:
        InvalidRequest: TLS cannot be set up, a secret cannot be had, or an address is none.
    """
    bind = () if given["bind"] is None else parse_addresses(given["bind"])
    tls = make_tls(given)
    identity = make_identity(
        user=given["user"],
        passcode=given["passcode"],
        kerberos=given["kerberos"],
        saml=given["saml"],
        jwt=given["jwt"],
        response=given["user_response"],
    )
    return tuple(
        replace(
            peer,
            tls=tls or peer.tls,
            identity=identity or peer.identity,
            bind=bind,
            family=given["family"],
        )
        for peer in peers
    )


def make_peers(nodes: Sequence[str], called: str, calling: str) -> tuple[Peer, ...]:
    """The peers that --node names; one named twice is asked once.

    Raises:
        InvalidRequest: a node or an AE title is none.
    """
    chooser = Chooser(called=called, calling=calling, is_calling_given=is_given("calling"))
    return tuple(one.peer for one in chooser.choose(nodes))


def make_timeouts(given: Given) -> Timeouts:
    """The clocks that -to, -ts, -ta and -td set; the rest keep their defaults.

    -td bounds each wait for a response and each response itself. -ts bounds sending, and where
    there is no -td the waits too, as it does in findscu; 0 and -1 wait for ever.
    """
    timeouts = Timeouts()
    if (connect := given["connect_timeout"]) is not None:
        timeouts = replace(timeouts, connect=connect)
    if (socket := given["socket_timeout"]) is not None:
        seconds = socket if socket > 0 else None
        timeouts = replace(timeouts, send=seconds, response=seconds, message=seconds)
    if (acse := given["acse_timeout"]) is not None:
        timeouts = replace(timeouts, associate=acse, release=acse)
    if (dimse := given["dimse_timeout"]) is not None:
        timeouts = replace(timeouts, response=dimse, message=dimse)
    if (first := given.get("first_response")) is not None:
        timeouts = replace(timeouts, first_response=first or math.inf)
    if (deadline := given.get("deadline")) is not None:
        timeouts = replace(timeouts, query=deadline or None)
    return timeouts


def _chosen_and_files(
    given: Given, parameters: Sequence[str], chooser: Chooser
) -> tuple[tuple[Chosen, ...], Sequence[str]]:
    chosen = chooser.choose(given["nodes"])
    if (chosen or given["batch"]) and not _names_a_peer(parameters):
        return chosen, parameters
    if len(parameters) < 2:
        missing = "port" if parameters else "peer and port"
        raise InvalidRequest(
            f"missing parameter {missing}",
            "Name an archive: asyncfind [options] PEER PORT, or --node AET@HOST:PORT.",
        )
    host, port, *files = parameters
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host:
        raise InvalidRequest("the peer's host name is empty", "Name an archive: PEER PORT.")
    peer = Peer(
        host=host,
        port=parse_port(port),
        called=check_title(given["called"], "called"),
        calling=check_title(given["calling"], "calling"),
    )
    return tuple({one.peer: one for one in (Chosen(peer), *chosen)}.values()), files


def _resumed(given: Given, parameters: Sequence[str], chooser: Chooser) -> tuple[Chosen, ...]:
    """Nodes of a job as the book and the line have them now; what to ask, the job says itself."""
    other = parameters or given["keys"] or given["batch"] or given["job"] is not None
    if other or is_given("model"):
        raise InvalidRequest(
            "--resume with a query, a peer or another job",
            "The job knows what it asks and whom: asyncfind --resume FILE.",
        )
    # Only who has a job pays for its import.
    from asyncfind.run.journal_reader import names_of_nodes

    names = names_of_nodes(Path(given["resume"]))
    return chooser.choose((*chooser.known(names), *given["nodes"]))


def _batch(
    given: Given,
    files: Sequence[str],
    model: Model,
    chosen: tuple[Chosen, ...],
    chooser: Chooser,
) -> tuple[Sequence[Query], tuple[Chosen, ...], Sequence[Sequence[int]]]:
    """The queries of --batch, whom they ask, and which of them each is asked."""
    # Only who has a list pays for its import.
    from asyncfind.cli.batch import read_batch

    if len(given["batch"]) > 1:
        raise InvalidRequest("--batch more than once", "Put the rows in one list.")
    if len(files) > 1:
        raise InvalidRequest(
            "--batch and more than one query file", "One query file is changed by every row."
        )
    asked = {one.peer.node: one for one in chosen}
    default = tuple(asked)

    def resolve(selector: str) -> Sequence[str]:
        found = {one.peer.node: one for one in chooser.choose((selector,))}
        asked.update({name: one for name, one in found.items() if name not in asked})
        return tuple(found)

    batch = read_batch(
        given["batch"][0],
        model=model,
        base_keys=given["keys"],
        base=read_query_file(Path(files[0])) if files else None,
        default_nodes=default,
        resolve=resolve,
        new_vr=given["new_vr"] == "kept",
    )
    places = {name: array("L") for name in asked}
    for place in range(len(batch)):
        for name in batch.nodes(place) or default:
            places[name].append(place)
    names = [name for name in asked if places[name]]
    if not names:
        raise InvalidRequest(
            "nobody to ask: the list has no column `node`",
            "Name an archive: asyncfind [options] PEER PORT, or --node NAME.",
        )
    return batch, tuple(asked[name] for name in names), [places[name] for name in names]


def _names_a_peer(parameters: Sequence[str]) -> bool:
    """With --node, `HOST 104` is still an archive; `a.dcm b.dcm`, and `a.dcm 104`, are files."""
    if len(parameters) < 2 or not (parameters[1].isascii() and parameters[1].isdecimal()):
        return False
    return not any(_exists(parameter) for parameter in parameters[:2])


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long, or a NUL in it: no name of a file
        return False


def _queries(
    files: Sequence[str], keys: Sequence[str], model: Model, *, new_vr: bool
) -> tuple[Query, ...]:
    if not files and not keys:
        raise InvalidRequest(
            "nothing to ask: neither query file nor key",
            'Add query files, or keys such as -k QueryRetrieveLevel=STUDY -k PatientName="A*".',
        )
    bases: list[tuple[str, Item | None]] = [
        (file, read_query_file(Path(file))) for file in files
    ] or [("", None)]
    queries = []
    for file, base in bases:
        query = make_query(model, keys, base=base, label=safe(file))
        if not new_vr:
            query = replace(query, identifier=without_new_vrs(query.identifier))
        queries.append(query)
    return tuple(queries)
