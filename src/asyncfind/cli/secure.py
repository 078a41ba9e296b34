"""The TLS options as settings of a peer, checked before anything is sent."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe
from asyncfind.security import CrlCheck, FileFormat, Profile, Tls

__all__ = ["cipher_list", "make_tls", "notes_on", "profile_list"]

_HELP = "Add +tla, or +tls KEY-FILE CERTIFICATE-FILE."


def make_tls(given: Mapping[str, Any]) -> Tls | None:
    """The settings that the options describe; None for plain TCP.

    The context is made here: files are read and a pass phrase is asked for before the first
    connection.

    Raises:
        InvalidRequest: options without TLS, files that cannot be used, suites that are none.
    """
    pair, pkcs12 = given["key_and_certificate"], given["pkcs12"]
    if given["tls"] != "anonymous" and pair is None and pkcs12 is None:
        _refuse_without(given)
        return None
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
        check_hostname=given["verify_hostname"],
        server_name="" if given["no_sni"] else given["server_name"],
        pin=_pin(given["pin"]),
    )
    # Here, because only runs with TLS pay for its import.
    from asyncfind.net.tls import context_of

    context_of(tls)
    return tls


def notes_on(given: Mapping[str, Any], tls: Tls | None) -> list[str]:
    """What a user of these options should know, in sentences."""
    notes = []
    if tls is not None and not tls.verify_peer:
        notes.append("-ic: the archive's certificate is not verified; anybody can pose as it.")
    if tls is not None and tls.profile is Profile.NULL:
        notes.append("+pn: nothing is encrypted.")
    if given["dh_parameters"]:
        notes.append("+dp has no effect: in TLS the server chooses the Diffie-Hellman parameters.")
    if given["seed_file"]:
        notes.append("+rs has no effect: the system seeds OpenSSL's random generator.")
    return notes


def _refuse_without(given: Mapping[str, Any]) -> None:
    """Options that secure a connection must not be there for nothing."""
    used = {
        "+cf": given["ca_files"],
        "+cd": given["ca_directories"],
        "+crl": given["crl_files"],
        "+crv": given["crl_check"] != "none",
        "+cs": given["ciphers"],
        "+pw": given["password"],
        "--passwd-file": given["password_file"],
        "-der": given["key_format"] == "der",
        "-ic": given["peer_certificate"] == "ignore",
        "--tls-pin": given["pin"],
        "--tls-system-trust": given["system_trust"],
        "--request-sni": given["server_name"],
    }
    for option, is_used in used.items():
        if is_used:
            raise InvalidRequest(f"{option} without TLS", _HELP)


def _check_seed(given: Mapping[str, Any]) -> None:
    if given["seed_file"] is None:
        if given["write_seed"] or given["write_seed_file"]:
            name = "+ws" if given["write_seed"] else "+wf"
            raise InvalidRequest(f"{name} only allowed with +rs", "Add +rs FILE, or drop it.")
        return
    if not Path(given["seed_file"]).is_file():
        shown = safe(given["seed_file"], 200)
        raise InvalidRequest(f"seed file '{shown}' cannot be read", "Drop +rs: it has no effect.")


def write_seed(given: Mapping[str, Any]) -> None:
    """Write new random bytes where +ws or +wf say so, as findscu does at its end.

    Raises:
        InvalidRequest: the file cannot be written.
    """
    name = given["write_seed_file"] or (given["seed_file"] if given["write_seed"] else None)
    if not name:
        return
    import os

    try:
        Path(name).write_bytes(os.urandom(1024))
    except OSError as exc:
        shown = safe(name, 200)
        raise InvalidRequest(
            f"seed file '{shown}' cannot be written: {exc.strerror}", "Name another with +wf."
        ) from exc


def _password(given: Mapping[str, Any]) -> str | None:
    if given["password"] is not None:
        return str(given["password"])
    if given["password_file"] is not None:
        from asyncfind.cli.identity import read_secret

        secret = read_secret(f"file:{given['password_file']}", "pass phrase", binary=False)
        return secret.decode("utf-8", "surrogateescape")
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
    from asyncfind.cli.options import FIND

    rows = [row for row in FIND if row.target == "profile"]
    return "".join(f"{row.short}  {row.long:<22} {row.help}\n" for row in rows)
