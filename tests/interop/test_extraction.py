"""Invented responses, extracted by the real findscu 3.6.7 and by us: the same bytes."""

import random
import struct
import subprocess
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import anyio
import pytest
from acceptor import accept
from servers.process import LOOPBACK, environment, program

from asyncfind.dimse.command import FindRQ, FindRSP, encode_command
from asyncfind.dimse.message import Assembler, fragment
from asyncfind.net.transport import Stream, serve
from asyncfind.query.dcmtk_dictionary import built_in_dictionary
from asyncfind.query.dcmtk_utf8 import CannotConvert
from asyncfind.query.dcmtk_xml import CLOSING, OPENING, data_set_utf8, xml_document
from asyncfind.query.part10 import encode_part10
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from asyncfind.ul.upper_layer import DataReceived, ReleaseRequested

_OPTIONS: Final = {
    EXPLICIT_VR_LITTLE_ENDIAN.uid: "-xe",
    EXPLICIT_VR_BIG_ENDIAN.uid: "-xb",
    IMPLICIT_VR_LITTLE_ENDIAN.uid: "-xi",
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid: "-xd",
}
_SYNTAXES: Final = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
)
_NAMES: Final = built_in_dictionary()
_UNDEFINED: Final = 0xFFFFFFFF
_LONG: Final = frozenset(
    ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
)
_STRINGS: Final = (
    *("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT"),
    *("PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"),
)
_SIZES: Final = {
    **dict.fromkeys(("OW", "SS", "US"), 2),
    **dict.fromkeys(("AT", "FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
_FLOATS: Final = {"FD": "d", "FL": "f", "OD": "d", "OF": "f"}

# One attribute of each VR by the dictionary, which is what implicit VR goes by.
_ATTRIBUTES: Final = {
    0x00080020: "DA", 0x00080030: "TM", 0x0008002A: "DT", 0x00080050: "SH", 0x00080060: "CS",
    0x00080054: "AE", 0x00080119: "UC", 0x00080120: "UR", 0x00081030: "LO", 0x00100010: "PN",
    0x00101010: "AS", 0x00101020: "DS", 0x00104000: "LT", 0x00189087: "FD", 0x0020000D: "UI",
    0x00200013: "IS", 0x00280010: "US", 0x00281201: "OW", 0x0040A160: "UT", 0x00420011: "OB",
    0x00620006: "ST", 0x00660016: "OF", 0x00660040: "OL", 0x00720026: "AT", 0x0072006E: "ST",
    0x00720076: "FL", 0x00720078: "UL", 0x0072007C: "SL", 0x0072007E: "SS", 0x00720082: "SV",
    0x00720083: "UV", 0x00660022: "OD", 0x7FE00001: "OV", 0x00720070: "UT",
}  # fmt: skip
_SEQUENCES: Final = (0x00081110, 0x00081140, 0x00321064, 0x00400100, 0x00400260)
_ODD: Final = (0x00080001, 0x00081234, 0x00090010, 0x00091001, 0x00091108, 0x00110000)


class _Maker:
    """Invents data sets in one transfer syntax; always the same ones for a seed.

    Args:
        charset: the value of Specific Character Set; None for none.
        text: pieces that strings are put together of.
    """

    def __init__(
        self,
        seed: int,
        syntax: TransferSyntax,
        charset: bytes | None = None,
        text: Sequence[bytes] = (),
    ) -> None:
        self._random = random.Random(seed)
        self._syntax = syntax
        self._order = "<" if syntax.little_endian else ">"
        self._charset = charset
        self._text = text or [bytes([byte]) for byte in b"abcXYZ019.^=<>&\"'-_ \\"]

    def identifier(self) -> bytes:
        data = self._item(0)
        if not self._syntax.deflated:
            return data
        stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = stream.compress(data) + stream.flush()
        return data + bytes(len(data) % 2)

    def _item(self, depth: int) -> bytes:
        chosen = self._random
        vrs = dict.fromkeys(chosen.sample(sorted(_ATTRIBUTES), chosen.randint(0, 12)), "")
        tags = [*vrs, *chosen.sample(_SEQUENCES, chosen.randint(0, 2) if depth < 3 else 0)]
        if self._syntax.explicit:
            tags += chosen.sample(_ODD, chosen.randint(0, 2))
        if depth == 0:
            # Without it the file would get a UID that nobody could tell beforehand.
            tags.append(0x00080018)
            if self._charset is not None:
                tags.append(0x00080005)
        return b"".join([self._element(tag, depth) for tag in sorted(set(tags))])

    def _element(self, tag: int, depth: int) -> bytes:
        if tag in _SEQUENCES:
            return self._sequence(tag, depth)
        if tag == 0x00080005:
            assert self._charset is not None
            return self._leaf(tag, "CS", self._charset)
        if tag == 0x00080018:
            return self._leaf(tag, "UI", f"1.2.{self._random.randint(1, 99999)}".encode())
        if not tag & 0xFFFF or tag == 0x00080001:
            return self._leaf(tag, "UL", self._random.randbytes(4))
        if tag == 0x00090010:
            return self._leaf(tag, "LO", b"INVENTED")
        vr = _ATTRIBUTES.get(tag, "")
        if not vr or (self._syntax.explicit and self._random.random() < 0.1):
            vr = self._random.choice([*_STRINGS, *_SIZES, "OB", "UN"])
        return self._leaf(tag, vr, self._value(vr))

    def _leaf(self, tag: int, vr: str, value: bytes) -> bytes:
        if len(value) % 2:
            value += b" " if vr in _STRINGS and vr != "UI" else b"\0"
        return self._head(tag, vr, len(value)) + value

    def _head(self, tag: int, vr: str, length: int) -> bytes:
        group, number = tag >> 16, tag & 0xFFFF
        if not self._syntax.explicit:
            return struct.pack("<HHI", group, number, length)
        if vr in _LONG:
            return struct.pack(f"{self._order}HH2sHI", group, number, vr.encode(), 0, length)
        return struct.pack(f"{self._order}HH2sH", group, number, vr.encode(), length)

    def _sequence(self, tag: int, depth: int) -> bytes:
        content = b""
        for _ in range(self._random.choice((0, 1, 1, 2))):
            item = self._item(depth + 1)
            if self._random.random() < 0.5:
                content += self._mark(0xE000, _UNDEFINED) + item + self._mark(0xE00D, 0)
            else:
                content += self._mark(0xE000, len(item)) + item
        if self._random.random() < 0.5:
            return self._head(tag, "SQ", _UNDEFINED) + content + self._mark(0xE0DD, 0)
        return self._head(tag, "SQ", len(content)) + content

    def _mark(self, number: int, length: int) -> bytes:
        return struct.pack(f"{self._order}HHI", 0xFFFE, number, length)

    def _value(self, vr: str) -> bytes:
        chosen = self._random
        if chosen.random() < 0.1:
            return b""
        if vr in _STRINGS:
            text = b"".join(chosen.choices(self._text, k=chosen.choice((1, 2, 3, 8, 30))))
            text = b"  " * chosen.randint(0, 1) + text + b" " * chosen.choice((0, 0, 1, 2))
            if chosen.random() < 0.1:
                text += chosen.choice((b"\0", b"\0\0", b"\x01\x7f", b"\r\n", b"a\0b"))
            return text
        size, count = _SIZES.get(vr, 1), chosen.choice((1, 2, 3, 6))
        if vr in _FLOATS and chosen.random() < 0.8:
            numbers = [round(chosen.uniform(-1e4, 1e4), chosen.randint(0, 7)) for _ in range(count)]
            return struct.pack(f"{self._order}{count}{_FLOATS[vr]}", *numbers)
        value = chosen.randbytes(size * count)
        return value[:-2] if size > 2 and chosen.random() < 0.1 else value


class _Extracted:
    """What findscu made of responses.

    Args:
        log: its errors and warnings.
    """

    def __init__(self, folder: Path, log: bytes) -> None:
        self._folder = folder
        self.log = log.decode("latin_1").splitlines()

    def file(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()


def _extract(
    identifiers: Sequence[bytes], syntax: TransferSyntax, folder: Path, *options: str
) -> _Extracted:
    """Let findscu ask an acceptor that answers with `identifiers` in `syntax`."""

    async def answer(stream: Stream) -> None:
        upper_layer = await accept(stream)
        assembler = Assembler()
        while data := await stream.receive():
            for indication in upper_layer.receive_data(data, 0.0):
                if isinstance(indication, ReleaseRequested):
                    upper_layer.respond_release(0.0)
                    await stream.send(upper_layer.data_to_send())
                    await stream.close()
                    return
                if not isinstance(indication, DataReceived):
                    continue
                for message in assembler.feed(indication.pdvs):
                    assert isinstance(message.command, FindRQ)
                    number, context = message.command.message_id, message.context_id
                    pending = encode_command(FindRSP(number, 0xFF00), has_identifier=True)
                    for identifier in identifiers:
                        upper_layer.send_data(fragment(context, pending, identifier, 16384))
                        await stream.send(upper_layer.data_to_send())
                    final = encode_command(FindRSP(number, 0), has_identifier=False)
                    upper_layer.send_data(fragment(context, final, None, 16384))
                    await stream.send(upper_layer.data_to_send())
        stream.abort()

    async def ask() -> bytes:
        async with anyio.create_task_group() as tasks:
            port = await tasks.start(serve, answer, LOOPBACK, 0)
            command = [program("findscu"), *options, "-od", str(folder), _OPTIONS[syntax.uid]]
            with anyio.fail_after(60):
                done = await anyio.run_process(
                    [*command, LOOPBACK, str(port), "-k", "PatientID"],
                    check=False,
                    stdin=subprocess.DEVNULL,
                    env=environment(),
                )
            tasks.cancel_scope.cancel()
        assert done.returncode == 0
        return done.stderr

    return _Extracted(folder, anyio.run(ask))


def _told(log: Sequence[str]) -> list[str]:
    """What a log says of character sets; of odd data it says more."""
    return [line for line in log if "CharacterSet" in line or line.startswith("E:")]


def _make(
    syntax: TransferSyntax,
    count: int,
    charset: bytes | None = None,
    text: Sequence[bytes] = (),
    *,
    seed: int = 0,
) -> list[bytes]:
    return [
        _Maker(seed * 1000 + place, syntax, charset, text).identifier() for place in range(count)
    ]


@pytest.mark.parametrize("syntax", _SYNTAXES, ids=lambda one: _OPTIONS[one.uid])
def test_dicom_files_are_the_same(syntax: TransferSyntax, tmp_path: Path) -> None:
    identifiers = _make(syntax, 60)
    theirs = _extract(identifiers, syntax, tmp_path, "-X")
    for number, identifier in enumerate(identifiers, 1):
        ours = encode_part10(
            read_item(identifier, syntax),
            syntax,
            implementation_class_uid="1.2.276.0.7230010.3.0.3.6.7",
            implementation_version_name="OFFIS_DCMTK_367",
        )
        assert ours == theirs.file(f"rsp{number:04d}.dcm"), number


@pytest.mark.parametrize("syntax", _SYNTAXES, ids=lambda one: _OPTIONS[one.uid])
def test_xml_files_are_the_same(syntax: TransferSyntax, tmp_path: Path) -> None:
    identifiers = _make(syntax, 60, seed=1)
    theirs = _extract(identifiers, syntax, tmp_path, "-Xx")
    for number, identifier in enumerate(identifiers, 1):
        ours, warnings = xml_document(read_item(identifier, syntax), syntax, _NAMES)
        assert ours == theirs.file(f"rsp{number:04d}.xml"), number
        assert warnings == []


def _in(codec: str, text: str) -> list[bytes]:
    return [char.encode(codec) for char in text] + [b"a", b" ", b"^", b"="]


_TEXTS: Final[dict[bytes, Sequence[bytes]]] = {
    b"ISO_IR 6": (b"a", b"^", b"\\"),
    b"ISO_IR 100": _in("latin_1", "äöüß\\~"),
    b"ISO_IR 144": _in("iso8859_5", "Иван\\"),
    b"ISO_IR 13": (*_in("shift_jis", "ﾔﾏﾀﾞｳ"), b"~"),
    b"ISO_IR 166": (*_in("tis_620", "กขค\\"), *[b"a"] * 40, b"\x80"),
    b"ISO_IR 192": _in("utf_8", "äИ小洪\\"),
    b"GB18030": _in("gb18030", "王小东昞€\\"),
    b"GBK": (*_in("gbk", "王小东昞\\"), *[b"a"] * 40, b"\xff"),
    b"": (b"a", b"\xfc", b"\x01"),
    b"FOO": (b"a", b"\xfc", b"\x01"),
    b"\\ISO 2022 IR 149": (b"a", b"^", b"=", b"\\", b"\r\n", b"\x1b$)C\xfb\xf3"),
    # In pairs: 3.6.7 goes on counting two bytes a character behind a delimiter, and takes what is
    # right for wrong where the next escape sequence is at an odd place. We do not follow it there.
    b"\\ISO 2022 IR 58": (b"ab", b"a\\", b"\x1b$)A\xd5\xc5", b"\x1b(B"),
    b"ISO 2022 IR 100\\ISO 2022 IR 144": (b"\xfc", b"\\", b"\x1b-L\xd0", b"\x1b-A\xfc", b"^"),
    b"ISO 2022 IR 13\\ISO 2022 IR 100": (b"\xb1", b"\\", b"~", b"\x1b(J~", b"\x1b)I\xb1"),
    b"\\ISO 2022 IR 100": (*[b"a"] * 30, b"\x1b-A\xfc", b"\x1b-L\xd0", b"\x1bQa", b"\xfc"),
    b"ISO 2022 IR 100": (b"a",),
    b"\\ISO_IR 192": (b"a",),
}


@pytest.mark.parametrize("charset", _TEXTS, ids=lambda one: one.decode() or "none")
def test_character_sets_in_files_of_their_own(charset: bytes, tmp_path: Path) -> None:
    syntax = EXPLICIT_VR_LITTLE_ENDIAN
    identifiers = _make(syntax, 25, charset, _TEXTS[charset], seed=2)
    theirs = _extract(identifiers, syntax, tmp_path, "-Xx")
    log: list[str] = []
    for number, identifier in enumerate(identifiers, 1):
        ours, warnings = xml_document(read_item(identifier, syntax), syntax, _NAMES)
        assert ours == theirs.file(f"rsp{number:04d}.xml"), number
        log += [f"W: {warning}" for warning in warnings]
    assert log == _told(theirs.log)


@pytest.mark.parametrize("charset", _TEXTS, ids=lambda one: one.decode() or "none")
def test_character_sets_in_one_document(charset: bytes, tmp_path: Path) -> None:
    syntax = EXPLICIT_VR_LITTLE_ENDIAN
    identifiers = _make(syntax, 25, charset, _TEXTS[charset], seed=3)
    theirs = _extract(identifiers, syntax, tmp_path, "-Xs", "all.xml")
    document, log = OPENING, []
    for identifier in identifiers:
        warnings: tuple[str, ...]
        errors: list[str] = []
        try:
            element, warnings = data_set_utf8(read_item(identifier, syntax), syntax, _NAMES)
            document += element
        except CannotConvert as exc:
            warnings, errors = exc.warnings, [f"E: Writing XML file: {exc.log_text}"]
        log += [f"W: {warning}" for warning in warnings] + errors
    assert document + CLOSING == theirs.file("all.xml")
    assert log == _told(theirs.log)


def _doubles(chosen: random.Random) -> float:
    kinds: tuple[Callable[[], float], ...] = (
        lambda: chosen.uniform(-1000, 1000),
        lambda: round(chosen.uniform(-1000, 1000), chosen.randint(0, 7)),
        lambda: chosen.uniform(0, 1) * 10.0 ** chosen.randint(-30, 30),
        lambda: float(chosen.randint(0, 10 ** chosen.randint(1, 22))),
        lambda: 10.0 ** chosen.randint(-30, 30),
        lambda: 10.0 ** chosen.randint(-10, 18) * (1 - 10.0 ** -chosen.randint(3, 17)),
        lambda: float(f"{chosen.randint(1, 99)}.{'0' * chosen.randint(0, 12)}7"),
    )
    return chosen.choice(kinds)()


def test_numbers_have_the_same_digits_and_the_same_noise(tmp_path: Path) -> None:
    chosen = random.Random(4)
    syntax = EXPLICIT_VR_LITTLE_ENDIAN
    identifiers = []
    for tag, vr, code in (
        (0x00189087, "FD", "d"),
        (0x00720076, "FL", "f"),
        (0x00660022, "OD", "d"),
        (0x00660016, "OF", "f"),
    ):
        value = struct.pack(f"<4000{code}", *[_doubles(chosen) for _ in range(4000)])
        value += chosen.randbytes(16000)
        width = "<HH2sHI" if vr in _LONG else "<HH2sH"
        rest = (0, len(value)) if vr in _LONG else (len(value),)
        identifiers.append(struct.pack(width, tag >> 16, tag & 0xFFFF, vr.encode(), *rest) + value)
    theirs = _extract(identifiers, syntax, tmp_path, "-Xx")
    for number, identifier in enumerate(identifiers, 1):
        ours, _ = xml_document(read_item(identifier, syntax), syntax, _NAMES)
        found = theirs.file(f"rsp{number:04d}.xml").split(b"\\")
        differ = [pair for pair in zip(ours.split(b"\\"), found, strict=True) if pair[0] != pair[1]]
        assert differ == []
