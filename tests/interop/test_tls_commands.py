"""TLS between our commands and programs of others: Orthanc, DCMTK's tools, OpenSSL's files."""

import json
import re
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
from certificates import Authority, Identity, self_signed, server
from commands import Run, command, open_hall, run
from servers import ORTHANC_AET, Archive, Server
from servers.process import environment, free_port, program, run_program, running, tail

from asyncfind.net.transport import Stream, connect
from asyncfind.plan import Peer

_ROOT: Final = Authority()
_OTHER: Final = Authority("Another Root CA")
_OURS: Final = _ROOT.issue("us", names=(), client=True)
_GOOD: Final = _ROOT.issue(ends=60)
_STUDIES: Final = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
_STARTING: Final = 20.0


class Files:
    """A CA, and a key and certificate of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = _ROOT.write(folder / "ca.pem")
        self.key = _OURS.write_key(folder / "us.key")
        self.certificate = _OURS.write_certificate(folder / "us.pem")
        self.trust = ("+tla", "+cf", self.ca)
        self.show = ("+tls", self.key, self.certificate, "+cf", self.ca)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def _answers(port: int, log: Path, *trust: str) -> None:
    """Wait until a server answers, by our own echo."""
    deadline = time.monotonic() + _STARTING
    while run("echo", *trust, f"127.0.0.1:{port}").returncode != 0:
        assert time.monotonic() < deadline, tail(log.read_bytes())


@contextmanager
def _storescp(
    identity: Identity, files: Files, *arguments: str, profile: str = "+pg"
) -> Iterator[str]:
    """DCMTK's storage SCP, which answers C-ECHO too.

    Args:
        profile: by which it can be asked.
    """
    place = files.folder / "storescp"
    place.mkdir()
    key = identity.write_key(place / "server.key")
    line = ["+tls", key, identity.write_certificate(place / "server.pem"), *arguments]
    port, log = free_port(), place / "log"
    with running([program("storescp"), "-v", *line, "-od", str(place), str(port)], log):
        _answers(port, log, *files.show[:3], "-ic", profile)
        yield f"127.0.0.1:{port}"


@contextmanager
def _orthanc(archive: Archive, files: Files, *, wanted: bool) -> Iterator[str]:
    """Orthanc by TLS with the first two studies; `wanted` has it ask for our certificate."""
    place = files.folder / "orthanc"
    place.mkdir()
    port, log = free_port(), place / "log"
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
        "DicomTlsCertificate": _GOOD.write_certificate(place / "server.pem"),
        "DicomTlsPrivateKey": _GOOD.write_key(place / "server.key"),
        "DicomTlsTrustedCertificates": files.ca,
        "DicomTlsRemoteCertificateRequired": wanted,
    }
    (place / "orthanc.json").write_text(json.dumps(settings))
    with running([program("Orthanc"), "--verbose", place / "orthanc.json"], log):
        _answers(port, log, "-aec", ORTHANC_AET, *files.show)
        two = _two(archive)
        run_program(
            "storescu", "-q", *files.show, "-aec", ORTHANC_AET, "127.0.0.1", str(port),
            *(file for file, instance in zip(archive.files, archive.instances, strict=True)
              if str(instance.StudyInstanceUID) in two),
        )  # fmt: skip
        yield str(port)


def _two(archive: Archive) -> list[str]:
    return [str(study.StudyInstanceUID) for study in archive.studies[:2]]


def _found(done: Run) -> list[str]:
    """Study Instance UIDs in the answers as text."""
    return re.findall(r"\(0020,000d\) UI \[([0-9.]+)", done.stdout)


@pytest.mark.parametrize("wanted", [False, True])
def test_orthanc_is_asked_by_tls(files: Files, archive: Archive, wanted: bool) -> None:
    with _orthanc(archive, files, wanted=wanted) as port:
        line = (*_STUDIES, "-aec", ORTHANC_AET, "localhost", port)
        for profile in ("+pg", "+pm", "+py", "+pz", "+px"):
            done = run(*line, *(files.show if wanted else files.trust), profile, "-v")
            assert done.returncode == 0, done.stderr
            assert sorted(_found(done)) == sorted(_two(archive))
            assert "certificate of O=Invented Hospital, CN=localhost" in done.stderr
        done = run(*line, *files.trust)
        assert done.returncode == (2 if wanted else 0)
        assert ("the peer wants a certificate of ours" in done.stderr) == wanted
        done = run(*line, *files.show, "--tls-server-name", "ris.example")
        assert done.returncode == 2
        assert "not for 'ris.example' but for localhost, 127.0.0.1" in done.stderr
        done = run(*line, *files.show, "--tls-server-name", "ris.example", "--no-verify-hostname")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", ["+py", "+px", "+pz", "+pa", "+pn"])
def test_echo_with_each_profile_of_dcmtk(files: Files, option: str) -> None:
    with _storescp(_GOOD, files, "-ic", option, profile=option) as node:
        done = run("echo", *files.trust, option, node, "--format", "ndjson")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "0000"


@pytest.mark.parametrize("option", ["+py", "+pz"])
def test_dcmtk_wants_our_certificate(files: Files, option: str) -> None:
    with _storescp(_GOOD, files, "-rc", "+cf", files.ca, option) as node:
        assert run("echo", *files.show, node).returncode == 0
        done = run("echo", *files.trust, node)
        assert done.returncode == 2
        assert "the peer wants a certificate of ours" in done.stderr
        assert "Give our key and certificate with +tls." in done.stderr


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (_OTHER.issue(), "its CA is unknown"),
        (_ROOT.issue(ends=-0.5), "it expired on"),
        (_ROOT.issue(starts=1), "it is not valid before"),
        (self_signed(), "it is self-signed"),
        (_ROOT.issue(names=("pacs.invented.example",)), "but for pacs.invented.example"),
    ],
)
def test_certificates_of_dcmtk_that_are_refused(
    files: Files, identity: Identity, words: str
) -> None:
    with _storescp(identity, files, "-ic") as node:
        done = run("echo", *files.trust, node)
        assert (done.returncode, done.stderr.count(words)) == (2, 1)
        done = run("echo", "+tla", "-ic", node)
        assert done.returncode == 0
        assert "-ic: the archive's certificate is not verified" in done.stderr


def test_files_that_openssl_makes(files: Files) -> None:
    """Keys and certificates as administrators make them."""
    place = files.folder

    def openssl(*arguments: str) -> None:
        subprocess.run([program("openssl"), *arguments], cwd=place, check=True, capture_output=True)

    openssl("rsa", "-in", "us.key", "-aes256", "-passout", "pass:sesame", "-out", "old.key",
            "-traditional")  # fmt: skip
    openssl("pkcs8", "-in", "us.key", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:sesame",
            "-out", "new.key")  # fmt: skip
    openssl("pkcs8", "-in", "us.key", "-topk8", "-outform", "DER", "-passout", "pass:sesame",
            "-out", "us.key.der")  # fmt: skip
    openssl("x509", "-in", "us.pem", "-outform", "DER", "-out", "us.der")
    openssl("x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der")
    openssl("pkcs12", "-export", "-inkey", "us.key", "-in", "us.pem", "-certfile", "ca.pem",
            "-passout", "pass:sesame", "-out", "us.p12")  # fmt: skip
    (place / "trusted").mkdir()
    (place / "trusted" / "ca.pem").write_bytes((place / "ca.pem").read_bytes())
    openssl("rehash", "trusted")
    phrase = ("+pw", "sesame")
    with _storescp(_GOOD, files, "-rc", "+cf", files.ca) as node:
        for line in (
            ("+tls", "old.key", "us.pem", "+cf", "ca.pem", *phrase),
            ("+tls", "new.key", "us.pem", "+cd", "trusted", *phrase),
            ("+tls", "us.key.der", "us.der", "-der", "+cf", "ca.der", *phrase),
            ("--tls-p12", "us.p12", "+cf", "ca.pem", *phrase),
        ):
            done = run("echo", *line, node, cwd=place)
            assert done.returncode == 0, done.stderr


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


def test_dcmqrscp_behind_tls_gives_findscu_and_us_the_same(
    files: Files, dcmqrscp_server: Server, archive: Archive
) -> None:
    context = server(_GOOD, files.folder, clients=_ROOT)
    behind = Peer(host=dcmqrscp_server.host, port=dcmqrscp_server.port)
    with open_hall() as hall:
        port = hall.handle(partial(_forward, to=behind), tls=context)
        line = (*_STUDIES, "-aec", dcmqrscp_server.aet, *files.show, "127.0.0.1", port)
        ours = run(*line)
        theirs = _findscu(line)
        emulated = subprocess.run(
            command("findscu", *line), capture_output=True, text=True, check=False, timeout=60
        )
    assert (ours.returncode, theirs.returncode, emulated.returncode) == (0, 0, 0)
    expected = Counter(str(study.StudyInstanceUID) for study in archive.studies)
    assert Counter(_found(ours)) == expected
    for other in (theirs, emulated):
        assert Counter(re.findall(r"\(0020,000d\) UI \[([0-9.]+)", other.stderr)) == expected


def _findscu(line: Sequence[str]) -> Run:
    return subprocess.run(
        [program("findscu"), *line],
        capture_output=True, text=True, env=environment(), check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("wanted", [False, True])
def test_findscu_asks_our_archive_by_tls(files: Files, wanted: bool) -> None:
    key = _GOOD.write_key(files.folder / "pacs.key")
    certificate = _GOOD.write_certificate(files.folder / "pacs.pem")
    line = ["archive", "--port", "0", "--studies", "7", "--tls-key", key, "--tls-cert", certificate]
    line += ["--tls-ca", files.ca] if wanted else []
    with subprocess.Popen(command(*line), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"port (\d+) by TLS;", process.stderr.readline())
            assert found is not None
            asked = (*_STUDIES, "-aec", "ARCHIVE")
            done = _findscu((*asked, *files.show, "127.0.0.1", found[1]))
            assert done.returncode == 0, done.stderr
            assert done.stderr.count("StudyInstanceUID") == 7
            done = _findscu((*asked, *files.trust, "127.0.0.1", found[1]))
            assert (done.returncode == 0) == (not wanted)
            done = _findscu((*asked, "127.0.0.1", found[1]))
            assert done.returncode == 2
        finally:
            process.terminate()
