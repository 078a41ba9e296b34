"""Where events go."""

import calendar
import errno
import os
import re
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from asyncfind.logs.appenders import (
    AsyncAppender,
    ConsoleAppender,
    FileAppender,
    NullAppender,
)
from asyncfind.logs.complaints import Complaints
from asyncfind.logs.event import Event
from asyncfind.logs.filters import DenyAll, Gate, LevelMatch, LevelRange, StringMatch
from asyncfind.logs.layouts import SimpleLayout
from asyncfind.logs.levels import Level
from asyncfind.logs.pattern import PatternLayout
from asyncfind.logs.rolling import (
    SMALLEST_FILE,
    DailyRollingFileAppender,
    RollingFileAppender,
    Schedule,
)

_SECOND = 1_000_000_000


def _event(message: bytes = b"text", level: Level = Level.INFO, at: int = 0) -> Event:
    return Event("dcmtk.dcmnet", level, message, at)


class _Terminal(BytesIO):
    def __init__(self) -> None:
        super().__init__()
        self.flushed = 0

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        self.flushed += 1


class _Pipe(_Terminal):
    def isatty(self) -> bool:
        return False


class _Broken(BytesIO):
    def write(self, data: object, /) -> int:
        raise BrokenPipeError(errno.EPIPE, "nobody reads")

    def flush(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "nobody reads")


@pytest.fixture
def stderr() -> BytesIO:
    return BytesIO()


@pytest.fixture
def complaints(stderr: BytesIO) -> Complaints:
    return Complaints(stderr)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


_DEBUG_TO_WARN = LevelRange(Level.DEBUG, Level.WARN, accept=False)


@pytest.mark.parametrize(
    ("gate", "admitted"),
    [
        (Gate(), "TDIWEF"),
        (Gate(Level.WARN), "WEF"),
        (Gate(Level.OFF), ""),
        (Gate(filters=(DenyAll(),)), ""),
        (Gate(filters=(_DEBUG_TO_WARN,)), "DIW"),
        (Gate(filters=(_DEBUG_TO_WARN, DenyAll())), ""),
        (Gate(filters=(LevelRange(Level.DEBUG, Level.WARN, accept=True), DenyAll())), "DIW"),
        (Gate(filters=(LevelRange(None, None, accept=True), DenyAll())), "TDIWEF"),
        (Gate(filters=(LevelMatch(Level.INFO, accept=False),)), "TDWEF"),
        (Gate(filters=(LevelMatch(Level.INFO, accept=True), DenyAll())), "I"),
        (Gate(filters=(LevelMatch(None, accept=True), DenyAll())), ""),
        (Gate(filters=(StringMatch(b"FO", accept=True), DenyAll())), "I"),
        (Gate(filters=(StringMatch(b"FO", accept=False),)), "TDWEF"),
        (Gate(filters=(StringMatch(b"", accept=True), DenyAll())), ""),
    ],
)
def test_gates(gate: Gate, admitted: str) -> None:
    levels = [level for level in Level if level != Level.OFF]
    found = [level for level in levels if gate.admits(_event(level.name.encode(), level))]
    assert "".join(level.prefix for level in found) == admitted


def test_console_asks_its_gate() -> None:
    stream = BytesIO()
    appender = ConsoleAppender(Gate(Level.WARN), SimpleLayout(), stream, flush=False)
    appender.append(_event(b"no"))
    appender.append(_event(b"yes", Level.WARN))
    assert stream.getvalue() == b"WARN - yes\n"


@pytest.mark.parametrize("flush", [False, True])
def test_a_pipe_gets_bytes_as_they_are(flush: bool) -> None:
    stream = _Pipe()
    appender = ConsoleAppender(Gate(), SimpleLayout(), stream, flush=flush)
    appender.append(_event(b"\x1b[2J\0\xff\n\xc2\x9b"))
    assert stream.getvalue() == b"INFO - \x1b[2J\0\xff\n\xc2\x9b\n"
    assert stream.flushed == int(flush)
    appender.close()
    assert stream.flushed == 1 + int(flush)
    assert not stream.closed


def test_a_terminal_gets_nothing_that_acts() -> None:
    stream = _Terminal()
    layout = PatternLayout(b"\x1b[1m%m%n", lambda _: None)  # the user's own escapes may act
    appender = ConsoleAppender(Gate(), layout, stream, flush=False)
    appender.append(_event("\x1b[2J\0\nÄ \u202e\x9b".encode() + b"\xff"))
    shown = b"\x1b[1m\\x1b[2J\\x00\n\x1b[1m" + "Ä \\u202e\\x9b\\xff\n".encode()
    assert stream.getvalue() == shown
    assert stream.flushed == 1


def test_a_broken_stream_is_no_trouble() -> None:
    appender = ConsoleAppender(Gate(), SimpleLayout(), _Broken(), flush=True)
    appender.append(_event())
    appender.close()


def test_a_closed_stream_is_no_trouble() -> None:
    stream = BytesIO()
    stream.close()
    appender = ConsoleAppender(Gate(), SimpleLayout(), stream, flush=True)
    appender.append(_event())
    appender.close()


def test_async_and_null() -> None:
    stream = _Pipe()
    target = ConsoleAppender(Gate(Level.WARN), SimpleLayout(), stream, flush=False)
    appender = AsyncAppender(Gate(), target)
    appender.append(_event(b"no"))
    appender.append(_event(b"yes", Level.ERROR))
    appender.close()
    assert stream.getvalue() == b"ERROR - yes\n"
    assert stream.flushed == 1
    null = NullAppender(Gate())
    null.append(_event())
    null.close()


def _file(
    path: Path, complaints: Complaints, *, append: bool = False, flush: bool = True, delay: int = 1
) -> FileAppender:
    return FileAppender(
        Gate(),
        SimpleLayout(),
        os.fsencode(path),
        complaints,
        append=append,
        flush=flush,
        reopen_delay=delay,
    )


@pytest.mark.parametrize("append", [False, True])
def test_file(append: bool, tmp_path: Path, complaints: Complaints) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    appender = _file(path, complaints, append=append)
    assert appender.open()
    appender.append(_event(b"\xff\0"))
    assert path.read_bytes() == (b"before\n" if append else b"") + b"INFO - \xff\0\n"
    appender.close()


def test_file_without_flush(tmp_path: Path, complaints: Complaints) -> None:
    path = tmp_path / "log"
    appender = _file(path, complaints, flush=False)
    assert appender.open()
    appender.append(_event())
    assert path.read_bytes() == b""
    appender.close()
    assert path.read_bytes() == b"INFO - text\n"


def test_file_comes_back(tmp_path: Path, complaints: Complaints, stderr: BytesIO) -> None:
    path = tmp_path / "folder" / "log"
    appender = _file(path, complaints)
    assert not appender.open()  # for this one the caller complains
    appender.append(_event(b"1", at=0))
    appender.append(_event(b"2", at=_SECOND - 1))
    path.parent.mkdir()
    appender.append(_event(b"3", at=_SECOND - 1))
    appender.append(_event(b"4", at=_SECOND))
    appender.append(_event(b"5", at=_SECOND))
    appender.close()
    assert path.read_bytes() == b"INFO - 4\nINFO - 5\n"
    assert stderr.getvalue() == b""


def test_full_disk(complaints: Complaints, stderr: BytesIO) -> None:
    appender = _file(Path("/dev/full"), complaints, delay=0)
    assert appender.open()
    for _ in range(3):
        appender.append(_event())
    assert stderr.getvalue() == b""  # each time it can be opened again
    appender = _file(Path("/dev/full"), complaints)
    assert appender.open()
    for _ in range(3):
        appender.append(_event())
    appender.close()
    assert stderr.getvalue() == b"log4cplus:ERROR file is not open: /dev/full\n"


def _rolling(
    path: Path, complaints: Complaints, largest: int = 20, backups: int = 2
) -> RollingFileAppender:
    appender = RollingFileAppender(
        Gate(),
        SimpleLayout(),
        os.fsencode(path),
        complaints,
        append=True,
        flush=True,
        reopen_delay=1,
        largest=largest,
        backups=backups,
    )
    assert appender.open()
    return appender


def test_rolling(tmp_path: Path, complaints: Complaints, stderr: BytesIO) -> None:
    appender = _rolling(tmp_path / "log", complaints)
    for number in range(9):
        appender.append(_event(b"%d" % number))  # nine bytes: three of them are more than 20
    appender.append(_event(b"9"))
    appender.close()
    assert _contents(tmp_path) == {
        "log": b"INFO - 9\n",
        "log.1": b"INFO - 6\nINFO - 7\nINFO - 8\n",
        "log.2": b"INFO - 3\nINFO - 4\nINFO - 5\n",
    }
    assert stderr.getvalue() == b""


def test_rolling_counts_what_was_there(tmp_path: Path, complaints: Complaints) -> None:
    (tmp_path / "log").write_bytes(b"x" * 20)
    appender = _rolling(tmp_path / "log", complaints, backups=-3)
    appender.append(_event(b"0"))
    appender.append(_event(b"1"))
    appender.close()
    assert _contents(tmp_path) == {"log": b"INFO - 1\n", "log.1": b"x" * 20 + b"INFO - 0\n"}
    assert SMALLEST_FILE == 204_800


def test_rolling_where_it_cannot(tmp_path: Path, complaints: Complaints, stderr: BytesIO) -> None:
    appender = _rolling(tmp_path / "log", complaints, largest=1)
    (tmp_path / "log.1" / "full").mkdir(parents=True)
    (tmp_path / "log.2" / "full").mkdir(parents=True)
    appender.append(_event(b"0"))
    appender.close()
    number = errno.EISDIR
    text = b"log4cplus:ERROR Failed to rename file from %b to %b; error %d\n"
    path = os.fsencode(tmp_path / "log")
    assert stderr.getvalue() == (
        text % (path + b".1", path + b".2", errno.ENOTEMPTY) + text % (path, path + b".1", number)
    )


def test_rolling_into_nowhere(tmp_path: Path, complaints: Complaints, stderr: BytesIO) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    appender = _rolling(folder / "log", complaints, largest=1)
    (folder / "log").unlink()
    folder.rmdir()
    appender.append(_event(b"0"))
    appender.append(_event(b"1"))
    appender.close()
    path = os.fsencode(folder / "log")
    assert stderr.getvalue() == (
        b"log4cplus:ERROR Failed to open file %b\nlog4cplus:ERROR file is not open: %b\n"
        % (path, path)
    )


def test_rolling_to_a_pipe(tmp_path: Path, complaints: Complaints) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    appender = _rolling(path, complaints, largest=1)
    appender.append(_event(b"0"))
    appender.close()
    assert os.read(reader, 100) == b"INFO - 0\n"
    os.close(reader)
    assert list(_contents_names(tmp_path)) == ["fifo"]


def _at(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) * _SECOND


def _daily(
    path: Path, complaints: Complaints, schedule: Schedule, now: int
) -> DailyRollingFileAppender:
    appender = DailyRollingFileAppender(
        Gate(),
        SimpleLayout(),
        os.fsencode(path),
        complaints,
        append=True,
        flush=True,
        reopen_delay=1,
        schedule=schedule,
        backups=3,
        now=now,
    )
    assert appender.open()
    return appender


_CALENDAR = """\
MONTHLY      2031-12-05 07:08:09  2031-12-31 23:59:59  2032-01-01 00:00:00  2031-12
MONTHLY      2032-02-29 23:08:09  2032-02-29 23:59:59  2032-03-01 00:00:00  2032-02
WEEKLY       2031-12-05 07:08:09  2031-12-06 23:59:59  2031-12-07 00:00:00  2031-47
DAILY        2031-12-05 07:08:09  2031-12-05 23:59:59  2031-12-06 00:00:00  2031-12-05
TWICE_DAILY  2031-12-05 07:08:09  2031-12-05 11:59:59  2031-12-05 12:00:00  2031-12-05-AM
TWICE_DAILY  2031-12-05 12:08:09  2031-12-05 23:59:59  2031-12-06 00:00:00  2031-12-05-PM
HOURLY       2031-12-05 07:08:09  2031-12-05 07:59:59  2031-12-05 08:00:00  2031-12-05-07
MINUTELY     2031-12-05 07:08:09  2031-12-05 07:08:59  2031-12-05 07:09:00  2031-12-05-07-08
"""
# A schedule, a moment, the last second of its period, the first one of the next, the file's name.


@pytest.mark.parametrize("line", _CALENDAR.splitlines())
def test_calendar(line: str, tmp_path: Path, complaints: Complaints) -> None:
    schedule, now, last, first, name = re.split(r"  +", line)
    appender = _daily(tmp_path / "log", complaints, Schedule[schedule], _at(now))
    appender.append(_event(b"0", at=_at(now)))
    appender.append(_event(b"1", at=_at(last)))
    assert _contents(tmp_path) == {"log": b"INFO - 0\nINFO - 1\n"}
    appender.append(_event(b"2", at=_at(first)))
    assert _contents(tmp_path) == {"log": b"INFO - 2\n", f"log.{name}": b"INFO - 0\nINFO - 1\n"}
    appender.close()


def test_calendar_at_the_end(
    tmp_path: Path, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = _at("2031-12-05 07:08:09")
    monkeypatch.setattr(time, "time_ns", lambda: now)
    for number in range(6):
        appender = _daily(tmp_path / "log", complaints, Schedule.DAILY, now)
        appender.append(_event(b"%d" % number, at=now))
        appender.close()
    assert _contents(tmp_path) == {
        "log": b"",
        "log.2031-12-05": b"INFO - 5\n",
        "log.2031-12-05.1": b"INFO - 4\n",
        "log.2031-12-05.2": b"INFO - 3\n",
        "log.2031-12-05.3": b"INFO - 2\n",
    }


def _contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in _contents_names(folder)}


def _contents_names(folder: Path) -> Iterator[str]:
    return (file.name for file in sorted(folder.iterdir()))
