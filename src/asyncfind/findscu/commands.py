"""Received command sets as findscu takes them apart (PS3.7 Section 9.3): any order, any extras."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from asyncfind.findscu.conditions import Bad, dcmnet
from asyncfind.findscu.voice import Voice
from asyncfind.query.element import Item

__all__ = ["Response", "parse_response"]

_COMMAND_FIELD: Final = 0x0100
_MESSAGE_ID: Final = 0x0110
_RESPONDED_ID: Final = 0x0120
_DATA_SET_TYPE: Final = 0x0800
_STATUS: Final = 0x0900
_NO_DATA_SET: Final = 0x0101
_FIND_RSP: Final = 0x8020
_C_CANCEL: Final = 0x0FFF
_SOP_CLASS: Final = 0x0002
_MAX_UID: Final = 64

_NAMES: Final[Mapping[int, str]] = {
    0x0002: "AffectedSOPClassUID",
    0x0003: "RequestedSOPClassUID",
    0x0100: "CommandField",
    0x0110: "MessageID",
    0x0120: "MessageIDBeingRespondedTo",
    0x0600: "MoveDestination",
    0x0700: "Priority",
    0x0800: "CommandDataSetType",
    0x0900: "Status",
    0x1000: "AffectedSOPInstanceUID",
    0x1001: "RequestedSOPInstanceUID",
    0x1002: "EventTypeID",
    0x1008: "ActionTypeID",
}
_MAX_LENGTHS: Final[Mapping[int, int]] = {
    **dict.fromkeys((0x0002, 0x0003, 0x1000, 0x1001), _MAX_UID),
    0x0600: 16,
}
"""Bytes that a text may have; what is not here is a number."""
_REQUESTS: Final[Mapping[int, Sequence[int]]] = {
    0x0001: (0x0002, 0x1000, 0x0700),
    0x0010: (0x0002, 0x0700),
    0x0020: (0x0002, 0x0700),
    0x0021: (0x0002, 0x0700, 0x0600),
    0x0030: (0x0002,),
    0x0100: (0x0002, 0x1000, 0x1002),
    0x0110: (0x0003, 0x1001),
    0x0120: (0x0003, 0x1001),
    0x0130: (0x0003, 0x1001, 0x1008),
    0x0140: (0x0002,),
    0x0150: (0x0003, 0x1001),
    _C_CANCEL: (),
}
"""What a request must have besides its head, by Command Field; responses need no more than that."""
_RESPONSES: Final = frozenset(field | 0x8000 for field in _REQUESTS if field != _C_CANCEL)
_OPTIONAL: Final[Mapping[int, Sequence[int]]] = {
    0x0001: (0x1030, 0x1031),
    0x0110: (0x1005,),
    0x0140: (0x1000,),
    0x8001: (0x1000,),
    0x8010: (0x1020, 0x1021, 0x1022, 0x1023),
    0x8021: (0x1020, 0x1021, 0x1022, 0x1023),
    0x8100: (0x1000, 0x1002),
    0x8110: (0x1000,),
    0x8120: (0x1000,),
    0x8130: (0x1000, 0x1008),
    0x8140: (0x1000,),
    0x8150: (0x1000,),
}
"""What else is a message's own, besides the SOP class of every response."""
_WITHOUT_DATA_SET: Final[Mapping[int, str]] = {
    0x0030: "C-Echo RQ",
    0x8030: "C-Echo RSP",
    0x8001: "C-Store RSP",
    _C_CANCEL: "C-Cancel RQ",
}
_WITH_DATA_SET: Final[Mapping[int, str]] = {
    0x0001: "C-Store RQ",
    0x0010: "C-Get RQ",
    0x0020: "C-Find RQ",
    0x0021: "C-Move RQ",
}


@dataclass(frozen=True, slots=True)
class Response:
    """A C-FIND-RSP.

    Args:
        sop_class: None where the peer named none that fits.
        detail: what else is in the command set; None where nothing is.
    """

    message_id: int
    sop_class: str | None
    has_data_set: bool
    status: int
    detail: Item | None


def parse_response(item: Item, net: Voice, data: Voice, warning: str) -> Response:
    """Take a command set apart.

    Args:
        data: the logger of DCMTK's data module.
        item: as received; what stands for something is taken out of it.
        warning: what each warning begins with.

    Raises:
        Bad: it is no C-FIND-RSP.
    """
    # Group lengths mean nothing.
    for tag in [tag for tag in item.elements if not tag & 0xFFFF]:
        del item.elements[tag]
    _tell_missing(item, data)
    field = _number(item, _COMMAND_FIELD)
    if field is None:
        raise Bad(dcmnet(0x20B, "DIMSE_parseCmdObject: Missing CommandField"))
    if field not in _REQUESTS and field not in _RESPONSES:
        text = f"DIMSE_parseCmdObject: Invalid Command Message: 0x{field:x}"
        raise Bad(dcmnet(0x201, text))
    for tag in _mandatory(field):
        is_there = _number(item, tag) is not None if tag not in _MAX_LENGTHS else _fits(item, tag)
        if not is_there:
            text = f"DIMSE: Command Parse Failed: Element: (0000,{tag:04x}) {_NAMES[tag]}"
            raise Bad(dcmnet(0x20B, text))
    _validate(item, field, net, warning)
    if field != _FIND_RSP:
        text = f"DIMSE: Unexpected Response Command Field: 0x{field:x}"
        own = (_SOP_CLASS,) if field in _RESPONSES and _fits(item, _SOP_CLASS) else ()
        for tag in (_COMMAND_FIELD, *_mandatory(field), *own, *_OPTIONAL.get(field, ())):
            item.elements.pop(tag, None)
        raise Bad(dcmnet(0x211, text), item if item.elements else None)
    return _response(item)


def _tell_missing(item: Item, data: Voice) -> None:
    """DCMTK tries to load numbers of which nothing came but the length when it needs them."""
    for tag in (_COMMAND_FIELD, _RESPONDED_ID, _MESSAGE_ID, _DATA_SET_TYPE, _STATUS):
        element = item.elements.get(tag)
        if element is not None and element.length and not element.value:
            data.error(
                f"DcmElement: {_NAMES[tag]} (0000,{tag:04x}) larger ({element.length}) than "
                "remaining bytes (0) in file, premature end of stream"
            )


def _mandatory(field: int) -> Sequence[int]:
    if field in _RESPONSES:
        return (_RESPONDED_ID, _DATA_SET_TYPE, _STATUS)
    if field == _C_CANCEL:
        return (_RESPONDED_ID, _DATA_SET_TYPE)
    return (_MESSAGE_ID, _DATA_SET_TYPE, *_REQUESTS[field])


def _validate(item: Item, field: int, net: Voice, warning: str) -> None:
    """Compare message and data set, which findscu does for all but the responses it may get."""
    has_data_set = _number(item, _DATA_SET_TYPE) != _NO_DATA_SET
    complaints = []
    if has_data_set and field in _WITHOUT_DATA_SET:
        complaints.append(f"{_WITHOUT_DATA_SET[field]}: DataSetType != NULL")
    if not has_data_set and field in _WITH_DATA_SET:
        complaints.append(f"{_WITH_DATA_SET[field]}: DataSetType == NULL")
    if field in (0x0001, 0x8001) and _fits(item, 0x1000) and not _text(item, 0x1000):
        name = "RQ" if field == 0x0001 else "RSP"
        complaints.append(f"C-Store {name}: AffectedSOPInstanceUID: bad size")
    for complaint in complaints:
        net.warn(warning + complaint)
    if complaints:
        raise Bad(dcmnet(0x203, "DIMSE Badly formed message"))


def _response(item: Item) -> Response:
    message_id, status = _number(item, _RESPONDED_ID), _number(item, _STATUS)
    assert message_id is not None
    assert status is not None
    has_data_set = _number(item, _DATA_SET_TYPE) != _NO_DATA_SET
    sop_class = _text(item, _SOP_CLASS) if _fits(item, _SOP_CLASS) else None
    taken = [_COMMAND_FIELD, _RESPONDED_ID, _DATA_SET_TYPE, _STATUS]
    if sop_class is not None:
        taken.append(_SOP_CLASS)
    for tag in taken:
        del item.elements[tag]
    detail = item if item.elements else None
    return Response(message_id, sop_class, has_data_set, status, detail)


def _number(item: Item, tag: int) -> int | None:
    element = item.elements.get(tag)
    if element is None or not isinstance(element.value, bytes) or len(element.value) < 2:
        return None
    return int.from_bytes(element.value[:2], "little")


def _fits(item: Item, tag: int) -> bool:
    element = item.elements.get(tag)
    if element is None:
        return False
    return len(element.value) + len(element.value) % 2 <= _MAX_LENGTHS[tag]


def _text(item: Item, tag: int) -> str:
    value = item.elements[tag].value
    assert isinstance(value, bytes)
    return value.split(b"\0", 1)[0].decode("latin_1").strip(" \t\n\v\f\r")
