"""Values as people type them."""

import re

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.typed import encode_value


@pytest.mark.parametrize(
    ("vr", "text", "value"),
    [
        ("LO", "A=B", b"A=B "),
        ("PN", "", b""),
        ("UI", "1.2.3", b"1.2.3\0"),
        ("DA", "20240101-", b"20240101- "),
        ("CS", "CT\\MR", b"CT\\MR "),
        ("UR", "http://x", b"http://x"),
        ("US", "512", b"\x00\x02"),
        ("US", " 1\\+2 ", b"\x01\x00\x02\x00"),
        ("US", "70000", b"\x70\x11"),  # 4464
        ("US", "-1", b"\xff\xff"),
        ("SS", "-2", b"\xfe\xff"),
        ("UL", "4294967297", b"\x01\x00\x00\x00"),
        ("SL", "-1", b"\xff\xff\xff\xff"),
        ("OL", "1", b"\x01\x00\x00\x00"),
        ("SV", "-1", b"\xff" * 8),
        ("UV", "18446744073709551616", b"\x00" * 8),
        ("OV", "2", b"\x02" + b"\x00" * 7),
        ("FL", "-1.5", b"\x00\x00\xc0\xbf"),
        ("FD", "1.5", b"\x00\x00\x00\x00\x00\x00\xf8\x3f"),
        ("FD", ".5\\1e0", b"\x00\x00\x00\x00\x00\x00\xe0\x3f\x00\x00\x00\x00\x00\x00\xf0\x3f"),
        ("OF", "1", b"\x00\x00\x80\x3f"),
        ("OD", "1", b"\x00\x00\x00\x00\x00\x00\xf0\x3f"),
        ("AT", "(0018,1063)", b"\x18\x00\x63\x10"),
        ("AT", "(18,1063)\\( 10, 10 )", b"\x18\x00\x63\x10\x10\x00\x10\x00"),
        ("OB", "1\\2\\ff", b"\x01\x02\xff\x00"),
        ("UN", "0x41", b"\x41\x00"),
        ("OW", "1\\ffff", b"\x01\x00\xff\xff"),
    ],
)
def test_a_value_is_encoded_by_its_vr(vr: str, text: str, value: bytes) -> None:
    assert encode_value(vr, text, ()) == value


@pytest.mark.parametrize(
    ("vr", "text", "hint"),
    [
        ("US", "abc", "whole decimal"),
        ("US", "1.5", "whole decimal"),
        ("US", "12abc", "whole decimal"),
        ("US", "1\\\\2", "whole decimal"),
        ("US", "1_000", "whole decimal"),
        ("US", "١", "whole decimal"),
        ("SV", "9" * 10_000, "whole decimal"),
        ("FD", "abc", "decimal"),
        ("FD", "nan", "decimal"),
        ("FD", "1e", "decimal"),
        ("FL", "1e300", "smaller"),
        ("AT", "0018,1063", "(gggg,eeee)"),
        ("AT", "(0018,11063)", "(gggg,eeee)"),
        ("OB", "foo", "2 hexadecimal"),
        ("OB", "1\\100", "2 hexadecimal"),
        ("OW", "10000", "4 hexadecimal"),
        ("UN", "1\\", "2 hexadecimal"),
    ],
)
def test_what_is_no_value_is_refused_with_advice(vr: str, text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(hint)):
        encode_value(vr, text, ())


def test_text_goes_into_its_character_set() -> None:
    assert encode_value("PN", "Müller", ("ISO_IR 100",)) == b"M\xfcller"
    assert encode_value("PN", "Müller", ("ISO_IR 192",)) == b"M\xc3\xbcller "
    with pytest.raises(InvalidRequest):
        encode_value("PN", "Müller", ())
    with pytest.raises(InvalidRequest):
        encode_value("CS", "Ä", ("ISO_IR 192",))
