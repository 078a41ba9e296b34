"""The same log config files by findscu and by asyncfind: the same bytes, in the same places.

What findscu logs is recorded once, event by event, with a config file made for that; then both
sides run every config file below, findscu with its query and ours with the recorded events.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from servers import Server
from servers.process import program

from asyncfind.logs.config import LogConfigError, read_log_config
from asyncfind.logs.levels import Level

_QUESTION: Final = ("-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID", "-k", "PatientName=A*")
_REFUSED: Final = ("127.0.0.1", "1", "-k", "PatientID")
_RECORDER: Final = """\
log4cplus.rootLogger = {level}, r
{more}
log4cplus.appender.r = log4cplus::ConsoleAppender
log4cplus.appender.r.layout = log4cplus::PatternLayout
log4cplus.appender.r.layout.FormatEachLine = false
log4cplus.appender.r.layout.ConversionPattern = %c\x1f%p\x1f%m\x1e
"""
_ENVIRONMENT: Final = {
    "PLACE": "from the environment",
    "LANG": "C",
    "BLANK": "",
    "TZ": "Asia/Tokyo",
}


@pytest.fixture(scope="module", autouse=True)
def _far_away() -> Iterator[None]:
    """Local time is another one than UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", _ENVIRONMENT["TZ"])
        time.tzset()
        yield
    time.tzset()


class _Event(NamedTuple):
    logger: str
    level: Level
    message: bytes


class _Seen(NamedTuple):
    stdout: bytes
    stderr: bytes
    files: dict[str, bytes]


def _findscu(config: Path, folder: Path, arguments: tuple[str, ...]) -> _Seen:
    done = subprocess.run(
        [program("findscu"), "-lc", config, *arguments],
        cwd=folder,
        env=_ENVIRONMENT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return _Seen(done.stdout, done.stderr, _files(folder))


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def _record(folder: Path, level: str, more: str, arguments: tuple[str, ...]) -> list[_Event]:
    config = folder / f"record-{level}-{len(more)}.cfg"
    config.write_text(_RECORDER.format(level=level, more=more), "ascii")
    events = []
    for record in _findscu(config, folder, arguments).stdout.split(b"\x1e")[:-1]:
        logger, name, message = record.split(b"\x1f", 2)
        level_of = Level.parse(name.decode())
        assert level_of is not None
        events.append(_Event(logger.decode(), level_of, message))
    return events


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> list[_Event]:
    """Everything findscu logs about a connection that is refused."""
    events = _record(tmp_path_factory.mktemp("refused"), "TRACE", "", _REFUSED)
    assert events[-1] == _Event(
        "dcmtk.dcmnet",
        Level.ERROR,
        b"Association Request Failed: 0006:031c TCP Initialization Error: Connection refused",
    )
    return events


@pytest.fixture(scope="module")
def answered(
    dcmqrscp_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[bool, bool], list[_Event]]:
    """What findscu logs about a query, by what is enabled: debugging, and showing responses.

    findscu asks both when it chooses what to log.
    """
    folder = tmp_path_factory.mktemp("answered")
    hide = "log4cplus.logger.dcmtk.dcmnet.responses = OFF"
    return {
        (debug, show): _record(
            folder,
            "TRACE" if debug else "INFO",
            "" if show else hide,
            _arguments(dcmqrscp_server),
        )
        for debug in (False, True)
        for show in (False, True)
    }


def _arguments(server: Server) -> tuple[str, ...]:
    return (*map(str, server.address), "-P", *_QUESTION)


def _replay(
    config: Path, folder: Path, events: dict[tuple[bool, bool], list[_Event]], *, strict: bool
) -> _Seen:
    stdout, stderr = BytesIO(), BytesIO()
    here = Path.cwd()
    os.chdir(folder)
    try:
        logs = read_log_config(
            str(config),
            strict=strict,
            program="/usr/bin/findscu",
            stdout=stdout,
            stderr=stderr,
            environ={os.fsencode(name): os.fsencode(text) for name, text in _ENVIRONMENT.items()},
        )
        debug = logs.is_enabled("dcmtk.dcmnet", Level.DEBUG)
        show = logs.is_enabled("dcmtk.dcmnet.responses", Level.INFO)
        for event in events[debug, show]:
            logs.log(*event)
        logs.close()
    finally:
        os.chdir(here)
    return _Seen(stdout.getvalue(), stderr.getvalue(), _files(folder))


def _console(pattern: str, level: str = "INFO", **more: str) -> str:
    """A config file with one console appender."""
    lines = [
        f"log4cplus.rootLogger = {level}, a",
        "log4cplus.appender.a = log4cplus::ConsoleAppender",
        "log4cplus.appender.a.layout = log4cplus::PatternLayout",
        f"log4cplus.appender.a.layout.ConversionPattern = {pattern}",
    ]
    return "\n".join(lines + [f"log4cplus.{key} = {text}" for key, text in more.items()]) + "\n"


def _file(kind: str, *more: str, pattern: str = "%p %c %m%n", level: str = "DEBUG") -> str:
    """A config file with one file appender."""
    lines = [
        f"log4cplus.rootLogger = {level}, f",
        f"log4cplus.appender.f = log4cplus::{kind}",
        "log4cplus.appender.f.File = out.log",
        "log4cplus.appender.f.layout = log4cplus::PatternLayout",
        f"log4cplus.appender.f.layout.ConversionPattern = {pattern}",
    ]
    return "\n".join(lines + [f"log4cplus.appender.f.{text}" for text in more]) + "\n"


_TWO: Final = """\
log4cplus.rootLogger = {root}
log4cplus.appender.a = log4cplus::ConsoleAppender
log4cplus.appender.a.layout = log4cplus::PatternLayout
log4cplus.appender.a.layout.ConversionPattern = a %P %c: %m%n
log4cplus.appender.b = log4cplus::ConsoleAppender
log4cplus.appender.b.logToStdErr = true
log4cplus.appender.b.layout = log4cplus::PatternLayout
log4cplus.appender.b.layout.ConversionPattern = b %P %c: %m%n
{more}
"""

# Config files that both understand, and that asyncfind takes with `strict` as well.
_GOOD: Final = {
    "plain": _console("%P: %m%n"),
    "levels": _console("%p|%5p|%-5p|%.2p|%10.3p|%-10.3p|%m%n", "TRACE"),
    "zero widths": _console("%0p|%.0p|%-0p|%-.0p|%m%n"),
    "double minus": _console("%--8p|%m%n"),
    "percent signs": _console("100%% %%m %m%%%n"),
    "percent at the end": _console("%m%n%"),
    "message twice": _console("%m|%m%n"),
    "message with a width": _console("[%40m] [%.10m]%n"),
    "both kinds of message": _console("%m [%.10m]%n"),
    "no message": _console("%p%n"),
    "no line feed": _console("<%m>"),
    "only text": _console("text"),
    "logger parts": _console(
        "%c{1}|%c{2}|%c{3}|%c{9}|%c{0}|%c{-1}|%c{ 2x}|%c{x}|%c{}|%20c{1} %m%n"
    ),
    "context": _console("[%x] [%X{key}] [%X] [%5x] %m%n"),
    "one event, one form": _console("<%m>%n", **{"appender.a.layout.FormatEachLine": "false"}),
    "number as truth": _console("<%m>%n", **{"appender.a.layout.FormatEachLine": "0"}),
    "blanks": "\n  # none = of this\n\t log4cplus.rootLogger\t=  INFO ,  a , a \r\n"
    "log4cplus.appender.a=log4cplus::ConsoleAppender\r\n\v\f\r\n=x\nnonsense\n#\n",
    "lower case level": _console("%m%n", "debug"),
    "all": _console("%P: %m%n", "all"),
    "off": _console("%P: %m%n", "OFF"),
    "fatal only": _console("%P: %m%n", "FATAL"),
    "the last one counts": _console("no") + _console("yes %m%n", "ERROR"),
    "simple layout": _TWO.format(
        root="DEBUG, s",
        more="log4cplus.appender.s = log4cplus::ConsoleAppender\n"
        "log4cplus.appender.s.layout = log4cplus::SimpleLayout",
    ),
    "no layout": _TWO.format(
        root="DEBUG, s", more="log4cplus.appender.s = log4cplus::ConsoleAppender"
    ),
    "no appender": "log4cplus.rootLogger = INFO\n",
    "nobody hears errors": "log4cplus.rootLogger = FATAL\nlog4cplus.logger.dcmtk.dcmnet = INFO\n",
    "two appenders": _TWO.format(root="DEBUG, a, b", more=""),
    "once only": _TWO.format(root="INFO,a,a,,a,", more=""),
    "two levels": _TWO.format(root="WARN, a", more="log4cplus.logger.dcmtk.dcmnet = DEBUG, b"),
    "same appender twice": _TWO.format(
        root="INFO, a", more="log4cplus.logger.dcmtk.dcmnet = DEBUG, a, b"
    ),
    "not additive": _TWO.format(
        root="INFO, a",
        more="log4cplus.logger.dcmtk.dcmnet = DEBUG, b\nlog4cplus.additivity.dcmtk.dcmnet = false",
    ),
    "additive in numbers": _TWO.format(
        root="INFO, a",
        more="log4cplus.logger.dcmtk = DEBUG, b\nlog4cplus.additivity.dcmtk = 0",
    ),
    "additive after all": _TWO.format(
        root="INFO, a",
        more="log4cplus.logger.dcmtk = DEBUG, b\nlog4cplus.additivity.dcmtk = TRUE",
    ),
    "not additive and silent": _TWO.format(
        root="INFO, a",
        more="log4cplus.logger.dcmtk = DEBUG\nlog4cplus.additivity.dcmtk = False",
    ),
    "responses hidden": _TWO.format(
        root="INFO, a", more="log4cplus.logger.dcmtk.dcmnet.responses = OFF"
    ),
    "responses hidden in debug": _TWO.format(
        root="DEBUG, a", more="log4cplus.logger.dcmtk.dcmnet.responses = WARN"
    ),
    "responses elsewhere": _TWO.format(
        root="ERROR, a",
        more="log4cplus.logger.dcmtk.dcmnet.responses = INFO, b\n"
        "log4cplus.additivity.dcmtk.dcmnet.responses = false",
    ),
    "inherited": _TWO.format(root="INFO, a", more="log4cplus.logger.dcmtk.dcmnet = INHERITED, b"),
    "unknown logger": _TWO.format(root="INFO, a", more="log4cplus.logger.dcmtk.dcm = TRACE, b"),
    "threshold": _console("%P: %m%n", "TRACE", **{"appender.a.Threshold": "warn"}),
    "threshold of nothing": _console("%P: %m%n", "INFO", **{"appender.a.Threshold": "all"}),
    "null": _TWO.format(
        root="TRACE, n",
        more="log4cplus.appender.n = log4cplus::NullAppender\n"
        "log4cplus.logger.dcmtk.apps = DEBUG, b",
    ),
    "variables": "word = is ${other}\nother = ${PLACE}\n"
    + _console("${word} ${no such} ${BLANK} ${} ${appname} %m%n")
    + "log4cplus.appender.${name}.logToStdErr = true\nname = a\n",
    "variable as appender": "kind = Console\nlog4cplus.rootLogger = INFO, x\n"
    "log4cplus.appender.x = log4cplus::${kind}Appender\n",
    "the file before the environment": "PLACE = the file\n" + _console("${PLACE} %m%n"),
    "flushed": _console("%m%n", "DEBUG", **{"appender.a.ImmediateFlush": "true"}),
    "file": _file("FileAppender"),
    "file without flush": _file("FileAppender", "ImmediateFlush = false", "BufferSize = 100"),
    "file appended": _file("FileAppender", "Append = 1", "ReopenDelay = 3"),
    "file named by variables": _file("FileAppender", "File = ${appname}-${PLACE}.txt"),
    "rolling file": _file(
        "RollingFileAppender",
        "MaxFileSize = 1KB",
        "MaxBackupIndex = 3",
        pattern=30_000 * "x" + "%m%n",
    ),
    "rolling with one": _file(
        "RollingFileAppender", "MaxFileSize = 250kb", pattern=40_000 * "y" + "%m%n"
    ),
    "rolling and large": _file("RollingFileAppender", "MaxFileSize = 1 MB", "MaxBackupIndex = -1"),
    "full disk": _file("FileAppender", "File = /dev/full"),
    "full disk, rolling": _file("RollingFileAppender", "File = /dev/full", "Append = 0"),
    "rolling anew": _file("RollingFileAppender", "Append = false"),
    "daily": _file("DailyRollingFileAppender", "Schedule = daily"),
    "monthly": _file("DailyRollingFileAppender", "Schedule = MONTHLY", "MaxBackupIndex = 2"),
    "weekly": _file("DailyRollingFileAppender", "Schedule = weekly"),
    "twice daily": _file("DailyRollingFileAppender", "Schedule = twice_daily"),
    "async": _TWO.format(
        root="DEBUG, q",
        more="log4cplus.appender.q = log4cplus::AsyncAppender\n"
        "log4cplus.appender.q.QueueLimit = 10\n"
        "log4cplus.appender.q.Appender = log4cplus::FileAppender\n"
        "log4cplus.appender.q.Appender.File = async.log\n"
        "log4cplus.appender.q.Appender.layout = log4cplus::PatternLayout\n"
        "log4cplus.appender.q.Appender.layout.ConversionPattern = %c %m%n",
    ),
    "range filter": _console(
        "%P %m%n",
        "TRACE",
        **{
            "appender.a.filters.1": "log4cplus::spi::LogLevelRangeFilter",
            "appender.a.filters.1.LogLevelMin": "debug",
            "appender.a.filters.1.LogLevelMax": "info",
        },
    ),
    "match filter": _console(
        "%P %m%n",
        "TRACE",
        **{
            "appender.a.filters.1": "log4cplus::spi::LogLevelMatchFilter",
            "appender.a.filters.1.LogLevelToMatch": "INFO",
            "appender.a.filters.1.AcceptOnMatch": "true",
            "appender.a.filters.2": "log4cplus::spi::LogLevelMatchFilter",
            "appender.a.filters.2.LogLevelToMatch": "TRACE",
        },
    ),
    "string filter": _console(
        "%P %m%n",
        "DEBUG",
        **{
            "appender.a.filters.1": "log4cplus::spi::StringMatchFilter",
            "appender.a.filters.1.StringToMatch": "Association",
            "appender.a.filters.1.AcceptOnMatch": "true",
            "appender.a.filters.2": "log4cplus::spi::DenyAllFilter",
        },
    ),
    "range filter that ends the chain": _console(
        "%P %m%n",
        "DEBUG",
        **{
            "appender.a.filters.1": "log4cplus::spi::LogLevelRangeFilter",
            "appender.a.filters.1.LogLevelMin": "info",
            "appender.a.filters.1.AcceptOnMatch": "true",
            "appender.a.filters.2": "log4cplus::spi::DenyAllFilter",
        },
    ),
    "override": _console("%m%n", disableOverride="true"),
    "bytes": _console("\xe9\x80\xff\0 %m%n"),
    "host": _console("%h %20h %m%n"),
}

# Times, processes and threads: numbers are masked.
_CHANGING: Final = {
    "default time": _console("%D|%d|%m%n"),
    "time": _console("%D{%Y-%m-%d %H:%M:%S.%q} %d{%y%j %U %a %b %p %e %q %Q}|%m%n"),
    "seconds": _console("%D{%s}|%d{%s}|%m%n"),
    "zones": _console("%D{%Z %z}|%d{%Z}|%m%n"),
    "percent in time": _console("%D{%%q 100%% %}|%m%n"),
    "bytes in time": _console("%D{\xe9\xff%H\0%M}|%D{\u0001%H%E}|%m%n"),
    "fancy time": _console("%D{%-d %_d %0e %^a %C %G %V %I %l %k %n%t %Ec %Oy %+ %N}|%m%n"),
    "relative": _console("%r %m%n"),
    "process": _console("%i %m%n"),
    "threads": _console("%t %T %m%n"),
    "hourly": _file("DailyRollingFileAppender", "Schedule = hourly"),
    "minutely": _file("DailyRollingFileAppender", "Schedule = minutely"),
    "ttcc": _TWO.format(
        root="DEBUG, s",
        more="log4cplus.appender.s = log4cplus::ConsoleAppender\n"
        "log4cplus.appender.s.layout = log4cplus::TTCCLayout",
    ),
    "ttcc with a date": _TWO.format(
        root="DEBUG, s",
        more="log4cplus.appender.s = log4cplus::ConsoleAppender\n"
        "log4cplus.appender.s.layout = log4cplus::TTCCLayout\n"
        "log4cplus.appender.s.layout.DateFormat = %H:%M:%S.%q\n"
        "log4cplus.appender.s.layout.Use_gmtime = true",
    ),
    "variables of the run": _console("${date} ${time} ${pid} ${hostname} %m%n"),
}

# Config files that findscu makes the best of: with `strict` each of them is an error.
_BAD: Final = {
    "nothing of the root": "log4cplus.rootLogger =\n",
    "no closing brace": "log4cplus.rootLogger = INFO\nlog4cplus.logger.x = ${PLACE\n",
    "no closing brace after a change": _console("${PLACE} ${PLACE %m%n"),
    "unknown appender": _TWO.format(root="INFO, a, zz", more=""),
    "unknown kind of appender": _TWO.format(
        root="INFO, x, a", more="log4cplus.appender.x = ConsoleAppender"
    ),
    "unknown kind in another case": _TWO.format(
        root="INFO, x, a", more="log4cplus.appender.x = log4cplus::consoleappender"
    ),
    "unknown layout": _console(
        "%m%n", **{"appender.a.layout": "log4cplus::HTMLLayout", "appender.a.Threshold": "OFF"}
    ),
    "pattern without pattern": _TWO.format(
        root="INFO, x",
        more="log4cplus.appender.x = log4cplus::ConsoleAppender\n"
        "log4cplus.appender.x.layout = log4cplus::PatternLayout\n"
        "log4cplus.appender.x.Threshold = OFF",
    ),
    "old pattern": _TWO.format(
        root="INFO, x",
        more="log4cplus.appender.x = log4cplus::ConsoleAppender\n"
        "log4cplus.appender.x.layout = log4cplus::PatternLayout\n"
        "log4cplus.appender.x.layout.Pattern = old %m%n",
    ),
    "both patterns": _console("new %m%n", **{"appender.a.layout.Pattern": "old %m%n"}),
    "empty pattern": _console(""),
    "unknown conversions": _console("%z %5.2q %{ %- %5 %-5.3? %m%n"),
    "no digit": _console("%.z %5.z %m%n"),
    "no end of option": _console("%m %c{1 %m%n"),
    "no end of date": _console("%m %D{%Y"),
    "unknown filter": _console(
        "%m%n",
        **{
            "appender.a.filters.1": "log4cplus::spi::NDCMatchFilter",
            "appender.a.filters.2": "log4cplus::spi::LogLevelMatchFilter",
            "appender.a.filters.2.LogLevelToMatch": "INFO",
        },
    ),
    "filters with a gap": _console(
        "%m%n", **{"appender.a.filters.2": "log4cplus::spi::DenyAllFilter"}
    ),
    "filter with unknown options": _console(
        "%m%n",
        **{
            "appender.a.filters.1": "log4cplus::spi::LogLevelRangeFilter",
            "appender.a.filters.1.logLevelMin": "FATAL",
        },
    ),
    "no truth": _console("<%m>%n", **{"appender.a.layout.FormatEachLine": "no"}),
    "no number": _file("RollingFileAppender", "MaxBackupIndex = 3x", "MaxFileSize = many"),
    "no threshold": _console("%m%n", **{"appender.a.Threshold": "LOUD"}),
    "no level": _TWO.format(root="INFO, a", more="log4cplus.logger.dcmtk.dcmnet = INHERIT, b"),
    "nothing of a logger": _TWO.format(root="INFO, a", more="log4cplus.logger.dcmtk.dcmnet ="),
    "logger without level": _TWO.format(root="INFO, a", more="log4cplus.logger.dcmtk = ,b"),
    "no additivity": _TWO.format(root="INFO, a", more="log4cplus.additivity.dcmtk = maybe"),
    "unknown property": _console("%m%n", **{"appender.a.Colour": "red", "appender.z.File": "z"}),
    "unknown setting": _console("%m%n", nothing="1"),
    "quiet": _TWO.format(root="INFO, a, zz", more="log4cplus.quietMode = true"),
    "no file": "log4cplus.rootLogger = INFO, f\nlog4cplus.appender.f = log4cplus::FileAppender\n",
    "folder that is not there": _file("FileAppender", "File = no/such/folder", "CreateDirs = true"),
    "rolling folder": _file("RollingFileAppender", "File = ."),
    "no schedule": _file("DailyRollingFileAppender", "Schedule = sometimes"),
    "async with a threshold": _TWO.format(
        root="DEBUG, q",
        more="log4cplus.appender.q = log4cplus::AsyncAppender\n"
        "log4cplus.appender.q.Threshold = ERROR\n"
        "log4cplus.appender.q.layout = log4cplus::NoLayout\n"
        "log4cplus.appender.q.Appender = log4cplus::FileAppender\n"
        "log4cplus.appender.q.Appender.File = async.log",
    ),
    "async without anything": _TWO.format(
        root="INFO, a, q",
        more="log4cplus.appender.q = log4cplus::AsyncAppender\n"
        "log4cplus.appender.q.Appender = log4cplus::NoAppender",
    ),
}


def _compare(
    text: str,
    tmp_path: Path,
    events: dict[tuple[bool, bool], list[_Event]],
    arguments: tuple[str, ...],
    *,
    strict: bool,
    mask: bool = False,
) -> None:
    config = tmp_path / "log.cfg"
    config.write_text(text, "latin-1", newline="")
    seen = []
    for name in ("theirs", "ours"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "out.log").write_bytes(b"what was there before\n")
        if name == "theirs":
            seen.append(_findscu(config, folder, arguments))
        else:
            seen.append(_replay(config, folder, events, strict=strict))
    theirs, ours = map(_mask, seen) if mask else seen
    assert ours.stderr == theirs.stderr
    assert ours.stdout == theirs.stdout
    assert ours.files == theirs.files


def _mask(seen: _Seen) -> _Seen:
    return _Seen(
        _masked(seen.stdout),
        _masked(seen.stderr),
        {_masked(name.encode()).decode(): _masked(data) for name, data in seen.files.items()},
    )


def _masked(data: bytes) -> bytes:
    return re.sub(rb"[0-9]+", b"#", data)


_ALL: Final = {(debug, show): () for debug in (False, True) for show in (False, True)}


def _always(events: list[_Event]) -> dict[tuple[bool, bool], list[_Event]]:
    return dict.fromkeys(_ALL, events)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", _GOOD)
def test_refused(name: str, strict: bool, refused: list[_Event], tmp_path: Path) -> None:
    _compare(_GOOD[name], tmp_path, _always(refused), _REFUSED, strict=strict)


@pytest.mark.parametrize("name", _GOOD)
def test_answered(
    name: str,
    answered: dict[tuple[bool, bool], list[_Event]],
    dcmqrscp_server: Server,
    tmp_path: Path,
) -> None:
    _compare(_GOOD[name], tmp_path, answered, _arguments(dcmqrscp_server), strict=False)


@pytest.mark.parametrize("name", _CHANGING)
def test_changing(name: str, refused: list[_Event], tmp_path: Path) -> None:
    _compare(_CHANGING[name], tmp_path, _always(refused), _REFUSED, strict=False, mask=True)


@pytest.mark.parametrize("name", _BAD)
def test_trouble(name: str, refused: list[_Event], tmp_path: Path) -> None:
    _compare(_BAD[name], tmp_path, _always(refused), _REFUSED, strict=False)


@pytest.mark.parametrize("name", _BAD)
def test_strict(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "log.cfg"
    config.write_text(_BAD[name], "latin-1", newline="")
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    stdout, stderr = BytesIO(), BytesIO()
    with pytest.raises(LogConfigError, match=r"^log4cplus\.[^ ]+: ."):
        read_log_config(str(config), strict=True, stdout=stdout, stderr=stderr)
    assert (stdout.getvalue(), stderr.getvalue()) == (b"", b"")
    assert _files(folder) == {}


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "\n\n# nothing\n  # = really\nlog4cplus.rootLogger\n",
        "log4cplus = 1\n",
        "LOG4CPLUS.rootLogger = INFO\n",
        "log4cplus.logger.x = INFO\n",
        "log4cplus.rootlogger = INFO\n",
        "log4cplus.${NAME} = INFO\nNAME = rootLogger\n",
    ],
)
def test_useless_files(text: str | None, tmp_path: Path) -> None:
    config = tmp_path / "log.cfg"
    if text is not None:
        config.write_text(text)
    _compare_errors(config)


@pytest.mark.parametrize("path", ["/", "/dev/null", "/dev/null/x", ""])
def test_useless_paths(path: str) -> None:
    _compare_errors(path)


def _compare_errors(config: Path | str) -> None:
    """findscu ends with an error about `config`, and we have the same text."""
    command = [program("findscu"), "-lc", str(config), *_REFUSED]
    theirs = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert theirs.returncode == 1
    with pytest.raises(LogConfigError) as caught:
        read_log_config(str(config))
    assert theirs.stderr.decode().endswith(f"\nerror: {caught.value.text}\n")


def test_root_without_level(tmp_path: Path) -> None:
    config = tmp_path / "log.cfg"
    config.write_text("log4cplus.rootLogger = LOUD\n")
    command = [program("findscu"), "-lc", str(config), *_REFUSED]
    theirs = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert theirs.returncode < 0  # it crashes, which is not for us to copy
    with pytest.raises(LogConfigError, match="needs a level"):
        read_log_config(str(config), stderr=BytesIO(), stdout=BytesIO())
