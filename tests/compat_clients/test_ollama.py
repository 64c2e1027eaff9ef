"""Ollama's Python client at `/ollama`."""

from __future__ import annotations

import base64

import ollama
import openai
import pytest

from tests.compat_clients.conftest import PNG, TEXT, THOUGHT, CompatServer

HI = [{"role": "user", "content": "Hi"}]


@pytest.mark.client("ollama", "streams", "reasoning", "usage")
def test_a_stream_has_every_character_and_ends_with_counts(
    ollama_client: ollama.Client, compat_server: CompatServer
) -> None:
    lines = list(ollama_client.chat("scripted/everything", HI, stream=True, think=True))
    text = "".join(line.message.content or "" for line in lines)
    assert text == TEXT
    compat_server.assert_said(compat_server.newest(), TEXT)
    assert "".join(line.message.thinking or "" for line in lines) == THOUGHT
    assert [line.done for line in lines[:-1]] == [False] * (len(lines) - 1)
    last = lines[-1]
    assert (last.done, last.done_reason) == (True, "stop")
    assert (last.eval_count or 0) > len(TEXT)
    assert (last.total_duration or 0) > 0


@pytest.mark.client("ollama", "whole replies")
def test_a_whole_reply_equals_the_stream(ollama_client: ollama.Client) -> None:
    images = [ollama.Image(value=base64.b64decode(PNG))]
    reply = ollama_client.chat(
        "scripted/everything",
        [ollama.Message(role="user", content="See", images=images)],
        options={"temperature": 0.5, "num_ctx": 4096, "num_predict": -1},
    )
    assert reply.message.content == TEXT
    assert reply.message.thinking == THOUGHT


@pytest.mark.client("ollama", "tools")
def test_tools_go_out_and_their_results_come_back(
    ollama_client: ollama.Client, compat_server: CompatServer
) -> None:
    def get_weather(city: str) -> str:
        """The weather.

        Args:
            city: Where.
        """
        return f"12 degrees in {city}"

    first = ollama_client.chat("scripted/call", HI, tools=[get_weather])
    (call,) = first.message.tool_calls or []
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Paris"})
    result = {
        "role": "tool",
        "tool_name": "get_weather",
        "content": get_weather(**call.function.arguments),
    }
    second = ollama_client.chat("scripted/hello", [*HI, first.message, result])
    assert (second.message.content or "").startswith("Hello!")
    found = compat_server.ended(compat_server.located(compat_server.newest()))
    conversation = compat_server.call("GET", f"/api/conversations/{found['conversation']}").expect(
        200
    )
    assert conversation["messages"][2]["parts"][0]["text"] == "12 degrees in Paris"


@pytest.mark.parametrize(
    ("model", "status"), [("scripted/nobody", 404), ("scripted/limited", 429), ("openai/x", 401)]
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.client("ollama", "errors")
def test_errors_are_the_clients_own_exception(
    ollama_client: ollama.Client, model: str, status: int, stream: bool
) -> None:
    with pytest.raises(ollama.ResponseError) as caught:  # noqa: PT012  two overloads of one call
        if stream:
            list(ollama_client.chat(model, HI, stream=True))
        else:
            ollama_client.chat(model, HI)
    assert caught.value.status_code == status
    assert caught.value.error
    assert "{" not in caught.value.error


def test_a_failure_after_the_first_word_is_an_error_of_the_stream(
    ollama_client: ollama.Client,
) -> None:
    with pytest.raises(ollama.ResponseError, match="The filter cut it"):
        list(ollama_client.chat("scripted/blocked", HI, stream=True))


def test_a_prompt_is_completed_in_lines_and_at_once(
    ollama_client: ollama.Client, compat_server: CompatServer
) -> None:
    lines = list(ollama_client.generate("scripted/everything", "Hi", stream=True, think=True))
    assert "".join(line.response or "" for line in lines) == TEXT
    assert "".join(line.thinking or "" for line in lines) == THOUGHT
    assert (lines[-1].done, lines[-1].done_reason) == (True, "stop")
    reply = ollama_client.generate(
        "scripted/everything",
        "See",
        system="Be brief",
        images=[ollama.Image(value=base64.b64decode(PNG))],
        options={"temperature": 0.5},
    )
    assert (reply.response, reply.thinking) == (TEXT, THOUGHT)
    found = compat_server.assert_said(compat_server.newest(), TEXT)
    assert found["options"]["temperature"] == 0.5
    conversation = compat_server.call("GET", f"/api/conversations/{found['conversation']}").expect(
        200
    )
    assert [m["role"] for m in conversation["messages"]] == ["system", "user", "assistant"]
    assert [part["type"] for part in conversation["messages"][1]["parts"]] == ["text", "image"]


def test_a_completion_without_a_prompt_only_loads_the_model(
    ollama_client: ollama.Client, compat_server: CompatServer
) -> None:
    before = compat_server.newest()
    assert ollama_client.generate("scripted/everything").done_reason == "load"
    assert ollama_client.generate("scripted/everything", keep_alive=0).done_reason == "unload"
    assert compat_server.newest() == before
    with pytest.raises(ollama.ResponseError) as caught:
        ollama_client.generate("scripted")
    assert caught.value.status_code == 404


def test_what_a_completion_cannot_carry_is_refused(ollama_client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="'suffix' isn't supported here") as caught:
        ollama_client.generate("scripted/everything", "def a():", suffix="return 1")
    assert caught.value.status_code == 400


def test_a_model_is_shown(ollama_client: ollama.Client, compat_server: CompatServer) -> None:
    facts = {"tools": True, "reasoning": True, "images": True, "context_length": 4096}
    model = compat_server.script("shown", {"capabilities": facts, "steps": [{"text": "Hi"}]})
    shown = ollama_client.show(f"{model}:latest".removeprefix("scripted/"))
    assert shown.capabilities == ["completion", "tools", "vision", "thinking"]
    assert (shown.modelinfo or {})["scripted.context_length"] == 4096
    with pytest.raises(ollama.ResponseError) as caught:
        ollama_client.show("scripted/nobody")
    assert caught.value.status_code == 404


def test_no_model_is_loaded_where_none_is_local(ollama_client: ollama.Client) -> None:
    assert ollama_client.ps().models == []


def test_a_model_that_does_not_exist_is_not_loaded(ollama_client: ollama.Client) -> None:
    for call in (
        lambda: ollama_client.chat("scripted/nobody", []),
        lambda: ollama_client.generate("scripted/nobody"),
    ):
        with pytest.raises(ollama.ResponseError) as caught:
            call()
        assert caught.value.status_code == 404


def test_a_client_that_probes_first_finds_the_server(compat_server: CompatServer) -> None:
    for method in ("GET", "HEAD"):
        assert compat_server.call(method, "/ollama/").status == 200
    version = compat_server.call("GET", "/ollama/api/version").expect(200)["version"]
    assert tuple(map(int, version.split("."))) >= (0, 6, 4), "as some clients demand"


def test_a_chat_without_messages_loads_the_model(
    ollama_client: ollama.Client, compat_server: CompatServer
) -> None:
    before = compat_server.newest()
    reply = ollama_client.chat("scripted/everything", [])
    assert (reply.done_reason, reply.message.content) == ("load", "")
    assert compat_server.newest() == before


def test_openais_api_stands_below_ollamas_address(compat_server: CompatServer) -> None:
    base = f"{compat_server.url}/ollama/v1"
    with openai.OpenAI(base_url=base, api_key="any", max_retries=0) as client:
        hello = client.chat.completions.create(
            model="scripted/hello", messages=[{"role": "user", "content": "Hi"}]
        )
        assert hello.choices[0].message.content
        assert "scripted/hello" in [model.id for model in client.models.list()]
        assert client.responses.create(model="scripted/hello", input="Hi").output_text
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("scripted/nobody")


@pytest.mark.parametrize(
    "path", ["/ollama/api/nothing", "/ollama/v1/nothing", "/v1/nothing", "/api/nothing"]
)
def test_an_unknown_address_below_an_api_is_json_and_never_the_page(
    compat_server: CompatServer, path: str
) -> None:
    reply = compat_server.call("GET", path)
    assert reply.status == 404
    assert isinstance(reply.json(), dict)


@pytest.mark.client("ollama", "models")
def test_models_are_listed(ollama_client: ollama.Client) -> None:
    listed = [model.model for model in ollama_client.list().models]
    assert "scripted/everything" in listed
