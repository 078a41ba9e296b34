r"""Data sets to UTF-8, as findscu 3.6.7 converts them for -Xs: what does not fit ends in an error.

`query/charset.py` never fails, because a reader wants to see something; here a byte that its
character set does not have means that the whole data set is left out. With code extensions
(PS3.5 Section 6.1.2.5) one set converts all that stands between two escape sequences.

Two things that 3.6.7 leaves out are converted here: ISO 2022 IR 87 and 159, which it does not know
where it goes by the C library, and Chinese text (IR 58) of which it miscounts the bytes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from asyncfind.errors import MalformedIdentifier
from asyncfind.query.charset import charsets_of, decode_text
from asyncfind.query.element import TEXT_VRS, Element, Item
from asyncfind.safe import safe

__all__ = ["STRING_VRS", "CannotConvert", "Converted", "readable_utf8", "to_utf8"]

STRING_VRS: Final = TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
"""VRs whose values are characters."""

_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_UTF_8: Final = "ISO_IR 192"
_ILLEGAL: Final = "Invalid or incomplete multibyte or wide character"
_INCOMPLETE: Final = "Invalid argument"
_NOT_UPDATED: Final = (
    "DcmItem: An error occurred during the conversion to UTF-8 encoding, the value of "
    "SpecificCharacterSet (0008,0005) is not updated"
)
_IN_FIRST_GROUP: Final = (
    "DcmSpecificCharacterSet: Escape sequences shall not be used in the first component group of "
    "a Person Name (PN), using them anyway"
)
_DEFAULT_CODEC: Final = "ascii"

_SINGLE: Final[Mapping[str, str]] = {
    "ISO_IR 6": "ascii", "ISO_IR 100": "latin_1", "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3", "ISO_IR 110": "iso8859_4", "ISO_IR 144": "iso8859_5",
    "ISO_IR 127": "iso8859_6", "ISO_IR 126": "iso8859_7", "ISO_IR 138": "iso8859_8",
    "ISO_IR 148": "iso8859_9", "ISO_IR 13": "shift_jis", "ISO_IR 166": "tis_620",
    "GB18030": "gb18030", "GBK": "gbk",
}  # fmt: skip
"""Terms that stand alone (PS3.3 Tables C.12-2 and C.12-5), without ISO_IR 192, and their codecs."""

_EXTENDED: Final[Mapping[str, str]] = {
    **{name.replace("ISO_IR", "ISO 2022 IR"): codec
       for name, codec in _SINGLE.items() if name.startswith("ISO")},
    "ISO 2022 IR 87": "jis_x_0208", "ISO 2022 IR 159": "jis_x_0212",
    "ISO 2022 IR 149": "euc_kr", "ISO 2022 IR 58": "gb2312",
}  # fmt: skip
"""Terms with code extensions (PS3.3 Tables C.12-3 and C.12-4), and their codecs."""

_ESCAPES: Final[Mapping[bytes, str]] = {
    b"(B": "ISO 2022 IR 6", b"-A": "ISO 2022 IR 100", b"-B": "ISO 2022 IR 101",
    b"-C": "ISO 2022 IR 109", b"-D": "ISO 2022 IR 110", b"-L": "ISO 2022 IR 144",
    b"-G": "ISO 2022 IR 127", b"-F": "ISO 2022 IR 126", b"-H": "ISO 2022 IR 138",
    b"-M": "ISO 2022 IR 148", b"-T": "ISO 2022 IR 166", b"(J": "ISO 2022 IR 13",
    b")I": "ISO 2022 IR 13", b"$B": "ISO 2022 IR 87", b"$(D": "ISO 2022 IR 159",
    b"$)C": "ISO 2022 IR 149", b"$)A": "ISO 2022 IR 58",
}  # fmt: skip
"""What follows ESC (PS3.3 Table C.12-3), and the term whose set it designates."""

_DOUBLE: Final = frozenset(("jis_x_0208", "jis_x_0212"))
"""Sets in which the byte of a delimiter may be half a character."""

_HIGH: Final = bytes(byte | 0x80 for byte in range(256))
_C1: Final = re.compile(rb"[\x80-\xa0]")
_JIS_X_0201: Final = str.maketrans({"\\": "\u00a5", "~": "\u203e"})
"""Where ISO-IR 14 is not ASCII; DCMTK reads ISO-IR 13 by Shift JIS, of which it is a part."""
_NO_LEADS: Final[Mapping[str, bytes]] = {
    "euc_kr": bytes(range(0x80, 0x100)),
    "gb18030": b"\x80\xff",
    "gb2312": bytes(range(0x80, 0x100)),
    "gbk": b"\x80\xff",
    "shift_jis": b"\x80\xa0" + bytes(range(0xEB, 0x100)),
}
"""Bytes that are wrong, not incomplete, at the end of a text, whatever Python's codec says."""
_VALUE_DELIMITERS: Final = re.compile(rb"[\t\n\f\r\\]")
_NAME_DELIMITERS: Final = re.compile(rb"[\t\n\f\r\\^=]")
_TEXT_DELIMITERS: Final = re.compile(rb"[\t\n\f\r]")


class CannotConvert(MalformedIdentifier):
    """The text of a data set is not in the character sets that it declares.

    Args:
        log_text: the reason in DCMTK's words; it may hold what the peer sent, as Latin-1.
        warnings: what DCMTK's log says before it.
    """

    def __init__(self, log_text: str, warnings: tuple[str, ...] = ()) -> None:
        super().__init__(safe(log_text, 200), "Extract to DICOM files, which keep the bytes.")
        self.log_text = log_text
        self.warnings = warnings


@dataclass(frozen=True, slots=True)
class Converted:
    """A data set in UTF-8.

    Args:
        item: where nothing had to be converted the very one that was given.
        warnings: what DCMTK's log says of it.
    """

    item: Item
    warnings: tuple[str, ...] = ()


def to_utf8(item: Item) -> Converted:
    """Convert the text of a data set to UTF-8 and name that in its Specific Character Set.

    Only values of `TEXT_VRS` are converted, in all items by the character sets of the data set;
    without Specific Character Set, or with UTF-8 in it, the data set stays as it is. Lengths of
    what was converted are even; those of sequences and items stay as received.

    Raises:
        CannotConvert: a character set is unknown, or does not have what is there.
    """
    names = _declared(item)
    if not any(names) and len(names) <= 1:
        return Converted(item)
    if names == (_UTF_8,):
        return Converted(item)
    warnings: list[str] = []
    plan = _select(names, warnings)

    def convert(element: Element) -> Element:
        value = element.value
        if element.vr not in TEXT_VRS or not isinstance(value, bytes) or not value:
            return element
        return _with_value(element, plan.convert(value, element.vr, warnings))

    try:
        converted = _mapped(item, convert)
    except _Misfit as exc:
        warnings.append(_NOT_UPDATED)
        raise CannotConvert(exc.text, tuple(warnings)) from None
    old = item.elements[_SPECIFIC_CHARACTER_SET]
    converted.elements[_SPECIFIC_CHARACTER_SET] = _with_value(old, _UTF_8.encode("ascii"))
    return Converted(converted, tuple(warnings))


def readable_utf8(item: Item) -> Item:
    """Convert all characters of a data set to UTF-8, whatever they are; never fails.

    What is in none of the declared sets is guessed, as everywhere where text is shown. Specific
    Character Set says UTF-8 afterwards if there is any; items may have one of their own.
    """
    copy = Item(length=item.length)
    work = [(item, copy, charsets_of(item))]
    while work:
        old, new, charsets = work.pop()
        for tag, element in old.elements.items():
            value = element.value
            if isinstance(value, list):
                items = [Item(length=inner.length) for inner in value]
                for inner, empty in zip(value, items, strict=True):
                    work.append((inner, empty, charsets_of(inner) or charsets))
                new.elements[tag] = element._replace(value=items)
            elif tag == _SPECIFIC_CHARACTER_SET and value:
                new.elements[tag] = _with_value(element, _UTF_8.encode("ascii"))
            elif element.vr in STRING_VRS and (not value.isascii() or b"\x1b" in value):
                text = decode_text(value, charsets, element.vr)[0]
                new.elements[tag] = _with_value(element, text.encode("utf-8"))
            else:
                new.elements[tag] = element
    return copy


def _with_value(element: Element, value: bytes) -> Element:
    # As in DCMTK the length is even, but the value is not padded yet.
    return element._replace(value=value, length=len(value) + len(value) % 2)


def _mapped(item: Item, convert: Callable[[Element], Element]) -> Item:
    """A copy of `item` with every element converted, in the order of the data set."""
    copy = Item(length=item.length)
    stack = [_visit(item, copy)]
    while stack:
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
        elif isinstance(step, tuple):
            target, element = step
            target.elements[element.tag] = convert(element)
        else:
            stack.append(step)
    return copy


_Step: TypeAlias = "tuple[Item, Element] | Iterator[_Step]"


def _visit(old: Item, new: Item) -> "Iterator[_Step]":
    """The leaves of `old`, each with the item it belongs to; for an inner item its own visit."""
    for tag in sorted(old.elements):
        element = old.elements[tag]
        if not isinstance(element.value, list):
            yield new, element
            continue
        items = [Item(length=inner.length) for inner in element.value]
        new.elements[tag] = element._replace(value=items)
        for inner, empty in zip(element.value, items, strict=True):
            yield _visit(inner, empty)


class _Misfit(Exception):
    """Bytes that their character set does not have; `text` is DCMTK's word for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def _declared(item: Item) -> tuple[str, ...]:
    """The values of Specific Character Set, without blanks around them."""
    element = item.elements.get(_SPECIFIC_CHARACTER_SET)
    if element is None or not isinstance(element.value, bytes):
        return ()
    text = element.value.split(b"\0", 1)[0].decode("latin_1")
    return tuple(name.strip(" ") for name in text.split("\\"))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a set of values of Specific Character Set means.

    Args:
        codec: at the start of a value, and after each delimiter.
        extended: the sets that escape sequences may designate, by term; None without extensions.
    """

    codec: str
    extended: Mapping[str, str] | None

    def convert(self, value: bytes, vr: str, warnings: list[str]) -> bytes:
        """Convert a whole value, delimiters and padding included."""
        if self.extended is None or b"\x1b" not in value:
            return _decode(value, self.codec).encode("utf-8")
        return _decode_extended(value, vr, self.codec, self.extended, warnings).encode("utf-8")


def _select(names: tuple[str, ...], warnings: list[str]) -> _Plan:
    if len(names) == 1:
        if names[0] == "ISO_IR 6":
            warnings.append(
                "DcmSpecificCharacterSet: 'ISO_IR 6' is not a defined term in DICOM, will be "
                "treated as an empty value (ASCII)"
            )
        codec = _SINGLE.get(names[0])
        if codec is None:
            raise _unsupported(f"value '{names[0]}'", warnings)
        return _Plan(codec, None)
    extended: dict[str, str] = {}
    for place, name in enumerate(names, 1):
        term = name or ("ISO 2022 IR 6" if place == 1 else "")
        codec = _EXTENDED.get(term)
        if codec is None:
            raise _unsupported(f"value {place} of {len(names)} '{name}'", warnings)
        if term in extended:
            warnings.append(
                f"DcmSpecificCharacterSet: '{term}' is defined more than once in "
                "SpecificCharacterSet (0008,0005), ignoring the duplicate definition"
            )
        extended.setdefault(term, codec)
    first = next(iter(extended.values()))
    extended.setdefault("ISO 2022 IR 6", _DEFAULT_CODEC)
    return _Plan(first, extended)


def _unsupported(what: str, warnings: list[str]) -> CannotConvert:
    return CannotConvert(
        f"Cannot select source character set: SpecificCharacterSet (0008,0005) {what} "
        "not supported",
        tuple(warnings),
    )


def _delimiters(vr: str) -> "re.Pattern[bytes]":
    """What ends the reign of an escape sequence (PS3.5 Section 6.1.2.5.3)."""
    if vr == "PN":
        return _NAME_DELIMITERS
    return _TEXT_DELIMITERS if vr in ("LT", "ST", "UT") else _VALUE_DELIMITERS


def _decode_extended(
    value: bytes, vr: str, initial: str, extended: Mapping[str, str], warnings: list[str]
) -> str:
    delimiters = _delimiters(vr)
    first_group = value.find(b"=") if vr == "PN" else 0
    if first_group < 0:
        first_group = len(value)
    out: list[str] = []
    codec, start = initial, 0
    while (escape := value.find(b"\x1b", start)) >= 0:
        rest, codec = _decode_until(value[start:escape], codec, initial, delimiters, out)
        start = escape + 1
        if escape < first_group:
            warnings.append(_IN_FIRST_GROUP)
        if start + 2 > len(value):
            out.append(_decode(rest, codec))
            continue  # no escape sequence has room here: DCMTK drops ESC alone
        size = 3 if value[start : start + 2] in (b"$(", b"$)") else 2
        # The order of DCMTK's errors: an escape sequence that is none, then what it ends.
        term = _designated(value[start : start + size].ljust(size, b"\0"))
        out.append(_decode(rest, codec))
        if term not in extended:
            raise _Misfit(
                "Cannot convert character set: Escape sequence refers to character set "
                f"'{term}' that was not declared in SpecificCharacterSet (0008,0005)"
            )
        codec = extended[term]
        start += size
    rest, codec = _decode_until(value[start:], codec, initial, delimiters, out)
    out.append(_decode(rest, codec))
    return "".join(out)


def _designated(escape: bytes) -> str:
    """The term of the set that an escape sequence stands for, ESC itself left out."""
    term = _ESCAPES.get(escape)
    if term is not None:
        return term
    # DCMTK counts columns from signed bytes: FBH is -1/11.
    columns = [(byte - 256 if byte & 0x80 else byte) >> 4 for byte in escape]
    shown = " ".join(
        [f"{column:02d}/{byte & 15:02d}" for column, byte in zip(columns, escape, strict=True)]
    )
    raise _Misfit(f"Cannot convert character set: Illegal escape sequence 'ESC {shown}' found")


def _decode_until(
    data: bytes, codec: str, initial: str, delimiters: "re.Pattern[bytes]", out: list[str]
) -> tuple[bytes, str]:
    """Decode, into `out`, all up to the last delimiter: from the first on by the initial set.

    Returns:
        What follows that delimiter, and its codec.
    """
    start = 0
    if codec not in _DOUBLE:
        for found in delimiters.finditer(data):
            out += (_decode(data[start : found.start()], codec), found[0].decode("ascii"))
            start, codec = found.end(), initial
    return data[start:], codec


def _decode(data: bytes, codec: str) -> str:
    try:
        if codec == "shift_jis":
            return data.decode(codec).translate(_JIS_X_0201)
        if codec == "tis_620" and _C1.search(data):
            raise _Misfit(f"Cannot convert character encoding: {_ILLEGAL}")
        if codec == "jis_x_0208":
            return _words(data).decode("euc_jp")
        if codec == "jis_x_0212":
            high = _words(data)
            pairs = [b"\x8f" + high[at : at + 2] for at in range(0, len(high), 2)]
            return b"".join(pairs).decode("euc_jp")
        return data.decode(codec)
    except UnicodeDecodeError as exc:
        is_lead = data[exc.start] not in _NO_LEADS.get(codec, b"")
        cut = is_lead and "incomplete" in exc.reason
        reason = _INCOMPLETE if cut else _ILLEGAL
        raise _Misfit(f"Cannot convert character encoding: {reason}") from None


def _words(data: bytes) -> bytes:
    """Two-byte characters of G0, moved to where their EUC form has them."""
    return data.translate(_HIGH)
