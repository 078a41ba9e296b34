"""DCMTK's findscu as the reference: what it received, byte by byte."""

import subprocess
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import data_element_generator
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from servers.process import Server, ServerFailed, environment, program, tail

__all__ = ["Element", "Findings", "Identifier", "findscu", "read_identifier"]

# Bytes of one number, for VRs whose values big endian turns round (PS3.5 Section 7.3).
_NUMBER_SIZES: Final = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
# Preamble, prefix, and the element that tells the length of the rest (PS3.10 Section 7.1).
_META_START: Final = 128 + 4 + 12


class Element(NamedTuple):
    """A data element as it came, whatever its transfer syntax.

    Args:
        tag: group and element as one number.
        vr: as encoded; by the dictionary where the encoding has none (`UN` for private elements).
        value: the value field with its padding, little endian; the items of a sequence.
    """

    tag: int
    vr: str
    value: "bytes | tuple[Identifier, ...]"


Identifier: TypeAlias = tuple[Element, ...]
"""A data set or an item: elements as they came. It can be a key, since nothing in it changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one run of findscu did.

    Args:
        code: exit code.
        log: everything it wrote; responses are not in it unless `+sr` was given, nor is their end
            unless `-v` was.
        datasets: the responses in order of arrival, for those who want decoded values.
        identifiers: the same, exact and comparable.
    """

    code: int
    log: str
    datasets: tuple[Dataset, ...]
    identifiers: tuple[Identifier, ...]

    @property
    def answers(self) -> Counter[Identifier]:
        """The set of answers, without order; equal ones are counted."""
        return Counter(self.identifiers)

    def texts(self, keyword: str) -> list[str]:
        """The decoded values of one attribute in order of arrival, empty where it was missing."""
        return [str(one.get(keyword, "")) for one in self.datasets]


def findscu(server: Server, *arguments: str | Path, seconds: float = 60.0) -> Findings:
    """Ask `server` by the installed findscu, with TCP_NODELAY: do not take its times for a user's.

    Args:
        arguments: options and query files, after the address; a later `-aec` wins.
        seconds: how long it may take.

    Raises:
        MissingProgram: DCMTK is not installed.
        ServerFailed: it took longer.
    """
    with tempfile.TemporaryDirectory(prefix="findscu-") as name:
        folder = Path(name)
        command = [program("findscu"), "-X", "-od", folder, *server.address, *arguments]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment(),
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            told = f"findscu took longer than {seconds:g} s.\n{tail(exc.output)}"
            raise ServerFailed(f"{told}\n{server.name}:\n{server.log_tail()}") from exc
        # rsp0001.dcm to rsp9999.dcm, then rsp10000.dcm: by number, not by name.
        files = sorted(folder.glob("rsp*.dcm"), key=lambda file: int(file.stem[3:]))
        return Findings(
            code=done.returncode,
            log=done.stdout.decode("utf-8", "replace"),
            datasets=tuple(dcmread(BytesIO(file.read_bytes())) for file in files),
            identifiers=tuple(map(read_identifier, files)),
        )


def read_identifier(file: Path) -> Identifier:
    """Return the data set of a DICOM file, without what pydicom's `Dataset` would normalise.

    Raises:
        pydicom.errors.InvalidDicomError: it is no DICOM file.
    """
    content = file.read_bytes()
    whole: FileDataset = dcmread(BytesIO(content), stop_before_pixels=True)
    syntax = whole.file_meta.TransferSyntaxUID
    body = content[_META_START + whole.file_meta.FileMetaInformationGroupLength :]
    if syntax == DeflatedExplicitVRLittleEndian:
        body = zlib.decompress(body, -zlib.MAX_WBITS)
    return _read(body, syntax.is_implicit_VR, syntax.is_little_endian)


def _read(body: bytes, implicit: bool, little: bool) -> Identifier:
    found = data_element_generator(BytesIO(body), implicit, little)
    return tuple(_elements(found, little))


def _elements(found: Iterable[RawDataElement | DataElement], little: bool) -> Iterator[Element]:
    for one in found:
        tag = BaseTag(one.tag)
        vr = one.VR or _dictionary_vr(tag)
        if isinstance(one, RawDataElement) and vr != "SQ":
            yield Element(int(tag), vr, _as_little(one.value or b"", vr, little))
            continue
        # A sequence of known length is still raw; one of undefined length is read already.
        items: Sequence = one.value if isinstance(one, DataElement) else _items(one)
        inner = tuple(tuple(_elements(_kept(item), little)) for item in items)
        yield Element(int(tag), vr, inner)


def _items(raw: RawDataElement) -> Sequence:
    holder = Dataset({raw.tag: raw})
    sequence: Sequence = holder[raw.tag].value
    return sequence


def _kept(item: Dataset) -> Iterator[RawDataElement | DataElement]:
    """The elements of an item, as raw as pydicom has kept them."""
    for tag in item.keys():  # noqa: SIM118 - iterating over the item itself would decode
        yield item.get_item(tag, keep_deferred=True)


def _dictionary_vr(tag: BaseTag) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def _as_little(value: bytes, vr: str, little: bool) -> bytes:
    size = 1 if little else _NUMBER_SIZES.get(vr, 1)
    return b"".join(value[at : at + size][::-1] for at in range(0, len(value), size))
