"""One real server for the vendors' own clients, with scripts that show what each of them must bear."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import ollama
import openai
import pytest
from google import genai
from google.genai import types as genai_types

from tests.server import Server, until

TOKEN = "a-long-secret-for-tests"  # for tests only
TEXT = "# Hello\n\nNaïve café — 日本語 \U0001f600 `code`.\n"
THOUGHT = "The reader wants everything. I keep it short."
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg=="
_TOOL = {"tool": "get_weather", "arguments": {"city": "Paris"}, "call_id": "call_1"}
_CALL = {"steps": [{"text": "Let me look. "}, _TOOL, {"finish": "tool-calls"}]}
SCRIPTS: dict[str, dict[str, Any]] = {
    "everything": {
        "rate": 400,
        "steps": [
            {"reasoning": THOUGHT, "signature": "proof=="},
            {"text": TEXT, "split": "chars"},
            {"cite": "https://example.org/", "title": "A source"},
        ],
    },
    "call": _CALL,
    "think-and-call": {"steps": [{"reasoning": THOUGHT, "signature": "proof=="}, *_CALL["steps"]]},
    "filtered": {"steps": [{"text": "I would "}, {"finish": "content-filter"}]},
    "refuses": {"refuse": {"error": "RequestRefused", "message": "No such option"}},
    "limited": {
        "refuse": {"error": "RateLimited", "retry_after": 120, "message": "Too many requests"}
    },
    "too-long": {"refuse": {"error": "ContextOverflow", "message": "Too many tokens"}},
    "forbidden": {"refuse": {"error": "AccessDenied", "message": "Not for this key"}},
    "overloaded-now": {"refuse": {"error": "Overloaded", "retry_after": 120, "message": "Full"}},
    "no-credit": {"refuse": {"error": "QuotaExhausted", "message": "No credit left"}},
    "blocked": {
        "capabilities": {"prefix": False, "instruction": False},
        "steps": [{"text": "Half an "}, {"error": "ContentBlocked", "message": "The filter cut it"}],
    },
}  # fmt: skip
_names = itertools.count()


class CompatServer(Server):
    """A server, and what its log says of an answer that came through a compatible API."""

    def gated(self, text: str = TEXT) -> tuple[str, Callable[[int | str], None]]:
        """A model that writes as many characters as it is allowed, and what allows them."""
        name = f"gated-{next(_names)}"
        model = self.script(
            name, {"gate": f"{name}.gate", "steps": [{"text": text, "split": "chars"}]}
        )
        return model, lambda chunks: self.allow(f"{name}.gate", chunks)

    def located(self, location: str) -> str:
        """The generation that a `Location` header names."""
        return location.removeprefix("/api/generations/").removesuffix("/events")

    def assert_said(self, location: str, text: str) -> dict[str, Any]:
        """The answer has ended, and its hash is that of the text that a client has."""
        found = self.ended(self.located(location))
        assert found["end"]["sha256"] == hashlib.sha256(text.encode()).hexdigest()
        assert found["end"]["text_length"] == len(text)
        return found

    def newest(self) -> str:
        """The address of the newest answer asked for from outside, for clients that hide headers."""
        rows = self.call("GET", "/api/conversations?origin=api&limit=50").expect(200)["items"]
        # Not the first: an older one that ends meanwhile is listed before it.
        newest = max(rows, key=lambda row: row["created_at"])
        return f"/api/generations/{newest['generation']}/events"

    def stop(self, location: str) -> None:
        """Stops it through the native API."""
        path = f"/api/generations/{self.located(location)}/stop"
        assert self.call("POST", path).expect(200)["stopped"]

    def wait_for_text(self, location: str, length: int) -> None:
        """Until so much text is in the log."""
        generation = self.located(location)
        until(lambda: len(self.generation(generation)["text"]) >= length or None, "the text")


@pytest.fixture(scope="session")
def compat_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompatServer]:
    """The server that every client of this folder calls."""
    made = CompatServer(tmp_path_factory.mktemp("compat"), {"GRANTHA_MAX_BODY": "200000"})
    for name, script in SCRIPTS.items():
        made.script(name, script)
    made.start()
    yield made
    made.close()


@pytest.fixture
def openai_client(compat_server: CompatServer) -> Iterator[openai.OpenAI]:
    """OpenAI's client; it doesn't try again, so that every error is seen."""
    with openai.OpenAI(base_url=f"{compat_server.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(compat_server: CompatServer) -> Iterator[anthropic.Anthropic]:
    """Anthropic's client."""
    with anthropic.Anthropic(base_url=compat_server.url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture(params=["v1", "v1beta"])
def google_client(
    compat_server: CompatServer, request: pytest.FixtureRequest
) -> Iterator[genai.Client]:
    """Google's client, with either version of its API."""
    options = genai_types.HttpOptions(base_url=compat_server.url, api_version=request.param)
    with genai.Client(api_key="any", http_options=options) as client:
        yield client


@pytest.fixture
def ollama_client(compat_server: CompatServer) -> Iterator[ollama.Client]:
    """Ollama's client."""
    with ollama.Client(host=f"{compat_server.url}/ollama") as client:
        yield client
