"""The SOP classes that define C-FIND (PS3.4 Annexes C, K, Q, U, X, CC and others)."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["MODELS", "Model", "model_of"]

_PREFIX: Final = "1.2.840.10008."


@dataclass(frozen=True, slots=True)
class Model:
    """An information model.

    Args:
        name: for --model.
        uid: of the SOP class.
        title: as PS3.6 calls it, without the ceremony.
        levels: Query/Retrieve Levels from the top (PS3.4 C.6); empty where there are none.
    """

    name: str
    uid: str
    title: str
    levels: tuple[str, ...] = ()


_PATIENT: Final = ("PATIENT", "STUDY", "SERIES", "IMAGE")

MODELS: Final = (
    Model("patient", _PREFIX + "5.1.4.1.2.1.1", "Patient Root Query/Retrieve", _PATIENT),
    Model("study", _PREFIX + "5.1.4.1.2.2.1", "Study Root Query/Retrieve", _PATIENT[1:]),
    Model(
        "patient-study",
        _PREFIX + "5.1.4.1.2.3.1",
        "Patient/Study Only Query/Retrieve",
        _PATIENT[:2],
    ),
    Model("worklist", _PREFIX + "5.1.4.31", "Modality Worklist"),
    Model("ups-pull", _PREFIX + "5.1.4.34.6.3", "Unified Procedure Step Pull"),
    Model("ups-watch", _PREFIX + "5.1.4.34.6.2", "Unified Procedure Step Watch"),
    Model("ups-query", _PREFIX + "5.1.4.34.6.5", "Unified Procedure Step Query"),
    Model("hanging-protocol", _PREFIX + "5.1.4.38.2", "Hanging Protocol"),
    Model("color-palette", _PREFIX + "5.1.4.39.2", "Color Palette"),
    Model("implant", _PREFIX + "5.1.4.43.2", "Generic Implant Template"),
    Model("implant-assembly", _PREFIX + "5.1.4.44.2", "Implant Assembly Template"),
    Model("implant-group", _PREFIX + "5.1.4.45.2", "Implant Template Group"),
    Model("relevant-general", _PREFIX + "5.1.4.37.1", "General Relevant Patient Information"),
    Model("relevant-breast", _PREFIX + "5.1.4.37.2", "Breast Imaging Relevant Patient Information"),
    Model("relevant-cardiac", _PREFIX + "5.1.4.37.3", "Cardiac Relevant Patient Information"),
    Model("product", _PREFIX + "5.1.4.41", "Product Characteristics"),
    Model("substance", _PREFIX + "5.1.4.42", "Substance Approval"),
    Model("defined-protocol", _PREFIX + "5.1.4.20.1", "Defined Procedure Protocol"),
    Model("protocol-approval", _PREFIX + "5.1.4.1.1.200.4", "Protocol Approval"),
    Model("inventory", _PREFIX + "5.1.4.1.1.201.2", "Inventory"),
    Model("repository", _PREFIX + "5.1.4.1.1.201.6", "Repository Query"),
    Model("gp-worklist", _PREFIX + "5.1.4.32.1", "General Purpose Worklist"),
)

_BY_NAME: Final = {key: model for model in MODELS for key in (model.name, model.uid)}


def model_of(name: str) -> Model:
    """The model with this name, in any case, or this UID.

    Raises:
        InvalidRequest: there is none.
    """
    model = _BY_NAME.get(name.lower())
    if model is None:
        near = get_close_matches(name.lower(), _BY_NAME, n=3)
        known = ", ".join(near or (model.name for model in MODELS))
        raise InvalidRequest(
            f"unknown information model {safe(name, 64)!r}",
            f"Did you mean {known}?" if near else f"Known are {known}.",
        )
    return model
