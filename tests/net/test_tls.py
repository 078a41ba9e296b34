"""TLS with a peer: what is accepted, and the words for everything that is not."""

import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import pytest
from certificates import Authority, Identity, ec_key, rsa_key, self_signed, server

import asyncfind.net.tls
from asyncfind.errors import ConnectFailed, Kind, PeerError, TlsFailed, TlsSetupFailed
from asyncfind.net.association import associate
from asyncfind.net.tls_report import PeerCertificate, certificate_report
from asyncfind.net.transport import Stream, connect, serve
from asyncfind.plan import Peer, Timeouts
from asyncfind.security import CrlCheck, Profile, Tls

pytestmark = pytest.mark.anyio

_TLS_1_1: Final = ssl.TLSVersion(0x0302)  # by number: the name warns
_TLS_1_2: Final = ssl.TLSVersion.TLSv1_2
_ROOT: Final = Authority()
_OTHER: Final = Authority("Another Root CA")
_GOOD: Final = _ROOT.issue()


def _trusting(folder: Path) -> str:
    return _ROOT.write(folder / "ca.pem")


async def _visit(
    handler: Callable[[Stream], Awaitable[None]],
    tls: Tls | None,
    use: Callable[[Stream], Awaitable[object]],
    context: ssl.SSLContext | None = None,
    *,
    host: str = "127.0.0.1",
    seconds: float | None = 10,
) -> object:
    """Connect to an acceptor that does `handler`, and return what `use` does, or the error."""
    result: object = None

    async def handle(stream: Stream) -> None:
        try:
            await handler(stream)
        finally:
            stream.abort()  # does nothing where the handler closed it

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(partial(serve, tls=context), handle, "127.0.0.1", 0)
        try:
            with anyio.fail_after(20):
                stream = await connect(Peer(host=host, port=port, tls=tls), 5, tls_timeout=seconds)
                try:
                    result = await use(stream)
                finally:
                    await stream.close()
        except (PeerError, TlsSetupFailed) as exc:
            result = exc
        tasks.cancel_scope.cancel()
    return result


async def _mirror(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)
    await stream.close()


async def _exchange(stream: Stream, size: int = 5) -> PeerCertificate:
    sent = bytes(range(256)) * (size // 256 + 1)
    await stream.send(sent)
    got = b""
    while len(got) < len(sent):
        data = await stream.receive()
        assert data, stream.error
        got += data
    assert got == sent
    report = certificate_report(stream)
    assert report is not None
    return report


async def _good(
    tls: Tls, context: ssl.SSLContext, size: int = 5, host: str = "127.0.0.1"
) -> PeerCertificate:
    """Bytes went to and fro: the certificate was accepted."""
    found = await _visit(_mirror, tls, partial(_exchange, size=size), context, host=host)
    assert isinstance(found, PeerCertificate), found
    return found


async def _bad(tls: Tls, context: ssl.SSLContext) -> TlsFailed:
    """Of the handshake, or told by an alert that follows it."""

    async def wait(stream: Stream) -> object:
        await stream.send(b"\x01")
        assert await stream.receive() == b""
        return stream.error

    async def refuse(stream: Stream) -> None:
        # Where only a pin does not match, the handshake is done for the peer; no byte follows.
        assert await stream.receive() == b""
        await stream.close()

    found = await _visit(refuse, tls, wait, context)
    assert isinstance(found, TlsFailed), found
    assert found.kind is Kind.TLS
    assert not found.retryable
    return found


@pytest.mark.parametrize("size", [1, 3_000_000])
async def test_bytes_go_both_ways_and_the_certificate_is_reported(
    tmp_path: Path, size: int
) -> None:
    report = await _good(Tls(ca_files=(_trusting(tmp_path),)), server(_GOOD, tmp_path), size)
    certificate = _GOOD.certificate
    assert report.subject == "O=Invented Hospital, CN=localhost"
    assert report.issuer == "O=Invented Hospital, CN=Invented Root CA"
    assert report.names == ("localhost", "127.0.0.1")
    assert report.not_before == certificate.not_valid_before_utc
    assert report.not_after == certificate.not_valid_after_utc
    assert report.days_left in (9, 10)
    assert report.pin == f"sha256:{_GOOD.fingerprint}"
    assert report.protocol == "TLSv1.3"
    assert report.cipher.startswith("TLS_")


async def test_days_left_turn_negative(tmp_path: Path) -> None:
    async def later(stream: Stream) -> object:
        then = datetime.now(UTC) + timedelta(days=12)
        report = certificate_report(stream, now=then)
        return None if report is None else report.days_left

    tls = Tls(ca_files=(_trusting(tmp_path),))
    assert await _visit(_mirror, tls, later, server(_GOOD, tmp_path)) in (-2, -3)


async def test_plain_tcp_has_no_report() -> None:
    async def report(stream: Stream) -> object:
        return certificate_report(stream), stream.tls

    assert await _visit(_mirror, None, report) == (None, None)


@pytest.mark.parametrize(
    ("profile", "cipher"),
    [
        (Profile.RFC8996, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (Profile.RFC8996, "ECDHE-RSA-AES256-GCM-SHA384"),
        (Profile.RFC8996_MOD, "ECDHE-ECDSA-AES256-CCM"),
        (Profile.RFC8996_MOD, "ECDHE-RSA-CHACHA20-POLY1305"),
        (Profile.BCP195_ND, "ECDHE-RSA-AES128-GCM-SHA256"),
        (Profile.BCP195_EX, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (Profile.BCP195, "AES128-SHA"),
        (Profile.AES, "AES128-SHA"),
        (Profile.NULL, "NULL-SHA"),
    ],
)
async def test_each_profile_speaks_its_suites(
    tmp_path: Path, profile: Profile, cipher: str
) -> None:
    key = ec_key("leaf") if "ECDSA" in cipher else None
    context = server(
        _ROOT.issue(key=key), tmp_path, ciphers=f"{cipher}:@SECLEVEL=0", maximum=_TLS_1_2
    )
    report = await _good(Tls(ca_files=(_trusting(tmp_path),), profile=profile), context)
    assert (report.protocol, report.cipher) == ("TLSv1.2", cipher)


async def test_the_oldest_version_of_the_oldest_profile(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context = server(_GOOD, tmp_path, minimum=_TLS_1_1, maximum=_TLS_1_1)
    tls = Tls(ca_files=(_trusting(tmp_path),), profile=Profile.BCP195)
    assert (await _good(tls, context)).protocol == "TLSv1.1"
    failed = await _bad(Tls(ca_files=(_trusting(tmp_path),)), context)
    assert "share no TLS version" in failed.text
    # What findscu prints is 0800H more.
    assert failed.openssl_code == 0x42E


async def test_a_suite_that_was_added_is_offered(tmp_path: Path) -> None:
    context = server(_GOOD, tmp_path, ciphers="AES256-GCM-SHA384", maximum=_TLS_1_2)
    ca = _trusting(tmp_path)
    added = ("TLS_RSA_WITH_AES_256_GCM_SHA384",)
    report = await _good(Tls(ca_files=(ca,), ciphers=added), context)
    assert report.cipher == "AES256-GCM-SHA384"


async def test_no_common_suite(tmp_path: Path) -> None:
    context = server(_GOOD, tmp_path, ciphers="AES128-SHA", maximum=_TLS_1_2)
    failed = await _bad(Tls(ca_files=(_trusting(tmp_path),)), context)
    assert "share no cipher suite" in failed.text
    assert "+cs" in failed.hint
    assert (failed.verify_code, failed.openssl_code) == (None, 0x410)
    assert failed.openssl_reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"


async def test_a_peer_newer_than_the_profile(tmp_path: Path) -> None:
    context = server(_GOOD, tmp_path, minimum=ssl.TLSVersion.TLSv1_3)
    tls = Tls(ca_files=(_trusting(tmp_path),), profile=Profile.BCP195_EX)
    assert "share no TLS version" in (await _bad(tls, context)).text


def _day(offset: float) -> str:
    return f"{datetime.now(UTC) + timedelta(days=offset):%Y-%m-%d}"


@pytest.mark.parametrize("maximum", [_TLS_1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("identity", "code", "text", "hint"),
    [
        (partial(_ROOT.issue, ends=-0.9), 10, "it expired on 20", "clock"),
        (partial(_ROOT.issue, starts=2), 9, "it is not valid before 20", "clock"),
        (
            partial(_ROOT.issue, names=("pacs.invented.example", "10.1.2.3")),
            64,
            "not for '127.0.0.1' but for pacs.invented.example, 10.1.2.3",
            "--tls-server-name",
        ),
        (partial(_ROOT.issue, names=()), 64, "it names no host", "--tls-server-name"),
        (self_signed, 18, "self-signed", "+cf"),
        (_OTHER.issue, 20, "CA is unknown (issuer 'O=Invented Hospital, CN=Another", "+cf"),
        (partial(_ROOT.issue, client=True), 26, "not meant for a TLS server", "checked"),
        (partial(_ROOT.issue, key=rsa_key("short", 1024)), 66, "key is too short", "profile"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_a_certificate_that_is_not_accepted(
    tmp_path: Path,
    maximum: ssl.TLSVersion,
    identity: Callable[[], Identity],
    code: int,
    text: str,
    hint: str,
) -> None:
    context = server(identity(), tmp_path, maximum=maximum)
    failed = await _bad(Tls(ca_files=(_trusting(tmp_path),)), context)
    assert text in failed.text
    assert "'O=Invented Hospital, CN=localhost'" in failed.text
    assert hint in failed.hint
    assert (failed.verify_code, failed.openssl_code) == (code, 0x86)
    assert failed.openssl_reason == "CERTIFICATE_VERIFY_FAILED"


async def test_dates_are_those_of_the_certificate(tmp_path: Path) -> None:
    ca = _trusting(tmp_path)
    early = _ROOT.issue(starts=2)
    failed = await _bad(Tls(ca_files=(ca,)), server(early, tmp_path))
    assert f"{early.certificate.not_valid_before_utc:%Y-%m-%d}" in failed.text
    late = _ROOT.issue(starts=-9, ends=-3)
    failed = await _bad(Tls(ca_files=(ca,)), server(late, tmp_path))
    assert f"{late.certificate.not_valid_after_utc:%Y-%m-%d}" in failed.text


async def test_what_a_certificate_says_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    nasty = _ROOT.issue("red\x1b[31m\u202ekey")
    context = server(nasty, tmp_path)
    ca = _trusting(tmp_path)
    report = await _good(Tls(ca_files=(ca,)), context)
    assert report.subject == "O=Invented Hospital, CN=red\\x1b[31m\\u202ekey"
    failed = await _bad(Tls(ca_files=(_OTHER.write(tmp_path / "other"),)), context)
    assert failed.text.isprintable()


async def test_old_profiles_take_short_keys(tmp_path: Path) -> None:
    context = server(_ROOT.issue(key=rsa_key("short", 1024)), tmp_path)
    tls = Tls(ca_files=(_trusting(tmp_path),), profile=Profile.BCP195_ND)
    assert (await _good(tls, context)).protocol == "TLSv1.3"


async def test_a_chain_by_an_intermediate(tmp_path: Path) -> None:
    middle = Authority("Invented Department CA", _ROOT)
    identity = middle.issue()
    ca = _trusting(tmp_path)
    await _good(Tls(ca_files=(ca,)), server(identity, tmp_path))
    alone = Identity(identity.key, identity.certificate)
    failed = await _bad(Tls(ca_files=(ca,)), server(alone, tmp_path))
    assert "CA is unknown (issuer 'O=Invented Hospital, CN=Invented Department" in failed.text
    # The CA between may also be ours to give.
    both = (ca, middle.write(tmp_path / "middle"))
    await _good(Tls(ca_files=both), server(alone, tmp_path))


async def test_a_chain_of_which_a_ca_expired(tmp_path: Path) -> None:
    context = server(Authority("Invented Department CA", _ROOT, ends=-1).issue(), tmp_path)
    failed = await _bad(Tls(ca_files=(_trusting(tmp_path),)), context)
    assert "it has expired (a CA of its chain)" in failed.text


async def test_words_without_what_python_does_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refused certificate is had by a private way; without it no name and date is told."""
    monkeypatch.setattr(asyncfind.net.tls, "observe", lambda context: None)
    # Settings that no other test has: contexts are kept.
    tls = Tls(ca_files=(_trusting(tmp_path),), server_name="ris.invented.example")
    failed = await _bad(tls, server(_GOOD, tmp_path))
    assert failed.text == (
        "the peer's certificate is not accepted: it is not for 'ris.invented.example'"
    )
    tls = Tls(ca_files=tls.ca_files, server_name="pacs.invented.example", check_hostname=False)
    failed = await _bad(tls, server(_ROOT.issue(ends=-0.5), tmp_path))
    assert failed.text == "the peer's certificate is not accepted: it has expired"


async def test_hashed_directory(tmp_path: Path) -> None:
    folder = _ROOT.write_hashed(tmp_path / "hashed")
    await _good(Tls(ca_directories=(folder,)), server(_GOOD, tmp_path))


async def test_revocation(tmp_path: Path) -> None:
    ca, context = _trusting(tmp_path), server(_GOOD, tmp_path)
    hit = _ROOT.write_crl(tmp_path / "hit", _GOOD)
    miss = _ROOT.write_crl(tmp_path / "miss", _ROOT.issue())
    foreign = _OTHER.write_crl(tmp_path / "foreign", _GOOD)
    old = _ROOT.write_crl(tmp_path / "old", ends=-2)

    async def code(*lists: str, check: CrlCheck = CrlCheck.NONE) -> int | None:
        failed = await _bad(Tls(ca_files=(ca,), crl_files=lists, crl_check=check), context)
        return failed.verify_code

    assert await code(hit) == 23
    assert await code(hit, miss) == 23
    assert await code(old) == 12
    # Without a list of the issuer nobody knows: that fails.
    assert await code(foreign) == 3
    assert await code(check=CrlCheck.LEAF) == 3
    await _good(Tls(ca_files=(ca,), crl_files=(miss,)), context)
    await _good(Tls(ca_files=(ca,), crl_files=(miss,), crl_check=CrlCheck.CHAIN), context)


async def test_revocation_of_the_chain(tmp_path: Path) -> None:
    middle = Authority("Invented Department CA", _ROOT)
    context = server(middle.issue(), tmp_path)
    ca, leaf_list = _trusting(tmp_path), middle.write_crl(tmp_path / "leaf")
    await _good(Tls(ca_files=(ca,), crl_files=(leaf_list,)), context)
    tls = Tls(ca_files=(ca,), crl_files=(leaf_list,), crl_check=CrlCheck.CHAIN)
    failed = await _bad(tls, context)
    assert "no revocation list of its issuer" in failed.text


async def test_tolerant_settings_leave_it_to_the_handshake(tmp_path: Path) -> None:
    """As findscu: without a CA nothing is trusted, and a list that is missing fails closed."""
    context = server(_GOOD, tmp_path)
    assert (await _bad(Tls(tolerant=True), context)).verify_code == 20
    ca = _trusting(tmp_path)
    gone = Tls(tolerant=True, ca_files=(ca, "gone"), crl_files=("gone",))
    assert (await _bad(gone, context)).verify_code == 3
    await _good(Tls(tolerant=True, ca_files=(ca, "gone")), context)


async def test_names_are_checked_as_asked(tmp_path: Path) -> None:
    ca = _trusting(tmp_path)
    context = server(_ROOT.issue(names=("pacs.invented.example",)), tmp_path)
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    await _good(Tls(ca_files=(ca,), server_name="pacs.invented.example"), context)
    await _good(Tls(ca_files=(ca,), check_hostname=False), context)
    await _good(Tls(ca_files=(ca,), check_hostname=False, server_name=""), context)
    failed = await _bad(Tls(ca_files=(ca,), server_name="ris.invented.example"), context)
    assert "not for 'ris.invented.example' but for pacs.invented.example" in failed.text
    # Addresses are no server names (RFC 6066 Section 3).
    assert asked == ["pacs.invented.example", None, None, "ris.invented.example"]


async def test_the_host_is_the_name_by_default(tmp_path: Path) -> None:
    context = server(_ROOT.issue(names=("localhost",)), tmp_path)
    await _good(Tls(ca_files=(_trusting(tmp_path),)), context, host="localhost")


async def test_nobody_checked(tmp_path: Path) -> None:
    report = await _good(Tls(verify_peer=False), server(self_signed("who"), tmp_path))
    assert report.subject == "O=Invented Hospital, CN=who"


async def test_a_pin_stands_for_a_self_signed_peer(tmp_path: Path) -> None:
    peer = self_signed(names=("elsewhere.example",))
    context = server(peer, tmp_path)
    await _good(Tls(pin=f"sha256:{peer.fingerprint.upper()}"), context)
    other = Tls(pin=f"sha256:{_GOOD.fingerprint}")
    failed = await _bad(other, context)
    assert f"sha256:{peer.fingerprint}" in failed.text
    assert "--tls-pin" in failed.hint
    # Beside a CA it comes on top.
    ca = _trusting(tmp_path)
    both = Tls(pin=f"sha256:{_GOOD.fingerprint}", ca_files=(ca,))
    await _good(both, server(_GOOD, tmp_path))
    assert "not the pinned one" in (await _bad(both, server(_ROOT.issue(), tmp_path))).text
    assert "self-signed" in (await _bad(both, context)).text


@pytest.mark.parametrize("maximum", [_TLS_1_2, ssl.TLSVersion.TLSv1_3])
async def test_client_certificates(tmp_path: Path, maximum: ssl.TLSVersion) -> None:
    ours = _ROOT.issue("us", names=(), client=True)
    context = server(_GOOD, tmp_path, clients=_ROOT, maximum=maximum)
    ca = _trusting(tmp_path)
    key, certificate = ours.write_key(tmp_path / "k"), ours.write_certificate(tmp_path / "c")
    await _good(Tls(ca_files=(ca,), key_file=key, certificate_file=certificate), context)

    failed = await _bad(Tls(ca_files=(ca,)), context)
    assert "wants a certificate of ours" in failed.text
    assert "+tls" in failed.hint
    assert failed.established == (maximum is not _TLS_1_2)

    stranger = _OTHER.issue("stranger", names=(), client=True)
    certificate = stranger.write_certificate(tmp_path / "c")
    tls = Tls(ca_files=(ca,), key_file=key, certificate_file=certificate, server_name="localhost")
    failed = await _bad(tls, context)
    assert "refuses our certificate" in failed.text


async def _answer(stream: Stream, data: bytes) -> None:
    await stream.receive()
    await stream.send(data)
    await stream.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x01",  # A-ABORT: a DICOM port without TLS
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-invented\r\n",
    ],
)
async def test_a_peer_without_tls(tmp_path: Path, data: bytes) -> None:
    tls = Tls(ca_files=(_trusting(tmp_path),))
    failed = await _visit(partial(_answer, data=data), tls, _exchange)
    assert isinstance(failed, TlsFailed)
    assert "does not speak TLS" in failed.text
    assert not failed.retryable


async def _greet(stream: Stream) -> None:
    await stream.send(b"220 invented.example ESMTP\r\n")
    await stream.receive()
    await stream.close()


async def test_a_peer_that_speaks_first_does_not_speak_tls(tmp_path: Path) -> None:
    failed = await _visit(_greet, Tls(ca_files=(_trusting(tmp_path),)), _exchange)
    assert isinstance(failed, TlsFailed)
    assert "does not speak TLS" in failed.text


async def _cut(stream: Stream) -> None:
    await stream.receive()
    await stream.close()


async def _reset(stream: Stream) -> None:
    await stream.receive()
    stream.abort()


async def _stall(stream: Stream) -> None:
    await anyio.sleep_forever()


async def test_cut_reset_and_stalled_handshakes_may_be_tried_again(tmp_path: Path) -> None:
    tls = Tls(ca_files=(_trusting(tmp_path),))
    cut = await _visit(_cut, tls, _exchange)
    assert isinstance(cut, TlsFailed)
    assert "closed the connection in the TLS handshake" in cut.text
    assert (cut.openssl_code, cut.retryable) == (0x126, True)

    reset = await _visit(_reset, tls, _exchange)
    assert isinstance(reset, TlsFailed)
    assert "reset the connection in the TLS handshake" in reset.text
    assert (reset.openssl_code, reset.retryable) == (None, True)

    stalled = await _visit(_stall, tls, _exchange, seconds=0.2)
    assert isinstance(stalled, TlsFailed)
    assert "did not finish the TLS handshake within 0.2 s" in stalled.text
    assert stalled.retryable


async def test_a_handshake_that_trickles_is_stalled_too(tmp_path: Path) -> None:
    async def trickle(stream: Stream) -> None:
        while True:  # the header of a record, and then never enough of it
            await stream.send(b"\x16\x03\x03\x40\x00" if not stream.has_data else b"\x02")
            await anyio.sleep(0.02)

    failed = await _visit(trickle, Tls(ca_files=(_trusting(tmp_path),)), _exchange, seconds=0.3)
    assert isinstance(failed, TlsFailed)
    assert "within 0.3 s" in failed.text


async def test_the_handshake_has_a_clock_of_its_own() -> None:
    assert Timeouts().tls == 10.0


async def test_no_connection_is_no_matter_of_tls(tmp_path: Path) -> None:
    tls = Tls(ca_files=(_trusting(tmp_path),))
    with pytest.raises(ConnectFailed):
        await connect(Peer(host="127.0.0.1", port=1, tls=tls), 5)


async def test_settings_that_cannot_be_used_send_nothing() -> None:
    with pytest.raises(TlsSetupFailed, match="no CA"):
        await connect(Peer(host="127.0.0.1", port=1, tls=Tls()), 5)
    tls = Tls(verify_peer=False, server_name="." * 3)
    with pytest.raises(TlsSetupFailed, match="no name that a peer"):
        await connect(Peer(host="127.0.0.1", port=1, tls=tls), 5)


# What happens behind the handshake.


async def test_an_alert_behind_the_handshake_is_a_failure_of_tls_for_an_association(
    tmp_path: Path,
) -> None:
    context = server(_GOOD, tmp_path, clients=_ROOT)
    tls = Tls(ca_files=(_trusting(tmp_path),))
    result: object = None
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(partial(serve, tls=context), _mirror, "127.0.0.1", 0)
        try:
            async with associate(Peer(host="127.0.0.1", port=port, tls=tls), ["study"]):
                pass
        except PeerError as exc:
            result = exc
        tasks.cancel_scope.cancel()
    assert isinstance(result, TlsFailed), result
    assert result.established
    assert "wants a certificate of ours" in result.text


async def test_what_was_said_before_a_reset_is_read_although_a_write_failed_first() -> None:
    """Plain TCP: the loop closes a connection whose write failed without reading on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(1)
                accepted.sendall(b"because")
                # Closed with a byte unread, and at once: by RST.
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        thread = threading.Thread(target=refuse)
        thread.start()
        stream = await connect(Peer(host="127.0.0.1", port=listener.getsockname()[1]), 5)
        await stream.send(b"ab")
        thread.join()  # the loop stands still meanwhile: it learns of the reset by writing
        await stream.send(b"c")
        with anyio.fail_after(5):
            said = await stream.receive()
            end = await stream.receive()
        await stream.close()
    assert (said, end) == (b"because", b"")
    assert isinstance(stream.error, ConnectionError)


async def test_the_end_is_told_and_understood(tmp_path: Path) -> None:
    ends: list[object] = []

    async def listen(stream: Stream) -> None:
        while data := await stream.receive():
            ends.append(data)
        ends.append(stream.error)
        await stream.send(b"last")  # our half is still open, as an A-RELEASE-RP needs it
        await stream.close()

    async def speak(stream: Stream) -> object:
        await stream.send(b"first")
        await stream.close()
        return stream.error

    tls = Tls(ca_files=(_trusting(tmp_path),))
    assert await _visit(listen, tls, speak, server(_GOOD, tmp_path)) is None
    assert ends == [b"first", None]


async def test_what_was_sent_before_the_end_is_read(tmp_path: Path) -> None:
    async def speak(stream: Stream) -> None:
        await stream.send(b"x" * 100_000)
        await stream.close()

    async def listen(stream: Stream) -> object:
        got = b""
        while data := await stream.receive():
            got += data
        return len(got), stream.error, stream.has_data

    tls = Tls(ca_files=(_trusting(tmp_path),))
    found = await _visit(speak, tls, listen, server(_GOOD, tmp_path))
    assert found == (100_000, None, True)


async def test_a_record_that_was_changed_on_the_way_is_a_failure_of_tls(tmp_path: Path) -> None:
    """Between the two ends stands one that lets the handshake pass and then turns one bit."""
    context = server(_GOOD, tmp_path)
    tls = Tls(ca_files=(_trusting(tmp_path),))
    result: object = None
    async with anyio.create_task_group() as tasks:

        async def talk(stream: Stream) -> None:
            await stream.receive()
            await stream.send(b"answer")
            await stream.receive()
            await stream.close()

        async def between(stream: Stream) -> None:
            behind = await connect(Peer(host="127.0.0.1", port=port), 5)
            turned = anyio.Event()

            async def forward() -> None:
                while data := await stream.receive():
                    await behind.send(data)
                behind.abort()

            async def back() -> None:
                while data := await behind.receive():
                    if turned.is_set():
                        data = data[:-1] + bytes([data[-1] ^ 1])
                    await stream.send(data)

            turn.append(turned)
            async with anyio.create_task_group() as both:
                both.start_soon(forward)
                both.start_soon(back)
            stream.abort()

        turn: list[anyio.Event] = []
        port = await tasks.start(partial(serve, tls=context), talk, "127.0.0.1", 0)
        front = await tasks.start(serve, between, "127.0.0.1", 0)
        stream = await connect(Peer(host="127.0.0.1", port=front, tls=tls), 5)
        turn[0].set()
        await stream.send(b"question")
        with anyio.fail_after(10):
            while await stream.receive():
                pass
        result = stream.error
        await stream.close()
        tasks.cancel_scope.cancel()
    assert isinstance(result, TlsFailed)
    assert "the TLS exchange broke" in result.text
    assert result.openssl_reason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"


async def test_sending_waits_for_a_peer_that_does_not_read(tmp_path: Path) -> None:
    async def flood(stream: Stream) -> object:
        with anyio.move_on_after(0.3) as scope:
            await stream.send(b"x" * 50_000_000)
        # Part of it is out: not one more byte may follow.
        await stream.send(b"y")
        return scope.cancelled_caught

    tls = Tls(ca_files=(_trusting(tmp_path),))
    assert await _visit(_stall, tls, flood, server(_GOOD, tmp_path)) is True


async def test_reading_stops_when_nobody_takes_what_was_read(tmp_path: Path) -> None:
    async def flood(stream: Stream) -> None:
        with anyio.move_on_after(1) as scope:
            await stream.send(b"x" * 50_000_000)
        stuck.append(scope.cancelled_caught)
        done.set()

    async def wait(stream: Stream) -> object:
        await done.wait()
        return len(await stream.receive()) < 2_000_000

    stuck: list[bool] = []
    done = anyio.Event()
    tls = Tls(ca_files=(_trusting(tmp_path),))
    assert await _visit(flood, tls, wait, server(_GOOD, tmp_path)) is True
    assert stuck == [True]


async def test_who_fails_the_handshake_does_not_stop_the_acceptor(tmp_path: Path) -> None:
    context = server(_GOOD, tmp_path)
    tls = Tls(ca_files=(_trusting(tmp_path),))

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(partial(serve, tls=context), _mirror, "127.0.0.1", 0)
        plain = await connect(Peer(host="127.0.0.1", port=port), 5)
        await plain.send(b"\x01\x00" * 50)
        with anyio.fail_after(5):
            while await plain.receive():
                pass
        await plain.close()
        for _ in range(3):
            gone = await connect(Peer(host="127.0.0.1", port=port), 5)
            gone.abort()
        stream = await connect(Peer(host="127.0.0.1", port=port, tls=tls), 5)
        await _exchange(stream)
        await stream.close()
        tasks.cancel_scope.cancel()


async def test_what_follows_the_end_means_nothing(tmp_path: Path) -> None:
    """A peer says that it is done (close_notify), and goes on with noise, at once and later."""
    noise = b"\x17\x03\x03\x10\x00" * 1000
    raved = anyio.Event()

    async def rave(stream: Stream) -> None:
        assert stream.tls is not None
        stream.tls.close()
        rest, stream.tls = stream.tls.data_to_send(), None
        await stream.send(rest + noise)
        await stream.receive()
        await stream.send(noise)
        raved.set()
        await stream.receive()
        await stream.close()

    async def listen(stream: Stream) -> object:
        said = await stream.receive()
        await stream.send(b"goodbye")
        await raved.wait()
        await anyio.wait_all_tasks_blocked()
        return said, await stream.receive(), stream.error

    tls = Tls(ca_files=(_trusting(tmp_path),))
    found = await _visit(rave, tls, listen, server(_GOOD, tmp_path))
    assert found == (b"", b"", None)


async def test_a_handshake_may_end_at_any_byte(tmp_path: Path) -> None:
    context = server(_GOOD, tmp_path)
    tls = Tls(ca_files=(_trusting(tmp_path),))
    port = 0

    async def proxy(stream: Stream, cut: int) -> None:
        hello = await stream.receive()
        behind = await connect(Peer(host="127.0.0.1", port=port), 5)
        await behind.send(hello)
        data = await behind.receive()
        behind.abort()
        assert len(data) > 1000
        await stream.send(data[:cut])
        await stream.close()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(partial(serve, tls=context), _mirror, "127.0.0.1", 0)
        for cut in range(0, 1000, 37):
            failed = await _visit(partial(proxy, cut=cut), tls, _exchange)
            assert isinstance(failed, TlsFailed), failed
            assert failed.retryable
        tasks.cancel_scope.cancel()
