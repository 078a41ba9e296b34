"""The files that command lines name."""

import struct
import subprocess
from pathlib import Path

from differential.peers import DATA, explicit

__all__ = ["write_inputs"]

_QUERIES = {
    "patient": [
        ("0008,0052", "CS", "PATIENT"), ("0010,0010", "PN", ""), ("0010,0020", "LO", ""),
        ("0010,0030", "DA", ""),
    ],
    "study": [
        ("0008,0020", "DA", ""), ("0008,0052", "CS", "STUDY"), ("0010,0010", "PN", "*"),
        ("0020,000d", "UI", ""),
    ],
    "series": [
        ("0008,0052", "CS", "SERIES"), ("0008,0060", "CS", ""), ("0020,000d", "UI", "1.2.3"),
        ("0020,000e", "UI", ""),
    ],
    "image": [("0008,0052", "CS", "IMAGE"), ("0020,000d", "UI", "1.2.3"), ("0020,0013", "IS", "")],
}  # fmt: skip
_WORKLIST = """(0008,0005) CS [ISO_IR 100]
(0010,0010) PN []
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS [CT]
(0040,0002) DA []
(fffe,e00d) -
(fffe,e0dd) -
(0040,1001) SH []
"""


def write_inputs(folder: Path) -> None:
    """Write query files, good and bad ones, into `folder`, and a folder to extract to."""
    for name, elements in _QUERIES.items():
        text = "".join(f"({tag}) {vr} [{value}]\n" for tag, vr, value in elements)
        _dump2dcm(folder / f"{name}.dcm", text)
        _dump2dcm(folder / f"{name}-nometa.dcm", text, "-F")
    _dump2dcm(folder / "wl-ct.dcm", _WORKLIST)
    _dump2dcm(folder / "wl-ct-nometa.dcm", _WORKLIST, "-F")
    _dump2dcm(folder / "implicit.dcm", _WORKLIST, "+ti")
    _dump2dcm(folder / "big.dcm", _WORKLIST, "+tb")
    _dump2dcm(folder / "deflated.dcm", _WORKLIST, "+td")
    _dump2dcm(folder / "implicit-nometa.dcm", _WORKLIST, "+ti", "-F")
    _dump2dcm(folder / "big-nometa.dcm", _WORKLIST, "+tb", "-F")
    _dump2dcm(folder / "undefined.dcm", _WORKLIST, "-e")
    groups = "(0008,0000) UL 1\n(0008,0052) CS [STUDY]\n(0009,0010) LO [ACME]\n(0009,1001) LO [x]\n"
    _dump2dcm(folder / "groups.dcm", groups, "+g")
    _write_compressed(folder / "jpeg.dcm")
    (folder / "text.txt").write_text("# a dump\n(0008,0052) CS [PATIENT]\n")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "cut.dcm").write_bytes((folder / "study.dcm").read_bytes()[:-7])
    (folder / "folder").mkdir()
    (folder / "out").mkdir()
    (folder / "words").write_text("-v -k \"PatientName=A B\"x 'Pat ientID' 127.0.0.1\n\t1\n")


def _dump2dcm(path: Path, text: str, *options: str) -> None:
    source = path.with_suffix(".dump")
    source.write_text(text)
    subprocess.run(["dump2dcm", "-q", *options, source, path], check=True)
    source.unlink()


def _write_compressed(path: Path) -> None:
    """A file with encapsulated pixel data (PS3.5 Section A.4)."""
    syntax = b"1.2.840.10008.1.2.4.50"
    meta = explicit(2, 0x10, "UI", syntax)
    head = explicit(2, 0, "UL", struct.pack("<I", len(meta)))
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)
    for item in (b"", b"\xff\xd8\xff\xd9"):
        pixels += struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item
    pixels += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    path.write_bytes(bytes(128) + b"DICM" + head + meta + DATA + pixels)
