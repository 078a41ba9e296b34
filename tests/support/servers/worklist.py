"""Invented worklists: the scheduled procedure steps of the invented people."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

from pydicom.dataset import Dataset

from servers.studies import PEOPLE, SEED, new_uid, write_file

__all__ = ["EMPTY_WORKLIST", "invent_worklists", "write_worklists"]

EMPTY_WORKLIST: Final = "NOTHING_TODAY"
"""An AE title whose worklist exists and is empty."""

_MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
# Station name (also AE title of the worklist), modality, what is done there, how many people.
_STATIONS: Final = (
    ("CT_NORTH", "CT", "CT Chest with contrast", 12),
    ("MR_SOUTH", "MR", "MR Brain", 7),
    ("US_WARD3", "US", "Abdominal ultrasound", 1),
)


def invent_worklists(seed: int = SEED) -> dict[str, tuple[Dataset, ...]]:
    """Return the scheduled procedure steps of each AE title: 12, 7, 1 and none."""
    rng = Random(f"worklist {seed}")
    worklists: dict[str, tuple[Dataset, ...]] = {}
    first = 0
    for station, modality, description, count in _STATIONS:
        worklists[station] = tuple(
            _entry(number, station, modality, description, rng)
            for number in range(first, first + count)
        )
        first += count
    worklists[EMPTY_WORKLIST] = ()
    return worklists


def write_worklists(folder: Path, worklists: Mapping[str, Sequence[Dataset]]) -> None:
    """Write worklist files as wlmscpfs wants them: a folder per AE title, with a lock file.

    Raises:
        OSError: a file cannot be written.
    """
    for title, entries in worklists.items():
        place = folder / title
        place.mkdir(parents=True)
        (place / "lockfile").touch()
        for number, entry in enumerate(entries):
            write_file(place / f"{number:03d}.wl", entry)


def _entry(number: int, station: str, modality: str, description: str, rng: Random) -> Dataset:
    """One scheduled procedure step, with all that wlmscpfs insists on (PS3.4 Table K.6-1)."""
    person = PEOPLE[number % len(PEOPLE)]
    day = date(2024, 3, 1) + timedelta(days=int(rng.random() * 3))
    step = Dataset()
    step.Modality = modality
    step.ScheduledStationAETitle = station
    step.ScheduledStationName = station
    step.ScheduledProcedureStepStartDate = f"{day:%Y%m%d}"
    step.ScheduledProcedureStepStartTime = f"{8 + number % 10:02d}{rng.choice((0, 20, 40)):02d}00"
    step.ScheduledPerformingPhysicianName = person.physician
    step.ScheduledProcedureStepDescription = description
    step.ScheduledProcedureStepID = f"SPS{number + 1}"

    entry = Dataset()
    if person.charsets:
        entry.SpecificCharacterSet = list(person.charsets)
    # Not part of a worklist answer, but a file needs them (PS3.10 Section 7.1).
    entry.SOPClassUID = _MODALITY_WORKLIST
    entry.SOPInstanceUID = new_uid(900, number + 1)
    entry.AccessionNumber = f"W{number + 1:05d}"
    entry.ReferringPhysicianName = person.physician
    entry.PatientName = person.name
    entry.PatientID = f"P{(number * 7919 + 104_729) % 1_000_000:06d}"
    entry.PatientBirthDate = person.birth_date
    entry.PatientSex = person.sex
    entry.StudyInstanceUID = new_uid(901, number + 1)
    entry.RequestingPhysician = person.physician
    entry.RequestedProcedureDescription = description
    entry.RequestedProcedureID = f"RP{number + 1}"
    entry.RequestedProcedurePriority = "ROUTINE"
    entry.ScheduledProcedureStepSequence = [step]
    return entry
