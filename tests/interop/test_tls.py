"""TLS with real ones: DCMTK's and Orthanc's acceptors, and findscu at ours.

DCMTK 3.6.7 speaks TLS in storescp, not in dcmqrscp; Orthanc answers C-FIND by TLS itself.
"""

import json
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import pytest
from certificates import Authority, Identity, rsa_key, self_signed, server
from servers import ORTHANC_AET, Archive, Server
from servers.process import environment, free_port, program, run_program, running, tail

from asyncfind.errors import Kind, PeerError, TlsFailed
from asyncfind.net.association import associate
from asyncfind.net.tls_report import certificate_report
from asyncfind.net.transport import Stream, connect, serve
from asyncfind.plan import Peer, Timeouts, make_query
from asyncfind.security import Profile, Tls

_ROOT: Final = Authority()
_OTHER: Final = Authority("Another Root CA")
_OURS: Final = _ROOT.issue("us", names=(), client=True)
_OPTIONS: Final = {
    Profile.BCP195_ND: "+py",
    Profile.BCP195: "+px",
    Profile.BCP195_EX: "+pz",
    Profile.AES: "+pa",
    Profile.NULL: "+pn",
}
_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.7"


class Files:
    """The files of one test: a CA, another one, and what we show."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = _ROOT.write(folder / "ca.pem")
        self.other = _OTHER.write(folder / "other.pem")
        self.key = _OURS.write_key(folder / "us.key")
        self.certificate = _OURS.write_certificate(folder / "us.pem")

    def tls(self, profile: Profile = Profile.RFC8996, *, show: bool = False) -> Tls:
        return Tls(
            ca_files=(self.ca,),
            profile=profile,
            key_file=self.key if show else "",
            certificate_file=self.certificate if show else "",
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def _listens(port: int, log: Path) -> None:
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"no server: {tail(log.read_bytes())}")


@contextmanager
def _storescp(identity: Identity | None, folder: Path, *arguments: str) -> Iterator[int]:
    """DCMTK's storage SCP, which answers C-ECHO too; None speaks plain TCP."""
    place = folder / "storescp"
    place.mkdir(exist_ok=True)
    line: list[str] = []
    if identity is not None:
        key = identity.write_key(place / "server.key")
        line = ["+tls", key, identity.write_certificate(place / "server.pem")]
    port, log = free_port(), place / "log"
    command = [program("storescp"), "-v", *line, *arguments, "-od", str(place), str(port)]
    with running(command, log):
        _listens(port, log)
        yield port


async def _echo(port: int, tls: Tls | None) -> int:
    peer = Peer(host="127.0.0.1", port=port, tls=tls)
    timeouts = Timeouts(connect=5, tls=5, associate=5, response=5, release=2)
    with anyio.fail_after(20):
        async with associate(peer, (), timeouts=timeouts, verification=True) as association:
            return await association.echo()


async def _fails(port: int, tls: Tls | None) -> TlsFailed:
    with pytest.raises(PeerError) as caught:
        await _echo(port, tls)
    assert isinstance(caught.value, TlsFailed), caught.value
    assert caught.value.kind is Kind.TLS
    return caught.value


def _findscu_fails(port: int, *arguments: str) -> int:
    """The code with which findscu ends, without the 0800H it adds to the library's reason."""
    done = subprocess.run(
        [program("findscu"), *arguments, "-k", "PatientName", "127.0.0.1", str(port)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    found = re.search(r"Request Failed: 000b:([0-9a-f]{4}) ", done.stderr)
    assert found, done.stderr
    return int(found[1], 16) & 0x7FF


@pytest.mark.anyio
@pytest.mark.parametrize("profile", _OPTIONS)
async def test_each_profile_with_dcmtk(files: Files, profile: Profile) -> None:
    with _storescp(_ROOT.issue(), files.folder, "-ic", _OPTIONS[profile]) as port:
        tls = files.tls(profile)
        assert await _echo(port, tls) == 0
        stream = await connect(Peer(host="127.0.0.1", port=port, tls=tls), 5)
        report = certificate_report(stream)
        await stream.close()
    assert report is not None
    assert report.names == ("localhost", "127.0.0.1")
    expected = {
        Profile.AES: ("TLSv1.2", "AES128-SHA"),
        Profile.NULL: ("TLSv1.2", "NULL-SHA"),
    }
    if profile in expected:
        assert (report.protocol, report.cipher) == expected[profile]
    elif profile is Profile.BCP195_EX:
        assert report.protocol == "TLSv1.2"
        assert report.cipher.endswith(("GCM-SHA256", "GCM-SHA384"))
    else:
        assert report.protocol == "TLSv1.3"


@pytest.mark.anyio
@pytest.mark.parametrize("profile", [Profile.RFC8996, Profile.RFC8996_MOD])
async def test_newer_profiles_with_dcmtk(files: Files, profile: Profile) -> None:
    with _storescp(_ROOT.issue(), files.folder, "-ic") as port:
        assert await _echo(port, files.tls(profile)) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("option", ["+py", "+pz"])
async def test_dcmtk_wants_our_certificate(files: Files, option: str) -> None:
    """By TLS 1.3 (`+py`) it says so after our handshake, by TLS 1.2 (`+pz`) in it."""
    with _storescp(_ROOT.issue(), files.folder, "-rc", "+cf", files.ca, option) as port:
        assert await _echo(port, files.tls(show=True)) == 0
        failed = await _fails(port, files.tls())
        assert "the peer wants a certificate of ours" in failed.text
        assert failed.established == (option == "+py")
        assert "+tls" in failed.hint
        stranger = _OTHER.issue("stranger", names=(), client=True)
        stranger.write_key(Path(files.key))
        stranger.write_certificate(Path(files.certificate))
        tls = Tls(
            ca_files=(files.ca,),
            key_file=files.key,
            certificate_file=files.certificate,
            server_name="localhost",
        )
        assert "the peer refuses our certificate" in (await _fails(port, tls)).text


@pytest.mark.anyio
async def test_dcmtks_certificate_is_not_accepted(files: Files) -> None:
    cases = {
        _OTHER.issue(): (20, "CA is unknown"),
        _ROOT.issue(ends=-0.5): (10, "expired"),
        _ROOT.issue(starts=1): (9, "not valid before"),
        self_signed(): (18, "self-signed"),
    }
    for identity, (code, text) in cases.items():
        with _storescp(identity, files.folder, "-ic") as port:
            failed = await _fails(port, files.tls())
            assert text in failed.text
            assert failed.verify_code == code
            # findscu says less, and the same number.
            assert _findscu_fails(port, "+tla", "+cf", files.ca) == failed.openssl_code == 0x86
    with _storescp(_ROOT.issue(names=("pacs.invented.example",)), files.folder, "-ic") as port:
        assert "but for pacs.invented.example" in (await _fails(port, files.tls())).text


@pytest.mark.anyio
async def test_short_keys_and_revocation(files: Files) -> None:
    short = _ROOT.issue(key=rsa_key("short", 1024))
    with _storescp(short, files.folder, "-ic") as port:
        assert await _echo(port, files.tls(Profile.BCP195_ND)) == 0
        assert "key is too short" in (await _fails(port, files.tls())).text
        crl = _ROOT.write_crl(files.folder / "crl", short)
        tls = Tls(ca_files=(files.ca,), crl_files=(crl,), profile=Profile.BCP195_ND)
        failed = await _fails(port, tls)
        assert "revoked" in failed.text
        theirs = _findscu_fails(port, "+tla", "+cf", files.ca, "+crl", crl)
        assert theirs == failed.openssl_code


@pytest.mark.anyio
async def test_nothing_in_common_with_dcmtk(files: Files) -> None:
    with _storescp(_ROOT.issue(), files.folder, "-ic", "+pn") as port:
        failed = await _fails(port, files.tls(Profile.BCP195_EX))
        assert "share no cipher suite" in failed.text
        theirs = _findscu_fails(port, "+tla", "+cf", files.ca, "+pz")
        assert theirs == failed.openssl_code == 0x410


@pytest.mark.anyio
async def test_dcmtk_without_tls_resets_the_connection(files: Files) -> None:
    with _storescp(None, files.folder) as port:
        failed = await _fails(port, files.tls())
        assert "reset the connection in the TLS handshake" in failed.text
        assert "a TLS port" in failed.hint
        # OpenSSL has no reason for that: findscu tells of a failed system call.
        assert failed.openssl_code is None
        assert _findscu_fails(port, "+tla", "+cf", files.ca) == 0x17


@pytest.mark.anyio
async def test_plain_tcp_to_dcmtks_tls_port_ends_in_an_error_with_a_name(files: Files) -> None:
    with _storescp(_ROOT.issue(), files.folder, "-ic") as port:
        with pytest.raises(PeerError):
            await _echo(port, None)
        assert await _echo(port, files.tls()) == 0


# C-FIND.


@contextmanager
def _orthanc(archive: Archive, files: Files, *, wanted: bool) -> Iterator[int]:
    """Orthanc by TLS, holding two studies; `wanted` has it ask for our certificate."""
    place = files.folder / "orthanc"
    place.mkdir()
    identity = _ROOT.issue()
    port = free_port()
    settings = {
        "DicomAet": ORTHANC_AET,
        "DicomPort": port,
        "HttpPort": free_port(),
        "RemoteAccessAllowed": False,
        "StorageDirectory": str(place),
        "IndexDirectory": str(place),
        "TemporaryDirectory": str(place),
        "Plugins": [],
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": identity.write_certificate(place / "server.pem"),
        "DicomTlsPrivateKey": identity.write_key(place / "server.key"),
        "DicomTlsTrustedCertificates": files.ca,
        "DicomTlsRemoteCertificateRequired": wanted,
    }
    configuration, log = place / "orthanc.json", place / "log"
    configuration.write_text(json.dumps(settings))
    with running([program("Orthanc"), "--verbose", configuration], log):
        _listens(port, log)
        run_program(
            "storescu", "-q", "+tls", files.key, files.certificate, "+cf", files.ca,
            "-aec", ORTHANC_AET, "127.0.0.1", str(port),
            *(file for file in archive.files if _study(archive, file) in _two(archive)),
        )  # fmt: skip
        yield port


def _two(archive: Archive) -> list[str]:
    return [str(study.StudyInstanceUID) for study in archive.studies[:2]]


def _study(archive: Archive, file: Path) -> str:
    return str(archive.instances[archive.files.index(file)].StudyInstanceUID)


async def _studies(peer: Peer) -> list[str]:
    query = make_query("study", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"])
    found = []
    async with associate(peer, ["study"]) as association:
        async for match in association.find(query):
            text = bytes(match.identifier).split(b"\x0d\x00UI", 1)[1]
            length = int.from_bytes(text[:2], "little")
            found.append(text[2 : 2 + length].rstrip(b"\0").decode())
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("wanted", [False, True])
async def test_orthanc_answers_by_tls(files: Files, archive: Archive, wanted: bool) -> None:
    with _orthanc(archive, files, wanted=wanted) as port:
        for profile in (Profile.RFC8996, Profile.BCP195_ND, Profile.BCP195_EX):
            tls = files.tls(profile, show=wanted)
            peer = Peer(host="localhost", port=port, called=ORTHANC_AET, tls=tls)
            assert sorted(await _studies(peer)) == sorted(_two(archive))
        if wanted:
            assert "wants a certificate of ours" in (await _fails(port, files.tls())).text
        with pytest.raises(TlsFailed, match=r"not for 'ris\.example' but for localhost"):
            await connect(
                Peer(
                    host="127.0.0.1",
                    port=port,
                    tls=Tls(ca_files=(files.ca,), server_name="ris.example"),
                ),
                5,
            )


async def _forward(stream: Stream, to: Peer) -> None:
    """Bytes of one connection to and from another, until both have ended."""
    behind = await connect(to, 5)

    async def copy(source: Stream, target: Stream) -> None:
        while data := await source.receive():
            await target.send(data)
        await target.close()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(copy, stream, behind)
            tasks.start_soon(copy, behind, stream)
    finally:
        stream.abort()
        behind.abort()


@pytest.mark.anyio
@pytest.mark.parametrize("profile", _OPTIONS)
async def test_findscu_and_asyncfind_at_our_acceptor(
    files: Files, dcmqrscp_server: Server, archive: Archive, profile: Profile
) -> None:
    """DCMTK's archive behind our acceptor of TLS, which wants certificates of both."""
    suites = "AES128-SHA:NULL-SHA:" if profile in (Profile.AES, Profile.NULL) else ""
    context = server(
        _ROOT.issue(), files.folder, ciphers=f"{suites}DEFAULT:@SECLEVEL=0", clients=_ROOT
    )
    archived = Peer(host=dcmqrscp_server.host, port=dcmqrscp_server.port)
    async with anyio.create_task_group() as tasks:
        handler = partial(_forward, to=archived)
        port = await tasks.start(partial(serve, tls=context), handler, "127.0.0.1", 0)
        done = await anyio.run_process(
            [
                program("findscu"), "-v", "-S", "-aec", dcmqrscp_server.aet,
                "+tls", files.key, files.certificate, "+cf", files.ca, _OPTIONS[profile],
                "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID",
                "127.0.0.1", str(port),
            ],
            env=environment(),
            check=False,
        )  # fmt: skip
        peer = Peer(
            host="127.0.0.1",
            port=port,
            called=dcmqrscp_server.aet,
            tls=files.tls(profile, show=True),
        )
        ours = await _studies(peer)
        tasks.cancel_scope.cancel()
    assert done.returncode == 0, done.stderr
    theirs = re.findall(r"\(0020,000d\) UI \[([0-9.]+)", done.stderr.decode())
    expected: Sequence[str] = [str(study.StudyInstanceUID) for study in archive.studies]
    assert Counter(ours) == Counter(expected)
    assert Counter(theirs) == Counter(expected)
