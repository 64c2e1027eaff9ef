"""Embeddings as each vendor is asked for them, over real HTTP."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from grantha import errors
from grantha.chat import Call, Options, text_message
from grantha.config import Settings
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.providers.base import Embeds
from grantha.providers.registry import Registry
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import FakeVendor, Plan, Seen, fake_vendor, status, web_page

KEY = "planted-key-0123456789"
SECRET = "The planted words that nobody may quote, my friend."
VARIABLES = {
    "openai": {"OPENAI_API_KEY": KEY},
    "openai-responses": {"OPENAI_API_KEY": KEY},
    "mistral": {"MISTRAL_API_KEY": KEY},
    "together": {"TOGETHER_API_KEY": KEY},
    "dashscope": {"DASHSCOPE_API_KEY": KEY},
    "deepseek": {"DEEPSEEK_API_KEY": KEY},
    "azure": {"AZURE_OPENAI_API_KEY": KEY},
    "google": {"GOOGLE_API_KEY": KEY},
    "vertex": {"GOOGLE_CLOUD_ACCESS_TOKEN": KEY},
    "ollama": {},
}


Make = Callable[..., Any]


@pytest.fixture
async def provider() -> AsyncIterator[Make]:
    """Makes providers that call a vendor; closes their connections after the test."""
    made: list[Registry] = []

    def make(vendor: FakeVendor, name: str, path: str = "", **variables: str) -> Any:
        address = f"GRANTHA_{name.upper().replace('-', '_')}_BASE_URL"
        all_variables = {address: vendor.url + path, **VARIABLES[name], **variables}
        made.append(Registry(Settings(local_enabled=False, variables=all_variables)))
        return made[-1].provider(name)

    yield make
    for registry in made:
        await registry.aclose()


def vectors(count: int, start: int = 0) -> list[list[float]]:
    return [[float(start + number), 0.5] for number in range(count)]


def packed(vector: list[float]) -> str:
    return base64.b64encode(array("f", vector).tobytes()).decode()


def json_reply(body: Any) -> Plan:
    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        return web.json_response(body)

    return plan


def openai_reply(found: list[Any], tokens: int = 7) -> dict[str, Any]:
    rows = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(found)]
    return {"object": "list", "data": rows, "usage": {"prompt_tokens": tokens}}


async def embedded(
    vendor: FakeVendor, made: Any, call: EmbeddingCall, *replies: Any
) -> tuple[Embeddings, list[Seen]]:
    vendor.plans.extend(json_reply(reply) for reply in replies)
    assert isinstance(made, Embeds)
    found = await made.embed(call)
    return found, vendor.calls


@pytest.fixture
def call() -> EmbeddingCall:
    return EmbeddingCall("m", ("one", "two"), dimensions=2)


@pytest.mark.parametrize("name", ["openai", "openai-responses", "azure"])
async def test_openai_sends_base64_and_the_order_is_that_of_the_inputs(
    provider: Make, name: str, call: EmbeddingCall
) -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        reply = openai_reply([packed(vector) for vector in vectors(2)])
        reply["data"].reverse()
        found, (seen,) = await embedded(vendor, provider(vendor, name, "/v1"), call, reply)
        assert [list(vector) for vector in found.vectors] == vectors(2)
        assert found.input_tokens == 7
        assert seen.path == ("/v1/openai/v1/embeddings" if name == "azure" else "/v1/embeddings")
        wanted = {"model": "m", "input": ["one", "two"], "dimensions": 2}
        assert seen.body == {**wanted, "encoding_format": "base64"}
        sent = seen.headers.get("Authorization", seen.headers.get("api-key", ""))
        assert sent.removeprefix("Bearer ") == KEY


async def test_azures_dated_paths_name_the_deployment(provider: Make, call: EmbeddingCall) -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = provider(vendor, "azure", AZURE_OPENAI_API_VERSION="2024-10-21")
        _, (seen,) = await embedded(vendor, made, call, openai_reply(vectors(2)))
        assert seen.path == "/openai/deployments/m/embeddings"
        assert seen.query == {"api-version": "2024-10-21"}


async def test_mistral_has_its_own_name_for_dimensions(provider: Make, call: EmbeddingCall) -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = provider(vendor, "mistral", "/v1")
        _, (seen,) = await embedded(vendor, made, call, openai_reply(vectors(2)))
        assert seen.body["output_dimension"] == 2
        assert "dimensions" not in seen.body


async def test_other_hosts_send_numbers_and_may_get_tokens(provider: Make) -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = provider(vendor, "together", "/v1")
        tokens = EmbeddingCall("m", ((1, 2), (3,)))
        found, (seen,) = await embedded(vendor, made, tokens, openai_reply(vectors(2)))
        assert seen.body == {"model": "m", "input": [[1, 2], [3]]}
        assert list(found.vectors) == vectors(2)


async def test_what_one_request_may_not_hold_is_sent_in_several(provider: Make) -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        many = EmbeddingCall("m", tuple(f"text {n}" for n in range(23)))
        replies = [
            openai_reply(vectors(size, start)) for start, size in ((0, 10), (10, 10), (20, 3))
        ]
        found, seen = await embedded(vendor, provider(vendor, "dashscope"), many, *replies)
        assert [len(request.body["input"]) for request in seen] == [10, 10, 3]
        assert list(found.vectors) == vectors(23)
        assert found.input_tokens == 21


async def test_google_gets_a_batch_that_names_the_model_in_each_part(
    provider: Make, call: EmbeddingCall
) -> None:
    async with fake_vendor(wire_samples.GEMINI) as vendor:
        reply = {"embeddings": [{"values": v} for v in vectors(2)]}
        made = provider(vendor, "google", "/v1beta")
        found, (seen,) = await embedded(vendor, made, call, reply)
        assert (list(found.vectors), found.input_tokens) == (vectors(2), None)
        assert seen.path == "/v1beta/models/m:batchEmbedContents"
        assert seen.headers["x-goog-api-key"] == KEY
        assert seen.body["requests"][1] == {
            "model": "models/m",
            "content": {"parts": [{"text": "two"}]},
            "outputDimensionality": 2,
        }


async def test_vertex_has_a_way_for_gemini_and_one_for_older_models(provider: Make) -> None:
    path = "/v1/projects/p/locations/l"
    async with fake_vendor(wire_samples.GEMINI) as vendor:
        made = provider(vendor, "vertex", path)
        usage = {"usageMetadata": {"promptTokenCount": 3}}
        one = EmbeddingCall("gemini-embedding-001", ("one",), dimensions=2)
        found, seen = await embedded(vendor, made, one, {"embedding": {"values": [0.5]}, **usage})
        assert (found.vectors, found.input_tokens) == (([0.5],), 3)
        model = f"{path}/publishers/google/models/gemini-embedding-001"
        assert seen[0].path == f"{model}:embedContent"
        config = {"outputDimensionality": 2}
        part = {"content": {"parts": [{"text": "one"}]}, "embedContentConfig": config}
        assert seen[0].body == part

        two = EmbeddingCall("gemini-embedding-001", ("one", "two"), dimensions=2)
        reply = {"embeddings": [{"values": v} for v in vectors(2)]}
        found, seen = await embedded(vendor, made, two, reply)
        assert list(found.vectors) == vectors(2)
        assert seen[1].path == f"{model}:batchEmbedContents"
        assert seen[1].body["requests"][0] == part

        old = EmbeddingCall("text-embedding-005", ("one", "two"), dimensions=2)
        rows = [{"embeddings": {"values": v, "statistics": {"token_count": 2}}} for v in vectors(2)]
        found, seen = await embedded(vendor, made, old, {"predictions": rows})
        assert (list(found.vectors), found.input_tokens) == (vectors(2), 4)
        assert seen[2].path == f"{path}/publishers/google/models/text-embedding-005:predict"
        assert seen[2].body == {
            "instances": [{"content": "one"}, {"content": "two"}],
            "parameters": {"outputDimensionality": 2},
        }


async def test_ollama_may_cut_what_is_too_long(provider: Make) -> None:
    async with fake_vendor(wire_samples.OLLAMA) as vendor:
        made = provider(vendor, "ollama")
        call = EmbeddingCall("m", ("one", "two"), truncate=False)
        reply = {"embeddings": vectors(2), "prompt_eval_count": 4}
        found, (seen,) = await embedded(vendor, made, call, reply)
        assert (list(found.vectors), found.input_tokens) == (vectors(2), 4)
        assert seen.path == "/api/embed"
        assert seen.body == {"model": "m", "input": ["one", "two"], "truncate": False}


@pytest.mark.parametrize("name", ["google", "vertex", "ollama"])
async def test_tokens_are_refused_where_only_texts_are_taken(provider: Make, name: str) -> None:
    async with fake_vendor(wire_samples.GEMINI) as vendor:
        with pytest.raises(errors.Unsupported, match="texts, not tokens"):
            await provider(vendor, name, "/v1").embed(EmbeddingCall("m", ((1, 2),)))
        assert vendor.calls == []


@pytest.mark.parametrize("name", ["anthropic", "bedrock"])
def test_providers_without_embeddings_do_not_claim_them(name: str) -> None:
    variables = {
        "ANTHROPIC_API_KEY": KEY,
        "AWS_BEARER_TOKEN_BEDROCK": KEY,
        "AWS_REGION": "eu-west-1",
    }
    assert not isinstance(
        Registry(Settings(local_enabled=False, variables=variables)).provider(name), Embeds
    )


BAD_REPLIES: list[Any] = [
    {},
    openai_reply(vectors(1)),
    openai_reply(vectors(3)),
    openai_reply([[], []]),
    openai_reply(["not base64", "?"]),
    openai_reply(["AAA=", "AAA="]),
    {"data": [{"index": index, "embedding": [0.5]} for index in (0, 3)]},
    {"data": [{"index": 0, "embedding": {"values": [0.5]}}]},
]


@pytest.mark.parametrize("reply", BAD_REPLIES, ids=json.dumps)
async def test_a_reply_without_one_vector_for_each_input_is_a_failure(
    provider: Make, reply: Any
) -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        with pytest.raises(errors.MalformedReply):
            await embedded(
                vendor, provider(vendor, "openai"), EmbeddingCall("m", ("a", "b")), reply
            )


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        (status(429, {"error": {"message": f"Slow down: {SECRET}"}}), errors.RateLimited),
        (status(401, {"error": {"message": f"Bad key {KEY}"}}), errors.KeyRejected),
        (status(400, {"error": {"message": f"Too odd: {SECRET}"}}), errors.RequestRefused),
        (status(500, {"error": {"message": "Broken"}}), errors.ProviderFailed),
        (web_page(), errors.MalformedReply),
    ],
)
async def test_failures_are_errors_of_the_one_tree_and_quote_nothing(
    provider: Make, plan: Plan, kind: type[errors.GranthaError]
) -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        vendor.plans.append(plan)
        with pytest.raises(kind) as caught:
            await provider(vendor, "openai").embed(EmbeddingCall("m", (SECRET,)))
        assert KEY not in str(caught.value.to_json())
        assert SECRET not in str(caught.value.to_json())
        assert len(vendor.calls) == 1, "nothing is sent twice"


async def test_a_host_without_embeddings_is_named(provider: Make) -> None:
    async def lacking(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text="404 page not found")

    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        vendor.plans.append(lacking)
        with pytest.raises(errors.Unsupported, match="DeepSeek has no embeddings"):
            await provider(vendor, "deepseek").embed(EmbeddingCall("m", ("a",)))


async def test_without_a_key_nothing_is_sent(provider: Make) -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = provider(vendor, "openai", OPENAI_API_KEY="")
        with pytest.raises(errors.MissingKey, match="OPENAI_API_KEY"):
            await made.embed(EmbeddingCall("m", ("a",)))
        assert vendor.seen == []


@pytest.mark.parametrize("name", ["google", "vertex"])
async def test_google_counts_system_text_and_tools_as_well(provider: Make, name: str) -> None:
    path = {"google": "models/m", "vertex": "publishers/google/models/m"}[name]
    messages = (text_message("system", "Be brief."), text_message("user", "Hi"))
    call = Call("m", messages, Options(tools=({"name": "f"},)))
    async with fake_vendor(wire_samples.GEMINI) as vendor:
        made = provider(vendor, name, "/v1")
        vendor.plans.append(json_reply({"totalTokens": 12}))
        assert await made.count_tokens(call) == 12
        (seen,) = vendor.calls
        assert seen.path == f"/v1/{path}:countTokens"
        counted = seen.body
        if name == "google":
            counted = counted["generateContentRequest"]
            assert counted["model"] == path
        assert counted["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
        assert counted["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
        assert counted["tools"][0]["functionDeclarations"] == [{"name": "f"}]
        for reply in ({"tokens": 12}, {"totalTokens": -1}, {"totalTokens": 10**30}):
            vendor.plans.append(json_reply(reply))
            with pytest.raises(errors.MalformedReply):
                await made.count_tokens(call)


async def test_vertex_counts_for_gemini_alone(provider: Make) -> None:
    async with fake_vendor(wire_samples.GEMINI) as vendor:
        with pytest.raises(errors.Unsupported):
            await provider(vendor, "vertex").count_tokens(Call("claude-x", ()))
        assert vendor.calls == []
