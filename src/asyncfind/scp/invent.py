"""Invented studies and worklist items, as rows."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Final

from asyncfind.scp.catalogue import MODALITIES, PROCEDURES, Procedure
from asyncfind.scp.people import CULTURES, Person, physician
from asyncfind.scp.rows import Row, format_time, instance_count

__all__ = ["age", "physicians_of", "steps_of", "studies_of"]

_DAYS_KEPT: Final = 8 * 365
_PRIORITIES: Final = ("ROUTINE", "ROUTINE", "ROUTINE", "HIGH", "STAT")
_WARDS: Final = ("OUTPATIENT", "WARD 2", "WARD 3", "WARD 5", "ICU", "EMERGENCY")
_PHYSICIANS: Final = 30
_PROCEDURE_OF: Final = {procedure.code: procedure for procedure in PROCEDURES}


def _shapes() -> Iterator[tuple[Procedure, int]]:
    """Procedures with their numbers of series, all of them four times as often as less."""
    for procedure in PROCEDURES:
        full = len(procedure.series)
        for planned in range(max(1, full - 1), full + 1):
            yield from [(procedure, planned)] * (4 if planned == full else 1)


_SHAPES: Final = tuple(_shapes())


def studies_of(
    count: int,
    persons: Sequence[Person],
    counts: list[list[int]],
    physicians: dict[str, list[str]],
    today: date,
    rng: Random,
) -> Iterator[Row]:
    """Yield rows of `studies`; adds each study to its patient's `counts`."""
    chance = rng.random
    days = _days(today)
    for number in range(count):
        patient = number if number < len(persons) else int(chance() ** 1.5 * len(persons))
        person = persons[patient]
        procedure, planned = _SHAPES[int(chance() * len(_SHAPES))]
        if procedure.modality == "MG" and person.sex != "F":
            procedure, planned = _SHAPES[0]
        salt = int(chance() * 1_000_000)
        day = max(days[int(chance() * len(days))], person.birth_date)
        second = 25_000 + int(chance() * 45_000) if chance() >= 0.01 else -1
        instances = sum(instance_count(procedure, salt, index) for index in range(planned))
        modalities, sop_classes = _contents(procedure.code, planned)
        total = counts[patient]
        total[0] += 1
        total[1] += planned
        total[2] += instances
        names = physicians[person.culture.language]
        yield (
            patient + 1,
            _uid(rng),
            day,
            format_time(second),
            f"A{number * 104_729 % 99_999_989:08d}" if chance() >= 0.01 else "",
            str(10_000 + number),
            procedure.local.get(person.culture.language, procedure.meaning),
            modalities,
            sop_classes,
            names[int(chance() * len(names))],
            age(person.birth_date, day),
            f"{45 + salt % 500 / 10:.1f}",
            procedure.code,
            procedure.meaning,
            planned,
            instances,
            salt,
        )


def steps_of(
    count: int,
    persons: Sequence[Person],
    physicians: dict[str, list[str]],
    today: date,
    rng: Random,
) -> Iterator[Row]:
    """Yield rows of `worklist`: steps from yesterday to five days ahead, on the quarter hour."""
    chance = rng.random
    for number in range(count):
        patient = int(chance() * len(persons))
        person = persons[patient]
        procedure = PROCEDURES[int(chance() * len(PROCEDURES))]
        description = procedure.local.get(person.culture.language, procedure.meaning)
        names = physicians[person.culture.language]
        station = MODALITIES[procedure.modality].station
        day = today + timedelta(days=int(chance() * 7) - 1)
        yield (
            patient + 1,
            f"W{number * 7919 % 9_999_991:07d}",
            _uid(rng),
            f"RP{number:06d}",
            description,
            procedure.code,
            procedure.meaning,
            _PRIORITIES[int(chance() * len(_PRIORITIES))],
            names[int(chance() * len(names))],
            names[int(chance() * len(names))],
            f"ADM{int(chance() * 100_000):05d}",
            _WARDS[int(chance() * len(_WARDS))],
            f"{45 + int(chance() * 500) / 10:.1f}",
            4 if person.sex == "F" else 1,
            f"SPS{number:06d}",
            f"{day:%Y%m%d}",
            format_time(25_200 + 900 * int(chance() * 44)),
            description,
            "SCHEDULED",
            procedure.modality,
            station,
            station,
            names[int(chance() * len(names))],
        )


def physicians_of(rng: Random) -> dict[str, list[str]]:
    """Names of physicians by language."""
    return {
        culture.language: sorted({physician(culture, rng) for _ in range(_PHYSICIANS)})
        for culture in CULTURES
    }


def _days(today: date) -> list[str]:
    """The days before `today` as DA, working days five times as often as the others."""
    days: list[str] = []
    for back in range(1, _DAYS_KEPT):
        day = today - timedelta(days=back)
        days += [f"{day:%Y%m%d}"] * (5 if day.weekday() < 5 else 1)
    return days


def _uid(rng: Random) -> str:
    """A UID made of a random UUID (PS3.5 Section B.2)."""
    bits = rng.getrandbits(128)
    return f"2.25.{bits & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)}"


def age(birth_date: str, day: str) -> str:
    """Age on `day` as AS: in months below two years."""
    if not birth_date:
        return ""
    months = (int(day[:4]) - int(birth_date[:4])) * 12 + int(day[4:6]) - int(birth_date[4:6])
    months -= day[6:] < birth_date[6:]
    return f"{months // 12:03d}Y" if months >= 24 else f"{max(months, 0):03d}M"


@cache
def _contents(procedure: str, planned: int) -> tuple[str, str]:
    """Modalities and SOP classes of a procedure's first `planned` series, divided by backslash."""
    plans = _PROCEDURE_OF[procedure].series[:planned]
    modalities = dict.fromkeys(plan.modality for plan in plans)
    return "\\".join(modalities), "\\".join(MODALITIES[name].sop_class for name in modalities)
