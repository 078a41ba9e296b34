"""Certificates of invented authorities for tests of TLS, good and bad in every way."""

import ipaddress
import os
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["HERE", "Authority", "Identity", "Key", "ec_key", "rsa_key", "self_signed", "server"]

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

HERE: Final = ("localhost", "127.0.0.1")
"""What a server on this machine is called by."""
_DAY: Final = timedelta(days=1)


@cache
def rsa_key(label: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same label: making one takes a while."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(label: str) -> ec.EllipticCurvePrivateKey:
    """The same key for the same label."""
    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Invented Hospital"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Identity:
    """A key, its certificate, and the certificates between that and its root."""

    key: Key
    certificate: x509.Certificate
    between: tuple[x509.Certificate, ...] = ()

    def write_key(
        self,
        path: Path,
        *,
        password: str = "",
        encoding: Encoding = Encoding.PEM,
        form: PrivateFormat = PrivateFormat.PKCS8,
    ) -> str:
        """Write the private key, encrypted where there is a password."""
        lock: KeySerializationEncryption = NoEncryption()
        if password:
            lock = BestAvailableEncryption(password.encode())
        path.write_bytes(self.key.private_bytes(encoding, form, lock))
        return str(path)

    def write_certificate(self, path: Path, *, encoding: Encoding = Encoding.PEM) -> str:
        """Write the certificate; in PEM the ones between follow it."""
        chain = (self.certificate, *self.between) if encoding is Encoding.PEM else ()
        path.write_bytes(
            b"".join(one.public_bytes(encoding) for one in chain or (self.certificate,))
        )
        return str(path)

    def write_pkcs12(self, path: Path, password: str = "") -> str:
        """Write key and chain as one file."""
        lock: KeySerializationEncryption = NoEncryption()
        if password:
            lock = BestAvailableEncryption(password.encode())
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"test", self.key, self.certificate, self.between, lock
            )
        )
        return str(path)

    @property
    def fingerprint(self) -> str:
        """Digest of the certificate in hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


@dataclass
class Authority:
    """A certification authority, a root unless it has an `issuer`; `ends` days from now."""

    name: str = "Invented Root CA"
    issuer: "Authority | None" = None
    ends: float = 30
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        above = self if self.issuer is None else self.issuer
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(self.name))
            .issuer_name(_name(above.name))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(now + self.ends * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
            .sign(above.key, hashes.SHA256())
        )

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The signing key."""
        return rsa_key(f"authority {self.name}")

    def issue(
        self,
        common_name: str = "localhost",
        *,
        names: Sequence[str] = HERE,
        key: Key | None = None,
        starts: float = -1,
        ends: float = 10,
        client: bool = False,
    ) -> Identity:
        """Issue a certificate.

        Args:
            names: for the subject alternative name; none leaves that out.
            starts, ends: its validity, in days from now.
            client: for a client, not for a server.
        """
        key = key or rsa_key("leaf")
        now = datetime.now(UTC)
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts * _DAY)
            .not_valid_after(now + ends * _DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        )
        if names:
            general = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(general, critical=False)
        between = () if self.issuer is None else (self.certificate,)
        return Identity(key, builder.sign(self.key, hashes.SHA256()), between)

    def revoke(self, *revoked: Identity, ends: float = 10) -> x509.CertificateRevocationList:
        """A revocation list with these certificates on it."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(_name(self.name))
            .last_update(now - 20 * _DAY)
            .next_update(now + ends * _DAY)
        )
        for one in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(one.certificate.serial_number)
                .revocation_date(now - _DAY)
                .build()
            )
        return builder.sign(self.key, hashes.SHA256())

    def write(self, path: Path, *, encoding: Encoding = Encoding.PEM) -> str:
        """Write the authority's certificate."""
        path.write_bytes(self.certificate.public_bytes(encoding))
        return str(path)

    def write_crl(
        self, path: Path, *revoked: Identity, ends: float = 10, encoding: Encoding = Encoding.PEM
    ) -> str:
        """Write a revocation list."""
        path.write_bytes(self.revoke(*revoked, ends=ends).public_bytes(encoding))
        return str(path)

    def write_hashed(self, folder: Path) -> str:
        """Write the certificate into a directory by its hashed name, as OpenSSL looks it up."""
        folder.mkdir(exist_ok=True)
        file = self.write(folder / "ca.pem")
        done = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", file],
            capture_output=True,
            text=True,
            check=True,
        )
        os.rename(file, folder / f"{done.stdout.strip()}.0")  # noqa: PTH104 - both are paths
        return str(folder)


def self_signed(common_name: str = "localhost", *, names: Sequence[str] = HERE) -> Identity:
    """A certificate that nobody but itself vouches for."""
    key = rsa_key("leaf")
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 10 * _DAY)
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return Identity(key, certificate)


def server(
    identity: Identity,
    folder: Path,
    *,
    ciphers: str = "DEFAULT:@SECLEVEL=0",
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    clients: Authority | None = None,
) -> ssl.SSLContext:
    """What an acceptor needs to be `identity`.

    Args:
        clients: the authority of those it lets in; None asks for no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    context.maximum_version = maximum
    context.minimum_version = minimum
    context.load_cert_chain(
        identity.write_certificate(folder / "server.pem"), identity.write_key(folder / "server.key")
    )
    if clients is not None:
        context.load_verify_locations(clients.write(folder / "clients.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context
