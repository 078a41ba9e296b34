"""Cipher suites up to TLS 1.2: IANA's names to OpenSSL's, and those of each profile (PS3.15 B)."""

import functools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import TlsSetupFailed, TlsStep
from asyncfind.safe import safe
from asyncfind.security import Profile, Tls

__all__ = ["KNOWN_CIPHERS", "PROFILES", "Offer", "cipher_string", "ciphers"]


def _parse(table: str) -> dict[str, str]:
    rows = (line.split() for line in table.strip().splitlines())
    return {iana: openssl for iana, openssl in rows}  # noqa: C416 - dict() takes no lists for mypy


KNOWN_CIPHERS: Final[Mapping[str, str]] = _parse(
    """
    TLS_RSA_WITH_NULL_SHA                         NULL-SHA
    TLS_RSA_WITH_3DES_EDE_CBC_SHA                 DES-CBC3-SHA
    TLS_RSA_WITH_AES_128_CBC_SHA                  AES128-SHA
    TLS_RSA_WITH_CAMELLIA_128_CBC_SHA             CAMELLIA128-SHA
    TLS_RSA_WITH_AES_128_CBC_SHA256               AES128-SHA256
    TLS_RSA_WITH_AES_128_GCM_SHA256               AES128-GCM-SHA256
    TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA           ECDH-ECDSA-AES128-SHA
    TLS_ECDH_RSA_WITH_AES_128_CBC_SHA             ECDH-RSA-AES128-SHA
    TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256        ECDH-ECDSA-AES128-SHA256
    TLS_ECDH_RSA_WITH_AES_128_CBC_SHA256          ECDH-RSA-AES128-SHA256
    TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256        ECDH-ECDSA-AES128-GCM-SHA256
    TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256          ECDH-RSA-AES128-GCM-SHA256
    TLS_RSA_WITH_CAMELLIA_256_CBC_SHA             CAMELLIA256-SHA
    TLS_RSA_WITH_AES_256_CBC_SHA                  AES256-SHA
    TLS_RSA_WITH_AES_256_CBC_SHA256               AES256-SHA256
    TLS_RSA_WITH_AES_256_GCM_SHA384               AES256-GCM-SHA384
    TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA           ECDH-ECDSA-AES256-SHA
    TLS_ECDH_RSA_WITH_AES_256_CBC_SHA             ECDH-RSA-AES256-SHA
    TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA384        ECDH-ECDSA-AES256-SHA384
    TLS_ECDH_RSA_WITH_AES_256_CBC_SHA384          ECDH-RSA-AES256-SHA384
    TLS_ECDH_ECDSA_WITH_AES_256_GCM_SHA384        ECDH-ECDSA-AES256-GCM-SHA384
    TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384          ECDH-RSA-AES256-GCM-SHA384
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA          ECDHE-ECDSA-AES128-SHA
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA            ECDHE-RSA-AES128-SHA
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256       ECDHE-ECDSA-AES128-SHA256
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256         ECDHE-RSA-AES128-SHA256
    TLS_ECDHE_ECDSA_WITH_AES_128_CCM              ECDHE-ECDSA-AES128-CCM
    TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8            ECDHE-ECDSA-AES128-CCM8
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256       ECDHE-ECDSA-AES128-GCM-SHA256
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256         ECDHE-RSA-AES128-GCM-SHA256
    TLS_DHE_DSS_WITH_AES_128_CBC_SHA              DHE-DSS-AES128-SHA
    TLS_DHE_DSS_WITH_CAMELLIA_128_CBC_SHA         DHE-DSS-CAMELLIA128-SHA
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA              DHE-RSA-AES128-SHA
    TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA         DHE-RSA-CAMELLIA128-SHA
    TLS_DHE_DSS_WITH_AES_128_CBC_SHA256           DHE-DSS-AES128-SHA256
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA256           DHE-RSA-AES128-SHA256
    TLS_DHE_DSS_WITH_AES_128_GCM_SHA256           DHE-DSS-AES128-GCM-SHA256
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256           DHE-RSA-AES128-GCM-SHA256
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA          ECDHE-ECDSA-AES256-SHA
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA            ECDHE-RSA-AES256-SHA
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384       ECDHE-ECDSA-AES256-SHA384
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384         ECDHE-RSA-AES256-SHA384
    TLS_ECDHE_ECDSA_WITH_AES_256_CCM              ECDHE-ECDSA-AES256-CCM
    TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8            ECDHE-ECDSA-AES256-CCM8
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 ECDHE-ECDSA-CHACHA20-POLY1305
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256   ECDHE-RSA-CHACHA20-POLY1305
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384       ECDHE-ECDSA-AES256-GCM-SHA384
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384         ECDHE-RSA-AES256-GCM-SHA384
    TLS_DHE_DSS_WITH_AES_256_CBC_SHA              DHE-DSS-AES256-SHA
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA              DHE-RSA-AES256-SHA
    TLS_DHE_DSS_WITH_CAMELLIA_256_CBC_SHA         DHE-DSS-CAMELLIA256-SHA
    TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA         DHE-RSA-CAMELLIA256-SHA
    TLS_DHE_DSS_WITH_AES_256_CBC_SHA256           DHE-DSS-AES256-SHA256
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA256           DHE-RSA-AES256-SHA256
    TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256     DHE-RSA-CHACHA20-POLY1305
    TLS_DHE_DSS_WITH_AES_256_GCM_SHA384           DHE-DSS-AES256-GCM-SHA384
    TLS_DHE_RSA_WITH_AES_256_GCM_SHA384           DHE-RSA-AES256-GCM-SHA384
    """
)
"""Every suite that can be named, the weakest first: no forward secrecy, then by key and by hash.

Some are known and no more in any OpenSSL of today: they are refused in other words than a typing
error.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a profile lets us offer.

    Args:
        suites: IANA names for TLS 1.2 and before, in the order offered.
        minimum, maximum: TLS versions.
        level: OpenSSL's security level, which bounds keys and digests too.
        fixed: no suite may be added.
        encrypts: suites without encryption are refused.
        modern: suites with SHA-1 are refused (RFC 8996 profiles).
    """

    suites: tuple[str, ...]
    minimum: ssl.TLSVersion
    maximum: ssl.TLSVersion
    level: int
    fixed: bool = False
    encrypts: bool = True
    modern: bool = False


def _suites(exchanges: str, ciphers: str) -> tuple[str, ...]:
    return tuple(
        f"TLS_{exchange}_WITH_{cipher}"
        for cipher in ciphers.split()
        for exchange in exchanges.split()
    )


_GCM: Final = "AES_128_GCM_SHA256 AES_256_GCM_SHA384"
_ND: Final = _suites("ECDHE_RSA DHE_RSA", _GCM)
_AES: Final = ("TLS_RSA_WITH_AES_128_CBC_SHA",)
_1_0: Final = ssl.TLSVersion.TLSv1
_1_2: Final = ssl.TLSVersion.TLSv1_2
_1_3: Final = ssl.TLSVersion.TLSv1_3

PROFILES: Final[Mapping[Profile, Offer]] = {
    # Level 1, because peers of these two profiles may have keys of 1024 bits.
    Profile.BCP195_ND: Offer(suites=_ND, minimum=_1_2, maximum=_1_3, level=1),
    Profile.BCP195_EX: Offer(
        suites=(
            *_ND,
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ),
        minimum=_1_2,
        maximum=_1_2,
        level=1,
        fixed=True,
    ),
    # Level 0, because TLS 1.0 and 1.1 sign with MD5 and SHA-1.
    Profile.BCP195: Offer(suites=_ND + _AES, minimum=_1_0, maximum=_1_3, level=0),
    Profile.AES: Offer(suites=_AES, minimum=_1_0, maximum=_1_2, level=0),
    Profile.BASIC: Offer(
        suites=("TLS_RSA_WITH_3DES_EDE_CBC_SHA",), minimum=_1_0, maximum=_1_2, level=0
    ),
    Profile.NULL: Offer(
        suites=("TLS_RSA_WITH_NULL_SHA",), minimum=_1_0, maximum=_1_2, level=0, encrypts=False
    ),
    Profile.RFC8996: Offer(
        suites=_suites("ECDHE_RSA ECDHE_ECDSA", _GCM),
        minimum=_1_2,
        maximum=_1_3,
        level=2,
        modern=True,
    ),
    Profile.RFC8996_MOD: Offer(
        suites=(
            *_suites("ECDHE_ECDSA", "AES_128_CCM AES_128_CCM_8"),
            *_suites("ECDHE_RSA ECDHE_ECDSA", "AES_128_GCM_SHA256 CHACHA20_POLY1305_SHA256"),
            *_suites("ECDHE_ECDSA", "AES_256_CCM AES_256_CCM_8"),
            *_suites("ECDHE_RSA ECDHE_ECDSA", "AES_256_GCM_SHA384"),
        ),
        minimum=_1_2,
        maximum=_1_3,
        level=2,
        fixed=True,
        modern=True,
    ),
}


@functools.cache
def ciphers() -> Mapping[str, str]:
    """IANA name to OpenSSL name of the suites that the local OpenSSL has, the weakest first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    here = {suite["name"] for suite in context.get_ciphers()}
    return {iana: openssl for iana, openssl in KNOWN_CIPHERS.items() if openssl in here}


def cipher_string(tls: Tls) -> str:
    """What OpenSSL is to offer up to TLS 1.2, with its security level written out.

    Raises:
        TlsSetupFailed: a suite that is unknown, not here, or not allowed in the profile.
    """
    offer = PROFILES[tls.profile]
    for name in offer.suites:
        if name not in ciphers():
            raise TlsSetupFailed(
                f"this OpenSSL does not have {name}, which profile {tls.profile} needs",
                "Choose another profile.",
                step=TlsStep.PROFILE,
                name=name,
            )
    for name in tls.ciphers:
        _check(name, tls.profile, offer)
    names = dict.fromkeys((*offer.suites, *tls.ciphers))
    return ":".join([*(KNOWN_CIPHERS[name] for name in names), f"@SECLEVEL={offer.level}"])


def _check(name: str, profile: Profile, offer: Offer) -> None:
    """Refuse what may not be added: OpenSSL itself drops unknown names without a word."""
    shown = safe(name, 64)
    if name not in KNOWN_CIPHERS:
        text, hint = f"unknown cipher suite '{shown}'", "Use an IANA name as +cc lists them."
    elif name not in ciphers():
        text, hint = f"this OpenSSL does not have cipher suite {shown}", "+cc lists those it has."
    elif offer.fixed:
        text = f"profile {profile} takes no further cipher suites"
        hint = "Choose another profile, or leave the cipher suites out."
    elif offer.encrypts and "_NULL_" in name:
        text = f"cipher suite {shown} does not encrypt, which profile {profile} demands"
        hint = "Choose the profile `null` if nothing has to be secret."
    elif offer.modern and name.endswith("_SHA"):
        text = f"cipher suite {shown} uses SHA-1, which profile {profile} forbids"
        hint = "Choose another suite, or an older profile."
    else:
        return
    raise TlsSetupFailed(text, hint, step=TlsStep.CIPHER, name=name)
