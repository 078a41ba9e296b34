"""The studies that every server under test holds: small, invented, the same on every machine.

Nobody in it exists. Names, dates and numbers are put together from a seed. The people are written
in many character sets, as the patients of a real archive are, and the awkward cases are dealt out
by hand: two patients of one name, a patient without birth date, empty descriptions, a study of
several modalities, numbers that sort badly as text, times with and without fractions.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

__all__ = [
    "PEOPLE",
    "SEED",
    "Archive",
    "Person",
    "invent_instances",
    "new_uid",
    "write_archive",
    "write_file",
]

SEED: Final = 20_240_229
_STUDIES: Final = 40
_UID_ROOT: Final = "1.2.826.0.1.3680043.10.1499.7"
_IMPLEMENTATION: Final = UID(f"{_UID_ROOT}.0")


class Person(NamedTuple):
    """A patient or a physician, in Unicode.

    Args:
        name: PN, with up to three component groups divided by `=` (PS3.5 Section 6.2.1.2).
        charsets: values of Specific Character Set (0008,0005) that this person's files declare;
            none for the default repertoire.
        sex: F, M, O or empty.
        birth_date: DA; empty where nobody knew.
        physician: who referred this person, in the same character sets.
    """

    name: str
    charsets: tuple[str, ...]
    sex: str
    birth_date: str
    physician: str


_JIS: Final = ("", "ISO 2022 IR 87")
_KOREAN: Final = ("", "ISO 2022 IR 149")
_LATIN1: Final = ("ISO_IR 100",)
_UTF8: Final = ("ISO_IR 192",)

PEOPLE: Final[tuple[Person, ...]] = (
    Person("Ashworth^Eleanor^May^Mrs.", (), "F", "19410307", "Quill^Walter^^Dr."),
    Person("Ashworth^Eleanor", (), "F", "19780930", "Quill^Walter^^Dr."),
    Person("O'Kettering^Jasper", (), "M", "19630711", "Redfern^Alice"),
    Person("Lockhart-Wren^Isaac^^^Jr.", (), "M", "20190102", "Redfern^Alice"),
    Person("Barlow^Grace", (), "O", "", "Quill^Walter^^Dr."),
    Person("Unknown", (), "", "", ""),
    Person("Süßmuth^Käthe", _LATIN1, "F", "19350518", "Nüßlein^Jürgen^^Dr. med."),
    Person("Bäumler^Götz", _LATIN1, "M", "19520229", "Nüßlein^Jürgen^^Dr. med."),
    Person("Châtelain^Élodie", _LATIN1, "F", "19890614", "Lefèvre^Benoît"),
    Person("Ibáñez Muñoz^Íñigo", _LATIN1, "M", "20011111", "Echeverría^Mónica"),
    Person("Żurek^Małgorzata", ("ISO_IR 101",), "F", "19660825", "Śliwa^Zdzisław"),
    Person("Журавлёва^Екатерина", ("ISO_IR 144",), "F", "19720404", "Огарёв^Пётр"),
    Person("Фёдоров^Юрий", ("ISO_IR 144",), "M", "19481019", "Огарёв^Пётр"),
    Person("Δημητρίου^Καλλιόπη", ("ISO_IR 126",), "F", "19931203", "Σταθάκης^Σπύρος"),
    Person(
        "Kitagawa^Yuuko=北川^優子=きたがわ^ゆうこ", _JIS, "F", "19570916", "Aoki^Noboru=青木^昇"
    ),
    Person("Hoshino^Ryou=星野^亮=ほしの^りょう", _UTF8, "M", "19840121", "Aoki^Noboru=青木^昇"),
    Person("Seo^Jaeho=徐^在浩=서^재호", _KOREAN, "M", "19750808", "Bae^Sujin=裵^秀珍=배^수진"),
    Person("Liang^Meiling=梁^美玲", ("GB18030",), "F", "19990617", "Shen^Weidong=沈^卫东"),
    Person("الصباغ^ليلى", _UTF8, "F", "20050423", "النجار^طارق"),
    Person("Jabłoński^Łukasz", _UTF8, "M", "19311231", "Śliwa^Zdzisław"),
)


class _Kind(NamedTuple):
    """What was done: procedure, body part, and the modalities its series take turns in."""

    description: str
    body_part: str
    modalities: tuple[str, ...]


_KINDS: Final = (
    _Kind("CT Chest with contrast", "CHEST", ("CT", "CT", "SR")),
    _Kind("MR Brain", "BRAIN", ("MR",)),
    _Kind("Chest PA and lateral", "CHEST", ("DX",)),
    _Kind("", "HAND", ("CR",)),
    _Kind("Abdominal ultrasound * plain?", "ABDOMEN", ("US",)),
)
_LOCAL_DESCRIPTIONS: Final[Mapping[tuple[str, ...], str]] = {
    _LATIN1: "Röntgen Thorax",
    ("ISO_IR 101",): "RTG klatki piersiowej",
    ("ISO_IR 144",): "КТ грудной клетки",
    ("ISO_IR 126",): "Ακτινογραφία θώρακος",
    _JIS: "胸部X線",
    _KOREAN: "흉부 X선",
    ("GB18030",): "胸部正侧位片",
    _UTF8: "胸部 · صدر · klatka",
}
_SOP_CLASSES: Final[Mapping[str, str]] = {
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "SR": "1.2.840.10008.5.1.4.1.1.88.22",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
}
# Both mean two, over any four in a row, so that 40 studies have 80 series and 160 instances.
_SERIES_OF_STUDY: Final = (1, 2, 3, 2)
_INSTANCES_OF_SERIES: Final = (1, 3, 2, 2)
_TIMES: Final = ("0715", "101530", "134502.5", "235959.999999", "")


@dataclass(frozen=True)
class Archive:
    """Everything the servers hold, and where its files are.

    Args:
        folder: of the DICOM files.
        files: one per instance, in the order of `instances`.
        instances: what the files say; character sets already applied by Specific Character Set.
    """

    folder: Path
    files: tuple[Path, ...]
    instances: tuple[Dataset, ...]

    @cached_property
    def patients(self) -> tuple[Dataset, ...]:
        """The first instance of each patient."""
        return _first_of_each(self.instances, "PatientID")

    @cached_property
    def studies(self) -> tuple[Dataset, ...]:
        """The first instance of each study."""
        return _first_of_each(self.instances, "StudyInstanceUID")

    @cached_property
    def series(self) -> tuple[Dataset, ...]:
        """The first instance of each series."""
        return _first_of_each(self.instances, "SeriesInstanceUID")

    def studies_of(self, patient_id: str) -> tuple[Dataset, ...]:
        """The studies of one patient."""
        return tuple(one for one in self.studies if one.PatientID == patient_id)

    def series_of(self, study: str) -> tuple[Dataset, ...]:
        """The series of the study with this Study Instance UID."""
        return tuple(one for one in self.series if study == one.StudyInstanceUID)

    def instances_of(self, series: str) -> tuple[Dataset, ...]:
        """The instances of the series with this Series Instance UID."""
        return tuple(one for one in self.instances if series == one.SeriesInstanceUID)


def new_uid(*numbers: int) -> str:
    """Return a UID that these numbers alone decide."""
    return ".".join((_UID_ROOT, *map(str, numbers)))


def invent_instances(seed: int = SEED) -> Iterator[Dataset]:
    """Yield 160 instances of 80 series of 40 studies, in that order."""
    rng = Random(seed)
    series_count = 0
    # Everybody has one study, and some have more.
    owners = [*range(len(PEOPLE)), *rng.choices(range(len(PEOPLE)), k=_STUDIES - len(PEOPLE))]
    for number, owner in enumerate(owners):
        study = _study(number, owner, rng)
        kind = _KINDS[number % len(_KINDS)]
        for series_number in range(1, _SERIES_OF_STUDY[number % 4] + 1):
            modality = kind.modalities[(series_number - 1) % len(kind.modalities)]
            for instance_number in range(1, _INSTANCES_OF_SERIES[series_count % 4] + 1):
                instance = Dataset()
                instance.update(study)
                _complete(instance, number, series_number, instance_number, modality)
                yield instance
            series_count += 1


def write_archive(folder: Path, seed: int = SEED) -> Archive:
    """Write the instances as files into `folder`, which need not exist.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    instances = tuple(invent_instances(seed))
    files = tuple(folder / f"{number:04d}.dcm" for number in range(len(instances)))
    for file, instance in zip(files, instances, strict=True):
        write_file(file, instance)
    return Archive(folder=folder, files=files, instances=instances)


def write_file(file: Path, dataset: Dataset) -> None:
    """Write `dataset` as a DICOM file, explicit VR little endian (PS3.10 Section 7).

    Raises:
        OSError: the file cannot be written.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION
    whole = FileDataset(file, dataset, file_meta=meta, preamble=bytes(128))
    whole.save_as(file, enforce_file_format=True)


def _study(number: int, owner: int, rng: Random) -> Dataset:
    """What all instances of study `number` share; it belongs to person number `owner`."""
    person = PEOPLE[owner]
    kind = _KINDS[number % len(_KINDS)]
    day = date(2024, 2, 29) - timedelta(days=int(rng.random() * 2000))
    study = Dataset()
    if person.charsets:
        study.SpecificCharacterSet = list(person.charsets)
    study.PatientName = person.name
    study.PatientID = f"P{(owner * 7919 + 104_729) % 1_000_000:06d}"
    study.PatientBirthDate = person.birth_date
    study.PatientSex = person.sex
    study.StudyInstanceUID = new_uid(number + 1)
    study.StudyDate = f"{day:%Y%m%d}"
    study.StudyTime = _TIMES[number % len(_TIMES)]
    study.StudyID = str(number + 1)
    study.AccessionNumber = f"A{20_000 + number}" if number % 7 else ""
    study.ReferringPhysicianName = person.physician
    # Twice as often in the language of the patient as in English, where there is one.
    local = _LOCAL_DESCRIPTIONS.get(person.charsets, "")
    study.StudyDescription = local if local and number % 3 else kind.description
    study.InstitutionName = "Asyncfind General Hospital"
    return study


def _complete(
    instance: Dataset, study: int, series_number: int, instance_number: int, modality: str
) -> None:
    """Add what belongs to the series and to the instance itself."""
    instance.Modality = modality
    instance.SeriesInstanceUID = new_uid(study + 1, series_number)
    instance.SeriesNumber = series_number
    instance.SeriesDescription = f"{modality} series {series_number}" if series_number > 1 else ""
    instance.SeriesDate = instance.StudyDate
    instance.SeriesTime = instance.StudyTime
    instance.BodyPartExamined = _KINDS[study % len(_KINDS)].body_part
    instance.SOPClassUID = _SOP_CLASSES[modality]
    instance.SOPInstanceUID = new_uid(study + 1, series_number, instance_number)
    instance.InstanceNumber = instance_number
    instance.ContentDate = instance.StudyDate
    instance.ContentTime = instance.StudyTime


def _first_of_each(instances: Iterable[Dataset], keyword: str) -> tuple[Dataset, ...]:
    found: dict[str, Dataset] = {}
    for instance in instances:
        found.setdefault(str(instance[keyword].value), instance)
    return tuple(found.values())
