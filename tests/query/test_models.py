"""The SOP classes that define C-FIND."""

import pytest
from pydicom._uid_dict import UID_dictionary

from asyncfind.errors import InvalidRequest
from asyncfind.query.models import MODELS, Model, model_of, unique_key

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")


def test_all_22_are_there_once() -> None:
    assert len(MODELS) == 22
    assert len({model.uid for model in MODELS}) == len({model.name for model in MODELS}) == 22


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_uid_and_title_are_those_of_the_standard(model: Model) -> None:
    name, kind, *_ = UID_dictionary[model.uid]
    assert kind == "SOP Class"
    # The titles leave out "Information Model - FIND" and the like.
    words = name.replace(" - ", " ").split()
    assert [word for word in words if word in model.title.split()] == model.title.split()


def test_none_with_find_in_its_name_is_missing() -> None:
    found = {uid for uid, (name, *_) in UID_dictionary.items() if name.endswith(" - FIND")}
    assert len(found) == 13
    assert found <= {model.uid for model in MODELS}


@pytest.mark.parametrize(
    ("name", "uid", "levels", "option"),
    [
        ("patient", "1.2.840.10008.5.1.4.1.2.1.1", LEVELS, "-P"),
        ("study", "1.2.840.10008.5.1.4.1.2.2.1", LEVELS[1:], "-S"),
        ("patient-study", "1.2.840.10008.5.1.4.1.2.3.1", LEVELS[:2], "-O"),
        ("worklist", "1.2.840.10008.5.1.4.31", (), "-W"),
        ("repository", "1.2.840.10008.5.1.4.1.1.201.6", (), ""),
    ],
)
def test_the_models_of_findscu_have_its_options(
    name: str, uid: str, levels: tuple[str, ...], option: str
) -> None:
    model = model_of(name)
    assert (model.uid, model.levels, model.option) == (uid, levels, option)


def test_a_model_is_known_by_name_in_any_case_and_by_uid() -> None:
    for model in MODELS:
        assert model_of(model.uid) is model_of(model.name.upper()) is model


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("worklst", "Did you mean worklist"),
        ("ups", "Did you mean ups-pull or ups-watch or ups-query?"),
        ("1.2.840.10008.1.1", "one of patient, study, patient-study, worklist"),
        ("", "one of patient, study"),
        ("x" * 100_000, "one of patient, study"),
    ],
)
def test_an_unknown_model_is_refused_with_advice(wanted: str, hint: str) -> None:
    with pytest.raises(InvalidRequest, match="unknown information model") as caught:
        model_of(wanted)
    assert hint in caught.value.hint
    assert len(caught.value.text) < 200


@pytest.mark.parametrize(
    ("level", "tag"),
    [
        ("PATIENT", 0x00100020),
        ("STUDY", 0x0020000D),
        ("SERIES", 0x0020000E),
        ("IMAGE", 0x00080018),
    ],
)
def test_every_level_has_a_unique_key(level: str, tag: int) -> None:
    assert unique_key(model_of("patient"), level) == tag


def test_a_level_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no level 'PATIENT'") as caught:
        unique_key(model_of("study"), "PATIENT")
    assert caught.value.hint == "Its levels are STUDY, SERIES, IMAGE."
    with pytest.raises(InvalidRequest, match="no level 'STUDY'") as caught:
        unique_key(model_of("worklist"), "STUDY")
    assert "no levels" in caught.value.hint
