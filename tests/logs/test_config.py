"""Config files, beyond what the comparison with findscu shows."""

import calendar
import os
import re
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.logs.config import LogConfigError, read_log_config
from asyncfind.logs.levels import Level
from asyncfind.logs.logger import ROOT, Logs
from asyncfind.logs.properties import expand, parse_properties, subset

_CONSOLE = """\
log4cplus.rootLogger = INFO, a
log4cplus.appender.a = log4cplus::ConsoleAppender
log4cplus.appender.a.layout = log4cplus::PatternLayout
log4cplus.appender.a.layout.ConversionPattern = %p %m%n
"""


class _Streams:
    def __init__(self) -> None:
        self.out, self.err = BytesIO(), BytesIO()


@pytest.fixture
def streams() -> _Streams:
    return _Streams()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "log.cfg"


def _read(config: Path, streams: _Streams, *, strict: bool = False, **environ: str) -> Logs:
    return read_log_config(
        str(config),
        strict=strict,
        program="folder/findscu",
        stdout=streams.out,
        stderr=streams.err,
        environ={os.fsencode(name): os.fsencode(text) for name, text in environ.items()},
    )


def test_properties() -> None:
    data = b"a=1\r\n b\t= 2 = 3 \r\n#c=4\n # d=5\ne\n=6\n\xff=\xfe\0\nf=\nlast = one"
    assert parse_properties(data) == {
        b"a": b"1",
        b"b": b"2 = 3",
        b"": b"6",
        b"\xff": b"\xfe\0",
        b"f": b"",
        b"last": b"one",
    }


def test_subset() -> None:
    assert subset({b"x.b": b"1", b"y.a": b"2", b"x.a": b"3", b"x.": b"4", b"x": b"5"}, b"x.") == {
        b"": b"4",
        b"a": b"3",
        b"b": b"1",
    }


def _expanded(properties: dict[bytes, bytes], **environ: str) -> dict[bytes, bytes]:
    found: list[bytes] = []
    environment = {name.encode(): text.encode() for name, text in environ.items()}
    expand(properties, environment, lambda _, text: found.append(text))
    assert found == []
    return properties


def test_expand() -> None:
    assert _expanded({b"a": b"${b}-${c}", b"b": b"${HOME}", b"${b}": b"x"}, HOME="h") == {
        b"a": b"h-${c}",
        b"b": b"h",
        b"h": b"x",
    }
    assert _expanded({b"a": b"${${b}}", b"b": b"1"}) == {b"a": b"${${b}}", b"b": b"1"}
    assert _expanded({b"a": b"${HOME}", b"HOME": b""}, HOME="h") == {b"a": b"h", b"HOME": b""}


def test_the_file_comes_before_the_environment() -> None:
    assert _expanded({b"a": b"${HOME}", b"HOME": b"f"}, HOME="h")[b"a"] == b"f"


@pytest.mark.parametrize(
    "text",
    [
        "x = ${x}",
        "x = ${x}${x}",
        "x = a${y}\ny = b${x}",
        f"x = {100_000 * 'x'}${{x}}",
        "${HOME} = y",
        "log4cplus.${K} = x\nK = ${K}y",
    ],
)
def test_variables_without_end(text: str, config: Path, streams: _Streams) -> None:
    config.write_text(_CONSOLE + text + "\n")
    with pytest.raises(LogConfigError, match="no end to its variables"):
        _read(config, streams, HOME="${HOME}")


def test_unreadable(config: Path, streams: _Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(_CONSOLE)

    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(LogConfigError) as caught:
        _read(config, streams)
    assert caught.value.text == "Specified --log-config file cannot be read"
    assert isinstance(caught.value, InvalidRequest)


def test_a_name_no_file_can_have(streams: _Streams) -> None:
    with pytest.raises(LogConfigError, match=r"does not exist$"):
        read_log_config("log\0cfg", stdout=streams.out, stderr=streams.err)


def test_own_streams(
    config: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPENDER", "a, b")
    config.write_text(
        _CONSOLE.replace("INFO, a", "INFO, ${APPENDER}")
        + "log4cplus.appender.b = log4cplus::ConsoleAppender\n"
        "log4cplus.appender.b.logToStdErr = true\n"
    )
    logs = read_log_config(str(config), strict=True)
    logs.log("dcmtk", Level.WARN, b"text")
    logs.close()
    sys.stdout.flush()
    assert capfdbinary.readouterr() == (b"WARN text\n", b"WARN - text\n")


@pytest.mark.parametrize("kind", ["SocketAppender", "SysLogAppender", "Log4jUdpAppender"])
def test_elsewhere(kind: str, config: Path, streams: _Streams) -> None:
    config.write_text(
        "log4cplus.rootLogger = INFO, x\n"
        f"log4cplus.appender.x = log4cplus::{kind}\n"
        "log4cplus.appender.x.host = localhost\n"
    )
    logs = _read(config, streams)
    logs.log("dcmtk", Level.ERROR, b"text")
    logs.close()
    assert (streams.out.getvalue(), streams.err.getvalue()) == (b"", b"")
    with pytest.raises(LogConfigError, match=rf"^log4cplus.appender.x: {kind} is not supported$"):
        _read(config, streams, strict=True)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("log4cplus.configDebug = true", "log4cplus.configDebug: not supported"),
        ("log4cplus.quietMode = maybe", "log4cplus.quietMode: neither true nor false"),
        ("log4cplus.nothing = 1", "log4cplus.nothing: unknown or unsupported property"),
        ("log4cplus.logger.x = LOUD", "log4cplus.logger.x: neither a level nor INHERITED"),
        ("log4cplus.appender.b.File = x", "log4cplus.appender.b.File: there is no such appender"),
        ("log4cplus.appender.a.Threshold = 3", "log4cplus.appender.a.Threshold: not a level"),
        ("log4cplus.appender.a.UseLockFile = 1", "log4cplus.appender.a.UseLockFile: not supported"),
        (
            "log4cplus.appender.a.Append = 1",
            "log4cplus.appender.a.Append: unknown or unsupported property",
        ),
        (
            "log4cplus.appender.a.layout.NDCMaxDepth = 99999999999",
            "log4cplus.appender.a.layout.NDCMaxDepth: not a number",
        ),
        (
            "log4cplus.appender.a.layout.Pattern = %m",
            (
                'log4cplus.appender.a.layout.Pattern: PatternLayout- the "Pattern" property has '
                'been deprecated.  Use "ConversionPattern" instead.'
            ),
        ),
        (
            "log4cplus.appender.a.layout.ConversionPattern = %?",
            (
                "log4cplus.appender.a.layout.ConversionPattern: Unexpected char [?] at position 2 "
                "in conversion pattern."
            ),
        ),
        (
            (
                "log4cplus.appender.a.filters.1 = log4cplus::spi::DenyAllFilter\n"
                "log4cplus.appender.a.filters.1.x = 1"
            ),
            "log4cplus.appender.a.filters.1.x: unknown or unsupported property",
        ),
        (
            "log4cplus.appender.b = \x1b[2J",
            (
                "log4cplus.appender.b: PropertyConfigurator::configureAppenders()- Cannot find "
                "AppenderFactory: \\x1b[2J"
            ),
        ),
        (
            "log4cplus.appender.b = log4cplus::AsyncAppender",
            "log4cplus.appender.b.Appender: Unspecified appender for AsyncAppender.",
        ),
        (
            (
                "log4cplus.appender.b = log4cplus::FileAppender\nlog4cplus.appender.b.File = x\n"
                "log4cplus.appender.b.Locale = xx_XX"
            ),
            "log4cplus.appender.b.Locale: not supported",
        ),
        (
            (
                "log4cplus.appender.b = log4cplus::RollingFileAppender\n"
                "log4cplus.appender.b.File = x\n"
                "log4cplus.appender.b.MaxFileSize = MB"
            ),
            "log4cplus.appender.b.MaxFileSize: not a size",
        ),
        (
            "log4cplus.appender.b = log4cplus::FileAppender\nlog4cplus.appender.b.File = x/y/z",
            "log4cplus.appender.b.File: Unable to open file: x/y/z",
        ),
    ],
)
def test_strict_names_the_property(
    line: str,
    error: str,
    config: Path,
    streams: _Streams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(config.parent)
    config.write_text(_CONSOLE + line + "\n")
    with pytest.raises(LogConfigError) as caught:
        _read(config, streams, strict=True)
    assert caught.value.text == error
    assert (streams.out.getvalue(), streams.err.getvalue()) == (b"", b"")
    assert [file.name for file in config.parent.iterdir()] == ["log.cfg"]


def test_strict_looks_before_it_opens(
    config: Path, streams: _Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    Path("old.log").write_bytes(b"precious")
    lines = [
        "log4cplus.appender.b = log4cplus::FileAppender",
        "log4cplus.appender.b.File = old.log",
        "log4cplus.zzz = 1",
    ]
    config.write_text(_CONSOLE + "\n".join(lines))
    with pytest.raises(LogConfigError):
        _read(config, streams, strict=True)
    assert Path("old.log").read_bytes() == b"precious"
    _read(config, streams).close()
    assert Path("old.log").read_bytes() == b""


def test_files_are_closed_when_the_set_up_fails(
    config: Path, streams: _Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings are errors here: a file that stays open would fail the test."""
    monkeypatch.chdir(config.parent)
    config.write_text(
        "log4cplus.rootLogger = LOUD\n"
        "log4cplus.appender.b = log4cplus::FileAppender\n"
        "log4cplus.appender.b.File = new.log\n"
    )
    with pytest.raises(LogConfigError, match="needs a level"):
        _read(config, streams)
    assert Path("new.log").exists()


def test_strict_takes_a_calendar_without_schedule(
    config: Path, streams: _Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    config.write_text(
        "log4cplus.rootLogger = INFO, b\n"
        "log4cplus.appender.b = log4cplus::DailyRollingFileAppender\n"
        "log4cplus.appender.b.File = new.log\n"
    )
    logs = _read(config, streams, strict=True)
    logs.log("dcmtk", Level.INFO, b"text")
    assert Path("new.log").read_bytes() == b"INFO - text\n"
    logs.close()
    assert streams.err.getvalue() == b""


def test_async_takes_its_target_with_it(config: Path, streams: _Streams) -> None:
    config.write_text(
        "log4cplus.rootLogger = INFO, q\n"
        "log4cplus.appender.q = log4cplus::AsyncAppender\n"
        "log4cplus.appender.q.Appender = log4cplus::ConsoleAppender\n"
        "log4cplus.appender.q.Appender.Threshold = ERROR\n"
    )
    logs = _read(config, streams, strict=True)
    logs.log("dcmtk", Level.INFO, b"no")
    logs.log("dcmtk", Level.ERROR, b"yes")
    logs.close()
    assert streams.out.getvalue() == b"ERROR - yes\n"


def test_response_logger_can_be_set_afterwards(config: Path, streams: _Streams) -> None:
    """+sr and -sr override a config file."""
    config.write_text(_CONSOLE.replace("INFO", "ERROR"))
    logs = _read(config, streams)
    logs.set_level("dcmtk.dcmnet.responses", Level.INFO)
    logs.log("dcmtk.dcmnet.responses", Level.INFO, b"shown")
    logs.log("dcmtk.dcmnet", Level.INFO, b"not shown")
    assert streams.out.getvalue() == b"INFO shown\n"


@pytest.mark.parametrize(("level", "quiet"), [("ERROR", False), ("FATAL", True), ("OFF", True)])
def test_quiet(level: str, quiet: bool, config: Path, streams: _Streams) -> None:
    config.write_text(f"log4cplus.rootLogger = {level}\nlog4cplus.quietMode = false\n")
    logs = _read(config, streams)
    assert logs.is_quiet == quiet
    logs.force(ROOT, Level.INFO, b"text")
    assert bool(streams.err.getvalue()) != quiet


_APPENDER = "log4cplus.rootLogger = TRACE, x\nlog4cplus.appender.x = log4cplus::ConsoleAppender\n"


@pytest.mark.parametrize(
    ("lines", "out", "err"),
    [
        ("", b"DEBUG - one\ntwo\nFATAL - end\n", b""),
        ("layout = log4cplus::SimpleLayout", b"DEBUG - one\ntwo\nFATAL - end\n", b""),
        (
            "layout = log4cplus::TTCCLayout\nlayout.DateFormat = x",
            b"x [#] DEBUG dcmtk.a <> - one\ntwo\nx [#] FATAL root <> - end\n",
            b"",
        ),
        (
            "layout = log4cplus::PatternLayout\nlayout.Pattern = <%m>",
            b"<one><two><end>",
            (
                b'log4cplus:WARN PatternLayout- the "Pattern" property has been deprecated.  Use '
                b'"ConversionPattern" instead.\n'
            ),
        ),
        (
            "layout = log4cplus::PatternLayout\nlayout.ConversionPattern =\nThreshold = INFO",
            b"end",
            b"log4cplus:WARN PatternLayout pattern is empty.  Using default...\n",
        ),
        (
            "layout = log4cplus::PatternLayout\nThreshold = OFF",
            b"DEBUG - one\ntwo\nFATAL - end\n",
            (
                b"log4cplus:ERROR ConversionPattern not specified in properties\n"
                b"log4cplus:ERROR Error while creating Layout: ConversionPattern not specified in "
                b"properties\n"
            ),
        ),
        (
            "layout = log4cplus::NoLayout\nThreshold = OFF",
            b"DEBUG - one\ntwo\nFATAL - end\n",
            b'log4cplus:ERROR Cannot find LayoutFactory: "log4cplus::NoLayout"\n',
        ),
        ("logToStdErr = 1\nThreshold = loud", b"", b"DEBUG - one\ntwo\nFATAL - end\n"),
        ("filters.1 = log4cplus::spi::DenyAllFilter", b"", b""),
        (
            (
                "filters.1 = log4cplus::spi::LogLevelMatchFilter\n"
                "filters.1.LogLevelToMatch = debug\nfilters.1.AcceptOnMatch = true\n"
                "filters.2 = log4cplus::spi::DenyAllFilter"
            ),
            b"DEBUG - one\ntwo\n",
            b"",
        ),
        (
            (
                "filters.1 = log4cplus::spi::LogLevelRangeFilter\n"
                "filters.1.LogLevelMin = error\nfilters.1.LogLevelMax = fatal"
            ),
            b"FATAL - end\n",
            b"",
        ),
        (
            "filters.1 = log4cplus::spi::StringMatchFilter\nfilters.1.StringToMatch = two",
            b"FATAL - end\n",
            b"",
        ),
        (
            "filters.1 = log4cplus::spi::NoFilter\nfilters.2 = log4cplus::spi::DenyAllFilter",
            b"",
            (
                b"log4cplus:ERROR Appender::ctor()- Cannot find FilterFactory: "
                b"log4cplus::spi::NoFilter\n"
            ),
        ),
    ],
)
def test_console_appenders(
    lines: str, out: bytes, err: bytes, config: Path, streams: _Streams
) -> None:
    more = [f"log4cplus.appender.x.{line}" for line in lines.splitlines()]
    config.write_text(_APPENDER + "\n".join(more))
    logs = _read(config, streams)
    logs.log("dcmtk.a", Level.DEBUG, b"one\ntwo")
    logs.log(ROOT, Level.FATAL, b"end")
    logs.close()
    assert re.sub(rb"\[[0-9]+\]", b"[#]", streams.out.getvalue()) == out
    assert streams.err.getvalue() == err


@pytest.mark.parametrize(
    ("lines", "names", "err"),
    [
        ("FileAppender\nFile = ${appname}.log", ["findscu.log"], b""),
        ("FileAppender\nFile = ${PLACE}\nLocale = USER", ["here.log"], b""),
        ("FileAppender", [], b"log4cplus:ERROR Invalid filename\n"),
        ("FileAppender\nFile = a/b", [], b"log4cplus:ERROR Unable to open file: a/b\n"),
        ("RollingFileAppender\nFile = a\nMaxFileSize = 3kb", ["a", "a.1"], b""),
        ("RollingFileAppender\nFile = a\nMaxFileSize = x", ["a", "a.1"], b""),
        ("RollingFileAppender\nFile = a\nMaxFileSize = 1 MB", ["a"], b""),
        ("RollingFileAppender\nFile = a", ["a"], b""),
        ("RollingFileAppender\nFile = a\nMaxBackupIndex = 3x\nAppend = no", ["a"], b""),
        ("DailyRollingFileAppender\nFile = a\nSchedule = daily", ["a", "a.2031-12-05"], b""),
        ("DailyRollingFileAppender\nFile = a\nSchedule = Monthly", ["a", "a.2031-12"], b""),
        (
            "DailyRollingFileAppender\nFile = a\nSchedule = x",
            ["a", "a.2031-12-05"],
            b'log4cplus:WARN DailyRollingFileAppender::ctor()- "Schedule" not valid: x\n',
        ),
        ("AsyncAppender", [], b"log4cplus:ERROR Unspecified appender for AsyncAppender.\n"),
        (
            "AsyncAppender\nAppender = FileAppender",
            [],
            (
                b"log4cplus:ERROR AsyncAppender::AsyncAppender() - Cannot find AppenderFactory: "
                b"FileAppender\n"
            ),
        ),
        (
            "NoAppender",
            [],
            (
                b"log4cplus:ERROR PropertyConfigurator::configureAppenders()- Cannot find "
                b"AppenderFactory: log4cplus::NoAppender\n"
                b"log4cplus:ERROR PropertyConfigurator::configureLogger()- Invalid appender: x\n"
                b"log4cplus:ERROR No appenders could be found for logger (dcmtk).\n"
                b"log4cplus:ERROR Please initialize the log4cplus system properly.\n"
            ),
        ),
    ],
)
def test_other_appenders(
    lines: str,
    names: list[str],
    err: bytes,
    config: Path,
    streams: _Streams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = config.parent / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    noon = calendar.timegm((2031, 12, 5, 12, 0, 0))
    monkeypatch.setattr(time, "time_ns", lambda: noon * 1_000_000_000)
    kind, *more = lines.splitlines()
    config.write_text(
        "log4cplus.rootLogger = INFO, x\n"
        f"log4cplus.appender.x = log4cplus::{kind}\n"
        + "\n".join(f"log4cplus.appender.x.{line}" for line in more)
    )
    logs = _read(config, streams, PLACE="here.log")
    logs.log("dcmtk", Level.INFO, b"x" * 205_000)
    logs.close()
    assert sorted(file.name for file in folder.iterdir()) == names
    assert sum(file.stat().st_size for file in folder.iterdir()) == (205_008 if names else 0)
    assert streams.err.getvalue() == err


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("FileAppender", b"INFO - new\n"),
        ("RollingFileAppender", b"old\nINFO - new\n"),
        ("DailyRollingFileAppender", b"old\nINFO - new\n"),
    ],
)
def test_only_plain_files_begin_anew(
    kind: str, content: bytes, config: Path, streams: _Streams
) -> None:
    file = config.with_name("x.log")
    file.write_bytes(b"old\n")
    config.write_text(
        "log4cplus.rootLogger = INFO, x\n"
        f"log4cplus.appender.x = log4cplus::{kind}\n"
        f"log4cplus.appender.x.File = {file}\n"
    )
    logs = _read(config, streams, strict=True)
    logs.log("dcmtk", Level.INFO, b"new")
    assert file.read_bytes() == content
    logs.close()


def test_loggers(config: Path, streams: _Streams) -> None:
    lines = [
        "log4cplus.logger.a = INHERITED, b",
        "log4cplus.logger.a.b = ,b",
        "log4cplus.logger.c = WARN",
        "log4cplus.logger.d =",
        "log4cplus.additivity.a.b = false",
        "log4cplus.additivity.c = maybe",
        "log4cplus.appender.b = log4cplus::NullAppender",
    ]
    config.write_text(_CONSOLE + "\n".join(lines))
    logs = _read(config, streams)
    for name in ("a", "a.b", "a.b.c", "c", "d"):
        logs.log(name, Level.INFO, name.encode())
        logs.log(name, Level.WARN, name.encode())
    logs.close()
    assert streams.out.getvalue() == b"INFO a\nWARN a\nWARN c\nINFO d\nWARN d\n"
    assert streams.err.getvalue() == (
        b"log4cplus:ERROR PropertyConfigurator::configureLogger()- Invalid config string("
        b'Logger = d): ""\n'
    )


def test_no_closing_brace(config: Path, streams: _Streams) -> None:
    config.write_text(_CONSOLE + "x = ${HOME\n")
    _read(config, streams).close()
    assert streams.err.getvalue() == (
        b'log4cplus:ERROR "${HOME" has no closing brace. Opening brace at position 0.\n'
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "does not exist"),
        ("# nothing\n", "does not contain any settings"),
        ("a = 1\n", "does not contain any valid settings"),
        ("log4cplus.logger.a = INFO\n", "does not set up log4cplus.rootLogger"),
    ],
)
def test_findscus_own_errors(text: str | None, error: str, config: Path, streams: _Streams) -> None:
    if text is None:
        config.mkdir()
    else:
        config.write_text(text)
    with pytest.raises(LogConfigError) as caught:
        _read(config, streams)
    assert caught.value.text == f"Specified --log-config file {error}"
