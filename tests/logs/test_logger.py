"""Who may speak, and to whom."""

from io import BytesIO

import pytest

from asyncfind.logs.appenders import Appender, NullAppender
from asyncfind.logs.complaints import Complaints
from asyncfind.logs.event import Event
from asyncfind.logs.filters import Gate
from asyncfind.logs.levels import Level
from asyncfind.logs.logger import ROOT, Logs, default_logs


class _Ear(Appender):
    """Keeps what it hears."""

    def __init__(self) -> None:
        super().__init__(Gate())
        self.heard: list[Event] = []
        self.closed = 0

    def _write(self, event: Event) -> None:
        self.heard.append(event)

    def close(self) -> None:
        self.closed += 1

    @property
    def messages(self) -> list[bytes]:
        return [event.message for event in self.heard]


@pytest.fixture
def stderr() -> BytesIO:
    return BytesIO()


@pytest.fixture
def logs(stderr: BytesIO) -> Logs:
    return Logs(Level.WARN, Complaints(stderr))


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        (b"one", b"I: one\n"),
        (b"", b"I: \n"),
        (b"one\n", b"I: one\nI: \n"),
        (b"\n\ntwo\n", b"I: \nI: \nI: two\nI: \n"),
        (b"\0\x1b[2J\r\xff", b"I: \0\x1b[2J\r\xff\n"),
        (b"%m %n", b"I: %m %n\n"),
    ],
)
def test_every_line_has_the_letter(message: bytes, lines: bytes, stderr: BytesIO) -> None:
    logs = default_logs(Level.INFO, stderr)
    logs.log("dcmtk.dcmnet", Level.INFO, message)
    assert stderr.getvalue() == lines


def test_letters(stderr: BytesIO) -> None:
    logs = default_logs(Level.TRACE, stderr)
    for level in list(Level)[:-1]:
        logs.log("dcmtk", level, level.name.encode())
    assert stderr.getvalue() == (b"T: TRACE\nD: DEBUG\nI: INFO\nW: WARN\nE: ERROR\nF: FATAL\n")


def test_levels_come_from_above(logs: Logs) -> None:
    assert not logs.is_enabled("dcmtk.dcmnet.responses", Level.INFO)
    logs.set_level("dcmtk.dcmnet", Level.DEBUG)
    assert logs.is_enabled("dcmtk.dcmnet.responses", Level.DEBUG)
    assert not logs.is_enabled("dcmtk.dcmnet.responses", Level.TRACE)
    assert not logs.is_enabled("dcmtk.dcmnetwork", Level.INFO)
    logs.set_level("dcmtk.dcmnet.responses", Level.OFF)
    assert not logs.is_enabled("dcmtk.dcmnet.responses", Level.FATAL)
    logs.set_level("dcmtk.dcmnet.responses", None)
    assert logs.is_enabled("dcmtk.dcmnet.responses", Level.DEBUG)
    logs.set_level("dcmtk.dcmnet.responses", None)


def test_root_keeps_a_level(logs: Logs) -> None:
    with pytest.raises(ValueError, match="root"):
        logs.set_level(ROOT, None)
    assert logs.is_enabled(ROOT, Level.WARN)


@pytest.mark.parametrize("level", Level)
def test_quiet(level: Level, stderr: BytesIO) -> None:
    assert default_logs(level, stderr).is_quiet == (level > Level.ERROR)


def test_what_is_not_enabled_is_not_logged(logs: Logs) -> None:
    ear = _Ear()
    logs.set_appenders(ROOT, (ear,))
    logs.log("dcmtk", Level.INFO, b"no")
    logs.log("dcmtk", Level.WARN, b"yes")
    logs.force(ROOT, Level.INFO, b"in any case")
    assert ear.messages == [b"yes", b"in any case"]
    assert [event.logger for event in ear.heard] == ["dcmtk", "root"]


def test_events_go_up(logs: Logs) -> None:
    below, above = _Ear(), _Ear()
    logs.set_appenders("a.b", (below, below))
    logs.set_appenders(ROOT, (above,))
    logs.log("a.b.c", Level.ERROR, b"1")
    logs.log("a", Level.ERROR, b"2")
    logs.set_additive("a.b", additive=False)
    logs.log("a.b.c", Level.ERROR, b"3")
    logs.set_additive("a.b", additive=True)
    logs.log("a.b", Level.ERROR, b"4")
    assert below.messages == [b"1", b"3", b"4"]
    assert above.messages == [b"1", b"2", b"4"]


def test_named_twice_hears_twice(logs: Logs) -> None:
    ear = _Ear()
    logs.set_appenders("a", (ear,))
    logs.set_appenders(ROOT, (ear,))
    logs.log("a", Level.ERROR, b"1")
    assert ear.messages == [b"1", b"1"]


def test_nobody_listens(logs: Logs, stderr: BytesIO) -> None:
    logs.log("a.b", Level.INFO, b"not enabled")
    assert stderr.getvalue() == b""
    logs.log("a.b", Level.ERROR, b"1")
    logs.log("a.c", Level.ERROR, b"2")
    assert stderr.getvalue() == (
        b"log4cplus:ERROR No appenders could be found for logger (a.b).\n"
        b"log4cplus:ERROR Please initialize the log4cplus system properly.\n"
    )


def test_somebody_forgets(logs: Logs, stderr: BytesIO) -> None:
    logs.set_appenders(ROOT, (NullAppender(Gate()),))
    logs.log("a.b", Level.ERROR, b"1")
    logs.close()
    assert stderr.getvalue() == b""


def test_close(logs: Logs, stderr: BytesIO) -> None:
    first, second = _Ear(), _Ear()
    logs.set_appenders("a", (first, second))
    logs.set_appenders(ROOT, (first,))
    assert logs.has_appender(second)
    logs.close()
    logs.close()
    logs.log("a", Level.ERROR, b"late")
    assert (first.closed, second.closed) == (1, 1)
    assert (first.heard, second.heard) == ([], [])
    assert stderr.getvalue() == b""


def test_complaints_when_nobody_can_read_them() -> None:
    stderr = BytesIO()
    complaints = Complaints(stderr)
    complaints.warn(b"odd")
    assert stderr.getvalue() == b"log4cplus:WARN odd\n"
    complaints.quiet = True
    complaints.error(b"more")
    assert stderr.getvalue() == b"log4cplus:WARN odd\n"
    complaints.quiet = False
    stderr.close()
    complaints.error(b"nobody sees this")
