"""Google's Python client at `/v1beta`."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from grantha.chat import (
    Call,
    FilePart,
    ImagePart,
    JsonDict,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_message,
)
from grantha.errors import BadRequest
from grantha.wire.compat import gemini_input
from grantha.wire.compat.gemini_input import json_schema, parse_embeddings, parse_request
from tests.compat_clients.conftest import PNG, TEXT, THOUGHT, CompatServer
from tests.wire import calls

EVERYTHING = "scripted/everything"
THINKING = types.GenerateContentConfig(
    temperature=0.5, thinking_config=types.ThinkingConfig(include_thoughts=True)
)
HI: JsonDict = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="The weather",
            parameters=types.Schema(
                type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}
            ),
        )
    ]
)


def parts_of(replies: list[types.GenerateContentResponse]) -> list[types.Part]:
    contents = [c.content for r in replies for c in r.candidates or [] if c.content]
    return [part for content in contents for part in content.parts or []]


def text_of(parts: list[types.Part], *, thought: bool = False) -> str:
    return "".join(part.text or "" for part in parts if bool(part.thought) is thought)


@pytest.mark.client("google-genai", "streams", "reasoning", "usage")
def test_a_stream_has_every_character_and_ends_with_reason_and_counts(
    google_client: genai.Client, compat_server: CompatServer
) -> None:
    chunks = list(
        google_client.models.generate_content_stream(
            model=EVERYTHING, contents="Hi", config=THINKING
        )
    )
    parts = parts_of(chunks)
    assert text_of(parts) == TEXT
    assert text_of(parts, thought=True) == THOUGHT
    found = compat_server.assert_said(compat_server.newest(), TEXT)
    assert found["options"]["temperature"] == 0.5
    (last,) = chunks[-1].candidates or []
    assert last.finish_reason == types.FinishReason.STOP
    assert last.grounding_metadata is not None
    (source,) = last.grounding_metadata.grounding_chunks or []
    assert source.web is not None
    assert (source.web.uri, source.web.title) == ("https://example.org/", "A source")
    usage = chunks[-1].usage_metadata
    assert usage is not None
    assert usage.total_token_count
    assert chunks[0].model_version == EVERYTHING


@pytest.mark.client("google-genai", "whole replies")
def test_a_whole_reply_equals_the_stream_and_has_no_thoughts_unless_requested(
    google_client: genai.Client,
) -> None:
    reply = google_client.models.generate_content(model=EVERYTHING, contents="Hi", config=THINKING)
    assert reply.text == TEXT
    assert text_of(parts_of([reply]), thought=True) == THOUGHT
    plain = google_client.models.generate_content(model=EVERYTHING, contents="Hi")
    assert plain.text == TEXT
    assert text_of(parts_of([plain]), thought=True) == ""


@pytest.mark.client("google-genai", "tools")
def test_a_conversation_with_a_function_goes_there_and_back(
    google_client: genai.Client, compat_server: CompatServer
) -> None:
    config = types.GenerateContentConfig(tools=[WEATHER], system_instruction="Be brief.")
    chat = google_client.chats.create(model="scripted/think-and-call", config=config)
    first = chat.send_message("How is the weather?")
    (call,) = first.function_calls or []
    assert (call.name, call.args) == ("get_weather", {"city": "Paris"})
    signed = [p.thought_signature for p in parts_of([first]) if p.thought_signature]
    assert signed == [b"proof=="]
    response = types.Part.from_function_response(
        name="get_weather", response={"result": "12 degrees"}
    )
    contents: list[Any] = [*chat.get_history(), types.Content(role="user", parts=[response])]
    second = google_client.models.generate_content(
        model="scripted/hello", contents=contents, config=config
    )
    assert (second.text or "").startswith("Hello!")
    found = compat_server.ended(compat_server.located(compat_server.newest()))
    path = f"/api/conversations/{found['conversation']}"
    messages = compat_server.call("GET", path).expect(200)["messages"]
    roles = ["system", "user", "assistant", "tool", "assistant"]
    assert [message["role"] for message in messages] == roles
    assert messages[3]["parts"][0]["text"] == "12 degrees"
    (thought,) = [part for part in messages[2]["parts"] if part["type"] == "reasoning"]
    assert thought["signature"] == "proof=="
    assert found["options"]["tools"][0]["parameters"]["properties"]["city"]["type"] == "string"


@pytest.mark.parametrize(
    ("model", "code", "status"),
    [
        ("scripted/nobody", 404, "NOT_FOUND"),
        ("scripted/limited", 429, "RESOURCE_EXHAUSTED"),
        ("scripted/forbidden", 403, "PERMISSION_DENIED"),
        ("scripted/overloaded-now", 503, "UNAVAILABLE"),
        ("scripted/refuses", 400, "INVALID_ARGUMENT"),
        ("openai/x", 401, "UNAUTHENTICATED"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.client("google-genai", "errors")
def test_errors_are_the_clients_own_exceptions(
    google_client: genai.Client, model: str, code: int, status: str, stream: bool
) -> None:
    models = google_client.models
    with pytest.raises(errors.APIError) as caught:  # noqa: PT012  two ways to send one thing
        if stream:
            list(models.generate_content_stream(model=model, contents="Hi"))
        else:
            models.generate_content(model=model, contents="Hi")
    assert (caught.value.code, caught.value.status) == (code, status)


def test_a_failure_after_the_first_word_is_an_error_of_the_stream(
    google_client: genai.Client,
) -> None:
    with pytest.raises(errors.APIError, match="The filter cut it"):
        list(google_client.models.generate_content_stream(model="scripted/blocked", contents="Hi"))


@pytest.mark.parametrize("model", ["everything", "blocked", "call"])
def test_without_alt_the_stream_is_one_array(compat_server: CompatServer, model: str) -> None:
    path = f"/v1beta/models/scripted/{model}:streamGenerateContent"
    reply = compat_server.call("POST", path, HI)
    assert reply.headers["content-type"] == "application/json"
    chunks = json.loads(reply.body)
    if model == "blocked":
        assert chunks.pop()["error"]["status"] == "INVALID_ARGUMENT"
    else:
        assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    streamed = compat_server.call("POST", f"{path}?alt=sse", HI)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    blocks = streamed.body.split(b"\r\n\r\n")
    events = [json.loads(block.removeprefix(b"data: ")) for block in blocks if block]
    assert text_of_chunks(chunks) == text_of_chunks(events) != ""


def text_of_chunks(chunks: list[JsonDict]) -> str:
    candidates = [candidate for chunk in chunks for candidate in chunk.get("candidates", [])]
    parts = [part for candidate in candidates for part in candidate["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts)


@pytest.mark.client("google-genai", "models")
def test_models_are_listed_and_found(google_client: genai.Client) -> None:
    names = [model.name for model in google_client.models.list()]
    assert f"models/{EVERYTHING}" in names
    found = google_client.models.get(model=EVERYTHING)
    assert found.display_name == EVERYTHING
    with pytest.raises(errors.ClientError) as caught:
        google_client.models.get(model="scripted/nobody")
    assert caught.value.code == 404


@pytest.mark.client("google-genai", "embeddings")
def test_contents_are_embedded(google_client: genai.Client) -> None:
    config = types.EmbedContentConfig(output_dimensionality=2)
    reply = google_client.models.embed_content(
        model="scripted/hello", contents=["One", "Two"], config=config
    )
    assert [found.values for found in reply.embeddings or []] == [[0.5, -0.25]] * 2


def test_the_one_content_is_embedded(compat_server: CompatServer) -> None:
    path = "/v1beta/models/scripted/hello:embedContent"
    body = {"content": {"parts": [{"text": "One"}]}}
    found = compat_server.call("POST", path, body).expect(200)
    assert found == {"embedding": {"values": [0.5, -0.25, 0.125]}}


def test_tokens_are_not_counted_by_guess(google_client: genai.Client) -> None:
    with pytest.raises(errors.ClientError, match="can't count tokens"):
        google_client.models.count_tokens(model="scripted/hello", contents="Hi")


def test_an_unknown_method_is_an_error_in_googles_form(compat_server: CompatServer) -> None:
    for path in ("/v1beta/models/scripted/hello:predict", "/v1beta/nothing"):
        reply = compat_server.call("POST", path, {})
        assert reply.status in {404, 405}
        assert reply.json()["error"]["code"] == reply.status


# ---- reading requests


def request(**more: Any) -> Any:
    return parse_request({**HI, **more}, "m", stream=False)[0]


def encoded(text: str) -> str:
    """As Google's client writes bytes."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_every_kind_of_part_is_read_in_either_way_of_writing() -> None:
    text = base64.b64encode(b"a,b").decode()
    contents = [
        {"parts": [{"text": "See"}, {"inline_data": {"mime_type": "image/png", "data": PNG}},
                   {"inlineData": {"mimeType": "text/csv", "data": text}}]},
        {"role": "model", "parts": [
            {"text": "Hm", "thought": True, "thought_signature": encoded("google/m s1?>")},
            {"text": "Look", "thoughtSignature": "not base64"},
            {"executableCode": {"code": "1"}},
            {"functionCall": {"name": "a", "args": {"x": 1}}, "thoughtSignature": encoded("s3")},
            {"functionCall": {"name": "b"}}, {"functionCall": {"id": "own", "name": "a"}}]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "b", "response": {"output": "of b"}}},
            {"function_response": {"name": "a", "response": {"error": "first a"}}},
            {"functionResponse": {"id": "own", "name": "a", "response": {"rows": [1]}}}]},
    ]  # fmt: skip
    parsed = request(contents=contents, system_instruction={"parts": [{"text": "Be brief."}]})
    assert parsed.messages == (
        text_message("system", "Be brief."),
        Message("user", (TextPart("See"), ImagePart("image/png", PNG),
                         FilePart("file", "text/csv", "a,b"))),
        Message("assistant", (
            ReasoningPart("Hm", "google/m s1?>"), ReasoningPart("", "not base64"), TextPart("Look"),
            ToolCallPart("call_1", "a", '{"x":1}', "s3"), ToolCallPart("call_2", "b", "{}"),
            ToolCallPart("own", "a", "{}"))),
        Message("tool", (ToolResultPart("call_2", "of b"), ToolResultPart("call_1", "first a", True),
                         ToolResultPart("own", '{"rows":[1]}'))),
    )  # fmt: skip


def test_bytes_in_the_alphabet_of_urls_are_read() -> None:
    image = PNG.replace("+", "-").replace("/", "_")
    assert image != PNG
    data = {"mimeType": "image/png", "data": image}
    assert request(contents=[{"parts": [{"inlineData": data}]}]).messages == (
        Message("user", (ImagePart("image/png", PNG),)),
    )


def test_files_by_url_and_media_of_functions_are_read() -> None:
    pdf = base64.b64encode(b"%PDF-1.4").decode()
    contents = [
        {"parts": [
            {"fileData": {"mimeType": "image/png", "fileUri": "https://pictures.example/a"}},
            {"file_data": {"mime_type": "application/pdf", "file_uri": "https://papers.example/a"}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "a"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "a", "response": {"output": "Here"},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}},
                      {"inlineData": {"mimeType": "application/pdf", "displayName": "a.pdf",
                                      "data": pdf}}]}}]},
    ]  # fmt: skip
    assert request(contents=contents).messages == (
        Message("user", (ImagePart("", "", "https://pictures.example/a"),
                         FilePart("file", "application/pdf", "", url="https://papers.example/a"))),
        Message("assistant", (ToolCallPart("call_1", "a", "{}"),)),
        Message("tool", (ToolResultPart("call_1", "Here"),
                         ImagePart("image/png", PNG, call_id="call_1"),
                         FilePart("a.pdf", "application/pdf", "", pdf, call_id="call_1"))),
    )  # fmt: skip


def test_options_are_read() -> None:
    schema = {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}
    config = {
        "temperature": 0.5, "top_p": 0.9, "topK": 40.2, "maxOutputTokens": 9, "stopSequences": ["x"],
        "seed": 7, "responseMimeType": "application/json", "responseSchema": schema,
        "thinkingConfig": {"thinkingBudget": 2000},
    }  # fmt: skip
    tool_config = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}
    options = request(
        generationConfig=config,
        tools=[
            {"functionDeclarations": [{"name": "f", "parameters": schema}]},
            {"googleSearch": {}},
        ],
        toolConfig=tool_config,
        safetySettings=[{"category": "c", "threshold": "t"}],
    ).options
    assert (options.temperature, options.top_p, options.max_tokens) == (0.5, 0.9, 9)
    assert (options.stop, options.seed, options.reasoning_effort) == (("x",), 7, "medium")
    assert options.response_format["json_schema"]["schema"] == json_schema(schema)
    assert options.tools[0]["parameters"]["properties"]["a"]["type"] == "integer"
    assert options.tools[1]["origin"]["tool"] == {"googleSearch": {}}
    assert options.tool_choice == {"name": "f"}
    assert options.extra == {"safetySettings": [{"category": "c", "threshold": "t"}], "top_k": 40}


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        ({}, None),
        ({"thinkingBudget": 0}, "none"),
        ({"thinkingBudget": -1}, None),
        ({"thinking_budget": 1024}, "low"),
        ({"thinkingBudget": 30000}, "high"),
        ({"thinkingLevel": "LOW"}, "low"),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
    ],
)
def test_a_budget_of_thought_is_an_effort(thinking: JsonDict, effort: str | None) -> None:
    config = {"thinkingConfig": thinking}
    assert request(generationConfig=config).options.reasoning_effort == effort


def test_schemas_of_google_become_json_schema() -> None:
    given = {
        "type": "OBJECT", "nullable": True, "propertyOrdering": ["a", "type"],
        "properties": {"a": {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": "1"},
                       "type": {"type": "STRING", "enum": ["NUMBER"]}},
        "anyOf": [{"type": "NULL"}], "required": ["a"],
    }  # fmt: skip
    assert json_schema(given) == {
        "type": ["object", "null"],
        "properties": {"a": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                       "type": {"type": "string", "enum": ["NUMBER"]}},
        "anyOf": [{"type": "null"}], "required": ["a"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"contents": []}, "contents"),
        ({"contents": [{"role": "boss", "parts": []}]}, "role"),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "gs://x"}}]}]}, "fileData"),
        ({"contents": [{"parts": [{"fileData": {"mimeType": "video/mp4", "fileUri": "https://x/"}}]}]},
         "fileData"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}]}]},
         "inlineData"),
        ({"contents": [{"parts": [{"functionResponse": {"name": "f"}}]}]}, "functionResponse"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "text/plain", "data": "?"}}]}]},
         "inlineData"),
        ({"systemInstruction": {"parts": [{"inlineData": {}}]}}, "systemInstruction"),
        ({"generationConfig": {"candidateCount": 2}}, "candidateCount"),
        ({"generationConfig": {"responseModalities": ["IMAGE"]}}, "responseModalities"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, "responseMimeType"),
        ({"generationConfig": {"speech_config": {"a": 1}}}, "speechConfig"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, "mode"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(change: JsonDict, named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        request(**change)


def test_embeddings_of_several_sizes_are_refused() -> None:
    row: JsonDict = {"content": {"parts": [{"text": "One"}]}}
    assert parse_embeddings({"requests": [row]}, "m").inputs == ("One",)
    bad: list[list[JsonDict]] = [
        [],
        [row, {**row, "outputDimensionality": 2}],
        [{"content": {"parts": []}}],
    ]
    for rows in bad:
        with pytest.raises(BadRequest):
            parse_embeddings({"requests": rows}, "m")


def test_a_count_may_hold_a_whole_request() -> None:
    whole = {"generateContentRequest": {"model": "models/m", **HI}}
    for body in (HI, whole):
        assert gemini_input.parse_count(body, "m").messages == (text_message("user", "Hi"),)


def test_what_only_google_knows_reaches_no_other_vendor() -> None:
    members = {
        "safetySettings": [{"category": "c"}],
        "cachedContent": "cachedContents/x",
        "labels": {"a": "b"},
    }
    parsed = request(**members, tools=[{"googleSearch": {}}])
    call = Call("m", parsed.messages, parsed.options)
    own = calls.gemini(call)
    assert {name: own[name] for name in members} == members
    assert own["tools"] == [{"googleSearch": {}}]
    for encode in (calls.chat, calls.anthropic, calls.responses, calls.converse, calls.local_chat):
        body = json.dumps(encode(call))
        assert not [name for name in (*members, "googleSearch") if name in body], encode.__name__
