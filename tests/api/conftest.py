"""Servers shared by the tests of this folder: starting one takes longer than most tests."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.server import DEADLINE, MakeServer, Server, server, server_factory

__all__ = ["server", "server_factory"]
TOKEN = "a-long-secret-for-tests"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for tests that don't change it for others."""
    made = Server(tmp_path_factory.mktemp("shared")).start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an access token and one foreign origin allowed."""
    env = {"GRANTHA_TOKEN": TOKEN, "GRANTHA_CORS_ORIGINS": "https://friend.example"}
    made = Server(tmp_path_factory.mktemp("guarded"), env)
    made.start(ready=False)
    until_listening(made)
    yield made
    made.close()


@pytest.fixture
async def client(shared: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shared server."""
    async with httpx.AsyncClient(base_url=shared.url, timeout=DEADLINE, verify=False) as made:
        yield made


def until_listening(made: Server) -> None:
    """Without the token, a guarded server only answers `/healthz`."""
    from tests.server import until

    def lives() -> bool:
        try:
            return made.call("GET", "/healthz").status == 200
        except OSError:
            return False

    until(lives, "the server to listen", hint=made.output)


__all__ += ["MakeServer"]
