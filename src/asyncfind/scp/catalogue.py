"""What an invented radiology department does: procedures, their series, the machines."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = [
    "CODING_SCHEME",
    "INSTITUTION",
    "MODALITIES",
    "PROCEDURES",
    "Modality",
    "Procedure",
    "SeriesPlan",
]

CODING_SCHEME: Final = "99ASYNCFIND"
"""Coding Scheme Designator of our procedure codes: 99 marks private ones (PS3.16 Section 8.2)."""

INSTITUTION: Final = "Asyncfind General Hospital"


class Modality(NamedTuple):
    """What all series of one modality have in common.

    Args:
        sop_class: SOP Class UID of its instances (PS3.4 Section B.5).
        rows, columns: matrix; 0 where there is no image.
        station: name of the machine, also its AE title in the worklist.
    """

    sop_class: str
    rows: int
    columns: int
    station: str


MODALITIES: Final[dict[str, Modality]] = {
    "CR": Modality("1.2.840.10008.5.1.4.1.1.1", 2010, 1670, "CR_EMERGENCY"),
    "CT": Modality("1.2.840.10008.5.1.4.1.1.2", 512, 512, "CT_NORTH"),
    "DX": Modality("1.2.840.10008.5.1.4.1.1.1.1", 3056, 2544, "DX_ROOM2"),
    "MG": Modality("1.2.840.10008.5.1.4.1.1.1.2", 4096, 3328, "MG_SCREEN"),
    "MR": Modality("1.2.840.10008.5.1.4.1.1.4", 384, 384, "MR_SOUTH"),
    "NM": Modality("1.2.840.10008.5.1.4.1.1.20", 256, 256, "NM_GAMMA"),
    "PT": Modality("1.2.840.10008.5.1.4.1.1.128", 200, 200, "PETCT_1"),
    "RF": Modality("1.2.840.10008.5.1.4.1.1.12.2", 1024, 1024, "RF_FLUORO"),
    "SR": Modality("1.2.840.10008.5.1.4.1.1.88.67", 0, 0, "DOSE_SERVER"),
    "US": Modality("1.2.840.10008.5.1.4.1.1.6.1", 768, 1024, "US_WARD3"),
    "XA": Modality("1.2.840.10008.5.1.4.1.1.12.1", 1024, 1024, "XA_CATHLAB"),
}


class SeriesPlan(NamedTuple):
    """One series of a procedure; it has `least` to `most` instances."""

    modality: str
    description: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Procedure:
    """What can be ordered.

    Args:
        code, meaning: code value and meaning in CODING_SCHEME.
        body_part: Body Part Examined.
        series: a study has the first of them, and mostly all.
        local: descriptions by language; the meaning where a language is missing.
    """

    code: str
    meaning: str
    body_part: str
    series: tuple[SeriesPlan, ...]
    local: dict[str, str] = field(default_factory=dict)

    @property
    def modality(self) -> str:
        """The modality it is ordered on."""
        return self.series[0].modality


def _procedure(code: str, meaning: str, body_part: str, series: str, **local: str) -> Procedure:
    """Args: series: `modality description least most`, parts divided by `|`, series by `;`."""
    plans = []
    for text in series.split(";"):
        modality, description, least, most = text.strip().split("|")
        plans.append(SeriesPlan(modality, description, int(least), int(most)))
    return Procedure(code, meaning, body_part, tuple(plans), local)


PROCEDURES: Final[tuple[Procedure, ...]] = (
    _procedure(
        "CTCH",
        "CT Chest with contrast",
        "CHEST",
        "CT|Topogram|1|2; CT|Lung 1.0 B60f|180|340; CT|Mediastinum 3.0 B30f|60|110; "
        "SR|Dose Report|1|1",
        de="CT Thorax mit Kontrastmittel",
        fr="Scanner thoracique injecté",
        es="TC de tórax con contraste",
        pl="TK klatki piersiowej z kontrastem",
        ru="КТ грудной клетки с контрастом",
        ja="胸部造影CT",
        ko="흉부 조영 CT",
        zh="胸部增强CT",
        el="Αξονική θώρακος με σκιαγραφικό",
        ar="تصوير مقطعي للصدر",
    ),
    _procedure(
        "CTHE",
        "CT Head",
        "HEAD",
        "CT|Topogram|1|1; CT|Head 4.0 H31s|32|48; CT|Bone 1.0 H60s|140|180",
        de="CT Schädel",
        fr="Scanner cérébral",
        es="TC de cráneo",
        pl="TK głowy",
        ru="КТ головы",
        ja="頭部CT",
    ),
    _procedure(
        "CTAB",
        "CT Abdomen and pelvis",
        "ABDOMEN",
        "CT|Topogram|2|2; CT|Arterial 2.0|180|260; CT|Portal venous 2.0|180|260; "
        "SR|Dose Report|1|1",
        de="CT Abdomen und Becken",
        fr="Scanner abdomino-pelvien",
        es="TC de abdomen y pelvis",
        ru="КТ брюшной полости и таза",
        ja="腹部骨盤部CT",
    ),
    _procedure(
        "MRHE",
        "MR Brain",
        "BRAIN",
        "MR|Localizer|3|3; MR|T2 TSE tra|24|36; MR|FLAIR tra|24|36; MR|DWI b0 b1000|48|72; "
        "MR|T1 MPRAGE sag|160|192",
        de="MR Schädel",
        fr="IRM cérébrale",
        es="RM cerebral",
        pl="MR mózgowia",
        ru="МРТ головного мозга",
        ja="頭部MRI",
        ko="뇌 MRI",
        zh="头颅MRI",
        el="Μαγνητική εγκεφάλου",
        ar="رنين مغناطيسي للدماغ",
    ),
    _procedure(
        "MRKN",
        "MR Knee",
        "KNEE",
        "MR|Localizer|3|3; MR|PD FS sag|24|30; MR|PD FS cor|24|30; MR|T1 cor|24|30",
        de="MR Kniegelenk",
        fr="IRM du genou",
        es="RM de rodilla",
        ru="МРТ коленного сустава",
        ja="膝関節MRI",
    ),
    _procedure(
        "MRLS",
        "MR Lumbar spine",
        "LSPINE",
        "MR|Localizer|3|5; MR|T2 TSE sag|13|17; MR|T1 TSE sag|13|17; MR|T2 TSE tra|20|32",
        de="MR Lendenwirbelsäule",
        fr="IRM du rachis lombaire",
        es="RM de columna lumbar",
        ru="МРТ поясничного отдела",
        ja="腰椎MRI",
    ),
    _procedure(
        "DXCH",
        "Chest PA and lateral",
        "CHEST",
        "DX|PA|1|1; DX|Lateral|1|1",
        de="Röntgen Thorax in 2 Ebenen",
        fr="Radiographie pulmonaire face et profil",
        es="Radiografía de tórax PA y lateral",
        pl="RTG klatki piersiowej",
        ru="Рентгенография грудной клетки",
        ja="胸部X線 2方向",
        ko="흉부 X선",
        zh="胸部正侧位片",
        el="Ακτινογραφία θώρακος",
        ar="أشعة الصدر",
    ),
    _procedure(
        "CRHA",
        "Hand left",
        "HAND",
        "CR|Hand|2|3",
        de="Röntgen Hand links",
        fr="Radiographie de la main gauche",
        es="Radiografía de mano izquierda",
        ja="左手X線",
    ),
    _procedure("CRAN", "Ankle right", "ANKLE", "CR|Ankle|2|3", de="Röntgen Sprunggelenk rechts"),
    _procedure(
        "USAB",
        "Abdominal ultrasound",
        "ABDOMEN",
        "US|Abdomen|8|40",
        de="Sonographie Abdomen",
        fr="Échographie abdominale",
        es="Ecografía abdominal",
        pl="USG jamy brzusznej",
        ru="УЗИ брюшной полости",
        ja="腹部超音波",
        ko="복부 초음파",
    ),
    _procedure(
        "USTH", "Thyroid ultrasound", "THYROID", "US|Thyroid|6|20", de="Sonographie Schilddrüse"
    ),
    _procedure(
        "MGSC",
        "Screening mammography",
        "BREAST",
        "MG|R CC|1|1; MG|L CC|1|1; MG|R MLO|1|1; MG|L MLO|1|1",
        de="Mammographie-Screening",
        fr="Mammographie de dépistage",
        es="Mamografía de cribado",
        ja="マンモグラフィ",
    ),
    _procedure(
        "XACO",
        "Coronary angiography",
        "HEART",
        "XA|LCA|6|12; XA|RCA|2|4; SR|Dose Report|1|1",
        de="Koronarangiographie",
        fr="Coronarographie",
        es="Coronariografía",
        ru="Коронарография",
        ja="冠動脈造影",
    ),
    _procedure(
        "PTWB",
        "PET/CT Whole body",
        "WHOLEBODY",
        "PT|WB AC|260|330; CT|WB low dose|260|330; PT|WB NAC|260|330; SR|Dose Report|1|1",
        de="PET/CT Ganzkörper",
        fr="TEP/TDM corps entier",
        ja="全身PET/CT",
    ),
    _procedure("NMBO", "Bone scintigraphy", "WHOLEBODY", "NM|Whole body|2|2; NM|Static|2|6"),
    _procedure("RFSW", "Swallowing study", "ESOPHAGUS", "RF|Swallow|3|9"),
)
