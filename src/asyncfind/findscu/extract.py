"""Responses written to files as findscu writes them (-X, -Xx, -Xs)."""

import os
import stat
import tempfile
import uuid
from contextlib import suppress
from typing import BinaryIO, Final

from asyncfind.findscu.conditions import ILLEGAL_CALL
from asyncfind.findscu.conversion import convert_aloud, declared_charset
from asyncfind.findscu.dataset import (
    Words,
    corrected,
    has_fragments,
    with_valid_vrs,
    without_blanks,
    without_fragments,
    without_padding,
)
from asyncfind.findscu.groups import tell_long_values, with_group_lengths
from asyncfind.findscu.headers import UNDEFINED
from asyncfind.findscu.settings import Settings
from asyncfind.findscu.voice import Voice
from asyncfind.findscu.vrs import show_tag
from asyncfind.findscu.walk import leaves
from asyncfind.logs.levels import Level
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.query.dcmtk_utf8 import CannotConvert
from asyncfind.query.dcmtk_xml import (
    CLOSING,
    OPENING,
    data_set_utf8,
    xml_document,
)
from asyncfind.query.element import Item
from asyncfind.query.part10 import encode_part10
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax

__all__ = ["Extractor"]

_UTF_8: Final = "ISO_IR 192"
_NOT_UPDATED: Final = "DcmItem: An error occurred"
"""How the last warning of a conversion that failed begins."""
_CHECK: Final = "DcmFileFormat::checkMetaHeaderValue()"
_DELIMITERS: Final = 16
"""Bytes of the ends of an item and its sequence."""
_SOP_CLASS_UID: Final = 0x00080016
_SOP_INSTANCE_UID: Final = 0x00080018
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

    def extract(
        self, item: Item, syntax: TransferSyntax | None, number: int, *, was_shown: bool
    ) -> None:
        """Write one response.

        Args:
            syntax: None where not even one byte was received.
            was_shown: in the log, after which DCMTK pads text of odd length with a blank; before
                it has looked at a text it pads with NUL.
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
            self._append(item, syntax or EXPLICIT_VR_LITTLE_ENDIAN)
        else:
            suffix = "dcm" if kind == "dicom" else "xml"
            name = self._path(f"rsp{number:04d}.{suffix}")
            self._net.info(f"Writing response dataset to file: {name}")
            if self._settings.correction:
                item = corrected(item)
            elif kind == "dicom" and not was_shown:
                item = without_blanks(item)
            self._write(name, kind, item, syntax)

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

    def _write(self, name: str, kind: str, item: Item, syntax: TransferSyntax | None) -> None:
        try:
            file = _File(name)
            if kind == "xml":
                file.write(self._xml(item, syntax or EXPLICIT_VR_LITTLE_ENDIAN))
            elif syntax is None:
                self._net.error(f"Writing file: {name}: {ILLEGAL_CALL.text}")
            else:
                before, depth = without_fragments(item)
                content = self._dicom(before, syntax)
                # No delimiters of the items and sequences around what cannot be written.
                file.write(content[: len(content) - _DELIMITERS * depth])
                if has_fragments(item):
                    self._tell_fragments(name, item)
            file.publish()
        except OSError as exc:
            self._net.error(f"Writing file: {name}: {exc.strerror}")

    def _xml(self, item: Item, syntax: TransferSyntax) -> bytes:
        document, warnings = xml_document(item, syntax, self._words)
        for warning in warnings:
            self._net.warn(warning)
        return document

    def _dicom(self, item: Item, syntax: TransferSyntax) -> bytes:
        instance_uid = f"2.25.{uuid.uuid4().int}"
        self._data.debug(f"{_CHECK} Version of MetaHeader is ok: 0x0001")
        uid = _uid(item, _SOP_CLASS_UID)
        if uid is None:
            choice = "no SOPClassUID in Dataset, using PrivateGenericFileSOPClass"
        else:
            choice = f"use SOPClassUID [{uid}] from Dataset"
        self._data.debug(f"{_CHECK} {choice}")
        uid = _uid(item, _SOP_INSTANCE_UID)
        if uid is None:
            choice = f"use new generated SOPInstanceUID [{instance_uid}]"
        else:
            choice = f"use SOPInstanceUID [{uid}] from Dataset"
        self._data.debug(f"{_CHECK} {choice}")
        choice = f"use new TransferSyntaxUID [{syntax.name}] on writing following Dataset"
        self._data.debug(f"{_CHECK} {choice}")
        text = "DcmFileFormat::validateMetaInfo() found 7 Elements in DcmMetaInfo 'metinf'"
        self._data.debug(text)
        valid = with_valid_vrs(item)
        valid = with_group_lengths(valid, syntax, self._data, undefined_lengths=True)
        tell_long_values(valid, syntax, self._data, new_vr=self._settings.new_vr)
        return encode_part10(
            valid,
            syntax,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            deflate_level=self._settings.deflate_level,
            instance_uid=instance_uid,
        )

    def _tell_fragments(self, name: str, item: Item) -> None:
        """DCMTK has no encapsulated pixel data to write outside a compressed transfer syntax."""
        tag = next(element.tag for element in leaves(item) if element.length == UNDEFINED)
        self._data.error(
            f"DcmElement: {self._words.name_of(tag)} {show_tag(tag)} larger ({UNDEFINED}) than "
            "remaining bytes (0) in file, premature end of stream"
        )
        self._net.error(f"Writing file: {name}: Pixel representation not found")

    def _append(self, item: Item, syntax: TransferSyntax) -> None:
        self._net.debug("Writing response dataset to XML file")
        try:
            stripped = self._stripped(item)
            element, warnings = data_set_utf8(stripped, syntax, self._words)
        except CannotConvert as error:
            self._tell_conversion(item, error.warnings)
            self._net.error(f"Writing XML file: {error.log_text}")
            return
        self._tell_conversion(item, warnings)
        if self._all is not None:
            with suppress(OSError):
                self._all.write(element)

    def _stripped(self, item: Item) -> Item:
        """The data set with text as +dc leaves it where it is to be converted."""
        if not self._settings.correction:
            return item
        if declared_charset(item) in (None, "", _UTF_8):
            return corrected(item)
        return without_padding(item)

    def _tell_conversion(self, item: Item, warnings: tuple[str, ...]) -> None:
        charset = declared_charset(item)
        if not charset or charset == _UTF_8:
            return
        self._net.debug(
            "Converting all element values that are affected by SpecificCharacterSet (0008,0005) "
            "to UTF-8"
        )
        if self._data.has(Level.DEBUG):
            convert_aloud(item, charset, self._data, strip=self._settings.correction)
        for warning in warnings:
            if not self._data.has(Level.DEBUG) or warning.startswith(_NOT_UPDATED):
                self._data.warn(warning)


def _uid(item: Item, tag: int) -> str | None:
    """The first UID with a tag, as DCMTK looks for it: in the items of earlier sequences too."""
    found = next((element for element in leaves(item) if element.tag == tag), None)
    if found is None or found.vr != "UI" or not isinstance(found.value, bytes):
        return None
    return found.value.split(b"\0", 1)[0].decode("latin_1")


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
