"""Responses as DICOM files (PS3.10 Section 7): as findscu 3.6.7 writes them, or as received."""

import struct
import uuid
import zlib
from collections.abc import Mapping
from typing import Final

from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from asyncfind.query.writer import write_item

__all__ = ["encode_part10", "encode_received", "valid_vr"]

_PREAMBLE: Final = bytes(128) + b"DICM"
_SOP_CLASS_UID: Final = 0x00080016
_SOP_INSTANCE_UID: Final = 0x00080018
_TRAILING_PADDING: Final = 0xFFFCFFFC
_GENERIC_FILE: Final = "1.2.276.0.7230010.3.1.0.1"
"""The private storage class by which findscu marks a data set that names no SOP Class."""

_VALID_VRS: Final[Mapping[str, str]] = {
    "??": "UN", "lt": "OW", "na": "UN", "ox": "OB", "pi": "UN", "px": "OB", "up": "UL",
    "xs": "US",
}  # fmt: skip


def valid_vr(vr: str) -> str:
    """The VR of PS3.5 that stands for one of DCMTK's own (`xs`, `ox`, `lt`, `??`) in its files."""
    return _VALID_VRS.get(vr, vr)


def encode_part10(
    item: Item,
    syntax: TransferSyntax,
    *,
    implementation_class_uid: str,
    implementation_version_name: str,
    deflate_level: int = 6,
    instance_uid: str | None = None,
) -> bytes:
    """Encode a response as the file that findscu -X writes.

    The data set keeps its transfer syntax; sequences and items get undefined lengths, group
    lengths are calculated where they are present, values stay as they are.

    Args:
        item: VRs may be DCMTK's own.
        deflate_level: zlib's, 0 to 9, where the syntax is deflated.
        instance_uid: names the file where the response has no SOP Instance UID of VR UI; a new
            UID (PS3.5 Section B.2) if None.

    Raises:
        InvalidRequest: encapsulated pixel data outside Explicit VR Little Endian.
    """
    meta = _meta(
        syntax,
        implementation_class_uid,
        implementation_version_name,
        _first(item, _SOP_CLASS_UID),
        _first(item, _SOP_INSTANCE_UID),
        instance_uid,
    )
    return meta + _encode_data_set(item, syntax, deflate_level)


def encode_received(
    identifier: bytes,
    syntax: TransferSyntax,
    item: Item | None = None,
    *,
    implementation_class_uid: str,
    implementation_version_name: str,
    instance_uid: str | None = None,
) -> bytes:
    """Encode a response as a file: our own File Meta Information, then the bytes as received.

    Args:
        identifier: in `syntax`; a deflated one still deflated. It need not be decodable.
        item: the identifier decoded, for the UIDs in the file's head; None where it cannot be.
        instance_uid: as `encode_part10` has it.
    """
    elements = {} if item is None else item.elements
    meta = _meta(
        syntax,
        implementation_class_uid,
        implementation_version_name,
        elements.get(_SOP_CLASS_UID),
        elements.get(_SOP_INSTANCE_UID),
        instance_uid,
    )
    return meta + identifier


def _meta(
    syntax: TransferSyntax,
    class_uid: str,
    version_name: str,
    sop_class: Element | None,
    sop_instance: Element | None,
    instance_uid: str | None,
) -> bytes:
    """Preamble, prefix and File Meta Information (PS3.10 Section 7.1), without AE titles."""
    if instance_uid is None:
        instance_uid = f"2.25.{uuid.uuid4().int}"
    values = {
        0x00020000: ("UL", bytes(4)),
        0x00020001: ("OB", b"\0\1"),
        0x00020002: ("UI", _uid(sop_class, _GENERIC_FILE)),
        0x00020003: ("UI", _uid(sop_instance, instance_uid)),
        0x00020010: ("UI", syntax.uid.encode("ascii")),
        0x00020012: ("UI", class_uid.encode("ascii")),
        0x00020013: ("SH", version_name.encode("ascii")),
    }
    elements = {tag: Element(tag, vr, value, 0) for tag, (vr, value) in values.items()}
    return _PREAMBLE + write_item(Item(elements), EXPLICIT_VR_LITTLE_ENDIAN)


def _uid(element: Element | None, default: str) -> bytes:
    """The value of a UI element up to its padding; `default` where there is none, or another VR."""
    if element is None or element.vr != "UI" or not isinstance(element.value, bytes):
        return default.encode("ascii")
    return element.value.split(b"\0", 1)[0]


def _first(item: Item, tag: int) -> Element | None:
    """The first element `tag`, as DCMTK looks for it: in the items of earlier sequences too."""
    stack = [iter(_in_order(item))]
    while stack:
        for element in stack[-1]:
            if element.tag == tag:
                return element
            if isinstance(element.value, list):
                stack += [iter(_in_order(inner)) for inner in reversed(element.value)]
                break
        else:
            stack.pop()
    return None


def _in_order(item: Item) -> list[Element]:
    return [item.elements[tag] for tag in sorted(item.elements)]


def _encode_data_set(item: Item, syntax: TransferSyntax, deflate_level: int) -> bytes:
    plain = syntax
    if syntax.deflated:
        plain = EXPLICIT_VR_LITTLE_ENDIAN
    data = write_item(_with_valid_vrs(item), plain, undefined_lengths=True)
    padding = item.elements.get(_TRAILING_PADDING)
    if padding is not None and isinstance(padding.value, bytes):
        data += _encode_padding(padding.value, plain)
    if not syntax.deflated:
        return data
    stream = zlib.compressobj(deflate_level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def _encode_padding(value: bytes, syntax: TransferSyntax) -> bytes:
    """Data Set Trailing Padding (PS3.10 Section 7.2), which findscu keeps and our writer drops."""
    order = "<" if syntax.little_endian else ">"
    value += bytes(len(value) % 2)
    if syntax.explicit:
        return struct.pack(f"{order}HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, len(value)) + value
    return struct.pack(f"{order}HHI", 0xFFFC, 0xFFFC, len(value)) + value


def _with_valid_vrs(item: Item) -> Item:
    """A copy of `item` without DCMTK's own VRs, made level by level."""
    copy = Item(length=item.length)
    work = [(item, copy)]
    while work:
        old, new = work.pop()
        for tag, element in old.elements.items():
            value = element.value
            if isinstance(value, list):
                items = [Item(length=inner.length) for inner in value]
                work += zip(value, items, strict=True)
                new.elements[tag] = element._replace(value=items)
            else:
                new.elements[tag] = element._replace(vr=valid_vr(element.vr))
    return copy
