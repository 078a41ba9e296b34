"""The dictionary files that DCMDICTPATH names, as DCMTK 3.6.7 reads them.

They replace the dictionary that is built in. Of a line that cannot be used, or a file, DCMTK says
so and goes on without; later definitions replace earlier ones of the same tags, names included.
`load_dictionary` does the same, to the letter of its messages, and `read_dictionary` refuses.

A dictionary is data of whoever wrote it: files, ranges and complaints have limits, which DCMTK has
not. Beyond one the rest of a file is left alone, and an error message says so.
"""

import os
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final, Literal, NamedTuple

from asyncfind.errors import InvalidRequest
from asyncfind.query.dcmtk_dictionary import (
    MAX_CACHED,
    DataDictionary,
    DictEntry,
    built_in_dictionary,
    is_private,
)
from asyncfind.query.dcmtk_lines import Definition, Fault, Problem, Span, parse_line
from asyncfind.safe import safe

__all__ = ["FileDictionary", "LoadMessage", "Loaded", "load_dictionary", "read_dictionary"]

_FOLDER: Final = Path(__file__).parent
_BUILT_IN_FILES: Final = ("dicom.dic", "private.dic")
_MAX_SIZE: Final = 16 * 1024 * 1024
_MAX_LINE: Final = 2047
_MAX_RANGES: Final = 1024
_MAX_BAD_LINES: Final = 10_000
_MAX_SHOWN: Final = 64
_BUCKETS: Final = 2011
"""DCMTK's hash table: where a name stands at several tags, it finds the one in the first bucket."""

_LINE_HINT: Final = "A line has tag, VR, name, VM and version, with one tab between each two."
_PATH_HINT: Final = "DCMDICTPATH names dictionary files in DCMTK's format; unset it to use ours."


class LoadMessage(NamedTuple):
    """What DCMTK logs while it loads a dictionary.

    Args:
        text: without prefix; has raw text of the file, and is not safe for a terminal.
    """

    level: Literal["debug", "error"]
    text: str


class Loaded(NamedTuple):
    """A dictionary and how it came to be.

    Args:
        is_loaded: whether DCMTK works with it; if not it warns, and every query fails.
        messages: in their order.
    """

    dictionary: DataDictionary
    is_loaded: bool
    messages: tuple[LoadMessage, ...]


class FileDictionary(DataDictionary):
    """What dictionary files define, and the few attributes that DCMTK needs anyway."""

    def __init__(self) -> None:
        self._tags: dict[tuple[int, str], Definition] = {}
        self._ranges: list[Definition] = []
        self._find: Callable[[int, str], DictEntry | None] = lru_cache(MAX_CACHED)(self._look_up)
        for group, number, name in (
            (0xFFFE, 0xE000, "Item"),
            (0xFFFE, 0xE00D, "ItemDelimitationItem"),
            (0xFFFE, 0xE0DD, "SequenceDelimitationItem"),
        ):
            groups, numbers = Span(group, group, None), Span(number, number, None)
            self._add(Definition(groups, numbers, "", "na", "1", name))
        every, first = Span(0, 0xFFFF, None), Span(0, 0, None)
        self._add(Definition(every, first, "", "UL", "1", "GenericGroupLength"))

    def entry(self, tag: int, creator: str = "") -> DictEntry | None:
        return self._find(tag, creator if is_private(tag) else "")

    def tag_of(self, name: str) -> int | None:
        return self._names.get(name)

    def standard_tags(self) -> dict[str, int]:
        """Tag by name, without private attributes."""
        return {name: tag for name, tag in self._names.items() if name and not is_private(tag)}

    def load(self, data: bytes, *, strict: bool) -> Iterator[tuple[int, Problem | str]]:
        """Add what a file defines, while what is wrong with it is taken from this iterator.

        A problem comes with the number of its line; a text instead of it says which limit ended
        the reading.

        Args:
            strict: what `parse_line` calls wrong then is a problem.
        """
        bad_lines = 0
        for number, line in enumerate(_lines(data), 1):
            definition, problems = parse_line(line, strict=strict)
            for problem in problems:
                yield number, problem
            bad_lines += bool(problems)
            if bad_lines > _MAX_BAD_LINES:
                yield number, f"more than {_MAX_BAD_LINES} bad lines"
                return
            if definition is not None:
                if definition.is_range and len(self._ranges) >= _MAX_RANGES:
                    yield number, f"more than {_MAX_RANGES} ranges"
                    return
                self._add(definition)

    def _add(self, new: Definition) -> None:
        if not new.is_range:
            self._tags[new.first_tag, new.creator] = new
            return
        for place, old in enumerate(self._ranges):
            if new.creator == old.creator and _within(new, old):
                # The same range is replaced; a smaller one has to be found before the larger.
                same = new.groups == old.groups and new.elements == old.elements
                self._ranges[place : place + same] = [new]
                return
        self._ranges.append(new)

    def _look_up(self, tag: int, creator: str) -> DictEntry | None:
        found = self._tags.get((tag, creator))
        if found is None and creator:
            found = self._tags.get((tag & 0xFFFF00FF, creator))
        if found is None:
            ranges = (one for one in self._ranges if _covers(one, tag, creator))
            found = next(ranges, None)
        return None if found is None else DictEntry(tag, found.vr, found.vm, found.name)

    @cached_property
    def _names(self) -> dict[str, int]:
        """The tag that each name finds: standard tags first, then ranges, then private tags."""
        single = sorted(self._tags.values(), key=lambda one: (_bucket(one), one.first_tag))
        standard = [one for one in single if not is_private(one.first_tag)]
        private = [one for one in single if is_private(one.first_tag)]
        names: dict[str, int] = {}
        for one in (*standard, *self._ranges, *private):
            names.setdefault(one.name, one.first_tag)
        return names


def _bucket(one: Definition) -> int:
    mixed = one.first_tag
    for place, byte in enumerate(one.creator.encode("latin_1"), 1):
        mixed ^= byte << place * 8 % 32
    return mixed % _BUCKETS


def _within(new: Definition, old: Definition) -> bool:
    return (
        old.groups.low <= new.groups.low
        and new.groups.high <= old.groups.high
        and old.elements.low <= new.elements.low
        and new.elements.high <= old.elements.high
    )


def _covers(one: Definition, tag: int, creator: str) -> bool:
    number = tag & 0xFFFF
    if one.creator != creator or not one.groups.holds(tag >> 16):
        return False
    return one.elements.holds(number) or bool(creator and one.elements.holds(number & 0xFF))


def load_dictionary(path_variable: str | None) -> Loaded:
    """Load the dictionary of DCMDICTPATH, or the one that is built in, as DCMTK 3.6.7 does.

    Args:
        path_variable: the value of DCMDICTPATH: files, a colon (on Windows a semicolon) between
            each two. None or empty is the dictionary that is built in.
    """
    if not path_variable:
        messages = [_loading(str(_FOLDER / name)) for name in _BUILT_IN_FILES]
        return Loaded(built_in_dictionary(), True, tuple(messages))
    dictionary = FileDictionary()
    messages = []
    flawless = True
    last_opened_is_good = False
    for file in _files(path_variable):
        data = _content(file)
        if data is None:
            flawless = False
            messages.append(LoadMessage("error", f"DcmDataDictionary: Cannot open file: {file}"))
            continue
        messages.append(_loading(file))
        flaws = [_complaint(file, *flaw) for flaw in _load(dictionary, data, strict=False)]
        messages += flaws
        last_opened_is_good = not flaws
        flawless = flawless and last_opened_is_good
    return Loaded(dictionary, flawless or last_opened_is_good, tuple(messages))


def read_dictionary(path_variable: str) -> FileDictionary:
    """Read the dictionary of DCMDICTPATH strictly.

    Raises:
        InvalidRequest: it names no file, or one that cannot be read, or a line has something
            wrong; the text names file and line. A VR that DCMTK takes without knowing it is
            wrong, and a name that no screen can show.
    """
    dictionary = FileDictionary()
    files = _files(path_variable)
    if not files:
        raise InvalidRequest("DCMDICTPATH names no file", _PATH_HINT)
    for file in files:
        shown = f"dictionary file {safe(file)}"
        data = _content(file)
        if data is None:
            raise InvalidRequest(f"{shown}: cannot be read", _PATH_HINT)
        for number, problem in _load(dictionary, data, strict=True):
            raise InvalidRequest(f"{shown}, line {number}: {_in_short(problem)}", _LINE_HINT)
    return dictionary


def _files(path_variable: str) -> list[str]:
    return [file for file in path_variable.split(os.pathsep) if file]


def _content(file: str) -> bytes | None:
    """A file's bytes, one more than the limit at most; None where it cannot be opened."""
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - a Path drops a slash at the end
            return stream.read(_MAX_SIZE + 1)
    except (OSError, ValueError):  # a NUL in the name is a ValueError
        return None


def _load(
    dictionary: FileDictionary, data: bytes, *, strict: bool
) -> Iterator[tuple[int, Problem | str]]:
    yield from dictionary.load(data[:_MAX_SIZE], strict=strict)
    if len(data) > _MAX_SIZE:
        yield data.count(b"\n", 0, _MAX_SIZE) + 1, f"more than {_MAX_SIZE >> 20} MiB"


def _lines(data: bytes) -> Iterator[bytes]:
    """Lines as DCMTK counts them: what is too long for one goes on as the next."""
    stream = BytesIO(data)
    while line := stream.readline(_MAX_LINE):
        yield line


def _loading(file: str) -> LoadMessage:
    return LoadMessage("debug", f"DcmDataDictionary: Loading file: {file}")


def _complaint(file: str, line: int, problem: Problem | str) -> LoadMessage:
    """DCMTK's words for a problem; for a limit, which it has not, our own."""
    if isinstance(problem, str):
        text = f"{file}: {problem}, the rest is not read (line {line})"
    elif problem.fault is Fault.RESTRICTOR:
        text = f"{problem.fault}: {problem.field}"
    else:
        text = f"{file}: {problem.fault} (line {line})"
        if problem.fault is not Fault.TOO_FEW:
            text += f": {problem.field}"
    return LoadMessage("error", f"DcmDataDictionary: {text}")


def _in_short(problem: Problem | str) -> str:
    if isinstance(problem, str):
        return problem
    shown = safe(problem.field, _MAX_SHOWN)
    return f"{problem.fault}: {shown}" if shown else str(problem.fault)
