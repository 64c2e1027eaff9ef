"""A machine without the libraries that llama.cpp links: the bundled one serves, or the lack is named."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from grantha.chat import Call, Options, text_message
from grantha.config import Settings
from grantha.errors import ModelNotFound
from grantha.events import Finished
from grantha.providers.local import builtin, create, openmp
from grantha.providers.local.provider import LocalProvider
from tests.server import MakeServer, until

COMMAND = "apt-get install libgomp1"
# The dynamic loader's message on a machine without the library, raised by importing the engine.
FAILURE = "libgomp.so.1: cannot open shared object file: No such file or directory"

Make = Callable[[dict[str, str]], LocalProvider]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes a provider whose processes get these variables on top of our own."""
    made: list[LocalProvider] = []

    def provider(variables: dict[str, str]) -> LocalProvider:
        settings = {"data_dir": tmp_path / "data", "variables": {**os.environ, **variables}}
        made.append(create(Settings.model_validate(settings)))
        return made[-1]

    yield provider
    for each in made:
        await each.aclose()


@pytest.fixture
def unloadable(tmp_path: Path) -> dict[str, str]:
    """Variables with which the engine can't be imported for want of a library."""
    engine = tmp_path / "engine"
    engine.mkdir()
    (engine / "xllamacpp.py").write_text(f"raise ImportError({FAILURE!r})\n")
    return {"PYTHONPATH": str(engine)}


@pytest.mark.local_model
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a library path for one process")
async def test_a_model_answers_where_the_system_has_no_openmp(make: Make, tmp_path: Path) -> None:
    hidden = tmp_path / "lib"
    hidden.mkdir()
    (hidden / openmp.LIBRARY).write_bytes(b"")  # found before the system's own, and can't be loaded
    provider = make({"LD_LIBRARY_PATH": str(hidden)})
    call = Call(builtin.NAME, (text_message("user", "Hello"),), Options(max_tokens=4))
    upstream = await provider.open(call)
    events = [event async for batch in upstream for event in batch]
    await upstream.aclose()
    assert isinstance(events[-1], Finished)
    worker = provider.worker()
    assert worker is not None
    mapped = Path(f"/proc/{worker.pid}/maps").read_text(encoding="utf-8")  # noqa: ASYNC240
    assert openmp.BUNDLED in mapped


async def test_a_missing_library_is_named_with_the_command_that_brings_it(
    make: Make, unloadable: dict[str, str]
) -> None:
    provider = make(unloadable)
    for _ in range(2):
        with pytest.raises(ModelNotFound, match=r"libgomp\.so\.1 is missing") as caught:
            await provider.warm()
        assert COMMAND in caught.value.advice
    cards = await provider.models()
    assert cards
    for readiness in (provider.readiness(), *(card.readiness for card in cards)):
        assert readiness.state == "off"
        assert openmp.LIBRARY in readiness.reason
        assert COMMAND in readiness.advice


def test_a_server_without_the_library_never_calls_its_model_ready(
    server_factory: MakeServer, unloadable: dict[str, str]
) -> None:
    server = server_factory({"GRANTHA_LOCAL_ENABLED": "1", **unloadable}).start()
    until(lambda: COMMAND in server.output(), "the log to name the command", hint=server.output)
    assert "ready: Local model" not in server.output()
    reply = server.call("GET", "/api/providers")
    local = next(card for card in reply.json()["items"] if card["name"] == "local")
    assert COMMAND in local["readiness"]["advice"]
    body = {"model": "local/default", "messages": [{"role": "user", "content": "Hello"}]}
    refused = server.call("POST", "/chat/completions/stream", body).body.decode()
    assert openmp.LIBRARY in refused
    assert COMMAND in refused


def test_missing_libraries_are_distinguished_from_other_failures() -> None:
    assert openmp.missing_library(ImportError(FAILURE)) == openmp.LIBRARY
    assert openmp.missing_library(ImportError("No module named 'xllamacpp'")) is None
    assert "libother.so.2" in openmp.how_to_install("libother.so.2")
