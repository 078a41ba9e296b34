"""What DCMTK's log says at debug level while it converts text to UTF-8 (-Xs)."""

from collections.abc import Mapping
from typing import Final

from asyncfind.findscu.voice import Voice
from asyncfind.findscu.walk import leaves
from asyncfind.query.dcmtk_utf8 import CannotConvert, to_utf8
from asyncfind.query.element import TEXT_VRS, Item

__all__ = ["convert_aloud", "declared_charset"]

_CHARSET: Final = 0x00080005
_ASCII: Final = "ISO 2022 IR 6"
_MAX_SHOWN: Final = 60
_ENCODINGS: Final[Mapping[str, str]] = {
    "ISO_IR 6": "ASCII", "ISO_IR 100": "ISO-8859-1", "ISO_IR 101": "ISO-8859-2",
    "ISO_IR 109": "ISO-8859-3", "ISO_IR 110": "ISO-8859-4", "ISO_IR 144": "ISO-8859-5",
    "ISO_IR 127": "ISO-8859-6", "ISO_IR 126": "ISO-8859-7", "ISO_IR 138": "ISO-8859-8",
    "ISO_IR 148": "ISO-8859-9", "ISO_IR 13": "Shift_JIS", "ISO_IR 166": "ISO-IR-166",
    "ISO_IR 192": "UTF-8", "GB18030": "GB18030", "GBK": "GBK", "ISO_IR 87": "ISO-IR-87",
    "ISO_IR 159": "ISO-IR-159", "ISO_IR 149": "EUC-KR", "ISO_IR 58": "GB2312",
}  # fmt: skip
"""What DCMTK calls the encoding of each set; with code extensions the terms begin otherwise."""
_ALONE: Final = frozenset(("ISO 2022 IR 6", "ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 159",
                           "ISO 2022 IR 149", "ISO 2022 IR 58"))  # fmt: skip
"""Sets that can do without ASCII beside them."""
_DELIMITERS: Final[Mapping[str, str]] = {"LO": "\\", "SH": "\\", "UC": "\\", "PN": "\\^="}


def declared_charset(item: Item) -> str | None:
    """The value of Specific Character Set, each part without blanks around it; None without it."""
    element = item.elements.get(_CHARSET)
    if element is None or not isinstance(element.value, bytes):
        return None
    text = element.value.split(b"\0", 1)[0].decode("latin_1")
    return "\\".join(part.strip(" ") for part in text.split("\\"))


def convert_aloud(item: Item, charset: str, data: Voice, *, strip: bool) -> None:
    """Say at debug level, and at level warning in between, how a data set is converted to UTF-8.

    The data set stays as it is.

    Args:
        charset: as `declared_charset` has it; neither empty nor UTF-8.
        strip: `+dc`: trailing blanks do not count.
    """
    data.debug(
        "DcmItem::convertCharacterSet() creating a new character set converter for "
        f"'{charset}' to 'ISO_IR 192'"
    )
    declaration = item.elements[_CHARSET]
    names = charset.split("\\")
    told = _select(Item({_CHARSET: declaration}), names, data)
    if told is None:
        return
    for element in leaves(item):
        value = element.value
        assert isinstance(value, bytes)
        if strip:
            value = value.rstrip(b" ")
        if element.vr not in TEXT_VRS or not value:
            continue
        extensions = ""
        if len(names) > 1 and b"\x1b" in value:
            delimiters = _DELIMITERS.get(element.vr)
            and_delimiters = f" and delimiters '{delimiters}'" if delimiters else ""
            extensions = f" (with code extensions{and_delimiters})"
        data.debug(f"DcmSpecificCharacterSet: Converting '{_octal(value)}'{extensions}")
        try:
            done = to_utf8(
                Item({_CHARSET: declaration, element.tag: element._replace(value=value)})
            )
        except CannotConvert as error:
            _warn(error.warnings[told:-1], data)  # the last one is that of the data set
            return
        _warn(done.warnings[told:], data)
    data.debug(
        "DcmItem::convertCharacterSet() updating value of element SpecificCharacterSet "
        "(0008,0005) to 'ISO_IR 192'"
    )


def _select(declared: Item, names: list[str], data: Voice) -> int | None:
    """Say which sets are chosen; how many warnings that made, or None where one is unknown."""
    try:
        warnings: tuple[str, ...] = to_utf8(declared).warnings
        is_good = True
    except CannotConvert as error:
        warnings = error.warnings
        is_good = False
    if len(names) == 1:
        _warn(warnings, data)
        if is_good:
            shown = "" if names[0] == "ISO_IR 6" else names[0]
            data.debug(
                f"DcmSpecificCharacterSet: Selected character set '{shown}' "
                f"({_ENCODINGS[names[0]]}) for the conversion to UTF-8"
            )
    else:
        _add_all(names, warnings, data, is_good)
    return len(warnings) if is_good else None


def _add_all(names: list[str], warnings: tuple[str, ...], data: Voice, is_good: bool) -> None:
    added: list[str] = []
    rest = iter(warnings)
    for place, name in enumerate(names):
        term = name or (_ASCII if place == 0 else "")
        encoding = _ENCODINGS.get(term.replace("ISO 2022 IR", "ISO_IR"))
        if encoding is None or not term.startswith("ISO 2022"):
            return
        if term in added:
            _warn((next(rest),), data)
            continue
        added.append(term)
        data.debug(
            f"DcmSpecificCharacterSet: Added character set '{term}' ({encoding}) for the "
            "conversion to UTF-8"
        )
    if is_good and _ASCII not in added and not _ALONE.issuperset(added):
        data.debug(
            f"DcmSpecificCharacterSet: Added character set '{_ASCII}' (ASCII) for the conversion "
            "to UTF-8 (because it is needed for one or more of the previously added character "
            "sets)"
        )


def _octal(value: bytes) -> str:
    shown = "".join(
        chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in value[: _MAX_SHOWN + 1]
    )
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."


def _warn(warnings: tuple[str, ...], data: Voice) -> None:
    for warning in warnings:
        data.warn(warning)
