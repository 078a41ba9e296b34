"""TLS on one connection without I/O: bytes of the network in and out, bytes of DICOM beside.

Not asyncio's own TLS: its write buffers hide whether the kernel has taken our bytes, it cannot
leave our half open when the peer has ended its own, and it differs between event loops.
"""

import ssl
from typing import Final

__all__ = ["TlsSession", "observe"]

_CHUNK: Final = 64 * 1024
_HANDSHAKE: Final = 22
_CERTIFICATE: Final = 11
_CERTIFICATE_REQUEST: Final = 13


class _Observed(ssl.SSLObject):
    """Remembers what the peer sent in its handshake, even when we refuse it."""

    peer_certificate = b""
    wants_certificate = False


def observe(context: ssl.SSLContext) -> None:
    """Have the sessions of `context` remember the peer's certificate when it was refused.

    Python has no public way to it: where the private one is missing, errors name no dates and no
    names, and nothing else changes.
    """
    # The C attribute: the Python one over it makes enumerations of every record that passes.
    for base in type(context).__mro__[1:]:
        if "_msg_callback" in vars(base):
            context.sslobject_class = _Observed
            vars(base)["_msg_callback"].__set__(context, _on_message)
            return


def _on_message(
    session: object, direction: str, version: int, content: int, kind: int, data: bytes
) -> None:
    if direction != "read" or content != _HANDSHAKE or not isinstance(session, _Observed):
        return
    if kind == _CERTIFICATE_REQUEST:
        session.wants_certificate = True
    elif kind == _CERTIFICATE:
        session.peer_certificate = _first_certificate(data, version)


def _first_certificate(message: bytes, version: int) -> bytes:
    """The end-entity certificate of a Certificate message (RFC 8446 4.4.2, RFC 5246 7.4.2)."""
    at = 4
    if version >= ssl.TLSVersion.TLSv1_3 and len(message) > at:
        at += 1 + message[at]  # certificate_request_context
    at += 3  # length of the list
    length = int.from_bytes(message[at : at + 3])
    return message[at + 3 : at + 3 + length]


class TlsSession:
    """One end of a TLS connection.

    Args:
        server_hostname: whom we ask for; not told the peer where it is an address.
        has_certificate: we can show a certificate if the peer asks for one.

    Attributes:
        protocol: the version spoken, as `TLSv1.3`; "" until the handshake is done.
        ended: the peer will send nothing more: it said so, or something went wrong.
        error: what went wrong; None after an orderly end.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        has_certificate: bool = False,
    ) -> None:
        self.server_hostname = server_hostname or ""
        self.has_certificate = has_certificate
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=server_hostname,
        )
        self.protocol = ""
        self.ended = False
        self.error: ssl.SSLError | None = None

    # The handshake.

    def handshake(self) -> bool:
        """Go on with the handshake; False when more from the peer is needed.

        Raises:
            ssl.SSLError: it failed; `data_to_send` may hold an alert for the peer.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.protocol = self._object.version() or ""  # OpenSSL forgets it when TLS breaks
        return True

    @property
    def wants_certificate(self) -> bool:
        """The peer asked for our certificate."""
        return isinstance(self._object, _Observed) and self._object.wants_certificate

    @property
    def peer_certificate(self) -> bytes:
        """The peer's certificate in DER, trusted or not; b"" where it is not known."""
        try:
            der = self._object.getpeercert(binary_form=True)
        except ValueError:  # the handshake is not done
            der = None
        if der:
            return der
        return self._object.peer_certificate if isinstance(self._object, _Observed) else b""

    @property
    def cipher(self) -> str:
        """The cipher suite, by OpenSSL's name; "" before there is one."""
        suite = self._object.cipher()
        return suite[0] if suite else ""

    # Data.

    def receive_data(self, data: bytes) -> None:
        """Bytes came from the network."""
        self._incoming.write(data)

    def receive_eof(self) -> None:
        """The network will bring nothing more."""
        self._incoming.write_eof()

    def data_to_send(self) -> bytes:
        """Bytes for the network; ask after every other call."""
        return self._outgoing.read()

    def decrypt(self) -> bytes:
        """What the peer said, as far as it has come; sets `ended` and `error`."""
        chunks = []
        while not self.ended:
            try:
                chunk = self._object.read(_CHUNK)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                # An end without close_notify is an end too: what was cut off shows in DICOM,
                # and archives end connections either way.
                self.ended = True
            except ssl.SSLError as exc:
                self.ended, self.error = True, exc
            else:
                chunks.append(chunk)
                self.ended = not chunk
        return b"".join(chunks)

    def encrypt(self, data: bytes) -> None:
        """Say `data` to the peer; swallowed once something went wrong."""
        view = memoryview(data)
        while view and self.error is None:
            try:
                view = view[self._object.write(view) :]
            except ssl.SSLError as exc:
                self.ended, self.error = True, exc

    def close(self) -> None:
        """Say that we shall send nothing more (close_notify, RFC 8446 Section 6.1)."""
        if self.error is None:
            try:
                self._object.unwrap()
            except ssl.SSLError:
                return  # the peer has not said so yet, which nobody waits for
