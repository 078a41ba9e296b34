"""Invented people: names in many scripts, each with the character set an archive keeps them in.

Nobody here exists. Family and given names are common ones of their language, put together by
chance from a seed; the same seed gives the same people on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final, NamedTuple

__all__ = ["CULTURES", "Culture", "Person", "people", "physician"]


@dataclass(frozen=True, slots=True)
class Culture:
    """Where a person's name comes from.

    A name part may hold up to three component groups (PS3.5 Section 6.2.1.2) divided by `=`:
    alphabetic, ideographic, phonetic.

    Args:
        language: ISO 639-1 code, by which local study descriptions are chosen.
        charsets: the values of Specific Character Set (0008,0005); empty for the default
            repertoire (PS3.3 Section C.12.1.1.2).
        weight: how often, relative to the others.
        families: family names.
        women, men: given names.
        women_families: family names of women, where they differ.
        doctor: name prefix of physicians (fourth component of PN); may be empty.
    """

    language: str
    charsets: tuple[str, ...]
    weight: int
    families: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    women_families: tuple[str, ...] = ()
    doctor: str = ""


class Person(NamedTuple):
    """A patient.

    Args:
        name: as PN, in Unicode.
        sex: F, M or O.
        birth_date: DA; empty where nobody knew.
        patient_id: unique among the people of one seed.
        culture: whose charsets the archive uses for this person.
    """

    name: str
    sex: str
    birth_date: str
    patient_id: str
    culture: Culture


_JAPANESE_FAMILIES: Final = (
    "Ookubo=大久保=おおくぼ Kitagawa=北川=きたがわ Hoshino=星野=ほしの Mizushima=水島=みずしま "
    "Nagai=永井=ながい Shirai=白井=しらい Takeuchi=竹内=たけうち Fujisaki=藤崎=ふじさき "
    "Murata=村田=むらた Aoki=青木=あおき Kurosawa=黒沢=くろさわ Hamada=浜田=はまだ"
)
_JAPANESE_WOMEN: Final = (
    "Misaki=美咲=みさき Haruka=春香=はるか Sakura=桜=さくら Chihiro=千尋=ちひろ "
    "Yuuko=優子=ゆうこ Naomi=直美=なおみ Emi=恵美=えみ Aiko=愛子=あいこ"
)
_JAPANESE_MEN: Final = (
    "Kenta=健太=けんた Daisuke=大輔=だいすけ Shinji=真司=しんじ Ryou=亮=りょう "
    "Kazuya=和也=かずや Satoru=悟=さとる Noboru=昇=のぼる Makoto=誠=まこと"
)


def _culture(
    language: str,
    charsets: str,
    weight: int,
    families: str,
    women: str,
    men: str,
    women_families: str = "",
    doctor: str = "",
) -> Culture:
    return Culture(
        language,
        tuple(charsets.split("\\")) if charsets else (),
        weight,
        tuple(families.split()),
        tuple(women.split()),
        tuple(men.split()),
        tuple(women_families.split()),
        doctor,
    )


CULTURES: Final[tuple[Culture, ...]] = (
    _culture(
        "en",
        "",
        26,
        "Ashworth Barlow Calloway Dunmore Ellery Fairburn Garside Hathaway Ingram Kettering "
        "Lockhart Merriweather Northcott Oakes Pemberton Quill Redfern Stanhope Thornbury Wren",
        "Alice Beatrice Clara Dorothy Eleanor Florence Grace Harriet Imogen June Margaret Rose",
        "Albert Benjamin Charles Duncan Edward Frederick George Henry Isaac Jasper Oliver Walter",
        doctor="Dr.",
    ),
    _culture(
        "de",
        "ISO_IR 100",
        16,
        "Bäumler Dörfler Fröhlich Grünwald Höfner Jäger Köhler Lößnitz Mühlbauer Nüßlein "
        "Oßwald Präger Röttgen Schäfer Strauß Süßmuth Übelacker Vögele Weißhaupt Zöllner",
        "Annelie Birgit Cäcilia Dörte Edeltraud Friederike Gisela Hannelore Käthe Marlies Renate",
        "Bernhard Dieter Eckart Götz Heinz Jürgen Karsten Lothar Matthäus Rüdiger Sönke Wolfgang",
        doctor="Dr. med.",
    ),
    _culture(
        "fr",
        "ISO_IR 100",
        10,
        "Bérenger Châtelain Décampe Frémont Guérin Hébrard Lefèvre Marçais Noël Pélissier "
        "Quéméner Rémusat Sévigny Thévenot Vigné",
        "Adèle Béatrice Céline Élodie Françoise Geneviève Hélène Inès Léa Mélanie Zoé",
        "André Benoît Clément Désiré François Gérard Hervé Jérôme Loïc Noël René Théo",
        doctor="Dr",
    ),
    _culture(
        "es",
        "ISO_IR 100",
        10,
        "Álvarez Briceño Cáceres Domínguez Echeverría Fariñas Gámez Ibáñez Jiménez Lázaro "
        "Muñoz Núñez Ordóñez Peña Quiñones Ríos Sáenz Téllez Urquiñaona Yáñez",
        "Asunción Belén Concepción Dolores Encarnación Inés Itziar Lucía Mónica Rocío Verónica",
        "Adrián Álvaro Andrés Fermín Germán Íñigo Jesús Martín Óscar Ramón Tomás Víctor",
        doctor="Dr.",
    ),
    _culture(
        "pl",
        "ISO_IR 101",
        5,
        "Błażejczak Dąbek Gąsior Jabłoński Kłos Łęcki Mączka Nowiński Pęczak Śliwa Wróbel Żurek",
        "Agnieszka Bożena Elżbieta Grażyna Małgorzata Łucja Stanisława",
        "Bogusław Zdzisław Grzegorz Kazimierz Łukasz Paweł Wacław",
        "Błażejczak Dąbek Gąsior Jabłońska Kłos Łęcka Mączka Nowińska Pęczak Śliwa Wróbel Żurek",
    ),
    _culture(
        "ru",
        "ISO_IR 144",
        9,
        "Белозёров Воронцов Горшков Дубровин Ежов Журавлёв Зимин Каменев Лебедев Мельников "
        "Огарёв Полянский Рябинин Снегирёв Тихонов Фёдоров Щукин Ясенев",
        "Анна Варвара Галина Дарья Екатерина Зоя Ирина Людмила Надежда Ольга Татьяна",
        "Алексей Борис Виктор Григорий Дмитрий Евгений Игорь Константин Пётр Сергей Юрий",
        "Белозёрова Воронцова Горшкова Дубровина Ежова Журавлёва Зимина Каменева Лебедева "
        "Мельникова Огарёва Полянская Рябинина Снегирёва Тихонова Фёдорова Щукина Ясенева",
    ),
    # A first value left empty is ISO 646 (PS3.5 Section H.3.1 shows such a name).
    _culture("ja", "\\ISO 2022 IR 87", 9, _JAPANESE_FAMILIES, _JAPANESE_WOMEN, _JAPANESE_MEN),
    _culture("ja", "ISO_IR 192", 3, _JAPANESE_FAMILIES, _JAPANESE_WOMEN, _JAPANESE_MEN),
    _culture(
        "ko",
        "ISO_IR 192",
        4,
        "Bae=裵=배 Cho=趙=조 Han=韓=한 Kang=姜=강 Lim=林=임 Moon=文=문 Seo=徐=서 Yoon=尹=윤",
        "Eunji=恩智=은지 Hayun=夏潤=하윤 Jiwon=智媛=지원 Minseo=敏瑞=민서 Sujin=秀珍=수진",
        "Dohyun=道賢=도현 Jaeho=在浩=재호 Junseo=俊瑞=준서 Sangmin=相旻=상민 Taeyang=太陽=태양",
    ),
    _culture(
        "zh",
        "ISO_IR 192",
        3,
        "Chen=陈 Gao=高 Huang=黄 Liang=梁 Qian=钱 Shen=沈 Xu=徐 Zhou=周",
        "Lihua=丽华 Meiling=美玲 Xiaoyan=晓燕 Yuzhen=玉珍",
        "Guoqiang=国强 Jianjun=建军 Weidong=卫东 Zhiyuan=志远",
    ),
    _culture(
        "el",
        "ISO_IR 192",
        3,
        "Αγγελόπουλος Βλαχάκης Γαλάνης Δημητρίου Ζαφείρης Κουρτίδης Λαμπράκης Σταθάκης",
        "Αθηνά Δέσποινα Ελένη Καλλιόπη Μυρτώ Σοφία Χρυσάνθη",
        "Αντώνης Γιώργος Δημήτρης Κώστας Νικόλαος Σπύρος Χρήστος",
        "Αγγελοπούλου Βλαχάκη Γαλάνη Δημητρίου Ζαφείρη Κουρτίδη Λαμπράκη Σταθάκη",
    ),
    _culture(
        "ar",
        "ISO_IR 192",
        2,
        "الحداد النجار الخطيب الصباغ القاسم الشريف العطار",
        "أمينة جميلة زينب سلمى فاطمة ليلى نور",
        "أحمد جمال خالد سامي طارق عمر يوسف",
    ),
)
_TOTAL_WEIGHT: Final = sum(culture.weight for culture in CULTURES)
_DAYS: Final = 34_000
_LATEST_BIRTH: Final = date(2025, 6, 30)


def people(count: int, seed: int) -> Iterator[Person]:
    """Yield `count` patients; one in a hundred has no birth date, one in a hundred sex O."""
    rng = Random(f"people {seed}")
    chance = rng.random
    cultures = [culture for culture in CULTURES for _ in range(culture.weight)]
    for number in range(count):
        culture = cultures[int(chance() * _TOTAL_WEIGHT)]
        woman = chance() < 0.5
        sex = "F" if woman else "M"
        if chance() < 0.01:
            sex = "O"
        # The square root makes more of them old, as in a real archive.
        age = int(_DAYS * chance() ** 0.5)
        birth_date = f"{_LATEST_BIRTH - timedelta(days=age):%Y%m%d}" if chance() >= 0.01 else ""
        # 7919 is coprime to the modulus, so that no two numbers of one seed collide.
        patient_id = f"P{(number * 7919 + seed * 104_729 + 1_000_003) % 9_999_991:07d}"
        yield Person(_name(culture, woman, rng), sex, birth_date, patient_id, culture)


def physician(culture: Culture, rng: Random) -> str:
    """A physician's name as PN."""
    name = _name(culture, rng.random() < 0.5, rng)
    return f"{name}^^{culture.doctor}" if culture.doctor else name


def _name(culture: Culture, woman: bool, rng: Random) -> str:
    families = culture.women_families if woman and culture.women_families else culture.families
    givens = culture.women if woman else culture.men
    family = families[int(rng.random() * len(families))]
    given = givens[int(rng.random() * len(givens))]
    if "=" not in family:
        return f"{family}^{given}"
    pairs = zip(family.split("="), given.split("="), strict=True)
    return "=".join(f"{left}^{right}" for left, right in pairs)
