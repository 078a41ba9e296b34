"""Setting up TLS: files of every kind, and which of them is at fault, and how."""

import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from certificates import Authority, ec_key, rsa_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from asyncfind.errors import InvalidRequest, TlsSetupFailed, TlsStep
from asyncfind.net import tls_files
from asyncfind.net.tls import ciphers, context_of, make_context, problems_of, server_hostname
from asyncfind.net.tls_ciphers import KNOWN_CIPHERS, PROFILES
from asyncfind.security import CrlCheck, FileFormat, Profile, Tls

_ROOT: Final = Authority()
_OURS: Final = _ROOT.issue("us", client=True)
_TRADITIONAL: Final = PrivateFormat.TraditionalOpenSSL
_PKCS8: Final = PrivateFormat.PKCS8
_DER: Final = Encoding.DER


def _fails(tls: Tls) -> TlsSetupFailed:
    with pytest.raises(TlsSetupFailed) as caught:
        make_context(tls)
    assert isinstance(caught.value, InvalidRequest)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def own(tmp_path: Path) -> tuple[str, str]:
    """Names of our key and certificate."""
    return _OURS.write_key(tmp_path / "us.key"), _OURS.write_certificate(tmp_path / "us.pem")


def _with(own: tuple[str, str], password: str | None = "", **settings: object) -> Tls:
    return Tls(
        key_file=own[0],
        certificate_file=own[1],
        password=password,
        verify_peer=False,
        file_format=FileFormat.DER if settings.get("der") else FileFormat.PEM,
    )


# Every flag.


@pytest.mark.parametrize("profile", [one for one in Profile if one is not Profile.BASIC])
def test_every_flag_is_set(profile: Profile, tmp_path: Path) -> None:
    ca = _ROOT.write(tmp_path / "ca.pem")
    context = make_context(Tls(ca_files=(ca,), profile=profile))
    offer = PROFILES[profile]
    assert (context.minimum_version, context.maximum_version) == (offer.minimum, offer.maximum)
    assert context.security_level == offer.level
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_TICKET
    assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert not context.hostname_checks_common_name
    assert not context.post_handshake_auth
    assert context.keylog_filename is None
    names = [suite["name"] for suite in context.get_ciphers()]
    old = [name for name in names if not name.startswith("TLS_")]
    assert old == [KNOWN_CIPHERS[name] for name in offer.suites]


def test_profiles_offer_what_findscu_offers() -> None:
    names = {
        profile: [KNOWN_CIPHERS[suite] for suite in offer.suites]
        for profile, offer in PROFILES.items()
    }
    assert names[Profile.BCP195_ND] == [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "DHE-RSA-AES256-GCM-SHA384",
    ]
    assert names[Profile.RFC8996] == [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ]
    assert names[Profile.RFC8996_MOD][:2] == [
        "ECDHE-ECDSA-AES128-CCM",
        "ECDHE-ECDSA-AES128-CCM8",
    ]


def test_native_levels() -> None:
    levels = {profile.value: offer.level for profile, offer in PROFILES.items()}
    assert levels["8996"] == levels["8996-mod"] == 2
    assert levels["bcp195-nd"] == levels["bcp195-ex"] == 1


def test_what_is_checked() -> None:
    context = make_context(Tls(verify_peer=False))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
    context = make_context(Tls(system_trust=True, crl_check=CrlCheck.CHAIN))
    assert context.verify_flags & ssl.VERIFY_CRL_CHECK_CHAIN == ssl.VERIFY_CRL_CHECK_CHAIN
    assert not context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


def test_a_context_is_made_once(tmp_path: Path) -> None:
    tls = Tls(ca_files=(_ROOT.write(tmp_path / "ca.pem"),))
    assert context_of(tls) is context_of(Tls(ca_files=tls.ca_files))
    assert context_of(tls) is not context_of(Tls(ca_files=tls.ca_files, check_hostname=False))


def test_no_password_in_what_is_printed() -> None:
    assert "hush" not in repr(Tls(password="hush"))


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        (None, "pacs.invented.example", "pacs.invented.example"),
        (None, "pacs.invented.example.", "pacs.invented.example"),
        (None, "fe80::1%eth0", "fe80::1"),
        ("ris", "pacs", "ris"),
        ("", "pacs", None),
    ],
)
def test_server_name(name: str | None, host: str, expected: str | None) -> None:
    assert server_hostname(Tls(server_name=name), host) == expected


# Suites.


def test_the_table_is_findscus(tmp_path: Path) -> None:
    program = shutil.which("findscu")
    assert program is not None, "findscu is missing: install the Debian package dcmtk"
    told = subprocess.run([program, "+cc"], capture_output=True, text=True, check=True)
    theirs = [line.strip() for line in told.stdout.splitlines() if line.startswith("  TLS_")]
    ours = list(ciphers())
    # 3.7.0 and later know the CCM suites too.
    newer = {name for name in ours if name.endswith(("_CCM", "_CCM_8"))}
    assert [name for name in ours if name in theirs or name not in newer] == theirs
    assert len(newer) == 4


def test_every_suite_can_be_offered() -> None:
    for name, openssl in ciphers().items():
        context = make_context(Tls(verify_peer=False, profile=Profile.NULL, ciphers=(name,)))
        assert openssl in [suite["name"] for suite in context.get_ciphers()]


@pytest.mark.parametrize(
    ("profile", "name", "text"),
    [
        (Profile.RFC8996, "TLS_RSA_WITH_FOO", "unknown cipher suite 'TLS_RSA_WITH_FOO'"),
        (Profile.RFC8996, "AES128-SHA", "unknown cipher suite"),
        (Profile.RFC8996, "ALL", "unknown cipher suite"),
        (Profile.RFC8996, "x\x1b[1m", r"unknown cipher suite 'x\x1b[1m'"),
        (Profile.NULL, "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA", "does not have"),
        (Profile.RFC8996, "TLS_RSA_WITH_NULL_SHA", "does not encrypt"),
        (Profile.BCP195_ND, "TLS_RSA_WITH_NULL_SHA", "does not encrypt"),
        (Profile.AES, "TLS_RSA_WITH_NULL_SHA", "does not encrypt"),
        (Profile.RFC8996, "TLS_RSA_WITH_AES_128_CBC_SHA", "uses SHA-1"),
        (Profile.BCP195_EX, "TLS_RSA_WITH_AES_128_GCM_SHA256", "takes no further"),
        (Profile.RFC8996_MOD, "TLS_RSA_WITH_AES_128_GCM_SHA256", "takes no further"),
    ],
)
def test_suites_that_are_refused(profile: Profile, name: str, text: str) -> None:
    failed = _fails(Tls(verify_peer=False, profile=profile, ciphers=(name,)))
    assert text in failed.text
    assert (failed.step, failed.name) == (TlsStep.CIPHER, name)


def test_a_profile_that_this_openssl_lacks_is_refused() -> None:
    assert "TLS_RSA_WITH_3DES_EDE_CBC_SHA" not in ciphers()
    failed = _fails(Tls(verify_peer=False, profile=Profile.BASIC))
    assert "TLS_RSA_WITH_3DES_EDE_CBC_SHA" in failed.text
    assert failed.step is TlsStep.PROFILE


# Our own key and certificate.


@pytest.mark.parametrize("password", ["", "open sesame"])
@pytest.mark.parametrize("form", [_PKCS8, _TRADITIONAL])
def test_keys_in_pem(own: tuple[str, str], password: str, form: PrivateFormat) -> None:
    _OURS.write_key(Path(own[0]), password=password, form=form)
    make_context(_with(own, password))


def test_a_pass_phrase_in_bytes_that_are_no_text(own: tuple[str, str]) -> None:
    argument = os.fsdecode(b"gr\xfcn")
    key = _OURS.key.private_bytes(
        Encoding.PEM,
        _PKCS8,
        BestAvailableEncryption(b"gr\xfcn"),
    )
    Path(own[0]).write_bytes(key)
    make_context(_with(own, argument))


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize(
    ("form", "password"), [(_PKCS8, ""), (_PKCS8, "open sesame"), (_TRADITIONAL, "")]
)
def test_keys_in_der(tmp_path: Path, kind: str, form: PrivateFormat, password: str) -> None:
    ours = _ROOT.issue(key=ec_key("us") if kind == "ec" else None)
    key = ours.write_key(tmp_path / "key", encoding=_DER, form=form, password=password)
    certificate = ours.write_certificate(tmp_path / "certificate", encoding=_DER)
    make_context(_with((key, certificate), password, der=True))


def test_pkcs12(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    middle = Authority("Invented Department CA", _ROOT).issue()
    for password in ("", "open sesame"):
        name = middle.write_pkcs12(tmp_path / "us.p12", password)
        make_context(Tls(pkcs12_file=name, password=password, verify_peer=False))
    failed = _fails(Tls(pkcs12_file=name, password="wrong", verify_peer=False))
    assert "pass phrase" in failed.text
    assert failed.step is TlsStep.KEY
    whole = Path(name).read_bytes()
    Path(name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "is damaged, or its pass" in _fails(Tls(pkcs12_file=name, password="open sesame")).text
    # Nobody is asked for the pass phrase of what has none.
    monkeypatch.delattr(tls_files, "password_of")
    key = _OURS.write_key(tmp_path / "us.key", password="open sesame")
    der = _OURS.write_key(tmp_path / "us.der", encoding=_DER)
    for data in (b"nothing", b"", b"\x30\x80", whole[:-9], *map(_bytes_of, (key, der))):
        Path(name).write_bytes(data)
        failed = _fails(Tls(pkcs12_file=name))
        assert failed.text == f"'{name}' is no PKCS#12 file"
        assert failed.step is TlsStep.KEY
    both = Tls(pkcs12_file=name, key_file=name, certificate_file=name)
    assert _fails(both).step is TlsStep.SETTINGS


def _bytes_of(name: str) -> bytes:
    return Path(name).read_bytes()


def test_what_begins_as_pkcs12() -> None:
    assert tls_files.is_pkcs12(bytes.fromhex("30 80 02 01 03 30 80"))  # BER, as some export it
    assert tls_files.is_pkcs12(bytes.fromhex("30 03 02 01 03"))
    assert not tls_files.is_pkcs12(bytes.fromhex("30 03 02 01 00"))
    assert not tls_files.is_pkcs12(bytes.fromhex("31 03 02 01 03"))


def test_pkcs12_without_a_key(tmp_path: Path) -> None:
    name = tmp_path / "us.p12"
    only = pkcs12.serialize_key_and_certificates(
        b"test", None, _OURS.certificate, None, NoEncryption()
    )
    name.write_bytes(only)
    failed = _fails(Tls(pkcs12_file=str(name), password="", verify_peer=False))
    assert "holds no private key" in failed.text
    assert failed.step is TlsStep.KEY


def test_pkcs12_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = _OURS.write_pkcs12(tmp_path / "us.p12")
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization.pkcs12", None)
    failed = _fails(Tls(pkcs12_file=name, verify_peer=False))
    assert "asyncfind[pkcs12]" in failed.hint


def test_a_key_that_cannot_be_read(own: tuple[str, str], tmp_path: Path) -> None:
    failed = _fails(_with((str(tmp_path / "gone"), own[1])))
    assert "No such file" in failed.text
    assert (failed.step, failed.openssl_code) == (TlsStep.KEY, 0x80000002)
    failed = _fails(_with((str(tmp_path), own[1])))
    assert (failed.step, failed.openssl_code) == (TlsStep.KEY, 0x80000015)
    assert _fails(_with(("a\0b", own[1]))).openssl_code is None


def test_a_key_that_is_none(own: tuple[str, str], tmp_path: Path) -> None:
    key = Path(own[0])
    good = key.read_bytes()
    key.write_bytes(b"junk")
    failed = _fails(_with(own))
    assert "is no private key in PEM" in failed.text
    assert (failed.step, failed.openssl_code) == (TlsStep.KEY, 0x1E08010C)
    key.write_bytes(b"")
    assert "is empty" in _fails(_with(own)).text
    failed = _fails(_with((own[1], own[1])))
    assert "holds no private key, but: CERTIFICATE" in failed.text
    key.write_bytes(good.replace(b"\nMII", b"\nMXX", 1))
    failed = _fails(_with(own))
    assert "is damaged" in failed.text
    assert (failed.step, failed.openssl_code) == (TlsStep.KEY, 0x1E08010C)
    for der in (b"\x30\x84\x01\x00\x00\x00\x00", b"\x30\x85" + bytes(9), b"\x30\x02\x05\x07", b"0"):
        key.write_bytes(der)
        assert "in DER" in _fails(_with(own, der=True)).text
    key.write_bytes(b"\n" * (17 << 20))
    assert "larger than 16 MiB" in _fails(_with(own)).text


@pytest.mark.parametrize("password", ["wrong", "", "x" * 2000])
@pytest.mark.parametrize("form", [_PKCS8, _TRADITIONAL])
def test_a_wrong_pass_phrase(own: tuple[str, str], password: str, form: PrivateFormat) -> None:
    _OURS.write_key(Path(own[0]), password="open sesame", form=form)
    failed = _fails(_with(own, password))
    assert "wrong pass phrase" in failed.text
    assert (failed.step, failed.openssl_code) == (TlsStep.KEY, 0x1C800064)
    assert ("+pw" in failed.hint) == (password == "")


def test_the_other_format(own: tuple[str, str], tmp_path: Path) -> None:
    key = _OURS.write_key(tmp_path / "key.der", encoding=_DER)
    certificate = _OURS.write_certificate(tmp_path / "us.der", encoding=_DER)
    failed = _fails(_with((key, own[1])))
    assert "is in DER, not in PEM" in failed.text
    assert (failed.step, failed.openssl_code) == (TlsStep.KEY, 0x1E08010C)
    assert "-der" in failed.hint
    failed = _fails(_with((own[0], certificate)))
    assert "is in DER, not in PEM" in failed.text
    assert (failed.step, failed.openssl_code) == (TlsStep.CERTIFICATE, 0x0480006C)
    failed = _fails(_with(own, der=True))
    assert "is in PEM, not in DER" in failed.text
    assert (failed.step, "-pem" in failed.hint) == (TlsStep.KEY, True)
    failed = _fails(_with((key, own[1]), der=True))
    assert "is in PEM, not in DER" in failed.text
    assert failed.step is TlsStep.CERTIFICATE
    failed = _fails(_with((certificate, certificate), der=True))
    assert "is no private key in DER" in failed.text
    failed = _fails(_with((key, key), der=True))
    assert "is damaged" in failed.text
    assert failed.step is TlsStep.CERTIFICATE


def test_a_certificate_that_is_none(own: tuple[str, str], tmp_path: Path) -> None:
    failed = _fails(_with((own[0], str(tmp_path / "gone"))))
    assert (failed.step, failed.openssl_code) == (TlsStep.CERTIFICATE, 0x80000002)
    Path(own[1]).write_bytes(b"junk")
    failed = _fails(_with(own))
    assert (failed.step, failed.openssl_code) == (TlsStep.CERTIFICATE, 0x0480006C)
    _OURS.write_certificate(Path(own[1]))
    text = Path(own[1]).read_bytes()
    Path(own[1]).write_bytes(text.replace(b"\nMII", b"\nMXX", 1))
    failed = _fails(_with(own))
    assert "is damaged" in failed.text
    assert failed.step is TlsStep.CERTIFICATE


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_key_and_certificate_that_do_not_match(own: tuple[str, str], kind: str) -> None:
    key = ec_key("stranger") if kind == "ec" else _ROOT.key
    _ROOT.issue(key=key).write_key(Path(own[0]))
    failed = _fails(_with(own))
    assert "do not match" in failed.text
    assert (failed.step, failed.name) == (TlsStep.MATCH, own[1])


def test_a_certificate_of_ours_that_is_too_weak(tmp_path: Path) -> None:
    weak = _ROOT.issue(key=rsa_key("short", 1024))
    own = weak.write_key(tmp_path / "k"), weak.write_certificate(tmp_path / "c")
    failed = _fails(_with(own))
    assert "its key is too short" in failed.text
    assert failed.step is TlsStep.CERTIFICATE


@pytest.mark.parametrize("settings", [{"key_file": "k"}, {"certificate_file": "c"}])
def test_one_without_the_other(settings: dict[str, str]) -> None:
    assert _fails(Tls(verify_peer=False, **settings)).step is TlsStep.SETTINGS  # type: ignore[arg-type]  # only text


# The terminal.


def test_no_terminal_to_ask(own: tuple[str, str]) -> None:
    _OURS.write_key(Path(own[0]), password="open sesame")
    code = (
        "import os, sys; os.setsid()\n"
        "from asyncfind.net.tls import make_context\n"
        "from asyncfind.errors import TlsSetupFailed\n"
        "from asyncfind.security import Tls\n"
        "try:\n"
        "    make_context(Tls(key_file=sys.argv[1], certificate_file=sys.argv[2],"
        " verify_peer=False))\n"
        "except TlsSetupFailed as exc:\n"
        "    print(exc.step, exc.text)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *own],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "needs a pass phrase, and there is no terminal to ask" in done.stdout, done.stderr
    assert done.stdout.startswith("key ")
    assert "pass phrase:" not in done.stderr


def _on_terminal(own: tuple[str, str], typed: bytes) -> str:
    """Make a context in a process with a terminal, where somebody types; return what it shows."""
    code = (
        "import sys\n"
        "from asyncfind.net.tls import make_context\n"
        "from asyncfind.errors import TlsSetupFailed\n"
        "from asyncfind.security import Tls\n"
        "try:\n"
        "    make_context(Tls(key_file=sys.argv[1], certificate_file=sys.argv[2],"
        " verify_peer=False))\n"
        "    print('made')\n"
        "except TlsSetupFailed as exc:\n"
        "    print(exc.text)\n"
    )
    shown = b""
    with subprocess.Popen(
        [sys.executable, "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)",
         sys.executable, "-c", code, *own],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        killer = threading.Timer(60, process.kill)
        killer.start()
        try:
            while b"phrase:" not in shown:
                more = os.read(process.stdout.fileno(), 1000)
                if not more:
                    break
                shown += more
            process.stdin.write(typed)
            process.stdin.flush()
            while more := os.read(process.stdout.fileno(), 1000):
                shown += more
        finally:
            killer.cancel()
            process.stdin.close()
    return shown.decode()


def test_the_terminal_is_asked(own: tuple[str, str]) -> None:
    _OURS.write_key(Path(own[0]), password="open sesame")
    shown = _on_terminal(own, b"open sesame\n")
    assert shown.startswith("Enter PEM pass phrase:")
    assert "sesame" not in shown
    assert shown.rstrip().endswith("made")
    assert "wrong pass phrase" in _on_terminal(own, b"close sesame\n")


# Whom we trust.


def test_no_ca(tmp_path: Path) -> None:
    failed = _fails(Tls())
    assert "no CA is given" in failed.text
    assert failed.step is TlsStep.TRUST
    # As findscu does it: the handshake finds out.
    problems: list[TlsSetupFailed] = []
    assert make_context(Tls(), problems).verify_mode is ssl.CERT_REQUIRED
    assert problems == []


@pytest.mark.parametrize("option", ["ca_files", "crl_files"])
@pytest.mark.parametrize(
    ("content", "file_format", "code", "text"),
    [
        (None, FileFormat.PEM, 0x80000002, "No such file"),
        (b"junk", FileFormat.PEM, 0x05800088, "in PEM"),
        (b"", FileFormat.PEM, 0x05800088, "is empty"),
        (b"junk", FileFormat.DER, 0x068000A8, "in DER"),
        (_ROOT.certificate.public_bytes(Encoding.DER), FileFormat.PEM, 0x05800088, "not in PEM"),
        (_ROOT.certificate.public_bytes(Encoding.PEM), FileFormat.DER, 0x068000A8, "not in DER"),
    ],
)
def test_files_that_cannot_be_loaded(
    tmp_path: Path,
    option: str,
    content: bytes | None,
    file_format: FileFormat,
    code: int,
    text: str,
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    tls = Tls(file_format=file_format, system_trust=True, **{option: (str(file),)})  # type: ignore[arg-type]  # a name of two
    failed = _fails(tls)
    assert text in failed.text
    step = TlsStep.CA_FILE if option == "ca_files" else TlsStep.CRL
    assert (failed.step, failed.name, failed.openssl_code) == (step, str(file), code)
    problems: list[TlsSetupFailed] = []
    make_context(tls, problems)
    assert [(one.step, one.name, one.openssl_code) for one in problems] == [(step, str(file), code)]


def test_a_problem_does_not_hide_what_is_good(tmp_path: Path) -> None:
    good = _ROOT.write(tmp_path / "ca.pem")
    problems: list[TlsSetupFailed] = []
    context = make_context(Tls(ca_files=("gone", good), crl_files=("gone too",)), problems)
    assert [one.name for one in problems] == ["gone", "gone too"]
    assert context.cert_store_stats()["x509_ca"] == 1
    assert context.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF


def test_tolerant_settings_keep_their_problems_for_every_association() -> None:
    tls = Tls(ca_files=("gone",), ca_directories=("gone",), tolerant=True)
    assert context_of(tls).verify_mode is ssl.CERT_REQUIRED
    assert [(one.step, one.name) for one in problems_of(tls)] == [(TlsStep.CA_FILE, "gone")]
    assert problems_of(Tls(tolerant=True)) == ()
    assert make_context(tls).verify_mode is ssl.CERT_REQUIRED


def test_der_of_all_kinds(tmp_path: Path) -> None:
    ca = _ROOT.write(tmp_path / "ca.der", encoding=_DER)
    crl = _ROOT.write_crl(tmp_path / "crl.der", encoding=_DER)
    folder = tmp_path / "folder"
    folder.mkdir()
    Authority("Another Root CA").write(folder / "other", encoding=_DER)
    (folder / "README").write_text("not a certificate")
    context = make_context(
        Tls(
            file_format=FileFormat.DER,
            ca_files=(ca,),
            ca_directories=(str(folder),),
            crl_files=(crl,),
        )
    )
    assert context.cert_store_stats() == {"x509": 2, "x509_ca": 2, "crl": 1}


def test_directories(tmp_path: Path) -> None:
    failed = _fails(Tls(ca_directories=(str(tmp_path / "gone"),)))
    assert (failed.step, failed.openssl_code) == (TlsStep.CA_DIRECTORY, 0x80000002)
    _ROOT.write(tmp_path / "ca.pem")
    failed = _fails(Tls(ca_directories=(str(tmp_path),)))
    assert "holds no CA certificates" in failed.text
    assert "openssl rehash" in failed.hint
    der = Tls(ca_directories=(str(tmp_path),), file_format=FileFormat.DER)
    assert "one certificate in DER per file" in _fails(der).hint
    make_context(Tls(ca_directories=(_ROOT.write_hashed(tmp_path),)))
    # findscu says nothing about directories.
    problems: list[TlsSetupFailed] = []
    make_context(Tls(ca_directories=("gone",)), problems)
    assert problems == []


@pytest.mark.parametrize(
    ("old", "new", "code"), [(b"\nMII", b"\nMXX", 0x068000A8), (b"\nMII", b"\nM!I", 0x04800064)]
)
def test_damaged_files(tmp_path: Path, old: bytes, new: bytes, code: int) -> None:
    ca = Path(_ROOT.write(tmp_path / "ca.pem"))
    ca.write_bytes(ca.read_bytes().replace(old, new, 1))
    failed = _fails(Tls(ca_files=(str(ca),)))
    assert "is damaged, or is no CA certificate" in failed.text
    assert (failed.step, failed.openssl_code) == (TlsStep.CA_FILE, code)


def test_a_file_in_der_that_was_cut(tmp_path: Path) -> None:
    ca = Path(_ROOT.write(tmp_path / "ca.der", encoding=_DER))
    ca.write_bytes(ca.read_bytes()[:300])
    failed = _fails(Tls(ca_files=(str(ca),), file_format=FileFormat.DER))
    assert (failed.step, failed.openssl_code) == (TlsStep.CA_FILE, 0x0680008E)


def test_a_certificate_is_no_revocation_list(tmp_path: Path) -> None:
    ca = _ROOT.write(tmp_path / "ca.pem")
    failed = _fails(Tls(ca_files=(ca,), crl_files=(ca,)))
    assert "holds no revocation list" in failed.text
    assert failed.step is TlsStep.CRL


@pytest.mark.parametrize(
    "pin", ["sha256:", "sha256:" + "g" * 64, "a" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 32]
)
def test_a_pin_that_is_none(pin: str) -> None:
    assert "is no pin" in _fails(Tls(pin=pin)).text


def test_pins_are_written_in_several_ways() -> None:
    for digits in ("ab" * 32, "AB" * 32, ":".join(["ab"] * 32)):
        make_context(Tls(pin=f"sha256:{digits}"))


def test_a_host_name_cannot_be_checked_in_secret(tmp_path: Path) -> None:
    ca = _ROOT.write(tmp_path / "ca.pem")
    failed = _fails(Tls(ca_files=(ca,), server_name=""))
    assert "--no-verify-hostname" in failed.hint
    make_context(Tls(ca_files=(ca,), server_name="", check_hostname=False))


@pytest.mark.parametrize("memory", [True, False])
def test_a_key_lies_nowhere(memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not memory:
        monkeypatch.delattr(os, "memfd_create")
    with tls_files.memory_file(b"secret") as name:
        path = Path(name)
        assert path.read_bytes() == b"secret"
        assert path.stat().st_mode & 0o077 == 0 or memory
    assert not path.exists()


def _pipe(data: bytes) -> tuple[str, Callable[[], None]]:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return f"/proc/self/fd/{reading}", lambda: os.close(reading)


def test_files_are_read_once_so_pipes_will_do() -> None:
    name, close = _pipe(_ROOT.certificate.public_bytes(Encoding.PEM))
    make_context(Tls(ca_files=(name,)))
    close()
