"""One server for the tests that leave it as it is; those that kill theirs take `server`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server import Server


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A started server with the scripted provider alone."""
    server = Server(tmp_path_factory.mktemp("shared"))
    yield server.start()
    server.close()
