"""Text of answers that name no character set, or one that their bytes do not fit."""

import pytest

from asyncfind.query.charset import assume, charsets_of, decode_text
from asyncfind.query.element import Element, Item

_CYRILLIC = "Люкcембург"
_JAPANESE = "ﾔﾏﾀﾞ"


def _decoded(value: bytes, declared: str, *assumed: str) -> tuple[str, bool]:
    item = Item()
    if declared:
        encoded = declared.encode()
        item.elements[0x00080005] = Element(0x00080005, "CS", encoded, len(encoded))
    charsets = charsets_of(assume(item, assumed))
    return decode_text(value, charsets, "LO")


@pytest.mark.parametrize("declared", ["", "ISO_IR 6", "ISO_IR 192", "ISO_IR 166", "UNHEARD-OF"])
def test_the_assumed_set_reads_what_does_not_fit(declared: str) -> None:
    value = _CYRILLIC.encode("iso8859_5")
    assert _decoded(value, declared, "ISO_IR 144") == (_CYRILLIC, True)
    assert _decoded(value, declared)[0] != _CYRILLIC


def test_what_fits_the_declared_set_is_not_assumed_to_be_anything() -> None:
    assert _decoded("Müller".encode("latin_1"), "ISO_IR 100", "ISO_IR 144") == ("Müller", True)


def test_utf_8_goes_before_the_assumed_set() -> None:
    assert _decoded("Müller".encode(), "", "ISO_IR 100") == ("Müller", True)


def test_sets_are_tried_together_then_each_alone() -> None:
    value = "Ä\x1b$B\x3b\x33\x1b(B".encode("latin_1")
    assert _decoded(value, "", "ISO_IR 100", "ISO 2022 IR 87") == ("Ä山", True)
    kana = _JAPANESE.encode("shift_jis")
    assert _decoded(kana, "", "ISO_IR 192", "ISO_IR 13") == (_JAPANESE, True)


def test_what_fits_nothing_is_latin_1_and_doubtful() -> None:
    assert _decoded(b"\xc4\x80\x81", "", "ISO_IR 144") == ("\xc4\x80\x81", False)


def test_items_inside_have_what_is_assumed_too() -> None:
    inner = Item({0x00080005: Element(0x00080005, "CS", b"ISO_IR 6", 8)})
    item = Item({0x00400100: Element(0x00400100, "SQ", [inner], 0)})
    assume(item, ("ISO_IR 144",))
    value = _CYRILLIC.encode("iso8859_5")
    assert decode_text(value, charsets_of(inner), "LO") == (_CYRILLIC, True)
    assert assume(Item(), ()) == Item()
