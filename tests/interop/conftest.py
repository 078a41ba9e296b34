"""One of each real server for the whole session, and their logs beside a failure."""

from collections.abc import Generator, Iterator

import pytest
from pydicom.dataset import Dataset
from servers import (
    Archive,
    Server,
    dcmqrscp,
    invent_worklists,
    orthanc,
    pynetdicom_scp,
    wlmscpfs,
    write_archive,
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the log of every server a failed test had; all of it stays in its file."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for value in item.funcargs.values():
            if isinstance(value, Server):
                title = f"{value.name}, from the end of {value.log}"
                report.sections.append((title, value.log_tail()))
    return report


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The invented studies: 20 patients, 40 studies, 80 series, 160 instances."""
    return write_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="session")
def worklists() -> dict[str, tuple[Dataset, ...]]:
    """The invented worklists by AE title, with 12, 7, 1 and no entries."""
    return invent_worklists()


@pytest.fixture(scope="session")
def dcmqrscp_server(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """DCMTK's archive: Patient Root, Study Root, Patient/Study Only."""
    with dcmqrscp(archive, tmp_path_factory.mktemp("dcmqrscp")) as server:
        yield server


@pytest.fixture(scope="session")
def wlmscpfs_server(
    worklists: dict[str, tuple[Dataset, ...]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """DCMTK's worklist server; `Server.called` chooses among its worklists."""
    with wlmscpfs(worklists, tmp_path_factory.mktemp("wlmscpfs")) as server:
        yield server


@pytest.fixture(scope="session")
def orthanc_server(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Orthanc without limits: Patient Root, Study Root."""
    with orthanc(archive, tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="session")
def pynetdicom_server(
    archive: Archive,
    worklists: dict[str, tuple[Dataset, ...]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A pynetdicom SCP: all four models, strictly hierarchical."""
    with pynetdicom_scp(archive, worklists, tmp_path_factory.mktemp("pynetdicom")) as server:
        yield server
