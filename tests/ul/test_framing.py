"""Any chopping in, whole PDUs out, within limits (PS3.8 Section 9.3.1)."""

import pytest

from asyncfind.ul.framing import Frame, Framer, Violation
from asyncfind.ul.pdu import PDV, AbortReason

RELEASE_RQ = bytes.fromhex("05 00 00 00 00 04 00 00 00 00")
RELEASE_RP = bytes.fromhex("06 00 00 00 00 04 00 00 00 00")
NOT_DICOM = "not DICOM: unknown PDU type {} at byte 0; bytes {}"
ONE = bytes.fromhex("04 00 00 00 00 08 00 00 00 04 01 03 AA BB")
TWO = bytes.fromhex("04 00 00 00 00 0E 00 00 00 03 01 03 AA 00 00 00 03 03 02 BB")


def frames(framer: Framer) -> list[Frame | Violation]:
    """All that is there."""
    found = []
    while (frame := framer.next_frame()) is not None:
        found.append(frame)
    return found


def fault(data: str) -> Violation:
    """The violation that these bytes are at once, with not a byte more."""
    framer = Framer(100)
    framer.feed(bytes.fromhex(data))
    (violation,) = frames(framer)
    assert isinstance(violation, Violation)
    framer.feed(RELEASE_RQ)
    assert frames(framer) == []  # no border can be trusted any more
    return violation


def test_pdus_in_one_piece() -> None:
    framer = Framer(100)
    framer.feed(RELEASE_RQ + ONE + RELEASE_RP)
    assert frames(framer) == [Frame(5, bytes(4)), Frame(4, ONE[6:]), Frame(6, bytes(4))]


def test_pdus_byte_by_byte() -> None:
    framer = Framer(100)
    found = []
    for number in RELEASE_RQ + ONE + RELEASE_RP:
        framer.feed(bytes((number,)))
        found += frames(framer)
    assert found == [Frame(5, bytes(4)), Frame(4, ONE[6:]), Frame(6, bytes(4))]


def test_pdus_that_end_in_the_next_piece() -> None:
    framer = Framer(100)
    framer.feed(ONE + ONE[:7])
    assert frames(framer) == [Frame(4, ONE[6:])]
    framer.feed(b"")
    assert frames(framer) == []
    framer.feed(ONE[7:] + RELEASE_RQ)
    assert frames(framer) == [Frame(4, ONE[6:]), Frame(5, bytes(4))]


def test_data_is_taken_in_runs() -> None:
    framer = Framer(100)
    framer.feed(ONE + TWO + ONE + RELEASE_RQ + ONE)
    assert framer.next_data() == [
        PDV(1, True, True, b"\xaa\xbb"),
        PDV(1, True, True, b"\xaa"),
        PDV(3, False, True, b"\xbb"),
        PDV(1, True, True, b"\xaa\xbb"),
    ]
    assert framer.next_frame() == Frame(5, bytes(4))
    (pdv,) = framer.next_data()
    assert isinstance(pdv, PDV)
    assert framer.next_frame() is None


@pytest.mark.parametrize(
    "data",
    [
        "04 00 00 00 00 06 00 00 00 02 01 03",  # an empty fragment
        "04 00 00 00 00 0D 00 00 00 02 01 03 00 00 00 03 01 03 AA",  # one before another
        "04 00 00 00 00 0D 00 00 00 03 01 03 AA 00 00 00 02 01 03",  # one behind another
        "04 00 00 00 00 08 00 00 00 03 01 03 AA BB",  # an item that underfills
        "04 00 00 00 00 08 00 00 00 05 01 03 AA BB",  # an item that outgrows
        "04 00 00 00 00 0E 00 00 00 03 01 03 AA 00 00 00 04 01 03 BB",  # the second one
        "04 00 00 00 00 09 00 00 00 04 01 03 AA BB",  # not whole
        "04 00 00 00 00 65 00 00 00 61 01 03 AA",  # longer than allowed
        "05 00 00 00 00 04 00 00 00 00 00 00 00",  # something else
        "04 00 00 00 00 08 00 00 00 04 01 03",  # too short to tell
    ],
)
def test_whatever_is_different_is_left_for_next_frame(data: str) -> None:
    framer = Framer(100)
    framer.feed(ONE + bytes.fromhex(data))
    assert len(framer.next_data()) == 1
    assert framer.next_data() == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("02 00 00 00 00 43", "A-ASSOCIATE-AC of 67 bytes, 68 to 1048576 allowed"),
        ("01 00 00 10 00 01", "A-ASSOCIATE-RQ of 1048577 bytes, 68 to 1048576 allowed"),
        ("03 00 00 00 00 05", "A-ASSOCIATE-RJ of 5 bytes, 4 required"),
        ("04 00 00 00 00 65", "P-DATA-TF of 101 bytes, 100 allowed"),
        ("05 00 FF FF FF FF", "A-RELEASE-RQ of 4294967295 bytes, 4 required"),
        ("06 00 00 00 00 00", "A-RELEASE-RP of 0 bytes, 4 required"),
        ("07 00 00 00 00 03", "A-ABORT of 3 bytes, 4 required"),
    ],
)
def test_lengths_are_judged_on_the_header(data: str, text: str) -> None:
    violation = fault(data)
    assert violation.error.text == text
    assert violation.reason == AbortReason.INVALID_PARAMETER


@pytest.mark.parametrize(
    "data", ["01 00 00 00 00 44", "02 00 00 10 00 00", "04 00 00 00 00 64", "04 00 00 00 00 00"]
)
def test_lengths_at_the_limits(data: str) -> None:
    framer = Framer(100)
    framer.feed(bytes.fromhex(data))
    assert not any(isinstance(frame, Violation) for frame in frames(framer))


@pytest.mark.parametrize(
    ("data", "text", "hint"),
    [
        ("00", NOT_DICOM.format("00H", "00"), "without TLS"),
        (
            "48 54 54 50 2F 31 2E 31 20 34 30 30 20 42 61 64 20",
            NOT_DICOM.format(
                "48H", "48 54 54 50 2f 31 2e 31 20 34 30 30 20 42 61 64, looks like HTTP"
            ),
            "web service",
        ),
        (
            "15 03 03 00 02 02 28",
            NOT_DICOM.format("15H", "15 03 03 00 02 02 28, looks like TLS"),
            "2762",
        ),
        (
            "53 53 48 2D 32 2E 30",
            NOT_DICOM.format("53H", "53 53 48 2d 32 2e 30, looks like SSH"),
            "without TLS",
        ),
    ],
)
def test_other_protocols(data: str, text: str, hint: str) -> None:
    violation = fault(data)
    assert violation.error.text == text
    assert hint in violation.error.hint
    assert violation.reason == AbortReason.UNRECOGNIZED_PDU


def test_an_unknown_type_later_on_says_where() -> None:
    framer = Framer(100)
    framer.feed(RELEASE_RQ + ONE[:3])
    assert frames(framer) == [Frame(5, bytes(4))]
    framer.feed(ONE[3:])
    assert frames(framer) == [Frame(4, ONE[6:])]
    framer.feed(RELEASE_RQ + b"\x16\x03")
    released, violation = frames(framer)
    assert released == Frame(5, bytes(4))
    assert isinstance(violation, Violation)
    assert violation.error.text == "unknown PDU type 16H at byte 34; bytes 16 03"
    assert "vendor" in violation.error.hint


def test_no_more_is_looked_at_than_allowed() -> None:
    framer = Framer(100)
    framer.feed(RELEASE_RQ + RELEASE_RP + RELEASE_RQ)
    assert framer.next_frame() == Frame(5, bytes(4))
    framer.allow(15)
    assert framer.is_exhausted
    assert frames(framer) == [Frame(6, bytes(4))]  # the one behind it is half out of reach
    framer.feed(RELEASE_RP)
    assert frames(framer) == []


def test_what_is_allowed_comes_in_pieces() -> None:
    framer = Framer(100)
    framer.feed(RELEASE_RQ[:4])
    assert frames(framer) == []
    framer.allow(16)
    framer.feed(RELEASE_RQ[4:])
    assert frames(framer) == [Frame(5, bytes(4))]
    assert not framer.is_exhausted
    framer.feed(RELEASE_RP + bytes(100))
    assert frames(framer) == [Frame(6, bytes(4))]
    assert framer.is_exhausted


def test_what_is_allowed_counts_after_a_violation_too() -> None:
    framer = Framer(100)
    framer.feed(b"\xff" * 3)
    assert isinstance(framer.next_frame(), Violation)
    framer.allow(5)
    framer.feed(b"\xff")
    assert not framer.is_exhausted
    framer.feed(b"\xff")
    assert framer.is_exhausted
    assert framer.next_frame() is None
