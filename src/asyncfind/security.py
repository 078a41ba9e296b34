"""How a peer is to be reached by TLS, frozen: settings only, nothing is opened here (PS3.15 B)."""

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["CrlCheck", "FileFormat", "Profile", "Tls"]


class Profile(StrEnum):
    """Secure transport connection profiles by name (PS3.15 Annex B), DCMTK's option behind each."""

    BCP195_ND = "bcp195-nd"
    """Non-downgrading BCP 195, TLS 1.2 and 1.3 (`+py`)."""
    BCP195 = "bcp195"
    """BCP 195 with AES-CBC for old peers, TLS 1.0 to 1.3 (`+px`)."""
    BCP195_EX = "bcp195-ex"
    """Extended BCP 195, TLS 1.2 (`+pz`)."""
    BASIC = "basic"
    """The retired profile of triple DES (`+pb`)."""
    AES = "aes"
    """The retired profile of AES-CBC, TLS 1.2 at most (`+pa`)."""
    NULL = "null"
    """No encryption, only integrity: for measurements (`+pn`)."""
    RFC8996 = "8996"
    """BCP 195 after RFC 8996, TLS 1.2 and 1.3 (`+pg`)."""
    RFC8996_MOD = "8996-mod"
    """The modified profile after RFC 8996, TLS 1.2 and 1.3 (`+pm`)."""


class FileFormat(StrEnum):
    """How keys, certificates, CAs and CRLs are written, all alike."""

    PEM = "pem"
    DER = "der"


class CrlCheck(StrEnum):
    """Whose revocation is looked up; a missing revocation list fails the connection."""

    NONE = "none"
    LEAF = "leaf"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS to one peer. Without `key_file` and `pkcs12_file` we show no certificate.

    Files are given as names and read when the connection is set up.

    Args:
        key_file: our private key.
        certificate_file: our certificate; in PEM the chain up to the CA may follow it.
        pkcs12_file: our key, certificate and chain in one file, instead of the two above.
        password: opens the key: None asks on the terminal, "" is an empty pass phrase.
        file_format: of every file but PKCS#12.
        ca_files: certificates of those we trust.
        ca_directories: the same, found by hashed names; in DER file by file.
        system_trust: trust the CAs of the system too.
        crl_files: certificate revocation lists; they imply `crl_check` of the leaf.
        crl_check: whose revocation is looked up.
        profile: cipher suites and versions.
        ciphers: further cipher suites by IANA name, in the order they are offered.
        verify_peer: the peer's certificate has to be one we trust.
        check_hostname: where the peer is verified, its certificate also has to name the host.
        server_name: the host as the certificate names it, also told the peer (SNI, RFC 6066
            Section 3); None takes the peer's host, "" tells nothing.
        pin: `sha256:HEX`, the digest of the peer's certificate; alone it replaces the CAs.
        tolerant: CAs and CRLs that cannot be loaded are left out, and that there is no CA is left
            to the handshake, as findscu does it; else they are errors before anything is sent.
    """

    key_file: str = ""
    certificate_file: str = ""
    pkcs12_file: str = ""
    password: str | None = field(default=None, repr=False)
    file_format: FileFormat = FileFormat.PEM
    ca_files: tuple[str, ...] = ()
    ca_directories: tuple[str, ...] = ()
    system_trust: bool = False
    crl_files: tuple[str, ...] = ()
    crl_check: CrlCheck = CrlCheck.NONE
    profile: Profile = Profile.RFC8996
    ciphers: tuple[str, ...] = ()
    verify_peer: bool = True
    check_hostname: bool = True
    server_name: str | None = None
    pin: str = ""
    tolerant: bool = False

    @property
    def has_certificate(self) -> bool:
        """We can show a certificate of our own."""
        return bool(self.key_file or self.certificate_file or self.pkcs12_file)

    @property
    def unverified(self) -> str:
        """What leaves open who the peer is: `certificate` or `hostname`; empty for nothing."""
        if self.pin:
            return ""
        if not self.verify_peer:
            return "certificate"
        return "" if self.check_hostname else "hostname"

    @property
    def pin_alone(self) -> bool:
        """The pin is all we know of the peer: it stands for the chain and the host name."""
        known = self.ca_files or self.ca_directories or self.system_trust
        return bool(self.pin) and not known
