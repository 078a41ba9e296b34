"""Responses written to files as findscu writes them (-X, -Xx, -Xs)."""

import os
import stat
import tempfile
from contextlib import suppress
from typing import BinaryIO, Final

from asyncfind.findscu.dataset import Words
from asyncfind.findscu.settings import Settings
from asyncfind.findscu.voice import Voice
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.query.dcmtk_xml import (
    CLOSING,
    OPENING,
    data_set_utf8,
    xml_document,
)
from asyncfind.query.dcmtk_utf8 import CannotConvert
from asyncfind.query.element import Item
from asyncfind.query.part10 import encode_part10
from asyncfind.query.syntax import TransferSyntax

__all__ = ["Extractor"]

_ENOUGH: Final = "Maximum number of responses already written to file ... not writing "


class Extractor:
    """Writes responses to files, where that was asked for; trouble is told, and nothing ends.

    A file appears under its name once it is whole, and replaces what was there.
    """

    def __init__(self, settings: Settings, words: Words, net: Voice, data: Voice) -> None:
        self._settings = settings
        self._words = words
        self._net = net
        self._data = data
        self._all: _File | None = None

    def open(self) -> None:
        """The association is there: begin the file of all responses."""
        if self._settings.extract != "single":
            return
        name = self._path(self._settings.extract_file)
        self._net.info(f"Writing all response datasets to file: {name}")
        try:
            self._all = _File(name)
            self._all.write(OPENING)
        except OSError as exc:
            self._net.error(f"Writing file: {name}: {exc.strerror}")

    def extract(self, item: Item, syntax: TransferSyntax, number: int) -> None:
        """Write one response.

        Args:
            number: the response counter of the run; final responses count too.
        """
        kind = self._settings.extract
        if kind is None:
            return
        limit = self._settings.extract_limit
        if limit is not None and number > limit:
            if number == limit + 1:
                self._net.info(f"{_ENOUGH}this and all following responses to file")
            else:
                self._net.debug(f"{_ENOUGH}this response to file")
        elif kind == "single":
            self._append(item, syntax)
        else:
            suffix = "dcm" if kind == "dicom" else "xml"
            name = self._path(f"rsp{number:04d}.{suffix}")
            self._net.info(f"Writing response dataset to file: {name}")
            self._write(name, self._encoded(kind, item, syntax))

    def close(self) -> None:
        """End the file of all responses."""
        if self._all is not None:
            with suppress(OSError):  # findscu does not look either
                self._all.write(CLOSING)
                self._all.publish()

    def _path(self, name: str) -> str:
        folder = self._settings.directory
        if name.startswith("/") or folder == ".":
            return name
        return folder + name if folder.endswith("/") else f"{folder}/{name}"

    def _encoded(self, kind: str, item: Item, syntax: TransferSyntax) -> bytes:
        if kind == "xml":
            document, warnings = xml_document(item, syntax, self._words)
            for warning in warnings:
                self._net.warn(warning)
            return document
        return encode_part10(
            item,
            syntax,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            deflate_level=self._settings.deflate_level,
        )

    def _write(self, name: str, content: bytes) -> None:
        try:
            file = _File(name)
            file.write(content)
            file.publish()
        except OSError as exc:
            self._net.error(f"Writing file: {name}: {exc.strerror}")

    def _append(self, item: Item, syntax: TransferSyntax) -> None:
        self._net.debug("Writing response dataset to XML file")
        try:
            element, warnings = data_set_utf8(item, syntax, self._words)
        except CannotConvert as error:
            for warning in error.warnings:
                self._data.warn(warning)
            self._net.error(f"Writing XML file: {error.log_text}")
            return
        for warning in warnings:
            self._data.warn(warning)
        if self._all is not None:
            with suppress(OSError):
                self._all.write(element)


class _File:
    """A file that appears when it is published; devices and pipes are written as they are."""

    def __init__(self, name: str) -> None:
        self._path = name.encode("latin_1")
        self._temporary: bytes | None = None
        if self._is_special():
            self._file: BinaryIO = open(self._path, "wb")  # noqa: PTH123, SIM115
            return
        folder = os.path.dirname(self._path) or b"."  # noqa: PTH120
        try:
            descriptor, self._temporary = tempfile.mkstemp(prefix=b".rsp", dir=folder)
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror) from exc
        self._file = os.fdopen(descriptor, "wb")

    def _is_special(self) -> bool:
        try:
            mode = os.stat(self._path).st_mode  # noqa: PTH116
        except OSError:
            return False
        return not stat.S_ISREG(mode)

    def write(self, content: bytes) -> None:
        self._file.write(content)

    def publish(self) -> None:
        self._file.close()
        if self._temporary is not None:
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(self._temporary, 0o666 & ~umask)  # noqa: PTH101 - as findscu's own files are
            os.replace(self._temporary, self._path)  # noqa: PTH105
