"""`asyncfind findscu`: stands in for findscu 3.6.7, byte for byte."""

import asyncio
import contextlib
import os
import platform
import signal
import ssl
import sys
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from asyncfind.cli.emulated import Listing, UsageError, parse
from asyncfind.findscu.settings import Settings
from asyncfind.findscu.voice import APP, DATA, TLS, Voice
from asyncfind.logs.levels import Level
from asyncfind.plan import Peer
from asyncfind.query.dcmtk_files import Loaded, load_dictionary
from asyncfind.security import Tls

__all__ = ["findscu"]

_IDENTIFICATION: Final = "$dcmtk: findscu v3.6.7 2022-04-22 $"
_HEADER: Final = f"{_IDENTIFICATION}\n\nfindscu: DICOM query (C-FIND) SCU\n"
_USAGE: Final = Path(__file__).with_name("findscu_usage.txt")
_EXIT_USAGE: Final = 1
_SEED_SIZE: Final = 1024


def findscu(arguments: Sequence[str], program: str = "findscu") -> int:
    """Run findscu's command line; returns its exit code.

    Args:
        arguments: without the program's name.
        program: its name, which --arguments shows.
    """
    # Its way out: at once, without a word.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    stderr = sys.stderr.buffer
    raw = [os.fsencode(argument).decode("latin_1") for argument in arguments]
    try:
        settings = parse(raw, program=os.fsencode(program).decode("latin_1"), stream=stderr)
    except Listing as listing:
        _list(listing.what)
        return 0
    except UsageError as error:
        if not error.quiet:
            stderr.write(f"{_HEADER}error: {error.text}\n".encode("latin_1"))
            stderr.flush()
        return _EXIT_USAGE
    try:
        return _start(settings)
    finally:
        settings.logs.close()


def _start(settings: Settings) -> int:
    """What comes between the command line and the network."""
    app, data = Voice(settings.logs, APP), Voice(settings.logs, DATA)
    app.debug(_IDENTIFICATION + "\n")
    loaded = load_dictionary(os.environ.get("DCMDICTPATH"))
    for message in loaded.messages:
        text = os.fsencode(message.text).decode("latin_1")
        data.say(Level.DEBUG if message.level == "debug" else Level.ERROR, text)
    if not loaded.is_loaded:
        app.warn("no data dictionary loaded, check environment variable: DCMDICTPATH")
    if settings.extract is not None:
        folder = settings.directory.encode("latin_1")
        if not os.path.isdir(folder):  # noqa: PTH112 - a Path cannot be made of bytes
            app.fatal("specified output directory does not exist")
            return _EXIT_USAGE
        if not os.access(folder, os.W_OK):
            app.fatal("specified output directory is not writeable")
            return _EXIT_USAGE
    if settings.tls is not None and not _prepare_tls(settings, settings.tls):
        return _EXIT_USAGE
    peer = Peer(host=settings.host, port=settings.port, tls=settings.tls)
    return _run(settings, loaded, peer)


def _prepare_tls(settings: Settings, tls: Tls) -> bool:
    """Load keys, certificates and lists; False where findscu gives up."""
    from asyncfind.findscu.secure import set_up

    voice = Voice(settings.logs, TLS)
    failed = set_up(tls, voice, shows_certificate=settings.shows_certificate)
    if failed is not None:
        Voice(settings.logs, APP).fatal(failed.dump())
    return failed is None


def _run(settings: Settings, loaded: Loaded, peer: Peer) -> int:
    from asyncfind.findscu.run import run

    code = asyncio.run(partial(run, settings, loaded, peer)())
    if settings.new_seed_file:
        _write_seed(settings.new_seed_file.encode("latin_1"))
    return code


def _write_seed(path: bytes) -> None:
    """Leave a file of random bytes, as +ws and +wf ask for; findscu says nothing if it cannot."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with contextlib.suppress(OSError):
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, os.urandom(_SEED_SIZE))
        finally:
            os.close(descriptor)


def _list(what: str) -> None:
    out = sys.stdout
    if what == "usage":
        out.write(_USAGE.read_text(encoding="ascii"))
    elif what == "version":
        out.write(f"{_HEADER}\n{_host()}\n")
        out.write("External libraries used:\n")
        out.write(f"- ZLIB, Version {zlib.ZLIB_RUNTIME_VERSION}\n- {ssl.OPENSSL_VERSION}\n")
    else:
        from asyncfind.net.tls_ciphers import ciphers

        out.write(f"{_HEADER}\n{_host()}\nSupported TLS ciphersuites are:\n")
        out.write("".join(f"  {name}\n" for name in ciphers()))
    out.flush()


def _host() -> str:
    return f"Host type: {platform.system()}\nCharacter encoding: {sys.getfilesystemencoding()}\n"
