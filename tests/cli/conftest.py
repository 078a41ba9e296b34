"""What tests of the command line share."""

from collections.abc import Iterator

import pytest
from commands import Hall, open_hall


@pytest.fixture
def hall() -> Iterator[Hall]:
    """Acceptors for the commands to call."""
    with open_hall() as hall:
        yield hall
