"""Embeddings for OpenAI's and Ollama's clients."""

from __future__ import annotations

from typing import Any

import ollama
import openai
import pytest

from grantha.errors import BadRequest
from grantha.wire.compat import ollama_embeddings_view, openai_embeddings_view
from tests.compat_clients.conftest import CompatServer

MODEL = "scripted/hello"
VECTOR = [0.5, -0.25, 0.125]
INPUTS = ["One text", ["One text", "and another"], [1, 2, 3], [[1, 2], [3]]]


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("given", INPUTS, ids=str)
def test_every_form_of_an_input_gets_a_vector_for_each(
    openai_client: openai.OpenAI, given: Any, encoding: Any
) -> None:
    reply = openai_client.embeddings.create(model=MODEL, input=given, encoding_format=encoding)
    count = len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1
    assert [row.index for row in reply.data] == list(range(count))
    if encoding == "float":
        assert [row.embedding for row in reply.data] == [VECTOR] * count
    else:
        assert {str(row.embedding) for row in reply.data} == {"AAAAPwAAgL4AAAA+"}
    assert reply.usage.prompt_tokens == reply.usage.total_tokens > 0
    assert reply.model == MODEL


@pytest.mark.client("openai: Embeddings", "embeddings")
def test_the_clients_own_encoding_is_read_back_by_it_and_dimensions_are_passed_on(
    openai_client: openai.OpenAI,
) -> None:
    reply = openai_client.embeddings.create(model=MODEL, input="One text", dimensions=2)
    assert reply.data[0].embedding == VECTOR[:2]


def test_nothing_is_stored(openai_client: openai.OpenAI, compat_server: CompatServer) -> None:
    openai_client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    before = compat_server.newest()
    openai_client.embeddings.create(model=MODEL, input="One text that is stored nowhere")
    assert compat_server.newest() == before


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("scripted/nobody", openai.NotFoundError),
        ("scripted/limited", openai.RateLimitError),
        ("scripted/call", openai.BadRequestError),
        ("openai/text-embedding-3-small", openai.AuthenticationError),
        ("anthropic/claude-sonnet-4-5", openai.AuthenticationError),
    ],
)
@pytest.mark.client("openai: Embeddings", "errors")
def test_errors_are_the_clients_own_exceptions(
    openai_client: openai.OpenAI, model: str, error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error):
        openai_client.embeddings.create(model=model, input="Hi")


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m"},
        {"input": "Hi"},
        {"model": "m", "input": ""},
        {"model": "m", "input": []},
        {"model": "m", "input": [""]},
        {"model": "m", "input": ["a", 1]},
        {"model": "m", "input": [1, "a"]},
        {"model": "m", "input": [1.5]},
        {"model": "m", "input": [True]},
        {"model": "m", "input": [-1]},
        {"model": "m", "input": [[1], []]},
        {"model": "m", "input": [[1], "a"]},
        {"model": "m", "input": [{}]},
        {"model": "m", "input": ["a"] * 2049},
        {"model": "m", "input": [[1]] * 2049},
        {"model": "m", "input": "Hi", "dimensions": 0},
        {"model": "m", "input": "Hi", "encoding_format": "int8"},
    ],
    ids=lambda body: str(body)[:60],
)
def test_a_request_that_makes_no_sense_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        openai_embeddings_view.parse_request(body)


@pytest.mark.client("ollama", "embeddings")
def test_ollamas_client_gets_a_vector_for_each_text(ollama_client: ollama.Client) -> None:
    reply = ollama_client.embed(MODEL, ["One text", "and another"], truncate=True, dimensions=2)
    assert reply.embeddings == [VECTOR[:2]] * 2
    assert reply.model == MODEL
    assert reply.prompt_eval_count == len("One textand another")
    assert (reply.total_duration or 0) > 0
    assert ollama_client.embed(MODEL, "One text").embeddings == [VECTOR]
    assert ollama_client.embed("hello:latest", "One text").embeddings == [VECTOR]


def test_the_older_call_of_ollama_gives_one_vector(ollama_client: ollama.Client) -> None:
    assert ollama_client.embeddings(MODEL, "One text").embedding == VECTOR


def test_without_an_input_ollamas_calls_only_load_the_model(ollama_client: ollama.Client) -> None:
    assert ollama_client.embed(MODEL, []).embeddings == []
    assert ollama_client.embed(MODEL, "").embeddings == []
    assert ollama_client.embeddings(MODEL, "").embedding == []
    for call in (ollama_client.embed, ollama_client.embeddings):
        with pytest.raises(ollama.ResponseError) as caught:
            call("scripted/nobody", "")
        assert caught.value.status_code == 404


def test_ollamas_inputs_are_texts(ollama_client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="has no embedding"):
        ollama_client.embed("scripted/call", "Hi")
    with pytest.raises(BadRequest, match="list of texts"):
        ollama_embeddings_view.parse_request({"model": "m", "input": [1, 2]})


def test_embeddings_stand_below_ollamas_address_for_openais_clients(
    compat_server: CompatServer,
) -> None:
    base = f"{compat_server.url}/ollama/v1"
    with openai.OpenAI(base_url=base, api_key="any", max_retries=0) as client:
        assert client.embeddings.create(model=MODEL, input="Hi").data[0].embedding == VECTOR
