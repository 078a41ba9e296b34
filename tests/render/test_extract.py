"""Answers in files: none replaced, none lost in silence."""

import errno
import os
import stat
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from asyncfind.errors import InvalidRequest, Kind, OutputFailed
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.plan import Limits, Plan
from asyncfind.records import ExitCode, Find, FindDone, Match, Note, Record, Summary, Verdict
from asyncfind.render.extract import Extracting, Extraction, ExtractionKind
from asyncfind.render.output import discard_unpublished
from asyncfind.render.tally import Tally

_DICOM, _XML, _SINGLE = ExtractionKind.DICOM, ExtractionKind.XML, ExtractionKind.XML_SINGLE


class _Shown:
    """A renderer that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.begun: list[Plan] = []
        self.ended: list[Summary] = []

    def begin(self, plan: Plan) -> None:
        self.begun.append(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        self.records += records
        return records

    def end(self, summary: Summary) -> None:
        self.ended.append(summary)


@pytest.fixture
def shown() -> _Shown:
    return _Shown()


def _extraction(kind: ExtractionKind, folder: Path, **more: object) -> Extraction:
    file = "all.xml" if kind is _SINGLE else ""
    return replace(Extraction(kind=kind, directory=str(folder), file=file), **more)  # type: ignore[arg-type]  # fields by name


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _full(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let the disk be full from the n-th file on."""
    fsync = os.fsync
    files = 0

    def full(descriptor: int) -> None:
        nonlocal files
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            files += 1
            if files > after:
                raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)


def test_dicom_files_hold_the_bytes_received(
    tmp_path: Path, shown: _Shown, match: Callable[..., Match], plan: Plan, study: bytes
) -> None:
    renderer = Extracting(_extraction(_DICOM, tmp_path), shown)
    renderer.begin(plan)
    records = [match(study), match(b"no data set", 2)]
    assert renderer.show(records) == records
    assert shown.records == records
    assert _names(tmp_path) == ["rsp0001.dcm", "rsp0002.dcm"]
    first = (tmp_path / "rsp0001.dcm").read_bytes()
    assert first.endswith(study)
    meta = dcmread(BytesIO(first)).file_meta
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert (tmp_path / "rsp0002.dcm").read_bytes().endswith(b"no data set")
    assert stat.S_IMODE((tmp_path / "rsp0001.dcm").stat().st_mode) == 0o600


def test_a_syntax_that_we_do_not_know_is_kept_too(
    tmp_path: Path, shown: _Shown, match: Callable[..., Match], plan: Plan
) -> None:
    renderer = Extracting(_extraction(_DICOM, tmp_path), shown)
    renderer.begin(plan)
    renderer.show([match(b"\1\2", syntax="1.2.3")])
    file = (tmp_path / "rsp0001.dcm").read_bytes()
    assert file.endswith(b"\1\2")
    assert b"\x02\0\x10\0UI\x06\x001.2.3\0" in file


def test_xml_files_can_be_read(
    tmp_path: Path, shown: _Shown, match: Callable[..., Match], plan: Plan, study: bytes
) -> None:
    renderer = Extracting(_extraction(_XML, tmp_path), shown)
    renderer.begin(plan)
    renderer.show([match(study)])
    root = ET.fromstring((tmp_path / "rsp0001.xml").read_bytes())
    assert {one.get("name"): one.text for one in root}["PatientName"] == "DOE^JOHN"


def test_all_answers_are_one_document_that_appears_at_the_end(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    summary: Summary,
    study: bytes,
) -> None:
    renderer = Extracting(_extraction(_SINGLE, tmp_path), shown)
    renderer.begin(plan)
    renderer.show([match(study), match(study, 2), done(matches=2)])
    assert "all.xml" not in _names(tmp_path)
    renderer.end(summary)
    assert _names(tmp_path) == ["all.xml"]
    text = (tmp_path / "all.xml").read_bytes()
    assert [one.tag for one in ET.fromstring(text)] == ["data-set"] * 2
    assert b"incomplete" not in text
    assert stat.S_IMODE((tmp_path / "all.xml").stat().st_mode) == 0o600
    assert shown.ended == [summary]


@pytest.mark.parametrize(
    ("code", "failed", "remark"),
    [
        (ExitCode.INTERRUPTED, {}, b"<!-- incomplete: the run was interrupted -->\n"),
        (
            ExitCode.INCOMPLETE,
            {Verdict.TIMEOUT: 1},
            b"<!-- incomplete: 1 of 1 queries not complete -->\n",
        ),
    ],
)
def test_a_document_that_does_not_hold_all_says_so(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    plan: Plan,
    summary: Summary,
    study: bytes,
    code: ExitCode,
    failed: dict[Verdict, int],
    remark: bytes,
) -> None:
    renderer = Extracting(_extraction(_SINGLE, tmp_path), shown)
    renderer.begin(plan)
    renderer.show([match(study)])
    renderer.end(replace(summary, exit=code, failed=failed))
    text = (tmp_path / "all.xml").read_bytes()
    assert text.endswith(b"</data-set>\n" + remark + b"</responses>\n")
    assert len(ET.fromstring(text)) == 1


def test_a_run_that_does_not_come_to_its_end_leaves_no_document(
    tmp_path: Path, shown: _Shown, match: Callable[..., Match], plan: Plan, study: bytes
) -> None:
    renderer = Extracting(_extraction(_SINGLE, tmp_path), shown)
    renderer.begin(plan)
    renderer.show([match(study)])
    discard_unpublished()
    assert _names(tmp_path) == []


def test_numbers_run_on_over_all_queries_and_batches(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
) -> None:
    other = Find(plan.peers[0], plan.queries[0], 2, 1)
    renderer = Extracting(_extraction(_DICOM, tmp_path), shown)
    renderer.begin(plan)
    renderer.show([match(study), match(b"B1", of=other), match(b"A2", 2)])
    renderer.show([done(matches=2), match(b"B2", 2, of=other), done(of=other, matches=2)])
    ends = [(tmp_path / f"rsp000{number}.dcm").read_bytes()[-2:] for number in (1, 2, 3, 4)]
    assert ends == [study[-2:], b"B1", b"A2", b"B2"]
    assert all(
        one.verdict is Verdict.COMPLETE for one in shown.records if isinstance(one, FindDone)
    )


def test_numbers_have_as_many_digits_as_they_need(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    renderer = Extracting(_extraction(_DICOM, tmp_path), shown)
    renderer.begin(plan)
    renderer.show([match(b"", number) for number in range(1, 10_002)])
    names = _names(tmp_path)
    assert len(names) == 10_001
    assert {"rsp9999.dcm", "rsp10000.dcm", "rsp10001.dcm"} <= set(names)


@pytest.mark.parametrize("kind", [_DICOM, _XML])
def test_a_limit_is_no_failure(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
    kind: ExtractionKind,
) -> None:
    renderer = Extracting(_extraction(kind, tmp_path, limit=2), shown)
    renderer.begin(plan)
    counted = renderer.show([*[match(study, number) for number in (1, 2, 3)], done(matches=3)])
    assert len(_names(tmp_path)) == 2
    assert counted[-1] == done(matches=3)


def test_answers_may_be_hidden_and_are_counted_all_the_same(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
) -> None:
    renderer = Extracting(_extraction(_DICOM, tmp_path, show=False), shown)
    renderer.begin(plan)
    note = Note(plan.peers[0], "something")
    counted = renderer.show([match(study), note, done()])
    assert shown.records == [note, done()]
    tally = Tally(plan)
    tally.add(counted)
    assert tally.summary(seconds=1.0, interrupted=False).matches == 1
    assert _names(tmp_path) == ["rsp0001.dcm"]


# --- before anything is sent ---


def _refused(extraction: Extraction, shown: _Shown) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        Extracting(extraction, shown)
    return caught.value


@pytest.mark.parametrize("kind", ExtractionKind)
def test_a_folder_that_is_missing_or_none(
    tmp_path: Path, shown: _Shown, kind: ExtractionKind
) -> None:
    error = _refused(_extraction(kind, tmp_path / "missing"), shown)
    assert "missing" in error.text
    assert error.text.endswith("No such file or directory")
    assert "--output-directory" in error.hint
    (tmp_path / "file").write_bytes(b"")
    assert _refused(_extraction(kind, tmp_path / "file"), shown).text.endswith("Not a directory")
    assert "null" in _refused(_extraction(kind, Path("a\0b")), shown).text
    assert _names(tmp_path) == ["file"]


@pytest.mark.parametrize("kind", ExtractionKind)
def test_a_folder_that_cannot_be_written(
    tmp_path: Path, shown: _Shown, kind: ExtractionKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def read_only(path: str, flags: int, *mode: int, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EROFS, "Read-only file system")
        return opened(path, flags, *mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", read_only)
    error = _refused(_extraction(kind, tmp_path), shown)
    assert error.text.endswith("Read-only file system")


@pytest.mark.parametrize("kind", ExtractionKind)
def test_a_folder_that_is_a_symbolic_link(
    tmp_path: Path, shown: _Shown, kind: ExtractionKind
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    error = _refused(_extraction(kind, tmp_path / "link"), shown)
    assert error.text.endswith("link is a symbolic link")
    assert _names(tmp_path / "real") == []


@pytest.mark.parametrize(
    ("kind", "name"), [(_DICOM, "rsp0001.dcm"), (_XML, "rsp0017.xml"), (_SINGLE, "all.xml")]
)
def test_files_that_are_there_already(
    tmp_path: Path, shown: _Shown, kind: ExtractionKind, name: str
) -> None:
    (tmp_path / name).write_bytes(b"precious")
    error = _refused(_extraction(kind, tmp_path), shown)
    assert error.text == f"{tmp_path / name} exists"
    assert "--extract-overwrite" in error.hint
    assert (tmp_path / name).read_bytes() == b"precious"
    assert _names(tmp_path) == [name]


def test_files_that_are_in_nobody_s_way(tmp_path: Path, shown: _Shown) -> None:
    for name in ("rsp0001.xml", "rsp3.dcm", "rsp0003.dcm", "xrsp0001.dcm", "rsp0001.dcm.bak"):
        (tmp_path / name).write_bytes(b"")
    Extracting(_extraction(_DICOM, tmp_path, limit=2), shown)
    assert _refused(_extraction(_DICOM, tmp_path, limit=3), shown).text.endswith(
        "rsp0003.dcm exists"
    )


@pytest.mark.parametrize("file", ["", "folder/", "folder"])
def test_a_document_needs_the_name_of_a_file(tmp_path: Path, shown: _Shown, file: str) -> None:
    (tmp_path / "folder").mkdir()
    error = _refused(_extraction(_SINGLE, tmp_path, file=file, overwrite=True), shown)
    assert "-Xs" in error.hint


# --- while answers come ---


@pytest.mark.parametrize(
    ("kind", "name"), [(_DICOM, "rsp0001.dcm"), (_XML, "rsp0001.xml"), (_SINGLE, "all.xml")]
)
def test_overwriting_replaces_links_and_does_not_follow_them(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    plan: Plan,
    summary: Summary,
    study: bytes,
    kind: ExtractionKind,
    name: str,
) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / name).symlink_to("target")
    renderer = Extracting(_extraction(kind, tmp_path, overwrite=True), shown)
    renderer.begin(plan)
    renderer.show([match(study)])
    renderer.end(summary)
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / name).is_symlink()
    assert _names(tmp_path) == sorted(["target", name])


def test_a_file_that_appeared_meanwhile_is_not_replaced(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
) -> None:
    renderer = Extracting(_extraction(_DICOM, tmp_path), shown)
    renderer.begin(plan)
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "rsp0002.dcm").symlink_to("target")
    records: list[Record] = [
        *(match(study, number) for number in (1, 2, 3)),
        done(matches=3),
    ]
    counted = renderer.show(records)
    assert shown.records[:3] == records[:3]
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert _names(tmp_path) == ["rsp0001.dcm", "rsp0002.dcm", "target"]
    ended = counted[-1]
    assert isinstance(ended, FindDone)
    assert ended.verdict is Verdict.CUT
    assert ended.kind is Kind.OUTPUT
    assert ended.error == f"{tmp_path / 'rsp0002.dcm'} exists"
    assert ended.hint.startswith("2 of 3 answers are in no file. Use --extract-overwrite")


def test_a_full_disk_is_said_once_and_the_answers_are_still_shown(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds = [Find(plan.peers[0], plan.queries[0], 1, ordinal) for ordinal in range(4)]
    renderer = Extracting(_extraction(_DICOM, tmp_path), shown)
    renderer.begin(plan)
    _full(monkeypatch, after=2)
    counted: list[Record] = [
        *renderer.show([match(study, of=finds[0]), match(study, of=finds[1])]),
        *renderer.show([done(of=finds[0]), match(study, 2, of=finds[1])]),
    ]
    monkeypatch.undo()  # there is room again, but what is written has no holes
    counted += renderer.show([match(study, 3, of=finds[1]), done(of=finds[1], matches=3)])
    broken = done(Verdict.TIMEOUT, of=finds[2], error="no answer", kind=Kind.TIMEOUT)
    counted += renderer.show([match(study, of=finds[2]), broken, done(of=finds[3], matches=0)])
    assert counted == shown.records
    assert sum(isinstance(one, Match) for one in counted) == 5
    assert _names(tmp_path) == ["rsp0001.dcm", "rsp0002.dcm"]
    ends = [one for one in counted if isinstance(one, FindDone)]
    error = f"cannot write {tmp_path / 'rsp0003.dcm'}: No space left on device"
    assert [one.verdict for one in ends] == [
        *(Verdict.COMPLETE, Verdict.CUT, Verdict.TIMEOUT, Verdict.COMPLETE)
    ]
    assert (ends[1].error, ends[1].kind) == (error, Kind.OUTPUT)
    assert ends[1].hint.startswith("2 of 3 answers are in no file. Free some space")
    assert (ends[2].error, ends[2].kind) == (f"no answer; {error}", Kind.TIMEOUT)
    tally = Tally(plan)
    tally.add(counted)
    assert tally.summary(seconds=1.0, interrupted=False).failed == {
        Verdict.CUT: 1,
        Verdict.TIMEOUT: 1,
    }


def test_a_file_that_cannot_even_be_begun(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renderer = Extracting(_extraction(_DICOM, tmp_path), shown)
    renderer.begin(plan)

    def open_none(*names: object, **options: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", open_none)
    (_, ended) = renderer.show([match(study), done()])
    assert isinstance(ended, FindDone)
    assert ended.error == f"cannot write {tmp_path / 'rsp0001.dcm'}: Too many open files"


def test_names_that_are_not_durable_are_not_complete(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renderer = Extracting(_extraction(_DICOM, tmp_path), shown)
    renderer.begin(plan)
    fsync = os.fsync

    def broken(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", broken)
    (_, ended) = renderer.show([match(study), done()])
    assert isinstance(ended, FindDone)
    assert ended.error == f"cannot write {tmp_path}: Input/output error"
    assert ended.verdict is Verdict.CUT


def test_a_document_that_cannot_take_more_is_no_document(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    summary: Summary,
    study: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fdopen = os.fdopen

    class Full(BytesIO):
        def __init__(self, descriptor: int) -> None:
            super().__init__()
            self._file = fdopen(descriptor, "wb")

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            self._file.close()

    monkeypatch.setattr(os, "fdopen", lambda descriptor, mode, buffering: Full(descriptor))
    renderer = Extracting(_extraction(_SINGLE, tmp_path), shown)
    renderer.begin(plan)
    (_, ended) = renderer.show([match(study), done()])
    assert isinstance(ended, FindDone)
    assert ended.error == f"cannot write {tmp_path / 'all.xml'}: No space left on device"
    renderer.end(summary)
    assert shown.ended == [summary]
    assert _names(tmp_path) == []


def test_a_document_that_cannot_be_published_is_an_error_after_the_results(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    plan: Plan,
    summary: Summary,
    study: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renderer = Extracting(_extraction(_SINGLE, tmp_path), shown)
    renderer.begin(plan)
    renderer.show([match(study)])
    _full(monkeypatch, after=0)
    with pytest.raises(OutputFailed, match=r"all\.xml: No space left on device"):
        renderer.end(summary)
    assert shown.ended == [summary]
    assert _names(tmp_path) == []


@pytest.mark.parametrize("kind", [_XML, _SINGLE])
def test_what_xml_cannot_hold_makes_a_query_undecodable(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    summary: Summary,
    study: bytes,
    kind: ExtractionKind,
) -> None:
    renderer = Extracting(_extraction(kind, tmp_path, show=False), shown)
    renderer.begin(plan)
    (ended,) = renderer.show(
        [match(b"\1\2\3", 1), match(study, 2), match(study, 3, syntax="1.2"), done(matches=3)]
    )
    assert isinstance(ended, FindDone)
    assert ended.verdict is Verdict.UNDECODABLE
    assert ended.kind is Kind.DECODE
    assert ended.error.startswith("2 of 3 answers: identifier cannot be decoded")
    assert "-X" in ended.hint
    renderer.end(summary)
    # What could be written has no holes.
    assert _names(tmp_path) == (["rsp0001.xml"] if kind is _XML else ["all.xml"])


def test_an_identifier_that_inflates_beyond_the_limit_is_not_written_as_xml(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
) -> None:
    import zlib

    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = stream.compress(bytes(100_000)) + stream.flush()
    renderer = Extracting(_extraction(_XML, tmp_path), shown)
    renderer.begin(replace(plan, limits=Limits(max_identifier=1024)))
    counted = renderer.show([match(bomb, syntax="1.2.840.10008.1.2.1.99"), done()])
    ended = counted[-1]
    assert isinstance(ended, FindDone)
    assert ended.kind is Kind.LIMIT


# --- where there are no files ---


def test_a_fifo_takes_the_document_as_it_comes(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    plan: Plan,
    summary: Summary,
    study: bytes,
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    renderer = Extracting(_extraction(_SINGLE, tmp_path, file="fifo"), shown)
    renderer.begin(plan)
    renderer.show([match(study)])
    renderer.end(summary)
    reader.join(10)
    assert len(ET.fromstring(read[0])) == 1
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_reader_that_goes_away_is_a_failure(
    tmp_path: Path,
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    renderer = Extracting(_extraction(_SINGLE, tmp_path, file="fifo"), shown)
    renderer.begin(plan)
    os.close(reader)
    (_, ended) = renderer.show([match(study), done()])
    assert isinstance(ended, FindDone)
    assert ended.error == f"cannot write {fifo}: Broken pipe"
    assert ended.verdict is Verdict.CUT


def test_a_device_is_never_renamed_over(shown: _Shown, plan: Plan, summary: Summary) -> None:
    extraction = Extraction(kind=_SINGLE, directory="nowhere", file="/dev/null")
    renderer = Extracting(extraction, shown)
    renderer.begin(plan)
    renderer.end(summary)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_device_is_said_before_or_at_the_first_answer(
    shown: _Shown,
    match: Callable[..., Match],
    done: Callable[..., FindDone],
    plan: Plan,
    study: bytes,
) -> None:
    renderer = Extracting(Extraction(kind=_SINGLE, file="/dev/full"), shown)
    renderer.begin(plan)
    (_, ended) = renderer.show([match(study), done()])
    assert isinstance(ended, FindDone)
    assert ended.error == "cannot write /dev/full: No space left on device"
