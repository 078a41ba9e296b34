"""The TLS options as settings of a peer, checked before anything is sent."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from asyncfind.cli.given import is_given
from asyncfind.cli.options import FIND
from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe
from asyncfind.security import CrlCheck, FileFormat, Profile, Tls

__all__ = ["cipher_list", "make_tls", "notes_on", "profile_list"]

_HELP: Final = "Add +tla, or +tls KEY-FILE CERTIFICATE-FILE."
_PASSWORD_OPTIONS: Final = frozenset(("password_from", "password", "password_file"))
_TLS_OPTIONS: Final = _PASSWORD_OPTIONS | {
    *("key_format", "ca_files", "ca_directories", "system_trust", "crl_files", "crl_check"),
    *("peer_certificate", "server_name", "no_sni", "verify_hostname", "pin", "profile", "ciphers"),
    *("dh_parameters", "seed_file", "write_seed", "write_seed_file"),
}


def make_tls(given: Mapping[str, Any]) -> Tls | None:
    """The settings that the options of the command line in progress describe; None for plain TCP.

    The context is made here: files are read and a pass phrase is asked for before the first
    connection.

    Raises:
        InvalidRequest: options without TLS, files that cannot be used, suites that are none.
    """
    pair, pkcs12 = given["key_and_certificate"], given["pkcs12"]
    has_certificate = pair is not None or pkcs12 is not None
    if given["tls"] != "anonymous" and not has_certificate:
        _refuse(given, _TLS_OPTIONS, "without TLS", _HELP)
        return None
    if not has_certificate:
        _refuse(given, _PASSWORD_OPTIONS, "without a key of ours", "Add +tls or --tls-p12.")
    _check_seed(given)
    tls = Tls(
        key_file=pair[0] if pair else "",
        certificate_file=pair[1] if pair else "",
        pkcs12_file=pkcs12 or "",
        password=_password(given),
        file_format=FileFormat(given["key_format"]),
        ca_files=given["ca_files"],
        ca_directories=given["ca_directories"],
        system_trust=given["system_trust"],
        crl_files=given["crl_files"],
        crl_check=_crl_check(given),
        profile=Profile(given["profile"]),
        ciphers=given["ciphers"],
        verify_peer=given["peer_certificate"] == "require",
        check_hostname=given["verify_hostname"] == "on",
        server_name="" if given["no_sni"] else given["server_name"],
        pin=_pin(given["pin"]),
    )
    # Here, because only runs with TLS pay for its import.
    from asyncfind.net.tls import context_of

    context_of(tls)
    return tls


def notes_on(given: Mapping[str, Any], tls: Tls | None) -> tuple[list[str], list[str]]:
    """What a user of these options should know, and what is worth a remark, in sentences."""
    if tls is None:
        return [], []
    warnings, remarks = [], []
    if not tls.verify_peer and not tls.pin:
        warnings.append("-ic: the archive's certificate is not verified; anybody can pose as it.")
    elif tls.verify_peer and not tls.check_hostname and not tls.pin:
        remarks.append(
            "--no-verify-hostname: whoever has a certificate of a trusted CA can pose as the "
            "archive."
        )
    if tls.profile is Profile.NULL:
        warnings.append("+pn: nothing is encrypted.")
    if given["dh_parameters"]:
        warnings.append(
            "+dp has no effect: in TLS the server chooses the Diffie-Hellman parameters."
        )
    if given["seed_file"]:
        warnings.append("+rs has no effect: the system seeds OpenSSL's random generator.")
    return warnings, remarks


def _refuse(given: Mapping[str, Any], targets: frozenset[str], why: str, hint: str) -> None:
    """Options must not be there for nothing: who gives them believes that they do something."""
    for row in FIND:
        is_value = bool(row.metavar) or row.flag == given.get(row.target)
        if row.target in targets and is_value and is_given(row.target):
            raise InvalidRequest(f"{row.short or row.long} {why}", hint)


def _check_seed(given: Mapping[str, Any]) -> None:
    if given["seed_file"] is None:
        if given["write_seed"] or given["write_seed_file"]:
            name = "+ws" if given["write_seed"] else "+wf"
            raise InvalidRequest(f"{name} only allowed with +rs", "Add +rs FILE, or drop it.")
        return
    if not Path(given["seed_file"]).is_file():
        shown = safe(given["seed_file"], 200)
        raise InvalidRequest(f"seed file '{shown}' cannot be read", "Drop +rs: it has no effect.")


def write_seed(given: Mapping[str, Any]) -> str:
    """Write new random bytes where +ws or +wf say so, as findscu does at its end.

    Returns:
        Why that failed, as a sentence; empty where it did not.
    """
    name = given["write_seed_file"] or (given["seed_file"] if given["write_seed"] else None)
    if not name:
        return ""
    try:
        Path(name).write_bytes(os.urandom(1024))
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "no file name"
        return f"seed file '{safe(name, 200)}' cannot be written: {why}. Name another with +wf."
    return ""


def _password(given: Mapping[str, Any]) -> str | None:
    if given["password"] is not None:
        return str(given["password"])
    if given["password_file"] is not None:
        from asyncfind.cli.identity import read_secret

        try:
            secret = read_secret(f"file:{given['password_file']}", "pass phrase")
        except InvalidRequest as exc:
            raise InvalidRequest(exc.text, "Check the file behind --passwd-file.") from None
        return secret.splitlines()[0].decode("utf-8", "surrogateescape")
    return "" if given["password_from"] == "empty" else None


def _crl_check(given: Mapping[str, Any]) -> CrlCheck:
    check = CrlCheck(given["crl_check"])
    return CrlCheck.LEAF if given["crl_files"] and check is CrlCheck.NONE else check


def _pin(text: str | None) -> str:
    if not text:
        return ""
    return text if text.startswith("sha256:") else f"sha256:{text}"


def cipher_list() -> str:
    """What +cc prints."""
    from asyncfind.net.tls import ciphers

    return "".join(f"{name}\n" for name in ciphers())


def profile_list() -> str:
    """What +ph prints."""
    rows = [row for row in FIND if row.target == "profile"]
    return "".join(f"{row.short}  {row.long:<22} {row.help}\n" for row in rows)
