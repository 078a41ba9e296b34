"""Run both programs on one command line and tell what differs."""

import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outcome", "differences", "mask_file", "mask_pdu", "mask_text", "run_both"]

_LIMIT = 30
_DEFLATED = b"1.2.840.10008.1.2.1.99"


@dataclass(frozen=True)
class Outcome:
    """What a program did."""

    exit: int
    stdout: bytes
    stderr: bytes
    files: dict[str, bytes]
    wire: tuple[bytes, ...]


def run_both(
    argv: Sequence[str],
    inputs: Path,
    scratch: Path,
    connect: Callable[[], tuple[int, Callable[[], list[bytes]]]],
    files: Sequence[tuple[str, bytes]] = (),
) -> tuple[Outcome, Outcome]:
    """Run findscu, then `asyncfind findscu`.

    Args:
        argv: arguments; `@PORT@` stands for the port.
        inputs: files that are there when the program starts.
        scratch: an empty folder.
        files: that are there too, by name.
        connect: prepares a peer; its port, and what gives the PDUs that it was sent.
    """
    ours = [sys.executable, "-m", "asyncfind", "findscu"]
    found = []
    for name, command in (("theirs", ["findscu"]), ("ours", ours)):
        port, take = connect()
        folder = scratch / name
        shutil.copytree(inputs, folder)
        for file, content in files:
            (folder / file).write_bytes(content)
        found.append(_run([*command, *argv], port, folder, take))
    return found[0], found[1]


def _run(command: list[str], port: int, folder: Path, take: Callable[[], list[bytes]]) -> Outcome:
    before = {path.relative_to(folder) for path in folder.rglob("*")}
    environment = {name: value for name, value in os.environ.items() if name != "DCMDICTPATH"}
    done = subprocess.run(
        [argument.replace("@PORT@", str(port)) for argument in command],
        cwd=folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=_LIMIT,
        check=False,
        env=environment,
    )
    wire = tuple(mask_pdu(pdu) for pdu in take())
    files = {
        str(path.relative_to(folder)): mask_file(path.read_bytes(), path.name)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder) not in before
    }
    shutil.rmtree(folder)
    stderr = mask_text(done.stderr, port)
    return Outcome(done.returncode, mask_text(done.stdout, port), stderr, files, wire)


def mask_text(text: bytes, port: int) -> bytes:
    """Output without the port, the dictionary's folder and the own implementation."""
    text = text.replace(str(port).encode(), b"@PORT@")
    text = re.sub(rb"(Loading file: )\S*/", rb"\1", text)
    text = re.sub(rb"(new generated SOPInstanceUID \[)[0-9.]*", rb"\1", text)
    return re.sub(rb"(Our Implementation (?:Class UID|Version Name): ) *\S*", rb"\1", text)


def mask_pdu(pdu: bytes) -> bytes:
    """An A-ASSOCIATE-RQ without its implementation items; any other PDU as it is."""
    if not pdu or pdu[0] != 1:
        return pdu
    out, pos = [pdu[:1], pdu[6:74]], 74
    while pos + 4 <= len(pdu):
        kind, size = pdu[pos], struct.unpack_from(">H", pdu, pos + 2)[0]
        value = pdu[pos + 4 : pos + 4 + size]
        if kind == 0x50:
            value = value[:8]
        out.append(pdu[pos : pos + 2] + value)
        pos += 4 + size
    return b"".join(out)


def mask_file(raw: bytes, name: str) -> bytes:
    """A DICOM file without what names its writer, or is new each time; of random bytes the size."""
    if name.startswith("seed"):
        return b"%d bytes" % len(raw)
    if raw[128:132] != b"DICM":
        return raw
    kept, pos = [raw[:132]], 132
    while raw[pos : pos + 2] == b"\x02\x00":
        number, vr = struct.unpack_from("<H", raw, pos + 2)[0], raw[pos + 4 : pos + 6]
        if vr in (b"OB", b"OW", b"UN", b"SQ", b"UT"):
            end = pos + 12 + struct.unpack_from("<L", raw, pos + 8)[0]
        else:
            end = pos + 8 + struct.unpack_from("<H", raw, pos + 6)[0]
        if number not in (0x0000, 0x0003, 0x0012, 0x0013):
            kept.append(raw[pos:end])
        pos = end
    rest = raw[pos:]
    if _DEFLATED in b"".join(kept):
        # How much is deflated at a time, and so the bytes that come of it, is the library's.
        rest = zlib.decompress(rest, -zlib.MAX_WBITS)
    return b"".join(kept) + rest


def differences(theirs: Outcome, ours: Outcome) -> list[str]:
    """A line for each thing that differs."""
    found = []
    if theirs.exit != ours.exit:
        found.append(f"exit code {ours.exit}, not {theirs.exit}")
    for name in ("stdout", "stderr"):
        found += _bytes_differ(name, getattr(theirs, name), getattr(ours, name))
    if sorted(theirs.files) != sorted(ours.files):
        found.append(f"files {sorted(ours.files)}, not {sorted(theirs.files)}")
    for name in sorted(theirs.files.keys() & ours.files.keys()):
        found += _bytes_differ(f"file {name}", theirs.files[name], ours.files[name])
    if len(theirs.wire) != len(ours.wire):
        found.append(f"{len(ours.wire)} PDUs, not {len(theirs.wire)}")
    for number, (want, have) in enumerate(zip(theirs.wire, ours.wire, strict=False)):
        found += _bytes_differ(f"PDU {number}", want, have)
    return found


def _bytes_differ(name: str, want: bytes, have: bytes) -> list[str]:
    if want == have:
        return []
    at = next(
        (i for i, (a, b) in enumerate(zip(want, have, strict=False)) if a != b),
        min(len(want), len(have)),
    )
    start = max(0, at - 40)
    return [f"{name} at byte {at}: {have[start : at + 60]!r}, not {want[start : at + 60]!r}"]
