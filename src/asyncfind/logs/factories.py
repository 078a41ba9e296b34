"""Makes appenders, layouts and filters as sections of a property file describe them."""

import re
import time
from functools import partial
from typing import BinaryIO, Final, TypedDict

from asyncfind.logs.appenders import (
    Appender,
    AsyncAppender,
    ConsoleAppender,
    FileAppender,
    NullAppender,
)
from asyncfind.logs.complaints import Complaints
from asyncfind.logs.filters import DenyAll, Filter, Gate, LevelMatch, LevelRange, StringMatch
from asyncfind.logs.layouts import Layout, SimpleLayout, TTCCLayout
from asyncfind.logs.levels import Level
from asyncfind.logs.pattern import PatternLayout
from asyncfind.logs.properties import Section
from asyncfind.logs.rolling import (
    SMALLEST_FILE,
    DailyRollingFileAppender,
    RollingFileAppender,
    Schedule,
)

__all__ = ["Factory"]

_NAMESPACE: Final = b"log4cplus::"
_ELSEWHERE: Final = (b"Log4jUdpAppender", b"SocketAppender", b"SysLogAppender")
"""Appenders that findscu has and we have not: for the network and for the system's log."""
_LARGEST_FILE: Final = 10 * 1024 * 1024
_DAILY_BACKUPS: Final = 10
_REOPEN_DELAY: Final = 1
_SIZE: Final = re.compile(rb"\s*([0-9]{1,18}).*?(KB|MB)?", re.DOTALL)
_UNITS: Final = {None: 1, b"KB": 1024, b"MB": 1024 * 1024}


class _FileOptions(TypedDict):
    """What all kinds of files have in common."""

    append: bool
    flush: bool
    reopen_delay: int


class Factory:
    """Knows the streams that appenders may need.

    Args:
        dry: only look whether everything can be understood; no file is touched.
    """

    def __init__(
        self, stdout: BinaryIO, stderr: BinaryIO, complaints: Complaints, *, dry: bool = False
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._complaints = complaints
        self._dry = dry

    def appender(self, kind: bytes, section: Section) -> Appender | None:
        """The appender that `section` describes; None if there is no such kind."""
        if not kind.startswith(_NAMESPACE):
            return None
        name = kind.removeprefix(_NAMESPACE)
        match name:
            case b"ConsoleAppender":
                return self._console(section)
            case b"FileAppender" | b"RollingFileAppender" | b"DailyRollingFileAppender":
                return self._file(name, section)
            case b"AsyncAppender":
                return self._async(section)
            case b"NullAppender":
                return NullAppender(self._common(section)[0])
            case _ if name in _ELSEWHERE:
                section.refuse_kind(name)
                return NullAppender(self._common(section)[0])
            case _:
                return None

    def _common(self, section: Section) -> tuple[Gate, Layout]:
        """What stands before every appender, and the form it gives to events.

        A layout that cannot be made costs the threshold and the filters too.
        """
        kind = section.text(b"layout")
        layout = _layout(kind, section) if kind is not None else SimpleLayout()
        if layout is None:
            return Gate(), SimpleLayout()
        threshold = section.level(b"Threshold")
        gate = Gate(Level.TRACE if threshold is None else threshold, _filters(section))
        if section.boolean(b"UseLockFile", default=False):
            section.refuse(b"UseLockFile", b"not supported")
        section.text(b"LockFile")
        return gate, layout

    def _console(self, section: Section) -> Appender:
        gate, layout = self._common(section)
        to_stderr = section.boolean(b"logToStdErr", default=False)
        flush = section.boolean(b"ImmediateFlush", default=False)
        stream = self._stderr if to_stderr else self._stdout
        # Standard error is never buffered, in C++ as here.
        return ConsoleAppender(gate, layout, stream, flush=flush or to_stderr)

    def _file(self, kind: bytes, section: Section) -> Appender:
        gate, layout = self._common(section)
        path = section.text(b"File") or b""
        options: _FileOptions = {
            "append": section.boolean(b"Append", default=kind != b"FileAppender"),
            "flush": section.boolean(b"ImmediateFlush", default=True),
            "reopen_delay": section.integer(b"ReopenDelay", _REOPEN_DELAY),
        }
        section.integer(b"BufferSize", 0)  # nobody sees how large our buffers are
        if section.text(b"Locale") not in (None, b"DEFAULT", b"GLOBAL", b"CLASSIC", b"USER"):
            section.refuse(b"Locale", b"not supported")
        appender: FileAppender
        match kind:
            case b"RollingFileAppender":
                appender = RollingFileAppender(
                    gate,
                    layout,
                    path,
                    self._complaints,
                    largest=_size(section),
                    backups=section.integer(b"MaxBackupIndex", 1),
                    **options,
                )
            case b"DailyRollingFileAppender":
                appender = DailyRollingFileAppender(
                    gate,
                    layout,
                    path,
                    self._complaints,
                    schedule=_schedule(section),
                    backups=section.integer(b"MaxBackupIndex", _DAILY_BACKUPS),
                    now=time.time_ns(),
                    **options,
                )
            case _:
                appender = FileAppender(gate, layout, path, self._complaints, **options)
        if not path:
            section.error(b"File", b"Invalid filename")
        elif not self._dry and not appender.open():
            section.error(b"File", b"Unable to open file: " + path)
        if kind == b"DailyRollingFileAppender":
            _warn_of_schedule(section)
        return appender if path and not self._dry else NullAppender(gate)

    def _async(self, section: Section) -> Appender:
        gate = Gate()  # log4cplus reads no threshold here: the one of the target counts
        section.integer(b"QueueLimit", 0)  # there is no queue
        kind = section.text(b"Appender") or b""
        part = section.part(b"Appender.")
        if not kind:
            section.error(b"Appender", b"Unspecified appender for AsyncAppender.")
            return NullAppender(gate)
        target = self.appender(kind, part)
        if target is None:
            section.error(
                b"Appender",
                b"AsyncAppender::AsyncAppender() - Cannot find AppenderFactory: " + kind,
            )
            return NullAppender(gate)
        part.finish()
        return AsyncAppender(gate, target)


def _layout(kind: bytes, section: Section) -> Layout | None:
    """The layout that `section` describes; None if that cannot be made."""
    part = section.part(b"layout.")
    layout: Layout
    match kind:
        case b"log4cplus::SimpleLayout":
            layout = SimpleLayout()
        case b"log4cplus::TTCCLayout":
            layout = TTCCLayout(
                part.text(b"DateFormat") or b"", utc=part.boolean(b"Use_gmtime", default=False)
            )
        case b"log4cplus::PatternLayout":
            pattern = _pattern_layout(part)
            if pattern is None:
                return None
            layout = pattern
        case _:
            section.error(b"layout", b'Cannot find LayoutFactory: "%b"' % kind)
            return None
    part.finish()
    return layout


def _pattern_layout(part: Section) -> PatternLayout | None:
    """None if there is no pattern."""
    part.integer(b"NDCMaxDepth", 0)  # there never is such a context here
    each_line = part.boolean(b"FormatEachLine", default=True)
    key = b"ConversionPattern"
    pattern, old = part.text(key), part.text(b"Pattern")
    if old is not None:
        part.warn(
            b"Pattern",
            b'PatternLayout- the "Pattern" property has been deprecated.  '
            b'Use "ConversionPattern" instead.',
        )
        if pattern is None:
            key, pattern = b"Pattern", old
    if pattern is None:
        part.error(key, b"ConversionPattern not specified in properties")
        part.error(
            key, b"Error while creating Layout: ConversionPattern not specified in properties"
        )
        return None
    if not pattern:
        part.warn(key, b"PatternLayout pattern is empty.  Using default...")
    return PatternLayout(pattern, partial(part.error, key), each_line=each_line)


def _size(section: Section) -> int:
    """MaxFileSize in bytes: a number, and perhaps KB or MB at the end."""
    text = section.text(b"MaxFileSize")
    if not text:
        return _LARGEST_FILE
    match = _SIZE.fullmatch(text.upper())
    if match is None:
        section.refuse(b"MaxFileSize", b"not a size")
        return SMALLEST_FILE
    return max(int(match[1]) * _UNITS[match[2]], SMALLEST_FILE)


def _schedule(section: Section) -> Schedule:
    name = (section.text(b"Schedule") or b"").upper().decode("ascii", "replace")
    return Schedule.__members__.get(name, Schedule.DAILY)


def _warn_of_schedule(section: Section) -> None:
    text = section.text(b"Schedule")
    if (text or b"").upper().decode("ascii", "replace") in Schedule.__members__:
        return
    if text is not None or not section.strict:  # daily is a good default, for us
        section.warn(
            b"Schedule",
            b'DailyRollingFileAppender::ctor()- "Schedule" not valid: ' + (text or b""),
        )


def _filters(section: Section) -> tuple[Filter, ...]:
    """The chain of filters that are numbered 1, 2 and so on, up to the first gap."""
    part = section.part(b"filters.")
    found: list[Filter] = []
    number = 1
    while (kind := part.text(b"%d" % number)) is not None:
        options = part.part(b"%d." % number)
        link = _filter(kind, options)
        if link is None:
            part.error(b"%d" % number, b"Appender::ctor()- Cannot find FilterFactory: " + kind)
        else:
            options.finish()
            found.append(link)
        number += 1
    part.finish()
    return tuple(found)


def _filter(kind: bytes, options: Section) -> Filter | None:
    match kind:
        case b"log4cplus::spi::DenyAllFilter":
            return DenyAll()
        case b"log4cplus::spi::LogLevelMatchFilter":
            return LevelMatch(
                level=options.level(b"LogLevelToMatch"),
                accept=options.boolean(b"AcceptOnMatch", default=False),
            )
        case b"log4cplus::spi::LogLevelRangeFilter":
            return LevelRange(
                lowest=options.level(b"LogLevelMin"),
                highest=options.level(b"LogLevelMax"),
                accept=options.boolean(b"AcceptOnMatch", default=False),
            )
        case b"log4cplus::spi::StringMatchFilter":
            return StringMatch(
                text=options.text(b"StringToMatch") or b"",
                accept=options.boolean(b"AcceptOnMatch", default=False),
            )
        case _:
            return None
