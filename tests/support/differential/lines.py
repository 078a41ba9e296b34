"""Command lines of findscu, made from a seed."""

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from differential.datasets import (
    SYNTAXES,
    Element,
    change_byte,
    cut_off,
    cut_up,
    data_set,
    invent,
    is_sorted,
    misalign,
    spoil,
)
from differential.peers import (
    READ,
    RELEASE,
    SCRIPTS,
    Event,
    ac,
    command,
    explicit,
    final,
    p_data,
    pdv,
)

__all__ = ["Case", "generate"]


@dataclass(frozen=True)
class Case:
    """One command line.

    Args:
        peer: `dcmqrscp`, `wlmscpfs`, `none`, or the name of a script.
        events: of a script of its own; none where the name says it all.
        files: that it finds besides the ones there always are, by name.
    """

    number: int
    peer: str
    argv: tuple[str, ...]
    events: tuple[Event, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()

    @property
    def script(self) -> Sequence[Event]:
        """What a scripted peer is to do."""
        return self.events or SCRIPTS[self.peer]

    def __str__(self) -> str:
        return f"{self.number}: {self.peer}: {' '.join(self.argv)}"


_LEVELS = {
    "-P": ("PATIENT", "STUDY", "SERIES", "IMAGE", "NONSENSE"),
    "-S": ("STUDY", "SERIES", "IMAGE", "PATIENT"),
    "-O": ("PATIENT", "STUDY", "SERIES"),
}
_RETURN_KEYS = (
    *("PatientName", "PatientID", "0010,0030", "(0010,0040)", "StudyDate", "StudyTime"),
    *("AccessionNumber", "StudyID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("SOPInstanceUID", "SOPClassUID", "InstanceNumber", "0x0020,0x0011", "ModalitiesInStudy"),
    *("StudyDescription", "NumberOfStudyRelatedInstances", "0020,1206", "ReferringPhysicianName"),
)
_MATCHES = (
    *("PatientName=*", "PatientName=A*", "PatientName=*a*", "PatientID=*1*", "PatientSex=F"),
    *("StudyDate=20200101-", "StudyDate=-20221231", "StudyTime=080000-120000"),
    *("PatientName=NOBODY", "ModalitiesInStudy=CT\\MR", "0008,0005=ISO_IR 192"),
    *("StudyDescription=?*", "0010,0010=*^*", "PatientName==", "AccessionNumber=A=B"),
)
_STEP = "ScheduledProcedureStepSequence"
_WORKLIST_KEYS = (
    *("PatientName", "PatientID", "AccessionNumber", "PatientName=*a*", "RequestedProcedureID"),
    *(f"{_STEP}[0].Modality=CT", f"{_STEP}[0].Modality", "(0040,0100)[0].(0040,0001)"),
    *(f"{_STEP}[0].ScheduledProcedureStepStartDate=20000101-20301231", "StudyInstanceUID"),
    *(f"{_STEP}[0].0040,0006", f"{_STEP}", "ReferencedStudySequence[0].ReferencedSOPClassUID"),
)
_ODD_KEYS = (
    *("", "=X", "Bogus", "Bogus=1", "patientname", "PatientsName", "RETIRED_OtherPatientIDs"),
    *("OtherPatientIDs=1", "(0010,0010", "(0010,0010)x", "0010,0010x=1", "00100010=1"),
    *("0010-0010", "10,10=A", " 0x10,0x20=B", "0010, 0020=C", "(0010,0010,9)=D", "110010,0010=E"),
    *("(PatientName)=F", "(0040,0100)=X", "(0040,0100)", "(0040,0100)=", "0040,0100[0]"),
    *("(0040,0100)[2].Modality=CT", "(0040,0100)[-1].Modality", "(0040,0100)[*].Modality"),
    *("(0040,0100)[x].Modality", "(0040,0100)[0]xModality=MR", "(0040,0100)[0].", "PatientName[0]"),
    *("(0040,0100).Modality", "(0040,0100)[0]=X", "(0040,0100)[0].Bogus=1", "*=1", "PatientID=*"),
    *("(0028,0010)=512", "(0028,0010)=70000", "(0028,0010)=-1", "(0028,0010)=1\\2\\3"),
    *("(0028,0010)=abc", "(0028,0010)=1.5x", "(0028,0010)=1\\", "(0028,0010)= 7"),
    *("(0018,9087)=1.5", "(0018,9087)=1e5\\-2.25", "(0018,9087)=x", "(0018,9087)=.5"),
    *("(0028,0009)=(0018,1063)", "(0028,0009)=0018,1063", "(0028,0009)=(1,2)\\(a,b)"),
    *("(0042,0011)=1\\2\\ff", "(0042,0011)=foo", "(0042,0011)=zz", "(7fe0,0010)=1\\2"),
    *("(0009,0010)=ACME", "(0009,1001)=1\\2", "(0009,1001)=text", "0008,9999=x", "0008,9999=ff"),
    *("(0028,0106)=5", "(0028,1201)=1\\2", "(0028,3006)=1\\2", "OverlayRows=5", "OverlayData=1"),
    *("(0040,a124)=1.2.3", "SOPClassUID==CTImageStorage", "SOPClassUID==Nothing", "0008,0016=1.2"),
    *("(0000,0002)=1.2", "(0002,0010)=1.2.3", "(0008,0000)=1", "PatientComments=a\\b"),
    *("(0072,0082)=-5", "(0072,0083)=18446744073709551615", "(0066,0016)=1.5\\-0.1"),
    *(
        "(0072,0078)=4294967296",
        "(0072,007c)=-2147483648",
        "PatientName=M\u00fcller",
        "TextValue=x",
    ),
    *("(0040,0100)[0].(0040,0008)[1].CodeValue=C", "PatientName=ABC", "PatientName=ABCD"),
    *("StudyInstanceUID=1.2.3", "StudyInstanceUID=1.2.34", "PersonAddress=a", "URNCodeValue=u"),
    *("PatientName=" + "x" * 300, "TextValue=" + "y" * 70_000, "PatientID=" + "z" * 66_000),
)
_SYNTAXES = ("-x=", "-xe", "-xb", "-xi", "-xd")
_FILES = (
    *("patient.dcm", "patient-nometa.dcm", "study.dcm", "study-nometa.dcm", "series.dcm"),
    *("image.dcm", "wl-ct.dcm", "wl-ct-nometa.dcm", "implicit.dcm", "big.dcm", "deflated.dcm"),
    *("implicit-nometa.dcm", "big-nometa.dcm", "undefined.dcm", "jpeg.dcm", "groups.dcm"),
    *("text.txt", "empty.dcm", "cut.dcm", "folder"),
)
_NUMBERS = ("0", "1", "-1", "abc", "", "70000", "200000", "5x", "+7", " 8", "0x10", "1e3", "9" * 25)
_VALUE_OPTIONS = (
    *("-to", "-ts", "-ta", "-td", "-pdu", "--repeat", "--cancel", "+cl", "-Xlo", "-ll", "-lc"),
    *("-aet", "-aec", "-k", "-od", "-Xs", "+pw", "+cf", "+cd", "+crl", "+cs", "+rs", "+wf"),
)
_FLAGS = (
    *("-q", "-v", "-d", "-W", "-P", "-S", "-O", "+u", "-u", *_SYNTAXES, "--abort", "+sr", "-sr"),
    *("+dc", "-dc", "-X", "-Xx", "+tla", "-tls", "+ps", "-pw", "-pem", "-der", "+crv", "+cra"),
    *("+py", "+px", "+pz", "+pa", "+pn", "+ws", "-rc", "-ic", "--bogus", "-vc", "+dp", "--", "-"),
    *("--verb", "-vd", "--timeout=5", "+pb", "-4", "-i4", "+", "-5", "", "@", "@missing", "@words"),
)


def generate(seed: int, count: int) -> Iterator[Case]:
    """Command lines of every kind, the same ones for a seed.

    Args:
        count: how many; kinds take turns, so that each has its share.
    """
    chance = random.Random(seed)
    scripts = list(SCRIPTS)
    chance.shuffle(scripts)
    for number in range(count):
        maker = _MAKERS[number % len(_MAKERS)]
        if maker is _scripted:
            script = scripts[number * 2 // len(_MAKERS) % len(scripts)]
            yield Case(number, script, _scripted(chance, script))
        elif maker is _answered:
            yield _answered(chance, number)
        elif maker is _odd_file:
            yield _odd_file(chance, number)
        else:
            peer = {_archive: "dcmqrscp", _worklist: "wlmscpfs", _usage: "none"}.get(maker, "")
            yield Case(number, peer or "no match", maker(chance))


def _shuffled(chance: random.Random, *groups: list[str]) -> tuple[str, ...]:
    """The groups in any order; options may stand anywhere."""
    order = list(groups)
    chance.shuffle(order)
    return tuple(argument for group in order for argument in group)


def _pairs(option: str, values: list[str]) -> list[str]:
    return [argument for value in values for argument in (option, value)]


def _logging(chance: random.Random) -> list[str]:
    level = chance.choice(("fatal", "error", "warn", "info", "debug", "INFO", "off"))
    return chance.choice(([], [], ["-v"], ["-v"], ["-d"], ["-q"], ["-ll", level]))


def _output(chance: random.Random, *, single: bool = True) -> list[str]:
    """What is done with answers.

    Args:
        single: -Xs too. Not for an archive with Japanese names (ISO 2022 IR 87): whether findscu
            can convert these depends on the tables of the C library.
    """
    choices: list[list[str]] = [
        *([], [], [], [], ["+sr"], ["-sr"], ["+dc"], ["-X"], ["-Xx"], ["-Xs", ""]),
        *(["-X", "+sr"], ["-X", "-Xlo", "2"], ["-Xx", "-od", "out"], ["-X", "-od", "out/"]),
        *(["-X", "-od", "missing"], ["+dc", "-Xx"], ["-dc", "+dc", "-X"]),
    ]
    if single:
        choices += [
            *(["-Xs", "all.xml"], ["-Xs", "missing/all.xml"], ["-Xs", "all.xml", "-od", "out"]),
            *(["-X", "-Xs", "all.xml"], ["-Xs", "all.xml", "+sr", "+dc"]),
        ]
    return chance.choice(choices)


def _network(chance: random.Random) -> list[str]:
    """Options of associations with live servers.

    Without --cancel: how much such a server sends before it sees that is a race.
    """
    return chance.choice(
        (
            *([], [], [], [], ["--repeat", "2"], ["--repeat", "3"], ["--abort"], ["--cancel", "0"]),
            *(["-pdu", "4096"], ["-pdu", "131072"], ["-pdu", "5001"], ["--repeat", "3", "--abort"]),
            *(["-aet", "OTHER"], ["-aet", "A TITLE THAT IS TOO LONG"], ["-td", "5"], ["-ts", "0"]),
            *(["-ts", "-1"], ["-ta", "5"], ["-to", "5"], ["-u"], ["-u"]),
        )
    )


def _address(title: str) -> list[str]:
    return ["-aec", title, "127.0.0.1", "@PORT@"]


def _syntax(chance: random.Random) -> list[str]:
    syntax = chance.choice(_SYNTAXES)
    if syntax == "-xd" and chance.random() < 0.5:
        return [syntax, "+cl", str(chance.randint(0, 9))]
    return chance.choice(([], [], [syntax]))


def _archive(chance: random.Random) -> tuple[str, ...]:
    model = chance.choice(tuple(_LEVELS))
    keys = [f"QueryRetrieveLevel={chance.choice(_LEVELS[model])}"]
    keys += chance.sample(_RETURN_KEYS, chance.randint(1, 6))
    keys += chance.sample(_MATCHES, chance.randint(0, 2))
    title = "@CALLED@" if chance.random() < 0.95 else "NOSUCH"
    wrong_model = ["-W"] if chance.random() < 0.05 else []
    return _shuffled(
        chance,
        [model, *wrong_model],
        _pairs("-k", keys),
        _address(title),
        _logging(chance),
        _output(chance, single=False),
        _network(chance),
        _syntax(chance),
    )


def _worklist(chance: random.Random) -> tuple[str, ...]:
    keys = chance.sample(_WORKLIST_KEYS, chance.randint(1, 5))
    return _shuffled(
        chance,
        _pairs("-k", keys),
        _address("@CALLED@"),
        _logging(chance),
        _output(chance),
        _network(chance),
        _syntax(chance),
    )


def _keys(chance: random.Random) -> tuple[str, ...]:
    keys = chance.sample(_ODD_KEYS, chance.randint(1, 3))
    if chance.random() < 0.5:
        keys.append("PatientID")
    level = chance.choice((["-v"], ["-v"], ["-d"], []))
    network = chance.choice(([], ["-u"], ["+u"]))
    return (*_pairs("-k", keys), *level, *network, "127.0.0.1", "@PORT@")


def _files(chance: random.Random) -> tuple[str, ...]:
    files = chance.sample(_FILES, chance.randint(1, 2))
    keys = chance.sample(("PatientID=1", *_RETURN_KEYS[:4], *_ODD_KEYS[8:20]), chance.randint(0, 2))
    model = chance.choice((["-S"], ["-P"], []))
    return _shuffled(
        chance, [*_address("ANY-SCP"), *files], _pairs("-k", keys), model, _logging(chance)
    )


def _scripted(chance: random.Random, script: str) -> tuple[str, ...]:
    keys = [chance.choice(("PatientID", "PatientName=A", "0010,0020=1"))]
    output = chance.choice(([], [], [], ["-X"], ["-Xx"], ["-Xs", "all.xml"], ["+sr"], ["-sr"]))
    level = chance.choice(([], ["-v"], ["-v"], ["-d"], ["-q"]))
    cancel = ["--cancel", "2"] if script.startswith("cancelled") else []
    titles = chance.choice(([], [], [], [], [], ["-aet", ""], ["-aec", ""]))
    return (
        *_pairs("-k", keys),
        *(*output, *level, *cancel, *titles),
        *("-ta", "1", "127.0.0.1", "@PORT@"),
    )


def _invented(chance: random.Random, syntax: str) -> list[Element]:
    """A data set, most often with one or two things wrong.

    Not when it is deflated: where a value is longer than what there is, DCMTK shows memory that
    nobody has written to.
    """
    elements = invent(chance)
    if syntax != "deflated":
        for _ in range(chance.choice((0, 1, 1, 1, 2))):
            elements = spoil(chance, elements)
        if chance.random() < 0.3:
            elements = misalign(chance, elements)
    return elements


def _answered(chance: random.Random, number: int) -> Case:
    """A peer that answers with such data sets."""
    syntax = chance.choice(tuple(SYNTAXES))
    events: list[Event] = [READ, ac(syntax=SYNTAXES[syntax]), READ, READ]
    is_whole = True
    for _ in range(chance.randint(1, 2)):
        events.append(p_data(pdv(command(), command=True)))
        elements = _invented(chance, syntax)
        data = data_set(elements, syntax)
        if syntax != "deflated" and chance.random() < 0.2:
            is_whole = False
            # In implicit VR half of the bytes are of lengths: a changed one makes a promise, too.
            cut = chance.random() < 0.7 or syntax == "implicit"
            pieces = [cut_off(chance, elements, syntax) if cut else change_byte(chance, data)]
        elif is_sorted(elements):
            pieces = cut_up(chance, data)
        else:
            pieces = [data]
        for place, piece in enumerate(pieces):
            is_last = place == len(pieces) - 1
            is_odd = len(piece) % 2 == 1 and chance.random() < 0.1
            is_whole = is_whole and not is_odd
            even = piece if is_odd else piece + b"\0" * (len(piece) % 2)
            events.append(p_data(pdv(even, command=False, last=is_last)))
    events += [final(), READ, RELEASE]
    output = chance.choice(([], [], [], ["-X"], ["-Xx"], ["-Xs", "all.xml"], ["+sr", "-Xx"]))
    if not is_whole:
        # What a changed byte makes of the last value may be the same promise; see `cut_off`.
        output = []
    level = chance.choice(([], ["-v"], ["-d"], ["-d"]))
    correction = ["+dc"] if chance.random() < 0.2 else []
    proposed = {"big": ["-xb"], "implicit": ["-xi"], "deflated": ["-xd"]}.get(syntax, [])
    argv = [
        *("-k", "PatientID", *output, *level, *correction, *proposed),
        *("-ta", "1", "127.0.0.1", "@PORT@"),
    ]
    return Case(number, f"answers in {syntax}", tuple(argv), tuple(events))


_META_SYNTAXES = (
    *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5", "1.2.3", ""),
    *("1.2.840.10008.1.2.1 ", "1.2.840.113619.5.2", "1.2.840.10008.1.2.4.95"),
)


def _odd_file(chance: random.Random, number: int) -> Case:
    """A query file with something wrong, or with less of a head than it should have."""
    syntax = chance.choice(tuple(SYNTAXES))
    elements = _invented(chance, syntax)
    data = data_set(elements, syntax)
    if syntax != "deflated" and chance.random() < 0.3:
        cut = chance.random() < 0.5
        data = cut_off(chance, elements, syntax) if cut else change_byte(chance, data)
    kind = chance.randrange(6)
    if kind == 0:
        content = data
    else:
        uid = SYNTAXES[syntax] if kind < 4 else chance.choice(_META_SYNTAXES)
        content = _head(chance, uid, wrong=kind == 3) + data
    if chance.random() < 0.1:
        content = change_byte(chance, content)
    level = chance.choice(([], ["-v"], ["-d"], ["-d"]))
    correction = ["+dc"] if chance.random() < 0.2 else []
    keys = ["-k", "PatientID=1"] if chance.random() < 0.3 else []
    proposed = chance.choice(([], [], ["-u"]))
    argv = (*level, *correction, *keys, *proposed, "127.0.0.1", "@PORT@", "odd.dcm")
    return Case(number, "no match", argv, files=(("odd.dcm", content),))


def _head(chance: random.Random, uid: str, *, wrong: bool) -> bytes:
    """Preamble and meta information, perhaps wrong in one way."""
    value = uid.encode()
    elements = [explicit(2, 0x10, "UI", value + b"\0" * (len(value) % 2))]
    if chance.random() < 0.5:
        elements.insert(0, explicit(2, 1, "OB", b"\0\1"))
        elements.append(explicit(2, 0x13, "SH", b"X "))
    fault = chance.randrange(6) if wrong else -1
    if fault == 0:
        elements.append(explicit(8, 0x50, "SH", b"ACC1"))
    elif fault == 1:
        chance.shuffle(elements)
    elif fault == 2:
        elements = [element for element in elements if element[2:4] != b"\x10\0"]
    body = b"".join(elements)
    length = len(body) + (chance.choice((-2, 2, 100, -8)) if fault == 3 else 0)
    first = b"" if fault == 4 else explicit(2, 0, "UL", struct.pack("<i", length))
    preamble = b"" if fault == 5 else bytes(128) + b"DICM"
    return preamble + first + body


def _usage(chance: random.Random) -> tuple[str, ...]:
    groups: list[list[str]] = []
    for _ in range(chance.randint(0, 3)):
        option = chance.choice(_VALUE_OPTIONS)
        value = chance.choice((*_NUMBERS, "info", "x", "words"))
        groups.append([option, value] if chance.random() < 0.9 else [option])
    groups += [[flag] for flag in chance.sample(_FLAGS, chance.randint(0, 3))]
    if chance.random() < 0.8:
        groups.append(["127.0.0.1", chance.choice(("1", "1", "1", *_NUMBERS))])
    if chance.random() < 0.6:
        groups.append(["-k", "PatientID"])
    if chance.random() < 0.2:
        groups.append(["missing.dcm"])
    return _shuffled(chance, *groups)


_MAKERS = (
    *(_scripted, _answered, _archive, _keys, _worklist, _odd_file, _usage, _answered, _files),
    *(_archive, _keys, _scripted, _answered, _odd_file),
)
"""Kinds of command lines; they take turns."""
