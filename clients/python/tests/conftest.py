"""The gateway that the tests share."""

from collections.abc import Iterator

import pytest

from stage import Stage, served


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with served() as folder:
        made = Stage.of(folder)
        yield made
        made.close()
