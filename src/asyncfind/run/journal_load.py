"""How a job comes into its journal, and how it comes back to life."""

import contextlib
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer, Query
from asyncfind.run.journal_file import damaged, publish
from asyncfind.run.journal_keys import columns_to_text, encode_keys, key_hash, place_of, spec_hash
from asyncfind.run.journal_schema import SCHEMA
from asyncfind.run.journal_words import Resumed
from asyncfind.safe import safe

__all__ = ["address_of", "check_spec", "exists", "make", "peers_of", "resume", "split_of"]


def make(path: Path, spec: str, entries: Iterable[tuple[Peer, Query]]) -> tuple[Peer, ...]:
    """Make the file of a new job and give it its name; returns its nodes.

    Raises:
        InvalidRequest: there is something of that name, it cannot be made, or nothing to ask.
    """
    draft = path.with_name(f".asyncfind-{os.urandom(8).hex()}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(draft, flags, 0o600))
        peers = _fill(draft, spec_hash(spec), entries)
        publish(draft, path)
    except FileExistsError as exc:
        raise exists(path) from exc
    except (OSError, sqlite3.Error) as exc:
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise InvalidRequest(
            f"cannot write the journal {safe(str(path))}: {why}", "Choose another --job."
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return peers


def exists(path: Path) -> InvalidRequest:
    """The error that says that there is something of this name."""
    return InvalidRequest(
        f"{safe(str(path))} exists", "Use --resume to go on with it, or choose another --job."
    )


def check_spec(connection: sqlite3.Connection, spec: str, path: Path) -> None:
    """Check that a job is about what it is expected to be about; raises InvalidRequest."""
    (found,) = connection.execute("SELECT spec_hash FROM job").fetchone()
    if found != spec_hash(spec):
        raise InvalidRequest(
            f"the job {safe(str(path))} is about something else",
            "Resume it as it was begun, use --force, or choose another --job.",
        )


def _fill(path: Path, spec_hash: str, entries: Iterable[tuple[Peer, Query]]) -> tuple[Peer, ...]:
    """Make a journal, neither durable nor safe from a crash before it is synced and renamed.

    Args:
        path: of a file that is there and empty.
        entries: read once; none is kept.

    Returns:
        The nodes.

    Raises:
        InvalidRequest: nothing to ask.
        sqlite3.Error: it cannot be written.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        job = (uuid.uuid4().hex, spec_hash, time.time(), version("asyncfind"))
        connection.execute("INSERT INTO job VALUES (?, ?, ?, ?, 0, NULL)", job)
        nodes: dict[Peer, int] = {}
        layouts: dict[str, int] = {}
        # A query that is there already is asked once.
        connection.executemany(
            "INSERT OR IGNORE INTO query (ordinal, place, node, key_hash, model, label, layout,"
            " identifier) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            _queries(entries, nodes, layouts),
        )
        connection.executemany(
            "INSERT INTO node (id, host, port, called, calling, name, tls, since)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (number, *address_of(peer), peer.tls is not None, time.time())
                for peer, number in nodes.items()
            ),
        )
        connection.executemany(
            "INSERT INTO layout (columns, id) VALUES (?, ?)", list(layouts.items())
        )
        connection.execute("COMMIT")
    finally:
        connection.close()
    if not nodes:
        raise InvalidRequest("the job is empty", "Name at least one node and one query.")
    return tuple(nodes)


def _queries(
    entries: Iterable[tuple[Peer, Query]], nodes: dict[Peer, int], layouts: dict[str, int]
) -> Iterator[tuple[Any, ...]]:
    for ordinal, (peer, query) in enumerate(entries):
        keys = encode_keys(query)
        yield (
            ordinal,
            place_of(b"", ordinal),
            nodes.setdefault(peer, len(nodes) + 1),
            key_hash(peer, query, keys),
            query.model.uid,
            query.label,
            layouts.setdefault(columns_to_text(query.columns), len(layouts) + 1),
            keys,
        )


def address_of(peer: Peer) -> tuple[str, int, str, str, str]:
    """What a journal knows a peer by."""
    return peer.host, peer.port, peer.called, peer.calling, peer.name


def peers_of(connection: sqlite3.Connection, given: Sequence[Peer], path: Path) -> dict[int, Peer]:
    """The nodes of a journal by number; raises `sqlite3.Error`.

    Args:
        given: peers as they are to be reached now. A journal has no keys, pass phrases or
            identities, so nodes with TLS have to be among them.

    Raises:
        InvalidRequest: a node with TLS is not.
    """
    by_address = {address_of(peer): peer for peer in given}
    peers = {}
    for number, *address, tls in connection.execute(
        "SELECT id, host, port, called, calling, name, tls FROM node ORDER BY id"
    ):
        host, port, called, calling, name = address
        peer = by_address.get((host, port, called, calling, name))
        if any(text != safe(text) for text in (host, called, calling, name)):
            raise damaged(path)
        if peer is None:
            peer = Peer(host=host, port=port, called=called, calling=calling, name=name)
        if bool(tls) != (peer.tls is not None):
            raise InvalidRequest(
                f"the job reaches {peer.node} {'by TLS' if tls else 'without TLS'}",
                "Name the node, with the same TLS options as before.",
            )
        peers[number] = peer
    return peers


def split_of(connection: sqlite3.Connection, split: int | None) -> int | None:
    """Into how many queries one may be split; raises `sqlite3.Error`.

    Args:
        split: noted from now on; None leaves it as it was.
    """
    if split is not None:
        connection.execute("UPDATE job SET split = ?", (split,))
    (found,) = connection.execute("SELECT split FROM job").fetchone()
    return None if found is None else int(found)


def resume(
    connection: sqlite3.Connection, *, retry_failed: bool, retry_suspect: bool, keep_partial: bool
) -> Resumed:
    """Make ready for asking again what is not done; one transaction; raises `sqlite3.Error`."""
    connection.execute("BEGIN IMMEDIATE")
    (clean,) = connection.execute("SELECT clean FROM job").fetchone()
    connection.execute("UPDATE job SET clean = 0")
    if not keep_partial:
        connection.execute(
            "DELETE FROM response WHERE (query, attempt) IN"
            " (SELECT query, id FROM attempt WHERE outcome = 'running')"
        )
    redone = connection.execute(
        "UPDATE query SET state = 'pending' WHERE state = 'running'"
    ).rowcount
    connection.execute(
        "UPDATE attempt SET outcome = 'lost', kind = 'local' WHERE outcome = 'running'"
    )
    # What was skipped was never sent.
    again = "('skipped', 'failed')" if retry_failed else "('skipped')"
    connection.execute(f"UPDATE query SET state = 'pending' WHERE state IN {again}")
    if retry_suspect:
        connection.execute(
            "UPDATE query SET state = 'pending' WHERE state = 'done' AND verdict = 'suspect'"
            " AND parent IS NULL AND id NOT IN (SELECT query FROM coverage)"
        )
    # What was split, and was known to its parts, has no verdict while one is to be asked again.
    connection.execute(
        "UPDATE query SET verdict = NULL WHERE id IN (SELECT query FROM coverage) AND place IN"
        " (SELECT substr(place, 1, 4) FROM query WHERE parent NOT NULL AND state = 'pending')"
    )
    states = dict(connection.execute("SELECT state, count(*) FROM query GROUP BY state"))
    connection.execute("COMMIT")
    return Resumed(
        bool(clean),
        states.get("done", 0),
        redone,
        states.get("pending", 0),
        states.get("failed", 0),
    )
