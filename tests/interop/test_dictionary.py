"""Our dictionary beside DCMTK's own: what its files say, and what its programs make of ours."""

import os
import random
import re
import struct
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary
from servers.process import LOOPBACK, environment, free_port, program

from asyncfind.query import dictionary as ours
from asyncfind.query.dcmtk_dictionary import DictEntry, built_in_dictionary, uid_name_of
from asyncfind.query.dcmtk_files import load_dictionary
from asyncfind.query.dcmtk_lines import Definition, parse_line

_NOT_LOADED: Final = "W: no data dictionary loaded, check environment variable: DCMDICTPATH\n"
_LEVELS: Final = {"debug": "D", "error": "E"}
_ELEMENT: Final = re.compile(
    rb"^\(([0-9a-f]{4}),([0-9a-f]{4})\) (..) (.*?) +# +[0-9]+, *[0-9]+ (.*)$", re.MULTILINE
)
_CREATORS: Final = "(0009-o-FFFF,0010-u-00FF)\tLO\tPrivateCreator\t1"
"""Without this line DCMTK reads no private creator."""


class Shown(NamedTuple):
    """One element in a dump."""

    vr: str
    value: str
    name: str


def loading(path_variable: str) -> str:
    """What the real findscu logs while it loads a dictionary."""
    command = [program("findscu"), "-d", LOOPBACK, str(free_port()), "-k", "0010,0010"]
    log = subprocess.run(
        command,
        env=environment() | {"DCMDICTPATH": path_variable},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    ).stdout.decode("utf-8", "surrogateescape")
    _, banner_end, rest = log.partition("$\nD: \n")
    log, request, _ = rest.partition("D: Request Parameters:\n")
    assert banner_end
    assert request
    return log


def loaded_here(path_variable: str) -> str:
    """The same of ours, in the same words."""
    loaded = load_dictionary(path_variable)
    lines = [f"{_LEVELS[level]}: {text}\n" for level, text in loaded.messages]
    return "".join(lines) + ("" if loaded.is_loaded else _NOT_LOADED)


def dump(
    folder: Path, elements: Iterable[tuple[int, bytes]], path_variable: str, *options: str
) -> dict[int, Shown]:
    """Elements in Implicit VR Little Endian as the real dcmdump shows them."""
    file = folder / "elements.dcm"
    with file.open("wb") as stream:
        for tag, value in elements:
            stream.write(struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value)
    command = [program("dcmdump"), "-q", "-f", "-ti", *options, str(file)]
    done = subprocess.run(
        command,
        env=environment() | {"DCMDICTPATH": path_variable},
        capture_output=True,
        timeout=60,
        # It fails where +P has a name that it does not know, and shows nothing.
        check=False,
    )
    shown = {}
    for match in _ELEMENT.finditer(done.stdout):
        group, number, *texts = match.groups()
        shown[int(group + number, 16)] = Shown(*[text.decode("latin_1") for text in texts])
    return shown


@pytest.fixture(scope="module")
def installed() -> tuple[str, str]:
    """The files of the installed DCMTK: its standard and its private dictionary."""
    standard, private = re.findall("Loading file: (.*)", loading(""))
    return standard, private


def definitions_in(file: str) -> Iterator[Definition]:
    """What a file defines; it has nothing bad."""
    for line in Path(file).read_bytes().split(b"\n"):
        definition, problems = parse_line(line)
        assert not problems
        if definition is not None:
            yield definition


def tags_of(definition: Definition) -> Iterator[int]:
    """The tags of a definition; of very many a part."""
    groups, numbers = definition.groups, definition.elements
    step = 1 + (groups.high - groups.low) // 600
    for group in range(groups.low, groups.high + 1, step):
        for number in range(numbers.low, numbers.high + 1):
            if groups.holds(group) and numbers.holds(number):
                yield group << 16 | number


# The dictionary that is built in


def test_every_standard_attribute_is_as_the_installed_dictionary_has_it(
    installed: tuple[str, str],
) -> None:
    dictionary = built_in_dictionary()
    found = list(definitions_in(installed[0]))
    assert len(found) > 4900
    single = {definition.first_tag for definition in found if not definition.is_range}
    compared = 0
    for definition in found:
        if definition.name == "GenericGroupLength":
            continue
        for tag in tags_of(definition):
            if not definition.is_range or tag not in single:
                expected = DictEntry(tag, definition.vr, definition.vm, definition.name)
                assert dictionary.entry(tag) == expected
                compared += 1
    assert compared > 20_000


def test_every_standard_name_finds_the_tag_that_it_finds_in_the_installed_dictionary(
    installed: tuple[str, str],
) -> None:
    theirs = load_dictionary(installed[0]).dictionary
    names = {definition.name for definition in definitions_in(installed[0])}
    names |= {name.removeprefix("RETIRED_") for name in names}
    names |= {keyword for *_, keyword in DicomDictionary.values()}
    names |= {keyword for *_, keyword in RepeatersDictionary.values()}
    names -= {""}
    for name in names:
        assert built_in_dictionary().tag_of(name) == theirs.tag_of(name), name


def test_nothing_is_known_that_the_installed_dictionary_does_not_know(
    installed: tuple[str, str],
) -> None:
    theirs = load_dictionary(installed[0]).dictionary
    dictionary = built_in_dictionary()
    chance = random.Random(2022)
    known = list(DicomDictionary)
    known += [
        int(mask.replace("x", digit), 16) for mask in RepeatersDictionary for digit in "0124EF"
    ]
    tags = {tag + step for tag in known for step in (-0x10000, -2, -1, 0, 1, 2, 0x10000)}
    tags |= {chance.randrange(1 << 32) for _ in range(20_000)}
    tags |= {group << 16 for group in range(0x1000)}
    for tag in tags:
        tag &= 0xFFFFFFFF
        assert dictionary.entry(tag) == theirs.entry(tag), f"{tag:08x}"


def test_names_and_vrs_are_what_the_real_dump_shows(tmp_path: Path) -> None:
    dictionary = built_in_dictionary()
    chance = random.Random(7)
    tags = {tag for tag in DicomDictionary if 0x0004FFFF < tag < 0xFFF00000}
    tags |= {chance.randrange(0x00080001, 0xFFF00000) for _ in range(2000)}
    tags |= {group << 16 | number for group in (8, 9, 0x6002, 0x6003) for number in range(0x60)}
    # Pixel data goes by rules of its own.
    tags -= {0x7FE00010} | {tag for tag in tags if tag & 0xFF00FFFF == 0x60003000}
    shown = dump(tmp_path, [(tag, b"") for tag in sorted(tags)], "")
    assert shown.pop(0xFFFEE0DD).name == "SequenceDelimitationItem"
    assert shown.keys() == tags
    for tag, (vr, _, name) in shown.items():
        entry = dictionary.entry(tag)
        assert name == dictionary.name_of(tag), f"{tag:08x}"
        assert vr == ("??" if entry is None else entry.vr), f"{tag:08x}"


def test_private_attributes_agree_as_often_as_we_say(installed: tuple[str, str]) -> None:
    """The numbers that stand in `query/dcmtk_dictionary.py`."""
    dictionary = built_in_dictionary()
    known = same_vr = same_name = 0
    theirs = {
        (definition.groups, definition.elements, definition.creator): definition
        for definition in definitions_in(installed[1])
    }
    for definition in theirs.values():
        tag = definition.first_tag
        if tag & 0xFFFF < 0x1000:
            tag |= 0x1000
        entry = dictionary.entry(tag, definition.creator)
        if entry is not None:
            known += 1
            same_vr += entry.vr == definition.vr
            same_name += entry.name == definition.name
    assert len(theirs) == 2833
    assert round(100 * known / len(theirs)) == 93
    assert round(100 * same_vr / known) == 84
    assert round(100 * same_name / known) == 80


def test_our_creators_are_those_that_both_know(installed: tuple[str, str]) -> None:
    creators = {definition.creator for definition in definitions_in(installed[1])}
    in_pydicom = set(private_dictionaries)
    answered = set()
    for creator in in_pydicom:
        for mask in private_dictionaries[creator]:
            tag = int(mask.replace("x", "1"), 16)
            if built_in_dictionary().entry(tag, creator) is not None:
                answered.add(creator)
    assert answered == creators & in_pydicom
    assert len(answered) == 126


def test_uids_have_the_names_that_the_real_dump_shows(tmp_path: Path) -> None:
    uids = sorted({*UID_dictionary, "1.2.3", "1.2.840.10008.1", "1.2.276.0.7230010.3.1.0.1"})
    elements = []
    for number, uid in enumerate(uids):
        elements.append((0x00200000 + 2 * number + 1, uid.encode() + b"\0" * (len(uid) % 2)))
    path = tmp_path / "uids.dic"
    path.write_text("(0020-u-0020,0001-u-ffff)\tUI\tUid\t1\n")
    shown = dump(tmp_path, elements, str(path))
    assert len(shown) == len(uids) > 450
    named = 0
    for uid, (vr, value, _) in zip(uids, shown.values(), strict=True):
        assert vr == "UI"
        name = uid_name_of(uid)
        assert value == (f"={name}" if name else f"[{uid}]")
        named += name is not None
    assert named > 400


# Files


FILES: Final[dict[str, Sequence[bytes]]] = {
    "empty": [],
    "comments": [b"# x", b"", b"  # y\tz", b"\t", b"\r", b" \x0b\x0c "],
    "good": [b"(0010,0010)\tPN\tPersonName\t1\tACME", b"(0010,0020)\tLO\tPersonID"],
    "too few": [b"(0010,0010) PN PersonName 1", b"(0010,0010)\tPN", b"x", b"(0010,0010)\tPN\t\t"],
    "too many": [b"1\t2\t3\t4\t5\t6", b"1\t2\t3\t4\t5\t", b"1\t2\t3\t4\t5\t\t\t6\t7"],
    "vms": [
        b"(0010,0010)\tPN\tName\t" + vm
        for vm in b"1|1-3|1-n|1-N|2-2n|2n|n|nothing|x|1x|1-|-1|-n|1-x|1-2x|1.5| 1 - n |0x1|+1|"
        b"n-1|1--2n".split(b"|")
    ],
    "vrs": [
        b"(0010,0010)\t" + vr + b"\tName\t1"
        for vr in b"PN|pn|QQ|xs|ox|px|lt|na|up|UN|??|P|| P N |PNX|ZZ|A1|\xc3\x84".split(b"|")
    ],
    "tags": [
        tag + b"\tLO\tName\t1"
        for tag in (
            *(b"(0010,0010)", b" ( 0010 , 0010 ) ", b"0010,0010", b"(0010,0010", b"0010,0010)"),
            *(b"(00100010)", b"(0010)", b"(,)", b"()", b"(", b"", b" ", b"(g,0010)", b"(10,g)"),
            *(b"(0x10,0X20)", b"(0x,0010)", b"(0xg,0010)", b"(60xx,0010)", b"(0010,0010)x"),
            *(b"(0010,0010)x)", b"(12345,99999999999999999999)", b"(-1,+2)", b"(0010,1,2)"),
        )
    ],
    "ranges": [
        b"(" + part + b",0010)\tLO\tName\t1"
        for part in b"6000-60ff|6000-o-60ff|6000-E-60ff|6000-u-60ff|6000-x-60ff|6000-q-zz|6000-"
        b"|6000-o-|6000--60ff|6000-60-ff|6000-uu-60ff|60ff-6000| 6000 - o - 60ff |-".split(b"|")
    ],
    "private": [
        b"(0009," + part + b")\tLO\tName\t1"
        for part in (
            *(b'"ACME",01', b'"ACME 1.0",01-u-0f', b' "ACME" , 01', b'"",01', b'"ACME"', b'"ACME'),
            *(b'"ACME",', b'"ACME" 01', b'"ACME" , x 1', b'"A","B",01', b'01,"ACME"', b'"A,(B",1'),
        )
    ],
    "nul": [b"(0010,0010)\tLO\tName\0\tx\ty\tz\t", b"\0", b"x\0\ty\tz", b"(0010,\0)\tLO\tName"],
    "foreign": [
        b"(0010,0010)\tPN\tPr\xe9nom\t1",
        b"(\xc3\x9c,0010)\tPN\tx",
        b"(1-\xff-2,3)\tPN\tx",
    ],
    "many faults": [b"(0010-x-20,q)\tQQ\tName\tz\tx", b"(q)\tQQ\tName\tz", b"x\tQQ\tName"],
    "long": [
        b"(0010,0010)\tPN\t" + b"N" * (size - 17) + b"\tz"
        for size in (2045, 2046, 2047, 2048, 4200)
    ],
    "long comment": [b"#" + b"x" * 2100, b"q"],
    "old ends": [b"(0010,0010)\tPN\tName\t1\r", b"(0010,0010)\tPN\tName\tz\r", b"a\rb\tc\td"],
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("end", [b"", b"\n"], ids=["cut", "whole"])
def test_loading_says_what_the_real_one_says(tmp_path: Path, name: str, end: bytes) -> None:
    path = tmp_path / "own file.dic"
    path.write_bytes(b"\n".join(FILES[name]) + end)
    assert loaded_here(str(path)) == loading(str(path))


@pytest.mark.parametrize(
    "files",
    [
        *(["good"], ["bad"], ["none"], ["empty"], ["", ""], ["", "good", ""], ["."], ["good/"]),
        *(["good", "bad"], ["bad", "good"], ["bad", "none"], ["none", "bad", "empty", "none"]),
        *(["good", "none"], ["none", "good"], [" good"], ["good "], ["good"] * 40),
    ],
)
def test_the_last_file_that_opens_decides_as_in_the_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good").write_bytes(b"\n".join(FILES["good"]))
    Path("bad").write_bytes(b"\n".join(FILES["vms"]))
    Path("empty").touch()
    path_variable = os.pathsep.join(files)
    assert loaded_here(path_variable) == loading(path_variable)


_PARTS: Final = (
    *(b"(", b")", b",", b'"', b"-", b" ", b"\x0b", b"\r", b"0010", b"6000", b"60FF", b"0x", b"o"),
    *(b"u", b"e", b"q", b"ACME 1", b"n", b"+", b"zz", b"1", b"ffff1", b"#", b"\xc3\xa9", b"\0"),
)
_NUMBERS: Final = (b"0010", b"60ff", b"0x10", b"0X", b"-2", b"+3", b"", b"g", b"1ffff", b"9" * 23)
_VMS: Final = (b"1", b"1-n", b"2-2n", b"n", b"", b"x", b"-n", b"1--2n", b"1-+3N", b"3-3x", b"\xa0")


def _line(chance: random.Random) -> bytes:
    """A line that may be anything from good to noise."""

    def part() -> bytes:
        between = chance.choice([b"-", b"-o-", b"-U-", b"-x-", b"--", b"-1-", b"-\xc3-"])
        numbers = chance.choices(_NUMBERS, k=chance.choice([1, 1, 2]))
        return between.join(numbers) + chance.choice([b"", b"", b"", *_PARTS])

    tag = b"".join(chance.choices(_PARTS, k=chance.randrange(9)))
    if chance.random() < 0.7:
        creator = chance.choice([b"", b"", b'"A B",', b' "A" ,', b'"",', b'"A"q,', b'"A'])
        tag = b"(%b,%b%b)" % (part(), creator, part())
    vr = chance.choice([b"LO", b"lo", b"QQ", b"L", b"", b"xs", b"U S", b"A1", b"UNx", b"Zz"])
    name = chance.choice([b"Name", b"", b"N ame", b"\xff\xfe", b"N\0m"])
    fields = [tag, vr, name, chance.choice(_VMS), b"DICOM", b"x", b""]
    line = b"\t".join(fields[: chance.choice([1, 2, 3, 4, 4, 4, 5, 5, 6, 7])])
    return line + chance.choice([b"", b"", b"", b" ", b"\t", b"\t \t", b"\r"])


@pytest.mark.parametrize("seed", range(4))
def test_loading_noise_says_what_the_real_one_says(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "noise.dic"
    path.write_bytes(b"\n".join([_line(chance) for _ in range(4000)]))
    log = loading(str(path))
    assert len(log.splitlines()) > 1000
    assert loaded_here(str(path)) == log


# Names and VRs by files


def test_vrs_are_what_the_real_dump_shows(tmp_path: Path) -> None:
    """Of DCMTK's own, `px` is decided while a dump is made, and items cannot be elements."""
    letters = [chr(code) for code in range(33, 127)]
    vrs = [first + second for first in letters for second in "AELNSWaesxz0?"]
    vrs += ["", "L", "LOX", "L O", "PixelData"]
    vrs = [vr for vr in vrs if vr[:2] not in ("px", "na", "pi")]
    path = tmp_path / "own.dic"
    tags = {0x00100011 + 2 * number: vr for number, vr in enumerate(vrs)}
    path.write_text("".join([f"({t >> 16:04x},{t & 0xFFFF:04x})\t{tags[t]}\tN\t1\n" for t in tags]))
    shown = dump(tmp_path, [(tag, b"") for tag in tags], str(path))
    dictionary = load_dictionary(str(path)).dictionary
    assert shown.keys() == tags.keys()
    for tag, (vr, _, name) in shown.items():
        entry = dictionary.entry(tag)
        assert (vr, name) == (
            ("??", "Unknown Tag & Data") if entry is None else (entry.vr, entry.name)
        ), tags[tag]


_GROUPS: Final = (0x0008, 0x0009, 0x000A, 0x000B, 0x000C, 0x000D, 0x0010, 0x0011)
_NUMBERS_OF_ELEMENTS: Final = (
    *(0x0000, 0x0001, 0x0002, 0x0010, 0x0011, 0x1001, 0x1002, 0x1003, 0x1010, 0x1101, 0x1102),
    *(0x1111, 0x1203),
)
_LAST_BYTES: Final = (0x00, 0x01, 0x02, 0x03, 0x10, 0x11, 0x1001)


def _span(chance: random.Random, numbers: Sequence[int], digits: int) -> str:
    first, last = sorted(chance.choices(numbers, k=2))
    if chance.random() < 0.4:
        return f"{first:0{digits}x}"
    if chance.random() < 0.05:
        first, last = last, first
    return f"{first:0{digits}x}{chance.choice(['-', '-u-', '-o-', '-e-', '-u-'])}{last:0{digits}x}"


def _definitions(chance: random.Random) -> list[str]:
    """Lines that overlap and override each other."""
    lines = [_CREATORS]
    for number in range(chance.randint(5, 60)):
        groups = _span(chance, _GROUPS, 4)
        name = f"N{chance.choice([number, number % 7])}"
        if chance.random() < 0.4:
            creator = chance.choice(["ACME", "BETA GENERATOR 2.0"])
            tag = f'{groups},"{creator}",{_span(chance, _LAST_BYTES, 2)}'
        else:
            tag = f"{groups},{_span(chance, _NUMBERS_OF_ELEMENTS, 4)}"
        lines.append(f"({tag})\tCS\t{name}\t1")
    return lines


@pytest.mark.parametrize("seed", range(12))
def test_ranges_creators_and_names_are_resolved_as_in_the_real_dump(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    path = tmp_path / "own.dic"
    path.write_text("\n".join(_definitions(chance)))
    dictionary = load_dictionary(str(path)).dictionary
    elements = []
    creators: dict[int, str] = {}
    for tag in [group << 16 | number for group in _GROUPS for number in _NUMBERS_OF_ELEMENTS]:
        value = b"\0\0\0\0" if not tag & 0xFFFF else b"AB"
        if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
            creator = chance.choice(["ACME", "BETA GENERATOR 2.0", "OTHER."])
            creators[tag] = creator
            value = creator.encode()
            entry = dictionary.entry(tag)
            # Another line may have made it something that is no text.
            assert entry is not None
            assert entry.vr in ("CS", "LO")
        elements.append((tag, value))
    shown = dump(tmp_path, elements, str(path))
    assert len(shown) == len(elements)
    for tag, (_, _, name) in shown.items():
        creator = creators.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF, "")
        creator = creator if tag & 0xFFFF > 0xFF else ""
        assert name == dictionary.name_of(tag, creator), f"{tag:08x} {creator}"
    for number in (0, 1, 2, 9, 17, 33):
        found = dump(tmp_path, elements, str(path), "+P", f"N{number}")
        tag_of_name = dictionary.tag_of(f"N{number}")
        assert list(found) == [tag for tag, _ in elements if tag == tag_of_name]


# The native command


def test_with_the_installed_files_our_own_dictionary_says_what_it_said(
    installed: tuple[str, str],
) -> None:
    entries = {tag: ours.entry_of(tag) for tag in DicomDictionary}
    vrs = {tag: ours.vr_of(tag) for tag in entries}
    try:
        ours.use_dictionary(os.pathsep.join(installed))
        compared = 0
        for tag, entry in entries.items():
            theirs = ours.entry_of(tag)
            if theirs is None or entry is None:
                continue
            compared += 1
            assert theirs.keyword == entry.keyword
            assert ours.vr_of(tag) == vrs[tag], f"{tag:08x}"
            assert ours.tag_of(entry.keyword) == tag
        assert compared > 4900
        assert ours.vr_of(0x00291008, "SIEMENS CSA HEADER") == "CS"
    finally:
        ours.use_dictionary(None)
