"""`text`, line by line as findscu prints it, but decoded and safe."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncfind.plan import Peer, Plan
from asyncfind.query.element import Element, Item
from asyncfind.query.syntax import IMPLICIT_VR_LITTLE_ENDIAN
from asyncfind.records import Find, FindDone, Match, Verdict
from asyncfind.render.dump import Dump, dump_item
from asyncfind.safe import safe


def _item(*elements: tuple[int, str, bytes]) -> Item:
    return Item({tag: Element(tag, vr, value, len(value)) for tag, vr, value in elements})


def _is_safe(text: str) -> bool:
    return safe(text.replace("\n", "")) == text.replace("\n", "")


def test_an_answer_is_a_block_as_findscu_prints_it(
    render: Callable[..., str],
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
) -> None:
    records = [match(study, 1), match(study, 2, status=0xFF01), done(matches=2)]
    elements = """\
(0008,0020) DA [20240102]                               #   8, 1 StudyDate
(0008,0052) CS [STUDY ]                                 #   6, 1 QueryRetrieveLevel
(0010,0010) PN [DOE^JOHN]                               #   8, 1 PatientName
(0010,0020) LO (no value available)                     #   0, 0 PatientID
(0020,000d) UI [1.2.3]                                  #   6, 1 StudyInstanceUID
"""
    assert render(Dump(), records) == (
        f"""\
---------------------------
Find Response: 1 (Pending)

# Dicom-Data-Set
# Used TransferSyntax: Little Endian Explicit
{elements}
---------------------------
Find Response: 2 (Pending: WarningUnsupportedOptionalKeys)

# Dicom-Data-Set
# Used TransferSyntax: Little Endian Explicit
{elements}
"""
    )


def test_sequences_have_items_and_delimiters(
    render: Callable[..., str], match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    identifier = bytes.fromhex(
        # (0040,0100) SQ, explicit length 18
        "40000001 5351 0000 12000000"
        "feff00e0 0a000000"  # item, 10 bytes
        "08006000 4353 0200 4354"  # (0008,0060) CS CT
        # (0040,1001) is a SH; then (0040,a730) SQ of undefined length with an undefined item
        "40000110 5348 0200 5031"
        "400030a7 5351 0000 ffffffff"
        "feff00e0 ffffffff"
        "08006000 4353 0000"
        "feff0de0 00000000"
        "feffdde0 00000000"
    )
    lines = render(Dump(), [match(identifier), done()]).splitlines()
    assert lines[5:-1] == [
        (
            "(0040,0100) SQ (Sequence with explicit length #=1)      #  18, 1 "
            "ScheduledProcedureStepSequence"
        ),
        "  (fffe,e000) na (Item with explicit length #=1)          #  10, 1 Item",
        "    (0008,0060) CS [CT]                                     #   2, 1 Modality",
        "  (fffe,e00d) na (ItemDelimitationItem for re-encoding)   #   0, 0 ItemDelimitationItem",
        "(fffe,e0dd) na (SequenceDelimitationItem for re-encod.) #   0, 0 SequenceDelimitationItem",
        "(0040,1001) SH [P1]                                     #   2, 1 RequestedProcedureID",
        "(0040,a730) SQ (Sequence with undefined length #=1)     # u/l, 1 ContentSequence",
        "  (fffe,e000) na (Item with undefined length #=1)         # u/l, 1 Item",
        "    (0008,0060) CS (no value available)                     #   0, 0 Modality",
        "  (fffe,e00d) na (ItemDelimitationItem)                   #   0, 0 ItemDelimitationItem",
        "(fffe,e0dd) na (SequenceDelimitationItem)               #   0, 0 SequenceDelimitationItem",
    ]


@pytest.mark.parametrize(
    ("element", "before", "shown", "after"),
    [
        (
            (0x00080061, "CS", b"CT\\MR "),
            "(0008,0061) CS ",
            "[CT\\MR ]",
            " #   6, 2 ModalitiesInStudy",
        ),
        (  # in LT a backslash divides nothing
            (0x00104000, "LT", b"a\\b "),
            "(0010,4000) LT ",
            "[a\\b ]",
            " #   4, 1 PatientComments",
        ),
        (
            (0x00104000, "LT", b"one\r\ntwo "),
            "(0010,4000) LT ",
            "[one\\x0d\\x0atwo ]",
            " #   9, 1 PatientComments",
        ),
        (
            (0x00280010, "US", b"\x00\x02\x01\x00"),
            "(0028,0010) US ",
            "512\\1",
            " #   4, 2 Rows",
        ),
        ((0x00280010, "US", b""), "(0028,0010) US ", "(no value available)", " #   0, 0 Rows"),
        (
            (0x00091001, "UN", b""),
            "(0009,1001) UN ",
            "(no value available)",
            " #   0, 1 Unknown Tag & Data",
        ),
        ((0x00090010, "LO", b"ACME"), "(0009,0010) LO ", "[ACME]", " #   4, 1 PrivateCreator"),
        (
            (0x00080000, "UL", b"\x0a\0\0\0"),
            "(0008,0000) UL ",
            "10",
            " #   4, 1 GenericGroupLength",
        ),
        (
            (0x00091001, "OB", b"\xff\x00"),
            "(0009,1001) OB ",
            "ff\\00",
            " #   2, 1 Unknown Tag & Data",
        ),
        (
            (0x00209165, "AT", b"\x10\x00\x20\x00"),
            "(0020,9165) AT ",
            "(0010,0020)",
            " #   4, 1 DimensionIndexPointer",
        ),
        (  # never cut
            (0x00102180, "SH", b"x" * 300),
            "(0010,2180) SH ",
            f"[{'x' * 300}]",
            " # 300, 1 Occupation",
        ),
        (
            (0x0020000D, "UI", b"\0\0"),
            "(0020,000d) UI ",
            "(no value available)",
            " #   2, 0 StudyInstanceUID",
        ),
    ],
)
def test_a_leaf_is_one_line(
    element: tuple[int, str, bytes], before: str, shown: str, after: str
) -> None:
    assert dump_item(_item(element)) == f"{before}{shown.ljust(40)}{after}\n"


def test_text_is_decoded_and_its_width_counted_in_columns() -> None:
    item = _item(
        (0x00080005, "CS", b"ISO_IR 192"),
        # PN Yamada^Tarou=山田^太郎, in UTF-8
        (0x00100010, "PN", bytes.fromhex("59616d6164613d e5b1b1e794b0 5e e5a4aae9838e 20")),
        (0x00100020, "LO", "Müller".encode()),
    )
    assert dump_item(item) == (
        "(0008,0005) CS [ISO_IR 192]                             #  10, 1 SpecificCharacterSet\n"
        "(0010,0010) PN [Yamada=山田^太郎 ]                      #  21, 1 PatientName\n"
        "(0010,0020) LO [Müller]                                 #   7, 1 PatientID\n"
    )


def test_the_character_set_of_an_item_is_that_of_its_own_or_of_what_encloses_it() -> None:
    own = _item((0x00080005, "CS", b"ISO_IR 144"), (0x00100020, "LO", b"\xbc"))  # Cyrillic м
    inherits = _item((0x00100020, "LO", b"\xfc "))  # Latin-1 ü
    item = _item((0x00080005, "CS", b"ISO_IR 100"))
    item.elements[0x00081120] = Element(0x00081120, "SQ", [own, inherits], 0)
    text = dump_item(item)
    assert "LO [М]" in text or "LO [м]" in text
    assert "LO [ü ]" in text


def test_iso_2022_escapes_in_ascii_bytes_are_decoded() -> None:
    # ESC ( J is JIS X 0201 romaji; ESC $ B 3 3 is one kanji; ESC ( B is ASCII again
    value = bytes.fromhex("1b2442 3b33 1b2842")
    item = _item((0x00080005, "CS", b"\\ISO 2022 IR 87 "), (0x00100010, "PN", value))
    assert "PN [山]" in dump_item(item)


HOSTILE = [
    b"\x1b[31mred\x1b[0m",  # SGR
    b"\x1b]0;title\x07",  # OSC, renames windows
    b"\xc2\x9b31m",  # CSI as a C1 control
    b"[red]markup[/red]",
    b"\xe2\x80\xaegnp.exe",  # U+202E, right to left
    b"a\xe2\x80\xa8b",  # U+2028, line separator
    b"line\r\nFind Response: 2 (Pending)",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_character_of_a_peer_acts(value: bytes) -> None:
    item = _item((0x00080005, "CS", b"ISO_IR 192"), (0x00100020, "LO", value))
    text = dump_item(item)
    assert text.count("\n") == 2
    assert _is_safe(text)
    if value.startswith(b"[red]"):
        assert "[[red]markup[/red]]" in text  # as it is: nothing here reads markup


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0x00080005, 0x00100010, 0x00100020, 0x00104000, 0x0020000D, 0x91001]),
            st.sampled_from(["CS", "PN", "LO", "LT", "UI", "UN", "FD", "US", "AT"]),
            st.binary(max_size=60) | st.sampled_from(HOSTILE),
        ),
        max_size=6,
    )
)
def test_any_values_give_one_printable_line_each(elements: list[tuple[int, str, bytes]]) -> None:
    item = _item(*elements)
    lines = dump_item(item).split("\n")
    assert len(lines) == len(item.elements) + 1
    assert all(map(_is_safe, lines))


@given(
    st.lists(
        st.sampled_from([b"", b"1.2\0", b"A", b"A\\B", b"x" * 37, b"x" * 38, b"x" * 39, b"\0"]),
        min_size=1,
        max_size=5,
    )
)
def test_the_short_way_gives_what_the_long_way_gives(values: list[bytes]) -> None:
    """A data set of plain strings takes a short cut that one number in it closes."""
    elements = [(0x00100020 + at, "LO", value) for at, value in enumerate(values)]
    plain = dump_item(_item(*elements))
    other = dump_item(_item(*elements, (0x00280010, "US", b"\1\0")))
    assert other.startswith(plain)


def test_an_answer_says_what_it_belongs_to_where_that_is_not_clear(
    render: Callable[..., str],
    plan: Plan,
    peers: tuple[Peer, ...],
    study: bytes,
    match: Callable[..., Match],
) -> None:
    query = plan.queries[0]
    several = replace(plan, peers=peers, queries=(query, query), repeat=2)
    find = Find(peers[1], query, 2, 3)
    lines = render(Dump(), [match(study, of=find)], of=several).splitlines()
    assert lines[1:6] == [
        "Find Response: 1 (Pending)",
        "# Node: SOUTH@south:104",
        "# Query: study.dcm",
        "# Repeat: 2",
        "",
    ]


def test_what_cannot_be_decoded_is_a_comment(
    render: Callable[..., str], match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    text = render(Dump(), [match(b"\x10\x00"), done(matches=0)])
    assert "\n# identifier cannot be decoded: " in text
    assert text.endswith("; 2 bytes\n\n")


def test_answers_that_are_not_all_are_marked(
    render: Callable[..., str],
    study: bytes,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
) -> None:
    ended = done(Verdict.TIMEOUT, error="no response within 60 s")
    text = render(Dump(), [match(study), ended])
    assert text.endswith("---\n# Not complete (timeout): no response within 60 s\n\n")


def test_nothing_but_answers_is_shown(
    render: Callable[..., str], done: Callable[..., FindDone]
) -> None:
    assert render(Dump(), [done(Verdict.UNREACHED, matches=0, error="refused")]) == ""


def test_an_empty_identifier_is_an_empty_data_set(
    render: Callable[..., str], match: Callable[..., Match], done: Callable[..., FindDone]
) -> None:
    text = render(Dump(), [match(b"", syntax=IMPLICIT_VR_LITTLE_ENDIAN.uid), done()])
    assert text.endswith("# Dicom-Data-Set\n# Used TransferSyntax: Little Endian Implicit\n\n")
