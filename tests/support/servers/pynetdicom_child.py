"""The program behind `pynetdicom_scp`: a C-FIND SCP by pynetdicom over files in two folders."""

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    ModalityWorklistInformationFind,
    PatientRootQueryRetrieveInformationModelFind,
    PatientStudyOnlyQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from servers.matching import InvalidIdentifier, find, find_worklist

__all__ = ["main"]

_LEVELS: Final[dict[str, tuple[str, ...]]] = {
    PatientRootQueryRetrieveInformationModelFind: ("PATIENT", "STUDY", "SERIES", "IMAGE"),
    StudyRootQueryRetrieveInformationModelFind: ("STUDY", "SERIES", "IMAGE"),
    PatientStudyOnlyQueryRetrieveInformationModelFind: ("PATIENT", "STUDY"),
}
_SYNTAXES: Final = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
]
# PS3.4 Section C.4.1.1.4.
_PENDING: Final = 0xFF00
_CANCEL: Final = 0xFE00
_DOES_NOT_MATCH_SOP_CLASS: Final = 0xA900

_Response = tuple[int | Dataset, Dataset | None]


def main(arguments: Sequence[str]) -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--aet", required=True)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--worklists", type=Path, required=True)
    parser.add_argument("--max-associations", type=int, required=True)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    instances = _read(given.archive.glob("*.dcm"))
    entries = _read(given.worklists.glob("*/*.wl"))

    def answer(event: evt.Event) -> Iterator[_Response]:
        model = event.request.AffectedSOPClassUID
        identifier = event.identifier
        if model == ModalityWorklistInformationFind:
            matches = find_worklist(entries, identifier)
        else:
            matches = find(instances, identifier, _LEVELS[model])
        try:
            for match in matches:
                if event.is_cancelled:
                    yield _CANCEL, None
                    return
                if model != ModalityWorklistInformationFind:
                    match.RetrieveAETitle = given.aet
                yield _PENDING, match
        except InvalidIdentifier as exc:
            status = Dataset()
            status.Status = _DOES_NOT_MATCH_SOP_CLASS
            status.ErrorComment = str(exc)
            yield status, None

    ae = AE(ae_title=given.aet)
    ae.maximum_associations = given.max_associations
    ae.add_supported_context(Verification, _SYNTAXES)
    for model in (*_LEVELS, ModalityWorklistInformationFind):
        ae.add_supported_context(model, _SYNTAXES)
    ae.start_server(("127.0.0.1", given.port), evt_handlers=[(evt.EVT_C_FIND, answer)])


def _read(files: Iterable[Path]) -> list[Dataset]:
    datasets: list[Dataset] = [dcmread(file) for file in sorted(files)]
    for dataset in datasets:
        # pydicom decodes at the first access, which may come from several associations at once.
        dataset.decode()
    return datasets


if __name__ == "__main__":
    main(sys.argv[1:])
