"""Keys: any text in, and what the grammar makes comes back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.errors import InvalidRequest
from asyncfind.query.dictionary import keyword_of
from asyncfind.query.element import Item
from asyncfind.query.keys import Step, build_identifier, parse_key, parse_path
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item
from asyncfind.safe import safe

LEAVES = [0x00100010, 0x00100020, 0x0020000D, 0x00080060, 0x00080020, 0x00091001]
SEQUENCES = [0x00400100, 0x00400008, 0x00081111]

quick = settings(deadline=None, max_examples=200)
numbers = st.integers(0, 3)
paths = st.builds(
    lambda above, last: (*above, Step(last, None)),
    st.lists(st.builds(Step, st.sampled_from(SEQUENCES), numbers), max_size=4).map(tuple),
    st.sampled_from(LEAVES),
)


@st.composite
def spellings(draw: st.DrawFn, path: tuple[Step, ...]) -> str:
    """A path as someone may type it."""
    out = []
    for tag, number in path:
        group, element = tag >> 16, tag & 0xFFFF
        numeric = draw(st.sampled_from(["{:04x},{:04X}", "{:x},{:x}", "0x{:x},0X{:04x}"]))
        text = draw(st.sampled_from([keyword_of(tag), ""])) or numeric.format(group, element)
        out.append(draw(st.sampled_from([text, f"({text})"])))
        if number is not None:
            out.append(f"[{number}].")
    return "".join(out)


@quick
@given(data=st.data(), path=paths, value=st.text(max_size=8))
def test_every_spelling_of_a_path_is_read(
    data: st.DataObject, path: tuple[Step, ...], value: str
) -> None:
    text = data.draw(spellings(path))
    assert parse_path(text) == path
    key = parse_key(f"{text}={value}")
    assert (key.path, key.value) == (path, value)


PIECES = ["(", ")", "[", "]", ".", ",", "=", "*", "\\", "0", "1", "-1", "0040,0100", "0010,0010"]
PIECES += ["PatientName", "ScheduledProcedureStepSequence", "(0009,0010)", "(0029,1040)", "Rows"]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=8).map("".join)


@quick
@given(keys=st.lists(texts, max_size=4))
def test_any_text_is_a_key_or_refused_with_advice(keys: list[str]) -> None:
    try:
        item = build_identifier(None, keys)
    except InvalidRequest as exc:
        refusal = exc
    else:
        write_item(item, EXPLICIT_VR_LITTLE_ENDIAN)
        return
    assert safe(refusal.text) == refusal.text
    assert refusal.hint


values = st.text(st.sampled_from("Aa1*?^ äЛ山"), min_size=1, max_size=6)


@quick
@given(keys=st.lists(st.tuples(paths, values), min_size=1, max_size=6))
def test_the_last_of_equal_keys_wins_wherever_it_stands(
    keys: list[tuple[tuple[Step, ...], str]],
) -> None:
    # text VRs alone: the others take no letters of other scripts
    typed = [(path, value) for path, value in keys if path[-1].tag in (0x00100010, 0x00100020)]
    utf8 = "SpecificCharacterSet=ISO_IR 192"
    all_keys = [f"{_spell(path)}={value}" for path, value in typed]
    last = [f"{_spell(path)}={value}" for path, value in dict(typed).items()]
    assert _contents(build_identifier(None, [utf8, *all_keys])) == _contents(
        build_identifier(None, [*last, utf8])
    )


@quick
@given(keys=st.lists(st.tuples(paths, values), min_size=1, max_size=6))
def test_building_twice_changes_nothing_and_leaves_the_file_alone(
    keys: list[tuple[tuple[Step, ...], str]],
) -> None:
    typed = [f"{_spell(path)}={value}" for path, value in keys if path[-1].tag == 0x00100010]
    once = build_identifier(None, typed)
    before = _contents(once)
    assert _contents(build_identifier(once, typed)) == before
    build_identifier(once, ["PatientName=other", "SpecificCharacterSet=GB18030"])
    assert _contents(once) == before


def _spell(path: tuple[Step, ...]) -> str:
    return "".join(
        f"({tag >> 16:04x},{tag & 0xFFFF:04x})" + ("" if number is None else f"[{number}].")
        for tag, number in path
    )


def _contents(item: Item) -> bytes:
    return write_item(item, EXPLICIT_VR_LITTLE_ENDIAN)
