"""Answers written to files, one by one or all in one document, and shown besides.

Files are numbered by one counter over all answers of all queries, in the order in which they are
rendered: rsp0001, rsp0002, ... without holes, beyond 9999 with more digits. No name comes twice in
a run, however many archives answer at once.

No file is replaced unless that is asked for, and none is lost in silence: the folder is looked at
before anything is sent. The first file that cannot be written ends the writing, so that what is
there has no holes; answers are still shown, and a query with one in no file is not complete.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from asyncfind.errors import InvalidRequest, Kind, MalformedIdentifier, OutputFailed
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.plan import Limits, Plan
from asyncfind.query.dcmtk_dictionary import built_in_dictionary
from asyncfind.query.dcmtk_xml import Names, readable_data_set, readable_document
from asyncfind.query.element import Item
from asyncfind.query.part10 import encode_received
from asyncfind.query.reader import read_item
from asyncfind.query.syntax import SYNTAXES, TransferSyntax
from asyncfind.records import ExitCode, Find, FindDone, Match, Record, Summary, Verdict
from asyncfind.render.answer_files import Sink, open_document, open_files
from asyncfind.render.renderer import Renderer
from asyncfind.render.tally import is_satisfied
from asyncfind.safe import safe

__all__ = ["Extracting", "Extraction", "ExtractionKind"]


class ExtractionKind(StrEnum):
    """What answers are written as."""

    DICOM = "dicom"
    """A DICOM file each: our File Meta Information, then the identifier as received."""
    XML = "xml"
    """An XML document each, in DCMTK's form."""
    XML_SINGLE = "xml-single"
    """One XML document of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """How answers are written to files.

    Args:
        directory: an existing folder, no symbolic link.
        file: the document of all answers, within `directory` unless absolute; for
            `ExtractionKind.XML_SINGLE` only. A device or FIFO is written as it is.
        limit: write this many answers only; None writes all.
        overwrite: replace files of the same names.
        show: show the answers besides.
    """

    kind: ExtractionKind
    directory: str = "."
    file: str = ""
    limit: int | None = None
    overwrite: bool = False
    show: bool = True


class Extracting:
    """A renderer: writes answers to files as `extraction` says, then lets `renderer` show them.

    Args:
        names: of attributes in XML; DCMTK's own if None.

    Raises:
        InvalidRequest: the folder or file cannot be written, or files are there already.
    """

    def __init__(
        self, extraction: Extraction, renderer: Renderer, names: Names | None = None
    ) -> None:
        self._renderer = renderer
        self._kind = extraction.kind
        self._limit = extraction.limit
        self._show = extraction.show
        self._names: Names = built_in_dictionary() if names is None else names
        self._sink = _open(extraction)
        self._max_inflated = Limits().max_identifier
        self._written = 0
        self._unsettled: list[Find] = []
        self._failure: OutputFailed | None = None
        self._missing: dict[Find, int] = {}
        """Answers that a failure has left in no file, by query."""
        self._bad: dict[Find, _Bad] = {}

    def begin(self, plan: Plan) -> None:
        """Begin the results."""
        self._max_inflated = plan.limits.max_identifier
        self._renderer.begin(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Write the matches to files, then show the records.

        Returns:
            The records as they are to be counted, without matches where these are not shown.
        """
        for record in records:
            if isinstance(record, Match):
                self._extract(record)
        self._settle()
        return self._renderer.show(
            [
                self._judged(record) if isinstance(record, FindDone) else record
                for record in records
                if self._show or not isinstance(record, Match)
            ]
        )

    def end(self, summary: Summary) -> None:
        """End the files, then the results.

        Raises:
            OutputFailed: the document of all answers cannot be published, when nothing was wrong
                until then.
        """
        failed_now = False
        if self._failure is None:
            failed_now = not self._succeeds(lambda: self._sink.finish(_remark(summary)))
        self._renderer.end(summary)
        if failed_now and self._failure is not None:
            raise self._failure

    def _extract(self, match: Match) -> None:
        if self._limit is not None and self._written >= self._limit:
            return
        if self._failure is not None:
            self._miss(match.find)
            return
        try:
            data = self._encoded(match)
        except MalformedIdentifier as exc:
            self._bad.setdefault(match.find, _Bad(exc)).count += 1
            return
        if not self._succeeds(lambda: self._sink.write(data)):
            self._miss(match.find)
            return
        self._written += 1
        self._unsettled.append(match.find)

    def _encoded(self, match: Match) -> bytes:
        """An answer as it is to be written; raises MalformedIdentifier where XML cannot hold it."""
        syntax = SYNTAXES.get(match.transfer_syntax)
        item: Item | None = None
        error: MalformedIdentifier | None = None
        if syntax is None:
            uid = match.transfer_syntax
            error = MalformedIdentifier(f"unknown transfer syntax ({safe(uid, 64)})")
            syntax = TransferSyntax(uid, uid, True, True, False)
        else:
            try:
                item = read_item(match.identifier, syntax, max_inflated=self._max_inflated)
            except MalformedIdentifier as exc:
                error = exc
        if self._kind is ExtractionKind.DICOM:
            return encode_received(
                match.identifier,
                syntax,
                item,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            )
        if item is None:
            raise error or MalformedIdentifier("nothing to write")
        if self._kind is ExtractionKind.XML:
            return readable_document(item, syntax, self._names)
        return readable_data_set(item, syntax, self._names)

    def _settle(self) -> None:
        """Make files durable before their query is called complete."""
        if self._unsettled and self._failure is None and not self._succeeds(self._sink.settle):
            for find in self._unsettled:
                self._miss(find)
        self._unsettled.clear()

    def _succeeds(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except OutputFailed as exc:
            self._failure = exc
            self._sink.abandon()
            return False
        return True

    def _miss(self, find: Find) -> None:
        self._missing[find] = self._missing.get(find, 0) + 1

    def _judged(self, done: FindDone) -> FindDone:
        """What a query has become whose answers are not all in files."""
        missing = self._missing.pop(done.find, 0)
        bad = self._bad.pop(done.find, None)
        if missing and self._failure is not None:
            failure = self._failure
            if not is_satisfied(done):
                return replace(done, error=f"{done.error}; {failure.text}")
            return replace(
                done,
                verdict=Verdict.CUT,
                kind=Kind.OUTPUT,
                error=failure.text,
                hint=f"{missing} of {done.matches} answers are in no file. {failure.hint}",
            )
        if bad is not None and is_satisfied(done):
            return replace(
                done,
                verdict=Verdict.UNDECODABLE,
                kind=bad.first.kind,
                error=f"{bad.count} of {done.matches} answers: {bad.first.text}",
                hint="Extract to DICOM files (-X), which keep their bytes.",
            )
        return done


class _Bad:
    """The answers of a query that no XML can hold: their number and what was wrong first."""

    def __init__(self, first: MalformedIdentifier) -> None:
        self.first = first
        self.count = 0


def _remark(summary: Summary) -> str:
    """Why the document of all answers does not hold all; empty where it does."""
    if summary.exit is ExitCode.INTERRUPTED:
        return "the run was interrupted"
    failed = sum(summary.failed.values())
    return f"{failed} of {summary.queries} queries not complete" if failed else ""


def _open(extraction: Extraction) -> Sink:
    if extraction.kind is ExtractionKind.XML_SINGLE:
        if not extraction.file:
            raise InvalidRequest("-Xs names no file", "Write -Xs FILE.")
        # pathlib would lose a slash at the end, which tells a folder.
        path = os.path.join(extraction.directory, extraction.file)  # noqa: PTH118
        return open_document(path, overwrite=extraction.overwrite)
    suffix = "dcm" if extraction.kind is ExtractionKind.DICOM else "xml"
    return open_files(
        extraction.directory, suffix, limit=extraction.limit, overwrite=extraction.overwrite
    )
