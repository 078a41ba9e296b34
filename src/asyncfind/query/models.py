"""The 22 SOP classes that define C-FIND (PS3.4 Annexes C, K, Q, U, X, CC and their like)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["MODELS", "Model", "model_of", "unique_key"]

_PREFIX: Final = "1.2.840.10008."
_MAX_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Model:
    """An information model.

    Args:
        name: for --model.
        uid: of the SOP class.
        title: as PS3.6 Table A-1 calls it, without the ceremony.
        levels: Query/Retrieve Levels from the top (PS3.4 Section C.6); empty where there are none.
        option: findscu's option for it; empty where it has none.
    """

    name: str
    uid: str
    title: str
    levels: tuple[str, ...] = ()
    option: str = ""


_LEVELS: Final = ("PATIENT", "STUDY", "SERIES", "IMAGE")

MODELS: Final[tuple[Model, ...]] = (
    Model("patient", _PREFIX + "5.1.4.1.2.1.1", "Patient Root Query/Retrieve", _LEVELS, "-P"),
    Model("study", _PREFIX + "5.1.4.1.2.2.1", "Study Root Query/Retrieve", _LEVELS[1:], "-S"),
    Model(
        "patient-study",
        _PREFIX + "5.1.4.1.2.3.1",
        "Patient/Study Only Query/Retrieve",
        _LEVELS[:2],
        "-O",
    ),
    Model("worklist", _PREFIX + "5.1.4.31", "Modality Worklist", option="-W"),
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

_BY_NAME: Final[Mapping[str, Model]] = {
    key: model for model in MODELS for key in (model.name, model.uid)
}

_UNIQUE_KEYS: Final[Mapping[str, int]] = {
    "PATIENT": 0x00100020,  # Patient ID
    "STUDY": 0x0020000D,  # Study Instance UID
    "SERIES": 0x0020000E,  # Series Instance UID
    "IMAGE": 0x00080018,  # SOP Instance UID
}
"""Tags by level (PS3.4 Sections C.6.1.1 and C.6.2.1)."""


def model_of(name_or_uid: str) -> Model:
    """The model with this name, in any case, or with this UID.

    Raises:
        InvalidRequest: there is none.
    """
    wanted = name_or_uid.strip().lower()
    model = _BY_NAME.get(wanted)
    if model is not None:
        return model
    names = [model.name for model in MODELS]
    near = _suggestions(wanted, names)
    raise InvalidRequest(
        f"unknown information model '{safe(name_or_uid, _MAX_NAME)}'",
        f"Did you mean {' or '.join(near)}?"
        if near
        else f"Use the UID of a C-FIND SOP class, or one of {', '.join(names)}.",
    )


def unique_key(model: Model, level: str) -> int:
    """The tag of the unique key of a Query/Retrieve Level (PS3.4 Sections C.6.1.1, C.6.2.1).

    Raises:
        InvalidRequest: the model has no such level.
    """
    if level in model.levels:
        return _UNIQUE_KEYS[level]
    raise InvalidRequest(
        f"{model.title} has no level '{safe(level, _MAX_NAME)}'",
        f"Its levels are {', '.join(model.levels)}."
        if model.levels
        else "It has no levels: leave QueryRetrieveLevel out.",
    )


def _suggestions(wanted: str, names: list[str]) -> list[str]:
    """Names that `wanted` is a part of, else those that look like it."""
    from difflib import get_close_matches

    wanted = wanted[:_MAX_NAME]
    parts = [name for name in names if wanted and wanted in name]
    return parts or get_close_matches(wanted, names, n=3)
