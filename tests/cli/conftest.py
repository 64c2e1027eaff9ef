"""One server for the tests that leave it as it is; those that kill theirs take `server`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server import Server


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stops what a test left running on the shared server.

    An answer that ends makes its conversation the latest one, which is what `-c` continues.
    """
    yield
    if "shared" not in request.fixturenames:
        return
    server: Server = request.getfixturevalue("shared")
    rows = server.call("GET", "/api/conversations?origin=all&limit=50").expect(200)["items"]
    for row in rows:
        if row["status"] == "running":
            server.call("POST", f"/api/generations/{row['generation']}/stop")


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A started server with the scripted provider alone."""
    server = Server(tmp_path_factory.mktemp("shared"))
    yield server.start()
    server.close()
