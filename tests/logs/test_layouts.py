"""How events look."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from asyncfind.logs.event import Event, format_relative, format_time
from asyncfind.logs.layouts import SimpleLayout, TTCCLayout
from asyncfind.logs.levels import Level
from asyncfind.logs.pattern import PatternLayout

# 2001-02-03 04:05:06.007008 UTC
_AT = 981_173_106_007_008_999
_EVENT = Event("dcmtk.dcmnet.responses", Level.WARN, b"one\ntwo", _AT)
_LINE = Event("root", Level.INFO, b"text", _AT)


@pytest.fixture(autouse=True)
def _far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XYZ-09:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _format(pattern: bytes, event: Event = _LINE, *, each_line: bool = True) -> bytes:
    complaints: list[bytes] = []
    layout = PatternLayout(pattern, complaints.append, each_line=each_line)
    assert complaints == []
    return layout.format(event)


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        (b"%Y-%m-%d %H:%M:%S", b"2001-02-03 13:35:06"),
        (b"%q|%Q|%s", b"007|007.008|981173106"),
        (b"%%q %%%q", b"%q %007"),
        (b"%Z %z", b"XYZ +0930"),
        (b"%H%", b"13"),
        (b"%H\0%M", b"13"),
        (b"\xe9 %H \xff", b"\xe9 13 \xff"),
        (b"", b""),
    ],
)
def test_local_time(pattern: bytes, form: bytes) -> None:
    assert format_time(_AT, pattern, utc=False) == form


def test_utc() -> None:
    assert format_time(_AT, b"%d %H:%M %Z", utc=True) == b"03 04:05 GMT"


def test_relative_time() -> None:
    now = time.time_ns()
    assert 0 <= int(format_relative(now)) < 1_000_000_000
    assert int(format_relative(now + 1_234_000_000)) - int(format_relative(now)) == 1234


def test_simple() -> None:
    assert SimpleLayout().format(_EVENT) == b"WARN - one\ntwo\n"


def test_ttcc() -> None:
    rest = b" [%d] WARN dcmtk.dcmnet.responses <> - one\ntwo\n" % threading.get_ident()
    assert TTCCLayout().format(_EVENT) == format_relative(_AT) + rest
    assert TTCCLayout(b"%H.%M").format(_EVENT) == b"13.35" + rest
    assert TTCCLayout(b"%H.%M", utc=True).format(_EVENT) == b"04.05" + rest


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        (b"%P: %m%n", b"I: text\n"),
        (
            b"%p|%6p|%-6p|%.2p|%6.2p|%-6.2p|%--6p|%0p|%.0p",
            b"INFO|  INFO|INFO  |FO|FO|FO|INFO  |INFO|",
        ),
        (b"%c %c{1} %c{} %c{x}", b"root root root root"),
        (b"100%% %m%", b"100% text%"),
        (b"%m%-", b"text%-"),
        (b"%m%5", b"text%5"),
        (b"%m%5.", b"text%5."),
        (b"%m%-5.3", b"text%-5.3"),
        (b"%", b"%"),
        (b"%m%m", b"texttext"),
        (b"%6m|%.2m", b"  text|xt"),
        (b"%m%.2m", b"textxt"),
        (b"[%x%X%X{key}%b%F%L%M%l]", b"[:]"),
        (b"%d{%H} %D{%H}", b"04 13"),
        (b"%d|%D{}", b"2001-02-03 04:05:06|2001-02-03 13:35:06"),
        (b"\xff\0", b"\xff\0"),
        (b"", b"text"),
    ],
)
def test_pattern(pattern: bytes, form: bytes) -> None:
    assert _format(pattern) == form


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (b"1", b"responses"),
        (b"2", b"dcmnet.responses"),
        (b"3", b"dcmtk.dcmnet.responses"),
        (b"4", b"dcmtk.dcmnet.responses"),
        (b"0", b"dcmtk.dcmnet.responses"),
        (b"-1", b"dcmtk.dcmnet.responses"),
        (b" +1 part", b"responses"),
    ],
)
def test_parts_of_a_logger(option: bytes, name: bytes) -> None:
    assert _format(b"%c{" + option + b"}", _EVENT).splitlines()[0] == name * 2


def test_process_and_host() -> None:
    process, thread, native, short, full = _format(b"%i %t %T %h %H").split(b" ")
    assert int(process) == os.getpid()
    assert int(thread) == threading.get_ident()
    assert int(native) == threading.get_native_id()
    assert short.decode() == os.uname().nodename
    assert full.startswith(short) or full == b"localhost"


def test_relative_in_a_pattern() -> None:
    assert _format(b"%r") == format_relative(_AT)


@pytest.mark.parametrize(
    ("pattern", "lines", "whole"),
    [
        (b"%P %m%n", b"W one\nW two\n", b"W one\ntwo\n"),
        (b"<%m|%m>", b"<one|one><two|two>", b"<one\ntwo|one\ntwo>"),
        (b"<%5m>", b"<  one><  two>", b"<one\ntwo>"),
        (b"<%m%.1m>", b"<onee><twoo>", b"<one\ntwoo>"),
        (b"x", b"xx", b"x"),
    ],
)
def test_lines(pattern: bytes, lines: bytes, whole: bytes) -> None:
    assert _format(pattern, _EVENT) == lines
    assert _format(pattern, _EVENT, each_line=False) == whole


@pytest.mark.parametrize(
    ("pattern", "complaint", "form"),
    [
        (b"%z %m", b"Unexpected char [z] at position 2 in conversion pattern.", b"%z text"),
        (b"a%-5.2q%m", b"Unexpected char [q] at position 7 in conversion pattern.", b"a%-5.2qtext"),
        (
            b"%5.x%m",
            b'Error occurred in position 4.\n Was expecting digit, instead got char "x".',
            b"%5.xtext",
        ),
        (
            b"%m%D{%H",
            b"No matching '}' found in conversion pattern string \"%m%D{%H\"",
            b"text2001-02-03 13:35:06",
        ),
    ],
)
def test_mistakes(pattern: bytes, complaint: bytes, form: bytes) -> None:
    complaints: list[bytes] = []
    layout = PatternLayout(pattern, complaints.append)
    assert complaints == [complaint]
    assert layout.format(_LINE) == form


def test_no_gigabytes_of_blanks() -> None:
    assert len(_format(b"%99999999999999999999m")) == 1_000_000
