"""Headless Chromium, without any network: what a page draws, says and asks for."""

import json
import os
import re
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--virtual-time-budget=2000",
)
_CONSOLE: Final = re.compile(r"CONSOLE[^\]]*\] (.*)")
_TIMEOUT: Final = 60


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of opening a page.

    Args:
        dom: the page as it was after its scripts.
        console: messages, errors among them.
        requests: addresses that it asked for over a network, or tried to.
        picture: the screenshot's file.
    """

    dom: str
    console: tuple[str, ...]
    requests: tuple[str, ...]
    picture: Path


def visit(page: Path, *, width: int = 1280, height: int = 1400, is_dark: bool = False) -> Visit:
    """Open a file; the screenshot is beside it."""
    picture = page.with_suffix(f".{width}{'-dark' if is_dark else ''}.png")
    with TemporaryDirectory() as profile:
        log = Path(profile) / "net.json"
        arguments = [
            "chromium",
            *_FLAGS,
            # Chromium has no sandbox for root.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            *(["--blink-settings=preferredColorScheme=0"] if is_dark else []),
            f"--user-data-dir={profile}/data",
            f"--log-net-log={log}",
            f"--window-size={width},{height}",
            f"--screenshot={picture}",
            "--dump-dom",
            page.as_uri(),
        ]
        done = subprocess.run(arguments, capture_output=True, timeout=_TIMEOUT, check=True)
        requests = _requests(log.read_text(encoding="utf-8"))
    said = done.stderr.decode("utf-8", "replace")
    return Visit(
        dom=done.stdout.decode("utf-8"),
        console=tuple(_CONSOLE.findall(said)),
        requests=requests,
        picture=picture,
    )


def _requests(text: str) -> tuple[str, ...]:
    """Addresses of URL requests in Chromium's log of its network stack."""
    log: dict[str, Any] = json.loads(text)
    kind = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    found = [
        event["params"]["url"]
        for event in log["events"]
        if event["type"] == kind
        # The browser's own calls home have no origin; they end at the resolver, see above.
        and event.get("params", {}).get("initiator", "not an origin") != "not an origin"
    ]
    return tuple(url for url in found if url.startswith(("http:", "https:", "ws:", "wss:")))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in memory: rows of pixels, three bytes each."""

    width: int
    height: int
    rows: tuple[bytes, ...]

    def colours(self, left: int, top: int, right: int, bottom: int) -> dict[bytes, int]:
        """How often each colour is in a part."""
        counts: dict[bytes, int] = {}
        for row in self.rows[top:bottom]:
            for at in range(3 * left, 3 * right, 3):
                colour = row[at : at + 3]
                counts[colour] = counts.get(colour, 0) + 1
        return counts


def read_png(path: Path) -> Picture:
    """Decode a PNG of eight bits a channel, as Chromium writes them (no interlace)."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    width = height = size = 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, interlace) == (8, 0)
            size = {2: 3, 6: 4}[colour]
        elif kind == b"IDAT":
            packed += body
        at += length + 12
    rows, before = [], bytes(width * size)
    raw = zlib.decompress(packed)
    for row in range(height):
        start = row * (width * size + 1)
        line = _unfiltered(raw[start], raw[start + 1 : start + 1 + width * size], before, size)
        rows.append(line if size == 3 else _without_alpha(line))
        before = line
    return Picture(width, height, tuple(rows))


def _without_alpha(line: bytes) -> bytes:
    out = bytearray(len(line) // 4 * 3)
    for channel in range(3):
        out[channel::3] = line[channel::4]
    return bytes(out)


def _unfiltered(kind: int, line: bytes, above: bytes, size: int) -> bytes:
    """Undo the filter of a row (PNG, section 9)."""
    if kind == 0:
        return line
    if kind == 2:
        return bytes([(one + up) & 0xFF for one, up in zip(line, above, strict=True)])
    out = bytearray(line)
    for at in range(len(out)):
        left = out[at - size] if at >= size else 0
        up = above[at]
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up) // 2
        else:
            corner = above[at - size] if at >= size else 0
            near = left + up - corner
            distances = (abs(near - left), abs(near - up), abs(near - corner))
            guess = (left, up, corner)[distances.index(min(distances))]
        out[at] = (out[at] + guess) & 0xFF
    return bytes(out)
