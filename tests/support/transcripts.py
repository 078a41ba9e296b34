"""Recorded runs of findscu: what a program does on the same lines, compared byte for byte.

The recordings are in tests/golden/findscu. `wire` has the PDUs of both sides in the order in which
they came: each of the peer's is sent once everything before it has arrived.
"""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from differential.compare import mask_file, mask_pdu
from differential.recorder import read_pdu

__all__ = ["HOME", "Played", "Transcript", "answers", "differences", "play", "read_transcripts"]

HOME = Path(__file__).resolve().parents[1] / "golden" / "findscu"


@dataclass(frozen=True)
class Transcript:
    """One recorded run.

    Args:
        events: of the wire; None where nobody listened.
        files: that the program wrote.
    """

    id: str
    argv: tuple[str, ...]
    exit: int
    stdout: bytes
    stderr: bytes
    events: tuple[dict[str, Any], ...] | None
    files: dict[str, bytes]

    @property
    def sent(self) -> list[bytes]:
        """The PDUs of the program."""
        return [bytes.fromhex(one["pdu"]) for one in self.events or () if _is_sent(one)]

    @property
    def received(self) -> list[bytes]:
        """The PDUs of the peer."""
        return [
            bytes.fromhex(one["pdu"])
            for one in self.events or ()
            if one["dir"] == "s2c" and "pdu" in one
        ]


def _is_sent(event: dict[str, Any]) -> bool:
    return event["dir"] == "c2s" and "pdu" in event


def read_transcripts(version: str) -> list[Transcript]:
    """The recorded runs of one version."""
    found = []
    for case in json.loads((HOME / "cases.json").read_text()):
        if case["version"] != version:
            continue
        lines = (HOME / case["wire"]).read_text().splitlines() if case.get("wire") else None
        prefix = f"files/{version}/{case['id']}/"
        found.append(
            Transcript(
                id=case["id"],
                argv=tuple(case["argv"]),
                exit=case["exit"],
                stdout=_bytes(case.get("stdout")),
                stderr=_bytes(case.get("stderr")),
                events=None if lines is None else tuple(map(json.loads, lines)),
                files={
                    name.removeprefix(prefix): mask_file((HOME / name).read_bytes(), name)
                    for name in case.get("files") or []
                },
            )
        )
    return found


def _bytes(name: str | None) -> bytes:
    return (HOME / name).read_bytes() if name else b""


class _Peer(threading.Thread):
    """Plays the peer's side of one connection, and keeps what the program sent."""

    def __init__(self, events: Sequence[dict[str, Any]] | None) -> None:
        super().__init__(daemon=True)
        self.got: list[bytes] = []
        self._events = events
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        if events is None:
            self._socket.close()
        else:
            self._socket.listen(1)
            self.start()

    def run(self) -> None:
        try:
            self._socket.settimeout(30)
            client, _ = self._socket.accept()
            client.settimeout(20)
            with client:
                self._play(client)
                while (pdu := read_pdu(client)) is not None:
                    self.got.append(pdu)
        except OSError:
            pass  # what is missing then is missing in `got`
        finally:
            self._socket.close()

    def _play(self, client: socket.socket) -> None:
        for event in self._events or ():
            if event["dir"] == "s2c" and "pdu" in event:
                client.sendall(bytes.fromhex(event["pdu"]))
            elif event["dir"] == "s2c":
                client.shutdown(socket.SHUT_WR)
                return
            elif "pdu" not in event or (pdu := read_pdu(client)) is None:
                return
            else:
                self.got.append(pdu)

    def finish(self) -> None:
        """Wake an accept that nobody answered, then wait for the end of the recording."""
        if self._events is not None:
            with contextlib.suppress(OSError):  # somebody did
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            self.join(30)


@dataclass(frozen=True)
class Played:
    """What a program did."""

    exit: int
    stdout: bytes
    stderr: bytes
    sent: list[bytes]
    files: dict[str, bytes]


def play(transcript: Transcript, command: Sequence[str], environment: dict[str, str]) -> Played:
    """Run a program on the line of a transcript, the recorded peer before it."""
    peer = _Peer(transcript.events)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(HOME / "query", folder, dirs_exist_ok=True)
        before = set(folder.iterdir())
        argv = [one.replace("@PORT@", str(peer.port)) for one in transcript.argv]
        if "-od" in argv:
            (folder / argv[argv.index("-od") + 1]).mkdir(exist_ok=True)
        done = subprocess.run(
            [*command, *argv],
            cwd=folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
            env=environment,
        )
        files = {
            str(path.relative_to(folder)): mask_file(path.read_bytes(), path.name)
            for path in folder.rglob("*")
            if path.is_file() and path not in before
        }
    peer.finish()
    return Played(
        done.returncode,
        _masked(done.stdout, peer.port),
        _masked(done.stderr, peer.port),
        peer.got,
        files,
    )


def differences(transcript: Transcript, played: Played) -> list[str]:
    """What differs, in words; nothing where every byte is the same."""
    found = []
    if played.exit != transcript.exit:
        found.append(f"exit {played.exit}, not {transcript.exit}")
    for stream in ("stdout", "stderr"):
        want = _masked(getattr(transcript, stream), None)
        have = getattr(played, stream)
        if want != have:
            at = next(
                (place for place, (a, b) in enumerate(zip(want, have, strict=False)) if a != b),
                min(len(want), len(have)),
            )
            found.append(f"{stream} at {at}: {have[at : at + 80]!r}, not {want[at : at + 80]!r}")
    if transcript.events is not None:
        sent = [mask_pdu(pdu) for pdu in played.sent]
        if sent != [mask_pdu(pdu) for pdu in transcript.sent]:
            found.append(f"{len(sent)} PDUs sent, not {len(transcript.sent)}, or other bytes")
    names = sorted(played.files)
    if names != sorted(transcript.files):
        found.append(f"files {names}, not {sorted(transcript.files)}")
    found += [
        f"file {name} differs"
        for name, content in transcript.files.items()
        if played.files.get(name, content) != content
    ]
    return found


def answers(text: bytes) -> list[list[bytes]]:
    """What was shown of each pending response: its lines without the names behind them."""
    found: list[list[bytes]] = []
    is_inside = False
    for line in text.replace(b"I: ", b"").split(b"\n"):
        if re.match(rb"(RESPONSE|Find Response): \d+ \(Pending\)", line):
            found.append([])
            is_inside = True
        elif is_inside and re.match(rb" *\([0-9a-f]{4},[0-9a-f]{4}\)", line):
            found[-1].append(line.split(b"#", 1)[0].rstrip())
        elif is_inside and found[-1]:
            is_inside = False
    return found


def _masked(text: bytes, port: int | None) -> bytes:
    """Output without what may differ: the port, the dictionary's folder, who implements it."""
    if port is not None:
        text = text.replace(str(port).encode(), b"@PORT@")
    text = re.sub(rb"(Loading file: )\S*/", rb"\1<datadir>/", text)
    return re.sub(
        rb"((?:Our|Their) Implementation (?:Class UID|Version Name): ) *\S*", rb"\1", text
    )
