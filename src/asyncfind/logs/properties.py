"""Property files, as log4cplus reads them: `key = value` in lines, with ${variables}.

Everything stays bytes, so that names of files need no character set.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.logs.complaints import Complaints
from asyncfind.logs.levels import Level
from asyncfind.safe import safe

__all__ = ["LogConfigError", "Section", "expand", "parse_level", "parse_properties", "subset"]

_MAX_SUBSTITUTIONS: Final = 1000
_MAX_EXPANDED: Final = 1024 * 1024
_INTEGER: Final = re.compile(rb"\s*([+-]?[0-9]+)\s*", re.ASCII)
_FITS: Final = 2**31
_FITS_LONG: Final = 2**63


class LogConfigError(InvalidRequest):
    """A log config file that cannot be used.

    Args:
        text: one of findscu's own five, or what is wrong with a property.
    """


def parse_properties(data: bytes) -> dict[bytes, bytes]:
    """The properties of a file; of two with the same key the last one counts.

    Lines without an equals sign, empty lines and those that begin with `#` are skipped, and
    blanks around keys and values do not count.
    """
    properties = {}
    for line in data.split(b"\n"):
        line = line.lstrip()
        key, equals, value = line.partition(b"=")
        if equals and not line.startswith(b"#"):
            properties[key.rstrip()] = value.strip()
    return properties


def subset(properties: Mapping[bytes, bytes], prefix: bytes) -> dict[bytes, bytes]:
    """The properties whose keys begin with `prefix`, without it, in the order of their keys."""
    return {
        key.removeprefix(prefix): properties[key]
        for key in sorted(properties)
        if key.startswith(prefix)
    }


def expand(
    properties: dict[bytes, bytes],
    environ: Mapping[bytes, bytes],
    complain: Callable[[bytes, bytes], None],
) -> None:
    """Replace ${NAME} in keys and values until nothing changes any more.

    NAME is a property, or else a variable of the environment; where it is neither, or empty, it
    stays as it is.

    Args:
        complain: called with a key and what is wrong there.

    Raises:
        LogConfigError: a variable needs itself (log4cplus would never come to an end).
    """
    for _ in range(_MAX_SUBSTITUTIONS):
        changed = False
        for key in sorted(properties):
            value = properties.get(key, b"")
            new_key = _substitute(key, key, properties, environ, complain)
            if new_key != key:
                properties.pop(key, None)
                properties[new_key] = value
                changed = True
            new_value = _substitute(value, key, properties, environ, complain)
            if new_value != value:
                properties[new_key] = new_value
                changed = True
        if not changed:
            return
    raise _endless(b"".join(sorted(properties)[:1]))


def _substitute(
    text: bytes,
    key: bytes,
    properties: Mapping[bytes, bytes],
    environ: Mapping[bytes, bytes],
    complain: Callable[[bytes, bytes], None],
) -> bytes:
    expanded = text
    start = 0
    for _ in range(_MAX_SUBSTITUTIONS):
        start = expanded.find(b"${", start)
        if start < 0:
            return expanded
        end = expanded.find(b"}", start)
        if end < 0:
            where = b"Opening brace at position %d." % start
            complain(key, b'"%b" has no closing brace. %b' % (expanded, where))
            return text
        name = expanded[start + 2 : end]
        value = properties.get(name) or environ.get(name)
        if value:
            expanded = expanded[:start] + value + expanded[end + 1 :]  # and again at this place
        else:
            start = end + 1
        if len(expanded) > _MAX_EXPANDED:
            break
    raise _endless(key)


def _endless(key: bytes) -> LogConfigError:
    return LogConfigError(f"{_shown(key)}: there is no end to its variables")


def _shown(text: bytes) -> str:
    return safe(text.decode("utf-8", "backslashreplace"))


def parse_level(text: bytes) -> Level | None:
    """The level that a property names."""
    return Level.parse(text.decode("ascii", "replace"))


class Section:
    """The properties that belong to one thing (an appender, a layout, a filter).

    Args:
        name: what all their keys begin with.
        strict: what cannot be obeyed is an error that names the property. Otherwise log4cplus is
            followed, which complains of some of it and passes over the rest.
    """

    def __init__(
        self, name: bytes, properties: dict[bytes, bytes], complaints: Complaints, *, strict: bool
    ) -> None:
        self._name = name
        self._properties = properties
        self._complaints = complaints
        self.strict = strict
        self._known: set[bytes] = set()

    def error(self, key: bytes, text: bytes) -> None:
        """Complain as log4cplus does.

        Raises:
            LogConfigError: instead, if `strict`.
        """
        self.refuse(key, text)
        self._complaints.error(text)

    def warn(self, key: bytes, text: bytes) -> None:
        """Like `error`, of something that log4cplus only warns of."""
        self.refuse(key, text)
        self._complaints.warn(text)

    def refuse(self, key: bytes, why: bytes) -> None:
        """Say no where log4cplus says nothing.

        Raises:
            LogConfigError: if `strict`.
        """
        if self.strict:
            raise LogConfigError(f"{_shown(self._name + key)}: {_shown(why)}")

    def refuse_kind(self, kind: bytes) -> None:
        """Refuse the whole thing, as one of a kind that we do not have.

        Raises:
            LogConfigError: if `strict`.
        """
        if self.strict:
            name = self._name.removesuffix(b".")
            raise LogConfigError(f"{_shown(name)}: {_shown(kind)} is not supported")

    def finish(self) -> None:
        """Refuse every property that nobody has asked for."""
        for key in sorted(self._properties):
            if key not in self._known:
                self.refuse(key, b"unknown or unsupported property")

    def names(self) -> list[bytes]:
        """The keys, in order, all of which the caller looks after."""
        self._known.update(self._properties)
        return sorted(self._properties)

    def text(self, key: bytes) -> bytes | None:
        """The value of `key`."""
        self._known.add(key)
        return self._properties.get(key)

    def boolean(self, key: bytes, default: bool) -> bool:
        """`true`, `false` or a number (all but 0 are true); `default` for anything else."""
        value = self.text(key)
        if value is None:
            return default
        word = value.lower()
        if word in (b"true", b"false"):
            return word == b"true"
        number = _integer(value, _FITS_LONG)
        if number is None:
            self.refuse(key, b"neither true nor false")
            return default
        return number != 0

    def integer(self, key: bytes, default: int) -> int:
        """A number; `default` for anything else."""
        value = self.text(key)
        if value is None:
            return default
        number = _integer(value, _FITS)
        if number is None:
            self.refuse(key, b"not a number")
            return default
        return number

    def level(self, key: bytes) -> Level | None:
        """A level; None for anything else."""
        value = self.text(key)
        if value is None:
            return None
        level = parse_level(value)
        if level is None:
            self.refuse(key, b"not a level")
        return level

    def part(self, prefix: bytes) -> "Section":
        """The properties that belong to a thing within this thing."""
        properties = subset(self._properties, prefix)
        self._known.update(prefix + key for key in properties)
        name = self._name + prefix
        return Section(name, properties, self._complaints, strict=self.strict)


def _integer(text: bytes, limit: int) -> int | None:
    match = _INTEGER.fullmatch(text)
    number = int(match[1]) if match is not None and len(match[1]) < 40 else limit
    return number if -limit <= number < limit else None
