"""The journal of a job: what is done and durable, so that a killed run resumes and loses nothing.

Rows are staged under an attempt and become results in the transaction that stores the query's
final status. What was acknowledged survives any end of the process; what was not is asked again.
docs/journal.md describes the file.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from asyncfind.errors import AsyncfindError, InvalidRequest, Kind, LocalProtocolError
from asyncfind.plan import Peer, Query
from asyncfind.records import Find, FindDone, Match, Verdict
from asyncfind.run import journal_changes as changes
from asyncfind.run.journal_blobs import Blobs
from asyncfind.run.journal_file import (
    Lock,
    check_file_system,
    check_header,
    check_whole,
    connect,
    connect_reader,
    damaged,
)
from asyncfind.run.journal_load import (
    address_of,
    check_spec,
    exists,
    make,
    peers_of,
    resume,
    split_of,
)
from asyncfind.run.journal_reader import Decoder, Snapshot, moment, read_progress
from asyncfind.run.journal_words import Child, Claim, Progress, Resumed, Step
from asyncfind.run.journal_writer import Writer
from asyncfind.safe import safe

__all__ = ["Journal"]

_ROW: Final = 128
"""Bytes that a row takes beside its identifier, about."""


class Journal:
    """A journal that is open for writing, by this process alone.

    Made by `create` and `open`; `close` it, or use it as a context manager. Its coroutines belong
    to one event loop. After a failed write all of them raise OutputFailed: what the system has
    lost by then is not known, so nothing is tried again.
    """

    def __init__(
        self,
        path: Path,
        lock: Lock,
        connection: sqlite3.Connection,
        reader: sqlite3.Connection,
        peers: Mapping[int, Peer],
        resumed: Resumed,
        keep_partial: bool,
        split: int | None,
    ) -> None:
        self.path = path
        self.resumed = resumed
        self.split = split
        self._lock = lock
        self._reader = reader
        self._peers = peers
        self._nodes = {address_of(peer): node for node, peer in peers.items()}
        self._keep_partial = keep_partial
        self._blobs = Blobs(path)
        self._decoder = Decoder(path)
        self._received: dict[int, int] = {}
        """Bytes of identifiers by attempt."""
        self._writer = Writer(connection, safe(str(path)), changes.mark_clean)

    @classmethod
    def create(
        cls,
        path: Path,
        spec: str,
        entries: Iterable[tuple[Peer, Query]],
        *,
        split: int | None = None,
        keep_partial: bool = False,
        allow_network_fs: bool = False,
    ) -> Self:
        """Begin a job: its journal appears whole, or not at all.

        Args:
            spec: what the job is about, as `plan_spec` says; compared when it is resumed.
            entries: what to ask, in order; read once and not kept. One that is there twice is
                asked once.
            split: into how many queries one may be split; None splits none.
            keep_partial: keep the rows of attempts that failed.
            allow_network_fs: do without WAL on a network file system instead of refusing it.

        Raises:
            InvalidRequest: there is such a file already, none can be made, or nothing to ask.
        """
        if not allow_network_fs:
            check_file_system(path)
        lock = Lock(path)
        try:
            if os.path.lexists(path):
                raise exists(path)
            peers = make(path, spec, entries)
            network = allow_network_fs
            return cls._start(path, lock, peers, False, keep_partial, network, split=split)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        spec: str | None = None,
        force: bool = False,
        peers: Sequence[Peer] = (),
        retry_failed: bool = False,
        split: int | None = None,
        keep_partial: bool = False,
        allow_network_fs: bool = False,
    ) -> Self:
        """Resume a job: what is done is never asked again, what was under way is.

        Args:
            spec: what the job is expected to be about; None takes it as it is.
            force: even if it is about something else.
            peers: nodes that need more than the journal knows, such as keys for TLS.
            retry_failed: ask again what failed or was cut, with `split` also what is suspect.
            split: into how many queries one may be split from now on; None leaves it as it was.

        Raises:
            InvalidRequest: there is no such job, another process has it, it is about something
                else or damaged, or a node with TLS is not among `peers`.
        """
        if not allow_network_fs:
            check_file_system(path)
        check_header(path)
        lock = Lock(path)
        try:
            return cls._start(
                path,
                lock,
                peers,
                retry_failed,
                keep_partial,
                allow_network_fs,
                spec=None if force else spec,
                split=split,
            )
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _start(
        cls,
        path: Path,
        lock: Lock,
        given: Sequence[Peer],
        retry_failed: bool,
        keep_partial: bool,
        network: bool,
        *,
        spec: str | None = None,
        split: int | None = None,
    ) -> Self:
        with contextlib.ExitStack() as undo:
            try:
                connection = undo.enter_context(contextlib.closing(connect(path, network=network)))
                check_whole(connection, path)
                if spec is not None:
                    check_spec(connection, spec, path)
                peers = peers_of(connection, given, path)
                resumed = resume(
                    connection,
                    retry_failed=retry_failed,
                    # Asked in one piece, they would come to the same.
                    retry_suspect=retry_failed and split is not None,
                    keep_partial=keep_partial,
                )
                split = split_of(connection, split)
                blobs = connection.execute("SELECT blob FROM response WHERE blob IS NOT NULL")
                Blobs(path).sweep({name for (name,) in blobs})
                reader = undo.enter_context(contextlib.closing(connect_reader(path)))
            except sqlite3.DatabaseError as exc:
                raise _unusable(exc, path) from exc
            except OSError as exc:
                raise InvalidRequest(
                    f"cannot use the files beside {safe(str(path))}: {exc.strerror}",
                    "Make them yours, or choose another --job.",
                ) from exc
            journal = cls(path, lock, connection, reader, peers, resumed, keep_partial, split)
            undo.pop_all()
        return journal

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The nodes of the job."""
        return tuple(self._peers.values())

    async def claim(self, peer: Peer, limit: int = 1) -> list[Claim]:
        """Take the next pending queries of a node; none are left where none come.

        A claim is not made durable by itself: after a kill its query is pending either way.

        Raises:
            OutputFailed: the journal could not be written.
        """
        node = self._node(peer)
        rows = await self._writer.do(lambda db: changes.begin(db, node, limit), durable=False)
        claims = []
        for query, ordinal, place, part, attempts, *asked, attempt in rows:
            find = Find(self._peers[node], self._decoder.query(*asked), 1, ordinal)
            claims.append(Claim(query, attempt, attempts + 1, find, place, part))
            self._received[attempt] = 0
        return claims

    async def record(self, claim: Claim, matches: Sequence[Match]) -> None:
        """Take matches of a query that is under way; waits only where the disk is behind.

        Raises:
            OutputFailed: the journal could not be written.
        """
        if not matches:
            return
        size = sum(len(match.identifier) for match in matches)
        self._received[claim.attempt] = self._received.get(claim.attempt, 0) + size
        blobs = self._blobs
        await self._writer.post(
            lambda db: changes.stage(db, claim, matches, blobs), size=size + _ROW * len(matches)
        )

    async def finish(
        self,
        claim: Claim,
        done: FindDone,
        *,
        children: Sequence[Child] = (),
    ) -> None:
        """Store how a query ended, and wait until that is durable: only now may anyone know.

        A query that was interrupted or never sent becomes pending again; one that was complete,
        or was replaced by `children`, is done; every other one has failed.

        Args:
            children: queries that take its place, in order: pending with the same COMMIT.

        Raises:
            LocalProtocolError: not as many matches were recorded as the query had.
            OutputFailed: the journal could not be written.
        """
        interrupted = done.verdict is Verdict.SKIPPED or (
            done.verdict is Verdict.CANCELLED and done.kind is Kind.CANCELLED
        )
        if interrupted and not children:
            await self.retry(claim, done)
            return
        received = self._received.get(claim.attempt, 0)
        keep = self._keep_partial
        await self._writer.do(
            lambda db: changes.end(
                db,
                claim,
                done,
                received,
                keep_partial=keep,
                children=children,
            ),
            completes=True,
        )
        self._received.pop(claim.attempt, None)

    async def finish_part(self, claim: Claim, done: FindDone, step: Step) -> None:
        """Store how a query that may be split, or a part of one, ended; as `finish` else.

        The query has no verdict before `step` has one for the whole.

        Raises:
            LocalProtocolError, OutputFailed: as `finish`.
        """
        received = self._received.get(claim.attempt, 0)
        keep = self._keep_partial
        await self._writer.do(
            lambda db: changes.end_part(db, claim, done, received, step, keep_partial=keep),
            completes=True,
        )
        self._received.pop(claim.attempt, None)

    async def retry(self, claim: Claim, done: FindDone) -> None:
        """Book another attempt: this one's rows go with the COMMIT that makes its query pending.

        Raises:
            LocalProtocolError, OutputFailed: as `finish`.
        """
        received = self._received.get(claim.attempt, 0)
        keep = self._keep_partial
        await self._writer.do(
            lambda db: changes.give_back(db, claim, done, received, keep_partial=keep),
            completes=True,
        )
        self._received.pop(claim.attempt, None)

    async def skip(self, peer: Peer, verdict: Verdict) -> int:
        """Mark what is pending at a node as skipped, until the job is resumed; returns how many.

        Raises:
            OutputFailed: the journal could not be written.
        """
        node = self._node(peer)
        return await self._writer.do(lambda db: changes.skip(db, node, verdict))

    async def set_node(self, peer: Peer, state: str) -> None:
        """Note the state of a node (`ready`, `parked`, ...), without waiting for the disk.

        Raises:
            OutputFailed: the journal could not be written.
        """
        node = self._node(peer)
        await self._writer.post(lambda db: changes.set_node(db, node, state), size=_ROW)

    async def note(self, peer: Peer | None, kind: str, text: str) -> None:
        """Note a rare fact, without waiting for the disk.

        Raises:
            OutputFailed: the journal could not be written.
        """
        node = None if peer is None else self._node(peer)
        await self._writer.post(
            lambda db: changes.add_event(db, node, kind, text), size=len(text) + _ROW
        )

    def book_export(self, name: str, rows: int, sha256: str) -> None:
        """Note an export that is whole and durable; waits for the COMMIT.

        Raises:
            OutputFailed: the journal could not be written.
        """
        self._writer.do_from_thread(lambda db: changes.book_export(db, name, rows, sha256))

    def progress(self) -> Progress:
        """How far the job is, by what is committed.

        Raises:
            InvalidRequest: it cannot be read.
        """
        try:
            return read_progress(self._reader, self._peers)
        except sqlite3.Error as exc:
            raise damaged(self.path, exc) from exc

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """What is committed now, unchanged by what comes while the block lasts.

        Raises:
            InvalidRequest: it cannot be read.
        """
        try:
            connection = connect_reader(self.path)
        except sqlite3.Error as exc:
            raise damaged(self.path, exc) from exc
        with (
            contextlib.closing(connection),
            moment(self.path, connection, self._peers) as snapshot,
        ):
            yield snapshot

    def close(self, *, clean: bool = True) -> None:
        """Commit what was recorded, and let others have the journal; once is enough.

        Args:
            clean: the run came to its own end.

        Raises:
            OutputFailed: the journal could not be written, now or before.
        """
        try:
            self._reader.close()
            self._writer.close(clean=clean)
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        # What went wrong first is what the user is to hear of.
        with contextlib.suppress(AsyncfindError):
            self.close(clean=False)

    def _node(self, peer: Peer) -> int:
        try:
            return self._nodes[address_of(peer)]
        except KeyError:
            raise LocalProtocolError("the job has no such node") from None


def _unusable(exc: sqlite3.DatabaseError, path: Path) -> InvalidRequest:
    # OperationalError is the system's no, its base class SQLite's: malformed, or no database.
    if not isinstance(exc, sqlite3.OperationalError):
        return damaged(path)
    return InvalidRequest(
        f"cannot use the journal {safe(str(path))}: {exc}", "Choose another --job."
    )
