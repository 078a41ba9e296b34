"""The SOP classes that define C-FIND."""

import pytest

from asyncfind.errors import InvalidRequest
from asyncfind.query.models import MODELS, model_of


def test_all_22_are_there_once() -> None:
    assert len(MODELS) == 22
    assert len({model.uid for model in MODELS}) == len({model.name for model in MODELS}) == 22


def test_a_model_is_known_by_name_in_any_case_and_by_uid() -> None:
    assert model_of("Study") is model_of("1.2.840.10008.5.1.4.1.2.2.1")
    assert model_of("worklist").uid == "1.2.840.10008.5.1.4.31"


def test_an_unknown_model_gets_suggestions() -> None:
    with pytest.raises(InvalidRequest) as caught:
        model_of("worklst")
    assert "worklist" in caught.value.hint
