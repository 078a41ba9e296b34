"""Rows: what a patient, study, series, instance and worklist item consist of.

Series and instances follow from their study by arithmetic; they are stored nowhere.
"""

from collections.abc import Iterator
from typing import Final

from asyncfind.scp.catalogue import MODALITIES, PROCEDURES, Procedure

__all__ = [
    "IMAGE_COLUMNS",
    "PATIENT_COLUMNS",
    "SERIES_COLUMNS",
    "STUDY_COLUMNS",
    "WORKLIST_COLUMNS",
    "Row",
    "format_time",
    "instance_count",
    "instances_of",
    "series_of",
]

Row = tuple[str | int, ...]
"""One patient, study, series, instance or worklist item; the *_COLUMNS say what is where."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PATIENT_COLUMNS: Final = _names(
    "patient_id issuer patient_name sex birth_date charset "
    "patient_studies patient_series patient_instances"
)
STUDY_COLUMNS: Final = _names(
    "study_uid study_date study_time accession study_id study_description modalities sop_classes "
    "referring age weight code code_meaning study_series study_instances salt"
)
SERIES_COLUMNS: Final = _names(
    "series_uid modality series_number series_description series_date series_time body_part "
    "protocol station manufacturer series_instances"
)
IMAGE_COLUMNS: Final = _names(
    "sop_uid sop_class image_type instance_number content_date content_time acquired rows columns"
)
WORKLIST_COLUMNS: Final = _names(
    "accession study_uid procedure_id procedure_description code code_meaning priority requesting "
    "referring admission location weight pregnancy step_id step_date step_time step_description "
    "step_status modality station_aet station performing"
)


def instance_count(procedure: Procedure, salt: int, index: int) -> int:
    """How many instances series `index` of a study has."""
    plan = procedure.series[index]
    return plan.least + salt // (7 * index + 1) % (plan.most - plan.least + 1)


def format_time(second: int) -> str:
    """Seconds of the day as TM; empty where negative."""
    if second < 0:
        return ""
    minute, second = divmod(second % 86_400, 60)
    hour, minute = divmod(minute, 60)
    return f"{hour:02d}{minute:02d}{second:02d}"


_STUDY: Final = {name: index for index, name in enumerate(PATIENT_COLUMNS + STUDY_COLUMNS)}
_PROCEDURE_OF: Final = {procedure.code: procedure for procedure in PROCEDURES}
_MANUFACTURERS: Final = ("Acme Imaging", "Borealis Medical", "Cormorant Systems")


def series_of(study: Row) -> Iterator[Row]:
    """Yield the series of a row of `studies`, in SERIES_COLUMNS."""
    procedure = _PROCEDURE_OF[str(study[_STUDY["code"]])]
    uid, day = study[_STUDY["study_uid"]], study[_STUDY["study_date"]]
    begun = _seconds(str(study[_STUDY["study_time"]]))
    salt = int(study[_STUDY["salt"]])
    for index in range(int(study[_STUDY["study_series"]])):
        plan = procedure.series[index]
        yield (
            f"{uid}.{index + 1}",
            plan.modality,
            index + 1,
            plan.description,
            day,
            format_time(begun + 120 * index if begun >= 0 else -1),
            procedure.body_part,
            plan.description,
            MODALITIES[plan.modality].station,
            _MANUFACTURERS[salt % len(_MANUFACTURERS)],
            instance_count(procedure, salt, index),
        )


def instances_of(series: Row) -> Iterator[Row]:
    """Yield the instances of a row of `series_of`, in IMAGE_COLUMNS."""
    uid, modality, _, _, day, time, *_, count = series
    sop_class, rows, columns, _ = MODALITIES[str(modality)]
    begun = _seconds(str(time))
    for index in range(int(count)):
        moment = format_time(begun + index // 4 if begun >= 0 else -1)
        yield (
            f"{uid}.{index + 1}",
            sop_class,
            "ORIGINAL\\PRIMARY",
            index + 1,
            day,
            moment,
            f"{day}{moment}",
            rows or "",
            columns or "",
        )


def _seconds(time: str) -> int:
    return int(time[:2]) * 3600 + int(time[2:4]) * 60 + int(time[4:]) if time else -1
