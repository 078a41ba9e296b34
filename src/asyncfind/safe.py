"""The one way for a peer's text to a screen, a log, an error or a title.

A peer's text is untrusted: escape sequences move cursors and rename windows, bidirectional
controls reorder what is read, and line breaks forge log lines.
"""

import unicodedata
from typing import Final

__all__ = ["safe"]

_UNSAFE: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_MAX_COMBINING: Final = 8


def safe(text: str, limit: int | None = None) -> str:
    """Return `text` with every character that could act made visible instead.

    Control, format, surrogate, private and unassigned characters and line or paragraph
    separators become backslash escapes; more than 8 combining marks in a row are cut. The
    function is total, linear and idempotent.

    Args:
        text: anything that a peer sent, decoded.
        limit: cut to this many characters, with an ellipsis as the last; no limit when None.
    """
    if not text.isprintable():
        text = _escape(text)
    elif not text.isascii():
        text = _thin(text)
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return text


def _escape(text: str) -> str:
    out: list[str] = []
    for char in text:
        if char.isprintable() or unicodedata.category(char) not in _UNSAFE:
            out.append(char)
        else:
            code = ord(char)
            if code <= 0xFF:
                out.append(f"\\x{code:02x}")
            elif code <= 0xFFFF:
                out.append(f"\\u{code:04x}")
            else:
                out.append(f"\\U{code:08x}")
    return _thin("".join(out))


def _thin(text: str) -> str:
    run = 0
    out: list[str] = []
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run <= _MAX_COMBINING:
            out.append(char)
    return "".join(out)
