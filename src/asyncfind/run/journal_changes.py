"""What a journal writes while a job runs: each function is one part of a transaction.

The writer calls them. They raise `sqlite3.Error`, and `LocalProtocolError` before they change
anything where a caller is at odds with the journal.
"""

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, Final

from asyncfind.errors import Kind, LocalProtocolError
from asyncfind.records import FindDone, Match, Verdict
from asyncfind.run.journal_blobs import MAX_IN_ROW, Blobs
from asyncfind.run.journal_keys import (
    child_hash,
    columns_to_text,
    encode_keys,
    key_hash,
    place_of,
)
from asyncfind.run.journal_words import Child, Claim, CoverageRow, Step

__all__ = [
    "add_event",
    "begin",
    "book_export",
    "end",
    "end_part",
    "give_back",
    "mark_clean",
    "set_node",
    "skip",
    "stage",
]

_CHOSEN: Final = (
    "SELECT query.id, ordinal, place, range, attempts, model, label, columns, identifier"
    " FROM query JOIN layout ON layout.id = query.layout"
    " WHERE node = ? AND state = 'pending' ORDER BY place LIMIT ?"
)


def begin(connection: sqlite3.Connection, node: int, limit: int) -> list[tuple[Any, ...]]:
    """Make the first pending queries of a node running, each with a new attempt.

    Returns:
        Of each query what `_CHOSEN` names, and the attempt's number in the table.
    """
    chosen = connection.execute(_CHOSEN, (node, limit)).fetchall()
    begun = []
    now = time.time()
    for row in chosen:
        query, attempts = row[0], row[4]
        attempt = connection.execute(
            "INSERT INTO attempt (query, n, started) VALUES (?, ?, ?)", (query, attempts + 1, now)
        ).lastrowid
        connection.execute(
            "UPDATE query SET state = 'running', attempts = attempts + 1 WHERE id = ?", (query,)
        )
        begun.append((*row, attempt))
    return begun


def stage(
    connection: sqlite3.Connection, claim: Claim, matches: Sequence[Match], blobs: Blobs
) -> None:
    """Add rows to an attempt; they are no results yet.

    Raises:
        OSError: a large identifier cannot be stored.
    """
    rows = []
    for match in matches:
        digest = hashlib.sha256(match.identifier)
        identifier: bytes | None = match.identifier
        blob = None
        if len(match.identifier) > MAX_IN_ROW:
            # Before its row: a row never names a file that is not there.
            identifier, blob = None, digest.hexdigest()
            blobs.write(blob, match.identifier)
        rows.append(
            (
                claim.query,
                claim.attempt,
                match.number,
                match.status,
                match.transfer_syntax,
                identifier,
                blob,
                digest.digest(),
            )
        )
    connection.executemany(
        "INSERT INTO response (query, attempt, n, status, syntax, identifier, blob, sha256)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def end(
    connection: sqlite3.Connection,
    claim: Claim,
    done: FindDone,
    received: int,
    *,
    keep_partial: bool,
    children: Sequence[Child] = (),
) -> None:
    """Store how a query ended: its rows become results, or it is known as failed.

    Args:
        received: bytes of identifiers.
        keep_partial: leave the rows of its other attempts, too.
    """
    is_done = bool(children) or _is_final(done)
    _end(connection, claim, done, received, is_done=is_done, keep_partial=keep_partial)
    _add_children(connection, claim, children)


def end_part(
    connection: sqlite3.Connection,
    claim: Claim,
    done: FindDone,
    received: int,
    step: Step,
    *,
    keep_partial: bool,
) -> None:
    """Store how a query that may be split, or a part of one, ended, and what follows of it."""
    is_done = step.keeps or bool(step.parts) or _is_final(done)
    _end(connection, claim, done, received, is_done=is_done, keep_partial=keep_partial)
    _add_children(connection, claim, step.parts)
    root, attempt = connection.execute(
        "SELECT id, done_attempt FROM query WHERE place ="
        " (SELECT substr(place, 1, 4) FROM query WHERE id = ?)",
        (claim.query,),
    ).fetchone()
    whole = step.whole
    if whole is None:
        connection.execute("UPDATE query SET verdict = NULL WHERE id = ?", (root,))
        return
    connection.execute(
        "UPDATE query SET verdict = ?, n = ? WHERE id = ?", (whole.verdict, whole.matches, root)
    )
    connection.execute(
        "UPDATE attempt SET kind = ?, error = ?, hint = ? WHERE id = ?",
        (whole.kind, whole.error, whole.hint, attempt),
    )
    connection.execute("DELETE FROM coverage WHERE query = ?", (root,))
    _cover(connection, root, step.coverage)


def _end(
    connection: sqlite3.Connection,
    claim: Claim,
    done: FindDone,
    received: int,
    *,
    is_done: bool,
    keep_partial: bool,
) -> None:
    _check(connection, claim, done)
    if not keep_partial:
        connection.execute(
            "DELETE FROM response WHERE query = ? AND attempt <> ?", (claim.query, claim.attempt)
        )
    _close_attempt(connection, claim, done, received)
    connection.execute(
        "UPDATE query SET state = ?, done_attempt = ?, verdict = ?, status = ?, n = ? WHERE id = ?",
        (
            "done" if is_done else "failed",
            claim.attempt,
            done.verdict,
            done.status,
            done.matches,
            claim.query,
        ),
    )


def _cover(connection: sqlite3.Connection, query: int, coverage: Sequence[CoverageRow]) -> None:
    connection.executemany(
        "INSERT INTO coverage (query, dimension, low, high, state, rows, range, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((query, *row) for row in coverage),
    )


def _is_final(done: FindDone) -> bool:
    """Asking again would give the same: complete, or stopped at the user's own --cancel."""
    return done.verdict in (Verdict.COMPLETE, Verdict.SUSPECT, Verdict.UNDECODABLE) or (
        done.verdict is Verdict.CANCELLED and done.kind is not Kind.CANCELLED
    )


def _add_children(connection: sqlite3.Connection, claim: Claim, children: Sequence[Child]) -> None:
    peer = claim.find.peer
    # A part that failed and was asked again may have brought others before.
    (known,) = connection.execute(
        "SELECT count(*) FROM query WHERE place > ? AND place <= ? AND length(place) = ?",
        (claim.place, place_of(claim.place, 0xFFFFFFFF), len(claim.place) + 4),
    ).fetchone()
    for index, child in enumerate(children, known):
        keys = encode_keys(child.query)
        place = place_of(claim.place, index)
        columns = columns_to_text(child.query.columns)
        connection.execute("INSERT OR IGNORE INTO layout (columns) VALUES (?)", (columns,))
        connection.execute(
            "INSERT INTO query (ordinal, place, node, parent, range, key_hash, model, label,"
            " layout, identifier)"
            " SELECT ordinal, ?, node, id, ?, ?, ?, ?,"
            " (SELECT id FROM layout WHERE columns = ?), ? FROM query WHERE id = ?",
            (
                place,
                child.range,
                child_hash(key_hash(peer, child.query, keys), place),
                child.query.model.uid,
                child.query.label,
                columns,
                keys,
                claim.query,
            ),
        )


def give_back(
    connection: sqlite3.Connection,
    claim: Claim,
    done: FindDone,
    received: int,
    *,
    keep_partial: bool,
) -> None:
    """End an attempt and make its query pending again: the rows go with the same transaction."""
    _check(connection, claim, done)
    if not keep_partial:
        connection.execute(
            "DELETE FROM response WHERE query = ? AND attempt = ?", (claim.query, claim.attempt)
        )
    _close_attempt(connection, claim, done, received)
    connection.execute("UPDATE query SET state = 'pending' WHERE id = ?", (claim.query,))


def _check(connection: sqlite3.Connection, claim: Claim, done: FindDone) -> None:
    outcome = connection.execute(
        "SELECT outcome FROM attempt WHERE id = ? AND query = ?", (claim.attempt, claim.query)
    ).fetchone()
    if outcome != ("running",):
        raise LocalProtocolError("this attempt ended before")
    (count,) = connection.execute(
        "SELECT count(*) FROM response WHERE query = ? AND attempt = ?",
        (claim.query, claim.attempt),
    ).fetchone()
    if count != done.matches:
        raise LocalProtocolError(f"{done.matches} matches were received, {count} were recorded")


def _close_attempt(
    connection: sqlite3.Connection, claim: Claim, done: FindDone, received: int
) -> None:
    connection.execute(
        "UPDATE attempt SET outcome = ?, kind = ?, mono_ms = ?, bytes = ?, error = ?, hint = ?"
        " WHERE id = ?",
        (
            done.verdict,
            done.kind,
            done.seconds * 1000,
            received,
            done.error,
            done.hint,
            claim.attempt,
        ),
    )


def skip(connection: sqlite3.Connection, node: int, verdict: Verdict) -> int:
    """Mark all pending queries of a node as skipped; returns how many there were."""
    return connection.execute(
        "UPDATE query SET state = 'skipped', verdict = ? WHERE node = ? AND state = 'pending'",
        (verdict, node),
    ).rowcount


def set_node(connection: sqlite3.Connection, node: int, state: str) -> None:
    """Note that a node is in another state from now on."""
    connection.execute(
        "UPDATE node SET state = ?, since = ? WHERE id = ?", (state, time.time(), node)
    )


def add_event(connection: sqlite3.Connection, node: int | None, kind: str, text: str) -> None:
    """Note a rare fact."""
    connection.execute(
        "INSERT INTO event (at, node, kind, text) VALUES (?, ?, ?, ?)",
        (time.time(), node, kind, text),
    )


def book_export(connection: sqlite3.Connection, name: str, rows: int, sha256: str) -> None:
    """Note an export that is whole; one of the same name takes its place."""
    connection.execute(
        "INSERT OR REPLACE INTO export VALUES (?, ?, ?, ?)", (name, rows, sha256, time.time())
    )


def mark_clean(connection: sqlite3.Connection) -> None:
    """The run came to its own end."""
    connection.execute("UPDATE job SET clean = 1")
