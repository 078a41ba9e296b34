"""The TLS handshake of a requestor, and what is checked before the first byte of DICOM."""

import hashlib
import hmac
import ssl

import anyio

from asyncfind.errors import TlsFailed, TlsSetupFailed, TlsStep
from asyncfind.net import tls_errors
from asyncfind.net.stream import Stream
from asyncfind.net.tls import context_of, pinned_digest, server_hostname
from asyncfind.net.tls_session import TlsSession
from asyncfind.plan import Peer
from asyncfind.safe import safe
from asyncfind.security import Tls

__all__ = ["prepare", "secure"]


def prepare(peer: Peer, tls: Tls) -> TlsSession:
    """Make the session for a handshake with `peer`.

    Raises:
        TlsSetupFailed: the settings cannot be used.
    """
    name = server_hostname(tls, peer.host)
    try:
        return TlsSession(
            context_of(tls), server_hostname=name, has_certificate=tls.has_certificate
        )
    except ValueError as exc:
        raise TlsSetupFailed(
            f"'{safe(name or '', 64)}' is no name that a peer could be asked for",
            "Give one with --tls-server-name.",
            step=TlsStep.SETTINGS,
        ) from exc


async def secure(stream: Stream, session: TlsSession, tls: Tls, seconds: float | None) -> None:
    """Do the handshake and compare the pin: not one byte of DICOM goes out before both.

    Args:
        seconds: for the handshake; None waits for ever.

    Raises:
        TlsFailed: the handshake failed, or the peer's certificate is not accepted.
    """
    try:
        with anyio.fail_after(seconds):
            await stream.start_tls(session)
    except TimeoutError as exc:
        raise TlsFailed(
            f"the peer did not finish the TLS handshake within {seconds:g} s",
            "Check that the port is a TLS port.",
            passing=True,
        ) from exc
    except ssl.SSLError as exc:
        error = tls_errors.describe(exc, session)
        await stream.close()  # in order, or the RST destroys the alert that tells the peer why
        raise error from exc
    except OSError as exc:
        raise tls_errors.cut_off("reset") from exc
    if pinned := pinned_digest(tls):
        digest = hashlib.sha256(session.peer_certificate).digest()
        if not hmac.compare_digest(digest, pinned):
            await stream.close()
            raise tls_errors.wrong_pin(digest.hex())
