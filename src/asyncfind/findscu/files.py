"""Query files as findscu loads them: once the association is open, and with its own excuses."""

import os
from typing import Final

from asyncfind.findscu.conditions import (
    END_OF_STREAM,
    LONG_PIXEL_DATA,
    PREMATURE_END,
    Bad,
    Condition,
)
from asyncfind.findscu.dataset import Words
from asyncfind.findscu.headers import PIXEL_DATA, UNDEFINED
from asyncfind.findscu.meta import guess_syntax, read_meta
from asyncfind.findscu.reader import DataSetReader
from asyncfind.findscu.stream import ByteStream
from asyncfind.findscu.syntaxes import is_compressed, syntax_of
from asyncfind.findscu.voice import Voice
from asyncfind.query.element import Item
from asyncfind.query.syntax import TransferSyntax

__all__ = ["load"]

_MAX_SIZE: Final = 16 * 1024 * 1024
_TRANSFER_SYNTAX: Final = 0x00020010


def load(
    name: str, words: Words, voice: Voice, *, correction: bool = False
) -> tuple[Item, TransferSyntax]:
    """Load a query file.

    Args:
        name: of the file, bytes, one character each.
        voice: the logger of DCMTK's data module.
        correction: `+dc`.

    Returns:
        The data set, and what it was encoded in.

    Raises:
        Bad: it cannot be read.
    """
    stream = ByteStream(seekable=True)
    stream.add(_read(name), last=True)
    meta = read_meta(stream, words, voice)
    syntax = _named_syntax(meta, voice, correction)
    if stream.at_end:
        return Item(), syntax or guess_syntax(b"", words)
    if syntax is None:
        text = "trying to detect transfer syntax of data set (because it is unknown)"
        voice.debug(f"DcmDataset::read() {text}")
        syntax = guess_syntax(stream.peek(6), words)
    reader = DataSetReader(syntax, words, voice, correction=correction, stream=stream)
    if not reader.read():
        raise Bad(PREMATURE_END)
    _check_pixel_data(reader.item, syntax, voice)
    return reader.item, syntax


def _named_syntax(meta: Item, voice: Voice, correction: bool) -> TransferSyntax | None:
    """The transfer syntax that the meta information names; None where it names none we know."""
    if not meta.elements:
        voice.debug("DcmFileFormat::lookForXfer() no MetaInfo found")
        return None
    element = meta.elements.get(_TRANSFER_SYNTAX)
    if element is None:
        voice.debug("DcmFileFormat::lookForXfer() no TransferSyntax in MetaInfo")
        return None
    assert isinstance(element.value, bytes)
    value = element.value
    if correction and (stripped := b"".join(value.split())) != value:
        voice.warn(
            "DcmUniqueIdentifier: Element TransferSyntaxUID (0002,0010) contains one or more "
            "space characters, which were removed"
        )
        value = stripped
    return syntax_of(value.split(b"\0", 1)[0].decode("latin_1"))


def _check_pixel_data(item: Item, syntax: TransferSyntax, voice: Voice) -> None:
    pixels = item.elements.get(PIXEL_DATA)
    if is_compressed(syntax) and pixels is not None and pixels.length != UNDEFINED:
        voice.error(
            "Found explicit length Pixel Data in top level dataset with transfer syntax "
            f"{syntax.name}: Only undefined length permitted"
        )
        raise Bad(LONG_PIXEL_DATA)


def _read(name: str) -> bytes:
    path = name.encode("latin_1")
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path cannot be made of bytes
            content = file.read(_MAX_SIZE + 1)
    except IsADirectoryError:
        # How far one can go in a folder is the file system's; nothing is read there.
        descriptor = os.open(path, os.O_RDONLY)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
        finally:
            os.close(descriptor)
        raise Bad(PREMATURE_END if size else END_OF_STREAM) from None
    except OSError as exc:
        raise Bad(Condition(0, 18, exc.strerror or "")) from None
    if len(content) > _MAX_SIZE:
        raise Bad(PREMATURE_END)
    if not content:
        raise Bad(END_OF_STREAM)
    return content
