"""The files of a journal: who may open them, and how.

Beside `job.db` are `job.db.lock`, which its one writer holds, `job.db.blobs` with identifiers too
large for a row, and while it is open what SQLite's WAL needs. All are for their owner alone.
"""

import contextlib
import errno
import fcntl
import os
import sqlite3
import stat
import struct
from pathlib import Path
from typing import Final
from urllib.parse import quote

from asyncfind.errors import InvalidRequest
from asyncfind.run.journal_schema import APPLICATION_ID, RUNNING_SETTINGS, SCHEMA, TYPES, VERSION
from asyncfind.safe import safe

__all__ = [
    "Lock",
    "beside",
    "check_file_system",
    "check_header",
    "check_whole",
    "connect",
    "connect_reader",
    "damaged",
    "publish",
    "sync",
]

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_VERSION_AT: Final = 60
_ID_AT: Final = 68
"""Places in the header of every SQLite file (its file format, Section 1.3)."""

_NETWORK: Final = frozenset(
    (
        *("9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
        *("gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"),
        *("virtiofs", "vboxsf", "fuse.vmhgfs-fuse"),
    )
)
_MOUNTS: Final = Path("/proc/self/mountinfo")
_NO_LINKS: Final = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)
"""What file systems without hard links answer."""


class Lock:
    """The lock on a journal, on a file beside it; SQLite's own does not outlive a transaction.

    Args:
        path: of the journal.

    Raises:
        InvalidRequest: another process has it, or no file can be made there.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(beside(path, ".lock"), flags, 0o600)
        except OSError as exc:
            raise _unusable(path, exc.strerror or "it cannot be locked") from exc
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._descriptor)
            if not isinstance(exc, BlockingIOError):
                raise _unusable(path, exc.strerror or "it cannot be locked") from exc
            raise InvalidRequest(
                f"another process runs the job {safe(str(path))}",
                "Wait for its end, or stop it first.",
            ) from exc

    def release(self) -> None:
        """Let others have it; once is enough."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def beside(path: Path, suffix: str) -> Path:
    """The file or folder that belongs to the journal at `path`."""
    return path.with_name(path.name + suffix)


def check_file_system(path: Path, mounts: Path = _MOUNTS) -> None:
    """Refuse network file systems: locks and shared memory are no safe ground there.

    Where the system does not tell what is mounted, nothing is refused.

    Args:
        path: of the journal, which need not be there yet.
        mounts: what is mounted, in the form of Linux's mountinfo.

    Raises:
        InvalidRequest: `path` is on one.
    """
    folder = path.absolute().parent.resolve()
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    best, kind = -1, ""
    for line in lines:
        left, dash, right = line.partition(" - ")
        fields = left.split()
        if not dash or len(fields) < 5 or not right:
            continue
        # Blanks and backslashes are octal escapes there.
        point = Path(fields[4].encode().decode("unicode_escape"))
        depth = len(point.parts)
        # The last of several mounts at one point is the one that is seen.
        if depth >= best and (point == folder or point in folder.parents):
            best, kind = depth, right.split()[0]
    if kind in _NETWORK:
        raise InvalidRequest(
            f"{safe(str(path))} is on a network file system ({safe(kind)})",
            "Keep the job on a local disk, or use --allow-network-fs.",
        )


def check_header(path: Path) -> None:
    """Look at the first bytes of a journal before SQLite does: it changes what it opens.

    Raises:
        InvalidRequest: it is not there, no regular file, or no journal that we know.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError as exc:
        raise InvalidRequest(
            f"there is no job {safe(str(path))}", "Start it with --job, or check the name."
        ) from exc
    except OSError as exc:
        raise _unusable(path, exc.strerror or "it cannot be read") from exc
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        head = os.read(descriptor, _HEADER) if is_file else b""
    except OSError as exc:
        raise _unusable(path, exc.strerror or "it cannot be read") from exc
    finally:
        os.close(descriptor)
    number, foreign = 0, True
    if len(head) == _HEADER and head.startswith(_MAGIC):
        (number,) = struct.unpack_from(">I", head, _VERSION_AT)
        foreign = struct.unpack_from(">I", head, _ID_AT)[0] != APPLICATION_ID
    if foreign:
        raise _unusable(path, "it is no journal of a job")
    if number != VERSION:
        raise InvalidRequest(
            f"{safe(str(path))} is a journal of version {number}, this asyncfind knows {VERSION}",
            "Use the asyncfind that wrote it.",
        )


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Check a journal that was just opened: undamaged, and exactly our tables and views.

    Whoever hands a file over may have put triggers or other views into it.

    Raises:
        InvalidRequest: it is damaged or was changed.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(SCHEMA)
        expected = _objects(ours)
    try:
        # Before anything else: a view in the place of a table would be asked below.
        if _objects(connection) != expected:
            raise _unusable(path, "its tables are not those of a journal")
        sound = connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
        for table, types in TYPES.items():
            wrong = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE NOT ({types}))"
            sound = sound and connection.execute(wrong).fetchone() == (0,)
        jobs = connection.execute("SELECT count(*) FROM job").fetchone()[0]
    except sqlite3.DatabaseError as exc:
        raise damaged(path, exc) from exc
    if not sound or jobs != 1:
        raise damaged(path)


def _objects(connection: sqlite3.Connection) -> set[tuple[str, str, str, str]]:
    listing = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
    # PRAGMA optimize and ANALYZE would add statistics; we use neither.
    return set(connection.execute(listing))


def damaged(path: Path, cause: Exception | None = None) -> InvalidRequest:
    """The error that says that a journal cannot be trusted, or, where that is all, not be read.

    Args:
        cause: where it is the system's no (a full disk, no right), nothing is wrong with the
            journal.
    """
    # A file that the journal names and that is not there is gone: trying again would not help.
    gone = isinstance(cause, FileNotFoundError)
    if isinstance(cause, sqlite3.OperationalError | OSError) and not gone:
        return InvalidRequest(
            f"the journal {safe(str(path))} cannot be read now: {cause}",
            "SQLite needs some room and the right to write beside it; see to that and try again.",
        )
    return InvalidRequest(
        f"the journal {safe(str(path))} is damaged",
        "Restore it from a copy, or begin a new job.",
    )


def connect(path: Path, *, network: bool = False) -> sqlite3.Connection:
    """The one connection that writes, in autocommit mode; for use by one thread at a time.

    Args:
        network: the file may be on a network file system: no WAL then, and more syncing.

    Raises:
        sqlite3.Error: SQLite refuses.
    """
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        for setting in RUNNING_SETTINGS:
            connection.execute(setting)
        mode, sync = ("delete", "EXTRA") if network else ("wal", "FULL")
        connection.execute(f"PRAGMA synchronous = {sync}")
        if connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0] != mode:
            raise sqlite3.OperationalError(f"journal mode {mode} is not to be had")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and never checkpoints; raises `sqlite3.Error`."""
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        for setting in (*RUNNING_SETTINGS, "PRAGMA query_only = ON"):
            connection.execute(setting)
    except BaseException:
        connection.close()
        raise
    return connection


def publish(draft: Path, path: Path) -> None:
    """Give a whole file its name, durably and only if nothing has that name.

    Raises:
        FileExistsError: something has it.
        OSError: the system refuses.
    """
    sync(draft)
    try:
        os.link(draft, path, follow_symlinks=False)
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        # No hard links here: the name is reserved, then replaced.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(path, flags, 0o600))
        draft.rename(path)
    else:
        draft.unlink()
    sync(path.absolute().parent)


def sync(path: Path) -> None:
    """Make a file or the names in a folder durable; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, why: str) -> InvalidRequest:
    return InvalidRequest(f"cannot use {safe(str(path))} as a job: {why}", "Choose another --job.")
