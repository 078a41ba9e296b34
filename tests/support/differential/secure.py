"""Command lines with TLS: good and bad files to set it up with, and peers that refuse it."""

import ssl
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from certificates import Authority, Identity, ec_key, rsa_key, self_signed, server
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from differential.peers import SCRIPTS, ScriptedPeer

__all__ = ["CASES", "Peers", "SecureCase", "write_files"]

_ROOT: Final = Authority()
_OTHER: Final = Authority("Another Root CA")
_MIDDLE: Final = Authority("Invented Sub CA", _ROOT)
_SERVER: Final = _ROOT.issue()
_REVOKED: Final = _ROOT.issue()


@dataclass(frozen=True)
class SecureCase:
    """One command line.

    Args:
        peer: what `Peers.open` takes, or `none`, where nobody listens.
    """

    peer: str
    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.peer}: {' '.join(self.argv)}"


def _case(peer: str, line: str) -> SecureCase:
    return SecureCase(peer, tuple("" if word == "''" else word for word in line.split()))


def _write_sha1(folder: Path) -> None:
    """A certificate for our key, signed with SHA-1."""
    line = ["openssl", "req", "-x509", "-new", "-sha1", "-days", "9", "-subj", "/O=Invented/CN=us"]
    files = ["-key", str(folder / "us.key"), "-out", str(folder / "sha1.pem")]
    subprocess.run([*line, *files], check=True, capture_output=True)


def _write_locked(identity: Identity, file: Path) -> None:
    """A key with a pass phrase, written again until OpenSSL sees at once that others are wrong.

    One in 256 makes sense by chance, and what OpenSSL then says depends on its version.
    """
    wrong = ("wrong", "")
    for _ in range(50):
        identity.write_key(file, password="secret")
        line = ["openssl", "pkey", "-noout", "-in", str(file), "-passin"]
        tried = [
            subprocess.run([*line, f"pass:{one}"], capture_output=True, check=False)
            for one in wrong
        ]
        if all(b"bad decrypt" in one.stderr for one in tried):
            return
    raise AssertionError("no key is refused as one would expect")


def write_files(folder: Path) -> None:
    """Write keys, certificates, CAs and revocation lists."""
    us = _ROOT.issue("us", names=(), client=True)
    us.write_key(folder / "us.key")
    us.write_key(folder / "us1.key", form=PrivateFormat.TraditionalOpenSSL)
    us.write_key(folder / "us.key.der", encoding=Encoding.DER)
    _write_locked(us, folder / "locked.key")
    us.write_certificate(folder / "us.pem")
    us.write_certificate(folder / "us.der", encoding=Encoding.DER)
    short = _ROOT.issue("short", names=(), client=True, key=rsa_key("short", 1024))
    short.write_key(folder / "short.key")
    short.write_certificate(folder / "short.pem")
    _write_sha1(folder)
    curve = _ROOT.issue("curve", names=(), client=True, key=ec_key("curve"))
    curve.write_key(folder / "curve.key")
    curve.write_certificate(folder / "curve.pem")
    other = _OTHER.issue("other", names=(), client=True, key=rsa_key("other"))
    other.write_key(folder / "other.key")
    other.write_certificate(folder / "other.pem")
    _ROOT.write(folder / "ca.pem")
    _ROOT.write(folder / "ca.der", encoding=Encoding.DER)
    _OTHER.write(folder / "otherca.pem")
    _ROOT.write_hashed(folder / "hashed")
    _ROOT.write_crl(folder / "crl.pem")
    _ROOT.write_crl(folder / "crl.der", encoding=Encoding.DER)
    _ROOT.write_crl(folder / "revoked.pem", _REVOKED)
    _ROOT.write_crl(folder / "old-crl.pem", ends=-1)
    (folder / "text.txt").write_text("no certificate\n")
    (folder / "empty.pem").write_bytes(b"")
    (folder / "broken.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nTm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
    )
    (folder / "broken.key").write_text(
        "-----BEGIN PRIVATE KEY-----\nTm8ga2V5\n-----END PRIVATE KEY-----\n"
    )
    (folder / "cut.pem").write_bytes((folder / "us.pem").read_bytes()[:500])
    (folder / "cut.der").write_bytes((folder / "us.der").read_bytes()[:500])
    (folder / "base64.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nM*A=\n-----END CERTIFICATE-----\n"
    )
    (folder / "nothing").mkdir()


class Peers:
    """Servers behind TLS, and some that know nothing of it.

    Args:
        folder: for their files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> ScriptedPeer:
        """A peer that listens; the caller closes it."""
        if name in _PLAIN:
            return ScriptedPeer(SCRIPTS[_PLAIN[name]])
        with self._lock:  # lines run side by side
            if name not in self._contexts:
                place = self._folder / name
                place.mkdir()
                identity, options = _SERVERS[name]()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.0 and 1.1
                    self._contexts[name] = server(identity, place, **options)
        return ScriptedPeer(SCRIPTS["one match"], self._contexts[name])


_PLAIN: Final = {
    "plain": "no match",
    "noise": "noise",
    "abort": "abort at once",
    "close": "close at once",
}
_V1_2: Final = ssl.TLSVersion.TLSv1_2
_V1_3: Final = ssl.TLSVersion.TLSv1_3
_OLD: Final = {"minimum": ssl.TLSVersion.TLSv1, "maximum": ssl.TLSVersion.TLSv1_1}
_SERVERS: Final[Mapping[str, Callable[[], tuple[Identity, dict[str, Any]]]]] = {
    "good": lambda: (_SERVER, {}),
    "1.2": lambda: (_SERVER, {"maximum": _V1_2}),
    "1.3": lambda: (_SERVER, {"minimum": _V1_3}),
    "old": lambda: (_SERVER, _OLD),
    "revoked": lambda: (_REVOKED, {}),
    "expired": lambda: (_ROOT.issue(ends=-0.5), {}),
    "early": lambda: (_ROOT.issue(starts=1), {}),
    "self-signed": lambda: (self_signed(), {}),
    "other CA": lambda: (_OTHER.issue(), {}),
    "chain": lambda: (_MIDDLE.issue(), {}),
    "other name": lambda: (_ROOT.issue("else\u00e9", names=("elsewhere",)), {}),
    "for clients": lambda: (_ROOT.issue(client=True), {}),
    "short key": lambda: (_ROOT.issue(key=rsa_key("short", 1024)), {}),
    "curve": lambda: (_ROOT.issue(key=ec_key("curve")), {}),
    "aes only": lambda: (_SERVER, {"ciphers": "AES128-SHA:@SECLEVEL=0", "maximum": _V1_2}),
    "null only": lambda: (_SERVER, {"ciphers": "NULL-SHA:@SECLEVEL=0", "maximum": _V1_2}),
    "wants 1.2": lambda: (_SERVER, {"maximum": _V1_2, "clients": _ROOT}),
    "wants 1.3": lambda: (_SERVER, {"minimum": _V1_3, "clients": _ROOT}),
}


_SETUP = """
+tla +cf missing.pem
+tla +cf ''
+tla +cf text.txt
+tla +cf empty.pem
+tla +cf broken.pem
+tla +cf ca.der
+tla +cf us.key
+tla +cf nothing
+tla -der +cf ca.pem
+tla -der +cf ca.der
+tla +cd missing
+tla +cd nothing
+tla +cd ca.pem
+tla +crl missing.pem
+tla +crl text.txt
+tla +crl crl.der
+tla +crl ca.pem
+tla -der +crl crl.pem
+tla +cf missing.pem +cf ca.pem +cd missing +crl missing.crl
+tla +cf missing.pem +crl missing.crl +cf text.txt +cf missing
+tla +cf broken.pem +cf broken.pem +cf broken.pem +cf broken.pem +cf broken.pem
+tla -der +cf ca.pem +cf text.txt +cf nothing +cf empty.pem +cf missing +crl missing
+tla +cf cut.pem +cf base64.pem +cf cut.pem
+tls us.key us.pem -der +cf cut.der
+tls us.key cut.pem +cf missing
+tls nothing us.pem
+tls us.key nothing
+tls us.key.der nothing -der
+tls us.key.der text.txt -der
+tls us.key.der empty.pem -der
+tls empty.pem us.der -der
+tls text.txt us.der -der
+tls missing.key us.pem
+tls us.key missing.pem
+tls us.pem us.key
+tls us.key us.der
+tls us.key.der us.pem
+tls us.key.der us.der
+tls us.key.der us.der -der
+tls us.key us.pem -der
+tls us1.key us.pem
+tls other.key us.pem
+tls curve.key us.pem
+tls curve.key curve.pem
+tls broken.key us.pem
+tls us.key broken.pem
+tls text.txt us.pem
+tls us.key text.txt
+tls empty.pem us.pem
+tls us.key empty.pem
+tls '' ''
+tls locked.key us.pem +pw secret
+tls locked.key us.pem +pw wrong
+tls locked.key us.pem -pw
+tls us.key us.pem +pw unneeded
+tls us.key us.pem +cf missing.pem +cs FOO
+tls missing.key us.pem +cf missing.pem +cs FOO
+tls short.key short.pem
+tls us.key sha1.pem
+tls short.key short.pem +px
+tls us.key sha1.pem +pa
+tls us.key us.pem +tla
+tla +cs FOO
+tla +cs ''
+tla +cs TLS_RSA_WITH_AES_128_CBC_SHA
+tla +cs TLS_RSA_WITH_AES_128_CBC_SHA +cs TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
+tla +px +cs TLS_DHE_RSA_WITH_AES_256_CBC_SHA256
+tla +pa +cs TLS_RSA_WITH_AES_256_CBC_SHA
+tla +pn +cs TLS_RSA_WITH_AES_256_CBC_SHA
+tla +pn +cs TLS_RSA_WITH_NULL_SHA
+tla +cs TLS_RSA_WITH_NULL_SHA
+tla +px +cs TLS_RSA_WITH_NULL_SHA
+tla +pa +cs TLS_RSA_WITH_NULL_SHA
+tla +cs TLS_RSA_WITH_3DES_EDE_CBC_SHA
+tla +cs TLS_ECDH_RSA_WITH_AES_128_CBC_SHA
+tla +cs TLS_AES_128_GCM_SHA256
+tla +cs TLS_RSA_WITH_AES_128_CBC_SHA +cs FOO
+tla +cs FOO +cs TLS_RSA_WITH_AES_128_CBC_SHA
+tla +cs TLS_ECDHE_ECDSA_WITH_AES_128_CCM
+tla +rs seed +ws
+tla +rs text.txt +wf seed2
+tla +rs text.txt +wf nowhere/seed
"""
# Without a client that a TLS 1.3 server refuses for its certificate, or the lack of one: whether it
# hears of that, or sees its connection reset, is a race.
_HANDSHAKES = """
good: +tla +cf ca.pem
good: +tla +cf ca.pem -d
good: +tla -ic -d
good: +tla +cd hashed -v
good: +tla -der +cf ca.der -v
good: +tla
good: +tla -d
good: +tla +cf otherca.pem -v
good: +tls us.key us.pem +cf ca.pem -v
good: +tls locked.key us.pem +pw secret +cf ca.pem -v
good: +tla +px +cf ca.pem -v
good: +tla +pz +cf ca.pem -d
good: +tla +pa +cf ca.pem -v
good: +tla +pn +cf ca.pem -v
good: +tla +cf ca.pem +crl crl.pem -v
good: +tla +cf ca.pem +crl missing.pem -v
good: +tla +cf ca.pem +crv -v
good: +tla +cf ca.pem +cra -v
good: +tla +cf ca.pem +crl crl.pem +cra -v
good: +tla +cf ca.pem +crl old-crl.pem -v
good: +tla +cf ca.pem +crl revoked.pem -v
revoked: +tla +cf ca.pem +crl revoked.pem -v
revoked: +tla +cf ca.pem -v
1.2: +tla +cf ca.pem -d
1.3: +tla +cf ca.pem -d
1.3: +tla +pz +cf ca.pem -v
1.3: +tla +pa +cf ca.pem -v
old: +tla +cf ca.pem -v
old: +tla +px +cf ca.pem -v
old: +tla +pa +cf ca.pem -v
expired: +tla +cf ca.pem -v
expired: +tla -ic -v
early: +tla +cf ca.pem -v
self-signed: +tla +cf ca.pem -v
other CA: +tla +cf ca.pem -v
other CA: +tla +cf ca.pem +cf otherca.pem -v
chain: +tla +cf ca.pem -d
other name: +tla +cf ca.pem -d
for clients: +tla +cf ca.pem -v
short key: +tla +cf ca.pem -v
short key: +tla +pz +cf ca.pem -v
curve: +tla +cf ca.pem -v
curve: +tla +pz +cf ca.pem -d
aes only: +tla +cf ca.pem -v
aes only: +tla +px +cf ca.pem -d
aes only: +tla +pa +cf ca.pem -v
aes only: +tla +cs TLS_RSA_WITH_AES_128_CBC_SHA +cf ca.pem -v
null only: +tla +pn +cf ca.pem -d
null only: +tla +cf ca.pem -v
wants 1.2: +tla +cf ca.pem -v
wants 1.2: +tls us.key us.pem +cf ca.pem -v
wants 1.2: +tls other.key other.pem +cf ca.pem -v
wants 1.2: +tls us.key us.pem +tla +cf ca.pem -v
wants 1.2: +tls curve.key curve.pem +cf ca.pem -v
wants 1.3: +tls us.key us.pem +cf ca.pem -d
plain: +tla +cf ca.pem -v
noise: +tla +cf ca.pem -v
abort: +tla +cf ca.pem -v
close: +tla +cf ca.pem -v
good: -v
good: -d -ta 1
"""


def _cases() -> Iterator[SecureCase]:
    for line in _SETUP.strip().splitlines():
        yield _case("none", f"{line} -v")
    for line in _HANDSHAKES.strip().splitlines():
        name, _, rest = line.partition(": ")
        yield _case(name, rest)


CASES: Final = tuple(_cases())
