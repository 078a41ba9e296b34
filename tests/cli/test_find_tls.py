"""TLS through the command line: what is set up, what is refused, and in which words."""

import json
import re
import ssl
import subprocess
from pathlib import Path
from typing import Final

import pytest
from certificates import Authority, Identity, ec_key, rsa_key, self_signed, server
from click.testing import CliRunner
from commands import STUDIES, Hall, Run, at_terminal, command, environment, run
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from asyncfind.cli.find import find
from asyncfind.cli.options import FIND, Option
from asyncfind.errors import InvalidRequest
from asyncfind.net.transport import Stream
from asyncfind.scp.answers import Answers
from asyncfind.scp.server import Server

_ROOT: Final = Authority()
_OTHER: Final = Authority("Another Root CA")
_LOWER: Final = Authority("Invented Issuing CA", _ROOT)
_OURS: Final = _ROOT.issue("us", names=(), client=True, key=rsa_key("us"))
_GOOD: Final = _ROOT.issue(ends=60)
_PHRASE: Final = "open sesame"


class Files:
    """What users have: a CA, and a key of their own in every form."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = _ROOT.write(folder / "ca.pem")
        self.key = _OURS.write_key(folder / "us.key")
        self.certificate = _OURS.write_certificate(folder / "us.pem")
        self.locked = _OURS.write_key(folder / "us.locked", password=_PHRASE)
        self.phrase = folder / "phrase"
        self.phrase.write_text(f"{_PHRASE}\nanother line\n")

    def der(self) -> tuple[str, ...]:
        """The options for all of it in DER."""
        key = _OURS.write_key(self.folder / "us.key.der", encoding=Encoding.DER)
        certificate = _OURS.write_certificate(self.folder / "us.der", encoding=Encoding.DER)
        ca = _ROOT.write(self.folder / "ca.der", encoding=Encoding.DER)
        return "+tls", key, certificate, "+cf", ca


@pytest.fixture
def files(tmp_path: Path) -> Files:
    folder = tmp_path / "files"
    folder.mkdir()
    return Files(folder)


def _serve(
    hall: Hall,
    files: Files,
    identity: Identity = _GOOD,
    *,
    clients: bool = False,
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str = "ALL:eNULL:@SECLEVEL=0",
) -> str:
    place = files.folder / "server"
    place.mkdir(exist_ok=True)
    context = server(
        identity, place, clients=_ROOT if clients else None, maximum=maximum, ciphers=ciphers
    )
    return hall.serve(Server(Answers(2), tls=context))


def _ask(port: str, *arguments: str | Path, host: str = "localhost") -> Run:
    return run(*STUDIES, *arguments, "--format", "csv", host, port)


def _good(port: str, *arguments: str | Path, host: str = "localhost") -> Run:
    done = _ask(port, *arguments, host=host)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3), done.stderr
    return done


def _fails(port: str, *arguments: str | Path, host: str = "localhost") -> str:
    """What is said of a handshake that fails: once, with exit code 2 and without an answer."""
    done = _ask(port, *arguments, host=host)
    assert (done.returncode, len(done.stdout.splitlines())) == (2, 1), done.stderr
    line, summary = done.stderr.splitlines()
    assert line.startswith(f"asyncfind: ANY-SCP@{host}:{port}: ")
    assert "1 unreached" in summary
    return line


def _refused(*arguments: str | Path) -> str:
    """What is said of settings that cannot be used: one line, and nothing is sent."""
    done = run(*STUDIES, *arguments, "127.0.0.1", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


# Good ones.


@pytest.mark.parametrize("option", ["+tla", "--anonymous-tls"])
def test_a_good_certificate_is_taken_in_silence(hall: Hall, files: Files, option: str) -> None:
    port = _serve(hall, files)
    for host in ("localhost", "127.0.0.1"):
        assert _good(port, option, "+cf", files.ca, host=host).stderr == ""


def test_verbose_tells_of_the_certificate_and_when_it_expires(hall: Hall, files: Files) -> None:
    told = _good(_serve(hall, files, _ROOT.issue(ends=9.5)), "+tla", "+cf", files.ca, "-v").stderr
    until = f"{(_ROOT.issue(ends=9.5)).certificate.not_valid_after_utc:%Y-%m-%d}"
    assert (
        "TLSv1.3, TLS_AES_256_GCM_SHA384; certificate of O=Invented Hospital, CN=localhost, "
        f"issued by O=Invented Hospital, CN=Invented Root CA, valid until {until}." in told
    )
    warning = f"its certificate expires in 9 days, on {until}."
    assert told.count(warning) == 1
    # Without -v it is said too, and only that.
    port = _serve(hall, files, _ROOT.issue(ends=9.5))
    (line,) = _good(port, "+tla", "+cf", files.ca).stderr.splitlines()
    assert line.endswith(warning)


@pytest.mark.parametrize("option", ["-tls", "--disable-tls"])
def test_plain_tcp_is_what_the_rightmost_option_says(hall: Hall, files: Files, option: str) -> None:
    port = hall.serve(Server(Answers(2)))
    _good(port, "+tla", option)
    assert "no CA is given" in _refused(option, "+tla")


@pytest.mark.parametrize("option", ["+tls", "--enable-tls"])
def test_our_certificate_is_shown_to_who_wants_it(hall: Hall, files: Files, option: str) -> None:
    port = _serve(hall, files, clients=True)
    _good(port, option, files.key, files.certificate, "+cf", files.ca)
    assert "the peer wants a certificate of ours" in _fails(port, "+tla", "+cf", files.ca)
    stranger = _OTHER.issue("stranger", names=(), client=True, key=rsa_key("us"))
    other = stranger.write_certificate(files.folder / "other.pem")
    assert "refuses our certificate" in _fails(port, option, files.key, other, "+cf", files.ca)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_keys_and_certificates_in_either_format(
    hall: Hall, files: Files, form: PrivateFormat
) -> None:
    port = _serve(hall, files, clients=True)
    _OURS.write_key(Path(files.key), form=form)
    for option in ("-pem", "--pem-keys"):
        _good(port, "+tls", files.key, files.certificate, "+cf", files.ca, option)
    line = files.der()
    _OURS.write_key(Path(line[1]), encoding=Encoding.DER, form=form)
    for option in ("-der", "--der-keys"):
        _good(port, *line, option)
    assert "is in DER, not in PEM" in _refused(*line)
    assert "is in PEM, not in DER" in _refused("+tla", "+cf", files.ca, "-der")


def test_encrypted_keys_and_their_pass_phrases(hall: Hall, files: Files) -> None:
    port = _serve(hall, files, clients=True)
    line = ("+tls", files.locked, files.certificate, "+cf", files.ca)
    for option in ("+pw", "--use-passwd"):
        _good(port, *line, option, _PHRASE)
    _good(port, *line, "--passwd-file", files.phrase)
    for option in ("-pw", "--null-passwd"):
        assert "wrong pass phrase" in _refused(*line, option)
        _good(port, "+tls", files.key, *line[2:], option)  # a plain key needs none
    assert "wrong pass phrase for private key" in _refused(*line, "+pw", "a guess")
    files.phrase.write_text("a guess\n")
    assert "wrong pass phrase for private key" in _refused(*line, "--passwd-file", files.phrase)
    missing = _refused(*line, "--passwd-file", files.folder / "none")
    assert "the file of the pass phrase cannot be read" in missing
    assert "--passwd-file" in missing
    # The rightmost counts.
    _good(port, *line, "-pw", "+pw", _PHRASE)
    assert "wrong pass phrase" in _refused(*line, "+pw", _PHRASE, "-pw")


@pytest.mark.parametrize("options", [(), ("+ps",), ("+pw", "a guess", "--std-passwd")])
def test_a_pass_phrase_is_asked_for_on_the_terminal(
    hall: Hall, files: Files, options: tuple[str, ...]
) -> None:
    port = _serve(hall, files, clients=True)
    line = (*STUDIES, "+tls", files.locked, files.certificate, "+cf", files.ca, *options)
    code, screen = at_terminal((*line, "localhost", port), "Enter PEM pass phrase:", _PHRASE)
    assert (code, screen.count("Enter PEM pass phrase:")) == (0, 1), screen
    assert _PHRASE not in screen
    code, screen = at_terminal((*line, "localhost", port), "Enter PEM pass phrase:", "a guess")
    assert code == 1
    assert "wrong pass phrase" in screen
    done = run(*line, "localhost", port, start_new_session=True)
    assert done.returncode == 1
    assert "needs a pass phrase, and there is no terminal to ask" in done.stderr


def test_a_pkcs12_file_has_it_all(hall: Hall, files: Files) -> None:
    port = _serve(hall, files, clients=True)
    plain = _OURS.write_pkcs12(files.folder / "plain.p12")
    locked = _OURS.write_pkcs12(files.folder / "locked.p12", _PHRASE)
    _good(port, "--tls-p12", plain, "+cf", files.ca)
    _good(port, "--tls-p12", locked, "+cf", files.ca, "+pw", _PHRASE)
    _good(port, "--tls-p12", locked, "+cf", files.ca, "--passwd-file", files.phrase)
    assert "pass phrase is another" in _refused("--tls-p12", locked, "+cf", files.ca, "+pw", "no")
    # What is none is told at once, without a question.
    code, screen = at_terminal(
        (*STUDIES, "--tls-p12", files.locked, "+cf", files.ca, "localhost", port), "", ""
    )
    assert code == 1
    assert "is no PKCS#12 file" in screen
    assert "Enter" not in screen
    line = (*STUDIES, "--tls-p12", locked, "+cf", files.ca, "localhost", port)
    code, screen = at_terminal(line, "Enter PEM pass phrase:", _PHRASE)
    assert code == 0, screen


def test_a_pass_phrase_never_shows(hall: Hall, files: Files) -> None:
    port = _serve(hall, files, clients=True)
    line = ("+tls", files.locked, files.certificate, "+cf", files.ca, "+pw", _PHRASE)
    done = _good(port, *line, "-d", "--arguments")
    assert _PHRASE not in done.stderr
    assert "'--use-passwd' '***'" in done.stderr


# Whom we trust.


def test_authorities_by_file_directory_and_system(hall: Hall, files: Files) -> None:
    port = _serve(hall, files)
    hashed = _ROOT.write_hashed(files.folder / "hashed")
    other = _OTHER.write(files.folder / "other.pem")
    for line in (
        ("+cd", hashed),
        ("--add-cert-dir", hashed),
        ("--add-cert-file", files.ca),
        ("+cf", other, "+cf", files.ca),
        ("+cf", other, "+cd", hashed),
    ):
        _good(port, "+tla", *line)
    assert "its CA is unknown" in _fails(port, "+tla", "+cf", other)
    assert "its CA is unknown" in _fails(port, "+tla", "--tls-system-trust")
    system = environment(SSL_CERT_FILE=files.ca)
    done = run(*STUDIES, "+tla", "--tls-system-trust", "localhost", port, env=system)
    assert (done.returncode, done.stderr) == (0, "")
    # The system is not trusted unless that is asked for.
    done = run(*STUDIES, "+tla", "+cf", other, "localhost", port, env=system)
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "no CA is given: no certificate of the peer could be trusted"),
        (("+cf", "none.pem"), "CA certificate 'none.pem' cannot be read: No such file"),
        (("+cd", "none"), "CA certificate 'none' cannot be read: No such file"),
        (("+cd", "."), "holds no CA certificates"),
        (("+cf", "us.key"), "holds no CA certificate, but: PRIVATE KEY"),
        (("+cf", "ca.pem", "+crl", "none.crl"), "revocation list 'none.crl' cannot be read"),
        (("+cf", "ca.pem", "+crl", "ca.pem"), "holds no revocation list"),
        (("+cf", "ca.pem", "--tls-pin", "12"), "is no pin"),
        (("+cf", "ca.pem", "+cs", "TLS_NO_SUCH_SUITE"), "TLS_NO_SUCH_SUITE"),
        (("+cf", "ca.pem", "--no-sni"), "cannot be checked without telling the peer a server name"),
        (("+cf", "ca.pem", "+rs", "none"), "seed file 'none' cannot be read"),
        (("+cf", "ca.pem", "+ws"), "+ws only allowed with +rs"),
        (("+cf", "ca.pem", "+wf", "x"), "+wf only allowed with +rs"),
        (("+cf", "ca.pem", "+pw", "x"), "+pw without a key of ours"),
        (("+cf", "ca.pem", "-pw"), "-pw without a key of ours"),
        (("+tls", "us.pem", "us.key"), "the key comes first, then the certificate"),
        (("+tls", "us.key", "none.pem"), "certificate 'none.pem' cannot be read"),
        (("+tls", "us.key", "ca.pem"), "do not match"),
        (("--tls-p12", "us.key", "+pw", "x"), "is no PKCS#12 file"),
    ],
)
def test_what_cannot_be_set_up_is_one_clear_line(
    files: Files, options: tuple[str, ...], words: str
) -> None:
    line = (*STUDIES, "+tla", *options, "127.0.0.1", "1")
    done = run(*line, cwd=files.folder, start_new_session=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "row",
    [row for row in FIND if row.group.startswith("TLS") and row.target not in
     ("tls", "key_and_certificate", "pkcs12", "listing")],
    ids=lambda row: row.long,
)  # fmt: skip
def test_no_option_of_tls_is_there_for_nothing(row: Option) -> None:
    for name in (row.short, row.long):
        if name:
            line = [*STUDIES, name, *(["value"] * row.values), "127.0.0.1", "1"]
            done = CliRunner().invoke(find, line)
            assert isinstance(done.exception, InvalidRequest)
            assert "without TLS" in done.exception.text
            assert "Add +tla" in done.exception.hint


# Which certificates are refused, and why.

_BAD: Final = {
    "expired": (_ROOT.issue(ends=-0.5), "it expired on 20"),
    "not yet valid": (_ROOT.issue(starts=1), "it is not valid before 20"),
    "other host": (
        _ROOT.issue(names=("pacs.invented.example",)),
        "it is not for 'localhost' but for pacs.invented.example",
    ),
    "common name only": (_ROOT.issue(names=()), "it names no host (a common name alone"),
    "self-signed": (self_signed(), "it is self-signed and not among those trusted"),
    "unknown CA": (
        _OTHER.issue(),
        "its CA is unknown (issuer 'O=Invented Hospital, CN=Another Root CA')",
    ),
    "short key": (_ROOT.issue(key=rsa_key("short", 1024)), "its key is too short"),
    "of a client": (_ROOT.issue(client=True), "it is not meant for a TLS server"),
}


@pytest.mark.parametrize("case", _BAD)
def test_each_bad_certificate_is_refused_by_its_own_sentence(
    hall: Hall, files: Files, case: str
) -> None:
    identity, words = _BAD[case]
    port = _serve(hall, files, identity)
    line = _fails(port, "+tla", "+cf", files.ca)
    assert "the peer's certificate 'O=Invented Hospital, CN=localhost' is not accepted: " in line
    assert words in line
    for _, other in _BAD.values():
        assert (other in line) == (other == words)
    # Who asks for trouble gets it, and is told so in every run.
    if case != "short key":
        for option in ("-ic", "--ignore-peer-cert"):
            told = _good(port, "+tla", option).stderr
            assert told.startswith("asyncfind: -ic: the archive's certificate is not verified")


def test_every_run_without_verification_says_so(hall: Hall, files: Files) -> None:
    port = _serve(hall, files, _OTHER.issue(ends=60))
    warning = "-ic: the archive's certificate is not verified; anybody can pose as it."
    for options in ((), ("-v",), ("-d",), ("-ll", "warn"), ("--repeat", "3"), ("-sr",)):
        done = run(*STUDIES, "+tla", "-ic", *options, "localhost", port)
        assert done.returncode == 0
        assert done.stderr.count(warning) == 1
    done = run("echo", "+tla", "-ic", "localhost", port)
    assert done.returncode == 0
    assert done.stderr == f"asyncfind: {warning}\n"
    for options in (("-rc",), ("--require-peer-cert",), ("-vc",), ("--verify-peer-cert",)):
        assert "its CA is unknown" in _fails(port, "+tla", "-ic", *options, "+cf", files.ca)


def test_the_host_name_is_checked_unless_that_is_turned_off(hall: Hall, files: Files) -> None:
    port = _serve(hall, files, _ROOT.issue(names=("pacs.invented.example",), ends=60))
    line = ("+tla", "+cf", files.ca)
    refusal = _fails(port, *line)
    assert "--tls-server-name" in refusal
    assert "--no-verify-hostname" in refusal
    for option in ("--tls-server-name", "--request-sni"):
        assert _good(port, *line, option, "pacs.invented.example").stderr == ""
        assert "it is not for 'ris.example'" in _fails(port, *line, option, "ris.example")
    assert _good(port, *line, "--no-verify-hostname").stderr == ""
    _good(port, *line, "--no-verify-hostname", "--no-sni")
    told = _good(port, *line, "--no-verify-hostname", "-v").stderr
    assert "--no-verify-hostname: whoever has a certificate of a trusted CA" in told
    # The chain is still verified.
    other = _OTHER.write(files.folder / "other.pem")
    assert "its CA is unknown" in _fails(port, "+tla", "+cf", other, "--no-verify-hostname")
    done = run("echo", *line, "localhost", port)
    assert done.returncode == 2
    assert "it is not for 'localhost'" in done.stderr
    assert run("echo", *line, "--no-verify-hostname", "localhost", port).returncode == 0


def test_the_server_name_is_told_or_not(hall: Hall, files: Files) -> None:
    seen: list[str | None] = []
    place = files.folder / "server"
    place.mkdir()
    context = server(_ROOT.issue(names=("pacs.invented.example", "localhost"), ends=60), place)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    port = hall.serve(Server(Answers(2), tls=context))
    line = ("+tla", "+cf", files.ca)
    _good(port, *line)
    _good(port, *line, "--request-sni", "pacs.invented.example")
    _good(port, *line, "--no-sni", "--no-verify-hostname")
    assert seen == ["localhost", "pacs.invented.example", None]


def test_a_pin_takes_one_certificate_alone(hall: Hall, files: Files) -> None:
    identity = self_signed()
    port = _serve(hall, files, identity)
    right, wrong = identity.fingerprint, _GOOD.fingerprint
    colons = ":".join(right[at : at + 2] for at in range(0, 64, 2)).upper()
    for pin in (right, f"sha256:{right}", colons):
        _good(port, "+tla", "--tls-pin", pin)
    line = _fails(port, "+tla", "--tls-pin", wrong)
    assert f"is not the pinned one, but sha256:{right}" in line
    # With -ic it is compared all the same, so that there is nothing to warn of.
    assert "-ic" not in _good(port, "+tla", "-ic", "--tls-pin", right).stderr
    assert "is not the pinned one" in _fails(port, "+tla", "-ic", "--tls-pin", wrong)
    # A CA besides is a second condition.
    assert "self-signed" in _fails(port, "+tla", "+cf", files.ca, "--tls-pin", right)


def test_revoked_certificates(hall: Hall, files: Files) -> None:
    leaf = _LOWER.issue(ends=60)
    port = _serve(hall, files, leaf)
    lower = _LOWER.write_crl(files.folder / "lower.crl")
    root = _ROOT.write_crl(files.folder / "root.crl")
    revoked = _LOWER.write_crl(files.folder / "revoked.crl", leaf)
    lower_ca = Identity(_LOWER.key, _LOWER.certificate)
    ca_revoked = _ROOT.write_crl(files.folder / "ca-revoked.crl", lower_ca)
    line = ("+tla", "+cf", files.ca)
    _good(port, *line)
    for option in ("+crl", "--add-crl-file"):
        assert "it has been revoked" in _fails(port, *line, option, revoked)
        _good(port, *line, option, lower)
    for option in ("+crv", "--enable-crl-vfy"):
        assert "no revocation list of its issuer" in _fails(port, *line, option)
        _good(port, *line, option, "+crl", lower, "+crl", ca_revoked)  # the leaf alone
    for option in ("+cra", "--enable-crl-all"):
        _good(port, *line, option, "+crl", lower, "+crl", root)
        bad = (option, "+crl", lower, "+crl", ca_revoked)
        assert "it has been revoked" in _fails(port, *line, *bad)
        assert "no revocation list of its issuer" in _fails(port, *line, option, "+crl", lower)
    old = _LOWER.write_crl(files.folder / "old.crl", ends=-1)
    assert "the revocation list has expired" in _fails(port, *line, "+crl", old)
    der = _LOWER.write_crl(files.folder / "crl.der", leaf, encoding=Encoding.DER)
    ca = _ROOT.write(files.folder / "ca.der", encoding=Encoding.DER)
    assert "it has been revoked" in _fails(port, "+tla", "-der", "+cf", ca, "+crl", der)


# What is spoken.

_PROFILES: Final = {
    ("+pg", "--profile-8996"): "TLSv1.3",
    ("+pm", "--profile-8996-mod"): "TLSv1.3",
    ("+py", "--profile-bcp195-nd"): "TLSv1.3",
    ("+px", "--profile-bcp195"): "TLSv1.3",
    ("+pz", "--profile-bcp195-ex"): "TLSv1.2, ECDHE-RSA-AES",
    ("+pa", "--profile-aes"): "TLSv1.2, AES128-SHA;",
    ("+pn", "--profile-null"): "TLSv1.2, NULL-SHA;",
}


@pytest.mark.parametrize("names", _PROFILES)
def test_each_profile_speaks_as_it_is_to(hall: Hall, files: Files, names: tuple[str, str]) -> None:
    port = _serve(hall, files)
    for name in names:
        told = _good(port, "+tla", "+cf", files.ca, name, "-v").stderr
        assert f"ANY-SCP@localhost:{port}: {_PROFILES[names]}" in told
        assert ("nothing is encrypted" in told) == (name in ("+pn", "--profile-null"))


@pytest.mark.parametrize("option", ["+pb", "--profile-basic"])
def test_the_basic_profile_speaks_3des_or_says_that_it_cannot(files: Files, option: str) -> None:
    """Debian's OpenSSL has no cipher suite with 3DES; the profile has no other."""
    suites = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    suites.set_ciphers("ALL:@SECLEVEL=0")
    has_3des = any("DES-CBC3" in suite["name"] for suite in suites.get_ciphers())
    done = run(*STUDIES, "+tla", "+cf", files.ca, option, "127.0.0.1", "1")
    assert done.returncode == (2 if has_3des else 1)
    assert has_3des or "basic" in done.stderr


def test_suites_are_added_to_those_of_the_profile(hall: Hall, files: Files) -> None:
    port = _serve(hall, files, maximum=ssl.TLSVersion.TLSv1_2, ciphers="AES256-SHA256:@SECLEVEL=0")
    line = ("+tla", "+cf", files.ca)
    assert "share no cipher suite" in _fails(port, *line)
    for option in ("+cs", "--cipher"):
        told = _good(port, *line, option, "TLS_RSA_WITH_AES_256_CBC_SHA256", "-v").stderr
        assert "TLSv1.2, AES256-SHA256;" in told


def test_lists_of_suites_and_profiles() -> None:
    for option in ("+cc", "--list-ciphers"):
        suites = run(option).stdout.split()
        assert "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" in suites
        assert all(suite.startswith("TLS_") for suite in suites)
    for option in ("+ph", "--list-profiles"):
        lines = run(option).stdout.splitlines()
        names = [line.split()[0] for line in lines]
        assert names == ["+pg", "+pm", "+py", "+px", "+pz", "+pb", "+pa", "+pn"]


def test_elliptic_curves(hall: Hall, files: Files) -> None:
    port = _serve(hall, files, _ROOT.issue(key=ec_key("leaf"), ends=60))
    _good(port, "+tla", "+cf", files.ca)
    assert "share no cipher suite" in _fails(port, "+tla", "+cf", files.ca, "+pa")


def test_what_is_no_tls(hall: Hall, files: Files) -> None:
    plain = hall.serve(Server(Answers(2)))
    line = _fails(plain, "+tla", "+cf", files.ca)
    assert "the peer does not speak TLS" in line
    done = _ask(_serve(hall, files))
    assert done.returncode == 2
    assert "a DICOM port without TLS" in done.stderr


def test_a_peer_that_leaves_behind_the_handshake(hall: Hall, files: Files) -> None:
    async def leave(stream: Stream) -> None:
        await stream.receive()
        await stream.close()

    place = files.folder / "leaving"
    place.mkdir()
    line = _fails(hall.handle(leave, tls=server(_GOOD, place)), "+tla", "+cf", files.ca)
    assert "closed the connection before it answered" in line
    assert "that of a DICOM service" in line
    assert "without TLS" not in line


# Old options.


def test_options_without_effect_say_so(hall: Hall, files: Files) -> None:
    port = _serve(hall, files)
    seed, written = files.folder / "seed", files.folder / "written"
    seed.write_bytes(b"seed")
    line = ("+tla", "+cf", files.ca)
    for option in ("+dp", "--dhparam"):
        assert "+dp has no effect" in _good(port, *line, option, "none.pem").stderr
    for option in ("+rs", "--seed"):
        assert "+rs has no effect" in _good(port, *line, option, seed).stderr
    assert seed.read_bytes() == b"seed"
    for option in ("+ws", "--write-seed"):
        seed.write_bytes(b"seed")
        _good(port, *line, "+rs", seed, option)
        assert len(seed.read_bytes()) == 1024
    for option in ("+wf", "--write-seed-file"):
        before = seed.read_bytes()
        _good(port, *line, "+rs", seed, option, written)
        assert (len(written.read_bytes()), seed.read_bytes()) == (1024, before)
        written.unlink()
    done = _ask(port, *line, "+rs", seed, "+wf", "/dev/full")
    assert (done.returncode, len(done.stdout.splitlines())) == (4, 3)
    assert "seed file '/dev/full' cannot be written: No space left on device" in done.stderr


# The archive, and machines that read.


def test_the_archive_speaks_tls(hall: Hall, files: Files) -> None:
    key, certificate = (
        _GOOD.write_key(files.folder / "pacs.key"),
        _GOOD.write_certificate(files.folder / "pacs.pem"),
    )
    line = ("archive", "--port", "0", "--studies", "5", "--tls-key", key, "--tls-cert", certificate)
    for more in ((), ("--tls-ca", files.ca)):
        with subprocess.Popen(command(*line, *more), stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                found = re.search(r"port (\d+) by TLS;", process.stderr.readline())
                assert found is not None
                port = found[1]
                ours = ("+tls", files.key, files.certificate, "+cf", files.ca)
                done = run(*STUDIES, *ours, "--format", "ndjson", "localhost", port)
                assert done.returncode == 0, done.stderr
                assert json.loads(done.stdout.splitlines()[-1])["matches"] == 5
                done = run(*STUDIES, "+tla", "+cf", files.ca, "localhost", port)
                assert done.returncode == (2 if more else 0)
            finally:
                process.terminate()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tls-key", "us.key"), "TLS needs a private key and its certificate"),
        (("--tls-ca", "ca.pem"), "--tls-ca without TLS"),
        (("--tls-key", "none", "--tls-cert", "us.pem"), "cannot be used: No such file"),
        (("--tls-key", "us.key", "--tls-cert", "ca.pem"), "key values mismatch"),
        (("--tls-key", "us.locked", "--tls-cert", "us.pem"), "no terminal to ask"),
        (("--tls-key", "us.pem", "--tls-cert", "us.pem"), "cannot be used"),
        (("--tls-key", "us.key", "--tls-cert", "us.pem", "--tls-ca", "us.key"), "'us.key' cannot"),
    ],
)
def test_an_archive_that_cannot_speak_tls_does_not_start(
    files: Files, options: tuple[str, ...], words: str
) -> None:
    done = run("archive", "--port", "0", *options, cwd=files.folder, start_new_session=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_hints_name_options_that_there_are(files: Files) -> None:
    line = ("--tls-key", "us.locked", "--tls-cert", "us.pem")
    done = run("archive", "--port", "0", *line, cwd=files.folder, start_new_session=True)
    assert "Use a key without one" in done.stderr
    assert "where there are such options" in done.stderr


def test_results_say_what_was_not_verified(hall: Hall, files: Files) -> None:
    port = _serve(hall, files)
    ours = (*STUDIES, "+tla", "localhost", port)
    trusting = ("+cf", files.ca)
    for options, what in (
        (("-ic",), "certificate"),
        ((*trusting, "--no-verify-hostname"), "hostname"),
        (trusting, None),
    ):
        lines = run(*ours, *options, "--format", "ndjson").stdout.splitlines()
        ended, summary = json.loads(lines[-2]), json.loads(lines[-1])
        assert (ended.get("unverified"), summary.get("unverified")) == (what, what and 1)
        document = json.loads(run(*ours, *options, "--format", "json").stdout)
        assert document["queries"][0].get("unverified") == what
        assert document["summary"].get("unverified") == (what and 1)


def test_the_kind_of_a_failure_is_tls_for_machines_too(hall: Hall, files: Files) -> None:
    port = _serve(hall, files, _OTHER.issue())
    done = run(*STUDIES, "+tla", "+cf", files.ca, "--format", "ndjson", "localhost", port)
    assert done.returncode == 2
    (failed,) = [json.loads(line) for line in done.stdout.splitlines() if '"done"' in line]
    assert "its CA is unknown" in failed["error"]
    done = run("echo", "+tla", "+cf", files.ca, "--format", "ndjson", "localhost", port)
    assert "its CA is unknown" in json.loads(done.stdout)["error"]
    assert done.returncode == 2
