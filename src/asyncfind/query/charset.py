"""Text to and from the character sets of DICOM (PS3.5 Section 6.1, PS3.3 Section C.12.1.1.2).

A set is invoked in the lower half of the code table (G0) or in the upper one (G1). Specific
Character Set (0008,0005) says what is there at the start; with code extensions (ISO 2022) escape
sequences change it, and every delimiter undoes them. Decoding never fails, encoding may.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from io import StringIO
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.query.element import TEXT_VRS, Item
from asyncfind.safe import safe

__all__ = ["assume", "charsets_of", "decode_text", "encode_text"]

_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_ESC: Final = 0x1B
_MAX_NAMES: Final = 256
_OTHERWISE: Final = "\0"
"""Divides what an item declares from what is assumed of it; no defined term has a NUL."""
_MAX_MISFITS: Final = 64
_HINT: Final = "Use -k SpecificCharacterSet=ISO_IR 192 to send UTF-8, if the peer takes it."


@dataclass(frozen=True, slots=True)
class _Set:
    """One coded character set of ISO 2022.

    Args:
        escape: what designates it.
        upper: it is invoked in G1, else in G0.
        double: a character takes two bytes.
        decode: bytes as they stand in a value to text; raises UnicodeDecodeError. A set in G1 takes
            ASCII with them.
        encode: one character to its bytes; raises UnicodeEncodeError.
    """

    escape: bytes
    upper: bool
    double: bool
    decode: Callable[[bytes], str]
    encode: Callable[[str], bytes]


_HIGH: Final = bytes(byte | 0x80 for byte in range(256))
_LOW: Final = bytes(byte & 0x7F for byte in range(256))
_C1: Final = re.compile(rb"[\x80-\x9f]")
_NOT_KANA: Final = re.compile(rb"[\x80-\xa0\xe0-\xff]")


def _refuse(codec: str, data: bytes) -> UnicodeDecodeError:
    return UnicodeDecodeError(codec, data, 0, len(data), "not in this character set")


def _out_of(codec: str, char: str) -> UnicodeEncodeError:
    return UnicodeEncodeError(codec, char, 0, 1, "not in this character set")


def _decode_ascii(data: bytes) -> str:
    return data.decode("ascii")


def _encode_ascii(char: str) -> bytes:
    return char.encode("ascii")


def _single_byte(escape: bytes, codec: str) -> _Set:
    """The upper half of a part of ISO 8859, or of TIS 620."""

    def decode(data: bytes) -> str:
        # The codecs take C1 control characters, DICOM has none (PS3.5 Section 6.1.3).
        if _C1.search(data):
            raise _refuse(codec, data)
        return data.decode(codec)

    def encode(char: str) -> bytes:
        data = char.encode(codec)
        if data[0] < 0xA0:
            raise _out_of(codec, char)
        return data

    return _Set(escape, True, False, decode, encode)


def _double_byte(escape: bytes, codec: str) -> _Set:
    """A set of 94 x 94 characters in G1, as its EUC form has it."""

    def decode(data: bytes) -> str:
        return data.decode(codec)

    def encode(char: str) -> bytes:
        data = char.encode(codec)
        if len(data) != 2:
            raise _out_of(codec, char)
        return data

    return _Set(escape, True, True, decode, encode)


def _decode_kana(data: bytes) -> str:
    if _NOT_KANA.search(data):
        raise _refuse("jis_x_0201", data)
    return data.decode("shift_jis")


def _encode_kana(char: str) -> bytes:
    data = char.encode("shift_jis")
    if len(data) != 1 or data[0] < 0x80:
        raise _out_of("jis_x_0201", char)
    return data


def _decode_jis_x_0208(data: bytes) -> str:
    return data.translate(_HIGH).decode("euc_jp")


def _encode_jis_x_0208(char: str) -> bytes:
    data = char.encode("euc_jp")
    if len(data) != 2 or data[0] == 0x8E:
        raise _out_of("jis_x_0208", char)
    return data.translate(_LOW)


def _decode_jis_x_0212(data: bytes) -> str:
    high = data.translate(_HIGH)
    return b"".join(b"\x8f" + high[i : i + 2] for i in range(0, len(high), 2)).decode("euc_jp")


def _encode_jis_x_0212(char: str) -> bytes:
    data = char.encode("euc_jp")
    if len(data) != 3:
        raise _out_of("jis_x_0212", char)
    return data[1:].translate(_LOW)


_ASCII: Final = _Set(b"\x1b(B", False, False, _decode_ascii, _encode_ascii)
# ISO-IR 14 has a yen sign and an overline at 5CH and 7EH. DICOM's delimiter is 5CH whatever the
# set (PS3.5 Section 6.1.2.3), so both are shown as in ASCII.
_ROMAJI: Final = _Set(b"\x1b(J", False, False, _decode_ascii, _encode_ascii)

_SETS: Final[Mapping[str, tuple[_Set, ...]]] = {
    "6": (_ASCII,),
    "13": (_ROMAJI, _Set(b"\x1b)I", True, False, _decode_kana, _encode_kana)),
    "87": (_Set(b"\x1b$B", False, True, _decode_jis_x_0208, _encode_jis_x_0208),),
    "159": (_Set(b"\x1b$(D", False, True, _decode_jis_x_0212, _encode_jis_x_0212),),
    "149": (_double_byte(b"\x1b$)C", "euc_kr"),),
    "58": (_double_byte(b"\x1b$)A", "gb2312"),),
    "100": (_single_byte(b"\x1b-A", "latin_1"),),
    "101": (_single_byte(b"\x1b-B", "iso8859_2"),),
    "109": (_single_byte(b"\x1b-C", "iso8859_3"),),
    "110": (_single_byte(b"\x1b-D", "iso8859_4"),),
    "126": (_single_byte(b"\x1b-F", "iso8859_7"),),
    "127": (_single_byte(b"\x1b-G", "iso8859_6"),),
    "138": (_single_byte(b"\x1b-H", "iso8859_8"),),
    "144": (_single_byte(b"\x1b-L", "iso8859_5"),),
    "148": (_single_byte(b"\x1b-M", "iso8859_9"),),
    "166": (_single_byte(b"\x1b-T", "tis_620"),),
    "203": (_single_byte(b"\x1b-b", "iso8859_15"),),
}
"""By ISO-IR number: the sets that a defined term stands for (PS3.3 Tables C.12-2 to C.12-4)."""

_STAND_ALONE: Final[Mapping[str, str]] = {
    "192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
"""Character sets without code extensions (PS3.3 Table C.12-5), and their codecs."""

_BY_ESCAPE: Final = {one.escape: one for sets in _SETS.values() for one in sets}
_ESCAPES: Final = re.compile(b"|".join(re.escape(escape) for escape in _BY_ESCAPE))
_TERM: Final = re.compile(r"ISO[ _-]?(?:2022[ _-]?)?(?:IR[ _-]?)?([0-9]{1,3}|GBK)")
_RUNS: Final = re.compile(rb"[\x80-\xff]+|[\x00-\x20\x7f]+|[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the values of Specific Character Set mean together.

    Args:
        codec: of a set without code extensions, and then nothing else counts.
        lower, upper: the sets in G0 and G1 at the start of a value and after each delimiter.
        sets: every set that may be designated, those of value 1 first.
        unknown: the first value that is no defined term.
        others: what to try, in turn, where the bytes do not fit.
    """

    codec: str | None
    lower: _Set
    upper: _Set | None
    sets: tuple[_Set, ...]
    unknown: str | None
    others: "tuple[_Plan, ...]" = ()


def charsets_of(item: Item) -> tuple[str, ...]:
    """Return the values of Specific Character Set (0008,0005); empty where there is none.

    What is assumed of the item comes behind them, for `decode_text`.
    """
    element = item.elements.get(_SPECIFIC_CHARACTER_SET)
    names: tuple[str, ...] = ()
    if element is not None and isinstance(element.value, bytes):
        names = _names(element.value[:_MAX_NAMES])
    return (*names, _OTHERWISE, *item.assumed) if item.assumed else names


def assume(item: Item, charsets: tuple[str, ...]) -> Item:
    """Say by what to read the text of an answer that does not fit what the answer declares.

    The bytes stay as they are.

    Args:
        item: is changed, with the items in it.
        charsets: values of Specific Character Set, tried together and then each alone; none
            changes nothing.

    Returns:
        `item`.
    """
    work = [item] if charsets else []
    while work:
        one = work.pop()
        one.assumed = charsets
        for element in one.elements.values():
            if isinstance(element.value, list):
                work += element.value
    return item


@lru_cache(maxsize=256)
def _names(value: bytes) -> tuple[str, ...]:
    names = tuple(part.strip(" \0") for part in value.decode("latin_1").split("\\"))
    return names if any(names) else ()


@lru_cache(maxsize=256)
def _plan(charsets: tuple[str, ...]) -> _Plan:
    if _OTHERWISE in charsets:
        place = charsets.index(_OTHERWISE)
        assumed = charsets[place + 1 :]
        whole_then_each = dict.fromkeys((assumed, *((name,) for name in assumed)))
        return replace(_plan(charsets[:place]), others=tuple(map(_plan, whole_then_each)))
    sets: list[_Set] = []
    unknown = None
    lower, upper = _ASCII, None
    for place, name in enumerate(charsets or ("",)):
        found = _TERM.fullmatch(name.upper())
        term = (found[1] if found else name.upper()) or "6"
        if place == 0 and term in _STAND_ALONE:
            return _Plan(_STAND_ALONE[term], _ASCII, None, (), None)
        if term in _SETS:
            sets += _SETS[term]
        elif term not in _STAND_ALONE and unknown is None:
            unknown = name
        if place == 0:
            for one in sets:
                if one.upper:
                    upper = one
                elif not one.double:
                    lower = one
            if lower not in sets:
                sets.insert(0, lower)
    return _Plan(None, lower, upper, tuple(sets), unknown)


def decode_text(value: bytes, charsets: tuple[str, ...], vr: str = "LO") -> tuple[str, bool]:
    r"""Decode a whole value, delimiters and padding included; never fails, yields no surrogates.

    What does not fit the declared sets is read as UTF-8 if it is UTF-8, else by a set that is
    assumed of the item, else by another declared set, else as Latin-1. Values with more than one
    part must be split afterwards: the byte of the backslash may be half a character.

    Args:
        charsets: values of Specific Character Set that govern the element.
        vr: tells the delimiters and whether `charsets` apply at all (PS3.5 Section 6.1.2.3).

    Returns:
        The text, and False where some bytes are in no set they may be in.
    """
    if value.isascii() and _ESC not in value:
        return value.decode("ascii"), True
    plan = _plan(charsets)
    text, good = _decode_by(value, plan, vr)
    if not good:
        repaired, sure = _repair(value, plan, vr)
        if sure or plan.codec is not None or _ESC not in value:
            text, good = repaired, sure
    return text, good and vr in TEXT_VRS


def _decode_by(value: bytes, plan: _Plan, vr: str) -> tuple[str, bool]:
    """Decode by one plan alone."""
    if plan.codec is not None:
        try:
            return value.decode(plan.codec), True
        except UnicodeDecodeError:
            return "", False
    if _ESC in value:
        return _decode_extended(value, plan, vr)
    return _decode_run(value, plan.lower, plan.upper)


def _repair(value: bytes, plan: _Plan, vr: str) -> tuple[str, bool]:
    """Decode what does not fit the declared sets."""
    if not value.isascii():
        try:
            return value.decode("utf_8"), True
        except UnicodeDecodeError as exc:
            # cut in the middle of a character, by a peer that counts bytes
            if plan.codec == "utf_8" and exc.reason == "unexpected end of data":
                return value.decode("utf_8", "replace"), False
    for other in plan.others:
        text, good = _decode_by(value, other, vr)
        if good:
            return text, True
    for one in plan.sets:
        text, good = _decode_run(value, plan.lower, one if one.upper else None)
        if good:
            return text, False
    return value.decode("latin_1"), False


_CONTROLS: Final = re.compile(rb"[\x00-\x1f]")
_VALUE_DELIMITERS: Final = re.compile(rb"[\x00-\x1f\\]")
_NAME_DELIMITERS: Final = re.compile(rb"[\x00-\x1f\\^=]")


def _delimiters(vr: str, lower: _Set) -> "re.Pattern[bytes]":
    """What undoes escape sequences (PS3.5 Section 6.1.2.5.3), where `lower` is in G0."""
    if lower.double or vr in ("LT", "ST", "UT"):
        return _CONTROLS
    return _NAME_DELIMITERS if vr == "PN" else _VALUE_DELIMITERS


def _decode_extended(value: bytes, plan: _Plan, vr: str) -> tuple[str, bool]:
    """Decode a value with escape sequences; those that are none stay in the text.

    After 64 misfits the rest is read as Latin-1: it is no text that more work would make readable.
    """
    lower, upper = plan.lower, plan.upper
    out = StringIO()
    misfits = 0
    pos, end = 0, len(value)
    while pos < end:
        if misfits > _MAX_MISFITS:
            out.write(value[pos:].decode("latin_1"))
            break
        if value[pos] == _ESC:
            escape = _ESCAPES.match(value, pos)
            if escape is None:
                out.write("\x1b")
                misfits += 1
                pos += 1
                continue
            one = _BY_ESCAPE[escape[0]]
            if one.upper:
                upper = one
            else:
                lower = one
            pos = escape.end()
            continue
        stop = value.find(b"\x1b", pos)
        stop = end if stop < 0 else stop
        # Where nothing is to be undone, delimiters are text like any other.
        if lower is not plan.lower or upper is not plan.upper:
            delimiter = _delimiters(vr, lower).search(value, pos, stop)
            if delimiter is not None:
                stop = delimiter.start()
        else:
            delimiter = None
        text, fits = _decode_run(value[pos:stop], lower, upper)
        out.write(text)
        misfits += not fits
        if delimiter is not None:
            lower, upper = plan.lower, plan.upper
        pos = stop
    return out.getvalue(), not misfits


def _decode_run(data: bytes, lower: _Set, upper: _Set | None) -> tuple[str, bool]:
    """Decode bytes without escape sequences; from what fits no set on they are read as Latin-1."""
    if not lower.double:
        try:
            return (upper or lower).decode(data), True
        except UnicodeDecodeError:
            return data.decode("latin_1"), False
    out = StringIO()  # parts are as short as a character, a list of them takes 20 times the space
    for match in _RUNS.finditer(data):
        run = match[0]
        one = upper or _ASCII if run[0] >= 0x80 else lower if 0x20 < run[0] < 0x7F else _ASCII
        try:
            out.write(one.decode(run))
        except UnicodeDecodeError:
            out.write(data[match.start() :].decode("latin_1"))
            return out.getvalue(), False
    return out.getvalue(), True


def encode_text(text: str, charsets: tuple[str, ...], vr: str) -> bytes:
    """Encode a whole value, delimiters included, without padding.

    With code extensions every part between delimiters ends in the sets it began with
    (PS3.5 Section 6.1.2.5.3).

    Args:
        charsets: values of the query's own Specific Character Set.
        vr: tells the delimiters; any but those of `TEXT_VRS` take ASCII only.

    Raises:
        InvalidRequest: a character is in none of the sets, or a set is unknown.
    """
    if text.isascii():
        return text.encode("ascii")
    if vr not in TEXT_VRS:
        char = next(char for char in text if not char.isascii())
        raise InvalidRequest(
            f"{_show(char)} in a value of VR {vr}, which takes ASCII only",
            "Character sets apply to " + ", ".join(sorted(TEXT_VRS)) + " (PS3.5 Section 6.1.2.3).",
        )
    plan = _plan(charsets)
    if plan.unknown is not None:
        raise InvalidRequest(f"unknown character set {safe(plan.unknown, 64)}", _HINT)
    if plan.codec is not None:
        try:
            return text.encode(plan.codec)
        except UnicodeEncodeError as exc:
            raise _cannot_encode(text[exc.start], charsets) from None
    return b"".join(_encode_part(part, plan, charsets) for part in _split_parts(text, vr))


def _split_parts(text: str, vr: str) -> Iterator[str]:
    """Cut text into parts without delimiters and single delimiters."""
    pattern = _delimiters(vr, _ASCII).pattern.decode("ascii")
    return (part for part in re.split(f"({pattern})", text) if part)


def _encode_part(part: str, plan: _Plan, charsets: tuple[str, ...]) -> bytes:
    lower, upper = plan.lower, plan.upper
    out = bytearray()
    for char in part:
        for one in (lower, upper, *plan.sets):
            if one is None:
                continue
            try:
                encoded = one.encode(char)
            except UnicodeEncodeError:
                continue
            break
        else:
            raise _cannot_encode(char, charsets)
        if one.upper and one is not upper:
            out += one.escape
            upper = one
        elif not one.upper and one is not lower:
            out += one.escape
            lower = one
        out += encoded
    if lower is not plan.lower:
        out += plan.lower.escape
    if plan.upper is not None and upper is not plan.upper:
        out += plan.upper.escape
    return bytes(out)


def _cannot_encode(char: str, charsets: tuple[str, ...]) -> InvalidRequest:
    if "\udc80" <= char <= "\udcff":  # how Python hands bytes of a command line on
        return InvalidRequest(
            f"the byte {ord(char) & 0xFF:02X} is no UTF-8", "Type keys in UTF-8, whatever is sent."
        )
    names = "\\".join(charsets)
    where = f"the query's character set {safe(names, 64)}" if names else "ASCII"
    return InvalidRequest(f"{_show(char)} is not in {where}", _HINT)


def _show(char: str) -> str:
    return f"'{safe(char)}' (U+{ord(char):04X})"
