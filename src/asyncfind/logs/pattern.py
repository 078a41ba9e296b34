"""PatternLayout: an event in a form that the user describes."""

import os
import socket
import threading
from collections.abc import Callable
from typing import Final

from asyncfind.logs.event import Event, format_relative, format_time

__all__ = ["DEFAULT_PATTERN", "PatternLayout"]

DEFAULT_PATTERN: Final = b"%P: %m%n"
"""findscu's own form."""

_Complain = Callable[[bytes], None]
_Convert = Callable[[Event], bytes]
_Field = bytes | _Convert

_DATE: Final = b"%Y-%m-%d %H:%M:%S"
_DIGITS: Final = b"0123456789"


class PatternLayout:
    """Literal text with conversions in it, put around every line of a message.

    Args:
        pattern: with `%`, optionally a width (`%5p`, `%-5p`, `%.5c`) and one of
            m (message), n (line feed), p (level), P (its first letter), c (logger; `%c{1}` its
            last part), d and D (UTC and local time; `{...}` as `format_time`), r (milliseconds
            since the start), i (process), t and T (thread), h and H (host, short and full name).
            b, F, l, L and M (source position) and x and X (context) are understood, and have
            nothing to show.
        complain: called with what is wrong in `pattern`; the rest of it is used all the same.
        each_line: a message of several lines is formatted line by line.
    """

    def __init__(self, pattern: bytes, complain: _Complain, *, each_line: bool = True) -> None:
        self._fields = _Parser(pattern, complain).parse()
        if not self._fields:
            self._fields = [_message]
        self._each_line = each_line
        # A field with a width is wrapped, so this finds the plain message only.
        plain = [number for number, field in enumerate(self._fields) if field is _message]
        whole = all(field is _message or not _has_message(field) for field in self._fields)
        self._split = plain[0] if len(plain) == 1 and whole else None

    def format(self, event: Event) -> bytes:
        if self._split is not None:
            before = self._join(self._fields[: self._split], event)
            after = self._join(self._fields[self._split + 1 :], event)
            message = event.message
            if self._each_line:
                message = message.replace(b"\n", after + before)
            return before + message + after
        if not self._each_line:
            return self._join(self._fields, event)
        return b"".join(
            self._join(self._fields, Event(event.logger, event.level, line, event.at))
            for line in event.message.split(b"\n")
        )

    @staticmethod
    def _join(fields: list[_Field], event: Event) -> bytes:
        return b"".join(field if isinstance(field, bytes) else field(event) for field in fields)


def _message(event: Event) -> bytes:
    return event.message


class _Sized:
    """A field with a width.

    Args:
        minimum: fill with blanks up to this.
        maximum: keep no more than so many bytes, the last ones.
        left: the blanks come behind.
    """

    def __init__(self, convert: _Convert, minimum: int, maximum: int | None, *, left: bool) -> None:
        self.convert = convert
        self._minimum = minimum
        self._maximum = maximum
        self._left = left

    def __call__(self, event: Event) -> bytes:
        text = self.convert(event)
        if self._maximum is not None and len(text) > self._maximum:
            return text[len(text) - self._maximum :]
        return text.ljust(self._minimum) if self._left else text.rjust(self._minimum)


def _has_message(field: _Field) -> bool:
    return field is _message or (isinstance(field, _Sized) and field.convert is _message)


def _logger(parts: int) -> _Convert:
    """The logger's name, or its last `parts` parts if `parts` is positive."""

    def convert(event: Event) -> bytes:
        name = event.logger
        if parts > 0:
            name = ".".join(name.split(".")[-parts:])
        return name.encode()

    return convert


def _date(pattern: bytes, *, utc: bool) -> _Convert:
    return lambda event: format_time(event.at, pattern or _DATE, utc=utc)


def _host(*, full: bool) -> _Convert:
    name = os.fsencode(socket.getfqdn() if full else socket.gethostname())
    return lambda _: name


def _constant(text: bytes) -> _Convert:
    return lambda _: text


_PLAIN: Final[dict[bytes, _Convert]] = {
    b"m": _message,
    b"n": _constant(b"\n"),
    b"p": lambda event: event.level.name.encode(),
    b"P": lambda event: event.level.prefix.encode(),
    b"r": lambda event: format_relative(event.at),
    b"i": lambda _: b"%d" % os.getpid(),
    b"t": lambda _: b"%d" % threading.get_ident(),
    b"T": lambda _: b"%d" % threading.get_native_id(),
    # Our events have no position in a source that findscu's users know, and no context.
    b"b": _constant(b""),
    b"F": _constant(b""),
    b"l": _constant(b":"),
    b"L": _constant(b""),
    b"M": _constant(b""),
    b"x": _constant(b""),
}


class _Parser:
    """Reads a pattern as log4cplus does, mistakes included."""

    def __init__(self, pattern: bytes, complain: _Complain) -> None:
        self._pattern = pattern
        self._complain = complain
        self._at = 0
        self._fields: list[_Field] = []
        self._literal = bytearray()

    def parse(self) -> list[_Field]:
        while self._at < len(self._pattern):
            letter = self._next()
            # The last byte of a pattern is always literal.
            if letter != b"%" or self._at == len(self._pattern):
                self._literal += letter
            elif self._pattern.startswith(b"%", self._at):
                self._at += 1
                self._literal += b"%"
            else:
                self._end_literal()
                self._literal += b"%"
                self._conversion()
        self._end_literal()
        return self._fields

    def _next(self) -> bytes:
        """The next byte; empty at the end."""
        letter = self._pattern[self._at : self._at + 1]
        self._at += 1
        return letter

    def _end_literal(self) -> None:
        if self._literal:
            self._fields.append(bytes(self._literal))
            self._literal.clear()

    def _conversion(self) -> None:
        """Read a width and a letter. What is no conversion stays in the literal."""
        minimum, maximum, left = 0, None, False
        letter = self._take()
        while letter == b"-":
            left = True
            letter = self._take()
        if letter.isdigit():
            minimum, letter = self._number(letter)
        if letter == b".":
            letter = self._take()
            if not letter:
                return
            if not letter.isdigit():
                self._complain(
                    b"Error occurred in position %d.\n"
                    b' Was expecting digit, instead got char "%b".' % (self._at, letter)
                )
                return
            maximum, letter = self._number(letter)
        if letter:
            self._finish(letter, minimum, maximum, left=left)

    def _take(self) -> bytes:
        """The next byte, which the literal gets as well; empty at the end."""
        letter = self._next()
        self._literal += letter
        return letter

    def _number(self, digit: bytes) -> tuple[int, bytes]:
        """The number that begins with `digit`, and the byte behind it."""
        number = 0
        while digit.isdigit():
            number = min(number * 10 + int(digit), _WIDEST)
            digit = self._take()
        return number, digit

    def _finish(self, letter: bytes, minimum: int, maximum: int | None, *, left: bool) -> None:
        convert = self._converter(letter)
        if convert is None:
            self._complain(
                b"Unexpected char [%b] at position %d in conversion pattern." % (letter, self._at)
            )
            self._end_literal()
            return
        self._literal.clear()
        if minimum or maximum is not None:
            convert = _Sized(convert, minimum, maximum, left=left)
        self._fields.append(convert)

    def _converter(self, letter: bytes) -> _Convert | None:
        match letter:
            case b"c":
                return _logger(_leading_number(self._option()))
            case b"d" | b"D":
                return _date(self._option(), utc=letter == b"d")
            case b"h" | b"H":
                return _host(full=letter == b"H")
            case b"X":
                self._option()
                return _constant(b"")
            case _:
                return _PLAIN.get(letter)

    def _option(self) -> bytes:
        """What stands in braces here; empty if nothing does."""
        if not self._pattern.startswith(b"{", self._at):
            return b""
        end = self._pattern.find(b"}", self._at)
        if end < 0:
            self._complain(
                b"No matching '}' found in conversion pattern string \"%b\"" % self._pattern
            )
            self._at = len(self._pattern)
            return b""
        option = self._pattern[self._at + 1 : end]
        self._at = end + 1
        return option


_WIDEST: Final = 1_000_000
"""Of a field; a slip of the finger shall not ask for gigabytes."""


def _leading_number(text: bytes) -> int:
    """C's atoi."""
    text = text.lstrip()
    sign = -1 if text.startswith(b"-") else 1
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    end = len(digits) - len(digits.lstrip(_DIGITS))
    return sign * int(digits[:end]) if end else 0
