"""A log in memory, and the dictionary."""

from io import BytesIO

import pytest

from asyncfind.findscu.dataset import Words
from asyncfind.findscu.voice import DATA, Voice
from asyncfind.logs.levels import Level
from asyncfind.logs.logger import default_logs
from asyncfind.query.dcmtk_dictionary import built_in_dictionary


class Log:
    """What DCMTK's data module says, at every level from debug on."""

    def __init__(self) -> None:
        self._stream = BytesIO()
        self.voice = Voice(default_logs(Level.DEBUG, self._stream), DATA)

    @property
    def lines(self) -> list[str]:
        """All lines so far, each behind the letter of its level."""
        return self._stream.getvalue().decode("latin_1").splitlines()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture(scope="session")
def words() -> Words:
    return Words(built_in_dictionary())
