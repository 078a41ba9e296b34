"""`asyncfind nodes`: the node book on the screen, a new entry in it, and who of it answers."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from asyncfind.errors import InvalidRequest
from asyncfind.records import ExitCode
from asyncfind.safe import safe

if TYPE_CHECKING:
    from asyncfind.book.node import Identity, Node, TlsSettings
    from asyncfind.book.nodebook import NodeBook
    from asyncfind.plan import Peer

__all__ = ["nodes"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_BOOK: Final = click.option(
    "--nodes",
    "file",
    metavar="FILE",
    help="the node book (default: $ASYNCFIND_NODES, else ~/.config/asyncfind/nodes.toml)",
)
_FORMAT: Final = click.option(
    "--format", "format_name", type=click.Choice(["table", "ndjson"]), default="table",
    show_default=True, help="how to show it",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def nodes() -> None:
    """Keep archives in a node book, and call them by name: --node NAME, --node @GROUP."""


@nodes.command("list")
@click.argument("selectors", nargs=-1, metavar="[NAME|@GROUP]...")
@_BOOK
@_FORMAT
def list_nodes(selectors: tuple[str, ...], file: str | None, format_name: str) -> int:
    """List the nodes of the book, or some of them."""
    book, chosen = _choose(selectors, file)
    chosen = [node.over(book.defaults) for node in chosen]
    if format_name == "ndjson":
        for node in chosen:
            click.echo(json.dumps(_as_json(node)))
    else:
        _print_table(chosen)
    return ExitCode.COMPLETE


@nodes.command("show")
@click.argument("name")
@_BOOK
def show_node(name: str, file: str | None) -> int:
    """Show all that holds for a node, the book's defaults included. Secrets are not read."""
    book, (node, *others) = _choose((name,), file)
    if others:
        raise InvalidRequest(f"{name} is more than one node", "Use: asyncfind nodes list")
    shown = _as_json(node.over(book.defaults))
    if (profile := book.profile(node)) is not None:
        shown["profile"] = {
            fact.name: {"value": fact.value, "evidence": fact.evidence, "date": str(fact.date)}
            for fact in profile.facts.values()
        }
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    return ExitCode.COMPLETE


@nodes.command("add")
@click.argument("name")
@click.argument("address", metavar="[AET@]HOST:PORT")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="a group it belongs to")
@click.option("--calling", metavar="AET", help="our AE title to it")
@click.option("--max-associations", type=click.IntRange(1), metavar="N", help="the most at a time")
@click.option("--rate", metavar="RATE", help="the most queries: 5/s, 300/min")
@click.option("--between", multiple=True, metavar="TIME", help="when to ask it: 20:00-06:00")
@click.option("--charset", multiple=True, metavar="TERM", help="of answers that name none")
@click.option("--quirk", "quirks", multiple=True, metavar="QUIRK", help="what it does its own way")
@click.option("--tls", metavar="PROFILE", help="TLS profile, such as 8996 or bcp195")
@click.option("--tls-ca", multiple=True, metavar="FILE", help="certificates of CAs to trust")
@click.option("--tls-pin", metavar="sha256:HEX", help="the digest of its certificate")
@_BOOK
def add_node(name: str, address: str, file: str | None, **given: Any) -> int:
    """Add a node at the end of the book; no entry is ever replaced."""
    import os
    from pathlib import Path

    from asyncfind.book.address import parse_address
    from asyncfind.book.entries import KEYS, TLS
    from asyncfind.book.nodebook import add_node as add
    from asyncfind.book.store import find_book

    called, host, port = parse_address(address)
    keys: dict[str, str | int | Sequence[str]] = {"host": host, "port": port}
    if called:
        keys["called"] = called
    # Names of files on a command line begin at the current folder, in the book at its own.
    given["tls_ca"] = tuple(str(Path(one).absolute()) for one in given["tls_ca"])
    keys |= {key: given[key] for key in (*KEYS, "tls", *TLS) if given.get(key)}
    path, _ = find_book(file, os.environ)
    node = add(path, name, keys)
    click.echo(f"{node.name} ({node.address}) is in {path} now.", err=True)
    return ExitCode.COMPLETE


@nodes.command(
    epilog="Exit codes: 0 every node answered with success, 1 command line or node book, "
    "2 no association with any node, 4 some node did not answer with success, or its probe ended "
    "early, 130 interrupted."
)
@click.argument("selectors", nargs=-1, metavar="[NAME|@GROUP]...")
@click.option(
    "--probe", is_flag=True,
    help="find out what they support, by gentle queries, and write it beside the book",
)  # fmt: skip
@click.option(
    "--probe-associations", is_flag=True,
    help="the same, and how many associations each takes at a time, up to 8",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="show what a probe found as JSON")
@_BOOK
@_FORMAT
def check(
    selectors: tuple[str, ...],
    file: str | None,
    format_name: str,
    probe: bool,
    probe_associations: bool,
    as_json: bool,
) -> int:
    """Ask the nodes of the book, or some of them, whether they answer (C-ECHO)."""
    probe = probe or probe_associations
    if as_json and not probe:
        raise InvalidRequest("--json without --probe", "Use --format ndjson.")
    if probe and not selectors:
        raise InvalidRequest("--probe names no node", "asyncfind nodes check NAME --probe")
    from asyncfind.cli.echo import show_echoes
    from asyncfind.cli.execute import run_async
    from asyncfind.plan import Plan

    book, chosen = _choose(selectors, file)
    peers = tuple(book.peer(node) for node in chosen)
    _set_up_tls(peers)
    if probe:
        from asyncfind.cli.probe import probe_nodes

        return probe_nodes(
            book,
            chosen,
            peers,
            "json" if as_json else format_name,
            associations=probe_associations,
        )
    return run_async(show_echoes, Plan(peers=peers), format_name)


def _set_up_tls(peers: "Sequence[Peer]") -> None:
    """Read files and ask for pass phrases before the first connection."""
    secured = [peer for peer in peers if peer.tls is not None]
    if secured:
        # Here, because only runs with TLS pay for its import.
        from asyncfind.net.tls import context_of

        for peer in secured:
            assert peer.tls is not None
            try:
                context_of(peer.tls)
            except InvalidRequest as exc:
                raise InvalidRequest(f"node {peer.node}: {exc.text}", exc.hint) from exc


def _choose(selectors: Sequence[str], file: str | None) -> "tuple[NodeBook, Sequence[Node]]":
    """The book, and the nodes in it that are meant: all when nobody chooses."""
    from asyncfind.book.nodebook import NodeBook

    book = NodeBook.load(file)
    chosen = book.resolve(selectors) if selectors else tuple(book.nodes.values())
    if not chosen:
        raise InvalidRequest(
            f"the node book {book.path} is empty", "Add one: asyncfind nodes add NAME AET@HOST:PORT"
        )
    return book, chosen


def _as_json(node: "Node") -> dict[str, object]:
    """A node as it holds, for people and programs; secrets as where they are."""
    return {
        "kind": "node",
        "name": node.name or None,
        "host": node.host,
        "port": node.port,
        "called": node.called,
        "calling": node.calling,
        "groups": node.groups,
        "max_associations": node.max_associations,
        "rate": None if node.rate is None else str(node.rate),
        "between": None if node.between is None else [str(span) for span in node.between],
        "charset": node.charset,
        "quirks": None if node.quirks is None else sorted(node.quirks),
        "load": node.load,
        "tls": _said(node.tls) if node.tls.enabled else None,
        "identity": None if node.identity is None else _said(node.identity),
    }


def _said(settings: "Identity | TlsSettings") -> dict[str, object]:
    """What is said of it, and nothing else."""
    from asyncfind.book.secret import SecretRef

    pairs = ((one.name, getattr(settings, one.name)) for one in fields(settings))
    return {
        name: str(value) if isinstance(value, SecretRef) else value
        for name, value in pairs
        if value not in (None, "")
    }


def _print_table(chosen: "Sequence[Node]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("node", "address", "calling", "groups", "TLS", "limits", "quirks"):
        table.add_column(column, overflow="fold")
    for node in chosen:
        profile = node.tls.profile if node.tls.enabled else None
        cells = (
            node.name,
            node.address,
            node.calling or "",
            " ".join(node.groups),
            profile or "",
            " ".join(_limits(node)),
            " ".join(sorted(node.quirks or ())),
        )
        table.add_row(*(Text(safe(cell)) for cell in cells))
    Console().print(table)


def _limits(node: "Node") -> Iterator[str]:
    if node.max_associations is not None:
        yield f"≤{node.max_associations}"
    if node.rate is not None:
        yield str(node.rate)
    yield from map(str, node.between or ())
    if node.load is not None and node.load != "allowed":
        yield f"load:{node.load}"
