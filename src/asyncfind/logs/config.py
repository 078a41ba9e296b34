"""The log config files of findscu's -lc: property files for log4cplus (here as of DCMTK 3.6.7)."""

import os
import re
import socket
import stat
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from asyncfind.logs.appenders import Appender
from asyncfind.logs.complaints import Complaints
from asyncfind.logs.factories import Factory
from asyncfind.logs.levels import Level
from asyncfind.logs.logger import ROOT, Logs, default_logs
from asyncfind.logs.properties import (
    LogConfigError,
    Section,
    expand,
    parse_level,
    parse_properties,
    subset,
)

__all__ = ["LogConfigError", "read_log_config"]

_PREFIX: Final = b"log4cplus."
_ROOT_LOGGER: Final = b"rootLogger"
_HAS_NO_LEVEL: Final = b"INHERITED"


def read_log_config(
    path: str,
    *,
    strict: bool = False,
    program: str = "findscu",
    stdout: BinaryIO | None = None,
    stderr: BinaryIO | None = None,
    environ: Mapping[bytes, bytes] | None = None,
) -> Logs:
    """Set up logging as a file says.

    Args:
        path: of the file.
        strict: whatever is not understood is an error. Otherwise it is done as findscu does:
            trouble with single properties becomes a line on standard error or nothing at all,
            and what could be understood is used. Appenders for the network and for the system's
            log are taken then, and forget their events.
        program: what ${appname} stands for, without its folder.
        stdout, stderr: what console appenders write to; our own by default.
        environ: for ${variables}; ours by default.

    Raises:
        LogConfigError: there is no such file or nothing useful in it, with findscu's own text;
            something in it is not understood and `strict`; the root has no level, or a variable
            no end (findscu crashes of the first and hangs with the second).
    """
    properties = _read(path)
    properties.update(_variables(program))
    out = stdout if stdout is not None else sys.stdout.buffer
    err = stderr if stderr is not None else sys.stderr.buffer
    if environ is None:
        environ = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
    if strict:  # look at everything before a file is touched
        _Setup(out, err, strict=True, dry=True).run(dict(properties), environ)
    return _Setup(out, err, strict=strict).run(properties, environ)


def _read(path: str) -> dict[bytes, bytes]:
    file = Path(path)
    try:
        is_folder = stat.S_ISDIR(file.stat().st_mode)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the name
        raise LogConfigError("Specified --log-config file does not exist") from exc
    if is_folder:
        raise LogConfigError("Specified --log-config file does not exist")
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise LogConfigError("Specified --log-config file cannot be read") from exc
    properties = parse_properties(data)
    if not properties:
        raise LogConfigError("Specified --log-config file does not contain any settings")
    if not subset(properties, _PREFIX):
        raise LogConfigError("Specified --log-config file does not contain any valid settings")
    if _PREFIX + _ROOT_LOGGER not in properties:
        raise LogConfigError("Specified --log-config file does not set up log4cplus.rootLogger")
    return properties


def _variables(program: str) -> dict[bytes, bytes]:
    """What findscu adds to every file."""
    now = time.localtime()
    return {
        b"appname": os.fsencode(os.path.basename(program)),  # noqa: PTH119  # "" stays ""
        b"hostname": os.fsencode(socket.gethostname()),
        b"pid": b"%d" % os.getpid(),
        b"date": time.strftime("%Y%m%d", now).encode(),
        b"time": time.strftime("%H%M%S", now).encode(),
    }


class _Setup:
    """One run through the properties, in log4cplus's order, so that it complains in that order."""

    def __init__(
        self, stdout: BinaryIO, stderr: BinaryIO, *, strict: bool, dry: bool = False
    ) -> None:
        self._strict = strict
        self._complaints = Complaints(stderr)
        self._factory = Factory(stdout, stderr, self._complaints, dry=dry)
        self._appenders: dict[bytes, Appender] = {}
        # What applies as long as the file says nothing else.
        self._logs = default_logs(Level.INFO, stderr, self._complaints)

    def run(self, properties: dict[bytes, bytes], environ: Mapping[bytes, bytes]) -> Logs:
        try:
            self._run(properties, environ)
        except BaseException:
            for appender in self._appenders.values():
                appender.close()
            raise
        return self._logs

    def _run(self, properties: dict[bytes, bytes], environ: Mapping[bytes, bytes]) -> None:
        whole = Section(b"", properties, self._complaints, strict=self._strict)
        expand(properties, environ, whole.error)
        settings = whole.part(_PREFIX)
        if settings.boolean(b"configDebug", default=False):
            settings.refuse(b"configDebug", b"not supported")
        self._complaints.quiet = settings.boolean(b"quietMode", default=False)
        settings.boolean(b"disableOverride", default=False)  # nothing here can be overridden
        self._make_appenders(settings.part(b"appender."))
        self._set_up_loggers(settings)
        self._set_additivity(settings.part(b"additivity."))
        settings.finish()
        self._complaints.quiet = self._logs.is_quiet
        for appender in self._appenders.values():
            if not self._logs.has_appender(appender):
                appender.close()
        self._appenders.clear()

    def _make_appenders(self, appenders: Section) -> None:
        names = [name for name in appenders.names() if b"." not in name]
        for name in names:
            kind = appenders.text(name) or b""
            section = appenders.part(name + b".")
            appender = self._factory.appender(kind, section)
            if appender is None:
                appenders.error(
                    name,
                    b"PropertyConfigurator::configureAppenders()- Cannot find AppenderFactory: "
                    + kind,
                )
                continue
            self._appenders[name] = appender
            section.finish()
        for key in appenders.names():
            if b"." in key and key.partition(b".")[0] not in names:
                appenders.refuse(key, b"there is no such appender")

    def _set_up_loggers(self, settings: Section) -> None:
        root = settings.text(_ROOT_LOGGER) or b""
        self._set_up_logger(ROOT, root, partial(settings.error, _ROOT_LOGGER))
        loggers = settings.part(b"logger.")
        for name in loggers.names():
            value = loggers.text(name) or b""
            self._set_up_logger(_name(name), value, partial(loggers.error, name))

    def _set_up_logger(self, logger: str, value: bytes, error: Callable[[bytes], None]) -> None:
        """Read a level and the names of appenders."""
        words = re.split(rb",+", value.replace(b" ", b""))
        if words[-1] == b"":
            words.pop()
        if not words:
            error(
                b'PropertyConfigurator::configureLogger()- Invalid config string(Logger = %b): "%b"'
                % ((logger or "root").encode("utf-8", "surrogateescape"), value)
            )
            return
        level = parse_level(words[0])
        if level is None and logger == ROOT:
            # findscu dies of it, with a core dump, when the first event comes.
            raise LogConfigError("log4cplus.rootLogger: the root logger needs a level")
        if level is None and self._strict and words[0] != _HAS_NO_LEVEL:
            error(b"neither a level nor INHERITED")
        self._logs.set_level(logger, level)
        appenders = []
        for word in words[1:]:
            if word in self._appenders:
                appenders.append(self._appenders[word])
            else:
                error(b"PropertyConfigurator::configureLogger()- Invalid appender: " + word)
        self._logs.set_appenders(logger, tuple(appenders))

    def _set_additivity(self, additivity: Section) -> None:
        for name in additivity.names():
            logger = _name(name)
            self._logs.set_additive(logger, additivity.boolean(name, default=True))


def _name(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
