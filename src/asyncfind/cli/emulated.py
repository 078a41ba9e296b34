"""The command line of findscu 3.6.7: its order of checks, its texts, its numbers.

Arguments are bytes, one character each: file names and AE titles need not be UTF-8.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from asyncfind.cli.grammar import expand, is_option
from asyncfind.cli.options import FIND, names_of
from asyncfind.errors import InvalidRequest
from asyncfind.findscu.settings import VERSION, Settings
from asyncfind.findscu.voice import RESPONSES, ROOT
from asyncfind.logs.config import LogConfigError, read_log_config
from asyncfind.logs.levels import Level
from asyncfind.logs.logger import Logs, default_logs
from asyncfind.query.models import model_of
from asyncfind.query.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from asyncfind.security import CrlCheck, FileFormat, Profile, Tls

__all__ = ["EMULATED", "Listing", "UsageError", "parse"]

EMULATED: Final = tuple(
    row for row in FIND if row.was_in(VERSION) and row.long != "--profile-basic"
)
"""The options of 3.6.7; +pb needs 3DES, which OpenSSL 3 has not."""

_EXCLUSIVE: Final = ("--help", "--version", "--list-ciphers")
_LONG_MAX: Final = 2**63 - 1
_ULONG_MAX: Final = 2**64 - 1
_NUMBER: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")
_C_NUMBER: Final = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))"
)
"""A number as C writes it: hexadecimal, octal or decimal."""

_MODELS: Final = {
    "--worklist": "worklist",
    "--patient": "patient",
    "--study": "study",
    "--psonly": "patient-study",
}
_UNCOMPRESSED: Final = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
_SYNTAXES: Final[dict[str, tuple[TransferSyntax, ...]]] = {
    "--propose-uncompr": _UNCOMPRESSED,
    "--propose-little": _UNCOMPRESSED,
    "--propose-big": (
        EXPLICIT_VR_BIG_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
    ),
    "--propose-implicit": (IMPLICIT_VR_LITTLE_ENDIAN,),
    "--propose-deflated": (DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, *_UNCOMPRESSED),
}
_TLS_STACK: Final = ("--disable-tls", "--enable-tls", "--anonymous-tls")
_TLS_ON: Final = "--enable-tls or --anonymous-tls"
_EXTRACTIONS: Final[dict[str, Literal["dicom", "xml", "single"]]] = {
    "--extract": "dicom",
    "--extract-xml": "xml",
    "--extract-xml-single": "single",
}
_PROFILES: Final = {
    "--profile-bcp195": Profile.BCP195,
    "--profile-bcp195-nd": Profile.BCP195_ND,
    "--profile-bcp195-ex": Profile.BCP195_EX,
    "--profile-aes": Profile.AES,
    "--profile-null": Profile.NULL,
}


class UsageError(Exception):
    """findscu's text for a command line that it does not take.

    Args:
        quiet: it says nothing, and only its exit code tells.
    """

    def __init__(self, text: str, *, quiet: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.quiet = quiet


class Listing(Exception):
    """The command line asks for a text on standard output, and no more."""

    def __init__(self, what: Literal["usage", "version", "ciphers"]) -> None:
        super().__init__(what)
        self.what = what


@dataclass(slots=True)
class _Line:
    """A parsed line.

    Args:
        options: long name and values of each use, from left to right.
        arguments: all of them, with long names.
    """

    options: list[tuple[str, list[str]]]
    parameters: list[str]
    arguments: list[str]

    def values(self, name: str) -> list[str] | None:
        """The values of the rightmost use; None where the option is not used."""
        return next((values for own, values in reversed(self.options) if own == name), None)

    def has(self, name: str) -> bool:
        return self.values(name) is not None

    def all_values(self, name: str) -> list[str]:
        """The value of each use, from left to right."""
        return [values[0] for own, values in self.options if own == name]

    def block(self, names: Iterable[str]) -> list[str]:
        """Which of these exclusive options count: those that stand to the right of what counted
        before, asked in this order. The last one is the rightmost of all.
        """
        counted: list[str] = []
        last = -1
        for name in names:
            uses = [index for index, (own, _) in enumerate(self.options) if own == name]
            if uses and uses[-1] > last:
                last = uses[-1]
                counted.append(name)
        return counted


def parse(arguments: Sequence[str], *, program: str, stream: BinaryIO) -> Settings:
    """Parse and check a command line.

    Args:
        arguments: without the program's name.
        program: its name, for --arguments.
        stream: standard error, where logs go by default.

    Raises:
        UsageError: it cannot be used.
        Listing: it asks for a text.
    """
    line = _split(arguments)
    if not line.arguments:
        raise Listing("usage")
    exclusive = [name for name in _EXCLUSIVE if line.has(name)]
    if "--help" in exclusive:
        raise Listing("usage")
    if exclusive:
        raise Listing("version" if "--version" in exclusive else "ciphers")
    for index, name in enumerate(("peer", "port")):
        if len(line.parameters) <= index:
            raise UsageError(f"Missing parameter {name}")
    port = _port(line.parameters[1])
    logs = _logs(line, stream)
    quiet = not logs.is_enabled(ROOT, Level.ERROR)
    if line.has("--arguments"):
        shown = "".join(f"'{argument}' " for argument in line.arguments if argument)
        text = f"calling '{program}' with {len(line.arguments)} arguments: {shown}\n"
        logs.force(ROOT, Level.INFO, text.encode("latin_1"))
    try:
        return _settings(line, logs, port)
    except UsageError as error:
        raise UsageError(error.text, quiet=quiet) from None


def _split(arguments: Sequence[str]) -> _Line:
    try:
        expanded = expand(arguments, encoding="latin_1")
    except InvalidRequest:
        name = next(name for name in arguments if len(name) > 1 and _is_unreadable(name))
        raise UsageError(f"Cannot open command file '{name[1:]}'") from None
    names = names_of(EMULATED)
    line = _Line([], [], [])
    rest = iter(expanded)
    for argument in rest:
        if not is_option(argument):
            line.parameters.append(argument)
            line.arguments.append(argument)
            continue
        long = names.long_of.get(argument)
        if long is None:
            raise UsageError(f"Unknown option {argument}")
        count = names.values[long]
        values = [value for _, value in zip(range(count), rest, strict=False)]
        if len(values) < count:
            raise UsageError(f"Missing value for option {long}")
        line.options.append((long, values))
        line.arguments += [long, *values]
    return line


def _is_unreadable(argument: str) -> bool:
    return argument.startswith("@") and not os.access(argument[1:].encode("latin_1"), os.R_OK)


def _port(text: str) -> int:
    match = _NUMBER.match(text)
    if match is None:
        raise UsageError(f"Invalid parameter value {text}")
    number = _unsigned(match[1])
    if number < 1:
        raise UsageError(f"Invalid parameter value {text} (underflow)")
    if number > 0xFFFF:
        raise UsageError(f"Invalid parameter value {text} (overflow)")
    return number


def _unsigned(digits: str) -> int:
    """C's strtoul: a minus sign wraps around, and what is too large is the largest."""
    number = int(digits[:64])
    if abs(number) > _ULONG_MAX:
        return _ULONG_MAX
    return number & _ULONG_MAX


def _logs(line: _Line, stream: BinaryIO) -> Logs:
    levels = {"--debug": Level.DEBUG, "--verbose": Level.INFO, "--quiet": Level.FATAL}
    counted = line.block(levels)
    level = levels[counted[-1]] if counted else None
    if (values := line.values("--log-level")) is not None:
        if counted:
            raise UsageError("--log-level not allowed with --verbose, --debug or --quiet")
        level = Level.parse(values[0])
        if level is None:
            raise UsageError("Invalid log level for --log-level option")
    if (values := line.values("--log-config")) is not None:
        if line.has("--log-level"):
            raise UsageError("--log-config not allowed with --log-level")
        if level is not None:
            raise UsageError("--log-config not allowed with --verbose, --debug or --quiet")
        try:
            return read_log_config(values[0])
        except LogConfigError as error:
            raise UsageError(str(error)) from None
    return default_logs(Level.WARN if level is None else level, stream)


# --- Values. ---


def _number(
    line: _Line, name: str, low: int, high: int | None = None, *, unsigned: bool = False
) -> int | None:
    """The number behind an option; None where the option is not used."""
    values = line.values(name)
    if values is None:
        return None
    text = values[0]
    match = _NUMBER.match(text)
    if match is None or (unsigned and text.startswith("-")):
        behind = f" ({text})" if text else ""
        raise UsageError(f"Invalid value for option {name}{behind}")
    number = _unsigned(match[1]) if unsigned else _signed(text)
    if number < low:
        raise UsageError(f"Invalid value for option {name} (underflow: {text})")
    if high is not None and number > high:
        raise UsageError(f"Invalid value for option {name} (overflow: {text})")
    return number


def _signed(text: str) -> int:
    """C's scanf with %li: in base 16 behind 0x, in base 8 behind 0."""
    match = _C_NUMBER.match(text)
    assert match is not None
    sign, sixteen, eight, ten = match.groups()
    if sixteen is not None:
        number = int(sixteen[:64], 16)
    elif eight is not None:
        number = int(eight[:64] or "0", 8)
    else:
        number = int(ten[:64])
    return max(-_LONG_MAX - 1, min(_LONG_MAX, -number if sign == "-" else number))


def _int32(number: int) -> int:
    """What is left of a long in C's int."""
    number &= 0xFFFFFFFF
    return number - 2**32 if number > 2**31 - 1 else number


def _text(line: _Line, name: str, default: str) -> str:
    values = line.values(name)
    return default if values is None else values[0]


def _depend(name: str, on: str, condition: object) -> None:
    if not condition:
        raise UsageError(f"{name} only allowed with {on}")


def _settings(line: _Line, logs: Logs, port: int) -> Settings:
    """The checks that follow those of the log options, in findscu's order."""
    keys = line.all_values("--key")
    model = _last(line, _MODELS, "worklist")
    calling = _text(line, "--aetitle", "FINDSCU")
    called = _text(line, "--call", "ANY-SCP")
    proposed = line.block(_SYNTAXES)
    syntaxes = _SYNTAXES[proposed[-1]] if proposed else _UNCOMPRESSED
    deflate_level = None
    if line.has("--compression-level"):
        is_deflated = bool(proposed) and proposed[-1] == "--propose-deflated"
        _depend("--compression-level", "--propose-deflated", is_deflated)
        deflate_level = _number(line, "--compression-level", 0, 9, unsigned=True)
    new_vr = line.block(("--enable-new-vr", "--disable-new-vr"))[-1:] != ["--disable-new-vr"]
    connect = _number(line, "--timeout", 1)
    socket = _number(line, "--socket-timeout", -1)
    acse = _number(line, "--acse-timeout", 1)
    dimse = _number(line, "--dimse-timeout", 1)
    max_pdu = _number(line, "--max-pdu", 4096, 131072, unsigned=True)
    repeat = _number(line, "--repeat", 1, unsigned=True)
    cancel = _number(line, "--cancel", 0)
    directory = _text(line, "--output-directory", ".")
    corrections = line.block(("--enable-correction", "--disable-correction"))
    shown = line.block(("--show-responses", "--hide-responses"))
    extracted = line.block(_EXTRACTIONS)
    limit = None
    if line.has("--limit-output"):
        others = "--extract, --extract-xml or --extract-xml-single"
        _depend("--limit-output", others, extracted)
        limit = _number(line, "--limit-output", 1, unsigned=True)
    files = _files(line, keys)
    tls = _tls(line)
    _set_response_level(line, logs, shown)
    return Settings(
        logs=logs,
        host=line.parameters[0],
        port=port,
        model=model_of(model),
        calling=calling,
        called=called,
        syntaxes=syntaxes,
        keys=tuple(keys),
        files=files,
        deflate_level=6 if deflate_level is None else deflate_level,
        new_vr=new_vr,
        connect_timeout=_int32(connect or 0),
        socket_timeout=60 if socket is None else _int32(socket),
        acse_timeout=30 if acse is None else _int32(acse),
        dimse_timeout=_int32(dimse or 0),
        max_pdu=16384 if max_pdu is None else max_pdu,
        repeat=1 if repeat is None else repeat,
        abort=line.has("--abort"),
        cancel_after=_int32(cancel or 0),
        correction=corrections[-1:] == ["--enable-correction"],
        extract=_EXTRACTIONS[extracted[-1]] if extracted else None,
        extract_file=_text(line, "--extract-xml-single", ""),
        extract_limit=limit,
        directory=directory,
        tls=tls,
        shows_certificate="--enable-tls" in line.block(_TLS_STACK),
        new_seed_file=_new_seed_file(line),
    )


def _last(line: _Line, names: dict[str, str], default: str) -> str:
    counted = line.block(names)
    return names[counted[-1]] if counted else default


def _files(line: _Line, keys: list[str]) -> tuple[str, ...]:
    files = tuple(line.parameters[2:])
    for file in files:
        if not os.access(file.encode("latin_1"), os.R_OK):
            raise UsageError(f"cannot access file: {file}")
    if not files and not keys:
        raise UsageError("either query file or override keys (or both) must be specified")
    return files


def _set_response_level(line: _Line, logs: Logs, shown: list[str]) -> None:
    """Responses have a logger of their own: -X hides them, +sr and -sr decide."""
    if shown:
        level = Level.INFO if shown[-1] == "--show-responses" else Level.OFF
        logs.set_level(RESPONSES, level)
    elif not line.has("--log-config"):
        if any(map(line.has, _EXTRACTIONS)):
            logs.set_level(RESPONSES, Level.OFF)
        elif not any(map(line.has, ("--quiet", "--verbose", "--debug", "--log-level"))):
            logs.set_level(RESPONSES, Level.INFO)


# --- TLS. ---


def _tls(line: _Line) -> Tls | None:
    """The TLS options. `+tls KEY CERT +tla` still sends the certificate."""
    stack = line.block(_TLS_STACK)
    on = bool(stack) and stack != ["--disable-tls"]
    pair = line.values("--enable-tls") if "--enable-tls" in stack else None
    passwords = line.block(("--std-passwd", "--use-passwd", "--null-passwd"))
    for name in passwords:
        _depend(name, "--enable-tls", pair)
    formats = line.block(("--pem-keys", "--der-keys"))
    _all_depend(formats, on)
    _all_depend([name for name in ("--seed",) if line.has(name)], on)
    for name in line.block(("--write-seed", "--write-seed-file")):
        _depend(name, _TLS_ON, on)
        _depend(name, "--seed", line.has("--seed"))
    peer = line.block(("--require-peer-cert", "--ignore-peer-cert"))
    _all_depend(peer, on)
    profiles = line.block(_PROFILES)
    for name in profiles:
        # findscu misnames this one.
        _depend("--profile-basic" if name == "--profile-aes" else name, _TLS_ON, on)
    profile = _PROFILES[profiles[-1]] if profiles else Profile.BCP195_ND
    others = ("--add-cert-file", "--add-cert-dir", "--add-crl-file", "--enable-crl-vfy")
    _all_depend([name for name in others if line.has(name)], on)
    if line.has("--enable-crl-all"):
        _depend("--enable-crl-all", _TLS_ON, on)
        if line.has("--enable-crl-vfy"):
            raise UsageError("--enable-crl-all not allowed with --enable-crl-vfy")
    if line.has("--cipher"):
        _depend("--cipher", _TLS_ON, on)
        if profile is Profile.BCP195_EX:
            raise UsageError("--cipher not allowed with --profile-bcp195-ex")
    if not on:
        return None
    return Tls(
        key_file=_name(pair[0]) if pair else "",
        certificate_file=_name(pair[1]) if pair else "",
        password=_password(line, passwords),
        file_format=FileFormat.DER if formats[-1:] == ["--der-keys"] else FileFormat.PEM,
        ca_files=_names(line, "--add-cert-file"),
        ca_directories=_names(line, "--add-cert-dir"),
        crl_files=_names(line, "--add-crl-file"),
        crl_check=_crl_check(line),
        profile=profile,
        ciphers=tuple(reversed(line.all_values("--cipher"))),
        verify_peer=peer[-1:] != ["--ignore-peer-cert"],
        check_hostname=False,
        server_name="",
        tolerant=True,
    )


def _new_seed_file(line: _Line) -> str:
    """Where +ws or +wf has random bytes written: nobody needs them any more, but a file appears."""
    written = line.block(("--write-seed", "--write-seed-file"))
    if not written:
        return ""
    option = "--seed" if written[-1] == "--write-seed" else "--write-seed-file"
    return _text(line, option, "")


def _names(line: _Line, option: str) -> tuple[str, ...]:
    # findscu takes options that may be repeated from right to left.
    return tuple(map(_name, reversed(line.all_values(option))))


def _name(file: str) -> str:
    """A file's name as Python has it."""
    return os.fsdecode(file.encode("latin_1"))


def _all_depend(names: Iterable[str], on: bool) -> None:
    for name in names:
        _depend(name, _TLS_ON, on)


def _password(line: _Line, passwords: list[str]) -> str | None:
    match passwords[-1:]:
        case ["--use-passwd"]:
            return _text(line, "--use-passwd", "")
        case ["--null-passwd"]:
            return ""
        case _:
            return None


def _crl_check(line: _Line) -> CrlCheck:
    if line.has("--enable-crl-all"):
        return CrlCheck.CHAIN
    is_checked = line.has("--enable-crl-vfy") or line.has("--add-crl-file")
    return CrlCheck.LEAF if is_checked else CrlCheck.NONE
